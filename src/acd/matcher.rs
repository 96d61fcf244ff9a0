//! The narrow interface to the matcher: what the engine may ask of it, and nothing of how it works.
//!
//! All shards share one matcher. Every method is lock-free. A method marked *owner* may only be called by the engine
//! that owns the party. A call may change parties of any shard. Their owners learn of it by wake-ups
//! ([`Matcher::woken_contacts`], [`Matcher::woken_agents`]). An owner that is woken reads the state words, which are
//! the truth.

use std::sync::Arc;
use std::time::Duration;

use super::claim::{AgentView, ClaimProtocol, ContactSlot, ContactView, Key, Left};
use super::estimate::Estimates;
use super::joint::Joints;
use super::loan::Loans;
use super::ready_index::Mask;
use super::routing_table::{DemandId, Directory, RoutingTable, SkillGroupId, TooMany, skill_groups_max};
use crate::base::padded::Padded;
use crate::base::sync::{AtomicU32, AtomicU64, Ordering};
use crate::base::words::EstimateOutcome;
use crate::base::{AgentId, Estimate, QueueId, Range, SkillId, Time, Weighed};

/// How large the matcher is built; it never grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Signalling shards.
    pub shards: u16,
    /// Contact slots of each shard.
    pub contacts_per_shard: u32,
    /// Agents that the directory can ever name while running.
    pub agents: u32,
    /// Queues that the directory can ever name while running.
    pub queues: u32,
    /// Agencies that the directory can ever name while running.
    pub agencies: u32,
}

impl Size {
    /// The slots for so many contacts: one for each in a queue, and some for further rings.
    #[must_use]
    pub const fn slots_for(contacts: u32) -> u32 {
        contacts + contacts / 4
    }

    /// For how many contacts there are so many slots.
    #[must_use]
    pub const fn contacts_in(slots: u32) -> u32 {
        slots - slots / 5
    }
}

/// The queue that a contact is in, for counting. The contact's owner writes it.
struct InQueue {
    /// The queue's index plus one; zero when in no queue.
    queue: AtomicU32,
    since: AtomicU64,
}

/// The matcher: all contacts that wait, all agents that are ready, and the claims between them.
pub struct Matcher {
    pub(super) protocol: ClaimProtocol,
    pub(super) size: Size,
    pub(super) loans: Loans,
    pub(super) joints: Joints,
    waiting: Box<[Padded<AtomicU32>]>,
    in_queues: Box<[InQueue]>,
    /// By agent: where it is counted, as [`counted`] packs it.
    counted: Box<[AtomicU32]>,
    /// By skill group: how many agents are free, busy, on a break and on loan.
    standing: Box<[[AtomicU32; Counted::ALL.len()]]>,
    /// By agent: the owner's verdict on the contact that the agent was last held for. It is the hold's state word if
    /// the owner agreed, and that of the claim before it if the owner declined.
    pub(super) verdicts: Box<[AtomicU64]>,
    /// By skill group: how many agents drain for the contacts that wait for it (see
    /// [`agent_slots`](super::agent_slots)).
    pub(super) draining: Box<[AtomicU32]>,
    /// By agent: the skill group that it drains for, plus one; zero for none. The agent's owner writes it.
    pub(super) drains: Box<[AtomicU32]>,
    estimates: Estimates,
    sequence: Padded<AtomicU32>,
}

/// What a signed-in agent does, as far as others are concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Ready.
    Free = 0,
    /// Rung, talking, finishing up, or in a call of its own.
    Busy = 1,
    /// Not to be had for a while.
    Break = 2,
}

/// What an agent is counted as: its standing, with agents on loan apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Counted {
    Free,
    Busy,
    Break,
    Lent,
}

impl Counted {
    const ALL: [Counted; 4] = [Counted::Free, Counted::Busy, Counted::Break, Counted::Lent];
    /// How far the skill group is shifted in a word that says where an agent is counted.
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

/// The word of an agent that is counted nowhere: no skill group has that number.
const NOT_COUNTED: u32 = u32::MAX;

/// Where an agent is counted: its skill group, and what it is counted as.
fn counted(word: u32) -> Option<(SkillGroupId, Counted)> {
    let what = Counted::ALL[(word & 3) as usize];
    (word != NOT_COUNTED).then_some((SkillGroupId(word >> Counted::BITS), what))
}

/// The queue is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the queue is full")]
pub struct QueueFull;

impl Matcher {
    /// A matcher in which nobody waits. `agent_shard` names the shard that owns an agent.
    #[must_use]
    pub fn new(size: Size, table: RoutingTable, agent_shard: impl Fn(AgentId) -> u16) -> Self {
        let owners = (0..size.agents).map(|agent| agent_shard(AgentId(agent))).collect();
        let contacts = size.contacts_per_shard * u32::from(size.shards);
        let loans = Loans::new(size.agencies, size.agents);
        loans.expect(table.all_lending());
        Matcher {
            protocol: ClaimProtocol::new(owners, size.contacts_per_shard, size.shards, table),
            size,
            loans,
            joints: Joints::new(size.shards),
            waiting: (0..size.queues).map(|_| Padded(AtomicU32::new(0))).collect(),
            in_queues: (0..contacts).map(|_| InQueue { queue: AtomicU32::new(0), since: AtomicU64::new(0) }).collect(),
            counted: (0..size.agents).map(|_| AtomicU32::new(NOT_COUNTED)).collect(),
            standing: (0..skill_groups_max(size.agents)).map(|_| std::array::from_fn(|_| AtomicU32::new(0))).collect(),
            verdicts: (0..size.agents).map(|_| AtomicU64::new(0)).collect(),
            draining: (0..skill_groups_max(size.agents)).map(|_| AtomicU32::new(0)).collect(),
            drains: (0..size.agents).map(|_| AtomicU32::new(0)).collect(),
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

    /// The routing table in force.
    #[must_use]
    pub fn routing_table(&self) -> Arc<RoutingTable> {
        self.protocol.routing_table().clone()
    }

    /// Puts the directory, as this `version`, in force. Returns its routing table. Each owner then adopts it: moves its agents to their skill
    /// groups and its contacts to their demands, and [acknowledges](Self::acknowledge). One publisher at a time may
    /// call it.
    ///
    /// # Errors
    /// When the directory has more demands or skill groups than there is room for; the old one stays in force
    /// then.
    pub fn publish(&self, directory: &Directory, version: u64) -> Result<Arc<RoutingTable>, TooMany> {
        self.loans.expect(&directory.lending);
        self.protocol.publish(directory, version)
    }

    /// *Owner.* All parties of the shard are where this version has them. Demands and skill groups that it does not
    /// name need not be kept for them.
    pub fn acknowledge(&self, shard: u16, version: u64) {
        self.protocol.acknowledge(shard, version);
    }

    /// The key of a contact that arrived at `arrival`, with `credit` as priority boost.
    pub fn key(&self, arrival: Time, credit: Duration, emergency: bool) -> Key {
        Key::new(arrival - credit, self.sequence.fetch_add(1, Ordering::Relaxed), emergency)
    }

    // ---- contacts (owner) ----

    /// *Owner.* The contact joins `queue` with this `demand`; it may be offered before this returns. While `length_max`
    /// contacts are in the queue, a contact may join only if an agent is free for it: nobody is turned away who need
    /// not wait.
    ///
    /// # Errors
    /// When the queue has `length_max` waiting, and the contact would wait, too.
    pub fn arrive(
        &self,
        slot: ContactSlot,
        queue: QueueId,
        length_max: u32,
        demand: DemandId,
        key: Key,
        since: Time,
    ) -> Result<(), QueueFull> {
        let full = self.count_contact(slot, queue, since) >= length_max;
        self.protocol.arrive(slot.0, demand, key);
        self.ask_lenders(slot);
        if full && self.leave_unoffered(slot) {
            return Err(QueueFull);
        }
        Ok(())
    }

    /// *Owner.* One more agent is wanted for a contact that is in a queue. The further ring has a slot of its own, with
    /// a demand and a key for such rings, and does not count as a contact of the queue. It may be offered before this
    /// returns.
    pub fn ring_further(&self, slot: ContactSlot, demand: DemandId, key: Key) {
        self.protocol.arrive(slot.0, demand, key);
    }

    /// *Owner.* The contact leaves its queue, answered or not.
    pub fn leave(&self, slot: ContactSlot) -> Left {
        let left = self.protocol.leave(slot.0);
        if left != Left::NotHere {
            self.uncount_contact(slot);
        }
        left
    }

    /// *Owner.* The contact leaves its queue, unless it is offered to an agent. Whether it has.
    pub fn leave_unoffered(&self, slot: ContactSlot) -> bool {
        let left = self.protocol.leave_unoffered(slot.0);
        if left {
            self.uncount_contact(slot);
        }
        left
    }

    /// *Owner.* The agent to whom the contact is offered has answered; `None` if the contact is not offered.
    pub fn accept(&self, slot: ContactSlot) -> Option<AgentId> {
        let agent = self.protocol.accept(slot.0)?;
        self.uncount_contact(slot);
        Some(agent)
    }

    /// *Owner.* The offer came to nothing: the contact waits again.
    pub fn put_back(&self, slot: ContactSlot, demand: DemandId, key: Key) -> Option<AgentId> {
        let agent = self.protocol.put_back(slot.0, demand, key);
        self.ask_lenders(slot);
        agent
    }

    /// *Owner.* A waiting contact moves to another demand of its queue.
    pub fn relax(&self, slot: ContactSlot, demand: DemandId, key: Key) -> bool {
        let relaxed = self.protocol.relax(slot.0, demand, key);
        self.ask_lenders(slot);
        relaxed
    }

    /// Counts the contact as one in `queue`. Returns how many were there already.
    pub(super) fn count_contact(&self, slot: ContactSlot, queue: QueueId, since: Time) -> u32 {
        let others = self.waiting[queue.index()].fetch_add(1, Ordering::AcqRel);
        let counted = &self.in_queues[slot.0 as usize];
        counted.since.store(since.micros(), Ordering::Release);
        counted.queue.store(queue.0 + 1, Ordering::Release);
        others
    }

    pub(super) fn uncount_contact(&self, slot: ContactSlot) {
        let queue = self.in_queues[slot.0 as usize].queue.swap(0, Ordering::AcqRel);
        if queue != 0 {
            self.waiting[queue as usize - 1].fetch_sub(1, Ordering::AcqRel);
        }
    }

    // ---- agents (owner) ----

    /// *Owner.* The agent enters its skill group; it may be offered a contact before this returns. False for an agent
    /// that the routing table does not know.
    pub fn ready(&self, agent: AgentId, now: Time, occupied: Duration) -> bool {
        let group = self.protocol.routing_table().group(agent);
        let Some(group) = group else { return false };
        self.protocol.ready(agent.0, group, now, u32::try_from(occupied.as_secs()).unwrap_or(u32::MAX));
        self.consider(agent, false);
        self.wake_joints(agent);
        true
    }

    /// *Owner.* The agent leaves its skill group; it may turn out to be held by a contact instead.
    pub fn pause(&self, agent: AgentId) -> AgentView {
        self.protocol.pause(agent.0)
    }

    /// *Owner.* The agent's ringing or talk is over, and its phone is silent.
    pub fn release(&self, agent: AgentId) -> bool {
        self.protocol.release(agent.0)
    }

    /// *Owner.* The agent moves to the skill group that the routing table in force gives it: its entry, if it is ready,
    /// and where it is counted.
    pub fn regroup(&self, agent: AgentId) {
        let group = self.protocol.routing_table().group(agent);
        if let Some(group) = group {
            self.protocol.regroup(agent.0, group);
        }
        if let Some((_, what)) = counted(self.counted[agent.index()].load(Ordering::Relaxed)) {
            self.count(agent, group, Some(what.standing()));
        }
        self.consider(agent, false);
        self.wake_joints(agent);
    }

    /// *Owner.* What the agent does, as far as others are concerned; `None`: not signed in.
    pub fn set_standing(&self, agent: AgentId, standing: Option<Standing>) {
        let held = || matches!(self.protocol.view_agent(agent.0), AgentView::Held { offered: true, .. });
        if standing != Some(Standing::Busy) && self.loans.has_permit(agent) && !held() {
            self.loan_over(agent);
        }
        let group = self.protocol.routing_table().group(agent);
        self.count(agent, group, standing);
    }

    fn count(&self, agent: AgentId, group: Option<SkillGroupId>, standing: Option<Standing>) {
        let what = standing.map(|standing| Counted::of(standing, self.loans.has_permit(agent)));
        let on = group.zip(what).map_or(NOT_COUNTED, |(group, what)| group.0 << Counted::BITS | what as u32);
        let was_on = self.counted[agent.index()].swap(on, Ordering::AcqRel);
        if was_on == on {
            return;
        }
        let (on, was_on) = (counted(on), counted(was_on));
        let counter = |(group, what): (SkillGroupId, Counted)| &self.standing[group.0 as usize][what as usize];
        if let Some(on) = on {
            counter(on).fetch_add(1, Ordering::AcqRel);
        }
        if let Some(was_on) = was_on {
            counter(was_on).fetch_sub(1, Ordering::AcqRel);
        }
        let is_own = self.protocol.routing_table().is_agents_own(agent);
        self.signed(is_own, on.map(|(group, _)| group), was_on.map(|(group, _)| group));
    }

    // ---- anybody ----

    /// What an agent's state word says.
    #[must_use]
    pub fn agent(&self, agent: AgentId) -> AgentView {
        self.protocol.view_agent(agent.0)
    }

    /// What a contact's state word says.
    #[must_use]
    pub fn contact(&self, slot: ContactSlot) -> ContactView {
        self.protocol.view_contact(slot.0)
    }

    /// Whether anyone signed in may serve `demand`, free or not.
    #[must_use]
    pub fn anyone_for(&self, demand: DemandId) -> bool {
        if let Some(agent) = demand.agent() {
            return counted(self.counted[agent.index()].load(Ordering::Acquire)).is_some();
        }
        let table = self.protocol.routing_table();
        let here = |group: u32| self.standing[group as usize].iter().any(|count| count.load(Ordering::Acquire) > 0);
        Mask::buckets(table.groups_of(demand)).chain(Mask::buckets(table.groups_to_borrow(demand))).any(here)
    }

    /// Whether a contact with this `demand` may wait for this agent alone: the agent is signed in and may serve the
    /// demand.
    #[must_use]
    pub fn may_wait_for(&self, agent: AgentId, demand: DemandId) -> bool {
        let table = self.protocol.routing_table();
        table.group(agent).is_some_and(|group| table.serves(group, demand)) && self.anyone_for(DemandId::of_agent(agent))
    }

    /// How the agents who may serve `demand` stand. While agents change their standing it may be off by as many.
    #[must_use]
    pub fn weigh(&self, demand: DemandId) -> Weighed {
        let table = self.protocol.routing_table();
        let mut weighed = Weighed { map_version: table.version(), ..Weighed::default() };
        if let Some(agent) = demand.agent() {
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
        let groups = Mask::buckets(table.groups_of(demand)).map(|group| (group, true));
        for (group, theirs) in groups.chain(Mask::buckets(table.groups_to_borrow(demand)).map(|group| (group, false))) {
            let [free, busy, on_break, lent] = &self.standing[group as usize];
            let would_lend = || table.kept_for(SkillGroupId(group)).is_some_and(|agency| self.loans.would_lend(&table, agency));
            *if theirs || would_lend() { &mut weighed.free } else { &mut weighed.kept } += free.load(Ordering::Acquire);
            weighed.busy += busy.load(Ordering::Acquire);
            weighed.on_break += on_break.load(Ordering::Acquire);
            weighed.lent += lent.load(Ordering::Acquire);
            members += table.members(SkillGroupId(group));
        }
        weighed.offline = members.saturating_sub(weighed.all());
        weighed
    }

    /// How many contacts are in `queue`, offered ones included.
    #[must_use]
    pub fn waiting(&self, queue: QueueId) -> u32 {
        self.waiting[queue.index()].load(Ordering::Acquire)
    }

    /// How many contacts of `queue` go before `key`. Contacts that are being offered are not among them.
    #[must_use]
    pub fn ahead_of(&self, queue: QueueId, key: Key) -> u32 {
        let in_queue = |slot: ContactSlot| self.in_queues[slot.0 as usize].queue.load(Ordering::Acquire) == queue.0 + 1;
        self.protocol.count_before(self.protocol.routing_table().demands_of_queue(queue), key, in_queue)
    }

    // ---- estimates of waits: nothing is decided by them ----

    /// The agents who may serve `queue` in this language without relaxation, free or busy.
    fn present(&self, queue: QueueId, language: Option<SkillId>) -> u32 {
        let demand = self.protocol.routing_table().demand(queue, language, 0);
        demand.map_or(0, |demand| self.weigh(demand).here())
    }

    /// *Owner.* What a contact may expect that has joined `queue` and was not offered at once. `place` is the key of a
    /// contact that goes before others who came earlier. To be followed by [`waited`](Self::waited).
    pub fn expects(&self, now: Time, queue: QueueId, language: Option<SkillId>, place: Option<Key>) -> Estimate {
        let whose = (queue.index(), self.protocol.routing_table().tongue(language));
        let waiting = self.estimates.begin(now, whose);
        let ahead = place.map_or(waiting, |key| self.ahead_in(queue, language, key).min(waiting));
        self.estimates.behind(now, whose, ahead, self.present(queue, language))
    }

    /// *Owner.* The contact waits no more, answered or not. Returns how its estimate turned out, where that can be
    /// told.
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
        let whose = (queue.index(), self.protocol.routing_table().tongue(language));
        self.estimates.end(now, whose, waited, answered.then(|| self.present(queue, language)));
        match estimate {
            Estimate::Unknown => Some(EstimateOutcome::Unknown),
            _ => self.estimates.score(queue.index(), estimate, waited, answered),
        }
    }

    /// How much longer a contact with this `key` may expect to wait.
    #[must_use]
    pub fn expects_still(&self, now: Time, queue: QueueId, language: Option<SkillId>, key: Key) -> Estimate {
        let whose = (queue.index(), self.protocol.routing_table().tongue(language));
        self.estimates.behind(now, whose, self.ahead_in(queue, language, key), self.present(queue, language))
    }

    /// What a contact may expect that joins `queue` now, whatever its language; `None` while nothing is known.
    #[must_use]
    pub fn expects_next(&self, now: Time, queue: QueueId) -> Option<Range> {
        let table = self.routing_table();
        let known = table.tongues(queue).filter_map(|(tongue, demand)| {
            let (whose, weighed) = ((queue.index(), tongue), self.weigh(demand));
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

    /// How many contacts wait by the estimates' own count; none once nobody waits.
    #[must_use]
    pub fn expectant(&self, queue: QueueId) -> u32 {
        self.routing_table().tongues(queue).map(|(tongue, _)| self.estimates.waiting((queue.index(), tongue))).sum()
    }

    fn ahead_in(&self, queue: QueueId, language: Option<SkillId>, key: Key) -> u32 {
        let in_queue = |slot: ContactSlot| self.in_queues[slot.0 as usize].queue.load(Ordering::Acquire) == queue.0 + 1;
        self.protocol.count_before(&self.protocol.routing_table().demands_in(queue, language), key, in_queue)
    }

    /// For each queue that is not empty, since when the longest waiting contact has been in it.
    #[must_use]
    pub fn longest(&self) -> Vec<(QueueId, Time)> {
        let mut oldest: Vec<Option<Time>> = vec![None; self.waiting.len()];
        for counted in &self.in_queues {
            let queue = counted.queue.load(Ordering::Acquire);
            if queue != 0 {
                let since = Time::from_micros(counted.since.load(Ordering::Acquire));
                let entry = &mut oldest[queue as usize - 1];
                *entry = Some(entry.map_or(since, |old| old.min(since)));
            }
        }
        oldest.iter().enumerate().filter_map(|(queue, since)| since.map(|since| (QueueId(queue as u32), since))).collect()
    }

    /// Whether anything has changed for a party of `shard` since its wake-ups were last taken.
    #[must_use]
    pub fn has_wake_ups(&self, shard: u16) -> bool {
        self.protocol.contact_wake_ups.pending(shard)
            || self.protocol.agent_wake_ups.pending(shard)
            || self.joints.has_wake_up(shard)
    }

    /// The contacts of `shard` to look at again.
    pub fn woken_contacts(&self, shard: u16, mut each: impl FnMut(ContactSlot)) {
        self.protocol.contact_wake_ups.drain(shard, |slot| each(ContactSlot(slot)));
    }

    /// The agents of `shard` to look at again.
    pub fn woken_agents(&self, shard: u16, mut each: impl FnMut(AgentId)) {
        self.protocol.agent_wake_ups.drain(shard, |slot| each(AgentId(slot)));
    }
}

#[cfg(test)]
#[path = "matcher_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "sequential_tests.rs"]
mod sequential_tests;
