//! Where the log's lines go: a directory of files, or in tests a disk that fails on demand.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files;
use super::sync::Syncer;
use crate::base::Time;

/// Stores the lines of the log.
pub(super) trait Disk: Send {
    /// Begins a new file, whose first event happened at `began`.
    fn begin(&mut self, began: Time) -> io::Result<()>;
    /// Appends whole lines: all of them or, on an error, none.
    fn append(&mut self, lines: &[u8]) -> io::Result<()>;
    /// How long the file is; `None`: there is none that can be appended to.
    fn length(&self) -> Option<u64>;
}

/// A directory of the real disk.
pub(super) struct Directory {
    path: PathBuf,
    /// The file that is appended to, and its length.
    file: Option<(File, u64)>,
    /// The newest file's name.
    newest: Option<Time>,
    syncer: Syncer,
}

impl Directory {
    /// Goes on with the newest file, if there is one.
    pub(super) fn open(path: &Path, syncer: Syncer) -> io::Result<Self> {
        let newest = files::list(path)?.last().copied();
        let mut directory = Directory { path: path.to_owned(), file: None, newest, syncer };
        if let Some(newest) = newest {
            let file = OpenOptions::new().append(true).open(files::path(path, newest))?;
            let length = file.metadata()?.len();
            directory.take(file, length)?;
        }
        Ok(directory)
    }

    fn take(&mut self, file: File, length: u64) -> io::Result<()> {
        self.syncer.file(file.try_clone()?);
        self.file = Some((file, length));
        Ok(())
    }
}

impl Disk for Directory {
    fn begin(&mut self, began: Time) -> io::Result<()> {
        // Names grow even if the system's clock was set back: readers go by them.
        let name = self.newest.map_or(began, |newest| began.max(newest + Duration::from_micros(1)));
        let file = OpenOptions::new().append(true).create_new(true).open(files::path(&self.path, name))?;
        self.newest = Some(name);
        self.take(file, 0)
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let Some((file, length)) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        // A file that somebody has deleted can be written for ever, and read by nobody.
        let there = file.metadata().and_then(|meta| if meta.nlink() > 0 { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) });
        let written = there.and_then(|()| file.write_all(lines));
        match written {
            Ok(()) => {
                *length += lines.len() as u64;
                self.syncer.wrote();
                Ok(())
            }
            Err(error) => {
                // What was written of them is taken back, so that they can be written again.
                if error.kind() == io::ErrorKind::NotFound || file.set_len(*length).is_err() {
                    self.file = None;
                }
                Err(error)
            }
        }
    }

    fn length(&self) -> Option<u64> {
        self.file.as_ref().map(|(_, length)| *length)
    }
}
