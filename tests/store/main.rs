//! What is kept of calls, when everything that can happen to a log and a store happens to them.

#![allow(clippy::disallowed_methods, reason = "deadlines of tests are on the real clock")]

mod city;
mod full;
mod killed;
mod projected;
mod recorded;
mod torn;
mod truth;
mod why;

use std::path::Path;
use std::time::{Duration, Instant};

use hotline::base::Time;
use hotline::report::Fact;
use hotline::store::{Log, LogSettings, Recovered, Waker, recover};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where nothing is slower than memory, if there is such a place: tests that look at every byte write a lot.
pub(crate) fn fast_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) fn settings(directory: &Path, rotate_bytes: u64) -> LogSettings {
    LogSettings { directory: directory.to_owned(), rotate_bytes, sync_every: Duration::from_millis(20) }
}

/// Recovers a log and goes on with it.
pub(crate) fn open(settings: &LogSettings, now: Time, waker: Option<Waker>) -> (Log, Recovered) {
    let recovered = recover(&settings.directory).unwrap();
    (Log::start(settings, city::names(), &recovered, now, waker).unwrap(), recovered)
}

/// Lets so many things happen in a city.
pub(crate) fn live(city: &mut city::City, log: &mut Log, steps: usize) {
    let mut facts: Vec<Fact> = Vec::new();
    for _ in 0..steps {
        city.pass(Duration::from_millis(3));
        city.step(&mut facts);
        facts.drain(..).for_each(|fact| log.fact(&fact));
        log.flush();
    }
}

/// Waits for something to become true.
pub(crate) fn wait(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "{what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
