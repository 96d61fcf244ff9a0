//! An event: a fact with names instead of indexes, as the log writes it; also events of the log itself.

use std::borrow::Cow;
use std::time::Duration;

use super::names::{Names, name};
use super::{Fact, FactKind};
use crate::base::words::{
    AgentState, BreakReason, Channel, Direction, EndedBy, EstimateOutcome, EventKind, OfferOutcome, QueueOutcome, Segment,
    TransferKind, TransferOutcome,
};
use crate::base::{ContactId, Estimate, Time, Weighed};

/// A name or a text, borrowed from the fact or the line wherever possible.
pub type Text<'a> = Cow<'a, str>;

/// One thing that happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Event<'a> {
    /// When it happened.
    pub at: Time,
    /// The contact, if it concerns one.
    pub contact: Option<ContactId>,
    /// What happened.
    pub what: What<'a>,
}

/// What happened: [`FactKind`] with names, and the events of the log itself.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "the fields are those of FactKind, where they are described")]
pub enum What<'a> {
    /// A contact came in.
    Arrived {
        channel: Channel,
        trunk: Option<Text<'a>>,
        entry: Option<Text<'a>>,
        from: Text<'a>,
        dialled: Text<'a>,
        call_id: Text<'a>,
    },
    /// A segment closed.
    SegmentEnded {
        segment: Segment,
        queue: Option<Text<'a>>,
        agent: Option<Text<'a>>,
        began: Time,
        next: Option<NextSegment<'a>>,
    },
    /// A contact joined a queue.
    Entered {
        queue: Text<'a>,
        language: Option<Text<'a>>,
        waiting: u32,
        credit: Duration,
        as_of: Time,
        emergency: bool,
        weighed: Weighed,
        estimate: Estimate,
        prefers: Option<Text<'a>>,
    },
    /// A contact left a queue.
    Left {
        queue: Text<'a>,
        language: Option<Text<'a>>,
        outcome: QueueOutcome,
        waited: Duration,
        in_target: bool,
        estimated: Option<EstimateOutcome>,
    },
    /// The demand of a waiting contact was relaxed.
    Widened { queue: Text<'a>, step: u32, weighed: Weighed },
    /// An agent is about to be rung.
    Offered { queue: Text<'a>, agent: Text<'a>, weighed: Weighed },
    /// The ringing of an agent is over.
    OfferEnded { queue: Text<'a>, agent: Text<'a>, outcome: OfferOutcome, rang: Duration },
    /// A leg began.
    LegBegan { leg: u32, role: Text<'a>, agent: Option<Text<'a>>, call_id: Text<'a> },
    /// A leg ended.
    LegEnded { leg: u32, role: Text<'a>, status: Option<u16>, packets: (u64, u64, u64), jitter: Duration },
    /// A talk is over.
    TalkEnded { queue: Option<Text<'a>>, agent: Option<Text<'a>>, lasted: Duration },
    /// A transfer was decided.
    Transferred { kind: TransferKind, from: Option<Text<'a>>, to: Option<Text<'a>>, outcome: TransferOutcome },
    /// A contact ended.
    Ended { by: EndedBy, segment: Segment, queue: Option<Text<'a>>, arrived: Time, status: Option<u16> },
    /// An agent's state changed.
    Agent { agent: Text<'a>, from: (AgentState, Option<BreakReason>), to: (AgentState, Option<BreakReason>), lasted: Duration },
    /// A trunk's calls changed by one.
    TrunkCalls { trunk: Text<'a>, direction: Direction, up: u32 },
    /// A trunk was found up or down.
    TrunkUp { trunk: Text<'a>, up: bool },
    /// Something was refused at a limit.
    LimitHit { limit: Text<'a> },
    /// A state that must never occur was repaired.
    Repaired { kind: Text<'a> },
    /// A process began. What was open before it has been closed already.
    Started,
    /// The first line of each file.
    FileBegan {
        /// When the oldest open contact arrived: open contacts need no file that ended before.
        since: Option<Time>,
    },
    /// A process ended in good order.
    Stopped {
        /// How many contacts it left open: some only after faults.
        open: u64,
    },
}

/// A segment that begins.
#[derive(Clone, PartialEq, Debug)]
pub struct NextSegment<'a> {
    /// Its purpose.
    pub segment: Segment,
    /// Its queue.
    pub queue: Option<Text<'a>>,
    /// Its agent.
    pub agent: Option<Text<'a>>,
}

impl Event<'_> {
    /// The kind that the log writes.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self.what {
            What::Arrived { .. } => EventKind::Arrived,
            What::SegmentEnded { .. } => EventKind::SegmentEnded,
            What::Entered { .. } => EventKind::Entered,
            What::Left { .. } => EventKind::Left,
            What::Widened { .. } => EventKind::Widened,
            What::Offered { .. } => EventKind::Offered,
            What::OfferEnded { .. } => EventKind::OfferEnded,
            What::LegBegan { .. } => EventKind::LegBegan,
            What::LegEnded { .. } => EventKind::LegEnded,
            What::TalkEnded { .. } => EventKind::TalkEnded,
            What::Transferred { .. } => EventKind::Transferred,
            What::Ended { .. } => EventKind::Ended,
            What::Agent { .. } => EventKind::Agent,
            What::TrunkCalls { .. } => EventKind::TrunkCalls,
            What::TrunkUp { .. } => EventKind::TrunkUp,
            What::LimitHit { .. } => EventKind::LimitHit,
            What::Repaired { .. } => EventKind::Repaired,
            What::Started => EventKind::Started,
            What::FileBegan { .. } => EventKind::FileBegan,
            What::Stopped { .. } => EventKind::Stopped,
        }
    }
}

impl<'a> Event<'a> {
    /// The event of a fact. Nothing is copied.
    #[must_use]
    pub fn of(fact: &'a Fact, names: &'a Names) -> Self {
        Event { at: fact.at, contact: fact.contact, what: What::of(&fact.kind, names) }
    }
}

impl<'a> What<'a> {
    fn of(kind: &'a FactKind, names: &'a Names) -> Self {
        let queue = |id: crate::base::QueueId| Text::Borrowed(name(&names.queues, id.index()));
        let agent = |id: crate::base::AgentId| Text::Borrowed(name(&names.agents, id.index()));
        let agency = |id: crate::base::AgencyId| Text::Borrowed(name(&names.agencies, id.index()));
        let trunk = |id: crate::base::TrunkId| Text::Borrowed(name(&names.trunks, id.index()));
        let entry = |id: crate::base::EntryId| Text::Borrowed(name(&names.entries, id.index()));
        let skill = |id: crate::base::SkillId| Text::Borrowed(name(&names.skills, id.index()));
        match kind {
            FactKind::Arrived { channel, trunk: over, entry: at, from, dialled, call_id } => What::Arrived {
                channel: *channel,
                trunk: over.map(trunk),
                entry: at.map(entry),
                from: Text::Borrowed(from),
                dialled: Text::Borrowed(dialled),
                call_id: Text::Borrowed(call_id),
            },
            FactKind::SegmentEnded { segment, queue: of, agent: with, began, next } => What::SegmentEnded {
                segment: *segment,
                queue: of.map(queue),
                agent: with.map(agent),
                began: *began,
                next: next.map(|n| NextSegment { segment: n.segment, queue: n.queue.map(queue), agent: n.agent.map(agent) }),
            },
            FactKind::Entered { queue: of, language, waiting, credit, as_of, emergency, weighed, estimate, prefers } => {
                What::Entered {
                    queue: queue(*of),
                    language: language.map(skill),
                    waiting: *waiting,
                    credit: *credit,
                    as_of: *as_of,
                    emergency: *emergency,
                    weighed: *weighed,
                    estimate: *estimate,
                    prefers: prefers.map(agent),
                }
            }
            FactKind::Left { queue: of, language, outcome, waited, in_target, estimated } => What::Left {
                queue: queue(*of),
                language: language.map(skill),
                outcome: *outcome,
                waited: *waited,
                in_target: *in_target,
                estimated: *estimated,
            },
            FactKind::Widened { queue: of, step, weighed } => What::Widened { queue: queue(*of), step: *step, weighed: *weighed },
            FactKind::Offered { queue: of, agent: to, weighed } => {
                What::Offered { queue: queue(*of), agent: agent(*to), weighed: *weighed }
            }
            FactKind::OfferEnded { queue: of, agent: to, outcome, rang } => {
                What::OfferEnded { queue: queue(*of), agent: agent(*to), outcome: *outcome, rang: *rang }
            }
            FactKind::LegBegan { leg, role, agent: to, call_id } => {
                What::LegBegan { leg: *leg, role: Text::Borrowed(role), agent: to.map(agent), call_id: Text::Borrowed(call_id) }
            }
            FactKind::LegEnded { leg, role, status, packets, jitter } => {
                What::LegEnded { leg: *leg, role: Text::Borrowed(role), status: *status, packets: *packets, jitter: *jitter }
            }
            FactKind::TalkEnded { queue: of, agent: with, lasted } => {
                What::TalkEnded { queue: of.map(queue), agent: with.map(agent), lasted: *lasted }
            }
            FactKind::Transferred { kind, from, to, outcome } => {
                What::Transferred { kind: *kind, from: from.map(agency), to: to.map(agency), outcome: *outcome }
            }
            FactKind::Ended { by, segment, queue: of, arrived, status } => {
                What::Ended { by: *by, segment: *segment, queue: of.map(queue), arrived: *arrived, status: *status }
            }
            FactKind::Agent { agent: who, from, to, lasted } => {
                What::Agent { agent: agent(*who), from: *from, to: *to, lasted: *lasted }
            }
            FactKind::TrunkCalls { trunk: over, direction, up } => {
                What::TrunkCalls { trunk: trunk(*over), direction: *direction, up: *up }
            }
            FactKind::TrunkUp { trunk: which, up } => What::TrunkUp { trunk: trunk(*which), up: *up },
            FactKind::LimitHit { limit } => What::LimitHit { limit: Text::Borrowed(limit.label()) },
            FactKind::Repaired { kind } => What::Repaired { kind: Text::Borrowed(kind) },
        }
    }
}
