//! Calls through a queue, with SIPp on both sides: what a carrier and a desk phone see.

use crate::house::{House, Sipp};

/// One queue behind 120, answered when the agent answers; desk phones behind NET.3.
pub(crate) fn config(agents: u32, queue: &str) -> String {
    let phones: String = (0..agents)
        .map(|n| {
            format!(
                "[[agent]]\nname = \"agent{n}\"\nagency = \"city\"\npools = [\"desk\"]\ncontact = \"sip:agent{n}@NET.3:{}\"\nready = \"at_start\"\n",
                7000 + n
            )
        })
        .collect();
    format!(
        "[server]\nlisten = [\"udp:NET.1:5060\", \"tcp:NET.1:5060\"]\ndomains = [\"city.example\"]\n\
         [http]\nbind = \"NET.1:8120\"\ntoken = \"let-me-in-please\"\n\
         [media]\naddresses = [\"NET.1\"]\nports = \"20000-20999\"\n\
         [log]\nlevel = \"debug\"\n\
         [[agency]]\nname = \"city\"\n[[pool]]\nname = \"desk\"\nagency = \"city\"\n{phones}\
         [[queue]]\nname = \"help\"\nagency = \"city\"\npools = [\"desk\"]\nwrap_up = \"0s\"\n{queue}\n\
         [[trunk]]\nname = \"carrier\"\nfrom = [\"NET.2/32\"]\ncalls_max = 100\nnumbers = {{ \"120\" = \"queue:help\" }}\n"
    )
}

pub(crate) fn caller(house: &House, scenario: &str, port: u16, calls: u32, args: &[&str]) -> Sipp {
    let local = format!("{}:{port}", house.address(2));
    let server = format!("{}:5060", house.address(1));
    let calls = calls.to_string();
    let mut all = vec![server.as_str(), "-s", "120", "-m", &calls, "-r", "10"];
    all.extend_from_slice(args);
    Sipp::start(house, scenario, &local, &all)
}

pub(crate) fn agent(house: &House, scenario: &str, n: u16, args: &[&str]) -> Sipp {
    let local = format!("{}:{}", house.address(3), 7000 + n);
    Sipp::start(house, scenario, &local, args)
}

fn nobody_is_left(house: &House, contacts: f64) {
    house.wait_for("hotline_contacts_up", &[], 0.0);
    assert_eq!(house.metric("hotline_contacts_total", &[]), contacts);
    assert_eq!(house.metric("hotline_contacts_ended_total", &[]), contacts);
    assert_eq!(house.metric("hotline_queue_waiting", &[]), 0.0);
    let (entered, left) = (house.metric("hotline_queue_entered_total", &[]), house.metric("hotline_queue_left_total", &[]));
    assert_eq!(entered, left);
    assert_eq!(house.metric("hotline_repairs_total", &[]), 0.0);
}

#[test]
fn calls_reach_agents_and_end_well() {
    let house = House::start(1, &config(2, "answer = \"late\""));
    let phones = [agent(&house, "agent", 0, &["-d", "100"]), agent(&house, "agent", 1, &["-d", "100"])];
    caller(&house, "caller", 5060, 10, &["-d", "300"]).done();
    nobody_is_left(&house, 10.0);
    assert_eq!(house.metric("hotline_offers_total", &["accepted"]), 10.0);
    assert_eq!(house.metric("hotline_contacts_ended_total", &["ended_by=\"caller\"", "segment=\"talk\""]), 10.0);
    house.wait_for("hotline_agents", &["ready"], 2.0);
    assert!(house.http("GET /healthz", "", "").contains("alive"));
    // Of all that is logged between the first call and the last, each line is of one of them.
    let log = house.log();
    let lines = log.lines().skip_while(|line| !line.contains("a call came in"));
    let strays: Vec<&str> = lines.clone().filter(|line| !line.contains("contact=")).collect();
    assert!(lines.count() >= 50 && strays.is_empty(), "{strays:#?}");
    drop(phones);
}

#[test]
fn the_agent_hangs_up() {
    let house = House::start(2, &config(1, "answer = \"at_once\""));
    let phone = agent(&house, "agent_bye", 0, &["-d", "200", "-m", "3"]);
    caller(&house, "caller_bye", 5060, 3, &[]).done();
    phone.done();
    nobody_is_left(&house, 3.0);
    assert_eq!(house.metric("hotline_contacts_ended_total", &["ended_by=\"agent\"", "segment=\"talk\""]), 3.0);
}

#[test]
fn a_busy_agent_and_one_who_refuses_are_passed_over() {
    let house = House::start(3, &config(3, "answer = \"late\"\nchoose = \"fixed_order\"\nrefused_pause = \"5m\""));
    let busy = agent(&house, "agent_busy", 0, &["-m", "1"]);
    let refuses = agent(&house, "agent_refuses", 1, &["-m", "1"]);
    let answers = agent(&house, "agent", 2, &["-d", "50"]);
    caller(&house, "caller", 5060, 1, &["-d", "200"]).done();
    busy.done();
    refuses.done();
    nobody_is_left(&house, 1.0);
    assert_eq!(house.metric("hotline_offers_total", &["busy"]), 1.0);
    assert_eq!(house.metric("hotline_offers_total", &["refused"]), 1.0);
    assert_eq!(house.metric("hotline_agents_on_break", &["refused"]), 2.0);
    drop(answers);
}

#[test]
fn an_agent_who_does_not_answer_is_passed_over_and_put_on_break() {
    let house = House::start(4, &config(2, "answer = \"late\"\nchoose = \"fixed_order\"\nring = \"1s\""));
    let rings = agent(&house, "agent_rings", 0, &["-m", "1"]);
    let answers = agent(&house, "agent", 1, &["-d", "50"]);
    caller(&house, "caller", 5060, 1, &["-d", "200"]).done();
    rings.done();
    nobody_is_left(&house, 1.0);
    assert_eq!(house.metric("hotline_offers_total", &["timed_out"]), 1.0);
    house.wait_for("hotline_agents_on_break", &["rona"], 1.0);
    house.http("POST /api/v1/agents/agent0/state", "Authorization: Bearer let-me-in-please\r\n", "{\"state\":\"ready\"}");
    house.wait_for("hotline_agents", &["ready"], 2.0);
    drop(answers);
}

#[test]
fn a_caller_leaves_while_waiting_and_while_it_rings() {
    let house = House::start(5, &config(1, "answer = \"late\"\nring = \"20s\"\nshort_abandon = \"0s\""));
    // The phone rings and never answers: the first caller is offered, the second waits behind.
    let rings = agent(&house, "agent_rings", 0, &["-m", "1"]);
    caller(&house, "caller_cancel", 5060, 1, &["-d", "500"]).done();
    rings.done();
    nobody_is_left(&house, 1.0);
    assert_eq!(house.metric("hotline_offers_total", &["withdrawn"]), 1.0);
    house.wait_for("hotline_agents", &["ready"], 1.0);
    house.http("POST /api/v1/agents/agent0/state", "Authorization: Bearer let-me-in-please\r\n", "{\"state\":\"break\"}");
    house.wait_for("hotline_agents", &["break"], 1.0);
    caller(&house, "caller_cancel", 5061, 2, &["-d", "500"]).done();
    nobody_is_left(&house, 3.0);
    assert_eq!(house.metric("hotline_queue_left_total", &["outcome=\"abandoned\""]), 3.0);
}

#[test]
fn hold_and_resume_by_reinvite() {
    let house = House::start(6, &config(1, "answer = \"late\""));
    let phone = agent(&house, "agent", 0, &["-d", "50"]);
    caller(&house, "caller_hold", 5060, 1, &[]).done();
    nobody_is_left(&house, 1.0);
    drop(phone);
}

#[test]
fn packets_lost_both_ways_lose_no_call() {
    // More phones than callers need: one that has lost the thread (SIPp's does) keeps its agent for a transaction's time.
    let house = House::start(7, &config(5, "answer = \"late\""));
    let phones: Vec<Sipp> = (0..5).map(|n| agent(&house, "agent", n, &["-d", "50", "-lost", "10"])).collect();
    // Long enough for an ACK that was lost to be repeated: a SIPp that still waits for it answers no BYE.
    caller(&house, "caller", 5060, 10, &["-d", "1700", "-lost", "10", "-r", "1"]).done();
    nobody_is_left(&house, 10.0);
    assert!(house.metric("hotline_sip_retransmissions_total", &[]) > 0.0, "something was lost");
    drop(phones);
}

#[test]
fn a_caller_over_tcp_reaches_an_agent_on_udp() {
    let house = House::start(8, &config(1, "answer = \"late\""));
    let phone = agent(&house, "agent", 0, &["-d", "50"]);
    caller(&house, "caller", 5060, 3, &["-d", "200", "-t", "t1", "-r", "1"]).done();
    nobody_is_left(&house, 3.0);
    assert!(house.metric("hotline_sip_requests_total", &["INVITE", "tcp"]) >= 3.0);
    drop(phone);
}

#[test]
fn sigterm_drains_and_a_second_one_ends_every_call() {
    let mut house = House::start(9, &config(1, "answer = \"late\""));
    let phone = agent(&house, "agent", 0, &["-d", "50"]);
    let talking = caller(&house, "caller_bye", 5060, 1, &[]);
    house.wait_for("hotline_agents", &["talking"], 1.0);
    house.signal("-TERM");
    caller(&house, "caller_refused", 5061, 1, &[]).done();
    assert!(house.http("GET /readyz", "", "").contains("draining"));
    house.signal("-TERM");
    talking.done();
    assert!(house.ended(), "a drained process ends well:\n{}", house.log());
    drop(phone);
}

#[test]
fn prometheus_reads_what_we_say() {
    use std::io::Write;
    let house = House::start(10, &config(1, "answer = \"late\""));
    let phone = agent(&house, "agent", 0, &["-d", "50"]);
    caller(&house, "caller", 5060, 2, &["-d", "100"]).done();
    let mut check = std::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("promtool is installed by tests/setup.sh");
    check.stdin.take().unwrap().write_all(house.metrics().as_bytes()).unwrap();
    let answer = check.wait_with_output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&answer.stdout), String::from_utf8_lossy(&answer.stderr));
    assert!(answer.status.success() && text.trim().is_empty(), "{text}");
    drop(phone);
}

#[test]
fn a_reload_is_all_or_nothing_and_drops_no_call() {
    let house = House::start(11, &config(1, "answer = \"late\""));
    let phones = [agent(&house, "agent", 0, &["-d", "50"]), agent(&house, "agent", 1, &["-d", "50"])];
    let talking = caller(&house, "caller", 5060, 1, &["-d", "3000"]);
    house.wait_for("hotline_agents", &["talking"], 1.0);
    house.write_config(&config(2, "answer = \"soon\""));
    house.signal("-HUP");
    house.wait_for_log("nothing is reloaded");
    assert!(house.log().contains("soon"), "the mistake is named:\n{}", house.log());
    // A second agent and a second queue; the number 120 leads there now.
    let more = config(2, "answer = \"late\"").replace("queue:help", "queue:more");
    let queue =
        "[[queue]]\nname = \"more\"\nagency = \"city\"\npools = [\"desk\"]\nwrap_up = \"0s\"\nanswer = \"late\"\n[[trunk]]";
    house.write_config(&more.replace("[[trunk]]", queue));
    house.signal("-HUP");
    house.wait_for_log("reloaded;");
    house.wait_for("hotline_agents", &["ready"], 1.0);
    caller(&house, "caller", 5061, 1, &["-d", "100"]).done();
    assert_eq!(house.metric("hotline_queue_left_total", &["queue=\"more\"", "answered"]), 1.0);
    talking.done();
    nobody_is_left(&house, 2.0);
    drop(phones);
}

#[test]
fn a_call_over_ipv6() {
    let text = config(1, "answer = \"late\"")
        .replace("listen = [", "listen = [\"udp:[::1]:5977\", ")
        .replace("addresses = [\"NET.1\"]", "addresses = [\"NET.1\", \"::1\"]")
        .replace("ports = \"20000-20999\"", "ports = \"21000-21199\"")
        .replace("from = [\"NET.2/32\"]", "from = [\"NET.2/32\", \"::1/128\"]");
    let house = House::start(12, &text);
    let phone = agent(&house, "agent", 0, &["-d", "50"]);
    Sipp::start(&house, "caller", "[::1]:5978", &["[::1]:5977", "-s", "120", "-m", "2", "-r", "10", "-d", "100"]).done();
    nobody_is_left(&house, 2.0);
    drop(phone);
}

#[test]
fn an_agent_passes_the_caller_on_to_another_agency() {
    let more = "[[agency]]\nname = \"water\"\n[[pool]]\nname = \"pipes\"\nagency = \"water\"\n[[agent]]\nname = \"wanda\"\nagency = \"water\"\npools = [\"pipes\"]\n\
                contact = \"sip:wanda@NET.3:7001\"\nready = \"at_start\"\n[[queue]]\nname = \"water\"\nagency = \"water\"\npools = [\"pipes\"]\nwrap_up = \"0s\"\n[[trunk]]";
    let house = House::start(13, &config(1, "answer = \"late\"").replace("[[trunk]]", more));
    let refers = agent(&house, "agent_refers", 0, &["-m", "1", "-key", "to", "water"]);
    let water = Sipp::start(&house, "agent", &format!("{}:7001", house.address(3)), &["-d", "50"]);
    caller(&house, "caller", 5060, 1, &["-d", "2000"]).done();
    refers.done();
    nobody_is_left(&house, 1.0);
    let labels = ["kind=\"queue\"", "from_agency=\"city\"", "to_agency=\"water\"", "outcome=\"completed\""];
    assert_eq!(house.metric("hotline_transfers_total", &labels), 1.0);
    assert_eq!(house.metric("hotline_queue_left_total", &["queue=\"water\"", "answered"]), 1.0);
    drop(water);
}
