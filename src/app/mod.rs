//! Threads, wiring, the process: everything is known here, and nothing is decided.

pub mod cli;
mod demo;
mod load;
mod logging;
pub mod outside;
mod records;
mod running;
pub mod serve;
mod simulate;
mod stop;
mod story;
mod web_backend;

pub use outside::Observer;
pub use records::Keep;
pub use running::{Listen, Running, StartError, start};
