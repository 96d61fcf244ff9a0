//! Request methods (RFC 3261 7.1 and the RFCs of the extensions).
//!
//! Owns their spelling. Methods are case-sensitive; one that is not listed is kept as it is written, so that it can be answered 501.

use std::fmt;

use super::text;

/// A request's method.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Method<'a> {
    /// RFC 3261 13: begins or changes a session.
    Invite,
    /// RFC 3261 13.2.2.4 and 17.1.1.3: acknowledges the final response to an INVITE.
    Ack,
    /// RFC 3261 15: ends a session.
    Bye,
    /// RFC 3261 9: gives up a request that is not answered yet.
    Cancel,
    /// RFC 3261 11: asks what the other side can do.
    Options,
    /// RFC 3261 10: says where a user is.
    Register,
    /// RFC 3515: asks the other side to call somebody.
    Refer,
    /// RFC 6665: reports an event.
    Notify,
    /// RFC 6086: carries something within a session, here keys pressed.
    Info,
    /// RFC 3311: changes a session before it is answered, or refreshes it.
    Update,
    /// RFC 3262: acknowledges a reliable provisional response.
    Prack,
    /// RFC 6665: asks for events.
    Subscribe,
    /// RFC 3428: a text message.
    Message,
    /// RFC 3903: publishes event state.
    Publish,
    /// Any other, as written.
    Other(&'a str),
}

impl<'a> Method<'a> {
    /// The method that these bytes write; `None` if they are no token (RFC 3261 25.1).
    #[must_use]
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Method<'a>> {
        Some(match bytes {
            b"INVITE" => Method::Invite,
            b"ACK" => Method::Ack,
            b"BYE" => Method::Bye,
            b"CANCEL" => Method::Cancel,
            b"OPTIONS" => Method::Options,
            b"REGISTER" => Method::Register,
            b"REFER" => Method::Refer,
            b"NOTIFY" => Method::Notify,
            b"INFO" => Method::Info,
            b"UPDATE" => Method::Update,
            b"PRACK" => Method::Prack,
            b"SUBSCRIBE" => Method::Subscribe,
            b"MESSAGE" => Method::Message,
            b"PUBLISH" => Method::Publish,
            other if text::is_token(other) => Method::Other(str::from_utf8(other).ok()?),
            _ => return None,
        })
    }

    /// The method as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        match self {
            Method::Invite => "INVITE",
            Method::Ack => "ACK",
            Method::Bye => "BYE",
            Method::Cancel => "CANCEL",
            Method::Options => "OPTIONS",
            Method::Register => "REGISTER",
            Method::Refer => "REFER",
            Method::Notify => "NOTIFY",
            Method::Info => "INFO",
            Method::Update => "UPDATE",
            Method::Prack => "PRACK",
            Method::Subscribe => "SUBSCRIBE",
            Method::Message => "MESSAGE",
            Method::Publish => "PUBLISH",
            Method::Other(method) => method,
        }
    }
}

impl fmt::Display for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written() {
        for text in ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "REFER", "NOTIFY", "INFO", "UPDATE"] {
            let method = Method::from_bytes(text.as_bytes()).unwrap();
            assert_eq!(method.as_str(), text);
            assert!(!matches!(method, Method::Other(_)));
        }
        for text in ["PRACK", "SUBSCRIBE", "MESSAGE", "PUBLISH"] {
            assert_eq!(Method::from_bytes(text.as_bytes()).unwrap().as_str(), text);
        }
    }

    #[test]
    fn case_matters_and_tokens_only() {
        assert_eq!(Method::from_bytes(b"invite"), Some(Method::Other("invite")));
        assert_eq!(Method::from_bytes(b"RE%47IST%45R"), Some(Method::Other("RE%47IST%45R")));
        assert_eq!(Method::from_bytes(b""), None);
        assert_eq!(Method::from_bytes(b"IN VITE"), None);
        assert_eq!(Method::from_bytes("INVITÉ".as_bytes()), None);
    }
}
