//! A talk, and what its parties hear: joining the two, music, prompts, keys.

use std::sync::Arc;

use super::contact::{CallerHears, ContactKey, Phase};
use super::legs::{Leg, LegKey};
use super::media_port::Feed;
use super::{Engine, lend};
use crate::base::Time;
use crate::call::bridge::{Hears, hears};
use crate::call::leg::Role;
use crate::sip::session::Body;

impl Engine {
    /// Makes both parties of a talk hear what they are to hear.
    pub(super) fn connect(&mut self, now: Time, key: ContactKey) {
        let Some(contact) = self.contact(key) else { return };
        let Phase::Talking { leg: other, .. } = contact.phase else { return };
        let caller = contact.caller;
        let queue = contact.last_queue;
        let (Some(a), Some(b)) = (self.legs.get(caller), self.legs.get(other)) else { return };
        let (Some(a_end), Some(b_end)) = (a.endpoint(), b.endpoint()) else { return };
        let (a_holds, b_holds) = (a.state().holds(), b.state().holds());
        let music =
            queue.and_then(|queue| self.settings.queue(queue)).map_or_else(|| "music/default".into(), |r| r.music.clone());
        let feed = |what: Hears, peer| match what {
            Hears::Other => Feed::Peer(peer),
            Hears::Music => Feed::Music(music.clone()),
            Hears::Nothing => Feed::Nothing,
        };
        let (to_a, to_b) = (feed(hears(a_holds, b_holds), b_end), feed(hears(b_holds, a_holds), a_end));
        if let Some(contact) = self.contact_mut(key) {
            contact.hears = CallerHears::Agent;
        }
        let cx = &mut lend!(self, now);
        self.legs.feed(cx, caller, to_a);
        self.legs.feed(cx, other, to_b);
    }

    /// Plays prompts to the caller; the answer carries the token.
    pub(super) fn play(&mut self, now: Time, key: ContactKey, names: Vec<Arc<str>>) {
        let token = self.next_serial();
        let Some(contact) = self.contact_mut(key) else { return };
        contact.hears = CallerHears::Prompts(token);
        let caller = contact.caller;
        self.legs.feed(&mut lend!(self, now), caller, Feed::Prompts { names, token });
    }

    /// Plays the queue's music to the caller, unless it is heard already or the caller hears nothing yet.
    pub(super) fn music(&mut self, now: Time, key: ContactKey) {
        let Some(contact) = self.contact(key) else { return };
        let caller = contact.caller;
        if contact.hears == CallerHears::Music || self.legs.get(caller).is_none_or(|leg| leg.codec().is_none()) {
            return;
        }
        let queue = contact.ticket.map(|ticket| ticket.queue).or(contact.last_queue);
        let Some(music) = queue.and_then(|queue| self.settings.queue(queue)).map(|rules| rules.music.clone()) else { return };
        if let Some(contact) = self.contact_mut(key) {
            contact.hears = CallerHears::Music;
        }
        self.legs.feed(&mut lend!(self, now), caller, Feed::Music(music));
    }

    /// A key was pressed, by RTP or by INFO.
    pub(super) fn digit(&mut self, now: Time, leg: LegKey, digit: char) {
        let Some(leg) = self.legs.get(leg) else { return };
        let (key, caller) = (leg.contact(), leg.role() == Role::Caller);
        if caller {
            self.menu_event(now, key, crate::call::menu::Event::Key(digit));
        }
    }

    /// A key press by signalling, in either of the two forms that phones use.
    pub(super) fn info(&mut self, now: Time, leg: LegKey, body: &Body) {
        let relay = body.is("application/dtmf-relay");
        let Some(digit) = str::from_utf8(&body.bytes).ok().and_then(|body| info_digit(body, relay)) else { return };
        self.digit(now, leg, digit);
        self.pass_digit(now, leg, digit);
    }

    /// A key that came by INFO goes on to the other party of a talk as telephone-event.
    fn pass_digit(&mut self, now: Time, from: LegKey, digit: char) {
        let Some(key) = self.legs.get(from).map(Leg::contact) else { return };
        let Some(contact) = self.contact(key) else { return };
        let Phase::Talking { leg: other, .. } = contact.phase else { return };
        let to = if from == other { contact.caller } else { other };
        self.legs.send_key(&mut lend!(self, now), to, digit);
    }
}

/// The key of an INFO body: `Signal=5` among other lines, or the key alone.
fn info_digit(body: &str, relay: bool) -> Option<char> {
    let text = if relay {
        body.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then(|| value.trim())
        })?
    } else {
        body.trim()
    };
    match text {
        "10" => Some('*'),
        "11" => Some('#'),
        _ => {
            let digit = text.chars().next()?.to_ascii_uppercase();
            (text.len() == 1 && matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D')).then_some(digit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::info_digit;

    #[test]
    fn info_bodies_name_one_key() {
        assert_eq!(info_digit("Signal=5\r\nDuration=160\r\n", true), Some('5'));
        assert_eq!(info_digit("signal = *\r\n", true), Some('*'));
        assert_eq!(info_digit("Signal=11\r\n", true), Some('#'));
        assert_eq!(info_digit("7", false), Some('7'));
        assert_eq!(info_digit("77", false), None);
        assert_eq!(info_digit("Duration=160", true), None);
    }
}
