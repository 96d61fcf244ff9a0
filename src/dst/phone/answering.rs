//! Calls that come to a phone, and what its person does about them.

use super::{Phone, State, Use};
use crate::base::Time;
use crate::dst::person::{Act, Person};
use crate::sip::dialog::Dialog;
use crate::sip::message::Message;
use crate::sip::name::Name;
use crate::sip::stack::ServerTx;

impl Phone {
    pub(super) fn rung(&mut self, now: Time, tx: ServerTx, message: &Message<'_>) {
        let call_id = String::from_utf8_lossy(message.call_id().unwrap_or_default()).into_owned();
        let id = self.new_call(State::Ringing, Some(call_id));
        self.stack.set_user(tx, Use::Invite(id));
        let tag = self.calls[&id].tag.clone();
        let number = message.cseq().map_or(0, |cseq| cseq.number);
        if let Some(call) = self.calls.get_mut(&id) {
            call.invite_in = Some((tx, number));
            call.dialog = Dialog::from_request(message, &tag).ok();
        }
        match self.person {
            Person::Outside => self.rung_outside(now, id),
            _ if self.busy() => self.respond(now, id, 486),
            _ => self.rung_at_the_desk(now, id),
        }
    }

    fn rung_at_the_desk(&mut self, now: Time, id: u32) {
        match self.seed.below(20) {
            0 => self.respond(now, id, 486),
            1 => self.after(now, 100, 5_000, Act::Refuse(id, 603)),
            2 | 3 => self.respond(now, id, 180),
            4 => {
                self.dies();
                self.after(now, 5_000, 90_000, Act::ComeBack);
            }
            _ => {
                self.respond(now, id, 180);
                self.after(now, 200, 15_000, Act::Answer(id));
            }
        }
    }

    /// A number somewhere in the world.
    fn rung_outside(&mut self, now: Time, id: u32) {
        match self.seed.below(12) {
            0 => self.respond(now, id, 404),
            1 => self.respond(now, id, 503),
            2 => self.after(now, 100, 8_000, Act::Refuse(id, 486)),
            3 => self.respond(now, id, 180),
            4 => {}
            5 | 6 => {
                self.after(now, 100, 2_000, Act::Describe(id));
                self.after(now, 2_000, 20_000, Act::Answer(id));
            }
            7 => {
                self.after(now, 100, 2_000, Act::Describe(id));
                self.after(now, 2_000, 20_000, Act::Refuse(id, 480));
            }
            _ => {
                self.respond(now, id, 180);
                self.after(now, 200, 15_000, Act::Answer(id));
            }
        }
    }

    fn busy(&self) -> bool {
        !matches!(self.person, Person::Outside) && self.calls_up() > 0
    }

    /// An announcement or a ringing tone of its own, before the answer.
    pub(super) fn describe_early(&mut self, now: Time, id: u32) {
        let body = self.sdp("sendrecv");
        self.reply(now, id, 183, Some(&body));
    }

    pub(super) fn respond(&mut self, now: Time, id: u32, status: u16) {
        if !self.is(id, State::Ringing) {
            return;
        }
        self.reply(now, id, status, None);
        if status >= 300 {
            self.over(id);
        }
    }

    fn reply(&mut self, now: Time, id: u32, status: u16, body: Option<&str>) {
        let Some(call) = self.calls.get(&id).filter(|call| call.state == State::Ringing) else { return };
        let (Some((tx, _)), tag) = (call.invite_in, call.tag.clone()) else { return };
        let contact = self.contact();
        self.stack.respond(now, tx, status, Some(&tag), body.map(|body| ("application/sdp", body.as_bytes())), |writer| {
            writer.field(Name::Contact, contact);
        });
    }

    pub(super) fn answer(&mut self, now: Time, id: u32) {
        if self.busy() {
            return self.respond(now, id, 486);
        }
        if !self.is(id, State::Ringing) {
            return;
        }
        let body = self.sdp("sendrecv");
        self.reply(now, id, 200, Some(&body));
        if let Some(call) = self.calls.get_mut(&id) {
            call.state = State::Up;
        }
        match self.seed.below(10) {
            0..3 => self.after(now, 1_000, 40_000, Act::HangUp(id)),
            3..7 => self.after(now, 500, 15_000, Act::PassOn(id)),
            7 => self.after(now, 500, 15_000, Act::Hold(id, true)),
            _ => {}
        }
        self.ends_some_time(now, id);
    }

    /// The server asks, by a re-INVITE, whether anybody is there.
    pub(super) fn reinvited(&mut self, now: Time, tx: ServerTx, id: u32) {
        if !self.is(id, State::Up) {
            return self.stack.respond(now, tx, 481, None, None, |_| {});
        }
        let body = self.sdp("sendrecv");
        let contact = self.contact();
        self.stack.set_user(tx, Use::Within(id));
        if let Some(call) = self.calls.get_mut(&id) {
            call.invite_in = Some((tx, 0));
        }
        self.stack.respond(now, tx, 200, None, Some(("application/sdp", body.as_bytes())), |writer| {
            writer.field(Name::Contact, contact);
        });
    }
}
