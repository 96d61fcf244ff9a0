//! Slots of the matcher: which are free, and whose the others are.

use std::collections::VecDeque;
use std::ops::Range;

use crate::acd::ContactSlot;
use crate::engine::between::ContactKey;

/// The slots of one shard.
pub(super) struct Slots {
    /// Given out first in, first out, so that a slot's generation comes round late.
    free: VecDeque<ContactSlot>,
    /// The contact in each, counted from the shard's first.
    owners: Vec<Option<ContactKey>>,
    first: u32,
    /// How many further rings have, and the most they may have: of those that contacts need for themselves none is taken.
    further: u32,
    further_max: u32,
}

impl Slots {
    /// All of them free. So many contacts need one for themselves.
    pub(super) fn new(slots: &Range<u32>, contacts: u32) -> Self {
        Slots {
            free: slots.clone().map(ContactSlot).collect(),
            owners: vec![None; slots.len()],
            first: slots.start,
            further: 0,
            further_max: (slots.len() as u32).saturating_sub(contacts),
        }
    }

    /// How many are used, and how many there are.
    pub(super) fn used(&self) -> (usize, usize) {
        (self.owners.len() - self.free.len(), self.owners.len())
    }

    /// A slot for a contact, if one is free.
    pub(super) fn take(&mut self, contact: ContactKey) -> Option<ContactSlot> {
        let slot = self.free.pop_front()?;
        self.owners[(slot.0 - self.first) as usize] = Some(contact);
        Some(slot)
    }

    /// A slot for a further ring of a contact, if one may be taken.
    pub(super) fn take_further(&mut self, contact: ContactKey) -> Option<ContactSlot> {
        if self.further >= self.further_max {
            return None;
        }
        let slot = self.take(contact)?;
        self.further += 1;
        Some(slot)
    }

    /// A slot is free again.
    pub(super) fn give_back(&mut self, slot: ContactSlot) {
        self.owners[(slot.0 - self.first) as usize] = None;
        self.free.push_back(slot);
    }

    /// A slot of a further ring is free again.
    pub(super) fn give_further_back(&mut self, slot: ContactSlot) {
        self.further -= 1;
        self.give_back(slot);
    }

    /// The contact in a slot.
    pub(super) fn owner(&self, slot: ContactSlot) -> Option<ContactKey> {
        *self.owners.get(slot.0.checked_sub(self.first)? as usize)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ShardId;

    #[test]
    fn further_rings_leave_contacts_their_slots() {
        let contact = |serial| ContactKey { shard: ShardId(0), slot: 0, serial };
        let mut slots = Slots::new(&(10..13), 2);
        let first = slots.take_further(contact(1)).unwrap();
        assert_eq!((first, slots.take_further(contact(1))), (ContactSlot(10), None), "two are kept for contacts");
        assert_eq!((slots.take(contact(2)), slots.take(contact(3))), (Some(ContactSlot(11)), Some(ContactSlot(12))));
        assert_eq!((slots.take(contact(4)), slots.used()), (None, (3, 3)));
        slots.give_further_back(first);
        assert_eq!((slots.owner(first), slots.owner(ContactSlot(12))), (None, Some(contact(3))));
        assert_eq!(slots.owner(ContactSlot(9)), None, "another shard's");
        slots.give_back(ContactSlot(11));
        assert_eq!(slots.take(contact(5)), Some(first), "who was free first");
        assert_eq!(slots.take_further(contact(5)), Some(ContactSlot(11)));
    }
}
