//! The claim under loom: which models there are, running them, and taking steps out of them; and then those of mail.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::acd::step::Step;
use crate::mail;
use crate::modelled::{see_entries, start_over, take_out};
use crate::town::{Model, Op, play};
use Op::{AcceptOrLeave, Arrive, Leave, Pause, Prefer, Publish, PutBack, Ready, Regroup, Relax, Return};

/// One agent, one queue.
const PLAIN: Model =
    Model { name: "", agents: &[&[0]], then: &[], queues: &[&[0]], before: &[], threads: &[], after: &[], in_order: None };

const MODELS: &[Model] = &[
    Model { name: "an arrival and an agent turning ready", threads: &[&[Arrive(0, 0)], &[Ready(0)]], ..PLAIN },
    Model { name: "two arrivals and an agent turning ready", threads: &[&[Arrive(0, 0)], &[Arrive(1, 0)], &[Ready(0)]], ..PLAIN },
    Model {
        name: "two agents and a contact",
        agents: &[&[0], &[0]],
        threads: &[&[Arrive(0, 0)], &[Ready(0)], &[Ready(1)]],
        ..PLAIN
    },
    Model {
        name: "order: one waits, another arrives as the agent turns ready",
        before: &[Arrive(0, 0)],
        threads: &[&[Arrive(1, 0)], &[Ready(0)]],
        in_order: Some((0, 1)),
        ..PLAIN
    },
    Model { name: "claim and leave", before: &[Arrive(0, 0), Arrive(1, 0)], threads: &[&[Leave(0)], &[Ready(0)]], ..PLAIN },
    Model {
        name: "claim and relaxation",
        agents: &[&[0], &[1]],
        queues: &[&[0], &[0, 1]],
        before: &[Arrive(0, 0)],
        threads: &[&[Relax(0, 1)], &[Ready(0)], &[Ready(1)]],
        ..PLAIN
    },
    Model {
        name: "two relaxations that return to the old demand",
        queues: &[&[0], &[1]],
        before: &[Arrive(0, 0)],
        threads: &[&[Relax(0, 1), Relax(0, 0)], &[Ready(0)]],
        ..PLAIN
    },
    Model {
        name: "a relaxation that is lost, put back, and an agent of the other demand",
        agents: &[&[0], &[1]],
        queues: &[&[0], &[1]],
        before: &[Arrive(0, 0)],
        threads: &[&[Relax(0, 1), PutBack(0, 0)], &[Ready(0), Ready(1)]],
        ..PLAIN
    },
    Model {
        name: "a relaxation and an agent turning ready",
        agents: &[&[1]],
        queues: &[&[0], &[0, 1]],
        before: &[Arrive(0, 0)],
        threads: &[&[Relax(0, 1)], &[Ready(0)]],
        ..PLAIN
    },
    Model {
        name: "order: one relaxes as another waits and an agent turns ready",
        queues: &[&[0], &[0]],
        before: &[Arrive(0, 0), Arrive(1, 0)],
        threads: &[&[Relax(0, 1)], &[Ready(0)]],
        in_order: Some((0, 1)),
        ..PLAIN
    },
    Model {
        name: "order: two arrive one after the other as an agent turns ready",
        queues: &[&[0], &[0]],
        threads: &[&[Arrive(0, 0), Arrive(1, 1)], &[Ready(0)]],
        in_order: Some((0, 1)),
        ..PLAIN
    },
    Model {
        name: "an agent turning ready is stopped, and another scans the demand",
        agents: &[&[0], &[0]],
        before: &[Arrive(0, 0)],
        threads: &[&[Ready(0)], &[Arrive(1, 0)]],
        after: &[Ready(1)],
        ..PLAIN
    },
    Model {
        name: "a lost claim and an arrival",
        before: &[Arrive(0, 0)],
        threads: &[&[Leave(0)], &[Ready(0)], &[Arrive(1, 0)]],
        ..PLAIN
    },
    Model {
        name: "an accepted offer and a leave",
        before: &[Arrive(0, 0)],
        threads: &[&[AcceptOrLeave(0)], &[Ready(0), Return(0)], &[Arrive(1, 0)]],
        ..PLAIN
    },
    Model {
        name: "put back as another agent turns ready",
        agents: &[&[0], &[0]],
        before: &[Arrive(0, 0), Ready(0)],
        threads: &[&[PutBack(0, 0)], &[Ready(1)]],
        ..PLAIN
    },
    Model {
        name: "a claim and a pause",
        agents: &[&[0], &[0]],
        before: &[Ready(0)],
        threads: &[&[Arrive(0, 0)], &[Pause(0)], &[Ready(1)]],
        ..PLAIN
    },
    Model { name: "one who wants an agent, and that agent turning ready", threads: &[&[Prefer(0, 0)], &[Ready(0)]], ..PLAIN },
    Model {
        name: "one who wants an agent, another who wants anyone, and that agent turning ready",
        threads: &[&[Prefer(0, 0)], &[Arrive(1, 0)], &[Ready(0)]],
        ..PLAIN
    },
    Model {
        name: "order: one who wants an agent waits, another who wants anyone arrives as that agent turns ready",
        before: &[Prefer(0, 0)],
        threads: &[&[Arrive(1, 0)], &[Ready(0)]],
        in_order: Some((0, 1)),
        ..PLAIN
    },
    Model {
        name: "one wants an agent no longer as another turns ready",
        agents: &[&[0], &[0]],
        before: &[Prefer(0, 0)],
        threads: &[&[Relax(0, 0)], &[Ready(1)]],
        ..PLAIN
    },
    Model {
        name: "two rings for one contact: the first is answered, the other's agent takes who comes",
        agents: &[&[0], &[0]],
        before: &[Arrive(0, 0), Arrive(1, 0), Ready(0), Ready(1)],
        threads: &[&[AcceptOrLeave(0), Leave(1)], &[Return(0), Return(1)], &[Arrive(2, 0)]],
        after: &[Return(0), Return(1)],
        ..PLAIN
    },
    Model {
        name: "a claim and a directory change",
        agents: &[&[0]],
        then: &[&[1]],
        queues: &[&[0], &[1]],
        before: &[Ready(0)],
        threads: &[&[Publish, Regroup(0)], &[Arrive(0, 0)], &[Arrive(1, 1)]],
        ..PLAIN
    },
];

/// What each step's absence is noticed by: a model, and whether a thread must be stopped in it.
const MUTANTS: &[(Step, &str, bool)] = &[
    (Step::FenceOfArrival, "an arrival and an agent turning ready", false),
    (Step::FenceOfReady, "an arrival and an agent turning ready", false),
    (Step::FenceOfPutBack, "put back as another agent turns ready", false),
    (Step::FenceOfRelaxation, "a relaxation and an agent turning ready", false),
    (Step::FenceOfRegroup, "a claim and a directory change", false),
    (Step::TableAfterFence, "a claim and a directory change", false),
    (Step::SecondLook, "order: two arrive one after the other as an agent turns ready", false),
    (Step::IndexBeforeStateWord, "order: one relaxes as another waits and an agent turns ready", false),
    (Step::SettleInScan, "an agent turning ready is stopped, and another scans the demand", true),
    (Step::AgainInScan, "one who wants an agent, another who wants anyone, and that agent turning ready", true),
    (Step::SettleInMatch, "two arrivals and an agent turning ready", true),
    (Step::SettleInDrive, "two arrivals and an agent turning ready", true),
    (Step::OfferBeforeHeld, "two arrivals and an agent turning ready", true),
    (Step::IndexOfDirectClaim, "a lost claim and an arrival", false),
    (Step::DriveAfterLostClaim, "a lost claim and an arrival", false),
    (Step::OnlyOlderIsDead, "an arrival and an agent turning ready", false),
    (Step::OwnersCounter, "a relaxation that is lost, put back, and an agent of the other demand", false),
];

/// How a run of a model went.
struct Outcome {
    executions: u64,
    /// What was violated.
    failed: Option<String>,
    whole: bool,
    /// Whether a thread was ever stopped, where one was to be.
    stopped: bool,
}

/// A thread of a model, and the number of writes after which it is stopped.
type Stop = Option<(usize, u32)>;

/// Runs a model in all its orders with so many pre-emptions, for as long as it may.
fn run(model: Model, stop: Stop, preemptions: usize, bound: Duration) -> Outcome {
    let (executions, stopped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, note) = (executions.clone(), stopped.clone());
    let begun = Instant::now();
    see_entries(model.threads.len() < 3);
    let failed = explore(preemptions, bound, move || {
        count.fetch_add(1, Ordering::Relaxed);
        start_over();
        if play(model, stop) {
            note.store(true, Ordering::Relaxed);
        }
    });
    start_over();
    let (executions, stopped) = (executions.load(Ordering::Relaxed), stopped.load(Ordering::Relaxed));
    Outcome { executions, failed, whole: begun.elapsed() < bound, stopped }
}

/// Plays something in all its orders with so many pre-emptions, for as long as it may. What was violated.
pub(crate) fn explore(preemptions: usize, bound: Duration, play: impl Fn() + Send + Sync + 'static) -> Option<String> {
    let mut builder = loom::model::Builder::new();
    (builder.preemption_bound, builder.max_branches) = (Some(preemptions), 20_000);
    builder.max_duration = Some(bound);
    // Only then is the time looked at.
    builder.checkpoint_interval = 200;
    let result = catch_unwind(AssertUnwindSafe(|| builder.check(play)));
    result.err().map(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_else(|| "?".to_owned())
    })
}

/// The most writes that a thread can do in a model.
const WRITES_MAX: u32 = 40;

/// Runs a model with each of its threads stopped after each of its writes, until `each` says that it is enough.
fn stop_everywhere(model: &Model, bound: Duration, mut each: impl FnMut(Stop, Outcome) -> bool) {
    for thread in 0..model.threads.len() {
        for writes in 1..WRITES_MAX {
            let stop = Some((thread, writes));
            let outcome = run(*model, stop, 2, bound);
            if !outcome.stopped && outcome.failed.is_none() {
                // It never has so many.
                break;
            }
            if each(stop, outcome) {
                return;
            }
        }
    }
}

pub(crate) fn main() -> ExitCode {
    let (mut wanted, mut seconds, mut mutants) = (String::new(), 8, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => seconds = arguments.next().and_then(|n| n.parse().ok()).expect("--seconds N"),
            "--mutants" => mutants = true,
            _ => wanted = argument,
        }
    }
    // A violation is reported once, at the end of its line.
    std::panic::set_hook(Box::new(|_| {}));
    let bound = Duration::from_secs(seconds);
    let failures = if mutants {
        run_mutants(&wanted, bound) + mail::run_mutants(&wanted, bound)
    } else {
        run_models(&wanted, bound) + mail::run_models(&wanted, bound)
    };
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_models(wanted: &str, bound: Duration) -> u32 {
    let mut failures = 0;
    let all = Instant::now();
    for model in MODELS.iter().filter(|model| model.name.contains(wanted)) {
        let begun = Instant::now();
        let (mut executions, mut runs, mut cut) = (0, 0, 0);
        let mut note = |stop: Stop, outcome: Outcome| {
            executions += outcome.executions;
            runs += 1;
            cut += u32::from(!outcome.whole);
            if let Some(failed) = &outcome.failed {
                println!("FAILED  {}, stopped {stop:?}: {failed}", model.name);
                failures += 1;
            }
            outcome.failed.is_some()
        };
        if !note(None, run(*model, None, 3, bound)) {
            stop_everywhere(model, bound / 16, &mut note);
        }
        println!("{executions:>9} executions, {runs:>3} runs, {cut:>2} cut, {:>5.1?}  {}", begun.elapsed(), model.name);
    }
    println!("{:.0?} in all", all.elapsed());
    failures
}

fn run_mutants(wanted: &str, bound: Duration) -> u32 {
    let mut missed = 0;
    for (step, name, stopped) in MUTANTS.iter().filter(|(step, ..)| format!("{step:?}").contains(wanted)) {
        let model = MODELS.iter().find(|model| model.name == *name).expect("the model is there");
        take_out(Some(*step));
        let mut caught = None;
        let mut note = |stop: Stop, outcome: Outcome| {
            caught = outcome.failed.map(|failed| (stop, failed));
            caught.is_some()
        };
        if *stopped {
            stop_everywhere(model, bound, &mut note);
        } else {
            note(None, run(*model, None, 3, bound));
        }
        take_out(None);
        match caught {
            Some((None, failed)) => println!("caught  {step:?} by {name}: {failed}"),
            Some((Some((thread, writes)), failed)) => {
                println!("caught  {step:?} by {name}, thread {thread} stopped after {writes} writes: {failed}");
            }
            None => {
                println!("MISSED  {step:?} by {name}");
                missed += 1;
            }
        }
    }
    missed
}
