//! A city: the engine, its network, its people, its clock; and the rules of the house, watched.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::net::{Datagram, Network, Weather};
use super::phone::{Person, Phone};
use crate::acd::map::Map;
use crate::acd::matcher::{Matcher, Size};
use crate::base::deadline::Deadlines;
use crate::base::seed::Seed;
use crate::base::words::{QueueOutcome, Segment, Transport};
use crate::base::{AgencyId, ContactId, EndpointId, QueueId, Time};
use crate::engine::media_port::{Feed, MediaCommand, MediaEvent, MediaStats, MediaThread, PortLease};
use crate::engine::{AgentCommand, Engine, Input, Output, Parts, Settings};
use crate::report::{Fact, FactKind};
use crate::sip::flow::{Flow, ListenerId};
use crate::sip::stack::ListenerName;

/// What a city is made of.
pub struct Plan {
    /// The engine's settings; callers come from 192.0.2.0/24.
    pub settings: Settings,
    /// The server's address.
    pub server: SocketAddr,
    /// Agents' desk phones: names and addresses.
    pub agents: Vec<(String, SocketAddr)>,
    /// How many callers come.
    pub callers: u32,
    /// Within what time.
    pub within: Duration,
    /// What they dial.
    pub numbers: Vec<String>,
    /// Where agents pass callers on to.
    pub passes_to: Vec<String>,
    /// The network.
    pub weather: Weather,
}

/// What media does by itself.
enum MediaDue {
    Played(EndpointId, u64),
}

/// A city in virtual time.
pub struct City {
    /// Its engine.
    pub engine: Engine,
    matcher: Arc<Matcher>,
    settings: Arc<Settings>,
    server: SocketAddr,
    network: Network,
    phones: BTreeMap<SocketAddr, Phone>,
    media: Deadlines<MediaDue>,
    open: BTreeMap<u64, EndpointId>,
    leased: u16,
    now: Time,
    returns: Deadlines<u32>,
    seed: Seed,
    /// Everything that was told.
    pub facts: Vec<Fact>,
}

/// A city does not run longer than this after its last caller has come.
const RUN_MAX: Duration = Duration::from_secs(3600);

impl City {
    /// Builds a city.
    #[must_use]
    pub fn new(plan: Plan, number: u64) -> Self {
        let mut seed = Seed::from_number(number);
        let now = Time::from_secs(1_800_000_000);
        let settings = Arc::new(plan.settings);
        let agents = settings.directory.agents.len() as u32;
        let size = Size {
            shards: 1,
            contacts_per_shard: Size::slots_for(settings.limits.contacts),
            agents,
            queues: settings.directory.queues.len() as u32,
            agencies: settings.agencies.len() as u32,
        };
        let matcher = Arc::new(Matcher::new(size, Map::new(&settings.directory, 1), |_| 0));
        let listeners = vec![ListenerName { transport: Transport::Udp, sent_by: plan.server.to_string().into() }];
        let counts = Arc::default();
        let parts = Parts {
            shard: 0,
            settings: settings.clone(),
            matcher: matcher.clone(),
            listeners,
            seed: seed.fork(),
            counts,
            limits: Arc::default(),
        };
        let mut phones = BTreeMap::new();
        for (name, address) in &plan.agents {
            let person = Person::Agent { passes_to: plan.passes_to.clone() };
            phones.insert(*address, Phone::new(name, *address, plan.server, person, seed.fork()));
        }
        for caller in 0..plan.callers {
            let host = format!("192.0.2.{}:{}", 1 + caller % 200, 5060 + caller / 200);
            let address: SocketAddr = host.parse().expect("made of numbers");
            let at = now + Duration::from_micros(seed.below(plan.within.as_micros() as u64));
            let number = plan.numbers[seed.below(plan.numbers.len() as u64) as usize].clone();
            let person = Person::Caller { number, at };
            // Some call more than once, as far as one can tell.
            phones.insert(address, Phone::new(&format!("c{}", caller / 3), address, plan.server, person, seed.fork()));
        }
        let engine = Engine::new(parts, now);
        let network = Network::new(plan.weather, seed.fork());
        let (media, open, returns) = (Deadlines::default(), BTreeMap::new(), Deadlines::default());
        let (server, facts) = (plan.server, Vec::new());
        let mut city =
            City { engine, matcher, settings, server, network, phones, media, open, leased: 0, now, returns, seed, facts };
        for agent in 0..agents {
            city.returns.set(now + Duration::from_secs(30), agent);
        }
        city.lease(64);
        city.drain();
        city
    }

    fn lease(&mut self, count: u16) {
        let leases = (0..count).map(|_| {
            self.leased = (self.leased + 2) % 40_000;
            let rtp = SocketAddr::new(self.server.ip(), 20_000 + self.leased);
            PortLease { thread: MediaThread(0), rtp, advertised: rtp.ip() }
        });
        let event = MediaEvent::Leased(leases.collect());
        self.engine.handle(self.now, Input::Media(event));
    }

    /// Runs until nothing more happens; what went wrong, if anything did.
    ///
    /// # Errors
    /// The first rule of the house that was broken.
    pub fn run(&mut self) -> Result<(), String> {
        let end = self.now + RUN_MAX;
        while let Some(at) = self.next() {
            if at > end {
                return Err(format!("something still happens after {RUN_MAX:?}: {:?}", self.engine.next_deadline()));
            }
            self.now = self.now.max(at);
            self.step();
            self.engine.audit().map_err(|why| format!("at {:?}: {why}", self.now))?;
            if self.at_rest() {
                break;
            }
        }
        self.verdict()
    }

    /// Nobody calls any more, and nothing of a call is left: what may still wake is only agents who come back from their breaks.
    fn at_rest(&self) -> bool {
        let quiet = self.phones.values().all(|phone| phone.next().is_none());
        quiet && self.network.next().is_none() && self.engine.idle()
    }

    fn next(&self) -> Option<Time> {
        let phones = self.phones.values().filter_map(Phone::next);
        let own = [
            self.network.next(),
            self.engine.next_deadline(),
            self.media.next().map(|(at, _)| at),
            self.returns.next().map(|(at, _)| at),
        ];
        own.into_iter().flatten().chain(phones).min()
    }

    fn step(&mut self) {
        while let Some(datagram) = self.network.arrived(self.now) {
            if datagram.to == self.server {
                let flow = Flow::udp(ListenerId(0), datagram.from);
                self.engine.handle(self.now, Input::Message { flow, bytes: &datagram.bytes, age: Duration::ZERO });
                self.drain();
            } else if let Some(phone) = self.phones.get_mut(&datagram.to) {
                phone.receive(self.now, &datagram.bytes);
            }
        }
        for phone in self.phones.values_mut() {
            phone.due(self.now);
            while let Some(transmit) = phone.poll() {
                let datagram = Datagram { from: phone.address, to: transmit.flow.remote, bytes: transmit.bytes };
                self.network.send(self.now, &datagram);
            }
        }
        while let Some((_, MediaDue::Played(endpoint, token))) = self.media.pop_due(self.now) {
            self.engine.handle(self.now, Input::Media(MediaEvent::Played { endpoint, token }));
            self.drain();
        }
        while let Some((_, agent)) = self.returns.pop_due(self.now) {
            // Whoever missed a ring says so at some time, and is ready again.
            let command = AgentCommand::Ready;
            self.engine.handle(self.now, Input::Agent { agent: crate::base::AgentId(agent), command });
            self.drain();
            let again = self.now + Duration::from_secs(20 + self.seed.below(60));
            self.returns.set(again, agent);
        }
        if self.engine.next_deadline().is_some_and(|at| at <= self.now) {
            self.engine.handle(self.now, Input::Time);
            self.drain();
        }
    }

    fn drain(&mut self) {
        let mut events = Vec::new();
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit(transmit) => {
                    let datagram = Datagram { from: self.server, to: transmit.flow.remote, bytes: transmit.bytes };
                    self.network.send(self.now, &datagram);
                }
                Output::Fact(fact) => self.facts.push(fact),
                Output::Media(_, MediaCommand::Open { endpoint, .. }) => {
                    self.open.insert(endpoint.0, endpoint);
                }
                Output::Media(_, MediaCommand::Feed { endpoint, feed: Feed::Prompts { token, .. } }) => {
                    self.media.set(self.now + Duration::from_secs(2), MediaDue::Played(endpoint, token));
                }
                Output::Media(_, MediaCommand::Close { endpoint }) => {
                    self.open.remove(&endpoint.0);
                    events.push(MediaEvent::Closed { endpoint, stats: MediaStats::default() });
                }
                Output::Media(..) => {}
            }
        }
        let closed = events.len() as u16;
        for event in events {
            self.engine.handle(self.now, Input::Media(event));
        }
        if closed > 0 {
            self.lease(closed);
            self.drain();
        }
    }

    /// The rules that can be judged only at the end.
    fn verdict(&self) -> Result<(), String> {
        if !self.engine.idle() {
            return Err("at the end something of a call is left".into());
        }
        if let Some(endpoint) = self.open.values().next() {
            return Err(format!("{endpoint:?} is still open"));
        }
        let mut stories: BTreeMap<ContactId, Story> = BTreeMap::new();
        let (mut entered, mut left) = (BTreeMap::new(), BTreeMap::new());
        for Fact { at, contact, kind } in &self.facts {
            let count = |table: &mut BTreeMap<QueueId, u32>, queue: &QueueId| *table.entry(*queue).or_default() += 1;
            match kind {
                FactKind::Entered { queue, .. } => count(&mut entered, queue),
                FactKind::Left { queue, .. } => count(&mut left, queue),
                FactKind::Repaired { kind } => return Err(format!("something had to be repaired: {kind}")),
                _ => {}
            }
            let Some(contact) = contact else { continue };
            let story = stories.entry(*contact).or_default();
            match kind {
                FactKind::Arrived { .. } => story.arrived.push(*at),
                FactKind::SegmentEnded { began, segment, .. } => {
                    story.stretches.push((*began, *at));
                    story.talks += u32::from(*segment == Segment::Talk);
                }
                FactKind::Left { outcome: QueueOutcome::Answered, .. } => story.answers += 1,
                FactKind::Ended { .. } => story.ended.push(*at),
                _ => {}
            }
        }
        for (contact, story) in &stories {
            story.check().map_err(|why| format!("contact {contact}: {why}"))?;
        }
        if entered != left {
            return Err(format!("entered {entered:?}, left {left:?}"));
        }
        for agency in 0..self.settings.agencies.len() as u32 {
            if let Some((on_loan @ 1.., _)) = self.matcher.on_loan(AgencyId(agency)) {
                return Err(format!("agency {agency} has {on_loan} on loan, and nobody calls any more"));
            }
        }
        for queue in 0..self.settings.directory.queues.len() as u32 {
            if self.matcher.waiting(QueueId(queue)) != 0 || self.matcher.expectant(QueueId(queue)) != 0 {
                return Err(format!("queue {queue} still has somebody in line"));
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Story {
    arrived: Vec<Time>,
    ended: Vec<Time>,
    stretches: Vec<(Time, Time)>,
    talks: u32,
    answers: u32,
}

impl Story {
    fn check(&self) -> Result<(), String> {
        let ([arrived], [ended]) = (self.arrived.as_slice(), self.ended.as_slice()) else {
            return Err(format!("arrived {} times, ended {} times", self.arrived.len(), self.ended.len()));
        };
        let sum: Duration = self.stretches.iter().map(|(began, ended)| ended.since(*began)).sum();
        if sum != ended.since(*arrived) {
            return Err(format!("its segments sum to {sum:?}, its time is {:?}", ended.since(*arrived)));
        }
        if self.talks < self.answers {
            return Err(format!("answered {} times, talked {} times", self.answers, self.talks));
        }
        if self.stretches.windows(2).any(|pair| pair[0].1 != pair[1].0) {
            return Err("its segments do not tile its time".into());
        }
        Ok(())
    }
}
