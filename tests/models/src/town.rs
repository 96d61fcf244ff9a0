//! A small town to model: a few agents, contacts and demands, what its threads do, and what must hold when they are done.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use loom::thread;

use crate::acd::claim::{AgentView, ClaimProtocol, ContactView, Key};
use crate::acd::routing_table::{DemandId, Directory, RoutingTable, SkillGroupId};
use crate::base::{AgentId, QueueId, Time};
use crate::modelled::stopped_after;
use crate::people::directory;

/// What a thread does to a party that it owns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    /// The contact joins the demand of a queue; its key is its number.
    Arrive(u32, u32),
    /// The contact joins an agent's own demand.
    Prefer(u32, u32),
    /// The contact leaves, whatever it is.
    Leave(u32),
    /// The contact is answered if it is offered, and leaves if it waits.
    AcceptOrLeave(u32),
    /// The contact is put back if it is offered, into the demand of a queue.
    PutBack(u32, u32),
    /// The contact moves to the demand of another queue.
    Relax(u32, u32),
    /// The agent enters its skill group.
    Ready(u32),
    /// The agent leaves its skill group.
    Pause(u32),
    /// The agent enters its skill group again, if it is held by a contact that is not offered to it any more.
    Return(u32),
    /// The next routing table is put in force.
    Publish,
    /// The agent moves to the skill group that the routing table in force gives it.
    Regroup(u32),
}

impl Op {
    fn contact(self) -> Option<u32> {
        match self {
            Op::Arrive(contact, _)
            | Op::Prefer(contact, _)
            | Op::Leave(contact)
            | Op::AcceptOrLeave(contact)
            | Op::PutBack(contact, _)
            | Op::Relax(contact, _) => Some(contact),
            Op::Ready(_) | Op::Pause(_) | Op::Return(_) | Op::Publish | Op::Regroup(_) => None,
        }
    }

    fn agent(self) -> Option<u32> {
        match self {
            Op::Ready(agent) | Op::Pause(agent) | Op::Return(agent) | Op::Regroup(agent) => Some(agent),
            _ => None,
        }
    }
}

/// A model: who is there, what happened before, and what happens at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    pub(crate) name: &'static str,
    /// By agent: its pools.
    pub(crate) agents: &'static [&'static [u32]],
    /// By agent: its pools after [`Op::Publish`].
    pub(crate) then: &'static [&'static [u32]],
    /// By queue: its pools.
    pub(crate) queues: &'static [&'static [u32]],
    /// By the main thread, before the others begin.
    pub(crate) before: &'static [Op],
    /// By a thread each.
    pub(crate) threads: &'static [&'static [Op]],
    /// By the main thread, when the others are done or stopped: further looks at the demand.
    pub(crate) after: &'static [Op],
    /// Of these two contacts the second must not be offered while the first waits.
    pub(crate) in_order: Option<(u32, u32)>,
}

const CONTACTS: u32 = 3;

struct Town {
    protocol: ClaimProtocol,
    next: Mutex<Option<Directory>>,
}

impl Town {
    fn new(model: &Model) -> Self {
        let table = RoutingTable::new(&directory(model.agents, model.queues), 1);
        let next = (!model.then.is_empty()).then(|| directory(model.then, model.queues));
        Town { protocol: ClaimProtocol::new(vec![0; model.agents.len()], CONTACTS, 1, table), next: Mutex::new(next) }
    }

    fn demand(&self, queue: u32) -> DemandId {
        self.protocol.routing_table().demand(QueueId(queue), None, 0).expect("the queue has a demand")
    }

    fn group(&self, agent: u32) -> SkillGroupId {
        self.protocol.routing_table().group(AgentId(agent)).expect("the agent has a skill group")
    }

    fn key(contact: u32) -> Key {
        Key::new(Time::from_secs(100 + u64::from(contact)), contact, false)
    }

    fn perform(&self, op: Op) {
        let enter_index = |agent: u32| self.protocol.ready(agent, self.group(agent), Time::from_secs(u64::from(agent)), 0);
        match op {
            Op::Arrive(contact, queue) => self.protocol.arrive(contact, self.demand(queue), Self::key(contact)),
            Op::Prefer(contact, agent) => {
                self.protocol.arrive(contact, DemandId::of_agent(AgentId(agent)), Self::key(contact));
            }
            Op::Leave(contact) => drop(self.protocol.leave(contact)),
            Op::AcceptOrLeave(contact) => {
                if self.protocol.accept(contact).is_none() {
                    self.protocol.leave(contact);
                }
            }
            Op::PutBack(contact, queue) => drop(self.protocol.put_back(contact, self.demand(queue), Self::key(contact))),
            Op::Relax(contact, queue) => drop(self.protocol.relax(contact, self.demand(queue), Self::key(contact))),
            Op::Ready(agent) => enter_index(agent),
            Op::Pause(agent) => drop(self.protocol.pause(agent)),
            Op::Return(agent) => {
                if let AgentView::Held { offered: false, .. } = self.protocol.view_agent(agent) {
                    self.protocol.release(agent);
                    enter_index(agent);
                }
            }
            Op::Publish => {
                let next = self.next.lock().ok().and_then(|mut next| next.take());
                if let Some(next) = next {
                    self.protocol.publish(&next, 2).expect("there is room");
                }
            }
            Op::Regroup(agent) => self.protocol.regroup(agent, self.group(agent)),
        }
    }
}

/// Plays `model` once, in the order that loom wants; the thread `stopped.0` is stopped after so many writes. Whether it was.
pub(crate) fn play(model: Model, stopped: Option<(usize, u32)>) -> bool {
    let town = Arc::new(Town::new(&model));
    for op in model.before {
        town.perform(*op);
    }
    let threads: Vec<_> = model
        .threads
        .iter()
        .enumerate()
        .map(|(number, ops)| {
            let town = town.clone();
            let writes = stopped.filter(|(thread, _)| *thread == number).map(|(_, writes)| writes);
            thread::spawn(move || stopped_after(writes, || ops.iter().for_each(|op| town.perform(*op))))
        })
        .collect();
    let done: Vec<bool> = threads.into_iter().map(|thread| thread.join().expect("a thread of the model failed")).collect();
    for op in model.after {
        town.perform(*op);
    }
    check(&town, &model, &done);
    !done.iter().all(|done| *done)
}

/// What must hold when all threads are done or stopped. A stopped thread's own parties may be left behind; nobody else's may.
fn check(town: &Town, model: &Model, done: &[bool]) {
    let protocol = &town.protocol;
    let left_behind = |party: &dyn Fn(Op) -> Option<u32>| -> BTreeSet<u32> {
        let stopped = model.threads.iter().zip(done).filter(|(_, done)| !**done);
        stopped.flat_map(|(ops, _)| ops.iter().filter_map(|op| party(*op))).collect()
    };
    let (contacts_behind, agents_behind) = (left_behind(&Op::contact), left_behind(&Op::agent));
    let agents = 0..model.agents.len() as u32;

    let (mut told_contacts, mut told_agents) = (BTreeSet::new(), BTreeSet::new());
    protocol.contact_wake_ups.drain(0, |contact| drop(told_contacts.insert(contact)));
    protocol.agent_wake_ups.drain(0, |agent| drop(told_agents.insert(agent)));

    for contact in 0..CONTACTS {
        let ContactView::Offered(agent) = protocol.view_contact(contact) else { continue };
        if protocol.is_claimed(agent.0) {
            // A thread that scanned the demand since has finished the claim; the owner of its agent is stopped.
            let excused = contacts_behind.contains(&contact) || (model.after.is_empty() && agents_behind.contains(&agent.0));
            assert!(excused, "the offer of contact {contact} to agent {} was never finished", agent.0);
            continue;
        }
        match protocol.view_agent(agent.0) {
            AgentView::Held { contact: by, offered } => {
                assert!(by.0 == contact && offered, "contact {contact} is offered to an agent whom another holds");
                assert!(told_contacts.contains(&contact), "the owner of contact {contact} was not told of its offer");
                assert!(told_agents.contains(&agent.0), "the owner of agent {} was not told of its offer", agent.0);
            }
            other => panic!("contact {contact} is offered to agent {}, who is {other:?}", agent.0),
        }
    }

    let table = protocol.routing_table().clone();
    // While routing tables change, a claim by the old one is possible.
    for contact in (0..CONTACTS).filter(|_| model.then.is_empty()) {
        let Some((demand, group)) = protocol.offered_from(contact) else { continue };
        let serves = demand.agent().is_some() || table.serves(group, demand);
        assert!(serves, "contact {contact} is offered to one who may not serve its demand");
    }
    for contact in (0..CONTACTS).filter(|contact| !contacts_behind.contains(contact)) {
        let Some(demand) = protocol.demand_of_waiting(contact) else { continue };
        for agent in agents.clone().filter(|agent| !agents_behind.contains(agent)) {
            let Some(group) = protocol.group_of_ready(agent) else { continue };
            let serves = demand.agent().map_or_else(|| table.serves(group, demand), |own| own.0 == agent);
            assert!(!serves, "contact {contact} waits and agent {agent} is free");
        }
    }

    if let Some((first, second)) = model.in_order {
        let waits = protocol.view_contact(first) == ContactView::Waiting && !contacts_behind.contains(&first);
        let overtaken = waits && matches!(protocol.view_contact(second), ContactView::Offered(_));
        assert!(!overtaken, "contact {second} went before {first}");
    }
}
