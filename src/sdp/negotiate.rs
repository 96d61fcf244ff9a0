//! Offer and answer (RFC 3264 5 to 8): which codec, under which payload types, in which direction.

use std::net::SocketAddr;

use super::{Audio, Codecs, Description, Direction, Encoding, Format, Formats, Local, SdpError, write};
use crate::base::Codec;

/// What the two sides have agreed on: all that the media side needs to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agreement {
    /// The codec both ways.
    pub codec: Codec,
    /// The payload type that we send it with: the one of their description.
    pub send_payload_type: u8,
    /// The payload type that it comes with: the one of ours.
    pub receive_payload_type: u8,
    /// Payload types of telephone-event with the codec's clock, (send, receive), if both can.
    pub telephone_event: Option<(u8, u8)>,
    /// Where their RTP goes to.
    pub rtp: SocketAddr,
    /// Where their RTCP goes to; `None` when both have it on the RTP port.
    pub rtcp: Option<SocketAddr>,
    /// Whether we may send to them.
    pub may_send: bool,
    /// Whether they are expected to send.
    pub expects: bool,
}

impl Agreement {
    /// What was agreed as the formats of an offer that changes nothing (RFC 3264 8): under the payload types that they are already sent with.
    #[must_use]
    pub fn formats(&self) -> Formats {
        let format = |payload_type, encoding| Format { payload_type, encoding, fmtp: None };
        let mut formats = Formats::new();
        formats.push(format(self.receive_payload_type, Encoding::Audio(self.codec)));
        if let Some((_, receive)) = self.telephone_event {
            formats.push(format(receive, Encoding::TelephoneEvent(self.codec.clock_rate_hz())));
        }
        formats
    }
}

/// The first codec of the offer that is allowed.
#[must_use]
pub fn choose(offer: &Description, allowed: &[Codec]) -> Option<Codec> {
    offer.audio.as_ref()?.codecs().find(|codec| allowed.contains(codec))
}

/// The codecs of `first` that `second` has too, in the order of `first`.
#[must_use]
pub fn common(first: &[Codec], second: &[Codec]) -> Codecs {
    first.iter().copied().filter(|codec| second.contains(codec)).collect()
}

/// The codecs to offer to one who shall talk to the writer of `peer`: its codecs first, in its order, so that nothing need be transcoded;
/// then the others of `allowed`, which can be, in the order of `allowed`. Opus is never transcoded, so only where the peer has it.
#[must_use]
pub fn ordered_for(peer: &Description, allowed: &[Codec]) -> Codecs {
    let mut codecs = Codecs::new();
    let theirs = peer.audio.iter().flat_map(Audio::codecs).filter(|codec| allowed.contains(codec));
    for codec in theirs.chain(allowed.iter().copied().filter(|codec| codec.transcodable())) {
        if !codecs.contains(&codec) {
            codecs.push(codec);
        }
    }
    codecs
}

/// Our answer with `codec` (see [`choose`]), and what it agrees on: the offer's payload types, its streams in their order, all but
/// the audio rejected.
///
/// # Errors
/// [`SdpError::NoAudio`] and [`SdpError::NoCommonCodec`], when the offer has no audio stream or not this codec.
pub fn answer(local: &Local, offer: &Description, codec: Codec) -> Result<(Vec<u8>, Agreement), SdpError> {
    let audio = offer.audio.as_ref().ok_or(SdpError::NoAudio)?;
    let format = audio.format_of(codec).ok_or(SdpError::NoCommonCodec)?;
    let key = telephone_event(&audio.formats, codec);
    // Our Opus parameters are the defaults: what their offer said of itself is not ours to repeat.
    let mut formats: Formats = [Format { fmtp: None, ..format.clone() }].into_iter().collect();
    formats.extend(key.cloned());
    let direction = audio.direction.answered(local.direction);

    let mut text = write::head(local, offer.timing);
    let (before, after) = offer.others.split_at(offer.audio_index.min(offer.others.len()));
    for other in before {
        write::rejected(&mut text, other);
    }
    write::audio(&mut text, local, &formats, direction, audio.feedback, audio.rtcp_mux);
    for other in after {
        write::rejected(&mut text, other);
    }

    let key = key.map(|format| (format.payload_type, format.payload_type));
    let types = (format.payload_type, format.payload_type);
    Ok((text.into_bytes(), agreement(audio, codec, types, key, direction)))
}

/// What an answer to our offer of `offered` agrees on. An answer that lists several codecs means the first (RFC 3264 7).
///
/// # Errors
/// [`SdpError::NoAudio`] when it rejects our stream, [`SdpError::NoCommonCodec`] when it names no codec that was offered.
pub fn agreed(offered: &Formats, answer: &Description) -> Result<Agreement, SdpError> {
    let audio = answer.audio.as_ref().ok_or(SdpError::NoAudio)?;
    let ours = |codec: Codec| offered.iter().find(|format| format.codec() == Some(codec));
    let (codec, theirs, ours) = audio
        .formats
        .iter()
        .find_map(|format| format.codec().and_then(|codec| Some((codec, format, ours(codec)?))))
        .ok_or(SdpError::NoCommonCodec)?;
    let key = telephone_event(&audio.formats, codec)
        .zip(telephone_event(offered, codec))
        .map(|(theirs, ours)| (theirs.payload_type, ours.payload_type));
    let types = (theirs.payload_type, ours.payload_type);
    Ok(agreement(audio, codec, types, key, Direction::new(audio.direction.receives(), audio.direction.sends())))
}

/// `ours` is the direction of the stream seen from us.
fn agreement(audio: &Audio, codec: Codec, types: (u8, u8), telephone_event: Option<(u8, u8)>, ours: Direction) -> Agreement {
    Agreement {
        codec,
        send_payload_type: types.0,
        receive_payload_type: types.1,
        telephone_event,
        rtp: SocketAddr::new(audio.address, audio.port),
        // We both offer rtcp-mux and accept it, so that their description decides.
        rtcp: if audio.rtcp_mux { None } else { audio.rtcp },
        // An unspecified address is not one to send to, whatever is said beside it.
        may_send: ours.sends() && !audio.address.is_unspecified(),
        expects: ours.receives(),
    }
}

/// Key presses that are timed by the codec's clock: they share its timestamps (RFC 4733 2.1).
fn telephone_event(formats: &Formats, codec: Codec) -> Option<&Format> {
    formats.iter().find(|format| format.encoding == Encoding::TelephoneEvent(codec.clock_rate_hz()))
}
