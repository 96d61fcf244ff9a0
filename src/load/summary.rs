//! The result of a run: a table for people, a JSON object for machines.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::histogram::Percentiles;

/// The counts of agents.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct AgentSummary {
    /// Agents who were registered at the end.
    pub registered: u32,
    /// Registrations that failed.
    pub not_registered: u32,
    /// Calls that rang.
    pub rung: u64,
    /// Calls that were answered.
    pub answered: u64,
    /// Calls that came while another was up.
    pub busy: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Calls that were left ringing.
    pub ignored: u64,
    /// Calls whose ringing the server ended.
    pub withdrawn: u64,
    /// Talks that the agent ended.
    pub hung_up_first: u64,
    /// Talks in which the caller was put on hold.
    pub held: u64,
    /// Callers transferred.
    pub passed_on: u64,
}

/// RTP in total.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Rtp {
    /// Packets sent.
    pub sent: u64,
    /// Packets received.
    pub received: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Interarrival jitter at the end of each voice (RFC 3550 6.4.1).
    pub jitter: Percentiles,
}

/// How many parties heard each other, of those with RTP who talked for at least half a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Heard {
    /// Callers who talked.
    pub callers_talked: u64,
    /// Of those, callers who heard an agent's tone.
    pub callers_heard: u64,
    /// Agents who talked.
    pub agents_talked: u64,
    /// Of those, agents who heard a caller's tone.
    pub agents_heard: u64,
    /// Parties who heard the tone of their own side.
    pub themselves: u64,
}

impl Heard {
    /// The share of those who heard the other side; `None` if nobody talked.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let talked = self.callers_talked + self.agents_talked;
        (talked > 0).then(|| (self.callers_heard + self.agents_heard) as f64 / talked as f64)
    }
}

/// The result of a run. `offered` is the sum of `answered`, `abandoned`, `let_go`, `timed_out`, `cut_off` and
/// `refused`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Summary {
    /// The duration of the run, in seconds.
    pub seconds: f64,
    /// Calls made.
    pub offered: u64,
    /// Calls that were due and not made, for too many were up.
    pub not_made: u64,
    /// The most calls that were up at once.
    pub up_max: u64,
    /// Calls that the server answered with 200.
    pub connected: u64,
    /// Callers who talked to a person.
    pub answered: u64,
    /// Callers who lost patience.
    pub abandoned: u64,
    /// Calls that the server ended before the caller talked to a person.
    pub let_go: u64,
    /// Calls that the server did not answer in time.
    pub timed_out: u64,
    /// Calls that were still up at the end.
    pub cut_off: u64,
    /// BYEs without an answer, and answers without an ACK.
    pub loose_ends: u64,
    /// Calls refused, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Seconds from INVITE to 200.
    pub set_up: Percentiles,
    /// Seconds from INVITE to a person.
    pub wait: Percentiles,
    /// Messages sent again.
    pub retransmissions_sent: u64,
    /// Messages received again.
    pub retransmissions_received: u64,
    /// The counts of agents.
    pub agents: AgentSummary,
    /// RTP in total.
    pub rtp: Rtp,
    /// How many parties heard each other.
    pub heard: Heard,
}

impl Summary {
    /// Calls that went wrong: refused with a status that is not among `expected`, unanswered, cut off, left with loose ends.
    #[must_use]
    pub fn failed(&self, expected: &[u16]) -> u64 {
        let refused: u64 = self.refused.iter().filter(|(status, _)| !expected.contains(status)).map(|(_, count)| count).sum();
        refused + self.timed_out + self.cut_off + self.loose_ends
    }
}

/// Seconds as people read them.
fn span(seconds: f64) -> String {
    match seconds {
        ..0.001 => format!("{:.0} µs", seconds * 1e6),
        ..0.1 => format!("{:.1} ms", seconds * 1e3),
        ..1.0 => format!("{:.0} ms", seconds * 1e3),
        ..100.0 => format!("{seconds:.1} s"),
        _ => format!("{seconds:.0} s"),
    }
}

fn spans(f: &mut fmt::Formatter<'_>, name: &str, spans: &Percentiles) -> fmt::Result {
    if spans.count == 0 {
        return Ok(());
    }
    let Percentiles { p50, p90, p99, max, .. } = *spans;
    writeln!(f, "{name:<22}{:>10}{:>10}{:>10}{:>10}", span(p50), span(p90), span(p99), span(max))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |part: u64| if self.offered == 0 { 0.0 } else { 100.0 * part as f64 / self.offered as f64 };
        let rate = self.offered as f64 / self.seconds.max(1e-3);
        let calls = |f: &mut fmt::Formatter<'_>, name: &str, count: u64| {
            if count == 0 { Ok(()) } else { writeln!(f, "  {name:<20}{count:>10}{:>9.1}%", percent(count)) }
        };
        writeln!(
            f,
            "{:<22}{:>10}   in {}, {rate:.1} a second, {} up at most",
            "calls",
            self.offered,
            span(self.seconds),
            self.up_max
        )?;
        calls(f, "answered", self.answered)?;
        calls(f, "abandoned", self.abandoned)?;
        calls(f, "let go", self.let_go)?;
        for (status, count) in &self.refused {
            calls(f, &format!("refused {status}"), *count)?;
        }
        calls(f, "timed out", self.timed_out)?;
        calls(f, "cut off", self.cut_off)?;
        if self.not_made > 0 {
            writeln!(f, "  {:<20}{:>10}   too many were up", "not made", self.not_made)?;
        }
        if self.set_up.count > 0 {
            writeln!(f, "{:<22}{:>10}{:>10}{:>10}{:>10}", "", "p50", "p90", "p99", "max")?;
        }
        spans(f, "set-up, to 200", &self.set_up)?;
        spans(f, "wait, to a person", &self.wait)?;
        let a = &self.agents;
        if a.rung > 0 || a.registered > 0 || a.not_registered > 0 {
            writeln!(
                f,
                "{:<22}{:>10}   {} answered, {} refused, {} let ring, {} busy, {} withdrawn",
                "rings", a.rung, a.answered, a.refused, a.ignored, a.busy, a.withdrawn
            )?;
            writeln!(
                f,
                "{:<22}{:>10}   {} hung up first, {} held, {} passed on",
                "agents registered", a.registered, a.hung_up_first, a.held, a.passed_on
            )?;
        }
        if a.not_registered > 0 {
            writeln!(f, "{:<22}{:>10}", "not registered", a.not_registered)?;
        }
        writeln!(
            f,
            "{:<22}{:>10}   sent, {} received",
            "retransmissions", self.retransmissions_sent, self.retransmissions_received
        )?;
        if self.loose_ends > 0 {
            writeln!(f, "{:<22}{:>10}   BYEs without an answer, answers without an ACK", "loose ends", self.loose_ends)?;
        }
        if self.rtp.sent + self.rtp.received > 0 {
            writeln!(
                f,
                "{:<22}{:>10}   sent, {} received, {} lost",
                "RTP packets", self.rtp.sent, self.rtp.received, self.rtp.lost
            )?;
            spans(f, "RTP jitter", &self.rtp.jitter)?;
        }
        if let Some(share) = self.heard.share() {
            let Heard { callers_talked, callers_heard, agents_talked, agents_heard, .. } = self.heard;
            let detail = format!("callers {callers_heard} of {callers_talked}, agents {agents_heard} of {agents_talked}");
            writeln!(f, "{:<22}{:>9.1}%   {detail}", "heard the other side", 100.0 * share)?;
        }
        Ok(())
    }
}
