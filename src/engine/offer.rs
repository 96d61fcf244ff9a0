//! Offers: what the matcher decides, and how it ends.
//!
//! A queue may ring several agents for a caller at once. Each further ring has a slot of its own in the matcher, with an entry behind
//! everybody who waits, so that it takes only agents whom nobody else needs. All slots of a contact are owned by this engine, which takes
//! the answers one after the other: the first wins, and with it all other slots leave.

use std::time::Duration;

use super::Engine;
use super::between::ToDesk;
use super::contact::{ContactKey, ContactTimer, Phase, QueueRing, Rings};
use super::legs::LegKey;
use super::ring::ELSEWHERE;
use super::ringing::{Failure, Left, Ringing};
use super::sabotage::Rule;
use crate::acd::claim::{self, ContactView};
use crate::acd::{ContactSlot, DemandId, Key};
use crate::base::words::{Limit, OfferOutcome};
use crate::base::{AgentId, Time, Weighed};
use crate::report::FactKind;

impl Engine {
    /// The matcher has reserved an agent for a slot of the contact's, and the agent has turned away meanwhile. The place is kept.
    pub(super) fn declined(&mut self, now: Time, key: ContactKey, slot: ContactSlot, agent: AgentId) {
        if self.matcher.contact(slot) == ContactView::Offered(agent) && self.contact_in(slot) == Some(key) {
            self.put_back(now, key, slot);
        }
        self.tell_desk(agent, ToDesk::RingOver(OfferOutcome::Withdrawn, Duration::ZERO));
    }

    /// The matcher has touched one of a contact's slots.
    pub(super) fn contact_woken(&mut self, now: Time, slot: ContactSlot) {
        let Some(key) = self.in_slot[(slot.0 - self.first_slot) as usize] else { return };
        let ContactView::Offered(agent) = self.matcher.contact(slot) else { return };
        let Some(contact) = self.contact(key) else { return };
        let Some(ticket) = contact.ticket else { return };
        match &contact.phase {
            Phase::Waiting => {}
            Phase::Ringing(rings) if rings.iter().all(|ring| ring.slot != slot) => {}
            _ => return,
        }
        let id = contact.id;
        let queue = ticket.queue;
        let ring = QueueRing { agent, queue, slot, since: now, ringing: Ringing::default() };
        match self.contact_mut(key).map(|contact| &mut contact.phase) {
            Some(Phase::Ringing(rings)) => rings.push(ring),
            Some(phase) => *phase = Phase::Ringing(Rings::from_iter([ring])),
            None => {}
        }
        let demand = self.demand_and_key(key, slot).map(|(demand, _)| demand);
        let weighed = demand.map_or_else(Weighed::default, |demand| self.matcher.weigh(demand));
        self.fact(now, Some(id), FactKind::Offered { queue, agent, weighed });
        self.ring(now, key, agent);
    }

    /// The demand and the key of one of the contact's slots; `None` for a further ring that its queue does not want any more.
    fn demand_and_key(&self, key: ContactKey, slot: ContactSlot) -> Option<(DemandId, Key)> {
        let contact = self.contact(key)?;
        if contact.slot == Some(slot) {
            return self.demand_at(key).map(|(_, demand, place)| (demand, place));
        }
        let ticket = contact.ticket?;
        let demand = self.matcher.routing_table().further_demand(ticket.queue, contact.language, ticket.step)?;
        Some((demand, contact.place?.of_further_ring()))
    }

    // ---- further rings ----

    /// Has the contact rung for by as many agents as its queue says, where there are slots for it. Who waits for one agent in particular
    /// wants nobody else yet.
    pub(super) fn ask_further(&mut self, now: Time, key: ContactKey) {
        let settings = self.settings.clone();
        loop {
            let Some(contact) = self.contact(key) else { return };
            let Some(ticket) = contact.ticket.filter(|ticket| ticket.prefers.is_none()) else { return };
            let wanted = settings.queue(ticket.queue).map_or(0, |rules| rules.ring_several.saturating_sub(1));
            if contact.further.len() >= usize::from(wanted) {
                return;
            }
            let (id, place, language) = (contact.id, contact.place, contact.language);
            let demand = self.matcher.routing_table().further_demand(ticket.queue, language, ticket.step);
            let (Some(demand), Some(place)) = (demand, place) else { return };
            // Of the slots that contacts need for themselves none is taken.
            let slot = if self.further_rings < self.further_max { self.free_slots.pop_front() } else { None };
            let Some(slot) = slot else { return self.limit_hit(now, Some(id), Limit::LineSlots) };
            self.further_rings += 1;
            self.in_slot[(slot.0 - self.first_slot) as usize] = Some(key);
            if let Some(contact) = self.contact_mut(key) {
                contact.further.push(slot);
            }
            self.matcher.ring_further(slot, demand, place.of_further_ring());
        }
    }

    /// Moves the further rings that nobody has taken to the demand that they are for now; those that their queue does not want any more
    /// end.
    pub(super) fn reenter_further(&mut self, key: ContactKey) {
        for slot in self.contact(key).map(|contact| contact.further.clone()).unwrap_or_default() {
            match self.demand_and_key(key, slot) {
                Some((demand, place)) => drop(self.matcher.relax(slot, demand, place)),
                None if self.rings(key).iter().any(|ring| ring.slot == slot) => {}
                None => {
                    self.leave_with(slot);
                    self.forget_further(key, slot);
                }
            }
        }
    }

    /// Gives the slot of a further ring that has left the matcher back.
    fn forget_further(&mut self, key: ContactKey, slot: ContactSlot) {
        let Some(contact) = self.contact_mut(key) else { return };
        let Some(at) = contact.further.iter().position(|further| *further == slot) else { return };
        contact.further.swap_remove(at);
        self.further_rings -= 1;
        self.in_slot[(slot.0 - self.first_slot) as usize] = None;
        self.free_slots.push_back(slot);
    }

    // ---- how ringing ends ----

    pub(super) fn rings(&self, key: ContactKey) -> &[QueueRing] {
        match self.contact(key).map(|contact| &contact.phase) {
            Some(Phase::Ringing(rings)) => rings,
            _ => &[],
        }
    }

    pub(super) fn rings_mut(&mut self, key: ContactKey) -> &mut [QueueRing] {
        match self.contact_mut(key).map(|contact| &mut contact.phase) {
            Some(Phase::Ringing(rings)) => rings,
            _ => &mut [],
        }
    }

    /// Takes a ringing agent out of the contact's, which waits again if there is no other.
    fn take_ring(&mut self, key: ContactKey, slot: ContactSlot) {
        let Some(contact) = self.contact_mut(key) else { return };
        if let Phase::Ringing(rings) = &mut contact.phase {
            rings.retain(|ring| ring.slot != slot);
            if rings.is_empty() {
                contact.phase = Phase::Waiting;
            }
        }
        self.expect_ring(key);
    }

    /// Wakes the contact when the first of its rings has lasted long enough.
    pub(super) fn expect_ring(&mut self, key: ContactKey) {
        match self.rings(key).iter().filter_map(|ring| ring.ringing.until).min() {
            Some(at) => self.set_timer(key, ContactTimer::Ring, at),
            None => self.stop_timer(key, ContactTimer::Ring),
        }
    }

    /// One of the contact's slots waits again where it was; for anyone, for the one whom it waited for is not to be had.
    fn put_back(&mut self, now: Time, key: ContactKey, slot: ContactSlot) {
        self.stop_timer(key, ContactTimer::Prefer);
        if let Some(ticket) = self.contact_mut(key).and_then(|contact| contact.ticket.as_mut()) {
            ticket.prefers = None;
        }
        self.take_ring(key, slot);
        match self.demand_and_key(key, slot) {
            Some((demand, place)) if self.holds(Rule::PutBack) => drop(self.matcher.put_back(slot, demand, place)),
            Some(_) => {}
            None => {
                self.matcher.leave(slot);
                self.forget_further(key, slot);
            }
        }
        self.ask_further(now, key);
    }

    /// The ringing of an agent came to nothing: the contact waits again at its place, the agent's state says why.
    pub(super) fn ring_failed(&mut self, now: Time, key: ContactKey, agent: AgentId, outcome: OfferOutcome) {
        let settings = self.settings.clone();
        let Some(id) = self.contact(key).map(|contact| contact.id) else { return };
        let Some(ring) = self.rings(key).iter().find(|ring| ring.agent == agent) else { return };
        let (queue, slot, rang) = (ring.queue, ring.slot, now.since(ring.since));
        let pause = settings.queue(queue).map_or(Duration::ZERO, |rules| rules.refused_pause);
        self.fact(now, Some(id), FactKind::OfferEnded { queue, agent, outcome, rang });
        // The contact's state word first: only then may the agent leave.
        self.put_back(now, key, slot);
        self.tell_desk(agent, ToDesk::RingOver(outcome, pause));
    }

    /// The contact leaves its queue: whoever is rung for it is not rung any more.
    pub(super) fn withdraw_all(&mut self, now: Time, key: ContactKey) {
        let Some(contact) = self.contact_mut(key) else { return };
        if let Phase::Ringing(rings) = std::mem::replace(&mut contact.phase, Phase::Waiting) {
            for ringing in &rings {
                self.withdraw(now, key, ringing, None);
            }
        }
    }

    /// An agent has answered for one of the contact's slots: the others leave the matcher, and whoever is rung for them is let go.
    pub(super) fn others_lose(&mut self, now: Time, key: ContactKey, winner: ContactSlot) {
        if !self.holds(Rule::OthersLose) {
            return;
        }
        for ring in self.rings(key).to_vec().iter().filter(|ring| ring.slot != winner) {
            self.withdraw(now, key, ring, ELSEWHERE);
        }
        let Some(contact) = self.contact(key) else { return };
        for slot in contact.further.clone().into_iter().chain(contact.slot).filter(|slot| *slot != winner) {
            self.leave_with(slot);
        }
    }

    fn withdraw(&mut self, now: Time, key: ContactKey, ring: &QueueRing, reason: Option<&'static str>) {
        let Some(id) = self.contact(key).map(|contact| contact.id) else { return };
        let (queue, agent, rang) = (ring.queue, ring.agent, now.since(ring.since));
        let outcome = OfferOutcome::Withdrawn;
        self.fact(now, Some(id), FactKind::OfferEnded { queue, agent, outcome, rang });
        for leg in ring.ringing.legs() {
            self.cancel_ring(now, *leg, reason);
        }
    }

    /// One of a contact's slots leaves the matcher; the agent whom it is offered to, known of or not yet, is let go.
    pub(super) fn leave_with(&mut self, slot: ContactSlot) -> claim::Left {
        let left = if self.holds(Rule::Leave) { self.matcher.leave(slot) } else { claim::Left::NotHere };
        if let claim::Left::WasOffered(agent) = left {
            self.tell_desk(agent, ToDesk::RingOver(OfferOutcome::Withdrawn, Duration::ZERO));
        }
        left
    }

    /// A phone will not answer. When it was the last that rang for somebody, that ringing has failed.
    pub(super) fn phone_failed(&mut self, now: Time, key: ContactKey, leg: LegKey, failure: Failure) {
        match self.contact_mut(key).map(|contact| &mut contact.phase) {
            Some(Phase::Ringing(rings)) => {
                let left = rings.iter_mut().map(|ring| (ring.agent, ring.ringing.failed(leg, failure)));
                let failed =
                    left.filter_map(|(agent, left)| if let Left::Nobody(why) = left { Some((agent, why)) } else { None });
                if let Some((agent, why)) = failed.last() {
                    self.ring_failed(now, key, agent, why.outcome);
                }
            }
            Some(Phase::Dialling(dial)) => {
                if let Left::Nobody(why) = dial.ringing.failed(leg, failure) {
                    self.dial_failed(now, key, why);
                }
            }
            _ => {}
        }
    }
}
