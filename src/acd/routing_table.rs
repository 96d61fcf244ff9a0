//! The routing table: which skill groups may serve which demands. It is immutable, and replaced as a whole when the
//! directory changes.
//!
//! A *demand* is a distinct requirement: channel, skills with least levels, pools, rule of choice, relaxation step and
//! priority boost. A *skill group* is a distinct profile of agents: channel, skills with levels, and pools.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::agent_slots::Capacity;
use super::loan::Lending;
use super::numbering::Numbering;
use super::policy::ChoiceRule;
use super::queue::QueueRules;
use super::ready_index::Mask;
use crate::base::words::Channel;
use crate::base::{AgencyId, AgentId, PoolId, QueueId, SkillId};

/// A demand: a distinct requirement, or an agent's own demand for contacts that wait for this agent alone. A dense
/// index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DemandId(pub u32);

impl DemandId {
    /// The agent's own demand. No directory changes it.
    #[must_use]
    pub const fn of_agent(agent: AgentId) -> Self {
        DemandId(DEMANDS_MAX + agent.0)
    }

    /// The agent whose own demand this is; `None` for a demand that comes from a requirement.
    #[must_use]
    pub const fn agent(self) -> Option<AgentId> {
        match self.0.checked_sub(DEMANDS_MAX) {
            Some(agent) => Some(AgentId(agent)),
            None => None,
        }
    }
}

/// A skill group: a distinct profile of agents. A dense index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct SkillGroupId(pub u32);

/// The greatest number of demands that a directory can need together with the versions before it. The agents' own
/// demands are numbered from here.
pub(crate) const DEMANDS_MAX: u32 = match () {
    // The models are small, and so is their index.
    () if cfg!(hotline_loom) => 2,
    () if cfg!(any(hotline_shuttle, hotline_parked)) => 16,
    () => 1 << 17,
};

/// The greatest number of skill groups that so many agents can need, with the versions of the directory before the last
/// change.
pub(crate) fn skill_groups_max(agents: u32) -> u32 {
    let least = if cfg!(any(hotline_loom, hotline_shuttle, hotline_parked)) { 16 } else { 1024 };
    (4 * agents).max(least)
}

/// The directory needs more than the matcher was built for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{what}: {wanted} with those that the changes before may still need, and there is room for {max}; try again in a moment, or restart"
)]
pub struct TooMany {
    /// What there are too many of: demands or skill groups.
    pub what: &'static str,
    /// How many there would be.
    pub wanted: usize,
    /// How many there can be.
    pub max: u32,
}

/// What an agent's eligibility depends on.
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
    /// The channel of this slot. The agent's [other slots](Directory::with_agent_slots) have profiles of their own.
    pub channel: Channel,
    /// What the agent may have at once.
    pub capacity: Capacity,
}

/// The queues and agents that the configuration names. Indexes are stable: a removed one leaves `None` behind.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// By [`QueueId`].
    pub queues: Vec<Option<QueueRules>>,
    /// By [`AgentId`].
    pub agents: Vec<Option<AgentProfile>>,
    /// From this number on agents are further [slots](super::agent_slots) of other agents; `None`: there are none.
    pub agent_slots_from: Option<u32>,
    /// The skills that are languages, by which callers choose.
    pub languages: Vec<SkillId>,
    /// By [`AgencyId`]: what it keeps for its own callers. `None`, or a missing item: its agents serve all callers of
    /// their pools.
    pub lending: Vec<Option<Lending>>,
}

/// A skill group as a demand sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Served {
    /// The skill group whose agents may serve the demand.
    pub group: SkillGroupId,
    /// The first of the demand's pools that the agents belong to, counted from 0.
    pub pool: u8,
    /// The sum of the agents' levels in the skills asked for.
    pub level_sum: u16,
}

/// What the skill groups mean to a demand. A demand that was dropped has none.
#[derive(Clone, Debug, Default)]
struct Demand {
    rule: ChoiceRule,
    /// Sorted by skill group.
    served: Box<[Served]>,
    groups: Box<[Mask]>,
    /// The same for skill groups whose agents would have to be lent.
    to_borrow: Box<[Served]>,
    groups_to_borrow: Box<[Mask]>,
    /// The agencies of those skill groups, in the order of the demand's pools.
    lenders: Box<[AgencyId]>,
}

/// Which callers the agents of a skill group serve.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Terms {
    /// All callers of their pools.
    All,
    /// Of those only the callers of their own agency.
    Own(AgencyId),
    /// All of those, for now: the agent is on loan.
    Lent(AgencyId),
}

impl Terms {
    /// The agency that keeps the agents for its own callers.
    fn kept_for(self) -> Option<AgencyId> {
        if let Terms::Own(agency) = self { Some(agency) } else { None }
    }
}

/// The profile that a skill group stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Profile {
    skills: Vec<(SkillId, u8)>,
    pools: Vec<PoolId>,
    channel: Channel,
    terms: Terms,
}

impl Profile {
    /// The sum of the levels in the skills asked for; `None` if one level is too low.
    fn level_sum(&self, asked: &[(SkillId, u8)]) -> Option<u16> {
        let level =
            |skill: &SkillId| self.skills.binary_search_by_key(skill, |(known, _)| *known).map_or(0, |at| self.skills[at].1);
        asked.iter().try_fold(0, |sum, (skill, least)| {
            let has = level(skill);
            (has >= *least).then_some(sum + u16::from(has))
        })
    }
}

/// The requirement that a demand stands for: what it asks of agents, and what makes its contacts join in the order of
/// their keys. All contacts of a demand have the same priority boost and have waited for as many steps.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Requirement {
    channel: Channel,
    skills: Vec<(SkillId, u8)>,
    /// In the order of preference.
    pools: Vec<PoolId>,
    rule: ChoiceRule,
    step: usize,
    priority_boost: Duration,
    emergency: bool,
    /// For further rings, which have keys of their own class.
    further: bool,
    /// The queue's agency, if it keeps agents for its own callers.
    lender: Option<AgencyId>,
}

/// Which skill groups may serve which demands.
#[derive(Clone, Debug, Default)]
pub struct RoutingTable {
    version: u64,
    /// The version that all owners had adopted when it was made.
    acknowledged: u64,
    demands: Vec<Demand>,
    /// By skill group: the demands that it may serve.
    demands_of_group: Vec<Box<[Mask]>>,
    /// By queue, then by step, then by language (the last place is "no language").
    demand_of: Vec<Vec<Vec<DemandId>>>,
    /// The same for further rings; empty for queues that ring one agent at a time.
    further_demand_of: Vec<Vec<Vec<DemandId>>>,
    /// By queue: all its demands.
    demands_of_queue: Vec<Box<[Mask]>>,
    group_of: Vec<Option<SkillGroupId>>,
    /// By skill group: the agency that keeps its agents for its own callers, and the skill group of these agents while
    /// they are lent.
    kept: Vec<Option<(AgencyId, SkillGroupId)>>,
    /// By agency: the skill groups of the agents that it keeps for its own callers.
    kept_groups: Vec<Box<[Mask]>>,
    lending: Vec<Option<Lending>>,
    /// By skill group: how many agents of the directory have this profile.
    members: Vec<u32>,
    agent_slots_from: u32,
    languages: Vec<SkillId>,
    profiles: Numbering<Profile>,
    requirements: Numbering<Requirement>,
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

impl RoutingTable {
    /// The routing table of `directory`.
    #[must_use]
    pub fn new(directory: &Directory, version: u64) -> Self {
        RoutingTable::default().following(directory, version, 0)
    }

    /// The routing table of `directory` as this `version`. Every demand and skill group of the present table keeps its
    /// number while a party may still have an entry under it. All owners have adopted the version `acknowledged`.
    #[must_use]
    pub fn following(&self, directory: &Directory, version: u64, acknowledged: u64) -> Self {
        let lender = |agency: AgencyId| directory.lending.get(agency.index()).copied().flatten().map(|_| agency);
        let mut profiles = self.profiles.following(version, acknowledged);
        let group_of: Vec<Option<SkillGroupId>> = directory
            .agents
            .iter()
            .map(|agent| {
                agent.as_ref().map(|agent| {
                    let mut group = |terms| {
                        let (skills, pools) = (sorted(agent.skills.iter().copied()), sorted(agent.pools.iter().copied()));
                        SkillGroupId(profiles.name(Profile { skills, pools, channel: agent.channel, terms }, acknowledged))
                    };
                    let Some(agency) = lender(agent.agency) else { return group(Terms::All) };
                    group(Terms::Lent(agency));
                    group(Terms::Own(agency))
                })
            })
            .collect();
        let mut members = vec![0; profiles.end()];
        for group in group_of.iter().flatten() {
            members[group.0 as usize] += 1;
        }
        let mut requirements = self.requirements.following(version, acknowledged);
        let choices: Vec<Option<SkillId>> = directory.languages.iter().copied().map(Some).chain([None]).collect();
        let mut demands_for = |queue: &Option<QueueRules>, further: bool| -> Vec<Vec<DemandId>> {
            let Some(queue) = queue.as_ref().filter(|queue| !further || queue.ring_several > 1) else { return Vec::new() };
            let mut demand = |step, language| {
                let requirement = Requirement {
                    channel: queue.channel,
                    skills: sorted(queue.requirement(language, step)),
                    pools: without_repeats(queue.pools_at(step)),
                    rule: queue.choice,
                    step,
                    priority_boost: queue.priority_boost,
                    emergency: queue.emergency,
                    further,
                    lender: lender(queue.agency),
                };
                DemandId(requirements.name(requirement, acknowledged))
            };
            (0..=queue.relaxation.len()).map(|step| choices.iter().map(|language| demand(step, *language)).collect()).collect()
        };
        let demand_of: Vec<_> = directory.queues.iter().map(|queue| demands_for(queue, false)).collect();
        let further_demand_of = directory.queues.iter().map(|queue| demands_for(queue, true)).collect();
        let (demands, demands_of_group) = served(&requirements, &profiles, &directory.lending);
        let mut kept = vec![None; profiles.end()];
        for (profile, group) in profiles.iter() {
            if let Some(agency) = profile.terms.kept_for() {
                let lent = Profile { terms: Terms::Lent(agency), ..profile.clone() };
                kept[group as usize] = profiles.get(&lent).map(|lent| (agency, SkillGroupId(lent)));
            }
        }
        let kept_groups = (0..directory.lending.len() as u32).map(|agency| {
            let of_agency = |kept: &Option<(AgencyId, SkillGroupId)>| kept.is_some_and(|(by, _)| by.0 == agency);
            Mask::of((0..).zip(&kept).filter(|(_, kept)| of_agency(kept)).map(|(group, _)| group))
        });
        let all_demands = |queue: &Vec<Vec<DemandId>>| Mask::of(sorted(queue.iter().flatten().map(|demand| demand.0)));
        RoutingTable {
            version,
            acknowledged,
            demands,
            demands_of_group,
            demands_of_queue: demand_of.iter().map(all_demands).collect(),
            demand_of,
            further_demand_of,
            group_of,
            kept_groups: kept_groups.collect(),
            kept,
            lending: directory.lending.clone(),
            members,
            agent_slots_from: directory.agent_slots_from.unwrap_or(u32::MAX),
            languages: directory.languages.clone(),
            profiles,
            requirements,
        }
    }

    /// The directory version; it grows.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The version that all owners had adopted when it was made: with the table before, the directory and this, it can be
    /// [made again](Self::following).
    #[must_use]
    pub const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// The demand of a caller of `queue` who speaks `language`, after `step` relaxation steps (the last step, where
    /// there are fewer).
    #[must_use]
    pub fn demand(&self, queue: QueueId, language: Option<SkillId>, step: usize) -> Option<DemandId> {
        self.demand_among(&self.demand_of, queue, language, step)
    }

    /// The demand of further rings for such a caller; `None` where one agent is rung at a time.
    #[must_use]
    pub fn further_demand(&self, queue: QueueId, language: Option<SkillId>, step: usize) -> Option<DemandId> {
        self.demand_among(&self.further_demand_of, queue, language, step)
    }

    fn demand_among(
        &self,
        demands: &[Vec<Vec<DemandId>>],
        queue: QueueId,
        language: Option<SkillId>,
        step: usize,
    ) -> Option<DemandId> {
        let steps = demands.get(queue.index())?;
        let by_language = steps.get(step.min(steps.len().checked_sub(1)?))?;
        by_language.get(self.place_of(language)).copied()
    }

    fn place_of(&self, language: Option<SkillId>) -> usize {
        language.and_then(|l| self.languages.iter().position(|known| *known == l)).unwrap_or(self.languages.len())
    }

    /// The number of a language, from 1; 0 is no language. A reload that adds languages changes no number.
    pub(crate) fn tongue(&self, language: Option<SkillId>) -> usize {
        (self.place_of(language) + 1) % (self.languages.len() + 1)
    }

    /// For each language and for none: its number by [`tongue`](Self::tongue), and the first demand of the queue's
    /// callers who speak it.
    pub(crate) fn tongues(&self, queue: QueueId) -> impl Iterator<Item = (usize, DemandId)> + '_ {
        let demands = self.demand_of.get(queue.index()).and_then(|steps| steps.first()).map_or(&[][..], |demands| demands);
        demands.iter().enumerate().map(|(place, demand)| ((place + 1) % demands.len(), *demand))
    }

    /// The demands of the queue's callers who speak `language`: one for each step.
    pub(crate) fn demands_in(&self, queue: QueueId, language: Option<SkillId>) -> Box<[Mask]> {
        let place = self.place_of(language);
        let steps = self.demand_of.get(queue.index()).map_or(&[][..], |steps| steps);
        Mask::of(sorted(steps.iter().filter_map(|demands| demands.get(place)).map(|demand| demand.0)))
    }

    /// The skill group of an agent; `None` for an agent that the directory does not know.
    #[must_use]
    pub fn group(&self, agent: AgentId) -> Option<SkillGroupId> {
        self.group_of.get(agent.index()).copied().flatten()
    }

    /// Whether this is an agent's own number, and not that of a further slot.
    pub(crate) fn is_agents_own(&self, agent: AgentId) -> bool {
        agent.0 < self.agent_slots_from
    }

    /// How many agents of the directory are in `group`, signed in or not.
    pub(crate) fn members(&self, group: SkillGroupId) -> u32 {
        self.members.get(group.0 as usize).copied().unwrap_or(0)
    }

    /// What `group` means to `demand`; `None`: it may not serve it.
    #[must_use]
    pub fn served(&self, group: SkillGroupId, demand: DemandId) -> Option<Served> {
        let served = &self.demands.get(demand.0 as usize)?.served;
        served.binary_search_by_key(&group, |served| served.group).ok().map(|at| served[at])
    }

    /// Whether agents of `group` may serve `demand`.
    #[must_use]
    pub fn serves(&self, group: SkillGroupId, demand: DemandId) -> bool {
        self.served(group, demand).is_some()
    }

    /// Whether any skill group may serve `demand`, lent or not.
    #[must_use]
    pub fn anyone_serves(&self, demand: DemandId) -> bool {
        !self.groups_of(demand).is_empty() || !self.groups_to_borrow(demand).is_empty()
    }

    /// What `group` means to `demand` when its agents are lent; `None`: they may not serve it, or need not be lent.
    pub(crate) fn to_borrow(&self, group: SkillGroupId, demand: DemandId) -> Option<Served> {
        let served = &self.demands.get(demand.0 as usize)?.to_borrow;
        served.binary_search_by_key(&group, |served| served.group).ok().map(|at| served[at])
    }

    /// The skill groups whose agents might be lent to `demand`.
    pub(crate) fn groups_to_borrow(&self, demand: DemandId) -> &[Mask] {
        self.demands.get(demand.0 as usize).map_or(&[], |demand| &demand.groups_to_borrow)
    }

    /// The agencies of those skill groups.
    pub(crate) fn lenders_to(&self, demand: DemandId) -> &[AgencyId] {
        self.demands.get(demand.0 as usize).map_or(&[], |demand| &demand.lenders)
    }

    /// The agency that keeps the agents of `group` for its own callers.
    pub(crate) fn kept_for(&self, group: SkillGroupId) -> Option<AgencyId> {
        self.kept.get(group.0 as usize).copied().flatten().map(|(agency, _)| agency)
    }

    /// The skill group of the agents of `group` while they are lent.
    pub(crate) fn lent_as(&self, group: SkillGroupId) -> Option<SkillGroupId> {
        self.kept.get(group.0 as usize).copied().flatten().map(|(_, lent)| lent)
    }

    /// The skill groups of the agents that `agency` keeps for its own callers.
    pub(crate) fn kept_groups(&self, agency: AgencyId) -> &[Mask] {
        self.kept_groups.get(agency.index()).map_or(&[], |groups| groups)
    }

    /// By agency: what it keeps for its own callers.
    pub(crate) fn all_lending(&self) -> &[Option<Lending>] {
        &self.lending
    }

    /// What `agency` keeps for its own callers; `None`: nothing.
    pub(crate) fn lending(&self, agency: AgencyId) -> Option<Lending> {
        self.lending.get(agency.index()).copied().flatten()
    }

    /// The skill groups that may serve `demand`.
    pub(crate) fn groups_of(&self, demand: DemandId) -> &[Mask] {
        self.demands.get(demand.0 as usize).map_or(&[], |demand| &demand.groups)
    }

    /// The demands that `group` may serve.
    pub(crate) fn demands_of(&self, group: SkillGroupId) -> &[Mask] {
        self.demands_of_group.get(group.0 as usize).map_or(&[], |demands| demands)
    }

    /// The demands of `queue`: each step, each language.
    pub(crate) fn demands_of_queue(&self, queue: QueueId) -> &[Mask] {
        self.demands_of_queue.get(queue.index()).map_or(&[], |demands| demands)
    }

    /// The rule of choice of `demand`.
    #[must_use]
    pub fn rule(&self, demand: DemandId) -> ChoiceRule {
        self.demands.get(demand.0 as usize).map_or(ChoiceRule::LongestIdle, |demand| demand.rule)
    }

    /// Whether a matcher for so many agents has room for this table.
    ///
    /// # Errors
    /// When it has too many demands or skill groups.
    pub fn fits(&self, agents: u32) -> Result<(), TooMany> {
        let room =
            [("demands", self.demands.len(), DEMANDS_MAX), ("skill groups", self.profiles.end(), skill_groups_max(agents))];
        match room.into_iter().find(|(_, wanted, max)| *wanted > *max as usize) {
            Some((what, wanted, max)) => Err(TooMany { what, wanted, max }),
            None => Ok(()),
        }
    }
}

/// The demands, and by skill group the demands that it may serve. Only the skill groups of a demand's pools are looked
/// at.
fn served(
    requirements: &Numbering<Requirement>,
    profiles: &Numbering<Profile>,
    lending: &[Option<Lending>],
) -> (Vec<Demand>, Vec<Box<[Mask]>>) {
    let ever_lends = |agency: AgencyId| lending.get(agency.index()).copied().flatten().is_some_and(Lending::ever);
    let mut of_pool: BTreeMap<PoolId, Vec<(&Profile, SkillGroupId)>> = BTreeMap::new();
    let mut keepers: BTreeMap<SkillGroupId, AgencyId> = BTreeMap::new();
    for (profile, group) in profiles.iter() {
        keepers.extend(profile.terms.kept_for().map(|agency| (SkillGroupId(group), agency)));
        for pool in &profile.pools {
            of_pool.entry(*pool).or_default().push((profile, SkillGroupId(group)));
        }
    }
    let mut demands: Vec<Demand> = vec![Demand::default(); requirements.end()];
    let mut demands_of_group: Vec<Vec<u32>> = vec![Vec::new(); profiles.end()];
    for (requirement, id) in requirements.iter() {
        let mut found: BTreeMap<SkillGroupId, Served> = BTreeMap::new();
        let mut to_borrow: BTreeMap<SkillGroupId, Served> = BTreeMap::new();
        for (place, pool) in requirement.pools.iter().enumerate() {
            for (profile, group) in of_pool.get(pool).into_iter().flatten() {
                let level_sum = profile.level_sum(&requirement.skills).filter(|_| profile.channel == requirement.channel);
                let Some(level_sum) = level_sum else { continue };
                // No agent is kept from an emergency, and none is borrowed for a further ring.
                let found = match profile.terms {
                    Terms::Own(agency) | Terms::Lent(agency) if requirement.lender == Some(agency) => &mut found,
                    Terms::All => &mut found,
                    Terms::Own(_) | Terms::Lent(_) if requirement.emergency && !requirement.further => &mut found,
                    Terms::Lent(_) if !requirement.further => &mut found,
                    Terms::Own(agency) if !requirement.further && ever_lends(agency) => &mut to_borrow,
                    Terms::Lent(_) | Terms::Own(_) => continue,
                };
                let pool = u8::try_from(place).unwrap_or(u8::MAX);
                found.entry(*group).or_insert(Served { group: *group, pool, level_sum });
            }
        }
        for group in found.keys() {
            demands_of_group[group.0 as usize].push(id);
        }
        let mut lenders: Vec<(u8, AgencyId)> =
            to_borrow.values().filter_map(|served| Some((served.pool, keepers.get(&served.group).copied()?))).collect();
        lenders.sort();
        demands[id as usize] = Demand {
            rule: requirement.rule,
            groups: Mask::of(found.keys().map(|group| group.0)),
            served: found.into_values().collect(),
            groups_to_borrow: Mask::of(to_borrow.keys().map(|group| group.0)),
            to_borrow: to_borrow.into_values().collect(),
            lenders: without_repeats(lenders.into_iter().map(|(_, agency)| agency)).into(),
        };
    }
    (demands, demands_of_group.into_iter().map(Mask::of).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::queue::{RelaxationStep, tests::plain};
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
    fn agents_alike_share_a_skill_group_and_requirements_alike_share_a_demand() {
        let mut narrow = plain("tax", &[(1, 5)], &[0]);
        narrow.relaxation =
            vec![RelaxationStep { after: Duration::from_secs(30), lower_levels_by: 3, more_pools: vec![PoolId(1)] }];
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
            agent_slots_from: None,
        };
        let table = RoutingTable::new(&directory, 1);
        let group = |n| table.group(AgentId(n)).unwrap();
        let demand = |queue, language, step| table.demand(QueueId(queue), language, step).unwrap();
        assert_eq!(group(0), group(1));
        assert_eq!(table.group(AgentId(3)), None);
        assert_eq!(table.group(AgentId(4)), None);
        assert_eq!(demand(0, None, 0), demand(1, None, 0));
        assert_eq!(table.demand(QueueId(2), None, 0), None);
        assert!(table.serves(group(0), demand(0, Some(SkillId(9)), 0)));
        assert!(!table.serves(group(2), demand(0, None, 0)), "level too low, wrong pool");
        assert!(table.serves(group(2), demand(0, None, 1)), "level and pool relaxed");
        assert!(!table.serves(group(2), demand(0, Some(SkillId(9)), 1)), "the language is not");
        assert_eq!(demand(0, None, 1), demand(0, None, 5), "past the last step the last one holds");
    }
}
