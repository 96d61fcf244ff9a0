//! Client transactions of the layer: requests of ours, their retransmission, ACK to rejections, CANCEL.

use std::sync::Arc;

use arrayvec::ArrayString;

use super::{ClientTx, MAGIC, Routed, Side, Stack, Timers, Transmit, TxEvent, timer_action};
use crate::base::Time;
use crate::base::words::Direction;
use crate::sip::flow::Flow;
use crate::sip::message::{Message, Start};
use crate::sip::method::Method;
use crate::sip::name::Name;
use crate::sip::text;
use crate::sip::transaction::client_invite::{self, ClientInvite};
use crate::sip::transaction::client_other::{self, ClientOther};
use crate::sip::transaction::{Action, Actions, Class, Timer};
use crate::sip::write::Writer;

#[derive(Debug)]
enum Machine {
    Invite(ClientInvite),
    Other(ClientOther),
}

#[derive(Debug)]
pub(super) struct Client<U> {
    machine: Machine,
    serial: u64,
    /// The random part of the branch: a peer cannot guess it.
    token: u64,
    pub(super) flow: Flow,
    /// Empty once nothing can have to be sent again.
    request: Option<Arc<[u8]>>,
    /// The ACK to a rejection.
    ack: Option<Arc<[u8]>>,
    user: U,
    is_cancel: bool,
    /// The transaction of the CANCEL to this INVITE, which shares its branch.
    cancel: Option<u32>,
    /// To be cancelled as soon as anything is heard (RFC 3261 9.1).
    cancel_wanted: bool,
    /// What the CANCEL says of itself (RFC 3326).
    cancel_reason: Option<&'static str>,
    sent: bool,
    timers: Timers,
}

/// The request's start line and Via, then what `fill` adds: the body, if any, is what it returns.
pub(super) type Body<'a> = Option<(&'a str, &'a [u8])>;

impl<U: Copy> Stack<U> {
    /// Sends a request in a transaction of its own. `fill` writes every header but Via, Content-Type and Content-Length.
    pub fn request(
        &mut self,
        now: Time,
        flow: Flow,
        (method, uri): (Method<'_>, &str),
        user: U,
        body: Body<'_>,
        fill: impl FnOnce(&mut Writer),
    ) -> ClientTx {
        let slot = self.clients.vacant_key() as u32;
        let token = self.seed.next_u64();
        let mut writer = self.with_via(&flow, method, uri, slot, token);
        fill(&mut writer);
        let request: Arc<[u8]> = writer.finish(body).into();
        self.start_client(now, flow, method, request, user, token)
    }

    fn with_via(&self, flow: &Flow, method: Method<'_>, uri: &str, slot: u32, token: u64) -> Writer {
        let mut writer = Writer::request(method.as_str(), uri);
        let sent_by = &self.listener(flow.listener).sent_by;
        let rport = if flow.transport.unreliable() { ";rport" } else { "" };
        let mut branch = ArrayString::<32>::new();
        text::push_hex(&mut branch, self.shard, 2);
        text::push_hex(&mut branch, slot, 1);
        branch.push('.');
        text::push_hex(&mut branch, token, 16);
        writer.parts(Name::Via, &["SIP/2.0/", flow.transport.via_name(), " ", sent_by, ";branch=", MAGIC, &branch, rport]);
        writer
    }

    /// Begins a request that has no transaction: the ACK to a 2xx (RFC 3261 13.2.2.4). To be sent by [`Stack::send`].
    pub fn outside(&mut self, flow: &Flow, (method, uri): (Method<'_>, &str)) -> Writer {
        self.counts.request(Direction::Out, method, flow.transport);
        let token = self.seed.next_u64();
        self.with_via(flow, method, uri, u32::MAX, token)
    }

    fn start_client(&mut self, now: Time, flow: Flow, method: Method<'_>, request: Arc<[u8]>, user: U, token: u64) -> ClientTx {
        let unreliable = flow.transport.unreliable();
        let (machine, first) = if method == Method::Invite {
            let (machine, first) = ClientInvite::start(unreliable);
            (Machine::Invite(machine), first)
        } else {
            let (machine, first) = ClientOther::start(unreliable);
            (Machine::Other(machine), first)
        };
        let serial = self.next_serial();
        let slot = self.clients.insert(Client {
            machine,
            serial,
            token,
            flow,
            request: Some(request),
            ack: None,
            user,
            is_cancel: method == Method::Cancel,
            cancel: None,
            cancel_wanted: false,
            cancel_reason: None,
            sent: false,
            timers: Timers::new(),
        }) as u32;
        self.note_connection(&flow, Side::Client, slot);
        self.counts.request(Direction::Out, method, flow.transport);
        self.apply_client(now, slot, first);
        ClientTx { slot, serial }
    }

    /// Cancels an INVITE of ours: at once if anything was heard of it, else as soon as something is (RFC 3261 9.1). The CANCEL gives the
    /// reason as its Reason header (RFC 3326).
    pub fn cancel(&mut self, now: Time, tx: ClientTx, reason: Option<&'static str>) {
        let Some(client) = self.clients.get_mut(tx.slot as usize).filter(|client| client.serial == tx.serial) else { return };
        client.cancel_reason = reason;
        match &client.machine {
            Machine::Invite(machine) if machine.state == client_invite::State::Proceeding && client.cancel.is_none() => {
                self.send_cancel(now, tx.slot);
            }
            Machine::Invite(machine) if machine.state == client_invite::State::Calling => client.cancel_wanted = true,
            _ => {}
        }
    }

    fn send_cancel(&mut self, now: Time, slot: u32) {
        let client = &mut self.clients[slot as usize];
        client.cancel_wanted = false;
        let (flow, user, token, reason) = (client.flow, client.user, client.token, client.cancel_reason);
        let cancel = |invite: &Arc<[u8]>| derive(invite, Method::Cancel, None, reason);
        let Some(bytes) = client.request.as_ref().and_then(cancel) else { return };
        if let Machine::Invite(machine) = &mut client.machine {
            let list = machine.on(client_invite::Input::Cancelled);
            self.apply_client(now, slot, list);
        }
        let cancel = self.start_client(now, flow, Method::Cancel, bytes, user, token);
        if let Some(client) = self.clients.get_mut(slot as usize) {
            client.cancel = Some(cancel.slot);
        }
    }

    pub(super) fn route_response(&mut self, now: Time, message: &Message<'_>) -> Routed<U> {
        let Some(slot) = self.client_of(message) else { return Routed::Stray };
        let class = Class::of(message.status().unwrap_or(0));
        let client = &mut self.clients[slot as usize];
        let (tx, user, is_cancel) = (ClientTx { slot, serial: client.serial }, client.user, client.is_cancel);
        if class == Class::Rejection && client.ack.is_none() && matches!(client.machine, Machine::Invite(_)) {
            client.ack = client.request.as_deref().and_then(|invite| derive(invite, Method::Ack, message.get(Name::To), None));
        }
        let list = match &mut client.machine {
            Machine::Invite(machine) => machine.on(client_invite::Input::Response(class)),
            Machine::Other(machine) => machine.on(client_other::Input::Response(class)),
        };
        let tell = list.contains(&Action::TellResponse);
        if !tell {
            self.counts.retransmission(Direction::In);
        }
        self.apply_client(now, slot, list);
        let wanted = self.clients.get(slot as usize).is_some_and(|client| client.serial == tx.serial && client.cancel_wanted);
        if wanted && class == Class::Provisional {
            self.send_cancel(now, slot);
        }
        if tell && !is_cancel { Routed::Response { tx, user } } else { Routed::Absorbed(Some(user)) }
    }

    /// The client transaction that the response's topmost Via names, if the random part of the branch and the method agree.
    fn client_of(&self, message: &Message<'_>) -> Option<u32> {
        let via = message.top_via().ok()?;
        let branch = via.branch()?.strip_prefix(MAGIC)?;
        let (place, token) = branch.split_once('.')?;
        let slot = u32::from_str_radix(place.get(2..)?, 16).ok()?;
        let token = u64::from_str_radix(token, 16).ok()?;
        let client = self.clients.get(slot as usize).filter(|client| client.token == token)?;
        match message.cseq().ok()?.method {
            Method::Cancel if !client.is_cancel => client.cancel.filter(|slot| self.clients.contains(*slot as usize)),
            Method::Invite => matches!(client.machine, Machine::Invite(_)).then_some(slot),
            _ => matches!(client.machine, Machine::Other(_)).then_some(slot),
        }
    }

    pub(super) fn client_timer(&mut self, now: Time, slot: u32, timer: Timer) {
        let Some(client) = self.clients.get_mut(slot as usize) else { return };
        client.timers.retain(|(running, _)| *running != timer);
        let list = match &mut client.machine {
            Machine::Invite(machine) => machine.on(client_invite::Input::Timer(timer)),
            Machine::Other(machine) => machine.on(client_other::Input::Timer(timer)),
        };
        self.apply_client(now, slot, list);
    }

    pub(super) fn client_broken(&mut self, now: Time, slot: u32) {
        let Some(client) = self.clients.get_mut(slot as usize) else { return };
        let list = match &mut client.machine {
            Machine::Invite(machine) => machine.on(client_invite::Input::Broken),
            Machine::Other(machine) => machine.on(client_other::Input::Broken),
        };
        self.apply_client(now, slot, list);
    }

    fn apply_client(&mut self, now: Time, slot: u32, list: Actions) {
        for action in list {
            let Some(client) = self.clients.get_mut(slot as usize) else { return };
            if timer_action(action, now, Side::Client, slot, &mut self.deadlines, &mut client.timers) {
                continue;
            }
            match action {
                Action::SendRequest => {
                    if let Some(bytes) = client.request.clone() {
                        if std::mem::replace(&mut client.sent, true) {
                            self.counts.retransmission(Direction::Out);
                        }
                        self.transmits.push_back(Transmit { flow: client.flow, bytes, user: Some(client.user) });
                    }
                }
                Action::SendAck => {
                    if let Some(bytes) = client.ack.clone() {
                        self.counts.request(Direction::Out, Method::Ack, client.flow.transport);
                        self.transmits.push_back(Transmit { flow: client.flow, bytes, user: Some(client.user) });
                    }
                }
                Action::TellTimeout if !client.is_cancel => self.events.push_back(TxEvent::Timeout { user: client.user }),
                Action::TellBroken if !client.is_cancel => self.events.push_back(TxEvent::Broken { user: client.user }),
                Action::Forget => client.request = None,
                Action::End => {
                    let client = self.clients.remove(slot as usize);
                    self.forget_connection(&client.flow, Side::Client, slot);
                    for (_, id) in client.timers {
                        self.deadlines.cancel(id);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The ACK to a rejection (RFC 3261 17.1.1.3) or the CANCEL (9.1) of an INVITE of ours: same Request-URI, topmost Via, Route, From, Call-ID
/// and CSeq number. The ACK takes its To from the rejection, and its credentials from the INVITE (22.1); nobody asks a CANCEL for any.
fn derive(invite: &[u8], method: Method<'_>, to: Option<&[u8]>, reason: Option<&str>) -> Option<Arc<[u8]>> {
    let invite = Message::read(invite).ok()?;
    let Start::Request { uri, .. } = invite.start else { return None };
    let mut writer = Writer::request(method.as_str(), uri);
    writer.field(Name::Via, invite.list(Name::Via).next()?);
    writer.copy(&invite, Name::Route);
    writer.field(Name::MaxForwards, "70");
    writer.copy(&invite, Name::From);
    writer.field(Name::To, to.or(invite.get(Name::To))?);
    writer.copy(&invite, Name::CallId);
    writer.cseq(invite.cseq().ok()?.number, method.as_str());
    if method == Method::Ack {
        writer.copy(&invite, Name::Authorization).copy(&invite, Name::ProxyAuthorization);
    }
    if let Some(reason) = reason {
        writer.field(Name::Reason, reason);
    }
    Some(writer.finish(None).into())
}
