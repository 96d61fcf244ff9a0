//! Writes an event as a line of the log: one JSON object, `{"v":1,"at":...,"kind":"...",...}`.
//!
//! It owns the format. Times are microseconds since the Unix epoch; durations end in `_us`. Items of the directory are
//! named, and labels are those of [`words`](crate::base::words). Absent values are left out. It is written by hand
//! because it happens a dozen times in each call: nothing is allocated but the line's own room. A reader skips kinds
//! that it does not know; a changed meaning gets a new `v`.

use std::time::Duration;

use super::event::{Event, What};
use crate::base::words::{BreakReason, EstimateOutcome, EventKind};
use crate::base::{Estimate, Range, Time, Weighed};

/// The version that is written.
pub const VERSION: u32 = 1;
/// The beginning of each line, up to the time.
const BEGIN: &str = "{\"v\":1,\"at\":";
/// The text between the time and the kind.
const KIND: &str = ",\"kind\":\"";

/// Appends an event to `out` as a line, its end included.
pub fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(BEGIN.as_bytes());
    number(event.at.micros(), out);
    out.extend_from_slice(KIND.as_bytes());
    out.extend_from_slice(event.kind().label().as_bytes());
    out.push(b'"');
    if let Some(contact) = event.contact {
        out.extend_from_slice(b",\"contact\":\"");
        out.extend_from_slice(&contact.text());
        out.push(b'"');
    }
    fields(&event.what, &mut Object(out));
    out.extend_from_slice(b"}\n");
}

/// The time and the kind of a line that [`write()`] wrote, without reading the rest of it.
#[must_use]
pub fn peek(line: &[u8]) -> Option<(Time, EventKind)> {
    let rest = line.strip_prefix(BEGIN.as_bytes())?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let at = str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let rest = rest[digits..].strip_prefix(KIND.as_bytes())?;
    let end = memchr::memchr(b'"', rest)?;
    Some((Time::from_micros(at), EventKind::from_label(str::from_utf8(&rest[..end]).ok()?)?))
}

fn weighed(weighed: &Weighed, to: &mut Object<'_>) {
    to.number("map", weighed.map_version).number("free", weighed.free.into()).number("busy", weighed.busy.into());
    to.number("on_break", weighed.on_break.into()).number("offline", weighed.offline.into());
    // Few installations lend agents, so these fields are mostly left out.
    if weighed.lent + weighed.kept > 0 {
        to.number("lent", weighed.lent.into()).number("kept", weighed.kept.into());
    }
}

fn fields(what: &What<'_>, to: &mut Object<'_>) {
    match what {
        What::Arrived { channel, trunk, entry, from, dialled, call_id } => {
            to.word("channel", channel.label()).name("trunk", trunk.as_deref()).name("entry", entry.as_deref());
            to.text("from", from).text("dialled", dialled).text("call_id", call_id);
        }
        What::SegmentEnded { segment, queue, agent, began, next } => {
            to.word("segment", segment.label()).name("queue", queue.as_deref()).name("agent", agent.as_deref());
            to.number("began", began.micros());
            if let Some(next) = next {
                to.word("next", next.segment.label());
                to.name("next_queue", next.queue.as_deref()).name("next_agent", next.agent.as_deref());
            }
        }
        What::Entered { queue, language, waiting, credit, as_of, emergency, weighed: by, estimate, prefers } => {
            to.text("queue", queue).name("language", language.as_deref());
            to.number("waiting", (*waiting).into()).span("credit_us", *credit);
            to.number("as_of", as_of.micros()).flag("emergency", *emergency);
            weighed(by, to);
            to.name("prefers", prefers.as_deref());
            match estimate {
                Estimate::Needless => {}
                Estimate::Unknown => drop(to.word("estimate", "unknown")),
                Estimate::Known(Range { low, likely, high }) => {
                    to.span("estimate_low_us", *low).span("estimate_us", *likely).span("estimate_high_us", *high);
                }
            }
        }
        What::Widened { queue, step, weighed: by } => {
            to.text("queue", queue).number("step", (*step).into());
            weighed(by, to);
        }
        What::Left { queue, language, outcome, waited, in_target, estimated } => {
            to.text("queue", queue).name("language", language.as_deref()).word("outcome", outcome.label());
            to.span("waited_us", *waited).flag("in_target", *in_target);
            to.name("estimated", estimated.map(EstimateOutcome::label));
        }
        What::Offered { queue, agent, weighed: by } => {
            to.text("queue", queue).text("agent", agent);
            weighed(by, to);
        }
        What::OfferEnded { queue, agent, outcome, rang } => {
            to.text("queue", queue).text("agent", agent).word("outcome", outcome.label()).span("rang_us", *rang);
        }
        What::LegBegan { leg, role, agent, call_id } => {
            to.number("leg", (*leg).into()).text("role", role).name("agent", agent.as_deref()).text("call_id", call_id);
        }
        What::LegEnded { leg, role, status, packets: (received, sent, lost), jitter } => {
            to.number("leg", (*leg).into()).text("role", role).some("status", status.map(u64::from));
            to.number("received", *received).number("sent", *sent).number("lost", *lost).span("jitter_us", *jitter);
        }
        What::TalkEnded { queue, agent, lasted } => {
            to.name("queue", queue.as_deref()).name("agent", agent.as_deref()).span("lasted_us", *lasted);
        }
        What::Transferred { kind, from, to: towards, outcome } => {
            to.word("transfer", kind.label()).name("from", from.as_deref()).name("to", towards.as_deref());
            to.word("outcome", outcome.label());
        }
        What::Ended { by, segment, queue, arrived, status } => {
            to.word("by", by.label()).word("segment", segment.label()).name("queue", queue.as_deref());
            to.number("arrived", arrived.micros()).some("status", status.map(u64::from));
        }
        What::Agent { agent, from, to: towards, lasted } => {
            to.text("agent", agent).word("from", from.0.label());
            to.name("from_reason", from.1.map(BreakReason::label)).word("to", towards.0.label());
            to.name("to_reason", towards.1.map(BreakReason::label)).span("lasted_us", *lasted);
        }
        What::TrunkCalls { trunk, direction, up } => {
            to.text("trunk", trunk).word("direction", direction.label()).number("calls", (*up).into());
        }
        What::TrunkUp { trunk, up } => {
            to.text("trunk", trunk).flag("up", *up);
        }
        What::LimitHit { limit } => {
            to.text("limit", limit);
        }
        What::Repaired { kind } => {
            to.text("what", kind);
        }
        What::Started => {}
        What::FileBegan { since } => {
            to.some("since", since.map(Time::micros));
        }
        What::Stopped { open } => {
            to.number("open", *open);
        }
    }
}

/// An object whose first field is written already.
struct Object<'o>(&'o mut Vec<u8>);

impl Object<'_> {
    fn key(&mut self, key: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    /// A label of ours: nothing in it needs an escape.
    fn word(&mut self, key: &str, word: &str) -> &mut Self {
        self.key(key);
        self.0.push(b'"');
        self.0.extend_from_slice(word.as_bytes());
        self.0.push(b'"');
        self
    }

    /// Any text.
    fn text(&mut self, key: &str, text: &str) -> &mut Self {
        self.key(key);
        self.0.push(b'"');
        escape(text.as_bytes(), self.0);
        self.0.push(b'"');
        self
    }

    fn name(&mut self, key: &str, name: Option<&str>) -> &mut Self {
        match name {
            Some(name) => self.text(key, name),
            None => self,
        }
    }

    fn number(&mut self, key: &str, value: u64) -> &mut Self {
        self.key(key);
        number(value, self.0);
        self
    }

    fn some(&mut self, key: &str, value: Option<u64>) -> &mut Self {
        match value {
            Some(value) => self.number(key, value),
            None => self,
        }
    }

    fn span(&mut self, key: &str, span: Duration) -> &mut Self {
        self.number(key, u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
    }

    fn flag(&mut self, key: &str, flag: bool) {
        self.key(key);
        self.0.extend_from_slice(if flag { b"true" } else { b"false" });
    }
}

fn number(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut place = digits.len();
    loop {
        place -= 1;
        digits[place] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[place..]);
}

/// Appends text with the escapes of JSON (RFC 8259 7).
fn escape(text: &[u8], out: &mut Vec<u8>) {
    let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let mut rest = text;
    while let Some(place) = rest.iter().position(special) {
        out.extend_from_slice(&rest[..place]);
        match rest[place] {
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            byte => {
                let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
            }
        }
        rest = &rest[place + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "golden_tests.rs"]
mod golden;
