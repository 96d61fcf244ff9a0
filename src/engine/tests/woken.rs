//! The matcher wakes several at once: a fault with one of them loses none of the others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::super::{AgentCommand, Input, Settings};
use super::house::{CALLER, House, Request, becomes, desk_phone, settings};
use crate::base::PoolId;
use crate::base::words::BreakReason;

/// Two callers wait for two agents who are ready, and may not serve them.
fn kept_apart() -> House {
    let mut house = House::new(settings(2));
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

/// A reload brings all of them together at once. What is handed on first panics; which phones ring in the end.
fn rung_after_a_panic_at(name: &'static str) -> Vec<u32> {
    let mut house = kept_apart();
    house.engine.panic_at(name);
    let caught = catch_unwind(AssertUnwindSafe(|| house.reload(Settings { version: 3, ..settings(2) })));
    assert!(caught.is_err(), "{name}");
    house.engine.fault(house.now);
    house.input(Input::Time);
    house.pass(Duration::from_secs(1));
    house.audit();
    (0..2).filter(|agent| !house.nothing_to(&desk_phone(*agent))).collect()
}

#[test]
fn a_fault_with_one_agent_keeps_no_other_from_ringing() {
    assert_eq!(rung_after_a_panic_at("agent woken"), [0, 1]);
}

#[test]
fn a_fault_with_one_caller_keeps_no_other_from_being_rung_for() {
    assert_eq!(rung_after_a_panic_at("contact woken").len(), 1, "the first has ended by it, the second is rung for");
}
