//! What agents do, with each of their hands: come, take breaks, miss rings, finish up, go home.

use std::time::Duration;

use super::{Due, Observer, Worker, World};
use crate::acd::agent::{Agent, State};
use crate::acd::hands::DRAIN_LOOK;
use crate::base::words::{AgentState, BreakReason, OfferOutcome};
use crate::base::{AgentId, Time};
use crate::forecast::scene::Duty;

impl<O: Observer> World<'_, O> {
    /// Tells one of an agent's hands what happened; whose it is.
    pub(super) fn tell(&mut self, hand: AgentId, happened: impl FnOnce(&mut Agent)) -> AgentId {
        let agent = self.agent_of[hand.index()];
        if let Some(hand) = self.workers[agent.index()].hands.hand(hand) {
            happened(hand);
        }
        agent
    }

    pub(super) fn duty(&mut self, now: Time, agent: AgentId, duty: Duty) {
        let Some(Worker { hands, .. }) = self.workers.get_mut(agent.index()) else { return };
        match duty {
            Duty::Back if hands.standing().is_none() => {}
            Duty::Ready | Duty::Back => hands.each(|hand| hand.ask_ready(now)),
            Duty::Break => hands.each(|hand| hand.ask_break(now, BreakReason::Asked)),
            Duty::Home => hands.each(|hand| hand.sign_out(now)),
        }
        self.agent_changed(now, agent);
    }

    /// An offer is over without a talk. Who missed one is not to be had with any hand.
    pub(super) fn let_go(&mut self, now: Time, hand: AgentId, outcome: OfferOutcome) -> AgentId {
        let agent = self.tell(hand, |agent| agent.offer_over(now, outcome, Duration::ZERO));
        if outcome == OfferOutcome::TimedOut {
            self.workers[agent.index()].hands.each(|hand| hand.missed_elsewhere(now));
        }
        self.agent_changed(now, agent);
        agent
    }

    /// What follows from what an agent's hands do: their ends, whether they count as present, their seats.
    pub(super) fn agent_changed(&mut self, now: Time, agent: AgentId) {
        let Worker { hands, state_over, look_again, signed_in } = &mut self.workers[agent.index()];
        self.matcher.settle_hands(hands, now);
        for (id, over) in hands.ids().zip(state_over.iter_mut()) {
            if let Some(clock) = over.take() {
                self.due.cancel(clock);
            }
            let state = hands.state(id).filter(|state| matches!(state.word(), AgentState::WrapUp | AgentState::Break));
            *over = state.and_then(State::deadline).map(|until| self.due.set(until, Due::StateOver(id)));
        }
        if let Some(clock) = look_again.take() {
            self.due.cancel(clock);
        }
        *look_again = hands.drains().then(|| self.due.set(now + DRAIN_LOOK, Due::LookAgain(agent)));
        let standing = hands.standing();
        let goes = std::mem::replace(signed_in, standing.is_some()) && standing.is_none();
        self.observer.standing(now, agent, standing);
        let directory = &self.scene.directory;
        if let (false, Some(Some(profile))) = (directory.lending.is_empty(), directory.agents.get(agent.index()))
            && let Some((on_loan, _)) = self.matcher.on_loan(profile.agency)
        {
            self.observer.on_loan(now, profile.agency, on_loan);
        }
        if goes {
            self.leave_empty_lines(now);
        }
    }
}
