//! The thread that syncs the log to the disk, so that no other ever waits for one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::health::LogHealth;

/// Wakes the store when there is more in the log.
#[derive(Clone, Debug)]
pub struct Waker(pub(super) SyncSender<()>);

impl Waker {
    fn wake(&self) {
        // Full: it has not looked since it was last woken.
        let _ = self.0.try_send(());
    }
}

/// The thread's handle; when it is dropped, the thread syncs once more and ends.
pub(super) struct Syncer {
    files: Option<Sender<File>>,
    dirty: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn start(directory: &Path, every: Duration, health: Arc<LogHealth>, waker: Option<Waker>) -> io::Result<Self> {
        let (files, new) = channel();
        let dirty = Arc::new(AtomicBool::new(false));
        let syncs = Syncs { directory: directory.to_owned(), dirty: dirty.clone(), health, waker, file: None };
        let thread = std::thread::Builder::new().name("log-sync".to_owned()).spawn(move || syncs.run(&new, every))?;
        Ok(Syncer { files: Some(files), dirty, thread: Some(thread) })
    }

    /// From here on this file is written; the one before it is synced a last time.
    pub(super) fn file(&self, file: File) {
        if let Some(files) = &self.files {
            let _ = files.send(file);
        }
    }

    /// Something was written.
    pub(super) fn wrote(&self) {
        self.dirty.store(true, Ordering::Release);
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.files = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Syncs {
    directory: PathBuf,
    dirty: Arc<AtomicBool>,
    health: Arc<LogHealth>,
    waker: Option<Waker>,
    file: Option<File>,
}

impl Syncs {
    fn run(mut self, new: &Receiver<File>, every: Duration) {
        loop {
            match new.recv_timeout(every) {
                Ok(file) => {
                    self.sync();
                    self.file = Some(file);
                    // The file's name is in the directory, which is synced for itself.
                    self.note(File::open(&self.directory).and_then(|directory| directory.sync_all()));
                }
                Err(RecvTimeoutError::Timeout) => self.sync(),
                Err(RecvTimeoutError::Disconnected) => return self.sync(),
            }
        }
    }

    fn sync(&mut self) {
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return;
        }
        if let Some(file) = &self.file {
            self.note(file.sync_data());
        }
        if let Some(waker) = &self.waker {
            waker.wake();
        }
    }

    fn note(&self, result: io::Result<()>) {
        let failed = result.is_err();
        if self.health.unsyncable.swap(failed, Ordering::Relaxed) == failed {
            return;
        }
        match result {
            Err(error) => tracing::error!(%error, "the event log cannot be synced: a loss of power may cost events"),
            Ok(()) => tracing::info!("the event log is synced again"),
        }
    }
}
