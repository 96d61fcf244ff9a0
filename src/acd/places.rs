//! The numbers of lines and benches: one for each distinct thing that they stand for, from one edition of the directory to the next.
//!
//! What no edition names any more keeps its number and its meaning until all owners have taken up an edition that does not name it: then
//! nobody is filed there, and the next edition *drops* it. The number is used again only when all have taken up an edition without it: an
//! owner takes an edition up between two looks, and looks by a map at least as new from then on, so by then nobody looks by a map in which
//! the number means what it meant. These acknowledgements are the epoch; nothing else needs to be freed, for an index keeps its memory.

use std::collections::BTreeMap;

use super::step::{Step, does};

#[derive(Clone, Copy, Debug)]
struct Place {
    number: u32,
    /// The first edition that did not name it; `None` while it is named.
    gone: Option<u64>,
}

/// What has a number.
#[derive(Clone, Debug)]
pub(super) struct Places<K> {
    of: BTreeMap<K, Place>,
    /// Numbers that were dropped, each with the first edition without it.
    dropped: Vec<(u32, u64)>,
    /// All numbers are less.
    end: u32,
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Places { of: BTreeMap::new(), dropped: Vec::new(), end: 0 }
    }
}

impl<K: Ord + Clone> Places<K> {
    /// The places as edition `version` begins, in which nothing is named yet, when all owners have taken up edition `acknowledged`.
    pub(super) fn following(&self, version: u64, acknowledged: u64) -> Self {
        let droppable = if does(Step::DropAcknowledged) { acknowledged } else { u64::MAX };
        let mut next = Places { of: BTreeMap::new(), dropped: self.dropped.clone(), end: self.end };
        for (key, place) in &self.of {
            if place.gone.is_some_and(|gone| gone <= droppable) {
                next.dropped.push((place.number, version));
            } else {
                next.of.insert(key.clone(), Place { gone: place.gone.or(Some(version)), ..*place });
            }
        }
        next
    }

    /// The number of what this edition names.
    pub(super) fn name(&mut self, key: K, acknowledged: u64) -> u32 {
        if let Some(place) = self.of.get_mut(&key) {
            place.gone = None;
            return place.number;
        }
        let reusable = if does(Step::ReuseAcknowledged) { acknowledged } else { u64::MAX };
        let number = match self.dropped.iter().position(|(_, since)| *since <= reusable) {
            Some(at) => self.dropped.swap_remove(at).0,
            None => {
                self.end += 1;
                self.end - 1
            }
        };
        self.of.insert(key, Place { number, gone: None });
        number
    }

    pub(super) fn get(&self, key: &K) -> Option<u32> {
        self.of.get(key).map(|place| place.number)
    }

    /// All of them that mean anything, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, u32)> {
        self.of.iter().map(|(key, place)| (key, place.number))
    }

    /// All numbers are less.
    pub(super) fn end(&self) -> usize {
        self.end as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An edition that names these, and their numbers.
    fn edition(places: &mut Places<&'static str>, version: u64, acknowledged: u64, names: &[&'static str]) -> Vec<u32> {
        *places = places.following(version, acknowledged);
        names.iter().map(|name| places.name(name, acknowledged)).collect()
    }

    #[test]
    fn a_number_is_used_again_when_nobody_can_mean_what_it_meant() {
        let mut places = Places::default();
        assert_eq!(edition(&mut places, 1, 0, &["a", "b"]), [0, 1]);
        assert_eq!(edition(&mut places, 2, 1, &["b"]), [1]);
        assert_eq!(places.get(&"a"), Some(0), "until its owners have moved");
        assert_eq!(edition(&mut places, 3, 1, &["b", "c"]), [1, 2], "not all have taken up the second");
        assert_eq!(places.get(&"a"), Some(0));
        assert_eq!(edition(&mut places, 4, 2, &["b", "d"]), [1, 3], "somebody may still look by the third, which has it");
        assert_eq!(places.get(&"a"), None);
        assert_eq!(edition(&mut places, 5, 3, &["b", "e"]), [1, 4]);
        assert_eq!(edition(&mut places, 6, 5, &["b", "f"]), [1, 0], "and now nobody may");
        assert_eq!(places.end(), 5);
    }

    #[test]
    fn what_comes_back_is_what_it_was() {
        let mut places = Places::default();
        edition(&mut places, 1, 0, &["a", "b"]);
        edition(&mut places, 2, 1, &["b"]);
        assert_eq!(edition(&mut places, 3, 1, &["a", "b"]), [0, 1]);
        edition(&mut places, 4, 3, &["a", "b"]);
        assert_eq!(places.get(&"a"), Some(0));
    }

    #[test]
    fn as_many_numbers_as_three_editions_name() {
        let mut places = Places::default();
        for version in 1..1000 {
            places = places.following(version, version - 1);
            for name in 0..10 {
                places.name((version, name), version - 1);
            }
        }
        assert!(places.end() <= 40, "{}", places.end());
    }
}
