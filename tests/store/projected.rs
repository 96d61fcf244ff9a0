//! The store follows the log, whatever is done to the database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hotline::store::{Log, Store, StoreSettings};
use rusqlite::Connection;

use crate::city::{BEGAN, City};
use crate::truth::{agrees, files, of_log};
use crate::{live, open, settings, wait};

struct House {
    dir: tempfile::TempDir,
    city: City,
}

impl House {
    fn new(seed: u64) -> Self {
        House { dir: tempfile::tempdir().unwrap(), city: City::new(seed, BEGAN, 20) }
    }

    fn log_dir(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn database(&self) -> PathBuf {
        self.dir.path().join("db").join("store.db")
    }

    fn open(&mut self) -> (Log, Store) {
        self.city.die();
        let settings = settings(&self.log_dir(), 50_000);
        std::fs::create_dir_all(&settings.directory).unwrap();
        let store =
            Store::start(StoreSettings { log: settings.directory.clone(), file: self.database() }, self.city.now()).unwrap();
        let (log, _) = open(&settings, self.city.now(), Some(store.waker()));
        (log, store)
    }

    fn live(&mut self, log: &mut Log, steps: usize) {
        live(&mut self.city, log, steps);
        self.city.pass(Duration::from_secs(1));
        log.tick(self.city.now());
    }

    fn with_database(seed: u64) -> Self {
        let house = House::new(seed);
        std::fs::create_dir_all(house.database().parent().unwrap()).unwrap();
        house
    }

    /// Ends everything as a crash would, starts once more, and holds the store against the log.
    fn finish(mut self, (log, store): (Log, Store)) {
        drop(log);
        store.close();
        let (log, store) = self.open();
        log.close(self.city.now());
        store.close();
        agrees(&self.database(), &of_log(&self.log_dir()));
    }
}

fn caught_up(log: &Log, store: &Store) {
    wait("the store catches up", || store.health().healthy() && store.health().lag(log.health()).is_zero());
}

#[test]
fn each_event_counts_once_however_often_the_store_begins_again() {
    let mut house = House::with_database(1);
    for round in 0..12 {
        let (mut log, store) = house.open();
        house.live(&mut log, 100 + 37 * round);
        if round % 3 == 0 {
            caught_up(&log, &store);
        }
        store.close();
        house.live(&mut log, 50);
    }
    assert!(files(&house.log_dir()).len() > 3, "the log has rotated");
    let both = house.open();
    house.finish(both);
}

#[test]
fn a_deleted_database_is_made_anew() {
    let mut house = House::with_database(2);
    let (mut log, store) = house.open();
    house.live(&mut log, 500);
    caught_up(&log, &store);
    std::fs::remove_file(house.database()).unwrap();
    house.live(&mut log, 500);
    caught_up(&log, &store);
    wait("it is there again", || house.database().exists());
    house.finish((log, store));
}

#[test]
fn a_locked_database_delays_nothing_and_catches_up() {
    let mut house = House::with_database(3);
    let (mut log, store) = house.open();
    house.live(&mut log, 200);
    caught_up(&log, &store);
    let other = Connection::open(house.database()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    house.live(&mut log, 300);
    wait("the lock is met", || !store.health().healthy());
    assert!(store.health().lag(log.health()) > Duration::from_millis(500), "{:?}", store.health().lag(log.health()));
    assert!(log.health().healthy(), "the log does not mind");
    other.execute_batch("COMMIT").unwrap();
    caught_up(&log, &store);
    house.finish((log, store));
}

#[test]
fn a_damaged_database_is_set_aside() {
    let mut house = House::with_database(4);
    let (mut log, store) = house.open();
    house.live(&mut log, 500);
    caught_up(&log, &store);
    store.close();
    let mut bytes = std::fs::read(house.database()).unwrap();
    bytes.iter_mut().skip(8).step_by(3).for_each(|byte| *byte ^= 0x5a);
    std::fs::write(house.database(), &bytes).unwrap();
    drop(log);
    let (mut log, store) = house.open();
    house.live(&mut log, 100);
    wait("it is made anew", || house.database().with_file_name("store.db.damaged-1").exists());
    caught_up(&log, &store);
    house.finish((log, store));
}

#[test]
fn a_database_that_cannot_be_there_yet_is_waited_for() {
    let mut house = House::new(5);
    let (mut log, store) = house.open();
    house.live(&mut log, 300);
    wait("it is missed", || !store.health().healthy());
    std::fs::create_dir_all(house.database().parent().unwrap()).unwrap();
    caught_up(&log, &store);
    house.finish((log, store));
}

#[test]
fn old_files_may_be_deleted() {
    let mut house = House::with_database(6);
    let (mut log, store) = house.open();
    house.live(&mut log, 1500);
    caught_up(&log, &store);
    let contacts = count(&house.database());
    store.close();
    let files = files(&house.log_dir());
    for file in &files[..files.len() - 1] {
        std::fs::remove_file(file).unwrap();
    }
    drop(log);
    let (mut log, store) = house.open();
    house.live(&mut log, 500);
    caught_up(&log, &store);
    log.close(house.city.now());
    store.close();
    assert!(count(&house.database()) > contacts, "what was stored is still there, and more came");
}

fn count(database: &Path) -> i64 {
    Connection::open(database).unwrap().query_row("SELECT count(*) FROM contacts", [], |row| row.get(0)).unwrap()
}
