//! A soak: 2,000 calls of people who do as they please, over real sockets, after which nothing is held that was not held before.
//!
//! Callers hang up at any stage; agents answer, refuse, let it ring, hold, pass on and hang up; three calls of ten carry RTP, and whoever
//! talked must have heard the other.
#![allow(clippy::print_stderr, clippy::disallowed_methods, reason = "a test of shells measures time, and tells how it went")]

#[allow(dead_code, reason = "this test needs no SIPp")]
#[path = "peers/house.rs"]
mod house;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotline::base::seed::Seed;
use hotline::load::{self, Event, Keys, Plan, Share, Span, Summary};
use house::House;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

const AGENTS: u32 = 120;
const CALLS: u64 = 2_000;
/// What callers are refused with in ordinary life: a cancelled call, and a city that is full.
const EXPECTED: [u16; 4] = [480, 486, 487, 503];
/// Pairs of ports that media keeps ready for the next calls of each shard.
const STOCK: f64 = 256.0;
/// Memory that a process may keep for its next calls.
const RSS_GROWTH_MAX_KB: u64 = 16 << 10;

/// Three queues of two agencies and an entry, all with short spans.
const CITY: &str = r#"
[server]
listen = ["udp:NET.1:5060"]
domains = ["city.example"]
[http]
bind = "NET.1:8120"
[media]
addresses = ["NET.1"]
ports = "20000-23999"
rest = "1s"
[log]
level = "info"
[[language]]
name = "korean"
prompts = "ko"
[[language]]
name = "english"
prompts = "en"
[[agency]]
name = "hall"
[[agency]]
name = "tax"
[[pool]]
name = "hall"
agency = "hall"
[[pool]]
name = "tax"
agency = "tax"
[[agents]]
count = 60
name = "hall{n}"
agency = "hall"
pools = ["hall"]
skills = { korean = 10, english = 5 }
password = "pass-{n}"
ready = "on_register"
[[agents]]
count = 60
name = "tax{n}"
agency = "tax"
pools = ["tax"]
skills = { korean = 10, english = 5 }
password = "pass-{n}"
ready = "on_register"
[queue_defaults]
ring = "1s"
refused_pause = "200ms"
wrap_up = "100ms"
announce_every = "5s"
wait_max = "20s"
length_max = 60
[[queue]]
name = "hall"
agency = "hall"
pools = ["hall"]
answer = "late"
widen = [{ after = "1s", more_pools = ["tax"] }]
[[queue]]
name = "tax"
agency = "tax"
pools = ["tax"]
overflow = "queue:hall"
[[queue]]
name = "urgent"
agency = "hall"
pools = ["hall", "tax"]
emergency = true
[[entry]]
name = "main"
greeting = ["en/hold"]
[entry.choice]
prompts = ["en/language"]
timeout = "1s"
tries = 1
default = "1"
[entry.choice.keys]
1 = { queue = "hall", language = "korean" }
2 = { queue = "tax", language = "english" }
[[trunk]]
name = "carrier"
from = ["NET.2/32"]
calls_max = 2000
[trunk.numbers]
120 = "entry:main"
1201 = "queue:hall"
1202 = "queue:tax"
119 = "queue:urgent"
"#;

fn plan(house: &House, calls: u64, seed: u64) -> Plan {
    let mut plan = Plan::new(format!("{}:5060", house.address(1)).parse().unwrap(), "120");
    plan.local = house.address(2).parse().unwrap();
    (plan.callers.calls, plan.callers.rate, plan.seed) = (Some(calls), 50.0, seed);
    plan.callers.numbers = ["120", "1201", "1202", "119"].map(String::from).to_vec();
    plan.callers.keys = ["300ms:1", "1s:2", "2s:9"].map(|keys| keys.parse::<Keys>().unwrap()).to_vec();
    for agency in ["hall", "tax"] {
        let pattern = format!("{agency}{{1..{}}}@city.example", AGENTS / 2);
        plan.agents.accounts.extend(load::expand(&pattern, "pass-{n}").unwrap());
    }
    plan.rtp = Share::percent(30.0);
    plan
}

/// As they please.
fn wild(house: &House, calls: u64, seed: u64) -> Plan {
    let span = |from, to| Span::Uniform(Duration::from_millis(from), Duration::from_millis(to));
    let mut plan = plan(house, calls, seed);
    (plan.callers.patience, plan.callers.talk) = (span(0, 8_000), span(0, 3_000));
    plan.agents.answer_after = span(0, 900);
    (plan.agents.refuse, plan.agents.ignore) = (Share::percent(8.0), Share::percent(4.0));
    (plan.agents.hold, plan.agents.hang_up_first) = (Share::percent(15.0), Share::percent(40.0));
    (plan.agents.pass_on, plan.agents.pass_to) = (Share::percent(8.0), ["1201", "tax", "hall1"].map(String::from).to_vec());
    plan
}

fn play(plan: &Plan) -> Summary {
    let summary = load::run(plan, &AtomicBool::new(false), |event| {
        if let Event::NotRegistered { agent, status } = event {
            eprintln!("{agent} could not register: {status:?}");
        }
    });
    let summary = summary.unwrap();
    eprintln!("{summary}");
    summary
}

/// Open descriptors and resident kB of the server.
fn held(house: &House) -> (usize, u64) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.pid())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", house.pid())).unwrap().count();
    (descriptors, resident.trim().trim_end_matches(" kB").parse().unwrap())
}

/// What the names of threads of signalling and of media begin with.
const KINDS: [&str; 2] = ["signalling-", "media-"];

/// The threads of a process whose names begin so.
fn threads_of(process: u32, name: &str) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap().filter_map(Result::ok);
    let is_named =
        |task: &std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.starts_with(name));
    tasks.filter(is_named).filter_map(|task| task.file_name().to_str()?.parse().ok()).collect()
}

/// Everything that a call can hold is given back: `calls` have come, and gone.
fn nothing_is_held(house: &House, calls: u64) {
    all_is_given_back(house);
    for (name, is) in [("hotline_contacts_total", calls), ("hotline_contacts_ended_total", calls)] {
        assert_eq!(house.metric(name, &[]), is as f64, "{name}");
    }
}

/// Everything that a call can hold is given back.
fn all_is_given_back(house: &House) {
    house.wait_for("hotline_contacts_up", &[], 0.0);
    house.wait_for("hotline_agents", &["offline"], f64::from(AGENTS));
    house.wait_for("hotline_media_endpoints", &[], 0.0);
    let shards = threads_of(house.pid(), KINDS[0]).len() as f64;
    house.wait_until("hotline_limit_used", &["media_ports"], |pairs| pairs <= shards * STOCK);
    for gauge in ["hotline_queue_waiting", "hotline_trunk_calls", "hotline_repairs_total", "hotline_agents_on_break"] {
        assert_eq!(house.metric(gauge, &[]), 0.0, "{gauge}");
    }
    let (entered, left) = (house.metric("hotline_queue_entered_total", &[]), house.metric("hotline_queue_left_total", &[]));
    assert_eq!(entered, left);
    assert_eq!(house.metric("hotline_contacts_ended_total", &["fault"]), 0.0);
    for event in ["bad_commands", "commands_lost", "panics", "unknown_prompts"] {
        assert_eq!(house.metric("hotline_media_events_total", &[&format!("\"{event}\"")]), 0.0, "{event}");
    }
}

fn everybody_was_heard(summary: &Summary) {
    let heard = &summary.heard;
    assert!(heard.callers_talked > 0 && heard.agents_talked > 0, "{summary}");
    assert_eq!((heard.callers_heard, heard.agents_heard), (heard.callers_talked, heard.agents_talked), "{summary}");
    assert_eq!(heard.themselves, 0, "{summary}");
}

/// People who behave find every agent there, after so many calls, and leave nothing.
fn every_agent_is_there(house: &House, calls: u64) {
    let mut last = plan(house, 100, 3);
    (last.callers.patience, last.callers.talk) = (Span::Never, Span::Const(Duration::from_millis(600)));
    last.agents.answer_after = Span::Const(Duration::from_millis(50));
    let last = play(&last);
    assert_eq!((last.answered, last.failed(&[])), (100, 0), "{last}");
    everybody_was_heard(&last);
    nothing_is_held(house, calls + last.offered);
}

#[test]
fn after_two_thousand_calls_nothing_is_held() {
    let house = House::start(40, CITY);
    // The first calls, more at once than later, fill what is kept for the next ones: buffers, bound ports.
    let mut rush = wild(&house, 400, 1);
    rush.callers.rate = 150.0;
    let first = play(&rush);
    nothing_is_held(&house, first.offered);
    let (descriptors, resident) = held(&house);

    let soak = play(&wild(&house, CALLS, 2));
    assert_eq!((soak.offered, soak.not_made, soak.failed(&EXPECTED)), (CALLS, 0, 0), "{soak}");
    assert!(soak.up_max < first.up_max, "{soak}");
    everybody_was_heard(&soak);
    assert!(soak.answered > CALLS / 3 && soak.abandoned > CALLS / 20, "{soak}");
    let agents = &soak.agents;
    assert!(agents.refused > 20 && agents.ignored > 20 && agents.held > 20 && agents.passed_on > 20, "{soak}");
    nothing_is_held(&house, first.offered + soak.offered);

    every_agent_is_there(&house, first.offered + soak.offered);

    let (descriptors_now, resident_now) = held(&house);
    eprintln!("descriptors {descriptors} -> {descriptors_now}, resident {resident} -> {resident_now} kB");
    assert!(descriptors_now <= descriptors + 2, "{descriptors} descriptors before, {descriptors_now} after");
    assert!(resident_now <= resident + RSS_GROWTH_MAX_KB, "{resident} kB before, {resident_now} kB after");
}

/// Stops threads of the server at random, one at a time and for up to two seconds, until it is told to end. How many it has stopped, of signalling
/// and of media.
fn stop_threads(server: u32, seed: u64, over: &AtomicBool) -> [u32; 2] {
    let mut seed = Seed::from_number(seed);
    let mut stopped = [0, 0];
    while !over.load(Ordering::Acquire) {
        let tasks: Vec<(i32, usize)> =
            (0..KINDS.len()).flat_map(|kind| threads_of(server, KINDS[kind]).into_iter().map(move |task| (task, kind))).collect();
        assert_eq!(tasks.len(), 4, "two of each kind");
        let (task, kind) = tasks[seed.below(tasks.len() as u64) as usize];
        let thread = Pid::from_raw(task);
        ptrace::seize(thread, ptrace::Options::empty()).unwrap();
        ptrace::interrupt(thread).unwrap();
        waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
        std::thread::sleep(Duration::from_millis(20 + seed.below(2_000)));
        ptrace::detach(thread, None).unwrap();
        stopped[kind] += 1;
        std::thread::sleep(Duration::from_millis(seed.below(1_000)));
    }
    stopped
}

/// Threads that stand still for a while lose nothing, and hold up none of the others for ever.
#[test]
fn after_threads_have_stood_still_nothing_is_held() {
    let config = CITY.replacen("[media]\n", "[media]\nthreads = 2\n", 1);
    let config =
        if std::env::var("HOTLINE_SHARDS").is_ok() { config } else { config.replacen("[server]\n", "[server]\nshards = 2\n", 1) };
    let house = House::start(41, &config);
    let (over, server) = (AtomicBool::new(false), house.pid());
    let (soak, stopped) = std::thread::scope(|scope| {
        let stopping = scope.spawn(|| stop_threads(server, 7, &over));
        let soak = play(&wild(&house, CALLS / 2, 4));
        over.store(true, Ordering::Release);
        (soak, stopping.join().unwrap())
    });
    eprintln!("stopped {} times in signalling, {} times in media", stopped[0], stopped[1]);
    assert!(stopped.iter().all(|times| *times > 3), "{stopped:?}");
    assert_eq!((soak.offered, soak.not_made), (CALLS / 2, 0), "{soak}");
    assert!(soak.answered > CALLS / 20, "{soak}");
    all_is_given_back(&house);
    // What was refused while threads stood still was no contact.
    let contacts = house.metric("hotline_contacts_total", &[]);
    assert_eq!(house.metric("hotline_contacts_ended_total", &[]), contacts);
    every_agent_is_there(&house, contacts as u64);
}
