//! The store's tables. Times and durations are whole microseconds; times count from the Unix epoch.
//!
//! There is no index beside the keys, because each would cost every call a tenth of what storing it costs. Identifiers
//! begin with the time of arrival, so contacts and their rows lie in this order.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::tail::Position;
use crate::base::Time;
use crate::base::words::{AgentState, BreakReason};
use crate::report::ContactRecord;

/// The version of what follows, in `PRAGMA user_version`.
pub(super) const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE contacts (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    arrived INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    entry TEXT,
    trunk TEXT,
    caller TEXT NOT NULL,
    dialled TEXT NOT NULL,
    queue TEXT,
    language TEXT,
    ended_by TEXT NOT NULL,
    ended_segment TEXT NOT NULL,
    status INTEGER,
    waited_us INTEGER NOT NULL,
    talked_us INTEGER NOT NULL,
    transfers INTEGER NOT NULL,
    whole INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE segments (
    contact TEXT NOT NULL,
    number INTEGER NOT NULL,
    segment TEXT NOT NULL,
    queue TEXT,
    agent TEXT,
    began INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    PRIMARY KEY (contact, number)
) WITHOUT ROWID;
CREATE TABLE legs (
    contact TEXT NOT NULL,
    number INTEGER NOT NULL,
    role TEXT NOT NULL,
    agent TEXT,
    call_id TEXT NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER,
    status INTEGER,
    received INTEGER,
    sent INTEGER,
    lost INTEGER,
    jitter_us INTEGER,
    PRIMARY KEY (contact, number)
) WITHOUT ROWID;
CREATE TABLE offers (
    contact TEXT NOT NULL,
    number INTEGER NOT NULL,
    queue TEXT NOT NULL,
    agent TEXT NOT NULL,
    offered INTEGER NOT NULL,
    ended INTEGER,
    outcome TEXT,
    PRIMARY KEY (contact, number)
) WITHOUT ROWID;
CREATE TABLE agent_states (
    agent TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    began INTEGER NOT NULL,
    ended INTEGER NOT NULL
);
CREATE TABLE mark (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    file INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    since INTEGER,
    newest INTEGER NOT NULL
);
";

fn time(time: Time) -> i64 {
    count(time.micros())
}

fn span(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Makes the tables, all or none.
pub(super) fn create(connection: &Connection) -> Result<()> {
    connection.execute_batch(&format!("BEGIN IMMEDIATE;{SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;"))
}

/// The version of the tables that are there; 0: there are none.
pub(super) fn version(connection: &Connection) -> Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// How far the log is applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mark {
    /// The position up to which it is applied.
    pub(super) position: Position,
    /// When the oldest contact arrived that is open at this position.
    pub(super) since: Option<Time>,
    /// When the newest event before this position happened.
    pub(super) newest: Time,
}

/// How far the log was applied; `None`: not at all.
pub(super) fn mark(connection: &Connection) -> Result<Option<Mark>> {
    let moment = |micros: i64| Time::from_micros(u64::try_from(micros).unwrap_or_default());
    connection
        .query_row("SELECT file, offset, since, newest FROM mark", [], |row| {
            let offset = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
            let position = Position { file: moment(row.get(0)?), offset };
            Ok(Mark { position, since: row.get::<_, Option<i64>>(2)?.map(moment), newest: moment(row.get(3)?) })
        })
        .optional()
}

/// Notes how far the log is applied. Belongs into the transaction that applies it.
pub(super) fn set_mark(connection: &Connection, mark: &Mark) -> Result<()> {
    let row = params![time(mark.position.file), count(mark.position.offset), mark.since.map(time), time(mark.newest)];
    connection.prepare_cached("INSERT OR REPLACE INTO mark VALUES (1, ?, ?, ?, ?)")?.execute(row).map(drop)
}

/// Adds a contact with all that belongs to it. One that is there already is replaced: the log, which says it again, is the truth; but
/// what is only half known replaces nothing.
pub(super) fn add(connection: &Connection, record: &ContactRecord) -> Result<()> {
    let id = record.id.to_string();
    if !insert(connection, &id, record)? {
        if !record.whole {
            return Ok(());
        }
        for table in ["segments", "legs", "offers"] {
            connection.execute(&format!("DELETE FROM {table} WHERE contact = ?"), [&id])?;
        }
        connection.execute("DELETE FROM contacts WHERE id = ?", [&id])?;
        insert(connection, &id, record)?;
    }
    let mut insert = connection.prepare_cached("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?)")?;
    for (number, segment) in (1..).zip(&record.segments) {
        let (word, queue, agent) = (segment.segment.label(), segment.queue.as_deref(), segment.agent.as_deref());
        insert.execute(params![id, number, word, queue, agent, time(segment.began), time(segment.ended)])?;
    }
    let mut insert = connection.prepare_cached("INSERT INTO legs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    for leg in &record.legs {
        let end = leg.end.as_ref();
        insert.execute(params![
            id,
            leg.number,
            leg.role,
            leg.agent.as_deref(),
            leg.call_id,
            time(leg.began),
            end.map(|end| time(end.at)),
            end.and_then(|end| end.status),
            end.map(|end| count(end.received)),
            end.map(|end| count(end.sent)),
            end.map(|end| count(end.lost)),
            end.map(|end| span(end.jitter)),
        ])?;
    }
    let mut insert = connection.prepare_cached("INSERT INTO offers VALUES (?, ?, ?, ?, ?, ?, ?)")?;
    for (number, offer) in (1..).zip(&record.offers) {
        let (ended, outcome) = (offer.end.map(|(at, _)| time(at)), offer.end.map(|(_, outcome)| outcome.label()));
        insert.execute(params![id, number, offer.queue, offer.agent, time(offer.offered), ended, outcome])?;
    }
    Ok(())
}

/// Adds the contact's own row; whether there was none.
fn insert(connection: &Connection, id: &str, record: &ContactRecord) -> Result<bool> {
    let sql = "INSERT OR IGNORE INTO contacts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let rows = connection.prepare_cached(sql)?.execute(params![
        id,
        record.channel.label(),
        time(record.arrived),
        time(record.end.at),
        record.entry.as_deref(),
        record.trunk.as_deref(),
        record.from,
        record.dialled,
        record.queue.as_deref(),
        record.language.as_deref(),
        record.end.by.label(),
        record.end.segment.label(),
        record.end.status,
        span(record.waited),
        span(record.talked),
        record.transfers,
        record.whole,
    ])?;
    Ok(rows == 1)
}

/// Adds a state that an agent was in.
pub(super) fn add_agent_state(
    connection: &Connection,
    agent: &str,
    (state, reason): (AgentState, Option<BreakReason>),
    began: Time,
    ended: Time,
) -> Result<()> {
    let sql = "INSERT INTO agent_states VALUES (?, ?, ?, ?, ?)";
    let row = params![agent, state.label(), reason.map(BreakReason::label), time(began), time(ended)];
    connection.prepare_cached(sql)?.execute(row).map(drop)
}
