//! Reads a line of the log as an event. Borrows from the line whatever needs no unescaping.

use super::encode::VERSION;
use super::event::{Event, What};
use super::fact::EventKind;
use super::scan::Fields;
use super::value::Field;
use crate::base::{ContactId, Time};

/// Why a line cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadLine {
    /// It is not a JSON object; most likely it is torn.
    #[error("this is no JSON object")]
    Json,
    /// A version of the format that is not known here.
    #[error("version {0} of the log is not known")]
    Version(u32),
    /// This field is missing, or its value is not known.
    #[error("`{0}` is missing or unknown")]
    Field(&'static str),
}

/// Reads a line, with or without its line end.
///
/// # Errors
/// When the line is torn, of another version, or lacks a field.
pub fn read(line: &[u8]) -> Result<Event<'_>, BadLine> {
    let mut fields = Fields::of(line)?;
    let version = u32::read("v", &mut fields)?;
    if version != VERSION {
        return Err(BadLine::Version(version));
    }
    let at = Time::read("at", &mut fields)?;
    let kind = EventKind::read("kind", &mut fields)?;
    let contact = Option::<ContactId>::read("contact", &mut fields)?;
    Ok(Event { at, contact, what: What::read(kind, &mut fields)? })
}
