//! The record of a contact that is over (CDR).

use std::sync::Arc;
use std::time::Duration;

use crate::base::words::{Channel, EndedBy, OfferOutcome, Segment};
use crate::base::{ContactId, Time};

/// A name of the directory, shared by the records that have it.
pub type Name = Arc<str>;

/// A contact that is over.
#[derive(Clone, PartialEq, Debug)]
pub struct ContactRecord {
    /// Its identifier.
    pub id: ContactId,
    /// The channel that it came by.
    pub channel: Channel,
    /// When it arrived.
    pub arrived: Time,
    /// How it ended.
    pub end: End,
    /// The entry that it came in at; `None`: directly to a queue, or an agent's own call.
    pub entry: Option<Name>,
    /// The trunk that it came over; `None` for an agent's own call.
    pub trunk: Option<Name>,
    /// The caller's number.
    pub from: Box<str>,
    /// The number dialled.
    pub dialled: Box<str>,
    /// The last queue it was in.
    pub queue: Option<Name>,
    /// The language it chose.
    pub language: Option<Name>,
    /// Time in all queues together.
    pub waited: Duration,
    /// Time in all talks together.
    pub talked: Duration,
    /// How often it was transferred.
    pub transfers: u32,
    /// Whether its beginning is known; if not, its arrival and most of the rest were lost.
    pub whole: bool,
    /// Its segments, which tile its time.
    pub segments: Vec<SegmentRecord>,
    /// Its SIP dialogs.
    pub legs: Vec<LegRecord>,
    /// The agents who were rung for it.
    pub offers: Vec<OfferRecord>,
}

/// How a contact ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// When it ended.
    pub at: Time,
    /// Who ended it.
    pub by: EndedBy,
    /// The segment in which it ended.
    pub segment: Segment,
    /// The SIP status that the caller was refused with, if the call was never answered.
    pub status: Option<u16>,
}

/// A stretch of a contact with one purpose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentRecord {
    /// Its purpose.
    pub segment: Segment,
    /// Its queue.
    pub queue: Option<Name>,
    /// Its agent.
    pub agent: Option<Name>,
    /// When it began.
    pub began: Time,
    /// When it ended.
    pub ended: Time,
}

/// A SIP dialog of a contact.
#[derive(Clone, PartialEq, Debug)]
pub struct LegRecord {
    /// Its number within the contact.
    pub number: u32,
    /// `caller`, `agent` or `external`.
    pub role: Name,
    /// The agent, if it is an agent's leg.
    pub agent: Option<Name>,
    /// Its SIP Call-ID.
    pub call_id: Box<str>,
    /// When it began.
    pub began: Time,
    /// How it ended; `None` when the process died before.
    pub end: Option<LegEnd>,
}

/// How a leg ended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LegEnd {
    /// When it ended.
    pub at: Time,
    /// The final status of its INVITE, if it had one.
    pub status: Option<u16>,
    /// RTP packets received.
    pub received: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// RTP packets that were sent to us and never came.
    pub lost: u64,
    /// Interarrival jitter at the end (RFC 3550 6.4.1).
    pub jitter: Duration,
}

/// An agent who was rung for a contact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfferRecord {
    /// The queue.
    pub queue: Name,
    /// The agent.
    pub agent: Name,
    /// When ringing began.
    pub offered: Time,
    /// When and how it ended; `None` when the process died before.
    pub end: Option<(Time, OfferOutcome)>,
}

impl ContactRecord {
    /// The record of a contact that has just arrived; its end is filled in later.
    pub(super) fn new(id: ContactId, channel: Channel, arrived: Time) -> Self {
        let end = End { at: arrived, by: EndedBy::Crash, segment: Segment::Entry, status: None };
        ContactRecord {
            id,
            channel,
            arrived,
            end,
            entry: None,
            trunk: None,
            from: "".into(),
            dialled: "".into(),
            queue: None,
            language: None,
            waited: Duration::ZERO,
            talked: Duration::ZERO,
            transfers: 0,
            whole: true,
            segments: Vec::new(),
            legs: Vec::new(),
            offers: Vec::new(),
        }
    }
}
