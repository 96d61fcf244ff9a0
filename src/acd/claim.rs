//! The lock-free reservation of an agent for a contact.
//!
//! **The words are the truth.** Each party has one atomic word and one owner. Only its owner moves a party; anybody may claim, and
//! anybody finishes a claim that they meet. A claim names its contact, and the contact's word alone decides it.
//!
//! Where a party is filed (which line or bench, with which key) stands in one of two cells beside its word, chosen by the parity of
//! its generation, so that a new filing can be written while the old one is still being read; a reader takes the word before and
//! after. An index (`shelf`) finds the filings of a line or bench again; it is only a hint at where to look: it has each
//! filing before its word says so, and loses it only when the word never will again.
//!
//! Orders: loads Acquire, stores Release, compare-and-swap AcqRel/Acquire, and a sequentially consistent fence between publishing
//! and scanning, so that of two that come at once at least one sees the other.

mod looks;

use std::ops::Deref;
use std::sync::Arc;

use super::lane::{Entry, Seen};
use super::map::{BenchId, Directory, LINES_MAX, LineId, Map, Served, TooMany, benches_max};
#[cfg(not(hotline_loom))]
use super::nudge::Nudges;
use super::policy::{self, Candidate, ChoiceRule};
use super::published::Published;
#[cfg(not(hotline_loom))]
use super::shelf::Shelf;
use super::shelf::{Filing, Mask, Order};
use super::step::{Step, does};
use super::word::{AgentGeneration, AgentWord, ContactGeneration, ContactWord, INDEX_LIMIT};
use crate::base::padded::Padded;
use crate::base::sync::{AtomicU32, AtomicU64, FiledU32, FiledU64, Ordering, OwnedU32, OwnedU64, fence};
use crate::base::{AgentId, Time};
/// Lanes and nudges have models of their own; loom sees the claim over plain ones.
#[cfg(hotline_loom)]
use crate::modelled::{Plain as Shelf, PlainNudges as Nudges};

/// A place for a contact in the matcher. The engine that owns it gives them out, first in, first out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ContactSlot(pub u32);

/// The order in a line: the least goes first. Emergency calls go before all others, then whoever arrived first after credit; further
/// rings for one for whom somebody is rung already go last of all. 63 bits: two of class, 52 of microseconds, nine of sequence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key(u64);

impl Key {
    const CLASS_SHIFT: u32 = 61;
    const SEQUENCE_BITS: u32 = 9;

    /// For one who is served as if having arrived at `arrival`; `sequence` orders those of the same microsecond.
    #[must_use]
    pub fn new(arrival: Time, sequence: u32, emergency: bool) -> Self {
        let class = u64::from(!emergency) << Self::CLASS_SHIFT;
        let arrival = arrival.micros() & ((1 << (Self::CLASS_SHIFT - Self::SEQUENCE_BITS)) - 1);
        Key(class | arrival << Self::SEQUENCE_BITS | u64::from(sequence) & ((1 << Self::SEQUENCE_BITS) - 1))
    }

    /// The key of a further ring for one whose own key this is: behind all who wait, and among further rings in the order of their own.
    #[must_use]
    pub fn of_further_ring(self) -> Self {
        Key(self.0 & ((1 << Self::CLASS_SHIFT) - 1) | 2 << Self::CLASS_SHIFT)
    }

    /// What varies a random choice from contact to contact.
    pub(crate) fn salt(self) -> u64 {
        self.0
    }
}

/// A filing: where a party waits and with what key. Written only by the slot's owner, before the word that names its generation.
struct Cell {
    place: FiledU32,
    /// Agents only: seconds talked since signing in.
    occupied: FiledU32,
    key: FiledU64,
    /// Where the index has it.
    filing: OwnedU64,
}

/// A cache line: whoever looks at one party has all of it, and nothing of another's.
#[repr(align(64))]
struct Slot {
    word: AtomicU64,
    /// The owner's counter of filings. Never set back, so that an old entry is dead by itself.
    generation: OwnedU32,
    cells: [Cell; 2],
}

impl Slot {
    fn new() -> Self {
        let cell =
            || Cell { place: FiledU32::new(0), occupied: FiledU32::new(0), key: FiledU64::new(0), filing: OwnedU64::new(0) };
        Slot { word: AtomicU64::new(0), generation: OwnedU32::new(0), cells: [cell(), cell()] }
    }

    /// The next generation; only the slot's owner calls this.
    fn next_generation(&self) -> u32 {
        let next = self.generation.load(Ordering::Relaxed).wrapping_add(1);
        self.generation.store(next, Ordering::Relaxed);
        next
    }

    fn swap(&self, from: u64, to: u64) -> bool {
        self.word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// A contact that was seen waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Waiting {
    slot: u32,
    cg: ContactGeneration,
    line: LineId,
    key: Key,
}

/// An agent that was seen ready, or claimed by a claim not yet finished.
#[derive(Clone, Copy, Debug)]
struct Free {
    slot: u32,
    bench: BenchId,
    word: AgentWord,
}

/// What became of a contact that leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// It was waiting.
    Waited,
    /// It was offered to this agent, whose owner must be told.
    WasOffered(AgentId),
    /// It was not in line.
    NotHere,
}

/// What an agent's word says now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AgentView {
    /// Not to be had.
    Busy,
    /// On the bench.
    Ready,
    /// Reserved for a contact; `offered` tells whether that contact is still offered to it.
    Held {
        /// For which.
        contact: ContactSlot,
        /// Whether the contact's word still names this agent with this filing.
        offered: bool,
    },
}

/// What a contact's word says now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContactView {
    /// Not in line.
    Gone,
    /// In line.
    Waiting,
    /// Offered to an agent.
    Offered(AgentId),
    /// Taken by an agent.
    Served,
}

/// The words of all parties, and the moves that are allowed.
pub(crate) struct Kernel {
    agents: Box<[Slot]>,
    contacts: Box<[Slot]>,
    lines: Shelf,
    benches: Shelf,
    /// By line: whom its round robin chose last.
    chosen: Box<[AtomicU32]>,
    agent_owner: Box<[u16]>,
    contacts_per_shard: u32,
    pub(crate) agent_nudges: Nudges,
    pub(crate) contact_nudges: Nudges,
    map: Published<Map>,
    /// By shard: the edition of the directory that it has taken up.
    acknowledged: Box<[Padded<AtomicU64>]>,
}

impl Kernel {
    /// `agent_owner`: the shard of each agent slot. Each shard owns `contacts_per_shard` contact slots, in order.
    pub(crate) fn new(agent_owner: Vec<u16>, contacts_per_shard: u32, shards: u16, map: Map) -> Self {
        let agents = u32::try_from(agent_owner.len()).expect("checked by the configuration");
        let contacts = contacts_per_shard * u32::from(shards);
        assert!(agents <= INDEX_LIMIT && contacts <= INDEX_LIMIT, "checked by the configuration");
        Kernel {
            agents: (0..agents).map(|_| Slot::new()).collect(),
            contacts: (0..contacts).map(|_| Slot::new()).collect(),
            lines: Shelf::new(contacts, LINES_MAX + agents),
            benches: Shelf::new(agents, benches_max(agents)),
            // Agents are counted from 0: before the first turn the last one has had it.
            chosen: (0..LINES_MAX).map(|_| AtomicU32::new(u32::MAX)).collect(),
            agent_owner: agent_owner.into_boxed_slice(),
            contacts_per_shard,
            agent_nudges: Nudges::new(agents, shards),
            contact_nudges: Nudges::new(contacts, shards),
            acknowledged: (0..shards).map(|_| Padded(AtomicU64::new(map.version()))).collect(),
            map: Published::new(map),
        }
    }

    pub(crate) fn map(&self) -> impl Deref<Target = Arc<Map>> {
        self.map.load()
    }

    /// Puts the directory, its edition `version`, in force. By one publisher at a time.
    ///
    /// # Errors
    /// When its map has more lines or benches than there is room for.
    pub(crate) fn publish(&self, directory: &Directory, version: u64) -> Result<(), TooMany> {
        let acknowledged = self.acknowledged.iter().map(|owner| owner.0.load(Ordering::Acquire)).min().unwrap_or(0);
        let map = self.map.load().following(directory, version, acknowledged);
        map.fits(self.agents.len() as u32)?;
        self.map.store(map);
        Ok(())
    }

    /// The owner's parties are where this edition of the directory has them, and it looks by no older map any more.
    pub(crate) fn acknowledge(&self, shard: u16, version: u64) {
        self.acknowledged[usize::from(shard)].0.store(version, Ordering::Release);
    }

    fn agent(&self, slot: u32) -> AgentWord {
        AgentWord::unpack(self.agents[slot as usize].word.load(Ordering::Acquire))
    }

    fn contact(&self, slot: u32) -> ContactWord {
        ContactWord::unpack(self.contacts[slot as usize].word.load(Ordering::Acquire))
    }

    fn swap_agent(&self, slot: u32, from: AgentWord, to: AgentWord) -> bool {
        self.agents[slot as usize].swap(from.pack(), to.pack())
    }

    fn swap_contact(&self, slot: u32, from: ContactWord, to: ContactWord) -> bool {
        self.contacts[slot as usize].swap(from.pack(), to.pack())
    }

    pub(crate) fn nudge_agent(&self, slot: u32) {
        self.agent_nudges.push(self.agent_owner[slot as usize], slot);
    }

    pub(crate) fn nudge_contact(&self, slot: u32) {
        self.contact_nudges.push((slot / self.contacts_per_shard) as u16, slot);
    }

    // ---- anybody ----

    /// Finishes the claim that `slot`'s word said it was under.
    fn settle(&self, slot: u32, claim: AgentWord) {
        let AgentWord::Claim { contact, cg, ag } = claim else { return };
        let offered = ContactWord::Offered { agent: slot, ag, cg };
        if self.swap_contact(contact, ContactWord::Waiting(cg), offered) || self.contact(contact) == offered {
            if self.agent(slot) == claim {
                let nudge = || {
                    self.nudge_contact(contact);
                    self.nudge_agent(slot);
                };
                let held = AgentWord::Held { contact, cg, ag };
                if does(Step::OfferBeforeHeld) {
                    nudge();
                    self.swap_agent(slot, claim, held);
                } else if self.swap_agent(slot, claim, held) {
                    nudge();
                }
            }
        } else {
            self.swap_agent(slot, claim, AgentWord::Ready(ag));
        }
    }

    /// Settles the claim by which a contact is offered, if it is not finished.
    fn settle_offer(&self, contact: u32, agent: u32, ag: AgentGeneration, cg: ContactGeneration) {
        let claim = AgentWord::Claim { contact, cg, ag };
        if self.agent(agent) == claim {
            self.settle(agent, claim);
        }
    }

    /// The filing of a contact that is waiting.
    fn waiting(&self, slot: u32) -> Option<Waiting> {
        let word = self.contact(slot);
        let ContactWord::Waiting(cg) = word else { return None };
        let cell = &self.contacts[slot as usize].cells[cg.cell()];
        let line = LineId(cell.place.load(Ordering::Acquire));
        let key = Key(cell.key.load(Ordering::Acquire));
        (self.contact(slot) == word).then_some(Waiting { slot, cg, line, key })
    }

    /// Whether an entry found in `line` is of a contact that waits there. Finishes the claim that it is under.
    fn look_at_contact(&self, line: LineId, entry: Entry) -> Result<ContactGeneration, Seen> {
        let (slot, filed) = (entry.slot(), ContactGeneration::from_counter(entry.generation()));
        loop {
            let word = self.contact(slot);
            return match word {
                ContactWord::Waiting(cg) if cg == filed => {
                    // Memory of the index that was used again may show it where it is not filed.
                    let place = self.contacts[slot as usize].cells[cg.cell()].place.load(Ordering::Acquire);
                    match self.contact(slot) == word {
                        true if place == line.0 || !does(Step::OwnersCounter) => Ok(cg),
                        // Offered meanwhile, perhaps, by one who has stopped since.
                        false if does(Step::AgainInLine) => continue,
                        _ => Err(Seen::Pass),
                    }
                }
                ContactWord::Offered { agent, ag, cg } if cg == filed => {
                    if does(Step::SettleInLine) {
                        self.settle_offer(slot, agent, ag, cg);
                    }
                    Err(Seen::Dead)
                }
                word if word.generation() == filed || word.generation().after(filed) => Err(Seen::Dead),
                _ if !does(Step::OnlyOlderIsDead) => Err(Seen::Dead),
                _ => Err(Seen::Pass),
            };
        }
    }

    /// The contact that has waited longest of those that `agent`, sitting on `bench`, may serve, unless nobody has waited longer than `best`.
    fn look(&self, map: &Map, (agent, bench): (u32, BenchId), best: Option<Waiting>) -> Option<Waiting> {
        let best = self.look_in(map.lines_of(bench), best);
        self.look_in(&[Mask::one(LineId::of_agent(AgentId(agent)).0)], best)
    }

    /// The contact that has waited longest in `lines`, unless nobody has waited longer than `best`.
    fn look_in(&self, lines: &[Mask], mut best: Option<Waiting>) -> Option<Waiting> {
        let reach = |best: &Option<Waiting>| best.map_or(u64::MAX, |best| best.key.0);
        let visit = |best: &mut Option<Waiting>, line, key, entry: Entry| {
            let (line, key) = (LineId(line), Key(key));
            if best.is_some_and(|best| best.key <= key) {
                return Seen::Stop;
            }
            match self.look_at_contact(line, entry) {
                Ok(cg) => {
                    *best = Some(Waiting { slot: entry.slot(), cg, line, key });
                    Seen::Stop
                }
                Err(seen) => seen,
            }
        };
        self.lines.scan(lines, Order::ByKey, &mut best, reach, visit);
        best
    }

    /// The contact that has waited longest of those that `seat`, an agent on its bench, may serve; looks again until a look finds none
    /// before it, which is where order comes from.
    fn best(&self, map: &Map, seat: (u32, BenchId)) -> Option<Waiting> {
        let mut best = self.look(map, seat, None)?;
        if !does(Step::SecondLook) {
            return Some(best);
        }
        loop {
            let again = self.look(map, seat, Some(best))?;
            let before = again != best;
            best = again;
            if !before {
                if self.contact(best.slot) == ContactWord::Waiting(best.cg) {
                    return Some(best);
                }
                best = self.look(map, seat, None)?;
            }
        }
    }

    /// The word of an agent whose entry was found on `bench`: ready there, or under a claim that may yet fail.
    fn look_at_agent(&self, bench: BenchId, entry: Entry) -> Result<(AgentWord, AgentGeneration), Seen> {
        let (slot, filed) = (entry.slot(), AgentGeneration::from_counter(entry.generation()));
        let word = self.agent(slot);
        match word {
            AgentWord::Ready(ag) | AgentWord::Claim { ag, .. } if ag == filed => {
                let place = self.agents[slot as usize].cells[ag.cell()].place.load(Ordering::Acquire);
                if place == bench.0 && self.agent(slot).generation() == ag { Ok((word, ag)) } else { Err(Seen::Pass) }
            }
            word if word.generation() == filed || word.generation().after(filed) => Err(Seen::Dead),
            _ if !does(Step::OnlyOlderIsDead) => Err(Seen::Dead),
            _ => Err(Seen::Pass),
        }
    }

    /// The best agent for the line of `waiting`, ready or under a claim that may yet fail.
    fn head(&self, map: &Map, waiting: &Waiting) -> Option<Free> {
        if let Some(agent) = waiting.line.agent() {
            return self.free(agent.0);
        }
        let served = |bench| map.served(bench, waiting.line);
        self.choose(map, waiting, map.benches_of(waiting.line), served, None)
    }

    /// The best agent for `waiting` of those on `benches`, as far as they are `served`, but not this one: ready, or under a claim that may
    /// yet fail.
    fn choose(
        &self,
        map: &Map,
        waiting: &Waiting,
        benches: &[Mask],
        served: impl Fn(BenchId) -> Option<Served>,
        but: Option<u32>,
    ) -> Option<Free> {
        let rule = map.rule(waiting.line);
        let salt = match rule {
            ChoiceRule::RoundRobin => u64::from(self.chosen[waiting.line.0 as usize].load(Ordering::Relaxed)),
            _ => waiting.key.salt(),
        };
        let order = if rule.by_idleness() { Order::ByKey } else { Order::Any };
        let mut best: Option<((u8, u64, u64), Free)> = None;
        // No pool is better than the first, and in it none who was idle for less than the best so far.
        let reach = |best: &Option<((u8, u64, u64), Free)>| match best {
            Some(((0, idle_since, _), _)) if rule == ChoiceRule::LongestIdle => *idle_since,
            _ => u64::MAX,
        };
        // Neighbours share a bench, so the last answer mostly holds.
        let mut last: Option<Served> = None;
        self.benches.scan(benches, order, &mut best, reach, |best, bench, idle_since, entry| {
            let bench = BenchId(bench);
            if last.is_none_or(|last| last.bench != bench) {
                last = served(bench);
            }
            let Some(served) = last else { return Seen::Stop };
            if but == Some(entry.slot()) {
                return Seen::Pass;
            }
            let (word, ag) = match self.look_at_agent(bench, entry) {
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
                *best = Some((rank, Free { slot: entry.slot(), bench, word }));
            }
            Seen::Stop
        });
        best.map(|(_, free)| free)
    }

    /// An agent that is ready, or under a claim that may yet fail.
    fn free(&self, slot: u32) -> Option<Free> {
        loop {
            let word = self.agent(slot);
            let (AgentWord::Ready(ag) | AgentWord::Claim { ag, .. }) = word else { return None };
            let bench = BenchId(self.agents[slot as usize].cells[ag.cell()].place.load(Ordering::Acquire));
            if self.agent(slot).generation() == ag {
                return Some(Free { slot, bench, word });
            }
        }
    }

    /// The agent has had its turn in a line that is served in turns. Only a hint: a claim that is lost counts, too.
    fn note_turn(&self, map: &Map, line: LineId, agent: u32) {
        if map.rule(line) == ChoiceRule::RoundRobin {
            self.chosen[line.0 as usize].store(agent, Ordering::Relaxed);
        }
    }

    /// Finds an agent for the contact, serving first whoever goes before it.
    fn match_contact(&self, slot: u32, cg: ContactGeneration, early: Option<&Map>) {
        'again: loop {
            match self.contact(slot) {
                ContactWord::Offered { agent, ag, cg } => return self.settle_offer(slot, agent, ag, cg),
                ContactWord::Waiting(now) if now == cg => {}
                _ => return,
            }
            let Some(mut turn) = self.waiting(slot) else { continue };
            loop {
                let loaded = self.map.load();
                let map = early.unwrap_or(&loaded);
                let Some(agent) = self.head(map, &turn) else {
                    if turn.slot == slot {
                        return;
                    }
                    continue 'again;
                };
                let AgentWord::Ready(ag) = agent.word else {
                    if !does(Step::SettleInMatch) {
                        return;
                    }
                    self.settle(agent.slot, agent.word);
                    continue 'again;
                };
                let Some(first) = self.best(map, (agent.slot, agent.bench)) else { continue 'again };
                if first.slot != turn.slot || first.cg != turn.cg {
                    turn = first;
                    continue;
                }
                let claim = AgentWord::Claim { contact: first.slot, cg: first.cg, ag };
                if self.swap_agent(agent.slot, agent.word, claim) {
                    self.note_turn(map, first.line, agent.slot);
                    self.settle(agent.slot, claim);
                }
                continue 'again;
            }
        }
    }

    /// Finds a contact for the agent, for as long as it stays on the bench with this filing.
    fn drive(&self, slot: u32, ag: AgentGeneration) {
        loop {
            let word = self.agent(slot);
            match word {
                AgentWord::Claim { ag: now, .. } if now == ag && does(Step::SettleInDrive) => self.settle(slot, word),
                AgentWord::Ready(now) if now == ag => {
                    let map = self.map.load();
                    let bench = BenchId(self.agents[slot as usize].cells[ag.cell()].place.load(Ordering::Acquire));
                    let Some(first) = self.best(&map, (slot, bench)) else { return };
                    let claim = AgentWord::Claim { contact: first.slot, cg: first.cg, ag };
                    if self.swap_agent(slot, word, claim) {
                        self.note_turn(&map, first.line, slot);
                        self.settle(slot, claim);
                    }
                }
                _ => return,
            }
        }
    }

    // ---- by the party's owner ----

    /// A new filing of a contact; its word is still the old one.
    fn file_contact(&self, slot: u32, line: LineId, key: Key) -> ContactGeneration {
        let contact = &self.contacts[slot as usize];
        let cg = match does(Step::OwnersCounter) {
            true => ContactGeneration::from_counter(contact.next_generation()),
            false => ContactGeneration::from_counter(self.contact(slot).generation().number() + 1),
        };
        let cell = &contact.cells[cg.cell()];
        cell.place.store(line.0, Ordering::Release);
        if does(Step::IndexBeforeWord) {
            self.index_contact(slot, cg, line, key);
        } else {
            cell.key.store(key.0, Ordering::Release);
        }
        cg
    }

    fn index_contact(&self, slot: u32, cg: ContactGeneration, line: LineId, key: Key) {
        let cell = &self.contacts[slot as usize].cells[cg.cell()];
        let (filing, key) = self.lines.file(line.0, key.0, Entry::new(slot, cg.number()));
        cell.key.store(key, Ordering::Release);
        cell.filing.store(filing.word(), Ordering::Relaxed);
    }

    /// What a contact does once its word says that it waits, in this order: publish, fence, scan.
    fn published(&self, slot: u32, cg: ContactGeneration, (line, key): (LineId, Key), fenced: Step) {
        if !does(Step::IndexBeforeWord) {
            self.index_contact(slot, cg, line, key);
        }
        let early = (!does(Step::MapAfterFence)).then(|| self.map.load().clone());
        if does(fenced) {
            fence(Ordering::SeqCst);
        }
        self.match_contact(slot, cg, early.as_deref());
    }

    /// A filing of a contact is over: its entry need not be met any more.
    fn retire_contact(&self, slot: u32, cg: ContactGeneration) {
        let cell = &self.contacts[slot as usize].cells[cg.cell()];
        let filing = Filing::from_word(cell.filing.load(Ordering::Relaxed));
        self.lines.retire(cell.place.load(Ordering::Relaxed), filing, Entry::new(slot, cg.number()));
    }

    /// A new filing of an agent; its word is still the old one.
    fn file_agent(&self, slot: u32, bench: BenchId, idle_since: Time, occupied_secs: u32) -> AgentGeneration {
        let agent = &self.agents[slot as usize];
        let ag = AgentGeneration::from_counter(agent.next_generation());
        let cell = &agent.cells[ag.cell()];
        cell.place.store(bench.0, Ordering::Release);
        cell.occupied.store(occupied_secs, Ordering::Release);
        cell.key.store(idle_since.micros(), Ordering::Release);
        let (filing, _) = self.benches.file(bench.0, idle_since.micros(), Entry::new(slot, ag.number()));
        cell.filing.store(filing.word(), Ordering::Relaxed);
        ag
    }

    fn retire_agent(&self, slot: u32, ag: AgentGeneration) {
        let cell = &self.agents[slot as usize].cells[ag.cell()];
        let filing = Filing::from_word(cell.filing.load(Ordering::Relaxed));
        self.benches.retire(cell.place.load(Ordering::Relaxed), filing, Entry::new(slot, ag.number()));
    }

    /// A contact joins its line.
    pub(crate) fn arrive(&self, slot: u32, line: LineId, key: Key) {
        let cg = self.file_contact(slot, line, key);
        self.contacts[slot as usize].word.store(ContactWord::Waiting(cg).pack(), Ordering::Release);
        self.published(slot, cg, (line, key), Step::FenceOfArrival);
    }

    /// An agent who was busy or held (and whose offer is over) takes a seat on its bench.
    pub(crate) fn ready(&self, slot: u32, bench: BenchId, now: Time, occupied_secs: u32) {
        if let AgentWord::Held { ag, .. } = self.agent(slot) {
            self.retire_agent(slot, ag);
        }
        let ag = self.file_agent(slot, bench, now, occupied_secs);
        let word = &self.agents[slot as usize].word;
        let map = self.map.load();
        if let Some(first) = self.best(&map, (slot, bench)) {
            let claim = AgentWord::Claim { contact: first.slot, cg: first.cg, ag };
            if !does(Step::IndexOfDirectClaim) {
                self.retire_agent(slot, ag);
            }
            word.store(claim.pack(), Ordering::Release);
            self.note_turn(&map, first.line, slot);
            self.settle(slot, claim);
            if matches!(self.agent(slot), AgentWord::Held { ag: held, .. } if held == ag) {
                return;
            }
            if !does(Step::DriveAfterLostClaim) {
                return;
            }
        } else {
            word.store(AgentWord::Ready(ag).pack(), Ordering::Release);
        }
        if does(Step::FenceOfReady) {
            fence(Ordering::SeqCst);
        }
        self.drive(slot, ag);
    }

    /// Takes an agent off its bench. `Busy` afterwards, unless it is held by a contact.
    pub(crate) fn pause(&self, slot: u32) -> AgentView {
        loop {
            let word = self.agent(slot);
            match word {
                AgentWord::Ready(ag) => {
                    if self.swap_agent(slot, word, AgentWord::Busy(ag)) {
                        self.retire_agent(slot, ag);
                        return AgentView::Busy;
                    }
                }
                AgentWord::Claim { .. } => self.settle(slot, word),
                AgentWord::Held { .. } | AgentWord::Busy(_) => return self.view_agent(slot),
            }
        }
    }

    /// The agent's owner leaves HELD: the contact is no longer offered to it and the ringing has stopped.
    pub(crate) fn release(&self, slot: u32) -> bool {
        let word = self.agent(slot);
        match word {
            AgentWord::Held { ag, .. } => {
                self.retire_agent(slot, ag);
                self.swap_agent(slot, word, AgentWord::Busy(ag))
            }
            _ => false,
        }
    }

    /// The agent that the contact is offered to has answered.
    pub(crate) fn accept(&self, slot: u32) -> Option<AgentId> {
        let word = self.contact(slot);
        let ContactWord::Offered { agent, ag, cg } = word else { return None };
        self.settle_offer(slot, agent, ag, cg);
        if !self.swap_contact(slot, word, ContactWord::Served(cg)) {
            return None;
        }
        self.retire_contact(slot, cg);
        self.nudge_agent(agent);
        Some(AgentId(agent))
    }

    /// The contact leaves the line.
    pub(crate) fn leave(&self, slot: u32) -> Left {
        loop {
            let word = self.contact(slot);
            let (cg, left) = match word {
                ContactWord::Waiting(cg) => (cg, Left::Waited),
                ContactWord::Offered { agent, ag, cg } => {
                    self.settle_offer(slot, agent, ag, cg);
                    (cg, Left::WasOffered(AgentId(agent)))
                }
                ContactWord::Gone(_) | ContactWord::Served(_) => return Left::NotHere,
            };
            if self.swap_contact(slot, word, ContactWord::Gone(cg)) {
                self.retire_contact(slot, cg);
                if let Left::WasOffered(agent) = left {
                    self.nudge_agent(agent.0);
                }
                return left;
            }
        }
    }

    /// The contact leaves the line, unless it is offered to somebody; whether it has left.
    pub(crate) fn leave_unoffered(&self, slot: u32) -> bool {
        let word = self.contact(slot);
        let ContactWord::Waiting(cg) = word else { return false };
        let left = self.swap_contact(slot, word, ContactWord::Gone(cg));
        if left {
            self.retire_contact(slot, cg);
        }
        left
    }

    /// The offer came to nothing: the contact waits again, with the key given.
    pub(crate) fn put_back(&self, slot: u32, line: LineId, key: Key) -> Option<AgentId> {
        let word = self.contact(slot);
        let ContactWord::Offered { agent, ag, cg } = word else { return None };
        self.settle_offer(slot, agent, ag, cg);
        self.retire_contact(slot, cg);
        let cg = self.file_contact(slot, line, key);
        if !self.swap_contact(slot, word, ContactWord::Waiting(cg)) {
            self.retire_contact(slot, cg);
            return None;
        }
        self.nudge_agent(agent);
        self.published(slot, cg, (line, key), Step::FenceOfPutBack);
        Some(AgentId(agent))
    }

    /// A waiting contact moves to a wider line, or to the one that follows its own in a new map.
    pub(crate) fn widen(&self, slot: u32, line: LineId, key: Key) -> bool {
        let word = self.contact(slot);
        let ContactWord::Waiting(old) = word else { return false };
        let cg = self.file_contact(slot, line, key);
        if !self.swap_contact(slot, word, ContactWord::Waiting(cg)) {
            self.retire_contact(slot, cg);
            return false;
        }
        self.retire_contact(slot, old);
        self.published(slot, cg, (line, key), Step::FenceOfWidening);
        true
    }

    /// A ready agent takes the seat that a new map gives it, and looks at the lines again. One filing serves however often a claim
    /// that fails comes between: to file again would write over the cell that is still being read.
    pub(crate) fn reseat(&self, slot: u32, bench: BenchId) {
        let mut filed = None;
        loop {
            let word = self.agent(slot);
            match word {
                AgentWord::Claim { .. } => self.settle(slot, word),
                AgentWord::Ready(old) => {
                    let ag = *filed.get_or_insert_with(|| {
                        let cell = &self.agents[slot as usize].cells[old.cell()];
                        let idle_since = Time::from_micros(cell.key.load(Ordering::Acquire));
                        self.file_agent(slot, bench, idle_since, cell.occupied.load(Ordering::Acquire))
                    });
                    if self.swap_agent(slot, word, AgentWord::Ready(ag)) {
                        self.retire_agent(slot, old);
                        if does(Step::FenceOfReseat) {
                            fence(Ordering::SeqCst);
                        }
                        return self.drive(slot, ag);
                    }
                }
                AgentWord::Busy(_) | AgentWord::Held { .. } => {
                    if let Some(ag) = filed {
                        self.retire_agent(slot, ag);
                    }
                    return;
                }
            }
        }
    }

    /// What an agent's word says. A claim that is met is finished first: the owner may have been nudged for it, and is not nudged again
    /// once the agent is held.
    pub(crate) fn view_agent(&self, slot: u32) -> AgentView {
        loop {
            let word = self.agent(slot);
            return match word {
                AgentWord::Claim { .. } if does(Step::SettleInView) => {
                    self.settle(slot, word);
                    continue;
                }
                AgentWord::Busy(_) => AgentView::Busy,
                AgentWord::Ready(_) | AgentWord::Claim { .. } => AgentView::Ready,
                AgentWord::Held { contact, cg, ag } => AgentView::Held {
                    contact: ContactSlot(contact),
                    offered: self.contact(contact) == ContactWord::Offered { agent: slot, ag, cg },
                },
            };
        }
    }

    pub(crate) fn view_contact(&self, slot: u32) -> ContactView {
        match self.contact(slot) {
            ContactWord::Gone(_) => ContactView::Gone,
            ContactWord::Waiting(_) => ContactView::Waiting,
            ContactWord::Offered { agent, .. } => ContactView::Offered(AgentId(agent)),
            ContactWord::Served(_) => ContactView::Served,
        }
    }
}
