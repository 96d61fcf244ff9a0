//! Ringing for a contact: whoever the queue has offered it, or who was called in particular. The first answer wins, the others are cancelled.

use std::time::Duration;

use super::contact::{Contact, DeskSays, Dial, Phase, QueueRing};
use super::ringing::{Failure, Left, Purpose, Ringing};
use super::work::{Next, Work};
use super::{caller, calling, dial, end, offers, queue, talk};
use crate::acd::ContactSlot;
use crate::acd::command::Command;
use crate::base::AgentId;
use crate::base::words::{EndedBy, OfferOutcome, QueueOutcome, Segment};
use crate::call::leg::Role;
use crate::engine::between::{Between, CallFailed, ContactRef, DialTo, LegKey, NotRung, Rung, ToDesk, ToLeg};
use crate::engine::context::Context;
use crate::engine::sabotage::Rule;

/// How soon it is tried again to ring somebody for whom no ports were left, and for how long; less than a reservation lasts.
const PORTS_RETRY: Duration = Duration::from_millis(50);
const PORTS_PATIENCE: Duration = Duration::from_secs(4);

/// Rings the agent whom the matcher has reserved.
pub(super) fn ring(contact: &mut Contact, work: &mut Work<'_, '_>, agent: AgentId) {
    calling::call_agent(contact, work, agent);
    let until = work.cx.now + calling::LEGS_ANSWER;
    if let Some(ring) = ring_of(contact, agent) {
        ring.ringing.until = Some(until);
    }
    offers::expect_ring(contact, work);
}

/// What came of a call for the contact.
pub(super) fn rung(contact: &mut Contact, work: &mut Work<'_, '_>, role: Role, rung: Rung) -> Next {
    let legs: &[LegKey] = rung.as_ref().map_or(&[], |legs| legs);
    if !end::call_answered(contact, work, role, legs) {
        return Next::Rest;
    }
    match (&mut contact.phase, role) {
        (Phase::Ringing(rings), Role::Agent(agent)) => {
            let waits = rings.iter_mut().find(|ring| ring.agent == agent && ring.ringing.legs().is_empty());
            if let Some(ring) = waits {
                legs.iter().for_each(|leg| ring.ringing.add(*leg));
                ring_begins(contact, work, agent, rung.err());
                return Next::Rest;
            }
        }
        (Phase::Dialling(dial), _) if dial.calls(role) && dial.ringing.legs().is_empty() => {
            legs.iter().for_each(|leg| dial.ringing.add(*leg));
            return dial::rung(contact, work, rung.err().map(Failure::not_rung));
        }
        _ => {}
    }
    // Nobody waits for them any more.
    for leg in legs {
        work.cx.out.tell_leg(*leg, ToLeg::Cancel { elsewhere: false });
    }
    Next::Rest
}

/// An agent whom the queue has offered the contact rings, or does not.
fn ring_begins(contact: &mut Contact, work: &mut Work<'_, '_>, agent: AgentId, why_not: Option<NotRung>) {
    let rules = contact.stay.as_ref().and_then(|stay| work.cx.settings.queue(stay.queue()));
    let Some(ring_timeout) = rules.map(|rules| rules.ring_timeout) else { return work.cx.missing("the queue of a ring") };
    let (until, bounded) = match why_not {
        None => (ring_timeout, work.cx.holds(Rule::RingDeadline)),
        // The devices of another shard's agent may be on their way here.
        Some(NotRung::Phoneless) if !work.cx.owns(agent) => (PORTS_RETRY, work.cx.holds(Rule::RingForPorts)),
        Some(NotRung::Phoneless) => return offers::ring_failed(contact, work, agent, OfferOutcome::Unreachable),
        // For want of ports, which are not the agent's: there will be some in a moment.
        Some(NotRung::OutOfPorts | NotRung::Unroutable) => (PORTS_RETRY, work.cx.holds(Rule::RingForPorts)),
    };
    let until = bounded.then_some(work.cx.now + until);
    if why_not.is_none() {
        work.cx.tell_desk(agent, ToDesk::Rings(contact.reference(), ring_timeout));
    }
    match ring_of(contact, agent) {
        Some(ring) => (ring.ringing.until, ring.not_rung) = (until, why_not),
        None => work.cx.missing("the ring that begins"),
    }
    offers::expect_ring(contact, work);
}

/// Somebody who was called rings, or can be heard already.
pub(super) fn rings(contact: &mut Contact, work: &mut Work<'_, '_>, leg: LegKey, heard: bool) {
    let own = matches!(&contact.phase, Phase::Dialling(dial) if dial.purpose == Purpose::Own);
    if !own || (heard && caller::hear_early(contact, work, leg)) {
        return;
    }
    if contact.caller.answer == super::contact::Answered::No {
        work.cx.out.tell_leg(contact.caller.leg, ToLeg::Ring);
    }
}

/// Somebody who was called has answered.
pub(super) fn answered(contact: &mut Contact, work: &mut Work<'_, '_>, leg: LegKey) -> Next {
    let reference = contact.reference();
    match &mut contact.phase {
        Phase::Dialling(dial) if dial.ringing.legs().contains(&leg) => {
            let dial = dial.clone();
            others_are_silent(work, &dial.ringing, leg);
            dial::answered(contact, work, &dial, leg);
        }
        Phase::Ringing(rings) => {
            // The answers are taken one after the other: the first wins.
            let first = rings.iter().all(|ring| ring.answering.is_none());
            match rings.iter_mut().find(|ring| ring.ringing.legs().contains(&leg)).filter(|_| first) {
                Some(ring) => {
                    ring.answering = Some(leg);
                    let accept = Command::Accept(ring.slot);
                    work.command(reference, accept);
                }
                None => work.cx.out.tell_leg(leg, ToLeg::HangUp),
            }
        }
        _ => work.cx.out.tell_leg(leg, ToLeg::HangUp),
    }
    Next::Rest
}

/// One of several phones has answered: the others are silent.
fn others_are_silent(work: &mut Work<'_, '_>, ringing: &Ringing, winner: LegKey) {
    for other in ringing.legs().iter().filter(|other| **other != winner) {
        work.cx.out.tell_leg(*other, ToLeg::Cancel { elsewhere: true });
    }
}

/// The agent who has answered is the contact's, whatever has become of both meanwhile.
pub(super) fn accepted(contact: &mut Contact, work: &mut Work<'_, '_>, slot: ContactSlot, agent_slot: AgentId) -> Next {
    let ring = contact.rings().iter().find(|ring| ring.slot == slot).cloned();
    let Some((ring, leg)) = ring.and_then(|ring| ring.answering.map(|leg| (ring, leg))) else {
        let_go(work.cx, contact.reference(), agent_slot);
        return Next::Rest;
    };
    offer_accepted(contact, work, &ring, leg);
    if ring.hung_up || contact.other(leg).is_none() {
        // It has hung up at once.
        return Next::End(EndedBy::Agent, Some(487));
    }
    talk::connect(contact, work);
    Next::Rest
}

/// The contact was not offered to the agent any more who has answered.
pub(super) fn not_accepted(contact: &mut Contact, work: &mut Work<'_, '_>, slot: ContactSlot) {
    let Phase::Ringing(rings) = &mut contact.phase else { return };
    let ring = rings.iter_mut().find(|ring| ring.slot == slot);
    if let Some(leg) = ring.and_then(|ring| ring.answering.take()) {
        work.cx.out.tell_leg(leg, ToLeg::HangUp);
    }
}

/// An agent whom the matcher had reserved for a contact is not wanted.
pub(super) fn let_go(cx: &mut Context<'_>, contact: ContactRef, agent_slot: AgentId) {
    let agent = cx.settings.agent_slots.agent(agent_slot);
    cx.tell_desk(agent, ToDesk::withdrawn(contact.id));
}

/// The agent whom the queue has offered the contact has answered: the talk begins.
fn offer_accepted(contact: &mut Contact, work: &mut Work<'_, '_>, ring: &QueueRing, leg: LegKey) {
    others_are_silent(work, &ring.ringing, leg);
    offers::others_lose(contact, work, ring.slot);
    let rules = work.cx.settings.queue(ring.queue);
    let talk_max = rules.map_or(calling::TALK_MAX, |rules| rules.talk_max);
    talk::begin(contact, Some(ring.agent), leg);
    if rules.is_some_and(|rules| rules.prefer_last.is_some()) {
        work.shared.last_agents.note(&contact.number, ring.queue, ring.agent);
        work.cx.tell_others(&Between::Served(contact.number.clone(), ring.queue, ring.agent));
    }
    contact.offer_ended(work.cx, ring, OfferOutcome::Accepted);
    match contact.forget_stay(&mut work.shared.slots) {
        Some(stay) => queue::tell_left(contact, work, &stay, QueueOutcome::Answered),
        None => work.cx.missing("the stay that is left"),
    }
    if work.cx.holds(Rule::TalkSegment) {
        contact.turn(work.cx, Segment::Talk, Some(ring.queue), Some(ring.agent));
    }
    contact.stop_all_timers(work.cx);
    if work.cx.holds(Rule::TalkMax) {
        calling::limit_talk(contact, work.cx, talk_max);
    }
    work.cx.tell_desk(ring.agent, ToDesk::Talks(contact.reference(), talk_max));
}

// ---- how it fails ----

/// A call has failed for good.
pub(super) fn call_failed(contact: &mut Contact, work: &mut Work<'_, '_>, leg: LegKey, why: CallFailed) -> Next {
    let failure = match why {
        CallFailed::Refused(status) => Failure::of(status),
        CallFailed::Unanswered => Failure::UNANSWERED,
    };
    phone_failed(contact, work, leg, failure)
}

/// A phone will not answer. When it was the last that rang for somebody, that ringing has failed.
pub(super) fn phone_failed(contact: &mut Contact, work: &mut Work<'_, '_>, leg: LegKey, failure: Failure) -> Next {
    match &mut contact.phase {
        Phase::Ringing(rings) => {
            // Of who has answered the matcher will say what becomes.
            let ring = rings.iter_mut().filter(|ring| ring.answering.is_none());
            let left = ring.map(|ring| (ring.agent, ring.ringing.failed(leg, failure)));
            let failed = left.filter_map(|(agent, left)| if let Left::Nobody(why) = left { Some((agent, why)) } else { None });
            if let Some((agent, why)) = failed.last() {
                offers::ring_failed(contact, work, agent, why.outcome);
            }
            Next::Rest
        }
        Phase::Dialling(dial) => match dial.ringing.failed(leg, failure) {
            Left::Nobody(why) => dial::failed(contact, work, why),
            Left::Others | Left::Nothing => Next::Rest,
        },
        _ => Next::Rest,
    }
}

/// Whoever rings for the contact has rung long enough.
pub(super) fn long_enough(contact: &mut Contact, work: &mut Work<'_, '_>) -> Next {
    match &contact.phase {
        Phase::Ringing(rings) => {
            for ring in rings.clone() {
                queue_ring_over(contact, work, &ring);
            }
            offers::expect_ring(contact, work);
            Next::Rest
        }
        Phase::Dialling(dial) => {
            if let (DeskSays::Nothing, DialTo::Agent(agent)) = (dial.desk, &dial.to) {
                let agent = *agent;
                return dial::not_taken(contact, work, agent);
            }
            for leg in dial.ringing.legs() {
                work.cx.out.tell_leg(*leg, ToLeg::Cancel { elsewhere: false });
            }
            dial::failed(contact, work, Failure::TIMED_OUT)
        }
        Phase::Over => {
            // What came of its calls was lost.
            end::forget_calls(contact, work);
            Next::Rest
        }
        _ => Next::Rest,
    }
}

fn queue_ring_over(contact: &mut Contact, work: &mut Work<'_, '_>, ring: &QueueRing) {
    let now = work.cx.now;
    if ring.answering.is_some() || ring.ringing.until.is_none_or(|until| until > now) {
        return;
    }
    if !ring.ringing.legs().is_empty() {
        for leg in ring.ringing.legs() {
            work.cx.out.tell_leg(*leg, ToLeg::Cancel { elsewhere: false });
        }
        offers::ring_failed(contact, work, ring.agent, OfferOutcome::TimedOut);
    } else if now.since(ring.since) < PORTS_PATIENCE {
        // Not rung yet.
        self::ring(contact, work, ring.agent);
    } else {
        let reachable = ring.not_rung != Some(NotRung::Phoneless);
        let outcome = if reachable { OfferOutcome::Withdrawn } else { OfferOutcome::Unreachable };
        offers::ring_failed(contact, work, ring.agent, outcome);
    }
}

fn ring_of(contact: &mut Contact, agent: AgentId) -> Option<&mut QueueRing> {
    match &mut contact.phase {
        Phase::Ringing(rings) => rings.iter_mut().find(|ring| ring.agent == agent),
        _ => None,
    }
}

impl Dial {
    /// Whether it calls whoever has this role.
    fn calls(&self, role: Role) -> bool {
        match (&self.to, role) {
            (DialTo::Agent(agent), Role::Agent(called)) => *agent == called,
            (DialTo::Number(trunk, _), Role::External(called)) => *trunk == called,
            _ => false,
        }
    }
}
