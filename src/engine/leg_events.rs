//! What sessions and media threads tell, and what follows for the leg whose session or endpoint it is.

use std::net::SocketAddr;

use super::legs::{Leg, LegKey};
use super::media_port::MediaEvent;
use super::ringing::Failure;
use super::sabotage::Rule;
use super::{Engine, lend};
use crate::base::words::{EndedBy, Transport};
use crate::base::{Time, TrunkId};
use crate::sip::flow::ConnectionId;
use crate::sip::session::{Body, FailedBy, GoneWhy, LoneEvent, OfferFailure, SessionEvent, SessionId};

impl Engine {
    /// Something happened to a session.
    pub(super) fn session_event(&mut self, now: Time, session: SessionId, event: SessionEvent) {
        let Some(leg) = self.legs.with_session(session) else {
            if event != SessionEvent::Over {
                // A fault has prevented its leg: nobody would end it.
                self.sessions.abandon(now, session);
            }
            return;
        };
        let Some(key) = self.legs.get(leg).map(Leg::contact) else { return };
        match event {
            SessionEvent::Ringing { body, .. } => {
                if self.legs.rings(leg) {
                    self.dial_rings(now, key, leg, bytes(body.as_ref()));
                }
            }
            SessionEvent::Answered { body } => self.answered(now, leg, bytes(body.as_ref())),
            SessionEvent::Failed { status, by } => self.call_failed(now, leg, status, by),
            SessionEvent::Offered { body, .. } => {
                if self.legs.reoffered(&mut lend!(self, now), leg, &body.bytes) {
                    self.connect(now, key);
                }
            }
            SessionEvent::OfferAnswered { body, .. } => {
                if self.legs.offer_answered(&mut lend!(self, now), leg, bytes(body.as_ref())) {
                    self.connect(now, key);
                }
            }
            SessionEvent::OfferFailed { why, .. } => match why {
                OfferFailure::Refused(status) => self.offer_refused(now, leg, status),
                OfferFailure::Unanswered => self.leg_vanished(now, leg),
                OfferFailure::Replaced | OfferFailure::Ended => {}
            },
            SessionEvent::ProbeAnswered { status } => self.options_answered(now, leg, status),
            SessionEvent::ProbeUnanswered => self.options_unanswered(now, leg),
            SessionEvent::Info { body } => {
                assert!(self.holds(Rule::SoundInfo), "a test has broken an invariant");
                self.info(now, leg, &body);
            }
            SessionEvent::Referred { refer_to, has_replaces } => self.refer(now, leg, &refer_to, has_replaces),
            SessionEvent::Gone { why: GoneWhy::Cancelled | GoneWhy::Unreachable } => {
                self.end_contact(now, key, EndedBy::Caller, Some(487));
            }
            SessionEvent::Gone { why: GoneWhy::HungUp | GoneWhy::Unacknowledged } => self.leg_vanished(now, leg),
            SessionEvent::Over => self.leg_gone(now, leg),
            SessionEvent::AnsweredLate => self.legs.answered_late(&mut lend!(self, now), leg),
            SessionEvent::Acknowledged | SessionEvent::OfferWithdrawn => {}
        }
    }

    /// What came of an OPTIONS to a trunk.
    pub(super) fn probe_event(&mut self, now: Time, trunk: TrunkId, event: LoneEvent) {
        match event {
            LoneEvent::Answered(_) => self.probe_answered(now, trunk),
            LoneEvent::Unanswered => self.probe_failed(now, trunk),
        }
    }

    /// A call of ours has failed for good.
    fn call_failed(&mut self, now: Time, leg: LegKey, status: u16, by: FailedBy) {
        match by {
            FailedBy::Peer => self.leg_failed(now, leg, Failure::of(status)),
            FailedBy::Timeout | FailedBy::Transport => self.leg_failed(now, leg, Failure::UNANSWERED),
        }
    }

    /// An offer of ours was refused. Somebody refuses, so somebody is there, but for 408 and 481.
    fn offer_refused(&mut self, now: Time, leg: LegKey, status: u16) {
        self.legs.offer_refused(leg);
        if matches!(status, 408 | 481) {
            self.leg_vanished(now, leg);
        }
    }

    /// Something happened to media.
    pub(super) fn media_event(&mut self, now: Time, event: MediaEvent) {
        match event {
            MediaEvent::Leased(leases) => self.legs.leased(leases),
            MediaEvent::Closed { endpoint, stats } => self.legs.counted(&mut lend!(self, now), endpoint, &stats),
            MediaEvent::Played { endpoint, token } => {
                let leg = self.legs.with_endpoint(endpoint).and_then(|leg| self.legs.get(leg));
                if let Some(key) = leg.map(Leg::contact) {
                    self.played(now, key, token);
                }
            }
            MediaEvent::Digit { endpoint, digit } => {
                if let Some(leg) = self.legs.with_endpoint(endpoint) {
                    self.digit(now, leg, digit);
                }
            }
            MediaEvent::Silent { endpoint, .. } => {
                if let Some(leg) = self.legs.with_endpoint(endpoint) {
                    self.silent(now, leg);
                }
            }
        }
    }

    /// A connection is gone, or none could be had.
    pub(super) fn broken(&mut self, now: Time, connection: Option<ConnectionId>, transport: Transport, remote: SocketAddr) {
        self.sessions.broken(now, connection, transport, remote);
        if let Some(connection) = connection {
            self.desks.flow_broken(&mut lend!(self, now), connection);
        }
    }
}

fn bytes(body: Option<&Body>) -> &[u8] {
    body.map_or(&[], |body| &body.bytes)
}
