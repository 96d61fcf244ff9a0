//! Who talks, and a word that has a party of one talk go on in another: what an attended transfer will come to.

use super::Engine;
use super::between::{Between, ContactRef, LegKey, ToContact};
use super::io::{Letter, Said};
use crate::base::{EndpointId, ShardId};
use crate::call::conversation::Place;

/// A party of a talk that may go on in another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Talker {
    pub(super) contact: ContactRef,
    pub(super) leg: LegKey,
}

impl Talker {
    /// The shard of its contact, which is to be told.
    #[must_use]
    pub const fn shard(&self) -> ShardId {
        self.contact.key.shard
    }

    /// Its endpoint.
    #[must_use]
    pub const fn endpoint(&self) -> EndpointId {
        self.leg.endpoint()
    }

    /// Has it go on in the talk of another, at this place: a letter to [`Talker::shard`].
    #[must_use]
    pub fn goes_to(&self, other: &Talker, place: Place) -> Letter {
        let give = ToContact::Give { leg: self.leg, to: other.contact, place };
        Letter(vec![Said::Message(Between::ToContact(self.contact.key, give))])
    }
}

/// All parties of talks of a shard that may go on in another.
#[must_use]
pub fn talkers(engine: &Engine) -> Vec<Talker> {
    engine.contacts.talkers().collect()
}
