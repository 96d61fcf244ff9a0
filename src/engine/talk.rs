//! A talk: joining the two parties, hold and resume, requests within the dialog.

use super::Engine;
use super::contact::{CallerHears, ContactKey, Phase};
use super::inbound::SDP;
use super::leg::LegKey;
use super::media_port::Feed;
use super::ring::SPOKEN;
use crate::base::Time;
use crate::call::bridge::{Hears, hears};
use crate::call::leg::LegState;
use crate::sdp::{self, Description, Direction};
use crate::sip::session::Body;

impl Engine {
    /// Makes both parties of a talk hear what they are to hear.
    pub(super) fn connect(&mut self, key: ContactKey) {
        let Some(contact) = self.contact(key) else { return };
        let Phase::Talking { leg: other, .. } = contact.phase else { return };
        let caller = contact.caller;
        let queue = contact.last_queue;
        let (Some(a), Some(b)) = (self.leg(caller), self.leg(other)) else { return };
        let (Some(a_end), Some(b_end)) = (a.endpoint(), b.endpoint()) else { return };
        let (a_holds, b_holds) = (a.state.holds(), b.state.holds());
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
        self.feed(caller, to_a);
        self.feed(other, to_b);
    }

    /// A party offers again: hold, resume, a new address. Answered locally.
    pub(super) fn reoffered(&mut self, now: Time, leg: LegKey, sdp_offer: &[u8]) {
        let Some(key) = self.leg(leg).map(|leg| leg.contact) else { return };
        let body = sdp::read(sdp_offer).ok().and_then(|sdp_offer| self.answer_within(leg, &sdp_offer));
        let Some(mut session) = self.session(now, leg) else { return };
        match &body {
            Some(body) => session.answer_offer((SDP, body)),
            None => return session.refuse_offer(488),
        }
        self.connect(key);
    }

    /// Our answer to an SDP offer within a dialog: the codec in use if it is still offered, else another that can be transcoded.
    fn answer_within(&mut self, leg: LegKey, sdp_offer: &Description) -> Option<Vec<u8>> {
        let current = self.leg(leg)?.codec();
        let kept = current.filter(|codec| sdp::choose(sdp_offer, &[*codec]).is_some());
        let codec = kept.or_else(|| sdp::choose(sdp_offer, &SPOKEN))?;
        let local = self.local(leg, Direction::SendRecv)?;
        let (body, agreement) = sdp::answer(&local, sdp_offer, codec).ok()?;
        let holds = sdp_offer.audio.as_ref().is_some_and(sdp::Audio::holds);
        self.agree(leg, agreement);
        if let Some(LegState::Answered { holds: held, .. }) = self.leg_mut(leg).map(|leg| &mut leg.state) {
            *held = holds;
        }
        Some(body)
    }

    /// A key press by signalling, in either of the two forms that phones use.
    pub(super) fn info(&mut self, now: Time, leg: LegKey, body: &Body) {
        let relay = body.is("application/dtmf-relay");
        let Some(digit) = str::from_utf8(&body.bytes).ok().and_then(|body| info_digit(body, relay)) else { return };
        self.digit(now, leg, digit);
        self.pass_digit(leg, digit);
    }

    /// A key that came by INFO goes on to the other party of a talk as telephone-event.
    fn pass_digit(&mut self, from: LegKey, digit: char) {
        let Some(key) = self.leg(from).map(|leg| leg.contact) else { return };
        let Some(contact) = self.contact(key) else { return };
        let Phase::Talking { leg: other, .. } = contact.phase else { return };
        let to = if from == other { contact.caller } else { other };
        let Some(media) = self.leg(to).and_then(|leg| leg.media.as_ref()) else { return };
        let (endpoint, thread) = (media.endpoint, media.lease.thread);
        let command = super::media_port::MediaCommand::SendDigit { endpoint, digit };
        self.out.media(thread, command);
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
