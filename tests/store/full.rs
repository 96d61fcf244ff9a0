//! A disk that is full, and a directory that is gone.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::city::{BEGAN, City};
use crate::{fast_dir, live, open, settings, truth};

const DIRECTORY: &str = "HOTLINE_TEST_FULL";

/// Is nothing by itself: the test below runs it where files cannot grow beyond 64 KiB.
#[test]
fn the_process_whose_disk_is_full() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let (mut log, _) = open(&settings(directory, 1 << 30), BEGAN, None);
    let mut city = City::new(1, BEGAN, 20);
    live(&mut city, &mut log, 2000);
    assert!(!log.health().healthy(), "64 KiB are full");
    let full = truth::files(directory)[0].metadata().unwrap().len();
    assert!(full <= 64 << 10);
    assert!(std::fs::read(&truth::files(directory)[0]).unwrap().ends_with(b"\n"), "no line is torn");
    let mut limit = getrlimit(Resource::Fsize);
    limit.current = limit.maximum;
    setrlimit(Resource::Fsize, limit).unwrap();
    live(&mut city, &mut log, 100);
    assert!(log.health().healthy());
    assert!(log.health().lost().all(|(_, lost)| lost == 0), "there was room in memory for all of it");
    log.close(city.now());
}

#[test]
fn a_full_disk_loses_nothing_that_memory_can_hold() {
    let dir = fast_dir();
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -S -f 128; exec \"$0\" --exact full::the_process_whose_disk_is_full"])
        .arg(std::env::current_exe().unwrap())
        .env(DIRECTORY, dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    hotline::store::recover(dir.path()).unwrap();
    let truth = truth::of_log(dir.path());
    assert!(truth.bad_lines == 0 && truth.records.len() > 200);
}

#[test]
fn a_directory_that_is_removed_is_missed_and_taken_up_again() {
    let dir = fast_dir();
    let path = dir.path().join("log");
    let (mut log, _) = open(&settings(&path, 1 << 20), BEGAN, None);
    let mut city = City::new(2, BEGAN, 20);
    live(&mut city, &mut log, 200);
    city.pass(Duration::from_secs(1));
    log.tick(city.now());
    std::fs::remove_dir_all(&path).unwrap();
    let ended = city.ended;
    live(&mut city, &mut log, 300);
    assert!(!log.health().healthy());
    assert!(!path.exists(), "whoever removed it is not contradicted");
    std::fs::create_dir(&path).unwrap();
    live(&mut city, &mut log, 200);
    assert!(log.health().healthy());
    log.close(city.now());
    let text = std::fs::read_to_string(&truth::files(&path)[0]).unwrap();
    let ends = text.lines().filter(|line| line.contains("\"kind\":\"ended\"")).count() as u64;
    assert_eq!(ends, city.ended - ended, "all that happened since is there");
}
