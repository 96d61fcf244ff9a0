//! `[[calls]]`: who calls, when, and through which entry.

use std::time::Duration;

use jiff::civil::{Date, Time as Clock, date};

use super::{DAY, Usual, span, span_of};
use crate::base::span::Share;
use crate::base::words::Channel;
use crate::base::{QueueId, SkillId};
use crate::call::hours::Hours;
use crate::call::menu::{Destination, EntryRules, Then};
use crate::config::names::Book;
use crate::config::problem::Kind;
use crate::config::reader::{Section, Value};
use crate::config::values;
use crate::engine::Settings;
use crate::forecast::scene::{Arrivals, Lasting, QUARTER, Stream, Windows};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
/// Calls in one quarter, one hour.
const CALLS_MAX: u64 = 1_000_000;
/// A Monday on which nothing is celebrated, for days that name no date.
const ANY_MONDAY: Date = date(2026, 11, 30);

/// Where calls lead, and when.
struct Way {
    to: Destination,
    windows: Option<Windows>,
}

/// Calls of one kind, by the hour. Those of an entry with a queue for when it is closed are two kinds.
pub(super) fn read(
    section: &Section<'_>,
    book: &Book,
    settings: &Settings,
    usual: Usual,
    notes: &mut Vec<String>,
) -> Vec<Stream> {
    let ways = ways(section, book, settings, usual, notes);
    let language = section.text("language").map(|name| book.skills.find(section.report, &name).map(SkillId));
    let interpreters = section.text("interpreters").map(|name| book.queues.find(section.report, &name).map(QueueId));
    if interpreters.is_some() && language.is_none() {
        let remedy = "add language = \"...\": which they interpret";
        section.report.error(
            Kind::Missing,
            &section.spot_of("interpreters"),
            "nobody interprets for callers of no language",
            remedy,
        );
    }
    let calls_only = |queue: QueueId| settings.queue(queue).is_none_or(|rules| rules.channel == Channel::Voice);
    if let Some(Some(interpreters)) = interpreters
        && !(calls_only(interpreters) && ways.iter().all(|way| calls_only(way.to.queue)))
    {
        let remedy = "leave interpreters out, or name a queue of channel voice, for callers";
        section.report.error(Kind::Conflict, &section.spot_of("interpreters"), "chats are not interpreted", remedy);
    }
    let returning = section.read("returning", |text| text.parse::<Share>().map_err(|error| error.to_string()));
    let (patience, talk) = (span(section, "patience", usual.patience), span(section, "talk", usual.talk));
    let wrap_up = span_of(section, "wrap_up").or(usual.wrap_up);
    let arrivals = arrivals(section, usual);
    section.done();
    let Some(arrivals) = arrivals else { return Vec::new() };
    let stream = |way: Way| Stream {
        queue: way.to.queue,
        language: language.unwrap_or(way.to.language),
        interpreters: interpreters.flatten(),
        windows: way.windows,
        returning: returning.unwrap_or(Share::NONE),
        arrivals: arrivals.clone(),
        patience,
        talk: Lasting::By(talk),
        wrap_up: wrap_up.map(Lasting::By),
    };
    ways.into_iter().map(stream).collect()
}

/// Where they lead: to a queue, or wherever an entry does.
fn ways(section: &Section<'_>, book: &Book, settings: &Settings, usual: Usual, notes: &mut Vec<String>) -> Vec<Way> {
    let report = section.report;
    let Some(entry) = section.text("entry") else {
        let queue = section.needed("queue", "\"...\"").and_then(|name| book.queues.find(report, &name.text()?));
        let to = queue.map(|queue| Destination { queue: QueueId(queue), language: None });
        return to.map(|to| Way { to, windows: None }).into_iter().collect();
    };
    if section.has("queue") {
        let remedy = "leave queue out: the entry says where its callers go";
        report.error(Kind::Conflict, &section.spot_of("queue"), "calls come to an entry or to a queue", remedy);
        return Vec::new();
    }
    let id = book.entries.find(report, &entry);
    let Some(rules) = id.and_then(|id| settings.entries.get(id as usize)).and_then(Option::as_ref) else { return Vec::new() };
    let Some(to) = destination(section, rules) else { return Vec::new() };
    let Some(hours) = &rules.hours else { return vec![Way { to, windows: None }] };
    if usual.date.is_none() {
        let note = format!("entry {} is open as on {ANY_MONDAY}, a Monday; write date = \"...\" for another day", rules.name);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    let open = windows(hours, usual, true);
    let closed = rules.when_closed.queue;
    let turns_away = closed.is_none();
    let mut ways = vec![Way { to, windows: Some(Windows { open, turns_away }) }];
    if let Some(to) = closed {
        ways.push(Way { to, windows: Some(Windows { open: windows(hours, usual, false), turns_away: false }) });
    }
    ways
}

/// Where an entry leads those who choose a key.
fn destination(section: &Section<'_>, rules: &EntryRules) -> Option<Destination> {
    match &rules.then {
        Then::Go(to) => {
            if section.has("key") {
                let message = format!("entry {:?} offers no choice", rules.name);
                section.report.error(Kind::Conflict, &section.spot_of("key"), message, "leave key out");
            }
            Some(*to)
        }
        Then::Ask(choice) => {
            let keys = choice.keys.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>();
            let known = values::listed(keys.iter().map(String::as_str));
            let chosen = section.needed("key", "\"1\"")?.text()?;
            let found = choice.keys.iter().find(|(key, _)| chosen.text.chars().eq([*key]));
            if found.is_none() {
                let message = format!("{:?} is none of the entry's keys", chosen.text);
                section.report.error(Kind::UnknownName, &chosen.spot, message, format!("write one of {known}"));
            }
            found.map(|(_, to)| *to)
        }
    }
}

/// The stretches of the day in which it is open, or those in which it is not, to the minute. By the clock on the wall, as shifts and
/// profiles are, which no day sets forward or back.
fn windows(hours: &Hours, usual: Usual, open: bool) -> Vec<(Duration, Duration)> {
    let midnight = usual.date.unwrap_or(ANY_MONDAY).to_datetime(Clock::midnight());
    let mut windows: Vec<(Duration, Duration)> = Vec::new();
    let mut at = Duration::ZERO;
    while at < usual.length {
        let next = at + MINUTE;
        if hours.open_by_the_clock(midnight.saturating_add(usual.begins + at)) == open {
            match windows.last_mut().filter(|(_, until)| *until == at) {
                Some((_, until)) => *until = next,
                None => windows.push((at, next)),
            }
        }
        at = next;
    }
    windows
}

fn arrivals(section: &Section<'_>, usual: Usual) -> Option<Arrivals> {
    let spot = section.spot_of(if section.has("entry") { "entry" } else { "queue" });
    let given = [
        section.number("per_hour", 0..=CALLS_MAX).map(|count: u64| Arrivals::Steady(count as f64 / HOUR.as_secs_f64())),
        section.value("hours").map(|value| profile(&value, HOUR, usual)),
        section.value("quarters").map(|value| profile(&value, QUARTER, usual)),
    ];
    let mut given = given.into_iter().flatten();
    let arrivals = given.next();
    if arrivals.is_none() {
        let remedy = "add per_hour = 100, hours = [...] or quarters = [...]: calls in each hour or quarter of the clock";
        section.report.error(Kind::Missing, &spot, "nothing says how many call", remedy);
    } else if given.next().is_some() {
        section.report.error(Kind::Conflict, &spot, "how many call is said twice", "keep one of per_hour, hours and quarters");
    }
    arrivals
}

/// Calls in each step of the clock, from midnight; after the last it begins again. As rates from the beginning of the day.
fn profile(value: &Value<'_>, step: Duration, usual: Usual) -> Arrivals {
    let listed = value.list("a list of numbers of calls");
    let whole = (DAY.as_secs() / step.as_secs()) as usize;
    if listed.len() != whole {
        value.bad(format!("{} numbers are not a day", listed.len()), format!("write {whole} numbers, from 00:00 on"));
        return Arrivals::Steady(0.0);
    }
    let counts: Vec<u64> = listed.iter().map(|count| count.number(0..=CALLS_MAX).unwrap_or(0)).collect();
    let quarters = usual.length.as_secs().div_ceil(QUARTER.as_secs());
    let rate = |quarter: u64| {
        let clock = (usual.begins + QUARTER * quarter as u32).as_secs() % DAY.as_secs();
        counts[(clock / step.as_secs()) as usize] as f64 / step.as_secs_f64()
    };
    Arrivals::Quarters((0..quarters).map(rate).collect())
}
