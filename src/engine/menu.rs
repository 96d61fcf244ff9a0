//! A contact in its entry: greeting, choice, opening hours; and the last prompt before goodbye.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::contact::{CallerHears, ContactKey, ContactTimer, Phase};
use crate::base::words::EndedBy;
use crate::base::{EntryId, Time};
use crate::call::menu::{Destination, Event, Menu, Step};

/// A goodbye lasts no longer than this, should its prompt never be reported as played.
const GOODBYE_MAX: Duration = Duration::from_secs(30);

impl Engine {
    /// The contact begins its entry.
    pub(super) fn enter(&mut self, now: Time, key: ContactKey, entry: EntryId) {
        let settings = self.settings.clone();
        let Some(rules) = settings.entry(entry) else { return };
        let open = rules.hours.as_ref().is_none_or(|hours| hours.open_at(now));
        self.menu_step(now, key, entry, Menu::begin(rules, open));
    }

    pub(super) fn menu_event(&mut self, now: Time, key: ContactKey, event: Event) {
        let Some(contact) = self.contact(key) else { return };
        let Phase::Entry(entry, menu) = contact.phase else { return };
        let settings = self.settings.clone();
        let Some(rules) = settings.entry(entry) else { return };
        self.menu_step(now, key, entry, menu.on(rules, event));
    }

    fn menu_step(&mut self, now: Time, key: ContactKey, entry: EntryId, step: Step) {
        let settings = self.settings.clone();
        match step {
            Step::Stay => {}
            Step::Play(menu) => {
                self.stop_timer(key, ContactTimer::Key);
                // There is something to hear, perhaps to choose: that answers the call.
                if !self.answer_caller(now, key, None) {
                    return;
                }
                let Some(rules) = settings.entry(entry) else { return };
                let prompts = menu.prompts(rules).to_vec();
                if let Some(contact) = self.contact_mut(key) {
                    contact.phase = Phase::Entry(entry, menu);
                }
                self.play(now, key, prompts);
            }
            Step::Wait(menu, span) => {
                if let Some(contact) = self.contact_mut(key) {
                    contact.phase = Phase::Entry(entry, menu);
                }
                self.set_timer(key, ContactTimer::Key, now + span);
            }
            Step::Go(Destination { queue, language }) => {
                self.stop_timer(key, ContactTimer::Key);
                if let Some(contact) = self.contact_mut(key)
                    && language.is_some()
                {
                    contact.language = language;
                }
                self.join(now, key, queue, None);
            }
            Step::End => self.end_contact(now, key, EndedBy::Closed, Some(480)),
        }
    }

    /// Prompts that were played to the caller have ended.
    pub(super) fn played(&mut self, now: Time, key: ContactKey, token: u64) {
        let Some(contact) = self.contact_mut(key).filter(|contact| contact.hears == CallerHears::Prompts(token)) else { return };
        contact.hears = CallerHears::Nothing;
        match contact.phase {
            Phase::Entry(..) => self.menu_event(now, key, Event::Played),
            Phase::Waiting | Phase::Ringing(_) | Phase::Dialling(_) => self.music(now, key),
            Phase::Goodbye(_) => self.goodbye_over(now, key),
            Phase::Talking { .. } | Phase::Over => {}
        }
    }

    /// Says a last word, if the caller is or can be answered, and ends the contact.
    pub(super) fn goodbye(&mut self, now: Time, key: ContactKey, by: EndedBy, prompts: Vec<Arc<str>>) {
        let Some(contact) = self.contact(key) else { return };
        let answered = self.legs.get(contact.caller).is_some_and(|leg| leg.state().answered());
        if !answered || prompts.is_empty() {
            return self.end_contact(now, key, by, Some(480));
        }
        self.stop_all_timers(key);
        if let Some(contact) = self.contact_mut(key) {
            contact.phase = Phase::Goodbye(by);
        }
        self.play(now, key, prompts);
        self.set_timer(key, ContactTimer::GoodbyeMax, now + GOODBYE_MAX);
    }

    pub(super) fn goodbye_over(&mut self, now: Time, key: ContactKey) {
        let Some(Phase::Goodbye(by)) = self.contact(key).map(|contact| contact.phase.clone()) else { return };
        self.end_contact(now, key, by, None);
    }

    /// A prompt in the caller's language.
    pub(super) fn prompt(&self, key: ContactKey, name: &str) -> Arc<str> {
        let language = self.contact(key).and_then(|contact| contact.language);
        format!("{}/{name}", self.settings.prompts_for(language)).into()
    }
}
