use super::*;

fn all(list: &PriorityList, segments: &Segments) -> Vec<(u64, u32)> {
    let mut found = Vec::new();
    list.scan(segments, |key, entry| {
        found.push((key, entry.slot()));
        Seen::Pass
    });
    found
}

fn filled(count: u32) -> (Segments, PriorityList, Vec<Spot>) {
    let (segments, list) = (Segments::new(1_000), PriorityList::new());
    let join = |n: u32| list.append(&segments, u64::from(n) * NEAR * 2, IndexEntry::new(n, 7), true).unwrap().0;
    let spots = (0..count).map(join).collect();
    (segments, list, spots)
}

#[test]
fn who_joins_in_order_is_found_in_order() {
    let (segments, list, _) = filled(100);
    let found: Vec<u32> = all(&list, &segments).into_iter().map(|(_, slot)| slot).collect();
    assert_eq!(found, (0..100).collect::<Vec<_>>());
    assert_eq!(list.length(&segments), 100_usize.div_ceil(SEGMENT as usize));
}

#[test]
fn who_comes_a_moment_early_joins_behind_and_who_is_out_of_order_is_refused_while_anybody_is_there() {
    let (segments, list) = (Segments::new(1_000), PriorityList::new());
    let far = NEAR * 100;
    list.append(&segments, far, IndexEntry::new(1, 0), true).unwrap();
    let (_, entered) = list.append(&segments, far - NEAR, IndexEntry::new(2, 0), true).unwrap();
    assert_eq!(entered, far + 1);
    assert_eq!(list.append(&segments, NEAR * 5, IndexEntry::new(3, 0), true), Err(Refused::OutOfOrder));
    let (_, entered) = list.append(&segments, NEAR * 5, IndexEntry::new(3, 0), false).unwrap();
    assert_eq!(entered, NEAR * 5, "where there is no order it is taken as it is");
    assert!(list.scan(&segments, |_, _| Seen::Dead), "all are dead");
    list.append(&segments, 1, IndexEntry::new(4, 0), true).expect("nothing is left to be in order with");
    assert_eq!(all(&list, &segments), [(1, 4)]);
}

#[test]
fn what_is_dead_is_not_shown_again_and_its_memory_serves_again() {
    let (segments, list, _) = filled(1_000);
    let mut shown = 0;
    assert!(list.scan(&segments, |_, _| {
        shown += 1;
        Seen::Dead
    }));
    assert_eq!(shown, 1_000);
    assert!(all(&list, &segments).is_empty());
    assert!(list.length(&segments) <= 1);
    let used = segments.in_use();
    for n in 1_000..9_000 {
        list.append(&segments, u64::from(n) * NEAR * 2, IndexEntry::new(n, 7), true).unwrap();
        list.scan(&segments, |_, _| Seen::Dead);
    }
    assert!(segments.in_use() <= used + 1, "{} segments are in use", segments.in_use());
}

#[test]
fn those_who_leave_behind_one_who_stays_leave_no_memory_behind() {
    let (segments, list, _) = filled(1);
    for n in 1..20_000 {
        let entry = IndexEntry::new(n, 7);
        let (spot, _) = list.append(&segments, u64::from(n) * NEAR * 2, entry, true).unwrap();
        list.retire(&segments, spot, entry);
    }
    assert_eq!(all(&list, &segments), [(0, 0)]);
    assert!(list.length(&segments) <= 8, "{} segments", list.length(&segments));
    assert_eq!(segments.in_use() as usize, list.length(&segments));
}

#[test]
fn an_entry_is_taken_out_wherever_it_is_and_only_once() {
    let (segments, list, spots) = filled(64);
    for n in (0..64).step_by(2) {
        list.retire(&segments, spots[n as usize], IndexEntry::new(n, 7));
        list.retire(&segments, spots[n as usize], IndexEntry::new(n, 7));
    }
    // Another entry of the same slot is not what stands there.
    list.retire(&segments, spots[1], IndexEntry::new(1, 8));
    let found: Vec<u32> = all(&list, &segments).into_iter().map(|(_, slot)| slot).collect();
    assert_eq!(found, (1..64).step_by(2).collect::<Vec<_>>());
}

#[test]
fn a_scan_stops_when_it_is_told() {
    let (segments, list, _) = filled(50);
    let mut shown = 0;
    let empty = list.scan(&segments, |_, entry| {
        shown += 1;
        if entry.slot() == 20 { Seen::Stop } else { Seen::Dead }
    });
    assert!(!empty);
    assert_eq!(shown, 21);
    assert_eq!(all(&list, &segments).first(), Some(&(20 * NEAR * 2, 20)));
}

#[test]
fn without_segments_a_list_is_full_and_says_so() {
    let (segments, list) = (Segments::new(2), PriorityList::new());
    for n in 0..2 * SEGMENT {
        list.append(&segments, u64::from(n), IndexEntry::new(n, 1), true).unwrap();
    }
    assert_eq!(list.append(&segments, 999, IndexEntry::new(99, 1), true), Err(Refused::Full));
}

/// Threads that join and leave on two priority lists over one stock of segments, so that segments change priority lists under those who
/// read.
#[test]
fn segments_that_come_round_mislead_nobody() {
    const EACH: u32 = 60_000;
    let segments = Segments::new(64);
    let lists = [PriorityList::new(), PriorityList::new()];
    // Entries of slot n are in list n % 2; the words say which are alive.
    let alive: Vec<AtomicU32> = (0..4 * EACH).map(|_| AtomicU32::new(0)).collect();
    std::thread::scope(|scope| {
        for thread in 0..2u32 {
            let (segments, lists, alive) = (&segments, &lists, &alive);
            scope.spawn(move || {
                for n in 0..EACH {
                    let slot = (n * 2 + thread) * 2 + n % 2;
                    let (list, entry) = (&lists[(slot % 2) as usize], IndexEntry::new(slot, 1));
                    let Ok((spot, _)) = list.append(segments, u64::from(n), entry, false) else { continue };
                    alive[slot as usize].store(1, Ordering::Release);
                    std::sync::atomic::fence(Ordering::SeqCst);
                    let mut met = false;
                    list.scan(segments, |_, found| {
                        met |= found == entry;
                        if alive[found.slot() as usize].load(Ordering::Acquire) == 2 { Seen::Dead } else { Seen::Pass }
                    });
                    assert!(met, "its own entry is hidden");
                    alive[slot as usize].store(2, Ordering::Release);
                    list.retire(segments, spot, entry);
                }
            });
        }
    });
    for list in &lists {
        assert!(all(list, &segments).is_empty());
    }
    let chained: usize = lists.iter().map(|list| list.length(&segments)).sum();
    assert_eq!(segments.in_use() as usize, chained, "a segment is lost");
}
