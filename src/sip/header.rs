//! Small typed header values, made when asked for: CSeq (RFC 3261 20.16), media types (20.15), and `value;params` in general.
//!
//! Owns their grammar; the larger ones have files of their own ([`super::name_addr`], [`super::via`]).

use super::method::Method;
use super::name::Name;
use super::params::Params;
use super::text;

/// Why a header has no typed value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeaderError {
    /// The header is missing.
    #[error("no {0}")]
    Missing(Name),
    /// The header is malformed.
    #[error("malformed {0}")]
    Malformed(Name),
}

/// CSeq: the order of a request in its dialog, and the request's method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CSeq<'a> {
    /// Below 2^31 (RFC 3261 8.1.1.5).
    pub number: u32,
    /// The method of the request, in responses too.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// From a CSeq header's value. `None` if it is malformed or the number is 2^31 or more.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<CSeq<'a>> {
        let space = value.iter().position(|b| text::is_space(*b))?;
        let number = text::number(&value[..space]).filter(|number| *number < 1 << 31)?;
        Some(CSeq { number: number as u32, method: Method::from_bytes(text::trim(&value[space..]))? })
    }
}

/// A media type with its parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MediaType<'a> {
    /// Before the slash, as written.
    pub type_: &'a str,
    /// After the slash, as written.
    pub subtype: &'a str,
    /// `boundary`, `charset` and the like.
    pub params: Params<'a>,
}

impl<'a> MediaType<'a> {
    /// From a Content-Type's value or an element of Accept. `None` if it is malformed.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<MediaType<'a>> {
        let (media, params) = split_params(value)?;
        let slash = memchr::memchr(b'/', media)?;
        let (type_, subtype) = (text::trim(&media[..slash]), text::trim(&media[slash + 1..]));
        if !text::is_token(type_) || !text::is_token(subtype) {
            return None;
        }
        Some(MediaType { type_: str::from_utf8(type_).ok()?, subtype: str::from_utf8(subtype).ok()?, params })
    }

    /// Whether it is this type, in any case: `is("application", "sdp")`.
    #[must_use]
    pub fn is(&self, type_: &str, subtype: &str) -> bool {
        self.type_.eq_ignore_ascii_case(type_) && self.subtype.eq_ignore_ascii_case(subtype)
    }
}

/// A value followed by parameters: Event, Subscription-State, Session-Expires, Replaces, Reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Valued<'a> {
    /// What stands before the first semicolon, trimmed.
    pub value: &'a str,
    /// The parameters after it.
    pub params: Params<'a>,
}

impl<'a> Valued<'a> {
    /// From a header's value, or one element of its list. `None` if it is empty or malformed.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Valued<'a>> {
        let (value, params) = split_params(value)?;
        let value = str::from_utf8(value).ok().filter(|value| !value.is_empty())?;
        Some(Valued { value, params })
    }

    /// The value as a number of seconds (RFC 3261 25.1 `delta-seconds`), a comment after it left out (Retry-After may have one).
    #[must_use]
    pub fn seconds(&self) -> Option<u32> {
        let digits = self.value.split(|c: char| c == '(' || c.is_ascii_whitespace()).next()?;
        text::number(digits.as_bytes()).and_then(|number| u32::try_from(number).ok())
    }
}

/// Splits `value;params`, both trimmed.
fn split_params(value: &[u8]) -> Option<(&[u8], Params<'_>)> {
    let semicolon = memchr::memchr(b';', value).unwrap_or(value.len());
    Some((text::trim(&value[..semicolon]), Params::parse(&value[semicolon..])?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cseq() {
        let cseq = CSeq::parse(b"0009\r\n  INVITE").unwrap();
        assert_eq!((cseq.number, cseq.method), (9, Method::Invite));
        assert_eq!(CSeq::parse(b"2147483647 ACK").unwrap().number, 2_147_483_647);
        for bad in ["", "1", "INVITE", "1 ", "1INVITE", "2147483648 ACK", "36893488147419103232 REGISTER", "-1 ACK", "1 A B"] {
            assert_eq!(CSeq::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn media_types() {
        let mixed = MediaType::parse(b"Multipart / mixed ; boundary=\"a;b\"").unwrap();
        assert!(mixed.is("multipart", "MIXED"));
        assert_eq!(mixed.params.value("boundary"), Some("a;b"));
        assert_eq!(MediaType::parse(b"application"), None);
        assert_eq!(MediaType::parse(b"a/b/c"), None);
    }

    #[test]
    fn values_with_parameters() {
        let expires = Valued::parse(b"1800;refresher=uac").unwrap();
        assert_eq!((expires.seconds(), expires.params.value("refresher")), (Some(1800), Some("uac")));
        assert_eq!(Valued::parse(b"18000 (In a meeting);duration=3600").unwrap().seconds(), Some(18000));
        assert_eq!(Valued::parse(b"949302838503028349304023988").unwrap().seconds(), None);
        assert_eq!(Valued::parse(b";x"), None);
    }
}
