//! The transaction layer (RFC 3261 17): runs the tables of [`super::transaction`], keeps their messages and timers, and tells the engine
//! what is new. It decides nothing about calls, and answers nothing by itself but what the tables answer.
//!
//! Use: [`Stack::route`] says what a received message is; a new request is then either given a transaction ([`Stack::begin`]) and
//! answered ([`Stack::respond`]), or answered without one ([`Stack::reply_stateless`]). [`Stack::request`] sends one. After each call, drain
//! [`Stack::poll_transmit`] and [`Stack::poll_event`]; call [`Stack::due`] at [`Stack::next_deadline`].
//!
//! A client transaction is found by its own branch, which names its slot: no table. A server transaction is found by a keyed 128-bit digest of what
//! RFC 3261 17.2.3 compares.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use slab::Slab;

use self::client::Client;
use self::counts::SipCounts;
use self::server::Server;
use super::flow::{ConnectionId, Flow, ListenerId};
use super::message::Message;
use super::transaction::{Action, Timer};
use crate::base::Time;
use crate::base::deadline::{DeadlineId, Deadlines};
use crate::base::hash::{Keyed, KeyedMap};
use crate::base::seed::Seed;
use crate::base::words::{Direction, Transport};

mod client;
pub mod counts;
mod server;
#[cfg(test)]
mod tests;

/// What RFC 3261 8.1.1.7 puts before every branch.
const MAGIC: &str = "z9hG4bK";

/// The shard that a branch of ours names; `None` if the branch is not of our form.
pub(crate) fn shard_of_branch(branch: &str) -> Option<u16> {
    let ours = branch.strip_prefix(MAGIC)?;
    u16::from_str_radix(ours.get(..2)?, 16).ok().filter(|_| ours.contains('.'))
}

/// A listener, as messages name it.
#[derive(Clone, Debug)]
pub struct ListenerName {
    /// Its transport.
    pub transport: Transport,
    /// `host:port` for Via, as peers can reach it (the advertised address behind a 1:1 NAT).
    pub sent_by: Arc<str>,
}

impl ListenerName {
    fn is_at(&self, host: &str) -> bool {
        let own = self.sent_by.rsplit_once(':').map_or(&*self.sent_by, |(own, _)| own);
        own.trim_matches(['[', ']']) == host.trim_matches(['[', ']'])
    }

    fn port(&self) -> Option<u16> {
        self.sent_by.rsplit_once(':')?.1.parse().ok()
    }
}

/// A message to send. Retransmissions share its bytes.
#[derive(Clone, Debug)]
pub struct Transmit<U> {
    /// The flow that it is sent over.
    pub flow: Flow,
    /// The message.
    pub bytes: Arc<[u8]>,
    /// Whose it is, if anybody's.
    pub user: Option<U>,
}

/// A client transaction. One that is over refers to nothing, for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ClientTx {
    slot: u32,
    serial: u64,
}

/// A server transaction. One that is over refers to nothing, for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ServerTx {
    slot: u32,
    serial: u64,
}

/// What a received message is to the transaction layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Routed<U> {
    /// Dealt with: a retransmission, an ACK to a rejection, a repeated answer. With the user of its transaction, if there is one.
    Absorbed(Option<U>),
    /// A request that no transaction knows: to be begun, answered statelessly, or dropped.
    New,
    /// An ACK to a 2xx, for its dialog.
    Ack,
    /// An answer to a request of ours.
    Response {
        /// The transaction.
        tx: ClientTx,
        /// Its user.
        user: U,
    },
    /// An answer to nothing of ours.
    Stray,
}

/// An event of a transaction that no received message causes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TxEvent<U> {
    /// A request of ours was not answered in time (to be treated as 408).
    Timeout {
        /// The transaction's user.
        user: U,
    },
    /// The transport failed under a request of ours (to be treated as 503).
    Broken {
        /// The transaction's user.
        user: U,
    },
    /// The final answer to an INVITE was never acknowledged, or could not be sent.
    Unacknowledged {
        /// The transaction's user.
        user: U,
    },
}

/// What a transaction depends on: a connection by its name, and one to an address, for it may have to be made. The address may be another
/// than the connection's: a peer that called us may want its requests at another port.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Over {
    Connection(ConnectionId),
    Address(SocketAddr),
}

impl Over {
    fn each(connection: Option<ConnectionId>, remote: SocketAddr) -> impl Iterator<Item = Over> {
        connection.map(Over::Connection).into_iter().chain([Over::Address(remote)])
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Side {
    Client,
    Server,
}

/// The reason of a deadline: which transaction, and which of its timers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimerReason {
    side: Side,
    slot: u32,
    /// The timer.
    pub timer: Timer,
}

type Timers = ArrayVec<(Timer, DeadlineId), 3>;

/// The transaction layer of one shard. `U` is the user of a transaction: what the engine wants to be reminded of.
#[derive(Debug)]
pub struct Stack<U> {
    listeners: Vec<ListenerName>,
    clients: Slab<Client<U>>,
    servers: Slab<Server<U>>,
    by_key: KeyedMap<u128, u32>,
    /// The transactions over connections. Datagrams have none.
    over_connections: KeyedMap<Over, BTreeSet<(Side, u32)>>,
    keyed: Keyed,
    deadlines: Deadlines<TimerReason>,
    transmits: VecDeque<Transmit<U>>,
    events: VecDeque<TxEvent<U>>,
    seed: Seed,
    serial: u64,
    shard: u16,
    counts: Arc<SipCounts>,
    /// Whose the requests are that are begun now.
    concerned: Option<U>,
}

impl<U: Copy> Stack<U> {
    /// A layer without transactions.
    #[must_use]
    pub fn new(shard: u16, listeners: Vec<ListenerName>, mut seed: Seed, counts: Arc<SipCounts>) -> Self {
        let keyed = Keyed::from_seed(&mut seed);
        Stack {
            listeners,
            clients: Slab::new(),
            servers: Slab::new(),
            by_key: keyed.map(),
            over_connections: keyed.map(),
            keyed,
            deadlines: Deadlines::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            seed,
            serial: 0,
            shard,
            counts,
            concerned: None,
        }
    }

    /// The name of a listener.
    #[must_use]
    pub fn listener(&self, id: ListenerId) -> &ListenerName {
        &self.listeners[usize::from(id.0)]
    }

    /// The first listener with this transport and address family.
    #[must_use]
    pub fn listener_for(&self, transport: Transport, remote: SocketAddr) -> Option<ListenerId> {
        let family = |name: &ListenerName| name.sent_by.starts_with('[') == remote.is_ipv6();
        let found = self.listeners.iter().position(|name| name.transport == transport && family(name))?;
        Some(ListenerId(found as u16))
    }

    /// What a received, well-formed message is.
    pub fn route(&mut self, now: Time, flow: &Flow, message: &Message<'_>) -> Routed<U> {
        match message.method() {
            Some(method) => {
                self.counts.request(Direction::In, method, flow.transport);
                self.route_request(now, flow, message, method)
            }
            None => {
                self.counts.response(Direction::In, message.status().unwrap_or(0), flow.transport);
                self.route_response(now, message)
            }
        }
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit<U>> {
        self.transmits.pop_front()
    }

    /// The next event of a transaction.
    pub fn poll_event(&mut self) -> Option<TxEvent<U>> {
        self.events.pop_front()
    }

    /// When to call [`Stack::due`], and why.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Time, TimerReason)> {
        self.deadlines.next().map(|(at, reason)| (at, *reason))
    }

    /// Fires one timer that is due. False when none is.
    pub fn due(&mut self, now: Time) -> bool {
        let Some((_, TimerReason { side, slot, timer })) = self.deadlines.pop_due(now) else { return false };
        match side {
            Side::Client => self.client_timer(now, slot, timer),
            Side::Server => self.server_timer(now, slot, timer),
        }
        true
    }

    /// A connection is gone, could not be opened to `remote`, or datagrams do not get there: whatever depended on it fails.
    pub fn broken(&mut self, now: Time, connection: Option<ConnectionId>, transport: Transport, remote: SocketAddr) {
        let there = if transport.unreliable() {
            // Not worth a table: datagrams hardly ever fail for good.
            let clients = self.clients.iter().map(|(slot, client)| (Side::Client, slot, client.flow.remote));
            let servers = self.servers.iter().map(|(slot, server)| (Side::Server, slot, server.flow.remote));
            let there = clients.chain(servers).filter(|(.., other)| *other == remote);
            there.map(|(side, slot, _)| (side, slot as u32)).collect()
        } else {
            let known = Over::each(connection, remote).filter_map(|over| self.over_connections.get(&over));
            known.flatten().copied().collect::<BTreeSet<_>>()
        };
        for (side, slot) in there {
            let flow = match side {
                Side::Client => self.clients.get(slot as usize).map(|client| client.flow),
                Side::Server => self.servers.get(slot as usize).map(|server| server.flow),
            };
            let hit = |flow: &Flow| match (flow.connection, connection) {
                (Some(ours), Some(gone)) => ours == gone,
                _ => flow.remote == remote,
            };
            if !flow.is_some_and(|flow| flow.transport == transport && hit(&flow)) {
                continue;
            }
            match side {
                Side::Client => self.client_broken(now, slot),
                Side::Server => self.server_broken(now, slot),
            }
        }
    }

    fn note_connection(&mut self, flow: &Flow, side: Side, slot: u32) {
        if !flow.transport.unreliable() {
            for over in Over::each(flow.connection, flow.remote) {
                self.over_connections.entry(over).or_default().insert((side, slot));
            }
        }
    }

    fn forget_connection(&mut self, flow: &Flow, side: Side, slot: u32) {
        if flow.transport.unreliable() {
            return;
        }
        for over in Over::each(flow.connection, flow.remote) {
            if let Entry::Occupied(mut there) = self.over_connections.entry(over) {
                there.get_mut().remove(&(side, slot));
                if there.get().is_empty() {
                    there.remove();
                }
            }
        }
    }

    /// How many client and server transactions live.
    #[must_use]
    pub fn len(&self) -> (usize, usize) {
        (self.clients.len(), self.servers.len())
    }

    /// Whether no transaction lives.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.servers.is_empty()
    }

    /// Queues a message of this user that belongs to no transaction (the ACK to a 2xx).
    pub fn send(&mut self, flow: Flow, bytes: Arc<[u8]>, user: Option<U>) {
        self.transmits.push_back(Transmit { flow, bytes, user });
    }

    /// Whose the requests are that are begun from now on without a user: their answers say so ([`Transmit::user`]), and nothing else
    /// follows from it.
    pub fn concern(&mut self, user: Option<U>) {
        self.concerned = user;
    }

    /// Whether this is the host of one of our listeners, as they call themselves. An IPv6 address may be without its brackets.
    #[must_use]
    pub fn listens_at(&self, host: &str) -> bool {
        self.listeners.iter().any(|name| name.is_at(host))
    }

    /// Whether `host` and `port` are what one of our listeners calls itself in Via.
    #[must_use]
    pub fn is_ours(&self, host: &str, port: u16) -> bool {
        self.listeners.iter().any(|name| name.is_at(host) && name.port() == Some(port))
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn set_timer(deadlines: &mut Deadlines<TimerReason>, timers: &mut Timers, at: Time, reason: TimerReason) {
        Self::stop_timer(deadlines, timers, reason.timer);
        let id = deadlines.set(at, reason);
        timers.push((reason.timer, id));
    }

    fn stop_timer(deadlines: &mut Deadlines<TimerReason>, timers: &mut Timers, timer: Timer) {
        if let Some(place) = timers.iter().position(|(running, _)| *running == timer) {
            let (_, id) = timers.swap_remove(place);
            deadlines.cancel(id);
        }
    }
}

/// Timers that nobody waits for end together on this grid: each call has four of them, and a wake-up for each would cost more than they do.
const ABSORB_GRID: Duration = Duration::from_millis(250);

/// Does the part of an action that concerns timers; whether it did.
fn timer_action(
    action: Action,
    now: Time,
    side: Side,
    slot: u32,
    deadlines: &mut Deadlines<TimerReason>,
    timers: &mut Timers,
) -> bool {
    match action {
        Action::Set(timer, span) => {
            let at = now + span;
            let at = if timer.absorbs() { at.rounded_up(ABSORB_GRID) } else { at };
            Stack::<()>::set_timer(deadlines, timers, at, TimerReason { side, slot, timer });
            true
        }
        Action::Stop(timer) => {
            Stack::<()>::stop_timer(deadlines, timers, timer);
            true
        }
        _ => false,
    }
}
