//! How a value of each type stands in a line of the log: one implementation for each type, not one for each fact.
//!
//! A [`Value`] stands under one key. A [`Field`] of a fact is one value, or several side by side: lines are flat. An
//! absent value is left out. A value of another type than expected counts as absent, but an unknown word is an error.

use std::time::Duration;

use super::decode::BadLine;
use super::encode::Line;
use super::fact::NextSegment;
use super::family::Text;
use super::scan::Fields;
use crate::base::words::Word;
use crate::base::{ContactId, Estimate, Range, Time, Weighed};

/// The key of a value.
pub(super) type Key = &'static str;

/// A value that stands under one key.
pub(super) trait Value<'a>: Sized {
    /// Appends it.
    fn write(&self, key: Key, line: &mut Line<'_>);

    /// Finds it, if it is there.
    fn find(key: Key, line: &mut Fields<'a>) -> Result<Option<Self>, BadLine>;
}

/// A field of a fact.
pub(super) trait Field<'a>: Sized {
    /// The keys that it stands under; `()` if it brings its own.
    type Keys;

    /// Appends it.
    fn write(&self, keys: Self::Keys, line: &mut Line<'_>);

    /// Reads it.
    fn read(keys: Self::Keys, line: &mut Fields<'a>) -> Result<Self, BadLine>;
}

impl<'a> Value<'a> for Text<'a> {
    fn write(&self, key: Key, line: &mut Line<'_>) {
        line.text(key, self);
    }

    fn find(key: Key, line: &mut Fields<'a>) -> Result<Option<Self>, BadLine> {
        Ok(line.text(key))
    }
}

impl<'a, W: Word> Value<'a> for W {
    fn write(&self, key: Key, line: &mut Line<'_>) {
        line.plain(key, self.label().as_bytes());
    }

    fn find(key: Key, line: &mut Fields<'a>) -> Result<Option<Self>, BadLine> {
        line.text(key).map(|text| W::from_label(&text).ok_or(BadLine::Field(key))).transpose()
    }
}

impl<'a> Value<'a> for ContactId {
    fn write(&self, key: Key, line: &mut Line<'_>) {
        line.plain(key, &self.text());
    }

    fn find(key: Key, line: &mut Fields<'a>) -> Result<Option<Self>, BadLine> {
        line.text(key).map(|text| text.parse().map_err(|_| BadLine::Field(key))).transpose()
    }
}

impl<'a> Value<'a> for bool {
    fn write(&self, key: Key, line: &mut Line<'_>) {
        line.flag(key, *self);
    }

    fn find(key: Key, line: &mut Fields<'a>) -> Result<Option<Self>, BadLine> {
        Ok(line.flag(key))
    }
}

macro_rules! numbers {
    ($($number:ty),+) => {
        $(impl<'a> Value<'a> for $number {
            fn write(&self, key: Key, line: &mut Line<'_>) {
                line.number(key, u64::from(*self));
            }

            fn find(key: Key, line: &mut Fields<'a>) -> Result<Option<Self>, BadLine> {
                Ok(line.number(key))
            }
        })+
    };
}

numbers!(u16, u32, u64);

/// Microseconds since the Unix epoch.
impl<'a> Value<'a> for Time {
    fn write(&self, key: Key, line: &mut Line<'_>) {
        line.number(key, self.micros());
    }

    fn find(key: Key, line: &mut Fields<'a>) -> Result<Option<Self>, BadLine> {
        Ok(line.number(key).map(Time::from_micros))
    }
}

/// Microseconds: the key ends in `_us`.
impl<'a> Value<'a> for Duration {
    fn write(&self, key: Key, line: &mut Line<'_>) {
        line.number(key, u64::try_from(self.as_micros()).unwrap_or(u64::MAX));
    }

    fn find(key: Key, line: &mut Fields<'a>) -> Result<Option<Self>, BadLine> {
        Ok(line.number(key).map(Duration::from_micros))
    }
}

/// A value that must be there.
impl<'a, V: Value<'a>> Field<'a> for V {
    type Keys = Key;

    fn write(&self, key: Key, line: &mut Line<'_>) {
        Value::write(self, key, line);
    }

    fn read(key: Key, line: &mut Fields<'a>) -> Result<Self, BadLine> {
        V::find(key, line)?.ok_or(BadLine::Field(key))
    }
}

impl<'a, V: Value<'a>> Field<'a> for Option<V> {
    type Keys = Key;

    fn write(&self, key: Key, line: &mut Line<'_>) {
        if let Some(value) = self {
            value.write(key, line);
        }
    }

    fn read(key: Key, line: &mut Fields<'a>) -> Result<Self, BadLine> {
        V::find(key, line)
    }
}

/// A state with its reason, say.
impl<'a, A: Field<'a, Keys = Key>, B: Field<'a, Keys = Key>> Field<'a> for (A, B) {
    type Keys = (Key, Key);

    fn write(&self, keys: (Key, Key), line: &mut Line<'_>) {
        self.0.write(keys.0, line);
        self.1.write(keys.1, line);
    }

    fn read(keys: (Key, Key), line: &mut Fields<'a>) -> Result<Self, BadLine> {
        Ok((A::read(keys.0, line)?, B::read(keys.1, line)?))
    }
}

/// Packets received, sent and lost, say.
impl<'a, A: Value<'a>, B: Value<'a>, C: Value<'a>> Field<'a> for (A, B, C) {
    type Keys = (Key, Key, Key);

    fn write(&self, keys: (Key, Key, Key), line: &mut Line<'_>) {
        self.0.write(keys.0, line);
        self.1.write(keys.1, line);
        self.2.write(keys.2, line);
    }

    fn read(keys: (Key, Key, Key), line: &mut Fields<'a>) -> Result<Self, BadLine> {
        Ok((A::read(keys.0, line)?, B::read(keys.1, line)?, C::read(keys.2, line)?))
    }
}

/// The segment that follows, if one does, with its queue and its agent.
impl<'a> Field<'a> for Option<NextSegment<'a>> {
    type Keys = (Key, Key, Key);

    fn write(&self, (segment, queue, agent): (Key, Key, Key), line: &mut Line<'_>) {
        if let Some(next) = self {
            Field::write(&next.segment, segment, line);
            Field::write(&next.queue, queue, line);
            Field::write(&next.agent, agent, line);
        }
    }

    fn read((segment, queue, agent): (Key, Key, Key), line: &mut Fields<'a>) -> Result<Self, BadLine> {
        let Some(segment) = Value::find(segment, line)? else { return Ok(None) };
        Ok(Some(NextSegment { segment, queue: Field::read(queue, line)?, agent: Field::read(agent, line)? }))
    }
}

impl<'a> Field<'a> for Weighed {
    type Keys = ();

    fn write(&self, (): (), line: &mut Line<'_>) {
        line.number("map", self.map_version).number("free", self.free.into()).number("busy", self.busy.into());
        line.number("on_break", self.on_break.into()).number("offline", self.offline.into());
        // Few installations lend agents, so these fields are mostly left out.
        if self.lent + self.kept > 0 {
            line.number("lent", self.lent.into()).number("kept", self.kept.into());
        }
    }

    fn read((): (), line: &mut Fields<'a>) -> Result<Self, BadLine> {
        // Lines that were written before the ledger have none of these fields.
        Ok(Weighed {
            map_version: line.number("map").unwrap_or(0),
            free: line.number("free").unwrap_or(0),
            busy: line.number("busy").unwrap_or(0),
            on_break: line.number("on_break").unwrap_or(0),
            offline: line.number("offline").unwrap_or(0),
            lent: line.number("lent").unwrap_or(0),
            kept: line.number("kept").unwrap_or(0),
        })
    }
}

impl<'a> Field<'a> for Estimate {
    type Keys = ();

    fn write(&self, (): (), line: &mut Line<'_>) {
        match self {
            Estimate::Needless => {}
            Estimate::Unknown => line.plain("estimate", b"unknown"),
            Estimate::Known(Range { low, likely, high }) => {
                Value::write(low, "estimate_low_us", line);
                Value::write(likely, "estimate_us", line);
                Value::write(high, "estimate_high_us", line);
            }
        }
    }

    fn read((): (), line: &mut Fields<'a>) -> Result<Self, BadLine> {
        // Lines that were written before there were estimates have none.
        let mut span = |key| line.number(key).map(Duration::from_micros);
        Ok(match (span("estimate_low_us"), span("estimate_us"), span("estimate_high_us")) {
            (Some(low), Some(likely), Some(high)) => Estimate::Known(Range { low, likely, high }),
            _ if line.text("estimate").is_some() => Estimate::Unknown,
            _ => Estimate::Needless,
        })
    }
}
