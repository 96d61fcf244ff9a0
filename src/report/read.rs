//! A line of the log as an event again. Borrows from the line whatever needs no unescaping.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;

use super::event::{Event, NextSegment, Text, What};
use super::record::VERSION;
use crate::base::words::{
    AgentState, BreakReason, Channel, Direction, EndedBy, EventKind, OfferOutcome, QueueOutcome, Segment, TransferKind,
    TransferOutcome,
};
use crate::base::{ContactId, Time};

/// Why a line cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadLine {
    /// It is no JSON object with fields of these types: torn, most likely.
    #[error("not a line of the log: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version wrote it.
    #[error("version {0} of the log is not known")]
    Version(u32),
    /// A field is missing, or its value is no word that is known.
    #[error("`{0}` is missing or unknown")]
    Field(&'static str),
}

/// Reads a line, with or without its end.
///
/// # Errors
/// When it is none that this version knows.
pub fn read(line: &[u8]) -> Result<Event<'_>, BadLine> {
    let flat: Flat<'_> = serde_json::from_slice(line)?;
    if flat.v != VERSION {
        return Err(BadLine::Version(flat.v));
    }
    let kind = EventKind::from_label(&flat.kind.0).ok_or(BadLine::Field("kind"))?;
    let contact = match &flat.contact {
        Some(text) => Some(text.0.parse::<ContactId>().map_err(|_| BadLine::Field("contact"))?),
        None => None,
    };
    Ok(Event { at: Time::from_micros(flat.at), contact, what: flat.what(kind)? })
}

/// A string that is borrowed where it has no escapes; in an `Option`, serde would copy a plain `Cow`.
#[derive(Deserialize)]
#[serde(transparent)]
struct Str<'a>(#[serde(borrow)] Cow<'a, str>);

/// Every field that any kind has.
#[derive(Deserialize)]
struct Flat<'a> {
    v: u32,
    at: u64,
    #[serde(borrow)]
    kind: Str<'a>,
    contact: Option<Str<'a>>,
    channel: Option<Str<'a>>,
    trunk: Option<Str<'a>>,
    entry: Option<Str<'a>>,
    from: Option<Str<'a>>,
    dialled: Option<Str<'a>>,
    call_id: Option<Str<'a>>,
    segment: Option<Str<'a>>,
    queue: Option<Str<'a>>,
    agent: Option<Str<'a>>,
    began: Option<u64>,
    next: Option<Str<'a>>,
    next_queue: Option<Str<'a>>,
    next_agent: Option<Str<'a>>,
    language: Option<Str<'a>>,
    waiting: Option<u32>,
    credit_us: Option<u64>,
    outcome: Option<Str<'a>>,
    waited_us: Option<u64>,
    in_target: Option<bool>,
    rang_us: Option<u64>,
    leg: Option<u32>,
    role: Option<Str<'a>>,
    status: Option<u16>,
    received: Option<u64>,
    sent: Option<u64>,
    lost: Option<u64>,
    jitter_us: Option<u64>,
    lasted_us: Option<u64>,
    transfer: Option<Str<'a>>,
    to: Option<Str<'a>>,
    by: Option<Str<'a>>,
    arrived: Option<u64>,
    from_reason: Option<Str<'a>>,
    to_reason: Option<Str<'a>>,
    direction: Option<Str<'a>>,
    calls: Option<u32>,
    up: Option<bool>,
    limit: Option<Str<'a>>,
    what: Option<Str<'a>>,
    open: Option<u64>,
    since: Option<u64>,
}

/// A field that the kind must have.
fn must<T>(field: Option<T>, name: &'static str) -> Result<T, BadLine> {
    field.ok_or(BadLine::Field(name))
}

fn text<'a>(field: Option<Str<'a>>, name: &'static str) -> Result<Text<'a>, BadLine> {
    must(field, name).map(|text| text.0)
}

fn maybe(field: Option<Str<'_>>) -> Option<Text<'_>> {
    field.map(|text| text.0)
}

fn word<T>(field: Option<Str<'_>>, name: &'static str, from_label: fn(&str) -> Option<T>) -> Result<T, BadLine> {
    from_label(&text(field, name)?).ok_or(BadLine::Field(name))
}

fn reason(field: Option<Str<'_>>, name: &'static str) -> Result<Option<BreakReason>, BadLine> {
    field.map(|text| BreakReason::from_label(&text.0).ok_or(BadLine::Field(name))).transpose()
}

fn span(field: Option<u64>, name: &'static str) -> Result<Duration, BadLine> {
    must(field, name).map(Duration::from_micros)
}

fn time(field: Option<u64>, name: &'static str) -> Result<Time, BadLine> {
    must(field, name).map(Time::from_micros)
}

impl<'a> Flat<'a> {
    fn what(self, kind: EventKind) -> Result<What<'a>, BadLine> {
        Ok(match kind {
            EventKind::Arrived => What::Arrived {
                channel: word(self.channel, "channel", Channel::from_label)?,
                trunk: maybe(self.trunk),
                entry: maybe(self.entry),
                from: text(self.from, "from")?,
                dialled: text(self.dialled, "dialled")?,
                call_id: text(self.call_id, "call_id")?,
            },
            EventKind::SegmentEnded => What::SegmentEnded {
                segment: word(self.segment, "segment", Segment::from_label)?,
                queue: maybe(self.queue),
                agent: maybe(self.agent),
                began: time(self.began, "began")?,
                next: match self.next {
                    Some(next) => Some(NextSegment {
                        segment: word(Some(next), "next", Segment::from_label)?,
                        queue: maybe(self.next_queue),
                        agent: maybe(self.next_agent),
                    }),
                    None => None,
                },
            },
            EventKind::Entered => What::Entered {
                queue: text(self.queue, "queue")?,
                language: maybe(self.language),
                waiting: must(self.waiting, "waiting")?,
                credit: span(self.credit_us, "credit_us")?,
            },
            EventKind::Left => What::Left {
                queue: text(self.queue, "queue")?,
                language: maybe(self.language),
                outcome: word(self.outcome, "outcome", QueueOutcome::from_label)?,
                waited: span(self.waited_us, "waited_us")?,
                in_target: must(self.in_target, "in_target")?,
            },
            EventKind::Offered => What::Offered { queue: text(self.queue, "queue")?, agent: text(self.agent, "agent")? },
            EventKind::OfferEnded => What::OfferEnded {
                queue: text(self.queue, "queue")?,
                agent: text(self.agent, "agent")?,
                outcome: word(self.outcome, "outcome", OfferOutcome::from_label)?,
                rang: span(self.rang_us, "rang_us")?,
            },
            EventKind::LegBegan => What::LegBegan {
                leg: must(self.leg, "leg")?,
                role: text(self.role, "role")?,
                agent: maybe(self.agent),
                call_id: text(self.call_id, "call_id")?,
            },
            EventKind::LegEnded => What::LegEnded {
                leg: must(self.leg, "leg")?,
                role: text(self.role, "role")?,
                status: self.status,
                packets: (must(self.received, "received")?, must(self.sent, "sent")?, must(self.lost, "lost")?),
                jitter: span(self.jitter_us, "jitter_us")?,
            },
            EventKind::TalkEnded => {
                What::TalkEnded { queue: maybe(self.queue), agent: maybe(self.agent), lasted: span(self.lasted_us, "lasted_us")? }
            }
            EventKind::Ended => What::Ended {
                by: word(self.by, "by", EndedBy::from_label)?,
                segment: word(self.segment, "segment", Segment::from_label)?,
                queue: maybe(self.queue),
                arrived: time(self.arrived, "arrived")?,
                status: self.status,
            },
            _ => return self.other(kind),
        })
    }

    /// What befalls others than a contact, and transfers.
    fn other(self, kind: EventKind) -> Result<What<'a>, BadLine> {
        Ok(match kind {
            EventKind::Transferred => What::Transferred {
                kind: word(self.transfer, "transfer", TransferKind::from_label)?,
                from: maybe(self.from),
                to: maybe(self.to),
                outcome: word(self.outcome, "outcome", TransferOutcome::from_label)?,
            },
            EventKind::Agent => What::Agent {
                agent: text(self.agent, "agent")?,
                from: (word(self.from, "from", AgentState::from_label)?, reason(self.from_reason, "from_reason")?),
                to: (word(self.to, "to", AgentState::from_label)?, reason(self.to_reason, "to_reason")?),
                lasted: span(self.lasted_us, "lasted_us")?,
            },
            EventKind::TrunkCalls => What::TrunkCalls {
                trunk: text(self.trunk, "trunk")?,
                direction: word(self.direction, "direction", Direction::from_label)?,
                up: must(self.calls, "calls")?,
            },
            EventKind::TrunkUp => What::TrunkUp { trunk: text(self.trunk, "trunk")?, up: must(self.up, "up")? },
            EventKind::LimitHit => What::LimitHit { limit: text(self.limit, "limit")? },
            EventKind::Repaired => What::Repaired { kind: text(self.what, "what")? },
            EventKind::Started => What::Started,
            EventKind::FileBegan => What::FileBegan { since: self.since.map(Time::from_micros) },
            EventKind::Stopped => What::Stopped { open: must(self.open, "open")? },
            _ => return Err(BadLine::Field("kind")),
        })
    }
}
