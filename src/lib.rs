//! hotline: the switchboard of a city.
//!
//! One call's journey, a room at each stop: a carrier's datagram is read in [`net`] and understood in [`sip`], and its
//! audio is agreed in [`sdp`]. [`call`] admits it at its trunk, greets the caller and asks for a language. [`acd`]
//! keeps the caller's place in the queue and finds the agent. [`engine`] joins them all and rings that agent. [`media`]
//! carries what the two say to each other as [`rtp`]. [`report`] makes facts of what happened, [`store`] writes them
//! down, and [`metrics`] and [`web`] show them.
//!
//! The rooms of the core are pure (no socket, clock, thread or ambient randomness). The shells around them translate
//! and never decide. [`simulate`] plays days of calls through `acd`, [`load`] plays callers and agents over real
//! sockets, and [`dst`] tests the engine under a virtual clock.

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
