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
    let (kind, address) = (kind(local.address), local.address);
    let _ = write!(
        text,
        "v=0\r\no=hotline {} {} IN {kind} {address}\r\ns=-\r\nc=IN {kind} {address}\r\nt={} {}\r\n",
        local.session_id, local.version, timing.0, timing.1
    );
    text
}

const fn kind(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    }
}

/// Our audio stream.
pub(super) fn audio(text: &mut String, local: &Local, formats: &Formats, direction: Direction, feedback: bool, rtcp_mux: bool) {
    let _ = write!(text, "m=audio {} RTP/AVP{}", local.port, if feedback { "F" } else { "" });
    for format in formats {
        let _ = write!(text, " {}", format.payload_type);
    }
    text.push_str("\r\n");
    for Format { payload_type, encoding, fmtp } in formats {
        let _ = match encoding {
            Encoding::Audio(codec) => {
                let (name, rate) = (codec.encoding_name(), codec.clock_rate_hz());
                let channels = if *codec == Codec::Opus { "/2" } else { "" };
                write!(text, "a=rtpmap:{payload_type} {name}/{rate}{channels}\r\n")
            }
            Encoding::TelephoneEvent(rate) => {
                // 0-15 are the keys: the only events that hotline passes on.
                write!(text, "a=rtpmap:{payload_type} telephone-event/{rate}\r\na=fmtp:{payload_type} 0-15\r\n")
            }
            Encoding::Unknown => Ok(()),
        };
        if let Some(fmtp) = fmtp {
            let _ = write!(text, "a=fmtp:{payload_type} {fmtp}\r\n");
        }
    }
    let _ = write!(text, "a=ptime:20\r\na={}\r\n", direction.name());
    if rtcp_mux {
        text.push_str("a=rtcp-mux\r\n");
    }
}

/// A stream that we reject.
pub(super) fn rejected(text: &mut String, other: &Other) {
    // RFC 8866 wants a format, even where the offer had none.
    let formats = if other.formats.is_empty() { "0" } else { &other.formats };
    let _ = write!(text, "m={} 0 {} {formats}\r\n", other.media, other.protocol);
}
