//! Rules that a test can take out, to show that the simulation notices. In production none can be.

use super::Engine;

/// A rule of the house.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(not(test), allow(dead_code, reason = "only tests take rules out"))]
pub(crate) enum Rule {
    /// When the caller is gone, the agent gets a BYE.
    ByeToAgent,
    /// A ring has a deadline.
    RingDeadline,
    /// An agent whose offer failed is let go.
    LetGo,
    /// A caller whose offer failed is put back into the line.
    PutBack,
    /// A caller who leaves is taken out of the line.
    Leave,
    /// A talk begins a segment of its own.
    TalkSegment,
    /// A state that should not last has a deadline.
    StateDeadline,
    /// An INFO is taken without a panic.
    SoundInfo,
    /// Where several agents ring for a caller and one answers, the others are let go.
    OthersLose,
    /// The other phones of an agent, and those of a caller who left, are cancelled.
    CancelRing,
}

impl Engine {
    /// Whether the rule holds.
    #[cfg(not(test))]
    #[allow(clippy::unused_self, reason = "in tests it looks")]
    pub(super) const fn holds(&self, _rule: Rule) -> bool {
        true
    }

    #[cfg(test)]
    pub(super) fn holds(&self, rule: Rule) -> bool {
        self.taken_out != Some(rule)
    }

    /// Takes a rule out.
    #[cfg(test)]
    pub(crate) fn take_out(&mut self, rule: Rule) {
        self.taken_out = Some(rule);
    }
}
