//! Voices at our own pace, and sums of them.

use super::audio::{measure, tone};
use crate::base::Codec;
use crate::base::seed::Seed;
use crate::rtp::g711::Law;
use crate::rtp::level::Level;
use crate::rtp::playout::{Playout, STEP};
use crate::rtp::transcode::encode_g722;

const RATE: f64 = 8_000.0;

fn coded(samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|sample| Law::Mu.encode(*sample)).collect()
}

/// What is heard of a G.711 payload.
fn heard_of(codes: &[u8]) -> Vec<i16> {
    codes.iter().map(|code| Law::Mu.decode(*code)).collect()
}

fn frame(playout: &mut Playout) -> Vec<i16> {
    playout.advance();
    playout.frame(false).to_vec()
}

#[test]
fn packets_of_any_length_in_any_order_are_one_voice() {
    let codes = coded(&tone(440.0, RATE, 9_000.0, 9_600));
    for size in [40, 80, 160, 240, 480, 37] {
        let mut playout = Playout::default();
        let mut seed = Seed::from_number(size as u64);
        let (mut heard, first) = (Vec::new(), 4_294_960_000u32);
        let packets: Vec<_> =
            codes.chunks(size).enumerate().map(|(n, chunk)| (first.wrapping_add((n * size) as u32), chunk)).collect();
        // The first of all first; of the others some at a time are shuffled, and come twice.
        let mut sent = 0;
        let mut give = |playout: &mut Playout, upto: usize| {
            while sent < packets.len() && sent * size < upto {
                let group = if sent == 0 { 1 } else { (640 / size).max(2).min(packets.len() - sent) };
                let mut order: Vec<usize> = (sent..sent + group).collect();
                order.sort_by_key(|_| seed.next_u32());
                for at in order.iter().chain(&order) {
                    playout.packet(Codec::Pcmu, 7, packets[*at].0, packets[*at].1);
                }
                sent += group;
            }
        };
        for n in 0..codes.len() / STEP {
            give(&mut playout, (n + 1) * STEP + size);
            heard.extend(frame(&mut playout));
        }
        assert!(heard == heard_of(&codes), "packets of {size} bytes");
    }
}

#[test]
fn what_is_lost_is_concealed() {
    let codes = coded(&tone(520.0, RATE, 9_000.0, 80_000));
    let mut playout = Playout::default();
    let mut heard = Vec::new();
    for (n, chunk) in codes.chunks(STEP).enumerate() {
        if n % 8 != 7 {
            playout.packet(Codec::Pcmu, 7, (n * STEP) as u32, chunk);
        }
        heard.extend(frame(&mut playout));
    }
    // Whoever looks at each 20 ms hears the tone in all of them, lost or not, with no click: a click is a step that the tone never makes.
    let steps = heard.windows(2).map(|two| (i32::from(two[1]) - i32::from(two[0])).abs());
    assert!(steps.max() < Some(4_600), "the tone's own steps are {:.0}", 9_000.0 * std::f64::consts::TAU * 520.0 / RATE);
    for (n, frame) in heard.chunks(STEP).enumerate() {
        let power = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / STEP as f64;
        assert!((power * 2.0).sqrt() > 6_500.0, "frame {n}: {:.0}", (power * 2.0).sqrt());
    }
}

#[test]
fn who_says_nothing_more_fades_away_and_is_heard_at_once_when_they_go_on() {
    let codes = coded(&tone(300.0, RATE, 9_000.0, 3_200));
    let mut playout = Playout::default();
    for (n, chunk) in codes.chunks(STEP).enumerate() {
        playout.packet(Codec::Pcmu, 7, (n * STEP) as u32, chunk);
        frame(&mut playout);
    }
    let peaks: Vec<i16> = (0..10).map(|_| frame(&mut playout).into_iter().max().unwrap()).collect();
    assert!(peaks[0] > 8_000 && peaks[1] > 3_000 && peaks[3..].iter().all(|peak| *peak == 0), "{peaks:?}");
    assert!(!playout.is_heard());
    // Half a second later, as their clock has it: what was not said is not waited for.
    let again = 3_200 + 4_000;
    playout.packet(Codec::Pcmu, 7, again, &codes[..STEP]);
    let spoken = frame(&mut playout);
    assert_eq!(spoken[40..], heard_of(&codes[..STEP])[40..]);
    assert!(playout.is_heard());
}

#[test]
fn a_delay_that_is_not_needed_any_more_is_given_up() {
    let codes = coded(&tone(250.0, RATE, 9_000.0, 160_000));
    let mut playout = Playout::default();
    let mut held_up = 0;
    for (n, chunk) in codes.chunks(STEP).enumerate() {
        // For once nothing comes for 120 ms, and then all of it.
        if (20..26).contains(&n) {
            held_up += 1;
        } else if n == 26 {
            for late in 20..=26 {
                assert!(playout.packet(Codec::Pcmu, 7, (late * STEP) as u32, &codes[late * STEP..(late + 1) * STEP]));
            }
        } else {
            playout.packet(Codec::Pcmu, 7, (n * STEP) as u32, chunk);
        }
        frame(&mut playout);
        if n == 30 {
            assert!(format!("{playout:?}").contains(&format!("{} held", held_up * STEP)), "nothing was lost: {playout:?}");
        }
    }
    let held: usize = format!("{playout:?}").split(' ').nth(1).unwrap().parse().unwrap();
    assert!(held < 240, "{held}");
}

#[test]
fn garbage_is_no_danger() {
    let mut seed = Seed::from_number(5);
    let mut playout = Playout::default();
    for _ in 0..200_000 {
        let codec = Codec::ALL[seed.below(4) as usize];
        let (len, ssrc) = (seed.below(600) as usize, seed.below(3) as u32);
        let timestamp = if seed.below(2) == 0 { seed.next_u32() } else { seed.below(4_096) as u32 };
        let taken = playout.packet(codec, ssrc, timestamp, &vec![0x42; len]);
        assert!(!taken || codec != Codec::Opus);
        if seed.below(3) == 0 {
            playout.advance();
            assert_eq!((playout.frame(false).len(), playout.frame(true).len()), (STEP, 2 * STEP));
        }
    }
}

#[test]
fn a_voice_is_heard_at_either_rate() {
    let wide = tone(1_200.0, 16_000.0, 8_000.0, 32_000);
    let mut codes = vec![0; wide.len() / 2];
    encode_g722(&mut Default::default(), &wide, &mut codes);
    let mut narrow_codes = coded(&tone(1_200.0, RATE, 8_000.0, 16_000));
    narrow_codes.truncate(codes.len());
    for (codec, codes) in [(Codec::G722, codes), (Codec::Pcmu, narrow_codes)] {
        let mut playout = Playout::default();
        let (mut low, mut high) = (Vec::new(), Vec::new());
        for (n, chunk) in codes.chunks(STEP).enumerate() {
            playout.packet(codec, 7, (n * STEP) as u32, chunk);
            playout.advance();
            low.extend(playout.frame(false).to_vec());
            high.extend(playout.frame(true).to_vec());
        }
        let (low, high) = (measure(&low[800..], 1_200.0, RATE), measure(&high[1_600..], 1_200.0, 16_000.0));
        assert!((7_600.0..8_400.0).contains(&low.0) && low.1 < -30.0, "{codec}: {low:?}");
        assert!((7_600.0..8_400.0).contains(&high.0) && high.1 < -30.0, "{codec}: {high:?}");
    }
}

/// The sum of some tones as it is heard, in G.711.
fn sum(tones: &[(f64, f64)], seconds: usize) -> Vec<i16> {
    let tones: Vec<_> = tones.iter().map(|(hz, amplitude)| tone(*hz, RATE, *amplitude, 8_000 * seconds)).collect();
    let mut level = Level::default();
    let mut heard = Vec::new();
    for n in 0..8_000 * seconds / STEP {
        let sum: Vec<i32> = (n * STEP..(n + 1) * STEP).map(|at| tones.iter().map(|tone| i32::from(tone[at])).sum()).collect();
        let mut out = [0; STEP];
        level.run(&sum, &mut out);
        heard.extend(heard_of(&coded(&out)));
    }
    heard
}

#[test]
fn three_tones_at_full_scale_stay_under_it() {
    let tones = [(397.0, 32_767.0), (701.0, 32_767.0), (1_103.0, 32_767.0)];
    let heard = sum(&tones, 8);
    assert!(heard.iter().all(|sample| sample.abs() < 32_000));
    // Whatever is not one of the three is distortion.
    let settled = &heard[8_000..];
    let power = settled.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / settled.len() as f64;
    let amplitudes = tones.map(|(hz, _)| measure(settled, hz, RATE).0);
    let of_tones: f64 = amplitudes.iter().map(|amplitude| amplitude.powi(2) / 2.0).sum();
    let distortion = ((power - of_tones).max(0.0) / of_tones).sqrt();
    assert!(distortion < 0.03, "{:.2}%", 100.0 * distortion);
    assert!(
        amplitudes.iter().all(|amplitude| (9_000.0..11_000.0).contains(amplitude)),
        "all are turned down alike: {amplitudes:?}"
    );
}

#[test]
fn what_is_soft_enough_is_left_alone_and_what_was_turned_down_comes_back() {
    let soft = tone(500.0, RATE, 9_000.0, 8_000);
    assert_eq!(sum(&[(500.0, 9_000.0)], 1), heard_of(&coded(&soft)));
    let mut level = Level::default();
    let mut out = [0; STEP];
    level.run(&[90_000; STEP], &mut out);
    assert!(out[STEP - 1] <= 30_000);
    let heard_after = |level: &mut Level, frames: usize| {
        let mut out = [0; STEP];
        (0..frames).for_each(|_| level.run(&[9_000; STEP], &mut out));
        out[STEP - 1]
    };
    assert!(heard_after(&mut level, 40) < 3_100, "not at once, for it may be loud again");
    assert_eq!(heard_after(&mut level, 300), 9_000);
    let mut noise = [0; 8_000];
    level.comfort(&mut noise);
    assert!(noise.iter().all(|sample| sample.abs() <= 15) && noise.iter().any(|sample| *sample > 10));
    assert!(noise.iter().map(|sample| i32::from(*sample)).sum::<i32>().abs() < 8_000);
}
