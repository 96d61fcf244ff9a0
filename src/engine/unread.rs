//! What other shards have not read yet, so that what is said to one that stands still never grows beyond a bound.
//!
//! What a shard says of one contact to one agent's desk bounds itself: the agent's slot is the contact's until the desk has read so. What all
//! shards are told is read by each before it is told more than a little; what changes meanwhile, it is told as it is then. How often desks
//! are asked for an agent in particular has a bound for each shard.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::between::{Between, News};
use crate::base::{AgentId, QueueId, TrunkId};

/// Of what all shards are told, so much one shard may have unread.
const COPIES_MAX: u32 = 64;
/// For so many agents a shard may be asked at once, of those that callers want in particular; beyond, they are not to be had.
const ASKED_MAX: u32 = 1024;
/// So many callers and agents who served them are remembered for a shard that reads nothing.
const SERVED_MAX: usize = 50_000;

/// What a copy is of. A newer one takes its place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum CopyOf {
    DeskLost(AgentId),
    Devices(AgentId),
    News(News),
    Served(Arc<str>, QueueId),
    Trunk(TrunkId),
}

impl CopyOf {
    fn of(message: &Between) -> Option<Self> {
        Some(match message {
            Between::DeskLost(agent) => CopyOf::DeskLost(*agent),
            Between::Devices(agent, _) => CopyOf::Devices(*agent),
            Between::ToContacts(news) => CopyOf::News(*news),
            Between::Served(caller, queue, _) => CopyOf::Served(caller.clone(), *queue),
            Between::TrunkUp(trunk, _) => CopyOf::Trunk(*trunk),
            _ => return None,
        })
    }
}

/// What one other shard has not read.
#[derive(Default)]
pub(super) struct Unread {
    copies: u32,
    asked: u32,
    /// What it is told when it has read more.
    newest: BTreeMap<CopyOf, Between>,
}

impl Unread {
    /// Something that all shards are told: whether this one is told now. Else it is told when it has read what it was told before.
    pub(super) fn may_be_told(&mut self, message: &Between) -> bool {
        if self.copies < COPIES_MAX && self.newest.is_empty() {
            self.copies += 1;
            return true;
        }
        if let Some(of) = CopyOf::of(message)
            && (!matches!(of, CopyOf::Served(..)) || self.newest.len() < SERVED_MAX)
        {
            self.newest.insert(of, message.clone());
        }
        false
    }

    /// It has read one more: what it is told next.
    pub(super) fn has_read(&mut self) -> Option<Between> {
        let next = self.newest.pop_first().map(|(_, message)| message);
        if next.is_none() {
            self.copies = self.copies.saturating_sub(1);
        }
        next
    }

    /// Whether it may be asked for one more agent.
    pub(super) const fn may_be_asked(&mut self) -> bool {
        let may = self.asked < ASKED_MAX;
        self.asked += may as u32;
        may
    }

    /// It has answered whether an agent is to be had.
    pub(super) const fn has_answered(&mut self) {
        self.asked = self.asked.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_read_is_told_the_newest_when_it_does() {
        let mut unread = Unread::default();
        let told = |unread: &mut Unread, trunk, up| unread.may_be_told(&Between::TrunkUp(TrunkId(trunk), up));
        assert_eq!((0..1000).filter(|n| told(&mut unread, 7, n % 2 == 0)).count(), COPIES_MAX as usize);
        assert!(!told(&mut unread, 8, true) && !told(&mut unread, 7, true));
        assert_eq!(unread.has_read(), Some(Between::TrunkUp(TrunkId(7), true)));
        assert!(!told(&mut unread, 6, true), "what waits goes first");
        assert_eq!([(); 2].map(|()| unread.has_read()), [6, 8].map(|trunk| Some(Between::TrunkUp(TrunkId(trunk), true))));
        assert_eq!((0..COPIES_MAX).find_map(|_| unread.has_read()), None);
        assert!(told(&mut unread, 7, false));
    }

    #[test]
    fn a_shard_is_asked_for_so_many_agents_at_once() {
        let mut unread = Unread::default();
        assert_eq!((0..3000).filter(|_| unread.may_be_asked()).count(), ASKED_MAX as usize);
        unread.has_answered();
        assert!(unread.may_be_asked() && !unread.may_be_asked());
    }
}
