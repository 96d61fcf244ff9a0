//! What a call means, from its admission to its end, without a single SIP message: who may bring calls ([`trunk`]), how numbers are
//! written ([`numbers`]), what a caller meets first ([`menu`], [`hours`]), what one party is doing ([`leg`]), who hears whom
//! ([`bridge`]), where a caller can be passed on to ([`transfer`]), and how the stretches of a contact tile its time ([`contact`]).
//!
//! Pure functions and small state machines; the engine joins them with the line, with SIP and with media.

pub mod bridge;
pub mod contact;
pub mod hours;
pub mod leg;
pub mod menu;
pub mod numbers;
pub mod transfer;
pub mod trunk;
