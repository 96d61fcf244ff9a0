//! Facts: what happened at a moment, most often to a contact.

use std::sync::Arc;
use std::time::Duration;

use crate::base::words::{
    AgentState, BreakReason, Channel, Direction, EndedBy, EstimateOutcome, Limit, OfferOutcome, QueueOutcome, Segment,
    TransferKind, TransferOutcome,
};
use crate::base::{AgencyId, AgentId, ContactId, EntryId, Estimate, QueueId, SkillId, Time, TrunkId, Weighed};

/// One thing that happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Fact {
    /// When it happened.
    pub at: Time,
    /// The contact, if it concerns one.
    pub contact: Option<ContactId>,
    /// What happened.
    pub kind: FactKind,
}

/// A segment that begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Next {
    /// Its purpose.
    pub segment: Segment,
    /// Its queue.
    pub queue: Option<QueueId>,
    /// Its agent.
    pub agent: Option<AgentId>,
}

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum FactKind {
    /// A contact came in.
    Arrived {
        /// The channel that it came by.
        channel: Channel,
        /// The trunk that it came over; `None` for an agent's own call.
        trunk: Option<TrunkId>,
        /// The entry that it came in at; `None` is `direct`.
        entry: Option<EntryId>,
        /// The caller's number.
        from: Arc<str>,
        /// The number dialled.
        dialled: Arc<str>,
        /// The SIP Call-ID of the caller's leg.
        call_id: Arc<str>,
    },
    /// A segment closed.
    SegmentEnded {
        /// Its purpose.
        segment: Segment,
        /// Its queue.
        queue: Option<QueueId>,
        /// Its agent.
        agent: Option<AgentId>,
        /// When it had begun.
        began: Time,
        /// The segment that follows; `None` when the contact ends.
        next: Option<Next>,
    },
    /// A contact joined a queue.
    Entered {
        /// The queue.
        queue: QueueId,
        /// The caller's language.
        language: Option<SkillId>,
        /// How many contacts were in it, this one included.
        waiting: u32,
        /// The credit of earlier waits.
        credit: Duration,
        /// The time of arrival that its order follows: its priority boost and credit are subtracted.
        as_of: Time,
        /// Whether it goes before all contacts that are no emergencies.
        emergency: bool,
        /// How the agents who may serve it stood.
        weighed: Weighed,
        /// The estimate of its wait.
        estimate: Estimate,
        /// The agent whom it waits for first.
        prefers: Option<AgentId>,
    },
    /// A contact left a queue.
    Left {
        /// The queue.
        queue: QueueId,
        /// The caller's language.
        language: Option<SkillId>,
        /// How it left.
        outcome: QueueOutcome,
        /// How long it was in this queue.
        waited: Duration,
        /// Whether that was within the queue's target.
        in_target: bool,
        /// How the estimate turned out; `None` if there was none, or the contact left before that could be said.
        estimated: Option<EstimateOutcome>,
    },
    /// The demand of a waiting contact was relaxed.
    Widened {
        /// The queue.
        queue: QueueId,
        /// How many relaxation steps hold now.
        step: u32,
        /// How the agents stood who may serve it now.
        weighed: Weighed,
    },
    /// An agent is reserved for a contact, and about to be rung.
    Offered {
        /// The queue.
        queue: QueueId,
        /// The agent.
        agent: AgentId,
        /// How the agents who may serve it stood, this one among the busy ones.
        weighed: Weighed,
    },
    /// The ringing of an agent is over.
    OfferEnded {
        /// The queue.
        queue: QueueId,
        /// The agent.
        agent: AgentId,
        /// How it ended.
        outcome: OfferOutcome,
        /// How long it rang.
        rang: Duration,
    },
    /// A leg began.
    LegBegan {
        /// Its number within the contact.
        leg: u32,
        /// `caller`, `agent` or `external`.
        role: &'static str,
        /// The agent, if it is an agent's leg.
        agent: Option<AgentId>,
        /// Its SIP Call-ID.
        call_id: Arc<str>,
    },
    /// A leg ended.
    LegEnded {
        /// Its number within the contact.
        leg: u32,
        /// `caller`, `agent` or `external`.
        role: &'static str,
        /// The final status of its INVITE, if it had one.
        status: Option<u16>,
        /// RTP packets received, sent and lost.
        packets: (u64, u64, u64),
        /// Interarrival jitter at the end (RFC 3550 6.4.1).
        jitter: Duration,
    },
    /// A talk is over.
    TalkEnded {
        /// The queue.
        queue: Option<QueueId>,
        /// The agent.
        agent: Option<AgentId>,
        /// How long it lasted.
        lasted: Duration,
    },
    /// A transfer was decided.
    Transferred {
        /// How it is passed on.
        kind: TransferKind,
        /// The agency of the agent who passed it on.
        from: Option<AgencyId>,
        /// The agency of the queue or agent that gets it; `None` outside.
        to: Option<AgencyId>,
        /// What became of it.
        outcome: TransferOutcome,
    },
    /// A contact ended.
    Ended {
        /// Who ended it.
        by: EndedBy,
        /// The segment in which it ended.
        segment: Segment,
        /// The last queue it was in.
        queue: Option<QueueId>,
        /// When it arrived.
        arrived: Time,
        /// The SIP status that the caller was refused with, if the call was never answered.
        status: Option<u16>,
    },
    /// An agent's state changed.
    Agent {
        /// The agent.
        agent: AgentId,
        /// The old state, with the reason of a break.
        from: (AgentState, Option<BreakReason>),
        /// The new state, with the reason of a break.
        to: (AgentState, Option<BreakReason>),
        /// How long the old state lasted.
        lasted: Duration,
    },
    /// A trunk's calls changed by one.
    TrunkCalls {
        /// The trunk.
        trunk: TrunkId,
        /// The direction of the call.
        direction: Direction,
        /// How many are up now.
        up: u32,
    },
    /// A trunk was found up or down.
    TrunkUp {
        /// The trunk.
        trunk: TrunkId,
        /// Whether it answers.
        up: bool,
    },
    /// A limit was reached: something was refused.
    LimitHit {
        /// The limit.
        limit: Limit,
    },
    /// A state that must never occur was repaired.
    Repaired {
        /// What was repaired; a fixed name.
        kind: &'static str,
    },
}
