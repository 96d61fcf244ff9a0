//! The command line: arguments become a configuration, which is run.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hotline::config::{self, Config};

/// hotline: the switchboard of a city. Answers SIP trunks, keeps callers in line, connects them to agents.
#[derive(Parser)]
#[command(version, about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the switchboard until it is told to end.
    ///
    /// SIGTERM or Ctrl-C drains: new calls are refused, those in progress go on. A second one ends them.
    Serve {
        /// The configuration; without one the embedded default runs, which listens on loopback only.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Checks a configuration: every mistake with its line and what to write instead.
    Check {
        /// The configuration; without one, the embedded default.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve { config } => with_config(config, |config, file| match hotline::app::serve::serve(config, &file) {
            Ok(code) => code,
            Err(error) => {
                eprintln!("hotline: {error:#}");
                ExitCode::FAILURE
            }
        }),
        Command::Check { config } => with_config(config, |config, file| {
            #[allow(clippy::print_stdout, reason = "this is the command line's answer")]
            {
                drop(config);
                println!("{}: well", file.display());
            }
            ExitCode::SUCCESS
        }),
    }
}

/// Loads a configuration, tells what is wrong or doubtful, and goes on with one that is well.
fn with_config(file: Option<PathBuf>, run: impl FnOnce(Config, PathBuf) -> ExitCode) -> ExitCode {
    let loaded = match &file {
        Some(file) => config::load(file),
        None => Ok(config::embedded()),
    };
    match loaded {
        Ok(config) => {
            for warning in &config.warnings {
                eprintln!("{warning}");
            }
            run(config, file.unwrap_or_else(|| PathBuf::from("the embedded default")))
        }
        Err(problems) => {
            eprintln!("{problems}");
            ExitCode::FAILURE
        }
    }
}
