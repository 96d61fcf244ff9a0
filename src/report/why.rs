//! Why a contact waited: its ledger, rebuilt from the events of the time.
//!
//! It owns the answer, not where events come from. Each decision about the contact left in its event what it weighed
//! ([`Weighed`]). Events of other contacts say which of the same queue went first. So reading begins some time before
//! the contact arrived ([`Why::LOOK_BACK`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::bound::Bound;
use super::event::{Event, What};
use crate::base::words::EstimateOutcome;
use crate::base::{ContactId, Range, Time, Weighed};

/// How many of the contacts that went first are named.
const NAMED_MAX: usize = 4;

/// What was decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Decided {
    /// The contact joined the queue.
    Joined,
    /// Its demand was relaxed.
    Widened {
        /// How many relaxation steps hold.
        step: u32,
    },
    /// It waited for one agent in particular no longer.
    PreferenceOver,
    /// An agent was reserved for it.
    Offered {
        /// The agent.
        agent: String,
    },
    /// The ringing of the agent is over.
    OfferEnded {
        /// The agent.
        agent: String,
        /// How it ended.
        outcome: &'static str,
    },
}

/// A line of the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Entry {
    /// Milliseconds after the contact arrived.
    pub after_ms: u64,
    /// What was decided.
    #[serde(flatten)]
    pub decided: Decided,
    /// The agents who may serve it, by what they did; absent where nothing was weighed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents: Option<Agents>,
    /// What kept it waiting, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
}

/// How the agents who may serve a contact stood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Agents {
    /// The directory version.
    pub map_version: u64,
    /// Ready.
    pub free: u32,
    /// Ringing, talking, in wrap-up or in calls of their own.
    pub busy: u32,
    /// On a break.
    pub on_break: u32,
    /// Not signed in.
    pub offline: u32,
    /// In calls of another agency than their own.
    pub lent: u32,
    /// Ready, and kept for the callers of their own agency.
    pub kept: u32,
}

/// The range that holds eight of ten waits, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Expected {
    /// One in ten waits less.
    pub low_ms: u64,
    /// As many wait less as wait more.
    pub likely_ms: u64,
    /// One in ten waits longer.
    pub high_ms: u64,
}

impl From<Range> for Expected {
    fn from(range: Range) -> Self {
        let [low_ms, likely_ms, high_ms] = [range.low, range.likely, range.high].map(|span| span.as_millis() as u64);
        Expected { low_ms, likely_ms, high_ms }
    }
}

/// Other contacts that were offered to an agent while this one waited.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize)]
pub struct WentFirst {
    /// Contacts that count as having come earlier, by arrival, credit and priority boost.
    pub earlier: u32,
    /// Emergencies, which go before all others.
    pub emergencies: u32,
    /// Contacts that came later: an agent was free who could serve them and not this one, or was kept for them.
    pub later: u32,
    /// The first of them, by their identifiers.
    pub some: Vec<String>,
}

/// A stay in one queue.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Stay {
    /// The queue.
    pub queue: String,
    /// The caller's language.
    pub language: Option<String>,
    /// How many were before it in the queue as it joined.
    pub ahead: u32,
    /// The agent whom it waited for first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred: Option<String>,
    /// The estimate of its wait as it joined; absent if nothing was known, or an agent was free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// How the estimate turned out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated: Option<&'static str>,
    /// Its wait in milliseconds.
    pub waited_ms: u64,
    /// How it left; absent while it waits.
    pub outcome: Option<&'static str>,
    /// The ledger.
    pub entries: Vec<Entry>,
    /// Contacts of this queue that went first.
    pub went_first: WentFirst,
    /// Contacts of other queues that got agents who serve this queue, too, as far as these were seen to.
    pub went_elsewhere: WentFirst,
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Answer {
    /// The contact.
    pub contact: String,
    /// Its stays in queues.
    pub stays: Vec<Stay>,
}

/// The position of another contact of the same time.
#[derive(Clone, PartialEq, Eq, Debug)]
struct QueuePosition {
    queue: String,
    emergency: bool,
    as_of: Time,
}

impl WentFirst {
    fn note(&mut self, whose: ContactId, their: &QueuePosition, own: &QueuePosition) {
        let count = match (their.emergency, own.emergency) {
            (true, false) => &mut self.emergencies,
            _ if their.as_of < own.as_of => &mut self.earlier,
            _ => &mut self.later,
        };
        *count += 1;
        let name = whose.to_string();
        if self.some.len() < NAMED_MAX && !self.some.contains(&name) {
            self.some.push(name);
        }
    }

    fn add(&mut self, other: &WentFirst) {
        self.earlier += other.earlier;
        self.emergencies += other.emergencies;
        self.later += other.later;
        self.some.extend(other.some.iter().cloned());
        // A contact's identifier begins with its time.
        self.some.sort();
        self.some.dedup();
        self.some.truncate(NAMED_MAX);
    }
}

/// Builds the answer, event by event.
#[derive(Debug)]
pub struct Why {
    id: ContactId,
    places: BTreeMap<ContactId, QueuePosition>,
    /// By queue: the agents that its contacts were offered to.
    serve: BTreeMap<String, BTreeSet<String>>,
    /// For each stay, by agent: the contacts of other queues that the agent was offered.
    elsewhere: Vec<BTreeMap<String, WentFirst>>,
    joined: Time,
    stays: Vec<Stay>,
    ended: bool,
}

impl Why {
    /// How long before the contact's arrival reading should begin, for the contacts that were in a queue then.
    pub const LOOK_BACK: Duration = Duration::from_secs(3600);

    /// The ledger of one contact.
    #[must_use]
    pub fn new(id: ContactId) -> Self {
        let (places, serve, elsewhere) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Why { id, places, serve, elsewhere, joined: Time::ZERO, stays: Vec::new(), ended: false }
    }

    /// When reading should begin.
    #[must_use]
    pub fn since(&self) -> Time {
        self.id.arrived() - Self::LOOK_BACK
    }

    /// Whether no event can change the answer any more.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Takes the next event.
    pub fn take(&mut self, event: &Event<'_>) {
        let Some(contact) = event.contact else { return };
        let own = contact == self.id;
        match &event.what {
            What::Entered { queue, language, waiting, as_of, emergency, weighed, estimate, prefers, .. } => {
                let place = QueuePosition { queue: queue.to_string(), emergency: *emergency, as_of: *as_of };
                self.places.insert(contact, place);
                if own {
                    self.joined = event.at;
                    self.stays.push(Stay {
                        queue: queue.to_string(),
                        language: language.as_ref().map(ToString::to_string),
                        ahead: waiting.saturating_sub(1),
                        preferred: prefers.as_ref().map(ToString::to_string),
                        expected: estimate.range().map(Expected::from),
                        estimated: None,
                        waited_ms: 0,
                        outcome: None,
                        entries: Vec::new(),
                        went_first: WentFirst::default(),
                        went_elsewhere: WentFirst::default(),
                    });
                    self.elsewhere.push(BTreeMap::new());
                    self.note(event.at, Decided::Joined, Some(weighed));
                }
            }
            What::Widened { step, weighed, .. } if own => self.note(event.at, Decided::Widened { step: *step }, Some(weighed)),
            What::PreferenceOver { weighed, .. } if own => self.note(event.at, Decided::PreferenceOver, Some(weighed)),
            What::Offered { agent, weighed, queue } => {
                let served = self.serve.entry(queue.to_string()).or_default();
                if !served.contains(&**agent) {
                    served.insert(agent.to_string());
                }
                if own {
                    self.note(event.at, Decided::Offered { agent: agent.to_string() }, Some(weighed));
                } else {
                    self.another_is_offered(contact, agent);
                }
            }
            What::OfferEnded { agent, outcome, .. } if own => {
                self.note(event.at, Decided::OfferEnded { agent: agent.to_string(), outcome: outcome.label() }, None);
            }
            What::Left { outcome, waited, estimated, .. } => {
                self.places.remove(&contact);
                if let (true, Some(stay)) = (own, self.stays.last_mut()) {
                    (stay.outcome, stay.waited_ms) = (Some(outcome.label()), waited.as_millis() as u64);
                    stay.estimated = estimated.map(EstimateOutcome::label);
                }
            }
            What::Ended { .. } => {
                self.places.remove(&contact);
                self.ended |= own;
            }
            _ => {}
        }
    }

    fn note(&mut self, at: Time, decided: Decided, weighed: Option<&Weighed>) {
        let after_ms = at.since(self.id.arrived()).as_millis() as u64;
        let bound = weighed.map(|weighed| Bound::of(&decided, weighed));
        let agents = weighed.map(|weighed| Agents {
            map_version: weighed.map_version,
            free: weighed.free,
            busy: weighed.busy,
            on_break: weighed.on_break,
            offline: weighed.offline,
            lent: weighed.lent,
            kept: weighed.kept,
        });
        if let Some(stay) = self.stays.last_mut() {
            stay.entries.push(Entry { after_ms, decided, agents, bound });
            stay.waited_ms = at.since(self.joined).as_millis() as u64;
        }
    }

    fn another_is_offered(&mut self, other: ContactId, agent: &str) {
        let (Some(own), Some(their)) = (self.places.get(&self.id), self.places.get(&other)) else { return };
        let (Some(stay), Some(elsewhere)) = (self.stays.last_mut(), self.elsewhere.last_mut()) else { return };
        if stay.outcome.is_some() {
            return;
        }
        if own.queue == their.queue {
            stay.went_first.note(other, their, own);
        } else {
            elsewhere.entry(agent.to_owned()).or_default().note(other, their, own);
        }
    }

    /// The answer; `None` if the contact was in no queue, as far as was read.
    #[must_use]
    pub fn answer(mut self) -> Option<Answer> {
        for (stay, elsewhere) in self.stays.iter_mut().zip(&self.elsewhere) {
            let Some(served) = self.serve.get(&stay.queue) else { continue };
            for went in elsewhere.iter().filter(|(agent, _)| served.contains(*agent)).map(|(_, went)| went) {
                stay.went_elsewhere.add(went);
            }
        }
        (!self.stays.is_empty()).then(|| Answer { contact: self.id.to_string(), stays: self.stays })
    }
}

impl fmt::Display for Answer {
    /// The text for a person: a line for each decision.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.contact)?;
        for stay in &self.stays {
            let language = stay.language.as_ref().map_or(String::new(), |language| format!(" ({language})"));
            let how = stay.outcome.unwrap_or("waiting still");
            let waited = stay.waited_ms as f64 / 1000.0;
            writeln!(
                f,
                "\nin the queue for {}{language} {waited:.1} s, {} ahead of it as it joined: {how}",
                stay.queue, stay.ahead
            )?;
            if let Some(agent) = &stay.preferred {
                writeln!(f, "  waited for {agent} first, whom this caller or this queue prefers")?;
            }
            if let Some(Expected { low_ms, likely_ms, high_ms }) = stay.expected {
                let [low, likely, high] = [low_ms, likely_ms, high_ms].map(|ms| ms as f64 / 1000.0);
                let turned_out = stay.estimated.map_or(String::new(), |how| format!("; the wait was {how}"));
                writeln!(f, "  expected: {low:.0} to {high:.0} s, likely {likely:.0} s{turned_out}")?;
            }
            for entry in &stay.entries {
                write!(f, "  {:>9.1} s  {}", entry.after_ms as f64 / 1000.0, entry.decided)?;
                if let (Some(agents), Some(bound)) = (entry.agents, entry.bound) {
                    let Agents { free, busy, on_break, offline, lent, kept, .. } = agents;
                    let all = free + busy + on_break + offline + lent + kept;
                    write!(f, ": {bound} (of {all} who may: {free} free, {busy} busy, ")?;
                    if lent + kept > 0 {
                        write!(f, "{lent} on loan, {kept} kept for their own, ")?;
                    }
                    write!(f, "{on_break} on a break, {offline} not signed in)")?;
                }
                writeln!(f)?;
            }
            let of = [
                ("of this queue", "whom a free agent could serve", &stay.went_first),
                (
                    "of other queues, with agents of this one",
                    "whom the agent could serve alone, or is kept for",
                    &stay.went_elsewhere,
                ),
            ];
            for (whose, why, WentFirst { earlier, emergencies, later, some }) in of {
                if earlier + emergencies + later > 0 {
                    write!(f, "  went first {whose}: {earlier} who came earlier, {emergencies} emergencies, ")?;
                    writeln!(f, "{later} who came later and {why}; {}", some.join(", "))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decided::Joined => f.write_str("joined"),
            // Logs of earlier versions say so by step 0.
            Decided::PreferenceOver | Decided::Widened { step: 0 } => f.write_str("waits for one agent no longer"),
            Decided::Widened { step } => write!(f, "may be served by more, step {step}"),
            Decided::Offered { agent } => write!(f, "offered to {agent}"),
            Decided::OfferEnded { agent, outcome } => write!(f, "the offer to {agent} ended: {outcome}"),
        }
    }
}

#[cfg(test)]
#[path = "why_tests.rs"]
mod tests;
