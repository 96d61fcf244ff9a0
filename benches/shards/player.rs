//! Callers and phones of one shard, as cheap as they can be: each caller calls, hangs up as soon as it is answered, and calls again.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotline::acd::Matcher;
use hotline::acd::answers::Answers;
use hotline::base::limits::LimitBoard;
use hotline::base::mail::{Bell, Mail};
use hotline::base::seed::Seed;
use hotline::base::words::Transport;
use hotline::base::{ShardId, Time};
use hotline::call::caps::Caps;
use hotline::engine::media_port::{MediaCommand, MediaEvent, MediaStats, MediaThread, PortLease};
use hotline::engine::{Engine, Input, Letter, Output, Parts, Settings, Transmit};
use hotline::report::FactKind;
use hotline::sip::flow::{Flow, ListenerId};
use hotline::sip::stack::ListenerName;
use hotline::sip::{Message, Method, Name};

pub(crate) use self::words::city;
use self::words::{AGENT, CALLER, SDP, answer};

#[path = "../engine/words.rs"]
mod words;

/// One shard with its callers and phones.
pub(crate) struct Player {
    engine: Engine,
    shard: ShardId,
    shards: u16,
    clock: Instant,
    /// What the world has to say: texts from the caller's side, from the phones' side, and media.
    inputs: VecDeque<Said>,
    sent: VecDeque<(SocketAddr, Arc<[u8]>)>,
    leases: std::collections::BTreeMap<u64, PortLease>,
    /// Calls that are to be made still, and those that are up.
    left: u64,
    up: usize,
    begun: u64,
    calls: u64,
    matches: u64,
    crossing: u64,
}

/// One input.
pub(crate) enum Said {
    Caller(String),
    Phone(String),
    Media(MediaEvent),
}

impl Player {
    pub(crate) fn new(
        shard: ShardId,
        settings: Arc<Settings>,
        matcher: Arc<Matcher>,
        caps: Arc<Caps>,
        callers: usize,
        calls: u64,
    ) -> Self {
        let shards = matcher.size().shards;
        let parts = Parts {
            shard: shard.0,
            settings,
            matcher,
            listeners: vec![ListenerName { transport: Transport::Udp, sent_by: "198.51.100.1:5060".into() }],
            seed: Seed::from_number(1 + u64::from(shard.0)),
            counts: Arc::default(),
            limits: Arc::new(LimitBoard::new(shards)),
            caps,
            answers: Answers::Live,
            rounds_max: None,
        };
        let clock = Instant::now();
        let engine = Engine::new(parts, Time::from_secs(1_800_000_000));
        let lease = |n: u16| {
            let rtp = SocketAddr::new([198, 51, 100, 1].into(), 20_000 + n * 2);
            PortLease { thread: MediaThread(0), rtp, advertised: rtp.ip() }
        };
        let inputs = VecDeque::from([Said::Media(MediaEvent::Leased((0..8_000).map(lease).collect()))]);
        let (sent, leases) = Default::default();
        let mut player = Player {
            engine,
            shard,
            shards,
            clock,
            inputs,
            sent,
            leases,
            left: calls,
            up: 0,
            begun: 0,
            calls: 0,
            matches: 0,
            crossing: 0,
        };
        (0..callers).for_each(|_| player.begin());
        player
    }

    pub(crate) const fn engine(&self) -> &Engine {
        &self.engine
    }

    fn now(&self) -> Time {
        Time::from_secs(1_800_000_000) + self.clock.elapsed()
    }

    pub(crate) fn letter(&mut self, letter: Letter) {
        self.engine.handle(self.now(), Input::Letter(letter));
    }

    pub(crate) fn time(&mut self) {
        self.engine.handle(self.now(), Input::Time);
    }

    pub(crate) fn is_due(&self) -> bool {
        self.engine.next_deadline().is_some_and(|at| at <= self.now())
    }

    /// Whether all calls are played.
    pub(crate) const fn is_over(&self) -> bool {
        self.left == 0 && self.up == 0
    }

    /// Calls, matches, and matches with an agent of another shard.
    pub(crate) const fn tally(&self) -> (u64, u64, u64) {
        (self.calls, self.matches, self.crossing)
    }

    /// Takes what the engine has to say: letters go out, the rest waits for the world. How many agents are rung.
    pub(crate) fn poll<B: Bell>(&mut self, mail: &[Mail<Letter, B>]) -> usize {
        let mut rung = 0;
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Letter(to, letter) => mail[usize::from(to.0)].post(letter),
                Output::Transmit(Transmit { flow, bytes, .. }) => {
                    rung += usize::from(bytes.starts_with(b"INVITE "));
                    self.sent.push_back((flow.remote, bytes));
                }
                Output::Fact(fact) => {
                    if let FactKind::Offered { agent, .. } = fact.kind {
                        self.matches += 1;
                        self.crossing += u64::from(ShardId::of_agent(agent, self.shards) != self.shard);
                    }
                }
                Output::Media(_, MediaCommand::Open { endpoint, lease, .. }) => {
                    self.leases.insert(endpoint.0, lease);
                }
                Output::Media(_, MediaCommand::Close { endpoint }) => {
                    self.inputs.push_back(Said::Media(MediaEvent::Closed { endpoint, stats: MediaStats::default() }));
                    if let Some(lease) = self.leases.remove(&endpoint.0) {
                        self.inputs.push_back(Said::Media(MediaEvent::Leased(vec![lease])));
                    }
                }
                Output::Media(..) | Output::Text(_) => {}
            }
        }
        rung
    }

    /// What the world says next, if it has anything to say.
    pub(crate) fn next_input(&mut self) -> Option<Said> {
        while self.inputs.is_empty() {
            let (to, bytes) = self.sent.pop_front()?;
            self.hear(to, &bytes);
        }
        self.inputs.pop_front()
    }

    pub(crate) fn input(&mut self, said: &Said) {
        let now = self.now();
        let message = |from: &str, text: &str, engine: &mut Engine| {
            let flow = Flow::udp(ListenerId(0), from.parse().expect("an address"));
            engine.handle(now, Input::Message { flow, bytes: text.as_bytes(), age: Duration::ZERO });
        };
        match said {
            Said::Caller(text) => message(CALLER, text, &mut self.engine),
            Said::Phone(text) => message(AGENT, text, &mut self.engine),
            Said::Media(event) => _ = self.engine.handle(now, Input::Media(event.clone())),
        }
    }

    fn begin(&mut self) {
        if self.left > 0 {
            self.left -= 1;
            self.up += 1;
            self.begun += 1;
            let number = self.begun.to_string();
            let invite = self.request("INVITE", &number, 1, "", SDP);
            self.inputs.push_back(Said::Caller(invite));
        }
    }

    fn request(&self, method: &str, call: &str, cseq: u32, tag: &str, body: &str) -> String {
        let (shard, kind) = (self.shard.0, if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" });
        let mut text = String::with_capacity(512 + body.len());
        let _ = write!(
            text,
            "{method} sip:q@198.51.100.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK-{shard}-{call}-{cseq}{method}\r\n\
             From: <sip:caller{call}@{CALLER}>;tag=c{call}\r\nTo: <sip:q@198.51.100.1:5060>{tag}\r\nCall-ID: {call}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:caller@{CALLER}>\r\nMax-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        text
    }

    /// A caller or a phone hears a message.
    fn hear(&mut self, to: SocketAddr, bytes: &[u8]) {
        let message = Message::read(bytes).expect("ours");
        let is_phone = to.port() == 7000;
        if is_phone {
            if matches!(message.method(), Some(Method::Invite | Method::Bye | Method::Cancel)) {
                let body = if message.method() == Some(Method::Invite) { SDP } else { "" };
                self.inputs.push_back(Said::Phone(answer(bytes, body)));
            }
            return;
        }
        if message.method() == Some(Method::Bye) {
            self.inputs.push_back(Said::Caller(answer(bytes, "")));
            return;
        }
        let Some(status @ 200..) = message.status() else { return };
        let call = message.call_id().map(|id| String::from_utf8_lossy(id).into_owned()).expect("ours");
        let tag = message.to().ok().and_then(|to| to.tag().map(|tag| format!(";tag={tag}"))).unwrap_or_default();
        if message.text(Name::CSeq).is_some_and(|cseq| cseq.ends_with("INVITE")) {
            let ack = self.request("ACK", &call, 1, &tag, "");
            self.inputs.push_back(Said::Caller(ack));
            if status == 200 {
                let bye = self.request("BYE", &call, 2, &tag, "");
                self.inputs.push_back(Said::Caller(bye));
                return;
            }
            panic!("a call was refused: {status}");
        }
        self.calls += 1;
        self.up -= 1;
        self.begin();
    }
}
