//! What theory says of one queue with exponential times: the yardstick of the simulator.
//!
//! It owns the steady state of the birth-death chain M/M/n/n+K+M. Erlang's B (nobody waits), C (unlimited patience) and
//! A (neither) are cases of it (Erlang 1917; Palm 1957; Garnett, Mandelbaum and Reiman 2002).

/// One queue. Times are in seconds, the rate in calls per second.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Model {
    /// Calls per second.
    pub rate: f64,
    /// The mean talk.
    pub talk_s: f64,
    /// How many agents there are; one at least.
    pub agents: u32,
    /// The mean patience; `None`: nobody hangs up.
    pub patience_s: Option<f64>,
    /// How many may wait; `None`: as many as come.
    pub queue_max: Option<u32>,
}

/// Expected figures. Shares are of all calls offered, from 0 to 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Expected {
    /// The share of calls that found neither a free agent nor a place in the queue.
    pub blocked_share: f64,
    /// The share of calls that joined the queue.
    pub waited_share: f64,
    /// The share of calls that hung up while they waited.
    pub abandoned_share: f64,
    /// The mean wait in seconds, over all calls offered.
    pub mean_wait_s: f64,
    /// The share of the agents who talk, on average.
    pub occupancy: f64,
}

/// The chain is cut where a state is so much less likely than the likeliest.
const NEGLIGIBLE: f64 = 1e-18;
/// Weights are scaled down before they overflow.
const LARGE: f64 = 1e200;

impl Model {
    /// The expected figures; `None` where more calls come than the agents can take, and nothing bounds the queue.
    #[must_use]
    pub fn expected(&self) -> Option<Expected> {
        let (agents, service) = (self.agents as usize, 1.0 / self.talk_s);
        let impatience = self.patience_s.map_or(0.0, |patience| 1.0 / patience);
        let departures = |state: usize| state.min(agents) as f64 * service + state.saturating_sub(agents) as f64 * impatience;
        let unbounded = self.queue_max.is_none();
        if unbounded && impatience == 0.0 && self.rate >= departures(agents) * (1.0 - 1e-9) {
            return None;
        }
        let last = self.queue_max.map_or(usize::MAX, |queue_max| agents + queue_max as usize);
        let mut weights = vec![1.0_f64];
        let mut largest = 1.0_f64;
        for state in 1..=last {
            let weight = weights[state - 1] * self.rate / departures(state);
            if state > agents && departures(state) > self.rate && weight < largest * NEGLIGIBLE {
                break;
            }
            weights.push(weight);
            largest = largest.max(weight);
            if weight > LARGE {
                weights.iter_mut().for_each(|weight| *weight /= LARGE);
                largest /= LARGE;
            }
        }
        let all: f64 = weights.iter().sum();
        let likely = |states: std::ops::Range<usize>| weights.get(states).map_or(0.0, |some| some.iter().sum::<f64>() / all);
        let blocked_share = if unbounded { 0.0 } else { likely(last..last + 1) };
        let waiting: f64 = (agents..weights.len()).map(|state| (state - agents) as f64 * weights[state]).sum::<f64>() / all;
        let talking: f64 = weights.iter().enumerate().map(|(state, weight)| state.min(agents) as f64 * weight).sum::<f64>() / all;
        Some(Expected {
            blocked_share,
            waited_share: likely(agents.min(weights.len())..weights.len()) - blocked_share,
            abandoned_share: impatience * waiting / self.rate,
            mean_wait_s: waiting / self.rate,
            occupancy: talking / f64::from(self.agents),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-4 * other.abs().max(1e-3)
    }

    /// 100 calls an hour of three minutes are 5 erlangs.
    const FIVE: Model = Model { rate: 100.0 / 3600.0, talk_s: 180.0, agents: 7, patience_s: None, queue_max: None };

    #[test]
    fn erlang_b_from_its_table() {
        for (agents, blocked) in [(1, 0.8333), (5, 0.28487), (7, 0.12052), (10, 0.018385)] {
            let expected = Model { agents, queue_max: Some(0), ..FIVE }.expected().unwrap();
            assert!((expected.blocked_share - blocked).abs() < 5e-5, "{agents}: {expected:?}");
            assert_eq!(expected.mean_wait_s, 0.0);
            assert!(near(expected.occupancy, 5.0 * (1.0 - expected.blocked_share) / f64::from(agents)));
        }
    }

    #[test]
    fn erlang_c_by_its_formula() {
        let blocked = 0.120_519;
        let waits = blocked / (1.0 - 5.0 / 7.0 * (1.0 - blocked));
        let expected = FIVE.expected().unwrap();
        assert!(near(expected.waited_share, waits), "{expected:?} {waits}");
        assert!(near(expected.mean_wait_s, waits * 180.0 / (7.0 - 5.0)), "{expected:?}");
        assert!(near(expected.occupancy, 5.0 / 7.0));
        assert_eq!(Model { agents: 5, ..FIVE }.expected(), None, "as much as they can take is too much");
    }

    #[test]
    fn one_agent_by_hand() {
        // M/M/1: half a load waits in the mean as long as a talk lasts.
        let one = Model { rate: 0.005, talk_s: 100.0, agents: 1, patience_s: None, queue_max: None };
        let expected = one.expected().unwrap();
        assert!(near(expected.waited_share, 0.5) && near(expected.mean_wait_s, 100.0));
        // Patience like talks makes M/M/1+M an M/M/infinity: Poisson states.
        let expected = Model { rate: 0.02, patience_s: Some(100.0), ..one }.expected().unwrap();
        let none = (-2.0_f64).exp();
        assert!(near(expected.waited_share, 1.0 - none));
        assert!(near(expected.occupancy, 1.0 - none));
        assert!(near(expected.abandoned_share, (2.0 - (1.0 - none)) / 2.0));
    }

    #[test]
    fn thousands_of_agents_overflow_nothing() {
        let expected = Model { rate: 50.0, agents: 9500, patience_s: Some(60.0), ..FIVE }.expected().unwrap();
        assert!(expected.occupancy < 1.0 && expected.occupancy > 0.9, "{expected:?}");
        let crowded = Model { rate: 500.0, agents: 9500, patience_s: Some(600.0), ..FIVE }.expected().unwrap();
        assert!(near(crowded.abandoned_share, 1.0 - 9500.0 / 90_000.0), "{crowded:?}");
    }
}
