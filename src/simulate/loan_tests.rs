//! Loans between agencies, call by call: what they may cost an agency's own callers, and what they give the others.

use std::collections::BTreeMap;
use std::time::Duration;

use super::scene::{Arrivals, Duty, Lasting, Scene, Stream};
use super::single::{plain_agent, plain_queue};
use super::world::{Ended, Observer, Outcome, World};
use crate::acd::loan::Lending;
use crate::base::seed::Seed;
use crate::base::span::{Share, Span};
use crate::base::{AgencyId, AgentId, PoolId, QueueId, Time};

const LENDERS: u32 = 8;
const BORROWERS: u32 = 3;
const TALK: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(280));
const WRAP_UP: Duration = Duration::from_secs(10);

/// Agency 0 has a queue of its own and eight agents, who may serve the queue of agency 1, too, which has three. Calls a second of each.
fn two_agencies(rates: [f64; 2], own_agents: u32, lends: Option<Lending>) -> Scene {
    let mut scene = Scene::default();
    for (index, (rate, pools)) in rates.into_iter().zip([&[0][..], &[1, 0]]).enumerate() {
        let mut queue = plain_queue(&format!("q{index}"));
        queue.agency = AgencyId(index as u32);
        queue.pools = pools.iter().map(|pool| PoolId(*pool)).collect();
        queue.wrap_up = WRAP_UP;
        scene.directory.queues.push(Some(queue));
        scene.streams.push(Stream {
            queue: QueueId(index as u32),
            language: None,
            interpreters: None,
            wrap_up: None,
            windows: None,
            same_callers: false,
            returning: Share::NONE,
            arrivals: Arrivals::Steady(rate),
            patience: Span::Never,
            talk: Lasting::By(Span::Uniform(TALK.0, TALK.1)),
        });
    }
    for (agency, count) in [own_agents, BORROWERS].into_iter().enumerate() {
        for _ in 0..count {
            let agent = scene.directory.agents.len();
            let mut profile = plain_agent(agent, &[agency as u32]);
            profile.agency = AgencyId(agency as u32);
            scene.directory.agents.push(Some(profile));
            scene.duties.push((Duration::ZERO, AgentId(agent as u32), Duty::Ready));
        }
    }
    scene.directory.lending = vec![lends, None];
    scene
}

/// How long each caller waited, by stream and the time of arrival, and when agents of agency 0 were on loan.
#[derive(Default)]
struct Waits {
    waits: [BTreeMap<Time, Duration>; 2],
    on_loan: BTreeMap<(Time, AgentId), Option<Time>>,
}

impl Observer for Waits {
    fn ended(&mut self, call: &Ended) {
        assert!(self.waits[call.stream].insert(call.arrived, call.waited).is_none());
        if let (1, Outcome::Answered(agent)) = (call.stream, call.outcome)
            && agent.0 < LENDERS
        {
            self.on_loan.insert((call.arrived + call.waited, agent), None);
        }
    }

    fn talked(&mut self, agent: AgentId, from: Time, until: Time) {
        if let Some(ended) = self.on_loan.get_mut(&(from, agent)) {
            *ended = Some(until + WRAP_UP);
        }
    }
}

impl Waits {
    /// The most who were on loan at once.
    fn most_on_loan(&self) -> i32 {
        let mut changes: Vec<(Time, i32)> = Vec::new();
        for ((from, _), until) in &self.on_loan {
            changes.extend([(*from, 1), (until.expect("each talk ends"), -1)]);
        }
        changes.sort();
        let counts = changes.iter().scan(0, |count, (_, change)| {
            *count += change;
            Some(*count)
        });
        counts.max().unwrap_or(0)
    }

    fn mean(&self, stream: usize) -> f64 {
        self.waits[stream].values().map(Duration::as_secs_f64).sum::<f64>() / self.waits[stream].len() as f64
    }
}

fn play(scene: &Scene) -> Waits {
    World::new(scene, Duration::from_secs(400 * 3600), 20_000, Seed::from_number(3), Waits::default()).run(|_| {}).unwrap()
}

const OWN_RATE: f64 = 0.036;
const THEIR_RATE: f64 = 0.024;

/// With the same calls, one by one: no caller of the lending agency waits longer for it than the longest loan lasts, and none longer than if
/// the agency had only the agents that it keeps.
#[test]
fn what_a_loan_costs_the_agencys_own_callers_is_bounded() {
    let alone = play(&two_agencies([OWN_RATE, 0.0], LENDERS, None));
    let longest_loan = TALK.1 + WRAP_UP;
    for (at_most, own_percent, limit) in [(3, 0, 3), (100, 60, 3), (1, 0, 1), (100, 0, 8)] {
        let lends = Lending { at_most, own_percent };
        let lending = play(&two_agencies([OWN_RATE, THEIR_RATE], LENDERS, Some(lends)));
        assert_eq!(lending.most_on_loan(), limit, "{lends:?}");
        assert_eq!(lending.waits[0].len(), alone.waits[0].len());
        let kept = (limit < 8).then(|| play(&two_agencies([OWN_RATE, 0.0], LENDERS - limit as u32, None)));
        let mut costly = 0;
        for (arrived, waited) in &lending.waits[0] {
            let without = alone.waits[0][arrived];
            assert!(*waited <= without + longest_loan, "{lends:?}: {waited:?}, {without:?} without loans");
            if let Some(kept) = &kept {
                let kept = kept.waits[0][arrived];
                assert!(*waited <= kept, "{lends:?}: {waited:?}, {kept:?} with none but those who are kept");
            }
            costly += u32::from(*waited > without);
        }
        assert!(costly > 100, "{lends:?}: it did cost something");
        let nobody_lent = play(&two_agencies([OWN_RATE, THEIR_RATE], LENDERS, Some(Lending { at_most: 0, own_percent: 0 })));
        assert_eq!(nobody_lent.most_on_loan(), 0);
        assert_eq!(nobody_lent.waits[0], alone.waits[0], "who lends nobody notices nothing");
        let (theirs, without) = (lending.mean(1), nobody_lent.mean(1));
        assert!(theirs < without / 2.0, "{lends:?}: the others wait {theirs:.0} s, and {without:.0} s without loans");
    }
}

/// An agency that says nothing of it lends without end, and its own callers wait behind whoever came earlier.
#[test]
fn without_rules_whoever_came_first_goes_first() {
    let lending = play(&two_agencies([OWN_RATE, THEIR_RATE * 1.6], LENDERS, None));
    assert_eq!(lending.most_on_loan(), 8);
    let (own, theirs) = (lending.mean(0), lending.mean(1));
    let kept = play(&two_agencies([OWN_RATE, THEIR_RATE * 1.6], LENDERS, Some(Lending { at_most: 2, own_percent: 0 })));
    assert!(
        kept.mean(0) < own && kept.mean(1) > theirs,
        "{own:.1} and {theirs:.1} s; {:.1} and {:.1}",
        kept.mean(0),
        kept.mean(1)
    );
}
