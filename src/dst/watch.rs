//! The rules of the house that are judged from what the engine tells: while a day lasts, and at its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::acd::Matcher;
use crate::base::words::{EndedBy, LegRole, QueueOutcome, Segment};
use crate::base::{AgencyId, AgentId, ContactId, QueueId, ShardId, Time};
use crate::engine::Settings;
use crate::report::{Fact, FactKind};

/// Input older than this is too old for new calls; and that is not forgotten sooner than after this long without newer input.
const TOO_OLD: Duration = Duration::from_millis(100);
const REMEMBERED: Duration = Duration::from_millis(500);

/// What watches a city.
pub(super) struct Watch {
    settings: Arc<Settings>,
    matcher: Arc<Matcher>,
    facts: Vec<Fact>,
    fault: Option<String>,
    panics: u32,
    /// By shard: when a datagram was last too old, if none since was in time.
    too_old_at: Vec<Option<Time>>,
}

impl Watch {
    pub(super) fn new(settings: Arc<Settings>, matcher: Arc<Matcher>) -> Self {
        let too_old_at = vec![None; usize::from(matcher.size().shards)];
        Watch { settings, matcher, facts: Vec::new(), fault: None, panics: 0, too_old_at }
    }

    /// Other settings are in force.
    pub(super) fn settings(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    pub(super) fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Something was wrong; the first thing that was is kept.
    pub(super) fn fault(&mut self, why: String) {
        self.fault.get_or_insert(why);
    }

    /// The engine has panicked: once it may, where a test wants it.
    pub(super) fn panicked(&mut self) {
        self.panics += 1;
        if self.panics > 1 || !cfg!(test) {
            self.fault("the engine has panicked".to_owned());
        }
    }

    /// What has been wrong so far.
    pub(super) fn faults(&self) -> Result<(), String> {
        self.fault.clone().map_or(Ok(()), Err)
    }

    /// A message is handed to a shard, so old. What comes over connections says nothing about datagrams.
    pub(super) fn input_is(&mut self, now: Time, shard: ShardId, datagram_age: Option<Duration>) {
        let too_old_at = &mut self.too_old_at[usize::from(shard.0)];
        match datagram_age {
            Some(age) if age > TOO_OLD => *too_old_at = Some(now),
            Some(_) => *too_old_at = None,
            None => {}
        }
    }

    /// Takes a fact that a shard tells.
    pub(super) fn fact(&mut self, shard: ShardId, fact: Fact) {
        match &fact.kind {
            FactKind::Arrived { entry, trunk: Some(_), .. } => {
                let emergency = entry.and_then(|entry| self.settings.entry(entry)).is_some_and(|entry| entry.emergency);
                if self.too_old_at[usize::from(shard.0)].is_some_and(|at| fact.at.since(at) < REMEMBERED) && !emergency {
                    self.fault("a call was taken while input was too old for it".to_owned());
                }
            }
            FactKind::Repaired { kind } => self.fault(format!("something had to be repaired: {kind}")),
            _ => {}
        }
        self.facts.push(fact);
    }

    /// The rules that can be judged only at the end. `blameless` says of a Call-ID that nothing on the other side can have ended that call.
    pub(super) fn verdict(&self, blameless: impl Fn(&str) -> bool) -> Result<(), String> {
        self.faults()?;
        let mut tales: BTreeMap<ContactId, Tale> = BTreeMap::new();
        let (mut entered, mut left) = (BTreeMap::new(), BTreeMap::new());
        for Fact { at, contact, kind } in &self.facts {
            let count = |table: &mut BTreeMap<QueueId, u32>, queue: &QueueId| *table.entry(*queue).or_default() += 1;
            match kind {
                FactKind::Entered { queue, .. } => count(&mut entered, queue),
                FactKind::Left { queue, .. } => count(&mut left, queue),
                _ => {}
            }
            if let Some(contact) = contact {
                tales.entry(*contact).or_default().take(*at, kind);
            }
        }
        let guests: BTreeSet<&Arc<str>> = tales.values().flat_map(|tale| &tale.given).collect();
        for (contact, tale) in &tales {
            tale.check(&blameless).map_err(|why| format!("contact {contact}: {why}"))?;
            let ended = tale.ended_alone.iter().find(|call_id| guests.contains(call_id) && blameless(call_id));
            if let Some(call_id) = ended {
                return Err(format!("contact {contact}: its guest {call_id} was ended, and nobody has"));
            }
        }
        if entered != left {
            return Err(format!("entered {entered:?}, left {left:?}"));
        }
        for agency in 0..self.settings.agencies.len() as u32 {
            if let Some((on_loan @ 1.., _)) = self.matcher.on_loan(AgencyId(agency)) {
                return Err(format!("agency {agency} has {on_loan} on loan, and nobody calls any more"));
            }
        }
        for queue in 0..self.settings.directory.queues.len() as u32 {
            if self.matcher.waiting(QueueId(queue)) != 0 || self.matcher.expectant(QueueId(queue)) != 0 {
                return Err(format!("queue {queue} still has somebody waiting"));
            }
        }
        Ok(())
    }
}

/// A contact as its facts tell it.
#[derive(Default)]
struct Tale {
    arrived: Vec<Time>,
    ended: Vec<(Time, EndedBy, Segment)>,
    stretches: Vec<(Time, Time)>,
    talks: u32,
    answers: u32,
    last_agent: Option<AgentId>,
    /// The role and the Call-ID of each leg.
    legs: Vec<(LegRole, Arc<str>)>,
    /// The Call-IDs of legs by their numbers; of those that have gone to other contacts; and of those that have ended while this contact had not.
    call_ids: BTreeMap<u32, Arc<str>>,
    given: Vec<Arc<str>>,
    ended_alone: Vec<Arc<str>>,
    /// The legs that have not ended, by their numbers; and the first whose number another had, or whose end was told twice.
    open: BTreeSet<u32>,
    numbers: BTreeSet<u32>,
    mixed_up: Option<u32>,
}

impl Tale {
    fn take(&mut self, at: Time, kind: &FactKind) {
        match kind {
            FactKind::Arrived { .. } => self.arrived.push(at),
            FactKind::LegBegan { leg, role, call_id, .. } => {
                self.legs.push((*role, call_id.clone()));
                self.call_ids.insert(*leg, call_id.clone());
                self.open.insert(*leg);
                if !self.numbers.insert(*leg) {
                    self.mixed_up.get_or_insert(*leg);
                }
            }
            FactKind::LegEnded { leg, .. } => {
                let known = self.open.remove(leg);
                if self.ended.is_empty() {
                    self.ended_alone.extend(self.call_ids.get(leg).cloned());
                }
                self.mixed_up = self.mixed_up.or((!known).then_some(*leg));
            }
            FactKind::LegMoved { leg, .. } => {
                let known = self.open.remove(leg);
                self.mixed_up = self.mixed_up.or((!known).then_some(*leg));
                self.given.extend(self.call_ids.get(leg).cloned());
            }
            FactKind::SegmentEnded { began, segment, agent, .. } => {
                self.stretches.push((*began, at));
                self.talks += u32::from(*segment == Segment::Talk);
                self.last_agent = *agent;
            }
            FactKind::Left { outcome: QueueOutcome::Answered, .. } => self.answers += 1,
            FactKind::Ended { by, segment, .. } => self.ended.push((at, *by, *segment)),
            _ => {}
        }
    }

    fn check(&self, blameless: impl Fn(&str) -> bool) -> Result<(), String> {
        let ([arrived], [(ended, by, segment)]) = (self.arrived.as_slice(), self.ended.as_slice()) else {
            return Err(format!("arrived {} times, ended {} times", self.arrived.len(), self.ended.len()));
        };
        if let Some(leg) = self.mixed_up.or(self.open.first().copied()) {
            return Err(format!("leg {leg} has begun and ended not once each"));
        }
        let sum: Duration = self.stretches.iter().map(|(began, ended)| ended.since(*began)).sum();
        if sum != ended.since(*arrived) {
            return Err(format!("its segments sum to {sum:?}, its time is {:?}", ended.since(*arrived)));
        }
        if self.talks < self.answers {
            return Err(format!("answered {} times, talked {} times", self.answers, self.talks));
        }
        if self.stretches.windows(2).any(|pair| pair[0].1 != pair[1].0) {
            return Err("its segments do not tile its time".into());
        }
        if *segment == Segment::Talk {
            self.check_blame(*by, blameless)?;
        }
        Ok(())
    }

    /// Whoever is said to have ended a talk may have done so.
    fn check_blame(&self, by: EndedBy, blameless: impl Fn(&str) -> bool) -> Result<(), String> {
        let role = match by {
            EndedBy::Caller => LegRole::Caller,
            // One of its legs has gone to another contact.
            EndedBy::Agent if !self.given.is_empty() => return Ok(()),
            EndedBy::Agent if self.last_agent.is_none() => return Err("an agent ended a talk without an agent".into()),
            EndedBy::Agent => LegRole::Agent,
            _ => return Ok(()),
        };
        let innocent = self.legs.iter().filter(|(whose, _)| *whose == role).all(|(_, call_id)| blameless(call_id));
        if innocent { Err(format!("the {role} is said to have ended the talk, and has not")) } else { Ok(()) }
    }
}
