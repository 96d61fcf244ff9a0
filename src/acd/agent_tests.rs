use super::*;

const T0: Time = Time::from_secs(1000);
const CONTACT: ContactSlot = ContactSlot(7);

fn at(secs: u64) -> Time {
    Time::from_secs(1000 + secs)
}

fn ringing() -> Agent {
    let mut agent = Agent::new(T0);
    agent.ask_ready(T0);
    assert!(agent.reserve(at(1), CONTACT));
    agent.ring(at(1), CONTACT, Duration::from_secs(20));
    agent
}

#[test]
fn a_talk_leads_through_wrap_up_to_ready() {
    let mut agent = ringing();
    agent.talk(at(5), CONTACT, Duration::from_secs(600));
    agent.talk_over(at(65), Duration::from_secs(10));
    assert_eq!(agent.state(), &State::WrapUp { until: at(75) });
    assert_eq!(agent.occupied(), Duration::from_secs(60));
    assert_eq!(agent.due(at(74)), Due::Nothing);
    assert_eq!(agent.due(at(75)), Due::Over);
    assert!(agent.wants_contacts());
}

#[test]
fn what_a_rings_end_means() {
    let end = |outcome| {
        let mut agent = ringing();
        agent.ring_over(at(3), outcome, Duration::from_secs(10));
        *agent.state()
    };
    let refused = State::Break { reason: BreakReason::Refused, until: Some(at(13)) };
    let rona = State::Break { reason: BreakReason::Rona, until: None };
    assert_eq!(end(OfferOutcome::Refused), refused);
    assert_eq!(end(OfferOutcome::Busy), refused);
    assert_eq!(end(OfferOutcome::TimedOut), rona);
    assert_eq!(end(OfferOutcome::Unreachable), rona);
    assert_eq!(end(OfferOutcome::Withdrawn), State::Ready);
}

#[test]
fn what_is_asked_during_a_talk_happens_after_it() {
    let mut agent = ringing();
    agent.talk(at(5), CONTACT, Duration::from_secs(600));
    agent.ask_break(at(6), BreakReason::Asked);
    assert_eq!(agent.state().word(), AgentState::Talking);
    agent.talk_over(at(9), Duration::ZERO);
    assert_eq!(agent.state(), &State::Break { reason: BreakReason::Asked, until: None });

    let mut agent = ringing();
    agent.sign_out(at(2));
    assert_eq!(agent.state().word(), AgentState::Ringing);
    agent.ring_over(at(3), OfferOutcome::Unreachable, Duration::ZERO);
    assert_eq!(agent.state(), &State::Offline);
}

#[test]
fn one_who_is_not_ready_cannot_be_reserved() {
    let mut agent = Agent::new(T0);
    assert!(!agent.reserve(T0, CONTACT));
    agent.sign_in(T0);
    assert!(!agent.reserve(T0, CONTACT));
    agent.ask_ready(T0);
    assert!(agent.reserve(T0, CONTACT));
    assert!(!agent.reserve(T0, CONTACT));
}

#[test]
fn own_calls_are_counted_and_end_where_they_began() {
    let mut agent = Agent::<ContactSlot>::new(T0);
    agent.sign_in(T0);
    agent.own_call(at(1));
    agent.own_call(at(2));
    agent.own_call_over(at(3));
    assert_eq!(agent.state().word(), AgentState::Busy);
    agent.own_call_over(at(4));
    assert_eq!(agent.state(), &State::Break { reason: BreakReason::Asked, until: None });
}

#[test]
fn a_call_of_their_own_that_outlasts_a_talk_keeps_the_agent_from_the_ready_index() {
    let mut agent = ringing();
    agent.talk(at(1), CONTACT, Duration::from_secs(600));
    agent.own_call(at(2));
    assert_eq!(agent.state().word(), AgentState::Talking, "the contact comes first");
    agent.talk_over(at(3), Duration::ZERO);
    assert_eq!(agent.state().word(), AgentState::Busy);
    agent.ask_ready(at(4));
    assert!(!agent.wants_contacts());
    agent.own_call_over(at(5));
    assert!(agent.wants_contacts());
}

#[test]
fn every_state_that_should_not_last_has_a_deadline_and_being_stuck_is_told() {
    let mut agent = Agent::new(T0);
    agent.ask_ready(T0);
    assert!(agent.reserve(T0, CONTACT));
    assert_eq!(agent.due(T0 + RESERVED_MAX), Due::Stuck(AgentState::Reserved));
    assert!(agent.wants_contacts());
    let mut agent = ringing();
    let until = agent.state().deadline().expect("a ring ends");
    assert_eq!(agent.due(until), Due::Stuck(AgentState::Ringing));
}

/// A ring missed in one slot is a break of all slots, after what each has. It signs nobody in, and ends no break of the
/// agent's own.
/// ends.
#[test]
fn a_ring_that_another_slot_missed_is_a_break() {
    let (mut free, mut talks, mut gone, mut pauses, mut goes) =
        (Agent::new(T0), ringing(), Agent::new(T0), Agent::new(T0), ringing());
    free.ask_ready(T0);
    talks.talk(at(2), CONTACT, Duration::from_secs(600));
    pauses.ask_break(T0, BreakReason::Asked);
    goes.sign_out(at(2));
    for agent in [&mut free, &mut talks, &mut gone, &mut pauses, &mut goes] {
        agent.missed_elsewhere(at(3));
    }
    let rona = State::Break { reason: BreakReason::Rona, until: None };
    assert_eq!((free.state(), gone.state().word()), (&rona, AgentState::Offline));
    talks.talk_over(at(9), Duration::ZERO);
    assert_eq!(talks.state(), &rona);
    goes.ring_over(at(9), OfferOutcome::TimedOut, Duration::ZERO);
    goes.missed_elsewhere(at(9));
    assert_eq!(goes.state().word(), AgentState::Offline, "it has gone home meanwhile");
    for agent in [&mut free, &mut talks, &mut gone, &mut pauses, &mut goes] {
        agent.is_back(at(20));
    }
    let words = [free, talks, gone, pauses, goes].map(|agent| agent.state().word());
    assert_eq!(words, [AgentState::Ready, AgentState::Ready, AgentState::Offline, AgentState::Break, AgentState::Offline]);
}
