//! A day's journal: what a city's engine was given, and what it said.

use crate::base::Time;
use crate::config::ConfigText;
use crate::engine::{Engine, Input, Output, Transmit};
use crate::replay::{Built, Recorder};

/// The journal of a day, and the outputs that a replay has to give again.
pub(super) struct Journal {
    recorder: Recorder<Vec<u8>>,
    said: Vec<u8>,
}

const IN_MEMORY: &str = "memory takes what is written";

impl Journal {
    pub(super) fn new(built: Built, engine: &mut Engine) -> Self {
        Journal { recorder: Recorder::new(Vec::new(), built, engine).expect(IN_MEMORY), said: Vec::new() }
    }

    pub(super) fn input(&mut self, now: Time, input: &Input<'_>, config: Option<&ConfigText>) {
        self.recorder.input(now, input, config).expect(IN_MEMORY);
    }

    pub(super) fn fault(&mut self, now: Time) {
        self.recorder.fault(now).expect(IN_MEMORY);
    }

    pub(super) fn done(&mut self, engine: &mut Engine) {
        self.recorder.done(engine).expect(IN_MEMORY);
    }

    pub(super) fn output(&mut self, output: &Output) {
        self.recorder.polled();
        append(&mut self.said, output);
    }

    /// The journal, and the outputs.
    pub(super) fn finish(self) -> (Vec<u8>, Vec<u8>) {
        (self.recorder.finish().expect(IN_MEMORY), self.said)
    }
}

/// Adds an output to others, such that two lists are the same bytes if and only if all outputs are the same.
pub fn append(said: &mut Vec<u8>, output: &Output) {
    match output {
        Output::Transmit(Transmit { flow, bytes, part_of }) => {
            said.extend_from_slice(format!("{flow:?} {part_of:?} {}\n", bytes.len()).as_bytes());
            said.extend_from_slice(bytes);
        }
        Output::Media(..) | Output::Text(_) | Output::Letter(..) | Output::Fact(_) => {
            said.extend_from_slice(format!("{output:?}").as_bytes());
        }
    }
    said.push(b'\n');
}
