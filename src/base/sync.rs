//! The atomics of the matcher: std's in production; loom's or shuttle's where the models under tests/models compile the kernel.

#[cfg(not(any(hotline_loom, hotline_shuttle)))]
pub use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

#[cfg(hotline_loom)]
pub use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

#[cfg(hotline_shuttle)]
pub use shuttle::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
