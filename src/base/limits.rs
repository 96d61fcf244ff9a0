//! How full everything is that has a bound: one board for the process, written where the bound is, read by metrics.

use super::sync::{AtomicU64, Ordering};
use super::words::Limit;

const LIMITS: usize = Limit::ALL.len();

/// How much of each limit is used, how much there is, how often something was refused at it. Each limit has one writer.
#[derive(Debug)]
pub struct LimitBoard {
    used: [AtomicU64; LIMITS],
    max: [AtomicU64; LIMITS],
    hits: [AtomicU64; LIMITS],
}

impl Default for LimitBoard {
    fn default() -> Self {
        let zeros = || std::array::from_fn(|_| AtomicU64::new(0));
        LimitBoard { used: zeros(), max: zeros(), hits: zeros() }
    }
}

impl LimitBoard {
    /// Notes how much is used.
    pub fn set_used(&self, limit: Limit, used: u64) {
        self.used[limit.index()].store(used, Ordering::Relaxed);
    }

    /// Notes how much there is.
    pub fn set_max(&self, limit: Limit, max: u64) {
        self.max[limit.index()].store(max, Ordering::Relaxed);
    }

    /// Something was refused.
    pub fn hit(&self, limit: Limit) {
        let hits = &self.hits[limit.index()];
        hits.store(hits.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// How much is used of how much; `None` where a limit is not one number for the process (a queue's length, a trunk's rate).
    #[must_use]
    pub fn used(&self, limit: Limit) -> Option<(u64, u64)> {
        let max = self.max[limit.index()].load(Ordering::Relaxed);
        (max > 0).then(|| (self.used[limit.index()].load(Ordering::Relaxed), max))
    }

    /// How often something was refused.
    #[must_use]
    pub fn hits(&self, limit: Limit) -> u64 {
        self.hits[limit.index()].load(Ordering::Relaxed)
    }
}
