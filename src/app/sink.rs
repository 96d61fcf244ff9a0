//! Where a shard's outputs go: facts to metrics and the log, commands to the media threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::logging::of_call;
use super::records::{SharedLog, names};
use super::tracer::Tracer;
use crate::base::{ContactId, QueueId, Time};
use crate::engine::Settings;
use crate::engine::media_port::{MediaCommand, MediaThread};
use crate::media::MediaSender;
use crate::metrics::Meters;
use crate::net::recent::{Found, Seen, Watches};
use crate::net::shard::Sink;
use crate::report::{Fact, FactKind};

/// Two faults within this end the process: a supervisor starts a clean one.
const FAULTS_WITHIN: Duration = Duration::from_secs(1);

/// Called with every fact of every shard, and the settings that name its items.
pub type Observer = Arc<dyn Fn(&Fact, &Settings) + Send + Sync>;

/// Receives the outputs of a shard.
pub(super) struct ShardSink {
    pub(super) observer: Option<Observer>,
    pub(super) settings: Arc<Settings>,
    pub(super) media: MediaSender,
    pub(super) meters: Meters,
    pub(super) log: Option<SharedLog>,
    pub(super) tracer: Tracer,
    /// When any shard last had a fault, in microseconds.
    pub(super) last_fault: Arc<AtomicU64>,
}

impl Sink for ShardSink {
    fn message(&mut self, seen: &Seen<'_>) {
        self.tracer.message(seen, &self.settings);
    }

    fn recent(&self, contact: ContactId) -> Found {
        self.tracer.recent(contact)
    }

    fn watch(&mut self, watches: Watches) {
        self.tracer.watch(watches);
    }

    fn fact(&mut self, fact: &Fact) {
        self.tracer.fact(fact, &self.settings);
        self.meters.take(fact);
        if let Some(log) = &self.log {
            log.fact(fact);
        }
        say(fact, &self.settings);
        if let Some(observer) = &self.observer {
            observer(fact, &self.settings);
        }
    }

    fn media(&mut self, thread: MediaThread, command: MediaCommand) {
        self.media.send(thread, command);
    }

    fn is_behind(&self) -> bool {
        self.media.is_behind()
    }

    fn catch_up(&mut self) {
        self.media.catch_up();
    }

    fn flush(&mut self) {
        if let Some(log) = &self.log {
            log.flush();
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.log.as_ref()?.deadline()
    }

    fn tick(&mut self, now: Time) {
        if let Some(log) = &self.log {
            log.tick(now);
        }
    }

    fn end(&mut self, now: Time) {
        if let Some(log) = self.log.take() {
            log.end(now);
        }
    }

    fn matched(&mut self, span: Duration) {
        self.meters.matched(span);
    }

    fn reloaded(&mut self, settings: &Arc<Settings>) {
        self.meters.reload(settings);
        self.settings = settings.clone();
        if let Some(log) = &self.log {
            log.renew(names(settings));
        }
    }

    fn fault(&mut self, now: Time, contact: Option<ContactId>) -> bool {
        of_call(contact, None, None).in_scope(|| tracing::error!("a broken invariant was contained: its contact was ended"));
        let last = self.last_fault.swap(now.micros(), Ordering::AcqRel);
        last > 0 && now.since(Time::from_micros(last)) < FAULTS_WITHIN
    }
}

/// The span of what is said about a contact, one of its legs or an agent. It is there at every level that anything is said at.
fn about(fact: &Fact, settings: &Settings) -> tracing::Span {
    let (leg, agent) = match &fact.kind {
        FactKind::LegBegan { leg, agent, .. } => (Some(*leg), *agent),
        FactKind::LegEnded { leg, .. } | FactKind::LegMoved { leg, .. } => (Some(*leg), None),
        FactKind::Offered { agent, .. } | FactKind::OfferEnded { agent, .. } | FactKind::Agent { agent, .. } => {
            (None, Some(*agent))
        }
        _ => (None, None),
    };
    let agent = agent.map(|agent| settings.agent_name(agent).unwrap_or("unknown"));
    of_call(fact.contact, leg, agent)
}

/// Says a line in its span, if it is to be said at all.
macro_rules! line {
    ($level:ident, $about:expr, $($what:tt)+) => {
        if tracing::enabled!(tracing::Level::$level) {
            $about.in_scope(|| tracing::event!(tracing::Level::$level, $($what)+));
        }
    };
}

/// One line for what an operator wants to see, in the span of the contact.
fn say(fact: &Fact, settings: &Settings) {
    let queue_name = |queue: &QueueId| settings.queue(*queue).map_or("unknown", |rules| &*rules.name);
    let about = || about(fact, settings);
    match &fact.kind {
        FactKind::Arrived { from, dialled, call_id, .. } => {
            line!(INFO, about(), %from, %dialled, %call_id, "a call came in");
        }
        FactKind::Entered { queue, waiting, .. } => {
            line!(INFO, about(), queue = queue_name(queue), waiting, "joined a queue");
        }
        FactKind::Left { queue, outcome, waited, .. } => {
            line!(INFO, about(), queue = queue_name(queue), %outcome, waited_ms = waited.as_millis() as u64, "left the queue");
        }
        FactKind::Widened { queue, step, .. } => {
            line!(DEBUG, about(), queue = queue_name(queue), step, "may be served by more");
        }
        FactKind::PreferenceOver { queue, .. } => {
            line!(DEBUG, about(), queue = queue_name(queue), "waits for anyone now");
        }
        FactKind::Offered { queue, .. } => {
            line!(DEBUG, about(), queue = queue_name(queue), "an agent is rung");
        }
        FactKind::LegBegan { role, call_id, .. } => {
            line!(DEBUG, about(), role = role.label(), %call_id, "a leg began");
        }
        FactKind::LegEnded { role, status, packets: (received, sent, lost), jitter, .. } => {
            let jitter_us = jitter.as_micros() as u64;
            line!(DEBUG, about(), role = role.label(), status, received, sent, lost, jitter_us, "a leg ended");
        }
        FactKind::LegMoved { to, .. } => line!(INFO, about(), %to, "a leg went over to another contact"),
        FactKind::Transferred { kind, outcome, .. } => line!(INFO, about(), %kind, %outcome, "a transfer"),
        FactKind::OfferEnded { outcome, rang, .. } => {
            line!(INFO, about(), %outcome, rang_ms = rang.as_millis() as u64, "an offer ended");
        }
        FactKind::Ended { by, segment, status, .. } => line!(INFO, about(), %by, %segment, status, "the contact ended"),
        FactKind::Agent { from, to, .. } => {
            line!(DEBUG, about(), from = %from.0, to = %to.0, reason = to.1.map(tracing::field::display), "an agent's state changed");
        }
        FactKind::LimitHit { limit } => line!(WARN, about(), %limit, "a limit was reached"),
        FactKind::Repaired { kind } => line!(ERROR, about(), kind = kind.label(), "something that must not happen was put right"),
        FactKind::TrunkUp { trunk, up } => {
            let name = settings.trunk(*trunk).map_or("unknown", |rules| &*rules.name);
            tracing::info!(trunk = name, up, "a trunk");
        }
        _ => {}
    }
}
