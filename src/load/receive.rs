//! Passes received messages to the calls and agents that they are for.

use super::call::{CallId, Party, State};
use super::event::Outcome;
use super::player::{Player, Use};
use crate::sip::flow::Flow;
use crate::sip::message::Message;
use crate::sip::method::Method;

impl Player<'_> {
    /// The call whose dialog a request is in.
    fn call_of(&self, message: &Message<'_>) -> Option<CallId> {
        let to = message.to().ok()?;
        let id = self.calls.by_tag(to.tag()?)?;
        self.calls.get(id)?.dialog.as_ref()?.owns(message).then_some(id)
    }

    /// A new request.
    pub(super) fn request(&mut self, flow: &Flow, message: &Message<'_>) {
        let method = message.method().unwrap_or(Method::Options);
        if method == Method::Cancel {
            return self.cancelled(flow, message);
        }
        let in_dialog = message.to().is_ok_and(|to| to.tag().is_some());
        let Some(id) = self.call_of(message) else {
            return match method {
                Method::Invite if !in_dialog => self.rung(flow, message),
                Method::Options if !in_dialog => self.stack.reply_stateless(flow, message, 200, |_| {}),
                _ => self.stack.reply_stateless(flow, message, if in_dialog { 481 } else { 405 }, |_| {}),
            };
        };
        let Some(tx) = self.stack.begin(self.now, flow, message, None) else { return };
        match method {
            Method::Bye => self.bye(tx, id),
            Method::Notify => self.notified(tx, id, message),
            Method::Invite | Method::Update if !message.body.is_empty() => match self.take_offer(id, message.body) {
                Some(answer) => self.respond(tx, 200, id, Some(&answer)),
                None => self.respond(tx, 488, id, None),
            },
            Method::Invite => {
                let offer = self.offer(id);
                self.respond(tx, 200, id, Some(&offer));
            }
            _ => self.respond(tx, 200, id, None),
        }
        if method == Method::Invite
            && let Some(call) = self.calls.get_mut(id)
        {
            call.invite_in = Some(tx);
        }
    }

    fn cancelled(&mut self, flow: &Flow, message: &Message<'_>) {
        let invite = self.stack.invite_of(message, flow);
        let Some(tx) = self.stack.begin(self.now, flow, message, None) else { return };
        let status = if invite.is_some() { 200 } else { 481 };
        self.stack.respond(self.now, tx, status, Some("cancel"), None, |_| {});
        if let Some((_, Some(Use::Invite(id)))) = invite {
            self.withdrawn(id);
        }
    }

    /// An ACK to an answer of ours.
    pub(super) fn acknowledged(&mut self, message: &Message<'_>) {
        let Some(id) = self.call_of(message) else { return };
        let Some(call) = self.calls.get(id) else { return };
        if let Some(tx) = call.invite_in {
            self.stack.acknowledged(self.now, tx);
        }
        let is_agent = matches!(call.party, Party::Agent(_));
        if !message.body.is_empty() {
            self.take_answer(id, message.body);
        }
        if is_agent {
            self.talk_begins(id);
        }
    }

    /// An answer to a request of ours.
    pub(super) fn response(&mut self, user: Use, message: &Message<'_>) {
        let status = message.status().unwrap_or(0);
        match user {
            Use::Register(agent) => self.register_answered(agent, Some(message)),
            Use::Invite(id) => self.call_answered(id, message),
            Use::Bye(id) if status >= 200 => self.over(id, Outcome::Abandoned),
            Use::Within(id) if status >= 200 => self.within_answered(id, status, message),
            Use::Bye(_) | Use::Within(_) => {}
        }
    }

    fn within_answered(&mut self, id: CallId, status: u16, message: &Message<'_>) {
        let Ok(cseq) = message.cseq() else { return };
        if cseq.method == Method::Invite {
            if status < 300 {
                self.acknowledge(id, cseq.number);
            }
            if self.calls.get(id).is_some_and(|call| call.state == State::Up) && status < 300 {
                self.take_answer(id, message.body);
            }
            if let Some(call) = self.calls.get_mut(id) {
                call.reinvite = None;
            }
        }
        // The other side knows of no such call any more.
        if matches!(status, 408 | 481) {
            self.over(id, Outcome::LetGo);
        }
    }

    /// A request of ours was never answered.
    pub(super) fn unanswered(&mut self, user: Use) {
        match user {
            Use::Register(agent) => self.register_answered(agent, None),
            Use::Invite(id) => self.over(id, Outcome::TimedOut),
            Use::Bye(id) => {
                self.tally.loose_ends += 1;
                self.over(id, Outcome::Abandoned);
            }
            Use::Within(id) => {
                self.tally.loose_ends += 1;
                if let Some(call) = self.calls.get_mut(id) {
                    call.reinvite = None;
                }
            }
        }
    }

    /// An answer of ours was never acknowledged.
    pub(super) fn unacknowledged(&mut self, user: Use) {
        let Use::Invite(id) = user else { return };
        if self.calls.get(id).is_some_and(|call| call.state == State::Up) {
            self.tally.loose_ends += 1;
            self.leave(id);
        }
    }
}
