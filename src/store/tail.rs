//! Reads the log as it grows, from a position on, over file after file.

use std::io;
use std::path::{Path, PathBuf};

use super::files::{self, Lines};
use crate::base::Time;

/// A place between two lines of the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Position {
    /// The file, by the time of its first event.
    pub(super) file: Time,
    /// How many of its bytes are before.
    pub(super) offset: u64,
}

/// A reader of the log.
pub(super) struct Tail {
    directory: PathBuf,
    /// The newest file that was begun, or that is to be taken as read.
    after: Option<Time>,
    lines: Option<Lines>,
    /// A line that was read, and not yet given out.
    line: Option<Vec<u8>>,
    spare: Vec<u8>,
}

impl Tail {
    /// From a position on; without one, or when its file is gone, from the oldest file that follows.
    pub(super) fn from(directory: &Path, position: Option<Position>) -> io::Result<Self> {
        let after = position.map(|position| position.file);
        let mut tail = Tail { directory: directory.to_owned(), after, lines: None, line: None, spare: Vec::new() };
        if let Some(position) = position
            && files::list(directory)?.contains(&position.file)
        {
            let path = files::path(directory, position.file);
            // The end of a file may have been lost with the power, together with what was read from it.
            let offset = position.offset.min(path.metadata()?.len());
            tail.lines = Some(Lines::open(&path, offset)?);
        }
        Ok(tail)
    }

    /// The position after what was given out; `None`: nothing was read, and there is no position to go on from.
    pub(super) fn position(&self) -> Option<Position> {
        let ahead = self.line.as_ref().map_or(0, |line| line.len() as u64 + 1);
        let offset = self.lines.as_ref().map_or(0, Lines::offset) - ahead;
        self.after.map(|file| Position { file, offset })
    }

    /// Whether there is another line.
    pub(super) fn more(&mut self) -> io::Result<bool> {
        while self.line.is_none() {
            if self.read()? {
                break;
            }
            let newer = files::list(&self.directory)?.into_iter().find(|file| self.after.is_none_or(|after| *file > after));
            let Some(newer) = newer else { return Ok(false) };
            // What was appended before the newer file began may have come since it was last looked.
            if !self.read()? {
                self.lines = Some(Lines::open(&files::path(&self.directory, newer), 0)?);
                self.after = Some(newer);
            }
        }
        Ok(true)
    }

    fn read(&mut self) -> io::Result<bool> {
        let Some(lines) = &mut self.lines else { return Ok(false) };
        let Some(line) = lines.next()? else { return Ok(false) };
        let mut kept = std::mem::take(&mut self.spare);
        kept.clear();
        kept.extend_from_slice(line);
        self.line = Some(kept);
        Ok(true)
    }

    /// The next line, if there is one.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        if !self.more()? {
            return Ok(None);
        }
        self.spare = self.line.take().unwrap_or_default();
        Ok(Some(&self.spare))
    }
}
