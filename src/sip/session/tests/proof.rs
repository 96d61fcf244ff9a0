//! Challenges to every request of a session.

use super::super::*;
use super::desk::*;
use crate::sip::digest::{Credentials, ha1};
use crate::sip::name::Name;

const NONCES: [&str; 6] = ["n0", "n1", "n2", "n3", "n4", "n5"];

fn challenge(status: u16, nonce: &str, more: &str) -> String {
    let asks = if status == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
    format!("{asks}: Digest realm=\"r\", nonce=\"{nonce}\"{more}\r\n")
}

const QOP: &str = ", qop=\"auth\"";

/// Checks the proof of a request; its count.
fn proven(sent: &Sent, status: u16, nonce: &str) -> Option<u32> {
    let name = if status == 401 { Name::Authorization } else { Name::ProxyAuthorization };
    let value = sent.header(name);
    let credentials = Credentials::parse(value.as_bytes()).unwrap_or_else(|error| panic!("{error}: {}", sent.text()));
    assert_eq!((credentials.username, credentials.realm, credentials.nonce), ("us", "r", nonce));
    let method = sent.message().method().unwrap();
    // An ACK repeats what its INVITE proved.
    let method = if method == Method::Ack { "INVITE" } else { method.as_str() };
    assert!(credentials.proves(&ha1(credentials.algorithm, "us", "r", "secret"), method), "{}", sent.text());
    credentials.nc()
}

fn unproven(sent: &Sent) -> bool {
    sent.header(Name::Authorization).is_empty() && sent.header(Name::ProxyAuthorization).is_empty()
}

#[test]
fn our_invite_is_proved_once_with_the_next_number_and_its_ack_proves_the_same() {
    for status in [401, 407] {
        let mut desk = Desk::new();
        let (id, invite) = desk.call(Some(login()));
        assert!(unproven(&invite));
        desk.receive(&answer(&invite, status, "peer", &challenge(status, "n0", QOP), ""));
        desk.next("ACK");
        let again = desk.next("INVITE");
        assert_eq!(proven(&again, status, "n0"), Some(1));
        assert_eq!(again.cseq(), 2);
        for name in [Name::From, Name::To, Name::CallId, Name::Contact, Name::AlertInfo, Name::Allow, Name::MaxForwards] {
            assert_eq!(again.header(name), invite.header(name), "all else stays");
        }
        assert_eq!(again.body(), invite.body());
        assert_ne!(again.header(Name::Via), invite.header(Name::Via));
        desk.receive(&answer(&again, 180, "peer", "", ""));
        desk.event();
        let ok = answer(&again, 200, "peer", CONTACT, SDP);
        for _ in 0..2 {
            desk.receive(&ok);
            let ack = desk.next("ACK");
            assert_eq!((ack.cseq(), proven(&ack, status, "n0")), (2, Some(1)));
        }
        assert!(matches!(desk.event(), SessionEvent::Answered { .. }));
        // Another fork's ACK proves it, too.
        desk.receive(&answer(&again, 200, "other", CONTACT, SDP));
        let ack = desk.next("ACK");
        assert_eq!((ack.cseq(), proven(&ack, status, "n0")), (2, Some(1)));
        // And so is its BYE.
        let bye = desk.next("BYE");
        desk.receive(&answer(&bye, status, "", &challenge(status, "n1", QOP), ""));
        let again = desk.next("BYE");
        assert_eq!((again.cseq(), proven(&again, status, "n1")), (bye.cseq() + 1, Some(1)));
        assert!(again.header(Name::To).ends_with(";tag=other"));
        desk.receive(&answer(&again, 200, "", "", ""));
        assert!(desk.events.is_empty() && desk.sessions.flow(id).is_some(), "that means nothing to the call");
        assert_eq!(desk.sessions.held().sessions, 1);
    }
}

#[test]
fn a_wrong_password_is_not_tried_again_but_a_stale_nonce_is_replaced_once() {
    let refused = |status| SessionEvent::Failed { status, by: FailedBy::Peer };
    for nonce in ["n0", "n1"] {
        let mut desk = Desk::new();
        let (_, invite) = desk.call(Some(login()));
        desk.receive(&answer(&invite, 407, "peer", &challenge(407, "n0", QOP), ""));
        desk.next("ACK");
        let again = desk.next("INVITE");
        desk.receive(&answer(&again, 407, "peer", &challenge(407, nonce, QOP), ""));
        let ack = desk.next("ACK");
        assert_eq!(proven(&ack, 407, "n0"), Some(1), "the ACK to a rejection repeats the credentials, too");
        assert_eq!(desk.event(), refused(407));
        desk.assert_over();
    }
    let mut desk = Desk::new();
    let (_, mut invite) = desk.call(Some(login()));
    for (index, nonce) in NONCES.iter().take(2).enumerate() {
        desk.receive(&answer(&invite, 401, "peer", &challenge(401, nonce, ", qop=\"auth\", stale=true"), ""));
        desk.next("ACK");
        invite = desk.next("INVITE");
        assert_eq!((invite.cseq(), proven(&invite, 401, nonce)), (index as u32 + 2, Some(1)));
    }
    desk.receive(&answer(&invite, 401, "peer", &challenge(401, "n2", ", qop=\"auth\", stale=true"), ""));
    desk.next("ACK");
    assert_eq!(desk.event(), refused(401));
    desk.assert_over();
}

#[test]
fn a_proxy_and_the_far_end_may_both_ask() {
    let mut desk = Desk::new();
    let (_, invite) = desk.call(Some(login()));
    desk.receive(&answer(&invite, 407, "peer", &challenge(407, "n0", ""), ""));
    desk.next("ACK");
    let second = desk.next("INVITE");
    assert_eq!(proven(&second, 407, "n0"), None, "the old form");
    desk.receive(&answer(&second, 401, "peer", &challenge(401, "n1", QOP), ""));
    desk.next("ACK");
    let third = desk.next("INVITE");
    assert_eq!((proven(&third, 407, "n0"), proven(&third, 401, "n1"), third.cseq()), (None, Some(1), 3));
}

#[test]
fn without_a_password_or_a_challenge_that_we_know_the_call_fails() {
    let mut desk = Desk::new();
    for (credentials, challenge) in [
        (None, challenge(401, "n0", QOP)),
        (Some(login()), "WWW-Authenticate: Basic realm=\"r\"\r\n".to_owned()),
        (Some(login()), challenge(407, "n0", QOP)),
        (Some(login()), String::new()),
    ] {
        let (_, invite) = desk.call(credentials);
        desk.receive(&answer(&invite, 401, "peer", &challenge, ""));
        desk.next("ACK");
        assert_eq!(desk.event(), SessionEvent::Failed { status: 401, by: FailedBy::Peer });
        assert_eq!(desk.event(), SessionEvent::Over);
        desk.quiet();
    }
    // Who has given a call up proves nothing more.
    let (id, invite) = desk.call(Some(login()));
    desk.at(id, |session| session.cancel(None));
    desk.receive(&answer(&invite, 401, "peer", &challenge(401, "n0", QOP), ""));
    desk.next("ACK");
    assert_eq!(desk.event(), SessionEvent::Failed { status: 401, by: FailedBy::Peer });
    desk.assert_over();
}

/// Every kind of request within a dialog, in both directions of the call.
#[test]
fn each_request_within_the_dialog_is_proved() {
    type Command = fn(&mut SessionMut<'_>);
    let requests: [(&str, Command); 6] = [
        ("OPTIONS", |session| session.probe()),
        ("NOTIFY", |session| session.notify("refer", "active", ("message/sipfrag", b"SIP/2.0 100 Trying\r\n"))),
        ("INFO", |session| session.info(("application/dtmf", b"5"))),
        ("INVITE", |session| session.offer(Purpose::Media, OfferBy::Invite, sdp())),
        ("UPDATE", |session| session.offer(Purpose::Media, OfferBy::Update, sdp())),
        ("BYE", |session| session.hang_up()),
    ];
    for (status, outgoing) in [(401, true), (407, false), (407, true), (401, false)] {
        for (method, command) in requests {
            let mut desk = Desk::new();
            let (id, _) = if outgoing {
                desk.up(Some(login()))
            } else {
                desk.up_in(&Admission { credentials: Some(Arc::new(login())), ..Admission::default() })
            };
            desk.at(id, command);
            let first = desk.next(method);
            assert!(unproven(&first));
            desk.receive(&answer(&first, status, "", &challenge(status, "n0", QOP), ""));
            if method == "INVITE" {
                desk.next("ACK");
            }
            let second = desk.next(method);
            assert_eq!((second.cseq(), proven(&second, status, "n0")), (first.cseq() + 1, Some(1)), "{method}");
            assert_eq!(second.body(), first.body());
            for name in [Name::Event, Name::SubscriptionState, Name::ContentType, Name::Contact] {
                assert_eq!(second.header(name), first.header(name));
            }
            assert!(desk.events.is_empty(), "nothing is told of a challenge");
            // A second time without `stale`: that is the answer.
            desk.receive(&answer(&second, status, "", &challenge(status, "n1", QOP), ""));
            let expected = match method {
                "OPTIONS" => Some(SessionEvent::ProbeAnswered { status }),
                "INVITE" | "UPDATE" => {
                    Some(SessionEvent::OfferFailed { purpose: Purpose::Media, why: OfferFailure::Refused(status) })
                }
                "BYE" => Some(SessionEvent::Over),
                _ => None,
            };
            assert_eq!(desk.events.pop_front().map(|(_, event)| event), expected, "{method}");
            if method == "INVITE" {
                let ack = desk.next("ACK");
                assert_eq!(proven(&ack, status, "n0"), Some(1));
            }
            desk.quiet();
        }
    }
}

#[test]
fn the_ack_to_a_proved_reinvite_proves_the_same() {
    let mut desk = Desk::new();
    let (id, _) = desk.up(Some(login()));
    desk.at(id, |session| session.offer(Purpose::Alive, OfferBy::Invite, sdp()));
    let first = desk.next("INVITE");
    desk.receive(&answer(&first, 401, "", &challenge(401, "n0", QOP), ""));
    desk.next("ACK");
    let second = desk.next("INVITE");
    desk.receive(&answer(&second, 200, "", CONTACT, SDP));
    let ack = desk.next("ACK");
    assert_eq!((ack.cseq(), proven(&ack, 401, "n0")), (second.cseq(), Some(1)));
    assert_eq!(ack.header(Name::Authorization), second.header(Name::Authorization));
}

#[test]
fn later_requests_answer_unasked_with_a_rising_count_where_the_nonce_may_be_used_again() {
    for (more, ahead) in [(QOP, true), ("", false)] {
        let mut desk = Desk::new();
        let (id, _) = desk.up(Some(login()));
        desk.at(id, |session| session.probe());
        let first = desk.next("OPTIONS");
        desk.receive(&answer(&first, 401, "", &challenge(401, "n0", more), ""));
        let second = desk.next("OPTIONS");
        desk.receive(&answer(&second, 200, "", "", ""));
        desk.event();
        for count in 2..5 {
            desk.at(id, |session| session.probe());
            let probe = desk.next("OPTIONS");
            assert_eq!(!unproven(&probe), ahead);
            if ahead {
                assert_eq!(proven(&probe, 401, "n0"), Some(count));
            }
            desk.receive(&answer(&probe, 200, "", "", ""));
            desk.event();
        }
        // The nonce has become too old, and the server does not even say so: asked afresh, the request is proved once.
        desk.at(id, |session| session.hang_up());
        let bye = desk.next("BYE");
        desk.receive(&answer(&bye, 401, "", &challenge(401, "n9", more), ""));
        let again = desk.next("BYE");
        proven(&again, 401, "n9");
        desk.receive(&answer(&again, 200, "", "", ""));
        desk.assert_over();
    }
}

#[test]
fn a_nonce_that_was_refused_unasked_is_not_tried_again() {
    let mut desk = Desk::new();
    let (id, _) = desk.up(Some(login()));
    desk.at(id, |session| session.probe());
    let first = desk.next("OPTIONS");
    desk.receive(&answer(&first, 401, "", &challenge(401, "n0", QOP), ""));
    let second = desk.next("OPTIONS");
    desk.receive(&answer(&second, 200, "", "", ""));
    desk.event();
    desk.at(id, |session| session.probe());
    let third = desk.next("OPTIONS");
    proven(&third, 401, "n0");
    desk.receive(&answer(&third, 401, "", &challenge(401, "n0", QOP), ""));
    assert_eq!(desk.event(), SessionEvent::ProbeAnswered { status: 401 });
    // As stale it may be: the count goes on.
    desk.at(id, |session| session.probe());
    let fourth = desk.next("OPTIONS");
    desk.receive(&answer(&fourth, 401, "", &challenge(401, "n0", ", qop=\"auth\", stale=true"), ""));
    let fifth = desk.next("OPTIONS");
    assert_eq!(proven(&fifth, 401, "n0"), proven(&fourth, 401, "n0").map(|count| count + 1));
}

#[test]
fn only_so_many_reports_are_kept_for_a_challenge() {
    let mut desk = Desk::new();
    let (id, _) = desk.up(Some(login()));
    let notifies: Vec<Sent> = (0..6)
        .map(|_| {
            desk.at(id, |session| session.notify("refer", "active", ("message/sipfrag", b"SIP/2.0 100 Trying\r\n")));
            desk.next("NOTIFY")
        })
        .collect();
    for notify in &notifies {
        desk.receive(&answer(notify, 407, "", &challenge(407, "n0", QOP), ""));
    }
    assert_eq!(desk.sent.len(), 4, "the oldest two are given up");
}
