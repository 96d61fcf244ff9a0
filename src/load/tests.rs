use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::histogram::Histogram;
use super::sound::{FRAME, Side, Sound, hear};
use super::*;
use crate::base::seed::Seed;
use crate::rtp::g711::Law;

#[test]
fn spans_are_drawn_as_they_are_written() {
    let mut seed = Seed::from_number(3);
    for (text, mean) in [("exp:60s", 60.0), ("const:250ms", 0.25), ("uniform:10s-20s", 15.0), ("2m", 120.0)] {
        let span: Span = text.parse().unwrap();
        let sum: f64 = (0..20_000).map(|_| span.draw(&mut seed).unwrap().as_secs_f64()).sum();
        assert!((sum / 20_000.0 / mean - 1.0).abs() < 0.03, "{text}: {}", sum / 20_000.0);
    }
    assert_eq!("none".parse::<Span>().unwrap().draw(&mut seed), None);
    for bad in ["", "exp", "exp:", "exp:60", "uniform:5s", "uniform:9s-1s", "poisson:1s", "-1s"] {
        assert!(bad.parse::<Span>().is_err(), "{bad}");
    }
    assert_eq!("5%".parse(), Ok(Share::percent(5.0)));
    assert!("5".parse::<Share>().is_err() && "101%".parse::<Share>().is_err());
    assert_eq!("2s:1,500ms:#".parse::<Keys>().unwrap().0, [(Duration::from_secs(2), '1'), (Duration::from_millis(500), '#')]);
    assert!("2s:x".parse::<Keys>().is_err() && "2s:12".parse::<Keys>().is_err());
}

#[test]
fn a_file_names_agents_by_line_and_by_pattern() {
    let accounts =
        Account::of_file("# the desk\nkim@city.example  secret word\nclerk{2..3}@city.example pass-{n} # two\n").unwrap();
    let all: Vec<_> = accounts.iter().map(|account| (&*account.user, &*account.password)).collect();
    assert_eq!(all, [("kim", "secret word"), ("clerk2", "pass-2"), ("clerk3", "pass-3")]);
    assert!(!format!("{accounts:?}").contains("secret"));
    assert_eq!(Account::of_file("kim@city.example"), Err(AccountError::Line(1)));
    assert!(expand("kim", "x").is_err() && expand("k{9..1}@a", "x").is_err() && expand("k{1..99999}@a", "x").is_err());
}

#[test]
fn percentiles_are_within_three_percent() {
    let mut histogram = Histogram::default();
    (1..=1000).for_each(|ms| histogram.add(Duration::from_millis(ms)));
    let found = histogram.percentiles();
    for (is, wanted) in [(found.p50, 0.5), (found.p90, 0.9), (found.p99, 0.99), (found.max, 1.0)] {
        assert!((is / wanted - 1.0f64).abs() < 0.03, "{is} is not {wanted}");
    }
    assert_eq!(Histogram::default().percentiles(), Percentiles::default());
}

#[test]
fn tones_are_told_apart_from_each_other_and_from_music() {
    for law in [Law::Mu, Law::A] {
        for side in [Side::Caller, Side::Agent] {
            assert_eq!(hear(&side.frame(law), law), Sound::Hum(side));
        }
        assert_eq!(hear(&[law.encode(0); FRAME], law), Sound::Silence);
        let chord: Vec<u8> = (0..FRAME)
            .map(|n| {
                let at = |hertz: f64| (std::f64::consts::TAU * hertz * n as f64 / 8000.0).sin();
                law.encode((3000.0 * (at(262.0) + at(330.0) + at(1050.0))) as i16)
            })
            .collect();
        assert_eq!(hear(&chord, law), Sound::Other);
    }
    assert_eq!(hear(&[], Law::Mu), Sound::Silence);
}

/// A free port of loopback, for the phones of a test.
fn free_port() -> SocketAddr {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Callers of one player ring phones of the same: no server between them.
fn between_ourselves(change: impl FnOnce(&mut Plan)) -> Summary {
    let phones = free_port();
    let mut plan = Plan::new(phones, "phone");
    plan.agents.phones_at = Some(phones);
    plan.agents.answer_after = Span::Const(Duration::from_millis(50));
    plan.callers.talk = Span::Const(Duration::from_secs(1));
    plan.callers.patience = Span::Const(Duration::from_secs(10));
    change(&mut plan);
    run(&plan, &AtomicBool::new(false), |_| {}).unwrap()
}

#[test]
fn two_who_talk_hear_each_other() {
    let summary = between_ourselves(|plan| {
        plan.rtp = Share::ALL;
        plan.agents.hold = Share::ALL;
        (plan.callers.calls, plan.callers.rate) = (Some(3), 0.7);
        plan.callers.steady = true;
    });
    assert_eq!((summary.offered, summary.answered, summary.failed(&[])), (3, 3, 0), "{summary}");
    assert_eq!((summary.heard.callers_heard, summary.heard.agents_heard, summary.heard.themselves), (3, 3, 0), "{summary}");
    assert_eq!((summary.agents.held, summary.rtp.lost), (3, 0), "{summary}");
    assert!(summary.rtp.received > 3 * 2 * 25, "{summary}");
}

#[test]
fn whoever_is_impatient_busy_or_refused_is_counted_once() {
    let summary = between_ourselves(|plan| {
        (plan.callers.calls, plan.callers.rate, plan.callers.steady) = (Some(200), 400.0, true);
        plan.callers.numbers = (0..100).map(|n| format!("phone{n}")).collect();
        plan.callers.patience = Span::Uniform(Duration::ZERO, Duration::from_millis(200));
        plan.callers.talk = Span::Uniform(Duration::ZERO, Duration::from_millis(500));
        plan.agents.refuse = Share::percent(20.0);
        plan.agents.ignore = Share::percent(20.0);
    });
    let refused: u64 = summary.refused.values().sum();
    assert_eq!(summary.answered + summary.abandoned + refused, 200, "{summary}");
    assert_eq!(summary.failed(&[480, 486, 603]), 0, "{summary}");
    assert!(summary.answered > 20 && summary.abandoned > 20 && summary.agents.withdrawn > 20 && refused > 5, "{summary}");
    assert_eq!(
        summary.agents.rung,
        summary.agents.answered + summary.agents.withdrawn + refused - summary.agents.busy,
        "{summary}"
    );
    assert!(summary.wait.count == summary.answered && summary.set_up.p50 >= 0.04, "{summary}");
}
