//! The seam between signalling and whoever carries text: a chat in the web, an app, SMS. No line of any such protocol crosses it.
//!
//! Somebody who writes arrives with a name of the carrier's own. The engine answers with a [`TextId`], and gives each agent who is to write
//! back one, too. The carrier knows where the agents' desks are; whom it does not reach it says so of.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::{AgentId, EndpointId, ShardId};

/// The longest text of one message, in bytes of UTF-8.
pub const TEXT_MAX: usize = 4_096;

/// A session of text: one party's part in one contact. Never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TextId(pub u64);

impl TextId {
    /// The shard of its party, which is to hear what the party does.
    #[must_use]
    pub const fn shard(self) -> ShardId {
        EndpointId(self.0).shard()
    }
}

/// Why an agent does not take an offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum NotTaken {
    /// The agent says no.
    Declined,
    /// The agent's desk is not there.
    Unreachable,
}

/// From who carries text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TextInput {
    /// Somebody writes to a queue: answered by [`TextOutput::Taken`] or [`TextOutput::Refused`].
    Arrives {
        /// The carrier's name for it.
        origin: Arc<str>,
        /// Who writes.
        from: Arc<str>,
        /// The name of a queue for text.
        to: Arc<str>,
    },
    /// A party writes something, no longer than [`TEXT_MAX`].
    Writes {
        /// Which party.
        session: TextId,
        /// What.
        text: Arc<str>,
    },
    /// An agent takes what was offered.
    Takes {
        /// The offer's session.
        session: TextId,
    },
    /// An agent does not.
    TakesNot {
        /// The offer's session.
        session: TextId,
        /// Why.
        why: NotTaken,
    },
    /// A party has left.
    Leaves {
        /// Which.
        session: TextId,
    },
}

impl TextInput {
    /// The session whose party does it; none when somebody arrives.
    #[must_use]
    pub const fn session(&self) -> Option<TextId> {
        match self {
            TextInput::Arrives { .. } => None,
            TextInput::Writes { session, .. }
            | TextInput::Takes { session }
            | TextInput::TakesNot { session, .. }
            | TextInput::Leaves { session } => Some(*session),
        }
    }
}

/// Why somebody who writes is turned away.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TurnedAway {
    /// There is no such queue for text.
    Unknown,
    /// There is no room for one more contact, or no new ones are taken.
    Full,
}

/// To who carries text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TextOutput {
    /// Who arrived is a contact.
    Taken {
        /// The carrier's name for it.
        origin: Arc<str>,
        /// The session.
        session: TextId,
    },
    /// Who arrived is none.
    Refused {
        /// The carrier's name for it.
        origin: Arc<str>,
        /// Why.
        why: TurnedAway,
    },
    /// An agent is offered a contact.
    Offers {
        /// The session that it would be.
        session: TextId,
        /// Who.
        agent: AgentId,
        /// Who writes, as the agent is shown it.
        from: Arc<str>,
    },
    /// A party is shown recordings by their names: their text is the carrier's.
    Shows {
        /// Which party.
        session: TextId,
        /// What.
        names: Vec<Arc<str>>,
    },
    /// A party is written something.
    Writes {
        /// Which party.
        session: TextId,
        /// By which.
        by: TextId,
        /// What.
        text: Arc<str>,
    },
    /// A session is over, or an offer is withdrawn.
    Closes {
        /// Which.
        session: TextId,
    },
}
