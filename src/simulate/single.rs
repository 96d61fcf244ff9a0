//! The queue of the textbooks, played by the matcher: one skill, agents who are always there, exponential times.

use std::time::Duration;

use super::scene::{Arrivals, Duty, Lasting, Scene, Stream};
use super::tally::{Measured, Tally};
use super::theory::{Expected, Model};
use super::world::{Crowded, START, World};
use crate::acd::Directory;
use crate::acd::queue::QueueRules;
use crate::acd::routing_table::AgentProfile;
use crate::base::seed::Seed;
use crate::base::span::{Share, Span};
use crate::base::{AgentId, PoolId, QueueId};

/// How many may wait at once before the play is given up.
const QUEUE_SLOTS: u32 = 200_000;

/// What is played.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Single {
    /// Calls per hour, a Poisson process.
    pub calls_per_hour: f64,
    /// The mean talk, in seconds.
    pub talk_s: f64,
    /// How many agents there are.
    pub agents: u32,
    /// The mean patience in seconds; `None`: nobody hangs up.
    pub patience_s: Option<f64>,
    /// How many may wait; `None`: as many as come.
    pub queue_max: Option<u32>,
    /// How many hours are measured.
    pub hours: f64,
    /// How many hours are played before, so that the measured time does not begin with empty queues.
    pub warm_up_hours: f64,
    /// The seed of all random draws.
    pub seed: u64,
}

/// A queue for pool 0 without limits.
pub(super) fn plain_queue(name: &str) -> QueueRules {
    QueueRules {
        name: name.into(),
        pools: vec![PoolId(0)],
        wrap_up: Duration::ZERO,
        length_max: u32::MAX,
        talk_max: Duration::MAX,
        ..QueueRules::default()
    }
}

/// An agent of these pools.
pub(super) fn plain_agent(number: usize, pools: &[u32]) -> AgentProfile {
    AgentProfile {
        name: format!("agent{number}").into(),
        pools: pools.iter().map(|pool| PoolId(*pool)).collect(),
        ..AgentProfile::default()
    }
}

impl Single {
    fn scene(&self) -> Scene {
        let mut queue = plain_queue("single");
        queue.length_max = self.queue_max.unwrap_or(u32::MAX);
        let agents = (0..self.agents as usize).map(|number| Some(plain_agent(number, &[0]))).collect();
        let mean = |seconds: f64| Span::Exp(Duration::from_secs_f64(seconds));
        Scene {
            directory: Directory {
                queues: vec![Some(queue)],
                agents,
                languages: Vec::new(),
                lending: Vec::new(),
                agent_slots_from: None,
            },
            streams: vec![Stream {
                queue: QueueId(0),
                language: None,
                interpreters: None,
                wrap_up: None,
                windows: None,
                same_callers: false,
                returning: Share::NONE,
                arrivals: Arrivals::Steady(self.calls_per_hour / 3600.0),
                patience: self.patience_s.map_or(Span::Never, mean),
                talk: Lasting::By(mean(self.talk_s)),
            }],
            duties: (0..self.agents).map(|agent| (Duration::ZERO, AgentId(agent), Duty::Ready)).collect(),
            ..Scene::default()
        }
    }

    /// What theory says of it; `None` where the queue would grow for ever.
    #[must_use]
    pub fn expected(&self) -> Option<Expected> {
        let Single { talk_s, agents, patience_s, queue_max, .. } = *self;
        Model { rate: self.calls_per_hour / 3600.0, talk_s, agents, patience_s, queue_max }.expected()
    }

    /// Plays it. `progress` is called now and then with the share that has been played.
    ///
    /// # Errors
    /// When the queue outgrows all bounds.
    pub fn run(&self, mut progress: impl FnMut(f64)) -> Result<Measured, Crowded> {
        let (warm_up, hours) =
            (Duration::from_secs_f64(self.warm_up_hours * 3600.0), Duration::from_secs_f64(self.hours * 3600.0));
        let span = warm_up + hours;
        let tally = Tally::new(1, self.agents, START + warm_up, hours);
        let scene = self.scene();
        // One slot more than may wait, for a caller who is turned away.
        let slots = self.queue_max.map_or(QUEUE_SLOTS, |queue_max| queue_max.saturating_add(1).min(QUEUE_SLOTS));
        let world = World::new(&scene, span, slots, Seed::from_number(self.seed), tally);
        let tally = world.run(|now| progress((now.since(START).as_secs_f64() / span.as_secs_f64()).min(1.0)))?;
        Ok(tally.measured(0))
    }
}

impl Expected {
    /// Its figures by name, in the order of [`Measured::figures`].
    #[must_use]
    pub fn figures(&self) -> [f64; 5] {
        [self.blocked_share, self.abandoned_share, self.waited_share, self.mean_wait_s, self.occupancy]
    }
}
