//! `hotline simulate`, as it is called.

use std::process::{Command, Output};

use serde_json::Value;

fn simulate(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hotline")).arg("simulate").args(arguments.split(' ')).output().unwrap()
}

fn json(arguments: &str) -> Value {
    let output = simulate(&format!("{arguments} --json -"));
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn erlang_b_as_json() {
    let result = json("--single --calls-per-hour 100 --talk-s 180 --agents 5 --line-max 0 --hours 20000 --seed 3");
    let number = |name: &str| result[name].as_f64().unwrap_or_else(|| panic!("{name}: {result}"));
    assert!((1_990_000.0..2_010_000.0).contains(&number("offered")), "{result}");
    assert!((number("blocked_share") - 0.284_87).abs() < 0.003, "{result}");
    assert!((number("occupancy") - 0.715_13).abs() < 0.003, "{result}");
    assert_eq!((number("mean_wait_s"), number("waited_share"), number("abandoned_share")), (0.0, 0.0, 0.0));
    assert!((number("answered") / number("offered") - (1.0 - number("blocked_share"))).abs() < 1e-9);
    for name in ["blocked_share", "abandoned_share", "waited_share", "mean_wait_s", "occupancy"] {
        let (low, high) = (&result[format!("{name}_ci95")][0], &result[format!("{name}_ci95")][1]);
        assert!(low.as_f64().unwrap() <= number(name) && number(name) <= high.as_f64().unwrap(), "{name}: {result}");
    }
}

#[test]
fn the_same_seed_gives_the_same_table_with_theory_beside_it() {
    let arguments = "--single --calls-per-hour 120 --talk-s 120 --agents 5 --patience-s 60 --hours 500 --warm-up-h 5 --seed 9";
    let table = String::from_utf8(simulate(arguments).stdout).unwrap();
    assert_eq!(table, String::from_utf8(simulate(arguments).stdout).unwrap());
    for name in ["abandoned_share", "mean_wait_s", "95% interval", "theory"] {
        assert!(table.contains(name), "{table}");
    }
}

#[test]
fn what_cannot_be_played_is_told_with_a_remedy() {
    let told = |arguments: &str, code: i32| {
        let output = simulate(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let flood = told("--single --calls-per-hour 9000 --talk-s 600 --agents 5 --hours 100", 1);
    assert!(flood.contains("--patience-s") && flood.contains("more than the agents can take"), "{flood}");
    for wrong in [
        "--calls-per-hour -1 --talk-s 1 --agents 1",
        "--calls-per-hour 1 --talk-s nan --agents 1",
        "--calls-per-hour 1 --talk-s 1 --agents 0",
    ] {
        told(&format!("--single {wrong}"), 2);
    }
    assert!(told("--calls-per-hour 1 --talk-s 1 --agents 1", 2).contains("--single"));
    assert!(told("--single --calls-per-hour 1 --talk-s 1 --agents 1 --hours 2 --json -", 0).contains("--hours"), "too few calls");
}
