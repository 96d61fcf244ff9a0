//! The engine against scripted parties: whole calls through real messages, under a virtual clock.

mod agent_calls;
mod calls;
mod deliveries;
mod fair;
mod faults;
pub(super) mod house;
pub(super) mod lent;
mod liveness;
mod loans;
mod media;
mod mixture;
mod register;
mod several;
mod shards;
mod stay;
mod talks;
mod texts;
mod trunks;
mod wait;
