use super::super::{decode, encode};
use super::*;
use crate::base::words::OfferOutcome;
use crate::base::{Estimate, Weighed};

const ARRIVED: Time = Time::from_secs(1_800_000_000);
const ID: ContactId = ContactId((ARRIVED.millis() as u128) << 80 | 1);

fn after(seconds: u64) -> Time {
    ARRIVED + Duration::from_secs(seconds)
}

fn event(seconds: u64, what: What<'static>) -> Event<'static> {
    Event { at: after(seconds), contact: Some(ID), what }
}

fn entered(queue: Text<'static>, language: Option<Text<'static>>) -> What<'static> {
    What::Entered {
        queue,
        language,
        waiting: 1,
        credit: Duration::ZERO,
        as_of: ARRIVED,
        emergency: false,
        weighed: Weighed::default(),
        estimate: Estimate::Unknown,
        prefers: None,
    }
}

fn segment(
    segment: Segment,
    agent: Option<&'static str>,
    began: u64,
    next: Option<(Segment, Option<&'static str>)>,
) -> What<'static> {
    let queue = || Some("water".into());
    let next = next.map(|(segment, agent)| NextSegment { segment, queue: queue(), agent: agent.map(Text::from) });
    let queue = if segment == Segment::Entry { None } else { queue() };
    What::SegmentEnded { segment, queue, agent: agent.map(Text::from), began: after(began), next }
}

/// A call that waits for 8 s, is refused by one agent, talks to another for a minute, and whose legs end a second later.
fn call() -> Vec<Event<'static>> {
    let (queue, language) = (|| Text::from("water"), || Some(Text::from("korean")));
    let (from, dialled, call_id) = ("0212345678".into(), "120".into(), "a@b".into());
    let (trunk, entry) = (Some("carrier".into()), Some("main".into()));
    let leg = |leg, role: &'static str, agent: Option<&'static str>| What::LegBegan {
        leg,
        role: role.into(),
        agent: agent.map(Text::from),
        call_id: "c".into(),
    };
    let mut events = vec![
        event(0, What::Arrived { channel: Channel::Voice, trunk, entry, from, dialled, call_id }),
        event(0, leg(1, "caller", None)),
        event(5, segment(Segment::Entry, None, 0, Some((Segment::Queue, None)))),
        event(5, entered(queue(), language())),
    ];
    for (number, began, agent, outcome) in [(2, 6, "lee", OfferOutcome::Refused), (3, 10, "kim", OfferOutcome::Accepted)] {
        events.push(event(began, What::Offered { queue: queue(), agent: agent.into(), weighed: Weighed::default() }));
        events.push(event(began, leg(number, "agent", Some(agent))));
        let rang = Duration::from_secs(3);
        events.push(event(began + 3, What::OfferEnded { queue: queue(), agent: agent.into(), outcome, rang }));
    }
    let (outcome, waited) = (QueueOutcome::Answered, Duration::from_secs(8));
    let (of, lasted) = (Some(queue()), Duration::from_secs(60));
    events.extend([
        event(13, What::Left { queue: queue(), language: language(), outcome, waited, in_target: true, estimated: None }),
        event(13, segment(Segment::Queue, None, 5, Some((Segment::Talk, Some("kim"))))),
        event(73, segment(Segment::Talk, Some("kim"), 13, None)),
        event(73, What::TalkEnded { queue: of.clone(), agent: Some("kim".into()), lasted }),
        event(73, What::Ended { by: EndedBy::Caller, segment: Segment::Talk, queue: of, arrived: ARRIVED, status: None }),
    ]);
    for leg in [3, 1, 2] {
        let (role, packets, jitter) = ("agent".into(), (10, 20, 0), Duration::ZERO);
        events.push(event(74, What::LegEnded { leg, role, status: Some(200), packets, jitter }));
    }
    events
}

/// Where the call has its end, and its legs do not.
const UNTIL_ENDED: usize = 15;

/// The records that come of events, each of which holds.
fn tell(builder: &mut CdrBuilder, events: &[Event<'_>]) -> Vec<ContactRecord> {
    let mut records = Vec::new();
    for event in events {
        builder.take(event);
        records.extend(std::iter::from_fn(|| builder.poll()));
    }
    for record in records.iter().filter(|record| record.whole) {
        check(record).unwrap();
    }
    records
}

#[test]
fn a_call_becomes_one_record_when_its_last_leg_has_ended() {
    let (mut builder, events) = (CdrBuilder::default(), call());
    assert!(tell(&mut builder, &events[..UNTIL_ENDED - 1]).is_empty());
    assert_eq!((builder.open(), builder.since()), (1, Some(ARRIVED)));
    assert!(tell(&mut builder, &events[UNTIL_ENDED - 1..UNTIL_ENDED]).is_empty(), "its legs have not ended");
    assert_eq!((builder.open(), builder.since()), (0, Some(ARRIVED)));
    let records = tell(&mut builder, &events[UNTIL_ENDED..]);
    let [record] = &records[..] else { panic!("one record, not {records:?}") };
    assert_eq!(record.end, End { at: after(73), by: EndedBy::Caller, segment: Segment::Talk, status: None });
    assert_eq!((record.waited, record.talked), (Duration::from_secs(8), Duration::from_secs(60)));
    assert_eq!((record.segments.len(), record.segments[2].agent.as_deref()), (3, Some("kim")));
    assert_eq!((record.queue.as_deref(), record.language.as_deref()), (Some("water"), Some("korean")));
    let outcomes: Vec<_> = record.offers.iter().map(|offer| (&*offer.agent, offer.end.unwrap().1)).collect();
    assert_eq!(outcomes, [("lee", OfferOutcome::Refused), ("kim", OfferOutcome::Accepted)]);
    assert!(record.whole && record.legs.len() == 3 && record.legs.iter().all(|leg| leg.end.is_some()));
    assert_eq!((builder.since(), builder.strays()), (None, 0));
    assert_eq!(builder.queues()["water"], QueueTally { entered: 1, left: 1, waiting: 0 });
}

#[test]
fn legs_that_never_end_hold_no_record_for_ever() {
    let hit = |seconds| [event(seconds, What::LimitHit { limit: "x".into() })];
    let mut builder = CdrBuilder::default();
    assert!(tell(&mut builder, &call()[..UNTIL_ENDED]).is_empty());
    assert!(tell(&mut builder, &hit(72 + LEGS_MAX.as_secs())).is_empty());
    let records = tell(&mut builder, &hit(73 + LEGS_MAX.as_secs()));
    assert!(records[0].legs.iter().all(|leg| leg.end.is_none()));

    let mut builder = CdrBuilder::default();
    tell(&mut builder, &call()[..UNTIL_ENDED]);
    let started = Event { contact: None, ..event(74, What::Started) };
    assert_eq!(tell(&mut builder, &[started]).len(), 1, "the process that had them is gone");
}

/// The process may die after any event: what is missing then makes exactly one end, and all that is said of a contact true.
#[test]
fn what_a_crash_leaves_open_is_closed_wherever_it_was() {
    for died in 0..=call().len() {
        let mut builder = CdrBuilder::default();
        let mut records = tell(&mut builder, &call()[..died]);
        let (open, at) = (builder.open(), after(100));
        assert_eq!(open, usize::from((1..UNTIL_ENDED).contains(&died)));
        let mut missing = Vec::new();
        builder.close_all(at, |event| encode::write(event, &mut missing));
        for line in missing.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            records.extend(tell(&mut builder, &[decode::read(line).unwrap()]));
        }
        records.extend(tell(&mut builder, &[Event { contact: None, ..event(101, What::Started) }]));
        assert_eq!(records.len(), usize::from(died > 0), "after {died} events");
        for record in records.iter().filter(|_| open == 1) {
            assert_eq!((record.end.by, record.end.at), (EndedBy::Crash, at));
            assert!(record.whole);
        }
        assert!(builder.queues().values().all(|tally| tally.entered == tally.left && tally.waiting == 0), "after {died} events");
        assert_eq!((builder.open(), builder.since()), (0, None));
    }
}

#[test]
fn who_begins_in_the_middle_is_not_misled() {
    for missed in 1..UNTIL_ENDED {
        let mut builder = CdrBuilder::default();
        let records = tell(&mut builder, &call()[missed..]);
        let [record] = &records[..] else { panic!("the end alone makes a record, once: {records:?}") };
        assert!(!record.whole && record.end.at == after(73) && record.arrived == ARRIVED);
        assert!(builder.strays() > 0 && builder.open() == 0 && builder.queues().is_empty());
    }
}

#[test]
fn a_record_that_cannot_be_is_found_out() {
    let mut builder = CdrBuilder::default();
    let record = tell(&mut builder, &call()).remove(0);
    let broken = |change: fn(&mut ContactRecord)| {
        let mut record = record.clone();
        change(&mut record);
        check(&record).unwrap_err()
    };
    assert!(matches!(broken(|record| record.segments.clear()), Broken::NoSegment(_)));
    assert!(matches!(broken(|record| record.end.segment = Segment::Survey), Broken::OtherSegment(_)));
    for change in [
        (|record| record.arrived = after(1)) as fn(&mut ContactRecord),
        |record| record.segments[1].began = after(6),
        |record| record.segments[1].ended = after(12),
        |record| record.end.at = after(80),
        |record| drop(record.segments.remove(0)),
    ] {
        assert!(matches!(broken(change), Broken::NotTiled { .. }));
    }
}
