//! G.711 against the values of the recommendation, all transcoders by a tone that must come out as it went in.

use std::f64::consts::TAU;

use crate::base::Codec;
use crate::rtp::g711::Law;
use crate::rtp::resample::{Doubler, Halver};
use crate::rtp::transcode::{Transcoder, decode_g722, encode_g722};

pub(super) fn tone(hz: f64, rate_hz: f64, amplitude: f64, samples: usize) -> Vec<i16> {
    (0..samples).map(|n| (amplitude * (TAU * hz * n as f64 / rate_hz).sin()) as i16).collect()
}

/// The amplitude of one frequency (Goertzel), and the level of all else relative to it in dB.
pub(super) fn measure(samples: &[i16], hz: f64, rate_hz: f64) -> (f64, f64) {
    let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let (sin, cos) = (TAU * hz * n as f64 / rate_hz).sin_cos();
        re += f64::from(*sample) * cos;
        im += f64::from(*sample) * sin;
        power += f64::from(*sample).powi(2);
    }
    let count = samples.len() as f64;
    let amplitude = 2.0 * re.hypot(im) / count;
    let rest = (power / count - amplitude.powi(2) / 2.0).max(1e-9);
    (amplitude, 10.0 * (rest / (amplitude.powi(2) / 2.0).max(1e-9)).log10())
}

#[test]
fn g711_has_the_values_of_the_recommendation() {
    // G.711 tables 1a and 2a: the ends of the segments, and silence.
    for (code, sample) in
        [(0xff, 0), (0x7f, 0), (0x80, 32_124), (0x00, -32_124), (0xf0, 120), (0xe0, 372), (0xef, 132), (0x90, 15_996)]
    {
        assert_eq!(Law::Mu.decode(code), sample, "{code:#x}");
    }
    for (code, sample) in [(0xd5, 8), (0x55, -8), (0xaa, 32_256), (0x2a, -32_256), (0xda, 248), (0xc5, 264), (0xca, 504)] {
        assert_eq!(Law::A.decode(code), sample, "{code:#x}");
    }
    assert_eq!((Law::Mu.encode(0), Law::A.encode(0), Law::A.encode(-1)), (0xff, 0xd5, 0x55));
    assert_eq!((Law::Mu.encode(i16::MAX), Law::Mu.encode(i16::MIN)), (0x80, 0x00));
    assert_eq!((Law::A.encode(i16::MAX), Law::A.encode(i16::MIN)), (0xaa, 0x2a));
}

#[test]
fn g711_encodes_within_half_a_step() {
    for law in [Law::Mu, Law::A] {
        for sample in i16::MIN..=i16::MAX {
            let error = (i32::from(law.decode(law.encode(sample))) - i32::from(sample)).abs();
            // Half a step, which is a 32nd of where its segment begins.
            let half_step = (i32::from(sample).abs() + 132) / 32 + 4;
            assert!(error <= half_step, "{law:?} {sample}: {error}");
        }
        for code in 0..=255 {
            let again = law.encode(law.decode(code));
            // μ-law has two zeros.
            assert!(again == code || law.decode(again) == law.decode(code), "{law:?} {code:#x}");
        }
    }
}

#[test]
fn half_band_passes_speech_and_stops_what_would_fold() {
    for (hz, least, most) in
        [(300.0, -0.1, 0.1), (1_000.0, -0.1, 0.1), (3_400.0, -0.6, 0.1), (5_000.0, -120.0, -50.0), (6_500.0, -120.0, -50.0)]
    {
        let input = tone(hz, 16_000.0, 10_000.0, 16_000);
        let mut out = vec![0; 8_000];
        Halver::default().run(&input, &mut out);
        let folded = if hz > 4_000.0 { 8_000.0 - hz } else { hz };
        let gain = 20.0 * (measure(&out[80..], folded, 8_000.0).0 / 10_000.0).max(1e-6).log10();
        assert!((least..=most).contains(&gain), "{hz} Hz: {gain:.2} dB");
    }
    for hz in [300.0, 1_000.0, 3_000.0] {
        let mut out = vec![0; 16_000];
        Doubler::default().run(&tone(hz, 8_000.0, 10_000.0, 8_000), &mut out);
        let (amplitude, rest) = measure(&out[160..], hz, 16_000.0);
        assert!((amplitude - 10_000.0).abs() < 150.0 && rest < -45.0, "{hz} Hz: {amplitude:.0}, rest {rest:.1} dB");
    }
}

#[test]
fn full_scale_is_clipped_not_wrapped() {
    // The input that makes the sum largest: each sample has the sign of its tap.
    let taps = [1, -1, 1, -1, 1, -1, 1, -1].map(|sign: i16| if sign > 0 { i16::MAX } else { i16::MIN });
    let worst: Vec<i16> = taps.iter().rev().chain(&taps).copied().collect();
    let mut doubled = [0; 32];
    Doubler::default().run(&worst, &mut doubled);
    assert_eq!(doubled[31], i16::MAX);
    let spread: Vec<i16> = worst.iter().flat_map(|sample| [*sample, i16::MAX]).collect();
    let mut halved = [0; 16];
    Halver::default().run(&spread, &mut halved);
    assert!(halved.contains(&i16::MAX), "{halved:?}");
}

fn encode(codec: Codec, hz: f64, amplitude: f64) -> Vec<u8> {
    match codec {
        Codec::G722 => {
            let mut out = vec![0; 8_000];
            encode_g722(&mut Default::default(), &tone(hz, 16_000.0, amplitude, 16_000), &mut out);
            out
        }
        _ => tone(hz, 8_000.0, amplitude, 8_000).into_iter().map(|sample| law(codec).encode(sample)).collect(),
    }
}

fn law(codec: Codec) -> Law {
    if codec == Codec::Pcma { Law::A } else { Law::Mu }
}

#[test]
fn every_transcoder_keeps_a_tone() {
    let codecs = [Codec::Pcmu, Codec::Pcma, Codec::G722];
    for from in codecs {
        for to in codecs.into_iter().filter(|to| *to != from) {
            for (hz, amplitude) in [(440.0, 8_000.0), (1_004.0, 3_000.0), (2_600.0, 6_000.0)] {
                let mut transcoder = Transcoder::new(from, to).unwrap();
                let mut out = vec![0; 8_000];
                for (payload, out) in encode(from, hz, amplitude).chunks(160).zip(out.chunks_mut(160)) {
                    assert_eq!(transcoder.run(payload, out), payload.len());
                }
                let (samples, rate_hz) = if to == Codec::G722 {
                    let mut samples = vec![0; 16_000];
                    decode_g722(&mut Default::default(), &out, &mut samples);
                    (samples, 16_000.0)
                } else {
                    (out.iter().map(|code| law(to).decode(*code)).collect(), 8_000.0)
                };
                let (heard, rest) = measure(&samples[800..], hz, rate_hz);
                let gain = 20.0 * (heard / amplitude).log10();
                assert!(gain.abs() < 0.5 && rest < -28.0, "{from} to {to}, {hz} Hz: {gain:.2} dB, rest {rest:.1} dB");
            }
        }
    }
}

#[test]
fn what_cannot_be_transcoded_has_no_transcoder() {
    for codec in Codec::ALL {
        assert!(Transcoder::new(codec, codec).is_none() && Transcoder::new(codec, Codec::Opus).is_none());
        assert!(Transcoder::new(Codec::Opus, codec).is_none());
    }
}

#[test]
fn odd_lengths_are_transcoded_whole() {
    for (from, to) in [(Codec::Pcmu, Codec::G722), (Codec::G722, Codec::Pcma), (Codec::Pcma, Codec::Pcmu)] {
        for len in [0, 1, 79, 80, 81, 160, 479] {
            let mut out = [0; 400];
            assert_eq!(Transcoder::new(from, to).unwrap().run(&vec![0xd5; len], &mut out), len.min(400));
        }
    }
}
