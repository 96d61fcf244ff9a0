//! One wake-up has an end, whatever others do meanwhile.

use std::time::{Duration, Instant};

use super::super::Input;
use super::house::{CALLER, House, Request, becomes, calls, settings};
use crate::base::AgentId;
use crate::base::words::{AgentState, BreakReason};
use crate::engine::{AgentCommand, ROUNDS_MAX};

/// Whether the engine wants to go on at once.
fn goes_on(house: &House) -> bool {
    house.engine.next_deadline().is_some_and(|at| at <= house.now)
}

#[test]
#[allow(clippy::disallowed_methods, reason = "it is the time that the wire waits for")]
fn who_hangs_up_is_answered_while_an_agent_is_woken_without_pause() {
    let mut house = House::alone(settings(1));
    let tag = calls(&mut house, "a");
    // As if another shard claimed the agent, and let it go, again and again.
    house.engine.matcher.woken_always = Some(AgentId(0));
    house.engine.take_deliveries();
    let began = Instant::now();
    house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text());
    let took = began.elapsed();
    let settled = house.engine.take_deliveries().iter().filter(|name| *name == "to desk: Settled").count();
    assert!(settled > 1 && settled <= ROUNDS_MAX as usize, "{settled}");
    assert!(took < Duration::from_millis(50), "{took:?}");
    assert_eq!(house.next_to(CALLER).status(), Some(200));
    assert!(goes_on(&house), "what is left is followed at once");
    house.engine.matcher.woken_always = None;
    house.input(Input::Time);
    assert!(!goes_on(&house));
    house.audit();
}

#[test]
fn what_a_wake_up_has_left_is_followed_by_the_next() {
    let mut house = House::alone(settings(1));
    house.engine.rounds_max = 1;
    house.input(Input::Agent { agent: AgentId(0), command: AgentCommand::Break(BreakReason::Asked) });
    assert!(goes_on(&house) && house.agent_state(0) == AgentState::Break, "the desk has heard, and the matcher has not");
    while goes_on(&house) {
        house.input(Input::Time);
    }
    house.audit();
    becomes(&mut house, 0, AgentCommand::Ready);
}
