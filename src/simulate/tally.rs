//! What a play comes to: shares and means for each stream of calls, with intervals.
//!
//! It owns the cutting of a play into batches of equal length. A call counts in the batch in which it came, a talk in
//! each batch for the time that it lasted there.

use std::time::Duration;

use serde_json::{Value, json};

use super::sheet::Cell;
use super::stats::Figure;
use super::world::{Ended, Observer};
use crate::base::{AgentId, Time};

/// How many batches there are; their scatter gives the intervals.
const BATCHES: usize = 30;

/// Counts what happens, by stream and batch.
#[derive(Clone, Debug)]
pub struct Tally {
    streams: Vec<[Cell; BATCHES]>,
    talked_s: [f64; BATCHES],
    agents: u32,
    from: Time,
    batch_s: f64,
}

/// The figures of the calls of a stream.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Measured {
    /// How many calls came.
    pub offered: u64,
    /// How many were answered.
    pub answered: u64,
    /// The share of all offered calls that were turned away.
    pub blocked_share: Figure,
    /// The share of all offered calls that hung up while they waited.
    pub abandoned_share: Figure,
    /// The share of all offered calls that joined the queue and were not answered at once.
    pub waited_share: Figure,
    /// The mean wait in seconds, over all offered calls.
    pub mean_wait_s: Figure,
    /// The share of all agents who talk (with callers of any stream), on average.
    pub occupancy: Figure,
}

impl Tally {
    /// Measures what happens within `span` after `from`.
    #[must_use]
    pub fn new(streams: usize, agents: u32, from: Time, span: Duration) -> Self {
        let batch_s = span.as_secs_f64() / BATCHES as f64;
        Tally { streams: vec![[Cell::default(); BATCHES]; streams], talked_s: [0.0; BATCHES], agents, from, batch_s }
    }

    fn batch_of(&self, at: Time) -> Option<usize> {
        let batch = (at.since(self.from).as_secs_f64() / self.batch_s) as usize;
        (at >= self.from && batch < BATCHES).then_some(batch)
    }

    /// The figures of a stream's calls.
    #[must_use]
    pub fn measured(&self, stream: usize) -> Measured {
        let batches = &self.streams[stream];
        let share = |of: fn(&Cell) -> f64| {
            let pairs: Vec<(f64, f64)> = batches.iter().map(|batch| (of(batch), f64::from(batch.offered))).collect();
            Figure::ratio(&pairs)
        };
        let talking: Vec<f64> = self.talked_s.iter().map(|talked_s| talked_s / self.batch_s / f64::from(self.agents)).collect();
        Measured {
            offered: batches.iter().map(|batch| u64::from(batch.offered)).sum(),
            answered: batches.iter().map(|batch| u64::from(batch.answered)).sum(),
            blocked_share: share(|batch| f64::from(batch.turned_away)),
            abandoned_share: share(|batch| f64::from(batch.abandoned)),
            waited_share: share(|batch| f64::from(batch.waited)),
            mean_wait_s: share(|batch| batch.wait_s),
            occupancy: Figure::mean(&talking),
        }
    }
}

impl Observer for Tally {
    fn ended(&mut self, call: &Ended) {
        let Some(batch) = self.batch_of(call.arrived) else { return };
        // No service level is promised here.
        self.streams[call.stream][batch].count(call, (Duration::ZERO, Duration::ZERO));
    }

    fn talked(&mut self, _agent: AgentId, from: Time, until: Time) {
        let seconds = |at: Time| at.since(self.from).as_secs_f64();
        let (from_s, until_s) = (seconds(from), seconds(until));
        let first = (from_s / self.batch_s) as usize;
        for (index, talked_s) in self.talked_s.iter_mut().enumerate().skip(first) {
            let (begins, ends) = (index as f64 * self.batch_s, (index + 1) as f64 * self.batch_s);
            if begins >= until_s {
                break;
            }
            *talked_s += (until_s.min(ends) - from_s.max(begins)).max(0.0);
        }
    }
}

impl Measured {
    /// Its figures by name, in the order of a table.
    #[must_use]
    pub fn figures(&self) -> [(&'static str, Figure); 5] {
        [
            ("blocked_share", self.blocked_share),
            ("abandoned_share", self.abandoned_share),
            ("waited_share", self.waited_share),
            ("mean_wait_s", self.mean_wait_s),
            ("occupancy", self.occupancy),
        ]
    }

    /// As a JSON object: each figure under its name, and its 95% interval as `[low, high]` under the name with `_ci95`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = json!({ "offered": self.offered, "answered": self.answered });
        for (name, figure) in self.figures() {
            let (low, high) = figure.interval();
            object[name] = json!(figure.value);
            object[format!("{name}_ci95")] = json!([low, high]);
        }
        object
    }
}
