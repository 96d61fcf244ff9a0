//! The rules of a queue: what it asks of agents, how long and how many may wait, and where they go otherwise.

use std::sync::Arc;
use std::time::Duration;

use super::policy::ChoiceRule;
use crate::base::words::Channel;
use crate::base::{AgencyId, AgentId, PoolId, QueueId, SkillId};

/// When a caller is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AnswerWhen {
    /// At once: music is heard on an answered call.
    #[default]
    AtOnce,
    /// When an agent has answered; until then music as early media (183).
    Late,
}

/// What a waiting caller hears of its wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Announce {
    /// Its place in the queue.
    #[default]
    Place,
    /// How long it may take.
    Wait,
    /// Both.
    PlaceAndWait,
}

/// What happens while no agent who could serve the caller is signed in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum WhenEmpty {
    /// The caller waits all the same.
    #[default]
    Wait,
    /// The caller goes where the overflow leads.
    Overflow,
    /// A prompt, then goodbye.
    Goodbye,
}

/// Where a caller goes who cannot stay.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Overflow {
    /// A prompt, then goodbye.
    #[default]
    Goodbye,
    /// Another queue, with the time already waited as credit.
    Queue(QueueId),
    /// A number outside, over a trunk that leads there.
    Number(Arc<str>),
}

/// One step by which the requirement relaxes. Steps add up. The caller's language is never relaxed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelaxationStep {
    /// After this time in the queue.
    pub after: Duration,
    /// By how much the least levels are lowered, never below 1.
    pub lower_levels_by: u8,
    /// Pools that may serve from then on, too.
    pub more_pools: Vec<PoolId>,
}

/// A queue: a named service, owned by an agency.
#[derive(Clone, PartialEq, Debug)]
pub struct QueueRules {
    /// Its name in the configuration, in metrics and in the API.
    pub name: Arc<str>,
    /// The agency that owns it.
    pub agency: AgencyId,
    /// The channel of its contacts.
    pub channel: Channel,
    /// The skills it asks for, each with a least level (1 to 10).
    pub skills: Vec<(SkillId, u8)>,
    /// The least level in the caller's language, 1 to 10.
    pub language_level: u8,
    /// The pools that may serve it, in the order of preference.
    pub pools: Vec<PoolId>,
    /// The priority boost over other queues (`head_start`): a caller is served as if having arrived so much earlier.
    pub priority_boost: Duration,
    /// Calls of this queue go before all others, and are shed last.
    pub emergency: bool,
    /// How long a caller waits for the agent who served it last, if that agent is signed in; `None`: not at all.
    pub prefer_last: Option<Duration>,
    /// The agent for whom callers without such an agent wait first, if signed in, and for how long; `None`: there is
    /// none.
    pub prefer_agent: Option<(AgentId, Duration)>,
    /// How the requirement relaxes with time (`widen`), in order.
    pub relaxation: Vec<RelaxationStep>,
    /// How to choose among agents.
    pub choice: ChoiceRule,
    /// How many agents are rung at once for a caller; the first to answer wins. The further ones are rung only when
    /// nobody else needs them.
    pub ring_several: u8,
    /// When the caller is answered.
    pub answer: AnswerWhen,
    /// The music, a name in the prompt library.
    pub music: Arc<str>,
    /// What waiting callers hear of their wait.
    pub announce: Announce,
    /// How often they hear it; `None`: never.
    pub announce_every: Option<Duration>,
    /// How long a phone is rung before the agent counts as absent (RONA).
    pub ring_timeout: Duration,
    /// How long an agent who refused or was busy is left alone.
    pub refused_pause: Duration,
    /// The agent's wrap-up time after a talk.
    pub wrap_up: Duration,
    /// The longest wait, then overflow.
    pub wait_max: Option<Duration>,
    /// The greatest length of the queue; a caller who would wait behind it overflows. Zero: nobody waits.
    pub length_max: u32,
    /// Where callers go who cannot stay.
    pub overflow: Overflow,
    /// What a caller meets when no agent who could serve is signed in.
    pub join_empty: WhenEmpty,
    /// What becomes of waiting callers when the last agent who could serve signs out.
    pub leave_when_empty: WhenEmpty,
    /// The target of the service level: a call answered within it counts as served well.
    pub service_target: Duration,
    /// Abandoning within this time does not count against the service level.
    pub short_abandon: Duration,
    /// The longest talk.
    pub talk_max: Duration,
    /// No longer in the configuration: takes nobody new, and empties by these rules.
    pub retired: bool,
}

/// The rules of a queue of which the configuration says nothing.
impl Default for QueueRules {
    fn default() -> Self {
        QueueRules {
            name: "".into(),
            agency: AgencyId(0),
            channel: Channel::Voice,
            skills: Vec::new(),
            language_level: 1,
            pools: Vec::new(),
            priority_boost: Duration::ZERO,
            emergency: false,
            prefer_last: None,
            prefer_agent: None,
            relaxation: Vec::new(),
            choice: ChoiceRule::LongestIdle,
            ring_several: 1,
            answer: AnswerWhen::AtOnce,
            music: "music/default".into(),
            announce: Announce::Place,
            announce_every: Some(Duration::from_secs(60)),
            ring_timeout: Duration::from_secs(20),
            refused_pause: Duration::from_secs(10),
            wrap_up: Duration::from_secs(30),
            wait_max: None,
            length_max: 1_000,
            overflow: Overflow::Goodbye,
            join_empty: WhenEmpty::Wait,
            leave_when_empty: WhenEmpty::Wait,
            service_target: Duration::from_secs(20),
            short_abandon: Duration::from_secs(5),
            talk_max: Duration::from_secs(2 * 3600),
            retired: false,
        }
    }
}

impl QueueRules {
    /// The number of relaxation steps that hold after `waited`; 0 is the requirement as written.
    #[must_use]
    pub fn step_at(&self, waited: Duration) -> usize {
        self.relaxation.iter().take_while(|step| step.after <= waited).count()
    }

    /// The skills asked for at `step`, with their least levels, the language included.
    #[must_use]
    pub fn requirement(&self, language: Option<SkillId>, step: usize) -> Vec<(SkillId, u8)> {
        let lowered: u8 = self.relaxation.iter().take(step).fold(0, |sum: u8, step| sum.saturating_add(step.lower_levels_by));
        let mut skills: Vec<_> =
            self.skills.iter().map(|(skill, level)| (*skill, level.saturating_sub(lowered).max(1))).collect();
        if let Some(language) = language {
            match skills.iter_mut().find(|(skill, _)| *skill == language) {
                Some((_, level)) => *level = (*level).max(self.language_level),
                None => skills.push((language, self.language_level)),
            }
        }
        skills
    }

    /// The pools that may serve at `step`.
    pub fn pools_at(&self, step: usize) -> impl Iterator<Item = PoolId> + '_ {
        self.pools.iter().copied().chain(self.relaxation.iter().take(step).flat_map(|step| step.more_pools.iter().copied()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A queue with nothing unusual about it.
    pub(crate) fn plain(name: &str, skills: &[(u32, u8)], pools: &[u32]) -> QueueRules {
        QueueRules {
            name: name.into(),
            skills: skills.iter().map(|(skill, level)| (SkillId(*skill), *level)).collect(),
            pools: pools.iter().map(|pool| PoolId(*pool)).collect(),
            announce: Announce::Place,
            announce_every: None,
            wrap_up: Duration::ZERO,
            ..QueueRules::default()
        }
    }

    #[test]
    fn relaxation_lowers_levels_and_adds_pools_but_keeps_the_language() {
        let mut rules = plain("q", &[(1, 5), (2, 2)], &[0]);
        rules.language_level = 4;
        rules.relaxation = vec![
            RelaxationStep { after: Duration::from_secs(30), lower_levels_by: 2, more_pools: vec![] },
            RelaxationStep { after: Duration::from_secs(60), lower_levels_by: 9, more_pools: vec![PoolId(7)] },
        ];
        assert_eq!(rules.step_at(Duration::from_secs(29)), 0);
        assert_eq!(rules.step_at(Duration::from_secs(30)), 1);
        assert_eq!(rules.step_at(Duration::from_secs(99)), 2);
        assert_eq!(rules.requirement(Some(SkillId(9)), 0), [(SkillId(1), 5), (SkillId(2), 2), (SkillId(9), 4)]);
        assert_eq!(rules.requirement(Some(SkillId(9)), 1), [(SkillId(1), 3), (SkillId(2), 1), (SkillId(9), 4)]);
        assert_eq!(rules.requirement(Some(SkillId(9)), 2), [(SkillId(1), 1), (SkillId(2), 1), (SkillId(9), 4)]);
        assert_eq!(rules.pools_at(1).collect::<Vec<_>>(), [PoolId(0)]);
        assert_eq!(rules.pools_at(2).collect::<Vec<_>>(), [PoolId(0), PoolId(7)]);
    }
}
