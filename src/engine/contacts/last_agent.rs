//! Who served a caller last: for queues that give a caller back to the same agent.
//!
//! Two generations of a bounded map: what is asked for or told moves to the young one; when that is full it becomes the old one, and the
//! older is forgotten. Numbers are not kept, only digests of them under this process's own key.

use crate::base::hash::{Keyed, KeyedMap};
use crate::base::{AgentId, QueueId};

/// So many callers of each generation are remembered.
const CALLERS_MAX: usize = 50_000;

pub(super) struct LastAgents {
    young: KeyedMap<u128, AgentId>,
    old: KeyedMap<u128, AgentId>,
    keyed: Keyed,
}

impl LastAgents {
    pub(super) fn new(keyed: Keyed) -> Self {
        LastAgents { young: keyed.map(), old: keyed.map(), keyed }
    }

    /// `None` for callers who do not say who they are.
    fn key(&self, caller: &str, queue: QueueId) -> Option<u128> {
        let known = !caller.is_empty() && !caller.eq_ignore_ascii_case("anonymous");
        known.then(|| self.keyed.digest(&[caller.as_bytes(), &queue.0.to_be_bytes()]))
    }

    /// The agent has served a caller of `queue`.
    pub(super) fn note(&mut self, caller: &str, queue: QueueId, agent: AgentId) {
        let Some(key) = self.key(caller, queue) else { return };
        if self.young.len() >= CALLERS_MAX {
            self.old = std::mem::replace(&mut self.young, self.keyed.map());
        }
        self.young.insert(key, agent);
    }

    /// Who served the caller in `queue` last, as far as is remembered.
    pub(super) fn of(&self, caller: &str, queue: QueueId) -> Option<AgentId> {
        let key = self.key(caller, queue)?;
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seed::Seed;

    #[test]
    fn the_last_of_each_queue_and_never_more_than_fit() {
        let mut last = LastAgents::new(Keyed::from_seed(&mut Seed::from_number(1)));
        for caller in 0..120_000_u32 {
            last.note(&caller.to_string(), QueueId(0), AgentId(caller % 7));
        }
        last.note("119999", QueueId(1), AgentId(9));
        assert_eq!(last.of("119999", QueueId(0)), Some(AgentId(119_999 % 7)));
        assert_eq!(last.of("119999", QueueId(1)), Some(AgentId(9)));
        assert_eq!(last.of("80000", QueueId(0)), Some(AgentId(80_000 % 7)), "the old generation");
        assert_eq!(last.of("7", QueueId(0)), None, "forgotten");
        assert!(last.young.len() + last.old.len() <= 2 * CALLERS_MAX);
        last.note("anonymous", QueueId(0), AgentId(1));
        last.note("", QueueId(0), AgentId(1));
        assert_eq!((last.of("anonymous", QueueId(0)), last.of("", QueueId(0))), (None, None));
    }
}
