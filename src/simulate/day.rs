//! A day of a whole configuration: who calls, who works, and which service is promised.

use std::sync::Arc;
use std::time::Duration;

use super::outlook::Floor;
use super::scene::{Arrivals, Duty, Lasting, Manners, Scene, Stream};
use super::sheet::Sheet;
use super::world::{Crowded, START, World};
use crate::acd::routing_table::{DemandId, Directory, RoutingTable};
use crate::base::seed::Seed;
use crate::base::span::{Share, Span};
use crate::base::words::Channel;
use crate::base::{AgentId, QueueId, SkillId};

/// How many may wait at once before a play is given up.
const QUEUE_SLOTS: u32 = 100_000;
/// The occupancy of agents on a day of which nothing else is known, from 0 to 1.
const PLAIN_OCCUPANCY: f64 = 0.85;

/// A day, to be played several times.
#[derive(Clone, Debug)]
pub struct Day {
    /// How long calls come.
    pub length: Duration,
    /// The time of day at which it begins.
    pub begins: Duration,
    /// Who calls and who works.
    pub scene: Scene,
    /// The names of the languages.
    pub languages: Vec<(SkillId, Arc<str>)>,
    /// The names of the agencies.
    pub agencies: Vec<Arc<str>>,
    /// The figures that must hold.
    pub floors: Vec<Floor>,
    /// What was assumed, to be said with the results.
    pub notes: Vec<String>,
}

/// Why a day cannot be played.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failed {
    /// The queues outgrew all bounds.
    #[error(transparent)]
    Crowded(#[from] Crowded),
    /// The play of this queue contradicts Little's law.
    #[error("Little's law does not hold for queue {}: this is a mistake in hotline, please report it", .0.0)]
    Little(QueueId),
}

impl Day {
    /// A day of which nothing is known but the configuration: all agents work, and calls come steadily and keep them as
    /// busy as usual.
    #[must_use]
    pub fn plain(
        directory: Directory,
        wrap_up: Vec<Option<Duration>>,
        languages: Vec<(SkillId, Arc<str>)>,
        agencies: Vec<Arc<str>>,
    ) -> Self {
        let (talk, patience) = (Duration::from_secs(180), Duration::from_secs(300));
        let manners =
            Manners { answer_after: Span::Uniform(Duration::from_secs(2), Duration::from_secs(6)), ..Manners::default() };
        let (all, ids) = directory.with_first_agent_slots();
        let table = RoutingTable::new(&all, 1);
        let spoken: Vec<_> = languages.iter().map(|(language, _)| Some(*language)).collect();
        let spoken = if spoken.is_empty() { vec![None] } else { spoken };
        let queues = (0..directory.queues.len() as u32).map(QueueId);
        let demands: Vec<(QueueId, Option<SkillId>, DemandId)> = queues
            .filter(|queue| directory.queues[queue.index()].as_ref().is_some_and(|rules| !rules.retired))
            .flat_map(|queue| spoken.iter().map(move |language| (queue, *language)))
            .filter_map(|(queue, language)| Some((queue, language, table.demand(queue, language, 0)?)))
            .collect();
        // Each agent's time is spread evenly over its channels, and over the demands that it may serve by each.
        let mut agents_of = vec![0.0; demands.len()];
        for (agent, profile) in (0..).map(AgentId).zip(&directory.agents) {
            let Some(profile) = profile else { continue };
            let channels = Channel::ALL.iter().filter(|channel| profile.capacity.most(**channel) > 0).count();
            for group in ids.of(agent).filter_map(|agent_slot| table.group(agent_slot)) {
                let served: Vec<usize> = (0..demands.len()).filter(|demand| table.serves(group, demands[*demand].2)).collect();
                served.iter().for_each(|demand| agents_of[*demand] += 1.0 / (served.len() * channels) as f64);
            }
        }
        let busy = |queue: u32| {
            let wrap_up = directory.queues[queue as usize].as_ref().map(|rules| rules.wrap_up).unwrap_or_default();
            (talk + wrap_up + Duration::from_secs(4)).as_secs_f64()
        };
        let streams = std::iter::zip(&demands, agents_of)
            .filter(|(_, agents)| *agents > 0.0)
            .map(|((queue, language, _), agents)| Stream {
                queue: *queue,
                language: *language,
                interpreters: None,
                wrap_up: None,
                windows: None,
                same_callers: false,
                returning: Share::NONE,
                arrivals: Arrivals::Steady(PLAIN_OCCUPANCY * agents / busy(queue.0)),
                patience: Span::Exp(patience),
                talk: Lasting::By(Span::LogNormal(talk, talk)),
            })
            .collect();
        let scene = Scene { duties: everybody(&directory), directory, wrap_up, streams, manners };
        let note = "nothing is known of the day: everybody works all of it, calls come steadily and keep agents about 85% busy, \
                    talks of 3 minutes, patience of 5; give --day or --log";
        Day {
            length: Duration::from_secs(86_400),
            begins: Duration::ZERO,
            scene,
            languages,
            agencies,
            floors: Vec::new(),
            notes: vec![note.to_owned()],
        }
    }

    /// The seeds of several days, from one number.
    #[must_use]
    pub fn seeds(days: u32, seed: u64) -> Vec<Seed> {
        let mut source = Seed::from_number(seed);
        (0..days).map(|_| source.fork()).collect()
    }

    /// Plays the day once. `progress` is called with the share that has been played, from 0 to 1.
    ///
    /// # Errors
    /// When a queue outgrows all bounds, or the play contradicts itself.
    pub fn play(&self, mut seed: Seed, progress: impl Fn(f64)) -> Result<Sheet, Failed> {
        let sheet = Sheet::new(&self.scene, self.length, seed.fork());
        let world = World::new(&self.scene, self.length, QUEUE_SLOTS, seed, sheet);
        let share = |now: crate::base::Time| (now.since(START).as_secs_f64() / self.length.as_secs_f64()).min(1.0);
        let mut sheet = world.run(|now| progress(share(now)))?;
        sheet.close(START + self.length);
        sheet.breaks_littles_law().map_or(Ok(sheet), |queue| Err(Failed::Little(queue)))
    }
}

/// The duties of a day on which all agents take calls from the beginning.
#[must_use]
pub fn everybody(directory: &Directory) -> Vec<(Duration, AgentId, Duty)> {
    let here = directory.agents.iter().enumerate().filter(|(_, profile)| profile.is_some());
    here.map(|(agent, _)| (Duration::ZERO, AgentId(agent as u32), Duty::Ready)).collect()
}
