//! A network of datagrams: each is lost, repeated or late by chance.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::Time;
use crate::base::seed::Seed;

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The share of datagrams that are lost, in thousandths.
    pub lost_permille: u64,
    /// The share that come twice.
    pub repeated_permille: u64,
    /// The longest delay; each takes between a millisecond and this.
    pub delay_max: Duration,
}

/// A datagram that has arrived.
#[derive(Clone, Debug)]
pub struct Datagram {
    /// From whom.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// What.
    pub bytes: Arc<[u8]>,
}

/// The network.
pub struct Network {
    weather: Weather,
    seed: Seed,
    /// By arrival, then by order of sending.
    flying: BinaryHeap<Reverse<(Time, u64)>>,
    datagrams: std::collections::BTreeMap<u64, Datagram>,
    sent: u64,
}

impl Network {
    /// A network in such weather.
    #[must_use]
    pub fn new(weather: Weather, seed: Seed) -> Self {
        Network { weather, seed, flying: BinaryHeap::new(), datagrams: std::collections::BTreeMap::new(), sent: 0 }
    }

    /// Sends a datagram off.
    pub fn send(&mut self, now: Time, datagram: &Datagram) {
        if self.seed.below(1000) < self.weather.lost_permille {
            return;
        }
        let copies = if self.seed.below(1000) < self.weather.repeated_permille { 2 } else { 1 };
        for _ in 0..copies {
            let micros = self.weather.delay_max.as_micros() as u64;
            let at = now + Duration::from_micros(1000 + self.seed.below(micros.max(1)));
            self.sent += 1;
            self.flying.push(Reverse((at, self.sent)));
            self.datagrams.insert(self.sent, datagram.clone());
        }
    }

    /// When the next one arrives.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        self.flying.peek().map(|Reverse((at, _))| *at)
    }

    /// The next one that has arrived.
    pub fn arrived(&mut self, now: Time) -> Option<Datagram> {
        let Reverse((at, number)) = *self.flying.peek()?;
        if at > now {
            return None;
        }
        self.flying.pop();
        self.datagrams.remove(&number)
    }
}
