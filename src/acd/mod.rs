//! The demand: who waits, who is free, and who gets whom.
//!
//! [`queue`] has the rules of a queue, [`agent`] the states of an agent, [`policy`] the choice among agents, [`routing_table`] which agents
//! may serve which demands, [`claim`] the lock-free reservation, `ready_index`, `priority_list` and `segments` where the entries are found
//! again, [`matcher`] the narrow interface that the engine uses of all that, [`loan`] who may be lent to other agencies, [`joint`] how two
//! agents are reserved for one contact, [`agent_slots`] what an agent may have at once; `estimate` how long whoever joins will wait.
//! Nothing here locks, waits, allocates while matching, or knows SIP, media or what a call is.

pub mod agent;
pub mod agent_slots;
pub mod claim;
mod estimate;
pub mod joint;
pub mod loan;
pub mod matcher;
mod numbering;
pub mod policy;
pub(crate) mod priority_list;
mod published;
pub mod queue;
pub(crate) mod ready_index;
pub mod routing_table;
mod segments;
pub(crate) mod state_word;
pub(crate) mod step;
mod wake_up;

pub use claim::{ContactSlot, Key};
pub use matcher::Matcher;
pub use routing_table::{DemandId, Directory, RoutingTable};
