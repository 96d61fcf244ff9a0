//! Calls that come in.

use std::time::Duration;

use super::super::*;
use super::desk::*;
use crate::sip::name::Name;

#[test]
fn a_call_is_answered_early_then_for_good_with_the_same_description() {
    let mut desk = Desk::new();
    let id = desk.admit(&new_invite("a", "z9hG4bKa"), &Admission::default());
    assert_eq!(desk.sessions.call_id(id), Some("a"));
    assert_eq!(desk.sessions.flow(id).unwrap().remote.to_string(), PEER);
    desk.at(id, |session| session.ring());
    let ringing = desk.next("180 INVITE");
    assert!(ringing.body().is_empty() && ringing.header(Name::To).ends_with(&format!(";tag={id}")));
    desk.at(id, |session| session.progress(("application/sdp", b"v=0 ours")));
    let early = desk.next("183 INVITE");
    assert_eq!(early.header(Name::Contact), format!("<sip:hotline@{OURS}>"));
    desk.at(id, |session| session.repeat_early());
    assert_eq!(desk.next("183 INVITE").text(), early.text());
    desk.at(id, |session| session.accept(("application/sdp", b"v=0 ours")));
    let ok = desk.next("200 INVITE");
    assert_eq!((ok.body(), ok.header(Name::Allow)), (early.body(), ALLOW.to_owned()));
    assert_eq!(ok.header(Name::Supported), "path", "a replaced dialog is not promised");
    desk.receive(&Peer::calling(&ok).ack(1));
    assert_eq!(desk.event(), SessionEvent::Acknowledged);
    desk.pass(Duration::from_secs(40));
    desk.quiet();
}

#[test]
fn a_refused_call_is_over_at_once_and_its_answer_is_repeated() {
    let mut desk = Desk::new();
    let invite = new_invite("a", "z9hG4bKa");
    let id = desk.admit(&invite, &Admission::default());
    desk.at(id, |session| session.refuse(480, Some(30)));
    let refusal = desk.next("480 INVITE");
    assert_eq!(refusal.header(Name::RetryAfter), "30");
    desk.receive(&invite);
    assert_eq!(desk.next("480 INVITE").text(), refusal.text());
    desk.at(id, |session| session.accept(("application/sdp", b"v=0")));
    desk.at(id, |session| session.hang_up());
    assert!(desk.sent.is_empty(), "a command on a session that is over does nothing");
    let ack = Peer::calling(&refusal).ack(1).replace("z9hG4bKACK1", "z9hG4bKa");
    desk.receive(&ack);
    desk.assert_over();
    assert_eq!(desk.sessions.take_misused(), 0);
}

#[test]
fn the_same_call_by_another_way_is_told_apart_while_it_lasts() {
    let mut desk = Desk::new();
    let id = desk.admit(&new_invite("a", "z9hG4bKa"), &Admission::default());
    let again = new_invite("a", "z9hG4bKb");
    assert_eq!(desk.receive_by(&flow(PEER), &again), Routed::New);
    let message = Message::read(again.as_bytes()).unwrap();
    assert!(desk.sessions.merged(&message));
    let refused = desk.sessions.incoming(desk.now, &flow(PEER), &message, &Admission::default()).unwrap_err();
    assert_eq!((refused, refused.status()), (NotAdmitted::Merged, 482));
    desk.at(id, |session| session.refuse(486, None));
    assert!(!desk.sessions.merged(&message));
    let other = again.replace("tag=peer", "tag=other");
    assert!(!desk.sessions.merged(&Message::read(other.as_bytes()).unwrap()));
}

#[test]
fn what_makes_no_dialog_is_not_admitted_and_leaves_nothing() {
    let mut desk = Desk::new();
    for spoilt in
        [new_invite("a", "z9hG4bKa").replace(CONTACT, ""), new_invite("a", "z9hG4bKa").replace(CONTACT, &CONTACT.repeat(2))]
    {
        let message = Message::read(spoilt.as_bytes()).unwrap();
        let refused = desk.sessions.incoming(desk.now, &flow(PEER), &message, &Admission::default()).unwrap_err();
        assert_eq!(refused.status(), 400);
        desk.sessions.outside().reply_stateless(&flow(PEER), &message, refused.status(), |_| {});
        desk.drain();
        desk.next("400 INVITE");
    }
    assert!(desk.sessions.held().is_nothing());
}

#[test]
fn cancel_and_bye_before_our_answer_end_the_call_with_487() {
    for by_bye in [false, true] {
        let mut desk = Desk::new();
        let id = desk.admit(&new_invite("a", "z9hG4bKa"), &Admission::default());
        desk.at(id, |session| session.ring());
        let peer = Peer::calling(&desk.next("180 INVITE"));
        if by_bye {
            desk.receive(&peer.request("BYE", 2, "", ""));
            desk.next("200 BYE");
        } else {
            let cancel = new_invite("a", "z9hG4bKa").replace("INVITE", "CANCEL");
            desk.receive(&cancel);
            assert!(desk.next("200 CANCEL").header(Name::To).contains(&*id.tag()));
            desk.receive(&cancel);
            assert_eq!(desk.next("487 INVITE").header(Name::To), peer.to);
            desk.next("200 CANCEL");
        }
        if by_bye {
            desk.next("487 INVITE");
        }
        assert_eq!(desk.event(), SessionEvent::Gone { why: GoneWhy::Cancelled });
        desk.assert_over();
    }
}

#[test]
fn a_cancel_after_our_answer_changes_nothing_and_one_of_nothing_is_the_callers_affair() {
    let mut desk = Desk::new();
    let (id, peer) = desk.answered_in(&Admission::default());
    desk.receive(&new_invite("in", "z9hG4bKin").replace("INVITE", "CANCEL"));
    desk.next("200 CANCEL");
    desk.receive(&peer.ack(1));
    assert_eq!(desk.event(), SessionEvent::Acknowledged);
    assert!(desk.sessions.flow(id).is_some());
    let stray = new_invite("x", "z9hG4bKx").replace("INVITE", "CANCEL");
    assert_eq!(desk.receive_by(&flow(PEER), &stray), Routed::New);
    desk.quiet();
}

#[test]
fn requests_in_the_early_dialog_are_answered_by_what_has_been_described() {
    let mut desk = Desk::new();
    let id = desk.admit(&new_invite("a", "z9hG4bKa"), &Admission::default());
    desk.at(id, |session| session.ring());
    let peer = Peer::calling(&desk.next("180 INVITE"));
    desk.receive(&peer.offer("INVITE", 2));
    let later = desk.next("500 INVITE");
    assert!(later.header(Name::RetryAfter).parse::<u32>().unwrap() <= 10, "their first INVITE is unanswered");
    desk.receive(&peer.offer("UPDATE", 3));
    desk.next("488 UPDATE");
    desk.receive(&peer.request("UPDATE", 4, "Contact: <sip:moved@192.0.2.9:5070>\r\n", ""));
    desk.next("200 UPDATE");
    desk.receive(&peer.request("REFER", 5, "Refer-To: <sip:x@y>\r\n", ""));
    desk.next("403 REFER");
    desk.at(id, |session| session.progress(("application/sdp", b"v=0 ours")));
    desk.next("183 INVITE");
    desk.receive(&peer.offer("UPDATE", 6));
    assert_eq!(desk.event(), SessionEvent::Offered { body: sdp(), by: OfferBy::Update });
    desk.receive(&peer.offer("UPDATE", 7));
    desk.next("500 UPDATE");
    desk.at(id, |session| session.answer_offer(("application/sdp", b"v=0 again")));
    assert_eq!(desk.next("200 UPDATE").body(), "v=0 again");
    // One that is still open when the call is refused.
    desk.receive(&peer.offer("UPDATE", 8));
    desk.event();
    desk.at(id, |session| session.refuse(486, None));
    desk.next("486 INVITE");
    desk.next("487 UPDATE");
    desk.assert_over();
}

#[test]
fn an_offer_of_the_early_dialog_may_still_be_answered_when_the_call_is() {
    let mut desk = Desk::new();
    let id = desk.admit(&new_invite("a", "z9hG4bKa"), &Admission::default());
    desk.at(id, |session| session.progress(("application/sdp", b"v=0 ours")));
    let peer = Peer::calling(&desk.next("183 INVITE"));
    desk.receive(&peer.offer("UPDATE", 2));
    desk.event();
    desk.at(id, |session| session.accept(("application/sdp", b"v=0 ours")));
    desk.next("200 INVITE");
    desk.at(id, |session| session.offer(Purpose::Media, OfferBy::Update, sdp()));
    desk.receive(&peer.ack(1));
    assert_eq!(desk.event(), SessionEvent::Acknowledged);
    assert!(desk.sent.is_empty(), "theirs is still open");
    desk.at(id, |session| session.answer_offer(("application/sdp", b"v=0 again")));
    assert_eq!(desk.next("200 UPDATE").body(), "v=0 again");
    desk.next("UPDATE");
    desk.quiet();
}

#[test]
fn a_request_out_of_order_is_told_to_come_again_and_one_of_no_dialog_that_there_is_none() {
    let mut desk = Desk::new();
    let (_, peer) = desk.up_in(&Admission::default());
    desk.receive(&peer.request("OPTIONS", 5, "", ""));
    assert_eq!(desk.next("200 OPTIONS").header(Name::Allow), ALLOW);
    desk.receive(&peer.request("INFO", 4, "", ""));
    assert_eq!(desk.next("500 INFO").header(Name::RetryAfter), "1");
    for (from, to) in [("tag=peer", "tag=other"), ("Call-ID: in", "Call-ID: out"), ("-", "-f")] {
        let spoilt = peer.request("BYE", 6, "", "");
        let spoilt = if from == "-" {
            // Somebody guesses at our token.
            let tag = peer.to.rsplit_once('=').unwrap().1;
            spoilt.replace(tag, &format!("{}-00000000", tag.split('-').next().unwrap()))
        } else {
            spoilt.replacen(from, to, 1)
        };
        desk.receive(&spoilt.replace("z9hG4bKBYE6", &format!("z9hG4bK{}", to.len())));
        desk.next("481 BYE");
    }
    desk.receive(&peer.request("PRACK", 7, "RAck: 1 1 INVITE\r\n", ""));
    desk.next("405 PRACK");
    desk.receive(&peer.request("FROB", 8, "", ""));
    desk.next("501 FROB");
    desk.receive(&peer.request("NOTIFY", 9, "Event: refer\r\nSubscription-State: active\r\n", ""));
    desk.next("200 NOTIFY");
    desk.quiet();
}

#[test]
fn keys_are_told_and_other_bodies_are_not_taken() {
    let mut desk = Desk::new();
    let (_, peer) = desk.up_in(&Admission::default());
    for (cseq, kind, body, status) in [
        (2, "application/dtmf-relay", "Signal=5\r\n", 200),
        (3, "Application/DTMF", "7", 200),
        (4, "application/dtmf", "", 200),
        (5, "text/plain", "hello", 415),
    ] {
        desk.receive(&peer.request("INFO", cseq, &format!("Content-Type: {kind}\r\n"), body));
        let answer = desk.next(&format!("{status} INFO"));
        if status == 415 {
            assert_eq!(answer.header(Name::Accept), "application/dtmf-relay, application/dtmf");
        } else if !body.is_empty() {
            let SessionEvent::Info { body: told } = desk.event() else { panic!() };
            assert!(told.is(kind));
            assert_eq!(&*told.bytes, body.as_bytes());
        }
    }
    desk.receive(&peer.request("INFO", 6, "", ""));
    desk.next("200 INFO");
    desk.quiet();
}

#[test]
fn a_refer_is_told_answered_by_its_owner_and_reported_on() {
    let mut desk = Desk::new();
    let (id, peer) = desk.up_in(&Admission::default());
    desk.receive(&peer.request("REFER", 2, "", ""));
    desk.next("400 REFER");
    desk.receive(&peer.request("REFER", 3, "Refer-To: <sip:200@city.example?Replaces=a%3Bto-tag%3Db>\r\n", ""));
    let SessionEvent::Referred { refer_to, has_replaces } = desk.event() else { panic!() };
    assert_eq!((&*refer_to, has_replaces), ("sip:200@city.example?Replaces=a%3Bto-tag%3Db", true));
    desk.receive(&peer.request("REFER", 4, "Refer-To: <sip:300@city.example>\r\n", ""));
    desk.next("491 REFER");
    desk.at(id, |session| {
        session.respond_refer(202);
        session.notify("refer", "active;expires=60", ("message/sipfrag;version=2.0", b"SIP/2.0 100 Trying\r\n"));
    });
    assert!(desk.next("202 REFER").header(Name::Contact).contains("hotline@"));
    let notify = desk.next("NOTIFY");
    assert_eq!(notify.header(Name::SubscriptionState), "active;expires=60");
    assert_eq!(notify.header(Name::Event), "refer");
    assert!(notify.header(Name::Contact).contains(OURS) && notify.header(Name::Allow) == ALLOW);
    desk.receive(&answer(&notify, 200, "", "", ""));
    desk.quiet();
}

#[test]
fn behind_a_nat_the_peer_is_reached_where_it_last_came_from_else_where_it_says() {
    for behind_nat in [false, true] {
        let mut desk = Desk::new();
        let admission = Admission { behind_nat, ..Admission::default() };
        let (id, peer) = desk.up_in(&admission);
        let update = peer.request("UPDATE", 2, "Contact: <sip:peer@192.0.2.9:5070;transport=tcp>\r\n", "");
        assert!(matches!(desk.receive_by(&flow("203.0.113.50:40000"), &update), Routed::Done(_)));
        desk.next("200 UPDATE");
        desk.at(id, |session| session.probe());
        let probe = desk.next("OPTIONS");
        let (to, via) = if behind_nat { ("203.0.113.50:40000", "/UDP") } else { ("192.0.2.9:5070", "/TCP") };
        assert_eq!(probe.to.to_string(), to);
        assert!(probe.header(Name::Via).contains(via));
        assert_eq!(desk.sessions.flow(id).unwrap().remote.to_string() == to, behind_nat);
    }
}

#[test]
fn a_caller_whose_connection_breaks_before_our_answer_is_gone() {
    let mut desk = Desk::new();
    let connection = Some(ConnectionId(3));
    let by = Flow { transport: Transport::Tcp, listener: crate::sip::flow::ListenerId(1), connection, ..flow(PEER) };
    let text = new_invite("a", "z9hG4bKa").replace("/UDP", "/TCP");
    assert_eq!(desk.receive_by(&by, &text), Routed::New);
    let message = Message::read(text.as_bytes()).unwrap();
    desk.sessions.incoming(desk.now, &by, &message, &Admission::default()).unwrap();
    desk.sessions.broken(desk.now, connection, Transport::Tcp, by.remote);
    desk.drain();
    assert_eq!(desk.event(), SessionEvent::Gone { why: GoneWhy::Unreachable });
    desk.assert_over();
}
