//! Reads what recordings come in: WAV files of 16-bit samples, one channel, 16 kHz (8 kHz ones are taken and doubled).

use crate::rtp::resample::Doubler;

/// Why a file is not such a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WavError {
    /// Not a RIFF file of type WAVE, or cut short.
    #[error("not a WAV file")]
    NotWav,
    /// Another format than 16-bit PCM, one channel, 16 or 8 kHz.
    #[error("{bits} bits, {channels} channels, {rate_hz} Hz: convert it to 16 bits, 1 channel, 16000 Hz")]
    Format {
        /// Bits a sample; 0 when it is not PCM.
        bits: u16,
        /// Channels.
        channels: u16,
        /// Samples a second.
        rate_hz: u32,
    },
}

const PCM: u16 = 1;
/// PCM with more words about it, which change nothing for one channel of 16 bits.
const EXTENSIBLE: u16 = 0xfffe;

/// The samples at 16 kHz.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<i16>, WavError> {
    let [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', chunks @ ..] = bytes else { return Err(WavError::NotWav) };
    let mut rest = chunks;
    let mut rate_hz = None;
    while let [a, b, c, d, l0, l1, l2, l3, body @ ..] = rest {
        let stated = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
        // A recorder that was cut off leaves a length that is too great.
        let body = &body[..stated.min(body.len())];
        match &[*a, *b, *c, *d] {
            b"fmt " => rate_hz = Some(format(body)?),
            b"data" => {
                let samples: Vec<i16> = body.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
                return match rate_hz {
                    Some(8_000) => {
                        let mut doubled = vec![0; 2 * samples.len()];
                        Doubler::default().run(&samples, &mut doubled);
                        Ok(doubled)
                    }
                    Some(_) => Ok(samples),
                    None => Err(WavError::NotWav),
                };
            }
            _ => {}
        }
        // Chunks are padded to even lengths.
        rest = rest.get(8 + stated + (stated & 1)..).unwrap_or(&[]);
    }
    Err(WavError::NotWav)
}

/// The sample rate, if the format is one that is taken.
fn format(body: &[u8]) -> Result<u32, WavError> {
    let [k0, k1, c0, c1, r0, r1, r2, r3, _, _, _, _, _, _, b0, b1, ..] = *body else { return Err(WavError::NotWav) };
    let (kind, channels, bits) = (u16::from_le_bytes([k0, k1]), u16::from_le_bytes([c0, c1]), u16::from_le_bytes([b0, b1]));
    let rate_hz = u32::from_le_bytes([r0, r1, r2, r3]);
    let bits = if matches!(kind, PCM | EXTENSIBLE) { bits } else { 0 };
    if bits == 16 && channels == 1 && matches!(rate_hz, 8_000 | 16_000) {
        Ok(rate_hz)
    } else {
        Err(WavError::Format { bits, channels, rate_hz })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(rate_hz: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0".to_vec();
        bytes.extend(channels.to_le_bytes());
        bytes.extend(rate_hz.to_le_bytes());
        bytes.extend([0, 0, 0, 0, 2, 0, 16, 0]);
        bytes.extend(b"data");
        bytes.extend((samples.len() as u32 * 2).to_le_bytes());
        bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        bytes
    }

    #[test]
    fn what_is_read_and_what_is_refused() {
        let samples: Vec<i16> = (0..100).collect();
        assert_eq!(read(&file(16_000, 1, &samples)), Ok(samples.clone()));
        assert_eq!(read(&file(8_000, 1, &samples)).unwrap().len(), 200);
        assert_eq!(read(&file(16_000, 2, &samples)), Err(WavError::Format { bits: 16, channels: 2, rate_hz: 16_000 }));
        assert_eq!(read(&file(44_100, 1, &samples)), Err(WavError::Format { bits: 16, channels: 1, rate_hz: 44_100 }));
        let whole = file(16_000, 1, &samples);
        for end in 0..whole.len() {
            // Cut off in the samples it is as long as it is; before them it is no recording.
            assert_eq!(read(&whole[..end]).is_ok(), end >= whole.len() - 200, "{end}");
        }
    }
}
