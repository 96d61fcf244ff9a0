//! What a party hears of several others: their voices, each at our pace, summed, and coded for that party.
//!
//! A voice is decoded once for all who hear it on this thread. Each mix is a sender in the schedule like music; whichever of them comes first
//! in a period of 20 ms has the voice go on.

use std::fmt;

use audio_codec::g722::G722Encoder;
use smallvec::SmallVec;

use super::endpoint::Feeding;
use super::hearing::Listener;
use super::library::FRAME;
use super::slots::SLOTS;
use super::thread::Thread;
use crate::base::{Codec, EndpointId};
use crate::rtp::g711::Law;
use crate::rtp::level::Level;
use crate::rtp::playout::{Playout, STEP};
use crate::rtp::transcode::encode_g722;

/// A source that is mixed.
#[derive(Debug)]
pub(super) struct Voice {
    source: EndpointId,
    pub(super) playout: Box<Playout>,
    /// The slots of those whose mixes it is in.
    users: SmallVec<[u32; 4]>,
    /// From this tick on the next frame is heard.
    next_at: u64,
}

/// What one party hears of several.
#[derive(Default)]
pub(super) struct Mix {
    voices: SmallVec<[u32; 4]>,
    level: Level,
    encoder: Option<Box<G722Encoder>>,
}

impl fmt::Debug for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mix({:?})", self.voices)
    }
}

impl Thread {
    /// An endpoint hears these together. Whom it has heard so already goes on without a break.
    pub(super) fn mix(&mut self, slot: u32, sources: &[EndpointId]) {
        if !matches!(self.endpoints[slot as usize].feeding, Feeding::Mix(_)) {
            self.feed(slot, Feeding::Mix(Box::default()));
        }
        let mut heard: SmallVec<[EndpointId; 4]> = SmallVec::new();
        for voice in self.voices_of(slot) {
            let source = self.voices[voice as usize].source;
            if sources.contains(&source) {
                heard.push(source);
            } else {
                self.leave_voice(slot, voice);
            }
        }
        for source in sources.iter().filter(|source| !heard.contains(source)) {
            self.join_voice(slot, *source);
        }
    }

    /// The voices in an endpoint's mix.
    fn voices_of(&self, slot: u32) -> SmallVec<[u32; 4]> {
        match &self.endpoints[slot as usize].feeding {
            Feeding::Mix(mix) => mix.voices.clone(),
            _ => SmallVec::new(),
        }
    }

    fn join_voice(&mut self, slot: u32, source: EndpointId) {
        let known = self.listeners(source).and_then(|listeners| {
            listeners.iter().find_map(|listener| if let Listener::Voice(voice) = listener { Some(*voice) } else { None })
        });
        let voice = known.unwrap_or_else(|| {
            let (playout, users, next_at) = (Box::default(), SmallVec::new(), self.tick);
            let voice = self.voices.insert(Voice { source, playout, users, next_at }) as u32;
            self.listen(source, Listener::Voice(voice));
            voice
        });
        self.voices[voice as usize].users.push(slot);
        if let Feeding::Mix(mix) = &mut self.endpoints[slot as usize].feeding {
            mix.voices.push(voice);
        }
    }

    /// An endpoint does not hear a voice any more. Whom nobody hears is not decoded.
    pub(super) fn leave_voice(&mut self, slot: u32, voice: u32) {
        if let Feeding::Mix(mix) = &mut self.endpoints[slot as usize].feeding {
            mix.voices.retain(|known| *known != voice);
        }
        let users = &mut self.voices[voice as usize].users;
        users.retain(|user| *user != slot);
        if users.is_empty() {
            let Voice { source, .. } = self.voices.remove(voice as usize);
            self.stop_listening(source, Listener::Voice(voice));
        }
    }

    /// An endpoint that has heard this mix does not any more.
    pub(super) fn leave_mix(&mut self, slot: u32, mix: &Mix) {
        for voice in &mix.voices {
            self.leave_voice(slot, *voice);
        }
    }

    /// The source of a voice has ended.
    pub(super) fn voice_gone(&mut self, voice: u32) {
        for user in self.voices.remove(voice as usize).users {
            if let Feeding::Mix(mix) = &mut self.endpoints[user as usize].feeding {
                mix.voices.retain(|known| *known != voice);
            }
        }
    }

    /// The next 20 ms of what an endpoint hears of others, in its codec; `None` if it hears no mix, or one that cannot be coded for it.
    /// `tick` is of its place in the schedule, which may be caught up with.
    pub(super) fn mixed(&mut self, slot: u32, tick: u64) -> Option<[u8; FRAME]> {
        let endpoint = &mut self.endpoints[slot as usize];
        let Feeding::Mix(mix) = &mut endpoint.feeding else { return None };
        for voice in &mix.voices {
            let voice = &mut self.voices[*voice as usize];
            if tick >= voice.next_at {
                voice.playout.advance();
                voice.next_at = (voice.next_at + SLOTS as u64).max(tick + 1);
            }
        }
        let (remote, _) = endpoint.party.as_ref()?;
        let wide = remote.codec == Codec::G722;
        let size = if wide { 2 * STEP } else { STEP };
        let (mut sum, mut heard) = ([0i32; 2 * STEP], false);
        for voice in &mix.voices {
            let voice = &mut self.voices[*voice as usize];
            if voice.playout.is_heard() {
                heard = true;
                for (sum, sample) in sum.iter_mut().zip(voice.playout.frame(wide)) {
                    *sum += i32::from(*sample);
                }
            }
        }
        let (mut samples, mut payload) = ([0; 2 * STEP], [0; FRAME]);
        if heard {
            mix.level.run(&sum[..size], &mut samples[..size]);
        } else {
            mix.level.comfort(&mut samples[..size]);
        }
        match remote.codec {
            Codec::Pcmu | Codec::Pcma => {
                let law = if remote.codec == Codec::Pcmu { Law::Mu } else { Law::A };
                payload.iter_mut().zip(&samples).for_each(|(code, sample)| *code = law.encode(*sample));
            }
            Codec::G722 => encode_g722(mix.encoder.get_or_insert_default(), &samples, &mut payload),
            Codec::Opus => {
                self.mailbox.counters.untranscodable.add(1);
                return None;
            }
        }
        Some(payload)
    }
}
