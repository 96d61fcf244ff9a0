//! Threads, wiring, the process: everything is known here, and nothing is decided.

mod logging;
pub mod outside;
mod running;
pub mod serve;
mod web_backend;

pub use running::{Listen, Running, StartError, start};
