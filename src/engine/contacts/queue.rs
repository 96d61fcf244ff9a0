//! A contact in a queue: joining, whom it waits for, skill relaxation, what it is told, overflow, leaving.

use std::time::Duration;

use super::caller;
use super::contact::{Contact, Phase, Purpose};
use super::offers;
use super::work::{Next, Work};
use crate::acd::DemandId;
use crate::acd::claim::{ContactView, Left};
use crate::acd::queue::{Announce, Answer, Overflow, QueueRules, WhenEmpty};
use crate::base::words::{EndedBy, Limit, QueueOutcome, Segment};
use crate::base::{AgentId, Estimate, QueueId};
use crate::call::contact::{Remaining, Ticket};
use crate::engine::between::{ContactTimer, DialTo};
use crate::report::FactKind;

/// The recordings that say that a wait is within so many minutes.
pub const WAIT_PROMPTS: [(u64, &str); 8] = [
    (2, "wait-2"),
    (5, "wait-5"),
    (10, "wait-10"),
    (15, "wait-15"),
    (20, "wait-20"),
    (30, "wait-30"),
    (45, "wait-45"),
    (60, "wait-60"),
];

/// The recording that says what remains of a wait.
fn wait_prompt(remaining: Remaining) -> &'static str {
    match remaining {
        Remaining::Unknown => "wait-unknown",
        Remaining::Overdue => "wait-overdue",
        Remaining::AtMost(span) => {
            let enough = WAIT_PROMPTS.iter().find(|(minutes, _)| span <= Duration::from_secs(60 * minutes));
            enough.map_or("wait-more", |(_, name)| name)
        }
    }
}

/// The timers of a wait.
const TIMERS: [ContactTimer; 8] = [
    ContactTimer::WaitMax,
    ContactTimer::Relax,
    ContactTimer::Prefer,
    ContactTimer::Announce,
    ContactTimer::Ring,
    ContactTimer::EarlyMedia,
    ContactTimer::EarlyRepeat,
    ContactTimer::EarlyMax,
];

/// The contact joins a queue, with `credit` for what it has waited before.
pub(super) fn join(contact: &mut Contact, work: &mut Work<'_, '_>, queue: QueueId, credit: Duration) -> Next {
    let (settings, matcher, now) = (work.cx.settings, work.cx.matcher, work.cx.now);
    let Some(rules) = settings.queue(queue).filter(|rules| !rules.retired) else {
        return Next::End(EndedBy::Closed, Some(404));
    };
    let language = contact.language;
    let emergency = contact.emergency || rules.emergency;
    let Some(demand) = matcher.routing_table().demand(queue, language, 0) else {
        return Next::End(EndedBy::System, Some(404));
    };
    // An emergency waits for nobody in particular.
    let preferred = if emergency { None } else { preferred(contact, work, queue, rules, demand) };
    let prefers = preferred.map(|(agent, _)| agent);
    if rules.join_empty != WhenEmpty::Wait && !matcher.anyone_for(demand) {
        return nobody_here(contact, work, rules, &rules.join_empty);
    }
    let mut ticket = Ticket { queue, joined: now, arrival: now - credit, step: 0, prefers, estimate: Estimate::Needless };
    let demand = prefers.map_or(demand, DemandId::of_agent);
    let place = matcher.key(ticket.arrival, rules.priority_boost, emergency);
    let Some(slot) = work.shared.slots.take(contact.key) else {
        work.cx.limit_hit(None, Limit::LineSlots);
        return Next::End(EndedBy::System, Some(503));
    };
    (contact.slot, contact.ticket, contact.place) = (Some(slot), Some(ticket), Some(place));
    (contact.phase, contact.last_queue) = (Phase::Waiting, Some(queue));
    if matcher.arrive(slot, queue, rules.length_max, demand, place, now).is_err() {
        contact.forget_slots(&mut work.shared.slots);
        work.cx.limit_hit(Some(contact.id), Limit::QueueLength);
        return turned_away(contact, work, &rules.overflow, QueueOutcome::Overflowed);
    }
    let waiting = matcher.waiting(queue);
    // Of the wait for one agent in particular nothing is known.
    if prefers.is_none() && matcher.contact(slot) == ContactView::Waiting {
        let overtakes = emergency || !credit.is_zero();
        ticket.estimate = matcher.expects(now, queue, language, overtakes.then_some(place));
        contact.ticket = Some(ticket);
    }
    let estimate = ticket.estimate;
    contact.turn(work.cx, Segment::Queue, Some(queue), None);
    let (as_of, weighed) = (ticket.arrival - rules.priority_boost, matcher.weigh(demand));
    let entered = FactKind::Entered { queue, language, waiting, credit, as_of, emergency, weighed, estimate, prefers };
    contact.fact(work.cx, entered);
    start_waiting(contact, work, rules);
    if let Some((_, span)) = preferred {
        contact.set_timer(work.cx, ContactTimer::Prefer, now + span);
    }
    offers::ask_further(contact, work);
    Next::Rest
}

fn start_waiting(contact: &mut Contact, work: &mut Work<'_, '_>, rules: &QueueRules) {
    let now = work.cx.now;
    if let Some(wait_max) = rules.wait_max {
        contact.set_timer(work.cx, ContactTimer::WaitMax, now + wait_max);
    }
    if let Some(step) = rules.relaxation.first() {
        contact.set_timer(work.cx, ContactTimer::Relax, now + step.after);
    }
    if let Some(every) = rules.announce_every {
        contact.set_timer(work.cx, ContactTimer::Announce, now + every);
    }
    if contact.caller.answer == super::contact::Answer::Yes || rules.answer == Answer::AtOnce {
        caller::answer_with_music(contact, work);
    } else {
        caller::expect_early_media(contact, work);
    }
}

/// The agent whom a caller who joins `queue` shall wait for, and for how long: who served it last, else whom the queue names, if that
/// one is signed in and may serve it.
fn preferred(
    contact: &Contact,
    work: &Work<'_, '_>,
    queue: QueueId,
    rules: &QueueRules,
    demand: DemandId,
) -> Option<(AgentId, Duration)> {
    let last = || Some((work.shared.last_agents.of(&contact.number, queue)?, rules.prefer_last?));
    let may = |(agent, _): &(AgentId, Duration)| work.cx.matcher.may_wait_for(*agent, demand);
    last().filter(may).or(rules.prefer_agent.filter(may))
}

/// The contact has waited long enough for one agent in particular, or that one is not to be had.
pub(super) fn prefer_nobody(contact: &mut Contact, work: &mut Work<'_, '_>) {
    contact.stop_timer(work.cx, ContactTimer::Prefer);
    let Some(ticket) = contact.ticket.as_mut().filter(|ticket| ticket.prefers.is_some()) else { return };
    ticket.prefers = None;
    widened(contact, work);
    offers::ask_further(contact, work);
}

/// The requirement relaxes by one step.
pub(super) fn relax(contact: &mut Contact, work: &mut Work<'_, '_>) {
    let Some(ticket) = &mut contact.ticket else { return };
    let Some(rules) = work.cx.settings.queue(ticket.queue) else { return };
    ticket.step = rules.step_at(ticket.waited(work.cx.now));
    let Ticket { joined, step, prefers, .. } = *ticket;
    if let Some(next) = rules.relaxation.get(step) {
        contact.set_timer(work.cx, ContactTimer::Relax, joined + next.after);
    }
    // Who waits for one agent joins the relaxed demand later.
    if prefers.is_none() {
        widened(contact, work);
        offers::reenter_further(contact, work);
    }
}

/// The contact waits at its place for what it demands by now, if it still waits.
fn widened(contact: &Contact, work: &mut Work<'_, '_>) {
    let (Some(ticket), Some((slot, demand, place))) = (contact.ticket, contact.demand(work.cx)) else { return };
    if work.cx.matcher.relax(slot, demand, place) {
        let weighed = work.cx.matcher.weigh(demand);
        contact.fact(work.cx, FactKind::Widened { queue: ticket.queue, step: ticket.step as u32, weighed });
    }
}

/// Moves a contact that waits to the demand that the routing table in force gives it, and its further rings to theirs.
pub(super) fn reenter(contact: &mut Contact, work: &mut Work<'_, '_>) {
    if let Some((slot, demand, place)) = contact.demand(work.cx) {
        work.cx.matcher.relax(slot, demand, place);
    }
    offers::reenter_further(contact, work);
    offers::ask_further(contact, work);
}

/// Says the place in the queue, or how long it may take, in the caller's language.
pub(super) fn announce(contact: &mut Contact, work: &mut Work<'_, '_>) {
    let (settings, matcher, now) = (work.cx.settings, work.cx.matcher, work.cx.now);
    let (Some(ticket), Some(place), Phase::Waiting) = (contact.ticket, contact.place, &contact.phase) else { return };
    let language = contact.language;
    let Some((announce, every)) = settings.queue(ticket.queue).and_then(|rules| Some((rules.announce, rules.announce_every?)))
    else {
        return;
    };
    contact.set_timer(work.cx, ContactTimer::Announce, now + every);
    let mut prompts = Vec::with_capacity(2);
    if announce != Announce::Wait {
        let ahead = matcher.ahead_of(ticket.queue, place);
        let name = if ahead < 20 { format!("place-{}", ahead + 1) } else { "place-more".to_owned() };
        prompts.push(caller::prompt(settings, language, &name));
    }
    if announce != Announce::Place {
        let still = matcher.expects_still(now, ticket.queue, language, place);
        prompts.push(caller::prompt(settings, language, wait_prompt(ticket.remaining(now, &still))));
    }
    caller::play(contact, work, prompts);
}

// ---- how a wait ends without an agent ----

/// The contact has waited as long as it may.
pub(super) fn overflow(contact: &mut Contact, work: &mut Work<'_, '_>) -> Next {
    let settings = work.cx.settings;
    let Some(rules) = contact.ticket.and_then(|ticket| settings.queue(ticket.queue)) else { return Next::Rest };
    leave(contact, work, QueueOutcome::Overflowed);
    turned_away(contact, work, &rules.overflow, QueueOutcome::Overflowed)
}

/// A waiting contact whose preferred agent, or anybody who could serve it, is not signed in any more waits for anyone, or leaves where its
/// queue says so.
pub(super) fn agent_left(contact: &mut Contact, work: &mut Work<'_, '_>) -> Next {
    let (settings, matcher) = (work.cx.settings, work.cx.matcher);
    let (Phase::Waiting, Some(ticket)) = (&contact.phase, contact.ticket) else { return Next::Rest };
    let nobody = |contact: &Contact, work: &Work<'_, '_>| {
        contact.demand(work.cx).is_some_and(|(_, demand, _)| !matcher.anyone_for(demand))
    };
    if ticket.prefers.is_some() && nobody(contact, work) {
        prefer_nobody(contact, work);
    }
    let Some(rules) = settings.queue(ticket.queue).filter(|rules| rules.leave_when_empty != WhenEmpty::Wait) else {
        return Next::Rest;
    };
    if !nobody(contact, work) {
        return Next::Rest;
    }
    let outcome = match rules.leave_when_empty {
        WhenEmpty::Overflow => QueueOutcome::Overflowed,
        WhenEmpty::Goodbye | WhenEmpty::Wait => QueueOutcome::Closed,
    };
    leave(contact, work, outcome);
    nobody_here(contact, work, rules, &rules.leave_when_empty)
}

/// Nobody who could serve the contact is signed in.
fn nobody_here(contact: &Contact, work: &Work<'_, '_>, rules: &QueueRules, wanted: &WhenEmpty) -> Next {
    match wanted {
        WhenEmpty::Wait => Next::Rest,
        WhenEmpty::Overflow => turned_away(contact, work, &rules.overflow, QueueOutcome::Overflowed),
        WhenEmpty::Goodbye => Next::Goodbye(EndedBy::Closed, "nobody"),
    }
}

/// The overflow of a queue that cannot take the contact.
fn turned_away(contact: &Contact, work: &Work<'_, '_>, overflow: &Overflow, outcome: QueueOutcome) -> Next {
    let credit = contact.waited_so_far(work.cx.now);
    match overflow {
        Overflow::Queue(queue) if contact.last_queue != Some(*queue) => return Next::Join(*queue, credit),
        Overflow::Number(number) => {
            if let Some(trunk) = work.shared.trunks.to(work.cx.settings, number) {
                return Next::Dial(DialTo::Number(trunk, number.clone()), Purpose::Overflow);
            }
        }
        Overflow::Queue(_) | Overflow::Goodbye => {}
    }
    let by = if outcome == QueueOutcome::Closed { EndedBy::Closed } else { EndedBy::Overflow };
    Next::Goodbye(by, "nobody")
}

/// The contact leaves its queue, and whoever is rung for it is not rung any more.
pub(super) fn leave(contact: &mut Contact, work: &mut Work<'_, '_>, outcome: QueueOutcome) {
    let Some(slot) = contact.slot else { return };
    offers::withdraw_all(contact, work);
    let left = offers::leave(work, slot);
    for slot in contact.further.clone() {
        offers::leave(work, slot);
    }
    if left != Left::NotHere {
        tell_left(contact, work, outcome);
    }
    contact.forget_slots(&mut work.shared.slots);
    TIMERS.into_iter().for_each(|timer| contact.stop_timer(work.cx, timer));
}

/// Notes that the contact has left its queue.
pub(super) fn tell_left(contact: &Contact, work: &mut Work<'_, '_>, outcome: QueueOutcome) {
    let Some(ticket) = contact.ticket else { return };
    let (language, waited) = (contact.language, ticket.waited(work.cx.now));
    let rules = work.cx.settings.queue(ticket.queue);
    let answered = outcome == QueueOutcome::Answered;
    let estimated = work.cx.matcher.waited(work.cx.now, (ticket.queue, language), &ticket.estimate, waited, answered);
    let short = rules.is_some_and(|rules| waited < rules.short_abandon);
    let outcome = if outcome == QueueOutcome::Abandoned && short { QueueOutcome::ShortAbandoned } else { outcome };
    let in_target = rules.is_some_and(|rules| waited <= rules.service_target);
    contact.fact(work.cx, FactKind::Left { queue: ticket.queue, language, outcome, waited, in_target, estimated });
}
