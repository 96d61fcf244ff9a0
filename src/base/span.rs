//! Spans of time and shares of calls, drawn by chance: as people write them, and as they are drawn.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::seed::Seed;

/// A span that differs from call to call.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Span {
    /// It never ends.
    Never,
    /// Always the same.
    Const(Duration),
    /// Exponential with this mean, as waiting and talking tend to be.
    Exp(Duration),
    /// Anything between the two, each as likely.
    Uniform(Duration, Duration),
    /// Lognormal with this mean and standard deviation, as talks are measured to be (Brown et al., 2005).
    LogNormal(Duration, Duration),
}

/// Text that is no span, share or list of keys; what to write instead.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadSpan(pub &'static str);

impl Span {
    /// One span; `None` when it never ends.
    pub fn draw(self, seed: &mut Seed) -> Option<Duration> {
        match self {
            Span::Never => None,
            Span::Const(span) => Some(span),
            Span::Exp(mean) => Some(mean.mul_f64(-(1.0 - seed.unit()).ln())),
            Span::Uniform(from, to) => Some(from + to.saturating_sub(from).mul_f64(seed.unit())),
            Span::LogNormal(mean, deviation) => {
                let relative = deviation.as_secs_f64() / mean.as_secs_f64().max(1e-9);
                let variance = (relative * relative).ln_1p();
                // Box and Muller; the second value is not kept, so that each draw takes as much of the seed.
                let radius = (-2.0 * (1.0 - seed.unit()).ln()).sqrt();
                let normal = radius * (std::f64::consts::TAU * seed.unit()).cos();
                Some(mean.mul_f64((variance.sqrt() * normal - variance / 2.0).exp()))
            }
        }
    }

    /// The mean; `None` when it never ends.
    #[must_use]
    pub fn mean(self) -> Option<Duration> {
        match self {
            Span::Never => None,
            Span::Const(mean) | Span::Exp(mean) | Span::LogNormal(mean, _) => Some(mean),
            Span::Uniform(from, to) => Some((from + to) / 2),
        }
    }
}

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        const HELP: BadSpan =
            BadSpan("write exp:60s, const:30s, uniform:5s-20s, lognormal:180s/120s (mean and deviation), or none");
        match text.split_once(':') {
            None if text == "none" => Ok(Span::Never),
            None => duration(text).map(Span::Const).map_err(|_| HELP),
            Some(("const", span)) => Ok(Span::Const(duration(span)?)),
            Some(("exp", span)) => Ok(Span::Exp(duration(span)?)),
            Some(("uniform", spans)) => {
                let (from, to) = spans.split_once('-').ok_or(HELP)?;
                let (from, to) = (duration(from)?, duration(to)?);
                if from <= to { Ok(Span::Uniform(from, to)) } else { Err(HELP) }
            }
            Some(("lognormal", spans)) => {
                let (mean, deviation) = spans.split_once('/').ok_or(HELP)?;
                let (mean, deviation) = (duration(mean)?, duration(deviation)?);
                // Ten times the mean is more than any talk scatters, and still a number.
                let sane = !mean.is_zero() && deviation <= mean * 10;
                if sane { Ok(Span::LogNormal(mean, deviation)) } else { Err(HELP) }
            }
            Some(_) => Err(HELP),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Span::Never => f.write_str("none"),
            Span::Const(span) => write!(f, "const:{span:?}"),
            Span::Exp(mean) => write!(f, "exp:{mean:?}"),
            Span::Uniform(from, to) => write!(f, "uniform:{from:?}-{to:?}"),
            Span::LogNormal(mean, deviation) => write!(f, "lognormal:{mean:?}/{deviation:?}"),
        }
    }
}

/// The units of time, from the greatest to the least, in milliseconds.
const UNITS: [(&str, u32); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A span of time as configurations and commands write it: `250ms`, `30s`, `1m30s`, `1.5h`, up to a year. The units go
/// from the greatest to the least, each once; the last number may have decimals.
///
/// # Errors
/// When it is written otherwise.
pub fn duration(text: &str) -> Result<Duration, BadSpan> {
    const HELP: BadSpan = BadSpan("write a span of time as 250ms, 30s, 1m30s or 2h");
    // A thousand times as much can be drawn, and is still a time.
    const YEAR: Duration = Duration::from_secs(366 * 86_400);
    let (mut rest, mut sum) = (text, Duration::ZERO);
    let mut units = UNITS.iter();
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(HELP)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, further) = after.split_at(letters);
        let (_, millis) = units.find(|(name, _)| *name == unit).ok_or(HELP)?;
        let whole =
            number.parse::<u64>().ok().and_then(|number| number.checked_mul(u64::from(*millis))).map(Duration::from_millis);
        let decimal = || {
            let number: f64 = number.parse().ok().filter(|_| further.is_empty())?;
            Duration::try_from_secs_f64(number * f64::from(*millis) / 1_000.0).ok()
        };
        sum = whole.or_else(decimal).and_then(|span| sum.checked_add(span)).filter(|sum| *sum <= YEAR).ok_or(HELP)?;
        rest = further;
    }
    Ok(sum)
}

/// Writes a span of time as [`duration`] reads it, to the millisecond.
#[must_use]
pub fn written(span: Duration) -> String {
    let mut rest = span.as_millis();
    let mut text = String::new();
    for (unit, millis) in UNITS {
        let millis = u128::from(millis);
        if rest >= millis {
            text += &format!("{}{unit}", rest / millis);
            rest %= millis;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A share of all calls, from none to all of them.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug, Default)]
pub struct Share(f64);

impl Share {
    /// None.
    pub const NONE: Share = Share(0.0);
    /// All.
    pub const ALL: Share = Share(1.0);

    /// So many of a hundred.
    #[must_use]
    pub fn percent(percent: f64) -> Share {
        Share((percent / 100.0).clamp(0.0, 1.0))
    }

    /// Whether this one is among them.
    pub fn draw(self, seed: &mut Seed) -> bool {
        seed.unit() < self.0
    }
}

impl FromStr for Share {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        const HELP: BadSpan = BadSpan("write a share as 5%, between 0% and 100%");
        let percent: f64 = text.strip_suffix('%').and_then(|number| number.parse().ok()).ok_or(HELP)?;
        if (0.0..=100.0).contains(&percent) { Ok(Share::percent(percent)) } else { Err(HELP) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0 * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_are_written_as_they_are_read() {
        for (text, millis) in [("20s", 20_000), ("1m30s", 90_000), ("200ms", 200), ("1d2h3m4s5ms", 93_784_005), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
            assert_eq!(written(Duration::from_millis(millis)), text);
        }
        for (text, millis) in [("1.5s", 1_500), ("0.5h", 1_800_000), ("1m0.25s", 60_250)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "20",
            "s",
            "1s1m",
            "1s1s",
            "-1s",
            "1.5m30s",
            "1..5s",
            ".s",
            "1 s",
            "5µs",
            "400d",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
