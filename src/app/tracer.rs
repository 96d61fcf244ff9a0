//! Shows the SIP of calls: keeps what was recent, and logs what is asked for.
//!
//! A message is logged at level `trace`. Where the log is less detailed, it is logged all the same while its contact is watched, by its number, its
//! trunk or an agent, from the first fact on that shows whose it is. The messages before that are taken from those that were kept. Secrets are
//! blanked in all that leaves.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::logging::of_call;
use crate::base::limits::LimitBoard;
use crate::base::words::Limit;
use crate::base::{ContactId, ShardId, Time};
use crate::call::leg::Role;
use crate::engine::{LegName, Settings};
use crate::net::recent::{Found, Kept, Recent, Seen, Watches, Whom};
use crate::report::{Fact, FactKind, TracedMessage};
use crate::sip::blank::blanked;

/// The target of what is logged whatever the level.
pub(super) const WATCHED: &str = "hotline::watched";

/// How many messages of a contact are told that were before it was watched.
const LOOK_BACK: usize = 64;
/// How many messages of a contact are given to who asks.
const GIVEN: usize = 1024;
/// How long a contact that has ended is watched for messages that come late (64 * T1, RFC 3261 17).
const LATE: Duration = Duration::from_secs(32);

/// What a shard keeps and logs of its messages.
pub(super) struct Tracer {
    recent: Recent,
    shard: ShardId,
    limits: Arc<LimitBoard>,
    /// How full `limits` was told that the ring is.
    told: u64,
    watches: Watches,
    /// The contacts that are watched, each until when.
    watched: BTreeMap<ContactId, Time>,
    /// Those of them that have ended, and when they are forgotten.
    ended: VecDeque<(Time, ContactId)>,
}

impl Tracer {
    /// Keeps so many bytes of a shard's messages, and notes in `limits` how many it has.
    pub(super) fn new(bytes: usize, shard: ShardId, limits: Arc<LimitBoard>) -> Self {
        let recent = Recent::new(bytes);
        limits.set_max(Limit::RecentSip, recent.used().1 * u64::from(limits.shards()));
        Tracer { recent, shard, limits, told: 0, watches: Watches::default(), watched: BTreeMap::new(), ended: VecDeque::new() }
    }

    /// A message passes.
    pub(super) fn message(&mut self, seen: &Seen<'_>, settings: &Settings) {
        if let Some(LegName { contact, role: Role::External(trunk), .. }) = seen.part_of.leg {
            self.begin(contact, seen.at, |whom| *whom == Whom::Trunk(trunk), settings);
        }
        self.recent.keep(seen);
        let (used, _) = self.recent.used();
        if used != self.told {
            self.told = used;
            self.limits.set_used_by(self.shard, Limit::RecentSip, used);
        }
        let Some(leg) = seen.part_of.leg else { return };
        let watched = !self.watched.is_empty() && self.watched.get(&leg.contact).is_some_and(|until| seen.at < *until);
        if watched || tracing::enabled!(tracing::Level::TRACE) {
            let Seen { at, direction, flow, part_of, bytes } = *seen;
            let kept = Kept { at, direction, transport: flow.transport, remote: flow.remote, part_of, bytes: bytes.into() };
            say(&kept, leg, watched, settings);
        }
    }

    /// The recent messages of a contact.
    pub(super) fn recent(&self, contact: ContactId) -> Found {
        self.recent.of(contact, GIVEN)
    }

    /// Whom to watch from now on. Contacts that are watched already stay so for as long as was said.
    pub(super) fn watch(&mut self, watches: Watches) {
        self.watches = watches;
    }

    /// Something happened: a contact that begins, or an agent who comes to one, may be watched.
    pub(super) fn fact(&mut self, fact: &Fact, settings: &Settings) {
        if self.watches.is_empty() && self.watched.is_empty() {
            return;
        }
        let Some(contact) = fact.contact else { return };
        match &fact.kind {
            FactKind::Arrived { trunk, from, dialled, .. } => {
                let own = |agent| trunk.is_none() && settings.agent_name(agent) == Some(&**from);
                let is_watched = |whom: &Whom| match whom {
                    Whom::Number(number) => **number == **from || **number == **dialled,
                    Whom::Trunk(watched) => *trunk == Some(*watched),
                    Whom::Agent(agent) => own(*agent),
                };
                self.begin(contact, fact.at, is_watched, settings);
            }
            FactKind::LegBegan { agent: Some(agent), .. } => {
                self.begin(contact, fact.at, |whom| *whom == Whom::Agent(*agent), settings);
            }
            FactKind::Ended { .. } => {
                if self.watched.contains_key(&contact) {
                    self.ended.push_back((fact.at + LATE, contact));
                }
                while let Some((_, contact)) = self.ended.front().filter(|(at, _)| *at <= fact.at) {
                    self.watched.remove(contact);
                    self.ended.pop_front();
                }
            }
            _ => {}
        }
    }

    /// Watches a contact if somebody asked for it. What was before is logged then, unless everything is.
    fn begin(&mut self, contact: ContactId, now: Time, is_watched: impl Fn(&Whom) -> bool, settings: &Settings) {
        let asked = self.watches.iter().filter(|(whom, until)| now < *until && is_watched(whom));
        let Some(until) = asked.map(|(_, until)| *until).max() else { return };
        if let Some(before) = self.watched.get_mut(&contact) {
            *before = until.max(*before);
            return;
        }
        self.watched.insert(contact, until);
        if tracing::enabled!(tracing::Level::TRACE) {
            return;
        }
        for kept in self.recent.of(contact, LOOK_BACK).messages {
            if let Some(leg) = kept.part_of.leg {
                say(&kept, leg, true, settings);
            }
        }
    }
}

/// A message as it is shown.
pub(super) fn shown(kept: &Kept, settings: &Settings) -> Option<TracedMessage> {
    let LegName { number, role, .. } = kept.part_of.leg?;
    let agent = if let Role::Agent(agent) = role { settings.agent_name(agent).map(str::to_owned) } else { None };
    let at = jiff::Timestamp::from_microsecond(i64::try_from(kept.at.micros()).ok()?).ok()?;
    Some(TracedMessage {
        at: format!("{at:.6}"),
        direction: kept.direction.label().to_owned(),
        transport: kept.transport.label().to_owned(),
        remote: kept.remote.to_string(),
        leg: number,
        role: role.word().label().to_owned(),
        agent,
        // What strangers wrote ends no process.
        sip: std::panic::catch_unwind(|| blanked(&kept.bytes)).unwrap_or_default(),
    })
}

/// Logs a message. The time at which it passed is told too, for it may be logged later.
fn say(kept: &Kept, leg: LegName, watched: bool, settings: &Settings) {
    let Some(message) = shown(kept, settings) else { return };
    let TracedMessage { at, direction, transport, remote, leg: number, role, agent, sip } = &message;
    of_call(Some(leg.contact), Some(*number), agent.as_deref()).in_scope(|| {
        if watched {
            tracing::trace!(target: WATCHED, role, at, direction, transport, remote, sip, "SIP");
        } else {
            tracing::trace!(role, at, direction, transport, remote, sip, "SIP");
        }
    });
}
