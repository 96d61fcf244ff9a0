//! The recordings that hotline brings along: all there, of a decent length and level, whole in every codec.

use hotline::base::Codec;
use hotline::media::Library;
use hotline::rtp::g711::Law;

/// Level in dB below full scale, and the highest sample.
fn level(samples: &[i16]) -> (f64, i32) {
    let power = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64;
    let peak = samples.iter().map(|sample| i32::from(*sample).abs()).max().unwrap_or(0);
    (10.0 * (power / 32_768f64.powi(2)).log10(), peak)
}

#[test]
fn every_recording_can_be_heard() {
    let library = Library::embedded();
    let mut seconds = 0.0;
    for name in library.names() {
        let clip = library.get(name).unwrap();
        let length = clip.duration().as_secs_f64();
        seconds += length;
        let (shortest, longest) = if name.starts_with("music/") { (20.0, 30.0) } else { (0.6, 8.0) };
        assert!((shortest..longest).contains(&length), "{name}: {length} s");
        for (codec, law) in [(Codec::Pcmu, Law::Mu), (Codec::Pcma, Law::A)] {
            let payload = clip.payload(codec).unwrap();
            assert_eq!(payload.len() as u32, clip.frames() * 160);
            let samples: Vec<i16> = payload.iter().map(|code| law.decode(*code)).collect();
            let (rms, peak) = level(&samples);
            assert!((-25.0..-17.0).contains(&rms), "{name} in {codec}: {rms:.1} dBFS");
            // The last step of both laws is where they clip.
            assert!(peak < 32_000, "{name} in {codec}: peak {peak}");
            // It begins and ends at rest, as G.722 must and ears like.
            let edge = 8 * 20;
            for (place, part) in [("beginning", &samples[..edge]), ("end", &samples[samples.len() - edge..])] {
                let (quiet, _) = level(part);
                assert!(quiet < -40.0, "{name} in {codec}: its {place} is at {quiet:.1} dBFS");
            }
        }
        assert_eq!(clip.payload(Codec::G722).unwrap().len() as u32, clip.frames() * 160);
        assert!(clip.payload(Codec::Opus).is_none());
    }
    // What is embedded is part of the program: 8 kB a second.
    assert!((100.0..360.0).contains(&seconds), "{seconds:.0} s in all");
}

#[test]
fn every_language_has_every_recording() {
    let library = Library::embedded();
    for language in ["en", "ko", "zh"] {
        let places = (1..=20).map(|place| format!("place-{place}"));
        let waits = [2, 5, 10, 15, 20, 30, 45, 60].map(|minutes| format!("wait-{minutes}"));
        let told = ["wait-more", "wait-unknown", "wait-overdue"].map(String::from);
        let words = ["greeting", "language", "hold", "place-more", "closed", "nobody", "goodbye", "ready", "break", "wrap-up"];
        for word in words.into_iter().map(String::from).chain(places).chain(waits).chain(told) {
            assert!(library.get(&format!("{language}/{word}")).is_some(), "{language}/{word}");
        }
    }
    assert!(library.get("music/default").is_some());
}

#[test]
fn a_directory_adds_and_replaces() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::create_dir(path("en")).unwrap();
    let mut library = Library::embedded();
    let before = library.get("en/greeting").unwrap().frames();
    std::fs::write(path("en/greeting.g722"), vec![0xfa; 160 * 7]).unwrap();
    std::fs::write(path("en/notes.txt"), "not a recording").unwrap();
    library.load(directory.path()).unwrap();
    assert_ne!(before, 7);
    assert_eq!(library.get("en/greeting").unwrap().frames(), 7);
    assert!(library.get("en/notes").is_none());
    std::fs::write(path("en/bad.wav"), "RIFF").unwrap();
    assert!(library.load(directory.path()).unwrap_err().to_string().contains("bad.wav"));
    assert!(library.load(&path("nowhere")).is_err());
}
