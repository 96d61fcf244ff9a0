//! A city: the engine, its network, its people, its clock.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::journal::Journal;
use super::letters::Letters;
use super::media::Media;
use super::net::{Network, Parcel, Weather};
use super::person::Person;
use super::phone::{Account, Phone};
use super::room::Room;
use super::shard::{Panicked, Shard};
use super::watch::Watch;
use crate::acd::agent_slots::AgentSlotIds;
use crate::acd::answers::Answers;
use crate::acd::matcher::{Matcher, Size};
use crate::acd::routing_table::RoutingTable;
use crate::base::deadline::Deadlines;
use crate::base::hash::Keyed;
use crate::base::limits::LimitBoard;
use crate::base::seed::Seed;
use crate::base::words::Transport;
use crate::base::{AgentId, ShardId, Time};
use crate::config::ConfigText;
use crate::engine::route::Router;
use crate::engine::talks::{self, HeardBy, Place, Talker};
use crate::engine::{AgentCommand, Engine, Input, Output, Parts, Reload, Settings, Transmit, audit};
use crate::replay::Built;
use crate::report::Fact;
use crate::sip::flow::{ConnectionId, Flow, ListenerId};

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
    /// How many shards the server has.
    pub shards: u16,
    /// How long a shard may take to hear of what another says.
    pub late_by: Duration,
    /// Slots of the matcher, for each shard.
    pub slots: u32,
    /// Pairs of ports.
    pub pairs: u16,
    /// The network.
    pub weather: Weather,
    /// How many rounds of messages the engine follows in one wake-up; what is left waits for the next, and others come in between. `None`: all.
    pub rounds: Option<u32>,
    /// What `settings` were read from.
    pub config: ConfigText,
    /// Whether the day is to be recorded.
    pub recorded: bool,
    /// Another configuration, and when it is taken up.
    pub reload: Option<(Duration, ConfigText)>,
    /// How often a party of a talk goes on in another, on average; if ever.
    pub moves: Option<Duration>,
    /// How many write to the queue for chats.
    pub writers: u32,
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
const MEDIA_THREADS: u16 = 2;

/// A city in virtual time.
pub struct City {
    /// Its shards.
    pub shards: Vec<Shard>,
    letters: Letters,
    router: Router,
    server: SocketAddr,
    network: Network,
    phones: BTreeMap<SocketAddr, Phone>,
    media: Media,
    room: Room,
    now: Time,
    over_at: Time,
    slow: Option<(Time, Time)>,
    reload: Option<(Time, ConfigText)>,
    /// When the next party of a talk goes on in another, and what decides which.
    moves: Option<(Time, Duration, Seed)>,
    settings: Arc<Settings>,
    matcher: Arc<Matcher>,
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
        // Room for what a reload adds.
        let spare = if plan.reload.is_some() { 4 } else { 0 };
        let further_slots_from = agents + spare;
        let (settings, directory) = plan.settings.with_agent_slots(&AgentSlotIds::beyond(further_slots_from, plan.shards));
        let settings = Arc::new(settings);
        let agents = directory.agents.len() as u32;
        let size = Size {
            shards: plan.shards,
            contacts_per_shard: plan.slots,
            agents: agents + spare,
            queues: settings.directory.queues.len() as u32 + spare,
            agencies: settings.agencies.len() as u32,
        };
        let owner = |agent| ShardId::of_agent(agent, plan.shards).0;
        let matcher = Arc::new(Matcher::new(size, RoutingTable::new(&directory, 1), owner));
        let listeners = [Transport::Udp, Transport::Tcp].map(|transport| (transport, plan.server.to_string()));
        let (caps, limits) = (Arc::default(), Arc::new(LimitBoard::new(plan.shards)));
        let shards = (0..plan.shards).map(|shard| {
            let built = Built {
                at: now,
                shard,
                size: (size.shards, size.contacts_per_shard, size.agents, size.queues, size.agencies),
                further_slots_from,
                listeners: listeners.to_vec(),
                seed: seed.fork_bytes(),
                rounds_max: plan.rounds,
                config: plan.config.clone(),
            };
            let parts = Parts {
                shard,
                settings: settings.clone(),
                matcher: matcher.clone(),
                listeners: built.listeners(),
                seed: Seed::from_bytes(built.seed),
                counts: Arc::default(),
                limits: limits.clone(),
                caps: Arc::clone(&caps),
                answers: if plan.recorded { Answers::Kept(Vec::new()) } else { Answers::Live },
                rounds_max: plan.rounds,
            };
            let mut engine = Engine::new(parts, now);
            let journal = plan.recorded.then(|| Journal::new(built, &mut engine));
            Shard::new(engine, journal, plan.rounds.is_some(), now)
        });
        let shards = shards.collect();
        let network = Network::new(plan.weather, seed.fork());
        // A day of one shard is the same, however many others there may be.
        let mut further = seed.clone();
        let (letters_seed, keyed) = (further.fork(), Keyed::from_seed(&mut further));
        let slow = plan.slow.map(|(after, span)| (now + after, now + after + span));
        let mut city = City {
            shards,
            letters: Letters::new(plan.shards, plan.late_by, letters_seed),
            router: Router::new(plan.shards, keyed),
            server: plan.server,
            network,
            phones: BTreeMap::new(),
            media: Media::new(plan.server.ip(), plan.pairs, MEDIA_THREADS, plan.shards),
            room: Room::new(plan.writers, plan.within, now, plan.shards, further.fork()),
            now,
            over_at: now + plan.within + DAY_GOES_ON,
            slow,
            reload: plan.reload.map(|(after, config)| (now + after, config)),
            moves: plan.moves.map(|every| (now + every, every, further.fork())),
            settings: settings.clone(),
            matcher: matcher.clone(),
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
                let next: Vec<_> = self.shards.iter().map(|shard| shard.engine.next_deadline()).collect();
                return Err(format!("something still happens after {RUN_MAX:?}: {next:?}"));
            }
            self.now = self.now.max(at);
            self.step();
            self.watch.faults().map_err(|why| format!("at {:?}: {why}", self.now))?;
            if self.letters.is_empty() {
                let lives =
                    |id| self.network.connection(id).is_some() || self.failing.iter().any(|(_, (failing, _))| *failing == id);
                let engines: Vec<&Engine> = self.shards.iter().map(|shard| &shard.engine).collect();
                audit::audit(&engines, self.now, lives).map_err(|why| format!("at {:?}: {why}", self.now))?;
            }
            if self.at_rest() {
                break;
            }
        }
        if !self.is_idle() {
            return Err("at the end something of a call is left".into());
        }
        if let Some(endpoint) = self.media.still_open() {
            return Err(format!("endpoint {endpoint} is still open"));
        }
        if let Some(session) = self.room.still_open() {
            return Err(format!("{session:?} is still open"));
        }
        let blameless = |call_id: &str| self.phones.values().any(|phone| phone.is_blameless(call_id));
        self.watch.verdict(blameless)
    }

    fn is_idle(&self) -> bool {
        self.letters.is_empty() && self.shards.iter().all(|shard| shard.engine.idle())
    }

    fn day_is_over(&self) -> bool {
        self.now >= self.over_at
    }

    /// Nobody calls any more, and nothing of a call is left: what may still wake is only agents who come back from their breaks, and
    /// registrations that lapse.
    fn at_rest(&self) -> bool {
        let quiet = self.day_is_over() && self.phones.values().all(|phone| phone.next(true).is_none());
        quiet
            && self.network.next().is_none()
            && self.failing.is_empty()
            && self.is_idle()
            && self.media.at_rest()
            && self.room.next().is_none()
    }

    fn next(&self) -> Option<Time> {
        let over = self.day_is_over();
        let phones = self.phones.values().filter_map(|phone| phone.next(over));
        let own = [
            self.network.next(),
            self.letters.next(),
            self.shards.iter().filter_map(|shard| shard.next(self.now)).min(),
            self.media.next(),
            self.returns.next().map(|(at, _)| at),
            self.reload.as_ref().map(|(at, _)| *at),
            self.moves.as_ref().map(|(at, ..)| *at),
            self.failing.next().map(|(at, _)| at),
            self.room.next(),
        ];
        own.into_iter().flatten().chain(phones).min()
    }

    fn step(&mut self) {
        while let Some(parcel) = self.network.arrived(self.now) {
            self.deliver(&parcel);
        }
        while let Some((_, (connection, remote))) = self.failing.pop_due(self.now) {
            self.broken(connection, remote);
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
            self.input(self.owner(agent), Input::Agent { agent, command: AgentCommand::Ready });
            let again = self.now + Duration::from_secs(20 + self.seed.below(60));
            self.returns.set(again, agent);
        }
        if let Some((_, config)) = self.reload.take_if(|(at, _)| *at <= self.now) {
            self.take_up(&config);
        }
        if self.moves.as_ref().is_some_and(|(at, ..)| *at <= self.now) {
            self.move_somebody();
        }
        while let Some((to, input)) = self.room.due(self.now) {
            self.input(to, Input::Text(input));
        }
        while let Some((to, letter)) = self.letters.arrived(self.now) {
            self.input(to, Input::Letter(letter));
        }
        while let Some(shard) = self.letters.rung(self.now) {
            self.input(ShardId(shard as u16), Input::Time);
        }
        for index in 0..self.shards.len() {
            if self.shards[index].is_due(self.now) {
                self.input(ShardId(index as u16), Input::Time);
            }
        }
        self.settle();
        if self.shards.len() > 1 {
            let woken = self.shards.iter().enumerate().filter(|(_, shard)| shard.engine.has_wake_ups());
            woken.for_each(|(index, _)| self.letters.ring(self.now, index));
        }
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
            let shard = self.router.shard_of(&parcel.bytes, |name| self.settings.agent_named(name));
            self.watch.input_is(self.now, shard, parcel.connection.is_none().then_some(age));
            self.input(shard, Input::Message { flow, bytes: &parcel.bytes, age });
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
        self.broken(id, connection.remote);
    }

    /// Every shard may have something over a connection.
    fn broken(&mut self, connection: ConnectionId, remote: SocketAddr) {
        for shard in 0..self.shards.len() {
            let connection = Some(connection);
            self.input(ShardId(shard as u16), Input::Broken { connection, transport: Transport::Tcp, remote });
        }
    }

    fn owner(&self, agent: AgentId) -> ShardId {
        ShardId::of_agent(self.settings.agent_slots.agent(agent), self.shards.len() as u16)
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

    /// Has a party of a talk go on in another, wherever the two are.
    fn move_somebody(&mut self) {
        let Some((at, every, mut seed)) = self.moves.take() else { return };
        let talkers: Vec<Talker> = self.shards.iter().flat_map(|shard| talks::talkers(&shard.engine)).collect();
        if !talkers.is_empty() {
            let mut any = || talkers[seed.below(talkers.len() as u64) as usize];
            let (who, to) = (any(), any());
            let heard_by = [HeardBy::All, HeardBy::Agents, HeardBy::Nobody][seed.below(3) as usize];
            let place = Place { heard_by, aside: seed.below(4) == 0 };
            self.media.moves(who.endpoint());
            self.input(who.shard(), Input::Letter(talks::goes_to(&who, &to, place)));
        }
        if !self.day_is_over() {
            let again = Duration::from_micros(seed.below(2 * every.as_micros() as u64));
            self.moves = Some((at + again, every, seed));
        }
    }

    /// Puts another configuration in force, as a running server does.
    fn take_up(&mut self, config: &ConfigText) {
        let read = config.read(&self.settings).unwrap_or_else(|problems| panic!("{problems}"));
        let (settings, directory) = read.settings.succeeding(&self.settings);
        let routing_table = self.matcher.publish(&directory, settings.version).expect("there is room for what a plan has");
        self.settings = Arc::new(settings);
        self.watch.settings(self.settings.clone());
        for shard in 0..self.shards.len() {
            let (settings, routing_table) = (self.settings.clone(), routing_table.clone());
            self.input_of(ShardId(shard as u16), Input::Reload(Reload { settings, routing_table }), Some(config));
        }
    }

    /// Hands an engine an input.
    fn input(&mut self, shard: ShardId, input: Input<'_>) {
        self.input_of(shard, input, None);
    }

    /// Hands an engine an input, which a reload's configuration goes with.
    fn input_of(&mut self, shard: ShardId, input: Input<'_>, config: Option<&ConfigText>) {
        let panicked = self.shards[usize::from(shard.0)].input(self.now, input, config);
        if panicked.is_some() {
            self.watch.panicked();
        }
        if let Some(Panicked::NotContained) = panicked {
            self.watch.fault("a fault could not be contained".to_owned());
        }
        self.drain();
    }

    /// Does what the engines ask.
    fn drain(&mut self) {
        for index in 0..self.shards.len() {
            while let Some(output) = self.shards[index].poll() {
                match output {
                    Output::Transmit(transmit) => self.send_from_server(transmit),
                    Output::Text(output) => {
                        if let Err(why) = self.room.take(self.now, &output) {
                            self.watch.fault(why);
                        }
                    }
                    Output::Letter(to, letter) => self.letters.post(self.now, ShardId(index as u16), to, letter),
                    Output::Fact(fact) => self.watch.fact(ShardId(index as u16), fact),
                    Output::Media(thread, command) => {
                        if let Err(why) = self.media.take(self.now, thread, command) {
                            self.watch.fault(why);
                        }
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
            let Some((shard, event)) = self.media.poll(self.now, is_silent) else { return };
            self.input(ShardId(shard), Input::Media(event));
        }
    }
}
