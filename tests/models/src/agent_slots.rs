//! Agents with several slots under shuttle, one of whom may be lent for calls. Owners do at random what owners do. No
//! agent ever talks to more contacts than go together, no agent is on loan that does not talk, and at rest no contact
//! waits that an agent could take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::acd::agent::State;
use crate::acd::agent_slots::{AgentSlotIds, AgentSlots, Capacity, Load, Verdict};
use crate::acd::claim::{AgentView, ContactView};
use crate::acd::loan::Lending;
use crate::acd::matcher::{Size, Standing};
use crate::acd::routing_table::{DemandId, Directory, RoutingTable};
use crate::acd::{ContactSlot, Key, Matcher};
use crate::base::words::{BreakReason, Channel, OfferOutcome};
use crate::base::{AgencyId, AgentId, QueueId, Time};
use crate::modelled::start_over;
use crate::people::{agents_of, contacts_of, directory};

const OWNERS: u32 = 2;
const CONTACTS_EACH: u32 = 3;
const CONTACTS: u32 = OWNERS * CONTACTS_EACH;
const MOVES: u32 = 8;
const SPAN: std::time::Duration = std::time::Duration::from_secs(600);

/// By agent: the mixtures of calls and chats that it may have.
const MIXTURES: [&[(u8, u8)]; 2] = [&[(1, 0), (0, 2)], &[(1, 1)]];
/// By queue: its channel.
const CHANNELS: [Channel; 2] = [Channel::Voice, Channel::Chat];

const LENDING: [Option<Lending>; 2] = [Some(Lending { at_most: 1, own_percent: 0 }), None];

struct House {
    matcher: Matcher,
    ids: AgentSlotIds,
    directory: Directory,
    /// By agent slot: whether it talks. No checker sees it: what is noted here happens at once.
    talks: Vec<AtomicBool>,
}

impl House {
    fn new() -> Self {
        let mut few = directory(&[&[0], &[0]], &[&[0], &[0]]);
        for (agent, mixtures) in few.agents.iter_mut().flatten().zip(MIXTURES) {
            let load = |(calls, chats): &(u8, u8)| Capacity::load(&[(Channel::Voice, *calls), (Channel::Chat, *chats)]);
            agent.capacity = Capacity::of(mixtures.iter().map(load));
        }
        for (queue, channel) in few.queues.iter_mut().flatten().zip(CHANNELS) {
            queue.channel = channel;
        }
        // The second agent and the queue for calls are of another agency than the first agent and the chats.
        few.lending = LENDING.to_vec();
        few.agents.iter_mut().flatten().skip(1).for_each(|agent| agent.agency = AgencyId(1));
        few.queues.iter_mut().flatten().take(1).for_each(|queue| queue.agency = AgencyId(1));
        let (directory, ids) = few.with_first_agent_slots();
        let agents = directory.agents.len() as u32;
        let size = Size {
            shards: OWNERS as u16,
            contacts_per_shard: CONTACTS_EACH,
            agents,
            queues: CHANNELS.len() as u32,
            agencies: LENDING.len() as u32,
        };
        let matcher =
            Matcher::new(size, RoutingTable::new(&directory, 1), |agent_slot| (ids.agent(agent_slot).0 % OWNERS) as u16);
        House { matcher, ids, directory, talks: (0..agents).map(|_| AtomicBool::new(false)).collect() }
    }

    fn demand(&self, queue: u32) -> DemandId {
        self.matcher.routing_table().demand(QueueId(queue), None, 0).expect("the queue has a demand")
    }

    /// What the agent talks to, with one more slot.
    fn talks(&self, agent_slot: AgentId) {
        self.talks[agent_slot.index()].store(true, Ordering::Relaxed);
        let agent = self.ids.agent(agent_slot);
        let mut load = Load::default();
        for agent_slot in self.ids.of(agent).filter(|agent_slot| self.talks[agent_slot.index()].load(Ordering::Relaxed)) {
            load[self.directory.agents[agent_slot.index()].as_ref().expect("it is there").channel.index()] += 1;
        }
        assert!(self.directory.capacity(agent).holds(&load), "agent {} talks to {load:?}", agent.0);
    }
}

struct Owner {
    number: u32,
    house: Arc<House>,
    moves: u32,
    agents: Vec<AgentSlots>,
    /// By contact: its queue, and its place in it.
    entered: Vec<(u32, Key)>,
}

impl Owner {
    fn new(number: u32, house: Arc<House>) -> Self {
        let agent_slots = agents_of(number, OWNERS, MIXTURES.len());
        let agent_slots = agent_slots
            .map(|agent| AgentSlots::new(&house.directory.capacity(AgentId(agent)), house.ids.of(AgentId(agent)), Time::ZERO));
        let (agents, nowhere) = (agent_slots.collect(), (0, house.matcher.key(Time::ZERO, std::time::Duration::ZERO, false)));
        Owner { number, moves: 0, agents, entered: vec![nowhere; CONTACTS as usize], house }
    }

    fn now(&self) -> Time {
        Time::from_secs(u64::from(100 + self.moves))
    }

    /// Looks at everything again that was woken. Only of agents that were woken it knows the names of the contacts that
    /// they are claimed for.
    fn listen(&mut self) {
        let shard = self.number as u16;
        let mut slots = Vec::new();
        let mut agent_slots = Vec::new();
        self.house.matcher.woken_agents(shard, |agent_slot| agent_slots.push(agent_slot));
        agent_slots.iter().for_each(|agent_slot| self.house.matcher.consider_loan(*agent_slot));
        for agent in 0..self.agents.len() {
            let named = self.agents[agent].ids().any(|agent_slot| agent_slots.contains(&agent_slot));
            self.settle(agent, named);
        }
        self.house.matcher.woken_contacts(shard, |slot| slots.push(slot));
        for slot in slots {
            if self.house.matcher.verdict(slot) == Some(Verdict::Declined) {
                self.put_back(slot);
            }
        }
    }

    fn settle(&mut self, agent: usize, named: bool) {
        let now = self.now();
        let Owner { agents, house, .. } = self;
        let agent = &mut agents[agent];
        for agent_slot in agent.ids().collect::<Vec<_>>() {
            let Some(contact) = agent.state(agent_slot).and_then(State::contact) else { continue };
            let still = house.matcher.agent(agent_slot) == AgentView::Held { contact, offered: true };
            let talks = house.talks[agent_slot.index()].load(Ordering::Relaxed);
            let Some(state) = agent.agent_slot(agent_slot) else { continue };
            match (still, talks) {
                (true, _) => {}
                (false, true) => state.talk(now, contact, SPAN),
                (false, false) => state.ring_over(now, OfferOutcome::Withdrawn, SPAN),
            }
        }
        house.matcher.settle_agent_slots(agent, now, |_, contact| named.then_some(contact));
    }

    fn put_back(&self, slot: ContactSlot) {
        let (queue, key) = self.entered[slot.0 as usize];
        self.house.matcher.put_back(slot, self.house.demand(queue), key);
    }

    fn make_a_move(&mut self) {
        let mut random = thread_rng();
        self.listen();
        self.moves += 1;
        let contacts = contacts_of(self.number, CONTACTS_EACH);
        let chosen = random.gen_range(0..CONTACTS_EACH + self.agents.len() as u32);
        let choice = random.gen_range(0..4);
        if chosen < CONTACTS_EACH {
            self.move_contact(ContactSlot(contacts.start + chosen), choice);
        } else {
            self.move_agent((chosen - CONTACTS_EACH) as usize, choice);
        }
    }

    fn move_contact(&mut self, slot: ContactSlot, choice: u32) {
        let matcher = &self.house.matcher;
        match (matcher.contact(slot), choice) {
            (ContactView::Gone | ContactView::Served, _) => {
                let (queue, now) = (choice % 2, self.now());
                let key = matcher.key(now, std::time::Duration::ZERO, false);
                self.entered[slot.0 as usize] = (queue, key);
                matcher.arrive(slot, QueueId(queue), 100, self.house.demand(queue), key, now).expect("there is room");
            }
            (ContactView::Waiting | ContactView::Offered(_), 0) => drop(matcher.leave(slot)),
            (ContactView::Offered(_), 1) => self.put_back(slot),
            (ContactView::Offered(agent_slot), _) if matcher.verdict(slot) == Some(Verdict::Agreed) => {
                self.house.talks(agent_slot);
                assert_eq!(matcher.accept(slot), Some(agent_slot), "nobody else moves it");
            }
            _ => {}
        }
    }

    fn move_agent(&mut self, agent: usize, choice: u32) {
        let now = self.now();
        let Owner { agents, house, .. } = self;
        let slots = &mut agents[agent];
        match choice {
            0 => slots.each(|agent_slot| agent_slot.ask_break(now, BreakReason::Asked)),
            1 => slots.each(|agent_slot| agent_slot.ask_ready(now)),
            _ => {
                for agent_slot in slots.ids().collect::<Vec<_>>() {
                    if let Some(State::Talking { .. }) = slots.state(agent_slot) {
                        slots.agent_slot(agent_slot).expect("it is there").talk_over(now, std::time::Duration::ZERO);
                        house.talks[agent_slot.index()].store(false, Ordering::Relaxed);
                        break;
                    }
                }
            }
        }
        self.settle(agent, false);
    }
}

/// One play.
pub(crate) fn play() {
    start_over();
    let house = Arc::new(House::new());
    let threads: Vec<_> = (0..OWNERS)
        .map(|number| {
            let house = house.clone();
            thread::spawn(move || {
                let mut owner = Owner::new(number, house);
                let now = owner.now();
                owner.agents.iter_mut().for_each(|agent| agent.each(|agent_slot| agent_slot.ask_ready(now)));
                (0..owner.agents.len()).for_each(|agent| owner.settle(agent, false));
                for _ in 0..MOVES {
                    owner.make_a_move();
                }
                owner
            })
        })
        .collect();
    let mut owners: Vec<Owner> = threads.into_iter().map(|thread| thread.join().expect("an owner failed")).collect();
    // Each look may give another something to look at.
    loop {
        owners.iter_mut().for_each(Owner::listen);
        if (0..OWNERS).all(|owner| !house.matcher.has_wake_ups(owner as u16)) {
            break;
        }
    }
    check(&house, &owners);
}

fn check(house: &House, owners: &[Owner]) {
    let (matcher, table) = (&house.matcher, house.matcher.routing_table());
    let agents = || owners.iter().flat_map(|owner| &owner.agents);
    for slot in (0..CONTACTS).map(ContactSlot) {
        match matcher.contact(slot) {
            ContactView::Offered(_) => {
                assert_eq!(matcher.verdict(slot), Some(Verdict::Agreed), "contact {} hears nothing", slot.0);
            }
            ContactView::Waiting => {
                let demand = matcher.demand_of_contact(slot).expect("it waits");
                for agent in agents().filter(|agent| !agent.drains()) {
                    for agent_slot in agent.ids() {
                        let lends = || matcher.on_loan(AgencyId(0)).is_some_and(|(on_loan, max)| on_loan < max);
                        let could = |group| table.serves(group, demand) || lends() && table.to_borrow(group, demand).is_some();
                        let serves = table.group(agent_slot).is_some_and(could);
                        let channel = house.directory.agents[agent_slot.index()].as_ref().expect("it is there").channel;
                        let free = agent.state(agent_slot) == Some(&State::Ready) && agent.has_room_for(channel);
                        assert!(!serves || !free, "contact {} waits and slot {} could take it", slot.0, agent_slot.0);
                    }
                }
            }
            ContactView::Gone | ContactView::Served => {}
        }
    }
    assert_eq!(matcher.draining() as usize, agents().filter(|agent| agent.drains()).count());
    for agent in agents() {
        for agent_slot in agent.ids() {
            let seated = matcher.agent(agent_slot) == AgentView::Ready;
            let busy = agent.state(agent_slot).and_then(State::standing) == Some(Standing::Busy);
            assert!(busy || !matcher.has_permit(agent_slot), "slot {} has a permit and does nothing with it", agent_slot.0);
            let channel = house.directory.agents[agent_slot.index()].as_ref().expect("it is there").channel;
            let may = agent.state(agent_slot) == Some(&State::Ready) && agent.has_room_for(channel) && !agent.drains();
            assert_eq!(seated, may, "slot {} is in the index and should not be, or is not and should", agent_slot.0);
        }
    }
}
