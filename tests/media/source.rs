//! Who may send, who is sent to, and what is said of it: the source lock, closing, resting, reports and silence.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use hotline::base::{Codec, EndpointId};
use hotline::engine::media_port::{Feed, MediaCommand, MediaEvent, MediaStats, Remote, SourceRule};
use hotline::rtp::reception::Block;
use hotline::rtp::rtcp;

use crate::rig::*;

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
    rig.feed(B, Feed::peer(EndpointId(3)));
    symmetric.say(to_leg, b"first");
    assert_eq!(agent.hear().1, b"first");
    stranger.send_to(&symmetric.packet(0, b"not mine"), to_leg).unwrap();
    symmetric.say(to_leg, b"second");
    assert_eq!(agent.hear().1, b"second");
    // From another address than described, not even the first is taken.
    let far = UdpSocket::bind("127.0.0.99:0").unwrap();
    let to_other_leg = rig.open(EndpointId(4), caller.remote());
    rig.feed(B, Feed::peer(EndpointId(4)));
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
    rig.feed(A, Feed::peer(B));
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
    // One that was never opened goes back, and rests too: a description may have named it.
    rig.send(MediaCommand::Return { lease: again });
    let returned = Instant::now();
    assert_eq!(rig.lease().rtp, first);
    assert!(returned.elapsed() >= rest - Duration::from_millis(50));
    assert_eq!(rig.counter("pairs_max"), 2);
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
