//! The loop of the player: takes messages, does what is due, sends, and sleeps; and the stages from the first
//! registration to the last.
#![allow(clippy::disallowed_methods, reason = "a player of people lives by the clock")]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::agents::Agent;
use super::call::{CallId, Calls};
use super::event::{Event, Stage};
use super::plan::Plan;
use super::socket::{AGENTS, CALLERS, Sockets, for_voice, local_towards};
use super::summary::Summary;
use super::tally::Tally;
use super::voice::{Report, Voices};
use crate::base::Time;
use crate::base::deadline::Deadlines;
use crate::base::seed::Seed;
use crate::base::words::{Direction, Transport};
use crate::sip::flow::{Flow, ListenerId};
use crate::sip::message::Message;
use crate::sip::stack::counts::SipCounts;
use crate::sip::stack::{ListenerName, Routed, Stack, TxEvent};

/// How long signing out, or registering, may take.
const SIGNING_MAX: Duration = Duration::from_secs(40);
/// How often the reports of voices and the stop flag are read.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Datagrams taken from one socket before anything else is looked at.
const BATCH: usize = 64;
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;

/// Why a plan cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No socket, thread or address.
    #[error("cannot play from {local}: {source}")]
    System {
        /// The address to play from.
        local: IpAddr,
        /// The reason.
        source: std::io::Error,
    },
}

/// The user of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    Invite(CallId),
    Bye(CallId),
    Within(CallId),
    Register(u32),
}

/// What is due at some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    /// The next caller calls.
    Call,
    /// Patience, or the talk, is over.
    HangUp(CallId),
    Press(CallId, char),
    Answer(CallId),
    Refuse(CallId, u16),
    Hold(CallId, bool),
    PassOn(CallId),
    Register(u32),
    /// An agent signs out and in again.
    Renew(u32),
    /// A call that is over can be forgotten: no message of it comes any more.
    Forget(CallId),
}

/// The random generators, one for each kind of draw, so that a change of one leaves the others as they were.
pub(super) struct Chances {
    pub(super) arrivals: Seed,
    pub(super) callers: Seed,
    pub(super) agents: Seed,
    pub(super) tags: Seed,
}

pub(super) struct Player<'p> {
    pub(super) plan: &'p Plan,
    pub(super) now: Time,
    pub(super) stage: Stage,
    pub(super) local: IpAddr,
    /// The addresses of the callers' and the agents' socket.
    pub(super) addresses: [SocketAddr; 2],
    /// The RTP address of calls without RTP; nothing reads from it.
    deaf: UdpSocket,
    sockets: Sockets,
    pub(super) stack: Stack<Use>,
    pub(super) acts: Deadlines<Act>,
    /// When the last call was due.
    pub(super) call_due: Time,
    pub(super) calls: Calls,
    pub(super) agents: Vec<Agent>,
    pub(super) agents_by_name: BTreeMap<String, u32>,
    /// Callers who wait or talk, by the last digits of their number.
    pub(super) callers_by_number: BTreeMap<u64, CallId>,
    pub(super) voices: Voices,
    pub(super) chances: Chances,
    pub(super) tally: Tally,
    events: &'p mut dyn FnMut(Event<'_>),
}

/// Plays a plan to its end, or until `stop`: then every call is hung up and every agent signs out.
///
/// # Errors
/// When there is no socket to play with. A server that does not answer is no error, but shows in the summary.
pub fn run(plan: &Plan, stop: &AtomicBool, mut events: impl FnMut(Event<'_>)) -> Result<Summary, LoadError> {
    raise_descriptor_limit();
    let error = |source| LoadError::System { local: plan.local, source };
    let counts = Arc::new(SipCounts::default());
    let player = Player::new(plan, counts.clone(), &mut events).map_err(error)?;
    let started = Instant::now();
    let tally = player.play(started, stop);
    let retransmissions = (counts.retransmissions(Direction::Out), counts.retransmissions(Direction::In));
    Ok(tally.summary(started.elapsed(), retransmissions))
}

/// Each voice has a socket.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

impl<'p> Player<'p> {
    fn new(plan: &'p Plan, counts: Arc<SipCounts>, events: &'p mut dyn FnMut(Event<'_>)) -> std::io::Result<Self> {
        let local = local_towards(plan.server, plan.local)?;
        let sockets = Sockets::open(local, plan.agents.phones_at)?;
        let addresses = [sockets.address(CALLERS)?, sockets.address(AGENTS)?];
        let mut seed = Seed::from_number(plan.seed);
        let name = |address: &SocketAddr| ListenerName { transport: Transport::Udp, sent_by: address.to_string().into() };
        // Branches must differ from those of an earlier run against the same server, whatever the plan's seed.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut unique = Seed::from_number(plan.seed ^ since_epoch.as_nanos() as u64);
        let stack = Stack::new(0, addresses.iter().map(name).collect(), unique.fork(), counts);
        let agents: Vec<Agent> = plan.agents.accounts.iter().map(|account| Agent::new(account, &mut unique)).collect();
        let by_name = agents.iter().zip(0..).map(|(agent, index)| (agent.name.clone(), index)).collect();
        let deaf = for_voice(local)?;
        let voices = Voices::start(seed.fork())?;
        let mut fork = || seed.fork();
        let chances = Chances { arrivals: fork(), callers: fork(), agents: fork(), tags: unique };
        Ok(Player {
            plan,
            now: Time::ZERO,
            stage: Stage::Registering,
            local,
            addresses,
            deaf,
            sockets,
            stack,
            acts: Deadlines::default(),
            call_due: Time::ZERO,
            calls: Calls::default(),
            agents,
            agents_by_name: by_name,
            callers_by_number: BTreeMap::new(),
            voices,
            chances,
            tally: Tally::default(),
            events,
        })
    }

    /// From the first registration to the last.
    fn play(mut self, started: Instant, stop: &AtomicBool) -> Tally {
        let clock = move || Time::from_secs(1) + started.elapsed();
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        let (mut tell_at, mut stage_ends) = (clock(), clock() + SIGNING_MAX);
        self.now = clock();
        self.register_all();
        loop {
            self.now = clock();
            self.take(&mut buffer);
            self.fire();
            self.send();
            if self.now >= tell_at {
                tell_at = self.now + self.plan.tell_every;
                self.tell();
            }
            let late = self.now >= stage_ends;
            let stopped = stop.load(Ordering::Relaxed);
            match self.stage {
                Stage::Registering if stopped || late || self.registering() == 0 => {
                    self.stage = Stage::Calling;
                    stage_ends = self.plan.callers.span.map_or(Time::from_micros(u64::MAX), |span| self.now + span);
                    self.begin_calling();
                }
                Stage::Calling if stopped || late || self.all_called() => {
                    self.stage = Stage::WindingDown;
                    stage_ends = if stopped { self.now } else { self.now + self.plan.wind_down };
                }
                Stage::WindingDown if self.nobody_is_up() => {
                    self.stage = Stage::SigningOut;
                    stage_ends = self.now + SIGNING_MAX;
                    self.sign_out_all();
                }
                Stage::WindingDown if late || stopped => {
                    self.cut_off(stopped);
                    stage_ends = self.now + SIGNING_MAX;
                }
                Stage::SigningOut if late || self.registering() == 0 => break,
                _ => {}
            }
            self.send();
            self.sleep();
        }
        self.tell();
        self.voices.end();
        self.take_reports();
        self.tally
    }

    fn tell(&mut self) {
        let progress = self.tally.progress(self.now.since(Time::from_secs(1)), self.stage);
        (self.events)(Event::Progress(progress));
    }

    pub(super) fn say(&mut self, event: Event<'_>) {
        (self.events)(event);
    }

    /// Takes what has come.
    fn take(&mut self, buffer: &mut [u8]) {
        for which in [CALLERS, AGENTS] {
            for _ in 0..BATCH {
                let Some((length, remote)) = self.sockets.receive(which, buffer) else { break };
                self.receive(which, remote, &buffer[..length]);
                self.send();
            }
        }
        self.take_reports();
    }

    fn take_reports(&mut self) {
        while let Ok(report) = self.voices.reports.try_recv() {
            match report {
                Report::Heard(call) => self.heard(call),
                Report::Ended(side, talked, judged) => self.tally.voice(side, &talked, judged),
            }
        }
    }

    fn receive(&mut self, which: ListenerId, remote: SocketAddr, bytes: &[u8]) {
        let Ok(message) = Message::read(bytes) else { return };
        let flow = Flow::udp(which, remote);
        match self.stack.route(self.now, &flow, &message) {
            Routed::New => self.request(&flow, &message),
            Routed::Response { user, .. } => self.response(user, &message),
            Routed::Ack => self.acknowledged(&message),
            Routed::Absorbed(_) | Routed::Stray => {}
        }
    }

    /// Does what is due.
    fn fire(&mut self) {
        while self.stack.due(self.now) {}
        while let Some(event) = self.stack.poll_event() {
            match event {
                TxEvent::Timeout { user } | TxEvent::Broken { user } => self.unanswered(user),
                TxEvent::Unacknowledged { user } => self.unacknowledged(user),
            }
        }
        while let Some((_, act)) = self.acts.pop_due(self.now) {
            match act {
                Act::Call => self.next_call(),
                Act::HangUp(call) => self.hang_up(call),
                Act::Press(call, key) => self.press(call, key),
                Act::Answer(call) => self.answer(call),
                Act::Refuse(call, status) => self.refuse(call, status),
                Act::Hold(call, hold) => self.hold(call, hold),
                Act::PassOn(call) => self.pass_on(call),
                Act::Register(agent) => self.register(agent),
                Act::Renew(agent) => self.renew(agent),
                Act::Forget(call) => self.calls.remove(call),
            }
        }
    }

    fn send(&mut self) {
        while let Some(transmit) = self.stack.poll_transmit() {
            self.sockets.send(transmit.flow.listener, transmit.flow.remote, &transmit.bytes);
        }
    }

    /// Sleeps until something comes or is due.
    fn sleep(&self) {
        let acts = self.acts.next().map(|(at, _)| at);
        let next = acts.into_iter().chain(self.stack.next_deadline().map(|(at, _)| at)).min();
        let rest = next.map_or(LOOK_EVERY, |at| at.since(self.now).min(LOOK_EVERY));
        if !rest.is_zero() {
            self.sockets.wait(rest);
        }
    }

    pub(super) fn deaf_port(&self) -> u16 {
        self.deaf.local_addr().map_or(9, |address| address.port())
    }

    /// Whether no call is up.
    fn nobody_is_up(&self) -> bool {
        self.calls.alive().next().is_none()
    }

    /// Hangs up all calls; calls that were not meant to end are counted.
    fn cut_off(&mut self, stopped: bool) {
        let alive: Vec<CallId> = self.calls.alive().map(|(id, _)| id).collect();
        for id in alive {
            self.end_now(id, stopped);
        }
    }

    /// Sets what is due so long from now.
    pub(super) fn after(&mut self, span: Duration, act: Act) {
        self.acts.set(self.now + span, act);
    }
}
