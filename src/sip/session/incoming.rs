//! Calls that come in: admitted, answered early or for good, refused, given up by the caller (RFC 3261 8.2.2.2, 9.2, 12.1.1, 13.3.1).
//!
//! Owns a session until its first INVITE has a final answer, and the ACK to that. Whether a call is wanted is never decided here.

use std::sync::Arc;

use super::event::Content;
use super::proof::{Login, Proved, Prover};
use super::state::{Accepted, Ending, Incoming, Negotiation, Session, Side, State, Up};
use super::way::{ContactUri, Way};
use super::{
    Flow, GoneWhy, Message, SessionEvent, SessionId, SessionMut, Sessions, Time, TxUser, Use, ending, find, headers, hears,
    offers, tell, vacant, within,
};
use crate::sip::dialog::Dialog;
use crate::sip::name::Name;
use crate::sip::stack::ServerTx;

/// What a call is admitted with.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// Whether the caller is reached where its requests come from, whatever Contact it names.
    pub behind_nat: bool,
    /// What answers the challenges to our requests in the session.
    pub credentials: Option<Arc<Login>>,
}

/// Why no session can be made of an INVITE.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAdmitted {
    /// The same call has come already, by another way (a merged request, RFC 3261 8.2.2.2).
    #[error("the call has come already by another way")]
    Merged,
    /// Without a Contact, or with more than one, nothing could be sent to the caller later.
    #[error("no dialog can be made of the INVITE")]
    NoDialog,
    /// It cannot be answered by a transaction.
    #[error("the INVITE cannot be answered")]
    Unanswerable,
}

impl NotAdmitted {
    /// The status that says so to the caller.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            NotAdmitted::Merged => 482,
            NotAdmitted::NoDialog => 400,
            NotAdmitted::Unanswerable => 500,
        }
    }
}

impl Sessions {
    /// Whether an INVITE has come already, by another way (RFC 3261 8.2.2.2). [`Sessions::incoming`] refuses it, too; this is for whoever wants to
    /// know before it spends anything on the call.
    #[must_use]
    pub fn merged(&self, message: &Message<'_>) -> bool {
        call_key(self, message).is_some_and(|key| self.by_call.contains_key(&key))
    }

    /// Makes a session of an INVITE that [`Sessions::handle_message`] gave back. Nothing is sent but 100 if the owner stays silent.
    ///
    /// # Errors
    /// When no session can be made of it. Nothing was kept then, and the caller answers with [`NotAdmitted::status`].
    pub fn incoming(
        &mut self,
        now: Time,
        flow: &Flow,
        message: &Message<'_>,
        admission: &Admission,
    ) -> Result<SessionId, NotAdmitted> {
        let key = call_key(self, message).ok_or(NotAdmitted::NoDialog)?;
        if self.by_call.contains_key(&key) {
            return Err(NotAdmitted::Merged);
        }
        let cseq = message.cseq().map_err(|_| NotAdmitted::NoDialog)?.number;
        let id = vacant(self);
        let dialog = Dialog::from_request(message, &id.tag()).map_err(|_| NotAdmitted::NoDialog)?;
        let user = TxUser::Session(id, Use::Invite, Proved::default());
        let tx = self.stack.begin(now, flow, message, Some(user)).ok_or(NotAdmitted::Unanswerable)?;
        self.by_call.insert(key, id);
        self.slab.insert(Session {
            id,
            side: Side::Theirs(key),
            way: Way { flow: *flow, behind_nat: admission.behind_nat },
            prover: admission.credentials.clone().map(Prover::new),
            unowned: false,
            state: State::Incoming(Incoming { tx, cseq, dialog, negotiation: Negotiation::Idle }),
        });
        Ok(id)
    }
}

/// What tells one call from another before it has a dialog: Call-ID and From tag.
fn call_key(sessions: &Sessions, message: &Message<'_>) -> Option<u128> {
    let from = message.from().ok()?;
    Some(sessions.keyed.digest(&[message.call_id().ok()?, from.tag().unwrap_or("").as_bytes()]))
}

/// CANCEL (RFC 3261 9.2): answered 200 if its INVITE is known, whatever has become of that. The INVITE is answered 487 if it still can be.
/// Whether the INVITE is unknown.
pub(super) fn cancelled(sessions: &mut Sessions, now: Time, flow: &Flow, message: &Message<'_>) -> bool {
    let Some((invite, user)) = sessions.stack.invite_of(message, flow) else { return true };
    let session = match user {
        Some(TxUser::Session(id, what, _)) => Some((id, what)),
        _ => None,
    };
    let part_of = user.and_then(|user| user.session(sessions));
    hears(sessions, part_of);
    if let Some(tx) = sessions.stack.begin(now, flow, message, None) {
        let tag = session.map(|(id, _)| id.tag());
        sessions.stack.respond(now, tx, 200, tag.as_deref(), None, |_| {});
    }
    if sessions.stack.unanswered(invite) {
        match session {
            Some((id, Use::Invite)) => given_up(sessions, now, id),
            Some((id, _)) => offers::offer_withdrawn(sessions, now, id, invite),
            None => {}
        }
    }
    false
}

/// The caller gives up before our final answer, by CANCEL or by a BYE in the early dialog (RFC 3261 15): 487.
pub(super) fn given_up(sessions: &mut Sessions, now: Time, id: SessionId) {
    if final_answer(sessions, now, id, 487, None) {
        tell(sessions, id, SessionEvent::Gone { why: GoneWhy::Cancelled });
        ending::over(sessions, id);
    }
}

/// Refuses the INVITE of a session, and whatever else waits in its early dialog. False if it has its final answer already.
pub(super) fn final_answer(sessions: &mut Sessions, now: Time, id: SessionId, status: u16, retry_after_s: Option<u32>) -> bool {
    let Some(Session { state: State::Incoming(incoming), .. }) = find(&mut sessions.slab, id) else { return false };
    let (tx, negotiation) = (incoming.tx, std::mem::replace(&mut incoming.negotiation, Negotiation::Idle));
    sessions.stack.respond(now, tx, status, Some(&id.tag()), None, |writer| {
        if let Some(seconds) = retry_after_s {
            writer.number(Name::RetryAfter, seconds);
        }
    });
    if let Negotiation::TheyOffered(offer) = negotiation {
        sessions.stack.respond(now, offer.tx, 487, None, None, |_| {});
    }
    true
}

/// An ACK to a 2xx of ours (RFC 3261 13.3.1.4).
pub(super) fn acknowledged(sessions: &mut Sessions, now: Time, message: &Message<'_>) {
    let (Some(id), Ok(cseq)) = (within::session_of(sessions, message), message.cseq()) else { return };
    hears(sessions, Some(id));
    let Some(session) = find(&mut sessions.slab, id) else { return };
    match &mut session.state {
        State::Up(up) => {
            let accepted = up.accepted;
            let Some(tx) = accepted.by(cseq.number) else { return };
            up.accepted = Accepted::Acknowledged;
            sessions.stack.acknowledged(now, tx);
            if matches!(accepted, Accepted::First(..)) {
                tell(sessions, id, SessionEvent::Acknowledged);
            }
            offers::offer_next(sessions, now, id);
        }
        State::Ending(Ending { bye_after, .. }) => {
            let Some((tx, _)) = bye_after.take_if(|(_, number)| *number == cseq.number) else { return };
            sessions.stack.acknowledged(now, tx);
            ending::send_bye(sessions, now, id, Proved::default());
        }
        State::Incoming(_) | State::Outgoing(_) | State::Over => {}
    }
}

impl SessionMut<'_> {
    /// The INVITE that a provisional answer may still go to.
    fn unanswered(&mut self, command: &str) -> Option<(ServerTx, ContactUri, &mut Negotiation)> {
        let sessions = &mut *self.sessions;
        let session = find(&mut sessions.slab, self.id)?;
        let contact = ContactUri::on(&sessions.stack, &session.way.flow);
        match &mut session.state {
            State::Incoming(incoming) => Some((incoming.tx, contact, &mut incoming.negotiation)),
            State::Ending(_) | State::Over => None,
            State::Outgoing(_) | State::Up(_) => {
                sessions.misused += 1;
                if cfg!(test) {
                    panic!("{command} makes no sense in this state");
                }
                None
            }
        }
    }

    /// Says that somebody is being rung (180).
    pub fn ring(&mut self) {
        let Some((tx, ..)) = self.unanswered("ring") else { return };
        self.sessions.stack.respond(self.now, tx, 180, Some(&self.id.tag()), None, |_| {});
    }

    /// Lets the caller hear something before the call is answered (183). The description must be that of the later answer (RFC 6337 3.1.2).
    pub fn progress(&mut self, body: Content<'_>) {
        let Some((tx, contact, negotiation)) = self.unanswered("progress") else { return };
        if matches!(negotiation, Negotiation::Idle) {
            *negotiation = Negotiation::Agreed;
        }
        let tag = self.id.tag();
        self.sessions.stack.respond(self.now, tx, 183, Some(&tag), Some(body), |writer| headers::describes(writer, &contact));
    }

    /// Sends the last provisional answer once more, against the timers of proxies on the way (RFC 3261 13.3.1.1).
    pub fn repeat_early(&mut self) {
        if let Some((tx, ..)) = self.unanswered("repeat_early") {
            self.sessions.stack.repeat_provisional(tx);
        }
    }

    /// Answers the call (200), which is repeated until its ACK comes: [`SessionEvent::Acknowledged`] or [`GoneWhy::Unacknowledged`].
    pub fn accept(&mut self, body: Content<'_>) {
        let Some((tx, contact, _)) = self.unanswered("accept") else { return };
        let (now, id, sessions) = (self.now, self.id, &mut *self.sessions);
        sessions.stack.respond(now, tx, 200, Some(&id.tag()), Some(body), |writer| headers::describes(writer, &contact));
        let Some(session) = find(&mut sessions.slab, id) else { return };
        if let State::Incoming(incoming) = std::mem::replace(&mut session.state, State::Over) {
            let Incoming { tx, cseq, dialog, negotiation } = incoming;
            let mut up = Up::new(dialog, Accepted::First(tx, cseq));
            if matches!(negotiation, Negotiation::TheyOffered(_)) {
                // An UPDATE of the early dialog that still waits.
                up.negotiation = negotiation;
            }
            session.state = State::Up(up);
        }
    }

    /// Refuses the call with a final status, 300 to 699; the session is over. `retry_after_s` says when the caller may try again.
    pub fn refuse(&mut self, status: u16, retry_after_s: Option<u32>) {
        if self.unanswered("refuse").is_some() {
            final_answer(self.sessions, self.now, self.id, status, retry_after_s);
            ending::over(self.sessions, self.id);
        }
    }
}
