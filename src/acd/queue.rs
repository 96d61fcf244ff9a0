//! The rules of a queue: what it asks of agents, how long and how many may wait, and where they go otherwise.

use std::sync::Arc;
use std::time::Duration;

use super::policy::ChoiceRule;
use crate::base::words::Channel;
use crate::base::{AgencyId, AgentId, PoolId, QueueId, SkillId};

/// When a caller is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Answer {
    /// At once: music is heard on an answered call.
    #[default]
    AtOnce,
    /// When an agent has answered; until then music as early media (183).
    Late,
}

/// What a caller in a queue is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Announce {
    /// Which place it has.
    #[default]
    Place,
    /// How long it may take.
    Wait,
    /// Both.
    PlaceAndWait,
}

/// What happens in a demand that nobody can serve.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum WhenEmpty {
    /// Wait all the same.
    #[default]
    Wait,
    /// Go where the overflow leads.
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
    /// After so long in a queue.
    pub after: Duration,
    /// By how much the least levels are lowered (never below 1).
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
    /// What its contacts come by.
    pub channel: Channel,
    /// The skills it asks for, each with a least level (1 to 10).
    pub skills: Vec<(SkillId, u8)>,
    /// The least level asked of the caller's language.
    pub language_level: u8,
    /// The pools that may serve it; in the order of preference.
    pub pools: Vec<PoolId>,
    /// Priority boost over other queues: a caller here is served as if having arrived so much earlier.
    pub priority_boost: Duration,
    /// Calls of this queue go before all others, and are shed last.
    pub emergency: bool,
    /// For so long a caller waits for the agent who served it last, if that one is there; `None`: for whoever comes.
    pub prefer_last: Option<Duration>,
    /// The agent whom callers wait for first who have no such agent, if that one is there, and for how long; `None`: for whoever comes.
    pub prefer_agent: Option<(AgentId, Duration)>,
    /// How the requirement relaxes with time, in order.
    pub relaxation: Vec<RelaxationStep>,
    /// How to choose among agents.
    pub choice: ChoiceRule,
    /// So many agents are rung for a caller at once, of whom the first to answer wins; the others only where nobody else needs them.
    pub ring_several: u8,
    /// When the caller is answered.
    pub answer: Answer,
    /// The music, a name in the prompt library.
    pub music: Arc<str>,
    /// What is said to those in a queue.
    pub announce: Announce,
    /// How often it is said; `None`: never.
    pub announce_every: Option<Duration>,
    /// How long a phone is rung before the agent counts as absent (RONA).
    pub ring_timeout: Duration,
    /// How long an agent who refused or was busy is left alone.
    pub refused_pause: Duration,
    /// The agent's time after a talk.
    pub wrap_up: Duration,
    /// The longest wait, then overflow.
    pub wait_max: Option<Duration>,
    /// The longest demand; whoever would wait behind it overflows. Zero: nobody waits.
    pub length_max: u32,
    /// Where callers go who cannot stay.
    pub overflow: Overflow,
    /// What meets a caller when nobody who could serve is signed in.
    pub join_empty: WhenEmpty,
    /// What becomes of waiting callers when the last one who could serve signs out.
    pub leave_when_empty: WhenEmpty,
    /// Answered within this counts as served well.
    pub service_target: Duration,
    /// Abandoning within this does not count against the service.
    pub short_abandon: Duration,
    /// The longest talk.
    pub talk_max: Duration,
    /// No longer in the configuration: takes nobody new, and empties by these rules.
    pub retired: bool,
}

/// What a queue is that says nothing of itself.
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
            answer: Answer::AtOnce,
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
    /// The step that holds after `waited`: 0 is the requirement as written.
    #[must_use]
    pub fn step_at(&self, waited: Duration) -> usize {
        self.relaxation.iter().take_while(|step| step.after <= waited).count()
    }

    /// The skills asked for at `step`, with their least levels; the language, when there is one, among them.
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
