//! Recovery at the start: contacts that a process left open when it died are closed in the log.
//!
//! Only what is needed is read. After an orderly end that is the last line. Otherwise each file's first line says how
//! far back contacts were open when it began.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::files::{self, Lines};
use crate::base::Time;
use crate::report::{CdrBuilder, EventKind, What, decode, encode};

/// How many bytes are searched for the end of the last line at once.
const TAIL_BYTES: usize = 64 * 1024;

/// What was found and repaired.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    /// The time of the log's last event; `None`: there was none.
    pub last: Option<Time>,
    /// How many contacts were open, and are closed now (`ended_by=crash`).
    pub closed: u64,
    /// How many lines could not be read, and were skipped.
    pub bad_lines: u64,
    /// How many bytes of a torn last line were cut off.
    pub torn_bytes: u64,
}

/// Closes whatever is open in the log of `directory`, which is made if it is not there. Must be done before the log is written, by one
/// process alone. One that dies in here is made good by the next.
///
/// # Errors
/// When the directory or a file in it cannot be read or written.
pub fn recover(directory: &Path) -> io::Result<Recovered> {
    std::fs::create_dir_all(directory)?;
    let files = files::list(directory)?;
    let Some(newest) = files.last().copied() else { return Ok(Recovered::default()) };
    let path = files::path(directory, newest);
    let mut file = OpenOptions::new().read(true).append(true).open(&path)?;
    let (torn_bytes, last_line) = cut_torn_line(&mut file)?;
    let mut recovered = Recovered { torn_bytes, ..Recovered::default() };
    if let Ok(event) = decode::read(&last_line)
        && let What::Stopped { open: 0 } = event.what
    {
        recovered.last = Some(event.at);
        return Ok(recovered);
    }
    let from = reach(&path, &files, newest)?;
    let mut builder = CdrBuilder::default();
    for began in files.iter().filter(|began| **began >= from) {
        scan(&files::path(directory, *began), &mut builder, &mut recovered)?;
    }
    let mut closing = Vec::new();
    recovered.closed = builder.open() as u64;
    builder.close_all(recovered.last.unwrap_or(newest), |event| encode::write(event, &mut closing));
    file.write_all(&closing)?;
    file.sync_data()?;
    Ok(recovered)
}

/// Cuts off what follows the end of the last line. Returns how many bytes that were, and the last line.
fn cut_torn_line(file: &mut File) -> io::Result<(u64, Vec<u8>)> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut tail = Vec::new();
    // From the end backwards, until two line ends are in sight: those of the last line and of the one before.
    loop {
        let seen = tail.len() as u64;
        let more = (length - seen).min(TAIL_BYTES as u64);
        file.seek(SeekFrom::Start(length - seen - more))?;
        let mut chunk = vec![0; more as usize];
        file.read_exact(&mut chunk)?;
        chunk.append(&mut tail);
        tail = chunk;
        if more == 0 || memchr::memchr_iter(b'\n', &tail).nth(1).is_some() {
            break;
        }
    }
    let end = memchr::memrchr(b'\n', &tail).map_or(0, |place| place + 1);
    let torn = (tail.len() - end) as u64;
    if torn > 0 {
        file.set_len(length - torn)?;
    }
    tail.truncate(end.saturating_sub(1));
    let begin = memchr::memrchr(b'\n', &tail).map_or(0, |place| place + 1);
    Ok((torn, tail.split_off(begin)))
}

/// The oldest file that is needed, by what the newest one's first line says.
fn reach(path: &Path, files: &[Time], newest: Time) -> io::Result<Time> {
    let mut lines = Lines::open(path, 0)?;
    let first = lines.next()?.and_then(|line| decode::read(line).ok());
    Ok(match first.map(|event| event.what) {
        Some(What::FileBegan { since: None }) => newest,
        Some(What::FileBegan { since: Some(since) }) => files::holding(files, since).unwrap_or(newest),
        _ => files.first().copied().unwrap_or(newest),
    })
}

/// Whether events of this kind say that a contact is open, and in what.
const fn matters(kind: EventKind) -> bool {
    matches!(kind, EventKind::Arrived | EventKind::SegmentEnded | EventKind::Entered | EventKind::Left | EventKind::Ended)
}

fn scan(path: &Path, builder: &mut CdrBuilder, recovered: &mut Recovered) -> io::Result<()> {
    let mut lines = Lines::open(path, 0)?;
    while let Some(line) = lines.next()? {
        let event = match encode::peek(line) {
            Some((at, kind)) if !matters(kind) => {
                recovered.last = recovered.last.max(Some(at));
                continue;
            }
            _ => decode::read(line),
        };
        let Ok(event) = event else {
            recovered.bad_lines += 1;
            continue;
        };
        recovered.last = recovered.last.max(Some(event.at));
        if matters(event.kind()) {
            builder.take(&event);
            while builder.poll().is_some() {}
        }
    }
    Ok(())
}
