//! A leg as the engine keeps it: one SIP dialog, or the attempt at one, and its media.

use std::sync::Arc;

use super::contact::ContactKey;
use super::liveness::Asked;
use super::media_port::PortLease;
use super::{Engine, TxUser};
use crate::base::seed::Seed;
use crate::base::{Codec, EndpointId, Time};
use crate::call::leg::{LegState, Role};
use crate::sdp::{Agreement, Description, Formats};
use crate::sip::dialog::Dialog;
use crate::sip::flow::Flow;
use crate::sip::stack::{ClientTx, ServerTx};

/// A leg of this engine; one that is gone refers to nothing, for ever. Our tag of its dialog names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct LegKey {
    pub(super) slot: u32,
    /// Random, so that a peer cannot guess another's tag.
    pub(super) token: u32,
}

impl LegKey {
    /// Our tag: shard, slot and token.
    pub(super) fn tag(self, shard: u16) -> String {
        format!("{shard:02x}{:x}-{:08x}", self.slot, self.token)
    }

    /// The leg that a tag of this shard names.
    pub(super) fn from_tag(shard: u16, tag: &str) -> Option<Self> {
        let (place, token) = tag.split_once('-')?;
        if u16::from_str_radix(place.get(..2)?, 16).ok()? != shard || token.len() != 8 {
            return None;
        }
        Some(LegKey { slot: u32::from_str_radix(place.get(2..)?, 16).ok()?, token: u32::from_str_radix(token, 16).ok()? })
    }
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

/// A call to the outside: what its INVITE is written from.
#[derive(Clone, Debug)]
pub(super) struct Dialled {
    pub(super) uri: Arc<str>,
    pub(super) call_id: Arc<str>,
    pub(super) body: Arc<[u8]>,
}

#[derive(Debug)]
pub(super) struct Leg {
    pub(super) key: LegKey,
    pub(super) contact: ContactKey,
    pub(super) number: u32,
    pub(super) role: Role,
    pub(super) state: LegState,
    /// Where the party is reached.
    pub(super) flow: Flow,
    /// Whether it sits behind a NAT, so that it is reached where it came from, whatever it claims.
    pub(super) behind_nat: bool,
    pub(super) dialog: Option<Dialog>,
    /// Under which it stands in the table of calls that came in.
    pub(super) call_key: Option<u128>,
    /// The INVITE of theirs that began the leg, or the last one within it.
    pub(super) invite_in: Option<(ServerTx, u32)>,
    /// The INVITE of ours that began the leg.
    pub(super) invite_out: Option<ClientTx>,
    /// Its sequence number.
    pub(super) invite_cseq: u32,
    /// What a call to the outside was made of, to be made again with proof.
    pub(super) dialled: Option<Dialled>,
    /// An INVITE within the dialog that we sent and that is not yet answered.
    pub(super) reinvite_out: Option<ClientTx>,
    /// Their SDP offer that we have not answered.
    pub(super) sdp_offer: Option<Box<Description>>,
    /// Our ACK to their 2xx and its way, for when that comes again.
    pub(super) ack: Option<(Flow, Arc<[u8]>)>,
    /// Their ACK to our 2xx came; before it, no BYE may go (RFC 3261 15).
    pub(super) acknowledged: bool,
    pub(super) status: Option<u16>,
    pub(super) media: Option<LegMedia>,
    /// Whether it ever had media: its record comes with the last count of packets then.
    pub(super) had_media: bool,
    /// How far we have asked into its silence.
    pub(super) asked: Asked,
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
    pub(super) flow: Flow,
    pub(super) behind_nat: bool,
    pub(super) call_id: Arc<str>,
}

impl Engine {
    pub(super) fn leg(&self, key: LegKey) -> Option<&Leg> {
        self.legs.get(key.slot as usize).filter(|leg| leg.key == key)
    }

    pub(super) fn leg_mut(&mut self, key: LegKey) -> Option<&mut Leg> {
        self.legs.get_mut(key.slot as usize).filter(|leg| leg.key == key)
    }

    /// Adds a leg to its contact.
    pub(super) fn add_leg(&mut self, now: Time, new: NewLeg) -> LegKey {
        let slot = self.legs.vacant_key() as u32;
        let key = LegKey { slot, token: self.seed.next_u32() };
        let mut number = 0;
        let mut contact_id = None;
        if let Some(contact) = self.contact_mut(new.contact) {
            contact.legs_ever += 1;
            number = contact.legs_ever;
            contact.legs.push(key);
            contact_id = Some(contact.id);
        }
        let agent = match new.role {
            Role::Agent(agent) => {
                self.agents[agent.index()].legs += 1;
                Some(agent)
            }
            Role::Caller | Role::External(_) => None,
        };
        let began = crate::report::FactKind::LegBegan { leg: number, role: new.role.label(), agent, call_id: new.call_id };
        self.fact(now, contact_id, began);
        self.legs.insert(Leg {
            key,
            contact: new.contact,
            number,
            role: new.role,
            state: new.state,
            flow: new.flow,
            behind_nat: new.behind_nat,
            dialog: None,
            call_key: None,
            invite_in: None,
            invite_out: None,
            invite_cseq: 1,
            dialled: None,
            reinvite_out: None,
            sdp_offer: None,
            ack: None,
            acknowledged: false,
            status: None,
            media: None,
            had_media: false,
            asked: Asked::No,
        });
        key
    }
}

/// A Call-ID of ours: the shard, then 128 random bits.
pub(super) fn new_call_id(shard: u16, seed: &mut Seed) -> Arc<str> {
    format!("{shard:02x}{:016x}{:016x}", seed.next_u64(), seed.next_u64()).into()
}

impl TxUser {
    /// The leg that the transaction belongs to.
    pub(super) fn leg(self) -> Option<LegKey> {
        match self {
            TxUser::Invite(leg) | TxUser::Reinvite(leg) | TxUser::Bye(leg) | TxUser::Alive(leg) | TxUser::Notify(leg) => {
                Some(leg)
            }
            TxUser::Probe(_) | TxUser::Fork => None,
        }
    }
}
