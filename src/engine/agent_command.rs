//! What an agent can be told to do.

use serde::{Deserialize, Serialize};

use crate::base::words::BreakReason;

/// What an agent, or somebody for the agent, wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum AgentCommand {
    /// Ready for contacts.
    Ready,
    /// On break.
    Break(BreakReason),
    /// Wrap-up is over.
    EndWrapUp,
    /// Signed out.
    SignOut,
}
