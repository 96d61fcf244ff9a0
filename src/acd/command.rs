//! What an owner of contacts asks of the matcher, and what comes of it: commands and events, all of them plain data.
//!
//! A command returns nothing that its sender could decide by. What came of it is an [`Event`], which the sender takes
//! like any other message, be the matcher in the same process or on another machine. What may be read of the matcher
//! beside that are [hints](super::hints).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::agent_slots::Verdict;
use super::claim::{ContactView, Left};
use super::matcher::Matcher;
use super::{ContactSlot, DemandId, Key};
use crate::base::{AgentId, QueueId, Time};

/// A contact wants to join a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Join {
    /// Its slot.
    pub slot: ContactSlot,
    /// The queue.
    pub queue: QueueId,
    /// While so many are in the queue, it may join only if an agent is free for it.
    pub length_max: u32,
    /// Whom it wants.
    pub demand: DemandId,
    /// Agents whom it would rather wait for: the first that is signed in and may serve it.
    pub prefers: [Option<AgentId>; 2],
    /// When it counts as having arrived.
    pub as_of: Time,
    /// When it joins.
    pub since: Time,
    /// Whether it goes before all others.
    pub emergency: bool,
    /// Whether it joins only if somebody who may serve it is signed in.
    pub not_for_nobody: bool,
}

/// What an owner of a contact asks of the matcher.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// The contact joins a queue: answered by [`Event::Joined`] or [`Event::NotJoined`].
    Join(Join),
    /// One more agent is wanted for a contact that is in a queue. The further ring has a slot of its own.
    RingFurther(ContactSlot, DemandId, Key),
    /// A contact that waits moves to another demand; where its owner wants to hear of it, answered by
    /// [`Event::Refiled`]. One that is offered meanwhile stays.
    Refile(ContactSlot, DemandId, Key, Option<Refiled>),
    /// A contact that waits for this agent alone moves to another demand if the agent is not signed in: answered by
    /// [`Event::Refiled`] then.
    RefileIfGone(ContactSlot, AgentId, DemandId, Key),
    /// The offer came to nothing: the contact waits again.
    PutBack(ContactSlot, DemandId, Key),
    /// The agent whom the contact is offered to has answered: answered by [`Event::Accepted`] or
    /// [`Event::NotAccepted`].
    Accept(ContactSlot),
    /// The contact leaves: answered by [`Event::Left`] if it was offered to an agent.
    Leave(ContactSlot),
    /// A further ring that nobody has taken ends: answered by [`Event::Ended`] then.
    EndFurther(ContactSlot),
    /// The contact leaves if nobody who may serve this demand is signed in: answered by [`Event::ForNobody`] then.
    LeaveIfForNobody(ContactSlot, DemandId),
}

/// Why a contact moves to another demand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Refiled {
    /// Its requirement has relaxed.
    Relaxed,
    /// It has waited long enough for one agent in particular.
    PreferenceOver,
    /// The agent whom it waited for is not signed in any more.
    AgentGone,
}

/// Why a contact cannot join a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum NotJoined {
    /// The queue takes nobody new, or the routing table does not know it.
    Closed,
    /// Nobody who could serve it is signed in.
    Nobody,
    /// The matcher has no slot for it.
    NoSlot,
    /// The queue is full.
    Full,
}

/// What came of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The contact is in the queue.
    Joined {
        /// Its slot.
        slot: ContactSlot,
        /// Its key among those who wait.
        place: Key,
        /// The agent whom it waits for, and nobody else.
        prefers: Option<AgentId>,
        /// Whether it is offered to an agent already.
        offered: bool,
    },
    /// The contact is not in the queue.
    NotJoined(ContactSlot, NotJoined),
    /// The contact waits for another demand.
    Refiled(ContactSlot, Refiled),
    /// The agent who has answered is the contact's.
    Accepted(ContactSlot, AgentId),
    /// The contact was not offered any more.
    NotAccepted(ContactSlot),
    /// The contact has left, and this agent is not wanted any more.
    Left(ContactSlot, AgentId),
    /// The further ring is over; nobody had taken it.
    Ended(ContactSlot),
    /// The contact has left, for nobody who could serve it is signed in.
    ForNobody(ContactSlot),
}

impl Command {
    /// The slot that it is about.
    #[must_use]
    pub const fn slot(&self) -> ContactSlot {
        match self {
            Command::Join(Join { slot, .. })
            | Command::RingFurther(slot, ..)
            | Command::Refile(slot, ..)
            | Command::RefileIfGone(slot, ..)
            | Command::PutBack(slot, ..)
            | Command::Accept(slot)
            | Command::Leave(slot)
            | Command::EndFurther(slot)
            | Command::LeaveIfForNobody(slot, _) => *slot,
        }
    }
}

impl Event {
    /// The agent's slot that is the contact's, or is not wanted by it any more.
    #[must_use]
    pub const fn agent_slot(&self) -> Option<AgentId> {
        match self {
            Event::Accepted(_, agent_slot) | Event::Left(_, agent_slot) => Some(*agent_slot),
            _ => None,
        }
    }
}

/// An offer of a contact to an agent, as its owner finds it when it is woken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// The contact's slot.
    pub slot: ContactSlot,
    /// The agent's slot.
    pub agent_slot: AgentId,
    /// What the agent's owner has said, if anything yet.
    pub verdict: Option<Verdict>,
}

impl Matcher {
    /// *Owner.* Does what a command says. What came of it goes to whoever has sent the command, as a message.
    #[must_use]
    pub fn execute(&self, command: Command) -> Option<Event> {
        match command {
            Command::Join(join) => Some(self.join(&join)),
            Command::RingFurther(slot, demand, key) => {
                self.ring_further(slot, demand, key);
                None
            }
            Command::Refile(slot, demand, key, told) => {
                let moved = self.relax(slot, demand, key);
                told.filter(|_| moved).map(|why| Event::Refiled(slot, why))
            }
            Command::RefileIfGone(slot, agent, demand, key) => {
                let moved = !self.anyone_for(DemandId::of_agent(agent)) && self.relax(slot, demand, key);
                moved.then_some(Event::Refiled(slot, Refiled::AgentGone))
            }
            Command::PutBack(slot, demand, key) => {
                self.put_back(slot, demand, key);
                None
            }
            Command::Accept(slot) => {
                Some(self.accept(slot).map_or(Event::NotAccepted(slot), |agent_slot| Event::Accepted(slot, agent_slot)))
            }
            Command::Leave(slot) => match self.leave(slot) {
                Left::WasOffered(agent_slot) => Some(Event::Left(slot, agent_slot)),
                Left::Waited | Left::NotHere => None,
            },
            Command::EndFurther(slot) => self.leave_unoffered(slot).then_some(Event::Ended(slot)),
            Command::LeaveIfForNobody(slot, demand) => {
                let left = !self.anyone_for(demand) && self.leave_unoffered(slot);
                left.then_some(Event::ForNobody(slot))
            }
        }
    }

    fn join(&self, join: &Join) -> Event {
        let Join { slot, queue, length_max, demand, prefers, as_of, since, emergency, not_for_nobody } = *join;
        if not_for_nobody && !self.anyone_for(demand) {
            return Event::NotJoined(slot, NotJoined::Nobody);
        }
        let prefers = prefers.into_iter().flatten().find(|agent| self.may_wait_for(*agent, demand));
        let place = self.key(as_of, Duration::ZERO, emergency);
        match self.arrive(slot, queue, length_max, prefers.map_or(demand, DemandId::of_agent), place, since) {
            Ok(()) => Event::Joined { slot, place, prefers, offered: self.contact(slot) != ContactView::Waiting },
            Err(_) => Event::NotJoined(slot, NotJoined::Full),
        }
    }

    /// *Owner.* Whom the contact in a slot that was woken is offered to, and what that agent's owner has said.
    #[must_use]
    pub fn offer(&self, slot: ContactSlot) -> Option<Offer> {
        let ContactView::Offered(agent_slot) = self.contact(slot) else { return None };
        Some(Offer { slot, agent_slot, verdict: self.verdict(slot) })
    }
}
