//! The thread of all voices: each sends its tone every 20 ms, and listens.
//!
//! The voices are spread over four beats of 5 ms, so that their packets do not come as one burst; between beats the thread sleeps in
//! `epoll`, and reads what comes when it comes, so that jitter is measured and not made.
#![allow(clippy::disallowed_methods, reason = "a player of people lives by the clock")]

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::time::Timespec;
use slab::Slab;

use super::call::CallId;
use super::sound::Side;
use super::talk::{Talk, VoicePath};
use crate::base::Time;
use crate::base::seed::Seed;

pub(super) use super::talk::Talked;

/// Beats of 5 ms in 20 ms.
const BEATS: usize = 4;
const BEAT: Duration = Duration::from_millis(5);
/// A thread that is later than this skips the beats that it missed.
const LATE_MAX: Duration = Duration::from_millis(200);
/// Packets are read from one socket before the others are looked at.
const READS_MAX: usize = 4;
const EVENTS_MAX: usize = 256;
const PACKET_BYTES_MAX: usize = 2048;

/// A voice: its place, and the call that it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct VoiceId {
    slot: u32,
}

pub(super) enum Command {
    /// A voice of this side begins to listen.
    Open(VoiceId, CallId, UdpSocket, Side),
    /// It sends to this address and in this format; `None`: it is silent.
    Speak(VoiceId, Option<VoicePath>),
    /// It presses a key.
    Press(VoiceId, char),
    /// It ends; whether its talk was long enough to judge whether the other side was heard.
    Close(VoiceId, bool),
}

pub(super) enum Report {
    /// The other side is heard for the first time.
    Heard(CallId),
    /// A voice has ended; whether it can be judged.
    Ended(Side, Talked, bool),
}

/// The thread, from outside.
pub(super) struct Voices {
    commands: Option<Sender<Command>>,
    pub(super) reports: Receiver<Report>,
    taken: Slab<()>,
    thread: Option<JoinHandle<()>>,
}

impl Voices {
    pub(super) fn start(seed: Seed) -> std::io::Result<Voices> {
        let (commands, receiver) = channel();
        let (sender, reports) = channel();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let chorus = Chorus { epoll, voices: Slab::new(), started: Instant::now(), seed, commands: receiver, reports: sender };
        let thread = std::thread::Builder::new().name("voices".to_owned()).spawn(move || chorus.run())?;
        Ok(Voices { commands: Some(commands), reports, taken: Slab::new(), thread: Some(thread) })
    }

    pub(super) fn open(&mut self, call: CallId, socket: UdpSocket, side: Side) -> VoiceId {
        let id = VoiceId { slot: self.taken.insert(()) as u32 };
        self.send(Command::Open(id, call, socket, side));
        id
    }

    pub(super) fn close(&mut self, id: VoiceId, judged: bool) {
        self.taken.remove(id.slot as usize);
        self.send(Command::Close(id, judged));
    }

    pub(super) fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            let _ = commands.send(command);
        }
    }

    /// Ends the thread, so that every report is in.
    pub(super) fn end(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Voices {
    fn drop(&mut self) {
        self.end();
    }
}

/// The thread, from inside.
struct Chorus {
    epoll: OwnedFd,
    voices: Slab<(CallId, UdpSocket, Talk)>,
    started: Instant,
    seed: Seed,
    commands: Receiver<Command>,
    reports: Sender<Report>,
}

impl Chorus {
    fn run(mut self) {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        let mut buffer = [0; PACKET_BYTES_MAX];
        let (mut next, mut beat) = (Instant::now(), 0);
        loop {
            if self.voices.is_empty() {
                // Nothing to hear or say: sleep until there is.
                let Ok(command) = self.commands.recv() else { return };
                self.take(command);
                next = Instant::now();
            }
            loop {
                match self.commands.try_recv() {
                    Ok(command) => self.take(command),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return self.end(),
                }
            }
            let late = Instant::now().saturating_duration_since(next);
            if Instant::now() >= next {
                beat = (beat + 1) % BEATS;
                self.speak(beat);
                next += if late > LATE_MAX { late } else { BEAT };
            }
            let rest = next.saturating_duration_since(Instant::now());
            let rest = Timespec { tv_sec: 0, tv_nsec: i64::from(rest.subsec_nanos()) };
            events.clear();
            let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&rest));
            for event in &events {
                self.listen(event.data.u64() as usize, &mut buffer);
            }
        }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.started.elapsed()
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Open(id, call, socket, side) => {
                // Both sides of the channel give out the same places, in the same order.
                let slot = self.voices.insert((call, socket, Talk::new(side, &mut self.seed)));
                debug_assert_eq!(slot, id.slot as usize, "voices and their names go together");
                let data = epoll::EventData::new_u64(slot as u64);
                let _ = epoll::add(&self.epoll, &self.voices[slot].1, data, epoll::EventFlags::IN);
            }
            Command::Speak(id, path) => {
                if let Some((_, _, talk)) = self.voices.get_mut(id.slot as usize) {
                    talk.speak_to(path);
                }
            }
            Command::Press(id, key) => {
                if let Some((_, _, talk)) = self.voices.get_mut(id.slot as usize) {
                    talk.press(key);
                }
            }
            Command::Close(id, judged) => {
                if let Some((_, socket, talk)) = self.voices.try_remove(id.slot as usize) {
                    let _ = epoll::delete(&self.epoll, &socket);
                    let _ = self.reports.send(Report::Ended(talk.side(), talk.ended(), judged));
                }
            }
        }
    }

    fn speak(&mut self, beat: usize) {
        let now = self.now();
        for (slot, (_, socket, talk)) in &mut self.voices {
            if slot % BEATS == beat
                && let Some((to, packet)) = talk.next_packet(now)
            {
                // What the kernel does not take is lost, like a packet on the way.
                let _ = socket.send_to(packet, to);
            }
        }
    }

    fn listen(&mut self, slot: usize, buffer: &mut [u8]) {
        let now = self.now();
        let Some((call, socket, talk)) = self.voices.get_mut(slot) else { return };
        for _ in 0..READS_MAX {
            let Ok((length, _)): std::io::Result<(usize, SocketAddr)> = socket.recv_from(buffer) else { return };
            if talk.hear(now, &buffer[..length]) {
                let _ = self.reports.send(Report::Heard(*call));
            }
        }
    }

    fn end(self) {
        for (_, (_, _, talk)) in self.voices {
            let _ = self.reports.send(Report::Ended(talk.side(), talk.ended(), false));
        }
    }
}
