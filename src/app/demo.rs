//! `hotline demo`: a switchboard, its agents and its callers in one process, over real SIP and RTP on loopback, with a
//! running commentary.
#![allow(clippy::print_stdout, reason = "this is what a command line is for")]

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;

use super::narrator::Narrator;
use super::records::Recorder;
use super::running::{Listen, Running, StartError, start};
use crate::config::{self, Config};
use crate::load::{self, Account, Event, Keys, Plan, Share, Span, Summary, duration};
use crate::media::Library;
use crate::web;

const CITY: &str = include_str!("../../configs/demo.toml");
const CITY_NAME: &str = "configs/demo.toml (embedded)";
/// The agent that is left to the user.
const GUEST: &str = "guest";
/// The dialled numbers: the city's one number for three of five calls, and direct ones.
const NUMBERS: [&str; 5] = ["120", "120", "120", "1204", "12xx"];
const DIRECT: [&str; 11] = ["1201", "1202", "1203", "1205", "1206", "1207", "1208", "1209", "1210", "1211", "1212"];
/// Statuses that a city's callers meet in ordinary life.
const EXPECTED: [u16; 4] = [480, 486, 487, 503];

/// The arguments of `hotline demo`.
#[derive(Args, Debug)]
pub(super) struct DemoArgs {
    /// The port for SIP, on loopback
    #[arg(long, value_name = "PORT", default_value_t = 5060)]
    sip_port: u16,
    /// The port for HTTP, on loopback
    #[arg(long, value_name = "PORT", default_value_t = 8120)]
    http_port: u16,
    /// Calls a second on average; the forty agents can take about one
    #[arg(long, value_name = "N", default_value_t = 0.4)]
    rate: f64,
    /// End after this time
    #[arg(long = "for", value_name = "SPAN", value_parser = duration)]
    span: Option<Duration>,
    /// The random seed of the callers
    #[arg(long, value_name = "N", default_value_t = 120)]
    seed: u64,
}

/// Runs the demo until it is stopped.
pub(super) fn demo(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    if !(args.rate.is_finite() && (0.0..=1000.0).contains(&args.rate)) {
        eprintln!("error: --rate {}: write a number of calls a second, from 0 to 1000", args.rate);
        return Ok(ExitCode::from(2));
    }
    let Config { settings, mut server, .. } = config::parse(CITY, CITY_NAME)?;
    for listener in &mut server.listeners {
        listener.bind.set_port(args.sip_port);
    }
    server.http.bind.set_port(args.http_port);
    super::logging::start(&server.log);
    let accounts: Vec<Account> = accounts(&settings);
    let guest = settings.agent_named(GUEST).and_then(|guest| settings.account(guest)?.login.clone());
    let domain = settings.realm().to_owned();

    let listen = Listen {
        shards: server.shards,
        sip: server.listeners.clone(),
        media: server.media.clone(),
        web: web::WebSettings { bind: server.http.bind, token: None },
        recorder: Recorder::default(),
        recent_sip_bytes: (server.log.recent_sip_mb as usize) << 20,
    };
    #[allow(clippy::disallowed_types, reason = "one commentary on what all shards do")]
    let narrator = std::sync::Mutex::new(Narrator::new(GUEST));
    let observer: super::Observer = std::sync::Arc::new(move |fact: &_, settings: &_| {
        let line = narrator.lock().unwrap_or_else(std::sync::PoisonError::into_inner).tell(fact, settings);
        if let Some(line) = line {
            // The reader may have gone, as `head` does: the calls go on.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    });
    let running = match start(settings, &listen, Library::embedded(), Some(&observer)) {
        Ok(running) => running,
        Err(error) => return Ok(taken(&error, args)),
    };
    let sip = running.sip.first().copied().unwrap_or(listen.sip[0].bind);
    println!("{}", welcome(&running, sip, &domain, guest.as_ref().map_or("", |login| &*login.password)));
    let stop = super::stop::on_signal()?;
    let summary = play(&plan(args, sip, accounts), args.span, &stop)?;
    running.drain();
    running.end_all();
    running.wait();
    println!("\nThe city's callers and agents, as they saw it:\n{summary}");
    Ok(if summary.failed(&EXPECTED) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Callers and agents, until the end.
fn play(plan: &Plan, span: Option<Duration>, stop: &AtomicBool) -> Result<Summary, load::LoadError> {
    load::run(plan, stop, |event| match event {
        Event::Progress(progress) if span.is_some_and(|span| progress.elapsed >= span) => stop.store(true, Ordering::Relaxed),
        Event::NotRegistered { agent, status } => println!("{agent} could not register: {status:?}"),
        _ => {}
    })
}

fn accounts(settings: &crate::engine::Settings) -> Vec<Account> {
    let domain = settings.realm();
    let logins = settings.accounts.iter().flatten().filter_map(|account| account.login.as_ref());
    let played = logins.filter(|login| &*login.user != GUEST);
    let account = |login: &crate::call::trunk::Login| Account {
        user: login.user.to_string(),
        domain: domain.to_owned(),
        password: login.password.to_string(),
    };
    played.map(account).collect()
}

/// A gentle day: most calls reach somebody, some wait, some give up.
fn plan(args: &DemoArgs, server: SocketAddr, accounts: Vec<Account>) -> Plan {
    let mut plan = Plan::new(server, "120");
    let callers = &mut plan.callers;
    callers.numbers = DIRECT
        .iter()
        .flat_map(|direct| NUMBERS.map(|number| if number == "12xx" { *direct } else { number }))
        .map(String::from)
        .collect();
    (callers.calls, callers.rate) = (if args.rate > 0.0 { None } else { Some(0) }, args.rate);
    (callers.patience, callers.talk) = (Span::Exp(Duration::from_secs(60)), Span::Exp(Duration::from_secs(25)));
    // Most are Korean and wait for the default; the others choose while they are asked.
    let key = |key| Keys(vec![(Duration::from_secs(5), key)]);
    callers.keys = vec![key('1'), key('1'), Keys::default(), key('2'), key('3')];
    plan.agents.accounts = accounts;
    plan.agents.answer_after = Span::Exp(Duration::from_secs(3));
    (plan.agents.refuse, plan.agents.ignore) = (Share::percent(3.0), Share::percent(2.0));
    (plan.agents.hold, plan.agents.pass_on) = (Share::percent(10.0), Share::percent(8.0));
    plan.agents.pass_to = ["complaints", "tax", "buses", "health", "housing"].map(String::from).to_vec();
    (plan.rtp, plan.seed) = (Share::ALL, args.seed);
    plan
}

/// Why it cannot start, and what to do.
fn taken(error: &StartError, args: &DemoArgs) -> ExitCode {
    eprintln!("error: {error}");
    match error {
        StartError::Listen(_) => eprintln!(
            "Another program, perhaps a softphone, has port {}. End it, or choose another port: hotline demo --sip-port {}",
            args.sip_port,
            args.sip_port.wrapping_add(10)
        ),
        StartError::Http { .. } => eprintln!(
            "Another program, perhaps a second hotline, has port {}. End it, or choose another port: hotline demo --http-port {}",
            args.http_port,
            args.http_port.wrapping_add(10)
        ),
        StartError::Media(_) | StartError::Log { .. } | StartError::System(_) => {}
    }
    ExitCode::FAILURE
}

fn welcome(running: &Running, sip: SocketAddr, domain: &str, password: &str) -> String {
    let settings = running.settings();
    format!(
        "hotline: a city of {} agencies, {} queues and {} agents, on this machine alone. Ctrl-C ends it.

  Join in with any softphone on this machine:
    as a caller   call sip:120@{sip} and hear the greeting: press 1, 2 or 3 for a language
    as an agent   register as user `{GUEST}`, domain {domain}, password {password},
                  outbound proxy {sip} (UDP or TCP); then dial *1 to take calls, *2 for a break
  What operations would see:   http://{}/metrics   /api/v1/queues   /api/v1/agents
",
        settings.agencies.len(),
        settings.directory.queues.iter().flatten().count(),
        settings.directory.agents.iter().flatten().count(),
        running.http
    )
}
