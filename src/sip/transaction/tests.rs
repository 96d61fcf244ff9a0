//! Whole lives of transactions, driven by a clock of the test's own: what is sent when, against RFC 3261's figures and tables.

use std::collections::BTreeMap;

use super::*;

/// Runs a table: applies its actions to a set of timers, and keeps what was sent and told with the time in ms.
struct Bench<I> {
    now_ms: u64,
    timers: BTreeMap<&'static str, (u64, Timer)>,
    seen: Vec<(u64, Action)>,
    ended: bool,
    make: fn(Timer) -> I,
}

fn letter(timer: Timer) -> &'static str {
    match timer {
        Timer::A => "A",
        Timer::B => "B",
        Timer::D => "D",
        Timer::E => "E",
        Timer::F => "F",
        Timer::G => "G",
        Timer::H => "H",
        Timer::I => "I",
        Timer::J => "J",
        Timer::K => "K",
        Timer::L => "L",
        Timer::M => "M",
        Timer::Trying => "Trying",
        Timer::Accepted2xx => "Accepted2xx",
        Timer::CancelWait => "CancelWait",
    }
}

impl<I> Bench<I> {
    fn new(make: fn(Timer) -> I) -> Self {
        Bench { now_ms: 0, timers: BTreeMap::new(), seen: Vec::new(), ended: false, make }
    }

    fn apply(&mut self, list: Actions) {
        for action in list {
            match action {
                Action::Set(timer, span) => {
                    self.timers.insert(letter(timer), (self.now_ms + span.as_millis() as u64, timer));
                }
                Action::Stop(timer) => {
                    self.timers.remove(letter(timer));
                }
                Action::End => {
                    self.ended = true;
                    self.timers.clear();
                }
                Action::Forget => {}
                other => self.seen.push((self.now_ms, other)),
            }
        }
    }

    fn run_to(&mut self, end_ms: u64, mut on: impl FnMut(I) -> Actions) {
        while let Some((name, (at, timer))) = self.timers.iter().map(|(n, v)| (*n, *v)).min_by_key(|(_, (at, _))| *at) {
            if at > end_ms {
                break;
            }
            self.timers.remove(name);
            self.now_ms = at;
            self.apply(on((self.make)(timer)));
        }
        self.now_ms = end_ms;
    }

    fn times(&self, action: Action) -> Vec<u64> {
        self.seen.iter().filter(|(_, seen)| *seen == action).map(|(at, _)| *at).collect()
    }
}

#[test]
fn an_unanswered_invite_is_sent_seven_times_and_given_up_after_32_s() {
    let (mut tx, first) = client_invite::ClientInvite::start(true);
    let mut bench = Bench::new(client_invite::Input::Timer);
    bench.apply(first);
    bench.run_to(60_000, |input| tx.on(input));
    assert_eq!(bench.times(Action::SendRequest), [0, 500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!(bench.times(Action::TellTimeout), [32000]);
    assert!(bench.ended);
}

#[test]
fn over_a_stream_nothing_is_repeated() {
    let (mut tx, first) = client_invite::ClientInvite::start(false);
    let mut bench = Bench::new(client_invite::Input::Timer);
    bench.apply(first);
    bench.run_to(60_000, |input| tx.on(input));
    assert_eq!(bench.times(Action::SendRequest), [0]);
    assert_eq!(bench.times(Action::TellTimeout), [32000]);

    let (mut tx, first) = client_other::ClientOther::start(false);
    let mut bench = Bench::new(client_other::Input::Timer);
    bench.apply(first);
    bench.apply(tx.on(client_other::Input::Response(Class::Success)));
    assert!(bench.ended, "Timer K is zero");
}

#[test]
fn a_provisional_answer_stops_an_invites_retransmission_for_good() {
    use client_invite::Input;
    let (mut tx, first) = client_invite::ClientInvite::start(true);
    let mut bench = Bench::new(Input::Timer);
    bench.apply(first);
    bench.run_to(700, |input| tx.on(input));
    bench.apply(tx.on(Input::Response(Class::Provisional)));
    bench.run_to(300_000, |input| tx.on(input));
    assert_eq!(bench.times(Action::SendRequest), [0, 500]);
    assert!(!bench.ended, "a phone may ring for minutes; the ring's deadline is its user's");
    bench.apply(tx.on(Input::Cancelled));
    bench.run_to(400_000, |input| tx.on(input));
    assert_eq!(bench.times(Action::TellTimeout), [332_000], "but a cancelled one is not waited for for ever");
}

#[test]
fn each_repeated_rejection_is_acknowledged_until_timer_d() {
    use client_invite::Input;
    let (mut tx, first) = client_invite::ClientInvite::start(true);
    let mut bench = Bench::new(Input::Timer);
    bench.apply(first);
    for at in [100, 600, 1600] {
        bench.run_to(at, |input| tx.on(input));
        bench.apply(tx.on(Input::Response(Class::Rejection)));
    }
    assert_eq!(bench.times(Action::SendAck), [100, 600, 1600]);
    assert_eq!(bench.times(Action::TellResponse), [100]);
    bench.run_to(60_000, |input| tx.on(input));
    assert!(bench.ended);
}

#[test]
fn every_2xx_reaches_the_user_until_timer_m_even_after_others() {
    use client_invite::Input;
    let (mut tx, first) = client_invite::ClientInvite::start(true);
    let mut bench = Bench::new(Input::Timer);
    bench.apply(first);
    for at in [100, 600, 31_000] {
        bench.run_to(at, |input| tx.on(input));
        bench.apply(tx.on(Input::Response(Class::Success)));
    }
    bench.apply(tx.on(Input::Response(Class::Rejection)));
    assert_eq!(bench.times(Action::TellResponse), [100, 600, 31_000]);
    assert_eq!(bench.times(Action::SendAck), [0u64; 0], "the ACK to a 2xx is the user's");
    bench.run_to(33_000, |input| tx.on(input));
    assert!(bench.ended);
}

#[test]
fn other_requests_back_off_to_four_seconds() {
    use client_other::Input;
    let (mut tx, first) = client_other::ClientOther::start(true);
    let mut bench = Bench::new(Input::Timer);
    bench.apply(first);
    bench.run_to(60_000, |input| tx.on(input));
    assert_eq!(bench.times(Action::SendRequest), [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    assert_eq!(bench.times(Action::TellTimeout), [32000]);

    let (mut tx, first) = client_other::ClientOther::start(true);
    let mut bench = Bench::new(Input::Timer);
    bench.apply(first);
    bench.apply(tx.on(Input::Response(Class::Provisional)));
    bench.run_to(9_000, |input| tx.on(input));
    assert_eq!(bench.times(Action::SendRequest), [0, 500, 4500, 8500], "T2 once something was heard");
    bench.apply(tx.on(Input::Response(Class::Rejection)));
    bench.apply(tx.on(Input::Response(Class::Rejection)));
    assert_eq!(bench.times(Action::TellResponse).len(), 2);
    bench.run_to(14_000, |input| tx.on(input));
    assert!(bench.ended, "Timer K");
}

#[test]
fn a_rejection_is_repeated_until_its_ack_and_then_absorbs() {
    use server_invite::Input;
    let (mut tx, first) = server_invite::ServerInvite::start(true);
    let mut bench = Bench::new(Input::Timer);
    bench.apply(first);
    bench.apply(tx.on(Input::Respond(Class::Rejection)));
    bench.run_to(9_000, |input| tx.on(input));
    assert_eq!(bench.times(Action::SendResponse), [0, 500, 1500, 3500, 7500]);
    assert_eq!(bench.times(Action::SendTrying), [0u64; 0]);
    bench.apply(tx.on(Input::Ack));
    bench.apply(tx.on(Input::Ack));
    bench.apply(tx.on(Input::Again));
    assert_eq!(bench.times(Action::SendResponse).len(), 5);
    bench.run_to(14_000, |input| tx.on(input));
    assert!(bench.ended, "Timer I");

    let (mut tx, first) = server_invite::ServerInvite::start(true);
    let mut bench = Bench::new(Input::Timer);
    bench.apply(first);
    bench.apply(tx.on(Input::Respond(Class::Rejection)));
    bench.run_to(60_000, |input| tx.on(input));
    assert_eq!(bench.times(Action::TellTimeout), [32000], "Timer H");
}

#[test]
fn a_2xx_is_repeated_until_acknowledged_and_a_repeated_invite_is_absorbed() {
    use server_invite::Input;
    let (mut tx, first) = server_invite::ServerInvite::start(false);
    let mut bench = Bench::new(Input::Timer);
    bench.apply(first);
    bench.apply(tx.on(Input::Respond(Class::Success)));
    bench.apply(tx.on(Input::Again));
    bench.run_to(2_000, |input| tx.on(input));
    assert_eq!(bench.times(Action::SendResponse), [0, 500, 1500], "over streams, too");
    bench.apply(tx.on(Input::Acknowledged));
    bench.run_to(60_000, |input| tx.on(input));
    assert_eq!(bench.times(Action::SendResponse).len(), 3);
    assert_eq!(bench.times(Action::TellTimeout), [0u64; 0]);
    assert!(bench.ended, "Timer L");

    let (mut tx, first) = server_invite::ServerInvite::start(true);
    let mut bench = Bench::new(Input::Timer);
    bench.apply(first);
    bench.apply(tx.on(Input::Respond(Class::Success)));
    bench.run_to(60_000, |input| tx.on(input));
    assert_eq!(bench.times(Action::TellTimeout), [32000], "the user sends BYE then");
}

#[test]
fn trying_is_sent_once_the_user_is_slow_or_the_invite_comes_again() {
    use server_invite::Input;
    let (mut tx, first) = server_invite::ServerInvite::start(true);
    let mut bench = Bench::new(Input::Timer);
    bench.apply(first);
    bench.run_to(5_000, |input| tx.on(input));
    bench.apply(tx.on(Input::Again));
    assert_eq!(bench.times(Action::SendTrying), [200, 5000]);
    bench.apply(tx.on(Input::Respond(Class::Provisional)));
    bench.apply(tx.on(Input::Again));
    assert_eq!(bench.times(Action::SendResponse), [5000, 5000], "now it is the last provisional answer");
}

#[test]
fn other_requests_are_answered_again_until_timer_j() {
    use server_other::Input;
    let (mut tx, first) = server_other::ServerOther::start(true);
    let mut bench = Bench::new(Input::Timer);
    bench.apply(first);
    bench.apply(tx.on(Input::Again));
    bench.apply(tx.on(Input::Respond(Class::Success)));
    bench.apply(tx.on(Input::Again));
    assert_eq!(bench.times(Action::SendResponse), [0, 0]);
    bench.run_to(32_000, |input| tx.on(input));
    assert!(bench.ended);
}

/// Every state of every table is over in the end, whatever comes, once the user has answered or cancelled.
#[test]
fn nothing_lasts_for_ever() {
    for unreliable in [true, false] {
        for class in [None, Some(Class::Provisional), Some(Class::Success), Some(Class::Rejection)] {
            let (mut tx, first) = client_invite::ClientInvite::start(unreliable);
            let mut bench = Bench::new(client_invite::Input::Timer);
            bench.apply(first);
            if let Some(class) = class {
                bench.apply(tx.on(client_invite::Input::Response(class)));
            }
            bench.apply(tx.on(client_invite::Input::Cancelled));
            bench.run_to(100_000, |input| tx.on(input));
            assert!(bench.ended, "{unreliable} {class:?}");

            let Some(class) = class.filter(|class| *class != Class::Provisional) else { continue };
            let (mut tx, first) = server_invite::ServerInvite::start(unreliable);
            let mut bench = Bench::new(server_invite::Input::Timer);
            bench.apply(first);
            bench.apply(tx.on(server_invite::Input::Respond(class)));
            bench.run_to(100_000, |input| tx.on(input));
            assert!(bench.ended && tx.state == server_invite::State::Terminated);
        }
    }
}
