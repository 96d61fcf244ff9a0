//! The media threads: RTP relayed, music and prompts played, key presses and silences reported.
//!
//! Owns every RTP and RTCP socket, and the threads that sweep them. A thread looks at all of its sockets each millisecond or two while audio
//! flows, on an absolute schedule, and sleeps until something comes when none does: one wake-up serves hundreds of packets, where waking
//! for each packet costs three times as much. Between it and signalling there are only the words of [`crate::engine::media_port`]: commands
//! in, a sink for notices out. Neither ever waits for the other.
//!
//! It must never decide (that is signalling's), wait for anyone, or send one packet for an endpoint that was closed. Within a thread there is no
//! lock; across threads there are counters, the prompt library, and packets for parties of other threads.
//!
//! RFC 3550 (RTP, RTCP), RFC 4733 (telephone-event), RFC 5761 (rtcp-mux), RFC 4961 (symmetric RTP).

mod commands;
mod control;
mod counters;
mod embedded;
mod endpoint;
mod handle;
mod hearing;
mod held;
mod library;
mod mix;
mod play;
mod ports;
mod relay;
mod slots;
mod source;
mod tap;
mod thread;
mod wav;

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

pub use counters::{Counter, Counters};
pub use handle::{EventSink, Media, MediaError, MediaHandle, MediaSender};
pub use library::{Clip, Library, LibraryError};
pub use tap::{TAP_PACKETS, TapPacket, TapReader, TapSink};

/// Commands that may wait for a media thread, which takes some thousands a millisecond; beyond them each endpoint is told the newest alone.
pub const COMMANDS_MAX: usize = 8_192;

/// The settings of the media threads, which hold from their start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaSettings {
    /// Where to bind, and what to write into descriptions for it (they differ behind a 1:1 NAT). Ports are used on each.
    pub addresses: Vec<(IpAddr, IpAddr)>,
    /// The ports for RTP (even ones) and RTCP (the next).
    pub ports: RangeInclusive<u16>,
    /// How many threads share the ports.
    pub threads: u16,
    /// How long a freed pair rests, so that late packets of its last call reach nobody.
    pub rest: Duration,
    /// After how long a party that is expected to send, and does not, is reported; and again after each further such time.
    pub silence: Duration,
    /// How many shards there are that use the ports.
    pub shards: u16,
    /// Pairs that each thread leases ahead of need, to each shard.
    pub stock: usize,
    /// The most pairs that may be bound, by all threads together, however wide the range: each takes two descriptors.
    pub pairs_max: usize,
    /// The DiffServ code point of what is sent; 46 is EF (RFC 3246).
    pub dscp: u8,
}

impl Default for MediaSettings {
    fn default() -> Self {
        MediaSettings {
            addresses: vec![(IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 1]))],
            ports: 20_000..=29_999,
            threads: 1,
            rest: Duration::from_secs(2),
            silence: Duration::from_secs(30),
            shards: 1,
            stock: 256,
            pairs_max: usize::MAX,
            dscp: 46,
        }
    }
}
