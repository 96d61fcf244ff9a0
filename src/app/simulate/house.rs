//! `hotline simulate --config` and `--compare`: a whole configuration, on a day from a file or a log.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::{days, progress_line, write, write_json};
use crate::base::span::{Share, Span};
use crate::base::{AgentId, QueueId, SkillId, Time};
use crate::config::{self, Problems};
use crate::engine::Settings;
use crate::report::replay::{Presence, Recording, Waits};
use crate::simulate::day::Day;
use crate::simulate::outlook::{Floor, Group, Measure, Outlook, Whose, changes_to_json};
use crate::simulate::page;
use crate::simulate::scene::{Arrivals, Duty, Lasting, QUARTER, Stream};
use crate::simulate::stats::Figure;
use crate::store;

/// What is played with `--config` or `--compare`.
#[derive(Args, Debug)]
pub(super) struct HouseArgs {
    /// The configuration, as `serve` reads it
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Two configurations: show what changes from the first to the second, for the same callers
    #[arg(long, value_names = ["A", "B"], num_args = 2)]
    compare: Option<Vec<PathBuf>>,
    /// A file that describes a day: calls, talks, patience, shifts, floors (see configs/days)
    #[arg(long, value_name = "FILE", conflicts_with = "single")]
    day: Option<PathBuf>,
    /// The event log of a day, from which calls, talks, patience and shifts are taken
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "single")]
    log: Option<PathBuf>,
    /// How often the day is played; more days give narrower intervals
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000), default_value_t = 10)]
    days: u32,
    /// Write the result as a page with plots
    #[arg(long, value_name = "FILE", conflicts_with = "single")]
    html: Option<PathBuf>,
}

/// A configuration whose day has been played.
struct Played {
    name: String,
    day: Day,
    outlook: Outlook,
}

pub(super) fn simulate(args: &HouseArgs, seed: u64, json: Option<&Path>) -> anyhow::Result<ExitCode> {
    let files: Vec<&PathBuf> = args.config.iter().chain(args.compare.iter().flatten()).collect();
    let recording = args.log.as_deref().map(|directory| {
        store::recorded(directory).with_context(|| format!("the event log in {} cannot be read", directory.display()))
    });
    let recording = recording.transpose()?;
    let mut played = Vec::new();
    for file in files {
        let Some(day) = day(args, file, recording.as_ref())? else { return Ok(ExitCode::FAILURE) };
        let sheets = match days::play(&day, args.days, seed, progress_line()) {
            Ok(sheets) => sheets,
            Err(failed) => bail!("{}: {failed}", file.display()),
        };
        let outlook = Outlook::of(&day, &sheets);
        played.push(Played { name: file.display().to_string(), day, outlook });
    }
    let (before, after) = match &played[..] {
        [one] => (None, one),
        [before, after] => (Some(before), after),
        _ => bail!("give --config or --compare"),
    };
    tell(before, after, json)?;
    if let Some(html) = &args.html {
        let title = before.map_or_else(|| after.name.clone(), |before| format!("{} beside {}", after.name, before.name));
        write(html, &page::page(&title, &after.day, &after.outlook, before.map(|before| &before.outlook)))?;
    }
    let broken = after.outlook.broken(&after.day.floors);
    for (_, text) in &broken {
        eprintln!("a floor breaks: {text}");
    }
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(before: Option<&Played>, after: &Played, json: Option<&Path>) -> anyhow::Result<()> {
    let mut value = after.outlook.to_json();
    value["config"] = json!(after.name);
    value["notes"] = json!(after.day.notes);
    value["floors"] = floors(after);
    if let Some(before) = before {
        value = json!({
            "before": before.outlook.to_json(),
            "after": value,
            "change": changes_to_json(&before.outlook, &after.outlook),
        });
    }
    match json {
        Some(file) if file == Path::new("-") => {
            println!("{value:#}");
            return Ok(());
        }
        Some(file) => write_json(file, &value)?,
        None => {}
    }
    match before {
        None => print!("{}", table(after)),
        Some(before) => print!("{}", changes(before, after)),
    }
    Ok(())
}

fn floors(played: &Played) -> serde_json::Value {
    let broken = played.outlook.broken(&played.day.floors);
    let told = |floor: &Floor| {
        let name = played.outlook.group(&floor.whose).map_or("", |group| &*group.name);
        let text = broken.iter().find(|(known, _)| *known == floor).map(|(_, text)| text);
        json!({ "of": name, "measure": floor.measure.label(), "bound": floor.bound, "holds": text.is_none() })
    };
    played.day.floors.iter().map(told).collect()
}

/// The day of a configuration; `None` if it has mistakes, which have been reported.
fn day(args: &HouseArgs, file: &Path, recording: Option<&Recording>) -> anyhow::Result<Option<Day>> {
    let settings = match config::load(file) {
        Ok(config) => config.settings,
        Err(problems) => return Ok(told(&problems)),
    };
    let recorded = recording.map(|recording| recorded(recording, &settings)).transpose()?;
    let Some(day) = &args.day else {
        let plain = || config::plain_day(&settings);
        return Ok(Some(recorded.unwrap_or_else(plain)));
    };
    let text = match config::read_file(day) {
        Ok(text) => text,
        Err(problems) => return Ok(told(&problems)),
    };
    match config::read_day(&text, &day.display().to_string(), &settings, recorded.as_ref()) {
        Ok((day, warnings)) => {
            if !warnings.is_empty() {
                eprintln!("{}\n", Problems(warnings));
            }
            Ok(Some(day))
        }
        Err(problems) => Ok(told(&problems)),
    }
}

fn told(problems: &Problems) -> Option<Day> {
    eprintln!("{problems}\n");
    None
}

/// The day that a log has recorded, for the configuration of `settings`.
fn recorded(recording: &Recording, settings: &Settings) -> anyhow::Result<Day> {
    let (Some(first), Some(last)) = (recording.calls.first(), recording.calls.last()) else {
        bail!("nobody joined a queue in this event log");
    };
    let quarter = |at: Time, up: u64| Time::from_secs((at.secs() + up) / QUARTER.as_secs() * QUARTER.as_secs());
    let (begins, ends) = (quarter(first.at, 0), quarter(last.at, QUARTER.as_secs()));
    let languages = config::languages(settings);
    let mut notes = Vec::new();
    let mut calls: BTreeMap<(QueueId, Option<SkillId>), Vec<Duration>> = BTreeMap::new();
    let mut strange: BTreeMap<&str, u64> = BTreeMap::new();
    for call in &recording.calls {
        let Some(queue) = settings.queue_named(&call.queue) else {
            *strange.entry(&call.queue).or_default() += 1;
            continue;
        };
        let language = languages.iter().find(|(_, name)| Some(&**name) == call.language.as_deref()).map(|(id, _)| *id);
        calls.entry((queue, language)).or_default().push(call.at.since(begins));
    }
    notes.extend(strange.iter().map(|(queue, count)| format!("{count} calls to {queue} are left out: there is no such queue")));
    let wrap_ups: Arc<[Duration]> = recording.wrap_ups[..].into();
    let wrap_up = (!wrap_ups.is_empty()).then_some(Lasting::Among(wrap_ups));
    let stream = |((queue, language), at): ((QueueId, Option<SkillId>), Vec<Duration>)| {
        let name = settings.queue(queue).map_or("", |rules| &*rules.name);
        let talks: Arc<[Duration]> = recording.talks.get(name).map_or_else(Default::default, |talks| talks[..].into());
        let talk = if talks.is_empty() { Lasting::By(Span::Exp(Duration::from_secs(180))) } else { Lasting::Among(talks) };
        let patience = recording.waits.get(name).and_then(Waits::patience).map_or(Span::Never, Span::Exp);
        Stream {
            queue,
            language,
            interpreters: None,
            windows: None,
            same_callers: false,
            returning: Share::NONE,
            arrivals: Arrivals::At(at),
            patience,
            talk,
            wrap_up: wrap_up.clone(),
        }
    };
    let mut day = config::plain_day(settings);
    (day.scene.streams, day.notes) = (calls.into_iter().map(stream).collect(), notes);
    let rings = &recording.rings;
    if let Some(mean) = rings.mean() {
        (day.scene.manners.answer_after, day.scene.manners.miss) =
            (Span::Const(mean), Share::percent(rings.missed_share() * 100.0));
    }
    day.scene.duties = duties(recording, settings, begins);
    if day.scene.duties.is_empty() {
        day.scene.duties = crate::simulate::day::everybody(&settings.directory);
        day.notes.push("the log tells of no agent: everybody works all of it".to_owned());
    }
    day.length = ends.since(begins);
    day.begins = Duration::from_secs(begins.secs() % 86_400);
    Ok(day)
}

fn duties(recording: &Recording, settings: &Settings, begins: Time) -> Vec<(Duration, AgentId, Duty)> {
    let mut duties = Vec::new();
    for (name, changes) in &recording.agents {
        let Some(agent) = settings.agent_named(name) else { continue };
        let duty = |presence| match presence {
            Presence::Here => Duty::Ready,
            Presence::Break => Duty::Break,
            Presence::Away => Duty::Home,
        };
        let (before, after): (Vec<_>, Vec<_>) = changes.iter().partition(|(at, _)| *at <= begins);
        let first = before.last().map(|(_, presence)| *presence).filter(|presence| *presence != Presence::Away);
        duties.extend(first.map(|presence| (Duration::ZERO, agent, duty(presence))));
        duties.extend(after.iter().map(|(at, presence)| (at.since(begins), agent, duty(*presence))));
    }
    duties
}

fn interval(measure: Measure, figure: &Figure) -> String {
    let (low, high) = figure.interval();
    if figure.half_width.is_finite() { format!("{} to {}", measure.written(low), measure.written(high)) } else { "-".to_owned() }
}

fn heading(played: &Played, more: &str) -> String {
    let scene = &played.day.scene;
    let mut text = format!(
        "{}{more}: {} agents, {} queues, {} days of {:.1} hours, {:.0} calls a day\n",
        played.name,
        scene.directory.agents.iter().flatten().count(),
        scene.directory.queues.iter().flatten().count(),
        played.outlook.days,
        played.day.length.as_secs_f64() / 3600.0,
        played.outlook.group(&Whose::All).map_or(0.0, Group::offered),
    );
    for note in &played.day.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn table(played: &Played) -> String {
    let outlook = &played.outlook;
    let mut text = heading(played, "");
    let _ = write!(text, "\n{:<28}{:>10}", "", "calls");
    for measure in Measure::ALL {
        let _ = write!(text, "{:>17}", measure.label().trim_end_matches("_share").trim_end_matches("_s"));
    }
    text.push('\n');
    for group in &outlook.groups {
        let _ = write!(text, "{:<28}{:>10.0}", group.title(), group.offered());
        for measure in Measure::ALL {
            let figure = group.figure(measure);
            let around = if figure.half_width.is_finite() { measure.written(figure.half_width) } else { "?".to_owned() };
            let _ = write!(text, "{:>17}", format!("{} ±{around}", measure.written(figure.value)));
        }
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "\n{:>5}{:>10}{:>14}{:>16}{:>10}{:>12}",
        "hour", "calls", "mean wait", "service level", "agents", "occupancy"
    );
    for hour in &outlook.hours {
        let clock = format!("{:02}:{:02}", hour.clock as u32, (hour.clock.fract() * 60.0) as u32);
        let (wait, level) = (Measure::MeanWait.written(hour.mean_wait_s.value), hour.service_level.value * 100.0);
        let (agents, busy) = (hour.agents, hour.occupancy.value * 100.0);
        let _ = writeln!(text, "{clock:>5}{:>10.0}{wait:>14}{level:>15.1}%{agents:>10.1}{busy:>11.1}%", hour.offered);
    }
    if outlook.found_closed > 0.0 {
        let _ = writeln!(text, "\n{:.0} a day found their entry closed, and are not among these", outlook.found_closed);
    }
    if !outlook.lent.is_empty() {
        text.push('\n');
    }
    for lent in &outlook.lent {
        let (mean, around) = (lent.mean.value, lent.mean.half_width);
        let around = if around.is_finite() { format!("{around:.2}") } else { "?".to_owned() };
        let _ = writeln!(text, "on loan, of {}: {mean:.2} ±{around} agents in the mean, {} at most", lent.agency, lent.most);
    }
    if let Some((_, all)) = outlook.estimates.first() {
        let _ = writeln!(
            text,
            "\nestimates: {:.1}% of {:.0} a day in the range of 80%; {:.0} a day unknown",
            all.within.value * 100.0,
            all.scored,
            all.unknown
        );
    }
    text
}

fn changes(before: &Played, after: &Played) -> String {
    let mut text = heading(before, " (A)") + &heading(after, " (B)");
    for (group, was) in after.outlook.pairs_with(&before.outlook) {
        let _ = writeln!(text, "\n{}: {:.0} calls a day", group.title(), group.offered());
        for measure in Measure::ALL {
            let (a, b) = (measure.written(was.figure(measure).value), measure.written(group.figure(measure).value));
            let change = group.change(was, measure);
            let sure = if change.holds(0.0) { "" } else { "  *" };
            let (by, bounds) = (measure.written(change.value), interval(measure, &change));
            let _ = writeln!(text, "  {:<20}{a:>10} -> {b:>10}  by {by:>9} ({bounds}){sure}", measure.label());
        }
    }
    text.push_str("\n*: the 95% interval of the change does not hold zero\n");
    text
}
