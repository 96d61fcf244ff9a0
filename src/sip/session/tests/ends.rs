//! How sessions end.

use std::time::Duration;

use super::super::*;
use super::desk::*;

const GONE: SessionEvent = SessionEvent::Gone { why: GoneWhy::HungUp };

#[test]
fn either_side_hangs_up() {
    let mut desk = Desk::new();
    let (id, _) = desk.up(None);
    desk.at(id, |session| session.hang_up());
    desk.at(id, |session| session.hang_up());
    let bye = desk.next("BYE");
    desk.quiet();
    desk.receive(&answer(&bye, 200, "", "", ""));
    desk.assert_over();

    let mut desk = Desk::new();
    let (_, peer) = desk.up_in(&Admission::default());
    let bye = peer.request("BYE", 2, "", "");
    desk.receive(&bye);
    desk.next("200 BYE");
    assert_eq!(desk.event(), GONE);
    desk.receive(&bye);
    desk.next("200 BYE");
    desk.receive(&peer.request("OPTIONS", 3, "", ""));
    desk.next("481 OPTIONS");
    desk.assert_over();
}

#[test]
fn a_bye_that_is_refused_or_unanswered_ends_the_session_all_the_same() {
    for status in [481, 408, 500] {
        let mut desk = Desk::new();
        let (id, _) = desk.up(None);
        desk.at(id, |session| session.hang_up());
        let bye = desk.next("BYE");
        desk.receive(&answer(&bye, 100, "", "", ""));
        assert!(desk.events.is_empty());
        desk.receive(&answer(&bye, status, "", "", ""));
        desk.assert_over();
    }
    let mut desk = Desk::new();
    let (id, _) = desk.up(None);
    desk.at(id, |session| session.hang_up());
    desk.pass(Duration::from_secs(33));
    desk.assert_over();

    let mut desk = Desk::new();
    let (id, _) = desk.up(None);
    desk.at(id, |session| session.hang_up());
    desk.sessions.broken(desk.now, None, Transport::Udp, PEER.parse().unwrap());
    desk.drain();
    desk.assert_over();
}

#[test]
fn our_bye_waits_for_the_ack_to_our_answer() {
    let mut desk = Desk::new();
    let (id, peer) = desk.answered_in(&Admission::default());
    desk.at(id, |session| session.hang_up());
    assert!(desk.sent.is_empty());
    desk.receive(&peer.ack(7));
    assert!(desk.sent.is_empty(), "an ACK to something else");
    desk.receive(&peer.ack(1));
    let bye = desk.next("BYE");
    desk.receive(&peer.ack(1));
    desk.receive(&answer(&bye, 200, "", "", ""));
    desk.assert_over();
}

#[test]
fn without_any_ack_our_bye_goes_after_half_a_minute() {
    for hangs_up in [false, true] {
        let mut desk = Desk::new();
        let (id, _) = desk.answered_in(&Admission::default());
        if hangs_up {
            desk.at(id, |session| session.hang_up());
        }
        desk.pass(Duration::from_millis(31_900));
        assert!(desk.sent.len() > 5 && desk.sent.iter().all(|sent| sent.what() == "200 INVITE"));
        desk.sent.clear();
        assert!(desk.events.is_empty());
        desk.pass(Duration::from_millis(200));
        let bye = desk.next("BYE");
        if !hangs_up {
            assert_eq!(desk.event(), SessionEvent::Gone { why: GoneWhy::Unacknowledged });
        }
        desk.receive(&answer(&bye, 481, "", "", ""));
        desk.assert_over();
    }
}

#[test]
fn a_bye_before_the_ack_stops_our_answer() {
    for hangs_up in [false, true] {
        let mut desk = Desk::new();
        let (id, peer) = desk.answered_in(&Admission::default());
        if hangs_up {
            desk.at(id, |session| session.hang_up());
        }
        desk.receive(&peer.request("BYE", 2, "", ""));
        desk.next("200 BYE");
        if !hangs_up {
            assert_eq!(desk.event(), GONE);
        }
        assert_eq!(desk.events.len(), 1);
        desk.pass(Duration::from_secs(10));
        desk.receive(&peer.ack(1));
        assert!(desk.sent.is_empty());
        desk.assert_over();
        desk.quiet();
    }
}

#[test]
fn two_byes_cross() {
    let mut desk = Desk::new();
    let (id, peer) = desk.up(None);
    desk.at(id, |session| session.hang_up());
    let bye = desk.next("BYE");
    desk.receive(&peer.offer("INVITE", 1));
    desk.next("481 INVITE");
    desk.receive(&peer.offer("UPDATE", 2));
    desk.next("481 UPDATE");
    desk.receive(&peer.request("REFER", 3, "Refer-To: <sip:x@y>\r\n", ""));
    desk.next("481 REFER");
    desk.receive(&peer.request("INFO", 4, "Content-Type: application/dtmf\r\n", "5"));
    desk.next("200 INFO");
    assert!(desk.events.is_empty(), "keys mean nothing any more");
    desk.receive(&peer.request("BYE", 5, "", ""));
    desk.next("200 BYE");
    assert_eq!(desk.events.len(), 1, "nobody is told what they know");
    desk.receive(&answer(&bye, 481, "", "", ""));
    assert!(desk.sent.is_empty());
    desk.pass(Duration::from_secs(5));
    desk.sent.clear();
    desk.assert_over();
}

#[test]
fn what_is_open_when_a_session_ends_is_settled() {
    for theirs in [true, false] {
        let mut desk = Desk::new();
        let (id, peer) = desk.up(None);
        desk.at(id, |session| {
            session.offer(Purpose::Media, OfferBy::Invite, sdp());
            session.offer(Purpose::Media, OfferBy::Invite, sdp());
            session.offer(Purpose::Alive, OfferBy::Invite, sdp());
        });
        let ours = desk.next("INVITE");
        desk.receive(&peer.request("REFER", 1, "Refer-To: <sip:x@y>\r\n", ""));
        assert!(matches!(desk.event(), SessionEvent::Referred { .. }));
        let bye = if theirs {
            desk.receive(&peer.request("BYE", 2, "", ""));
            desk.next("200 BYE");
            None
        } else {
            desk.at(id, |session| session.hang_up());
            Some(desk.sent.pop_back().unwrap())
        };
        for purpose in [Purpose::Media, Purpose::Media, Purpose::Alive] {
            assert_eq!(desk.event(), SessionEvent::OfferFailed { purpose, why: OfferFailure::Ended });
        }
        desk.next("487 REFER");
        // The answer to our offer crosses: it is acknowledged, or it would be repeated.
        desk.receive(&answer(&ours, 200, "", CONTACT, SDP));
        desk.next("ACK");
        match bye {
            Some(bye) => desk.receive(&answer(&bye, 200, "", "", "")),
            None => assert_eq!(desk.event(), GONE),
        }
        desk.assert_over();
    }
    let mut desk = Desk::new();
    let (id, peer) = desk.up(None);
    desk.receive(&peer.offer("INVITE", 1));
    desk.event();
    desk.at(id, |session| session.hang_up());
    desk.next("487 INVITE");
    desk.next("BYE");
    desk.at(id, |session| session.offer(Purpose::Alive, OfferBy::Update, sdp()));
    assert_eq!(desk.event(), SessionEvent::OfferFailed { purpose: Purpose::Alive, why: OfferFailure::Ended });
}

#[test]
fn an_abandoned_session_ends_whatever_its_state_and_nobody_is_told() {
    // Incoming.
    let mut desk = Desk::new();
    let id = desk.admit(&new_invite("a", "z9hG4bKa"), &Admission::default());
    desk.sessions.abandon(desk.now, id);
    desk.drain();
    desk.next("500 INVITE");
    assert_eq!(desk.sessions.held().sessions, 0);
    desk.quiet();
    // Outgoing, answered late.
    let (id, invite) = desk.call(None);
    desk.receive(&answer(&invite, 180, "peer", "", ""));
    desk.events.clear();
    desk.sessions.abandon(desk.now, id);
    desk.drain();
    desk.next("CANCEL");
    desk.receive(&answer(&invite, 200, "peer", CONTACT, SDP));
    desk.next("ACK");
    let bye = desk.next("BYE");
    desk.receive(&answer(&bye, 200, "", "", ""));
    desk.quiet();
    // Up, and not even acknowledged; what was told but not heard is not told any more.
    let (id, peer) = desk.answered_in(&Admission::default());
    let probe = peer.request("INFO", 2, "Content-Type: application/dtmf\r\n", "5");
    desk.sessions.handle_message(desk.now, &flow(PEER), &Message::read(probe.as_bytes()).unwrap());
    desk.sessions.abandon(desk.now, id);
    desk.drain();
    desk.next("200 INFO");
    desk.quiet();
    desk.receive(&peer.ack(1));
    let bye = desk.next("BYE");
    desk.sessions.abandon(desk.now, id);
    desk.receive(&answer(&bye, 200, "", "", ""));
    desk.quiet();
    assert_eq!(desk.sessions.held().sessions, 0);
    desk.sessions.abandon(desk.now, id);
}

#[test]
fn after_a_fault_the_request_at_hand_is_answered() {
    let mut desk = Desk::new();
    let (id, peer) = desk.up_in(&Admission::default());
    // The owner fails between being told of an offer and answering it.
    desk.receive(&peer.offer("UPDATE", 2));
    desk.event();
    desk.sessions.answer_unowned(desk.now);
    desk.drain();
    desk.next("500 UPDATE");
    desk.receive(&peer.offer("INVITE", 3));
    desk.next("500 INVITE");
    desk.sessions.abandon(desk.now, id);
    desk.drain();
    desk.next("BYE");
    desk.quiet();
}

#[test]
fn an_id_that_is_gone_names_nobody_who_came_after() {
    let mut desk = Desk::new();
    let (old, peer) = desk.up_in(&Admission::default());
    desk.receive(&peer.request("BYE", 2, "", ""));
    desk.next("200 BYE");
    desk.events.clear();
    let (new, _) = desk.up(None);
    assert_eq!(old.slot, new.slot, "the slot is used again");
    assert_ne!(old, new);
    desk.at(old, |session| session.hang_up());
    desk.at(old, |session| session.accept(("application/sdp", b"v=0")));
    desk.at(old, |session| session.offer(Purpose::Media, OfferBy::Invite, sdp()));
    desk.at(old, |session| session.notify("refer", "active", ("a/b", b"")));
    desk.at(old, |session| session.respond_refer(202));
    desk.at(old, |session| session.refuse_offer(488));
    desk.quiet();
    assert_eq!((desk.sessions.call_id(old), desk.sessions.flow(old)), (None, None));
    assert_eq!(desk.sessions.take_misused(), 0);
}

#[test]
#[should_panic(expected = "makes no sense")]
fn a_command_that_can_never_make_sense_is_noticed_in_tests() {
    let mut desk = Desk::new();
    let (id, _) = desk.call(None);
    desk.at(id, |session| session.accept(("application/sdp", b"v=0")));
}
