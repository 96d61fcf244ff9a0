//! A house for one queue, whose callers and phones are a few lines of text.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hotline::acd::answers::Answers;
use hotline::acd::matcher::{Matcher, Size};
use hotline::acd::routing_table::RoutingTable;
use hotline::base::seed::Seed;
use hotline::base::words::{Direction, Transport};
use hotline::base::{EndpointId, Time};
use hotline::engine::media_port::{MediaCommand, MediaEvent, MediaStats, MediaThread, PortLease};
use hotline::engine::{Engine, Input, Output, Parts, Settings, Transmit};
use hotline::net::recent::{Recent, Seen};
use hotline::report::{Event, Names, encode};
use hotline::sip::Message;
use hotline::sip::flow::{Flow, ListenerId};
use hotline::sip::stack::ListenerName;

pub(crate) use self::words::settings;
use self::words::{AGENT, CALLER, SDP, answer};

mod words;

pub(crate) fn matcher(settings: &Settings, contacts: u32) -> Arc<Matcher> {
    let size =
        Size { shards: 1, contacts_per_shard: contacts, agents: settings.directory.agents.len() as u32, queues: 1, agencies: 1 };
    Arc::new(Matcher::new(size, RoutingTable::new(&settings.directory, 1), |_| 0))
}

/// An engine with agents at desk phones, and what it sends.
pub(crate) struct House {
    engine: Engine,
    now: Time,
    sent: Vec<(SocketAddr, Arc<[u8]>)>,
    open: Vec<(EndpointId, PortLease)>,
    calls: u64,
    record: Option<Record>,
}

/// What a server keeps of calls: the lines of its event log, and the recent messages.
struct Record {
    names: Names,
    lines: Vec<u8>,
    recent: Recent,
}

/// So many bytes of lines are written at once.
const LINES_BYTES: usize = 64 * 1024;

impl House {
    pub(crate) fn new(agents: u32) -> Self {
        let settings = Arc::new(settings(agents));
        let matcher = matcher(&settings, 1000);
        let listeners = vec![ListenerName { transport: Transport::Udp, sent_by: "198.51.100.1:5060".into() }];
        let now = Time::from_secs(1_800_000_000);
        let parts = Parts {
            shard: 0,
            settings,
            matcher,
            listeners,
            seed: Seed::from_number(1),
            counts: Arc::default(),
            limits: Arc::default(),
            caps: Arc::default(),
            answers: Answers::Live,
            rounds_max: None,
        };
        let engine = Engine::new(parts, now);
        let mut house = House { engine, now, sent: Vec::new(), open: Vec::new(), calls: 0, record: None };
        let lease = |n: u16| {
            let rtp = SocketAddr::new([198, 51, 100, 1].into(), 20_000 + n * 2);
            PortLease { thread: MediaThread(0), rtp, advertised: rtp.ip() }
        };
        house.input(Input::Media(MediaEvent::Leased((0..8).map(lease).collect())));
        house
    }

    /// One that keeps event lines and recent messages, as a server does.
    #[allow(dead_code, reason = "not every bench records")]
    pub(crate) fn recorded(agents: u32) -> Self {
        let one = |name: &str| vec![Some(Arc::from(name))];
        let agents_named = (0..agents).map(|n| Some(format!("agent{n}").into())).collect();
        let names =
            Names { queues: one("q"), agents: agents_named, agencies: one("city"), trunks: one("load"), ..Names::default() };
        let record = Record { names, lines: Vec::with_capacity(2 * LINES_BYTES), recent: Recent::new(8 << 20) };
        House { record: Some(record), ..House::new(agents) }
    }

    fn input(&mut self, input: Input<'_>) {
        let received = if let (Input::Message { flow, bytes, .. }, true) = (&input, self.record.is_some()) {
            Some((*flow, *bytes))
        } else {
            None
        };
        let part_of = self.engine.handle(self.now, input);
        if let (Some(record), Some((flow, bytes))) = (&mut self.record, received) {
            record.recent.keep(&Seen { at: self.now, direction: Direction::In, flow: &flow, part_of, bytes });
        }
        let mut closed = Vec::new();
        while let Some(output) = self.engine.poll() {
            if let Some(record) = &mut self.record {
                match &output {
                    Output::Transmit(Transmit { flow, bytes, part_of }) => {
                        record.recent.keep(&Seen { at: self.now, direction: Direction::Out, flow, part_of: *part_of, bytes });
                    }
                    Output::Fact(fact) => encode::write(&Event::of(fact, &record.names), &mut record.lines),
                    Output::Media(..) | Output::Text(_) | Output::Letter(..) => {}
                }
                if record.lines.len() > LINES_BYTES {
                    record.lines.clear();
                }
            }
            match output {
                Output::Transmit(transmit) => self.sent.push((transmit.flow.remote, transmit.bytes)),
                Output::Media(_, MediaCommand::Open { endpoint, lease, .. }) => self.open.push((endpoint, lease)),
                Output::Media(_, MediaCommand::Close { endpoint }) => closed.push(endpoint),
                _ => {}
            }
        }
        for endpoint in closed {
            let place = self.open.iter().position(|(open, _)| *open == endpoint).expect("it was open");
            let (_, lease) = self.open.swap_remove(place);
            self.input(Input::Media(MediaEvent::Closed { endpoint, stats: MediaStats::default() }));
            self.input(Input::Media(MediaEvent::Leased(vec![lease])));
        }
    }

    fn from(&mut self, from: &str, text: &str) {
        let flow = Flow::udp(ListenerId(0), from.parse().expect("an address"));
        self.input(Input::Message { flow, bytes: text.as_bytes(), age: Duration::ZERO });
    }

    fn next_to(&mut self, to: &str) -> Arc<[u8]> {
        let to: SocketAddr = to.parse().expect("an address");
        let place = self.sent.iter().position(|(address, _)| *address == to).expect("something was sent");
        self.sent.remove(place).1
    }

    fn request(&self, method: &str, cseq: u32, tag: &str, body: &str) -> String {
        let n = self.calls;
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} sip:q@198.51.100.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK-{n}-{cseq}{method}\r\n\
             From: <sip:caller{n}@{CALLER}>;tag=c{n}\r\nTo: <sip:q@198.51.100.1:5060>{tag}\r\nCall-ID: call-{n}@192.0.2.1\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:caller@{CALLER}>\r\nMax-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// INVITE, INVITE, 200, ACK, 200, ACK, BYE, 200, BYE, 200.
    pub(crate) fn call(&mut self) {
        self.calls += 1;
        self.now = self.now + Duration::from_millis(10);
        let invite = self.request("INVITE", 1, "", SDP);
        self.from(CALLER, &invite);
        let rung = self.next_to(AGENT);
        let ok = answer(&rung, SDP);
        self.from(AGENT, &ok);
        drop(self.next_to(AGENT));
        let ok = self.next_to(CALLER);
        let tag = Message::read(&ok).expect("ours").to().expect("ours").tag().expect("ours").to_owned();
        let ack = self.request("ACK", 1, &format!(";tag={tag}"), "");
        self.from(CALLER, &ack);
        let bye = self.request("BYE", 2, &format!(";tag={tag}"), "");
        self.from(CALLER, &bye);
        drop(self.next_to(CALLER));
        let bye = self.next_to(AGENT);
        let ok = answer(&bye, "");
        self.from(AGENT, &ok);
        assert!(self.sent.is_empty() && self.engine.contacts_up() == 0);
    }

    /// INVITE, 503, ACK, while input is too old.
    pub(crate) fn shed(&mut self) {
        self.calls += 1;
        self.now = self.now + Duration::from_millis(1);
        let invite = self.request("INVITE", 1, "", SDP);
        let flow = Flow::udp(ListenerId(0), CALLER.parse().expect("an address"));
        self.input(Input::Message { flow, bytes: invite.as_bytes(), age: Duration::from_millis(300) });
        let refused = self.next_to(CALLER);
        let message = Message::read(&refused).expect("ours");
        assert_eq!(message.status(), Some(503));
        let tag = message.to().expect("ours").tag().expect("ours").to_owned();
        let ack = self.request("ACK", 1, &format!(";tag={tag}"), "");
        self.input(Input::Message { flow, bytes: ack.as_bytes(), age: Duration::from_millis(300) });
        assert!(self.sent.is_empty());
    }
}
