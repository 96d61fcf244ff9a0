//! Trunks that prove themselves and to which we prove ourselves; several answers to one call of ours.

use super::super::Input;
use super::agent_calls::{CARRIER, SOFTPHONE, acknowledge, outside};
use super::calls::{PHONE, ended, late};
use super::house::{CALLER, House, Request, answer, sdp, settings};
use crate::base::words::{EndedBy, Segment};
use crate::call::trunk::Login;
use crate::sip::Name;
use crate::sip::digest::{Account, Challenge};

fn login() -> Option<Login> {
    Some(Login { user: "carrier".into(), password: "of-pigeons".into() })
}

/// A house whose only trunk is known by digest, whatever its address.
fn roaming() -> House {
    let mut settings = late(settings(1));
    let trunk = settings.trunks[0].as_mut().unwrap();
    (trunk.login, trunk.from) = (login(), Vec::new());
    House::new(settings)
}

/// An INVITE, and what it becomes with an answer to the challenge that it got.
fn proven(house: &mut House, call_id: &str, password: &str) -> String {
    let text = Request::invite(call_id).text();
    house.from(CALLER, &text);
    let challenge = house.next_to(CALLER);
    assert_eq!(challenge.status(), Some(407), "a trunk that is known by digest alone is asked for it");
    house.from(CALLER, &text.replace("INVITE", "ACK"));
    let message = challenge.message();
    let chosen = Challenge::choose(message.all(Name::ProxyAuthenticate)).unwrap();
    let proof = chosen.answer(Account { user: "carrier", password }, "INVITE", "sip:x", 1, "c");
    text.replace("CSeq: 1", &format!("Proxy-Authorization: {proof}\r\nCSeq: 2")).replace("z9hG4bKb", "z9hG4bKc")
}

#[test]
fn a_trunk_without_an_address_is_challenged_and_let_in_by_its_proof() {
    let mut house = roaming();
    let invite = proven(&mut house, "a", "of-pigeons");
    house.from(CALLER, &invite);
    assert_eq!(house.next_to(PHONE).method().as_deref(), Some("INVITE"), "an agent is rung for it");
    assert_eq!(house.contacts_up(), 1);
    house.from(CALLER, &invite.replace("CSeq: 2 INVITE", "CSeq: 2 CANCEL").replace("INVITE sip", "CANCEL sip"));
    assert_eq!(ended(&house), [(EndedBy::Caller, Segment::Queue, Some(487))]);
    house.assert_empty();
}

#[test]
fn a_wrong_proof_and_a_request_that_is_not_for_us_get_nowhere() {
    let mut house = roaming();
    let invite = proven(&mut house, "a", "of-doves");
    house.from(CALLER, &invite);
    assert_eq!(house.next_to(CALLER).status(), Some(407));
    assert_eq!(house.contacts_up(), 0);
    house.from(CALLER, &Request::invite("b").text().replace("sip:120@198.51.100.1:5060 SIP", "sip:120@elsewhere.example SIP"));
    house.from(CALLER, &Request::new("OPTIONS", "c", 1).text());
    assert!(house.nothing_to(CALLER), "who only looks around learns nothing");
    house.assert_empty();
}

#[test]
fn a_challenge_to_our_call_is_answered_once_and_a_second_one_ends_it() {
    for (status, asked, answered) in
        [(401, "WWW-Authenticate", Name::Authorization), (407, "Proxy-Authenticate", Name::ProxyAuthorization)]
    {
        let (mut house, invite) = outside(login());
        let challenge = format!("{asked}: Digest realm=\"carrier\", nonce=\"n1\", qop=\"auth\"\r\nContact:");
        house.from(CARRIER, &answer(&invite, status, "").replace("Contact:", &challenge));
        assert_eq!(house.next_to(CARRIER).method().as_deref(), Some("ACK"));
        let again = house.next_to(CARRIER);
        assert_eq!((again.method().as_deref(), again.header(Name::CSeq).as_str()), (Some("INVITE"), "2 INVITE"));
        assert!(again.header(answered).contains("username=\"carrier\""));
        house.from(CARRIER, &answer(&again, status, "").replace("Contact:", &challenge));
        assert_eq!(house.next_to(SOFTPHONE).status(), Some(status), "the password is wrong, and no third attempt is made");
        house.assert_empty();
    }
}

#[test]
fn a_second_fork_that_answers_is_acknowledged_by_its_own_number_and_hung_up_and_the_first_talks_on() {
    let (mut house, invite) = outside(login());
    let challenge = "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", qop=\"auth\"\r\nContact:";
    house.from(CARRIER, &answer(&invite, 401, "").replace("Contact:", challenge));
    house.next_to(CARRIER);
    let again = house.next_to(CARRIER);
    let first = answer(&again, 200, &sdp("192.0.2.1", 30000, "sendrecv"));
    let second = first.replace("tag=phone", "tag=other");
    house.from(CARRIER, &first);
    let ack = house.next_to(CARRIER);
    assert_eq!(ack.header(Name::CSeq), "2 ACK");
    acknowledge(&mut house, "own");
    house.from(CARRIER, &second);
    let ack = house.next_to(CARRIER);
    assert_eq!(ack.header(Name::CSeq), "2 ACK");
    assert!(ack.header(Name::To).contains("tag=other"));
    let bye = house.next_to(CARRIER);
    assert_eq!(bye.method().as_deref(), Some("BYE"));
    assert!(bye.header(Name::To).contains("tag=other"));
    house.from(CARRIER, &answer(&bye, 481, ""));
    assert_eq!(house.contacts_up(), 1, "what becomes of the second means nothing to the first");
    // The first, as if our ACK had been lost.
    house.from(CARRIER, &first);
    let repeated = house.next_to(CARRIER);
    assert!(repeated.header(Name::To).contains("tag=phone") && repeated.header(Name::CSeq) == "2 ACK");
    house.input(Input::EndAll);
    house.assert_empty();
}

#[test]
fn an_ack_that_is_repeated_goes_by_the_route_set() {
    let mut house = House::new(late(settings(1)));
    house.from(CALLER, &Request::invite("a").text());
    let invite = house.next_to(PHONE);
    let proxy = "203.0.113.250:5070";
    let ok = answer(&invite, 200, &sdp("203.0.113.1", 40000, "sendrecv"));
    let ok = ok.replace("Contact:", &format!("Record-Route: <sip:{proxy};lr>\r\nContact:"));
    for _ in 0..2 {
        house.from(PHONE, &ok);
        let ack = house.next_to(proxy);
        assert_eq!(ack.method().as_deref(), Some("ACK"));
        assert!(ack.header(Name::Route).contains(proxy));
    }
    house.input(Input::EndAll);
    house.assert_empty();
}
