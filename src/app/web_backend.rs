//! What the HTTP pages show, read where it is known.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use crate::acd::Matcher;
use crate::base::words::BreakReason;
use crate::base::{AgentId, ContactId, QueueId};
use crate::engine::{AgentCommand, Settings};
use crate::metrics::Exporter;
use crate::net::clock::Clock;
use crate::net::shard::ToShard;
use crate::store::{self, LogHealth};
use crate::web::{Accepted, AgentStatus, Backend, ExpectedWait, Ledger, QueueStatus, WantedState};

pub(super) struct WebBackend {
    pub(super) exporter: Exporter,
    pub(super) settings: Arc<ArcSwap<Settings>>,
    pub(super) matcher: Arc<Matcher>,
    pub(super) clock: Clock,
    pub(super) shard: mpsc::Sender<ToShard>,
    pub(super) draining: Arc<AtomicBool>,
    pub(super) log: Option<Arc<LogHealth>>,
    /// The directory of the event log.
    pub(super) events: Option<PathBuf>,
}

impl WebBackend {
    fn agency(settings: &Settings, agency: crate::base::AgencyId) -> String {
        settings.agencies.get(agency.index()).map_or_else(String::new, |agency| agency.name.to_string())
    }
}

impl Backend for WebBackend {
    fn metrics(&self) -> String {
        self.exporter.render()
    }

    fn not_ready(&self) -> Option<&'static str> {
        if self.draining.load(Ordering::Relaxed) {
            return Some("The process is draining: it takes no new calls.");
        }
        let unwritable = self.log.as_ref().is_some_and(|log| !log.healthy());
        unwritable.then_some("The event log cannot be written: what happens now may be lost.")
    }

    fn agents(&self) -> Vec<AgentStatus> {
        let settings = self.settings.load();
        let agents = settings.directory.agents.iter().enumerate();
        agents
            .filter_map(|(index, profile)| {
                let profile = profile.as_ref()?;
                let (state, reason, since) = self.exporter.board().state(AgentId(index as u32));
                Some(AgentStatus {
                    name: profile.name.to_string(),
                    agency: Self::agency(&settings, profile.agency),
                    state: state.label(),
                    reason: reason.map(BreakReason::label),
                    since: since.secs(),
                })
            })
            .collect()
    }

    fn queues(&self) -> Vec<QueueStatus> {
        let now = self.clock.now();
        let longest = self.matcher.longest();
        let settings = self.settings.load();
        let queues = settings.directory.queues.iter().enumerate();
        queues
            .filter_map(|(index, rules)| {
                let (queue, rules) = (QueueId(index as u32), rules.as_ref()?);
                let since = longest.iter().find(|(known, _)| *known == queue).map(|(_, since)| *since);
                Some(QueueStatus {
                    name: rules.name.to_string(),
                    agency: Self::agency(&settings, rules.agency),
                    waiting: self.matcher.waiting(queue),
                    longest_wait_seconds: since.map_or(0.0, |since| now.since(since).as_secs_f64()),
                    expected_wait_seconds: self.matcher.expects_next(now, queue).map(|range| ExpectedWait {
                        low: range.low.as_secs_f64(),
                        likely: range.likely.as_secs_f64(),
                        high: range.high.as_secs_f64(),
                    }),
                })
            })
            .collect()
    }

    fn ledger(&self, contact: ContactId) -> Ledger {
        let Some(directory) = &self.events else { return Ledger::NoLog };
        match store::ledger(directory, contact) {
            Ok(Some(answer)) => {
                serde_json::to_value(&answer).map_or_else(|error| Ledger::Unreadable(error.to_string()), Ledger::Known)
            }
            Ok(None) => Ledger::NoSuchContact,
            Err(error) => Ledger::Unreadable(error.to_string()),
        }
    }

    fn set_agent(&self, name: &str, wanted: WantedState) -> Accepted {
        let Some(agent) = self.settings.load().agent_named(name) else { return Accepted::NoSuchAgent };
        let command = match wanted {
            WantedState::Ready => AgentCommand::Ready,
            WantedState::Break => AgentCommand::Break(BreakReason::Asked),
            WantedState::EndWrapUp => AgentCommand::EndWrapUp,
            WantedState::Offline => AgentCommand::SignOut,
        };
        if self.shard.try_send(ToShard::Agent(agent, command)).is_ok() { Accepted::Yes } else { Accepted::Busy }
    }
}
