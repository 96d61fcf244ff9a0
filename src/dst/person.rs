//! Who sits at a phone, and what they may do.

use crate::base::Time;

/// What a person, or the phone by itself, does at some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Calls somebody.
    Call,
    /// Has waited long enough in this call.
    GiveUp(u32),
    /// Picks up.
    Answer(u32),
    /// Refuses with this status.
    Refuse(u32, u16),
    /// Lets its caller hear something before it answers.
    Describe(u32),
    /// Hangs up.
    HangUp(u32),
    /// Holds, or takes up again.
    Hold(u32, bool),
    /// Passes the caller on.
    PassOn(u32),
    /// Registers.
    Register,
    /// Goes silent.
    Die,
    /// Is there again.
    ComeBack,
}

impl Act {
    /// Whether it would come again and again for ever.
    pub(super) const fn repeats(self) -> bool {
        matches!(self, Act::Call | Act::Register | Act::Die | Act::ComeBack)
    }
}

/// Who sits at the phone.
#[derive(Clone, Debug)]
pub enum Person {
    /// One who calls a number once, at a time.
    Caller {
        /// What is dialled.
        number: String,
        /// When.
        at: Time,
        /// Whether the phone never answers OPTIONS.
        ignores_options: bool,
    },
    /// An agent.
    Agent {
        /// Queues, agents and numbers to pass callers on to.
        passes_to: Vec<String>,
        /// Whom the agent calls by itself: colleagues, codes, numbers.
        dials: Vec<String>,
    },
    /// Anybody behind a trunk, who is called; many at once.
    Outside,
    /// A second phone of an agent's, which registers and never answers.
    Dead,
}

impl Person {
    /// Whether the phone says nothing to OPTIONS.
    #[must_use]
    pub const fn ignores_options(&self) -> bool {
        matches!(self, Person::Caller { ignores_options: true, .. })
    }

    /// Whether it is an agent's.
    #[must_use]
    pub const fn is_agent(&self) -> bool {
        matches!(self, Person::Agent { .. })
    }
}
