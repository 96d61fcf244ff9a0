//! What shards say to each other, on its way: each to each in order, and as late as the seed has it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::base::seed::Seed;
use crate::base::{ShardId, Time};
use crate::engine::Letter;

/// Letters on their way, and bells that are about to ring.
pub(super) struct Letters {
    /// From whom, to whom.
    on_the_way: BTreeMap<(ShardId, ShardId), VecDeque<(Time, Letter)>>,
    /// By shard: when it hears that the matcher has woken somebody.
    bells: Vec<Option<Time>>,
    late_by: Duration,
    seed: Seed,
}

impl Letters {
    /// Between so many shards. A letter or a bell takes so long at the most.
    pub(super) fn new(shards: u16, late_by: Duration, seed: Seed) -> Self {
        Letters { on_the_way: BTreeMap::new(), bells: vec![None; usize::from(shards)], late_by, seed }
    }

    fn later(&mut self, now: Time) -> Time {
        now + Duration::from_micros(self.seed.below(self.late_by.as_micros() as u64 + 1))
    }

    /// A letter is sent.
    pub(super) fn post(&mut self, now: Time, from: ShardId, to: ShardId, letter: Letter) {
        let at = self.later(now);
        let before = self.on_the_way.entry((from, to)).or_default();
        let at = before.back().map_or(at, |(last, _)| at.max(*last));
        before.push_back((at, letter));
    }

    /// The matcher has woken somebody of a shard.
    pub(super) fn ring(&mut self, now: Time, shard: usize) {
        if self.bells[shard].is_none() {
            self.bells[shard] = Some(self.later(now));
        }
    }

    /// When something arrives.
    pub(super) fn next(&self) -> Option<Time> {
        let letters = self.on_the_way.values().filter_map(|letters| letters.front().map(|(at, _)| *at));
        letters.chain(self.bells.iter().flatten().copied()).min()
    }

    /// Whether nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.next().is_none()
    }

    /// The next letter that has arrived, and for whom.
    pub(super) fn arrived(&mut self, now: Time) -> Option<(ShardId, Letter)> {
        let is_due = |letters: &VecDeque<(Time, Letter)>| letters.front().is_some_and(|(at, _)| *at <= now);
        let ((_, to), letters) = self.on_the_way.iter_mut().find(|(_, letters)| is_due(letters))?;
        letters.pop_front().map(|(_, letter)| (*to, letter))
    }

    /// The next shard whose bell has rung.
    pub(super) fn rung(&mut self, now: Time) -> Option<usize> {
        let shard = self.bells.iter().position(|bell| bell.is_some_and(|at| at <= now))?;
        self.bells[shard] = None;
        Some(shard)
    }
}
