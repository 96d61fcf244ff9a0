//! The numbers of demands and skill groups: one for each distinct thing that they stand for, from one version of the directory to the next.
//!
//! What no version names any more keeps its number and its meaning until all owners have taken up a version that does not name it: then
//! nobody is entered there, and the next version *drops* it. The number is used again only when all have taken up a version without it: an
//! owner takes a version up between two looks, and looks by a routing table at least as new from then on, so by then nobody looks by a
//! routing table in which the number means what it meant. These acknowledgements are the epoch; nothing else needs to be freed, for an
//! index keeps its memory.

use std::collections::BTreeMap;

use super::step::{Step, does};

#[derive(Clone, Copy, Debug)]
struct Assigned {
    number: u32,
    /// The first version that did not name it; `None` while it is named.
    gone: Option<u64>,
}

/// What has a number.
#[derive(Clone, Debug)]
pub(super) struct Numbering<K> {
    of: BTreeMap<K, Assigned>,
    /// Numbers that were dropped, each with the first version without it.
    dropped: Vec<(u32, u64)>,
    /// All numbers are less.
    end: u32,
}

impl<K> Default for Numbering<K> {
    fn default() -> Self {
        Numbering { of: BTreeMap::new(), dropped: Vec::new(), end: 0 }
    }
}

impl<K: Ord + Clone> Numbering<K> {
    /// The places as version `version` begins, in which nothing is named yet, when all owners have taken up version `acknowledged`.
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

    /// The number of what this version names.
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

    /// All of them that mean anything, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, u32)> {
        self.of.iter().map(|(key, assigned)| (key, assigned.number))
    }

    /// All numbers are less.
    pub(super) fn end(&self) -> usize {
        self.end as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An version that names these, and their numbers.
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
