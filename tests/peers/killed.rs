//! `kill -9` while calls are in their greeting, waiting, ringing, in talks: log and store afterwards agree, and tell the truth.

use std::time::Duration;

use hotline::base::seed::Seed;

use crate::calls::{agent, caller, config};
use crate::house::House;

#[path = "../store/truth.rs"]
mod truth;

#[test]
fn killed_under_load_twenty_times_the_log_and_the_store_tell_the_truth() {
    let kept = tempfile::tempdir().unwrap();
    let (log, store) = (kept.path().join("events"), kept.path().join("store.db"));
    let config = format!(
        "[events]\ndirectory = \"{}\"\nrotate_mb = 1\nsync_every = \"50ms\"\n[store]\nfile = \"{}\"\n{}",
        log.display(),
        store.display(),
        config(3, "answer = \"at_once\"")
    );
    let mut seed = Seed::from_number(9);
    for _ in 0..20 {
        let house = House::start(30, &config);
        let phones: Vec<_> = (0..3).map(|n| agent(&house, "agent", n, &["-d", "100"])).collect();
        let callers = caller(&house, "caller", 5060, 1000, &["-r", "40", "-d", "200"]);
        std::thread::park_timeout(Duration::from_millis(200 + u64::from(seed.next_u32() % 1000)));
        house.signal("-KILL");
        drop((house, phones, callers));
    }
    let mut house = House::start(30, &config);
    assert!(house.http("GET /readyz", "", "").contains("ready"));
    house.wait_for("hotline_store_lag_seconds", &[], 0.0);
    house.signal("-TERM");
    assert!(house.ended(), "an end in order");
    assert_eq!(hotline::store::recover(&log).unwrap().closed, 0);
    let truth = truth::of_log(&log);
    let crashed = truth.crashed().len();
    assert_eq!(truth.bad_lines, 0);
    assert!(crashed > 20 && truth.records.len() > crashed + 20, "{crashed} of {} ended by a crash", truth.records.len());
    truth::agrees(&store, &truth);
}
