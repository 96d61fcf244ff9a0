//! Agents at their phones: they answer, refuse or ignore a ring; in a talk they hold, transfer and hang up.

use std::time::Duration;

use super::account::Account;
use super::call::{CallId, Party, State};
use super::callers::number_key;
use super::dialogs::Within;
use super::event::Outcome;
use super::player::{Act, Player, Use};
use super::registrar::Registration;
use crate::base::seed::Seed;
use crate::sdp::Direction;
use crate::sip::dialog::Dialog;
use crate::sip::flow::Flow;
use crate::sip::message::{Message, Start};
use crate::sip::name::Name;
use crate::sip::stack::ServerTx;
use crate::sip::uri::Uri;

/// The most phones that never register; they become known when they ring.
const PHONES_MAX: usize = 20_000;
/// Nobody talks for ever, even where the other side forgets to hang up.
const TALK_MAX: Duration = Duration::from_secs(3600);
/// The longest hold.
const HOLD_MAX: Duration = Duration::from_secs(3);
/// How long an agent looks at a call before refusing it.
const REFUSED_AFTER: Duration = Duration::from_millis(300);

/// Many servers stop offering calls to an agent who missed a ring. After this time the phone signs out and in again.
const BACK_AFTER: Duration = Duration::from_secs(2);

/// An agent.
pub(super) struct Agent {
    pub(super) name: String,
    pub(super) account: Option<Account>,
    pub(super) registration: Registration,
    /// The call that the agent is in, or rung by.
    pub(super) call: Option<CallId>,
}

impl Agent {
    pub(super) fn new(account: &Account, unique: &mut Seed) -> Agent {
        let (name, registration) = (account.user.clone(), Registration::new(unique));
        Agent { name, account: Some(account.clone()), registration, call: None }
    }
}

impl Player<'_> {
    /// The agent that a Request-URI names.
    fn agent_called(&mut self, message: &Message<'_>) -> Option<u32> {
        let Start::Request { uri, .. } = message.start else { return None };
        let name = Uri::parse(uri).map(|uri| uri.user_unescaped().into_owned()).unwrap_or_default();
        if let Some(agent) = self.agents_by_name.get(&name) {
            return Some(*agent);
        }
        if self.plan.agents.phones_at.is_none() || self.agents.len() >= PHONES_MAX {
            return None;
        }
        let agent = self.agents.len() as u32;
        let registration = Registration::new(&mut self.chances.tags);
        self.agents.push(Agent { name: name.clone(), account: None, registration, call: None });
        self.agents_by_name.insert(name, agent);
        Some(agent)
    }

    /// A phone is called.
    pub(super) fn rung(&mut self, flow: &Flow, message: &Message<'_>) {
        let Some(agent) = self.agent_called(message) else { return self.stack.reply_stateless(flow, message, 404, |_| {}) };
        let Some(tx) = self.stack.begin(self.now, flow, message, None) else { return };
        if self.agents[agent as usize].call.is_some() {
            self.tally.agents.busy += 1;
            let tag = format!("busy{:016x}", self.chances.tags.next_u64());
            return self.stack.respond(self.now, tx, 486, Some(&tag), None, |_| {});
        }
        let id = self.calls.insert(Party::Agent(agent), State::Ringing, self.now, self.chances.tags.next_u64());
        self.stack.set_user(tx, Use::Invite(id));
        let partner = self.caller_in(message);
        let Some(call) = self.calls.get_mut(id) else { return };
        call.invite_in = Some(tx);
        call.dialog = Dialog::from_request(message, &call.tag).ok();
        call.partner = partner;
        let caller_speaks = partner.and_then(|caller| self.calls.get(caller)).map(|caller| caller.voice.is_some());
        let chance = &mut self.chances.agents;
        let speaks = caller_speaks.unwrap_or_else(|| self.plan.rtp.draw(chance));
        if let Some(call) = self.calls.get_mut(id) {
            call.partner_speaks = speaks && (caller_speaks.is_some() || self.plan.rtp == super::Share::ALL);
        }
        self.agents[agent as usize].call = Some(id);
        self.tally.agents.rung += 1;
        self.respond(tx, 180, id, None);
        let plan = &self.plan.agents;
        let chance = &mut self.chances.agents;
        if plan.refuse.draw(chance) {
            let status = [603, 486, 480][chance.below(3) as usize];
            self.tally.agents.refused += 1;
            self.after(REFUSED_AFTER, Act::Refuse(id, status));
        } else if plan.ignore.draw(chance) {
            self.tally.agents.ignored += 1;
            if let Some(call) = self.calls.get_mut(id) {
                call.ignored = true;
            }
        } else if let Some(span) = plan.answer_after.draw(chance) {
            self.open_voice(id, speaks);
            // A server that offers nothing yet answers our offer with its ACK.
            let answer = if message.body.is_empty() { Some(self.offer(id)) } else { self.take_offer(id, message.body) };
            self.after(span, answer.as_ref().map_or(Act::Refuse(id, 488), |_| Act::Answer(id)));
            if let (Some(call), Some(answer)) = (self.calls.get_mut(id), answer) {
                call.answer = answer;
            }
        }
    }

    /// The caller whose number an INVITE shows, if it is one of ours.
    fn caller_in(&self, message: &Message<'_>) -> Option<CallId> {
        let asserted = message.addresses(Name::PAssertedIdentity).filter_map(Result::ok);
        let shown = message.from().ok().into_iter().chain(asserted);
        let mut keys = shown.filter_map(|address| number_key(&address.uri().ok()?.user_unescaped()));
        keys.find_map(|key| self.callers_by_number.get(&key).copied())
    }

    pub(super) fn answer(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(id).filter(|call| call.state == State::Ringing) else { return };
        let Some(tx) = call.invite_in else { return };
        call.state = State::Up;
        let answer = std::mem::take(&mut call.answer);
        self.respond(tx, 200, id, Some(&answer));
        self.tally.agents.answered += 1;
    }

    pub(super) fn refuse(&mut self, id: CallId, status: u16) {
        let Some(call) = self.calls.get(id).filter(|call| call.state == State::Ringing) else { return };
        let Some(tx) = call.invite_in else { return };
        self.respond(tx, status, id, None);
        self.over(id, Outcome::Refused(status));
    }

    /// The server has withdrawn the call.
    pub(super) fn withdrawn(&mut self, id: CallId) {
        let Some(call) = self.calls.get(id).filter(|call| call.state == State::Ringing) else { return };
        if let (true, Party::Agent(agent)) = (call.ignored, call.party) {
            self.after(BACK_AFTER, Act::Renew(agent));
        }
        self.tally.agents.withdrawn += 1;
        self.refuse(id, 487);
    }

    /// The ACK to an agent's answer: the two talk. What the agent means to do is decided now, for both.
    pub(super) fn talk_begins(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(id).filter(|call| call.talk_since.is_none() && call.state == State::Up) else {
            return;
        };
        call.talk_since = Some(self.now);
        let (partner, speaks) = (call.partner, call.voice.is_some());
        let partner = partner.filter(|caller| self.calls.get(*caller).is_some_and(|call| call.state != State::Over));
        let plan = &self.plan.agents;
        let chance = &mut self.chances.agents;
        let talk = self.plan.callers.talk.draw(chance);
        let passes = !plan.pass_to.is_empty() && plan.pass_on.draw(chance);
        let (first, holds) = (plan.hang_up_first.draw(chance), plan.hold.draw(chance));
        let length = talk.unwrap_or(TALK_MAX);
        if holds {
            let since = length.mul_f64(0.4);
            self.after(since, Act::Hold(id, true));
            self.after(since + length.mul_f64(0.3).min(HOLD_MAX), Act::Hold(id, false));
        }
        let ends = first && !passes;
        let own = if ends { talk } else { Some(TALK_MAX) };
        let ending = own.map(|span| self.acts.set(self.now + span, Act::HangUp(id)));
        if passes {
            self.after(length.mul_f64(0.8), Act::PassOn(id));
        }
        if let Some(call) = self.calls.get_mut(id) {
            call.ending = ending;
        }
        let Some(caller) = partner else { return };
        if let Some(call) = self.calls.get_mut(caller) {
            call.partner = Some(id);
        }
        self.reached(caller, if ends || passes { Self::grace(talk) } else { talk }, speaks);
    }

    /// Puts the caller on hold, or takes the caller off hold.
    pub(super) fn hold(&mut self, id: CallId, hold: bool) {
        let Some(call) = self.calls.get_mut(id).filter(|call| call.state == State::Up) else { return };
        if call.reinvite.is_some() {
            return self.after(HOLD_MAX / 10, Act::Hold(id, hold));
        }
        let direction = if hold { Direction::SendOnly } else { Direction::SendRecv };
        if call.direction == direction {
            return;
        }
        call.direction = direction;
        call.session_version += 1;
        self.tally.agents.held += u64::from(hold);
        let offer = self.offer(id);
        self.within(id, &Within::Reinvite(&offer));
    }

    /// Transfers the caller to somebody else.
    pub(super) fn pass_on(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(id).filter(|call| call.state == State::Up) else { return };
        call.passed_on = true;
        let plan = &self.plan.agents;
        let to = &plan.pass_to[self.chances.agents.below(plan.pass_to.len() as u64) as usize];
        let to = format!("sip:{to}@{}", self.plan.server);
        self.tally.agents.passed_on += 1;
        self.within(id, &Within::Refer(&to));
    }

    /// A NOTIFY about a transfer: once it has succeeded, the agent hangs up.
    pub(super) fn notified(&mut self, tx: ServerTx, id: CallId, message: &Message<'_>) {
        self.stack.respond(self.now, tx, 200, None, None, |_| {});
        let well = message.body.starts_with(b"SIP/2.0 2");
        if well && self.calls.get(id).is_some_and(|call| call.passed_on && call.state == State::Up) {
            self.leave(id);
        }
    }

    /// An agent's call is over.
    pub(super) fn agent_is_free(&mut self, id: CallId, agent: u32, partner: Option<CallId>) {
        if self.agents[agent as usize].call == Some(id) {
            self.agents[agent as usize].call = None;
        }
        let Some(caller) = partner else { return };
        let still = self.calls.get(caller).is_some_and(|call| call.partner == Some(id) && call.state == State::Up);
        if still && self.calls.get(id).is_some_and(|call| call.passed_on) {
            self.waits_again(caller);
        }
    }
}
