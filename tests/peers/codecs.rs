//! Who speaks what: baresip on both sides, a tone each way, passed through where both can, transcoded where they cannot.

use crate::house::{House, wait_until};
use crate::softphones::{Agent, PCMU, Softphone, anna, caller, late_city};

/// One call between a caller and an agent who speak these codecs; the house, and both while it lasts.
fn talk(net: u8, port: u16, callers: &str, agents: &str) -> (House, Softphone, Softphone) {
    let house = House::start(net, &late_city());
    let (server, dir) = (house.address(1), house.dir.path());
    let anna = Agent { codecs: agents, ..anna(&format!("{server}:5060")) }.phone(dir, port, 440);
    house.wait_for("hotline_agents", &["ready"], 1.0);
    let caller = caller(dir, port + 10, &server, callers);
    wait_until("the agent hears the caller's tone", || anna.heard().is_tone(1000.0));
    wait_until("the caller hears the agent's tone", || caller.heard().is_tone(440.0));
    (house, caller, anna)
}

fn transcoded(house: &House) -> f64 {
    house.metric("hotline_media_events_total", &["event=\"transcoded\""])
}

#[test]
fn g711_of_both_laws_is_transcoded() {
    let (house, ..) = talk(35, 15_200, "pcmu/8000/1", "pcma/8000/1");
    assert!(transcoded(&house) > 0.0);
}

#[test]
fn g722_is_passed_through_and_transcoded() {
    let (house, ..) = talk(36, 15_230, "g722/16000/1", "g722/16000/1");
    assert!(transcoded(&house) < 0.5, "both speak it");
    let (house, ..) = talk(37, 15_260, "pcma/8000/1", "g722/16000/1");
    assert!(transcoded(&house) > 0.0);
}

#[test]
fn opus_goes_end_to_end_where_the_caller_was_told_no_codec_before_the_agent_answered() {
    let (house, caller, anna) = talk(38, 15_290, "opus/48000/2", "opus/48000/2,pcmu/8000/1");
    assert!(transcoded(&house) < 0.5, "nobody transcodes Opus");
    for phone in [&caller, &anna] {
        assert!(phone.log().contains("Set audio decoder: opus 48000Hz 2ch"), "{}", phone.log());
    }
}

#[test]
fn a_caller_who_is_not_answered_yet_hears_music_by_early_media() {
    let house = House::start(47, &late_city());
    let (server, dir) = (house.address(1), house.dir.path());
    let anna = Agent { answers: "manual", ..anna(&format!("{server}:5060")) }.phone(dir, 15_460, 440);
    house.wait_for("hotline_agents", &["ready"], 1.0);
    let caller = caller(dir, 15_480, &server, PCMU);
    wait_until("the caller hears music", || caller.heard().is_other_than(440.0));
    assert!(caller.log().contains("183 Session Progress"), "{}", caller.log());
    assert!(!caller.log().contains("Call established"), "it rings at the agent still");
    anna.command("accept");
    wait_until("the caller hears the agent's tone", || caller.heard().is_tone(440.0));
    assert!(caller.log().contains("Call established"));
}
