//! Ringing: somebody's phones ring for a contact. The first to answer wins; where none does, the weightiest failure counts.
//!
//! One idea for queues' agents, transfers, agents' own calls and overflow. Owns what each failure means, and to whom, in one table; it sends
//! nothing and knows nobody's state. A queue's contact waits again whatever the failure; the outcome says what becomes of the agent.

use smallvec::SmallVec;

use crate::base::Time;
use crate::base::words::OfferOutcome;
use crate::engine::between::{LegKey, NotRung};

/// What a call past every queue is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// An agent calls.
    Own,
    /// The overflow of a queue.
    Overflow,
    /// An agent passes the caller on.
    Transfer,
}

/// What follows when nobody who was called past every queue is to be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Consequence {
    /// The caller is refused with this status.
    RefuseCaller(u16),
    /// The caller hears a goodbye.
    Goodbye,
    /// The agent who passes the caller on is told this status.
    TellAgent(u16),
}

impl Purpose {
    /// Who is told what.
    pub(super) const fn consequence(self, failure: Failure) -> Consequence {
        match self {
            Purpose::Own => Consequence::RefuseCaller(failure.status),
            Purpose::Overflow => Consequence::Goodbye,
            Purpose::Transfer => Consequence::TellAgent(failure.status),
        }
    }
}

/// Why a phone will not answer: what that means for whom it rang for, and the status that says so to others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    pub(super) outcome: OfferOutcome,
    pub(super) status: u16,
}

impl Failure {
    /// It rang long enough.
    pub(super) const TIMED_OUT: Failure = Failure { outcome: OfferOutcome::TimedOut, status: 480 };
    /// Nobody answered its INVITE, or there is no way to it.
    pub(super) const UNANSWERED: Failure = Failure { outcome: OfferOutcome::Unreachable, status: 408 };
    /// It answered with a description that cannot be used.
    pub(super) const UNUSABLE: Failure = Failure { outcome: OfferOutcome::Unreachable, status: 488 };

    /// No trunk leads to the number.
    pub(super) const NO_TRUNK: Failure = Failure { outcome: OfferOutcome::Unreachable, status: 480 };

    /// The desk of the agent who was asked for says no, or nothing. A colleague who calls is told that the agent is busy.
    pub(super) const fn not_taken(purpose: Purpose) -> Self {
        let status = if let Purpose::Own = purpose { 486 } else { 480 };
        Failure { outcome: OfferOutcome::Busy, status }
    }

    /// What it means that nobody was called. That there are no ports is nobody else's fault.
    pub(super) const fn not_rung(why: NotRung) -> Self {
        match why {
            NotRung::Phoneless => Failure { outcome: OfferOutcome::Unreachable, status: 480 },
            NotRung::OutOfPorts | NotRung::Unroutable => Failure { outcome: OfferOutcome::Withdrawn, status: 503 },
        }
    }

    /// What a final answer to an INVITE means, 300 to 699.
    pub(super) fn of(status: u16) -> Self {
        let outcome = match status {
            486 => OfferOutcome::Busy,
            403 | 480 | 600 | 603 | 300..400 => OfferOutcome::Refused,
            487 => OfferOutcome::TimedOut,
            _ => OfferOutcome::Unreachable,
        };
        Failure { outcome, status }
    }

    /// The rank of a failure when several phones fail differently: a person's own word counts most.
    const fn weight(self) -> u8 {
        match self.outcome {
            OfferOutcome::Refused => 3,
            OfferOutcome::Busy => 2,
            OfferOutcome::TimedOut => 1,
            _ => 0,
        }
    }
}

/// What a phone's failure leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Left {
    /// It is none of these phones.
    Nothing,
    /// Others still ring.
    Others,
    /// None rings any more: this is why.
    Nobody(Failure),
}

/// Phones that ring together.
#[derive(Clone, Debug, Default)]
pub(super) struct Ringing {
    legs: SmallVec<[LegKey; 2]>,
    worst: Option<Failure>,
    /// When they have rung long enough, or are tried again where none could be rung.
    pub(super) until: Option<Time>,
}

impl Ringing {
    /// One more phone rings.
    pub(super) fn add(&mut self, leg: LegKey) {
        self.legs.push(leg);
    }

    /// The phones that ring.
    pub(super) fn legs(&self) -> &[LegKey] {
        &self.legs
    }

    /// A phone will not answer.
    pub(super) fn failed(&mut self, leg: LegKey, failure: Failure) -> Left {
        let Some(place) = self.legs.iter().position(|known| *known == leg) else { return Left::Nothing };
        self.legs.swap_remove(place);
        let worst = self.worst.filter(|worst| worst.weight() >= failure.weight()).unwrap_or(failure);
        self.worst = Some(worst);
        if self.legs.is_empty() { Left::Nobody(worst) } else { Left::Others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ShardId;

    fn leg(slot: u32) -> LegKey {
        LegKey { shard: ShardId(0), slot, token: 1 }
    }

    #[test]
    fn the_weightiest_failure_counts_when_the_last_is_silent() {
        let mut ringing = Ringing::default();
        (0..3).for_each(|n| ringing.add(leg(n)));
        assert_eq!(ringing.failed(leg(9), Failure::of(603)), Left::Nothing);
        assert_eq!(ringing.failed(leg(1), Failure::of(486)), Left::Others);
        assert_eq!(ringing.failed(leg(1), Failure::of(603)), Left::Nothing, "each fails once");
        assert_eq!(ringing.failed(leg(0), Failure::UNANSWERED), Left::Others);
        assert_eq!(ringing.failed(leg(2), Failure::TIMED_OUT), Left::Nobody(Failure::of(486)));
        assert!(ringing.legs().is_empty());
    }

    #[test]
    fn of_equal_failures_the_first_is_told() {
        let mut ringing = Ringing::default();
        (0..2).for_each(|n| ringing.add(leg(n)));
        ringing.failed(leg(0), Failure::of(404));
        assert_eq!(ringing.failed(leg(1), Failure::of(500)), Left::Nobody(Failure::of(404)));
    }

    #[test]
    fn the_table_of_who_is_told_what() {
        let table = [
            (Purpose::Own, Failure::of(603), Consequence::RefuseCaller(603)),
            (Purpose::Own, Failure::not_taken(Purpose::Own), Consequence::RefuseCaller(486)),
            (Purpose::Own, Failure::not_rung(NotRung::OutOfPorts), Consequence::RefuseCaller(503)),
            (Purpose::Overflow, Failure::of(486), Consequence::Goodbye),
            (Purpose::Transfer, Failure::TIMED_OUT, Consequence::TellAgent(480)),
            (Purpose::Transfer, Failure::not_taken(Purpose::Transfer), Consequence::TellAgent(480)),
            (Purpose::Transfer, Failure::NO_TRUNK, Consequence::TellAgent(480)),
        ];
        for (purpose, failure, consequence) in table {
            assert_eq!(purpose.consequence(failure), consequence, "{purpose:?}, {failure:?}");
        }
    }

    #[test]
    fn the_table_of_final_answers() {
        let table = [
            (OfferOutcome::Busy, [486, 486]),
            (OfferOutcome::Refused, [403, 480]),
            (OfferOutcome::Refused, [600, 603]),
            (OfferOutcome::Refused, [302, 399]),
            (OfferOutcome::TimedOut, [487, 487]),
            (OfferOutcome::Unreachable, [404, 408]),
            (OfferOutcome::Unreachable, [488, 500]),
            (OfferOutcome::Unreachable, [503, 606]),
        ];
        for (outcome, statuses) in table {
            assert!(statuses.iter().all(|status| Failure::of(*status) == Failure { outcome, status: *status }), "{statuses:?}");
        }
    }
}
