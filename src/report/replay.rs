//! What a log says of its days, to play them again: arrivals, talk times, patience, and who worked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event::{Event, What};
use crate::base::words::{AgentState, BreakReason, OfferOutcome, QueueOutcome};
use crate::base::{ContactId, Time};

/// How many talks of a queue, and how many wrap-ups, are kept: enough to draw from.
const TALKS_MAX: usize = 100_000;

/// A call that joined its first queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// When it joined.
    pub at: Time,
    /// The queue.
    pub queue: String,
    /// The caller's language.
    pub language: Option<String>,
}

/// How long callers of a queue waited, and how many hung up. Patience is estimated from both, since callers who were
/// answered would have waited longer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Waits {
    /// All waits together.
    pub sum: Duration,
    /// How many callers hung up.
    pub hung_up: u64,
}

impl Waits {
    /// The mean patience, if patience is exponential: the maximum likelihood estimate with waits that ended otherwise
    /// censored. `None`: nobody hung up.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        (self.hung_up > 0).then(|| self.sum.div_f64(self.hung_up as f64))
    }
}

/// How agents answered.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rings {
    /// The time until agents answered, all together.
    pub sum: Duration,
    /// How many rings were answered.
    pub answered: u64,
    /// How many rings were missed.
    pub missed: u64,
}

impl Rings {
    /// The mean time until an agent answers; `None`: nobody ever did.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        (self.answered > 0).then(|| self.sum.div_f64(self.answered as f64))
    }

    /// The share of rings that nobody answers, from 0 to 1.
    #[must_use]
    pub fn missed_share(&self) -> f64 {
        self.missed as f64 / (self.answered + self.missed).max(1) as f64
    }
}

/// What an agent has been asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// Signed in, and not on a break.
    Here,
    /// On a break of their own.
    Break,
    /// Not signed in.
    Away,
}

/// What was recorded.
#[derive(Clone, Default, Debug)]
pub struct Recording {
    /// Calls, in the order of time.
    pub calls: Vec<Joined>,
    /// Talk times, by queue.
    pub talks: BTreeMap<String, Vec<Duration>>,
    /// Waits, by queue.
    pub waits: BTreeMap<String, Waits>,
    /// Wrap-up times, after talks of any queue.
    pub wrap_ups: Vec<Duration>,
    /// Rings of all agents together.
    pub rings: Rings,
    /// By agent: its changes, in the order of time.
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

/// The presence that a state stands for. A break that nobody asked for (a missed ring) comes out of the play itself.
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
