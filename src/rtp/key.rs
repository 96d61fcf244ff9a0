//! Key presses as RTP (telephone-event, RFC 4733): read as one digit a press, and written.

use super::continuity::{Continuity, StreamPosition};
use crate::base::Time;

/// A telephone-event payload is this long, in bytes.
pub const PAYLOAD_LEN: usize = 4;

const DIGITS: &[u8; 16] = b"0123456789*#ABCD";
const END: u8 = 0x80;
/// -10 dBm0, what most phones send.
const VOLUME: u8 = 10;
/// A press is announced this often in steps of 20 ms, then its end thrice (RFC 4733 2.5.1.4).
const PRESSED_STEPS: u8 = 5;
const END_PACKETS: u8 = 3;

/// The event code of a digit (RFC 4733 3.2).
#[must_use]
pub fn event_of(digit: char) -> Option<u8> {
    let digit = digit.to_ascii_uppercase();
    DIGITS.iter().position(|known| char::from(*known) == digit).map(|place| place as u8)
}

/// Reads presses from telephone-event packets.
///
/// A press is reported with the first of its packets that comes, whichever that is. All packets of a press bear the timestamp of its
/// beginning; two known deviations are understood: a press longer than 65,535 units goes on in segments with new timestamps
/// (RFC 4733 2.5.1.3), and some senders move the timestamp with every packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyReader {
    last: Option<Press>,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    event: u8,
    timestamp: u32,
    duration: u16,
    ended: bool,
}

impl KeyReader {
    /// Takes a packet's payload; the digit when it belongs to a press that was not reported yet.
    pub fn packet(&mut self, timestamp: u32, marker: bool, payload: &[u8]) -> Option<char> {
        let [event, flags, high, low, ..] = *payload else { return None };
        let digit = char::from(*DIGITS.get(usize::from(event))?);
        let press = Press { event, timestamp, duration: u16::from_be_bytes([high, low]), ended: flags & END != 0 };
        if let Some(last) = &mut self.last {
            let ahead = timestamp.wrapping_sub(last.timestamp);
            if ahead == 0 {
                last.ended |= press.ended;
                last.duration = last.duration.max(press.duration);
                return None;
            }
            // An earlier press again, overtaken. (Far back is a new source, not an old press.)
            if ahead > u32::MAX - 80_000 {
                return None;
            }
            let segment = ahead == u32::from(u16::MAX) && !last.ended;
            // No press begins before the last one's end, and none within 60 ms of its beginning.
            let creeping = ahead <= u32::from(last.duration.max(480));
            if last.event == event && !marker && (segment || creeping) {
                *last = press;
                return None;
            }
        }
        self.last = Some(press);
        Some(digit)
    }

    /// Forgets the last press: a new source begins.
    pub const fn reset(&mut self) {
        self.last = None;
    }
}

/// Writes one press, a packet each 20 ms.
#[derive(Clone, Copy, Debug)]
pub struct KeyWriter {
    event: u8,
    step: u8,
    begin: u32,
    /// Timestamp units of 20 ms.
    units: u16,
}

impl KeyWriter {
    /// A press of `digit`, with the codec's clock; `None` for what is no key.
    #[must_use]
    pub fn new(digit: char, clock_rate_hz: u32) -> Option<Self> {
        let units = u16::try_from(clock_rate_hz / 50).ok()?;
        Some(KeyWriter { event: event_of(digit)?, step: 0, begin: 0, units })
    }

    /// The next packet's place and payload; `None` when the press is over. To be called each 20 ms.
    pub fn next(&mut self, stream: &mut Continuity, now: Time) -> Option<(StreamPosition, [u8; PAYLOAD_LEN])> {
        if self.step == PRESSED_STEPS + END_PACKETS {
            return None;
        }
        let place = stream.own(u32::from(self.units), now);
        if self.step == 0 {
            self.begin = place.timestamp;
        }
        self.step += 1;
        let end = if self.step > PRESSED_STEPS { END } else { 0 };
        let [high, low] = (self.units * u16::from(self.step.min(PRESSED_STEPS))).to_be_bytes();
        let place = StreamPosition { timestamp: self.begin, first: self.step == 1, ..place };
        Some((place, [self.event, end | VOLUME, high, low]))
    }
}
