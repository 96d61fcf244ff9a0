//! What the code of one contact works with, and how one part of it hands over to another.

use std::time::Duration;

use super::last_agent::LastAgents;
use super::ringing::Purpose;
use super::trunks::Trunks;
use crate::acd::command::Command;
use crate::acd::contact_slots::ContactSlots;
use crate::acd::stay::Matching;
use crate::base::words::EndedBy;
use crate::base::{EntryId, QueueId};
use crate::call::caps::ContactsUp;
use crate::call::menu;
use crate::engine::between::{ContactKey, ContactRef, DialTo};
use crate::engine::context::Context;

/// What all contacts of a shard share.
pub(super) struct Shared {
    pub(super) slots: ContactSlots<ContactKey>,
    pub(super) trunks: Trunks,
    pub(super) last_agents: LastAgents,
    pub(super) up: ContactsUp,
    serial: u64,
}

impl Shared {
    pub(super) fn new(slots: ContactSlots<ContactKey>, trunks: Trunks, last_agents: LastAgents) -> Self {
        Shared { slots, trunks, last_agents, up: ContactsUp::default(), serial: 0 }
    }

    /// A number that was never given out.
    pub(super) const fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

/// What the code of one contact works with, beside the contact.
pub(super) struct Work<'w, 'c> {
    pub(super) cx: &'w mut Context<'c>,
    pub(super) shared: &'w mut Shared,
}

impl Work<'_, '_> {
    /// Lends a contact's stay in a queue what it works with.
    pub(super) fn matching<T>(&mut self, contact: ContactRef, stay: impl FnOnce(&mut Matching<'_, ContactKey>) -> T) -> T {
        let Work { cx, shared } = self;
        let (now, hints, out) = (cx.now, cx.hints.lent(), &mut *cx.out);
        let command = &mut |command| out.command(contact, command);
        stay(&mut Matching { now, hints, slots: &mut shared.slots, command })
    }

    /// Commands the matcher for a contact.
    pub(super) fn command(&mut self, contact: ContactRef, command: Command) {
        self.cx.out.command(contact, command);
    }
}

/// What becomes of a contact next. One part of the code decides it, another does it; so that none of them knows the others.
#[derive(Debug)]
pub(super) enum Next {
    /// It waits for what comes.
    Rest,
    /// It begins an entry.
    Enter(EntryId),
    /// Something happened in its entry.
    Menu(menu::Event),
    /// It joins a queue, with so much credit for what it has waited elsewhere.
    Join(QueueId, Duration),
    /// Somebody in particular is called.
    Dial(DialTo, Purpose),
    /// Whoever was called in particular for a transfer is not to be had, for a reason with this status.
    NotPassedOn(u16),
    /// It hears a last word, the recording of this name, and ends.
    Goodbye(EndedBy, &'static str),
    /// It ends. A caller who was never answered is refused with this status.
    End(EndedBy, Option<u16>),
}
