//! What two shards make, beside two engines that share nothing: `shards [RUNS [CALLS [KIND]]]` plays so many runs of each kind, of so many calls
//! on each thread.
//!
//! Each thread plays its own callers and phones, without sockets. The agents of both shards take the calls of both, so about half of the matches
//! cross from one shard to the other. Threads sleep and ring each other's bells as in `serve`. What is compared is the time in the engine, its
//! mail and its wake-ups, and not that of the players.

#![allow(missing_docs, reason = "a program")]
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints and times")]

#[path = "shards/player.rs"]
mod player;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

use hotline::acd::agent_slots::AgentSlotIds;
use hotline::acd::matcher::{Matcher, Size};
use hotline::acd::routing_table::RoutingTable;
use hotline::base::ShardId;
use hotline::base::mail::{Bell, Mail, Rest};
use hotline::call::caps::Caps;
use hotline::engine::{Letter, route};
use once_cell::race::OnceBox;
use player::{Player, city};

/// Agents of each thread's engine or shard; and callers, who are more, so that some wait for an agent to turn ready.
const AGENTS: u32 = 200;
const CALLERS: usize = 210;
const NAP: Duration = Duration::from_millis(20);

/// Unparks a thread.
#[derive(Default)]
struct Unpark(OnceBox<Thread>);

impl Bell for Unpark {
    fn ring(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

/// What shards share besides the matcher.
struct Between {
    mail: Vec<Mail<Letter, Unpark>>,
    /// By shard: when the input was taken by which another shard has first woken somebody of it; 0: it has looked since.
    woken_at: Vec<AtomicU64>,
    /// How many have not played all their calls.
    playing: AtomicUsize,
    began: Instant,
}

impl Between {
    fn new(shards: u16) -> Self {
        let mail = (0..shards).map(|_| Mail::new(Unpark::default())).collect();
        let woken_at = (0..shards).map(|_| AtomicU64::new(0)).collect();
        Between { mail, woken_at, playing: AtomicUsize::new(usize::from(shards)), began: Instant::now() }
    }
}

/// What a thread has to tell.
#[derive(Default)]
struct Told {
    calls: u64,
    engine: Duration,
    player: Duration,
    /// Matches, and how many of them were with an agent of the other shard.
    matches: u64,
    crossing: u64,
    /// From taking the input that made a match to the INVITE for it: on this thread, and from another's.
    local: Vec<Duration>,
    woken: Vec<Duration>,
}

/// Plays one shard until all have played their calls.
fn play(mut player: Player, between: &Between, shard: ShardId) -> Told {
    let own = usize::from(shard.0);
    let mail = &between.mail[own];
    let _ = mail.bell().0.set(Box::new(std::thread::current()));
    let others: Vec<usize> = (0..between.mail.len()).filter(|other| *other != own).collect();
    let mut told = Told::default();
    let mut playing = true;
    let begun = Instant::now();
    let (mut players, mut asleep) = (Duration::ZERO, Duration::ZERO);
    loop {
        // As a shard's loop does: what others have said, what the matcher has woken, then one input of its own.
        let mut done = false;
        let woken_at = between.woken_at[own].load(Ordering::Relaxed);
        while let Some(letter) = mail.take() {
            player.letter(letter);
            done = true;
        }
        if player.engine().has_wake_ups() || player.is_due() {
            player.time();
            done = true;
        }
        let invites = if done { player.poll(&between.mail) } else { 0 };
        if woken_at > 0 {
            between.woken_at[own].store(0, Ordering::Relaxed);
            if invites > 0 {
                told.woken.push(between.began.elapsed().saturating_sub(Duration::from_nanos(woken_at)));
            }
        }
        let played = Instant::now();
        let input = player.next_input();
        let taken = Instant::now();
        players += taken - played;
        if let Some(input) = input {
            done = true;
            player.input(&input);
            if player.poll(&between.mail) > 0 {
                told.local.push(taken.elapsed());
            }
        }
        if done {
            for other in &others {
                if route::has_woken(player.engine(), ShardId(*other as u16)) {
                    if between.woken_at[*other].load(Ordering::Relaxed) == 0 {
                        between.woken_at[*other].store((taken - between.began).as_nanos() as u64, Ordering::Relaxed);
                    }
                    between.mail[*other].wake(Rest::Napping);
                }
            }
            continue;
        }
        if playing && player.is_over() {
            playing = false;
            between.playing.fetch_sub(1, Ordering::AcqRel);
            between.mail.iter().for_each(|mail| mail.wake(Rest::Napping));
        }
        if between.playing.load(Ordering::Acquire) == 0 {
            break;
        }
        if mail.may_sleep(Rest::Asleep, || !player.engine().has_wake_ups()) {
            let since = Instant::now();
            std::thread::park_timeout(NAP);
            asleep += since.elapsed();
            mail.awake();
        }
    }
    (told.engine, told.player) = (begun.elapsed() - players - asleep, players);
    (told.calls, told.matches, told.crossing) = player.tally();
    told
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// One shard, on one thread.
    One,
    /// Two engines that share nothing, each with its thread.
    Apart,
    /// Two shards.
    Two,
    /// Two shards, whose agents may have a chat beside a call: a desk agrees before the agent is rung.
    TwoAgreed,
}

/// Plays `calls` on each thread. What all threads tell, and how long it took.
fn run(kind: Kind, calls: u64) -> (Vec<Told>, Duration) {
    let shards: u16 = if matches!(kind, Kind::Two | Kind::TwoAgreed) { 2 } else { 1 };
    let houses = if kind == Kind::Apart { 2 } else { 1 };
    let begun = Instant::now();
    let told = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..houses)
            .flat_map(|_| {
                let agents = AGENTS * u32::from(shards);
                let settings = city(agents, kind == Kind::TwoAgreed);
                let (settings, directory) = settings.with_agent_slots(&AgentSlotIds::beyond(agents, shards));
                let (settings, slots) = (Arc::new(settings), directory.agents.len() as u32);
                let size = Size { shards, contacts_per_shard: 1000, agents: slots, queues: 1, agencies: 1 };
                let owner = |agent| ShardId::of_agent(agent, shards).0;
                let matcher = Arc::new(Matcher::new(size, RoutingTable::new(&directory, 1), owner));
                let (caps, between) = (Arc::new(Caps::default()), Arc::new(Between::new(shards)));
                (0..shards)
                    .map(ShardId)
                    .map(move |shard| (shard, settings.clone(), matcher.clone(), caps.clone(), between.clone()))
            })
            .map(|(shard, settings, matcher, caps, between)| {
                scope.spawn(move || {
                    let player = Player::new(shard, settings, matcher, caps, CALLERS, calls);
                    play(player, &between, shard)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it has played")).collect()
    });
    (told, begun.elapsed())
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
}

fn p99(of: &[Duration]) -> f64 {
    let mut of: Vec<f64> = of.iter().map(|span| span.as_secs_f64() * 1e6).collect();
    of.sort_by(f64::total_cmp);
    of.get(of.len() * 99 / 100).copied().unwrap_or(f64::NAN)
}

/// Calls for each second in the engine, of all threads together.
fn rate(told: &[Told]) -> f64 {
    let (calls, engine) =
        told.iter().fold((0, Duration::ZERO), |(calls, engine), told| (calls + told.calls, engine + told.engine));
    calls as f64 / engine.as_secs_f64()
}

/// How long a word takes from one core to the other, by handing it on many times. It says what kind of day the machine has.
fn trip() -> Duration {
    const TRIPS: u64 = 200_000;
    let word = AtomicU64::new(0);
    let begun = Instant::now();
    let hand_on = |mine: u64| {
        for trip in (mine..TRIPS).step_by(2) {
            while word.load(Ordering::Acquire) != trip {
                std::hint::spin_loop();
            }
            word.store(trip + 1, Ordering::Release);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| hand_on(0));
        hand_on(1);
    });
    begun.elapsed() / TRIPS as u32
}

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let (pairs, calls) = (numbers.first().copied().unwrap_or(10), numbers.get(1).copied().unwrap_or(10_000));
    let only = std::env::args().nth(3);
    let wanted = |kind: &Kind| only.as_ref().is_none_or(|only| *only == format!("{kind:?}"));
    let mut ratios = Vec::new();
    for pair in 0..pairs {
        println!("{pair:>2} a word takes {:?} from one core to the other", trip());
        let mut rates = Vec::new();
        for kind in [Kind::One, Kind::Apart, Kind::Two, Kind::TwoAgreed].into_iter().filter(wanted) {
            let (told, took) = run(kind, calls);
            let (engine, player) = told.iter().fold((0.0, 0.0), |(engine, player), told| {
                (engine + told.engine.as_secs_f64(), player + told.player.as_secs_f64())
            });
            let sum = |of: fn(&Told) -> u64| told.iter().map(of).sum::<u64>();
            let all = |of: fn(&Told) -> &Vec<Duration>| told.iter().flat_map(|told| of(told).clone()).collect::<Vec<_>>();
            let (local, woken) = (all(|told| &told.local), all(|told| &told.woken));
            println!(
                "{pair:>2} {kind:<9} {:>7.0} calls/s of engine, {:>7.0} calls/s, players {:>4.1}%, crossing {:>4.1}%, match to INVITE p99 {:>6.1} us here ({}), {:>6.1} us from the other ({})",
                rate(&told),
                sum(|told| told.calls) as f64 / took.as_secs_f64(),
                player / (engine + player) * 100.0,
                sum(|told| told.crossing) as f64 / sum(|told| told.matches) as f64 * 100.0,
                p99(&local),
                local.len(),
                p99(&woken),
                woken.len(),
                kind = format!("{kind:?}"),
            );
            rates.push(rate(&told));
        }
        if let [_, apart, two, _] = rates[..] {
            ratios.push(two / apart);
        }
    }
    if ratios.is_empty() {
        return;
    }
    println!("two shards make {:.3} of what two engines apart make, in the median of {pairs}", median(ratios));
}
