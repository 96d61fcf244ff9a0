//! The age of input, measured by a canary: a datagram to ourselves, behind those that wait already.
//!
//! The system does not say how long a datagram has waited in a socket. While the socket is never seen empty, a small
//! datagram with a token and the time is sent to it now and then. When it comes out, its age is that of all input.
//! While it does not come out (it waits, or there was no room for it), that is an age, too. It costs nothing while
//! nothing waits.

use std::time::Duration;

use crate::base::Time;

/// How often a canary is sent while datagrams wait.
const EVERY: Duration = Duration::from_millis(20);
/// A canary that has not come out for so long is taken for lost, and another is sent.
const LOST_AFTER: Duration = Duration::from_millis(500);
/// The size of a canary: sixteen bytes of token, eight of time.
pub(super) const CANARY_BYTES: usize = 24;

/// The age of one socket's input.
#[derive(Debug)]
pub(super) struct Lag {
    token: u128,
    flying: Option<Time>,
    last_sent: Time,
    measured: Duration,
}

impl Lag {
    /// `token` is random, so that nobody else can send a canary.
    pub(super) fn new(token: u128) -> Self {
        Lag { token, flying: None, last_sent: Time::ZERO, measured: Duration::ZERO }
    }

    /// The socket was seen empty: nothing waits, nor does a canary.
    pub(super) fn empty(&mut self) {
        self.flying = None;
        self.measured = Duration::ZERO;
    }

    /// The canary to send now, if it is time for one.
    pub(super) fn canary(&mut self, now: Time) -> Option<[u8; CANARY_BYTES]> {
        let lost = self.flying.is_some_and(|sent| now.since(sent) > LOST_AFTER);
        if (self.flying.is_some() && !lost) || now.since(self.last_sent) < EVERY {
            return None;
        }
        self.last_sent = now;
        self.flying.get_or_insert(now);
        let mut canary = [0; CANARY_BYTES];
        canary[..16].copy_from_slice(&self.token.to_be_bytes());
        canary[16..].copy_from_slice(&now.micros().to_be_bytes());
        Some(canary)
    }

    /// Takes a datagram if it is our canary.
    pub(super) fn take(&mut self, now: Time, datagram: &[u8]) -> bool {
        let Some((token, sent)) = datagram.split_at_checked(16) else { return false };
        if token != self.token.to_be_bytes() {
            return false;
        }
        if let Ok(sent) = sent.try_into().map(u64::from_be_bytes) {
            self.measured = now.since(Time::from_micros(sent));
            self.flying = None;
        }
        true
    }

    /// How old the present input is, at least.
    pub(super) fn age(&self, now: Time) -> Duration {
        self.flying.map_or(self.measured, |sent| self.measured.max(now.since(sent)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_secs(1000) + Duration::from_millis(ms)
    }

    #[test]
    fn a_canary_tells_how_long_everybody_waits() {
        let mut lag = Lag::new(7);
        let canary = lag.canary(at(0)).expect("the first at once");
        assert_eq!(lag.canary(at(5)), None, "one at a time");
        assert_eq!(lag.age(at(30)), Duration::from_millis(30), "it has waited so long already");
        assert!(!lag.take(at(40), b"OPTIONS sip:x SIP/2.0\r\n\r\n"), "not a canary");
        assert!(!lag.take(at(40), &Lag::new(8).canary(at(0)).unwrap()), "somebody else's");
        assert!(lag.take(at(40), &canary));
        assert_eq!(lag.age(at(41)), Duration::from_millis(40));
        assert!(lag.canary(at(41)).is_some());
        lag.empty();
        assert_eq!(lag.age(at(42)), Duration::ZERO);
    }

    #[test]
    fn a_canary_that_is_lost_counts_as_waiting() {
        let mut lag = Lag::new(7);
        assert!(lag.canary(at(0)).is_some());
        assert_eq!(lag.canary(at(400)), None);
        assert!(lag.canary(at(600)).is_some(), "another");
        assert_eq!(lag.age(at(700)), Duration::from_millis(700));
    }
}
