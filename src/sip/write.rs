//! The writer: start line, header lines, body (RFC 3261 7).
//!
//! Owns the bytes of every message that hotline sends. Nothing that comes from outside can add a line: CR, LF and NUL in values become
//! spaces. Only [`Writer::copy`] lets line folding through, for what it copies was read line by line.

use std::fmt::{self, Write as _};
use std::net::SocketAddr;

use super::message::Message;
use super::name::Name;
use super::text;

/// Writes one message from the top down.
///
/// ```
/// use hotline::sip::{Name, write::Writer};
///
/// let mut answer = Writer::response(200, "OK");
/// answer.field(Name::CallId, "1@a.example").field(Name::CSeq, "7 BYE");
/// assert_eq!(answer.finish(None), b"SIP/2.0 200 OK\r\nCall-ID: 1@a.example\r\nCSeq: 7 BYE\r\nContent-Length: 0\r\n\r\n");
/// ```
#[derive(Debug)]
pub struct Writer {
    buf: Vec<u8>,
}

/// Room for an ordinary message, so that writing one allocates once.
const ORDINARY_BYTES: usize = 1024;

impl Writer {
    /// Begins a request.
    #[must_use]
    pub fn request(method: &str, uri: &str) -> Writer {
        let mut writer = Writer::with_buffer(Vec::with_capacity(ORDINARY_BYTES));
        writer.request_line(method, uri);
        writer
    }

    /// Begins a response; see [`reason_phrase`] for the usual phrase.
    #[must_use]
    pub fn response(code: u16, reason: &str) -> Writer {
        let mut writer = Writer::with_buffer(Vec::with_capacity(ORDINARY_BYTES));
        writer.status_line(code, reason);
        writer
    }

    /// Takes a used buffer, empties it, and waits for [`Self::request_line`] or [`Self::status_line`].
    #[must_use]
    pub fn with_buffer(mut buf: Vec<u8>) -> Writer {
        buf.clear();
        Writer { buf }
    }

    /// The request line. White space and control characters, which neither part may hold, are written as `%` escapes.
    pub fn request_line(&mut self, method: &str, uri: &str) -> &mut Self {
        debug_assert!(self.buf.is_empty(), "the request line comes first");
        self.push_word(method);
        self.buf.push(b' ');
        self.push_word(uri);
        self.buf.extend_from_slice(b" SIP/2.0\r\n");
        self
    }

    /// The status line.
    pub fn status_line(&mut self, code: u16, reason: &str) -> &mut Self {
        debug_assert!(self.buf.is_empty(), "the status line comes first");
        self.buf.extend_from_slice(b"SIP/2.0 ");
        self.buf.extend_from_slice(itoa::Buffer::new().format(code).as_bytes());
        self.buf.push(b' ');
        self.push_value(reason.as_bytes());
        self.end_line()
    }

    /// One header line. A [`Name::Other`] has no name to write: use [`Self::other`].
    pub fn field(&mut self, name: Name, value: impl AsRef<[u8]>) -> &mut Self {
        self.push_name(name);
        self.push_value(value.as_ref());
        self.end_line()
    }

    /// One header line with a name that [`Name`] does not list. Whatever is no token in it becomes a hyphen.
    pub fn other(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        self.push_other_name(name.as_bytes());
        self.push_value(value.as_ref());
        self.end_line()
    }

    /// One header line from its parts, one after the other.
    pub fn parts(&mut self, name: Name, parts: &[&str]) -> &mut Self {
        self.push_name(name);
        for part in parts {
            self.push_value(part.as_bytes());
        }
        self.end_line()
    }

    /// One header line with a whole number: Content-Length, Expires, Max-Forwards.
    pub fn number(&mut self, name: Name, number: impl Into<u64>) -> &mut Self {
        self.parts(name, &[itoa::Buffer::new().format(number.into())])
    }

    /// CSeq (RFC 3261 20.16).
    pub fn cseq(&mut self, number: u32, method: &str) -> &mut Self {
        self.parts(Name::CSeq, &[itoa::Buffer::new().format(number), " ", method])
    }

    /// One header line from a format, for what is seldom sent: `writer.fmt(Name::Contact, format_args!("<{uri}>;expires={left}"))`.
    pub fn fmt(&mut self, name: Name, args: fmt::Arguments<'_>) -> &mut Self {
        self.push_name(name);
        self.push_args(args);
        self.end_line()
    }

    /// Every line of a header, in order and as received, under its full name. With [`Name::Other`], every line that is not known.
    pub fn copy(&mut self, from: &Message<'_>, name: Name) -> &mut Self {
        for field in from.fields().filter(|field| field.name == name) {
            if name == Name::Other {
                self.push_other_name(field.raw_name);
            } else {
                self.push_name(name);
            }
            self.buf.extend_from_slice(field.value);
            self.end_line();
        }
        self
    }

    /// A To or From with this tag added to what stood there.
    pub(super) fn tagged(&mut self, name: Name, value: &[u8], tag: &str) -> &mut Self {
        self.push_name(name);
        self.push_value(value);
        self.buf.extend_from_slice(b";tag=");
        self.push_value(tag.as_bytes());
        self.end_line()
    }

    /// The bytes written so far.
    pub(super) fn written(&self) -> &[u8] {
        &self.buf
    }

    /// The lines written so far, to be added to a later message by [`Writer::lines`].
    pub(super) fn into_lines(self) -> Vec<u8> {
        self.buf
    }

    /// Adds header lines that were written before, each with its line end: a response repeats what its request said.
    pub(super) fn lines(&mut self, lines: &[u8]) -> &mut Self {
        self.buf.extend_from_slice(lines);
        self
    }

    /// The Vias of a response to `request`, the topmost noting where the request came from ([`Via::seen_from`](super::Via::seen_from)),
    /// one element a line. A topmost Via that cannot be read is copied as it is.
    pub fn copy_vias(&mut self, request: &Message<'_>, source: SocketAddr) -> &mut Self {
        for (index, element) in request.list(Name::Via).enumerate() {
            match request.top_via() {
                Ok(top) if index == 0 => self.field(Name::Via, top.seen_from(source)),
                _ => self.field(Name::Via, text::unfold(element)),
            };
        }
        self
    }

    /// Ends the head and adds the body: its media type and its bytes. Content-Length is always written, for streams need it.
    #[must_use]
    pub fn finish(mut self, body: Option<(&str, &[u8])>) -> Vec<u8> {
        let (media_type, body) = body.unwrap_or_default();
        if !media_type.is_empty() {
            self.field(Name::ContentType, media_type);
        }
        self.number(Name::ContentLength, body.len() as u64);
        self.buf.extend_from_slice(b"\r\n");
        self.buf.extend_from_slice(body);
        self.buf
    }

    fn push_name(&mut self, name: Name) {
        debug_assert!(name != Name::Other, "Writer::other writes names that are not listed");
        let name = if name == Name::Other { "X-Unnamed" } else { name.full() };
        self.buf.extend_from_slice(name.as_bytes());
        self.buf.extend_from_slice(b": ");
    }

    fn push_other_name(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.buf.push(b'-');
        }
        self.buf.extend(name.iter().map(|b| if text::is_token(&[*b]) { *b } else { b'-' }));
        self.buf.extend_from_slice(b": ");
    }

    fn push_value(&mut self, value: &[u8]) {
        if memchr::memchr3(b'\r', b'\n', 0, value).is_none() {
            self.buf.extend_from_slice(value);
        } else {
            self.buf.extend(value.iter().map(|b| if matches!(b, b'\r' | b'\n' | 0) { b' ' } else { *b }));
        }
    }

    fn push_word(&mut self, word: &str) {
        for byte in word.bytes() {
            if byte <= b' ' || byte == 0x7f {
                self.push_args(format_args!("%{byte:02X}"));
            } else {
                self.buf.push(byte);
            }
        }
    }

    fn push_args(&mut self, args: fmt::Arguments<'_>) {
        // Values of our own types only: their formatting fails never, and a line cut short is still a line.
        let _ = Values(self).write_fmt(args);
    }

    fn end_line(&mut self) -> &mut Self {
        self.buf.extend_from_slice(b"\r\n");
        self
    }
}

/// Lets `format_args!` write through the same filter as every other value.
struct Values<'w>(&'w mut Writer);

impl fmt::Write for Values<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_value(text.as_bytes());
        Ok(())
    }
}

/// The usual reason phrase of a status code (RFC 3261 21 and the RFCs of extensions); its class's for a code that is not listed.
#[must_use]
pub fn reason_phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        429 => "Provide Referrer Identity",
        430 => "Flow Failed",
        439 => "First Hop Lacks Outbound Support",
        469 => "Bad Info Package",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        _ => match code / 100 {
            0 | 1 => "Progress",
            2 => "OK",
            3 => "Redirect",
            4 => "Bad Request",
            5 => "Server Error",
            _ => "Failure",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_adds_a_line() {
        let evil = "x\r\nVia: SIP/2.0/UDP evil\r\n\r\nbody\0";
        let mut writer = Writer::request(evil, evil);
        writer.field(Name::Subject, evil).other(evil, evil).fmt(Name::Reason, format_args!("{evil}"));
        let bytes = writer.finish(Some((evil, b"v=0")));
        let message = Message::read(&bytes).unwrap_err();
        // The start line is no method's any more; in a response everything reads back.
        assert_eq!(message.fault, super::super::Fault::StartLine);
        let mut writer = Writer::response(200, evil);
        writer.field(Name::Subject, evil).other(evil, evil).fmt(Name::Reason, format_args!("{evil}"));
        writer.parts(Name::Route, &["<", evil, ">"]).cseq(7, evil).number(Name::Expires, 3_600u16);
        let bytes = writer.finish(Some((evil, b"v=0")));
        let message = Message::read(&bytes).unwrap();
        assert_eq!(message.fields().count(), 8);
        assert_eq!(message.get(Name::Expires), Some(&b"3600"[..]));
        assert!(message.get(Name::Via).is_none());
        assert_eq!(message.body, b"v=0");
    }

    #[test]
    fn copies_keep_order_folding_and_encoding() {
        let text =
            b"BYE sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP a;branch=1\r\n , SIP/2.0/UDP b\r\nX-Odd: \xff\r\nVIA : SIP/2.0/TCP c\r\n\r\n";
        let request = Message::read(text).unwrap();
        let mut writer = Writer::response(481, reason_phrase(481));
        writer.copy(&request, Name::Via).copy(&request, Name::Other).copy(&request, Name::To);
        assert_eq!(
            writer.finish(None),
            b"SIP/2.0 481 Call/Transaction Does Not Exist\r\nVia: SIP/2.0/UDP a;branch=1\r\n , SIP/2.0/UDP b\r\n\
              Via: SIP/2.0/TCP c\r\nX-Odd: \xff\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn the_topmost_via_notes_where_the_request_came_from() {
        let text = b"BYE sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP a;rport ,\r\n SIP/2.0/UDP b\r\nVia: SIP/2.0/TCP c;\r\n x\r\n\r\n";
        let mut writer = Writer::response(200, "OK");
        writer.copy_vias(&Message::read(text).unwrap(), "192.0.2.7:6060".parse().unwrap());
        assert_eq!(
            writer.finish(None),
            b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;received=192.0.2.7;rport=6060\r\nVia: SIP/2.0/UDP b\r\n\
              Via: SIP/2.0/TCP c; x\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn a_used_buffer_serves_again() {
        let buf = Writer::request("OPTIONS", "sip:a").finish(None);
        let place = buf.as_ptr();
        let mut writer = Writer::with_buffer(buf);
        writer.request_line("BYE", "sip:b");
        let bytes = writer.finish(None);
        assert_eq!(bytes, b"BYE sip:b SIP/2.0\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(bytes.as_ptr(), place);
    }

    #[test]
    fn every_code_has_a_phrase() {
        for code in 100..700 {
            assert!(!reason_phrase(code).is_empty());
        }
    }
}
