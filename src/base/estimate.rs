//! The estimate of a wait, as it is given to callers and written to the log.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a wait will be: in eight of ten cases no less than `low` and no more than `high`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Range {
    /// One wait in ten is shorter.
    pub low: Duration,
    /// As many waits are shorter as longer.
    pub likely: Duration,
    /// One wait in ten is longer.
    pub high: Duration,
}

/// What a contact could be told as it joined a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Estimate {
    /// Nothing: an agent was free.
    #[default]
    Needless,
    /// Nothing is known: too few waits have been seen, or no agent who may serve the contact is there.
    Unknown,
    /// A range.
    Known(Range),
}

impl Estimate {
    /// The range, where there is one.
    #[must_use]
    pub const fn range(&self) -> Option<Range> {
        match self {
            Estimate::Known(range) => Some(*range),
            Estimate::Needless | Estimate::Unknown => None,
        }
    }
}
