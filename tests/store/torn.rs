//! Logs that end anywhere, and logs that are large.

use std::time::{Duration, Instant};

use hotline::base::words::EndedBy;
use hotline::report::{What, decode};
use hotline::store::recover;

use crate::city::{BEGAN, City};
use crate::truth::{self, files};
use crate::{fast_dir, live, open, settings};

/// The process dies at every byte of the log, and the next start makes it true: whoever had ended has the end that was written,
/// whoever had not ends with the crash.
#[test]
fn a_log_torn_at_any_byte_is_recovered() {
    let written = fast_dir();
    let (mut log, _) = open(&settings(written.path(), 4000), BEGAN, None);
    let mut city = City::new(1, BEGAN, 4);
    live(&mut city, &mut log, 36);
    log.close(city.now());
    let parts: Vec<_> = files(written.path()).iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect();
    assert!(parts.len() >= 3, "the log has rotated");
    let mut crashed = 0;
    for last in 0..parts.len() {
        let dir = fast_dir();
        for (file, text) in &parts[..last] {
            std::fs::write(dir.path().join(file.file_name().unwrap()), text).unwrap();
        }
        let (file, text) = &parts[last];
        let before: Vec<u64> = parts[..last].iter().map(|(_, text)| text.len() as u64).collect();
        for cut in 0..=text.len() {
            std::fs::write(dir.path().join(file.file_name().unwrap()), &text[..cut]).unwrap();
            let ended = ends(parts[..last].iter().map(|(_, text)| &text[..]).chain([&text[..cut]]));
            recover(dir.path()).unwrap();
            let truth = truth::of_log(dir.path());
            assert_eq!(truth.bad_lines, 0);
            assert_eq!(truth.records.len() - truth.crashed().len(), ended, "cut at {cut}: no end was lost, and none invented");
            crashed += truth.crashed().len();
            assert_eq!(recover(dir.path()).unwrap().closed, 0, "the next finds nothing to do");
            let now: Vec<u64> = files(dir.path())[..last].iter().map(|file| file.metadata().unwrap().len()).collect();
            assert_eq!(now, before, "files before the last are not touched");
        }
    }
    assert!(crashed > 1000);
}

fn ends<'t>(texts: impl Iterator<Item = &'t [u8]>) -> usize {
    let lines = texts.flat_map(|text| text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")));
    lines.filter(|line| matches!(decode::read(line).unwrap().what, What::Ended { .. })).count()
}

/// Recovery dies as well: what it had written is taken up by the next.
#[test]
fn a_recovery_that_dies_is_recovered() {
    let dir = fast_dir();
    let (mut log, _) = open(&settings(dir.path(), 1 << 20), BEGAN, None);
    let mut city = City::new(2, BEGAN, 6);
    live(&mut city, &mut log, 40);
    drop(log);
    let file = files(dir.path()).remove(0);
    let before = std::fs::metadata(&file).unwrap().len() as usize;
    assert!(recover(dir.path()).unwrap().closed > 3);
    let expected = truth::of_log(dir.path()).records;
    let text = std::fs::read(&file).unwrap();
    for cut in before..text.len() {
        std::fs::write(&file, &text[..cut]).unwrap();
        recover(dir.path()).unwrap();
        let records = truth::of_log(dir.path()).records;
        assert_eq!(records.len(), expected.len());
        for (id, record) in &records {
            assert_eq!(record.end, expected[id].end);
        }
    }
}

/// A damaged middle (a disk's fault) costs what stood there and nothing else.
#[test]
fn damage_in_the_middle_is_passed_over() {
    let dir = fast_dir();
    let (mut log, _) = open(&settings(dir.path(), 1 << 20), BEGAN, None);
    let mut city = City::new(3, BEGAN, 5);
    live(&mut city, &mut log, 100);
    drop(log);
    let file = files(dir.path()).remove(0);
    let mut text = std::fs::read(&file).unwrap();
    let middle = text.len() / 2;
    text[middle..middle + 3].fill(0);
    std::fs::write(&file, &text).unwrap();
    assert!(recover(dir.path()).unwrap().closed > 0);
    assert_eq!(recover(dir.path()).unwrap().closed, 0);
}

/// After an end in order there is nothing to do, and little to read.
#[test]
fn an_end_in_order_is_known_by_the_last_line() {
    let dir = fast_dir();
    let (mut log, recovered) = open(&settings(dir.path(), 1 << 30), BEGAN, None);
    assert_eq!(recovered.last, None);
    let mut city = City::new(4, BEGAN, 1);
    let mut facts = Vec::new();
    (0..20_000).for_each(|_| city.whole_call(&mut facts));
    facts.iter().for_each(|fact| log.fact(fact));
    log.close(city.now());
    let began = Instant::now();
    let recovered = recover(dir.path()).unwrap();
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    assert_eq!((recovered.last, recovered.closed), (Some(city.now()), 0));
}

/// 100,000 contacts in the log, and all of them in a queue in another: a start takes under 5 seconds.
#[test]
fn a_hundred_thousand_contacts_are_recovered_in_time() {
    for waiting in [false, true] {
        let dir = fast_dir();
        let (mut log, _) = open(&settings(dir.path(), 64 << 20), BEGAN, None);
        let mut city = City::new(5, BEGAN, 1);
        let mut facts = Vec::new();
        for _ in 0..100_000 {
            city.pass(Duration::from_millis(1));
            if waiting {
                city.queue_up(&mut facts);
            } else {
                city.whole_call(&mut facts);
            }
            facts.drain(..).for_each(|fact| log.fact(&fact));
            log.flush();
        }
        city.queue_up(&mut facts);
        facts.drain(..).for_each(|fact| log.fact(&fact));
        drop(log);
        let began = Instant::now();
        let recovered = recover(dir.path()).unwrap();
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(recovered.closed, if waiting { 100_001 } else { 1 });
        assert_eq!(recover(dir.path()).unwrap().closed, 0);
    }
}

#[test]
fn what_the_crash_ended_ended_when_the_log_did() {
    let dir = fast_dir();
    let (mut log, _) = open(&settings(dir.path(), 1 << 20), BEGAN, None);
    let mut city = City::new(6, BEGAN, 8);
    live(&mut city, &mut log, 50);
    drop(log);
    let last = recover(dir.path()).unwrap().last.unwrap();
    let truth = truth::of_log(dir.path());
    let crashed = truth.records.values().filter(|record| record.end.by == EndedBy::Crash);
    assert!(crashed.clone().count() > 0 && crashed.clone().all(|record| record.end.at == last));
}
