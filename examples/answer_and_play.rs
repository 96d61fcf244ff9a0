//! The engine answers a call, plays a greeting, rings an agent and joins the two: no network, no clock, no audio.
//!
//! `cargo run --example answer_and_play` prints the first line of each message and each command to media. [`Engine::handle`] takes
//! bytes, media events and the time; [`Engine::poll`] says what to do. A few lines play the caller, the agent's phone and media.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hotline::acd::{Matcher, RoutingTable, answers::Answers, matcher::Size};
use hotline::base::{EndpointId, Time, seed::Seed, words::Transport};
use hotline::engine::media_port::{Feed, MediaCommand, MediaEvent, MediaThread, PortLease};
use hotline::engine::{Engine, Input, Output, Parts};
use hotline::sip::flow::{Flow, ListenerId};
use hotline::sip::{Message, Name, stack::ListenerName};

const NOW: Time = Time::from_secs(1_800_000_000);
const SERVER: &str = "198.51.100.1:5060";
const CALLER: &str = "192.0.2.1:5060";
const PHONE: &str = "203.0.113.1:5060";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n";

/// One queue behind an entry with a greeting, and one agent with a desk phone.
const CITY: &str = r#"
server = { listen = ["udp:198.51.100.1:5060"] }
agency = [{ name = "hall" }]
pool = [{ name = "desk", agency = "hall" }]
agent = [{ name = "anna", agency = "hall", pools = ["desk"], contact = "sip:anna@203.0.113.1:5060", ready = "at_start" }]
queue = [{ name = "general", agency = "hall", pools = ["desk"], wrap_up = "0s" }]
entry = [{ name = "main", greeting = ["en/greeting"], queue = "general" }]
trunk = [{ name = "carrier", from = ["192.0.2.1/32"], numbers = { 120 = "entry:main" } }]
"#;

/// The engine, what parties were sent and have not looked at yet, and what endpoints were fed.
struct City {
    engine: Engine,
    sent: Vec<(String, Arc<[u8]>)>,
    feeds: Vec<(EndpointId, Feed)>,
}

impl City {
    fn new() -> Self {
        let settings = hotline::config::parse(CITY, "the example's").unwrap_or_else(|problems| panic!("{problems}")).settings;
        let size = Size { shards: 1, contacts_per_shard: 8, agents: 1, queues: 1, agencies: 1 };
        let matcher = Arc::new(Matcher::new(size, RoutingTable::new(&settings.directory, 1), |_| 0));
        let listeners = vec![ListenerName { transport: Transport::Udp, sent_by: SERVER.into() }];
        let (seed, settings, counts, limits) = (Seed::from_number(1), Arc::new(settings), Arc::default(), Arc::default());
        let engine = Engine::new(
            Parts {
                shard: 0,
                settings,
                matcher,
                listeners,
                seed,
                counts,
                limits,
                caps: Arc::default(),
                answers: Answers::Live,
                rounds_max: None,
            },
            NOW,
        );
        let mut city = City { engine, sent: Vec::new(), feeds: Vec::new() };
        // Media leases ports ahead of need. Here nobody binds them.
        let ip = IpAddr::from([198, 51, 100, 1]);
        let lease = |n: u16| PortLease { thread: MediaThread(0), rtp: SocketAddr::new(ip, 20_000 + 2 * n), advertised: ip };
        city.input(Input::Media(MediaEvent::Leased((0..8).map(lease).collect())));
        city
    }

    /// Gives the engine one input, and takes everything that comes out.
    fn input(&mut self, input: Input<'_>) {
        self.engine.handle(NOW, input);
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit(transmit) => {
                    println!("   to {}: {}", transmit.flow.remote, first_line(&transmit.bytes));
                    self.sent.push((transmit.flow.remote.to_string(), transmit.bytes));
                }
                Output::Media(_, command) => {
                    println!("   to media: {command:?}");
                    let MediaCommand::Feed { endpoint, feed } = command else { continue };
                    self.feeds.push((endpoint, feed));
                }
                Output::Fact(_) | Output::Text(_) | Output::Letter(..) => {}
            }
        }
    }

    /// A party sends a message.
    fn from(&mut self, party: &str, text: &str) {
        println!("{party} says {}", first_line(text.as_bytes()));
        let flow = Flow::udp(ListenerId(0), party.parse().expect("an address"));
        self.input(Input::Message { flow, bytes: text.as_bytes(), age: Duration::ZERO });
    }

    /// What a party was sent next.
    fn next_to(&mut self, party: &str) -> Arc<[u8]> {
        let place = self.sent.iter().position(|(to, _)| to == party);
        self.sent.remove(place.unwrap_or_else(|| panic!("nothing was sent to {party}"))).1
    }
}

fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned()
}

/// A request of the caller's. `tag` is the engine's tag, once the caller knows it.
fn request(method: &str, cseq: u32, tag: &str, sdp: &str) -> String {
    format!(
        "{method} sip:120@{SERVER} SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK{method}{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:kim@{CALLER}>;tag=kim\r\nTo: <sip:120@{SERVER}>{tag}\r\nCall-ID: one\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:kim@{CALLER}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

/// The agent's phone says 200 to a request.
fn ok(request: &[u8], sdp: &str) -> String {
    let message = Message::read(request).expect("the engine writes SIP that can be read");
    let copied = [Name::Via, Name::From, Name::CallId, Name::CSeq, Name::To].map(|name| message.text(name).unwrap_or_default());
    let [via, from, call_id, cseq, to] = copied;
    let tag = if to.contains("tag=") { "" } else { ";tag=anna" };
    format!(
        "SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to}{tag}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n\
         Contact: <sip:anna@{PHONE}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

#[cfg_attr(test, test)]
fn main() {
    let mut city = City::new();

    println!("\nA call comes in. It is answered, and the caller hears the greeting.");
    city.from(CALLER, &request("INVITE", 1, "", SDP));
    let answer = city.next_to(CALLER);
    assert_eq!(first_line(&answer), "SIP/2.0 200 OK");
    let tag = format!(";tag={}", Message::read(&answer).expect("SIP").to().expect("a To").tag().expect("a tag"));
    city.from(CALLER, &request("ACK", 1, &tag, ""));
    let Some((caller, Feed::Prompts { names, token })) = city.feeds.last().cloned() else { panic!("no prompt is played") };
    assert_eq!(names, ["en/greeting".into()]);

    println!("\nThe greeting is over. The caller joins the queue. The phone of the free agent rings and answers, and they talk.");
    city.input(Input::Media(MediaEvent::Played { endpoint: caller, token }));
    let invite = city.next_to(PHONE);
    assert!(first_line(&invite).starts_with("INVITE sip:anna@"));
    city.from(PHONE, &ok(&invite, SDP));
    assert!(first_line(&city.next_to(PHONE)).starts_with("ACK "));
    let [.., (one, Feed::Peers(hears)), (other, Feed::Peers(heard))] = &city.feeds[..] else {
        panic!("they do not hear each other")
    };
    assert_eq!(([*one].as_slice(), [*other].as_slice()), (heard.as_slice(), hears.as_slice()));

    println!("\nThe caller hangs up, and so the agent's phone gets a BYE.");
    city.from(CALLER, &request("BYE", 2, &tag, ""));
    assert_eq!(first_line(&city.next_to(CALLER)), "SIP/2.0 200 OK");
    let bye = city.next_to(PHONE);
    assert!(first_line(&bye).starts_with("BYE "));
    city.from(PHONE, &ok(&bye, ""));
    assert!(city.engine.nobody_is_up() && city.sent.is_empty());
}
