//! The server and the simulator play the same queue: seeded scenes through both, and every wait, order and outcome is compared.
//!
//! The server is a whole engine with callers and phones that speak SIP and take no time; the simulator's people do the same by its rules.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::settings::Settings;
use super::house::{CALLER, CONTACTS, House, Request, Sent, answer, desk_phone, sdp, settings, tag_of};
use crate::acd::agent::State;
use crate::acd::policy::ChoiceRule;
use crate::acd::queue::tests::plain;
use crate::acd::queue::{Overflow, QueueRules, RelaxationStep, WhenEmpty};
use crate::acd::routing_table::AgentProfile;
use crate::base::seed::Seed;
use crate::base::span::{Share, Span};
use crate::base::words::{BreakReason, EndedBy, OfferOutcome};
use crate::base::{AgentId, PoolId, QueueId, SkillId, Time};
use crate::call::trunk::NumberTarget;
use crate::engine::media_port::{Feed, MediaEvent};
use crate::engine::{AgentCommand, Input};
use crate::report::FactKind;
use crate::simulate::scene::{Arrivals, Duty, Lasting, Manners, Scene, Stream};
use crate::simulate::world::{Ended, Observer, Outcome, World};

const SCENES: u64 = 200;
const QUEUES: u64 = 3;

/// One who calls.
#[derive(Clone, Copy, Debug)]
struct Caller {
    queue: QueueId,
    comes: Duration,
    patience: Duration,
    talk: Duration,
}

/// A scene for both.
#[derive(Debug)]
struct Play {
    queues: Vec<QueueRules>,
    agents: Vec<AgentProfile>,
    callers: Vec<Caller>,
    duties: Vec<(Duration, AgentId, Duty)>,
    /// How long each phone rings until it is answered.
    answer_after: Duration,
    /// When an agent who missed a ring is back.
    back_after: Duration,
}

/// What became of a caller's wait.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Came {
    Answered(AgentId),
    Abandoned,
    TurnedAway,
}

/// By caller: how long it waited in all, what came of it, and in which queue; not for those who were turned away, whom the server counts
/// to the queue that they were in last, and the simulator to the one that did not take them.
type Course = BTreeMap<usize, (Duration, Came, Option<QueueId>)>;

fn course(waited: Duration, came: Came, queue: QueueId) -> (Duration, Came, Option<QueueId>) {
    (waited, came, Some(queue).filter(|_| came != Came::TurnedAway))
}

/// A time within `from` and `to` seconds, to the microsecond: nothing happens at the same time by chance.
fn within(seed: &mut Seed, from: u64, to: u64) -> Duration {
    Duration::from_micros(from * 1_000_000 + seed.below((to - from) * 1_000_000))
}

fn often(seed: &mut Seed, percent: u64) -> bool {
    seed.below(100) < percent
}

fn one_of<T: Clone>(seed: &mut Seed, from: &[T]) -> T {
    from[seed.below(from.len() as u64) as usize].clone()
}

fn rules(seed: &mut Seed, queue: u64, agents: u64) -> QueueRules {
    let skills = if often(seed, 60) { vec![(queue as u32 % 2, 1 + seed.below(6) as u8)] } else { Vec::new() };
    let pools: Vec<u32> = (0..2).filter(|pool| *pool == queue % 2 || often(seed, 40)).map(|pool| pool as u32).collect();
    let step = |seed: &mut Seed, after: u64| RelaxationStep {
        after: within(seed, after, after + 20),
        lower_levels_by: 2,
        more_pools: if often(seed, 50) { vec![PoolId(1 - queue as u32 % 2)] } else { Vec::new() },
    };
    let relaxation = if often(seed, 50) { vec![step(seed, 5), step(seed, 40)] } else { Vec::new() };
    let when_empty = [WhenEmpty::Wait, WhenEmpty::Wait, WhenEmpty::Overflow, WhenEmpty::Goodbye];
    let on = queue + 1 < QUEUES && often(seed, 60);
    QueueRules {
        priority_boost: if often(seed, 30) { within(seed, 0, 60) } else { Duration::ZERO },
        emergency: often(seed, 10),
        prefer_agent: often(seed, 25).then(|| (AgentId(seed.below(agents) as u32), within(seed, 5, 40))),
        relaxation,
        choice: one_of(
            seed,
            &[ChoiceRule::LongestIdle, ChoiceRule::MostSkilled, ChoiceRule::LeastOccupied, ChoiceRule::FixedOrder],
        ),
        ring_several: one_of(seed, &[1, 1, 2, 3]),
        ring_timeout: within(seed, 5, 12),
        wrap_up: if often(seed, 60) { within(seed, 1, 15) } else { Duration::ZERO },
        wait_max: often(seed, 50).then(|| within(seed, 20, 120)),
        length_max: one_of(seed, &[0, 1, 3, 100, 100]),
        overflow: if on { Overflow::Queue(QueueId(queue as u32 + 1)) } else { Overflow::Goodbye },
        join_empty: one_of(seed, &when_empty),
        leave_when_empty: one_of(seed, &when_empty),
        ..plain(&format!("q{queue}"), &skills, &pools)
    }
}

impl Play {
    fn of(seed: &mut Seed) -> Self {
        let agents = 1 + seed.below(5);
        let queues: Vec<QueueRules> = (0..QUEUES).map(|queue| rules(seed, queue, agents)).collect();
        let profile = |seed: &mut Seed, n: u64| AgentProfile {
            name: format!("agent{n}").into(),
            pools: (0..2).filter(|pool| *pool == n % 2 || often(seed, 50)).map(|pool| PoolId(pool as u32)).collect(),
            skills: (0..2).map(|skill| (SkillId(skill), 1 + seed.below(9) as u8)).collect(),
            ..AgentProfile::default()
        };
        let agents: Vec<AgentProfile> = (0..agents).map(|n| profile(seed, n)).collect();
        let caller = |seed: &mut Seed| Caller {
            queue: QueueId(seed.below(QUEUES) as u32),
            comes: within(seed, 1, 300),
            patience: within(seed, 1, 150),
            talk: within(seed, 1, 90),
        };
        let mut callers: Vec<Caller> = (0..5 + seed.below(25)).map(|_| caller(seed)).collect();
        callers.sort_by_key(|caller| caller.comes);
        let mut duties = Vec::new();
        for agent in 0..agents.len() as u32 {
            let mut at = if often(seed, 60) { within(seed, 0, 1) } else { within(seed, 0, 120) };
            duties.push((at, AgentId(agent), Duty::Ready));
            for _ in 0..seed.below(4) {
                at += within(seed, 10, 120);
                let duty = one_of(seed, &[Duty::Break, Duty::Break, Duty::Ready, Duty::Home]);
                duties.push((at, AgentId(agent), duty));
                if duty == Duty::Home {
                    break;
                }
                at += within(seed, 5, 60);
                duties.push((at, AgentId(agent), Duty::Ready));
            }
        }
        // One in four scenes has phones that are answered too late for some queues.
        let late = often(seed, 25);
        let answer_after = if late { within(seed, 6, 12) } else { within(seed, 1, 5) };
        Play { queues, agents, callers, duties, answer_after, back_after: within(seed, 20, 60) }
    }
}

// ---- by the simulator ----

#[derive(Default)]
struct Seen(Course);

impl Observer for Seen {
    fn ended(&mut self, call: &Ended) {
        let came = match call.outcome {
            Outcome::Answered(agent) => Came::Answered(agent),
            Outcome::Abandoned => Came::Abandoned,
            Outcome::Blocked | Outcome::Overflowed | Outcome::Closed => Came::TurnedAway,
        };
        self.0.insert(call.stream, course(call.waited, came, call.queue));
    }

    fn talked(&mut self, _: AgentId, _: Time, _: Time) {}
}

fn simulated(play: &Play) -> Course {
    let stream = |caller: &Caller| Stream {
        queue: caller.queue,
        language: None,
        interpreters: None,
        windows: None,
        same_callers: false,
        returning: Share::NONE,
        arrivals: Arrivals::At(vec![caller.comes]),
        patience: Span::Const(caller.patience),
        talk: Lasting::By(Span::Const(caller.talk)),
        wrap_up: None,
    };
    let scene = Scene {
        directory: settings_of(play).directory,
        wrap_up: Vec::new(),
        streams: play.callers.iter().map(stream).collect(),
        duties: play.duties.clone(),
        manners: Manners { answer_after: Span::Const(play.answer_after), miss: Share::NONE, back_after: play.back_after },
    };
    let world = World::new(&scene, Duration::from_secs(3600), CONTACTS, Seed::from_number(1), Seen::default());
    world.run(|_| {}).expect("there is room").0
}

// ---- by the server ----

fn settings_of(play: &Play) -> Settings {
    let mut settings = settings(play.agents.len() as u32);
    settings.directory.queues = play.queues.iter().cloned().map(Some).collect();
    settings.directory.agents = play.agents.iter().cloned().map(Some).collect();
    settings.accounts.iter_mut().flatten().for_each(|account| account.ready_at_start = false);
    settings.trunks[0].as_mut().expect("there is one").numbers =
        (0..QUEUES).map(|queue| (format!("12{queue}").into(), NumberTarget::Queue(QueueId(queue as u32)))).collect();
    settings
}

/// What somebody does outside of the engine, by its time.
#[derive(Clone, Debug)]
enum Act {
    Comes(usize),
    /// Out of patience; or the talk is over.
    HangsUp(usize),
    Duty(AgentId, Duty),
    /// The phone with the INVITE of this branch.
    PicksUp(String),
    Back(AgentId),
}

struct Server<'p> {
    play: &'p Play,
    house: House,
    start: Time,
    /// In order, and by when they were set.
    acts: BTreeMap<(Time, u64), Act>,
    set: u64,
    /// By caller: the tag of the dialog.
    tags: BTreeMap<usize, String>,
    /// By branch: an INVITE that rings.
    ringing: BTreeMap<String, (AgentId, Sent)>,
    /// By contact: the caller, and where it waits.
    contacts: BTreeMap<u128, (usize, QueueId)>,
    course: Course,
}

impl<'p> Server<'p> {
    fn new(play: &'p Play) -> Self {
        let mut house = House::alone(settings_of(play));
        house.lease(2_000);
        let start = house.now;
        let mut server = Server {
            play,
            house,
            start,
            acts: BTreeMap::new(),
            set: 0,
            tags: BTreeMap::new(),
            ringing: BTreeMap::new(),
            contacts: BTreeMap::new(),
            course: Course::new(),
        };
        for (at, agent, duty) in &play.duties {
            server.set(start + *at, Act::Duty(*agent, *duty));
        }
        for (index, caller) in play.callers.iter().enumerate() {
            server.set(start + caller.comes, Act::Comes(index));
        }
        server
    }

    fn set(&mut self, at: Time, act: Act) {
        self.set += 1;
        self.acts.insert((at, self.set), act);
    }

    fn run(mut self) -> Course {
        loop {
            self.people();
            let next = self.acts.first_key_value().map(|((at, _), _)| *at);
            let engine = self.house.engine.next_deadline();
            match (next, engine) {
                // Nobody does anything any more.
                (None, _) if self.course.len() == self.play.callers.len() => return self.course,
                (None, None) => panic!("callers wait for ever: {:?}", self.course),
                (Some(at), engine) if engine.is_none_or(|engine| at < engine) => self.act(at),
                (_, Some(engine)) => {
                    self.house.now = self.house.now.max(engine);
                    self.house.input(Input::Time);
                    if self.house.now.since(self.start) > Duration::from_secs(24 * 3600) {
                        return self.course;
                    }
                }
                (Some(_), None) => unreachable!("it is earlier than nothing"),
            }
        }
    }

    fn act(&mut self, at: Time) {
        let Some((_, act)) = self.acts.pop_first() else { return };
        self.house.now = at;
        match act {
            Act::Comes(caller) => {
                let text = Request::invite(&format!("c{caller}")).text();
                let number = format!("sip:12{}@", self.play.callers[caller].queue.0);
                self.set(at + self.play.callers[caller].patience, Act::HangsUp(caller));
                self.house.from(CALLER, &text.replace("sip:120@", &number));
            }
            Act::HangsUp(caller) => {
                let Some(tag) = self.tags.get(&caller).cloned() else { return };
                let call_id = format!("c{caller}");
                self.house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", &call_id, 2) }.text());
            }
            Act::Duty(agent, duty) => {
                let command = match duty {
                    Duty::Ready | Duty::Back => AgentCommand::Ready,
                    Duty::Break => AgentCommand::Break(BreakReason::Asked),
                    Duty::Home => AgentCommand::SignOut,
                };
                self.house.input(Input::Agent { agent, command });
            }
            Act::Back(agent) => {
                let state = self.house.engine.desks.views().nth(agent.index()).expect("the agent is known").state;
                if matches!(state, State::Break { reason: BreakReason::Rona, .. }) {
                    self.house.input(Input::Agent { agent, command: AgentCommand::Ready });
                }
            }
            Act::PicksUp(branch) => {
                if let Some((agent, invite)) = self.ringing.remove(&branch) {
                    let ok = answer(&invite, 200, &sdp("203.0.113.1", 40_000, "sendrecv"));
                    self.house.from(&desk_phone(agent.0), &ok);
                }
            }
        }
    }

    /// Everybody answers what was sent to them, at once.
    fn people(&mut self) {
        loop {
            self.read_facts();
            for (endpoint, feed) in std::mem::take(&mut self.house.feeds) {
                // Music is for ever.
                if let Feed::Prompts { token, .. } = feed {
                    self.house.input(Input::Media(MediaEvent::Played { endpoint, token }));
                }
            }
            self.read_facts();
            let Some(sent) = self.house.sent.pop_front() else { return };
            if sent.to == CALLER.parse().expect("an address") { self.caller_gets(&sent) } else { self.phone_gets(&sent) }
        }
    }

    fn caller_gets(&mut self, sent: &Sent) {
        let call_id = sent.header(crate::sip::Name::CallId);
        let caller: usize = call_id.trim_start_matches('c').parse().expect("a caller's");
        match (sent.method().as_deref(), sent.status(), &*sent.cseq_method()) {
            (Some("BYE"), ..) => self.house.from(CALLER, &answer(sent, 200, "")),
            (None, Some(200), "INVITE") => {
                let tag = tag_of(sent);
                if self.tags.insert(caller, tag.clone()).is_none() {
                    let ack = Request { to_tag: Some(&tag), branch: "ack", ..Request::new("ACK", &call_id, 1) };
                    self.house.from(CALLER, &ack.text());
                }
            }
            _ => {}
        }
    }

    fn phone_gets(&mut self, sent: &Sent) {
        let from = sent.to.to_string();
        let branch = sent.header(crate::sip::Name::Via);
        let std::net::IpAddr::V4(address) = sent.to.ip() else { panic!("{from}") };
        let agent = AgentId(u32::from(address.octets()[3]) - 1);
        match sent.method().as_deref() {
            Some("INVITE") => {
                self.set(self.house.now + self.play.answer_after, Act::PicksUp(branch.clone()));
                self.ringing.insert(branch, (agent, sent.clone()));
                // A phone that has said nothing yet cannot be cancelled (RFC 3261 9.1).
                self.house.from(&from, &answer(sent, 180, ""));
            }
            Some("CANCEL") => {
                self.house.from(&from, &answer(sent, 200, ""));
                if let Some((_, invite)) = self.ringing.remove(&branch) {
                    self.house.from(&from, &answer(&invite, 487, ""));
                }
            }
            Some("BYE") => self.house.from(&from, &answer(sent, 200, "")),
            _ => {}
        }
    }

    fn read_facts(&mut self) {
        for fact in std::mem::take(&mut self.house.facts) {
            let Some(contact) = fact.contact.map(|contact| contact.0) else { continue };
            let known = self.contacts.get(&contact).copied();
            match (&fact.kind, known) {
                (FactKind::Arrived { call_id, .. }, _) => {
                    let caller: usize = call_id.trim_start_matches('c').parse().expect("a caller's");
                    self.contacts.insert(contact, (caller, self.play.callers[caller].queue));
                }
                (FactKind::Entered { queue, .. }, Some((caller, _))) => drop(self.contacts.insert(contact, (caller, *queue))),
                (FactKind::OfferEnded { agent, outcome, .. }, Some((caller, queue))) => match outcome {
                    OfferOutcome::Accepted => {
                        let talk = self.play.callers[caller].talk;
                        self.ends(fact.at, caller, queue, Came::Answered(*agent));
                        self.acts.retain(|_, act| !matches!(act, Act::HangsUp(other) if *other == caller));
                        self.set(fact.at + talk, Act::HangsUp(caller));
                    }
                    OfferOutcome::TimedOut => self.set(fact.at + self.play.back_after, Act::Back(*agent)),
                    _ => {}
                },
                (FactKind::Ended { by, queue, .. }, Some((caller, last))) => {
                    let came = if *by == EndedBy::Caller { Came::Abandoned } else { Came::TurnedAway };
                    self.ends(fact.at, caller, queue.unwrap_or(last), came);
                }
                _ => {}
            }
        }
    }

    /// A wait is over; what comes later of the contact is its talk.
    fn ends(&mut self, at: Time, caller: usize, queue: QueueId, came: Came) {
        let waited = at.since(self.start + self.play.callers[caller].comes);
        self.course.entry(caller).or_insert(course(waited, came, queue));
    }
}

#[test]
fn the_server_and_the_simulator_play_the_same_queue() {
    let mut all: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..SCENES {
        let play = Play::of(&mut Seed::from_number(seed));
        let (theirs, ours) = (simulated(&play), Server::new(&play).run());
        assert_eq!(ours, theirs, "scene {seed}, the server's first: {play:#?}");
        for (_, came, _) in ours.values() {
            let name = match came {
                Came::Answered(_) => "answered",
                Came::Abandoned => "abandoned",
                Came::TurnedAway => "turned away",
            };
            *all.entry(name).or_default() += 1;
        }
    }
    assert!(all.len() == 3 && all.values().all(|count| *count > 300), "each of the ways is seen: {all:?}");
}
