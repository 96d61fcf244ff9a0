//! Endings: of a contact with all its legs, of a leg alone. No leg outlives its contact.

use super::between::{ContactRef, ToDesk};
use super::contact::{ContactKey, Phase};
use super::legs::LegKey;
use super::sabotage::Rule;
use super::{Engine, lend};
use crate::base::words::{EndedBy, QueueOutcome, Segment};
use crate::base::{AgentId, Time};
use crate::call::leg::Role;
use crate::report::FactKind;

impl Engine {
    /// Ends a contact: its place in the queue, its segments, its legs. A caller who was never answered is refused with `status`.
    pub(super) fn end_contact(&mut self, now: Time, key: ContactKey, by: EndedBy, status: Option<u16>) {
        let Some(contact) = self.contact(key) else { return };
        let phase = contact.phase.clone();
        if matches!(phase, Phase::Over) {
            return;
        }
        if matches!(phase, Phase::Waiting | Phase::Ringing(_)) {
            let outcome = match by {
                EndedBy::Caller => QueueOutcome::Abandoned,
                EndedBy::Overflow => QueueOutcome::Overflowed,
                EndedBy::Closed | EndedBy::System => QueueOutcome::Closed,
                EndedBy::Agent | EndedBy::Outside | EndedBy::Fault | EndedBy::Crash => QueueOutcome::Failed,
            };
            self.leave_queue(now, key, outcome);
        }
        let Some(contact) = self.contact_mut(key) else { return };
        let refused = status.filter(|_| !contact.ever_answered);
        let (id, queue, arrived) = (contact.id, contact.last_queue, contact.arrived);
        let (trunk, emergency) = (contact.trunk, contact.emergency);
        let closed = contact.timeline.close(now);
        contact.phase = Phase::Over;
        let legs = contact.legs.clone();
        let (own, busies_owner) = (contact.own, contact.busies_owner);
        self.stop_all_timers(key);
        let segment = closed.segment;
        let ended = FactKind::SegmentEnded { segment, queue: closed.queue, agent: closed.agent, began: closed.began, next: None };
        self.fact(now, Some(id), ended);
        if segment == Segment::Talk {
            let lasted = closed.ended.since(closed.began);
            self.fact(now, Some(id), FactKind::TalkEnded { queue: closed.queue, agent: closed.agent, lasted });
        }
        self.fact(now, Some(id), FactKind::Ended { by, segment, queue, arrived, status: refused });
        self.contacts_up -= 1;
        self.emergencies_up -= u32::from(emergency);
        if let Some(trunk) = trunk {
            self.trunk_call_over(now, trunk);
        }
        self.let_agents_go(now, key, &phase, own.filter(|_| busies_owner));
        for leg in legs {
            self.legs.end(&mut lend!(self, now), leg, status.unwrap_or(480));
        }
        self.forget_if_over(key);
    }

    /// The agents who were in the contact are free of it.
    fn let_agents_go(&mut self, now: Time, key: ContactKey, phase: &Phase, owner: Option<AgentId>) {
        let queue = self.contact(key).and_then(|contact| contact.last_queue);
        match phase {
            Phase::Talking { agent: Some(agent), .. } => self.tell_desk(*agent, ToDesk::TalkOver(queue)),
            Phase::Dialling(dial) => self.stop_dialling(now, dial),
            _ => {}
        }
        self.transfer_abandoned(now, key);
        if let Some(owner) = owner.filter(|_| self.holds(Rule::OwnCallOver)) {
            self.tell_desk(owner, ToDesk::OwnCallOver);
        }
        self.forget_slot(key);
    }

    /// Hangs a leg up, as soon as the ACK to our 2xx allows it.
    pub(super) fn hang_up(&mut self, now: Time, leg: LegKey) {
        self.legs.hang_up(&mut lend!(self, now), leg);
    }

    /// A party is there no more: no answer to a probe, no ACK, no packets.
    pub(super) fn leg_vanished(&mut self, now: Time, leg: LegKey) {
        let Some(entry) = self.legs.get(leg) else { return };
        let (key, role) = (entry.contact(), entry.role());
        if entry.state().answered() {
            self.hang_up(now, leg);
        }
        self.party_gone(now, key, leg, role);
    }

    /// What a party's leaving means for its contact.
    pub(super) fn party_gone(&mut self, now: Time, key: ContactKey, leg: LegKey, role: Role) {
        if self.transferor_gone(now, key, leg) {
            return;
        }
        let Some(contact) = self.contact(key) else { return };
        let caller = contact.caller == leg;
        let in_talk = matches!(contact.phase, Phase::Talking { leg: theirs, .. } if theirs == leg);
        if caller || in_talk {
            let by = match role {
                Role::Caller => EndedBy::Caller,
                Role::External(_) if self.holds(Rule::EndedOutside) => EndedBy::Outside,
                Role::Agent(_) | Role::External(_) => EndedBy::Agent,
            };
            self.end_contact(now, key, by, Some(487));
        }
    }

    /// A leg is gone: nothing more is sent for it.
    pub(super) fn leg_gone(&mut self, now: Time, leg: LegKey) {
        let Some((role, ContactRef { key, .. })) = self.legs.remove(&mut lend!(self, now), leg) else { return };
        if let Some(contact) = self.contact_mut(key) {
            contact.legs.retain(|other| *other != leg);
        }
        match role {
            Role::Agent(agent) => self.tell_desk(agent, ToDesk::LegGone),
            Role::External(trunk) => self.trunk_call_out(now, trunk, -1),
            Role::Caller => {}
        }
        self.forget_if_over(key);
    }

    fn forget_if_over(&mut self, key: ContactKey) {
        let done = self.contact(key).is_some_and(|contact| matches!(contact.phase, Phase::Over) && contact.legs.is_empty());
        if done {
            self.stop_all_timers(key);
            self.contacts.remove(key.slot as usize);
        }
    }

    /// Ends every contact at once.
    pub(super) fn end_all(&mut self, now: Time) {
        self.draining = true;
        let keys: Vec<ContactKey> = self.contacts.iter().map(|(_, contact)| contact.key).collect();
        for key in keys {
            self.end_contact(now, key, EndedBy::System, Some(503));
        }
    }
}
