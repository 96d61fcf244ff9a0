//! A leg as the engine keeps it: one SIP dialog, or the attempt at one, and its media.

use std::sync::Arc;

use super::Engine;
use super::between::ToDesk;
use super::contact::ContactKey;
use super::liveness::Asked;
use super::media::EndpointOwner;
use super::media_port::PortLease;
use crate::base::{Codec, EndpointId, ShardId, Time};
use crate::call::leg::{LegState, Role};
use crate::report::FactKind;
use crate::sdp::{Agreement, Description, Direction, Formats, Local};
use crate::sip::session::{SessionId, SessionMut};

/// A leg of this engine; one that is gone refers to nothing, for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct LegKey {
    pub(super) shard: ShardId,
    pub(super) slot: u32,
    pub(super) token: u32,
}

/// A leg's media: an endpoint on a leased pair of ports, and what was said of it.
#[derive(Debug)]
pub(super) struct LegMedia {
    pub(super) endpoint: EndpointId,
    pub(super) lease: PortLease,
    pub(super) session_id: u64,
    pub(super) version: u64,
    /// The formats of our SDP offer, while no answer has come.
    pub(super) sdp_offered: Option<Formats>,
    pub(super) agreement: Option<Agreement>,
    /// The description that we last sent, for a provisional answer's repetition in the final one.
    pub(super) described: Option<Arc<[u8]>>,
}

#[derive(Debug)]
pub(super) struct Leg {
    pub(super) key: LegKey,
    pub(super) contact: ContactKey,
    pub(super) number: u32,
    pub(super) role: Role,
    pub(super) state: LegState,
    /// What it says and hears by SIP.
    pub(super) session: SessionId,
    /// Whether it sits behind a NAT, so that media comes from wherever it may.
    pub(super) behind_nat: bool,
    /// What a caller offered as it arrived.
    pub(super) sdp_offer: Option<Box<Description>>,
    /// How its INVITE was answered.
    pub(super) status: Option<u16>,
    pub(super) media: Option<LegMedia>,
    /// Whether it ever had media: its record comes with the last count of packets then.
    pub(super) had_media: bool,
    /// How far we have asked into its silence.
    pub(super) asked: Asked,
}

impl LegMedia {
    /// What we say about ourselves in the next description. Each counts as a new version: none is written twice.
    pub(super) fn local(&mut self, direction: Direction) -> Local {
        self.version += 1;
        Local {
            address: self.lease.advertised,
            port: self.lease.rtp.port(),
            session_id: self.session_id,
            version: self.version,
            direction,
        }
    }
}

impl Leg {
    /// The codec in use.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.media.as_ref()?.agreement.as_ref().map(|agreement| agreement.codec)
    }

    /// The media endpoint.
    pub(super) fn endpoint(&self) -> Option<EndpointId> {
        self.media.as_ref().map(|media| media.endpoint)
    }
}

/// What a new leg is made of.
pub(super) struct NewLeg {
    pub(super) contact: ContactKey,
    pub(super) role: Role,
    pub(super) state: LegState,
    pub(super) session: SessionId,
    pub(super) behind_nat: bool,
    /// What a caller offers.
    pub(super) sdp_offer: Option<Box<Description>>,
    /// The endpoint that was opened for it.
    pub(super) media: Option<LegMedia>,
}

impl Engine {
    pub(super) fn leg(&self, key: LegKey) -> Option<&Leg> {
        self.legs.get(key.slot as usize).filter(|leg| leg.key == key)
    }

    pub(super) fn leg_mut(&mut self, key: LegKey) -> Option<&mut Leg> {
        self.legs.get_mut(key.slot as usize).filter(|leg| leg.key == key)
    }

    /// The leg whose session it is.
    pub(super) fn leg_with(&self, session: SessionId) -> Option<LegKey> {
        let key = (*self.leg_of_session.get(session.index())?)?;
        self.leg(key).filter(|leg| leg.session == session).map(|leg| leg.key)
    }

    /// Adds a leg to its contact.
    pub(super) fn add_leg(&mut self, now: Time, new: NewLeg) -> LegKey {
        let NewLeg { contact: contact_key, role, state, session, behind_nat, sdp_offer, media } = new;
        let slot = self.legs.vacant_key() as u32;
        let key = LegKey { shard: self.shard, slot, token: self.seed.next_u32() };
        let mut number = 0;
        let mut contact_id = None;
        if let Some(contact) = self.contact_mut(contact_key) {
            contact.legs_ever += 1;
            number = contact.legs_ever;
            contact.legs.push(key);
            contact_id = Some(contact.id);
        }
        let agent = match role {
            Role::Agent(agent) => {
                self.tell_desk(agent, ToDesk::LegBegan);
                Some(agent)
            }
            Role::Caller | Role::External(_) => None,
        };
        let call_id = self.sessions.call_id(session).unwrap_or_default().into();
        self.fact(now, contact_id, FactKind::LegBegan { leg: number, role: role.word(), agent, call_id });
        if let Some(media) = &media {
            self.endpoints.insert(media.endpoint.0, EndpointOwner::Leg(key));
        }
        let (status, had_media, asked) = (None, media.is_some(), Asked::No);
        self.legs.insert(Leg {
            key,
            contact: contact_key,
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
        if self.leg_of_session.len() <= session.index() {
            self.leg_of_session.resize(session.index() + 1, None);
        }
        self.leg_of_session[session.index()] = Some(key);
        key
    }

    /// The leg's session, to be commanded.
    pub(super) fn session(&mut self, now: Time, key: LegKey) -> Option<SessionMut<'_>> {
        let id = self.leg(key)?.session;
        Some(self.sessions.session(now, id))
    }
}
