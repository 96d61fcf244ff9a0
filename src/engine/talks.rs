//! Who talks, and a word that has a party of one talk go on in another: what an attended transfer will come to.

use super::Engine;
use super::between::{Between, ToContact};
use super::contacts;
use super::io::{Letter, Said};

pub use super::between::Talker;
pub use crate::call::conversation::{HeardBy, Place};

/// All parties of talks of a shard that may go on in another.
#[must_use]
pub fn talkers(engine: &Engine) -> Vec<Talker> {
    contacts::talkers(&engine.contacts).collect()
}

/// Has a party go on in the talk of another, at this place: a letter to [`Talker::shard`].
#[must_use]
pub fn goes_to(who: &Talker, other: &Talker, place: Place) -> Letter {
    let give = ToContact::Give { leg: who.leg, to: other.contact, place };
    Letter(vec![Said::Message(Between::ToContact(who.contact.key, give))])
}
