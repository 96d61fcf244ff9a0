//! Reads a configuration file into checked settings: as a whole, or not at all.
//!
//! It owns the format of the file (TOML) and every check of it. A file is read to its end even if it has mistakes. Each
//! mistake is reported with its line, its key and what to write instead. The same check guards `hotline check`, the
//! start and a reload. No part of a file with an error is ever used.
//!
//! Each room owns the type of its settings; here they are filled. This module must never start anything, open a socket,
//! or change what is running. Relative paths in a file begin at the file's own directory.

mod day;
mod entry;
mod hours;
mod names;
mod people;
mod problem;
mod prompts;
mod queue;
mod reader;
mod server;
mod spell;
mod text;
mod trunk;
mod values;
mod whole;
mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeTable;

use crate::base::{AgentId, QueueId, SkillId};
use crate::call::menu::Destination;
use crate::call::trunk::Prefix;
use crate::engine::Settings;
use crate::media;
use crate::net::ListenerSettings;
use names::{IdAllocator, place};
use problem::{Report, Spot};
use prompts::Prompts;
use reader::Section;
use zones::Zones;

pub use day::{languages, plain as plain_day, read as read_day};
pub use problem::{Kind, Problem, Problems, Severity};
pub use text::ConfigText;

/// The configuration of `hotline serve` and `hotline check` when no file is named.
const EMBEDDED: &str = include_str!("../../configs/default.toml");
/// The name of that file in problems.
pub const EMBEDDED_NAME: &str = "configs/default.toml (embedded)";
/// Larger files are not read.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The settings of the engine; a reload replaces them.
    pub settings: Settings,
    /// The settings that hold from start to end.
    pub server: Server,
    /// What is valid, and probably not meant.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// The number of its items: `2 agencies, 3 queues, 40 agents, 1 entry, 1 trunk`.
    #[must_use]
    pub fn summary(&self) -> String {
        let Settings { directory, agencies, entries, trunks, .. } = &self.settings;
        let here = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        [
            here(agencies.len(), "agency", "agencies"),
            here(directory.queues.iter().flatten().count(), "queue", "queues"),
            here(directory.agents.iter().flatten().count(), "agent", "agents"),
            here(directory.languages.len(), "language", "languages"),
            here(entries.iter().flatten().count(), "entry", "entries"),
            here(trunks.iter().flatten().count(), "trunk", "trunks"),
        ]
        .join(", ")
    }
}

/// Settings that are read once, at the start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// Where SIP is received.
    pub listeners: Vec<ListenerSettings>,
    /// The media threads.
    pub media: media::MediaSettings,
    /// A directory of recordings, beside the embedded ones.
    pub prompts: Option<PathBuf>,
    /// Pages, metrics, API.
    pub http: Http,
    /// The event log.
    pub events: EventLog,
    /// The SQLite file that the event log is projected into; `None`: no store.
    pub store: Option<PathBuf>,
    /// The process's own log.
    pub log: Log,
    /// How long calls may go on after SIGTERM.
    pub drain_max: Duration,
    /// How many signalling shards.
    pub shards: u16,
}

/// Pages, metrics, API.
#[derive(Clone, PartialEq, Eq)]
pub struct Http {
    /// The address to listen on.
    pub bind: SocketAddr,
    /// The bearer token that the API asks for; `None` where only this machine reaches it.
    pub token: Option<String>,
}

impl fmt::Debug for Http {
    /// Without the token, which must not get into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "...");
        f.debug_struct("Http").field("bind", &self.bind).field("token", &token).finish()
    }
}

/// The event log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventLog {
    /// The directory of its files; `None`: no log is written.
    pub directory: Option<PathBuf>,
    /// The size in MiB after which the next file begins.
    pub rotate_mb: u32,
    /// How often it is synced to the disk.
    pub sync_every: Duration,
}

/// The process's own log, on standard error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Log {
    /// The most detailed level that is written.
    pub level: LogLevel,
    /// The format of its lines.
    pub format: LogFormat,
    /// How many MiB of recent SIP messages are kept in memory, to be looked at; 0: none.
    pub recent_sip_mb: u32,
}

impl Default for Log {
    fn default() -> Self {
        Log { level: LogLevel::default(), format: LogFormat::default(), recent_sip_mb: 8 }
    }
}

/// The levels of the process's log; each includes those before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum LogLevel {
    /// What must never happen.
    Error,
    /// What should not happen.
    Warn,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What a developer wants to know.
    Debug,
    /// Each message.
    Trace,
}

/// The format of the process's log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What the reader of a table needs of the rest of the file.
struct Context<'r> {
    report: &'r Report<'r>,
    ids: &'r IdAllocator,
    prompts: &'r Prompts,
    languages: &'r BTreeSet<SkillId>,
}

/// What can be checked only when everything is read, each with its place.
#[derive(Default)]
struct Later {
    numbers: Vec<(Arc<str>, Spot)>,
    overflows: BTreeMap<QueueId, Spot>,
    preferred: Vec<(AgentId, Spot)>,
    destinations: Vec<(Destination, Spot)>,
    /// Queues that numbers lead to without an entry.
    called: Vec<(QueueId, Spot)>,
    chat_queues: Vec<(QueueId, Spot)>,
    prefixes: Vec<(u32, Prefix, Spot)>,
    users: Vec<(Arc<str>, Spot)>,
    entries_used: BTreeSet<u32>,
}

/// Reads and checks a file.
///
/// # Errors
/// All mistakes of the file.
pub fn load(path: &Path) -> Result<Config, Problems> {
    let name = path.display().to_string();
    parse(&read_file(path)?, &name)
}

/// Reads a file as text.
///
/// # Errors
/// A problem, if it cannot be read.
pub fn read_file(path: &Path) -> Result<String, Problems> {
    let name = path.display().to_string();
    let text = std::fs::metadata(path).and_then(|meta| match meta.len() {
        0..=FILE_BYTES_MAX => std::fs::read_to_string(path),
        _ => Err(std::io::Error::other("it is larger than 64 MiB")),
    });
    text.map_err(|error| problem::unreadable(&name, &error))
}

/// Checks the text of a file. Relative paths begin at the directory of `file_name`.
///
/// # Errors
/// All mistakes of the text.
pub fn parse(text: &str, file_name: &str) -> Result<Config, Problems> {
    read(text, file_name, &Settings::default(), Zones::OfTheMachine)
}

/// Checks the text of a file that shall replace `running`. An item that keeps its name keeps its index. A new item gets
/// an index that was never used. A removed item leaves its place empty.
///
/// # Errors
/// All mistakes of the text; `running` is untouched.
pub fn reload(text: &str, file_name: &str, running: &Settings) -> Result<Config, Problems> {
    read(text, file_name, running, Zones::OfTheMachine)
}

/// The configuration that holds when no file is named; it serves loopback only.
///
/// # Panics
/// Never: a test checks the embedded file.
#[must_use]
pub fn embedded() -> Config {
    parse(EMBEDDED, EMBEDDED_NAME).unwrap_or_else(|problems| panic!("{problems}"))
}

fn read(text: &str, file_name: &str, running: &Settings, zones: Zones<'_>) -> Result<Config, Problems> {
    let base = Path::new(file_name).parent().unwrap_or(Path::new(""));
    let ((settings, server), warnings) = checked(text, file_name, zones, |root| build(root, base, running))?;
    Ok(Config { settings, server, warnings })
}

/// What `build` makes of a file, and its warnings; or all mistakes, if there is an error.
fn checked<T>(
    text: &str,
    file_name: &str,
    zones: Zones<'_>,
    build: impl FnOnce(&Section<'_>) -> T,
) -> Result<(T, Vec<Problem>), Problems> {
    let report = Report::new(file_name, text, zones);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let spot = Spot { span: error.span().unwrap_or(0..0), key: "".into() };
        report.error(Kind::Syntax, &spot, error.message(), "this is no TOML: see https://toml.io for how it is written");
    }
    let root = Section::new(&report, table.get_ref(), Spot { span: 0..0, key: "".into() });
    let made = build(&root);
    root.done();
    drop(root);
    let problems = report.finish();
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(Problems(problems));
    }
    Ok((made, problems))
}

/// Reads first all names, then the tables under them, and then checks the whole.
fn build(root: &Section<'_>, base: &Path, running: &Settings) -> (Settings, Server) {
    let report = root.report;
    let (mut server, engine) = server::read(root, base);
    let prompts = Prompts::read(root, base);
    let mut ids = IdAllocator::after(running);
    let groups = people::Groups::declare(root, &mut ids);
    let languages = groups.languages();
    let rosters = people::rosters(root, &mut ids);
    let queues = ids.queues.declare_all(root.sections("queue"));
    let entries = ids.entries.declare_all(root.sections("entry"));
    let trunks = ids.trunks.declare_all(root.sections("trunk"));

    let cx = Context { report, ids: &ids, prompts: &prompts, languages: &languages };
    let mut later = Later::default();
    let mut settings = Settings {
        version: running.version + 1,
        domains: engine.domains,
        agencies: running.agencies.clone(),
        pools: running.pools.clone(),
        skills: running.skills.clone(),
        limits: engine.limits,
        registration: engine.registration,
        phone: engine.phone,
        probe_waiting: engine.probe_waiting,
        default_prompts: prompts.default.clone(),
        ..Settings::default()
    };
    groups.read(&cx, &mut settings);
    for roster in &rosters {
        roster.read(&cx, &mut settings);
    }
    let defaults = queue::defaults(&cx, root, &mut later);
    for queue in &queues {
        let rules = queue::read(&cx, queue, &defaults, &mut later);
        queue::keeps_channel(&cx, queue, &rules, running);
        queue.id.inspect(|id| place(&mut settings.directory.queues, *id, rules));
    }
    for entry in &entries {
        let rules = entry::read(&cx, entry, &mut later);
        entry.id.inspect(|id| place(&mut settings.entries, *id, rules));
    }
    for trunk in &trunks {
        let rules = trunk::read(&cx, trunk, &mut later);
        trunk.id.inspect(|id| place(&mut settings.trunks, *id, rules));
    }
    settings.directory.queues.resize(ids.queues.slots(), None);
    settings.directory.agents.resize(ids.agents.slots(), None);
    settings.accounts.resize(ids.agents.slots(), None);
    settings.entries.resize(ids.entries.slots(), None);
    settings.trunks.resize(ids.trunks.slots(), None);
    whole::check(&cx, &settings, &later);
    server.prompts = prompts.directory;
    (settings, server)
}
