//! The same calls and moves as in the other benches, so many of them and nothing else: for `make instructions`, which counts what they take.
//!
//! `instructions WHAT TIMES`; without arguments it tells what there is. Times depend on who else uses the machine, instructions do not.

#![allow(missing_docs, reason = "a program")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a bench prints, and the city times"
)]
#![allow(dead_code, reason = "what the benches share is used in part")]

#[path = "matcher/city.rs"]
mod city;
#[path = "engine/house.rs"]
mod house;

use self::city::{Cell, City, Matching, Ours};
use self::house::House;

/// A move of the matcher, with what puts the city back as it was.
type Move = fn(&mut dyn Matching, &City, u64) -> std::time::Duration;

/// Name, agents, and whether event lines and recent messages are kept.
const CALLS: [(&str, u32, bool); 3] =
    [("call-20-agents", 20, false), ("call-2000-agents", 2000, false), ("call-recorded", 20, true)];
const MOVES: [(&str, Move); 5] = [
    ("arrival-that-matches", city::arrival_that_matches),
    ("arrival-that-waits", city::arrival_that_waits),
    ("agent-turning-ready", city::agent_turning_ready),
    ("leave", city::leave),
    ("relaxation", city::relaxation),
];

fn run(what: &str, times: u64) -> bool {
    if let Some((_, agents, recorded)) = CALLS.iter().find(|(name, ..)| *name == what) {
        let mut house = if *recorded { House::recorded(*agents) } else { House::new(*agents) };
        (0..times).for_each(|_| house.call());
    } else if what == "refused-in-overload" {
        let mut house = House::new(20);
        (0..times).for_each(|_| house.shed());
    } else if let Some((_, make)) = MOVES.iter().find(|(name, _)| *name == what) {
        let city = City::new(&Cell::BASE);
        let mut matching: Box<dyn Matching> = Box::new(Ours::new(&city));
        city.fill(&mut *matching);
        for turn in 0..times {
            make(&mut *matching, &city, turn);
        }
    } else {
        return false;
    }
    true
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let times = arguments.get(1).and_then(|times| times.parse().ok()).unwrap_or(1);
    if !arguments.first().is_some_and(|what| run(what, times)) {
        let moves = MOVES.iter().map(|(name, _)| *name);
        CALLS.iter().map(|(name, ..)| *name).chain(["refused-in-overload"]).chain(moves).for_each(|name| println!("{name}"));
    }
}
