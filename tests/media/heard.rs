//! What parties hear: each other, music, prompts and keys, in one stream.

use std::time::{Duration, Instant};

use hotline::base::{Codec, EndpointId};
use hotline::engine::media_port::{Feed, MediaCommand, MediaEvent, Remote};
use hotline::rtp::g711::Law;

use crate::rig::*;

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
    rig.feed(B, Feed::peer(A));
    rig.feed(EndpointId(4), Feed::peer(EndpointId(3)));
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
    rig.settle();
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
