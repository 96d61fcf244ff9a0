//! The one place where shells read clocks: wall time taken once, monotonic time added.

#![allow(clippy::disallowed_methods, reason = "shells read clocks here, and hand times to the core")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::base::Time;

/// A clock that never goes back.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall_at_start: Time,
    started: Instant,
}

impl Clock {
    /// A clock set by the system's, now.
    #[must_use]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { wall_at_start: Time::from_micros(wall.as_micros() as u64), started: Instant::now() }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.wall_at_start + self.started.elapsed()
    }

    /// How long until `at`; zero if that is past.
    #[must_use]
    pub fn until(&self, at: Time) -> Duration {
        at.since(self.now())
    }
}
