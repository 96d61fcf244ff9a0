//! What the matcher is measured against: ordered maps behind one mutex, and the same maps owned by one thread that is asked over a channel.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::city::{City, Matching};

/// Ordered sets, one for each queue and each profile; the relaxed demand of a queue is a queue of its own.
struct Heaps {
    demands: Vec<BTreeSet<(u64, u32)>>,
    groups: Vec<BTreeSet<(u64, u32)>>,
    /// By profile.
    demands_of: Vec<Vec<usize>>,
    /// By queue.
    groups_of: Vec<Vec<usize>>,
    /// By contact: its demand and key, if it waits.
    waiting: Vec<Option<(usize, u64)>>,
    /// By contact: the agent.
    offered: Vec<Option<u32>>,
    /// By agent: the contact.
    held: Vec<Option<u32>>,
    queues: usize,
}

impl Heaps {
    fn new(city: &City) -> Self {
        let queues = city.cell.queues as usize;
        let both = |demands: &Vec<u32>| demands.iter().flat_map(|demand| [*demand as usize, *demand as usize + queues]).collect();
        let groups_of: Vec<Vec<usize>> =
            city.served_by.iter().map(|profiles| profiles.iter().map(|profile| *profile as usize).collect()).collect();
        Heaps {
            demands: vec![BTreeSet::new(); 2 * queues],
            groups: vec![BTreeSet::new(); city.profiles.len()],
            demands_of: city.profiles.iter().map(both).collect(),
            groups_of: groups_of.iter().chain(&groups_of).cloned().collect(),
            waiting: vec![None; city.cell.waiting as usize + 64],
            offered: vec![None; city.cell.waiting as usize + 64],
            held: vec![None; city.cell.agents as usize],
            queues,
        }
    }

    fn perform(&mut self, request: Request) -> Option<u32> {
        match request {
            Request::Arrive { slot, queue, at } => self.enter(slot, queue as usize, at),
            Request::Accept { slot } => return self.offered[slot as usize].take(),
            Request::Leave { slot } => drop(self.withdraw(slot)),
            Request::Relax { slot, queue, at, wide } => {
                self.withdraw(slot);
                self.enter(slot, queue as usize + if wide { self.queues } else { 0 }, at);
            }
            Request::Ready { agent, at } => self.enter_index(agent, at),
            Request::Offered { agent } => return self.held[agent as usize],
            Request::Release { agent } => self.held[agent as usize] = None,
        }
        None
    }

    fn enter(&mut self, slot: u32, demand: usize, at: u64) {
        let idle = self.groups_of[demand].iter().filter_map(|group| self.groups[*group].first().map(|first| (*first, *group)));
        if let Some(((since, agent), group)) = idle.min() {
            self.groups[group].remove(&(since, agent));
            self.pair(slot, agent);
        } else {
            self.demands[demand].insert((at, slot));
            self.waiting[slot as usize] = Some((demand, at));
        }
    }

    fn withdraw(&mut self, slot: u32) -> Option<(usize, u64)> {
        let (demand, at) = self.waiting[slot as usize].take()?;
        self.demands[demand].remove(&(at, slot));
        Some((demand, at))
    }

    fn enter_index(&mut self, agent: u32, at: u64) {
        let profile = agent as usize % self.groups.len();
        let first = self.demands_of[profile].iter().filter_map(|demand| self.demands[*demand].first()).min().copied();
        match first {
            Some((_, slot)) => {
                self.withdraw(slot);
                self.pair(slot, agent);
            }
            None => drop(self.groups[profile].insert((at, agent))),
        }
    }

    fn pair(&mut self, slot: u32, agent: u32) {
        self.offered[slot as usize] = Some(agent);
        self.held[agent as usize] = Some(slot);
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Request {
    Arrive { slot: u32, queue: u32, at: u64 },
    Accept { slot: u32 },
    Leave { slot: u32 },
    Relax { slot: u32, queue: u32, at: u64, wide: bool },
    Ready { agent: u32, at: u64 },
    Offered { agent: u32 },
    Release { agent: u32 },
}

/// Whoever performs requests.
pub(crate) trait Performs {
    fn perform(&mut self, request: Request) -> Option<u32>;
}

/// All behind one mutex.
pub(crate) struct Locked(Mutex<Heaps>);

impl Locked {
    pub(crate) fn new(city: &City) -> Self {
        Locked(Mutex::new(Heaps::new(city)))
    }
}

impl Performs for Locked {
    fn perform(&mut self, request: Request) -> Option<u32> {
        self.0.lock().expect("nobody panics with it").perform(request)
    }
}

/// All owned by one thread, which answers.
pub(crate) struct SingleWriter {
    requests: Option<Sender<Request>>,
    answers: Receiver<Option<u32>>,
    thread: Option<JoinHandle<()>>,
}

impl SingleWriter {
    pub(crate) fn new(city: &City) -> Self {
        let mut heaps = Heaps::new(city);
        let (requests, asked) = channel::<Request>();
        let (answer, answers) = channel();
        let thread = std::thread::spawn(move || {
            while let Ok(request) = asked.recv() {
                if answer.send(heaps.perform(request)).is_err() {
                    break;
                }
            }
        });
        SingleWriter { requests: Some(requests), answers, thread: Some(thread) }
    }
}

impl Drop for SingleWriter {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Performs for SingleWriter {
    fn perform(&mut self, request: Request) -> Option<u32> {
        self.requests.as_ref()?.send(request).ok()?;
        self.answers.recv().ok().flatten()
    }
}

impl<T: Performs> Matching for T {
    fn arrive(&mut self, slot: u32, queue: u32, at: u64) {
        self.perform(Request::Arrive { slot, queue, at });
    }

    fn accept(&mut self, slot: u32) -> Option<u32> {
        self.perform(Request::Accept { slot })
    }

    fn leave(&mut self, slot: u32) {
        self.perform(Request::Leave { slot });
    }

    fn relax(&mut self, slot: u32, queue: u32, at: u64, wide: bool) {
        self.perform(Request::Relax { slot, queue, at, wide });
    }

    fn ready(&mut self, agent: u32, at: u64) {
        self.perform(Request::Ready { agent, at });
    }

    fn offered(&mut self, agent: u32) -> Option<u32> {
        self.perform(Request::Offered { agent })
    }

    fn release(&mut self, agent: u32) {
        self.perform(Request::Release { agent });
    }
}
