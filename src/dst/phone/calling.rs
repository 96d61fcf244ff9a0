//! A phone's own calls, and what its person does within a call that is up.

use std::sync::Arc;

use super::{Call, Phone, State, Use};
use crate::base::Time;
use crate::dst::person::{Act, Person};
use crate::sip::dialog::Dialog;
use crate::sip::digest::{self, Challenge};
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::name::Name;

impl Phone {
    pub(super) fn places_a_call(&mut self, now: Time) {
        let number = match &self.person {
            Person::Caller { number, .. } => number.clone(),
            Person::Agent { dials, .. } => {
                let number = dials[self.seed.below(dials.len() as u64) as usize].clone();
                // Another one later, whatever comes of this.
                self.after(now, 30_000, 240_000, Act::Call);
                if self.calls.values().any(|call| call.state != State::Over) {
                    return;
                }
                number
            }
            Person::Outside | Person::Dead => return,
        };
        let id = self.new_call(State::Calling, None);
        if let Some(call) = self.calls.get_mut(&id) {
            call.dialled = number;
        }
        self.invite(now, id, None);
        self.after(now, 500, 60_000, Act::GiveUp(id));
    }

    /// Sends the INVITE of a call: the first, or again with an answer to a challenge.
    fn invite(&mut self, now: Time, id: u32, proof: Option<(Name, String)>) {
        let (flow, body, address, server) = (self.flow(), self.sdp("sendrecv"), self.address, self.server);
        let Some(Call { tag, call_id, dialled, cseq, .. }) = self.calls.get(&id) else { return };
        let uri = format!("sip:{dialled}@{server}");
        let from = match &self.account {
            Some(account) => format!("<sip:{}@{}>", account.user, account.domain),
            None => format!("<sip:{}@{address}>", self.name),
        };
        let (tag, call_id, cseq) = (tag.clone(), call_id.clone(), *cseq);
        let body = Some(("application/sdp", body.as_bytes()));
        let contact = self.contact();
        let tx = self.stack.request(now, flow, (Method::Invite, &uri), Use::Invite(id), body, |writer| {
            writer.field(Name::MaxForwards, "70");
            writer.fmt(Name::From, format_args!("{from};tag={tag}"));
            writer.fmt(Name::To, format_args!("<{uri}>"));
            writer.field(Name::CallId, &*call_id);
            writer.fmt(Name::CSeq, format_args!("{cseq} INVITE"));
            writer.field(Name::Contact, contact);
            if let Some((header, value)) = proof {
                writer.field(header, value);
            }
        });
        if let Some(call) = self.calls.get_mut(&id) {
            call.invite_out = Some(tx);
        }
    }

    /// The server wants proof of a call: it gets it once.
    pub(super) fn proves_call(&mut self, now: Time, id: u32, message: &Message<'_>) -> bool {
        let Some(account) = self.account.clone() else { return false };
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.cseq == 1 && !call.given_up) else { return false };
        let (asked, answer) = match message.status() {
            Some(401) => (Name::WwwAuthenticate, Name::Authorization),
            _ => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
        };
        let Some(challenge) = Challenge::choose(message.all(asked)) else { return false };
        call.cseq = 2;
        let uri = format!("sip:{}@{}", call.dialled, self.server);
        let cnonce = format!("{:016x}", self.seed.next_u64());
        let login = digest::Account { user: &account.user, password: &account.password };
        let proof = challenge.answer(login, "INVITE", &uri, 1, &cnonce);
        self.invite(now, id, Some((answer, proof)));
        true
    }

    pub(super) fn give_up(&mut self, now: Time, id: u32) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        match call.state {
            State::Calling => {
                (call.given_up, call.excused) = (true, true);
                if let Some(tx) = call.invite_out {
                    self.stack.cancel(now, tx, None);
                }
            }
            // Who talks has forgotten the wait.
            State::Up if !self.person.is_agent() && self.seed.below(2) == 0 => self.hang_up(now, id),
            State::Up | State::Ringing | State::Over => {}
        }
    }

    pub(super) fn accepted(&mut self, now: Time, id: u32, message: &Message<'_>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Some(ack) = call.ack.clone() {
            let flow = self.flow();
            return self.stack.send(flow, ack, None);
        }
        call.dialog = Dialog::from_response(message, call.cseq).ok();
        let (given_up, cseq) = (call.given_up, call.cseq);
        call.state = State::Up;
        self.acknowledge(id, cseq);
        if given_up {
            return self.hang_up(now, id);
        }
        match self.seed.below(10) {
            0..5 => self.after(now, 1_000, 60_000, Act::HangUp(id)),
            5..7 => self.after(now, 500, 10_000, Act::Hold(id, true)),
            7 => {
                self.dies();
                self.after(now, 40_000, 100_000, Act::ComeBack);
            }
            _ => {}
        }
        self.ends_some_time(now, id);
    }

    /// Most people hang up after some minutes. A few never do.
    pub(super) fn ends_some_time(&mut self, now: Time, id: u32) {
        if self.seed.below(12) != 0 {
            self.after(now, 150_000, 200_000, Act::HangUp(id));
        }
    }

    pub(super) fn acknowledge(&mut self, id: u32, cseq: u32) {
        let flow = self.flow();
        let Some(call) = self.calls.get(&id) else { return };
        let (first, Some(dialog)) = (call.cseq == cseq, call.dialog.clone()) else { return };
        let mut writer = self.stack.outside(&flow, (Method::Ack, dialog.request_uri()));
        dialog.write(&mut writer, Method::Ack, cseq);
        let ack: Arc<[u8]> = writer.finish(None).into();
        if let Some(call) = self.calls.get_mut(&id).filter(|call| first && call.ack.is_none()) {
            call.ack = Some(ack.clone());
        }
        self.stack.send(flow, ack, None);
    }

    fn within(
        &mut self,
        now: Time,
        id: u32,
        method: Method<'_>,
        body: Option<(&str, &[u8])>,
        refer_to: Option<&str>,
    ) -> Option<u32> {
        let (flow, contact) = (self.flow(), self.contact());
        let dialog = self.calls.get_mut(&id)?.dialog.as_mut()?;
        let cseq = dialog.next_cseq();
        let dialog = dialog.clone();
        self.stack.request(now, flow, (method, dialog.request_uri()), Use::Within(id), body, |writer| {
            dialog.write(writer, method, cseq);
            writer.field(Name::Contact, contact);
            if let Some(to) = refer_to {
                writer.fmt(Name::ReferTo, format_args!("<{to}>"));
            }
        });
        Some(cseq)
    }

    pub(super) fn hang_up(&mut self, now: Time, id: u32) {
        if self.is(id, State::Up) {
            self.excuse(id);
            self.over(id);
            self.within(now, id, Method::Bye, None, None);
        }
    }

    pub(super) fn reinvite(&mut self, now: Time, id: u32, hold: bool) {
        let free = self.calls.get(&id).is_some_and(|call| call.state == State::Up && call.reinvite.is_none());
        if !free {
            return;
        }
        let body = self.sdp(if hold { "sendonly" } else { "sendrecv" });
        let cseq = self.within(now, id, Method::Invite, Some(("application/sdp", body.as_bytes())), None);
        if let Some(call) = self.calls.get_mut(&id) {
            call.reinvite = cseq;
        }
        if hold {
            self.after(now, 500, 10_000, Act::Hold(id, false));
        }
    }

    pub(super) fn pass_on(&mut self, now: Time, id: u32) {
        let Person::Agent { passes_to, .. } = &self.person else { return };
        if passes_to.is_empty() || !self.is(id, State::Up) {
            return;
        }
        let to = format!("sip:{}@city.example", passes_to[self.seed.below(passes_to.len() as u64) as usize]);
        self.within(now, id, Method::Refer, None, Some(&to));
        // Some phones hang up at once, others wait to hear how it went, and talk on if it went wrong.
        match self.seed.below(4) {
            0 => {}
            1 => self.after(now, 1, 300, Act::HangUp(id)),
            _ => self.after(now, 1, 20_000, Act::HangUp(id)),
        }
    }

    pub(super) fn answered_within(&mut self, id: u32, message: &Message<'_>) {
        let Ok(cseq) = message.cseq() else { return };
        let (status, invite, cseq) = (message.status().unwrap_or(0), cseq.method == Method::Invite, cseq.number);
        if invite {
            if status < 300 {
                self.acknowledge(id, cseq);
            }
            if let Some(call) = self.calls.get_mut(&id) {
                call.reinvite = None;
            }
        }
        if status == 481 {
            self.over(id);
        }
    }
}
