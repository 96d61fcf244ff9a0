//! What those in a queue hear of their wait.

use std::time::Duration;

use super::super::media_port::Feed;
use super::super::{AgentCommand, Settings};
use super::house::{House, answer, becomes, calls, desk_phone, hangs_up, picks_up, settings};
use crate::acd::queue::Announce;
use crate::base::words::{BreakReason, EstimateOutcome};
use crate::base::{AgentId, Estimate};
use crate::report::FactKind;

const EVERY: Duration = Duration::from_secs(30);

fn telling(announce: Announce) -> Settings {
    let mut settings = settings(2);
    let queue = settings.directory.queues[0].as_mut().unwrap();
    (queue.announce, queue.announce_every) = (announce, Some(EVERY));
    settings
}

fn last_prompts(house: &House) -> Vec<String> {
    let Some((_, Feed::Prompts { names, .. })) = house.feeds.last() else { panic!("nothing is said: {:?}", house.feeds.last()) };
    names.iter().map(ToString::to_string).collect()
}

/// One agent talks all the time; the other takes a caller who has waited for twenty seconds, five times over.
fn a_queue_that_is_known(announce: Announce) -> (House, String) {
    let mut house = House::new(telling(announce));
    becomes(&mut house, 1, AgentCommand::Break(BreakReason::Asked));
    let long = calls(&mut house, "long");
    picks_up(&mut house, 0);
    for round in 0..5 {
        let id = format!("r{round}");
        let tag = calls(&mut house, &id);
        house.pass(Duration::from_secs(20));
        becomes(&mut house, 1, AgentCommand::Ready);
        picks_up(&mut house, 1);
        hangs_up(&mut house, &id, &tag);
        let bye = house.next_to(&desk_phone(1));
        house.from(&desk_phone(1), &answer(&bye, 200, ""));
        house.pass(Duration::from_secs(60));
        becomes(&mut house, 1, AgentCommand::Break(BreakReason::Asked));
    }
    (house, long)
}

#[test]
fn a_wait_is_unknown_then_estimated_then_overdue() {
    let mut house = House::new(telling(Announce::PlaceAndWait));
    becomes(&mut house, 1, AgentCommand::Break(BreakReason::Asked));
    let tag = calls(&mut house, "a");
    picks_up(&mut house, 0);
    let waits = calls(&mut house, "b");
    house.pass(EVERY);
    assert_eq!(last_prompts(&house), ["en/place-1", "en/wait-unknown"], "nobody has been seen to wait yet");
    hangs_up(&mut house, "b", &waits);
    hangs_up(&mut house, "a", &tag);
    house.assert_empty();

    let (mut house, long) = a_queue_that_is_known(Announce::Wait);
    let tag = calls(&mut house, "late");
    let told = house.kinds().filter_map(|kind| match kind {
        FactKind::Entered { estimate, .. } => Some(*estimate),
        _ => None,
    });
    let told: Vec<Estimate> = told.collect();
    assert_eq!(told[..2], [Estimate::Needless, Estimate::Unknown], "an agent was free; then nothing was known");
    let range = told.last().unwrap().range().expect("five answers tell something");
    let seconds = |span: Duration| span.as_secs();
    assert!((10..40).contains(&seconds(range.likely)) && (30..110).contains(&seconds(range.high)), "{range:?}");
    house.pass(EVERY);
    assert_eq!(last_prompts(&house), ["en/wait-2"]);
    house.pass(range.high + EVERY);
    assert_eq!(last_prompts(&house), ["en/wait-overdue"], "not a number that grows");
    becomes(&mut house, 1, AgentCommand::Ready);
    picks_up(&mut house, 1);
    hangs_up(&mut house, "late", &tag);
    hangs_up(&mut house, "long", &long);
    let scored: Vec<_> = house
        .kinds()
        .filter_map(|kind| match kind {
            FactKind::Left { estimated, .. } => Some(*estimated),
            _ => None,
        })
        .collect();
    assert_eq!(scored[..2], [None, Some(EstimateOutcome::Unknown)]);
    assert_eq!(scored.last(), Some(&Some(EstimateOutcome::Later)));
    house.assert_empty();
}

/// How the caller of [`calls`] is served a second time, by the phone that rings first; each move is made when it has waited for ten seconds.
fn comes_again(then: impl FnOnce(&mut House)) -> (House, Vec<u32>) {
    comes_again_to(settings(2), then)
}

fn comes_again_to(mut settings: Settings, then: impl FnOnce(&mut House)) -> (House, Vec<u32>) {
    settings.directory.queues[0].as_mut().unwrap().prefer_last = Some(Duration::from_secs(30));
    settings.directory.queues[0].as_mut().unwrap().wrap_up = Duration::ZERO;
    let mut house = House::new(settings);
    let tag = calls(&mut house, "first");
    picks_up(&mut house, 0);
    hangs_up(&mut house, "first", &tag);
    let bye = house.next_to(&desk_phone(0));
    house.from(&desk_phone(0), &answer(&bye, 200, ""));
    house.pass(Duration::from_secs(5));
    house.sent.clear();
    then(&mut house);
    let rung = [0, 1].into_iter().filter(|agent| !house.nothing_to(&desk_phone(*agent))).collect();
    (house, rung)
}

#[test]
fn who_comes_again_waits_for_the_same_agent_a_while() {
    // Agent 1 has been idle for longer, and is passed over.
    let (mut house, rung) = comes_again(|house| drop(calls(house, "again")));
    assert_eq!(rung, [0]);
    let entered = house.kinds().filter_map(|kind| match kind {
        FactKind::Entered { prefers, .. } => Some(*prefers),
        _ => None,
    });
    assert_eq!(entered.collect::<Vec<_>>(), [None, Some(AgentId(0))]);
    picks_up(&mut house, 0);

    let on_break = |house: &mut House| becomes(house, 0, AgentCommand::Break(BreakReason::Asked));
    let (_, rung) = comes_again(|house| {
        on_break(house);
        calls(house, "again");
        house.pass(Duration::from_secs(29));
    });
    assert_eq!(rung, [0; 0], "it waits for the one who is on a break");
    let (_, rung) = comes_again(|house| {
        on_break(house);
        calls(house, "again");
        house.pass(Duration::from_secs(10));
        becomes(house, 0, AgentCommand::Ready);
    });
    assert_eq!(rung, [0]);
    let (house, rung) = comes_again(|house| {
        on_break(house);
        calls(house, "again");
        house.pass(Duration::from_secs(31));
    });
    assert_eq!(rung, [1], "then for anyone");
    assert!(house.kinds().any(|kind| matches!(kind, FactKind::PreferenceOver { weighed, .. } if weighed.all() == 2)));
    let (_, rung) = comes_again(|house| {
        on_break(house);
        calls(house, "again");
        house.pass(Duration::from_secs(3));
        becomes(house, 0, AgentCommand::SignOut);
    });
    assert_eq!(rung, [1], "nobody waits for one who has gone home");
    let (_, rung) = comes_again(|house| {
        becomes(house, 0, AgentCommand::SignOut);
        calls(house, "again");
    });
    assert_eq!(rung, [1]);
    let mut urgent = settings(2);
    urgent.directory.queues[0].as_mut().unwrap().emergency = true;
    let (_, rung) = comes_again_to(urgent, |house| drop(calls(house, "again")));
    assert_eq!(rung, [1], "an emergency has the one who is idle longest");
    // A ring in vain: the place is kept, and anyone may have it.
    let (_, rung) = comes_again(|house| {
        calls(house, "again");
        let invite = house.next_to(&desk_phone(0));
        house.from(&desk_phone(0), &answer(&invite, 486, ""));
        house.sent.retain(|sent| sent.to.to_string() != desk_phone(0));
    });
    assert_eq!(rung, [1]);
}

#[test]
fn who_has_no_such_agent_waits_for_the_one_whom_the_queue_names() {
    let named = |agent: u32| {
        let mut settings = settings(3);
        settings.directory.queues[0].as_mut().unwrap().prefer_agent = Some((AgentId(agent), Duration::from_secs(20)));
        settings
    };
    let mut house = House::new(named(2));
    calls(&mut house, "a");
    picks_up(&mut house, 2);
    calls(&mut house, "b");
    house.pass(Duration::from_secs(19));
    assert!([0, 1].into_iter().all(|agent| house.nothing_to(&desk_phone(agent))), "it waits for the one who talks");
    house.pass(Duration::from_secs(1));
    picks_up(&mut house, 0);

    // Whoever served the caller last goes before.
    let mut both = named(1);
    both.directory.queues[0].as_mut().unwrap().prefer_last = Some(Duration::from_secs(30));
    let mut house = House::new(both);
    becomes(&mut house, 1, AgentCommand::Break(BreakReason::Asked));
    let tag = calls(&mut house, "first");
    house.pass(Duration::from_secs(20));
    picks_up(&mut house, 0);
    hangs_up(&mut house, "first", &tag);
    let bye = house.next_to(&desk_phone(0));
    house.from(&desk_phone(0), &answer(&bye, 200, ""));
    becomes(&mut house, 1, AgentCommand::Ready);
    house.sent.clear();
    calls(&mut house, "again");
    assert!(house.nothing_to(&desk_phone(1)));
    picks_up(&mut house, 0);
}

#[test]
fn the_place_alone_is_said_where_nothing_else_is_asked_for() {
    let (mut house, long) = a_queue_that_is_known(Announce::Place);
    let tag = calls(&mut house, "a");
    house.pass(EVERY);
    assert_eq!(last_prompts(&house), ["en/place-1"]);
    hangs_up(&mut house, "a", &tag);
    hangs_up(&mut house, "long", &long);
    house.assert_empty();
}
