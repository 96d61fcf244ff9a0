//! Legs: the owner of every party of a call. What a leg means, its session, its description and its media endpoint.
//!
//! A leg knows only which contact it reports to. It does SDP and commands its session and its media thread; what its party's doings mean for
//! a call is never decided here. One file a concern: `calls` begins and ends legs, `media` has ports and endpoints, `asking` looks into
//! silence.

use std::sync::Arc;

use slab::Slab;

use self::asking::Asked;
use self::media::{EndpointOwner, LegMedia, PortStock};
use super::between::ContactRef;
use super::contact::ContactKey;
use super::context::Context;
use super::media_port::MediaThread;
use crate::base::hash::{Keyed, KeyedMap};
use crate::base::{Codec, EndpointId, ShardId};
use crate::call::leg::{LegState, Role};
use crate::report::FactKind;
use crate::sdp::Description;
use crate::sip::session::{SessionId, SessionMut};

mod asking;
mod calls;
mod media;
#[cfg(test)]
mod tests;

pub(super) use calls::{NewCall, NewCaller};

/// The type of session descriptions (RFC 8866).
const SDP: &str = "application/sdp";

/// What hotline relays or transcodes, in its own order.
const SPOKEN: [Codec; 3] = [Codec::Pcmu, Codec::Pcma, Codec::G722];

/// A leg of one shard; one that is gone refers to nothing, for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct LegKey {
    pub(super) shard: ShardId,
    pub(super) slot: u32,
    pub(super) token: u32,
}

/// One party.
#[derive(Debug)]
pub(super) struct Leg {
    key: LegKey,
    /// Whom it reports to.
    contact: ContactRef,
    /// Which of its contact's legs it is, from 1.
    number: u32,
    role: Role,
    state: LegState,
    /// What it says and hears by SIP.
    session: SessionId,
    /// Whether it sits behind a NAT, so that media comes from wherever it may.
    behind_nat: bool,
    /// What a caller offered as it arrived.
    sdp_offer: Option<Box<Description>>,
    /// How its INVITE was answered.
    status: Option<u16>,
    media: Option<LegMedia>,
    /// Whether it ever had media: its record comes with the last count of packets then.
    had_media: bool,
    /// How far we have asked into its silence.
    asked: Asked,
}

impl Leg {
    /// Its key.
    pub(super) const fn key(&self) -> LegKey {
        self.key
    }

    /// The contact that it reports to.
    pub(super) const fn contact(&self) -> ContactKey {
        self.contact.key
    }

    /// Whose it is.
    pub(super) const fn role(&self) -> Role {
        self.role
    }

    /// What it is doing.
    pub(super) const fn state(&self) -> LegState {
        self.state
    }

    /// The codec in use.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.media.as_ref()?.agreement.as_ref().map(|agreement| agreement.codec)
    }

    /// The media endpoint.
    pub(super) fn endpoint(&self) -> Option<EndpointId> {
        self.media.as_ref().map(|media| media.endpoint)
    }

    /// The thread of the media endpoint.
    pub(super) fn thread(&self) -> Option<MediaThread> {
        self.media.as_ref().map(|media| media.lease.thread)
    }
}

/// All legs of one shard.
pub(super) struct Legs {
    legs: Slab<Leg>,
    /// By the index of the session.
    of_session: Vec<Option<LegKey>>,
    /// Whose each endpoint is, for media events.
    endpoints: KeyedMap<u64, EndpointOwner>,
    ports: PortStock,
    endpoints_ever: u64,
    /// Of the callers that there are, how many have ports.
    callers_with_media: u32,
}

impl Legs {
    /// No leg, and no port to make one with.
    pub(super) fn new(keyed: Keyed) -> Self {
        Legs {
            legs: Slab::new(),
            of_session: Vec::new(),
            endpoints: keyed.map(),
            ports: PortStock::default(),
            endpoints_ever: 0,
            callers_with_media: 0,
        }
    }

    /// Whether there is no leg.
    pub(super) fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }

    /// Whether no endpoint is open or has its packets still to be counted.
    pub(super) fn media_is_over(&self) -> bool {
        self.endpoints.is_empty()
    }

    /// A leg, if it is there.
    pub(super) fn get(&self, key: LegKey) -> Option<&Leg> {
        self.legs.get(key.slot as usize).filter(|leg| leg.key == key)
    }

    /// Every leg, for the audit.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().map(|(_, leg)| leg)
    }

    /// The leg whose session it is.
    pub(super) fn with_session(&self, session: SessionId) -> Option<LegKey> {
        let key = (*self.of_session.get(session.index())?)?;
        self.get(key).filter(|leg| leg.session == session).map(|leg| leg.key)
    }

    /// The leg whose endpoint it is.
    pub(super) fn with_endpoint(&self, endpoint: EndpointId) -> Option<LegKey> {
        match self.endpoints.get(&endpoint.0)? {
            EndpointOwner::Leg(key) => Some(*key),
            EndpointOwner::Ended(_) => None,
        }
    }

    /// Legs whose session is over: after a fault, that may not have been heard.
    pub(super) fn without_session(&self, cx: &Context<'_>) -> Vec<LegKey> {
        self.iter().filter(|leg| cx.sessions.flow(leg.session).is_none()).map(|leg| leg.key).collect()
    }

    /// The leg's session, to be commanded in what needs no description.
    pub(super) fn session<'c>(&self, cx: &'c mut Context<'_>, key: LegKey) -> Option<SessionMut<'c>> {
        let id = self.get(key)?.session;
        Some(cx.sessions.session(cx.now, id))
    }

    fn leg_mut(&mut self, key: LegKey) -> Option<&mut Leg> {
        self.legs.get_mut(key.slot as usize).filter(|leg| leg.key == key)
    }

    /// Adds a leg.
    fn add(&mut self, cx: &mut Context<'_>, new: NewLeg) -> LegKey {
        let NewLeg { contact, number, role, state, session, behind_nat, sdp_offer, media } = new;
        let key = LegKey { shard: cx.shard, slot: self.legs.vacant_key() as u32, token: cx.seed.next_u32() };
        let agent = if let Role::Agent(agent) = role { Some(agent) } else { None };
        let call_id: Arc<str> = cx.sessions.call_id(session).unwrap_or_default().into();
        cx.fact(Some(contact.id), FactKind::LegBegan { leg: number, role: role.word(), agent, call_id });
        if let Some(media) = &media {
            self.endpoints.insert(media.endpoint.0, EndpointOwner::Leg(key));
        }
        let (had_media, status, asked) = (media.is_some(), None, Asked::No);
        self.legs.insert(Leg {
            key,
            contact,
            number,
            role,
            state,
            session,
            behind_nat,
            sdp_offer,
            status,
            media,
            had_media,
            asked,
        });
        if self.of_session.len() <= session.index() {
            self.of_session.resize(session.index() + 1, None);
        }
        self.of_session[session.index()] = Some(key);
        key
    }
}

/// What a leg is made of.
struct NewLeg {
    contact: ContactRef,
    number: u32,
    role: Role,
    state: LegState,
    session: SessionId,
    behind_nat: bool,
    sdp_offer: Option<Box<Description>>,
    media: Option<LegMedia>,
}
