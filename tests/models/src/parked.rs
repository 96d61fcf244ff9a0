//! Lock-freedom, shown: a thread is parked after each write of each move in turn, and two others go on matching, as many as ever. Once it
//! is let go on, everything must be in order.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::acd::claim::{AgentView, ClaimProtocol, ContactView, Key};
use crate::acd::routing_table::{DemandId, RoutingTable, SkillGroupId};
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

struct Scene {
    protocol: ClaimProtocol,
    demand: DemandId,
    wide: DemandId,
    group: SkillGroupId,
}

impl Scene {
    fn new() -> Self {
        let agents: [&[u32]; AGENTS as usize] = [&[0]; AGENTS as usize];
        let table = RoutingTable::new(&directory(&agents, &[&[0], &[0]]), 1);
        let demand = |queue| table.demand(QueueId(queue), None, 0).expect("the queue has a demand");
        let (demand, wide, group) = (demand(0), demand(1), table.group(AgentId(0)).expect("the agent has a skill group"));
        Scene { protocol: ClaimProtocol::new(vec![0; AGENTS as usize], AGENTS, 1, table), demand, wide, group }
    }

    fn arrive(&self, contact: u32, secs: u64) {
        self.protocol.arrive(contact, self.demand, key(contact, secs));
    }

    fn ready(&self, agent: u32, secs: u64) {
        self.protocol.ready(agent, self.group, Time::from_secs(secs), 0);
    }

    /// Whatever the owner of these parties would do next with them; whether that was an answer.
    fn turn(&self, first: u32, secs: u64) -> bool {
        let mut answered = false;
        for party in first..first + 2 {
            match self.protocol.view_contact(party) {
                ContactView::Gone | ContactView::Served => self.arrive(party, secs),
                ContactView::Offered(_) => answered |= self.protocol.accept(party).is_some(),
                ContactView::Waiting => {}
            }
            match self.protocol.view_agent(party) {
                AgentView::Busy => self.ready(party, secs),
                AgentView::Held { offered: false, .. } => {
                    self.protocol.release(party);
                    self.ready(party, secs);
                }
                AgentView::Held { .. } | AgentView::Ready => {}
            }
        }
        self.protocol.contact_wake_ups.drain(0, |_| {});
        self.protocol.agent_wake_ups.drain(0, |_| {});
        answered
    }
}

fn key(contact: u32, secs: u64) -> Key {
    Key::new(Time::from_secs(secs), contact, false)
}

/// A move that is interrupted: what comes before it, and itself.
type Move = (&'static str, fn(&Scene), fn(&Scene));

const MOVES: [Move; 7] = [
    ("an arrival that waits", |_| {}, |scene| scene.arrive(0, 5)),
    ("an arrival that claims", |scene| scene.ready(0, 1), |scene| scene.arrive(0, 5)),
    ("an agent turning ready that claims", |scene| scene.arrive(0, 5), |scene| scene.ready(0, 6)),
    ("a leave from the queue", |scene| scene.arrive(0, 5), |scene| drop(scene.protocol.leave(0))),
    (
        "a leave from an offer",
        |scene| {
            scene.arrive(0, 5);
            scene.ready(0, 6);
        },
        |scene| drop(scene.protocol.leave(0)),
    ),
    (
        "an offer put back",
        |scene| {
            scene.arrive(0, 5);
            scene.ready(0, 6);
            scene.ready(1, 7);
        },
        |scene| drop(scene.protocol.put_back(0, scene.demand, key(0, 5))),
    ),
    ("a relaxation", |scene| scene.arrive(0, 5), |scene| drop(scene.protocol.relax(0, scene.wide, key(0, 5)))),
];

/// Parks a thread in the move after so many writes. `None` if the move has no more; else what went wrong, if anything did.
fn park(one: &Move, writes: u32) -> Option<Result<(), String>> {
    let scene = Arc::new(Scene::new());
    (one.1)(&scene);
    let parker = Parker::new();
    let parked = {
        let (scene, parker, interrupted) = (scene.clone(), parker.clone(), one.2);
        thread::spawn(move || parked_after(writes, &parker, || interrupted(&scene)))
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
            let (scene, made, stop) = (scene.clone(), made.clone(), stop.clone());
            thread::spawn(move || {
                let first = 2 + 2 * other as u32;
                for secs in 10.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    made[other].fetch_add(u32::from(scene.turn(first, secs)), Ordering::Relaxed);
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
        _ => at_rest(&scene).map_err(|wrong| format!("after {writes} writes: {wrong}")),
    })
}

fn at_rest(scene: &Scene) -> Result<(), String> {
    let parties = 0..AGENTS;
    for contact in parties.clone() {
        if let ContactView::Offered(agent) = scene.protocol.view_contact(contact) {
            match scene.protocol.view_agent(agent.0) {
                AgentView::Held { contact: by, offered: true } if by.0 == contact => {}
                other => return Err(format!("contact {contact} is offered to agent {}, who is {other:?}", agent.0)),
            }
        }
    }
    let waits = parties.clone().find(|contact| scene.protocol.view_contact(*contact) == ContactView::Waiting);
    let free = parties.clone().find(|agent| scene.protocol.view_agent(*agent) == AgentView::Ready);
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
