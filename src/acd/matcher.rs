//! The narrow interface to the line: what the engine may ask of the matcher, and nothing of how it does it.
//!
//! Shared by all shards. Every method is lock-free; those marked *owner* may only be called by the engine that owns the party. What
//! a call changes for a party of whichever shard is told to its owner by a nudge ([`Matcher::nudged_contacts`],
//! [`Matcher::nudged_agents`]): the owner then looks at the words, which are the truth.

use std::sync::Arc;
use std::time::Duration;

use super::claim::{AgentView, ContactSlot, ContactView, Kernel, Key, Left};
use super::estimate::Estimates;
use super::joint::Joints;
use super::loan::Loans;
use super::map::{BenchId, Directory, LineId, Map, TooMany, benches_max};
use super::shelf::Mask;
use crate::base::padded::Padded;
use crate::base::sync::{AtomicU32, AtomicU64, Ordering};
use crate::base::words::EstimateOutcome;
use crate::base::{AgentId, Estimate, QueueId, Range, SkillId, Time, Weighed};

/// How large the matcher is built; it never grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Signalling shards.
    pub shards: u16,
    /// Contacts in line, for each shard.
    pub contacts_per_shard: u32,
    /// Agents that the directory can ever name while running.
    pub agents: u32,
    /// Queues that the directory can ever name while running.
    pub queues: u32,
    /// Agencies that the directory can ever name while running.
    pub agencies: u32,
}

impl Size {
    /// The slots for so many contacts: each has one in line, and some may have further rings.
    #[must_use]
    pub const fn slots_for(contacts: u32) -> u32 {
        contacts + contacts / 4
    }
}

/// The queue that a contact is in, for counting; written by its owner.
struct Place {
    /// The queue plus one; zero when in none.
    queue: AtomicU32,
    since: AtomicU64,
}

/// All who wait, and all who are free.
pub struct Matcher {
    pub(super) kernel: Kernel,
    pub(super) size: Size,
    pub(super) loans: Loans,
    pub(super) joints: Joints,
    waiting: Box<[Padded<AtomicU32>]>,
    places: Box<[Place]>,
    /// By agent: where it is counted, as [`counted`] packs it.
    counted: Box<[AtomicU32]>,
    /// By bench: how many are free, busy, on a break and on loan.
    standing: Box<[[AtomicU32; Counted::ALL.len()]]>,
    /// By agent: what its owner has said of the contact that it was last held for: that hold, if it agreed, and the claim before it, if not.
    pub(super) verdicts: Box<[AtomicU64]>,
    /// By bench: how many agents take no more of what they have, to be free for those who wait for it.
    pub(super) draining: Box<[AtomicU32]>,
    estimates: Estimates,
    sequence: Padded<AtomicU32>,
}

/// What an agent who is signed in does, as far as others are concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Ready.
    Free = 0,
    /// Rung, talking, finishing up, or in a call of its own.
    Busy = 1,
    /// Not to be had for a while.
    Break = 2,
}

/// What agents are counted as: as they stand, but those on loan apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Counted {
    Free,
    Busy,
    Break,
    Lent,
}

impl Counted {
    const ALL: [Counted; 4] = [Counted::Free, Counted::Busy, Counted::Break, Counted::Lent];
    /// How far the bench is shifted in a word that says where an agent is counted.
    const BITS: u32 = 2;

    fn of(standing: Standing, on_loan: bool) -> Self {
        match standing {
            Standing::Free => Counted::Free,
            Standing::Busy if on_loan => Counted::Lent,
            Standing::Busy => Counted::Busy,
            Standing::Break => Counted::Break,
        }
    }

    fn standing(self) -> Standing {
        match self {
            Counted::Free => Standing::Free,
            Counted::Busy | Counted::Lent => Standing::Busy,
            Counted::Break => Standing::Break,
        }
    }
}

/// An agent that is counted nowhere: no bench has that number.
const NOT_COUNTED: u32 = u32::MAX;

/// Where an agent is counted: a bench, and what as.
fn counted(word: u32) -> Option<(BenchId, Counted)> {
    let what = Counted::ALL[(word & 3) as usize];
    (word != NOT_COUNTED).then_some((BenchId(word >> Counted::BITS), what))
}

/// A line is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the line is full")]
pub struct LineFull;

impl Matcher {
    /// A matcher in which nobody waits. `agent_shard` names the owner of each agent.
    #[must_use]
    pub fn new(size: Size, map: Map, agent_shard: impl Fn(AgentId) -> u16) -> Self {
        let owners = (0..size.agents).map(|agent| agent_shard(AgentId(agent))).collect();
        let contacts = size.contacts_per_shard * u32::from(size.shards);
        let loans = Loans::new(size.agencies, size.agents);
        loans.expect(map.all_lending());
        Matcher {
            kernel: Kernel::new(owners, size.contacts_per_shard, size.shards, map),
            size,
            loans,
            joints: Joints::new(size.shards),
            waiting: (0..size.queues).map(|_| Padded(AtomicU32::new(0))).collect(),
            places: (0..contacts).map(|_| Place { queue: AtomicU32::new(0), since: AtomicU64::new(0) }).collect(),
            counted: (0..size.agents).map(|_| AtomicU32::new(NOT_COUNTED)).collect(),
            standing: (0..benches_max(size.agents)).map(|_| std::array::from_fn(|_| AtomicU32::new(0))).collect(),
            verdicts: (0..size.agents).map(|_| AtomicU64::new(0)).collect(),
            draining: (0..benches_max(size.agents)).map(|_| AtomicU32::new(0)).collect(),
            estimates: Estimates::new(size.queues),
            sequence: Padded(AtomicU32::new(0)),
        }
    }

    /// How large it was built.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// The contact slots that `shard` owns.
    #[must_use]
    pub fn slots_of(&self, shard: u16) -> std::ops::Range<u32> {
        let first = u32::from(shard) * self.size.contacts_per_shard;
        first..first + self.size.contacts_per_shard
    }

    /// The map in force.
    #[must_use]
    pub fn map(&self) -> Arc<Map> {
        self.kernel.map().clone()
    }

    /// Puts the directory, its edition `version`, in force. Each owner then takes it up: re-seats its agents, re-files its contacts, and
    /// [acknowledges](Self::acknowledge). By one publisher at a time.
    ///
    /// # Errors
    /// When it has more lines or benches than there is room for; the old one stays in force then.
    pub fn publish(&self, directory: &Directory, version: u64) -> Result<(), TooMany> {
        self.loans.expect(&directory.lending);
        self.kernel.publish(directory, version)
    }

    /// *Owner.* All parties of the shard are where this edition has them: what it does not name any more need not be kept for them.
    pub fn acknowledge(&self, shard: u16, version: u64) {
        self.kernel.acknowledge(shard, version);
    }

    /// A key for one who arrived at `arrival`, with `credit` as head start.
    pub fn key(&self, arrival: Time, credit: Duration, emergency: bool) -> Key {
        Key::new(arrival - credit, self.sequence.fetch_add(1, Ordering::Relaxed), emergency)
    }

    // ---- contacts (owner) ----

    /// *Owner.* The contact joins `queue` through `line`; it may be offered before this returns. Where `length_max` are in the queue
    /// already, only one for whom an agent is free may join: nobody is turned away who need not wait.
    ///
    /// # Errors
    /// When the queue has `length_max` waiting, and the contact would wait, too.
    pub fn arrive(
        &self,
        slot: ContactSlot,
        queue: QueueId,
        length_max: u32,
        line: LineId,
        key: Key,
        since: Time,
    ) -> Result<(), LineFull> {
        let full = self.enter(slot, queue, since) >= length_max;
        self.kernel.arrive(slot.0, line, key);
        self.ask_lenders(slot);
        if full && self.kernel.leave_unoffered(slot.0) {
            self.uncount(slot);
            return Err(LineFull);
        }
        Ok(())
    }

    /// *Owner.* One more agent is wanted for a contact that is in line: the further ring has a slot of its own, a line and key for such
    /// rings, and counts as nobody in line. It may be offered before this returns.
    pub fn ring_further(&self, slot: ContactSlot, line: LineId, key: Key) {
        self.kernel.arrive(slot.0, line, key);
    }

    /// *Owner.* The contact leaves the line, answered or not.
    pub fn leave(&self, slot: ContactSlot) -> Left {
        let left = self.kernel.leave(slot.0);
        if left != Left::NotHere {
            self.uncount(slot);
        }
        left
    }

    /// *Owner.* The agent to whom the contact is offered has answered; `None` if the contact is not offered.
    pub fn accept(&self, slot: ContactSlot) -> Option<AgentId> {
        let agent = self.kernel.accept(slot.0)?;
        self.uncount(slot);
        Some(agent)
    }

    /// *Owner.* The offer came to nothing: back into the line.
    pub fn put_back(&self, slot: ContactSlot, line: LineId, key: Key) -> Option<AgentId> {
        let agent = self.kernel.put_back(slot.0, line, key);
        self.ask_lenders(slot);
        agent
    }

    /// *Owner.* A waiting contact moves to another line of its queue.
    pub fn widen(&self, slot: ContactSlot, line: LineId, key: Key) -> bool {
        let widened = self.kernel.widen(slot.0, line, key);
        self.ask_lenders(slot);
        widened
    }

    /// Counts the contact as one in `queue`; how many were there already.
    pub(super) fn enter(&self, slot: ContactSlot, queue: QueueId, since: Time) -> u32 {
        let others = self.waiting[queue.index()].fetch_add(1, Ordering::AcqRel);
        let place = &self.places[slot.0 as usize];
        place.since.store(since.micros(), Ordering::Release);
        place.queue.store(queue.0 + 1, Ordering::Release);
        others
    }

    pub(super) fn uncount(&self, slot: ContactSlot) {
        let queue = self.places[slot.0 as usize].queue.swap(0, Ordering::AcqRel);
        if queue != 0 {
            self.waiting[queue as usize - 1].fetch_sub(1, Ordering::AcqRel);
        }
    }

    // ---- agents (owner) ----

    /// *Owner.* The agent takes a seat; it may be offered a contact before this returns. False for an agent the map does not know.
    pub fn ready(&self, agent: AgentId, now: Time, occupied: Duration) -> bool {
        let bench = self.kernel.map().bench(agent);
        let Some(bench) = bench else { return false };
        self.kernel.ready(agent.0, bench, now, u32::try_from(occupied.as_secs()).unwrap_or(u32::MAX));
        self.consider_loan(agent);
        self.wake_joints(agent);
        true
    }

    /// *Owner.* The agent leaves its seat; it may turn out to be held by a contact instead.
    pub fn pause(&self, agent: AgentId) -> AgentView {
        self.kernel.pause(agent.0)
    }

    /// *Owner.* The agent's offer or talk is over and its phone silent.
    pub fn release(&self, agent: AgentId) -> bool {
        self.kernel.release(agent.0)
    }

    /// *Owner.* The agent takes the place that the map in force gives it: its seat, if it is ready, and where it counts as signed in.
    pub fn reseat(&self, agent: AgentId) {
        let bench = self.kernel.map().bench(agent);
        if let Some(bench) = bench {
            self.kernel.reseat(agent.0, bench);
        }
        if let Some((_, what)) = counted(self.counted[agent.index()].load(Ordering::Relaxed)) {
            self.count(agent, bench, Some(what.standing()));
        }
        self.consider_loan(agent);
        self.wake_joints(agent);
    }

    /// *Owner.* What the agent does, as far as others are concerned; `None`: not signed in.
    pub fn set_standing(&self, agent: AgentId, standing: Option<Standing>) {
        let held = || matches!(self.kernel.view_agent(agent.0), AgentView::Held { offered: true, .. });
        if standing != Some(Standing::Busy) && self.loans.has_right(agent) && !held() {
            self.loan_over(agent);
        }
        let bench = self.kernel.map().bench(agent);
        self.count(agent, bench, standing);
    }

    fn count(&self, agent: AgentId, bench: Option<BenchId>, standing: Option<Standing>) {
        let what = standing.map(|standing| Counted::of(standing, self.loans.has_right(agent)));
        let on = bench.zip(what).map_or(NOT_COUNTED, |(bench, what)| bench.0 << Counted::BITS | what as u32);
        let was_on = self.counted[agent.index()].swap(on, Ordering::AcqRel);
        if was_on == on {
            return;
        }
        let (on, was_on) = (counted(on), counted(was_on));
        let counter = |(bench, what): (BenchId, Counted)| &self.standing[bench.0 as usize][what as usize];
        if let Some(on) = on {
            counter(on).fetch_add(1, Ordering::AcqRel);
        }
        if let Some(was_on) = was_on {
            counter(was_on).fetch_sub(1, Ordering::AcqRel);
        }
        if self.kernel.map().is_agents_own(agent) {
            self.signed(on.map(|(bench, _)| bench), was_on.map(|(bench, _)| bench));
        }
    }

    // ---- anybody ----

    /// What an agent's word says.
    #[must_use]
    pub fn agent(&self, agent: AgentId) -> AgentView {
        self.kernel.view_agent(agent.0)
    }

    /// What a contact's word says.
    #[must_use]
    pub fn contact(&self, slot: ContactSlot) -> ContactView {
        self.kernel.view_contact(slot.0)
    }

    /// Whether anyone signed in may serve `line`, free or not.
    #[must_use]
    pub fn anyone_for(&self, line: LineId) -> bool {
        if let Some(agent) = line.agent() {
            return counted(self.counted[agent.index()].load(Ordering::Acquire)).is_some();
        }
        let map = self.kernel.map();
        let here = |bench: u32| self.standing[bench as usize].iter().any(|count| count.load(Ordering::Acquire) > 0);
        Mask::places(map.benches_of(line)).chain(Mask::places(map.benches_to_borrow(line))).any(here)
    }

    /// Whether one who could stand in `line` may wait for this agent alone: it is signed in and may serve that line.
    #[must_use]
    pub fn may_wait_for(&self, agent: AgentId, line: LineId) -> bool {
        let map = self.kernel.map();
        map.bench(agent).is_some_and(|bench| map.serves(bench, line)) && self.anyone_for(LineId::of_agent(agent))
    }

    /// How those who may serve `line` stand. While others move it may be off by those who move.
    #[must_use]
    pub fn weigh(&self, line: LineId) -> Weighed {
        let map = self.kernel.map();
        let mut weighed = Weighed { map_version: map.version(), ..Weighed::default() };
        if let Some(agent) = line.agent() {
            let count = match counted(self.counted[agent.index()].load(Ordering::Acquire)) {
                Some((_, Counted::Free)) => &mut weighed.free,
                Some((_, Counted::Busy)) => &mut weighed.busy,
                Some((_, Counted::Break)) => &mut weighed.on_break,
                Some((_, Counted::Lent)) => &mut weighed.lent,
                None => &mut weighed.offline,
            };
            *count = 1;
            return weighed;
        }
        let mut members = 0;
        let benches = Mask::places(map.benches_of(line)).map(|bench| (bench, true));
        for (bench, theirs) in benches.chain(Mask::places(map.benches_to_borrow(line)).map(|bench| (bench, false))) {
            let [free, busy, on_break, lent] = &self.standing[bench as usize];
            let would_lend = || map.kept_for(BenchId(bench)).is_some_and(|agency| self.loans.would_lend(&map, agency));
            *if theirs || would_lend() { &mut weighed.free } else { &mut weighed.kept } += free.load(Ordering::Acquire);
            weighed.busy += busy.load(Ordering::Acquire);
            weighed.on_break += on_break.load(Ordering::Acquire);
            weighed.lent += lent.load(Ordering::Acquire);
            members += map.members(BenchId(bench));
        }
        weighed.offline = members.saturating_sub(weighed.all());
        weighed
    }

    /// How many are in `queue`, offered ones included.
    #[must_use]
    pub fn waiting(&self, queue: QueueId) -> u32 {
        self.waiting[queue.index()].load(Ordering::Acquire)
    }

    /// How many of `queue` go before `key`; those who are offered to an agent just now are not among them.
    #[must_use]
    pub fn ahead_of(&self, queue: QueueId, key: Key) -> u32 {
        let in_queue = |slot: ContactSlot| self.places[slot.0 as usize].queue.load(Ordering::Acquire) == queue.0 + 1;
        self.kernel.count_before(self.kernel.map().lines_of_queue(queue), key, in_queue)
    }

    // ---- how long it will take: nothing is decided by it ----

    /// Those who may serve `queue` in this language from the first, free or busy.
    fn present(&self, queue: QueueId, language: Option<SkillId>) -> u32 {
        let line = self.kernel.map().line(queue, language, 0);
        line.map_or(0, |line| self.weigh(line).here())
    }

    /// *Owner.* A contact that has joined `queue` and was not offered at once: what it may expect. `place` is that of one who goes before
    /// others who came earlier. To be followed by [`waited`](Self::waited).
    pub fn expects(&self, now: Time, queue: QueueId, language: Option<SkillId>, place: Option<Key>) -> Estimate {
        let whose = (queue.index(), self.kernel.map().tongue(language));
        let waiting = self.estimates.begin(now, whose);
        let ahead = place.map_or(waiting, |key| self.ahead_in(queue, language, key).min(waiting));
        self.estimates.behind(now, whose, ahead, self.present(queue, language))
    }

    /// *Owner.* It waits no more, answered or not: how its estimate turned out, where that can be told.
    pub fn waited(
        &self,
        now: Time,
        (queue, language): (QueueId, Option<SkillId>),
        estimate: &Estimate,
        waited: Duration,
        answered: bool,
    ) -> Option<EstimateOutcome> {
        if *estimate == Estimate::Needless {
            return None;
        }
        let whose = (queue.index(), self.kernel.map().tongue(language));
        self.estimates.end(now, whose, waited, answered.then(|| self.present(queue, language)));
        match estimate {
            Estimate::Unknown => Some(EstimateOutcome::Unknown),
            _ => self.estimates.score(queue.index(), estimate, waited, answered),
        }
    }

    /// How much longer one may expect to wait whose place is `key`.
    #[must_use]
    pub fn expects_still(&self, now: Time, queue: QueueId, language: Option<SkillId>, key: Key) -> Estimate {
        let whose = (queue.index(), self.kernel.map().tongue(language));
        self.estimates.behind(now, whose, self.ahead_in(queue, language, key), self.present(queue, language))
    }

    /// What whoever joins `queue` now may expect, whatever the language; `None` while nothing is known.
    #[must_use]
    pub fn expects_next(&self, now: Time, queue: QueueId) -> Option<Range> {
        let map = self.map();
        let known = map.tongues(queue).filter_map(|(tongue, line)| {
            let (whose, weighed) = ((queue.index(), tongue), self.weigh(line));
            let ahead = self.estimates.waiting(whose);
            let range = self.estimates.behind(now, whose, ahead, weighed.here()).range()?;
            let none = Range { low: Duration::ZERO, likely: Duration::ZERO, high: Duration::ZERO };
            Some(if ahead == 0 && weighed.free > 0 { none } else { range })
        });
        known.reduce(|one, other| Range {
            low: one.low.min(other.low),
            likely: one.likely.max(other.likely),
            high: one.high.max(other.high),
        })
    }

    /// How many wait by the estimates' own count; none once nobody waits.
    #[must_use]
    pub fn expectant(&self, queue: QueueId) -> u32 {
        self.map().tongues(queue).map(|(tongue, _)| self.estimates.waiting((queue.index(), tongue))).sum()
    }

    fn ahead_in(&self, queue: QueueId, language: Option<SkillId>, key: Key) -> u32 {
        let in_queue = |slot: ContactSlot| self.places[slot.0 as usize].queue.load(Ordering::Acquire) == queue.0 + 1;
        self.kernel.count_before(&self.kernel.map().lines_in(queue, language), key, in_queue)
    }

    /// For each queue with anyone in it, since when the longest has waited there.
    #[must_use]
    pub fn longest(&self) -> Vec<(QueueId, Time)> {
        let mut oldest: Vec<Option<Time>> = vec![None; self.waiting.len()];
        for place in &self.places {
            let queue = place.queue.load(Ordering::Acquire);
            if queue != 0 {
                let since = Time::from_micros(place.since.load(Ordering::Acquire));
                let entry = &mut oldest[queue as usize - 1];
                *entry = Some(entry.map_or(since, |old| old.min(since)));
            }
        }
        oldest.iter().enumerate().filter_map(|(queue, since)| since.map(|since| (QueueId(queue as u32), since))).collect()
    }

    /// Whether anything changed for a party of `shard` since its nudges were last taken.
    #[must_use]
    pub fn nudged(&self, shard: u16) -> bool {
        self.kernel.contact_nudges.pending(shard) || self.kernel.agent_nudges.pending(shard) || self.joints.is_nudged(shard)
    }

    /// The contacts of `shard` to look at again.
    pub fn nudged_contacts(&self, shard: u16, mut each: impl FnMut(ContactSlot)) {
        self.kernel.contact_nudges.drain(shard, |slot| each(ContactSlot(slot)));
    }

    /// The agents of `shard` to look at again.
    pub fn nudged_agents(&self, shard: u16, mut each: impl FnMut(AgentId)) {
        self.kernel.agent_nudges.drain(shard, |slot| each(AgentId(slot)));
    }
}

#[cfg(test)]
#[path = "matcher_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "sequential_tests.rs"]
mod sequential_tests;
