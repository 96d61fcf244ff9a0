//! Loans under shuttle: the matcher as engines use it, agencies that lend one agent at a time, owners that do at random
//! what owners do, and what must hold at every moment and at rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::acd::claim::{AgentView, ContactView, Key, Left};
use crate::acd::loan::Lending;
use crate::acd::matcher::{Size, Standing};
use crate::acd::routing_table::{DemandId, RoutingTable};
use crate::acd::{ContactSlot, Matcher};
use crate::base::{AgencyId, AgentId, QueueId, Time};
use crate::modelled::{start_over, stopped_after};
use crate::people::{agents_of, contacts_of, lenders};

const OWNERS: u32 = 2;
const CONTACTS_EACH: u32 = 2;
const CONTACTS: u32 = OWNERS * CONTACTS_EACH;

const ONE: Option<Lending> = Some(Lending { at_most: 1, own_percent: 0 });

/// Who is there, and what has happened already.
pub(crate) struct Scene {
    /// By agent: its pools.
    agents: &'static [&'static [u32]],
    /// By queue: its pools.
    queues: &'static [&'static [u32]],
    /// Agents and queues after the directory has changed.
    later: Option<[&'static [&'static [u32]]; 2]>,
    lending: &'static [Option<Lending>],
    /// The queues that these contacts have joined, all agents being ready. The first has been answered.
    joined: &'static [(ContactSlot, QueueId)],
    moves: u32,
    /// The owner that is stopped somewhere. It has no agents who might be lent.
    stopped: Option<u32>,
}

/// Two agents of agency 0, of whom one may be lent at a time, and one each of agencies 1 and 2; the last lends, too.
pub(crate) const ALIKE: Scene = Scene {
    agents: &[&[0], &[0], &[1], &[2]],
    queues: &[&[0], &[1, 0], &[2, 0, 1]],
    later: None,
    lending: &[ONE, None, ONE],
    joined: &[],
    moves: 8,
    stopped: None,
};

/// Agency 0 has three agents who differ, and may lend one at a time. One is on loan, and the others are wanted elsewhere.
pub(crate) const UNLIKE: Scene = Scene {
    agents: &[&[0, 3], &[0, 4], &[0, 5]],
    queues: &[&[0], &[1, 3], &[1, 4], &[1, 5]],
    later: None,
    lending: &[ONE, None],
    joined: &[(ContactSlot(0), QueueId(3)), (ContactSlot(2), QueueId(1))],
    moves: 4,
    stopped: None,
};

/// Agency 0 has two agents. One is on loan, and the other is wanted elsewhere. Both have the same owner, and another owner is stopped
/// somewhere.
pub(crate) const STOPPED: Scene = Scene {
    agents: &[&[0], &[1], &[0]],
    queues: &[&[0], &[2, 0]],
    later: None,
    lending: &[ONE, None, None],
    joined: &[(ContactSlot(0), QueueId(1)), (ContactSlot(1), QueueId(1))],
    moves: 2,
    stopped: Some(1),
};

/// Agency 0 has four agents, of whom one is on loan. It loses one, and another is not wanted any more where it was.
pub(crate) const CHANGED: Scene = Scene {
    agents: &[&[0, 5], &[0, 4], &[0, 5], &[0, 5]],
    queues: &[&[0], &[2, 5], &[2, 4]],
    later: Some([&[&[1], &[0, 4], &[0, 3], &[0, 5]], &[&[0], &[2, 5], &[2, 4, 3]]]),
    lending: &[ONE, None, None],
    joined: &[(ContactSlot(0), QueueId(2)), (ContactSlot(1), QueueId(1))],
    moves: 4,
    stopped: None,
};

struct Owner {
    number: u32,
    scene: &'static Scene,
    matcher: Arc<Matcher>,
    moves: u32,
    version: u64,
    /// By contact: its queue and its key.
    joined: BTreeMap<ContactSlot, (QueueId, Key)>,
    /// Contacts that were answered, and by whom, in a queue of which agency.
    answered: BTreeSet<(ContactSlot, AgentId, u32)>,
}

impl Owner {
    fn contacts(&self) -> std::ops::Range<u32> {
        contacts_of(self.number, CONTACTS_EACH)
    }

    fn agents(&self) -> impl Iterator<Item = u32> + use<> {
        agents_of(self.number, OWNERS, self.scene.agents.len())
    }

    fn demand(&self, queue: QueueId) -> DemandId {
        self.matcher.routing_table().demand(queue, None, 0).expect("the queue has a demand")
    }

    fn listen(&self) {
        while self.matcher.has_wake_ups(self.number as u16) {
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
    }

    /// What has changed in the directory is taken up.
    fn take_up(&mut self) {
        let version = self.matcher.routing_table().version();
        if version == self.version {
            return;
        }
        self.version = version;
        self.agents().for_each(|agent| self.matcher.regroup(AgentId(agent)));
        for (slot, (queue, key)) in &self.joined {
            self.matcher.relax(*slot, self.demand(*queue), *key);
        }
        self.matcher.acknowledge(self.number as u16, version);
    }

    fn enter_index(&self, agent: u32) {
        self.matcher.set_standing(AgentId(agent), Some(Standing::Free));
        self.matcher.ready(AgentId(agent), Time::from_secs(u64::from(self.moves)), std::time::Duration::ZERO);
    }

    fn make_a_move(&mut self) {
        let mut random = thread_rng();
        self.listen();
        self.take_up();
        self.moves += 1;
        let moves = |agent: &u32| !matches!(self.matcher.agent(AgentId(*agent)), AgentView::Held { offered: true, .. });
        let agents = self.agents().filter(moves).map(|a| (false, a));
        let parties: Vec<(bool, u32)> = self.contacts().map(|c| (true, c)).chain(agents).collect();
        let (is_contact, party) = parties[random.gen_range(0..parties.len())];
        let choice = random.gen_range(0..3);
        if is_contact {
            self.move_contact(ContactSlot(party), QueueId(random.gen_range(0..self.scene.queues.len() as u32)), choice);
        } else {
            self.move_agent(party, choice);
        }
        for agency in 0..self.scene.lending.len() as u32 {
            if let Some((on_loan, limit)) = self.matcher.on_loan(AgencyId(agency)) {
                assert!(on_loan <= 1, "agency {agency} has {on_loan} on loan, and lends {limit}");
            }
        }
    }

    fn join(&mut self, slot: ContactSlot, queue: QueueId) {
        let (since, key) = self.joins(slot, queue);
        self.matcher.arrive(slot, queue, 100, self.demand(queue), key, since).expect("there is room");
    }

    fn joins(&mut self, slot: ContactSlot, queue: QueueId) -> (Time, Key) {
        let since = Time::from_secs(u64::from(100 + self.moves));
        let key = self.matcher.key(since, std::time::Duration::ZERO, false);
        self.joined.insert(slot, (queue, key));
        (since, key)
    }

    fn move_contact(&mut self, slot: ContactSlot, queue: QueueId, choice: u32) {
        match (self.matcher.contact(slot), choice) {
            (ContactView::Gone | ContactView::Served, _) => self.join(slot, queue),
            (ContactView::Waiting | ContactView::Offered(_), 0) => {
                if let Left::WasOffered(agent) = self.matcher.leave(slot) {
                    self.forget(slot, agent);
                }
            }
            (ContactView::Waiting, _) => {
                // Only where it still waits does it move to the other queue.
                let (old, key) = self.joined[&slot];
                self.joins(slot, queue);
                if !self.matcher.relax(slot, self.demand(queue), self.joined[&slot].1) {
                    self.joined.insert(slot, (old, key));
                }
            }
            (ContactView::Offered(_), 1) => {
                let agent = self.matcher.accept(slot).expect("only its owner ends an offer");
                self.forget(slot, agent);
                self.answered.insert((slot, agent, self.scene.queues[self.joined[&slot].0.index()][0]));
            }
            (ContactView::Offered(_), _) => {
                let key = self.joins(slot, queue).1;
                let agent = self.matcher.put_back(slot, self.demand(queue), key).expect("only its owner ends an offer");
                self.forget(slot, agent);
            }
        }
    }

    fn forget(&mut self, slot: ContactSlot, agent: AgentId) {
        self.answered.retain(|(known, by, _)| (*known, *by) != (slot, agent));
    }

    fn move_agent(&self, agent: u32, choice: u32) {
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

/// What has happened before.
fn begin(owners: &mut [Owner]) {
    for (at, (slot, queue)) in owners[0].scene.joined.iter().enumerate() {
        if at == 0 {
            owners.iter().for_each(|owner| owner.agents().for_each(|agent| owner.enter_index(agent)));
        }
        owners[(slot.0 / CONTACTS_EACH) as usize].join(*slot, *queue);
        owners.iter().for_each(Owner::listen);
        if at == 0 {
            owners[0].matcher.accept(*slot).expect("somebody is free");
        }
    }
}

/// One play.
pub(crate) fn play(scene: &'static Scene) {
    start_over();
    let Scene { agents, queues, lending, .. } = scene;
    let table = RoutingTable::new(&lenders(agents, queues, lending), 1);
    let (agents, queues, agencies) = (agents.len() as u32, queues.len() as u32, lending.len() as u32);
    let size = Size { shards: OWNERS as u16, contacts_per_shard: CONTACTS_EACH, agents, queues, agencies };
    let matcher = Arc::new(Matcher::new(size, table, |agent| (agent.0 % OWNERS) as u16));
    for agent in 0..agents {
        matcher.set_standing(AgentId(agent), Some(Standing::Break));
    }
    let owner = |number| {
        let (matcher, joined) = (matcher.clone(), BTreeMap::new());
        Owner { number, scene, matcher, moves: 0, version: 1, joined, answered: BTreeSet::new() }
    };
    let mut owners: Vec<Owner> = (0..OWNERS).map(owner).collect();
    begin(&mut owners);
    let publisher = thread_rng().gen_range(0..OWNERS);
    let threads = owners.into_iter().map(|mut owner| {
        thread::spawn(move || {
            let writes = (scene.stopped == Some(owner.number)).then(|| thread_rng().gen_range(1..60));
            stopped_after(writes, || {
                for turn in 0..scene.moves {
                    owner.make_a_move();
                    if let Some([agents, queues]) = scene.later.filter(|_| publisher == owner.number && turn == scene.moves / 2) {
                        owner.matcher.publish(&lenders(agents, queues, scene.lending), 2).expect("there is room");
                    }
                }
            });
            owner
        })
    });
    let threads: Vec<_> = threads.collect();
    let mut owners: Vec<Owner> = threads.into_iter().map(|thread| thread.join().expect("an owner failed")).collect();
    owners.retain(|owner| scene.stopped != Some(owner.number));
    owners.iter_mut().for_each(Owner::take_up);
    // Each loan may make another possible, of an agent of the other owner.
    while owners.iter().any(|owner| matcher.has_wake_ups(owner.number as u16)) {
        owners.iter().for_each(Owner::listen);
    }
    check(scene, &matcher, &owners);
}

fn check(scene: &Scene, matcher: &Matcher, owners: &[Owner]) {
    let agents = || (0..scene.agents.len() as u32).map(AgentId);
    let table = matcher.routing_table();
    // Not known of an agent that has moved to another agency.
    let is_loan = |agent: AgentId, to: u32| {
        let home = scene.agents[agent.index()][0];
        let moved = scene.later.is_some_and(|[agents, _]| agents[agent.index()][0] != home);
        (!moved).then(|| to != home && scene.lending[home as usize].is_some())
    };
    for contact in (0..CONTACTS).filter(|contact| scene.stopped != Some(contact / CONTACTS_EACH)) {
        let ContactView::Waiting = matcher.contact(ContactSlot(contact)) else { continue };
        let demand = matcher.demand_of_contact(ContactSlot(contact)).expect("it waits");
        for agent in agents() {
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
    for agent in agents() {
        let AgentView::Held { contact, offered: true } = matcher.agent(agent) else { continue };
        let Some(owner) = owners.iter().find(|owner| owner.contacts().contains(&contact.0)) else { continue };
        let queue = scene.queues[owner.joined[&contact].0.index()];
        let lent = is_loan(agent, queue[0]);
        assert!(
            lent.is_none_or(|lent| matcher.has_permit(agent) == lent),
            "agent {} has a permit if it is on loan, and else none",
            agent.0
        );
    }
    for (slot, agent, agency) in owners.iter().flat_map(|owner| &owner.answered) {
        let talks = matcher.agent(*agent) == AgentView::Held { contact: *slot, offered: false };
        let lent = is_loan(*agent, *agency) == Some(true);
        assert!(!talks || !lent || matcher.has_permit(*agent), "agent {} is on loan and has no permit", agent.0);
    }
    for agency in (0..scene.lending.len() as u32).map(AgencyId) {
        let Some((on_loan, _)) = matcher.on_loan(agency) else { continue };
        let with_permit = agents().filter(|agent| scene.agents[agent.index()][0] == agency.0);
        // One who is free, or on a break, has given it back.
        let with_permit: Vec<AgentId> = with_permit.filter(|agent| matcher.has_permit(*agent)).collect();
        assert_eq!(with_permit.len() as u32, on_loan, "of agency {}", agency.0);
        for agent in with_permit {
            assert!(matcher.agent(agent) != AgentView::Ready, "agent {} is free and has a permit", agent.0);
        }
    }
}
