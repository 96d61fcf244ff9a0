//! What may be read of the matcher without a command: hints, which may be out of date when they are read.
//!
//! They are told to people, and they say when it is worth sending a [command](super::command), which then decides. Each
//! machine could keep its own, and its own statistics of waits, which estimates come from and go into.

use std::time::Duration;

use super::answers::{Answers, Said};
use super::claim::Key;
use super::matcher::Matcher;
use super::routing_table::{DemandId, RoutingTable};
use crate::base::words::EstimateOutcome;
use crate::base::{Estimate, QueueId, SkillId, Time, Weighed};

/// Reads the matcher, and the routing table that the reader has taken up.
pub struct Hints<'a> {
    matcher: &'a Matcher,
    table: &'a RoutingTable,
    answers: &'a mut Answers,
}

impl<'a> Hints<'a> {
    /// The hints of a matcher for who has taken up this routing table of it. They are [kept or replayed](Answers) like all that
    /// the matcher says.
    #[must_use]
    pub const fn of(matcher: &'a Matcher, table: &'a RoutingTable, answers: &'a mut Answers) -> Self {
        Hints { matcher, table, answers }
    }

    /// The same, lent on.
    #[must_use]
    pub const fn lent(&mut self) -> Hints<'_> {
        Hints { matcher: self.matcher, table: self.table, answers: self.answers }
    }

    /// The routing table that the reader has taken up. The matcher may have a newer one already, in which its demands have
    /// the same numbers.
    #[must_use]
    pub const fn routing_table(&self) -> &'a RoutingTable {
        self.table
    }

    /// What else a shard is told by what all shards share. It is kept and replayed like hints, and may decide.
    #[must_use]
    pub fn kept<T: Said>(&mut self, live: impl FnOnce() -> T) -> T {
        self.answers.next(live)
    }

    /// Whether anyone signed in may serve `demand`, free or not.
    #[must_use]
    pub fn anyone_for(&mut self, demand: DemandId) -> bool {
        self.answers.next(|| self.matcher.anyone_for(demand))
    }

    /// How the agents who may serve `demand` stand.
    #[must_use]
    pub fn weigh(&mut self, demand: DemandId) -> Weighed {
        self.answers.next(|| self.matcher.weigh(demand))
    }

    /// How many contacts are in `queue`, offered ones included.
    #[must_use]
    pub fn waiting(&mut self, queue: QueueId) -> u32 {
        self.answers.next(|| self.matcher.waiting(queue))
    }

    /// How many contacts of `queue` go before `key`.
    #[must_use]
    pub fn ahead_of(&mut self, queue: QueueId, key: Key) -> u32 {
        self.answers.next(|| self.matcher.ahead_of(queue, key))
    }

    /// What a contact may expect that has joined `queue` ([`Matcher::expects`]).
    #[must_use]
    pub fn expects(&mut self, now: Time, queue: QueueId, language: Option<SkillId>, place: Option<Key>) -> Estimate {
        self.answers.next(|| self.matcher.expects(now, queue, language, place))
    }

    /// How much longer a contact with this `key` may expect to wait.
    #[must_use]
    pub fn expects_still(&mut self, now: Time, queue: QueueId, language: Option<SkillId>, key: Key) -> Estimate {
        self.answers.next(|| self.matcher.expects_still(now, queue, language, key))
    }

    /// Notes that a wait is over, answered or not ([`Matcher::waited`]).
    #[must_use]
    pub fn waited(
        &mut self,
        now: Time,
        whose: (QueueId, Option<SkillId>),
        estimate: &Estimate,
        waited: Duration,
        answered: bool,
    ) -> Option<EstimateOutcome> {
        self.answers.next(|| self.matcher.waited(now, whose, estimate, waited, answered))
    }
}
