//! How single values are written: addresses, prefixes, ports, names. Pure functions; each `Err` says what to
//! write instead.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use super::spell;
use crate::base::words::Transport;
use crate::call::trunk::Prefix;
use crate::engine::settings::FixedContact;

/// SIP's port.
const SIP_PORT: u16 = 5060;
/// The longest name.
const NAME_MAX: usize = 64;

/// One of a few keywords.
pub(super) fn word<T: Copy>(text: &str, words: &[(&'static str, T)]) -> Result<T, String> {
    let names = || words.iter().map(|(name, _)| *name);
    words.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| match spell::nearest(text, names()) {
        Some(meant) => format!("write {meant:?} instead"),
        None => format!("write one of: {}", listed(names())),
    })
}

/// Keywords in a row, for a remedy; not too many.
pub(super) fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 24;
    let words: BTreeSet<&str> = words.collect();
    let more = if words.len() > SHOWN { format!(" and {} more", words.len() - SHOWN) } else { String::new() };
    words.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ") + &more
}

/// A key as TOML writes it.
pub(super) fn key(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if bare { key.to_owned() } else { format!("{key:?}") }
}

/// A name. It appears in metrics, logs and the API, and those of agents and queues in SIP addresses.
pub(super) fn name(text: &str) -> Result<&str, String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if text.is_empty() || text.len() > NAME_MAX || !text.bytes().all(good) {
        return Err(format!("write 1 to {NAME_MAX} letters, digits, '-', '_' or '.' of ASCII, such as \"water-works\""));
    }
    Ok(text)
}

/// A host name, an IPv4 address, or an IPv6 address in brackets: the host part of a SIP address.
pub(super) fn host(text: &str) -> Result<&str, String> {
    let address = text.parse::<Ipv4Addr>().is_ok();
    let bracketed =
        text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok());
    let label = |label: &str| {
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(good) && !label.starts_with('-') && !label.ends_with('-')
    };
    let name = text.len() <= 253 && text.split('.').all(label) && text.contains(|c: char| c.is_ascii_alphabetic());
    if address || bracketed || name {
        Ok(text)
    } else {
        Err("write a host name such as \"hotline.example\", or an IP address (IPv6 in brackets)".to_owned())
    }
}

/// A transport that is supported.
pub(super) fn transport(text: &str) -> Result<Transport, String> {
    match Transport::from_label(text) {
        Some(transport @ (Transport::Udp | Transport::Tcp)) => Ok(transport),
        Some(later) => Err(format!("{later} is not opened by this version: write udp or tcp")),
        None => Err("write udp or tcp".to_owned()),
    }
}

/// `udp:127.0.0.1:5060`, `tcp:[::1]:5060`; the port may be left out.
pub(super) fn listener(text: &str) -> Result<(Transport, SocketAddr), String> {
    let (transport_name, address) =
        text.split_once(':').ok_or("write transport and address, such as \"udp:127.0.0.1:5060\"".to_owned())?;
    Ok((transport(transport_name)?, socket_address(address, SIP_PORT)?))
}

/// `127.0.0.1:5060`, `[::1]:5060`, or the address alone.
pub(super) fn socket_address(text: &str, port: u16) -> Result<SocketAddr, String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    text.parse::<SocketAddr>().or_else(|_| bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port))).map_err(|_| {
        format!("write an IP address and port such as \"127.0.0.1:{port}\" or \"[::1]:{port}\": host names are not looked up")
    })
}

/// An IP address.
pub(super) fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "write an IP address such as \"127.0.0.1\": host names are not looked up".to_owned())
}

/// `203.0.113.0/24`, or a single address.
pub(super) fn prefix(text: &str) -> Result<Prefix, String> {
    let remedy = || "write an address or a prefix, such as \"203.0.113.7\" or \"203.0.113.0/24\"".to_owned();
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| remedy())?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| remedy())?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(width);
    if bits > width {
        return Err(format!("write at most /{width}"));
    }
    let network = network(address, bits);
    if network != address {
        return Err(format!("write \"{network}/{bits}\", or \"{address}\" for the one address"));
    }
    Ok(Prefix { address, bits })
}

fn network(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(ip) => IpAddr::from((ip.to_bits() & u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)).to_be_bytes()),
        IpAddr::V6(ip) => IpAddr::from((ip.to_bits() & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)).to_be_bytes()),
    }
}

/// `20000-29999`: pairs of an even port for RTP and the next for RTCP.
pub(super) fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let remedy = || "write the first and the last port, such as \"20000-29999\"".to_owned();
    let (first, last) = text.split_once('-').ok_or_else(remedy)?;
    let first: u16 = first.trim().parse().map_err(|_| remedy())?;
    let last: u16 = last.trim().parse().map_err(|_| remedy())?;
    if first > last {
        return Err(format!("write the lower port first: \"{last}-{first}\""));
    }
    if first < 1024 {
        return Err("begin at 1024 or above: those below belong to the system".to_owned());
    }
    let (even, odd) = (first & !1, last | 1);
    if (first, last) != (even, odd) {
        return Err(format!("begin at an even port, for RTP, and end at an odd one, for RTCP: \"{even}-{odd}\""));
    }
    Ok(first..=last)
}

/// `sip:name@192.0.2.7:5060;transport=tcp`: a phone that never registers.
pub(super) fn fixed_contact(text: &str) -> Result<FixedContact, String> {
    let example = "write a SIP address with an IP address as host, such as \"sip:desk@192.0.2.7:5060\"";
    FixedContact::at(text).map_err(|error| format!("{example}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_have_no_bits_beyond_their_length() {
        assert_eq!(prefix("203.0.113.0/24"), Ok(Prefix { address: [203, 0, 113, 0].into(), bits: 24 }));
        assert_eq!(prefix("::1").map(|p| p.bits), Ok(128));
        assert_eq!(prefix("0.0.0.0/0").map(|p| p.bits), Ok(0));
        assert!(prefix("203.0.113.5/24").unwrap_err().contains("203.0.113.0/24"));
        assert!(prefix("203.0.113.0/33").unwrap_err().contains("/32"));
        assert!(prefix("carrier.example").is_err());
    }

    #[test]
    fn ports_come_in_pairs() {
        assert_eq!(ports("20000-29999"), Ok(20_000..=29_999));
        for text in ["20001-29999", "20000-30000", "29999-20000", "20000", "20000-70000", "80-99"] {
            assert!(ports(text).is_err(), "{text}");
        }
        assert!(ports("20000-65535").is_ok());
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for text in ["hotline.example", "localhost", "192.0.2.7", "[2001:db8::1]", "a-b.c1"] {
            assert_eq!(host(text), Ok(text));
        }
        for text in ["", "a..b", "-a.example", "sip:a", "a b", "::1", "192.0.2", "a.example:5060", "a_b"] {
            assert!(host(text).is_err(), "{text}");
        }
    }
}
