//! hotline: the switchboard of a city.
//!
//! One call's journey, a room at each stop: a carrier's datagram is read in [`net`], understood in [`sip`], its
//! audio agreed in [`sdp`]; [`call`] admits it at its trunk, greets the caller and asks for a language; [`acd`] keeps the caller's
//! place in queue and finds the agent; [`engine`] joins them all and rings that agent; [`media`] carries what the two say to each other
//! as [`rtp`]; [`report`] makes facts of what happened, [`store`] writes them down, and [`metrics`] and [`web`] show them.
//!
//! The rooms above the queue are pure (no socket, clock, thread or ambient randomness); the shells below translate and never decide.

pub mod base;

pub mod acd;
pub mod call;
pub mod engine;
pub mod report;
pub mod rtp;
pub mod sdp;
pub mod sip;

pub mod app;
pub mod config;
pub mod dst;
pub mod load;
pub mod media;
pub mod metrics;
pub mod net;
pub mod simulate;
pub mod store;
pub mod web;
