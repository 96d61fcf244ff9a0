//! The process's own log, on standard error: text for people, or a JSON object a line for machines.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use super::tracer::WATCHED;
use crate::base::ContactId;
use crate::config::{Log, LogFormat, LogLevel};

/// Begins to log. The first call in a process decides.
pub(super) fn start(log: &Log) {
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // What somebody has asked to see is written whatever the level.
    let wanted = Targets::new().with_default(level).with_target(WATCHED, LevelFilter::TRACE);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let registry = tracing_subscriber::registry();
    // A second start in one process, as in tests, keeps the first.
    let _ = match log.format {
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            registry.with(lines.with_ansi(colours).with_filter(wanted)).try_init()
        }
        LogFormat::Json => registry.with(lines.json().flatten_event(true).with_span_list(false).with_filter(wanted)).try_init(),
    };
}

/// The span of what is said about a call: whose it is, on which of its legs, and about which agent, as far as that is known.
pub(super) fn of_call(contact: Option<ContactId>, leg: Option<u32>, agent: Option<&str>) -> tracing::Span {
    // At the level that no filter excludes: a warning in it is said with it.
    tracing::error_span!("call", contact = contact.map(tracing::field::display), leg, agent)
}
