//! The whole matcher under shuttle: its real index with segments of two filings, owners who do at random what owners do, a map that
//! changes meanwhile, and perhaps a thread that is stopped somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, MaxSteps, Runner, thread};

use crate::acd::claim::{AgentView, ContactView, Kernel, Key};
use crate::acd::map::{Directory, LineId, Map};
use crate::acd::step::Step;
use crate::base::{AgentId, QueueId, Time};
use crate::modelled::{start_over, stopped_after, take_out};
use crate::people::{agents_of, contacts_of, directory};
use crate::{editions, hands, joints, lenders};

const OWNERS: u32 = 3;
const CONTACTS_EACH: u32 = 2;
const CONTACTS: u32 = OWNERS * CONTACTS_EACH;
const AGENTS: u32 = 4;
const QUEUES: u32 = 3;
const MOVES: u32 = 7;

const PEOPLE: [&[u32]; AGENTS as usize] = [&[0], &[0, 1], &[1], &[2]];
const PEOPLE_LATER: [&[u32]; AGENTS as usize] = [&[1], &[0, 1], &[2, 0], &[2]];
const LINES: [&[u32]; QUEUES as usize] = [&[0], &[1, 0], &[2, 1]];

struct Streets {
    kernel: Kernel,
    later: Directory,
}

/// What an owner knows of its parties: what it was told by nudges, and read then.
#[derive(Default)]
struct Owner {
    number: u32,
    map_version: u64,
    /// By contact: the agent it is offered to.
    offers: BTreeMap<u32, u32>,
    /// By agent: the contact that holds it.
    holders: BTreeMap<u32, u32>,
    queue_of: BTreeMap<u32, u32>,
    keys: BTreeMap<u32, Key>,
    moves: u32,
}

impl Owner {
    fn new(number: u32) -> Self {
        Owner { number, map_version: 1, ..Owner::default() }
    }

    fn contacts(&self) -> std::ops::Range<u32> {
        contacts_of(self.number, CONTACTS_EACH)
    }

    fn agents(&self) -> impl Iterator<Item = u32> + use<> {
        agents_of(self.number, OWNERS, AGENTS as usize)
    }

    fn listen(&mut self, kernel: &Kernel) {
        let (mut contacts, mut agents) = (Vec::new(), Vec::new());
        kernel.contact_nudges.drain(self.number as u16, |contact| contacts.push(contact));
        kernel.agent_nudges.drain(self.number as u16, |agent| agents.push(agent));
        for contact in contacts {
            match kernel.view_contact(contact) {
                ContactView::Offered(agent) => drop(self.offers.insert(contact, agent.0)),
                _ => drop(self.offers.remove(&contact)),
            }
        }
        for agent in agents {
            match kernel.view_agent(agent) {
                AgentView::Held { contact, .. } => drop(self.holders.insert(agent, contact.0)),
                _ => drop(self.holders.remove(&agent)),
            }
        }
    }

    fn line(&self, kernel: &Kernel, queue: u32) -> LineId {
        kernel.map().line(QueueId(queue), None, 0).expect("the queue has a line")
    }

    fn seat(&self, kernel: &Kernel, agent: u32) {
        let bench = kernel.map().bench(AgentId(agent)).expect("the agent has a bench");
        kernel.ready(agent, bench, Time::from_secs(u64::from(agent)), 0);
    }

    /// What has changed in the directory is taken up.
    fn take_up(&mut self, kernel: &Kernel) {
        let version = kernel.map().version();
        if version == self.map_version {
            return;
        }
        self.map_version = version;
        for agent in self.agents() {
            let bench = kernel.map().bench(AgentId(agent)).expect("the agent has a bench");
            kernel.reseat(agent, bench);
        }
        for contact in self.contacts() {
            if let (Some(queue), Some(key)) = (self.queue_of.get(&contact), self.keys.get(&contact)) {
                kernel.widen(contact, self.line(kernel, *queue), *key);
            }
        }
        kernel.acknowledge(self.number as u16, version);
    }

    fn make_a_move(&mut self, kernel: &Kernel) {
        let mut random = thread_rng();
        self.listen(kernel);
        self.take_up(kernel);
        self.moves += 1;
        let parties: Vec<(bool, u32)> = self.contacts().map(|c| (true, c)).chain(self.agents().map(|a| (false, a))).collect();
        let (is_contact, party) = parties[random.gen_range(0..parties.len())];
        if is_contact {
            self.move_contact(kernel, party, random.gen_range(0..QUEUES), random.gen_range(0..3));
        } else {
            self.move_agent(kernel, party, random.gen_range(0..3) == 0);
        }
    }

    fn move_contact(&mut self, kernel: &Kernel, contact: u32, queue: u32, choice: u32) {
        match (kernel.view_contact(contact), choice) {
            (ContactView::Gone | ContactView::Served, _) => {
                let key = Key::new(Time::from_secs(u64::from(100 + self.moves)), contact, false);
                (self.offers.remove(&contact), self.queue_of.insert(contact, queue), self.keys.insert(contact, key));
                // Some want an agent first, and move to the queue's line later.
                let own = (choice == 0).then(|| LineId::of_agent(AgentId(queue)));
                kernel.arrive(contact, own.unwrap_or_else(|| self.line(kernel, queue)), key);
            }
            (ContactView::Waiting, 0) | (ContactView::Offered(_), 2) => {
                kernel.leave(contact);
                self.offers.remove(&contact);
            }
            (ContactView::Waiting, _) => {
                self.queue_of.insert(contact, queue);
                kernel.widen(contact, self.line(kernel, queue), self.keys[&contact]);
            }
            (ContactView::Offered(_), 0) => {
                kernel.accept(contact);
                self.offers.remove(&contact);
            }
            (ContactView::Offered(_), _) => {
                self.offers.remove(&contact);
                kernel.put_back(contact, self.line(kernel, self.queue_of[&contact]), self.keys[&contact]);
            }
        }
    }

    fn move_agent(&mut self, kernel: &Kernel, agent: u32, rests: bool) {
        match kernel.view_agent(agent) {
            AgentView::Busy => self.seat(kernel, agent),
            AgentView::Ready if rests => drop(kernel.pause(agent)),
            AgentView::Held { offered: false, .. } => {
                self.holders.remove(&agent);
                kernel.release(agent);
                self.seat(kernel, agent);
            }
            AgentView::Ready | AgentView::Held { .. } => {}
        }
    }
}

fn play(stops: bool) {
    start_over();
    let map = Map::new(&directory(&PEOPLE, &LINES), 1);
    let later = directory(&PEOPLE_LATER, &LINES);
    let owners = (0..AGENTS).map(|agent| (agent % OWNERS) as u16).collect();
    let streets = Arc::new(Streets { kernel: Kernel::new(owners, CONTACTS_EACH, OWNERS as u16, map), later });
    let mut random = thread_rng();
    let stopped = (random.gen_range(0..OWNERS), random.gen_range(1..150));
    let publisher = random.gen_range(0..2 * OWNERS);
    let threads: Vec<_> = (0..OWNERS)
        .map(|number| {
            let streets = streets.clone();
            let writes = (stops && stopped.0 == number).then_some(stopped.1);
            thread::spawn(move || {
                let mut owner = Owner::new(number);
                let done = stopped_after(writes, || {
                    for turn in 0..MOVES {
                        owner.make_a_move(&streets.kernel);
                        if publisher == number && turn == MOVES / 2 {
                            streets.kernel.publish(&streets.later, 2).expect("there is room");
                        }
                    }
                });
                (owner, done)
            })
        })
        .collect();
    let mut owners: Vec<(Owner, bool)> = threads.into_iter().map(|thread| thread.join().expect("an owner failed")).collect();
    for (owner, _) in owners.iter_mut().filter(|(_, done)| *done) {
        owner.take_up(&streets.kernel);
    }
    // Whoever looks at a nudged agent may finish a claim, and that nudges a contact's owner.
    for _ in 0..2 {
        for (owner, _) in &mut owners {
            owner.listen(&streets.kernel);
        }
    }
    check(&streets.kernel, &owners);
}

fn check(kernel: &Kernel, owners: &[(Owner, bool)]) {
    let behind = |number: u32| owners.iter().any(|(owner, done)| owner.number == number && !done);
    let (contact_behind, agent_behind) = (|c: u32| behind(c / CONTACTS_EACH), |a: u32| behind(a % OWNERS));
    let map = kernel.map().clone();
    for contact in 0..CONTACTS {
        let owner = &owners[(contact / CONTACTS_EACH) as usize].0;
        if let ContactView::Offered(agent) = kernel.view_contact(contact) {
            if kernel.is_claimed(agent.0) {
                let excused = contact_behind(contact) || agent_behind(agent.0);
                assert!(excused, "the offer of contact {contact} to agent {} was never finished", agent.0);
                continue;
            }
            match kernel.view_agent(agent.0) {
                AgentView::Held { contact: by, offered: true } => {
                    assert_eq!(by.0, contact, "contact {contact} is offered to an agent whom another holds");
                    let holds = &owners[(agent.0 % OWNERS) as usize].0;
                    assert!(
                        contact_behind(contact) || owner.offers.get(&contact) == Some(&agent.0),
                        "contact {contact} was not told"
                    );
                    assert!(
                        agent_behind(agent.0) || holds.holders.get(&agent.0) == Some(&contact),
                        "agent {} was not told",
                        agent.0
                    );
                }
                other => panic!("contact {contact} is offered to agent {}, who is {other:?}", agent.0),
            }
        }
        let Some(line) = kernel.line_of_waiting(contact).filter(|_| !contact_behind(contact)) else { continue };
        for agent in (0..AGENTS).filter(|agent| !agent_behind(*agent)) {
            let serves = |bench| line.agent().map_or_else(|| map.serves(bench, line), |own| own.0 == agent);
            let free = kernel.bench_of_ready(agent).is_some_and(serves);
            assert!(!free, "contact {contact} waits and agent {agent} is free");
        }
    }
}

/// What can be noticed where every order is sequentially consistent, and by whom.
const MUTANTS: &[(Step, Play)] = &[
    (Step::SettleInMatch, Play::Stopped),
    (Step::OfferBeforeHeld, Play::Stopped),
    (Step::SettleInView, Play::Whole),
    (Step::IndexOfDirectClaim, Play::Whole),
    (Step::DriveAfterLostClaim, Play::Whole),
    (Step::OnlyOlderIsDead, Play::Whole),
    (Step::NewIncarnation, Play::Whole),
    (Step::NewHeadVersion, Play::Whole),
    (Step::DropAcknowledged, Play::Editions),
    (Step::ReuseAcknowledged, Play::Editions),
    (Step::LookAfterLoan, Play::Loans),
    (Step::AnotherIsAsked, Play::Loans),
    (Step::BackToOwnBench, Play::Loans),
    (Step::WakeJoints, Play::Joints),
    (Step::TakeBothOut, Play::Joints),
    (Step::OneTurn, Play::Joints),
    (Step::KeepCapacity, Play::Hands),
    (Step::SayDeclined, Play::Hands),
];

/// What is played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Play {
    /// Owners, contacts, agents, and a map that changes.
    Whole,
    /// The same, with a thread stopped somewhere.
    Stopped,
    /// One edition of the directory after the other.
    Editions,
    /// Agencies that lend.
    Loans,
    /// Contacts that want two agents.
    Joints,
    /// Agents who may have several contacts.
    Hands,
}

fn run(executions: usize, what: Play) -> Option<String> {
    let play = move || match what {
        Play::Whole => play(false),
        Play::Stopped => play(true),
        Play::Editions => editions::play(),
        Play::Loans => lenders::play(),
        Play::Joints => joints::play(),
        Play::Hands => hands::play(),
    };
    let mut config = Config::new();
    config.max_steps = MaxSteps::FailAfter(200_000);
    config.failure_persistence = shuttle::FailurePersistence::None;
    // The index makes its chunks on the stack.
    config.stack_size = 1 << 20;
    let result = catch_unwind(AssertUnwindSafe(|| {
        Runner::new(RandomScheduler::new(executions / 2), config.clone()).run(play);
        Runner::new(PctScheduler::new(3, executions / 2), config.clone()).run(play);
    }));
    result.err().map(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_else(|| "?".to_owned())
    })
}

pub(crate) fn main() -> ExitCode {
    let arguments: BTreeSet<String> = std::env::args().skip(1).collect();
    let executions = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(20_000);
    std::panic::set_hook(Box::new(|_| {}));
    let mut failures = 0;
    if arguments.contains("--mutants") {
        for (step, what) in MUTANTS {
            take_out(Some(*step));
            match run(executions, *what) {
                Some(failed) => println!("caught  {step:?}: {failed}"),
                None => {
                    println!("MISSED  {step:?}");
                    failures += 1;
                }
            }
            take_out(None);
        }
    } else {
        for what in [Play::Whole, Play::Stopped, Play::Editions, Play::Loans, Play::Joints, Play::Hands] {
            let begun = std::time::Instant::now();
            match run(executions, what) {
                None => println!("{executions} executions, {:.1?}, {what:?}", begun.elapsed()),
                Some(failed) => {
                    println!("FAILED, {what:?}: {failed}");
                    failures += 1;
                }
            }
        }
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
