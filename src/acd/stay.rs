//! A contact's stay in a queue: whom it waits for, how its requirement relaxes, who is rung for it, how it leaves.
//!
//! The server and the simulator drive the same stay, so that what is simulated is what happens. A stay keeps no
//! deadlines and reports nothing: its owner sets timers at the times that it names, and calls back. What rings for the
//! contact, and where a contact goes that cannot stay, is the owner's business, too.
//!
//! A contact that may ring several agents has a slot in the matcher for each: its own, and further ones with entries
//! behind everybody who waits. All are owned by the contact's owner, so that the first answer wins.

use std::time::Duration;

use smallvec::SmallVec;

use super::claim::{ContactView, Left};
use super::contact_slots::ContactSlots;
use super::matcher::Matcher;
use super::queue::{QueueRules, WhenEmpty};
use super::{ContactSlot, DemandId, Key};
use crate::base::words::{Channel, EstimateOutcome};
use crate::base::{AgentId, Estimate, QueueId, SkillId, Time, Weighed};

/// What a stay is lent to act: the matcher and the slots of a shard.
pub struct Matching<'a, C> {
    /// The time.
    pub now: Time,
    /// The matcher.
    pub matcher: &'a Matcher,
    /// The slots of the contact's shard.
    pub slots: &'a mut ContactSlots<C>,
}

/// A contact that wants to join a queue.
#[derive(Clone, Copy, Debug)]
pub struct Joining<'r> {
    /// The queue.
    pub queue: QueueId,
    /// Its rules.
    pub rules: &'r QueueRules,
    /// The caller's language.
    pub language: Option<SkillId>,
    /// Whether the contact goes before all others, whatever the queue says.
    pub emergency: bool,
    /// What it has waited before counts as waited here.
    pub credit: Duration,
    /// The agent who served the caller last in this queue.
    pub last_agent: Option<AgentId>,
}

/// Why a contact cannot join.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotJoined<'r> {
    /// The queue takes nobody new, or the routing table does not know it.
    Closed,
    /// Nobody who could serve it is signed in; the queue says what becomes of it.
    Nobody(&'r WhenEmpty),
    /// The matcher has no slot for it.
    NoSlot,
    /// The queue is full.
    Full,
}

/// A contact's place in a queue. It outlives rings that come to nothing.
#[derive(Clone, Debug)]
pub struct Stay {
    queue: QueueId,
    language: Option<SkillId>,
    joined: Time,
    arrival: Time,
    place: Key,
    slot: ContactSlot,
    /// The slots of further rings.
    further: SmallVec<[ContactSlot; 2]>,
    step: usize,
    prefers: Option<AgentId>,
    estimate: Estimate,
}

/// What a waiting caller hears of the rest of its wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remaining {
    /// Nothing is known.
    Unknown,
    /// In nine of ten cases no longer than this.
    AtMost(Duration),
    /// It takes longer than was estimated.
    Overdue,
}

/// The agent whom a contact shall wait for before anyone else, and for how long: who served the caller last, else whom
/// the queue names, if that one is signed in and may serve it. An agent's own demand is that of one slot; only for calls
/// there is just one.
fn preferred(matcher: &Matcher, joining: &Joining<'_>, demand: DemandId) -> Option<(AgentId, Duration)> {
    let rules = joining.rules;
    if rules.channel != Channel::Voice {
        return None;
    }
    let last = || Some((joining.last_agent?, rules.prefer_last?));
    let may = |(agent, _): &(AgentId, Duration)| matcher.may_wait_for(*agent, demand);
    last().filter(may).or(rules.prefer_agent.filter(may))
}

impl Stay {
    /// The contact joins a queue; it may be offered before this returns. How long it waits for one agent in particular,
    /// if it does.
    ///
    /// # Errors
    /// Why it cannot. Nothing has changed then.
    pub fn join<'r, C: Copy>(
        matching: &mut Matching<'_, C>,
        contact: C,
        joining: &Joining<'r>,
    ) -> Result<(Self, Option<Duration>), NotJoined<'r>> {
        let Joining { queue, rules, language, credit, .. } = *joining;
        let (matcher, now) = (matching.matcher, matching.now);
        let demand = matcher.routing_table().demand(queue, language, 0).filter(|_| !rules.retired).ok_or(NotJoined::Closed)?;
        if rules.join_empty != WhenEmpty::Wait && !matcher.anyone_for(demand) {
            return Err(NotJoined::Nobody(&rules.join_empty));
        }
        let emergency = joining.emergency || rules.emergency;
        // An emergency waits for nobody in particular.
        let preferred = if emergency { None } else { preferred(matcher, joining, demand) };
        let prefers = preferred.map(|(agent, _)| agent);
        let arrival = now - credit;
        let place = matcher.key(arrival, rules.priority_boost, emergency);
        let slot = matching.slots.take(contact).ok_or(NotJoined::NoSlot)?;
        let wanted = prefers.map_or(demand, DemandId::of_agent);
        if matcher.arrive(slot, queue, rules.length_max, wanted, place, now).is_err() {
            matching.slots.give_back(slot);
            return Err(NotJoined::Full);
        }
        // Of the wait for one agent in particular nothing is known.
        let estimate = if prefers.is_none() && matcher.contact(slot) == ContactView::Waiting {
            let overtakes = emergency || !credit.is_zero();
            matcher.expects(now, queue, language, overtakes.then_some(place))
        } else {
            Estimate::Needless
        };
        let further = SmallVec::new();
        let stay = Stay { queue, language, joined: now, arrival, place, slot, further, step: 0, prefers, estimate };
        Ok((stay, preferred.map(|(_, span)| span)))
    }

    /// The queue.
    #[must_use]
    pub const fn queue(&self) -> QueueId {
        self.queue
    }

    /// Its key among those who wait.
    #[must_use]
    pub const fn place(&self) -> Key {
        self.place
    }

    /// When it counts as having arrived: earlier than it joined by its credit.
    #[must_use]
    pub const fn arrival(&self) -> Time {
        self.arrival
    }

    /// The relaxation step that it has reached.
    #[must_use]
    pub const fn step(&self) -> usize {
        self.step
    }

    /// The agent whom it waits for, and nobody else for a while.
    #[must_use]
    pub const fn prefers(&self) -> Option<AgentId> {
        self.prefers
    }

    /// The estimate of its wait as it joined.
    #[must_use]
    pub const fn estimate(&self) -> &Estimate {
        &self.estimate
    }

    /// Its own slot in the matcher.
    #[must_use]
    pub const fn slot(&self) -> ContactSlot {
        self.slot
    }

    /// Its slots in the matcher, its own first.
    pub fn slots(&self) -> impl Iterator<Item = ContactSlot> {
        std::iter::once(self.slot).chain(self.further.iter().copied())
    }

    /// How long it has been in this queue.
    #[must_use]
    pub fn waited(&self, now: Time) -> Duration {
        now.since(self.joined)
    }

    /// When its requirement [relaxes](Self::relax) next, if ever.
    #[must_use]
    pub fn relaxes_at(&self, rules: &QueueRules) -> Option<Time> {
        rules.relaxation.get(self.step).map(|step| self.joined + step.after)
    }

    /// What the contact hears of the rest of its wait. The first estimate holds: the announced rest never grows. A
    /// contact that has waited longer than was announced hears that, and not another number.
    #[must_use]
    pub fn remaining(&self, now: Time, matcher: &Matcher) -> Remaining {
        let still = matcher.expects_still(now, self.queue, self.language, self.place);
        remaining(&self.estimate, &still, self.waited(now))
    }

    /// The demand that it has in this slot, and the key; `None` for a further ring that its queue does not want any more.
    #[must_use]
    pub fn demand(&self, matcher: &Matcher, slot: ContactSlot) -> Option<(DemandId, Key)> {
        let table = matcher.routing_table();
        if slot != self.slot {
            return Some((table.further_demand(self.queue, self.language, self.step)?, self.place.of_further_ring()));
        }
        let demand = match self.prefers {
            Some(agent) => DemandId::of_agent(agent),
            None => table.demand(self.queue, self.language, self.step)?,
        };
        Some((demand, self.place))
    }

    /// How the agents stand who may serve it, for the demand that it has in this slot.
    #[must_use]
    pub fn weigh(&self, matcher: &Matcher, slot: ContactSlot) -> Weighed {
        self.demand(matcher, slot).map_or_else(Weighed::default, |(demand, _)| matcher.weigh(demand))
    }

    /// Has the contact rung for by as many agents as its queue says. Who waits for one agent in particular wants nobody
    /// else yet. False where a slot for that was missing.
    pub fn ask_further<C: Copy>(&mut self, matching: &mut Matching<'_, C>, contact: C, rules: &QueueRules) -> bool {
        let wanted = if self.prefers.is_some() { 0 } else { usize::from(rules.ring_several.saturating_sub(1)) };
        while self.further.len() < wanted {
            let demand = matching.matcher.routing_table().further_demand(self.queue, self.language, self.step);
            let Some(demand) = demand else { return true };
            let Some(slot) = matching.slots.take_further(contact) else { return false };
            self.further.push(slot);
            matching.matcher.ring_further(slot, demand, self.place.of_further_ring());
        }
        true
    }

    /// The requirement relaxes to what holds by now. Whether the contact waits for another demand from now on, which it
    /// does not while it prefers one agent, nor while it is offered.
    pub fn relax<C: Copy>(&mut self, matching: &mut Matching<'_, C>, rules: &QueueRules) -> bool {
        self.step = rules.step_at(self.waited(matching.now));
        if self.prefers.is_some() {
            return false;
        }
        let moved = self.reenter_own(matching.matcher);
        self.reenter_further(matching);
        moved
    }

    /// The contact has waited long enough for one agent in particular, or that one is not to be had. Whether it waits for
    /// another demand from now on. To be followed by [`ask_further`](Self::ask_further).
    pub fn prefer_nobody(&mut self, matcher: &Matcher) -> bool {
        self.prefers.take().is_some() && self.reenter_own(matcher)
    }

    /// Moves the contact to the demand that the routing table in force gives it, and its further rings to theirs. To be
    /// followed by [`ask_further`](Self::ask_further).
    pub fn reenter<C: Copy>(&mut self, matching: &mut Matching<'_, C>) {
        self.reenter_own(matching.matcher);
        self.reenter_further(matching);
    }

    fn reenter_own(&self, matcher: &Matcher) -> bool {
        self.demand(matcher, self.slot).is_some_and(|(demand, key)| matcher.relax(self.slot, demand, key))
    }

    /// Moves the further rings that nobody has taken to the demand that they are for now; those that their queue does
    /// not want any more end.
    fn reenter_further<C: Copy>(&mut self, matching: &mut Matching<'_, C>) {
        let Matching { matcher, slots, .. } = matching;
        for slot in self.further.clone() {
            match self.demand(matcher, slot) {
                Some((demand, key)) => drop(matcher.relax(slot, demand, key)),
                None if matcher.leave_unoffered(slot) => self.forget_further(slots, slot),
                None => {}
            }
        }
    }

    fn forget_further<C: Copy>(&mut self, slots: &mut ContactSlots<C>, slot: ContactSlot) {
        if let Some(at) = self.further.iter().position(|further| *further == slot) {
            self.further.swap_remove(at);
            slots.give_further_back(slot);
        }
    }

    /// What one of its slots was offered to has come to nothing: the contact waits again at its place; for anyone, for
    /// the one whom it waited for is not to be had. To be followed by [`ask_further`](Self::ask_further).
    pub fn put_back<C: Copy>(&mut self, matching: &mut Matching<'_, C>, slot: ContactSlot) {
        self.prefers = None;
        match self.demand(matching.matcher, slot) {
            Some((demand, key)) => drop(matching.matcher.put_back(slot, demand, key)),
            None => {
                matching.matcher.leave(slot);
                self.forget_further(matching.slots, slot);
            }
        }
    }

    /// Whether nobody who could serve the contact is signed in any more.
    #[must_use]
    pub fn is_for_nobody(&self, matcher: &Matcher) -> bool {
        self.demand(matcher, self.slot).is_some_and(|(demand, _)| !matcher.anyone_for(demand))
    }

    /// An agent has answered for `winner`: the other slots leave the matcher. The agents whom they were offered to are
    /// let go.
    pub fn others_leave(&self, matcher: &Matcher, winner: ContactSlot) -> SmallVec<[AgentId; 2]> {
        let left = self.slots().filter(|slot| *slot != winner).map(|slot| matcher.leave(slot));
        left.filter_map(|left| if let Left::WasOffered(agent) = left { Some(agent) } else { None }).collect()
    }

    /// The contact leaves the matcher with all of its slots. The agents whom they were offered to are let go. Whether it
    /// was there with its own.
    pub fn leave(&self, matcher: &Matcher) -> (bool, SmallVec<[AgentId; 2]>) {
        let own = matcher.leave(self.slot);
        let mut let_go = self.others_leave(matcher, self.slot);
        if let Left::WasOffered(agent) = own {
            let_go.insert(0, agent);
        }
        (own != Left::NotHere, let_go)
    }

    /// Notes for the estimates of others that the wait is over. How its own turned out, where that can be told.
    pub fn over(&self, now: Time, matcher: &Matcher, answered: bool) -> Option<EstimateOutcome> {
        matcher.waited(now, (self.queue, self.language), &self.estimate, self.waited(now), answered)
    }

    /// Gives its slots back.
    pub fn give_back<C: Copy>(self, slots: &mut ContactSlots<C>) {
        self.further.into_iter().for_each(|slot| slots.give_further_back(slot));
        slots.give_back(self.slot);
    }
}

fn remaining(first: &Estimate, still: &Estimate, waited: Duration) -> Remaining {
    match (first.range(), still.range()) {
        (Some(first), _) if waited > first.high => Remaining::Overdue,
        (Some(first), Some(still)) => Remaining::AtMost(still.high.min(first.high - waited)),
        (None, Some(still)) => Remaining::AtMost(still.high),
        (_, None) => Remaining::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acd::RoutingTable;
    use crate::acd::agent::State;
    use crate::acd::matcher::Size;
    use crate::acd::queue::RelaxationStep;
    use crate::acd::queue::tests::plain;
    use crate::acd::routing_table::{AgentProfile, Directory};
    use crate::base::{PoolId, Range};

    const T0: Time = Time::from_secs(1_000_000);
    const QUEUE: QueueId = QueueId(0);
    const SECOND: Duration = Duration::from_secs(1);

    /// A queue, its agents (who are ready or not), and the slots of one shard.
    struct Hall {
        matcher: Matcher,
        slots: ContactSlots<u32>,
        rules: QueueRules,
        now: Time,
    }

    impl Hall {
        /// Agent 0 is an expert (level 9), agent 1 a beginner (level 3).
        fn new(change: impl FnOnce(&mut QueueRules)) -> Self {
            let mut rules = plain("q", &[(0, 5)], &[0]);
            change(&mut rules);
            let agent = |level| {
                Some(AgentProfile { pools: vec![PoolId(0)], skills: vec![(SkillId(0), level)], ..AgentProfile::default() })
            };
            let directory =
                Directory { queues: vec![Some(rules.clone())], agents: vec![agent(9), agent(3)], ..Directory::default() };
            let size = Size { shards: 1, contacts_per_shard: 6, agents: 2, queues: 1, agencies: 1 };
            let matcher = Matcher::new(size, RoutingTable::new(&directory, 1), |_| 0);
            Hall { matcher, slots: ContactSlots::new(&(0..6), 4), rules, now: T0 }
        }

        fn comes(&mut self, agent: u32) {
            self.matcher.set_standing(AgentId(agent), State::<u8>::Ready.standing());
            self.matcher.ready(AgentId(agent), self.now, Duration::ZERO);
        }

        fn goes(&mut self, agent: u32) {
            self.matcher.pause(AgentId(agent));
            self.matcher.set_standing(AgentId(agent), State::<u8>::Offline.standing());
        }

        fn with<T>(&mut self, f: impl FnOnce(&mut Matching<'_, u32>, &QueueRules) -> T) -> T {
            let mut matching = Matching { now: self.now, matcher: &self.matcher, slots: &mut self.slots };
            f(&mut matching, &self.rules)
        }

        fn joins(&mut self, contact: u32, last_agent: Option<AgentId>) -> Result<(Stay, Option<Duration>), String> {
            self.with(|matching, rules| {
                let (credit, language) = (Duration::ZERO, None);
                let joining = Joining { queue: QUEUE, rules, language, emergency: false, credit, last_agent };
                let (mut stay, waits) = Stay::join(matching, contact, &joining).map_err(|why| format!("{why:?}"))?;
                stay.ask_further(matching, contact, rules);
                Ok((stay, waits))
            })
        }

        fn offered(&self, stay: &Stay) -> Vec<AgentId> {
            let view = |slot| match self.matcher.contact(slot) {
                ContactView::Offered(agent) => Some(agent),
                _ => None,
            };
            stay.slots().filter_map(view).collect()
        }
    }

    #[test]
    fn who_cannot_stay_is_told_why_and_leaves_nothing() {
        let mut hall = Hall::new(|rules| rules.length_max = 1);
        let (first, _) = hall.joins(1, None).unwrap();
        assert_eq!(hall.joins(2, None).unwrap_err(), "Full");
        assert_eq!(hall.slots.used().0, 1);
        first.leave(&hall.matcher);
        first.give_back(&mut hall.slots);
        assert_eq!(hall.slots.used().0, 0);
        hall.rules.retired = true;
        assert_eq!(hall.joins(3, None).unwrap_err(), "Closed");
        let mut empty = Hall::new(|rules| rules.join_empty = WhenEmpty::Goodbye);
        assert_eq!(empty.joins(1, None).unwrap_err(), "Nobody(Goodbye)");
    }

    #[test]
    fn the_preferred_agent_is_waited_for_and_then_anyone() {
        let mut hall = Hall::new(|rules| rules.prefer_last = Some(30 * SECOND));
        hall.comes(0);
        let (busy, _) = hall.joins(1, None).unwrap();
        assert_eq!(hall.offered(&busy), [AgentId(0)]);
        let (mut stay, waits) = hall.joins(2, Some(AgentId(0))).unwrap();
        assert_eq!((waits, stay.prefers(), *stay.estimate()), (Some(30 * SECOND), Some(AgentId(0)), Estimate::Needless));
        assert!(stay.prefer_nobody(&hall.matcher) && !stay.prefer_nobody(&hall.matcher), "once");
        // Who may not serve the queue is not waited for.
        hall.comes(1);
        assert_eq!(hall.joins(3, Some(AgentId(1))).unwrap().1, None);
    }

    #[test]
    fn a_requirement_relaxes_at_its_time() {
        let step = RelaxationStep { after: 10 * SECOND, lower_levels_by: 3, more_pools: Vec::new() };
        let mut hall = Hall::new(|rules| rules.relaxation = vec![step]);
        hall.comes(1);
        let (mut stay, _) = hall.joins(1, None).unwrap();
        assert_eq!(hall.offered(&stay), []);
        assert_eq!(stay.relaxes_at(&hall.rules), Some(T0 + 10 * SECOND));
        hall.now = T0 + 10 * SECOND;
        assert!(hall.with(|matching, rules| stay.relax(matching, rules)));
        assert_eq!((hall.offered(&stay), stay.step(), stay.relaxes_at(&hall.rules)), (vec![AgentId(1)], 1, None));
    }

    #[test]
    fn several_ring_one_wins_and_the_others_are_let_go() {
        let mut hall = Hall::new(|rules| (rules.skills, rules.ring_several) = (Vec::new(), 3));
        hall.comes(0);
        hall.comes(1);
        let (mut stay, _) = hall.joins(1, None).unwrap();
        assert_eq!((stay.slots().count(), hall.offered(&stay).len()), (3, 2));
        assert!(hall.joins(2, None).is_ok(), "further rings leave contacts their slots");
        let slots: Vec<ContactSlot> = stay.slots().collect();
        // The first does not answer: the contact keeps its place and its other ring.
        let before = stay.place();
        hall.with(|matching, _| stay.put_back(matching, slots[0]));
        assert_eq!((stay.place(), hall.matcher.contact(slots[1])), (before, ContactView::Offered(AgentId(1))));
        assert_eq!(hall.matcher.accept(slots[1]), Some(AgentId(1)));
        stay.others_leave(&hall.matcher, slots[1]);
        assert_eq!(hall.offered(&stay), []);
        stay.give_back(&mut hall.slots);
    }

    #[test]
    fn who_leaves_lets_go_of_whoever_rings() {
        let mut hall = Hall::new(|_| {});
        hall.comes(0);
        let (stay, _) = hall.joins(1, None).unwrap();
        let (was_there, let_go) = stay.leave(&hall.matcher);
        assert_eq!((was_there, let_go.to_vec()), (true, vec![AgentId(0)]));
        assert_eq!(stay.leave(&hall.matcher), (false, SmallVec::new()), "it is there once");
    }

    #[test]
    fn when_the_last_agent_goes_the_stay_is_for_nobody() {
        let mut hall = Hall::new(|_| {});
        hall.comes(0);
        let (busy, _) = hall.joins(1, None).unwrap();
        let (stay, _) = hall.joins(2, None).unwrap();
        assert!(!stay.is_for_nobody(&hall.matcher));
        busy.leave(&hall.matcher);
        hall.matcher.release(AgentId(0));
        hall.goes(0);
        assert!(stay.is_for_nobody(&hall.matcher));
    }

    #[test]
    fn what_remains_never_grows_and_is_overdue_after_what_was_said_first() {
        let known = |high| Estimate::Known(Range { low: SECOND, likely: 2 * SECOND, high: high * SECOND });
        let told = |first, after: u32, still| remaining(&first, &still, after * SECOND);
        assert_eq!(told(known(60), 10, known(300)), Remaining::AtMost(50 * SECOND), "the queue has slowed down");
        assert_eq!(told(known(60), 10, known(20)), Remaining::AtMost(20 * SECOND), "it has sped up");
        assert_eq!(told(known(60), 60, known(20)), Remaining::AtMost(Duration::ZERO));
        assert_eq!(told(known(60), 61, known(20)), Remaining::Overdue);
        assert_eq!(told(known(60), 61, Estimate::Unknown), Remaining::Overdue);
        assert_eq!(told(known(60), 10, Estimate::Unknown), Remaining::Unknown, "nobody is there any more");
        assert_eq!(told(Estimate::Unknown, 10, known(20)), Remaining::AtMost(20 * SECOND), "it is known by now");
        assert_eq!(told(Estimate::Needless, 10, Estimate::Unknown), Remaining::Unknown);
    }
}
