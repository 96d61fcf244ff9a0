//! The steps of the claim protocol that the models under tests/models can take out, one at a time. Each model run shows
//! that a step is needed, and that its absence is detected. In production no step can be taken out.

/// A step whose absence a model must notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(not(any(hotline_loom, hotline_shuttle, hotline_parked)), allow(dead_code, reason = "only models take steps out"))]
pub(crate) enum Step {
    /// The fence between a contact's state word and its scan for an agent, as it arrives.
    FenceOfArrival,
    /// The fence between an agent's state word and its scan for a contact.
    FenceOfReady,
    /// The fence of a contact that is put back.
    FenceOfPutBack,
    /// The fence of a contact that moves to a relaxed demand.
    FenceOfRelaxation,
    /// The fence of an agent that moves to another skill group.
    FenceOfRegroup,
    /// The second scan of `best`.
    SecondLook,
    /// A generation comes from the owner's counter, and is not that of the state word plus one. Without it nothing else
    /// tells two entries apart, either.
    OwnersCounter,
    /// An entry is in its index before its state word says so.
    IndexBeforeStateWord,
    /// A scan of contacts settles the claim by which a contact is offered.
    SettleInScan,
    /// A scan of contacts looks again at a contact whose state word has changed meanwhile.
    AgainInScan,
    /// A contact that scans for an agent settles the claim that the agent is under.
    SettleInMatch,
    /// An agent that scans for a contact settles the claim that it is under.
    SettleInDrive,
    /// An owner that looks at its agent settles the claim that it is under.
    SettleInView,
    /// Both owners are woken before the agent is held.
    OfferBeforeHeld,
    /// An agent that claims as it turns ready is in the index all the same, should the claim be lost.
    IndexOfDirectClaim,
    /// An agent whose first claim is lost scans on.
    DriveAfterLostClaim,
    /// An entry is taken for dead only when it is older than its party's state word.
    OnlyOlderIsDead,
    /// The routing table is loaded after the fence, not before.
    TableAfterFence,
    /// A segment that is used again has a new reuse epoch.
    NewReuseEpoch,
    /// A thread that enters a party raises the version of its bucket's head.
    NewHeadVersion,
    /// A demand or skill group that no version names is dropped only when all owners have adopted such a version.
    DropAcknowledged,
    /// The number of a dropped one is reused only when all owners have adopted a version without it.
    ReuseAcknowledged,
    /// An owner that gives a permit back looks for an agent that may have it now.
    LookAfterLoan,
    /// When an agent that was asked for a loan is free no more, another is asked.
    AnotherIsAsked,
    /// When nobody waits any more for an agent that was asked for a loan, another is asked.
    AskOn,
    /// A look for an agent who might be lent settles the claims that agents are under.
    SettleInLook,
    /// Whether an agent is on loan is told by the routing table that is in force once it is held.
    TableAfterLoan,
    /// When an agent has left an agency that lends, another is asked.
    LookAfterLeaving,
    /// A look for an agent who might be lent passes over those whose owner has yet to move them.
    PassMoved,
    /// An agent whose contact was answered before its owner has looked keeps its permit.
    KeepPermit,
    /// An agent that stays free wakes the joint requests.
    WakeJoints,
    /// A joint request that has one agent holds nobody, unless it has the reservation lease.
    TakeBothOut,
    /// Only one joint request has the reservation lease.
    OneLease,
    /// A slot is reserved only for a contact that goes with what the agent has.
    KeepCapacity,
    /// The owner of a contact that a slot was claimed for and that is not taken is notified of it.
    SayDeclined,
    /// An agent whose loan came to nothing goes back to the skill group of those who are kept.
    BackToOwnGroup,
}

/// Whether the step is done.
#[cfg(not(any(hotline_loom, hotline_shuttle, hotline_parked)))]
#[inline]
pub(crate) const fn does(_: Step) -> bool {
    true
}

#[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
pub(crate) use crate::modelled::does;
