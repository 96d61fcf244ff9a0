//! A contact as the engine keeps it: the parties, where in the house it is, and its timers.

use std::sync::Arc;

use arrayvec::ArrayVec;
use smallvec::SmallVec;

use super::dial::{Dial, DialTo};
use super::legs::LegKey;
use super::media_port::MediaThread;
use super::ringing::Ringing;
use super::transfer::Transfer;
use super::{Engine, Reason};
use crate::acd::{ContactSlot, Key};
use crate::base::deadline::DeadlineId;
use crate::base::words::{EndedBy, Segment};
use crate::base::{AgentId, ContactId, EntryId, QueueId, ShardId, SkillId, Time, TrunkId};
use crate::call::contact::{Ticket, Timeline};
use crate::call::menu::Menu;
use crate::report::{FactKind, Next};

/// A contact of this engine; one that is gone refers to nothing, for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ContactKey {
    pub(super) shard: ShardId,
    pub(super) slot: u32,
    pub(super) serial: u64,
}

/// Why a contact wakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContactTimer {
    /// No key came in the entry.
    Key,
    /// The queue's requirement relaxes.
    Relax,
    /// The wait for one agent in particular is over.
    Prefer,
    /// The longest wait is over.
    WaitMax,
    /// The place in the queue is said.
    Announce,
    /// A ring has lasted long enough.
    Ring,
    /// A late-answered caller starts to hear music.
    EarlyMedia,
    /// The 183 is repeated.
    EarlyRepeat,
    /// Early media has lasted long enough.
    EarlyMax,
    /// The longest talk is over.
    TalkMax,
    /// A waiting caller is probed.
    Alive,
    /// A goodbye that never ends ends.
    GoodbyeMax,
}

/// An agent whom the matcher has reserved rings for a contact.
#[derive(Clone, Debug)]
pub(super) struct QueueRing {
    pub(super) agent: AgentId,
    pub(super) queue: QueueId,
    /// The contact's slot in the matcher that the agent is reserved for.
    pub(super) slot: ContactSlot,
    pub(super) since: Time,
    pub(super) ringing: Ringing,
}

/// The agents that ring for a contact: one, unless its queue rings several agents at once.
pub(super) type Rings = SmallVec<[QueueRing; 1]>;

/// Where in the house a contact is.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// In its entry.
    Entry(EntryId, Menu),
    /// In a queue, with nobody rung.
    Waiting,
    /// In a queue, and an agent is rung, or several.
    Ringing(Rings),
    /// Somebody in particular is being called.
    Dialling(Dial),
    /// With an agent; with somebody outside where there is none.
    Talking { agent: Option<AgentId>, leg: LegKey },
    /// Hears a last prompt.
    Goodbye(EndedBy),
    /// Over; legs are being ended.
    Over,
}

/// What the caller's feed is now, so that it is not told twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CallerHears {
    Nothing,
    Prompts(u64),
    Music,
    Agent,
}

#[derive(Debug)]
pub(super) struct Contact {
    pub(super) key: ContactKey,
    pub(super) id: ContactId,
    pub(super) arrived: Time,
    pub(super) emergency: bool,
    pub(super) trunk: Option<TrunkId>,
    /// Who calls, as the agent is shown it.
    pub(super) number: Arc<str>,
    pub(super) language: Option<SkillId>,
    pub(super) caller: LegKey,
    /// All legs that have not ended, the caller's included.
    pub(super) legs: SmallVec<[LegKey; 3]>,
    pub(super) legs_ever: u32,
    pub(super) phase: Phase,
    pub(super) timeline: Timeline,
    pub(super) slot: Option<ContactSlot>,
    /// The slots of further rings.
    pub(super) further: SmallVec<[ContactSlot; 2]>,
    pub(super) ticket: Option<Ticket>,
    pub(super) place: Option<Key>,
    pub(super) last_queue: Option<QueueId>,
    pub(super) hears: CallerHears,
    pub(super) thread: Option<MediaThread>,
    pub(super) max_forwards: u8,
    /// Whether the caller was answered (200).
    pub(super) ever_answered: bool,
    /// The agent whose own call it is.
    pub(super) own: Option<AgentId>,
    /// Whether that makes the agent busy; a feature code does not.
    pub(super) busies_owner: bool,
    pub(super) transfer: Option<Transfer>,
    /// How often it was passed on.
    pub(super) transfers: u8,
    pub(super) timers: ArrayVec<(ContactTimer, DeadlineId), 10>,
}

impl Contact {
    /// Whether the agent is the contact's: rung, talking, or passing it on.
    pub(super) fn has(&self, agent: AgentId) -> bool {
        let rung = match &self.phase {
            Phase::Ringing(rings) => rings.iter().any(|ring| ring.agent == agent),
            Phase::Dialling(dial) => dial.to == DialTo::Agent(agent),
            Phase::Talking { agent: with, .. } => *with == Some(agent),
            _ => false,
        };
        rung || self.transfer.is_some_and(|transfer| transfer.from == agent && transfer.leg.is_some())
    }

    /// Whether it is a call of the agent's own, that the agent is busy by.
    pub(super) fn is_own_call_of(&self, agent: AgentId) -> bool {
        self.own == Some(agent) && self.busies_owner && !matches!(self.phase, Phase::Over)
    }
}

impl Engine {
    pub(super) fn contact(&self, key: ContactKey) -> Option<&Contact> {
        self.contacts.get(key.slot as usize).filter(|contact| contact.key == key)
    }

    pub(super) fn contact_mut(&mut self, key: ContactKey) -> Option<&mut Contact> {
        self.contacts.get_mut(key.slot as usize).filter(|contact| contact.key == key)
    }

    pub(super) fn set_timer(&mut self, key: ContactKey, timer: ContactTimer, at: Time) {
        self.stop_timer(key, timer);
        let Some(contact) = self.contacts.get_mut(key.slot as usize).filter(|contact| contact.key == key) else { return };
        contact.timers.push((timer, self.deadlines.set(at, Reason::Contact(key, timer))));
    }

    pub(super) fn stop_timer(&mut self, key: ContactKey, timer: ContactTimer) {
        let Some(contact) = self.contacts.get_mut(key.slot as usize).filter(|contact| contact.key == key) else { return };
        if let Some(place) = contact.timers.iter().position(|(running, _)| *running == timer) {
            let (_, id) = contact.timers.swap_remove(place);
            self.deadlines.cancel(id);
        }
    }

    pub(super) fn stop_all_timers(&mut self, key: ContactKey) {
        let Some(contact) = self.contacts.get_mut(key.slot as usize).filter(|contact| contact.key == key) else { return };
        for (_, id) in contact.timers.drain(..) {
            self.deadlines.cancel(id);
        }
    }

    /// Closes the open segment of a contact and opens another.
    pub(super) fn turn(&mut self, now: Time, key: ContactKey, segment: Segment, queue: Option<QueueId>, agent: Option<AgentId>) {
        let Some(contact) = self.contact_mut(key) else { return };
        let id = contact.id;
        let closed = contact.timeline.turn(now, segment, queue, agent);
        let kind = FactKind::SegmentEnded {
            segment: closed.segment,
            queue: closed.queue,
            agent: closed.agent,
            began: closed.began,
            next: Some(Next { segment, queue, agent }),
        };
        self.fact(now, Some(id), kind);
    }

    pub(super) fn contact_timer(&mut self, now: Time, key: ContactKey, timer: ContactTimer) {
        let Some(contact) = self.contact_mut(key) else { return };
        contact.timers.retain(|(running, _)| *running != timer);
        match timer {
            ContactTimer::Key => self.menu_event(now, key, crate::call::menu::Event::TimedOut),
            ContactTimer::Relax => self.relax(now, key),
            ContactTimer::Prefer => self.prefer_nobody(now, key),
            ContactTimer::WaitMax => self.overflow(now, key),
            ContactTimer::Announce => self.announce(now, key),
            ContactTimer::Ring => self.rung_long_enough(now, key),
            ContactTimer::EarlyMedia => self.early_media(now, key),
            ContactTimer::EarlyRepeat => self.repeat_early(now, key),
            ContactTimer::EarlyMax => self.early_media_over(now, key),
            ContactTimer::TalkMax => self.talk_max(now, key),
            ContactTimer::Alive => self.probe_caller(now, key),
            ContactTimer::GoodbyeMax => self.goodbye_over(now, key),
        }
    }
}
