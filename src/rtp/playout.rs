//! One voice at our own pace: its packets go in as they come, and each 20 ms a frame of samples comes out.
//!
//! G.711 and G.722 both have one byte for each unit of their timestamps, so what has come lies in a ring under its timestamp: order,
//! repetition and the length of packets do not matter. What is late makes the delay longer, once; what is lost is concealed; a delay that is
//! never needed is given up again. The first packet is heard at once.

use std::fmt;

use audio_codec::g722::G722Decoder;

use super::conceal::{Concealment, HISTORY};
use super::g711::Law;
use super::resample::{Doubler, Halver};
use super::transcode::decode_g722;
use crate::base::Codec;

/// Bytes of payload, units of the timestamp, and samples at 8 kHz in a frame of 20 ms.
pub const STEP: usize = 160;
/// How far ahead of what is heard a packet may lie: 256 ms.
const RING: usize = 2_048;
/// A timestamp that is further behind is a new start of the source.
const BEHIND_MAX: i32 = 8_000;
/// The delay is looked at each two seconds. If it never went below 30 ms it is made shorter by a frame.
const WATCHED: u8 = 100;
const SPARE: u32 = 240;

/// A voice that is being listened to.
pub struct Playout {
    decoder: Decoder,
    ssrc: u32,
    bytes: [u8; RING],
    /// A bit for each of them: whether it has come, and is still to be heard.
    there: [u64; RING / 64],
    /// The timestamp that is heard next, and the one after the last that has come.
    next: u32,
    end: u32,
    gap: Option<Box<Concealment>>,
    /// The last two frames and this one.
    line: [i16; 3 * 2 * STEP],
    /// The frame at the other rate, once it was asked for.
    other: [i16; 2 * STEP],
    other_made: bool,
    doubler: Doubler,
    halver: Halver,
    watched: u8,
    /// The least that was left after a frame, since that is watched.
    least_left: u32,
}

enum Decoder {
    /// Nothing has come yet.
    None,
    Law(Law),
    G722(Box<G722Decoder>),
}

impl Decoder {
    fn new(codec: Codec) -> Option<Self> {
        match codec {
            Codec::Pcmu => Some(Decoder::Law(Law::Mu)),
            Codec::Pcma => Some(Decoder::Law(Law::A)),
            Codec::G722 => Some(Decoder::G722(Box::default())),
            Codec::Opus => None,
        }
    }

    const fn codec(&self) -> Option<Codec> {
        match self {
            Decoder::None => None,
            Decoder::Law(Law::Mu) => Some(Codec::Pcmu),
            Decoder::Law(Law::A) => Some(Codec::Pcma),
            Decoder::G722(_) => Some(Codec::G722),
        }
    }

    /// How many times 8 kHz its samples come at.
    const fn times(&self) -> usize {
        if matches!(self, Decoder::G722(_)) { 2 } else { 1 }
    }

    fn run(&mut self, codes: &[u8], out: &mut [i16]) {
        match self {
            Decoder::None => out.fill(0),
            Decoder::Law(law) => out.iter_mut().zip(codes).for_each(|(out, code)| *out = law.decode(*code)),
            Decoder::G722(decoder) => decode_g722(decoder, codes, out),
        }
    }
}

impl fmt::Debug for Playout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Playout({:?}, {} held)", self.decoder.codec(), self.held())
    }
}

impl Default for Playout {
    fn default() -> Self {
        Playout {
            decoder: Decoder::None,
            ssrc: 0,
            bytes: [0; RING],
            there: [0; RING / 64],
            next: 0,
            end: 0,
            gap: None,
            line: [0; 6 * STEP],
            other: [0; 2 * STEP],
            other_made: false,
            doubler: Doubler::default(),
            halver: Halver::default(),
            watched: 0,
            least_left: u32::MAX,
        }
    }
}

impl Playout {
    /// Takes a packet. False if it comes too late to be heard, or in a codec that cannot be decoded.
    pub fn packet(&mut self, codec: Codec, ssrc: u32, timestamp: u32, payload: &[u8]) -> bool {
        if self.decoder.codec() != Some(codec) {
            let Some(decoder) = Decoder::new(codec) else { return false };
            if decoder.times() != self.decoder.times() {
                (self.line, self.gap) = ([0; 6 * STEP], None);
            }
            self.decoder = decoder;
            self.restart(ssrc, timestamp);
        }
        let payload = &payload[..payload.len().min(RING / 2)];
        let ahead = timestamp.wrapping_sub(self.next) as i32;
        // Somebody else, a new start, or so much at once that most of it would be heard too late.
        let jumps = ssrc != self.ssrc || ahead < -BEHIND_MAX || ahead > (RING - payload.len()) as i32;
        // After a silence: what was not said is not waited for.
        if jumps || (ahead > 0 && self.held() == 0 && self.gap.is_some()) {
            self.restart(ssrc, timestamp);
        }
        let ahead = timestamp.wrapping_sub(self.next) as i32;
        let late = usize::try_from(-ahead).unwrap_or(0);
        let Some(in_time) = payload.get(late..).filter(|left| !left.is_empty()) else { return false };
        let from = timestamp.wrapping_add(late as u32);
        for (at, byte) in (from as usize..).zip(in_time) {
            self.bytes[at % RING] = *byte;
        }
        self.mark(from, in_time.len(), true);
        let end = from.wrapping_add(in_time.len() as u32);
        if end.wrapping_sub(self.end) as i32 > 0 {
            self.end = end;
        }
        true
    }

    fn restart(&mut self, ssrc: u32, timestamp: u32) {
        (self.ssrc, self.next, self.end) = (ssrc, timestamp, timestamp);
        self.there = [0; RING / 64];
    }

    /// Marks bytes as there, or as heard.
    fn mark(&mut self, from: u32, len: usize, there: bool) {
        let (mut at, mut left) = (from as usize % RING, len);
        while left > 0 {
            let some = left.min(64 - at % 64);
            let bits = (u64::MAX >> (64 - some)) << (at % 64);
            let word = &mut self.there[at / 64];
            *word = if there { *word | bits } else { *word & !bits };
            (at, left) = ((at + some) % RING, left - some);
        }
    }

    /// How many bytes from here on are all there, or all missing, at the most `max`; and which of the two.
    fn run_from(&self, from: u32, max: usize) -> (usize, bool) {
        let bit = |at: usize| self.there[at % RING / 64] >> (at % 64) & 1 == 1;
        let there = bit(from as usize % RING);
        let mut len = 0;
        while len < max {
            let at = (from as usize + len) % RING;
            let word = self.there[at / 64] >> (at % 64);
            let same = if there { word.trailing_ones() } else { word.trailing_zeros() } as usize;
            let in_word = 64 - at % 64;
            len += same.min(in_word);
            if same < in_word {
                break;
            }
        }
        (len.min(max), there)
    }

    /// Bytes from what is heard next to the last that has come.
    const fn held(&self) -> u32 {
        self.end.wrapping_sub(self.next)
    }

    /// Goes on by 20 ms.
    pub fn advance(&mut self) {
        let size = STEP * self.decoder.times();
        self.line.copy_within(size..3 * size, 0);
        self.other_made = false;
        if self.may_hurry() {
            self.hurry(size);
        } else {
            self.fill(size);
        }
        self.watched += 1;
        self.least_left = self.least_left.min(self.held());
        if self.watched > WATCHED {
            (self.watched, self.least_left) = (0, u32::MAX);
        }
    }

    /// Fills the frame with what is there, and conceals what is not. What has not come yet is still heard when it comes; what is lost is not.
    fn fill(&mut self, size: usize) {
        let times = self.decoder.times();
        let mut filled = 0;
        while filled < size {
            let wanted = (size - filled) / times;
            let (len, there) = match self.held() as usize {
                0 => (wanted, false),
                held => self.run_from(self.next, wanted.min(held)),
            };
            let (heard, now) = self.line.split_at_mut(2 * size + filled);
            let now = &mut now[..len * times];
            if there {
                let mut codes = [0; STEP];
                for (code, at) in codes.iter_mut().zip(self.next as usize..self.next as usize + len) {
                    *code = self.bytes[at % RING];
                }
                self.decoder.run(&codes[..len], now);
                if let Some(gap) = self.gap.take() {
                    gap.end(now, times);
                }
            } else {
                let begin = || Box::new(Concealment::after(&heard[heard.len() - HISTORY * times..], times));
                self.gap.get_or_insert_with(begin).run(now, times);
            }
            if self.held() > 0 {
                if there {
                    self.mark(self.next, len, false);
                }
                self.next = self.next.wrapping_add(len as u32);
            }
            filled += len * times;
        }
    }

    /// Whether the delay is longer than it need be, and two frames are there.
    fn may_hurry(&self) -> bool {
        self.watched == WATCHED && self.least_left >= SPARE && self.run_from(self.next, 2 * STEP) == (2 * STEP, true)
    }

    /// Makes one frame of two.
    fn hurry(&mut self, size: usize) {
        self.fill(size);
        let mut first = [0; 2 * STEP];
        first[..size].copy_from_slice(&self.line[2 * size..3 * size]);
        self.fill(size);
        for (at, (now, first)) in self.line[2 * size..3 * size].iter_mut().zip(&first).enumerate() {
            *now = ((i32::from(*first) * (size - at) as i32 + i32::from(*now) * at as i32) / size as i32) as i16;
        }
    }

    /// Whether something of the voice can be heard in this frame.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        !matches!(self.decoder, Decoder::None) && self.gap.as_ref().is_none_or(|gap| !gap.faded(self.decoder.times()))
    }

    /// The frame as samples at 8 kHz, or at 16 kHz.
    pub fn frame(&mut self, wide: bool) -> &[i16] {
        let size = STEP * self.decoder.times();
        let own = &self.line[2 * size..3 * size];
        let len = if wide { 2 * STEP } else { STEP };
        if len == size {
            return own;
        }
        if !self.other_made {
            self.other_made = true;
            if wide {
                self.doubler.run(own, &mut self.other);
            } else {
                self.halver.run(own, &mut self.other[..STEP]);
            }
        }
        &self.other[..len]
    }
}
