//! Joint requests under shuttle: owners with a contact that wants two agents and some that want one, and what must hold at rest.

use std::sync::Arc;
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::acd::claim::{AgentView, ContactView};
use crate::acd::joint::{Joint, Patience};
use crate::acd::matcher::{Size, Standing};
use crate::acd::routing_table::{DemandId, RoutingTable};
use crate::acd::{ContactSlot, Matcher};
use crate::base::{AgentId, QueueId, Time};
use crate::modelled::start_over;
use crate::people::{agents_of, directory};

const OWNERS: u32 = 2;
/// Two for the request, then those who want one agent.
const SLOTS_EACH: u32 = 4;
const MOVES: u32 = 8;
const AGENTS: [&[u32]; 4] = [&[0], &[1], &[0, 1], &[1]];
const QUEUES: [&[u32]; 2] = [&[0], &[1]];

fn may(agent: u32, queue: usize) -> bool {
    AGENTS[agent as usize].contains(&QUEUES[queue][0])
}

struct Owner {
    number: u32,
    matcher: Arc<Matcher>,
    joint: Option<Joint>,
    patience: Patience,
    moves: u32,
}

impl Owner {
    fn now(&self) -> Time {
        Time::from_secs(u64::from(1000 + self.moves))
    }

    fn slot(&self, place: u32) -> ContactSlot {
        ContactSlot(self.number * SLOTS_EACH + place)
    }

    fn demands(&self) -> [DemandId; 2] {
        [0, 1].map(|queue| self.matcher.routing_table().demand(QueueId(queue), None, 0).expect("the queue has a demand"))
    }

    fn agents(&self) -> impl Iterator<Item = u32> + use<> {
        agents_of(self.number, OWNERS, AGENTS.len())
    }

    /// Agents that a request has let go learn it from their state words.
    fn listen(&mut self) {
        self.matcher.woken_agents(self.number as u16, |_| {});
        let mut again = self.matcher.take_joint_wake_up(self.number as u16);
        let own = [self.slot(0), self.slot(1)];
        self.matcher.woken_contacts(self.number as u16, |slot| again |= own.contains(&slot));
        let now = self.now();
        if let Some(joint) = self.joint.as_mut().filter(|_| again) {
            self.matcher.step(joint, now, &mut |_| {});
        }
    }

    fn make_a_move(&mut self) {
        let mut random = thread_rng();
        self.listen();
        self.moves += 1;
        let choice = random.gen_range(0..4);
        let agents: Vec<u32> = self.agents().collect();
        match random.gen_range(0..4) {
            0 => self.move_joint(choice),
            1 => self.move_single(self.slot(2 + random.gen_range(0..2)), choice),
            _ => self.move_agent(agents[random.gen_range(0..agents.len())], choice),
        }
    }

    fn move_joint(&mut self, choice: u32) {
        let (now, queue) = (self.now(), QueueId(0));
        let Some(mut joint) = self.joint.take() else {
            let key = self.matcher.key(now, Duration::ZERO, false);
            let slots = [self.slot(0), self.slot(1)];
            let joint = self.matcher.arrive_jointly(queue, slots, self.demands(), key, self.patience, now, &mut |_| {});
            self.joint = Some(joint);
            return;
        };
        match choice {
            0 => return self.matcher.leave_jointly(joint, &mut |_| {}),
            1 if joint.is_together() => {
                let both = self.matcher.accept_jointly(&joint).expect("they are reserved");
                assert!(both[0] != both[1] && may(both[0].0, 0) && may(both[1].0, 1), "{both:?} are not one of each kind");
                return;
            }
            2 if joint.is_together() => self.matcher.put_back_jointly(&mut joint, now, &mut |_| {}),
            _ => self.matcher.step(&mut joint, now, &mut |_| {}),
        }
        self.joint = Some(joint);
    }

    fn move_single(&self, slot: ContactSlot, choice: u32) {
        let queue = choice % 2;
        match (self.matcher.contact(slot), choice) {
            (ContactView::Gone | ContactView::Served, _) => {
                let key = self.matcher.key(self.now(), Duration::ZERO, false);
                let demand = self.demands()[queue as usize];
                self.matcher.arrive(slot, QueueId(queue), 100, demand, key, self.now()).expect("there is room");
            }
            (ContactView::Offered(_), 0..2) => drop(self.matcher.accept(slot)),
            (ContactView::Waiting | ContactView::Offered(_), 0..3) => drop(self.matcher.leave(slot)),
            _ => {}
        }
    }

    fn move_agent(&self, agent: u32, choice: u32) {
        let id = AgentId(agent);
        let enter_index = || {
            self.matcher.set_standing(id, Some(Standing::Free));
            self.matcher.ready(id, self.now(), Duration::ZERO);
        };
        match self.matcher.agent(id) {
            AgentView::Busy => enter_index(),
            AgentView::Ready if choice == 0 => drop(self.matcher.pause(id)),
            AgentView::Held { offered: false, .. } => {
                self.matcher.release(id);
                enter_index();
            }
            AgentView::Ready | AgentView::Held { .. } => {}
        }
    }
}

/// One play.
pub(crate) fn play() {
    start_over();
    let (agents, queues) = (AGENTS.len() as u32, QUEUES.len() as u32);
    let size = Size { shards: OWNERS as u16, contacts_per_shard: SLOTS_EACH, agents, queues, agencies: 0 };
    let table = RoutingTable::new(&directory(&AGENTS, &QUEUES), 1);
    let matcher = Arc::new(Matcher::new(size, table, |agent| (agent.0 % OWNERS) as u16));
    let mut random = thread_rng();
    let looks = Duration::from_secs(random.gen_range(0..2) * 1000);
    let patience = Patience { looks, holds: Duration::from_secs(random.gen_range(0..3)) };
    let threads: Vec<_> = (0..OWNERS)
        .map(|number| {
            let mut owner = Owner { number, matcher: matcher.clone(), joint: None, patience, moves: 0 };
            thread::spawn(move || {
                for _ in 0..MOVES {
                    owner.make_a_move();
                }
                owner
            })
        })
        .collect();
    let mut owners: Vec<Owner> = threads.into_iter().map(|thread| thread.join().expect("an owner failed")).collect();
    while (0..OWNERS).any(|owner| matcher.has_wake_ups(owner as u16)) {
        owners.iter_mut().for_each(Owner::listen);
    }
    check(&matcher, &owners);
}

fn check(matcher: &Matcher, owners: &[Owner]) {
    let free: Vec<u32> = (0..AGENTS.len() as u32).filter(|agent| matcher.agent(AgentId(*agent)) == AgentView::Ready).collect();
    let table = matcher.routing_table();
    for slot in (0..OWNERS * SLOTS_EACH).map(ContactSlot) {
        let ContactView::Waiting = matcher.contact(slot) else { continue };
        let demand = matcher.demand_of_contact(slot).expect("it waits");
        for agent in &free {
            let group = table.group(AgentId(*agent)).expect("the agent has a skill group");
            assert!(!table.serves(group, demand), "{slot:?} waits and agent {agent} is free");
        }
    }
    let mut holders = 0;
    for owner in owners {
        let Some(joint) = &owner.joint else { continue };
        let views = [0, 1].map(|place| matcher.contact(owner.slot(place)));
        let offered = views.map(|view| matches!(view, ContactView::Offered(_)));
        assert_eq!(joint.is_together(), offered == [true, true], "{joint:?}, and {views:?}");
        holders += u32::from(offered[0] != offered[1]);
        if let [ContactView::Gone | ContactView::Served, ContactView::Gone | ContactView::Served] = views {
            let pair = free.iter().any(|a| may(*a, 0) && free.iter().any(|b| b != a && may(*b, 1)));
            assert!(!pair, "{joint:?}, and {free:?} are free");
        }
    }
    assert!(holders <= 1, "{holders} requests hold one agent each");
}
