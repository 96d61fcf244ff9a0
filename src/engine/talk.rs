//! A talk: joining the two parties, hold and resume, requests within the dialog.

use super::contact::{CallerHears, ContactKey, Phase};
use super::leg::LegKey;
use super::media_port::Feed;
use super::ring::SPOKEN;
use super::sabotage::Rule;
use super::{Engine, TxUser};
use crate::base::Time;
use crate::call::bridge::{Hears, hears};
use crate::call::leg::LegState;
use crate::sdp::{self, Description, Direction};
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::name::Name;
use crate::sip::stack::ServerTx;

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

    /// A re-INVITE or an UPDATE within a leg's dialog: hold, resume, a new address. Answered locally.
    pub(super) fn reoffered(&mut self, now: Time, leg: LegKey, tx: ServerTx, message: &Message<'_>) {
        let Some(entry) = self.leg_mut(leg) else { return };
        if entry.reinvite_out.is_some() || (entry.state.answered() && !entry.acknowledged) {
            return self.stack.respond(now, tx, 491, None, None, |_| {});
        }
        if let Some(dialog) = &mut entry.dialog {
            dialog.refresh(message);
        }
        let key = entry.contact;
        let invite = message.method() == Some(Method::Invite);
        if message.body.is_empty() {
            // An UPDATE without a description only refreshes the target. An INVITE without one would have us offer.
            let status = if invite { 488 } else { 200 };
            let contact = self.leg(leg).map(|leg| self.contact_uri(&leg.flow)).unwrap_or_default();
            return self.stack.respond(now, tx, status, None, None, |writer| {
                writer.fmt(Name::Contact, format_args!("<{contact}>"));
            });
        }
        let Some(body) = sdp::read(message.body).ok().and_then(|sdp_offer| self.answer_within(now, leg, &sdp_offer)) else {
            return self.stack.respond(now, tx, 488, None, None, |_| {});
        };
        let contact = self.leg(leg).map(|leg| self.contact_uri(&leg.flow)).unwrap_or_default();
        if invite {
            self.stack.set_user(tx, TxUser::Reinvite(leg));
            let before = self.leg(leg).and_then(|leg| leg.invite_in);
            if let (Some((before, _)), true) = (before, self.holds(Rule::FurtherInvite)) {
                // Whoever sends a further INVITE has had our answer to this one, though the ACK was lost or is late (RFC 3261 14.1).
                self.stack.acknowledged(now, before);
            }
            if let (Some(leg), Ok(cseq)) = (self.leg_mut(leg), message.cseq()) {
                leg.invite_in = Some((tx, cseq.number));
            }
        }
        self.stack.respond(now, tx, 200, None, Some(("application/sdp", &body)), |writer| {
            writer.fmt(Name::Contact, format_args!("<{contact}>"));
            writer.field(Name::Allow, super::dispatch::ALLOW);
        });
        self.connect(key);
    }

    /// Our answer to an SDP offer within a dialog: the codec in use if it is still offered, else another that can be transcoded.
    fn answer_within(&mut self, _now: Time, leg: LegKey, sdp_offer: &Description) -> Option<Vec<u8>> {
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

    /// A party hung up.
    pub(super) fn bye(&mut self, now: Time, leg: LegKey, tx: ServerTx) {
        self.stack.respond(now, tx, 200, None, None, |_| {});
        let Some(entry) = self.leg(leg) else { return };
        let (key, role, state, invite_in) = (entry.contact, entry.role, entry.state, entry.invite_in);
        if let (true, Some((invite, _))) = (state.answered() && !entry.acknowledged, invite_in) {
            // Who hangs up has had our 2xx, though its ACK was lost: it need not come again.
            self.stack.acknowledged(now, invite);
        }
        // Before its end shows outside, its facts are written: the answer above is sent after them, as all messages are.
        if let (LegState::Arriving { .. }, Some((invite, _))) = (state, invite_in) {
            // A BYE may end an early dialog (RFC 3261 15): the INVITE is answered 487.
            self.stack.respond(now, invite, 487, Some(&leg.tag(self.shard)), None, |_| {});
        }
        if let Some(entry) = self.leg_mut(leg) {
            entry.state = LegState::Ending;
        }
        self.party_gone(now, key, leg, role);
        self.leg_gone(now, leg);
    }

    /// INFO: a key press by signalling, in either of the two forms that phones use.
    pub(super) fn info(&mut self, now: Time, leg: LegKey, tx: ServerTx, message: &Message<'_>) {
        assert!(self.holds(Rule::SoundInfo), "a test has broken an invariant");
        let kind = message.content_type();
        let relay = kind.is_some_and(|kind| kind.is("application", "dtmf-relay"));
        let plain = kind.is_some_and(|kind| kind.is("application", "dtmf"));
        if !relay && !plain && !message.body.is_empty() {
            return self.stack.respond(now, tx, 415, None, None, |writer| {
                writer.field(Name::Accept, "application/dtmf-relay, application/dtmf");
            });
        }
        self.stack.respond(now, tx, 200, None, None, |_| {});
        let Some(digit) = str::from_utf8(message.body).ok().and_then(|body| info_digit(body, relay)) else { return };
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
        self.outputs.push_back(super::Output::Media(thread, command));
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
