//! Waiting for a desk's answer: a phase like any other, which the caller may leave, and which has a deadline.

use std::time::Duration;

use super::super::contact::ContactKey;
use super::super::dial::{DialTo, Purpose};
use super::house::{CALLER, House, calls, settings};
use crate::base::AgentId;
use crate::base::words::{AgentState, BreakReason, EndedBy};
use crate::engine::{AgentCommand, Input};
use crate::report::FactKind;

/// A caller who waits in the queue, for all agents are on break.
fn waiting() -> (House, ContactKey) {
    let mut house = House::new(settings(2));
    for agent in 0..2 {
        house.input(Input::Agent { agent: AgentId(agent), command: AgentCommand::Break(BreakReason::Asked) });
    }
    calls(&mut house, "a");
    house.sent.clear();
    let key = house.engine.contacts.iter().next().map(|(_, contact)| contact.key).unwrap();
    (house, key)
}

#[test]
fn a_caller_who_leaves_while_a_desk_is_asked_takes_nobody_along() {
    let (mut house, key) = waiting();
    let now = house.now;
    // The question is asked, and not yet answered, when the caller hangs up.
    house.engine.dial(now, key, DialTo::Agent(AgentId(1)), Purpose::Own);
    house.engine.end_contact(now, key, EndedBy::Caller, Some(487));
    house.input(Input::Time);
    assert_eq!(house.agent_state(1), AgentState::Break, "what the agent was before");
    assert!(house.nothing_to(&super::house::desk_phone(1)), "nobody is rung");
    house.audit();
    assert_eq!(house.next_to(CALLER).method().as_deref(), Some("BYE"));
}

#[test]
fn a_desk_that_does_not_answer_is_not_waited_for() {
    let (mut house, key) = waiting();
    let now = house.now;
    house.engine.leave_queue(now, key, crate::base::words::QueueOutcome::Overflowed);
    house.engine.dial(now, key, DialTo::Agent(AgentId(1)), Purpose::Own);
    // The question is lost.
    while house.engine.out.next_message().is_some() {}
    house.pass(Duration::from_secs(3));
    let ended = house.kinds().any(|kind| matches!(kind, FactKind::Ended { by: EndedBy::System, .. }));
    assert!(ended, "the call has failed as if the agent was not to be had");
    house.audit();
}
