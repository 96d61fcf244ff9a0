//! The memory of a contact that waits: 10,000 callers are answered, hear music, and nobody serves them.
//!
//! `cargo bench --bench memory` prints the bytes that the engine has allocated for each of them and still holds a minute after the last
//! has come, when the transactions of their INVITEs are over. An allocator counts, so the number depends on nothing but the code.
//! It needs no other file of the benches, so that it can be put beside an older commit's.

#![allow(missing_docs, reason = "a program")]
#![allow(clippy::print_stdout, reason = "printing is all that it does")]
#![allow(unsafe_code, reason = "an allocator is unsafe to write; this one only counts, and asks the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hotline::acd::answers::Answers;
use hotline::acd::matcher::{Matcher, Size};
use hotline::acd::routing_table::RoutingTable;
use hotline::base::Time;
use hotline::base::seed::Seed;
use hotline::base::words::Transport;
use hotline::engine::media_port::{MediaEvent, MediaThread, PortLease};
use hotline::engine::{Engine, Input, Output, Parts};
use hotline::sip::Message;
use hotline::sip::flow::{Flow, ListenerId};
use hotline::sip::stack::ListenerName;

/// Callers who wait.
const CONTACTS: u32 = 10_000;

/// Bytes that are allocated and not yet freed.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
struct Counting;

// SAFETY: every call is passed on as it came; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller promises for us what the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above; it came from the system's allocator.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A queue whose agent never signs in.
const CITY: &str = r#"
[server]
listen = ["udp:198.51.100.1:5060"]
probe_waiting = "never"
[limits]
contacts = 20_000
transactions = 200_000
[[agency]]
name = "city"
[[pool]]
name = "desk"
agency = "city"
[[agent]]
name = "absent"
agency = "city"
pools = ["desk"]
password = "never-registers"
[[queue]]
name = "q"
agency = "city"
pools = ["desk"]
answer = "at_once"
join_empty = "wait"
leave_when_empty = "wait"
wait_max = "never"
length_max = 20_000
announce_every = "never"
[[trunk]]
name = "load"
from = ["192.0.2.1/32"]
calls_max = 20_000
numbers = { q = "queue:q" }
"#;

const CALLER: &str = "192.0.2.1:5070";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n";

fn engine(now: Time) -> Engine {
    let settings = hotline::config::parse(CITY, "the bench's").unwrap_or_else(|problems| panic!("{problems}")).settings;
    let size = Size { shards: 1, contacts_per_shard: 2 * CONTACTS, agents: 1, queues: 1, agencies: 1 };
    let matcher = Arc::new(Matcher::new(size, RoutingTable::new(&settings.directory, 1), |_| 0));
    let listeners = vec![ListenerName { transport: Transport::Udp, sent_by: "198.51.100.1:5060".into() }];
    let parts = Parts {
        shard: 0,
        settings: Arc::new(settings),
        matcher,
        listeners,
        seed: Seed::from_number(1),
        counts: Arc::default(),
        limits: Arc::default(),
        caps: Arc::default(),
        answers: Answers::Live,
        rounds_max: None,
    };
    Engine::new(parts, now)
}

/// Gives the engine an input; the last message that it sends.
fn input(engine: &mut Engine, now: Time, input: Input<'_>) -> Option<Arc<[u8]>> {
    engine.handle(now, input);
    let mut sent = None;
    while let Some(output) = engine.poll() {
        if let Output::Transmit(transmit) = output {
            sent = Some(transmit.bytes);
        }
    }
    sent
}

fn lease(engine: &mut Engine, now: Time, number: u32) {
    let ip = IpAddr::from([198, 51, 100, (1 + number / 20_000) as u8]);
    let rtp = SocketAddr::new(ip, 20_000 + (number % 20_000 * 2) as u16);
    let lease = PortLease { thread: MediaThread(0), rtp, advertised: ip };
    input(engine, now, Input::Media(MediaEvent::Leased(vec![lease])));
}

fn request(method: &str, number: u32, tag: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:q@198.51.100.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK-{number}{method}\r\n\
         From: <sip:caller{number}@{CALLER}>;tag=c{number}\r\nTo: <sip:q@198.51.100.1:5060>{tag}\r\nMax-Forwards: 70\r\n\
         Call-ID: call-{number}@192.0.2.1\r\nCSeq: 1 {method}\r\nContact: <sip:caller@{CALLER}>\r\n{kind}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn say(engine: &mut Engine, now: Time, text: &str) -> Option<Arc<[u8]>> {
    let flow = Flow::udp(ListenerId(0), CALLER.parse().expect("an address"));
    input(engine, now, Input::Message { flow, bytes: text.as_bytes(), age: Duration::ZERO })
}

/// Lets time pass; the engine wakes whenever it asks for it.
fn pass(engine: &mut Engine, now: Time, span: Duration) -> Time {
    let end = now + span;
    while let Some(at) = engine.next_deadline().filter(|at| *at <= end) {
        input(engine, at.max(now), Input::Time);
    }
    end
}

fn main() {
    let mut now = Time::from_secs(1_800_000_000);
    let mut engine = engine(now);
    (0..16).for_each(|number| lease(&mut engine, now, number));
    let before = HELD.load(Ordering::Relaxed);
    for number in 0..CONTACTS {
        now = pass(&mut engine, now, Duration::from_millis(5));
        lease(&mut engine, now, 16 + number);
        let answer = say(&mut engine, now, &request("INVITE", number, "", SDP)).expect("the call is answered");
        let answer = Message::read(&answer).expect("the engine writes SIP that can be read");
        assert_eq!(answer.status(), Some(200), "caller {number}");
        let tag = format!(";tag={}", answer.to().expect("a To").tag().expect("a tag"));
        say(&mut engine, now, &request("ACK", number, &tag, ""));
    }
    pass(&mut engine, now, Duration::from_secs(60));
    assert_eq!(engine.contacts_up(), CONTACTS);
    println!("{} bytes a contact that waits", HELD.load(Ordering::Relaxed).saturating_sub(before) / CONTACTS as usize);
}
