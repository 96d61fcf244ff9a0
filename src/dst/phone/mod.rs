//! A phone with a person at it, who calls, waits, answers, refuses, holds, passes on, hangs up, loses patience, or is gone.
//!
//! It speaks SIP through the same transaction layer as the engine, and nothing else of it. What it believes of each call is kept, so that
//! it can be said afterwards whose fault an end was.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::person::{Act, Person};
use crate::base::Time;
use crate::base::deadline::Deadlines;
use crate::base::seed::Seed;
use crate::base::words::Transport;
use crate::sip::dialog::Dialog;
use crate::sip::flow::{ConnectionId, Flow, ListenerId};
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::stack::{ClientTx, ListenerName, Routed, ServerTx, Stack, TxEvent};

mod answering;
mod calling;
mod registering;

use registering::Registration;

/// What a transaction of the phone's is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    Invite(u32),
    Within(u32),
    Register,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Calling,
    Ringing,
    Up,
    Over,
}

/// A call as the phone knows it.
struct Call {
    state: State,
    given_up: bool,
    /// Whether anything on this side could have ended it: the person, or a phone or network that failed it.
    excused: bool,
    dialog: Option<Dialog>,
    invite_out: Option<ClientTx>,
    invite_in: Option<(ServerTx, u32)>,
    /// The sequence number of the INVITE that the call began with.
    cseq: u32,
    reinvite: Option<u32>,
    ack: Option<Arc<[u8]>>,
    tag: String,
    call_id: String,
    dialled: String,
}

/// What a phone is set up with.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user name: that of the address of record, too.
    pub user: String,
    /// The password.
    pub password: String,
    /// The domain.
    pub domain: String,
    /// How long it asks to be registered; `None`: it never registers.
    pub expires: Option<Duration>,
}

/// A phone.
pub struct Phone {
    /// Its address.
    pub address: SocketAddr,
    /// What it speaks over.
    pub transport: Transport,
    name: String,
    server: SocketAddr,
    person: Person,
    account: Option<Account>,
    registration: Registration,
    stack: Stack<Use>,
    acts: Deadlines<Act>,
    calls: BTreeMap<u32, Call>,
    calls_ever: u32,
    seed: Seed,
    /// Gone: hears and says nothing until then.
    deaf: bool,
    out: VecDeque<Arc<[u8]>>,
}

impl Phone {
    /// A phone at `address` that talks to `server`.
    #[must_use]
    pub fn new(
        (name, address, transport): (&str, SocketAddr, Transport),
        server: SocketAddr,
        person: Person,
        account: Option<Account>,
        mut seed: Seed,
    ) -> Self {
        let listeners = vec![ListenerName { transport, sent_by: address.to_string().into() }];
        let stack = Stack::new(0, listeners, seed.fork(), Arc::default());
        let registration = Registration::new(&mut seed);
        Phone {
            address,
            transport,
            name: name.into(),
            server,
            person,
            account,
            registration,
            stack,
            acts: Deadlines::default(),
            calls: BTreeMap::new(),
            calls_ever: 0,
            seed,
            deaf: false,
            out: VecDeque::new(),
        }
    }

    /// The person comes to the phone.
    pub fn begin(&mut self, now: Time) {
        if self.account.as_ref().is_some_and(|account| account.expires.is_some()) {
            self.after(now, 1, 5_000, Act::Register);
        }
        match &self.person {
            Person::Caller { at, .. } => drop(self.acts.set(*at, Act::Call)),
            Person::Agent { dials, .. } if !dials.is_empty() => self.after(now, 5_000, 120_000, Act::Call),
            Person::Agent { .. } | Person::Outside | Person::Dead => {}
        }
    }

    /// How many calls the person believes to be in.
    #[must_use]
    pub fn calls_up(&self) -> usize {
        self.calls.values().filter(|call| call.state == State::Up).count()
    }

    /// Whether nobody hears or says anything there.
    #[must_use]
    pub fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// Whether the call of this Call-ID was one that nothing on this side could have ended.
    #[must_use]
    pub fn is_blameless(&self, call_id: &str) -> bool {
        self.calls.values().any(|call| call.call_id == call_id && !call.excused)
    }

    /// When something is due. What only repeats itself for ever (registering, an agent's own calls once the day is over) does not count
    /// as something that still happens.
    #[must_use]
    pub fn next(&self, day_is_over: bool) -> Option<Time> {
        let counts = |act: &Act| !day_is_over || !act.repeats();
        let acts = self.acts.iter().filter(|(_, act)| counts(act)).map(|(at, _)| at).min();
        acts.into_iter().chain(self.stack.next_deadline().map(|(at, _)| at)).min()
    }

    /// The next message to send.
    pub fn poll(&mut self) -> Option<Arc<[u8]>> {
        while let Some(transmit) = self.stack.poll_transmit() {
            self.out.push_back(transmit.bytes);
        }
        if self.deaf {
            self.out.clear();
        }
        self.out.pop_front()
    }

    /// Does what is due.
    pub fn due(&mut self, now: Time, day_is_over: bool) {
        while self.stack.due(now) {}
        self.follow(now);
        while let Some((_, act)) = self.acts.pop_due(now) {
            if !(day_is_over && act.repeats()) {
                self.act(now, act);
            }
        }
    }

    fn follow(&mut self, now: Time) {
        while let Some(event) = self.stack.poll_event() {
            match event {
                TxEvent::Timeout { user: Use::Invite(id) } | TxEvent::Broken { user: Use::Invite(id) } => self.fails(id),
                TxEvent::Unacknowledged { user: Use::Invite(id) } => {
                    self.excuse(id);
                    self.hang_up(now, id);
                }
                TxEvent::Timeout { user: Use::Within(id) } => self.fails(id),
                TxEvent::Broken { user: Use::Within(id) } => self.excuse(id),
                TxEvent::Timeout { user: Use::Register } | TxEvent::Broken { user: Use::Register } => {
                    self.after(now, 1_000, 20_000, Act::Register);
                }
                TxEvent::Unacknowledged { user: Use::Within(_) | Use::Register } => {}
            }
        }
    }

    fn act(&mut self, now: Time, act: Act) {
        match act {
            Act::Call => self.places_a_call(now),
            Act::GiveUp(id) => self.give_up(now, id),
            Act::Answer(id) => self.answer(now, id),
            Act::Refuse(id, status) => self.respond(now, id, status),
            Act::Describe(id) => self.describe_early(now, id),
            Act::HangUp(id) => self.hang_up(now, id),
            Act::Hold(id, hold) => self.reinvite(now, id, hold),
            Act::PassOn(id) => self.pass_on(now, id),
            Act::ComeBack => {
                self.deaf = false;
                if self.registers() {
                    self.register(now);
                }
            }
            Act::Register => self.register(now),
            Act::Die => self.dies(),
        }
    }

    /// The phone goes silent: its battery, its network.
    fn dies(&mut self) {
        self.deaf = true;
        for call in self.calls.values_mut() {
            call.excused = true;
        }
    }

    /// Its connection is gone, or could not be made.
    pub fn broken(&mut self, now: Time, connection: ConnectionId) {
        for call in self.calls.values_mut().filter(|call| call.state != State::Over) {
            call.excused = true;
        }
        self.stack.broken(now, Some(connection), self.transport, self.server);
        self.follow(now);
        if self.registers() {
            self.after(now, 500, 20_000, Act::Register);
        }
    }

    fn registers(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.expires.is_some())
    }

    fn flow(&self) -> Flow {
        Flow { transport: self.transport, listener: ListenerId(0), remote: self.server, connection: None }
    }

    fn after(&mut self, now: Time, from_ms: u64, to_ms: u64, act: Act) {
        let span = Duration::from_millis(from_ms + self.seed.below(to_ms - from_ms));
        self.acts.set(now + span, act);
    }

    /// What its Contact says.
    fn contact(&self) -> String {
        format!("<sip:{}@{};transport={}>", self.name, self.address, self.transport.label())
    }

    fn sdp(&self, direction: &str) -> String {
        let ip = self.address.ip();
        format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\na={direction}\r\n")
    }

    fn new_call(&mut self, state: State, call_id: Option<String>) -> u32 {
        self.calls_ever += 1;
        let tag = format!("{}{}x{:x}", self.name, self.calls_ever, self.seed.next_u32());
        let call_id = call_id.unwrap_or_else(|| tag.clone());
        let call = Call {
            state,
            given_up: false,
            excused: false,
            dialog: None,
            invite_out: None,
            invite_in: None,
            cseq: 1,
            reinvite: None,
            ack: None,
            tag,
            call_id,
            dialled: String::new(),
        };
        self.calls.insert(self.calls_ever, call);
        self.calls_ever
    }

    fn is(&self, id: u32, state: State) -> bool {
        self.calls.get(&id).is_some_and(|call| call.state == state)
    }

    fn over(&mut self, id: u32) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.state = State::Over;
        }
    }

    /// Something on this side may be why the call ends.
    fn excuse(&mut self, id: u32) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.excused = true;
        }
    }

    /// The call ends, and the network is why.
    fn fails(&mut self, id: u32) {
        self.excuse(id);
        self.over(id);
    }

    /// Takes a message.
    pub fn receive(&mut self, now: Time, flow: &Flow, bytes: &[u8]) {
        if self.deaf {
            return;
        }
        let Ok(message) = Message::read(bytes) else { return };
        match self.stack.route(now, flow, &message) {
            Routed::New => self.request(now, flow, &message),
            Routed::Response { user, .. } => self.response(now, user, &message),
            Routed::Ack => {
                let acked = self.calls.values().find(|call| call.dialog.as_ref().is_some_and(|dialog| dialog.owns(&message)));
                if let Some((tx, _)) = acked.and_then(|call| call.invite_in) {
                    self.stack.acknowledged(now, tx);
                }
            }
            Routed::Absorbed(_) | Routed::Stray => {}
        }
    }

    fn request(&mut self, now: Time, flow: &Flow, message: &Message<'_>) {
        let method = message.method().unwrap_or(Method::Options);
        let id = self.calls.iter().find(|(_, call)| call.dialog.as_ref().is_some_and(|d| d.owns(message))).map(|(id, _)| *id);
        // Some phones know nothing of OPTIONS, and say nothing.
        if method == Method::Options && self.person.ignores_options() {
            return;
        }
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
        let Some(tx) = self.stack.begin(now, flow, message, None) else { return };
        match (method, id) {
            (Method::Invite, None) => self.rung(now, tx, message),
            (Method::Bye, Some(id)) => {
                self.over(id);
                self.stack.respond(now, tx, 200, None, None, |_| {});
            }
            (Method::Invite, Some(id)) => self.reinvited(now, tx, id),
            (_, Some(_)) => self.stack.respond(now, tx, 200, None, None, |_| {}),
            (Method::Options, None) => self.stack.respond(now, tx, 200, Some("here"), None, |_| {}),
            (_, None) => self.stack.respond(now, tx, 481, Some("gone"), None, |_| {}),
        }
    }

    fn response(&mut self, now: Time, user: Use, message: &Message<'_>) {
        let status = message.status().unwrap_or(0);
        match user {
            Use::Register if status >= 200 => self.register_answered(now, message),
            Use::Invite(id) if (200..300).contains(&status) => self.accepted(now, id, message),
            Use::Invite(id) if matches!(status, 401 | 407) && self.proves_call(now, id, message) => {}
            Use::Invite(id) if status >= 300 => self.over(id),
            Use::Within(id) if status >= 200 => self.answered_within(id, message),
            _ => {}
        }
    }
}
