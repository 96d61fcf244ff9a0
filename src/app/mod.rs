//! Threads, wiring, the process: everything is known here, and nothing is decided.

pub mod cli;
mod demo;
mod load;
mod logging;
mod narrator;
mod records;
mod running;
pub mod serve;
mod simulate;
pub mod sink;
mod stop;
mod trace;
mod tracer;
mod web_backend;

pub use records::Recorder;
pub use running::{Listen, Running, StartError, start};
pub use sink::Observer;
