//! Metrics that are not counted from facts but read at each scrape: queues, SIP, media threads, limits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics::Counter;
use metrics_exporter_prometheus::PrometheusHandle;

use super::{Board, Registry};
use crate::acd::Matcher;
use crate::base::limits::LimitBoard;
use crate::base::words::{AgentState, BreakReason, Direction, Limit};
use crate::base::{AgencyId, AgentId, QueueId, Range, Time};
use crate::engine::Settings;
use crate::report::EventKind;
use crate::sip::stack::counts::{Rejected, SipCounts};

/// Where they are read. The closures reach into rooms that metrics does not know.
pub struct Collected {
    /// The matcher, for queues and loans.
    pub matcher: Arc<Matcher>,
    /// Counters of SIP messages, of each shard.
    pub sip: Vec<Arc<SipCounts>>,
    /// The media threads' totals, by name.
    pub media: Box<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>,
    /// The use of limits.
    pub limits: Arc<LimitBoard>,
    /// Updates the limits that are not noted where they change.
    pub look_up: Box<dyn Fn() + Send + Sync>,
    /// Events that the log lost, by kind.
    pub log_lost: Box<dyn Fn() -> Vec<(EventKind, u64)> + Send + Sync>,
    /// How far the store is behind the log; `None`: there is no store.
    pub store_lag: Box<dyn Fn() -> Option<Duration> + Send + Sync>,
    /// The time.
    pub now: Box<dyn Fn() -> Time + Send + Sync>,
}

/// Renders the metrics at each scrape.
pub struct Exporter {
    registry: Arc<Registry>,
    handle: PrometheusHandle,
    settings: Arc<ArcSwap<Settings>>,
    board: Arc<Board>,
    collected: Collected,
    rejected: Vec<Counter>,
    rtp: [Counter; 2],
    rtp_lost: [Counter; 2],
    /// By kind of event.
    log_lost: Vec<Counter>,
}

impl Exporter {
    pub(super) fn new(
        registry: Arc<Registry>,
        handle: PrometheusHandle,
        settings: Arc<ArcSwap<Settings>>,
        board: Arc<Board>,
        collected: Collected,
    ) -> Self {
        let r = &*registry;
        let both_ways =
            |name: &'static str| [Direction::In, Direction::Out].map(|d| r.counter(name, &[("direction", d.label())]));
        let commit = option_env!("HOTLINE_COMMIT").unwrap_or("unknown");
        r.gauge("hotline_build_info", &[("version", env!("CARGO_PKG_VERSION")), ("commit", commit)]).set(1.0);
        Exporter {
            rejected: Rejected::ALL
                .iter()
                .map(|why| r.counter("hotline_sip_rejected_total", &[("reason", why.label())]))
                .collect(),
            log_lost: EventKind::ALL.iter().map(|kind| r.counter("hotline_log_lost_total", &[("kind", kind.label())])).collect(),
            rtp: both_ways("hotline_rtp_packets_total"),
            rtp_lost: both_ways("hotline_rtp_packets_lost_total"),
            registry,
            handle,
            settings,
            board,
            collected,
        }
    }

    /// The states of agents.
    #[must_use]
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Everything, in Prometheus's text format.
    #[must_use]
    pub fn render(&self) -> String {
        let settings = self.settings.load();
        self.queues(&settings);
        self.agents(&settings);
        self.wire();
        self.media();
        self.limits();
        self.records();
        self.handle.run_upkeep();
        self.handle.render()
    }

    /// The series of every queue, including those that a reload removed: series stay until the process ends.
    fn queues(&self, settings: &Settings) {
        let now = (self.collected.now)();
        let longest: BTreeMap<QueueId, Time> = self.collected.matcher.longest().into_iter().collect();
        for (index, rules) in settings.directory.queues.iter().enumerate() {
            let Some(rules) = rules else { continue };
            let (queue, labels) = (QueueId(index as u32), [("queue", &*rules.name)]);
            let waiting = self.collected.matcher.waiting(queue);
            let wait = longest.get(&queue).map_or(0.0, |since| now.since(*since).as_secs_f64());
            self.registry.gauge("hotline_queue_waiting", &labels).set(f64::from(waiting));
            self.registry.gauge("hotline_queue_longest_wait_seconds", &labels).set(wait);
            // No value while nothing is known: a number would be believed.
            let expected = self.collected.matcher.expects_next(now, queue);
            let seconds = |of: fn(&Range) -> Duration| expected.as_ref().map_or(f64::NAN, |range| of(range).as_secs_f64());
            for (end, value) in [("low", seconds(|r| r.low)), ("likely", seconds(|r| r.likely)), ("high", seconds(|r| r.high))] {
                let labels = [("queue", &*rules.name), ("end", end)];
                self.registry.gauge("hotline_queue_estimated_wait_seconds", &labels).set(value);
            }
        }
    }

    fn agents(&self, settings: &Settings) {
        let mut states = vec![[0u32; AgentState::ALL.len()]; settings.agencies.len()];
        let mut reasons = vec![[0u32; BreakReason::ALL.len()]; settings.agencies.len()];
        for (index, profile) in settings.directory.agents.iter().enumerate() {
            let Some(agency) = profile.as_ref().map(|profile| profile.agency.index()) else { continue };
            let (state, reason, _) = self.board.state(AgentId(index as u32));
            states[agency][state.index()] += 1;
            if let Some(reason) = reason {
                reasons[agency][reason.index()] += 1;
            }
        }
        let set = |name, agency: &str, label, value, count: &u32| {
            self.registry.gauge(name, &[("agency", agency), (label, value)]).set(f64::from(*count));
        };
        for (index, agency) in settings.agencies.iter().enumerate() {
            for (state, count) in AgentState::ALL.iter().zip(&states[index]) {
                set("hotline_agents", &agency.name, "state", state.label(), count);
            }
            for (reason, count) in BreakReason::ALL.iter().zip(&reasons[index]) {
                set("hotline_agents_on_break", &agency.name, "reason", reason.label(), count);
            }
            if let Some((on_loan, max)) = self.collected.matcher.on_loan(AgencyId(index as u32)) {
                let labels = [("agency", &*agency.name)];
                self.registry.gauge("hotline_agents_lent", &labels).set(f64::from(on_loan));
                self.registry.gauge("hotline_agents_lent_max", &labels).set(f64::from(max));
            }
        }
    }

    fn wire(&self) {
        let shards = || self.collected.sip.iter();
        let mut requests = BTreeMap::new();
        for (direction, method, transport, count) in shards().flat_map(|sip| sip.requests()) {
            *requests.entry((direction.label(), method, transport.label())).or_insert(0) += count;
        }
        for ((direction, method, transport), count) in requests.into_iter().filter(|(_, count)| *count > 0) {
            let labels = [("direction", direction), ("method", method), ("transport", transport)];
            self.registry.counter("hotline_sip_requests_total", &labels).absolute(count);
        }
        let mut responses = BTreeMap::new();
        for (direction, status, transport, count) in shards().flat_map(|sip| sip.responses()) {
            *responses.entry((direction.label(), status, transport.label())).or_insert(0) += count;
        }
        for ((direction, status, transport), count) in responses {
            let status = if status == 0 { "other".to_owned() } else { status.to_string() };
            let labels = [("direction", direction), ("status", &*status), ("transport", transport)];
            self.registry.counter("hotline_sip_responses_total", &labels).absolute(count);
        }
        for direction in Direction::ALL {
            let count = shards().map(|sip| sip.retransmissions(*direction)).sum();
            self.registry.counter("hotline_sip_retransmissions_total", &[("direction", direction.label())]).absolute(count);
        }
        for (why, counter) in Rejected::ALL.iter().zip(&self.rejected) {
            counter.absolute(shards().map(|sip| sip.rejected(*why)).sum());
        }
    }

    fn records(&self) {
        for (kind, count) in (self.collected.log_lost)() {
            self.log_lost[kind.index()].absolute(count);
        }
        if let Some(lag) = (self.collected.store_lag)() {
            self.registry.gauge("hotline_store_lag_seconds", &[]).set(lag.as_secs_f64());
        }
    }

    fn media(&self) {
        for (name, count) in (self.collected.media)() {
            match name {
                "packets_in" => self.rtp[0].absolute(count),
                "packets_out" => self.rtp[1].absolute(count),
                "lost_in" => self.rtp_lost[0].absolute(count),
                "lost_out" => self.rtp_lost[1].absolute(count),
                // What goes up and down is no counter.
                "endpoints" => self.registry.gauge("hotline_media_endpoints", &[]).set(count as f64),
                // The board of limits shows these.
                "pairs_used" | "pairs_max" => {}
                _ => self.registry.counter("hotline_media_events_total", &[("event", name)]).absolute(count),
            }
        }
    }

    fn limits(&self) {
        (self.collected.look_up)();
        for limit in Limit::ALL {
            let labels = [("limit", limit.label())];
            if let Some((used, max)) = self.collected.limits.used(*limit) {
                self.registry.gauge("hotline_limit_used", &labels).set(used as f64);
                self.registry.gauge("hotline_limit_max", &labels).set(max as f64);
            }
            self.registry.counter("hotline_limit_hits_total", &labels).absolute(self.collected.limits.hits(*limit));
        }
    }
}
