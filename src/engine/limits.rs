//! What the engine bounds, as the board of limits shows it.

use super::settings::Settings;
use crate::base::limits::LimitBoard;
use crate::base::words::Limit;

/// How much is used of what the engine bounds.
pub(super) struct Used {
    /// All contacts, and the emergencies among them.
    pub(super) contacts: u32,
    pub(super) emergencies: u32,
    pub(super) transactions: usize,
    pub(super) bindings: usize,
    pub(super) nonces: usize,
    pub(super) trunk_calls: u64,
    pub(super) slots: usize,
}

impl Used {
    /// Notes it: after each input.
    pub(super) fn note(&self, board: &LimitBoard, settings: &Settings) {
        let limits = settings.limits;
        let ordinary = self.contacts - self.emergencies;
        // Emergencies take the common room first, then what is kept for them.
        let beyond = self.contacts.saturating_sub(limits.contacts - limits.emergency_contacts).min(self.emergencies);
        let all = [
            (Limit::Contacts, u64::from(ordinary + self.emergencies - beyond)),
            (Limit::EmergencyContacts, u64::from(beyond)),
            (Limit::Transactions, self.transactions as u64),
            (Limit::Bindings, self.bindings as u64),
            (Limit::Nonces, self.nonces as u64),
            (Limit::TrunkCalls, self.trunk_calls),
            (Limit::ContactSlots, self.slots as u64),
        ];
        for (limit, used) in all {
            board.set_used(limit, used);
        }
    }
}

/// Notes how much there is of everything: at the start and at each reload. So many slots the matcher has for contacts.
pub(super) fn note_max(board: &LimitBoard, settings: &Settings, slots: usize) {
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
        (Limit::ContactSlots, slots as u64),
    ];
    for (limit, max) in all {
        board.set_max(limit, max);
    }
}
