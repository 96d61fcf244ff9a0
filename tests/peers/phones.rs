//! What phones do to a call: a connection that breaks while it rings, a phone that dies in a talk, hold and resume.

use crate::house::{House, wait_until};
use crate::softphones::Softphone;

/// Two agents with softphones over TCP or UDP; a silence of 2 s is asked into, so that who is gone is found out soon.
const CONFIG: &str = r#"
[server]
listen = ["udp:NET.1:5060", "tcp:NET.1:5060"]
domains = ["city.example"]
[http]
bind = "NET.1:8120"
token = "let-me-in-please"
[media]
addresses = ["NET.1"]
ports = "20000-20999"
silence = "2s"
[log]
level = "debug"
[[agency]]
name = "city"
[[pool]]
name = "desk"
agency = "city"
[[agent]]
name = "anna"
agency = "city"
pools = ["desk"]
password = "anna-knows-a-lot"
ready = "on_register"
[[agent]]
name = "bora"
agency = "city"
pools = ["desk"]
password = "bora-knows-it-too"
ready = "by_code"
[[queue]]
name = "help"
agency = "city"
pools = ["desk"]
wrap_up = "0s"
answer = "at_once"
announce_every = "never"
ring = "60s"
[[trunk]]
name = "carrier"
from = ["127.0.0.1/32"]
calls_max = 10
numbers = { "120" = "queue:help" }
"#;

/// Each test has ports of its own, since all softphones are on one address.
fn agent(house: &House, name: &str, password: &str, port: u16, transport: &str, answers: &str, hz: u32) -> Softphone {
    let server = house.address(1);
    let account = format!(
        "<sip:{name}@city.example;transport={transport}>;auth_user={name};auth_pass={password};\
         outbound=\"sip:{server}:5060;transport={transport}\";regint=60;answermode={answers};audio_codecs=pcmu/8000/1"
    );
    Softphone::start(house.dir.path(), name, port, &account, hz, &[])
}

fn caller(house: &House, port: u16) -> Softphone {
    let account = format!("<sip:0212345678@127.0.0.1:{port}>;regint=0;audio_codecs=pcmu/8000/1");
    let dial = format!("/dial sip:120@{}", house.address(1));
    Softphone::start(house.dir.path(), "caller", port, &account, 1000, &[&dial])
}

#[test]
fn a_connection_that_breaks_while_it_rings_costs_nobody_their_place_and_one_that_breaks_in_a_talk_ends_it() {
    let house = House::start(31, CONFIG);
    let mut anna = agent(&house, "anna", "anna-knows-a-lot", 15_110, "tcp", "manual", 440);
    house.wait_for("hotline_agents", &["ready"], 1.0);
    let mut bora = agent(&house, "bora", "bora-knows-it-too", 15_120, "tcp", "auto", 550);
    house.wait_for("hotline_agents", &["break"], 1.0);
    let caller = caller(&house, 15_130);
    house.wait_for("hotline_agents", &["ringing"], 1.0);

    anna.kill();
    house.wait_for("hotline_agents", &["offline"], 1.0);
    house.wait_for("hotline_offers_total", &["unreachable"], 1.0);
    assert!(house.metric("hotline_queue_waiting", &[]) > 0.5, "the caller keeps the place");
    wait_until("the caller hears music", || caller.heard().is_other_than(440.0));
    house.http("POST /api/v1/agents/bora/state", "Authorization: Bearer let-me-in-please\r\n", "{\"state\":\"ready\"}");
    house.wait_for("hotline_agents", &["talking"], 1.0);
    wait_until("the agent hears the caller", || bora.heard().is_tone(1000.0));
    wait_until("the caller hears the agent", || caller.heard().is_tone(550.0));
    let entered = house.metric("hotline_queue_entered_total", &[]);
    assert!((entered - 1.0).abs() < 1e-9, "it entered the line once: {entered}");

    bora.kill();
    // Silence, an OPTIONS and a re-INVITE that find no connection: much sooner than their transactions' time-outs.
    house.wait_for("hotline_contacts_ended_total", &["ended_by=\"agent\"", "segment=\"talk\""], 1.0);
    house.wait_for("hotline_contacts_up", &[], 0.0);
    house.wait_for("hotline_agents", &["offline"], 2.0);
    wait_until("the caller is hung up", || caller.log().contains("terminated"));
}

/// A call in which one of the two holds the other and takes them back. Each in a call of its own: a baresip that has held somebody writes
/// down no more of what it hears.
fn hold(net: u8, port: u16, agent_holds: bool) {
    let house = House::start(net, CONFIG);
    let anna = agent(&house, "anna", "anna-knows-a-lot", port, "udp", "auto", 440);
    house.wait_for("hotline_agents", &["ready"], 1.0);
    let caller = caller(&house, port + 10);
    wait_until("the caller hears the agent", || caller.heard().is_tone(440.0));
    wait_until("the agent hears the caller", || anna.heard().is_tone(1000.0));
    let (holder, held, holders_tone) = if agent_holds { (&anna, &caller, 440.0) } else { (&caller, &anna, 1000.0) };
    holder.command("hold");
    wait_until("who is held hears music, and not the other", || held.heard().is_other_than(holders_tone));
    holder.command("resume");
    wait_until("who was held hears the other again", || held.heard().is_tone(holders_tone));
    assert!((house.metric("hotline_contacts_up", &[]) - 1.0).abs() < 1e-9, "neither has lost the other");
}

#[test]
fn a_caller_who_is_held_hears_music_and_the_agent_again_after_it() {
    hold(32, 15_140, true);
}

#[test]
fn an_agent_who_is_held_hears_music_and_the_caller_again_after_it() {
    hold(33, 15_160, false);
}
