//! Ports run short: calls are refused in time, and no agent pays for it.

use std::time::Duration;

use super::super::{AgentCommand, Input};
use super::calls::{late, outcomes};
use super::house::{CALLER, House, Request, answer, desk_phone, sdp, settings};
use crate::acd::queue::AnswerWhen;
use crate::base::AgentId;
use crate::base::words::{AgentState, Limit};
use crate::report::FactKind;

/// Calls until one is refused; how many were taken.
fn call_until_refused(house: &mut House) -> u32 {
    for n in 0.. {
        house.from(CALLER, &Request::invite(&format!("call{n}")).text());
        let refused = house.sent.iter().any(|sent| sent.status() == Some(503));
        if refused {
            return n;
        }
    }
    unreachable!()
}

fn hits(house: &House) -> usize {
    house.kinds().filter(|kind| matches!(kind, FactKind::LimitHit { limit: Limit::MediaPorts })).count()
}

#[test]
fn calls_are_refused_before_an_agent_would_be_rung_without_a_port() {
    // Twenty pairs, two a call.
    let mut house = House::alone(late(settings(20)));
    let taken = call_until_refused(&mut house);
    assert_eq!(taken, 7, "each has a port for its agent, and 13 are left for seven callers and one call more");
    assert!(outcomes(&house).is_empty(), "no offer has failed");
    for n in 0..taken {
        assert_eq!(house.agent_state(n), AgentState::Ringing);
    }
    assert_eq!(hits(&house), 1);
    house.lease(20);
    house.from(CALLER, &Request::invite("more").text());
    assert_eq!(house.contacts_up(), taken + 1, "there are ports again");
    house.input(Input::EndAll);
    for n in 0..20 {
        while !house.nothing_to(&desk_phone(n)) {
            let request = house.next_to(&desk_phone(n));
            if request.method().as_deref() == Some("INVITE") {
                house.from(&desk_phone(n), &answer(&request, 487, ""));
            }
        }
    }
    house.assert_empty();
}

#[test]
fn an_agent_for_whom_no_port_is_left_is_rung_as_soon_as_there_is_one() {
    let mut settings = settings(10);
    settings.directory.queues[0].as_mut().unwrap().answer = AnswerWhen::AtOnce;
    for account in settings.accounts.iter_mut().flatten() {
        account.ready_at_start = false;
    }
    let mut house = House::alone(settings);
    let taken = call_until_refused(&mut house);
    let left = 20 - taken;
    assert_eq!(left, 1, "each who waits holds a pair; the last call would have needed two");
    for n in 0..=left {
        house.input(Input::Agent { agent: AgentId(n), command: AgentCommand::Ready });
    }
    let last = desk_phone(left);
    house.pass(Duration::from_secs(1));
    assert!(house.nothing_to(&last), "no port for this one");
    assert_eq!(house.agent_state(left), AgentState::Reserved);
    assert!(hits(&house) <= 4, "told once a second: {}", hits(&house));
    house.lease(1);
    house.pass(Duration::from_millis(100));
    let invite = house.next_to(&last);
    house.from(&last, &answer(&invite, 200, &sdp("203.0.113.9", 40000, "sendrecv")));
    assert_eq!(house.agent_state(left), AgentState::Talking);
    // One more, for whom no port comes at all, loses nothing but the turn.
    house.input(Input::Agent { agent: AgentId(left + 1), command: AgentCommand::Ready });
    house.pass(Duration::from_secs(4));
    assert_ne!(house.agent_state(left + 1), AgentState::Break, "ports are not the agent's fault");
    house.input(Input::EndAll);
}
