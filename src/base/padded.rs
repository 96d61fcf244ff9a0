//! A cache line of its own.

use std::ops::Deref;

/// A value that many threads write, with nothing else on its cache line: a write takes the line away from all who read
/// what is beside it. Two lines, since processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Padded<T>(pub T);

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
