//! What happened, as facts: told by the engine, read by the log, the store, the metrics and the pages. Facts influence no call.
//!
//! A [`Fact`] with [`Names`] is an [`Event`], which is a line of the event log ([`encode`] writes it, [`decode`] reads it); of events the
//! [`CdrBuilder`] makes contact records.

pub mod cdr_builder;
pub mod contact;
pub mod decode;
pub mod encode;
pub mod event;
pub mod fact;
mod fields;
pub mod names;
pub mod replay;
pub mod why;

pub use cdr_builder::CdrBuilder;
pub use contact::ContactRecord;
pub use event::{Event, What};
pub use fact::{Fact, FactKind, Next};
pub use names::Names;
pub use why::{Answer, Why};
