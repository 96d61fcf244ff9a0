//! A media thread on an address of its own, phones that talk to it, and an ear for tones.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::f64::consts::TAU;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use hotline::base::seed::Seed;
use hotline::base::{Codec, EndpointId};
use hotline::engine::media_port::{
    Feed, MediaCommand, MediaEvent, MediaStats, MediaThread, Notice, PortLease, Remote, SourceRule,
};
use hotline::media::{Clip, EventSink, Library, Media, MediaHandle, MediaSender, MediaSettings};
use hotline::rtp::g711::Law;
use hotline::rtp::packet::{Header, Outgoing};
use hotline::rtp::transcode;

pub(crate) const THREAD: MediaThread = MediaThread(0);
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const KEY: u8 = 101;
/// A key that makes the thread panic.
pub(crate) const POISON: char = 'D';
pub(crate) const A: EndpointId = EndpointId(1);
pub(crate) const B: EndpointId = EndpointId(2);

pub(crate) const GOES: u8 = 0;
pub(crate) const ASKED: u8 = 1;
pub(crate) const STANDS_STILL: u8 = 2;

/// A media thread on a loopback address of its own.
pub(crate) struct Rig {
    pub(crate) handle: MediaHandle,
    sender: RefCell<MediaSender>,
    /// [`GOES`], [`ASKED`] to stand still as soon as the thread has something to tell, or [`STANDS_STILL`].
    pub(crate) gait: Arc<AtomicU8>,
    pub(crate) events: Receiver<MediaEvent>,
    pub(crate) leases: VecDeque<PortLease>,
    pub(crate) seen: VecDeque<MediaEvent>,
    /// The threads of endpoints that are not on the first.
    threads: BTreeMap<EndpointId, MediaThread>,
    _media: Media,
}

impl Drop for Rig {
    /// A test that fails does not wait for a thread that stands still.
    fn drop(&mut self) {
        self.gait.store(GOES, Ordering::Release);
    }
}

impl Rig {
    /// Has the thread stand still.
    pub(crate) fn stand_still(&self) {
        self.gait.store(ASKED, Ordering::Release);
        let end = Instant::now() + PATIENCE;
        while self.gait.load(Ordering::Acquire) != STANDS_STILL {
            assert!(Instant::now() < end, "the thread goes on");
            // It answers, and stands still with that.
            self.send(MediaCommand::Close { endpoint: EndpointId(u64::MAX - 1) });
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn new(change: impl FnOnce(&mut MediaSettings)) -> Rig {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let address = IpAddr::from([127, 77, (std::process::id() % 250) as u8, NEXT.fetch_add(1, Ordering::Relaxed)]);
        let mut settings =
            MediaSettings { addresses: vec![(address, address)], ports: 40_000..=40_199, stock: 8, ..MediaSettings::default() };
        change(&mut settings);
        let mut library = Library::default();
        library.insert("tone", Clip::from_samples(&tone(1_000.0, 16_000.0, 8_000.0, 16_000)));
        library.insert("low", Clip::from_samples(&tone(400.0, 16_000.0, 8_000.0, 3_200)));
        let (sender, events) = mpsc::channel();
        let gait = Arc::new(AtomicU8::new(GOES));
        let still = gait.clone();
        let sink: EventSink = Arc::new(move |notice: Notice| {
            let event = notice.event;
            let poisoned = matches!(event, MediaEvent::Digit { digit: POISON, .. });
            drop(sender.send(event));
            let _ = still.compare_exchange(ASKED, STANDS_STILL, Ordering::AcqRel, Ordering::Acquire);
            while still.load(Ordering::Acquire) == STANDS_STILL {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(!poisoned, "a bug, injected");
        });
        let media = Media::start(&settings, library, &mut Seed::from_number(7), &sink).unwrap();
        let (handle, sender) = (media.handle(), RefCell::new(media.handle().sender()));
        Rig {
            handle,
            sender,
            gait,
            events,
            leases: VecDeque::new(),
            seen: VecDeque::new(),
            threads: BTreeMap::new(),
            _media: media,
        }
    }

    /// The next event that is of use; others are kept for those who wait for them.
    pub(crate) fn event<T>(&mut self, mut pick: impl FnMut(&MediaEvent) -> Option<T>) -> T {
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

    pub(crate) fn lease(&mut self) -> PortLease {
        if self.leases.is_empty() {
            let leases = self.event(|event| if let MediaEvent::Leased(leases) = event { Some(leases.clone()) } else { None });
            self.leases.extend(leases);
        }
        self.leases.pop_front().expect("a lease")
    }

    pub(crate) fn send(&self, command: MediaCommand) {
        let thread = of_endpoint(&command).and_then(|endpoint| self.threads.get(&endpoint)).copied().unwrap_or(THREAD);
        assert!(self.sender.borrow_mut().send(thread, command));
    }

    /// A pair of ports of this thread.
    pub(crate) fn lease_of(&mut self, thread: MediaThread) -> PortLease {
        let mut others = Vec::new();
        loop {
            let lease = self.lease();
            if lease.thread == thread {
                self.leases.extend(others);
                return lease;
            }
            others.push(lease);
        }
    }

    /// Opens an endpoint on a thread.
    pub(crate) fn open_on(&mut self, thread: MediaThread, endpoint: EndpointId, remote: Remote) -> SocketAddr {
        self.threads.insert(endpoint, thread);
        let lease = self.lease_of(thread);
        self.send(MediaCommand::Open { endpoint, lease, cname: endpoint.0 });
        self.send(MediaCommand::Remote { endpoint, remote });
        lease.rtp
    }

    /// Sends what was held back while the thread was behind.
    pub(crate) fn catch_up(&self) {
        let end = Instant::now() + PATIENCE;
        while self.sender.borrow().is_behind() {
            assert!(Instant::now() < end, "the thread takes nothing");
            self.sender.borrow_mut().catch_up();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn open(&mut self, endpoint: EndpointId, remote: Remote) -> SocketAddr {
        let lease = self.lease();
        self.send(MediaCommand::Open { endpoint, lease, cname: endpoint.0 });
        self.send(MediaCommand::Remote { endpoint, remote });
        lease.rtp
    }

    pub(crate) fn feed(&self, endpoint: EndpointId, feed: Feed) {
        self.send(MediaCommand::Feed { endpoint, feed });
    }

    pub(crate) fn join(&self) {
        self.feed(A, Feed::peer(B));
        self.feed(B, Feed::peer(A));
    }

    pub(crate) fn close(&mut self, which: EndpointId) -> MediaStats {
        self.send(MediaCommand::Close { endpoint: which });
        self.event(|event| match event {
            MediaEvent::Closed { endpoint, stats } if *endpoint == which => Some(*stats),
            _ => None,
        })
    }

    /// A counter, of all threads together.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let of = self.handle.counters().flat_map(|counters| counters.iter().collect::<Vec<_>>());
        of.filter(|(known, _)| *known == name).map(|(_, count)| count).sum()
    }

    /// Waits until all commands sent have been carried out: a thread answers in order.
    pub(crate) fn settle(&mut self) {
        self.close(EndpointId(u64::MAX));
    }
}

fn of_endpoint(command: &MediaCommand) -> Option<EndpointId> {
    match command {
        MediaCommand::Open { endpoint, .. }
        | MediaCommand::Remote { endpoint, .. }
        | MediaCommand::Feed { endpoint, .. }
        | MediaCommand::SendDigit { endpoint, .. }
        | MediaCommand::Tap { endpoint, .. }
        | MediaCommand::Untap { endpoint, .. }
        | MediaCommand::Close { endpoint } => Some(*endpoint),
        MediaCommand::Return { .. } => None,
    }
}

/// A party's phone.
pub(crate) struct Phone {
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
    pub(crate) codec: Codec,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
}

pub(crate) fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

impl Phone {
    pub(crate) fn new(codec: Codec) -> Phone {
        Phone { rtp: socket(), rtcp: socket(), codec, sequence: 60_000, timestamp: 4_000_000_000 }
    }

    pub(crate) fn remote(&self) -> Remote {
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

    pub(crate) fn packet(&self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let (sequence, timestamp) = (self.sequence, self.timestamp);
        let mut packet = Outgoing { marker: false, payload_type, sequence, timestamp, ssrc: 0x5eed }.bytes().to_vec();
        packet.extend(payload);
        packet
    }

    pub(crate) fn say(&mut self, to: SocketAddr, payload: &[u8]) {
        let packet = self.packet(self.codec.static_payload_type().unwrap(), payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        self.rtp.send_to(&packet, to).unwrap();
    }

    pub(crate) fn hear(&self) -> (Header, Vec<u8>) {
        let mut packet = [0; 2_048];
        let len = self.rtp.recv(&mut packet).expect("a packet comes");
        let header = Header::read(&packet[..len]).unwrap();
        (header, header.payload(&packet[..len]).to_vec())
    }

    /// Takes what waits, until nothing comes for the span.
    pub(crate) fn silence(&self, span: Duration) -> usize {
        self.rtp.set_read_timeout(Some(span)).unwrap();
        let mut count = 0;
        while self.rtp.recv(&mut [0; 2_048]).is_ok() {
            count += 1;
        }
        self.rtp.set_read_timeout(Some(PATIENCE)).unwrap();
        count
    }
}

pub(crate) fn tone(hz: f64, rate_hz: f64, amplitude: f64, samples: usize) -> Vec<i16> {
    (0..samples).map(|n| (amplitude * (TAU * hz * n as f64 / rate_hz).sin()) as i16).collect()
}

/// The amplitude at a frequency, and all else relative to it in dB.
pub(crate) fn measure(samples: &[i16], hz: f64, rate_hz: f64) -> (f64, f64) {
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

pub(crate) fn decoded(codec: Codec, payload: &[u8]) -> (Vec<i16>, f64) {
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
