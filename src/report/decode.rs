//! Reads a line of the log as an event. Borrows from the line whatever needs no unescaping.

use std::time::Duration;

use super::encode::VERSION;
use super::event::{Event, NextSegment, What};
use super::fields::Fields;
use crate::base::words::{
    AgentState, BreakReason, Channel, Direction, EndedBy, EstimateOutcome, EventKind, OfferOutcome, QueueOutcome, Segment,
    TransferKind, TransferOutcome,
};
use crate::base::{ContactId, Estimate, Range, Time, Weighed};

/// Why a line cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadLine {
    /// It is not a JSON object; most likely it is torn.
    #[error("this is no JSON object")]
    Json,
    /// A version of the format that is not known here.
    #[error("version {0} of the log is not known")]
    Version(u32),
    /// This field is missing, or its value is not known.
    #[error("`{0}` is missing or unknown")]
    Field(&'static str),
}

/// Reads a line, with or without its line end.
///
/// # Errors
/// When the line is torn, of another version, or lacks a field.
pub fn read(line: &[u8]) -> Result<Event<'_>, BadLine> {
    let mut fields = Fields::of(line)?;
    let version = fields.number("v")?;
    if version != VERSION {
        return Err(BadLine::Version(version));
    }
    let at = fields.time("at")?;
    let kind = fields.word("kind", EventKind::from_label)?;
    let contact = fields.maybe_word("contact", |text| text.parse::<ContactId>().ok())?;
    Ok(Event { at, contact, what: what(kind, &mut fields)? })
}

/// The events of a contact.
fn what<'a>(kind: EventKind, line: &mut Fields<'a>) -> Result<What<'a>, BadLine> {
    Ok(match kind {
        EventKind::Arrived => What::Arrived {
            channel: line.word("channel", Channel::from_label)?,
            trunk: line.maybe("trunk"),
            entry: line.maybe("entry"),
            from: line.text("from")?,
            dialled: line.text("dialled")?,
            call_id: line.text("call_id")?,
        },
        EventKind::SegmentEnded => What::SegmentEnded {
            segment: line.word("segment", Segment::from_label)?,
            queue: line.maybe("queue"),
            agent: line.maybe("agent"),
            began: line.time("began")?,
            next: line.maybe_word("next", Segment::from_label)?.map(|segment| NextSegment {
                segment,
                queue: line.maybe("next_queue"),
                agent: line.maybe("next_agent"),
            }),
        },
        EventKind::Entered => What::Entered {
            queue: line.text("queue")?,
            language: line.maybe("language"),
            waiting: line.number("waiting")?,
            credit: line.span("credit_us")?,
            // Lines that were written before the ledger have none of these fields.
            as_of: line.time("as_of").unwrap_or(Time::ZERO),
            emergency: line.flag("emergency").unwrap_or(false),
            weighed: weighed(line),
            estimate: estimate(line),
            prefers: line.maybe("prefers"),
        },
        EventKind::Widened => What::Widened { queue: line.text("queue")?, step: line.number("step")?, weighed: weighed(line) },
        EventKind::Left => What::Left {
            queue: line.text("queue")?,
            language: line.maybe("language"),
            outcome: line.word("outcome", QueueOutcome::from_label)?,
            waited: line.span("waited_us")?,
            in_target: line.flag("in_target")?,
            estimated: line.maybe_word("estimated", EstimateOutcome::from_label)?,
        },
        EventKind::Offered => What::Offered { queue: line.text("queue")?, agent: line.text("agent")?, weighed: weighed(line) },
        EventKind::OfferEnded => What::OfferEnded {
            queue: line.text("queue")?,
            agent: line.text("agent")?,
            outcome: line.word("outcome", OfferOutcome::from_label)?,
            rang: line.span("rang_us")?,
        },
        EventKind::LegBegan => What::LegBegan {
            leg: line.number("leg")?,
            role: line.text("role")?,
            agent: line.maybe("agent"),
            call_id: line.text("call_id")?,
        },
        EventKind::LegEnded => What::LegEnded {
            leg: line.number("leg")?,
            role: line.text("role")?,
            status: line.some("status"),
            packets: (line.number("received")?, line.number("sent")?, line.number("lost")?),
            jitter: line.span("jitter_us")?,
        },
        EventKind::TalkEnded => {
            What::TalkEnded { queue: line.maybe("queue"), agent: line.maybe("agent"), lasted: line.span("lasted_us")? }
        }
        EventKind::Transferred => What::Transferred {
            kind: line.word("transfer", TransferKind::from_label)?,
            from: line.maybe("from"),
            to: line.maybe("to"),
            outcome: line.word("outcome", TransferOutcome::from_label)?,
        },
        EventKind::Ended => What::Ended {
            by: line.word("by", EndedBy::from_label)?,
            segment: line.word("segment", Segment::from_label)?,
            queue: line.maybe("queue"),
            arrived: line.time("arrived")?,
            status: line.some("status"),
        },
        _ => return other(kind, line),
    })
}

/// What the decision weighed.
fn weighed(line: &mut Fields<'_>) -> Weighed {
    Weighed {
        map_version: line.some("map").unwrap_or(0),
        free: line.some("free").unwrap_or(0),
        busy: line.some("busy").unwrap_or(0),
        on_break: line.some("on_break").unwrap_or(0),
        offline: line.some("offline").unwrap_or(0),
        lent: line.some("lent").unwrap_or(0),
        kept: line.some("kept").unwrap_or(0),
    }
}

/// The estimate; none in lines that were written before there were estimates.
fn estimate(line: &mut Fields<'_>) -> Estimate {
    let mut span = |name| line.some(name).map(Duration::from_micros);
    match (span("estimate_low_us"), span("estimate_us"), span("estimate_high_us")) {
        (Some(low), Some(likely), Some(high)) => Estimate::Known(Range { low, likely, high }),
        _ if line.maybe("estimate").is_some() => Estimate::Unknown,
        _ => Estimate::Needless,
    }
}

/// The events of others, and of the log itself.
fn other<'a>(kind: EventKind, line: &mut Fields<'a>) -> Result<What<'a>, BadLine> {
    Ok(match kind {
        EventKind::Agent => What::Agent {
            agent: line.text("agent")?,
            from: (line.word("from", AgentState::from_label)?, line.maybe_word("from_reason", BreakReason::from_label)?),
            to: (line.word("to", AgentState::from_label)?, line.maybe_word("to_reason", BreakReason::from_label)?),
            lasted: line.span("lasted_us")?,
        },
        EventKind::TrunkCalls => What::TrunkCalls {
            trunk: line.text("trunk")?,
            direction: line.word("direction", Direction::from_label)?,
            up: line.number("calls")?,
        },
        EventKind::TrunkUp => What::TrunkUp { trunk: line.text("trunk")?, up: line.flag("up")? },
        EventKind::LimitHit => What::LimitHit { limit: line.text("limit")? },
        EventKind::Repaired => What::Repaired { kind: line.text("what")? },
        EventKind::Started => What::Started,
        EventKind::FileBegan => What::FileBegan { since: line.some("since").map(Time::from_micros) },
        EventKind::Stopped => What::Stopped { open: line.number("open")? },
        _ => return Err(BadLine::Field("kind")),
    })
}
