//! What sessions tell, and what follows for the leg whose session it is.

use std::net::SocketAddr;

use super::leg::LegKey;
use super::ringing::Failure;
use super::sabotage::Rule;
use super::{Engine, lend};
use crate::base::words::{EndedBy, Transport};
use crate::base::{Time, TrunkId};
use crate::call::leg::LegState;
use crate::sip::flow::ConnectionId;
use crate::sip::session::{Body, FailedBy, GoneWhy, LoneEvent, OfferFailure, SessionEvent};

impl Engine {
    /// Follows up everything that sessions have told.
    pub(super) fn follow_sessions(&mut self, now: Time) {
        while let Some((session, event)) = self.sessions.poll_event() {
            if let Some(leg) = self.leg_with(session) {
                self.session_event(now, leg, event);
            }
        }
        while let Some((id, event)) = self.sessions.outside().poll() {
            let trunk = TrunkId(id.0);
            match event {
                LoneEvent::Answered(_) => self.probe_answered(now, trunk),
                LoneEvent::Unanswered => self.probe_failed(now, trunk),
            }
        }
    }

    fn session_event(&mut self, now: Time, leg: LegKey, event: SessionEvent) {
        let Some(entry) = self.leg(leg) else { return };
        let key = entry.contact;
        self.current = Some(key);
        match event {
            SessionEvent::Ringing { body, .. } => self.called_rings(now, leg, body.as_ref()),
            SessionEvent::Answered { body } => self.answered(now, leg, bytes(body.as_ref())),
            SessionEvent::Failed { status, by } => self.call_failed(now, leg, status, by),
            SessionEvent::Offered { body, .. } => self.reoffered(now, leg, &body.bytes),
            SessionEvent::OfferAnswered { body, .. } => self.reinvite_answered(leg, bytes(body.as_ref())),
            SessionEvent::OfferFailed { why, .. } => match why {
                OfferFailure::Refused(status) => self.reinvite_refused(now, leg, status),
                OfferFailure::Unanswered => self.reinvite_unanswered(now, leg),
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
            SessionEvent::AnsweredLate | SessionEvent::Acknowledged | SessionEvent::OfferWithdrawn => {}
        }
    }

    /// A call of ours has failed for good.
    fn call_failed(&mut self, now: Time, leg: LegKey, status: u16, by: FailedBy) {
        let Some(key) = self.leg(leg).map(|leg| leg.contact) else { return };
        match by {
            FailedBy::Peer => self.leg_failed(now, key, leg, Failure::of(status)),
            FailedBy::Timeout | FailedBy::Transport => self.leg_failed(now, key, leg, Failure::UNANSWERED),
        }
    }

    fn called_rings(&mut self, now: Time, leg: LegKey, body: Option<&Body>) {
        let Some(entry) = self.leg_mut(leg) else { return };
        let key = entry.contact;
        if let LegState::Calling { ringing } = &mut entry.state {
            *ringing = true;
            self.dial_rings(now, key, leg, bytes(body));
        }
    }

    /// A connection is gone, or none could be had.
    pub(super) fn broken(&mut self, now: Time, connection: Option<ConnectionId>, transport: Transport, remote: SocketAddr) {
        self.sessions.broken(now, connection, transport, remote);
        self.follow_sessions(now);
        if let Some(connection) = connection {
            self.desks.flow_broken(&mut lend!(self, now), connection);
        }
    }
}

fn bytes(body: Option<&Body>) -> &[u8] {
    body.map_or(&[], |body| &body.bytes)
}
