//! Events that the player reports.

use std::time::Duration;

/// The outcome of a call, seen from its caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// The caller talked to a person.
    Answered,
    /// The caller lost patience.
    Abandoned,
    /// The server ended the call before the caller talked to a person.
    LetGo,
    /// It was refused with this status.
    Refused(u16),
    /// The server did not answer in time.
    TimedOut,
    /// It was still up when the player had to end.
    CutOff,
}

/// The stage of a run.
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

/// Progress of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Time since the start.
    pub elapsed: Duration,
    /// The stage.
    pub stage: Stage,
    /// Agents who are registered.
    pub registered: u32,
    /// Calls made.
    pub offered: u64,
    /// Callers who wait now, for an answer or for a person.
    pub waiting: u64,
    /// Callers who talk now.
    pub talking: u64,
    /// Callers who talked to a person.
    pub answered: u64,
    /// Callers who lost patience.
    pub abandoned: u64,
    /// Calls refused, failed or let go.
    pub lost: u64,
}

/// An event of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// Progress, reported at intervals.
    Progress(Progress),
    /// An agent could not register: the status, or `None` when no answer came.
    NotRegistered {
        /// The agent.
        agent: &'a str,
        /// The status of the refusal.
        status: Option<u16>,
    },
    /// A call is over.
    Ended {
        /// The caller's number.
        caller: &'a str,
        /// Its outcome.
        outcome: Outcome,
    },
}
