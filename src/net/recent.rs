//! The SIP messages of the last while, so that one can see what a call was like without having asked before.
//!
//! Owns a ring of bytes that never grows: a message takes the place of the oldest ones. Messages are kept as they came, and their secrets are
//! blanked by whoever shows them (`sip::blank`). It knows calls by what the engine says of each message, and reads none.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::words::{Direction, Transport};
use crate::base::{AgentId, ContactId, Time, TrunkId};
use crate::engine::PartOf;
use crate::sip::flow::Flow;

/// What a message is taken to have on average, to share the memory between messages and what is known of them.
const MESSAGE_BYTES: usize = 512;
/// Of a longer message the beginning is kept: a body of that length explains no call, and would push many others out.
const KEPT_BYTES_MAX: usize = 16 * 1024;
/// The most bytes that are given at once.
const GIVEN_BYTES_MAX: usize = 1 << 20;

/// Whose messages are logged, whatever the level of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whom {
    /// Calls from this number, and calls to it, as the log writes numbers.
    Number(Box<str>),
    /// Calls by this trunk.
    Trunk(TrunkId),
    /// Calls that this agent is rung for, and the agent's own.
    Agent(AgentId),
}

/// Whose messages are logged, each until when.
pub type Watches = Arc<[(Whom, Time)]>;

/// A message as it passes.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// When.
    pub at: Time,
    /// Whether it was received or sent.
    pub direction: Direction,
    /// From where, or to where.
    pub flow: &'a Flow,
    /// The call that it is part of.
    pub part_of: PartOf,
    /// The message.
    pub bytes: &'a [u8],
}

/// The messages of a contact that are still kept, the oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// The newest of them.
    pub messages: Vec<Kept>,
    /// How many older ones are left out, for there are too many.
    pub left_out: usize,
}

/// A message that was kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// When it passed.
    pub at: Time,
    /// Whether it was received or sent.
    pub direction: Direction,
    /// Over what.
    pub transport: Transport,
    /// From whom, or to whom.
    pub remote: SocketAddr,
    /// The call that it is part of.
    pub part_of: PartOf,
    /// The message, with its secrets.
    pub bytes: Box<[u8]>,
}

/// Where a message lies: from which byte of all that were ever written, and how many.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Time,
    direction: Direction,
    transport: Transport,
    remote: SocketAddr,
    part_of: PartOf,
    start: u64,
    length: u32,
}

/// The ring.
#[derive(Debug)]
pub struct Recent {
    bytes: Box<[u8]>,
    entries: VecDeque<Entry>,
    entries_max: usize,
    /// How many bytes were ever written, those counted that were left free at the end of the ring.
    written: u64,
}

impl Recent {
    /// A ring of so many bytes in all; 0: it keeps nothing.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let entries_max = bytes / (MESSAGE_BYTES + size_of::<Entry>());
        let bytes = vec![0; bytes - entries_max * size_of::<Entry>()].into_boxed_slice();
        Recent { bytes, entries: VecDeque::with_capacity(entries_max), entries_max, written: 0 }
    }

    /// How many bytes of messages it has, and how many it has room for.
    #[must_use]
    pub fn used(&self) -> (u64, u64) {
        let room = self.bytes.len() as u64;
        (self.written.min(room), room)
    }

    /// Keeps a message that is part of a call.
    pub fn keep(&mut self, seen: &Seen<'_>) {
        let Seen { at, direction, flow, part_of, bytes } = *seen;
        // What strangers send pushes no call out.
        if part_of.session.is_none() || self.entries_max == 0 {
            return;
        }
        let bytes = &bytes[..bytes.len().min(KEPT_BYTES_MAX).min(self.bytes.len())];
        let (size, length) = (self.bytes.len() as u64, bytes.len() as u64);
        // In one piece: what is left at the end stays free if that is too little.
        let (place, left) = (self.written % size, size - self.written % size);
        let (start, from) = if length > left { (self.written + left, 0) } else { (self.written, place as usize) };
        self.written = start + length;
        let written = self.written;
        let is_over = |oldest: &Entry| oldest.start + size < written;
        while self.entries.front().is_some_and(is_over) || self.entries.len() >= self.entries_max {
            self.entries.pop_front();
        }
        self.bytes[from..from + bytes.len()].copy_from_slice(bytes);
        let Flow { transport, remote, .. } = *flow;
        self.entries.push_back(Entry { at, direction, transport, remote, part_of, start, length: length as u32 });
    }

    /// The messages of a contact's calls, at most so many of the newest.
    #[must_use]
    pub fn of(&self, contact: ContactId, most: usize) -> Found {
        let mut found = Found::default();
        let mut bytes = 0;
        let its = |entry: &&Entry| entry.part_of.leg.is_some_and(|leg| leg.contact == contact);
        for entry in self.entries.iter().rev().filter(its) {
            bytes += entry.length as usize;
            if found.left_out > 0 || found.messages.len() >= most || bytes > GIVEN_BYTES_MAX {
                found.left_out += 1;
            } else {
                found.messages.push(self.given(entry));
            }
        }
        found.messages.reverse();
        found
    }

    fn given(&self, entry: &Entry) -> Kept {
        let Entry { at, direction, transport, remote, part_of, start, length } = *entry;
        let from = (start % self.bytes.len() as u64) as usize;
        Kept { at, direction, transport, remote, part_of, bytes: self.bytes[from..from + length as usize].into() }
    }
}

#[cfg(test)]
#[path = "recent_tests.rs"]
mod tests;
