//! Where filings are found again: a place for each line (contacts) or each bench (agents), with lanes in it.
//!
//! Nearly all who file come in order, and join the place's first lane. Who comes out of order (put back, credited with a wait elsewhere,
//! moved by a change of the directory) joins the first of some further lanes that it is in order in, and if there is none, the last
//! lane, which has no order and is read whole. So the least key of a place is at the front of a few lanes.
//!
//! Each place has a *head*, a key that is not after any of its filings: where it is after what a look has found already, the place need not
//! be looked at; bits say which further lanes of a place have anything. What hides a filing even for a moment must not hide it for good, so
//! heads and bits have versions: whoever files raises them, always, once the filing is in its lane; a head is put later, and a bit taken
//! away, only where the version has not changed since before the lanes were read.

use once_cell::race::OnceBox;

use super::lane::{Entry, Lane, Refused, SWEEP_AT, Seen, Spot};
use super::segments::{SEGMENTS_LIMIT, Segments};
use super::step::{Step, does};
use crate::base::sync::{AtomicU64, Ordering};

/// Lanes of a place: one for those in order, some for the others, the last without order.
const LANES: u32 = 8;
const UNORDERED: u32 = LANES - 1;
/// Places that are made at once, and named by one mask.
const PLACES_A_CHUNK: u32 = 32;

/// Some of the places of one chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mask {
    chunk: u32,
    bits: u32,
}

impl Mask {
    /// The masks of places, which may be in any order.
    pub(crate) fn of(places: impl IntoIterator<Item = u32>) -> Box<[Mask]> {
        let mut places: Vec<u32> = places.into_iter().collect();
        places.sort_unstable();
        let mut masks: Vec<Mask> = Vec::new();
        for place in places {
            let (chunk, bit) = (place / PLACES_A_CHUNK, 1 << (place % PLACES_A_CHUNK));
            match masks.last_mut() {
                Some(mask) if mask.chunk == chunk => mask.bits |= bit,
                _ => masks.push(Mask { chunk, bits: bit }),
            }
        }
        masks.into_boxed_slice()
    }

    /// The mask of one place.
    pub(crate) fn one(place: u32) -> Mask {
        Mask { chunk: place / PLACES_A_CHUNK, bits: 1 << (place % PLACES_A_CHUNK) }
    }

    /// The places, in rising order.
    pub(crate) fn places(masks: &[Mask]) -> impl Iterator<Item = u32> + '_ {
        masks.iter().flat_map(|mask| {
            (0..PLACES_A_CHUNK).filter(|bit| mask.bits >> bit & 1 == 1).map(|bit| mask.chunk * PLACES_A_CHUNK + bit)
        })
    }
}

/// Where a filing is, for whoever takes it out again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Filing(u64);

impl Filing {
    /// The position in a segment needs five of its eight bits; the lane has the other three.
    const LANE_SHIFT: u32 = 37;

    fn new(lane: u32, spot: Spot) -> Self {
        Filing(spot.pack() | u64::from(lane) << Self::LANE_SHIFT)
    }

    pub(crate) fn from_word(word: u64) -> Self {
        Filing(word)
    }

    pub(crate) fn word(self) -> u64 {
        self.0
    }

    fn lane(self) -> u32 {
        (self.0 >> Self::LANE_SHIFT) as u32 & (LANES - 1)
    }

    fn spot(self) -> Spot {
        Spot::unpack(self.0 & !(u64::from(LANES - 1) << Self::LANE_SHIFT))
    }
}

/// How the entries of a place are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// From the least key on: [`Seen::Stop`] ends a lane.
    ByKey,
    /// All of them.
    Any,
}

struct Bits(AtomicU64);

impl Bits {
    /// A filing has joined what `bit` stands for.
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

    /// Takes away those of the bits that were found to lead nowhere since `seen` was loaded.
    fn clear(&self, seen: u64, bits: u32) {
        if bits != 0 {
            let _ = self.0.compare_exchange(seen, seen & !u64::from(bits), Ordering::AcqRel, Ordering::Acquire);
        }
    }
}

/// A version, and a key that is not after any filing of the place, without its last bits (two milliseconds of a contact's key).
struct Head(AtomicU64);

impl Head {
    const CUT: u32 = 20;
    const KEY_BITS: u32 = 63 - Self::CUT;
    /// Nothing is filed. After any key.
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

    /// A filing with this key has joined a lane.
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

    /// The least filing that was found since `seen` was loaded.
    fn raise(&self, seen: u64, least: Option<u64>) {
        let key = least.map_or(Self::NONE, |least| least >> Self::CUT);
        if Self::key(seen) != key {
            let _ = self.0.compare_exchange(seen, Self::next(seen, key), Ordering::AcqRel, Ordering::Acquire);
        }
    }
}

struct Place {
    lanes: [Lane; LANES as usize],
    further: Bits,
}

struct Chunk {
    heads: [Head; PLACES_A_CHUNK as usize],
    places: [Place; PLACES_A_CHUNK as usize],
}

impl Chunk {
    fn new() -> Self {
        let place = || Place { lanes: std::array::from_fn(|_| Lane::new()), further: Bits(AtomicU64::new(0)) };
        Chunk { heads: std::array::from_fn(|_| Head::new()), places: std::array::from_fn(|_| place()) }
    }
}

/// The places of one kind of party.
pub(crate) struct Shelf {
    chunks: Box<[OnceBox<Chunk>]>,
    segments: Segments,
}

impl Shelf {
    /// For as many parties and places. Memory comes as it is needed.
    pub(crate) fn new(parties: u32, places: u32) -> Self {
        // Each party that is filed may keep a segment from dying, and a third of those may be dead and not yet swept; besides, each lane
        // keeps its last segment, and has some dead ones before it is swept at all.
        let segments = u64::from(parties) * 4 / 3 + u64::from(places) * u64::from(LANES * (1 + SWEEP_AT));
        let segments = u32::try_from(segments).unwrap_or(u32::MAX).min(SEGMENTS_LIMIT);
        let chunks = (0..places.div_ceil(PLACES_A_CHUNK)).map(|_| OnceBox::new()).collect();
        Shelf { chunks, segments: Segments::new(segments) }
    }

    fn chunk(&self, place: u32) -> &Chunk {
        self.chunks[(place / PLACES_A_CHUNK) as usize].get_or_init(|| Box::new(Chunk::new()))
    }

    /// Shows what is filed in a place; the least key of what is not dead, if there is anything.
    fn scan_place(&self, place: &Place, order: Order, visit: &mut impl FnMut(u64, Entry) -> Seen) -> Option<u64> {
        let further = place.further.load();
        let mut least: Option<u64> = None;
        let mut emptied = 0;
        for lane in 0..LANES {
            if lane > 0 && further >> lane & 1 == 0 {
                continue;
            }
            let whole = order == Order::Any || lane == UNORDERED;
            let nothing = place.lanes[lane as usize].scan(&self.segments, |key, entry| {
                let seen = visit(key, entry);
                if seen != Seen::Dead {
                    least = Some(least.map_or(key, |least| least.min(key)));
                }
                if seen == Seen::Stop && whole { Seen::Pass } else { seen }
            });
            if nothing && lane > 0 {
                emptied |= 1 << lane;
            }
        }
        place.further.clear(further, emptied);
        least
    }

    /// Files in `place`. Returns where, and the key as it was filed: behind one that came at the same moment it may be a little later.
    pub(crate) fn file(&self, place: u32, key: u64, entry: Entry) -> (Filing, u64) {
        let chunk = self.chunk(place);
        let it = &chunk.places[(place % PLACES_A_CHUNK) as usize];
        for lane in 0..LANES {
            match it.lanes[lane as usize].append(&self.segments, key, entry, lane != UNORDERED) {
                Ok((spot, key)) => {
                    if lane > 0 {
                        it.further.set(lane);
                    }
                    chunk.heads[(place % PLACES_A_CHUNK) as usize].lower(key);
                    return (Filing::new(lane, spot), key);
                }
                Err(Refused::OutOfOrder) => {}
                Err(Refused::Full) => break,
            }
        }
        unreachable!("there is a segment for each party")
    }

    /// Takes a filing out.
    pub(crate) fn retire(&self, place: u32, filing: Filing, entry: Entry) {
        let it = &self.chunk(place).places[(place % PLACES_A_CHUNK) as usize];
        it.lanes[filing.lane() as usize].retire(&self.segments, filing.spot(), entry);
    }

    /// Shows what is filed in `places` to whoever keeps `state`: place, key, entry. [`Seen::Stop`] says that what has a greater key in the same
    /// place need not be shown. Places in which all is after `reach` are passed over. An entry may be shown more than once.
    pub(crate) fn scan<S>(
        &self,
        places: &[Mask],
        order: Order,
        state: &mut S,
        reach: impl Fn(&S) -> u64,
        mut visit: impl FnMut(&mut S, u32, u64, Entry) -> Seen,
    ) {
        for mask in places {
            // What has no chunk yet has had no filing.
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
                let at = mask.chunk * PLACES_A_CHUNK + bit;
                let mut visit = |key, entry| visit(state, at, key, entry);
                let least = self.scan_place(&chunk.places[bit as usize], order, &mut visit);
                head.raise(seen, least);
            }
        }
    }
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
