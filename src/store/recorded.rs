//! The days of a log on disk, for the simulator.

use std::io;
use std::path::Path;

use super::files;
use super::tail::Tail;
use crate::report::decode;
use crate::report::replay::Recording;

/// What the log in `directory` says of its days. Lines that cannot be read are skipped, as always.
///
/// # Errors
/// When the log cannot be read, or there is none.
pub fn recorded(directory: &Path) -> io::Result<Recording> {
    if files::list(directory)?.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it holds no event log"));
    }
    let (mut tail, mut recording) = (Tail::from(directory, None)?, Recording::default());
    while let Some(line) = tail.next()? {
        if let Ok(event) = decode::read(line) {
            recording.take(&event);
        }
    }
    Ok(recording)
}
