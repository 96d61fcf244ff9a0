use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::super::decode::{BadLine, read};
use super::super::event::{NextSegment, Text, What};
use super::super::{Fact, FactKind, Names, Next};
use super::*;
use crate::base::words::{
    AgentState, BreakReason, Channel, Direction, EndedBy, EstimateOutcome, LegRole, OfferOutcome, QueueOutcome, Segment,
    TransferKind, TransferOutcome,
};
use crate::base::{AgencyId, AgentId, ContactId, EntryId, Estimate, QueueId, Range, SkillId, TrunkId, Weighed};

fn names() -> Names {
    let table = |words: &[&str]| words.iter().map(|word| Some(Arc::from(*word))).collect();
    Names {
        queues: table(&["water", "교통", "a \"quoted\" queue"]),
        agents: table(&["kim", "o'neil", "back\\slash"]),
        agencies: table(&["city", "tab\there"]),
        trunks: table(&["carrier", "line\nbreak"]),
        entries: table(&["main", "night"]),
        skills: table(&["korean", "english"]),
    }
}

fn word<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    select(all)
}

fn text() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![".{0,40}", "[0-9+]{0,15}", "[\\x00-\\x7f]{0,20}", "[\"\\\\/]{0,6}"].prop_map(|text: String| text.into())
}

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![0u64..1_000_000_000, Just(0), Just(u64::MAX)].prop_map(Duration::from_micros)
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![1_600_000_000_000_000u64..2_000_000_000_000_000, any::<u64>()].prop_map(Time::from_micros)
}

fn queue() -> impl Strategy<Value = QueueId> {
    (0u32..4).prop_map(QueueId)
}

fn agent() -> impl Strategy<Value = AgentId> {
    (0u32..4).prop_map(AgentId)
}

fn maybe<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::of(of)
}

fn contact_kind() -> impl Strategy<Value = FactKind> {
    let segment = || word(Segment::ALL);
    let next = (segment(), maybe(queue()), maybe(agent())).prop_map(|(segment, queue, agent)| Next { segment, queue, agent });
    let language = || maybe((0u32..3).prop_map(SkillId));
    let role = || word(LegRole::ALL);
    let arrived = (maybe((0u32..3).prop_map(TrunkId)), maybe((0u32..3).prop_map(EntryId)), text(), text(), text()).prop_map(
        |(trunk, entry, from, dialled, call_id)| FactKind::Arrived {
            channel: Channel::Voice,
            trunk,
            entry,
            from,
            dialled,
            call_id,
        },
    );
    let segment_ended = (segment(), maybe(queue()), maybe(agent()), time(), maybe(next))
        .prop_map(|(segment, queue, agent, began, next)| FactKind::SegmentEnded { segment, queue, agent, began, next });
    let estimate = || {
        let known = (span(), span(), span()).prop_map(|(low, likely, high)| Estimate::Known(Range { low, likely, high }));
        prop_oneof![Just(Estimate::Needless), Just(Estimate::Unknown), known]
    };
    let entered = (queue(), language(), any::<u32>(), span(), time(), any::<bool>(), weighed(), estimate(), maybe(agent()))
        .prop_map(|(queue, language, waiting, credit, as_of, emergency, weighed, estimate, prefers)| FactKind::Entered {
            queue,
            language,
            waiting,
            credit,
            as_of,
            emergency,
            weighed,
            estimate,
            prefers,
        });
    let estimated = || maybe(word(EstimateOutcome::ALL));
    let left = (queue(), language(), word(QueueOutcome::ALL), span(), any::<bool>(), estimated()).prop_map(
        |(queue, language, outcome, waited, in_target, estimated)| FactKind::Left {
            queue,
            language,
            outcome,
            waited,
            in_target,
            estimated,
        },
    );
    let ended = (word(EndedBy::ALL), segment(), maybe(queue()), time(), maybe(100u16..700))
        .prop_map(|(by, segment, queue, arrived, status)| FactKind::Ended { by, segment, queue, arrived, status });
    let leg_began = (any::<u32>(), role(), maybe(agent()), text()).prop_map(|(leg, role, agent, call_id)| FactKind::LegBegan {
        leg,
        role,
        agent,
        call_id,
    });
    let leg_ended = (any::<u32>(), role(), maybe(100u16..700), any::<(u64, u64, u64)>(), span())
        .prop_map(|(leg, role, status, packets, jitter)| FactKind::LegEnded { leg, role, status, packets, jitter });
    prop_oneof![arrived, segment_ended, entered, left, ended, leg_began, leg_ended]
}

fn weighed() -> impl Strategy<Value = Weighed> {
    any::<(u64, [u32; 4], [u16; 2])>().prop_map(|(map_version, [free, busy, on_break, offline], [lent, kept])| Weighed {
        map_version,
        free,
        busy,
        on_break,
        offline,
        lent: lent.into(),
        kept: kept.into(),
    })
}

fn other_kind() -> impl Strategy<Value = FactKind> {
    let offered = (queue(), agent(), weighed()).prop_map(|(queue, agent, weighed)| FactKind::Offered { queue, agent, weighed });
    let widened =
        (queue(), any::<u32>(), weighed()).prop_map(|(queue, step, weighed)| FactKind::Widened { queue, step, weighed });
    let preference_over =
        (queue(), any::<u32>(), weighed()).prop_map(|(queue, step, weighed)| FactKind::PreferenceOver { queue, step, weighed });
    let offer_ended = (queue(), agent(), word(OfferOutcome::ALL), span())
        .prop_map(|(queue, agent, outcome, rang)| FactKind::OfferEnded { queue, agent, outcome, rang });
    let talk_ended =
        (maybe(queue()), maybe(agent()), span()).prop_map(|(queue, agent, lasted)| FactKind::TalkEnded { queue, agent, lasted });
    let agency = || maybe((0u32..3).prop_map(AgencyId));
    let transferred = (word(TransferKind::ALL), agency(), agency(), word(TransferOutcome::ALL))
        .prop_map(|(kind, from, to, outcome)| FactKind::Transferred { kind, from, to, outcome });
    let state = || (word(AgentState::ALL), maybe(word(BreakReason::ALL)));
    let agent_state =
        (agent(), state(), state(), span()).prop_map(|(agent, from, to, lasted)| FactKind::Agent { agent, from, to, lasted });
    let trunk_calls = (word(Direction::ALL), any::<u32>()).prop_map(|(direction, up)| FactKind::TrunkCalls {
        trunk: TrunkId(1),
        direction,
        up,
    });
    let trunk_up = any::<bool>().prop_map(|up| FactKind::TrunkUp { trunk: TrunkId(0), up });
    let limit = Just(FactKind::LimitHit { limit: crate::base::words::Limit::Contacts });
    let repaired = Just(FactKind::Repaired { kind: crate::base::words::Repair::AgentStuck });
    prop_oneof![
        offered,
        widened,
        preference_over,
        offer_ended,
        talk_ended,
        transferred,
        agent_state,
        trunk_calls,
        trunk_up,
        limit,
        repaired
    ]
}

fn fact() -> impl Strategy<Value = Fact> {
    let contact = maybe(any::<u128>().prop_map(ContactId));
    (time(), contact, prop_oneof![contact_kind(), other_kind()]).prop_map(|(at, contact, kind)| Fact { at, contact, kind })
}

fn line_of(event: &Event<'_>) -> Vec<u8> {
    let mut line = Vec::new();
    write(event, &mut line);
    line
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn what_is_written_is_read(fact in fact()) {
        let names = names();
        let event = Event::of(&fact, &names);
        let line = line_of(&event);
        prop_assert_eq!(memchr::memchr_iter(b'\n', &line).collect::<Vec<_>>(), vec![line.len() - 1], "it is one line");
        let json: serde_json::Value = serde_json::from_slice(&line).expect("it is JSON");
        prop_assert_eq!(&json["v"], 1);
        prop_assert_eq!(peek(&line), Some((fact.at, event.kind())));
        prop_assert_eq!(read(&line).expect("it is read"), event);
    }

    /// A torn line is none, wherever it was torn.
    #[test]
    fn a_torn_line_is_none(fact in fact(), at in any::<prop::sample::Index>()) {
        let line = line_of(&Event::of(&fact, &names()));
        let torn = &line[..at.index(line.len() - 2)];
        prop_assert!(read(torn).is_err());
    }
}

#[test]
fn what_the_log_says_of_itself_is_read() {
    let at = Time::from_secs(1_800_000_000);
    for what in [What::Started, What::FileBegan { since: None }, What::FileBegan { since: Some(at) }, What::Stopped { open: 1 }] {
        let event = Event { at, contact: None, what };
        assert_eq!(read(line_of(&event).leak()).unwrap(), event);
    }
}

#[test]
fn a_line_reads_well() {
    let next = NextSegment { segment: Segment::Talk, queue: Some("water".into()), agent: Some("kim".into()) };
    let (queue, began): (Option<Text<'_>>, Time) = (Some("water".into()), Time::from_micros(1_800_000_000_000_000));
    let what = What::SegmentEnded { segment: Segment::Queue, queue, agent: None, began, next: Some(next) };
    let event = Event { at: Time::from_micros(1_800_000_012_345_678), contact: Some(ContactId(7)), what };
    assert_eq!(
        String::from_utf8(line_of(&event)).unwrap(),
        "{\"v\":1,\"at\":1800000012345678,\"kind\":\"segment_ended\",\"contact\":\"00000000000000000000000007\",\
         \"segment\":\"queue\",\"queue\":\"water\",\"began\":1800000000000000,\"next\":\"talk\",\"next_queue\":\"water\",\
         \"next_agent\":\"kim\"}\n"
    );
}

#[test]
fn what_another_version_wrote_is_not_guessed_at() {
    assert!(matches!(read(b"{\"v\":2,\"at\":1,\"kind\":\"started\"}"), Err(BadLine::Version(2))));
    assert!(matches!(read(b"{\"v\":1,\"at\":1,\"kind\":\"sung\"}"), Err(BadLine::Field("kind"))));
    assert!(matches!(read(b"{\"v\":1,\"at\":1,\"kind\":\"trunk_up\",\"up\":true}"), Err(BadLine::Field("trunk"))));
    let more = read(b"{\"v\":1,\"at\":1,\"kind\":\"started\",\"new\":[1]}").unwrap();
    assert_eq!(more.what, What::Started, "a field more is passed over");
}

/// A directory name or a number without escapes is not copied.
#[test]
fn reading_borrows() {
    let event = Event { at: Time::ZERO, contact: None, what: What::LimitHit { limit: "contacts".into() } };
    let line = line_of(&event);
    let Ok(Event { what: What::LimitHit { limit: Text::Borrowed(_) }, .. }) = read(&line) else { panic!("it was copied") };
}
