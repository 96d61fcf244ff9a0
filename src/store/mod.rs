//! What is kept: the event log on disk, and its projection into SQLite.
//!
//! The log ([`Log`]) is the truth: JSON Lines in files that are only ever appended to, written by the signalling thread before what an
//! event shows is seen outside, and synced by a thread of its own. The store ([`Store`]) reads the log from the disk, which is its
//! buffer, and has a thread of its own: however slow, locked, damaged or gone the database is, no call waits for it and nothing is
//! lost. [`recover`] closes what a process that died left open.
//!
//! Must never influence a call, and never ask for more than it has: every buffer here is bounded.

mod disk;
mod files;
mod health;
mod ledger;
mod log;
mod recorded;
mod recover;
mod sqlite;
mod sync;
mod tables;
mod tail;

pub use health::{LogHealth, StoreHealth};
pub use ledger::ledger;
pub use log::{Log, LogSettings};
pub use recorded::recorded;
pub use recover::{Recovered, recover};
pub use sqlite::{Store, StoreSettings};
pub use sync::Waker;
