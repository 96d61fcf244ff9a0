//! Offers: what the matcher decides, and how it ends.
//!
//! A queue may ring several agents for a caller at once. Each further ring has a slot of its own in the matcher, with an entry behind
//! everybody who waits, so that it takes only agents whom nobody else needs. All slots of a contact are owned by this engine, which takes
//! the answers one after the other: the first wins, and with it all other slots leave.

use std::time::Duration;

use super::contact::{Contact, Phase, QueueRing, Rings};
use super::ringing::Ringing;
use super::work::Work;
use crate::acd::claim::{self, ContactView};
use crate::acd::{ContactSlot, DemandId, Key};
use crate::base::words::{Limit, OfferOutcome};
use crate::base::{AgentId, Weighed};
use crate::engine::between::{ContactTimer, ToDesk, ToLeg};
use crate::engine::sabotage::Rule;
use crate::report::FactKind;

/// What a phone hears that rang beside the one that answered, so that it does not count a call as missed (RFC 3326).
pub(super) const ELSEWHERE: Option<&str> = Some("SIP;cause=200;text=\"Call completed elsewhere\"");

/// The matcher has touched one of the contact's slots. The agent whom it has reserved, who is to be rung.
pub(super) fn offered(contact: &mut Contact, work: &mut Work<'_, '_>, slot: ContactSlot) -> Option<AgentId> {
    let ContactView::Offered(agent) = work.cx.matcher.contact(slot) else { return None };
    let queue = contact.ticket?.queue;
    let ring = QueueRing { agent, queue, slot, since: work.cx.now, ringing: Ringing::default() };
    match &mut contact.phase {
        Phase::Waiting => contact.phase = Phase::Ringing(Rings::from_iter([ring])),
        Phase::Ringing(rings) if rings.iter().all(|known| known.slot != slot) => rings.push(ring),
        _ => return None,
    }
    let demand = demand_of(contact, work, slot).map(|(demand, _)| demand);
    let weighed = demand.map_or_else(Weighed::default, |demand| work.cx.matcher.weigh(demand));
    contact.fact(work.cx, FactKind::Offered { queue, agent, weighed });
    Some(agent)
}

/// The matcher has reserved an agent for a slot of the contact's, and the agent has turned away meanwhile. The place is kept.
pub(super) fn declined(contact: &mut Contact, work: &mut Work<'_, '_>, slot: ContactSlot, agent: AgentId) {
    if work.cx.matcher.contact(slot) == ContactView::Offered(agent) && work.shared.slots.owner(slot) == Some(contact.key) {
        put_back(contact, work, slot);
    }
    work.cx.tell_desk(agent, ToDesk::RingOver(OfferOutcome::Withdrawn, Duration::ZERO));
}

/// The demand and the key of one of the contact's slots; `None` for a further ring that its queue does not want any more.
fn demand_of(contact: &Contact, work: &Work<'_, '_>, slot: ContactSlot) -> Option<(DemandId, Key)> {
    if contact.slot == Some(slot) {
        return contact.demand(work.cx).map(|(_, demand, place)| (demand, place));
    }
    let ticket = contact.ticket?;
    let demand = work.cx.matcher.routing_table().further_demand(ticket.queue, contact.language, ticket.step)?;
    Some((demand, contact.place?.of_further_ring()))
}

// ---- further rings ----

/// Has the contact rung for by as many agents as its queue says, where there are slots for it. Who waits for one agent in particular
/// wants nobody else yet.
pub(super) fn ask_further(contact: &mut Contact, work: &mut Work<'_, '_>) {
    let Some(ticket) = contact.ticket.filter(|ticket| ticket.prefers.is_none()) else { return };
    let wanted = work.cx.settings.queue(ticket.queue).map_or(0, |rules| rules.ring_several.saturating_sub(1));
    while contact.further.len() < usize::from(wanted) {
        let demand = work.cx.matcher.routing_table().further_demand(ticket.queue, contact.language, ticket.step);
        let (Some(demand), Some(place)) = (demand, contact.place) else { return };
        let Some(slot) = work.shared.slots.take_further(contact.key) else {
            return work.cx.limit_hit(Some(contact.id), Limit::LineSlots);
        };
        contact.further.push(slot);
        work.cx.matcher.ring_further(slot, demand, place.of_further_ring());
    }
}

/// Moves the further rings that nobody has taken to the demand that they are for now; those that their queue does not want any more
/// end.
pub(super) fn reenter_further(contact: &mut Contact, work: &mut Work<'_, '_>) {
    for slot in contact.further.clone() {
        match demand_of(contact, work, slot) {
            Some((demand, place)) => drop(work.cx.matcher.relax(slot, demand, place)),
            None if contact.rings().iter().any(|ring| ring.slot == slot) => {}
            None => {
                leave(work, slot);
                forget_further(contact, work, slot);
            }
        }
    }
}

/// Gives the slot of a further ring that has left the matcher back.
fn forget_further(contact: &mut Contact, work: &mut Work<'_, '_>, slot: ContactSlot) {
    if let Some(at) = contact.further.iter().position(|further| *further == slot) {
        contact.further.swap_remove(at);
        work.shared.slots.give_further_back(slot);
    }
}

// ---- how ringing ends ----

/// Wakes the contact when the first of its rings has lasted long enough.
pub(super) fn expect_ring(contact: &mut Contact, work: &mut Work<'_, '_>) {
    match contact.rings().iter().filter_map(|ring| ring.ringing.until).min() {
        Some(at) => contact.set_timer(work.cx, ContactTimer::Ring, at),
        None => contact.stop_timer(work.cx, ContactTimer::Ring),
    }
}

/// One of the contact's slots waits again where it was; for anyone, for the one whom it waited for is not to be had.
fn put_back(contact: &mut Contact, work: &mut Work<'_, '_>, slot: ContactSlot) {
    contact.stop_timer(work.cx, ContactTimer::Prefer);
    if let Some(ticket) = &mut contact.ticket {
        ticket.prefers = None;
    }
    if let Phase::Ringing(rings) = &mut contact.phase {
        rings.retain(|ring| ring.slot != slot);
        if rings.is_empty() {
            contact.phase = Phase::Waiting;
        }
    }
    expect_ring(contact, work);
    match demand_of(contact, work, slot) {
        Some((demand, place)) if work.cx.holds(Rule::PutBack) => drop(work.cx.matcher.put_back(slot, demand, place)),
        Some(_) => {}
        None => {
            work.cx.matcher.leave(slot);
            forget_further(contact, work, slot);
        }
    }
    ask_further(contact, work);
}

/// The ringing of an agent came to nothing: the contact waits again at its place, the agent's state says why.
pub(super) fn ring_failed(contact: &mut Contact, work: &mut Work<'_, '_>, agent: AgentId, outcome: OfferOutcome) {
    let Some(ring) = contact.rings().iter().find(|ring| ring.agent == agent) else { return };
    let (queue, slot) = (ring.queue, ring.slot);
    contact.offer_ended(work.cx, ring, outcome);
    let pause = work.cx.settings.queue(queue).map_or(Duration::ZERO, |rules| rules.refused_pause);
    // The contact's state word first: only then may the agent leave.
    put_back(contact, work, slot);
    work.cx.tell_desk(agent, ToDesk::RingOver(outcome, pause));
}

/// The contact leaves its queue: whoever is rung for it is not rung any more.
pub(super) fn withdraw_all(contact: &mut Contact, work: &mut Work<'_, '_>) {
    if let Phase::Ringing(_) = contact.phase
        && let Phase::Ringing(rings) = std::mem::replace(&mut contact.phase, Phase::Waiting)
    {
        rings.iter().for_each(|ring| withdraw(contact, work, ring, None));
    }
}

/// An agent has answered for one of the contact's slots: the others leave the matcher, and whoever is rung for them is let go.
pub(super) fn others_lose(contact: &Contact, work: &mut Work<'_, '_>, winner: ContactSlot) {
    if !work.cx.holds(Rule::OthersLose) {
        return;
    }
    for ring in contact.rings().iter().filter(|ring| ring.slot != winner) {
        withdraw(contact, work, ring, ELSEWHERE);
    }
    for slot in contact.further.iter().copied().chain(contact.slot).filter(|slot| *slot != winner) {
        leave(work, slot);
    }
}

fn withdraw(contact: &Contact, work: &mut Work<'_, '_>, ring: &QueueRing, reason: Option<&'static str>) {
    contact.offer_ended(work.cx, ring, OfferOutcome::Withdrawn);
    for leg in ring.ringing.legs() {
        work.cx.out.tell_leg(*leg, ToLeg::Cancel(reason));
    }
}

/// One of a contact's slots leaves the matcher; the agent whom it is offered to, known of or not yet, is let go.
pub(super) fn leave(work: &mut Work<'_, '_>, slot: ContactSlot) -> claim::Left {
    let left = if work.cx.holds(Rule::Leave) { work.cx.matcher.leave(slot) } else { claim::Left::NotHere };
    if let claim::Left::WasOffered(agent) = left {
        work.cx.tell_desk(agent, ToDesk::RingOver(OfferOutcome::Withdrawn, Duration::ZERO));
    }
    left
}
