//! hotline: the switchboard of a city.
//!
//! One call's journey, a room at each stop: a carrier's datagram is read in [`net`] and understood in [`sip`], and its
//! audio is agreed in [`sdp`]. [`engine`] admits it by the rules of its trunk and leads the caller through the menu,
//! both of which are in [`call`]. [`acd`] keeps the caller's place in the queue and finds the agent, whom [`engine`]
//! rings. [`media`] carries what the two say to each other as [`rtp`]. [`engine`] reports facts; [`report`] makes events
//! and records of them, [`store`] keeps these, and [`metrics`] and [`web`] show them.
//!
//! The rooms of the core are pure (no socket, clock, thread or ambient randomness). The shells around them translate
//! and never decide. [`simulate`] plays days of calls through `acd`, [`load`] plays callers and agents over real
//! sockets, and [`dst`] tests the engine under a virtual clock. [`replay`] runs an engine again from a journal of its inputs.
//!
//! Begin with [`engine::Engine::handle`] and [`engine::Engine::poll`]. ARCHITECTURE.md has the map and the invariants.

// The core, which is pure.
pub mod base;

pub mod acd;
pub mod call;
pub mod engine;
pub mod report;
pub mod rtp;
pub mod sdp;
pub mod simulate;
pub mod sip;

// Shells, and what tests and measures the rest.
pub mod app;
pub mod config;
pub mod dst;
pub mod load;
pub mod media;
pub mod metrics;
pub mod net;
pub mod replay;
pub mod store;
pub mod web;
