//! Directory versions under shuttle: each has demands and skill groups of its own, so that numbers come to be reused.
//! Owners adopt new versions between their moves, and one of them perhaps adopts none.

use std::sync::Arc;
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::acd::claim::{AgentView, ClaimProtocol, ContactView, Key};
use crate::acd::routing_table::{DemandId, Directory, RoutingTable};
use crate::base::{AgentId, PoolId, QueueId, Time};
use crate::modelled::start_over;
use crate::people::{agents_of, contacts_of, directory};

const OWNERS: u32 = 3;
const CONTACTS_EACH: u32 = 2;
const CONTACTS: u32 = OWNERS * CONTACTS_EACH;
/// Of each kind one queue and one or two agents; none may ever serve another kind.
const KINDS: u32 = 3;
const AGENTS: u32 = 4;
const MOVES: u32 = 9;

fn kind_of_contact(contact: u32) -> u32 {
    contact % KINDS
}

fn kind_of_agent(agent: u32) -> u32 {
    agent % KINDS
}

/// The same people and queues in each version, but other demands, and other skill groups.
fn directory_version(number: u64) -> Directory {
    let mut directory = directory(&[&[0], &[1], &[2], &[0]], &[&[0], &[1], &[2]]);
    for queue in directory.queues.iter_mut().flatten() {
        queue.priority_boost += Duration::from_secs(10 * number);
    }
    for agent in directory.agents.iter_mut().flatten() {
        agent.pools.push(PoolId(10 + number as u32));
    }
    directory
}

struct Owner {
    number: u32,
    protocol: Arc<ClaimProtocol>,
    /// The version that it has taken up.
    version: u64,
    /// Takes nothing up.
    lags: bool,
    moves: u32,
}

impl Owner {
    fn contacts(&self) -> std::ops::Range<u32> {
        contacts_of(self.number, CONTACTS_EACH)
    }

    fn agents(&self) -> impl Iterator<Item = u32> + use<> {
        agents_of(self.number, OWNERS, AGENTS as usize)
    }

    fn demand_of(&self, contact: u32) -> DemandId {
        self.protocol.routing_table().demand(QueueId(kind_of_contact(contact)), None, 0).expect("the queue has a demand")
    }

    fn key_of(&self, contact: u32) -> Key {
        Key::new(Time::from_secs(u64::from(100 + self.moves)), contact, false)
    }

    fn take_up(&mut self) {
        let version = self.protocol.routing_table().version();
        if version == self.version || self.lags {
            return;
        }
        self.version = version;
        for agent in self.agents() {
            let group = self.protocol.routing_table().group(AgentId(agent)).expect("the agent has a skill group");
            self.protocol.regroup(agent, group);
        }
        for contact in self.contacts() {
            self.protocol.relax(contact, self.demand_of(contact), self.key_of(contact));
        }
        self.protocol.acknowledge(self.number as u16, version);
    }

    fn make_a_move(&mut self) {
        let mut random = thread_rng();
        self.protocol.contact_wake_ups.drain(self.number as u16, |_| {});
        self.protocol.agent_wake_ups.drain(self.number as u16, |_| {});
        self.take_up();
        self.moves += 1;
        let parties: Vec<(bool, u32)> = self.contacts().map(|c| (true, c)).chain(self.agents().map(|a| (false, a))).collect();
        let (is_contact, party) = parties[random.gen_range(0..parties.len())];
        let rests = random.gen_range(0..3) == 0;
        if is_contact {
            self.move_contact(party, rests);
        } else {
            self.move_agent(party, rests);
        }
    }

    fn move_contact(&self, contact: u32, rests: bool) {
        match self.protocol.view_contact(contact) {
            ContactView::Gone | ContactView::Served => {
                self.protocol.arrive(contact, self.demand_of(contact), self.key_of(contact))
            }
            ContactView::Waiting if rests => drop(self.protocol.leave(contact)),
            ContactView::Waiting => {}
            ContactView::Offered(agent) => {
                assert_eq!(kind_of_agent(agent.0), kind_of_contact(contact), "contact {contact} is offered to agent {}", agent.0);
                if rests {
                    self.protocol.put_back(contact, self.demand_of(contact), self.key_of(contact));
                } else {
                    self.protocol.accept(contact);
                }
            }
        }
    }

    fn move_agent(&self, agent: u32, rests: bool) {
        let enter_index = || {
            let group = self.protocol.routing_table().group(AgentId(agent)).expect("the agent has a skill group");
            self.protocol.ready(agent, group, Time::from_secs(u64::from(self.moves)), 0);
        };
        match self.protocol.view_agent(agent) {
            AgentView::Busy => enter_index(),
            AgentView::Ready if rests => drop(self.protocol.pause(agent)),
            AgentView::Held { offered: false, .. } => {
                self.protocol.release(agent);
                enter_index();
            }
            AgentView::Ready | AgentView::Held { .. } => {}
        }
    }
}

/// One play.
pub(crate) fn play() {
    start_over();
    let owners = (0..AGENTS).map(|agent| (agent % OWNERS) as u16).collect();
    let protocol =
        Arc::new(ClaimProtocol::new(owners, CONTACTS_EACH, OWNERS as u16, RoutingTable::new(&directory_version(1), 1)));
    let mut random = thread_rng();
    // The last owner publishes; the first may lag.
    let lags = random.gen_range(0..2) == 0;
    let threads: Vec<_> = (0..OWNERS)
        .map(|number| {
            let mut owner = Owner { number, protocol: protocol.clone(), version: 1, lags: lags && number == 0, moves: 0 };
            thread::spawn(move || {
                let mut published = 1;
                for _ in 0..MOVES {
                    owner.make_a_move();
                    // Where the old ones take all the room, the next version waits.
                    if number == OWNERS - 1 && owner.protocol.publish(&directory_version(published + 1), published + 1).is_ok() {
                        published += 1;
                    }
                }
                owner
            })
        })
        .collect();
    let mut owners: Vec<Owner> = threads.into_iter().map(|thread| thread.join().expect("an owner failed")).collect();
    owners.iter_mut().for_each(Owner::take_up);
    check(&protocol);
}

/// Those of one kind find each other, whether their owners have taken up what is new or not.
fn check(protocol: &ClaimProtocol) {
    for contact in 0..CONTACTS {
        match protocol.view_contact(contact) {
            ContactView::Waiting => {
                for agent in (0..AGENTS).filter(|agent| kind_of_agent(*agent) == kind_of_contact(contact)) {
                    assert!(protocol.view_agent(agent) != AgentView::Ready, "contact {contact} waits and agent {agent} is free");
                }
            }
            ContactView::Offered(AgentId(agent)) => {
                assert_eq!(kind_of_agent(agent), kind_of_contact(contact), "contact {contact} is offered to agent {agent}");
            }
            ContactView::Gone | ContactView::Served => {}
        }
    }
}
