//! The player against an independent one: SIPp as the phones that it calls, and as the callers whom its agents answer. And `hotline load`
//! as people use it.
#![allow(clippy::disallowed_methods, reason = "a test of shells measures time")]

#[allow(dead_code, reason = "not all of it is needed here")]
#[path = "peers/house.rs"]
mod house;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotline::load::{self, Plan, Span};
use house::{House, Sipp};

const CITY: &str = r#"
[server]
listen = ["udp:NET.1:5060"]
domains = ["city.example"]
[http]
bind = "NET.1:8120"
[media]
addresses = ["NET.1"]
ports = "20000-20999"
[[agency]]
name = "city"
[[pool]]
name = "desk"
agency = "city"
[[agents]]
count = 3
name = "agent{n}"
agency = "city"
pools = ["desk"]
password = "pass-{n}"
ready = "on_register"
[[queue]]
name = "help"
agency = "city"
pools = ["desk"]
wrap_up = "0s"
answer = "late"
[[trunk]]
name = "carrier"
from = ["NET.2/32"]
calls_max = 100
numbers = { "120" = "queue:help" }
"#;

#[test]
fn the_player_calls_phones_that_sipp_plays() {
    let house = House::start(41, CITY);
    let phone = format!("{}:7000", house.address(3));
    let sipp = Sipp::start(&house, "agent", &phone, &["-d", "100", "-m", "20"]);
    let mut plan = Plan::new(phone.parse().unwrap(), "agent");
    plan.local = house.address(2).parse().unwrap();
    (plan.callers.calls, plan.callers.rate) = (Some(20), 20.0);
    plan.callers.talk = Span::Uniform(Duration::ZERO, Duration::from_millis(500));
    plan.callers.patience = Span::Never;
    let summary = load::run(&plan, &AtomicBool::new(false), |_| {}).unwrap();
    sipp.done();
    assert_eq!((summary.answered, summary.failed(&[])), (20, 0), "{summary}");
    assert!(summary.set_up.p50 > 0.09, "{summary}");
}

#[test]
fn the_players_agents_answer_callers_that_sipp_plays() {
    let house = House::start(42, CITY);
    let server = format!("{}:5060", house.address(1));
    let mut plan = Plan::new(server.parse().unwrap(), "120");
    plan.local = house.address(3).parse().unwrap();
    plan.callers.calls = Some(0);
    plan.agents.accounts = load::expand("agent{1..3}@city.example", "pass-{n}").unwrap();
    plan.agents.answer_after = Span::Const(Duration::from_millis(100));
    plan.agents.hang_up_first = "0%".parse().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let player = {
        let stop = stop.clone();
        std::thread::spawn(move || load::run(&plan, &stop, |_| {}).unwrap())
    };
    house.wait_for("hotline_agents", &["ready"], 3.0);
    let caller = format!("{}:5060", house.address(2));
    Sipp::start(&house, "caller", &caller, &[&server, "-s", "120", "-m", "12", "-r", "10", "-d", "200"]).done();
    house.wait_for("hotline_agents", &["ready"], 3.0);
    stop.store(true, Ordering::Relaxed);
    let summary = player.join().unwrap();
    assert_eq!((summary.agents.registered, summary.agents.answered, summary.failed(&[])), (3, 12, 0), "{summary}");
    house.wait_for("hotline_agents", &["offline"], 3.0);
}

fn hotline_load(house: &House, args: &[&str]) -> (Option<i32>, String) {
    let (server, local) = (format!("{}:5060", house.address(1)), house.address(2));
    let fixed = ["load", "--server", &server, "--local", &local, "--quiet", "--calls", "10", "--rate", "20"];
    let out = Command::new(env!("CARGO_BIN_EXE_hotline")).args(fixed).args(args).output().unwrap();
    (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
}

#[test]
fn the_command_says_what_it_came_to_and_its_exit_code_whether_that_is_well() {
    let house = House::start(43, CITY);
    let agents = ["--register", "agent{1..3}@city.example", "--password", "pass-{n}", "--answer-after", "50ms"];
    let well = [&agents[..], &["--talk", "300ms", "--patience", "none", "--rtp", "tone", "--json"]].concat();
    let (code, text) = hotline_load(&house, &well);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &json["offered"], &json["answered"]), (Some(0), &10.into(), &10.into()), "{text}");
    assert!(json["wait"]["p99"].as_f64().unwrap() > 0.04 && json["rtp"]["lost"] == 0, "{text}");
    // A number that leads nowhere: refused, which is a failure unless it is allowed.
    let (code, text) = hotline_load(&house, &["--number", "999"]);
    assert!(code == Some(1) && text.contains("refused 404"), "{code:?} {text}");
    assert_eq!(hotline_load(&house, &["--number", "999", "--allow", "404"]).0, Some(0));
    assert_eq!(hotline_load(&house, &["--patience", "long"]).0, Some(2));
    assert_eq!(hotline_load(&house, &["--register", "nobody", "--password", "x"]).0, Some(2));
}

#[test]
fn the_demo_ends_well_by_itself() {
    let free = |bind: fn() -> std::io::Result<std::net::SocketAddr>| bind().unwrap().port().to_string();
    let sip = free(|| std::net::TcpListener::bind("127.0.0.1:0")?.local_addr());
    let http = free(|| std::net::TcpListener::bind("127.0.0.1:0")?.local_addr());
    let args = ["demo", "--for", "12s", "--rate", "3", "--sip-port", &sip, "--http-port", &http];
    let out = Command::new(env!("CARGO_BIN_EXE_hotline")).args(args).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}\n{}", String::from_utf8_lossy(&out.stderr));
    for word in [
        "register as user `guest`",
        "calls 120, and hears the greeting",
        "stands first in the queue for",
        "talks to ",
        "hangs up after a talk",
    ] {
        assert!(text.contains(word), "no line says {word:?}:\n{text}");
    }
}
