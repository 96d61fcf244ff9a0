//! The sound of a voice: each side hums a tone of its own, which is recognised in a frame of 20 ms by Goertzel's
//! algorithm.
//!
//! The tones are multiples of 50 Hz, so that one frame of samples follows itself without a break.

use std::f64::consts::TAU;

use crate::rtp::g711::Law;

/// Samples in 20 ms.
pub(super) const FRAME: usize = 160;
const RATE_HZ: f64 = 8_000.0;
/// About -12 dB of full scale.
const AMPLITUDE: f64 = 8_000.0;
/// Mean square below which a frame is silence: about -50 dB of full scale.
const SILENCE: f64 = 1e4;
/// A tone has at least this share of a frame's energy.
const PURE: f64 = 0.7;

/// The side of a call, each with its tone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Caller,
    Agent,
}

/// What a frame sounds like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sound {
    Silence,
    Hum(Side),
    /// Music, speech, noise.
    Other,
}

impl Side {
    const fn hertz(self) -> f64 {
        match self {
            Side::Caller => 1_050.0,
            Side::Agent => 1_850.0,
        }
    }

    /// A frame of this side's tone.
    pub(super) fn frame(self, law: Law) -> [u8; FRAME] {
        std::array::from_fn(|n| law.encode((AMPLITUDE * (TAU * self.hertz() * n as f64 / RATE_HZ).sin()) as i16))
    }
}

/// The energy at one frequency, as a share of `energy`, which is the sum of squares of the samples.
fn share_at(samples: &[f64], hertz: f64, energy: f64) -> f64 {
    let coefficient = 2.0 * (TAU * hertz / RATE_HZ).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (sample + coefficient * last - before, last);
    }
    let power = last * last + before * before - coefficient * last * before;
    2.0 * power / (samples.len() as f64 * energy)
}

/// What this payload sounds like.
pub(super) fn hear(payload: &[u8], law: Law) -> Sound {
    let mut samples = [0.0; FRAME];
    let length = payload.len().min(FRAME);
    for (sample, code) in samples.iter_mut().zip(payload) {
        *sample = f64::from(law.decode(*code));
    }
    let samples = &samples[..length];
    let energy: f64 = samples.iter().map(|sample| sample * sample).sum();
    if energy < SILENCE * length as f64 || length == 0 {
        return Sound::Silence;
    }
    let hums = [Side::Caller, Side::Agent].into_iter().find(|side| share_at(samples, side.hertz(), energy) > PURE);
    hums.map_or(Sound::Other, Sound::Hum)
}
