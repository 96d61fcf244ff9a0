//! The audio codecs that hotline knows.

use std::fmt;

/// An audio codec, with what RTP needs to know of it (RFC 3551, RFC 7587).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Codec {
    /// G.711 μ-law, static payload type 0.
    Pcmu,
    /// G.711 A-law, static payload type 8.
    Pcma,
    /// G.722 at 64 kbit/s, static payload type 9: 16 kHz audio whose RTP clock runs at 8 kHz by a historical error (RFC 3551 4.5.2).
    G722,
    /// Opus, dynamic payload type, RTP clock 48 kHz, `opus/48000/2` (RFC 7587). Relayed end to end, never transcoded.
    Opus,
}

impl Codec {
    /// All of them, in hotline's own order of preference.
    pub const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

    /// The RTP clock rate in Hz.
    #[must_use]
    pub const fn clock_rate_hz(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8_000,
            Codec::Opus => 48_000,
        }
    }

    /// The static payload type (RFC 3551 table 4); Opus has none.
    #[must_use]
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Pcmu => Some(0),
            Codec::Pcma => Some(8),
            Codec::G722 => Some(9),
            Codec::Opus => None,
        }
    }

    /// The encoding name of SDP's `a=rtpmap`.
    #[must_use]
    pub const fn encoding_name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Opus => "opus",
        }
    }

    /// Whether hotline can turn this codec into another of the same kind.
    #[must_use]
    pub const fn transcodable(self) -> bool {
        !matches!(self, Codec::Opus)
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encoding_name())
    }
}
