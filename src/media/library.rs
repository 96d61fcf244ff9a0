//! The recordings, each in every form in which it is played, so that a waiting caller costs no encoding.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use audio_codec::g722::{G722Decoder, G722Encoder};

use super::embedded;
use super::wav::{self, WavError};
use crate::base::Codec;
use crate::rtp::g711::Law;
use crate::rtp::resample::Halver;
use crate::rtp::transcode::{decode_g722, encode_g722};

/// Bytes of payload in a packet of 20 ms, in all of G.711 and G.722.
pub(super) const FRAME: usize = 160;
const SAMPLES_PER_FRAME: usize = 2 * FRAME;
/// The most recordings of a directory.
const CLIPS_MAX: usize = 4_096;
/// The largest file that is loaded: some eleven minutes of WAV.
const FILE_MAX: u64 = 20 << 20;
/// How deep a directory may be nested.
const DEPTH_MAX: usize = 4;

/// Why a directory of recordings cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A file or directory cannot be read.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// A WAV file is not what is taken.
    #[error("{0}: {1}")]
    Wav(PathBuf, #[source] WavError),
    /// A file is longer than 20 MiB, or holds no audio.
    #[error("{0}: empty, or larger than 20 MiB")]
    Length(PathBuf),
    /// More than 4,096 recordings.
    #[error("{0}: more than {CLIPS_MAX} recordings")]
    TooMany(PathBuf),
}

/// A recording, in whole packets of 20 ms.
#[derive(Debug)]
pub struct Clip {
    mu: Box<[u8]>,
    a: Box<[u8]>,
    g722: Box<[u8]>,
}

impl Clip {
    /// From samples at 16 kHz; the last packet is filled up with silence.
    #[must_use]
    pub fn from_samples(samples: &[i16]) -> Self {
        let mut samples = samples.to_vec();
        samples.resize(samples.len().next_multiple_of(SAMPLES_PER_FRAME), 0);
        let mut g722 = vec![0; samples.len() / 2];
        // Twice, for music comes round: its beginning must be coded as what follows its end, or each round begins with a burst
        // of 50 ms until the listener's decoder has found its step size again.
        let mut encoder = G722Encoder::default();
        encode_g722(&mut encoder, &samples, &mut g722);
        encode_g722(&mut encoder, &samples, &mut g722);
        Clip::from_forms(&samples, g722)
    }

    /// From G.722 at 64 kbit/s; what does not fill a packet is left out.
    #[must_use]
    pub fn from_g722(codes: &[u8]) -> Self {
        let codes = &codes[..codes.len() - codes.len() % FRAME];
        let mut samples = vec![0; 2 * codes.len()];
        let mut decoder = G722Decoder::default();
        decode_g722(&mut decoder, codes, &mut samples);
        decode_g722(&mut decoder, codes, &mut samples);
        Clip::from_forms(&samples, codes.to_vec())
    }

    fn from_forms(samples: &[i16], g722: Vec<u8>) -> Self {
        let mut low = vec![0; samples.len() / 2];
        Halver::default().run(samples, &mut low);
        let encode = |law: Law| low.iter().map(|sample| law.encode(*sample)).collect();
        Clip { mu: encode(Law::Mu), a: encode(Law::A), g722: g722.into() }
    }

    /// The recording as this codec's payload; `None` for Opus, which nothing is stored in.
    #[must_use]
    pub fn payload(&self, codec: Codec) -> Option<&[u8]> {
        match codec {
            Codec::Pcmu => Some(&self.mu),
            Codec::Pcma => Some(&self.a),
            Codec::G722 => Some(&self.g722),
            Codec::Opus => None,
        }
    }

    /// How many packets of 20 ms it has.
    #[must_use]
    pub fn frames(&self) -> u32 {
        (self.mu.len() / FRAME) as u32
    }

    /// Its duration.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_millis(20) * self.frames()
    }
}

/// Recordings by name: `en/greeting`, `ko/place-3`, `music/default`.
#[derive(Clone, Debug, Default)]
pub struct Library {
    clips: BTreeMap<Box<str>, Arc<Clip>>,
}

impl Library {
    /// The recordings that hotline brings along.
    #[must_use]
    pub fn embedded() -> Self {
        let mut library = Library::default();
        for (name, g722) in embedded::PROMPTS {
            library.insert(name, Clip::from_g722(g722));
        }
        library
    }

    /// The names of those recordings, without decoding any.
    pub fn embedded_names() -> impl Iterator<Item = &'static str> {
        embedded::PROMPTS.iter().map(|(name, _)| *name)
    }

    /// Adds those of a directory, replacing what bears the same name: `en/greeting.wav` (16 kHz, 16 bits, one channel) or
    /// `en/greeting.g722` is `en/greeting`. Other files are passed over.
    ///
    /// # Errors
    /// When something cannot be read; the library is then to be dropped.
    pub fn load(&mut self, directory: &Path) -> Result<(), LibraryError> {
        self.load_below(directory, "", 0)
    }

    fn load_below(&mut self, directory: &Path, prefix: &str, depth: usize) -> Result<(), LibraryError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            |error| LibraryError::Io(path, error)
        };
        let mut entries =
            fs::read_dir(directory).map_err(failed(directory))?.collect::<Result<Vec<_>, _>>().map_err(failed(directory))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let meta = fs::metadata(&path).map_err(failed(&path))?;
            let (Some(stem), extension) = (path.file_stem().and_then(|stem| stem.to_str()), path.extension()) else { continue };
            if meta.is_dir() {
                if depth < DEPTH_MAX {
                    self.load_below(&path, &format!("{prefix}{stem}/"), depth + 1)?;
                }
                continue;
            }
            let kind = extension.and_then(|extension| extension.to_str()).unwrap_or("");
            if !matches!(kind, "wav" | "g722") {
                continue;
            }
            if meta.len() > FILE_MAX {
                return Err(LibraryError::Length(path));
            }
            let bytes = fs::read(&path).map_err(failed(&path))?;
            let clip = if kind == "wav" {
                Clip::from_samples(&wav::read(&bytes).map_err(|error| LibraryError::Wav(path.clone(), error))?)
            } else {
                Clip::from_g722(&bytes)
            };
            if clip.frames() == 0 {
                return Err(LibraryError::Length(path));
            }
            self.insert(&format!("{prefix}{stem}"), clip);
            if self.clips.len() > CLIPS_MAX {
                return Err(LibraryError::TooMany(directory.to_owned()));
            }
        }
        Ok(())
    }

    /// Adds one, replacing what bears the same name.
    pub fn insert(&mut self, name: &str, clip: Clip) {
        self.clips.insert(name.into(), Arc::new(clip));
    }

    /// The recording of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<Clip>> {
        self.clips.get(name).cloned()
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.clips.keys().map(|name| &**name)
    }
}
