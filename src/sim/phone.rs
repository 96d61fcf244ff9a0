//! A phone with a person at it, who calls, waits, answers, refuses, holds, passes on, hangs up, loses patience, or is gone.
//!
//! It speaks SIP through the same transaction layer as the engine, and nothing else of it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::Time;
use crate::base::deadline::Deadlines;
use crate::base::seed::Seed;
use crate::base::words::Transport;
use crate::sip::dialog::Dialog;
use crate::sip::flow::{Flow, ListenerId};
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::name::Name;
use crate::sip::stack::{ClientTx, ListenerName, Routed, ServerTx, Stack, Told, Transmit};

/// What a person does at some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Call,
    GiveUp(u32),
    Answer(u32),
    Refuse(u32),
    HangUp(u32),
    Hold(u32, bool),
    PassOn(u32),
    ComeBack,
}

/// What a transaction of the phone's is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    Invite(u32),
    Within(u32),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Calling,
    Ringing,
    Up,
    Over,
}

struct Call {
    state: State,
    given_up: bool,
    dialog: Option<Dialog>,
    invite_out: Option<ClientTx>,
    invite_in: Option<(ServerTx, u32)>,
    reinvite: Option<u32>,
    ack: Option<Arc<[u8]>>,
    tag: String,
}

/// Who sits at the phone.
#[derive(Clone, Debug)]
pub enum Person {
    /// One who calls a number once, at a time.
    Caller {
        /// What is dialled.
        number: String,
        /// When.
        at: Time,
    },
    /// An agent, who can pass callers on to these names.
    Agent {
        /// Queues, agents and numbers.
        passes_to: Vec<String>,
    },
}

/// A phone.
pub struct Phone {
    /// Its address.
    pub address: SocketAddr,
    name: String,
    server: SocketAddr,
    person: Person,
    stack: Stack<Use>,
    acts: Deadlines<Act>,
    calls: BTreeMap<u32, Call>,
    calls_ever: u32,
    seed: Seed,
    /// Gone: hears and says nothing until then.
    deaf: bool,
    out: VecDeque<Transmit>,
}

impl Phone {
    /// A phone at `address` that talks to `server`.
    #[must_use]
    pub fn new(name: &str, address: SocketAddr, server: SocketAddr, person: Person, mut seed: Seed) -> Self {
        let listeners = vec![ListenerName { transport: Transport::Udp, sent_by: address.to_string().into() }];
        let stack = Stack::new(0, listeners, seed.fork(), Arc::default());
        let mut acts = Deadlines::default();
        if let Person::Caller { at, .. } = &person {
            acts.set(*at, Act::Call);
        }
        let (calls, out) = (BTreeMap::new(), VecDeque::new());
        Phone { address, name: name.into(), server, person, stack, acts, calls, calls_ever: 0, seed, deaf: false, out }
    }

    /// How many calls the person believes to be in.
    #[must_use]
    pub fn calls_up(&self) -> usize {
        self.calls.values().filter(|call| call.state == State::Up).count()
    }

    /// When something is due.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        let acts = self.acts.next().map(|(at, _)| at);
        acts.into_iter().chain(self.stack.next_deadline().map(|(at, _)| at)).min()
    }

    /// The next message to send.
    pub fn poll(&mut self) -> Option<Transmit> {
        while let Some(transmit) = self.stack.poll_transmit() {
            self.out.push_back(transmit);
        }
        if self.deaf {
            self.out.clear();
        }
        self.out.pop_front()
    }

    /// Does what is due.
    pub fn due(&mut self, now: Time) {
        while self.stack.due(now) {}
        while let Some(told) = self.stack.poll_told() {
            match told {
                Told::Timeout { user: Use::Invite(id) } | Told::Broken { user: Use::Invite(id) } => self.over(id),
                Told::Unacknowledged { user: Use::Invite(id) } => self.hang_up(now, id),
                Told::Timeout { user: Use::Within(id) } => self.over(id),
                _ => {}
            }
        }
        while let Some((_, act)) = self.acts.pop_due(now) {
            self.act(now, act);
        }
    }

    fn act(&mut self, now: Time, act: Act) {
        match act {
            Act::Call => self.call(now),
            Act::GiveUp(id) => self.give_up(now, id),
            Act::Answer(id) => self.answer(now, id),
            Act::Refuse(id) => self.respond(now, id, 603),
            Act::HangUp(id) => self.hang_up(now, id),
            Act::Hold(id, hold) => self.reinvite(now, id, hold),
            Act::PassOn(id) => self.pass_on(now, id),
            Act::ComeBack => self.deaf = false,
        }
    }

    fn flow(&self) -> Flow {
        Flow::udp(ListenerId(0), self.server)
    }

    fn after(&mut self, now: Time, from_ms: u64, to_ms: u64, act: Act) {
        let span = Duration::from_millis(from_ms + self.seed.below(to_ms - from_ms));
        self.acts.set(now + span, act);
    }

    fn sdp(&self, direction: &str) -> String {
        let ip = self.address.ip();
        format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\na={direction}\r\n")
    }

    fn new_call(&mut self, state: State) -> u32 {
        self.calls_ever += 1;
        let tag = format!("{}{}x{:x}", self.name, self.calls_ever, self.seed.next_u32());
        let call =
            Call { state, given_up: false, dialog: None, invite_out: None, invite_in: None, reinvite: None, ack: None, tag };
        self.calls.insert(self.calls_ever, call);
        self.calls_ever
    }

    fn call(&mut self, now: Time) {
        let Person::Caller { number, .. } = self.person.clone() else { return };
        let id = self.new_call(State::Calling);
        let (tag, flow, body) = (self.calls[&id].tag.clone(), self.flow(), self.sdp("sendrecv"));
        let (name, address, server) = (self.name.clone(), self.address, self.server);
        let uri = format!("sip:{number}@{server}");
        let body = Some(("application/sdp", body.as_bytes()));
        let tx = self.stack.request(now, flow, (Method::Invite, &uri), Use::Invite(id), body, |writer| {
            writer.field(Name::MaxForwards, "70");
            writer.fmt(Name::From, format_args!("<sip:{name}@{address}>;tag={tag}"));
            writer.fmt(Name::To, format_args!("<{uri}>"));
            writer.fmt(Name::CallId, format_args!("{tag}"));
            writer.field(Name::CSeq, "1 INVITE");
            writer.fmt(Name::Contact, format_args!("<sip:{name}@{address}>"));
        });
        if let Some(call) = self.calls.get_mut(&id) {
            call.invite_out = Some(tx);
        }
        self.after(now, 500, 60_000, Act::GiveUp(id));
    }

    fn give_up(&mut self, now: Time, id: u32) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        match call.state {
            State::Calling => {
                call.given_up = true;
                if let Some(tx) = call.invite_out {
                    self.stack.cancel(now, tx, None);
                }
            }
            State::Up => self.hang_up(now, id),
            State::Ringing | State::Over => {}
        }
    }

    fn over(&mut self, id: u32) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.state = State::Over;
        }
    }

    fn within(
        &mut self,
        now: Time,
        id: u32,
        method: Method<'_>,
        body: Option<(&str, &[u8])>,
        refer_to: Option<&str>,
    ) -> Option<u32> {
        let (flow, address, name) = (self.flow(), self.address, self.name.clone());
        let dialog = self.calls.get_mut(&id)?.dialog.as_mut()?;
        let cseq = dialog.next_cseq();
        let dialog = dialog.clone();
        self.stack.request(now, flow, (method, dialog.request_uri()), Use::Within(id), body, |writer| {
            dialog.write(writer, method, cseq);
            writer.fmt(Name::Contact, format_args!("<sip:{name}@{address}>"));
            if let Some(to) = refer_to {
                writer.fmt(Name::ReferTo, format_args!("<{to}>"));
            }
        });
        Some(cseq)
    }

    fn hang_up(&mut self, now: Time, id: u32) {
        let up = self.calls.get(&id).is_some_and(|call| call.state == State::Up);
        if up {
            self.over(id);
            self.within(now, id, Method::Bye, None, None);
        }
    }

    fn reinvite(&mut self, now: Time, id: u32, hold: bool) {
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

    fn pass_on(&mut self, now: Time, id: u32) {
        let Person::Agent { passes_to } = &self.person else { return };
        let up = self.calls.get(&id).is_some_and(|call| call.state == State::Up);
        if passes_to.is_empty() || !up {
            return;
        }
        let to = format!("sip:{}@city.example", passes_to[self.seed.below(passes_to.len() as u64) as usize]);
        self.within(now, id, Method::Refer, None, Some(&to));
        // Some phones hang up at once, others wait to hear how it went, or until their person has had enough.
        self.after(now, 1, 20_000, Act::HangUp(id));
    }

    fn respond(&mut self, now: Time, id: u32, status: u16) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.state == State::Ringing) else { return };
        let (Some((tx, _)), tag) = (call.invite_in, call.tag.clone()) else { return };
        if status >= 300 {
            call.state = State::Over;
        }
        let address = self.address;
        self.stack.respond(now, tx, status, Some(&tag), None, |writer| {
            writer.fmt(Name::Contact, format_args!("<sip:phone@{address}>"));
        });
    }

    fn answer(&mut self, now: Time, id: u32) {
        let body = self.sdp("sendrecv");
        let busy = self.calls_up() > 0;
        if busy {
            return self.respond(now, id, 486);
        }
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.state == State::Ringing) else { return };
        let (Some((tx, _)), tag) = (call.invite_in, call.tag.clone()) else { return };
        call.state = State::Up;
        let address = self.address;
        self.stack.respond(now, tx, 200, Some(&tag), Some(("application/sdp", body.as_bytes())), |writer| {
            writer.fmt(Name::Contact, format_args!("<sip:phone@{address}>"));
        });
        match self.seed.below(10) {
            0..4 => self.after(now, 1_000, 40_000, Act::HangUp(id)),
            4..6 => self.after(now, 500, 15_000, Act::PassOn(id)),
            6..8 => self.after(now, 500, 15_000, Act::Hold(id, true)),
            _ => {}
        }
        // Nobody talks for ever.
        self.after(now, 100_000, 120_000, Act::HangUp(id));
    }

    /// Takes a message.
    pub fn receive(&mut self, now: Time, bytes: &[u8]) {
        if self.deaf {
            return;
        }
        let Ok(message) = Message::read(bytes) else { return };
        let flow = self.flow();
        match self.stack.route(now, &flow, &message) {
            Routed::New => self.request(now, &flow, &message),
            Routed::Response { user, .. } => self.response(now, user, &message),
            Routed::Ack => {
                let acked = self.calls.values().find(|call| call.dialog.as_ref().is_some_and(|dialog| dialog.owns(&message)));
                if let Some((tx, _)) = acked.and_then(|call| call.invite_in) {
                    self.stack.acknowledged(now, tx);
                }
            }
            Routed::Absorbed | Routed::Stray => {}
        }
    }

    fn request(&mut self, now: Time, flow: &Flow, message: &Message<'_>) {
        let method = message.method().unwrap_or(Method::Options);
        if method == Method::Cancel {
            let invite = self.stack.invite_of(message, flow);
            let Some(tx) = self.stack.begin(now, flow, message, None) else { return };
            let status = if invite.is_some() { 200 } else { 481 };
            self.stack.respond(now, tx, status, Some("cancelled"), None, |_| {});
            if let Some((_, Some(Use::Invite(id)))) = invite {
                self.respond(now, id, 487);
            }
            return;
        }
        let id = self.calls.iter().find(|(_, call)| call.dialog.as_ref().is_some_and(|d| d.owns(message))).map(|(id, _)| *id);
        let Some(tx) = self.stack.begin(now, flow, message, None) else { return };
        match (method, id) {
            (Method::Invite, None) => self.rung(now, tx, message),
            (Method::Bye, Some(id)) => {
                self.over(id);
                self.stack.respond(now, tx, 200, None, None, |_| {});
            }
            (_, Some(_)) => self.stack.respond(now, tx, 200, None, None, |_| {}),
            (_, None) => self.stack.respond(now, tx, 481, Some("gone"), None, |_| {}),
        }
    }

    fn rung(&mut self, now: Time, tx: ServerTx, message: &Message<'_>) {
        let id = self.new_call(State::Ringing);
        self.stack.set_user(tx, Use::Invite(id));
        let tag = self.calls[&id].tag.clone();
        let number = message.cseq().map_or(0, |cseq| cseq.number);
        if let Some(call) = self.calls.get_mut(&id) {
            call.invite_in = Some((tx, number));
            call.dialog = Dialog::from_request(message, &tag).ok();
        }
        if self.calls_up() > 0 {
            return self.respond(now, id, 486);
        }
        match self.seed.below(20) {
            0 => self.respond(now, id, 486),
            1 => self.after(now, 100, 5_000, Act::Refuse(id)),
            2 | 3 => self.respond(now, id, 180),
            4 => {
                // The phone is gone: its battery, its network.
                self.deaf = true;
                self.after(now, 5_000, 90_000, Act::ComeBack);
            }
            _ => {
                self.respond(now, id, 180);
                self.after(now, 200, 15_000, Act::Answer(id));
            }
        }
    }

    fn response(&mut self, now: Time, user: Use, message: &Message<'_>) {
        let status = message.status().unwrap_or(0);
        match user {
            Use::Invite(id) if (200..300).contains(&status) => self.accepted(now, id, message),
            Use::Invite(id) if status >= 300 => self.over(id),
            Use::Within(id) if status >= 200 => {
                let invite = message.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
                let cseq = message.cseq().map_or(0, |cseq| cseq.number);
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
            _ => {}
        }
    }

    fn accepted(&mut self, now: Time, id: u32, message: &Message<'_>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Some(ack) = call.ack.clone() {
            let flow = self.flow();
            return self.stack.send(flow, ack);
        }
        call.dialog = Dialog::from_response(message, 1).ok();
        let given_up = call.given_up;
        call.state = State::Up;
        self.acknowledge(id, 1);
        if given_up {
            return self.hang_up(now, id);
        }
        match self.seed.below(10) {
            0..6 => self.after(now, 1_000, 60_000, Act::HangUp(id)),
            6..8 => self.after(now, 500, 10_000, Act::Hold(id, true)),
            8 => {
                self.deaf = true;
                self.after(now, 40_000, 100_000, Act::ComeBack);
            }
            _ => {}
        }
        self.after(now, 150_000, 200_000, Act::HangUp(id));
    }

    fn acknowledge(&mut self, id: u32, cseq: u32) {
        let flow = self.flow();
        let Some(dialog) = self.calls.get(&id).and_then(|call| call.dialog.clone()) else { return };
        let mut writer = self.stack.outside(&flow, (Method::Ack, dialog.request_uri()));
        dialog.write(&mut writer, Method::Ack, cseq);
        let ack: Arc<[u8]> = writer.finish(None).into();
        if let Some(call) = self.calls.get_mut(&id).filter(|_| cseq == 1) {
            call.ack = Some(ack.clone());
        }
        self.stack.send(flow, ack);
    }
}
