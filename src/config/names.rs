//! Names and their indexes. A name keeps its index through a reload, new names get new indexes, and an index never
//! changes its owner.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::problem::{Kind, Report, Spot};
use super::reader::{Section, Text};
use super::{spell, values};
use crate::engine::Settings;

/// How many agents the matcher can number (2^20), less some room for reloads.
const AGENTS_MAX: u32 = 1_000_000;

/// The names of one kind of item.
#[derive(Debug)]
pub(super) struct Names {
    /// The kind, as the file calls it.
    what: &'static str,
    /// Names that mean something else in metrics.
    reserved: &'static [&'static str],
    running: BTreeMap<Arc<str>, u32>,
    declared: BTreeMap<Arc<str>, (u32, Spot)>,
    slots: u32,
    max: u32,
}

impl Names {
    fn new<'s>(
        (what, max): (&'static str, u32),
        reserved: &'static [&'static str],
        running: impl Iterator<Item = Option<&'s Arc<str>>>,
    ) -> Self {
        let mut names = Names { what, reserved, running: BTreeMap::new(), declared: BTreeMap::new(), slots: 0, max };
        for name in running {
            if let Some(name) = name {
                names.running.insert(name.clone(), names.slots);
            }
            names.slots += 1;
        }
        names
    }

    /// Marks all names as declared, so that another file can refer to them.
    fn found(mut self) -> Self {
        let nowhere = || Spot { span: 0..0, key: "".into() };
        self.declared = self.running.iter().map(|(name, index)| (name.clone(), (*index, nowhere()))).collect();
        self
    }

    /// How many indexes there are, including those of removed names.
    pub(super) fn slots(&self) -> usize {
        self.slots as usize
    }

    /// Gives a name its index; `None` if it is not a valid name, or taken.
    pub(super) fn declare(&mut self, report: &Report<'_>, name: &str, spot: &Spot) -> Option<u32> {
        if let Err(remedy) = values::name(name) {
            report.error(Kind::BadValue, spot, format!("{name:?} is no name"), remedy);
            return None;
        }
        if self.reserved.contains(&name) {
            let remedy = format!("write another name: metrics use {name:?} themselves");
            report.error(Kind::BadValue, spot, format!("{name:?} is no name for {}", self.article()), remedy);
            return None;
        }
        if let Some((_, first)) = self.declared.get(name) {
            let line = report.line(first);
            let message = format!("{} is called {name:?} already, at line {line}", self.article());
            report.error(Kind::Duplicate, spot, message, "give one of the two another name, or leave one out");
            return None;
        }
        let index = self.running.get(name).copied().unwrap_or(self.slots);
        if index >= self.max {
            let message = format!("{name:?} is one {} too many", self.what);
            report.error(
                Kind::BadValue,
                spot,
                message,
                format!("{} is the most; a restart frees the places of removed ones", self.max),
            );
            return None;
        }
        self.slots = self.slots.max(index + 1);
        self.declared.insert(name.into(), (index, spot.clone()));
        Some(index)
    }

    /// Declares the names of tables. A table without an index is read only for its mistakes.
    pub(super) fn declare_all<'r>(&mut self, sections: Vec<Section<'r>>) -> Vec<Declared<'r>> {
        let declare = |section: Section<'r>| {
            let name = section.needed("name", "\"...\"").and_then(|name| name.text());
            let id = name.as_ref().and_then(|name| self.declare(section.report, name.text, &name.spot));
            let name = name.map_or_else(|| "".into(), |name| name.text.into());
            Declared { id, name, section }
        };
        sections.into_iter().map(declare).collect()
    }

    /// The index that a name refers to. An unknown name is a problem.
    pub(super) fn find(&self, report: &Report<'_>, name: &Text<'_>) -> Option<u32> {
        if let Some((index, _)) = self.declared.get(name.text) {
            return Some(*index);
        }
        let known = || self.declared.keys().map(|name| &**name);
        let remedy = match spell::nearest(name.text, known()) {
            Some(meant) => format!("write {meant:?} instead"),
            None if self.declared.is_empty() => format!("declare it: [[{}]] name = {:?}", self.what, name.text),
            None => format!("declare it, or write one of: {}", values::listed(known())),
        };
        report.error(Kind::UnknownName, &name.spot, format!("no {} is called {:?}", self.what, name.text), remedy);
        None
    }

    /// Whether there is such a name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.declared.contains_key(name)
    }

    /// Names with their index and place.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, u32, &Spot)> {
        self.declared.iter().map(|(name, (index, spot))| (name, *index, spot))
    }

    fn article(&self) -> String {
        let vowel = self.what.starts_with(['a', 'e', 'i', 'o', 'u']);
        format!("{} {}", if vowel { "an" } else { "a" }, self.what)
    }
}

/// A table with its name and, if the name is valid, its index.
pub(super) struct Declared<'r> {
    pub(super) id: Option<u32>,
    pub(super) name: Arc<str>,
    pub(super) section: Section<'r>,
}

/// Allocates the indexes of all names of a file.
pub(super) struct IdAllocator {
    pub(super) agencies: Names,
    pub(super) pools: Names,
    pub(super) skills: Names,
    pub(super) agents: Names,
    pub(super) queues: Names,
    pub(super) entries: Names,
    pub(super) trunks: Names,
}

impl IdAllocator {
    /// An allocator that keeps the indexes of `running`.
    pub(super) fn after(running: &Settings) -> Self {
        let directory = &running.directory;
        IdAllocator {
            agencies: Names::new(
                ("agency", 10_000),
                &["other", "none", "external"],
                running.agencies.iter().map(|a| Some(&a.name)),
            ),
            pools: Names::new(("pool", 100_000), &[], running.pools.iter().map(|pool| Some(&pool.name))),
            skills: Names::new(("skill", 1_000), &["other", "none"], running.skills.iter().map(|skill| Some(&skill.name))),
            agents: Names::new(("agent", AGENTS_MAX), &[], directory.agents.iter().map(|a| a.as_ref().map(|a| &a.name))),
            queues: Names::new(
                ("queue", 10_000),
                &["other", "none"],
                directory.queues.iter().map(|q| q.as_ref().map(|q| &q.name)),
            ),
            entries: Names::new(
                ("entry", 10_000),
                &["other", "direct"],
                running.entries.iter().map(|e| e.as_ref().map(|e| &e.name)),
            ),
            trunks: Names::new(("trunk", 1_000), &["other"], running.trunks.iter().map(|t| t.as_ref().map(|t| &t.name))),
        }
    }
}

impl IdAllocator {
    /// The names of `settings`, for a file that only refers to them.
    pub(super) fn of(settings: &Settings) -> Self {
        let IdAllocator { agencies, pools, skills, agents, queues, entries, trunks } = IdAllocator::after(settings);
        IdAllocator {
            agencies: agencies.found(),
            pools: pools.found(),
            skills: skills.found(),
            agents: agents.found(),
            queues: queues.found(),
            entries: entries.found(),
            trunks: trunks.found(),
        }
    }
}

/// Puts `value` at `index`, with `None` where nothing is.
pub(super) fn place<T>(list: &mut Vec<Option<T>>, index: u32, value: T) {
    let index = index as usize;
    if list.len() <= index {
        list.resize_with(index + 1, || None);
    }
    list[index] = Some(value);
}
