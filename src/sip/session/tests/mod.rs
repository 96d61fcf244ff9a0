//! Sessions against peers who speak SIP by hand, and against each other over a bad network.

#![allow(clippy::redundant_closure_for_method_calls, reason = "a method of a type with a lifetime is not general enough")]

mod desk;
mod ends;
mod incoming;
mod offers;
mod outgoing;
mod pair;
mod proof;
mod random;
