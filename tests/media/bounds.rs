//! What a bug, a full queue, noise and senseless settings do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hotline::base::seed::Seed;
use hotline::base::{Codec, EndpointId};
use hotline::engine::media_port::{Feed, MediaCommand, MediaEvent, MediaThread};
use hotline::media::{EventSink, Library, Media, MediaSettings};

use crate::rig::*;

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

/// A media thread that stands still for ten seconds holds up nobody who commands it. Afterwards each endpoint is what it was last told to be.
#[test]
fn a_thread_that_stands_still_holds_up_nobody_and_loses_nothing() {
    const STILL: Duration = Duration::from_secs(10);
    let mut rig = Rig::new(|_| {});
    let (mut caller, agent) = (Phone::new(Codec::Pcmu), Phone::new(Codec::Pcmu));
    let (lease, other) = (rig.lease(), rig.lease());
    rig.stand_still();
    let begun = Instant::now();
    let mut longest = Duration::ZERO;
    let mut told = 0;
    while begun.elapsed() < STILL {
        let asked = Instant::now();
        // Of an endpoint that there is not, and later of two that there will be.
        rig.feed(EndpointId(9), Feed::Music("tone".into()));
        longest = longest.max(asked.elapsed());
        told += 1;
    }
    assert!(told > 5 * hotline::media::COMMANDS_MAX, "{told} commands");
    rig.send(MediaCommand::Open { endpoint: A, lease, cname: 1 });
    rig.send(MediaCommand::Remote { endpoint: A, remote: caller.remote() });
    for _ in 0..1000 {
        rig.feed(A, Feed::Music("low".into()));
        rig.feed(A, Feed::peer(B));
    }
    rig.send(MediaCommand::Open { endpoint: B, lease: other, cname: 1 });
    rig.send(MediaCommand::Remote { endpoint: B, remote: agent.remote() });
    rig.feed(B, Feed::peer(A));
    assert!(longest < Duration::from_secs(5), "{longest:?}");
    assert_eq!(rig.counter("queue_full"), 1, "from then on it was told the newest alone");
    assert!(rig.handle.commands().0 <= hotline::media::COMMANDS_MAX);
    rig.gait.store(GOES, Ordering::Release);
    rig.catch_up();
    caller.say(lease.rtp, b"are you there?");
    assert_eq!(agent.hear().1, b"are you there?");
    rig.settle();
    // The newest of each endpoint, one for each command that was taken before, and what it was woken and settled with.
    let bad = rig.counter("bad_commands") - hotline::media::COMMANDS_MAX as u64;
    assert!((2..100).contains(&bad), "{bad}");
    assert_eq!(rig.counter("commands_lost"), 0);
    let mut sender = rig.handle.sender();
    assert!(!sender.send(MediaThread(9), MediaCommand::Close { endpoint: A }), "there is no such thread");
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

/// Each shard has a stock of its own. Of a small range none keeps more than its share from the others.
#[test]
fn each_shard_has_its_own_pairs() {
    let rig = Rig::new(|settings| (settings.shards, settings.stock) = (3, 64));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let MediaEvent::Leased(leases) = rig.events.recv_timeout(PATIENCE).unwrap() else { panic!("something else") };
        assert_eq!(leases.len(), 8, "of a hundred pairs");
        seen.extend(leases.iter().map(|lease| lease.rtp));
    }
    assert_eq!(seen.len(), 24);
}

#[test]
fn settings_that_make_no_sense() {
    let sink: EventSink = Arc::new(|_| {});
    let start = |change: fn(&mut MediaSettings)| {
        let mut settings = MediaSettings::default();
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

/// Noise on every port of a call: nothing is answered, nothing breaks, all is counted.
#[test]
fn garbage_is_counted_and_harmless() {
    let mut rig = Rig::new(|_| {});
    let (mut caller, agent) = (Phone::new(Codec::Pcmu), Phone::new(Codec::Pcmu));
    let leg = rig.open(A, caller.remote());
    rig.open(B, agent.remote());
    rig.join();
    rig.settle();
    let mut seed = Seed::from_number(3);
    // As many as a socket holds.
    for n in 0..120u64 {
        let mut noise: Vec<u8> = (0..seed.below(80)).map(|_| seed.next_u32() as u8).collect();
        if let Some(first) = noise.first_mut() {
            // Half of it looks like version 2.
            *first = if n % 2 == 0 { 0x80 | *first >> 2 } else { *first };
        }
        caller.rtp.send_to(&noise, leg).unwrap();
        caller.rtcp.send_to(&noise, SocketAddr::new(leg.ip(), leg.port() + 1)).unwrap();
    }
    caller.rtp.send_to(&[0x80; 4_000], leg).unwrap();
    loop {
        // What happened to be of the agreed type was passed on; the mark comes after all of it.
        caller.say(leg, b"mark");
        if agent.hear().1 == b"mark" {
            break;
        }
    }
    assert!(rig.counter("malformed") > 60);
    assert_eq!(rig.counter("panics"), 0);
}
