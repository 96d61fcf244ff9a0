//! What the log's lines look like, byte for byte. These texts are promises: readers of many years' logs rely on them.

use std::sync::Arc;
use std::time::Duration;

use super::super::decode::read;
use super::super::event::{Event, What};
use super::super::{EventKind, FactKind, Names, Next};
use super::write;
use crate::base::words::{
    AgentState, BreakReason, Channel, Direction, EndedBy, EstimateOutcome, LegRole, Limit, OfferOutcome, QueueOutcome, Repair,
    Segment, TransferKind, TransferOutcome,
};
use crate::base::{AgencyId, AgentId, ContactId, EntryId, Estimate, QueueId, Range, SkillId, Time, TrunkId, Weighed};

const AT: Time = Time::from_micros(1_800_000_012_345_678);
const BEGAN: Time = Time::from_micros(1_800_000_000_000_000);
const SPAN: Duration = Duration::from_micros(12_345_678);
const WEIGHED: Weighed = Weighed { map_version: 3, free: 0, busy: 4, on_break: 1, offline: 2, lent: 0, kept: 0 };

fn names() -> Names {
    let table = |words: &[&str]| words.iter().map(|word| Some(Arc::from(*word))).collect();
    Names {
        queues: table(&["water", "교통"]),
        agents: table(&["kim", "o\"neil"]),
        agencies: table(&["city", "tax\toffice"]),
        trunks: table(&["carrier"]),
        entries: table(&["main"]),
        skills: table(&["korean"]),
    }
}

/// What happens on the way of a contact to an agent.
fn on_the_way() -> Vec<FactKind> {
    let (queue, agent, language) = (QueueId(0), AgentId(0), Some(SkillId(0)));
    let arrived = |trunk, entry| FactKind::Arrived {
        channel: Channel::Voice,
        trunk,
        entry,
        from: "+82 2 \"120\"".into(),
        dialled: "120\\1\n".into(),
        call_id: "a84b@pc33".into(),
    };
    let range = Range { low: Duration::from_secs(5), likely: SPAN, high: Duration::from_secs(80) };
    let entered = |language, emergency, weighed, estimate, prefers| FactKind::Entered {
        queue,
        language,
        waiting: 7,
        credit: Duration::from_secs(60),
        as_of: BEGAN,
        emergency,
        weighed,
        estimate,
        prefers,
    };
    let next = Next { segment: Segment::Talk, queue: Some(queue), agent: Some(agent) };
    let bare = Next { segment: Segment::Entry, queue: None, agent: None };
    let segment = Segment::Queue;
    vec![
        arrived(Some(TrunkId(0)), Some(EntryId(0))),
        arrived(None, None),
        FactKind::SegmentEnded { segment, queue: Some(queue), agent: Some(agent), began: BEGAN, next: Some(next) },
        FactKind::SegmentEnded { segment, queue: None, agent: None, began: BEGAN, next: Some(bare) },
        FactKind::SegmentEnded { segment, queue: None, agent: None, began: BEGAN, next: None },
        entered(language, true, Weighed { lent: 5, kept: 6, ..WEIGHED }, Estimate::Known(range), Some(agent)),
        entered(None, false, WEIGHED, Estimate::Unknown, None),
        entered(None, false, WEIGHED, Estimate::Needless, None),
        FactKind::Left {
            queue: QueueId(1),
            language,
            outcome: QueueOutcome::ShortAbandoned,
            waited: SPAN,
            in_target: true,
            estimated: Some(EstimateOutcome::Sooner),
        },
        FactKind::Left {
            queue,
            language: None,
            outcome: QueueOutcome::Answered,
            waited: SPAN,
            in_target: false,
            estimated: None,
        },
        FactKind::Widened { queue, step: 2, weighed: WEIGHED },
        FactKind::Offered { queue: QueueId(9), agent: AgentId(1), weighed: WEIGHED },
        FactKind::OfferEnded { queue, agent, outcome: OfferOutcome::TimedOut, rang: SPAN },
    ]
}

/// What happens from then on, and to others than contacts.
fn afterwards() -> Vec<FactKind> {
    let (queue, agent, trunk) = (QueueId(0), AgentId(0), TrunkId(0));
    let leg_began = |leg, role, agent| FactKind::LegBegan { leg, role, agent, call_id: "a84b@pc33".into() };
    let leg_ended = |leg, role, status| FactKind::LegEnded { leg, role, status, packets: (10, 20, 3), jitter: SPAN };
    let transferred = |kind, from, to, outcome| FactKind::Transferred { kind, from, to, outcome };
    vec![
        leg_began(1, LegRole::Caller, None),
        leg_began(2, LegRole::Agent, Some(agent)),
        leg_ended(3, LegRole::External, Some(200)),
        leg_ended(1, LegRole::Caller, None),
        FactKind::TalkEnded { queue: Some(queue), agent: Some(agent), lasted: SPAN },
        FactKind::TalkEnded { queue: None, agent: None, lasted: Duration::ZERO },
        transferred(TransferKind::Attended, Some(AgencyId(0)), Some(AgencyId(1)), TransferOutcome::Completed),
        transferred(TransferKind::External, None, None, TransferOutcome::Returned),
        FactKind::Ended { by: EndedBy::Caller, segment: Segment::Talk, queue: Some(queue), arrived: BEGAN, status: Some(486) },
        FactKind::Ended { by: EndedBy::Fault, segment: Segment::Entry, queue: None, arrived: BEGAN, status: None },
        FactKind::Agent {
            agent,
            from: (AgentState::WrapUp, None),
            to: (AgentState::Break, Some(BreakReason::Rona)),
            lasted: SPAN,
        },
        FactKind::Agent {
            agent,
            from: (AgentState::Break, Some(BreakReason::Asked)),
            to: (AgentState::Ready, None),
            lasted: SPAN,
        },
        FactKind::TrunkCalls { trunk, direction: Direction::Out, up: 5 },
        FactKind::TrunkUp { trunk, up: false },
        FactKind::LimitHit { limit: Limit::QueueLength },
        FactKind::Repaired { kind: Repair::AgentStuck },
        FactKind::PreferenceOver { queue, step: 1, weighed: WEIGHED },
        FactKind::Repaired { kind: Repair::Missing },
        FactKind::LegMoved { leg: 2, to: ContactId(8) },
    ]
}

/// What the log says of itself.
fn of_the_log() -> Vec<What<'static>> {
    vec![What::Started, What::FileBegan { since: Some(BEGAN) }, What::FileBegan { since: None }, What::Stopped { open: 2 }]
}

/// One line at least of each kind, and of each way to leave a field out.
const LINES: &str = r#"
{"v":1,"at":1800000012345678,"kind":"arrived","contact":"00000000000000000000000007","channel":"voice","trunk":"carrier","entry":"main","from":"+82 2 \"120\"","dialled":"120\\1\u000a","call_id":"a84b@pc33"}
{"v":1,"at":1800000012345678,"kind":"arrived","channel":"voice","from":"+82 2 \"120\"","dialled":"120\\1\u000a","call_id":"a84b@pc33"}
{"v":1,"at":1800000012345678,"kind":"segment_ended","contact":"00000000000000000000000007","segment":"queue","queue":"water","agent":"kim","began":1800000000000000,"next":"talk","next_queue":"water","next_agent":"kim"}
{"v":1,"at":1800000012345678,"kind":"segment_ended","segment":"queue","began":1800000000000000,"next":"entry"}
{"v":1,"at":1800000012345678,"kind":"segment_ended","contact":"00000000000000000000000007","segment":"queue","began":1800000000000000}
{"v":1,"at":1800000012345678,"kind":"entered","queue":"water","language":"korean","waiting":7,"credit_us":60000000,"as_of":1800000000000000,"emergency":true,"map":3,"free":0,"busy":4,"on_break":1,"offline":2,"lent":5,"kept":6,"prefers":"kim","estimate_low_us":5000000,"estimate_us":12345678,"estimate_high_us":80000000}
{"v":1,"at":1800000012345678,"kind":"entered","contact":"00000000000000000000000007","queue":"water","waiting":7,"credit_us":60000000,"as_of":1800000000000000,"emergency":false,"map":3,"free":0,"busy":4,"on_break":1,"offline":2,"estimate":"unknown"}
{"v":1,"at":1800000012345678,"kind":"entered","queue":"water","waiting":7,"credit_us":60000000,"as_of":1800000000000000,"emergency":false,"map":3,"free":0,"busy":4,"on_break":1,"offline":2}
{"v":1,"at":1800000012345678,"kind":"left","contact":"00000000000000000000000007","queue":"교통","language":"korean","outcome":"short_abandoned","waited_us":12345678,"in_target":true,"estimated":"sooner"}
{"v":1,"at":1800000012345678,"kind":"left","queue":"water","outcome":"answered","waited_us":12345678,"in_target":false}
{"v":1,"at":1800000012345678,"kind":"widened","contact":"00000000000000000000000007","queue":"water","step":2,"map":3,"free":0,"busy":4,"on_break":1,"offline":2}
{"v":1,"at":1800000012345678,"kind":"offered","queue":"unknown","agent":"o\"neil","map":3,"free":0,"busy":4,"on_break":1,"offline":2}
{"v":1,"at":1800000012345678,"kind":"offer_ended","contact":"00000000000000000000000007","queue":"water","agent":"kim","outcome":"timed_out","rang_us":12345678}
{"v":1,"at":1800000012345678,"kind":"leg_began","leg":1,"role":"caller","call_id":"a84b@pc33"}
{"v":1,"at":1800000012345678,"kind":"leg_began","contact":"00000000000000000000000007","leg":2,"role":"agent","agent":"kim","call_id":"a84b@pc33"}
{"v":1,"at":1800000012345678,"kind":"leg_ended","leg":3,"role":"external","status":200,"received":10,"sent":20,"lost":3,"jitter_us":12345678}
{"v":1,"at":1800000012345678,"kind":"leg_ended","contact":"00000000000000000000000007","leg":1,"role":"caller","received":10,"sent":20,"lost":3,"jitter_us":12345678}
{"v":1,"at":1800000012345678,"kind":"talk_ended","queue":"water","agent":"kim","lasted_us":12345678}
{"v":1,"at":1800000012345678,"kind":"talk_ended","contact":"00000000000000000000000007","lasted_us":0}
{"v":1,"at":1800000012345678,"kind":"transferred","transfer":"attended","from":"city","to":"tax\u0009office","outcome":"completed"}
{"v":1,"at":1800000012345678,"kind":"transferred","contact":"00000000000000000000000007","transfer":"external","outcome":"returned"}
{"v":1,"at":1800000012345678,"kind":"ended","by":"caller","segment":"talk","queue":"water","arrived":1800000000000000,"status":486}
{"v":1,"at":1800000012345678,"kind":"ended","contact":"00000000000000000000000007","by":"fault","segment":"entry","arrived":1800000000000000}
{"v":1,"at":1800000012345678,"kind":"agent","agent":"kim","from":"wrap_up","to":"break","to_reason":"rona","lasted_us":12345678}
{"v":1,"at":1800000012345678,"kind":"agent","contact":"00000000000000000000000007","agent":"kim","from":"break","from_reason":"asked","to":"ready","lasted_us":12345678}
{"v":1,"at":1800000012345678,"kind":"trunk_calls","trunk":"carrier","direction":"out","calls":5}
{"v":1,"at":1800000012345678,"kind":"trunk_up","contact":"00000000000000000000000007","trunk":"carrier","up":false}
{"v":1,"at":1800000012345678,"kind":"limit_hit","limit":"queue_length"}
{"v":1,"at":1800000012345678,"kind":"repaired","contact":"00000000000000000000000007","what":"agent_stuck"}
{"v":1,"at":1800000012345678,"kind":"preference_over","queue":"water","step":1,"map":3,"free":0,"busy":4,"on_break":1,"offline":2}
{"v":1,"at":1800000012345678,"kind":"repaired","contact":"00000000000000000000000007","what":"missing"}
{"v":1,"at":1800000012345678,"kind":"leg_moved","leg":2,"to":"00000000000000000000000008"}
{"v":1,"at":1800000012345678,"kind":"started"}
{"v":1,"at":1800000012345678,"kind":"file_began","since":1800000000000000}
{"v":1,"at":1800000012345678,"kind":"file_began"}
{"v":1,"at":1800000012345678,"kind":"stopped","open":2}
"#;

#[test]
fn lines_are_what_they_were() {
    let names = names();
    let facts: Vec<FactKind> = on_the_way().into_iter().chain(afterwards()).collect();
    let mut log = vec![b'\n'];
    for (place, kind) in facts.into_iter().enumerate() {
        let contact = (place % 2 == 0).then_some(ContactId(7));
        let fact = super::super::Fact { at: AT, contact, kind };
        write(&Event::of(&fact, &names), &mut log);
    }
    for what in of_the_log() {
        write(&Event { at: AT, contact: None, what }, &mut log);
    }
    let text = String::from_utf8(log).unwrap();
    for (written, expected) in text.lines().zip(LINES.lines()) {
        assert_eq!(written, expected);
    }
    assert_eq!(text, LINES);
}

/// Each kind is among the lines, and each line is read and written again as it is.
#[test]
fn every_kind_has_its_line() {
    let lines: Vec<&str> = LINES.lines().skip(1).collect();
    let events: Vec<Event<'_>> = lines.iter().map(|line| read(line.as_bytes()).unwrap()).collect();
    for kind in EventKind::ALL {
        assert!(events.iter().any(|event| event.kind() == *kind), "{kind} has no line");
    }
    for (event, line) in events.iter().zip(lines) {
        let mut again = Vec::new();
        write(event, &mut again);
        assert_eq!(String::from_utf8(again).unwrap().trim_end(), line);
    }
}
