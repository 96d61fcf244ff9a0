//! The claim protocol: the lock-free reservation of an agent for a contact.
//!
//! **The state words are the truth.** Each party (an agent or a contact) has one atomic state word and one owner. Only
//! the owner moves a party. Any thread may claim an agent for a contact, and a thread that meets an unfinished claim
//! finishes it. A claim names its contact, and the contact's state word alone decides it.
//!
//! A party's entry says to which demand or skill group it belongs, and with which key. It stands in one of two cells
//! beside the state word; the parity of the generation chooses the cell. So a new entry can be written while the old
//! one is still being read. A reader loads the state word before and after.
//!
//! The ready index (`ready_index`) finds the entries of a demand or of a skill group. It is only a hint at where to
//! look. An entry is in the index before the state word names it, and leaves the index only when the state word never
//! will again.
//!
//! Orders: loads are Acquire, stores Release, compare-and-swap AcqRel/Acquire. A sequentially consistent fence stands
//! between publishing and scanning. So of two parties that come at the same time at least one sees the other.

mod looks;

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use super::key::Key;
use super::policy::{self, Candidate, ChoiceRule};
use super::priority_list::{IndexEntry, Seen};
use super::published::Published;
#[cfg(not(hotline_loom))]
use super::ready_index::ReadyIndex;
use super::ready_index::{Location, Mask, Order};
use super::routing_table::{DEMANDS_MAX, DemandId, Directory, RoutingTable, Served, SkillGroupId, TooMany, skill_groups_max};
use super::state_word::{AgentGeneration, AgentStateWord, ContactGeneration, ContactStateWord, INDEX_LIMIT};
use super::step::{Step, does};
#[cfg(not(hotline_loom))]
use super::wake_up::WakeUps;
use crate::base::padded::Padded;
use crate::base::sync::{AtomicU32, AtomicU64, EntryU32, EntryU64, Ordering, OwnedU32, OwnedU64, fence};
use crate::base::{AgentId, Time};
/// Priority lists and wake-ups have models of their own; loom sees the claim protocol over plain ones.
#[cfg(hotline_loom)]
use crate::modelled::{Plain as ReadyIndex, PlainWakeUps as WakeUps};

/// The slot of a contact in the matcher, below [`Size::contacts_per_shard`](super::matcher::Size) times the number of
/// shards. The engine that owns a slot gives it out, first in, first out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ContactSlot(pub u32);

/// The entry of a party: its demand or skill group, and its key. The slot's owner writes it, before the state word
/// names its generation.
struct Cell {
    bucket: EntryU32,
    /// Agents only: seconds talked since signing in.
    occupied: EntryU32,
    key: EntryU64,
    /// The location of the entry in the ready index.
    location: OwnedU64,
}

/// One cache line. A thread that looks at a party has all of it, and nothing of another's.
#[repr(align(64))]
struct Slot {
    state_word: AtomicU64,
    /// The owner's counter of entries. It is never set back, so that an old entry is dead by itself.
    generation: OwnedU32,
    cells: [Cell; 2],
}

impl Slot {
    fn new() -> Self {
        let cell =
            || Cell { bucket: EntryU32::new(0), occupied: EntryU32::new(0), key: EntryU64::new(0), location: OwnedU64::new(0) };
        Slot { state_word: AtomicU64::new(0), generation: OwnedU32::new(0), cells: [cell(), cell()] }
    }

    /// The next generation; only the slot's owner calls this.
    fn next_generation(&self) -> u32 {
        let next = self.generation.load(Ordering::Relaxed).wrapping_add(1);
        self.generation.store(next, Ordering::Relaxed);
        next
    }

    fn swap(&self, from: u64, to: u64) -> bool {
        self.state_word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// A contact that a scan has seen waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Waiting {
    slot: u32,
    cg: ContactGeneration,
    demand: DemandId,
    key: Key,
}

/// An agent that a scan has seen ready, or under a claim that is not finished yet.
#[derive(Clone, Copy, Debug)]
struct Free {
    slot: u32,
    group: SkillGroupId,
    word: AgentStateWord,
}

/// What became of a contact that leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// It was waiting.
    Waited,
    /// It was offered to this agent, whose owner has to be notified.
    WasOffered(AgentId),
    /// It was not in a queue.
    NotHere,
}

/// What an agent's state word says now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AgentView {
    /// Not available.
    Busy,
    /// In its skill group, and ready.
    Ready,
    /// Reserved for a contact.
    Held {
        /// The contact.
        contact: ContactSlot,
        /// Whether the contact's state word still names this agent with this entry.
        offered: bool,
    },
}

/// What a contact's state word says now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContactView {
    /// Not in a queue.
    Gone,
    /// In a queue.
    Waiting,
    /// Offered to an agent.
    Offered(AgentId),
    /// Taken by an agent.
    Served,
}

/// The state words of all parties, and the moves that are allowed.
pub(crate) struct ClaimProtocol {
    agents: Box<[Slot]>,
    contacts: Box<[Slot]>,
    demands: ReadyIndex,
    groups: ReadyIndex,
    /// By demand: the agent that its round robin chose last.
    chosen: Box<[AtomicU32]>,
    agent_owner: Box<[u16]>,
    contacts_per_shard: u32,
    pub(crate) agent_wake_ups: WakeUps,
    pub(crate) contact_wake_ups: WakeUps,
    table: Published<RoutingTable>,
    /// By shard: the directory version that it has adopted.
    acknowledged: Box<[Padded<AtomicU64>]>,
}

impl ClaimProtocol {
    /// `agent_owner` names the shard of each agent. Each shard owns `contacts_per_shard` contact slots, in order.
    pub(crate) fn new(agent_owner: Vec<u16>, contacts_per_shard: u32, shards: u16, table: RoutingTable) -> Self {
        let agents = u32::try_from(agent_owner.len()).expect("checked by the configuration");
        let contacts = contacts_per_shard * u32::from(shards);
        assert!(agents <= INDEX_LIMIT && contacts <= INDEX_LIMIT, "checked by the configuration");
        ClaimProtocol {
            agents: (0..agents).map(|_| Slot::new()).collect(),
            contacts: (0..contacts).map(|_| Slot::new()).collect(),
            demands: ReadyIndex::new(contacts, DEMANDS_MAX + agents),
            groups: ReadyIndex::new(agents, skill_groups_max(agents)),
            // Agents are counted from 0: before the first choice the last agent counts as chosen.
            chosen: (0..DEMANDS_MAX).map(|_| AtomicU32::new(u32::MAX)).collect(),
            agent_owner: agent_owner.into_boxed_slice(),
            contacts_per_shard,
            agent_wake_ups: WakeUps::new(agents, shards),
            contact_wake_ups: WakeUps::new(contacts, shards),
            acknowledged: (0..shards).map(|_| Padded(AtomicU64::new(table.version()))).collect(),
            table: Published::new(table),
        }
    }

    pub(crate) fn routing_table(&self) -> impl Deref<Target = Arc<RoutingTable>> {
        self.table.load()
    }

    /// Puts the directory, as this `version`, in force. One publisher at a time may call it.
    ///
    /// # Errors
    /// When its routing table has more demands or skill groups than there is room for.
    pub(crate) fn publish(&self, directory: &Directory, version: u64) -> Result<Arc<RoutingTable>, TooMany> {
        let acknowledged = self.acknowledged.iter().map(|owner| owner.0.load(Ordering::Acquire)).min().unwrap_or(0);
        let table = self.table.load().following(directory, version, acknowledged);
        table.fits(self.agents.len() as u32)?;
        self.table.store(table);
        Ok(self.table.load().clone())
    }

    /// The owner's parties are where this directory version has them. It uses no older routing table any more.
    pub(crate) fn acknowledge(&self, shard: u16, version: u64) {
        self.acknowledged[usize::from(shard)].0.store(version, Ordering::Release);
    }

    fn agent(&self, slot: u32) -> AgentStateWord {
        AgentStateWord::unpack(self.agents[slot as usize].state_word.load(Ordering::Acquire))
    }

    fn contact(&self, slot: u32) -> ContactStateWord {
        ContactStateWord::unpack(self.contacts[slot as usize].state_word.load(Ordering::Acquire))
    }

    fn swap_agent(&self, slot: u32, from: AgentStateWord, to: AgentStateWord) -> bool {
        self.agents[slot as usize].swap(from.pack(), to.pack())
    }

    fn swap_contact(&self, slot: u32, from: ContactStateWord, to: ContactStateWord) -> bool {
        self.contacts[slot as usize].swap(from.pack(), to.pack())
    }

    pub(crate) fn wake_agent(&self, slot: u32) {
        self.agent_wake_ups.push(self.agent_owner[slot as usize], slot);
    }

    pub(crate) fn wake_contact(&self, slot: u32) {
        self.contact_wake_ups.push(self.owner_of_contact(slot), slot);
    }

    // ---- by any thread ----

    /// Finishes the claim that the state word of agent `slot` was seen under.
    fn settle(&self, slot: u32, claim: AgentStateWord) {
        let AgentStateWord::Claim { contact, cg, ag } = claim else { return };
        let offered = ContactStateWord::Offered { agent: slot, ag, cg };
        if self.swap_contact(contact, ContactStateWord::Waiting(cg), offered) || self.contact(contact) == offered {
            if self.agent(slot) == claim {
                let wake = || {
                    self.wake_contact(contact);
                    self.wake_agent(slot);
                };
                let held = AgentStateWord::Held { contact, cg, ag };
                if does(Step::OfferBeforeHeld) {
                    wake();
                    self.swap_agent(slot, claim, held);
                } else if self.swap_agent(slot, claim, held) {
                    wake();
                }
            }
        } else {
            self.swap_agent(slot, claim, AgentStateWord::Ready(ag));
        }
    }

    /// Finishes the claim by which a contact is offered, if it is unfinished.
    fn settle_offer(&self, contact: u32, agent: u32, ag: AgentGeneration, cg: ContactGeneration) {
        let claim = AgentStateWord::Claim { contact, cg, ag };
        if self.agent(agent) == claim {
            self.settle(agent, claim);
        }
    }

    /// The entry of a contact that is waiting.
    fn waiting(&self, slot: u32) -> Option<Waiting> {
        let word = self.contact(slot);
        let ContactStateWord::Waiting(cg) = word else { return None };
        let cell = &self.contacts[slot as usize].cells[cg.cell()];
        let demand = DemandId(cell.bucket.load(Ordering::Acquire));
        let key = Key(cell.key.load(Ordering::Acquire));
        (self.contact(slot) == word).then_some(Waiting { slot, cg, demand, key })
    }

    /// Whether an entry found in `demand` is of a contact that waits there. Finishes the claim that it is under.
    fn look_at_contact(&self, demand: DemandId, entry: IndexEntry) -> Result<ContactGeneration, Seen> {
        let (slot, entered) = (entry.slot(), ContactGeneration::from_counter(entry.generation()));
        loop {
            let word = self.contact(slot);
            return match word {
                ContactStateWord::Waiting(cg) if cg == entered => {
                    // A segment that was reused may show the contact in a list where it has no entry.
                    let bucket = self.contacts[slot as usize].cells[cg.cell()].bucket.load(Ordering::Acquire);
                    match self.contact(slot) == word {
                        true if bucket == demand.0 || !does(Step::OwnersCounter) => Ok(cg),
                        // A claim may have been made meanwhile by a thread that has stopped since.
                        false if does(Step::AgainInScan) => continue,
                        _ => Err(Seen::Pass),
                    }
                }
                ContactStateWord::Offered { agent, ag, cg } if cg == entered => {
                    if does(Step::SettleInScan) {
                        self.settle_offer(slot, agent, ag, cg);
                    }
                    Err(Seen::Dead)
                }
                word if word.generation() == entered || word.generation().after(entered) => Err(Seen::Dead),
                _ if !does(Step::OnlyOlderIsDead) => Err(Seen::Dead),
                _ => Err(Seen::Pass),
            };
        }
    }

    /// The longest waiting contact that `agent`, who is in `group`, may serve; `best` if no contact goes before it.
    fn look(&self, table: &RoutingTable, (agent, group): (u32, SkillGroupId), best: Option<Waiting>) -> Option<Waiting> {
        let best = self.look_in(table.demands_of(group), best);
        self.look_in(&[Mask::one(DemandId::of_agent(AgentId(agent)).0)], best)
    }

    /// The longest waiting contact in `demands`; `best` if no contact goes before it.
    fn look_in(&self, demands: &[Mask], mut best: Option<Waiting>) -> Option<Waiting> {
        let reach = |best: &Option<Waiting>| best.map_or(u64::MAX, |best| best.key.0);
        let visit = |best: &mut Option<Waiting>, demand, key, entry: IndexEntry| {
            let (demand, key) = (DemandId(demand), Key(key));
            if best.is_some_and(|best| best.key <= key) {
                return Seen::Stop;
            }
            match self.look_at_contact(demand, entry) {
                Ok(cg) => {
                    *best = Some(Waiting { slot: entry.slot(), cg, demand, key });
                    Seen::Stop
                }
                Err(seen) => seen,
            }
        };
        self.demands.scan(demands, Order::ByKey, &mut best, reach, visit);
        best
    }

    /// The longest waiting contact that `member`, an agent in its skill group, may serve. It scans again until a scan
    /// finds no contact that goes first: that is where the order comes from.
    fn best(&self, table: &RoutingTable, member: (u32, SkillGroupId)) -> Option<Waiting> {
        let mut best = self.look(table, member, None)?;
        if !does(Step::SecondLook) {
            return Some(best);
        }
        loop {
            let again = self.look(table, member, Some(best))?;
            let before = again != best;
            best = again;
            if !before {
                if self.contact(best.slot) == ContactStateWord::Waiting(best.cg) {
                    return Some(best);
                }
                best = self.look(table, member, None)?;
            }
        }
    }

    /// The state word of an agent whose entry was found in `group`: ready there, or under a claim that may yet fail.
    fn look_at_agent(&self, group: SkillGroupId, entry: IndexEntry) -> Result<(AgentStateWord, AgentGeneration), Seen> {
        let (slot, entered) = (entry.slot(), AgentGeneration::from_counter(entry.generation()));
        let word = self.agent(slot);
        match word {
            AgentStateWord::Ready(ag) | AgentStateWord::Claim { ag, .. } if ag == entered => {
                let bucket = self.agents[slot as usize].cells[ag.cell()].bucket.load(Ordering::Acquire);
                if bucket == group.0 && self.agent(slot).generation() == ag { Ok((word, ag)) } else { Err(Seen::Pass) }
            }
            word if word.generation() == entered || word.generation().after(entered) => Err(Seen::Dead),
            _ if !does(Step::OnlyOlderIsDead) => Err(Seen::Dead),
            _ => Err(Seen::Pass),
        }
    }

    /// The best agent for the demand of `waiting`, ready or under a claim that may yet fail.
    fn head(&self, table: &RoutingTable, waiting: &Waiting) -> Option<Free> {
        if let Some(agent) = waiting.demand.agent() {
            return self.free(agent.0);
        }
        let served = |group| table.served(group, waiting.demand);
        self.choose(table, waiting, table.groups_of(waiting.demand), served, None)
    }

    /// The best agent for `waiting` in `groups`, as far as they are `served`, except the agent `but`: ready, or under a
    /// claim that may yet fail.
    fn choose(
        &self,
        table: &RoutingTable,
        waiting: &Waiting,
        groups: &[Mask],
        served: impl Fn(SkillGroupId) -> Option<Served>,
        but: Option<u32>,
    ) -> Option<Free> {
        let rule = table.rule(waiting.demand);
        let salt = match rule {
            ChoiceRule::RoundRobin => u64::from(self.chosen[waiting.demand.0 as usize].load(Ordering::Relaxed)),
            _ => waiting.key.salt(),
        };
        let order = if rule.by_idleness() { Order::ByKey } else { Order::Any };
        let mut best: Option<((u8, u64, u64), Free)> = None;
        // No pool is better than the first. In it no agent is better that was idle for less time than the best so far.
        let reach = |best: &Option<((u8, u64, u64), Free)>| match best {
            Some(((0, idle_since, _), _)) if rule == ChoiceRule::LongestIdle => *idle_since,
            _ => u64::MAX,
        };
        // Entries that follow each other mostly share a skill group, so the last answer mostly holds.
        let mut last: Option<Served> = None;
        self.groups.scan(groups, order, &mut best, reach, |best, group, idle_since, entry| {
            let group = SkillGroupId(group);
            if last.is_none_or(|last| last.group != group) {
                last = served(group);
            }
            let Some(served) = last else { return Seen::Stop };
            if but == Some(entry.slot()) {
                return Seen::Pass;
            }
            let (word, ag) = match self.look_at_agent(group, entry) {
                Ok(found) => found,
                Err(seen) => return seen,
            };
            let cell = &self.agents[entry.slot() as usize].cells[ag.cell()];
            let candidate = Candidate {
                agent: entry.slot(),
                pool: served.pool,
                level_sum: served.level_sum,
                idle_since: Time::from_micros(idle_since),
                occupied_secs: cell.occupied.load(Ordering::Acquire),
            };
            let rank = policy::rank(rule, &candidate, salt);
            if best.is_none_or(|(least, _)| rank < least) {
                *best = Some((rank, Free { slot: entry.slot(), group, word }));
            }
            Seen::Stop
        });
        best.map(|(_, free)| free)
    }

    /// An agent that is ready, or under a claim that may yet fail.
    fn free(&self, slot: u32) -> Option<Free> {
        loop {
            let word = self.agent(slot);
            let (AgentStateWord::Ready(ag) | AgentStateWord::Claim { ag, .. }) = word else { return None };
            let group = SkillGroupId(self.agents[slot as usize].cells[ag.cell()].bucket.load(Ordering::Acquire));
            if self.agent(slot).generation() == ag {
                return Some(Free { slot, group, word });
            }
        }
    }

    /// Notes that round robin has chosen the agent for the demand. It is only a hint: a claim that is lost counts, too.
    fn note_turn(&self, table: &RoutingTable, demand: DemandId, agent: u32) {
        if table.rule(demand) == ChoiceRule::RoundRobin {
            self.chosen[demand.0 as usize].store(agent, Ordering::Relaxed);
        }
    }

    /// Finds an agent for the contact, and first for each contact that goes before it.
    fn match_contact(&self, slot: u32, cg: ContactGeneration, early: Option<&RoutingTable>) {
        'again: loop {
            match self.contact(slot) {
                ContactStateWord::Offered { agent, ag, cg } => return self.settle_offer(slot, agent, ag, cg),
                ContactStateWord::Waiting(now) if now == cg => {}
                _ => return,
            }
            let Some(mut turn) = self.waiting(slot) else { continue };
            loop {
                let loaded = self.table.load();
                let table = early.unwrap_or(&loaded);
                let Some(agent) = self.head(table, &turn) else {
                    if turn.slot == slot {
                        return;
                    }
                    continue 'again;
                };
                let AgentStateWord::Ready(ag) = agent.word else {
                    if !does(Step::SettleInMatch) {
                        return;
                    }
                    self.settle(agent.slot, agent.word);
                    continue 'again;
                };
                let Some(first) = self.best(table, (agent.slot, agent.group)) else { continue 'again };
                if first.slot != turn.slot || first.cg != turn.cg {
                    turn = first;
                    continue;
                }
                let claim = AgentStateWord::Claim { contact: first.slot, cg: first.cg, ag };
                if self.swap_agent(agent.slot, agent.word, claim) {
                    self.note_turn(table, first.demand, agent.slot);
                    self.settle(agent.slot, claim);
                }
                continue 'again;
            }
        }
    }

    /// Finds a contact for the agent, for as long as the agent is ready with this entry.
    fn drive(&self, slot: u32, ag: AgentGeneration) {
        loop {
            let word = self.agent(slot);
            match word {
                AgentStateWord::Claim { ag: now, .. } if now == ag && does(Step::SettleInDrive) => self.settle(slot, word),
                AgentStateWord::Ready(now) if now == ag => {
                    let table = self.table.load();
                    let group = SkillGroupId(self.agents[slot as usize].cells[ag.cell()].bucket.load(Ordering::Acquire));
                    let Some(first) = self.best(&table, (slot, group)) else { return };
                    let claim = AgentStateWord::Claim { contact: first.slot, cg: first.cg, ag };
                    if self.swap_agent(slot, word, claim) {
                        self.note_turn(&table, first.demand, slot);
                        self.settle(slot, claim);
                    }
                }
                _ => return,
            }
        }
    }

    // ---- by the party's owner ----

    /// Writes a new entry of a contact; its state word is still the old one.
    fn enter_contact(&self, slot: u32, demand: DemandId, key: Key) -> ContactGeneration {
        let contact = &self.contacts[slot as usize];
        let cg = match does(Step::OwnersCounter) {
            true => ContactGeneration::from_counter(contact.next_generation()),
            false => ContactGeneration::from_counter(self.contact(slot).generation().number() + 1),
        };
        let cell = &contact.cells[cg.cell()];
        cell.bucket.store(demand.0, Ordering::Release);
        if does(Step::IndexBeforeStateWord) {
            self.index_contact(slot, cg, demand, key);
        } else {
            cell.key.store(key.0, Ordering::Release);
        }
        cg
    }

    fn index_contact(&self, slot: u32, cg: ContactGeneration, demand: DemandId, key: Key) {
        let cell = &self.contacts[slot as usize].cells[cg.cell()];
        let (location, key) = self.demands.enter(demand.0, key.0, IndexEntry::new(slot, cg.number()));
        cell.key.store(key, Ordering::Release);
        cell.location.store(location.word(), Ordering::Relaxed);
    }

    /// What follows once a contact's state word says that it waits, in this order: publish, fence, scan.
    fn published(&self, slot: u32, cg: ContactGeneration, (demand, key): (DemandId, Key), fenced: Step) {
        if !does(Step::IndexBeforeStateWord) {
            self.index_contact(slot, cg, demand, key);
        }
        let early = (!does(Step::TableAfterFence)).then(|| self.table.load().clone());
        if does(fenced) {
            fence(Ordering::SeqCst);
        }
        self.match_contact(slot, cg, early.as_deref());
    }

    /// A contact's entry is over: takes it out of the index.
    fn retire_contact(&self, slot: u32, cg: ContactGeneration) {
        let cell = &self.contacts[slot as usize].cells[cg.cell()];
        let location = Location::from_word(cell.location.load(Ordering::Relaxed));
        self.demands.retire(cell.bucket.load(Ordering::Relaxed), location, IndexEntry::new(slot, cg.number()));
    }

    /// Writes a new entry of an agent; its state word is still the old one.
    fn enter_agent(&self, slot: u32, group: SkillGroupId, idle_since: Time, occupied_secs: u32) -> AgentGeneration {
        let agent = &self.agents[slot as usize];
        let ag = AgentGeneration::from_counter(agent.next_generation());
        let cell = &agent.cells[ag.cell()];
        cell.bucket.store(group.0, Ordering::Release);
        cell.occupied.store(occupied_secs, Ordering::Release);
        cell.key.store(idle_since.micros(), Ordering::Release);
        let (location, _) = self.groups.enter(group.0, idle_since.micros(), IndexEntry::new(slot, ag.number()));
        cell.location.store(location.word(), Ordering::Relaxed);
        ag
    }

    fn retire_agent(&self, slot: u32, ag: AgentGeneration) {
        let cell = &self.agents[slot as usize].cells[ag.cell()];
        let location = Location::from_word(cell.location.load(Ordering::Relaxed));
        self.groups.retire(cell.bucket.load(Ordering::Relaxed), location, IndexEntry::new(slot, ag.number()));
    }

    /// A contact joins its demand.
    pub(crate) fn arrive(&self, slot: u32, demand: DemandId, key: Key) {
        let cg = self.enter_contact(slot, demand, key);
        self.contacts[slot as usize].state_word.store(ContactStateWord::Waiting(cg).pack(), Ordering::Release);
        self.published(slot, cg, (demand, key), Step::FenceOfArrival);
    }

    /// An agent that was busy, or held by a contact that is not offered to it any more, enters its skill group.
    pub(crate) fn ready(&self, slot: u32, group: SkillGroupId, now: Time, occupied_secs: u32) {
        if let AgentStateWord::Held { ag, .. } = self.agent(slot) {
            self.retire_agent(slot, ag);
        }
        let ag = self.enter_agent(slot, group, now, occupied_secs);
        let word = &self.agents[slot as usize].state_word;
        let table = self.table.load();
        if let Some(first) = self.best(&table, (slot, group)) {
            let claim = AgentStateWord::Claim { contact: first.slot, cg: first.cg, ag };
            if !does(Step::IndexOfDirectClaim) {
                self.retire_agent(slot, ag);
            }
            word.store(claim.pack(), Ordering::Release);
            self.note_turn(&table, first.demand, slot);
            self.settle(slot, claim);
            if matches!(self.agent(slot), AgentStateWord::Held { ag: held, .. } if held == ag) {
                return;
            }
            if !does(Step::DriveAfterLostClaim) {
                return;
            }
        } else {
            word.store(AgentStateWord::Ready(ag).pack(), Ordering::Release);
        }
        if does(Step::FenceOfReady) {
            fence(Ordering::SeqCst);
        }
        self.drive(slot, ag);
    }

    /// Takes an agent out of its skill group. `Busy` afterwards, unless a contact holds it.
    pub(crate) fn pause(&self, slot: u32) -> AgentView {
        loop {
            let word = self.agent(slot);
            match word {
                AgentStateWord::Ready(ag) => {
                    if self.swap_agent(slot, word, AgentStateWord::Busy(ag)) {
                        self.retire_agent(slot, ag);
                        return AgentView::Busy;
                    }
                }
                AgentStateWord::Claim { .. } => self.settle(slot, word),
                AgentStateWord::Held { .. } | AgentStateWord::Busy(_) => return self.view_agent(slot),
            }
        }
    }

    /// The agent's owner leaves HELD: the contact is no longer offered to the agent, and the ringing has stopped.
    pub(crate) fn release(&self, slot: u32) -> bool {
        let word = self.agent(slot);
        match word {
            AgentStateWord::Held { ag, .. } => {
                self.retire_agent(slot, ag);
                self.swap_agent(slot, word, AgentStateWord::Busy(ag))
            }
            _ => false,
        }
    }

    /// The agent that the contact is offered to has answered.
    pub(crate) fn accept(&self, slot: u32) -> Option<AgentId> {
        let word = self.contact(slot);
        let ContactStateWord::Offered { agent, ag, cg } = word else { return None };
        self.settle_offer(slot, agent, ag, cg);
        if !self.swap_contact(slot, word, ContactStateWord::Served(cg)) {
            return None;
        }
        self.retire_contact(slot, cg);
        self.wake_agent(agent);
        Some(AgentId(agent))
    }

    /// The contact leaves the matcher.
    pub(crate) fn leave(&self, slot: u32) -> Left {
        loop {
            let word = self.contact(slot);
            let (cg, left) = match word {
                ContactStateWord::Waiting(cg) => (cg, Left::Waited),
                ContactStateWord::Offered { agent, ag, cg } => {
                    self.settle_offer(slot, agent, ag, cg);
                    (cg, Left::WasOffered(AgentId(agent)))
                }
                ContactStateWord::Gone(_) | ContactStateWord::Served(_) => return Left::NotHere,
            };
            if self.swap_contact(slot, word, ContactStateWord::Gone(cg)) {
                self.retire_contact(slot, cg);
                if let Left::WasOffered(agent) = left {
                    self.wake_agent(agent.0);
                }
                return left;
            }
        }
    }

    /// The contact leaves the matcher, unless it is offered to an agent. Whether it has left.
    pub(crate) fn leave_unoffered(&self, slot: u32) -> bool {
        let word = self.contact(slot);
        let ContactStateWord::Waiting(cg) = word else { return false };
        let left = self.swap_contact(slot, word, ContactStateWord::Gone(cg));
        if left {
            self.retire_contact(slot, cg);
        }
        left
    }

    /// The offer came to nothing: the contact waits again, with the key given.
    pub(crate) fn put_back(&self, slot: u32, demand: DemandId, key: Key) -> Option<AgentId> {
        let word = self.contact(slot);
        let ContactStateWord::Offered { agent, ag, cg } = word else { return None };
        self.settle_offer(slot, agent, ag, cg);
        self.retire_contact(slot, cg);
        let cg = self.enter_contact(slot, demand, key);
        if !self.swap_contact(slot, word, ContactStateWord::Waiting(cg)) {
            self.retire_contact(slot, cg);
            return None;
        }
        self.wake_agent(agent);
        self.published(slot, cg, (demand, key), Step::FenceOfPutBack);
        Some(AgentId(agent))
    }

    /// A waiting contact moves to a relaxed demand, or to the one that replaces its own in a new routing table.
    pub(crate) fn relax(&self, slot: u32, demand: DemandId, key: Key) -> bool {
        let word = self.contact(slot);
        let ContactStateWord::Waiting(old) = word else { return false };
        let cg = self.enter_contact(slot, demand, key);
        if !self.swap_contact(slot, word, ContactStateWord::Waiting(cg)) {
            self.retire_contact(slot, cg);
            return false;
        }
        self.retire_contact(slot, old);
        self.published(slot, cg, (demand, key), Step::FenceOfRelaxation);
        true
    }

    /// A ready agent moves to the skill group that a new routing table gives it, and scans the demands again. One entry
    /// serves for all attempts, however often a claim that fails comes between: a second entry would overwrite the cell
    /// that is still being read.
    pub(crate) fn regroup(&self, slot: u32, group: SkillGroupId) {
        let mut entered = None;
        loop {
            let word = self.agent(slot);
            match word {
                AgentStateWord::Claim { .. } => self.settle(slot, word),
                AgentStateWord::Ready(old) => {
                    let ag = *entered.get_or_insert_with(|| {
                        let cell = &self.agents[slot as usize].cells[old.cell()];
                        let idle_since = Time::from_micros(cell.key.load(Ordering::Acquire));
                        self.enter_agent(slot, group, idle_since, cell.occupied.load(Ordering::Acquire))
                    });
                    if self.swap_agent(slot, word, AgentStateWord::Ready(ag)) {
                        self.retire_agent(slot, old);
                        if does(Step::FenceOfRegroup) {
                            fence(Ordering::SeqCst);
                        }
                        return self.drive(slot, ag);
                    }
                }
                AgentStateWord::Busy(_) | AgentStateWord::Held { .. } => {
                    if let Some(ag) = entered {
                        self.retire_agent(slot, ag);
                    }
                    return;
                }
            }
        }
    }

    /// What an agent's state word says. It finishes a claim that it meets: the owner may have been woken for this claim
    /// already, and is not woken again once the agent is held.
    pub(crate) fn view_agent(&self, slot: u32) -> AgentView {
        loop {
            let word = self.agent(slot);
            return match word {
                AgentStateWord::Claim { .. } if does(Step::SettleInView) => {
                    self.settle(slot, word);
                    continue;
                }
                AgentStateWord::Busy(_) => AgentView::Busy,
                AgentStateWord::Ready(_) | AgentStateWord::Claim { .. } => AgentView::Ready,
                AgentStateWord::Held { contact, cg, ag } => AgentView::Held {
                    contact: ContactSlot(contact),
                    offered: self.contact(contact) == ContactStateWord::Offered { agent: slot, ag, cg },
                },
            };
        }
    }

    pub(crate) fn view_contact(&self, slot: u32) -> ContactView {
        match self.contact(slot) {
            ContactStateWord::Gone(_) => ContactView::Gone,
            ContactStateWord::Waiting(_) => ContactView::Waiting,
            ContactStateWord::Offered { agent, .. } => ContactView::Offered(AgentId(agent)),
            ContactStateWord::Served(_) => ContactView::Served,
        }
    }
}
