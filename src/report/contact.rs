//! A contact's record: what is kept of it once it is over.

use std::sync::Arc;
use std::time::Duration;

use crate::base::words::{Channel, EndedBy, OfferOutcome, Segment};
use crate::base::{ContactId, Time};

/// A name of the directory, shared by the records that bear it.
pub type Name = Arc<str>;

/// A contact that is over.
#[derive(Clone, PartialEq, Debug)]
pub struct ContactRecord {
    /// Which.
    pub id: ContactId,
    /// By which channel it came.
    pub channel: Channel,
    /// When.
    pub arrived: Time,
    /// How it ended.
    pub end: End,
    /// At which entry it came in; `None`: directly to a queue, or an agent's own call.
    pub entry: Option<Name>,
    /// Over which trunk.
    pub trunk: Option<Name>,
    /// Who called.
    pub from: Box<str>,
    /// The number dialled.
    pub dialled: Box<str>,
    /// The last queue it was in.
    pub queue: Option<Name>,
    /// The language it chose.
    pub language: Option<Name>,
    /// In all lines together.
    pub waited: Duration,
    /// In all talks together.
    pub talked: Duration,
    /// How often it was passed on.
    pub transfers: u32,
    /// Whether all of it is known; else its arrival was lost, and with it most of the rest.
    pub whole: bool,
    /// What it consisted of: they tile its time.
    pub segments: Vec<SegmentRecord>,
    /// Its SIP dialogs.
    pub legs: Vec<LegRecord>,
    /// The agents who were rung for it.
    pub offers: Vec<OfferRecord>,
}

/// How a contact ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// When.
    pub at: Time,
    /// By whom.
    pub by: EndedBy,
    /// In which segment.
    pub segment: Segment,
    /// The SIP status that the caller was refused with, if the call was never answered.
    pub status: Option<u16>,
}

/// A stretch of a contact with one purpose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentRecord {
    /// The purpose.
    pub segment: Segment,
    /// Its queue.
    pub queue: Option<Name>,
    /// Its agent.
    pub agent: Option<Name>,
    /// From when.
    pub began: Time,
    /// Until when.
    pub ended: Time,
}

/// A SIP dialog of a contact.
#[derive(Clone, PartialEq, Debug)]
pub struct LegRecord {
    /// Its number within the contact.
    pub number: u32,
    /// `caller`, `agent` or `external`.
    pub role: Name,
    /// The agent, if it is one's.
    pub agent: Option<Name>,
    /// Its SIP Call-ID.
    pub call_id: Box<str>,
    /// From when.
    pub began: Time,
    /// How it ended; `None` when the process did not live to see it.
    pub end: Option<LegEnd>,
}

/// How a leg ended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LegEnd {
    /// When.
    pub at: Time,
    /// The final status of its INVITE, if it had one.
    pub status: Option<u16>,
    /// RTP packets received.
    pub received: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// RTP packets that never came.
    pub lost: u64,
    /// Interarrival jitter at its end.
    pub jitter: Duration,
}

/// An agent who was rung for a contact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfferRecord {
    /// For which queue.
    pub queue: Name,
    /// Who.
    pub agent: Name,
    /// From when.
    pub offered: Time,
    /// When and how it ended; `None` when the process did not live to see it.
    pub end: Option<(Time, OfferOutcome)>,
}

impl ContactRecord {
    /// Of a contact that has just arrived. Its end is filled in when it comes.
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
