//! What is learned from the packets of one source: their order, what is lost, their jitter (RFC 3550 6.4.1, A.1, A.3, A.8).
//!
//! The source has been validated before (by its address, or by its key), so that the first packet counts at once and RFC 3550's
//! probation is not needed.

/// A gap of sequence numbers that is still taken for loss.
const DROPOUT_MAX: u16 = 3_000;
/// How far back a packet may come and still be taken for late.
const MISORDER_MAX: u16 = 100;

/// How a packet came, relative to those before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// The first of its source, or of a source that began anew.
    First,
    /// After all others, perhaps with a gap.
    Next,
    /// Late, or twice.
    Late,
    /// Far from the others: dropped, unless the next one follows it, for then the source has restarted.
    Wild,
}

/// What was received of one synchronisation source; a new source begins anew, and what the old ones lost is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reception {
    ssrc: u32,
    started: bool,
    /// The highest sequence number, with the number of times it went round above its 16 bits.
    highest: u32,
    base: u32,
    received: u32,
    /// The successor of a wild packet.
    restart: Option<u16>,
    expected_prior: u32,
    received_prior: u32,
    transit: u32,
    /// Jitter in timestamp units, times 16.
    jitter: u32,
    /// What earlier sources have received and lost.
    received_before: u64,
    lost_before: u64,
}

/// A report block on what was received (RFC 3550 6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Block {
    /// The source that it is about.
    pub ssrc: u32,
    /// The fraction lost since the last report, of 256.
    pub fraction_lost: u8,
    /// The packets lost since the beginning; negative when some came twice. 24 bits on the wire.
    pub lost: i32,
    /// The highest sequence number, extended by how often it went round.
    pub highest: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// The middle 32 bits of the NTP time of the source's last sender report, 0 if none.
    pub last_sr: u32,
    /// How long ago that was, in units of 1/65536 s.
    pub delay_since_last_sr: u32,
}

impl Reception {
    /// Takes note of a packet that came at `arrival`, in units of its RTP clock (any origin).
    pub fn packet(&mut self, ssrc: u32, sequence: u16, timestamp: u32, arrival: u32) -> Arrival {
        if !self.started || ssrc != self.ssrc {
            self.begin(ssrc, sequence, timestamp, arrival);
            return Arrival::First;
        }
        let ahead = sequence.wrapping_sub(self.highest as u16);
        let arrived = if ahead == 0 || ahead > u16::MAX - MISORDER_MAX {
            Arrival::Late
        } else if ahead < DROPOUT_MAX {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
            Arrival::Next
        } else if self.restart == Some(sequence) {
            self.begin(ssrc, sequence, timestamp, arrival);
            return Arrival::First;
        } else {
            self.restart = Some(sequence.wrapping_add(1));
            return Arrival::Wild;
        };
        self.restart = None;
        self.received = self.received.wrapping_add(1);
        let transit = arrival.wrapping_sub(timestamp);
        let moved = (transit.wrapping_sub(self.transit) as i32).unsigned_abs();
        self.transit = transit;
        // A jump of the timestamps (a new stretch of speech of a careless sender) is not jitter.
        if moved < 1 << 20 {
            self.jitter = self.jitter.wrapping_add(moved).wrapping_sub((self.jitter + 8) >> 4);
        }
        arrived
    }

    fn begin(&mut self, ssrc: u32, sequence: u16, timestamp: u32, arrival: u32) {
        *self = Reception {
            ssrc,
            started: true,
            highest: u32::from(sequence),
            base: u32::from(sequence),
            received: 1,
            transit: arrival.wrapping_sub(timestamp),
            received_before: self.received_total(),
            lost_before: self.lost_total(),
            ..Reception::default()
        };
    }

    const fn expected(&self) -> u32 {
        if self.started { self.highest.wrapping_sub(self.base).wrapping_add(1) } else { 0 }
    }

    /// The source now heard, if any was.
    #[must_use]
    pub const fn ssrc(&self) -> Option<u32> {
        if self.started { Some(self.ssrc) } else { None }
    }

    /// Packets received, of all sources.
    #[must_use]
    pub fn received_total(&self) -> u64 {
        self.received_before + u64::from(self.received)
    }

    /// Packets that never came, of all sources; never negative.
    #[must_use]
    pub fn lost_total(&self) -> u64 {
        self.lost_before + u64::from(self.expected().saturating_sub(self.received))
    }

    /// Interarrival jitter in timestamp units.
    #[must_use]
    pub const fn jitter(&self) -> u32 {
        self.jitter >> 4
    }

    /// The report block on this source, without the times of its sender reports; the fraction is of what was expected since the last.
    pub fn report(&mut self) -> Option<Block> {
        if !self.started {
            return None;
        }
        let expected = self.expected().wrapping_sub(self.expected_prior);
        let received = self.received.wrapping_sub(self.received_prior);
        self.expected_prior = self.expected();
        self.received_prior = self.received;
        let lost = expected.saturating_sub(received);
        let fraction = (u64::from(lost) << 8).checked_div(u64::from(expected)).unwrap_or(0);
        Some(Block {
            ssrc: self.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: (i64::from(self.expected()) - i64::from(self.received)).clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest: self.highest,
            jitter: self.jitter(),
            last_sr: 0,
            delay_since_last_sr: 0,
        })
    }
}
