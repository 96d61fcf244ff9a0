//! Why a contact waited, as the log has it.

use std::process::{Command, Output};

use hotline::base::ContactId;
use hotline::report::Bound;
use hotline::store::ledger;

use super::city::{BEGAN, City};
use super::{fast_dir, live, open, settings, truth};

fn why(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hotline")).arg("why").args(arguments).output().unwrap()
}

#[test]
fn every_contact_that_was_in_a_queue_has_its_ledger() {
    let directory = fast_dir();
    let mut city = City::new(5, BEGAN, 20);
    // Small files: the ledger is read across several.
    let (mut log, _) = open(&settings(directory.path(), 64 * 1024), BEGAN, None);
    live(&mut city, &mut log, 6000);
    log.close(city.now());
    hotline::store::recover(directory.path()).unwrap();
    assert!(truth::files(directory.path()).len() > 3);

    let truth = truth::of_log(directory.path());
    let mut overtaken = 0;
    for record in truth.records.values() {
        let stays = record.segments.iter().filter(|segment| segment.segment.label() == "queue").count();
        let Some(answer) = ledger(directory.path(), record.id).unwrap() else {
            assert_eq!(stays, 0, "{record:?}");
            continue;
        };
        assert!(answer.stays.len() >= stays.min(1));
        let offers: usize =
            answer.stays.iter().flat_map(|stay| &stay.entries).filter(|entry| entry.bound == Some(Bound::Offered)).count();
        assert_eq!(offers, record.offers.len(), "{answer}");
        let waited: u64 = answer.stays.iter().filter(|stay| stay.outcome.is_some()).map(|stay| stay.waited_ms).sum();
        assert!(record.waited.as_millis().abs_diff(u128::from(waited)) <= answer.stays.len() as u128, "{answer} {record:?}");
        overtaken += answer.stays.iter().map(|stay| stay.went_first.earlier + stay.went_first.later).sum::<u32>();
    }
    assert!(overtaken > 0, "nobody ever went first");

    let (waited, log) =
        (truth.records.values().find(|record| !record.offers.is_empty()).unwrap(), directory.path().to_str().unwrap());
    let id = waited.id.to_string();
    let text = String::from_utf8(why(&[&id, "--log", log]).stdout).unwrap();
    assert!(
        text.starts_with(&id)
            && text.contains("of 45 who may: 0 free, 30 busy, 3 on loan, 2 kept for their own, 6 on a break, 4 not signed in"),
        "{text}"
    );
    let json = why(&[&id, "--log", log, "--json"]).stdout;
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&json).unwrap()["contact"], id);
    let stranger = ContactId(waited.id.0 ^ 1).to_string();
    let told = why(&[&stranger, "--log", log]);
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8(told.stderr).unwrap().contains("never in a queue"));
    assert_eq!(why(&["nobody", "--log", log]).status.code(), Some(2));
    assert_eq!(why(&[&id, "--log", "/nowhere/at/all"]).status.code(), Some(1));
}
