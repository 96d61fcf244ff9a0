//! The line: who waits, who is free, and who gets whom.
//!
//! [`queue`] has the rules of a queue, [`agent`] the states of an agent, [`policy`] the choice among agents, [`map`] which agents may
//! serve which lines, [`claim`] the lock-free reservation, `shelf`, `lane` and `segments` where the filings are found again, [`matcher`]
//! the narrow interface that the engine uses of all that, [`loan`] who may be lent to other agencies, [`joint`] how two agents are reserved for one
//! contact, [`hands`] what an agent may have at once; `estimate` how long whoever joins will wait.
//! Nothing here locks, waits, allocates while matching, or knows SIP, media or what a call is.

pub mod agent;
pub mod claim;
mod estimate;
pub mod hands;
pub mod joint;
pub(crate) mod lane;
pub mod loan;
pub mod map;
pub mod matcher;
mod nudge;
mod places;
pub mod policy;
mod published;
pub mod queue;
mod segments;
pub(crate) mod shelf;
pub(crate) mod step;
pub(crate) mod word;

pub use claim::{ContactSlot, Key};
pub use map::{Directory, LineId, Map};
pub use matcher::Matcher;
