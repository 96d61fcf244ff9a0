//! One call as one of its two parties knows it, and the table of all of them.

use std::sync::Arc;
use std::time::Duration;

use slab::Slab;

use super::sound::Side;
use super::voice::VoiceId;
use crate::base::Time;
use crate::base::deadline::DeadlineId;
use crate::sdp::Direction;
use crate::sip::dialog::Dialog;
use crate::sip::stack::{ClientTx, ServerTx};

/// A call. One that is over refers to nothing, for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct CallId {
    slot: u32,
    serial: u32,
}

/// The state of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// The caller waits for an answer.
    Calling,
    /// The caller has hung up before one came, and waits for the server to say so.
    Cancelled,
    /// The agent's phone rings.
    Ringing,
    /// The call was answered.
    Up,
    /// This side has hung up, and waits for the answer to its BYE.
    Leaving,
    /// It is over, and kept for a while so that late messages are answered.
    Over,
}

/// The party whose view of the call this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Party {
    /// The caller, by the number of the call.
    Caller(u64),
    /// An agent.
    Agent(u32),
}

pub(super) struct Call {
    serial: u32,
    pub(super) party: Party,
    pub(super) state: State,
    pub(super) tag: Box<str>,
    pub(super) dialog: Option<Dialog>,
    pub(super) invite_out: Option<ClientTx>,
    pub(super) invite_in: Option<ServerTx>,
    /// The ACK to the 200, for the case that it gets lost.
    pub(super) ack: Option<Arc<[u8]>>,
    /// A re-INVITE of ours is under way.
    pub(super) reinvite: Option<u32>,
    pub(super) voice: Option<VoiceId>,
    pub(super) port: u16,
    pub(super) session_version: u64,
    /// The media direction that this side asks for.
    pub(super) direction: Direction,
    /// The description that the phone will answer with.
    pub(super) answer: Vec<u8>,
    pub(super) began: Time,
    /// The call of the other party, while they are known to talk.
    pub(super) partner: Option<CallId>,
    /// When the talk with a person began.
    pub(super) talk_since: Option<Time>,
    /// Whether the person talked to has a voice.
    pub(super) partner_speaks: bool,
    /// The end of the caller's patience, or of the talk.
    pub(super) ending: Option<DeadlineId>,
    /// Whether the agent lets it ring.
    pub(super) ignored: bool,
    /// Whether the caller was transferred.
    pub(super) passed_on: bool,
}

impl Call {
    pub(super) const fn side(&self) -> Side {
        match self.party {
            Party::Caller(_) => Side::Caller,
            Party::Agent(_) => Side::Agent,
        }
    }

    /// Whether a talk took long enough to say whether the other side was heard.
    pub(super) fn can_be_judged(&self, now: Time) -> bool {
        const LONG_ENOUGH: Duration = Duration::from_millis(500);
        self.partner_speaks && self.talk_since.is_some_and(|since| now.since(since) >= LONG_ENOUGH)
    }
}

/// The table of calls.
#[derive(Default)]
pub(super) struct Calls {
    all: Slab<Call>,
    serial: u32,
}

impl Calls {
    /// A call that begins now, in a dialog whose tag of ours names its place.
    pub(super) fn insert(&mut self, party: Party, state: State, began: Time, random: u64) -> CallId {
        self.serial = self.serial.wrapping_add(1);
        let (entry, serial) = (self.all.vacant_entry(), self.serial);
        let slot = entry.key() as u32;
        entry.insert(Call {
            serial,
            party,
            state,
            tag: format!("{slot:x}-{random:016x}").into(),
            dialog: None,
            invite_out: None,
            invite_in: None,
            ack: None,
            reinvite: None,
            voice: None,
            port: 0,
            session_version: 1,
            direction: Direction::SendRecv,
            answer: Vec::new(),
            began,
            partner: None,
            talk_since: None,
            partner_speaks: false,
            ending: None,
            ignored: false,
            passed_on: false,
        });
        CallId { slot, serial }
    }

    pub(super) fn get(&self, id: CallId) -> Option<&Call> {
        self.all.get(id.slot as usize).filter(|call| call.serial == id.serial)
    }

    pub(super) fn get_mut(&mut self, id: CallId) -> Option<&mut Call> {
        self.all.get_mut(id.slot as usize).filter(|call| call.serial == id.serial)
    }

    pub(super) fn remove(&mut self, id: CallId) {
        if self.get(id).is_some() {
            self.all.remove(id.slot as usize);
        }
    }

    /// The call with this tag of ours.
    pub(super) fn by_tag(&self, tag: &str) -> Option<CallId> {
        let slot = u32::from_str_radix(tag.split('-').next()?, 16).ok()?;
        let call = self.all.get(slot as usize).filter(|call| &*call.tag == tag)?;
        Some(CallId { slot, serial: call.serial })
    }

    /// The calls that are not over.
    pub(super) fn alive(&self) -> impl Iterator<Item = (CallId, &Call)> {
        let name = |(slot, call): (usize, &Call)| CallId { slot: slot as u32, serial: call.serial };
        self.all.iter().filter(|(_, call)| call.state != State::Over).map(move |(slot, call)| (name((slot, call)), call))
    }

    /// How many are in the table, over or not.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}
