//! The command line: arguments, what a command prints, and the exit code.
//!
//! Exit codes: 0 well, 1 failed, 2 usage. What a command finds goes to standard output, what is wrong to standard error.
#![allow(clippy::print_stdout, reason = "this is what a command line is for")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};

use super::demo::DemoArgs;
use super::load::LoadArgs;
use super::simulate::SimulateArgs;
use super::trace::TraceArgs;
use crate::base::ContactId;
use crate::config::{self, Config, Problems};
use crate::store;

/// A SIP automatic call distributor for a city's service line.
///
/// Calls come in on SIP trunks and are greeted. They wait in queues with music, and
/// go to the best free agent of any agency that can help. One TOML file configures
/// all of it. Without a file, a small embedded configuration runs on loopback only.
#[derive(Parser, Debug)]
#[command(name = "hotline", version, verbatim_doc_comment, after_help = "Exit codes: 0 success, 1 failure, 2 wrong usage.")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the call distributor
    ///
    /// The whole configuration is checked before anything starts. SIGTERM drains: new
    /// calls are refused, and calls in progress may end by themselves, for a limited
    /// time. A second SIGTERM hangs up all calls. SIGHUP reads the file again.
    #[command(verbatim_doc_comment)]
    Serve(File),
    /// Check a configuration, and report every mistake in it
    ///
    /// Each mistake is reported with its line, its key and what to write instead. A
    /// file without errors can be run. Warnings name what is valid and was probably
    /// not meant.
    #[command(verbatim_doc_comment)]
    Check(File),
    /// Show a small city at work, and let you join in
    ///
    /// Starts hotline with six agencies, twelve queues and forty agents, on loopback
    /// only. Plays its agents and callers over real SIP and RTP, and prints what
    /// happens. Call 120 with a softphone, or register one as `guest` and be rung.
    /// Ctrl-C ends it.
    #[command(verbatim_doc_comment)]
    Demo(DemoArgs),
    /// Play callers and agents against a SIP server
    ///
    /// Callers call at a rate, press keys, wait with patience, talk and hang up. Agents
    /// register, answer, refuse, let it ring, hold, transfer and hang up. With
    /// --rtp tone each party sends a tone, and the table says how many heard the other.
    ///
    /// A caller and an agent count as connected by the caller's number, which differs
    /// from call to call, or by the tone. If no agents are played, the server's 200
    /// counts.
    ///
    /// The exit code is 1 if a call was refused (but see --allow), was not answered in
    /// time, was cut off, or did not end as SIP wants it.
    #[command(verbatim_doc_comment)]
    Load(Box<LoadArgs>),
    /// Say why a contact waited
    ///
    /// Reads the event log. Prints each decision, the agents who might have served the
    /// caller, what they were doing, and which callers of the same queue went first.
    #[command(verbatim_doc_comment)]
    Why(WhyArgs),
    /// Show the SIP messages of a call
    ///
    /// Draws them as a ladder. A running server keeps the recent messages of all calls in
    /// memory, and is asked for those of one contact. A JSON log at level trace has them,
    /// too. Passwords, keys of media, keys pressed and texts are blanked.
    #[command(verbatim_doc_comment)]
    Trace(TraceArgs),
    /// Play days of calls through the matcher, in seconds
    ///
    /// The matcher and the queue rules are those of `serve`, under a virtual clock. With
    /// --config it plays days of a whole configuration. With --compare it shows what a
    /// change of the configuration does to the same callers. With --single it plays one
    /// queue, and shows the results of Erlang's formulas beside its own.
    ///
    /// The exit code is 1 if a floor that the day's file declares does not hold.
    #[command(verbatim_doc_comment)]
    Simulate(Box<SimulateArgs>),
}

#[derive(Args, Debug)]
struct File {
    /// The configuration file; without it the embedded one is used
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct WhyArgs {
    /// The contact's id, as in the logs and the store
    #[arg(value_name = "ID")]
    contact: ContactId,
    /// The configuration file; its [events] names the directory of the event log
    #[arg(long, short, value_name = "FILE", required_unless_present = "log")]
    config: Option<PathBuf>,
    /// The directory of the event log
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "config")]
    log: Option<PathBuf>,
    /// Write JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Does what the process's arguments ask for.
///
/// # Errors
/// When it cannot be done.
pub fn run() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Serve(file) => serve(file.config.as_deref()),
        Command::Check(file) => Ok(check(file.config.as_deref())),
        Command::Demo(args) => super::demo::demo(&args),
        Command::Load(args) => super::load::load(&args),
        Command::Why(args) => why(&args),
        Command::Trace(args) => trace(&args),
        Command::Simulate(args) => super::simulate::simulate(&args),
    }
}

fn config_of(file: Option<&Path>) -> Result<Config, Problems> {
    file.map_or_else(|| Ok(config::embedded()), config::load)
}

fn serve(file: Option<&Path>) -> anyhow::Result<ExitCode> {
    match config_of(file) {
        Ok(config) => super::serve::serve(config, file),
        Err(problems) => Ok(refused(&problems, file)),
    }
}

fn check(file: Option<&Path>) -> ExitCode {
    match config_of(file) {
        Ok(config) => {
            for warning in &config.warnings {
                eprintln!("{warning}\n");
            }
            println!("{}: {}: well{}", name(file), config.summary(), warned(config.warnings.len()));
            ExitCode::SUCCESS
        }
        Err(problems) => refused(&problems, file),
    }
}

fn why(args: &WhyArgs) -> anyhow::Result<ExitCode> {
    let directory = match (&args.log, &args.config) {
        (Some(directory), _) => directory.clone(),
        (None, file) => match config_of(file.as_deref()) {
            Ok(config) => match config.server.events.directory {
                Some(directory) => directory,
                None => bail!("{}: no event log is kept: set [events] directory", name(file.as_deref())),
            },
            Err(problems) => return Ok(refused(&problems, file.as_deref())),
        },
    };
    let answer = store::ledger(&directory, args.contact).with_context(|| format!("{} cannot be read", directory.display()))?;
    let Some(answer) = answer else {
        eprintln!("error: {} was never in a queue, as far back as the log in {} goes", args.contact, directory.display());
        return Ok(ExitCode::FAILURE);
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        print!("{answer}");
    }
    Ok(ExitCode::SUCCESS)
}

fn trace(args: &TraceArgs) -> anyhow::Result<ExitCode> {
    let Some(file) = &args.config else { return super::trace::trace(args, None) };
    match config::load(file) {
        Ok(config) => super::trace::trace(args, Some(&config)),
        Err(problems) => Ok(refused(&problems, Some(file))),
    }
}

fn refused(problems: &Problems, file: Option<&Path>) -> ExitCode {
    let errors = problems.errors();
    let plural = if errors == 1 { "" } else { "s" };
    eprintln!("{problems}\n\n{}: {errors} error{plural}{}", name(file), warned(problems.0.len() - errors));
    ExitCode::FAILURE
}

fn warned(warnings: usize) -> String {
    match warnings {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        n => format!(", {n} warnings"),
    }
}

fn name(file: Option<&Path>) -> String {
    file.map_or_else(|| config::EMBEDDED_NAME.to_owned(), |file| file.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["hotline", "check", "--config", "city.toml"]).is_ok());
        assert_eq!(Cli::try_parse_from(["hotline", "chekc"]).unwrap_err().exit_code(), 2);
        assert_eq!(Cli::try_parse_from(["hotline", "--help"]).unwrap_err().exit_code(), 0);
    }
}
