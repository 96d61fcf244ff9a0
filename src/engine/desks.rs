//! Desks: the owner of agents. Each agent's state, what the agent has at once, and the agent's devices.
//!
//! A desk hears of contacts by messages ([`ToDesk`]) and answers by them. It enters its agent into the matcher's ready index as the state
//! wants, and takes it out again. It sends no SIP but the answers to REGISTER, and knows nothing of queues but their wrap-up.

use std::time::Duration;

use super::between::{ContactRef, DeskTimer, Reason, ToContact, ToDesk, Want};
use super::context::Context;
use super::devices::Devices;
use super::io::AgentCommand;
use super::sabotage::Rule;
use super::settings::Settings;
use crate::acd::agent::{Agent, Due, State};
use crate::acd::claim::AgentView;
use crate::acd::{ContactSlot, Matcher};
use crate::base::deadline::DeadlineId;
use crate::base::hash::Keyed;
use crate::base::words::{AgentState, BreakReason, OfferOutcome, Repair};
use crate::base::{AgentId, ContactId, QueueId, Time};
use crate::report::FactKind;
use crate::sip::flow::{ConnectionId, Flow};
use crate::sip::message::Message;

mod register;

/// An agent's state as it was last reported.
#[derive(Clone, Copy)]
struct Reported {
    word: AgentState,
    reason: Option<BreakReason>,
    since: Time,
    /// The contact that holds the agent, or whose wrap-up it is.
    contact: Option<ContactId>,
}

/// One agent.
struct Desk {
    agent: Agent<ContactId>,
    /// Legs to the agent's phones that have not ended: while there is one, a phone may still ring.
    legs: u32,
    /// How the ringing ended, once it has and until the last phone is silent.
    ring_ended: Option<(OfferOutcome, Duration)>,
    reported: Reported,
    state_deadline: Option<DeadlineId>,
    registration_deadline: Option<DeadlineId>,
}

impl Desk {
    fn new(now: Time) -> Self {
        Desk {
            agent: Agent::new(now),
            legs: 0,
            ring_ended: None,
            reported: Reported { word: AgentState::Offline, reason: None, since: now, contact: None },
            state_deadline: None,
            registration_deadline: None,
        }
    }
}

/// A desk as the audit sees it.
pub(super) struct DeskView {
    pub(super) state: State<ContactId>,
    pub(super) own_calls: u8,
    pub(super) wants_contacts: bool,
    pub(super) legs: u32,
    pub(super) has_deadline: bool,
}

/// All desks of one shard.
pub(super) struct Desks {
    desks: Vec<Desk>,
    devices: Devices,
}

impl Desks {
    /// Desks of agents who are not signed in.
    pub(super) fn new(agents: usize, keyed: Keyed, now: Time) -> Self {
        Desks { desks: (0..agents).map(|_| Desk::new(now)).collect(), devices: Devices::new(keyed) }
    }

    /// The registered devices.
    pub(super) const fn devices(&self) -> &Devices {
        &self.devices
    }

    /// Every desk, by [`AgentId`], for the audit.
    pub(super) fn views(&self) -> impl Iterator<Item = DeskView> {
        self.desks.iter().map(|desk| DeskView {
            state: *desk.agent.state(),
            own_calls: desk.agent.own_calls(),
            wants_contacts: desk.agent.wants_contacts(),
            legs: desk.legs,
            has_deadline: desk.state_deadline.is_some(),
        })
    }

    /// Agents with desk phones that are ready from the start become so.
    pub(super) fn start(&mut self, cx: &mut Context<'_>) {
        for index in 0..cx.settings.accounts.len() {
            self.start_one(cx, AgentId(index as u32));
        }
    }

    fn start_one(&mut self, cx: &mut Context<'_>, agent: AgentId) {
        let ready = cx.settings.account(agent).is_some_and(|account| account.fixed.is_some() && account.ready_at_start);
        if let (true, Some(desk)) = (ready, self.desks.get_mut(agent.index())) {
            desk.agent.ask_ready(cx.now);
            self.changed(cx, agent);
        }
    }

    /// Takes up a changed configuration: `old` is what held before that of the context.
    pub(super) fn take_up(&mut self, cx: &mut Context<'_>, old: &Settings) {
        let settings = cx.settings.clone();
        while self.desks.len() < settings.directory.agents.len() {
            self.desks.push(Desk::new(cx.now));
        }
        for index in 0..self.desks.len() {
            let agent = AgentId(index as u32);
            let known = |settings: &Settings| settings.directory.agents.get(index).is_some_and(Option::is_some);
            if !known(&settings) {
                // One who is gone finishes, and goes offline.
                self.devices.set(agent, Vec::new());
                self.desks[index].agent.sign_out(cx.now);
                self.changed(cx, agent);
            } else if !known(old) {
                self.start_one(cx, agent);
            } else if old.directory.agents[index] != settings.directory.agents[index]
                || old.directory.lending != settings.directory.lending
            {
                cx.matcher.regroup(agent);
            }
        }
    }

    /// Takes a message.
    pub(super) fn handle(&mut self, cx: &mut Context<'_>, agent: AgentId, message: ToDesk) {
        let now = cx.now;
        let Some(desk) = self.desks.get_mut(agent.index()) else {
            // Nobody waits for an answer in vain.
            if let ToDesk::Take(contact, _) = message {
                let desk = cx.desk(agent);
                cx.out.tell_contact(contact.key, ToContact::NotTaken(desk));
            }
            return;
        };
        match message {
            ToDesk::Command(command) => match command {
                AgentCommand::Ready => desk.agent.ask_ready(now),
                AgentCommand::Break(reason) => desk.agent.ask_break(now, reason),
                AgentCommand::EndWrapUp => drop(desk.agent.end_wrap_up(now)),
                AgentCommand::SignOut => desk.agent.sign_out(now),
            },
            ToDesk::Rings(contact, at_most) => desk.agent.ring(now, contact.id, at_most),
            ToDesk::Talks(contact, at_most) => {
                desk.ring_ended = None;
                desk.agent.talk(now, contact.id, at_most);
                cx.matcher.release(agent);
            }
            ToDesk::RingOver(outcome, pause) => return self.ring_over(cx, agent, outcome, pause),
            ToDesk::TalkOver(queue) => match desk.agent.state() {
                State::Talking { .. } => {
                    let wrap_up = wrap_up_of(cx.settings, agent, queue);
                    desk.agent.talk_over(now, wrap_up);
                }
                // The call of a colleague is followed by what was before.
                _ => desk.agent.own_call_over(now),
            },
            ToDesk::LegsBegan(legs) => {
                desk.legs += legs;
                // One whose ringing is over already may be ready by now.
                return self.enter_index(cx, agent);
            }
            ToDesk::LegGone => return self.leg_gone(cx, agent),
            ToDesk::OwnCall => desk.agent.own_call(now),
            ToDesk::OwnCallOver => desk.agent.own_call_over(now),
            ToDesk::Take(contact, want) => return self.take(cx, agent, contact, want),
        }
        self.changed(cx, agent);
    }

    /// The matcher has reserved an agent for this slot of a contact's.
    pub(super) fn reserved(&mut self, cx: &mut Context<'_>, agent: AgentId, slot: ContactSlot, contact: ContactRef) {
        let Some(desk) = self.desks.get_mut(agent.index()) else { return };
        if desk.agent.state().contact() == Some(contact.id) {
            return;
        }
        // One whose phone may still ring is rung for nobody else.
        if (desk.legs == 0 || !cx.holds(Rule::SilentPhones)) && desk.agent.reserve(cx.now, contact.id) {
            self.changed(cx, agent);
        } else {
            let desk = cx.desk(agent);
            cx.out.tell_contact(contact.key, ToContact::Declined(slot, desk));
        }
    }

    /// A timer of a desk has come.
    pub(super) fn due(&mut self, cx: &mut Context<'_>, agent: AgentId, timer: DeskTimer) {
        let Some(desk) = self.desks.get_mut(agent.index()) else { return };
        match timer {
            DeskTimer::State => {
                desk.state_deadline = None;
                if let Due::Stuck(_) = desk.agent.due(cx.now) {
                    desk.ring_ended = None;
                    cx.matcher.release(agent);
                    cx.fact(None, FactKind::Repaired { kind: Repair::AgentStuck });
                }
                self.changed(cx, agent);
            }
            DeskTimer::Registration => {
                desk.registration_deadline = None;
                let mut bindings = self.devices.of(agent).to_vec();
                bindings.retain(|binding| binding.expires > cx.now);
                self.devices.set(agent, bindings);
                self.registered(cx, agent);
            }
        }
    }

    /// Puts a desk in order after a fault, when no contact has the agent any more: so many legs to its phones are left, and so many calls of
    /// the agent's own.
    pub(super) fn mend(&mut self, cx: &mut Context<'_>, agent: AgentId, legs: u32, own_calls: u8) {
        let Some(desk) = self.desks.get_mut(agent.index()) else { return };
        (desk.legs, desk.ring_ended) = (legs, None);
        desk.agent.mend(cx.now, own_calls);
        self.changed(cx, agent);
    }

    /// A REGISTER that an agent has proved to be the agent's own (RFC 3261 10.3).
    pub(super) fn register(&mut self, cx: &mut Context<'_>, agent: AgentId, flow: &Flow, message: &Message<'_>) {
        if register::answer(&mut self.devices, cx, agent, flow, message) {
            self.registered(cx, agent);
        }
    }

    /// A connection broke: phones that registered over it cannot be reached until they register again.
    pub(super) fn flow_broken(&mut self, cx: &mut Context<'_>, connection: ConnectionId) {
        if !cx.holds(Rule::BrokenConnections) {
            return;
        }
        for agent in self.devices.over(connection) {
            let mut bindings = self.devices.of(agent).to_vec();
            bindings.retain(|binding| binding.flow.connection != Some(connection));
            self.devices.set(agent, bindings);
            self.registered(cx, agent);
        }
    }

    /// What a change of an agent's devices means for the agent.
    fn registered(&mut self, cx: &mut Context<'_>, agent: AgentId) {
        let ready = cx.settings.account(agent).is_some_and(|account| account.ready_on_register);
        let Some(desk) = self.desks.get_mut(agent.index()) else { return };
        if let Some(id) = desk.registration_deadline.take() {
            cx.timers.cancel(id);
        }
        let offline = *desk.agent.state() == State::Offline;
        match self.devices.next_lapse(agent) {
            Some(next) => {
                let next = if cx.holds(Rule::Lapse) { next } else { next + Duration::from_secs(5) };
                desk.registration_deadline = Some(cx.timers.set(next, Reason::Desk(agent, DeskTimer::Registration)));
                if offline && ready {
                    desk.agent.ask_ready(cx.now);
                } else {
                    desk.agent.sign_in(cx.now);
                }
            }
            None => desk.agent.sign_out(cx.now),
        }
        self.changed(cx, agent);
    }

    /// A contact wants this agent and nobody else.
    fn take(&mut self, cx: &mut Context<'_>, agent: AgentId, contact: ContactRef, want: Want) {
        let id = cx.desk(agent);
        let known = cx.settings.directory.agents.get(agent.index()).is_some_and(Option::is_some);
        let taken = known && self.desks.get_mut(agent.index()).is_some_and(|desk| desk.taken(cx, agent, contact, want));
        if taken {
            self.changed(cx, agent);
        }
        cx.out.tell_contact(contact.key, if taken { ToContact::Taken(id, want) } else { ToContact::NotTaken(id) });
    }

    /// The ringing of the agent is over. While one of the agent's phones may still ring, that is only noted.
    fn ring_over(&mut self, cx: &mut Context<'_>, agent: AgentId, outcome: OfferOutcome, pause: Duration) {
        if !cx.holds(Rule::LetGo) {
            return;
        }
        let desk = &mut self.desks[agent.index()];
        if desk.legs > 0 {
            desk.ring_ended = Some((outcome, pause));
            if let State::Reserved { contact, .. } = *desk.agent.state() {
                // It rings, though the contact has not come to say so.
                desk.agent.ring(cx.now, contact, Duration::ZERO);
                self.changed(cx, agent);
            }
            return;
        }
        desk.ring_ended = None;
        desk.agent.ring_over(cx.now, outcome, pause);
        cx.matcher.release(agent);
        self.changed(cx, agent);
    }

    fn leg_gone(&mut self, cx: &mut Context<'_>, agent: AgentId) {
        let desk = &mut self.desks[agent.index()];
        assert!(!cfg!(test) || desk.legs > 0, "a leg is gone once");
        desk.legs = desk.legs.saturating_sub(1);
        if desk.legs > 0 {
            return;
        }
        match desk.ring_ended.take() {
            Some((outcome, pause)) => self.ring_over(cx, agent, outcome, pause),
            None => self.enter_index(cx, agent),
        }
    }

    /// What follows from whatever the agent's state has become: a report, a deadline, an entry in the ready index or none.
    fn changed(&mut self, cx: &mut Context<'_>, agent: AgentId) {
        let desk = &mut self.desks[agent.index()];
        let state = *desk.agent.state();
        let (word, reason) = (state.word(), reason_of(&state));
        let old = desk.reported;
        if (word, reason) != (old.word, old.reason) {
            if let Some(id) = desk.state_deadline.take() {
                cx.timers.cancel(id);
            }
            let contact = if word == AgentState::WrapUp { old.contact } else { state.contact() };
            desk.reported = Reported { word, reason, since: cx.now, contact };
            let (from, to) = ((old.word, old.reason), (word, reason));
            cx.fact(contact.or(old.contact), FactKind::Agent { agent, from, to, lasted: cx.now.since(old.since) });
        }
        let deadline = state.deadline().filter(|_| cx.holds(Rule::StateDeadline));
        if let (None, Some(at)) = (desk.state_deadline, deadline) {
            desk.state_deadline = Some(cx.timers.set(at, Reason::Desk(agent, DeskTimer::State)));
        }
        cx.matcher.set_standing(agent, state.standing());
        self.enter_index(cx, agent);
        if word == AgentState::Offline && old.word != AgentState::Offline {
            cx.out.agent_left();
        }
    }

    /// Enters the agent into the ready index, or takes it out, as its state wants. One whose phone may still ring, or has not yet hung up,
    /// is not entered.
    fn enter_index(&mut self, cx: &mut Context<'_>, agent: AgentId) {
        let desk = &self.desks[agent.index()];
        let wants = desk.agent.wants_contacts() && (desk.legs == 0 || !cx.holds(Rule::SilentPhones));
        let holds = desk.agent.state().contact().is_some();
        let occupied = desk.agent.occupied();
        match cx.matcher.agent(agent) {
            AgentView::Busy if wants => {
                cx.matcher.ready(agent, cx.now, occupied);
            }
            AgentView::Ready if !wants => {
                cx.matcher.pause(agent);
            }
            AgentView::Held { offered: false, .. } if !holds => {
                cx.matcher.release(agent);
                if wants {
                    cx.matcher.ready(agent, cx.now, occupied);
                }
            }
            _ => {}
        }
    }
}

impl Desk {
    /// Takes the agent out of the ready index for one contact, if that may be. Nothing has changed where it may not.
    fn taken(&mut self, cx: &mut Context<'_>, agent: AgentId, contact: ContactRef, want: Want) -> bool {
        if self.legs > 0 {
            return false;
        }
        let state = *self.agent.state();
        match want {
            Want::Colleague => {
                if !matches!(state, State::Ready | State::WrapUp { .. } | State::Break { .. }) {
                    return false;
                }
                cx.matcher.pause(agent);
                if cx.matcher.agent(agent) != AgentView::Busy {
                    return false;
                }
                self.agent.own_call(cx.now);
            }
            Want::Caller(ring) => {
                if state != State::Ready || cx.matcher.pause(agent) != AgentView::Busy {
                    return false;
                }
                self.agent.ring(cx.now, contact.id, ring);
            }
        }
        true
    }
}

/// The matcher has touched an agent, who may be lent. The contact's slot that the agent is reserved for, if any.
pub(super) fn woken(matcher: &Matcher, agent: AgentId) -> Option<ContactSlot> {
    matcher.consider_loan(agent);
    match matcher.agent(agent) {
        AgentView::Held { contact, offered: true } => Some(contact),
        _ => None,
    }
}

fn reason_of(state: &State<ContactId>) -> Option<BreakReason> {
    match state {
        State::Break { reason, .. } => Some(*reason),
        _ => None,
    }
}

/// The wrap-up that follows a talk for this queue.
fn wrap_up_of(settings: &Settings, agent: AgentId, queue: Option<QueueId>) -> Duration {
    let own = settings.account(agent).and_then(|account| account.wrap_up);
    let queues = queue.and_then(|queue| settings.queue(queue)).map(|rules| rules.wrap_up);
    own.or(queues).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests;
