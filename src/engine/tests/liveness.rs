//! Who has fallen silent in a talk is asked by OPTIONS, then by a re-INVITE, and only then given up.

use std::time::Duration;

use super::super::Input;
use super::super::media_port::MediaEvent;
use super::calls::{PHONE, ended, late, talking};
use super::house::{CALLER, House, Sent, answer, sdp, settings};
use crate::base::words::{AgentState, EndedBy, Segment};
use crate::sip::Name;

/// The silence limit of the media threads, which each further report comes after.
const LIMIT: Duration = Duration::from_secs(30);

/// Says that the agent's phone has been silent for the limit; the agent's endpoint is the one opened first, for a caller who is answered late.
fn agent_falls_silent(house: &mut House) {
    house.pass(LIMIT);
    let endpoint = house.open[0];
    house.input(Input::Media(MediaEvent::Silent { endpoint, silent_for: LIMIT }));
}

fn asked(house: &mut House, method: &str) -> Sent {
    let request = house.next_to(PHONE);
    assert_eq!(request.method().as_deref(), Some(method));
    request
}

/// Has the agent's phone be silent twice, with OPTIONS answered between; gives the re-INVITE that asks next.
fn probed_by_invite(house: &mut House) -> Sent {
    agent_falls_silent(house);
    let options = asked(house, "OPTIONS");
    house.from(PHONE, &answer(&options, 200, ""));
    agent_falls_silent(house);
    asked(house, "INVITE")
}

#[test]
fn a_silent_party_that_answers_both_probes_is_kept() {
    let mut house = House::new(late(settings(1)));
    let (_, invite) = talking(&mut house);
    for _ in 0..2 {
        let reinvite = probed_by_invite(&mut house);
        assert!(reinvite.header(Name::To).contains("tag=phone"), "within the dialog");
        assert_eq!(reinvite.header(Name::CallId), invite.header(Name::CallId));
        let body = reinvite.text();
        assert!(
            body.contains("m=audio ") && body.contains(" RTP/AVP 0\r\n") && body.contains("a=sendrecv"),
            "the same codec again: {body}"
        );
        let ok = answer(&reinvite, 200, &sdp("203.0.113.1", 40000, "sendrecv"));
        for _ in 0..2 {
            // The second as if our ACK had been lost.
            house.from(PHONE, &ok);
            let ack = asked(&mut house, "ACK");
            let number = reinvite.header(Name::CSeq).replace("INVITE", "ACK");
            assert_eq!(ack.header(Name::CSeq), number);
        }
    }
    assert_eq!(house.agent_state(0), AgentState::Talking);
    assert!(ended(&house).is_empty());
}

#[test]
fn a_party_that_answers_neither_probe_is_hung_up() {
    let mut house = House::new(late(settings(1)));
    talking(&mut house);
    agent_falls_silent(&mut house);
    asked(&mut house, "OPTIONS");
    // Timer F, then Timer B.
    house.pass(Duration::from_secs(33));
    while house.next_to(PHONE).method().as_deref() == Some("OPTIONS") && !house.nothing_to(PHONE) {}
    assert!(ended(&house).is_empty(), "one unanswered probe ends nobody");
    house.pass(Duration::from_secs(33));
    assert_eq!(ended(&house), [(EndedBy::Agent, Segment::Talk, None)]);
    let bye = house.next_to(CALLER);
    assert_eq!(bye.method().as_deref(), Some("BYE"));
    house.from(CALLER, &answer(&bye, 200, ""));
    house.assert_empty();
}

#[test]
fn a_phone_that_no_longer_knows_the_call_ends_it_at_once() {
    let mut house = House::new(late(settings(1)));
    talking(&mut house);
    agent_falls_silent(&mut house);
    let options = asked(&mut house, "OPTIONS");
    house.from(PHONE, &answer(&options, 481, ""));
    assert_eq!(ended(&house), [(EndedBy::Agent, Segment::Talk, None)]);
}

#[test]
fn while_we_probe_by_invite_theirs_gets_491_and_a_lasting_provisional_answer_is_not_an_answer() {
    let mut house = House::new(late(settings(1)));
    let (_, invite) = talking(&mut house);
    let reinvite = probed_by_invite(&mut house);
    house.from(PHONE, &answer(&reinvite, 180, ""));
    house.from(PHONE, &theirs(&invite, "sendonly"));
    assert_eq!(house.next_to(PHONE).status(), Some(491));
    agent_falls_silent(&mut house);
    assert!(ended(&house).is_empty());
    agent_falls_silent(&mut house);
    assert_eq!(ended(&house), [(EndedBy::Agent, Segment::Talk, None)]);
}

/// A re-INVITE by the agent's phone.
fn theirs(invite: &Sent, direction: &str) -> String {
    let (from, to, call_id) = (invite.header(Name::To), invite.header(Name::From), invite.header(Name::CallId));
    let body = sdp("203.0.113.1", 40000, direction);
    format!(
        "INVITE sip:hotline@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP {PHONE};branch=z9hG4bKtheirs\r\nMax-Forwards: 70\r\n\
         From: {from};tag=phone\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: 7 INVITE\r\nContact: <sip:phone@{PHONE}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn what_asks_into_a_silence_is_not_made_again_once_the_party_has_offered() {
    let mut house = House::new(late(settings(1)));
    let (_, invite) = talking(&mut house);
    let reinvite = probed_by_invite(&mut house);
    house.from(PHONE, &answer(&reinvite, 491, ""));
    assert_eq!(asked(&mut house, "ACK").header(Name::CSeq), reinvite.header(Name::CSeq).replace("INVITE", "ACK"));
    // The phone's own offer, which ours met, comes before ours is due again.
    let theirs = theirs(&invite, "sendrecv");
    house.from(PHONE, &theirs);
    assert_eq!(house.next_to(PHONE).status(), Some(200));
    let (head, body) = theirs.split_once("\r\n\r\n").unwrap();
    let length = format!("Content-Length: {}", body.len());
    let ack = head.replace("INVITE", "ACK").replace("theirs", "ack").replace(&length, "Content-Length: 0");
    house.from(PHONE, &format!("{ack}\r\n\r\n"));
    house.sent.clear();
    house.pass(Duration::from_secs(10));
    assert!(!house.sent.iter().any(|sent| sent.method().as_deref() == Some("INVITE")), "the phone has shown that it is there");
    assert_eq!(house.agent_state(0), AgentState::Talking);
}
