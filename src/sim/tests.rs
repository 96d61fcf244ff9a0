use std::collections::BTreeMap;
use std::time::Duration;

use super::city::{City, Plan};
use super::net::Weather;
use crate::base::Estimate;
use crate::base::words::TransferOutcome;
use crate::config;
use crate::engine::sabotage::Rule;
use crate::report::FactKind;

const AGENTS: u16 = 6;

fn settings() -> crate::engine::Settings {
    let agents: String = (0..AGENTS)
        .map(|n| {
            format!(
                "[[agent]]\nname = \"agent{n}\"\nagency = \"{}\"\npools = [\"{}\"]\ncontact = \"sip:agent{n}@203.0.113.{}:5060\"\nready = \"at_start\"\n",
                if n < 4 { "city" } else { "water" },
                if n < 4 { "desk" } else { "pipes" },
                n + 1
            )
        })
        .collect();
    let text = format!(
        "[server]\nlisten = [\"udp:127.0.0.1:5060\"]\ndomains = [\"city.example\"]\n[limits]\ncontacts = 200\nemergency_contacts = 10\n\
         [[agency]]\nname = \"city\"\n[[agency]]\nname = \"water\"\nlend_at_most = 1\n[[pool]]\nname = \"desk\"\nagency = \"city\"\n[[pool]]\nname = \"pipes\"\nagency = \"water\"\n\
         {agents}\
         [[queue]]\nname = \"help\"\nagency = \"city\"\nprefer_last = \"12s\"\npools = [\"desk\"]\nanswer = \"late\"\nwrap_up = \"3s\"\nring = \"10s\"\nwait_max = \"40s\"\noverflow = \"queue:water\"\n\
         widen = [{{ after = \"10s\", more_pools = [\"pipes\"] }}]\n\
         [[queue]]\nname = \"water\"\nagency = \"water\"\npools = [\"pipes\"]\nanswer = \"at_once\"\nwrap_up = \"0s\"\nring = \"8s\"\nlength_max = 5\nring_several = 2\nannounce_every = \"7s\"\nprefer_last = \"6s\"\ntalk_max = \"90s\"\n\
         [[entry]]\nname = \"main\"\ngreeting = [\"en/greeting\"]\nqueue = \"help\"\n\
         [[trunk]]\nname = \"carrier\"\nfrom = [\"192.0.2.0/24\"]\ncalls_max = 100\n\
         numbers = {{ \"120\" = \"queue:help\", \"121\" = \"queue:water\", \"122\" = \"entry:main\" }}\n"
    );
    config::parse(&text, "the simulation's").unwrap_or_else(|problems| panic!("{problems}")).settings
}

fn plan(weather: Weather) -> Plan {
    Plan {
        settings: settings(),
        server: "198.51.100.1:5060".parse().unwrap(),
        agents: (0..AGENTS).map(|n| (format!("agent{n}"), format!("203.0.113.{}:5060", n + 1).parse().unwrap())).collect(),
        callers: 24,
        within: Duration::from_secs(60),
        numbers: ["120", "120", "121", "122"].map(String::from).to_vec(),
        passes_to: ["water", "help", "agent1", "agent4", "nobody"].map(String::from).to_vec(),
        weather,
    }
}

const FAIR: Weather = Weather { lost_permille: 0, repeated_permille: 0, delay_max: Duration::from_millis(5) };
const FOUL: Weather = Weather { lost_permille: 100, repeated_permille: 50, delay_max: Duration::from_millis(800) };

fn run(seeds: std::ops::Range<u64>, weather: Weather) -> Result<(), String> {
    for seed in seeds {
        let mut city = City::new(plan(weather), seed);
        city.run().map_err(|why| format!("seed {seed}: {why}"))?;
    }
    Ok(())
}

#[test]
fn five_hundred_days_in_fair_weather() {
    run(0..500, FAIR).unwrap();
}

#[test]
fn five_hundred_days_in_foul_weather() {
    run(1000..1500, FOUL).unwrap();
}

#[test]
fn the_same_seed_is_the_same_day() {
    let day = |seed| {
        let mut city = City::new(plan(FOUL), seed);
        city.run().unwrap();
        city.facts
    };
    assert_eq!(day(7), day(7));
    assert_ne!(day(7), day(8));
}

/// Each rule that is taken out is missed by the simulation, by itself.
#[test]
fn a_rule_taken_out_is_noticed() {
    let rules = [
        Rule::ByeToAgent,
        Rule::RingDeadline,
        Rule::LetGo,
        Rule::PutBack,
        Rule::Leave,
        Rule::TalkSegment,
        Rule::StateDeadline,
        Rule::OthersLose,
        Rule::CancelRing,
    ];
    for rule in rules {
        let noticed = (0..400).find_map(|seed| {
            let mut city = City::new(plan(FOUL), seed);
            city.engine.take_out(rule);
            city.run().err().map(|why| format!("seed {seed}: {why}"))
        });
        assert!(noticed.is_some(), "nobody misses {rule:?}");
    }
}

/// A day is no empty story: callers talk, leave, overflow, are passed on, and agents refuse and miss calls.
#[test]
fn much_happens_in_a_day() {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..100 {
        let mut city = City::new(plan(FAIR), seed);
        city.run().unwrap();
        for fact in &city.facts {
            let what = match &fact.kind {
                FactKind::Left { outcome, .. } => outcome.label(),
                FactKind::OfferEnded { outcome, .. } => outcome.label(),
                FactKind::Transferred { outcome: TransferOutcome::Completed, kind, .. } => kind.label(),
                FactKind::Transferred { outcome, .. } => outcome.label(),
                FactKind::Ended { by, .. } => by.label(),
                FactKind::Entered { prefers: Some(_), .. } => "for one agent",
                FactKind::Widened { step: 0, .. } => "for anyone after all",
                FactKind::Entered { estimate: Estimate::Known(_), .. } => "estimated",
                _ => continue,
            };
            *seen.entry(what.to_owned()).or_default() += 1;
        }
    }
    for what in [
        "answered",
        "abandoned",
        "overflowed",
        "accepted",
        "refused",
        "timed_out",
        "busy",
        "withdrawn",
        "queue",
        "blind",
        "returned",
        "caller",
        "agent",
        "for one agent",
        "for anyone after all",
        "estimated",
    ] {
        assert!(seen.get(what).is_some_and(|count| *count > 1), "{what} hardly happens: {seen:?}");
    }
}
