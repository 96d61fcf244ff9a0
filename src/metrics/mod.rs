//! Metrics: facts become counters and histograms, states become gauges, under the fixed names that dashboards depend on.
//!
//! A label's value is a closed enum or a name from the configuration, so that nothing a stranger sends makes a new series. Handles are
//! made once and held. Counters of queues, agencies and trunks start at zero, so that `rate()` sees the first event.

use std::sync::Arc;

use arc_swap::ArcSwap;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{Matcher as NameMatcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::engine::Settings;

mod board;
mod collect;
mod meters;

pub use board::Board;
pub use collect::{Collected, Exporter};
pub use meters::Meters;

/// Bounds of waiting times in seconds.
const WAIT_BOUNDS: [f64; 16] =
    [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 1800.0];
/// Bounds of talk and wrap-up times in seconds.
const TALK_BOUNDS: [f64; 12] = [5.0, 10.0, 20.0, 30.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 3600.0];
/// Bounds of the time from "a match became possible" to "the offer is handed over", in seconds.
const MATCH_BOUNDS: [f64; 16] = [1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1];
/// Bounds of interarrival jitter in seconds.
const JITTER_BOUNDS: [f64; 9] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];

/// Names and their help, for counters, gauges and histograms.
const HELP: &[(&str, char, &str)] = &[
    ("hotline_contacts_total", 'c', "Contacts that came in."),
    ("hotline_contacts_up", 'g', "Contacts that have not ended."),
    ("hotline_contacts_ended_total", 'c', "Contacts that ended, by the last queue, the segment and who ended them."),
    ("hotline_queue_entered_total", 'c', "Contacts that joined a queue."),
    ("hotline_queue_left_total", 'c', "Contacts that left a queue, by outcome."),
    ("hotline_queue_waiting", 'g', "Contacts in a queue, those offered included."),
    ("hotline_queue_longest_wait_seconds", 'g', "How long the longest waiting contact has waited."),
    (
        "hotline_queue_estimated_wait_seconds",
        'g',
        "The range that holds eight of ten waits of those who join now; NaN while nothing is known.",
    ),
    (
        "hotline_queue_estimates_total",
        'c',
        "Estimates made as a contact joined, by how the wait turned out: within the range, sooner, later; or unknown.",
    ),
    ("hotline_queue_wait_seconds", 'h', "Time in a queue, by outcome."),
    ("hotline_language_wait_seconds", 'h', "Time in a queue, by the caller's language."),
    ("hotline_queue_answered_in_target_total", 'c', "Contacts answered within their queue's target."),
    ("hotline_offers_total", 'c', "Offers to agents, by how they ended."),
    ("hotline_transfers_total", 'c', "Contacts passed on, by how and what became of it."),
    ("hotline_agents", 'g', "Agents by state."),
    ("hotline_agents_on_break", 'g', "Agents on break by reason."),
    ("hotline_agents_lent", 'g', "Agents on loan to other agencies, of an agency that keeps some for its own callers."),
    ("hotline_agents_lent_max", 'g', "How many of them may be on loan, as many as are signed in now."),
    ("hotline_talk_seconds", 'h', "Length of talks."),
    ("hotline_wrap_up_seconds", 'h', "Length of wrap-ups."),
    ("hotline_match_seconds", 'h', "From a match becoming possible to the offer being handed over."),
    ("hotline_trunk_up", 'g', "Whether a trunk answers."),
    ("hotline_trunk_calls", 'g', "Calls up over a trunk."),
    ("hotline_sip_requests_total", 'c', "SIP requests, first transmissions."),
    ("hotline_sip_responses_total", 'c', "SIP responses, first transmissions."),
    ("hotline_sip_retransmissions_total", 'c', "SIP messages that came or went again."),
    ("hotline_sip_rejected_total", 'c', "SIP messages refused before any call saw them."),
    ("hotline_rtp_packets_total", 'c', "RTP packets."),
    ("hotline_rtp_packets_lost_total", 'c', "RTP packets that never came."),
    ("hotline_rtp_jitter_seconds", 'h', "Interarrival jitter of parties' RTP, at the end of their legs."),
    ("hotline_media_events_total", 'c', "What the media threads had to drop, delay or do without."),
    ("hotline_media_endpoints", 'g', "Legs with media now."),
    ("hotline_limit_used", 'g', "How much of a limit is used."),
    ("hotline_limit_max", 'g', "The limit."),
    ("hotline_limit_hits_total", 'c', "How often something was refused at a limit."),
    ("hotline_repairs_total", 'c', "What must not happen, happened and was put right."),
    ("hotline_log_lost_total", 'c', "Events that could not be written to the log."),
    ("hotline_store_lag_seconds", 'g', "How far the store is behind the log."),
    ("hotline_build_info", 'g', "The build."),
];

/// Makes handles in one recorder; the process may hold several, as tests do.
struct Registry {
    recorder: PrometheusRecorder,
}

const METADATA: Metadata<'static> = Metadata::new("hotline", Level::INFO, None);

impl Registry {
    fn new() -> (Self, PrometheusHandle) {
        let bounds = |name: &str| NameMatcher::Full(name.to_owned());
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(bounds("hotline_queue_wait_seconds"), &WAIT_BOUNDS)
            .and_then(|b| b.set_buckets_for_metric(bounds("hotline_language_wait_seconds"), &WAIT_BOUNDS))
            .and_then(|b| b.set_buckets_for_metric(bounds("hotline_talk_seconds"), &TALK_BOUNDS))
            .and_then(|b| b.set_buckets_for_metric(bounds("hotline_wrap_up_seconds"), &TALK_BOUNDS))
            .and_then(|b| b.set_buckets_for_metric(bounds("hotline_match_seconds"), &MATCH_BOUNDS))
            .and_then(|b| b.set_buckets_for_metric(bounds("hotline_rtp_jitter_seconds"), &JITTER_BOUNDS))
            .expect("no list of bounds is empty");
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        for (name, kind, help) in HELP {
            let (name, help) = (KeyName::from_const_str(name), SharedString::const_str(help));
            match kind {
                'c' => recorder.describe_counter(name, None::<Unit>, help),
                'g' => recorder.describe_gauge(name, None::<Unit>, help),
                _ => recorder.describe_histogram(name, None::<Unit>, help),
            }
        }
        (Registry { recorder }, handle)
    }

    fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
        let labels: Vec<Label> = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
        Key::from_parts(name, labels)
    }

    /// A counter, which shows as zero from now on.
    fn counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        let counter = self.recorder.register_counter(&Self::key(name, labels), &METADATA);
        counter.increment(0);
        counter
    }

    fn gauge(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.recorder.register_gauge(&Self::key(name, labels), &METADATA)
    }

    fn histogram(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
        self.recorder.register_histogram(&Self::key(name, labels), &METADATA)
    }
}

/// The two halves of the metrics: one takes facts, by meters of its own on each shard's thread; one renders for whoever asks.
#[must_use]
pub fn build(settings: &Arc<ArcSwap<Settings>>, shards: u16, agents_max: u32, collected: Collected) -> (Vec<Meters>, Exporter) {
    let (registry, handle) = Registry::new();
    let registry = Arc::new(registry);
    let board = Arc::new(Board::new(agents_max));
    let now = settings.load_full();
    let meters = (0..shards).map(|_| Meters::new(registry.clone(), &now, board.clone())).collect();
    let exporter = Exporter::new(registry, handle, settings.clone(), board, collected);
    (meters, exporter)
}
