//! Agencies that lend their agents to others, and keep some for their own callers.

use std::time::Duration;

use super::super::{AgentCommand, Settings};
use super::house::{CALLER, House, Request, answer, becomes, calls, desk_phone, hangs_up, picks_up, settings};
use crate::acd::loan::Lending;
use crate::acd::queue::WhenEmpty;
use crate::acd::queue::tests::plain as plain_queue;
use crate::base::words::{AgentState, BreakReason};
use crate::base::{AgencyId, QueueId, Weighed};
use crate::call::trunk::NumberTarget;
use crate::report::FactKind;

/// Agency 1 owns the agents and the queue behind 121; the queue behind 120 is another's, and may borrow them.
fn two_agencies(agents: u32, lends: Lending) -> Settings {
    let mut settings = settings(agents);
    settings.agencies.push(settings.agencies[0].clone());
    for agent in settings.directory.agents.iter_mut().flatten() {
        agent.agency = AgencyId(1);
    }
    let mut own = plain_queue("own", &[], &[0]);
    own.agency = AgencyId(1);
    settings.directory.queues.push(Some(own));
    settings.directory.lending = vec![None, Some(lends)];
    let trunk = settings.trunks[0].as_mut().unwrap();
    trunk.numbers.push(("121".into(), NumberTarget::Queue(QueueId(1))));
    settings
}

fn lends(at_most: u32) -> Lending {
    Lending { at_most, own_percent: 0 }
}

fn on_loan(house: &House) -> (u32, u32) {
    house.engine.matcher.audited().on_loan(AgencyId(1)).unwrap()
}

fn states(house: &House, agents: u32) -> Vec<AgentState> {
    (0..agents).map(|agent| house.agent_state(agent)).collect()
}

fn weighed_last(house: &House) -> Weighed {
    let weighed = house.kinds().filter_map(|kind| match kind {
        FactKind::Entered { weighed, .. } => Some(*weighed),
        _ => None,
    });
    weighed.last().unwrap()
}

/// The caller hangs up, and the phone of its agent hears so.
fn over(house: &mut House, call_id: &str, tag: &str, agent: u32) {
    hangs_up(house, call_id, tag);
    let bye = house.next_to(&desk_phone(agent));
    house.from(&desk_phone(agent), &answer(&bye, 200, ""));
}

#[test]
fn no_more_are_lent_than_may_be_and_one_comes_back_for_the_next() {
    let mut house = House::alone(two_agencies(3, lends(1)));
    let first = calls(&mut house, "a");
    picks_up(&mut house, 0);
    assert_eq!(on_loan(&house), (1, 1));
    let second = calls(&mut house, "b");
    assert_eq!(states(&house, 3), [AgentState::Talking, AgentState::Ready, AgentState::Ready], "the others are kept");
    let weighed = weighed_last(&house);
    assert_eq!((weighed.lent, weighed.kept, weighed.free), (1, 2, 0));

    // Their own callers have them.
    let own = house.calls_number("c", "121");
    picks_up(&mut house, 1);
    assert_eq!(states(&house, 3), [AgentState::Talking, AgentState::Talking, AgentState::Ready]);

    // The first loan ends on a break, and another agent has the right at once.
    becomes(&mut house, 0, AgentCommand::Break(BreakReason::Asked));
    over(&mut house, "a", &first, 0);
    assert_eq!(states(&house, 3), [AgentState::Break, AgentState::Talking, AgentState::Ringing]);
    picks_up(&mut house, 2);
    assert_eq!(on_loan(&house), (1, 1));
    house.audit();
    over(&mut house, "b", &second, 2);
    over(&mut house, "c", &own, 1);
    assert_eq!(on_loan(&house), (0, 1));
    house.assert_empty();
}

#[test]
fn nobody_is_lent_while_a_caller_of_their_own_waits() {
    let mut house = House::new(two_agencies(1, lends(1)));
    becomes(&mut house, 0, AgentCommand::Break(BreakReason::Asked));
    let foreign = calls(&mut house, "a");
    house.pass(Duration::from_secs(30));
    let own = house.calls_number("b", "121");
    becomes(&mut house, 0, AgentCommand::Ready);
    picks_up(&mut house, 0);
    let waits = |house: &House| [0, 1].map(|queue| house.engine.matcher.audited().waiting(QueueId(queue)));
    assert_eq!(waits(&house), [1, 0], "the own caller, who came later");
    over(&mut house, "b", &own, 0);
    assert_eq!(on_loan(&house), (1, 1), "then the other");
    picks_up(&mut house, 0);
    assert_eq!(waits(&house), [0, 0]);
    over(&mut house, "a", &foreign, 0);
    house.assert_empty();
}

#[test]
fn a_share_is_kept_of_those_who_are_signed_in() {
    let mut house = House::new(two_agencies(4, Lending { at_most: 100, own_percent: 50 }));
    for agent in 1..4 {
        becomes(&mut house, agent, AgentCommand::SignOut);
    }
    let tags: Vec<String> = ["a", "b", "c"].map(|id| calls(&mut house, id)).to_vec();
    assert_eq!((on_loan(&house), house.agent_state(0)), ((0, 0), AgentState::Ready), "the only one is kept");
    becomes(&mut house, 1, AgentCommand::Ready);
    assert_eq!(on_loan(&house), (1, 1), "of two one is lent");
    becomes(&mut house, 2, AgentCommand::Ready);
    assert_eq!(on_loan(&house), (1, 1), "of three one");
    becomes(&mut house, 3, AgentCommand::Ready);
    assert_eq!(on_loan(&house), (2, 2));
    house.audit();

    // A reload that lends no more takes nobody out of a ring, and lends nobody else.
    house.reload(Settings { version: 2, ..two_agencies(4, lends(0)) });
    assert_eq!(on_loan(&house), (2, 0));
    house.reload(Settings { version: 3, ..two_agencies(4, lends(3)) });
    assert_eq!(on_loan(&house), (3, 3), "one that lends more does so at once");
    for (id, tag) in ["a", "b", "c"].iter().zip(&tags) {
        hangs_up(&mut house, id, tag);
    }
    house.assert_empty();
    assert_eq!(on_loan(&house).0, 0);
}

#[test]
fn who_is_never_lent_is_nobody_for_others_to_wait_for() {
    let mut settings = two_agencies(1, lends(0));
    settings.directory.queues[0].as_mut().unwrap().join_empty = WhenEmpty::Goodbye;
    let mut house = House::new(settings.clone());
    house.from(CALLER, &Request::invite("a").text());
    assert_eq!(house.next_to(CALLER).status(), Some(480), "nobody is there");
    settings.directory.lending[1] = Some(lends(1));
    let mut house = House::new(settings);
    calls(&mut house, "a");
    assert!(house.kinds().any(|kind| matches!(kind, FactKind::Entered { .. })));
}

#[test]
fn nobody_is_kept_from_an_emergency() {
    let mut settings = two_agencies(1, lends(0));
    settings.directory.queues[0].as_mut().unwrap().emergency = true;
    let mut house = House::new(settings);
    let tag = calls(&mut house, "a");
    picks_up(&mut house, 0);
    assert_eq!(on_loan(&house), (0, 0), "nor is it a loan");
    over(&mut house, "a", &tag, 0);
    house.assert_empty();
}
