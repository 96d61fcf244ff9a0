//! Cuts a stream (TCP, TLS) into messages (RFC 3261 18.3, 20.14) and finds keep-alives (RFC 5626 4.4.1).
//!
//! Owns the bytes between reads of a stream, within bounds. Where a message ends is decided by the `head` module alone, the rule of the
//! datagram reader too. It reads no header but Content-Length, and after an error gives no message any more: on a stream whose framing
//! is lost, every further byte is a guess.

use super::head::{self, Fault};

/// One item of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// One whole message, for [`Message::read`](super::Message::read).
    Message(Vec<u8>),
    /// A double CRLF between messages: answer with a single one (RFC 5626 3.5.1).
    Ping,
}

/// Why a stream cannot go on: close it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FramingError {
    /// The head alone is longer than a whole message may be.
    #[error("a message head longer than {max} bytes")]
    HeadTooLong {
        /// The bound.
        max: usize,
    },
    /// Head and body together are longer than a message may be.
    #[error("a message of {bytes} bytes, more than {max}")]
    MessageTooLong {
        /// The announced length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// No Content-Length, without which a stream has no message end (RFC 3261 20.14).
    #[error("no Content-Length on a stream")]
    NoLength,
    /// The head leaves the message's end in doubt.
    #[error("{0}")]
    Head(Fault),
}

/// Gathers a stream's bytes and gives messages.
///
/// Give it what was read with [`Self::push`], then take from [`Self::next`] until it gives `None`: then it never holds more than one
/// message's bound and one read. Its work is linear in the bytes, however they are cut.
#[derive(Debug)]
pub struct Framer {
    buf: Vec<u8>,
    /// Where the unread bytes begin in `buf`.
    start: usize,
    /// How many of the unread bytes were searched for the head's end in vain.
    searched: usize,
    /// The message's whole length, once its head is complete.
    wanted: Option<usize>,
    max: usize,
    failed: Option<FramingError>,
}

impl Framer {
    /// For messages of up to `max_message_bytes`, head and body together.
    #[must_use]
    pub fn new(max_message_bytes: usize) -> Framer {
        Framer { buf: Vec::new(), start: 0, searched: 0, wanted: None, max: max_message_bytes, failed: None }
    }

    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        // Moving the rest to the front costs no more than the bytes that were consumed before it.
        if self.start > 0 && self.start >= self.buf.len() - self.start {
            self.buf.drain(..self.start);
            self.start = 0;
        }
        self.buf.extend_from_slice(bytes);
    }

    /// The next message or keep-alive; `None` until more bytes come.
    ///
    /// # Errors
    /// When the stream's framing is lost or a bound is exceeded; the same error from then on.
    #[allow(clippy::should_implement_trait, reason = "it goes on after None, which an Iterator should not")]
    pub fn next(&mut self) -> Result<Option<Frame>, FramingError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let frame = self.frame();
        if let Err(error) = &frame {
            self.failed = Some(*error);
            self.buf = Vec::new();
        }
        frame
    }

    fn frame(&mut self) -> Result<Option<Frame>, FramingError> {
        let wanted = match self.wanted {
            Some(wanted) => wanted,
            None => {
                if self.searched == 0 && self.skip_line_ends() {
                    return Ok(Some(Frame::Ping));
                }
                let Some(wanted) = self.find_end()? else { return Ok(None) };
                wanted
            }
        };
        self.wanted = Some(wanted);
        let Some(message) = self.buf[self.start..].get(..wanted) else { return Ok(None) };
        let message = message.to_vec();
        self.consume(wanted);
        (self.searched, self.wanted) = (0, None);
        Ok(Some(Frame::Message(message)))
    }

    /// Skips what stands between messages: a single CRLF (the answer to our own ping, or an untidy peer); true at a double one.
    fn skip_line_ends(&mut self) -> bool {
        while let Some(after) = self.buf[self.start..].strip_prefix(b"\r\n") {
            match after {
                [b'\r', b'\n', ..] => {
                    self.consume(4);
                    return true;
                }
                // It may become a ping yet.
                [] | [b'\r'] => return false,
                _ => self.consume(2),
            }
        }
        false
    }

    fn find_end(&mut self) -> Result<Option<usize>, FramingError> {
        let unread = &self.buf[self.start..];
        let Some(head) = head::end(unread, self.searched) else {
            if unread.len() > self.max {
                return Err(FramingError::HeadTooLong { max: self.max });
            }
            // What may become a keep-alive yet is looked at again from its beginning.
            if !b"\r\n\r".starts_with(unread) {
                self.searched = unread.len();
            }
            return Ok(None);
        };
        if head > self.max {
            return Err(FramingError::HeadTooLong { max: self.max });
        }
        let body = head::body_length(&unread[..head]).map_err(FramingError::Head)?.ok_or(FramingError::NoLength)?;
        let bytes = head.saturating_add(body);
        if bytes > self.max {
            return Err(FramingError::MessageTooLong { bytes, max: self.max });
        }
        Ok(Some(bytes))
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        if self.start == self.buf.len() {
            self.buf.clear();
            self.start = 0;
        }
    }
}

#[cfg(test)]
#[path = "framer_tests.rs"]
mod tests;
