//! Files: those that come along, those beside the configuration, and the command that checks them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hotline::acd::queue::AnswerWhen;
use hotline::call::trunk::NumberTarget;
use hotline::config::{self, Kind, Problems};

use crate::city::CITY;

#[test]
fn files_that_come_along_are_well() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let config = config::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(config.warnings.is_empty(), "{}", Problems(config.warnings));
        seen += 1;
    }
    assert!(seen >= 4);
    assert!(config::embedded().server.listeners.iter().all(|listener| listener.bind.ip().is_loopback()));
}

#[test]
fn days_that_come_along_are_well() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    for file in std::fs::read_dir(folder.join("days")).unwrap() {
        let path = file.unwrap().path();
        let settings = config::load(&folder.join(path.file_name().unwrap())).unwrap().settings;
        let text = std::fs::read_to_string(&path).unwrap();
        let day = config::read_day(&text, &path.display().to_string(), &settings, None);
        let (day, warnings) = day.unwrap_or_else(|problems| panic!("{problems}"));
        assert!(warnings.is_empty() && !day.floors.is_empty(), "{}", Problems(warnings));
    }
}

#[test]
fn the_files_hold_what_they_promise() {
    let load = |name: &str| config::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(name)).unwrap();
    let seoul = load("seoul-120.toml").summary();
    assert!(seoul.starts_with("41 agencies, 69 queues, ") && seoul.contains(" 6 languages"), "{seoul}");
    let demo = load("demo.toml").summary();
    assert!(demo.starts_with("6 agencies, 12 queues, 41 agents, 3 languages"), "{demo}");

    let bench = load("bench.toml");
    let target = |number: &str| match bench.settings.trunks[0].as_ref().unwrap().target(number) {
        Some(NumberTarget::Queue(queue)) => bench.settings.queue(queue).unwrap(),
        other => panic!("{number}: {other:?}"),
    };
    assert_eq!(["q", "w", "m"].map(|number| target(number).answer), [AnswerWhen::Late, AnswerWhen::AtOnce, AnswerWhen::Late]);
    assert_eq!(target("q").wrap_up, Duration::ZERO);
    let last = bench.settings.agent_named("agent2000").unwrap();
    let account = bench.settings.account(last).unwrap();
    assert_eq!(&*account.fixed.as_ref().unwrap().uri, "sip:agent2000@127.0.0.2:7000");
    assert!(account.ready_at_start && account.login.is_none());
    assert!(bench.server.events.directory.is_none() && bench.server.store.is_none());
}

#[test]
fn folders_that_say_places_should_say_waits_where_those_are_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("own/vi")).unwrap();
    for name in (1..=20).map(|n| format!("place-{n}")).chain(["wait-2".to_owned()]) {
        std::fs::write(folder.path().join(format!("own/vi/{name}.g722")), [0x55; 160]).unwrap();
    }
    let path = folder.path().join("city.toml");
    let text = CITY.replace("default = \"ko\"", "default = \"ko\"\ndirectory = \"own\"");
    std::fs::write(&path, &text).unwrap();
    let warnings = config::load(&path).unwrap().warnings;
    let said = Problems(warnings).to_string();
    assert!(said.contains("\"vi\" lacks: wait-10, wait-15") && said.contains("wait-overdue"), "{said}");
    std::fs::write(&path, text.replace("announce = \"place_and_wait\"", "")).unwrap();
    assert!(config::load(&path).unwrap().warnings.is_empty(), "nobody is told how long it takes");
}

#[test]
fn files_are_found_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir_all(folder.path().join("own/en")).unwrap();
    write("token", b"  0123456789abcdef0123456789abcdef\n");
    write("own/en/hello.g722", &[0x55; 1600]);
    let text = CITY
        .replace("token = \"a-long-token-for-tests\"", "token_file = \"token\"")
        .replace("default = \"ko\"", "default = \"ko\"\ndirectory = \"own\"")
        .replace("\"ko/greeting\"", "\"en/hello\"");
    write("city.toml", text.as_bytes());
    let path = folder.path().join("city.toml");
    let config = config::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.server.http.token.as_deref(), Some("0123456789abcdef0123456789abcdef"));
    assert_eq!(config.server.prompts, Some(folder.path().join("own")));
    assert_eq!(config.server.events.directory, Some(folder.path().join("events")));

    write("own/en/broken.wav", b"no audio");
    let problems = config::load(&path).unwrap_err();
    assert!(problems.0[0].kind == Kind::Unreadable && problems.0[0].message.contains("broken.wav"), "{problems}");
    write("city.toml", &[0xff, 0xfe]);
    assert_eq!(config::load(&path).unwrap_err().0[0].line, 0);
}

#[test]
fn the_check_command_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("city.toml");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_hotline")).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = run(&["check"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("(embedded): 2 agencies, ") && out.ends_with(": well\n"), "{out}");

    std::fs::write(&path, CITY.replace("threads = 2", "threads = 0\nthread = 1")).unwrap();
    let (code, out, err) = run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("city.toml:10:11  media.threads") && err.trim_end().ends_with(": 2 errors"), "{err}");

    assert_eq!(run(&["check", "--confg", "x"]).0, Some(2));
    assert_eq!(run(&[]).0, Some(2));
    assert_eq!(run(&["--help"]).0, Some(0));
}
