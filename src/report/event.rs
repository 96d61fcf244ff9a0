//! An event: a fact with names instead of indexes, as the log writes it.

use super::fact::{EventKind, Fact, FactOf};
use super::family::Texts;
use super::names::Names;
use crate::base::{ContactId, Time};

pub use super::fact::NextSegment;
pub use super::family::Text;

/// What happened, with names instead of indexes.
///
/// It is invariant in its lifetime, unlike a reference: an event that is to be compared with one read from a line
/// must not be `'static`.
pub type What<'a> = FactOf<Texts<'a>>;

/// One thing that happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Event<'a> {
    /// When it happened.
    pub at: Time,
    /// The contact, if it concerns one.
    pub contact: Option<ContactId>,
    /// What happened.
    pub what: What<'a>,
}

impl<'a> Event<'a> {
    /// The event of a fact. Nothing is copied.
    #[must_use]
    pub fn of(fact: &'a Fact, names: &'a Names) -> Self {
        Event { at: fact.at, contact: fact.contact, what: fact.kind.named(names) }
    }

    /// The kind that the log writes.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        self.what.kind()
    }
}
