//! Callers who also want an interpreter: both agents at once, or neither.

use std::time::Duration;

use super::{Due, Observer, Outcome, World};
use crate::acd::agent_slots::Verdict;
use crate::acd::claim::ContactView;
use crate::acd::joint::{Joint, Patience};
use crate::acd::queue::{QueueRules, WhenEmpty};
use crate::acd::{ContactSlot, DemandId, Key};
use crate::base::deadline::DeadlineId;
use crate::base::words::OfferOutcome;
use crate::base::{AgentId, QueueId, Time};
use crate::simulate::scene::Stream;

/// When a caller may have one agent held while it waits for the other, and for how long.
const PATIENCE: Patience = Patience { looks: Duration::from_secs(60), holds: Duration::from_secs(30) };

/// A joint request in progress.
#[derive(Debug)]
pub(super) struct Pair {
    request: Joint,
    slots: [ContactSlot; 2],
    demands: [DemandId; 2],
    key: Key,
    due: Option<DeadlineId>,
}

impl<O: Observer> World<'_, O> {
    /// The demand for an agent who serves the caller in any language, and the demand for an interpreter.
    pub(super) fn demands_of_pair(&self, stream: &Stream, queue: QueueId, interpreters: QueueId) -> Option<[DemandId; 2]> {
        let table = self.matcher.routing_table();
        Some([table.demand(queue, None, 0)?, table.demand(interpreters, stream.language, 0)?])
    }

    pub(super) fn join_with_interpreter(&mut self, now: Time, id: usize, rules: &QueueRules, interpreters: QueueId) {
        let (queue, arrived, stream) = (self.callers[id].queue, self.callers[id].arrived, self.callers[id].stream);
        let demands = self.demands_of_pair(&self.scene.streams[stream], queue, interpreters);
        let Some(demands) = demands else { return self.end(now, id, Outcome::Closed) };
        if rules.join_empty != WhenEmpty::Wait && demands.iter().any(|demand| !self.matcher.anyone_for(*demand)) {
            return self.nobody_here(now, id, &rules.join_empty, &rules.overflow);
        }
        let (Some(first), Some(second)) = (self.slots.take(id), self.slots.take(id)) else {
            self.crowded = true;
            return self.end(now, id, Outcome::Blocked);
        };
        let slots = [first, second];
        let full = self.matcher.waiting(queue) >= rules.length_max;
        let key = self.matcher.key(arrived, rules.priority_boost, rules.emergency);
        let mut let_go = Vec::new();
        let request =
            self.matcher.arrive_jointly(queue, slots, demands, key, PATIENCE, now, &mut |agent_slot| let_go.push(agent_slot));
        let blocked = full && !request.is_together();
        self.pairs.insert(key, id);
        self.callers[id].pair = Some(Box::new(Pair { request, slots, demands, key, due: None }));
        self.callers[id].clocks.wait_max = rules.wait_max.map(|span| self.due.set(now + span, Due::WaitMax(id)));
        if blocked {
            let rung = self.leave_queue(now, id);
            self.turned_away(now, id, &rules.overflow, Outcome::Blocked);
            return self.withdrawn(now, rung);
        }
        self.pair_stepped(now, id, &let_go, None);
        self.follow_wake_ups(now);
        self.tell_queue(now, queue);
    }

    /// All requests look again, as agents have become free; older ones first. Where one finds no pair of agents, others
    /// with the same demands need not look.
    pub(super) fn step_pairs(&mut self, now: Time) {
        let mut in_vain: Vec<[DemandId; 2]> = Vec::new();
        for id in self.pairs.values().copied().collect::<Vec<_>>() {
            let Some(pair) = self.callers.get(id).and_then(|caller| caller.pair.as_ref()) else { continue };
            let demands = pair.demands;
            if in_vain.contains(&demands) {
                continue;
            }
            self.step_pair(now, id);
            let found =
                self.callers.get(id).and_then(|caller| caller.pair.as_ref()).is_none_or(|pair| pair.request.is_together());
            if !found {
                in_vain.push(demands);
            }
        }
    }

    /// Looks at the caller's request again.
    pub(super) fn step_pair(&mut self, now: Time, id: usize) {
        let Some(pair) = self.callers.get_mut(id).and_then(|caller| caller.pair.as_mut()) else { return };
        let mut let_go = Vec::new();
        let declined = pair.slots.into_iter().find(|slot| self.matcher.verdict(*slot) == Some(Verdict::Declined));
        match declined {
            Some(slot) => self.matcher.declined_jointly(&mut pair.request, slot, now, &mut |agent_slot| let_go.push(agent_slot)),
            None => self.matcher.step(&mut pair.request, now, &mut |agent_slot| let_go.push(agent_slot)),
        }
        self.pair_stepped(now, id, &let_go, None);
    }

    /// What follows from a look: releases agents that are held no more, and rings two that were found.
    fn pair_stepped(&mut self, now: Time, id: usize, let_go: &[AgentId], missed: Option<AgentId>) {
        for agent_slot in let_go {
            if Some(*agent_slot) == missed {
                self.missed(now, *agent_slot);
            } else {
                self.let_go(now, *agent_slot, OfferOutcome::Withdrawn);
            }
        }
        let Some(pair) = self.callers.get_mut(id).and_then(|caller| caller.pair.as_mut()) else { return };
        if let Some(clock) = pair.due.take() {
            self.due.cancel(clock);
        }
        pair.due = pair.request.due(now).map(|at| self.due.set(at.max(now), Due::StepPair(id)));
        let (slots, is_together) = (pair.slots, pair.request.is_together());
        if !is_together || !self.callers[id].rings.is_empty() {
            return;
        }
        if slots.iter().all(|slot| self.matcher.verdict(*slot) == Some(Verdict::Agreed)) {
            for slot in slots {
                if let ContactView::Offered(agent_slot) = self.matcher.contact(slot) {
                    self.ring(now, id, slot, agent_slot);
                }
            }
        }
    }

    /// One of the two agents has answered: when both have, they talk.
    pub(super) fn answer_pair(&mut self, now: Time, id: usize) {
        let caller = &self.callers[id];
        if caller.rings.len() < 2 || caller.rings.iter().any(|ring| ring.over.is_some()) {
            return;
        }
        let (queue, talk) = (caller.queue, caller.talk);
        let Some(pair) = &caller.pair else { return };
        let slots = pair.slots;
        let Some(agent_slots) = self.matcher.accept_jointly(&pair.request) else { return };
        let talk_max = self.rules(queue).map_or(talk, |rules| rules.talk_max);
        let [agent, _] = [0, 1].map(|at| self.tell(agent_slots[at], |agent| agent.talk(now, slots[at], talk_max)));
        self.give_back_place(now, id, true);
        self.callers[id].talks = Some((agent_slots[0], now));
        self.callers[id].interpreter = Some(agent_slots[1]);
        self.due.set(now + talk.min(talk_max), Due::TalkOver(id));
        self.end(now, id, Outcome::Answered(agent));
        self.tell_queue(now, queue);
    }

    /// One of the two agents did not answer: neither talks, and the request looks for others.
    pub(super) fn pair_rung_in_vain(&mut self, now: Time, id: usize, missed: AgentId) {
        for ring in std::mem::take(&mut self.callers[id].rings) {
            ring.over.map(|clock| self.due.cancel(clock));
        }
        let Some(pair) = self.callers[id].pair.as_mut() else { return };
        let mut let_go = Vec::new();
        self.matcher.put_back_jointly(&mut pair.request, now, &mut |agent_slot| let_go.push(agent_slot));
        self.pair_stepped(now, id, &let_go, Some(missed));
    }

    /// Gives the request up. Returns the agents who were held for it.
    pub(super) fn leave_pair(&mut self, id: usize) -> Vec<AgentId> {
        let mut let_go = Vec::new();
        if let Some(pair) = &self.callers[id].pair {
            self.matcher.leave_jointly(pair.request.clone(), &mut |agent_slot| let_go.push(agent_slot));
        }
        let_go
    }

    /// Frees the slots of a request that is over, and its deadline.
    pub(super) fn forget_pair(&mut self, pair: &Pair) {
        pair.due.map(|clock| self.due.cancel(clock));
        self.pairs.remove(&pair.key);
        pair.slots.into_iter().for_each(|slot| self.slots.give_back(slot));
    }

    /// Whether either of the two agents whom the caller wants cannot be had any more.
    pub(super) fn pair_is_for_nobody(&self, id: usize) -> bool {
        let demands = self.callers[id].pair.as_ref().map(|pair| pair.demands);
        demands.is_some_and(|demands| demands.iter().any(|demand| !self.matcher.anyone_for(*demand)))
    }
}
