//! Who hears whom: each source of audio has its listeners, on whatever thread it is, and even before it is open.
//!
//! Within a thread a source's endpoint has the list. A source that is not here is in a list of its own ([`Elsewhere`]), and all other threads
//! are told that it is wanted; whichever has it passes on what comes. That is told again each half second, and forgotten unless it is: so it
//! may be lost on its way, as a packet may, and no thread waits for another.

use smallvec::SmallVec;

use super::COMMANDS_MAX;
use super::endpoint::Feeding;
use super::relay::Carries;
use super::thread::{Thread, Word};
use crate::base::{Codec, EndpointId, Time};
use crate::engine::media_port::MediaThread;
use crate::rtp::Header;
use crate::rtp::packet::{HEADER_LEN, Outgoing};
use crate::rtp::reception::Arrival;

/// The most parties that one hears at once.
pub(super) const PARTIES_MAX: usize = 32;
/// A source that is nowhere after so long is counted.
const FOUND_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);
/// What another thread wants is forgotten after so long, unless it says so again.
const WANTED_FOR: std::time::Duration = std::time::Duration::from_secs(2);

/// Where a packet comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// The endpoint in this slot.
    Here(u32),
    /// This endpoint of another thread.
    Elsewhere(EndpointId),
}

/// One that is given what a source says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Listener {
    /// The endpoint in this slot is sent it as it comes.
    Relay(u32),
    /// This voice is made of it, for mixes.
    Voice(u32),
    /// This thread is passed it.
    Thread(MediaThread),
}

/// The listeners of one source.
pub(super) type Listeners = SmallVec<[Listener; 2]>;

/// A source that is not on this thread.
#[derive(Debug)]
pub(super) struct Elsewhere {
    pub(super) listeners: Listeners,
    since: Time,
    /// Whether some thread has it.
    found: bool,
    /// Whether it was counted that none has.
    counted: bool,
}

/// A thread that wants what a source says, and when it last said so.
pub(super) type Wanted = SmallVec<[(MediaThread, Time); 1]>;

/// From one thread to another.
#[derive(Debug)]
pub(super) enum Passed {
    /// What a source says.
    Packet(Box<Packet>),
    /// What this source says is wanted by this thread.
    Wanted(EndpointId, MediaThread),
    /// It is not any more.
    NotWanted(EndpointId, MediaThread),
    /// The source is here.
    Found(EndpointId),
    /// The source has ended.
    Gone(EndpointId),
}

/// A packet of a source, checked and counted.
#[derive(Debug)]
pub(super) struct Packet {
    source: EndpointId,
    said: Said,
    payload: Box<[u8]>,
}

/// What is known of a packet whose bytes are in the buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub(super) codec: Codec,
    pub(super) header: Header,
    pub(super) arrived: Arrival,
    pub(super) carries: Option<Carries>,
}

impl Thread {
    /// The listeners of a source, wherever it is.
    pub(super) fn listeners(&mut self, source: EndpointId) -> Option<&mut Listeners> {
        match self.by_id.get(&source) {
            Some(slot) => Some(&mut self.endpoints[*slot as usize].listeners),
            None => self.elsewhere.get_mut(&source).map(|elsewhere| &mut elsewhere.listeners),
        }
    }

    /// A source has one more listener.
    pub(super) fn listen(&mut self, source: EndpointId, listener: Listener) {
        if let Some(listeners) = self.listeners(source) {
            return listeners.push(listener);
        }
        let listeners = SmallVec::from_iter([listener]);
        self.elsewhere.insert(source, Elsewhere { listeners, since: self.now, found: false, counted: false });
        self.pass_to_others(|this| Passed::Wanted(source, this));
    }

    /// A source has one listener less.
    pub(super) fn stop_listening(&mut self, source: EndpointId, listener: Listener) {
        let Some(listeners) = self.listeners(source) else { return };
        listeners.retain(|known| *known != listener);
        if listeners.is_empty() && self.elsewhere.remove(&source).is_some() {
            self.pass_to_others(|this| Passed::NotWanted(source, this));
        }
    }

    /// What an endpoint hears: nobody, one as they are, or several together.
    pub(super) fn hear(&mut self, slot: u32, peers: &[EndpointId]) {
        let own = self.endpoints[slot as usize].id;
        let mut sources: SmallVec<[EndpointId; 4]> = SmallVec::new();
        for peer in peers {
            if *peer != own && !sources.contains(peer) && sources.len() < PARTIES_MAX {
                sources.push(*peer);
            }
        }
        if sources.len() != peers.len() {
            self.mailbox.counters.bad_commands.add(1);
        }
        match sources[..] {
            [] => self.feed(slot, Feeding::Nothing),
            [source] => self.feed(slot, Feeding::Relay(source)),
            _ => self.mix(slot, &sources),
        }
    }

    /// An endpoint has opened, which others may have waited for.
    pub(super) fn opened(&mut self, source: EndpointId, slot: u32) {
        if let Some(elsewhere) = self.elsewhere.remove(&source) {
            self.endpoints[slot as usize].listeners = elsewhere.listeners;
            self.pass_to_others(|this| Passed::NotWanted(source, this));
        }
        for (thread, _) in self.wanted.get(&source).cloned().unwrap_or_default() {
            self.endpoints[slot as usize].listeners.push(Listener::Thread(thread));
            self.pass(thread, Passed::Found(source));
        }
    }

    /// A source has ended: nobody hears it any more.
    pub(super) fn source_gone(&mut self, source: EndpointId, listeners: Listeners) {
        for listener in listeners {
            match listener {
                Listener::Relay(slot) => self.feed(slot, Feeding::Nothing),
                Listener::Voice(voice) => self.voice_gone(voice),
                Listener::Thread(thread) => self.pass(thread, Passed::Gone(source)),
            }
        }
        self.wanted.remove(&source);
    }

    // ---- between threads ----

    /// Says again what is wanted of other threads, counts what none has, and forgets what others have not said again.
    pub(super) fn look_elsewhere(&mut self) {
        let (now, mut not_found) = (self.now, 0);
        let mut sources = Vec::with_capacity(self.elsewhere.len());
        for (source, elsewhere) in &mut self.elsewhere {
            sources.push(*source);
            if !elsewhere.found && !elsewhere.counted && now.since(elsewhere.since) >= FOUND_WITHIN {
                elsewhere.counted = true;
                not_found += 1;
            }
        }
        self.mailbox.counters.nowhere.add(not_found);
        for source in sources {
            self.pass_to_others(|this| Passed::Wanted(source, this));
        }
        let mut forgotten: Vec<(EndpointId, MediaThread)> = Vec::new();
        self.wanted.retain(|source, by| {
            by.retain(|(thread, at)| {
                let forget = now.since(*at) >= WANTED_FOR;
                if forget {
                    forgotten.push((*source, *thread));
                }
                !forget
            });
            !by.is_empty()
        });
        for (source, thread) in forgotten {
            self.stop_listening(source, Listener::Thread(thread));
        }
    }

    /// Passes something to another thread, unless that is far behind.
    fn pass(&self, thread: MediaThread, passed: Passed) {
        let Some(mailbox) = self.others.get(usize::from(thread.0)) else { return };
        if mailbox.commands.len() < COMMANDS_MAX {
            mailbox.commands.post(Word::Passed(passed));
        } else {
            self.mailbox.counters.passed_dropped.add(1);
        }
    }

    fn pass_to_others(&self, passed: impl Fn(MediaThread) -> Passed) {
        for thread in (0..self.others.len() as u16).map(MediaThread).filter(|thread| *thread != self.name) {
            self.pass(thread, passed(self.name));
        }
    }

    /// Passes the packet in the buffer to another thread.
    pub(super) fn pass_packet(&self, thread: MediaThread, source: Source, said: &Said) {
        // What came from another thread goes to no third.
        let Source::Here(slot) = source else { return };
        let source = self.endpoints[slot as usize].id;
        let payload = said.header.payload(&self.buffer[..]).into();
        self.pass(thread, Passed::Packet(Box::new(Packet { source, said: *said, payload })));
    }

    /// Takes what another thread has passed.
    pub(super) fn take_passed(&mut self, passed: Passed) {
        match passed {
            Passed::Packet(packet) => self.take_passed_packet(*packet),
            Passed::Wanted(source, by) => {
                let now = self.now;
                let wanted = self.wanted.entry(source).or_default();
                match wanted.iter_mut().find(|(thread, _)| *thread == by) {
                    Some((_, at)) => *at = now,
                    None => wanted.push((by, now)),
                }
                let Some(slot) = self.by_id.get(&source) else { return };
                let listeners = &mut self.endpoints[*slot as usize].listeners;
                if !listeners.contains(&Listener::Thread(by)) {
                    listeners.push(Listener::Thread(by));
                }
                self.pass(by, Passed::Found(source));
            }
            Passed::NotWanted(source, by) => {
                if let Some(wanted) = self.wanted.get_mut(&source) {
                    wanted.retain(|(thread, _)| *thread != by);
                    if wanted.is_empty() {
                        self.wanted.remove(&source);
                    }
                }
                if self.by_id.contains_key(&source) {
                    self.stop_listening(source, Listener::Thread(by));
                }
            }
            Passed::Found(source) => {
                if let Some(elsewhere) = self.elsewhere.get_mut(&source) {
                    elsewhere.found = true;
                }
            }
            Passed::Gone(source) => {
                if let Some(elsewhere) = self.elsewhere.remove(&source) {
                    self.source_gone(source, elsewhere.listeners);
                }
            }
        }
    }

    fn take_passed_packet(&mut self, packet: Packet) {
        let Packet { source, mut said, payload } = packet;
        if !self.elsewhere.contains_key(&source) {
            return;
        }
        self.packet_at = self.now;
        let header = said.header;
        let (sequence, timestamp) = (header.sequence, header.timestamp);
        let head = Outgoing { marker: header.marker, payload_type: header.payload_type, sequence, timestamp, ssrc: header.ssrc };
        let len = HEADER_LEN + payload.len();
        self.buffer[..HEADER_LEN].copy_from_slice(&head.bytes());
        self.buffer[HEADER_LEN..len].copy_from_slice(&payload);
        (said.header.payload_start, said.header.payload_end) = (HEADER_LEN as u16, len as u16);
        self.pass_on(Source::Elsewhere(source), len, &said);
    }
}
