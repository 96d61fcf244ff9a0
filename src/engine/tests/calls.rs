use std::time::Duration;

use super::super::media_port::Feed;
use super::super::{AgentCommand, Input, Settings};
use super::house::{
    CALLER, House, Request, Sent, answer, calls, desk_phone, hangs_up, picks_up, sdp, settings, tag_of, with_entry,
};
use crate::acd::queue::{AnswerWhen, RelaxationStep};
use crate::base::words::{AgentState, BreakReason, EndedBy, OfferOutcome, QueueOutcome, Segment};
use crate::base::{AgentId, PoolId, QueueId, SkillId};
use crate::call::menu::{Choice, Destination, EntryRules, Then};
use crate::report::FactKind;
use crate::sip::Name;

pub(super) const PHONE: &str = "203.0.113.1:5060";

pub(super) fn late(mut settings: Settings) -> Settings {
    settings.directory.queues[0].as_mut().unwrap().answer = AnswerWhen::Late;
    settings
}

pub(super) fn ended(house: &House) -> Vec<(EndedBy, Segment, Option<u16>)> {
    house
        .kinds()
        .filter_map(|kind| match kind {
            FactKind::Ended { by, segment, status, .. } => Some((*by, *segment, *status)),
            _ => None,
        })
        .collect()
}

pub(super) fn outcomes(house: &House) -> Vec<OfferOutcome> {
    house
        .kinds()
        .filter_map(|kind| match kind {
            FactKind::OfferEnded { outcome, .. } => Some(*outcome),
            _ => None,
        })
        .collect()
}

fn left(house: &House) -> Vec<QueueOutcome> {
    house
        .kinds()
        .filter_map(|kind| match kind {
            FactKind::Left { outcome, .. } => Some(*outcome),
            _ => None,
        })
        .collect()
}

/// A caller of a late-answered queue who talks to agent 0; the caller's and the agent's dialogs.
pub(super) fn talking(house: &mut House) -> (String, Sent) {
    house.from(CALLER, &Request::invite("a").text());
    let invite = house.next_to(PHONE);
    house.from(PHONE, &answer(&invite, 180, ""));
    house.from(PHONE, &answer(&invite, 200, &sdp("203.0.113.1", 40000, "sendrecv")));
    let ack = house.next_to(PHONE);
    assert_eq!(ack.method().as_deref(), Some("ACK"));
    let ok = house.next_to(CALLER);
    assert_eq!(ok.status(), Some(200));
    let tag = tag_of(&ok);
    house.from(CALLER, &Request { to_tag: Some(&tag), branch: "ack", ..Request::new("ACK", "a", 1) }.text());
    (tag, invite)
}

#[test]
fn a_caller_reaches_a_free_agent_and_hangs_up() {
    let mut house = House::new(late(settings(1)));
    let (tag, invite) = talking(&mut house);
    assert_eq!(invite.message().from().unwrap().display_text(), "q");
    assert!(invite.header(Name::From).contains("sip:0212345678@city.example"));
    assert_eq!(house.agent_state(0), AgentState::Talking);
    let relayed = house.feeds.iter().rev().take(2).filter(|(_, feed)| matches!(feed, Feed::Peers(_))).count();
    assert_eq!(relayed, 2, "each hears the other");

    house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text());
    assert_eq!(house.next_to(CALLER).status(), Some(200));
    let bye = house.next_to(PHONE);
    assert_eq!(bye.method().as_deref(), Some("BYE"));
    house.from(PHONE, &answer(&bye, 200, ""));
    assert_eq!(house.agent_state(0), AgentState::Ready);
    assert_eq!(ended(&house), [(EndedBy::Caller, Segment::Talk, None)]);
    assert_eq!(left(&house), [QueueOutcome::Answered]);
    house.assert_empty();
}

#[test]
fn each_leg_ends_once_in_the_record_and_a_bye_is_as_good_as_an_ack() {
    let mut house = House::new(late(settings(1)));
    house.from(CALLER, &Request::invite("a").text());
    let invite = house.next_to(PHONE);
    house.from(PHONE, &answer(&invite, 200, &sdp("203.0.113.1", 40000, "sendrecv")));
    let ok = house.next_to(CALLER);
    let tag = tag_of(&ok);
    // The ACK was lost.
    house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text());
    assert_eq!(house.next_to(CALLER).status(), Some(200));
    house.pass(Duration::from_secs(40));
    assert!(house.nothing_to(CALLER), "the 200 to the INVITE comes no more");
    let mut ends: Vec<u32> = house
        .kinds()
        .filter_map(|kind| match kind {
            FactKind::LegEnded { leg, .. } => Some(*leg),
            _ => None,
        })
        .collect();
    ends.sort_unstable();
    assert_eq!(ends, [1, 2]);
    house.assert_empty();
}

#[test]
fn early_media_is_repeated_each_minute_and_answered_after_150_seconds() {
    let mut house = House::new(late(settings(0)));
    house.from(CALLER, &Request::invite("a").text());
    let mut progress = Vec::new();
    for _ in 0..16 {
        house.pass(Duration::from_secs(10));
        while !house.nothing_to(CALLER) {
            progress.push(house.next_to(CALLER));
        }
    }
    let statuses: Vec<_> = progress.iter().filter_map(Sent::status).filter(|status| *status > 100).collect();
    assert_eq!(statuses[..4], [183, 183, 183, 200], "at once, after one minute, after two; answered after 150 s");
    let body = |sent: &Sent| sent.text().split("\r\n\r\n").nth(1).map(str::to_owned);
    let first = progress.iter().find(|sent| sent.status() == Some(183)).unwrap();
    assert!(progress.iter().filter(|sent| sent.status() > Some(100)).all(|sent| body(sent) == body(first)), "one description");
    let tag = tag_of(first);
    house.from(CALLER, &Request { to_tag: Some(&tag), branch: "ack", ..Request::new("ACK", "a", 1) }.text());
    house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text());
    assert_eq!(ended(&house), [(EndedBy::Caller, Segment::Queue, None)], "it waited on after it was answered");
    house.assert_empty();
}

#[test]
fn an_agent_hangs_up_and_wraps_up() {
    let mut settings = late(settings(1));
    settings.directory.queues[0].as_mut().unwrap().wrap_up = Duration::from_secs(10);
    let mut house = House::alone(settings);
    let (_, invite) = talking(&mut house);
    let ours = invite.message().from().unwrap().tag().unwrap().to_owned();
    let bye = format!(
        "BYE sip:hotline@198.51.100.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {PHONE};branch=z9hG4bKbye\r\nMax-Forwards: 70\r\n\
         From: <sip:agent0@city.example>;tag=phone\r\nTo: <sip:x@city.example>;tag={ours}\r\nCall-ID: {}\r\nCSeq: 7 BYE\r\nContent-Length: 0\r\n\r\n",
        invite.header(Name::CallId)
    );
    house.from(PHONE, &bye);
    assert_eq!(house.next_to(PHONE).status(), Some(200));
    let bye = house.next_to(CALLER);
    assert_eq!(bye.method().as_deref(), Some("BYE"));
    house.from(CALLER, &answer(&bye, 200, ""));
    assert_eq!(house.agent_state(0), AgentState::WrapUp);
    house.pass(Duration::from_secs(10));
    assert_eq!(house.agent_state(0), AgentState::Ready);
    assert_eq!(ended(&house), [(EndedBy::Agent, Segment::Talk, None)]);
    let told = house.facts.iter().filter(|fact| matches!(fact.kind, FactKind::Agent { .. }));
    let of_the_call: Vec<bool> = told.map(|fact| fact.contact.is_some()).collect();
    assert_eq!(
        of_the_call,
        [false, true, true, true, true, true],
        "signed in; then reserved to wrapped up are the contact's, its end too"
    );
    house.assert_empty();
}

#[test]
fn callers_wait_in_order_until_an_agent_is_free() {
    let mut house = House::new(late(settings(0)));
    house.from(CALLER, &Request::invite("a").text());
    house.from(CALLER, &Request::invite("b").text());
    house.pass(Duration::from_secs(1));
    let progress = house.next_to(CALLER);
    assert_eq!(progress.status(), Some(183), "music as early media");
    assert!(house.feeds.iter().any(|(_, feed)| matches!(feed, Feed::Music(_))));
    for call in ["a", "b"] {
        house.from(CALLER, &Request::new("CANCEL", call, 1).text());
    }
    assert_eq!(ended(&house).len(), 2);
    assert_eq!(left(&house), [QueueOutcome::ShortAbandoned; 2]);
    house.assert_empty();
}

#[test]
fn a_caller_who_leaves_while_it_rings_stops_the_ringing() {
    let mut house = House::new(late(settings(1)));
    house.from(CALLER, &Request::invite("a").text());
    let invite = house.next_to(PHONE);
    house.from(PHONE, &answer(&invite, 180, ""));
    house.from(CALLER, &Request::new("CANCEL", "a", 1).text());
    let answers: Vec<_> = [house.next_to(CALLER), house.next_to(CALLER)].iter().map(|s| (s.status(), s.cseq_method())).collect();
    assert!(answers.contains(&(Some(200), "CANCEL".into())) && answers.contains(&(Some(487), "INVITE".into())), "{answers:?}");
    let cancel = house.next_to(PHONE);
    assert_eq!(cancel.method().as_deref(), Some("CANCEL"));
    assert_eq!(house.agent_state(0), AgentState::Ringing, "the phone may still ring");
    house.from(PHONE, &answer(&cancel, 200, ""));
    house.from(PHONE, &answer(&invite, 487, ""));
    assert_eq!(house.agent_state(0), AgentState::Ready);
    assert_eq!(outcomes(&house), [OfferOutcome::Withdrawn]);
    house.assert_empty();
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let mut house = House::new(late(settings(1)));
    house.from(CALLER, &Request::invite("a").text());
    let invite = house.next_to(PHONE);
    house.from(PHONE, &answer(&invite, 180, ""));
    house.from(CALLER, &Request::new("CANCEL", "a", 1).text());
    let _cancel = house.next_to(PHONE);
    house.from(PHONE, &answer(&invite, 200, &sdp("203.0.113.1", 40000, "sendrecv")));
    assert_eq!(house.next_to(PHONE).method().as_deref(), Some("ACK"));
    let bye = house.next_to(PHONE);
    assert_eq!(bye.method().as_deref(), Some("BYE"));
    house.from(PHONE, &answer(&bye, 200, ""));
    assert_eq!(house.agent_state(0), AgentState::Ready);
    house.assert_empty();
}

#[test]
fn a_refusal_moves_on_to_the_next_agent_and_the_caller_hears_nothing_of_it() {
    let mut house = House::new(late(settings(2)));
    house.from(CALLER, &Request::invite("a").text());
    let first = house.next_to(PHONE);
    house.from(PHONE, &answer(&first, 486, ""));
    assert_eq!(house.next_to(PHONE).method().as_deref(), Some("ACK"));
    assert_eq!(house.agent_state(0), AgentState::Break);
    let second = house.next_to(&desk_phone(1));
    assert_eq!(second.method().as_deref(), Some("INVITE"));
    assert!(house.nothing_to(CALLER));
    assert_eq!(outcomes(&house), [OfferOutcome::Busy]);
    house.pass(Duration::from_secs(10));
    assert_eq!(house.agent_state(0), AgentState::Ready, "left alone for the queue's pause");
    house.from(CALLER, &Request::new("CANCEL", "a", 1).text());
    house.assert_empty();
}

#[test]
fn a_phone_that_is_not_answered_puts_its_agent_on_break_and_keeps_the_callers_place() {
    let mut house = House::new(late(settings(1)));
    house.from(CALLER, &Request::invite("a").text());
    let invite = house.next_to(PHONE);
    house.from(PHONE, &answer(&invite, 180, ""));
    house.pass(Duration::from_secs(20));
    let cancel = house.next_to(PHONE);
    assert_eq!(cancel.method().as_deref(), Some("CANCEL"));
    house.from(PHONE, &answer(&cancel, 200, ""));
    house.from(PHONE, &answer(&invite, 487, ""));
    assert_eq!(house.agent_state(0), AgentState::Break);
    assert_eq!(outcomes(&house), [OfferOutcome::TimedOut]);
    // Ready again, the same caller is offered again.
    house.sent.clear();
    house.input(Input::Agent { agent: AgentId(0), command: AgentCommand::Ready });
    assert_eq!(house.next_to(PHONE).method().as_deref(), Some("INVITE"));
    house.from(CALLER, &Request::new("CANCEL", "a", 1).text());
    house.assert_empty();
}

#[test]
fn a_phone_that_is_not_there_is_given_up_after_its_transaction() {
    let mut house = House::new(late(settings(1)));
    house.input(Input::Agent { agent: AgentId(0), command: AgentCommand::Break(BreakReason::Asked) });
    house.input(Input::Agent { agent: AgentId(0), command: AgentCommand::Ready });
    house.from(CALLER, &Request::invite("a").text());
    house.pass(Duration::from_secs(20));
    assert_eq!(outcomes(&house), [OfferOutcome::TimedOut]);
    assert_eq!(house.agent_state(0), AgentState::Ringing, "its INVITE may yet be answered");
    house.pass(Duration::from_secs(15));
    assert_eq!(house.agent_state(0), AgentState::Break);
    house.from(CALLER, &Request::new("CANCEL", "a", 1).text());
    house.assert_empty();
}

#[test]
fn hold_is_answered_locally_and_the_other_side_hears_music() {
    let mut house = House::new(late(settings(1)));
    let (tag, _) = talking(&mut house);
    house.feeds.clear();
    let hold = Request { to_tag: Some(&tag), body: sdp("192.0.2.1", 30000, "sendonly"), ..Request::new("INVITE", "a", 2) };
    house.from(CALLER, &hold.text());
    let ok = house.next_to(CALLER);
    assert_eq!(ok.status(), Some(200));
    assert!(ok.text().contains("a=recvonly"));
    assert!(house.nothing_to(PHONE));
    assert!(matches!(house.feeds.as_slice(), [(_, Feed::Nothing), (_, Feed::Music(_))]), "{:?}", house.feeds);
    house.from(CALLER, &Request { to_tag: Some(&tag), branch: "ack2", ..Request::new("ACK", "a", 2) }.text());
    house.feeds.clear();
    let resume = Request { to_tag: Some(&tag), body: sdp("192.0.2.1", 30000, "sendrecv"), ..Request::new("UPDATE", "a", 3) };
    house.from(CALLER, &resume.text());
    assert_eq!(house.next_to(CALLER).status(), Some(200));
    assert!(matches!(house.feeds.as_slice(), [(_, Feed::Peers(_)), (_, Feed::Peers(_))]), "{:?}", house.feeds);
    house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 4) }.text());
    house.assert_empty();
}

#[test]
fn a_2xx_is_repeated_until_its_ack_and_a_caller_who_never_sends_it_is_hung_up() {
    let mut house = House::new(settings(0));
    house.from(CALLER, &Request::invite("a").text());
    house.pass(Duration::from_secs(3));
    let answers = house.sent.iter().filter(|sent| sent.status() == Some(200)).count();
    assert_eq!(answers, 3, "at 0, 0.5 and 1.5 s");
    house.sent.clear();
    house.pass(Duration::from_secs(30));
    assert_eq!(house.sent.iter().filter(|sent| sent.method().as_deref() == Some("BYE")).count(), 2, "sent, and once more");
    house.assert_empty();
}

#[test]
fn a_choice_of_language_leads_to_the_queue() {
    let destination = Destination { queue: QueueId(0), language: Some(SkillId(0)) };
    let entry = EntryRules {
        greeting: vec!["en/greeting".into()],
        then: Then::Ask(Choice {
            prompts: vec!["en/choose".into()],
            keys: vec![('1', destination)],
            timeout: Duration::from_secs(5),
            tries: 2,
            default: destination,
        }),
        ..crate::call::menu::tests::straight_to(QueueId(0))
    };
    let mut house = House::new(with_entry(settings(1), entry));
    house.from(CALLER, &Request::invite("a").text());
    let ok = house.next_to(CALLER);
    assert_eq!(ok.status(), Some(200), "something to hear answers the call");
    let tag = tag_of(&ok);
    house.from(CALLER, &Request { to_tag: Some(&tag), branch: "ack", ..Request::new("ACK", "a", 1) }.text());
    house.played();
    assert!(matches!(house.feeds.last(), Some((_, Feed::Prompts { names, .. })) if &*names[0] == "en/choose"));
    house.digit('1');
    let invite = house.next_to(PHONE);
    assert_eq!(invite.message().from().unwrap().display_text(), "q korean");
    house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text());
    assert!(house.kinds().any(|kind| matches!(kind, FactKind::Entered { language: Some(SkillId(0)), .. })));
    house.assert_empty();
}

#[test]
fn strangers_and_nonsense_get_the_right_answer_or_none() {
    let mut house = House::new(settings(0));
    let stranger = "198.51.100.77:5060";
    house.from(stranger, &Request { from: stranger, ..Request::invite("x") }.text());
    assert!(house.nothing_to(stranger), "nobody we know learns nothing");
    house.from(CALLER, "no SIP at all");
    house.from(CALLER, "SIP/2.0 200 OK\r\n\r\n");
    assert!(house.nothing_to(CALLER));
    house.from(CALLER, &Request { to_tag: Some("nobody"), ..Request::new("BYE", "x", 2) }.text());
    assert_eq!(house.next_to(CALLER).status(), Some(481));
    house.from(CALLER, &Request::new("CANCEL", "x", 9).text());
    assert_eq!(house.next_to(CALLER).status(), Some(481));
    house.from(CALLER, &Request::new("JUMP", "x", 10).text());
    assert_eq!(house.next_to(CALLER).status(), Some(501));
    house.from(CALLER, &Request::new("SUBSCRIBE", "x", 11).text());
    assert_eq!(house.next_to(CALLER).status(), Some(405));
    house.from(CALLER, &Request::new("OPTIONS", "x", 12).text());
    assert_eq!(house.next_to(CALLER).status(), Some(200));
    house.from(CALLER, &Request { extra: "Require: 100rel\r\n".into(), ..Request::invite("y") }.text());
    let refused = house.next_to(CALLER);
    assert_eq!((refused.status(), refused.header(Name::Unsupported).as_str()), (Some(420), "100rel"));
    house.from(CALLER, &Request::invite("z").text().replace("Max-Forwards: 70", "Max-Forwards: 0"));
    assert_eq!(house.next_to(CALLER).status(), Some(483));
    house.from(CALLER, &Request::invite("w").text().replace("sip:120@", "sip:999@"));
    assert_eq!(house.next_to(CALLER).status(), Some(404));
    let unspoken = sdp("192.0.2.1", 30000, "sendrecv").replace("RTP/AVP 0 8", "RTP/AVP 18");
    house.from(CALLER, &Request { body: unspoken, ..Request::invite("v") }.text());
    assert_eq!(house.next_to(CALLER).status(), Some(488));
    house.assert_empty();
}

#[test]
fn draining_refuses_new_calls_and_ends_none() {
    let mut house = House::new(late(settings(1)));
    let (tag, _) = talking(&mut house);
    house.input(Input::Drain);
    house.from(CALLER, &Request::invite("b").text());
    let refused = house.next_to(CALLER);
    assert_eq!(refused.status(), Some(503));
    assert!(!refused.header(Name::RetryAfter).is_empty());
    assert_eq!(house.contacts_up(), 1);
    house.input(Input::EndAll);
    assert_eq!(house.next_to(CALLER).method().as_deref(), Some("BYE"));
    assert_eq!(house.next_to(PHONE).method().as_deref(), Some("BYE"));
    assert_eq!(ended(&house), [(EndedBy::System, Segment::Talk, None)]);
    let _ = tag;
    house.assert_empty();
}

#[test]
fn a_broken_invariant_costs_one_contact() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let mut house = House::alone(late(settings(2)));
    let (tag, _) = talking(&mut house);
    house.from(CALLER, &Request::invite("b").text());
    let second = house.next_to(&desk_phone(1));
    house.from(&desk_phone(1), &answer(&second, 200, &sdp("203.0.113.2", 40000, "sendrecv")));
    house.sent.clear();
    house.engine.take_out(super::super::sabotage::Rule::SoundInfo);
    let body = "Signal=5\r\n".to_owned();
    let info = Request { to_tag: Some(&tag), body, ..Request::new("INFO", "a", 2) }.text().replace("/sdp", "/dtmf-relay");
    let caught = catch_unwind(AssertUnwindSafe(|| house.from(CALLER, &info)));
    assert!(caught.is_err(), "the injected panic");
    let told = house.engine.fault(house.now);
    assert!(told.is_some() && house.facts.iter().any(|fact| fact.contact == told), "the log names the contact");
    house.input(Input::Time);
    assert_eq!(ended(&house), [(EndedBy::Fault, Segment::Talk, None)], "that contact alone");
    let to_caller = [house.next_to(CALLER), house.next_to(CALLER)];
    assert!(to_caller.iter().any(|sent| sent.method().as_deref() == Some("BYE")));
    assert!(to_caller.iter().any(|sent| sent.status() == Some(200)), "the request at hand is answered");
    let bye = house.next_to(PHONE);
    assert_eq!(bye.method().as_deref(), Some("BYE"));
    house.from(PHONE, &answer(&bye, 200, ""));
    assert_eq!(house.agent_state(0), AgentState::Ready, "its agent comes back");
    assert_eq!(house.agent_state(1), AgentState::Talking, "the other talk goes on");
    assert_eq!(house.contacts_up(), 1);
    house.input(Input::EndAll);
    house.assert_empty();
}

/// A REFER from the agent's phone.
pub(super) fn refer(invite: &Sent, from: &str, to: &str, cseq: u32) -> String {
    let ours = invite.message().from().unwrap().tag().unwrap().to_owned();
    format!(
        "REFER sip:hotline@198.51.100.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKrefer{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:agent0@city.example>;tag=phone\r\nTo: <sip:x@city.example>;tag={ours}\r\nCall-ID: {}\r\nCSeq: {cseq} REFER\r\n\
         Contact: <sip:agent0@{from}>\r\nRefer-To: <sip:{to}@city.example>\r\nContent-Length: 0\r\n\r\n",
        invite.header(Name::CallId)
    )
}

pub(super) fn transfers(house: &House) -> Vec<(&'static str, &'static str)> {
    house
        .kinds()
        .filter_map(|kind| match kind {
            FactKind::Transferred { kind, outcome, .. } => Some((kind.label(), outcome.label())),
            _ => None,
        })
        .collect()
}

#[test]
fn an_agent_passes_a_caller_on_to_another() {
    let mut house = House::new(late(settings(2)));
    let (tag, invite) = talking(&mut house);
    house.from(PHONE, &refer(&invite, PHONE, "agent1", 7));
    assert_eq!(house.next_to(PHONE).status(), Some(202));
    let notify = house.next_to(PHONE);
    assert!(notify.text().contains("SIP/2.0 100 Trying") && notify.header(Name::Event) == "refer");
    assert!(matches!(house.feeds.last(), Some((_, Feed::Music(_)))), "the caller hears music meanwhile");
    let second = house.next_to(&desk_phone(1));
    house.from(&desk_phone(1), &answer(&second, 200, &sdp("203.0.113.2", 41000, "sendrecv")));
    let told = house.next_to(PHONE);
    assert!(told.text().contains("SIP/2.0 200 OK"), "{}", told.text());
    let bye = house.next_to(PHONE);
    assert_eq!(bye.method().as_deref(), Some("BYE"));
    house.from(PHONE, &answer(&bye, 200, ""));
    assert_eq!((house.agent_state(0), house.agent_state(1)), (AgentState::Ready, AgentState::Talking));
    assert_eq!(transfers(&house), [("blind", "completed")]);
    house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text());
    assert_eq!(ended(&house), [(EndedBy::Caller, Segment::Talk, None)]);
    house.assert_empty();
}

#[test]
fn who_is_being_passed_on_outlives_the_longest_talk_with_the_first_agent() {
    let mut settings = late(settings(2));
    settings.directory.queues[0].as_mut().unwrap().talk_max = Duration::from_secs(60);
    let mut house = House::new(settings);
    let (tag, invite) = talking(&mut house);
    house.pass(Duration::from_secs(50));
    house.from(PHONE, &refer(&invite, PHONE, "agent1", 7));
    let second = house.next_to(&desk_phone(1));
    house.sent.clear();
    house.pass(Duration::from_secs(11));
    // The first agent has had the caller for as long as may be.
    let bye = std::iter::from_fn(|| Some(house.next_to(PHONE))).find(|sent| sent.method().as_deref() == Some("BYE")).unwrap();
    house.from(PHONE, &answer(&bye, 200, ""));
    assert!(ended(&house).is_empty(), "the caller waits for the second");
    house.from(&desk_phone(1), &answer(&second, 200, &sdp("203.0.113.2", 41000, "sendrecv")));
    assert_eq!((house.agent_state(0), house.agent_state(1)), (AgentState::Ready, AgentState::Talking));
    house.audit();
    house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text());
    assert_eq!(ended(&house), [(EndedBy::Caller, Segment::Talk, None)]);
}

#[test]
fn a_refused_call_is_refused_when_it_comes_again_and_another_is_not() {
    let mut house = House::new(late(settings(1)));
    house.age = Duration::from_millis(300);
    house.from(CALLER, &Request::invite("a").text());
    assert_eq!(house.next_to(CALLER).status(), Some(503));
    // What was late is no longer so, and the first comes once more, for its answer was slow.
    house.age = Duration::ZERO;
    house.from(CALLER, &Request::invite("a").text());
    assert_eq!(house.next_to(CALLER).status(), Some(503));
    assert_eq!(house.contacts_up(), 0);
    house.from(CALLER, &Request::invite("b").text());
    assert_eq!(house.next_to(&desk_phone(0)).method().as_deref(), Some("INVITE"), "another call is taken");
    house.pass(Duration::from_secs(33));
    house.from(CALLER, &Request { branch: "later", ..Request::invite("a") }.text());
    assert_eq!(house.contacts_up(), 2, "nobody is refused for ever");
}

#[test]
fn a_transfer_that_fails_brings_the_caller_back() {
    let mut house = House::new(late(settings(2)));
    let (tag, invite) = talking(&mut house);
    house.from(PHONE, &refer(&invite, PHONE, "nobody", 7));
    assert_eq!(house.next_to(PHONE).status(), Some(404));
    house.from(PHONE, &refer(&invite, PHONE, "agent0", 8));
    assert_eq!(house.next_to(PHONE).status(), Some(491), "to oneself");
    house.from(PHONE, &refer(&invite, PHONE, "agent1", 9));
    let second = house.next_to(&desk_phone(1));
    house.from(&desk_phone(1), &answer(&second, 603, ""));
    assert_eq!(transfers(&house), [("blind", "returned")]);
    assert_eq!((house.agent_state(0), house.agent_state(1)), (AgentState::Talking, AgentState::Break));
    assert!(matches!(house.feeds.last(), Some((_, Feed::Peers(_)))), "they hear each other again");
    // One who hangs up at once changes nothing, and a failure then leads back into the queue.
    house.sent.clear();
    house.input(Input::Agent { agent: AgentId(1), command: AgentCommand::Ready });
    house.from(PHONE, &refer(&invite, PHONE, "agent1", 10));
    let third = house.next_to(&desk_phone(1));
    let ours = invite.message().from().unwrap().tag().unwrap().to_owned();
    let bye = refer(&invite, PHONE, "x", 11).replace("REFER", "BYE");
    assert!(bye.contains(&ours));
    house.from(PHONE, &bye);
    assert_eq!(house.contacts_up(), 1);
    assert_eq!(house.agent_state(0), AgentState::Ready);
    house.sent.clear();
    house.from(&desk_phone(1), &answer(&third, 486, ""));
    assert_eq!(transfers(&house).last(), Some(&("blind", "failed")));
    assert_eq!(house.next_to(PHONE).method().as_deref(), Some("INVITE"), "back in the queue, the next free agent is rung");
    house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text());
    house.assert_empty();
}

#[test]
fn a_transfer_to_a_queue_keeps_the_time_already_waited() {
    let mut settings = late(settings(1));
    let mut other = settings.directory.queues[0].clone().unwrap();
    other.name = "other".into();
    other.pools = vec![];
    settings.directory.queues.push(Some(other));
    let mut house = House::new(settings);
    house.input(Input::Agent { agent: AgentId(0), command: AgentCommand::Break(BreakReason::Asked) });
    house.input(Input::Agent { agent: AgentId(0), command: AgentCommand::Break(BreakReason::Asked) });
    house.from(CALLER, &Request::invite("a").text());
    house.pass(Duration::from_secs(30));
    house.sent.clear();
    house.input(Input::Agent { agent: AgentId(0), command: AgentCommand::Ready });
    let invite = house.next_to(PHONE);
    house.from(PHONE, &answer(&invite, 200, &sdp("203.0.113.1", 40000, "sendrecv")));
    let ok = house.sent.iter().find(|sent| sent.status() == Some(200)).cloned().unwrap();
    let tag = tag_of(&ok);
    house.from(CALLER, &Request { to_tag: Some(&tag), branch: "ack", ..Request::new("ACK", "a", 1) }.text());
    house.from(PHONE, &refer(&invite, PHONE, "other", 7));
    assert_eq!(transfers(&house), [("queue", "completed")]);
    let credit = house.kinds().filter_map(|kind| match kind {
        FactKind::Entered { credit, .. } => Some(*credit),
        _ => None,
    });
    assert_eq!(credit.last(), Some(Duration::from_secs(30)));
    assert_eq!(house.agent_state(0), AgentState::Ready);
    house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text());
    assert_eq!(ended(&house), [(EndedBy::Caller, Segment::Queue, None)]);
    house.assert_empty();
}

#[test]
fn each_decision_says_what_was_weighed() {
    let mut settings = settings(3);
    settings.directory.agents[2].as_mut().unwrap().pools = vec![PoolId(1)];
    let queue = settings.directory.queues[0].as_mut().unwrap();
    queue.relaxation = vec![RelaxationStep { after: Duration::from_secs(30), lower_levels_by: 0, more_pools: vec![PoolId(1)] }];
    queue.priority_boost = Duration::from_secs(7);
    let mut house = House::new(settings);
    house.input(Input::Agent { agent: AgentId(0), command: AgentCommand::Break(BreakReason::Asked) });
    house.input(Input::Agent { agent: AgentId(1), command: AgentCommand::SignOut });
    house.input(Input::Agent { agent: AgentId(2), command: AgentCommand::Break(BreakReason::Asked) });
    let arrived = house.now;
    house.from(CALLER, &Request::invite("a").text());
    house.pass(Duration::from_secs(31));
    house.input(Input::Agent { agent: AgentId(2), command: AgentCommand::Ready });
    let ledger: Vec<(&str, [u32; 4])> = house
        .kinds()
        .filter_map(|kind| {
            let (what, weighed) = match kind {
                FactKind::Entered { as_of, emergency: false, weighed, .. } => {
                    assert_eq!(*as_of, arrived - Duration::from_secs(7));
                    ("entered", weighed)
                }
                FactKind::Widened { step: 1, weighed, .. } => ("widened", weighed),
                FactKind::Offered { agent: AgentId(2), weighed, .. } => ("offered", weighed),
                _ => return None,
            };
            assert_eq!(weighed.map_version, 1);
            Some((what, [weighed.free, weighed.busy, weighed.on_break, weighed.offline]))
        })
        .collect();
    assert_eq!(ledger, [("entered", [0, 0, 1, 1]), ("widened", [0, 0, 2, 1]), ("offered", [0, 1, 1, 1])]);
}

#[test]
fn old_input_sheds_new_calls_but_not_emergencies_nor_those_in_progress() {
    let mut house = House::new(late(settings(1)));
    let (tag, _) = talking(&mut house);
    house.age = Duration::from_millis(101);
    house.from(CALLER, &Request::invite("b").text());
    let refused = house.next_to(CALLER);
    assert_eq!(refused.status(), Some(503));
    assert_eq!(refused.header(Name::RetryAfter), "5");
    house.age = Duration::from_millis(60);
    house.from(CALLER, &Request::invite("c").text());
    assert_eq!(house.next_to(CALLER).status(), Some(503), "not before it is half as old");
    house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text());
    assert_eq!(house.next_to(CALLER).status(), Some(200));
    house.age = Duration::from_millis(40);
    house.from(CALLER, &Request::invite("d").text());
    assert_eq!(house.contacts_up(), 1, "taken again");
    house.from(CALLER, &Request::new("CANCEL", "d", 1).text());
    house.assert_empty();

    let mut settings = late(settings(0));
    settings.directory.queues[0].as_mut().unwrap().emergency = true;
    let mut house = House::new(settings);
    house.age = Duration::from_secs(1);
    house.from(CALLER, &Request::invite("a").text());
    assert_eq!(house.contacts_up(), 1, "an emergency is shed last");
    house.from(CALLER, &Request::new("CANCEL", "a", 1).text());
    house.assert_empty();
}

#[test]
fn a_call_that_comes_back_through_us_is_a_loop() {
    let mut house = House::new(late(settings(1)));
    house.from(CALLER, &Request::invite("a").text());
    let ours = house.next_to(PHONE).header(Name::Via);
    let again = Request::invite("b").text().replacen(
        "Via: ",
        &format!("Via: SIP/2.0/UDP {CALLER};branch=z9hG4bKx\r\nVia: {ours}\r\nVia: "),
        1,
    );
    house.sent.clear();
    house.from(CALLER, &again);
    assert_eq!(house.next_to(CALLER).status(), Some(482));
    house.from(CALLER, &Request::new("CANCEL", "a", 1).text());
    house.pass(Duration::from_secs(40));
    house.assert_empty();
}

#[test]
fn between_two_callers_an_agent_is_told_of_as_ready() {
    let mut settings = settings(1);
    settings.directory.queues[0].as_mut().unwrap().wrap_up = Duration::from_secs(10);
    let mut house = House::alone(settings);
    let tag = calls(&mut house, "a");
    picks_up(&mut house, 0);
    calls(&mut house, "b");
    hangs_up(&mut house, "a", &tag);
    let phone = desk_phone(0);
    let bye = house.next_to(&phone);
    house.facts.clear();
    house.from(&phone, &answer(&bye, 200, ""));
    house.pass(Duration::from_secs(120));
    let told = house.facts.iter().filter_map(|fact| match fact.kind {
        FactKind::Agent { from, to, .. } => Some((fact.contact, from.0, to.0)),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    let ready = told.iter().position(|(_, _, to)| *to == AgentState::Ready).unwrap_or_else(|| panic!("{told:?}"));
    let next = told.get(ready + 1).copied();
    assert!(matches!(next, Some((Some(_), AgentState::Ready, AgentState::Reserved))), "{told:?}");
    assert_ne!(told[ready].0, told[ready + 1].0, "the one is of the first contact, the other of the second: {told:?}");
}

#[test]
fn an_agent_who_is_gone_counts_for_nobody_though_the_talk_goes_on() {
    let mut house = House::new(settings(1));
    let tag = calls(&mut house, "a");
    picks_up(&mut house, 0);
    let counted = |house: &House| {
        let matcher = house.engine.matcher.audited();
        matcher.anyone_for(matcher.routing_table().demand(QueueId(0), None, 0).unwrap())
    };
    assert!(counted(&house));
    house.reload(Settings { version: 2, ..settings(0) });
    assert_eq!((counted(&house), house.agent_state(0)), (false, AgentState::Talking));
    hangs_up(&mut house, "a", &tag);
    house.audit();
}
