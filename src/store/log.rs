//! The event log's writer, which lives on the signalling thread.
//!
//! Lines are gathered in memory and written with one system call: before the end of a contact shows outside, and at the latest
//! 100 ms after the oldest of them happened. Never waits for a disk: syncing is another thread's. While the log cannot be
//! written the lines are kept, up to a bound; beyond it the oldest are dropped and counted, and [`LogHealth::healthy`] says so.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::disk::{Directory, Disk};
use super::health::LogHealth;
use super::recover::Recovered;
use super::sync::{Syncer, Waker};
use crate::base::{ContactId, Time};
use crate::report::{Event, Fact, FactKind, Names, What, encode};

/// The longest that a line waits to be written.
const WRITE_EVERY: Duration = Duration::from_millis(100);
/// The pause after a failed write.
const RETRY_EVERY: Duration = Duration::from_millis(100);
/// How many bytes are kept while the log cannot be written: some hundred thousand lines.
pub(super) const BUFFER_BYTES_MAX: usize = 32 << 20;

/// Where and how the log is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSettings {
    /// The directory of its files.
    pub directory: PathBuf,
    /// The size in bytes after which the next file begins.
    pub rotate_bytes: u64,
    /// How often it is synced to the disk.
    pub sync_every: Duration,
}

/// The lines that wait to be written.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// When the oldest of them happened.
    since: Time,
    /// The oldest contact whose end is among them, if there is one.
    ended: Option<ContactId>,
}

/// The writer of the event log.
pub struct Log {
    disk: Box<dyn Disk>,
    names: Names,
    rotate_bytes: u64,
    bytes_max: usize,
    /// Whole lines.
    buffer: Vec<u8>,
    waiting: Option<Waiting>,
    newest: Time,
    /// When the next attempt is made, while the log cannot be written.
    retry: Option<Time>,
    /// Contacts that have arrived and not ended, so that each new file can say how far back a reader has to go.
    open: BTreeSet<ContactId>,
    health: Arc<LogHealth>,
}

impl Log {
    /// Continues a log that was recovered, and notes that a process has started. `waker` wakes the store.
    ///
    /// # Errors
    /// When the log cannot be written now: better reported at the start than found out later.
    pub fn start(
        settings: &LogSettings,
        names: Names,
        recovered: &Recovered,
        now: Time,
        waker: Option<Waker>,
    ) -> io::Result<Self> {
        let health = Arc::new(LogHealth::default());
        health.wrote(recovered.last.unwrap_or_default());
        let syncer = Syncer::start(&settings.directory, settings.sync_every, health.clone(), waker)?;
        let disk = Directory::open(&settings.directory, syncer)?;
        let mut log = Log::on(Box::new(disk), names, settings.rotate_bytes, health);
        log.note(now, What::Started);
        log.try_write()?;
        Ok(log)
    }

    fn on(disk: Box<dyn Disk>, names: Names, rotate_bytes: u64, health: Arc<LogHealth>) -> Self {
        Log {
            disk,
            names,
            rotate_bytes,
            bytes_max: BUFFER_BYTES_MAX,
            buffer: Vec::new(),
            waiting: None,
            newest: Time::ZERO,
            retry: None,
            open: BTreeSet::new(),
            health,
        }
    }

    /// The health of the log.
    #[must_use]
    pub fn health(&self) -> &Arc<LogHealth> {
        &self.health
    }

    /// Adopts the names of a reloaded configuration.
    pub fn renew(&mut self, names: Names) {
        self.names.renew(names);
    }

    /// Notes a fact. It is written by [`Log::flush`] or [`Log::tick`].
    pub fn fact(&mut self, fact: &Fact) {
        let mut ended = None;
        match (&fact.kind, fact.contact) {
            (FactKind::Arrived { .. }, Some(contact)) => {
                self.open.insert(contact);
            }
            (FactKind::Ended { .. }, Some(contact)) => {
                self.open.remove(&contact);
                ended = Some(contact);
            }
            _ => {}
        }
        encode::write(&Event::of(fact, &self.names), &mut self.buffer);
        self.noted(fact.at, ended);
    }

    fn note(&mut self, at: Time, what: What<'_>) {
        encode::write(&Event { at, contact: None, what }, &mut self.buffer);
        self.noted(at, None);
    }

    fn noted(&mut self, at: Time, ended: Option<ContactId>) {
        self.newest = self.newest.max(at);
        let waiting = self.waiting.get_or_insert(Waiting { since: at, ended });
        waiting.ended = [waiting.ended, ended].into_iter().flatten().min();
        if self.buffer.len() > self.bytes_max {
            self.shed(self.bytes_max / 4 * 3);
        }
        self.health.buffered.store(self.buffer.len(), Ordering::Relaxed);
    }

    /// What was noted so far is about to show outside. It is written if a contact ends with it, or if it has waited
    /// long enough.
    pub fn flush(&mut self) {
        let Some(waiting) = self.waiting else { return };
        let due = waiting.ended.is_some() || self.newest.since(waiting.since) >= WRITE_EVERY;
        if due && self.retry.is_none_or(|at| at <= self.newest) {
            self.write(self.newest);
        }
    }

    /// When [`Log::tick`] has something to do; `None`: nothing waits.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let waiting = self.waiting?;
        Some(self.retry.unwrap_or(waiting.since + WRITE_EVERY))
    }

    /// Writes what has waited long enough.
    pub fn tick(&mut self, now: Time) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.write(now);
        }
    }

    /// A clean end: everything is written and synced when this returns.
    pub fn close(mut self, now: Time) {
        let open = self.open.len() as u64;
        self.note(now, What::Stopped { open });
        self.write(now);
        if self.waiting.is_some() {
            self.shed(0);
            let lost: u64 = self.health.lost().map(|(_, count)| count).sum();
            tracing::error!(lost, "the event log could not be written to the end: events are lost");
        }
    }

    fn write(&mut self, now: Time) {
        let failed = self.try_write();
        let was_failing = self.retry.is_some();
        self.retry = failed.is_err().then(|| now + RETRY_EVERY);
        self.health.unwritable.store(failed.is_err(), Ordering::Relaxed);
        match failed {
            Err(error) if !was_failing => tracing::error!(%error, "the event log cannot be written: events are kept in memory"),
            Ok(()) if was_failing => tracing::info!("the event log is written again"),
            _ => {}
        }
    }

    fn try_write(&mut self) -> io::Result<()> {
        let Some(waiting) = self.waiting else { return Ok(()) };
        let length = self.disk.length();
        if length.is_none_or(|length| length >= self.rotate_bytes)
            && let Err(error) = self.begin_file(&waiting)
            && self.disk.length().is_none()
        {
            return Err(error);
        }
        self.disk.append(&self.buffer)?;
        self.buffer.clear();
        self.health.buffered.store(0, Ordering::Relaxed);
        self.waiting = None;
        self.health.wrote(self.newest);
        Ok(())
    }

    /// A new file begins with the arrival of the oldest open contact: no earlier file is needed to close those.
    /// Contacts whose ends are about to be written count as open.
    fn begin_file(&mut self, waiting: &Waiting) -> io::Result<()> {
        self.disk.begin(waiting.since)?;
        let eldest = [self.open.first().copied(), waiting.ended].into_iter().flatten().min();
        let what = What::FileBegan { since: eldest.map(ContactId::arrived) };
        let mut line = Vec::new();
        encode::write(&Event { at: waiting.since, contact: None, what }, &mut line);
        self.disk.append(&line)
    }

    /// Makes room: all but the youngest `keep_bytes` are lost, line by line, and counted.
    fn shed(&mut self, keep_bytes: usize) {
        let goal = self.buffer.len().saturating_sub(keep_bytes);
        let mut end = 0;
        while end < goal {
            let Some(length) = memchr::memchr(b'\n', &self.buffer[end..]) else { break };
            if let Some((_, kind)) = encode::peek(&self.buffer[end..end + length]) {
                self.health.lose(kind);
            }
            end += length + 1;
        }
        self.buffer.drain(..end);
        match encode::peek(&self.buffer) {
            Some((at, _)) => self.waiting = self.waiting.map(|waiting| Waiting { since: at, ..waiting }),
            None => self.waiting = None,
        }
    }
}

impl Drop for Log {
    /// If it is not closed, only the note is lost that it ended in good order.
    fn drop(&mut self) {
        let _ = self.try_write();
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
