//! Wake-ups: messages that only say "look at this slot again". An owner that is woken reads the state words.
//!
//! Each shard has one bit for each slot, one for each word of these bits, and one for each word of those. A thread that
//! wakes an owner sets all three, from the slot's bit upwards, even if they are set already. So a thread that stalls
//! between two of them holds up no other wake-up. The owner takes the bits from the top down. So a wake-up is never
//! lost, there is always room, and it takes a look at a word or two to know whether there is one.

use crate::base::padded::Padded;
use crate::base::sync::{AtomicU64, Ordering};

/// Bits in a word.
const BITS: u32 = 64;

/// The bits of one shard, level by level.
struct Shard {
    slots: Box<[AtomicU64]>,
    words: Box<[Padded<AtomicU64>]>,
    top: Box<[Padded<AtomicU64>]>,
}

/// The bits of one kind of slot, by shard.
pub(crate) struct WakeUps(Box<[Shard]>);

fn clear(bits: u32) -> Box<[Padded<AtomicU64>]> {
    (0..bits.div_ceil(BITS)).map(|_| Padded(AtomicU64::new(0))).collect()
}

/// The place of a bit: the word, and the bit in it.
fn place(bit: u32) -> (usize, u64) {
    ((bit / BITS) as usize, 1 << (bit % BITS))
}

/// Takes a word's bits away. Returns their places, in rising order.
fn take(word: &AtomicU64, index: u32) -> impl Iterator<Item = u32> {
    let mut bits = if word.load(Ordering::Acquire) == 0 { 0 } else { word.swap(0, Ordering::AcqRel) };
    std::iter::from_fn(move || {
        let bit = (bits != 0).then(|| bits.trailing_zeros())?;
        bits &= bits - 1;
        Some(index * BITS + bit)
    })
}

impl WakeUps {
    pub(crate) fn new(slots: u32, shards: u16) -> Self {
        let shard = |_| {
            let words = slots.div_ceil(BITS);
            Shard {
                slots: (0..words).map(|_| AtomicU64::new(0)).collect(),
                words: clear(words),
                top: clear(words.div_ceil(BITS)),
            }
        };
        WakeUps((0..shards).map(shard).collect())
    }

    /// Has `shard` look at `slot`.
    pub(crate) fn push(&self, shard: u16, slot: u32) {
        let shard = &self.0[usize::from(shard)];
        let (word, bit) = place(slot);
        // It is always written: after taking this bit the owner reads what was written before it.
        shard.slots[word].fetch_or(bit, Ordering::AcqRel);
        let (above, bit) = place(word as u32);
        Self::set(&shard.words[above], bit);
        let (top, bit) = place(above as u32);
        Self::set(&shard.top[top], bit);
    }

    /// Sets a bit of a higher level. A bit that is still set will be taken after the slot's own: had it been taken
    /// before, it would be seen cleared.
    fn set(word: &AtomicU64, bit: u64) {
        if word.load(Ordering::Acquire) & bit == 0 {
            word.fetch_or(bit, Ordering::AcqRel);
        }
    }

    /// Whether `shard` has anything to look at.
    pub(crate) fn pending(&self, shard: u16) -> bool {
        self.0[usize::from(shard)].top.iter().any(|word| word.load(Ordering::Acquire) != 0)
    }

    /// Takes all slots that `shard` is to look at. Each slot's bit is taken before the slot is handed over, so that a
    /// change made while its owner looks wakes the owner again.
    pub(crate) fn drain(&self, shard: u16, mut each: impl FnMut(u32)) {
        let shard = &self.0[usize::from(shard)];
        for (index, top) in (0..).zip(&shard.top) {
            for above in take(top, index) {
                for word in take(&shard.words[above as usize], above) {
                    take(&shard.slots[word as usize], word).for_each(&mut each);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_slot_once_and_to_its_own_shard() {
        let wake_ups = WakeUps::new(300_000, 2);
        let slots = [0, 1, 63, 64, 4095, 4096, 262_143, 262_144, 299_999];
        assert!(!wake_ups.pending(1));
        for _ in 0..2 {
            for slot in slots {
                wake_ups.push(1, slot);
                wake_ups.push(1, slot);
            }
            assert!(wake_ups.pending(1) && !wake_ups.pending(0));
            let mut taken = Vec::new();
            wake_ups.drain(0, |_| panic!("another's"));
            wake_ups.drain(1, |slot| taken.push(slot));
            assert_eq!(taken, slots);
            assert!(!wake_ups.pending(1));
        }
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let wake_ups = WakeUps::new(5000, 1);
        let mut seen = BTreeSet::new();
        std::thread::scope(|scope| {
            let pushers: Vec<_> = (0..2)
                .map(|thread| {
                    let wake_ups = &wake_ups;
                    scope.spawn(move || (thread..5000).step_by(2).for_each(|slot| wake_ups.push(0, slot)))
                })
                .collect();
            let mut drain = || wake_ups.drain(0, |slot| assert!(seen.insert(slot)));
            while !pushers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                drain();
            }
            drain();
        });
        assert_eq!(seen.len(), 5000);
    }
}
