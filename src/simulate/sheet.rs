//! What a day comes to: counts for each quarter of an hour, who worked, and how estimates turned out.
//!
//! A call counts in the quarter in which it came, under the queue that it called first.

use std::time::Duration;

use super::scene::{QUARTER, Scene};
use super::world::{Ended, Observer, Outcome, START};
use crate::acd::matcher::Standing;
use crate::base::seed::Seed;
use crate::base::words::EstimateOutcome;
use crate::base::{AgencyId, AgentId, Estimate, QueueId, Time};

/// What became of the calls of a quarter of an hour.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Cell {
    /// Calls that came.
    pub offered: u32,
    /// Calls that an agent answered.
    pub answered: u32,
    /// Answered calls within the queue's target.
    pub in_target: u32,
    /// Calls that hung up while they waited.
    pub abandoned: u32,
    /// Abandoned calls so short that they do not count against the service level.
    pub short: u32,
    /// Calls that overflowed: the queue was full, the wait too long, or no agent was there.
    pub turned_away: u32,
    /// Calls that joined the queue and were not answered at once.
    pub waited: u32,
    /// The sum of all waits in seconds, abandoned ones included.
    pub wait_s: f64,
}

impl Cell {
    /// Counts a call. `target` is the queue's target of the service level; hanging up within `short` does not count
    /// against it.
    pub fn count(&mut self, call: &Ended, (target, short): (Duration, Duration)) {
        self.offered += 1;
        self.wait_s += call.waited.as_secs_f64();
        match call.outcome {
            Outcome::Answered(_) => {
                self.answered += 1;
                self.in_target += u32::from(call.waited <= target);
                self.waited += u32::from(call.waited > Duration::ZERO);
            }
            Outcome::Abandoned => {
                self.abandoned += 1;
                self.short += u32::from(call.waited < short);
                self.waited += 1;
            }
            Outcome::Blocked | Outcome::Overflowed | Outcome::Closed => self.turned_away += 1,
        }
    }

    /// Adds another cell.
    pub fn add(&mut self, other: &Cell) {
        self.offered += other.offered;
        self.answered += other.answered;
        self.in_target += other.in_target;
        self.abandoned += other.abandoned;
        self.short += other.short;
        self.turned_away += other.turned_away;
        self.waited += other.waited;
        self.wait_s += other.wait_s;
    }
}

/// Who worked in a quarter of an hour, in seconds summed over agents.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Work {
    /// Signed in and not on a break.
    pub here_s: f64,
    /// Ringing, talking or in wrap-up.
    pub busy_s: f64,
}

/// How the estimates of a queue turned out, by [`EstimateOutcome`].
pub type Estimated = [u32; EstimateOutcome::ALL.len()];

/// An estimate beside what happened, in seconds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    /// The estimate.
    pub likely_s: f64,
    /// The wait.
    pub waited_s: f64,
    /// Whether it was within the range.
    pub within: bool,
}

/// How many points of a day are kept, drawn at random.
const POINTS_MAX: usize = 400;

/// The length of a queue over time, and the time of its contacts. By Little's law both sum up to the same.
#[derive(Clone, Copy, Default, Debug)]
struct Area {
    since: Time,
    length: u32,
    under: u128,
    spent: u128,
}

/// How many of an agency's agents are on loan.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Loans {
    since: Time,
    now: u32,
    /// Agent seconds on loan.
    pub lent_s: f64,
    /// The most at once.
    pub most: u32,
}

/// The sheet of one day.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// By stream, by quarter.
    pub cells: Vec<Vec<Cell>>,
    /// By quarter.
    pub work: Vec<Work>,
    /// By queue.
    pub estimated: Vec<Estimated>,
    /// Some of the estimates.
    pub points: Vec<Point>,
    /// How many callers found their entry closed. They joined no queue, and are in no other count.
    pub found_closed: u32,
    /// By agency.
    pub loans: Vec<Loans>,
    points_seen: u64,
    /// By queue: its target, and how short an abandoned call must be not to count.
    targets: Vec<(Duration, Duration)>,
    stream_queue: Vec<QueueId>,
    standing: Vec<(Time, Option<Standing>)>,
    areas: Vec<Area>,
    seed: Seed,
}

impl Sheet {
    /// An empty sheet for a day of this length.
    #[must_use]
    pub fn new(scene: &Scene, length: Duration, seed: Seed) -> Self {
        let quarters = length.as_secs().div_ceil(QUARTER.as_secs()) as usize;
        let queues = &scene.directory.queues;
        let targets =
            queues.iter().map(|rules| rules.as_ref().map_or_else(Default::default, |r| (r.service_target, r.short_abandon)));
        Sheet {
            cells: vec![vec![Cell::default(); quarters]; scene.streams.len()],
            work: vec![Work::default(); quarters],
            estimated: vec![Estimated::default(); queues.len()],
            points: Vec::new(),
            found_closed: 0,
            loans: vec![Loans::default(); scene.directory.lending.len()],
            points_seen: 0,
            targets: targets.collect(),
            stream_queue: scene.streams.iter().map(|stream| stream.queue).collect(),
            standing: vec![(START, None); scene.directory.agents.len()],
            areas: vec![Area::default(); queues.len()],
            seed,
        }
    }

    /// All calls of a stream.
    #[must_use]
    pub fn total(&self, stream: usize) -> Cell {
        let mut total = Cell::default();
        self.cells[stream].iter().for_each(|cell| total.add(cell));
        total
    }

    /// Ends the day: agents who are still there have worked until now.
    pub fn close(&mut self, now: Time) {
        for agent in 0..self.standing.len() {
            self.standing(now, AgentId(agent as u32), None);
        }
        for agency in 0..self.loans.len() {
            self.on_loan(now, AgencyId(agency as u32), 0);
        }
    }

    /// The first queue whose length, summed over time, is not the time that its callers spent in it; none unless the
    /// play is wrong.
    #[must_use]
    pub fn breaks_littles_law(&self) -> Option<QueueId> {
        let broken = self.areas.iter().position(|area| area.under != area.spent || area.length != 0)?;
        Some(QueueId(broken as u32))
    }

    fn quarter_of(&self, at: Time) -> Option<usize> {
        let quarter = (at.since(START).as_secs() / QUARTER.as_secs()) as usize;
        (quarter < self.work.len()).then_some(quarter)
    }
}

impl Observer for Sheet {
    fn ended(&mut self, call: &Ended) {
        let Some(quarter) = self.quarter_of(call.arrived) else { return };
        let targets = self.targets[self.stream_queue[call.stream].index()];
        self.cells[call.stream][quarter].count(call, targets);
    }

    fn talked(&mut self, _agent: AgentId, _from: Time, _until: Time) {}

    fn standing(&mut self, now: Time, agent: AgentId, standing: Option<Standing>) {
        let (since, before) = std::mem::replace(&mut self.standing[agent.index()], (now, standing));
        let busy = match before {
            Some(Standing::Free) => false,
            Some(Standing::Busy) => true,
            Some(Standing::Break) | None => return,
        };
        let (mut from, until) = (since.since(START), now.since(START));
        while let Some(work) = self.work.get_mut((from.as_secs() / QUARTER.as_secs()) as usize).filter(|_| from < until) {
            let quarter_ends = QUARTER * (from.as_secs() / QUARTER.as_secs() + 1) as u32;
            let spent_s = (until.min(quarter_ends) - from).as_secs_f64();
            work.here_s += spent_s;
            work.busy_s += if busy { spent_s } else { 0.0 };
            from = quarter_ends;
        }
    }

    fn in_queue(&mut self, now: Time, queue: QueueId, waiting: u32) {
        let area = &mut self.areas[queue.index()];
        area.under += u128::from(now.since(area.since).as_micros() as u64) * u128::from(area.length);
        (area.since, area.length) = (now, waiting);
    }

    fn found_closed(&mut self, _stream: usize) {
        self.found_closed += 1;
    }

    fn on_loan(&mut self, now: Time, agency: AgencyId, agents: u32) {
        let loans = &mut self.loans[agency.index()];
        loans.lent_s += now.since(loans.since).as_secs_f64() * f64::from(loans.now);
        (loans.since, loans.now, loans.most) = (now, agents, loans.most.max(agents));
    }

    fn left_queue(&mut self, now: Time, queue: QueueId, joined: Time) {
        self.areas[queue.index()].spent += now.since(joined).as_micros();
    }

    fn estimated(&mut self, queue: QueueId, estimate: &Estimate, waited: Duration, outcome: EstimateOutcome) {
        self.estimated[queue.index()][outcome.index()] += 1;
        let Some(range) = estimate.range() else { return };
        let within = outcome == EstimateOutcome::Within;
        let point = Point { likely_s: range.likely.as_secs_f64(), waited_s: waited.as_secs_f64(), within };
        self.points_seen += 1;
        if self.points.len() < POINTS_MAX {
            self.points.push(point);
        } else if let Some(place) = self.points.get_mut(self.seed.below(self.points_seen) as usize) {
            *place = point;
        }
    }
}
