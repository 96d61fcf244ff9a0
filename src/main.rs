//! hotline: arguments, and then the command.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    hotline::app::cli::run()
}
