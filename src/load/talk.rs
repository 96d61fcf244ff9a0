//! One voice: the packets that it sends, and what it has heard.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::sound::{FRAME, Side, Sound, hear};
use crate::base::Time;
use crate::base::seed::Seed;
use crate::rtp::g711::Law;
use crate::rtp::key::KeyWriter;
use crate::rtp::packet::{HEADER_LEN, Header, Outgoing, is_rtcp};
use crate::rtp::{Continuity, Reception};

const CLOCK_HZ: u32 = 8_000;
/// How many frames of the other side's tone prove that it was heard.
const HEARD_FRAMES: u32 = 3;
/// Keys that may wait to be pressed.
const KEYS_MAX: usize = 32;

/// Where a voice sends its packets, and in which format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct VoicePath {
    pub(super) to: SocketAddr,
    pub(super) law: Law,
    pub(super) payload_type: u8,
    /// The payload type of key presses, if they can be sent.
    pub(super) key_type: Option<u8>,
    /// Whether speech goes out, rather than only keys.
    pub(super) speaks: bool,
}

/// What a voice has sent and heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Talked {
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) lost: u64,
    pub(super) jitter: Duration,
    /// Frames by what they sounded like.
    pub(super) silence: u32,
    pub(super) other_side: u32,
    pub(super) own_side: u32,
    pub(super) music: u32,
}

impl Talked {
    /// Whether the other side was heard.
    pub(super) const fn heard(&self) -> bool {
        self.other_side >= HEARD_FRAMES
    }
}

pub(super) struct Talk {
    side: Side,
    path: Option<VoicePath>,
    law: Law,
    frame: [u8; FRAME],
    stream: Continuity,
    keys: VecDeque<char>,
    pressing: Option<KeyWriter>,
    reception: Reception,
    talked: Talked,
    packet: Vec<u8>,
}

impl Talk {
    pub(super) fn new(side: Side, seed: &mut Seed) -> Talk {
        let stream = Continuity::new(seed.next_u32(), seed.next_u32() as u16, seed.next_u32());
        let law = Law::Mu;
        Talk {
            side,
            path: None,
            law,
            frame: side.frame(law),
            stream,
            keys: VecDeque::new(),
            pressing: None,
            reception: Reception::default(),
            talked: Talked::default(),
            packet: Vec::with_capacity(HEADER_LEN + FRAME),
        }
    }

    pub(super) const fn side(&self) -> Side {
        self.side
    }

    pub(super) fn speak_to(&mut self, path: Option<VoicePath>) {
        if let Some(path) = path.filter(|path| path.law != self.law) {
            (self.law, self.frame) = (path.law, self.side.frame(path.law));
        }
        self.path = path;
    }

    pub(super) fn press(&mut self, key: char) {
        if self.keys.len() < KEYS_MAX {
            self.keys.push_back(key);
        }
    }

    /// The packet that is due now, and where it goes. To be asked every 20 ms.
    pub(super) fn next_packet(&mut self, now: Time) -> Option<(SocketAddr, &[u8])> {
        let path = self.path?;
        if self.pressing.is_none() && path.key_type.is_some() {
            self.pressing = self.keys.pop_front().and_then(|key| KeyWriter::new(key, CLOCK_HZ));
        }
        let press = self.pressing.as_mut().and_then(|press| press.next(&mut self.stream, now));
        if press.is_none() {
            self.pressing = None;
        }
        let (place, payload_type, payload): (_, _, &[u8]) = match (&press, path.key_type) {
            (Some((place, payload)), Some(key_type)) => (*place, key_type, payload),
            _ if path.speaks => (self.stream.own(FRAME as u32, now), path.payload_type, &self.frame),
            _ => return None,
        };
        let (sequence, timestamp, ssrc) = (place.sequence, place.timestamp, self.stream.ssrc());
        let header = Outgoing { marker: place.first, payload_type, sequence, timestamp, ssrc };
        self.packet.clear();
        self.packet.extend_from_slice(&header.bytes());
        self.packet.extend_from_slice(payload);
        self.talked.sent += 1;
        Some((path.to, &self.packet))
    }

    /// Takes a packet; whether the other side is now heard that was not before.
    pub(super) fn hear(&mut self, now: Time, packet: &[u8]) -> bool {
        if is_rtcp(packet) {
            return false;
        }
        let Ok(header) = Header::read(packet) else { return false };
        let arrival = (now.micros() * u64::from(CLOCK_HZ) / 1_000_000) as u32;
        self.reception.packet(header.ssrc, header.sequence, header.timestamp, arrival);
        let law = match header.payload_type {
            0 => Law::Mu,
            8 => Law::A,
            _ => return false,
        };
        let before = self.talked.heard();
        let frames = match hear(header.payload(packet), law) {
            Sound::Silence => &mut self.talked.silence,
            Sound::Hum(side) if side == self.side => &mut self.talked.own_side,
            Sound::Hum(_) => &mut self.talked.other_side,
            Sound::Other => &mut self.talked.music,
        };
        *frames += 1;
        self.talked.heard() && !before
    }

    pub(super) fn ended(&self) -> Talked {
        let jitter = Duration::from_micros(u64::from(self.reception.jitter()) * 1_000_000 / u64::from(CLOCK_HZ));
        Talked { received: self.reception.received_total(), lost: self.reception.lost_total(), jitter, ..self.talked }
    }
}
