//! One can see a call: its SIP as a ladder, from the running server and from its log, without secrets.

use std::process::Command;

use crate::calls::{agent, caller, config};
use crate::house::{House, wait_until};

const TOKEN: &str = "Authorization: Bearer let-me-in-please\r\n";

fn json(house: &House, request: &str, extra: &str, body: &str) -> serde_json::Value {
    serde_json::from_str(&house.http(request, extra, body)).unwrap_or_default()
}

/// What `hotline trace` prints, and whether it succeeds.
fn trace(house: &House, contact: &str, args: &[&str]) -> (String, bool) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_hotline")).args(["trace", contact]).args(args).current_dir(house.dir.path()).output();
    let output = output.unwrap();
    let text = String::from_utf8(if output.status.success() { output.stdout } else { output.stderr }).unwrap();
    (text, output.status.success())
}

/// The contacts that came in, in their order.
fn contacts(house: &House) -> Vec<String> {
    let log = house.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let arrived = lines.filter(|line| line["message"] == "a call came in");
    arrived.map(|line| line["span"]["contact"].as_str().unwrap().to_owned()).collect()
}

/// The arrows of a ladder, without times.
fn arrows(ladder: &str) -> Vec<String> {
    let lines = ladder.lines().filter(|line| line.contains("|-- ") || line.contains("|<- "));
    lines.map(|line| line.split_once('|').map(|(_, rest)| format!("|{rest}")).unwrap()).collect()
}

#[test]
fn a_call_can_be_seen_afterwards_and_is_logged_while_it_is_watched() {
    let quiet = config(1, "answer = \"late\"").replace("level = \"debug\"", "level = \"info\"\nformat = \"json\"");
    let house = House::start(48, &quiet);
    let phone = agent(&house, "agent", 0, &["-d", "100"]);
    caller(&house, "caller", 5060, 1, &["-d", "300"]).done();
    house.wait_for("hotline_contacts_up", &[], 0.0);

    // Nobody had asked for it, and it can be seen.
    let first = contacts(&house).remove(0);
    let (ladder, well) = trace(&house, &first, &["--config", "hotline.toml"]);
    assert!(well, "{ladder}");
    let drawn = arrows(&ladder);
    let has = |start: &str, lanes: usize| {
        drawn.iter().any(|line| line.starts_with(start) && line.trim_end().chars().count() > 30 * lanes)
    };
    for (start, lanes) in [
        ("|<- INVITE (SDP) ", 1),
        ("|-- INVITE (SDP) ", 2),
        ("|<- 200 OK to INVITE (SDP) ", 2),
        ("|-- ACK ", 2),
        ("|-- 200 OK to INVITE (SDP) ", 1),
        ("|<- ACK ", 1),
        ("|<- BYE ", 1),
        ("|-- 200 OK to BYE ", 1),
        ("|-- BYE ", 2),
        ("|<- 200 OK to BYE ", 2),
    ] {
        assert!(has(start, lanes), "{start} is not in:\n{ladder}");
    }
    assert!(ladder.contains("agent agent0") && ladder.contains(&format!("{}:7000", house.address(3))), "{ladder}");
    let (full, _) = trace(&house, &first, &["--config", "hotline.toml", "--messages"]);
    assert!(full.contains("\nINVITE sip:120@") && full.contains("\nm=audio "), "{full}");
    // It needs the token, and a contact that there was.
    let refused = json(&house, &format!("GET /api/v1/contacts/{first}/trace"), "", "");
    assert_eq!(refused["status"], 401);
    let (unknown, well) = trace(&house, "01KB0000000000000000000000", &["--config", "hotline.toml"]);
    assert!(!well && unknown.contains("No message of this contact is kept"), "{unknown}");

    // Whom is watched is logged in full, and nobody else.
    assert_eq!(json(&house, "POST /api/v1/watches", "", "{\"agent\":\"agent0\",\"seconds\":60}")["status"], 401);
    for (wrong, status) in [
        ("{\"agent\":\"nobody\",\"seconds\":60}", 404),
        ("{\"trunk\":\"nobody\",\"seconds\":60}", 404),
        ("{\"agent\":\"agent0\",\"seconds\":0}", 400),
        ("{\"agent\":\"agent0\"}", 400),
        ("{\"agent\":\"agent0\",\"number\":\"1\",\"seconds\":60}", 400),
        ("{\"caller\":\"1\",\"seconds\":60}", 400),
    ] {
        assert_eq!(json(&house, "POST /api/v1/watches", TOKEN, wrong)["status"], status, "{wrong}");
    }
    assert!(!house.log().contains("\"sip\":"), "nothing is logged yet");
    assert!(house.metric("hotline_limit_used", &["recent_sip"]) > 3000.0);
    // No more are watched than may be, and a number is not one that has to be known.
    for number in 0..32 {
        let watched = json(&house, "POST /api/v1/watches", TOKEN, &format!("{{\"number\":\"{number}\",\"seconds\":60}}"));
        assert_eq!(watched["number"], number.to_string());
    }
    assert_eq!(json(&house, "POST /api/v1/watches", TOKEN, "{\"agent\":\"agent0\",\"seconds\":60}")["status"], 409);
    assert_eq!(house.metric("hotline_limit_hits_total", &["watches"]), 1.0);
    house.http("DELETE /api/v1/watches", TOKEN, "");
    assert_eq!(json(&house, "POST /api/v1/watches", TOKEN, "{\"agent\":\"agent0\",\"seconds\":600}")["agent"], "agent0");
    assert_eq!(json(&house, "GET /api/v1/watches", TOKEN, "").as_array().map(Vec::len), Some(1));
    caller(&house, "caller", 5060, 1, &["-d", "300"]).done();
    house.wait_for("hotline_contacts_up", &[], 0.0);
    let second = contacts(&house).remove(1);
    let mut told = String::new();
    wait_until("the whole call is in the log", || {
        let (ladder, well) = trace(&house, &second, &["--log", "server.log"]);
        told = ladder;
        well && told.contains("|<- 200 OK to BYE ")
    });
    // The INVITE came before it was known that the agent would be rung.
    let (kept, _) = trace(&house, &second, &["--config", "hotline.toml"]);
    assert_eq!(arrows(&told), arrows(&kept));
    assert!(!house.log().lines().any(|line| line.contains("\"sip\":") && line.contains(&first)));

    // A watch that is over logs no more.
    house.http("DELETE /api/v1/watches", TOKEN, "");
    assert_eq!(json(&house, "GET /api/v1/watches", TOKEN, "").as_array().map(Vec::len), Some(0));
    caller(&house, "caller", 5060, 1, &["-d", "100"]).done();
    house.wait_for("hotline_contacts_up", &[], 0.0);
    let third = contacts(&house).remove(2);
    house.wait_for_log("\"message\":\"the contact ended\"");
    assert!(!trace(&house, &third, &["--log", "server.log"]).1);
    drop(phone);
}

#[test]
fn what_a_carrier_proves_itself_with_is_shown_to_nobody() {
    let roaming = config(1, "answer = \"late\"")
        .replace("from = [\"NET.2/32\"]", "user = \"carrier\"\npassword = \"of-pigeons\"")
        .replace("level = \"debug\"", "level = \"trace\"\nformat = \"json\"");
    let house = House::start(49, &roaming);
    let phone = agent(&house, "agent", 0, &["-d", "50"]);
    caller(&house, "caller_proves", 5061, 1, &["-d", "200", "-au", "carrier", "-ap", "of-pigeons"]).done();
    house.wait_for("hotline_contacts_up", &[], 0.0);
    let contact = contacts(&house).remove(0);
    wait_until("the whole call is in the log", || trace(&house, &contact, &["--log", "server.log"]).0.contains(" to BYE "));
    for from in [["--config", "hotline.toml"], ["--log", "server.log"]] {
        let (full, well) = trace(&house, &contact, &[from[0], from[1], "--messages"]);
        assert!(well && full.contains("-Authorization: Digest [blanked]"), "{full}");
        assert!(!full.contains("response=") && !full.contains("cnonce="), "{full}");
    }
    assert!(!house.log().contains("response=") && !house.log().contains("of-pigeons"));
    drop(phone);
}
