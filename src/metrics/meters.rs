//! Counts facts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use super::{Board, Registry};
use crate::base::words::{
    AgentState, Channel, Direction, EndedBy, EstimateOutcome, OfferOutcome, QueueOutcome, Repair, Segment, TransferKind,
    TransferOutcome,
};
use crate::base::{AgencyId, QueueId, SkillId, TrunkId};
use crate::engine::Settings;
use crate::report::{Fact, FactKind};

/// Whether this value of `ended_by` is possible while the process lives.
const fn ends_while_alive(by: EndedBy) -> bool {
    !matches!(by, EndedBy::Crash)
}

struct QueueMeters {
    /// By language, the last being none.
    entered: Vec<Counter>,
    /// By language, then by outcome.
    left: Vec<Vec<Counter>>,
    answered_in_target: Counter,
    offers: Vec<Counter>,
    estimates: Vec<Counter>,
    wait: Vec<Histogram>,
    talk: Histogram,
}

/// The counters of facts. One shard's thread feeds it; the meters of all shards count in the same series.
pub struct Meters {
    registry: Arc<Registry>,
    settings: Arc<Settings>,
    board: Arc<Board>,
    queues: Vec<Option<QueueMeters>>,
    /// By entry, the last being `direct`.
    contacts: Vec<Counter>,
    contacts_up: Gauge,
    /// By queue (the last being none), segment, and who ended it.
    ended: Vec<Vec<Vec<Option<Counter>>>>,
    /// By language (the last being none), outcome.
    language_wait: Vec<Vec<Histogram>>,
    wrap_up: Vec<Histogram>,
    matched: Histogram,
    trunk_up: Vec<Option<Gauge>>,
    trunk_calls: Vec<Option<[Gauge; 2]>>,
    /// How many of these are this shard's: all shards together make the gauge.
    trunk_calls_here: BTreeMap<(TrunkId, Direction), u32>,
    jitter: Histogram,
    repairs: Vec<Counter>,
    transfers: BTreeMap<(TransferKind, Option<AgencyId>, Option<AgencyId>, TransferOutcome), Counter>,
}

fn agency_name(settings: &Settings, agency: AgencyId) -> &str {
    settings.agencies.get(agency.index()).map_or("other", |agency| &agency.name)
}

/// The languages, and `none`.
fn languages(settings: &Settings) -> Vec<&str> {
    let name = |skill: &SkillId| settings.skills.get(skill.index()).map_or("other", |skill| &*skill.name);
    settings.directory.languages.iter().map(name).chain(["none"]).collect()
}

impl QueueMeters {
    fn new(registry: &Registry, settings: &Settings, queue: &crate::acd::queue::QueueRules) -> Self {
        let (name, agency) = (&*queue.name, agency_name(settings, queue.agency));
        let labels = languages(settings);
        let left = |language: &&str| {
            let one = |outcome: &QueueOutcome| {
                let labels = [("queue", name), ("agency", agency), ("language", *language), ("outcome", outcome.label())];
                registry.counter("hotline_queue_left_total", &labels)
            };
            QueueOutcome::ALL.iter().map(one).collect()
        };
        let entered = |language: &&str| {
            registry.counter("hotline_queue_entered_total", &[("queue", name), ("agency", agency), ("language", *language)])
        };
        let wait = |outcome: &QueueOutcome| {
            let labels = [("queue", name), ("agency", agency), ("outcome", outcome.label())];
            registry.histogram("hotline_queue_wait_seconds", &labels)
        };
        let offer =
            |outcome: &OfferOutcome| registry.counter("hotline_offers_total", &[("queue", name), ("outcome", outcome.label())]);
        let estimate = |outcome: &EstimateOutcome| {
            registry.counter("hotline_queue_estimates_total", &[("queue", name), ("outcome", outcome.label())])
        };
        QueueMeters {
            entered: labels.iter().map(entered).collect(),
            left: labels.iter().map(left).collect(),
            answered_in_target: registry.counter("hotline_queue_answered_in_target_total", &[("queue", name)]),
            offers: OfferOutcome::ALL.iter().map(offer).collect(),
            estimates: EstimateOutcome::ALL.iter().map(estimate).collect(),
            wait: QueueOutcome::ALL.iter().map(wait).collect(),
            talk: registry.histogram("hotline_talk_seconds", &[("queue", name), ("agency", agency)]),
        }
    }
}

impl Meters {
    pub(super) fn new(registry: Arc<Registry>, settings: &Arc<Settings>, board: Arc<Board>) -> Self {
        let r = &*registry;
        let queues: Vec<Option<QueueMeters>> =
            settings.directory.queues.iter().map(|q| q.as_ref().map(|queue| QueueMeters::new(r, settings, queue))).collect();
        let channel = Channel::Voice.label();
        let entry_name = |name: &str| r.counter("hotline_contacts_total", &[("channel", channel), ("entry", name)]);
        let contacts =
            settings.entries.iter().map(|e| e.as_ref().map_or("other", |e| &*e.name)).chain(["direct"]).map(entry_name);
        let ended = |queue: &str| {
            let by = |segment: &Segment, by: &EndedBy| {
                let labels = [("queue", queue), ("segment", segment.label()), ("ended_by", by.label())];
                r.counter("hotline_contacts_ended_total", &labels)
            };
            Segment::ALL
                .iter()
                .map(|segment| EndedBy::ALL.iter().map(|who| ends_while_alive(*who).then(|| by(segment, who))).collect())
                .collect()
        };
        let queue_names = settings.directory.queues.iter().map(|q| q.as_ref().map_or("other", |queue| &*queue.name));
        let language_wait = |language: &str| {
            let one = |outcome: &QueueOutcome| {
                r.histogram("hotline_language_wait_seconds", &[("language", language), ("outcome", outcome.label())])
            };
            QueueOutcome::ALL.iter().map(one).collect()
        };
        let trunk_calls = |trunk: &str| {
            [Direction::In, Direction::Out].map(|d| r.gauge("hotline_trunk_calls", &[("trunk", trunk), ("direction", d.label())]))
        };
        let trunks = settings.trunks.iter().map(|t| t.as_ref().map(|trunk| &*trunk.name));
        Meters {
            contacts: contacts.collect(),
            contacts_up: r.gauge("hotline_contacts_up", &[("channel", channel)]),
            ended: queue_names.chain(["none"]).map(ended).collect(),
            language_wait: languages(settings).into_iter().map(language_wait).collect(),
            wrap_up: settings.agencies.iter().map(|a| r.histogram("hotline_wrap_up_seconds", &[("agency", &a.name)])).collect(),
            matched: r.histogram("hotline_match_seconds", &[]),
            trunk_up: trunks.clone().map(|t| t.map(|trunk| r.gauge("hotline_trunk_up", &[("trunk", trunk)]))).collect(),
            trunk_calls: trunks.map(|t| t.map(trunk_calls)).collect(),
            jitter: r.histogram("hotline_rtp_jitter_seconds", &[]),
            repairs: Repair::ALL.iter().map(|k| r.counter("hotline_repairs_total", &[("kind", k.label())])).collect(),
            trunk_calls_here: BTreeMap::new(),
            transfers: BTreeMap::new(),
            queues,
            settings: settings.clone(),
            board,
            registry,
        }
    }

    /// The configuration has changed: new items begin at zero, known ones go on.
    pub fn reload(&mut self, settings: &Arc<Settings>) {
        let trunk_calls_here = std::mem::take(&mut self.trunk_calls_here);
        *self = Meters { trunk_calls_here, ..Meters::new(self.registry.clone(), settings, self.board.clone()) };
    }

    /// A match was made and handed over within `span`.
    pub fn matched(&self, span: Duration) {
        self.matched.record(span.as_secs_f64());
    }

    fn queue(&self, queue: QueueId) -> Option<&QueueMeters> {
        self.queues.get(queue.index())?.as_ref()
    }

    fn language(&self, language: Option<SkillId>) -> usize {
        let known = &self.settings.directory.languages;
        language.and_then(|language| known.iter().position(|l| *l == language)).unwrap_or(known.len())
    }

    /// Takes a fact.
    pub fn take(&mut self, fact: &Fact) {
        match &fact.kind {
            FactKind::Arrived { entry, .. } => {
                let direct = self.contacts.len() - 1;
                self.contacts[entry.map_or(direct, |entry| entry.index().min(direct))].increment(1);
                self.contacts_up.increment(1.0);
            }
            FactKind::Ended { by, segment, queue, .. } => {
                self.contacts_up.decrement(1.0);
                let none = self.ended.len() - 1;
                let place = queue.map_or(none, |queue| queue.index().min(none));
                if let Some(counter) = &self.ended[place][segment.index()][by.index()] {
                    counter.increment(1);
                }
            }
            FactKind::Entered { queue, language, .. } => {
                let language = self.language(*language);
                if let Some(queue) = self.queue(*queue) {
                    queue.entered[language].increment(1);
                }
            }
            FactKind::Left { queue, language, outcome, waited, in_target, estimated } => {
                let language = self.language(*language);
                self.language_wait[language][outcome.index()].record(waited.as_secs_f64());
                let Some(queue) = self.queue(*queue) else { return };
                queue.left[language][outcome.index()].increment(1);
                queue.wait[outcome.index()].record(waited.as_secs_f64());
                if let Some(estimated) = estimated {
                    queue.estimates[estimated.index()].increment(1);
                }
                if *outcome == QueueOutcome::Answered && *in_target {
                    queue.answered_in_target.increment(1);
                }
            }
            FactKind::OfferEnded { queue, outcome, .. } => {
                if let Some(queue) = self.queue(*queue) {
                    queue.offers[outcome.index()].increment(1);
                }
            }
            FactKind::TalkEnded { queue, lasted, .. } => {
                if let Some(queue) = queue.and_then(|queue| self.queue(queue)) {
                    queue.talk.record(lasted.as_secs_f64());
                }
            }
            FactKind::LegEnded { packets: (1.., ..), jitter, .. } => self.jitter.record(jitter.as_secs_f64()),
            FactKind::Agent { agent, from, to, lasted } => {
                self.board.set(fact.at, *agent, *to);
                let agency = self.settings.agency_of(*agent);
                if let (AgentState::WrapUp, Some(agency)) = (from.0, agency) {
                    self.wrap_up[agency.index()].record(lasted.as_secs_f64());
                }
            }
            FactKind::Transferred { kind, from, to, outcome } => self.transferred(*kind, *from, *to, *outcome),
            FactKind::TrunkCalls { trunk, direction, up } => {
                if let Some(Some(gauges)) = self.trunk_calls.get(trunk.index()) {
                    let before = self.trunk_calls_here.insert((*trunk, *direction), *up).unwrap_or(0);
                    gauges[direction.index()].increment(f64::from(*up) - f64::from(before));
                }
            }
            FactKind::TrunkUp { trunk, up } => {
                if let Some(Some(gauge)) = self.trunk_up.get(trunk.index()) {
                    gauge.set(f64::from(u8::from(*up)));
                }
            }
            FactKind::Repaired { kind } => self.repairs[kind.index()].increment(1),
            // Among others what was refused at a limit: the board of limits counts it.
            _ => {}
        }
    }

    fn transferred(&mut self, kind: TransferKind, from: Option<AgencyId>, to: Option<AgencyId>, outcome: TransferOutcome) {
        let name = |agency: Option<AgencyId>| agency.map_or("external", |agency| agency_name(&self.settings, agency));
        let labels = [("kind", kind.label()), ("from_agency", name(from)), ("to_agency", name(to)), ("outcome", outcome.label())];
        let registry = &self.registry;
        let new = || registry.counter("hotline_transfers_total", &labels);
        self.transfers.entry((kind, from, to, outcome)).or_insert_with(new).increment(1);
    }
}
