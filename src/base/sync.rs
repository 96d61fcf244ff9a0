//! The atomics of the matcher: std's in production; in the models under tests/models, which compile the matcher's files with loom or
//! shuttle, the root of that package brings its own.

#[cfg(not(any(hotline_loom, hotline_shuttle, hotline_parked)))]
pub use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

#[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
pub use crate::modelled::{AtomicU32, AtomicU64, EntryU32, EntryU64, Ordering, fence};

// What an owner writes before a word says so, and others read under that word: large models pass over it, small ones do not.
#[cfg(not(any(hotline_loom, hotline_shuttle, hotline_parked)))]
pub use std::sync::atomic::{AtomicU32 as EntryU32, AtomicU64 as EntryU64};

// What one thread alone reads and writes (the owner of a party): no order of theirs can matter, so the models pass over them.
pub use std::sync::atomic::{AtomicU32 as OwnedU32, AtomicU64 as OwnedU64};

// What is measured and decides nothing (how fast a line moves): the models pass over it, too.
pub use std::sync::atomic::{AtomicU32 as MeasuredU32, AtomicU64 as MeasuredU64};
