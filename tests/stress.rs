//! The matcher on all cores at once, with every invariant counted: owners who do as they please, a directory that changes meanwhile, and a
//! pause now and then in which everything is looked at. And mail between threads, whose reader sleeps whenever there is none.
//!
//! Time is a counter that each move takes its begin and end from, so what came before what is known without a clock.

#![allow(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "in a pause each owner is looked at by another thread, and what was looked at is told"
)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, mpsc};
use std::time::Duration;

use hotline::acd::claim::{AgentView, ContactView, Left};
use hotline::acd::loan::Lending;
use hotline::acd::matcher::{Size, Standing};
use hotline::acd::policy::ChoiceRule;
use hotline::acd::queue::QueueRules;
use hotline::acd::routing_table::{AgentProfile, Directory};
use hotline::acd::{ContactSlot, DemandId, Key, Matcher, RoutingTable};
use hotline::base::mail::{Bell, Mail, Rest};
use hotline::base::seed::Seed;
use hotline::base::{AgencyId, AgentId, PoolId, QueueId, SkillId, Time};

const QUEUES: u32 = 12;
/// In every other phase all want one of so many queues.
const NARROW: u32 = 2;
const POOLS: u32 = 5;
const AGENTS: u32 = 60;
const CONTACTS_EACH: u32 = 80;
const PHASES: u32 = 12_000;
const MOVES: u32 = 80;

/// Of agencies 0 and 1, where they lend within limits: three agents at a time, and three of ten.
const LENDING: [Option<Lending>; 3] =
    [Some(Lending { at_most: 3, own_percent: 0 }), Some(Lending { at_most: AGENTS, own_percent: 70 }), None];

fn agency(number: u32) -> AgencyId {
    AgencyId(number % 3)
}

/// A directory; the next version moves people and closes pools.
fn directory(directory_version: u32, lends: bool) -> Directory {
    let queue = |number: u32| QueueRules {
        name: format!("q{number}").into(),
        agency: agency(number),
        skills: if number.is_multiple_of(3) { vec![(SkillId(number % 2), 3)] } else { Vec::new() },
        pools: vec![PoolId((number + directory_version) % POOLS), PoolId((number * 2 + 1) % POOLS)],
        choice: ChoiceRule::ALL[number as usize % ChoiceRule::ALL.len()],
        priority_boost: Duration::from_secs(u64::from(number % 4)),
        length_max: u32::MAX,
        ..QueueRules::default()
    };
    let agent = |number: u32| AgentProfile {
        name: format!("a{number}").into(),
        agency: agency(number),
        pools: vec![PoolId((number * 7 + directory_version) % POOLS), PoolId(number % POOLS)],
        skills: vec![(SkillId(0), (number % 9 + 1) as u8), (SkillId(1), (number % 5 + 1) as u8)],
        ..AgentProfile::default()
    };
    Directory {
        queues: (0..QUEUES).map(|number| Some(queue(number))).collect(),
        agents: (0..AGENTS).map(|number| Some(agent(number))).collect(),
        languages: Vec::new(),
        lending: if lends { LENDING.to_vec() } else { Vec::new() },
        agent_slots_from: None,
    }
}

/// A contact in a queue, as its owner entered it.
#[derive(Clone, Copy)]
struct Entered {
    queue: QueueId,
    demand: DemandId,
    key: Key,
    /// When that began, and when it was done.
    began: u64,
    done: u64,
}

/// What an owner knows of its own.
#[derive(Default)]
struct Owner {
    map_version: u64,
    entered: BTreeMap<u32, Entered>,
    /// TxEvent of: by contact, the agent.
    offers: BTreeMap<u32, u32>,
    /// TxEvent of: by agent, the contact.
    holders: BTreeMap<u32, u32>,
    /// Of this phase: contacts that were offered, as they were entered, and to whom.
    offered: Vec<(Entered, u32)>,
    arrivals: u32,
    answers: u64,
}

struct House {
    matcher: Matcher,
    owners: u32,
    lends: bool,
    clock: AtomicU64,
}

impl House {
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn listen(&self, number: u16, owner: &mut Owner) {
        let (mut slots, mut agents) = (Vec::new(), Vec::new());
        self.matcher.woken_contacts(number, |slot| slots.push(slot));
        self.matcher.woken_agents(number, |agent| agents.push(agent));
        for slot in slots {
            match self.matcher.contact(slot) {
                ContactView::Offered(agent) => {
                    if owner.offers.insert(slot.0, agent.0).is_none()
                        && let Some(entered) = owner.entered.get(&slot.0)
                    {
                        owner.offered.push((*entered, agent.0));
                    }
                }
                _ => drop(owner.offers.remove(&slot.0)),
            }
        }
        for agent in agents {
            self.matcher.consider_loan(agent);
            match self.matcher.agent(agent) {
                AgentView::Held { contact, .. } => {
                    self.matcher.set_standing(agent, Some(Standing::Busy));
                    owner.holders.insert(agent.0, contact.0);
                }
                _ => drop(owner.holders.remove(&agent.0)),
            }
        }
    }

    fn take_up(&self, number: u32, owner: &mut Owner) {
        let table = self.matcher.routing_table();
        if owner.map_version == table.version() {
            return;
        }
        owner.map_version = table.version();
        for agent in (0..AGENTS).filter(|agent| agent % self.owners == number) {
            self.matcher.regroup(AgentId(agent));
        }
        for (slot, entered) in &mut owner.entered {
            let began = self.tick();
            let demand = table.demand(entered.queue, None, 0).unwrap();
            if self.matcher.relax(ContactSlot(*slot), demand, entered.key) {
                (entered.demand, entered.began, entered.done) = (demand, began, self.tick());
            }
        }
        self.matcher.acknowledge(number as u16, table.version());
    }

    fn file(&self, slot: u32, queue: QueueId, arrival: Time, seed: &mut Seed, owner: &mut Owner) {
        // Some want one agent first.
        let own = seed.below(8) == 0;
        let demand = match own {
            true => DemandId::of_agent(AgentId(seed.below(AGENTS.into()) as u32)),
            false => self.matcher.routing_table().demand(queue, None, 0).unwrap(),
        };
        let key = self.matcher.key(arrival, Duration::ZERO, queue.0 == 7);
        let began = self.tick();
        owner.entered.insert(slot, Entered { queue, demand, key, began, done: u64::MAX });
        self.matcher.arrive(ContactSlot(slot), queue, u32::MAX, demand, key, arrival).unwrap();
        owner.entered.get_mut(&slot).unwrap().done = self.tick();
    }

    /// `narrow`: all want one of two queues, so that some wait in crowds while agents of other pools wait for nobody.
    fn move_contact(&self, number: u32, slot: u32, narrow: bool, seed: &mut Seed, owner: &mut Owner) {
        match (self.matcher.contact(ContactSlot(slot)), seed.below(8)) {
            (ContactView::Gone | ContactView::Served, _) => {
                owner.arrivals += 1;
                let queues = if narrow { NARROW } else { QUEUES };
                owner.offers.remove(&slot);
                // Further apart than what counts as the same moment.
                let arrival = Time::from_micros(1_000_000_000 + u64::from(owner.arrivals * self.owners + number) * 10_000);
                self.file(slot, QueueId(seed.below(queues.into()) as u32), arrival, seed, owner);
            }
            (ContactView::Waiting, which) if which > 0 && !(narrow && owner.entered[&slot].queue.0 >= NARROW) => {}
            (ContactView::Waiting, _) | (ContactView::Offered(_), 1) => {
                assert_ne!(self.matcher.leave(ContactSlot(slot)), Left::NotHere, "only its owner takes a contact out");
                owner.offers.remove(&slot);
                owner.entered.remove(&slot);
            }
            (ContactView::Offered(_), 2..) if owner.offers.contains_key(&slot) => {
                let agent = self.matcher.accept(ContactSlot(slot)).expect("only its owner ends an offer");
                assert_eq!(owner.offers.remove(&slot), Some(agent.0), "offered to one, answered by another");
                owner.entered.remove(&slot);
                owner.answers += 1;
            }
            (ContactView::Offered(_), 0) if owner.offers.contains_key(&slot) => {
                let Entered { queue, key, .. } = owner.entered[&slot];
                let (began, demand) = (self.tick(), self.matcher.routing_table().demand(queue, None, 0).unwrap());
                owner.offers.remove(&slot);
                owner.entered.insert(slot, Entered { queue, demand, key, began, done: u64::MAX });
                self.matcher.put_back(ContactSlot(slot), demand, key).expect("only its owner ends an offer");
                owner.entered.get_mut(&slot).unwrap().done = self.tick();
            }
            _ => {}
        }
    }

    fn move_agent(&self, agent: u32, seed: &mut Seed, owner: &mut Owner) {
        let id = AgentId(agent);
        match self.matcher.agent(id) {
            AgentView::Busy => self.enter_index(id),
            AgentView::Ready if seed.below(4) == 0 => {
                if self.matcher.pause(id) == AgentView::Busy {
                    self.matcher.set_standing(id, Some(Standing::Break));
                }
            }
            AgentView::Held { offered: false, .. } => {
                owner.holders.remove(&agent);
                assert!(self.matcher.release(id), "only its owner lets an agent go");
                self.enter_index(id);
            }
            AgentView::Ready | AgentView::Held { .. } => {}
        }
    }

    fn enter_index(&self, agent: AgentId) {
        self.matcher.set_standing(agent, Some(Standing::Free));
        self.matcher.ready(agent, Time::from_micros(self.tick()), Duration::ZERO);
    }
}

/// What was looked at in all pauses: a test that looks at nothing proves nothing.
#[derive(Default, Debug)]
struct Looked {
    offers: u64,
    waiting: u64,
    ready: u64,
    pairs: u64,
    order: u64,
    answers: u64,
    loans: u64,
}

/// Whether the agent could be lent to the queue: by what they have, for the routing table tells only of those who need not be.
fn could_be_lent(directory: &Directory, agent: AgentId, queue: QueueId) -> bool {
    let (agent, queue) = (directory.agents[agent.index()].as_ref().unwrap(), directory.queues[queue.index()].as_ref().unwrap());
    let level = |skill: SkillId| agent.skills.iter().find(|(known, _)| *known == skill).map_or(0, |(_, level)| *level);
    agent.agency != queue.agency
        && agent.pools.iter().any(|pool| queue.pools.contains(pool))
        && queue.skills.iter().all(|(skill, least)| level(*skill) >= *least)
}

fn serves(table: &RoutingTable, agent: AgentId, demand: DemandId) -> bool {
    demand.agent().map_or_else(|| table.serves(table.group(agent).unwrap(), demand), |own| own == agent)
}

/// Everything that must hold while nobody moves.
fn look(house: &House, owners: &[Arc<Mutex<Owner>>], moved: bool, looked: &mut Looked) {
    let (matcher, table) = (&house.matcher, house.matcher.routing_table());
    let directory = directory((table.version() as u32 - 1) % 3, house.lends);
    let lender = |agency: AgencyId| directory.lending.get(agency.index()).copied().flatten();
    let would_lend = |agency| matcher.on_loan(agency).is_some_and(|(on_loan, max)| on_loan < max);
    let mut on_loan: BTreeMap<AgencyId, u32> = BTreeMap::new();
    let mut owners: Vec<_> = owners.iter().map(|owner| owner.lock().unwrap()).collect();
    let mut held_by: BTreeMap<u32, u32> = BTreeMap::new();
    let mut waiting: Vec<Entered> = Vec::new();
    let mut in_queue: BTreeMap<QueueId, u32> = BTreeMap::new();
    for owner in &owners {
        for (slot, entered) in &owner.entered {
            *in_queue.entry(entered.queue).or_default() += 1;
            match matcher.contact(ContactSlot(*slot)) {
                ContactView::Waiting => waiting.push(*entered),
                ContactView::Offered(agent) => {
                    looked.offers += 1;
                    let (theirs, home) = (agency(entered.queue.0), agency(agent.0));
                    if theirs != home && lender(home).is_some() && entered.demand.agent().is_none() {
                        *on_loan.entry(home).or_default() += 1;
                        looked.loans += 1;
                    }
                    assert_eq!(held_by.insert(agent.0, *slot), None, "agent {} is held twice", agent.0);
                    let held = matcher.agent(agent);
                    assert_eq!(held, AgentView::Held { contact: ContactSlot(*slot), offered: true }, "an offer was not finished");
                    assert_eq!(owner.offers.get(slot), Some(&agent.0), "the owner of contact {slot} was not told");
                    let theirs = &owners[(agent.0 % house.owners) as usize];
                    assert_eq!(theirs.holders.get(&agent.0), Some(slot), "the owner of agent {} was not told", agent.0);
                }
                gone => panic!("contact {slot} is lost: {gone:?}"),
            }
        }
    }
    for queue in (0..QUEUES).map(QueueId) {
        assert_eq!(matcher.waiting(queue), in_queue.get(&queue).copied().unwrap_or(0), "{queue:?} is counted wrong");
    }
    looked.waiting += waiting.len() as u64;
    for agent in (0..AGENTS).map(AgentId) {
        match matcher.agent(agent) {
            AgentView::Ready => {
                looked.ready += 1;
                let found = waiting.iter().find(|entered| serves(&table, agent, entered.demand));
                assert!(found.is_none(), "{agent:?} is ready and could serve {:?}", found.map(|entered| entered.queue));
                if lender(agency(agent.0)).is_some() && would_lend(agency(agent.0)) {
                    let borrows =
                        |entered: &&Entered| entered.demand.agent().is_none() && could_be_lent(&directory, agent, entered.queue);
                    let found = waiting.iter().find(borrows);
                    assert!(found.is_none(), "{agent:?} is ready and could be lent to {:?}", found.map(|entered| entered.queue));
                }
                looked.pairs += waiting.len() as u64;
            }
            AgentView::Held { contact, offered: true } => {
                assert_eq!(held_by.get(&agent.0), Some(&contact.0), "{agent:?} is held by a contact that does not know");
            }
            AgentView::Busy | AgentView::Held { .. } => {}
        }
    }
    for (agency, offered) in on_loan {
        let (permits, _) = matcher.on_loan(agency).unwrap();
        assert!(offered <= permits, "{offered} agents of {agency:?} are on loan, with {permits} permits");
        assert!(agency.0 != 0 || permits <= 3, "{permits} agents of {agency:?} have permits");
    }
    // A claimed contact had no other before it that had entered before, that the agent may serve, and that still waits.
    for (entered, agent) in owners.iter().flat_map(|owner| &owner.offered).filter(|_| !moved) {
        for left in waiting.iter().filter(|left| left.done < entered.began) {
            looked.order += 1;
            // Agents who are kept for their own go by the order of these, and then of the others.
            let passed_over = left.key < entered.key && serves(&table, AgentId(*agent), left.demand);
            assert!(!passed_over, "agent {agent} got one of {:?} before an older one of {:?}", entered.queue, left.queue);
        }
    }
    for owner in &mut owners {
        looked.answers += std::mem::take(&mut owner.answers);
        owner.offered.clear();
    }
}

/// Tells when a thread has come to its end, and whether by a failure.
struct End(mpsc::Sender<bool>);

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.0.send(std::thread::panicking());
    }
}

#[test]
fn nothing_that_must_hold_is_broken_on_all_cores() {
    let Looked { offers, waiting, ready, pairs, order, answers, .. } = run(PHASES, false);
    let seen = [offers, waiting, ready, pairs, order, answers];
    assert!(seen.iter().all(|count| *count > 200), "too little was looked at: {seen:?}");
}

#[test]
fn nor_where_agencies_lend_their_agents() {
    let Looked { offers, waiting, ready, pairs, order, answers, loans } = run(PHASES / 3, true);
    let seen = [offers, waiting, ready, pairs, order, answers, loans];
    assert!(seen.iter().all(|count| *count > 200), "too little was looked at: {seen:?}");
}

/// `STRESS_TIMES=N` moves N times as often.
fn times() -> u32 {
    std::env::var("STRESS_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

fn run(phases: u32, lends: bool) -> Looked {
    let phases = phases * times();
    let owners = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8) as u32;
    let size = Size { shards: owners as u16, contacts_per_shard: CONTACTS_EACH, agents: AGENTS, queues: QUEUES, agencies: 3 };
    let matcher = Matcher::new(size, RoutingTable::new(&directory(0, lends), 1), |agent| (agent.0 % owners) as u16);
    for agent in (0..AGENTS).map(AgentId) {
        matcher.set_standing(agent, Some(Standing::Break));
    }
    let house = Arc::new(House { matcher, owners, lends, clock: AtomicU64::new(1) });
    let known: Vec<_> = (0..owners).map(|_| Arc::new(Mutex::new(Owner { map_version: 1, ..Owner::default() }))).collect();
    let barrier = Arc::new(Barrier::new(owners as usize));
    let looked = Arc::new(Mutex::new(Looked::default()));
    let (ends, ended) = mpsc::channel();
    let threads: Vec<_> = (0..owners)
        .map(|number| {
            let (house, barrier, known, looked) = (house.clone(), barrier.clone(), known.clone(), looked.clone());
            let end = End(ends.clone());
            std::thread::spawn(move || {
                let _end = end;
                let mut seed = Seed::from_number(u64::from(number));
                for phase in 0..phases {
                    // In some phases the directory changes, and then order goes by two routing tables at once.
                    let changes_directory = phase % 5 == 4;
                    let narrow = phase % 2 == 1;
                    // In some phases a few move over and over, and get into each other's way.
                    let (contacts, agents) = if phase % 4 < 2 { (4, 3) } else { (CONTACTS_EACH, AGENTS / owners) };
                    let mut owner = known[number as usize].lock().unwrap();
                    for turn in 0..MOVES {
                        house.listen(number as u16, &mut owner);
                        house.take_up(number, &mut owner);
                        if changes_directory && turn == MOVES / 2 && phase % owners == number {
                            let directory_version = phase / 5 + 1;
                            house
                                .matcher
                                .publish(&directory(directory_version % 3, lends), u64::from(directory_version) + 1)
                                .unwrap();
                        }
                        if seed.below(2) == 0 {
                            let slot = number * CONTACTS_EACH + seed.below(contacts.into()) as u32;
                            house.move_contact(number, slot, narrow, &mut seed, &mut owner);
                        } else {
                            house.move_agent(number + owners * seed.below(agents.into()) as u32, &mut seed, &mut owner);
                        }
                    }
                    drop(owner);
                    // All have moved; all take up what is left; all have listened; one looks; all go on.
                    barrier.wait();
                    house.take_up(number, &mut known[number as usize].lock().unwrap());
                    // What one hears may be news for another.
                    loop {
                        barrier.wait();
                        let news = (0..owners).any(|owner| house.matcher.has_wake_ups(owner as u16));
                        barrier.wait();
                        if !news {
                            break;
                        }
                        house.listen(number as u16, &mut known[number as usize].lock().unwrap());
                    }
                    if barrier.wait().is_leader() {
                        look(&house, &known, changes_directory, &mut looked.lock().unwrap());
                    }
                    barrier.wait();
                }
            })
        })
        .collect();
    // A thread that fails leaves the others at the barrier: the first failure ends the test.
    drop(ends);
    for failed in ended {
        assert!(!failed, "an owner failed");
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let looked = std::mem::take(&mut *looked.lock().unwrap());
    println!("{owners} owners, {} moves: {looked:?}", owners * phases * MOVES);
    looked
}

/// Wakes a thread of the system.
#[derive(Default)]
struct Gong(Mutex<bool>, Condvar);

impl Bell for Gong {
    fn ring(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }
}

impl Gong {
    fn wait(&self) {
        let rung = self.0.lock().unwrap();
        let (mut rung, late) = self.1.wait_timeout_while(rung, Duration::from_secs(60), |rung| !*rung).unwrap();
        assert!(!late.timed_out(), "nobody rang");
        *rung = false;
    }
}

#[test]
fn a_reader_that_sleeps_between_letters_misses_none() {
    const LETTERS: u32 = 40_000;
    let mail = Mail::new(Gong::default());
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let mail = &mail;
            scope.spawn(move || (0..LETTERS).for_each(|n| mail.post((thread, n))));
        }
        let mut next = [0, 0];
        while next != [LETTERS, LETTERS] {
            while let Some((thread, n)) = mail.take() {
                assert_eq!(n, std::mem::replace(&mut next[thread], n + 1), "each poster's in order");
            }
            if next != [LETTERS, LETTERS] && mail.may_sleep(Rest::Asleep, || true) {
                mail.bell().wait();
                mail.awake();
            }
        }
    });
    assert!(mail.is_empty());
}
