//! A contact over time: segments that tile its time.

use crate::base::words::Segment;
use crate::base::{AgentId, QueueId, Time};

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
