//! One outgoing stream from many sources: the SSRC stays, sequence numbers go on one by one and timestamps by the time that has passed, whether
//! music, a caller or another agent is heard (RFC 3550 5.1, 7.1).
//!
//! While one source lasts, its own gaps and its own order are passed on, so that the receiver sees its losses.

use std::time::Duration;

use super::seq_after;
use crate::base::Time;

/// A source's numbers that jump by more than this are a new start of it.
const JUMP_MAX: u16 = 3_000;
/// Own packets that are later than this many steps catch up in their timestamps.
const STEPS_LATE_MAX: u32 = 3;

/// Maps the packets of changing sources onto one outgoing stream.
#[derive(Clone, Copy, Debug)]
pub struct Continuity {
    ssrc: u32,
    clock_rate_hz: u32,
    /// The highest number sent, its timestamp, and when.
    sequence: u16,
    timestamp: u32,
    sent_at: Time,
    started: bool,
    source: Source,
    /// What is added to the source's numbers.
    sequence_offset: u16,
    timestamp_offset: u32,
    /// The first number of this source: what would come before it belongs to another source.
    floor: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    /// The next packet of whatever source begins a stretch.
    None,
    /// Our own: music, prompts.
    Own,
    /// A party's, with its SSRC.
    Party(u32),
}

/// A place in the outgoing stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamPosition {
    /// The sequence number to send with.
    pub sequence: u16,
    /// The timestamp to send with.
    pub timestamp: u32,
    /// Whether it begins a stretch of a new source: the marker bit tells the receiver's jitter buffer.
    pub first: bool,
}

impl Continuity {
    /// A stream with this SSRC that begins with these random numbers (RFC 3550 5.1).
    #[must_use]
    pub const fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Continuity {
            ssrc,
            clock_rate_hz: 8_000,
            sequence,
            timestamp,
            sent_at: Time::ZERO,
            started: false,
            source: Source::None,
            sequence_offset: 0,
            timestamp_offset: 0,
            floor: 0,
        }
    }

    /// The outgoing SSRC.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The codec's RTP clock from here on, in Hz.
    pub const fn set_clock_rate(&mut self, clock_rate_hz: u32) {
        self.clock_rate_hz = clock_rate_hz;
    }

    /// Ends the current source: whatever comes next begins a new stretch.
    pub const fn cut(&mut self) {
        self.source = Source::None;
    }

    /// The timestamp that stands for `now`, for a sender report (RFC 3550 6.4.1).
    #[must_use]
    pub fn timestamp_at(&self, now: Time) -> u32 {
        self.timestamp.wrapping_add(ticks(now.since(self.sent_at), self.clock_rate_hz))
    }

    /// The place of a packet of our own that lasts `step` timestamp units.
    pub fn own(&mut self, step: u32, now: Time) -> StreamPosition {
        let first = self.source != Source::Own;
        let passed = ticks(now.since(self.sent_at), self.clock_rate_hz);
        let advance = if !self.started {
            0
        } else if !first && passed < step * STEPS_LATE_MAX {
            step
        } else {
            passed.max(step)
        };
        self.source = Source::Own;
        self.advance(self.sequence.wrapping_add(1), self.timestamp.wrapping_add(advance), now);
        StreamPosition { sequence: self.sequence, timestamp: self.timestamp, first }
    }

    /// The place of a party's packet; `None` when it comes too late to have one.
    pub fn relayed(&mut self, ssrc: u32, sequence: u16, timestamp: u32, now: Time) -> Option<StreamPosition> {
        let mapped = sequence.wrapping_add(self.sequence_offset);
        let ahead = mapped.wrapping_sub(self.sequence);
        let jumped = (JUMP_MAX..=u16::MAX - JUMP_MAX).contains(&ahead);
        if self.source != Source::Party(ssrc) || jumped {
            self.source = Source::Party(ssrc);
            let passed = ticks(now.since(self.sent_at), self.clock_rate_hz);
            let begin = self.timestamp.wrapping_add(if self.started { passed.max(1) } else { 0 });
            self.floor = self.sequence.wrapping_add(1);
            self.sequence_offset = self.floor.wrapping_sub(sequence);
            self.timestamp_offset = begin.wrapping_sub(timestamp);
            self.advance(self.floor, begin, now);
            return Some(StreamPosition { sequence: self.floor, timestamp: begin, first: true });
        }
        let timestamp = timestamp.wrapping_add(self.timestamp_offset);
        if seq_after(mapped, self.sequence) {
            self.advance(mapped, timestamp, now);
        } else if seq_after(self.floor, mapped) {
            return None;
        }
        Some(StreamPosition { sequence: mapped, timestamp, first: false })
    }

    /// Leaves out a party's packet that its receiver is not meant to have, so that it is not counted as lost.
    pub const fn skip(&mut self, ssrc: u32, sequence: u16) {
        let mapped = sequence.wrapping_add(self.sequence_offset);
        if let Source::Party(current) = self.source
            && current == ssrc
            && seq_after(mapped, self.sequence)
        {
            self.sequence_offset = self.sequence_offset.wrapping_sub(1);
        }
    }

    const fn advance(&mut self, sequence: u16, timestamp: u32, now: Time) {
        (self.sequence, self.timestamp, self.sent_at, self.started) = (sequence, timestamp, now, true);
    }
}

/// A span in units of a clock; what is longer than the timestamps' circle wraps with them.
fn ticks(span: Duration, clock_rate_hz: u32) -> u32 {
    (span.as_micros() as u64).wrapping_mul(u64::from(clock_rate_hz)).wrapping_div(1_000_000) as u32
}
