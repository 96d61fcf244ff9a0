use proptest::prelude::*;

use super::*;
use crate::base::seed::Seed;

const WHOSE: Whose = (0, 1);

fn at(seconds: f64) -> Time {
    Time::from_secs(1_000_000) + Duration::from_secs_f64(seconds)
}

/// Answers every `gap_s` seconds in a queue that is never empty, with `present` agents.
fn learnt(gap_s: f64, present: u32, answers: u32) -> (Estimates, Time) {
    let estimates = Estimates::new(1);
    estimates.begin(at(0.0), WHOSE);
    let mut now = at(0.0);
    for answer in 1..=answers {
        now = at(gap_s * f64::from(answer));
        estimates.begin(now, WHOSE);
        estimates.end(now, WHOSE, Duration::from_secs(600), Some(present));
    }
    (estimates, now)
}

fn likely(estimate: Estimate) -> f64 {
    estimate.range().unwrap().likely.as_secs_f64()
}

#[test]
fn who_knows_nothing_says_so() {
    let (estimates, now) = learnt(10.0, 4, u32::from(KNOWN_FROM) - 1);
    assert_eq!(estimates.behind(now, WHOSE, 0, 4), Estimate::Unknown, "too little was seen");
    let (estimates, now) = learnt(10.0, 4, KNOWN_FROM.into());
    assert!(estimates.behind(now, WHOSE, 0, 4).range().is_some());
    assert_eq!(estimates.behind(now, WHOSE, 0, 0), Estimate::Unknown, "nobody is there");
    assert_eq!(estimates.behind(now, (0, 2), 0, 4), Estimate::Unknown, "nothing is known of another language");
}

#[test]
fn the_wait_follows_the_queue_and_who_is_there() {
    let (estimates, now) = learnt(10.0, 4, 100);
    let nine = likely(estimates.behind(now, WHOSE, 9, 4));
    assert!((90.0..101.0).contains(&nine), "ten steps of ten seconds: {nine}");
    assert!(likely(estimates.behind(now, WHOSE, 0, 4)) < 10.0, "half wait less than the mean");
    for (present, factor) in [(2, 2.0), (8, 0.5), (1, 4.0)] {
        let scaled = likely(estimates.behind(now, WHOSE, 9, present));
        assert!((scaled / nine / factor - 1.0).abs() < 0.01, "{present} there instead of 4: {scaled}");
    }
    let silent = likely(estimates.behind(now + Duration::from_secs(270), WHOSE, 9, 4));
    assert!((1.9..2.1).contains(&(silent / nine)), "no answer for as long as 27 of them: {silent}");
    let (mut before, mut width) = (Duration::ZERO, f64::MAX);
    for ahead in [0, 1, 3, 10, 30] {
        let Range { low, likely, high } = estimates.behind(now, WHOSE, ahead, 4).range().unwrap();
        assert!(low < likely && likely < high && likely > before, "{ahead}: {low:?} {likely:?} {high:?}");
        let ratio = high.as_secs_f64() / low.as_secs_f64();
        assert!(ratio < width, "the longer the queue, the more sure: {ahead}");
        (before, width) = (likely, ratio);
    }
}

#[test]
fn those_who_give_up_make_it_shorter() {
    let (estimates, now) = learnt(10.0, 4, 100);
    let before = likely(estimates.behind(now, WHOSE, 30, 4));
    for _ in 0..300 {
        estimates.end(now, WHOSE, Duration::from_secs(60), None);
    }
    assert!(likely(estimates.behind(now, WHOSE, 30, 4)) < before / 2.0);
}

#[test]
fn who_gave_up_early_tells_nothing() {
    let estimates = Estimates::new(1);
    let seconds = Duration::from_secs;
    let known = Estimate::Known(Range { low: seconds(10), likely: seconds(20), high: seconds(40) });
    let score = |waited, answered| estimates.score(0, &known, seconds(waited), answered);
    assert_eq!(score(5, true), Some(EstimateOutcome::Sooner));
    assert_eq!([score(10, true), score(40, true)], [Some(EstimateOutcome::Within); 2]);
    assert_eq!([score(41, true), score(41, false)], [Some(EstimateOutcome::Later); 2]);
    assert_eq!([score(5, false), score(40, false)], [None; 2]);
    assert_eq!(estimates.score(0, &Estimate::Unknown, seconds(5), true), None);
}

/// Waits ten times as long as the model thinks: the range finds them.
#[test]
fn a_wrong_model_is_put_right() {
    let (estimates, now) = learnt(10.0, 4, 100);
    let mut seed = Seed::from_number(1);
    let mut within = 0;
    for round in 0..4000 {
        let estimate = estimates.behind(now, WHOSE, 4, 4);
        let waited = Duration::from_secs_f64(200.0 + 600.0 * seed.unit());
        let outcome = estimates.score(0, &estimate, waited, true);
        within += u32::from(round >= 1000 && outcome == Some(EstimateOutcome::Within));
    }
    let share = f64::from(within) / 3000.0;
    assert!((0.78..0.82).contains(&share), "{share}");
    let Range { low, high, .. } = estimates.behind(now, WHOSE, 4, 4).range().unwrap();
    assert!((230..350).contains(&low.as_secs()) && (650..790).contains(&high.as_secs()), "{low:?} {high:?}");
}

#[test]
fn words_keep_what_they_are_given() {
    let pace = Pace { gap_s: 12.5, seen: 25, present: 5000.25 };
    assert_eq!(Pace::unpack(pace.pack()), pace);
    assert_eq!(Pace::unpack(0), Pace::default());
    let patience = Patience { gave_up: 0.25, waited_s: 77.0 };
    assert_eq!(Patience::unpack(patience.pack()), patience);
    assert_eq!(Ends::unpack(Ends::AT_FIRST.pack()), Ends::AT_FIRST);
}

/// Two threads begin, end and score at the same time: whatever was lost, the words make sense, and nobody is left in a
/// queue.
#[test]
fn a_lost_race_does_no_harm() {
    let estimates = Estimates::new(1);
    std::thread::scope(|scope| {
        for thread in 0..2_u64 {
            let estimates = &estimates;
            scope.spawn(move || {
                let mut seed = Seed::from_number(thread);
                for round in 0..50_000_u32 {
                    let now = at(f64::from(round) / 10.0);
                    let ahead = estimates.begin(now, WHOSE);
                    let estimate = estimates.behind(now, WHOSE, ahead, 4);
                    let waited = Duration::from_secs_f64(seed.unit());
                    let answered = seed.unit() < 0.7;
                    estimates.end(now, WHOSE, waited, answered.then_some(4));
                    estimates.score(0, &estimate, waited, answered);
                }
            });
        }
    });
    assert_eq!(estimates.waiting(WHOSE), 0);
    let Range { low, likely, high } = estimates.behind(at(5000.0), WHOSE, 3, 4).range().unwrap();
    assert!(low <= likely && likely <= high && high < Duration::from_secs(3600), "{low:?} {likely:?} {high:?}");
}

proptest! {
    #[test]
    fn no_input_makes_nonsense(
        moves in prop::collection::vec((any::<u32>(), any::<u64>(), 0..4_u8, any::<u32>()), 0..200),
        ahead: u32,
        words: (u64, u64, u64),
    ) {
        let estimates = Estimates::new(1);
        for (micros, waited, what, present) in moves {
            let (now, waited) = (Time::from_micros(u64::from(micros)), Duration::from_micros(waited));
            match what {
                0 => drop(estimates.begin(now, WHOSE)),
                1 => estimates.end(now, WHOSE, waited, Some(present)),
                2 => estimates.end(now, WHOSE, waited, None),
                _ => {
                    let estimate = estimates.behind(now, WHOSE, ahead, present);
                    estimates.score(0, &estimate, waited, present.is_multiple_of(2));
                }
            }
            if let Estimate::Known(Range { low, likely, high }) = estimates.behind(now, WHOSE, ahead, present) {
                prop_assert!(low <= likely && likely <= high && high <= Duration::from_secs_f64(LONGEST_S));
            }
        }
        // Nor words that nobody wrote.
        let stats = estimates.stats(WHOSE);
        stats.pace.store(words.0, Ordering::Relaxed);
        stats.patience.store(words.1, Ordering::Relaxed);
        stats.since.store(words.2, Ordering::Relaxed);
        estimates.behind(Time::from_micros(u64::from(ahead)), WHOSE, ahead, 3);
    }
}
