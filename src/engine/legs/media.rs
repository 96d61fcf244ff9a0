//! Media of legs: a stock of leased ports, endpoints, and what was said of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::base::hash::{Keyed, KeyedMap};
use crate::base::words::{LegRole, Limit};
use crate::base::{ContactId, EndpointId};
use crate::call::leg::Role;
use crate::engine::between::LegKey;
use crate::engine::context::Context;
use crate::engine::media_port::{Feed, MediaCommand, MediaStats, MediaThread, PortLease, Remote, SourceRule};
use crate::report::FactKind;
use crate::sdp::{Agreement, Direction, Formats, Local};

/// A leg's media: an endpoint on a leased pair of ports, and what was said of it.
#[derive(Debug)]
pub(super) struct LegMedia {
    pub(super) endpoint: EndpointId,
    lease: PortLease,
    session_id: u64,
    version: u64,
    /// The formats of our SDP offer, while no answer has come.
    pub(super) sdp_offered: Option<Formats>,
    pub(super) agreement: Option<Agreement>,
    /// The description that we last sent, for a provisional answer's repetition in the final one.
    pub(super) described: Option<Arc<[u8]>>,
}

impl LegMedia {
    /// The thread of the endpoint.
    pub(super) const fn thread(&self) -> MediaThread {
        self.lease.thread
    }

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

    /// Takes what both sides have agreed on, and tells the media thread.
    pub(super) fn agree(&mut self, cx: &mut Context<'_>, agreement: Agreement, source: SourceRule) {
        let remote = remote(&agreement, source);
        self.sdp_offered = None;
        self.agreement = Some(agreement);
        cx.out.media(self.thread(), MediaCommand::Remote { endpoint: self.endpoint, remote });
    }

    /// What the party hears from now on.
    pub(super) fn feed(&self, cx: &mut Context<'_>, feed: Feed) {
        cx.out.media(self.thread(), MediaCommand::Feed { endpoint: self.endpoint, feed });
    }

    /// The party is sent a key as telephone-event.
    pub(super) fn send_key(&self, cx: &mut Context<'_>, digit: char) {
        cx.out.media(self.thread(), MediaCommand::SendDigit { endpoint: self.endpoint, digit });
    }
}

/// Leased pairs that no leg uses yet.
#[derive(Debug, Default)]
struct PortStock {
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
    pub(super) contact: ContactId,
    pub(super) number: u32,
    pub(super) role: LegRole,
    pub(super) status: Option<u16>,
}

impl EndedLeg {
    /// Records a leg with what its endpoint counted.
    pub(super) fn record(self, cx: &mut Context<'_>, stats: &MediaStats) {
        let EndedLeg { contact, number, role, status } = self;
        if number == 0 {
            // It ended before the contact that it came to had numbered it.
            return;
        }
        let packets = (stats.received, stats.sent, stats.lost);
        cx.fact(Some(contact), FactKind::LegEnded { leg: number, role, status, packets, jitter: stats.jitter });
    }
}

/// Whose an endpoint is.
#[derive(Debug)]
enum EndpointOwner {
    Leg(LegKey),
    Ended(EndedLeg),
}

/// The endpoints of all legs of one shard, and the ports for more.
pub(super) struct Endpoints {
    owners: KeyedMap<u64, EndpointOwner>,
    ports: PortStock,
    /// Of the callers that there are, how many have ports.
    callers_with_media: u32,
}

impl Endpoints {
    pub(super) fn new(keyed: Keyed) -> Self {
        Endpoints { owners: keyed.map(), ports: PortStock::default(), callers_with_media: 0 }
    }

    /// Whether no endpoint is open or has its packets still to be counted.
    pub(super) fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// Pairs of ports to make legs with.
    pub(super) fn leased(&mut self, leases: Vec<PortLease>) {
        leases.into_iter().for_each(|lease| self.ports.put(lease));
    }

    /// Whether one more call of this address family will find the two pairs that it needs, beside those that callers without any will need:
    /// `callers` are up.
    pub(super) fn bear(&self, ipv6: bool, callers: u32) -> bool {
        let before = callers.saturating_sub(self.callers_with_media) as usize;
        self.ports.left(ipv6) >= 2 * before + 2
    }

    /// Opens an endpoint for a leg of this contact, of this thread if one is given. `None` when no ports are left, which is noted as a limit
    /// that was hit.
    pub(super) fn open(
        &mut self,
        cx: &mut Context<'_>,
        (leg, role, contact): (LegKey, Role, ContactId),
        thread: Option<MediaThread>,
        ipv6: bool,
    ) -> Option<LegMedia> {
        let Some(lease) = self.ports.take(thread, ipv6) else {
            cx.limit_hit(Some(contact), Limit::MediaPorts);
            return None;
        };
        let endpoint = leg.endpoint();
        let (cname, session_id) = (cx.seed.next_u64(), cx.seed.next_u64() >> 2);
        self.callers_with_media += u32::from(role == Role::Caller);
        self.owners.insert(endpoint.0, EndpointOwner::Leg(leg));
        cx.out.media(lease.thread, MediaCommand::Open { endpoint, lease, cname });
        Some(LegMedia { endpoint, lease, session_id, version: 0, sdp_offered: None, agreement: None, described: None })
    }

    /// A leg that was a caller's is somebody else's now; whether it has an endpoint.
    pub(super) const fn is_no_caller(&mut self, has_endpoint: bool) {
        self.callers_with_media -= has_endpoint as u32;
    }

    /// Whether there is a pair of this family, of `thread` if one is given.
    pub(super) fn has_ports(&self, thread: Option<MediaThread>, ipv6: bool) -> bool {
        self.ports.has(thread, ipv6)
    }

    /// The leg whose endpoint it is.
    pub(super) fn owner(&self, endpoint: EndpointId) -> Option<LegKey> {
        match self.owners.get(&endpoint.0)? {
            EndpointOwner::Leg(key) => Some(*key),
            EndpointOwner::Ended(_) => None,
        }
    }

    /// Ends an endpoint. The leg's record is written when the media thread has counted its packets.
    pub(super) fn close(&mut self, cx: &mut Context<'_>, media: &LegMedia, ended: EndedLeg) {
        self.callers_with_media -= u32::from(ended.role == LegRole::Caller);
        self.owners.insert(media.endpoint.0, EndpointOwner::Ended(ended));
        cx.out.media(media.thread(), MediaCommand::Close { endpoint: media.endpoint });
    }

    /// A media thread has counted the packets of an endpoint that was closed.
    pub(super) fn counted(&mut self, cx: &mut Context<'_>, endpoint: EndpointId, stats: &MediaStats) {
        if let Some(EndpointOwner::Ended(ended)) = self.owners.remove(&endpoint.0) {
            ended.record(cx, stats);
        }
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
