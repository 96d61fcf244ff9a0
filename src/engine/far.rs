//! What a leg and its contact of another shard have to say to each other: bounded, however long one of them reads nothing.
//!
//! So much may be unread. Beyond it the newest of each kind waits until something was read; keys that were pressed are dropped, and counted.

use std::mem::{Discriminant, discriminant};

use super::between::{Between, ContactKey, LegEvent, LegKey, Moving, ToContact, ToLeg};

/// Of one leg so much may be unread in one direction.
const UNREAD_MAX: u32 = 16;

/// What kind of thing is said. A newer one of the same kind takes the older one's place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    ToLeg(Discriminant<ToLeg>),
    Moving(Discriminant<Moving>),
    Event(ContactKey, Discriminant<LegEvent>),
    Joins(ContactKey),
}

/// The leg that a message is about, if it is one between a leg and its contact.
pub(super) const fn leg_of(message: &Between) -> Option<LegKey> {
    match message {
        Between::ToLeg(leg, _)
        | Between::ToContact(_, ToContact::Leg(leg, _) | ToContact::Guest(leg, _) | ToContact::Joins(leg, _)) => Some(*leg),
        _ => None,
    }
}

fn kind(message: &Between) -> Option<Kind> {
    match message {
        Between::ToLeg(_, ToLeg::Moving(moving)) => Some(Kind::Moving(discriminant(moving))),
        Between::ToLeg(_, message) => Some(Kind::ToLeg(discriminant(message))),
        Between::ToContact(of, ToContact::Leg(_, event) | ToContact::Guest(_, event)) => {
            Some(Kind::Event(*of, discriminant(event)))
        }
        Between::ToContact(of, ToContact::Joins(..)) => Some(Kind::Joins(*of)),
        _ => None,
    }
}

const fn is_key(message: &Between) -> bool {
    matches!(
        message,
        Between::ToLeg(_, ToLeg::SendKey(_))
            | Between::ToContact(_, ToContact::Leg(_, LegEvent::Key { .. }) | ToContact::Guest(_, LegEvent::Key { .. }))
    )
}

/// What becomes of something that is to be said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// It is said now.
    Now,
    /// It is said when something was read.
    Later,
    /// It is not said: a key too many.
    Never,
}

/// What one leg or its contact has not read.
#[derive(Default)]
pub(super) struct Far {
    unread: u32,
    waiting: Vec<Between>,
}

impl Far {
    /// Something is to be said.
    pub(super) fn tell(&mut self, message: &Between) -> Told {
        if self.unread < UNREAD_MAX && self.waiting.is_empty() {
            self.unread += 1;
            return Told::Now;
        }
        if is_key(message) {
            return Told::Never;
        }
        match self.waiting.iter_mut().find(|waiting| kind(waiting) == kind(message)) {
            Some(waiting) => *waiting = message.clone(),
            None => self.waiting.push(message.clone()),
        }
        Told::Later
    }

    /// One more was read: what is said next.
    pub(super) fn has_read(&mut self) -> Option<Between> {
        if self.waiting.is_empty() {
            self.unread = self.unread.saturating_sub(1);
            return None;
        }
        Some(self.waiting.remove(0))
    }

    /// Whether all was read.
    pub(super) const fn is_idle(&self) -> bool {
        self.unread == 0
    }
}

#[cfg(test)]
mod tests {
    use smallvec::SmallVec;

    use super::*;
    use crate::base::ShardId;
    use crate::engine::between::Heard;

    const LEG: LegKey = LegKey { shard: ShardId(1), slot: 3, token: 9 };

    fn hear(other: u32) -> Between {
        let what = Some(Heard::Legs(SmallVec::from_iter([LegKey { slot: other, ..LEG }])));
        Between::ToLeg(LEG, ToLeg::Hear { what, talks: true })
    }

    #[test]
    fn who_does_not_read_is_told_the_newest_of_each_kind_and_no_keys() {
        let mut far = Far::default();
        let told: Vec<_> = (0..100).map(|other| far.tell(&hear(other))).collect();
        assert_eq!(told.iter().filter(|told| **told == Told::Now).count(), UNREAD_MAX as usize);
        assert_eq!(far.tell(&Between::ToLeg(LEG, ToLeg::SendKey('1'))), Told::Never);
        assert_eq!(far.tell(&Between::ToLeg(LEG, ToLeg::End(480))), Told::Later);
        assert_eq!(far.tell(&hear(200)), Told::Later);
        assert_eq!([far.has_read(), far.has_read()], [Some(hear(200)), Some(Between::ToLeg(LEG, ToLeg::End(480)))]);
        assert!((0..UNREAD_MAX).all(|_| far.has_read().is_none()) && far.is_idle());
        assert_eq!(far.tell(&Between::ToLeg(LEG, ToLeg::SendKey('1'))), Told::Now);
    }
}
