//! The counters of a shard's transaction layer. One thread writes them, any thread reads.

use crate::base::sync::{AtomicU64, Ordering};
use crate::base::words::{Direction, Transport};
use crate::sip::method::Method;

/// The methods that have a series of their own; the last is everything else.
pub const METHODS: [&str; 15] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "REFER",
    "NOTIFY",
    "INFO",
    "UPDATE",
    "PRACK",
    "SUBSCRIBE",
    "MESSAGE",
    "PUBLISH",
    "other",
];

/// The statuses counted: 100 to 699, and 0 for what is none of them.
const STATUSES: usize = 601;

/// Why a message was refused before any call saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejected {
    /// The message could not be read.
    Unreadable,
    /// It was read, but lacks what every message must have, or contradicts itself.
    Malformed,
    /// It came from an unknown peer.
    Stranger,
    /// It is a response to no request of ours.
    StrayResponse,
    /// A request for a dialog that we do not have.
    NoDialog,
    /// Shed under overload or draining.
    Shed,
    /// A limit was reached.
    Limit,
    /// Credentials were missing or wrong.
    Unauthorized,
    /// A loop, or too many hops.
    Loop,
}

impl Rejected {
    /// All of them.
    pub const ALL: [Rejected; 9] = [
        Rejected::Unreadable,
        Rejected::Malformed,
        Rejected::Stranger,
        Rejected::StrayResponse,
        Rejected::NoDialog,
        Rejected::Shed,
        Rejected::Limit,
        Rejected::Unauthorized,
        Rejected::Loop,
    ];

    /// The label's value.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Rejected::Unreadable => "unreadable",
            Rejected::Malformed => "malformed",
            Rejected::Stranger => "stranger",
            Rejected::StrayResponse => "stray_response",
            Rejected::NoDialog => "no_dialog",
            Rejected::Shed => "shed",
            Rejected::Limit => "limit",
            Rejected::Unauthorized => "unauthorized",
            Rejected::Loop => "loop",
        }
    }
}

/// The counters.
#[derive(Debug)]
pub struct SipCounts {
    requests: Box<[AtomicU64]>,
    responses: Box<[AtomicU64]>,
    retransmissions: [AtomicU64; 2],
    rejected: [AtomicU64; Rejected::ALL.len()],
}

impl Default for SipCounts {
    fn default() -> Self {
        let zeros = |n: usize| (0..n).map(|_| AtomicU64::new(0)).collect();
        SipCounts {
            requests: zeros(2 * METHODS.len() * Transport::ALL.len()),
            responses: zeros(2 * STATUSES * Transport::ALL.len()),
            retransmissions: Default::default(),
            rejected: Default::default(),
        }
    }
}

/// One writer, so a load and a store do for an increment.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

impl SipCounts {
    pub(crate) fn request(&self, direction: Direction, method: Method<'_>, transport: Transport) {
        let name = method.as_str();
        let method = METHODS.iter().position(|known| *known == name).unwrap_or(METHODS.len() - 1);
        bump(&self.requests[(direction.index() * METHODS.len() + method) * Transport::ALL.len() + transport.index()]);
    }

    pub(crate) fn response(&self, direction: Direction, status: u16, transport: Transport) {
        let status = usize::from(status).checked_sub(99).filter(|s| *s < STATUSES).unwrap_or(0);
        bump(&self.responses[(direction.index() * STATUSES + status) * Transport::ALL.len() + transport.index()]);
    }

    pub(crate) fn retransmission(&self, direction: Direction) {
        bump(&self.retransmissions[direction.index()]);
    }

    /// Counts a refusal.
    pub fn reject(&self, why: Rejected) {
        bump(&self.rejected[why as usize]);
    }

    /// All requests counted so far, those that never happened left out.
    pub fn requests(&self) -> impl Iterator<Item = (Direction, &'static str, Transport, u64)> + '_ {
        Direction::ALL.iter().flat_map(move |direction| {
            METHODS.iter().enumerate().flat_map(move |(m, method)| {
                Transport::ALL.iter().map(move |transport| {
                    let at = (direction.index() * METHODS.len() + m) * Transport::ALL.len() + transport.index();
                    (*direction, *method, *transport, self.requests[at].load(Ordering::Relaxed))
                })
            })
        })
    }

    /// All responses counted so far, those that never happened left out; status 0 is one that is none.
    pub fn responses(&self) -> impl Iterator<Item = (Direction, u16, Transport, u64)> + '_ {
        Direction::ALL
            .iter()
            .flat_map(move |direction| {
                (0..STATUSES).flat_map(move |s| {
                    Transport::ALL.iter().map(move |transport| {
                        let at = (direction.index() * STATUSES + s) * Transport::ALL.len() + transport.index();
                        let status = if s == 0 { 0 } else { s as u16 + 99 };
                        (*direction, status, *transport, self.responses[at].load(Ordering::Relaxed))
                    })
                })
            })
            .filter(|(_, _, _, count)| *count > 0)
    }

    /// Retransmissions received and sent.
    pub fn retransmissions(&self, direction: Direction) -> u64 {
        self.retransmissions[direction.index()].load(Ordering::Relaxed)
    }

    /// Refusals for this reason.
    pub fn rejected(&self, why: Rejected) -> u64 {
        self.rejected[why as usize].load(Ordering::Relaxed)
    }
}
