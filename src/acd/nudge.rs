//! Nudges: "look at this slot again". Not facts: an owner that is nudged reads the words.
//!
//! One lock-free list a shard (Treiber's, emptied as a whole, so that no entry can be popped and come back in between) with a dirty
//! flag a slot: a slot is in its list at most once, so the list is never full and drops nothing.

use crate::base::sync::{AtomicBool, AtomicU32, Ordering};

struct Link {
    dirty: AtomicBool,
    /// The next slot in the list, plus one; zero ends it.
    next: AtomicU32,
}

/// The lists of one kind of slot.
pub(crate) struct Nudges {
    links: Box<[Link]>,
    /// Each shard's first slot, plus one.
    heads: Box<[AtomicU32]>,
}

impl Nudges {
    pub(crate) fn new(slots: u32, shards: u16) -> Self {
        Nudges {
            links: (0..slots).map(|_| Link { dirty: AtomicBool::new(false), next: AtomicU32::new(0) }).collect(),
            heads: (0..shards).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// Puts `slot` into the list of `shard`, unless it is there.
    pub(crate) fn push(&self, shard: u16, slot: u32) {
        let link = &self.links[slot as usize];
        if link.dirty.swap(true, Ordering::AcqRel) {
            return;
        }
        let head = &self.heads[usize::from(shard)];
        let mut first = head.load(Ordering::Acquire);
        loop {
            link.next.store(first, Ordering::Release);
            match head.compare_exchange(first, slot + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }

    /// Whether the list of `shard` has anything.
    pub(crate) fn pending(&self, shard: u16) -> bool {
        self.heads[usize::from(shard)].load(Ordering::Acquire) != 0
    }

    /// Takes the whole list of `shard`. Each slot's flag is cleared before it is handed over, so that a change made while its owner
    /// looks nudges again.
    pub(crate) fn drain(&self, shard: u16, mut each: impl FnMut(u32)) {
        let mut first = self.heads[usize::from(shard)].swap(0, Ordering::AcqRel);
        while first != 0 {
            let slot = first - 1;
            let link = &self.links[slot as usize];
            first = link.next.load(Ordering::Acquire);
            link.dirty.store(false, Ordering::Release);
            each(slot);
        }
    }
}
