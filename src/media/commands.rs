//! The commands of a media thread: endpoints are opened, described, fed and closed.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use super::control::REPORT_VISITS;
use super::endpoint::{Endpoint, Feeding, KEYS_MAX, PROMPTS_MAX, Playing, Prompts};
use super::hearing::Listener;
use super::source::Source;
use super::tap::{TAPS_MAX, Tap};
use super::thread::Thread;
use crate::base::EndpointId;
use crate::engine::media_port::{Feed, MediaCommand, MediaEvent, MediaStats, PortLease, Remote, TapId};
use crate::rtp::Continuity;
use crate::rtp::key::event_of;

impl Thread {
    pub(super) fn command(&mut self, command: MediaCommand) {
        self.current = None;
        let known = match command {
            MediaCommand::Open { endpoint, lease, cname } => self.open(endpoint, &lease, cname),
            MediaCommand::Remote { endpoint, remote } => self.find(endpoint).map(|slot| self.set_remote(slot, remote)),
            MediaCommand::Feed { endpoint, feed } => self.find(endpoint).map(|slot| self.set_feed(slot, feed)),
            MediaCommand::SendDigit { endpoint, digit } => self.find(endpoint).map(|slot| self.add_key(slot, digit)),
            MediaCommand::Untap { endpoint, tap } => self.find(endpoint).and_then(|slot| self.untap(slot, tap)),
            // Its ring goes with it: `Thread::tap`.
            MediaCommand::Tap { .. } => None,
            MediaCommand::Close { endpoint } => {
                let slot = self.find(endpoint);
                // The sender of a Close waits for its answer, even if there was nothing to close.
                let stats = slot.map_or_else(MediaStats::default, |slot| self.close(slot));
                self.tell_owner(endpoint, MediaEvent::Closed { endpoint, stats });
                slot.map(|_| ())
            }
            MediaCommand::Return { lease } => self.ports.give_back(&lease, self.now).then_some(()),
        };
        if known.is_none() {
            self.mailbox.counters.bad_commands.add(1);
        }
    }

    fn find(&mut self, endpoint: EndpointId) -> Option<u32> {
        self.current = self.by_id.get(&endpoint).copied();
        self.current
    }

    fn open(&mut self, id: EndpointId, lease: &PortLease, cname: u64) -> Option<()> {
        if self.by_id.contains_key(&id) {
            return None;
        }
        let entry = self.endpoints.vacant_entry();
        let slot = entry.key() as u32;
        let pair = self.ports.open(lease, slot)?;
        let stream = Continuity::new(self.seed.next_u32(), self.seed.next_u32() as u16, self.seed.next_u32());
        let mut endpoint = Endpoint::new(id, pair, cname, stream, self.now);
        // Calls that began together do not send their reports together.
        endpoint.control.visits = self.seed.below(u64::from(REPORT_VISITS)) as u8;
        entry.insert(endpoint);
        self.by_id.insert(id, slot);
        self.opened(id, slot);
        Some(())
    }

    fn set_remote(&mut self, slot: u32, remote: Remote) {
        self.disconnect(slot);
        let endpoint = &mut self.endpoints[slot as usize];
        let source = Source::new(&remote, endpoint.party.as_ref().map(|(_, source)| source));
        let expected = endpoint.party.as_ref().is_some_and(|(before, _)| before.expects);
        if remote.expects && !expected {
            endpoint.heard_at = self.now;
            endpoint.silence_at = self.now;
        }
        endpoint.rtp_at = self.now;
        endpoint.stream.set_clock_rate(remote.codec.clock_rate_hz());
        endpoint.party = Some((remote, source));
    }

    fn set_feed(&mut self, slot: u32, feed: Feed) {
        let feeding = match feed {
            Feed::Nothing => Feeding::Nothing,
            Feed::Prompts { names, token } => self.prompts(&names, token),
            Feed::Music(name) => self.music(slot, &name),
            Feed::Peers(peers) => return self.hear(slot, &peers),
        };
        self.feed(slot, feeding);
    }

    fn prompts(&self, names: &[Arc<str>], token: u64) -> Feeding {
        let library = self.library.load();
        let rest: VecDeque<_> = names.iter().take(PROMPTS_MAX).filter_map(|name| library.get(name)).collect();
        self.mailbox.counters.unknown_prompts.add((names.len() - rest.len()) as u64);
        Feeding::Prompts(Box::new(Prompts { rest, frame: 0, token }))
    }

    fn music(&mut self, slot: u32, name: &Arc<str>) -> Feeding {
        let endpoint = &mut self.endpoints[slot as usize];
        if endpoint.music.as_ref().is_some_and(|(playing, _)| playing == name) {
            return Feeding::Music;
        }
        match self.library.load().get(name).filter(|clip| clip.frames() > 0) {
            Some(clip) => {
                endpoint.music = Some((Arc::clone(name), Playing { clip, frame: 0 }));
                Feeding::Music
            }
            None => {
                self.mailbox.counters.unknown_prompts.add(1);
                Feeding::Nothing
            }
        }
    }

    /// Changes what an endpoint is fed, and what depends on it.
    pub(super) fn feed(&mut self, slot: u32, feeding: Feeding) {
        let endpoint = &mut self.endpoints[slot as usize];
        let same = match (&endpoint.feeding, &feeding) {
            (Feeding::Relay(before), Feeding::Relay(now)) => before == now,
            (Feeding::Music, Feeding::Music) => true,
            _ => false,
        };
        if same {
            return;
        }
        endpoint.stream.cut();
        endpoint.transcoder = None;
        let before = mem::replace(&mut endpoint.feeding, feeding);
        match before {
            Feeding::Relay(source) => {
                self.relays -= 1;
                self.stop_listening(source, Listener::Relay(slot));
            }
            Feeding::Mix(mix) => {
                self.relays -= 1;
                self.leave_mix(slot, &mix);
            }
            Feeding::Nothing | Feeding::Prompts(_) | Feeding::Music => {}
        }
        match self.endpoints[slot as usize].feeding {
            Feeding::Relay(source) => {
                self.relays += 1;
                self.listen(source, Listener::Relay(slot));
            }
            Feeding::Mix(_) => self.relays += 1,
            Feeding::Nothing | Feeding::Prompts(_) | Feeding::Music => {}
        }
        // A party whose place was only presumed from its description may speak from another port of it.
        if self.endpoints[slot as usize].party.as_ref().is_some_and(|(_, source)| !source.closed()) {
            self.disconnect(slot);
        }
        self.update_sender(slot);
    }

    /// Adds an endpoint to the schedule of senders if it sends audio of its own, and removes it otherwise.
    pub(super) fn update_sender(&mut self, slot: u32) {
        let endpoint = &mut self.endpoints[slot as usize];
        match (endpoint.sends_own(), endpoint.place) {
            (true, None) => endpoint.place = Some(self.slots.add(slot, self.tick)),
            (false, Some(place)) => {
                endpoint.place = None;
                if let Some(moved) = self.slots.free(place) {
                    self.endpoints[moved as usize].place = Some(place);
                }
            }
            _ => {}
        }
    }

    fn add_key(&mut self, slot: u32, digit: char) {
        let endpoint = &mut self.endpoints[slot as usize];
        let can = endpoint.party.as_ref().is_some_and(|(remote, _)| remote.telephone_event.is_some() && remote.may_send);
        let waiting = endpoint.keys.as_ref().map_or(0, |keys| keys.waiting.len());
        if !can || waiting == KEYS_MAX || event_of(digit).is_none() {
            return self.mailbox.counters.keys_dropped.add(1);
        }
        endpoint.keys.get_or_insert_default().waiting.push_back(digit);
        self.update_sender(slot);
    }

    /// A tap begins on an endpoint.
    pub(super) fn tap(&mut self, endpoint: EndpointId, tap: Tap) {
        let Some(slot) = self.find(endpoint) else { return self.mailbox.counters.bad_commands.add(1) };
        let taps = &mut self.endpoints[slot as usize].taps;
        if taps.len() < TAPS_MAX {
            taps.push(tap);
        } else {
            self.mailbox.counters.taps_refused.add_shared(1);
        }
    }

    fn untap(&mut self, slot: u32, tap: TapId) -> Option<()> {
        let taps = &mut self.endpoints[slot as usize].taps;
        let place = taps.iter().position(|known| known.id == tap)?;
        taps.swap_remove(place);
        Some(())
    }

    /// Ends an endpoint: nothing refers to it any more, and its pair rests.
    fn close(&mut self, slot: u32) -> MediaStats {
        self.current = None;
        self.feed(slot, Feeding::Nothing);
        self.endpoints[slot as usize].keys = None;
        self.update_sender(slot);
        let endpoint = &mut self.endpoints[slot as usize];
        let (source, listeners) = (endpoint.id, mem::take(&mut endpoint.listeners));
        self.source_gone(source, listeners);
        self.disconnect(slot);
        self.count_losses(slot);
        let endpoint = self.endpoints.remove(slot as usize);
        self.by_id.remove(&endpoint.id);
        self.ports.rest(endpoint.pair, self.now);
        endpoint.stats()
    }

    /// After a panic: ends the endpoint that was being worked for, and reports it.
    pub(super) fn abandon(&mut self) {
        let Some(slot) = self.current.take().filter(|slot| self.endpoints.contains(*slot as usize)) else { return };
        let endpoint = self.endpoints[slot as usize].id;
        let stats = self.close(slot);
        self.tell_owner(endpoint, MediaEvent::Closed { endpoint, stats });
    }
}
