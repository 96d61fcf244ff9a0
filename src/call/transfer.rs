//! Where an agent can transfer a caller to, and how often.

use std::sync::Arc;

use crate::base::words::TransferKind;
use crate::base::{AgentId, QueueId};

/// A transfer's destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// A queue of any agency.
    Queue(QueueId),
    /// Another agent.
    Agent(AgentId),
    /// A number outside, in E.164 or a short code.
    Number(Arc<str>),
}

impl Destination {
    /// The kind of a blind transfer to it.
    #[must_use]
    pub const fn kind(&self) -> TransferKind {
        match self {
            Destination::Queue(_) => TransferKind::Queue,
            Destination::Agent(_) => TransferKind::Blind,
            Destination::Number(_) => TransferKind::External,
        }
    }
}

/// Why a transfer is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// There is no agent or queue of that name, and no such number may be dialled.
    Unknown,
    /// The caller is there already.
    Itself,
    /// Transferred too often: it cycles.
    Loop,
    /// Another transfer of this contact is under way.
    Pending,
}

impl Refused {
    /// The SIP status that answers the REFER.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Refused::Unknown => 404,
            Refused::Itself | Refused::Pending => 491,
            Refused::Loop => 482,
        }
    }
}

/// How often a contact may be transferred; more is a cycle.
pub const TRANSFERS_MAX: u8 = 10;

/// Checks whether a contact may go to `to`. It was transferred `so_far` times and is with `current`.
///
/// # Errors
/// Why it may not.
pub fn allowed(so_far: u8, pending: bool, current: Option<AgentId>, to: &Destination) -> Result<(), Refused> {
    if pending {
        return Err(Refused::Pending);
    }
    if so_far >= TRANSFERS_MAX {
        return Err(Refused::Loop);
    }
    if let (Some(current), Destination::Agent(to)) = (current, to)
        && current == *to
    {
        return Err(Refused::Itself);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_and_self_are_refused() {
        let there = Destination::Agent(AgentId(2));
        assert_eq!(allowed(0, false, Some(AgentId(1)), &there), Ok(()));
        assert_eq!(allowed(0, false, Some(AgentId(2)), &there), Err(Refused::Itself));
        assert_eq!(allowed(TRANSFERS_MAX, false, Some(AgentId(1)), &there), Err(Refused::Loop));
        assert_eq!(allowed(0, true, Some(AgentId(1)), &there), Err(Refused::Pending));
    }
}
