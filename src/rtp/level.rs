//! The level of a sum of voices: it stays under full scale, by turning all of them down alike and not by clipping; and silence has a floor.

/// Where the loudest sample of a sum is kept, 0.8 dB under full scale.
const CEILING: i32 = 30_000;
/// 1 in the unit of gains.
const UNITY: i32 = 1 << 15;
/// Samples over which the gain goes down; so long the sum may be clipped.
const DOWN: usize = 40;
/// Frames of 20 ms without need before the gain goes up: longer than voices beat.
const CALM: u8 = 50;
/// How far the gain goes up each frame: 3 dB a second.
const UP: i32 = 226;
/// The loudest sample of comfort noise: some 70 dB under full scale.
const NOISE: u32 = 15;

/// The gain that one listener's sums are heard with.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    gain: i32,
    calm: u8,
    noise: u32,
}

impl Default for Level {
    fn default() -> Self {
        Level { gain: UNITY, calm: 0, noise: 0x9e37_79b9 }
    }
}

impl Level {
    /// A frame of 20 ms of a sum of 16-bit samples as it is heard.
    pub fn run(&mut self, sum: &[i32], out: &mut [i16]) {
        let peak = sum.iter().fold(0, |peak, sample| sample.abs().max(peak));
        if peak <= CEILING && self.gain == UNITY {
            for (out, sample) in out.iter_mut().zip(sum) {
                *out = *sample as i16;
            }
            return;
        }
        let needed = if peak > CEILING { (i64::from(CEILING) * i64::from(UNITY) / i64::from(peak)) as i32 } else { UNITY };
        let before = self.gain;
        if needed <= self.gain {
            (self.gain, self.calm) = (needed, 0);
        } else if self.calm < CALM {
            self.calm += 1;
        } else {
            self.gain = (self.gain + UP * self.gain / UNITY).min(needed).min(UNITY);
        }
        let span = if self.gain < before { DOWN.min(sum.len()) } else { sum.len() };
        for (at, (out, sample)) in out.iter_mut().zip(sum).enumerate() {
            let gain = if at < span { before + (self.gain - before) * at as i32 / span as i32 } else { self.gain };
            let sample = i64::from(*sample) * i64::from(gain) / i64::from(UNITY);
            *out = sample.clamp(i64::from(-CEILING), i64::from(CEILING)) as i16;
        }
    }

    /// A frame in which nobody is heard: soft noise, for a line that is quite silent seems dead.
    pub fn comfort(&mut self, out: &mut [i16]) {
        for out in out {
            // Marsaglia's xorshift.
            self.noise ^= self.noise << 13;
            self.noise ^= self.noise >> 17;
            self.noise ^= self.noise << 5;
            *out = (self.noise % (2 * NOISE + 1)) as i16 - NOISE as i16;
        }
    }
}
