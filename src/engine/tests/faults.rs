//! Something concerns several at once: a fault with one of them loses none of the others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::super::{AgentCommand, Input, Settings};
use super::house::{CALLER, House, Request, becomes, desk_phone, settings};
use crate::base::PoolId;
use crate::base::words::{AgentState, BreakReason};
use crate::engine::sabotage::Moment;

/// Two callers wait for two agents who are ready, and may not serve them.
fn kept_apart() -> House {
    let mut house = House::alone(settings(2));
    for agent in 0..2 {
        becomes(&mut house, agent, AgentCommand::Break(BreakReason::Asked));
    }
    let mut apart = Settings { version: 2, ..settings(2) };
    apart.directory.agents.iter_mut().flatten().for_each(|agent| agent.pools = vec![PoolId(7)]);
    house.reload(apart);
    for agent in 0..2 {
        becomes(&mut house, agent, AgentCommand::Ready);
    }
    for call_id in ["a", "b"] {
        house.from(CALLER, &Request::invite(call_id).text());
        house.pass(Duration::from_secs(2));
    }
    assert!((0..2).all(|agent| house.nothing_to(&desk_phone(agent))));
    house
}

/// What is done ends in a panic, which is contained as a shard does it.
fn contained(house: &mut House, name: &str, what: impl FnOnce(&mut House)) {
    house.engine.panic_at(name, Moment::Before);
    let caught = catch_unwind(AssertUnwindSafe(|| what(house)));
    assert!(caught.is_err(), "{name}");
    house.engine.fault(house.now);
    house.input(Input::Time);
    house.pass(Duration::from_secs(1));
    house.audit();
}

/// A reload brings all of them together at once. What is handed on first panics; which phones ring in the end.
fn rung_after_a_panic_at(name: &str) -> Vec<u32> {
    let mut house = kept_apart();
    contained(&mut house, name, |house| house.reload(Settings { version: 3, ..settings(2) }));
    assert_eq!(house.engine.matcher.acknowledged(), 3, "the matcher is told, whatever happened meanwhile");
    (0..2).filter(|agent| !house.nothing_to(&desk_phone(*agent))).collect()
}

#[test]
fn a_fault_with_one_agent_keeps_no_other_from_ringing() {
    assert_eq!(rung_after_a_panic_at("to matcher: Settle"), [0, 1]);
}

#[test]
fn a_fault_with_one_caller_keeps_no_other_from_being_rung_for() {
    assert_eq!(rung_after_a_panic_at("from matcher: Offered").len(), 1, "the first has ended by it, the second is rung for");
}

#[test]
fn a_fault_in_a_reload_costs_one_party_alone() {
    assert_eq!(rung_after_a_panic_at("to desk: Changed"), [0, 1], "the desk learns of it as it is mended");
    assert_eq!(rung_after_a_panic_at("news to contact: Rerouted").len(), 1, "the first has ended by it, the second is rung for");
    assert_eq!(rung_after_a_panic_at("hub: TakenUp"), [0, 1]);
    assert_eq!(rung_after_a_panic_at("to contacts: Rerouted"), [0, 1], "nobody had heard, and all hear in the end");
}

/// An agent with a desk phone that is ready from the start is new; the desk panics as it hears so.
#[test]
fn a_new_agent_starts_in_spite_of_a_fault() {
    let mut house = House::alone(settings(1));
    contained(&mut house, "to desk: Changed", |house| house.reload(Settings { version: 2, ..settings(2) }));
    assert_eq!(house.agent_state(1), AgentState::Ready);
}

#[test]
fn agents_who_sign_out_together_are_told_of_once() {
    let mut house = kept_apart();
    house.engine.take_deliveries();
    // Nobody is left.
    house.reload(Settings { version: 3, ..settings(0) });
    let told = house.engine.take_deliveries().iter().filter(|name| *name == "to contacts: AgentLeft").count();
    assert_eq!(told, 1);
}

#[test]
fn a_fault_with_one_call_keeps_no_other_from_ending() {
    let mut house = kept_apart();
    contained(&mut house, "news to contact: EndAll", |house| house.input(Input::EndAll));
    assert_eq!(house.contacts_up(), 0);
}

#[test]
fn a_caller_whose_leg_a_fault_has_prevented_is_not_left_behind() {
    let mut house = House::alone(settings(1));
    contained(&mut house, "arrival", |house| house.from(CALLER, &Request::invite("a").text()));
    assert_eq!(house.next_to(CALLER).status(), Some(500));
    house.assert_empty();
    assert_eq!(house.engine.contacts.trunks().calls().map(|(within, _)| within).sum::<u32>(), 0);
}
