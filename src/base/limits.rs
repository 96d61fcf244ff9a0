//! How full everything is that has a bound: one board for the process, written where the bound is, read by metrics.

use super::ShardId;
use super::padded::Padded;
use super::sync::{AtomicU64, Ordering};
use super::words::Limit;

const LIMITS: usize = Limit::ALL.len();

/// How much of each limit is used, how much there is, how often something was refused at it. What each shard uses has one writer.
#[derive(Debug)]
pub struct LimitBoard {
    /// By shard.
    used: Box<[Padded<[AtomicU64; LIMITS]>]>,
    max: [AtomicU64; LIMITS],
    hits: [AtomicU64; LIMITS],
}

impl Default for LimitBoard {
    fn default() -> Self {
        LimitBoard::new(1)
    }
}

impl LimitBoard {
    /// For so many shards. Nothing is used, and there is nothing.
    #[must_use]
    pub fn new(shards: u16) -> Self {
        let zeros = || std::array::from_fn(|_| AtomicU64::new(0));
        LimitBoard { used: (0..shards.max(1)).map(|_| Padded(zeros())).collect(), max: zeros(), hits: zeros() }
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.used.len() as u16
    }

    /// Notes how much is used, by whoever alone notes this limit.
    pub fn set_used(&self, limit: Limit, used: u64) {
        self.set_used_by(ShardId(0), limit, used);
    }

    /// Notes how much a shard uses.
    pub fn set_used_by(&self, shard: ShardId, limit: Limit, used: u64) {
        self.used[usize::from(shard.0)][limit.index()].store(used, Ordering::Relaxed);
    }

    /// Notes how much there is, for all shards together.
    pub fn set_max(&self, limit: Limit, max: u64) {
        self.max[limit.index()].store(max, Ordering::Relaxed);
    }

    /// Something was refused.
    pub fn hit(&self, limit: Limit) {
        self.hits[limit.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// How much is used of how much; `None` where a limit is not one number for the process (a queue's length, a trunk's rate).
    ///
    /// Emergencies take the common room of contacts first, then what is kept for them: shards note how many contacts and how many
    /// emergencies among them they have.
    #[must_use]
    pub fn used(&self, limit: Limit) -> Option<(u64, u64)> {
        let max = self.max[limit.index()].load(Ordering::Relaxed);
        let used = match limit {
            Limit::Contacts => self.sum(limit) - self.emergencies_apart(),
            Limit::EmergencyContacts => self.emergencies_apart(),
            _ => self.sum(limit),
        };
        (max > 0).then_some((used, max))
    }

    fn sum(&self, limit: Limit) -> u64 {
        self.used.iter().map(|used| used[limit.index()].load(Ordering::Relaxed)).sum()
    }

    /// How many emergencies are up for which there was no common room.
    fn emergencies_apart(&self) -> u64 {
        let common = self.max[Limit::Contacts.index()].load(Ordering::Relaxed);
        self.sum(Limit::Contacts).saturating_sub(common).min(self.sum(Limit::EmergencyContacts))
    }

    /// How often something was refused.
    #[must_use]
    pub fn hits(&self, limit: Limit) -> u64 {
        self.hits[limit.index()].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shards_use_is_added_up_and_emergencies_take_the_common_room_first() {
        let board = LimitBoard::new(2);
        assert_eq!(board.used(Limit::Contacts), None);
        board.set_max(Limit::Contacts, 10);
        board.set_max(Limit::EmergencyContacts, 4);
        let note = |shard, contacts, emergencies| {
            board.set_used_by(ShardId(shard), Limit::Contacts, contacts);
            board.set_used_by(ShardId(shard), Limit::EmergencyContacts, emergencies);
            (board.used(Limit::Contacts).unwrap().0, board.used(Limit::EmergencyContacts).unwrap().0)
        };
        assert_eq!(note(0, 5, 2), (5, 0));
        assert_eq!(note(1, 5, 0), (10, 0));
        assert_eq!(note(1, 8, 3), (10, 3));
        // Fewer may be allowed since a reload: no emergency stands apart that is none.
        assert_eq!(note(0, 12, 0), (17, 3));
        board.hit(Limit::Contacts);
        board.hit(Limit::Contacts);
        assert_eq!((board.hits(Limit::Contacts), board.hits(Limit::Bindings)), (2, 0));
    }
}
