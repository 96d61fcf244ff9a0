//! A server's nonces (RFC 7616 3.3, 5.4; RFC 3261 22.4): made without keeping anything, checked for origin, age and replay.
//!
//! Owns which counts of which nonce were used. A challenge costs no memory, so a flood of unauthenticated requests fills nothing: a nonce
//! takes a place in the table when it is first used, and the caller checks the proof before the nonce, so that only who knows a password
//! uses one. It knows no password and decides nothing about users.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::digest::{Algorithm, hex, quotable, same_in_constant_time};
use super::text::hex_digit;
use crate::base::Time;
use crate::base::seed::Seed;

/// The verdict on a nonce.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Freshness {
    /// Ours, in time, and this count was not used yet. It is now.
    Fresh,
    /// Ours, but too old or forgotten, or without a count and used before: challenge again with `stale=true`, the client need not ask
    /// for the password.
    Stale,
    /// Ours, and this count was used before: refuse and challenge anew.
    Replayed,
    /// Not ours: made up, of another realm, or of a process that is gone: challenge anew.
    Unknown,
}

/// When a nonce was made, and its number among all: unique, and in the order of making.
type Stamp = (u64, u64);

/// The counts used of one nonce: the highest, and which of the 64 up to it (bit 0 is the highest itself).
#[derive(Clone, Copy, Debug)]
struct Window {
    highest: u32,
    used: u64,
}

/// Requests overtake each other on UDP, so counts may come in any order within this distance from the highest.
const WINDOW: u32 = u64::BITS;

impl Window {
    /// Uses a count; false if it was used before, or lies so far back that nobody knows.
    fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            let ahead = count - self.highest;
            self.used = if ahead < WINDOW { self.used << ahead } else { 0 } | 1;
            self.highest = count;
            return true;
        }
        let behind = self.highest - count;
        if behind >= WINDOW || self.used & 1 << behind != 0 {
            return false;
        }
        self.used |= 1 << behind;
        true
    }
}

/// The nonces of one realm.
#[derive(Debug)]
pub struct Nonces {
    realm: String,
    lifetime: Duration,
    key: [u8; 32],
    made: u64,
    used: BTreeMap<Stamp, Window>,
    used_max: usize,
    /// The youngest nonce that was forgotten for want of room. Nobody knows which counts of it and of older ones were used, so all those
    /// that are not in the table are stale.
    forgotten: Option<Stamp>,
}

/// Bytes of a nonce: time and number, then the first half of the keyed hash.
const STAMP_BYTES: usize = 16;
const MAC_BYTES: usize = 16;

impl Nonces {
    /// How many are remembered because they were used.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.used.len()
    }

    /// For one realm. A nonce lives for `lifetime` from the challenge on; at most `used_max` (at least one) of those in use are
    /// remembered, and at that bound the oldest is forgotten and counts as stale. The key is drawn from `seed`.
    #[must_use]
    pub fn new(seed: &mut Seed, realm: &str, lifetime: Duration, used_max: usize) -> Nonces {
        let mut key = [0; 32];
        for chunk in key.chunks_exact_mut(8) {
            chunk.copy_from_slice(&seed.next_u64().to_le_bytes());
        }
        let used_max = used_max.max(1);
        Nonces { realm: realm.to_owned(), lifetime, key, made: 0, used: BTreeMap::new(), used_max, forgotten: None }
    }

    /// The realm.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The value of a WWW-Authenticate or Proxy-Authenticate header with a fresh nonce. `stale` after [`Freshness::Stale`].
    pub fn challenge(&mut self, now: Time, algorithm: Algorithm, stale: bool) -> String {
        let nonce = self.nonce(now);
        let realm = quotable(&self.realm);
        let stale = if stale { ", stale=true" } else { "" };
        format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={}, qop=\"auth\"{stale}", algorithm.name())
    }

    fn nonce(&mut self, now: Time) -> String {
        let stamp = (now.micros(), self.made);
        self.made += 1;
        let mut bytes = [0; STAMP_BYTES + MAC_BYTES];
        let (head, mac) = bytes.split_at_mut(STAMP_BYTES);
        head[..8].copy_from_slice(&stamp.0.to_be_bytes());
        head[8..].copy_from_slice(&stamp.1.to_be_bytes());
        mac.copy_from_slice(&self.mac(head));
        hex(&bytes)
    }

    /// A keyed hash of stamp and realm. Only half of it is shown, so it cannot be extended.
    fn mac(&self, stamp: &[u8]) -> [u8; MAC_BYTES] {
        let hash = Sha256::new().chain_update(self.key).chain_update(stamp).chain_update(&self.realm).finalize();
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&hash[..MAC_BYTES]);
        mac
    }

    /// Judges a nonce and uses up its count. Call it after the proof was found right (see the module's words on floods).
    ///
    /// Without a count (the form without qop) a nonce serves one request only: nothing else would keep a copied request from being
    /// repeated.
    pub fn check(&mut self, now: Time, nonce: &str, nc: Option<u32>) -> Freshness {
        let Some(stamp) = self.stamp(nonce) else { return Freshness::Unknown };
        let made = Time::from_micros(stamp.0);
        if made > now {
            return Freshness::Unknown;
        }
        // Counting begins at 1 (RFC 7616 3.4).
        if nc == Some(0) {
            return Freshness::Replayed;
        }
        self.forget_expired(now);
        if now.since(made) > self.lifetime {
            return Freshness::Stale;
        }
        if let Some(window) = self.used.get_mut(&stamp) {
            return match nc {
                Some(count) if window.take(count) => Freshness::Fresh,
                Some(_) => Freshness::Replayed,
                None => Freshness::Stale,
            };
        }
        if self.forgotten.is_some_and(|forgotten| stamp <= forgotten) {
            return Freshness::Stale;
        }
        if self.used.len() >= self.used_max {
            let Some(oldest) = self.used.first_entry().filter(|oldest| *oldest.key() < stamp) else {
                return Freshness::Stale;
            };
            self.forgotten = self.forgotten.max(Some(*oldest.key()));
            oldest.remove();
        }
        let window = match nc {
            Some(highest) => Window { highest, used: 1 },
            // Used without a count: used up.
            None => Window { highest: u32::MAX, used: u64::MAX },
        };
        self.used.insert(stamp, window);
        Freshness::Fresh
    }

    /// How many nonces are remembered as used.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.len()
    }

    fn forget_expired(&mut self, now: Time) {
        while let Some(oldest) = self.used.first_entry() {
            if now.since(Time::from_micros(oldest.key().0)) <= self.lifetime {
                break;
            }
            oldest.remove();
        }
    }

    fn stamp(&self, nonce: &str) -> Option<Stamp> {
        let mut bytes = [0; STAMP_BYTES + MAC_BYTES];
        let digits = nonce.as_bytes();
        if digits.len() != bytes.len() * 2 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
        }
        let (stamp, mac) = bytes.split_at(STAMP_BYTES);
        if !same_in_constant_time(hex(&self.mac(stamp)).as_bytes(), hex(mac).as_bytes()) {
            return None;
        }
        let (made, number) = stamp.split_at(8);
        Some((u64::from_be_bytes(made.try_into().ok()?), u64::from_be_bytes(number.try_into().ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::digest::Challenge;

    fn nonces(used_max: usize) -> Nonces {
        Nonces::new(&mut Seed::from_number(1), "city", Duration::from_secs(60), used_max)
    }

    fn fresh(nonces: &mut Nonces, now: Time) -> String {
        let value = nonces.challenge(now, Algorithm::Md5, false);
        Challenge::parse(value.as_bytes()).unwrap().nonce.to_owned()
    }

    const T: Time = Time::from_secs(1_000_000);

    #[test]
    fn a_count_serves_once_in_any_order_within_the_window() {
        let mut nonces = nonces(10);
        let nonce = fresh(&mut nonces, T);
        for (count, expected) in [
            (1, Freshness::Fresh),
            (1, Freshness::Replayed),
            (3, Freshness::Fresh),
            (2, Freshness::Fresh),
            (2, Freshness::Replayed),
            (0, Freshness::Replayed),
            (67, Freshness::Fresh),
            (4, Freshness::Fresh),
            (3, Freshness::Replayed),
            (u32::MAX, Freshness::Fresh),
            (67, Freshness::Replayed),
            (u32::MAX, Freshness::Replayed),
        ] {
            assert_eq!(nonces.check(T, &nonce, Some(count)), expected, "{count}");
        }
    }

    #[test]
    fn age_origin_and_realm() {
        let mut nonces = nonces(10);
        let nonce = fresh(&mut nonces, T);
        assert_eq!(nonces.check(T + Duration::from_secs(60), &nonce, Some(1)), Freshness::Fresh);
        assert_eq!(nonces.check(T + Duration::from_secs(61), &nonce, Some(2)), Freshness::Stale);
        assert_eq!(nonces.used(), 0);
        assert_eq!(nonces.check(T - Duration::from_secs(1), &nonce, Some(3)), Freshness::Unknown);
        for made_up in ["", "x", &nonce[1..], &nonce.replace('0', "1"), &"ä".repeat(32), &"+".repeat(64)] {
            assert_eq!(nonces.check(T, made_up, Some(1)), Freshness::Unknown, "{made_up}");
        }
        let mut elsewhere = Nonces::new(&mut Seed::from_number(1), "town", Duration::from_secs(60), 10);
        assert_eq!(elsewhere.check(T, &nonce, Some(1)), Freshness::Unknown);
    }

    #[test]
    fn without_a_count_a_nonce_serves_once() {
        let mut nonces = nonces(10);
        let nonce = fresh(&mut nonces, T);
        assert_eq!(nonces.check(T, &nonce, None), Freshness::Fresh);
        assert_eq!(nonces.check(T, &nonce, None), Freshness::Stale);
        assert_eq!(nonces.check(T, &nonce, Some(1)), Freshness::Replayed);
    }

    #[test]
    fn challenges_take_no_room_and_two_in_one_instant_differ() {
        let mut nonces = nonces(10);
        let (one, other) = (fresh(&mut nonces, T), fresh(&mut nonces, T));
        assert_ne!(one, other);
        assert_eq!(nonces.used(), 0);
        let stale = nonces.challenge(T, Algorithm::Sha256, true);
        assert!(Challenge::parse(stale.as_bytes()).is_ok_and(|c| c.stale && c.qop_auth && c.algorithm == Algorithm::Sha256));
    }

    #[test]
    fn at_the_bound_the_oldest_is_forgotten_and_can_never_be_replayed() {
        let mut nonces = nonces(2);
        let made: Vec<_> = (0..4).map(|n| fresh(&mut nonces, T + Duration::from_millis(n))).collect();
        let now = T + Duration::from_secs(1);
        for nonce in &made[..3] {
            assert_eq!(nonces.check(now, nonce, Some(1)), Freshness::Fresh);
        }
        assert_eq!(nonces.used(), 2);
        assert_eq!(nonces.check(now, &made[0], Some(1)), Freshness::Stale);
        assert_eq!(nonces.check(now, &made[0], Some(2)), Freshness::Stale);
        assert_eq!(nonces.check(now, &made[1], Some(2)), Freshness::Fresh);
        assert_eq!(nonces.check(now, &made[3], Some(1)), Freshness::Fresh);
        assert_eq!(nonces.check(now, &made[1], Some(3)), Freshness::Stale);
    }

    #[test]
    fn a_late_first_use_at_the_bound_is_stale() {
        let mut nonces = nonces(1);
        let (old, young) = (fresh(&mut nonces, T), fresh(&mut nonces, T));
        assert_eq!(nonces.check(T, &young, Some(1)), Freshness::Fresh);
        assert_eq!(nonces.check(T, &old, Some(1)), Freshness::Stale);
        assert_eq!(nonces.check(T, &young, Some(2)), Freshness::Fresh);
    }

    proptest::proptest! {
        /// Against a plain set: fresh once, and only within the window.
        #[test]
        fn the_window_agrees_with_a_set(counts in proptest::collection::vec(1u32..300, 1..200)) {
            let mut nonces = nonces(10);
            let nonce = fresh(&mut nonces, T);
            let (mut seen, mut highest) = (std::collections::BTreeSet::new(), 0);
            for count in counts {
                let expected = count + WINDOW > highest && seen.insert(count);
                highest = highest.max(count);
                let got = nonces.check(T, &nonce, Some(count));
                proptest::prop_assert_eq!(got, if expected { Freshness::Fresh } else { Freshness::Replayed });
            }
        }
    }
}
