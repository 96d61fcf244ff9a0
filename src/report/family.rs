//! The two families of types that facts are made of: indexes and words inside of the process, texts outside of it.
//!
//! An index means something only while its process runs, and within one version of the directory. So the log, and
//! whoever reads it, has names instead. A label of the log may be newer than its reader, so it is a text there where
//! readers need not understand it.

use std::borrow::Cow;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::names::{Names, name};
use crate::base::words::{AgentState, BreakReason, Word};
use crate::base::{AgencyId, AgentId, ContactId, EntryId, Estimate, QueueId, SkillId, Time, TrunkId, Weighed};

/// A name or a text, borrowed from the fact or the line wherever possible.
pub type Text<'a> = Cow<'a, str>;

/// How a family writes down each thing that a fact may concern.
pub trait Family {
    /// A queue.
    type Queue;
    /// An agent.
    type Agent;
    /// An agency.
    type Agency;
    /// A trunk.
    type Trunk;
    /// An entry.
    type Entry;
    /// A skill, most often a language.
    type Skill;
    /// Any text of a peer.
    type Text;
    /// A word that readers need not understand.
    type Label<W: Word>;
}

/// Inside: indexes and words, as the engine reports them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ids;

impl Family for Ids {
    type Queue = QueueId;
    type Agent = AgentId;
    type Agency = AgencyId;
    type Trunk = TrunkId;
    type Entry = EntryId;
    type Skill = SkillId;
    type Text = Arc<str>;
    type Label<W: Word> = W;
}

/// Outside: texts, as the log has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Texts<'a>(PhantomData<&'a str>);

impl<'a> Family for Texts<'a> {
    type Queue = Text<'a>;
    type Agent = Text<'a>;
    type Agency = Text<'a>;
    type Trunk = Text<'a>;
    type Entry = Text<'a>;
    type Skill = Text<'a>;
    type Text = Text<'a>;
    type Label<W: Word> = Text<'a>;
}

/// How a value gets from inside to outside. Nothing is copied but numbers and words.
pub(super) trait Named<'a, Outside> {
    /// What it is outside.
    fn named(&'a self, names: &'a Names) -> Outside;
}

/// Indexes get the names of a table.
macro_rules! looked_up {
    ($($id:ty => $table:ident,)+) => {
        $(impl<'a> Named<'a, Text<'a>> for $id {
            fn named(&'a self, names: &'a Names) -> Text<'a> {
                Text::Borrowed(name(&names.$table, self.index()))
            }
        })+
    };
}

looked_up!(
    QueueId => queues,
    AgentId => agents,
    AgencyId => agencies,
    TrunkId => trunks,
    EntryId => entries,
    SkillId => skills,
);

/// Values that mean the same outside stay what they are.
macro_rules! kept {
    ($($value:ty,)+) => {
        $(impl<'a> Named<'a, $value> for $value {
            fn named(&'a self, _: &'a Names) -> $value {
                *self
            }
        })+
    };
}

kept!(bool, u16, u32, u64, (u64, u64, u64), ContactId, Time, Duration, Weighed, Estimate, (AgentState, Option<BreakReason>),);

impl<'a, W: Word> Named<'a, W> for W {
    fn named(&'a self, _: &'a Names) -> W {
        *self
    }
}

impl<'a, W: Word> Named<'a, Text<'a>> for W {
    fn named(&'a self, _: &'a Names) -> Text<'a> {
        Text::Borrowed(self.label())
    }
}

impl<'a> Named<'a, Text<'a>> for Arc<str> {
    fn named(&'a self, _: &'a Names) -> Text<'a> {
        Text::Borrowed(self)
    }
}

impl<'a, Outside, T: Named<'a, Outside>> Named<'a, Option<Outside>> for Option<T> {
    fn named(&'a self, names: &'a Names) -> Option<Outside> {
        self.as_ref().map(|value| value.named(names))
    }
}
