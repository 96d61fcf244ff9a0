//! Writes our descriptions (RFC 8866 5), as plainly as every phone and carrier reads them.

use std::fmt::Write;
use std::net::IpAddr;

use super::{Audio, Description, Direction, Encoding, Format, Formats, Other};
use crate::base::Codec;

/// The payload type that telephone-event is offered under where the peer has not chosen one: what nearly everyone uses.
const TELEPHONE_EVENT: u8 = 101;
/// The same beside Opus, whose clock needs one of its own (RFC 4733 2.1: the clock is that of the audio it goes with).
const TELEPHONE_EVENT_48000: u8 = 110;
/// The payload type that Opus is offered under where the peer has not chosen one.
const OPUS: u8 = 96;

/// What we say about ourselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Local {
    /// Where we receive, as the other side can reach it.
    pub address: IpAddr,
    /// The RTP port; RTCP is on the next.
    pub port: u16,
    /// The session id of `o=`; the same for as long as the dialog lives.
    pub session_id: u64,
    /// The version of `o=`; one more for each description that differs (RFC 3264 8).
    pub version: u64,
    /// What we would like; an answer gives no more than the offer allows.
    pub direction: Direction,
}

/// The formats of an offer: `codecs` in this order under our own payload types, and telephone-event for their clocks.
#[must_use]
pub fn formats(codecs: &[Codec]) -> Formats {
    build(codecs, None)
}

/// The same, but under the payload types and with the Opus parameters of `peer`'s description where it has them, so that what is relayed between
/// the two needs the least change.
#[must_use]
pub fn formats_like(codecs: &[Codec], peer: &Description) -> Formats {
    build(codecs, peer.audio.as_ref())
}

fn build(codecs: &[Codec], peer: Option<&Audio>) -> Formats {
    let mut formats = Formats::new();
    for codec in codecs {
        push(&mut formats, Encoding::Audio(*codec), codec.static_payload_type().unwrap_or(OPUS), peer);
    }
    if codecs.iter().any(|codec| codec.clock_rate_hz() == 8_000) {
        push(&mut formats, Encoding::TelephoneEvent(8_000), TELEPHONE_EVENT, peer);
    }
    if codecs.contains(&Codec::Opus) {
        push(&mut formats, Encoding::TelephoneEvent(48_000), TELEPHONE_EVENT_48000, peer);
    }
    formats
}

/// Adds one format: under its static payload type, or the peer's dynamic one, or `default`, or the first that is free.
fn push(formats: &mut Formats, encoding: Encoding, default: u8, peer: Option<&Audio>) {
    let theirs = peer.and_then(|peer| peer.formats.iter().find(|format| format.encoding == encoding));
    let free = |wanted: &u8| formats.iter().all(|format| format.payload_type != *wanted);
    let dynamic = theirs.map(|format| format.payload_type).filter(|theirs| *theirs >= 96 && default >= 96);
    let payload_type = dynamic.into_iter().chain([default]).chain(96..128).find(free).unwrap_or(default);
    formats.push(Format { payload_type, encoding, fmtp: theirs.and_then(|format| format.fmtp.clone()) });
}

/// Our offer of these formats ([`formats`], [`formats_like`]).
#[must_use]
pub fn offer(local: &Local, formats: &Formats) -> Vec<u8> {
    let mut text = head(local, (0, 0));
    audio(&mut text, local, formats, local.direction, false, true);
    text.into_bytes()
}

/// The lines before the first media line.
pub(super) fn head(local: &Local, timing: (u64, u64)) -> String {
    let mut text = String::with_capacity(320);
    let kind = match local.address {
        IpAddr::V4(_) => " IN IP4 ",
        IpAddr::V6(_) => " IN IP6 ",
    };
    text.push_str("v=0\r\no=hotline ");
    push_number(&mut text, local.session_id);
    text.push(' ');
    push_number(&mut text, local.version);
    text.push_str(kind);
    let address = text.len();
    let _ = write!(text, "{}", local.address);
    let address = address..text.len();
    text.push_str("\r\ns=-\r\nc=");
    text.push_str(&kind[1..]);
    text.extend_from_within(address);
    text.push_str("\r\nt=");
    push_number(&mut text, timing.0);
    text.push(' ');
    push_number(&mut text, timing.1);
    text.push_str("\r\n");
    text
}

/// Our audio stream.
pub(super) fn audio(text: &mut String, local: &Local, formats: &Formats, direction: Direction, feedback: bool, rtcp_mux: bool) {
    text.push_str("m=audio ");
    push_number(text, local.port);
    text.push_str(if feedback { " RTP/AVPF" } else { " RTP/AVP" });
    for format in formats {
        text.push(' ');
        push_number(text, format.payload_type);
    }
    text.push_str("\r\n");
    for Format { payload_type, encoding, fmtp } in formats {
        match encoding {
            Encoding::Audio(codec) => {
                push_attribute(text, "rtpmap", *payload_type, codec.encoding_name());
                text.push('/');
                push_number(text, codec.clock_rate_hz());
                text.push_str(if *codec == Codec::Opus { "/2\r\n" } else { "\r\n" });
            }
            Encoding::TelephoneEvent(rate) => {
                push_attribute(text, "rtpmap", *payload_type, "telephone-event/");
                push_number(text, *rate);
                text.push_str("\r\n");
                // The keys: the only events that hotline passes on.
                push_attribute(text, "fmtp", *payload_type, "0-15\r\n");
            }
            Encoding::Unknown => {}
        }
        if let Some(fmtp) = fmtp {
            push_attribute(text, "fmtp", *payload_type, fmtp);
            text.push_str("\r\n");
        }
    }
    text.push_str("a=ptime:20\r\na=");
    text.push_str(direction.name());
    text.push_str("\r\n");
    if rtcp_mux {
        text.push_str("a=rtcp-mux\r\n");
    }
}

/// An attribute of one format, from its name on: `a=rtpmap:8 PCMA`. What follows and the line's end are the caller's.
fn push_attribute(text: &mut String, name: &str, payload_type: u8, value: &str) {
    for part in ["a=", name, ":", itoa::Buffer::new().format(payload_type), " ", value] {
        text.push_str(part);
    }
}

/// By hand, for each description needs a dozen of them, and `write!` costs ten times as much.
fn push_number(text: &mut String, number: impl itoa::Integer) {
    text.push_str(itoa::Buffer::new().format(number));
}

/// A stream that we reject.
pub(super) fn rejected(text: &mut String, other: &Other) {
    // RFC 8866 wants a format, even where the offer had none.
    let formats = if other.formats.is_empty() { "0" } else { &other.formats };
    let _ = write!(text, "m={} 0 {} {formats}\r\n", other.media, other.protocol);
}
