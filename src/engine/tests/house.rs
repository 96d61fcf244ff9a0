//! A house for tests: an engine, a clock, media that does as it is told, and parties who speak SIP by hand.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::super::media_port::{Feed, MediaCommand, MediaEvent, MediaStats, MediaThread, PortLease};
use super::super::route::Router;
use super::super::settings::{Agency, AgentAccount, Challenges, FixedContact, Limits, Registration, Skill};
use super::super::text_port::{TextId, TextOutput};
use super::super::{AgentCommand, Engine, Input, Letter, Output, PartOf, Parts, Reload, Settings};
use crate::acd::agent_slots::AgentSlotIds;
use crate::acd::answers::Answers;
use crate::acd::matcher::{Matcher, Size};
use crate::acd::queue::QueueRules;
use crate::acd::queue::tests::plain as plain_queue;
use crate::acd::routing_table::{AgentProfile, Directory, RoutingTable};
use crate::base::hash::Keyed;
use crate::base::limits::LimitBoard;
use crate::base::seed::Seed;
use crate::base::words::Transport;
use crate::base::{AgentId, ContactId, EndpointId, PoolId, QueueId, ShardId, SkillId, Time};
use crate::call::caps::Caps;
use crate::call::menu::EntryRules;
use crate::call::trunk::{Login, NumberTarget, Prefix, TrunkRules};
use crate::report::{Fact, FactKind};
use crate::sip::flow::{Flow, ListenerId};
use crate::sip::message::Message;
use crate::sip::stack::ListenerName;

pub(in crate::engine) const CALLER: &str = "192.0.2.1:5060";
/// How many agents reloads may bring it to.
const AGENTS_MAX: u32 = 64;
/// How many contacts there may be in queues at once.
pub(super) const CONTACTS: u32 = 52;
pub(super) const SERVER: &str = "198.51.100.1:5060";

pub(super) fn desk_phone(n: u32) -> String {
    format!("203.0.113.{}:5060", n + 1)
}

/// What a party has been sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) to: SocketAddr,
    pub(super) bytes: Arc<[u8]>,
}

impl Sent {
    pub(super) fn message(&self) -> Message<'_> {
        Message::read(&self.bytes).expect("what we send can be read")
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(super) fn method(&self) -> Option<String> {
        self.message().method().map(|method| method.as_str().to_owned())
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.message().status()
    }

    pub(super) fn header(&self, name: crate::sip::Name) -> String {
        self.message().text(name).unwrap_or_default().to_owned()
    }

    pub(super) fn cseq_method(&self) -> String {
        self.message().cseq().unwrap().method.as_str().to_owned()
    }
}

/// Checks which call the engine takes each message for: the leg with the message's Call-ID.
#[derive(Default)]
struct Traced {
    /// The contact and the number of the leg, and whether it has ended.
    legs: BTreeMap<Arc<str>, (ContactId, u32, bool)>,
}

impl Traced {
    fn fact(&mut self, fact: &Fact) {
        let contact = fact.contact.unwrap_or(ContactId(0));
        match &fact.kind {
            FactKind::LegBegan { leg, call_id, .. } => {
                self.legs.insert(call_id.clone(), (contact, *leg, false));
            }
            FactKind::LegEnded { leg, .. } => {
                let its = self.legs.values_mut().filter(|(of, number, _)| (*of, *number) == (contact, *leg));
                its.for_each(|(.., ended)| *ended = true);
            }
            _ => {}
        }
    }

    fn message(&self, bytes: &[u8], part_of: PartOf) {
        let Ok(message) = Message::read(bytes) else { return };
        let known = message.call_id().ok().and_then(|call_id| self.legs.get(str::from_utf8(call_id).ok()?));
        // An answer that keeps nothing of its request is part of no call.
        let stateless = message.status().is_some_and(|status| matches!(status, 481 | 482));
        let text = String::from_utf8_lossy(bytes);
        match (known, part_of.leg) {
            (Some((contact, number, _)), Some(leg)) => assert_eq!((leg.contact, leg.number), (*contact, *number), "{text}"),
            (Some((.., ended)), None) => assert!(*ended || stateless, "part of {part_of:?}: {text}"),
            (None, leg) => assert_eq!(leg, None, "{text}"),
        }
    }
}

pub(super) struct House {
    pub(super) engine: Engine,
    /// The engines of the other shards of one server, if it has several: letters between them take no time.
    beside: Vec<Engine>,
    router: Router,
    pub(super) now: Time,
    pub(super) sent: VecDeque<Sent>,
    pub(super) facts: Vec<Fact>,
    pub(super) feeds: Vec<(EndpointId, Feed)>,
    pub(super) open: Vec<EndpointId>,
    /// What whoever carries text is told.
    pub(super) texts: VecDeque<TextOutput>,
    /// What is to be brought to other shards.
    pub(super) letters: VecDeque<(ShardId, Letter)>,
    next_port: u16,
    traced: Traced,
    /// How old input is as it is taken up.
    pub(super) age: Duration,
}

/// Settings with one trunk, one queue `q` (number 120 leads straight to it) and as many desk phones as wanted.
pub(in crate::engine) fn settings(agents: u32) -> Settings {
    let mut trunk: TrunkRules = crate::call::trunk::tests::plain("carrier");
    trunk.from = vec![Prefix { address: "192.0.2.0".parse().unwrap(), bits: 24 }];
    trunk.numbers = vec![("120".into(), NumberTarget::Queue(QueueId(0)))];
    let queue: QueueRules = plain_queue("q", &[], &[0]);
    let profile = |n: u32| AgentProfile {
        name: format!("agent{n}").into(),
        pools: vec![PoolId(0)],
        skills: vec![(SkillId(0), 10)],
        ..AgentProfile::default()
    };
    let account = |n: u32| AgentAccount {
        login: Some(Login { user: format!("agent{n}").into(), password: format!("secret{n}").into() }),
        fixed: Some(FixedContact {
            uri: format!("sip:agent{n}@{}", desk_phone(n)).into(),
            address: desk_phone(n).parse().unwrap(),
            transport: Transport::Udp,
        }),
        ready_on_register: true,
        ready_at_start: true,
        wrap_up: None,
    };
    Settings {
        version: 1,
        domains: vec!["city.example".into()],
        directory: Directory {
            queues: vec![Some(queue)],
            agents: (0..agents).map(|n| Some(profile(n))).collect(),
            languages: vec![SkillId(0)],
            lending: Vec::new(),
            agent_slots_from: None,
        },
        agencies: vec![Agency { name: "city".into(), number: "+8221200".into(), dial: Vec::new() }],
        skills: vec![Skill { name: "korean".into(), prompts: Some("ko".into()) }],
        accounts: (0..agents).map(|n| Some(account(n))).collect(),
        entries: Vec::new(),
        trunks: vec![Some(trunk)],
        registration: Registration { challenges: Challenges::Sha256First, ..Registration::default() },
        limits: Limits { contacts: 50, emergency_contacts: 5, ..Limits::default() },
        default_prompts: "en".into(),
        ..Settings::default()
    }
}

/// An entry in front of the queue, for number 120.
pub(super) fn with_entry(mut settings: Settings, entry: EntryRules) -> Settings {
    settings.entries = vec![Some(entry)];
    if let Some(trunk) = &mut settings.trunks[0] {
        trunk.numbers = vec![("120".into(), NumberTarget::Entry(crate::base::EntryId(0)))];
    }
    settings
}

impl House {
    /// A server with as many shards as `HOTLINE_SHARDS` says; one unless it says.
    pub(super) fn new(settings: Settings) -> Self {
        let shards = std::env::var("HOTLINE_SHARDS").ok().and_then(|shards| shards.parse().ok()).unwrap_or(1);
        let mut houses = House::with_shards(settings, shards);
        let mut house = houses.remove(0);
        for other in houses {
            house.beside.push(other.engine);
            house.letters.extend(other.letters);
            house.facts.extend(other.facts);
        }
        house.exchange();
        house
    }

    /// A server with one shard, for a test that looks into its engine.
    pub(super) fn alone(settings: Settings) -> Self {
        House::with_shards(settings, 1).remove(0)
    }

    /// So many shards of one server, each a house of its own.
    pub(super) fn with_shards(settings: Settings, shards: u16) -> Vec<Self> {
        let contacts_per_shard = Size::slots_for(CONTACTS);
        let size = Size { shards, contacts_per_shard, agents: 2 * AGENTS_MAX, queues: 8, agencies: 4 };
        let (settings, directory) = settings.with_agent_slots(&AgentSlotIds::beyond(AGENTS_MAX, shards));
        let settings = Arc::new(settings);
        let owner = |agent| ShardId::of_agent(agent, shards).0;
        let matcher = Arc::new(Matcher::new(size, RoutingTable::new(&directory, 1), owner));
        let caps = Arc::new(Caps::default());
        (0..shards).map(|shard| House::shard(shard, settings.clone(), &matcher, caps.clone())).collect()
    }

    fn shard(shard: u16, settings: Arc<Settings>, matcher: &Arc<Matcher>, caps: Arc<Caps>) -> Self {
        let listeners = vec![ListenerName { transport: Transport::Udp, sent_by: SERVER.into() }];
        let now = Time::from_secs(1_800_000_000);
        let counts = Arc::default();
        let parts = Parts {
            shard,
            settings,
            matcher: matcher.clone(),
            listeners,
            seed: Seed::from_number(7 + u64::from(shard)),
            counts,
            limits: Arc::new(LimitBoard::new(matcher.size().shards)),
            caps,
            answers: Answers::Live,
            rounds_max: None,
        };
        let engine = Engine::new(parts, now);
        let mut seed = Seed::from_number(3);
        let mut house = House {
            engine,
            beside: Vec::new(),
            router: Router::new(matcher.size().shards, Keyed::from_seed(&mut seed)),
            now,
            sent: VecDeque::new(),
            facts: Vec::new(),
            feeds: Vec::new(),
            open: Vec::new(),
            next_port: 20000 + 1000 * shard,
            texts: VecDeque::new(),
            letters: VecDeque::new(),
            traced: Traced::default(),
            age: Duration::ZERO,
        };
        house.lease(20);
        house.drain();
        house
    }

    /// So many pairs of ports for each shard.
    pub(super) fn lease(&mut self, count: u16) {
        for shard in (0..self.shards()).map(ShardId) {
            let leases = (0..count).map(|_| {
                self.next_port += 2;
                let rtp = SocketAddr::new("198.51.100.1".parse().unwrap(), self.next_port);
                PortLease { thread: MediaThread(0), rtp, advertised: rtp.ip() }
            });
            let event = MediaEvent::Leased(leases.collect());
            self.hand(shard, Input::Media(event));
        }
    }

    /// The engine of a shard.
    fn engine_of(&mut self, shard: ShardId) -> &mut Engine {
        match usize::from(shard.0).checked_sub(1).filter(|_| !self.beside.is_empty()) {
            Some(other) => &mut self.beside[other],
            None => &mut self.engine,
        }
    }

    /// All engines of the server.
    fn engines(&self) -> impl Iterator<Item = &Engine> {
        std::iter::once(&self.engine).chain(&self.beside)
    }

    fn shards(&self) -> u16 {
        1 + self.beside.len() as u16
    }

    /// Does what the engines say, until they say nothing more.
    fn drain(&mut self) {
        for shard in (0..self.shards()).map(ShardId) {
            self.drain_one(shard);
        }
        self.exchange();
    }

    /// Brings the shards of one server what they have to say to each other, and what the matcher has woken.
    fn exchange(&mut self) {
        while !self.beside.is_empty() {
            if let Some((to, letter)) = self.letters.pop_front() {
                self.hand(to, Input::Letter(letter));
                self.drain_one(to);
                continue;
            }
            let Some(woken) = self.engines().position(Engine::has_wake_ups) else { return };
            self.hand(ShardId(woken as u16), Input::Time);
            self.drain_one(ShardId(woken as u16));
        }
    }

    fn drain_one(&mut self, shard: ShardId) {
        let mut events = Vec::new();
        while let Some(output) = self.engine_of(shard).poll() {
            match output {
                Output::Transmit(transmit) => {
                    self.traced.message(&transmit.bytes, transmit.part_of);
                    self.sent.push_back(Sent { to: transmit.flow.remote, bytes: transmit.bytes });
                }
                Output::Fact(fact) => {
                    self.traced.fact(&fact);
                    self.facts.push(fact);
                }
                Output::Media(_, MediaCommand::Open { endpoint, .. }) => self.open.push(endpoint),
                Output::Media(_, MediaCommand::Feed { endpoint, feed }) => {
                    assert!(self.open.contains(&endpoint), "only open endpoints are fed");
                    self.feeds.push((endpoint, feed));
                }
                Output::Media(_, MediaCommand::Close { endpoint }) => {
                    self.open.retain(|open| *open != endpoint);
                    events.push(MediaEvent::Closed { endpoint, stats: MediaStats::default() });
                }
                Output::Media(..) => {}
                Output::Text(text) => self.texts.push_back(text),
                Output::Letter(to, letter) => self.letters.push_back((to, letter)),
            }
        }
        for event in events {
            self.hand(shard, Input::Media(event));
            self.drain_one(shard);
        }
    }

    /// Hands one engine an input.
    fn hand(&mut self, shard: ShardId, input: Input<'_>) -> PartOf {
        let now = self.now;
        self.engine_of(shard).handle(now, input)
    }

    /// Hands an input to whichever shard it is for.
    pub(super) fn input(&mut self, input: Input<'_>) {
        let all = (0..self.shards()).map(ShardId);
        match input {
            Input::Time => all.for_each(|shard| _ = self.hand(shard, Input::Time)),
            Input::Drain => all.for_each(|shard| _ = self.hand(shard, Input::Drain)),
            Input::EndAll => all.for_each(|shard| _ = self.hand(shard, Input::EndAll)),
            Input::Reload(reload) => all.for_each(|shard| _ = self.hand(shard, Input::Reload(reload.clone()))),
            Input::Agent { agent, command } => {
                let owner = ShardId::of_agent(agent, self.shards());
                self.hand(owner, Input::Agent { agent, command });
            }
            Input::Media(event) => {
                let shard = event.endpoint().map_or(ShardId(0), EndpointId::shard);
                self.hand(shard, Input::Media(event));
            }
            Input::Text(input) => {
                let shard = input.session().map_or(ShardId(0), TextId::shard);
                self.hand(shard, Input::Text(input));
            }
            input @ (Input::Message { .. } | Input::Broken { .. } | Input::Letter(_)) => _ = self.hand(ShardId(0), input),
        }
        self.drain();
    }

    /// A caller joins by dialling this number; the tag of its dialog.
    pub(super) fn calls_number(&mut self, call_id: &str, number: &str) -> String {
        let text = Request::invite(call_id).text().replace("sip:120@", &format!("sip:{number}@"));
        self.from(CALLER, &text);
        let ok = self.next_to(CALLER);
        assert_eq!(ok.status(), Some(200));
        let tag = tag_of(&ok);
        self.from(CALLER, &Request { to_tag: Some(&tag), branch: "ack", ..Request::new("ACK", call_id, 1) }.text());
        tag
    }

    /// The configuration changes, as a running server takes it up.
    pub(super) fn reload(&mut self, settings: Settings) {
        let (settings, directory) = settings.with_agent_slots(&self.engine.settings.agent_slots);
        let routing_table = self.engine.matcher.audited().publish(&directory, settings.version).expect("there is room");
        self.input(Input::Reload(Reload { settings: Arc::new(settings), routing_table }));
    }

    /// A datagram from `from`.
    pub(super) fn from(&mut self, from: &str, text: &str) {
        let flow = Flow::udp(ListenerId(0), from.parse().unwrap());
        let agents = &self.engine.settings.directory.agents;
        let named = |name: &str| agents.iter().position(|agent| agent.as_ref().is_some_and(|agent| &*agent.name == name));
        let agent = |name: &str| named(name).map(|index| AgentId(index as u32));
        let shard = if self.beside.is_empty() { ShardId(0) } else { self.router.shard_of(text.as_bytes(), agent) };
        let part_of = self.hand(shard, Input::Message { flow, bytes: text.as_bytes(), age: self.age });
        self.drain();
        self.traced.message(text.as_bytes(), part_of);
    }

    /// Lets time pass, waking the engine whenever it asks for it.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.engines().filter_map(Engine::next_deadline).min().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Time);
        }
        self.now = end;
    }

    /// The next message to `to`, skipping what went to others.
    pub(super) fn next_to(&mut self, to: &str) -> Sent {
        let to: SocketAddr = to.parse().unwrap();
        let place = self.sent.iter().position(|sent| sent.to == to);
        let place = place.unwrap_or_else(|| panic!("nothing was sent to {to}; there is {:#?}", self.overview()));
        self.sent.remove(place).unwrap()
    }

    pub(super) fn nothing_to(&self, to: &str) -> bool {
        let to: SocketAddr = to.parse().unwrap();
        !self.sent.iter().any(|sent| sent.to == to)
    }

    fn overview(&self) -> Vec<String> {
        self.sent.iter().map(|sent| format!("{} <- {}", sent.to, sent.text().lines().next().unwrap_or(""))).collect()
    }

    pub(super) fn played(&mut self) {
        let Some((endpoint, Feed::Prompts { token, .. })) = self.feeds.last().cloned() else { panic!("nothing is played") };
        self.input(Input::Media(MediaEvent::Played { endpoint, token }));
    }

    pub(super) fn digit(&mut self, digit: char) {
        let endpoint = self.open[0];
        self.input(Input::Media(MediaEvent::Digit { endpoint, digit }));
    }

    /// The rules of the house hold.
    pub(super) fn audit(&self) {
        let engines: Vec<&Engine> = self.engines().collect();
        crate::engine::audit::audit(&engines, self.now, |_| true).unwrap();
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = &FactKind> {
        self.facts.iter().map(|fact| &fact.kind)
    }

    /// At the end of a test nothing may be left, once all timers have run out.
    pub(super) fn assert_empty(&mut self) {
        self.pass(Duration::from_secs(200));
        assert!(self.engines().all(Engine::idle), "contacts, legs, transactions or endpoints are left");
        assert!(self.open.is_empty(), "endpoints are open");
        assert_eq!(self.contacts_up(), 0);
        let arrived = self.kinds().filter(|kind| matches!(kind, FactKind::Arrived { .. })).count();
        let ended = self.kinds().filter(|kind| matches!(kind, FactKind::Ended { .. })).count();
        assert_eq!(arrived, ended, "each contact has one end");
    }

    pub(super) fn agent_state(&self, agent: u32) -> crate::base::words::AgentState {
        let owner = self.engines().nth(usize::from(ShardId::of_agent(AgentId(agent), self.shards()).0)).unwrap_or(&self.engine);
        owner.desks.views().nth(agent as usize).expect("the agent is known").state.word()
    }

    /// Contacts up, of all shards.
    pub(super) fn contacts_up(&self) -> u32 {
        self.engines().map(Engine::contacts_up).sum()
    }
}

pub(super) fn sdp(host: &str, port: u16, direction: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 8\r\na={direction}\r\n")
}

/// A request of a party's, outside or inside a dialog.
pub(in crate::engine) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) from: &'a str,
    pub(super) to_tag: Option<&'a str>,
    pub(super) branch: &'a str,
    pub(super) call_id: &'a str,
    pub(super) cseq: u32,
    pub(super) body: String,
    pub(super) extra: String,
}

impl<'a> Request<'a> {
    pub(super) fn new(method: &'a str, call_id: &'a str, cseq: u32) -> Self {
        Request { method, from: CALLER, to_tag: None, branch: "b", call_id, cseq, body: String::new(), extra: String::new() }
    }

    pub(in crate::engine) fn invite(call_id: &'a str) -> Self {
        Request { body: sdp("192.0.2.1", 30000, "sendrecv"), ..Request::new("INVITE", call_id, 1) }
    }

    pub(in crate::engine) fn text(&self) -> String {
        let Request { method, from, branch, call_id, cseq, body, extra, .. } = self;
        let tag = self.to_tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} sip:120@{SERVER} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{branch}{call_id}{cseq}\r\nMax-Forwards: 70\r\n\
             From: \"Kim\" <sip:0212345678@{from}>;tag=c{call_id}\r\nTo: <sip:120@{SERVER}>{tag}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:kim@{from}>\r\n{extra}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// A phone's answer to a request of ours.
pub(super) fn answer(request: &Sent, status: u16, body: &str) -> String {
    let message = request.message();
    let line = |name: &str, id| format!("{name}: {}\r\n", message.text(id).unwrap_or_default());
    let mut to = message.text(crate::sip::Name::To).unwrap_or_default().to_owned();
    if !to.contains("tag=") && status > 100 {
        to.push_str(";tag=phone");
    }
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {status} X\r\n{}{}To: {to}\r\n{}{}Contact: <sip:phone@{}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        line("Via", crate::sip::Name::Via),
        line("From", crate::sip::Name::From),
        line("Call-ID", crate::sip::Name::CallId),
        line("CSeq", crate::sip::Name::CSeq),
        request.to,
        body.len()
    )
}

/// The tag in a To header.
pub(super) fn tag_of(sent: &Sent) -> String {
    sent.message().to().unwrap().tag().unwrap_or_default().to_owned()
}

/// A caller joins by dialling 120; the tag of its dialog.
pub(super) fn calls(house: &mut House, call_id: &str) -> String {
    house.calls_number(call_id, "120")
}

pub(super) fn hangs_up(house: &mut House, call_id: &str, tag: &str) {
    house.from(CALLER, &Request { to_tag: Some(tag), ..Request::new("BYE", call_id, 2) }.text());
    assert_eq!(house.next_to(CALLER).status(), Some(200));
}

pub(super) fn picks_up(house: &mut House, agent: u32) {
    let phone = desk_phone(agent);
    let invite = house.next_to(&phone);
    house.from(&phone, &answer(&invite, 200, &sdp("203.0.113.1", 40000, "sendrecv")));
    assert_eq!(house.next_to(&phone).method().as_deref(), Some("ACK"));
}

pub(super) fn becomes(house: &mut House, agent: u32, command: AgentCommand) {
    house.input(Input::Agent { agent: AgentId(agent), command });
}
