//! The whole matcher under shuttle: its real index with segments of two entries, owners who do at random what owners do, a routing table
//! that changes meanwhile, and perhaps a thread that is stopped somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, MaxSteps, Runner, thread};

use crate::acd::claim::{AgentView, ClaimProtocol, ContactView, Key};
use crate::acd::routing_table::{DemandId, Directory, RoutingTable};
use crate::acd::step::Step;
use crate::base::{AgentId, QueueId, Time};
use crate::modelled::{start_over, stopped_after, take_out};
use crate::people::{agents_of, contacts_of, directory};
use crate::{agent_slots, directory_versions, joints, lenders};

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
    protocol: ClaimProtocol,
    later: Directory,
}

/// What an owner knows of its parties: what wake-ups have made it read.
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

    fn listen(&mut self, protocol: &ClaimProtocol) {
        let (mut contacts, mut agents) = (Vec::new(), Vec::new());
        protocol.contact_wake_ups.drain(self.number as u16, |contact| contacts.push(contact));
        protocol.agent_wake_ups.drain(self.number as u16, |agent| agents.push(agent));
        for contact in contacts {
            match protocol.view_contact(contact) {
                ContactView::Offered(agent) => drop(self.offers.insert(contact, agent.0)),
                _ => drop(self.offers.remove(&contact)),
            }
        }
        for agent in agents {
            match protocol.view_agent(agent) {
                AgentView::Held { contact, .. } => drop(self.holders.insert(agent, contact.0)),
                _ => drop(self.holders.remove(&agent)),
            }
        }
    }

    fn demand(&self, protocol: &ClaimProtocol, queue: u32) -> DemandId {
        protocol.routing_table().demand(QueueId(queue), None, 0).expect("the queue has a demand")
    }

    fn enter_index(&self, protocol: &ClaimProtocol, agent: u32) {
        let group = protocol.routing_table().group(AgentId(agent)).expect("the agent has a skill group");
        protocol.ready(agent, group, Time::from_secs(u64::from(agent)), 0);
    }

    /// What has changed in the directory is taken up.
    fn take_up(&mut self, protocol: &ClaimProtocol) {
        let version = protocol.routing_table().version();
        if version == self.map_version {
            return;
        }
        self.map_version = version;
        for agent in self.agents() {
            let group = protocol.routing_table().group(AgentId(agent)).expect("the agent has a skill group");
            protocol.regroup(agent, group);
        }
        for contact in self.contacts() {
            if let (Some(queue), Some(key)) = (self.queue_of.get(&contact), self.keys.get(&contact)) {
                protocol.relax(contact, self.demand(protocol, *queue), *key);
            }
        }
        protocol.acknowledge(self.number as u16, version);
    }

    fn make_a_move(&mut self, protocol: &ClaimProtocol) {
        let mut random = thread_rng();
        self.listen(protocol);
        self.take_up(protocol);
        self.moves += 1;
        let parties: Vec<(bool, u32)> = self.contacts().map(|c| (true, c)).chain(self.agents().map(|a| (false, a))).collect();
        let (is_contact, party) = parties[random.gen_range(0..parties.len())];
        if is_contact {
            self.move_contact(protocol, party, random.gen_range(0..QUEUES), random.gen_range(0..3));
        } else {
            self.move_agent(protocol, party, random.gen_range(0..3) == 0);
        }
    }

    fn move_contact(&mut self, protocol: &ClaimProtocol, contact: u32, queue: u32, choice: u32) {
        match (protocol.view_contact(contact), choice) {
            (ContactView::Gone | ContactView::Served, _) => {
                let key = Key::new(Time::from_secs(u64::from(100 + self.moves)), contact, false);
                (self.offers.remove(&contact), self.queue_of.insert(contact, queue), self.keys.insert(contact, key));
                // Some want an agent first, and move to the queue's demand later.
                let own = (choice == 0).then(|| DemandId::of_agent(AgentId(queue)));
                protocol.arrive(contact, own.unwrap_or_else(|| self.demand(protocol, queue)), key);
            }
            (ContactView::Waiting, 0) | (ContactView::Offered(_), 2) => {
                protocol.leave(contact);
                self.offers.remove(&contact);
            }
            (ContactView::Waiting, _) => {
                self.queue_of.insert(contact, queue);
                protocol.relax(contact, self.demand(protocol, queue), self.keys[&contact]);
            }
            (ContactView::Offered(_), 0) => {
                protocol.accept(contact);
                self.offers.remove(&contact);
            }
            (ContactView::Offered(_), _) => {
                self.offers.remove(&contact);
                protocol.put_back(contact, self.demand(protocol, self.queue_of[&contact]), self.keys[&contact]);
            }
        }
    }

    fn move_agent(&mut self, protocol: &ClaimProtocol, agent: u32, rests: bool) {
        match protocol.view_agent(agent) {
            AgentView::Busy => self.enter_index(protocol, agent),
            AgentView::Ready if rests => drop(protocol.pause(agent)),
            AgentView::Held { offered: false, .. } => {
                self.holders.remove(&agent);
                protocol.release(agent);
                self.enter_index(protocol, agent);
            }
            AgentView::Ready | AgentView::Held { .. } => {}
        }
    }
}

fn play(stops: bool) {
    start_over();
    let table = RoutingTable::new(&directory(&PEOPLE, &LINES), 1);
    let later = directory(&PEOPLE_LATER, &LINES);
    let owners = (0..AGENTS).map(|agent| (agent % OWNERS) as u16).collect();
    let streets = Arc::new(Streets { protocol: ClaimProtocol::new(owners, CONTACTS_EACH, OWNERS as u16, table), later });
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
                        owner.make_a_move(&streets.protocol);
                        if publisher == number && turn == MOVES / 2 {
                            streets.protocol.publish(&streets.later, 2).expect("there is room");
                        }
                    }
                });
                (owner, done)
            })
        })
        .collect();
    let mut owners: Vec<(Owner, bool)> = threads.into_iter().map(|thread| thread.join().expect("an owner failed")).collect();
    for (owner, _) in owners.iter_mut().filter(|(_, done)| *done) {
        owner.take_up(&streets.protocol);
    }
    // A thread that looks at a woken agent may finish a claim, and that wakes a contact's owner.
    for _ in 0..2 {
        for (owner, _) in &mut owners {
            owner.listen(&streets.protocol);
        }
    }
    check(&streets.protocol, &owners);
}

fn check(protocol: &ClaimProtocol, owners: &[(Owner, bool)]) {
    let behind = |number: u32| owners.iter().any(|(owner, done)| owner.number == number && !done);
    let (contact_behind, agent_behind) = (|c: u32| behind(c / CONTACTS_EACH), |a: u32| behind(a % OWNERS));
    let table = protocol.routing_table().clone();
    for contact in 0..CONTACTS {
        let owner = &owners[(contact / CONTACTS_EACH) as usize].0;
        if let ContactView::Offered(agent) = protocol.view_contact(contact) {
            if protocol.is_claimed(agent.0) {
                let excused = contact_behind(contact) || agent_behind(agent.0);
                assert!(excused, "the offer of contact {contact} to agent {} was never finished", agent.0);
                continue;
            }
            match protocol.view_agent(agent.0) {
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
        let Some(demand) = protocol.demand_of_waiting(contact).filter(|_| !contact_behind(contact)) else { continue };
        for agent in (0..AGENTS).filter(|agent| !agent_behind(*agent)) {
            let serves = |group| demand.agent().map_or_else(|| table.serves(group, demand), |own| own.0 == agent);
            let free = protocol.group_of_ready(agent).is_some_and(serves);
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
    (Step::NewReuseEpoch, Play::Whole),
    (Step::NewHeadVersion, Play::Whole),
    (Step::DropAcknowledged, Play::DirectoryVersions),
    (Step::ReuseAcknowledged, Play::DirectoryVersions),
    (Step::LookAfterLoan, Play::Loans),
    (Step::AnotherIsAsked, Play::Loans),
    (Step::AskOn, Play::UnlikeLoans),
    (Step::SettleInLook, Play::StoppedLoans),
    (Step::TableAfterLoan, Play::ChangedLoans),
    (Step::KeepPermit, Play::ChangedLoans),
    (Step::LookAfterLeaving, Play::ChangedLoans),
    (Step::PassMoved, Play::ChangedLoans),
    (Step::BackToOwnGroup, Play::Loans),
    (Step::WakeJoints, Play::Joints),
    (Step::TakeBothOut, Play::Joints),
    (Step::OneLease, Play::Joints),
    (Step::KeepCapacity, Play::AgentSlots),
    (Step::SayDeclined, Play::AgentSlots),
];

/// What is played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Play {
    /// Owners, contacts, agents, and a routing table that changes.
    Whole,
    /// The same, with a thread stopped somewhere.
    Stopped,
    /// One version of the directory after the other.
    DirectoryVersions,
    /// Agencies that lend.
    Loans,
    /// One that lends agents of whom each is wanted by others.
    UnlikeLoans,
    /// One that lends, while another agency's owner is stopped somewhere.
    StoppedLoans,
    /// One that lends, and a directory that changes.
    ChangedLoans,
    /// Contacts that want two agents.
    Joints,
    /// Agents who may have several contacts.
    AgentSlots,
}

const PLAYS: [Play; 9] = [
    Play::Whole,
    Play::Stopped,
    Play::DirectoryVersions,
    Play::Loans,
    Play::UnlikeLoans,
    Play::StoppedLoans,
    Play::ChangedLoans,
    Play::Joints,
    Play::AgentSlots,
];

fn run(executions: usize, what: Play) -> Option<String> {
    let play = move || match what {
        Play::Whole => play(false),
        Play::Stopped => play(true),
        Play::DirectoryVersions => directory_versions::play(),
        Play::Loans => lenders::play(&lenders::ALIKE),
        Play::UnlikeLoans => lenders::play(&lenders::UNLIKE),
        Play::ChangedLoans => lenders::play(&lenders::CHANGED),
        Play::StoppedLoans => lenders::play(&lenders::STOPPED),
        Play::Joints => joints::play(),
        Play::AgentSlots => agent_slots::play(),
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
    let mutants = arguments.contains("--mutants");
    let all = arguments.iter().all(|argument| argument.starts_with("--") || argument.parse::<usize>().is_ok());
    let wanted = |name: String| all || arguments.contains(&name);
    std::panic::set_hook(Box::new(|_| {}));
    let mut failures = 0;
    for (step, what) in MUTANTS.iter().filter(|(step, _)| mutants && wanted(format!("{step:?}"))) {
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
    for what in PLAYS.into_iter().filter(|what| !mutants && wanted(format!("{what:?}"))) {
        let begun = std::time::Instant::now();
        match run(executions, what) {
            None => println!("{executions} executions, {:.1?}, {what:?}", begun.elapsed()),
            Some(failed) => {
                println!("FAILED, {what:?}: {failed}");
                failures += 1;
            }
        }
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
