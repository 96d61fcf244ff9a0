//! The atomics of the matcher and of mail between threads: std's in production, and a queue without locks. The models under tests/models
//! compile the same files with the atomics of loom or shuttle, which the root of that package brings.

#[cfg(not(any(hotline_loom, hotline_shuttle, hotline_parked)))]
pub use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

#[cfg(not(any(hotline_loom, hotline_shuttle, hotline_parked)))]
pub use crossbeam_queue::SegQueue as Queue;

#[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
pub use crate::modelled::{AtomicU32, AtomicU64, EntryU32, EntryU64, Ordering, Queue, fence, fence_of};

// What an owner writes before a state word says so, and others read under that state word. Large models skip these,
// small ones check them.
#[cfg(not(any(hotline_loom, hotline_shuttle, hotline_parked)))]
pub use std::sync::atomic::{AtomicU32 as EntryU32, AtomicU64 as EntryU64};

// What one thread alone reads and writes (the owner of a party). No order of theirs matters, so the models skip them.
pub use std::sync::atomic::{AtomicU32 as OwnedU32, AtomicU64 as OwnedU64};

// What is measured and decides nothing (how often answers come). The models skip them, too.
pub use std::sync::atomic::{AtomicU32 as MeasuredU32, AtomicU64 as MeasuredU64};

/// A fence between threads that the models can take out. Each run shows that it is needed, and that its absence is noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FenceOf {
    /// Between what is posted and a look at whether the reader sleeps.
    Post,
    /// Between a reader's word that it sleeps and its last look for what was posted.
    Sleep,
}

/// Puts all that this thread has done before all that it does from here on, for every thread that does the same.
#[cfg(not(any(hotline_loom, hotline_shuttle, hotline_parked)))]
#[inline]
pub fn fence_of(_of: FenceOf) {
    fence(Ordering::SeqCst);
}
