//! An endpoint: one party's RTP session, as small as it can be, for there may be a hundred thousand.
//!
//! It holds no packet; what only some need (prompts, keys to send, a transcoder) is boxed.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::hearing::Listeners;
use super::library::Clip;
use super::mix::Mix;
use super::slots::SenderPlace;
use super::source::Source;
use super::tap::Tap;
use crate::base::{EndpointId, Time};
use crate::engine::media_port::{MediaStats, Remote};
use crate::rtp::key::{KeyReader, KeyWriter};
use crate::rtp::{Continuity, Reception, Transcoder};

/// Key presses that may wait to be sent to a party.
pub(super) const KEYS_MAX: usize = 32;
/// Steps of 20 ms between two presses that we send.
pub(super) const KEY_GAP_STEPS: u8 = 4;
/// Prompts of one feed.
pub(super) const PROMPTS_MAX: usize = 64;

/// What an endpoint's party hears.
#[derive(Debug)]
pub(super) enum Feeding {
    Nothing,
    /// Prompts, one after another.
    Prompts(Box<Prompts>),
    /// The music in [`Endpoint::music`].
    Music,
    /// What this endpoint receives, as it comes.
    Relay(EndpointId),
    /// What several endpoints receive.
    Mix(Box<Mix>),
}

/// A recording and where in it we are, in packets.
#[derive(Clone, Debug)]
pub(super) struct Playing {
    pub(super) clip: Arc<Clip>,
    pub(super) frame: u32,
}

/// Prompts being played.
#[derive(Debug)]
pub(super) struct Prompts {
    pub(super) rest: VecDeque<Arc<Clip>>,
    pub(super) frame: u32,
    pub(super) token: u64,
}

/// Keys being sent.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) waiting: VecDeque<char>,
    pub(super) current: Option<KeyWriter>,
    pub(super) gap_steps: u8,
}

/// What RTCP needs to know between reports.
#[derive(Debug, Default)]
pub(super) struct Control {
    /// Where the party's RTCP last came from, for one that follows.
    pub(super) seen_at: Option<SocketAddr>,
    /// The middle of its last sender report's NTP time, and when that came.
    pub(super) last_sr: Option<(u32, Time)>,
    pub(super) sent_at_report: u64,
    pub(super) received_at_report: u64,
    pub(super) lost_out: i32,
    pub(super) fraction_lost: Option<u8>,
    /// Housekeeping visits until the next report.
    pub(super) visits: u8,
}

/// One party's session.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) id: EndpointId,
    pub(super) pair: u32,
    pub(super) cname: u64,
    /// What its description said; before that it only drops.
    pub(super) party: Option<(Remote, Source)>,
    /// Whether its RTP socket is connected to the party.
    pub(super) connected: bool,
    pub(super) feeding: Feeding,
    /// Who is given what this one receives.
    pub(super) listeners: Listeners,
    pub(super) taps: Vec<Tap>,
    pub(super) stream: Continuity,
    pub(super) reception: Reception,
    pub(super) key_reader: KeyReader,
    pub(super) transcoder: Option<Box<Transcoder>>,
    /// Music goes on where it last stopped.
    pub(super) music: Option<(Arc<str>, Playing)>,
    pub(super) keys: Option<Box<Keys>>,
    pub(super) place: Option<SenderPlace>,
    pub(super) control: Control,
    /// As many as signalling has notices unread of what the party does, and one.
    pub(super) unread: Option<Arc<()>>,
    pub(super) sent: u64,
    pub(super) sent_bytes: u64,
    pub(super) strangers: u64,
    /// What was lost, as far as it has been counted.
    pub(super) lost_in: u64,
    /// When RTP last came from the locked source.
    pub(super) rtp_at: Time,
    /// When anything of the party last came, or began to be expected.
    pub(super) heard_at: Time,
    /// When its silence was last reported.
    pub(super) silence_at: Time,
}

impl Endpoint {
    /// A new one, that knows nothing of its party.
    pub(super) fn new(id: EndpointId, pair: u32, cname: u64, stream: Continuity, now: Time) -> Self {
        Endpoint {
            id,
            pair,
            cname,
            party: None,
            connected: false,
            feeding: Feeding::Nothing,
            listeners: Listeners::new(),
            taps: Vec::new(),
            stream,
            reception: Reception::default(),
            key_reader: KeyReader::default(),
            transcoder: None,
            music: None,
            keys: None,
            place: None,
            control: Control::default(),
            unread: None,
            sent: 0,
            sent_bytes: 0,
            strangers: 0,
            lost_in: 0,
            rtp_at: now,
            heard_at: now,
            silence_at: now,
        }
    }

    /// Whether it has something to send each 20 ms, at our own pace.
    pub(super) const fn sends_own(&self) -> bool {
        matches!(self.feeding, Feeding::Music | Feeding::Prompts(_) | Feeding::Mix(_)) || self.keys.is_some()
    }

    /// Its statistics so far.
    pub(super) fn stats(&self) -> MediaStats {
        let rate = self.party.as_ref().map_or(8_000, |(remote, _)| remote.codec.clock_rate_hz());
        MediaStats {
            received: self.reception.received_total(),
            sent: self.sent,
            lost: self.reception.lost_total(),
            strangers: self.strangers,
            jitter: Duration::from_micros(u64::from(self.reception.jitter()) * 1_000_000 / u64::from(rate)),
            remote_fraction_lost: self.control.fraction_lost,
        }
    }
}
