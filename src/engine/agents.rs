//! Agents of this engine: their states, their entries in the ready index, what is reported of them.

use std::time::Duration;

use super::io::AgentCommand;
use super::sabotage::Rule;
use super::{AgentRecord, Engine, Reason, ReportedState};
use crate::acd::ContactSlot;
use crate::acd::agent::{Agent, Due, State};
use crate::acd::claim::AgentView;
use crate::base::words::{AgentState, BreakReason, OfferOutcome};
use crate::base::{AgentId, ContactId, Time};
use crate::report::FactKind;

impl AgentRecord {
    pub(super) fn new(now: Time) -> Self {
        AgentRecord {
            agent: Agent::new(now),
            bindings: Vec::new(),
            flows: Vec::new(),
            bindings_noted: 0,
            legs: 0,
            ring_ended: None,
            reported: ReportedState { word: AgentState::Offline, reason: None, since: now, contact: None },
            state_deadline: None,
            registration_deadline: None,
        }
    }
}

fn reason_of(state: &State) -> Option<BreakReason> {
    match state {
        State::Break { reason, .. } => Some(*reason),
        _ => None,
    }
}

impl Engine {
    /// Agents with desk phones that are ready from the start enter the ready index.
    pub(super) fn start_agents(&mut self, now: Time) {
        let settings = self.settings.clone();
        for index in 0..settings.accounts.len() {
            self.start_agent(now, AgentId(index as u32));
        }
    }

    /// An agent who has just become known.
    pub(super) fn start_agent(&mut self, now: Time, agent: AgentId) {
        if self.settings.account(agent).is_some_and(|account| account.fixed.is_some() && account.ready_at_start) {
            self.agents[agent.index()].agent.ask_ready(now);
            self.agent_changed(now, agent);
        }
    }

    pub(super) fn agent_command(&mut self, now: Time, agent: AgentId, command: AgentCommand) {
        let Some(record) = self.agents.get_mut(agent.index()) else { return };
        match command {
            AgentCommand::Ready => record.agent.ask_ready(now),
            AgentCommand::Break(reason) => record.agent.ask_break(now, reason),
            AgentCommand::EndWrapUp => {
                record.agent.end_wrap_up(now);
            }
            AgentCommand::SignOut => record.agent.sign_out(now),
        }
        self.agent_changed(now, agent);
    }

    /// What follows from whatever the agent's state has become: a report, a deadline, an entry in the ready index or none.
    pub(super) fn agent_changed(&mut self, now: Time, agent: AgentId) {
        let record = &mut self.agents[agent.index()];
        let state = *record.agent.state();
        let (word, reason) = (state.word(), reason_of(&state));
        let old = record.reported;
        if (word, reason) != (old.word, old.reason) {
            if let Some(id) = record.state_deadline.take() {
                self.deadlines.cancel(id);
            }
            let held_by = state.contact().and_then(|slot| self.contact_in(slot));
            let contact = if word == AgentState::WrapUp { old.contact } else { held_by };
            self.agents[agent.index()].reported = ReportedState { word, reason, since: now, contact };
            let (from, to) = ((old.word, old.reason), (word, reason));
            self.fact(now, contact.or(old.contact), FactKind::Agent { agent, from, to, lasted: now.since(old.since) });
        }
        let deadline = state.deadline().filter(|_| self.holds(Rule::StateDeadline));
        let record = &mut self.agents[agent.index()];
        if let (None, Some(at)) = (record.state_deadline, deadline) {
            record.state_deadline = Some(self.deadlines.set(at, Reason::AgentState(agent)));
        }
        let present = word != AgentState::Offline;
        self.matcher.set_standing(agent, state.standing());
        self.enter_index(now, agent);
        if !present && old.word != AgentState::Offline {
            self.leave_empty_queues(now);
        }
    }

    /// The contact in a slot of ours.
    fn contact_in(&self, slot: ContactSlot) -> Option<ContactId> {
        let key = self.in_slot.get(slot.0.checked_sub(self.first_slot)? as usize)?.as_ref()?;
        self.contact(*key).map(|contact| contact.id)
    }

    /// Enters the agent into the ready index, or takes it out, as its state wants. One whose phone may still ring, or has not yet hung up,
    /// is not entered.
    pub(super) fn enter_index(&mut self, now: Time, agent: AgentId) {
        let record = &self.agents[agent.index()];
        let wants = record.agent.wants_contacts() && (record.legs == 0 || !self.holds(Rule::SilentPhones));
        let holds = record.agent.state().contact().is_some();
        let occupied = record.agent.occupied();
        match self.matcher.agent(agent) {
            AgentView::Busy if wants => {
                self.matcher.ready(agent, now, occupied);
            }
            AgentView::Ready if !wants => {
                self.matcher.pause(agent);
            }
            AgentView::Held { offered: false, .. } if !holds => {
                self.matcher.release(agent);
                if wants {
                    self.matcher.ready(agent, now, occupied);
                }
            }
            _ => {}
        }
    }

    /// The ringing of the agent is over. While one of the agent's phones may still ring, that is only noted.
    pub(super) fn agent_let_go(&mut self, now: Time, agent: AgentId, outcome: OfferOutcome, pause: Duration) {
        if !self.holds(Rule::LetGo) {
            return;
        }
        let record = &mut self.agents[agent.index()];
        if record.legs > 0 {
            record.ring_ended = Some((outcome, pause));
            return;
        }
        record.ring_ended = None;
        record.agent.ring_over(now, outcome, pause);
        self.matcher.release(agent);
        self.agent_changed(now, agent);
    }

    /// A leg to one of the agent's phones is gone.
    pub(super) fn agent_leg_gone(&mut self, now: Time, agent: AgentId) {
        let record = &mut self.agents[agent.index()];
        record.legs = record.legs.saturating_sub(1);
        if record.legs > 0 {
            return;
        }
        match record.ring_ended.take() {
            Some((outcome, pause)) => self.agent_let_go(now, agent, outcome, pause),
            None => self.enter_index(now, agent),
        }
    }

    pub(super) fn agent_state_due(&mut self, now: Time, agent: AgentId) {
        let record = &mut self.agents[agent.index()];
        record.state_deadline = None;
        match record.agent.due(now) {
            Due::Stuck(_) => {
                record.ring_ended = None;
                self.matcher.release(agent);
                self.fact(now, None, FactKind::Repaired { kind: "agent_stuck" });
            }
            Due::Over | Due::Nothing => {}
        }
        self.agent_changed(now, agent);
    }

    /// The wrap-up that follows a talk for this queue.
    pub(super) fn wrap_up_of(&self, agent: AgentId, queue: Option<crate::base::QueueId>) -> Duration {
        let own = self.settings.account(agent).and_then(|account| account.wrap_up);
        let queues = queue.and_then(|queue| self.settings.queue(queue)).map(|rules| rules.wrap_up);
        own.or(queues).unwrap_or(Duration::ZERO)
    }
}
