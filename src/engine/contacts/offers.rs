//! Offers: what the matcher decides, and how it ends.
//!
//! A queue may ring several agents for a caller at once; `acd::stay` has the slots for that. The answers are taken one after the other: the
//! first wins, and with it all other slots leave.

use std::time::Duration;

use super::contact::{Contact, Phase, QueueRing, Rings};
use super::ringing::Ringing;
use super::work::Work;
use crate::acd::ContactSlot;
use crate::acd::agent_slots::Verdict;
use crate::acd::command::Offer;
use crate::base::AgentId;
use crate::base::words::{Limit, OfferOutcome};
use crate::engine::between::{ContactRef, ContactTimer, ToDesk, ToLeg};
use crate::engine::sabotage::Rule;
use crate::report::FactKind;

/// One of the contact's slots is offered to an agent. The agent, if that one is to be rung now. One who has turned away meanwhile is let go, and
/// the contact keeps its place.
pub(super) fn offered(contact: &mut Contact, work: &mut Work<'_, '_>, offer: Offer) -> Option<AgentId> {
    let Offer { slot, agent_slot, verdict } = offer;
    let agent = work.cx.settings.agent_slots.agent(agent_slot);
    let stay = contact.stay.as_ref()?;
    let queue = stay.queue();
    match verdict {
        Some(Verdict::Agreed) => {}
        Some(Verdict::Declined) => {
            // Whoever was rung before the desk was heard is rung for nothing, and not to blame.
            let early = contact.rings().iter().find(|ring| ring.slot == slot && ring.answering.is_none()).cloned();
            if let Some(ring) = early.filter(|_| work.cx.holds(Rule::DeclinedCancels)) {
                withdraw(contact, work, &ring, false);
            }
            put_back(contact, work, slot);
            work.cx.tell_desk(agent, ToDesk::withdrawn(contact.id));
            return None;
        }
        // Nobody is rung before the desk has agreed.
        None if work.cx.owns(agent) || contact.named.of(slot) == Some(agent_slot) => return None,
        // The agent is another shard's, whose desk does not know whom the agent is claimed for.
        None => {
            contact.named.put(slot, agent_slot);
            if work.cx.holds(Rule::OfferNamed) {
                work.cx.tell_desk(agent, ToDesk::Offered(slot, agent_slot, contact.reference()));
            }
            let has_one_slot = work.cx.settings.agent_slots.of(agent).nth(1).is_none();
            if !has_one_slot || contact.own == Some(agent) {
                // The desk agrees first, or declines for who is in the call already.
                return None;
            }
        }
    }
    let ring = QueueRing {
        agent,
        agent_slot,
        queue,
        slot,
        since: work.cx.now,
        ringing: Ringing::default(),
        not_rung: None,
        answering: None,
        hung_up: false,
    };
    match &mut contact.phase {
        Phase::Waiting => contact.phase = Phase::Ringing(Rings::from_iter([ring])),
        Phase::Ringing(rings) if rings.iter().all(|known| known.slot != slot) => rings.push(ring),
        _ => return None,
    }
    let weighed = stay.weigh(&mut work.cx.hints, slot);
    contact.fact(work.cx, FactKind::Offered { queue, agent, weighed });
    Some(agent)
}

/// Has the contact rung for by as many agents as its queue says, where there are slots for it.
pub(super) fn ask_further(contact: &mut Contact, work: &mut Work<'_, '_>) {
    let Some(stay) = &mut contact.stay else { return work.cx.missing("the stay that asks further") };
    let Some(rules) = work.cx.settings.queue(stay.queue()) else { return work.cx.missing("the queue of a stay") };
    let (reference, key) = (ContactRef { key: contact.key, id: contact.id }, contact.key);
    if !work.matching(reference, |matching| stay.ask_further(matching, key, rules)) {
        work.cx.limit_hit(Some(contact.id), Limit::ContactSlots);
    }
}

// ---- how ringing ends ----

/// Wakes the contact when the first of its rings has lasted long enough.
pub(super) fn expect_ring(contact: &mut Contact, work: &mut Work<'_, '_>) {
    let waited_for = contact.rings().iter().filter(|ring| ring.answering.is_none());
    match waited_for.filter_map(|ring| ring.ringing.until).min() {
        Some(at) => contact.set_timer(work.cx, ContactTimer::Ring, at),
        None => contact.stop_timer(work.cx, ContactTimer::Ring),
    }
}

/// One of the contact's slots waits again where it was; for anyone, for the one whom it waited for is not to be had.
fn put_back(contact: &mut Contact, work: &mut Work<'_, '_>, slot: ContactSlot) {
    contact.stop_timer(work.cx, ContactTimer::Prefer);
    contact.named.forget(slot);
    if let Phase::Ringing(rings) = &mut contact.phase {
        rings.retain(|ring| ring.slot != slot);
        if rings.is_empty() {
            contact.phase = Phase::Waiting;
        }
    }
    expect_ring(contact, work);
    let (holds, reference) = (work.cx.holds(Rule::PutBack), contact.reference());
    match &mut contact.stay {
        Some(stay) if holds => work.matching(reference, |matching| stay.put_back(matching, slot)),
        Some(_) => {}
        None => work.cx.missing("the stay of a contact that is put back"),
    }
    ask_further(contact, work);
}

/// The ringing of an agent came to nothing: the contact waits again at its place, the agent's state says why.
pub(super) fn ring_failed(contact: &mut Contact, work: &mut Work<'_, '_>, agent: AgentId, outcome: OfferOutcome) {
    let Some(ring) = contact.rings().iter().find(|ring| ring.agent == agent) else {
        return work.cx.missing("the ring that came to nothing");
    };
    let (queue, slot) = (ring.queue, ring.slot);
    contact.offer_ended(work.cx, ring, outcome);
    let pause = work.cx.settings.queue(queue).map_or(Duration::ZERO, |rules| rules.refused_pause);
    // The contact's state word first: only then may the agent leave.
    put_back(contact, work, slot);
    work.cx.tell_desk(agent, ToDesk::RingOver(contact.id, outcome, pause));
}

/// The contact leaves its queue: whoever is rung for it is not rung any more.
pub(super) fn withdraw_all(contact: &mut Contact, work: &mut Work<'_, '_>) {
    if let Phase::Ringing(_) = contact.phase
        && let Phase::Ringing(rings) = std::mem::replace(&mut contact.phase, Phase::Waiting)
    {
        rings.iter().for_each(|ring| withdraw(contact, work, ring, false));
    }
}

/// An agent has answered for one of the contact's slots: the others leave the matcher, and whoever is rung for them is let go.
pub(super) fn others_lose(contact: &Contact, work: &mut Work<'_, '_>, winner: ContactSlot) {
    if !work.cx.holds(Rule::OthersLose) {
        return;
    }
    for ring in contact.rings().iter().filter(|ring| ring.slot != winner) {
        withdraw(contact, work, ring, true);
    }
    if let Some(stay) = &contact.stay {
        stay.others_leave(&mut |command| work.command(contact.reference(), command), winner);
    }
}

fn withdraw(contact: &Contact, work: &mut Work<'_, '_>, ring: &QueueRing, elsewhere: bool) {
    contact.offer_ended(work.cx, ring, OfferOutcome::Withdrawn);
    for leg in ring.ringing.legs() {
        work.cx.out.tell_leg(*leg, ToLeg::Cancel { elsewhere });
    }
}

/// The contact leaves the matcher, and whoever its slots are offered to, known of or not yet, is let go.
pub(super) fn leave(contact: &Contact, work: &mut Work<'_, '_>) {
    if let Some(stay) = contact.stay.as_ref().filter(|_| work.cx.holds(Rule::Leave)) {
        stay.leave(&mut |command| work.command(contact.reference(), command));
    }
}
