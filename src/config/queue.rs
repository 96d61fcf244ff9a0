//! Reads queues.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::names::Declared;
use super::problem::Kind;
use super::reader::{Section, Text, Value};
use super::{Context, Later, people};
use crate::acd::policy::ChoiceRule;
use crate::acd::queue::{Announce, AnswerWhen, Overflow, QueueRules, RelaxationStep, WhenEmpty};
use crate::base::words::Channel;
use crate::base::{AgencyId, AgentId, QueueId, span};
use crate::call::numbers;
use crate::engine::Settings;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const ANY: RangeInclusive<Duration> = Duration::ZERO..=HOUR;

/// The greatest length of a queue that can be asked for.
const LENGTH_MAX: u64 = 1_000_000;
/// The most agents that are rung for one caller.
const RINGS_MAX: u64 = 10;
/// The most relaxation steps. Each costs a demand of the matcher for each language.
const STEPS_MAX: usize = 16;

/// `[queue_defaults]`: the rules of every queue that does not say otherwise.
pub(super) fn defaults(cx: &Context<'_>, root: &Section<'_>, later: &mut Later) -> QueueRules {
    let mut rules = QueueRules::default();
    if let Some(section) = root.section("queue_defaults") {
        promises(cx, &section, &mut rules, later);
        section.done();
    }
    rules
}

/// Reads a `[[queue]]`.
pub(super) fn read(cx: &Context<'_>, queue: &Declared<'_>, defaults: &QueueRules, later: &mut Later) -> QueueRules {
    let section = &queue.section;
    let mut rules = QueueRules { name: queue.name.clone(), ..defaults.clone() };
    rules.agency = people::agency(cx, section).unwrap_or(AgencyId(0));
    let channels: Vec<_> = Channel::ALL.iter().map(|channel| (channel.label(), *channel)).collect();
    rules.channel = section.word("channel", &channels).unwrap_or_default();
    rules.skills = people::skills(cx, section);
    if let Some(value) = section.needed("pools", "[\"...\"]") {
        rules.pools = people::pools(cx, &value);
    }
    if let Some(value) = section.value("widen") {
        rules.relaxation = relaxation(cx, &value);
    }
    promises(cx, section, &mut rules, later);
    section.done();
    queue.id.inspect(|id| drop(later.overflows.insert(QueueId(*id), section.spot_of("overflow"))));
    if let (Some(id), Channel::Chat) = (queue.id, rules.channel) {
        later.chat_queues.push((QueueId(id), section.spot_of("channel")));
        let only_calls = [
            ("prefer_agent", rules.prefer_agent.is_some(), "only callers wait for one agent"),
            ("prefer_last", rules.prefer_last.is_some(), "only callers wait for one agent"),
            ("ring_several", rules.ring_several > 1, "chats go to one agent at a time"),
        ];
        for (key, _, message) in only_calls.into_iter().filter(|(key, asked, _)| *asked && section.has(key)) {
            cx.report.error(Kind::Conflict, &section.spot_of(key), message, format!("leave {key} out"));
        }
        if let Overflow::Number(_) = rules.overflow {
            let remedy = "let it overflow to a queue of its own channel, or say \"goodbye\"";
            cx.report.error(Kind::Conflict, &section.spot_of("overflow"), "a chat cannot go to a telephone number", remedy);
        }
        // Defaults for queues in general may hold for calls alone.
        (rules.prefer_agent, rules.prefer_last, rules.ring_several) = (None, None, 1);
    }
    let never = rules.relaxation.iter().find(|step| rules.wait_max.is_some_and(|max| step.after >= max));
    if let (Some(step), Some(max)) = (never, rules.wait_max) {
        let (after, max) = (span::written(step.after), span::written(max));
        let message = format!("the step after {after} is never reached: nobody waits longer than {max}");
        cx.report.warn(Kind::Conflict, &section.spot_of("widen"), message, "write an earlier step or a longer wait_max");
    }
    rules
}

/// Contacts in a queue came by its channel, so a reload must not change it.
pub(super) fn keeps_channel(cx: &Context<'_>, queue: &Declared<'_>, rules: &QueueRules, running: &Settings) {
    let before = queue.id.and_then(|id| running.queue(QueueId(id))).map(|before| before.channel);
    if let Some(before) = before.filter(|before| *before != rules.channel) {
        let message = format!("{:?} is a queue of channel {before}, and callers may be in it", queue.name);
        cx.report.error(Kind::Conflict, &queue.section.spot_of("channel"), message, "give the queue another name, or restart");
    }
}

/// Reads the keys that a queue and the defaults share.
fn promises(cx: &Context<'_>, section: &Section<'_>, rules: &mut QueueRules, later: &mut Later) {
    fn set<T>(place: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *place = value;
        }
    }
    let empty = [("wait", WhenEmptyWord::Wait), ("overflow", WhenEmptyWord::Overflow), ("goodbye", WhenEmptyWord::Goodbye)];
    set(&mut rules.language_level, section.number("language_level", 1..=10));
    set(&mut rules.priority_boost, section.duration("head_start", ANY));
    set(&mut rules.prefer_last, section.duration_or_never("prefer_last", SECOND..=HOUR));
    if let Some(wanted) = section.section("prefer_agent") {
        let name = wanted.needed("name", "\"anna\"").and_then(|value| cx.ids.agents.find(cx.report, &value.text()?));
        let wait = wanted.needed("wait", "\"30s\"").and_then(|value| value.duration(&(SECOND..=HOUR)));
        wanted.done();
        rules.prefer_agent = name.map(AgentId).zip(wait);
        later.preferred.extend(name.map(|agent| (AgentId(agent), wanted.spot.clone())));
    }
    set(&mut rules.emergency, section.flag("emergency"));
    set(&mut rules.choice, section.word("choose", &ChoiceRule::ALL.map(|rule| (rule.label(), rule))));
    set(&mut rules.ring_several, section.number("ring_several", 1..=RINGS_MAX));
    set(&mut rules.answer, section.word("answer", &[("at_once", AnswerWhen::AtOnce), ("late", AnswerWhen::Late)]));
    set(&mut rules.music, section.text("music").map(|name| cx.prompts.check(cx.report, &name)));
    let announce = [("place", Announce::Place), ("wait", Announce::Wait), ("place_and_wait", Announce::PlaceAndWait)];
    set(&mut rules.announce, section.word("announce", &announce));
    if rules.announce != Announce::Place {
        cx.prompts.check_waits(cx.report, &section.spot_of("announce"));
    }
    set(&mut rules.announce_every, section.duration_or_never("announce_every", 5 * SECOND..=HOUR));
    set(&mut rules.ring_timeout, section.duration("ring", SECOND..=600 * SECOND));
    set(&mut rules.refused_pause, section.duration("refused_pause", ANY));
    set(&mut rules.wrap_up, section.duration("wrap_up", Duration::ZERO..=people::WRAP_UP_MAX));
    set(&mut rules.wait_max, section.duration_or_never("wait_max", SECOND..=DAY));
    set(&mut rules.length_max, section.number("length_max", 0..=LENGTH_MAX));
    set(&mut rules.overflow, section.value("overflow").and_then(|value| overflow(cx, &value, later)));
    set(&mut rules.join_empty, section.word("join_empty", &empty).map(WhenEmptyWord::meaning));
    set(&mut rules.leave_when_empty, section.word("leave_when_empty", &empty).map(WhenEmptyWord::meaning));
    set(&mut rules.service_target, section.duration("service_target", SECOND..=HOUR));
    set(&mut rules.short_abandon, section.duration("short_abandon", ANY));
    set(&mut rules.talk_max, section.duration("talk_max", 10 * SECOND..=DAY));
}

/// [`WhenEmpty`] without contents, which can be copied.
#[derive(Clone, Copy)]
enum WhenEmptyWord {
    Wait,
    Overflow,
    Goodbye,
}

impl WhenEmptyWord {
    fn meaning(self) -> WhenEmpty {
        match self {
            WhenEmptyWord::Wait => WhenEmpty::Wait,
            WhenEmptyWord::Overflow => WhenEmpty::Overflow,
            WhenEmptyWord::Goodbye => WhenEmpty::Goodbye,
        }
    }
}

fn overflow(cx: &Context<'_>, value: &Value<'_>, later: &mut Later) -> Option<Overflow> {
    let text = value.text()?;
    match text.text.split_once(':') {
        None if text.text == "goodbye" => Some(Overflow::Goodbye),
        Some(("queue", name)) => {
            let name = Text { text: name, spot: text.spot };
            cx.ids.queues.find(cx.report, &name).map(|queue| Overflow::Queue(QueueId(queue)))
        }
        Some(("number", number)) if numbers::is_number(number) && (number.starts_with('+') || numbers::is_short_code(number)) => {
            let number: Arc<str> = number.into();
            later.numbers.push((number.clone(), text.spot));
            Some(Overflow::Number(number))
        }
        _ => {
            let remedy = "write \"queue:NAME\", \"number:+82221330120\" (E.164, or a short code) or \"goodbye\"";
            value.bad(format!("{:?} leads nowhere", text.text), remedy);
            None
        }
    }
}

fn relaxation(cx: &Context<'_>, value: &Value<'_>) -> Vec<RelaxationStep> {
    let mut steps: Vec<RelaxationStep> = Vec::new();
    let list = value.list("a list of steps");
    if list.len() > STEPS_MAX {
        value.bad(format!("{} steps are too many", list.len()), format!("write at most {STEPS_MAX}"));
    }
    for step in list.iter().filter_map(Value::section) {
        let after = step.needed("after", "\"30s\"").and_then(|value| value.duration(&(Duration::ZERO..=DAY)));
        let lower_levels_by = step.number("lower_levels_by", 1..=9).unwrap_or(0);
        let more = step.value("more_pools");
        let more_pools = more.as_ref().map(|value| people::pools(cx, value)).unwrap_or_default();
        let spot = step.spot_of("after");
        step.done();
        if lower_levels_by == 0 && more.is_none() {
            let remedy = "add lower_levels_by = 2 or more_pools = [\"...\"], or leave the step out";
            cx.report.error(Kind::Missing, &step.spot, "this step changes nothing", remedy);
        }
        let Some(after) = after else { continue };
        if let Some(before) = steps.last().filter(|before| before.after >= after) {
            let remedy =
                format!("write the steps in order: this one after \"{}\" or later", span::written(before.after + SECOND));
            cx.report.error(Kind::BadValue, &spot, "this step comes before the one above it", remedy);
        }
        steps.push(RelaxationStep { after, lower_levels_by, more_pools });
    }
    steps
}
