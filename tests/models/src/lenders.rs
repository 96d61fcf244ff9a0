//! Loans under shuttle: the matcher as engines use it, agencies that lend one agent at a time, owners that do at random
//! what owners do, and what must hold at every moment and at rest.

use std::sync::Arc;

use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::acd::claim::{AgentView, ContactView};
use crate::acd::loan::Lending;
use crate::acd::matcher::{Size, Standing};
use crate::acd::routing_table::{DemandId, RoutingTable};
use crate::acd::{ContactSlot, Matcher};
use crate::base::{AgencyId, AgentId, QueueId, Time};
use crate::modelled::start_over;
use crate::people::{agents_of, contacts_of, lenders};

const OWNERS: u32 = 2;
const CONTACTS_EACH: u32 = 2;
const CONTACTS: u32 = OWNERS * CONTACTS_EACH;
const MOVES: u32 = 8;

/// Two agents of agency 0, of whom one may be lent at a time, and one each of agencies 1 and 2; the last lends, too.
const AGENTS: [&[u32]; 4] = [&[0], &[0], &[1], &[2]];
const QUEUES: [&[u32]; 3] = [&[0], &[1, 0], &[2, 0, 1]];
const LENDING: [Option<Lending>; 3] =
    [Some(Lending { at_most: 1, own_percent: 0 }), None, Some(Lending { at_most: 1, own_percent: 0 })];

struct Owner {
    number: u32,
    matcher: Arc<Matcher>,
    moves: u32,
}

impl Owner {
    fn contacts(&self) -> std::ops::Range<u32> {
        contacts_of(self.number, CONTACTS_EACH)
    }

    fn agents(&self) -> impl Iterator<Item = u32> + use<> {
        agents_of(self.number, OWNERS, AGENTS.len())
    }

    fn demand(&self, queue: u32) -> DemandId {
        self.matcher.routing_table().demand(QueueId(queue), None, 0).expect("the queue has a demand")
    }

    fn listen(&self) {
        let mut agents = Vec::new();
        self.matcher.woken_agents(self.number as u16, |agent| agents.push(agent));
        self.matcher.woken_contacts(self.number as u16, |_| {});
        for agent in agents {
            self.matcher.consider_loan(agent);
            if let AgentView::Held { offered: true, .. } = self.matcher.agent(agent) {
                self.matcher.set_standing(agent, Some(Standing::Busy));
            }
        }
    }

    fn enter_index(&mut self, agent: u32) {
        self.matcher.set_standing(AgentId(agent), Some(Standing::Free));
        self.matcher.ready(AgentId(agent), Time::from_secs(u64::from(self.moves)), std::time::Duration::ZERO);
    }

    fn make_a_move(&mut self) {
        let mut random = thread_rng();
        self.listen();
        self.moves += 1;
        let parties: Vec<(bool, u32)> = self.contacts().map(|c| (true, c)).chain(self.agents().map(|a| (false, a))).collect();
        let (is_contact, party) = parties[random.gen_range(0..parties.len())];
        let choice = random.gen_range(0..3);
        if is_contact {
            self.move_contact(ContactSlot(party), random.gen_range(0..QUEUES.len() as u32), choice);
        } else {
            self.move_agent(party, choice);
        }
        for agency in 0..LENDING.len() as u32 {
            if let Some((on_loan, limit)) = self.matcher.on_loan(AgencyId(agency)) {
                assert!(on_loan <= 1, "agency {agency} has {on_loan} on loan, and lends {limit}");
            }
        }
    }

    fn move_contact(&self, slot: ContactSlot, queue: u32, choice: u32) {
        let since = Time::from_secs(u64::from(100 + self.moves));
        let key = self.matcher.key(since, std::time::Duration::ZERO, false);
        match (self.matcher.contact(slot), choice) {
            (ContactView::Gone | ContactView::Served, _) => {
                self.matcher.arrive(slot, QueueId(queue), 100, self.demand(queue), key, since).expect("there is room");
            }
            (ContactView::Waiting, 0) => drop(self.matcher.leave(slot)),
            (ContactView::Waiting, _) => drop(self.matcher.relax(slot, self.demand(queue), key)),
            (ContactView::Offered(_), 0) => drop(self.matcher.leave(slot)),
            (ContactView::Offered(_), 1) => drop(self.matcher.accept(slot)),
            (ContactView::Offered(_), _) => drop(self.matcher.put_back(slot, self.demand(queue), key)),
        }
    }

    fn move_agent(&mut self, agent: u32, choice: u32) {
        match self.matcher.agent(AgentId(agent)) {
            AgentView::Busy if choice == 0 => {
                self.matcher.set_standing(AgentId(agent), Some(Standing::Break));
            }
            AgentView::Busy => self.enter_index(agent),
            AgentView::Ready if choice == 0 => {
                if self.matcher.pause(AgentId(agent)) == AgentView::Busy {
                    self.matcher.set_standing(AgentId(agent), Some(Standing::Break));
                }
            }
            AgentView::Held { offered: false, .. } => {
                self.matcher.release(AgentId(agent));
                // Or it talks for a while.
                if choice != 0 {
                    self.enter_index(agent);
                }
            }
            AgentView::Ready | AgentView::Held { .. } => {}
        }
    }
}

/// One play.
pub(crate) fn play() {
    start_over();
    let table = RoutingTable::new(&lenders(&AGENTS, &QUEUES, &LENDING), 1);
    let (agents, queues, agencies) = (AGENTS.len() as u32, QUEUES.len() as u32, LENDING.len() as u32);
    let size = Size { shards: OWNERS as u16, contacts_per_shard: CONTACTS_EACH, agents, queues, agencies };
    let matcher = Arc::new(Matcher::new(size, table, |agent| (agent.0 % OWNERS) as u16));
    for agent in 0..agents {
        matcher.set_standing(AgentId(agent), Some(Standing::Break));
    }
    let threads: Vec<_> = (0..OWNERS)
        .map(|number| {
            let matcher = matcher.clone();
            thread::spawn(move || {
                let mut owner = Owner { number, matcher, moves: 0 };
                for _ in 0..MOVES {
                    owner.make_a_move();
                }
                owner
            })
        })
        .collect();
    let owners: Vec<Owner> = threads.into_iter().map(|thread| thread.join().expect("an owner failed")).collect();
    // Each loan may make another possible, of an agent of the other owner.
    while (0..OWNERS).any(|owner| matcher.has_wake_ups(owner as u16)) {
        owners.iter().for_each(Owner::listen);
    }
    check(&matcher);
}

fn check(matcher: &Matcher) {
    let table = matcher.routing_table();
    for contact in 0..CONTACTS {
        let ContactView::Waiting = matcher.contact(ContactSlot(contact)) else { continue };
        let demand = matcher.demand_of_contact(ContactSlot(contact)).expect("it waits");
        for agent in (0..AGENTS.len() as u32).map(AgentId) {
            if matcher.agent(agent) != AgentView::Ready {
                continue;
            }
            let group = table.group(agent).expect("the agent has a skill group");
            let lends =
                table.kept_for(group).and_then(|agency| matcher.on_loan(agency)).is_some_and(|(on_loan, max)| on_loan < max);
            let could = table.serves(group, demand) || lends && table.to_borrow(group, demand).is_some();
            assert!(!could, "contact {contact} waits and agent {} is free", agent.0);
        }
    }
    for agent in (0..AGENTS.len() as u32).map(AgentId) {
        let AgentView::Held { contact, offered: true } = matcher.agent(agent) else { continue };
        let demand = matcher.demand_of_contact(contact).expect("it is offered");
        let lent = table.group(agent).is_some_and(|group| table.to_borrow(group, demand).is_some());
        assert_eq!(matcher.has_permit(agent), lent, "agent {} has a permit if it is on loan, and else none", agent.0);
    }
    for agency in (0..LENDING.len() as u32).map(AgencyId) {
        let Some((on_loan, _)) = matcher.on_loan(agency) else { continue };
        let with_permit = (0..AGENTS.len() as u32).filter(|agent| AGENTS[*agent as usize][0] == agency.0);
        let with_permit = with_permit.filter(|agent| matcher.has_permit(AgentId(*agent)));
        // One who is free, or on a break, has given it back.
        let with_permit: Vec<u32> = with_permit.collect();
        assert_eq!(with_permit.len() as u32, on_loan, "of agency {}", agency.0);
        for agent in with_permit {
            assert!(matcher.agent(AgentId(agent)) != AgentView::Ready, "agent {agent} is free and has a permit");
        }
    }
}
