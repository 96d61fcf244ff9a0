//! A contact's stay in a queue: whom it waits for, how its requirement relaxes, who is rung for it, how it leaves.
//!
//! The server and the simulator drive the same stay, so that what is simulated is what happens. A stay keeps no
//! deadlines and reports nothing: its owner sets timers at the times that it names, and calls back. What rings for the
//! contact, and where a contact goes that cannot stay, is the owner's business, too.
//!
//! A stay changes nothing in the matcher by itself: it says [commands](super::command), and its owner brings it the
//! [events](super::command::Event) that answer them. Until it has [joined](Stay::joined) it is only on its way in.
//!
//! A contact that may ring several agents has a slot in the matcher for each: its own, and further ones with entries
//! behind everybody who waits. All are owned by the contact's owner, so that the first answer wins.

use std::time::Duration;

use smallvec::SmallVec;

use super::command::{Command, Join, NotJoined, Refiled};
use super::contact_slots::ContactSlots;
use super::hints::Hints;
use super::queue::{QueueRules, WhenEmpty};
use super::{ContactSlot, DemandId, Key, RoutingTable};
use crate::base::words::{Channel, EstimateOutcome};
use crate::base::{AgentId, Estimate, QueueId, SkillId, Time, Weighed};

/// What a stay is lent to act: the slots of a shard, and a way to command the matcher.
pub struct Matching<'a, C> {
    /// The time.
    pub now: Time,
    /// What may be read of the matcher.
    pub hints: Hints<'a>,
    /// The slots of the contact's shard.
    pub slots: &'a mut ContactSlots<C>,
    /// Sends a command to the matcher.
    pub command: &'a mut dyn FnMut(Command),
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

/// How a contact has joined: what [`Event::Joined`](super::command::Event::Joined) says.
#[derive(Clone, Copy, Debug)]
pub struct Joined {
    /// Its key among those who wait.
    pub place: Key,
    /// The agent whom it waits for, and nobody else.
    pub prefers: Option<AgentId>,
    /// Whether it is offered to an agent already.
    pub offered: bool,
}

/// A contact's place in a queue. It outlives rings that come to nothing.
#[derive(Clone, Debug)]
pub struct Stay {
    queue: QueueId,
    language: Option<SkillId>,
    joined: Time,
    arrival: Time,
    /// Known once it has joined.
    place: Key,
    slot: ContactSlot,
    /// The slots of further rings.
    further: SmallVec<[ContactSlot; 2]>,
    step: usize,
    prefers: Option<AgentId>,
    /// The demand that its own slot was last said to have.
    filed: DemandId,
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

impl Joining<'_> {
    /// Whether it goes before all others.
    fn goes_first(&self) -> bool {
        self.emergency || self.rules.emergency
    }

    /// The agents whom the contact would rather wait for, and for how long: who served the caller last, and whom the
    /// queue names. An emergency waits for nobody in particular. An agent's own demand is that of one slot; only for
    /// calls there is just one.
    fn candidates(&self) -> [Option<(AgentId, Duration)>; 2] {
        if self.goes_first() || self.rules.channel != Channel::Voice {
            return [None; 2];
        }
        [self.last_agent.zip(self.rules.prefer_last), self.rules.prefer_agent]
    }
}

impl Stay {
    /// The contact is on its way into a queue: a slot is taken, and [`Command::Join`] said. What follows is
    /// [`joined`](Self::joined), or the stay is [given back](Self::give_back).
    ///
    /// # Errors
    /// Why it cannot even ask. Nothing has changed then.
    pub fn join<C: Copy>(matching: &mut Matching<'_, C>, contact: C, joining: &Joining<'_>) -> Result<Self, NotJoined> {
        let Joining { queue, rules, language, credit, .. } = *joining;
        let now = matching.now;
        let demand = matching.hints.routing_table().demand(queue, language, 0).filter(|_| !rules.retired);
        let demand = demand.ok_or(NotJoined::Closed)?;
        let slot = matching.slots.take(contact).ok_or(NotJoined::NoSlot)?;
        let arrival = now - credit;
        let as_of = arrival - rules.priority_boost;
        (matching.command)(Command::Join(Join {
            slot,
            queue,
            length_max: rules.length_max,
            demand,
            prefers: joining.candidates().map(|candidate| candidate.map(|(agent, _)| agent)),
            as_of,
            since: now,
            emergency: joining.goes_first(),
            not_for_nobody: rules.join_empty != WhenEmpty::Wait,
        }));
        let place = Key::new(as_of, 0, joining.goes_first());
        let (further, prefers, estimate) = (SmallVec::new(), None, Estimate::Needless);
        Ok(Stay { queue, language, joined: now, arrival, place, slot, further, step: 0, prefers, filed: demand, estimate })
    }

    /// The contact is in the queue. How long it waits for one agent in particular, if it does. `joining` is what it
    /// wanted. To be followed by [`ask_further`](Self::ask_further).
    pub fn joined<C: Copy>(&mut self, matching: &mut Matching<'_, C>, joining: &Joining<'_>, joined: Joined) -> Option<Duration> {
        let Joined { place, prefers, offered } = joined;
        (self.place, self.prefers) = (place, prefers);
        if let Some(agent) = prefers {
            self.filed = DemandId::of_agent(agent);
        } else if !offered {
            // Of the wait for one agent in particular nothing is known.
            let overtakes = joining.goes_first() || !joining.credit.is_zero();
            self.estimate = matching.hints.expects(matching.now, self.queue, self.language, overtakes.then_some(place));
        }
        // The routing table may have changed while it was on its way.
        self.refile_if_elsewhere(matching);
        let prefers = prefers?;
        let mut candidates = joining.candidates().into_iter().flatten();
        // Another may have served the caller while it was on its way.
        candidates.find(|(agent, _)| *agent == prefers).map(|(_, span)| span).or(joining.rules.prefer_last)
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

    /// What it has waited before it joined.
    #[must_use]
    pub fn credit(&self) -> Duration {
        self.joined.since(self.arrival)
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
    pub fn remaining(&self, now: Time, hints: &mut Hints<'_>) -> Remaining {
        let still = hints.expects_still(now, self.queue, self.language, self.place);
        remaining(&self.estimate, &still, self.waited(now))
    }

    /// The demand that it has in this slot, and the key; `None` for a further ring that its queue does not want any more.
    #[must_use]
    pub fn demand(&self, table: &RoutingTable, slot: ContactSlot) -> Option<(DemandId, Key)> {
        if slot != self.slot {
            let demand = table.further_demand(self.queue, self.language, self.step)?;
            return Some((demand, self.place.of_further_ring()));
        }
        let demand = match self.prefers {
            Some(agent) => DemandId::of_agent(agent),
            None => self.anyones_demand(table)?,
        };
        Some((demand, self.place))
    }

    /// The demand that it has when it waits for nobody in particular.
    fn anyones_demand(&self, table: &RoutingTable) -> Option<DemandId> {
        table.demand(self.queue, self.language, self.step)
    }

    /// How the agents stand who may serve it, for the demand that it has in this slot.
    #[must_use]
    pub fn weigh(&self, hints: &mut Hints<'_>, slot: ContactSlot) -> Weighed {
        self.demand(hints.routing_table(), slot).map_or_else(Weighed::default, |(demand, _)| hints.weigh(demand))
    }

    /// Has the contact rung for by as many agents as its queue says. Who waits for one agent in particular wants nobody
    /// else yet. False where a slot for that was missing.
    pub fn ask_further<C: Copy>(&mut self, matching: &mut Matching<'_, C>, contact: C, rules: &QueueRules) -> bool {
        let wanted = if self.prefers.is_some() { 0 } else { usize::from(rules.ring_several.saturating_sub(1)) };
        while self.further.len() < wanted {
            let demand = matching.hints.routing_table().further_demand(self.queue, self.language, self.step);
            let Some(demand) = demand else { return true };
            let Some(slot) = matching.slots.take_further(contact) else { return false };
            self.further.push(slot);
            (matching.command)(Command::RingFurther(slot, demand, self.place.of_further_ring()));
        }
        true
    }

    /// The requirement relaxes to what holds by now. [`Refiled::Relaxed`] says that the contact waits for another demand
    /// from now on, which it does not while it prefers one agent, nor while it is offered.
    pub fn relax<C: Copy>(&mut self, matching: &mut Matching<'_, C>, rules: &QueueRules) {
        self.step = rules.step_at(self.waited(matching.now));
        if self.prefers.is_none() {
            self.refile(matching, Some(Refiled::Relaxed));
            self.refile_further(matching);
        }
    }

    /// The contact has waited long enough for one agent in particular. [`Refiled::PreferenceOver`] says that it waits
    /// for another demand from now on. To be followed by [`ask_further`](Self::ask_further).
    pub fn prefer_nobody<C: Copy>(&mut self, matching: &mut Matching<'_, C>) {
        if self.prefers.take().is_some() {
            self.refile(matching, Some(Refiled::PreferenceOver));
        }
    }

    /// If the agent whom it waits for is gone, it waits for anyone: [`Refiled::AgentGone`] says so, and is to be followed by [`preference_over`](Self::preference_over).
    pub fn prefer_nobody_if_gone<C: Copy>(&mut self, matching: &mut Matching<'_, C>) {
        let Some(agent) = self.prefers.filter(|agent| !matching.hints.anyone_for(DemandId::of_agent(*agent))) else { return };
        if let Some(demand) = self.anyones_demand(matching.hints.routing_table()) {
            (matching.command)(Command::RefileIfGone(self.slot, agent, demand, self.place));
        }
    }

    /// It waits for nobody in particular. To be followed by [`ask_further`](Self::ask_further).
    pub fn preference_over<C: Copy>(&mut self, matching: &mut Matching<'_, C>) {
        self.prefers = None;
        self.refile_if_elsewhere(matching);
    }

    /// If nobody who could serve the contact is signed in any more, it leaves:
    /// [`ForNobody`](super::command::Event::ForNobody) says so.
    pub fn leave_if_for_nobody<C: Copy>(&mut self, matching: &mut Matching<'_, C>) {
        let demand = self.anyones_demand(matching.hints.routing_table());
        if let Some(demand) = demand.filter(|demand| !matching.hints.anyone_for(*demand)) {
            (matching.command)(Command::LeaveIfForNobody(self.slot, demand));
        }
    }

    /// Moves the contact to the demand that the routing table in force gives it, and its further rings to theirs. To be
    /// followed by [`ask_further`](Self::ask_further).
    pub fn reenter<C: Copy>(&mut self, matching: &mut Matching<'_, C>) {
        self.refile(matching, None);
        self.refile_further(matching);
    }

    fn refile<C: Copy>(&mut self, matching: &mut Matching<'_, C>, told: Option<Refiled>) {
        if let Some((demand, key)) = self.demand(matching.hints.routing_table(), self.slot) {
            self.filed = demand;
            (matching.command)(Command::Refile(self.slot, demand, key, told));
        }
    }

    /// Moves the contact if it was last said to have another demand than it has.
    fn refile_if_elsewhere<C: Copy>(&mut self, matching: &mut Matching<'_, C>) {
        if self.demand(matching.hints.routing_table(), self.slot).is_some_and(|(demand, _)| demand != self.filed) {
            self.refile(matching, None);
        }
    }

    /// Moves the further rings that nobody has taken to the demand that they are for now; those that their queue does
    /// not want any more end.
    fn refile_further<C: Copy>(&self, matching: &mut Matching<'_, C>) {
        for slot in &self.further {
            (matching.command)(match self.demand(matching.hints.routing_table(), *slot) {
                Some((demand, key)) => Command::Refile(*slot, demand, key, None),
                None => Command::EndFurther(*slot),
            });
        }
    }

    /// A further ring is over. Whether it was one of this stay.
    pub fn further_ended<C: Copy>(&mut self, slots: &mut ContactSlots<C>, slot: ContactSlot) -> bool {
        let Some(at) = self.further.iter().position(|further| *further == slot) else { return false };
        self.further.swap_remove(at);
        slots.give_further_back(slot);
        true
    }

    /// What one of its slots was offered to has come to nothing: the contact waits again at its place; for anyone, for
    /// the one whom it waited for is not to be had. To be followed by [`ask_further`](Self::ask_further).
    pub fn put_back<C: Copy>(&mut self, matching: &mut Matching<'_, C>, slot: ContactSlot) {
        self.prefers = None;
        match self.demand(matching.hints.routing_table(), slot) {
            Some((demand, key)) => {
                if slot == self.slot {
                    self.filed = demand;
                }
                (matching.command)(Command::PutBack(slot, demand, key));
            }
            None => {
                (matching.command)(Command::Leave(slot));
                self.further_ended(matching.slots, slot);
            }
        }
    }

    /// An agent has answered for `winner`: the other slots leave the matcher.
    pub fn others_leave(&self, command: &mut dyn FnMut(Command), winner: ContactSlot) {
        self.slots().filter(|slot| *slot != winner).for_each(|slot| command(Command::Leave(slot)));
    }

    /// The contact leaves the matcher with all of its slots.
    pub fn leave(&self, command: &mut dyn FnMut(Command)) {
        self.slots().for_each(|slot| command(Command::Leave(slot)));
    }

    /// Notes for the estimates of others that the wait is over. How its own turned out, where that can be told.
    pub fn over(&self, now: Time, hints: &mut Hints<'_>, answered: bool) -> Option<EstimateOutcome> {
        hints.waited(now, (self.queue, self.language), &self.estimate, self.waited(now), answered)
    }

    /// Gives its slots back.
    pub fn give_back<C: Copy>(&self, slots: &mut ContactSlots<C>) {
        self.further.iter().for_each(|slot| slots.give_further_back(*slot));
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
    use crate::acd::Matcher;
    use crate::acd::agent::State;
    use crate::acd::answers::Answers;
    use crate::acd::command::Event;
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

        /// Lends a stay what it works with, and executes what it says. What came of that.
        fn with<T>(&mut self, f: impl FnOnce(&mut Matching<'_, u32>, &QueueRules) -> T) -> (T, Vec<Event>) {
            let mut said = Vec::new();
            let table = self.matcher.routing_table();
            let mut live = Answers::Live;
            let (now, hints) = (self.now, Hints::of(&self.matcher, &table, &mut live));
            let mut matching = Matching { now, hints, slots: &mut self.slots, command: &mut |command| said.push(command) };
            let told = f(&mut matching, &self.rules);
            (told, said.into_iter().filter_map(|command| self.matcher.execute(command)).collect())
        }

        fn joins(&mut self, contact: u32, last_agent: Option<AgentId>) -> Result<(Stay, Option<Duration>), NotJoined> {
            let rules = self.rules.clone();
            let (credit, language, emergency) = (Duration::ZERO, None, false);
            let joining = Joining { queue: QUEUE, rules: &rules, language, emergency, credit, last_agent };
            let (stay, events) = self.with(|matching, _| Stay::join(matching, contact, &joining));
            let mut stay = stay?;
            let joined = match events.as_slice() {
                [Event::Joined { place, prefers, offered, .. }] => Joined { place: *place, prefers: *prefers, offered: *offered },
                [Event::NotJoined(_, why)] => {
                    stay.give_back(&mut self.slots);
                    return Err(*why);
                }
                other => panic!("{other:?}"),
            };
            let (waits, events) = self.with(|matching, rules| {
                let waits = stay.joined(matching, &joining, joined);
                stay.ask_further(matching, contact, rules);
                waits
            });
            assert_eq!(events, []);
            Ok((stay, waits))
        }

        fn leaves(&mut self, stay: &Stay) -> Vec<Event> {
            self.with(|matching, _| stay.leave(matching.command)).1
        }

        fn offered(&self, stay: &Stay) -> Vec<AgentId> {
            stay.slots().filter_map(|slot| self.matcher.offer(slot)).map(|offer| offer.agent_slot).collect()
        }
    }

    #[test]
    fn who_cannot_stay_is_told_why_and_leaves_nothing() {
        let mut hall = Hall::new(|rules| rules.length_max = 1);
        let (first, _) = hall.joins(1, None).unwrap();
        assert_eq!(hall.joins(2, None).unwrap_err(), NotJoined::Full);
        assert_eq!(hall.slots.used().0, 1);
        assert_eq!(hall.leaves(&first), []);
        first.give_back(&mut hall.slots);
        assert_eq!(hall.slots.used().0, 0);
        hall.rules.retired = true;
        assert_eq!(hall.joins(3, None).unwrap_err(), NotJoined::Closed);
        let mut empty = Hall::new(|rules| rules.join_empty = WhenEmpty::Goodbye);
        assert_eq!(empty.joins(1, None).unwrap_err(), NotJoined::Nobody);
        assert_eq!((empty.slots.used().0, empty.matcher.waiting(QUEUE)), (0, 0));
    }

    #[test]
    fn the_preferred_agent_is_waited_for_and_then_anyone() {
        let mut hall = Hall::new(|rules| rules.prefer_last = Some(30 * SECOND));
        hall.comes(0);
        let (busy, _) = hall.joins(1, None).unwrap();
        assert_eq!(hall.offered(&busy), [AgentId(0)]);
        let (mut stay, waits) = hall.joins(2, Some(AgentId(0))).unwrap();
        assert_eq!((waits, stay.prefers(), *stay.estimate()), (Some(30 * SECOND), Some(AgentId(0)), Estimate::Needless));
        let over = Event::Refiled(stay.slot(), Refiled::PreferenceOver);
        assert_eq!(hall.with(|matching, _| stay.prefer_nobody(matching)).1, [over]);
        assert_eq!(hall.with(|matching, _| stay.prefer_nobody(matching)).1, [], "once");
        // Who may not serve the queue is not waited for.
        hall.comes(1);
        assert_eq!(hall.joins(3, Some(AgentId(1))).unwrap().1, None);
    }

    #[test]
    fn whoever_the_queue_names_is_waited_for_where_the_last_agent_is_not_there() {
        let mut hall = Hall::new(|rules| {
            (rules.prefer_last, rules.prefer_agent) = (Some(30 * SECOND), Some((AgentId(0), 20 * SECOND)));
        });
        hall.comes(0);
        hall.joins(1, None).unwrap();
        assert_eq!(hall.joins(2, Some(AgentId(1))).unwrap().1, Some(20 * SECOND), "agent 1 has not signed in");
        assert_eq!(hall.joins(3, Some(AgentId(0))).unwrap().1, Some(30 * SECOND));
    }

    #[test]
    fn who_waits_for_an_agent_who_goes_waits_for_anyone() {
        let mut hall = Hall::new(|rules| rules.prefer_last = Some(30 * SECOND));
        hall.comes(0);
        let (busy, _) = hall.joins(1, None).unwrap();
        let (mut stay, _) = hall.joins(2, Some(AgentId(0))).unwrap();
        assert_eq!(hall.with(|matching, _| stay.prefer_nobody_if_gone(matching)).1, [], "the agent is there");
        hall.leaves(&busy);
        hall.matcher.release(AgentId(0));
        hall.goes(0);
        // A hint alone decides nothing: the agent may be back when the command comes.
        let mut said = Vec::new();
        let table = hall.matcher.routing_table();
        let mut live = Answers::Live;
        let (now, hints) = (hall.now, Hints::of(&hall.matcher, &table, &mut live));
        let mut matching = Matching { now, hints, slots: &mut hall.slots, command: &mut |command| said.push(command) };
        stay.prefer_nobody_if_gone(&mut matching);
        hall.matcher.set_standing(AgentId(0), State::<u8>::Ready.standing());
        assert_eq!(said.into_iter().filter_map(|command| hall.matcher.execute(command)).collect::<Vec<_>>(), []);
        hall.goes(0);
        let gone = Event::Refiled(stay.slot(), Refiled::AgentGone);
        assert_eq!(hall.with(|matching, _| stay.prefer_nobody_if_gone(matching)).1, [gone]);
        assert_eq!(stay.prefers(), Some(AgentId(0)), "until it has heard so");
        // The routing table is another by then, and it was said once more whom it waits for.
        hall.with(|matching, _| stay.reenter(matching));
        hall.with(|matching, _| stay.preference_over(matching));
        hall.comes(0);
        assert_eq!((hall.offered(&stay), stay.prefers()), (vec![AgentId(0)], None));
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
        let relaxed = Event::Refiled(stay.slot(), Refiled::Relaxed);
        assert_eq!(hall.with(|matching, rules| stay.relax(matching, rules)).1, [relaxed]);
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
        let offered = |hall: &Hall, slot| hall.matcher.offer(slot).map(|offer| offer.agent_slot);
        assert_eq!((stay.place(), offered(&hall, slots[1])), (before, Some(AgentId(1))));
        let answer = hall.with(|matching, _| (matching.command)(Command::Accept(slots[1]))).1;
        assert_eq!(answer, [Event::Accepted(slots[1], AgentId(1))]);
        hall.with(|matching, _| stay.others_leave(matching.command, slots[1]));
        assert_eq!(hall.offered(&stay), []);
        let again = hall.with(|matching, _| (matching.command)(Command::Accept(slots[0]))).1;
        assert_eq!(again, [Event::NotAccepted(slots[0])]);
        stay.give_back(&mut hall.slots);
    }

    #[test]
    fn further_rings_that_are_wanted_no_more_end() {
        let mut hall = Hall::new(|rules| rules.ring_several = 2);
        let (mut stay, _) = hall.joins(1, None).unwrap();
        let further = stay.slots().nth(1).unwrap();
        let ended = hall.with(|matching, _| (matching.command)(Command::EndFurther(further))).1;
        assert_eq!(ended, [Event::Ended(further)]);
        assert!(stay.further_ended(&mut hall.slots, further) && !stay.further_ended(&mut hall.slots, further), "once");
        assert_eq!((stay.slots().count(), hall.slots.used().0), (1, 1));
    }

    #[test]
    fn who_leaves_lets_go_of_whoever_rings() {
        let mut hall = Hall::new(|_| {});
        hall.comes(0);
        let (stay, _) = hall.joins(1, None).unwrap();
        assert_eq!(hall.leaves(&stay), [Event::Left(stay.slot(), AgentId(0))]);
        assert_eq!(hall.leaves(&stay), [], "it is there once");
    }

    #[test]
    fn when_the_last_agent_goes_the_stay_is_for_nobody() {
        let mut hall = Hall::new(|_| {});
        hall.comes(0);
        let (busy, _) = hall.joins(1, None).unwrap();
        let (mut stay, _) = hall.joins(2, None).unwrap();
        assert_eq!(hall.with(|matching, _| stay.leave_if_for_nobody(matching)).1, []);
        hall.leaves(&busy);
        hall.matcher.release(AgentId(0));
        hall.goes(0);
        let slot = stay.slot();
        assert_eq!(hall.with(|matching, _| stay.leave_if_for_nobody(matching)).1, [Event::ForNobody(slot)]);
        assert_eq!(hall.matcher.waiting(QUEUE), 0);
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
