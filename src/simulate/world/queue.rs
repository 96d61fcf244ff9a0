//! Callers in a queue: whom they wait for, how their demand relaxes, how they leave.

use super::{Caller, Due, Ended, LAST_AGENTS, Observer, Outcome, World, let_go_of, rules};
use crate::acd::answers::Answers;
use crate::acd::command::Event;
use crate::acd::hints::Hints;
use crate::acd::queue::{Overflow, WhenEmpty};
use crate::acd::stay::{Matching, Stay};
use crate::base::words::{Channel, OfferOutcome};
use crate::base::{AgentId, QueueId, Time};

impl Caller {
    /// Whether it is in a queue.
    const fn waits(&self) -> bool {
        self.stay.is_some() || self.pair.is_some()
    }
}

impl<O: Observer> World<'_, O> {
    /// The agent who served a returning caller before, in this queue.
    pub(super) fn served_before(&self, id: usize, queue: QueueId) -> Option<AgentId> {
        let (agents, which) = (&self.last_agents[queue.index()], self.callers[id].returns?);
        agents.get(which.checked_rem(agents.len() as u64)? as usize).copied()
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

    pub(super) fn tell_queue(&mut self, now: Time, queue: QueueId) {
        self.observer.in_queue(now, queue, self.matcher.waiting(queue));
    }

    /// The caller leaves its queue for good.
    pub(super) fn leave(&mut self, now: Time, id: usize, outcome: Outcome) {
        let rung = self.leave_queue(now, id);
        self.end(now, id, outcome);
        self.withdrawn(now, rung);
    }

    /// The caller leaves its queue. The agents who were rung for it are to be let go, once it is known where it goes on:
    /// then they meet it there, too.
    pub(super) fn leave_queue(&mut self, now: Time, id: usize) -> Vec<AgentId> {
        let caller = &self.callers[id];
        let queue = caller.queue;
        if !caller.waits() {
            return Vec::new();
        }
        let rung = if caller.stay.is_some() {
            let_go_of(&self.with_stay(now, id, |stay, matching| stay.leave(matching.command)))
        } else {
            self.leave_pair(id)
        };
        self.give_back_place(now, id, false);
        self.tell_queue(now, queue);
        rung
    }

    pub(super) fn withdrawn(&mut self, now: Time, rung: Vec<AgentId>) {
        for agent in rung {
            self.let_go(now, agent, OfferOutcome::Withdrawn);
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
        let (stay, pair) = (caller.stay.take(), caller.pair.take());
        let Caller { queue, joined, .. } = *caller;
        if let Some(stay) = &stay
            && let Some(outcome) = stay.over(now, &mut Hints::of(&self.matcher, &self.table, &mut Answers::Live), answered)
        {
            self.observer.estimated(queue, stay.estimate(), now.since(joined), outcome);
        }
        if stay.is_some() || pair.is_some() {
            self.observer.left_queue(now, queue, joined);
        }
        if let Some(stay) = stay {
            stay.give_back(&mut self.slots);
        }
        if let Some(pair) = pair {
            self.forget_pair(&pair);
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
        let rung = self.leave_queue(now, id);
        self.turned_away(now, id, &rules.overflow, Outcome::Overflowed);
        self.withdrawn(now, rung);
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
        let Some(rules) = rules(self.scene, caller.queue) else { return };
        self.with_stay(now, id, |stay, matching| stay.relax(matching, rules));
        let caller = &mut self.callers[id];
        let next = caller.stay.as_ref().and_then(|stay| stay.relaxes_at(rules));
        caller.clocks.relax = next.map(|at| self.due.set(at, Due::Relax(id)));
    }

    /// The caller has waited long enough for one agent in particular, or that agent is not available.
    pub(super) fn prefer_nobody(&mut self, now: Time, id: usize) {
        self.for_anyone(now, id, Stay::prefer_nobody);
    }

    /// The caller waits for anyone: this tells its stay so.
    fn for_anyone(&mut self, now: Time, id: usize, tell: impl FnOnce(&mut Stay, &mut Matching<'_, usize>)) {
        let caller = &mut self.callers[id];
        if let Some(clock) = caller.clocks.prefer.take() {
            self.due.cancel(clock);
        }
        let Some(rules) = rules(self.scene, caller.queue) else { return };
        self.with_stay(now, id, |stay, matching| {
            tell(stay, matching);
            stay.ask_further(matching, id, rules);
        });
    }

    /// Callers whom no signed-in agent can serve leave, where their queue says so.
    pub(super) fn leave_empty_queues(&mut self, now: Time) {
        let waiting: Vec<usize> =
            self.callers.iter().filter(|(_, caller)| caller.waits() && caller.rings.is_empty()).map(|(id, _)| id).collect();
        for id in waiting {
            let refiled = self.with_stay(now, id, Stay::prefer_nobody_if_gone);
            if let [Event::Refiled(..)] = refiled.as_slice() {
                self.for_anyone(now, id, Stay::preference_over);
            }
            let caller = &self.callers[id];
            let Some(rules) = self.rules(caller.queue).filter(|rules| rules.leave_when_empty != WhenEmpty::Wait) else {
                continue;
            };
            let nobody = if caller.stay.is_some() {
                let left = self.with_stay(now, id, Stay::leave_if_for_nobody);
                matches!(left.as_slice(), [Event::ForNobody(_)])
            } else {
                self.pair_is_for_nobody(id)
            };
            if nobody {
                let rung = self.leave_queue(now, id);
                self.nobody_here(now, id, &rules.leave_when_empty, &rules.overflow);
                self.withdrawn(now, rung);
            }
        }
    }
}
