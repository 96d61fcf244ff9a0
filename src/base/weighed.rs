//! What a decision about a waiting contact weighed.

use serde::{Deserialize, Serialize};

/// How the agents who may serve a contact stand, at a moment. It has a fixed size, so that a decision leaves one and
/// allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Weighed {
    /// The directory version.
    pub map_version: u64,
    /// Ready.
    pub free: u32,
    /// Ringing, talking, in wrap-up, or in calls of their own.
    pub busy: u32,
    /// On a break.
    pub on_break: u32,
    /// Not signed in.
    pub offline: u32,
    /// In calls of another agency than their own, which has lent them.
    pub lent: u32,
    /// Ready, but kept for the callers of their own agency, which lends no more.
    pub kept: u32,
}

impl Weighed {
    /// How many are there to serve it, now or after what they do.
    #[must_use]
    pub const fn here(&self) -> u32 {
        self.free.saturating_add(self.busy).saturating_add(self.lent)
    }

    /// How many agents may serve it at all.
    #[must_use]
    pub const fn all(&self) -> u32 {
        self.free + self.busy + self.on_break + self.offline + self.lent + self.kept
    }
}
