//! The matcher against theory: what it does by the thousand is what queueing theory says.

use std::collections::BTreeMap;
use std::time::Duration;

use super::scene::{Arrivals, Duty, Lasting, Manners, Scene, Stream};
use super::single::{Single, plain_agent, plain_queue};
use super::stats::Figure;
use super::tally::{Measured, Tally};
use super::theory::Model;
use super::world::{Ended, Observer, Outcome, START, World};
use crate::acd::agent_slots::Capacity;
use crate::acd::queue::{Overflow, RelaxationStep};
use crate::base::seed::Seed;
use crate::base::span::{Share, Span};
use crate::base::words::{Channel, EstimateOutcome};
use crate::base::{AgentId, Estimate, PoolId, QueueId, Time};

/// How many half widths of a 95% interval make one of 99.9%: dozens of figures are held against theory, and one in twenty would miss
/// theirs by chance.
const SURE: f64 = 1.8;

fn agree(what: &str, figure: Figure, theory: f64) {
    let apart = (figure.value - theory).abs();
    assert!(apart <= SURE * figure.half_width + 1e-12, "{what}: {figure:?}, and theory says {theory}");
    assert!(theory < 0.01 || figure.half_width < 0.15 * theory, "{what}: too wide to tell anything: {figure:?}");
}

fn single(agents: u32, patience_s: Option<f64>, queue_max: Option<u32>) -> Single {
    Single { calls_per_hour: 360.0, talk_s: 180.0, agents, patience_s, queue_max, hours: 1500.0, warm_up_hours: 20.0, seed: 4 }
}

#[test]
fn erlang_b_c_and_a_hold() {
    for (agents, patience_s, queue_max) in [
        (18, None, Some(0)),
        (22, None, Some(0)),
        (20, None, None),
        (25, None, None),
        (17, Some(60.0), None),
        (20, Some(300.0), None),
        (19, None, Some(5)),
        (18, Some(120.0), Some(3)),
    ] {
        let single = single(agents, patience_s, queue_max);
        let (measured, theory) = (single.run(|_| {}).unwrap(), single.expected().unwrap());
        assert!((533_000..547_000).contains(&measured.offered), "{measured:?}");
        for ((name, figure), expected) in measured.figures().into_iter().zip(theory.figures()) {
            agree(&format!("{single:?}: {name}"), figure, expected);
        }
    }
}

#[test]
fn a_seed_is_a_day() {
    let short = Single { hours: 50.0, ..single(19, Some(60.0), None) };
    let first = short.run(|_| {}).unwrap();
    assert_eq!(first, short.run(|_| {}).unwrap());
    assert_ne!(first, Single { seed: 5, ..short }.run(|_| {}).unwrap());
}

#[test]
fn more_than_can_be_taken_is_said() {
    let flood = Single { calls_per_hour: 36_000.0, hours: 100.0, ..single(19, None, None) };
    assert!(flood.run(|_| {}).unwrap_err().to_string().contains("more than the agents can take"));
}

/// A scene of queues and pools: each queue with the pools that may serve it in the order of preference, its calls a second, its patience.
struct Design<'a> {
    queues: &'a [(&'a [u32], f64, Span)],
    /// How many agents each pool has.
    pools: &'a [u32],
    talk_s: f64,
}

impl Design<'_> {
    fn scene(&self) -> Scene {
        let mut scene = Scene::default();
        for (index, (pools, rate, patience)) in self.queues.iter().enumerate() {
            let mut queue = plain_queue(&format!("q{index}"));
            queue.pools = pools.iter().map(|pool| PoolId(*pool)).collect();
            scene.directory.queues.push(Some(queue));
            scene.streams.push(Stream {
                queue: QueueId(index as u32),
                language: None,
                interpreters: None,
                wrap_up: None,
                windows: None,
                same_callers: false,
                returning: Share::NONE,
                arrivals: Arrivals::Steady(*rate),
                patience: *patience,
                talk: Lasting::By(Span::Exp(Duration::from_secs_f64(self.talk_s))),
            });
        }
        for (pool, count) in self.pools.iter().enumerate() {
            for _ in 0..*count {
                let agent = scene.directory.agents.len();
                scene.directory.agents.push(Some(plain_agent(agent, &[pool as u32])));
                scene.duties.push((Duration::ZERO, AgentId(agent as u32), Duty::Ready));
            }
        }
        scene
    }
}

fn play(scene: &Scene, hours: u64) -> Vec<Measured> {
    let (warm_up, hours) = (Duration::from_secs(20 * 3600), Duration::from_secs(hours * 3600));
    let agents = scene.directory.agents.len() as u32;
    let tally = Tally::new(scene.streams.len(), agents, START + warm_up, hours);
    let tally = World::new(scene, warm_up + hours, 20_000, Seed::from_number(11), tally).run(|_| {}).unwrap();
    (0..scene.streams.len()).map(|stream| tally.measured(stream)).collect()
}

/// Two queues share a pool, and one has so much priority boost that it always goes first: waits by Cobham (1954).
#[test]
fn a_great_boost_is_priority() {
    let (agents, talk_s, rates) = (10.0, 100.0, [0.03, 0.05]);
    let mut scene =
        Design { queues: &[(&[0], rates[0], Span::Never), (&[0], rates[1], Span::Never)], pools: &[10], talk_s }.scene();
    scene.directory.queues[0].as_mut().unwrap().priority_boost = Duration::from_secs(1_000_000);
    let measured = play(&scene, 4000);
    let all = Model { rate: 0.08, talk_s, agents: 10, patience_s: None, queue_max: None }.expected().unwrap();
    let (first_load, load) = (rates[0] * talk_s / agents, 0.08 * talk_s / agents);
    let first = all.waited_share * talk_s / agents / (1.0 - first_load);
    agree("the first", measured[0].mean_wait_s, first);
    agree("the others", measured[1].mean_wait_s, first / (1.0 - load));
}

/// Who answers, and when they go home.
#[derive(Default)]
struct Answers(Vec<(Time, Duration, AgentId)>);

impl Observer for Answers {
    fn ended(&mut self, call: &Ended) {
        if let Outcome::Answered(agent) = call.outcome {
            self.0.push((call.arrived, call.waited, agent));
        }
    }

    fn talked(&mut self, _: AgentId, _: Time, _: Time) {}
}

/// Callers wait for the agent whom their queue names as long as it says, and for nobody who has gone home.
#[test]
fn the_agent_whom_a_queue_names_is_waited_for_a_while() {
    let (span, wait) = (Duration::from_secs(100 * 3600), Duration::from_secs(40));
    let mut scene = Design { queues: &[(&[0], 0.01, Span::Never)], pools: &[6], talk_s: 100.0 }.scene();
    scene.directory.queues[0].as_mut().unwrap().prefer_agent = Some((AgentId(4), wait));
    scene.duties.push((span / 2, AgentId(4), Duty::Home));
    let Answers(answers) = World::new(&scene, span, 1000, Seed::from_number(8), Answers::default()).run(|_| {}).unwrap();
    let (before, after): (Vec<_>, Vec<_>) = answers.iter().partition(|(arrived, ..)| *arrived < START + span / 2);
    let named = |answers: &[&(Time, Duration, AgentId)]| answers.iter().filter(|(.., agent)| *agent == AgentId(4)).count();
    // Half of the time the named agent is free; with patience of 40 s, Erlang A says that 0.47 of them wait as long for nothing.
    let share = named(&before) as f64 / before.len() as f64;
    assert!((0.55..0.75).contains(&share), "{share}");
    for (_, waited, agent) in &before {
        assert!(*waited <= wait && (*agent == AgentId(4) || *waited == wait), "{waited:?}, then agent {}", agent.0);
    }
    assert_eq!(named(&after), 0);
    // But for those who came in the last talk.
    let last = START + span / 2 + Duration::from_secs(1000);
    let waited = after.iter().filter(|(arrived, waited, _)| *arrived > last && !waited.is_zero());
    let waited = waited.count();
    assert!(after.len() > 1000 && waited < after.len() / 100, "{waited} wait though all are free but one, who is not there");
}

/// Who waits for the one who served it before has a demand of its own: the more come back, the nearer are six agents with one demand to six
/// demands of one agent each, half of whose time is talk.
#[test]
fn callers_come_back_to_who_served_them() {
    let mut scene = Design { queues: &[(&[0], 0.03, Span::Never)], pools: &[6], talk_s: 100.0 }.scene();
    scene.directory.queues[0].as_mut().unwrap().prefer_last = Some(Duration::from_secs(100_000));
    let mut wait = |returning| {
        scene.streams[0].returning = Share::percent(returning);
        play(&scene, 2000)[0].mean_wait_s.value
    };
    let (never, half, most) = (wait(0.0), wait(50.0), wait(95.0));
    assert!(never < 20.0 && 2.0 * never < half && 1.5 * half < most && most < 105.0, "{never} {half} {most}");
}

/// Agents who finish up for an exponential time that their queue allows for are servers with two steps; and never longer than it allows.
#[test]
fn agents_finish_up_as_long_as_they_need_and_may() {
    let mut scene = Design { queues: &[(&[0], 0.03, Span::Never)], pools: &[20], talk_s: 100.0 }.scene();
    let mut busy = |may_s: u64| {
        scene.directory.queues[0].as_mut().unwrap().wrap_up = Duration::from_secs(may_s);
        scene.streams[0].wrap_up = Some(Lasting::By(Span::Exp(Duration::from_secs(50))));
        let mut sheet = super::sheet::Sheet::new(&scene, Duration::from_secs(200_000), Seed::from_number(1));
        sheet = World::new(&scene, Duration::from_secs(200_000), 1000, Seed::from_number(5), sheet).run(|_| {}).unwrap();
        sheet.work.iter().map(|work| work.busy_s).sum::<f64>() / 200_000.0
    };
    let (long, short) = (busy(100_000), busy(20));
    assert!((long - 0.03 * 150.0).abs() < 0.25, "{long}");
    // The mean of an exponential time of 50 s that is cut at 20.
    let cut = 50.0 * (1.0 - (-20.0_f64 / 50.0).exp());
    assert!((short - 0.03 * (100.0 + cut)).abs() < 0.2, "{short}");
}

/// Outside of opening hours callers are turned away, or nobody calls who has somewhere else to go.
#[test]
fn hours_are_kept() {
    let hour = Duration::from_secs(3600);
    let mut scene = Design { queues: &[(&[0], 0.05, Span::Never)], pools: &[10], talk_s: 100.0 }.scene();
    let mut in_hours = |turns_away| {
        scene.streams[0].windows =
            Some(super::scene::Windows { open: vec![(hour, 3 * hour), (9 * hour, 10 * hour)], turns_away });
        let answers = World::new(&scene, 20 * hour, 1000, Seed::from_number(8), Answers::default()).run(|_| {}).unwrap();
        let open = |at: Duration| (hour..3 * hour).contains(&at) || (9 * hour..10 * hour).contains(&at);
        assert!(answers.0.iter().all(|(arrived, ..)| open(arrived.since(START))));
        assert!((450..640).contains(&answers.0.len()), "{}", answers.0.len());
        let areas = World::new(&scene, 20 * hour, 1000, Seed::from_number(8), Areas::default()).run(|_| {}).unwrap();
        assert_eq!(areas.ended, answers.0.len());
        (areas.ended, areas.found_closed)
    };
    let (answered, found_closed) = in_hours(false);
    assert_eq!(found_closed, 0);
    let (as_before, found_closed) = in_hours(true);
    assert_eq!(as_before, answered, "the same callers");
    assert!((2900..3300).contains(&found_closed), "{found_closed}");
    // Who has somewhere else to go meanwhile goes there: all the same callers.
    scene.streams[0].windows.as_mut().unwrap().turns_away = false;
    let mut elsewhere = scene.streams[0].clone();
    let closed = vec![(Duration::ZERO, hour), (3 * hour, 9 * hour), (10 * hour, 20 * hour)];
    (elsewhere.windows, elsewhere.same_callers) = (Some(super::scene::Windows { open: closed, turns_away: false }), true);
    scene.streams.push(elsewhere);
    let areas = World::new(&scene, 20 * hour, 1000, Seed::from_number(8), Areas::default()).run(|_| {}).unwrap();
    assert_eq!(areas.ended, answered + found_closed);
}

/// Of three who are rung at once the first to answer is three times as fast, where answers come exponentially; and while all are busy the
/// further rings take nobody from those who wait.
#[test]
fn several_rings_are_answered_sooner() {
    let mut scene = Design { queues: &[(&[0], 0.01, Span::Never)], pools: &[40], talk_s: 60.0 }.scene();
    scene.manners.answer_after = Span::Exp(Duration::from_secs(12));
    let rules = scene.directory.queues[0].as_mut().unwrap();
    (rules.ring_several, rules.ring_timeout) = (3, Duration::from_secs(600));
    agree("the wait for the first of three", play(&scene, 4000)[0].mean_wait_s, 4.0);

    let busy = |several| {
        let mut scene = Design { queues: &[(&[0], 0.08, Span::Never)], pools: &[10], talk_s: 100.0 }.scene();
        scene.directory.queues[0].as_mut().unwrap().ring_several = several;
        play(&scene, 1000)[0].mean_wait_s
    };
    assert_eq!(busy(1), busy(3), "phones are answered at once: nobody rings in vain");
}

/// The steady state of a chain over (i, j), 0 <= i <= `last`.0, 0 <= j <= `last`.1, from its rates to the right, up, left and down.
fn steady_state(last: (usize, usize), rates: impl Fn(usize, usize) -> [f64; 4]) -> BTreeMap<(usize, usize), f64> {
    let states: Vec<(usize, usize)> = (0..=last.0).flat_map(|i| (0..=last.1).map(move |j| (i, j))).collect();
    let mut likely: BTreeMap<(usize, usize), f64> = states.iter().map(|state| (*state, 1.0 / states.len() as f64)).collect();
    // Gauss and Seidel: each state from what flows into it, until nothing moves.
    for _ in 0..20_000 {
        let mut moved: f64 = 0.0;
        for (i, j) in &states {
            let (i, j) = (*i, *j);
            let from = |state: Option<(usize, usize)>, way: usize| {
                state.and_then(|at| likely.get(&at).map(|p| p * rates(at.0, at.1)[way])).unwrap_or(0.0)
            };
            let inflow = from(i.checked_sub(1).map(|i| (i, j)), 0)
                + from(j.checked_sub(1).map(|j| (i, j)), 1)
                + from(Some((i + 1, j)), 2)
                + from(Some((i, j + 1)), 3);
            let new = inflow / rates(i, j).iter().sum::<f64>();
            moved = moved.max((new - likely[&(i, j)]).abs());
            likely.insert((i, j), new);
        }
        let all: f64 = likely.values().sum();
        likely.values_mut().for_each(|p| *p /= all);
        if moved < 1e-14 {
            break;
        }
    }
    likely
}

/// The N: one queue may use both pools and prefers its own, its callers never wait; the other has one pool and waits with patience.
#[test]
fn the_n_design_is_its_markov_chain() {
    let (talk_s, patience_s, rates, pools) = (100.0, 80.0, [0.05, 0.04], [4_u32, 5]);
    let patience = Span::Exp(Duration::from_secs_f64(patience_s));
    let queues: &[(&[u32], f64, Span)] = &[(&[0, 1], rates[0], Span::Never), (&[1], rates[1], patience)];
    let mut scene = Design { queues, pools: &pools, talk_s }.scene();
    scene.directory.queues[0].as_mut().unwrap().length_max = 0;
    let measured = play(&scene, 6000);

    let (own, shared) = (pools[0] as usize, pools[1] as usize);
    let chain = steady_state((own, 60), |i, j| {
        let spills = i == own && j < shared;
        [
            if i < own { rates[0] } else { 0.0 },
            if j < 60 { rates[1] + if spills { rates[0] } else { 0.0 } } else { 0.0 },
            i as f64 / talk_s,
            j.min(shared) as f64 / talk_s + j.saturating_sub(shared) as f64 / patience_s,
        ]
    });
    let sum = |of: &dyn Fn(usize, usize) -> f64| chain.iter().map(|((i, j), p)| p * of(*i, *j)).sum::<f64>();
    let blocked = sum(&|i, j| f64::from(u8::from(i == own && j >= shared)));
    let waiting = sum(&|_, j| j.saturating_sub(shared) as f64);
    agree("turned away", measured[0].blocked_share, blocked);
    agree("the wait", measured[1].mean_wait_s, waiting / rates[1]);
    agree("hung up", measured[1].abandoned_share, waiting / patience_s / rates[1]);
    agree("waited", measured[1].waited_share, sum(&|_, j| f64::from(u8::from(j >= shared))));
    let talking = sum(&|i, j| (i + j.min(shared)) as f64);
    agree("busy", measured[0].occupancy, talking / (own + shared) as f64);
}

/// The W: three queues over two pools. Those at the sides have one pool each, the middle one uses the left and then the right; nobody
/// waits but on the right.
#[test]
fn the_w_design_is_its_markov_chain() {
    let (talk_s, patience_s, rates, pools) = (60.0, 45.0, [0.05, 0.06, 0.05], [5_u32, 4]);
    let patience = Span::Exp(Duration::from_secs_f64(patience_s));
    let queues: &[(&[u32], f64, Span)] =
        &[(&[0], rates[0], Span::Never), (&[0, 1], rates[1], Span::Never), (&[1], rates[2], patience)];
    let mut scene = Design { queues, pools: &pools, talk_s }.scene();
    for queue in [0, 1] {
        scene.directory.queues[queue].as_mut().unwrap().length_max = 0;
    }
    let measured = play(&scene, 6000);

    let (left, right) = (pools[0] as usize, pools[1] as usize);
    let chain = steady_state((left, 60), |i, j| {
        let spills = i == left && j < right;
        [
            if i < left { rates[0] + rates[1] } else { 0.0 },
            if j < 60 { rates[2] + if spills { rates[1] } else { 0.0 } } else { 0.0 },
            i as f64 / talk_s,
            j.min(right) as f64 / talk_s + j.saturating_sub(right) as f64 / patience_s,
        ]
    });
    let sum = |of: &dyn Fn(usize, usize) -> bool| chain.iter().filter(|((i, j), _)| of(*i, *j)).map(|(_, p)| p).sum::<f64>();
    agree("turned away on the left", measured[0].blocked_share, sum(&|i, _| i == left));
    agree("turned away in the middle", measured[1].blocked_share, sum(&|i, j| i == left && j >= right));
    agree("waited on the right", measured[2].waited_share, sum(&|_, j| j >= right));
}

/// Gives the agents of a scene these mixtures of calls and chats, and makes its second queue one of chats.
fn with_chats(scene: &mut Scene, mixtures: &[(u8, u8)]) {
    let mixture = |(voice, chat): &(u8, u8)| Capacity::load(&[(Channel::Voice, *voice), (Channel::Chat, *chat)]);
    for agent in scene.directory.agents.iter_mut().flatten() {
        agent.capacity = Capacity::of(mixtures.iter().map(mixture));
    }
    scene.directory.queues[1].as_mut().unwrap().channel = Channel::Chat;
}

/// One agent who may have a call or two chats, and one who may have a chat beside a call: nobody waits, and who is turned away is the
/// chain's to say.
#[test]
fn calls_and_chats_of_one_agent_are_their_markov_chain() {
    let (talk_s, rates) = (100.0, [0.006, 0.012]);
    for chats_beside_a_call in [0, 1] {
        let queues: &[(&[u32], f64, Span)] = &[(&[0], rates[0], Span::Never), (&[0], rates[1], Span::Never)];
        let mut scene = Design { queues, pools: &[1], talk_s }.scene();
        scene.directory.queues.iter_mut().flatten().for_each(|rules| rules.length_max = 0);
        with_chats(&mut scene, &[(1, chats_beside_a_call), (0, 2)]);
        let measured = play(&scene, 20_000);

        let chats_beside = usize::from(chats_beside_a_call);
        let call_fits = |i: usize, j: usize| i == 0 && j <= chats_beside;
        let chat_fits = |i: usize, j: usize| j < if i == 0 { 2 } else { chats_beside };
        let chain = steady_state((1, 2), |i, j| {
            [
                if call_fits(i, j) { rates[0] } else { 0.0 },
                if chat_fits(i, j) { rates[1] } else { 0.0 },
                i as f64 / talk_s,
                j as f64 / talk_s,
            ]
        });
        let sum = |of: &dyn Fn(usize, usize) -> bool| chain.iter().filter(|((i, j), _)| of(*i, *j)).map(|(_, p)| p).sum::<f64>();
        agree("calls turned away", measured[0].blocked_share, sum(&|i, j| !call_fits(i, j)));
        agree("chats turned away", measured[1].blocked_share, sum(&|i, j| !chat_fits(i, j)));
    }
}

/// Who may have three chats and nothing else is three agents.
#[test]
fn agent_slots_for_chats_alone_are_so_many_agents() {
    let queues: &[(&[u32], f64, Span)] = &[(&[0], 0.0001, Span::Never), (&[0], 0.1, Span::Never)];
    let mut scene = Design { queues, pools: &[4], talk_s: 100.0 }.scene();
    with_chats(&mut scene, &[(0, 3)]);
    scene.streams.remove(0);
    let theory = Model { rate: 0.1, talk_s: 100.0, agents: 12, patience_s: None, queue_max: None }.expected().unwrap();
    let measured = &play(&scene, 4000)[0];
    agree("the wait", measured.mean_wait_s, theory.mean_wait_s);
    agree("waited", measured.waited_share, theory.waited_share);
}

/// Busy with chats all day, and calls are answered all the same, in the time that chats take to end.
#[test]
fn calls_come_through_between_chats() {
    let patience = Span::Exp(Duration::from_secs(300));
    let queues: &[(&[u32], f64, Span)] = &[(&[0], 0.004, Span::Never), (&[0], 0.12, patience)];
    let mut scene = Design { queues, pools: &[5], talk_s: 100.0 }.scene();
    with_chats(&mut scene, &[(1, 0), (0, 2)]);
    let measured = play(&scene, 1000);
    assert!(measured[1].waited_share.value > 0.9, "there are more chats than agents can take: {measured:?}");
    assert!(measured[0].mean_wait_s.value < 200.0, "{measured:?}");
    let areas = World::new(&scene, Duration::from_secs(200 * 3600), 2000, Seed::from_number(3), Areas::default());
    areas.run(|_| {}).unwrap().hold(2);
}

/// Makes the callers of the first queue want one of the second's agents, too.
fn with_interpreters(scene: &mut Scene) {
    scene.streams[0].interpreters = Some(QueueId(1));
}

/// Where agents and interpreters do nothing else, they are as many pairs as there are of the fewer.
#[test]
fn callers_with_interpreters_are_served_by_pairs() {
    for pools in [[6, 4], [4, 7]] {
        let queues: &[(&[u32], f64, Span)] = &[(&[0], 0.03, Span::Never), (&[1], 0.00001, Span::Never)];
        let mut scene = Design { queues, pools: &pools, talk_s: 100.0 }.scene();
        with_interpreters(&mut scene);
        let pairs = Model { rate: 0.03, talk_s: 100.0, agents: 4, patience_s: None, queue_max: None }.expected().unwrap();
        let measured = &play(&scene, 6000)[0];
        agree("the wait", measured.mean_wait_s, pairs.mean_wait_s);
        agree("waited", measured.waited_share, pairs.waited_share);
    }
}

/// Both have other callers in a queue all the time, phones ring, some in vain, callers hang up: whoever wants two is served all the same.
#[test]
fn callers_with_interpreters_come_through_where_nobody_is_ever_free() {
    let patience = Span::Exp(Duration::from_secs(200));
    let queues: &[(&[u32], f64, Span)] =
        &[(&[0], 0.004, Span::Never), (&[1], 0.06, patience), (&[0], 0.12, patience), (&[1, 0], 0.01, Span::Never)];
    let mut scene = Design { queues, pools: &[8, 4], talk_s: 100.0 }.scene();
    with_interpreters(&mut scene);
    scene.manners = Manners {
        answer_after: Span::Uniform(Duration::from_secs(1), Duration::from_secs(9)),
        miss: Share::percent(3.0),
        back_after: Duration::from_secs(30),
    };
    let measured = play(&scene, 1000);
    assert!(measured[1].waited_share.value > 0.9 && measured[2].waited_share.value > 0.9, "{measured:?}");
    assert!(measured[0].mean_wait_s.value < 600.0 && measured[0].answered == measured[0].offered, "{measured:?}");
    let areas = World::new(&scene, Duration::from_secs(200 * 3600), 2000, Seed::from_number(3), Areas::default());
    areas.run(|_| {}).unwrap().hold(4);
}

/// Nobody hangs up and nobody comes to work any more: whoever still wants two is told that it is closed, and the play ends.
#[test]
fn a_play_ends_with_callers_who_want_an_interpreter_and_nobody_there() {
    let queues: &[(&[u32], f64, Span)] = &[(&[0], 0.05, Span::Never), (&[1], 0.00001, Span::Never)];
    let mut scene = Design { queues, pools: &[2, 1], talk_s: 100.0 }.scene();
    with_interpreters(&mut scene);
    let hour = Duration::from_secs(3600);
    scene.duties.extend([(hour, AgentId(1), Duty::Home), (hour, AgentId(2), Duty::Home)]);
    let areas = World::new(&scene, 2 * hour, 1000, Seed::from_number(4), Areas::default()).run(|_| {}).unwrap();
    assert!(areas.ended > 300 && areas.length[&QueueId(0)].1 == 0, "{}", areas.ended);
}

/// Who has gone home while a phone rang stays there, though nobody answered it.
#[test]
fn nobody_comes_back_for_a_ring_that_was_missed() {
    let mut scene = Design { queues: &[(&[0], 0.05, Span::Const(Duration::from_secs(300)))], pools: &[3], talk_s: 100.0 }.scene();
    scene.manners = Manners { miss: Share::ALL, back_after: Duration::from_secs(30), ..Manners::default() };
    let hour = Duration::from_secs(3600);
    scene.duties.extend((0..3).map(|agent| (hour, AgentId(agent), Duty::Home)));
    let sheet = super::sheet::Sheet::new(&scene, 3 * hour, Seed::from_number(1));
    let mut sheet = World::new(&scene, 3 * hour, 1000, Seed::from_number(5), sheet).run(|_| {}).unwrap();
    sheet.close(START + 3 * hour);
    let here_s = |from: usize| sheet.work[from..].iter().map(|work| work.here_s).sum::<f64>();
    assert!(here_s(0) > 3600.0 && here_s(5) == 0.0, "{} and {}", here_s(0), here_s(5));
}

/// For each queue, the time that its callers spent in it, and its length summed over time.
#[derive(Default)]
struct Areas {
    spent: BTreeMap<QueueId, u64>,
    under: BTreeMap<QueueId, u64>,
    length: BTreeMap<QueueId, (Time, u32)>,
    ended: usize,
    found_closed: usize,
}

impl Areas {
    /// They are the same in each queue, and everybody has left.
    fn hold(&self, queues: u32) {
        for queue in (0..queues).map(QueueId) {
            assert!(self.spent[&queue] > 1_000_000_000, "nobody waited in {queue:?}");
            assert_eq!(self.spent[&queue], self.under[&queue], "{queue:?}");
            assert_eq!(self.length[&queue].1, 0, "somebody is left in {queue:?}");
        }
    }
}

impl Observer for Areas {
    fn ended(&mut self, _: &Ended) {
        self.ended += 1;
    }

    fn talked(&mut self, _: AgentId, _: Time, _: Time) {}

    fn found_closed(&mut self, _: usize) {
        self.found_closed += 1;
    }

    fn in_queue(&mut self, now: Time, queue: QueueId, waiting: u32) {
        let (since, length) = self.length.insert(queue, (now, waiting)).unwrap_or((now, 0));
        *self.under.entry(queue).or_default() += (now.micros() - since.micros()) * u64::from(length);
    }

    fn left_queue(&mut self, now: Time, queue: QueueId, joined: Time) {
        *self.spent.entry(queue).or_default() += now.micros() - joined.micros();
    }
}

/// Little's law, to the microsecond: as the matcher counts its demands, and as callers count their time, through relaxation, overflow,
/// rings in vain, breaks and the end of shifts.
#[test]
fn littles_law_holds_for_every_queue() {
    let minute = Duration::from_secs(60);
    let patience = Span::Exp(4 * minute);
    let queues: &[(&[u32], f64, Span)] = &[(&[0], 0.03, patience), (&[1], 0.05, patience), (&[2, 0], 0.02, Span::Never)];
    let mut scene = Design { queues, pools: &[3, 5, 2], talk_s: 120.0 }.scene();
    let rules = |scene: &mut Scene, queue: usize, change: fn(&mut crate::acd::queue::QueueRules)| {
        change(scene.directory.queues[queue].as_mut().unwrap());
    };
    rules(&mut scene, 0, |queue| {
        let more_pools = vec![PoolId(1)];
        queue.relaxation = vec![RelaxationStep { after: Duration::from_secs(30), lower_levels_by: 0, more_pools }];
        queue.wrap_up = Duration::from_secs(15);
    });
    rules(&mut scene, 1, |queue| {
        (queue.wait_max, queue.overflow) = (Some(Duration::from_secs(90)), Overflow::Queue(QueueId(2)));
    });
    rules(&mut scene, 2, |queue| (queue.length_max, queue.ring_several) = (12, 3));
    scene.manners = Manners {
        answer_after: Span::Uniform(Duration::ZERO, 25 * Duration::from_secs(1)),
        miss: Share::percent(2.0),
        back_after: minute,
    };
    for agent in 0..10 {
        for hour in 1..200_u32 {
            let at = minute * (60 * hour + 6 * agent);
            scene.duties.extend([(at, AgentId(agent), Duty::Break), (at + 5 * minute, AgentId(agent), Duty::Ready)]);
        }
    }
    scene.duties.push((Duration::from_secs(400_000), AgentId(9), Duty::Home));
    let areas = World::new(&scene, 200 * 60 * minute, 5000, Seed::from_number(2), Areas::default()).run(|_| {}).unwrap();
    assert!(areas.ended > 60_000, "{}", areas.ended);
    areas.hold(3);
}

/// How estimates turned out, by queue, after a while to learn.
#[derive(Default)]
struct Scores {
    outcomes: BTreeMap<(QueueId, EstimateOutcome), u32>,
    seen: BTreeMap<QueueId, u32>,
    /// How wide ranges were, and what they would be for one who knows the demand's distribution of waits and no more.
    widths: BTreeMap<QueueId, f64>,
    waits: BTreeMap<QueueId, Vec<f64>>,
}

const LEARNING: u32 = 500;

impl Observer for Scores {
    fn ended(&mut self, _: &Ended) {}

    fn talked(&mut self, _: AgentId, _: Time, _: Time) {}

    fn estimated(&mut self, queue: QueueId, estimate: &Estimate, waited: Duration, outcome: EstimateOutcome) {
        let seen = self.seen.entry(queue).or_default();
        *seen += 1;
        if *seen > LEARNING {
            *self.outcomes.entry((queue, outcome)).or_default() += 1;
            if let Some(range) = estimate.range() {
                *self.widths.entry(queue).or_default() += (range.high - range.low).as_secs_f64();
                self.waits.entry(queue).or_default().push(waited.as_secs_f64());
            }
        }
    }
}

/// The range holds eight of ten waits, one queue alone or several whose agents are shared, with and without people who give up, and it
/// says more than the waits of the whole day would.
#[test]
fn eight_of_ten_waits_are_in_the_range() {
    let patience = Span::Exp(Duration::from_secs(240));
    let designs = [
        Design { queues: &[(&[0], 0.095, Span::Never)], pools: &[18], talk_s: 180.0 },
        Design { queues: &[(&[0], 0.12, patience)], pools: &[18], talk_s: 180.0 },
        Design {
            queues: &[(&[0], 0.04, patience), (&[1], 0.05, patience), (&[2, 0], 0.03, Span::Never)],
            pools: &[4, 5, 4],
            talk_s: 120.0,
        },
    ];
    for design in designs {
        let mut scene = design.scene();
        scene.manners.answer_after = Span::Uniform(Duration::from_secs(2), Duration::from_secs(8));
        let span = Duration::from_secs(200 * 3600);
        let mut scores = World::new(&scene, span, 20_000, Seed::from_number(5), Scores::default()).run(|_| {}).unwrap();
        for queue in (0..scene.streams.len() as u32).map(QueueId) {
            let count = |outcome| f64::from(scores.outcomes.get(&(queue, outcome)).copied().unwrap_or(0));
            let [within, sooner, later] = [EstimateOutcome::Within, EstimateOutcome::Sooner, EstimateOutcome::Later].map(count);
            let all = within + sooner + later;
            assert!(all > 2000.0, "{queue:?}: only {all} waits");
            for (share, wanted) in [(within / all, 0.8), (sooner / all, 0.1), (later / all, 0.1)] {
                assert!((share - wanted).abs() < 0.02, "{queue:?}: {within} within, {sooner} sooner, {later} later");
            }
            assert_eq!(count(EstimateOutcome::Unknown), 0.0, "{queue:?}: enough was seen");
            let waits = scores.waits.get_mut(&queue).unwrap();
            waits.sort_by(f64::total_cmp);
            let blind = waits[waits.len() * 9 / 10] - waits[waits.len() / 10];
            let width = scores.widths[&queue] / waits.len() as f64;
            assert!(width < blind, "{queue:?}: ranges of {width:.0} s, the waits of the day span {blind:.0} s");
        }
    }
}
