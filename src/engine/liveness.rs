//! Whether somebody is still there: a waiting caller is asked by OPTIONS on the clock, a party of a talk when it has fallen silent.

use super::contact::{ContactKey, ContactTimer, Phase};
use super::legs::{Leg, LegKey};
use super::sabotage::Rule;
use super::{Engine, lend};
use crate::base::Time;

impl Engine {
    /// A waiting caller is asked whether it is still there.
    pub(super) fn probe_caller(&mut self, now: Time, key: ContactKey) {
        let Some(contact) = self.contact(key) else { return };
        let caller = contact.caller;
        if !matches!(contact.phase, Phase::Waiting | Phase::Ringing(_)) {
            return;
        }
        if self.legs.get(caller).is_some_and(|leg| leg.state().answered())
            && let Some(mut session) = self.legs.session(&mut lend!(self, now), caller)
        {
            session.probe();
        }
        if let Some(every) = self.settings.probe_waiting {
            self.set_timer(key, ContactTimer::Alive, now + every);
        }
    }

    /// A party that is expected to send has been silent for the limit, or for as long again. A waiting caller is probed by the clock instead:
    /// phones that detect voice send nothing while music plays.
    pub(super) fn silent(&mut self, now: Time, leg: LegKey) {
        let Some(contact) = self.legs.get(leg).map(Leg::contact) else { return };
        if self.talks(contact) && self.legs.silent(&mut lend!(self, now), leg) {
            self.leg_vanished(now, leg);
        }
    }

    /// An answer to our OPTIONS within a session.
    pub(super) fn options_answered(&mut self, now: Time, leg: LegKey, status: u16) {
        if self.asked_in_the_wait(leg) {
            return;
        }
        match status {
            408 | 481 => self.leg_vanished(now, leg),
            _ => self.legs.options_answered(leg),
        }
    }

    /// No answer to our OPTIONS within a session.
    pub(super) fn options_unanswered(&mut self, now: Time, leg: LegKey) {
        let Some(contact) = self.legs.get(leg).map(Leg::contact) else { return };
        if self.asked_in_the_wait(leg) {
            return;
        }
        if self.legs.asks_into_silence(leg) && self.talks(contact) {
            self.legs.ask_by_invite(&mut lend!(self, now), leg);
        } else {
            self.leg_vanished(now, leg);
        }
    }

    fn talks(&self, key: ContactKey) -> bool {
        self.contact(key).is_some_and(|contact| matches!(contact.phase, Phase::Talking { .. }))
    }

    /// Whether what comes of an OPTIONS now was asked in a wait that is over. In a talk that has begun meanwhile packets show who is there, and
    /// silence is asked into anew.
    fn asked_in_the_wait(&self, leg: LegKey) -> bool {
        let Some(contact) = self.legs.get(leg).and_then(|leg| self.contact(leg.contact())) else { return true };
        let waits = matches!(contact.phase, Phase::Waiting | Phase::Ringing(_));
        self.holds(Rule::ProbesOfTheWait) && !self.legs.asks_into_silence(leg) && !waits
    }
}
