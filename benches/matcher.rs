//! What the matcher costs at size, beside a matcher behind one mutex and one that a single writer owns.
//!
//! A base cell (10,000 contacts wait, 5,000 agents, 300 queues, 20 demands an agent), then one axis at a time. Half of
//! the queues are crowded: all their agents are busy, and all contacts wait in them. The other half is idle: nobody
//! waits, and agents are free. Only what is named is timed.

#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a bench times and prints, and one baseline is a lock"
)]

#[path = "matcher/baselines.rs"]
mod baselines;
#[path = "matcher/city.rs"]
mod city;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group};

use self::baselines::{Locked, SingleWriter};
use self::city::{Cell, City, Matching, Ours};

/// One operation, timed; it leaves the city as it was.
type Operation = fn(&mut dyn Matching, &City, u64) -> Duration;

const OPERATIONS: [(&str, Operation); 5] = [
    ("an arrival that matches", city::arrival_that_matches),
    ("an arrival that waits", city::arrival_that_waits),
    ("an agent turning ready", city::agent_turning_ready),
    ("a leave", city::leave),
    ("a relaxation", city::relaxation),
];

fn measure(
    c: &mut Criterion,
    group: &str,
    cell: &Cell,
    make: impl Fn(&City) -> Box<dyn Matching>,
    operations: &[(&str, Operation)],
) {
    let city = City::new(cell);
    let mut matching = make(&city);
    city.fill(&mut *matching);
    let mut group = c.benchmark_group(group);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800)).sample_size(20);
    let mut turn = 0;
    for (name, operation) in operations {
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter_custom(|times| {
                (0..times)
                    .map(|_| {
                        turn += 1;
                        operation(&mut *matching, &city, turn)
                    })
                    .sum()
            });
        });
    }
    group.finish();
}

fn ours(city: &City) -> Box<dyn Matching> {
    Box::new(Ours::new(city))
}

fn base_cell(c: &mut Criterion) {
    measure(c, "base cell", &Cell::BASE, ours, &OPERATIONS);
    measure(c, "base cell behind a mutex", &Cell::BASE, |city| Box::new(Locked::new(city)), &OPERATIONS);
    measure(c, "base cell by a single writer", &Cell::BASE, |city| Box::new(SingleWriter::new(city)), &OPERATIONS);
}

fn axes(c: &mut Criterion) {
    for waiting in [1_000, 100_000, 1_000_000] {
        measure(c, &format!("{waiting} wait"), &Cell { waiting, ..Cell::BASE }, ours, &OPERATIONS);
    }
    for agents in [100, 20_000] {
        measure(c, &format!("{agents} agents"), &Cell { agents, ..Cell::BASE }, ours, &OPERATIONS);
    }
    for queues in [10, 2_000] {
        measure(c, &format!("{queues} queues"), &Cell { queues, ..Cell::BASE }, ours, &OPERATIONS);
    }
    for queues_an_agent in [50, 150] {
        let demands = 2 * queues_an_agent;
        measure(c, &format!("{demands} demands an agent"), &Cell { queues_an_agent, ..Cell::BASE }, ours, &OPERATIONS);
    }
    measure(c, "skewed queues", &Cell { skewed: true, ..Cell::BASE }, ours, &OPERATIONS);
}

criterion_group!(benches, base_cell, axes);

/// What means do not show: the slow ones among single operations, two threads, memory.
fn tails_threads_memory() {
    let city = City::new(&Cell::BASE);
    println!("\n{:<26}{:>10}{:>10}{:>10}{:>12}", "base cell, single (ns)", "p50", "p99", "p99.9", "greatest");
    let mut matching = ours(&city);
    city.fill(&mut *matching);
    for (name, operation) in OPERATIONS {
        let mut spans: Vec<Duration> = (0..300_000).map(|turn| operation(&mut *matching, &city, turn)).collect();
        spans.sort_unstable();
        let at = |share: f64| spans[((spans.len() - 1) as f64 * share) as usize].as_nanos();
        println!("{name:<26}{:>10}{:>10}{:>10}{:>12}", at(0.5), at(0.99), at(0.999), at(1.0));
    }
    drop(matching);

    println!("\n{:<26}{:>14}{:>14}{:>10}", "matches a second", "one thread", "two threads", "ratio");
    for waiting in [10_000, 100_000, 1_000_000] {
        let city = City::new(&Cell { waiting, ..Cell::BASE });
        let rates = [1, 2].map(|threads| city::matches_a_second(&city, threads, Duration::from_secs(2)));
        println!("{:<26}{:>14.0}{:>14.0}{:>10.2}", format!("{waiting} wait"), rates[0], rates[1], rates[1] / rates[0]);
    }

    let (few, many) = (10_000, 510_000);
    let bytes = [few, many].map(|waiting| {
        let city = City::new(&Cell { waiting, ..Cell::BASE });
        let before = city::resident_bytes();
        let mut matching = ours(&city);
        city.fill(&mut *matching);
        city::resident_bytes().saturating_sub(before)
    });
    let each = (bytes[1].saturating_sub(bytes[0])) / u64::from(many - few);
    println!("\nmemory: {each} bytes for each contact more that waits");
}

fn main() {
    let begun = Instant::now();
    benches();
    Criterion::default().configure_from_args().final_summary();
    // `cargo bench` says --bench; a run of the tests does not.
    if std::env::args().any(|argument| argument == "--bench") {
        tails_threads_memory();
    }
    println!("\n{:.0?} in all", begun.elapsed());
}
