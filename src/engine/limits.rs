//! What the engine bounds, as the board of limits shows it.

use super::Engine;
use crate::base::words::Limit;

impl Engine {
    /// Notes how much there is of everything: at the start and at each reload.
    pub(super) fn note_limits(&mut self) {
        let settings = &self.settings;
        let limits = settings.limits;
        let agents = settings.directory.agents.iter().flatten().count() as u64;
        let trunk_calls: u64 =
            settings.trunks.iter().flatten().map(|trunk| u64::from(trunk.calls_max) + u64::from(trunk.emergency_reserve)).sum();
        let all = [
            (Limit::Contacts, u64::from(limits.contacts - limits.emergency_contacts)),
            (Limit::EmergencyContacts, u64::from(limits.emergency_contacts)),
            (Limit::Transactions, u64::from(limits.transactions)),
            (Limit::Bindings, agents * u64::from(limits.bindings_per_agent)),
            (Limit::Nonces, u64::from(limits.nonces)),
            (Limit::TrunkCalls, trunk_calls),
            (Limit::LineSlots, self.in_slot.len() as u64),
        ];
        for (limit, max) in all {
            self.limits.set_max(limit, max);
        }
        self.note_use();
    }

    /// Notes how much of it is used: after each input.
    pub(super) fn note_use(&self) {
        let settings = self.settings.limits;
        let ordinary = self.contacts_up - self.emergencies_up;
        // Emergencies take the common room first, then what is kept for them.
        let beyond = self.contacts_up.saturating_sub(settings.contacts - settings.emergency_contacts).min(self.emergencies_up);
        let trunk_calls: u64 =
            self.trunks.iter().map(|trunk| u64::from(trunk.load.calls_in) + u64::from(trunk.load.calls_out)).sum();
        let all = [
            (Limit::Contacts, u64::from(ordinary + self.emergencies_up - beyond)),
            (Limit::EmergencyContacts, u64::from(beyond)),
            (Limit::Transactions, self.sessions.held().servers as u64),
            (Limit::Bindings, self.desks.devices().count() as u64),
            (Limit::Nonces, self.proof.remembered() as u64),
            (Limit::TrunkCalls, trunk_calls),
            (Limit::LineSlots, (self.in_slot.len() - self.free_slots.len()) as u64),
        ];
        for (limit, used) in all {
            self.limits.set_used(limit, used);
        }
    }
}
