//! Trunks: who may bring calls and take them, how many and how fast.

use serde::{Deserialize, Serialize};

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::numbers::NumberPlan;
use crate::base::words::Transport;
use crate::base::{EntryId, QueueId};

/// An address with a prefix length: `203.0.113.0/24`, `2001:db8::/32`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefix {
    /// The network.
    pub address: IpAddr,
    /// The length of the prefix in bits.
    pub bits: u8,
}

impl Prefix {
    /// Whether `address` is in this network. An IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let shifted = |a: u128, bits: u32, width: u32| if bits == 0 { 0 } else { a >> (width - bits) };
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(host)) => {
                let bits = u32::from(self.bits.min(32));
                shifted(u128::from(net.to_bits()), bits, 32) == shifted(u128::from(host.to_bits()), bits, 32)
            }
            (IpAddr::V6(net), IpAddr::V6(host)) => {
                let bits = u32::from(self.bits.min(128));
                shifted(net.to_bits(), bits, 128) == shifted(host.to_bits(), bits, 128)
            }
            _ => false,
        }
    }
}

/// Where the INVITE of a trunk has the dialled number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DialledIn {
    /// The Request-URI.
    #[default]
    RequestUri,
    /// The To header.
    To,
    /// The first Diversion header (RFC 5806), else the Request-URI.
    Diversion,
    /// The first History-Info entry (RFC 7044), else the Request-URI.
    HistoryInfo,
}

/// Where a number leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum NumberTarget {
    /// To an entry.
    Entry(EntryId),
    /// Straight to a queue, without a greeting; counted under the entry `direct`.
    Queue(QueueId),
}

impl NumberTarget {
    /// The entry, if it leads to one.
    #[must_use]
    pub const fn entry(self) -> Option<EntryId> {
        match self {
            NumberTarget::Entry(entry) => Some(entry),
            NumberTarget::Queue(_) => None,
        }
    }
}

/// Digest credentials (RFC 8760).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// The user name.
    pub user: Arc<str>,
    /// The password.
    pub password: Arc<str>,
}

/// How calls are sent to a trunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outbound {
    /// Its address.
    pub address: SocketAddr,
    /// The transport.
    pub transport: Transport,
    /// The host part of the URIs sent to it.
    pub host: Arc<str>,
    /// Prefixes of the E.164 numbers that it takes; empty: all.
    pub prefixes: Vec<String>,
    /// The number that it gets as ours, when the agency has none.
    pub caller: Arc<str>,
}

/// A named peer that sends and takes calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrunkRules {
    /// Its name in the configuration, in metrics and in logs.
    pub name: Arc<str>,
    /// Networks that its requests come from; empty for a trunk that is known by digest alone.
    pub from: Vec<Prefix>,
    /// Its credentials: it answers our challenges with them, and we answer its challenges.
    pub login: Option<Login>,
    /// Whether P-Asserted-Identity is trusted from it and sent to it (RFC 3325).
    pub trusted: bool,
    /// Where it writes the dialled number.
    pub dialled_in: DialledIn,
    /// How it writes numbers.
    pub plan: NumberPlan,
    /// Where dialled numbers lead, by the number exactly as normalised.
    pub numbers: Vec<(Arc<str>, NumberTarget)>,
    /// Where every other number leads; `None`: 404.
    pub other_numbers: Option<NumberTarget>,
    /// The most calls at once, both ways.
    pub calls_max: u32,
    /// How many more calls there may be for emergency entries and queues.
    pub emergency_reserve: u32,
    /// The most new calls in a second; 0: no limit.
    pub calls_per_second_max: u32,
    /// How often it is probed by OPTIONS; `None`: never, and it counts as up.
    pub probe_every: Option<Duration>,
    /// How calls are sent to it; `None`: it takes none.
    pub outbound: Option<Outbound>,
}

impl TrunkRules {
    /// Where a normalised number leads.
    #[must_use]
    pub fn target(&self, number: &str) -> Option<NumberTarget> {
        self.numbers.iter().find(|(known, _)| &**known == number).map(|(_, target)| *target).or(self.other_numbers)
    }

    /// Whether it takes calls to this E.164 number or code.
    #[must_use]
    pub fn takes(&self, number: &str) -> bool {
        self.outbound.as_ref().is_some_and(|out| out.prefixes.is_empty() || out.prefixes.iter().any(|p| number.starts_with(p)))
    }
}

/// Why a trunk's call is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There are as many calls as allowed.
    Full,
    /// Too many calls in a second.
    TooFast,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn plain(name: &str) -> TrunkRules {
        TrunkRules {
            name: name.into(),
            from: Vec::new(),
            login: None,
            trusted: false,
            dialled_in: DialledIn::RequestUri,
            plan: NumberPlan::default(),
            numbers: Vec::new(),
            other_numbers: None,
            calls_max: 100,
            emergency_reserve: 0,
            calls_per_second_max: 0,
            probe_every: None,
            outbound: None,
        }
    }

    #[test]
    fn prefixes_compare_the_bits_that_count() {
        let prefix = |text: &str, bits| Prefix { address: text.parse().unwrap(), bits };
        let inside = |prefix: Prefix, host: &str| prefix.contains(host.parse().unwrap());
        assert!(inside(prefix("203.0.113.0", 24), "203.0.113.77"));
        assert!(!inside(prefix("203.0.113.0", 24), "203.0.114.1"));
        assert!(inside(prefix("0.0.0.0", 0), "9.9.9.9"));
        assert!(!inside(prefix("0.0.0.0", 0), "2001:db8::1"));
        assert!(inside(prefix("2001:db8::", 32), "2001:db8:1::1"));
        assert!(inside(prefix("10.0.0.1", 32), "::ffff:10.0.0.1"));
    }
}
