use super::*;
use crate::base::Estimate;
use crate::base::words::{EndedBy, OfferOutcome, QueueOutcome, Segment};

const NOON: Time = Time::from_secs(1_800_000_000);

fn id(seconds: u64, n: u128) -> ContactId {
    ContactId(u128::from((NOON + Duration::from_secs(seconds)).millis()) << 80 | n)
}

fn event(seconds: u64, contact: ContactId, what: What<'static>) -> Event<'static> {
    Event { at: NOON + Duration::from_secs(seconds), contact: Some(contact), what }
}

fn weighed(free: u32, busy: u32, on_break: u32, offline: u32) -> Weighed {
    Weighed { map_version: 3, free, busy, on_break, offline, ..Weighed::default() }
}

fn entered(seconds: u64, contact: ContactId, as_of: u64, emergency: bool, by: Weighed) -> Event<'static> {
    let as_of = NOON + Duration::from_secs(as_of);
    let (queue, language) = ("tax".into(), Some("ko".into()));
    let span = Duration::from_secs;
    let estimate = Estimate::Known(Range { low: span(20), likely: span(50), high: span(70) });
    let credit = Duration::ZERO;
    event(
        seconds,
        contact,
        What::Entered { queue, language, waiting: 3, credit, as_of, emergency, weighed: by, estimate, prefers: None },
    )
}

fn offered(seconds: u64, contact: ContactId, agent: &'static str) -> Event<'static> {
    event(seconds, contact, What::Offered { queue: "tax".into(), agent: agent.into(), weighed: weighed(0, 4, 1, 0) })
}

fn left(seconds: u64, contact: ContactId, waited: u64) -> Event<'static> {
    let (queue, language, outcome) = ("tax".into(), Some("ko".into()), QueueOutcome::Answered);
    let (waited, estimated) = (Duration::from_secs(waited), Some(EstimateOutcome::Later));
    event(seconds, contact, What::Left { queue, language, outcome, waited, in_target: false, estimated })
}

#[test]
fn what_bound_and_who_went_first() {
    let (own, earlier, urgent, later) = (id(100, 1), id(40, 2), id(120, 3), id(130, 4));
    let mut why = Why::new(own);
    assert_eq!(why.since(), NOON + Duration::from_secs(100) - Why::LOOK_BACK);
    let busy = weighed(0, 3, 1, 2);
    let ended = OfferOutcome::Refused;
    for event in [
        entered(40, earlier, 40, false, busy),
        entered(100, own, 100, false, busy),
        entered(120, urgent, 120, true, busy),
        entered(130, later, 130, false, busy),
        offered(135, urgent, "kim"),
        offered(140, earlier, "lee"),
        event(145, own, What::Widened { queue: "tax".into(), step: 1, weighed: weighed(0, 0, 2, 0) }),
        offered(150, later, "oh"),
        offered(160, own, "kim"),
        event(165, own, What::OfferEnded { queue: "tax".into(), agent: "kim".into(), outcome: ended, rang: Duration::ZERO }),
        offered(170, own, "lee"),
        left(175, own, 75),
        // Not while it waited any more.
        offered(180, later, "kim"),
    ] {
        why.take(&event);
    }
    assert!(!why.ended());
    let by = EndedBy::Caller;
    why.take(&event(200, own, What::Ended { by, segment: Segment::Talk, queue: None, arrived: NOON, status: None }));
    assert!(why.ended());
    let answer = why.answer().unwrap();
    let [stay] = &answer.stays[..] else { panic!("{answer:?}") };
    let first =
        WentFirst { earlier: 1, emergencies: 1, later: 1, some: [urgent, earlier, later].map(|id| id.to_string()).to_vec() };
    assert_eq!((&stay.went_first, stay.ahead, stay.waited_ms, stay.outcome), (&first, 2, 75_000, Some("answered")));
    let bounds: Vec<_> = stay.entries.iter().map(|entry| (entry.after_ms / 1000, entry.bound.map(Bound::label))).collect();
    assert_eq!(
        bounds,
        [
            (0, Some("all who are there are busy")),
            (45, Some("all who are there are on a break")),
            (60, Some("an agent was free")),
            (65, None),
            (70, Some("an agent was free"))
        ]
    );
    let text = answer.to_string();
    for part in [
        "in the queue for tax (ko) 75.0 s, 2 ahead",
        "expected: 20 to 70 s, likely 50 s; the wait was later",
        "of 6 who may: 0 free, 3 busy, 1 on a break, 2 not signed in",
        "1 emergencies",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let json = serde_json::to_value(&answer).unwrap();
    assert_eq!(json["stays"][0]["entries"][2]["what"], "offered");
    assert_eq!(json["stays"][0]["entries"][2]["agent"], "kim");
    assert_eq!((&json["stays"][0]["expected"]["high_ms"], &json["stays"][0]["estimated"]), (&70_000.into(), &"later".into()));
    assert_eq!(json["stays"][0]["entries"][0]["agents"]["busy"], 3);
}

#[test]
fn agents_who_serve_other_queues_too_are_told_of() {
    let (own, water, strange) = (id(100, 1), id(50, 2), id(110, 3));
    let of = |queue: &'static str, event: Event<'static>| match event.what {
        What::Entered { language, waiting, credit, as_of, emergency, weighed, estimate, prefers, .. } => {
            let queue = queue.into();
            let what = What::Entered { queue, language, waiting, credit, as_of, emergency, weighed, estimate, prefers };
            Event { what, ..event }
        }
        What::Offered { agent, weighed, .. } => Event { what: What::Offered { queue: queue.into(), agent, weighed }, ..event },
        _ => event,
    };
    let mut why = Why::new(own);
    let busy = weighed(0, 3, 0, 0);
    for event in [
        of("water", entered(50, water, 50, false, busy)),
        entered(100, own, 100, false, busy),
        of("strange", entered(110, strange, 110, false, busy)),
        of("water", offered(120, water, "kim")),
        of("strange", offered(125, strange, "park")),
        // Only now is it known that she serves this queue.
        offered(130, own, "kim"),
        left(131, own, 31),
    ] {
        why.take(&event);
    }
    let answer = why.answer().unwrap();
    let elsewhere = WentFirst { earlier: 1, some: vec![water.to_string()], ..WentFirst::default() };
    assert_eq!((&answer.stays[0].went_first, &answer.stays[0].went_elsewhere), (&WentFirst::default(), &elsewhere));
    assert!(answer.to_string().contains("went first of other queues, with agents of this one: 1 who came earlier"), "{answer}");
}

#[test]
fn each_reason_has_its_words() {
    let of = |by: Weighed| Bound::of(&Decided::Joined, &by).label();
    assert_eq!(of(weighed(0, 0, 0, 0)), "nobody in the directory may serve it");
    assert_eq!(of(weighed(0, 0, 0, 5)), "nobody who may serve it is signed in");
    assert_eq!(of(weighed(1, 5, 0, 0)), "an agent is free");
    assert_eq!(of(Weighed { kept: 2, ..weighed(0, 5, 0, 0) }), "who is free is kept for another agency's callers");
    assert_eq!(of(Weighed { lent: 2, ..weighed(0, 0, 1, 1) }), "all who are there are on loan to other agencies");
}

#[test]
fn who_was_never_in_a_queue_has_no_ledger() {
    let mut why = Why::new(id(1, 1));
    why.take(&entered(5, id(5, 2), 5, false, Weighed::default()));
    assert_eq!(why.answer(), None);
}
