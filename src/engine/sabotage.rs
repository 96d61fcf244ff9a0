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
    /// An agent whose ringing failed is let go.
    LetGo,
    /// A caller whose agent did not answer is put back into the queue.
    PutBack,
    /// A caller who leaves is taken out of the queue.
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
    /// A call over a trunk outward is counted until its leg is gone.
    CallsOut,
    /// An agent whom no port was free for is rung as soon as there is one.
    RingForPorts,
    /// Who registered over a connection is not rung over it once it is gone.
    BrokenConnections,
    /// A registration lapses at its time.
    Lapse,
    /// An agent is offered nothing while one of the agent's phones may ring.
    SilentPhones,
    /// An agent's own call makes the agent busy until it is over, and no longer.
    OwnCallOver,
    /// A caller who could not be passed on is with the agent again.
    TransferReturns,
    /// The longest talk is as long as its queue says.
    TalkMax,
    /// All endpoints of a contact are of one media thread.
    OneThread,
    /// A talk's limit goes on while its caller is being passed on.
    LimitWhilePassedOn,
    /// What was asked while the caller waited ends no talk.
    ProbesOfTheWait,
    /// How old datagrams are is not told by what comes over connections.
    AgesApart,
    /// A call that was refused is refused when its INVITE comes again.
    RefusedAgain,
    /// Whoever was called in particular is let go once.
    LetGoOnce,
    /// Who was passed on to a line that does not take them is with nobody any more.
    WithNobody,
    /// An agent who dials a queue is busy before the call joins it.
    BusyFirst,
    /// Whoever is outside ends a talk in its own name.
    EndedOutside,
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
