//! What is told while it is played.

use std::time::Duration;

/// What became of a call, seen from its caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// Somebody was talked to.
    Answered,
    /// The caller lost patience.
    Abandoned,
    /// The server ended the call before anybody was talked to.
    LetGo,
    /// It was refused with this status.
    Refused(u16),
    /// The server did not answer in time.
    TimedOut,
    /// It was still up when the player had to end.
    CutOff,
}

/// What the player is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Agents register.
    Registering,
    /// Callers call.
    Calling,
    /// No more calls are made; those that are up end.
    WindingDown,
    /// Agents sign out.
    SigningOut,
}

/// How it goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Since the start.
    pub elapsed: Duration,
    /// What the player is at.
    pub stage: Stage,
    /// Agents who are registered.
    pub registered: u32,
    /// Calls made.
    pub offered: u64,
    /// Callers who now wait, be it for an answer or for a person.
    pub waiting: u64,
    /// Callers who now talk.
    pub talking: u64,
    /// Callers who talked to somebody.
    pub answered: u64,
    /// Callers who lost patience.
    pub abandoned: u64,
    /// Calls refused, failed or let go.
    pub lost: u64,
}

/// What is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// How it goes, every now and then.
    Progress(Progress),
    /// An agent could not register: the status, or `None` when no answer came.
    NotRegistered {
        /// Who.
        agent: &'a str,
        /// Why.
        status: Option<u16>,
    },
    /// A call is over.
    Ended {
        /// The caller's number.
        caller: &'a str,
        /// What became of it.
        outcome: Outcome,
    },
}
