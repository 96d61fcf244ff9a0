//! What the matcher has said to one shard, in order: while it works nothing is kept, unless that is to be replayed.
//!
//! An engine is deterministic but for the matcher, which other shards speak to at the same time. With all that the matcher has
//! said an engine can be run again without the others, and without the matcher.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::ContactSlot;
use super::agent_slots::Settled;
use super::command::{Event, Offer};
use crate::base::words::EstimateOutcome;
use crate::base::{AgentId, ContactId, Estimate, Weighed};

/// One thing that the matcher has said: an event, whom it has woken, or a hint.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// Yes or no.
    Whether(bool),
    /// How many.
    Count(u32),
    /// Agents' slots that were woken.
    Agents(Vec<AgentId>),
    /// Contacts' slots that were woken.
    Contacts(Vec<ContactSlot>),
    /// What came of a command.
    Event(Option<Event>),
    /// What a woken contact is offered.
    Offer(Option<Offer>),
    /// What came of settling an agent's slots.
    Settled(Settled<ContactId>),
    /// How agents stand.
    Weighed(Weighed),
    /// How long a wait will be.
    Estimate(Estimate),
    /// How an estimate turned out.
    Outcome(Option<EstimateOutcome>),
}

/// What the matcher can say.
pub trait Said: Clone {
    /// As it is kept.
    fn kept(self) -> Answer;
    /// As it was said; `None` if something else was.
    fn said(answer: Answer) -> Option<Self>;
}

macro_rules! said {
    ($($variant:ident: $type:ty,)+) => {
        $(impl Said for $type {
            fn kept(self) -> Answer {
                Answer::$variant(self)
            }

            fn said(answer: Answer) -> Option<Self> {
                if let Answer::$variant(said) = answer { Some(said) } else { None }
            }
        })+
    };
}

said! {
    Whether: bool,
    Count: u32,
    Agents: Vec<AgentId>,
    Contacts: Vec<ContactSlot>,
    Event: Option<Event>,
    Offer: Option<Offer>,
    Settled: Settled<ContactId>,
    Weighed: Weighed,
    Estimate: Estimate,
    Outcome: Option<EstimateOutcome>,
}

/// Where a shard's answers come from.
#[derive(Default, Debug)]
pub enum Answers {
    /// From the matcher.
    #[default]
    Live,
    /// From the matcher, and they are kept until they are taken.
    Kept(Vec<Answer>),
    /// From what was kept. Where that does not fit the question, they come from the matcher at hand, and that is remembered.
    Replayed(VecDeque<Answer>, Option<Misfit>),
}

/// A replayed answer was none to the question: what was replayed differs from what was kept.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("asked for {asked}, and what was kept is {kept}")]
pub struct Misfit {
    /// The type that was asked for.
    pub asked: &'static str,
    /// What there was.
    pub kept: String,
}

impl Answers {
    /// The next answer; `live` asks the matcher.
    #[inline]
    pub fn next<T: Said>(&mut self, live: impl FnOnce() -> T) -> T {
        match self {
            Answers::Live => live(),
            Answers::Kept(kept) => {
                let said = live();
                kept.push(said.clone().kept());
                said
            }
            Answers::Replayed(kept, misfit) => {
                let next = kept.pop_front();
                let text = || next.as_ref().map_or_else(|| "nothing more".to_owned(), |next| format!("{next:?}"));
                let (asked, text) = (std::any::type_name::<T>(), text());
                next.and_then(T::said).unwrap_or_else(|| {
                    misfit.get_or_insert(Misfit { asked, kept: text });
                    live()
                })
            }
        }
    }

    /// Takes what was kept since this was last called.
    pub fn take(&mut self) -> Vec<Answer> {
        if let Answers::Kept(kept) = self { std::mem::take(kept) } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_said_again_and_what_does_not_fit_is_noticed() {
        let mut kept = Answers::Kept(Vec::new());
        assert!(kept.next(|| true));
        assert_eq!(kept.next(|| 7u32), 7);
        assert_eq!(kept.next(|| vec![AgentId(3)]), [AgentId(3)]);
        let answers = kept.take();
        assert_eq!(answers, [Answer::Whether(true), Answer::Count(7), Answer::Agents(vec![AgentId(3)])]);
        assert!(kept.take().is_empty());

        let mut replayed = Answers::Replayed(answers.into(), None);
        assert!(replayed.next(|| false));
        assert_eq!(replayed.next(|| 9u32), 7);
        // Another question than the one that was asked.
        assert!(replayed.next(|| true));
        let Answers::Replayed(rest, Some(misfit)) = &replayed else { panic!("not noticed") };
        assert!(rest.is_empty() && misfit.asked == "bool" && misfit.kept.contains("AgentId(3)"), "{misfit}");
        assert_eq!(replayed.next(|| 1u32), 1, "nothing is left, and the matcher at hand answers");
    }
}
