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

/// Ten agents and two queues; `{more}` stands in both.
fn house(more: &str) -> String {
    format!(
        "[server]\nlisten = [\"udp:127.0.0.1:5060\"]\ndomains = [\"city.example\"]\n\n[[language]]\nname = \"korean\"\nprompts = \"ko\"\n\n\
         [[agency]]\nname = \"hall\"\nnumber = \"+8221200\"\n\n[[pool]]\nname = \"front\"\nagency = \"hall\"\n\n\
         [[agents]]\ncount = 10\nname = \"desk{{n}}\"\nagency = \"hall\"\npools = [\"front\"]\nskills = {{ korean = 9 }}\npassword = \"a-long-password-{{n}}\"\n\n\
         [queue_defaults]\nwrap_up = \"0s\"\nwait_max = \"never\"\nlength_max = 1000\nservice_target = \"20s\"\n{more}\n\n\
         [[queue]]\nname = \"general\"\nagency = \"hall\"\npools = [\"front\"]\n\n[[queue]]\nname = \"tax\"\nagency = \"hall\"\npools = [\"front\"]\n"
    )
}

const WEEK: &str = "length = \"168h\"\ntalk = \"exp:200s\"\npatience = \"none\"\n[[calls]]\nqueue = \"general\"\nlanguage = \"korean\"\nper_hour = 90\n\
                    [[calls]]\nqueue = \"tax\"\nper_hour = 45\n[[calls]]\nqueue = \"general\"\nper_hour = 9\n";

struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let files_of = Files(tempfile::tempdir().unwrap());
        files.iter().for_each(|(name, text)| std::fs::write(files_of.path(name), text).unwrap());
        files_of
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

/// 144 calls an hour of 200 seconds are 8 erlang for 10 agents: what Erlang's second formula says of it, by queue and language too.
#[test]
fn a_house_that_is_one_queue_is_erlang_c() {
    let files = Files::new(&[("house.toml", &house("")), ("week.toml", WEEK)]);
    let result = json(&format!("--config {} --day {} --days 40", files.path("house.toml"), files.path("week.toml")));
    let groups = result["groups"].as_array().unwrap();
    let names: Vec<_> = groups.iter().map(|group| group["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["all", "general", "tax", "none", "korean"]);
    let wait = 0.409_18 * 200.0 / 2.0;
    for group in groups {
        let number = |name: &str| group[name].as_f64().unwrap();
        let (low, high) = (group["mean_wait_s_ci95"][0].as_f64().unwrap(), group["mean_wait_s_ci95"][1].as_f64().unwrap());
        let half = (high - low) / 2.0;
        assert!((number("mean_wait_s") - wait).abs() < 2.0 * half && half < 0.1 * wait, "{wait}: {group}");
        assert_eq!((number("answered_share"), number("abandoned_share")), (1.0, 0.0));
    }
    assert!((groups[0]["offered"].as_f64().unwrap() / 168.0 - 144.0).abs() < 1.0);
    let hours = result["hours"].as_array().unwrap();
    assert_eq!((hours.len(), hours[25]["clock"].as_f64()), (168, Some(1.0)));
    let busy: f64 = hours.iter().map(|hour| hour["occupancy"].as_f64().unwrap()).sum::<f64>() / 168.0;
    assert!((busy - 0.8).abs() < 0.005, "{busy}");
    let within = result["estimates"][0]["within_share"].as_f64().unwrap();
    assert!((within - 0.8).abs() < 0.02, "{within}");
}

#[test]
fn the_same_seed_is_the_same_days_and_a_change_is_seen_through_the_noise() {
    let day = WEEK.replace("168h", "24h").replace("none", "exp:2m") + "[[floor]]\nqueue = \"tax\"\nmean_wait = \"10s\"\n";
    let files = Files::new(&[
        ("a.toml", &house("")),
        ("b.toml", &house("wrap_up = \"15s\"").replace("wrap_up = \"0s\"\n", "")),
        ("day.toml", &day),
    ]);
    let (a, b, day) = (files.path("a.toml"), files.path("b.toml"), files.path("day.toml"));
    let same = |arguments: &str| {
        let output = simulate(arguments);
        assert_eq!(output.stdout, simulate(arguments).stdout);
        output
    };
    // The floor holds before the change and breaks after it.
    assert_eq!(same(&format!("--config {a} --day {day} --days 5")).status.code(), Some(0));
    let html = files.path("change.html");
    let output = same(&format!("--compare {a} {b} --day {day} --days 5 --json - --html {html}"));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("a floor breaks: tax: mean_wait_s is "));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    for change in result["change"].as_array().unwrap() {
        let bounds = &change["mean_wait_s_ci95"];
        assert!(bounds[0].as_f64().unwrap() > 0.0, "longer waits are sure after five days: {change}");
    }
    assert_eq!((&result["before"]["floors"], &result["after"]["floors"][0]["holds"]), (&Value::Null, &false.into()));
    let page = std::fs::read_to_string(html).unwrap();
    for part in [
        "Mean wait by hour",
        "Service level by hour",
        "Occupancy by hour",
        "Estimates beside what happened",
        "A floor breaks: tax",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.matches("<svg").count() == 4 && page.ends_with("</html>\n") && !page.contains("NaN"));
    let nothing: Value =
        serde_json::from_slice(&simulate(&format!("--compare {a} {a} --day {day} --days 3 --json -")).stdout).unwrap();
    assert!(nothing["change"].as_array().unwrap().iter().all(|change| change["mean_wait_s"].as_f64() == Some(0.0)), "{nothing}");
}

/// Chats beside chats and none beside a call: what one more chat at once does to the wait of both.
#[test]
fn agents_who_chat_are_played_with_as_many_at_once_as_they_may_have() {
    let chats = |at_once: &str| {
        let agents =
            house("").replace("password = ", &format!("at_once = [{{ voice = 1 }}, {{ chat = {at_once} }}]\npassword = "));
        agents.replace("name = \"tax\"\n", "name = \"tax\"\nchannel = \"chat\"\n")
    };
    let day = WEEK.replace("per_hour = 45", "per_hour = 90").replace("168h", "24h");
    let files = Files::new(&[("one.toml", &chats("1")), ("three.toml", &chats("3")), ("day.toml", &day)]);
    let (one, three, day) = (files.path("one.toml"), files.path("three.toml"), files.path("day.toml"));
    let result = json(&format!("--compare {one} {three} --day {day} --days 3"));
    let wait = |when: &str, name: &str| {
        let groups = result[when]["groups"].as_array().unwrap();
        groups.iter().find(|group| group["name"] == name).unwrap()["mean_wait_s"].as_f64().unwrap()
    };
    // With one chat at a time the load is beyond what the agents can take: 10.5 erlang for ten.
    assert!(wait("before", "tax") > 200.0 && wait("before", "general") > 200.0, "{result}");
    assert!(wait("after", "tax") < 30.0 && wait("after", "general") < 60.0, "{result}");
    let plain = simulate(&format!("--config {three} --days 1"));
    assert!(plain.status.success(), "{plain:?}");
}

#[test]
fn a_house_without_a_day_says_what_it_assumes_and_mistakes_are_told() {
    let files = Files::new(&[("a.toml", &house("")), ("day.toml", "[[calls]]\nqueue = \"genral\"\nper_hour = 1\n")]);
    let a = files.path("a.toml");
    let plain = simulate(&format!("--config {a} --days 2"));
    let text = String::from_utf8(plain.stdout).unwrap();
    assert!(plain.status.success() && text.contains("note: nothing is known of the day") && text.contains("general"), "{text}");
    let wrong = simulate(&format!("--config {a} --day {}", files.path("day.toml")));
    assert_eq!(wrong.status.code(), Some(1));
    let text = String::from_utf8(wrong.stderr).unwrap();
    assert!(text.contains("day.toml:2:9") && text.contains("write \"general\" instead"), "{text}");
    let empty = simulate(&format!("--config {a} --log {}", files.0.path().display()));
    assert!(!empty.status.success() && String::from_utf8(empty.stderr).unwrap().contains("holds no event log"));
    assert_eq!(simulate(&format!("--single --config {a}")).status.code(), Some(2));
}
