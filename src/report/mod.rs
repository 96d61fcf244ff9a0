//! What happened, as facts: told by the engine, read by the log, the store, the metrics and the pages. Facts influence no call.
//!
//! A [`Fact`] with [`Names`] is an [`Event`], which is a line of the event log ([`record`] writes it, [`read`] reads it); of events the [`Story`] makes contact
//! records.

pub mod contact;
pub mod event;
pub mod fact;
mod fields;
pub mod names;
pub mod read;
pub mod record;
pub mod recording;
pub mod story;
pub mod why;

pub use contact::ContactRecord;
pub use event::{Event, What};
pub use fact::{Fact, FactKind, Next};
pub use names::Names;
pub use story::Story;
pub use why::{Answer, Why};
