//! Via (RFC 3261 20.42, 18.2; rport: RFC 3581).
//!
//! Owns the grammar of one Via element. Where a response goes is decided elsewhere.

use std::borrow::Cow;
use std::net::SocketAddr;

use super::params::Params;
use super::text;
use super::uri::split_host_port;

/// One hop of the way that responses take back.
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    raw: &'a [u8],
    /// `UDP`, `TCP`, …, as written; compare without case.
    pub transport: &'a str,
    /// The sent-by host; an IPv6 address without its brackets.
    pub host: &'a str,
    /// The sent-by port, if written.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport`, …
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// From one element of a Via header. `None` if it is malformed. White space may stand around each slash and colon.
    #[must_use]
    pub fn parse(element: &'a [u8]) -> Option<Via<'a>> {
        let raw = text::trim(element);
        let (protocol, rest) = split_at_byte(raw, b'/')?;
        let (version, rest) = split_at_byte(rest, b'/')?;
        if !protocol.eq_ignore_ascii_case(b"SIP") || !text::is_token(version) {
            return None;
        }
        let rest = text::trim_start(rest);
        let space = rest.iter().position(|b| text::is_space(*b))?;
        let (transport, rest) = rest.split_at(space);
        if !text::is_token(transport) {
            return None;
        }
        let semicolon = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let sent_by = str::from_utf8(text::trim(&rest[..semicolon])).ok()?;
        let (host, port) = split_host_port(sent_by).ok()?;
        let params = Params::parse(&rest[semicolon..])?;
        Some(Via { raw, transport: str::from_utf8(transport).ok()?, host, port, params })
    }

    /// The element as received, trimmed.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The transaction's identifier; one of RFC 3261's kind begins with `z9hG4bK`.
    #[must_use]
    pub fn branch(&self) -> Option<&'a str> {
        self.params.value("branch")
    }

    /// The address that the next hop saw the request come from, brackets of IPv6 taken off.
    #[must_use]
    pub fn received(&self) -> Option<&'a str> {
        self.params.value("received").map(without_brackets)
    }

    /// RFC 3581: `None` without the parameter, `Some(None)` where the sender asks for it, `Some(Some(port))` where it was filled in.
    /// A value that is no port counts as asked for.
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(|port| port.and_then(|port| port.parse().ok()).filter(|port| *port > 0))
    }

    /// Where responses go instead of sent-by (multicast), brackets of IPv6 taken off.
    #[must_use]
    pub fn maddr(&self) -> Option<&'a str> {
        self.params.value("maddr").map(without_brackets)
    }

    /// This element as its receiver notes where it came from: `received` where sent-by is not that address (RFC 3261 18.2.1), and, where
    /// `rport` asks for it, both `received` and `rport` (RFC 3581 4). What the sender claimed in either's place is dropped.
    #[must_use]
    pub fn seen_from(&self, source: SocketAddr) -> Cow<'a, [u8]> {
        let address = source.ip().to_canonical();
        let told = self.host.parse() == Ok(address);
        if told && !self.params.has("rport") && !self.params.has("received") {
            return text::unfold(self.raw);
        }
        let before = memchr::memchr(b';', self.raw).unwrap_or(self.raw.len());
        let mut out = text::unfold(text::trim(&self.raw[..before])).into_owned();
        for one in self.params.iter_written() {
            let name = one.split(|b| *b == b'=').next().map(text::trim).unwrap_or_default();
            if !name.eq_ignore_ascii_case(b"received") && !name.eq_ignore_ascii_case(b"rport") {
                out.push(b';');
                out.extend_from_slice(&text::unfold(one));
            }
        }
        let asked = self.rport().is_some();
        if asked || !told {
            out.extend_from_slice(format!(";received={address}").as_bytes());
        }
        if asked {
            out.extend_from_slice(format!(";rport={}", source.port()).as_bytes());
        }
        Cow::Owned(out)
    }

    /// The time to live of a multicast.
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        self.params.value("ttl")?.parse().ok()
    }
}

fn split_at_byte(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(byte, bytes)?;
    Some((text::trim(&bytes[..at]), &bytes[at + 1..]))
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_written_and_as_tortured() {
        let via = Via::parse(b"SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1;rport;received=192.0.2.9;ttl=1").unwrap();
        assert_eq!((via.transport, via.host, via.port), ("UDP", "192.0.2.1", Some(5062)));
        assert_eq!((via.branch(), via.rport(), via.received()), (Some("z9hG4bK1"), Some(None), Some("192.0.2.9")));
        assert_eq!((via.ttl(), via.maddr()), (Some(1), None));
        let via = Via::parse(b" SIP  /    2.0\r\n /TLS \r\n  Host.example : 5061  ;  branch\r\n  =  z9hG4bK2 ").unwrap();
        assert_eq!((via.transport, via.host, via.port, via.branch()), ("TLS", "Host.example", Some(5061), Some("z9hG4bK2")));
        let via = Via::parse(b"SIP/2.0/TCP [2001:db8::9:1]:5060;received=[2001:db8::9:255];rport=55555").unwrap();
        assert_eq!((via.host, via.port), ("2001:db8::9:1", Some(5060)));
        assert_eq!((via.received(), via.rport()), (Some("2001:db8::9:255"), Some(Some(55555))));
        assert_eq!(Via::parse(b"SIP/2.0/UDP h;received=2001:db8::1").unwrap().received(), Some("2001:db8::1"));
    }

    #[test]
    fn where_it_was_seen_from() {
        let seen = |via: &str, source: &str| {
            String::from_utf8(Via::parse(via.as_bytes()).unwrap().seen_from(source.parse().unwrap()).into_owned()).unwrap()
        };
        let same = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1";
        assert_eq!(seen(same, "192.0.2.1:5062"), same);
        assert_eq!(seen(same, "[::ffff:192.0.2.1]:5062"), same);
        assert_eq!(seen(same, "192.0.2.9:5060"), format!("{same};received=192.0.2.9"));
        assert_eq!(seen("SIP/2.0/TCP [2001:db8::1];x=\";\"", "[2001:db8::1]:5060"), "SIP/2.0/TCP [2001:db8::1];x=\";\"");
        assert_eq!(seen("SIP/2.0/UDP pc.example", "192.0.2.9:5060"), "SIP/2.0/UDP pc.example;received=192.0.2.9");
        assert_eq!(
            seen("SIP / 2.0/UDP 192.0.2.1\r\n ;rport; received=6.6.6.6 ;branch\r\n =1", "192.0.2.1:6000"),
            "SIP / 2.0/UDP 192.0.2.1;branch =1;received=192.0.2.1;rport=6000"
        );
        assert_eq!(
            seen("SIP/2.0/UDP 192.0.2.1;rport=7", "192.0.2.1:6000"),
            "SIP/2.0/UDP 192.0.2.1;received=192.0.2.1;rport=6000"
        );
    }

    #[test]
    fn what_is_refused() {
        for bad in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0 host",
            "HTTP/1.1/TCP host",
            "SIP/2.0/UDP 192.0.2.15;;",
            "SIP/2.0/UDP host:99999",
            "SIP/2.0/UDP ho st",
            "SIP/2.0/UDP 2001:db8::1",
            "SIP/2.0/UDP host;branch=a b",
        ] {
            assert!(Via::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
