//! Passing a caller on: REFER from the agent's phone (RFC 3515), to a queue, another agent or a number outside. It stays the same contact; a
//! failure brings the caller back to the agent, or into the queue, and never ends the call.

use super::contact::{CallerHears, Contact, Phase, Standing, Transfer};
use super::ringing::{Failure, Purpose};
use super::work::{Next, Work};
use super::{caller, calling, talk};
use crate::base::AgentId;
use crate::base::words::{EndedBy, Segment, TransferOutcome};
use crate::call::leg::Role;
use crate::call::transfer::{self, Destination, Refused};
use crate::engine::admission::user_of;
use crate::engine::between::{ContactTimer, DialTo, Heard, LegKey, ToLeg};
use crate::engine::sabotage::Rule;
use crate::engine::settings::Settings;
use crate::report::FactKind;

/// An agent's phone asks us to call somebody in its place (REFER).
pub(super) fn refer(contact: &mut Contact, work: &mut Work<'_, '_>, leg: LegKey, refer_to: &str, has_replaces: bool) -> Next {
    match begin(contact, work.cx.settings, leg, refer_to, has_replaces) {
        Ok(destination) => {
            work.cx.out.tell_leg(leg, ToLeg::AnswerRefer(202));
            work.cx.out.tell_leg(leg, ToLeg::Notify(100));
            pass_on(contact, work, leg, destination)
        }
        Err(status) => {
            work.cx.out.tell_leg(leg, ToLeg::AnswerRefer(status));
            Next::Rest
        }
    }
}

/// Checks a REFER and notes the transfer. Nothing has happened to the caller yet.
fn begin(
    contact: &mut Contact,
    settings: &Settings,
    leg: LegKey,
    refer_to: &str,
    has_replaces: bool,
) -> Result<Destination, u16> {
    let Some(Role::Agent(from)) = contact.other(leg).map(|party| party.role) else { return Err(403) };
    match contact.phase {
        Phase::Talking { agent: Some(agent), leg: current } if agent == from && current == leg => {}
        Phase::Talking { .. } | Phase::Dialling(_) => return Err(Refused::Pending.status()),
        _ => return Err(481),
    }
    if contact.others.iter().any(|party| party.guest || party.standing == Standing::Given) {
        // Where the others are to go is not said.
        return Err(Refused::Pending.status());
    }
    if has_replaces {
        // Attended transfers come with consulting.
        return Err(501);
    }
    let (user, _) = user_of(refer_to).ok_or(400u16)?;
    let destination = destination(settings, from, &user).ok_or(Refused::Unknown.status())?;
    let pending = contact.transfer.is_some();
    transfer::allowed(contact.transfers, pending, Some(from), &destination).map_err(Refused::status)?;
    let to_agency = match &destination {
        Destination::Queue(queue) => settings.queue(*queue).map(|rules| rules.agency),
        Destination::Agent(agent) => settings.agency_of(*agent),
        Destination::Number(_) => None,
    };
    contact.transfers += 1;
    contact.transfer = Some(Box::new(Transfer { from, leg: Some(leg), kind: destination.kind(), to_agency }));
    Ok(destination)
}

/// Whom a name or number that an agent gives means: a queue, an agent, or a number that the agency may dial.
fn destination(settings: &Settings, from: AgentId, user: &str) -> Option<Destination> {
    if let Some(queue) = settings.queue_to_call(user) {
        return Some(Destination::Queue(queue));
    }
    if let Some(agent) = settings.agent_named(user) {
        return Some(Destination::Agent(agent));
    }
    settings.dialable(from, user).map(Destination::Number)
}

fn pass_on(contact: &mut Contact, work: &mut Work<'_, '_>, leg: LegKey, destination: Destination) -> Next {
    work.cx.out.tell_leg(leg, ToLeg::Hear { what: Some(Heard::Nothing), talks: false });
    if let Some(party) = contact.other(leg) {
        party.standing = Standing::Apart;
    }
    // Who comes back goes on with the same talk, and with what is left of its time.
    if !work.cx.holds(Rule::LimitWhilePassedOn) {
        contact.stop_timer(work.cx, ContactTimer::TalkMax);
    }
    contact.caller.hears = CallerHears::Nothing;
    caller::music(contact, work);
    match destination {
        Destination::Queue(queue) => {
            let credit = contact.waited_so_far(work.cx.now);
            contact.forget_stay(&mut work.shared.slots);
            done(contact, work);
            contact.stop_timer(work.cx, ContactTimer::TalkMax);
            Next::Join(queue, credit)
        }
        Destination::Agent(agent) => Next::Dial(DialTo::Agent(agent), Purpose::Transfer),
        Destination::Number(number) => match work.shared.trunks.to(work.cx, &number) {
            Some(trunk) => Next::Dial(DialTo::Number(trunk, number), Purpose::Transfer),
            None => Next::NotPassedOn(Failure::NO_TRUNK.status),
        },
    }
}

/// The caller is where they were sent: the agent who sent them hears so, and is free.
pub(super) fn done(contact: &mut Contact, work: &mut Work<'_, '_>) {
    let Some(transfer) = contact.transfer.take() else { return };
    tell(contact, work, &transfer, TransferOutcome::Completed);
    if let Some(leg) = transfer.leg {
        work.cx.out.tell_leg(leg, ToLeg::Notify(200));
        work.cx.out.tell_leg(leg, ToLeg::HangUp);
        release(contact, work, transfer.from);
    }
}

/// The caller could not be passed on: back to the agent if still there, else into the queue with credit.
pub(super) fn failed(contact: &mut Contact, work: &mut Work<'_, '_>, status: u16) -> Next {
    let Some(transfer) = contact.transfer.take() else { return Next::Rest };
    if let Some(leg) = transfer.leg {
        tell(contact, work, &transfer, TransferOutcome::Returned);
        work.cx.out.tell_leg(leg, ToLeg::Notify(status));
        if work.cx.holds(Rule::TransferReturns) {
            talk::begin(contact, Some(transfer.from), leg);
            if !work.cx.holds(Rule::LimitWhilePassedOn) {
                contact.set_timer(work.cx, ContactTimer::TalkMax, work.cx.now + calling::TALK_MAX);
            }
            talk::connect(contact, work);
        }
        return Next::Rest;
    }
    tell(contact, work, &transfer, TransferOutcome::Failed);
    let credit = contact.waited_so_far(work.cx.now);
    contact.forget_stay(&mut work.shared.slots);
    // Whoever was called has been let go.
    contact.phase = Phase::Waiting;
    match contact.last_queue {
        Some(queue) => Next::Join(queue, credit),
        None => Next::End(EndedBy::System, Some(480)),
    }
}

/// The agent who passed the caller on has hung up before it was known how it went: that changes nothing for the caller.
pub(super) fn transferor_gone(contact: &mut Contact, work: &mut Work<'_, '_>, leg: LegKey) -> bool {
    let Some(transfer) = contact.transfer.as_mut().filter(|transfer| transfer.leg == Some(leg)) else { return false };
    transfer.leg = None;
    let from = transfer.from;
    contact.stop_timer(work.cx, ContactTimer::TalkMax);
    release(contact, work, from);
    true
}

/// The longest talk is over. Whoever is being passed on has done with this agent, and waits for the other.
pub(super) fn talk_max(contact: &mut Contact, work: &mut Work<'_, '_>) -> Next {
    match contact.transfer.as_ref().and_then(|transfer| transfer.leg) {
        Some(leg) => {
            work.cx.out.tell_leg(leg, ToLeg::HangUp);
            transferor_gone(contact, work, leg);
            Next::Rest
        }
        None => Next::End(EndedBy::System, None),
    }
}

/// The caller left while being passed on.
pub(super) fn abandoned(contact: &mut Contact, work: &mut Work<'_, '_>) {
    let Some(transfer) = contact.transfer.take() else { return };
    tell(contact, work, &transfer, TransferOutcome::Abandoned);
    if let Some(leg) = transfer.leg {
        work.cx.out.tell_leg(leg, ToLeg::Notify(487));
        release(contact, work, transfer.from);
    }
}

fn release(contact: &Contact, work: &mut Work<'_, '_>, agent: AgentId) {
    let current = contact.timeline.current();
    if current.segment == Segment::Talk {
        let lasted = work.cx.now.since(current.began);
        contact.fact(work.cx, FactKind::TalkEnded { queue: contact.last_queue, agent: Some(agent), lasted });
    }
    contact.let_agent_go(work.cx, agent);
}

fn tell(contact: &Contact, work: &mut Work<'_, '_>, transfer: &Transfer, outcome: TransferOutcome) {
    let from = work.cx.settings.agency_of(transfer.from);
    contact.fact(work.cx, FactKind::Transferred { kind: transfer.kind, from, to: transfer.to_agency, outcome });
}
