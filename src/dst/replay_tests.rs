use std::time::Duration;

use super::append;
use super::city::{City, Plan};
use super::net::Weather;
use super::tests::{FAIR, FOUL, plan, text};
use crate::config::ConfigText;
use crate::engine::Settings;
use crate::engine::sabotage::{Moment, Rule};
use crate::replay::{Player, ReplayError};
use crate::report::FactKind;

const HOUR: Duration = Duration::from_secs(3600);

fn config(text: &str, running: &Settings) -> ConfigText {
    ConfigText::new(text, "the simulation's", running).unwrap_or_else(|problems| panic!("{problems}"))
}

/// An hour that is recorded, from 17:00 in Seoul on a Friday. After half of it the configuration is another: an agent is gone and one is new,
/// a queue is new and the others have other rules.
fn hour(weather: Weather, seed: u64) -> Plan {
    let open = "name = \"main\"\nhours = { zone = \"Asia/Seoul\", week = [\"mon-fri 09:00-17:40\"] }\nclosed = { prompts = [\"en/greeting\"] }\n";
    let before = text().replace("name = \"main\"\n", open);
    let after = before
        .replace("name = \"agent4\"", "name = \"agent9\"")
        .replace("ring_several = 2", "ring_several = 1")
        .replace("wrap_up = \"3s\"", "wrap_up = \"6s\"")
        .replace(
            "[[queue]]\nname = \"flood\"",
            "[[queue]]\nname = \"new\"\nagency = \"city\"\npools = [\"pipes\"]\nwait_max = \"5m\"\n[[queue]]\nname = \"flood\"",
        )
        .replace("\"121\" = \"queue:water\"", "\"121\" = \"queue:new\"");
    let (nothing, first) = (Settings::default(), config(&before, &Settings::default()));
    let settings = first.read(&nothing).unwrap().settings;
    let reload = Some((HOUR / 2, config(&after, &settings)));
    Plan { settings, config: first, recorded: true, reload, within: HOUR, callers: 400, ..plan(weather, seed) }
}

fn one_shard(plan: Plan) -> Plan {
    Plan { shards: 1, ..plan }
}

/// A journal, and what its engine has said.
type Recorded = (Vec<u8>, Vec<u8>);

/// The journal of each shard's hour, and what its engine has said. `prepare` may have something happen in it.
fn recorded(plan: Plan, seed: u64, prepare: impl FnOnce(&mut City)) -> (Vec<Recorded>, City) {
    let mut city = City::new(plan, seed);
    prepare(&mut city);
    city.run().unwrap();
    let journals = city.shards.iter_mut().map(|shard| shard.recorded().unwrap()).collect();
    (journals, city)
}

/// What the engine of a journal says when it is run again.
fn replayed(journal: &[u8], prepare: impl FnOnce(&mut Player<'_>)) -> Result<Vec<u8>, ReplayError> {
    let mut player = Player::new(journal)?;
    prepare(&mut player);
    let mut said = Vec::new();
    while player.step(&mut |output| append(&mut said, &output))? {}
    Ok(said)
}

#[test]
fn an_hour_runs_again_byte_for_byte_from_a_file() {
    let (journals, city) = recorded(one_shard(hour(FAIR, 2)), 2, |_| {});
    let (journal, said) = &journals[0];
    let count = |is: fn(&FactKind) -> bool| city.facts().iter().filter(|fact| is(&fact.kind)).count();
    assert!(count(|kind| matches!(kind, FactKind::Ended { .. })) > 400);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("an-hour.journal");
    std::fs::write(&file, journal).unwrap();
    let again = replayed(&std::fs::read(&file).unwrap(), |_| {}).unwrap();
    assert!(again == *said, "the outputs differ");
}

#[test]
fn hours_in_foul_weather_run_again_too() {
    // Of these, one follows little in each wake-up, one is slow, and slots or ports are short in others.
    for seed in [1, 3, 4, 13, 17] {
        let (journals, _) = recorded(one_shard(hour(FOUL, seed)), seed, |_| {});
        assert!(replayed(&journals[0].0, |_| {}).unwrap() == journals[0].1, "seed {seed}: the outputs differ");
    }
}

#[test]
fn each_of_two_shards_runs_again_alone() {
    for (seed, weather) in [(2, FAIR), (3, FOUL), (6, FOUL)] {
        let (journals, _) = recorded(Plan { shards: 2, ..hour(weather, seed) }, seed, |_| {});
        for (shard, (journal, said)) in journals.iter().enumerate() {
            assert!(said.len() > 100_000, "shard {shard} has had little to do");
            assert!(replayed(journal, |_| {}).unwrap() == *said, "seed {seed}, shard {shard}: the outputs differ");
        }
    }
}

#[test]
fn a_contained_panic_is_replayed() {
    for kind in ["to desk: Rings", "from matcher: Accepted", "to matcher: Settle", "arrival"] {
        let panics = |city: &mut City| city.shards[0].engine.panic_at(kind, Moment::Before);
        let (journals, city) = recorded(one_shard(hour(FAIR, 2)), 2, panics);
        let (journal, said) = &journals[0];
        assert!(!city.shards[0].engine.waits_for_panic());
        let again = replayed(journal, |player| player.engine().panic_at(kind, Moment::Before)).unwrap();
        assert!(again == *said, "{kind}: the outputs differ");
        let other = replayed(journal, |_| {}).unwrap_err();
        assert!(matches!(other, ReplayError::Misfit(..) | ReplayError::Differs(..)), "{kind}: {other}");
    }
}

/// An engine that decides otherwise is noticed, and where.
#[test]
fn an_engine_that_has_changed_differs() {
    let (journals, _) = recorded(one_shard(hour(FAIR, 2)), 2, |_| {});
    let (journal, said) = &journals[0];
    for rule in [Rule::PutBack, Rule::ByeToAgent, Rule::CancelRing, Rule::TalkMax] {
        match replayed(journal, |player| player.engine().take_out(rule)) {
            Ok(again) => assert!(again != *said, "{rule:?} makes no difference"),
            Err(error) => assert!(matches!(error, ReplayError::Misfit(..) | ReplayError::Differs(..)), "{rule:?}: {error}"),
        }
    }
}

#[test]
fn what_is_no_journal_is_refused() {
    let mut plan = hour(FAIR, 2);
    (plan.callers, plan.within) = (3, Duration::from_secs(10));
    plan.reload = None;
    let (mut journals, _) = recorded(one_shard(plan), 2, |_| {});
    let (journal, _) = journals.remove(0);
    let refused = |journal: &[u8]| replayed(journal, |_| {}).unwrap_err();
    assert!(matches!(refused(b""), ReplayError::NoJournal));
    assert!(matches!(refused(b"hotline\0"), ReplayError::NoJournal));
    assert!(matches!(refused(b"RIFF....WAVE"), ReplayError::NoJournal));
    let mut newer = journal.clone();
    newer[8] = 9;
    assert_eq!(refused(&newer).to_string(), "the journal has format 9, and this program reads format 3");
    assert!(matches!(refused(&journal[..journal.len() - 1]), ReplayError::Damaged(_)));
    assert!(matches!(refused(&journal[..10]), ReplayError::OutOfPlace(_)));
    let mut long = journal[..10].to_vec();
    long.extend_from_slice(&[0xff; 8]);
    assert!(matches!(refused(&long), ReplayError::Damaged(1)));
    // Whatever byte is another: an error or another run, never a panic of the reader.
    for at in (10..journal.len()).step_by(journal.len() / 200) {
        let mut damaged = journal.clone();
        damaged[at] ^= 0x40;
        let _ = replayed(&damaged, |_| {});
    }
}
