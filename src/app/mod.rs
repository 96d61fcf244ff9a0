//! Threads, wiring, the process: everything is known here, and nothing is decided.

pub mod outside;
mod running;
mod web_backend;

pub use running::{Listen, Running, StartError, start};
