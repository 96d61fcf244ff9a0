//! Registered phones: digest, replay, expiry, behind NAT and behind proxies.

use std::time::Duration;

use super::calls::late;
use super::house::{CALLER, House, Request, Sent, answer, sdp, settings};
use crate::base::words::AgentState;
use crate::sip::Name;
use crate::sip::digest::{Account, Algorithm, Challenge};

/// Agent 0 has no fixed phone.
fn house() -> House {
    let mut settings = late(settings(1));
    settings.accounts[0].as_mut().unwrap().fixed = None;
    House::new(settings)
}

fn register(cseq: u32, contact: &str, extra: &str) -> String {
    format!(
        "REGISTER sip:city.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKr{cseq};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:agent0@city.example>;tag=r\r\nTo: <sip:agent0@city.example>\r\nCall-ID: reg\r\nCSeq: {cseq} REGISTER\r\n\
         Contact: {contact}\r\n{extra}Content-Length: 0\r\n\r\n"
    )
}

fn prove(challenge: &Sent, password: &str, nc: u32) -> String {
    prove_as("agent0", challenge, password, nc)
}

pub(super) fn prove_as(user: &str, challenge: &Sent, password: &str, nc: u32) -> String {
    let message = challenge.message();
    let chosen = Challenge::choose(message.all(Name::WwwAuthenticate)).unwrap();
    assert_eq!(chosen.algorithm, Algorithm::Sha256, "the stronger one is offered first");
    let account = Account { user, password };
    format!("Authorization: {}\r\n", chosen.answer(account, "REGISTER", "sip:city.example", nc, "c0ffee"))
}

#[test]
fn a_phone_registers_and_is_rung_where_it_came_from() {
    let mut house = house();
    let nat = "198.18.0.9:61000";
    house.from(nat, &register(1, "<sip:agent0@10.0.0.5>;expires=600", ""));
    let challenge = house.next_to(nat);
    assert_eq!(challenge.status(), Some(401));
    house.from(nat, &register(2, "<sip:agent0@10.0.0.5>;expires=600", &prove(&challenge, "wrong", 1)));
    assert_eq!(house.next_to(nat).status(), Some(401));
    let proof = prove(&challenge, "secret0", 1);
    house.from(nat, &register(3, "<sip:agent0@10.0.0.5>;expires=600", &proof));
    let ok = house.next_to(nat);
    assert_eq!(ok.status(), Some(200));
    assert!(ok.header(Name::Contact).contains("<sip:agent0@10.0.0.5>;expires=600"));
    assert_eq!(house.agent_state(0), AgentState::Ready);
    // The same proof once more is a replay.
    house.from(nat, &register(4, "<sip:agent0@10.0.0.5>;expires=600", &proof));
    assert_eq!(house.next_to(nat).status(), Some(401));
    // Too short.
    house.from(nat, &register(5, "<sip:agent0@10.0.0.5>;expires=5", &prove(&challenge, "secret0", 2)));
    assert_eq!(house.next_to(nat).status(), Some(423));
    house.from(CALLER, &Request::invite("a").text());
    let invite = house.next_to(nat);
    assert!(invite.text().starts_with("INVITE sip:agent0@10.0.0.5 SIP/2.0"), "its own URI, sent to where it came from");
    house.from(nat, &answer(&invite, 486, ""));
    house.pass(Duration::from_secs(601));
    assert_eq!(house.agent_state(0), AgentState::Offline, "the registration has lapsed");
    house.from(CALLER, &Request::new("CANCEL", "a", 1).text());
    house.assert_empty();
}

/// An edge proxy at `PROXY`, which the phone registers through.
const PROXY: &str = "203.0.113.60:5060";
const PATH: &str = "<sip:203.0.113.60;lr;received=sip:10.0.0.5%3A61000>";

#[test]
fn a_phone_behind_a_proxy_is_rung_by_its_path_and_the_proxys_flow_is_nobodys() {
    let mut house = house();
    house.from(PROXY, &register(1, "<sip:agent0@10.0.0.5>", ""));
    let challenge = house.next_to(PROXY);
    let path = format!("Path: {PATH}\r\nPath: <sip:192.0.2.99;lr>\r\n{}", prove(&challenge, "secret0", 1));
    house.from(PROXY, &register(2, "<sip:agent0@10.0.0.5>", &path));
    let ok = house.next_to(PROXY);
    assert_eq!(ok.status(), Some(200));
    assert!(ok.text().contains(&format!("Path: {PATH}\r\n")), "what was kept is shown");

    // Another who comes by the same proxy is not taken for the agent.
    let body = sdp("10.0.0.6", 30000, "sendrecv");
    let other = Request { from: PROXY, body, ..Request::new("INVITE", "other", 1) }.text();
    let other = other.replace(&format!("<sip:0212345678@{PROXY}>"), "<sip:agent0@city.example>");
    house.from(PROXY, &other);
    assert_eq!(house.next_to(PROXY).status(), Some(407));

    house.from(CALLER, &Request::invite("a").text());
    let invite = house.next_to(PROXY);
    assert!(invite.text().starts_with("INVITE sip:agent0@10.0.0.5 SIP/2.0"));
    assert_eq!(invite.header(Name::Route), format!("{PATH}, <sip:192.0.2.99;lr>"));
    house.from(PROXY, &answer(&invite, 180, ""));
    house.from(CALLER, &Request::new("CANCEL", "a", 1).text());
    let cancel = house.next_to(PROXY);
    assert_eq!(cancel.method().as_deref(), Some("CANCEL"));
    assert_eq!(cancel.header(Name::Route), invite.header(Name::Route), "it goes the same way");
    house.from(PROXY, &answer(&invite, 487, ""));
    house.assert_empty();
}

#[test]
fn a_path_that_is_too_long_or_strict_is_refused_and_nothing_is_kept() {
    for path in [
        "Path: <sip:203.0.113.60>\r\n".to_owned(),
        "Path: not an address;\r\n".to_owned(),
        format!("Path: {}<sip:x;lr>\r\n", "<sip:203.0.113.60;lr>, ".repeat(4)),
        format!("Path: <sip:{}@203.0.113.60;lr>\r\n", "a".repeat(1_000)),
    ] {
        let mut house = house();
        house.from(PROXY, &register(1, "<sip:agent0@10.0.0.5>", ""));
        let challenge = house.next_to(PROXY);
        house.from(PROXY, &register(2, "<sip:agent0@10.0.0.5>", &format!("{path}{}", prove(&challenge, "secret0", 1))));
        assert_eq!(house.next_to(PROXY).status(), Some(400), "{path}");
        assert_eq!(house.agent_state(0), AgentState::Offline);
        house.assert_empty();
    }
}

/// Registers the contact, with a proof for it; what came back.
fn registers(house: &mut House, from: &str, cseq: u32, contact: &str) -> Sent {
    house.sent.clear();
    house.from(from, &register(cseq, contact, ""));
    let challenge = house.next_to(from);
    house.from(from, &register(cseq + 1, contact, &prove(&challenge, "secret0", 1)));
    house.next_to(from)
}

#[test]
fn two_phones_of_an_agent_ring_at_once_and_one_that_unregisters_does_not() {
    let mut house = house();
    let (desk, home) = ("198.18.0.9:61000", "198.18.0.10:62000");
    assert_eq!(registers(&mut house, desk, 1, "<sip:agent0@10.0.0.5>").status(), Some(200));
    let both = registers(&mut house, home, 3, "<sip:agent0@10.0.0.6>");
    let contacts: Vec<String> = both.message().contacts().map(|contact| format!("{contact:?}")).collect();
    assert_eq!(contacts.len(), 2, "both are listed: {contacts:?}");

    house.from(CALLER, &Request::invite("a").text());
    let (at_desk, at_home) = (house.next_to(desk), house.next_to(home));
    house.from(desk, &answer(&at_desk, 180, ""));
    house.from(home, &answer(&at_home, 180, ""));
    house.from(home, &answer(&at_home, 200, &sdp("10.0.0.6", 40000, "sendrecv")));
    assert_eq!(house.next_to(desk).method().as_deref(), Some("CANCEL"), "the first who answers has the call");
    house.from(desk, &answer(&at_desk, 487, ""));
    assert_eq!(house.agent_state(0), AgentState::Talking);
    let tag = loop {
        let sent = house.next_to(CALLER);
        if sent.status() == Some(200) {
            break super::house::tag_of(&sent);
        }
    };
    house.from(CALLER, &Request { to_tag: Some(&tag), branch: "ack", ..Request::new("ACK", "a", 1) }.text());
    house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text());
    let bye = loop {
        let sent = house.next_to(home);
        if sent.method().as_deref() == Some("BYE") {
            break sent;
        }
    };
    house.from(home, &answer(&bye, 200, ""));
    house.pass(Duration::from_secs(60));

    // One un-registers: only the other rings.
    let left = registers(&mut house, desk, 5, "<sip:agent0@10.0.0.5>;expires=0");
    assert!(left.status() == Some(200) && !left.text().contains("10.0.0.5>;expires"), "{}", left.text());
    house.sent.clear();
    house.from(CALLER, &Request::invite("b").text());
    let invite = house.next_to(home);
    assert!(house.nothing_to(desk));
    house.from(home, &answer(&invite, 486, ""));
    house.from(CALLER, &Request::new("CANCEL", "b", 1).text());

    // All at once.
    house.from(home, &register(7, "*", "Expires: 0\r\n"));
    let challenge = loop {
        let sent = house.next_to(home);
        if sent.status() == Some(401) {
            break sent;
        }
    };
    house.from(home, &register(8, "*", &format!("Expires: 0\r\n{}", prove(&challenge, "secret0", 1))));
    assert_eq!(house.next_to(home).status(), Some(200));
    assert_eq!(house.agent_state(0), AgentState::Offline);
    house.assert_empty();
}
