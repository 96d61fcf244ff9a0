//! Offers within a dialog.

use std::time::Duration;

use super::super::*;
use super::desk::*;
use crate::sip::name::Name;

fn offer(desk: &mut Desk, id: SessionId, purpose: Purpose, by: OfferBy, text: &str) {
    let body = Body::sdp(text.as_bytes());
    desk.at(id, |session| session.offer(purpose, by, body));
}

#[test]
fn their_offers_are_told_and_answered_by_the_owner() {
    let mut desk = Desk::new();
    let (id, peer) = desk.up_in(&Admission::default());
    desk.receive(&peer.offer("INVITE", 2));
    assert_eq!(desk.event(), SessionEvent::Offered { body: sdp(), by: OfferBy::Invite });
    desk.at(id, |session| session.answer_offer(("application/sdp", b"v=0 hold")));
    let ok = desk.next("200 INVITE");
    assert_eq!((ok.body().as_str(), ok.header(Name::Contact)), ("v=0 hold", format!("<sip:hotline@{OURS}>")));
    desk.pass(Duration::from_millis(600));
    assert_eq!(desk.next("200 INVITE").text(), ok.text(), "until its ACK comes");
    desk.receive(&peer.ack(2));
    desk.pass(Duration::from_secs(40));
    desk.receive(&peer.offer("UPDATE", 3));
    assert_eq!(desk.event(), SessionEvent::Offered { body: sdp(), by: OfferBy::Update });
    desk.at(id, |session| session.refuse_offer(488));
    desk.next("488 UPDATE");
    desk.receive(&peer.request("INVITE", 4, CONTACT, ""));
    desk.next("488 INVITE");
    desk.receive(&peer.ack(4).replace("z9hG4bKACK4", "z9hG4bKINVITE4"));
    desk.receive(&peer.request("UPDATE", 5, "Contact: <sip:moved@192.0.2.9:5070>\r\n", ""));
    assert!(desk.next("200 UPDATE").header(Name::Contact).contains("hotline@"));
    desk.at(id, |session| session.probe());
    assert_eq!(desk.next("OPTIONS").to.to_string(), "192.0.2.9:5070", "the target is refreshed");
    desk.quiet();
}

#[test]
fn their_second_offer_waits_for_the_answer_to_their_first() {
    let mut desk = Desk::new();
    let (id, peer) = desk.up_in(&Admission::default());
    desk.receive(&peer.offer("INVITE", 2));
    desk.event();
    let mut seconds = Vec::new();
    for cseq in 3..40 {
        desk.receive(&peer.offer(if cseq % 2 == 0 { "UPDATE" } else { "INVITE" }, cseq));
        seconds.push(desk.sent.pop_front().unwrap().header(Name::RetryAfter).parse::<u32>().unwrap());
    }
    assert!(seconds.iter().all(|seconds| *seconds <= 10) && seconds.iter().any(|s| *s > 6) && seconds.iter().any(|s| *s < 4));
    desk.receive(&peer.request("UPDATE", 50, CONTACT, ""));
    desk.next("200 UPDATE");
    desk.at(id, |session| session.answer_offer(("application/sdp", b"v=0")));
    desk.next("200 INVITE");
    // Their next shows that they have our answer: it is not sent again, though its ACK never comes.
    desk.receive(&peer.offer("INVITE", 51));
    desk.event();
    desk.at(id, |session| session.refuse_offer(488));
    desk.next("488 INVITE");
    desk.receive(&peer.ack(51).replace("z9hG4bKACK51", "z9hG4bKINVITE51"));
    desk.pass(Duration::from_secs(40));
    assert!(desk.sent.iter().all(|sent| sent.what() == "500 INVITE"), "whose ACKs are not written here");
    assert!(desk.events.is_empty() && desk.sessions.flow(id).is_some());
}

#[test]
fn a_cancelled_offer_is_withdrawn() {
    let mut desk = Desk::new();
    let (id, peer) = desk.up_in(&Admission::default());
    let invite = peer.offer("INVITE", 2);
    desk.receive(&invite);
    desk.event();
    desk.receive(&invite.replace("INVITE", "CANCEL").replace("z9hG4bKCANCEL2", "z9hG4bKINVITE2"));
    desk.next("200 CANCEL");
    desk.next("487 INVITE");
    assert_eq!(desk.event(), SessionEvent::OfferWithdrawn);
    desk.at(id, |session| session.answer_offer(("application/sdp", b"v=0")));
    desk.quiet();
    // The lost ACK of a refusal ends nothing.
    desk.pass(Duration::from_secs(40));
    desk.sent.clear();
    desk.quiet();
    assert_eq!(desk.sessions.take_misused(), 0);
}

#[test]
fn an_offer_whose_connection_breaks_is_withdrawn_and_ours_are_not_held_up() {
    let mut desk = Desk::new();
    let (id, peer) = desk.up_in(&Admission { behind_nat: true, ..Admission::default() });
    let connection = Some(ConnectionId(3));
    let by = Flow { transport: Transport::Tcp, listener: crate::sip::flow::ListenerId(1), connection, ..flow(PEER) };
    assert!(matches!(desk.receive_by(&by, &peer.offer("INVITE", 2).replace("/UDP", "/TCP")), Routed::Done(_)));
    desk.event();
    desk.sessions.broken(desk.now, connection, Transport::Tcp, by.remote);
    desk.drain();
    assert_eq!(desk.event(), SessionEvent::OfferWithdrawn);
    desk.at(id, |session| session.answer_offer(("application/sdp", b"v=0")));
    desk.at(id, |session| session.offer(Purpose::Media, OfferBy::Invite, sdp()));
    desk.next("INVITE");
    desk.quiet();
}

#[test]
fn our_offer_is_answered_acknowledged_and_refreshes_the_target() {
    for by in [OfferBy::Invite, OfferBy::Update] {
        let mut desk = Desk::new();
        let (id, _) = desk.up(None);
        offer(&mut desk, id, Purpose::Media, by, "v=0 hold");
        let request = desk.next(if by == OfferBy::Invite { "INVITE" } else { "UPDATE" });
        assert_eq!((request.cseq(), request.body().as_str()), (2, "v=0 hold"));
        assert!(request.header(Name::To).ends_with(";tag=peer") && request.header(Name::Contact).contains(OURS));
        let ok = answer(&request, 200, "", "Contact: <sip:peer@192.0.2.8>\r\n", SDP);
        desk.receive(&ok);
        assert_eq!(desk.event(), SessionEvent::OfferAnswered { purpose: Purpose::Media, body: Some(sdp()) });
        if by == OfferBy::Invite {
            let ack = desk.next("ACK");
            assert_eq!((ack.cseq(), ack.to.to_string().as_str()), (2, "192.0.2.8:5060"));
            desk.receive(&ok);
            assert_eq!(desk.next("ACK").text(), ack.text());
        }
        desk.quiet();
    }
}

#[test]
fn an_offer_that_is_refused_or_unanswered_fails_and_the_session_goes_on() {
    let mut desk = Desk::new();
    let (id, _) = desk.up(None);
    offer(&mut desk, id, Purpose::Alive, OfferBy::Invite, "v=0");
    let request = desk.next("INVITE");
    desk.receive(&answer(&request, 481, "", "", ""));
    desk.next("ACK");
    let failed = |why| SessionEvent::OfferFailed { purpose: Purpose::Alive, why };
    assert_eq!(desk.event(), failed(OfferFailure::Refused(481)));
    offer(&mut desk, id, Purpose::Alive, OfferBy::Invite, "v=0");
    desk.pass(Duration::from_secs(33));
    desk.sent.clear();
    assert_eq!(desk.event(), failed(OfferFailure::Unanswered));
    desk.quiet();
    assert!(desk.sessions.flow(id).is_some());
}

#[test]
fn nothing_is_offered_by_either_side_before_our_first_answer_is_acknowledged() {
    let mut desk = Desk::new();
    let (id, peer) = desk.answered_in(&Admission::default());
    offer(&mut desk, id, Purpose::Media, OfferBy::Update, "v=0 a");
    offer(&mut desk, id, Purpose::Alive, OfferBy::Invite, "v=0 b");
    offer(&mut desk, id, Purpose::Media, OfferBy::Invite, "v=0 c");
    assert!(desk.sent.is_empty());
    assert_eq!(desk.event(), SessionEvent::OfferFailed { purpose: Purpose::Media, why: OfferFailure::Replaced });
    desk.receive(&peer.offer("INVITE", 2));
    desk.next("491 INVITE");
    desk.receive(&peer.offer("UPDATE", 3));
    desk.next("491 UPDATE");
    desk.receive(&peer.ack(1));
    assert_eq!(desk.event(), SessionEvent::Acknowledged);
    let first = desk.next("INVITE");
    assert_eq!(first.body(), "v=0 c", "the newest wish, in the oldest's place");
    assert!(desk.sent.is_empty(), "one at a time");
    desk.receive(&answer(&first, 488, "", "", ""));
    desk.next("ACK");
    let second = desk.next("INVITE");
    assert_eq!((second.body().as_str(), second.cseq()), ("v=0 b", first.cseq() + 1));
}

#[test]
fn while_ours_is_under_way_theirs_gets_491_and_while_theirs_is_ours_waits() {
    let mut desk = Desk::new();
    let (id, peer) = desk.up_in(&Admission::default());
    offer(&mut desk, id, Purpose::Media, OfferBy::Invite, "v=0");
    let ours = desk.next("INVITE");
    desk.receive(&peer.offer("INVITE", 2));
    desk.next("491 INVITE");
    desk.receive(&answer(&ours, 180, "", "", ""));
    desk.receive(&peer.offer("UPDATE", 3));
    desk.next("491 UPDATE");
    desk.receive(&peer.request("UPDATE", 4, CONTACT, ""));
    desk.next("200 UPDATE");
    desk.receive(&answer(&ours, 200, "", CONTACT, SDP));
    desk.next("ACK");
    desk.event();
    desk.receive(&peer.offer("INVITE", 5));
    desk.event();
    offer(&mut desk, id, Purpose::Media, OfferBy::Invite, "v=0 later");
    assert!(desk.sent.is_empty());
    desk.at(id, |session| session.answer_offer(("application/sdp", b"v=0")));
    desk.next("200 INVITE");
    assert!(desk.sent.is_empty(), "their INVITE is not over before its ACK");
    desk.receive(&peer.ack(5));
    assert_eq!(desk.next("INVITE").body(), "v=0 later");
}

/// How long after a 491 the offer is made again.
fn glare_time(desk: &mut Desk, id: SessionId) -> Duration {
    offer(desk, id, Purpose::Media, OfferBy::Invite, "v=0 glare");
    let request = desk.next("INVITE");
    desk.receive(&answer(&request, 491, "", "", ""));
    desk.next("ACK");
    let (at, why) = desk.sessions.next_deadline().expect("the offer waits");
    assert_eq!(why, Wake::Session(id, Reason::OfferAgain));
    let wait = at.since(desk.now);
    let before = desk.now;
    while desk.sent.is_empty() {
        let (at, _) = desk.sessions.next_deadline().expect("the offer waits");
        desk.pass(at.since(desk.now));
    }
    let again = desk.next("INVITE");
    assert_eq!((again.body().as_str(), again.cseq()), ("v=0 glare", request.cseq() + 1));
    desk.receive(&answer(&again, 200, "", CONTACT, SDP));
    desk.next("ACK");
    assert_eq!(desk.event(), SessionEvent::OfferAnswered { purpose: Purpose::Media, body: Some(sdp()) });
    assert_eq!(desk.now.since(before), wait);
    desk.pass(Duration::from_secs(40));
    wait
}

#[test]
fn an_offer_that_meets_theirs_is_made_again_later_by_who_made_the_call_id() {
    for ours in [true, false] {
        let mut desk = Desk::new();
        let id = if ours { desk.up(None).0 } else { desk.up_in(&Admission::default()).0 };
        desk.pass(Duration::from_secs(40));
        let times: Vec<u64> = (0..200).map(|_| glare_time(&mut desk, id).as_millis() as u64).collect();
        let range = if ours { 2100..=4000 } else { 0..=2000 };
        assert!(times.iter().all(|time| range.contains(time) && time % 10 == 0), "{times:?}");
        let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        assert!(*least < range.start() + 100 && *most > range.end() - 100, "{least} to {most} of {range:?}");
    }
}

#[test]
fn while_an_offer_waits_to_be_made_again_theirs_is_taken_and_a_newer_wish_replaces_it() {
    let mut desk = Desk::new();
    let (id, peer) = desk.up(None);
    offer(&mut desk, id, Purpose::Media, OfferBy::Invite, "v=0 old");
    let request = desk.next("INVITE");
    // The wish changes while the offer is under way: the newer one waits, and is not overtaken by the older.
    offer(&mut desk, id, Purpose::Media, OfferBy::Invite, "v=0 new");
    desk.receive(&answer(&request, 491, "", "", ""));
    desk.next("ACK");
    assert_eq!(desk.event(), SessionEvent::OfferFailed { purpose: Purpose::Media, why: OfferFailure::Replaced });
    desk.receive(&peer.offer("INVITE", 7));
    assert_eq!(desk.event(), SessionEvent::Offered { body: sdp(), by: OfferBy::Invite });
    desk.at(id, |session| session.answer_offer(("application/sdp", b"v=0")));
    desk.next("200 INVITE");
    desk.receive(&peer.ack(7));
    desk.quiet();
    desk.pass(Duration::from_secs(4));
    assert_eq!(desk.next("INVITE").body(), "v=0 new");
    desk.sent.clear();
}

#[test]
fn an_offer_that_always_meets_theirs_is_refused_in_the_end() {
    let mut desk = Desk::new();
    let (id, _) = desk.up_in(&Admission::default());
    desk.pass(Duration::from_secs(40));
    offer(&mut desk, id, Purpose::Alive, OfferBy::Update, "v=0");
    let mut times = 0;
    while desk.events.is_empty() {
        while desk.sent.is_empty() {
            let (at, _) = desk.sessions.next_deadline().unwrap();
            desk.pass(at.since(desk.now));
        }
        let request = desk.next("UPDATE");
        desk.receive(&answer(&request, 491, "", "", ""));
        times += 1;
    }
    assert_eq!(desk.event(), SessionEvent::OfferFailed { purpose: Purpose::Alive, why: OfferFailure::Refused(491) });
    assert_eq!(times, 11);
}
