//! What is played: who calls, when, how patiently and for how long; who works, when, and how agents answer.

use std::sync::Arc;
use std::time::Duration;

use crate::acd::Directory;
use crate::base::seed::Seed;
use crate::base::span::{Share, Span};
use crate::base::{AgentId, QueueId, SkillId};

/// The length of one step of a daily profile.
pub const QUARTER: Duration = Duration::from_secs(900);

/// When calls come. Times are from the start of the play.
#[derive(Clone, PartialEq, Debug)]
pub enum Arrivals {
    /// A Poisson process of so many calls a second.
    Steady(f64),
    /// A Poisson process with a rate in calls a second for each quarter of an hour; none after the last.
    Quarters(Vec<f64>),
    /// At these times, in order.
    At(Vec<Duration>),
}

/// How long something lasts.
#[derive(Clone, PartialEq, Debug)]
pub enum Lasting {
    /// Drawn from a distribution.
    By(Span),
    /// One of these, each as likely; never empty.
    Among(Arc<[Duration]>),
}

impl Lasting {
    /// Draws a duration; `None`: it never ends.
    pub(super) fn draw(&self, seed: &mut Seed) -> Option<Duration> {
        match self {
            Lasting::By(span) => span.draw(seed),
            Lasting::Among(spans) => spans.get(seed.below(spans.len() as u64) as usize).copied(),
        }
    }
}

/// When callers reach a queue whose entry has opening hours.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Windows {
    /// From when, and until when (exclusive); in order, from the start of the play.
    pub open: Vec<(Duration, Duration)>,
    /// Whether a call outside of these hours is told that it is closed. If not, such calls go elsewhere, as a stream of
    /// their own.
    pub turns_away: bool,
}

impl Windows {
    /// Whether it is open then.
    #[must_use]
    pub fn are_open(&self, at: Duration) -> bool {
        let next = self.open.partition_point(|(_, until)| *until <= at);
        self.open.get(next).is_some_and(|(from, _)| *from <= at)
    }
}

/// Calls of one kind: to one queue, in one language.
#[derive(Clone, PartialEq, Debug)]
pub struct Stream {
    /// The queue that they call.
    pub queue: QueueId,
    /// The callers' language.
    pub language: Option<SkillId>,
    /// The queue whose agents interpret for the callers, while an agent of `queue` talks to them in any language; both
    /// agents at once, or neither.
    pub interpreters: Option<QueueId>,
    /// When they reach the queue; `None`: always.
    pub windows: Option<Windows>,
    /// Whether they are the callers of the stream before, at other times, with the same random draws.
    pub same_callers: bool,
    /// The share of callers who were served before, by one of the last agents of the queue.
    pub returning: Share,
    /// When they come.
    pub arrivals: Arrivals,
    /// How long a caller waits, ringing included, before hanging up.
    pub patience: Span,
    /// How long a talk lasts.
    pub talk: Lasting,
    /// The wrap-up time, within what queue and agent allow; `None`: all of it.
    pub wrap_up: Option<Lasting>,
}

/// What an agent does by the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    /// Takes calls from now on.
    Ready,
    /// Goes on a break, after the present talk.
    Break,
    /// Ends the break, if still at work.
    Back,
    /// Goes home, after the present talk.
    Home,
}

/// How agents answer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Manners {
    /// How long it rings until an agent answers.
    pub answer_after: Span,
    /// The share of rings that are not answered; the agent then counts as absent.
    pub miss: Share,
    /// After this time an agent who missed a ring is back.
    pub back_after: Duration,
}

impl Default for Manners {
    /// At once, and always.
    fn default() -> Self {
        Manners { answer_after: Span::Const(Duration::ZERO), miss: Share::NONE, back_after: Duration::from_secs(60) }
    }
}

/// A whole play.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The queues and the agents.
    pub directory: Directory,
    /// By agent: a wrap-up time that replaces the queue's.
    pub wrap_up: Vec<Option<Duration>>,
    /// Who calls.
    pub streams: Vec<Stream>,
    /// Who works when, by time from the start, in any order.
    pub duties: Vec<(Duration, AgentId, Duty)>,
    /// How agents answer.
    pub manners: Manners,
}

impl Arrivals {
    /// The first arrival after `last`, which came after `count` others; `None`: no more. In a Poisson process the next
    /// call comes when the rate has summed up to an exponential draw.
    pub(super) fn next(&self, last: Duration, count: usize, seed: &mut Seed) -> Option<Duration> {
        match self {
            Arrivals::At(times) => times.get(count).copied(),
            Arrivals::Steady(rate) if *rate > 0.0 => Some(last + Duration::from_secs_f64(exponential(seed) / rate)),
            Arrivals::Steady(_) => None,
            Arrivals::Quarters(rates) => {
                let mut left = exponential(seed);
                let mut at = last;
                loop {
                    let quarter = (at.as_secs() / QUARTER.as_secs()) as usize;
                    let rate = *rates.get(quarter)?;
                    let rest = QUARTER * (quarter as u32 + 1) - at;
                    if rate * rest.as_secs_f64() >= left {
                        return Some(at + Duration::from_secs_f64(left / rate));
                    }
                    left -= rate * rest.as_secs_f64();
                    at += rest;
                }
            }
        }
    }
}

fn exponential(seed: &mut Seed) -> f64 {
    -(1.0 - seed.unit()).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(arrivals: &Arrivals, until: Duration) -> Vec<Duration> {
        let mut seed = Seed::from_number(3);
        let mut times = Vec::new();
        while let Some(at) = arrivals.next(times.last().copied().unwrap_or_default(), times.len(), &mut seed) {
            if at >= until {
                break;
            }
            times.push(at);
        }
        times
    }

    #[test]
    fn a_profile_is_kept_quarter_by_quarter() {
        let times = all(&Arrivals::Quarters(vec![2.0, 0.0, 1.0]), Duration::MAX);
        let count = |quarter: u64| times.iter().filter(|at| at.as_secs() / 900 == quarter).count();
        assert!((1700..1900).contains(&count(0)), "{}", count(0));
        assert_eq!(count(1), 0);
        assert!((810..990).contains(&count(2)), "{}", count(2));
        assert!(times.is_sorted());
        assert_eq!(count(3), 0, "the profile is over");
    }

    #[test]
    fn steady_and_written_down() {
        let times = all(&Arrivals::Steady(0.5), Duration::from_secs(20_000));
        assert!((9600..10_400).contains(&times.len()), "{}", times.len());
        assert_eq!(all(&Arrivals::Steady(0.0), Duration::MAX), []);
        let written = vec![Duration::from_secs(3), Duration::from_secs(3), Duration::from_secs(9)];
        assert_eq!(all(&Arrivals::At(written.clone()), Duration::MAX), written);
    }
}
