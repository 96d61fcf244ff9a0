//! Queues that ring several agents at once.

use std::time::Duration;

use super::super::{AgentCommand, Settings};
use super::house::{House, Sent, answer, becomes, calls, desk_phone, hangs_up, picks_up, sdp, settings};
use crate::base::words::{AgentState, BreakReason, OfferOutcome};
use crate::report::FactKind;
use crate::sip::Name;

fn ringing(agents: u32, several: u8) -> Settings {
    let mut settings = settings(agents);
    let queue = settings.directory.queues[0].as_mut().unwrap();
    (queue.ring_several, queue.ring_timeout) = (several, Duration::from_secs(20));
    settings
}

/// Which of so many phones have been sent anything.
fn rung(house: &House, agents: u32) -> Vec<u32> {
    (0..agents).filter(|agent| !house.nothing_to(&desk_phone(*agent))).collect()
}

/// The INVITE that each phone got.
fn invites(house: &mut House, agents: u32) -> Vec<Sent> {
    let invites: Vec<Sent> = (0..agents).map(|agent| house.next_to(&desk_phone(agent))).collect();
    assert!(invites.iter().all(|invite| invite.method().as_deref() == Some("INVITE")));
    invites
}

/// The phone lets go of a ring that was cancelled; the CANCEL.
fn stops(house: &mut House, agent: u32, invite: &Sent) -> Sent {
    let phone = desk_phone(agent);
    let cancel = house.next_to(&phone);
    assert_eq!(cancel.method().as_deref(), Some("CANCEL"));
    house.from(&phone, &answer(&cancel, 200, ""));
    house.from(&phone, &answer(invite, 487, ""));
    assert_eq!(house.next_to(&phone).method().as_deref(), Some("ACK"));
    cancel
}

fn outcomes(house: &House) -> Vec<(u32, OfferOutcome)> {
    let ended = house.kinds().filter_map(|kind| match kind {
        FactKind::OfferEnded { agent, outcome, .. } => Some((agent.0, *outcome)),
        _ => None,
    });
    ended.collect()
}

fn all_rest(house: &mut House, agents: u32) {
    for agent in 0..agents {
        becomes(house, agent, AgentCommand::Break(BreakReason::Asked));
    }
}

fn all_ring(house: &mut House, agents: u32, invites: &[Sent]) {
    for agent in 0..agents {
        house.from(&desk_phone(agent), &answer(&invites[agent as usize], 180, ""));
    }
}

#[test]
fn the_first_to_answer_has_the_caller_and_the_others_have_missed_nothing() {
    let mut house = House::new(ringing(3, 3));
    let tag = calls(&mut house, "a");
    let invites = invites(&mut house, 3);
    all_ring(&mut house, 3, &invites);
    assert!((0..3).all(|agent| house.agent_state(agent) == AgentState::Ringing));
    house.from(&desk_phone(1), &answer(&invites[1], 200, &sdp("203.0.113.2", 40000, "sendrecv")));
    assert_eq!(house.next_to(&desk_phone(1)).method().as_deref(), Some("ACK"));
    for agent in [0, 2] {
        let cancel = stops(&mut house, agent, &invites[agent as usize]);
        assert_eq!(cancel.header(Name::Reason), "SIP;cause=200;text=\"Call completed elsewhere\"");
        assert_eq!(house.agent_state(agent), AgentState::Ready);
    }
    assert_eq!(house.agent_state(1), AgentState::Talking);
    let mut ended = outcomes(&house);
    ended.sort_by_key(|(agent, _)| *agent);
    assert_eq!(ended, [(0, OfferOutcome::Withdrawn), (1, OfferOutcome::Accepted), (2, OfferOutcome::Withdrawn)]);
    house.audit();

    // Two are left for the next caller, who has both.
    let next = calls(&mut house, "b");
    assert_eq!(rung(&house, 3), [0, 2]);
    hangs_up(&mut house, "b", &next);
    hangs_up(&mut house, "a", &tag);
    house.assert_empty();
}

#[test]
fn two_answers_at_once_and_one_has_the_caller() {
    let mut house = House::new(ringing(2, 2));
    calls(&mut house, "a");
    let invites = invites(&mut house, 2);
    all_ring(&mut house, 2, &invites);
    for agent in [1, 0] {
        let body = sdp(&format!("203.0.113.{}", agent + 1), 40000, "sendrecv");
        house.from(&desk_phone(agent), &answer(&invites[agent as usize], 200, &body));
    }
    assert_eq!(house.next_to(&desk_phone(1)).method().as_deref(), Some("ACK"));
    let to_loser: Vec<Option<String>> = (0..3).map(|_| house.next_to(&desk_phone(0)).method()).collect();
    assert_eq!(to_loser, ["CANCEL", "ACK", "BYE"].map(|method| Some(method.to_owned())));
    assert_eq!(house.agent_state(1), AgentState::Talking);
    let accepted = outcomes(&house).into_iter().filter(|(_, outcome)| *outcome == OfferOutcome::Accepted);
    assert_eq!(accepted.collect::<Vec<_>>(), [(1, OfferOutcome::Accepted)]);
    house.audit();
}

#[test]
fn one_who_refuses_does_not_stop_the_others() {
    let mut house = House::alone(ringing(3, 2));
    calls(&mut house, "a");
    assert_eq!(rung(&house, 3), [0, 1]);
    let invites = invites(&mut house, 2);
    all_ring(&mut house, 2, &invites);
    house.from(&desk_phone(0), &answer(&invites[0], 486, ""));
    assert_eq!(house.next_to(&desk_phone(0)).method().as_deref(), Some("ACK"));
    assert_eq!(house.agent_state(0), AgentState::Break);
    assert_eq!((house.agent_state(1), rung(&house, 3)), (AgentState::Ringing, vec![2]), "another is rung in that one's stead");
    house.audit();
    picks_up(&mut house, 2);
    assert_eq!(house.agent_state(2), AgentState::Talking);
    stops(&mut house, 1, &invites[1]);
    assert_eq!(house.agent_state(1), AgentState::Ready);
}

#[test]
fn a_further_ring_takes_nobody_whom_another_caller_needs() {
    let mut house = House::new(ringing(3, 2));
    all_rest(&mut house, 3);
    let first = calls(&mut house, "a");
    house.pass(Duration::from_secs(3));
    let second = calls(&mut house, "b");
    let mut whose = Vec::new();
    for agent in 0..3 {
        becomes(&mut house, agent, AgentCommand::Ready);
        let offered = house.facts.iter().rev().find(|fact| matches!(fact.kind, FactKind::Offered { .. })).unwrap();
        whose.push(offered.contact.unwrap());
    }
    assert!(whose[0] != whose[1], "each caller has somebody");
    assert_eq!(whose[2], whose[0], "then the first has one more");
    house.audit();
    hangs_up(&mut house, "a", &first);
    hangs_up(&mut house, "b", &second);
    let withdrawn = outcomes(&house).into_iter().filter(|(_, outcome)| *outcome == OfferOutcome::Withdrawn).count();
    assert_eq!(withdrawn, 3);
    house.assert_empty();
}

#[test]
fn each_ring_has_a_time_of_its_own() {
    let mut house = House::new(ringing(2, 2));
    becomes(&mut house, 1, AgentCommand::Break(BreakReason::Asked));
    let tag = calls(&mut house, "a");
    house.pass(Duration::from_secs(8));
    becomes(&mut house, 1, AgentCommand::Ready);
    assert_eq!(rung(&house, 2), [0, 1]);
    house.pass(Duration::from_secs(13));
    assert_eq!(outcomes(&house), [(0, OfferOutcome::TimedOut)]);
    house.pass(Duration::from_secs(8));
    assert_eq!(outcomes(&house), [(0, OfferOutcome::TimedOut), (1, OfferOutcome::TimedOut)]);
    house.audit();
    hangs_up(&mut house, "a", &tag);
    house.assert_empty();
}

#[test]
fn further_rings_come_and_go_with_the_directory() {
    let mut house = House::new(ringing(3, 3));
    all_rest(&mut house, 3);
    let tag = calls(&mut house, "a");
    for (version, several, expected) in [(2, 1, 1), (3, 2, 2)] {
        house.reload(Settings { version, ..ringing(3, several) });
        for agent in 0..3 {
            becomes(&mut house, agent, AgentCommand::Ready);
        }
        assert_eq!(rung(&house, 3).len(), expected, "of {several} at once");
        house.audit();
        for agent in 0..3 {
            if house.agent_state(agent) == AgentState::Ringing {
                let invite = house.next_to(&desk_phone(agent));
                house.from(&desk_phone(agent), &answer(&invite, 486, ""));
                house.next_to(&desk_phone(agent));
            }
        }
        all_rest(&mut house, 3);
        house.sent.clear();
    }
    hangs_up(&mut house, "a", &tag);
    house.assert_empty();
}
