//! Endings: of a contact with all its legs, of a leg alone. No leg outlives its contact.

use super::calling::LEGS_ANSWER;
use super::contact::{Contact, Party, Phase, Standing};
use super::work::{Next, Work};
use super::{dial, queue, talk, transfer};
use crate::base::words::{EndedBy, QueueOutcome, Segment};
use crate::call::leg::Role;
use crate::engine::between::{ContactTimer, LegKey, Moving, ToDesk, ToLeg};
use crate::engine::sabotage::Rule;
use crate::report::FactKind;

/// Ends a contact: its place in the queue, its segments, its legs. A caller who was never answered is refused with `status`.
pub(super) fn end(contact: &mut Contact, work: &mut Work<'_, '_>, by: EndedBy, status: Option<u16>) {
    if matches!(contact.phase, Phase::Over) {
        return;
    }
    if contact.is_in_queue() {
        let outcome = match by {
            EndedBy::Caller => QueueOutcome::Abandoned,
            EndedBy::Overflow => QueueOutcome::Overflowed,
            EndedBy::Closed | EndedBy::System => QueueOutcome::Closed,
            EndedBy::Agent | EndedBy::Outside | EndedBy::Fault | EndedBy::Crash => QueueOutcome::Failed,
        };
        queue::leave(contact, work, outcome);
    }
    let phase = std::mem::replace(&mut contact.phase, Phase::Over);
    let refused = status.filter(|_| !contact.caller.is_answered());
    let closed = contact.timeline.close(work.cx.now);
    contact.stop_all_timers(work.cx);
    let segment = closed.segment;
    let ended = FactKind::SegmentEnded { segment, queue: closed.queue, agent: closed.agent, began: closed.began, next: None };
    contact.fact(work.cx, ended);
    if segment == Segment::Talk {
        let lasted = closed.ended.since(closed.began);
        contact.fact(work.cx, FactKind::TalkEnded { queue: closed.queue, agent: closed.agent, lasted });
    }
    let (queue, arrived) = (contact.last_queue, contact.arrived);
    contact.fact(work.cx, FactKind::Ended { by, segment, queue, arrived, status: refused });
    work.shared.up.all -= 1;
    work.shared.up.emergencies -= u32::from(contact.emergency);
    if let Some(trunk) = contact.trunk {
        work.shared.trunks.call_in(work.cx, trunk, -1);
    }
    let_agents_go(contact, work, &phase);
    end_legs(contact, work, status.unwrap_or(480));
    if contact.calls_asked > 0 {
        // Their legs end as soon as they are known.
        contact.set_timer(work.cx, ContactTimer::Ring, work.cx.now + LEGS_ANSWER);
    }
}

/// Ends all legs of a contact that is over.
pub(super) fn end_legs(contact: &Contact, work: &mut Work<'_, '_>, status: u16) {
    let caller = Some((contact.caller.leg, contact.caller.given)).filter(|_| contact.caller.up);
    let others = contact.others.iter().map(|party| (party.leg, party.standing == Standing::Given));
    for (leg, given) in caller.into_iter().chain(others) {
        // One of another shard may have gone before, and what told so may be lost.
        let unsure = (given || leg.shard != work.cx.shard) && work.cx.holds(Rule::GivenIsAnothers);
        work.cx
            .out
            .tell_leg(leg, if unsure { ToLeg::Moving(Moving::EndIfYours(contact.key, status)) } else { ToLeg::End(status) });
    }
}

/// The agents who were in the contact are free of it.
fn let_agents_go(contact: &mut Contact, work: &mut Work<'_, '_>, phase: &Phase) {
    match phase {
        Phase::Talking { agent: Some(agent), .. } => contact.let_agent_go(work.cx, *agent),
        Phase::Dialling(dial) => dial::stop(contact, work, dial),
        _ => {}
    }
    transfer::abandoned(contact, work);
    let owner = contact.own.filter(|_| contact.busies_owner);
    if let Some(owner) = owner.filter(|_| work.cx.holds(Rule::OwnCallOver)) {
        work.cx.tell_desk(owner, ToDesk::OwnCallOver);
    }
    contact.forget_stay(&mut work.shared.slots);
}

/// What a party's leaving means for its contact.
pub(super) fn party_left(contact: &mut Contact, work: &mut Work<'_, '_>, leg: LegKey) -> Next {
    if transfer::transferor_gone(contact, work, leg) {
        return Next::Rest;
    }
    if let Phase::Ringing(rings) = &mut contact.phase {
        rings.iter_mut().filter(|ring| ring.answering == Some(leg)).for_each(|ring| ring.hung_up = true);
    }
    let by = match contact.other(leg).map(|party| party.role) {
        _ if leg == contact.caller.leg => EndedBy::Caller,
        Some(Role::External(_)) if work.cx.holds(Rule::EndedOutside) => EndedBy::Outside,
        _ => EndedBy::Agent,
    };
    if by == EndedBy::Caller { Next::End(by, Some(487)) } else { talk::left(contact, work, leg, by) }
}

/// What came of a call that the contact has asked for: these legs. False where it has not asked for any.
pub(super) fn call_answered(contact: &mut Contact, work: &mut Work<'_, '_>, role: Role, legs: &[LegKey]) -> bool {
    let Some(left) = contact.calls_asked.checked_sub(1) else {
        work.cx.missing("the contact that has asked for a call");
        return false;
    };
    contact.calls_asked = left;
    match role {
        Role::External(_) if legs.is_empty() => forget_trunk(contact, work),
        _ => adopt(contact, work, role, legs, false),
    }
    true
}

/// These legs are the contact's.
pub(super) fn adopt(contact: &mut Contact, work: &mut Work<'_, '_>, role: Role, legs: &[LegKey], guest: bool) {
    match role {
        // It counts on its trunk since it was asked for.
        Role::External(trunk) => {
            if guest {
                // What told that it has come from another contact was lost.
                work.shared.trunks.calls_out(work.cx, trunk, 1);
            } else {
                contact.trunk_asked = None;
            }
        }
        Role::Agent(agent) if legs.iter().any(|leg| !leg.is_text()) && !guest => {
            work.cx.tell_desk(agent, ToDesk::LegsBegan(legs.len() as u32));
        }
        Role::Agent(_) | Role::Caller => {}
    }
    contact.others.extend(legs.iter().map(|leg| Party { leg: *leg, role, holds: false, standing: Standing::Apart, guest }));
}

/// What came of the calls that the contact has asked for will not be told.
pub(super) fn forget_calls(contact: &mut Contact, work: &mut Work<'_, '_>) {
    contact.calls_asked = 0;
    forget_trunk(contact, work);
}

/// The call over a trunk that was asked for is none.
fn forget_trunk(contact: &mut Contact, work: &mut Work<'_, '_>) {
    if let Some(trunk) = contact.trunk_asked.take() {
        work.shared.trunks.calls_out(work.cx, trunk, -1);
    }
}

/// Takes a leg that is gone out of the contact's. What it was; nothing, if it is unknown or the caller's.
pub(super) fn forget_leg(contact: &mut Contact, leg: LegKey) -> Option<Party> {
    if leg == contact.caller.leg {
        contact.caller.up = false;
    }
    let place = contact.others.iter().position(|party| party.leg == leg)?;
    Some(contact.others.remove(place))
}

/// A leg is gone: nothing more is sent for it.
pub(super) fn leg_over(contact: &mut Contact, work: &mut Work<'_, '_>, leg: LegKey) {
    let gone = forget_leg(contact, leg);
    leg_gone(work, gone);
}

/// Whoever had the leg that is gone has one less.
pub(super) fn leg_gone(work: &mut Work<'_, '_>, gone: Option<Party>) {
    match gone.map(|party| party.role) {
        Some(Role::Agent(agent)) if gone.is_some_and(|party| party.rings_a_phone()) => work.cx.tell_desk(agent, ToDesk::LegGone),
        Some(Role::External(trunk)) => work.shared.trunks.calls_out(work.cx, trunk, -1),
        Some(Role::Agent(_) | Role::Caller) | None => {}
    }
}
