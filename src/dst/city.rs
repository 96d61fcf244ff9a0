//! A city: the engine, its network, its people, its clock.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::media::Media;
use super::net::{Network, Parcel, Weather};
use super::person::Person;
use super::phone::{Account, Phone};
use super::watch::Watch;
use crate::acd::agent_slots::AgentSlotIds;
use crate::acd::matcher::{Matcher, Size};
use crate::acd::routing_table::RoutingTable;
use crate::base::deadline::Deadlines;
use crate::base::seed::Seed;
use crate::base::words::Transport;
use crate::base::{AgentId, Time};
use crate::engine::{AgentCommand, Engine, Input, Output, Parts, Settings, Transmit};
use crate::report::Fact;
use crate::sip::flow::{ConnectionId, Flow, ListenerId};
use crate::sip::stack::ListenerName;

/// A phone of an agent's.
#[derive(Clone, Debug)]
pub struct DeskPhone {
    /// What it calls itself.
    pub name: String,
    /// Its address.
    pub address: SocketAddr,
    /// What it speaks over.
    pub transport: Transport,
    /// Whose it is, and whether it registers.
    pub account: Account,
    /// Whether it registers and then never answers.
    pub dead: bool,
}

/// What a city is made of.
pub struct Plan {
    /// The engine's settings; callers come from 192.0.2.0/24.
    pub settings: Settings,
    /// The server's address.
    pub server: SocketAddr,
    /// Agents' phones.
    pub phones: Vec<DeskPhone>,
    /// Where the numbers of the world are, behind the trunk.
    pub outside: SocketAddr,
    /// How many callers come.
    pub callers: u32,
    /// Within what time.
    pub within: Duration,
    /// What they dial.
    pub numbers: Vec<String>,
    /// Where agents pass callers on to.
    pub passes_to: Vec<String>,
    /// Whom agents call by themselves.
    pub dials: Vec<String>,
    /// Slots of the matcher.
    pub slots: u32,
    /// Pairs of ports.
    pub pairs: u16,
    /// The network.
    pub weather: Weather,
    /// How many rounds of messages the engine follows in one wake-up; what is left waits for the next, and others come in between. `None`: all.
    pub rounds: Option<u32>,
    /// When the server is slow, and for how long: what comes as datagrams is old when it is taken up.
    pub slow: Option<(Duration, Duration)>,
}

/// How old a datagram is while the server is slow.
const SLOW_BY: Duration = Duration::from_millis(300);
/// A city does not run longer than this after it has begun: longer than the longest talk.
const RUN_MAX: Duration = Duration::from_secs(6 * 3600);
/// After the last caller has come agents call nobody by themselves any more, and their phones register no more.
const DAY_GOES_ON: Duration = Duration::from_secs(120);
/// How long it takes until it is known that a connection cannot be made.
const CONNECT_FAILS: Duration = Duration::from_millis(1500);
/// How long it takes to go on with what a wake-up has left.
const HURRIED: Duration = Duration::from_micros(700);
const MEDIA_THREADS: u16 = 2;

/// A city in virtual time.
pub struct City {
    /// Its engine.
    pub engine: Engine,
    server: SocketAddr,
    network: Network,
    phones: BTreeMap<SocketAddr, Phone>,
    media: Media,
    now: Time,
    over_at: Time,
    slow: Option<(Time, Time)>,
    /// Whether wake-ups leave something to be followed.
    hurried: bool,
    /// When the engine had its last input.
    woken: Time,
    returns: Deadlines<AgentId>,
    /// Connections that turn out not to be made.
    failing: Deadlines<(ConnectionId, SocketAddr)>,
    seed: Seed,
    watch: Watch,
}

impl City {
    /// Builds a city.
    #[must_use]
    pub fn new(plan: Plan, number: u64) -> Self {
        let mut seed = Seed::from_number(number);
        let now = Time::from_secs(1_800_000_000);
        let agents = plan.settings.directory.agents.len() as u32;
        let (settings, directory) = plan.settings.with_agent_slots(&AgentSlotIds::beyond(agents));
        let settings = Arc::new(settings);
        let agents = directory.agents.len() as u32;
        let size = Size {
            shards: 1,
            contacts_per_shard: plan.slots,
            agents,
            queues: settings.directory.queues.len() as u32,
            agencies: settings.agencies.len() as u32,
        };
        let matcher = Arc::new(Matcher::new(size, RoutingTable::new(&directory, 1), |_| 0));
        let name = |transport| ListenerName { transport, sent_by: plan.server.to_string().into() };
        let parts = Parts {
            shard: 0,
            settings: settings.clone(),
            matcher: matcher.clone(),
            listeners: vec![name(Transport::Udp), name(Transport::Tcp)],
            seed: seed.fork(),
            counts: Arc::default(),
            limits: Arc::default(),
        };
        let mut engine = Engine::new(parts, now);
        if let Some(rounds) = plan.rounds {
            engine.follow_at_most(rounds);
        }
        let network = Network::new(plan.weather, seed.fork());
        let slow = plan.slow.map(|(after, span)| (now + after, now + after + span));
        let mut city = City {
            engine,
            server: plan.server,
            network,
            phones: BTreeMap::new(),
            media: Media::new(plan.server.ip(), plan.pairs, MEDIA_THREADS),
            now,
            over_at: now + plan.within + DAY_GOES_ON,
            slow,
            hurried: plan.rounds.is_some(),
            woken: now,
            returns: Deadlines::default(),
            failing: Deadlines::default(),
            seed,
            watch: Watch::new(settings, matcher),
        };
        for phone in plan.phones {
            let agent = Person::Agent { passes_to: plan.passes_to.clone(), dials: plan.dials.clone() };
            let person = if phone.dead { Person::Dead } else { agent };
            city.add_phone((&phone.name, phone.address, phone.transport), person, Some(phone.account));
        }
        city.add_phone(("world", plan.outside, Transport::Udp), Person::Outside, None);
        for caller in 0..plan.callers {
            let host = format!("192.0.2.{}:{}", 1 + caller % 200, 5060 + caller / 200);
            let at = now + Duration::from_micros(city.seed.below(plan.within.as_micros() as u64));
            let number = plan.numbers[city.seed.below(plan.numbers.len() as u64) as usize].clone();
            let person = Person::Caller { number, at, ignores_options: city.seed.below(6) == 0 };
            let transport = if city.seed.below(5) == 0 { Transport::Tcp } else { Transport::Udp };
            // Some call more than once, as far as one can tell.
            let name = format!("c{}", caller / 3);
            city.add_phone((&name, host.parse().expect("made of numbers"), transport), person, None);
        }
        for agent in 0..agents {
            city.returns.set(now + Duration::from_secs(30), AgentId(agent));
        }
        city.settle();
        city
    }

    /// What has been told.
    #[must_use]
    pub fn facts(&self) -> &[Fact] {
        self.watch.facts()
    }

    fn add_phone(&mut self, of: (&str, SocketAddr, Transport), person: Person, account: Option<Account>) {
        let mut phone = Phone::new(of, self.server, person, account, self.seed.fork());
        phone.begin(self.now);
        self.phones.insert(of.1, phone);
    }

    /// Runs until nothing more happens.
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
            self.watch.faults().map_err(|why| format!("at {:?}: {why}", self.now))?;
            let lives = |id| self.network.connection(id).is_some() || self.failing.iter().any(|(_, (failing, _))| *failing == id);
            self.engine.audit(self.now, lives).map_err(|why| format!("at {:?}: {why}", self.now))?;
            if self.at_rest() {
                break;
            }
        }
        if !self.engine.idle() {
            return Err("at the end something of a call is left".into());
        }
        if let Some(endpoint) = self.media.still_open() {
            return Err(format!("endpoint {endpoint} is still open"));
        }
        let blameless = |call_id: &str| self.phones.values().any(|phone| phone.is_blameless(call_id));
        self.watch.verdict(blameless)
    }

    fn day_is_over(&self) -> bool {
        self.now >= self.over_at
    }

    /// Nobody calls any more, and nothing of a call is left: what may still wake is only agents who come back from their breaks, and
    /// registrations that lapse.
    fn at_rest(&self) -> bool {
        let quiet = self.day_is_over() && self.phones.values().all(|phone| phone.next(true).is_none());
        quiet && self.network.next().is_none() && self.failing.is_empty() && self.engine.idle() && self.media.at_rest()
    }

    fn next(&self) -> Option<Time> {
        let over = self.day_is_over();
        let phones = self.phones.values().filter_map(|phone| phone.next(over));
        let own = [
            self.network.next(),
            self.engine_next(),
            self.media.next(),
            self.returns.next().map(|(at, _)| at),
            self.failing.next().map(|(at, _)| at),
        ];
        own.into_iter().flatten().chain(phones).min()
    }

    /// When the engine wakes. What a wake-up has left is followed a moment later.
    fn engine_next(&self) -> Option<Time> {
        let at = self.engine.next_deadline()?;
        Some(if self.is_hurried() { self.now + HURRIED } else { at })
    }

    /// Whether the engine has just left something to be followed, on a day on which that takes a moment.
    fn is_hurried(&self) -> bool {
        self.hurried && self.woken == self.now && self.engine.next_deadline().is_some_and(|at| at <= self.now)
    }

    fn step(&mut self) {
        while let Some(parcel) = self.network.arrived(self.now) {
            self.deliver(&parcel);
        }
        while let Some((_, (connection, remote))) = self.failing.pop_due(self.now) {
            self.input(Input::Broken { connection: Some(connection), transport: Transport::Tcp, remote });
        }
        let over = self.day_is_over();
        let addresses: Vec<SocketAddr> = self.phones.keys().copied().collect();
        for address in addresses {
            if let Some(phone) = self.phones.get_mut(&address) {
                phone.due(self.now, over);
            }
            self.send_from(address);
        }
        while let Some((_, agent)) = self.returns.pop_due(self.now) {
            // Whoever missed a ring says so at some time, and is ready again.
            self.input(Input::Agent { agent, command: AgentCommand::Ready });
            let again = self.now + Duration::from_secs(20 + self.seed.below(60));
            self.returns.set(again, agent);
        }
        if !self.is_hurried() && self.engine.next_deadline().is_some_and(|at| at <= self.now) {
            self.input(Input::Time);
        }
        self.settle();
    }

    fn deliver(&mut self, parcel: &Parcel) {
        if parcel.to == self.server {
            let age = match (parcel.connection, self.slow) {
                (None, Some((from, to))) if (from..to).contains(&self.now) => SLOW_BY,
                _ => Duration::ZERO,
            };
            let flow = match parcel.connection.and_then(|id| Some((id, self.network.connection(id)?.remote))) {
                Some((id, remote)) => Flow { transport: Transport::Tcp, listener: ListenerId(1), remote, connection: Some(id) },
                None => Flow::udp(ListenerId(0), parcel.from),
            };
            self.watch.input_is(self.now, parcel.connection.is_none().then_some(age));
            self.input(Input::Message { flow, bytes: &parcel.bytes, age });
        } else if let Some(phone) = self.phones.get_mut(&parcel.to) {
            let remote = self.server;
            let flow = Flow { transport: phone.transport, listener: ListenerId(0), remote, connection: parcel.connection };
            phone.receive(self.now, &flow, &parcel.bytes);
        }
        if let Some(id) = parcel.connection.filter(|_| self.network.breaks()) {
            self.break_connection(id);
        }
    }

    fn break_connection(&mut self, id: ConnectionId) {
        let Some(connection) = self.network.cut(id) else { return };
        if let Some(phone) = self.phones.get_mut(&connection.phone) {
            phone.broken(self.now, id);
        }
        self.input(Input::Broken { connection: Some(id), transport: Transport::Tcp, remote: connection.remote });
    }

    /// Sends what a phone has to say: over the connection that it has, or a new one from a passing port.
    fn send_from(&mut self, address: SocketAddr) {
        while let Some(bytes) = self.phones.get_mut(&address).and_then(Phone::poll) {
            let stream = self.phones.get(&address).is_some_and(|phone| phone.transport == Transport::Tcp);
            let connection = stream.then(|| {
                self.network.find(|connection| connection.phone == address).unwrap_or_else(|| {
                    let remote = SocketAddr::new(address.ip(), 30_000 + self.seed.below(30_000) as u16);
                    self.network.connect(self.now, address, remote, None)
                })
            });
            self.network.send(self.now, Parcel { from: address, to: self.server, bytes, connection });
        }
    }

    /// Sends what the engine has to say: over the connection that it names, one to that address, or a new one.
    fn send_from_server(&mut self, Transmit { flow, bytes, .. }: Transmit) {
        if flow.transport == Transport::Udp {
            return self.network.send(self.now, Parcel { from: self.server, to: flow.remote, bytes, connection: None });
        }
        let known = flow.connection.filter(|id| self.network.connection(*id).is_some());
        let known = known.or_else(|| self.network.find(|connection| connection.remote == flow.remote));
        let there = self.phones.get(&flow.remote).is_some_and(|phone| phone.transport == Transport::Tcp && !phone.is_deaf());
        let id = match known {
            Some(id) => id,
            None if there => self.network.connect(self.now, flow.remote, flow.remote, flow.connection),
            None => {
                let id = flow.connection.unwrap_or_else(|| self.network.fresh_name());
                self.failing.set(self.now + CONNECT_FAILS, (id, flow.remote));
                return;
            }
        };
        let Some(to) = self.network.connection(id).map(|connection| connection.phone) else { return };
        self.network.send(self.now, Parcel { from: self.server, to, bytes, connection: Some(id) });
    }

    /// Hands the engine an input. A panic that a test has injected is contained as the shell of a shard does it.
    fn input(&mut self, input: Input<'_>) {
        self.woken = self.now;
        let (engine, now) = (&mut self.engine, self.now);
        if catch_unwind(AssertUnwindSafe(|| engine.handle(now, input))).is_err() {
            self.watch.panicked();
            let fault = catch_unwind(AssertUnwindSafe(|| engine.fault(now)));
            if fault.is_err() {
                self.watch.fault("a fault could not be contained".to_owned());
            }
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit(transmit) => self.send_from_server(transmit),
                Output::Fact(fact) => self.watch.fact(fact),
                Output::Media(thread, command) => {
                    if let Err(why) = self.media.take(self.now, thread, command) {
                        self.watch.fault(why);
                    }
                }
            }
        }
    }

    /// Hands the engine what the media threads have to say, until they say nothing more.
    fn settle(&mut self) {
        self.drain();
        loop {
            let phones = &self.phones;
            let is_silent = |ip: IpAddr| phones.values().any(|phone| phone.address.ip() == ip && phone.is_deaf());
            let Some(event) = self.media.poll(self.now, is_silent) else { return };
            self.input(Input::Media(event));
        }
    }
}
