//! The seam between signalling and media: commands one way, events the other. No packet crosses it.
//!
//! A media thread owns pairs of UDP ports (RTP on the even one, RTCP on the next) and leases them to the engine ahead of need, so
//! that a session description can name a port without waiting for anyone. The engine opens an [`EndpointId`] on a leased pair, tells it
//! what the other side's description says ([`Remote`]), and at each moment what it is fed ([`Feed`]); closing it returns the pair to
//! its thread, which lets it rest before it leases it again.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::base::{Codec, EndpointId, ShardId};

/// A media thread.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct MediaThread(pub u16);

/// A leased pair of ports, bound and ready: RTP on `rtp`, RTCP on the next port.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct PortLease {
    /// The thread that owns the pair.
    pub thread: MediaThread,
    /// Where RTP is received; its port is even.
    pub rtp: SocketAddr,
    /// The address to write into a session description (differs behind a 1:1 NAT).
    pub advertised: IpAddr,
}

/// From where an endpoint takes packets before the first has come: the source lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceRule {
    /// A trunk's or fixed contact's leg: the description's address; any port of it until the first packet, then that one.
    Described,
    /// A registered or NATed leg: the first source that has the description's address, or this one, where its SIP comes from.
    DescribedOr(IpAddr),
}

/// What the other side's session description said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remote {
    /// Where its RTP goes to, until a source is locked.
    pub rtp: SocketAddr,
    /// Where its RTCP goes to; `None` when multiplexed on the RTP port (RFC 5761).
    pub rtcp: Option<SocketAddr>,
    /// The audio codec in use.
    pub codec: Codec,
    /// The payload type we send that codec with.
    pub send_payload_type: u8,
    /// The payload type it is received with (ours, from our description).
    pub receive_payload_type: u8,
    /// Payload types of telephone-event, (send, receive), if both sides can (RFC 4733).
    pub telephone_event: Option<(u8, u8)>,
    /// Whether we may send to it (it did not say `inactive` or `sendonly`).
    pub may_send: bool,
    /// Whether it is expected to send (it did not say `inactive` or `recvonly`); only then is its silence an event.
    pub expects: bool,
    /// From where its packets are taken.
    pub source: SourceRule,
}

/// A recording to play: a name in the prompt library, resolved for the endpoint's codec by the media thread.
pub type PromptName = Arc<str>;

/// What an endpoint is being fed, that is, what its party hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Feed {
    /// Nothing is sent.
    Nothing,
    /// Prompts one after another, then `MediaEvent::Played` with the token, and nothing until the next feed.
    Prompts {
        /// What to play, in order; an unknown name is skipped and counted.
        names: Vec<PromptName>,
        /// Comes back with `MediaEvent::Played`.
        token: u64,
    },
    /// Music, repeated for ever; it goes on where this endpoint's music last stopped.
    Music(PromptName),
    /// What other endpoints receive, of whatever thread. One is relayed as it is where the codecs agree, and transcoded otherwise; several are
    /// mixed. Of one that is not open yet nothing is heard until it is.
    Peers(Peers),
}

impl Feed {
    /// What one other endpoint receives.
    #[must_use]
    pub fn peer(peer: EndpointId) -> Self {
        Feed::Peers(Peers::from_iter([peer]))
    }
}

/// Endpoints that are heard.
pub type Peers = SmallVec<[EndpointId; 2]>;

/// A tap: a number that is never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TapId(pub u64);

/// Which side of an endpoint is tapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TapSide {
    /// What its party says.
    Says,
    /// What its party hears.
    Hears,
}

/// From the engine to a media thread.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MediaCommand {
    /// An endpoint begins on a leased pair. Until `Remote` it only receives, and drops.
    Open {
        /// Its name from here on.
        endpoint: EndpointId,
        /// The pair, which must be this thread's.
        lease: PortLease,
        /// The canonical name for RTCP's SDES: a random one for each endpoint (RFC 7022).
        cname: u64,
    },
    /// What the other side said, again after each offer and answer; opens the source lock.
    Remote {
        /// Whose.
        endpoint: EndpointId,
        /// What it said.
        remote: Remote,
    },
    /// What it is fed from now on.
    Feed {
        /// Whose.
        endpoint: EndpointId,
        /// What.
        feed: Feed,
    },
    /// A digit for the party to hear, as telephone-event if it can, else not at all (DTMF that came by INFO and goes on to RTP).
    SendDigit {
        /// Who gets it.
        endpoint: EndpointId,
        /// `0-9`, `*`, `#`, `A-D`.
        digit: char,
    },
    /// The audio of one side of an endpoint goes to whoever takes this tap, too; until it is untapped, or ends.
    Tap {
        /// Whose.
        endpoint: EndpointId,
        /// The tap.
        tap: TapId,
        /// Which side.
        side: TapSide,
    },
    /// A tap ends.
    Untap {
        /// Whose.
        endpoint: EndpointId,
        /// The tap.
        tap: TapId,
    },
    /// The endpoint ends: not one packet more; answered by `MediaEvent::Closed`.
    Close {
        /// Whose.
        endpoint: EndpointId,
    },
    /// A pair that was leased and never opened goes back.
    Return {
        /// Which.
        lease: PortLease,
    },
}

/// What an endpoint counted from its opening to its close.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct MediaStats {
    /// RTP packets taken from the party.
    pub received: u64,
    /// RTP packets sent to the party.
    pub sent: u64,
    /// RTP packets of the party that never came, by sequence numbers (RFC 3550 A.3).
    pub lost: u64,
    /// Packets dropped because they came from elsewhere than the locked source.
    pub strangers: u64,
    /// Interarrival jitter at the end (RFC 3550 A.8).
    pub jitter: Duration,
    /// What the party said of our packets in its last receiver report: the fraction lost, of 256.
    pub remote_fraction_lost: Option<u8>,
}

impl MediaEvent {
    /// The endpoint that it is about, if it is about one.
    #[must_use]
    pub const fn endpoint(&self) -> Option<EndpointId> {
        match self {
            MediaEvent::Leased(_) => None,
            MediaEvent::Played { endpoint, .. }
            | MediaEvent::Digit { endpoint, .. }
            | MediaEvent::Silent { endpoint, .. }
            | MediaEvent::Closed { endpoint, .. } => Some(*endpoint),
        }
    }
}

/// What a media thread has to tell a shard.
#[derive(Debug)]
pub struct Notice {
    /// The shard.
    pub shard: ShardId,
    /// What has happened.
    pub event: MediaEvent,
    _unread: Option<Arc<()>>,
}

impl Notice {
    /// Of what a party can cause at will, only so much may be unread: `unread` is let go of with the notice, when it was read.
    #[must_use]
    pub const fn new(shard: ShardId, event: MediaEvent, unread: Option<Arc<()>>) -> Self {
        Notice { shard, event, _unread: unread }
    }
}

/// From a media thread to the engine.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum MediaEvent {
    /// Pairs to use.
    Leased(Vec<PortLease>),
    /// The prompts of a feed have been played.
    Played {
        /// To whom.
        endpoint: EndpointId,
        /// The feed's token.
        token: u64,
    },
    /// The party pressed a key (once for each press, RFC 4733 2.5.1.4).
    Digit {
        /// Who.
        endpoint: EndpointId,
        /// `0-9`, `*`, `#`, `A-D`.
        digit: char,
    },
    /// The party, which is expected to send, has sent neither RTP nor RTCP for the silence limit; again after each further limit.
    Silent {
        /// Who.
        endpoint: EndpointId,
        /// Since when it has been silent.
        silent_for: Duration,
    },
    /// The endpoint has ended.
    Closed {
        /// Which.
        endpoint: EndpointId,
        /// What it counted.
        stats: MediaStats,
    },
}
