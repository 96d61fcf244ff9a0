//! What every way of calling somebody for a contact needs: the message to legs, and how long a talk may last.

use std::time::Duration;

use super::contact::Contact;
use super::work::Work;
use crate::acd::agent::OWN_CALL_MAX;
use crate::base::{AgentId, Time};
use crate::engine::between::{Call, ContactTimer, Whom};
use crate::engine::context::Context;
use crate::engine::settings::Settings;

/// Legs say at once what came of a call. Without a word for so long it is tried again, or has failed.
pub(super) const LEGS_ANSWER: Duration = Duration::from_secs(2);
/// The longest talk that no queue limits.
pub(super) const TALK_MAX: Duration = Duration::from_secs(4 * 3600);

/// Has each of an agent's phones called.
pub(super) fn call_agent(contact: &mut Contact, work: &mut Work<'_, '_>, agent: AgentId) {
    let from = caller_as_shown(contact, work.cx.settings);
    call(contact, work, Whom::Agent { agent, from });
}

/// Has somebody called for the contact. It is told what came of that (`ToContact::Rung`).
pub(super) fn call(contact: &mut Contact, work: &mut Work<'_, '_>, whom: Whom) {
    contact.calls_asked += 1;
    if let Whom::Number { trunk, .. } = whom {
        // It counts from now on: the next who asks for a trunk finds one call less.
        work.shared.trunks.calls_out(work.cx, trunk, 1);
        contact.trunk_asked = Some(trunk);
    }
    let (caller, max_forwards) = (contact.caller.leg, contact.max_forwards);
    work.cx.out.call(Call { contact: contact.reference(), caller, max_forwards, whom });
}

/// From, as the agent's phone shows it: the queue and the language as the name, the caller's number as the user.
fn caller_as_shown(contact: &Contact, settings: &Settings) -> String {
    let queue = contact.stay.as_ref().and_then(|stay| settings.queue(stay.queue())).map_or("", |rules| &rules.name);
    let language = contact.language.and_then(|l| settings.skills.get(l.index())).map_or("", |skill| &skill.name);
    let name = if language.is_empty() { queue.to_owned() } else { format!("{queue} {language}") };
    let number: String = contact.number.chars().filter(|c| c.is_ascii_alphanumeric() || "+*#-_.".contains(*c)).collect();
    let number = if number.is_empty() { "anonymous" } else { &number };
    let quoted = name.replace(['"', '\\'], "");
    format!("\"{quoted}\" <sip:{}@{}>", number.replace('#', "%23"), settings.realm())
}

/// Ends a talk that begins now once it has lasted so long. A call of an agent's own is no longer in all than one may be, however often it is
/// passed on: the agent is busy by it.
pub(super) fn limit_talk(contact: &mut Contact, cx: &mut Context<'_>, talk_max: Duration) {
    let own = Some(contact.arrived + OWN_CALL_MAX).filter(|_| contact.busies_owner);
    let ends: Time = own.map_or(cx.now + talk_max, |own| own.min(cx.now + talk_max));
    contact.set_timer(cx, ContactTimer::TalkMax, ends);
}
