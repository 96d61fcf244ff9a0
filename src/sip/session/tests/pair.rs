//! Two machines and the network between them, in virtual time. Datagrams are lost, repeated and late by chance; what goes over the wire is
//! checked as it goes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use crate::sip::flow::ListenerId;

pub(super) const HOSTS: [&str; 2] = ["192.0.2.1:5060", "192.0.2.2:5060"];

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    pub(super) lost_percent: u64,
    pub(super) repeated_percent: u64,
    pub(super) delay_max: Duration,
}

pub(super) const FINE: Weather = Weather { lost_percent: 0, repeated_percent: 0, delay_max: Duration::from_millis(20) };

/// INVITEs within dialogs as they are seen on the wire: by Call-ID and side.
#[derive(Default)]
struct Wire {
    /// Sent and without final answer: its number, and when it was first sent.
    sent: BTreeMap<(String, usize), (u32, Time)>,
    /// Received and without final answer.
    received: BTreeMap<(String, usize), u32>,
    seen: BTreeMap<(String, usize), u32>,
    glares: u32,
}

/// To which side, and what.
type Datagram = (usize, Arc<[u8]>);

pub(super) struct Pair {
    pub(super) now: Time,
    pub(super) machines: [Sessions; 2],
    pub(super) seed: Seed,
    weather: Weather,
    flying: BTreeMap<(Time, u64), Datagram>,
    serial: u64,
    wire: Wire,
    /// The first line of every message, as it was sent.
    pub(super) lines: Vec<(usize, String)>,
}

fn machine(host: &str, seed: Seed) -> Sessions {
    let name = ListenerName { transport: Transport::Udp, sent_by: host.into() };
    Sessions::new(0, vec![name], seed, Arc::default())
}

impl Pair {
    pub(super) fn new(weather: Weather, number: u64) -> Self {
        let mut seed = Seed::from_number(number);
        Pair {
            now: Time::from_secs(1_800_000_000),
            machines: HOSTS.map(|host| machine(host, seed.fork())),
            seed,
            weather,
            flying: BTreeMap::new(),
            serial: 0,
            wire: Wire::default(),
            lines: Vec::new(),
        }
    }

    pub(super) fn glares(&self) -> u32 {
        self.wire.glares
    }

    pub(super) fn flow_to(side: usize) -> Flow {
        Flow::udp(ListenerId(0), HOSTS[side].parse().unwrap())
    }

    pub(super) fn invite(&mut self, from: usize) -> SessionId {
        let uri = format!("sip:x@{}", HOSTS[1 - from]);
        let new = NewInvite {
            flow: Self::flow_to(1 - from),
            behind_nat: false,
            uri: &uri,
            route: None,
            from: "<sip:120@city.example>",
            to: "<sip:x@city.example>",
            max_forwards: 70,
            headers: &[],
            body: ("application/sdp", b"v=0"),
            credentials: None,
        };
        self.machines[from].invite(self.now, &new)
    }

    /// Sends off whatever a machine has to send.
    pub(super) fn flush(&mut self, from: usize) {
        while let Some(transmit) = self.machines[from].poll_transmit() {
            let message = Message::read(&transmit.bytes).expect("what we send can be read");
            message.check().expect("and is complete");
            let line = String::from_utf8_lossy(&transmit.bytes).lines().next().unwrap().to_owned();
            self.lines.push((from, line));
            self.wire.note_sent(self.now, from, &message);
            if self.seed.below(100) < self.weather.lost_percent {
                continue;
            }
            let copies = if self.seed.below(100) < self.weather.repeated_percent { 2 } else { 1 };
            for _ in 0..copies {
                let micros = 1000 + self.seed.below(self.weather.delay_max.as_micros() as u64);
                self.serial += 1;
                self.flying.insert((self.now + Duration::from_micros(micros), self.serial), (1 - from, transmit.bytes.clone()));
            }
        }
    }

    /// When something happens next without anybody doing anything.
    pub(super) fn next(&self) -> Option<Time> {
        let arrives = self.flying.keys().next().map(|(at, _)| *at);
        let due = self.machines.iter().filter_map(|machine| machine.next_deadline().map(|(at, _)| at));
        due.chain(arrives).min()
    }

    /// Lets the next thing happen. A new request is given to `new`.
    pub(super) fn step(&mut self, new: &mut impl FnMut(&mut Sessions, Time, usize, &Flow, &Message<'_>)) {
        let Some(at) = self.next() else { return };
        self.now = self.now.max(at);
        for side in 0..2 {
            self.machines[side].handle_timeout(self.now);
        }
        while let Some(entry) = self.flying.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (to, bytes) = entry.remove();
            let message = Message::read(&bytes).unwrap();
            self.wire.note_received(to, &message);
            let flow = Self::flow_to(1 - to);
            if self.machines[to].handle_message(self.now, &flow, &message) == Routed::New {
                new(&mut self.machines[to], self.now, to, &flow, &message);
            }
            self.flush(to);
        }
        for side in 0..2 {
            self.flush(side);
        }
    }
}

impl Wire {
    fn key(side: usize, message: &Message<'_>) -> Option<((String, usize), u32)> {
        let cseq = message.cseq().ok().filter(|cseq| cseq.method == Method::Invite)?;
        Some(((String::from_utf8_lossy(message.call_id().unwrap()).into_owned(), side), cseq.number))
    }

    fn note_sent(&mut self, now: Time, side: usize, message: &Message<'_>) {
        let Some((key, number)) = Self::key(side, message) else { return };
        match message.status() {
            Some(status) if status >= 200 => {
                self.received.remove(&key);
                self.glares += u32::from(status == 491);
            }
            Some(_) => {}
            None if message.method() == Some(Method::Invite) && self.seen.get(&key).is_none_or(|last| *last < number) => {
                self.seen.insert(key.clone(), number);
                // Timer B has given up what was never answered at all.
                let open = self.sent.get(&key).filter(|(_, since)| now.since(*since) < Duration::from_secs(32));
                assert_eq!(open, None, "a second INVITE within a dialog, while the first is under way");
                assert_eq!(self.received.get(&key), None, "an INVITE within a dialog, while theirs is unanswered");
                self.sent.insert(key, (number, now));
            }
            None => {}
        }
    }

    fn note_received(&mut self, side: usize, message: &Message<'_>) {
        let Some((key, number)) = Self::key(side, message) else { return };
        if message.method() == Some(Method::Invite) {
            let other = (key.0.clone(), 2 + side);
            if self.seen.get(&other).is_none_or(|last| *last < number) {
                self.seen.insert(other, number);
                self.received.insert(key, number);
            }
        } else if message.status().is_some_and(|status| status >= 200) && self.sent.get(&key).is_some_and(|(n, _)| *n == number) {
            self.sent.remove(&key);
        }
    }
}
