//! What comes in: each packet checked, counted, and passed on to those who are fed with it.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::endpoint::Endpoint;
use super::hearing::{Listener, Said, Source};
use super::ports::PairState;
use super::source::Verdict;
use super::tap::{TapPacket, tap};
use super::thread::{DATAGRAM_MAX, Thread};
use crate::base::Codec;
use crate::engine::media_port::{MediaEvent, Remote, TapSide};
use crate::rtp::Transcoder;
use crate::rtp::continuity::StreamPosition;
use crate::rtp::packet::{HEADER_LEN, Header, Outgoing, is_rtcp};
use crate::rtp::reception::Arrival;

/// What a packet that is relayed carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Carries {
    Audio,
    Key,
}

impl Thread {
    /// Takes one datagram from a socket that has some.
    pub(super) fn readable(&mut self, pair: u32, rtcp: bool) {
        let Some(at) = self.ports.pairs.get(pair as usize) else { return };
        let socket = if rtcp { &at.rtcp } else { &at.rtp };
        // An error is an ICMP message about an earlier packet, or a wake-up for nothing: reading it clears it.
        let Ok((len, from)) = socket.recv_from(&mut self.buffer[..]) else { return };
        let PairState::Open(slot) = at.state else {
            self.mailbox.counters.unclaimed.add(1);
            return;
        };
        self.current = Some(slot);
        if len == DATAGRAM_MAX {
            self.mailbox.counters.malformed.add(1);
        } else if rtcp || is_rtcp(&self.buffer[..len]) {
            self.take_report(slot, len, from);
        } else {
            self.take_packet(slot, len, from);
        }
    }

    fn take_packet(&mut self, slot: u32, len: usize, from: SocketAddr) {
        let counters = &self.mailbox.counters;
        let elapsed_micros = self.elapsed_micros();
        let endpoint = &mut self.endpoints[slot as usize];
        let Some((remote, source)) = &mut endpoint.party else { return counters.unclaimed.add(1) };
        let verdict = source.judge(from);
        if verdict == Verdict::Stranger {
            endpoint.strangers += 1;
            return counters.strangers.add(1);
        }
        // Only what is RTP may close the lock.
        let Ok(header) = Header::read(&self.buffer[..len]) else { return counters.malformed.add(1) };
        endpoint.rtp_at = self.now;
        endpoint.heard_at = self.now;
        if verdict == Verdict::Locks {
            source.close_on(from);
        }
        counters.packets_in.add(1);
        let arrival = (elapsed_micros * u64::from(remote.codec.clock_rate_hz()) / 1_000_000) as u32;
        let arrived = endpoint.reception.packet(header.ssrc, header.sequence, header.timestamp, arrival);
        let key = remote.telephone_event.is_some_and(|(_, receive)| receive == header.payload_type);
        let carries = if key {
            Some(Carries::Key)
        } else if header.payload_type == remote.receive_payload_type {
            Some(Carries::Audio)
        } else {
            counters.unknown_payload.add(1);
            None
        };
        if arrived == Arrival::First {
            endpoint.key_reader.reset();
        }
        if carries == Some(Carries::Key)
            && let Some(digit) = endpoint.key_reader.packet(header.timestamp, header.marker, header.payload(&self.buffer[..len]))
        {
            counters.keys.add(1);
            let endpoint = endpoint.id;
            if !self.tell_of_party(slot, MediaEvent::Digit { endpoint, digit }) {
                self.mailbox.counters.keys_dropped.add(1);
            }
        }
        if verdict == Verdict::Locks {
            self.connect(slot);
        }
        self.pass_on_own(slot, len, header, arrived, carries);
    }

    /// Passes on what the party of an endpoint has said, which is in the buffer.
    fn pass_on_own(&mut self, slot: u32, len: usize, header: Header, arrived: Arrival, carries: Option<Carries>) {
        let endpoint = &self.endpoints[slot as usize];
        let Some((remote, _)) = &endpoint.party else { return };
        let said = Said { codec: remote.codec, header, arrived, carries };
        if carries == Some(Carries::Audio) && !endpoint.taps.is_empty() {
            let (sequence, timestamp) = (header.sequence, header.timestamp);
            let dropped = tap(endpoint, TapSide::Says, || TapPacket {
                at: self.now,
                codec: said.codec,
                sequence,
                timestamp,
                payload: header.payload(&self.buffer[..]).into(),
            });
            self.mailbox.counters.tap_dropped.add(dropped);
        }
        self.pass_on(Source::Here(slot), len, &said);
    }

    /// Passes the packet in the buffer on to all who listen to its source.
    pub(super) fn pass_on(&mut self, source: Source, len: usize, said: &Said) {
        let mut index = 0;
        while let Some(listener) = self.listener(source, index) {
            index += 1;
            match listener {
                Listener::Relay(slot) => self.relay(slot, len, said),
                Listener::Voice(voice) => self.add_to_voice(voice, said),
                Listener::Thread(thread) => self.pass_packet(thread, source, said),
            }
        }
    }

    /// One of those who listen to a source.
    fn listener(&self, source: Source, index: usize) -> Option<Listener> {
        let listeners = match source {
            Source::Here(slot) => &self.endpoints[slot as usize].listeners,
            Source::Elsewhere(source) => &self.elsewhere.get(&source)?.listeners,
        };
        listeners.get(index).copied()
    }

    fn add_to_voice(&mut self, voice: u32, said: &Said) {
        if said.carries != Some(Carries::Audio) || said.arrived == Arrival::Wild {
            return;
        }
        let Said { codec, header, .. } = said;
        let payload = header.payload(&self.buffer[..]);
        let counters = &self.mailbox.counters;
        if self.voices[voice as usize].playout.packet(*codec, header.ssrc, header.timestamp, payload) {
            return;
        }
        if codec.transcodable() {
            counters.disordered.add(1);
        } else {
            counters.untranscodable.add(1);
        }
    }

    /// Sends the packet in the buffer to an endpoint that hears its source as it is.
    fn relay(&mut self, slot: u32, len: usize, said: &Said) {
        let Said { codec, header, arrived, carries } = said;
        let to = &mut self.endpoints[slot as usize];
        let Some((remote, _)) = to.party.as_ref().filter(|(remote, _)| remote.may_send) else { return };
        let Some(payload_type) = payload_type(*codec, remote, *carries).filter(|_| to.keys.is_none()) else {
            // Left out on purpose: its receiver shall not take it for lost.
            return to.stream.skip(header.ssrc, header.sequence);
        };
        let transcode = *carries == Some(Carries::Audio) && *codec != remote.codec;
        let in_order = match arrived {
            Arrival::Wild => false,
            // A transcoder's state runs with the audio: what is late would be heard as a click.
            Arrival::Late => !transcode,
            Arrival::First | Arrival::Next => true,
        };
        let into = remote.codec;
        let place = in_order.then(|| to.stream.relayed(header.ssrc, header.sequence, header.timestamp, self.now)).flatten();
        let counters = &self.mailbox.counters;
        let Some(StreamPosition { sequence, timestamp, first }) = place else { return counters.disordered.add(1) };
        let outgoing = Outgoing { marker: header.marker || first, payload_type, sequence, timestamp, ssrc: to.stream.ssrc() };
        let socket = &self.ports.pairs[to.pair as usize].rtp;
        let packet = if transcode {
            let payload = header.payload(&self.buffer[..len]);
            let Some(len) = transcoded(to, *codec, into, payload, &outgoing, &mut self.other_buffer) else {
                return counters.untranscodable.add(1);
            };
            &self.other_buffer[..len]
        } else {
            outgoing.rewrite(&mut self.buffer[..len]);
            &self.buffer[..len]
        };
        if send_to(to, socket, packet).is_err() {
            return counters.send_errors.add(1);
        }
        to.sent += 1;
        to.sent_bytes += u64::from(header.payload_end - header.payload_start);
        counters.packets_out.add(1);
        counters.transcoded.add(u64::from(transcode));
        if *carries == Some(Carries::Audio) && !to.taps.is_empty() {
            // Where it was not transcoded the payload stands where it came.
            let start = if transcode { HEADER_LEN } else { usize::from(header.payload_start) };
            let payload = &packet[start..start + usize::from(header.payload_end - header.payload_start)];
            let at = self.now;
            let dropped = tap(to, TapSide::Hears, || TapPacket { at, codec: into, sequence, timestamp, payload: payload.into() });
            counters.tap_dropped.add(dropped);
        }
    }
}

/// What a packet is sent on with; `None` when its receiver has no use for it.
fn payload_type(codec: Codec, remote: &Remote, carries: Option<Carries>) -> Option<u8> {
    match carries? {
        Carries::Audio => Some(remote.send_payload_type),
        // The times of a key press are in units of its audio's clock.
        Carries::Key if codec.clock_rate_hz() == remote.codec.clock_rate_hz() => remote.telephone_event.map(|(send, _)| send),
        Carries::Key => None,
    }
}

/// Makes a packet of a payload that is transcoded: its length; `None` when there is no way between the codecs.
fn transcoded(
    to: &mut Endpoint,
    from: Codec,
    into: Codec,
    payload: &[u8],
    head: &Outgoing,
    room: &mut [u8; DATAGRAM_MAX],
) -> Option<usize> {
    let transcoder = match to.transcoder.take() {
        Some(transcoder) if transcoder.fits(from, into) => transcoder,
        _ => Box::new(Transcoder::new(from, into)?),
    };
    let (header, room) = room.split_at_mut(HEADER_LEN);
    header.copy_from_slice(&head.bytes());
    // The codecs' payloads are equally long, so it fits.
    Some(HEADER_LEN + to.transcoder.insert(transcoder).run(payload, room))
}

/// Sends to where the party's RTP goes to.
pub(super) fn send_to(endpoint: &Endpoint, socket: &UdpSocket, bytes: &[u8]) -> io::Result<()> {
    match &endpoint.party {
        Some(_) if endpoint.connected => socket.send(bytes).map(|_| ()),
        Some((_, source)) => socket.send_to(bytes, source.target()).map(|_| ()),
        None => Ok(()),
    }
}
