//! Spans of time, counted in buckets that are 3% wide: percentiles of any number of calls in the same few kilobytes.

use std::time::Duration;

use serde::Serialize;

/// Buckets to each doubling.
const FINE: usize = 32;
/// Doublings of a microsecond: up to some 19 hours.
const DOUBLINGS: usize = 36;

/// Counted spans.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Box<[u64]>,
    count: u64,
    max: Duration,
}

/// What most, nearly all, and the worst took.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Percentiles {
    /// How many were measured.
    pub count: u64,
    /// Half of them took at most so many seconds.
    pub p50: f64,
    /// Nine of ten.
    pub p90: f64,
    /// All but one of a hundred.
    pub p99: f64,
    /// All.
    pub max: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; FINE * DOUBLINGS].into(), count: 0, max: Duration::ZERO }
    }
}

fn bucket(span: Duration) -> usize {
    let micros = span.as_micros().max(1) as f64;
    ((micros.log2() * FINE as f64) as usize).min(FINE * DOUBLINGS - 1)
}

impl Histogram {
    pub(super) fn add(&mut self, span: Duration) {
        self.counts[bucket(span)] += 1;
        self.count += 1;
        self.max = self.max.max(span);
    }

    /// The middle of the bucket that so great a share of all lies at or below; never more than the greatest.
    fn at(&self, share: f64) -> f64 {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted.max(1)
        });
        let middle = |bucket: usize| ((bucket as f64 + 0.5) / FINE as f64).exp2() / 1e6;
        found.map_or(0.0, middle).min(self.max.as_secs_f64())
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        let (p50, p90, p99) = (self.at(0.5), self.at(0.9), self.at(0.99));
        Percentiles { count: self.count, p50, p90, p99, max: self.max.as_secs_f64() }
    }
}
