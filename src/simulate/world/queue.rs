//! Callers in a queue: whom they wait for, how their demand relaxes, how they leave.

use std::time::Duration;

use super::{Caller, Due, Ended, LAST_AGENTS, Observer, Outcome, World};
use crate::acd::claim::Left;
use crate::acd::queue::{Overflow, QueueRules, WhenEmpty};
use crate::acd::{ContactSlot, DemandId, Key};
use crate::base::words::{Channel, OfferOutcome};
use crate::base::{AgentId, QueueId, Time};

impl<O: Observer> World<'_, O> {
    /// The agent whom the caller shall wait for, and for how long: the one who served it before, else the one whom the
    /// queue names, if signed in.
    pub(super) fn preferred(&self, id: usize, rules: &QueueRules, demand: DemandId) -> Option<(AgentId, Duration)> {
        // An agent's own demand is that of one slot; only for calls there is just one.
        if rules.channel != Channel::Voice {
            return None;
        }
        let caller = &self.callers[id];
        let last = || {
            let (agents, which) = (&self.last_agents[caller.queue.index()], caller.returns?);
            let agent = agents.get(which.checked_rem(agents.len() as u64)? as usize)?;
            Some((*agent, rules.prefer_last?))
        };
        let may = |(agent, _): &(AgentId, Duration)| self.matcher.may_wait_for(*agent, demand);
        last().filter(may).or(rules.prefer_agent.filter(may))
    }

    /// The agent has served a caller of this queue, who may call again.
    pub(super) fn note_last(&mut self, queue: QueueId, agent_slot: AgentId) {
        if self.rules(queue).is_some_and(|rules| rules.prefer_last.is_some() && rules.channel == Channel::Voice) {
            let agents = &mut self.last_agents[queue.index()];
            agents.retain(|other| *other != agent_slot);
            agents.truncate(LAST_AGENTS - 1);
            agents.push_front(agent_slot);
        }
    }

    /// Has as many agents rung for the caller as its queue says.
    pub(super) fn ask_further(&mut self, id: usize) {
        let caller = &self.callers[id];
        if caller.prefers.is_some() {
            return;
        }
        let wanted = self.rules(caller.queue).map_or(0, |rules| usize::from(rules.ring_several - 1));
        for _ in caller.further.len()..wanted {
            if self.further_rings == self.further_max {
                return;
            }
            let Some(slot) = self.free_slots.pop_front() else { return };
            self.further_rings += 1;
            self.callers[id].further.push(slot);
            self.in_slot[slot.0 as usize] = Some(id);
            if let Some((demand, key)) = self.demand_and_key(id, slot) {
                self.matcher.ring_further(slot, demand, key);
            }
        }
    }

    /// The demand and the key of one of the caller's slots.
    pub(super) fn demand_and_key(&self, id: usize, slot: ContactSlot) -> Option<(DemandId, Key)> {
        let caller = &self.callers[id];
        let (own, key) = caller.place?;
        let (table, language) = (self.matcher.routing_table(), self.scene.streams[caller.stream].language);
        if let (true, Some(agent)) = (own == slot, caller.prefers) {
            return Some((DemandId::of_agent(agent), key));
        }
        if own == slot {
            return Some((table.demand(caller.queue, language, caller.step)?, key));
        }
        Some((table.further_demand(caller.queue, language, caller.step)?, key.of_further_ring()))
    }

    /// All slots of the caller but `kept` leave the matcher. Returns the agents who were rung for them.
    pub(super) fn leave_with(&mut self, id: usize, kept: Option<ContactSlot>) -> Vec<AgentId> {
        let caller = &self.callers[id];
        let slots = caller.place.map(|(slot, _)| slot).into_iter().chain(caller.further.iter().copied());
        let left = slots.filter(|slot| Some(*slot) != kept).map(|slot| self.matcher.leave(slot));
        left.filter_map(|left| if let Left::WasOffered(agent) = left { Some(agent) } else { None }).collect()
    }

    pub(super) fn tell_queue(&mut self, now: Time, queue: QueueId) {
        self.observer.in_queue(now, queue, self.matcher.waiting(queue));
    }

    /// The caller leaves its queue: for good, or (without an outcome) to go on elsewhere.
    pub(super) fn leave(&mut self, now: Time, id: usize, outcome: Option<Outcome>) {
        let caller = &self.callers[id];
        let queue = caller.queue;
        if caller.place.is_some() {
            let rung = if caller.pair.is_some() { self.leave_pair(id) } else { self.leave_with(id, None) };
            self.give_back_place(now, id, false);
            for agent in rung {
                self.let_go(now, agent, OfferOutcome::Withdrawn);
            }
            self.tell_queue(now, queue);
        }
        if let Some(outcome) = outcome {
            self.end(now, id, outcome);
        }
    }

    /// Gives back the caller's slots in the matcher and cancels its deadlines, except that of its patience.
    pub(super) fn give_back_place(&mut self, now: Time, id: usize, answered: bool) {
        let caller = &mut self.callers[id];
        let clocks = [caller.clocks.wait_max.take(), caller.clocks.relax.take(), caller.clocks.prefer.take()];
        let rings = std::mem::take(&mut caller.rings);
        for clock in clocks.into_iter().chain(rings.into_iter().map(|ring| ring.over)).flatten() {
            self.due.cancel(clock);
        }
        let further = std::mem::take(&mut caller.further);
        self.further_rings -= further.len() as u32;
        for slot in further {
            self.in_slot[slot.0 as usize] = None;
            self.free_slots.push_back(slot);
        }
        if let Some(pair) = caller.pair.take() {
            self.forget_pair(id, &pair);
        }
        let caller = &mut self.callers[id];
        if let Some((slot, _)) = caller.place.take() {
            self.in_slot[slot.0 as usize] = None;
            self.free_slots.push_back(slot);
            let (queue, waited) = (caller.queue, now.since(caller.joined));
            let language = self.scene.streams[caller.stream].language;
            if let Some(outcome) = self.matcher.waited(now, (queue, language), &caller.estimate, waited, answered) {
                self.observer.estimated(queue, &caller.estimate, waited, outcome);
            }
            self.observer.left_queue(now, queue, caller.joined);
        }
    }

    pub(super) fn end(&mut self, now: Time, id: usize, outcome: Outcome) {
        let caller = &mut self.callers[id];
        if let Some(clock) = caller.clocks.patience.take() {
            self.due.cancel(clock);
        }
        let Caller { stream, queue, arrived, .. } = *caller;
        self.observer.ended(&Ended { stream, queue, arrived, waited: now.since(arrived), outcome });
        if !matches!(outcome, Outcome::Answered(_)) {
            self.callers.remove(id);
        }
    }

    pub(super) fn waited_too_long(&mut self, now: Time, id: usize) {
        let Some(rules) = self.rules(self.callers[id].queue) else { return };
        self.leave(now, id, None);
        self.turned_away(now, id, &rules.overflow, Outcome::Overflowed);
    }

    pub(super) fn turned_away(&mut self, now: Time, id: usize, overflow: &Overflow, outcome: Outcome) {
        match overflow {
            Overflow::Queue(queue) if self.callers[id].queue != *queue => self.join(now, id, *queue),
            Overflow::Number(_) => self.end(now, id, Outcome::Overflowed),
            Overflow::Queue(_) | Overflow::Goodbye => self.end(now, id, outcome),
        }
    }

    pub(super) fn nobody_here(&mut self, now: Time, id: usize, wanted: &WhenEmpty, overflow: &Overflow) {
        match wanted {
            WhenEmpty::Overflow => self.turned_away(now, id, overflow, Outcome::Closed),
            WhenEmpty::Wait | WhenEmpty::Goodbye => self.end(now, id, Outcome::Closed),
        }
    }

    pub(super) fn relax(&mut self, now: Time, id: usize) {
        let caller = &mut self.callers[id];
        caller.clocks.relax = None;
        let Some(rules) = self.scene.directory.queues.get(caller.queue.index()).and_then(Option::as_ref) else { return };
        caller.step = rules.step_at(now.since(caller.joined));
        if let Some(next) = rules.relaxation.get(caller.step) {
            caller.clocks.relax = Some(self.due.set(caller.joined + next.after, Due::Relax(id)));
        }
        // A caller who waits for one agent joins the relaxed demand later.
        if caller.prefers.is_none() {
            self.reenter(id);
        }
    }

    /// The caller has waited long enough for one agent in particular, or that agent is not available.
    pub(super) fn prefer_nobody(&mut self, id: usize) {
        let caller = &mut self.callers[id];
        if let Some(clock) = caller.clocks.prefer.take() {
            self.due.cancel(clock);
        }
        if caller.prefers.take().is_some() {
            self.reenter(id);
            self.ask_further(id);
        }
    }

    /// Moves all waiting slots of the caller to the demands where they belong now.
    pub(super) fn reenter(&mut self, id: usize) {
        let caller = &self.callers[id];
        let own = caller.place.map(|(slot, _)| slot);
        for slot in own.into_iter().chain(caller.further.clone()) {
            if let Some((demand, key)) = self.demand_and_key(id, slot) {
                self.matcher.relax(slot, demand, key);
            }
        }
    }

    /// Callers whom no signed-in agent can serve leave, where their queue says so.
    pub(super) fn leave_empty_queues(&mut self, now: Time) {
        let waiting: Vec<usize> = self
            .callers
            .iter()
            .filter(|(_, caller)| caller.place.is_some() && caller.rings.is_empty())
            .map(|(id, _)| id)
            .collect();
        for id in waiting {
            if self.callers[id].prefers.is_some_and(|agent| !self.matcher.anyone_for(DemandId::of_agent(agent))) {
                self.prefer_nobody(id);
            }
            let caller = &self.callers[id];
            let Some(rules) = self.rules(caller.queue).filter(|rules| rules.leave_when_empty != WhenEmpty::Wait) else {
                continue;
            };
            let stream = &self.scene.streams[caller.stream];
            let one = || self.matcher.routing_table().demand(caller.queue, stream.language, caller.step);
            let demands = match stream.interpreters {
                Some(interpreters) => self.demands_of_pair(stream, caller.queue, interpreters).map(Vec::from),
                None => one().map(|demand| vec![demand]),
            };
            if demands.is_some_and(|demands| demands.iter().any(|demand| !self.matcher.anyone_for(*demand))) {
                self.leave(now, id, None);
                self.nobody_here(now, id, &rules.leave_when_empty, &rules.overflow);
            }
        }
    }
}
