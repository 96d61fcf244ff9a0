//! Headers, reception statistics and the one outgoing stream.

use std::time::Duration;

use proptest::prelude::*;

use crate::base::Time;
use crate::rtp::packet::{Header, Outgoing, RtpError, is_rtcp};
use crate::rtp::reception::{Arrival, Reception};
use crate::rtp::{Continuity, seq_after};

const PLAIN: Outgoing = Outgoing { marker: true, payload_type: 8, sequence: 0x1234, timestamp: 0x89ab_cdef, ssrc: 0xdead_beef };

#[test]
fn headers() {
    let mut packet = PLAIN.bytes().to_vec();
    packet.extend([1, 2, 3, 4]);
    let header = Header::read(&packet).unwrap();
    assert_eq!((header.marker, header.payload_type, header.sequence), (true, 8, 0x1234));
    assert_eq!((header.timestamp, header.ssrc, header.payload(&packet)), (0x89ab_cdef, 0xdead_beef, &[1, 2, 3, 4][..]));
    // Two CSRCs, an extension of one word, three bytes of padding.
    let mut full = PLAIN.bytes().to_vec();
    full[0] = 0x80 | 0x20 | 0x10 | 2;
    full.extend([0; 8]);
    full.extend([0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
    full.extend([7, 7, 0, 0, 3]);
    assert_eq!(Header::read(&full).unwrap().payload(&full), [7, 7]);
    // Rewritten in place, the rest stays.
    let other = Outgoing { marker: false, payload_type: 0, sequence: 1, timestamp: 2, ssrc: 3 };
    let before = full[12..].to_vec();
    other.rewrite(&mut full);
    let header = Header::read(&full).unwrap();
    assert_eq!((header.marker, header.payload_type, header.sequence, header.timestamp, header.ssrc), (false, 0, 1, 2, 3));
    assert_eq!((full[0] & 0x3f, &full[12..]), (0x32, &before[..]));
}

#[test]
fn headers_that_lie() {
    let good = PLAIN.bytes();
    let with = |first: u8, rest: &[u8]| {
        let mut packet = good.to_vec();
        packet[0] = first;
        packet.extend(rest);
        Header::read(&packet)
    };
    assert_eq!(Header::read(&good[..11]), Err(RtpError::Short));
    assert_eq!(with(0x40, &[]), Err(RtpError::Version));
    assert_eq!(with(0x81, &[0; 3]), Err(RtpError::Short));
    assert_eq!(with(0x90, &[0; 3]), Err(RtpError::Short));
    assert_eq!(with(0x90, &[0, 0, 0xff, 0xff]), Err(RtpError::Short));
    assert_eq!(with(0xa0, &[0]), Err(RtpError::Padding));
    assert_eq!(with(0xa0, &[9]), Err(RtpError::Padding));
    assert!(with(0xa0, &[1]).is_ok());
    assert!(is_rtcp(&[0x80, 200]) && is_rtcp(&[0x80, 223]) && !is_rtcp(&[0x80, 0x80 | 8]) && !is_rtcp(&[0x80]));
}

#[test]
fn loss_is_counted_across_the_wrap() {
    let mut reception = Reception::default();
    let mut sequence: u16 = 65_500;
    for n in 0..100u32 {
        if n % 10 != 5 {
            reception.packet(1, sequence, n * 160, n * 160 + 7);
        }
        sequence = sequence.wrapping_add(1);
    }
    assert_eq!((reception.received_total(), reception.lost_total(), reception.jitter()), (90, 10, 0));
    let block = reception.report().unwrap();
    assert_eq!((block.lost, block.fraction_lost, block.highest), (10, 25, 65_599));
    // Nothing since: no loss in the new interval.
    assert_eq!(reception.report().unwrap().fraction_lost, 0);
}

#[test]
fn order_and_restarts() {
    let mut reception = Reception::default();
    assert_eq!(reception.report(), None);
    let mut take = |ssrc, sequence| reception.packet(ssrc, sequence, 0, 0);
    assert_eq!(take(1, 100), Arrival::First);
    assert_eq!(take(1, 101), Arrival::Next);
    assert_eq!(take(1, 104), Arrival::Next);
    assert_eq!(take(1, 102), Arrival::Late);
    assert_eq!(take(1, 104), Arrival::Late);
    assert_eq!(take(1, 40_000), Arrival::Wild);
    assert_eq!(take(1, 40_000), Arrival::Wild);
    assert_eq!(take(1, 40_001), Arrival::First);
    assert_eq!(take(2, 7), Arrival::First);
    assert_eq!(reception.ssrc(), Some(2));
    // 100 101 104 102 104 | 40001 | 7; only 103 is missing, and one too many came.
    assert_eq!((reception.received_total(), reception.lost_total()), (7, 0));
}

#[test]
fn jitter_is_that_of_the_rfc() {
    // A.8: packets that come alternately 0 and 10 ms late settle at J = D: 80 units.
    let mut reception = Reception::default();
    for n in 0..500u32 {
        reception.packet(1, n as u16, n * 160, n * 160 + (n % 2) * 80);
    }
    assert!((75..=80).contains(&reception.jitter()), "{}", reception.jitter());
}

#[test]
fn one_stream_from_music_to_a_party_and_back() {
    let mut stream = Continuity::new(9, 65_530, u32::MAX - 500);
    let mut now = Time::from_secs(100);
    let mut places = Vec::new();
    for _ in 0..5 {
        places.push(stream.own(160, now));
        now = now + Duration::from_millis(20);
    }
    for n in 0..5u16 {
        places.push(stream.relayed(77, 500 + n, 1_000_000 + u32::from(n) * 160, now).unwrap());
        now = now + Duration::from_millis(20);
    }
    // Another agent, a second later.
    now = now + Duration::from_secs(1);
    places.push(stream.relayed(78, 9, 5, now).unwrap());
    now = now + Duration::from_millis(20);
    places.push(stream.own(160, now));
    for two in places.windows(2) {
        assert_eq!(two[1].sequence, two[0].sequence.wrapping_add(1));
        let step = two[1].timestamp.wrapping_sub(two[0].timestamp);
        assert!(step == 160 || step == 8_160, "{step}");
    }
    let firsts: Vec<_> = places.iter().map(|place| place.first).collect();
    assert_eq!(firsts.iter().filter(|first| **first).count(), 4);
    assert!(firsts[0] && firsts[5] && firsts[10] && firsts[11]);
}

#[test]
fn a_partys_own_gaps_and_order_are_passed_on() {
    let mut stream = Continuity::new(9, 0, 0);
    let now = Time::from_secs(1);
    let mut sequence = |n: u16| stream.relayed(1, n, u32::from(n) * 160, now).map(|place| place.sequence);
    assert_eq!([sequence(10), sequence(11), sequence(14), sequence(13)], [Some(1), Some(2), Some(5), Some(4)]);
    // What was sent before this party began has no place in its stretch.
    assert_eq!(sequence(9), None);
    // A restart with the same SSRC goes on without a hole.
    assert_eq!([sequence(30_000), sequence(30_001)], [Some(6), Some(7)]);
}

#[test]
fn what_is_left_out_leaves_no_hole() {
    let mut stream = Continuity::new(9, 0, 0);
    let now = Time::from_secs(1);
    assert_eq!(stream.relayed(1, 10, 0, now).unwrap().sequence, 1);
    stream.skip(1, 11);
    stream.skip(1, 12);
    assert_eq!(stream.relayed(1, 13, 480, now).unwrap().sequence, 2);
    assert_eq!(stream.relayed(1, 14, 640, now).unwrap().sequence, 3);
}

#[test]
fn a_late_thread_catches_up_in_time_not_in_packets() {
    let mut stream = Continuity::new(9, 0, 0);
    let begin = Time::from_secs(1);
    stream.own(160, begin);
    assert_eq!(stream.own(160, begin + Duration::from_millis(33)).timestamp, 160);
    assert_eq!(stream.own(160, begin + Duration::from_millis(533)).timestamp, 160 + 4_000);
    assert_eq!(stream.timestamp_at(begin + Duration::from_millis(633)), 160 + 4_800);
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(header) = Header::read(&bytes) {
            prop_assert!(header.payload(&bytes).len() <= bytes.len() - 12);
        }
    }

    /// However sources change, no number is used twice in a row and none goes back over a change.
    #[test]
    fn changes_never_go_back(steps in prop::collection::vec((0u8..4, any::<u16>(), any::<u32>(), 0u64..100_000), 1..60)) {
        let mut stream = Continuity::new(9, 65_000, 7);
        let mut now = Time::from_secs(1);
        let mut last = None::<u16>;
        for (kind, sequence, timestamp, passed) in steps {
            now = now + Duration::from_micros(passed);
            let place = match kind {
                0 => Some(stream.own(160, now)),
                1 => { stream.cut(); None }
                _ => stream.relayed(u32::from(kind), sequence, timestamp, now),
            };
            if let Some(place) = place.filter(|place| place.first) {
                prop_assert!(last.is_none_or(|last| seq_after(place.sequence, last)));
            }
            if let Some(place) = place {
                last = Some(last.filter(|last| seq_after(*last, place.sequence)).unwrap_or(place.sequence));
            }
        }
    }
}
