//! What comes in: each packet checked, counted, and passed on to those who are fed with it.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::endpoint::Endpoint;
use super::ports::PairState;
use super::source::Verdict;
use super::thread::{DATAGRAM_MAX, Thread};
use crate::base::Codec;
use crate::engine::media_port::{MediaEvent, Remote};
use crate::rtp::Transcoder;
use crate::rtp::continuity::StreamPosition;
use crate::rtp::packet::{HEADER_LEN, Header, Outgoing, is_rtcp};
use crate::rtp::reception::Arrival;

/// What a packet that is relayed carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carries {
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
        self.pass_on(slot, len, &header, arrived, carries);
    }

    /// Passes a packet on to all who listen.
    fn pass_on(&mut self, slot: u32, len: usize, header: &Header, arrived: Arrival, carries: Option<Carries>) {
        let mut index = 0;
        while let Some(listener) = self.endpoints[slot as usize].listeners.get(index).copied() {
            index += 1;
            let Some((from, to)) = self.endpoints.get2_mut(slot as usize, listener as usize) else { continue };
            let (Some((said, _)), Some((remote, _))) = (&from.party, &to.party) else { continue };
            if !remote.may_send {
                continue;
            }
            let Some(payload_type) = payload_type(said, remote, carries).filter(|_| to.keys.is_none()) else {
                // Left out on purpose: its receiver shall not take it for lost.
                to.stream.skip(header.ssrc, header.sequence);
                continue;
            };
            let transcode = carries == Some(Carries::Audio) && said.codec != remote.codec;
            let in_order = match arrived {
                Arrival::Wild => false,
                // A transcoder's state runs with the audio: what is late would be heard as a click.
                Arrival::Late => !transcode,
                Arrival::First | Arrival::Next => true,
            };
            let place = in_order.then(|| to.stream.relayed(header.ssrc, header.sequence, header.timestamp, self.now)).flatten();
            let Some(StreamPosition { sequence, timestamp, first }) = place else {
                self.mailbox.counters.disordered.add(1);
                continue;
            };
            let outgoing = Outgoing { marker: header.marker || first, payload_type, sequence, timestamp, ssrc: to.stream.ssrc() };
            let socket = &self.ports.pairs[to.pair as usize].rtp;
            let sent = if transcode {
                let (said, remote) = (said.codec, remote.codec);
                transcoded(to, said, remote, header.payload(&self.buffer[..len]), &outgoing, socket)
            } else {
                outgoing.rewrite(&mut self.buffer[..len]);
                Some(send_to(to, socket, &self.buffer[..len]))
            };
            let counters = &self.mailbox.counters;
            match sent {
                Some(Ok(())) => {
                    to.sent += 1;
                    to.sent_bytes += u64::from(header.payload_end - header.payload_start);
                    counters.packets_out.add(1);
                    counters.transcoded.add(u64::from(transcode));
                }
                Some(Err(_)) => counters.send_errors.add(1),
                None => counters.untranscodable.add(1),
            }
        }
    }
}

/// What a packet is sent on with; `None` when its receiver has no use for it.
fn payload_type(said: &Remote, remote: &Remote, carries: Option<Carries>) -> Option<u8> {
    match carries? {
        Carries::Audio => Some(remote.send_payload_type),
        // The times of a key press are in units of its audio's clock.
        Carries::Key if said.codec.clock_rate_hz() == remote.codec.clock_rate_hz() => {
            remote.telephone_event.map(|(send, _)| send)
        }
        Carries::Key => None,
    }
}

/// Transcodes a payload and sends it; `None` when there is no way between the codecs.
fn transcoded(
    to: &mut Endpoint,
    from: Codec,
    into: Codec,
    payload: &[u8],
    head: &Outgoing,
    socket: &UdpSocket,
) -> Option<io::Result<()>> {
    let transcoder = match to.transcoder.take() {
        Some(transcoder) if transcoder.fits(from, into) => transcoder,
        _ => Box::new(Transcoder::new(from, into)?),
    };
    let mut out = [0; DATAGRAM_MAX];
    let (header, room) = out.split_at_mut(HEADER_LEN);
    header.copy_from_slice(&head.bytes());
    // The codecs' payloads are equally long, so it fits.
    let written = to.transcoder.insert(transcoder).run(payload, room);
    Some(send_to(to, socket, &out[..HEADER_LEN + written]))
}

/// Sends to where the party's RTP goes to.
pub(super) fn send_to(endpoint: &Endpoint, socket: &UdpSocket, bytes: &[u8]) -> io::Result<()> {
    match &endpoint.party {
        Some(_) if endpoint.connected => socket.send(bytes).map(|_| ()),
        Some((_, source)) => socket.send_to(bytes, source.target()).map(|_| ()),
        None => Ok(()),
    }
}
