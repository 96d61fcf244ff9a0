//! Talks of more than two, with a tone for each party: who hears whom, mixed and relayed, on one thread and on two; and taps.
//!
//! The parties speak at their own pace in real time. A run in which this process was held up for longer than a packet says nothing about the
//! media threads, and is repeated.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use hotline::base::{Codec, EndpointId};
use hotline::engine::media_port::{Feed, MediaCommand, MediaThread, Remote, TapId, TapSide};
use hotline::media::{TAP_PACKETS, TapReader};
use hotline::rtp::g711::Law;
use hotline::rtp::packet::Header;
use hotline::rtp::transcode;

use crate::rig::*;

const PACKET: Duration = Duration::from_millis(20);
const C: EndpointId = EndpointId(3);
const FIRST: MediaThread = MediaThread(0);
const SECOND: MediaThread = MediaThread(1);
/// Frequencies of which 10 ms hold whole periods.
const TONES: [f64; 3] = [400.0, 700.0, 1_100.0];
const LOUD: f64 = 8_000.0;
/// How often a run that was held up is repeated.
const RUNS: usize = 8;

/// A party that says a tone.
struct Party {
    phone: Phone,
    leg: SocketAddr,
    codes: Vec<u8>,
    said: usize,
    heard: Vec<(Header, Vec<u8>)>,
}

impl Party {
    fn new(rig: &mut Rig, thread: MediaThread, endpoint: EndpointId, codec: Codec, hz: f64) -> Party {
        let phone = Phone::new(codec);
        let leg = rig.open_on(thread, endpoint, phone.remote());
        Party::with(phone, leg, hz)
    }

    fn with(phone: Phone, leg: SocketAddr, hz: f64) -> Party {
        phone.rtp.set_nonblocking(true).unwrap();
        let codes = match phone.codec {
            Codec::G722 => {
                let samples = tone(hz, 16_000.0, LOUD, 160_000);
                let mut codes = vec![0; samples.len() / 2];
                transcode::encode_g722(&mut Default::default(), &samples, &mut codes);
                codes
            }
            codec => {
                let law = if codec == Codec::Pcmu { Law::Mu } else { Law::A };
                tone(hz, 8_000.0, LOUD, 80_000).into_iter().map(|sample| law.encode(sample)).collect()
            }
        };
        Party { phone, leg, codes, said: 0, heard: Vec::new() }
    }

    fn say(&mut self) {
        let at = self.said * 160 % self.codes.len();
        let payload = self.codes[at..at + 160].to_vec();
        self.said += 1;
        self.phone.say(self.leg, &payload);
    }

    fn listen(&mut self) {
        let mut packet = [0; 2_048];
        while let Ok(len) = self.phone.rtp.recv(&mut packet) {
            let header = Header::read(&packet[..len]).unwrap();
            self.heard.push((header, header.payload(&packet[..len]).to_vec()));
        }
    }

    /// What was heard since the packet of this number, as samples in the place that their timestamps give them.
    fn samples(&self, from: usize) -> Vec<f64> {
        let heard = &self.heard[from..];
        let Some((first, _)) = heard.first() else { return Vec::new() };
        let codes: Vec<u8> = heard.iter().flat_map(|(_, payload)| payload.clone()).collect();
        let (decoded, rate) = decoded(self.phone.codec, &codes);
        let times = (rate / 8_000.0) as usize;
        let mut line: Vec<f64> = Vec::new();
        let mut at = 0;
        for (header, payload) in heard {
            let place = header.timestamp.wrapping_sub(first.timestamp) as usize;
            // At 8 kHz: what is measured lies well below.
            line.resize(line.len().max(place + payload.len()), 0.0);
            for n in 0..payload.len() {
                line[place + n] = f64::from(decoded[(at + n) * times]);
            }
            at += payload.len();
        }
        line
    }

    /// How loud each of the tones is heard since the packet of this number.
    fn tones(&self, from: usize) -> [f64; 3] {
        let samples: Vec<i16> = self.samples(from).into_iter().map(|sample| sample as i16).collect();
        TONES.map(|hz| measure(&samples[..samples.len() / 80 * 80], hz, 8_000.0).0)
    }

    /// Asserts that the tones of these are heard, and no others.
    fn assert_hears(&self, from: usize, whom: [bool; 3], what: &str) {
        let tones = self.tones(from);
        for (tone, heard) in tones.iter().zip(whom) {
            let range = if heard { 0.8 * LOUD..1.2 * LOUD } else { 0.0..0.03 * LOUD };
            assert!(range.contains(tone), "{what}: {tones:.0?} where {whom:?} is to be heard");
        }
    }

    /// Asserts that all that was heard is one stream.
    fn assert_one_stream(&self) {
        for two in self.heard.windows(2) {
            let [(before, _), (after, _)] = two else { unreachable!() };
            assert_eq!(after.ssrc, before.ssrc);
            assert_eq!(after.sequence, before.sequence.wrapping_add(1));
            let step = after.timestamp.wrapping_sub(before.timestamp);
            assert!((1..=480).contains(&step), "timestamps go on: {step}");
        }
    }

    /// The longest time in ms, at 10 ms a step, in which a tone was not heard.
    fn longest_gap(&self, hz: f64) -> usize {
        let samples: Vec<i16> = self.samples(0).into_iter().map(|sample| sample as i16).collect();
        let (mut longest, mut gap) = (0, 0);
        for window in samples.chunks_exact(80) {
            gap = if measure(window, hz, 8_000.0).0 > 0.4 * LOUD { 0 } else { gap + 10 };
            longest = longest.max(gap);
        }
        longest
    }
}

/// All parties speak for so many packets. `at` is called before each. False if this process was held up.
fn speak(parties: &mut [Party], packets: usize, mut at: impl FnMut(usize)) -> bool {
    let begun = Instant::now();
    let mut on_time = true;
    for n in 0..packets {
        let due = begun + PACKET * n as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        on_time &= due.elapsed() < PACKET * 3 / 4;
        at(n);
        for party in &mut *parties {
            party.say();
            party.listen();
        }
    }
    std::thread::sleep(PACKET * 2);
    parties.iter_mut().for_each(Party::listen);
    on_time
}

/// Has each hear these.
fn hear(rig: &Rig, who: &[(EndpointId, &[EndpointId])]) {
    for (endpoint, peers) in who {
        rig.feed(*endpoint, Feed::Peers((*peers).into()));
    }
}

/// Repeats a run that was held up.
fn run(once: impl Fn() -> Option<()>) {
    assert!((0..RUNS).any(|_| once().is_some()), "this machine holds the test up");
}

/// On threads 0 and 1: whom of the three each hears.
fn all_hear_all(threads: [MediaThread; 3], codecs: [Codec; 3]) {
    run(|| {
        let mut rig = Rig::new(|settings| settings.threads = 2);
        let mut parties: Vec<Party> = [A, B, C]
            .into_iter()
            .enumerate()
            .map(|(n, endpoint)| Party::new(&mut rig, threads[n], endpoint, codecs[n], TONES[n]))
            .collect();
        hear(&rig, &[(A, &[B, C]), (B, &[A, C]), (C, &[A, B])]);
        speak(&mut parties, 60, |_| {}).then_some(())?;
        for (n, party) in parties.iter().enumerate() {
            let mut whom = [true; 3];
            whom[n] = false;
            party.assert_hears(20, whom, &format!("{threads:?} {codecs:?}, party {n}"));
            party.assert_one_stream();
        }
        assert_eq!((rig.counter("bad_commands"), rig.counter("nowhere"), rig.counter("untranscodable")), (0, 0, 0));
        Some(())
    });
}

#[test]
fn three_hear_all_others_and_never_themselves() {
    all_hear_all([FIRST; 3], [Codec::Pcmu; 3]);
    all_hear_all([FIRST; 3], [Codec::Pcmu, Codec::Pcma, Codec::G722]);
}

#[test]
fn three_hear_each_other_across_threads() {
    all_hear_all([FIRST, SECOND, FIRST], [Codec::Pcmu, Codec::G722, Codec::Pcma]);
    all_hear_all([SECOND, FIRST, FIRST], [Codec::Pcma, Codec::Pcmu, Codec::Pcmu]);
}

#[test]
fn two_of_different_threads_hear_each_other_as_they_are() {
    let mut rig = Rig::new(|settings| settings.threads = 2);
    let (mut one, mut other) = (Phone::new(Codec::Pcmu), Phone::new(Codec::Pcmu));
    let to_one = rig.open_on(FIRST, A, one.remote());
    let to_other = rig.open_on(SECOND, B, other.remote());
    rig.join();
    // The first packets may come before each thread knows that the other wants them.
    let reaches = |from: &mut Phone, leg: SocketAddr, to: &Phone| {
        to.rtp.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        assert!(
            (0..500).any(|_| {
                from.say(leg, b"hello");
                to.rtp.recv(&mut [0; 64]).is_ok()
            }),
            "it is heard"
        );
        to.silence(Duration::from_millis(50));
    };
    reaches(&mut one, to_one, &other);
    reaches(&mut other, to_other, &one);
    for n in 0..50u8 {
        one.say(to_one, &[n; 160]);
        assert_eq!(other.hear().1, [n; 160]);
        other.say(to_other, &[n, 7]);
        assert_eq!(one.hear().1, [n, 7]);
    }
    // A key is passed on, too; who leaves is heard no more.
    one.rtp.send_to(&one.packet(KEY, &[5, 0x8a, 0, 160]), to_one).unwrap();
    assert_eq!((other.hear().0.payload_type, rig.counter("keys")), (KEY, 1));
    rig.close(A);
    assert_eq!(other.silence(Duration::from_millis(50)), 0);
    rig.feed(B, Feed::Music("tone".into()));
    other.hear();
}

/// A supervisor is heard by the agent and not by the caller, and hears both.
#[test]
fn a_whisper_is_heard_by_one() {
    run(|| {
        let mut rig = Rig::new(|_| {});
        let mut parties: Vec<Party> = [A, B, C]
            .into_iter()
            .zip(TONES)
            .map(|(endpoint, hz)| Party::new(&mut rig, FIRST, endpoint, Codec::Pcma, hz))
            .collect();
        let [caller, agent, supervisor] = [A, B, C];
        hear(&rig, &[(caller, &[agent]), (agent, &[caller, supervisor]), (supervisor, &[caller, agent])]);
        speak(&mut parties, 60, |_| {}).then_some(())?;
        parties[0].assert_hears(20, [false, true, false], "the caller");
        parties[1].assert_hears(20, [true, false, true], "the agent");
        parties[2].assert_hears(20, [true, true, false], "the supervisor");
        Some(())
    });
}

/// A third party comes and goes: what the first hears of the second has no gap of more than 40 ms, and stays one stream.
#[test]
fn a_talk_becomes_a_conference_and_a_talk_again() {
    for codecs in [[Codec::Pcmu; 3], [Codec::Pcma, Codec::G722, Codec::Pcmu]] {
        run(|| {
            let mut rig = Rig::new(|_| {});
            let mut parties: Vec<Party> = [A, B, C]
                .into_iter()
                .enumerate()
                .map(|(n, endpoint)| Party::new(&mut rig, FIRST, endpoint, codecs[n], TONES[n]))
                .collect();
            rig.join();
            let (mut mixed, mut relayed) = (0, 0);
            let on_time = {
                let rig = &rig;
                speak(&mut parties, 150, |n| match n {
                    50 => {
                        hear(rig, &[(A, &[B, C]), (B, &[A, C]), (C, &[A, B])]);
                        mixed = n;
                    }
                    100 => {
                        rig.feed(C, Feed::Nothing);
                        rig.join();
                        relayed = n;
                    }
                    _ => {}
                })
            };
            on_time.then_some(())?;
            for (n, other) in [(0, 1), (1, 0)] {
                parties[n].assert_one_stream();
                let gap = parties[n].longest_gap(TONES[other]);
                assert!(gap <= 40, "party {n}: {gap} ms");
                let (all, party) = (parties[n].heard.len(), &parties[n]);
                assert!((140..=156).contains(&all), "{all} packets");
                let heard_third = |from: usize, to: usize| {
                    let samples: Vec<i16> = party.samples(0)[from * 160..to * 160].iter().map(|sample| *sample as i16).collect();
                    measure(&samples, TONES[2], 8_000.0).0
                };
                let thirds = [heard_third(10, 45), heard_third(60, 95), heard_third(110, 140)];
                assert!(thirds[0] < 300.0 && thirds[1] > 0.8 * LOUD && thirds[2] < 300.0, "{thirds:.0?}");
            }
            assert_eq!((mixed, relayed), (50, 100));
            Some(())
        });
    }
}

/// One of three leaves, and one holds: the others go on.
#[test]
fn who_leaves_is_missed_by_nobody() {
    run(|| {
        let mut rig = Rig::new(|_| {});
        let mut parties: Vec<Party> = [A, B, C]
            .into_iter()
            .zip(TONES)
            .map(|(endpoint, hz)| Party::new(&mut rig, FIRST, endpoint, Codec::Pcmu, hz))
            .collect();
        hear(&rig, &[(A, &[B, C]), (B, &[A, C]), (C, &[A, B])]);
        speak(&mut parties, 30, |_| {}).then_some(())?;
        let from = parties[0].heard.len() + 10;
        rig.close(C);
        speak(&mut parties[..2], 60, |_| {}).then_some(())?;
        parties[0].assert_hears(from, [false, true, false], "after one has left");
        parties[0].assert_one_stream();
        // Nobody is heard any more: a soft noise, not nothing.
        rig.close(B);
        let from = parties[0].heard.len() + 10;
        speak(&mut parties[..1], 30, |_| {}).then_some(())?;
        let noise = parties[0].samples(from);
        assert!(noise.iter().all(|sample| sample.abs() < 40.0) && noise.iter().any(|sample| *sample != 0.0));
        assert!(noise.len() > 10 * 160, "{}", noise.len());
        Some(())
    });
}

/// Whom one hears may open later, on this thread or on another. Until then nothing is heard; that somebody is nowhere is counted after 2 s.
#[test]
fn who_is_heard_may_open_later() {
    for thread in [FIRST, SECOND] {
        let mut rig = Rig::new(|settings| settings.threads = 2);
        let (one, mut other) = (Phone::new(Codec::Pcmu), Phone::new(Codec::Pcmu));
        rig.open_on(FIRST, A, one.remote());
        rig.feed(A, Feed::peer(B));
        assert_eq!(one.silence(Duration::from_millis(300)), 0);
        assert_eq!(rig.counter("nowhere") + rig.counter("bad_commands"), 0, "not yet");
        let leg = rig.open_on(thread, B, other.remote());
        one.rtp.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let heard = |other: &mut Phone| {
            other.say(leg, b"late");
            one.rtp.recv(&mut [0; 64]).is_ok()
        };
        assert!((0..500).any(|_| heard(&mut other)), "{thread:?}");
        assert_eq!(rig.counter("nowhere"), 0);
    }
    // And who never opens.
    let mut rig = Rig::new(|settings| settings.threads = 2);
    let one = Phone::new(Codec::Pcmu);
    rig.open_on(FIRST, A, one.remote());
    let begun = Instant::now();
    rig.feed(A, Feed::peer(B));
    while rig.counter("nowhere") == 0 {
        assert!(begun.elapsed() < PATIENCE, "it is never counted");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(begun.elapsed() >= Duration::from_millis(1_900), "{:?}", begun.elapsed());
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(rig.counter("nowhere"), 1, "once");
    // Oneself, and the same twice, make no sense.
    hear(&rig, &[(A, &[A, B, B])]);
    rig.settle();
    assert_eq!(rig.counter("bad_commands"), 2);
}

/// Takes the readers of taps.
fn readers(rig: &Rig) -> Receiver<(TapId, TapReader)> {
    let (sender, readers) = mpsc::channel();
    assert!(rig.handle.set_tap_sink(Arc::new(move |tap, reader| drop(sender.send((tap, reader))))));
    readers
}

#[test]
fn a_tap_has_what_one_says_and_what_one_hears() {
    run(|| {
        let mut rig = Rig::new(|_| {});
        let readers = readers(&rig);
        let mut parties: Vec<Party> = [A, B, C]
            .into_iter()
            .zip(TONES)
            .map(|(endpoint, hz)| Party::new(&mut rig, FIRST, endpoint, Codec::Pcmu, hz))
            .collect();
        rig.join();
        for (tap, side) in [(1, TapSide::Says), (2, TapSide::Hears)] {
            rig.send(MediaCommand::Tap { endpoint: A, tap: TapId(tap), side });
        }
        rig.settle();
        // Relayed, then mixed.
        let rig_now = &rig;
        speak(&mut parties, 100, |n| {
            if n == 50 {
                hear(rig_now, &[(A, &[B, C]), (B, &[A, C]), (C, &[A, B])]);
            }
        })
        .then_some(())?;
        let readers: BTreeMap<TapId, TapReader> = readers.try_iter().collect();
        let taken = |tap: u64| std::iter::from_fn(|| readers[&TapId(tap)].take()).collect::<Vec<_>>();
        let (says, hears) = (taken(1), taken(2));
        assert_eq!(says.len(), 100);
        assert!(says.iter().zip(0..).all(|(packet, n)| packet.payload[..] == parties[0].codes[n * 160..(n + 1) * 160]));
        // Just what the party has been sent.
        let sent: Vec<_> =
            parties[0].heard.iter().map(|(header, payload)| (header.sequence, header.timestamp, payload.clone())).collect();
        let tapped: Vec<_> = hears.iter().map(|packet| (packet.sequence, packet.timestamp, packet.payload.to_vec())).collect();
        assert!(tapped[..sent.len()] == sent[..] && tapped.len() <= sent.len() + 3, "{} and {}", tapped.len(), sent.len());
        rig.send(MediaCommand::Untap { endpoint: A, tap: TapId(1) });
        rig.close(A);
        assert!(readers.values().all(|reader| reader.ended() && reader.dropped() == 0));
        Some(())
    });
}

#[test]
fn a_tap_that_nobody_empties_holds_up_nobody() {
    let mut rig = Rig::new(|_| {});
    let (mut caller, agent) = (Phone::new(Codec::Pcmu), Phone::new(Codec::Pcmu));
    let leg = rig.open(A, caller.remote());
    rig.open(B, agent.remote());
    rig.join();
    // Nobody takes taps yet.
    rig.send(MediaCommand::Tap { endpoint: A, tap: TapId(1), side: TapSide::Says });
    assert_eq!(rig.counter("taps_refused"), 1);
    let readers = readers(&rig);
    for tap in 2..8 {
        rig.send(MediaCommand::Tap { endpoint: A, tap: TapId(tap), side: TapSide::Says });
    }
    rig.settle();
    assert_eq!(rig.counter("taps_refused"), 3, "four of one endpoint are enough");
    for n in 0..TAP_PACKETS + 100 {
        caller.say(leg, &(n as u32).to_be_bytes());
        assert_eq!(agent.hear().1, (n as u32).to_be_bytes());
    }
    let readers: BTreeMap<TapId, TapReader> = readers.try_iter().collect();
    assert_eq!(readers[&TapId(2)].dropped(), 100);
    assert_eq!(rig.counter("tap_dropped"), 400);
    let first = readers[&TapId(2)].take().unwrap();
    assert_eq!((&first.payload[..], first.codec), (&0u32.to_be_bytes()[..], Codec::Pcmu));
    assert!(readers[&TapId(7)].ended(), "it was refused");
}

/// A party that sends packets of another length, or nothing for a while, is heard as well; who cannot be decoded is not.
#[test]
fn who_cannot_be_decoded_is_counted() {
    let mut rig = Rig::new(|_| {});
    let (mut one, other) = (Phone::new(Codec::Pcmu), Phone::new(Codec::Pcmu));
    let opus = Remote { codec: Codec::Opus, send_payload_type: 111, receive_payload_type: 111, ..one.remote() };
    let leg = rig.open(A, opus);
    rig.open(B, other.remote());
    hear(&rig, &[(B, &[A, C])]);
    rig.settle();
    let packet = one.packet(111, &[1, 2, 3]);
    one.rtp.send_to(&packet, leg).unwrap();
    other.hear();
    assert_eq!(rig.counter("untranscodable"), 1);
    one.timestamp += 160;
    rig.settle();
}
