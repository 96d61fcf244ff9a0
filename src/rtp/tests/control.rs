//! RTCP written and read, and key presses as phones really send them.

use proptest::prelude::*;
use std::time::Duration;

use crate::base::Time;
use crate::rtp::continuity::Continuity;
use crate::rtp::key::{KeyReader, KeyWriter, event_of};
use crate::rtp::reception::Block;
use crate::rtp::rtcp::{self, Sender};

#[test]
fn rtcp_is_read_as_it_was_written() {
    let sender = Sender { ntp: rtcp::ntp(Time::from_micros(1_700_000_000_500_000)), timestamp: 7, packets: 8, bytes: 9 };
    let block =
        Block { ssrc: 5, fraction_lost: 64, lost: -3, highest: 0x1_0002, jitter: 11, last_sr: 12, delay_since_last_sr: 13 };
    let mut bytes = Vec::new();
    for (sender, block, len) in
        [(Some(sender), Some(block), 52), (Some(sender), None, 28), (None, Some(block), 32), (None, None, 8)]
    {
        rtcp::write(&mut bytes, 77, sender.as_ref(), block.as_ref(), 0x0123_4567_89ab_cdef);
        assert_eq!(bytes.len(), len + 28);
        assert!(bytes.windows(16).any(|text| text == b"0123456789abcdef"));
        let heard = rtcp::read(&bytes, 5).unwrap();
        assert_eq!(heard.sender, sender.map(|sender| (77, sender)));
        assert_eq!(heard.about_us, block);
        assert_eq!(rtcp::read(&bytes, 6).unwrap().about_us, None);
        // Every truncation is refused.
        for end in 0..bytes.len() {
            assert!(end == len || rtcp::read(&bytes[..end], 5).is_none(), "{end}");
        }
    }
    // A goodbye after the report; a goodbye alone is not a compound packet.
    rtcp::write(&mut bytes, 77, None, None, 0);
    bytes.extend([0x81, 203, 0, 1, 0, 0, 0, 77]);
    assert!(rtcp::read(&bytes, 5).unwrap().bye);
    assert_eq!(rtcp::read(&[0x81, 203, 0, 1, 0, 0, 0, 77], 5), None);
}

#[test]
fn round_trip_times() {
    let sent = Time::from_micros(1_700_000_000_000_000);
    let block = Block { last_sr: rtcp::middle(rtcp::ntp(sent)), delay_since_last_sr: 2 << 16, ..Block::default() };
    let trip = rtcp::round_trip(&block, sent + Duration::from_millis(2_050)).unwrap();
    assert!(trip.abs_diff(Duration::from_millis(50)) < Duration::from_micros(50), "{trip:?}");
    assert_eq!(rtcp::round_trip(&block, sent), None);
    assert_eq!(rtcp::round_trip(&Block::default(), sent), None);
}

/// Feeds (timestamp, marker, event, ended, duration) and collects the digits.
fn keys(packets: &[(u32, bool, u8, bool, u16)]) -> String {
    let mut reader = KeyReader::default();
    let mut read = |&(timestamp, marker, event, ended, duration): &(u32, bool, u8, bool, u16)| {
        let [high, low] = duration.to_be_bytes();
        reader.packet(timestamp, marker, &[event, u8::from(ended) << 7 | 10, high, low])
    };
    packets.iter().filter_map(&mut read).collect()
}

#[test]
fn one_digit_a_press() {
    let press = |at: u32, event| {
        (0..5u16).map(move |n| (at, n == 0, event, false, n * 160)).chain((0..3).map(move |_| (at, false, event, true, 800)))
    };
    let both: Vec<_> = press(1_000, 5).chain(press(9_000, 5)).chain(press(20_000, 11)).collect();
    assert_eq!(keys(&both), "55#");
    // Whichever single packet of a press arrives, it is one press.
    for only in &both {
        assert_eq!(keys(std::slice::from_ref(only)).len(), 1);
    }
    // Lost beginning; only the end; the end of an earlier press again, after the next began.
    assert_eq!(keys(&both[3..]), "55#");
    assert_eq!(keys(&[both[7], both[8], both[7], both[9]]), "55");
    // No key: flash, and what is too short.
    assert_eq!(keys(&[(1, true, 16, false, 0)]), "");
    assert_eq!(KeyReader::default().packet(1, true, &[1, 2, 3]), None);
}

#[test]
fn long_presses_and_creeping_timestamps_are_one_press() {
    let long = [
        (100, true, 1, false, 160),
        (100, false, 1, false, 65_535),
        (65_635, false, 1, false, 160),
        (65_635, false, 1, true, 400),
    ];
    assert_eq!(keys(&long), "1");
    let creeping: Vec<_> = (0..8u16).map(|n| (u32::from(n) * 160, n == 0, 7, n > 5, n * 160)).collect();
    assert_eq!(keys(&creeping), "7");
    // The same key again with its first packets and the other's end lost: its duration begins anew.
    assert_eq!(keys(&[(0, true, 7, false, 160), (0, false, 7, false, 640), (4_000, false, 7, false, 320)]), "77");
}

#[test]
fn what_is_written_is_read() {
    for digit in "0123456789*#ABCD".chars() {
        let mut stream = Continuity::new(1, 10, 1_000);
        let mut writer = KeyWriter::new(digit, 8_000).unwrap();
        let mut reader = KeyReader::default();
        let mut now = Time::from_secs(5);
        let mut heard = String::new();
        let mut packets = Vec::new();
        while let Some((place, payload)) = writer.next(&mut stream, now) {
            heard.extend(reader.packet(place.timestamp, place.first, &payload));
            packets.push((place, payload));
            now = now + Duration::from_millis(20);
        }
        assert_eq!(heard, digit.to_string());
        assert_eq!(packets.len(), 8);
        assert_eq!(packets.iter().filter(|(_, payload)| payload[1] & 0x80 != 0).count(), 3);
        assert!(
            packets.windows(2).all(|two| two[0].0.sequence + 1 == two[1].0.sequence && two[0].0.timestamp == two[1].0.timestamp)
        );
        // What follows is timed after the press.
        assert_eq!(stream.own(160, now).timestamp, 1_000 + 8 * 160);
    }
    assert!(KeyWriter::new('x', 8_000).is_none() && event_of('e').is_none() && event_of('d') == Some(15));
}

proptest! {
    #[test]
    fn nothing_from_outside_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), timestamps in prop::collection::vec(any::<u32>(), 0..20)) {
        let _ = rtcp::read(&bytes, 1);
        let mut reader = KeyReader::default();
        for timestamp in timestamps {
            let _ = reader.packet(timestamp, timestamp & 1 == 0, &bytes);
        }
    }

    /// Well-formed heads with lying counts and lengths.
    #[test]
    fn lying_rtcp_is_refused_or_read(count in 0u8..32, kind in 199u8..206, words in 0u16..20, body in prop::collection::vec(any::<u8>(), 0..96)) {
        let mut bytes = vec![0x80 | count, kind];
        bytes.extend(words.to_be_bytes());
        bytes.extend(body);
        let _ = rtcp::read(&bytes, 0);
    }
}
