//! A log's days, played again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use super::city::{BEGAN, City, names};
use super::{fast_dir, live, open, settings, truth};

#[test]
fn a_recorded_day_is_played_call_by_call() {
    let directory = fast_dir();
    let mut city = City::new(8, BEGAN, 20);
    let (mut log, _) = open(&settings(directory.path(), 64 * 1024), BEGAN, None);
    live(&mut city, &mut log, 8000);
    log.close(city.now());
    hotline::store::recover(directory.path()).unwrap();

    let truth = truth::of_log(directory.path());
    let recording = hotline::store::recorded(directory.path()).unwrap();
    let waited = |record: &&hotline::report::ContactRecord| record.segments.iter().any(|s| s.segment.label() == "queue");
    let joined = truth.records.values().filter(waited).count();
    assert!(joined > 300 && recording.calls.len() == joined, "{joined} contacts joined a queue, {} calls", recording.calls.len());
    assert!(recording.calls.is_sorted_by_key(|call| call.at));
    let talked: Duration = recording.talks.values().flatten().sum();
    let truly: Duration = truth.records.values().map(|record| record.talked).sum();
    // Some talked without a queue before them.
    let slack = Duration::from_millis(joined as u64);
    assert!(talked > truly / 2 && talked <= truly + slack, "{talked:?}, and by the records {truly:?}");

    // The same configuration, with the same agents at work.
    let mut house = "[server]\nlisten = [\"udp:127.0.0.1:5060\"]\ndomains = [\"city.example\"]\n[[agency]]\nname = \"a\"\n[[pool]]\nname = \"p\"\nagency = \"a\"\n".to_owned();
    for name in names().skills.iter().flatten() {
        let _ = writeln!(house, "[[language]]\nname = \"{name}\"\nprompts = \"en\"");
    }
    house += "[[agents]]\ncount = 40\nfirst = 0\nname = \"agent-{n}\"\nagency = \"a\"\npools = [\"p\"]\npassword = \"a-long-password-{n}\"\n";
    let skills: BTreeMap<_, _> = names().skills.iter().flatten().map(|name| (name.clone(), 9)).collect();
    let skills: Vec<String> = skills.iter().map(|(name, level)| format!("{name} = {level}")).collect();
    let _ = writeln!(house, "skills = {{ {} }}", skills.join(", "));
    for name in names().queues.iter().flatten() {
        let _ =
            writeln!(house, "[[queue]]\nname = \"{name}\"\nagency = \"a\"\npools = [\"p\"]\nlength_max = 1000\nwrap_up = \"0s\"");
    }
    let file = directory.path().join("house.toml");
    std::fs::write(&file, house).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(["simulate", "--days", "2", "--json", "-", "--config"])
        .args([file.as_os_str(), "--log".as_ref(), directory.path().as_os_str()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["groups"][0]["offered"].as_f64(), Some(joined as f64), "each day has the calls of the log");
    let share = |name: &str| result["groups"][0][name].as_f64().unwrap();
    assert!((share("answered_share") + share("abandoned_share") + share("turned_away_share") - 1.0).abs() < 1e-9, "{result}");
    assert!(share("answered_share") > 0.3, "{result}");
}
