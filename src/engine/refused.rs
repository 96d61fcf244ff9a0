//! Calls that were just refused without a transaction: an INVITE that comes again must get the same answer.
//!
//! A datagram is often sent again before its answer arrives, above all when everything is slow. Without a memory the second one could be
//! taken where the first was refused: the caller, who has heard the refusal, would never acknowledge the answer, and an agent would
//! talk to nobody. Two generations of a bounded table; what is forgotten early makes the mistake possible again and nothing worse.

use std::net::IpAddr;
use std::time::Duration;

use super::inbound::Refusal;
use crate::base::Time;
use crate::base::hash::{Keyed, KeyedMap};
use crate::sip::flow::Flow;
use crate::sip::message::Message;

/// So many refusals of each generation are remembered.
const REFUSALS_MAX: usize = 8_192;
/// A client sends an INVITE again for so long (64 times T1, RFC 3261 17.1.1.2).
const REMEMBERED: Duration = Duration::from_secs(32);

pub(super) struct Refused {
    young: KeyedMap<u128, (Refusal, Time)>,
    old: KeyedMap<u128, (Refusal, Time)>,
    /// Since when the young generation is filled.
    since: Time,
    keyed: Keyed,
}

/// A request, so that only the very same one is it again: a client that reuses a branch is not refused for what it was refused before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RequestKey(u128);

impl Refused {
    pub(super) fn new(keyed: Keyed) -> Self {
        Refused { young: keyed.map(), old: keyed.map(), since: Time::default(), keyed }
    }

    /// The request of this transaction.
    pub(super) fn request(&self, transaction: u128, flow: &Flow, message: &Message<'_>) -> Option<RequestKey> {
        let number = message.cseq().ok()?.number.to_be_bytes();
        let (call_id, from, remote) = (message.call_id().ok()?, message.from().ok()?, flow.remote);
        let ip = match remote.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let (transaction, port) = (transaction.to_be_bytes(), remote.port().to_be_bytes());
        let tag = from.tag().unwrap_or("").as_bytes();
        Some(RequestKey(self.keyed.digest(&[&transaction, call_id, tag, &number, &ip, &port])))
    }

    /// The request was refused.
    pub(super) fn note(&mut self, now: Time, RequestKey(request): RequestKey, refusal: Refusal) {
        if self.young.len() >= REFUSALS_MAX || now.since(self.since) >= REMEMBERED {
            self.old = std::mem::replace(&mut self.young, self.keyed.map());
            self.since = now;
        }
        self.young.insert(request, (refusal, now));
    }

    /// How the request was refused, if it was a short while ago, and that is remembered.
    pub(super) fn of(&self, now: Time, RequestKey(request): RequestKey) -> Option<Refusal> {
        let found = self.young.get(&request).or_else(|| self.old.get(&request));
        found.filter(|(_, at)| now.since(*at) < REMEMBERED).map(|(refusal, _)| *refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seed::Seed;
    use crate::engine::inbound::refuse;
    use crate::engine::tests::house::{CALLER, Request};
    use crate::sip::flow::ListenerId;
    use crate::sip::stack::counts::Rejected;

    #[test]
    fn the_latest_are_remembered_for_a_while_and_never_more_than_fit() {
        let mut refused = Refused::new(Keyed::from_seed(&mut Seed::from_number(1)));
        let at = Time::from_secs(100);
        for call in 0..20_000 {
            refused.note(at, RequestKey(call), refuse(503, Rejected::Shed));
        }
        assert!(refused.of(at, RequestKey(19_999)).is_some() && refused.of(at, RequestKey(12_000)).is_some());
        assert!(refused.of(at, RequestKey(1)).is_none(), "forgotten");
        assert!(refused.young.len() + refused.old.len() <= 2 * REFUSALS_MAX);
        assert!(refused.of(at + REMEMBERED, RequestKey(19_999)).is_none(), "by time, though nothing is refused since");
    }

    #[test]
    fn only_the_very_same_request_is_it_again() {
        let refused = Refused::new(Keyed::from_seed(&mut Seed::from_number(1)));
        let flow = Flow::udp(ListenerId(0), CALLER.parse().unwrap());
        let key = |text: &str, flow: &Flow| refused.request(7, flow, &Message::read(text.as_bytes()).unwrap()).unwrap();
        let first = Request::invite("a").text();
        assert_eq!(key(&first, &flow), key(&first, &flow));
        // A phone that keeps its branch when it answers a challenge.
        assert_ne!(key(&first, &flow), key(&first.replace("CSeq: 1", "CSeq: 2"), &flow));
        assert_ne!(key(&first, &flow), key(&first.replace("Call-ID: a", "Call-ID: b"), &flow));
        assert_ne!(key(&first, &flow), key(&first, &Flow::udp(ListenerId(0), ([192, 0, 2, 9], 5060).into())));
    }
}
