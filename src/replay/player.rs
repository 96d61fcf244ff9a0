//! Runs an engine again from a journal.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Built, ENTRY_BYTES_MAX, Entry, Given, MAGIC, VERSION};
use crate::acd::agent_slots::AgentSlotIds;
use crate::acd::answers::{Answer, Answers, Misfit};
use crate::acd::{Matcher, RoutingTable};
use crate::base::limits::LimitBoard;
use crate::base::seed::Seed;
use crate::base::{ShardId, Time};
use crate::config::{ConfigText, Problems};
use crate::engine::{Engine, Input, Output, Parts, Reload, Settings};

/// Why a journal cannot be replayed, or not any further.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It is something else.
    #[error("this is no journal of an engine")]
    NoJournal,
    /// It was written by another version of this program.
    #[error("the journal has format {0}, and this program reads format {VERSION}")]
    Version(u16),
    /// It ends within an entry, or an entry cannot be read.
    #[error("entry {0} is damaged")]
    Damaged(u64),
    /// An entry stands where it cannot.
    #[error("entry {0} is out of its place")]
    OutOfPlace(u64),
    /// The configuration is not accepted any more.
    #[error("the configuration in entry {0} has mistakes:\n{1}")]
    Config(u64, Problems),
    /// The engine has asked the matcher something else than it did then.
    #[error("from entry {0} on the engine does something else than was recorded: {1}")]
    Misfit(u64, Misfit),
    /// The engine has not asked the matcher all that it did then, has not said all that it said, or has panicked where it did
    /// not.
    #[error("from entry {0} on the engine does something else than was recorded: {1}")]
    Differs(u64, &'static str),
}

/// A journal that is being replayed.
pub struct Player<'r> {
    engine: Engine,
    entries: Entries<'r>,
    settings: Arc<Settings>,
    routing_table: Arc<RoutingTable>,
    /// Whether the input before has ended in a panic that is not contained yet.
    panicked: bool,
}

impl<'r> Player<'r> {
    /// Builds the engine of a journal as it was built then.
    ///
    /// # Errors
    /// When this is no journal, or its engine cannot be built any more.
    pub fn new(journal: &'r [u8]) -> Result<Self, ReplayError> {
        let journal = journal.strip_prefix(MAGIC).ok_or(ReplayError::NoJournal)?;
        let (version, bytes) = journal.split_first_chunk().ok_or(ReplayError::NoJournal)?;
        let version = u16::from_le_bytes(*version);
        if version != VERSION {
            return Err(ReplayError::Version(version));
        }
        let mut entries = Entries { bytes, read: 0 };
        let (Some(Entry::Built(built)), Some(Entry::Answers(answers))) = (entries.next()?, entries.next()?) else {
            return Err(entries.out_of_place());
        };
        if !built.is_sound() {
            return Err(ReplayError::Damaged(1));
        }
        // What is damaged in another way may break what the engine relies on.
        let made = catch_unwind(AssertUnwindSafe(|| build(&built, answers))).map_err(|_| ReplayError::Damaged(1))?;
        let (engine, settings, routing_table) = made.map_err(|problems| ReplayError::Config(1, problems))?;
        let mut player = Player { engine, entries, settings, routing_table, panicked: false };
        player.check_answers()?;
        Ok(player)
    }

    /// The engine, as it is after what was replayed so far.
    pub const fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Replays one entry; false at the end of the journal. Outputs go to `each`.
    ///
    /// # Errors
    /// When the journal is damaged, or the engine does something else than it did then.
    pub fn step(&mut self, each: &mut dyn FnMut(Output)) -> Result<bool, ReplayError> {
        let Some(entry) = self.entries.next()? else {
            return if self.panicked { Err(self.differs("it panics")) } else { Ok(false) };
        };
        match entry {
            Entry::Input(now, given) => self.input(now, given)?,
            Entry::Fault(now) if self.panicked => {
                self.panicked = false;
                self.answered()?;
                let engine = &mut self.engine;
                if catch_unwind(AssertUnwindSafe(|| engine.fault(now))).is_err() {
                    return Err(self.differs("a panic could not be contained"));
                }
                self.check_answers()?;
            }
            Entry::Polled(count) => {
                for _ in 0..count {
                    let output = self.engine.poll().ok_or_else(|| self.differs("it says less"))?;
                    each(output);
                }
            }
            Entry::Fault(_) => return Err(self.differs("it does not panic")),
            Entry::Built(_) | Entry::Answers(_) => return Err(self.entries.out_of_place()),
        }
        Ok(true)
    }

    fn input(&mut self, now: Time, given: Given) -> Result<(), ReplayError> {
        if std::mem::take(&mut self.panicked) {
            return Err(self.differs("it panics"));
        }
        let message;
        let input = match given {
            Given::Time => Input::Time,
            Given::Message(flow, bytes, age) => {
                message = bytes.0;
                Input::Message { flow, bytes: &message, age }
            }
            Given::Broken(connection, transport, remote) => Input::Broken { connection, transport, remote },
            Given::Media(event) => Input::Media(event),
            Given::Agent(agent, command) => Input::Agent { agent, command },
            Given::Reload(config, acknowledged) => Input::Reload(self.reload(&config, acknowledged)?),
            Given::Text(input) => Input::Text(input),
            Given::Letter(letter) => Input::Letter(letter),
            Given::Drain => Input::Drain,
            Given::EndAll => Input::EndAll,
        };
        self.answered()?;
        let engine = &mut self.engine;
        self.panicked = catch_unwind(AssertUnwindSafe(|| engine.handle(now, input))).is_err();
        self.check_answers()
    }

    /// The settings and the routing table that follow from those before.
    fn reload(&mut self, config: &ConfigText, acknowledged: u64) -> Result<Reload, ReplayError> {
        let read = config.read(&self.settings).map_err(|problems| ReplayError::Config(self.entries.read, problems))?;
        let (settings, directory) = read.settings.succeeding(&self.settings);
        let following = || self.routing_table.following(&directory, settings.version, acknowledged);
        let following = catch_unwind(AssertUnwindSafe(following)).map_err(|_| ReplayError::Damaged(self.entries.read))?;
        self.routing_table = Arc::new(following);
        self.settings = Arc::new(settings);
        Ok(Reload { settings: self.settings.clone(), routing_table: self.routing_table.clone() })
    }

    /// Gives the engine what the matcher said then.
    fn answered(&mut self) -> Result<(), ReplayError> {
        let Some(Entry::Answers(answers)) = self.entries.next()? else { return Err(self.entries.out_of_place()) };
        *self.engine.answers() = Answers::Replayed(answers.into(), None);
        Ok(())
    }

    /// Everything that the matcher said then was asked for.
    fn check_answers(&mut self) -> Result<(), ReplayError> {
        match self.engine.answers() {
            Answers::Replayed(_, Some(misfit)) => Err(ReplayError::Misfit(self.entries.read, misfit.clone())),
            Answers::Replayed(rest, None) if rest.is_empty() => Ok(()),
            _ => Err(self.differs("it asks the matcher less")),
        }
    }

    const fn differs(&self, how: &'static str) -> ReplayError {
        ReplayError::Differs(self.entries.read, how)
    }
}

/// An engine and what it goes by, as they were when it was built. Its matcher only stands there: all answers are the recorded ones.
fn build(built: &Built, answers: Vec<Answer>) -> Result<(Engine, Arc<Settings>, Arc<RoutingTable>), Problems> {
    let settings = built.config.read(&Settings::default())?.settings;
    let (settings, directory) = settings.with_agent_slots(&AgentSlotIds::beyond(built.further_slots_from, built.size.0));
    let settings = Arc::new(settings);
    let matcher = Arc::new(Matcher::new(built.size(), RoutingTable::new(&directory, settings.version), |agent_slot| {
        ShardId::of_agent(agent_slot, built.size.0).0
    }));
    let routing_table = matcher.routing_table();
    let parts = Parts {
        shard: built.shard,
        settings: settings.clone(),
        matcher,
        listeners: built.listeners(),
        seed: Seed::from_bytes(built.seed),
        counts: Arc::default(),
        limits: Arc::new(LimitBoard::new(built.size.0)),
        caps: Arc::default(),
        answers: Answers::Replayed(answers.into(), None),
        rounds_max: built.rounds_max,
    };
    Ok((Engine::new(parts, built.at), settings, routing_table))
}

/// Reads a journal entry by entry.
struct Entries<'r> {
    bytes: &'r [u8],
    /// How many have been read.
    read: u64,
}

impl Entries<'_> {
    fn next(&mut self) -> Result<Option<Entry>, ReplayError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        self.read += 1;
        let damaged = ReplayError::Damaged(self.read);
        let Some((length, rest)) = self.bytes.split_first_chunk() else { return Err(damaged) };
        let length = u32::from_le_bytes(*length) as usize;
        let Some((entry, rest)) = rest.split_at_checked(length).filter(|_| length <= ENTRY_BYTES_MAX) else {
            return Err(damaged);
        };
        self.bytes = rest;
        match postcard::take_from_bytes(entry) {
            Ok((entry, [])) => Ok(Some(entry)),
            _ => Err(damaged),
        }
    }

    const fn out_of_place(&self) -> ReplayError {
        ReplayError::OutOfPlace(self.read)
    }
}
