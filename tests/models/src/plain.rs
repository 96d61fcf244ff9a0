//! The index that loom sees: a few buckets, each an array of entries that is read whole. What is modelled is the claim
//! protocol; the real index has models of its own.

use std::sync::atomic::{AtomicU32 as Passed32, AtomicU64 as Passed64};

use crate::acd::priority_list::{IndexEntry, Seen};
use crate::acd::ready_index::{Location, Mask, Order};
use crate::modelled::{AtomicU64, Ordering};

/// WakeUps of one shard: a bit a slot.
pub(crate) struct PlainWakeUps(AtomicU64);

impl PlainWakeUps {
    pub(crate) fn new(_slots: u32, _shards: u16) -> Self {
        PlainWakeUps(AtomicU64::new(0))
    }

    pub(crate) fn push(&self, _shard: u16, slot: u32) {
        self.0.fetch_or(1 << slot, Ordering::AcqRel);
    }

    pub(crate) fn pending(&self, _shard: u16) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    pub(crate) fn drain(&self, _shard: u16, each: impl FnMut(u32)) {
        let bits = self.0.swap(0, Ordering::AcqRel);
        (0..64).filter(|bit| bits >> bit & 1 == 1).for_each(each);
    }
}

const BUCKETS: usize = 4;
const ENTRIES: usize = 5;
const NOTHING: u64 = 0;

struct Bucket {
    /// How many have begun to enter; each has a position of its own.
    begun: Passed32,
    keys: [Passed64; ENTRIES],
    /// An entry plus one.
    entries: [AtomicU64; ENTRIES],
}

pub(crate) struct Plain([Bucket; BUCKETS]);

impl Plain {
    pub(crate) fn new(_parties: u32, _buckets: u32) -> Self {
        Plain(std::array::from_fn(|_| Bucket {
            begun: Passed32::new(0),
            keys: std::array::from_fn(|_| Passed64::new(0)),
            entries: std::array::from_fn(|_| AtomicU64::new(NOTHING)),
        }))
    }

    pub(crate) fn enter(&self, bucket: u32, key: u64, entry: IndexEntry) -> (Location, u64) {
        let it = &self.0[bucket as usize];
        let position = it.begun.fetch_add(1, Ordering::SeqCst);
        it.keys[position as usize].store(key, Ordering::SeqCst);
        it.entries[position as usize].store(entry.word() + 1, Ordering::Release);
        (Location::from_word(u64::from(position)), key)
    }

    /// What is retired is not seen any more.
    pub(crate) fn retire(&self, bucket: u32, location: Location, entry: IndexEntry) {
        self.bury(&self.0[bucket as usize], location.word() as usize, entry.word() + 1);
    }

    fn bury(&self, bucket: &Bucket, position: usize, word: u64) {
        let _ = bucket.entries[position].compare_exchange(word, NOTHING, Ordering::AcqRel, Ordering::Acquire);
    }

    pub(crate) fn scan<S>(
        &self,
        buckets: &[Mask],
        order: Order,
        state: &mut S,
        _reach: impl Fn(&S) -> u64,
        mut visit: impl FnMut(&mut S, u32, u64, IndexEntry) -> Seen,
    ) {
        for at in Mask::buckets(buckets) {
            let bucket = &self.0[at as usize];
            let mut positions: Vec<usize> = (0..bucket.begun.load(Ordering::SeqCst) as usize).collect();
            positions.sort_by_key(|position| bucket.keys[*position].load(Ordering::SeqCst));
            for position in positions {
                let word = bucket.entries[position].load(Ordering::Acquire);
                if word == NOTHING {
                    continue;
                }
                match visit(state, at, bucket.keys[position].load(Ordering::SeqCst), IndexEntry::from_word(word - 1)) {
                    Seen::Stop if order == Order::ByKey => break,
                    Seen::Dead => self.bury(bucket, position, word),
                    Seen::Stop | Seen::Pass => {}
                }
            }
        }
    }
}
