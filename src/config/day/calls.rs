//! `[[calls]]`: who calls, when, and through which entry.

use std::time::Duration;

use jiff::civil::{Date, Time as Clock, date};

use super::{DAY, Usual, span, wrap_up};
use crate::acd::RoutingTable;
use crate::base::span::Share;
use crate::base::words::Channel;
use crate::base::{QueueId, SkillId};
use crate::call::hours::Hours;
use crate::call::menu::{Destination, EntryRules, Then};
use crate::config::names::IdAllocator;
use crate::config::problem::Kind;
use crate::config::reader::{Section, Text, Value};
use crate::config::values;
use crate::engine::Settings;
use crate::simulate::scene::{Arrivals, Lasting, QUARTER, Stream, Windows};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
/// Calls in one quarter, one hour.
const CALLS_MAX: u64 = 1_000_000;
/// A Monday that is no holiday, for days that name no date.
const ANY_MONDAY: Date = date(2026, 11, 30);

/// Where calls lead, and when.
struct Way {
    to: Destination,
    windows: Option<Windows>,
}

/// The configuration that the calls are for.
pub(super) struct House<'h> {
    pub(super) ids: &'h IdAllocator,
    pub(super) settings: &'h Settings,
    /// With the further slots of all agents.
    pub(super) table: &'h RoutingTable,
}

/// Reads calls of one kind, by the hour. Calls to an entry with a queue for closed hours are two kinds.
pub(super) fn read(section: &Section<'_>, house: &House<'_>, usual: Usual, notes: &mut Vec<String>) -> Vec<Stream> {
    let (ids, settings) = (house.ids, house.settings);
    let ways = ways(section, house, usual, notes);
    let language = section.text("language").and_then(|name| {
        let skill = SkillId(ids.skills.find(section.report, &name)?);
        if !settings.directory.languages.contains(&skill) {
            let remedy = "name one that is declared with [[language]]";
            section.report.error(Kind::BadValue, &name.spot, format!("{:?} is a skill and no language", name.text), remedy);
        }
        Some(skill)
    });
    let interpreters = section.text("interpreters").and_then(|name| ids.queues.find(section.report, &name).map(QueueId));
    let returning = section.read("returning", |text| text.parse::<Share>().map_err(|error| error.to_string()));
    let (patience, talk) = (span(section, "patience", usual.patience), span(section, "talk", usual.talk));
    let wrap_up = wrap_up(section).or(usual.wrap_up);
    let arrivals = arrivals(section, usual);
    section.done();
    let Some(arrivals) = arrivals else { return Vec::new() };
    let stream = |(place, way): (usize, Way)| Stream {
        queue: way.to.queue,
        language: language.or(way.to.language),
        interpreters,
        windows: way.windows,
        same_callers: place > 0,
        returning: returning.unwrap_or(Share::NONE),
        arrivals: arrivals.clone(),
        patience,
        talk: Lasting::By(talk),
        wrap_up: wrap_up.map(Lasting::By),
    };
    let streams: Vec<Stream> = ways.into_iter().enumerate().map(stream).collect();
    streams.iter().for_each(|stream| doubts(section, house, stream));
    streams
}

/// Reports what is impossible, and what is probably not meant.
fn doubts(section: &Section<'_>, house: &House<'_>, stream: &Stream) {
    let report = section.report;
    let Some(rules) = house.settings.queue(stream.queue) else { return };
    let conflict =
        |key: &str, message: String, remedy: &str| report.error(Kind::Conflict, &section.spot_of(key), message, remedy);
    let doubt = |key: &str, message: String, remedy: &str| report.warn(Kind::Conflict, &section.spot_of(key), message, remedy);
    let calls = |queue: QueueId| house.settings.queue(queue).is_none_or(|rules| rules.channel == Channel::Voice);
    let place = if section.has("entry") { "entry" } else { "queue" };
    if let Some(interpreters) = stream.interpreters {
        if stream.language.is_none() {
            let message = "nobody interprets for callers of no language".to_owned();
            conflict("interpreters", message, "add language = \"...\": which they interpret");
        }
        if !calls(stream.queue) || !calls(interpreters) {
            let remedy = "leave interpreters out, or name a queue of channel voice, for callers";
            conflict("interpreters", "chats are not interpreted".to_owned(), remedy);
        }
        if !rules.relaxation.is_empty() {
            let message = format!("who wants two agents never widens, as others in queue {:?} do", rules.name);
            doubt("interpreters", message, "let the first step of the queue have enough agents, or expect longer waits");
        }
    }
    if stream.returning != Share::NONE && (rules.prefer_last.is_none() || !calls(stream.queue)) {
        let message = format!("queue {:?} has no prefer_last: nobody is given back to who served them", rules.name);
        doubt("returning", message, "add prefer_last = \"30s\" to the queue, or leave returning out");
    }
    // Where the file is refused anyway, doubts would only distract.
    if report.has_errors() {
        return;
    }
    let served =
        |queue, language, step| house.table.demand(queue, language, step).is_some_and(|demand| house.table.anyone_serves(demand));
    let nobody = match stream.interpreters {
        Some(interpreters) if !served(interpreters, stream.language, 0) => Some("interpreters"),
        Some(_) if !served(stream.queue, None, 0) => Some(place),
        None if !served(stream.queue, stream.language, usize::MAX) => Some(place),
        _ => None,
    };
    if let Some(key) = nobody {
        let message = "no agent can ever serve these calls".to_owned();
        doubt(key, message, "see hotline check --config FILE for what the queue's agents lack");
    }
}

/// Where the calls lead: to a queue, or wherever an entry leads.
fn ways(section: &Section<'_>, house: &House<'_>, usual: Usual, notes: &mut Vec<String>) -> Vec<Way> {
    let report = section.report;
    let (entry, queue, key) = (section.text("entry"), section.text("queue"), section.text("key"));
    let Some(entry) = entry else {
        if let Some(key) = key {
            let remedy = "add entry = \"...\", or leave key out";
            report.error(Kind::Missing, &key.spot, "a key is one of an entry's", remedy);
        } else if !section.has("queue") && !section.has("entry") {
            let remedy = "add queue = \"...\" or entry = \"...\"";
            report.error(Kind::Missing, &section.spot, "nothing says whom they call", remedy);
        }
        let to = queue.and_then(|name| house.ids.queues.find(report, &name));
        let to = to.map(|queue| Destination { queue: QueueId(queue), language: None });
        return to.map(|to| Way { to, windows: None }).into_iter().collect();
    };
    if section.has("queue") {
        let remedy = "leave queue out: the entry says where its callers go";
        report.error(Kind::Conflict, &section.spot_of("queue"), "calls come to an entry or to a queue", remedy);
        return Vec::new();
    }
    let id = house.ids.entries.find(report, &entry);
    let rules = id.and_then(|id| house.settings.entries.get(id as usize)).and_then(Option::as_ref);
    let Some(rules) = rules else { return Vec::new() };
    let Some(to) = destination(section, rules, key) else { return Vec::new() };
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

/// Where an entry leads callers who press a key.
fn destination(section: &Section<'_>, rules: &EntryRules, key: Option<Text<'_>>) -> Option<Destination> {
    let report = section.report;
    match (&rules.then, key) {
        (Then::Go(to), key) => {
            if let Some(key) = key {
                report.error(Kind::Conflict, &key.spot, format!("entry {:?} offers no choice", rules.name), "leave key out");
            }
            Some(*to)
        }
        (Then::Ask(choice), key) => {
            let keys = choice.keys.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>();
            let known = values::listed(keys.iter().map(String::as_str));
            let Some(key) = key else {
                if !section.has("key") {
                    let message = format!("entry {:?} offers a choice", rules.name);
                    report.error(Kind::Missing, &section.spot_of("key"), message, format!("add key = \"...\": one of {known}"));
                }
                return None;
            };
            let found = choice.keys.iter().find(|(known, _)| key.text.chars().eq([*known]));
            if found.is_none() {
                let message = format!("{:?} is none of the entry's keys", key.text);
                report.error(Kind::UnknownName, &key.spot, message, format!("write one of {known}"));
            }
            found.map(|(_, to)| *to)
        }
    }
}

/// The times of the day at which it is open, or at which it is not, to the minute. They are local times of day, like
/// those of shifts and profiles, without daylight saving changes.
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

/// Reads the calls in each step of the day, from midnight; after the last step it begins again. Returns rates from the
/// beginning of the day.
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
