#![allow(clippy::disallowed_types, reason = "a test looks into what the log owns")]

use std::sync::{Arc, Mutex};

use super::*;
use crate::base::words::{EndedBy, Segment};
use crate::report::{EventKind, decode};

/// A disk that fails when it is told to.
#[derive(Clone, Default)]
struct TestDisk(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    files: Vec<(Time, Vec<u8>)>,
    full: bool,
    gone: bool,
    writes: usize,
    tries: usize,
}

impl TestDisk {
    fn set(&self, full: bool, gone: bool) {
        let mut inside = self.0.lock().unwrap();
        (inside.full, inside.gone) = (full, gone);
    }

    fn look<T>(&self, at: impl FnOnce(&Inside) -> T) -> T {
        at(&self.0.lock().unwrap())
    }

    fn events(&self) -> Vec<String> {
        let all: Vec<u8> = self.look(|inside| inside.files.iter().flat_map(|(_, bytes)| bytes.clone()).collect());
        let lines = all.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines
            .map(|line| decode::read(line).unwrap())
            .filter(|event| event.contact.is_some())
            .map(|event| format!("{event:?}"))
            .collect()
    }

    fn writes(&self) -> usize {
        self.look(|inside| inside.writes)
    }
}

impl Disk for TestDisk {
    fn begin(&mut self, began: Time) -> io::Result<()> {
        let mut inside = self.0.lock().unwrap();
        inside.tries += 1;
        if inside.gone {
            return Err(io::ErrorKind::NotFound.into());
        }
        inside.files.push((began, Vec::new()));
        Ok(())
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut inside = self.0.lock().unwrap();
        inside.tries += 1;
        if inside.full || inside.gone {
            return Err(io::ErrorKind::StorageFull.into());
        }
        inside.writes += 1;
        inside.files.last_mut().unwrap().1.extend_from_slice(lines);
        Ok(())
    }

    fn length(&self) -> Option<u64> {
        self.look(|inside| inside.files.last().filter(|_| !inside.gone).map(|(_, bytes)| bytes.len() as u64))
    }
}

const BEGAN: Time = Time::from_secs(1_800_000_000);

fn after(ms: u64) -> Time {
    BEGAN + Duration::from_millis(ms)
}

fn contact(number: u64) -> ContactId {
    ContactId(u128::from(BEGAN.millis() + number) << 80)
}

fn entered(ms: u64, number: u64) -> Fact {
    let kind = FactKind::Entered {
        queue: crate::base::QueueId(0),
        language: None,
        waiting: number as u32,
        credit: Duration::ZERO,
        as_of: Time::ZERO,
        emergency: false,
        weighed: crate::base::Weighed::default(),
        estimate: crate::base::Estimate::Needless,
        prefers: None,
    };
    Fact { at: after(ms), contact: Some(contact(number)), kind }
}

fn arrived(ms: u64, number: u64) -> Fact {
    let (from, dialled, call_id) = ("1".into(), "120".into(), "x".into());
    let channel = crate::base::words::Channel::Voice;
    let kind = FactKind::Arrived { channel, trunk: None, entry: None, from, dialled, call_id };
    Fact { at: after(ms), contact: Some(contact(number)), kind }
}

fn ended(ms: u64, number: u64) -> Fact {
    let kind = FactKind::Ended { by: EndedBy::Caller, segment: Segment::Entry, queue: None, arrived: BEGAN, status: None };
    Fact { at: after(ms), contact: Some(contact(number)), kind }
}

fn log() -> (Log, TestDisk) {
    let disk = TestDisk::default();
    (Log::on(Box::new(disk.clone()), Names::default(), 1 << 20, Arc::default()), disk)
}

#[test]
fn an_end_is_written_before_it_shows_and_the_rest_within_100_ms() {
    let (mut log, disk) = log();
    assert_eq!(log.deadline(), None);
    log.fact(&entered(0, 1));
    log.flush();
    log.fact(&entered(99, 2));
    log.flush();
    assert_eq!(disk.writes(), 0, "nothing has ended");
    assert_eq!(log.deadline(), Some(after(100)));
    log.tick(after(99));
    assert_eq!(disk.writes(), 0);
    log.tick(after(100));
    assert_eq!((disk.events().len(), log.deadline()), (2, None));

    let before = disk.writes();
    (0..15).for_each(|number| log.fact(&entered(200, number)));
    log.fact(&ended(200, 1));
    log.flush();
    assert_eq!((disk.events().len(), disk.writes()), (18, before + 1), "one write for all");

    log.fact(&entered(300, 1));
    log.fact(&entered(400, 2));
    log.flush();
    assert_eq!(disk.events().len(), 20, "the oldest has waited for 100 ms");
}

#[test]
fn what_cannot_be_written_is_kept_and_written_later_in_order() {
    for gone in [false, true] {
        let (mut log, disk) = log();
        log.fact(&ended(0, 0));
        log.flush();
        assert!(log.health().healthy());
        disk.set(!gone, gone);
        let mut expected = disk.events();
        for number in 1..1000 {
            let fact = ended(number, number);
            expected.push(format!("{:?}", Event::of(&fact, &Names::default())));
            log.fact(&fact);
            log.flush();
        }
        assert!(!log.health().healthy());
        assert!(disk.look(|inside| inside.tries) < 40, "it is tried every 100 ms, not at each event");
        disk.set(false, false);
        let retry = log.deadline().expect("it is tried again");
        log.tick(retry);
        assert!(log.health().healthy());
        assert_eq!(disk.events(), expected);
        assert!(log.health().lost().all(|(_, lost)| lost == 0));
    }
}

#[test]
fn beyond_its_room_the_oldest_are_lost_and_counted() {
    let (mut log, disk) = log();
    log.bytes_max = 64 << 10;
    disk.set(true, false);
    for number in 0..2000 {
        log.fact(&entered(number, number));
        log.fact(&ended(number, number));
        log.flush();
        assert!(log.buffer.len() <= log.bytes_max);
    }
    let lost: u64 = log.health().lost().map(|(_, lost)| lost).sum();
    let of = |wanted| log.health().lost().find(|(kind, _)| *kind == wanted).unwrap().1;
    assert_eq!(of(EventKind::Entered) + of(EventKind::Ended), lost);
    assert!(of(EventKind::Entered) > 100 && of(EventKind::Entered).abs_diff(of(EventKind::Ended)) <= 1);
    disk.set(false, false);
    log.tick(after(3000));
    let written = disk.events();
    assert_eq!(written.len() as u64, 4000 - lost, "each is written or counted");
    assert_eq!(written.last().unwrap(), &format!("{:?}", Event::of(&ended(1999, 1999), &Names::default())));
}

#[test]
fn a_new_file_says_how_far_back_contacts_are_open() {
    let (mut log, disk) = log();
    log.rotate_bytes = 200;
    for (ms, number) in [(0, 5), (1, 3), (2, 9)] {
        log.fact(&arrived(ms, number));
    }
    log.fact(&ended(3, 3));
    log.flush();
    log.fact(&ended(4, 9));
    log.flush();
    log.fact(&ended(5, 5));
    log.flush();
    log.close(after(6));
    let files = disk.look(|inside| inside.files.clone());
    let heads: Vec<_> = files
        .iter()
        .map(|(began, bytes)| {
            let line = bytes.split(|byte| *byte == b'\n').next().unwrap();
            let event = decode::read(line).unwrap();
            assert_eq!(event.at, *began);
            match event.what {
                What::FileBegan { since } => since.map(|since| (since.micros() - BEGAN.micros()) / 1000),
                what => panic!("{what:?}"),
            }
        })
        .collect();
    // An end that is about to be written counts for nothing yet.
    assert_eq!(heads, [Some(3), Some(5), Some(5), None]);
    let last = files.last().unwrap().1.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap().to_vec();
    assert_eq!(decode::read(&last).unwrap().what, What::Stopped { open: 0 });
}
