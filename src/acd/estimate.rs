//! Estimates of waits: from how many wait, how often answers come, how soon callers give up, and which agents are
//! present.
//!
//! A caller behind `k` others waits for `k + 1` steps, each as long as answers are apart while somebody waits. The wait
//! is a sum of exponential times, whose quantiles come from Wilson and Hilferty's cube (1931). How far out the ends of
//! the range lie is not assumed but learnt, queue by queue, from how waits turned out. A wait that ends beyond an end
//! moves that end a little out. Each other wait moves it in by so much less that one in ten stays beyond it: the
//! adaptive conformal inference of Gibbs and Candes (2021). So the range holds eight of ten waits however wrong the
//! model is. A better model only makes it narrower.
//!
//! Measures decide nothing. Each is one word, replaced by compare-and-swap. A race between two words (a queue that
//! seems empty for a moment) makes an estimate a little worse. No match depends on this: it is read and written as a
//! wait begins and ends.

use std::time::Duration;

use crate::base::sync::{MeasuredU32, MeasuredU64, Ordering};
use crate::base::words::EstimateOutcome;
use crate::base::{Estimate, Range, Time};

/// Languages (and none) whose waits are measured apart, by queue; those beyond share the last.
const TONGUES: usize = 8;
/// How many answers must have been seen before an estimate is given.
const KNOWN_FROM: u8 = 3;
/// About how many answers are remembered.
const ANSWERS: u8 = 25;
/// About how many abandoned waits are remembered.
const LEAVINGS: f64 = 50.0;
/// How far an end moves for a wait that ends beyond it, in standard deviations.
const STEP: f64 = 0.06;
/// The share of waits that shall lie beyond each end.
const BEYOND: f64 = 0.1;
/// Where the ends lie before anything was learnt: those of a normal distribution.
const NORMAL: f64 = 1.2816;
/// Ends go no further, and come no closer to each other.
const END_MAX: f64 = 12.0;
const APART: f64 = 0.2;
/// The longest gap or wait that is taken for real, in seconds.
const LONGEST_S: f64 = 86_400.0;
/// The shortest gap, in seconds.
const GAP_MIN_S: f64 = 1e-4;
/// More or fewer agents than usual change the pace by no more than this.
const SCALE_MAX: f64 = 16.0;

/// How often answers come: the mean time between answers of those who waited, and how many agents were present
/// meanwhile.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
struct Pace {
    gap_s: f32,
    /// Answers seen, up to [`ANSWERS`].
    seen: u8,
    /// Agents who could serve, free or busy, on average.
    present: f32,
}

impl Pace {
    const PRESENT_ONE: f32 = 256.0;
    const PRESENT_BITS: u32 = 24;

    /// The gap in the upper half; the answers seen, then the agents in 1/256, in the lower one.
    fn pack(self) -> u64 {
        let largest = (1_u32 << Self::PRESENT_BITS) - 1;
        let present = ((self.present * Self::PRESENT_ONE) as u32).min(largest);
        u64::from(self.gap_s.to_bits()) << 32 | u64::from(self.seen) << Self::PRESENT_BITS | u64::from(present)
    }

    fn unpack(word: u64) -> Self {
        let present = (word & ((1 << Self::PRESENT_BITS) - 1)) as f32 / Self::PRESENT_ONE;
        Pace { gap_s: f32::from_bits((word >> 32) as u32), seen: (word >> Self::PRESENT_BITS) as u8, present }
    }

    /// After one more answer.
    fn after(self, gap_s: f64, present: u32) -> Self {
        let seen = self.seen.saturating_add(1).min(ANSWERS);
        let weight = 1.0 / f32::from(seen);
        let mean = |old: f32, new: f64| old + (new as f32 - old) * weight;
        Pace { gap_s: mean(self.gap_s, gap_s.min(LONGEST_S)), seen, present: mean(self.present, present.into()) }
    }

    /// The expected time between answers with so many agents; the last answer came `since_s` ago, which may be longer
    /// than any gap before.
    fn gap_with(self, present: u32, since_s: f64) -> f64 {
        let scale = (f64::from(self.present) / f64::from(present.max(1))).clamp(SCALE_MAX.recip(), SCALE_MAX);
        let gap_s = f64::from(self.gap_s) * scale;
        let overdue_s = (since_s.min(LONGEST_S) - gap_s).max(0.0);
        (gap_s + overdue_s / (f64::from(self.seen) + 1.0)).max(GAP_MIN_S)
    }
}

/// How soon callers give up: of all who leave, their share and their mean wait.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
struct Patience {
    gave_up: f32,
    waited_s: f32,
}

impl Patience {
    fn pack(self) -> u64 {
        u64::from(self.gave_up.to_bits()) << 32 | u64::from(self.waited_s.to_bits())
    }

    fn unpack(word: u64) -> Self {
        Patience { gave_up: f32::from_bits((word >> 32) as u32), waited_s: f32::from_bits(word as u32) }
    }

    fn after(self, answered: bool, waited: Duration) -> Self {
        let mean = |old: f32, new: f64| (f64::from(old) + (new - f64::from(old)) / LEAVINGS) as f32;
        let gave_up = if answered { 0.0 } else { 1.0 };
        Patience { gave_up: mean(self.gave_up, gave_up), waited_s: mean(self.waited_s, waited.as_secs_f64().min(LONGEST_S)) }
    }

    /// The share of the waiting who give up in a second.
    fn hazard(self) -> f64 {
        if self.waited_s > 0.0 { f64::from(self.gave_up / self.waited_s).min(1.0) } else { 0.0 }
    }
}

/// Where the ends of the range lie, in standard deviations from the middle.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Ends {
    low: f32,
    high: f32,
}

impl Ends {
    const AT_FIRST: Ends = Ends { low: -NORMAL as f32, high: NORMAL as f32 };

    fn pack(self) -> u64 {
        u64::from(self.low.to_bits()) << 32 | u64::from(self.high.to_bits())
    }

    fn unpack(word: u64) -> Self {
        Ends { low: f32::from_bits((word >> 32) as u32), high: f32::from_bits(word as u32) }
    }

    fn after(self, outcome: EstimateOutcome) -> Self {
        let beyond = |end: EstimateOutcome| f64::from(u8::from(outcome == end));
        let low = f64::from(self.low) - STEP * (beyond(EstimateOutcome::Sooner) - BEYOND);
        let high = f64::from(self.high) + STEP * (beyond(EstimateOutcome::Later) - BEYOND);
        let low = low.clamp(-END_MAX, END_MAX - APART);
        Ends { low: low as f32, high: high.clamp(low + APART, END_MAX) as f32 }
    }
}

fn seconds(of: f64) -> Duration {
    Duration::from_secs_f64(if of.is_finite() { of.clamp(0.0, LONGEST_S) } else { LONGEST_S })
}

/// What a caller behind `ahead` others may expect, when answers are `gap_s` apart and waiting callers give up at
/// `hazard` a second.
fn range(ahead: u32, gap_s: f64, seen: u8, hazard: f64, ends: Ends) -> Range {
    let steps = f64::from(ahead) + 1.0;
    // Some of those ahead give up: the queue takes 1/hazard ln(1 + steps gap hazard) instead of steps gap.
    let given_up = steps * gap_s * hazard;
    let mean_s = steps * gap_s * if given_up > 1e-6 { given_up.ln_1p() / given_up } else { 1.0 };
    let variance = 1.0 / steps + 1.0 / f64::from(seen.max(1));
    let at = |end: f64| seconds(mean_s * (1.0 - variance / 9.0 + end * variance.sqrt() / 3.0).max(0.0).powi(3));
    let (low, high) = (f64::from(ends.low), f64::from(ends.high));
    Range { low: at(low), likely: at(f64::midpoint(low, high)), high: at(high) }
}

/// What is measured of the callers of a queue who speak one language.
struct LanguageStats {
    pace: MeasuredU64,
    patience: MeasuredU64,
    /// When the last waiting caller was answered, or a caller began to wait in an empty queue; whichever is later.
    since: MeasuredU64,
    /// How many wait who were not offered at once.
    waiting: MeasuredU32,
}

struct Queue {
    ends: MeasuredU64,
    by_language: [LanguageStats; TONGUES],
}

/// What is measured of all queues.
pub(super) struct Estimates(Box<[Queue]>);

/// Whose wait is estimated: the index of a queue, and the number of a language in the routing table.
pub(super) type Whose = (usize, usize);

fn change(word: &MeasuredU64, to: impl Fn(u64) -> u64) {
    // Always changed, in the end: the closure refuses nothing.
    let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| Some(to(old)));
}

impl Estimates {
    pub(super) fn new(queues: u32) -> Self {
        let word = || MeasuredU64::new(0);
        let stats = |_| LanguageStats { pace: word(), patience: word(), since: word(), waiting: MeasuredU32::new(0) };
        let queue = |_| Queue { ends: MeasuredU64::new(Ends::AT_FIRST.pack()), by_language: std::array::from_fn(stats) };
        Estimates((0..queues).map(queue).collect())
    }

    fn stats(&self, (queue, tongue): Whose) -> &LanguageStats {
        &self.0[queue].by_language[tongue.min(TONGUES - 1)]
    }

    /// How many wait who were not offered at once.
    pub(super) fn waiting(&self, whose: Whose) -> u32 {
        self.stats(whose).waiting.load(Ordering::Relaxed)
    }

    /// One more waits. Returns how many did before.
    pub(super) fn begin(&self, now: Time, whose: Whose) -> u32 {
        let stats = self.stats(whose);
        let before = stats.waiting.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            stats.since.fetch_max(now.micros(), Ordering::Relaxed);
        }
        before
    }

    /// What a caller behind `ahead` others may expect now, with so many agents `present`.
    pub(super) fn behind(&self, now: Time, whose: Whose, ahead: u32, present: u32) -> Estimate {
        let stats = self.stats(whose);
        let pace = Pace::unpack(stats.pace.load(Ordering::Relaxed));
        if present == 0 || pace.seen < KNOWN_FROM {
            return Estimate::Unknown;
        }
        let waited = match stats.waiting.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            _ => now.since(Time::from_micros(stats.since.load(Ordering::Relaxed))),
        };
        let hazard = Patience::unpack(stats.patience.load(Ordering::Relaxed)).hazard();
        let ends = Ends::unpack(self.0[whose.0].ends.load(Ordering::Relaxed));
        Estimate::Known(range(ahead, pace.gap_with(present, waited.as_secs_f64()), pace.seen, hazard, ends))
    }

    /// A caller waits no more: it was answered, while so many agents were `present`, or it left.
    pub(super) fn end(&self, now: Time, whose: Whose, waited: Duration, answered: Option<u32>) {
        let stats = self.stats(whose);
        let _ = stats.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| waiting.checked_sub(1));
        change(&stats.patience, |word| Patience::unpack(word).after(answered.is_some(), waited).pack());
        if let Some(present) = answered {
            let since = Time::from_micros(stats.since.fetch_max(now.micros(), Ordering::Relaxed));
            // Clocks or stores of two shards may cross: the gap is at most the caller's own wait.
            let gap = now.since(since).min(waited);
            change(&stats.pace, |word| Pace::unpack(word).after(gap.as_secs_f64(), present).pack());
        }
    }

    /// Compares a wait with its estimate, and learns from it. A caller who gave up within the range tells nothing.
    pub(super) fn score(&self, queue: usize, estimate: &Estimate, waited: Duration, answered: bool) -> Option<EstimateOutcome> {
        let Range { low, high, .. } = estimate.range()?;
        let outcome = match waited {
            _ if waited > high => EstimateOutcome::Later,
            _ if !answered => return None,
            _ if waited < low => EstimateOutcome::Sooner,
            _ => EstimateOutcome::Within,
        };
        change(&self.0[queue].ends, |word| Ends::unpack(word).after(outcome).pack());
        Some(outcome)
    }
}

#[cfg(test)]
#[path = "estimate_tests.rs"]
mod tests;
