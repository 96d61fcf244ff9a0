//! Mail between threads under loom: whatever is posted is read, though the reader sleeps whenever it finds nothing. A wake-up that is lost
//! leaves the reader asleep for ever, which loom reports as a deadlock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use loom::sync::Notify;
use loom::thread;

use crate::acd::wake_up::WakeUps;
use crate::base::mail::{Bell, Mail, Rest};
use crate::base::sync::FenceOf;
use crate::claim::explore;
use crate::modelled::take_fence_out;

/// A bell of the checker's.
struct Gong(Notify);

impl Bell for Gong {
    fn ring(&self) {
        self.0.notify();
    }
}

type Box = Mail<u32, Gong>;

/// Reads until it has all that is expected, and sleeps whenever nothing is there.
fn read(mail: &Box, wake_ups: Option<&WakeUps>, expected: u32) {
    let mut seen = 0;
    while seen < expected {
        while mail.take().is_some() {
            seen += 1;
        }
        if let Some(wake_ups) = wake_ups {
            wake_ups.drain(0, |_| seen += 1);
        }
        let nothing_else = || wake_ups.is_none_or(|wake_ups| !wake_ups.pending(0));
        if seen < expected && mail.may_sleep(Rest::Asleep, nothing_else) {
            mail.bell().0.wait();
            mail.awake();
        }
    }
}

/// One posts twice, or two post once each.
fn posters(both: bool) {
    let mail = Arc::new(Mail::new(Gong(Notify::new())));
    let post = |letters: u32| {
        let mail = mail.clone();
        thread::spawn(move || (0..letters).for_each(|letter| mail.post(letter)))
    };
    let posting = if both { vec![post(1), post(1)] } else { vec![post(2)] };
    read(&mail, None, 2);
    posting.into_iter().for_each(|poster| poster.join().expect("it has posted"));
}

/// Another shard makes a match, and rings; a media thread posts.
fn a_match_and_an_event() {
    let mail = Arc::new(Mail::new(Gong(Notify::new())));
    let wake_ups = Arc::new(WakeUps::new(1, 1));
    let (theirs, bits) = (mail.clone(), wake_ups.clone());
    let matching = thread::spawn(move || {
        bits.push(0, 0);
        theirs.wake(Rest::Napping);
    });
    let theirs = mail.clone();
    let posting = thread::spawn(move || theirs.post_unhurried(1));
    read(&mail, Some(&wake_ups), 2);
    matching.join().expect("it has matched");
    posting.join().expect("it has posted");
}

const MODELS: [(&str, fn()); 3] = [
    ("mail: one posts twice to a reader that sleeps", || posters(false)),
    ("mail: two post to a reader that sleeps", || posters(true)),
    ("mail: a match of another shard and an event of media", a_match_and_an_event),
];

/// Runs the models whose name has `wanted` in it. How many fail.
pub(crate) fn run_models(wanted: &str, bound: Duration) -> u32 {
    let mut failures = 0;
    for (name, model) in MODELS.into_iter().filter(|(name, _)| name.contains(wanted)) {
        let (begun, executions) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let count = executions.clone();
        let failed = explore(3, bound, move || {
            count.fetch_add(1, Ordering::Relaxed);
            model();
        });
        if let Some(failed) = &failed {
            println!("FAILED  {name}: {failed}");
            failures += 1;
        }
        println!("{:>9} executions, {:>5.1?}  {name}", executions.load(Ordering::Relaxed), begun.elapsed());
    }
    failures
}

/// Takes each fence out. How many are not missed by the first model.
pub(crate) fn run_mutants(wanted: &str, bound: Duration) -> u32 {
    let mut missed = 0;
    for of in [FenceOf::Post, FenceOf::Sleep].into_iter().filter(|of| format!("{of:?}").contains(wanted)) {
        let (name, model) = MODELS[0];
        take_fence_out(Some(of));
        let failed = explore(3, bound, model);
        take_fence_out(None);
        match failed {
            Some(failed) => println!("caught  the fence of {of:?} by {name}: {failed}"),
            None => {
                println!("MISSED  the fence of {of:?} by {name}");
                missed += 1;
            }
        }
    }
    missed
}
