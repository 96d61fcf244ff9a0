//! What we send of our own: music, prompts and key presses, a packet each 20 ms in the endpoint's slot.

use super::endpoint::{Endpoint, Feeding, KEY_GAP_STEPS, Keys};
use super::library::FRAME;
use super::relay::send_to;
use super::tap::{TapPacket, tap};
use super::thread::Thread;
use crate::base::Time;
use crate::engine::media_port::{MediaEvent, TapSide};
use crate::rtp::Continuity;
use crate::rtp::continuity::StreamPosition;
use crate::rtp::key::KeyWriter;
use crate::rtp::packet::{HEADER_LEN, Header, Outgoing};

/// What a step of an endpoint came to.
enum Step {
    /// A packet of this length stands in the buffer.
    Send(usize),
    /// Nothing to send this time.
    Wait,
    /// The prompts have been played.
    Played(u64),
    /// The keys have been sent.
    KeysDone,
}

impl Thread {
    /// One step of all senders in the slot of `tick`.
    pub(super) fn send_slot(&mut self, tick: u64) {
        let mut index = 0;
        while let Some(slot) = self.slots.at(tick, index) {
            self.current = Some(slot);
            self.step(slot, tick);
            // A sender that is done has left its place to another.
            if self.slots.at(tick, index) == Some(slot) {
                index += 1;
            }
        }
    }

    fn step(&mut self, slot: u32, tick: u64) {
        // Voices go on while keys are sent.
        let mixed = self.mixed(slot, tick);
        let endpoint = &mut self.endpoints[slot as usize];
        let keys = endpoint.keys.is_some();
        match step(endpoint, &mut self.buffer[..], mixed.as_ref().map(|frame| &frame[..]), self.now) {
            Step::Wait => {}
            Step::Send(len) => {
                let packet = &self.buffer[..len];
                match send_to(endpoint, &self.ports.pairs[endpoint.pair as usize].rtp, packet) {
                    Ok(()) => {
                        endpoint.sent += 1;
                        endpoint.sent_bytes += (len - HEADER_LEN) as u64;
                        self.mailbox.counters.packets_out.add(1);
                        if !endpoint.taps.is_empty() && !keys {
                            let dropped = tap_own(endpoint, packet, self.now);
                            self.mailbox.counters.tap_dropped.add(dropped);
                        }
                    }
                    Err(_) => self.mailbox.counters.send_errors.add(1),
                }
            }
            Step::Played(token) => {
                let id = endpoint.id;
                self.feed(slot, Feeding::Nothing);
                self.tell_owner(id, MediaEvent::Played { endpoint: id, token });
            }
            Step::KeysDone => {
                endpoint.keys = None;
                // What was heard before goes on as a new stretch.
                endpoint.stream.cut();
                self.update_sender(slot);
            }
        }
    }
}

/// Gives a packet of ours to those who tap what the party hears. How many had no room for it.
fn tap_own(endpoint: &Endpoint, packet: &[u8], at: Time) -> u64 {
    let (Some((remote, _)), Ok(header)) = (&endpoint.party, Header::read(packet)) else { return 0 };
    let Header { sequence, timestamp, .. } = header;
    let payload = header.payload(packet);
    tap(endpoint, TapSide::Hears, || TapPacket { at, codec: remote.codec, sequence, timestamp, payload: payload.into() })
}

fn step(endpoint: &mut Endpoint, buffer: &mut [u8], mixed: Option<&[u8]>, now: Time) -> Step {
    // Before the description is known, what is to be heard waits.
    let Some((remote, _)) = &endpoint.party else { return Step::Wait };
    let audible = remote.may_send;
    if let Some(keys) = &mut endpoint.keys {
        let Some((payload_type, _)) = remote.telephone_event.filter(|_| audible) else { return Step::KeysDone };
        if keys.gap_steps > 0 {
            keys.gap_steps -= 1;
            return Step::Wait;
        }
        let Some(writer) = current_key(keys, remote.codec.clock_rate_hz()) else { return Step::KeysDone };
        let Some((place, payload)) = writer.next(&mut endpoint.stream, now) else {
            keys.current = None;
            keys.gap_steps = KEY_GAP_STEPS;
            return Step::Wait;
        };
        return Step::Send(put(buffer, &endpoint.stream, place, payload_type, &payload));
    }
    if let Some(payload) = mixed {
        if !audible {
            return Step::Wait;
        }
        let place = endpoint.stream.own(FRAME as u32, now);
        return Step::Send(put(buffer, &endpoint.stream, place, remote.send_payload_type, payload));
    }
    let (clip, frame) = match &mut endpoint.feeding {
        Feeding::Music => {
            let Some((_, playing)) = &mut endpoint.music else { return Step::Wait };
            let frame = playing.frame;
            playing.frame = (frame + 1) % playing.clip.frames();
            (&playing.clip, frame)
        }
        Feeding::Prompts(prompts) => {
            while prompts.rest.front().is_some_and(|clip| prompts.frame >= clip.frames() || clip.payload(remote.codec).is_none())
            {
                prompts.rest.pop_front();
                prompts.frame = 0;
            }
            let Some(clip) = prompts.rest.front() else { return Step::Played(prompts.token) };
            prompts.frame += 1;
            (clip, prompts.frame - 1)
        }
        Feeding::Nothing | Feeding::Relay(_) | Feeding::Mix(_) => return Step::Wait,
    };
    let start = frame as usize * FRAME;
    let Some(payload) = clip.payload(remote.codec).and_then(|all| all.get(start..start + FRAME)).filter(|_| audible) else {
        return Step::Wait;
    };
    let place = endpoint.stream.own(FRAME as u32, now);
    Step::Send(put(buffer, &endpoint.stream, place, remote.send_payload_type, payload))
}

/// The press that is being sent, or the next one.
fn current_key(keys: &mut Keys, clock_rate_hz: u32) -> Option<&mut KeyWriter> {
    if keys.current.is_none() {
        keys.current = KeyWriter::new(keys.waiting.pop_front()?, clock_rate_hz);
    }
    keys.current.as_mut()
}

fn put(buffer: &mut [u8], stream: &Continuity, place: StreamPosition, payload_type: u8, payload: &[u8]) -> usize {
    let StreamPosition { sequence, timestamp, first: marker } = place;
    let outgoing = Outgoing { marker, payload_type, sequence, timestamp, ssrc: stream.ssrc() };
    let len = HEADER_LEN + payload.len();
    buffer[..HEADER_LEN].copy_from_slice(&outgoing.bytes());
    buffer[HEADER_LEN..len].copy_from_slice(payload);
    len
}
