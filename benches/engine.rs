//! What a call costs apart from the system calls: a whole queued call's signalling through the engine, and a match.

#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]

#[path = "engine/house.rs"]
mod house;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use hotline::acd::{ContactSlot, DemandId};
use hotline::base::{AgentId, QueueId, Time};

use self::house::{House, matcher, settings};

fn signalling(c: &mut Criterion) {
    let mut group = c.benchmark_group("a queued call's signalling");
    for agents in [20, 2000] {
        let mut house = House::new(agents);
        group.bench_function(format!("{agents} agents ready"), |b| b.iter(|| house.call()));
    }
    let mut house = House::new(20);
    group.bench_function("refused in overload", |b| b.iter(|| house.shed()));
    group.finish();
}

fn matching(c: &mut Criterion) {
    let mut group = c.benchmark_group("a match");
    for (waiting, agents) in [(0, 20), (0, 2000), (1000, 20), (10_000, 20)] {
        let settings = settings(agents);
        let matcher = matcher(&settings, waiting + 1);
        let (queue, now) = (QueueId(0), Time::from_secs(1_800_000_000));
        let demand: DemandId = matcher.routing_table().demand(queue, None, 0).expect("the queue has a demand");
        for slot in 0..waiting {
            let key = matcher.key(now + Duration::from_secs(60), Duration::ZERO, false);
            matcher.arrive(ContactSlot(slot), queue, u32::MAX, demand, key, now).expect("there is room");
        }
        if waiting == 0 {
            (0..agents).for_each(|agent| assert!(matcher.ready(AgentId(agent), now, Duration::ZERO)));
        }
        let slot = ContactSlot(waiting);
        let name = if waiting == 0 {
            format!("an arrival among {agents} ready agents")
        } else {
            format!("an agent turns ready, {waiting} wait")
        };
        group.bench_function(name, |b| {
            b.iter(|| {
                let key = matcher.key(now, Duration::ZERO, false);
                matcher.arrive(slot, queue, u32::MAX, demand, key, now).expect("there is room");
                if waiting > 0 {
                    matcher.ready(AgentId(0), now, Duration::ZERO);
                }
                let agent = matcher.accept(slot).expect("the first in the queue is offered");
                matcher.woken_contacts(0, |_| {});
                matcher.woken_agents(0, |_| {});
                matcher.release(agent);
                if waiting == 0 {
                    matcher.ready(agent, now, Duration::ZERO);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, signalling, matching);
criterion_main!(benches);
