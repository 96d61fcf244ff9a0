//! Threads, wiring, the process: everything is known here, and nothing is decided.

pub mod cli;
pub mod outside;
mod running;
mod web_backend;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::Config;

pub use running::{Listen, Running, StartError, start};

/// Runs the switchboard until it is told to end. `file` is what a reload reads again; `None` for the embedded configuration.
///
/// # Errors
/// When it cannot start.
pub fn serve(_config: Config, _file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    anyhow::bail!("serve is being built")
}
