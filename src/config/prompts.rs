//! The recordings: those that hotline brings along, and those of the directory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::problem::{Kind, Report, Spot};
use super::reader::{Section, Text};
use super::{spell, values};
use crate::engine::WAIT_PROMPTS;
use crate::media::Library;

/// The folder for callers whose language has none.
const FOLDER: &str = "en";

/// The recordings that announce a wait.
fn wait_names() -> impl Iterator<Item = &'static str> {
    WAIT_PROMPTS.iter().map(|(_, name)| *name).chain(["wait-more", "wait-unknown", "wait-overdue"])
}

/// The names of the recordings.
pub(super) struct Prompts {
    /// `None` if the directory cannot be read, so that nothing can be checked.
    known: Option<BTreeSet<String>>,
    pub(super) default: Arc<str>,
    pub(super) directory: Option<PathBuf>,
}

impl Prompts {
    /// Reads `[prompts]`. The directory is loaded, as it will be at the start: a recording that cannot be decoded is found here.
    pub(super) fn read(root: &Section<'_>, base: &Path) -> Self {
        let embedded = Library::embedded_names().map(str::to_owned).collect();
        let mut prompts = Prompts { known: Some(embedded), default: FOLDER.into(), directory: None };
        let Some(section) = root.section("prompts") else { return prompts };
        if let Some(directory) = section.text("directory") {
            let path = base.join(directory.text);
            let mut library = Library::default();
            match (library.load(&path), &mut prompts.known) {
                (Ok(()), Some(known)) => known.extend(library.names().map(str::to_owned)),
                (Err(error), _) => {
                    let remedy = "name a readable directory of recordings: .wav (16 kHz, 16 bits, one channel) or .g722";
                    section.report.error(Kind::Unreadable, &directory.spot, error.to_string(), remedy);
                    prompts.known = None;
                }
                (Ok(()), None) => {}
            }
            prompts.directory = Some(path);
        }
        if let Some(folder) = section.text("default") {
            prompts.check_folder(section.report, &folder);
            prompts.default = folder.text.into();
        }
        section.done();
        prompts
    }

    /// A recording by name; an unknown one is a problem.
    pub(super) fn check(&self, report: &Report<'_>, name: &Text<'_>) -> Arc<str> {
        if let Some(known) = self.known.as_ref().filter(|known| !known.contains(name.text)) {
            let names = || known.iter().map(String::as_str);
            let remedy = match spell::nearest(name.text, names()) {
                Some(meant) => format!("write {meant:?} instead, or record it into the directory of [prompts]"),
                None => format!("record it into the directory of [prompts], or write one of: {}", values::listed(names())),
            };
            report.error(Kind::UnknownName, &name.spot, format!("no recording is called {:?}", name.text), remedy);
        }
        name.text.into()
    }

    /// A folder of recordings. It should have those that the queue says by itself.
    pub(super) fn check_folder(&self, report: &Report<'_>, folder: &Text<'_>) {
        let Some(known) = &self.known else { return };
        let folders: BTreeSet<&str> = known.iter().filter_map(|name| Some(name.rsplit_once('/')?.0)).collect();
        if !folders.contains(folder.text) {
            let known = values::listed(folders.iter().copied());
            let message = format!("no recordings are in a folder {:?}", folder.text);
            let remedy = format!("write one of: {known}; or record that folder into the directory of [prompts]");
            return report.error(Kind::UnknownName, &folder.spot, message, remedy);
        }
        let places = (1..=20).map(|place| format!("place-{place}"));
        let spoken = places.chain(["place-more", "nobody", "closed"].map(str::to_owned));
        let missing: Vec<String> = spoken.filter(|name| !known.contains(&format!("{}/{name}", folder.text))).collect();
        if !missing.is_empty() {
            let missing = values::listed(missing.iter().map(String::as_str));
            let message = format!("the folder {:?} lacks: {missing}", folder.text);
            report.warn(Kind::UnknownName, &folder.spot, message, "record them: callers hear nothing in their place");
        }
    }

    /// Where waiting callers hear how long it may take, each folder that announces places should announce waits, too.
    pub(super) fn check_waits(&self, report: &Report<'_>, spot: &Spot) {
        let Some(known) = &self.known else { return };
        let speaks = |folder: &&str| known.contains(&format!("{folder}/place-1"));
        let folders: BTreeSet<&str> = known.iter().filter_map(|name| Some(name.rsplit_once('/')?.0)).filter(speaks).collect();
        for folder in folders {
            let missing: Vec<&str> = wait_names().filter(|name| !known.contains(&format!("{folder}/{name}"))).collect();
            if !missing.is_empty() {
                let message = format!("the folder {folder:?} lacks: {}", values::listed(missing.into_iter()));
                report.warn(Kind::UnknownName, spot, message, "record them: callers hear nothing in their place");
            }
        }
    }

    /// A recording of the default folder.
    pub(super) fn usual(&self, name: &str) -> Arc<str> {
        format!("{}/{name}", self.default).into()
    }
}
