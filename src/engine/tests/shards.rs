//! Two shards: a call at one, and an agent of the other. The simulation has all orders; here is what is to come of each.

use std::time::Duration;

use super::super::sabotage::Rule;
use super::super::{Input, Settings, audit};
use super::agent_calls::dial_as;
use super::calls::late;
use super::house::{CALLER, House, Request, answer, becomes, desk_phone, hangs_up, picks_up, sdp, settings, tag_of};
use crate::acd::agent_slots::Capacity;
use crate::base::words::{AgentState, BreakReason, Channel, OfferOutcome, Transport};
use crate::base::{ShardId, TrunkId};
use crate::call::trunk::Outbound;
use crate::engine::AgentCommand;
use crate::report::FactKind;

/// Agent 0 is of the first shard and has a break, agent 1 is of the second and ready.
pub(super) fn two_shards(settings: Settings) -> [House; 2] {
    let mut houses = House::with_shards(settings, 2);
    exchange(&mut houses);
    let (there, mut here) = (houses.pop().unwrap(), houses.pop().unwrap());
    becomes(&mut here, 0, AgentCommand::Break(BreakReason::Asked));
    let mut houses = [here, there];
    exchange(&mut houses);
    houses
}

/// Brings each shard what the other has to say, and what the matcher has woken, until they have nothing more.
pub(super) fn exchange(houses: &mut [House]) {
    loop {
        let letters: Vec<_> = houses.iter_mut().flat_map(|house| house.letters.drain(..)).collect();
        let quiet = letters.is_empty() && houses.iter().all(|house| !house.engine.has_wake_ups());
        for (ShardId(to), letter) in letters {
            houses[usize::from(to)].input(Input::Letter(letter));
        }
        houses.iter_mut().filter(|house| house.engine.has_wake_ups()).for_each(|house| house.input(Input::Time));
        if quiet {
            let engines: Vec<_> = houses.iter().map(|house| &house.engine).collect();
            return audit::audit(&engines, houses[0].now, |_| true).unwrap();
        }
    }
}

fn offers_ended(house: &House) -> Vec<OfferOutcome> {
    house.kinds().filter_map(|kind| if let FactKind::OfferEnded { outcome, .. } = kind { Some(*outcome) } else { None }).collect()
}

#[test]
fn an_agent_with_one_slot_is_rung_before_the_desk_is_heard() {
    let mut houses = two_shards(late(settings(2)));
    houses[0].from(CALLER, &Request::invite("a").text());
    // Nothing has passed between the shards.
    let invite = houses[0].next_to(&desk_phone(1));
    assert_eq!(invite.method().as_deref(), Some("INVITE"));
    exchange(&mut houses);
    assert_eq!(houses[1].agent_state(1), AgentState::Ringing);
    houses[0].from(&desk_phone(1), &answer(&invite, 200, &sdp("203.0.113.2", 4000, "sendrecv")));
    exchange(&mut houses);
    assert_eq!(houses[1].agent_state(1), AgentState::Talking);
    let tag = tag_of(&houses[0].next_to(CALLER));
    hangs_up(&mut houses[0], "a", &tag);
    while houses[0].next_to(&desk_phone(1)).method().as_deref() != Some("BYE") {}
    exchange(&mut houses);
    assert_eq!(houses[1].agent_state(1), AgentState::Ready, "the desk hears of the end");
}

#[test]
fn a_desk_that_declines_is_rung_no_more_and_the_caller_keeps_the_place() {
    let mut houses = two_shards(late(settings(2)));
    houses[0].from(CALLER, &Request::invite("a").text());
    let invite = houses[0].next_to(&desk_phone(1));
    houses[0].from(&desk_phone(1), &answer(&invite, 180, ""));
    // The agent takes a break before the desk hears of the call.
    becomes(&mut houses[1], 1, AgentCommand::Break(BreakReason::Asked));
    exchange(&mut houses);
    assert_eq!(houses[0].next_to(&desk_phone(1)).method().as_deref(), Some("CANCEL"));
    assert_eq!(offers_ended(&houses[0]), [OfferOutcome::Withdrawn], "the agent has not let it ring");
    houses[0].from(&desk_phone(1), &answer(&invite, 487, ""));
    exchange(&mut houses);
    let reason =
        |kind: &FactKind| if let FactKind::Agent { to: (state, reason), .. } = kind { Some((*state, *reason)) } else { None };
    assert_eq!(houses[1].kinds().filter_map(reason).last(), Some((AgentState::Break, Some(BreakReason::Asked))));
    // Who came later does not go before it.
    houses[0].from("192.0.2.8:5060", &Request { from: "192.0.2.8:5060", ..Request::invite("b") }.text());
    becomes(&mut houses[0], 0, AgentCommand::Ready);
    picks_up(&mut houses[0], 0);
    exchange(&mut houses);
    while houses[0].next_to(CALLER).status() != Some(200) {}
}

#[test]
fn a_desk_with_several_slots_agrees_before_anybody_is_rung() {
    let mut several = late(settings(2));
    for agent in several.directory.agents.iter_mut().flatten() {
        agent.capacity = Capacity::of([Capacity::load(&[(Channel::Voice, 1)]), Capacity::load(&[(Channel::Chat, 2)])]);
    }
    let mut houses = two_shards(several);
    houses[0].from(CALLER, &Request::invite("a").text());
    assert!(houses[0].nothing_to(&desk_phone(1)));
    exchange(&mut houses);
    let invite = houses[0].next_to(&desk_phone(1));
    assert_eq!((invite.method().as_deref(), houses[1].agent_state(1)), (Some("INVITE"), AgentState::Ringing));
    // What is let ring is missed like any other call.
    houses.iter_mut().for_each(|house| house.pass(Duration::from_secs(60)));
    exchange(&mut houses);
    assert_eq!(offers_ended(&houses[0]), [OfferOutcome::TimedOut]);
}

const NAT: &str = "198.18.0.9:61000";

/// A REGISTER of agent 1's phone.
fn register(cseq: u32, proof: &str) -> String {
    format!(
        "REGISTER sip:city.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKr{cseq};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:agent1@city.example>;tag=r\r\nTo: <sip:agent1@city.example>\r\nCall-ID: reg\r\nCSeq: {cseq} REGISTER\r\n\
         Contact: <sip:agent1@10.0.0.5>;expires=600\r\n{proof}Content-Length: 0\r\n\r\n"
    )
}

/// The phone registers at this shard, which answers so.
fn registers(house: &mut House) -> Option<u16> {
    house.from(NAT, &register(1, ""));
    let challenge = house.next_to(NAT);
    house.from(NAT, &register(2, &super::register::prove_as("agent1", &challenge, "secret1", 1)));
    house.next_to(NAT).status()
}

fn with_a_registered_phone() -> [House; 2] {
    let mut settings = late(settings(2));
    settings.accounts[1].as_mut().unwrap().fixed = None;
    two_shards(settings)
}

#[test]
fn a_registration_that_came_to_another_shard_comes_again() {
    let mut houses = with_a_registered_phone();
    assert_eq!(registers(&mut houses[0]), Some(503));
    assert_eq!(registers(&mut houses[1]), Some(200));
    exchange(&mut houses);
    // Now the phone is rung for a call at the other shard.
    houses[0].from(CALLER, &Request::invite("a").text());
    exchange(&mut houses);
    assert_eq!(houses[0].next_to(NAT).method().as_deref(), Some("INVITE"));
    assert_eq!(houses[1].agent_state(1), AgentState::Ringing);
}

#[test]
fn an_agent_whose_phone_another_shard_does_not_know_yet_is_rung_when_it_does() {
    let mut houses = with_a_registered_phone();
    houses[0].from(CALLER, &Request::invite("a").text());
    assert_eq!(registers(&mut houses[1]), Some(200));
    // The matcher is faster than the letter with the phone.
    houses[0].input(Input::Time);
    assert!(houses[0].nothing_to(NAT));
    exchange(&mut houses);
    houses[0].pass(Duration::from_millis(60));
    exchange(&mut houses);
    assert_eq!(houses[0].next_to(NAT).method().as_deref(), Some("INVITE"));
    assert_eq!((houses[1].agent_state(1), offers_ended(&houses[0])), (AgentState::Ringing, vec![]));
}

#[test]
fn an_agent_is_not_rung_for_a_call_of_the_agents_own() {
    let mut houses = two_shards(late(settings(2)));
    let phone = desk_phone(1);
    // It joins the queue before the agent's desk hears that the agent is busy.
    dial_as(&mut houses[0], (1, &phone), "own", "120");
    exchange(&mut houses);
    while !houses[0].nothing_to(&phone) {
        assert_ne!(houses[0].next_to(&phone).method().as_deref(), Some("INVITE"));
    }
    assert_eq!((houses[1].agent_state(1), offers_ended(&houses[0])), (AgentState::Busy, vec![]));
}

const OTHER_CALLER: &str = "192.0.2.8:5060";

/// A call comes to a shard from another phone of the carrier. Whether it is taken.
fn takes(house: &mut House, call_id: &str) -> bool {
    while !house.nothing_to(OTHER_CALLER) {
        house.next_to(OTHER_CALLER);
    }
    house.from(OTHER_CALLER, &Request { from: OTHER_CALLER, ..Request::invite(call_id) }.text());
    house.nothing_to(OTHER_CALLER) || house.next_to(OTHER_CALLER).status() != Some(503)
}

/// What a trunk may have at once, and in a second, it has at all shards together.
#[test]
fn a_trunks_calls_count_at_whichever_shard_they_are() {
    let mut capped = late(settings(2));
    capped.trunks[0].as_mut().unwrap().calls_max = 2;
    let mut houses = two_shards(capped);
    houses[0].from(CALLER, &Request::invite("a").text());
    assert!(takes(&mut houses[1], "b"));
    assert!(!takes(&mut houses[1], "c"));
    assert!(!takes(&mut houses[0], "d"));
    // One that is refused for what it offers keeps no room, nor does one that is over.
    exchange(&mut houses);
    houses[0].from(CALLER, &Request::new("CANCEL", "a", 1).text());
    exchange(&mut houses);
    let without_sdp = Request { body: String::new(), ..Request::invite("e") }.text();
    houses[0].from(CALLER, &without_sdp);
    assert!(takes(&mut houses[1], "f"));
    assert!(!takes(&mut houses[1], "g"));

    let mut slow = late(settings(2));
    slow.trunks[0].as_mut().unwrap().calls_per_second_max = 2;
    let mut houses = two_shards(slow);
    assert!(takes(&mut houses[0], "a"));
    assert!(takes(&mut houses[1], "b"));
    assert!(!takes(&mut houses[1], "c"));
    houses.iter_mut().for_each(|house| house.pass(Duration::from_millis(600)));
    assert!(takes(&mut houses[0], "d"));
    assert!(!takes(&mut houses[1], "e"));
}

#[test]
fn contacts_count_at_whichever_shard_they_are() {
    let mut few = late(settings(2));
    (few.limits.contacts, few.limits.emergency_contacts) = (3, 1);
    let mut houses = two_shards(few);
    assert!(takes(&mut houses[0], "a"));
    assert!(takes(&mut houses[1], "b"));
    assert!(!takes(&mut houses[0], "c") && !takes(&mut houses[1], "d"), "the third is for emergencies");
}

/// A trunk is probed by one shard, and all know what came of it.
#[test]
fn all_shards_know_of_a_trunk_that_does_not_answer() {
    let mut probed = settings(2);
    let trunk = probed.trunks[0].as_mut().unwrap();
    trunk.probe_every = Some(Duration::from_secs(30));
    let address = "192.0.2.9:5060";
    trunk.outbound = Some(Outbound {
        address: address.parse().unwrap(),
        transport: Transport::Udp,
        host: "carrier.example".into(),
        prefixes: Vec::new(),
        caller: "120".into(),
    });
    let mut houses = two_shards(probed.clone());
    houses.iter_mut().for_each(|house| house.pass(Duration::from_millis(1)));
    assert_eq!(houses[0].next_to(address).method().as_deref(), Some("OPTIONS"));
    assert!(houses[1].nothing_to(address), "one shard asks for all");
    houses.iter_mut().for_each(|house| house.pass(Duration::from_secs(40)));
    exchange(&mut houses);
    assert!(houses.iter().all(|house| !house.engine.contacts.trunks().is_up(TrunkId(0))));
    // No simulated day has trunks that are probed, for probes never end. Whoever is not told is noticed.
    let mut houses = two_shards(probed);
    houses[0].engine.take_out(Rule::TrunksToldOf);
    houses.iter_mut().for_each(|house| house.pass(Duration::from_secs(40)));
    let engines: Vec<_> = houses.iter().map(|house| &house.engine).collect();
    assert!(audit::audit(&engines, houses[0].now, |_| true).unwrap_err().contains("whether trunk 0 answers"));
}

/// A shard that reads nothing has no more to read than there is room for, and knows the newest when it has.
#[test]
fn what_a_shard_does_not_read_does_not_grow() {
    let mut houses = with_a_registered_phone();
    let most = (0..500).map(|_| {
        assert_eq!(registers(&mut houses[1]), Some(200));
        becomes(&mut houses[1], 1, AgentCommand::Ready);
        becomes(&mut houses[1], 1, AgentCommand::SignOut);
        houses[1].letters.len()
    });
    // Each letter says one thing, or two.
    assert!(most.max() <= Some(70));
    assert_eq!(registers(&mut houses[1]), Some(200));
    becomes(&mut houses[1], 1, AgentCommand::Ready);
    exchange(&mut houses);
    houses[0].from(CALLER, &Request::invite("a").text());
    exchange(&mut houses);
    assert_eq!(houses[0].next_to(NAT).method().as_deref(), Some("INVITE"));
}
