//! The matcher against a plain sequential model of it: maps and loops, no atomics, no index. After each move every party must be where the
//! model has it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::policy::{self, Candidate, ChoiceRule};
use super::super::queue::{RelaxationStep, tests::plain};
use super::super::routing_table::tests::agent;
use super::super::routing_table::{DemandId, Directory, SkillGroupId};
use super::*;
use crate::base::{PoolId, SkillId};

const AGENTS: u32 = 7;
const SLOTS: u32 = 12;
const QUEUES: u32 = 6;

/// One of three directories: in the second people have moved and levels have changed, in the third a pool is closed.
fn directory(directory_version: u32) -> Directory {
    let mut queues = vec![
        plain("tax", &[(1, 5)], &[0]),
        plain("any", &[], &[0, 1]),
        plain("bus", &[(2, 1)], &[1, 2]),
        plain("fire", &[], &[2, 0]),
        plain("tax-abroad", &[(1, 3), (9, 2)], &[0, 2]),
        plain("turns", &[], &[2, 1]),
    ];
    queues[0].relaxation = vec![
        RelaxationStep { after: Duration::from_secs(30), lower_levels_by: 3, more_pools: vec![] },
        RelaxationStep { after: Duration::from_secs(60), lower_levels_by: 3, more_pools: vec![PoolId(1), PoolId(2)] },
    ];
    queues[2].priority_boost = Duration::from_secs(20);
    queues[3].emergency = true;
    for (queue, rule) in queues.iter_mut().zip(ChoiceRule::ALL) {
        queue.choice = rule;
    }
    type Person<'a> = (&'a [(u32, u8)], &'a [u32]);
    let mut people: Vec<Person<'_>> = vec![
        (&[(1, 7)], &[0]),
        (&[(1, 2), (9, 5)], &[0]),
        (&[(1, 2), (2, 2)], &[1]),
        (&[], &[1]),
        (&[(2, 9), (1, 9), (9, 9)], &[2]),
        (&[(2, 1)], &[0, 2]),
        (&[(1, 7)], &[0]),
    ];
    match directory_version {
        1 => {
            people[0].1 = &[1];
            people[3] = (&[(2, 4)], &[2, 0]);
            queues[0].skills = vec![(SkillId(1), 2)];
            queues[4].pools = vec![PoolId(1), PoolId(2)];
        }
        2 => {
            for queue in &mut queues {
                queue.pools.retain(|pool| *pool != PoolId(0));
            }
        }
        _ => {}
    }
    Directory {
        queues: queues.into_iter().map(Some).collect(),
        agents: (0..).zip(people).map(|(n, (skills, pools))| agent(&format!("a{n}"), skills, pools)).collect::<Vec<_>>(),
        languages: vec![SkillId(9)],
        lending: Vec::new(),
        agent_slots_from: None,
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Waiting {
    demand: DemandId,
    key: Key,
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct ReadyAgent {
    group: SkillGroupId,
    since: Time,
    occupied_secs: u32,
}

/// The model.
struct Plain {
    table: Arc<RoutingTable>,
    waiting: BTreeMap<u32, Waiting>,
    ready: BTreeMap<u32, ReadyAgent>,
    /// Contact and agent.
    offers: BTreeMap<u32, u32>,
    /// By demand: the agent that was chosen last.
    chosen: BTreeMap<DemandId, u32>,
}

impl Plain {
    fn best(&self, group: SkillGroupId) -> Option<u32> {
        let served = self.waiting.iter().filter(|(_, it)| self.table.serves(group, it.demand));
        served.min_by_key(|(_, it)| it.key).map(|(slot, _)| *slot)
    }

    fn head(&self, it: Waiting) -> Option<u32> {
        let rule = self.table.rule(it.demand);
        let last = self.chosen.get(&it.demand).copied().unwrap_or(u32::MAX);
        let salt = if rule == ChoiceRule::RoundRobin { u64::from(last) } else { it.key.salt() };
        let ranked = self.ready.iter().filter_map(|(agent, agent_ready)| {
            let served = self.table.served(agent_ready.group, it.demand)?;
            let candidate = Candidate {
                agent: *agent,
                pool: served.pool,
                level_sum: served.level_sum,
                idle_since: agent_ready.since,
                occupied_secs: agent_ready.occupied_secs,
            };
            Some((policy::rank(rule, &candidate, salt), *agent))
        });
        ranked.min().map(|(_, agent)| agent)
    }

    fn pair(&mut self, slot: u32, agent: u32) {
        let it = self.waiting.remove(&slot).expect("it waits");
        self.chosen.insert(it.demand, agent);
        self.ready.remove(&agent);
        self.offers.insert(slot, agent);
    }

    fn match_contact(&mut self, slot: u32) {
        'again: while let Some(mut it) = self.waiting.get(&slot).copied() {
            let mut turn = slot;
            loop {
                let Some(agent) = self.head(it) else {
                    if turn == slot {
                        return;
                    }
                    continue 'again;
                };
                let first = self.best(self.ready[&agent].group).expect("one is there");
                if first == turn {
                    self.pair(first, agent);
                    continue 'again;
                }
                (turn, it) = (first, self.waiting[&first]);
            }
        }
    }

    fn enter_contact(&mut self, slot: u32, demand: DemandId, key: Key) {
        self.waiting.insert(slot, Waiting { demand, key });
        self.match_contact(slot);
    }

    fn enter_agent(&mut self, agent: u32, agent_ready: ReadyAgent) {
        self.ready.insert(agent, agent_ready);
        if let Some(first) = self.best(agent_ready.group) {
            self.pair(first, agent);
        }
    }
}

/// What its owner knows of a contact.
#[derive(Clone, Copy, Debug)]
struct Ticket {
    queue: u32,
    language: Option<SkillId>,
    step: usize,
    key: Key,
}

/// Both, moved alike.
struct Pair {
    real: Matcher,
    plain: Plain,
    tickets: BTreeMap<u32, Ticket>,
    /// Agents in a talk.
    talking: Vec<u32>,
    now: Time,
    version: u64,
}

impl Pair {
    fn new() -> Self {
        let size = Size { shards: 1, contacts_per_shard: SLOTS, agents: AGENTS, queues: QUEUES, agencies: 4 };
        let table = RoutingTable::new(&directory(0), 1);
        let plain = Plain {
            table: Arc::new(table.clone()),
            waiting: BTreeMap::new(),
            ready: BTreeMap::new(),
            offers: BTreeMap::new(),
            chosen: BTreeMap::new(),
        };
        let real = Matcher::new(size, table, |_| 0);
        Pair { real, plain, tickets: BTreeMap::new(), talking: Vec::new(), now: Time::from_secs(10_000), version: 1 }
    }

    fn demand(&self, ticket: &Ticket) -> DemandId {
        self.plain.table.demand(QueueId(ticket.queue), ticket.language, ticket.step).expect("the queue has demands")
    }

    fn perform(&mut self, (kind, who, what): (u8, u8, u8)) {
        // Parties of one millisecond have no order. No sum of these steps comes so near to a sum of credits and boosts.
        self.now = self.now + Duration::from_millis(1511);
        let (slot, agent) = (u32::from(who) % SLOTS, u32::from(who) % AGENTS);
        match kind % 10 {
            0..=2 => self.arrive(slot, what),
            3 => {
                self.real.leave(ContactSlot(slot));
                self.tickets.remove(&slot);
                self.plain.waiting.remove(&slot);
                if let Some(agent) = self.plain.offers.remove(&slot) {
                    self.real.release(AgentId(agent));
                }
            }
            4 => {
                let taken = self.real.accept(ContactSlot(slot)).map(|agent| agent.0);
                assert_eq!(taken, self.plain.offers.remove(&slot));
                if let Some(agent) = taken {
                    self.tickets.remove(&slot);
                    self.talking.push(agent);
                    self.real.release(AgentId(agent));
                }
            }
            5 => {
                let Some(agent) = self.plain.offers.remove(&slot) else { return };
                let ticket = self.tickets[&slot];
                self.real.put_back(ContactSlot(slot), self.demand(&ticket), ticket.key);
                self.real.release(AgentId(agent));
                let demand = self.demand(&ticket);
                self.plain.enter_contact(slot, demand, ticket.key);
            }
            6 => self.ready(agent, u32::from(what)),
            7 => {
                self.real.pause(AgentId(agent));
                self.plain.ready.remove(&agent);
            }
            8 => {
                if self.plain.waiting.contains_key(&slot) {
                    self.tickets.get_mut(&slot).expect("it waits").step += 1;
                    self.refile(slot);
                }
            }
            _ => self.reload(u32::from(what) % 3),
        }
    }

    fn arrive(&mut self, slot: u32, what: u8) {
        if self.tickets.contains_key(&slot) {
            return;
        }
        let (queue, language) = (u32::from(what) % QUEUES, (what & 64 != 0).then_some(SkillId(9)));
        let credit = Duration::from_secs(u64::from(what >> 3 & 3) * 40);
        let rules = directory(0).queues[queue as usize].clone().expect("it is there");
        let key = self.real.key(self.now - credit, rules.priority_boost, rules.emergency);
        let ticket = Ticket { queue, language, step: 0, key };
        let demand = self.demand(&ticket);
        self.tickets.insert(slot, ticket);
        self.real.arrive(ContactSlot(slot), QueueId(queue), u32::MAX, demand, key, self.now).expect("there is room");
        self.plain.enter_contact(slot, demand, key);
    }

    fn ready(&mut self, agent: u32, occupied_secs: u32) {
        let held = self.plain.offers.values().any(|holds| *holds == agent);
        if held || self.plain.ready.contains_key(&agent) {
            return;
        }
        self.talking.retain(|talking| *talking != agent);
        assert!(self.real.ready(AgentId(agent), self.now, Duration::from_secs(u64::from(occupied_secs))));
        let group = self.plain.table.group(AgentId(agent)).expect("all are known");
        self.plain.enter_agent(agent, ReadyAgent { group, since: self.now, occupied_secs });
    }

    fn refile(&mut self, slot: u32) {
        let ticket = self.tickets[&slot];
        let demand = self.demand(&ticket);
        self.real.relax(ContactSlot(slot), demand, ticket.key);
        if self.plain.waiting.contains_key(&slot) {
            self.plain.enter_contact(slot, demand, ticket.key);
        }
    }

    /// As the engine takes a new routing table up: agents first, then contacts.
    fn reload(&mut self, directory_version: u32) {
        self.version += 1;
        self.real.publish(&directory(directory_version), self.version).expect("there is room");
        self.plain.table = self.real.routing_table();
        for agent in 0..AGENTS {
            self.real.regroup(AgentId(agent));
            if let Some(agent_ready) = self.plain.ready.get(&agent).copied() {
                let group = self.plain.table.group(AgentId(agent)).expect("all are known");
                self.plain.enter_agent(agent, ReadyAgent { group, ..agent_ready });
            }
        }
        let waiting: Vec<u32> = self.plain.waiting.keys().copied().collect();
        for slot in waiting {
            if self.plain.waiting.contains_key(&slot) {
                self.refile(slot);
            }
        }
        self.real.acknowledge(0, self.version);
    }

    fn compare(&self) {
        for slot in 0..SLOTS {
            let expected = match (self.plain.waiting.get(&slot), self.plain.offers.get(&slot)) {
                (Some(_), _) => Some(ContactView::Waiting),
                (None, Some(agent)) => Some(ContactView::Offered(AgentId(*agent))),
                (None, None) => None,
            };
            let real = self.real.contact(ContactSlot(slot));
            let real = (!matches!(real, ContactView::Gone | ContactView::Served)).then_some(real);
            assert_eq!(real, expected, "contact {slot}");
        }
        for agent in 0..AGENTS {
            let holder = self.plain.offers.iter().find(|(_, holds)| **holds == agent).map(|(slot, _)| *slot);
            let expected = match holder {
                Some(slot) => AgentView::Held { contact: ContactSlot(slot), offered: true },
                None if self.plain.ready.contains_key(&agent) => AgentView::Ready,
                None => AgentView::Busy,
            };
            assert_eq!(self.real.agent(AgentId(agent)), expected, "agent {agent}");
        }
        for queue in 0..QUEUES {
            let in_it = self.tickets.values().filter(|ticket| ticket.queue == queue).count();
            assert_eq!(self.real.waiting(QueueId(queue)) as usize, in_it, "queue {queue}");
        }
    }
}

proptest! {
    #[test]
    fn agrees_with_a_sequential_model(moves in prop::collection::vec(any::<(u8, u8, u8)>(), 0..200)) {
        let mut pair = Pair::new();
        for one in moves {
            pair.perform(one);
            pair.compare();
        }
    }
}
