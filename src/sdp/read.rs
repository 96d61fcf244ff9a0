//! Reads a description (RFC 8866 5, 6), tolerantly: lines may end in LF alone, lines without meaning for us may hold anything,
//! names are compared without regard to case, and what is missing takes its default where there is one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Audio, Description, Direction, Encoding, Format, Formats, Other, SdpError};
use crate::base::Codec;

/// The longest description that is read, in bytes.
pub const BYTES_MAX: usize = 16 * 1024;
/// The most media lines of a description.
pub const MEDIA_MAX: usize = 16;
/// The most formats of a stream; further ones are as if they were not offered.
pub const FORMATS_MAX: usize = 32;
/// The longest `a=fmtp` that is kept, in bytes.
const FMTP_MAX: usize = 256;
/// The longest `o=` that is kept, in bytes.
const ORIGIN_MAX: usize = 256;

/// Reads a description.
///
/// # Errors
/// When it is too long, does not begin with `v=0`, has a broken media line, or its audio stream has no address.
/// A description without usable audio is not an error: it has no [`Description::audio`].
pub fn read(bytes: &[u8]) -> Result<Description, SdpError> {
    if bytes.len() > BYTES_MAX {
        return Err(SdpError::TooLong);
    }
    let mut lines = lines(bytes);
    match lines.next() {
        Some((_, b'v', b"0")) => {}
        _ => return Err(SdpError::Version),
    }
    let mut reader = Reader::default();
    for (number, kind, value) in lines {
        reader.line(number, kind, value)?;
    }
    reader.finish()
}

/// The lines that look like `x=value`, with their numbers.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (u16, u8, &[u8])> {
    (1..).zip(bytes.split(|byte| *byte == b'\n')).filter_map(|(number, line)| match line.trim_ascii() {
        [kind, b'=', value @ ..] => Some((number, *kind, value.trim_ascii())),
        _ => None,
    })
}

/// What a session or a stream says with `c=` and `a=`; a stream's own words go before the session's.
#[derive(Clone, Copy, Default)]
struct Words {
    address: Option<IpAddr>,
    direction: Option<Direction>,
    rtcp_mux: bool,
    rtcp: Option<(u16, Option<IpAddr>)>,
    ptime_ms: Option<u16>,
}

/// The stream whose lines are being read.
enum Stream {
    None,
    Ours,
    Other,
}

struct Reader {
    origin: Box<str>,
    timing: (u64, u64),
    session: Words,
    stream: Stream,
    audio: Option<Pending>,
    audio_index: usize,
    others: Vec<Other>,
}

/// Our stream while its lines are being read.
struct Pending {
    port: u16,
    feedback: bool,
    formats: Formats,
    words: Words,
}

impl Default for Reader {
    fn default() -> Self {
        Reader {
            origin: "".into(),
            timing: (0, 0),
            session: Words::default(),
            stream: Stream::None,
            audio: None,
            audio_index: 0,
            others: Vec::new(),
        }
    }
}

impl Reader {
    fn line(&mut self, number: u16, kind: u8, value: &[u8]) -> Result<(), SdpError> {
        match kind {
            // Latin-1 is what old gateways put into names, and it maps byte by byte.
            b'o' => self.origin = value.iter().take(ORIGIN_MAX).map(|byte| char::from(*byte)).collect(),
            b't' if self.timing == (0, 0) => {
                let mut times = fields(value).map(|time| time.parse().unwrap_or(0));
                self.timing = (times.next().unwrap_or(0), times.next().unwrap_or(0));
            }
            b'm' => self.media(value).ok_or(SdpError::Media(number))?,
            b'c' => {
                let address = connection(fields(value));
                if let Some(words) = self.words() {
                    words.address = address.or(words.address);
                }
            }
            b'a' => self.attribute(value),
            _ => {}
        }
        if self.others.len() + usize::from(self.audio.is_some()) > MEDIA_MAX { Err(SdpError::TooManyMedia) } else { Ok(()) }
    }

    /// Where the line that is being read belongs.
    fn words(&mut self) -> Option<&mut Words> {
        match self.stream {
            Stream::None => Some(&mut self.session),
            Stream::Ours => self.audio.as_mut().map(|audio| &mut audio.words),
            Stream::Other => None,
        }
    }

    fn media(&mut self, value: &[u8]) -> Option<()> {
        str::from_utf8(value).ok()?;
        let mut parts = fields(value);
        let (media, port, protocol) = (parts.next()?, parts.next()?, parts.next()?);
        let formats = parts.collect::<Vec<_>>().join(" ");
        // "49170/2": so many consecutive ports; only the first is of use.
        let port: u16 = port.split('/').next()?.parse().ok()?;
        let feedback = protocol.eq_ignore_ascii_case("RTP/AVPF");
        let rtp = feedback || protocol.eq_ignore_ascii_case("RTP/AVP");
        if self.audio.is_none() && port != 0 && rtp && media.eq_ignore_ascii_case("audio") {
            self.stream = Stream::Ours;
            self.audio_index = self.others.len();
            self.audio = Some(Pending { port, feedback, formats: static_formats(&formats), words: Words::default() });
        } else {
            self.stream = Stream::Other;
            self.others.push(Other { media: media.into(), protocol: protocol.into(), formats: formats.into() });
        }
        Some(())
    }

    fn attribute(&mut self, value: &[u8]) {
        let Ok(text) = str::from_utf8(value) else { return };
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        let name = name.trim();
        if let (Stream::Ours, Some(audio)) = (&self.stream, &mut self.audio) {
            if name.eq_ignore_ascii_case("rtpmap") {
                read_rtpmap(&mut audio.formats, value.trim());
                return;
            }
            if name.eq_ignore_ascii_case("fmtp") {
                read_fmtp(&mut audio.formats, value.trim());
                return;
            }
        }
        let Some(words) = self.words() else { return };
        for direction in [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive] {
            if name.eq_ignore_ascii_case(direction.name()) {
                words.direction = Some(direction);
            }
        }
        if name.eq_ignore_ascii_case("rtcp-mux") {
            words.rtcp_mux = true;
        } else if name.eq_ignore_ascii_case("rtcp") {
            let mut parts = value.split_ascii_whitespace();
            if let Some(port) = parts.next().and_then(|port| port.parse().ok()).filter(|port| *port != 0) {
                words.rtcp = Some((port, connection(parts)));
            }
        } else if name.eq_ignore_ascii_case("ptime") {
            // Some write "20.0".
            words.ptime_ms = value.trim().split('.').next().and_then(|ms| ms.parse().ok()).filter(|ms| *ms != 0);
        }
    }

    fn finish(self) -> Result<Description, SdpError> {
        let session = self.session;
        let audio = match self.audio {
            Some(audio) => Some(audio.finish(&session)?),
            None => None,
        };
        Ok(Description { origin: self.origin, timing: self.timing, audio, audio_index: self.audio_index, others: self.others })
    }
}

impl Pending {
    fn finish(self, session: &Words) -> Result<Audio, SdpError> {
        let words = self.words;
        let address = words.address.or(session.address).ok_or(SdpError::Address)?;
        if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Err(SdpError::Address);
        }
        let mut direction = words.direction.or(session.direction).unwrap_or_default();
        if address.is_unspecified() {
            // RFC 3264 8.4: how one held before there were directions.
            direction = Direction::new(direction.sends(), false);
        }
        let rtcp = match words.rtcp {
            Some((port, elsewhere)) => Some(SocketAddr::new(elsewhere.unwrap_or(address), port)),
            None => self.port.checked_add(1).map(|port| SocketAddr::new(address, port)),
        };
        Ok(Audio {
            address,
            port: self.port,
            rtcp,
            rtcp_mux: words.rtcp_mux,
            feedback: self.feedback,
            formats: self.formats,
            direction,
            ptime_ms: words.ptime_ms.or(session.ptime_ms),
        })
    }
}

fn fields(value: &[u8]) -> impl Iterator<Item = &str> {
    value.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty()).map(|field| str::from_utf8(field).unwrap_or(""))
}

/// `IN IP4 192.0.2.1/127`: network type, address type, address with what multicast adds.
fn connection<'a>(mut fields: impl Iterator<Item = &'a str>) -> Option<IpAddr> {
    if !fields.next()?.eq_ignore_ascii_case("IN") {
        return None;
    }
    let kind = fields.next()?;
    let address: IpAddr = fields.next()?.split('/').next()?.parse().ok()?;
    match address {
        IpAddr::V4(_) if kind.eq_ignore_ascii_case("IP4") => Some(address),
        IpAddr::V6(_) if kind.eq_ignore_ascii_case("IP6") => Some(address),
        _ => None,
    }
}

/// The payload types of a media line, with the meaning that RFC 3551 gives to some (no rtpmap needed).
fn static_formats(text: &str) -> Formats {
    let mut formats = Formats::new();
    for field in text.split_ascii_whitespace() {
        let Some(payload_type) = field.parse::<u8>().ok().filter(|payload_type| *payload_type < 128) else { continue };
        if formats.len() == FORMATS_MAX || formats.iter().any(|format: &Format| format.payload_type == payload_type) {
            continue;
        }
        let codec = Codec::ALL.into_iter().find(|codec| codec.static_payload_type() == Some(payload_type));
        formats.push(Format { payload_type, encoding: codec.map_or(Encoding::Unknown, Encoding::Audio), fmtp: None });
    }
    formats
}

fn split_payload_type(value: &str) -> Option<(u8, &str)> {
    let (payload_type, rest) = value.split_once([' ', '\t'])?;
    Some((payload_type.parse().ok()?, rest.trim()))
}

/// `96 opus/48000/2`. A map that contradicts a static payload type is believed: it is the more particular word.
fn read_rtpmap(formats: &mut Formats, value: &str) {
    let Some((payload_type, map)) = split_payload_type(value) else { return };
    let Some(format) = formats.iter_mut().find(|format| format.payload_type == payload_type) else { return };
    let mut parts = map.split('/').map(str::trim);
    let (name, rate, channels) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or("1"));
    let Ok(rate) = rate.parse::<u32>() else { return };
    format.encoding = if name.eq_ignore_ascii_case("telephone-event") {
        Encoding::TelephoneEvent(rate)
    } else {
        let known = |codec: &Codec| {
            let expected = if *codec == Codec::Opus { "2" } else { "1" };
            name.eq_ignore_ascii_case(codec.encoding_name()) && rate == codec.clock_rate_hz() && channels == expected
        };
        Codec::ALL.into_iter().find(known).map_or(Encoding::Unknown, Encoding::Audio)
    };
}

fn read_fmtp(formats: &mut Formats, value: &str) {
    let Some((payload_type, parameters)) = split_payload_type(value) else { return };
    // Only Opus's are of use; a phone that puts fmtp before rtpmap loses them and keeps Opus's defaults.
    let ours = |format: &&mut Format| format.payload_type == payload_type && format.codec() == Some(Codec::Opus);
    if let Some(format) = formats.iter_mut().find(ours)
        && parameters.len() <= FMTP_MAX
        && parameters.bytes().all(|byte| (0x20..0x7f).contains(&byte))
    {
        format.fmtp = Some(parameters.into());
    }
}
