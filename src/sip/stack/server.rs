//! Server transactions of the layer: requests of others, their repetition, our answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::client::Body;
use super::{MAGIC, Routed, ServerTx, Side, Stack, Timers, Transmit, TxEvent, timer_action};
use crate::base::Time;
use crate::base::words::Direction;
use crate::sip::flow::Flow;
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::name::Name;
use crate::sip::transaction::server_invite::{self, ServerInvite};
use crate::sip::transaction::server_other::{self, ServerOther};
use crate::sip::transaction::{Action, Actions, Class, Timer};
use crate::sip::write::{Writer, reason_phrase};

#[derive(Debug)]
enum Machine {
    Invite(ServerInvite),
    Other(ServerOther),
}

/// What every response to a request repeats of it (RFC 3261 8.2.6.2), and where responses go.
#[derive(Debug)]
struct Template {
    /// The Via lines, with `received` and `rport` put in.
    vias: Vec<u8>,
    /// Record-Route, From, Call-ID and CSeq lines.
    rest: Vec<u8>,
    to: Vec<u8>,
    to_has_tag: bool,
}

#[derive(Debug)]
pub(super) struct Server<U> {
    machine: Machine,
    serial: u64,
    key: u128,
    pub(super) flow: Flow,
    template: Option<Box<Template>>,
    response: Option<Arc<[u8]>>,
    status: u16,
    /// Whose it is, if anybody's.
    whose: Option<U>,
    /// Whether that is its user, who is told of it.
    used: bool,
    timers: Timers,
}

impl<U: Copy> Stack<U> {
    pub(super) fn route_request(&mut self, now: Time, flow: &Flow, message: &Message<'_>, method: Method<'_>) -> Routed<U> {
        let like = if method == Method::Ack { Method::Invite } else { method };
        let found = self.key(message, flow, like).and_then(|key| self.by_key.get(&key).copied());
        let Some(slot) = found else { return if method == Method::Ack { Routed::Ack } else { Routed::New } };
        let server = &mut self.servers[slot as usize];
        let list = match (&mut server.machine, method) {
            (Machine::Invite(machine), Method::Ack) => machine.on(server_invite::Input::Ack),
            (Machine::Invite(machine), _) => machine.on(server_invite::Input::Again),
            (Machine::Other(machine), _) => machine.on(server_other::Input::Again),
        };
        if method != Method::Ack {
            self.counts.retransmission(Direction::In);
        }
        let (tell_ack, whose) = (list.contains(&Action::TellAck), server.whose);
        self.apply_server(now, slot, list);
        if tell_ack { Routed::Ack } else { Routed::Absorbed(whose) }
    }

    /// The INVITE that a CANCEL is about, if it still has a transaction (RFC 3261 9.2); and whose it is.
    #[must_use]
    pub fn invite_of(&self, cancel: &Message<'_>, flow: &Flow) -> Option<(ServerTx, Option<U>)> {
        let slot = *self.by_key.get(&self.key(cancel, flow, Method::Invite)?)?;
        let server = self.servers.get(slot as usize)?;
        Some((ServerTx { slot, serial: server.serial }, server.whose))
    }

    /// What RFC 3261 17.2.3 compares, as one digest. Without the magic cookie the rules of RFC 2543 hold.
    fn key(&self, message: &Message<'_>, flow: &Flow, method: Method<'_>) -> Option<u128> {
        let via = message.top_via().ok()?;
        let port = via.port.unwrap_or(0).to_be_bytes();
        match via.branch() {
            Some(branch) if branch.len() > MAGIC.len() && branch.starts_with(MAGIC) => {
                Some(self.keyed.digest(&[branch.as_bytes(), via.host.as_bytes(), &port, method.as_str().as_bytes()]))
            }
            branch => {
                let from = message.from().ok()?;
                let number = message.cseq().ok()?.number.to_be_bytes();
                let remote = flow.remote.to_string();
                let tag = from.tag().unwrap_or("");
                let parts: [&[u8]; 9] = [
                    b"2543",
                    branch.unwrap_or("").as_bytes(),
                    via.host.as_bytes(),
                    &port,
                    tag.as_bytes(),
                    message.call_id().ok()?,
                    &number,
                    method.as_str().as_bytes(),
                    remote.as_bytes(),
                ];
                Some(self.keyed.digest(&parts))
            }
        }
    }

    /// Gives a new request its transaction.
    pub fn begin(&mut self, now: Time, flow: &Flow, message: &Message<'_>, user: Option<U>) -> Option<ServerTx> {
        let method = message.method()?;
        let key = self.key(message, flow, method)?;
        let reply = reply_flow(message, flow)?;
        let unreliable = flow.transport.unreliable();
        let (machine, first) = if method == Method::Invite {
            let (machine, first) = ServerInvite::start(unreliable);
            (Machine::Invite(machine), first)
        } else {
            let (machine, first) = ServerOther::start(unreliable);
            (Machine::Other(machine), first)
        };
        let serial = self.next_serial();
        let server = Server {
            machine,
            serial,
            key,
            flow: reply,
            template: Some(Box::new(Template::of(message, flow)?)),
            response: None,
            status: 0,
            whose: user.or(self.concerned),
            used: user.is_some(),
            timers: Timers::new(),
        };
        let slot = self.servers.insert(server) as u32;
        self.by_key.insert(key, slot);
        self.note_connection(&reply, Side::Server, slot);
        self.apply_server(now, slot, first);
        Some(ServerTx { slot, serial })
    }

    fn server(&mut self, tx: ServerTx) -> Option<&mut Server<U>> {
        self.servers.get_mut(tx.slot as usize).filter(|server| server.serial == tx.serial)
    }

    /// Names the user of a transaction, for what happens to it later.
    pub fn set_user(&mut self, tx: ServerTx, user: U) {
        if let Some(server) = self.server(tx) {
            (server.whose, server.used) = (Some(user), true);
        }
    }

    /// Answers 500 to every request that nobody is going to answer: to be called when its user has failed.
    pub fn answer_unowned(&mut self, now: Time) {
        let unowned = self.servers.iter().filter(|(_, server)| !server.used && server.status < 200);
        let unowned: Vec<ServerTx> =
            unowned.map(|(slot, server)| ServerTx { slot: slot as u32, serial: server.serial }).collect();
        for tx in unowned {
            self.respond(now, tx, 500, Some("fault"), None, |_| {});
        }
    }

    /// Whether the transaction still waits for its final answer.
    #[must_use]
    pub fn unanswered(&self, tx: ServerTx) -> bool {
        self.servers.get(tx.slot as usize).is_some_and(|server| server.serial == tx.serial && server.status < 200)
    }

    /// Answers. `to_tag` is put into To unless the request had one; `fill` adds headers; does nothing once a final answer was given.
    pub fn respond(
        &mut self,
        now: Time,
        tx: ServerTx,
        status: u16,
        to_tag: Option<&str>,
        body: Body<'_>,
        fill: impl FnOnce(&mut Writer),
    ) {
        let Some(server) = self.server(tx).filter(|server| server.status < 200) else { return };
        let Some(template) = &server.template else { return };
        let response: Arc<[u8]> = template.write(status, to_tag, body, fill).into();
        server.response = Some(response);
        server.status = status;
        if status >= 200 {
            server.template = None;
        }
        let class = Class::of(status);
        let list = match &mut server.machine {
            Machine::Invite(machine) => machine.on(server_invite::Input::Respond(class)),
            Machine::Other(machine) => machine.on(server_other::Input::Respond(class)),
        };
        let transport = server.flow.transport;
        self.counts.response(Direction::Out, status, transport);
        self.apply_server(now, tx.slot, list);
    }

    /// The last response once more, by its user's wish (a 183 repeated against the timers of proxies on the way).
    pub fn repeat_provisional(&mut self, tx: ServerTx) {
        let Some(server) = self.server(tx).filter(|server| (101..200).contains(&server.status)) else { return };
        let (flow, response, user) = (server.flow, server.response.clone(), server.whose);
        if let Some(bytes) = response {
            self.transmits.push_back(Transmit { flow, bytes, user });
        }
    }

    /// The ACK to the 2xx of this transaction came, by its dialog: it is not sent again.
    pub fn acknowledged(&mut self, now: Time, tx: ServerTx) {
        let Some(server) = self.server(tx) else { return };
        if let Machine::Invite(machine) = &mut server.machine {
            let list = machine.on(server_invite::Input::Acknowledged);
            self.apply_server(now, tx.slot, list);
        }
    }

    /// Answers a request without keeping anything of it (RFC 3261 8.2.7).
    pub fn reply_stateless(&mut self, flow: &Flow, message: &Message<'_>, status: u16, fill: impl FnOnce(&mut Writer)) {
        let (Some(reply), Some(to)) = (reply_flow(message, flow), message.get(Name::To)) else { return };
        let mut writer = Writer::response(status, reason_phrase(status));
        let before = writer.written().len();
        writer.copy_vias(message, flow.remote);
        if status > 100 && !has_tag(message) {
            // The same for a request that is sent again, so that its ACK and its answers agree.
            let tag = self.keyed.digest(&[message.call_id().unwrap_or(b""), &writer.written()[before..]]) as u64;
            writer.tagged(Name::To, to, &format!("{tag:016x}"));
        } else {
            writer.field(Name::To, to);
        }
        copy_unchanged(&mut writer, message);
        fill(&mut writer);
        let bytes = writer.finish(None);
        self.counts.response(Direction::Out, status, flow.transport);
        self.transmits.push_back(Transmit { flow: reply, bytes: bytes.into(), user: None });
    }

    pub(super) fn server_timer(&mut self, now: Time, slot: u32, timer: Timer) {
        let Some(server) = self.servers.get_mut(slot as usize) else { return };
        server.timers.retain(|(running, _)| *running != timer);
        let list = match &mut server.machine {
            Machine::Invite(machine) => machine.on(server_invite::Input::Timer(timer)),
            Machine::Other(machine) => machine.on(server_other::Input::Timer(timer)),
        };
        if matches!(timer, Timer::G | Timer::Accepted2xx) && list.contains(&Action::SendResponse) {
            self.counts.retransmission(Direction::Out);
        }
        self.apply_server(now, slot, list);
    }

    pub(super) fn server_broken(&mut self, now: Time, slot: u32) {
        let Some(server) = self.servers.get_mut(slot as usize) else { return };
        let list = match &mut server.machine {
            Machine::Invite(machine) => machine.on(server_invite::Input::Broken),
            Machine::Other(machine) => machine.on(server_other::Input::Broken),
        };
        self.apply_server(now, slot, list);
    }

    fn apply_server(&mut self, now: Time, slot: u32, list: Actions) {
        for action in list {
            let Some(server) = self.servers.get_mut(slot as usize) else { return };
            if timer_action(action, now, Side::Server, slot, &mut self.deadlines, &mut server.timers) {
                continue;
            }
            match action {
                Action::SendResponse => {
                    if let Some(bytes) = server.response.clone() {
                        self.transmits.push_back(Transmit { flow: server.flow, bytes, user: server.whose });
                    }
                }
                Action::SendTrying => {
                    if let Some(template) = &server.template {
                        let bytes = template.write(100, None, None, |_| {}).into();
                        self.counts.response(Direction::Out, 100, server.flow.transport);
                        self.transmits.push_back(Transmit { flow: server.flow, bytes, user: server.whose });
                    }
                }
                Action::TellTimeout | Action::TellBroken => {
                    if let Some(user) = server.whose.filter(|_| server.used) {
                        self.events.push_back(TxEvent::Unacknowledged { user });
                    }
                }
                Action::Forget => server.response = None,
                Action::End => {
                    let server = self.servers.remove(slot as usize);
                    self.forget_connection(&server.flow, Side::Server, slot);
                    if self.by_key.get(&server.key) == Some(&slot) {
                        self.by_key.remove(&server.key);
                    }
                    for (_, id) in server.timers {
                        self.deadlines.cancel(id);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Where the answer to a request goes (RFC 3261 18.2.2, RFC 3581 4): over the same connection; for datagrams to where it came from if
/// `rport` asked for that, else to the port that Via names.
fn reply_flow(message: &Message<'_>, flow: &Flow) -> Option<Flow> {
    let via = message.top_via().ok()?;
    let mut reply = *flow;
    if flow.transport.unreliable() && via.rport().is_none() {
        let maddr = via.maddr().and_then(|maddr| maddr.parse::<IpAddr>().ok());
        reply.remote = SocketAddr::new(maddr.unwrap_or(flow.remote.ip()), via.port.unwrap_or(5060));
    }
    Some(reply)
}

/// Whether To already names a dialog of ours.
fn has_tag(request: &Message<'_>) -> bool {
    request.to().ok().is_some_and(|to| to.tag().is_some())
}

/// What a response repeats of its request as it stands, besides Via and To (RFC 3261 8.2.6.2, 12.1.1).
fn copy_unchanged(writer: &mut Writer, request: &Message<'_>) {
    for name in [Name::RecordRoute, Name::From, Name::CallId, Name::CSeq] {
        writer.copy(request, name);
    }
}

impl Template {
    fn of(message: &Message<'_>, flow: &Flow) -> Option<Self> {
        let mut writer = Writer::with_buffer(Vec::with_capacity(256));
        writer.copy_vias(message, flow.remote);
        let vias = writer.into_lines();
        let mut writer = Writer::with_buffer(Vec::with_capacity(256));
        copy_unchanged(&mut writer, message);
        let rest = writer.into_lines();
        let to = message.get(Name::To)?.to_vec();
        Some(Template { vias, rest, to, to_has_tag: has_tag(message) })
    }

    fn write(&self, status: u16, to_tag: Option<&str>, body: Body<'_>, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::response(status, reason_phrase(status));
        writer.lines(&self.vias);
        match to_tag {
            Some(tag) if !self.to_has_tag && status > 100 => writer.tagged(Name::To, &self.to, tag),
            _ => writer.field(Name::To, &self.to),
        };
        writer.lines(&self.rest);
        fill(&mut writer);
        writer.finish(body)
    }
}
