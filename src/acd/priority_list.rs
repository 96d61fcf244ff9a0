//! Priority lists: ordered lists of entries, joined at the tail and read from the front, without locks, unsafe code or
//! freeing.
//!
//! A *priority list* is a chain of segments. A segment has room for sixteen entries and their keys. A thread joins by
//! putting first the key and then the entry into the first empty position of the last segment, by compare-and-swap. So
//! a list has no holes. A key must not be before the last one: otherwise the list refuses, and the entry goes elsewhere
//! ([`super::ready_index`]). An entry leaves by becoming [`DEAD`]. A segment whose entries are all dead is unlinked
//! from the chain and reused, in any list.
//!
//! Memory that keeps its type and is never freed replaces epochs and unsafe code. A segment has a *reuse epoch*, which
//! grows each time that it is reused. Every "empty", "no next" and "here" carries the reuse epoch that it means. A
//! thread that slept holds words of an old reuse epoch: its compare-and-swaps fail, and its reads are detected.
//!
//! ```text
//! key:    EMPTY | reuse epoch    or 63 bits of key
//! entry:  EMPTY | reuse epoch    or an entry (42 bits), or DEAD
//! next:   NONE  | reuse epoch    or FROZEN? | segment | its reuse epoch
//! front:  segment | position | reuse epoch: all before it is dead for good
//! tail:   the same: where to look for the end; may be old
//! ```
//!
//! Orders: loads Acquire, compare-and-swap AcqRel/Acquire. Chains are unlinked as in Harris's list: a segment's own
//! `next` is frozen before the pointer to it is moved on, so that two neighbours cannot be unlinked past each other.

use super::segments::{Segment, SegmentRef, Segments};
use crate::base::sync::{AtomicU32, AtomicU64, Ordering};

/// Entries in a segment; two in the models, so that a few entries span several segments.
pub(super) const SEGMENT: u32 = if cfg!(any(hotline_loom, hotline_shuttle, hotline_parked)) { 2 } else { 16 };

pub(super) const EMPTY: u64 = 1 << 63;
/// An entry that is over for good.
const DEAD: u64 = 1 << 62;
pub(super) const NONE: u64 = 1 << 63;
const FROZEN: u64 = 1 << 62;
/// A front or tail of a priority list that has no segment yet.
const NOWHERE: u64 = u64::MAX;
/// How little a key may be before the last one and still join behind it, with a key just after the last: of two parties
/// that enter at the same moment neither is first. A millisecond, in the units of keys.
const NEAR: u64 = 1_000 << 10;
/// A list is swept when so many segments have died, and these are a quarter of the chain.
pub(super) const SWEEP_AT: u32 = 4;

/// A party, and the generation of its entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct IndexEntry(u64);

impl IndexEntry {
    pub(crate) fn new(slot: u32, generation: u32) -> Self {
        IndexEntry(u64::from(slot) << 22 | u64::from(generation))
    }

    #[cfg(hotline_loom)]
    pub(crate) fn from_word(word: u64) -> Self {
        IndexEntry(word)
    }

    #[cfg(hotline_loom)]
    pub(crate) fn word(self) -> u64 {
        self.0
    }

    pub(crate) fn slot(self) -> u32 {
        (self.0 >> 22) as u32
    }

    pub(crate) fn generation(self) -> u32 {
        self.0 as u32 & ((1 << 22) - 1)
    }
}

/// What a scan learns of an entry from the caller, who knows the state words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    /// The scan may end.
    Stop,
    /// Alive, or not alive yet: it stays, and the scan goes on.
    Pass,
    /// It will never be alive again.
    Dead,
}

/// A position in a priority list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spot {
    segment: SegmentRef,
    position: u32,
}

impl Spot {
    pub(super) fn pack(self) -> u64 {
        u64::from(self.segment.index) << 40 | u64::from(self.position) << 32 | u64::from(self.segment.epoch)
    }

    pub(super) fn unpack(word: u64) -> Self {
        let segment = SegmentRef { index: (word >> 40) as u32, epoch: word as u32 };
        Spot { segment, position: (word >> 32 & 0xff) as u32 }
    }

    fn start(segment: SegmentRef) -> Self {
        Spot { segment, position: 0 }
    }
}

/// Why a priority list does not take an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// Its key is before the last one.
    OutOfOrder,
    /// There are no more segments.
    Full,
}

/// The segment was used again since it was named.
struct Stale;

pub(super) struct PriorityList {
    front: AtomicU64,
    tail: AtomicU64,
    /// Segments in the chain, and how many have come to have only dead entries since the last sweep. Both are hints of
    /// when to sweep.
    length: AtomicU32,
    deaths: AtomicU32,
}

fn link(to: SegmentRef) -> u64 {
    u64::from(to.index) << 32 | u64::from(to.epoch)
}

fn linked(word: u64) -> SegmentRef {
    SegmentRef { index: (word >> 32) as u32 & ((1 << 24) - 1), epoch: word as u32 }
}

impl Segment {
    /// The first empty position; `SEGMENT` when there is none. Positions fill from the first to the last.
    fn first_empty(&self, epoch: u32) -> Result<u32, Stale> {
        let (mut low, mut high) = (0, SEGMENT);
        while low < high {
            let middle = low.midpoint(high);
            let key = self.keys[middle as usize].load(Ordering::Acquire);
            if key & EMPTY == 0 {
                low = middle + 1;
            } else if key as u32 == epoch {
                high = middle;
            } else {
                return Err(Stale);
            }
        }
        Ok(low)
    }

    /// What follows this segment in its chain, in this reuse epoch.
    fn next(&self, epoch: u32) -> Result<Option<u64>, Stale> {
        let next = self.next.load(Ordering::Acquire);
        if self.epoch.load(Ordering::Acquire) != epoch {
            return Err(Stale);
        }
        Ok((next & NONE == 0).then_some(next))
    }

    /// Makes sure that `next`, which was seen, stays what follows. False when it does not follow any more.
    fn freeze(&self, next: u64) -> bool {
        next & FROZEN != 0 || self.next.compare_exchange(next, next | FROZEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether all entries of this reuse epoch are dead, which is for good.
    fn over(&self, epoch: u32) -> bool {
        self.keys[SEGMENT as usize - 1].load(Ordering::Acquire) & EMPTY == 0
            && self.entries.iter().all(|entry| entry.load(Ordering::Acquire) == DEAD)
            && self.epoch.load(Ordering::Acquire) == epoch
    }

    /// Whether an entry has joined behind `position`.
    fn followed(&self, position: u32) -> bool {
        match self.keys.get(position as usize + 1) {
            Some(key) => key.load(Ordering::Acquire) & EMPTY == 0,
            None => self.next.load(Ordering::Acquire) & NONE == 0,
        }
    }
}

impl PriorityList {
    pub(super) fn new() -> Self {
        PriorityList {
            front: AtomicU64::new(NOWHERE),
            tail: AtomicU64::new(NOWHERE),
            length: AtomicU32::new(0),
            deaths: AtomicU32::new(0),
        }
    }

    /// Joins at the tail. Returns the position, and the key of the entry. `ordered`: only if the key is not before the
    /// last one.
    #[inline]
    pub(super) fn append(&self, segments: &Segments, key: u64, entry: IndexEntry, ordered: bool) -> Result<(Spot, u64), Refused> {
        let tail = self.tail.load(Ordering::Acquire);
        let mut at = if tail == NOWHERE { self.start(segments)? } else { Spot::unpack(tail).segment };
        loop {
            let segment = segments.get(at.index);
            let Ok(position) = segment.first_empty(at.epoch) else {
                at = self.start(segments)?;
                continue;
            };
            if position == SEGMENT {
                at = match self.following(segments, at)? {
                    Ok(next) => next,
                    Err(Stale) => self.start(segments)?,
                };
                continue;
            }
            let last = match position {
                0 => segment.floor.load(Ordering::Acquire),
                _ => segment.keys[position as usize - 1].load(Ordering::Acquire) & !EMPTY,
            };
            let spot = Spot { segment: at, position };
            let entered = if !ordered || key >= last {
                key
            } else if last - key <= NEAR {
                last + 1
            } else if self.front.load(Ordering::Acquire) == spot.pack() {
                // All entries before are dead, so there is nothing to be in order with.
                key
            } else {
                return Err(Refused::OutOfOrder);
            };
            let empty = EMPTY | u64::from(at.epoch);
            let swap = |word: &AtomicU64, to| word.compare_exchange(empty, to, Ordering::AcqRel, Ordering::Acquire).is_ok();
            // Should another thread find the key without its entry and want to pass, this position is lost, and the
            // next one is tried.
            if swap(&segment.keys[position as usize], entered) && swap(&segment.entries[position as usize], entry.0) {
                return Ok((spot, entered));
            }
        }
    }

    /// The first segment of the chain; there is one afterwards.
    fn start(&self, segments: &Segments) -> Result<SegmentRef, Refused> {
        let front = self.front.load(Ordering::Acquire);
        if front != NOWHERE {
            return Ok(Spot::unpack(front).segment);
        }
        let fresh = segments.take().ok_or(Refused::Full)?;
        segments.get(fresh.index).floor.store(0, Ordering::Release);
        let spot = Spot::start(fresh).pack();
        match self.front.compare_exchange(NOWHERE, spot, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                self.length.fetch_add(1, Ordering::AcqRel);
                self.tail.store(spot, Ordering::Release);
                Ok(fresh)
            }
            Err(now) => {
                segments.give(fresh.index);
                Ok(Spot::unpack(now).segment)
            }
        }
    }

    /// The segment after one that is full; there is one afterwards.
    fn following(&self, segments: &Segments, at: SegmentRef) -> Result<Result<SegmentRef, Stale>, Refused> {
        let segment = segments.get(at.index);
        let next = match segment.next(at.epoch) {
            Err(Stale) => return Ok(Err(Stale)),
            Ok(Some(next)) => linked(next),
            Ok(None) => {
                let fresh = segments.take().ok_or(Refused::Full)?;
                let floor = segment.keys[SEGMENT as usize - 1].load(Ordering::Acquire) & !EMPTY;
                segments.get(fresh.index).floor.store(floor, Ordering::Release);
                let none = NONE | u64::from(at.epoch);
                if let Err(now) = segment.next.compare_exchange(none, link(fresh), Ordering::AcqRel, Ordering::Acquire) {
                    segments.give(fresh.index);
                    if now & NONE != 0 || segment.epoch.load(Ordering::Acquire) != at.epoch {
                        return Ok(Err(Stale));
                    }
                    linked(now)
                } else {
                    self.length.fetch_add(1, Ordering::AcqRel);
                    fresh
                }
            }
        };
        self.tail.store(Spot::start(next).pack(), Ordering::Release);
        Ok(Ok(next))
    }

    /// Passes the entries to `visit`, from the front on, until it says that it is enough; buries dead ones. An entry
    /// may be passed twice. Returns whether the list has no entry at all.
    pub(super) fn scan(&self, segments: &Segments, mut visit: impl FnMut(u64, IndexEntry) -> Seen) -> bool {
        loop {
            if let Ok(empty) = self.try_scan(segments, &mut visit) {
                return empty;
            }
        }
    }

    fn try_scan(&self, segments: &Segments, visit: &mut impl FnMut(u64, IndexEntry) -> Seen) -> Result<bool, Stale> {
        let mut front = self.front.load(Ordering::Acquire);
        if front == NOWHERE {
            return Ok(true);
        }
        let mut at = Spot::unpack(front);
        // While all entries before `at` are dead, the front follows.
        let mut leading = true;
        let mut empty = true;
        loop {
            let epoch = at.segment.epoch;
            let segment = segments.get(at.segment.index);
            while at.position < SEGMENT {
                let key = segment.keys[at.position as usize].load(Ordering::Acquire);
                if key & EMPTY != 0 {
                    if key as u32 != epoch {
                        return Err(Stale);
                    }
                    self.advance(leading, front, at);
                    return Ok(empty);
                }
                let seen = self.see(segment, at, key, visit)?;
                if seen != Seen::Dead {
                    self.advance(leading, front, at);
                    (leading, empty) = (false, false);
                    if seen == Seen::Stop {
                        return Ok(false);
                    }
                }
                at.position += 1;
            }
            let Some(next) = segment.next(epoch)? else {
                self.advance(leading, front, at);
                return Ok(empty);
            };
            let start = Spot::start(linked(next));
            leading = leading && self.pass(segments, front, at.segment, next);
            (front, at) = (start.pack(), start);
        }
    }

    fn see(&self, segment: &Segment, at: Spot, key: u64, visit: &mut impl FnMut(u64, IndexEntry) -> Seen) -> Result<Seen, Stale> {
        let word = &segment.entries[at.position as usize];
        loop {
            let entry = word.load(Ordering::Acquire);
            if entry == DEAD {
                return Ok(Seen::Dead);
            }
            if entry & EMPTY == 0 {
                let seen = visit(key, IndexEntry(entry));
                if seen == Seen::Dead {
                    self.bury(segment, word, entry);
                }
                return Ok(seen);
            }
            if entry as u32 != at.segment.epoch {
                return Err(Stale);
            }
            // Another thread is between key and entry. Entries behind it must not wait for that thread.
            if !segment.followed(at.position) {
                return Ok(Seen::Pass);
            }
            self.bury(segment, word, entry);
        }
    }

    /// Makes an entry dead, if it has not changed.
    fn bury(&self, segment: &Segment, word: &AtomicU64, entry: u64) {
        if word.compare_exchange(entry, DEAD, Ordering::AcqRel, Ordering::Acquire).is_ok()
            && segment.dead.fetch_add(1, Ordering::AcqRel) + 1 == SEGMENT
        {
            self.deaths.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Moves the front on to `at`, unless another thread has moved it.
    fn advance(&self, leading: bool, front: u64, at: Spot) {
        if leading && front != at.pack() {
            let _ = self.front.compare_exchange(front, at.pack(), Ordering::AcqRel, Ordering::Acquire);
        }
    }

    /// Moves the front from the end of a dead segment to the one that follows. Whether this thread did it.
    fn pass(&self, segments: &Segments, front: u64, from: SegmentRef, next: u64) -> bool {
        let to = Spot::start(linked(next)).pack();
        let passed = segments.get(from.index).freeze(next)
            && self.front.compare_exchange(front, to, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if passed {
            self.give(segments, from.index);
        }
        passed
    }

    fn give(&self, segments: &Segments, index: u32) {
        self.length.fetch_sub(1, Ordering::AcqRel);
        segments.give(index);
    }

    /// Takes an entry out, wherever it is.
    #[inline]
    pub(super) fn retire(&self, segments: &Segments, spot: Spot, entry: IndexEntry) {
        let segment = segments.get(spot.segment.index);
        self.bury(segment, &segment.entries[spot.position as usize], entry.0);
        let deaths = self.deaths.load(Ordering::Acquire);
        if deaths >= SWEEP_AT && deaths >= self.length.load(Ordering::Acquire) / 4 {
            self.deaths.store(0, Ordering::Release);
            self.sweep(segments);
        }
    }

    /// Unlinks dead segments behind the first one.
    fn sweep(&self, segments: &Segments) {
        let front = self.front.load(Ordering::Acquire);
        if front == NOWHERE {
            return;
        }
        let mut before = Spot::unpack(front).segment;
        while let Ok(Some(to_this)) = segments.get(before.index).next(before.epoch) {
            let this = linked(to_this);
            let segment = segments.get(this.index);
            if !segment.over(this.epoch) {
                before = this;
                continue;
            }
            let Ok(Some(next)) = segment.next(this.epoch) else { return };
            let pointer = &segments.get(before.index).next;
            let onward = next & !FROZEN;
            if !segment.freeze(next)
                || pointer.compare_exchange(to_this & !FROZEN, onward, Ordering::AcqRel, Ordering::Acquire).is_err()
            {
                return;
            }
            self.give(segments, this.index);
        }
    }

    /// How many segments the chain has; exact at rest.
    #[cfg(test)]
    pub(super) fn length(&self, segments: &Segments) -> usize {
        let front = self.front.load(Ordering::Acquire);
        if front == NOWHERE {
            return 0;
        }
        let mut length = 1;
        let mut at = Spot::unpack(front).segment;
        while let Ok(Some(next)) = segments.get(at.index).next(at.epoch) {
            length += 1;
            at = linked(next);
        }
        length
    }
}

#[cfg(test)]
#[path = "priority_list_tests.rs"]
mod tests;
