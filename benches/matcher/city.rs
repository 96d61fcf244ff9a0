//! The city that is measured, and what is done in it.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hotline::acd::claim::AgentView;
use hotline::acd::matcher::{Matcher, Size};
use hotline::acd::queue::{QueueRules, RelaxationStep};
use hotline::acd::routing_table::{AgentProfile, DemandId, Directory, RoutingTable};
use hotline::acd::{ContactSlot, Key};
use hotline::base::seed::Seed;
use hotline::base::{AgentId, PoolId, QueueId, Time};

/// One size of city.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) waiting: u32,
    pub(crate) agents: u32,
    pub(crate) queues: u32,
    pub(crate) queues_an_agent: u32,
    /// A few queues have most of the contacts, as one over their rank, instead of all having as many.
    pub(crate) skewed: bool,
}

impl Cell {
    /// Each queue has two demands, one of them for contacts that have waited long: 20 demands an agent.
    pub(crate) const BASE: Cell = Cell { waiting: 10_000, agents: 5_000, queues: 300, queues_an_agent: 10, skewed: false };
}

/// How many distinct profiles agents have.
const PROFILES: u32 = 50;
const START: Time = Time::from_secs(1_000_000);

/// Who is there, and which queues agents may serve.
pub(crate) struct City {
    pub(crate) cell: Cell,
    /// By profile: its queues.
    pub(crate) profiles: Vec<Vec<u32>>,
    /// By queue: the profiles that serve it.
    pub(crate) served_by: Vec<Vec<u32>>,
    pub(crate) directory: Directory,
    /// By contact who waits from the start: the queue.
    queue_of: Vec<u32>,
}

impl City {
    pub(crate) fn new(cell: &Cell) -> Self {
        let half = cell.queues / 2;
        let profile = |n: u32| -> Vec<u32> {
            // The first half of the profiles serves the crowded queues, the other the idle ones; neighbours overlap.
            let (first, place) = if n < PROFILES / 2 { (0, n) } else { (half, n - PROFILES / 2) };
            let step = (half / (PROFILES / 2)).max(1);
            (0..cell.queues_an_agent.min(half)).map(|k| first + (place * step + k) % half).collect()
        };
        let profiles: Vec<Vec<u32>> = (0..PROFILES).map(profile).collect();
        let mut served_by = vec![Vec::new(); cell.queues as usize];
        for (n, queues) in (0..).zip(&profiles) {
            for queue in queues {
                served_by[*queue as usize].push(n);
            }
        }
        let queue = |n: u32| {
            let relaxation = vec![RelaxationStep { after: Duration::from_secs(60), lower_levels_by: 1, more_pools: Vec::new() }];
            Some(QueueRules { name: format!("q{n}").into(), pools: vec![PoolId(n)], relaxation, ..QueueRules::default() })
        };
        let agent = |n: u32| {
            let pools = profiles[(n % PROFILES) as usize].iter().map(|queue| PoolId(*queue)).collect();
            Some(AgentProfile { name: format!("a{n}").into(), pools, ..AgentProfile::default() })
        };
        let directory = Directory {
            queues: (0..cell.queues).map(queue).collect(),
            agents: (0..cell.agents).map(agent).collect(),
            languages: Vec::new(),
            lending: Vec::new(),
            agent_slots_from: None,
        };
        // Only queues that somebody serves have callers.
        let crowded: Vec<u32> = (0..half).filter(|queue| !served_by[*queue as usize].is_empty()).collect();
        let mut seed = Seed::from_number(1);
        let pick = |n: u32, seed: &mut Seed| {
            let place = if cell.skewed { ((crowded.len() as f64).powf(seed.unit()) - 1.0) as usize } else { n as usize };
            crowded[place % crowded.len()]
        };
        let queue_of = (0..cell.waiting).map(|n| pick(n, &mut seed)).collect();
        City { cell: *cell, profiles, served_by, directory, queue_of }
    }

    /// Its routing table.
    pub(crate) fn routing_table(&self) -> RoutingTable {
        RoutingTable::new(&self.directory, 1)
    }

    /// Contacts wait in the crowded queues, whose agents are busy; those of the idle queues are free.
    pub(crate) fn fill(&self, matching: &mut dyn Matching) {
        for (slot, queue) in (0..).zip(&self.queue_of) {
            matching.arrive(slot, *queue, u64::from(slot));
        }
        for agent in (0..self.cell.agents).filter(|agent| agent % PROFILES >= PROFILES / 2) {
            matching.ready(agent, u64::from(agent));
        }
    }

    /// A slot that nobody has from the start.
    fn spare(&self) -> u32 {
        self.cell.waiting
    }

    /// A busy agent, another each turn.
    fn busy_agent(&self, turn: u64) -> u32 {
        let groups = u64::from(self.cell.agents / PROFILES).max(1);
        ((turn / u64::from(PROFILES / 2)) % groups) as u32 * PROFILES + (turn % u64::from(PROFILES / 2)) as u32
    }

    /// An idle queue that somebody serves, another each turn.
    fn idle_queue(&self, turn: u64) -> u32 {
        let profile = &self.profiles[(u64::from(PROFILES / 2) + turn % u64::from(PROFILES / 2)) as usize];
        profile[turn as usize % profile.len()]
    }
}

/// The shard of an agent: each has agents of each profile.
fn owner_of(agent: u32, shards: u16) -> u16 {
    (agent / PROFILES % u32::from(shards)) as u16
}

/// A matcher, as it is measured. Times are microseconds after the start; each contact is in the slot of its number.
pub(crate) trait Matching {
    fn arrive(&mut self, slot: u32, queue: u32, at: u64);
    /// The agent to whom the contact is offered answers; which one.
    fn accept(&mut self, slot: u32) -> Option<u32>;
    fn leave(&mut self, slot: u32);
    /// The contact moves to the relaxed demand of its queue, or back.
    fn relax(&mut self, slot: u32, queue: u32, at: u64, wide: bool);
    fn ready(&mut self, agent: u32, at: u64);
    /// Who is offered to the agent.
    fn offered(&mut self, agent: u32) -> Option<u32>;
    /// The agent's talk is over.
    fn release(&mut self, agent: u32);
}

/// Hotline's own.
pub(crate) struct Ours {
    pub(crate) matcher: Arc<Matcher>,
    table: Arc<RoutingTable>,
}

impl Ours {
    pub(crate) fn new(city: &City) -> Self {
        Ours::for_shards(city, 1)
    }

    fn for_shards(city: &City, shards: u16) -> Self {
        let Cell { waiting, agents, queues, .. } = city.cell;
        let size = Size { shards, contacts_per_shard: (waiting + 64).div_ceil(u32::from(shards)), agents, queues, agencies: 1 };
        let matcher = Arc::new(Matcher::new(size, city.routing_table(), |agent| owner_of(agent.0, shards)));
        let table = matcher.routing_table();
        Ours { matcher, table }
    }

    fn demand(&self, queue: u32, step: usize) -> DemandId {
        self.table.demand(QueueId(queue), None, step).expect("the queue has a demand")
    }

    fn key(&self, at: u64) -> Key {
        self.matcher.key(START + Duration::from_micros(at), Duration::ZERO, false)
    }

    fn quiet(&self) {
        self.matcher.woken_contacts(0, |_| {});
        self.matcher.woken_agents(0, |_| {});
    }
}

impl Matching for Ours {
    fn arrive(&mut self, slot: u32, queue: u32, at: u64) {
        let (demand, key) = (self.demand(queue, 0), self.key(at));
        self.matcher.arrive(ContactSlot(slot), QueueId(queue), u32::MAX, demand, key, START).expect("there is room");
    }

    fn accept(&mut self, slot: u32) -> Option<u32> {
        let agent = self.matcher.accept(ContactSlot(slot)).map(|agent| agent.0);
        self.quiet();
        agent
    }

    fn leave(&mut self, slot: u32) {
        self.matcher.leave(ContactSlot(slot));
    }

    fn relax(&mut self, slot: u32, queue: u32, at: u64, wide: bool) {
        let (demand, key) = (self.demand(queue, usize::from(wide)), self.key(at));
        self.matcher.relax(ContactSlot(slot), demand, key);
    }

    fn ready(&mut self, agent: u32, at: u64) {
        self.matcher.ready(AgentId(agent), START + Duration::from_micros(at), Duration::ZERO);
    }

    fn offered(&mut self, agent: u32) -> Option<u32> {
        match self.matcher.agent(AgentId(agent)) {
            AgentView::Held { contact, .. } => Some(contact.0),
            _ => None,
        }
    }

    fn release(&mut self, agent: u32) {
        self.matcher.release(AgentId(agent));
    }
}

/// Later than all who wait from the start.
fn later(city: &City, turn: u64) -> u64 {
    10 * u64::from(city.cell.waiting + city.cell.agents) + 2 * turn
}

fn timed(f: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    f();
    begun.elapsed()
}

pub(crate) fn arrival_that_matches(matching: &mut dyn Matching, city: &City, turn: u64) -> Duration {
    let (slot, queue, at) = (city.spare(), city.idle_queue(turn), later(city, turn));
    let span = timed(|| matching.arrive(slot, queue, at));
    let agent = matching.accept(slot).expect("somebody is free");
    matching.release(agent);
    matching.ready(agent, at + 1);
    span
}

pub(crate) fn arrival_that_waits(matching: &mut dyn Matching, city: &City, turn: u64) -> Duration {
    let (slot, at) = (city.spare(), later(city, turn));
    let queue = city.queue_of[turn as usize % city.queue_of.len()];
    let span = timed(|| matching.arrive(slot, queue, at));
    matching.leave(slot);
    span
}

/// The agent is offered the longest waiting contact that it may serve; another contact joins that queue then.
pub(crate) fn agent_turning_ready(matching: &mut dyn Matching, city: &City, turn: u64) -> Duration {
    let (agent, at) = (city.busy_agent(turn), later(city, turn));
    let span = timed(|| matching.ready(agent, at));
    let Some(slot) = matching.offered(agent) else {
        // In a small or skewed city nobody may wait whom this agent serves.
        matching.release(agent);
        return span;
    };
    matching.accept(slot);
    matching.release(agent);
    matching.arrive(slot, city.queue_of[slot as usize], at);
    span
}

pub(crate) fn leave(matching: &mut dyn Matching, city: &City, turn: u64) -> Duration {
    let slot = (turn.wrapping_mul(7919) % city.queue_of.len() as u64) as u32;
    let span = timed(|| matching.leave(slot));
    matching.arrive(slot, city.queue_of[slot as usize], later(city, turn));
    span
}

pub(crate) fn relaxation(matching: &mut dyn Matching, city: &City, turn: u64) -> Duration {
    let slot = (turn.wrapping_mul(7919) % city.queue_of.len() as u64) as u32;
    let (queue, at) = (city.queue_of[slot as usize], later(city, turn));
    let span = timed(|| matching.relax(slot, queue, at, true));
    matching.relax(slot, queue, at + 1, false);
    span
}

/// Threads match as fast as they can. Each owns half of the agents and half of the contacts. An agent turns ready, its
/// first contact is offered and accepted, the agent's talk is over at once, and a contact joins the queue again.
pub(crate) fn matches_a_second(city: &City, threads: u16, span: Duration) -> f64 {
    let mut ours = Ours::for_shards(city, threads);
    city.fill(&mut ours);
    let stop = AtomicBool::new(false);
    let begun = Instant::now();
    let matches: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|shard| {
                let mut owner = Owner { begun, ..Owner::new(city, &ours, shard, threads) };
                let stop = &stop;
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        owner.turn();
                    }
                    black_box(owner.matches)
                })
            })
            .collect();
        std::thread::sleep(span);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("it matched")).sum()
    });
    matches as f64 / begun.elapsed().as_secs_f64()
}

/// One shard's engine, as far as the matcher sees it.
struct Owner<'c> {
    city: &'c City,
    matcher: Arc<Matcher>,
    table: Arc<RoutingTable>,
    shard: u16,
    /// Those of its agents who are free to turn ready.
    free: VecDeque<AgentId>,
    offered: Vec<ContactSlot>,
    begun: Instant,
    turns: u64,
    now: Time,
    matches: u64,
}

impl<'c> Owner<'c> {
    fn new(city: &'c City, ours: &Ours, shard: u16, shards: u16) -> Self {
        let busy = (0..city.cell.agents).filter(|agent| agent % PROFILES < PROFILES / 2);
        let free = busy.filter(|agent| owner_of(*agent, shards) == shard).map(AgentId).collect();
        let (matcher, table) = (ours.matcher.clone(), ours.table.clone());
        Owner { city, matcher, table, shard, free, offered: Vec::new(), begun: Instant::now(), turns: 0, now: START, matches: 0 }
    }

    fn turn(&mut self) {
        // All have one clock, as engines do. With a clock each they would drift apart, and all but the fastest would
        // enter out of order.
        // It goes ten times as fast, for nobody has two million calls a second: who wait came at different times.
        const GLANCE_EVERY: u64 = 8;
        const FASTER: u32 = 10;
        if self.turns.is_multiple_of(GLANCE_EVERY) {
            self.now = START + Duration::from_micros(later(self.city, 0)) + self.begun.elapsed() * FASTER;
        }
        self.turns += 1;
        let now = self.now;
        if let Some(agent) = self.free.pop_front() {
            self.matcher.ready(agent, now, Duration::ZERO);
        }
        self.matcher.woken_contacts(self.shard, |slot| self.offered.push(slot));
        for slot in self.offered.drain(..) {
            if self.matcher.accept(slot).is_none() {
                continue;
            }
            self.matches += 1;
            let queue = QueueId(self.city.queue_of[slot.0 as usize]);
            let demand = self.table.demand(queue, None, 0).expect("the queue has a demand");
            let key = self.matcher.key(now, Duration::ZERO, false);
            self.matcher.arrive(slot, queue, u32::MAX, demand, key, now).expect("there is room");
        }
        self.matcher.woken_agents(self.shard, |agent| {
            if matches!(self.matcher.agent(agent), AgentView::Held { offered: false, .. }) {
                self.matcher.release(agent);
                self.free.push_back(agent);
            }
        });
    }
}

/// What the process has in memory.
pub(crate) fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
