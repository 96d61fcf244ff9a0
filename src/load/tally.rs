//! Counters of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::{Outcome, Progress, Stage};
use super::histogram::Histogram;
use super::sound::Side;
use super::summary::{AgentSummary, Heard, Rtp, Summary};
use super::voice::Talked;

/// Counters that only grow, but for those of now.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) offered: u64,
    /// Calls that were due, and not made because too many were up.
    pub(super) not_made: u64,
    pub(super) connected: u64,
    pub(super) up: u64,
    pub(super) up_max: u64,
    pub(super) talking: u64,
    outcomes: BTreeMap<Outcome, u64>,
    /// BYEs that nobody answered, answers that nobody acknowledged.
    pub(super) loose_ends: u64,
    pub(super) set_up: Histogram,
    pub(super) wait: Histogram,
    pub(super) agents: AgentSummary,
    rtp: RtpTally,
    heard: Heard,
}

#[derive(Debug, Default)]
struct RtpTally {
    sent: u64,
    received: u64,
    lost: u64,
    jitter: Histogram,
}

impl Tally {
    pub(super) fn ended(&mut self, outcome: Outcome) {
        *self.outcomes.entry(outcome).or_default() += 1;
    }

    fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }

    /// A voice of this side has ended; whether its talk was long enough to judge whether it heard the other.
    pub(super) fn voice(&mut self, side: Side, talked: &Talked, judged: bool) {
        self.rtp.sent += talked.sent;
        self.rtp.received += talked.received;
        self.rtp.lost += talked.lost;
        if talked.received > 0 {
            self.rtp.jitter.add(talked.jitter);
        }
        self.heard.themselves += u64::from(talked.own_side > 0);
        let (talks, hearing) = match side {
            Side::Caller => (&mut self.heard.callers_talked, &mut self.heard.callers_heard),
            Side::Agent => (&mut self.heard.agents_talked, &mut self.heard.agents_heard),
        };
        *talks += u64::from(judged);
        *hearing += u64::from(judged && talked.heard());
    }

    pub(super) fn progress(&self, elapsed: Duration, stage: Stage) -> Progress {
        let answered = self.outcome(Outcome::Answered);
        let abandoned = self.outcome(Outcome::Abandoned);
        let ended: u64 = self.outcomes.values().sum();
        Progress {
            elapsed,
            stage,
            registered: self.agents.registered,
            offered: self.offered,
            waiting: self.up.saturating_sub(self.talking),
            talking: self.talking,
            answered: answered + self.talking,
            abandoned,
            lost: ended - answered - abandoned,
        }
    }

    pub(super) fn summary(self, elapsed: Duration, retransmissions: (u64, u64)) -> Summary {
        let refused = self.outcomes.iter().filter_map(|(outcome, count)| match outcome {
            Outcome::Refused(status) => Some((*status, *count)),
            _ => None,
        });
        Summary {
            seconds: elapsed.as_secs_f64(),
            offered: self.offered,
            not_made: self.not_made,
            up_max: self.up_max,
            connected: self.connected,
            answered: self.outcome(Outcome::Answered),
            abandoned: self.outcome(Outcome::Abandoned),
            let_go: self.outcome(Outcome::LetGo),
            timed_out: self.outcome(Outcome::TimedOut),
            cut_off: self.outcome(Outcome::CutOff),
            loose_ends: self.loose_ends,
            refused: refused.collect(),
            set_up: self.set_up.percentiles(),
            wait: self.wait.percentiles(),
            retransmissions_sent: retransmissions.0,
            retransmissions_received: retransmissions.1,
            agents: self.agents,
            rtp: Rtp {
                sent: self.rtp.sent,
                received: self.rtp.received,
                lost: self.rtp.lost,
                jitter: self.rtp.jitter.percentiles(),
            },
            heard: self.heard,
        }
    }
}
