//! The file of a day for `hotline simulate`: who calls, how long callers talk and wait, who works when, and which
//! figures must hold.

mod calls;

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::names::IdAllocator;
use super::problem::{Kind, Problem, Problems};
use super::reader::Section;
use super::zones::Zones;
use super::{checked, hours};
use crate::acd::RoutingTable;
use crate::base::span::{Share, Span};
use crate::base::{AgentId, QueueId, SkillId};
use crate::engine::Settings;
use crate::simulate::day::{Day, everybody};
use crate::simulate::outlook::{Floor, Measure, Whose};
use crate::simulate::scene::{Duty, Manners, Scene, Stream};

const DAY: Duration = Duration::from_secs(86_400);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Reads the text of a day for the configuration of `settings`. `recorded` is a day whose calls hold where the file has
/// none, and whose duties hold where the file has no shifts.
///
/// # Errors
/// All mistakes of the text.
pub fn read(text: &str, file_name: &str, settings: &Settings, recorded: Option<&Day>) -> Result<(Day, Vec<Problem>), Problems> {
    checked(text, file_name, Zones::OfTheMachine, |root| build(root, &IdAllocator::of(settings), settings, recorded))
}

/// Defaults for all calls of a day.
#[derive(Clone, Copy)]
struct Usual {
    length: Duration,
    begins: Duration,
    /// The date on which it begins, if the file has one.
    date: Option<Date>,
    /// Defaults for calls that do not say otherwise.
    patience: Span,
    talk: Span,
    wrap_up: Option<Span>,
}

/// The wrap-up time of agents; it must end.
fn wrap_up(section: &Section<'_>) -> Option<Span> {
    let text = section.text("wrap_up")?;
    match text.text.parse() {
        Ok(Span::Never) => {
            let remedy = "write \"const:0s\" for no wrap-up at all, or leave it out for all that queue and agent allow";
            section.report.error(Kind::BadValue, &text.spot, "\"none\" says nothing of a wrap-up", remedy);
            None
        }
        Ok(span) => Some(span),
        Err(error) => {
            section.report.error(Kind::BadValue, &text.spot, format!("{:?} cannot be used here", text.text), error.to_string());
            None
        }
    }
}

fn span(section: &Section<'_>, key: &'static str, usual: Span) -> Span {
    section.read(key, |text| text.parse().map_err(|error: crate::base::span::BadSpan| error.to_string())).unwrap_or(usual)
}

fn build(root: &Section<'_>, ids: &IdAllocator, settings: &Settings, known: Option<&Day>) -> Day {
    let length = root.duration("length", 15 * Duration::from_secs(60)..=WEEK).unwrap_or(known.map_or(DAY, |day| day.length));
    let begins = root.read("begins", clock).unwrap_or(known.map_or(Duration::ZERO, |day| day.begins));
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let date = root.read("date", date);
    let usual = Usual {
        length,
        begins,
        date,
        patience: span(root, "patience", Span::Exp(minutes(5))),
        talk: span(root, "talk", Span::LogNormal(minutes(3), minutes(3))),
        wrap_up: wrap_up(root),
    };
    let manners = known.map_or_else(Manners::default, |day| day.scene.manners);
    let manners = root.section("agents").map_or(manners, |section| self::manners(&section, manners));
    let sections = root.sections("calls");
    let mut notes = known.map(|day| day.notes.clone()).unwrap_or_default();
    let (directory, _) = settings.directory.with_first_agent_slots();
    let house = calls::House { ids, settings, table: &RoutingTable::new(&directory, 1) };
    let mut streams: Vec<Stream> = sections.iter().flat_map(|section| calls::read(section, &house, usual, &mut notes)).collect();
    if date.is_some() && streams.iter().all(|stream| stream.windows.is_none()) && !root.report.has_errors() {
        let remedy = "leave it out, or let calls come through an entry with hours";
        root.report.warn(Kind::Conflict, &root.spot_of("date"), "nothing depends on the date", remedy);
    }
    if sections.is_empty() {
        match known {
            Some(day) => streams.clone_from(&day.scene.streams),
            None => {
                let remedy = "add [[calls]] queue = \"...\" per_hour = 100, or take them from an event log with --log";
                root.report.error(Kind::Missing, &root.spot, "nobody calls", remedy);
            }
        }
    }
    let mut duties: Vec<(Duration, AgentId, Duty)> = Vec::new();
    let shifts = root.sections("shift");
    for section in &shifts {
        shift(section, ids, settings, (length, begins), &mut duties);
    }
    if shifts.is_empty() {
        let recorded = known.map(|day| day.scene.duties.clone()).filter(|duties| !duties.is_empty());
        duties = recorded.unwrap_or_else(|| everybody(&settings.directory));
    }
    let floors = root.sections("floor").iter().filter_map(|section| floor(section, ids)).collect();
    let scene = Scene { directory: settings.directory.clone(), wrap_up: wrap_ups(settings), streams, duties, manners };
    Day { length, begins, scene, languages: languages(settings), agencies: agencies(settings), floors, notes }
}

/// A day of which nothing is known but the configuration.
#[must_use]
pub fn plain(settings: &Settings) -> Day {
    Day::plain(settings.directory.clone(), wrap_ups(settings), languages(settings), agencies(settings))
}

fn agencies(settings: &Settings) -> Vec<Arc<str>> {
    settings.agencies.iter().map(|agency| agency.name.clone()).collect()
}

/// By agent: a wrap-up time that replaces the queue's.
fn wrap_ups(settings: &Settings) -> Vec<Option<Duration>> {
    settings.accounts.iter().map(|account| account.as_ref().and_then(|account| account.wrap_up)).collect()
}

/// The languages with their names.
#[must_use]
pub fn languages(settings: &Settings) -> Vec<(SkillId, Arc<str>)> {
    let name = |id: &SkillId| Some((*id, settings.skills.get(id.index())?.name.clone()));
    settings.directory.languages.iter().filter_map(name).collect()
}

fn manners(section: &Section<'_>, usual: Manners) -> Manners {
    let share = |text: &str| text.parse::<Share>().map_err(|error| error.to_string());
    let manners = Manners {
        answer_after: span(section, "answer_after", usual.answer_after),
        miss: section.read("miss", share).unwrap_or(usual.miss),
        back_after: section.duration("back_after", Duration::ZERO..=DAY).unwrap_or(usual.back_after),
    };
    section.done();
    manners
}

/// Reads agents who work at the same time.
fn shift(
    section: &Section<'_>,
    ids: &IdAllocator,
    settings: &Settings,
    (length, begins): (Duration, Duration),
    duties: &mut Vec<(Duration, AgentId, Duty)>,
) {
    let report = section.report;
    let found = |key: &'static str, names: &super::names::Names| -> Option<Vec<u32>> {
        Some(section.texts(key)?.iter().filter_map(|name| names.find(report, name)).collect())
    };
    let (agents, pools, agencies) = (found("agents", &ids.agents), found("pools", &ids.pools), found("agencies", &ids.agencies));
    let among = |list: &Option<Vec<u32>>, one: u32| list.as_ref().is_none_or(|list| list.contains(&one));
    let (part, parts) = section.read("part", part).unwrap_or((0, 1));
    let here: Vec<AgentId> = settings
        .directory
        .agents
        .iter()
        .enumerate()
        .filter_map(|(index, profile)| {
            let profile = profile.as_ref()?;
            let in_pools = pools.as_ref().is_none_or(|pools| profile.pools.iter().any(|pool| pools.contains(&pool.0)));
            let taken = among(&agents, index as u32) && in_pools && among(&agencies, profile.agency.0);
            taken.then_some(AgentId(index as u32))
        })
        .enumerate()
        .filter_map(|(number, agent)| (number % parts == part).then_some(agent))
        .collect();
    if here.is_empty() && !report.has_errors() {
        report.warn(Kind::Conflict, &section.spot, "nobody works this shift", "name agents, pools or agencies that have some");
    }
    let from = section.needed("from", "\"08:00\"").and_then(|value| value.read(clock));
    let until = section.needed("until", "\"17:00\"").and_then(|value| value.read(clock));
    let breaks = section.sections("breaks");
    // Time since the beginning of the day; a shift that began before is in progress.
    let after = |clock: Duration| (clock + DAY - begins).as_secs() % DAY.as_secs();
    if let (Some(from), Some(until)) = (from, until) {
        let lasts = Duration::from_secs(match (until + DAY - from).as_secs() % DAY.as_secs() {
            0 => DAY.as_secs(),
            lasts => lasts,
        });
        let mut begin = Duration::from_secs(after(from));
        // The shift of the day before may reach into this day.
        if begin + lasts > DAY {
            duties.extend(here.iter().map(|agent| (Duration::ZERO, *agent, Duty::Ready)));
            duties.extend(here.iter().map(|agent| (begin + lasts - DAY, *agent, Duty::Home)));
        }
        while begin < length {
            duties.extend(here.iter().flat_map(|agent| [(begin, *agent, Duty::Ready), (begin + lasts, *agent, Duty::Home)]));
            begin += DAY;
        }
    }
    for pause in &breaks {
        let at = pause.needed("at", "\"12:00\"").and_then(|value| value.read(clock));
        let lasts = pause.needed("for", "\"30m\"").and_then(|value| value.duration(&(Duration::from_secs(1)..=DAY)));
        let over = pause.duration("over", Duration::ZERO..=DAY).unwrap_or_default();
        pause.done();
        let (Some(at), Some(lasts)) = (at, lasts) else { continue };
        let mut begin = Duration::from_secs(after(at));
        while begin < length {
            for (number, agent) in here.iter().enumerate() {
                let begin = begin + over.mul_f64(number as f64 / here.len() as f64);
                duties.extend([(begin, *agent, Duty::Break), (begin + lasts, *agent, Duty::Back)]);
            }
            begin += DAY;
        }
    }
    section.done();
}

fn floor(section: &Section<'_>, ids: &IdAllocator) -> Option<Floor> {
    let report = section.report;
    let queue = section.text("queue").map(|name| ids.queues.find(report, &name).map(|id| Whose::Queue(QueueId(id))));
    let language =
        section.text("language").map(|name| ids.skills.find(report, &name).map(|id| Whose::Language(Some(SkillId(id)))));
    if queue.is_some() && language.is_some() {
        let remedy = "keep one of queue and language; without both it holds for all calls";
        report.error(Kind::Conflict, &section.spot_of("language"), "a floor is for a queue or for a language", remedy);
    }
    let percent = |key| {
        let share = section.number(key, 0..=100).map(|percent: u64| percent as f64 / 100.0);
        (share.is_some() || section.has(key)).then_some(share)
    };
    let bounds = [
        percent("service_level").map(|bound| (Measure::ServiceLevel, bound)),
        percent("answered").map(|bound| (Measure::AnsweredShare, bound)),
        percent("abandoned").map(|bound| (Measure::AbandonedShare, bound)),
        section.duration("mean_wait", Duration::ZERO..=DAY).map(|bound| (Measure::MeanWait, Some(bound.as_secs_f64()))),
    ];
    section.done();
    let mut bounds = bounds.into_iter().flatten();
    let Some((measure, bound)) = bounds.next() else {
        let remedy = "add service_level = 80, answered = 95, abandoned = 5 (all in percent) or mean_wait = \"30s\"";
        report.error(Kind::Missing, &section.spot, "this floor says nothing", remedy);
        return None;
    };
    if bounds.next().is_some() {
        report.error(Kind::Conflict, &section.spot, "a floor is for one measure", "write a [[floor]] for each");
    }
    let whose = queue.or(language).unwrap_or(Some(Whose::All));
    Some(Floor { whose: whose?, measure, bound: bound? })
}

/// Reads `2/3`, the second of three equal parts: its index from 0, and how many there are.
fn part(text: &str) -> Result<(usize, usize), String> {
    let read = || {
        let (which, of) = text.split_once('/')?;
        let (which, of): (usize, usize) = (which.parse().ok()?, of.parse().ok()?);
        (1..=of).contains(&which).then(|| (which - 1, of))
    };
    read().ok_or_else(|| "write which of how many equal parts works, such as \"1/3\"".to_owned())
}

fn date(text: &str) -> Result<Date, String> {
    let date = text.parse().ok().filter(|date: &Date| date.to_string() == text && date.year() > 0);
    date.ok_or_else(|| "write a date, such as \"2026-12-25\"".to_owned())
}

/// Reads a time of day, as the time since midnight.
fn clock(text: &str) -> Result<Duration, String> {
    let clock = hours::clock(text).ok_or_else(|| "write a time of the day, such as \"08:30\"".to_owned())?;
    Ok(Duration::from_secs(3600 * clock.hour() as u64 + 60 * clock.minute() as u64))
}
