//! The room that carries text: people who write to a queue, and agents who write back.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::base::deadline::Deadlines;
use crate::base::seed::Seed;
use crate::base::{ShardId, Time};
use crate::engine::text_port::{NotTaken, TextId, TextInput, TextOutput};

/// What somebody does at some time.
enum Act {
    /// Somebody writes for the first time; this is who.
    Arrive(u32),
    Write(TextId),
    Take(TextId),
    TakeNot(TextId, NotTaken),
    Leave(TextId),
}

/// Everybody who writes.
pub(super) struct Room {
    due: Deadlines<Act>,
    open: BTreeSet<TextId>,
    shards: u16,
    seed: Seed,
}

impl Room {
    /// So many come within this time.
    pub(super) fn new(writers: u32, within: Duration, now: Time, shards: u16, mut seed: Seed) -> Self {
        let mut due = Deadlines::default();
        for writer in 0..writers {
            due.set(now + Duration::from_micros(seed.below(within.as_micros() as u64)), Act::Arrive(writer));
        }
        Room { due, open: BTreeSet::new(), shards, seed }
    }

    /// When somebody does something.
    pub(super) fn next(&self) -> Option<Time> {
        self.due.next().map(|(at, _)| at)
    }

    fn soon(&mut self, now: Time, from: u64, to: u64, act: Act) {
        self.due.set(now + Duration::from_millis(from + self.seed.below(to - from)), act);
    }

    /// What somebody does now, and the shard that is to hear of it.
    pub(super) fn due(&mut self, now: Time) -> Option<(ShardId, TextInput)> {
        while let Some((_, act)) = self.due.pop_due(now) {
            let (session, input) = match act {
                Act::Arrive(writer) => {
                    let arrives = TextInput::Arrives {
                        origin: format!("w{writer}").into(),
                        from: format!("writer{writer}").into(),
                        to: "chats".into(),
                    };
                    return Some((ShardId(self.seed.below(u64::from(self.shards)) as u16), arrives));
                }
                Act::Write(session) => (session, TextInput::Writes { session, text: "words".into() }),
                Act::Take(session) => (session, TextInput::Takes { session }),
                Act::TakeNot(session, why) => (session, TextInput::TakesNot { session, why }),
                Act::Leave(session) => (session, TextInput::Leaves { session }),
            };
            // Now and then what is said crosses the end of its session.
            if self.open.contains(&session) || self.seed.below(4) == 0 {
                return Some((session.shard(), input));
            }
        }
        None
    }

    /// Takes what it is told. What is wrong with that, if anything is.
    pub(super) fn take(&mut self, now: Time, output: &TextOutput) -> Result<(), String> {
        match *output {
            TextOutput::Taken { session, .. } => {
                self.open.insert(session);
                self.soon(now, 100, 5_000, Act::Write(session));
                self.soon(now, 5_000, 60_000, Act::Leave(session));
            }
            TextOutput::Offers { session, .. } => {
                self.open.insert(session);
                match self.seed.below(10) {
                    0 => {}
                    1 => self.soon(now, 1, 100, Act::TakeNot(session, NotTaken::Unreachable)),
                    2 => self.soon(now, 100, 5_000, Act::TakeNot(session, NotTaken::Declined)),
                    _ => {
                        self.soon(now, 100, 6_000, Act::Take(session));
                        self.soon(now, 6_000, 9_000, Act::Write(session));
                        self.soon(now, 9_000, 60_000, Act::Leave(session));
                    }
                }
            }
            TextOutput::Refused { .. } => {}
            TextOutput::Shows { session, .. } => self.is_open(session)?,
            TextOutput::Writes { session, by, .. } => {
                self.is_open(session)?;
                self.is_open(by)?;
            }
            TextOutput::Closes { session } => {
                self.is_open(session)?;
                self.open.remove(&session);
            }
        }
        Ok(())
    }

    fn is_open(&self, session: TextId) -> Result<(), String> {
        if self.open.contains(&session) { Ok(()) } else { Err(format!("{session:?} is spoken of and not open")) }
    }

    /// A session that is open.
    pub(super) fn still_open(&self) -> Option<TextId> {
        self.open.first().copied()
    }
}
