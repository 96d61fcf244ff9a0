//! What sessions and media threads tell of a leg, and what the leg tells its contact of that.

use super::media::Endpoints;
use super::{Leg, Legs, find};
use crate::engine::between::{CallFailed, LegEvent};
use crate::engine::context::Context;
use crate::engine::media_port::MediaEvent;
use crate::engine::sabotage::Rule;
use crate::sip::session::{Body, FailedBy, GoneWhy, OfferFailure, SessionEvent, SessionId};

impl Legs {
    /// Something happened to a session.
    pub(in crate::engine) fn session_event(&mut self, cx: &mut Context<'_>, session: SessionId, event: SessionEvent) {
        let Some(key) = self.with_session(session) else {
            if event != SessionEvent::Over {
                // A fault has prevented its leg: nobody would end it.
                cx.sessions.abandon(cx.now, session);
            }
            return;
        };
        match event {
            SessionEvent::Over => return self.gone(cx, key, LegEvent::Over),
            SessionEvent::Failed { status, by } => {
                let why = match by {
                    FailedBy::Peer => CallFailed::Refused(status),
                    FailedBy::Timeout | FailedBy::Transport => CallFailed::Unanswered,
                };
                if let Some(leg) = find(&mut self.legs, key) {
                    leg.status = Some(why.status());
                }
                return self.gone(cx, key, LegEvent::Failed(why));
            }
            _ => {}
        }
        let endpoints = &mut self.endpoints;
        let Some(leg) = find(&mut self.legs, key) else { return cx.missing("the leg of a session") };
        let Some(told) = heard(leg, cx, endpoints, event) else { return };
        if told == LegEvent::Left && leg.state.answered() {
            leg.hang_up(cx, endpoints);
            if cx.sessions.flow(session).is_none() {
                // The party's BYE has ended the session, too.
                return self.gone(cx, key, LegEvent::Gone);
            }
        }
        leg.tell(cx, told);
    }

    /// Something happened to media.
    pub(in crate::engine) fn media_event(&mut self, cx: &mut Context<'_>, event: MediaEvent) {
        let endpoint = match event {
            MediaEvent::Leased(leases) => return self.endpoints.leased(leases),
            MediaEvent::Closed { endpoint, stats } => return self.endpoints.counted(cx, endpoint, &stats),
            MediaEvent::Played { endpoint, .. } | MediaEvent::Digit { endpoint, .. } | MediaEvent::Silent { endpoint, .. } => {
                endpoint
            }
        };
        let Some(leg) = self.with_endpoint(endpoint).and_then(|key| find(&mut self.legs, key)) else { return };
        match event {
            MediaEvent::Played { token, .. } => leg.tell(cx, LegEvent::Played(token)),
            MediaEvent::Digit { digit, .. } => leg.tell(cx, LegEvent::Key { digit, by_signalling: false }),
            MediaEvent::Silent { .. } => {
                if leg.silent(cx) {
                    leg.hang_up(cx, &mut self.endpoints);
                    leg.tell(cx, LegEvent::Left);
                }
            }
            MediaEvent::Leased(_) | MediaEvent::Closed { .. } => {}
        }
    }
}

/// What a session's event is to the leg's contact.
fn heard(leg: &mut Leg, cx: &mut Context<'_>, endpoints: &mut Endpoints, event: SessionEvent) -> Option<LegEvent> {
    match event {
        SessionEvent::Ringing { body, .. } => leg.rings(cx, bytes(body.as_ref())).map(|heard| LegEvent::Rings { heard }),
        SessionEvent::Answered { body } => {
            if leg.answered(cx, bytes(body.as_ref())) {
                return Some(LegEvent::Answered);
            }
            leg.hang_up(cx, endpoints);
            Some(LegEvent::Unusable)
        }
        SessionEvent::AnsweredLate => {
            leg.status = Some(200);
            leg.close_media(cx, endpoints);
            None
        }
        SessionEvent::Offered { body, .. } => leg.reoffered(cx, &body.bytes).then(|| agreed(leg)),
        SessionEvent::OfferAnswered { body, .. } => leg.offer_answered(cx, bytes(body.as_ref())).then(|| agreed(leg)),
        SessionEvent::OfferFailed { why, .. } => match why {
            OfferFailure::Refused(status) => (!leg.offer_refused(status)).then_some(LegEvent::Left),
            OfferFailure::Unanswered => Some(LegEvent::Left),
            OfferFailure::Replaced | OfferFailure::Ended => None,
        },
        SessionEvent::ProbeAnswered { status } => leg.probed(cx, Some(status)),
        SessionEvent::ProbeUnanswered => leg.probed(cx, None),
        SessionEvent::Info { body } => {
            assert!(cx.holds(Rule::SoundInfo), "a test has broken an invariant");
            let relay = body.is("application/dtmf-relay");
            let digit = str::from_utf8(&body.bytes).ok().and_then(|body| info_digit(body, relay))?;
            Some(LegEvent::Key { digit, by_signalling: true })
        }
        SessionEvent::Referred { refer_to, has_replaces } => Some(LegEvent::Referred { refer_to, has_replaces }),
        SessionEvent::Gone { why: GoneWhy::Cancelled | GoneWhy::Unreachable | GoneWhy::HungUp | GoneWhy::Unacknowledged } => {
            Some(LegEvent::Left)
        }
        SessionEvent::Acknowledged | SessionEvent::OfferWithdrawn | SessionEvent::Failed { .. } | SessionEvent::Over => None,
    }
}

fn agreed(leg: &Leg) -> LegEvent {
    LegEvent::Agreed { holds: leg.state.holds() }
}

fn bytes(body: Option<&Body>) -> &[u8] {
    body.map_or(&[], |body| &body.bytes)
}

/// The key of an INFO body, in either of the two forms that phones use: `Signal=5` among other lines, or the key alone.
fn info_digit(body: &str, relay: bool) -> Option<char> {
    let text = if relay {
        body.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then(|| value.trim())
        })?
    } else {
        body.trim()
    };
    match text {
        "10" => Some('*'),
        "11" => Some('#'),
        _ => {
            let digit = text.chars().next()?.to_ascii_uppercase();
            (text.len() == 1 && matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D')).then_some(digit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::info_digit;

    #[test]
    fn info_bodies_name_one_key() {
        assert_eq!(info_digit("Signal=5\r\nDuration=160\r\n", true), Some('5'));
        assert_eq!(info_digit("signal = *\r\n", true), Some('*'));
        assert_eq!(info_digit("Signal=11\r\n", true), Some('#'));
        assert_eq!(info_digit("7", false), Some('7'));
        assert_eq!(info_digit("77", false), None);
        assert_eq!(info_digit("Duration=160", true), None);
    }
}
