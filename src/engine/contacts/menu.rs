//! A contact in its entry: greeting, choice, opening hours; and the last word before goodbye.

use std::time::Duration;

use super::caller;
use super::contact::{CallerHears, Contact, Phase};
use super::work::{Next, Work};
use crate::base::EntryId;
use crate::base::words::EndedBy;
use crate::call::menu::{Destination, Event, Menu, Step};
use crate::engine::between::ContactTimer;

/// A goodbye lasts no longer than this, should its prompt never be reported as played.
const GOODBYE_MAX: Duration = Duration::from_secs(30);

/// The contact begins its entry.
pub(super) fn enter(contact: &mut Contact, work: &mut Work<'_, '_>, entry: EntryId) -> Next {
    let Some(rules) = work.cx.settings.entry(entry) else { return Next::End(EndedBy::Closed, Some(404)) };
    let open = rules.hours.as_ref().is_none_or(|hours| hours.open_at(work.cx.now));
    step(contact, work, entry, Menu::begin(rules, open))
}

/// Something happened while the contact may be in an entry.
pub(super) fn event(contact: &mut Contact, work: &mut Work<'_, '_>, event: Event) -> Next {
    let Phase::Entry(entry, menu) = contact.phase else { return Next::Rest };
    let Some(rules) = work.cx.settings.entry(entry) else {
        work.cx.missing("the entry that a caller is in");
        return Next::End(EndedBy::System, Some(500));
    };
    step(contact, work, entry, menu.on(rules, event))
}

fn step(contact: &mut Contact, work: &mut Work<'_, '_>, entry: EntryId, step: Step) -> Next {
    match step {
        Step::Stay => Next::Rest,
        Step::Play(menu) => {
            contact.stop_timer(work.cx, ContactTimer::Key);
            contact.phase = Phase::Entry(entry, menu);
            let prompts = work.cx.settings.entry(entry).map_or_else(Vec::new, |rules| menu.prompts(rules).to_vec());
            // There is something to hear, perhaps to choose: that answers the call.
            caller::answer_and_play(contact, work, prompts);
            Next::Rest
        }
        Step::Wait(menu, span) => {
            contact.phase = Phase::Entry(entry, menu);
            contact.set_timer(work.cx, ContactTimer::Key, work.cx.now + span);
            Next::Rest
        }
        Step::Go(Destination { queue, language }) => {
            contact.stop_timer(work.cx, ContactTimer::Key);
            contact.language = language.or(contact.language);
            Next::Join(queue, Duration::ZERO)
        }
        Step::End => Next::End(EndedBy::Closed, Some(480)),
    }
}

/// Prompts that were played to the caller have ended.
pub(super) fn played(contact: &mut Contact, work: &mut Work<'_, '_>, token: u64) -> Next {
    if contact.caller.hears != CallerHears::Prompts(token) {
        return Next::Rest;
    }
    contact.caller.hears = CallerHears::Nothing;
    match contact.phase {
        Phase::Entry(..) => Next::Menu(Event::Played),
        Phase::Joining | Phase::Waiting | Phase::Ringing(_) | Phase::Dialling(_) => {
            caller::music(contact, work);
            Next::Rest
        }
        Phase::Goodbye(_) => goodbye_over(contact),
        Phase::Arrived | Phase::Talking { .. } | Phase::Over => Next::Rest,
    }
}

/// An agent who has dialled a feature code hears that it was taken.
pub(super) fn confirm(contact: &mut Contact, work: &mut Work<'_, '_>, name: &str) {
    last_word(contact, work, EndedBy::System, name);
}

/// Says a last word, if the caller is answered, and ends the contact.
pub(super) fn goodbye(contact: &mut Contact, work: &mut Work<'_, '_>, by: EndedBy, name: &str) -> Next {
    if !contact.caller.is_answered() {
        return Next::End(by, Some(480));
    }
    contact.stop_all_timers(work.cx);
    last_word(contact, work, by, name);
    Next::Rest
}

fn last_word(contact: &mut Contact, work: &mut Work<'_, '_>, by: EndedBy, name: &str) {
    contact.phase = Phase::Goodbye(by);
    let prompt = caller::prompt(work.cx.settings, contact.language, name);
    caller::answer_and_play(contact, work, vec![prompt]);
    contact.stop_all_timers(work.cx);
    contact.set_timer(work.cx, ContactTimer::GoodbyeMax, work.cx.now + GOODBYE_MAX);
}

pub(super) const fn goodbye_over(contact: &Contact) -> Next {
    match contact.phase {
        Phase::Goodbye(by) => Next::End(by, None),
        _ => Next::Rest,
    }
}
