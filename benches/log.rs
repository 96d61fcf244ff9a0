//! What the log costs the signalling thread: a fact noted, and a whole call's facts noted and written.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hotline::report::{Event, Fact, decode, encode};
use hotline::store::{Log, LogSettings, Store, StoreSettings, recover};

#[path = "../tests/store/city.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod city;

use city::{BEGAN, City};

fn call() -> Vec<Fact> {
    let mut facts = Vec::new();
    City::new(1, BEGAN, 1).whole_call(&mut facts);
    facts
}

fn lines(criterion: &mut Criterion) {
    let (facts, names) = (call(), city::names());
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements(facts.len() as u64));
    let mut buffer = Vec::new();
    group.bench_function("write_call", |bencher| {
        bencher.iter(|| {
            buffer.clear();
            facts.iter().for_each(|fact| encode::write(&Event::of(black_box(fact), &names), &mut buffer));
            black_box(&buffer);
        });
    });
    buffer.clear();
    facts.iter().for_each(|fact| encode::write(&Event::of(fact, &names), &mut buffer));
    group.bench_function("read_call", |bencher| {
        bencher.iter(|| {
            for line in buffer.split_inclusive(|byte| *byte == b'\n') {
                black_box(decode::read(black_box(line)).expect("what was written is read"));
            }
        });
    });
    group.finish();
}

fn logged(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("log");
    let dir = tempfile::tempdir().expect("a directory");
    let settings = LogSettings { directory: dir.path().to_owned(), rotate_bytes: 64 << 20, sync_every: Duration::from_secs(1) };
    let recovered = recover(dir.path()).expect("an empty log");
    let mut log = Log::start(&settings, city::names(), &recovered, BEGAN, None).expect("it can be written");
    let mut city = City::new(1, BEGAN, 1);
    let mut facts = Vec::new();
    city.whole_call(&mut facts);
    group.throughput(Throughput::Elements(facts.len() as u64));
    group.bench_function("call_noted_and_written", |bencher| {
        bencher.iter(|| {
            facts.iter().for_each(|fact| log.fact(black_box(fact)));
            log.flush();
            black_box(&mut log);
        });
    });
    log.close(city.now());
    group.finish();
}

/// The store's thread: some calls from the log into a new database.
fn stored(criterion: &mut Criterion) {
    const CALLS: u64 = 5000;
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("log");
    let settings = LogSettings { directory: log.clone(), rotate_bytes: 64 << 20, sync_every: Duration::from_secs(1) };
    let recovered = recover(&log).expect("an empty log");
    let mut writer = Log::start(&settings, city::names(), &recovered, BEGAN, None).expect("it can be written");
    let mut city = City::new(1, BEGAN, 1);
    let mut facts = Vec::new();
    (0..CALLS).for_each(|_| city.whole_call(&mut facts));
    facts.iter().for_each(|fact| writer.fact(fact));
    writer.close(city.now());
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(CALLS)).sample_size(10);
    let mut number = 0;
    group.bench_function("calls_applied", |bencher| {
        bencher.iter(|| {
            number += 1;
            let file = dir.path().join(format!("{number}.db"));
            Store::start(StoreSettings { log: log.clone(), file }, BEGAN).expect("a thread").close();
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = lines, logged, stored
}
criterion_main!(benches);
