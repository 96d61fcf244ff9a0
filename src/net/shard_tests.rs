use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender as StdSender, channel};

use arc_swap::ArcSwap;

use super::super::{ListenerSettings, listen};
use super::*;
use crate::acd::answers::Answers;
use crate::acd::matcher::{Matcher, Size};
use crate::acd::routing_table::RoutingTable;
use crate::base::hash::Keyed;
use crate::base::limits::LimitBoard;
use crate::base::seed::Seed;
use crate::base::words::Limit;
use crate::engine::Parts;
use crate::net::recent::Whom;
use crate::sip::stack::ListenerName;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Keeps nothing, tells what it sees, and stalls its shard for as long as it is told to.
struct Told {
    shard: ShardId,
    /// The Call-IDs of what was received, by shard.
    received: StdSender<(ShardId, String)>,
    stalled: Arc<AtomicBool>,
    watches: StdSender<(ShardId, usize)>,
}

impl Sink for Told {
    fn message(&mut self, seen: &Seen<'_>) {
        let text = String::from_utf8_lossy(seen.bytes);
        let call_id = text.lines().find_map(|line| line.strip_prefix("Call-ID: ")).unwrap_or_default();
        if seen.direction == Direction::In {
            let _ = self.received.send((self.shard, call_id.to_owned()));
        }
        while self.stalled.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    fn recent(&self, _contact: ContactId) -> Found {
        Found::default()
    }
    fn watch(&mut self, watches: Watches) {
        let _ = self.watches.send((self.shard, watches.len()));
    }
    fn fact(&mut self, _fact: &Fact) {}
    fn media(&mut self, _thread: MediaThread, _command: MediaCommand) {}
    fn is_behind(&self) -> bool {
        false
    }
    fn catch_up(&mut self) {}
    fn flush(&mut self) {}
    fn deadline(&self) -> Option<Time> {
        None
    }
    fn tick(&mut self, _now: Time) {}
    fn end(&mut self, _now: Time) {}
    fn matched(&mut self, _span: Duration) {}
    fn reloaded(&mut self, _settings: &Arc<Settings>) {}
    fn fault(&mut self, _now: Time, _contact: Option<ContactId>) -> bool {
        true
    }
}

const CITY: &str = "[server]\nlisten = [\"tcp:127.0.0.1:5060\"]\ndomains = [\"city.example\"]\n[[agency]]\nname = \"city\"\n\
    [[pool]]\nname = \"desk\"\nagency = \"city\"\n[[queue]]\nname = \"help\"\nagency = \"city\"\npools = [\"desk\"]\n\
    [[trunk]]\nname = \"carrier\"\nfrom = [\"127.0.0.1\"]\nnumbers = { \"120\" = \"queue:help\" }\n";

/// A city of several shards, as far as they are not running yet.
struct City {
    parts: Vec<(Parts, Told, ShardEnd)>,
    listeners: Arc<Vec<Listener>>,
    switch: Arc<Switch>,
    limits: Arc<LimitBoard>,
    received: Receiver<(ShardId, String)>,
    watches: Receiver<(ShardId, usize)>,
    /// By shard.
    stalled: Vec<Arc<AtomicBool>>,
    clock: Clock,
}

fn city(shards: u16) -> City {
    let settings = Arc::new(crate::config::parse(CITY, "a test's").unwrap_or_else(|problems| panic!("{problems}")).settings);
    let size = Size { shards, contacts_per_shard: 8, agents: 1, queues: 1, agencies: 1 };
    let matcher = Arc::new(Matcher::new(size, RoutingTable::new(&settings.directory, 1), |_| 0));
    let loopback = "127.0.0.1:0".parse().unwrap();
    let bind = |transport| listen(&ListenerSettings { transport, bind: loopback, advertised: None }).unwrap();
    let listeners = [Transport::Tcp, Transport::Udp].map(bind);
    let names: Vec<ListenerName> = listeners.iter().map(|listener| listener.name.clone()).collect();
    let limits = Arc::new(LimitBoard::new(shards));
    let current = Arc::new(ArcSwap::new(settings.clone()));
    let (switch, ends) = Switch::new(shards, Keyed::from_seed(&mut Seed::from_number(5)), current, 4, limits.clone());
    let ((heard, received), (watched, watches)) = (channel(), channel());
    let (mut parts, mut stalled) = (Vec::new(), Vec::new());
    for end in ends {
        stalled.push(Arc::new(AtomicBool::new(false)));
        let told = Told {
            shard: end.shard,
            received: heard.clone(),
            stalled: stalled[usize::from(end.shard.0)].clone(),
            watches: watched.clone(),
        };
        let its = Parts {
            shard: end.shard.0,
            settings: settings.clone(),
            matcher: matcher.clone(),
            listeners: names.clone(),
            seed: Seed::from_number(1 + u64::from(end.shard.0)),
            counts: Arc::default(),
            limits: limits.clone(),
            caps: Arc::default(),
            answers: Answers::Live,
            rounds_max: None,
        };
        parts.push((its, told, end));
    }
    City { parts, listeners: Arc::new(listeners.into()), switch, limits, received, watches, stalled, clock: Clock::start() }
}

impl City {
    /// One shard, on the calling thread.
    fn shard(&mut self) -> Shard<Told> {
        let (parts, told, end) = self.parts.remove(0);
        let engine = Engine::new(parts, self.clock.now());
        Shard::new(engine, told, self.clock, &self.listeners, end, 1).unwrap()
    }

    /// Every shard, on a thread of its own.
    fn run(&mut self) -> Vec<std::thread::JoinHandle<Ended>> {
        let run = |(parts, told, end): (Parts, Told, ShardEnd)| {
            let (listeners, clock) = (self.listeners.clone(), self.clock);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                tokio::task::LocalSet::new().block_on(&runtime, async move {
                    Shard::new(Engine::new(parts, clock.now()), told, clock, &listeners, end, 1).unwrap().run().await
                })
            })
        };
        self.parts.drain(..).map(run).collect()
    }

    /// Every shard ends, and says how.
    fn end(&self, running: Vec<std::thread::JoinHandle<Ended>>) {
        self.switch.shards().for_each(|shard| self.switch.post(shard, ToShard::Drain));
        assert!(running.into_iter().all(|shard| shard.join().unwrap() == Ended::Drained));
    }

    fn address(&self, transport: Transport) -> SocketAddr {
        self.listeners.iter().find(|listener| listener.name.transport == transport).unwrap().address
    }
}

fn invite(call_id: &str) -> String {
    let body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    format!(
        "INVITE sip:120@city.example SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5070;branch=z9hG4bK{call_id}\r\nMax-Forwards: 70\r\n\
         From: <sip:1@127.0.0.1>;tag=a\r\nTo: <sip:120@city.example>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:1@127.0.0.1:5070>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn options(call_id: &str, over: &str) -> String {
    format!(
        "OPTIONS sip:city.example SIP/2.0\r\nVia: SIP/2.0/{over} 127.0.0.1:5070;branch=z9hG4bK{over}{call_id};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:1@127.0.0.1>;tag=a\r\nTo: <sip:city.example>\r\nCall-ID: {call_id}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Waits for what a stream has read, and keeps it waiting for `longer` before the engine gets it.
async fn take_late(shard: &mut Shard<Told>, longer: Duration) {
    while shard.end.streams.is_empty() {
        tokio::task::yield_now().await;
    }
    let since = shard.clock.now();
    while shard.clock.now().since(since) <= longer {
        std::hint::spin_loop();
    }
    let message = shard.end.streams.recv().await.unwrap();
    shard.take_from_stream(message);
    shard.act();
}

/// What came over a connection and has waited for the engine is as old as it is: its call is shed, as a datagram's would be.
#[test]
fn what_waits_in_the_inbox_of_streams_grows_old() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let mut city = city(1);
        let mut shard = city.shard();
        let mut caller = std::net::TcpStream::connect(city.address(Transport::Tcp)).unwrap();
        caller.write_all(invite("late").as_bytes()).unwrap();
        take_late(&mut shard, Duration::from_millis(120)).await;
        caller.set_nonblocking(true).unwrap();
        let mut answer = [0; 2048];
        let length = loop {
            match caller.read(&mut answer) {
                Ok(length) => break length,
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
            tokio::task::yield_now().await;
        };
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with("SIP/2.0 503 ") && answer.contains("Retry-After: 5\r\n"), "{answer}");
    });
}

/// Connections that we would make are bounded like those of others: one too many has failed at once, and is counted.
#[test]
fn connections_of_our_own_are_bounded() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let mut city = city(1);
        let mut shard = city.shard();
        let flow = |port| Flow {
            transport: Transport::Tcp,
            listener: ListenerId(0),
            remote: ([127, 0, 0, 1], port).into(),
            connection: None,
        };
        for n in 0..6 {
            shard.transmit(Transmit { flow: flow(50_000 + n), bytes: Arc::from(&b"BYE"[..]), part_of: PartOf::default() });
        }
        assert_eq!((city.switch.connections(), city.limits.hits(Limit::Connections)), ((4, 4), 2));
        let failed = shard.end.streams.try_recv().unwrap();
        assert!(matches!(failed, FromStream::NotMade(None, flow) if flow.remote.port() == 50_004));
        shard.take_from_stream(failed);
    });
}

/// Whatever comes in, by whichever way, reaches the shard of its Call-ID, and is answered by the way that it came.
#[test]
fn all_that_belongs_together_comes_together() {
    let mut city = city(3);
    let running = city.run();
    let phone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    phone.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = std::net::TcpStream::connect(city.address(Transport::Tcp)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut shard_of = BTreeMap::new();
    let mut buffer = [0; 4096];
    for n in 0..48 {
        let call_id = format!("call-{}", n / 2);
        let answer = if n % 2 == 0 {
            phone.send_to(options(&call_id, "UDP").as_bytes(), city.address(Transport::Udp)).unwrap();
            let length = phone.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        } else {
            stream.write_all(options(&call_id, "TCP").as_bytes()).unwrap();
            let length = stream.read(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        assert!(answer.starts_with("SIP/2.0 200 ") && answer.contains(&format!("Call-ID: {call_id}\r\n")), "{answer}");
        let (shard, heard) = city.received.recv_timeout(PATIENCE).unwrap();
        assert_eq!(heard, call_id);
        assert_eq!(*shard_of.entry(call_id).or_insert(shard), shard, "both ways");
    }
    assert_eq!(shard_of.values().collect::<std::collections::BTreeSet<_>>().len(), 3, "all shards have something to do");
    city.end(running);
}

/// A shard that stands still for ten seconds holds up nobody, and has lost nothing of what it was told. What came from the wire meanwhile
/// waits, up to a bound, and beyond it is lost like on the wire.
#[test]
fn a_shard_that_stands_still_holds_up_nobody() {
    const STILL: Duration = Duration::from_secs(10);
    const MESSAGES: usize = 200_000;
    let mut city = city(2);
    let running = city.run();
    let (udp, still) = (city.address(Transport::Udp), ShardId(1));
    let phone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    phone.set_read_timeout(Some(PATIENCE)).unwrap();
    let names = |shard: ShardId| {
        let switch = city.switch.clone();
        (0..).map(|n| format!("call-{n}")).filter(move |name| switch.shard_of(options(name, "UDP").as_bytes()) == shard)
    };
    city.stalled[1].store(true, Ordering::Release);
    let begun = city.clock.now();
    phone.send_to(options(&names(still).next().unwrap(), "UDP").as_bytes(), udp).unwrap();
    assert_eq!(city.received.recv_timeout(PATIENCE).unwrap().0, still, "it has begun to stand still");
    // Nobody who tells it something waits, though it reads nothing.
    let watches: Watches = [(Whom::Number("1".into()), Time::ZERO)].into();
    for _ in 0..MESSAGES {
        city.switch.post(still, ToShard::Watch(watches.clone()));
    }
    assert!(!city.switch.command(still, ToShard::Drain), "who can wait is told so");
    // The other shard reads the socket for both. It answers its own, whatever comes for the one that stands still.
    let (mut own, mut others) = (names(ShardId(0)), names(still));
    let mut buffer = [0; 4096];
    let mut longest = Duration::ZERO;
    while city.clock.now().since(begun) < STILL {
        for _ in 0..100 {
            phone.send_to(options(&others.next().unwrap(), "UDP").as_bytes(), udp).unwrap();
        }
        let (name, asked) = (own.next().unwrap(), city.clock.now());
        phone.send_to(options(&name, "UDP").as_bytes(), udp).unwrap();
        let length = phone.recv(&mut buffer).unwrap();
        longest = longest.max(city.clock.now().since(asked));
        assert!(String::from_utf8_lossy(&buffer[..length]).contains(&format!("Call-ID: {name}\r\n")));
    }
    assert!(longest < Duration::from_secs(5), "{longest:?}");
    assert_eq!(city.switch.handed_over(), (4096, 8192));
    assert!(city.limits.hits(Limit::HandedOver) > 0);
    city.stalled[1].store(false, Ordering::Release);
    for _ in 0..MESSAGES {
        assert_eq!(city.watches.recv_timeout(PATIENCE).unwrap(), (still, 1));
    }
    city.end(running);
}

/// A shard that ends by itself, for too many faults or worse, lets the others end.
#[test]
fn who_is_gone_keeps_nobody() {
    let mut city = city(2);
    drop(city.parts.pop());
    let running = city.run();
    city.end(running);
}
