//! The claim under loom: which models there are, running them, and taking steps out of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::acd::step::Step;
use crate::modelled::{start_over, take_out};
use crate::town::{Model, Op, play};
use Op::{AcceptOrLeave, Arrive, Leave, Pause, Publish, PutBack, Ready, Reseat, Return, Widen};

/// One agent, one queue.
const PLAIN: Model = Model { name: "", agents: &[&[0]], then: &[], queues: &[&[0]], before: &[], threads: &[], in_order: None };

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
        name: "claim and widening",
        agents: &[&[0], &[1]],
        queues: &[&[0], &[0, 1]],
        before: &[Arrive(0, 0)],
        threads: &[&[Widen(0, 1)], &[Ready(0)], &[Ready(1)]],
        ..PLAIN
    },
    Model {
        name: "two widenings that return to the old line",
        queues: &[&[0], &[1]],
        before: &[Arrive(0, 0)],
        threads: &[&[Widen(0, 1), Widen(0, 0)], &[Ready(0)]],
        ..PLAIN
    },
    Model {
        name: "widening and order",
        queues: &[&[1], &[0]],
        before: &[Arrive(0, 0)],
        threads: &[&[Widen(0, 1)], &[Arrive(1, 1)], &[Ready(0)]],
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
    Model {
        name: "a claim and a directory change",
        agents: &[&[0]],
        then: &[&[1]],
        queues: &[&[0], &[1]],
        before: &[Ready(0)],
        threads: &[&[Publish, Reseat(0)], &[Arrive(0, 0)], &[Arrive(1, 1)]],
        ..PLAIN
    },
];

/// What each step's absence is noticed by: a model, and whether a thread must be stopped in it.
const MUTANTS: &[(Step, &str, bool)] = &[
    (Step::FenceOfArrival, "an arrival and an agent turning ready", false),
    (Step::FenceOfReady, "an arrival and an agent turning ready", false),
    (Step::FenceOfPutBack, "put back as another agent turns ready", false),
    (Step::FenceOfWidening, "claim and widening", false),
    (Step::FenceOfReseat, "a claim and a directory change", false),
    (Step::SecondLook, "two arrivals and an agent turning ready", false),
    (Step::IndexBeforeWord, "claim and widening", false),
    (Step::SettleInLine, "two agents and a contact", true),
    (Step::SettleInMatch, "two arrivals and an agent turning ready", true),
    (Step::SettleInDrive, "two arrivals and an agent turning ready", true),
    (Step::OfferBeforeHeld, "two arrivals and an agent turning ready", true),
    (Step::IndexBeforeDirectClaim, "a lost claim and an arrival", false),
    (Step::DriveAfterLostClaim, "a lost claim and an arrival", false),
    (Step::OnlyOlderIsDead, "an arrival and an agent turning ready", false),
    (Step::OwnersCounter, "two widenings that return to the old line", false),
];

/// How a model went.
struct Outcome {
    executions: u64,
    /// What was violated.
    failed: Option<String>,
    whole: bool,
    took: Duration,
}

/// Runs a model in all its orders, for as long as it may.
fn run(model: Model, stopped: Option<(usize, u32)>, bound: Duration) -> Outcome {
    let executions = Arc::new(AtomicU64::new(0));
    let count = executions.clone();
    let begun = Instant::now();
    let mut builder = loom::model::Builder::new();
    (builder.preemption_bound, builder.max_branches) = (Some(3), 20_000);
    builder.max_duration = Some(bound);
    let result = catch_unwind(AssertUnwindSafe(|| {
        builder.check(move || {
            count.fetch_add(1, Ordering::Relaxed);
            start_over();
            play(model, stopped);
        });
    }));
    start_over();
    let failed = result.err().map(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_else(|| "?".to_owned())
    });
    let took = begun.elapsed();
    Outcome { executions: executions.load(Ordering::Relaxed), failed, whole: took < bound, took }
}

/// So many writes a thread may do in a model, at the most.
const WRITES_MAX: u32 = 24;

/// The model, and the model with each thread stopped after each of its writes.
fn variants(model: &Model) -> impl Iterator<Item = Option<(usize, u32)>> {
    let threads = model.threads.len();
    std::iter::once(None).chain((0..threads).flat_map(|thread| (1..=WRITES_MAX).map(move |writes| Some((thread, writes)))))
}

pub(crate) fn main() -> ExitCode {
    let (mut wanted, mut seconds, mut mutants) = (String::new(), 2, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => seconds = arguments.next().and_then(|n| n.parse().ok()).expect("--seconds N"),
            "--mutants" => mutants = true,
            _ => wanted = argument,
        }
    }
    // A violation is told once, at the end of its line.
    std::panic::set_hook(Box::new(|_| {}));
    let bound = Duration::from_secs(seconds);
    let failures = if mutants { run_mutants(&wanted, bound) } else { run_models(&wanted, bound) };
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_models(wanted: &str, bound: Duration) -> u32 {
    let mut failures = 0;
    for model in MODELS.iter().filter(|model| model.name.contains(wanted)) {
        let begun = Instant::now();
        let (mut executions, mut runs, mut cut) = (0, 0, 0);
        for stopped in variants(model) {
            let outcome = run(*model, stopped, bound);
            executions += outcome.executions;
            runs += 1;
            cut += u32::from(!outcome.whole);
            if let Some(failed) = outcome.failed {
                println!("FAILED  {}, stopped {stopped:?}: {failed}", model.name);
                failures += 1;
                break;
            }
        }
        println!("{:>9} executions, {runs:>3} runs, {cut:>2} cut, {:>5.1?}  {}", executions, begun.elapsed(), model.name);
    }
    failures
}

fn run_mutants(wanted: &str, bound: Duration) -> u32 {
    let mut missed = 0;
    for (step, name, stopped) in MUTANTS.iter().filter(|(step, ..)| format!("{step:?}").contains(wanted)) {
        let model = MODELS.iter().find(|model| model.name == *name).expect("the model is there");
        take_out(Some(*step));
        let caught = variants(model)
            .filter(|variant| variant.is_some() == *stopped)
            .find_map(|variant| run(*model, variant, bound).failed.map(|failed| (variant, failed)));
        take_out(None);
        match caught {
            Some((variant, failed)) => println!("caught  {step:?} by {name}, stopped {variant:?}: {failed}"),
            None => {
                println!("MISSED  {step:?} by {name}");
                missed += 1;
            }
        }
    }
    missed
}
