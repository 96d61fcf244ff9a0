//! What happened, as facts: told by the engine, read by the log, the store, the metrics and the pages. Facts influence no call.

pub mod fact;

pub use fact::{Fact, FactKind};
