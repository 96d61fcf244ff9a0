use std::io::{Read, Write};

use super::*;
use crate::acd::answers::Answers;
use crate::acd::matcher::{Matcher, Size};
use crate::acd::routing_table::RoutingTable;
use crate::base::seed::Seed;
use crate::engine::Parts;
use crate::sip::stack::ListenerName;

/// Keeps nothing.
struct Nothing;

impl Sink for Nothing {
    fn message(&mut self, _seen: &Seen<'_>) {}
    fn recent(&self, _contact: ContactId) -> Found {
        Found::default()
    }
    fn watch(&mut self, _watches: Watches) {}
    fn fact(&mut self, _fact: &Fact) {}
    fn media(&mut self, _thread: MediaThread, _command: MediaCommand) {}
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

fn shard() -> (Shard<Nothing>, SocketAddr) {
    let settings = Arc::new(crate::config::parse(CITY, "a test's").unwrap_or_else(|problems| panic!("{problems}")).settings);
    let size = Size { shards: 1, contacts_per_shard: 8, agents: 1, queues: 1, agencies: 1 };
    let matcher = Arc::new(Matcher::new(size, RoutingTable::new(&settings.directory, 1), |_| 0));
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    let name = ListenerName { transport: Transport::Tcp, sent_by: address.to_string().into() };
    let listeners = vec![name.clone()];
    let (counts, limits) = (Arc::default(), Arc::default());
    let seed = Seed::from_number(1);
    let clock = Clock::start();
    let engine = Engine::new(
        Parts { shard: 0, settings, matcher, listeners, seed, counts, limits, answers: Answers::Live, rounds_max: None },
        clock.now(),
    );
    let listener = Listener { name, socket: Listening::Tcp(socket), address };
    let (_, inbox) = mpsc::channel(1);
    let bounds = Bounds { limits: Arc::default(), connections_max: 4 };
    (Shard::new(engine, Nothing, clock, vec![listener], inbox, 1, bounds).unwrap(), address)
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

/// Waits for what a stream has read, and keeps it waiting for `longer` before the engine gets it.
async fn take_late(shard: &mut Shard<Nothing>, longer: Duration) {
    while shard.from_streams.is_empty() {
        tokio::task::yield_now().await;
    }
    let since = shard.clock.now();
    while shard.clock.now().since(since) <= longer {
        std::hint::spin_loop();
    }
    let message = shard.from_streams.recv().await.unwrap();
    shard.take_from_stream(message);
    shard.act();
}

/// What came over a connection and has waited for the engine is as old as it is: its call is shed, as a datagram's would be.
#[test]
fn what_waits_in_the_inbox_of_streams_grows_old() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let (mut shard, address) = shard();
        let mut caller = std::net::TcpStream::connect(address).unwrap();
        take_late(&mut shard, Duration::ZERO).await;
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
        let (mut shard, _) = shard();
        let flow = |port| Flow {
            transport: Transport::Tcp,
            listener: ListenerId(0),
            remote: ([127, 0, 0, 1], port).into(),
            connection: None,
        };
        let made: Vec<_> = (0..6).map(|n| shard.connect(&flow(50_000 + n))).collect();
        assert!(made[..4].iter().all(Option::is_some) && made[4..].iter().all(Option::is_none), "{made:?}");
        assert_eq!((shard.streams.writers.len(), shard.streams.by_peer.len()), (4, 4));
        let failed = shard.from_streams.try_recv().unwrap();
        assert!(matches!(failed, FromStream::NotMade(_, remote) if remote.port() == 50_004));
        // One that is given up makes room.
        shard.streams.forget(made[0].unwrap());
        assert_eq!(shard.streams.by_peer.len(), 3);
        assert!(shard.connect(&flow(50_006)).is_some());
    });
}
