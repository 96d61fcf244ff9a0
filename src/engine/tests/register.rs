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
    let message = challenge.message();
    let chosen = Challenge::choose(message.all(Name::WwwAuthenticate)).unwrap();
    assert_eq!(chosen.algorithm, Algorithm::Sha256, "the stronger one is offered first");
    let account = Account { user: "agent0", password };
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
