//! What may be read of the matcher without a command: hints, which may be out of date when they are read.
//!
//! They are told to people, and they say when it is worth sending a [command](super::command), which then decides. Each
//! machine could keep its own, and its own statistics of waits, which estimates come from and go into.

use std::time::Duration;

use super::claim::Key;
use super::matcher::Matcher;
use super::routing_table::{DemandId, RoutingTable};
use crate::base::words::EstimateOutcome;
use crate::base::{Estimate, QueueId, SkillId, Time, Weighed};

/// Reads the matcher, and the routing table that the reader has taken up.
#[derive(Clone, Copy)]
pub struct Hints<'a> {
    matcher: &'a Matcher,
    table: &'a RoutingTable,
}

impl<'a> Hints<'a> {
    /// The hints of a matcher for who has taken up this routing table of it.
    #[must_use]
    pub const fn of(matcher: &'a Matcher, table: &'a RoutingTable) -> Self {
        Hints { matcher, table }
    }

    /// The routing table that the reader has taken up. The matcher may have a newer one already, in which its demands have
    /// the same numbers.
    #[must_use]
    pub const fn routing_table(self) -> &'a RoutingTable {
        self.table
    }

    /// Whether anyone signed in may serve `demand`, free or not.
    #[must_use]
    pub fn anyone_for(self, demand: DemandId) -> bool {
        self.matcher.anyone_for(demand)
    }

    /// How the agents who may serve `demand` stand.
    #[must_use]
    pub fn weigh(self, demand: DemandId) -> Weighed {
        self.matcher.weigh(demand)
    }

    /// How many contacts are in `queue`, offered ones included.
    #[must_use]
    pub fn waiting(self, queue: QueueId) -> u32 {
        self.matcher.waiting(queue)
    }

    /// How many contacts of `queue` go before `key`.
    #[must_use]
    pub fn ahead_of(self, queue: QueueId, key: Key) -> u32 {
        self.matcher.ahead_of(queue, key)
    }

    /// What a contact may expect that has joined `queue` ([`Matcher::expects`]).
    #[must_use]
    pub fn expects(self, now: Time, queue: QueueId, language: Option<SkillId>, place: Option<Key>) -> Estimate {
        self.matcher.expects(now, queue, language, place)
    }

    /// How much longer a contact with this `key` may expect to wait.
    #[must_use]
    pub fn expects_still(self, now: Time, queue: QueueId, language: Option<SkillId>, key: Key) -> Estimate {
        self.matcher.expects_still(now, queue, language, key)
    }

    /// Notes that a wait is over, answered or not ([`Matcher::waited`]).
    #[must_use]
    pub fn waited(
        self,
        now: Time,
        whose: (QueueId, Option<SkillId>),
        estimate: &Estimate,
        waited: Duration,
        answered: bool,
    ) -> Option<EstimateOutcome> {
        self.matcher.waited(now, whose, estimate, waited, answered)
    }
}
