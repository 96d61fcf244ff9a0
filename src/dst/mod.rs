//! Deterministic simulation testing: the production engine under a virtual clock, between a network that loses, repeats, reorders and
//! breaks, and people who do as people do.
//!
//! All of it follows from one number: the same seed gives the same run, message for message. It owns no socket and reads no clock. [`net`]
//! is the network, [`phone`] a phone and [`person`] who sits at it, `media` what media threads tell; [`city`] joins them with the
//! engine, and `watch` watches the rules of the house. A day can be recorded, and its engine run again ([`replay`](crate::replay)).

pub mod city;
mod journal;
mod letters;
mod media;
pub mod net;
pub mod person;
pub mod phone;
mod room;
mod shard;
mod watch;

pub use journal::append;

#[cfg(test)]
mod replay_tests;
#[cfg(test)]
mod tests;
