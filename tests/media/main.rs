//! The media threads over real sockets on loopback.
//!
//! Nothing here sleeps to be in step: each test waits for the packet or the event that it is about. Only that something does *not* come
//! takes a span of time, and the spans of the source lock and of resting are measured as they pass.
#![allow(clippy::disallowed_methods, reason = "a test of a shell measures time")]

mod bounds;
mod heard;
mod rig;
mod source;
mod talks;
