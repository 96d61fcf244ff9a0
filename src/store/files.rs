//! The files of the log: how they are called, which there are, and how complete lines are read from them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::base::Time;

/// How many bytes are read at once.
const CHUNK_BYTES: usize = 256 * 1024;
/// No line is longer. Where no line ends for so long, the file is damaged.
const LINE_BYTES_MAX: usize = 1 << 20;

/// The file whose first event happened at `began`.
pub(super) fn path(directory: &Path, began: Time) -> PathBuf {
    directory.join(format!("events-{:016}.jsonl", began.micros()))
}

fn began(name: &str) -> Option<Time> {
    let digits = name.strip_prefix("events-")?.strip_suffix(".jsonl")?;
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok().map(Time::from_micros))?
}

/// The files of a log, by the time of their first events, the oldest first.
pub(super) fn list(directory: &Path) -> io::Result<Vec<Time>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        files.extend(entry?.file_name().to_str().and_then(began));
    }
    files.sort_unstable();
    Ok(files)
}

/// The file that an event of this time is in, or one before it. A file's name may be later than its first event, where the system's clock
/// was set back between two processes, but never earlier.
pub(super) fn holding(files: &[Time], at: Time) -> Option<Time> {
    files.iter().rev().find(|began| **began <= at).or(files.first()).copied()
}

/// The complete lines of a file, from an offset on. A torn last line is left out.
pub(super) struct Lines {
    file: File,
    buffer: Vec<u8>,
    /// The part of the buffer that has not been given out.
    unread: std::ops::Range<usize>,
    /// Its offset in the file.
    offset: u64,
}

impl Lines {
    pub(super) fn open(path: &Path, offset: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Lines { file, buffer: vec![0; CHUNK_BYTES], unread: 0..0, offset })
    }

    /// Where the lines given out so far end.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line without its end; `None` when there is none that is complete, yet.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let mut looked = 0;
        let length = loop {
            let unread = &self.buffer[self.unread.clone()];
            if let Some(length) = memchr::memchr(b'\n', &unread[looked..]) {
                break looked + length;
            }
            looked = unread.len();
            if looked >= LINE_BYTES_MAX {
                break looked - 1;
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        };
        let begin = self.unread.start;
        self.unread.start += length + 1;
        self.offset += length as u64 + 1;
        Ok(Some(&self.buffer[begin..begin + length]))
    }

    fn fill(&mut self) -> io::Result<usize> {
        if self.unread.start > 0 {
            self.buffer.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        if self.buffer.len() - self.unread.end < CHUNK_BYTES / 2 {
            self.buffer.resize(self.buffer.len() + CHUNK_BYTES, 0);
        }
        let count = self.file.read(&mut self.buffer[self.unread.end..])?;
        self.unread.end += count;
        Ok(count)
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
