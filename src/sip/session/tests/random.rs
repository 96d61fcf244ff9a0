//! Two machines place, answer, re-offer and hang up at random over a bad network. Whatever happens, everything ends.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::*;
use super::pair::*;

/// What an owner knows of its session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    Arrived,
    Called,
    Up,
    Ending,
    Over,
}

#[derive(Debug)]
struct Leg {
    known: Known,
    /// Offers of ours that have neither been answered nor failed.
    open: u32,
    /// Whether an offer of theirs waits for our answer.
    asked: bool,
    gone: bool,
}

impl Leg {
    fn new(known: Known) -> Self {
        Leg { known, open: 0, asked: false, gone: false }
    }
}

#[derive(Default, Debug)]
struct Tally {
    up: u32,
    answered: u32,
    failed: u32,
    late: u32,
    withdrawn: u32,
}

/// The owners of both machines' sessions.
struct Owners {
    pair: Pair,
    legs: [BTreeMap<SessionId, Leg>; 2],
    tally: Tally,
}

const SDP: Content<'static> = ("application/sdp", b"v=0");

impl Owners {
    fn new(weather: Weather, seed: u64) -> Self {
        Owners { pair: Pair::new(weather, seed), legs: Default::default(), tally: Tally::default() }
    }

    fn at(&mut self, side: usize, id: SessionId, command: impl FnOnce(&mut SessionMut<'_>)) {
        command(&mut self.pair.machines[side].session(self.pair.now, id));
        self.settle();
    }

    /// Takes up what was told.
    fn settle(&mut self) {
        for side in 0..2 {
            while let Some((id, event)) = self.pair.machines[side].poll_event() {
                self.hear(side, id, &event);
            }
            self.pair.flush(side);
        }
    }

    fn hear(&mut self, side: usize, id: SessionId, event: &SessionEvent) {
        let leg = self.legs[side].get_mut(&id).expect("only what was begun is told of");
        assert_ne!(leg.known, Known::Over, "{event:?} after the end");
        let mut session = self.pair.machines[side].session(self.pair.now, id);
        match event {
            SessionEvent::Answered { .. } => {
                assert_eq!(leg.known, Known::Called);
                leg.known = Known::Up;
                self.tally.up += 1;
            }
            SessionEvent::AnsweredLate => {
                assert_eq!(leg.known, Known::Called);
                leg.known = Known::Ending;
                self.tally.late += 1;
            }
            SessionEvent::Failed { .. } => assert_eq!(leg.known, Known::Called),
            SessionEvent::Ringing { .. } => assert_eq!(leg.known, Known::Called),
            SessionEvent::Acknowledged => assert_eq!(leg.known, Known::Up),
            SessionEvent::Offered { .. } => {
                assert!(!std::mem::replace(&mut leg.asked, true), "one offer at a time");
                match self.pair.seed.below(4) {
                    0 => {}
                    1 => {
                        leg.asked = false;
                        session.refuse_offer(488);
                    }
                    _ => {
                        leg.asked = false;
                        session.answer_offer(SDP);
                    }
                }
            }
            SessionEvent::OfferWithdrawn => {
                assert!(std::mem::replace(&mut leg.asked, false));
                self.tally.withdrawn += 1;
            }
            SessionEvent::OfferAnswered { .. } => {
                leg.open = leg.open.checked_sub(1).expect("an offer is answered once");
                self.tally.answered += 1;
            }
            SessionEvent::OfferFailed { .. } => {
                leg.open = leg.open.checked_sub(1).expect("an offer fails once");
                self.tally.failed += 1;
            }
            SessionEvent::Referred { .. } | SessionEvent::Info { .. } => {}
            SessionEvent::ProbeAnswered { .. } | SessionEvent::ProbeUnanswered => {}
            SessionEvent::Gone { .. } => {
                assert!(!std::mem::replace(&mut leg.gone, true), "gone once");
                leg.known = Known::Ending;
            }
            SessionEvent::Over => {
                assert_eq!(leg.open, 0, "every offer has its outcome");
                leg.known = Known::Over;
            }
        }
    }

    /// Lets the next thing happen.
    fn step(&mut self) {
        let legs = &mut self.legs;
        self.pair.step(&mut |sessions, now, side, flow, message| {
            if message.method() != Some(Method::Invite) {
                return sessions.outside().reply_stateless(flow, message, 481, |_| {});
            }
            match sessions.incoming(now, flow, message, &Admission::default()) {
                Ok(id) => {
                    legs[side].insert(id, Leg::new(Known::Arrived));
                }
                Err(refused) => sessions.outside().reply_stateless(flow, message, refused.status(), |_| {}),
            }
        });
        self.settle();
    }

    fn run_until(&mut self, end: Time) {
        while self.pair.next().is_some_and(|at| at <= end) {
            self.step();
        }
        self.pair.now = self.pair.now.max(end);
    }

    /// Somebody does something.
    fn act(&mut self) {
        let side = self.pair.seed.below(2) as usize;
        let living: Vec<(SessionId, Known)> =
            self.legs[side].iter().filter(|(_, leg)| leg.known != Known::Over).map(|(id, leg)| (*id, leg.known)).collect();
        if living.len() < 3 && self.pair.seed.below(3) == 0 {
            let id = self.pair.invite(side);
            self.legs[side].insert(id, Leg::new(Known::Called));
            return self.settle();
        }
        if living.is_empty() {
            return;
        }
        let (id, known) = living[self.pair.seed.below(living.len() as u64) as usize];
        let dice = self.pair.seed.below(100);
        let asked = self.legs[side][&id].asked;
        match known {
            Known::Arrived => match dice {
                ..20 => self.at(side, id, |session| session.ring()),
                20..40 => self.at(side, id, |session| session.progress(SDP)),
                40..90 => {
                    self.at(side, id, |session| session.accept(SDP));
                    if let Some(leg) = self.legs[side].get_mut(&id).filter(|leg| leg.known == Known::Arrived) {
                        leg.known = Known::Up;
                    }
                }
                _ => self.at(side, id, |session| session.refuse(486, None)),
            },
            Known::Called if dice < 10 => self.at(side, id, |session| session.cancel(None)),
            Known::Up if asked && dice < 50 => {
                self.legs[side].get_mut(&id).unwrap().asked = false;
                self.at(side, id, |session| session.answer_offer(SDP));
            }
            Known::Up => match dice {
                ..60 => {
                    let purpose = if dice.is_multiple_of(2) { Purpose::Media } else { Purpose::Alive };
                    let by = if dice.is_multiple_of(3) { OfferBy::Update } else { OfferBy::Invite };
                    self.legs[side].get_mut(&id).unwrap().open += 1;
                    self.at(side, id, |session| session.offer(purpose, by, Body::sdp(&b"v=0"[..])));
                }
                60..70 => self.at(side, id, |session| session.probe()),
                70..80 => self.at(side, id, |session| session.info(("application/dtmf", b"5"))),
                80..90 => self.at(side, id, |session| session.notify("refer", "active", ("message/sipfrag", b"SIP/2.0 100 T"))),
                90..94 => {
                    self.legs[side].get_mut(&id).unwrap().known = Known::Ending;
                    self.at(side, id, |session| session.hang_up());
                }
                _ => {}
            },
            Known::Called | Known::Ending | Known::Over => {}
        }
    }

    /// Everybody ends what they have.
    fn end_all(&mut self) {
        for side in 0..2 {
            let ids: Vec<SessionId> = self.legs[side].keys().copied().collect();
            for id in ids {
                match self.legs[side][&id].known {
                    Known::Arrived => self.at(side, id, |session| session.refuse(480, None)),
                    Known::Called => self.at(side, id, |session| session.cancel(None)),
                    Known::Up => {
                        self.legs[side].get_mut(&id).unwrap().known = Known::Ending;
                        self.at(side, id, |session| session.hang_up());
                    }
                    Known::Ending | Known::Over => {}
                }
            }
        }
    }

    fn assert_over(&mut self) {
        // Twice, for a call may still have been on its way.
        for _ in 0..2 {
            self.end_all();
            self.run_until(self.pair.now + Duration::from_secs(150));
        }
        for side in 0..2 {
            assert!(self.legs[side].values().all(|leg| leg.known == Known::Over), "{:?}", self.legs[side]);
            let machine = &mut self.pair.machines[side];
            assert_eq!((machine.held(), machine.take_misused()), (Held::default(), 0));
            assert!(machine.next_deadline().is_none() && machine.by_call.is_empty() && machine.deadlines.is_empty());
        }
    }
}

fn play(weather: Weather, seed: u64) -> Owners {
    let mut owners = Owners::new(weather, seed);
    for _ in 0..400 {
        owners.act();
        let pause = Duration::from_millis(owners.pair.seed.below(600));
        owners.run_until(owners.pair.now + pause);
    }
    owners.assert_over();
    owners
}

#[test]
fn at_random_over_a_bad_network_everything_ends_and_every_offer_has_one_outcome() {
    let mut all = Tally::default();
    let mut glares = 0;
    for seed in 0..60 {
        let weather = match seed % 3 {
            0 => FINE,
            1 => Weather { lost_percent: 5, repeated_percent: 10, delay_max: Duration::from_millis(700) },
            _ => Weather { lost_percent: 30, repeated_percent: 20, delay_max: Duration::from_millis(1500) },
        };
        let owners = play(weather, seed);
        let Tally { up, answered, failed, late, withdrawn } = owners.tally;
        all.up += up;
        all.answered += answered;
        all.failed += failed;
        all.late += late;
        all.withdrawn += withdrawn;
        glares += owners.pair.glares();
    }
    // What never happens is not tested.
    assert!(all.up > 200 && all.answered > 500 && all.failed > 100 && all.late > 2 && glares > 50, "{all:?}, {glares} glares");
}

#[test]
fn two_runs_with_the_same_seed_are_alike() {
    let weather = Weather { lost_percent: 20, repeated_percent: 20, delay_max: Duration::from_millis(900) };
    assert_eq!(play(weather, 7).pair.lines, play(weather, 7).pair.lines);
    assert_ne!(play(weather, 7).pair.lines, play(weather, 8).pair.lines);
}

/// Two sides of one call that is up.
fn talking(seed: u64) -> (Owners, [SessionId; 2]) {
    let mut owners = Owners::new(FINE, seed);
    let ours = owners.pair.invite(0);
    owners.legs[0].insert(ours, Leg::new(Known::Called));
    owners.settle();
    owners.run_until(owners.pair.now + Duration::from_millis(100));
    let theirs = *owners.legs[1].keys().next().expect("the call arrives");
    owners.at(1, theirs, |session| session.accept(SDP));
    owners.legs[1].get_mut(&theirs).unwrap().known = Known::Up;
    owners.run_until(owners.pair.now + Duration::from_millis(200));
    (owners, [ours, theirs])
}

#[test]
fn two_offers_that_meet_are_both_made_in_the_end() {
    for seed in 0..50 {
        let (mut owners, ids) = talking(seed);
        let by = if seed % 2 == 0 { OfferBy::Invite } else { OfferBy::Update };
        for (side, id) in ids.into_iter().enumerate() {
            owners.legs[side].get_mut(&id).unwrap().open += 1;
            owners.at(side, id, |session| session.offer(Purpose::Media, by, Body::sdp(&b"v=0"[..])));
        }
        owners.run_until(owners.pair.now + Duration::from_millis(100));
        let refused = owners.pair.lines.iter().filter(|(_, line)| line.starts_with("SIP/2.0 491")).count();
        // Two, unless the first 491 came before the second offer.
        assert!(refused > 0, "they have met");
        // Whoever is asked and keeps silent is made to answer, so that only the meeting matters.
        for _ in 0..100 {
            owners.run_until(owners.pair.now + Duration::from_millis(100));
            for (side, id) in ids.into_iter().enumerate() {
                if std::mem::replace(&mut owners.legs[side].get_mut(&id).unwrap().asked, false) {
                    owners.at(side, id, |session| session.answer_offer(SDP));
                }
            }
        }
        assert!(owners.legs.iter().all(|legs| legs.values().all(|leg| leg.open == 0)), "seed {seed}: {:?}", owners.legs);
        owners.assert_over();
    }
}

#[test]
fn both_sides_hang_up_at_once() {
    let (mut owners, ids) = talking(1);
    for (side, id) in ids.into_iter().enumerate() {
        owners.legs[side].get_mut(&id).unwrap().known = Known::Ending;
        owners.at(side, id, |session| session.hang_up());
    }
    owners.run_until(owners.pair.now + Duration::from_secs(1));
    let byes = owners.pair.lines.iter().filter(|(_, line)| line.starts_with("BYE ")).count();
    assert_eq!(byes, 2);
    owners.assert_over();
}
