//! Automatic call distribution: who waits, who is ready, and which agent is reserved for which contact.
//!
//! [`queue`] has the rules of a queue and [`agent`] the states of an agent. [`policy`] chooses among agents.
//! [`routing_table`] says which skill groups may serve which demands; `numbering` keeps their numbers across reloads.
//! [`claim`] is the claim protocol, the lock-free reservation of an agent for a contact; `state_word` packs the atomics
//! that it decides on. `ready_index`, `priority_list` and `segments` are the index of ready agents and waiting
//! contacts. `wake_up` tells an owner that something has changed. [`loan`] lends agents to other agencies, [`joint`]
//! reserves two agents for one contact, and [`agent_slots`] bounds what an agent may have at once. `estimate` says how
//! long whoever joins will wait.
//!
//! [`matcher`] puts it together. An owner of contacts speaks to it in [commands](command), and hears of it by events.
//! [`stay`] is a contact's way through a queue, which says them. What may be read beside that are [`hints`]. All that a
//! shard hears of the matcher can be kept and replayed ([`answers`]).
//!
//! Nothing here locks or waits, and nothing allocates while it matches. Nothing here knows SIP, media or what a call
//! is.

pub mod agent;
pub mod agent_slots;
pub mod answers;
pub mod claim;
pub mod command;
pub mod contact_slots;
mod estimate;
pub mod hints;
pub mod joint;
mod key;
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
pub mod stay;
pub(crate) mod step;
pub(crate) mod wake_up;

pub use claim::{ContactSlot, Key};
pub use matcher::Matcher;
pub use routing_table::{DemandId, Directory, RoutingTable};
