//! What phones do to a call: a connection that breaks while it rings, a phone that dies in a talk, hold and resume.

use crate::house::{House, wait_until};
use crate::softphones::{self, Agent, CITY, PCMU, anna, caller};

/// `CITY` with a second agent, who is not ready, and a silence of 2 s that is asked into, so that who is gone is found out soon.
fn city() -> String {
    let bora = "[[agent]]\nname = \"bora\"\nagency = \"city\"\npools = [\"desk\"]\npassword = \"bora-knows-it-too\"\nready = \"by_code\"\n[[queue]]";
    CITY.replace("[[queue]]", bora)
        .replace("20000-20999\"", "20000-20999\"\nsilence = \"2s\"")
        .replace("announce_every", "ring = \"60s\"\nannounce_every")
}

#[test]
fn a_connection_that_breaks_while_it_rings_costs_nobody_their_place_and_one_that_breaks_in_a_talk_ends_it() {
    let house = House::start(31, &city());
    let (address, dir) = (house.address(1), house.dir.path());
    let server = format!("{address}:5060");
    let mut anna = Agent { transport: "tcp", answers: "manual", ..anna(&server) }.phone(dir, 15_110, 440);
    house.wait_for("hotline_agents", &["ready"], 1.0);
    let (name, password) = ("bora", "bora-knows-it-too");
    let bora = Agent { name, password, transport: "tcp", ..softphones::anna(&server) };
    let mut bora = bora.phone(dir, 15_120, 550);
    house.wait_for("hotline_agents", &["break"], 1.0);
    let caller = caller(dir, 15_130, &address, PCMU);
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
    assert!((entered - 1.0).abs() < 1e-9, "it entered the queue once: {entered}");

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
    let house = House::start(net, &city());
    let (address, dir) = (house.address(1), house.dir.path());
    let anna = anna(&format!("{address}:5060")).phone(dir, port, 440);
    house.wait_for("hotline_agents", &["ready"], 1.0);
    let caller = caller(dir, port + 10, &address, PCMU);
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

#[test]
fn two_phones_of_two_agents_ring_at_once_and_one_is_answered() {
    let several = city().replace("answer = \"at_once\"", "answer = \"late\"\nring_several = 2").replace("by_code", "on_register");
    let house = House::start(34, &several);
    let (address, dir) = (house.address(1), house.dir.path());
    let server = format!("{address}:5060");
    let _anna = Agent { answers: "manual", ..anna(&server) }.phone(dir, 15_180, 440);
    let (name, password) = ("bora", "bora-knows-it-too");
    let bora = Agent { name, password, answers: "manual", ..anna(&server) }.phone(dir, 15_190, 550);
    house.wait_for("hotline_agents", &["ready"], 2.0);
    let caller = caller(dir, 15_200, &address, PCMU);
    house.wait_for("hotline_agents", &["ringing"], 2.0);
    bora.command("accept");
    wait_until("the caller hears who answered", || caller.heard().is_tone(550.0));
    wait_until("and is heard", || bora.heard().is_tone(1000.0));
    house.wait_for("hotline_agents", &["talking"], 1.0);
    house.wait_for("hotline_agents", &["ready"], 1.0);
    house.wait_for("hotline_offers_total", &["accepted"], 1.0);
    house.wait_for("hotline_offers_total", &["withdrawn"], 1.0);
}
