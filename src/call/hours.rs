//! Opening hours: a week of spans in a time zone, and exceptions by date.

use jiff::civil::{Date, DateTime, Time as Clock, Weekday};
use jiff::tz::TimeZone;

use crate::base::Time;

/// A span of a day, from its start to its end (exclusive). An end of midnight is the end of the day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The start.
    pub from: Clock,
    /// The end (exclusive).
    pub to: Clock,
}

impl Span {
    fn contains(&self, clock: Clock) -> bool {
        self.from <= clock && (clock < self.to || self.to == Clock::midnight())
    }
}

/// Opening hours.
#[derive(Clone, Debug)]
pub struct Hours {
    /// The time zone.
    pub zone: TimeZone,
    /// The week: the spans of each weekday. A weekday without a span is closed.
    pub week: Vec<(Weekday, Span)>,
    /// Dates with other spans; without a span they are closed all day.
    pub exceptions: Vec<(Date, Vec<Span>)>,
}

impl Hours {
    /// Whether it is open at `now`.
    #[must_use]
    pub fn open_at(&self, now: Time) -> bool {
        let Ok(moment) = jiff::Timestamp::from_microsecond(i64::try_from(now.micros()).unwrap_or(i64::MAX)) else { return true };
        self.open_by_the_clock(self.zone.to_datetime(moment))
    }

    /// Whether it is open at the local time `local`.
    #[must_use]
    pub fn open_by_the_clock(&self, local: DateTime) -> bool {
        if let Some((_, spans)) = self.exceptions.iter().find(|(date, _)| *date == local.date()) {
            return spans.iter().any(|span| span.contains(local.time()));
        }
        self.week.iter().any(|(day, span)| *day == local.weekday() && span.contains(local.time()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{date, time};
    use jiff::tz::Offset;

    fn at(text: &str) -> Time {
        Time::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond() as u64)
    }

    #[test]
    fn the_week_holds_in_its_zone_and_exceptions_go_first() {
        let span = |from, to| Span { from, to };
        let hours = Hours {
            zone: TimeZone::fixed(Offset::constant(9)),
            week: vec![
                (Weekday::Monday, span(time(9, 0, 0, 0), time(18, 0, 0, 0))),
                (Weekday::Tuesday, span(time(9, 0, 0, 0), time(0, 0, 0, 0))),
            ],
            exceptions: vec![(date(2026, 11, 30), vec![]), (date(2026, 12, 6), vec![span(time(10, 0, 0, 0), time(12, 0, 0, 0))])],
        };
        // Monday 23 November 2026 in Seoul (UTC+9).
        assert!(!hours.open_at(at("2026-11-22T23:59:59Z")));
        assert!(hours.open_at(at("2026-11-23T00:00:00Z")));
        assert!(!hours.open_at(at("2026-11-23T09:00:00Z")));
        assert!(hours.open_at(at("2026-11-24T14:59:59Z")), "until midnight");
        assert!(!hours.open_at(at("2026-11-30T03:00:00Z")), "a closed Monday");
        assert!(hours.open_at(at("2026-12-06T02:00:00Z")), "an open Sunday");
    }
}
