//! What a log tells of its days, to play them again: who called when, how long talks were, how patient callers, who worked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event::{Event, What};
use crate::base::words::{AgentState, BreakReason, OfferOutcome, QueueOutcome};
use crate::base::{ContactId, Time};

/// So many talks of a queue are kept, and so many times of finishing up, which is enough to draw from.
const TALKS_MAX: usize = 100_000;

/// A call that joined its first line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// When.
    pub at: Time,
    /// Which.
    pub queue: String,
    /// What the caller speaks.
    pub language: Option<String>,
}

/// How long callers of a queue waited, and how many of them hung up: what patience is estimated from, as those who were answered would
/// have waited longer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Waits {
    /// All waits together.
    pub sum: Duration,
    /// How many ended by hanging up.
    pub hung_up: u64,
}

impl Waits {
    /// The mean patience, if patience is exponential (the likeliest mean, waits that ended otherwise being cut short); `None`: nobody hung up.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        (self.hung_up > 0).then(|| self.sum.div_f64(self.hung_up as f64))
    }
}

/// How agents answered.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rings {
    /// How long it rang until they did, all together.
    pub sum: Duration,
    /// How often they did.
    pub answered: u64,
    /// How often they let it ring.
    pub missed: u64,
}

impl Rings {
    /// How long it rings until an agent answers, in the mean; `None`: nobody ever did.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        (self.answered > 0).then(|| self.sum.div_f64(self.answered as f64))
    }

    /// The share of rings that nobody answers.
    #[must_use]
    pub fn missed_share(&self) -> f64 {
        self.missed as f64 / (self.answered + self.missed).max(1) as f64
    }
}

/// What agents are asked to do by themselves or others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// Signed in, and no break.
    Here,
    /// On a break of their own.
    Break,
    /// Not signed in.
    Away,
}

/// What was recorded.
#[derive(Clone, Default, Debug)]
pub struct Recording {
    /// Calls in the order of time.
    pub calls: Vec<Joined>,
    /// By queue.
    pub talks: BTreeMap<String, Vec<Duration>>,
    /// By queue.
    pub waits: BTreeMap<String, Waits>,
    /// How long agents finished up, after talks of any queue.
    pub wrap_ups: Vec<Duration>,
    /// All agents together.
    pub rings: Rings,
    /// By agent: what changed, in the order of time.
    pub agents: BTreeMap<String, Vec<(Time, Presence)>>,
    known: BTreeSet<ContactId>,
}

impl Recording {
    /// Takes the next event.
    pub fn take(&mut self, event: &Event<'_>) {
        match &event.what {
            What::Entered { queue, language, .. } => {
                let Some(contact) = event.contact else { return };
                if self.known.insert(contact) {
                    let language = language.as_ref().map(ToString::to_string);
                    self.calls.push(Joined { at: event.at, queue: queue.to_string(), language });
                }
            }
            What::Left { queue, outcome, waited, .. } => {
                let waits = self.waits.entry(queue.to_string()).or_default();
                waits.sum += *waited;
                waits.hung_up += u64::from(matches!(outcome, QueueOutcome::Abandoned | QueueOutcome::ShortAbandoned));
            }
            What::OfferEnded { outcome: OfferOutcome::Accepted, rang, .. } => {
                self.rings.sum += *rang;
                self.rings.answered += 1;
            }
            What::OfferEnded { outcome: OfferOutcome::TimedOut, .. } => self.rings.missed += 1,
            What::TalkEnded { queue: Some(queue), lasted, .. } => {
                let talks = self.talks.entry(queue.to_string()).or_default();
                if talks.len() < TALKS_MAX {
                    talks.push(*lasted);
                }
            }
            What::Ended { .. } => {
                if let Some(contact) = event.contact {
                    self.known.remove(&contact);
                }
            }
            What::Agent { agent, from, to, lasted } => {
                if from.0 == AgentState::WrapUp && self.wrap_ups.len() < TALKS_MAX {
                    self.wrap_ups.push(*lasted);
                }
                let changes = self.agents.entry(agent.to_string()).or_default();
                let was = changes.last().map_or_else(|| presence(from, Presence::Away), |(_, presence)| *presence);
                if changes.is_empty() {
                    changes.push((Time::ZERO, was));
                }
                let is = presence(to, was);
                if is != was {
                    changes.push((event.at, is));
                }
            }
            _ => {}
        }
    }
}

/// What a state says of an agent's presence. A break that nobody asked for (a phone that was not answered) is a matter of the play.
fn presence(state: &(AgentState, Option<BreakReason>), was: Presence) -> Presence {
    match state {
        (AgentState::Offline, _) => Presence::Away,
        (AgentState::Break, Some(BreakReason::Asked)) => Presence::Break,
        (AgentState::Break, _) if was != Presence::Away => was,
        _ => Presence::Here,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Estimate, Weighed};

    const BEGAN: Time = Time::from_secs(1_800_000_000);

    fn event(seconds: u64, contact: Option<u128>, what: What<'static>) -> Event<'static> {
        Event { at: BEGAN + Duration::from_secs(seconds), contact: contact.map(ContactId), what }
    }

    fn entered(seconds: u64, contact: u128, queue: &'static str) -> Event<'static> {
        event(
            seconds,
            Some(contact),
            What::Entered {
                queue: queue.into(),
                language: Some("korean".into()),
                waiting: 1,
                credit: Duration::ZERO,
                as_of: BEGAN,
                emergency: false,
                weighed: Weighed::default(),
                estimate: Estimate::Needless,
                prefers: None,
            },
        )
    }

    fn left(seconds: u64, contact: u128, outcome: QueueOutcome, waited: u64) -> Event<'static> {
        let waited = Duration::from_secs(waited);
        event(
            seconds,
            Some(contact),
            What::Left { queue: "tax".into(), language: None, outcome, waited, in_target: false, estimated: None },
        )
    }

    fn agent(seconds: u64, from: AgentState, to: AgentState, why: Option<BreakReason>) -> Event<'static> {
        event(seconds, None, What::Agent { agent: "kim".into(), from: (from, None), to: (to, why), lasted: Duration::ZERO })
    }

    #[test]
    fn a_call_that_is_passed_on_is_one_call_and_patience_counts_waits_that_were_cut_short() {
        let mut recording = Recording::default();
        for event in [
            entered(1, 1, "tax"),
            left(61, 1, QueueOutcome::Answered, 60),
            entered(70, 1, "water"),
            entered(80, 2, "tax"),
            left(110, 2, QueueOutcome::Abandoned, 30),
        ] {
            recording.take(&event);
        }
        let calls: Vec<_> = recording.calls.iter().map(|call| (call.at.since(BEGAN).as_secs(), &*call.queue)).collect();
        assert_eq!(calls, [(1, "tax"), (80, "tax")]);
        assert_eq!(recording.waits["tax"].patience(), Some(Duration::from_secs(90)));
        assert_eq!(Waits::default().patience(), None);
    }

    #[test]
    fn breaks_that_were_asked_for_are_shifts_and_missed_rings_are_not() {
        use AgentState::{Break, Offline, Ready, Ringing};
        let mut recording = Recording::default();
        for event in [
            agent(0, Ready, Ringing, None),
            agent(9, Ringing, Break, Some(BreakReason::Rona)),
            agent(20, Break, Ready, None),
            agent(30, Ready, Break, Some(BreakReason::Asked)),
            agent(40, Break, Ready, None),
            agent(50, Ready, Offline, None),
        ] {
            recording.take(&event);
        }
        let changes: Vec<_> = recording.agents["kim"].iter().map(|(at, is)| (at.since(BEGAN).as_secs(), *is)).collect();
        assert_eq!(changes, [(0, Presence::Here), (30, Presence::Break), (40, Presence::Here), (50, Presence::Away)]);
    }
}
