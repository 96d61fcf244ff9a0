//! Session descriptions as functions: reading them ([`read`]), and offer and answer for one audio stream.
//!
//! Owns the text of SDP (RFC 8866, still written as RFC 4566 by everyone) and the offer/answer model (RFC 3264) for what hotline
//! does: one audio stream of RTP/AVP (or AVPF) with telephone-event; all other streams of an offer are answered as rejected. The reader is
//! ours because tolerance is the point of it: what carriers and phones send decides, not the grammar.
//!
//! It must never own a port, know a call, or fail on a line that it has no use for.

mod negotiate;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use crate::base::Codec;

pub use negotiate::{Agreement, agreed, answer, choose, common, ordered_for};
pub use read::{BYTES_MAX, FORMATS_MAX, MEDIA_MAX, read};
pub use write::{Local, formats, formats_like, offer};

/// Codecs in an order of preference.
pub type Codecs = SmallVec<[Codec; 4]>;

/// The formats of one audio stream, in order of preference.
pub type Formats = SmallVec<[Format; 8]>;

/// Why a description cannot be used. All of them mean 488 to an offer (or 400 where the text is broken).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SdpError {
    /// Longer than [`BYTES_MAX`].
    #[error("longer than {BYTES_MAX} bytes")]
    TooLong,
    /// The first line is not `v=0`.
    #[error("does not begin with v=0")]
    Version,
    /// More than [`MEDIA_MAX`] media lines.
    #[error("more than {MEDIA_MAX} media lines")]
    TooManyMedia,
    /// A media line that cannot be read (line number, from 1).
    #[error("line {0}: not a media line")]
    Media(u16),
    /// The audio stream has no unicast IP address (a host name is not looked up).
    #[error("the audio stream has no unicast IP address")]
    Address,
    /// No audio stream over RTP is offered, or the answer rejects ours.
    #[error("no audio over RTP/AVP")]
    NoAudio,
    /// The audio stream has no codec that both sides know.
    #[error("no codec in common")]
    NoCommonCodec,
}

impl SdpError {
    /// Whether the text itself is broken (400), rather than asking for what we cannot do (488).
    #[must_use]
    pub const fn malformed(self) -> bool {
        matches!(self, SdpError::TooLong | SdpError::Version | SdpError::TooManyMedia | SdpError::Media(_))
    }
}

/// Which way a stream flows, seen from whoever wrote the description (RFC 8866 6.7).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Direction {
    /// Both ways; what is meant where nothing is said.
    #[default]
    SendRecv,
    /// The writer only sends: it holds the other side.
    SendOnly,
    /// The writer only receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// From who sends and who receives.
    #[must_use]
    pub const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// Whether the writer sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the writer receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The attribute's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// What to answer to this offer if we would like `wish` (RFC 3264 6.1): we send only to who receives, and the reverse.
    #[must_use]
    pub const fn answered(self, wish: Direction) -> Direction {
        Direction::new(self.receives() && wish.sends(), self.sends() && wish.receives())
    }
}

/// What a payload type stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Encoding {
    /// A codec that hotline knows.
    Audio(Codec),
    /// Key presses (RFC 4733), timed by a clock of this rate in Hz.
    TelephoneEvent(u32),
    /// Something else.
    Unknown,
}

/// One format of an audio stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Format {
    /// The RTP payload type, 0 to 127.
    pub payload_type: u8,
    /// What it stands for.
    pub encoding: Encoding,
    /// The value of its `a=fmtp`, kept for Opus only, where it belongs to the stream that is relayed (RFC 7587 6.1).
    pub fmtp: Option<Box<str>>,
}

impl Format {
    /// The codec, if it is one that hotline knows.
    #[must_use]
    pub const fn codec(&self) -> Option<Codec> {
        match self.encoding {
            Encoding::Audio(codec) => Some(codec),
            _ => None,
        }
    }
}

/// The audio stream of a description.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audio {
    /// Where its writer receives; unspecified (`0.0.0.0`, `::`) where it was held the old way.
    pub address: IpAddr,
    /// The port that its writer receives RTP on; never 0.
    pub port: u16,
    /// Where its writer receives RTCP: as `a=rtcp` says (RFC 3605), else the next port.
    pub rtcp: Option<SocketAddr>,
    /// Whether RTCP may come on the RTP port (RFC 5761).
    pub rtcp_mux: bool,
    /// Whether the profile is RTP/AVPF (RFC 4585), which the answer repeats.
    pub feedback: bool,
    /// In the writer's order of preference, at most [`FORMATS_MAX`].
    pub formats: Formats,
    /// Which way it flows, seen from its writer. The old way of holding, an unspecified address, counts as "does not receive".
    pub direction: Direction,
    /// Milliseconds of audio a packet that its writer would like to receive.
    pub ptime_ms: Option<u16>,
}

impl Audio {
    /// The codecs that hotline knows, in the writer's order.
    pub fn codecs(&self) -> impl Iterator<Item = Codec> {
        self.formats.iter().filter_map(Format::codec)
    }

    /// The first format of this codec.
    #[must_use]
    pub fn format_of(&self, codec: Codec) -> Option<&Format> {
        self.formats.iter().find(|format| format.codec() == Some(codec))
    }

    /// Whether the writer holds the other side (it does not receive).
    #[must_use]
    pub const fn holds(&self) -> bool {
        !self.direction.receives()
    }
}

/// A stream that is not ours to take; an answer repeats its line with port 0 (RFC 3264 6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Other {
    /// `audio`, `video`, `image` ...
    pub media: Box<str>,
    /// `RTP/SAVP`, `udptl` ...
    pub protocol: Box<str>,
    /// Its formats as they were written.
    pub formats: Box<str>,
}

/// A description as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Description {
    /// The value of `o=` as it was written. Two that are equal say that nothing has changed (RFC 3264 8).
    pub origin: Box<str>,
    /// The start and stop times of `t=`, which an answer repeats; (0, 0) is a call.
    pub timing: (u64, u64),
    /// The first audio stream over RTP/AVP or RTP/AVPF whose port is not 0.
    pub audio: Option<Audio>,
    /// How many of `others` come before the audio stream.
    pub audio_index: usize,
    /// The other streams, in order.
    pub others: Vec<Other>,
}
