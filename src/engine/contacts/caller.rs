//! What a caller hears who talks to nobody, and whether it is answered for that: prompts, music.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::contact::{Answered, CallerHears, Contact};
use super::work::Work;
use crate::acd::stay::Stay;
use crate::base::SkillId;
use crate::engine::between::{ContactTimer, Heard, LegKey, ToLeg};
use crate::engine::settings::Settings;

/// A late-answered caller hears music once nobody has answered for so long: most are answered sooner, and then no early media is set
/// up. Sooner than 100 Trying is due, which the 183 then makes needless.
const EARLY_MEDIA_AFTER: Duration = Duration::from_millis(150);
/// How often a 183 is repeated (RFC 3261 13.3.1.1).
const EARLY_REPEAT: Duration = Duration::from_secs(60);
/// Early media lasts no longer: proxies give up after three minutes.
const EARLY_MAX: Duration = Duration::from_secs(150);

/// Answers the caller, unless that was done, in the codec of the leg `like` if it offered that; and lets it hear something, or whatever it
/// hears already.
pub(super) fn answer(contact: &mut Contact, work: &mut Work<'_, '_>, like: Option<LegKey>, hears: Option<Heard>, talks: bool) {
    let caller = contact.caller.leg;
    if contact.caller.is_answered() {
        return work.cx.out.tell_leg(caller, ToLeg::Hear { what: hears, talks });
    }
    work.cx.out.tell_leg(caller, ToLeg::Accept { like, hears, talks });
    contact.caller.answer = Answered::Yes;
    for timer in [ContactTimer::EarlyMedia, ContactTimer::EarlyRepeat, ContactTimer::EarlyMax] {
        contact.stop_timer(work.cx, timer);
    }
    if let Some(every) = work.cx.settings.probe_waiting {
        contact.set_timer(work.cx, ContactTimer::Alive, work.cx.now + every);
    }
}

/// Answers the caller if need be, and plays it prompts.
pub(super) fn answer_and_play(contact: &mut Contact, work: &mut Work<'_, '_>, names: Vec<Arc<str>>) {
    let prompts = prompts(contact, work, names);
    answer(contact, work, None, Some(prompts), false);
}

/// Plays prompts to the caller.
pub(super) fn play(contact: &mut Contact, work: &mut Work<'_, '_>, names: Vec<Arc<str>>) {
    let what = Some(prompts(contact, work, names));
    work.cx.out.tell_leg(contact.caller.leg, ToLeg::Hear { what, talks: false });
}

fn prompts(contact: &mut Contact, work: &mut Work<'_, '_>, names: Vec<Arc<str>>) -> Heard {
    let token = work.shared.next_serial();
    contact.caller.hears = CallerHears::Prompts(token);
    Heard::Prompts { names, token }
}

/// Answers the caller if need be, and plays it the queue's music.
pub(super) fn answer_with_music(contact: &mut Contact, work: &mut Work<'_, '_>) {
    let heard = contact.caller.hears == CallerHears::Music;
    let what = if heard { None } else { queue_music(contact, work.cx.settings) };
    answer(contact, work, None, what, false);
}

/// Plays the queue's music to the caller, unless it is heard already or the caller hears nothing yet.
pub(super) fn music(contact: &mut Contact, work: &mut Work<'_, '_>) {
    if contact.caller.hears == CallerHears::Music || contact.caller.answer == Answered::No {
        return;
    }
    let what = queue_music(contact, work.cx.settings);
    work.cx.out.tell_leg(contact.caller.leg, ToLeg::Hear { what, talks: false });
}

/// The music of the contact's queue, which it hears from now on.
fn queue_music(contact: &mut Contact, settings: &Settings) -> Option<Heard> {
    let queue = contact.stay.as_ref().map(Stay::queue).or(contact.last_queue)?;
    let music = settings.queue(queue)?.music.clone();
    contact.caller.hears = CallerHears::Music;
    Some(Heard::Music(music))
}

/// The caller hears a party that is not answered yet, and that party the caller. False where the caller hears something already.
pub(super) fn hear_early(contact: &mut Contact, work: &mut Work<'_, '_>, other: LegKey) -> bool {
    if contact.caller.answer != Answered::No {
        return false;
    }
    let caller = contact.caller.leg;
    contact.caller.answer = Answered::Early;
    work.cx.out.tell_leg(caller, ToLeg::Progress { like: Some(other), hears: Heard::Legs(SmallVec::from_iter([other])) });
    work.cx.out.tell_leg(other, ToLeg::Hear { what: Some(Heard::Legs(SmallVec::from_iter([caller]))), talks: false });
    true
}

/// A caller who is not answered on joining a queue hears music soon.
pub(super) fn expect_early_media(contact: &mut Contact, work: &mut Work<'_, '_>) {
    contact.set_timer(work.cx, ContactTimer::EarlyMedia, work.cx.now + EARLY_MEDIA_AFTER);
}

/// A late-answered caller has waited long enough in silence.
pub(super) fn early_media(contact: &mut Contact, work: &mut Work<'_, '_>) {
    if contact.caller.answer != Answered::No {
        return;
    }
    contact.caller.answer = Answered::Early;
    let hears = queue_music(contact, work.cx.settings).unwrap_or(Heard::Nothing);
    work.cx.out.tell_leg(contact.caller.leg, ToLeg::Progress { like: None, hears });
    contact.set_timer(work.cx, ContactTimer::EarlyRepeat, work.cx.now + EARLY_REPEAT);
    contact.set_timer(work.cx, ContactTimer::EarlyMax, work.cx.now + EARLY_MAX);
}

pub(super) fn repeat_early(contact: &mut Contact, work: &mut Work<'_, '_>) {
    if !contact.caller.is_answered() {
        work.cx.out.tell_leg(contact.caller.leg, ToLeg::RepeatProgress);
        contact.set_timer(work.cx, ContactTimer::EarlyRepeat, work.cx.now + EARLY_REPEAT);
    }
}

/// Early media has lasted as long as proxies bear it: the call is answered, and the caller waits on.
pub(super) fn early_media_over(contact: &mut Contact, work: &mut Work<'_, '_>) {
    answer(contact, work, None, None, false);
}

/// A waiting caller is asked whether it is still there.
pub(super) fn ask(contact: &mut Contact, work: &mut Work<'_, '_>) {
    if !contact.is_in_queue() {
        return;
    }
    if contact.caller.is_answered() {
        work.cx.out.tell_leg(contact.caller.leg, ToLeg::Ask);
    }
    if let Some(every) = work.cx.settings.probe_waiting {
        contact.set_timer(work.cx, ContactTimer::Alive, work.cx.now + every);
    }
}

/// A prompt in this language.
pub(super) fn prompt(settings: &Settings, language: Option<SkillId>, name: &str) -> Arc<str> {
    format!("{}/{name}", settings.prompts_for(language)).into()
}
