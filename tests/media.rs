//! The media threads over real sockets on loopback.
//!
//! Nothing here sleeps to be in step: each test waits for the packet or the event that it is about. Only that something does *not* come
//! takes a span of time, and the spans of the source lock and of resting are measured as they pass.
#![allow(clippy::disallowed_methods, reason = "a test of a shell measures time")]

use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use hotline::base::seed::Seed;
use hotline::base::{Codec, EndpointId};
use hotline::engine::media_port::{Feed, MediaCommand, MediaEvent, MediaStats, MediaThread, PortLease, Remote, SourceRule};
use hotline::media::{Clip, EventSink, Library, Media, MediaHandle, Settings};
use hotline::rtp::g711::Law;
use hotline::rtp::packet::{Header, Outgoing};
use hotline::rtp::reception::Block;
use hotline::rtp::{rtcp, transcode};

const THREAD: MediaThread = MediaThread(0);
const PATIENCE: Duration = Duration::from_secs(20);
const KEY: u8 = 101;
/// A key that makes the thread panic.
const POISON: char = 'D';
const A: EndpointId = EndpointId(1);
const B: EndpointId = EndpointId(2);

/// A media thread on a loopback address of its own.
struct Rig {
    handle: MediaHandle,
    events: Receiver<MediaEvent>,
    leases: VecDeque<PortLease>,
    seen: VecDeque<MediaEvent>,
    _media: Media,
}

impl Rig {
    fn new(change: impl FnOnce(&mut Settings)) -> Rig {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let address = IpAddr::from([127, 77, (std::process::id() % 250) as u8, NEXT.fetch_add(1, Ordering::Relaxed)]);
        let mut settings =
            Settings { addresses: vec![(address, address)], ports: 40_000..=40_199, stock: 8, ..Settings::default() };
        change(&mut settings);
        let mut library = Library::default();
        library.insert("tone", Clip::from_samples(&tone(1_000.0, 16_000.0, 8_000.0, 16_000)));
        library.insert("low", Clip::from_samples(&tone(400.0, 16_000.0, 8_000.0, 3_200)));
        let (sender, events) = mpsc::channel();
        let sink: EventSink = Arc::new(move |event| {
            let poisoned = matches!(event, MediaEvent::Digit { digit: POISON, .. });
            drop(sender.send(event));
            assert!(!poisoned, "a bug, injected");
        });
        let media = Media::start(&settings, library, &mut Seed::from_number(7), &sink).unwrap();
        Rig { handle: media.handle(), events, leases: VecDeque::new(), seen: VecDeque::new(), _media: media }
    }

    /// The next event that is of use; others are kept for those who wait for them.
    fn event<T>(&mut self, mut pick: impl FnMut(&MediaEvent) -> Option<T>) -> T {
        if let Some((at, found)) = self.seen.iter().enumerate().find_map(|(at, event)| Some((at, pick(event)?))) {
            self.seen.remove(at);
            return found;
        }
        let end = Instant::now() + PATIENCE;
        loop {
            let event = self.events.recv_timeout(end - Instant::now()).expect("the event comes");
            if let Some(found) = pick(&event) {
                return found;
            }
            self.seen.push_back(event);
        }
    }

    fn lease(&mut self) -> PortLease {
        if self.leases.is_empty() {
            let leases = self.event(|event| if let MediaEvent::Leased(leases) = event { Some(leases.clone()) } else { None });
            self.leases.extend(leases);
        }
        self.leases.pop_front().expect("a lease")
    }

    fn send(&self, command: MediaCommand) {
        assert!(self.handle.send(THREAD, command));
    }

    fn open(&mut self, endpoint: EndpointId, remote: Remote) -> SocketAddr {
        let lease = self.lease();
        self.send(MediaCommand::Open { endpoint, lease, cname: endpoint.0 });
        self.send(MediaCommand::Remote { endpoint, remote });
        lease.rtp
    }

    fn feed(&self, endpoint: EndpointId, feed: Feed) {
        self.send(MediaCommand::Feed { endpoint, feed });
    }

    fn join(&self) {
        self.feed(A, Feed::Peer(B));
        self.feed(B, Feed::Peer(A));
    }

    fn close(&mut self, which: EndpointId) -> MediaStats {
        self.send(MediaCommand::Close { endpoint: which });
        self.event(|event| match event {
            MediaEvent::Closed { endpoint, stats } if *endpoint == which => Some(*stats),
            _ => None,
        })
    }

    fn counter(&self, name: &str) -> u64 {
        let counters = self.handle.counters().next().unwrap();
        counters.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// Waits until all commands sent have been carried out: a thread answers in order.
    fn settle(&mut self) {
        self.close(EndpointId(u64::MAX));
    }
}

/// A party's phone.
struct Phone {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    codec: Codec,
    sequence: u16,
    timestamp: u32,
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

impl Phone {
    fn new(codec: Codec) -> Phone {
        Phone { rtp: socket(), rtcp: socket(), codec, sequence: 60_000, timestamp: 4_000_000_000 }
    }

    fn remote(&self) -> Remote {
        let payload_type = self.codec.static_payload_type().unwrap();
        Remote {
            rtp: self.rtp.local_addr().unwrap(),
            rtcp: Some(self.rtcp.local_addr().unwrap()),
            codec: self.codec,
            send_payload_type: payload_type,
            receive_payload_type: payload_type,
            telephone_event: Some((KEY, KEY)),
            may_send: true,
            expects: true,
            source: SourceRule::Described,
        }
    }

    fn packet(&self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let (sequence, timestamp) = (self.sequence, self.timestamp);
        let mut packet = Outgoing { marker: false, payload_type, sequence, timestamp, ssrc: 0x5eed }.bytes().to_vec();
        packet.extend(payload);
        packet
    }

    fn say(&mut self, to: SocketAddr, payload: &[u8]) {
        let packet = self.packet(self.codec.static_payload_type().unwrap(), payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        self.rtp.send_to(&packet, to).unwrap();
    }

    fn hear(&self) -> (Header, Vec<u8>) {
        let mut packet = [0; 2_048];
        let len = self.rtp.recv(&mut packet).expect("a packet comes");
        let header = Header::read(&packet[..len]).unwrap();
        (header, header.payload(&packet[..len]).to_vec())
    }

    /// Takes what waits, until nothing comes for the span.
    fn silence(&self, span: Duration) -> usize {
        self.rtp.set_read_timeout(Some(span)).unwrap();
        let mut count = 0;
        while self.rtp.recv(&mut [0; 2_048]).is_ok() {
            count += 1;
        }
        self.rtp.set_read_timeout(Some(PATIENCE)).unwrap();
        count
    }
}

fn tone(hz: f64, rate_hz: f64, amplitude: f64, samples: usize) -> Vec<i16> {
    (0..samples).map(|n| (amplitude * (TAU * hz * n as f64 / rate_hz).sin()) as i16).collect()
}

/// The amplitude at a frequency, and all else relative to it in dB.
fn measure(samples: &[i16], hz: f64, rate_hz: f64) -> (f64, f64) {
    let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let (sin, cos) = (TAU * hz * n as f64 / rate_hz).sin_cos();
        re += f64::from(*sample) * cos;
        im += f64::from(*sample) * sin;
        power += f64::from(*sample).powi(2);
    }
    let amplitude = 2.0 * re.hypot(im) / samples.len() as f64;
    let rest = power / samples.len() as f64 - amplitude.powi(2) / 2.0;
    (amplitude, 10.0 * (rest.max(1e-9) / (amplitude.powi(2) / 2.0).max(1e-9)).log10())
}

fn decoded(codec: Codec, payload: &[u8]) -> (Vec<i16>, f64) {
    let law = match codec {
        Codec::Pcmu => Law::Mu,
        Codec::Pcma => Law::A,
        _ => {
            let mut samples = vec![0; 2 * payload.len()];
            transcode::decode_g722(&mut Default::default(), payload, &mut samples);
            return (samples, 16_000.0);
        }
    };
    (payload.iter().map(|code| law.decode(*code)).collect(), 8_000.0)
}

#[test]
fn one_stream_whatever_is_heard() {
    let mut rig = Rig::new(|_| {});
    let (caller, mut agent) = (Phone::new(Codec::Pcmu), Phone::new(Codec::Pcmu));
    rig.open(A, caller.remote());
    let to_agent_leg = rig.open(B, agent.remote());
    let mut heard = Vec::new();
    rig.feed(A, Feed::Music("tone".into()));
    heard.extend((0..6).map(|_| caller.hear().0));
    rig.join();
    rig.settle();
    // What was sent before the change is still in the caller's socket.
    agent.say(to_agent_leg, b"mark");
    loop {
        let (header, payload) = caller.hear();
        heard.push(header);
        if payload == b"mark" {
            assert!(header.marker, "a new stretch is marked");
            break;
        }
    }
    for n in 0..8u8 {
        agent.say(to_agent_leg, &[n; 160]);
        let (header, payload) = caller.hear();
        assert_eq!(payload, [n; 160]);
        heard.push(header);
    }
    rig.feed(A, Feed::Music("tone".into()));
    heard.extend((0..6).map(|_| caller.hear().0));
    for two in heard.windows(2) {
        assert_eq!(two[1].ssrc, two[0].ssrc);
        assert_eq!(two[1].sequence, two[0].sequence.wrapping_add(1));
        let step = two[1].timestamp.wrapping_sub(two[0].timestamp);
        assert!((1..80_000).contains(&step), "timestamps go on: {step}");
    }
    let (a, b) = (rig.close(A), rig.close(B));
    assert_eq!((a.received, b.received, b.lost), (0, 9, 0));
    assert!(a.sent >= heard.len() as u64);
}

#[test]
fn both_ways_with_payload_types_of_each_side() {
    let mut rig = Rig::new(|_| {});
    let (mut caller, mut agent) = (Phone::new(Codec::Pcma), Phone::new(Codec::Pcma));
    let to_caller_leg = rig.open(A, caller.remote());
    let to_agent_leg = rig.open(B, Remote { send_payload_type: 96, receive_payload_type: 8, ..agent.remote() });
    rig.join();
    for _ in 0..5 {
        caller.say(to_caller_leg, b"from the caller");
        let (header, payload) = agent.hear();
        assert_eq!((header.payload_type, &payload[..]), (96, &b"from the caller"[..]));
        assert_ne!(header.ssrc, 0x5eed);
        agent.say(to_agent_leg, b"from the agent");
        assert_eq!((caller.hear().0.payload_type, caller.codec), (8, Codec::Pcma));
    }
}

/// PCMU to PCMA through one bridge, and on to G.722 through a second.
#[test]
fn a_tone_survives_every_law() {
    let mut rig = Rig::new(|_| {});
    let [mut one, two, mut three, four] = [Codec::Pcmu, Codec::Pcma, Codec::Pcma, Codec::G722].map(Phone::new);
    let to_one = rig.open(A, one.remote());
    rig.open(B, two.remote());
    let to_three = rig.open(EndpointId(3), three.remote());
    rig.open(EndpointId(4), four.remote());
    rig.feed(B, Feed::Peer(A));
    rig.feed(EndpointId(4), Feed::Peer(EndpointId(3)));
    let mut heard = Vec::new();
    for samples in tone(1_004.0, 8_000.0, 8_000.0, 8_000).chunks(160) {
        let payload: Vec<u8> = samples.iter().map(|sample| Law::Mu.encode(*sample)).collect();
        one.say(to_one, &payload);
        three.say(to_three, &two.hear().1);
        heard.extend(four.hear().1);
    }
    let (samples, rate_hz) = decoded(Codec::G722, &heard);
    let (amplitude, rest) = measure(&samples[1_600..], 1_004.0, rate_hz);
    assert!((7_500.0..8_500.0).contains(&amplitude) && rest < -28.0, "{amplitude:.0}, rest {rest:.1} dB");
    assert_eq!(rig.counter("transcoded"), 100);
}

#[test]
fn music_in_every_codec_at_its_pace() {
    let mut rig = Rig::new(|_| {});
    for (number, codec) in (10..).zip([Codec::Pcmu, Codec::Pcma, Codec::G722]) {
        let phone = Phone::new(codec);
        rig.open(EndpointId(number), phone.remote());
        rig.feed(EndpointId(number), Feed::Music("tone".into()));
        let mut heard = phone.hear().1;
        let began = Instant::now();
        for _ in 0..75 {
            let (header, payload) = phone.hear();
            assert_eq!((header.payload_type, payload.len()), (codec.static_payload_type().unwrap(), 160));
            heard.extend(payload);
        }
        // The schedule is absolute: over 1.5 s it is off by no more than the start of one packet is.
        let pace = began.elapsed().as_secs_f64() * 1_000.0 / 75.0;
        assert!((19.0..21.5).contains(&pace), "{codec}: {pace:.2} ms a packet");
        let (samples, rate_hz) = decoded(codec, &heard);
        let (amplitude, rest) = measure(&samples[1_600..], 1_000.0, rate_hz);
        assert!((7_000.0..9_000.0).contains(&amplitude) && rest < -20.0, "{codec}: {amplitude:.0}, rest {rest:.1} dB");
    }
}

#[test]
fn prompts_are_played_once_and_told() {
    let mut rig = Rig::new(|_| {});
    let phone = Phone::new(Codec::Pcmu);
    rig.open(A, phone.remote());
    rig.feed(A, Feed::Prompts { names: vec!["low".into(), "no such".into(), "low".into()], token: 77 });
    let played = |event: &MediaEvent| matches!(event, MediaEvent::Played { endpoint: A, token: 77 }).then_some(());
    rig.event(played);
    // 200 ms, twice.
    assert_eq!(phone.silence(Duration::from_millis(100)), 20);
    assert_eq!(rig.counter("unknown_prompts"), 1);
    // Nothing to play is played at once; to a party that holds us it passes unheard.
    rig.feed(A, Feed::Prompts { names: vec![], token: 77 });
    rig.event(played);
    rig.send(MediaCommand::Remote { endpoint: A, remote: Remote { may_send: false, ..phone.remote() } });
    rig.feed(A, Feed::Prompts { names: vec!["low".into()], token: 77 });
    rig.event(played);
    assert_eq!(phone.silence(Duration::from_millis(50)), 0);
}

#[test]
fn a_strangers_packet_is_dropped() {
    let mut rig = Rig::new(|_| {});
    let (mut caller, agent) = (Phone::new(Codec::Pcmu), Phone::new(Codec::Pcmu));
    // It sends from another port than it receives on, so that the socket cannot be connected and the drop is ours.
    let elsewhere = socket().local_addr().unwrap();
    let to_caller_leg = rig.open(A, Remote { rtp: elsewhere, ..caller.remote() });
    rig.open(B, agent.remote());
    rig.join();
    caller.say(to_caller_leg, b"mine");
    assert_eq!(agent.hear().1, b"mine");
    let stranger = socket();
    for _ in 0..3 {
        stranger.send_to(&caller.packet(0, b"not mine"), to_caller_leg).unwrap();
    }
    caller.say(to_caller_leg, b"mine again");
    assert_eq!(agent.hear().1, b"mine again");
    assert_eq!(rig.close(A).strangers, 3);
    // Connected: the kernel drops it.
    let mut symmetric = Phone::new(Codec::Pcmu);
    let to_leg = rig.open(EndpointId(3), symmetric.remote());
    rig.feed(B, Feed::Peer(EndpointId(3)));
    symmetric.say(to_leg, b"first");
    assert_eq!(agent.hear().1, b"first");
    stranger.send_to(&symmetric.packet(0, b"not mine"), to_leg).unwrap();
    symmetric.say(to_leg, b"second");
    assert_eq!(agent.hear().1, b"second");
    // From another address than described, not even the first is taken.
    let far = UdpSocket::bind("127.0.0.99:0").unwrap();
    let to_other_leg = rig.open(EndpointId(4), caller.remote());
    rig.feed(B, Feed::Peer(EndpointId(4)));
    rig.settle();
    far.send_to(&caller.packet(0, b"far"), to_other_leg).unwrap();
    caller.say(to_other_leg, b"near");
    assert_eq!(agent.hear().1, b"near");
}

#[test]
fn the_lock_opens_after_two_seconds_and_with_a_new_description() {
    let mut rig = Rig::new(|_| {});
    let (mut caller, agent) = (Phone::new(Codec::Pcmu), Phone::new(Codec::Pcmu));
    let leg = rig.open(A, caller.remote());
    rig.open(B, agent.remote());
    rig.join();
    caller.say(leg, b"old port");
    agent.hear();
    let silent_since = Instant::now();
    let moved = socket();
    agent.rtp.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut packet = [0; 2_048];
    while agent.rtp.recv(&mut packet).is_err() {
        assert!(silent_since.elapsed() < PATIENCE);
        caller.sequence += 1;
        moved.send_to(&caller.packet(0, b"new port"), leg).unwrap();
    }
    let opened = silent_since.elapsed();
    assert!((1_900..4_000).contains(&opened.as_millis()), "{opened:?}");
    agent.silence(Duration::from_millis(50));
    agent.rtp.set_read_timeout(Some(PATIENCE)).unwrap();
    // A new description opens it at once.
    rig.send(MediaCommand::Remote { endpoint: A, remote: caller.remote() });
    rig.settle();
    caller.say(leg, b"described again");
    assert_eq!(agent.hear().1, b"described again");
}

#[test]
fn a_phone_behind_nat_is_answered_where_it_sends_from() {
    let mut rig = Rig::new(|_| {});
    let mut phone = Phone::new(Codec::Pcmu);
    let private = Remote {
        rtp: "10.99.99.99:4000".parse().unwrap(),
        source: SourceRule::DescribedOr([127, 0, 0, 1].into()),
        ..phone.remote()
    };
    let leg = rig.open(A, private);
    rig.feed(A, Feed::Music("tone".into()));
    phone.say(leg, b"hello");
    phone.hear();
}

#[test]
fn after_close_not_one_packet() {
    let mut rig = Rig::new(|settings| settings.rest = Duration::from_secs(60));
    let (mut caller, mut agent) = (Phone::new(Codec::Pcmu), Phone::new(Codec::Pcmu));
    let to_caller_leg = rig.open(A, caller.remote());
    let to_agent_leg = rig.open(B, agent.remote());
    rig.feed(B, Feed::Music("tone".into()));
    rig.feed(A, Feed::Peer(B));
    agent.hear();
    agent.say(to_agent_leg, b"hello");
    caller.hear();
    rig.close(B);
    agent.silence(Duration::from_millis(1));
    caller.silence(Duration::from_millis(1));
    agent.say(to_agent_leg, b"late");
    caller.say(to_caller_leg, b"to nobody");
    assert_eq!((agent.silence(Duration::from_millis(150)), caller.silence(Duration::from_millis(150))), (0, 0));
    let counted = rig.counter("packets_out");
    rig.close(A);
    assert_eq!(caller.silence(Duration::from_millis(150)), 0);
    assert_eq!(rig.counter("packets_out"), counted);
    // An endpoint that is not there is closed all the same, and nothing else can be asked of it.
    assert_eq!(rig.close(A), MediaStats::default());
    rig.feed(A, Feed::Music("tone".into()));
    rig.settle();
    assert!(rig.counter("bad_commands") >= 1);
}

#[test]
fn a_pair_rests_before_it_is_leased_again() {
    let rest = Duration::from_millis(400);
    let mut rig = Rig::new(|settings| {
        settings.ports = 40_000..=40_003;
        settings.stock = 1;
        settings.rest = rest;
    });
    let phone = Phone::new(Codec::Pcmu);
    let first = rig.open(A, phone.remote());
    let second = rig.lease();
    assert_ne!(second.rtp, first);
    rig.send(MediaCommand::Open { endpoint: B, lease: second, cname: 0 });
    let closed = Instant::now();
    rig.close(A);
    let again = rig.lease();
    assert_eq!(again.rtp, first);
    let rested = closed.elapsed();
    assert!(rested >= rest, "{rested:?}");
    assert!(rig.counter("pairs_hits") > 0);
    // One that was never opened goes back, and rests too: somebody may have been told of it.
    rig.send(MediaCommand::Return { lease: again });
    let returned = Instant::now();
    assert_eq!(rig.lease().rtp, first);
    assert!(returned.elapsed() >= rest - Duration::from_millis(50));
    assert_eq!(rig.counter("pairs_max"), 2);
}

#[test]
fn keys_are_told_once_and_passed_on_to_who_can_take_them() {
    let mut rig = Rig::new(|_| {});
    let (mut caller, agent) = (Phone::new(Codec::Pcmu), Phone::new(Codec::Pcmu));
    let leg = rig.open(A, caller.remote());
    let with_keys = Remote { telephone_event: Some((97, 98)), ..agent.remote() };
    rig.open(B, with_keys.clone());
    rig.join();
    caller.say(leg, b"before");
    let mut last = agent.hear().0;
    let press = |caller: &mut Phone, event: u8| {
        for step in 1..=5u8 {
            let payload = [event, if step > 3 { 0x8a } else { 0x0a }, 0, 160 * step.min(1)];
            caller.rtp.send_to(&caller.packet(KEY, &payload), leg).unwrap();
            caller.sequence = caller.sequence.wrapping_add(1);
        }
        caller.timestamp += 1_600;
    };
    press(&mut caller, 11);
    for _ in 0..5 {
        let (header, payload) = agent.hear();
        assert_eq!((header.payload_type, payload[0]), (97, 11));
        assert_eq!(header.sequence, last.sequence.wrapping_add(1));
        last = header;
    }
    // To one who has no telephone-event it is left out, without a hole.
    rig.send(MediaCommand::Remote { endpoint: B, remote: Remote { telephone_event: None, ..with_keys } });
    rig.settle();
    press(&mut caller, 5);
    caller.say(leg, b"after");
    let (header, payload) = agent.hear();
    assert_eq!((header.sequence, &payload[..]), (last.sequence.wrapping_add(1), &b"after"[..]));
    let mut digit = || rig.event(|event| if let MediaEvent::Digit { endpoint: A, digit } = event { Some(*digit) } else { None });
    assert_eq!((digit(), digit()), ('#', '5'));
    assert!(rig.seen.iter().all(|event| !matches!(event, MediaEvent::Digit { .. })));
}

#[test]
fn keys_of_ours_interrupt_what_is_heard() {
    let mut rig = Rig::new(|_| {});
    let phone = Phone::new(Codec::Pcmu);
    rig.open(A, phone.remote());
    rig.feed(A, Feed::Music("tone".into()));
    phone.hear();
    for digit in ['4', '4', '#'] {
        rig.send(MediaCommand::SendDigit { endpoint: A, digit });
    }
    let mut reader = hotline::rtp::key::KeyReader::default();
    let mut digits = String::new();
    let (mut last, mut after) = (phone.hear().0, 0);
    while after < 5 {
        let (header, payload) = phone.hear();
        assert_eq!(header.sequence, last.sequence.wrapping_add(1));
        if header.payload_type == KEY {
            digits.extend(reader.packet(header.timestamp, header.marker, &payload));
        } else if digits.len() == 3 {
            after += 1;
        }
        last = header;
    }
    assert_eq!(digits, "44#");
}

#[test]
fn reports_both_ways() {
    let mut rig = Rig::new(|_| {});
    let mut phone = Phone::new(Codec::Pcmu);
    let leg = rig.open(A, phone.remote());
    rig.feed(A, Feed::Music("tone".into()));
    let ssrc = phone.hear().0.ssrc;
    for n in 0..20u8 {
        if n != 10 {
            phone.say(leg, &[n; 160]);
        } else {
            phone.sequence = phone.sequence.wrapping_add(1);
        }
    }
    let mut packet = [0; 512];
    let len = phone.rtcp.recv(&mut packet).expect("a report within its interval");
    assert!(packet[..len].windows(16).any(|text| text == b"0000000000000001"), "the canonical name");
    let heard = rtcp::read(&packet[..len], 0x5eed).expect("well-formed");
    let (sender, report) = heard.sender.expect("we send");
    assert_eq!(sender, ssrc);
    assert_eq!(report.bytes, report.packets * 160);
    let block = heard.about_us.expect("we receive");
    assert_eq!((block.lost, block.fraction_lost), (1, 12));
    assert_eq!(block.highest & 0xffff, u32::from(phone.sequence.wrapping_sub(1)));
    // The phone's own report is read, and not passed on.
    let said = Block { ssrc, fraction_lost: 25, lost: 3, last_sr: rtcp::middle(report.ntp), ..Block::default() };
    let mut bytes = Vec::new();
    rtcp::write(&mut bytes, 0x5eed, None, Some(&said), 1);
    phone.rtcp.send_to(&bytes, SocketAddr::new(leg.ip(), leg.port() + 1)).unwrap();
    // And one on the RTP port, as with rtcp-mux; the next packet shows that both were read.
    phone.rtp.send_to(&bytes, leg).unwrap();
    let before = rig.counter("packets_in");
    phone.say(leg, &[0; 160]);
    let end = Instant::now() + PATIENCE;
    while (rig.counter("packets_in") == before || rig.counter("rtcp") < 3) && Instant::now() < end {
        phone.hear();
    }
    let stats = rig.close(A);
    assert_eq!((stats.remote_fraction_lost, stats.received, stats.lost), (Some(25), 20, 1));
    assert_eq!((rig.counter("lost_in"), rig.counter("lost_out")), (1, 3));
}

#[test]
fn silence_is_told_again_and_again() {
    let mut rig = Rig::new(|settings| settings.silence = Duration::from_millis(800));
    let phone = Phone::new(Codec::Pcmu);
    rig.open(A, phone.remote());
    rig.open(B, Remote { expects: false, ..phone.remote() });
    let mut silent = || {
        rig.event(|event| match event {
            MediaEvent::Silent { endpoint, silent_for } => Some((*endpoint, *silent_for)),
            _ => None,
        })
    };
    let ((one, first), (other, second)) = (silent(), silent());
    assert_eq!((one, other), (A, A), "who is not expected to send is not missed");
    assert!(first >= Duration::from_millis(800) && second >= first + Duration::from_millis(800));
}

/// A bug in the work for one endpoint ends that one; the others do not notice.
#[test]
fn a_panic_ends_one_endpoint() {
    let mut rig = Rig::new(|_| {});
    let (mut caller, mut agent, other) = (Phone::new(Codec::Pcmu), Phone::new(Codec::Pcmu), Phone::new(Codec::Pcmu));
    let to_caller_leg = rig.open(A, caller.remote());
    let to_agent_leg = rig.open(B, agent.remote());
    rig.open(EndpointId(3), other.remote());
    rig.join();
    rig.feed(EndpointId(3), Feed::Music("tone".into()));
    caller.say(to_caller_leg, b"well");
    agent.hear();
    caller.rtp.send_to(&caller.packet(KEY, &[15, 0x0a, 0, 160]), to_caller_leg).unwrap();
    rig.event(|event| matches!(event, MediaEvent::Closed { endpoint: A, .. }).then_some(()));
    assert_eq!(rig.counter("panics"), 1);
    other.silence(Duration::from_millis(1));
    other.hear();
    // The agent's leg is there, and may be fed again.
    agent.say(to_agent_leg, b"hello?");
    rig.feed(B, Feed::Music("tone".into()));
    agent.hear();
    assert_eq!(rig.close(B).received, 1);
}

#[test]
fn a_full_queue_keeps_its_sender_waiting_and_loses_nothing() {
    let mut rig = Rig::new(|_| {});
    let many = 5 * hotline::media::COMMANDS_MAX as u64;
    for _ in 0..many {
        rig.feed(A, Feed::Nothing);
    }
    rig.settle();
    assert_eq!(rig.counter("bad_commands"), many + 1);
    assert_eq!(rig.counter("commands_lost"), 0);
    assert!(!rig.handle.send(MediaThread(9), MediaCommand::Close { endpoint: A }), "there is no such thread");
}

#[test]
fn each_thread_leases_its_own_pairs() {
    let mut rig = Rig::new(|settings| settings.threads = 2);
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 16 {
        let lease = rig.lease();
        assert_eq!(lease.rtp.port() % 2, 0);
        assert!(seen.insert((lease.rtp, lease.thread)), "{lease:?} twice");
    }
    assert_eq!(seen.iter().filter(|(_, thread)| *thread == THREAD).count(), 8);
}

#[test]
fn ipv6_and_muxed_reports() {
    let mut rig = Rig::new(|settings| {
        settings.addresses = vec![("::1".parse().unwrap(), "2001:db8::1".parse().unwrap())];
        settings.ports = 41_000..=41_099;
    });
    let here = || {
        let socket = UdpSocket::bind("[::1]:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    let mut phone = Phone { rtp: here(), rtcp: here(), ..Phone::new(Codec::Pcma) };
    let leg = rig.open(A, Remote { rtcp: None, ..phone.remote() });
    rig.feed(A, Feed::Music("tone".into()));
    phone.say(leg, &[0xd5; 160]);
    let mut packet = [0; 512];
    loop {
        let len = phone.rtp.recv(&mut packet).unwrap();
        if hotline::rtp::packet::is_rtcp(&packet[..len]) {
            assert!(rtcp::read(&packet[..len], 0x5eed).unwrap().about_us.is_some());
            break;
        }
    }
}

#[test]
fn settings_that_make_no_sense() {
    let sink: EventSink = Arc::new(|_| {});
    let start = |change: fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        Media::start(&settings, Library::default(), &mut Seed::from_number(1), &sink).map(drop).unwrap_err().to_string()
    };
    assert!(start(|settings| settings.addresses.clear()).contains("address"));
    assert!(start(|settings| settings.threads = 0).contains("thread"));
    assert!(start(|settings| settings.ports = 20_001..=20_001).contains("ports"));
    assert!(start(|settings| settings.dscp = 64).contains("DSCP"));
    // An address that this machine has not.
    assert!(!start(|settings| settings.addresses = vec![([192, 0, 2, 1].into(), [192, 0, 2, 1].into())]).is_empty());
}
