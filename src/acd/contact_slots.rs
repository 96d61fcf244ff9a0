//! A shard's contact slots in the matcher: which are free, and whose the others are.

use std::collections::VecDeque;
use std::ops::Range;

use super::ContactSlot;

/// The slots of one shard, and the contacts in them, which their owner knows by `C`.
#[derive(Debug)]
pub struct ContactSlots<C> {
    /// Given out first in, first out, so that a slot's generation comes round late.
    free: VecDeque<ContactSlot>,
    /// The contact in each, counted from the shard's first.
    contacts: Vec<Option<C>>,
    first: u32,
    /// How many further rings have, and the most they may have: of those that contacts need for themselves none is taken.
    further: u32,
    further_max: u32,
}

impl<C: Copy> ContactSlots<C> {
    /// All of them free. So many contacts need one for themselves.
    #[must_use]
    pub fn new(slots: &Range<u32>, contacts: u32) -> Self {
        ContactSlots {
            free: slots.clone().map(ContactSlot).collect(),
            contacts: vec![None; slots.len()],
            first: slots.start,
            further: 0,
            further_max: (slots.len() as u32).saturating_sub(contacts),
        }
    }

    /// How many are used, and how many there are.
    #[must_use]
    pub fn used(&self) -> (usize, usize) {
        (self.contacts.len() - self.free.len(), self.contacts.len())
    }

    /// A slot for a contact, if one is free.
    pub fn take(&mut self, contact: C) -> Option<ContactSlot> {
        let slot = self.free.pop_front()?;
        self.contacts[(slot.0 - self.first) as usize] = Some(contact);
        Some(slot)
    }

    /// A slot for a further ring of a contact, if one may be taken.
    pub fn take_further(&mut self, contact: C) -> Option<ContactSlot> {
        if self.further >= self.further_max {
            return None;
        }
        let slot = self.take(contact)?;
        self.further += 1;
        Some(slot)
    }

    /// A slot is free again.
    pub fn give_back(&mut self, slot: ContactSlot) {
        self.contacts[(slot.0 - self.first) as usize] = None;
        self.free.push_back(slot);
    }

    /// A slot of a further ring is free again.
    pub fn give_further_back(&mut self, slot: ContactSlot) {
        self.further -= 1;
        self.give_back(slot);
    }

    /// The contact in a slot.
    #[must_use]
    pub fn contact(&self, slot: ContactSlot) -> Option<C> {
        *self.contacts.get(slot.0.checked_sub(self.first)? as usize)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_rings_leave_contacts_their_slots() {
        let mut slots = ContactSlots::new(&(10..13), 2);
        let first = slots.take_further(1).unwrap();
        assert_eq!((first, slots.take_further(1)), (ContactSlot(10), None), "two are kept for contacts");
        assert_eq!((slots.take(2), slots.take(3)), (Some(ContactSlot(11)), Some(ContactSlot(12))));
        assert_eq!((slots.take(4), slots.used()), (None, (3, 3)));
        slots.give_further_back(first);
        assert_eq!((slots.contact(first), slots.contact(ContactSlot(12))), (None, Some(3)));
        assert_eq!(slots.contact(ContactSlot(9)), None, "another shard's");
        slots.give_back(ContactSlot(11));
        assert_eq!(slots.take(5), Some(first), "who was free first");
        assert_eq!(slots.take_further(5), Some(ContactSlot(11)));
    }
}
