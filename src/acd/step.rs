//! The steps of the claim that the models under tests/models can take out, one at a time, to show that they are needed and that their
//! absence is noticed. In production none can be.

/// A step whose absence a model must notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(not(any(hotline_loom, hotline_shuttle, hotline_parked)), allow(dead_code, reason = "only models take steps out"))]
pub(crate) enum Step {
    /// The fence between a contact's word and its look for an agent, as it arrives.
    FenceOfArrival,
    /// The fence between an agent's word and its look for a contact.
    FenceOfReady,
    /// The fence of a contact that is put back.
    FenceOfPutBack,
    /// The fence of a contact that moves to a wider demand.
    FenceOfRelaxation,
    /// The fence of an agent that takes a new seat.
    FenceOfRegroup,
    /// The second look of `best`.
    SecondLook,
    /// A generation comes from the owner's counter, and is not the word's plus one; nor does anything else tell two entries apart.
    OwnersCounter,
    /// An entry is in its index before its word says so.
    IndexBeforeStateWord,
    /// A scan of a demand settles the claim that a contact is offered by.
    SettleInScan,
    /// A scan of a demand looks again at a contact whose word has changed meanwhile.
    AgainInScan,
    /// A contact that looks for an agent settles the claim that the agent is under.
    SettleInMatch,
    /// An agent that looks for a contact settles the claim that it is under.
    SettleInDrive,
    /// An owner that looks at its agent settles the claim that it is under.
    SettleInView,
    /// Both owners are woken before the agent is held.
    OfferBeforeHeld,
    /// An agent that claims as it turns ready is in its index all the same, should the claim be lost.
    IndexOfDirectClaim,
    /// An agent whose first claim is lost looks on.
    DriveAfterLostClaim,
    /// An entry is taken for dead only when it is older than its party's word.
    OnlyOlderIsDead,
    /// The routing table is loaded after the fence, not before.
    TableAfterFence,
    /// A segment that is used again has a new reuse epoch.
    NewReuseEpoch,
    /// Whoever files raises the version of its place's head.
    NewHeadVersion,
    /// A demand or skill group that no version names is dropped only when all owners have taken such a version up.
    DropAcknowledged,
    /// The number of one that was dropped is used again only when all have taken up a version without it.
    ReuseAcknowledged,
    /// Whoever gives a right back looks for an agent who may have it now.
    LookAfterLoan,
    /// Where an agent who was asked for a loan is free no more, another is asked.
    AnotherIsAsked,
    /// An agent who stays free has whoever wants two look again.
    WakeJoints,
    /// Who wants two and has one holds nobody, unless it is its turn.
    TakeBothOut,
    /// Only one who wants two has the turn.
    OneLease,
    /// An agent slot is reserved only for what goes with what the agent has.
    KeepCapacity,
    /// A contact that an agent slot was claimed for, and that is not taken, is told so.
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
