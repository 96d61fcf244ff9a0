//! A shard of a city: its engine, and the journal of what happens to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::journal::Journal;
use crate::base::Time;
use crate::config::ConfigText;
use crate::engine::{Engine, Input, Output};

/// How long it takes to go on with what a wake-up has left.
const HURRIED: Duration = Duration::from_micros(700);

/// What came of a panic.
pub(super) enum Panicked {
    /// It was contained.
    Contained,
    /// It was not.
    NotContained,
}

/// A shard.
pub struct Shard {
    /// Its engine.
    pub engine: Engine,
    journal: Option<Journal>,
    /// Whether wake-ups leave something to be followed.
    hurried: bool,
    /// When the engine had its last input.
    woken: Time,
}

impl Shard {
    pub(super) const fn new(engine: Engine, journal: Option<Journal>, hurried: bool, now: Time) -> Self {
        Shard { engine, journal, hurried, woken: now }
    }

    /// When the engine wakes by itself. What a wake-up has left is followed a moment later.
    pub(super) fn next(&self, now: Time) -> Option<Time> {
        let at = self.engine.next_deadline()?;
        Some(if self.is_hurried(now) { now + HURRIED } else { at })
    }

    /// Whether the engine has just left something to be followed, on a day on which that takes a moment.
    fn is_hurried(&self, now: Time) -> bool {
        self.hurried && self.woken == now && self.engine.next_deadline().is_some_and(|at| at <= now)
    }

    /// Whether the engine is to be woken now.
    pub(super) fn is_due(&self, now: Time) -> bool {
        !self.is_hurried(now) && self.engine.next_deadline().is_some_and(|at| at <= now)
    }

    /// Hands the engine an input, which a reload's configuration goes with. A panic that a test has injected is contained as in production.
    pub(super) fn input(&mut self, now: Time, input: Input<'_>, config: Option<&ConfigText>) -> Option<Panicked> {
        self.woken = now;
        if let Some(journal) = &mut self.journal {
            journal.input(now, &input, config);
        }
        if self.has_done(|engine| _ = engine.handle(now, input)) {
            return None;
        }
        if let Some(journal) = &mut self.journal {
            journal.fault(now);
        }
        let contained = self.has_done(|engine| _ = engine.fault(now));
        Some(if contained { Panicked::Contained } else { Panicked::NotContained })
    }

    /// Has the engine do something. False if it has panicked.
    fn has_done(&mut self, act: impl FnOnce(&mut Engine)) -> bool {
        let done = catch_unwind(AssertUnwindSafe(|| act(&mut self.engine))).is_ok();
        if let Some(journal) = &mut self.journal {
            journal.done(&mut self.engine);
        }
        done
    }

    /// The engine's next output.
    pub(super) fn poll(&mut self) -> Option<Output> {
        let output = self.engine.poll()?;
        if let Some(journal) = &mut self.journal {
            journal.output(&output);
        }
        Some(output)
    }

    /// What was recorded, and all outputs as bytes ([`append`](super::append)), if that was wanted.
    #[must_use]
    pub fn recorded(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        self.journal.take().map(Journal::finish)
    }
}
