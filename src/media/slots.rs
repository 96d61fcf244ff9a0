//! Who sends when: the senders of own audio spread over the twenty milliseconds of a packet, so that no sweep has to send them all.

/// Slots of 1 ms in the 20 ms of a packet.
pub(super) const SLOTS: usize = 20;

/// A sender's place, which it keeps to be removed by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seat {
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
    /// Seats a sender in the emptiest slot; of several the first that comes after `tick`.
    pub(super) fn seat(&mut self, sender: u32, tick: u64) -> Seat {
        let next = (tick + 1) as usize % SLOTS;
        let slot = (next..next + SLOTS).map(|slot| slot % SLOTS).min_by_key(|slot| self.slots[*slot].len()).unwrap_or(0);
        let seats = &mut self.slots[slot];
        seats.push(sender);
        self.senders += 1;
        Seat { slot: slot as u8, index: (seats.len() - 1) as u32 }
    }

    /// Frees a seat; the sender that took it over, which has that seat now.
    pub(super) fn free(&mut self, seat: Seat) -> Option<u32> {
        let seats = &mut self.slots[usize::from(seat.slot)];
        seats.swap_remove(seat.index as usize);
        self.senders -= 1;
        seats.get(seat.index as usize).copied()
    }

    /// The sender at an index of the slot of `tick`.
    pub(super) fn at(&self, tick: u64, index: usize) -> Option<u32> {
        self.slots[tick as usize % SLOTS].get(index).copied()
    }

    /// How many are seated.
    pub(super) const fn len(&self) -> usize {
        self.senders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_are_spread_and_keep_their_seats() {
        let mut slots = Slots::default();
        let mut seats: Vec<Option<Seat>> = (0..100).map(|sender| Some(slots.seat(sender, 7))).collect();
        assert!(slots.slots.iter().all(|slot| slot.len() == 5));
        assert_eq!(slots.at(8, 0), Some(0), "the first sends with the next tick");
        for leaver in (0..100).step_by(3) {
            let seat = seats[leaver].take().expect("seated");
            if let Some(moved) = slots.free(seat) {
                seats[moved as usize] = Some(seat);
            }
        }
        assert_eq!(slots.len(), seats.iter().flatten().count());
        for (sender, seat) in (0u32..).zip(&seats) {
            if let Some(seat) = seat {
                assert_eq!(slots.slots[usize::from(seat.slot)][seat.index as usize], sender);
            }
        }
    }
}
