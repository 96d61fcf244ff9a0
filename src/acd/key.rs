//! The order in which contacts are served.

use serde::{Deserialize, Serialize};

use crate::base::Time;

/// The order of contacts within a demand: the least key goes first. Emergency calls go before all others. Then come
/// contacts by their arrival less their credit. Further rings, for contacts whose first agent rings already, go last.
/// 63 bits: two of class, 52 of microseconds, nine of sequence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Key(pub(super) u64);

impl Key {
    const CLASS_SHIFT: u32 = 61;
    const SEQUENCE_BITS: u32 = 9;

    /// The key of a contact that counts as having arrived at `arrival`; `sequence` orders those of one microsecond.
    #[must_use]
    pub fn new(arrival: Time, sequence: u32, emergency: bool) -> Self {
        let class = u64::from(!emergency) << Self::CLASS_SHIFT;
        let arrival = arrival.micros() & ((1 << (Self::CLASS_SHIFT - Self::SEQUENCE_BITS)) - 1);
        Key(class | arrival << Self::SEQUENCE_BITS | u64::from(sequence) & ((1 << Self::SEQUENCE_BITS) - 1))
    }

    /// The key of a further ring for the contact of this key. It goes behind all that wait, in the order of their keys.
    #[must_use]
    pub fn of_further_ring(self) -> Self {
        Key(self.0 & ((1 << Self::CLASS_SHIFT) - 1) | 2 << Self::CLASS_SHIFT)
    }

    /// Varies a random choice from contact to contact.
    pub(crate) fn salt(self) -> u64 {
        self.0
    }
}
