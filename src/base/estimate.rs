//! What a caller may expect of a line, as those who tell it and those who keep it write it.

use std::time::Duration;

/// How long a wait will be: in eight of ten cases no less than `low` and no more than `high`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// One in ten waits less.
    pub low: Duration,
    /// As many wait less as wait more.
    pub likely: Duration,
    /// One in ten waits longer.
    pub high: Duration,
}

/// What a contact could be told as it joined a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Estimate {
    /// Nothing: an agent was free.
    #[default]
    Needless,
    /// That nothing is known: too few have been seen, or nobody who may serve it is there.
    Unknown,
    /// So much.
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
