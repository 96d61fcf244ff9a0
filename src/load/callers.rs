//! Callers: they call, press keys, wait with patience, talk, hang up.

use std::time::Duration;

use super::call::{CallId, Party, State};
use super::dialogs::Within;
use super::event::{Event, Outcome, Stage};
use super::player::{Act, Player, Use};
use super::socket::CALLERS;
use crate::sip::dialog::Dialog;
use crate::sip::flow::Flow;
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::name::Name;

/// Callers' numbers differ in their last eight digits, by which an agent's phone tells whom it talks to.
const NUMBERS: u64 = 100_000_000;
/// The longest wait for an agent who means to hang up first, and does not.
const GRACE: Duration = Duration::from_secs(10);
/// The most calls to remember, whether up or over.
const TABLE_MAX: usize = 400_000;

/// The number of a caller.
pub(super) fn number_text(number: u64) -> String {
    format!("02{number:08}")
}

/// The end of a number, by which it is known again however it is written.
pub(super) fn number_key(user: &str) -> Option<u64> {
    let digits: Vec<u8> = user.bytes().filter(u8::is_ascii_digit).collect();
    let last = digits.get(digits.len().checked_sub(8)?..)?;
    Some(last.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

impl Player<'_> {
    pub(super) fn begin_calling(&mut self) {
        self.call_due = self.now;
        if self.plan.callers.calls != Some(0) && self.plan.callers.rate > 0.0 {
            self.after(Duration::ZERO, Act::Call);
        }
    }

    /// Whether no more calls are to be made, for their number is reached.
    pub(super) fn all_called(&self) -> bool {
        self.plan.callers.calls.is_some_and(|calls| calls > 0 && self.tally.offered + self.tally.not_made >= calls)
    }

    /// A call is due. The next is due so long after this one was due, not after it is made: a player that is late
    /// catches up.
    pub(super) fn next_call(&mut self) {
        if self.stage != Stage::Calling || self.all_called() {
            return;
        }
        let pace = 1.0 / self.plan.callers.rate;
        let gap = if self.plan.callers.steady { pace } else { -pace * (1.0 - self.chances.arrivals.unit()).ln() };
        self.call_due = self.call_due + Duration::from_secs_f64(gap.min(3600.0));
        self.acts.set(self.call_due, Act::Call);
        if self.tally.up as usize >= self.plan.callers.calls_max || self.calls.len() >= TABLE_MAX {
            self.tally.not_made += 1;
            return;
        }
        self.call();
    }

    fn call(&mut self) {
        let plan = &self.plan.callers;
        let number = (70_000_000 + self.tally.offered) % NUMBERS;
        let dialled = &plan.numbers[self.chances.callers.below(plan.numbers.len() as u64) as usize];
        let uri = format!("sip:{dialled}@{}", self.plan.server);
        let speaks = self.plan.rtp.draw(&mut self.chances.callers);
        let patience = plan.patience.draw(&mut self.chances.callers);
        let id = self.calls.insert(Party::Caller(number), State::Calling, self.now, self.chances.tags.next_u64());
        self.open_voice(id, speaks);
        let (tag, offer) = (self.calls.get(id).map(|call| call.tag.clone()).unwrap_or_default(), self.offer(id));
        let (from, address) = (number_text(number), self.addresses[usize::from(CALLERS.0)]);
        let unique = self.chances.tags.next_u64();
        let flow = Flow::udp(CALLERS, self.plan.server);
        let body = Some(("application/sdp", &*offer));
        let tx = self.stack.request(self.now, flow, (Method::Invite, &uri), Use::Invite(id), body, |writer| {
            writer.field(Name::MaxForwards, "70");
            writer.fmt(Name::From, format_args!("<sip:{from}@{address}>;tag={tag}"));
            writer.fmt(Name::To, format_args!("<{uri}>"));
            writer.fmt(Name::CallId, format_args!("{unique:016x}@{}", address.ip()));
            writer.field(Name::CSeq, "1 INVITE");
            writer.fmt(Name::Contact, format_args!("<sip:{from}@{address}>"));
            writer.field(Name::Allow, "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, NOTIFY, UPDATE");
        });
        let ending = patience.map(|patience| self.acts.set(self.now + patience, Act::HangUp(id)));
        if let Some(call) = self.calls.get_mut(id) {
            (call.invite_out, call.ending) = (Some(tx), ending);
        }
        self.callers_by_number.insert(number, id);
        self.tally.offered += 1;
        self.tally.up += 1;
        self.tally.up_max = self.tally.up_max.max(self.tally.up);
    }

    /// An answer to a caller's INVITE.
    pub(super) fn call_answered(&mut self, id: CallId, message: &Message<'_>) {
        let status = message.status().unwrap_or(0);
        match status {
            ..=100 => {}
            101..200 => {
                // Music before the answer: it can be spoken to, and keys pressed.
                if self.calls.get(id).is_some_and(|call| call.state == State::Calling) && !message.body.is_empty() {
                    self.take_answer(id, message.body);
                }
            }
            200..300 => self.accepted(id, message),
            _ => {
                let gave_up = self.calls.get(id).is_some_and(|call| call.state == State::Cancelled);
                self.over(id, if gave_up { Outcome::Abandoned } else { Outcome::Refused(status) });
            }
        }
    }

    fn accepted(&mut self, id: CallId, message: &Message<'_>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        if call.dialog.is_some() {
            // The ACK was lost. (An answer of another fork would need a dialog of its own: servers of queues do not fork to callers.)
            let ack = call.ack.clone();
            return ack.into_iter().for_each(|ack| self.stack.send(Flow::udp(CALLERS, self.plan.server), ack, None));
        }
        call.dialog = Dialog::from_response(message, 1).ok();
        let (gave_up, waited) = (call.state == State::Cancelled, self.now.since(call.began));
        let ack = self.acknowledge(id, 1);
        let Some(call) = self.calls.get_mut(id) else { return };
        call.ack = ack;
        if call.state == State::Over {
            return self.within(id, &Within::Bye);
        }
        call.state = State::Up;
        self.tally.connected += 1;
        self.tally.set_up.add(waited);
        if gave_up {
            return self.leave(id);
        }
        self.take_answer(id, message.body);
        if !self.plan.callers.keys.is_empty() {
            let which = self.chances.callers.below(self.plan.callers.keys.len() as u64) as usize;
            for (after, key) in &self.plan.callers.keys[which].0 {
                self.after(*after, Act::Press(id, *key));
            }
        }
        if !self.plan.has_agents() {
            let talk = self.plan.callers.talk.draw(&mut self.chances.callers);
            self.reached(id, talk, self.plan.rtp > super::Share::NONE);
        }
    }

    /// The caller talks to a person from now on, for so long at most.
    pub(super) fn reached(&mut self, id: CallId, talk: Option<Duration>, partner_speaks: bool) {
        let Some(call) = self.calls.get_mut(id).filter(|call| matches!(call.state, State::Calling | State::Up)) else { return };
        if let Some(patience) = call.ending.take() {
            self.acts.cancel(patience);
        }
        call.ending = talk.map(|talk| self.acts.set(self.now + talk, Act::HangUp(id)));
        call.partner_speaks = partner_speaks && call.voice.is_some();
        if call.talk_since.is_none() {
            call.talk_since = Some(self.now);
            self.tally.talking += 1;
            self.tally.wait.add(self.now.since(call.began));
        }
    }

    /// The agent is gone and the caller was transferred: the caller's patience begins anew.
    pub(super) fn waits_again(&mut self, id: CallId) {
        let patience = self.plan.callers.patience.draw(&mut self.chances.callers);
        let Some(call) = self.calls.get_mut(id) else { return };
        call.partner = None;
        if let Some(ending) = call.ending.take() {
            self.acts.cancel(ending);
        }
        call.ending = patience.map(|patience| self.acts.set(self.now + patience, Act::HangUp(id)));
    }

    /// A voice hears the other side for the first time: a caller who is not known to talk does from now on.
    pub(super) fn heard(&mut self, id: CallId) {
        let unknown = |call: &super::call::Call| matches!(call.party, Party::Caller(_)) && call.talk_since.is_none();
        if self.calls.get(id).is_some_and(unknown) {
            let talk = self.plan.callers.talk.draw(&mut self.chances.callers);
            self.reached(id, talk, true);
        }
    }

    /// How long a caller stays who leaves it to the agent to hang up.
    pub(super) fn grace(talk: Option<Duration>) -> Option<Duration> {
        talk.map(|talk| talk + GRACE)
    }

    /// A caller's call is over.
    pub(super) fn caller_is_gone(&mut self, id: CallId, number: u64, outcome: Outcome) {
        self.tally.up -= 1;
        let talked = self.calls.get(id).is_some_and(|call| call.talk_since.is_some());
        self.tally.talking -= u64::from(talked);
        self.tally.ended(outcome);
        if self.callers_by_number.get(&number) == Some(&id) {
            self.callers_by_number.remove(&number);
        }
        self.say(Event::Ended { caller: &number_text(number), outcome });
    }
}
