//! Writes down what happens to an engine.

use std::io::{self, Write};

use super::{Built, ENTRY_BYTES_MAX, Entry, Given, MAGIC, VERSION};
use crate::acd::answers::Answer;
use crate::base::Time;
use crate::config::ConfigText;
use crate::engine::{Engine, Input};

/// Writes a journal. Whoever drives the engine says everything that happens to it, in order.
///
/// The engine has to be built with [`Answers::Kept`](crate::acd::answers::Answers::Kept) and the seed that [`Built`] names.
pub struct Recorder<W> {
    out: W,
    /// Outputs that were taken since the last entry.
    polled: u64,
}

impl<W: Write> Recorder<W> {
    /// Begins the journal of an engine that was built from these parts.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(mut out: W, built: Built, engine: &mut Engine) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        let mut recorder = Recorder { out, polled: 0 };
        recorder.entry(&Entry::Built(Box::new(built)))?;
        recorder.done(engine)?;
        Ok(recorder)
    }

    /// The engine is about to be given this input. A reload needs the configuration that its settings were read from. To be
    /// followed by [`done`](Self::done), whether the engine has panicked or not.
    ///
    /// # Errors
    /// When it cannot be written, or the configuration of a reload is missing.
    pub fn input(&mut self, now: Time, input: &Input<'_>, config: Option<&ConfigText>) -> io::Result<()> {
        let given = Given::of(input, config).ok_or_else(|| io::Error::other("a reload is recorded with its configuration"))?;
        self.entry(&Entry::Input(now, given))
    }

    /// A panic is about to be contained: [`Engine::fault`]. To be followed by [`done`](Self::done).
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn fault(&mut self, now: Time) -> io::Result<()> {
        self.entry(&Entry::Fault(now))
    }

    /// The engine has done what was announced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn done(&mut self, engine: &mut Engine) -> io::Result<()> {
        let answers: Vec<Answer> = engine.answers().take();
        self.entry(&Entry::Answers(answers))
    }

    /// An output was taken from the engine.
    pub const fn polled(&mut self) {
        self.polled += 1;
    }

    /// Ends the journal.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.write_polled()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn write_polled(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.polled) {
            0 => Ok(()),
            polled => self.write(&Entry::Polled(polled)),
        }
    }

    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.write_polled()?;
        self.write(entry)
    }

    fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let bytes = postcard::to_allocvec(entry).map_err(io::Error::other)?;
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length as usize <= ENTRY_BYTES_MAX);
        let length = length.ok_or_else(|| io::Error::other("an entry of a journal has at most 16 MiB"))?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&bytes)
    }
}
