//! What happened, as facts: reported by the engine, read by the log, the store, the metrics and the pages. Facts
//! influence no call.
//!
//! A [`Fact`] with [`Names`] is an [`Event`], which is a line of the event log. [`fact`] lists them all, and says how to
//! add one. [`encode`] writes their lines, and [`decode`] reads them. [`CdrBuilder`] builds contact records of events, [`replay`] collects what a simulation plays
//! again, and [`why`] explains a contact's wait. [`mod@trace`] draws its SIP.

pub mod bound;
pub mod cdr_builder;
pub mod contact;
mod declare;
pub mod decode;
pub mod encode;
pub mod event;
pub mod fact;
pub mod family;
pub mod names;
pub mod replay;
mod scan;
pub mod trace;
mod value;
pub mod why;

pub use bound::Bound;
pub use cdr_builder::CdrBuilder;
pub use contact::ContactRecord;
pub use event::{Event, What};
pub use fact::{EventKind, Fact, FactKind, FactOf, Next};
pub use names::Names;
pub use trace::{Trace, TracedMessage};
pub use why::{Answer, Why};
