//! engine (being built).
pub mod media_port;
