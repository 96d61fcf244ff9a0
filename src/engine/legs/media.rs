//! Media of legs: a stock of leased ports, endpoints, what their parties are fed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Leg, LegKey, Legs};
use crate::base::words::{LegRole, Limit};
use crate::base::{ContactId, EndpointId};
use crate::call::leg::Role;
use crate::engine::context::Context;
use crate::engine::media_port::{Feed, MediaCommand, MediaStats, MediaThread, PortLease, Remote, SourceRule};
use crate::report::FactKind;
use crate::sdp::{Agreement, Direction, Formats, Local};

/// A leg's media: an endpoint on a leased pair of ports, and what was said of it.
#[derive(Debug)]
pub(super) struct LegMedia {
    pub(super) endpoint: EndpointId,
    pub(super) lease: PortLease,
    session_id: u64,
    version: u64,
    /// The formats of our SDP offer, while no answer has come.
    pub(super) sdp_offered: Option<Formats>,
    pub(super) agreement: Option<Agreement>,
    /// The description that we last sent, for a provisional answer's repetition in the final one.
    pub(super) described: Option<Arc<[u8]>>,
}

impl LegMedia {
    /// What we say about ourselves in the next description. Each counts as a new version: none is written twice.
    pub(super) fn local(&mut self) -> Local {
        self.version += 1;
        Local {
            address: self.lease.advertised,
            port: self.lease.rtp.port(),
            session_id: self.session_id,
            version: self.version,
            direction: Direction::SendRecv,
        }
    }
}

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

/// A leg that has ended; its record waits for the last count of packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndedLeg {
    contact: ContactId,
    number: u32,
    role: LegRole,
    status: Option<u16>,
}

/// Whose an endpoint is.
#[derive(Debug)]
pub(super) enum EndpointOwner {
    Leg(LegKey),
    Ended(EndedLeg),
}

impl Legs {
    /// Pairs of ports to make legs with.
    pub(in crate::engine) fn leased(&mut self, leases: Vec<PortLease>) {
        leases.into_iter().for_each(|lease| self.ports.put(lease));
    }

    /// Whether one more call of this address family will find the two pairs that it needs, beside those that callers without any will need:
    /// `callers` are up.
    pub(in crate::engine) fn bears(&self, ipv6: bool, callers: u32) -> bool {
        let before = callers.saturating_sub(self.callers_with_media) as usize;
        self.ports.left(ipv6) >= 2 * before + 2
    }

    /// Whether a leg of this contact would find a pair; where not, that is noted as a limit that was hit.
    pub(super) fn has_ports(&self, cx: &mut Context<'_>, contact: ContactId, thread: Option<MediaThread>, ipv6: bool) -> bool {
        let has = self.ports.has(thread, ipv6);
        if !has {
            cx.out.limit_hit(cx.now, Some(contact), Limit::MediaPorts);
        }
        has
    }

    /// Opens an endpoint, of this thread if one is given. `None` when no ports are left.
    pub(super) fn open_endpoint(
        &mut self,
        cx: &mut Context<'_>,
        role: Role,
        thread: Option<MediaThread>,
        ipv6: bool,
    ) -> Option<LegMedia> {
        let Some(lease) = self.ports.take(thread, ipv6) else {
            cx.out.limit_hit(cx.now, None, Limit::MediaPorts);
            return None;
        };
        self.endpoints_ever += 1;
        let endpoint = EndpointId(u64::from(cx.shard.0) << 48 | self.endpoints_ever);
        let (cname, session_id) = (cx.seed.next_u64(), cx.seed.next_u64() >> 2);
        self.callers_with_media += u32::from(role == Role::Caller);
        cx.out.media(lease.thread, MediaCommand::Open { endpoint, lease, cname });
        Some(LegMedia { endpoint, lease, session_id, version: 0, sdp_offered: None, agreement: None, described: None })
    }

    /// Takes what both sides have agreed on, and tells the media thread.
    pub(super) fn agree(&mut self, cx: &mut Context<'_>, key: LegKey, agreement: Agreement) {
        let Some(leg) = self.leg_mut(key) else { return };
        let comes_from = cx.sessions.flow(leg.session).map(|flow| flow.remote.ip());
        let source = match comes_from {
            Some(ip) if leg.behind_nat => SourceRule::DescribedOr(ip),
            _ => SourceRule::Described,
        };
        let Some(media) = &mut leg.media else { return };
        let (endpoint, thread, remote) = (media.endpoint, media.lease.thread, remote(&agreement, source));
        media.sdp_offered = None;
        media.agreement = Some(agreement);
        cx.out.media(thread, MediaCommand::Remote { endpoint, remote });
    }

    /// What the leg's party hears from now on.
    pub(in crate::engine) fn feed(&self, cx: &mut Context<'_>, key: LegKey, feed: Feed) {
        if let Some(media) = self.get(key).and_then(|leg| leg.media.as_ref()) {
            cx.out.media(media.lease.thread, MediaCommand::Feed { endpoint: media.endpoint, feed });
        }
    }

    /// The leg's party is sent a key as telephone-event.
    pub(in crate::engine) fn send_key(&self, cx: &mut Context<'_>, key: LegKey, digit: char) {
        if let Some(media) = self.get(key).and_then(|leg| leg.media.as_ref()) {
            cx.out.media(media.lease.thread, MediaCommand::SendDigit { endpoint: media.endpoint, digit });
        }
    }

    /// Ends the leg's endpoint. Its record is written when the media thread has counted its packets.
    pub(super) fn close_media(&mut self, cx: &mut Context<'_>, key: LegKey) {
        let Some(leg) = self.leg_mut(key) else { return };
        let ended = EndedLeg::of(leg);
        let (media, had_media) = (leg.media.take(), leg.had_media);
        match media {
            Some(media) => {
                self.callers_with_media -= u32::from(ended.role == LegRole::Caller);
                self.endpoints.insert(media.endpoint.0, EndpointOwner::Ended(ended));
                cx.out.media(media.lease.thread, MediaCommand::Close { endpoint: media.endpoint });
            }
            None if !had_media => ended.record(cx, &MediaStats::default()),
            None => {}
        }
    }

    /// A media thread has counted the packets of an endpoint that was closed.
    pub(in crate::engine) fn counted(&mut self, cx: &mut Context<'_>, endpoint: EndpointId, stats: &MediaStats) {
        if let Some(EndpointOwner::Ended(ended)) = self.endpoints.remove(&endpoint.0) {
            ended.record(cx, stats);
        }
    }
}

impl EndedLeg {
    fn of(leg: &Leg) -> Self {
        EndedLeg { contact: leg.contact.id, number: leg.number, role: leg.role.word(), status: leg.status }
    }

    fn record(self, cx: &mut Context<'_>, stats: &MediaStats) {
        let EndedLeg { contact, number, role, status } = self;
        let packets = (stats.received, stats.sent, stats.lost);
        cx.fact(Some(contact), FactKind::LegEnded { leg: number, role, status, packets, jitter: stats.jitter });
    }
}

fn remote(agreement: &Agreement, source: SourceRule) -> Remote {
    Remote {
        rtp: agreement.rtp,
        rtcp: agreement.rtcp,
        codec: agreement.codec,
        send_payload_type: agreement.send_payload_type,
        receive_payload_type: agreement.receive_payload_type,
        telephone_event: agreement.telephone_event,
        may_send: agreement.may_send,
        expects: agreement.expects,
        source,
    }
}
