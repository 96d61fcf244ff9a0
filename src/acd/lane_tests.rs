use super::*;

fn all(lane: &Lane, segments: &Segments) -> Vec<(u64, u32)> {
    let mut found = Vec::new();
    lane.scan(segments, |key, entry| {
        found.push((key, entry.slot()));
        Seen::Pass
    });
    found
}

fn filled(count: u32) -> (Segments, Lane, Vec<Spot>) {
    let (segments, lane) = (Segments::new(1_000), Lane::new());
    let join = |n: u32| lane.append(&segments, u64::from(n) * NEAR * 2, Entry::new(n, 7), true).unwrap().0;
    let spots = (0..count).map(join).collect();
    (segments, lane, spots)
}

#[test]
fn who_joins_in_order_is_found_in_order() {
    let (segments, lane, _) = filled(100);
    let found: Vec<u32> = all(&lane, &segments).into_iter().map(|(_, slot)| slot).collect();
    assert_eq!(found, (0..100).collect::<Vec<_>>());
    assert_eq!(lane.length(&segments), 100_usize.div_ceil(SEGMENT as usize));
}

#[test]
fn who_comes_a_moment_early_joins_behind_and_who_is_out_of_order_is_refused_while_anybody_is_there() {
    let (segments, lane) = (Segments::new(1_000), Lane::new());
    let far = NEAR * 100;
    lane.append(&segments, far, Entry::new(1, 0), true).unwrap();
    let (_, filed) = lane.append(&segments, far - NEAR, Entry::new(2, 0), true).unwrap();
    assert_eq!(filed, far + 1);
    assert_eq!(lane.append(&segments, NEAR * 5, Entry::new(3, 0), true), Err(Refused::OutOfOrder));
    let (_, filed) = lane.append(&segments, NEAR * 5, Entry::new(3, 0), false).unwrap();
    assert_eq!(filed, NEAR * 5, "where there is no order it is taken as it is");
    assert!(lane.scan(&segments, |_, _| Seen::Dead), "all are dead");
    lane.append(&segments, 1, Entry::new(4, 0), true).expect("nothing is left to be in order with");
    assert_eq!(all(&lane, &segments), [(1, 4)]);
}

#[test]
fn what_is_dead_is_not_shown_again_and_its_memory_serves_again() {
    let (segments, lane, _) = filled(1_000);
    let mut shown = 0;
    assert!(lane.scan(&segments, |_, _| {
        shown += 1;
        Seen::Dead
    }));
    assert_eq!(shown, 1_000);
    assert!(all(&lane, &segments).is_empty());
    assert!(lane.length(&segments) <= 1);
    let used = segments.in_use();
    for n in 1_000..9_000 {
        lane.append(&segments, u64::from(n) * NEAR * 2, Entry::new(n, 7), true).unwrap();
        lane.scan(&segments, |_, _| Seen::Dead);
    }
    assert!(segments.in_use() <= used + 1, "{} segments are in use", segments.in_use());
}

#[test]
fn those_who_leave_behind_one_who_stays_leave_no_memory_behind() {
    let (segments, lane, _) = filled(1);
    for n in 1..20_000 {
        let entry = Entry::new(n, 7);
        let (spot, _) = lane.append(&segments, u64::from(n) * NEAR * 2, entry, true).unwrap();
        lane.retire(&segments, spot, entry);
    }
    assert_eq!(all(&lane, &segments), [(0, 0)]);
    assert!(lane.length(&segments) <= 8, "{} segments", lane.length(&segments));
    assert_eq!(segments.in_use() as usize, lane.length(&segments));
}

#[test]
fn a_filing_is_taken_out_wherever_it_is_and_only_once() {
    let (segments, lane, spots) = filled(64);
    for n in (0..64).step_by(2) {
        lane.retire(&segments, spots[n as usize], Entry::new(n, 7));
        lane.retire(&segments, spots[n as usize], Entry::new(n, 7));
    }
    // Another filing of the same slot is not what stands there.
    lane.retire(&segments, spots[1], Entry::new(1, 8));
    let found: Vec<u32> = all(&lane, &segments).into_iter().map(|(_, slot)| slot).collect();
    assert_eq!(found, (1..64).step_by(2).collect::<Vec<_>>());
}

#[test]
fn a_scan_stops_when_it_is_told() {
    let (segments, lane, _) = filled(50);
    let mut shown = 0;
    let empty = lane.scan(&segments, |_, entry| {
        shown += 1;
        if entry.slot() == 20 { Seen::Stop } else { Seen::Dead }
    });
    assert!(!empty);
    assert_eq!(shown, 21);
    assert_eq!(all(&lane, &segments).first(), Some(&(20 * NEAR * 2, 20)));
}

#[test]
fn without_segments_a_lane_is_full_and_says_so() {
    let (segments, lane) = (Segments::new(2), Lane::new());
    for n in 0..2 * SEGMENT {
        lane.append(&segments, u64::from(n), Entry::new(n, 1), true).unwrap();
    }
    assert_eq!(lane.append(&segments, 999, Entry::new(99, 1), true), Err(Refused::Full));
}

/// Threads that join and leave on two lanes over one stock of segments, so that segments change lanes under those who read.
#[test]
fn segments_that_come_round_mislead_nobody() {
    const EACH: u32 = 60_000;
    let segments = Segments::new(64);
    let lanes = [Lane::new(), Lane::new()];
    // A filing is slot n of lane n % 2; the words say which are alive.
    let alive: Vec<AtomicU32> = (0..4 * EACH).map(|_| AtomicU32::new(0)).collect();
    std::thread::scope(|scope| {
        for thread in 0..2u32 {
            let (segments, lanes, alive) = (&segments, &lanes, &alive);
            scope.spawn(move || {
                for n in 0..EACH {
                    let slot = (n * 2 + thread) * 2 + n % 2;
                    let (lane, entry) = (&lanes[(slot % 2) as usize], Entry::new(slot, 1));
                    let Ok((spot, _)) = lane.append(segments, u64::from(n), entry, false) else { continue };
                    alive[slot as usize].store(1, Ordering::Release);
                    std::sync::atomic::fence(Ordering::SeqCst);
                    let mut met = false;
                    lane.scan(segments, |_, found| {
                        met |= found == entry;
                        if alive[found.slot() as usize].load(Ordering::Acquire) == 2 { Seen::Dead } else { Seen::Pass }
                    });
                    assert!(met, "its own filing is hidden");
                    alive[slot as usize].store(2, Ordering::Release);
                    lane.retire(segments, spot, entry);
                }
            });
        }
    });
    for lane in &lanes {
        assert!(all(lane, &segments).is_empty());
    }
    let chained: usize = lanes.iter().map(|lane| lane.length(&segments)).sum();
    assert_eq!(segments.in_use() as usize, chained, "a segment is lost");
}
