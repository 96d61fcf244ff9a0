//! A contact over time: segments that tile its time, and the ticket that keeps its place in the queue.

use std::time::Duration;

use crate::base::words::Segment;
use crate::base::{AgentId, Estimate, QueueId, Time};

/// A stretch of a contact with one purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// Its purpose.
    pub segment: Segment,
    /// The queue it belongs to, if any.
    pub queue: Option<QueueId>,
    /// The agent in it, if any.
    pub agent: Option<AgentId>,
    /// When it began.
    pub began: Time,
    /// When it ended; for the open segment, when it began.
    pub ended: Time,
}

/// The segments of a contact, of which the last is still open. Each begins where the one before ended.
#[derive(Clone, Debug)]
pub struct Timeline {
    current: Stretch,
}

impl Timeline {
    /// A contact that arrived at `now`.
    #[must_use]
    pub fn begin(now: Time) -> Self {
        Timeline { current: Stretch { segment: Segment::Entry, queue: None, agent: None, began: now, ended: now } }
    }

    /// The open segment.
    #[must_use]
    pub const fn current(&self) -> &Stretch {
        &self.current
    }

    /// Closes the open segment and opens the next. Returns the closed one.
    pub fn turn(&mut self, now: Time, segment: Segment, queue: Option<QueueId>, agent: Option<AgentId>) -> Stretch {
        let closed = self.close(now);
        self.current = Stretch { segment, queue, agent, began: closed.ended, ended: closed.ended };
        closed
    }

    /// Closes the open segment. Returns it.
    pub fn close(&mut self, now: Time) -> Stretch {
        let ended = now.max(self.current.began);
        self.current.ended = ended;
        self.current
    }
}

/// The proof of a contact's place in the queue. It outlives a transfer, and a ring that came to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket {
    /// The queue.
    pub queue: QueueId,
    /// When the contact joined this queue, for its waiting time.
    pub joined: Time,
    /// When it counts as having arrived: earlier than `joined` by the credit of earlier waits.
    pub arrival: Time,
    /// The relaxation step that it has reached.
    pub step: usize,
    /// The agent whom it waits for, and nobody else for a while.
    pub prefers: Option<AgentId>,
    /// The estimate of its wait as it joined.
    pub estimate: Estimate,
}

/// What a waiting caller hears of the rest of its wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remaining {
    /// Nothing is known.
    Unknown,
    /// In nine of ten cases no longer than this.
    AtMost(Duration),
    /// It takes longer than was estimated.
    Overdue,
}

impl Ticket {
    /// How long the contact has been in this queue.
    #[must_use]
    pub fn waited(&self, now: Time) -> Duration {
        now.since(self.joined)
    }

    /// What the contact hears of the rest of its wait, where `still` is the present estimate for its place. The first
    /// estimate holds: the announced rest never grows. A contact that has waited longer than was announced hears that,
    /// and not another number.
    #[must_use]
    pub fn remaining(&self, now: Time, still: &Estimate) -> Remaining {
        match (self.estimate.range(), still.range()) {
            (Some(first), _) if self.waited(now) > first.high => Remaining::Overdue,
            (Some(first), Some(still)) => Remaining::AtMost(still.high.min(first.high - self.waited(now))),
            (None, Some(still)) => Remaining::AtMost(still.high),
            (_, None) => Remaining::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Range;

    #[test]
    fn what_remains_never_grows_and_is_overdue_after_what_was_said_first() {
        let seconds = Duration::from_secs;
        let known = |high| Estimate::Known(Range { low: seconds(1), likely: seconds(2), high: seconds(high) });
        let ticket = |estimate| Ticket {
            queue: QueueId(0),
            joined: Time::from_secs(100),
            arrival: Time::from_secs(40),
            step: 0,
            prefers: None,
            estimate,
        };
        let told = |estimate, after: u64, still| ticket(estimate).remaining(Time::from_secs(100 + after), &still);
        assert_eq!(told(known(60), 10, known(300)), Remaining::AtMost(seconds(50)), "the queue has slowed down");
        assert_eq!(told(known(60), 10, known(20)), Remaining::AtMost(seconds(20)), "it has sped up");
        assert_eq!(told(known(60), 60, known(20)), Remaining::AtMost(seconds(0)));
        assert_eq!(told(known(60), 61, known(20)), Remaining::Overdue);
        assert_eq!(told(known(60), 61, Estimate::Unknown), Remaining::Overdue);
        assert_eq!(told(known(60), 10, Estimate::Unknown), Remaining::Unknown, "nobody is there any more");
        assert_eq!(told(Estimate::Unknown, 10, known(20)), Remaining::AtMost(seconds(20)), "it is known by now");
        assert_eq!(told(Estimate::Needless, 10, Estimate::Unknown), Remaining::Unknown);
    }

    #[test]
    fn segments_tile_the_contact() {
        let at = Time::from_secs;
        let mut timeline = Timeline::begin(at(10));
        let stretches = [
            timeline.turn(at(15), Segment::Queue, Some(QueueId(1)), None),
            timeline.turn(at(40), Segment::Talk, Some(QueueId(1)), Some(AgentId(3))),
            timeline.close(at(100)),
        ];
        assert!(stretches.windows(2).all(|pair| pair[0].ended == pair[1].began));
        let sum: Duration = stretches.iter().map(|s| s.ended.since(s.began)).sum();
        assert_eq!(sum, at(100).since(at(10)));
        assert_eq!(stretches[1].queue, Some(QueueId(1)));
    }
}
