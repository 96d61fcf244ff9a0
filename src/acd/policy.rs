//! The choice among the agents who may serve a demand, as a pure function.

use crate::base::Time;

/// How a queue chooses among the free agents who may serve it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum ChoiceRule {
    /// The agent who has been idle longest.
    #[default]
    LongestIdle,
    /// The highest sum of levels in the skills asked for; among equals, the agent who has been idle longest.
    MostSkilled,
    /// The agent who has talked least since signing in; among equals, the one who has been idle longest.
    LeastOccupied,
    /// In the order of the configuration file.
    FixedOrder,
    /// At random.
    Random,
    /// In the order of the configuration file, beginning after the agent who was chosen last for the demand.
    RoundRobin,
}

impl ChoiceRule {
    /// The value of the configuration.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            ChoiceRule::LongestIdle => "longest_idle",
            ChoiceRule::MostSkilled => "most_skilled",
            ChoiceRule::LeastOccupied => "least_occupied",
            ChoiceRule::FixedOrder => "fixed_order",
            ChoiceRule::Random => "random",
            ChoiceRule::RoundRobin => "round_robin",
        }
    }

    /// All of them.
    pub const ALL: [ChoiceRule; 6] = [
        ChoiceRule::LongestIdle,
        ChoiceRule::MostSkilled,
        ChoiceRule::LeastOccupied,
        ChoiceRule::FixedOrder,
        ChoiceRule::Random,
        ChoiceRule::RoundRobin,
    ];
}

/// What is known of a candidate when the choice is made.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// The agent's index, which is its order in the configuration.
    pub agent: u32,
    /// The first of the demand's pools that the agent is in, counted from 0, in the order of preference.
    pub pool: u8,
    /// The sum of the agent's levels in the skills that the demand asks for.
    pub level_sum: u16,
    /// When the agent became ready.
    pub idle_since: Time,
    /// How long the agent has talked since signing in, in seconds.
    pub occupied_secs: u32,
}

impl ChoiceRule {
    /// Whether among equal agents the longest idle goes first, so that the others need not be looked at.
    #[must_use]
    pub const fn by_idleness(self) -> bool {
        matches!(self, ChoiceRule::LongestIdle | ChoiceRule::MostSkilled)
    }
}

/// The candidate's rank under `rule`: the least goes first. A preferred pool goes before what the rule says. `salt` is
/// what the rule depends on besides: for a random choice it differs from contact to contact, for round robin it is the
/// agent who was chosen last.
#[must_use]
pub fn rank(rule: ChoiceRule, candidate: &Candidate, salt: u64) -> (u8, u64, u64) {
    let (first, second) = rank_in_pool(rule, candidate, salt);
    (candidate.pool, first, second)
}

fn rank_in_pool(rule: ChoiceRule, candidate: &Candidate, salt: u64) -> (u64, u64) {
    let idle = candidate.idle_since.micros();
    match rule {
        ChoiceRule::LongestIdle => (idle, u64::from(candidate.agent)),
        ChoiceRule::MostSkilled => (u64::from(u16::MAX - candidate.level_sum), idle),
        ChoiceRule::LeastOccupied => (u64::from(candidate.occupied_secs), idle),
        ChoiceRule::FixedOrder => (u64::from(candidate.agent), 0),
        ChoiceRule::RoundRobin => (u64::from(candidate.agent.wrapping_sub(salt as u32).wrapping_sub(1)), 0),
        ChoiceRule::Random => (mix(salt ^ u64::from(candidate.agent).wrapping_mul(0x9e37_79b9_7f4a_7c15)), 0),
    }
}

/// A bijective scrambling of 64 bits (the finaliser of SplitMix64).
fn mix(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(rule: ChoiceRule, salt: u64, candidates: &[Candidate]) -> u32 {
        candidates.iter().min_by_key(|c| rank(rule, c, salt)).map(|c| c.agent).unwrap()
    }

    #[test]
    fn each_rule_puts_its_own_first() {
        let candidate = |agent, level_sum, idle, occupied_secs| Candidate {
            agent,
            pool: 0,
            level_sum,
            idle_since: Time::from_secs(idle),
            occupied_secs,
        };
        let three = [candidate(0, 3, 50, 900), candidate(1, 9, 70, 500), candidate(2, 9, 60, 100)];
        assert_eq!(first(ChoiceRule::LongestIdle, 0, &three), 0);
        assert_eq!(first(ChoiceRule::MostSkilled, 0, &three), 2);
        assert_eq!(first(ChoiceRule::LeastOccupied, 0, &three), 2);
        assert_eq!(first(ChoiceRule::FixedOrder, 0, &three), 0);
        let chosen: std::collections::BTreeSet<u32> = (0..64).map(|salt| first(ChoiceRule::Random, salt, &three)).collect();
        assert_eq!(chosen.len(), 3, "chance reaches everyone");
        let turns: Vec<u32> = (0..4).map(|last| first(ChoiceRule::RoundRobin, last, &three)).collect();
        assert_eq!(turns, [1, 2, 0, 0], "after the last, whoever it was, comes the next who is free");
        let preferred = Candidate { pool: 0, ..candidate(3, 1, 99, 999) };
        let others = three.map(|candidate| Candidate { pool: 1, ..candidate });
        for rule in ChoiceRule::ALL {
            assert_eq!(first(rule, 5, &[others[0], others[1], others[2], preferred]), 3, "{rule:?}");
        }
    }
}
