//! Writes an event as a line of the log: one JSON object, `{"v":1,"at":...,"kind":"...",...}`.
//!
//! It owns the format. Times are microseconds since the Unix epoch; durations end in `_us`. Items of the directory are
//! named, and labels are those of [`words`](crate::base::words). Absent values are left out. Which fields a kind has
//! is declared in [`fact`](super::fact). No general writer of JSON is used, because this happens a dozen times in each
//! call: nothing is allocated but the line's own room. A reader skips kinds that it does not know; a changed meaning
//! gets a new `v`.

use super::event::Event;
use super::fact::EventKind;
use super::value::Field;
use crate::base::Time;

/// The version that is written.
pub const VERSION: u32 = 1;
/// The beginning of each line, up to the time.
const BEGIN: &str = "{\"v\":1,\"at\":";
/// The text between the time and the kind.
const KIND: &str = ",\"kind\":\"";

/// Appends an event to `out` as a line, its end included.
pub fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(BEGIN.as_bytes());
    number(event.at.micros(), out);
    out.extend_from_slice(KIND.as_bytes());
    out.extend_from_slice(event.kind().label().as_bytes());
    out.push(b'"');
    event.contact.write("contact", &mut Line(out));
    event.what.write(&mut Line(out));
    out.extend_from_slice(b"}\n");
}

/// The time and the kind of a line that [`write()`] wrote, without reading the rest of it.
#[must_use]
pub fn peek(line: &[u8]) -> Option<(Time, EventKind)> {
    let rest = line.strip_prefix(BEGIN.as_bytes())?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let at = str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let rest = rest[digits..].strip_prefix(KIND.as_bytes())?;
    let end = memchr::memchr(b'"', rest)?;
    Some((Time::from_micros(at), EventKind::from_label(str::from_utf8(&rest[..end]).ok()?)?))
}

/// A line whose first fields are written already. It takes more of them.
pub(super) struct Line<'l>(&'l mut Vec<u8>);

impl Line<'_> {
    fn key(&mut self, key: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    /// A text in which nothing needs an escape, such as our labels.
    pub(super) fn plain(&mut self, key: &str, text: &[u8]) {
        self.key(key);
        self.0.push(b'"');
        self.0.extend_from_slice(text);
        self.0.push(b'"');
    }

    /// Any text.
    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.0.push(b'"');
        escape(text.as_bytes(), self.0);
        self.0.push(b'"');
    }

    /// A whole number.
    pub(super) fn number(&mut self, key: &str, value: u64) -> &mut Self {
        self.key(key);
        number(value, self.0);
        self
    }

    /// A boolean.
    pub(super) fn flag(&mut self, key: &str, flag: bool) {
        self.key(key);
        self.0.extend_from_slice(if flag { b"true" } else { b"false" });
    }
}

/// The digits of the numbers below 100, two each.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// Appends a number. Every line has a time of 16 digits, so they are made two at once.
fn number(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [[0; 2]; 10];
    let mut place = digits.len();
    loop {
        place -= 1;
        digits[place] = PAIRS[(value % 100) as usize];
        value /= 100;
        if value == 0 {
            break;
        }
    }
    let leading_zero = usize::from(digits[place][0] == b'0');
    out.extend_from_slice(&digits.as_flattened()[2 * place + leading_zero..]);
}

/// Appends text with the escapes of JSON (RFC 8259 7).
fn escape(text: &[u8], out: &mut Vec<u8>) {
    let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let mut rest = text;
    while let Some(place) = rest.iter().position(special) {
        out.extend_from_slice(&rest[..place]);
        match rest[place] {
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            byte => {
                let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
            }
        }
        rest = &rest[place + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "golden_tests.rs"]
mod golden;
