//! Calls of an agent's own: feature codes, colleagues, the city's own numbers, numbers outside.

use std::time::Duration;

use super::super::media_port::Feed;
use super::super::{Input, Settings};
use super::calls::{ended, late, refer, transfers};
use super::house::{House, Request, Sent, answer, desk_phone, sdp, settings, tag_of};
use crate::base::words::{AgentState, EndedBy, QueueOutcome, Segment, Transport};
use crate::call::trunk::{Login, Outbound};
use crate::report::FactKind;
use crate::sip::Name;
use crate::sip::digest::{Account, Challenge};

/// Where agent 0, who has no fixed phone here, calls from.
pub(super) const SOFTPHONE: &str = "203.0.113.200:5060";
/// Where the trunk takes calls.
pub(super) const CARRIER: &str = "192.0.2.1:5060";

/// Agent 0 has a softphone and is offline; the others have desk phones and are ready.
fn with_softphone(agents: u32) -> Settings {
    let mut settings = late(settings(agents));
    let account = settings.accounts[0].as_mut().unwrap();
    account.fixed = None;
    account.ready_at_start = false;
    settings
}

/// An INVITE by agent 0 to `number`, sent, challenged, and sent again with proof.
fn dial(house: &mut House, call_id: &str, number: &str) {
    dial_as(house, (0, SOFTPHONE), call_id, number);
}

/// The same by another agent, from this address.
pub(super) fn dial_as(house: &mut House, (agent, from): (u32, &str), call_id: &str, number: &str) {
    let (user, password) = (format!("agent{agent}"), format!("secret{agent}"));
    let body = sdp("203.0.113.200", 42000, "sendrecv");
    let text = Request { from, body, ..Request::new("INVITE", call_id, 1) }.text();
    let text = text
        .replace("sip:120@", &format!("sip:{number}@"))
        .replace(&format!("<sip:0212345678@{from}>"), &format!("<sip:{user}@city.example>"));
    house.from(from, &text);
    let challenge = house.next_to(from);
    assert_eq!(challenge.status(), Some(407));
    let message = challenge.message();
    let chosen = Challenge::choose(message.all(Name::ProxyAuthenticate)).unwrap();
    let proof = chosen.answer(Account { user: &user, password: &password }, "INVITE", "sip:x", 1, "c");
    let again = text.replace("CSeq: 1", &format!("Proxy-Authorization: {proof}\r\nCSeq: 2")).replace("z9hG4bKb", "z9hG4bKc");
    house.from(from, &again);
}

pub(super) fn acknowledge(house: &mut House, call_id: &str) -> String {
    let ok = house.next_to(SOFTPHONE);
    assert_eq!(ok.status(), Some(200), "{}", ok.text());
    let tag = tag_of(&ok);
    house.from(SOFTPHONE, &Request { from: SOFTPHONE, to_tag: Some(&tag), ..Request::new("ACK", call_id, 2) }.text());
    tag
}

fn states(house: &House) -> (AgentState, AgentState) {
    (house.agent_state(0), house.agent_state(1))
}

#[test]
fn a_feature_code_is_confirmed_by_a_prompt() {
    let mut house = House::new(with_softphone(1));
    dial(&mut house, "code", "*1");
    acknowledge(&mut house, "code");
    assert_eq!(house.agent_state(0), AgentState::Ready);
    assert!(matches!(house.feeds.last(), Some((_, Feed::Prompts { names, .. })) if names[0].ends_with("/ready")));
    house.played();
    assert_eq!(house.next_to(SOFTPHONE).method().as_deref(), Some("BYE"));
    house.assert_empty();
}

#[test]
fn a_colleague_who_is_called_is_busy_for_it_too() {
    let mut house = House::new(with_softphone(2));
    dial(&mut house, "own", "agent1");
    let rung = house.next_to(&desk_phone(1));
    assert_eq!(states(&house), (AgentState::Busy, AgentState::Busy));
    house.from(&desk_phone(1), &answer(&rung, 180, ""));
    assert_eq!(house.next_to(SOFTPHONE).status(), Some(180), "the caller hears it ring");
    house.from(&desk_phone(1), &answer(&rung, 200, &sdp("203.0.113.2", 40000, "sendrecv")));
    acknowledge(&mut house, "own");
    house.input(Input::EndAll);
    assert_eq!(states(&house), (AgentState::Offline, AgentState::Ready));
    house.assert_empty();
}

#[test]
fn a_colleague_who_passes_the_agent_on_to_a_queue_is_free_again() {
    let mut house = House::new(with_softphone(2));
    dial(&mut house, "own", "agent1");
    let rung = house.next_to(&desk_phone(1));
    house.from(&desk_phone(1), &answer(&rung, 200, &sdp("203.0.113.2", 40000, "sendrecv")));
    acknowledge(&mut house, "own");
    house.from(&desk_phone(1), &refer(&rung, &desk_phone(1), "q", 7));
    assert_eq!(transfers(&house), [("queue", "completed")]);
    while !house.nothing_to(&desk_phone(1)) {
        let request = house.next_to(&desk_phone(1));
        if matches!(request.method().as_deref(), Some("NOTIFY" | "BYE")) {
            house.from(&desk_phone(1), &answer(&request, 200, ""));
        }
    }
    assert_eq!(states(&house), (AgentState::Busy, AgentState::Ringing), "who was free again is who is rung");
    house.input(Input::EndAll);
    assert_eq!(house.agent_state(0), AgentState::Offline);
    house.assert_empty();
}

#[test]
fn an_agent_who_dials_the_citys_number_waits_in_a_queue_and_talks_to_the_agent_it_finds() {
    let mut house = House::new(with_softphone(2));
    dial(&mut house, "own", "120");
    let rung = house.next_to(&desk_phone(1));
    assert_eq!(states(&house), (AgentState::Busy, AgentState::Ringing));
    house.from(&desk_phone(1), &answer(&rung, 200, &sdp("203.0.113.2", 40000, "sendrecv")));
    let tag = acknowledge(&mut house, "own");
    assert_eq!(states(&house), (AgentState::Busy, AgentState::Talking));
    let bye = Request { from: SOFTPHONE, to_tag: Some(&tag), ..Request::new("BYE", "own", 3) }.text();
    house.from(SOFTPHONE, &bye);
    assert_eq!(states(&house), (AgentState::Offline, AgentState::Ready));
    assert_eq!(ended(&house), [(EndedBy::Caller, Segment::Talk, None)]);
    let left = house.kinds().any(|kind| matches!(kind, FactKind::Left { outcome: QueueOutcome::Answered, .. }));
    assert!(left, "the queue counts an agent's call like any other");
    house.assert_empty();
}

/// Agent 0 calls a number outside, which its agency may dial; the INVITE that the carrier gets. `login`: the trunk's.
pub(super) fn outside(login: Option<Login>) -> (House, Sent) {
    let mut settings = with_softphone(1);
    settings.trunks[0].as_mut().unwrap().login = login;
    settings.agencies[0].dial = vec!["+82".into()];
    settings.trunks[0].as_mut().unwrap().outbound = Some(Outbound {
        address: CARRIER.parse().unwrap(),
        transport: Transport::Udp,
        host: CARRIER.into(),
        prefixes: Vec::new(),
        caller: "".into(),
    });
    let mut house = House::new(settings);
    dial(&mut house, "own", "+82212345678");
    let invite = house.next_to(CARRIER);
    (house, invite)
}

fn hears_each_other(house: &House) -> bool {
    let last = |endpoint| house.feeds.iter().rev().find(|(fed, _)| *fed == endpoint).map(|(_, feed)| feed.clone());
    let (a, b) = (house.open[0], house.open[1]);
    (last(a), last(b)) == (Some(Feed::peer(b)), Some(Feed::peer(a)))
}

#[test]
fn an_announcement_before_the_answer_is_heard_and_the_answer_need_not_describe_it_again() {
    let (mut house, invite) = outside(None);
    house.from(CARRIER, &answer(&invite, 183, &sdp("192.0.2.1", 30000, "sendrecv")));
    let early = house.next_to(SOFTPHONE);
    assert_eq!(early.status(), Some(183));
    let body = early.text().split("\r\n\r\n").nth(1).unwrap().to_owned();
    assert!(body.contains("m=audio") && hears_each_other(&house), "{body}");
    house.from(CARRIER, &answer(&invite, 180, ""));
    assert!(house.nothing_to(SOFTPHONE), "ringing is heard in the audio already");
    house.from(CARRIER, &answer(&invite, 200, ""));
    let ok = house.sent.iter().find(|sent| sent.status() == Some(200)).unwrap();
    assert!(ok.text().ends_with(&body), "who has described itself in a 183 keeps to it in the 200");
    acknowledge(&mut house, "own");
    assert!(hears_each_other(&house));
    house.input(Input::EndAll);
    house.assert_empty();
}

#[test]
fn a_number_outside_that_refuses_after_an_announcement_leaves_nothing_behind() {
    let (mut house, invite) = outside(None);
    house.from(CARRIER, &answer(&invite, 183, &sdp("192.0.2.1", 30000, "sendrecv")));
    house.from(CARRIER, &answer(&invite, 404, ""));
    assert_eq!(house.next_to(SOFTPHONE).status(), Some(183));
    assert_eq!(house.next_to(SOFTPHONE).status(), Some(404), "the agent is told as the carrier tells it");
    assert_eq!(house.agent_state(0), AgentState::Offline);
    house.pass(Duration::from_secs(1));
    house.assert_empty();
}
