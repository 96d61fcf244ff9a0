//! The city that is measured, and what is done in it.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hotline::acd::map::{AgentProfile, Directory, LineId, Map};
use hotline::acd::matcher::{Matcher, Size};
use hotline::acd::queue::{QueueRules, WideningStep};
use hotline::acd::{ContactSlot, Key};
use hotline::base::seed::Seed;
use hotline::base::{AgencyId, AgentId, PoolId, QueueId, Time};

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
    pub(crate) const BASE: Cell = Cell { waiting: 10_000, agents: 5_000, queues: 300, queues_an_agent: 20, skewed: false };
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
            let widening = vec![WideningStep { after: Duration::from_secs(60), lower_levels_by: 1, more_pools: Vec::new() }];
            Some(QueueRules { name: format!("q{n}").into(), pools: vec![PoolId(n)], widening, ..QueueRules::default() })
        };
        let agent = |n: u32| {
            let pools = profiles[(n % PROFILES) as usize].iter().map(|queue| PoolId(*queue)).collect();
            Some(AgentProfile { name: format!("a{n}").into(), agency: AgencyId(0), pools, skills: Vec::new() })
        };
        let directory = Directory {
            queues: (0..cell.queues).map(queue).collect(),
            agents: (0..cell.agents).map(agent).collect(),
            languages: Vec::new(),
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

    /// The map of it.
    pub(crate) fn map(&self) -> Map {
        Map::new(&self.directory, 1)
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

/// A matcher, as it is measured. Times are microseconds after the start; each contact is in the slot of its number.
pub(crate) trait Matching {
    fn arrive(&mut self, slot: u32, queue: u32, at: u64);
    /// The agent to whom the contact is offered answers; which one.
    fn accept(&mut self, slot: u32) -> Option<u32>;
    fn leave(&mut self, slot: u32);
    /// The contact moves to the wider line of its queue, or back.
    fn widen(&mut self, slot: u32, queue: u32, at: u64, wide: bool);
    fn ready(&mut self, agent: u32, at: u64);
    /// Who is offered to the agent.
    fn offered(&mut self, agent: u32) -> Option<u32>;
    /// The agent's talk is over.
    fn release(&mut self, agent: u32);
}

/// Hotline's own.
pub(crate) struct Ours {
    pub(crate) matcher: Arc<Matcher>,
    map: Arc<Map>,
}

impl Ours {
    pub(crate) fn new(city: &City) -> Self {
        Ours::for_shards(city, 1)
    }

    fn for_shards(city: &City, shards: u16) -> Self {
        let Cell { waiting, agents, queues, .. } = city.cell;
        let size = Size { shards, contacts_per_shard: (waiting + 64).div_ceil(u32::from(shards)), agents, queues };
        let matcher = Arc::new(Matcher::new(size, city.map(), |_| 0));
        let map = matcher.map();
        Ours { matcher, map }
    }

    fn line(&self, queue: u32, step: usize) -> LineId {
        self.map.line(QueueId(queue), None, step).expect("the queue has a line")
    }

    fn key(&self, at: u64) -> Key {
        self.matcher.key(START + Duration::from_micros(at), Duration::ZERO, false)
    }

    fn quiet(&self) {
        self.matcher.nudged_contacts(0, |_| {});
        self.matcher.nudged_agents(0, |_| {});
    }
}

impl Matching for Ours {
    fn arrive(&mut self, slot: u32, queue: u32, at: u64) {
        let (line, key) = (self.line(queue, 0), self.key(at));
        self.matcher.arrive(ContactSlot(slot), QueueId(queue), u32::MAX, line, key, START).expect("there is room");
    }

    fn accept(&mut self, slot: u32) -> Option<u32> {
        let agent = self.matcher.accept(ContactSlot(slot)).map(|agent| agent.0);
        self.quiet();
        agent
    }

    fn leave(&mut self, slot: u32) {
        self.matcher.leave(ContactSlot(slot));
    }

    fn widen(&mut self, slot: u32, queue: u32, at: u64, wide: bool) {
        let (line, key) = (self.line(queue, usize::from(wide)), self.key(at));
        self.matcher.widen(ContactSlot(slot), line, key);
    }

    fn ready(&mut self, agent: u32, at: u64) {
        self.matcher.ready(AgentId(agent), START + Duration::from_micros(at), Duration::ZERO);
    }

    fn offered(&mut self, agent: u32) -> Option<u32> {
        match self.matcher.agent(AgentId(agent)) {
            hotline::acd::claim::AgentView::Held { contact, .. } => Some(contact.0),
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

/// The agent is offered whoever has waited longest of those it may serve; another joins that line then.
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

pub(crate) fn widening(matching: &mut dyn Matching, city: &City, turn: u64) -> Duration {
    let slot = (turn.wrapping_mul(7919) % city.queue_of.len() as u64) as u32;
    let (queue, at) = (city.queue_of[slot as usize], later(city, turn));
    let span = timed(|| matching.widen(slot, queue, at, true));
    matching.widen(slot, queue, at + 1, false);
    span
}

/// Threads match as fast as they can: an agent of their own turns ready, takes who is first, and somebody joins the line again.
pub(crate) fn matches_a_second(city: &City, threads: u64, span: Duration) -> f64 {
    let ours = Ours::new(city);
    let map = ours.map.clone();
    let matcher = ours.matcher.clone();
    let mut filled = ours;
    city.fill(&mut filled);
    let stop = AtomicBool::new(false);
    let begun = Instant::now();
    let matches: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                let (matcher, map, stop) = (&matcher, &map, &stop);
                scope.spawn(move || {
                    let mut matches = 0;
                    let mut turn = thread;
                    while !stop.load(Ordering::Relaxed) {
                        turn += threads;
                        let agent = AgentId(city.busy_agent(turn));
                        let now = START + Duration::from_micros(later(city, turn));
                        matcher.ready(agent, now, Duration::ZERO);
                        let hotline::acd::claim::AgentView::Held { contact, .. } = matcher.agent(agent) else {
                            matcher.pause(agent);
                            continue;
                        };
                        matcher.accept(contact);
                        matcher.release(agent);
                        let queue = QueueId(city.queue_of[contact.0 as usize]);
                        let line = map.line(queue, None, 0).expect("the queue has a line");
                        let key = matcher.key(now, Duration::ZERO, false);
                        matcher.arrive(contact, queue, u32::MAX, line, key, now).expect("there is room");
                        if thread == 0 && matches % 1024 == 0 {
                            matcher.nudged_contacts(0, |_| {});
                            matcher.nudged_agents(0, |_| {});
                        }
                        matches += 1;
                    }
                    black_box(matches)
                })
            })
            .collect();
        std::thread::sleep(span);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("it matched")).sum()
    });
    matches as f64 / begun.elapsed().as_secs_f64()
}

/// What the process has in memory.
pub(crate) fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
