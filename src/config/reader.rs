//! Reads a TOML table key by key. A value of the wrong type is a problem, and so is a key that no reader asked for.
//!
//! It knows nothing of what the keys mean. It decodes by hand, since a derived decoder stops at the first mistake.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Kind, Report, Spot};
use super::{spell, values};
use crate::base::span;

/// Text, and its place.
#[derive(Clone, Debug)]
pub(super) struct Text<'r> {
    pub(super) text: &'r str,
    pub(super) spot: Spot,
}

/// A value, and its place.
#[derive(Clone)]
pub(super) struct Value<'r> {
    report: &'r Report<'r>,
    value: &'r DeValue<'r>,
    pub(super) spot: Spot,
}

impl<'r> Value<'r> {
    fn new(report: &'r Report<'r>, value: &'r Spanned<DeValue<'r>>, key: Rc<str>) -> Self {
        Value { report, value: value.get_ref(), spot: Spot { span: value.span(), key } }
    }

    /// Reports that the value has the wrong type.
    pub(super) fn wrong_type(&self, wanted: &str, remedy: &str) {
        let found = match self.value {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.report.error(Kind::WrongType, &self.spot, format!("this must be {wanted}, and is {found}"), remedy);
    }

    /// Reports that the value is impossible.
    pub(super) fn bad(&self, message: impl Into<String>, remedy: impl Into<String>) {
        self.report.error(Kind::BadValue, &self.spot, message, remedy);
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    pub(super) fn text(&self) -> Option<Text<'r>> {
        match self.value {
            DeValue::String(text) => Some(Text { text, spot: self.spot.clone() }),
            _ => {
                self.wrong_type("text", "write it in quotes: \"...\"");
                None
            }
        }
    }

    /// Text that is read by `read`, whose error says what to write instead.
    pub(super) fn read<T>(&self, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text()?;
        match read(text.text) {
            Ok(value) => Some(value),
            Err(remedy) => {
                self.bad(format!("{:?} cannot be used here", text.text), remedy);
                None
            }
        }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.wrong_type("true or false", "write true or false, without quotes");
        }
        flag
    }

    pub(super) fn number<T: TryFrom<u64>>(&self, range: RangeInclusive<u64>) -> Option<T> {
        let remedy = format!("write a whole number from {} to {}", range.start(), range.end());
        let DeValue::Integer(written) = self.value else {
            self.wrong_type("a whole number", &format!("{remedy}, without quotes"));
            return None;
        };
        let number = u64::from_str_radix(written.as_str(), written.radix()).ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.bad(format!("{written} is out of range"), remedy);
        }
        T::try_from(number?).ok()
    }

    pub(super) fn duration(&self, range: &RangeInclusive<Duration>) -> Option<Duration> {
        let within = format!("from \"{}\" to \"{}\"", span::written(*range.start()), span::written(*range.end()));
        if let DeValue::Integer(number) = self.value {
            self.wrong_type("a time with its unit", &format!("write \"{number}s\" for seconds: {within}"));
            return None;
        }
        let text = self.text()?;
        match span::duration(text.text) {
            Ok(duration) if range.contains(&duration) => Some(duration),
            Ok(_) => {
                self.bad(format!("{:?} is out of range", text.text), format!("write a time {within}"));
                None
            }
            Err(_) => {
                self.bad(format!("{:?} is not a time", text.text), "write a time such as \"20s\", \"1m30s\" or \"200ms\"");
                None
            }
        }
    }

    pub(super) fn list(&self, wanted: &str) -> Vec<Value<'r>> {
        let Some(array) = self.value.as_array() else {
            self.wrong_type(wanted, "write it in brackets: [...]");
            return Vec::new();
        };
        let key = |index| format!("{}[{index}]", self.spot.key).into();
        array.iter().enumerate().map(|(index, value)| Value::new(self.report, value, key(index))).collect()
    }

    pub(super) fn section(&self) -> Option<Section<'r>> {
        let DeValue::Table(table) = self.value else {
            self.wrong_type("a table", "write it in braces: { key = value, ... }");
            return None;
        };
        Some(Section::new(self.report, table, self.spot.clone()))
    }
}

/// A table. It notes which keys were asked for; the others are unknown at [`Section::done`].
pub(super) struct Section<'r> {
    pub(super) report: &'r Report<'r>,
    table: &'r DeTable<'r>,
    pub(super) spot: Spot,
    asked: RefCell<Vec<&'static str>>,
}

impl<'r> Section<'r> {
    pub(super) fn new(report: &'r Report<'r>, table: &'r DeTable<'r>, spot: Spot) -> Self {
        Section { report, table, spot, asked: RefCell::default() }
    }

    fn path(&self, key: &str) -> Rc<str> {
        let key = values::key(key);
        if self.spot.key.is_empty() { key.into() } else { format!("{}.{key}", self.spot.key).into() }
    }

    /// The value of a key, if it is there.
    pub(super) fn value(&self, key: &'static str) -> Option<Value<'r>> {
        self.asked.borrow_mut().push(key);
        self.table.get(key).map(|value| Value::new(self.report, value, self.path(key)))
    }

    /// Whether the key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The value of a key that must be there.
    pub(super) fn needed(&self, key: &'static str, example: &str) -> Option<Value<'r>> {
        let value = self.value(key);
        if value.is_none() {
            let remedy = format!("add {key} = {example}");
            let spot = Spot { span: self.spot.span.clone(), key: self.path(key) };
            self.report.error(Kind::Missing, &spot, format!("{key:?} is missing"), remedy);
        }
        value
    }

    pub(super) fn text(&self, key: &'static str) -> Option<Text<'r>> {
        self.value(key)?.text()
    }

    pub(super) fn read<T>(&self, key: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        self.value(key)?.read(read)
    }

    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        self.value(key)?.flag()
    }

    pub(super) fn number<T: TryFrom<u64>>(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<T> {
        self.value(key)?.number(range)
    }

    pub(super) fn duration(&self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.value(key)?.duration(&range)
    }

    /// A time, or "never".
    pub(super) fn duration_or_never(&self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Option<Duration>> {
        let value = self.value(key)?;
        if value.value.as_str() == Some("never") { Some(None) } else { value.duration(&range).map(Some) }
    }

    /// One of a few keywords.
    pub(super) fn word<T: Copy>(&self, key: &'static str, words: &[(&'static str, T)]) -> Option<T> {
        self.read(key, |text| values::word(text, words))
    }

    /// A list of texts; `None` if the key is not there.
    pub(super) fn texts(&self, key: &'static str) -> Option<Vec<Text<'r>>> {
        let list = self.value(key)?.list("a list of texts");
        Some(list.iter().filter_map(Value::text).collect())
    }

    pub(super) fn section(&self, key: &'static str) -> Option<Section<'r>> {
        self.value(key)?.section()
    }

    /// The tables of a list of tables, each with its name in its key.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'r>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let listed = match value.value {
            DeValue::Array(_) => value.list("tables"),
            DeValue::Table(_) => {
                let brackets = format!("write [[{key}]] with two brackets, once for each");
                value.wrong_type("a list of tables", &brackets);
                vec![value]
            }
            _ => {
                value.wrong_type("a list of tables", &format!("write [[{key}]] and the keys below it"));
                Vec::new()
            }
        };
        let sections = listed.into_iter().enumerate().filter_map(|(index, value)| {
            let mut section = value.section()?;
            let name = section.table.get("name").and_then(|name| name.get_ref().as_str());
            section.spot.key = match name {
                Some(name) => self.path_of_named(key, name),
                None => format!("{}[{index}]", self.path(key)).into(),
            };
            Some(section)
        });
        sections.collect()
    }

    fn path_of_named(&self, key: &str, name: &str) -> Rc<str> {
        let mut path = self.path(key).to_string();
        let _ = write!(path, ".{}", values::key(name));
        path.into()
    }

    /// All pairs of a table whose keys are free: names, numbers, digits.
    pub(super) fn pairs(&self, key: &'static str) -> Option<Vec<(Text<'r>, Value<'r>)>> {
        let section = self.section(key)?;
        let pairs = section.table.iter().map(|(name, value)| {
            let path = section.path(name.get_ref());
            let text = Text { text: name.get_ref(), spot: Spot { span: name.span(), key: path.clone() } };
            (text, Value::new(self.report, value, path))
        });
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_by_key(|(name, _)| name.spot.span.start);
        Some(pairs)
    }

    /// The place of a key of this table, for problems.
    pub(super) fn spot_of(&self, key: &str) -> Spot {
        let span: Range<usize> = self.table.get(key).map_or_else(|| self.spot.span.clone(), Spanned::span);
        Spot { span, key: self.path(key) }
    }

    /// Reports the keys that no reader asked for.
    pub(super) fn done(&self) {
        let asked = self.asked.borrow();
        for (key, _) in self.table.iter().filter(|(key, _)| !asked.iter().any(|asked| asked == key.get_ref())) {
            let name: &str = key.get_ref();
            let place = if self.spot.key.is_empty() { "at the top" } else { "here" };
            let spot = Spot { span: key.span(), key: self.path(name) };
            let remedy = match spell::nearest(name, asked.iter().copied()) {
                Some(meant) => format!("write {meant} instead"),
                None => format!("leave it out; known {place} are: {}", values::listed(asked.iter().copied())),
            };
            self.report.error(Kind::UnknownKey, &spot, format!("{name:?} means nothing {place}"), remedy);
        }
    }
}
