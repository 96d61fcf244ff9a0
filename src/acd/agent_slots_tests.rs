//! Agent slots by themselves: what goes beside what, who comes first, who is declined, and that nobody waits for ever.

use std::time::Duration;

use super::super::Key;
use super::super::matcher::Size;
use super::super::queue::QueueRules;
use super::super::routing_table::{DemandId, RoutingTable};
use super::*;
use crate::acd::loan::Lending;
use crate::base::{AgencyId, QueueId};

const VOICE: QueueId = QueueId(0);
const CHAT: QueueId = QueueId(1);

fn mixture(voice: u8, chat: u8) -> Load {
    Capacity::load(&[(Channel::Voice, voice), (Channel::Chat, chat)])
}

/// A queue of calls and one of chats, agents who may have these mixtures, and their owner.
struct House {
    matcher: Matcher,
    agents: Vec<AgentSlots>,
    of: Vec<usize>,
    now: Time,
    slots: u32,
}

impl House {
    fn new(agents: &[&[Load]]) -> Self {
        House::that_lends(agents, Vec::new())
    }

    /// Agents and chats are of agency 0, callers call agency 1.
    fn that_lends(agents: &[&[Load]], lending: Vec<Option<Lending>>) -> Self {
        let queue = |channel, agency| {
            let agency = AgencyId(agency);
            Some(QueueRules { channel, agency, ..super::super::queue::tests::plain("q", &[], &[0]) })
        };
        let agent = |mixtures: &&[Load]| {
            let capacity = Capacity::of(mixtures.iter().copied());
            AgentProfile { capacity, ..super::super::routing_table::tests::agent("a", &[], &[0]).unwrap() }
        };
        let directory = Directory {
            queues: vec![queue(Channel::Voice, 1), queue(Channel::Chat, 0)],
            lending,
            agents: agents.iter().map(agent).map(Some).collect(),
            ..Directory::default()
        };
        let (directory, ids) = directory.with_first_agent_slots();
        let count = directory.agents.len() as u32;
        let size = Size { shards: 1, contacts_per_shard: 50, agents: count, queues: 2, agencies: 2 };
        let mut of = vec![0; count as usize];
        for (agent, ids) in (0..agents.len() as u32).map(|agent| ids.of(AgentId(agent))).enumerate() {
            ids.for_each(|id| of[id.index()] = agent);
        }
        let now = Time::from_secs(1000);
        let mut house = House {
            matcher: Matcher::new(size, RoutingTable::new(&directory, 1), |_| 0),
            agents: (0..agents.len() as u32)
                .map(AgentId)
                .map(|agent| AgentSlots::new(&directory.capacity(agent), ids.of(agent), now))
                .collect(),
            of,
            now,
            slots: 0,
        };
        for agent in 0..agents.len() {
            house.agents[agent].each(|agent_slot| agent_slot.ask_ready(now));
            house.settle(agent);
        }
        house
    }

    fn settle(&mut self, agent: usize) {
        self.matcher.settle_agent_slots(&mut self.agents[agent], self.now, |_, slot| Some(slot));
    }

    fn demand(&self, queue: QueueId) -> DemandId {
        self.matcher.routing_table().demand(queue, None, 0).unwrap()
    }

    /// Contacts of these queues come, all before their owner looks.
    fn arrive<const N: usize>(&mut self, queues: [QueueId; N]) -> [(ContactSlot, Key); N] {
        let contacts = queues.map(|queue| {
            self.now = self.now + Duration::from_secs(1);
            let (slot, key) = (ContactSlot(self.slots), self.matcher.key(self.now, Duration::ZERO, false));
            self.slots += 1;
            self.matcher.arrive(slot, queue, 100, self.demand(queue), key, self.now).unwrap();
            (slot, key)
        });
        self.follow(&contacts, &queues);
        contacts
    }

    /// As the owner of both does: agents first, then declined contacts.
    fn follow(&mut self, contacts: &[(ContactSlot, Key)], queues: &[QueueId]) {
        while self.matcher.has_wake_ups(0) {
            let mut agents = Vec::new();
            self.matcher.woken_agents(0, |agent_slot| agents.push(agent_slot));
            let mut slots = Vec::new();
            self.matcher.woken_contacts(0, |slot| slots.push(slot));
            for agent_slot in agents {
                self.matcher.consider_loan(agent_slot);
                self.settle(self.of[agent_slot.index()]);
            }
            for slot in slots {
                if let (Some(Verdict::Declined), Some(at)) =
                    (self.matcher.verdict(slot), contacts.iter().position(|(known, _)| *known == slot))
                {
                    self.matcher.put_back(slot, self.demand(queues[at]), contacts[at].1);
                }
            }
        }
    }

    /// The agent with the slot that a contact is offered to.
    fn agent_of(&self, slot: ContactSlot) -> Option<usize> {
        let agreed = self.matcher.verdict(slot) == Some(Verdict::Agreed);
        self.protocol_agent(slot).filter(|_| agreed).map(|agent_slot| self.of[agent_slot.index()])
    }

    fn protocol_agent(&self, slot: ContactSlot) -> Option<AgentId> {
        match self.matcher.contact(slot) {
            super::super::claim::ContactView::Offered(agent_slot) => Some(agent_slot),
            _ => None,
        }
    }

    fn answer(&mut self, slot: ContactSlot) -> AgentId {
        let (agent_slot, now) = (self.matcher.accept(slot).expect("it is offered"), self.now);
        let agent = self.of[agent_slot.index()];
        self.agents[agent].agent_slot(agent_slot).unwrap().talk(now, slot, Duration::from_secs(600));
        self.settle(agent);
        agent_slot
    }

    fn hang_up(&mut self, agent_slot: AgentId) {
        let (agent, now) = (self.of[agent_slot.index()], self.now);
        self.agents[agent].agent_slot(agent_slot).unwrap().talk_over(now, Duration::ZERO);
        self.settle(agent);
    }
}

#[test]
fn a_part_of_a_mixture_goes_and_no_more() {
    let capacity = Capacity::of([mixture(1, 1), mixture(0, 3)]);
    let holds = |voice, chat| capacity.holds(&mixture(voice, chat));
    assert!(holds(0, 0) && holds(1, 0) && holds(1, 1) && holds(0, 3));
    assert!(!holds(1, 2) && !holds(0, 4) && !holds(2, 0));
    assert_eq!((capacity.most(Channel::Voice), capacity.most(Channel::Chat), capacity.channels().count()), (1, 3, 4));
    assert!(!Capacity::of([]).holds(&mixture(1, 0)), "who may have nothing has nothing");
}

#[test]
fn chats_run_beside_each_other_and_not_beside_a_call() {
    let mut house = House::new(&[&[mixture(1, 0), mixture(0, 2)]]);
    let [(first, _), (second, _), (third, _), (call, _)] = house.arrive([CHAT, CHAT, CHAT, VOICE]);
    assert_eq!([first, second, third, call].map(|slot| house.agent_of(slot)), [Some(0), Some(0), None, None]);
    let agent_slots = [house.answer(first), house.answer(second)];
    assert_eq!(house.agents[0].load(), mixture(0, 2));
    // The chat came before the call.
    house.hang_up(agent_slots[0]);
    assert_eq!(house.agent_of(third), Some(0));
    let agent_slot = house.answer(third);
    house.hang_up(agent_slots[1]);
    assert!(house.agents[0].drains(), "the call is the only one who waits, and a chat is in its way");
    house.hang_up(agent_slot);
    assert_eq!(house.agent_of(call), Some(0));
    house.answer(call);
    let [(chat, _)] = house.arrive([CHAT]);
    assert_eq!(house.agent_of(chat), None, "no chat beside a call");
}

/// Both are claimed at once, for the agent's owner was away: who came first stays.
#[test]
fn of_two_that_do_not_go_together_the_later_is_put_back_at_its_place() {
    let mut house = House::new(&[&[mixture(1, 0), mixture(0, 2)]]);
    let [(call, _), (chat, _), (later, _)] = house.arrive([VOICE, CHAT, CHAT]);
    assert_eq!([call, chat, later].map(|slot| house.agent_of(slot)), [Some(0), None, None]);
    let agent_slot = house.answer(call);
    house.hang_up(agent_slot);
    assert_eq!([chat, later].map(|slot| house.agent_of(slot)), [Some(0), Some(0)]);
}

#[test]
fn whoever_is_free_altogether_serves_who_goes_first() {
    let mut house = House::new(&[&[mixture(1, 0), mixture(0, 2)]]);
    let [(talk, _), (chat, _), (call, _)] = house.arrive([VOICE, CHAT, VOICE]);
    let agent_slot = house.answer(talk);
    house.hang_up(agent_slot);
    assert_eq!([chat, call].map(|slot| house.agent_of(slot)), [Some(0), None], "the chat came first");
    let agent_slot = house.answer(chat);
    house.hang_up(agent_slot);
    assert_eq!(house.agent_of(call), Some(0));
}

#[test]
fn a_mixture_may_have_both() {
    let mut house = House::new(&[&[mixture(1, 1), mixture(0, 3)]]);
    let [(call, _), (chat, _), (second, _)] = house.arrive([VOICE, CHAT, CHAT]);
    assert_eq!([call, chat, second].map(|slot| house.agent_of(slot)), [Some(0), Some(0), None]);
}

#[test]
fn chats_are_spread_over_those_who_are_there() {
    let two = [mixture(0, 2)];
    let mut house = House::new(&[&two, &two, &two]);
    let chats = [(); 6].map(|()| house.arrive([CHAT])[0].0);
    assert_eq!(chats.map(|slot| house.agent_of(slot)), [Some(0), Some(1), Some(2), Some(0), Some(1), Some(2)]);
}

/// Somebody who has a chat after the other would never be free for a call; and no more make room than there are callers.
#[test]
fn a_call_is_not_kept_waiting_by_chats_that_never_end_at_once() {
    let both = [mixture(1, 0), mixture(0, 2)];
    let mut house = House::new(&[&both, &both]);
    let chats = house.arrive([CHAT; 4]);
    let mut agent_slots = chats.map(|(slot, _)| house.answer(slot)).to_vec();
    let [(call, _)] = house.arrive([VOICE]);
    let mut ends = 0;
    while house.agent_of(call).is_none() {
        let agent_slot = agent_slots.remove(0);
        let [(chat, _)] = house.arrive([CHAT]);
        house.hang_up(agent_slot);
        house.follow(&[], &[]);
        if house.agent_of(chat).is_some() {
            agent_slots.push(house.answer(chat));
        }
        let drain = house.agents.iter().filter(|agent| agent.drains()).count();
        assert!(drain <= 1, "{drain} make room for one caller");
        ends += 1;
        assert!(ends < 10, "the call waits for ever");
    }
    (0..2).for_each(|agent| house.settle(agent));
    assert!(house.agents.iter().all(|agent| !agent.drains()));
}

#[test]
fn nobody_drains_for_one_who_has_left() {
    let mut house = House::new(&[&[mixture(1, 0), mixture(0, 2)]]);
    let [(chat, _), (other, _)] = house.arrive([CHAT, CHAT]);
    let agent_slot = house.answer(chat);
    house.answer(other);
    let [(call, _)] = house.arrive([VOICE]);
    house.hang_up(agent_slot);
    assert!(house.agents[0].drains());
    let [(next, _)] = house.arrive([CHAT]);
    assert_eq!(house.agent_of(next), None);
    house.matcher.leave(call);
    house.now = house.now + DRAIN_LOOK;
    house.settle(0);
    assert!(!house.agents[0].drains());
    assert_eq!(house.agent_of(next), Some(0));
}

#[test]
fn who_is_on_a_break_takes_nothing_in_any_slot() {
    let mut house = House::new(&[&[mixture(1, 2)]]);
    let now = house.now;
    house.agents[0].each(|agent_slot| agent_slot.ask_break(now, crate::base::words::BreakReason::Asked));
    house.settle(0);
    assert_eq!(house.agents[0].standing(), Some(Standing::Break));
    let contacts = house.arrive([VOICE, CHAT]);
    assert_eq!(contacts.map(|(slot, _)| house.agent_of(slot)), [None, None]);
}

/// The permit of a lent slot ends with its call, whatever the other slots have; and an agent counts as one, however
/// many slots it has.
#[test]
fn a_loan_ends_with_its_call_and_agents_are_counted_once() {
    let lending = Some(Lending { at_most: 5, own_percent: 50 });
    let both = [mixture(1, 0), mixture(0, 3)];
    let mut house = House::that_lends(&[&both, &both], vec![lending]);
    assert_eq!(house.matcher.on_loan(AgencyId(0)), Some((0, 1)), "one of two");
    let [(call, _), (second, _)] = house.arrive([VOICE, VOICE]);
    assert_eq!([call, second].map(|slot| house.agent_of(slot)), [Some(0), None], "the other is kept");
    let agent_slot = house.answer(call);
    house.matcher.leave(second);
    let now = house.now;
    house.agents[1].each(|agent_slot| agent_slot.ask_break(now, crate::base::words::BreakReason::Asked));
    house.settle(1);
    let [(chat, _)] = house.arrive([CHAT]);
    house.hang_up(agent_slot);
    assert_eq!(house.agent_of(chat), Some(0));
    assert_eq!(house.matcher.on_loan(AgencyId(0)), Some((0, 1)));
    house.answer(chat);
    assert_eq!(house.matcher.on_loan(AgencyId(0)), Some((0, 1)), "there is no room for a call, and no loan");
}

#[test]
fn whoever_had_a_number_keeps_it() {
    let agent = |mixtures: &[Load]| {
        let capacity = Capacity::of(mixtures.iter().copied());
        Some(AgentProfile { capacity, ..AgentProfile::default() })
    };
    let numbers = |ids: &AgentSlotIds, agents: u32| {
        (0..agents).map(|agent| ids.of(AgentId(agent)).map(|id| id.0).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let mut few =
        Directory { agents: vec![agent(&[mixture(1, 0), mixture(0, 2)]), agent(&[mixture(1, 1)])], ..Directory::default() };
    let (_, first) = few.with_agent_slots(&AgentSlotIds::beyond(10, 1));
    assert_eq!(numbers(&first, 2), [vec![0, 10, 11], vec![1, 12]]);
    // The first may have less, the second more, and there is a third.
    few.agents = vec![agent(&[mixture(1, 1)]), agent(&[mixture(1, 2)]), agent(&[mixture(1, 1)])];
    let (directory, second) = few.with_agent_slots(&first);
    assert_eq!(numbers(&second, 3), [vec![0, 10, 11], vec![1, 12, 13], vec![2, 14]]);
    assert_eq!([0, 5, 10, 13, 14, 99].map(|id| second.agent(AgentId(id)).0), [0, 5, 0, 1, 2, 99]);
    let channel = |id: u32| directory.agents[id as usize].as_ref().map(|profile| profile.channel);
    assert_eq!(
        [0, 10, 11, 13, 14].map(channel),
        [Some(Channel::Voice), Some(Channel::Chat), None, Some(Channel::Chat), Some(Channel::Chat)]
    );
    assert_eq!((directory.agents.len(), channel(5)), (15, None));
}

#[test]
fn who_is_given_up_drains_no_more() {
    let mut house = House::new(&[&[mixture(1, 0), mixture(0, 2)]]);
    let [(chat, _), (other, _)] = house.arrive([CHAT, CHAT]);
    let agent_slots = [house.answer(chat), house.answer(other)];
    house.arrive([VOICE]);
    house.hang_up(agent_slots[0]);
    assert!(house.agents[0].drains());
    let drains = |house: &House| house.matcher.draining.iter().map(|group| group.load(Ordering::Acquire)).sum::<u32>();
    assert_eq!(drains(&house), 1);
    let agent = house.agents.remove(0);
    house.matcher.give_up_agent_slots(agent, house.now);
    assert_eq!(drains(&house), 0);
}

#[test]
fn a_further_slot_has_the_owner_that_its_agent_has() {
    let capacity = Capacity::of([mixture(1, 2)]);
    let agents = vec![Some(AgentProfile { capacity, ..AgentProfile::default() }); 5];
    let mut directory = Directory { agents, ..Directory::default() };
    for shards in [1, 2, 3] {
        let (_, first) = directory.with_agent_slots(&AgentSlotIds::beyond(11, shards));
        directory.agents.push(directory.agents[0].clone());
        let (all, second) = directory.with_agent_slots(&first);
        let mut seen = Vec::new();
        for agent in (0..directory.agents.len() as u32).map(AgentId) {
            for slot in second.of(agent) {
                assert_eq!(ShardId::of_agent(slot, shards), ShardId::of_agent(agent, shards), "{shards} shards, {slot:?}");
                assert_eq!(second.agent(slot), agent);
                assert!(all.agents[slot.index()].is_some());
                seen.push(slot);
            }
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 3 * directory.agents.len());
    }
}
