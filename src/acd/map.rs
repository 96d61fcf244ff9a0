//! The map: which benches may serve which lines. Immutable; replaced as a whole when the directory changes.
//!
//! A *line* stands for each distinct requirement (channel, skills with least levels, pools, rule of choice, step, head start), a *bench*
//! for each distinct profile (channel, skills with levels, pools). Which benches may serve which lines is decided once, here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::hands::Capacity;
use super::loan::Lending;
use super::places::Places;
use super::policy::ChoiceRule;
use super::queue::QueueRules;
use super::shelf::Mask;
use crate::base::words::Channel;
use crate::base::{AgencyId, AgentId, PoolId, QueueId, SkillId};

/// A line: a distinct requirement; or one agent's own line, for those who want nobody else for a while.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LineId(pub u32);

impl LineId {
    /// The agent's own line. No directory changes it.
    #[must_use]
    pub const fn of_agent(agent: AgentId) -> Self {
        LineId(LINES_MAX + agent.0)
    }

    /// Whose own line it is; `None` for a line that a requirement makes.
    #[must_use]
    pub const fn agent(self) -> Option<AgentId> {
        match self.0.checked_sub(LINES_MAX) {
            Some(agent) => Some(AgentId(agent)),
            None => None,
        }
    }
}

/// A bench: a distinct profile of agents.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BenchId(pub u32);

/// The greatest number of lines that a directory and the changes before it can come to; agents' own lines are counted from there.
pub(crate) const LINES_MAX: u32 = match () {
    // The models' towns are small, and so is their index.
    () if cfg!(hotline_loom) => 2,
    () if cfg!(any(hotline_shuttle, hotline_parked)) => 16,
    () => 1 << 17,
};

/// The greatest number of benches that so many agents and their last changes can come to.
pub(crate) fn benches_max(agents: u32) -> u32 {
    let least = if cfg!(any(hotline_loom, hotline_shuttle, hotline_parked)) { 16 } else { 1024 };
    (4 * agents).max(least)
}

/// The directory has come to more than the matcher was built for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{what}: {wanted} with those that the changes before may still need, and there is room for {max}; try again in a moment, or restart"
)]
pub struct TooMany {
    /// Of what.
    pub what: &'static str,
    /// How many there would be.
    pub wanted: usize,
    /// How many there can be.
    pub max: u32,
}

/// What eligibility depends on, of one agent.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AgentProfile {
    /// The agent's name: unique, and the user part of the phone's address.
    pub name: Arc<str>,
    /// The agent's home agency.
    pub agency: AgencyId,
    /// The pools that the agent belongs to.
    pub pools: Vec<PoolId>,
    /// What the agent can do, with levels 1 to 10.
    pub skills: Vec<(SkillId, u8)>,
    /// What comes to the agent under this number; for the rest of what it may have at once there are [more](Directory::with_hands).
    pub channel: Channel,
    /// What the agent may have at once.
    pub capacity: Capacity,
}

/// The queues and agents that the configuration names. Indexes are stable: one that is gone leaves `None` behind.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// By [`QueueId`].
    pub queues: Vec<Option<QueueRules>>,
    /// By [`AgentId`].
    pub agents: Vec<Option<AgentProfile>>,
    /// From this number on they are further [hands](super::hands) of agents; `None`: there are none.
    pub hands_from: Option<u32>,
    /// The skills that are languages, by which callers choose.
    pub languages: Vec<SkillId>,
    /// By [`AgencyId`]: what it keeps for its own callers; `None`, and none at all: its agents serve whoever their pools serve.
    pub lending: Vec<Option<Lending>>,
}

/// A bench as a line sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Served {
    /// Whose agents may serve the line.
    pub bench: BenchId,
    /// The first of the line's pools that they belong to, counted from 0.
    pub pool: u8,
    /// The sum of their levels in the skills asked for.
    pub level_sum: u16,
}

/// A line as the benches see it; one that is dropped has none.
#[derive(Clone, Debug, Default)]
struct Line {
    rule: ChoiceRule,
    /// By bench.
    served: Box<[Served]>,
    benches: Box<[Mask]>,
    /// The same for benches whose agents would have to be lent.
    to_borrow: Box<[Served]>,
    benches_to_borrow: Box<[Mask]>,
    /// The agencies that these are of, in the order of the line's pools.
    lenders: Box<[AgencyId]>,
}

/// Whom the agents of a bench serve.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Terms {
    /// Whoever their pools serve.
    All,
    /// Of those only their own agency's callers.
    Own(AgencyId),
    /// All of those, for now, on loan.
    Lent(AgencyId),
}

impl Terms {
    /// The agency that keeps them for its own callers.
    fn kept_for(self) -> Option<AgencyId> {
        if let Terms::Own(agency) = self { Some(agency) } else { None }
    }
}

/// What a bench stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Profile {
    skills: Vec<(SkillId, u8)>,
    pools: Vec<PoolId>,
    channel: Channel,
    terms: Terms,
}

impl Profile {
    /// The sum of the levels in the skills asked for; `None` for one who has not enough of one of them.
    fn level_sum(&self, asked: &[(SkillId, u8)]) -> Option<u16> {
        let level =
            |skill: &SkillId| self.skills.binary_search_by_key(skill, |(known, _)| *known).map_or(0, |at| self.skills[at].1);
        asked.iter().try_fold(0, |sum, (skill, least)| {
            let has = level(skill);
            (has >= *least).then_some(sum + u16::from(has))
        })
    }
}

/// What a line stands for: what it asks of agents, and what makes its contacts join in the order of their keys (all have the same head
/// start and have waited for as many steps).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Requirement {
    channel: Channel,
    skills: Vec<(SkillId, u8)>,
    /// In the order of preference.
    pools: Vec<PoolId>,
    rule: ChoiceRule,
    step: usize,
    head_start: Duration,
    emergency: bool,
    /// For further rings, which have keys of their own class.
    further: bool,
    /// The queue's agency, if it keeps agents for its own callers.
    lender: Option<AgencyId>,
}

/// Which benches may serve which lines.
#[derive(Clone, Debug, Default)]
pub struct Map {
    version: u64,
    lines: Vec<Line>,
    /// By bench: the lines that it may serve.
    lines_of_bench: Vec<Box<[Mask]>>,
    /// By queue, then by step, then by language (the last place is "no language").
    line_of: Vec<Vec<Vec<LineId>>>,
    /// The same for further rings; empty for queues that ring one agent at a time.
    further_line_of: Vec<Vec<Vec<LineId>>>,
    /// By queue: all its lines.
    lines_of_queue: Vec<Box<[Mask]>>,
    bench_of: Vec<Option<BenchId>>,
    /// By bench: the agency that keeps its agents for its own callers, and the bench that they sit on when they are lent.
    kept: Vec<Option<(AgencyId, BenchId)>>,
    /// By agency: the benches of agents whom it keeps for its own callers.
    kept_benches: Vec<Box<[Mask]>>,
    lending: Vec<Option<Lending>>,
    /// By bench: how many agents have that profile.
    members: Vec<u32>,
    hands_from: u32,
    languages: Vec<SkillId>,
    profiles: Places<Profile>,
    requirements: Places<Requirement>,
}

fn sorted<T: Ord + Clone>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items.dedup();
    items
}

fn without_repeats<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

impl Map {
    /// The map of `directory`.
    #[must_use]
    pub fn new(directory: &Directory, version: u64) -> Self {
        Map::default().following(directory, version, 0)
    }

    /// The map of `directory`, its edition `version`, that keeps every line and bench of this one under its number in which somebody may
    /// still be filed: all owners have taken up edition `acknowledged`.
    #[must_use]
    pub fn following(&self, directory: &Directory, version: u64, acknowledged: u64) -> Self {
        let lender = |agency: AgencyId| directory.lending.get(agency.index()).copied().flatten().map(|_| agency);
        let mut profiles = self.profiles.following(version, acknowledged);
        let bench_of: Vec<Option<BenchId>> = directory
            .agents
            .iter()
            .map(|agent| {
                agent.as_ref().map(|agent| {
                    let mut bench = |terms| {
                        let (skills, pools) = (sorted(agent.skills.iter().copied()), sorted(agent.pools.iter().copied()));
                        BenchId(profiles.name(Profile { skills, pools, channel: agent.channel, terms }, acknowledged))
                    };
                    let Some(agency) = lender(agent.agency) else { return bench(Terms::All) };
                    bench(Terms::Lent(agency));
                    bench(Terms::Own(agency))
                })
            })
            .collect();
        let mut members = vec![0; profiles.end()];
        for bench in bench_of.iter().flatten() {
            members[bench.0 as usize] += 1;
        }
        let mut requirements = self.requirements.following(version, acknowledged);
        let choices: Vec<Option<SkillId>> = directory.languages.iter().copied().map(Some).chain([None]).collect();
        let mut lines_for = |queue: &Option<QueueRules>, further: bool| -> Vec<Vec<LineId>> {
            let Some(queue) = queue.as_ref().filter(|queue| !further || queue.ring_several > 1) else { return Vec::new() };
            let mut line = |step, language| {
                let requirement = Requirement {
                    channel: queue.channel,
                    skills: sorted(queue.requirement(language, step)),
                    pools: without_repeats(queue.pools_at(step)),
                    rule: queue.choice,
                    step,
                    head_start: queue.head_start,
                    emergency: queue.emergency,
                    further,
                    lender: lender(queue.agency),
                };
                LineId(requirements.name(requirement, acknowledged))
            };
            (0..=queue.widening.len()).map(|step| choices.iter().map(|language| line(step, *language)).collect()).collect()
        };
        let line_of: Vec<_> = directory.queues.iter().map(|queue| lines_for(queue, false)).collect();
        let further_line_of = directory.queues.iter().map(|queue| lines_for(queue, true)).collect();
        let (lines, lines_of_bench) = served(&requirements, &profiles, &directory.lending);
        let mut kept = vec![None; profiles.end()];
        for (profile, bench) in profiles.iter() {
            if let Some(agency) = profile.terms.kept_for() {
                let lent = Profile { terms: Terms::Lent(agency), ..profile.clone() };
                kept[bench as usize] = profiles.get(&lent).map(|lent| (agency, BenchId(lent)));
            }
        }
        let kept_benches = (0..directory.lending.len() as u32).map(|agency| {
            let of_agency = |kept: &Option<(AgencyId, BenchId)>| kept.is_some_and(|(by, _)| by.0 == agency);
            Mask::of((0..).zip(&kept).filter(|(_, kept)| of_agency(kept)).map(|(bench, _)| bench))
        });
        let all_lines = |queue: &Vec<Vec<LineId>>| Mask::of(sorted(queue.iter().flatten().map(|line| line.0)));
        Map {
            version,
            lines,
            lines_of_bench,
            lines_of_queue: line_of.iter().map(all_lines).collect(),
            line_of,
            further_line_of,
            bench_of,
            kept_benches: kept_benches.collect(),
            kept,
            lending: directory.lending.clone(),
            members,
            hands_from: directory.hands_from.unwrap_or(u32::MAX),
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
        self.line_among(&self.line_of, queue, language, step)
    }

    /// The line for further rings of such a caller; `None` where one agent is rung at a time.
    #[must_use]
    pub fn further_line(&self, queue: QueueId, language: Option<SkillId>, step: usize) -> Option<LineId> {
        self.line_among(&self.further_line_of, queue, language, step)
    }

    fn line_among(&self, lines: &[Vec<Vec<LineId>>], queue: QueueId, language: Option<SkillId>, step: usize) -> Option<LineId> {
        let steps = lines.get(queue.index())?;
        let by_language = steps.get(step.min(steps.len().checked_sub(1)?))?;
        by_language.get(self.place_of(language)).copied()
    }

    fn place_of(&self, language: Option<SkillId>) -> usize {
        language.and_then(|l| self.languages.iter().position(|known| *known == l)).unwrap_or(self.languages.len())
    }

    /// The number of a language, from 1; 0 is no language. A reload that adds languages changes none.
    pub(crate) fn tongue(&self, language: Option<SkillId>) -> usize {
        (self.place_of(language) + 1) % (self.languages.len() + 1)
    }

    /// For each language and for none: its number as [`tongue`](Self::tongue) gives it, and the line of those of `queue` who speak it.
    pub(crate) fn tongues(&self, queue: QueueId) -> impl Iterator<Item = (usize, LineId)> + '_ {
        let lines = self.line_of.get(queue.index()).and_then(|steps| steps.first()).map_or(&[][..], |lines| lines);
        lines.iter().enumerate().map(|(place, line)| ((place + 1) % lines.len(), *line))
    }

    /// The lines of those of `queue` who speak `language`: one for each step.
    pub(crate) fn lines_in(&self, queue: QueueId, language: Option<SkillId>) -> Box<[Mask]> {
        let place = self.place_of(language);
        let steps = self.line_of.get(queue.index()).map_or(&[][..], |steps| steps);
        Mask::of(sorted(steps.iter().filter_map(|lines| lines.get(place)).map(|line| line.0)))
    }

    /// The bench of an agent; `None` for one whom the directory does not know.
    #[must_use]
    pub fn bench(&self, agent: AgentId) -> Option<BenchId> {
        self.bench_of.get(agent.index()).copied().flatten()
    }

    /// Whether this is an agent's own number, and not that of a further hand.
    pub(crate) fn is_agents_own(&self, agent: AgentId) -> bool {
        agent.0 < self.hands_from
    }

    /// How many agents of the directory `bench` is for, signed in or not.
    pub(crate) fn members(&self, bench: BenchId) -> u32 {
        self.members.get(bench.0 as usize).copied().unwrap_or(0)
    }

    /// What `line` may expect of `bench`; `None`: nothing.
    #[must_use]
    pub fn served(&self, bench: BenchId, line: LineId) -> Option<Served> {
        let served = &self.lines.get(line.0 as usize)?.served;
        served.binary_search_by_key(&bench, |served| served.bench).ok().map(|at| served[at])
    }

    /// Whether agents of `bench` may serve `line`.
    #[must_use]
    pub fn serves(&self, bench: BenchId, line: LineId) -> bool {
        self.served(bench, line).is_some()
    }

    /// Whether there is any bench that may serve `line`, lent or not.
    #[must_use]
    pub fn anyone_serves(&self, line: LineId) -> bool {
        !self.benches_of(line).is_empty() || !self.benches_to_borrow(line).is_empty()
    }

    /// What `line` may expect of `bench` when its agents are lent; `None`: nothing, or they need not be.
    pub(crate) fn to_borrow(&self, bench: BenchId, line: LineId) -> Option<Served> {
        let served = &self.lines.get(line.0 as usize)?.to_borrow;
        served.binary_search_by_key(&bench, |served| served.bench).ok().map(|at| served[at])
    }

    /// The benches whose agents might be lent to `line`.
    pub(crate) fn benches_to_borrow(&self, line: LineId) -> &[Mask] {
        self.lines.get(line.0 as usize).map_or(&[], |line| &line.benches_to_borrow)
    }

    /// The agencies that these are of.
    pub(crate) fn lenders_to(&self, line: LineId) -> &[AgencyId] {
        self.lines.get(line.0 as usize).map_or(&[], |line| &line.lenders)
    }

    /// The agency that keeps the agents of `bench` for its own callers.
    pub(crate) fn kept_for(&self, bench: BenchId) -> Option<AgencyId> {
        self.kept.get(bench.0 as usize).copied().flatten().map(|(agency, _)| agency)
    }

    /// The bench on which agents of `bench` sit when they are lent.
    pub(crate) fn lent_as(&self, bench: BenchId) -> Option<BenchId> {
        self.kept.get(bench.0 as usize).copied().flatten().map(|(_, lent)| lent)
    }

    /// The benches of agents whom `agency` keeps for its own callers.
    pub(crate) fn kept_benches(&self, agency: AgencyId) -> &[Mask] {
        self.kept_benches.get(agency.index()).map_or(&[], |benches| benches)
    }

    /// By agency: what it keeps for its own callers.
    pub(crate) fn all_lending(&self) -> &[Option<Lending>] {
        &self.lending
    }

    /// What `agency` keeps for its own callers; `None`: nothing.
    pub(crate) fn lending(&self, agency: AgencyId) -> Option<Lending> {
        self.lending.get(agency.index()).copied().flatten()
    }

    /// The benches that may serve `line`.
    pub(crate) fn benches_of(&self, line: LineId) -> &[Mask] {
        self.lines.get(line.0 as usize).map_or(&[], |line| &line.benches)
    }

    /// The lines that `bench` may serve.
    pub(crate) fn lines_of(&self, bench: BenchId) -> &[Mask] {
        self.lines_of_bench.get(bench.0 as usize).map_or(&[], |lines| lines)
    }

    /// The lines of `queue`: each step, each language.
    pub(crate) fn lines_of_queue(&self, queue: QueueId) -> &[Mask] {
        self.lines_of_queue.get(queue.index()).map_or(&[], |lines| lines)
    }

    /// The rule of choice of `line`.
    #[must_use]
    pub fn rule(&self, line: LineId) -> ChoiceRule {
        self.lines.get(line.0 as usize).map_or(ChoiceRule::LongestIdle, |line| line.rule)
    }

    /// Whether a matcher for so many agents has room for it.
    ///
    /// # Errors
    /// When it has not.
    pub fn fits(&self, agents: u32) -> Result<(), TooMany> {
        let room = [("lines", self.lines.len(), LINES_MAX), ("benches", self.profiles.end(), benches_max(agents))];
        match room.into_iter().find(|(_, wanted, max)| *wanted > *max as usize) {
            Some((what, wanted, max)) => Err(TooMany { what, wanted, max }),
            None => Ok(()),
        }
    }
}

/// Lines, and by bench the lines that it may serve. Benches are looked for among those of the line's pools only.
fn served(
    requirements: &Places<Requirement>,
    profiles: &Places<Profile>,
    lending: &[Option<Lending>],
) -> (Vec<Line>, Vec<Box<[Mask]>>) {
    let ever_lends = |agency: AgencyId| lending.get(agency.index()).copied().flatten().is_some_and(Lending::ever);
    let mut of_pool: BTreeMap<PoolId, Vec<(&Profile, BenchId)>> = BTreeMap::new();
    let mut keepers: BTreeMap<BenchId, AgencyId> = BTreeMap::new();
    for (profile, bench) in profiles.iter() {
        keepers.extend(profile.terms.kept_for().map(|agency| (BenchId(bench), agency)));
        for pool in &profile.pools {
            of_pool.entry(*pool).or_default().push((profile, BenchId(bench)));
        }
    }
    let mut lines: Vec<Line> = vec![Line::default(); requirements.end()];
    let mut lines_of_bench: Vec<Vec<u32>> = vec![Vec::new(); profiles.end()];
    for (requirement, id) in requirements.iter() {
        let mut found: BTreeMap<BenchId, Served> = BTreeMap::new();
        let mut to_borrow: BTreeMap<BenchId, Served> = BTreeMap::new();
        for (place, pool) in requirement.pools.iter().enumerate() {
            for (profile, bench) in of_pool.get(pool).into_iter().flatten() {
                let level_sum = profile.level_sum(&requirement.skills).filter(|_| profile.channel == requirement.channel);
                let Some(level_sum) = level_sum else { continue };
                // Nobody is kept from an emergency, and nobody borrowed for a further ring.
                let found = match profile.terms {
                    Terms::Own(agency) | Terms::Lent(agency) if requirement.lender == Some(agency) => &mut found,
                    Terms::All => &mut found,
                    Terms::Own(_) | Terms::Lent(_) if requirement.emergency && !requirement.further => &mut found,
                    Terms::Lent(_) if !requirement.further => &mut found,
                    Terms::Own(agency) if !requirement.further && ever_lends(agency) => &mut to_borrow,
                    Terms::Lent(_) | Terms::Own(_) => continue,
                };
                let pool = u8::try_from(place).unwrap_or(u8::MAX);
                found.entry(*bench).or_insert(Served { bench: *bench, pool, level_sum });
            }
        }
        for bench in found.keys() {
            lines_of_bench[bench.0 as usize].push(id);
        }
        let mut lenders: Vec<(u8, AgencyId)> =
            to_borrow.values().filter_map(|served| Some((served.pool, keepers.get(&served.bench).copied()?))).collect();
        lenders.sort();
        lines[id as usize] = Line {
            rule: requirement.rule,
            benches: Mask::of(found.keys().map(|bench| bench.0)),
            served: found.into_values().collect(),
            benches_to_borrow: Mask::of(to_borrow.keys().map(|bench| bench.0)),
            to_borrow: to_borrow.into_values().collect(),
            lenders: without_repeats(lenders.into_iter().map(|(_, agency)| agency)).into(),
        };
    }
    (lines, lines_of_bench.into_iter().map(Mask::of).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::queue::{WideningStep, tests::plain};
    use super::*;
    pub(crate) fn agent(name: &str, skills: &[(u32, u8)], pools: &[u32]) -> Option<AgentProfile> {
        Some(AgentProfile {
            name: name.into(),
            pools: pools.iter().map(|pool| PoolId(*pool)).collect(),
            skills: skills.iter().map(|(skill, level)| (SkillId(*skill), *level)).collect(),
            ..AgentProfile::default()
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
            lending: Vec::new(),
            hands_from: None,
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
