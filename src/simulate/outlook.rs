//! What several plays of a day come to: figures by queue, by language and by hour, with intervals; the effect of a
//! change; floors that break.
//!
//! Each day is one batch: the scatter of the days says how far a figure can be trusted.

use std::sync::Arc;

use serde_json::{Value, json};

use super::day::Day;
use super::sheet::{Cell, Estimated, Point, Sheet};
use super::stats::Figure;
use crate::base::words::EstimateOutcome;
use crate::base::{QueueId, SkillId};

/// Quarters in an hour.
const QUARTERS: usize = 4;

/// What is measured of calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measure {
    /// The service level: the share answered within their queue's target, of all who did not hang up at once.
    ServiceLevel,
    /// The share of answered calls, of all.
    AnsweredShare,
    /// The share of calls that hung up while they waited, of all.
    AbandonedShare,
    /// The share of calls that were turned away, of all.
    TurnedAwayShare,
    /// The mean wait in seconds, over all calls, abandoned ones included.
    MeanWait,
}

impl Measure {
    /// All of them, in the order of a table.
    pub const ALL: [Measure; 5] =
        [Measure::ServiceLevel, Measure::AnsweredShare, Measure::AbandonedShare, Measure::TurnedAwayShare, Measure::MeanWait];

    /// Its name in results and in floors.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Measure::ServiceLevel => "service_level",
            Measure::AnsweredShare => "answered_share",
            Measure::AbandonedShare => "abandoned_share",
            Measure::TurnedAwayShare => "turned_away_share",
            Measure::MeanWait => "mean_wait_s",
        }
    }

    /// The measured value of a cell, and the number of calls that it is a share or mean of.
    fn of(self, cell: &Cell) -> (f64, f64) {
        let offered = f64::from(cell.offered);
        match self {
            Measure::ServiceLevel => (f64::from(cell.in_target), offered - f64::from(cell.short)),
            Measure::AnsweredShare => (f64::from(cell.answered), offered),
            Measure::AbandonedShare => (f64::from(cell.abandoned), offered),
            Measure::TurnedAwayShare => (f64::from(cell.turned_away), offered),
            Measure::MeanWait => (cell.wait_s, offered),
        }
    }

    /// Whether more is better.
    const fn is_good(self) -> bool {
        matches!(self, Measure::ServiceLevel | Measure::AnsweredShare)
    }

    /// A value as a person reads it, with its unit.
    #[must_use]
    pub fn written(self, value: f64) -> String {
        // A change that rounds to nothing has no sign.
        let round = |value: f64| (value * 10.0).round() / 10.0 + 0.0;
        match self {
            Measure::MeanWait => format!("{:.1} s", round(value)),
            _ => format!("{:.1}%", round(value * 100.0)),
        }
    }
}

/// Which calls are looked at together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    /// All.
    All,
    /// The calls to a queue.
    Queue(QueueId),
    /// The calls in a language; `None`: in an unknown one.
    Language(Option<SkillId>),
}

/// A figure that must hold.
#[derive(Clone, PartialEq, Debug)]
pub struct Floor {
    /// The calls that it is a figure of.
    pub whose: Whose,
    /// The measure.
    pub measure: Measure,
    /// The least value, or the greatest where less is better.
    pub bound: f64,
}

/// Some calls that are looked at together.
#[derive(Clone, Debug)]
pub struct Group {
    /// Which calls.
    pub whose: Whose,
    /// Their name.
    pub name: Arc<str>,
    /// Their counts, day by day.
    days: Vec<Cell>,
}

impl Group {
    /// Its title in tables.
    #[must_use]
    pub fn title(&self) -> String {
        match self.whose {
            Whose::All => "all calls".to_owned(),
            Whose::Queue(_) => self.name.to_string(),
            Whose::Language(_) => format!("speaks {}", self.name),
        }
    }

    /// Calls a day.
    #[must_use]
    pub fn offered(&self) -> f64 {
        self.days.iter().map(|day| f64::from(day.offered)).sum::<f64>() / self.days.len().max(1) as f64
    }

    fn pairs(&self, measure: Measure) -> Vec<(f64, f64)> {
        self.days.iter().map(|day| measure.of(day)).collect()
    }

    /// A figure of these calls.
    #[must_use]
    pub fn figure(&self, measure: Measure) -> Figure {
        Figure::ratio(&self.pairs(measure))
    }

    /// How much greater the figure is here than for `other`, with the same callers.
    #[must_use]
    pub fn change(&self, other: &Group, measure: Measure) -> Figure {
        Figure::difference(&self.pairs(measure), &other.pairs(measure))
    }
}

/// An hour of the day.
#[derive(Clone, PartialEq, Debug)]
pub struct Hour {
    /// The time of day at which it begins, in hours.
    pub clock: f64,
    /// Calls that came.
    pub offered: f64,
    /// Their mean wait.
    pub mean_wait_s: Figure,
    /// Their service level.
    pub service_level: Figure,
    /// Agents signed in and not on a break, on average.
    pub agents: f64,
    /// The share of their time that agents rang, talked or were in wrap-up.
    pub occupancy: Figure,
}

/// How the estimates of waits turned out.
#[derive(Clone, PartialEq, Debug)]
pub struct Estimates {
    /// The share within their range, of all that could be scored.
    pub within: Figure,
    /// How many could be scored, per day.
    pub scored: f64,
    /// How many waits began of which nothing was known, per day.
    pub unknown: f64,
}

/// How an agency lent its agents.
#[derive(Clone, PartialEq, Debug)]
pub struct Lent {
    /// The agency.
    pub agency: Arc<str>,
    /// How many agents were on loan, on average over the day.
    pub mean: Figure,
    /// The most at once.
    pub most: u32,
}

/// What the days come to.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// All calls, then those of each queue, then those of each language.
    pub groups: Vec<Group>,
    /// By hour.
    pub hours: Vec<Hour>,
    /// All queues together, and by queue.
    pub estimates: Vec<(Arc<str>, Estimates)>,
    /// A sample of estimates beside what happened.
    pub points: Vec<Point>,
    /// Callers per day who found their entry closed; they are counted nowhere else.
    pub found_closed: f64,
    /// The agencies that lend within limits.
    pub lent: Vec<Lent>,
    /// How many days were played.
    pub days: usize,
}

impl Outlook {
    /// Sums up the sheets of a day.
    #[must_use]
    pub fn of(day: &Day, sheets: &[Sheet]) -> Self {
        let queue_name = |queue: QueueId| -> Arc<str> {
            let rules = day.scene.directory.queues.get(queue.index()).and_then(Option::as_ref);
            rules.map_or_else(|| "?".into(), |rules| rules.name.clone())
        };
        let language_name = |language: Option<SkillId>| -> Arc<str> {
            let known = day.languages.iter().find(|(known, _)| Some(*known) == language);
            known.map_or_else(|| "none".into(), |(_, name)| name.clone())
        };
        let mut whose = vec![(Whose::All, "all".into())];
        let streams = &day.scene.streams;
        let mut queues: Vec<QueueId> = streams.iter().map(|stream| stream.queue).collect();
        queues.sort_unstable();
        queues.dedup();
        whose.extend(queues.iter().map(|queue| (Whose::Queue(*queue), queue_name(*queue))));
        let mut languages: Vec<Option<SkillId>> = streams.iter().map(|stream| stream.language).collect();
        languages.sort_unstable();
        languages.dedup();
        whose.extend(languages.iter().map(|language| (Whose::Language(*language), language_name(*language))));
        let group = |(whose, name): (Whose, Arc<str>)| {
            let among = |index: &usize| match &whose {
                Whose::All => true,
                Whose::Queue(queue) => streams[*index].queue == *queue,
                Whose::Language(language) => streams[*index].language == *language,
            };
            let sum = |sheet: &Sheet| {
                let mut total = Cell::default();
                (0..streams.len()).filter(among).for_each(|stream| total.add(&sheet.total(stream)));
                total
            };
            let days = sheets.iter().map(sum).collect();
            Group { whose, name, days }
        };
        let mut estimates = vec![("all".into(), estimates_of(sheets, |_| true))];
        estimates.extend(queues.iter().map(|queue| (queue_name(*queue), estimates_of(sheets, |index| index == queue.index()))));
        Outlook {
            groups: whose.into_iter().map(group).collect(),
            hours: hours(day, sheets),
            estimates,
            found_closed: sheets.iter().map(|sheet| f64::from(sheet.found_closed)).sum::<f64>() / sheets.len().max(1) as f64,
            lent: lent(day, sheets),
            points: sheets.iter().flat_map(|sheet| sheet.points.iter().copied()).collect(),
            days: sheets.len(),
        }
    }

    /// The calls of a group.
    #[must_use]
    pub fn group(&self, whose: &Whose) -> Option<&Group> {
        self.groups.iter().find(|group| group.whose == *whose)
    }

    /// The floors that do not hold, each with a sentence that says so.
    #[must_use]
    pub fn broken<'f>(&self, floors: &'f [Floor]) -> Vec<(&'f Floor, String)> {
        let tell = |floor: &'f Floor| {
            let group = self.group(&floor.whose)?;
            let figure = group.figure(floor.measure);
            let holds = if floor.measure.is_good() { figure.value >= floor.bound } else { figure.value <= floor.bound };
            let (low, high) = figure.interval();
            let [value, low, high, bound] = [figure.value, low, high, floor.bound].map(|value| floor.measure.written(value));
            let around = if figure.half_width.is_finite() { format!(" ({low} to {high})") } else { String::new() };
            let side = if floor.measure.is_good() { "at least" } else { "at most" };
            let label = floor.measure.label();
            let text = format!("{}: {label} is {value}{around}, and shall be {side} {bound}", group.name);
            (!holds).then_some((floor, text))
        };
        floors.iter().filter_map(tell).collect()
    }

    /// As a JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let group = |group: &Group| {
            let mut object = json!({ "name": &*group.name, "offered": group.offered() });
            match group.whose {
                Whose::All => {}
                Whose::Queue(_) => object["of"] = json!("queue"),
                Whose::Language(_) => object["of"] = json!("language"),
            }
            Measure::ALL.iter().for_each(|measure| put(&mut object, measure.label(), &group.figure(*measure)));
            object
        };
        let hour = |hour: &Hour| {
            let mut object = json!({ "clock": hour.clock, "offered": hour.offered, "agents": hour.agents });
            put(&mut object, "mean_wait_s", &hour.mean_wait_s);
            put(&mut object, "service_level", &hour.service_level);
            put(&mut object, "occupancy", &hour.occupancy);
            object
        };
        let estimates = |(name, estimates): &(Arc<str>, Estimates)| {
            let mut object = json!({ "name": &**name, "scored": estimates.scored, "unknown": estimates.unknown });
            put(&mut object, "within_share", &estimates.within);
            object
        };
        let lent = |lent: &Lent| {
            let mut object = json!({ "agency": &*lent.agency, "most": lent.most });
            put(&mut object, "agents", &lent.mean);
            object
        };
        json!({
            "days": self.days,
            "groups": self.groups.iter().map(group).collect::<Vec<_>>(),
            "hours": self.hours.iter().map(hour).collect::<Vec<_>>(),
            "estimates": self.estimates.iter().map(estimates).collect::<Vec<_>>(),
            "found_closed": self.found_closed,
            "lent": self.lent.iter().map(lent).collect::<Vec<_>>(),
        })
    }
}

/// Puts a figure under its name, and its 95% interval beside it, if there is one.
fn put(object: &mut Value, name: &str, figure: &Figure) {
    let (low, high) = figure.interval();
    object[name] = json!(figure.value);
    object[format!("{name}_ci95")] = if figure.half_width.is_finite() { json!([low, high]) } else { Value::Null };
}

/// What another configuration changes, as a JSON object.
#[must_use]
pub fn changes_to_json(before: &Outlook, after: &Outlook) -> Value {
    let change = |(group, was): (&Group, &Group)| {
        let mut object = json!({ "name": &*group.name });
        for measure in Measure::ALL {
            put(&mut object, measure.label(), &group.change(was, measure));
        }
        object
    };
    after.pairs_with(before).map(change).collect()
}

impl Outlook {
    /// Each group with the same group of `other`.
    pub fn pairs_with<'o>(&'o self, other: &'o Outlook) -> impl Iterator<Item = (&'o Group, &'o Group)> {
        self.groups.iter().filter_map(|group| Some((group, other.group(&group.whose)?)))
    }
}

fn hours(day: &Day, sheets: &[Sheet]) -> Vec<Hour> {
    let quarters = sheets.first().map_or(0, |sheet| sheet.work.len());
    let one = |first: usize| {
        let until = (first + QUARTERS).min(quarters);
        let cells: Vec<Cell> = sheets
            .iter()
            .map(|sheet| {
                let mut cell = Cell::default();
                sheet.cells.iter().flat_map(|stream| &stream[first..until]).for_each(|quarter| cell.add(quarter));
                cell
            })
            .collect();
        let figure = |measure: Measure| Figure::ratio(&cells.iter().map(|cell| measure.of(cell)).collect::<Vec<_>>());
        let work: Vec<(f64, f64)> = sheets
            .iter()
            .map(|sheet| {
                let quarters = || sheet.work[first..until].iter();
                (quarters().map(|work| work.busy_s).sum(), quarters().map(|work| work.here_s).sum())
            })
            .collect();
        let days = sheets.len() as f64;
        let here_s: f64 = work.iter().map(|(_, here_s)| here_s).sum();
        Hour {
            clock: (day.begins.as_secs_f64() / 3600.0 + first as f64 / QUARTERS as f64) % 24.0,
            offered: cells.iter().map(|cell| f64::from(cell.offered)).sum::<f64>() / days,
            mean_wait_s: figure(Measure::MeanWait),
            service_level: figure(Measure::ServiceLevel),
            agents: here_s / days / ((until - first) as f64 * super::scene::QUARTER.as_secs_f64()),
            occupancy: Figure::ratio(&work),
        }
    };
    (0..quarters).step_by(QUARTERS).map(one).collect()
}

fn lent(day: &Day, sheets: &[Sheet]) -> Vec<Lent> {
    let lends = day.scene.directory.lending.iter().enumerate().filter(|(_, lending)| lending.is_some());
    let of = |(agency, _): (usize, _)| {
        let means: Vec<f64> = sheets.iter().map(|sheet| sheet.loans[agency].lent_s / day.length.as_secs_f64()).collect();
        Lent {
            agency: day.agencies.get(agency).cloned().unwrap_or_else(|| "?".into()),
            mean: Figure::mean(&means),
            most: sheets.iter().map(|sheet| sheet.loans[agency].most).max().unwrap_or(0),
        }
    };
    lends.map(of).collect()
}

fn estimates_of(sheets: &[Sheet], of: impl Fn(usize) -> bool) -> Estimates {
    let sum = |sheet: &Sheet| {
        let mut sum = Estimated::default();
        for (_, estimated) in sheet.estimated.iter().enumerate().filter(|(queue, _)| of(*queue)) {
            sum.iter_mut().zip(estimated).for_each(|(sum, count)| *sum += count);
        }
        sum.map(f64::from)
    };
    let days: Vec<_> = sheets.iter().map(sum).collect();
    let count = |day: &[f64; EstimateOutcome::ALL.len()], outcome: EstimateOutcome| day[outcome.index()];
    let scored = |day: &[f64; EstimateOutcome::ALL.len()]| day.iter().sum::<f64>() - count(day, EstimateOutcome::Unknown);
    let mean =
        |of: &dyn Fn(&[f64; EstimateOutcome::ALL.len()]) -> f64| days.iter().map(of).sum::<f64>() / days.len().max(1) as f64;
    Estimates {
        within: Figure::ratio(&days.iter().map(|day| (count(day, EstimateOutcome::Within), scored(day))).collect::<Vec<_>>()),
        scored: mean(&scored),
        unknown: mean(&|day| count(day, EstimateOutcome::Unknown)),
    }
}
