//! Media as the engine sees it: a stock of leased ports, endpoints of legs, what they are fed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Engine;
use super::contact::{CallerHears, ContactKey};
use super::leg::{LegKey, LegMedia};
use super::media_port::{Feed, MediaCommand, MediaEvent, MediaStats, MediaThread, PortLease, Remote, SourceRule};
use super::sabotage::Rule;
use crate::base::words::{LegRole, Limit};
use crate::base::{ContactId, EndpointId, Time};
use crate::call::leg::Role;
use crate::report::FactKind;
use crate::sdp::{Agreement, Direction, Local};

/// Leased pairs that no leg uses yet.
#[derive(Debug, Default)]
pub(super) struct PortStock {
    by_thread: BTreeMap<(MediaThread, bool), VecDeque<PortLease>>,
}

impl PortStock {
    fn put(&mut self, lease: PortLease) {
        self.by_thread.entry((lease.thread, lease.rtp.is_ipv6())).or_default().push_back(lease);
    }

    /// Whether there is a pair of this family, of `thread` if one is given.
    fn has(&self, thread: Option<MediaThread>, ipv6: bool) -> bool {
        match thread {
            Some(thread) => self.by_thread.get(&(thread, ipv6)).is_some_and(|stock| !stock.is_empty()),
            None => self.left(ipv6) > 0,
        }
    }

    fn left(&self, ipv6: bool) -> usize {
        self.by_thread.iter().filter(|((_, v6), _)| *v6 == ipv6).map(|(_, stock)| stock.len()).sum()
    }

    /// Whether a new call of this family will find the two pairs that it needs, beside `before`: calls whose caller has none yet.
    pub(super) fn bears(&self, ipv6: bool, before: usize) -> bool {
        self.left(ipv6) >= 2 * before + 2
    }

    /// A pair of this address family: of `thread` if one is given, else of the thread with the most left.
    fn take(&mut self, thread: Option<MediaThread>, ipv6: bool) -> Option<PortLease> {
        let stock = match thread {
            Some(thread) => self.by_thread.get_mut(&(thread, ipv6))?,
            None => {
                let fits = self.by_thread.iter_mut().filter(|((_, v6), _)| *v6 == ipv6);
                fits.map(|(_, stock)| stock).max_by_key(|stock| stock.len())?
            }
        };
        stock.pop_front()
    }
}

/// Whose an endpoint is.
#[derive(Debug)]
pub(super) enum EndpointOwner {
    /// A leg's.
    Leg(LegKey),
    /// A leg's that has ended; its record waits for the last count of packets.
    Ended { contact: Option<ContactId>, leg: u32, role: LegRole, status: Option<u16> },
}

impl Engine {
    /// Whether a leg of this contact to there would find a pair of ports; where not, that is noted as a limit that was hit.
    pub(super) fn ports_for(&mut self, now: Time, key: ContactKey, ipv6: bool) -> bool {
        let Some(contact) = self.contact(key) else { return false };
        let (id, has) = (contact.id, self.ports.has(contact.thread, ipv6));
        if !has {
            self.limit_hit(now, Some(id), Limit::MediaPorts);
        }
        has
    }

    /// Opens an endpoint for a leg of this contact. `None` when no ports are left.
    pub(super) fn open_endpoint(&mut self, now: Time, key: ContactKey, role: Role, ipv6: bool) -> Option<LegMedia> {
        let thread = self.contact(key).and_then(|contact| contact.thread).filter(|_| self.holds(Rule::OneThread));
        let Some(lease) = self.ports.take(thread, ipv6) else {
            self.limit_hit(now, None, Limit::MediaPorts);
            return None;
        };
        let endpoint = EndpointId(u64::from(self.shard.0) << 48 | self.next_serial());
        let (cname, session_id) = (self.seed.next_u64(), self.seed.next_u64() >> 2);
        if let Some(contact) = self.contact_mut(key) {
            contact.thread = Some(lease.thread);
        }
        self.callers_with_media += u32::from(role == Role::Caller);
        self.out.media(lease.thread, MediaCommand::Open { endpoint, lease, cname });
        Some(LegMedia { endpoint, lease, session_id, version: 0, sdp_offered: None, agreement: None, described: None })
    }

    /// Opens the endpoint of a leg that is there, if it has none. False when no ports are left.
    pub(super) fn open_media(&mut self, now: Time, key: LegKey, ipv6: bool) -> bool {
        let Some(leg) = self.leg(key) else { return false };
        if leg.media.is_some() {
            return true;
        }
        let (contact, role) = (leg.contact, leg.role);
        let Some(media) = self.open_endpoint(now, contact, role, ipv6) else { return false };
        self.endpoints.insert(media.endpoint.0, EndpointOwner::Leg(key));
        if let Some(leg) = self.leg_mut(key) {
            (leg.had_media, leg.media) = (true, Some(media));
        }
        true
    }

    /// What we say about ourselves in the leg's next description. Each counts as a new version: none is written twice.
    pub(super) fn local(&mut self, key: LegKey, direction: Direction) -> Option<Local> {
        Some(self.leg_mut(key)?.media.as_mut()?.local(direction))
    }

    /// Takes what both sides have agreed on, and tells the media thread.
    pub(super) fn agree(&mut self, key: LegKey, agreement: Agreement) {
        let comes_from = self.leg(key).and_then(|leg| self.sessions.flow(leg.session)).map(|flow| flow.remote.ip());
        let Some(leg) = self.leg_mut(key) else { return };
        let source = match comes_from {
            Some(ip) if leg.behind_nat => SourceRule::DescribedOr(ip),
            _ => SourceRule::Described,
        };
        let Some(media) = &mut leg.media else { return };
        let remote = Remote {
            rtp: agreement.rtp,
            rtcp: agreement.rtcp,
            codec: agreement.codec,
            send_payload_type: agreement.send_payload_type,
            receive_payload_type: agreement.receive_payload_type,
            telephone_event: agreement.telephone_event,
            may_send: agreement.may_send,
            expects: agreement.expects,
            source,
        };
        media.sdp_offered = None;
        media.agreement = Some(agreement);
        let (endpoint, thread) = (media.endpoint, media.lease.thread);
        self.out.media(thread, MediaCommand::Remote { endpoint, remote });
    }

    /// What the leg's party hears from now on.
    pub(super) fn feed(&mut self, key: LegKey, feed: Feed) {
        let Some(media) = self.leg(key).and_then(|leg| leg.media.as_ref()) else { return };
        let (endpoint, thread) = (media.endpoint, media.lease.thread);
        self.out.media(thread, MediaCommand::Feed { endpoint, feed });
    }

    /// Plays prompts to the caller; the answer carries the token.
    pub(super) fn play(&mut self, key: ContactKey, names: Vec<Arc<str>>) {
        let token = self.next_serial();
        let Some(contact) = self.contact_mut(key) else { return };
        contact.hears = CallerHears::Prompts(token);
        let caller = contact.caller;
        self.feed(caller, Feed::Prompts { names, token });
    }

    /// Plays the queue's music to the caller, unless it is heard already or the caller hears nothing yet.
    pub(super) fn music(&mut self, key: ContactKey) {
        let Some(contact) = self.contact(key) else { return };
        let caller = contact.caller;
        if contact.hears == CallerHears::Music || self.leg(caller).is_none_or(|leg| leg.codec().is_none()) {
            return;
        }
        let queue = contact.ticket.map(|ticket| ticket.queue).or(contact.last_queue);
        let Some(music) = queue.and_then(|queue| self.settings.queue(queue)).map(|rules| rules.music.clone()) else { return };
        if let Some(contact) = self.contact_mut(key) {
            contact.hears = CallerHears::Music;
        }
        self.feed(caller, Feed::Music(music));
    }

    /// Ends the leg's endpoint. Its record is written when the media thread has counted its packets.
    pub(super) fn close_media(&mut self, now: Time, key: LegKey) {
        let Some(leg) = self.leg_mut(key) else { return };
        let (contact, number, role, status) = (leg.contact, leg.number, leg.role.word(), leg.status);
        let had_media = leg.had_media;
        let media = leg.media.take();
        let contact = self.contact(contact).map(|contact| contact.id);
        match media {
            Some(media) => {
                self.callers_with_media -= u32::from(role == LegRole::Caller);
                self.endpoints.insert(media.endpoint.0, EndpointOwner::Ended { contact, leg: number, role, status });
                let command = MediaCommand::Close { endpoint: media.endpoint };
                self.out.media(media.lease.thread, command);
            }
            None if !had_media => self.leg_record(now, contact, (number, role, status), &MediaStats::default()),
            None => {}
        }
    }

    fn leg_record(&mut self, now: Time, contact: Option<ContactId>, leg: (u32, LegRole, Option<u16>), stats: &MediaStats) {
        let packets = (stats.received, stats.sent, stats.lost);
        let (leg, role, status) = leg;
        self.fact(now, contact, FactKind::LegEnded { leg, role, status, packets, jitter: stats.jitter });
    }

    pub(super) fn media_event(&mut self, now: Time, event: MediaEvent) {
        match event {
            MediaEvent::Leased(leases) => leases.into_iter().for_each(|lease| self.ports.put(lease)),
            MediaEvent::Played { endpoint, token } => {
                if let Some(key) = self.contact_of(endpoint) {
                    self.current = Some(key);
                    self.played(now, key, token);
                }
            }
            MediaEvent::Digit { endpoint, digit } => {
                if let Some(EndpointOwner::Leg(leg)) = self.endpoints.get(&endpoint.0) {
                    let leg = *leg;
                    self.digit(now, leg, digit);
                }
            }
            MediaEvent::Silent { endpoint, .. } => {
                if let Some(EndpointOwner::Leg(leg)) = self.endpoints.get(&endpoint.0) {
                    let leg = *leg;
                    self.silent(now, leg);
                }
            }
            MediaEvent::Closed { endpoint, stats } => {
                if let Some(EndpointOwner::Ended { contact, leg, role, status }) = self.endpoints.remove(&endpoint.0) {
                    self.leg_record(now, contact, (leg, role, status), &stats);
                }
            }
        }
    }

    fn contact_of(&self, endpoint: EndpointId) -> Option<ContactKey> {
        match self.endpoints.get(&endpoint.0)? {
            EndpointOwner::Leg(leg) => self.leg(*leg).map(|leg| leg.contact),
            EndpointOwner::Ended { .. } => None,
        }
    }

    /// A key was pressed, by RTP or by INFO.
    pub(super) fn digit(&mut self, now: Time, leg: LegKey, digit: char) {
        let Some(leg) = self.leg(leg) else { return };
        let (key, caller) = (leg.contact, leg.role == Role::Caller);
        self.current = Some(key);
        if caller {
            self.menu_event(now, key, crate::call::menu::Event::Key(digit));
        }
    }
}
