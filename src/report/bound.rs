//! What keeps a contact waiting, as the ledger says it.

use super::why::Decided;
use crate::base::Weighed;
use crate::base::words::words;

words!(
    /// What kept a contact waiting when a decision weighed who may serve it. The labels are for people.
    Bound {
        /// Nothing any more: an agent was reserved for it.
        Offered = "an agent was free",
        /// The directory has nobody with what it asks for.
        Nobody = "nobody in the directory may serve it",
        /// Nothing: an agent is ready.
        Free = "an agent is free",
        /// Agents are ready, but their agency lends no more.
        Kept = "who is free is kept for another agency's callers",
        /// Everybody there has a contact.
        Busy = "all who are there are busy",
        /// Everybody there has a contact of another agency.
        Lent = "all who are there are on loan to other agencies",
        /// Everybody there is on a break.
        OnBreak = "all who are there are on a break",
        /// Nobody is there.
        Offline = "nobody who may serve it is signed in",
    }
);

impl Bound {
    /// What follows from a decision and what it weighed.
    pub(super) fn of(decided: &Decided, weighed: &Weighed) -> Self {
        match weighed {
            _ if matches!(decided, Decided::Offered { .. }) => Bound::Offered,
            weighed if weighed.all() == 0 => Bound::Nobody,
            weighed if weighed.free > 0 => Bound::Free,
            weighed if weighed.kept > 0 => Bound::Kept,
            weighed if weighed.busy > 0 => Bound::Busy,
            weighed if weighed.lent > 0 => Bound::Lent,
            weighed if weighed.on_break > 0 => Bound::OnBreak,
            _ => Bound::Offline,
        }
    }
}
