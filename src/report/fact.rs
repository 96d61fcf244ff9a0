//! Facts: what happened at a moment, most often to a contact.
//!
//! They are one list, [`FactOf`]. Inside of the process a fact has indexes ([`FactKind`]); in the log it has names
//! ([`What`](super::event::What)). The kinds, the lines and the way from indexes to names follow from the list.
//!
//! To add a fact, or a field, touch three places at most:
//!
//! 1. **The list below**: the variant with its word for the log, its fields with their types and keys.
//! 2. **Where it happens**: `self.fact(now, contact, FactKind::Fresh { .. })`, most often in the engine.
//! 3. **A consumer that cares**, if there is one: the records, the metrics, the pages.
//!
//! All other consumers ignore what they do not know: their matches end in `_ => {}`. A field of a type that no fact has
//! had so far needs a `Value` (`value.rs`) and a `Named` (`family.rs`), too. A key that was ever written keeps its name
//! and its meaning. A new field of an old fact is an `Option` or has an `or`, since older lines lack it.
//! `tests/tidy.rs` holds the three places; `golden_tests.rs` asks for a line of the new kind, and keeps it.

use std::time::Duration;

use super::declare::facts;
use super::decode::BadLine;
use super::encode::Line;
use super::family::{Family, Ids, Named, Texts};
use super::names::Names;
use super::scan::Fields;
use super::value::Field;
use crate::base::words::{
    AgentState, BreakReason, Channel, Direction, EndedBy, EstimateOutcome, LegRole, Limit, OfferOutcome, QueueOutcome, Repair,
    Segment, TransferKind, TransferOutcome, words,
};
use crate::base::{ContactId, Estimate, Time, Weighed};

/// What happened, with indexes.
pub type FactKind = FactOf<Ids>;

/// A segment that begins, with indexes.
pub type Next = NextOf<Ids>;

/// A segment that begins, with names.
pub type NextSegment<'a> = NextOf<Texts<'a>>;

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
pub struct NextOf<N: Family> {
    /// Its purpose.
    pub segment: Segment,
    /// Its queue.
    pub queue: Option<N::Queue>,
    /// Its agent.
    pub agent: Option<N::Agent>,
}

impl<'a> Named<'a, NextSegment<'a>> for Next {
    fn named(&'a self, names: &'a Names) -> NextSegment<'a> {
        NextOf { segment: self.segment, queue: self.queue.named(names), agent: self.agent.named(names) }
    }
}

facts! {
    /// What happened. The last three are of the log itself: only it reports them.
    #[derive(Clone, PartialEq, Debug)]
    pub enum FactOf<N: Family>, EventKind {
        /// A contact came in.
        Arrived = "arrived" {
            /// The channel that it came by.
            channel: Channel = "channel",
            /// The trunk that it came over; `None` for an agent's own call.
            trunk: Option<N::Trunk> = "trunk",
            /// The entry that it came in at; `None` is `direct`.
            entry: Option<N::Entry> = "entry",
            /// The caller's number.
            from: N::Text = "from",
            /// The number dialled.
            dialled: N::Text = "dialled",
            /// The SIP Call-ID of the caller's leg.
            call_id: N::Text = "call_id",
        },
        /// A segment closed.
        SegmentEnded = "segment_ended" {
            /// Its purpose.
            segment: Segment = "segment",
            /// Its queue.
            queue: Option<N::Queue> = "queue",
            /// Its agent.
            agent: Option<N::Agent> = "agent",
            /// When it had begun.
            began: Time = "began",
            /// The segment that follows; `None` when the contact ends.
            next: Option<NextOf<N>> = ("next", "next_queue", "next_agent"),
        },
        /// A contact joined a queue.
        Entered = "entered" {
            /// The queue.
            queue: N::Queue = "queue",
            /// The caller's language.
            language: Option<N::Skill> = "language",
            /// How many contacts were in it, this one included.
            waiting: u32 = "waiting",
            /// The credit of earlier waits.
            credit: Duration = "credit_us",
            /// The time of arrival that its order follows: its priority boost and credit are subtracted.
            as_of: Time = "as_of" or Time::ZERO,
            /// Whether it goes before all contacts that are no emergencies.
            emergency: bool = "emergency" or false,
            /// How the agents who may serve it stood.
            weighed: Weighed = (),
            /// The agent whom it waits for first.
            prefers: Option<N::Agent> = "prefers",
            /// The estimate of its wait.
            estimate: Estimate = (),
        },
        /// A contact left a queue.
        Left = "left" {
            /// The queue.
            queue: N::Queue = "queue",
            /// The caller's language.
            language: Option<N::Skill> = "language",
            /// How it left.
            outcome: QueueOutcome = "outcome",
            /// How long it was in this queue.
            waited: Duration = "waited_us",
            /// Whether that was within the queue's target.
            in_target: bool = "in_target",
            /// How the estimate turned out; `None` if there was none, or the contact left before that could be said.
            estimated: Option<EstimateOutcome> = "estimated",
        },
        /// The demand of a waiting contact was relaxed.
        Widened = "widened" {
            /// The queue.
            queue: N::Queue = "queue",
            /// How many relaxation steps hold now.
            step: u32 = "step",
            /// How the agents stood who may serve it now.
            weighed: Weighed = (),
        },
        /// A waiting contact waits for one agent in particular no longer.
        PreferenceOver = "preference_over" {
            /// The queue.
            queue: N::Queue = "queue",
            /// How many relaxation steps hold now.
            step: u32 = "step",
            /// How the agents stood who may serve it now.
            weighed: Weighed = (),
        },
        /// An agent is reserved for a contact, and about to be rung.
        Offered = "offered" {
            /// The queue.
            queue: N::Queue = "queue",
            /// The agent.
            agent: N::Agent = "agent",
            /// How the agents who may serve it stood, this one among the busy ones.
            weighed: Weighed = (),
        },
        /// The ringing of an agent is over.
        OfferEnded = "offer_ended" {
            /// The queue.
            queue: N::Queue = "queue",
            /// The agent.
            agent: N::Agent = "agent",
            /// How it ended.
            outcome: OfferOutcome = "outcome",
            /// How long it rang.
            rang: Duration = "rang_us",
        },
        /// A leg began.
        LegBegan = "leg_began" {
            /// Its number within the contact.
            leg: u32 = "leg",
            /// Whose it is.
            role: N::Label<LegRole> = "role",
            /// The agent, if it is an agent's leg.
            agent: Option<N::Agent> = "agent",
            /// Its SIP Call-ID.
            call_id: N::Text = "call_id",
        },
        /// A leg ended.
        LegEnded = "leg_ended" {
            /// Its number within the contact.
            leg: u32 = "leg",
            /// Whose it is.
            role: N::Label<LegRole> = "role",
            /// The final status of its INVITE, if it had one.
            status: Option<u16> = "status",
            /// RTP packets received, sent and lost.
            packets: (u64, u64, u64) = ("received", "sent", "lost"),
            /// Interarrival jitter at the end (RFC 3550 6.4.1).
            jitter: Duration = "jitter_us",
        },
        /// A leg has gone over to another contact.
        LegMoved = "leg_moved" {
            /// Its number within this contact.
            leg: u32 = "leg",
            /// The contact that it has come to.
            to: ContactId = "to",
        },
        /// A talk is over.
        TalkEnded = "talk_ended" {
            /// The queue.
            queue: Option<N::Queue> = "queue",
            /// The agent.
            agent: Option<N::Agent> = "agent",
            /// How long it lasted.
            lasted: Duration = "lasted_us",
        },
        /// A transfer was decided.
        Transferred = "transferred" {
            /// How it is passed on.
            kind: TransferKind = "transfer",
            /// The agency of the agent who passed it on.
            from: Option<N::Agency> = "from",
            /// The agency of the queue or agent that gets it; `None` outside.
            to: Option<N::Agency> = "to",
            /// What became of it.
            outcome: TransferOutcome = "outcome",
        },
        /// A contact ended.
        Ended = "ended" {
            /// Who ended it.
            by: EndedBy = "by",
            /// The segment in which it ended.
            segment: Segment = "segment",
            /// The last queue it was in.
            queue: Option<N::Queue> = "queue",
            /// When it arrived.
            arrived: Time = "arrived",
            /// The SIP status that the caller was refused with, if the call was never answered.
            status: Option<u16> = "status",
        },
        /// An agent's state changed.
        Agent = "agent" {
            /// The agent.
            agent: N::Agent = "agent",
            /// The old state, with the reason of a break.
            from: (AgentState, Option<BreakReason>) = ("from", "from_reason"),
            /// The new state, with the reason of a break.
            to: (AgentState, Option<BreakReason>) = ("to", "to_reason"),
            /// How long the old state lasted.
            lasted: Duration = "lasted_us",
        },
        /// A trunk's calls changed by one.
        TrunkCalls = "trunk_calls" {
            /// The trunk.
            trunk: N::Trunk = "trunk",
            /// The direction of the call.
            direction: Direction = "direction",
            /// How many are up now.
            up: u32 = "calls",
        },
        /// A trunk was found up or down.
        TrunkUp = "trunk_up" {
            /// The trunk.
            trunk: N::Trunk = "trunk",
            /// Whether it answers.
            up: bool = "up",
        },
        /// A limit was reached: something was refused.
        LimitHit = "limit_hit" {
            /// The limit.
            limit: N::Label<Limit> = "limit",
        },
        /// A state that must never occur was repaired.
        Repaired = "repaired" {
            /// What was repaired.
            kind: N::Label<Repair> = "what",
        },
        /// A process began. What was open before it has been closed already.
        Started = "started",
        /// The first line of each file.
        FileBegan = "file_began" {
            /// When the oldest open contact arrived: open contacts need no file that ended before.
            since: Option<Time> = "since",
        },
        /// A process ended in good order.
        Stopped = "stopped" {
            /// How many contacts it left open: some only after faults.
            open: u64 = "open",
        },
    }
}
