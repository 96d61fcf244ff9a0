//! The schedule of senders: those with audio of their own are spread over the twenty milliseconds of a packet, so that
//! no sweep has to send them all.

/// Slots of 1 ms in the 20 ms of a packet.
pub(super) const SLOTS: usize = 20;

/// The place of a sender, by which it is removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SenderPlace {
    slot: u8,
    index: u32,
}

/// The senders by slot.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: [Vec<u32>; SLOTS],
    senders: usize,
}

impl Slots {
    /// Adds a sender to the emptiest slot; among equals to the first that comes after `tick`.
    pub(super) fn add(&mut self, sender: u32, tick: u64) -> SenderPlace {
        let next = (tick + 1) as usize % SLOTS;
        let slot = (next..next + SLOTS).map(|slot| slot % SLOTS).min_by_key(|slot| self.slots[*slot].len()).unwrap_or(0);
        let senders = &mut self.slots[slot];
        senders.push(sender);
        self.senders += 1;
        SenderPlace { slot: slot as u8, index: (senders.len() - 1) as u32 }
    }

    /// Removes a sender. Returns the sender that was moved to its place, if any.
    pub(super) fn free(&mut self, place: SenderPlace) -> Option<u32> {
        let senders = &mut self.slots[usize::from(place.slot)];
        senders.swap_remove(place.index as usize);
        self.senders -= 1;
        senders.get(place.index as usize).copied()
    }

    /// The sender at an index of the slot of `tick`.
    pub(super) fn at(&self, tick: u64, index: usize) -> Option<u32> {
        self.slots[tick as usize % SLOTS].get(index).copied()
    }

    /// How many senders there are.
    pub(super) const fn len(&self) -> usize {
        self.senders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_are_spread_and_keep_their_places() {
        let mut slots = Slots::default();
        let mut senders: Vec<Option<SenderPlace>> = (0..100).map(|sender| Some(slots.add(sender, 7))).collect();
        assert!(slots.slots.iter().all(|slot| slot.len() == 5));
        assert_eq!(slots.at(8, 0), Some(0), "the first sends with the next tick");
        for leaver in (0..100).step_by(3) {
            let place = senders[leaver].take().expect("placed");
            if let Some(moved) = slots.free(place) {
                senders[moved as usize] = Some(place);
            }
        }
        assert_eq!(slots.len(), senders.iter().flatten().count());
        for (sender, place) in (0u32..).zip(&senders) {
            if let Some(place) = place {
                assert_eq!(slots.slots[usize::from(place.slot)][place.index as usize], sender);
            }
        }
    }
}
