//! RTP as functions over bytes: packets, reception statistics, RTCP, key presses, G.711 and G.722.
//!
//! Owns the formats of RFC 3550 (RTP and RTCP), RFC 4733 (telephone-event) and RFC 3551 (G.711, G.722 payloads). It must never own a
//! socket or a clock, allocate for a packet, or trust a length that a packet states.

mod conceal;
pub mod continuity;
pub mod g711;
pub mod key;
pub mod level;
pub mod packet;
pub mod playout;
pub mod reception;
pub mod resample;
pub mod rtcp;
#[cfg(test)]
mod tests;
pub mod transcode;

pub use continuity::Continuity;
pub use packet::{Header, RtpError};
pub use reception::{Arrival, Reception};
pub use transcode::Transcoder;

/// Whether sequence number `a` is after `b` on the circle of 65,536 (RFC 1982's comparison).
#[must_use]
pub const fn seq_after(a: u16, b: u16) -> bool {
    let ahead = a.wrapping_sub(b);
    ahead != 0 && ahead < 0x8000
}
