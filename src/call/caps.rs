//! What is counted for all shards together: contacts up, calls of each trunk, and how fast a trunk's calls come.
//!
//! A shard takes room here before it takes a call, so that shards together never take more than there is. After each wake-up it puts right
//! how much it has taken by how much it has: room for a call that was not taken after all goes back, and a fault costs none.

use std::time::Duration;

use once_cell::race::OnceBox;

use crate::base::sync::{AtomicU64, Ordering};
use crate::base::{Time, TrunkId};

/// How many contacts there may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContactsMax {
    /// In all.
    pub all: u32,
    /// Those of them that only emergencies may have.
    pub for_emergencies: u32,
}

/// How many contacts a shard has.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ContactsUp {
    /// In all.
    pub all: u32,
    /// The emergencies among them.
    pub emergencies: u32,
}

impl ContactsUp {
    const fn word(self) -> u64 {
        (self.all as u64) << 32 | self.emergencies as u64
    }

    const fn of(word: u64) -> Self {
        ContactsUp { all: (word >> 32) as u32, emergencies: word as u32 }
    }
}

/// Trunks that are made room for together; and how often at the most.
const CHUNK: usize = 64;
const CHUNKS: usize = 1024;

/// The counts of all shards.
pub struct Caps {
    contacts: AtomicU64,
    /// Room is made when a trunk is first heard of, and stays.
    trunks: Box<[OnceBox<[TrunkCap; CHUNK]>]>,
}

impl Default for Caps {
    fn default() -> Self {
        Caps { contacts: AtomicU64::new(0), trunks: (0..CHUNKS).map(|_| OnceBox::new()).collect() }
    }
}

impl Caps {
    /// Takes room for one more contact. False if there is none.
    pub fn take_contact(&self, max: ContactsMax, emergency: bool) -> bool {
        let more = |word| {
            let ContactsUp { all, emergencies } = ContactsUp::of(word);
            // Emergencies take the common room first, then what is kept for them.
            let full = if emergency { all >= max.all } else { all - emergencies >= max.all.saturating_sub(max.for_emergencies) };
            (!full).then(|| ContactsUp { all: all + 1, emergencies: emergencies + u32::from(emergency) }.word())
        };
        self.contacts.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    /// A shard has so many contacts, and had taken room for so many.
    pub fn put_contacts_right(&self, taken: ContactsUp, has: ContactsUp) {
        if taken != has {
            self.contacts.fetch_add(has.word().wrapping_sub(taken.word()), Ordering::AcqRel);
        }
    }

    /// The contacts of all shards.
    #[must_use]
    pub fn contacts(&self) -> ContactsUp {
        ContactsUp::of(self.contacts.load(Ordering::Acquire))
    }

    /// What is counted of a trunk. Beyond 65,536 trunks some would count together.
    #[must_use]
    pub fn trunk(&self, trunk: TrunkId) -> &TrunkCap {
        let (chunk, place) = (trunk.index() / CHUNK % CHUNKS, trunk.index() % CHUNK);
        &self.trunks[chunk].get_or_init(|| Box::new(std::array::from_fn(|_| TrunkCap::default())))[place]
    }
}

/// The counts of a trunk, by all shards.
#[derive(Default, Debug)]
pub struct TrunkCap {
    calls: AtomicU64,
    /// When the bucket of calls a second will be full again, in nanoseconds.
    full_at: AtomicU64,
}

impl TrunkCap {
    /// Takes room for one more call. False if there are so many already.
    pub fn take_call(&self, max: u32) -> bool {
        let more = |calls| (calls < u64::from(max)).then_some(calls + 1);
        self.calls.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    /// A shard has so many calls, and had taken room for so many.
    pub fn put_right(&self, taken: u32, has: u32) {
        if taken != has {
            self.calls.fetch_add(u64::from(has).wrapping_sub(u64::from(taken)), Ordering::AcqRel);
        }
    }

    /// The calls of all shards.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Acquire) as u32
    }

    /// Takes one of so many calls a second (at least one), of which a second's worth may come at once. False if there is none left, but for one
    /// that comes `anyway`.
    pub fn take_turn(&self, now: Time, a_second: u32, anyway: bool) -> bool {
        const SECOND: u64 = Duration::from_secs(1).as_nanos() as u64;
        let (now, step) = (now.micros() * 1000, SECOND / u64::from(a_second.max(1)));
        let next = |full_at: u64| {
            // So much is missing in the bucket after this one.
            let missing = full_at.saturating_sub(now) + step;
            (missing <= SECOND || anyway).then_some(now + missing.min(SECOND))
        };
        self.full_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: ContactsMax = ContactsMax { all: 4, for_emergencies: 1 };

    #[test]
    fn contacts_of_all_shards_count_and_some_room_is_for_emergencies() {
        let caps = Caps::default();
        assert_eq!((0..9).filter(|_| caps.take_contact(MAX, false)).count(), 3);
        assert!(caps.take_contact(MAX, true) && !caps.take_contact(MAX, true));
        assert_eq!(caps.contacts(), ContactsUp { all: 4, emergencies: 1 });
        // One shard took two, of which one was not to be; the other has lost its emergency.
        caps.put_contacts_right(ContactsUp { all: 2, emergencies: 0 }, ContactsUp { all: 1, emergencies: 0 });
        caps.put_contacts_right(ContactsUp { all: 2, emergencies: 1 }, ContactsUp { all: 1, emergencies: 0 });
        assert_eq!(caps.contacts(), ContactsUp { all: 2, emergencies: 0 });
        // A reload may allow fewer than there are.
        assert!(!caps.take_contact(ContactsMax { all: 1, for_emergencies: 1 }, false));
        assert!(!caps.take_contact(ContactsMax { all: 1, for_emergencies: 1 }, true));
    }

    #[test]
    fn shards_together_never_take_more_than_there_is() {
        let caps = Caps::default();
        let trunk = caps.trunk(TrunkId(3));
        let taken: usize = std::thread::scope(|scope| {
            let take = || (0..1000).filter(|_| caps.trunk(TrunkId(3)).take_call(700)).count();
            let threads: Vec<_> = (0..2).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((taken, trunk.calls()), (700, 700));
        trunk.put_right(700, 2);
        assert_eq!((trunk.calls(), caps.trunk(TrunkId(4)).calls()), (2, 0));
    }

    #[test]
    fn the_rate_allows_a_second_of_burst_and_then_the_rate() {
        let cap = TrunkCap::default();
        let admitted = |at: Time| (0..100).filter(|_| cap.take_turn(at, 10, false)).count();
        assert_eq!(admitted(Time::from_secs(1)), 10);
        assert_eq!(admitted(Time::from_secs(1) + Duration::from_millis(500)), 5);
        assert_eq!(admitted(Time::from_secs(9)), 10);
        assert!(cap.take_turn(Time::from_secs(9), 10, true), "an emergency is not limited");
        assert_eq!(admitted(Time::from_secs(10)), 10, "nor does it owe anything");
    }
}
