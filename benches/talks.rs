//! What a talk of three costs beside a bridged talk of two, in processor time of the media thread: `talks [RUNS [TALKS]]` plays so many runs of
//! each kind in turns, of so many talks at once. All parties speak G.711.

#![allow(missing_docs, reason = "a program")]
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints and times")]

use std::fs;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hotline::base::seed::Seed;
use hotline::base::{Codec, EndpointId};
use hotline::engine::media_port::{Feed, MediaCommand, MediaEvent, MediaThread, Notice, Peers, PortLease, Remote, SourceRule};
use hotline::media::{EventSink, Library, Media, MediaSettings};
use hotline::rtp::packet::Outgoing;

const THREAD: MediaThread = MediaThread(0);
const WARM: usize = 25;
/// Packets of 20 ms that each party says while the time is taken.
const PACKETS: usize = 150;
const PACKET: Duration = Duration::from_millis(20);

/// A party: its socket, connected to its leg, and its numbers.
struct Party {
    socket: UdpSocket,
    sequence: u16,
    heard: usize,
}

impl Party {
    fn say(&mut self, codes: &[u8; 160]) {
        self.sequence = self.sequence.wrapping_add(1);
        let timestamp = 160 * u32::from(self.sequence);
        let head = Outgoing { marker: false, payload_type: 0, sequence: self.sequence, timestamp, ssrc: 7 };
        let mut packet = [0; 172];
        packet[..12].copy_from_slice(&head.bytes());
        packet[12..].copy_from_slice(codes);
        let _ = self.socket.send(&packet);
        while self.socket.recv(&mut packet).is_ok() {
            self.heard += 1;
        }
    }
}

/// The processor time of the media thread so far.
fn media_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("the threads of this process");
    let spent = tasks.flatten().filter_map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let spent = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let nanos = spent.split(' ').next()?.parse().ok()?;
        name.starts_with("media-").then_some(Duration::from_nanos(nanos))
    });
    spent.sum()
}

/// The processor time of a talk of so many parties in a second, and how much of what was said was heard.
fn run(parties_each: usize, talks: usize) -> (Duration, f64) {
    let count = parties_each * talks;
    let address = [127, 0, 0, 21].into();
    let settings =
        MediaSettings { addresses: vec![(address, address)], ports: 40_000..=49_999, stock: count, ..MediaSettings::default() };
    let (events, leases) = mpsc::channel();
    let sink: EventSink = Arc::new(move |notice: Notice| {
        if let MediaEvent::Leased(leases) = notice.event {
            drop(events.send(leases));
        }
    });
    let media = Media::start(&settings, Library::default(), &mut Seed::from_number(1), &sink).expect("media");
    let mut sender = media.handle().sender();
    let mut pairs: Vec<PortLease> = Vec::new();
    while pairs.len() < count {
        pairs.extend(leases.recv_timeout(Duration::from_secs(10)).expect("ports"));
    }
    let mut parties = Vec::new();
    for (number, lease) in pairs.iter().take(count).enumerate() {
        let socket = UdpSocket::bind("127.0.0.20:0").expect("a port");
        socket.connect(lease.rtp).expect("loopback");
        socket.set_nonblocking(true).expect("a socket");
        let remote = Remote {
            rtp: socket.local_addr().expect("bound"),
            rtcp: None,
            codec: Codec::Pcmu,
            send_payload_type: 0,
            receive_payload_type: 0,
            telephone_event: None,
            may_send: true,
            expects: true,
            source: SourceRule::Described,
        };
        let endpoint = EndpointId(number as u64);
        sender.send(THREAD, MediaCommand::Open { endpoint, lease: *lease, cname: 1 });
        sender.send(THREAD, MediaCommand::Remote { endpoint, remote });
        parties.push(Party { socket, sequence: 0, heard: 0 });
    }
    for number in 0..count {
        let talk = number / parties_each * parties_each;
        let others: Peers =
            (talk..talk + parties_each).filter(|other| *other != number).map(|other| EndpointId(other as u64)).collect();
        sender.send(THREAD, MediaCommand::Feed { endpoint: EndpointId(number as u64), feed: Feed::Peers(others) });
    }
    // Voices, near enough: what is summed and turned down costs the same whatever it is.
    let mut seed = Seed::from_number(2);
    let codes: [u8; 160] = std::array::from_fn(|_| seed.next_u32() as u8 | 0x30);
    let begun = Instant::now();
    let mut from = (Duration::ZERO, Instant::now());
    for n in 0..WARM + PACKETS {
        std::thread::sleep((begun + PACKET * n as u32).saturating_duration_since(Instant::now()));
        if n == WARM {
            from = (media_time(), Instant::now());
        }
        // The parties do not speak all at once.
        for (number, party) in parties.iter_mut().enumerate() {
            party.say(&codes);
            if number % 50 == 49 {
                std::thread::sleep(Duration::from_micros(500));
            }
        }
    }
    let spent = (media_time() - from.0).div_f64(from.1.elapsed().as_secs_f64() * talks as f64);
    let heard = parties.iter().map(|party| party.heard).sum::<usize>() as f64 / (count * (WARM + PACKETS)) as f64;
    (spent, heard)
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let (runs, talks) = (numbers.first().copied().unwrap_or(5), numbers.get(1).copied().unwrap_or(100));
    let mut ratios = Vec::new();
    for _ in 0..runs {
        let ((two, heard_two), (three, heard_three)) = (run(2, talks), run(3, talks));
        let ratio = three.as_secs_f64() / two.as_secs_f64();
        println!(
            "{talks} talks: of two {:.0} us a second each (heard {:.1}%), of three {:.0} us (heard {:.1}%), ratio {ratio:.2}",
            two.as_secs_f64() * 1e6,
            100.0 * heard_two,
            three.as_secs_f64() * 1e6,
            100.0 * heard_three,
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    if let Some(median) = ratios.get(ratios.len() / 2) {
        println!("a talk of three costs {median:.2} times a bridged one, in the median of {runs}");
    }
}
