//! The atomics of the matcher: std's in production. The models under tests/models compile the matcher's files with the
//! atomics of loom or shuttle, which the root of that package brings.

#[cfg(not(any(hotline_loom, hotline_shuttle, hotline_parked)))]
pub use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

#[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
pub use crate::modelled::{AtomicU32, AtomicU64, EntryU32, EntryU64, Ordering, fence};

// What an owner writes before a state word says so, and others read under that state word. Large models skip these,
// small ones check them.
#[cfg(not(any(hotline_loom, hotline_shuttle, hotline_parked)))]
pub use std::sync::atomic::{AtomicU32 as EntryU32, AtomicU64 as EntryU64};

// What one thread alone reads and writes (the owner of a party). No order of theirs matters, so the models skip them.
pub use std::sync::atomic::{AtomicU32 as OwnedU32, AtomicU64 as OwnedU64};

// What is measured and decides nothing (how often answers come). The models skip them, too.
pub use std::sync::atomic::{AtomicU32 as MeasuredU32, AtomicU64 as MeasuredU64};
