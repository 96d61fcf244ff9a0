//! The one framing rule: where a message's head ends, what its lines are, and how long it says its body is (RFC 3261 7.3.1, 18.3, 20.14).
//!
//! Owns it for the reader of datagrams ([`super::message`]) and the framer of streams ([`super::framer`]) alike, for where two disagree
//! about a message's end, a second one can be smuggled through. It therefore never guesses: a CR or LF that is not part of a CRLF, and
//! Content-Length values that differ, are faults.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::name::Name;
use super::text;

/// Why bytes are no message. Values are not judged here; [`Message::check`](super::Message::check) does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// Nothing but line ends: a keep-alive (RFC 5626 4.4.1), or nothing at all.
    #[error("nothing but line ends")]
    KeepAlive,
    /// More than 4 GiB, or a header name of more than 64 KiB.
    #[error("too long")]
    TooLong,
    /// No empty line ends the head.
    #[error("no empty line after the header")]
    NoHeadEnd,
    /// A CR or LF that is not part of a CRLF.
    #[error("a stray CR or LF")]
    LineEnd,
    /// The first line is neither a request line nor a status line.
    #[error("malformed start line")]
    StartLine,
    /// A status code outside of 100 to 699.
    #[error("status code out of range")]
    StatusCode,
    /// A line without a colon, or without a token before it.
    #[error("malformed header line")]
    HeaderLine,
    /// A Content-Length that is no number or exceeds all reason.
    #[error("malformed Content-Length")]
    LengthMalformed,
    /// Content-Length values that differ.
    #[error("conflicting Content-Length")]
    LengthConflict,
    /// A Content-Length beyond the end of the datagram.
    #[error("Content-Length beyond the end of the message")]
    LengthBeyond,
}

/// How many bytes of line ends stand before the start line (RFC 3261 7.5 lets them be ignored).
pub(super) fn leading_line_ends(bytes: &[u8]) -> usize {
    bytes.chunks_exact(2).take_while(|pair| *pair == b"\r\n").count() * 2
}

static EMPTY_LINE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));

/// The place just after the empty line that ends the head. Looks at `bytes[from..]` and the three bytes before it only, so that a
/// stream can go on where the last look ended.
pub(super) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3);
    EMPTY_LINE.find(bytes.get(from..)?).map(|at| from + at + 4)
}

/// One header line, as offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub start: u32,
    pub value_start: u32,
    pub value_end: u32,
    pub name_len: u16,
    pub name: Name,
}

impl Span {
    pub(super) fn raw_name<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start as usize..self.start as usize + usize::from(self.name_len)]
    }

    pub(super) fn value<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.value_start as usize..self.value_end as usize]
    }
}

/// Goes through a head line by line.
pub(super) struct Lines<'a> {
    head: &'a [u8],
    at: usize,
}

/// What is done for every line is inlined by order: left to the compiler it is, or is not, as the crate is divided into units, which a call notices.
impl<'a> Lines<'a> {
    pub(super) fn new(head: &'a [u8]) -> Self {
        Lines { head, at: 0 }
    }

    /// The next line's range without its CRLF, continuation lines included; `None` at the empty line or the end of the bytes.
    #[inline(always)]
    fn next_range(&mut self) -> Option<Result<(usize, usize), Fault>> {
        let start = self.at;
        let mut at = start;
        loop {
            let Some(found) = memchr::memchr2(b'\r', b'\n', &self.head[at..]) else {
                // Only a head without its empty line gets here: the last line is cut off.
                self.at = self.head.len();
                return (start < self.at).then_some(Err(Fault::NoHeadEnd));
            };
            at += found;
            if !self.head[at..].starts_with(b"\r\n") {
                self.at = self.head.len();
                return Some(Err(Fault::LineEnd));
            }
            if at == start {
                return None;
            }
            if !matches!(self.head.get(at + 2), Some(b' ' | b'\t')) {
                self.at = at + 2;
                return Some(Ok((start, at)));
            }
            at += 2;
        }
    }

    /// The start line; call once, first.
    pub(super) fn start_line(&mut self) -> Result<&'a [u8], Fault> {
        let (start, end) = self.next_range().unwrap_or(Err(Fault::StartLine))?;
        Ok(&self.head[start..end])
    }

    #[inline(always)]
    fn span(&self, start: usize, end: usize) -> Result<Span, Fault> {
        let line = &self.head[start..end];
        // Names are short: a plain loop is faster here than a vectorised search.
        let colon = line.iter().position(|b| *b == b':').ok_or(Fault::HeaderLine)?;
        let mut raw_name = &line[..colon];
        while let [rest @ .., b' ' | b'\t'] = raw_name {
            raw_name = rest;
        }
        let name = Name::from_bytes(raw_name);
        if name == Name::Other && !text::is_token(raw_name) {
            return Err(Fault::HeaderLine);
        }
        let value = text::trim_start(&line[colon + 1..]);
        let value_start = end - value.len();
        let value_end = value_start + text::trim(value).len();
        let narrow = |place: usize| u32::try_from(place).map_err(|_| Fault::TooLong);
        Ok(Span {
            start: narrow(start)?,
            value_start: narrow(value_start)?,
            value_end: narrow(value_end)?,
            name_len: u16::try_from(raw_name.len()).map_err(|_| Fault::TooLong)?,
            name,
        })
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Span, Fault>;

    #[inline(always)]
    fn next(&mut self) -> Option<Result<Span, Fault>> {
        Some(match self.next_range()? {
            Ok((start, end)) => self.span(start, end),
            Err(fault) => Err(fault),
        })
    }
}

/// Gathers what the Content-Length lines say.
#[derive(Default)]
pub(super) struct BodyLength {
    said: Option<usize>,
}

impl BodyLength {
    /// Takes one line's value into account.
    pub(super) fn see(&mut self, value: &[u8]) -> Result<(), Fault> {
        let length = text::number(value)
            .and_then(|length| usize::try_from(length).ok())
            .filter(|length| *length <= u32::MAX as usize)
            .ok_or(Fault::LengthMalformed)?;
        if self.said.is_some_and(|said| said != length) {
            return Err(Fault::LengthConflict);
        }
        self.said = Some(length);
        Ok(())
    }

    /// What was said, if anything.
    pub(super) fn said(&self) -> Option<usize> {
        self.said
    }
}

/// The body's length by a whole head, for the framer. Lines that the reader will refuse are passed over unless they make the message's
/// end doubtful.
pub(super) fn body_length(head: &[u8]) -> Result<Option<usize>, Fault> {
    let mut lines = Lines::new(head);
    lines.start_line()?;
    let mut length = BodyLength::default();
    for line in lines {
        match line {
            Ok(span) if span.name == Name::ContentLength => length.see(span.value(head))?,
            Ok(_) | Err(Fault::HeaderLine | Fault::TooLong) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(length.said())
}
