//! A contact in a queue: joining, whom it waits for, skill relaxation, what it is told, overflow, leaving.

use std::time::Duration;

use super::caller;
use super::contact::{Contact, Phase};
use super::offers;
use super::ringing::Purpose;
use super::work::{Next, Work};
use crate::acd::ContactSlot;
use crate::acd::command::{NotJoined, Refiled};
use crate::acd::queue::{Announce, AnswerWhen, Overflow, QueueRules, WhenEmpty};
use crate::acd::stay::{Joined, Joining, Remaining, Stay};
use crate::base::words::{EndedBy, Limit, QueueOutcome, Segment};
use crate::base::{QueueId, Weighed};
use crate::engine::between::{ContactTimer, DialTo};
use crate::engine::sabotage::Rule;
use crate::engine::settings::Settings;
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
    // Whoever the caller was with has been let go: should the queue not take the caller, nobody is let go once more.
    contact.phase = Phase::Joining;
    let Some(joining) = joining(contact, work, queue, credit) else { return Next::End(EndedBy::Closed, Some(404)) };
    let (reference, key) = (contact.reference(), contact.key);
    match work.matching(reference, |matching| Stay::join(matching, key, &joining)) {
        Ok(stay) => contact.stay = Some(stay),
        Err(why) => return refused(contact, work, (queue, joining.rules), why),
    }
    Next::Rest
}

/// What the contact wants of a queue; nothing where there is no such queue.
fn joining<'s>(contact: &Contact, work: &Work<'_, 's>, queue: QueueId, credit: Duration) -> Option<Joining<'s>> {
    let rules = work.cx.settings.queue(queue)?;
    let last_agent = rules.prefer_last.and_then(|_| work.shared.last_agents.of(&contact.number, queue));
    Some(Joining { queue, rules, language: contact.language, emergency: contact.emergency, credit, last_agent })
}

/// The contact is in the queue.
pub(super) fn joined(contact: &mut Contact, work: &mut Work<'_, '_>, slot: ContactSlot, joined: Joined) -> Next {
    let reference = contact.reference();
    let Some(stay) = contact.stay.as_mut().filter(|stay| stay.slot() == slot) else { return Next::Rest };
    let (queue, credit) = (stay.queue(), stay.credit());
    let Some(joining) = joining(contact, work, queue, credit) else {
        work.cx.missing("the queue that was joined");
        return Next::End(EndedBy::System, Some(404));
    };
    (contact.phase, contact.last_queue) = (Phase::Waiting, Some(queue));
    contact.turn(work.cx, Segment::Queue, Some(queue), None);
    let Some(stay) = &mut contact.stay else { return Next::Rest };
    let prefers_for = work.matching(reference, |matching| stay.joined(matching, &joining, joined));
    let (rules, hints) = (joining.rules, &mut work.cx.hints);
    let entered = FactKind::Entered {
        queue,
        language: joining.language,
        waiting: hints.waiting(queue),
        credit,
        as_of: stay.arrival() - rules.priority_boost,
        emergency: joining.emergency || rules.emergency,
        weighed: stay.weigh(hints, stay.slot()),
        estimate: *stay.estimate(),
        prefers: stay.prefers(),
    };
    contact.fact(work.cx, entered);
    start_waiting(contact, work, rules);
    if let Some(span) = prefers_for {
        contact.set_timer(work.cx, ContactTimer::Prefer, work.cx.now + span);
    }
    offers::ask_further(contact, work);
    Next::Rest
}

/// The queue does not take the contact that was on its way.
pub(super) fn not_joined(contact: &mut Contact, work: &mut Work<'_, '_>, slot: ContactSlot, why: NotJoined) -> Next {
    let Some(queue) = contact.stay.as_ref().filter(|stay| stay.slot() == slot).map(Stay::queue) else { return Next::Rest };
    contact.forget_stay(&mut work.shared.slots);
    match work.cx.settings.queue(queue) {
        Some(rules) => refused(contact, work, (queue, rules), why),
        None => Next::End(EndedBy::Closed, Some(404)),
    }
}

fn refused(contact: &mut Contact, work: &mut Work<'_, '_>, (queue, rules): (QueueId, &QueueRules), why: NotJoined) -> Next {
    match why {
        NotJoined::Closed if rules.retired => Next::End(EndedBy::Closed, Some(404)),
        NotJoined::Closed => Next::End(EndedBy::System, Some(404)),
        NotJoined::Nobody => nobody_here(contact, work, rules, &rules.join_empty),
        NotJoined::NoSlot => {
            work.cx.limit_hit(Some(contact.id), Limit::ContactSlots);
            Next::End(EndedBy::System, Some(503))
        }
        NotJoined::Full => {
            work.cx.limit_hit(Some(contact.id), Limit::QueueLength);
            contact.last_queue = Some(queue);
            turned_away(contact, work, &rules.overflow, QueueOutcome::Overflowed)
        }
    }
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
    if contact.caller.is_answered() || rules.answer == AnswerWhen::AtOnce {
        caller::answer_with_music(contact, work);
    } else {
        caller::expect_early_media(contact, work);
    }
}

/// The contact has waited long enough for one agent in particular, or that one is not to be had.
pub(super) fn prefer_nobody(contact: &mut Contact, work: &mut Work<'_, '_>) {
    contact.stop_timer(work.cx, ContactTimer::Prefer);
    let reference = contact.reference();
    if let Some(stay) = &mut contact.stay {
        work.matching(reference, |matching| stay.prefer_nobody(matching));
    }
    offers::ask_further(contact, work);
}

/// The contact waits for another demand from now on.
pub(super) fn refiled(contact: &mut Contact, work: &mut Work<'_, '_>, slot: ContactSlot, why: Refiled) {
    let reference = contact.reference();
    let Some(stay) = contact.stay.as_mut().filter(|stay| stay.slot() == slot) else { return };
    match why {
        Refiled::Relaxed => tell_demand(contact, work, |queue, step, weighed| FactKind::Widened { queue, step, weighed }),
        // It may have been said twice.
        Refiled::AgentGone if stay.prefers().is_none() => {}
        Refiled::PreferenceOver | Refiled::AgentGone => {
            work.matching(reference, |matching| stay.preference_over(matching));
            contact.stop_timer(work.cx, ContactTimer::Prefer);
            tell_demand(contact, work, |queue, step, weighed| FactKind::PreferenceOver { queue, step, weighed });
            offers::ask_further(contact, work);
        }
    }
}

/// A further ring is over.
pub(super) fn further_ended(contact: &mut Contact, work: &mut Work<'_, '_>, slot: ContactSlot) {
    if contact.stay.as_mut().is_some_and(|stay| stay.further_ended(&mut work.shared.slots, slot)) {
        offers::ask_further(contact, work);
    }
}

/// The requirement relaxes by one step.
pub(super) fn relax(contact: &mut Contact, work: &mut Work<'_, '_>) {
    let reference = contact.reference();
    let Some(stay) = &mut contact.stay else { return work.cx.missing("the stay that relaxes") };
    let Some(rules) = work.cx.settings.queue(stay.queue()) else { return work.cx.missing("the queue of a stay") };
    work.matching(reference, |matching| stay.relax(matching, rules));
    if let Some(next) = stay.relaxes_at(rules) {
        contact.set_timer(work.cx, ContactTimer::Relax, next);
    }
}

/// Reports that the contact waits for another demand from now on, with how the agents stand who may serve it.
fn tell_demand(contact: &Contact, work: &mut Work<'_, '_>, kind: impl FnOnce(QueueId, u32, Weighed) -> FactKind) {
    let Some(stay) = &contact.stay else { return work.cx.missing("the stay whose demand has changed") };
    let weighed = stay.weigh(&mut work.cx.hints, stay.slot());
    contact.fact(work.cx, kind(stay.queue(), stay.step() as u32, weighed));
}

/// A contact that waits takes the demand that the routing table in force gives it, and its further rings theirs.
pub(super) fn reenter(contact: &mut Contact, work: &mut Work<'_, '_>) {
    if matches!(contact.phase, Phase::Joining) {
        // It looks at the routing table once it is there.
        return;
    }
    let reference = contact.reference();
    if let Some(stay) = &mut contact.stay {
        work.matching(reference, |matching| stay.reenter(matching));
    }
    offers::ask_further(contact, work);
}

/// Says the place in the queue, or how long it may take, in the caller's language.
pub(super) fn announce(contact: &mut Contact, work: &mut Work<'_, '_>) {
    let (settings, now) = (work.cx.settings, work.cx.now);
    let (Some(stay), Phase::Waiting) = (&contact.stay, &contact.phase) else { return };
    let (language, queue, place) = (contact.language, stay.queue(), stay.place());
    let Some((announce, every)) = settings.queue(queue).and_then(|rules| Some((rules.announce, rules.announce_every?))) else {
        return;
    };
    contact.set_timer(work.cx, ContactTimer::Announce, now + every);
    let mut prompts = Vec::with_capacity(2);
    if announce != Announce::Wait {
        let ahead = work.cx.hints.ahead_of(queue, place);
        let name = if ahead < 20 { format!("place-{}", ahead + 1) } else { "place-more".to_owned() };
        prompts.push(caller::prompt(settings, language, &name));
    }
    if announce != Announce::Place {
        let remaining = contact.stay.as_ref().map_or(Remaining::Unknown, |stay| stay.remaining(now, &mut work.cx.hints));
        prompts.push(caller::prompt(settings, language, wait_prompt(remaining)));
    }
    caller::play(contact, work, prompts);
}

// ---- how a wait ends without an agent ----

/// The contact has waited as long as it may.
pub(super) fn overflow(contact: &mut Contact, work: &mut Work<'_, '_>) -> Next {
    let settings = work.cx.settings;
    let Some(rules) = contact.stay.as_ref().and_then(|stay| settings.queue(stay.queue())) else {
        work.cx.missing("the queue of a wait that is over");
        return Next::Rest;
    };
    leave(contact, work, QueueOutcome::Overflowed);
    turned_away(contact, work, &rules.overflow, QueueOutcome::Overflowed)
}

/// Whether it may make a difference to a waiting contact that an agent signs out.
pub(super) fn minds_who_leaves(contact: &Contact, settings: &Settings) -> bool {
    let Some(stay) = &contact.stay else { return false };
    let leaves = |rules: &QueueRules| rules.leave_when_empty != WhenEmpty::Wait;
    stay.prefers().is_some() || settings.queue(stay.queue()).is_some_and(leaves)
}

/// A waiting contact whose preferred agent, or anybody who could serve it, is not signed in any more waits for anyone, or leaves where its
/// queue says so.
pub(super) fn agent_left(contact: &mut Contact, work: &mut Work<'_, '_>) {
    let reference = contact.reference();
    let (Phase::Waiting, Some(stay)) = (&contact.phase, &mut contact.stay) else { return };
    let leaves = work.cx.settings.queue(stay.queue()).is_some_and(|rules| rules.leave_when_empty != WhenEmpty::Wait);
    work.matching(reference, |matching| {
        stay.prefer_nobody_if_gone(matching);
        if leaves {
            stay.leave_if_for_nobody(matching);
        }
    });
}

/// Nobody who could serve the contact is signed in, and so it has left its queue.
pub(super) fn for_nobody(contact: &mut Contact, work: &mut Work<'_, '_>, slot: ContactSlot) -> Next {
    let Some(stay) = contact.stay.as_ref().filter(|stay| stay.slot() == slot) else { return Next::Rest };
    let Some(rules) = work.cx.settings.queue(stay.queue()) else {
        work.cx.missing("the queue that was left");
        return Next::End(EndedBy::System, Some(480));
    };
    let outcome = match rules.leave_when_empty {
        WhenEmpty::Overflow => QueueOutcome::Overflowed,
        WhenEmpty::Goodbye | WhenEmpty::Wait => QueueOutcome::Closed,
    };
    leave(contact, work, outcome);
    nobody_here(contact, work, rules, &rules.leave_when_empty)
}

/// Nobody who could serve the contact is signed in.
fn nobody_here(contact: &Contact, work: &mut Work<'_, '_>, rules: &QueueRules, wanted: &WhenEmpty) -> Next {
    match wanted {
        WhenEmpty::Wait => Next::Rest,
        WhenEmpty::Overflow => turned_away(contact, work, &rules.overflow, QueueOutcome::Overflowed),
        WhenEmpty::Goodbye => Next::Goodbye(EndedBy::Closed, "nobody"),
    }
}

/// The overflow of a queue that cannot take the contact.
fn turned_away(contact: &Contact, work: &mut Work<'_, '_>, overflow: &Overflow, outcome: QueueOutcome) -> Next {
    let credit = contact.waited_so_far(work.cx.now);
    match overflow {
        Overflow::Queue(queue) if contact.last_queue != Some(*queue) => return Next::Join(*queue, credit),
        Overflow::Number(number) => {
            if let Some(trunk) = work.shared.trunks.to(work.cx, number) {
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
    if contact.stay.is_none() {
        return;
    }
    offers::withdraw_all(contact, work);
    offers::leave(contact, work);
    // It is taken first: that it has left is told once, whatever happens.
    if let Some(stay) = contact.forget_stay(&mut work.shared.slots)
        && work.cx.holds(Rule::Leave)
        && !matches!(contact.phase, Phase::Joining)
    {
        tell_left(contact, work, &stay, outcome);
    }
    TIMERS.into_iter().for_each(|timer| contact.stop_timer(work.cx, timer));
}

/// Notes that the contact has left its queue.
pub(super) fn tell_left(contact: &Contact, work: &mut Work<'_, '_>, stay: &Stay, outcome: QueueOutcome) {
    let (queue, language, waited) = (stay.queue(), contact.language, stay.waited(work.cx.now));
    let estimated = stay.over(work.cx.now, &mut work.cx.hints, outcome == QueueOutcome::Answered);
    let rules = work.cx.settings.queue(queue);
    let short = rules.is_some_and(|rules| waited < rules.short_abandon);
    let outcome = if outcome == QueueOutcome::Abandoned && short { QueueOutcome::ShortAbandoned } else { outcome };
    let in_target = rules.is_some_and(|rules| waited <= rules.service_target);
    contact.fact(work.cx, FactKind::Left { queue, language, outcome, waited, in_target, estimated });
}
