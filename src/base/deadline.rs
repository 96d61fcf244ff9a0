//! Deadlines, each with a reason: "why does this call wake at 14:03?" has an answer.
//!
//! It is a four-ary heap whose items know their positions. So a deadline can be moved or cancelled in O(log n), and the
//! next one is exact. Nothing here knows what time it is.

use super::time::Time;

/// A handle to a deadline that was set. A handle whose deadline has passed or was cancelled refers to nothing, for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeadlineId {
    slot: u32,
    generation: u32,
}

#[derive(Debug)]
struct Slot<R> {
    at: Time,
    /// The order of setting breaks ties, so that runs repeat exactly.
    order: u64,
    place: u32,
    generation: u32,
    reason: Option<R>,
}

/// A set of deadlines with reasons of type `R`.
#[derive(Debug)]
pub struct Deadlines<R> {
    slots: Vec<Slot<R>>,
    free: Vec<u32>,
    heap: Vec<u32>,
    order: u64,
}

impl<R> Default for Deadlines<R> {
    fn default() -> Self {
        Deadlines { slots: Vec::new(), free: Vec::new(), heap: Vec::new(), order: 0 }
    }
}

const ARITY: usize = 4;

impl<R> Deadlines<R> {
    /// Sets a deadline.
    pub fn set(&mut self, at: Time, reason: R) -> DeadlineId {
        self.order += 1;
        let order = self.order;
        let place = self.heap.len() as u32;
        let slot = if let Some(slot) = self.free.pop() {
            let entry = &mut self.slots[slot as usize];
            entry.at = at;
            entry.order = order;
            entry.place = place;
            entry.reason = Some(reason);
            slot
        } else {
            self.slots.push(Slot { at, order, place, generation: 0, reason: Some(reason) });
            (self.slots.len() - 1) as u32
        };
        self.heap.push(slot);
        self.sift_up(place as usize);
        DeadlineId { slot, generation: self.slots[slot as usize].generation }
    }

    /// Cancels a deadline; its reason, if it was still pending.
    pub fn cancel(&mut self, id: DeadlineId) -> Option<R> {
        let entry = self.slots.get(id.slot as usize)?;
        if entry.generation != id.generation || entry.reason.is_none() {
            return None;
        }
        let place = entry.place as usize;
        Some(self.remove_at(place).1)
    }

    /// The next deadline and its reason.
    #[must_use]
    pub fn next(&self) -> Option<(Time, &R)> {
        let entry = &self.slots[*self.heap.first()? as usize];
        entry.reason.as_ref().map(|reason| (entry.at, reason))
    }

    /// Takes the earliest deadline that is due at `now`.
    pub fn pop_due(&mut self, now: Time) -> Option<(Time, R)> {
        let first = *self.heap.first()?;
        if self.slots[first as usize].at > now {
            return None;
        }
        Some(self.remove_at(0))
    }

    /// How many are pending.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// All that are pending, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Time, &R)> {
        self.heap.iter().filter_map(|slot| {
            let entry = &self.slots[*slot as usize];
            entry.reason.as_ref().map(|reason| (entry.at, reason))
        })
    }

    fn remove_at(&mut self, place: usize) -> (Time, R) {
        let slot = self.heap[place];
        let last = self.heap.pop().expect("the place is in the heap");
        if place < self.heap.len() {
            self.heap[place] = last;
            self.slots[last as usize].place = place as u32;
            self.sift_down(place);
            self.sift_up(place);
        }
        let entry = &mut self.slots[slot as usize];
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(slot);
        (entry.at, entry.reason.take().expect("a slot in the heap has a reason"))
    }

    fn before(&self, a: u32, b: u32) -> bool {
        let (a, b) = (&self.slots[a as usize], &self.slots[b as usize]);
        (a.at, a.order) < (b.at, b.order)
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.slots[self.heap[a] as usize].place = a as u32;
        self.slots[self.heap[b] as usize].place = b as u32;
    }

    fn sift_up(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if !self.before(self.heap[place], self.heap[parent]) {
                break;
            }
            self.swap(place, parent);
            place = parent;
        }
    }

    fn sift_down(&mut self, mut place: usize) {
        loop {
            let first = place * ARITY + 1;
            let Some(least) = (first..(first + ARITY).min(self.heap.len()))
                .reduce(|least, child| if self.before(self.heap[child], self.heap[least]) { child } else { least })
            else {
                break;
            };
            if !self.before(self.heap[least], self.heap[place]) {
                break;
            }
            self.swap(place, least);
            place = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn ties_come_in_the_order_of_setting() {
        let mut deadlines = Deadlines::default();
        for name in ["a", "b", "c", "d", "e", "f"] {
            deadlines.set(Time::from_secs(1), name);
        }
        let order: Vec<_> = std::iter::from_fn(|| deadlines.pop_due(Time::from_secs(1))).map(|(_, name)| name).collect();
        assert_eq!(order, ["a", "b", "c", "d", "e", "f"]);
    }

    #[test]
    fn an_old_handle_cancels_nothing_new() {
        let mut deadlines = Deadlines::default();
        let old = deadlines.set(Time::from_secs(1), 1);
        assert_eq!(deadlines.cancel(old), Some(1));
        let new = deadlines.set(Time::from_secs(2), 2);
        assert_eq!(deadlines.cancel(old), None);
        assert_eq!(deadlines.cancel(new), Some(2));
    }

    proptest! {
        /// Against a plain ordered map: the same things come out in the same order, whatever is set, cancelled and popped.
        #[test]
        fn agrees_with_an_ordered_map(steps in prop::collection::vec((0u8..4, 0u64..50), 0..400)) {
            let mut deadlines = Deadlines::default();
            let mut model: BTreeMap<(u64, u32), DeadlineId> = BTreeMap::new();
            for (serial, (kind, at)) in (0u32..).zip(steps) {
                match kind {
                    0 | 1 => {
                        model.insert((at, serial), deadlines.set(Time::from_micros(at), serial));
                    }
                    2 => {
                        let victim = model.range((at, 0)..).next().map(|(key, id)| (*key, *id));
                        if let Some((key, id)) = victim {
                            model.remove(&key);
                            prop_assert_eq!(deadlines.cancel(id), Some(key.1));
                        }
                    }
                    _ => {
                        let expected = model.first_key_value().map(|(key, _)| *key).filter(|key| key.0 <= at);
                        let got = deadlines.pop_due(Time::from_micros(at));
                        prop_assert_eq!(got.map(|(t, s)| (t.micros(), s)), expected);
                        if let Some(key) = expected { model.remove(&key); }
                    }
                }
                prop_assert_eq!(deadlines.len(), model.len());
                prop_assert_eq!(deadlines.next().map(|(t, s)| (t.micros(), *s)), model.first_key_value().map(|(key, _)| *key));
            }
        }
    }
}
