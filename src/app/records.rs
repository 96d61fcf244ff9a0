//! Starts and ends the recording of calls: the log is recovered, then written, then projected into the store.
#![allow(clippy::disallowed_types, reason = "lines of several threads have one order in one file")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::StartError;
use crate::base::Time;
use crate::config::Server;
use crate::engine::Settings;
use crate::report::{EventKind, Fact, Names};
use crate::store::{self, Log, LogHealth, LogSettings, Store, StoreSettings};

/// What is recorded, and where.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recorder {
    /// The event log; `None`: nothing is recorded.
    pub log: Option<LogSettings>,
    /// The SQLite file that it is projected into; `None`: none.
    pub store: Option<PathBuf>,
}

impl Recorder {
    /// What the configuration asks for.
    #[must_use]
    pub fn of(server: &Server) -> Self {
        let log = server.events.directory.clone().map(|directory| LogSettings {
            directory,
            rotate_bytes: u64::from(server.events.rotate_mb) << 20,
            sync_every: server.events.sync_every,
        });
        Recorder { log, store: server.store.clone() }
    }
}

/// The event log, which all shards write: each line in the order in which they come to it. Whoever waits for another waits for a line to be
/// added, or for the disk that it would have to wait for itself.
#[derive(Clone)]
pub(super) struct SharedLog(Arc<Mutex<Log>>);

impl SharedLog {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a fact.
    pub(super) fn fact(&self, fact: &Fact) {
        self.lock().fact(fact);
    }

    /// What was noted so far is about to show outside.
    pub(super) fn flush(&self) {
        self.lock().flush();
    }

    /// When [`SharedLog::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.lock().deadline()
    }

    /// Writes what has waited long enough.
    pub(super) fn tick(&self, now: Time) {
        self.lock().tick(now);
    }

    /// Adopts the names of a reloaded configuration.
    pub(super) fn renew(&self, names: Names) {
        self.lock().renew(names);
    }

    /// A shard has ended. The last one closes the log.
    pub(super) fn end(self, now: Time) {
        if let Some(log) = Arc::into_inner(self.0) {
            log.into_inner().unwrap_or_else(PoisonError::into_inner).close(now);
        }
    }
}

/// What runs besides the log, which its shards own.
#[derive(Default)]
pub(super) struct Records {
    log: Option<Arc<LogHealth>>,
    store: Option<Store>,
}

/// Closes what a process that died left open, and starts the log and the store.
pub(super) fn start(recorder: &Recorder, settings: &Settings, now: Time) -> Result<(Option<SharedLog>, Records), StartError> {
    let Some(log) = &recorder.log else { return Ok((None, Records::default())) };
    let failed = |source| StartError::Log { directory: log.directory.clone(), source };
    let recovered = store::recover(&log.directory).map_err(failed)?;
    if recovered.closed > 0 || recovered.bad_lines > 0 || recovered.torn_bytes > 0 {
        let store::Recovered { closed, bad_lines, torn_bytes, .. } = recovered;
        tracing::warn!(closed, bad_lines, torn_bytes, "the last process died: what it left open is closed in the event log");
    }
    let settings_of = |file: &PathBuf| StoreSettings { log: log.directory.clone(), file: file.clone() };
    let store = recorder.store.as_ref().map(|file| Store::start(settings_of(file), now)).transpose()?;
    let waker = store.as_ref().map(Store::waker);
    let writer = Log::start(log, names(settings), &recovered, now, waker).map_err(failed)?;
    let records = Records { log: Some(writer.health().clone()), store };
    Ok((Some(SharedLog(Arc::new(Mutex::new(writer)))), records))
}

/// The names of everything that facts refer to.
pub(super) fn names(settings: &Settings) -> Names {
    let directory = &settings.directory;
    Names {
        queues: directory.queues.iter().map(|queue| queue.as_ref().map(|queue| queue.name.clone())).collect(),
        agents: directory.agents.iter().map(|agent| agent.as_ref().map(|agent| agent.name.clone())).collect(),
        agencies: settings.agencies.iter().map(|agency| Some(agency.name.clone())).collect(),
        trunks: settings.trunks.iter().map(|trunk| trunk.as_ref().map(|trunk| trunk.name.clone())).collect(),
        entries: settings.entries.iter().map(|entry| entry.as_ref().map(|entry| entry.name.clone())).collect(),
        skills: settings.skills.iter().map(|skill| Some(skill.name.clone())).collect(),
    }
}

impl Records {
    /// The health of the log.
    pub(super) fn log(&self) -> Option<Arc<LogHealth>> {
        self.log.clone()
    }

    /// Reads what the log has lost.
    pub(super) fn lost(&self) -> Box<dyn Fn() -> Vec<(EventKind, u64)> + Send + Sync> {
        let log = self.log.clone();
        Box::new(move || log.iter().flat_map(|log| log.lost()).collect())
    }

    /// Reads how far the store is behind.
    pub(super) fn lag(&self) -> Box<dyn Fn() -> Option<Duration> + Send + Sync> {
        let both = self.log.clone().zip(self.store.as_ref().map(|store| store.health().clone()));
        Box::new(move || both.as_ref().map(|(log, store)| store.lag(log)))
    }

    /// Ends the store's thread. The log was closed by its shards.
    pub(super) fn close(self) {
        if let Some(store) = self.store {
            store.close();
        }
    }
}
