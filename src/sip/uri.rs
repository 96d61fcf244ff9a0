//! SIP, SIPS and tel URIs (RFC 3261 19.1, RFC 3966); any other scheme is kept raw.
//!
//! Owns splitting, validation and comparison. Resolves nothing and normalises no number. Everything is a slice of what was received.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

use super::params::Params;
use super::text::{self, hex_digit, unescape_percent};

/// A URI's scheme, compared without case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme<'a> {
    /// `sip:`
    Sip,
    /// `sips:`: every hop under TLS.
    Sips,
    /// `tel:`, RFC 3966.
    Tel,
    /// Any other, as written.
    Other(&'a str),
}

/// What is wrong with a URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UriError {
    /// No scheme, or one that is not a letter followed by letters, digits, `+`, `-`, `.`.
    #[error("no valid URI scheme")]
    Scheme,
    /// White space, a control character, a quote or an angle bracket.
    #[error("a character that no URI may hold")]
    Character,
    /// A `%` that two hexadecimal digits do not follow, in the user part.
    #[error("a broken % escape")]
    Escape,
    /// An empty user part or telephone number.
    #[error("an empty user part")]
    User,
    /// An empty or malformed host.
    #[error("a malformed host")]
    Host,
    /// A port that is no number from 1 to 65535.
    #[error("a malformed port")]
    Port,
    /// Malformed parameters.
    #[error("malformed URI parameters")]
    Params,
}

/// A URI, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Uri<'a> {
    raw: &'a str,
    /// The scheme.
    pub scheme: Scheme<'a>,
    /// The user part, still escaped; a tel URI's number.
    pub user: Option<&'a str>,
    /// The password (deprecated), still escaped.
    pub password: Option<&'a str>,
    /// A host name, an IPv4 address, or an IPv6 address without its brackets. Empty for tel and other schemes.
    pub host: &'a str,
    /// The port, if written.
    pub port: Option<u16>,
    /// The URI's own parameters.
    pub params: Params<'a>,
    /// The headers after `?`, still escaped; empty if there are none.
    pub headers: &'a str,
}

impl<'a> Uri<'a> {
    /// Takes a URI apart.
    ///
    /// # Errors
    /// See [`UriError`]. Characters that should have been escaped but mislead nobody (a `#` that a phone dialled) are let pass.
    pub fn parse(raw: &'a str) -> Result<Uri<'a>, UriError> {
        if raw.bytes().any(|b| b <= b' ' || matches!(b, b'"' | b'<' | b'>' | 0x7f)) {
            return Err(if raw.starts_with('<') { UriError::Scheme } else { UriError::Character });
        }
        let (scheme, rest) = cut(raw, b':').ok_or(UriError::Scheme)?;
        let bytes = scheme.as_bytes();
        if !bytes.first().is_some_and(u8::is_ascii_alphabetic)
            || !bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        {
            return Err(UriError::Scheme);
        }
        if scheme.eq_ignore_ascii_case("sip") {
            Uri::parse_sip(raw, Scheme::Sip, rest)
        } else if scheme.eq_ignore_ascii_case("sips") {
            Uri::parse_sip(raw, Scheme::Sips, rest)
        } else if scheme.eq_ignore_ascii_case("tel") {
            Uri::parse_tel(raw, rest)
        } else {
            Ok(Uri::bare(raw, Scheme::Other(scheme)))
        }
    }

    fn bare(raw: &'a str, scheme: Scheme<'a>) -> Uri<'a> {
        Uri { raw, scheme, user: None, password: None, host: "", port: None, params: Params::default(), headers: "" }
    }

    fn parse_sip(raw: &'a str, scheme: Scheme<'a>, rest: &'a str) -> Result<Uri<'a>, UriError> {
        let mut uri = Uri::bare(raw, scheme);
        // A user part may hold `;`, `?` and `/`, so the @ is looked for first; no part after it may hold an unescaped one but
        // headers, where careless senders of Refer-To put Call-IDs.
        let rest = match cut(rest, b'@') {
            Some((userinfo, rest)) => {
                let (user, password) = match cut(userinfo, b':') {
                    Some((user, password)) => (user, Some(password)),
                    None => (userinfo, None),
                };
                if user.is_empty() {
                    return Err(UriError::User);
                }
                if !escapes_are_whole(userinfo) {
                    return Err(UriError::Escape);
                }
                (uri.user, uri.password) = (Some(user), password);
                rest
            }
            None => rest,
        };
        let (rest, headers) = cut(rest, b'?').unwrap_or((rest, ""));
        uri.headers = headers;
        let (hostport, params) = rest.split_at(rest.bytes().position(|b| b == b';').unwrap_or(rest.len()));
        uri.params = Params::parse(params.as_bytes()).ok_or(UriError::Params)?;
        (uri.host, uri.port) = split_host_port(hostport)?;
        Ok(uri)
    }

    fn parse_tel(raw: &'a str, rest: &'a str) -> Result<Uri<'a>, UriError> {
        let mut uri = Uri::bare(raw, Scheme::Tel);
        let (number, params) = rest.split_at(rest.bytes().position(|b| b == b';').unwrap_or(rest.len()));
        if number.is_empty() {
            return Err(UriError::User);
        }
        if !number.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'+' | b'*' | b'#' | b'-' | b'.' | b'(' | b')')) {
            return Err(UriError::Character);
        }
        uri.user = Some(number);
        uri.params = Params::parse(params.as_bytes()).ok_or(UriError::Params)?;
        Ok(uri)
    }

    /// The whole URI as received.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// The user part with its escapes undone; empty if there is none.
    #[must_use]
    pub fn user_unescaped(&self) -> Cow<'a, str> {
        unescape_percent(self.user.unwrap_or_default())
    }

    /// A URI parameter, its name and value unescaped: `None` if absent, `Some(None)` if it has no value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<Cow<'a, str>>> {
        let (_, value) = self.params.iter().find(|(candidate, _)| unescape_percent(candidate).eq_ignore_ascii_case(name))?;
        Some(value.map(unescape_percent))
    }

    /// The first header after `?` of this name, unescaped: the Replaces of a Refer-To (RFC 3891 7.2), for one.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'a, str>> {
        self.headers_iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The headers after `?` in order, names and values unescaped.
    pub fn headers_iter(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        self.headers.split('&').filter(|one| !one.is_empty()).map(|one| {
            let (name, value) = cut(one, b'=').unwrap_or((one, ""));
            (unescape_percent(name), unescape_percent(value))
        })
    }

    /// Whether two URIs are equivalent by RFC 3261 19.1.4; tel URIs by RFC 3966 4 (visual separators ignored); others letter by letter.
    #[must_use]
    pub fn same_as(&self, other: &Uri<'_>) -> bool {
        match (self.scheme, other.scheme) {
            (Scheme::Sip, Scheme::Sip) | (Scheme::Sips, Scheme::Sips) => {
                same_escaped(self.user, other.user)
                    && same_escaped(self.password, other.password)
                    && same_host(self.host, other.host)
                    && self.port == other.port
                    && self.params_agree(other)
                    && other.params_agree(self)
                    && self.headers_within(other)
                    && other.headers_within(self)
            }
            (Scheme::Tel, Scheme::Tel) => {
                digits(self.user).eq(digits(other.user)) && self.params_within(other) && other.params_within(self)
            }
            (Scheme::Other(_), Scheme::Other(_)) => self.raw == other.raw,
            _ => false,
        }
    }

    /// Every parameter of ours agrees with a namesake; those that decide where a request goes must have one.
    fn params_agree(&self, other: &Uri<'_>) -> bool {
        const NEVER_IMPLIED: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
        self.params.iter().all(|(name, value)| {
            let name = unescape_percent(name);
            let mut namesakes =
                other.params.iter().filter(|(theirs, _)| unescape_percent(theirs).eq_ignore_ascii_case(&name)).peekable();
            if namesakes.peek().is_none() {
                return !NEVER_IMPLIED.iter().any(|never| name.eq_ignore_ascii_case(never));
            }
            namesakes.any(|(_, theirs)| same_value(value, theirs))
        })
    }

    fn params_within(&self, other: &Uri<'_>) -> bool {
        self.params.iter().all(|(name, value)| {
            other.params.iter().any(|(theirs, other)| theirs.eq_ignore_ascii_case(name) && same_value(value, other))
        })
    }

    fn headers_within(&self, other: &Uri<'_>) -> bool {
        self.headers_iter()
            .all(|(name, value)| other.headers_iter().any(|(theirs, other)| theirs.eq_ignore_ascii_case(&name) && other == value))
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.raw)
    }
}

/// `host`, `host:port`, `[IPv6]`, `[IPv6]:port`; the IPv6 address loses its brackets.
pub(super) fn split_host_port(hostport: &str) -> Result<(&str, Option<u16>), UriError> {
    let (host, port) = if let Some(inside) = hostport.strip_prefix('[') {
        let (host, after) = cut(inside, b']').ok_or(UriError::Host)?;
        host.parse::<Ipv6Addr>().map_err(|_| UriError::Host)?;
        let port = if after.trim().is_empty() { None } else { Some(after.trim_start().strip_prefix(':').ok_or(UriError::Host)?) };
        (host, port)
    } else {
        let (host, port) = cut(hostport, b':').map_or((hostport, None), |(host, port)| (host, Some(port)));
        let host = host.trim_end();
        // An underscore is not a host name's, but stands in too many to lose calls over.
        if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')) {
            return Err(UriError::Host);
        }
        (host, port)
    };
    let port = match port {
        Some(port) => Some(
            text::number(text::trim(port.as_bytes()))
                .and_then(|port| u16::try_from(port).ok())
                .filter(|port| *port > 0)
                .ok_or(UriError::Port)?,
        ),
        None => None,
    };
    Ok((host, port))
}

/// `split_once` for an ASCII byte: a URI's parts are short, and a plain loop beats the general search.
fn cut(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|b| b == byte)?;
    Some((&text[..at], &text[at + 1..]))
}

fn escapes_are_whole(text: &str) -> bool {
    text.as_bytes().split(|b| *b == b'%').skip(1).all(|after| {
        let [high, low, ..] = after else { return false };
        hex_digit(*high).is_some() && hex_digit(*low).is_some()
    })
}

fn same_escaped(one: Option<&str>, other: Option<&str>) -> bool {
    one.map(unescape_percent) == other.map(unescape_percent)
}

fn same_value(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => unescape_percent(one).eq_ignore_ascii_case(&unescape_percent(other)),
        _ => false,
    }
}

/// Whether two hosts are the same: names without case, IPv6 addresses by value.
fn same_host(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || matches!((one.parse::<Ipv6Addr>(), other.parse::<Ipv6Addr>()), (Ok(one), Ok(other)) if one == other)
}

fn digits(number: Option<&str>) -> impl Iterator<Item = u8> {
    number.unwrap_or_default().bytes().filter(|b| !matches!(b, b'-' | b'.' | b'(' | b')')).map(|b| b.to_ascii_lowercase())
}

#[cfg(test)]
#[path = "uri_tests.rs"]
mod tests;
