//! The reader: a received buffer becomes a [`Message`] that points into it (RFC 3261 7, 18.3).
//!
//! Owns the split into start line, header fields and body. It copies nothing, takes no heap for a message of up to 32 header lines, keeps
//! unknown fields byte for byte in order, and makes typed values only when asked, those of Via,
//! From, To and CSeq once. It never judges values: [`Message::check`] does.

use std::cell::OnceCell;
use std::fmt;

use smallvec::SmallVec;

use super::check::Defect;
use super::head::{self, BodyLength, Fault, Lines, Span};
use super::header::{CSeq, HeaderError, MediaType, Valued};
use super::method::Method;
use super::name::Name;
use super::name_addr::{ContactHeader, NameAddr};
use super::text::{self, Elements};
use super::via::Via;

/// The first line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start<'a> {
    /// A request line (RFC 3261 7.1).
    Request {
        /// The method.
        method: Method<'a>,
        /// The Request-URI, as received.
        uri: &'a str,
    },
    /// A status line (RFC 3261 7.2).
    Status {
        /// From 100 to 699.
        code: u16,
        /// For people; any bytes.
        reason: &'a [u8],
    },
}

/// One header line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field<'a> {
    /// The header that it is.
    pub name: Name,
    /// Its name as received, perhaps compact.
    pub raw_name: &'a [u8],
    /// Its value as received without the white space around it; may be folded, see [`text::unfold`].
    pub value: &'a [u8],
}

/// A SIP message within the buffer that it was received in.
#[derive(Clone)]
pub struct Message<'a> {
    /// The first line.
    pub start: Start<'a>,
    /// The body, as long as Content-Length says, or to the end of the datagram without one.
    pub body: &'a [u8],
    raw: &'a [u8],
    spans: SmallVec<[Span; 32]>,
    version_2: bool,
    typed: Typed<'a>,
}

/// The typed values that every message is asked for again and again, kept once they were made.
#[derive(Clone, Default)]
struct Typed<'a> {
    via: OnceCell<Result<Via<'a>, HeaderError>>,
    from: OnceCell<Result<NameAddr<'a>, HeaderError>>,
    to: OnceCell<Result<NameAddr<'a>, HeaderError>>,
    cseq: OnceCell<Result<CSeq<'a>, HeaderError>>,
}

/// Bytes that are no message, and what could be made out of them.
#[derive(Debug, thiserror::Error)]
#[error("{fault}")]
pub struct ReadError<'a> {
    /// The fault.
    pub fault: Fault,
    salvaged: Option<Box<Message<'a>>>,
}

impl<'a> ReadError<'a> {
    /// How to answer it, if it is a request ([`Self::request`]).
    #[must_use]
    pub fn defect(&self) -> Defect {
        Defect::of_fault(self.fault)
    }

    /// The request, as far as it could be read, if it can be answered: it is no ACK and has a Via to answer to. Its body is empty.
    #[must_use]
    pub fn request(&self) -> Option<&Message<'a>> {
        let message = self.salvaged.as_deref()?;
        let answerable = message.method().is_some_and(|method| method != Method::Ack) && message.top_via().is_ok();
        answerable.then_some(message)
    }
}

impl<'a> Message<'a> {
    /// Reads a datagram, or one message that the [`Framer`](super::framer::Framer) cut out of a stream.
    ///
    /// Line ends before the start line are skipped. A body longer than Content-Length is cut there; one shorter is an error.
    ///
    /// # Errors
    /// Whenever the structure is in doubt; the error keeps the request so that it can be answered.
    pub fn read(datagram: &'a [u8]) -> Result<Message<'a>, ReadError<'a>> {
        let bytes = &datagram[head::leading_line_ends(datagram)..];
        if bytes.is_empty() {
            return Err(ReadError { fault: Fault::KeepAlive, salvaged: None });
        }
        let end = head::end(bytes, 0);
        let (head, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        let mut fault = if end.is_none() { Some(Fault::NoHeadEnd) } else { None };

        let mut lines = Lines::new(head);
        let start = lines.start_line().and_then(StartLine::parse);
        let start = start.map_err(|found| ReadError { fault: fault.unwrap_or(found), salvaged: None })?;
        if !start.clean {
            fault = fault.or(Some(Fault::StartLine));
        }
        let mut message = Message {
            start: start.start,
            body: b"",
            raw: head,
            spans: SmallVec::new(),
            version_2: start.version_2,
            typed: Typed::default(),
        };
        let mut length = BodyLength::default();
        for line in lines {
            let seen = line.and_then(|span| {
                message.spans.push(span);
                if span.name == Name::ContentLength { length.see(span.value(head)) } else { Ok(()) }
            });
            fault = fault.or(seen.err());
        }
        let length = length.said().unwrap_or(rest.len());
        if length > rest.len() {
            fault = fault.or(Some(Fault::LengthBeyond));
        }
        if fault.is_none() {
            message.body = &rest[..length];
            message.raw = &bytes[..head.len() + length];
        }
        match fault {
            None => Ok(message),
            Some(fault) => Err(ReadError { fault, salvaged: Some(Box::new(message)) }),
        }
    }

    /// The message's bytes: start line to end of body, without what surrounded them.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Every header line, in order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> {
        let raw = self.raw;
        self.spans.iter().map(move |span| Field { name: span.name, raw_name: span.raw_name(raw), value: span.value(raw) })
    }

    /// The first value of this header.
    #[must_use]
    pub fn get(&self, name: Name) -> Option<&'a [u8]> {
        self.spans.iter().find(|span| span.name == name).map(|span| span.value(self.raw))
    }

    /// The value of every line of this header, in order.
    pub fn all(&self, name: Name) -> impl Iterator<Item = &'a [u8]> {
        let raw = self.raw;
        self.spans.iter().filter(move |span| span.name == name).map(move |span| span.value(raw))
    }

    /// The comma-separated elements of all lines of this header, in order and trimmed, empty ones left out.
    pub fn list(&self, name: Name) -> impl Iterator<Item = &'a [u8]> {
        self.all(name).flat_map(Elements::new)
    }

    /// The first value of this header, if it is UTF-8.
    #[must_use]
    pub fn text(&self, name: Name) -> Option<&'a str> {
        self.get(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// The first value of a header that hotline does not know by [`Name`].
    #[must_use]
    pub fn other(&self, name: &str) -> Option<&'a [u8]> {
        self.fields().find(|field| field.raw_name.eq_ignore_ascii_case(name.as_bytes())).map(|field| field.value)
    }

    /// Whether this is a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The method, if this is a request.
    #[must_use]
    pub fn method(&self) -> Option<Method<'a>> {
        match self.start {
            Start::Request { method, .. } => Some(method),
            Start::Status { .. } => None,
        }
    }

    /// The status code, if this is a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.start {
            Start::Request { .. } => None,
            Start::Status { code, .. } => Some(code),
        }
    }

    /// Whether the start line says SIP/2.0.
    #[must_use]
    pub fn is_version_2(&self) -> bool {
        self.version_2
    }

    fn value<T>(&self, name: Name, parse: impl FnOnce(&'a [u8]) -> Option<T>) -> Result<T, HeaderError> {
        parse(self.get(name).ok_or(HeaderError::Missing(name))?).ok_or(HeaderError::Malformed(name))
    }

    fn values<T>(&self, name: Name, parse: fn(&'a [u8]) -> Option<T>) -> impl Iterator<Item = Result<T, HeaderError>> {
        self.list(name).map(move |element| parse(element).ok_or(HeaderError::Malformed(name)))
    }

    /// Call-ID (RFC 3261 20.8).
    ///
    /// # Errors
    /// When it is missing, empty, or holds white space.
    pub fn call_id(&self) -> Result<&'a [u8], HeaderError> {
        self.value(Name::CallId, |value| (!value.is_empty() && !value.iter().any(|b| text::is_space(*b))).then_some(value))
    }

    /// CSeq (RFC 3261 20.16).
    ///
    /// # Errors
    /// When it is missing, malformed, or not below 2^31.
    pub fn cseq(&self) -> Result<CSeq<'a>, HeaderError> {
        *self.typed.cseq.get_or_init(|| self.value(Name::CSeq, CSeq::parse))
    }

    /// From (RFC 3261 20.20).
    ///
    /// # Errors
    /// When it is missing or malformed; the URI is not judged yet.
    pub fn from(&self) -> Result<NameAddr<'a>, HeaderError> {
        *self.typed.from.get_or_init(|| self.value(Name::From, NameAddr::parse))
    }

    /// To (RFC 3261 20.39).
    ///
    /// # Errors
    /// When it is missing or malformed; the URI is not judged yet.
    pub fn to(&self) -> Result<NameAddr<'a>, HeaderError> {
        *self.typed.to.get_or_init(|| self.value(Name::To, NameAddr::parse))
    }

    /// Every Via element, topmost first (RFC 3261 20.42).
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'a>, HeaderError>> {
        self.values(Name::Via, Via::parse)
    }

    /// The topmost Via: who sent this request to us, or who sent the request that this response answers.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn top_via(&self) -> Result<Via<'a>, HeaderError> {
        *self.typed.via.get_or_init(|| self.vias().next().unwrap_or(Err(HeaderError::Missing(Name::Via))))
    }

    /// Every Contact element (RFC 3261 20.10).
    pub fn contacts(&self) -> impl Iterator<Item = Result<ContactHeader<'a>, HeaderError>> {
        self.values(Name::Contact, ContactHeader::parse)
    }

    /// Every Route element, topmost first (RFC 3261 20.34).
    pub fn routes(&self) -> impl Iterator<Item = Result<NameAddr<'a>, HeaderError>> {
        self.addresses(Name::Route)
    }

    /// Every Record-Route element, topmost first (RFC 3261 20.30).
    pub fn record_routes(&self) -> impl Iterator<Item = Result<NameAddr<'a>, HeaderError>> {
        self.addresses(Name::RecordRoute)
    }

    /// Every element of a header that lists addresses: P-Asserted-Identity, Diversion, History-Info, Path.
    pub fn addresses(&self, name: Name) -> impl Iterator<Item = Result<NameAddr<'a>, HeaderError>> {
        self.values(name, NameAddr::parse)
    }

    /// Max-Forwards (RFC 3261 20.22); `None` if the sender wrote none.
    ///
    /// # Errors
    /// When it is no number from 0 to 255.
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        let Some(value) = self.get(Name::MaxForwards) else { return Ok(None) };
        let hops = text::number(value).and_then(|hops| u8::try_from(hops).ok());
        hops.map(Some).ok_or(HeaderError::Malformed(Name::MaxForwards))
    }

    /// Content-Type (RFC 3261 20.15), if there is one that can be read.
    #[must_use]
    pub fn content_type(&self) -> Option<MediaType<'a>> {
        self.get(Name::ContentType).and_then(MediaType::parse)
    }

    /// Expires in seconds (RFC 3261 20.19). `None` too where it is malformed or exceeds 2^32-1: the default is taken then (10.2.1.1).
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.valued(Name::Expires)?.seconds()
    }

    /// The first value of a header of the form `value;params`: Event, Session-Expires, Replaces, Retry-After. `None` too if malformed.
    #[must_use]
    pub fn valued(&self, name: Name) -> Option<Valued<'a>> {
        self.get(name).and_then(Valued::parse)
    }

    /// The names of all lines, as bits ([`Name::bit`]): those there at all, and those there more than once.
    pub(super) fn names(&self) -> (u64, u64) {
        self.spans.iter().fold((0, 0), |(once, twice), span| (once | span.name.bit(), twice | once & span.name.bit()))
    }
}

impl fmt::Debug for Message<'_> {
    /// As text: what a log or a failed test is read for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({:?})", String::from_utf8_lossy(self.raw))
    }
}

struct StartLine<'a> {
    start: Start<'a>,
    version_2: bool,
    /// Whether single spaces separate the parts. A request line where they do not is refused, but read, so that it can be answered.
    clean: bool,
}

impl<'a> StartLine<'a> {
    fn parse(line: &'a [u8]) -> Result<StartLine<'a>, Fault> {
        // No method holds a slash, so this is a status line or nothing.
        if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
            return StartLine::parse_status(line);
        }
        let trimmed = text::trim(line);
        let space = memchr::memchr(b' ', trimmed).ok_or(Fault::StartLine)?;
        let method = Method::from_bytes(&trimmed[..space]).ok_or(Fault::StartLine)?;
        let last = memchr::memrchr(b' ', trimmed).filter(|last| *last > space).ok_or(Fault::StartLine)?;
        let version_2 = parse_version(&trimmed[last + 1..])?;
        let between = &trimmed[space + 1..last];
        let uri = str::from_utf8(text::trim(between)).map_err(|_| Fault::StartLine)?;
        let clean = line.len() == trimmed.len() && !uri.is_empty() && !between.iter().any(|b| text::is_space(*b));
        Ok(StartLine { start: Start::Request { method, uri }, version_2, clean })
    }

    fn parse_status(line: &'a [u8]) -> Result<StartLine<'a>, Fault> {
        let space = memchr::memchr(b' ', line).ok_or(Fault::StartLine)?;
        let version_2 = parse_version(&line[..space])?;
        let rest = &line[space + 1..];
        // Some leave out the space before an empty reason phrase.
        let (code, reason) = rest.split_at(memchr::memchr(b' ', rest).unwrap_or(rest.len()));
        if code.is_empty() || !code.iter().all(u8::is_ascii_digit) {
            return Err(Fault::StartLine);
        }
        let code = text::number(code).and_then(|code| u16::try_from(code).ok()).filter(|code| (100..700).contains(code));
        let start = Start::Status { code: code.ok_or(Fault::StatusCode)?, reason: reason.get(1..).unwrap_or_default() };
        Ok(StartLine { start, version_2, clean: true })
    }
}

/// Whether a SIP version is 2.0; an error if it is no SIP version at all.
fn parse_version(version: &[u8]) -> Result<bool, Fault> {
    let (sip, number) = version.split_at_checked(4).ok_or(Fault::StartLine)?;
    if !sip.eq_ignore_ascii_case(b"SIP/") {
        return Err(Fault::StartLine);
    }
    if number == b"2.0" {
        return Ok(true);
    }
    let dot = memchr::memchr(b'.', number).ok_or(Fault::StartLine)?;
    let digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    if digits(&number[..dot]) && digits(&number[dot + 1..]) { Ok(false) } else { Err(Fault::StartLine) }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
