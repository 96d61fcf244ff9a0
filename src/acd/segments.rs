//! The memory of the priority lists: segments that are reused and never freed.
//!
//! Free segments are on a stack with a tagged head (Treiber's). While the stack is empty a chunk at a time is
//! allocated, up to the number allowed. A reference to a segment names the reuse epoch that it means (see
//! [`super::priority_list`]).

use once_cell::race::OnceBox;

use super::priority_list::{EMPTY, NONE, SEGMENT};
use super::step::{Step, does};
use crate::base::padded::Padded;
use crate::base::sync::{AtomicU32, AtomicU64, Ordering};

/// Segments that are allocated together.
const CHUNK: u32 = if cfg!(any(hotline_loom, hotline_shuttle, hotline_parked)) { 4 } else { 64 };
/// As many segments as a packed reference can name.
pub(crate) const SEGMENTS_LIMIT: u32 = 1 << 24;

/// A segment, and the reuse epoch that is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentRef {
    pub(super) index: u32,
    pub(super) epoch: u32,
}

pub(super) struct Segment {
    pub(super) epoch: AtomicU32,
    /// How many entries are dead: a hint of when to look.
    pub(super) dead: AtomicU32,
    /// The last key of the segment before this one.
    pub(super) floor: AtomicU64,
    pub(super) next: AtomicU64,
    pub(super) keys: [AtomicU64; SEGMENT as usize],
    pub(super) entries: [AtomicU64; SEGMENT as usize],
    /// The segment under this one on the stack, plus one.
    below: AtomicU32,
}

impl Segment {
    fn new() -> Self {
        Segment {
            epoch: AtomicU32::new(0),
            dead: AtomicU32::new(0),
            floor: AtomicU64::new(0),
            next: AtomicU64::new(NONE),
            keys: std::array::from_fn(|_| AtomicU64::new(EMPTY)),
            entries: std::array::from_fn(|_| AtomicU64::new(EMPTY)),
            below: AtomicU32::new(0),
        }
    }

    /// Begins the next reuse epoch: a thread that still holds words of this one finds out.
    fn renew(&self) {
        let next = u32::from(does(Step::NewReuseEpoch));
        let epoch = self.epoch.load(Ordering::Acquire).wrapping_add(next);
        self.epoch.store(epoch, Ordering::Release);
        for (key, entry) in self.keys.iter().zip(&self.entries) {
            key.store(EMPTY | u64::from(epoch), Ordering::Release);
            entry.store(EMPTY | u64::from(epoch), Ordering::Release);
        }
        self.next.store(NONE | u64::from(epoch), Ordering::Release);
        self.dead.store(0, Ordering::Release);
    }
}

struct Chunk([Segment; CHUNK as usize]);

pub(super) struct Segments {
    chunks: Box<[OnceBox<Chunk>]>,
    /// How many were ever handed out.
    begun: Padded<AtomicU32>,
    max: u32,
    /// A tag that changes at each push and pop, and the topmost segment plus one.
    top: Padded<AtomicU64>,
}

impl Segments {
    pub(super) fn new(max: u32) -> Self {
        assert!(max <= SEGMENTS_LIMIT, "checked by the configuration");
        let chunks = (0..max.div_ceil(CHUNK)).map(|_| OnceBox::new()).collect();
        Segments { chunks, begun: Padded(AtomicU32::new(0)), max, top: Padded(AtomicU64::new(0)) }
    }

    pub(super) fn get(&self, index: u32) -> &Segment {
        let chunk =
            self.chunks[(index / CHUNK) as usize].get_or_init(|| Box::new(Chunk(std::array::from_fn(|_| Segment::new()))));
        &chunk.0[(index % CHUNK) as usize]
    }

    /// An empty segment that no list has; `None` when there are as many as allowed.
    pub(super) fn take(&self) -> Option<SegmentRef> {
        let index = self.pop().or_else(|| self.begin())?;
        Some(SegmentRef { index, epoch: self.get(index).epoch.load(Ordering::Acquire) })
    }

    fn pop(&self) -> Option<u32> {
        let mut top = self.top.load(Ordering::Acquire);
        loop {
            let index = (top as u32).checked_sub(1)?;
            let below = self.get(index).below.load(Ordering::Acquire);
            match self.top.compare_exchange(top, retagged(top, below), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(index),
                Err(now) => top = now,
            }
        }
    }

    fn begin(&self) -> Option<u32> {
        let mut begun = self.begun.load(Ordering::Acquire);
        while begun < self.max {
            match self.begun.compare_exchange(begun, begun + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(index) => return Some(index),
                Err(now) => begun = now,
            }
        }
        None
    }

    /// Gives back a segment that no chain leads to any more. Threads may still be reading it.
    pub(super) fn give(&self, index: u32) {
        let segment = self.get(index);
        segment.renew();
        let mut top = self.top.load(Ordering::Acquire);
        loop {
            segment.below.store(top as u32, Ordering::Release);
            match self.top.compare_exchange(top, retagged(top, index + 1), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// How many are not on the stack; exact at rest.
    #[cfg(test)]
    pub(super) fn in_use(&self) -> u32 {
        let mut free = 0;
        let mut at = self.top.load(Ordering::Acquire) as u32;
        while at != 0 {
            free += 1;
            at = self.get(at - 1).below.load(Ordering::Acquire);
        }
        self.begun.load(Ordering::Acquire) - free
    }
}

fn retagged(top: u64, first: u32) -> u64 {
    ((top >> 32).wrapping_add(1) << 32) | u64::from(first)
}
