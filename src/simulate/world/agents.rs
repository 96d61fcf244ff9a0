//! What agents do, with each of their slots: come, take breaks, miss rings, wrap up, go home.

use std::time::Duration;

use super::{Due, Observer, Worker, World};
use crate::acd::agent::{Agent, State};
use crate::acd::agent_slots::DRAIN_LOOK;
use crate::base::words::{AgentState, BreakReason, OfferOutcome};
use crate::base::{AgentId, Time};
use crate::simulate::scene::Duty;

impl<O: Observer> World<'_, O> {
    /// Informs one of an agent's slots of what happened. Returns the agent.
    pub(super) fn tell(&mut self, agent_slot: AgentId, happened: impl FnOnce(&mut Agent)) -> AgentId {
        let agent = self.ids.agent(agent_slot);
        if let Some(agent_slot) = self.workers[agent.index()].agent_slots.agent_slot(agent_slot) {
            happened(agent_slot);
        }
        agent
    }

    pub(super) fn duty(&mut self, now: Time, agent: AgentId, duty: Duty) {
        let Some(Worker { agent_slots, .. }) = self.workers.get_mut(agent.index()) else { return };
        match duty {
            Duty::Back if agent_slots.standing().is_none() => {}
            Duty::Ready | Duty::Back => agent_slots.each(|agent_slot| agent_slot.ask_ready(now)),
            Duty::Break => agent_slots.each(|agent_slot| agent_slot.ask_break(now, BreakReason::Asked)),
            Duty::Home => agent_slots.each(|agent_slot| agent_slot.sign_out(now)),
        }
        self.agent_changed(now, agent);
    }

    /// A ring is over without a talk. An agent who missed it is not available with any slot.
    pub(super) fn let_go(&mut self, now: Time, agent_slot: AgentId, outcome: OfferOutcome) -> AgentId {
        let agent = self.tell(agent_slot, |agent| agent.ring_over(now, outcome, Duration::ZERO));
        if outcome == OfferOutcome::TimedOut {
            self.workers[agent.index()].agent_slots.each(|agent_slot| agent_slot.missed_elsewhere(now));
        }
        self.agent_changed(now, agent);
        agent
    }

    /// What follows from the states of an agent's slots: their deadlines, the agent's standing, their entries in the
    /// ready index.
    pub(super) fn agent_changed(&mut self, now: Time, agent: AgentId) {
        let Worker { agent_slots, state_over, look_again, signed_in } = &mut self.workers[agent.index()];
        self.matcher.settle_agent_slots(agent_slots, now, |_, slot| Some(slot));
        for (id, over) in agent_slots.ids().zip(state_over.iter_mut()) {
            if let Some(clock) = over.take() {
                self.due.cancel(clock);
            }
            let state = agent_slots.state(id).filter(|state| matches!(state.word(), AgentState::WrapUp | AgentState::Break));
            *over = state.and_then(State::deadline).map(|until| self.due.set(until, Due::StateOver(id)));
        }
        if let Some(clock) = look_again.take() {
            self.due.cancel(clock);
        }
        *look_again = agent_slots.drains().then(|| self.due.set(now + DRAIN_LOOK, Due::LookAgain(agent)));
        let standing = agent_slots.standing();
        let goes = std::mem::replace(signed_in, standing.is_some()) && standing.is_none();
        self.observer.standing(now, agent, standing);
        let directory = &self.scene.directory;
        if let (false, Some(Some(profile))) = (directory.lending.is_empty(), directory.agents.get(agent.index()))
            && let Some((on_loan, _)) = self.matcher.on_loan(profile.agency)
        {
            self.observer.on_loan(now, profile.agency, on_loan);
        }
        if goes {
            self.leave_empty_queues(now);
        }
    }
}
