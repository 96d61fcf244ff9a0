//! One party of a contact, by what it means: arriving, ringing, answered, held, gone. Never a SIP message.

use serde::{Deserialize, Serialize};

use crate::base::words::LegRole;
use crate::base::{AgentId, Time, TrunkId};

/// Who a leg leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Role {
    /// The caller.
    Caller,
    /// An agent, to whom the contact is offered or who talks to the caller.
    Agent(AgentId),
    /// Somebody outside, over a trunk.
    External(TrunkId),
}

impl Role {
    /// The role alone, as facts tell it.
    #[must_use]
    pub const fn word(&self) -> LegRole {
        match self {
            Role::Caller => LegRole::Caller,
            Role::Agent(_) => LegRole::Agent,
            Role::External(_) => LegRole::External,
        }
    }
}

/// The state of a party.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LegState {
    /// A caller who has not been answered; `early` once early media flows.
    Arriving {
        /// Whether a session description was sent in a provisional answer.
        early: bool,
    },
    /// A phone that is being called; `ringing` once it said so.
    Calling {
        /// Whether it has said that it rings.
        ringing: bool,
    },
    /// In the call.
    Answered {
        /// When the party answered.
        since: Time,
        /// Whether the party has put us on hold.
        holds: bool,
    },
    /// A BYE or CANCEL is under way, and the leg's end is not known yet.
    Ending,
}

impl LegState {
    /// Whether the party is in the call.
    #[must_use]
    pub const fn answered(&self) -> bool {
        matches!(self, LegState::Answered { .. })
    }

    /// Whether the party has put us on hold.
    #[must_use]
    pub const fn holds(&self) -> bool {
        matches!(self, LegState::Answered { holds: true, .. })
    }
}
