//! The file of a day for the simulator.

use std::time::Duration;

use hotline::base::span::Span;
use hotline::base::{AgentId, QueueId, SkillId};
use hotline::config::{self, Problem, Problems};
use hotline::simulate::day::Day;
use hotline::simulate::outlook::{Measure, Whose};
use hotline::simulate::scene::{Arrivals, Duty, Lasting};

use crate::city::CITY;
use crate::parse;

fn read(text: &str) -> Result<(Day, Vec<Problem>), Problems> {
    config::read_day(text, "day.toml", &parse(CITY).unwrap().settings, None)
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(3600 * hours)
}

const CALLS: &str = "[[calls]]\nqueue = \"general\"\nper_hour = 60\n";

#[test]
fn a_day_arrives() {
    let mut counts = vec!["0".to_owned(); 24];
    (counts[8], counts[9]) = ("36".to_owned(), "72".to_owned());
    let text = format!(
        "length = \"3h\"\nbegins = \"08:00\"\npatience = \"exp:2m\"\nwrap_up = \"exp:8s\"\n\n[agents]\nanswer_after = \"const:3s\"\nmiss = \"5%\"\n\n\
         {CALLS}language = \"korean\"\ntalk = \"lognormal:90s/60s\"\n\n[[calls]]\nqueue = \"tax\"\nhours = [{}]\npatience = \"none\"\n\n\
         [[floor]]\nqueue = \"tax\"\nmean_wait = \"30s\"\n\n[[floor]]\nlanguage = \"korean\"\nservice_level = 80\n",
        counts.join(", ")
    );
    let (day, warnings) = read(&text).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(warnings.is_empty());
    assert_eq!((day.length, day.begins), (hours(3), hours(8)));
    let [general, tax] = &day.scene.streams[..] else { panic!("{:?}", day.scene.streams) };
    assert_eq!(
        (general.queue, general.language, &general.arrivals),
        (QueueId(0), Some(SkillId(0)), &Arrivals::Steady(1.0 / 60.0))
    );
    let spread = Span::LogNormal(Duration::from_secs(90), Duration::from_secs(60));
    assert_eq!((general.patience, &general.talk), (Span::Exp(Duration::from_secs(120)), &Lasting::By(spread)));
    assert_eq!(tax.wrap_up, Some(Lasting::By(Span::Exp(Duration::from_secs(8)))));
    // From eight on, by the clock.
    let rates = [[0.01; 4], [0.02; 4], [0.0; 4]].concat();
    assert_eq!((&tax.arrivals, tax.patience), (&Arrivals::Quarters(rates), Span::Never));
    assert_eq!(day.scene.manners.answer_after, Span::Const(Duration::from_secs(3)));
    let floors: Vec<_> = day.floors.iter().map(|floor| (&floor.whose, floor.measure, floor.bound)).collect();
    assert_eq!(
        floors,
        [(&Whose::Queue(QueueId(1)), Measure::MeanWait, 30.0), (&Whose::Language(Some(SkillId(0))), Measure::ServiceLevel, 0.8)]
    );
    let here = day.scene.directory.agents.iter().flatten().count();
    assert_eq!(day.scene.duties.len(), here, "without shifts, everybody works");
}

#[test]
fn shifts_go_by_the_clock_and_over_midnight() {
    let shift = "[[shift]]\nfrom = \"22:00\"\nuntil = \"06:00\"\npart = \"1/2\"\nbreaks = [{ at = \"02:00\", for = \"30m\", over = \"1h\" }]\n";
    let (day, _) = read(&format!("{CALLS}{shift}")).unwrap_or_else(|problems| panic!("{problems}"));
    let agents: Vec<u32> = (0..).zip(&day.scene.directory.agents).filter_map(|(id, agent)| agent.as_ref().map(|_| id)).collect();
    let half: Vec<AgentId> = agents.iter().step_by(2).map(|id| AgentId(*id)).collect();
    let of = |wanted: AgentId| {
        let mut duties: Vec<_> = day.scene.duties.iter().filter(|(_, agent, _)| *agent == wanted).collect();
        duties.sort_by_key(|(at, ..)| *at);
        duties.iter().map(|(at, _, duty)| (at.as_secs_f64() / 3600.0, *duty)).collect::<Vec<_>>()
    };
    let expected =
        [(0.0, Duty::Ready), (2.0, Duty::Break), (2.5, Duty::Back), (6.0, Duty::Home), (22.0, Duty::Ready), (30.0, Duty::Home)];
    assert_eq!(of(half[0]), expected);
    assert_eq!(of(AgentId(agents[1])), [], "the other half does not work");
    assert!(of(half[1])[1].0 > 2.0, "breaks are spread");
}

#[test]
fn mistakes_are_found_where_they_are() {
    for (text, key, remedy) in [
        ("", "", "[[calls]]"),
        ("[[calls]]\nqueue = \"generl\"\nper_hour = 1\n", "calls[0].queue", "\"general\""),
        ("[[calls]]\nqueue = \"general\"\n", "calls[0].queue", "per_hour"),
        ("[[calls]]\nqueue = \"general\"\nquarters = []\n", "calls[0].quarters", "96 numbers"),
        ("[[calls]]\nqueue = \"general\"\nper_hour = 1\ntalk = \"3m-4m\"\n", "calls[0].talk", "exp:60s"),
        ("begins = \"8:00\"\n", "begins", "08:30"),
        ("[[shift]]\nfrom = \"08:00\"\n", "shift[0].until", "until"),
        ("[[shift]]\nfrom = \"08:00\"\nuntil = \"10:00\"\npart = \"3/2\"\n", "shift[0].part", "1/3"),
        ("[[shift]]\nfrom = \"08:00\"\nuntil = \"10:00\"\npools = [\"nobody\"]\n", "shift[0].pools[0]", "write"),
        ("[[calls]]\nqueue = \"tax\"\nper_hour = 1\ninterpreters = \"general\"\n", "calls[0].interpreters", "add language"),
        ("[[calls]]\nqueue = \"tax\"\nkey = \"1\"\nper_hour = 1\n", "calls[0].key", "add entry"),
        ("[[calls]]\nper_hour = 1\n", "calls[0]", "queue = \"...\" or entry"),
        ("[[calls]]\nqueue = \"tax\"\nlanguage = \"tax\"\nper_hour = 1\n", "calls[0].language", "[[language]]"),
        ("[[calls]]\nentry = \"mian\"\nkey = \"1\"\nper_hour = 1\n", "calls[0].entry", "\"main\""),
        ("wrap_up = \"none\"\n", "wrap_up", "const:0s"),
        ("date = \"20261225\"\n", "date", "2026-12-25"),
        ("[[calls]]\nqueue = \"tax\"\nper_hour = 1\nreturning = \"many\"\n", "calls[0].returning", "5%"),
        ("[[calls]]\nentry = \"main\"\nper_hour = 1\n", "calls[0].key", "one of 1, 2"),
        ("[[calls]]\nentry = \"main\"\nkey = \"7\"\nper_hour = 1\n", "calls[0].key", "one of 1, 2"),
        ("[[calls]]\nentry = \"main\"\nqueue = \"tax\"\nkey = \"1\"\nper_hour = 1\n", "calls[0].queue", "leave queue out"),
        ("date = \"tomorrow\"\n", "date", "2026-12-25"),
        ("[[floor]]\nqueue = \"tax\"\n", "floor[0]", "service_level"),
        ("[[floor]]\nservice_level = 80\nanswered = 90\n", "floor[0]", "each"),
        ("[agents]\nmiss = \"half\"\n", "agents.miss", "5%"),
        ("pace = 3\n", "pace", "leave it out"),
    ] {
        let calls = if text.contains("calls") || text.is_empty() { "" } else { CALLS };
        let problems = read(&format!("{text}{calls}")).unwrap_err();
        let found = problems.0.iter().any(|problem| problem.key == key && problem.remedy.contains(remedy));
        assert!(found, "{text}: {problems}");
        assert_eq!(problems.errors(), 1, "{text}: {problems}");
    }
}

/// The city's entry is open from nine to six; key 1 leads to tax in Korean, and whoever calls when it is closed to general, in Korean, too.
#[test]
fn calls_of_an_entry_go_where_it_leads_when_it_is_open() {
    let calls = "[[calls]]\nentry = \"main\"\nkey = \"1\"\nper_hour = 60\nreturning = \"40%\"\n";
    let windows = |text: &str| {
        let (day, _) = read(text).unwrap_or_else(|problems| panic!("{problems}"));
        let streams = day.scene.streams.iter().map(|stream| (stream.queue, stream.language, stream.windows.clone().unwrap()));
        (streams.collect::<Vec<_>>(), day.notes)
    };
    let (streams, notes) = windows(calls);
    let [(tax, korean, open), (general, also, closed)] = &streams[..] else { panic!("{streams:?}") };
    assert_eq!((*tax, *korean, *general, *also), (QueueId(1), Some(SkillId(0)), QueueId(0), Some(SkillId(0))));
    assert_eq!((&open.open[..], open.turns_away), (&[(hours(9), hours(18))][..], false));
    assert_eq!(closed.open, [(hours(0), hours(9)), (hours(18), hours(24))]);
    assert!(notes[0].contains("a Monday"), "{notes:?}");

    let (streams, notes) = windows(&format!("date = \"2026-12-24\"\nbegins = \"12:00\"\nlength = \"48h\"\n{calls}"));
    assert_eq!(streams[0].2.open, [(hours(0), hours(6))], "the day after is a holiday");
    assert_eq!(notes, [""; 0]);

    let settings = parse(&CITY.replace(", queue = \"general\", language = \"korean\" }", " }")).unwrap().settings;
    let (day, _) = config::read_day(calls, "day.toml", &settings, None).unwrap();
    let [only] = &day.scene.streams[..] else { panic!("{:?}", day.scene.streams) };
    assert!(only.windows.as_ref().unwrap().turns_away);
}

#[test]
fn what_is_probably_not_meant_is_told() {
    let of = |calls: &str, key: &str, part: &str| {
        let (_, warnings) = read(calls).unwrap_or_else(|problems| panic!("{problems}"));
        let found = warnings.iter().any(|problem| &*problem.key == key && problem.message.contains(part));
        assert!(found, "{calls}: {}", Problems(warnings));
    };
    of(&format!("date = \"2026-12-25\"\n{CALLS}"), "date", "nothing depends");
    of(&format!("{CALLS}returning = \"5%\"\n"), "calls[0].returning", "no prefer_last");
    let interpreted = "[[calls]]\nqueue = \"tax\"\nlanguage = \"english\"\ninterpreters = \"general\"\nper_hour = 1\n";
    of(interpreted, "calls[0].interpreters", "never widens");
    // Nobody speaks English in the pool of those who serve it alone.
    let nobody = parse(&CITY.replace("english = 5", "english = 2")).unwrap().settings;
    let english = "[[calls]]\nqueue = \"tax\"\nlanguage = \"english\"\nper_hour = 1\n";
    let (_, warnings) = config::read_day(english, "day.toml", &nobody, None).unwrap();
    assert!(warnings[0].message.contains("no agent can ever serve"), "{}", Problems(warnings));
    // An entry may say what its callers speak.
    let entry = "[[calls]]\nentry = \"main\"\nkey = \"1\"\ninterpreters = \"general\"\nper_hour = 1\n";
    assert!(read(entry).is_ok());
}
