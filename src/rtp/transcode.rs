//! From one codec to another, packet by packet: the laws of G.711 by table, G.711 and G.722 by way of linear samples.
//!
//! All of them carry 8 bytes a millisecond, so a packet keeps its length and its timestamps. What a packet would have changed in the state of
//! G.722 is lost with it; the codec recovers within some milliseconds by design (ITU-T G.722 leaks its predictors).

use std::fmt;

use audio_codec::Decoder as _;
use audio_codec::Encoder as _;
use audio_codec::g722::{G722Decoder, G722Encoder};

use super::g711::Law;
use super::resample::{Doubler, Halver};
use crate::base::Codec;

/// Bytes of payload at a time: 10 ms.
const CHUNK: usize = 80;

/// Turns payloads of one codec into payloads of another.
pub struct Transcoder {
    from: Codec,
    to: Codec,
    path: Path,
}

enum Path {
    Table(&'static [u8; 256]),
    ToG722(Law, Box<(Doubler, G722Encoder)>),
    FromG722(Law, Box<(Halver, G722Decoder)>),
}

impl fmt::Debug for Transcoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transcoder({} to {})", self.from, self.to)
    }
}

/// G.711's law, of the codecs that have one.
const fn law(codec: Codec) -> Option<Law> {
    match codec {
        Codec::Pcmu => Some(Law::Mu),
        Codec::Pcma => Some(Law::A),
        Codec::G722 | Codec::Opus => None,
    }
}

impl Transcoder {
    /// A transcoder, unless the codecs are the same or one of them is Opus, which is never transcoded.
    #[must_use]
    pub fn new(from: Codec, to: Codec) -> Option<Self> {
        let path = match (from, to) {
            (Codec::Pcmu, Codec::Pcma) => Path::Table(Law::Mu.to_other()),
            (Codec::Pcma, Codec::Pcmu) => Path::Table(Law::A.to_other()),
            (_, Codec::G722) => Path::ToG722(law(from)?, Box::default()),
            (Codec::G722, _) => Path::FromG722(law(to)?, Box::default()),
            _ => return None,
        };
        Some(Transcoder { from, to, path })
    }

    /// Whether it turns `from` into `to`.
    #[must_use]
    pub fn fits(&self, from: Codec, to: Codec) -> bool {
        self.from == from && self.to == to
    }

    /// Turns as much of a payload as `out` has room for; the bytes written.
    pub fn run(&mut self, payload: &[u8], out: &mut [u8]) -> usize {
        let len = payload.len().min(out.len());
        let chunks = payload[..len].chunks(CHUNK).zip(out[..len].chunks_mut(CHUNK));
        match &mut self.path {
            Path::Table(table) => {
                for (code, out) in payload.iter().zip(&mut *out) {
                    *out = table[usize::from(*code)];
                }
            }
            Path::ToG722(law, state) => {
                for (codes, out) in chunks {
                    let mut low = [0; CHUNK];
                    for (sample, code) in low.iter_mut().zip(codes) {
                        *sample = law.decode(*code);
                    }
                    let mut high = [0; 2 * CHUNK];
                    state.0.run(&low[..codes.len()], &mut high);
                    encode_g722(&mut state.1, &high[..2 * codes.len()], out);
                }
            }
            Path::FromG722(law, state) => {
                for (codes, out) in chunks {
                    let mut high = [0; 2 * CHUNK];
                    decode_g722(&mut state.1, codes, &mut high);
                    let mut low = [0; CHUNK];
                    state.0.run(&high[..2 * codes.len()], &mut low);
                    for (out, sample) in out.iter_mut().zip(&low) {
                        *out = law.encode(*sample);
                    }
                }
            }
        }
        len
    }
}

/// Encodes 16 kHz samples, two a byte. `out` must be half as long as `samples`.
pub fn encode_g722(encoder: &mut G722Encoder, samples: &[i16], out: &mut [u8]) {
    // The only error is an `out` that is too small.
    let written = encoder.encode_into(samples, out);
    debug_assert_eq!(written.ok(), Some(out.len()));
}

/// Decodes to 16 kHz samples, two a byte. `out` must be twice as long as `codes`.
pub fn decode_g722(decoder: &mut G722Decoder, codes: &[u8], out: &mut [i16]) {
    let written = decoder.decode_into(codes, out);
    debug_assert_eq!(written.ok(), Some(2 * codes.len()));
}
