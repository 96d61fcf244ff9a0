//! The formats against their RFCs' words, the audio by measuring tones.

mod audio;
mod control;
mod stream;
mod voices;
