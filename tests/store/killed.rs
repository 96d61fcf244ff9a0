//! `kill -9` at random moments, again and again on the same log: what showed outside was written, what is older than 100 ms was
//! written, and log and store agree.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hotline::base::ContactId;
use hotline::base::seed::Seed;
use hotline::net::clock::Clock;
use hotline::report::FactKind;
use hotline::store::{Store, StoreSettings, recover};

use crate::city::City;
use crate::truth::{self, agrees};
use crate::{PATIENCE, open, settings};

const DIRECTORY: &str = "HOTLINE_TEST_KILLED";
/// What is so much older than the kill was written: 100 ms, and what a busy machine adds to it.
const WRITTEN_AFTER: Duration = Duration::from_millis(400);
const ROTATE_BYTES: u64 = 100_000;

/// Is nothing by itself: the test below runs it as a process of its own, which lives until it is killed.
#[test]
fn the_process_that_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let (directory, clock) = (Path::new(&directory), Clock::start());
    let store = Store::start(store_of(directory), clock.now()).unwrap();
    let (mut log, _) = open(&settings(directory, ROTATE_BYTES), clock.now(), Some(store.waker()));
    let mut city = City::new(clock.now().micros(), clock.now(), 30);
    let (mut facts, mut out) = (Vec::new(), std::io::stdout());
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        city.pass(clock.now().since(city.now()));
        for _ in 0..3 {
            let ended = city.step(&mut facts);
            for fact in facts.drain(..) {
                log.fact(&fact);
                if let (FactKind::Arrived { .. }, Some(id)) = (&fact.kind, fact.contact) {
                    writeln!(out, "arrived {id}").unwrap();
                }
            }
            log.flush();
            if let Some(id) = ended {
                writeln!(out, "ended {id}").unwrap();
            }
        }
        std::thread::park_timeout(Duration::from_millis(1));
        log.tick(clock.now());
    }
}

fn store_of(directory: &Path) -> StoreSettings {
    StoreSettings { log: directory.to_owned(), file: directory.join("store.db") }
}

/// What a process said before it was killed.
struct Said {
    ended: BTreeSet<ContactId>,
    arrived_long_ago: BTreeSet<ContactId>,
}

fn run_and_kill(directory: &Path, after: Duration) -> Said {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::the_process_that_is_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let (say, hear) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let _ = say.send((Instant::now(), line));
        }
    });
    let mut said = vec![hear.recv_timeout(PATIENCE).unwrap()];
    let at = Instant::now() + after;
    while let Some(left) = at.checked_duration_since(Instant::now()) {
        said.extend(hear.recv_timeout(left));
    }
    let killed = Instant::now();
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    said.extend(hear.try_iter());
    let ids = |word: &str, before: Instant| {
        let lines = said.iter().filter(|(at, _)| *at <= before).filter_map(|(_, line)| line.strip_prefix(word)?.parse().ok());
        lines.collect::<BTreeSet<ContactId>>()
    };
    let long_ago = killed.checked_sub(WRITTEN_AFTER).unwrap_or(killed);
    Said { ended: ids("ended ", Instant::now()), arrived_long_ago: ids("arrived ", long_ago) }
}

#[test]
fn a_process_killed_at_any_moment_has_told_the_truth() {
    let dir = tempfile::tempdir().unwrap();
    let mut seed = Seed::from_number(20);
    let (mut ended, mut arrived, mut crashed) = (BTreeSet::new(), BTreeSet::new(), 0);
    for round in 0..20 {
        let said = run_and_kill(dir.path(), Duration::from_millis(50 + u64::from(seed.next_u32() % 900)));
        ended.extend(said.ended);
        arrived.extend(said.arrived_long_ago);
        // Every other time it is left to the next process to make it true.
        if round % 2 == 1 {
            recover(dir.path()).unwrap();
            let truth = truth::of_log(dir.path());
            let closed = truth.crashed();
            assert!(ended.is_disjoint(&closed), "what had ended before everybody's eyes has its own end");
            assert!(ended.iter().chain(&arrived).all(|id| truth.arrived.contains(id)), "what is older than 100 ms is there");
            crashed = closed.len();
        }
    }
    assert!(ended.len() > 100 && arrived.len() > 100 && crashed > 20, "{} {} {crashed}", ended.len(), arrived.len());
    let clock = Clock::start();
    let store = Store::start(store_of(dir.path()), clock.now()).unwrap();
    let (log, _) = open(&settings(dir.path(), ROTATE_BYTES), clock.now(), Some(store.waker()));
    log.close(clock.now());
    store.close();
    let truth = truth::of_log(dir.path());
    assert_eq!(truth.bad_lines, 0);
    agrees(&dir.path().join("store.db"), &truth);
}
