//! RTCP: our sender or receiver report with our canonical name, and what a peer's compound packet says of us (RFC 3550 6).
//!
//! RTCP is never relayed: each side hears from us about us.

use std::time::Duration;

use super::reception::Block;
use crate::base::Time;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const BLOCK_LEN: usize = 24;
/// Seconds from 1900, where NTP begins, to 1970.
const NTP_OFFSET_SECS: u64 = 2_208_988_800;
/// The most blocks that fit the 5-bit count.
const BLOCKS_MAX: u8 = 31;

/// What a sender says of its stream (RFC 3550 6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sender {
    /// The wall clock as an NTP timestamp: seconds since 1900 above 32 bits of fraction.
    pub ntp: u64,
    /// The RTP timestamp of the same moment.
    pub timestamp: u32,
    /// Packets sent since the beginning.
    pub packets: u32,
    /// Bytes of payload sent since the beginning.
    pub bytes: u32,
}

/// What a peer's compound packet says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Heard {
    /// The peer's SSRC and what it says of its stream, if it sends.
    pub sender: Option<(u32, Sender)>,
    /// Its block on the stream asked for, if there is one.
    pub about_us: Option<Block>,
    /// Whether it says goodbye.
    pub bye: bool,
}

/// The NTP timestamp of a moment (RFC 3550 4; RFC 5905 6).
#[must_use]
pub const fn ntp(time: Time) -> u64 {
    let (secs, micros) = (time.secs() + NTP_OFFSET_SECS, time.micros() % 1_000_000);
    secs << 32 | ((micros << 32) / 1_000_000)
}

/// The middle of an NTP timestamp, by which reports refer to each other.
#[must_use]
pub const fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// A span in units of 1/65536 s, as reports measure delays; the longest for what is longer than eighteen hours.
#[must_use]
pub fn units(span: Duration) -> u32 {
    u32::try_from((span.as_micros() << 16) / 1_000_000).unwrap_or(u32::MAX)
}

/// The time from our report to the peer's answer, less what the peer waited (RFC 3550 6.4.1); `None` without a report or with nonsense.
#[must_use]
pub fn round_trip(block: &Block, now: Time) -> Option<Duration> {
    if block.last_sr == 0 {
        return None;
    }
    let units = middle(ntp(now)).wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_last_sr);
    // Below zero (by clocks or malice), or over an hour: nonsense.
    (units < 3_600 << 16).then(|| Duration::from_micros((u64::from(units) * 1_000_000) >> 16))
}

/// Writes our compound packet: a sender report if we have sent since the last, else a receiver report, then our name. `out` is cleared first.
pub fn write(out: &mut Vec<u8>, ssrc: u32, sender: Option<&Sender>, block: Option<&Block>, cname: u64) {
    out.clear();
    let words = 1 + if sender.is_some() { 5 } else { 0 } + if block.is_some() { 6 } else { 0 };
    let kind = if sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    head(out, u8::from(block.is_some()), kind, words);
    out.extend(ssrc.to_be_bytes());
    if let Some(sender) = sender {
        out.extend(sender.ntp.to_be_bytes());
        for word in [sender.timestamp, sender.packets, sender.bytes] {
            out.extend(word.to_be_bytes());
        }
    }
    if let Some(block) = block {
        out.extend(block.ssrc.to_be_bytes());
        out.extend((u32::from(block.fraction_lost) << 24 | block.lost as u32 & 0xff_ffff).to_be_bytes());
        for word in [block.highest, block.jitter, block.last_sr, block.delay_since_last_sr] {
            out.extend(word.to_be_bytes());
        }
    }
    // One chunk: SSRC, CNAME of 16 hexadecimal digits, and zeros to the next word (RFC 3550 6.5).
    head(out, 1, SOURCE_DESCRIPTION, 6);
    out.extend(ssrc.to_be_bytes());
    out.extend([1, 16]);
    out.extend((0..16).rev().map(|place| b"0123456789abcdef"[(cname >> (4 * place)) as usize & 15]));
    out.extend([0, 0]);
}

fn head(out: &mut Vec<u8>, count: u8, kind: u8, words: u16) {
    out.extend([0x80 | count, kind]);
    out.extend(words.to_be_bytes());
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Reads a compound packet for what it says of the stream `ours`.
///
/// `None` when it is not well-formed: the parts must be version 2, fit exactly, and begin with a report (RFC 3550 A.2). Reduced-size
/// packets (RFC 5506) are not offered, so not expected.
#[must_use]
pub fn read(packet: &[u8], ours: u32) -> Option<Heard> {
    let mut heard = Heard::default();
    let mut rest = packet;
    let mut first = true;
    while let [flags, kind, high, low, ..] = *rest {
        let len = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        if flags >> 6 != 2 || len > rest.len() {
            return None;
        }
        if first && (!matches!(kind, SENDER_REPORT | RECEIVER_REPORT) || flags & 0x20 != 0) {
            return None;
        }
        first = false;
        let (part, after) = rest.split_at(len);
        let count = flags & BLOCKS_MAX;
        match kind {
            SENDER_REPORT => {
                let sender = Sender {
                    ntp: u64::from(word(part, 8)?) << 32 | u64::from(word(part, 12)?),
                    timestamp: word(part, 16)?,
                    packets: word(part, 20)?,
                    bytes: word(part, 24)?,
                };
                heard.sender = Some((word(part, 4)?, sender));
                heard.about_us = blocks(part, 28, count, ours)?.or(heard.about_us);
            }
            RECEIVER_REPORT => heard.about_us = blocks(part, 8, count, ours)?.or(heard.about_us),
            BYE => heard.bye = true,
            _ => {}
        }
        rest = after;
    }
    (rest.is_empty() && !first).then_some(heard)
}

/// The block on `ours` among `count` of them; the outer `None` when they do not fit.
#[allow(clippy::option_option, reason = "malformed and absent differ")]
fn blocks(part: &[u8], start: usize, count: u8, ours: u32) -> Option<Option<Block>> {
    let all = part.get(start..start + BLOCK_LEN * usize::from(count))?;
    let mut found = None;
    for block in all.chunks_exact(BLOCK_LEN) {
        if word(block, 0)? == ours {
            let lost = word(block, 4)?;
            found = Some(Block {
                ssrc: ours,
                fraction_lost: (lost >> 24) as u8,
                // Sign extension of 24 bits.
                lost: ((lost << 8) as i32) >> 8,
                highest: word(block, 8)?,
                jitter: word(block, 12)?,
                last_sr: word(block, 16)?,
                delay_since_last_sr: word(block, 20)?,
            });
        }
    }
    Some(found)
}
