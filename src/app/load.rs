//! `hotline load`: its arguments, its progress line, its table.

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::load::{self, Account, Event, Keys, Plan, Progress, Share, Span, Stage, duration};

/// What a call carries.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum RtpWish {
    /// Each party sends a tone of its own, and listens for the other's
    Tone,
    /// Signalling only
    None,
}

/// The arguments of `hotline load`.
#[derive(Args, Debug)]
pub(super) struct LoadArgs {
    /// The SIP server to call, over UDP
    #[arg(long, value_name = "IP:PORT")]
    server: SocketAddr,
    /// The local address; by default the one from which the server is reached
    #[arg(long, value_name = "IP")]
    local: Option<IpAddr>,

    /// What callers dial; if given more than once, each call takes one at random
    #[arg(long, value_name = "NUMBER", default_value = "120", help_heading = "Callers")]
    number: Vec<String>,
    /// Calls a second
    #[arg(long, value_name = "N", default_value_t = 5.0, value_parser = rate, help_heading = "Callers")]
    rate: f64,
    /// Space calls evenly; without it they arrive at random (Poisson)
    #[arg(long, help_heading = "Callers")]
    steady: bool,
    /// Stop after this many calls; with 0 only agents are played
    #[arg(long, value_name = "N", help_heading = "Callers")]
    calls: Option<u64>,
    /// Stop calling after this time; without --calls and --for, Ctrl-C ends it
    #[arg(long = "for", value_name = "SPAN", value_parser = duration, help_heading = "Callers")]
    span: Option<Duration>,
    /// How long a caller waits for an agent: exp:60s, const:30s, uniform:5s-90s, none
    #[arg(long, value_name = "HOW", default_value = "exp:60s", help_heading = "Callers")]
    patience: Span,
    /// How long a talk lasts, in the same form
    #[arg(long, value_name = "HOW", default_value = "exp:20s", help_heading = "Callers")]
    talk: Span,
    /// Keys to press after the answer, as 2s:1 or 2s:1,5s:0; if given more than once, each call takes one list at random
    #[arg(long, value_name = "KEYS", help_heading = "Callers")]
    keys: Vec<Keys>,
    /// The most calls at once; calls beyond that are not made, and are counted
    #[arg(long, value_name = "N", default_value_t = 10_000, help_heading = "Callers")]
    calls_max: usize,

    /// Register these agents, with --password; for example agent{1..20}@city.example
    #[arg(long, value_name = "USER@DOMAIN", requires = "password", help_heading = "Agents")]
    register: Vec<String>,
    /// Their password; the letter n in braces stands for the agent's number
    #[arg(long, value_name = "WORD", help_heading = "Agents")]
    password: Option<String>,
    /// Register the agents of a file, one in a line: `user@domain password`; a range such as {1..20} and the number work as above
    #[arg(long, value_name = "FILE", help_heading = "Agents")]
    agents: Option<PathBuf>,
    /// Play phones that never register: every call to this address is answered
    #[arg(long, value_name = "IP:PORT", help_heading = "Agents")]
    phones: Option<SocketAddr>,
    /// How long a phone rings before the agent answers
    #[arg(long, value_name = "HOW", default_value = "exp:2s", help_heading = "Agents")]
    answer_after: Span,
    /// The share of rings that agents refuse
    #[arg(long, value_name = "SHARE", default_value = "0%", help_heading = "Agents")]
    refuse: Share,
    /// The share of rings that agents do not answer
    #[arg(long, value_name = "SHARE", default_value = "0%", help_heading = "Agents")]
    ignore: Share,
    /// The share of talks that the agent ends; the caller ends the others
    #[arg(long, value_name = "SHARE", default_value = "30%", help_heading = "Agents")]
    hang_up_first: Share,
    /// The share of talks in which the agent puts the caller on hold for a while
    #[arg(long, value_name = "SHARE", default_value = "0%", help_heading = "Agents")]
    hold: Share,
    /// The share of callers whom agents transfer, with --pass-to
    #[arg(long, value_name = "SHARE", default_value = "0%", requires = "pass_to", help_heading = "Agents")]
    pass_on: Share,
    /// Where callers are transferred to: a number or a name; may be given more than once
    #[arg(long, value_name = "NUMBER", help_heading = "Agents")]
    pass_to: Vec<String>,

    /// What calls carry
    #[arg(long, value_name = "WHAT", default_value = "none")]
    rtp: RtpWish,
    /// Statuses that do not count as a failure if a call is refused with them: 486,503
    #[arg(long, value_name = "STATUSES", value_delimiter = ',')]
    allow: Vec<u16>,
    /// How long calls may go on after the last one was made; then they are cut off and count as failures
    #[arg(long, value_name = "SPAN", default_value = "3m", value_parser = duration)]
    wind_down: Duration,
    /// The random seed: the same seed gives the same arrivals, times, keys and refusals
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object instead of the table; times are in seconds
    #[arg(long)]
    json: bool,
    /// Show no progress line
    #[arg(long, short)]
    quiet: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 100_000.0 => Ok(rate),
        _ => Err("write a number of calls a second, above 0; --calls 0 makes none".to_owned()),
    }
}

impl LoadArgs {
    fn plan(&self) -> anyhow::Result<Plan> {
        let mut plan = Plan::new(self.server, "");
        plan.local = self.local.unwrap_or(plan.local);
        if self.server.is_ipv4() != plan.local.is_ipv4() {
            bail!("--local {} cannot reach --server {}: one is IPv4, the other IPv6", plan.local, self.server);
        }
        let callers = &mut plan.callers;
        callers.numbers.clone_from(&self.number);
        (callers.rate, callers.steady) = (self.rate, self.steady);
        (callers.calls, callers.span) = (self.calls, self.span);
        (callers.patience, callers.talk, callers.calls_max) = (self.patience, self.talk, self.calls_max);
        callers.keys.clone_from(&self.keys);
        let agents = &mut plan.agents;
        for pattern in &self.register {
            agents.accounts.extend(load::expand(pattern, self.password.as_deref().unwrap_or(""))?);
        }
        if let Some(file) = &self.agents {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            agents.accounts.extend(Account::of_file(&text).with_context(|| file.display().to_string())?);
        }
        agents.phones_at = self.phones;
        (agents.answer_after, agents.refuse, agents.ignore) = (self.answer_after, self.refuse, self.ignore);
        (agents.hang_up_first, agents.hold, agents.pass_on) = (self.hang_up_first, self.hold, self.pass_on);
        agents.pass_to.clone_from(&self.pass_to);
        plan.rtp = if self.rtp == RtpWish::Tone { Share::ALL } else { Share::NONE };
        (plan.seed, plan.wind_down) = (self.seed, self.wind_down);
        Ok(plan)
    }
}

/// Plays, and says what it came to. Bad arguments are usage (2), a call that failed is a failure (1).
pub(super) fn load(args: &LoadArgs) -> anyhow::Result<ExitCode> {
    let plan = match args.plan() {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("error: {error:#}");
            return Ok(ExitCode::from(2));
        }
    };
    let stop = super::stop::on_signal()?;
    let line = !args.quiet && std::io::stderr().is_terminal();
    let summary = load::run(&plan, &stop, |event| match event {
        Event::Progress(progress) if line => show(&progress),
        Event::NotRegistered { agent, status } if !args.quiet => {
            let why = status.map_or("no answer".to_owned(), |status| status.to_string());
            eprintln!("{}{agent} could not register: {why}", if line { "\r\x1b[K" } else { "" });
        }
        _ => {}
    })?;
    if line {
        eprint!("\r\x1b[K");
    }
    let text = if args.json { format!("{}\n", serde_json::to_string(&summary)?) } else { summary.to_string() };
    std::io::stdout().write_all(text.as_bytes()).context("cannot write the summary")?;
    let failed = summary.failed(&args.allow) + u64::from(summary.agents.not_registered);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes over the last line.
fn show(progress: &Progress) {
    let Progress { elapsed, stage, registered, offered, waiting, talking, answered, abandoned, lost } = *progress;
    let what = match stage {
        Stage::Registering => "registering ",
        Stage::Calling => "calling     ",
        Stage::WindingDown => "winding down",
        Stage::SigningOut => "signing out ",
    };
    let seconds = elapsed.as_secs();
    let mut text = format!(
        "\r\x1b[K{:02}:{:02} {what} {offered} calls: {waiting} wait, {talking} talk, {answered} answered, {abandoned} abandoned",
        seconds / 60,
        seconds % 60
    );
    if lost > 0 {
        text.push_str(&format!(", {lost} lost"));
    }
    if registered > 0 {
        text.push_str(&format!("; {registered} agents"));
    }
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
