//! Names for the indexes that facts carry. An index means something only while its process runs; the log is read for years.

use std::sync::Arc;

/// The name that is written for an index without a name.
const UNKNOWN: &str = "unknown";

/// Tables of names, by index. The app fills them from the settings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names {
    /// By [`QueueId`](crate::base::QueueId).
    pub queues: Vec<Option<Arc<str>>>,
    /// By [`AgentId`](crate::base::AgentId).
    pub agents: Vec<Option<Arc<str>>>,
    /// By [`AgencyId`](crate::base::AgencyId).
    pub agencies: Vec<Option<Arc<str>>>,
    /// By [`TrunkId`](crate::base::TrunkId).
    pub trunks: Vec<Option<Arc<str>>>,
    /// By [`EntryId`](crate::base::EntryId).
    pub entries: Vec<Option<Arc<str>>>,
    /// By [`SkillId`](crate::base::SkillId).
    pub skills: Vec<Option<Arc<str>>>,
}

/// The name at an index.
pub(super) fn name(table: &[Option<Arc<str>>], index: usize) -> &str {
    table.get(index).and_then(Option::as_deref).unwrap_or(UNKNOWN)
}

impl Names {
    /// Adopts the names of a reload. An item that the new settings lack keeps its name, for the contacts that still use
    /// it.
    pub fn renew(&mut self, new: Names) {
        for (old, new) in [
            (&mut self.queues, new.queues),
            (&mut self.agents, new.agents),
            (&mut self.agencies, new.agencies),
            (&mut self.trunks, new.trunks),
            (&mut self.entries, new.entries),
            (&mut self.skills, new.skills),
        ] {
            old.resize(old.len().max(new.len()), None);
            for (old, new) in old.iter_mut().zip(new).filter(|(_, new)| new.is_some()) {
                *old = new;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_keeps_its_name() {
        let table = |names: &[Option<&str>]| names.iter().map(|name| name.map(Arc::from)).collect::<Vec<Option<Arc<str>>>>();
        let mut names = Names { queues: table(&[Some("a"), Some("b")]), ..Names::default() };
        names.renew(Names { queues: table(&[None, Some("c"), Some("d")]), ..Names::default() });
        assert_eq!(names.queues, table(&[Some("a"), Some("c"), Some("d")]));
        assert_eq!(name(&names.queues, 2), "d");
        assert_eq!(name(&names.queues, 9), UNKNOWN);
    }
}
