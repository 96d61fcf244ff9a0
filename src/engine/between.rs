//! What the owners of one engine say to each other: desks and contacts never touch each other's state, and no message returns a value.
//!
//! A message is queued, and the hub hands it to its addressee when whoever sent it is done. Every address carries its shard. An answer is
//! a message, too; waiting for one is a phase of its own with a deadline.

use std::time::Duration;

use super::contact::ContactKey;
use super::dial::DialTo;
use super::io::AgentCommand;
use crate::acd::ContactSlot;
use crate::base::words::OfferOutcome;
use crate::base::{AgentId, ContactId, QueueId, ShardId};
use crate::call::trunk::NumberTarget;

/// A desk, that is, an agent of the shard that owns the agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct DeskId {
    pub(super) shard: ShardId,
    pub(super) agent: AgentId,
}

/// A contact as a desk knows it: where messages to it go, and its name for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ContactRef {
    pub(super) key: ContactKey,
    pub(super) id: ContactId,
}

/// What an agent is wanted for past every queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Want {
    /// A colleague calls: one on a break may be disturbed. It is a call of the agent's own.
    Colleague,
    /// A caller is passed on, whom only one who is ready takes. The ring lasts so long at the most.
    Caller(Duration),
}

/// To a desk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ToDesk {
    /// A command of the agent's.
    Command(AgentCommand),
    /// The agent's phones ring for a contact, for so long at the most.
    Rings(ContactRef, Duration),
    /// The agent has answered a contact, and talks for so long at the most.
    Talks(ContactRef, Duration),
    /// The ringing came to nothing. Who refused is not offered anything for the pause.
    RingOver(OfferOutcome, Duration),
    /// The agent's part in a contact of this queue is over.
    TalkOver(Option<QueueId>),
    /// A leg to one of the agent's phones begins.
    LegBegan,
    /// A leg to one of the agent's phones is gone.
    LegGone,
    /// A call of the agent's own begins.
    OwnCall,
    /// A call of the agent's own is over.
    OwnCallOver,
    /// A contact wants this agent and nobody else: answered by [`ToContact::Taken`] or [`ToContact::NotTaken`].
    Take(ContactRef, Want),
}

/// What a contact begins with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Begin {
    /// It is led to an entry or a queue.
    Lead(NumberTarget),
    /// An agent hears that a feature code was taken: the name of the recording.
    Confirm(&'static str),
    /// An agent calls somebody.
    Dial(DialTo),
}

/// To a contact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum ToContact {
    /// It has arrived, and begins.
    Begin(Begin),
    /// The agent whom the matcher reserved for one of the contact's slots has turned away meanwhile.
    Declined(ContactSlot, DeskId),
    /// The agent is the contact's: rung now, or never.
    Taken(DeskId, Want),
    /// The agent is not to be had.
    NotTaken(DeskId),
}

/// A message between owners.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Between {
    ToDesk(DeskId, ToDesk),
    ToContact(ContactKey, ToContact),
    /// An agent has signed out: whoever waits for nobody any more may leave.
    AgentLeft,
}
