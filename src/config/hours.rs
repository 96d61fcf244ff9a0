//! Reads opening hours: `zone`, `week = ["mon-fri 09:00-18:00"]`, `exceptions = ["2026-12-25 closed"]`.

use jiff::civil::{Date, Time as Clock, Weekday};

use super::problem::Kind;
use super::reader::Section;
use crate::call::hours::{Hours, Span};

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Reads a table `hours`; `None` if it has a mistake.
pub(super) fn read(section: &Section<'_>) -> Option<Hours> {
    let zone = section.needed("zone", "\"Asia/Seoul\"").and_then(|value| value.read(|name| section.report.zones.get(name)));
    let mut week = Vec::new();
    if let Some(value) = section.needed("week", "[\"mon-fri 09:00-18:00\"]") {
        let list = value.list("a list of days with hours");
        if list.is_empty() {
            value.bad("it would never be open", "write the days with their hours, such as \"mon-fri 09:00-18:00\"");
        }
        week = list.iter().filter_map(|value| value.read(days)).flatten().collect();
    }
    let mut exceptions: Vec<(Date, Vec<Span>)> = Vec::new();
    let listed = section.value("exceptions").map(|value| value.list("a list of dates")).unwrap_or_default();
    for value in listed {
        let Some((date, spans)) = value.read(exception) else { continue };
        if exceptions.iter().any(|(known, _)| *known == date) {
            let remedy = format!("write all hours of a date in one text: \"{date} 09:00-12:00 13:00-15:00\"");
            section.report.error(Kind::Duplicate, &value.spot, format!("{date} is an exception already"), remedy);
        }
        exceptions.push((date, spans));
    }
    section.done();
    Some(Hours { zone: zone?, week, exceptions })
}

/// `mon-fri 09:00-12:00 13:00-18:00`: days (one, a range, or several with commas) and their hours.
fn days(text: &str) -> Result<Vec<(Weekday, Span)>, String> {
    let remedy = || "write days and hours, such as \"mon-fri 09:00-18:00\", \"sat,sun 10:00-13:00\"".to_owned();
    let mut words = text.split_whitespace();
    let mut days = Vec::new();
    for part in words.next().ok_or_else(remedy)?.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first).ok_or_else(remedy)?, day(last).ok_or_else(remedy)?);
        // From sat to mon spans the end of the week.
        let count = (last + 7 - first) % 7 + 1;
        days.extend((first..first + count).map(|day| DAYS[day % 7].1));
    }
    let spans = words.map(span).collect::<Result<Vec<_>, _>>()?;
    if spans.is_empty() {
        return Err(remedy());
    }
    Ok(days.iter().flat_map(|day| spans.iter().map(|span| (*day, *span))).collect())
}

fn day(text: &str) -> Option<usize> {
    DAYS.iter().position(|(name, _)| name.eq_ignore_ascii_case(text))
}

/// `2026-12-25 closed`, `2026-12-31 09:00-12:00`.
fn exception(text: &str) -> Result<(Date, Vec<Span>), String> {
    let remedy = || "write a date with its hours or closed: \"2026-12-25 closed\", \"2026-12-31 09:00-12:00\"".to_owned();
    let (date, hours) = text.trim().split_once(' ').ok_or_else(remedy)?;
    let date: Date = date.parse().map_err(|_| remedy())?;
    if hours.trim() == "closed" {
        return Ok((date, Vec::new()));
    }
    let spans = hours.split_whitespace().map(span).collect::<Result<Vec<_>, _>>()?;
    if spans.is_empty() { Err(remedy()) } else { Ok((date, spans)) }
}

fn span(text: &str) -> Result<Span, String> {
    let remedy = || "write hours as \"09:00-18:00\", to \"24:00\" for the end of the day".to_owned();
    let (from, to) = text.split_once('-').ok_or_else(remedy)?;
    let (from, to) =
        (clock(from).ok_or_else(remedy)?, if to == "24:00" { Clock::midnight() } else { clock(to).ok_or_else(remedy)? });
    // An end of midnight is the end of the day.
    if from >= to && to != Clock::midnight() {
        let (from, to) = (from.strftime("%H:%M"), to.strftime("%H:%M"));
        return Err(format!(
            "write a span that ends after it begins; over midnight it is two: \"{from}-24:00\" and, the day after, \"00:00-{to}\""
        ));
    }
    Ok(Span { from, to })
}

pub(super) fn clock(text: &str) -> Option<Clock> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    Clock::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_hours() {
        let opened = |text: &str| days(text).unwrap().len();
        assert_eq!(opened("mon-fri 09:00-18:00"), 5);
        assert_eq!(opened("sat-mon 00:00-24:00"), 3);
        assert_eq!(opened("Tue,thu 09:00-12:00 13:00-18:00"), 4);
        for text in ["", "mon", "mon 9-18", "mon 09:00-09:00", "xyz 09:00-18:00", "mon 22:00-06:00", "mon 24:00-24:00", "mon-"] {
            assert!(days(text).is_err(), "{text}");
        }
        assert!(days("mon 22:00-06:00").unwrap_err().contains("22:00-24:00"));
    }

    #[test]
    fn dates() {
        assert_eq!(exception("2026-12-25 closed").unwrap().1.len(), 0);
        assert_eq!(exception("2026-12-31 09:00-12:00 13:00-14:00").unwrap().1.len(), 2);
        for text in ["2026-12-25", "2026-02-30 closed", "25.12.2026 closed", "2026-12-25 shut", ""] {
            assert!(exception(text).is_err(), "{text}");
        }
    }
}
