//! Calls that were just refused without a transaction: an INVITE that comes again must get the same answer.
//!
//! A datagram is often sent again before its answer arrives, above all when everything is slow. Without a memory the second one could be
//! taken where the first was refused: the caller, who has heard the refusal, would never acknowledge the answer, and an agent would
//! talk to nobody. A bounded table; what is forgotten early makes the mistake possible again and nothing worse.

use std::net::IpAddr;
use std::time::Duration;

use super::admission::Refusal;
use crate::base::Time;
use crate::base::hash::Keyed;
use crate::sip::flow::Flow;
use crate::sip::message::Message;

/// So many refusals are remembered at the most: those of some seconds of a flood. A power of two.
const REFUSALS_MAX: usize = 1 << 14;
/// A client sends an INVITE again for so long (64 times T1, RFC 3261 17.1.1.2).
const REMEMBERED: Duration = Duration::from_secs(32);

/// A refusal, and what it was told to.
#[derive(Clone, Copy)]
struct Entry {
    request: u64,
    at: Time,
    refusal: Refusal,
}

pub(super) struct Refused {
    /// Each request has one place, by its key; a later one takes the place. There is no table before the first refusal.
    table: Vec<Option<Entry>>,
    keyed: Keyed,
}

/// A request, so that only the very same one is it again: a client that reuses a branch is not refused for what it was refused before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RequestKey(u128);

impl RequestKey {
    const fn place(self) -> usize {
        self.0 as usize & (REFUSALS_MAX - 1)
    }

    const fn rest(self) -> u64 {
        (self.0 >> 64) as u64
    }
}

impl Refused {
    pub(super) fn new(keyed: Keyed) -> Self {
        Refused { table: Vec::new(), keyed }
    }

    /// What tells a request from every other, its repetitions apart: its dialog-to-be, its number and where it came from.
    pub(super) fn request(&self, flow: &Flow, message: &Message<'_>) -> Option<RequestKey> {
        let number = message.cseq().ok()?.number.to_be_bytes();
        let (call_id, from, remote) = (message.call_id().ok()?, message.from().ok()?, flow.remote);
        let ip = match remote.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let tag = from.tag().unwrap_or("").as_bytes();
        Some(RequestKey(self.keyed.digest(&[call_id, tag, &number, &ip, &remote.port().to_be_bytes()])))
    }

    /// The request was refused.
    pub(super) fn note(&mut self, now: Time, request: RequestKey, refusal: Refusal) {
        if self.table.is_empty() {
            self.table.resize(REFUSALS_MAX, None);
        }
        self.table[request.place()] = Some(Entry { request: request.rest(), at: now, refusal });
    }

    /// How the request was refused, if it was a short while ago, and that is remembered.
    pub(super) fn of(&self, now: Time, request: RequestKey) -> Option<Refusal> {
        let entry = (*self.table.get(request.place())?)?;
        (entry.request == request.rest() && now.since(entry.at) < REMEMBERED).then_some(entry.refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seed::Seed;
    use crate::engine::tests::house::{CALLER, Request};
    use crate::sip::flow::ListenerId;
    use crate::sip::stack::counts::Rejected;

    #[test]
    fn the_latest_are_remembered_for_a_while_and_never_more_than_fit() {
        let mut refused = Refused::new(Keyed::from_seed(&mut Seed::from_number(1)));
        let (at, key) = (Time::from_secs(100), |call: u128| RequestKey(call << 64 | call));
        assert!(refused.of(at, key(1)).is_none(), "nothing is kept before the first");
        for call in 0..20_000 {
            refused.note(at, key(call), Refusal::new(503, Rejected::Shed));
        }
        assert!(refused.of(at, key(19_999)).is_some() && refused.of(at, key(4_000)).is_some());
        assert!(refused.of(at, key(1)).is_none(), "a later one has its place");
        assert_eq!(refused.table.len(), REFUSALS_MAX);
        assert!(refused.of(at + REMEMBERED, key(19_999)).is_none(), "by time, though nothing is refused since");
    }

    #[test]
    fn only_the_very_same_request_is_it_again() {
        let refused = Refused::new(Keyed::from_seed(&mut Seed::from_number(1)));
        let flow = Flow::udp(ListenerId(0), CALLER.parse().unwrap());
        let key = |text: &str, flow: &Flow| refused.request(flow, &Message::read(text.as_bytes()).unwrap()).unwrap();
        let first = Request::invite("a").text();
        assert_eq!(key(&first, &flow), key(&first, &flow));
        // A phone that keeps its branch when it answers a challenge.
        assert_ne!(key(&first, &flow), key(&first.replace("CSeq: 1", "CSeq: 2"), &flow));
        assert_ne!(key(&first, &flow), key(&first.replace("Call-ID: a", "Call-ID: b"), &flow));
        assert_ne!(key(&first, &flow), key(&first, &Flow::udp(ListenerId(0), ([192, 0, 2, 9], 5060).into())));
    }
}
