//! The store: a thread that reads the log and projects it into SQLite.
//!
//! What is applied and up to where goes into one transaction, so that each event counts exactly once, whenever the process dies. The log
//! on disk is the buffer: a database that is slow, locked, full or not there is tried again, with pauses that grow; one that was
//! deleted is made anew from the logs; one that is damaged is set aside first.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::files;
use super::health::StoreHealth;
use super::sync::Waker;
use super::tables::{self, Mark};
use super::tail::{Position, Tail};
use crate::base::Time;
use crate::report::{CdrBuilder, EventKind, What, decode, encode};

/// How many lines are applied in one transaction.
const BATCH_LINES: usize = 4096;
/// How many more transactions are made when the process ends; the next start does the rest.
const BATCHES_AT_END: usize = 50;
/// How long a transaction waits for that of another process.
const BUSY_MAX: Duration = Duration::from_secs(1);
/// Pauses after failures: the first, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Which log is projected into which database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreSettings {
    /// The log's directory.
    pub log: PathBuf,
    /// The database's file.
    pub file: PathBuf,
}

/// The store's thread.
pub struct Store {
    waker: SyncSender<()>,
    stop: Arc<AtomicBool>,
    health: Arc<StoreHealth>,
    thread: JoinHandle<()>,
}

impl Store {
    /// Starts the thread. It reads what is there, and then looks whenever it is woken. Nothing of before `now` is known to be missing.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(settings: StoreSettings, now: Time) -> io::Result<Self> {
        let (waker, wake) = sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let health = Arc::new(StoreHealth::default());
        health.begin(Some(now));
        let projector = Projector { settings, stop: stop.clone(), health: health.clone(), database: None };
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(move || projector.run(&wake))?;
        Ok(Store { waker, stop, health, thread })
    }

    /// What the log's sync thread wakes it with.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(self.waker.clone())
    }

    /// The health of the store.
    #[must_use]
    pub fn health(&self) -> &Arc<StoreHealth> {
        &self.health
    }

    /// Ends the thread, once it has caught up with the log or sees that it cannot.
    pub fn close(self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.waker.try_send(());
        self.thread.thread().unpark();
        let _ = self.thread.join();
    }
}

/// Why the store makes no progress.
#[derive(Debug, thiserror::Error)]
enum StoreError {
    #[error("the log cannot be read: {0}")]
    Log(#[from] io::Error),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("the tables are of version {0}, which a newer hotline made")]
    Newer(i64),
}

impl StoreError {
    fn damaged(&self) -> bool {
        let code = match self {
            StoreError::Sqlite(error) => error.sqlite_error_code(),
            _ => None,
        };
        matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    }
}

struct Projector {
    settings: StoreSettings,
    stop: Arc<AtomicBool>,
    health: Arc<StoreHealth>,
    database: Option<Database>,
}

/// An open database, and the log as far as it was applied to it.
struct Database {
    connection: Connection,
    /// The identity of the database's file, so that its deletion or replacement is detected.
    file: (u64, u64),
    tail: Tail,
    builder: CdrBuilder,
    /// The time of the newest event that was applied.
    newest: Time,
    /// Whether `tail` and `builder` are ahead of what is committed.
    ahead: bool,
}

impl Projector {
    fn run(mut self, wake: &Receiver<()>) {
        let mut pause = PAUSE_MIN;
        loop {
            let stopping = self.stop.load(Ordering::Acquire);
            match self.catch_up() {
                Ok(()) => {
                    if self.health.failing.swap(false, Ordering::Relaxed) {
                        tracing::info!("the store has caught up");
                    }
                    pause = PAUSE_MIN;
                    if stopping || wake.recv().is_err() {
                        return;
                    }
                }
                Err(error) => {
                    self.failed(&error, pause);
                    if stopping {
                        return;
                    }
                    std::thread::park_timeout(pause);
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    fn failed(&mut self, error: &StoreError, pause: Duration) {
        let pause_ms = pause.as_millis() as u64;
        if self.health.failing.swap(true, Ordering::Relaxed) {
            tracing::debug!(%error, pause_ms, "the store still fails");
        } else {
            tracing::warn!(%error, pause_ms, "the store fails: it will be tried again, and catch up from the log");
        }
        if error.damaged() {
            self.database = None;
            match set_aside(&self.settings.file) {
                Ok(to) => {
                    tracing::error!(to = %to.display(), "the store was damaged: it is set aside and made anew from the log");
                }
                Err(error) => tracing::error!(%error, "the store is damaged, and cannot be set aside"),
            }
        }
    }

    /// Applies all that the log has.
    fn catch_up(&mut self) -> Result<(), StoreError> {
        let mut at_end = 0;
        while self.apply_some()? {
            at_end += usize::from(self.stop.load(Ordering::Relaxed));
            if at_end > BATCHES_AT_END {
                break;
            }
        }
        Ok(())
    }

    /// Applies what fits into one transaction; false when there is nothing more.
    fn apply_some(&mut self) -> Result<bool, StoreError> {
        if self.database.as_ref().is_some_and(|database| file_id(&self.settings.file) != Some(database.file)) {
            self.database = None;
        }
        let database = match &mut self.database {
            Some(database) => database,
            None => self.database.insert(Database::open(&self.settings, &self.health)?),
        };
        if !database.tail.more()? {
            return Ok(false);
        }
        let applied = database.apply(&self.health);
        if applied.is_err() && database.ahead {
            // What was read is not applied: it is read again, from where the database says.
            self.database = None;
        }
        applied.map(|()| true)
    }
}

impl Database {
    fn open(settings: &StoreSettings, health: &StoreHealth) -> Result<Self, StoreError> {
        let connection = Connection::open(&settings.file)?;
        connection.busy_timeout(BUSY_MAX)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        match tables::version(&connection)? {
            0 => tables::create(&connection)?,
            tables::SCHEMA_VERSION => {}
            newer => return Err(StoreError::Newer(newer)),
        }
        let file = file_id(&settings.file).ok_or(io::Error::from(io::ErrorKind::NotFound))?;
        let mark = tables::mark(&connection)?;
        let mut builder = CdrBuilder::default();
        if let Some(Mark { position, since: Some(since), .. }) = mark {
            remember(&settings.log, since, position, &mut builder)?;
        }
        let tail = Tail::from(&settings.log, mark.map(|mark| mark.position))?;
        health.begin(mark.map(|mark| mark.newest).or(files::list(&settings.log)?.first().copied()));
        Ok(Database { connection, file, tail, builder, newest: mark.map_or(Time::ZERO, |mark| mark.newest), ahead: false })
    }

    fn apply(&mut self, health: &StoreHealth) -> Result<(), StoreError> {
        // Taken at once, so that a lock is met before anything has changed.
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.ahead = true;
        let mut bad_lines = 0;
        for _ in 0..BATCH_LINES {
            let Some(line) = self.tail.next()? else { break };
            if let Some((at, kind)) = encode::peek(line)
                && !matters(kind)
            {
                self.newest = self.newest.max(at);
                continue;
            }
            let Ok(event) = decode::read(line) else {
                bad_lines += 1;
                continue;
            };
            self.newest = self.newest.max(event.at);
            self.builder.take(&event);
            if let What::Agent { agent, from, lasted, .. } = &event.what
                && !lasted.is_zero()
            {
                tables::add_agent_state(&transaction, agent, *from, event.at - *lasted, event.at)?;
            }
            while let Some(record) = self.builder.poll() {
                tables::add(&transaction, &record)?;
            }
        }
        if let Some(position) = self.tail.position() {
            tables::set_mark(&transaction, &Mark { position, since: self.builder.since(), newest: self.newest })?;
        }
        transaction.commit()?;
        self.ahead = false;
        health.applied(self.newest);
        if bad_lines > 0 {
            tracing::warn!(bad_lines, "lines of the log cannot be read: they are skipped");
            health.bad_lines.fetch_add(bad_lines, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Whether anything of such events is stored.
const fn matters(kind: EventKind) -> bool {
    !matches!(
        kind,
        EventKind::TalkEnded
            | EventKind::TrunkCalls
            | EventKind::TrunkUp
            | EventKind::LimitHit
            | EventKind::Repaired
            | EventKind::FileBegan
            | EventKind::Stopped
    )
}

/// Reads again what contacts were open where the database stands; what was finished before is in it.
fn remember(log: &Path, since: Time, until: Position, builder: &mut CdrBuilder) -> io::Result<()> {
    let Some(first) = files::holding(&files::list(log)?, since) else { return Ok(()) };
    let mut tail = Tail::from(log, Some(Position { file: first, offset: 0 }))?;
    while tail.more()? && tail.position().is_some_and(|position| position < until) {
        if let Some(line) = tail.next()?
            && let Ok(event) = decode::read(line)
        {
            builder.take(&event);
            while builder.poll().is_some() {}
        }
    }
    Ok(())
}

fn file_id(file: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(file).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// Moves a damaged database out of the way, for whoever wants to look into it.
fn set_aside(file: &Path) -> io::Result<PathBuf> {
    let with = |ending: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let number = (1..1000).find(|number| !with(&format!(".damaged-{number}")).exists()).unwrap_or(1000);
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::rename(with(ending), with(&format!(".damaged-{number}{ending}")));
    }
    let to = with(&format!(".damaged-{number}"));
    std::fs::rename(file, &to)?;
    Ok(to)
}
