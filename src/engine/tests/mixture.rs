//! Agents who may also have chats: calls come to them as to all others. What they have beside each other is tested with desks alone.

use std::time::Duration;

use super::super::Settings;
use super::house::{CALLER, House, Request, answer, desk_phone, hangs_up, picks_up, settings, tag_of};
use crate::acd::agent_slots::Capacity;
use crate::base::AgentId;
use crate::base::words::{AgentState, Channel};

fn with_chats(agents: u32, chats: u8) -> Settings {
    let mut settings = settings(agents);
    for agent in settings.directory.agents.iter_mut().flatten() {
        agent.capacity = Capacity::of([Capacity::load(&[(Channel::Voice, 1)]), Capacity::load(&[(Channel::Chat, chats)])]);
    }
    settings
}

/// A call begins and is answered; it ends, and the agent's phone hangs up.
fn talks(house: &mut House, call_id: &str, agent: u32) {
    let tag = begins(house, call_id, agent);
    ends(house, call_id, agent, &tag);
}

fn begins(house: &mut House, call_id: &str, agent: u32) -> String {
    house.from(CALLER, &Request::invite(call_id).text());
    picks_up(house, agent);
    let ok = house.next_to(CALLER);
    assert_eq!((ok.status(), house.agent_state(agent)), (Some(200), AgentState::Talking));
    house.audit();
    tag_of(&ok)
}

fn ends(house: &mut House, call_id: &str, agent: u32, tag: &str) {
    hangs_up(house, call_id, tag);
    let bye = loop {
        let sent = house.next_to(&desk_phone(agent));
        if sent.method().as_deref() == Some("BYE") {
            break sent;
        }
    };
    house.from(&desk_phone(agent), &answer(&bye, 200, ""));
    house.audit();
    assert_eq!(house.agent_state(agent), AgentState::Ready);
}

#[test]
fn who_may_also_have_chats_takes_calls() {
    let mut house = House::new(with_chats(2, 3));
    house.audit();
    for (call_id, agent) in [("a", 0), ("b", 1), ("c", 0)] {
        talks(&mut house, call_id, agent);
        house.pass(Duration::from_secs(1));
    }
    house.assert_empty();
}

#[test]
fn what_an_agent_may_have_changes_during_a_talk() {
    let mut house = House::new(settings(1));
    let mut tag = begins(&mut house, "a", 0);
    for (version, chats, call_ids) in [(2, 3, ("a", "b")), (3, 1, ("b", "c")), (4, 4, ("c", "d"))] {
        house.reload(Settings { version, ..with_chats(1, chats) });
        house.audit();
        assert_eq!(house.agent_state(0), AgentState::Talking);
        ends(&mut house, call_ids.0, 0, &tag);
        tag = begins(&mut house, call_ids.1, 0);
    }
    assert_eq!(house.engine.settings.agent_slots.of(AgentId(0)).count(), 5);
    ends(&mut house, "d", 0, &tag);
    house.assert_empty();
}

/// The number of a slot that no agent of the first configuration had is nobody else's later.
#[test]
fn new_agents_get_numbers_below_those_of_slots() {
    let mut house = House::alone(with_chats(1, 2));
    house.reload(Settings { version: 2, ..with_chats(3, 2) });
    house.audit();
    let ids = |agent| house.engine.settings.agent_slots.of(AgentId(agent)).map(|id| id.0).collect::<Vec<_>>();
    assert_eq!([0, 1, 2].map(ids), [vec![0, 64, 65], vec![1, 66, 67], vec![2, 68, 69]]);
    for (call_id, agent) in [("a", 0), ("b", 1), ("c", 2)] {
        talks(&mut house, call_id, agent);
        house.pass(Duration::from_secs(1));
    }
    house.assert_empty();
}
