use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn found(index: &ReadyIndex, buckets: &[u32], order: Order) -> Vec<(u32, u64, u32)> {
    let mut found = Vec::new();
    index.scan(
        &Mask::of(buckets.iter().copied()),
        order,
        &mut found,
        |_| u64::MAX,
        |found, bucket, key, entry| {
            found.push((bucket, key, entry.slot()));
            Seen::Pass
        },
    );
    found
}

#[test]
fn masks_hold_what_they_were_made_of() {
    let buckets = [3, 700, 31, 32, 64, 0];
    let masks = Mask::of(buckets);
    let mut sorted = buckets.to_vec();
    sorted.sort_unstable();
    assert_eq!(Mask::buckets(&masks).collect::<Vec<_>>(), sorted);
    assert_eq!(masks.len(), 4, "a word each for 0 to 31, 32, 64 and 700");
}

#[test]
fn an_entry_says_where_it_is() {
    let index = ReadyIndex::new(100, 100);
    for list in 0..LISTS {
        // Each key is far before the last one, so that each needs another priority list.
        let (location, key) = index.enter(9, u64::from(100 - list) << 40, IndexEntry::new(list, 1));
        assert_eq!(location.list(), list);
        assert_eq!(key, u64::from(100 - list) << 40);
        assert_eq!(Location::from_word(location.word()), location);
    }
    assert_eq!(found(&index, &[9], Order::Any).len(), 8);
    assert!(found(&index, &[8, 10], Order::Any).is_empty());
}

#[test]
fn a_bucket_that_is_empty_is_found_empty_and_a_newcomer_is_found_again() {
    let index = ReadyIndex::new(100, 100);
    let (location, _) = index.enter(5, 1 << 40, IndexEntry::new(1, 1));
    index.retire(5, location, IndexEntry::new(1, 1));
    assert!(found(&index, &[5], Order::ByKey).is_empty());
    assert_eq!(Head::key(index.chunk(5).heads[5].load()), Head::NONE, "it need not be looked at again");
    index.enter(5, 2 << 40, IndexEntry::new(2, 1));
    assert_eq!(found(&index, &[5], Order::ByKey), [(5, 2 << 40, 2)]);
}

#[test]
fn a_few_parties_may_visit_every_bucket() {
    let (buckets, parties) = (3_000, 4);
    let index = ReadyIndex::new(parties, buckets);
    for n in 0..4 * buckets {
        // Out of order each time, so that further priority lists keep segments, too.
        let (bucket, entry) = (n % buckets, IndexEntry::new(n, 1));
        let (location, _) = index.enter(bucket, u64::from(4 * buckets - n) << 40, entry);
        index.retire(bucket, location, entry);
    }
    index.enter(0, 1, IndexEntry::new(1, 2));
    assert_eq!(found(&index, &[0], Order::ByKey), [(0, 1, 1)]);
}

#[test]
fn a_bit_is_not_taken_away_from_one_who_came_meanwhile() {
    let bits = Bits(AtomicU64::new(0));
    bits.set(3);
    let seen = bits.load();
    bits.set(3);
    bits.clear(seen, 1 << 3);
    assert_eq!(bits.load() as u32, 1 << 3);
    bits.clear(bits.load(), 1 << 3);
    assert_eq!(bits.load() as u32, 0);
}

#[test]
fn a_head_is_not_put_later_over_one_who_came_meanwhile() {
    let head = Head::new();
    let at = |millis: u64| millis << Head::CUT;
    let key = || Head::key(head.load());
    head.lower(at(7));
    let seen = head.load();
    head.lower(at(9));
    head.raise(seen, None);
    assert_eq!(key(), 7, "the one at 9 came after the look");
    head.raise(head.load(), Some(at(9)));
    assert_eq!(key(), 9);
    head.lower(at(8));
    assert_eq!(key(), 8);
    head.raise(head.load(), None);
    assert_eq!(key(), Head::NONE);
}

#[derive(Clone, Debug)]
enum Move {
    File { bucket: u32, key: u64 },
    Retire { which: prop::sample::Index },
    Least { buckets: Vec<u32> },
}

fn step() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0..6u32, 0..1_000u64).prop_map(|(bucket, key)| Move::File { bucket: bucket * 20, key: key << 24 }),
        2 => any::<prop::sample::Index>().prop_map(|which| Move::Retire { which }),
        2 => prop::collection::btree_set(0..6u32, 1..4).prop_map(|buckets| Move::Least { buckets: buckets.into_iter().map(|p| p * 20).collect() }),
    ]
}

proptest! {
    /// Whatever order keys come in: the least key of any places is found by reading each priority list until the first that is alive.
    #[test]
    fn the_least_key_is_found_whatever_order_they_come_in(steps in prop::collection::vec(step(), 1..400)) {
        let index = ReadyIndex::new(500, 200);
        // What is alive: by slot, its place, key and entry.
        let mut alive: BTreeMap<u32, (u32, u64, Location)> = BTreeMap::new();
        for (slot, step) in steps.into_iter().enumerate() {
            let slot = slot as u32;
            match step {
                Move::File { bucket, key } => {
                    let (location, key) = index.enter(bucket, key, IndexEntry::new(slot, 1));
                    alive.insert(slot, (bucket, key, location));
                }
                Move::Retire { which } => {
                    if !alive.is_empty() {
                        let slot = *which.get(&alive.keys().copied().collect::<Vec<_>>());
                        let (bucket, _, location) = alive.remove(&slot).unwrap();
                        index.retire(bucket, location, IndexEntry::new(slot, 1));
                    }
                }
                Move::Least { buckets } => {
                    let mut least: Option<u64> = None;
                    let reach = |least: &Option<u64>| least.unwrap_or(u64::MAX);
                    index.scan(&Mask::of(buckets.iter().copied()), Order::ByKey, &mut least, reach, |least, _, key, entry| {
                        if !alive.contains_key(&entry.slot()) {
                            return Seen::Dead;
                        }
                        *least = Some(least.map_or(key, |least| least.min(key)));
                        Seen::Stop
                    });
                    let wanted = alive.values().filter(|(bucket, ..)| buckets.contains(bucket)).map(|(_, key, _)| *key).min();
                    prop_assert_eq!(least, wanted);
                }
            }
        }
        let here: Vec<u32> = (0..6).map(|bucket| bucket * 20).collect();
        let mut left: Vec<u32> = found(&index, &here, Order::Any).into_iter().map(|(.., slot)| slot).collect();
        left.sort_unstable();
        prop_assert_eq!(left, alive.keys().copied().collect::<Vec<_>>());
    }
}
