//! A room that carries text: contacts who write, and agents who write back, without a SIP message.

use std::time::Duration;

use super::super::text_port::{NotTaken, TextId, TextInput, TextOutput, TurnedAway};
use super::super::{Input, Settings};
use super::calls::{ended, late};
use super::house::{CALLER, House, Request, becomes, desk_phone, hangs_up, picks_up, settings, tag_of};
use crate::acd::agent_slots::Capacity;
use crate::acd::queue::QueueRules;
use crate::acd::queue::tests::plain;
use crate::base::AgentId;
use crate::base::words::{AgentState, BreakReason, Channel, EndedBy, OfferOutcome, QueueOutcome, Segment};
use crate::engine::AgentCommand;
use crate::report::FactKind;

/// Each agent may have one call and two chats; there is a queue for chats.
fn a_call_and_two_chats(agents: u32) -> Settings {
    let mut settings = late(settings(agents));
    for agent in settings.directory.agents.iter_mut().flatten() {
        agent.capacity = Capacity::of([Capacity::load(&[(Channel::Voice, 1), (Channel::Chat, 2)])]);
    }
    settings.directory.queues.push(Some(QueueRules {
        channel: Channel::Chat,
        wrap_up: Duration::from_secs(5),
        ..plain("chats", &[], &[0])
    }));
    settings
}

/// What the room is told next.
fn next(house: &mut House) -> TextOutput {
    house.texts.pop_front().expect("the room is told something")
}

fn room_says(house: &mut House, input: TextInput) {
    house.input(Input::Text(input));
}

fn arrives(house: &mut House, origin: &str) -> TextId {
    room_says(house, TextInput::Arrives { origin: origin.into(), from: "kim".into(), to: "chats".into() });
    match next(house) {
        TextOutput::Taken { origin: named, session } => {
            assert_eq!(&*named, origin);
            session
        }
        other => panic!("{other:?}"),
    }
}

fn offered(house: &mut House) -> (TextId, AgentId) {
    match next(house) {
        TextOutput::Offers { session, agent, from } => {
            assert!(from.contains("kim"), "{from}");
            (session, agent)
        }
        other => panic!("{other:?}"),
    }
}

fn writes(house: &mut House, session: TextId, text: &str) {
    room_says(house, TextInput::Writes { session, text: text.into() });
}

fn shown(house: &mut House, to: TextId, by: TextId, text: &str) {
    assert_eq!(next(house), TextOutput::Writes { session: to, by, text: text.into() });
}

#[test]
fn a_chat_goes_through_the_house() {
    let mut house = House::new(a_call_and_two_chats(1));
    let writer = arrives(&mut house, "web-1");
    let (agents, agent) = offered(&mut house);
    assert_eq!(agent, AgentId(0));
    // What is written before anybody reads it is not lost.
    writes(&mut house, writer, "there is no water");
    writes(&mut house, writer, "since this morning");
    assert!(house.texts.is_empty());
    room_says(&mut house, TextInput::Takes { session: agents });
    shown(&mut house, agents, writer, "there is no water");
    shown(&mut house, agents, writer, "since this morning");
    house.audit();
    writes(&mut house, agents, "which street?");
    shown(&mut house, writer, agents, "which street?");
    house.pass(Duration::from_secs(60));
    room_says(&mut house, TextInput::Leaves { session: writer });
    assert_eq!([next(&mut house), next(&mut house)], [writer, agents].map(|session| TextOutput::Closes { session }));
    assert_eq!(ended(&house), [(EndedBy::Caller, Segment::Talk, None)]);
    let in_chats = |kind: &FactKind| match kind {
        FactKind::Arrived { channel, dialled, .. } => Some(format!("arrived by {} for {dialled}", channel.label())),
        FactKind::Left { outcome, .. } => Some(format!("left: {}", outcome.label())),
        FactKind::TalkEnded { agent, lasted, .. } => Some(format!("talked with {agent:?} for {lasted:?}")),
        FactKind::LegEnded { leg, packets: (written, shown, _), .. } => {
            Some(format!("leg {leg}: {written} written, {shown} shown"))
        }
        _ => None,
    };
    assert_eq!(
        house.kinds().filter_map(in_chats).collect::<Vec<_>>(),
        [
            "arrived by chat for chats",
            "left: answered",
            "leg 1: 2 written, 1 shown",
            "talked with Some(AgentId(0)) for 60s",
            "leg 2: 1 written, 2 shown"
        ]
    );
    // The agent's time after it, on the slot that it was in.
    assert!(house.nothing_to(CALLER) && house.sent.is_empty(), "without a SIP message");
    house.pass(Duration::from_secs(6));
    house.assert_empty();
}

/// One call and two chats, and neither more nor less.
#[test]
fn an_agent_has_one_call_and_two_chats_at_once() {
    let mut house = House::new(a_call_and_two_chats(1));
    let takes = |house: &mut House| {
        let (session, agent) = offered(house);
        assert_eq!(agent, AgentId(0));
        room_says(house, TextInput::Takes { session });
        session
    };
    let first = arrives(&mut house, "1");
    takes(&mut house);
    // A call comes beside it.
    house.from(CALLER, &Request::invite("a").text());
    picks_up(&mut house, 0);
    let tag = tag_of(&house.next_to(CALLER));
    let second = arrives(&mut house, "2");
    takes(&mut house);
    house.audit();
    // The third chat and the second call wait.
    let third = arrives(&mut house, "3");
    house.from("192.0.2.8:5060", &Request { from: "192.0.2.8:5060", ..Request::invite("b") }.text());
    assert!(house.texts.is_empty() && house.nothing_to(&desk_phone(0)));
    house.audit();
    // A chat ends: after the wrap-up the third is offered, and the call still waits.
    room_says(&mut house, TextInput::Leaves { session: first });
    house.texts.clear();
    house.pass(Duration::from_secs(6));
    takes(&mut house);
    assert!(house.nothing_to(&desk_phone(0)));
    house.audit();
    // The call ends: the next is rung.
    hangs_up(&mut house, "a", &tag);
    let bye = house.next_to(&desk_phone(0));
    house.from(&desk_phone(0), &super::house::answer(&bye, 200, ""));
    assert_eq!(house.next_to(&desk_phone(0)).method().as_deref(), Some("INVITE"));
    assert!(house.texts.is_empty());
    for session in [second, third] {
        room_says(&mut house, TextInput::Leaves { session });
    }
    house.audit();
}

#[test]
fn an_offer_that_is_not_taken_goes_to_another() {
    let mut house = House::new(a_call_and_two_chats(2));
    let writer = arrives(&mut house, "1");
    let (first, agent) = offered(&mut house);
    room_says(&mut house, TextInput::TakesNot { session: first, why: NotTaken::Declined });
    assert_eq!(next(&mut house), TextOutput::Closes { session: first });
    let (second, other) = offered(&mut house);
    assert_ne!(other, agent);
    // Nobody says anything: it is withdrawn, and offered to nobody as long as both have a break.
    house.pass(Duration::from_secs(30));
    assert_eq!(next(&mut house), TextOutput::Closes { session: second });
    let outcomes =
        house.kinds().filter_map(|kind| if let FactKind::OfferEnded { outcome, .. } = kind { Some(*outcome) } else { None });
    assert_eq!(outcomes.collect::<Vec<_>>()[..2], [OfferOutcome::Refused, OfferOutcome::TimedOut]);
    // What is said of a session that is gone is nothing.
    room_says(&mut house, TextInput::Takes { session: second });
    room_says(&mut house, TextInput::Writes { session: first, text: "late".into() });
    house.audit();
    room_says(&mut house, TextInput::Leaves { session: writer });
    let left = house
        .kinds()
        .any(|kind| matches!(kind, FactKind::Left { outcome: QueueOutcome::Abandoned | QueueOutcome::ShortAbandoned, .. }));
    assert!(left);
    house.audit();
}

#[test]
fn an_agent_ends_a_chat_and_who_finds_no_room_is_told_so() {
    let mut settings = a_call_and_two_chats(1);
    (settings.limits.contacts, settings.limits.emergency_contacts) = (2, 0);
    let mut house = House::new(settings);
    becomes(&mut house, 0, AgentCommand::Break(BreakReason::Asked));
    let writers = [arrives(&mut house, "1"), arrives(&mut house, "2")];
    let refused = |house: &mut House, to: &str| {
        room_says(house, TextInput::Arrives { origin: "x".into(), from: "lee".into(), to: to.into() });
        next(house)
    };
    assert_eq!(refused(&mut house, "chats"), TextOutput::Refused { origin: "x".into(), why: TurnedAway::Full });
    // A queue for calls is none for text.
    for to in ["q", "nowhere"] {
        assert_eq!(refused(&mut house, to), TextOutput::Refused { origin: "x".into(), why: TurnedAway::Unknown });
    }
    // Somebody writes a great deal while nobody reads: the newest is kept.
    for n in 0..100 {
        writes(&mut house, writers[0], &format!("{n}"));
    }
    becomes(&mut house, 0, AgentCommand::Ready);
    let (session, _) = offered(&mut house);
    room_says(&mut house, TextInput::Takes { session });
    let texts: Vec<String> = house
        .texts
        .iter()
        .filter_map(|output| if let TextOutput::Writes { text, .. } = output { Some(text.to_string()) } else { None })
        .collect();
    assert_eq!((texts.len(), texts.first().map(String::as_str), texts.last().map(String::as_str)), (64, Some("36"), Some("99")));
    // A text that is too long is cut between two characters.
    house.texts.clear();
    writes(&mut house, session, &"수".repeat(5_000));
    let Some(TextOutput::Writes { text, .. }) = house.texts.pop_front() else { panic!("it is shown") };
    assert_eq!((text.len(), text.chars().count()), (4_095, 1_365));
    room_says(&mut house, TextInput::Leaves { session });
    assert!(house.texts.contains(&TextOutput::Closes { session: writers[0] }), "the agent has ended it");
    assert_eq!(ended(&house).last().map(|(by, ..)| *by), Some(EndedBy::Agent));
    house.input(Input::EndAll);
    assert!(house.texts.contains(&TextOutput::Closes { session: writers[1] }));
    assert_ne!(house.agent_state(0), AgentState::Talking);
    house.audit();
}

/// Who writes needs no ports: however many there are, a caller is not refused for want of them.
#[test]
fn chats_take_no_ports_from_calls() {
    let mut house = House::new(a_call_and_two_chats(1));
    becomes(&mut house, 0, AgentCommand::Break(BreakReason::Asked));
    for n in 0..30 {
        arrives(&mut house, &n.to_string());
    }
    becomes(&mut house, 0, AgentCommand::Ready);
    house.from(CALLER, &Request::invite("a").text());
    picks_up(&mut house, 0);
    house.audit();
}

/// An agent whose desk goes away with an offer on it does not take it: another is asked at once.
#[test]
fn who_leaves_an_offer_does_not_take_it() {
    let mut house = House::new(a_call_and_two_chats(2));
    arrives(&mut house, "1");
    let (session, first) = offered(&mut house);
    room_says(&mut house, TextInput::Leaves { session });
    assert_eq!(next(&mut house), TextOutput::Closes { session });
    let (_, second) = offered(&mut house);
    assert_ne!(first, second);
    house.audit();
}
