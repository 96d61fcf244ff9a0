//! The health of log and store: written by their threads, read by metrics and pages.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::base::Time;
use crate::report::EventKind;

/// The health of the log.
#[derive(Debug, Default)]
pub struct LogHealth {
    pub(super) unwritable: AtomicBool,
    pub(super) unsyncable: AtomicBool,
    lost: [AtomicU64; EventKind::ALL.len()],
    /// The time of the newest event that was written.
    written: AtomicU64,
    /// Bytes of lines that are not written yet.
    pub(super) buffered: AtomicUsize,
}

impl LogHealth {
    /// Whether events reach the disk.
    #[must_use]
    pub fn healthy(&self) -> bool {
        !self.unwritable.load(Ordering::Relaxed) && !self.unsyncable.load(Ordering::Relaxed)
    }

    /// How many events of each kind were lost, because the log could not be written for longer than there was room to keep them.
    pub fn lost(&self) -> impl Iterator<Item = (EventKind, u64)> {
        EventKind::ALL.iter().map(|kind| (*kind, self.lost[kind.index()].load(Ordering::Relaxed)))
    }

    /// How many bytes wait to be written, and how many may before the oldest are lost.
    #[must_use]
    pub fn buffered(&self) -> (usize, usize) {
        (self.buffered.load(Ordering::Relaxed), super::log::BUFFER_BYTES_MAX)
    }

    pub(super) fn lose(&self, kind: EventKind) {
        self.lost[kind.index()].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn wrote(&self, at: Time) {
        self.written.fetch_max(at.micros(), Ordering::Relaxed);
    }
}

/// The health of the store.
#[derive(Debug, Default)]
pub struct StoreHealth {
    pub(super) failing: AtomicBool,
    /// The time of the newest event that was applied.
    applied: AtomicU64,
    pub(super) bad_lines: AtomicU64,
}

impl StoreHealth {
    /// Whether the database takes what it is given. A store that fails delays no call: it catches up later.
    #[must_use]
    pub fn healthy(&self) -> bool {
        !self.failing.load(Ordering::Relaxed)
    }

    /// How far the store is behind the log: between the newest event written and the newest applied.
    #[must_use]
    pub fn lag(&self, log: &LogHealth) -> Duration {
        let written = log.written.load(Ordering::Relaxed);
        Duration::from_micros(written.saturating_sub(self.applied.load(Ordering::Relaxed)))
    }

    /// How many lines could not be read, and were skipped.
    #[must_use]
    pub fn bad_lines(&self) -> u64 {
        self.bad_lines.load(Ordering::Relaxed)
    }

    /// What is applied, where the database begins or goes on.
    pub(super) fn begin(&self, at: Option<Time>) {
        if let Some(at) = at {
            self.applied.store(at.micros(), Ordering::Relaxed);
        }
    }

    pub(super) fn applied(&self, at: Time) {
        self.applied.fetch_max(at.micros(), Ordering::Relaxed);
    }
}
