//! A contact: its parties, where in the house it is, and its timers.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::ringing::{Purpose, Ringing};
use crate::acd::ContactSlot;
use crate::acd::contact_slots::ContactSlots;
use crate::acd::stay::Stay;
use crate::base::deadline::DeadlineId;
use crate::base::words::{EndedBy, OfferOutcome, Segment, TransferKind};
use crate::base::{AgencyId, AgentId, ContactId, EntryId, QueueId, SkillId, Time, TrunkId};
use crate::call::contact::Timeline;
use crate::call::conversation::Place;
use crate::call::leg::Role;
use crate::call::menu::Menu;
use crate::engine::between::{ContactKey, ContactRef, ContactTimer, DialTo, LegKey, NotRung, Reason, ToDesk};
use crate::engine::context::Context;
use crate::report::{FactKind, Next as NextSegment};

/// An agent whom the matcher has reserved rings for a contact.
#[derive(Clone, Debug)]
pub(super) struct QueueRing {
    pub(super) agent: AgentId,
    /// The agent's slot that is reserved.
    pub(super) agent_slot: AgentId,
    pub(super) queue: QueueId,
    /// The contact's slot in the matcher that the agent is reserved for.
    pub(super) slot: ContactSlot,
    pub(super) since: Time,
    pub(super) ringing: Ringing,
    /// Why no phone rings, where that may change.
    pub(super) not_rung: Option<NotRung>,
    /// The phone that has answered, until the matcher has said that the agent is the contact's.
    pub(super) answering: Option<LegKey>,
    /// Whether that phone has hung up again meanwhile.
    pub(super) hung_up: bool,
}

/// The agents that ring for a contact: one, unless its queue rings several agents at once.
pub(super) type Rings = SmallVec<[QueueRing; 1]>;

/// Somebody in particular is being called.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    pub(super) to: DialTo,
    pub(super) purpose: Purpose,
    pub(super) ringing: Ringing,
    pub(super) desk: DeskSays,
}

/// What the desk of an agent who is called in particular has said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DeskSays {
    /// Nobody's desk is asked: a number is called.
    NotAsked,
    /// Nothing yet.
    Nothing,
    /// The agent is the contact's.
    Taken,
    /// The agent has been let go, or was never had.
    LetGo,
}

/// A transfer under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    /// Who passes the caller on.
    pub(super) from: AgentId,
    /// Their leg, while it is there: it hears how it goes, and gets the caller back.
    pub(super) leg: Option<LegKey>,
    pub(super) kind: TransferKind,
    pub(super) to_agency: Option<AgencyId>,
}

/// Where in the house a contact is.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// It has arrived, and has not been told what it begins with.
    Arrived,
    /// In its entry.
    Entry(EntryId, Menu),
    /// On its way into a queue.
    Joining,
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

/// How far the caller's call is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answered {
    /// Not at all.
    No,
    /// It hears something before it is answered.
    Early,
    /// It is.
    Yes,
}

/// What the caller is fed now, so that it is not told twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CallerHears {
    Nothing,
    Prompts(u64),
    Music,
    Agent,
}

/// The caller, as its contact knows it.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) leg: LegKey,
    /// Whether its leg is there.
    pub(super) up: bool,
    pub(super) answer: Answered,
    pub(super) holds: bool,
    pub(super) hears: CallerHears,
    /// Whether it is asked to go over to another contact.
    pub(super) given: bool,
}

impl Caller {
    /// Whether its call is answered.
    pub(super) fn is_answered(&self) -> bool {
        self.answer == Answered::Yes
    }
}

/// A leg that is not the caller's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Party {
    pub(super) leg: LegKey,
    pub(super) role: Role,
    pub(super) holds: bool,
    pub(super) standing: Standing,
    /// Whether it has come from another contact.
    pub(super) guest: bool,
}

impl Party {
    /// Whether the desk counts it among the legs to the agent's phones, if it is an agent's: a text rings no phone, and a guest's rings no more.
    pub(super) const fn rings_a_phone(&self) -> bool {
        !self.guest && !self.leg.is_text()
    }
}

/// What a leg is in its contact's talk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// It is in no talk: it rings, waits for how its caller is passed on, or ends.
    Apart,
    /// It talks.
    Talks(Place),
    /// It is asked to go over to another contact.
    Given,
}

impl Standing {
    /// Its place in the talk, if it is in it.
    pub(super) const fn place(self) -> Option<Place> {
        match self {
            Standing::Talks(place) => Some(place),
            Standing::Apart | Standing::Given => None,
        }
    }
}

/// Which slots of agents of other shards were told that they are offered the contact in which of its slots. Few contacts have any.
#[derive(Default, Debug)]
pub(super) struct Named(Option<Box<SmallVec<[Offered; 2]>>>);

/// A slot of the contact's, and the agent's slot that it is offered to.
type Offered = (ContactSlot, AgentId);

impl Named {
    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = Offered> {
        self.0.iter().flat_map(|named| named.iter().copied())
    }

    /// The agent's slot that was told of this slot of the contact's.
    pub(super) fn of(&self, slot: ContactSlot) -> Option<AgentId> {
        self.iter().find(|(named, _)| *named == slot).map(|(_, agent_slot)| agent_slot)
    }

    /// The agent's slot is told of this slot of the contact's.
    pub(super) fn put(&mut self, slot: ContactSlot, agent_slot: AgentId) {
        self.forget(slot);
        self.0.get_or_insert_default().push((slot, agent_slot));
    }

    /// This slot of the contact's is offered to nobody any more.
    pub(super) fn forget(&mut self, slot: ContactSlot) {
        if let Some(named) = &mut self.0 {
            named.retain(|(known, _)| *known != slot);
        }
    }
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
    pub(super) caller: Caller,
    /// All other legs that have not ended.
    pub(super) others: SmallVec<[Party; 1]>,
    /// Calls of which nothing is known yet, and the trunk that one of them goes over.
    pub(super) calls_asked: u8,
    pub(super) trunk_asked: Option<TrunkId>,
    pub(super) named: Named,
    pub(super) phase: Phase,
    pub(super) timeline: Timeline,
    /// Its place in a queue, while it has one.
    pub(super) stay: Option<Stay>,
    pub(super) last_queue: Option<QueueId>,
    pub(super) max_forwards: u8,
    /// The agent whose own call it is.
    pub(super) own: Option<AgentId>,
    /// Whether that makes the agent busy; a feature code does not.
    pub(super) busies_owner: bool,
    /// Few are being passed on, so that it does not make each contact larger.
    pub(super) transfer: Option<Box<Transfer>>,
    /// How often it was passed on.
    pub(super) transfers: u8,
    /// Seldom more than seven at once.
    pub(super) timers: SmallVec<[(ContactTimer, DeadlineId); 7]>,
}

impl Contact {
    /// As others know it.
    pub(super) const fn reference(&self) -> ContactRef {
        ContactRef { key: self.key, id: self.id }
    }

    /// Whether the agent is the contact's: rung, talking, or passing it on.
    pub(super) fn has(&self, agent: AgentId) -> bool {
        let rung = match &self.phase {
            Phase::Ringing(rings) => rings.iter().any(|ring| ring.agent == agent),
            Phase::Dialling(dial) => dial.to == DialTo::Agent(agent),
            Phase::Talking { agent: with, .. } => *with == Some(agent),
            _ => false,
        };
        let guest = |party: &Party| party.guest && party.role == Role::Agent(agent);
        rung || self.others.iter().any(guest)
            || self.transfer.as_ref().is_some_and(|transfer| transfer.from == agent && transfer.leg.is_some())
    }

    /// Whether it is a call of the agent's own, that the agent is busy by.
    pub(super) fn is_own_call_of(&self, agent: AgentId) -> bool {
        self.own == Some(agent) && self.busies_owner && !matches!(self.phase, Phase::Over)
    }

    /// Whether it is in a queue, or on its way into one.
    pub(super) const fn is_in_queue(&self) -> bool {
        matches!(self.phase, Phase::Joining | Phase::Waiting | Phase::Ringing(_))
    }

    /// Whether nothing is left of it.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Over) && !self.caller.up && self.others.is_empty() && self.calls_asked == 0
    }

    /// The agents that ring for it.
    pub(super) fn rings(&self) -> &[QueueRing] {
        if let Phase::Ringing(rings) = &self.phase { rings } else { &[] }
    }

    /// A leg that is not the caller's.
    pub(super) fn other(&mut self, leg: LegKey) -> Option<&mut Party> {
        self.others.iter_mut().find(|party| party.leg == leg)
    }

    /// The call to this agent, while it waits for the agent's desk.
    pub(super) fn asks_for(&mut self, agent: AgentId) -> Option<&mut Dial> {
        match &mut self.phase {
            Phase::Dialling(dial) if dial.to == DialTo::Agent(agent) && dial.desk == DeskSays::Nothing => Some(dial),
            _ => None,
        }
    }

    /// How long it has waited, in this queue and those before it.
    pub(super) fn waited_so_far(&self, now: Time) -> Duration {
        now.since(self.stay.as_ref().map_or(self.arrived, Stay::arrival))
    }

    /// Gives its place in a queue up, which is what it was.
    pub(super) fn forget_stay(&mut self, slots: &mut ContactSlots<ContactKey>) -> Option<Stay> {
        self.named = Named::default();
        let stay = self.stay.take()?;
        stay.give_back(slots);
        Some(stay)
    }

    /// The agent whom it was passed on by, or was with, is free of it.
    pub(super) fn let_agent_go(&self, cx: &mut Context<'_>, agent: AgentId) {
        cx.tell_desk(agent, ToDesk::TalkOver(self.id, self.last_queue));
    }

    /// Notes how the offer of this ring ended.
    pub(super) fn offer_ended(&self, cx: &mut Context<'_>, ring: &QueueRing, outcome: OfferOutcome) {
        let rang = cx.now.since(ring.since);
        self.fact(cx, FactKind::OfferEnded { queue: ring.queue, agent: ring.agent, outcome, rang });
    }

    /// Reports a fact of it.
    pub(super) fn fact(&self, cx: &mut Context<'_>, kind: FactKind) {
        cx.fact(Some(self.id), kind);
    }

    /// Closes the open segment and opens another.
    pub(super) fn turn(&mut self, cx: &mut Context<'_>, segment: Segment, queue: Option<QueueId>, agent: Option<AgentId>) {
        let closed = self.timeline.turn(cx.now, segment, queue, agent);
        let kind = FactKind::SegmentEnded {
            segment: closed.segment,
            queue: closed.queue,
            agent: closed.agent,
            began: closed.began,
            next: Some(NextSegment { segment, queue, agent }),
        };
        self.fact(cx, kind);
    }

    pub(super) fn set_timer(&mut self, cx: &mut Context<'_>, timer: ContactTimer, at: Time) {
        self.stop_timer(cx, timer);
        self.timers.push((timer, cx.timers.set(at, Reason::Contact(self.key, timer))));
    }

    pub(super) fn stop_timer(&mut self, cx: &mut Context<'_>, timer: ContactTimer) {
        if let Some(place) = self.timers.iter().position(|(running, _)| *running == timer) {
            let (_, id) = self.timers.swap_remove(place);
            cx.timers.cancel(id);
        }
    }

    pub(super) fn stop_all_timers(&mut self, cx: &mut Context<'_>) {
        for (_, id) in self.timers.drain(..) {
            cx.timers.cancel(id);
        }
    }
}
