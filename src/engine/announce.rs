//! What a contact in a queue hears beside the music: early media, its place, how long it may take.

use std::time::Duration;

use super::contact::{ContactKey, ContactTimer, Phase};
use super::legs::Leg;
use super::{Engine, lend};
use crate::acd::queue::Announce;
use crate::base::Time;
use crate::call::contact::Remaining;
use crate::call::leg::LegState;

/// A late-answered caller hears music once nobody has answered for so long: most are answered sooner, and then no early media is set
/// up. Sooner than 100 Trying is due, which the 183 then makes needless.
pub(super) const EARLY_MEDIA_AFTER: Duration = Duration::from_millis(150);
/// How often a 183 is repeated (RFC 3261 13.3.1.1).
const EARLY_REPEAT: Duration = Duration::from_secs(60);
/// Early media lasts no longer: proxies give up after three minutes.
const EARLY_MAX: Duration = Duration::from_secs(150);

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

impl Engine {
    /// A late-answered caller has waited long enough in silence.
    pub(super) fn early_media(&mut self, now: Time, key: ContactKey) {
        if self.answer_early(now, key, None) {
            self.music(now, key);
            self.set_timer(key, ContactTimer::EarlyRepeat, now + EARLY_REPEAT);
            self.set_timer(key, ContactTimer::EarlyMax, now + EARLY_MAX);
        }
    }

    pub(super) fn repeat_early(&mut self, now: Time, key: ContactKey) {
        let Some(caller) = self.contact(key).map(|contact| contact.caller) else { return };
        if let Some(LegState::Arriving { .. }) = self.legs.get(caller).map(Leg::state) {
            if let Some(mut session) = self.legs.session(&mut lend!(self, now), caller) {
                session.repeat_early();
            }
            self.set_timer(key, ContactTimer::EarlyRepeat, now + EARLY_REPEAT);
        }
    }

    /// Early media has lasted as long as proxies bear it: the call is answered, and the caller waits on.
    pub(super) fn early_media_over(&mut self, now: Time, key: ContactKey) {
        self.stop_timer(key, ContactTimer::EarlyRepeat);
        self.answer_caller(now, key, None);
    }

    /// Says the place in the queue, or how long it may take, in the caller's language.
    pub(super) fn announce(&mut self, now: Time, key: ContactKey) {
        let settings = self.settings.clone();
        let Some(contact) = self.contact(key) else { return };
        let (Some(ticket), Some(place), Phase::Waiting) = (contact.ticket, contact.place, &contact.phase) else { return };
        let language = contact.language;
        let Some((announce, every)) =
            settings.queue(ticket.queue).and_then(|rules| Some((rules.announce, rules.announce_every?)))
        else {
            return;
        };
        self.set_timer(key, ContactTimer::Announce, now + every);
        let mut prompts = Vec::with_capacity(2);
        if announce != Announce::Wait {
            let ahead = self.matcher.ahead_of(ticket.queue, place);
            let name = if ahead < 20 { format!("place-{}", ahead + 1) } else { "place-more".to_owned() };
            prompts.push(self.prompt(key, &name));
        }
        if announce != Announce::Place {
            let still = self.matcher.expects_still(now, ticket.queue, language, place);
            prompts.push(self.prompt(key, wait_prompt(ticket.remaining(now, &still))));
        }
        self.play(now, key, prompts);
    }
}
