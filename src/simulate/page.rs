//! The page that shows an outlook: plots by the hour, estimates beside what happened, and a table. It is a single file
//! without references.

use std::fmt::Write as _;

use super::day::Day;
use super::outlook::{Group, Hour, Measure, Outlook, Whose};
use super::stats::Figure;

const STYLE: &str = "
:root { --ink: #1c2330; --soft: #667085; --rule: #d9dee7; --paper: #fff; --one: #1f6feb; --band: #1f6feb26; --other: #b4540a; --bad: #c0262d; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7ebf2; --soft: #98a2b3; --rule: #344054; --paper: #11161f; --one: #6ea8fe; --band: #6ea8fe2e; --other: #f0a35e; --bad: #ff7b80; }
}
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
h2 { font-size: 1rem; margin: 0 0 .5rem; }
p { margin: .25rem 0; color: var(--soft); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 2rem; margin: 2rem 0; }
figure { margin: 0; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.axis { stroke: var(--rule); stroke-width: 1; }
.one { stroke: var(--one); stroke-width: 2; fill: none; }
.other { stroke: var(--other); stroke-width: 2; fill: none; stroke-dasharray: 5 4; }
.band { fill: var(--band); stroke: none; }
.in { fill: var(--one); fill-opacity: .45; }
.out { fill: var(--bad); fill-opacity: .6; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; color: var(--soft); }
td small { color: var(--soft); display: block; }
.bad { color: var(--bad); }
";

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 240.0;
/// Room for the labels of the axes.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

/// The page; `before` is the outlook that it is compared with.
#[must_use]
pub fn page(title: &str, day: &Day, outlook: &Outlook, before: Option<&Outlook>) -> String {
    let all = outlook.group(&Whose::All);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <p>{} days of {:.1} hours, {:.0} calls a day. Shaded: the 95% interval.{}</p>\n",
        outlook.days,
        day.length.as_secs_f64() / 3600.0,
        all.map_or(0.0, Group::offered),
        if before.is_some() { " Dashed: before the change." } else { "" },
        title = escaped(title),
    );
    for note in &day.notes {
        let _ = writeln!(text, "<p>{}</p>", escaped(note));
    }
    for (_, broken) in outlook.broken(&day.floors) {
        let _ = writeln!(text, "<p class=\"bad\">A floor breaks: {}</p>", escaped(&broken));
    }
    text.push_str("<div class=\"plots\">\n");
    let seconds = |value: f64| format!("{value:.0} s");
    let percent = |value: f64| format!("{:.0}%", value * 100.0);
    let mut by_hour = |name: &str, written: &dyn Fn(f64) -> String, max: Option<f64>, of: fn(&Hour) -> Figure| {
        text += &by_hour(name, written, max, (outlook, before), of);
    };
    by_hour("Mean wait by hour", &seconds, None, |hour| hour.mean_wait_s);
    by_hour("Service level by hour", &percent, Some(1.0), |hour| hour.service_level);
    by_hour("Occupancy by hour", &percent, Some(1.0), |hour| hour.occupancy);
    text += &estimates(outlook);
    text.push_str("</div>\n");
    text += &table(outlook, before);
    if outlook.found_closed > 0.0 {
        let _ = writeln!(text, "<p>{:.0} a day found their entry closed, and are not among these.</p>", outlook.found_closed);
    }
    for lent in &outlook.lent {
        let name = escaped(&lent.agency);
        let _ = writeln!(text, "<p>On loan, of {name}: {:.2} agents in the mean, {} at most.</p>", lent.mean.value, lent.most);
    }
    text.push_str("</body>\n</html>\n");
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Steps of 1, 2 or 5 times a power of ten, some five of them up to `max`.
fn step(max: f64) -> f64 {
    let rough = (max / 4.0).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough * 0.999).unwrap_or(10.0);
    factor * power
}

fn by_hour(
    title: &str,
    written: &dyn Fn(f64) -> String,
    max: Option<f64>,
    (outlook, before): (&Outlook, Option<&Outlook>),
    of: fn(&Hour) -> Figure,
) -> String {
    let hours = &outlook.hours;
    let drawn = |hours: &[Hour]| hours.iter().map(|hour| (of(hour), hour.offered > 0.0 || hour.agents > 0.0)).collect::<Vec<_>>();
    let (now, was) = (drawn(hours), before.map(|before| drawn(&before.hours)));
    let top = now.iter().chain(was.iter().flatten()).map(|(figure, _)| figure.value).fold(0.0, f64::max);
    let max = max.unwrap_or(if top > 0.0 { top * 1.15 } else { 1.0 });
    let count = hours.len().max(1) as f64;
    let x = |hour: f64| LEFT + (WIDTH - LEFT - RIGHT) * hour / count;
    let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (value / max).clamp(0.0, 1.0));
    let mut svg = String::new();
    let (mut tick, step) = (0.0, step(max));
    while tick <= max * 1.001 {
        let (at, label) = (y(tick), written(tick));
        let _ = write!(svg, "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>", WIDTH - RIGHT);
        let _ = write!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", LEFT - 6.0, at + 4.0);
        tick += step;
    }
    let every = (hours.len() / 8).max(1);
    for (index, hour) in hours.iter().enumerate().step_by(every) {
        let (clock, at) = (hour.clock as u32, x(index as f64 + 0.5));
        let _ = write!(svg, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{clock:02}:00</text>", HEIGHT - 8.0);
    }
    let line = |figures: &[(Figure, bool)]| {
        let points = figures.iter().enumerate().filter(|(_, (_, known))| *known);
        points.map(|(index, (figure, _))| format!("{:.1},{:.1} ", x(index as f64 + 0.5), y(figure.value))).collect::<String>()
    };
    let edge = |side: f64| {
        now.iter().enumerate().filter(|(_, (_, known))| *known).map(move |(index, (figure, _))| {
            let width = if figure.half_width.is_finite() { figure.half_width } else { 0.0 };
            (index as f64 + 0.5, figure.value + side * width)
        })
    };
    let mut around: Vec<(f64, f64)> = edge(1.0).collect();
    around.extend(edge(-1.0).collect::<Vec<_>>().into_iter().rev());
    let band: String = around.iter().map(|(hour, value)| format!("{:.1},{:.1} ", x(*hour), y(*value))).collect();
    let _ = write!(svg, "<polygon class=\"band\" points=\"{band}\"/>");
    if let Some(was) = &was {
        let _ = write!(svg, "<polyline class=\"other\" points=\"{}\"/>", line(was));
    }
    let _ = write!(svg, "<polyline class=\"one\" points=\"{}\"/>", line(&now));
    figure(title, "", &svg)
}

fn figure(title: &str, caption: &str, svg: &str) -> String {
    format!(
        "<figure>\n<h2>{title}</h2>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">{svg}</svg>\n<p>{caption}</p>\n</figure>\n"
    )
}

/// Estimates against what happened, both on logarithmic axes.
fn estimates(outlook: &Outlook) -> String {
    let most = outlook.points.iter().map(|point| point.likely_s.max(point.waited_s)).fold(10.0, f64::max);
    let decades = most.log10().ceil();
    let share = |value: f64| (value.max(1.0).log10() / decades).clamp(0.0, 1.0);
    let x = |value: f64| LEFT + (WIDTH - LEFT - RIGHT) * share(value);
    let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share(value));
    let mut svg = String::new();
    for decade in 0..=decades as i32 {
        let value = 10_f64.powi(decade);
        let (across, up) = (x(value), y(value));
        let _ = write!(svg, "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{up:.1}\" y2=\"{up:.1}\"/>", WIDTH - RIGHT);
        let _ = write!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.0} s</text>", LEFT - 6.0, up + 4.0);
        let anchor = if decade == 0 { "start" } else { "end" };
        let _ = write!(svg, "<text x=\"{across:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{value:.0} s</text>", HEIGHT - 8.0);
    }
    let (low, high) = (1.0, 10_f64.powf(decades));
    let _ = write!(
        svg,
        "<line class=\"axis\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        x(low),
        y(low),
        x(high),
        y(high)
    );
    // How many points are drawn.
    const DRAWN_MAX: usize = 2_000;
    let every = outlook.points.len().div_ceil(DRAWN_MAX).max(1);
    for point in outlook.points.iter().step_by(every) {
        let class = if point.within { "in" } else { "out" };
        let (across, up) = (x(point.likely_s), y(point.waited_s));
        let _ = write!(svg, "<circle class=\"{class}\" cx=\"{across:.1}\" cy=\"{up:.1}\" r=\"2\"/>");
    }
    let caption = outlook.estimates.first().map_or(String::new(), |(_, all)| {
        format!(
            "Across: the likely wait as a caller joined; up: the wait. {:.1}% of {:.0} a day were in the range that shall hold 80% (red: \
             outside); of {:.0} nothing was known.",
            all.within.value * 100.0,
            all.scored,
            all.unknown
        )
    });
    figure("Estimates beside what happened", &caption, &svg)
}

fn table(outlook: &Outlook, before: Option<&Outlook>) -> String {
    let mut text = "<table>\n<tr><th></th><th>calls a day</th>".to_owned();
    for measure in Measure::ALL {
        let _ = write!(text, "<th>{}</th>", measure.label().trim_end_matches("_s").replace('_', " "));
    }
    text.push_str("</tr>\n");
    for group in &outlook.groups {
        let name = escaped(&group.title());
        let _ = write!(text, "<tr><td>{name}</td><td>{:.0}</td>", group.offered());
        for measure in Measure::ALL {
            let figure = group.figure(measure);
            let (low, high) = figure.interval();
            let bounds = match before.and_then(|before| before.group(&group.whose)) {
                Some(was) => {
                    let change = group.change(was, measure);
                    let sure = if change.holds(0.0) { "" } else { " *" };
                    let sign = if change.value < 0.0 { "" } else { "+" };
                    format!("{sign}{}{sure}", measure.written(change.value))
                }
                None if figure.half_width.is_finite() => format!("{} to {}", measure.written(low), measure.written(high)),
                None => String::new(),
            };
            let _ = write!(text, "<td>{}<small>{bounds}</small></td>", measure.written(figure.value));
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</table>\n");
    if before.is_some() {
        text.push_str("<p>Below each figure: its change; * where the 95% interval does not hold zero.</p>\n");
    }
    text
}
