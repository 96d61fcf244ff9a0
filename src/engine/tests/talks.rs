//! Talks of three, and legs that go from one talk to another: at one shard, and across two.

use std::time::Duration;

use super::super::legs::session_of;
use super::super::media_port::{Feed, Peers};
use super::super::talks::{HeardBy, Place, Talker, goes_to, talkers};
use super::super::{Input, Settings};
use super::calls::{ended, late};
use super::house::{CALLER, House, Request, answer, becomes, desk_phone, sdp, settings, tag_of};
use super::shards::exchange;
use crate::base::words::{AgentState, BreakReason, EndedBy, Repair};
use crate::base::{AgentId, EndpointId};
use crate::call::leg::Role;
use crate::engine::AgentCommand;
use crate::report::FactKind;

const OTHER: &str = "192.0.2.8:5060";

/// A caller from this address talks to this agent, the only one who is ready. The caller's tag, and the agent's INVITE's.
fn talks(house: &mut House, from: &str, call_id: &str, agent: u32) -> (String, String) {
    house.from(from, &Request { from, ..Request::invite(call_id) }.text());
    let phone = desk_phone(agent);
    let invite = house.next_to(&phone);
    assert_eq!(invite.method().as_deref(), Some("INVITE"));
    house.from(&phone, &answer(&invite, 200, &sdp("203.0.113.1", 40_000, "sendrecv")));
    while house.next_to(&phone).method().as_deref() != Some("ACK") {}
    let ok = loop {
        let sent = house.next_to(from);
        if sent.status() == Some(200) {
            break sent;
        }
    };
    let tag = tag_of(&ok);
    house.from(from, &Request { from, to_tag: Some(&tag), branch: "ack", ..Request::new("ACK", call_id, 1) }.text());
    (tag, invite.message().from().unwrap().tag().unwrap_or_default().to_owned())
}

/// What an endpoint hears now.
fn hears(houses: &[&House], endpoint: EndpointId) -> Feed {
    let mut fed = houses.iter().flat_map(|house| &house.feeds).filter(|(fed, _)| *fed == endpoint);
    fed.next_back().map(|(_, feed)| feed.clone()).expect("it is fed")
}

fn peers(of: &[EndpointId]) -> Feed {
    let mut peers: Vec<EndpointId> = of.to_vec();
    peers.sort_unstable();
    Feed::Peers(peers.into_iter().collect())
}

fn sorted(feed: Feed) -> Feed {
    let Feed::Peers(mut peers) = feed else { return feed };
    peers.sort_unstable();
    Feed::Peers(peers)
}

/// Asserts what each of these hears.
fn assert_hear(houses: &[&House], who: &[(EndpointId, &[EndpointId])]) {
    for (endpoint, whom) in who {
        assert_eq!(sorted(hears(houses, *endpoint)), peers(whom));
    }
}

/// A party of a talk that has this role, and the endpoint of its talk's caller.
fn of_agent(house: &House, agent: u32) -> Talker {
    let is = |talker: &Talker| {
        let legs: Vec<_> = house.engine.legs.views().collect();
        legs.iter().any(|leg| leg.key == talker.leg && leg.role == Role::Agent(AgentId(agent)))
    };
    talkers(&house.engine).into_iter().find(is).expect("the agent talks")
}

fn endpoint_of_caller(house: &House, of: &Talker) -> EndpointId {
    let caller = house.engine.legs.views().find(|leg| leg.contact == of.contact.key && leg.role == Role::Caller);
    caller.expect("the caller is there").key.endpoint()
}

fn place(heard_by: HeardBy) -> Place {
    Place { heard_by, aside: false }
}

/// Agent 0 talks to one caller, agent 1 to another, at one shard. The tags of all four dialogs.
fn two_talks(settings: Settings) -> (House, [(String, String); 2]) {
    let mut house = House::alone(late(settings));
    house.lease(16);
    becomes(&mut house, 1, AgentCommand::Break(BreakReason::Asked));
    let first = talks(&mut house, CALLER, "a", 0);
    becomes(&mut house, 1, AgentCommand::Ready);
    let second = talks(&mut house, OTHER, "b", 1);
    house.audit();
    (house, [first, second])
}

#[test]
fn a_third_party_comes_and_goes() {
    let (mut house, [(tag, _), _]) = two_talks(settings(2));
    let (zero, one) = (of_agent(&house, 0), of_agent(&house, 1));
    let caller = endpoint_of_caller(&house, &zero);
    let (at_zero, at_one) = (zero.endpoint(), one.endpoint());
    house.input(Input::Letter(goes_to(&one, &zero, place(HeardBy::All))));
    assert_hear(&[&house], &[(caller, &[at_zero, at_one]), (at_zero, &[caller, at_one]), (at_one, &[caller, at_zero])]);
    // The other caller has nobody any more.
    assert_eq!(house.next_to(OTHER).method().as_deref(), Some("BYE"));
    assert_eq!(ended(&house).last().map(|(by, ..)| *by), Some(EndedBy::Agent));
    assert_eq!((house.agent_state(0), house.agent_state(1)), (AgentState::Talking, AgentState::Busy));
    assert!(house.kinds().any(|kind| matches!(kind, FactKind::LegMoved { leg: 2, .. })));
    let began =
        house.kinds().filter_map(|kind| if let FactKind::LegBegan { leg, role, .. } = kind { Some((*leg, *role)) } else { None });
    assert_eq!(began.last(), Some((3, crate::base::words::LegRole::Agent)), "it has a number among its new contact's legs");
    house.audit();
    // The third holds: the others hear each other as two do.
    let hold = sdp("203.0.113.1", 40_000, "sendonly");
    let within = |method: &str, cseq: u32, body: &str| in_dialog(&house, &one, method, cseq, body);
    let (holds, resumes, bye) =
        (within("INVITE", 5, &hold), within("INVITE", 6, &sdp("203.0.113.1", 40_000, "sendrecv")), within("BYE", 7, ""));
    house.from(&desk_phone(1), &holds);
    assert_hear(&[&house], &[(caller, &[at_zero]), (at_zero, &[caller])]);
    assert_eq!(hears(&[&house], at_one), Feed::Nothing);
    house.from(&desk_phone(1), &resumes);
    assert_hear(&[&house], &[(caller, &[at_zero, at_one]), (at_one, &[caller, at_zero])]);
    // It leaves.
    house.from(&desk_phone(1), &bye);
    assert_hear(&[&house], &[(caller, &[at_zero]), (at_zero, &[caller])]);
    assert_eq!(house.agent_state(1), AgentState::Ready);
    house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text());
    house.audit();
}

/// A request of a desk phone's within the dialog of an agent's leg.
fn in_dialog(house: &House, talker: &Talker, method: &str, cseq: u32, body: &str) -> String {
    let session = session_of(&house.engine.legs, talker.leg).expect("a session");
    let (call_id, tag) = (house.engine.sessions.call_id(session).expect("a dialog"), session.tag());
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:x@198.51.100.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.2:5060;branch=z9hG4bK{call_id}{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:agent@city.example>;tag=phone\r\nTo: <sip:x@city.example>;tag={tag}\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:agent@203.0.113.2:5060>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// An agent who goes on in another talk is busy by it, and does not wrap up meanwhile.
#[test]
fn a_guest_does_not_wrap_up() {
    let mut with_wrap_up = settings(2);
    with_wrap_up.directory.queues[0].as_mut().unwrap().wrap_up = Duration::from_secs(10);
    let (mut house, _) = two_talks(with_wrap_up);
    let (zero, one) = (of_agent(&house, 0), of_agent(&house, 1));
    house.input(Input::Letter(goes_to(&one, &zero, place(HeardBy::All))));
    assert_eq!(house.agent_state(1), AgentState::Busy);
    let bye = in_dialog(&house, &one, "BYE", 5, "");
    house.from(&desk_phone(1), &bye);
    assert_eq!(house.agent_state(1), AgentState::Ready);
    house.audit();
}

#[test]
fn a_whisper_is_heard_by_the_agent_alone() {
    let (mut house, _) = two_talks(settings(2));
    let (zero, one) = (of_agent(&house, 0), of_agent(&house, 1));
    let caller = endpoint_of_caller(&house, &zero);
    house.input(Input::Letter(goes_to(&one, &zero, place(HeardBy::Agents))));
    let (at_zero, at_one) = (zero.endpoint(), one.endpoint());
    assert_hear(&[&house], &[(caller, &[at_zero]), (at_zero, &[caller, at_one]), (at_one, &[caller, at_zero])]);
    // The agent leaves. Whom the caller never heard is no reason to stay.
    let bye = in_dialog(&house, &zero, "BYE", 5, "");
    house.from(&desk_phone(0), &bye);
    assert_eq!(house.next_to(CALLER).method().as_deref(), Some("BYE"));
    house.audit();
}

#[test]
fn who_is_left_goes_on_with_the_caller() {
    let (mut house, _) = two_talks(settings(2));
    let (zero, one) = (of_agent(&house, 0), of_agent(&house, 1));
    let caller = endpoint_of_caller(&house, &zero);
    house.input(Input::Letter(goes_to(&one, &zero, place(HeardBy::All))));
    let bye = in_dialog(&house, &zero, "BYE", 5, "");
    house.from(&desk_phone(0), &bye);
    assert_hear(&[&house], &[(caller, &[one.endpoint()]), (one.endpoint(), &[caller])]);
    assert!(house.nothing_to(CALLER) && house.agent_state(0) != AgentState::Talking);
    let talked = house.kinds().filter_map(|kind| if let FactKind::TalkEnded { agent, .. } = kind { *agent } else { None });
    assert_eq!(talked.last(), Some(AgentId(0)));
    // The guest ends the talk in the agent's own name.
    let bye = in_dialog(&house, &one, "BYE", 5, "");
    house.from(&desk_phone(1), &bye);
    assert_eq!(house.next_to(CALLER).method().as_deref(), Some("BYE"));
    assert_eq!(ended(&house).last().map(|(by, ..)| *by), Some(EndedBy::Agent));
    house.audit();
}

/// Agent 0 talks at the first shard, agent 1 at the second.
fn talks_at_two_shards() -> ([House; 2], [(String, String); 2]) {
    let mut houses = super::shards::two_shards(late(settings(2)));
    houses.iter_mut().for_each(|house| house.lease(16));
    becomes(&mut houses[1], 1, AgentCommand::Break(BreakReason::Asked));
    becomes(&mut houses[0], 0, AgentCommand::Ready);
    exchange(&mut houses);
    let first = talks(&mut houses[0], CALLER, "a", 0);
    becomes(&mut houses[1], 1, AgentCommand::Ready);
    exchange(&mut houses);
    let second = talks(&mut houses[1], OTHER, "b", 1);
    exchange(&mut houses);
    (houses, [first, second])
}

#[test]
fn a_leg_of_another_shard_takes_part_and_ends_with_its_contact() {
    let (mut houses, [(tag, _), _]) = talks_at_two_shards();
    let (zero, one) = (of_agent(&houses[0], 0), of_agent(&houses[1], 1));
    let caller = endpoint_of_caller(&houses[0], &zero);
    houses[1].input(Input::Letter(goes_to(&one, &zero, place(HeardBy::All))));
    exchange(&mut houses);
    let (at_zero, at_one) = (zero.endpoint(), one.endpoint());
    let both = [&houses[0], &houses[1]];
    assert_hear(&both, &[(caller, &[at_zero, at_one]), (at_zero, &[caller, at_one]), (at_one, &[caller, at_zero])]);
    assert_eq!(houses[1].next_to(OTHER).method().as_deref(), Some("BYE"));
    assert_eq!(houses[1].agent_state(1), AgentState::Busy);
    // Its contact says that it is there.
    for _ in 0..10 {
        houses.iter_mut().for_each(|house| house.pass(Duration::from_secs(10)));
        exchange(&mut houses);
    }
    assert!(houses.iter().all(|house| house.kinds().all(|kind| !matches!(kind, FactKind::Repaired { .. }))));
    houses[0].from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text());
    exchange(&mut houses);
    let phone = desk_phone(1);
    let bye = loop {
        let sent = houses[1].next_to(&phone);
        if sent.method().as_deref() == Some("BYE") {
            break sent;
        }
    };
    houses[1].from(&phone, &answer(&bye, 200, ""));
    exchange(&mut houses);
    assert_eq!(houses[1].agent_state(1), AgentState::Ready);
}

#[test]
fn a_leg_whose_contact_says_nothing_ends_by_itself() {
    let (mut houses, _) = talks_at_two_shards();
    let (zero, one) = (of_agent(&houses[0], 0), of_agent(&houses[1], 1));
    houses[1].input(Input::Letter(goes_to(&one, &zero, place(HeardBy::All))));
    exchange(&mut houses);
    let phone = desk_phone(1);
    while !houses[1].nothing_to(&phone) {
        houses[1].next_to(&phone);
    }
    // The other shard stands still.
    houses[1].pass(Duration::from_secs(29));
    assert!(houses[1].nothing_to(&phone));
    houses[1].pass(Duration::from_secs(2));
    assert_eq!(houses[1].next_to(&phone).method().as_deref(), Some("BYE"));
    let repaired = |kind: &FactKind| matches!(kind, FactKind::Repaired { kind: Repair::Forsaken });
    assert_eq!(houses[1].kinds().filter(|kind| repaired(kind)).count(), 1);
    // When that goes on, it hears of it.
    houses[0].pass(Duration::from_secs(31));
    exchange(&mut houses);
    let caller = endpoint_of_caller(&houses[0], &zero);
    assert_hear(&[&houses[0]], &[(caller, &[zero.endpoint()])]);
}

/// However often a party holds and resumes: a shard that reads nothing is told so much, and the newest when it reads.
#[test]
fn what_a_far_leg_is_told_is_bounded() {
    let (mut houses, _) = talks_at_two_shards();
    let (zero, one) = (of_agent(&houses[0], 0), of_agent(&houses[1], 1));
    houses[1].input(Input::Letter(goes_to(&one, &zero, place(HeardBy::All))));
    exchange(&mut houses);
    for cseq in 0..200 {
        let direction = if cseq % 2 == 0 { "sendonly" } else { "sendrecv" };
        let offer = in_dialog(&houses[0], &zero, "UPDATE", 10 + cseq, &sdp("203.0.113.1", 40_000, direction));
        houses[0].from(&desk_phone(0), &offer);
    }
    let told: usize = houses[0].letters.iter().map(|(_, letter)| letter.0.len()).sum();
    assert!((1..40).contains(&told), "{told} things are unread");
    exchange(&mut houses);
    let caller = endpoint_of_caller(&houses[0], &zero);
    assert_hear(&[&houses[1]], &[(one.endpoint(), &[caller, zero.endpoint()])]);
    let nobody = Peers::new();
    assert_ne!(hears(&[&houses[1]], one.endpoint()), Feed::Peers(nobody));
}
