//! Reads entries: greeting, choice, opening hours.

use std::sync::Arc;
use std::time::Duration;

use super::names::Declared;
use super::problem::Kind;
use super::reader::{Section, Text, Value};
use super::{Context, Later, hours, values};
use crate::base::{QueueId, SkillId};
use crate::call::menu::{Choice, Destination, EntryRules, Then, WhenClosed};

/// Stands for a destination that is written wrong; the file is refused anyway.
const NOWHERE: Destination = Destination { queue: QueueId(0), language: None };
/// The prompt for closed hours, unless the file names another.
const CLOSED: &str = "closed";

/// Reads an `[[entry]]`.
pub(super) fn read(cx: &Context<'_>, entry: &Declared<'_>, later: &mut Later) -> EntryRules {
    let section = &entry.section;
    let emergency = section.flag("emergency").unwrap_or(false);
    let greeting = prompts(cx, section, "greeting").unwrap_or_default();
    let queue = section.value("queue").map(|_| destination(cx, section, later).unwrap_or(NOWHERE));
    let choice = section.section("choice").map(|section| choice(cx, &section, later));
    let then = match (queue, choice) {
        (Some(_), Some(choice)) => {
            let remedy = "leave queue out: the keys of the choice say where each leads";
            cx.report.error(Kind::Conflict, &section.spot_of("queue"), "an entry leads to a queue or offers a choice", remedy);
            Then::Ask(choice)
        }
        (None, Some(choice)) => Then::Ask(choice),
        (Some(queue), None) => Then::Go(queue),
        (None, None) => {
            let remedy = "add queue = \"...\", or a table choice with its keys";
            cx.report.error(Kind::Missing, &section.spot, "this entry leads nowhere", remedy);
            Then::Go(NOWHERE)
        }
    };
    let hours = section.section("hours").map(|section| hours::read(&section));
    let closed = section.section("closed").map(|section| when_closed(cx, &section, later));
    if closed.is_some() && hours.is_none() {
        let remedy = "add hours = { zone = \"Asia/Seoul\", week = [\"mon-fri 09:00-18:00\"] }, or leave closed out";
        cx.report.warn(Kind::Conflict, &section.spot_of("closed"), "an entry without hours is never closed", remedy);
    }
    section.done();
    let when_closed = closed.unwrap_or_else(|| WhenClosed { prompts: vec![cx.prompts.usual(CLOSED)], queue: None });
    EntryRules { name: entry.name.clone(), emergency, hours: hours.flatten(), when_closed, greeting, then }
}

fn prompts(cx: &Context<'_>, section: &Section<'_>, key: &'static str) -> Option<Vec<Arc<str>>> {
    Some(section.texts(key)?.iter().map(|name| cx.prompts.check(cx.report, name)).collect())
}

/// The keys `queue` and `language` of a table.
fn destination(cx: &Context<'_>, section: &Section<'_>, later: &mut Later) -> Option<Destination> {
    let queue = section.needed("queue", "\"...\"").and_then(|value| value.text());
    let queue = queue.and_then(|name| cx.ids.queues.find(cx.report, &name));
    let language = section.text("language").and_then(|name| language(cx, &name));
    let destination = Destination { queue: QueueId(queue?), language };
    later.destinations.push((destination, section.spot_of("queue")));
    Some(destination)
}

fn language(cx: &Context<'_>, name: &Text<'_>) -> Option<SkillId> {
    let skill = SkillId(cx.ids.skills.find(cx.report, name)?);
    if !cx.languages.contains(&skill) {
        let message = format!("{:?} is a skill and no language", name.text);
        cx.report.error(Kind::BadValue, &name.spot, message, format!("declare it with [[language]] name = {:?}", name.text));
    }
    Some(skill)
}

fn choice(cx: &Context<'_>, section: &Section<'_>, later: &mut Later) -> Choice {
    let asked = section.needed("prompts", "[\"en/language\"]").map(|_| prompts(cx, section, "prompts").unwrap_or_default());
    let timeout = section.duration("timeout", Duration::from_secs(1)..=Duration::from_secs(60));
    let tries = section.number("tries", 1..=10);
    let default = section.needed("default", "\"1\"").and_then(|value| value.text());
    let mut keys = Vec::new();
    if section.needed("keys", "{ 1 = { queue = \"...\" } }").is_some() {
        for (name, value) in section.pairs("keys").unwrap_or_default() {
            let destination = key_destination(cx, &name, &value, later).unwrap_or(NOWHERE);
            match key(name.text) {
                Ok(key) => keys.push((key, destination)),
                Err(remedy) => cx.report.error(Kind::BadValue, &name.spot, format!("there is no key {:?}", name.text), remedy),
            }
        }
    }
    section.done();
    let default = default.and_then(|name| {
        let found = keys.iter().find(|(key, _)| name.text.chars().eq([*key]));
        if found.is_none() {
            let known = keys.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>();
            let remedy = format!("write one of the keys: {}", values::listed(known.iter().map(String::as_str)));
            cx.report.error(Kind::UnknownName, &name.spot, format!("{:?} is none of the keys", name.text), remedy);
        }
        found.map(|(_, destination)| *destination)
    });
    Choice {
        prompts: asked.unwrap_or_default(),
        keys,
        timeout: timeout.unwrap_or(Duration::from_secs(5)),
        tries: tries.unwrap_or(2),
        default: default.unwrap_or(NOWHERE),
    }
}

fn key(text: &str) -> Result<char, String> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(key @ ('0'..='9' | '*' | '#')), None) => Ok(key),
        _ => Err("write one of the keys 0 to 9, \"*\" or \"#\"".to_owned()),
    }
}

/// `{ queue = "...", language = "..." }`, or the queue's name alone.
fn key_destination(cx: &Context<'_>, key: &Text<'_>, value: &Value<'_>, later: &mut Later) -> Option<Destination> {
    if value.is_table() {
        let section = value.section()?;
        let destination = destination(cx, &section, later);
        section.done();
        return destination;
    }
    let name = value.text()?;
    let destination = Destination { queue: QueueId(cx.ids.queues.find(cx.report, &name)?), language: None };
    later.destinations.push((destination, key.spot.clone()));
    Some(destination)
}

fn when_closed(cx: &Context<'_>, section: &Section<'_>, later: &mut Later) -> WhenClosed {
    let spoken = prompts(cx, section, "prompts");
    let queue = section.value("queue").and_then(|_| destination(cx, section, later));
    section.done();
    // A queue without prompts leads straight on.
    let unsaid = if queue.is_some() { Vec::new() } else { vec![cx.prompts.usual(CLOSED)] };
    WhenClosed { prompts: spoken.unwrap_or(unsaid), queue }
}
