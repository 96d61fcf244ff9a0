//! The network: datagrams that are lost, repeated or late by chance, and connections that deliver in order until they break.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::Time;
use crate::base::seed::Seed;
use crate::sip::flow::ConnectionId;

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The share of datagrams that are lost, in thousandths.
    pub lost_permille: u64,
    /// The share that come twice.
    pub repeated_permille: u64,
    /// The longest delay; each takes between a millisecond and this.
    pub delay_max: Duration,
    /// The share of messages over a connection after which it breaks, in thousandths.
    pub broken_permille: u64,
}

/// A message on its way: a datagram, or what a connection delivers whole.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Who sent it.
    pub from: SocketAddr,
    /// Whom it is for.
    pub to: SocketAddr,
    /// The message.
    pub bytes: Arc<[u8]>,
    /// The connection that carries it; `None`: it is a datagram.
    pub connection: Option<ConnectionId>,
}

/// A connection between the server and a phone.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The phone, by its own address.
    pub phone: SocketAddr,
    /// The phone's end as the server sees it: a passing port, unless the server opened the connection.
    pub remote: SocketAddr,
    /// When the last message sent on it arrives.
    busy_until: Time,
}

/// The network.
pub struct Network {
    weather: Weather,
    seed: Seed,
    /// By arrival, then by order of sending.
    flying: BinaryHeap<Reverse<(Time, u64)>>,
    parcels: BTreeMap<u64, Parcel>,
    sent: u64,
    connections: BTreeMap<ConnectionId, Connection>,
    connections_ever: u64,
}

impl Network {
    /// A network in such weather.
    #[must_use]
    pub fn new(weather: Weather, seed: Seed) -> Self {
        let (flying, parcels) = (BinaryHeap::new(), BTreeMap::new());
        Network { weather, seed, flying, parcels, sent: 0, connections: BTreeMap::new(), connections_ever: 0 }
    }

    /// Sends a message off. One over a connection is neither lost nor repeated, and arrives after those sent before it.
    pub fn send(&mut self, now: Time, parcel: Parcel) {
        let micros = self.weather.delay_max.as_micros() as u64;
        if let Some(id) = parcel.connection {
            let at = now + Duration::from_micros(1000 + self.seed.below(micros.max(1)));
            let Some(connection) = self.connections.get_mut(&id) else { return };
            connection.busy_until = connection.busy_until.max(at);
            let at = connection.busy_until;
            return self.fly(at, parcel);
        }
        if self.seed.below(1000) < self.weather.lost_permille {
            return;
        }
        let copies = if self.seed.below(1000) < self.weather.repeated_permille { 2 } else { 1 };
        for _ in 0..copies {
            let at = now + Duration::from_micros(1000 + self.seed.below(micros.max(1)));
            self.fly(at, parcel.clone());
        }
    }

    fn fly(&mut self, at: Time, parcel: Parcel) {
        self.sent += 1;
        self.flying.push(Reverse((at, self.sent)));
        self.parcels.insert(self.sent, parcel);
    }

    /// When the next one arrives.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        self.flying.peek().map(|Reverse((at, _))| *at)
    }

    /// The next one that has arrived. What was on a connection that has broken is gone.
    pub fn arrived(&mut self, now: Time) -> Option<Parcel> {
        loop {
            let Reverse((at, number)) = *self.flying.peek()?;
            if at > now {
                return None;
            }
            self.flying.pop();
            let Some(parcel) = self.parcels.remove(&number) else { continue };
            if parcel.connection.is_none_or(|id| self.connections.contains_key(&id)) {
                return Some(parcel);
            }
        }
    }

    /// Opens a connection between the server and a phone, under a name that it had before or a fresh one.
    pub fn connect(&mut self, now: Time, phone: SocketAddr, remote: SocketAddr, again: Option<ConnectionId>) -> ConnectionId {
        let id = again.unwrap_or_else(|| self.fresh_name());
        self.connections.insert(id, Connection { phone, remote, busy_until: now });
        id
    }

    /// A name that no connection has had.
    pub fn fresh_name(&mut self) -> ConnectionId {
        self.connections_ever += 1;
        ConnectionId(self.connections_ever)
    }

    /// The connection of this name, while it lives.
    #[must_use]
    pub fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(&id)
    }

    /// The newest connection that lives and fits.
    pub fn find(&self, fits: impl Fn(&Connection) -> bool) -> Option<ConnectionId> {
        self.connections.iter().rev().find(|(_, connection)| fits(connection)).map(|(id, _)| *id)
    }

    /// Whether a connection breaks now, by chance.
    pub fn breaks(&mut self) -> bool {
        self.seed.below(1000) < self.weather.broken_permille
    }

    /// Breaks a connection.
    pub fn cut(&mut self, id: ConnectionId) -> Option<Connection> {
        self.connections.remove(&id)
    }
}
