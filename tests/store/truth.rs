//! What must be true of a log and of a store, whatever has happened to them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hotline::base::ContactId;
use hotline::base::words::EndedBy;
use hotline::report::{CdrBuilder, ContactRecord, Event, What, cdr_builder, decode};
use rusqlite::Connection;

/// What a log says.
#[derive(Default)]
pub(crate) struct Truth {
    pub(crate) records: BTreeMap<ContactId, ContactRecord>,
    pub(crate) arrived: BTreeSet<ContactId>,
    pub(crate) lines: usize,
    pub(crate) bad_lines: usize,
}

impl Truth {
    pub(crate) fn crashed(&self) -> BTreeSet<ContactId> {
        self.records.values().filter(|record| record.end.by == EndedBy::Crash).map(|record| record.id).collect()
    }
}

/// The files of a log, oldest first.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "jsonl"));
    files.sort();
    files
}

/// Reads a whole log by itself, and holds it against all that must be true once it was recovered: each contact that arrived has exactly
/// one end, its segments tile it, and of each queue entered = left.
pub(crate) fn of_log(directory: &Path) -> Truth {
    let (mut truth, mut builder) = (Truth::default(), CdrBuilder::default());
    let mut ends: BTreeMap<ContactId, u32> = BTreeMap::new();
    let finish = |builder: &mut CdrBuilder, truth: &mut Truth| {
        while let Some(record) = builder.poll() {
            assert!(record.whole, "{record:?}");
            cdr_builder::check(&record).unwrap_or_else(|broken| panic!("{broken}: {record:#?}"));
            assert!(truth.records.insert(record.id, record).is_none(), "two records of one contact");
        }
    };
    for file in files(directory) {
        let text = std::fs::read(&file).unwrap();
        assert!(text.is_empty() || text.ends_with(b"\n"), "{} ends with a torn line", file.display());
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            truth.lines += 1;
            let Ok(event) = decode::read(line) else {
                truth.bad_lines += 1;
                continue;
            };
            note(&event, &mut truth, &mut ends);
            builder.take(&event);
            finish(&mut builder, &mut truth);
        }
    }
    assert_eq!(builder.open(), 0, "a contact has no end");
    for (queue, tally) in builder.queues() {
        assert_eq!((tally.entered, tally.waiting), (tally.left, 0), "{queue}");
    }
    // Legs whose ends the log does not have yet make no difference to what is true of their contacts.
    let at = hotline::base::Time::from_secs(u64::MAX / 2_000_000);
    builder.take(&Event { at, contact: None, what: What::Started });
    finish(&mut builder, &mut truth);
    assert!(ends.values().all(|count| *count == 1), "a contact ended twice");
    assert_eq!(ends.keys().collect::<Vec<_>>(), truth.arrived.iter().collect::<Vec<_>>());
    assert_eq!(truth.records.keys().collect::<Vec<_>>(), truth.arrived.iter().collect::<Vec<_>>());
    truth
}

fn note(event: &Event<'_>, truth: &mut Truth, ends: &mut BTreeMap<ContactId, u32>) {
    match (&event.what, event.contact) {
        (What::Arrived { .. }, Some(id)) => assert!(truth.arrived.insert(id)),
        (What::Ended { .. }, Some(id)) => *ends.entry(id).or_default() += 1,
        _ => {}
    }
}

/// Holds a database against the log that it is the projection of: the same contacts with the same parts, no more and no less.
pub(crate) fn agrees(database: &Path, truth: &Truth) {
    let connection = Connection::open(database).unwrap();
    let whole: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
    let mut query = connection
        .prepare(
            "SELECT id, ended, ended_by, ended_segment, waited_us, talked_us, transfers, whole,
                (SELECT count(*) FROM segments WHERE contact = id),
                (SELECT sum(ended - began) FROM segments WHERE contact = id) = ended - arrived,
                (SELECT count(*) FROM legs WHERE contact = id),
                (SELECT count(*) FROM offers WHERE contact = id)
            FROM contacts ORDER BY id",
        )
        .unwrap();
    let rows: Vec<String> = query
        .query_map([], |row| {
            let text = |at| row.get::<_, String>(at);
            let number = |at| row.get::<_, i64>(at);
            let (id, by, segment) = (text(0)?, text(2)?, text(3)?);
            let numbers: Vec<i64> = [1, 4, 5, 6, 7, 8, 9, 10, 11].into_iter().map(number).collect::<Result<_, _>>()?;
            Ok(format!("{id} {by} {segment} {numbers:?}"))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let expected: Vec<String> = truth
        .records
        .values()
        .map(|record| {
            let numbers = [
                record.end.at.micros() as i64,
                record.waited.as_micros() as i64,
                record.talked.as_micros() as i64,
                record.transfers.into(),
                1,
                record.segments.len() as i64,
                1,
                record.legs.len() as i64,
                record.offers.len() as i64,
            ];
            format!("{} {} {} {numbers:?}", record.id, record.end.by, record.end.segment)
        })
        .collect();
    assert_eq!(rows.len(), expected.len(), "as many contacts in the store as in the log");
    for (row, expected) in rows.iter().zip(&expected) {
        assert_eq!(row, expected);
    }
    let others = "SELECT count(*) FROM segments WHERE contact NOT IN (SELECT id FROM contacts)";
    assert_eq!(connection.query_row(others, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}
