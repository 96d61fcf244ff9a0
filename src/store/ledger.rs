//! A contact's ledger, from the log on disk.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::files;
use super::tail::{Position, Tail};
use crate::base::ContactId;
use crate::report::why::{Answer, Why};
use crate::report::{EventKind, decode, encode};

/// The longest stay in a queue: reading ends after it.
const STAY_MAX: Duration = Duration::from_secs(24 * 3600);

/// Why the contact waited; `None` if it was never in a queue, as far as the log in `directory` goes back.
///
/// # Errors
/// When the log cannot be read.
pub fn ledger(directory: &Path, contact: ContactId) -> io::Result<Option<Answer>> {
    let mut why = Why::new(contact);
    let since = why.since();
    let files = files::list(directory)?;
    let first = files::holding(&files, since).or(files.first().copied());
    let mut tail = Tail::from(directory, first.map(|file| Position { file, offset: 0 }))?;
    while !why.ended()
        && let Some(line) = tail.next()?
    {
        let Some((at, kind)) = encode::peek(line) else { continue };
        if at > contact.arrived() + STAY_MAX {
            break;
        }
        let told = matches!(
            kind,
            EventKind::Entered
                | EventKind::Widened
                | EventKind::PreferenceOver
                | EventKind::Offered
                | EventKind::OfferEnded
                | EventKind::Left
                | EventKind::Ended
        );
        if at >= since
            && told
            && let Ok(event) = decode::read(line)
        {
            why.take(&event);
        }
    }
    Ok(why.answer())
}
