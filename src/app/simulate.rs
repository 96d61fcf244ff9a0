//! `hotline simulate`: its arguments, its progress line, its table.
#![allow(clippy::print_stdout, reason = "this is what a command line is for")]

mod days;
mod house;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgGroup, Args};
use serde_json::Value;

use self::house::HouseArgs;
use crate::simulate::single::Single;
use crate::simulate::tally::Measured;

/// The arguments of `hotline simulate`.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("what").required(true).args(["single", "config", "compare"])))]
pub(super) struct SimulateArgs {
    /// Play one queue with one skill and exponential times, as in textbooks
    #[arg(long, requires_all = ["calls_per_hour", "talk_s", "agents"])]
    single: bool,
    /// The random seed: the same seed gives the same calls
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Write the result as JSON to this file; with `-` to standard output, instead of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten, next_help_heading = "One queue (--single)")]
    textbook: TextbookArgs,
    #[command(flatten, next_help_heading = "A whole configuration (--config, --compare)")]
    house: HouseArgs,
}

/// What is played with `--single`.
#[derive(Args, Debug)]
struct TextbookArgs {
    /// Calls an hour on average
    #[arg(long, value_name = "R", value_parser = positive, requires = "single")]
    calls_per_hour: Option<f64>,
    /// The mean length of a talk in seconds
    #[arg(long, value_name = "T", value_parser = positive, requires = "single")]
    talk_s: Option<f64>,
    /// The number of agents
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), requires = "single")]
    agents: Option<u32>,
    /// The mean patience in seconds; without it no caller hangs up
    #[arg(long, value_name = "P", value_parser = positive, requires = "single")]
    patience_s: Option<f64>,
    /// How many callers may wait, others are turned away; with 0 nobody waits (Erlang B)
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(0..=100_000), requires = "single")]
    line_max: Option<u32>,
    /// The number of hours that are measured
    #[arg(long, value_name = "H", value_parser = positive, default_value_t = 1000.0)]
    hours: f64,
    /// The number of hours that are played before that; by default a tenth of --hours
    #[arg(long, value_name = "W", value_parser = not_negative)]
    warm_up_h: Option<f64>,
}

/// The longest play: some 2,000 years.
const HOURS_MAX: f64 = 2e7;

fn positive(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|number| *number > 0.0 && *number <= HOURS_MAX)
        .ok_or_else(|| "write a number above 0, such as 7.5".to_owned())
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|number| (0.0..=HOURS_MAX).contains(number))
        .ok_or_else(|| "write a number of hours, 0 or more".to_owned())
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Plays what the arguments ask for.
pub(super) fn simulate(args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    let TextbookArgs { calls_per_hour, talk_s, agents, patience_s, line_max, hours, warm_up_h } = args.textbook;
    let (Some(calls_per_hour), Some(talk_s), Some(agents)) = (calls_per_hour, talk_s, agents) else {
        return house::simulate(&args.house, args.seed, args.json.as_deref());
    };
    let warm_up_hours = warm_up_h.unwrap_or(hours / 10.0);
    let single =
        Single { calls_per_hour, talk_s, agents, patience_s, queue_max: line_max, hours, warm_up_hours, seed: args.seed };
    if single.calls_per_hour * single.hours < 100.0 {
        eprintln!("warning: some {:.0} calls are too few to tell much; give more --hours", single.calls_per_hour * single.hours);
    }
    let measured = match single.run(progress_line()) {
        Ok(measured) => measured,
        Err(crowded) => {
            eprintln!("error: {crowded}.\nGive --patience-s or --line-max, more --agents, or fewer --calls-per-hour.");
            return Ok(ExitCode::FAILURE);
        }
    };
    match args.json.as_deref() {
        Some(file) if file == Path::new("-") => println!("{:#}", measured.to_json()),
        Some(file) => {
            print!("{}", table(&single, &measured));
            write_json(file, &measured.to_json())?;
        }
        None => print!("{}", table(&single, &measured)),
    }
    Ok(ExitCode::SUCCESS)
}

fn write_json(file: &Path, value: &Value) -> anyhow::Result<()> {
    write(file, &format!("{value:#}\n"))
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

/// A line on the terminal that tells how far the play is, each percent anew.
fn progress_line() -> impl FnMut(f64) {
    let terminal = std::io::stderr().is_terminal();
    let mut told = 0;
    move |share| {
        let percent = (share * 100.0) as u32;
        if terminal && percent != told {
            told = percent;
            let end = if percent >= 100 { "\r    \r" } else { "" };
            let _ = write!(std::io::stderr(), "\r{percent:3}%{end}");
        }
    }
}

fn table(single: &Single, measured: &Measured) -> String {
    let theory = single.expected();
    let mut text = format!(
        "{} calls an hour of {} s, {} agents, {}, {}; {} hours after {}, seed {}\n{} offered, {} answered\n\n",
        single.calls_per_hour,
        single.talk_s,
        single.agents,
        single.patience_s.map_or("nobody hangs up".to_owned(), |patience| format!("patience {patience} s")),
        single.queue_max.map_or("any number may wait".to_owned(), |max| format!("{max} may wait")),
        single.hours,
        single.warm_up_hours,
        single.seed,
        measured.offered,
        measured.answered,
    );
    text += &format!("{:<18}{:>12}{:>26}{:>12}\n", "", "played", "95% interval", "theory");
    for (index, (name, figure)) in measured.figures().into_iter().enumerate() {
        let (low, high) = figure.interval();
        let expected = theory.map_or("-".to_owned(), |theory| format!("{:.5}", theory.figures()[index]));
        text += &format!("{name:<18}{:>12.5}{:>26}{expected:>12}\n", figure.value, format!("{low:.5} to {high:.5}"));
    }
    text
}
