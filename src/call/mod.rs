//! What a call means, from its admission to its end, without any SIP message.
//!
//! [`trunk`] says who may bring calls, [`caps`] counts them, and [`numbers`] says how numbers are written. [`menu`] and [`hours`] are what a
//! caller meets first. [`leg`] is the state of one party, and [`conversation`] says who hears whom. [`transfer`] says where a
//! caller can be passed on to. [`contact`] has the segments that tile a contact's time.
//!
//! These are pure functions and small state machines. The engine joins them with the matcher, with SIP and with media.

pub mod caps;
pub mod contact;
pub mod conversation;
pub mod hours;
pub mod leg;
pub mod menu;
pub mod numbers;
pub mod transfer;
pub mod trunk;
