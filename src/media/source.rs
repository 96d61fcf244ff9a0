//! From where an endpoint takes packets (the source lock), and where it sends to (RFC 4961).
//!
//! Pure: it says what to do, the thread connects and disconnects the socket.

use std::net::{IpAddr, SocketAddr};

use crate::engine::media_port::{Remote, SourceRule};

/// What a packet's source is to an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// The one it is locked to.
    Known,
    /// One that may be the party: the lock closes on it.
    Locks,
    /// Someone else.
    Stranger,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lock {
    /// Any port of these addresses.
    Open(IpAddr, IpAddr),
    /// This source only.
    Closed(SocketAddr),
}

/// The lock, and the address to send to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Source {
    lock: Lock,
    described: SocketAddr,
    target: SocketAddr,
    /// Whether RTP is sent to where it comes from (registered and NATed legs), not to where the description says.
    follows: bool,
}

impl Source {
    /// By a description: open for its address, and what the rule adds.
    pub(super) fn new(remote: &Remote, before: Option<&Source>) -> Self {
        let described = remote.rtp;
        let (follows, also) = match remote.source {
            SourceRule::Described => (false, described.ip()),
            SourceRule::DescribedOr(also) => (true, also),
        };
        // A phone behind NAT repeats its private address in each description: what was learned of it still holds.
        let learned = before.filter(|before| follows && before.follows && before.described == described);
        let target = learned.map_or(described, |before| before.target);
        Source { lock: Lock::Open(described.ip(), also), described, target, follows }
    }

    /// Judges a packet's source.
    pub(super) fn judge(&self, from: SocketAddr) -> Verdict {
        match self.lock {
            Lock::Closed(source) if source == from => Verdict::Known,
            Lock::Open(one, other) if from.ip() == one || from.ip() == other => Verdict::Locks,
            _ => Verdict::Stranger,
        }
    }

    /// Whether RTCP may come from there: the party's address, any port.
    pub(super) fn admits_control(&self, from: IpAddr) -> bool {
        match self.lock {
            Lock::Closed(source) => from == source.ip() || from == self.described.ip(),
            Lock::Open(one, other) => from == one || from == other,
        }
    }

    /// Closes the lock.
    pub(super) fn close_on(&mut self, from: SocketAddr) {
        self.lock = Lock::Closed(from);
        if self.follows {
            self.target = from;
        }
    }

    /// Opens it again, for the address that it was closed on.
    pub(super) fn reopen(&mut self) {
        if let Lock::Closed(source) = self.lock {
            self.lock = Lock::Open(source.ip(), source.ip());
        }
    }

    /// Whether it is closed.
    pub(super) const fn closed(&self) -> bool {
        matches!(self.lock, Lock::Closed(_))
    }

    /// Whether the socket can be connected: what comes and what goes have one address.
    pub(super) fn symmetric(&self) -> bool {
        self.lock == Lock::Closed(self.target)
    }

    /// Where RTP goes to.
    pub(super) const fn target(&self) -> SocketAddr {
        self.target
    }

    /// Whether what is sent follows where it comes from.
    pub(super) const fn follows(&self) -> bool {
        self.follows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Codec;

    fn remote(source: SourceRule) -> Remote {
        Remote {
            rtp: "192.0.2.1:4000".parse().unwrap(),
            rtcp: None,
            codec: Codec::Pcmu,
            send_payload_type: 0,
            receive_payload_type: 0,
            telephone_event: None,
            may_send: true,
            expects: true,
            source,
        }
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_trunk_may_send_from_any_port_but_is_sent_to_where_it_said() {
        let mut source = Source::new(&remote(SourceRule::Described), None);
        assert_eq!(source.judge(at("192.0.2.2:4000")), Verdict::Stranger);
        assert_eq!(source.judge(at("192.0.2.1:7777")), Verdict::Locks);
        source.close_on(at("192.0.2.1:7777"));
        assert_eq!(source.judge(at("192.0.2.1:7777")), Verdict::Known);
        assert_eq!(source.judge(at("192.0.2.1:4000")), Verdict::Stranger);
        assert_eq!((source.target(), source.symmetric()), (at("192.0.2.1:4000"), false));
        source.reopen();
        assert_eq!(source.judge(at("192.0.2.1:4000")), Verdict::Locks);
        source.close_on(at("192.0.2.1:4000"));
        assert!(source.symmetric());
    }

    #[test]
    fn a_phone_behind_nat_is_sent_to_where_it_sends_from() {
        let rule = SourceRule::DescribedOr("203.0.113.5".parse().unwrap());
        let mut source = Source::new(&remote(rule), None);
        assert_eq!(source.judge(at("203.0.113.5:61000")), Verdict::Locks);
        assert_eq!(source.judge(at("192.0.2.1:4000")), Verdict::Locks);
        assert_eq!(source.judge(at("203.0.113.6:61000")), Verdict::Stranger);
        source.close_on(at("203.0.113.5:61000"));
        assert_eq!((source.target(), source.symmetric()), (at("203.0.113.5:61000"), true));
        // After a silence only the same address; after the same description again the target stays, the lock is open.
        source.reopen();
        assert_eq!(source.judge(at("192.0.2.1:4000")), Verdict::Stranger);
        assert_eq!(source.judge(at("203.0.113.5:61001")), Verdict::Locks);
        let again = Source::new(&remote(rule), Some(&source));
        assert_eq!((again.target(), again.closed()), (at("203.0.113.5:61000"), false));
        // A description of another address begins anew.
        let moved = Remote { rtp: at("192.0.2.9:9"), ..remote(rule) };
        assert_eq!(Source::new(&moved, Some(&source)).target(), at("192.0.2.9:9"));
    }
}
