//! The media threads under a player of RTP, without any signalling: what a bridged call and a waiting caller cost.
//!
//! `media_load relay CALLS PLAYER` joins pairs of endpoints, `media_load music CALLERS PLAYER [talk]` plays music. PLAYER is a program that is
//! called as `PLAYER duplex CALLER AGENT SERVER PORTS_A PORTS_B WARM WINDOW` or `PLAYER sink ADDRESS WARM WINDOW [SERVER PORTS]`, prints START and
//! STOP at the window's edges and what it measured at the end. Pin this process to one core and the player to another:
//! `taskset -c 0 media_load relay 100 ./player`; the player is started on core 1.
#![allow(clippy::print_stdout, reason = "a measuring program")]
#![allow(clippy::disallowed_methods, reason = "a shell")]

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hotline::base::seed::Seed;
use hotline::base::{Codec, EndpointId};
use hotline::engine::media_port::{Feed, MediaCommand, MediaEvent, MediaThread, Notice, PortLease, Remote, SourceRule};
use hotline::media::{Clip, EventSink, Library, Media, MediaSettings};
use rustix::time::{ClockId, clock_gettime};

type Failure = Box<dyn Error>;

const CALLERS: &str = "127.0.0.1:30000";
const AGENTS: &str = "127.0.0.2:32000";
const SERVER: &str = "127.0.0.10";
const WARM: &str = "2";
const WINDOW_SECS: &str = "10";
const THREAD: MediaThread = MediaThread(0);

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [kind, count, player, rest @ ..] = &args[..] else { return Err("media_load relay|music COUNT PLAYER [talk]".into()) };
    let count: usize = count.parse()?;
    let legs = if kind == "relay" { 2 * count } else { count };
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    rustix::process::setrlimit(rustix::process::Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit })?;

    let address = SERVER.parse()?;
    let settings =
        MediaSettings { addresses: vec![(address, address)], ports: 10_000..=29_999, stock: legs, ..MediaSettings::default() };
    let (events, leases) = mpsc::channel();
    let sink: EventSink = Arc::new(move |notice: Notice| {
        if let MediaEvent::Leased(leases) = notice.event {
            let _ = events.send(leases);
        }
    });
    let mut library = Library::default();
    library.insert("music", Clip::from_samples(&vec![1_000; 16_000 * 20]));
    let before = resident_kib()?;
    let media = Media::start(&settings, library, &mut Seed::from_number(1), &sink)?;
    let handle = media.handle();
    let mut sender = handle.sender();
    let mut pairs: Vec<PortLease> = Vec::new();
    while pairs.len() < legs {
        pairs.extend(leases.recv_timeout(Duration::from_secs(10))?);
    }
    for (leg, lease) in (0..).zip(&pairs[..legs]) {
        let endpoint = EndpointId(leg);
        let at = if kind == "relay" && leg % 2 == 1 { AGENTS } else { CALLERS };
        sender.send(THREAD, MediaCommand::Open { endpoint, lease: *lease, cname: leg });
        sender.send(THREAD, MediaCommand::Remote { endpoint, remote: remote(at.parse()?) });
        if kind != "relay" {
            sender.send(THREAD, MediaCommand::Feed { endpoint, feed: Feed::Music("music".into()) });
        }
    }
    if kind == "relay" {
        for leg in 0..legs as u64 {
            sender.send(THREAD, MediaCommand::Feed { endpoint: EndpointId(leg), feed: Feed::peer(EndpointId(leg ^ 1)) });
        }
    }
    while sender.is_behind() {
        sender.catch_up();
        std::thread::sleep(Duration::from_millis(1));
    }
    let (a, b) = (write_ports(&pairs[..legs], 0, kind == "relay")?, write_ports(&pairs[..legs], 1, kind == "relay")?);
    let mut command = Command::new("taskset");
    command.args(["-c", "1", player]);
    if kind == "relay" {
        command.args(["duplex", CALLERS, AGENTS, SERVER, &a, &b, WARM, WINDOW_SECS]);
    } else {
        command.args(["sink", CALLERS, WARM, WINDOW_SECS]);
        if rest.iter().any(|word| word == "talk") {
            command.args([SERVER, &a]);
        }
    }
    let mut player = command.stdout(Stdio::piped()).spawn()?;
    let mut window = None;
    let mut spent = Duration::ZERO;
    for line in BufReader::new(player.stdout.take().ok_or("no output")?).lines() {
        let line = line?;
        match (&*line, window) {
            ("START", _) => window = Some((Instant::now(), processor_time())),
            ("STOP", Some((began, used))) => spent = (processor_time() - used).mul_f64(100.0 / began.elapsed().as_secs_f64()),
            _ => println!("{line}"),
        }
    }
    player.wait()?;
    println!(
        "{{\"kind\":\"{kind}\",\"count\":{count},\"cpu_pct\":{:.2},\"cpu_pct_per_100\":{:.2},\"rss_kib_each\":{:.1}}}",
        spent.as_secs_f64(),
        spent.as_secs_f64() * 100.0 / count as f64,
        (resident_kib()?.saturating_sub(before)) as f64 / count as f64,
    );
    for counters in handle.counters() {
        println!("{:?}", counters.iter().filter(|(_, value)| *value != 0).collect::<Vec<_>>());
    }
    Ok(())
}

fn remote(rtp: SocketAddr) -> Remote {
    Remote {
        rtp,
        rtcp: Some(SocketAddr::new(rtp.ip(), rtp.port() + 1)),
        codec: Codec::Pcmu,
        send_payload_type: 0,
        receive_payload_type: 0,
        telephone_event: None,
        may_send: true,
        expects: true,
        source: SourceRule::Described,
    }
}

/// The ports of every second leg (or of all), a line each.
fn write_ports(pairs: &[PortLease], first: usize, halves: bool) -> Result<String, Failure> {
    let name = std::env::temp_dir().join(format!("media_load_{}_{first}", std::process::id()));
    let ports: Vec<_> =
        pairs.iter().skip(first).step_by(1 + usize::from(halves)).map(|lease| lease.rtp.port().to_string()).collect();
    fs::write(&name, ports.join("\n"))?;
    Ok(name.to_string_lossy().into_owned())
}

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn resident_kib() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS")).ok_or("no VmRSS")?;
    Ok(line.split_ascii_whitespace().nth(1).ok_or("no number")?.parse()?)
}
