//! The ready index: the entries of ready agents, by skill group, and of waiting contacts, by demand.
//!
//! Each skill group or demand has a *bucket* of priority lists. Nearly all entries come in the order of their keys and
//! join the bucket's first list. An entry that is out of order (put back, credited with a wait elsewhere, moved by a
//! change of the directory) joins the first of some further lists in which it is in order. If there is none, it joins
//! the last list, which has no order and is read whole. So the least key of a bucket is at the front of a few lists.
//!
//! Each bucket has a *head*: a key that is not after any of its entries. A scan that has found an entry before the head
//! need not read the bucket. Bits say which further lists of a bucket have any entry. Whatever hides an entry for a
//! moment must not hide it for good. So heads and bits have versions, which every thread raises that has put an entry
//! into a list. A head is put later, or a bit cleared, only if the version has not changed since before the lists were
//! read.

use once_cell::race::OnceBox;

use super::priority_list::{IndexEntry, PriorityList, Refused, SWEEP_AT, Seen, Spot};
use super::segments::{SEGMENTS_LIMIT, Segments};
use super::step::{Step, does};
use crate::base::sync::{AtomicU64, Ordering};

/// Priority lists of a bucket: one for entries in order, some for the others, and a last one without order.
const LISTS: u32 = 8;
const UNORDERED: u32 = LISTS - 1;
/// Buckets that are allocated together, and named by one mask.
const BUCKETS_A_CHUNK: u32 = 32;

/// Some of the buckets of one chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mask {
    chunk: u32,
    bits: u32,
}

impl Mask {
    /// The masks of buckets, which may be given in any order.
    pub(crate) fn of(buckets: impl IntoIterator<Item = u32>) -> Box<[Mask]> {
        let mut buckets: Vec<u32> = buckets.into_iter().collect();
        buckets.sort_unstable();
        let mut masks: Vec<Mask> = Vec::new();
        for bucket in buckets {
            let (chunk, bit) = (bucket / BUCKETS_A_CHUNK, 1 << (bucket % BUCKETS_A_CHUNK));
            match masks.last_mut() {
                Some(mask) if mask.chunk == chunk => mask.bits |= bit,
                _ => masks.push(Mask { chunk, bits: bit }),
            }
        }
        masks.into_boxed_slice()
    }

    /// The mask of one bucket.
    pub(crate) fn one(bucket: u32) -> Mask {
        Mask { chunk: bucket / BUCKETS_A_CHUNK, bits: 1 << (bucket % BUCKETS_A_CHUNK) }
    }

    /// The buckets, in rising order.
    pub(crate) fn buckets(masks: &[Mask]) -> impl Iterator<Item = u32> + '_ {
        masks.iter().flat_map(|mask| {
            (0..BUCKETS_A_CHUNK).filter(|bit| mask.bits >> bit & 1 == 1).map(|bit| mask.chunk * BUCKETS_A_CHUNK + bit)
        })
    }
}

/// Where an entry is, for the owner that takes it out again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Location(u64);

impl Location {
    /// The position in a segment needs five of its eight bits; the number of the list has the other three.
    const LIST_SHIFT: u32 = 37;

    fn new(list: u32, spot: Spot) -> Self {
        Location(spot.pack() | u64::from(list) << Self::LIST_SHIFT)
    }

    pub(crate) fn from_word(word: u64) -> Self {
        Location(word)
    }

    pub(crate) fn word(self) -> u64 {
        self.0
    }

    fn list(self) -> u32 {
        (self.0 >> Self::LIST_SHIFT) as u32 & (LISTS - 1)
    }

    fn spot(self) -> Spot {
        Spot::unpack(self.0 & !(u64::from(LISTS - 1) << Self::LIST_SHIFT))
    }
}

/// How the entries of a bucket are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// From the least key on: [`Seen::Stop`] ends a list.
    ByKey,
    /// All of them.
    Any,
}

struct Bits(AtomicU64);

impl Bits {
    /// An entry has joined the list that `bit` stands for.
    fn set(&self, bit: u32) {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let next = (word & u64::from(u32::MAX) | 1 << bit) | ((word >> 32).wrapping_add(1) << 32);
            match self.0.compare_exchange(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    fn load(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Clears those of the bits whose lists were found empty since `seen` was loaded.
    fn clear(&self, seen: u64, bits: u32) {
        if bits != 0 {
            let _ = self.0.compare_exchange(seen, seen & !u64::from(bits), Ordering::AcqRel, Ordering::Acquire);
        }
    }
}

/// A version, and a key that is not after any entry of the bucket, without its last bits (two milliseconds of a
/// contact's key).
struct Head(AtomicU64);

impl Head {
    const CUT: u32 = 20;
    const KEY_BITS: u32 = 63 - Self::CUT;
    /// The head of an empty bucket. It is after any key.
    const NONE: u64 = (1 << Self::KEY_BITS) - 1;

    fn new() -> Self {
        Head(AtomicU64::new(Self::NONE))
    }

    fn load(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// The key of a head that was loaded.
    fn key(seen: u64) -> u64 {
        seen & Self::NONE
    }

    fn next(seen: u64, key: u64) -> u64 {
        let version = if does(Step::NewHeadVersion) { (seen >> Self::KEY_BITS).wrapping_add(1) } else { 0 };
        version << Self::KEY_BITS | key
    }

    /// An entry with this key has joined a list.
    fn lower(&self, key: u64) {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let next = Self::next(seen, Self::key(seen).min(key >> Self::CUT));
            match self.0.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Puts the head to the least key that was found since `seen` was loaded.
    fn raise(&self, seen: u64, least: Option<u64>) {
        let key = least.map_or(Self::NONE, |least| least >> Self::CUT);
        if Self::key(seen) != key {
            let _ = self.0.compare_exchange(seen, Self::next(seen, key), Ordering::AcqRel, Ordering::Acquire);
        }
    }
}

struct Bucket {
    lists: [PriorityList; LISTS as usize],
    further: Bits,
}

struct Chunk {
    heads: [Head; BUCKETS_A_CHUNK as usize],
    buckets: [Bucket; BUCKETS_A_CHUNK as usize],
}

impl Chunk {
    fn new() -> Self {
        let bucket = || Bucket { lists: std::array::from_fn(|_| PriorityList::new()), further: Bits(AtomicU64::new(0)) };
        Chunk { heads: std::array::from_fn(|_| Head::new()), buckets: std::array::from_fn(|_| bucket()) }
    }
}

/// The index of one kind of party: agents or contacts.
pub(crate) struct ReadyIndex {
    chunks: Box<[OnceBox<Chunk>]>,
    segments: Segments,
}

impl ReadyIndex {
    /// An index for so many parties and buckets. Memory is allocated as it is needed.
    pub(crate) fn new(parties: u32, buckets: u32) -> Self {
        // Each entry may keep a segment from dying, and a third of the segments may be dead and not yet swept. Besides,
        // each list keeps its last segment, and has some dead ones before it is swept at all.
        let segments = u64::from(parties) * 4 / 3 + u64::from(buckets) * u64::from(LISTS * (1 + SWEEP_AT));
        let segments = u32::try_from(segments).unwrap_or(u32::MAX).min(SEGMENTS_LIMIT);
        let chunks = (0..buckets.div_ceil(BUCKETS_A_CHUNK)).map(|_| OnceBox::new()).collect();
        ReadyIndex { chunks, segments: Segments::new(segments) }
    }

    fn chunk(&self, bucket: u32) -> &Chunk {
        self.chunks[(bucket / BUCKETS_A_CHUNK) as usize].get_or_init(|| Box::new(Chunk::new()))
    }

    /// Passes the entries of a bucket to `visit`. Returns the least key that is not dead, if there is any.
    fn scan_bucket(&self, bucket: &Bucket, order: Order, visit: &mut impl FnMut(u64, IndexEntry) -> Seen) -> Option<u64> {
        let further = bucket.further.load();
        let mut least: Option<u64> = None;
        let mut emptied = 0;
        for list in 0..LISTS {
            if list > 0 && further >> list & 1 == 0 {
                continue;
            }
            let whole = order == Order::Any || list == UNORDERED;
            let nothing = bucket.lists[list as usize].scan(&self.segments, |key, entry| {
                let seen = visit(key, entry);
                if seen != Seen::Dead {
                    least = Some(least.map_or(key, |least| least.min(key)));
                }
                if seen == Seen::Stop && whole { Seen::Pass } else { seen }
            });
            if nothing && list > 0 {
                emptied |= 1 << list;
            }
        }
        bucket.further.clear(further, emptied);
        least
    }

    /// Puts an entry into `bucket`. Returns where it is, and its key: behind an entry of the same moment the key may be
    /// a little later.
    pub(crate) fn enter(&self, bucket: u32, key: u64, entry: IndexEntry) -> (Location, u64) {
        let chunk = self.chunk(bucket);
        let it = &chunk.buckets[(bucket % BUCKETS_A_CHUNK) as usize];
        for list in 0..LISTS {
            match it.lists[list as usize].append(&self.segments, key, entry, list != UNORDERED) {
                Ok((spot, key)) => {
                    if list > 0 {
                        it.further.set(list);
                    }
                    chunk.heads[(bucket % BUCKETS_A_CHUNK) as usize].lower(key);
                    return (Location::new(list, spot), key);
                }
                Err(Refused::OutOfOrder) => {}
                Err(Refused::Full) => break,
            }
        }
        unreachable!("there is a segment for each party")
    }

    /// Takes an entry out.
    #[inline]
    pub(crate) fn retire(&self, bucket: u32, location: Location, entry: IndexEntry) {
        let it = &self.chunk(bucket).buckets[(bucket % BUCKETS_A_CHUNK) as usize];
        it.lists[location.list() as usize].retire(&self.segments, location.spot(), entry);
    }

    /// Passes the entries of `buckets` to `visit`, with `state`, the bucket and the key. [`Seen::Stop`] says that
    /// greater keys of the same bucket need not be passed. Buckets whose keys are all after `reach` are skipped. An
    /// entry may be passed more than once.
    #[inline]
    pub(crate) fn scan<S>(
        &self,
        buckets: &[Mask],
        order: Order,
        state: &mut S,
        reach: impl Fn(&S) -> u64,
        mut visit: impl FnMut(&mut S, u32, u64, IndexEntry) -> Seen,
    ) {
        for mask in buckets {
            // A chunk that is not allocated has had no entry.
            let Some(chunk) = self.chunks.get(mask.chunk as usize).and_then(OnceBox::get) else { continue };
            let mut bits = mask.bits;
            while bits != 0 {
                let bit = bits.trailing_zeros();
                bits &= bits - 1;
                let head = &chunk.heads[bit as usize];
                let seen = head.load();
                if Head::key(seen) == Head::NONE || Head::key(seen) > reach(state) >> Head::CUT {
                    continue;
                }
                let at = mask.chunk * BUCKETS_A_CHUNK + bit;
                let mut visit = |key, entry| visit(state, at, key, entry);
                let least = self.scan_bucket(&chunk.buckets[bit as usize], order, &mut visit);
                head.raise(seen, least);
            }
        }
    }
}

#[cfg(test)]
#[path = "ready_index_tests.rs"]
mod tests;
