//! What the HTTP pages show, read where it is known.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::tracer::shown;
use crate::acd::Matcher;
use crate::base::limits::LimitBoard;
use crate::base::words::{BreakReason, Limit};
use crate::base::{AgentId, ContactId, QueueId, Time, TrunkId};
use crate::engine::{AgentCommand, Settings};
use crate::metrics::Exporter;
use crate::net::clock::Clock;
use crate::net::recent::{Found, Watches, Whom};
use crate::net::switch::{Switch, ToShard};
use crate::report::Trace;
use crate::store::{self, LogHealth};
use crate::web::{
    Accepted, AgentStatus, Backend, ExpectedWait, Ledger, QueueStatus, Traced, WantedState, Watch, WatchOutcome, Watching,
};

/// How many may be watched at once.
const WATCHES_MAX: usize = 32;
/// How long an answer of signalling is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(2);

pub(super) struct WebBackend {
    pub(super) exporter: Exporter,
    pub(super) settings: Arc<ArcSwap<Settings>>,
    pub(super) matcher: Arc<Matcher>,
    pub(super) clock: Clock,
    pub(super) switch: Arc<Switch>,
    pub(super) draining: Arc<AtomicBool>,
    pub(super) log: Option<Arc<LogHealth>>,
    /// The directory of the event log.
    pub(super) events: Option<PathBuf>,
    /// Whether recent SIP messages are kept.
    pub(super) keeps_sip: bool,
    /// Whose messages are logged, each until when. Only the one thread of HTTP changes this.
    pub(super) watches: ArcSwap<Vec<(Watch, Whom, Time)>>,
    pub(super) limits: Arc<LimitBoard>,
}

impl WebBackend {
    fn agency(settings: &Settings, agency: crate::base::AgencyId) -> String {
        settings.agencies.get(agency.index()).map_or_else(String::new, |agency| agency.name.to_string())
    }

    /// Whom a watch means.
    fn whom(&self, watch: &Watch) -> Option<Whom> {
        let settings = self.settings.load();
        Some(match watch {
            Watch::Number(number) => Whom::Number(number.as_str().into()),
            Watch::Trunk(name) => {
                let named =
                    |trunk: &Option<_>| trunk.as_ref().is_some_and(|rules: &crate::call::trunk::TrunkRules| &*rules.name == name);
                Whom::Trunk(TrunkId(settings.trunks.iter().position(named)? as u32))
            }
            Watch::Agent(name) => Whom::Agent(settings.agent_named(name)?),
        })
    }

    /// Tells signalling whom to watch. False if too many commands wait already.
    fn tell_watches(&self, watches: &[(Watch, Whom, Time)]) -> bool {
        self.limits.set_max(Limit::Watches, WATCHES_MAX as u64);
        self.limits.set_used(Limit::Watches, watches.len() as u64);
        let watches: Watches = watches.iter().map(|(_, whom, until)| (whom.clone(), *until)).collect();
        self.switch.shards().all(|shard| self.switch.command(shard, ToShard::Watch(watches.clone())))
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

    fn trace(&self, contact: ContactId) -> Traced {
        if !self.keeps_sip {
            return Traced::Off;
        }
        // Nothing in its name says which shard has it.
        let (asker, answer) = std_mpsc::sync_channel(self.switch.shards().count());
        if !self.switch.shards().all(|shard| self.switch.command(shard, ToShard::Trace(contact, asker.clone()))) {
            return Traced::Busy;
        }
        let mut found = Found::default();
        for _ in self.switch.shards() {
            let Ok(its) = answer.recv_timeout(ANSWER_MAX) else { return Traced::Busy };
            if found.messages.is_empty() {
                found = its;
            }
        }
        let Found { messages, left_out } = found;
        if messages.is_empty() {
            return Traced::Nothing;
        }
        let settings = self.settings.load();
        let messages = messages.iter().filter_map(|kept| shown(kept, &settings)).collect();
        let trace = Trace { contact: contact.to_string(), left_out, messages };
        serde_json::to_string(&trace).map_or(Traced::Busy, Traced::Known)
    }

    fn watch(&self, watch: Watch, seconds: u32) -> WatchOutcome {
        let Some(whom) = self.whom(&watch) else { return WatchOutcome::Unknown };
        let now = self.clock.now();
        let until = now + Duration::from_secs(u64::from(seconds));
        let mut wanted = Vec::clone(&self.watches.load());
        wanted.retain(|(known, _, until)| now < *until && *known != watch);
        if wanted.len() >= WATCHES_MAX {
            self.limits.hit(Limit::Watches);
            return WatchOutcome::TooMany;
        }
        wanted.push((watch.clone(), whom, until));
        if !self.tell_watches(&wanted) {
            return WatchOutcome::Busy;
        }
        self.watches.store(Arc::new(wanted));
        tracing::info!(?watch, seconds, "the SIP messages of somebody are logged for a while");
        WatchOutcome::Watching(Watching { watch, until: until.secs() })
    }

    fn watches(&self) -> Vec<Watching> {
        let now = self.clock.now();
        let watches = self.watches.load();
        let there = watches.iter().filter(|(.., until)| now < *until);
        there.map(|(watch, _, until)| Watching { watch: watch.clone(), until: until.secs() }).collect()
    }

    fn end_watches(&self) -> bool {
        let told = self.tell_watches(&[]);
        if told {
            self.watches.store(Arc::default());
        }
        told
    }

    fn set_agent(&self, name: &str, wanted: WantedState) -> Accepted {
        let Some(agent) = self.settings.load().agent_named(name) else { return Accepted::NoSuchAgent };
        let command = match wanted {
            WantedState::Ready => AgentCommand::Ready,
            WantedState::Break => AgentCommand::Break(BreakReason::Asked),
            WantedState::EndWrapUp => AgentCommand::EndWrapUp,
            WantedState::Offline => AgentCommand::SignOut,
        };
        let told = self.switch.command(self.switch.owner_of(agent), ToShard::Agent(agent, command));
        if told { Accepted::Yes } else { Accepted::Busy }
    }
}
