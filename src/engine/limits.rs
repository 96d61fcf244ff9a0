//! What the engine bounds: as the board of limits shows it, and what it shares with other shards.

use std::sync::Arc;

use super::contacts::Contacts;
use super::sabotage::{Rule, TakenOut};
use super::settings::{Limits, Settings};
use crate::acd::answers::Answers;
use crate::base::ShardId;
use crate::base::limits::LimitBoard;
use crate::base::words::Limit;
use crate::call::caps::{Caps, ContactsMax, ContactsUp};

/// The room for contacts, of all shards, and how much of it this one has taken.
pub(super) struct Room {
    caps: Arc<Caps>,
    taken: ContactsUp,
}

impl Room {
    /// None is taken.
    pub(super) fn of(caps: Arc<Caps>) -> Self {
        Room { caps, taken: ContactsUp::default() }
    }

    /// Takes room for one more contact. False if there is none.
    pub(super) fn take(&mut self, answers: &mut Answers, limits: Limits, emergency: bool, taken_out: TakenOut) -> bool {
        let max = ContactsMax { all: limits.contacts, for_emergencies: limits.emergency_contacts };
        let of_all = taken_out.holds(Rule::ContactsOfAll);
        let taken = answers.next(|| !of_all || self.caps.take_contact(max, emergency));
        self.taken.all += u32::from(taken);
        self.taken.emergencies += u32::from(taken && emergency);
        taken
    }

    /// Room that was taken for what there is not, after all, goes back; so does that of what is over.
    pub(super) fn put_right(&mut self, contacts: &mut Contacts) {
        let up = contacts.up();
        self.caps.put_contacts_right(self.taken, up);
        self.taken = up;
        contacts.trunks_mut().put_right();
    }
}

/// How much this shard uses of what is bounded for all shards together.
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
    /// What contacts use, and so much else.
    pub(super) fn of(contacts: &Contacts, transactions: usize, bindings: usize, nonces: usize) -> Self {
        let ContactsUp { all, emergencies } = contacts.up();
        let trunk_calls = contacts.trunks().calls().map(|(within, out)| u64::from(within) + u64::from(out)).sum();
        Used { contacts: all, emergencies, transactions, bindings, nonces, trunk_calls, slots: contacts.slots().0 }
    }

    /// Notes it: after each input.
    pub(super) fn note(&self, board: &LimitBoard, shard: ShardId) {
        let all = [
            (Limit::Contacts, u64::from(self.contacts)),
            (Limit::EmergencyContacts, u64::from(self.emergencies)),
            (Limit::Transactions, self.transactions as u64),
            (Limit::Bindings, self.bindings as u64),
            (Limit::Nonces, self.nonces as u64),
            (Limit::TrunkCalls, self.trunk_calls),
            (Limit::ContactSlots, self.slots as u64),
        ];
        for (limit, used) in all {
            board.set_used_by(shard, limit, used);
        }
    }
}

/// Notes how much there is of everything: at the start and at each reload. So many slots the matcher has for contacts,
/// of all shards.
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
