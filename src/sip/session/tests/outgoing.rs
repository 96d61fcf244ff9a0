//! Calls of ours.

use std::time::Duration;

use super::super::*;
use super::desk::*;
use crate::sip::name::Name;

#[test]
fn our_invite_has_all_its_headers_and_its_answer_an_ack() {
    let mut desk = Desk::new();
    let (id, invite) = desk.call(None);
    assert!(invite.text().starts_with("INVITE sip:peer@192.0.2.1 SIP/2.0\r\n"));
    for (name, value) in [
        (Name::From, format!("\"Us\" <sip:120@city.example>;tag={id}")),
        (Name::To, "<sip:peer@city.example>".to_owned()),
        (Name::MaxForwards, "69".to_owned()),
        (Name::CSeq, "1 INVITE".to_owned()),
        (Name::Contact, format!("<sip:hotline@{OURS}>")),
        (Name::Allow, ALLOW.to_owned()),
        (Name::Supported, SUPPORTED.to_owned()),
        (Name::AlertInfo, "<urn:alert:source:internal>".to_owned()),
        (Name::CallId, desk.sessions.call_id(id).unwrap().to_owned()),
    ] {
        assert_eq!(invite.header(name), value);
    }
    assert_eq!(invite.body(), SDP);
    desk.receive(&answer(&invite, 100, "", "", ""));
    desk.receive(&answer(&invite, 180, "peer", "", ""));
    assert_eq!(desk.event(), SessionEvent::Ringing { status: 180, body: None });
    desk.receive(&answer(&invite, 183, "peer", "", SDP));
    assert_eq!(desk.event(), SessionEvent::Ringing { status: 183, body: Some(sdp()) });
    let ok = answer(&invite, 200, "peer", CONTACT, SDP);
    desk.receive(&ok);
    assert_eq!(desk.event(), SessionEvent::Answered { body: Some(sdp()) });
    let ack = desk.next("ACK");
    assert!(ack.text().starts_with("ACK sip:peer@192.0.2.1:5060 SIP/2.0\r\n") && ack.cseq() == 1);
    // Our ACK was lost.
    desk.receive(&ok);
    assert_eq!(desk.next("ACK").text(), ack.text());
    desk.quiet();
}

#[test]
fn the_way_to_a_phone_is_its_path_and_later_its_route_set() {
    let mut desk = Desk::new();
    let new = NewInvite {
        flow: flow("192.0.2.77:5060"),
        behind_nat: false,
        uri: "sip:phone@10.0.0.1",
        route: Some("<sip:192.0.2.77;lr>"),
        from: "<sip:120@city.example>",
        to: "<sip:phone@city.example>",
        max_forwards: 70,
        headers: &[],
        body: ("application/sdp", b"v=0"),
        credentials: None,
    };
    desk.sessions.invite(desk.now, &new);
    desk.drain();
    let invite = desk.next("INVITE");
    assert_eq!(invite.header(Name::Route), "<sip:192.0.2.77;lr>");
    let routes = "Record-Route: <sip:192.0.2.78:5070;lr>, <sip:192.0.2.77;lr>\r\nContact: <sip:phone@10.0.0.1>\r\n";
    let ok = answer(&invite, 200, "peer", routes, SDP);
    for _ in 0..2 {
        desk.receive(&ok);
        let ack = desk.next("ACK");
        assert_eq!(ack.to.to_string(), "192.0.2.77:5060", "the nearest proxy, which stands last in the answer");
        assert_eq!(ack.header(Name::Route), "<sip:192.0.2.77;lr>");
    }
}

#[test]
fn a_call_that_is_refused_or_never_answered_fails_once() {
    let mut desk = Desk::new();
    let (_, invite) = desk.call(None);
    desk.receive(&answer(&invite, 486, "peer", "", ""));
    desk.next("ACK");
    assert_eq!(desk.event(), SessionEvent::Failed { status: 486, by: FailedBy::Peer });
    desk.receive(&answer(&invite, 486, "peer", "", ""));
    desk.next("ACK");
    desk.assert_over();

    let mut desk = Desk::new();
    desk.call(None);
    desk.pass(Duration::from_secs(33));
    desk.sent.clear();
    assert_eq!(desk.event(), SessionEvent::Failed { status: 408, by: FailedBy::Timeout });
    desk.assert_over();

    let mut desk = Desk::new();
    desk.call(None);
    desk.sessions.broken(desk.now, None, Transport::Udp, PEER.parse().unwrap());
    desk.drain();
    assert_eq!(desk.event(), SessionEvent::Failed { status: 503, by: FailedBy::Transport });
    desk.assert_over();

    // A 2xx that nobody could be hung up by.
    let mut desk = Desk::new();
    let (_, invite) = desk.call(None);
    desk.receive(&answer(&invite, 200, "peer", "", SDP));
    assert_eq!(desk.event(), SessionEvent::Failed { status: 502, by: FailedBy::Peer });
    desk.assert_over();
}

#[test]
fn a_call_is_cancelled_once_something_was_heard_of_it() {
    let mut desk = Desk::new();
    let (id, invite) = desk.call(None);
    desk.at(id, |session| session.cancel(Some("SIP;cause=200;text=\"Call completed elsewhere\"")));
    desk.at(id, |session| session.cancel(None));
    desk.quiet();
    desk.receive(&answer(&invite, 180, "peer", "", ""));
    let cancel = desk.next("CANCEL");
    assert_eq!(cancel.header(Name::Reason), "SIP;cause=200;text=\"Call completed elsewhere\"");
    assert_eq!(cancel.header(Name::Via), invite.header(Name::Via));
    desk.receive(&answer(&cancel, 200, "peer", "", ""));
    desk.receive(&answer(&invite, 487, "peer", "", ""));
    desk.next("ACK");
    assert_eq!(desk.event(), SessionEvent::Failed { status: 487, by: FailedBy::Peer });
    desk.assert_over();
}

#[test]
fn an_answer_that_crosses_our_cancel_is_acknowledged_and_hung_up() {
    let mut desk = Desk::new();
    let (id, invite) = desk.call(None);
    desk.receive(&answer(&invite, 180, "peer", "", ""));
    desk.event();
    desk.at(id, |session| session.cancel(None));
    desk.next("CANCEL");
    let ok = answer(&invite, 200, "peer", CONTACT, SDP);
    desk.receive(&ok);
    assert_eq!(desk.next("ACK").cseq(), 1);
    let bye = desk.next("BYE");
    assert_eq!(bye.cseq(), 2);
    assert_eq!(desk.event(), SessionEvent::AnsweredLate);
    desk.receive(&ok);
    desk.next("ACK");
    desk.receive(&answer(&bye, 200, "", "", ""));
    desk.assert_over();
}

#[test]
fn a_cancelled_call_without_any_final_answer_ends_by_itself() {
    let mut desk = Desk::new();
    let (id, invite) = desk.call(None);
    desk.receive(&answer(&invite, 180, "peer", "", ""));
    desk.event();
    desk.at(id, |session| session.cancel(None));
    let cancel = desk.next("CANCEL");
    desk.receive(&answer(&cancel, 200, "peer", "", ""));
    desk.pass(Duration::from_secs(33));
    assert_eq!(desk.event(), SessionEvent::Failed { status: 408, by: FailedBy::Timeout });
    desk.assert_over();
}

#[test]
fn a_second_fork_that_answers_is_acknowledged_and_hung_up_and_the_first_talks_on() {
    let mut desk = Desk::new();
    let (id, invite) = desk.call(None);
    desk.receive(&answer(&invite, 200, "peer", CONTACT, SDP));
    desk.next("ACK");
    desk.event();
    let other = answer(&invite, 200, "other", "Contact: <sip:other@192.0.2.40>\r\n", SDP);
    desk.receive(&other);
    for what in ["ACK", "BYE"] {
        let sent = desk.next(what);
        assert_eq!(sent.to.to_string(), "192.0.2.40:5060");
        assert!(sent.header(Name::To).ends_with(";tag=other"));
    }
    desk.pass(Duration::from_secs(1));
    desk.sent.clear();
    assert!(desk.sessions.flow(id).is_some() && desk.events.is_empty(), "what becomes of the second means nothing to the first");
    // One that answers when the call is over already.
    desk.at(id, |session| session.hang_up());
    let bye = desk.next("BYE");
    desk.receive(&answer(&bye, 200, "", "", ""));
    assert_eq!(desk.event(), SessionEvent::Over);
    desk.receive(&answer(&invite, 200, "third", CONTACT, SDP));
    assert!(desk.next("ACK").header(Name::To).ends_with(";tag=third"));
    assert!(desk.next("BYE").header(Name::To).ends_with(";tag=third"));
    desk.quiet();
}

#[test]
fn somebody_is_asked_whether_they_are_there() {
    let mut desk = Desk::new();
    let (id, _) = desk.up(None);
    desk.at(id, |session| session.probe());
    let probe = desk.next("OPTIONS");
    desk.receive(&answer(&probe, 481, "", "", ""));
    assert_eq!(desk.event(), SessionEvent::ProbeAnswered { status: 481 });
    desk.at(id, |session| session.probe());
    desk.next("OPTIONS");
    desk.pass(Duration::from_secs(33));
    desk.sent.clear();
    assert_eq!(desk.event(), SessionEvent::ProbeUnanswered);
    desk.quiet();
}

#[test]
fn a_lone_request_tells_what_came_of_it_and_a_stray_answer_is_counted() {
    let mut desk = Desk::new();
    desk.sessions.outside().probe(desk.now, &flow(PEER), "sip:192.0.2.1", LoneId(7));
    desk.drain();
    let probe = desk.next("OPTIONS");
    desk.receive(&answer(&probe, 200, "x", "", ""));
    assert_eq!(desk.sessions.outside().poll(), Some((LoneId(7), LoneEvent::Answered(200))));
    desk.sessions.outside().probe(desk.now, &flow(PEER), "sip:192.0.2.1", LoneId(8));
    desk.pass(Duration::from_secs(33));
    assert_eq!(desk.sessions.outside().poll(), Some((LoneId(8), LoneEvent::Unanswered)));
    desk.sent.clear();
    desk.receive(&answer(&probe, 200, "x", "", "").replace("branch=z9hG4bK", "branch=z9hG4bKff"));
    assert_eq!(desk.sessions.counts.rejected(Rejected::StrayResponse), 1);
    desk.quiet();
    assert!(desk.sessions.held().is_nothing());
}
