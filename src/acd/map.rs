//! The map: which benches may serve which lines. Immutable; replaced as a whole when the directory changes.
//!
//! A *line* stands for each distinct requirement (skills with least levels, pools, rule of choice), a *bench* for each distinct profile
//! (skills with levels, pools). Whether a bench may serve a line is decided once, here, and is one bit afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::policy::ChoiceRule;
use super::queue::QueueRules;
use crate::base::{AgencyId, AgentId, PoolId, QueueId, SkillId};

/// A line: a distinct requirement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LineId(pub u32);

/// A bench: a distinct profile of agents.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BenchId(pub u32);

/// What eligibility depends on, of one agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentProfile {
    /// The agent's name: unique, and the user part of the phone's address.
    pub name: Arc<str>,
    /// The agent's home agency.
    pub agency: AgencyId,
    /// The pools that the agent belongs to.
    pub pools: Vec<PoolId>,
    /// What the agent can do, with levels 1 to 10.
    pub skills: Vec<(SkillId, u8)>,
}

/// The queues and agents that the configuration names. Indexes are stable: one that is gone leaves `None` behind.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// By [`QueueId`].
    pub queues: Vec<Option<QueueRules>>,
    /// By [`AgentId`].
    pub agents: Vec<Option<AgentProfile>>,
    /// The skills that are languages, by which callers choose.
    pub languages: Vec<SkillId>,
}

#[derive(Clone, Debug)]
struct Line {
    rule: ChoiceRule,
    /// The benches that may serve it, a bit each.
    serves: Box<[u64]>,
    /// Per bench, the sum of levels in the skills asked for; only where the rule needs it.
    level_sums: Option<Box<[u16]>>,
}

type Profile = (Vec<(SkillId, u8)>, Vec<PoolId>);
type Requirement = (Vec<(SkillId, u8)>, Vec<PoolId>, ChoiceRule);

/// Which benches may serve which lines.
#[derive(Clone, Debug, Default)]
pub struct Map {
    version: u64,
    lines: Vec<Line>,
    /// By queue, then by step, then by language (the last place is "no language").
    line_of: Vec<Vec<Vec<LineId>>>,
    bench_of: Vec<Option<BenchId>>,
    languages: Vec<SkillId>,
    profiles: BTreeMap<Profile, BenchId>,
    requirements: BTreeMap<Requirement, LineId>,
}

fn sorted<T: Ord + Clone>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items.dedup();
    items
}

impl Map {
    /// The map of `directory`.
    #[must_use]
    pub fn new(directory: &Directory, version: u64) -> Self {
        Map::default().following(directory, version)
    }

    /// The map of `directory`, that keeps every line and bench of this one under its number: whoever is still filed there is understood
    /// as before, until its owner files it anew.
    #[must_use]
    pub fn following(&self, directory: &Directory, version: u64) -> Self {
        let mut profiles = self.profiles.clone();
        let bench_of = directory
            .agents
            .iter()
            .map(|agent| {
                agent.as_ref().map(|agent| {
                    let profile = (sorted(agent.skills.iter().copied()), sorted(agent.pools.iter().copied()));
                    let fresh = BenchId(profiles.len() as u32);
                    *profiles.entry(profile).or_insert(fresh)
                })
            })
            .collect();
        let mut requirements = self.requirements.clone();
        let choices: Vec<Option<SkillId>> = directory.languages.iter().copied().map(Some).chain([None]).collect();
        let line_of = directory
            .queues
            .iter()
            .map(|queue| {
                let Some(queue) = queue else { return Vec::new() };
                let line = |step, language| {
                    let pools = sorted(queue.pools_at(step));
                    let requirement = (sorted(queue.requirement(language, step)), pools, queue.choice);
                    let fresh = LineId(requirements.len() as u32);
                    *requirements.entry(requirement).or_insert(fresh)
                };
                let mut line = line;
                (0..=queue.widening.len()).map(|step| choices.iter().map(|language| line(step, *language)).collect()).collect()
            })
            .collect();
        let mut lines: Vec<Option<Line>> = vec![None; requirements.len()];
        for (requirement, id) in &requirements {
            lines[id.0 as usize] = Some(Line::new(requirement, &profiles));
        }
        Map {
            version,
            lines: lines.into_iter().map(|line| line.expect("each requirement has its line")).collect(),
            line_of,
            bench_of,
            languages: directory.languages.clone(),
            profiles,
            requirements,
        }
    }

    /// Which edition of the directory this is; grows.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The line for a caller of `queue` who speaks `language`, at a widening step (the last, where there are not so many).
    #[must_use]
    pub fn line(&self, queue: QueueId, language: Option<SkillId>, step: usize) -> Option<LineId> {
        let steps = self.line_of.get(queue.index())?;
        let by_language = steps.get(step.min(steps.len().checked_sub(1)?))?;
        let place = language.and_then(|l| self.languages.iter().position(|known| *known == l)).unwrap_or(self.languages.len());
        by_language.get(place).copied()
    }

    /// The bench of an agent; `None` for one whom the directory does not know.
    #[must_use]
    pub fn bench(&self, agent: AgentId) -> Option<BenchId> {
        self.bench_of.get(agent.index()).copied().flatten()
    }

    /// Whether agents of `bench` may serve `line`.
    #[must_use]
    pub fn serves(&self, bench: BenchId, line: LineId) -> bool {
        self.lines
            .get(line.0 as usize)
            .and_then(|line| line.serves.get(bench.0 as usize / 64))
            .is_some_and(|bits| bits >> (bench.0 % 64) & 1 == 1)
    }

    /// The rule of choice of `line`.
    #[must_use]
    pub fn rule(&self, line: LineId) -> ChoiceRule {
        self.lines.get(line.0 as usize).map_or(ChoiceRule::LongestIdle, |line| line.rule)
    }

    /// The sum of the levels of `bench` in what `line` asks for; 0 where the line's rule does not ask.
    #[must_use]
    pub fn level_sum(&self, bench: BenchId, line: LineId) -> u16 {
        let sums = self.lines.get(line.0 as usize).and_then(|line| line.level_sums.as_ref());
        sums.and_then(|sums| sums.get(bench.0 as usize)).copied().unwrap_or(0)
    }

    /// How many benches there are.
    #[must_use]
    pub fn benches(&self) -> usize {
        self.profiles.len()
    }

    /// How many lines there are.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.lines.len()
    }
}

impl Line {
    fn new((skills, pools, rule): &Requirement, profiles: &BTreeMap<Profile, BenchId>) -> Self {
        let mut serves = vec![0u64; profiles.len().div_ceil(64)].into_boxed_slice();
        let mut level_sums = vec![0u16; profiles.len()].into_boxed_slice();
        for ((has, member_of), bench) in profiles {
            let level = |skill: &SkillId| has.iter().find(|(s, _)| s == skill).map_or(0, |(_, level)| *level);
            let able = skills.iter().all(|(skill, least)| level(skill) >= *least);
            let member = member_of.iter().any(|pool| pools.contains(pool));
            if able && member {
                serves[bench.0 as usize / 64] |= 1 << (bench.0 % 64);
            }
            level_sums[bench.0 as usize] = skills.iter().map(|(skill, _)| u16::from(level(skill))).sum();
        }
        Line { rule: *rule, serves, level_sums: (*rule == ChoiceRule::MostSkilled).then_some(level_sums) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::queue::{WideningStep, tests::plain};
    use super::*;
    use std::time::Duration;

    pub(crate) fn agent(name: &str, skills: &[(u32, u8)], pools: &[u32]) -> Option<AgentProfile> {
        Some(AgentProfile {
            name: name.into(),
            agency: AgencyId(0),
            pools: pools.iter().map(|pool| PoolId(*pool)).collect(),
            skills: skills.iter().map(|(skill, level)| (SkillId(*skill), *level)).collect(),
        })
    }

    #[test]
    fn agents_alike_share_a_bench_and_requirements_alike_share_a_line() {
        let mut narrow = plain("tax", &[(1, 5)], &[0]);
        narrow.widening = vec![WideningStep { after: Duration::from_secs(30), lower_levels_by: 3, more_pools: vec![PoolId(1)] }];
        let directory = Directory {
            queues: vec![Some(narrow), Some(plain("tax2", &[(1, 5)], &[0])), None],
            agents: vec![
                agent("a", &[(1, 7), (9, 3)], &[0]),
                agent("b", &[(9, 3), (1, 7)], &[0]),
                agent("c", &[(1, 2)], &[1]),
                None,
            ],
            languages: vec![SkillId(9)],
        };
        let map = Map::new(&directory, 1);
        let bench = |n| map.bench(AgentId(n)).unwrap();
        let line = |queue, language, step| map.line(QueueId(queue), language, step).unwrap();
        assert_eq!(bench(0), bench(1));
        assert_eq!(map.bench(AgentId(3)), None);
        assert_eq!(map.bench(AgentId(4)), None);
        assert_eq!(line(0, None, 0), line(1, None, 0));
        assert_eq!(map.line(QueueId(2), None, 0), None);
        assert!(map.serves(bench(0), line(0, Some(SkillId(9)), 0)));
        assert!(!map.serves(bench(2), line(0, None, 0)), "level too low, wrong pool");
        assert!(map.serves(bench(2), line(0, None, 1)), "level and pool relaxed");
        assert!(!map.serves(bench(2), line(0, Some(SkillId(9)), 1)), "the language is not");
        assert_eq!(line(0, None, 1), line(0, None, 5), "past the last step the last one holds");
    }
}
