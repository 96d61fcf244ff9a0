//! The numbers of demands and skill groups, from one directory version to the next: one for each distinct requirement
//! or profile.
//!
//! A requirement or profile that no version names any more keeps its number until all owners have adopted a version
//! that does not name it. Then no party has an entry under it, and the next version *drops* it. The number is reused
//! only when all owners have adopted a version without it. An owner adopts a version between two scans, and from then
//! on scans by a routing table at least as new. So by then no scan uses a table in which the number has its old
//! meaning. These acknowledgements are the epoch. Nothing else needs to be freed, because an index keeps its memory.

use std::collections::BTreeMap;

use super::step::{Step, does};

#[derive(Clone, Copy, Debug)]
struct Assigned {
    number: u32,
    /// The first version that did not name it; `None` while it is named.
    gone: Option<u64>,
}

/// What has a number, and the numbers that are to be reused.
#[derive(Clone, Debug)]
pub(super) struct Numbering<K> {
    of: BTreeMap<K, Assigned>,
    /// Numbers that were dropped, each with the first version without it.
    dropped: Vec<(u32, u64)>,
    /// All numbers are less than this.
    end: u32,
}

impl<K> Default for Numbering<K> {
    fn default() -> Self {
        Numbering { of: BTreeMap::new(), dropped: Vec::new(), end: 0 }
    }
}

impl<K: Ord + Clone> Numbering<K> {
    /// The numbering as `version` begins, which names nothing yet. All owners have adopted the version `acknowledged`.
    pub(super) fn following(&self, version: u64, acknowledged: u64) -> Self {
        let droppable = if does(Step::DropAcknowledged) { acknowledged } else { u64::MAX };
        let mut next = Numbering { of: BTreeMap::new(), dropped: self.dropped.clone(), end: self.end };
        for (key, assigned) in &self.of {
            if assigned.gone.is_some_and(|gone| gone <= droppable) {
                next.dropped.push((assigned.number, version));
            } else {
                next.of.insert(key.clone(), Assigned { gone: assigned.gone.or(Some(version)), ..*assigned });
            }
        }
        next
    }

    /// The number of a requirement or profile that this version names.
    pub(super) fn name(&mut self, key: K, acknowledged: u64) -> u32 {
        if let Some(assigned) = self.of.get_mut(&key) {
            assigned.gone = None;
            return assigned.number;
        }
        let reusable = if does(Step::ReuseAcknowledged) { acknowledged } else { u64::MAX };
        let number = match self.dropped.iter().position(|(_, since)| *since <= reusable) {
            Some(at) => self.dropped.swap_remove(at).0,
            None => {
                self.end += 1;
                self.end - 1
            }
        };
        self.of.insert(key, Assigned { number, gone: None });
        number
    }

    pub(super) fn get(&self, key: &K) -> Option<u32> {
        self.of.get(key).map(|assigned| assigned.number)
    }

    /// All that still have a meaning, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, u32)> {
        self.of.iter().map(|(key, assigned)| (key, assigned.number))
    }

    /// All numbers are less than this.
    pub(super) fn end(&self) -> usize {
        self.end as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory version that names these, and their numbers.
    fn directory_version(
        numbering: &mut Numbering<&'static str>,
        version: u64,
        acknowledged: u64,
        names: &[&'static str],
    ) -> Vec<u32> {
        *numbering = numbering.following(version, acknowledged);
        names.iter().map(|name| numbering.name(name, acknowledged)).collect()
    }

    #[test]
    fn a_number_is_used_again_when_nobody_can_mean_what_it_meant() {
        let mut numbering = Numbering::default();
        assert_eq!(directory_version(&mut numbering, 1, 0, &["a", "b"]), [0, 1]);
        assert_eq!(directory_version(&mut numbering, 2, 1, &["b"]), [1]);
        assert_eq!(numbering.get(&"a"), Some(0), "until its owners have moved");
        assert_eq!(directory_version(&mut numbering, 3, 1, &["b", "c"]), [1, 2], "not all have taken up the second");
        assert_eq!(numbering.get(&"a"), Some(0));
        assert_eq!(
            directory_version(&mut numbering, 4, 2, &["b", "d"]),
            [1, 3],
            "somebody may still look by the third, which has it"
        );
        assert_eq!(numbering.get(&"a"), None);
        assert_eq!(directory_version(&mut numbering, 5, 3, &["b", "e"]), [1, 4]);
        assert_eq!(directory_version(&mut numbering, 6, 5, &["b", "f"]), [1, 0], "and now nobody may");
        assert_eq!(numbering.end(), 5);
    }

    #[test]
    fn what_comes_back_is_what_it_was() {
        let mut numbering = Numbering::default();
        directory_version(&mut numbering, 1, 0, &["a", "b"]);
        directory_version(&mut numbering, 2, 1, &["b"]);
        assert_eq!(directory_version(&mut numbering, 3, 1, &["a", "b"]), [0, 1]);
        directory_version(&mut numbering, 4, 3, &["a", "b"]);
        assert_eq!(numbering.get(&"a"), Some(0));
    }

    #[test]
    fn as_many_numbers_as_three_versions_name() {
        let mut numbering = Numbering::default();
        for version in 1..1000 {
            numbering = numbering.following(version, version - 1);
            for name in 0..10 {
                numbering.name((version, name), version - 1);
            }
        }
        assert!(numbering.end() <= 40, "{}", numbering.end());
    }
}
