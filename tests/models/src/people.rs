//! Who is there: agents and queues by their pools alone.

use std::time::Duration;

use crate::acd::loan::Lending;
use crate::acd::queue::QueueRules;
use crate::acd::routing_table::{AgentProfile, Directory};
use crate::base::{AgencyId, PoolId};

/// By agent and by queue: its pools, where each is of the agency that has the number of its first pool, and what these keep.
pub(crate) fn lenders(agents: &[&[u32]], queues: &[&[u32]], lending: &[Option<Lending>]) -> Directory {
    let mut directory = Directory { lending: lending.to_vec(), ..directory(agents, queues) };
    for (agent, pools) in directory.agents.iter_mut().flatten().zip(agents) {
        agent.agency = AgencyId(pools[0]);
    }
    for (queue, pools) in directory.queues.iter_mut().flatten().zip(queues) {
        queue.agency = AgencyId(pools[0]);
    }
    directory
}

/// By agent and by queue: its pools.
pub(crate) fn directory(agents: &[&[u32]], queues: &[&[u32]]) -> Directory {
    let pools = |numbers: &[u32]| numbers.iter().map(|pool| PoolId(*pool)).collect::<Vec<_>>();
    Directory {
        // The priority boost tells queues apart that have the same pools.
        queues: (1..)
            .zip(queues)
            .map(|(n, numbers)| {
                Some(QueueRules { pools: pools(numbers), priority_boost: Duration::from_secs(n), ..QueueRules::default() })
            })
            .collect(),
        agents: agents.iter().map(|numbers| Some(AgentProfile { pools: pools(numbers), ..AgentProfile::default() })).collect(),
        languages: Vec::new(),
        lending: Vec::new(),
        agent_slots_from: None,
    }
}

/// The contact slots of an owner, each of whom has so many.
pub(crate) fn contacts_of(owner: u32, each: u32) -> std::ops::Range<u32> {
    owner * each..(owner + 1) * each
}

/// The agents of an owner, of so many each.
pub(crate) fn agents_of(owner: u32, owners: u32, agents: usize) -> impl Iterator<Item = u32> {
    (0..agents as u32).filter(move |agent| agent % owners == owner)
}
