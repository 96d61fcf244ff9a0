//! The states of agents as the last facts left them, for gauges, pages and the API. Each agent's is written by the thread of one shard, and read by
//! any.

use crate::base::AgentId;
use crate::base::Time;
use crate::base::sync::{AtomicU32, AtomicU64, Ordering};
use crate::base::words::{AgentState, BreakReason};

struct Cell {
    /// State, and reason plus one, eight bits each.
    state: AtomicU32,
    since_micros: AtomicU64,
}

/// The state of each agent.
pub struct Board {
    agents: Box<[Cell]>,
}

impl Board {
    pub(super) fn new(agents_max: u32) -> Self {
        let cell = |_| Cell { state: AtomicU32::new(0), since_micros: AtomicU64::new(0) };
        Board { agents: (0..agents_max).map(cell).collect() }
    }

    pub(super) fn set(&self, at: Time, agent: AgentId, (state, reason): (AgentState, Option<BreakReason>)) {
        let Some(cell) = self.agents.get(agent.index()) else { return };
        let reason = reason.map_or(0, |reason| reason.index() as u32 + 1);
        cell.since_micros.store(at.micros(), Ordering::Relaxed);
        cell.state.store(state.index() as u32 | reason << 8, Ordering::Release);
    }

    /// An agent's state, the reason of a break, and when the state began.
    #[must_use]
    pub fn state(&self, agent: AgentId) -> (AgentState, Option<BreakReason>, Time) {
        let Some(cell) = self.agents.get(agent.index()) else { return (AgentState::Offline, None, Time::ZERO) };
        let word = cell.state.load(Ordering::Acquire);
        let state = AgentState::ALL[(word & 0xff) as usize];
        let reason = (word >> 8).checked_sub(1).map(|reason| BreakReason::ALL[reason as usize]);
        (state, reason, Time::from_micros(cell.since_micros.load(Ordering::Relaxed)))
    }
}
