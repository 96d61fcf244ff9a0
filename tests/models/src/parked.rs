//! Lock-freedom, shown: a thread is parked after each write of each move in turn, and two others go on matching, as many as ever. Once it
//! is let go on, everything must be in order.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::acd::claim::{AgentView, ContactView, Kernel, Key};
use crate::acd::map::{BenchId, LineId, Map};
use crate::base::{AgentId, QueueId, Time};
use crate::modelled::{Parker, parked_after};
use crate::people::directory;

/// How many matches each of the others makes while one is parked.
const MATCHES: u32 = 300;
/// Far more than that takes: beyond it, somebody waits for the parked one.
const PATIENCE: Duration = Duration::from_secs(20);
/// No move has as many writes.
const WRITES_MAX: u32 = 400;

/// Agents 0 and 1 and contacts 0 and 1 are the parked thread's; each other thread has two of each, and all share the pools.
const AGENTS: u32 = 6;

struct Place {
    kernel: Kernel,
    line: LineId,
    wide: LineId,
    bench: BenchId,
}

impl Place {
    fn new() -> Self {
        let agents: [&[u32]; AGENTS as usize] = [&[0]; AGENTS as usize];
        let map = Map::new(&directory(&agents, &[&[0], &[0]]), 1);
        let line = |queue| map.line(QueueId(queue), None, 0).expect("the queue has a line");
        let (line, wide, bench) = (line(0), line(1), map.bench(AgentId(0)).expect("the agent has a bench"));
        Place { kernel: Kernel::new(vec![0; AGENTS as usize], AGENTS, 1, map), line, wide, bench }
    }

    fn arrive(&self, contact: u32, secs: u64) {
        self.kernel.arrive(contact, self.line, key(contact, secs));
    }

    fn ready(&self, agent: u32, secs: u64) {
        self.kernel.ready(agent, self.bench, Time::from_secs(secs), 0);
    }

    /// Whatever the owner of these parties would do next with them; whether that was an answer.
    fn turn(&self, first: u32, secs: u64) -> bool {
        let mut answered = false;
        for party in first..first + 2 {
            match self.kernel.view_contact(party) {
                ContactView::Gone | ContactView::Served => self.arrive(party, secs),
                ContactView::Offered(_) => answered |= self.kernel.accept(party).is_some(),
                ContactView::Waiting => {}
            }
            match self.kernel.view_agent(party) {
                AgentView::Busy => self.ready(party, secs),
                AgentView::Held { offered: false, .. } => {
                    self.kernel.release(party);
                    self.ready(party, secs);
                }
                AgentView::Held { .. } | AgentView::Ready => {}
            }
        }
        self.kernel.contact_nudges.drain(0, |_| {});
        self.kernel.agent_nudges.drain(0, |_| {});
        answered
    }
}

fn key(contact: u32, secs: u64) -> Key {
    Key::new(Time::from_secs(secs), contact, false)
}

/// A move that is interrupted: what comes before it, and itself.
type Move = (&'static str, fn(&Place), fn(&Place));

const MOVES: [Move; 7] = [
    ("an arrival that waits", |_| {}, |place| place.arrive(0, 5)),
    ("an arrival that claims", |place| place.ready(0, 1), |place| place.arrive(0, 5)),
    ("an agent turning ready that claims", |place| place.arrive(0, 5), |place| place.ready(0, 6)),
    ("a leave from the line", |place| place.arrive(0, 5), |place| drop(place.kernel.leave(0))),
    (
        "a leave from an offer",
        |place| {
            place.arrive(0, 5);
            place.ready(0, 6);
        },
        |place| drop(place.kernel.leave(0)),
    ),
    (
        "an offer put back",
        |place| {
            place.arrive(0, 5);
            place.ready(0, 6);
            place.ready(1, 7);
        },
        |place| drop(place.kernel.put_back(0, place.line, key(0, 5))),
    ),
    ("a widening", |place| place.arrive(0, 5), |place| drop(place.kernel.widen(0, place.wide, key(0, 5)))),
];

/// Parks a thread in the move after so many writes. `None` if the move has no more; else what went wrong, if anything did.
fn park(one: &Move, writes: u32) -> Option<Result<(), String>> {
    let place = Arc::new(Place::new());
    (one.1)(&place);
    let parker = Parker::new();
    let parked = {
        let (place, parker, interrupted) = (place.clone(), parker.clone(), one.2);
        thread::spawn(move || parked_after(writes, &parker, || interrupted(&place)))
    };
    if !parker.parked() {
        parked.join().expect("the move came to its end");
        return None;
    }
    let made = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
    let stop = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let others: Vec<_> = [0, 1]
        .map(|other| {
            let (place, made, stop) = (place.clone(), made.clone(), stop.clone());
            thread::spawn(move || {
                let first = 2 + 2 * other as u32;
                for secs in 10.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    made[other].fetch_add(u32::from(place.turn(first, secs)), Ordering::Relaxed);
                }
            })
        })
        .into();
    // Both must get on: one that helps the other to its parties would not do.
    while made.iter().any(|made| made.load(Ordering::Relaxed) < MATCHES) && begun.elapsed() < PATIENCE {
        thread::yield_now();
    }
    let stalled = made.iter().any(|made| made.load(Ordering::Relaxed) < MATCHES);
    stop.store(true, Ordering::Relaxed);
    parker.let_go();
    let joined = parked.join().is_ok() && others.into_iter().all(|other| other.join().is_ok());
    Some(match (stalled, joined) {
        (true, _) => Err(format!("after {writes} writes the others made {made:?} matches in {PATIENCE:?}")),
        (_, false) => Err(format!("after {writes} writes somebody panicked")),
        _ => at_rest(&place).map_err(|wrong| format!("after {writes} writes: {wrong}")),
    })
}

fn at_rest(place: &Place) -> Result<(), String> {
    let parties = 0..AGENTS;
    for contact in parties.clone() {
        if let ContactView::Offered(agent) = place.kernel.view_contact(contact) {
            match place.kernel.view_agent(agent.0) {
                AgentView::Held { contact: by, offered: true } if by.0 == contact => {}
                other => return Err(format!("contact {contact} is offered to agent {}, who is {other:?}", agent.0)),
            }
        }
    }
    let waits = parties.clone().find(|contact| place.kernel.view_contact(*contact) == ContactView::Waiting);
    let free = parties.clone().find(|agent| place.kernel.view_agent(*agent) == AgentView::Ready);
    match (waits, free) {
        (Some(contact), Some(agent)) => Err(format!("contact {contact} waits and agent {agent} is free")),
        _ => Ok(()),
    }
}

pub(crate) fn main() -> ExitCode {
    let mut failures = 0;
    for one in &MOVES {
        let begun = Instant::now();
        let mut places = 0;
        for writes in 1..WRITES_MAX {
            match park(one, writes) {
                None => break,
                Some(Ok(())) => places += 1,
                Some(Err(wrong)) => {
                    println!("FAILED  {}: {wrong}", one.0);
                    failures += 1;
                    break;
                }
            }
        }
        println!("parked in {places:>3} places, {:>5.1?}  {}", begun.elapsed(), one.0);
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
