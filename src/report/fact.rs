//! A fact: one thing of note that happened at a moment, most often to a contact.

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
    /// When.
    pub at: Time,
    /// To which contact, if to one.
    pub contact: Option<ContactId>,
    /// What.
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
        /// By which channel.
        channel: Channel,
        /// Over which trunk; `None` for an agent's own call.
        trunk: Option<TrunkId>,
        /// At which entry; `None` is `direct`.
        entry: Option<EntryId>,
        /// Who called.
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
        /// What begins in its place; `None` when the contact ends.
        next: Option<Next>,
    },
    /// A contact joined a line.
    Entered {
        /// The queue.
        queue: QueueId,
        /// The caller's language.
        language: Option<SkillId>,
        /// How many were in it, this one included.
        waiting: u32,
        /// Head start from earlier waits.
        credit: Duration,
        /// It is served as if it had arrived then: head starts and credits are taken off.
        as_of: Time,
        /// Whether it goes before all who are none.
        emergency: bool,
        /// How those who may serve it stood.
        weighed: Weighed,
        /// How long it may take.
        estimate: Estimate,
        /// The agent whom it waits for first.
        prefers: Option<AgentId>,
    },
    /// A contact left a line.
    Left {
        /// The queue.
        queue: QueueId,
        /// The caller's language.
        language: Option<SkillId>,
        /// How.
        outcome: QueueOutcome,
        /// After how long in this line.
        waited: Duration,
        /// Whether that was within the queue's target.
        in_target: bool,
        /// How that was beside what had been expected; `None` where nothing had to be expected or it left before that could be told.
        estimated: Option<EstimateOutcome>,
    },
    /// What a contact in a queue asks for was relaxed.
    Widened {
        /// The queue.
        queue: QueueId,
        /// How many steps of its widening hold now.
        step: u32,
        /// How those who may serve it now stood.
        weighed: Weighed,
    },
    /// An agent is reserved for a contact, and about to be rung.
    Offered {
        /// For which queue.
        queue: QueueId,
        /// The agent.
        agent: AgentId,
        /// How those who may serve it stood, this agent among the busy ones.
        weighed: Weighed,
    },
    /// An offer is over.
    OfferEnded {
        /// For which queue.
        queue: QueueId,
        /// The agent.
        agent: AgentId,
        /// How it ended.
        outcome: OfferOutcome,
        /// After how long.
        rang: Duration,
    },
    /// A leg began.
    LegBegan {
        /// Its number within the contact.
        leg: u32,
        /// `caller`, `agent` or `external`.
        role: &'static str,
        /// The agent, if it is one's.
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
        /// Interarrival jitter at its end.
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
        /// How.
        kind: TransferKind,
        /// From the agency of the agent who passed it on.
        from: Option<AgencyId>,
        /// To the agency of the queue or agent; `None` outside.
        to: Option<AgencyId>,
        /// What became of it.
        outcome: TransferOutcome,
    },
    /// A contact ended.
    Ended {
        /// Who ended it.
        by: EndedBy,
        /// In which segment.
        segment: Segment,
        /// The last queue it was in.
        queue: Option<QueueId>,
        /// When it had arrived.
        arrived: Time,
        /// The SIP status that the caller was refused with, if the call was never answered.
        status: Option<u16>,
    },
    /// An agent's state changed.
    Agent {
        /// Who.
        agent: AgentId,
        /// From which state, with the reason of a break.
        from: (AgentState, Option<BreakReason>),
        /// To which.
        to: (AgentState, Option<BreakReason>),
        /// How long the old state lasted.
        lasted: Duration,
    },
    /// A trunk's calls changed by one.
    TrunkCalls {
        /// Which.
        trunk: TrunkId,
        /// Which way.
        direction: Direction,
        /// How many are up now.
        up: u32,
    },
    /// A trunk was found up or down.
    TrunkUp {
        /// Which.
        trunk: TrunkId,
        /// Whether it answers.
        up: bool,
    },
    /// A limit was reached: something was refused.
    LimitHit {
        /// Which.
        limit: Limit,
    },
    /// Something that must not happen was put right.
    Repaired {
        /// What; a fixed name.
        kind: &'static str,
    },
}
