//! What stands in for audio that did not come: the voice's last period goes on, and fades away.
//!
//! After the idea of G.711 Appendix I: the pitch is found in what was heard last, its period is repeated, and what comes after the gap is
//! faded in over it.

/// At 8 kHz: the shortest and the longest period that is looked for (400 Hz to 66 Hz), and how much of what was heard is compared.
const PERIOD_MIN: usize = 20;
const PERIOD_MAX: usize = 120;
const COMPARED: usize = 80;
/// Milliseconds at the full level, and until nothing is left.
const FULL_MS: usize = 10;
const GONE_MS: usize = 60;
/// Milliseconds over which what comes after a gap is faded in.
const FADE_MS: usize = 4;
/// Samples of history, at 8 kHz, that a period is looked for in.
pub(super) const HISTORY: usize = PERIOD_MAX + COMPARED;

/// The period that goes on through a gap.
#[derive(Clone, Debug)]
pub(super) struct Concealment {
    period: [i16; 2 * PERIOD_MAX],
    len: usize,
    /// Samples since the gap began.
    passed: usize,
}

/// Samples a millisecond, at a rate of so many times 8 kHz.
const fn per_ms(times: usize) -> usize {
    8 * times
}

impl Concealment {
    /// Begins a gap after `heard`, at so many times 8 kHz. `heard` has [`HISTORY`] samples at the least, times that.
    pub(super) fn after(heard: &[i16], times: usize) -> Self {
        let compared = &heard[heard.len() - COMPARED * times..];
        let likeness = |lag: usize| {
            let before = &heard[heard.len() - COMPARED * times - lag..heard.len() - lag];
            // Every other sample at 16 kHz is enough.
            let pairs = compared.iter().zip(before).step_by(times);
            let (product, power) = pairs.fold((0i64, 1i64), |(product, power), (now, then)| {
                let (now, then) = (i64::from(*now), i64::from(*then));
                (product + now * then, power + then * then)
            });
            // The sign and the square of the normalized correlation.
            product as f64 * product.abs() as f64 / power as f64
        };
        let mut best = (PERIOD_MIN * times, f64::MIN);
        for lag in PERIOD_MIN * times..=PERIOD_MAX * times {
            let like = likeness(lag);
            if like > best.1 {
                best = (lag, like);
            }
        }
        let len = best.0;
        let mut period = [0; 2 * PERIOD_MAX];
        period[..len].copy_from_slice(&heard[heard.len() - len..]);
        Concealment { period, len, passed: 0 }
    }

    /// Goes on with the gap.
    pub(super) fn run(&mut self, out: &mut [i16], times: usize) {
        let (full, gone) = (FULL_MS * per_ms(times), GONE_MS * per_ms(times));
        for out in out {
            let level = gone.saturating_sub(self.passed).min(gone - full) as i32;
            *out = (i32::from(self.period[self.passed % self.len]) * level / (gone - full) as i32) as i16;
            self.passed += 1;
        }
    }

    /// Ends the gap: fades in what comes after it.
    pub(super) fn end(mut self, after: &mut [i16], times: usize) {
        let fade = (FADE_MS * per_ms(times)).min(after.len());
        let mut rest = [0; 2 * per_ms(2) * FADE_MS];
        self.run(&mut rest[..fade], times);
        for (at, (after, rest)) in after.iter_mut().zip(&rest[..fade]).enumerate() {
            let at = at as i32;
            *after = ((i32::from(*after) * at + i32::from(*rest) * (fade as i32 - at)) / fade as i32) as i16;
        }
    }

    /// Whether nothing is left of what was heard.
    pub(super) const fn faded(&self, times: usize) -> bool {
        self.passed >= GONE_MS * per_ms(times)
    }
}
