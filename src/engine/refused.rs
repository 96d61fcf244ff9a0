//! Calls that were just refused without a transaction: an INVITE that comes again must get the same answer.
//!
//! A datagram is often sent again before its answer arrives, above all when everything is slow. Without a memory the second one could be
//! taken where the first was refused: the caller, who has heard the refusal, would never acknowledge the answer, and an agent would
//! talk to nobody. Two generations of a bounded table; what is forgotten early makes the mistake possible again and nothing worse.

use std::time::Duration;

use super::inbound::Refusal;
use crate::base::Time;
use crate::base::hash::{Keyed, KeyedMap};

/// So many refusals of each generation are remembered.
const REFUSALS_MAX: usize = 8_192;
/// A client sends an INVITE again for so long (64 times T1, RFC 3261 17.1.1.2).
const REMEMBERED: Duration = Duration::from_secs(32);

pub(super) struct Refused {
    young: KeyedMap<u128, Refusal>,
    old: KeyedMap<u128, Refusal>,
    /// Since when the young generation is filled.
    since: Time,
    keyed: Keyed,
}

impl Refused {
    pub(super) fn new(keyed: Keyed) -> Self {
        Refused { young: keyed.map(), old: keyed.map(), since: Time::default(), keyed }
    }

    /// The request of this transaction was refused.
    pub(super) fn note(&mut self, now: Time, transaction: u128, refusal: Refusal) {
        if self.young.len() >= REFUSALS_MAX || now.since(self.since) >= REMEMBERED {
            self.old = std::mem::replace(&mut self.young, self.keyed.map());
            self.since = now;
        }
        self.young.insert(transaction, refusal);
    }

    /// How the request of this transaction was refused, if it was, and that is remembered.
    pub(super) fn of(&self, transaction: u128) -> Option<Refusal> {
        if self.young.is_empty() && self.old.is_empty() {
            return None;
        }
        self.young.get(&transaction).or_else(|| self.old.get(&transaction)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seed::Seed;
    use crate::engine::inbound::refuse;
    use crate::sip::stack::counts::Rejected;

    #[test]
    fn the_latest_are_remembered_and_never_more_than_fit() {
        let mut refused = Refused::new(Keyed::from_seed(&mut Seed::from_number(1)));
        let at = Time::from_secs(100);
        for call in 0..20_000 {
            refused.note(at, call, refuse(503, Rejected::Shed));
        }
        assert!(refused.of(19_999).is_some() && refused.of(12_000).is_some());
        assert!(refused.of(1).is_none(), "forgotten");
        assert!(refused.young.len() + refused.old.len() <= 2 * REFUSALS_MAX);
        refused.note(at + REMEMBERED, 50_000, refuse(503, Rejected::Shed));
        refused.note(at + 2 * REMEMBERED, 50_001, refuse(503, Rejected::Shed));
        assert!(refused.of(19_999).is_none() && refused.of(50_000).is_some(), "by time");
    }
}
