//! Calling somebody in particular, past the queue: an agent's own call, an overflow to a number, a transfer to an agent or a number.

use std::sync::Arc;
use std::time::Duration;

use super::contact::{Contact, DeskSays, Dial, Phase};
use super::ringing::{Consequence, Failure, Purpose, Ringing};
use super::work::{Next, Work};
use super::{calling, talk, transfer};
use crate::base::AgentId;
use crate::base::words::{EndedBy, OfferOutcome, Segment};
use crate::engine::between::{ContactTimer, DialTo, LegKey, ToDesk, ToLeg, Want, Whom};
use crate::engine::sabotage::Rule;
use crate::engine::settings::Settings;

/// A desk answers at once. Without an answer for so long the agent is not to be had.
const DESK_ANSWERS: Duration = Duration::from_secs(2);
/// How long an agent's phone rings when somebody in particular wants it.
const RING_AGENT: Duration = Duration::from_secs(25);
/// How long a number outside may take to answer.
const RING_OUTSIDE: Duration = Duration::from_secs(60);
/// How long an agent who refused a call in particular is offered nothing.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);

/// Calls somebody for the contact. An agent is asked for first, at the agent's desk.
pub(super) fn dial(contact: &mut Contact, work: &mut Work<'_, '_>, to: DialTo, purpose: Purpose) -> Next {
    let now = work.cx.now;
    let (desk, patience) = match &to {
        DialTo::Agent(agent) => {
            let want = if purpose == Purpose::Own { Want::Colleague } else { Want::Caller(RING_AGENT) };
            work.cx.tell_desk(*agent, ToDesk::Take(contact.reference(), want));
            (DeskSays::Nothing, DESK_ANSWERS)
        }
        DialTo::Number(trunk, number) => {
            let (trunk, number, shown) = (*trunk, number.clone(), number_shown(contact, work.cx.settings));
            calling::call(contact, work, Whom::Number { trunk, number, shown, heard_early: purpose == Purpose::Own });
            (DeskSays::NotAsked, calling::LEGS_ANSWER)
        }
    };
    contact.phase = Phase::Dialling(Dial { to, purpose, ringing: Ringing::default(), desk });
    contact.set_timer(work.cx, ContactTimer::Ring, now + patience);
    Next::Rest
}

/// The agent whom the contact asked for is the contact's. One whom nobody wants any more is let go.
pub(super) fn taken(contact: &mut Contact, work: &mut Work<'_, '_>, agent: AgentId, want: Want) {
    let Some(dial) = contact.asks_for(agent) else { return work.cx.tell_desk(agent, want.given_back(contact.id)) };
    dial.desk = DeskSays::Taken;
    calling::call_agent(contact, work, agent);
    contact.set_timer(work.cx, ContactTimer::Ring, work.cx.now + calling::LEGS_ANSWER);
}

/// The agent whom the contact asked for is not to be had.
pub(super) fn not_taken(contact: &mut Contact, work: &mut Work<'_, '_>, agent: AgentId) -> Next {
    let Some(dial) = contact.asks_for(agent) else { return Next::Rest };
    dial.desk = DeskSays::LetGo;
    let failure = Failure::not_taken(dial.purpose);
    failed(contact, work, failure)
}

/// Whoever was called rings, or there is nobody whom to ring.
pub(super) fn rung(contact: &mut Contact, work: &mut Work<'_, '_>, why_not: Option<Failure>) -> Next {
    if let Some(failure) = why_not {
        return failed(contact, work, failure);
    }
    let Phase::Dialling(dial) = &contact.phase else { return Next::Rest };
    let patience = if let DialTo::Agent(_) = dial.to { RING_AGENT } else { RING_OUTSIDE };
    contact.set_timer(work.cx, ContactTimer::Ring, work.cx.now + patience);
    Next::Rest
}

/// The number that an outgoing call shows: that of the agency it is made for.
fn number_shown(contact: &Contact, settings: &Settings) -> Option<Arc<str>> {
    let agency = match (contact.own, contact.last_queue) {
        (Some(agent), _) => settings.agency_of(agent),
        (None, Some(queue)) => settings.queue(queue).map(|rules| rules.agency),
        (None, None) => None,
    }?;
    settings.agencies.get(agency.index()).map(|agency| agency.number.clone()).filter(|number| !number.is_empty())
}

/// Whoever was called has answered, by this leg: the talk begins.
pub(super) fn answered(contact: &mut Contact, work: &mut Work<'_, '_>, dial: &Dial, leg: LegKey) {
    contact.stop_all_timers(work.cx);
    calling::limit_talk(contact, work.cx, calling::TALK_MAX);
    let agent = match dial.to {
        DialTo::Agent(agent) => Some(agent),
        DialTo::Number(..) => None,
    };
    talk::begin(contact, agent, leg);
    contact.turn(work.cx, Segment::Talk, contact.last_queue, agent);
    if let (Some(agent), true) = (agent, dial.purpose != Purpose::Own) {
        work.cx.tell_desk(agent, ToDesk::Talks(contact.reference(), calling::TALK_MAX));
    }
    if dial.purpose == Purpose::Transfer {
        transfer::done(contact, work);
    }
    talk::connect(contact, work);
}

/// Nobody who was called is to be had.
pub(super) fn failed(contact: &mut Contact, work: &mut Work<'_, '_>, failure: Failure) -> Next {
    let once = work.cx.holds(Rule::LetGoOnce);
    let Phase::Dialling(dial) = &mut contact.phase else { return Next::Rest };
    let before = dial.clone();
    if once {
        // What follows may end the contact, which must not let the same one go once more.
        dial.desk = DeskSays::LetGo;
    }
    contact.stop_timer(work.cx, ContactTimer::Ring);
    let_go(contact, work, &before, failure.outcome);
    match before.purpose.consequence(failure) {
        Consequence::RefuseCaller(status) => Next::End(EndedBy::System, Some(status)),
        Consequence::Goodbye => Next::Goodbye(EndedBy::Overflow, "nobody"),
        Consequence::TellAgent(status) => Next::NotPassedOn(status),
    }
}

/// The contact leaves while somebody in particular is called for it.
pub(super) fn stop(contact: &Contact, work: &mut Work<'_, '_>, dial: &Dial) {
    for leg in dial.ringing.legs() {
        work.cx.out.tell_leg(*leg, ToLeg::Cancel { elsewhere: false });
    }
    let_go(contact, work, dial, OfferOutcome::Withdrawn);
}

fn let_go(contact: &Contact, work: &mut Work<'_, '_>, dial: &Dial, outcome: OfferOutcome) {
    let (DialTo::Agent(agent), DeskSays::Taken) = (&dial.to, dial.desk) else { return };
    let over = ToDesk::RingOver(contact.id, outcome, REFUSED_PAUSE);
    work.cx.tell_desk(*agent, if dial.purpose == Purpose::Own { ToDesk::OwnCallOver } else { over });
}
