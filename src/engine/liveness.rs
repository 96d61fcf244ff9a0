//! Whether somebody is still there: the probes of who waits and of who has fallen silent.
//!
//! A waiting caller is asked by OPTIONS on the clock. A party of a talk that sends neither RTP nor RTCP for the silence limit is asked by
//! OPTIONS, too; where that is answered, but the silence lasts, or where no answer comes, by a re-INVITE that changes nothing: a proxy
//! or a gateway may answer the first for a phone that is long gone, and the second mends an address that one side has lost. Only
//! 408, 481 (RFC 5057 5.1) and silence to the re-INVITE say that nobody is there.

use super::Engine;
use super::contact::{ContactKey, ContactTimer, Phase};
use super::leg::LegKey;
use super::sabotage::Rule;
use crate::base::Time;
use crate::sdp::{self, Direction};
use crate::sip::session::{Body, OfferBy, Purpose};

/// How far the asking of a silent party has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Asked {
    /// Not asked, or heard to be there.
    #[default]
    No,
    /// By OPTIONS; no answer yet.
    Options,
    /// By OPTIONS, which was answered; the next silence is answered by a re-INVITE.
    OptionsAnswered,
    /// By a re-INVITE; no answer yet.
    Invite,
    /// By a re-INVITE that has had no final answer for a whole silence limit: a provisional one stops its time-out (RFC 3261 17.1.1.2).
    InviteOverdue,
}

impl Engine {
    /// A waiting caller is asked whether it is still there.
    pub(super) fn probe_caller(&mut self, now: Time, key: ContactKey) {
        let Some(contact) = self.contact(key) else { return };
        let caller = contact.caller;
        if !matches!(contact.phase, Phase::Waiting | Phase::Ringing(_)) {
            return;
        }
        if self.leg(caller).is_some_and(|leg| leg.state.answered()) {
            self.ask_by_options(now, caller);
        }
        if let Some(every) = self.settings.probe_waiting {
            self.set_timer(key, ContactTimer::Alive, now + every);
        }
    }

    /// A party that is expected to send has been silent for the limit, or for as long again.
    pub(super) fn silent(&mut self, now: Time, key: LegKey) {
        let Some(contact) = self.leg(key).map(|leg| leg.contact) else { return };
        self.current = Some(contact);
        let talks = self.talks(contact);
        // A waiting caller is probed by the clock instead: phones that detect voice send nothing while music plays.
        let Some(leg) = self.leg_mut(key).filter(|leg| talks && leg.state.answered() && !leg.state.holds()) else { return };
        match leg.asked {
            Asked::No => {
                leg.asked = Asked::Options;
                self.ask_by_options(now, key);
            }
            Asked::OptionsAnswered => self.ask_by_invite(now, key),
            // The answer, or the end of its transaction, decides.
            Asked::Options => {}
            Asked::Invite => leg.asked = Asked::InviteOverdue,
            Asked::InviteOverdue => self.nobody_there(now, key),
        }
    }

    fn ask_by_options(&mut self, now: Time, leg: LegKey) {
        if let Some(mut session) = self.session(now, leg) {
            session.probe();
        }
    }

    /// An INVITE within the dialog that offers what is already agreed. While another offer is under way it waits.
    fn ask_by_invite(&mut self, now: Time, key: LegKey) {
        let Some(leg) = self.leg_mut(key) else { return };
        let Some(media) = &mut leg.media else { return };
        let Some(formats) = media.agreement.as_ref().map(sdp::Agreement::formats) else { return };
        let body = sdp::offer(&media.local(Direction::SendRecv), &formats);
        media.sdp_offered = Some(formats);
        leg.asked = Asked::Invite;
        if let Some(mut session) = self.session(now, key) {
            session.offer(Purpose::Alive, OfferBy::Invite, Body::sdp(body));
        }
    }

    /// An answer to our OPTIONS within a dialog.
    pub(super) fn options_answered(&mut self, now: Time, key: LegKey, status: u16) {
        if self.asked_in_the_wait(key) {
            return;
        }
        if matches!(status, 408 | 481) {
            return self.nobody_there(now, key);
        }
        let Some(leg) = self.leg_mut(key) else { return };
        if leg.asked == Asked::Options {
            leg.asked = Asked::OptionsAnswered;
        }
    }

    /// No answer to our OPTIONS within a dialog.
    pub(super) fn options_unanswered(&mut self, now: Time, key: LegKey) {
        if self.asked_in_the_wait(key) {
            return;
        }
        let Some(leg) = self.leg(key) else { return };
        if leg.asked == Asked::Options && self.talks(leg.contact) {
            self.ask_by_invite(now, key);
        } else {
            self.nobody_there(now, key);
        }
    }

    fn talks(&self, key: ContactKey) -> bool {
        self.contact(key).is_some_and(|contact| matches!(contact.phase, Phase::Talking { .. }))
    }

    /// Whether what comes of an OPTIONS now was asked in a wait that is over. In a talk that has begun meanwhile packets show who is there, and
    /// silence is asked into anew.
    fn asked_in_the_wait(&self, key: LegKey) -> bool {
        let Some(leg) = self.leg(key) else { return true };
        let waits = self.contact(leg.contact).is_some_and(|contact| matches!(contact.phase, Phase::Waiting | Phase::Ringing(_)));
        self.holds(Rule::ProbesOfTheWait) && leg.asked != Asked::Options && !waits
    }

    /// An offer of ours within the session was accepted.
    pub(super) fn reinvite_answered(&mut self, key: LegKey, body: &[u8]) {
        let Some(leg) = self.leg_mut(key) else { return };
        leg.asked = Asked::No;
        let contact = leg.contact;
        let sdp_offered = leg.media.as_mut().and_then(|media| media.sdp_offered.take());
        let agreed = sdp_offered.and_then(|offered| sdp::agreed(&offered, &sdp::read(body).ok()?).ok());
        if let Some(agreement) = agreed {
            self.agree(key, agreement);
            self.connect(contact);
        }
    }

    /// An offer of ours within the session was refused. Somebody refuses, so somebody is there: what was agreed before stands (RFC 3261 14.1).
    pub(super) fn reinvite_refused(&mut self, now: Time, key: LegKey, status: u16) {
        let Some(leg) = self.leg_mut(key) else { return };
        leg.asked = Asked::No;
        if let Some(media) = &mut leg.media {
            media.sdp_offered = None;
        }
        if matches!(status, 408 | 481) {
            self.nobody_there(now, key);
        }
    }

    /// No answer to an offer of ours within the session.
    pub(super) fn reinvite_unanswered(&mut self, now: Time, key: LegKey) {
        self.nobody_there(now, key);
    }

    fn nobody_there(&mut self, now: Time, key: LegKey) {
        self.leg_vanished(now, key);
    }
}
