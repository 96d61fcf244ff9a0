//! How sessions end: by our BYE, by theirs, for want of an ACK, after a fault of ours (RFC 3261 15, 13.3.1.4; RFC 5057 5).
//!
//! Owns the way from [`State::Up`] to the end, and what is left open then. Every request of theirs gets its final answer, every offer of ours its
//! outcome. Why a session is ended is never asked here.

use super::proof::Proved;
use super::state::{Accepted, Ending, Negotiation, Session, Side, State, Up};
use super::{
    GoneWhy, Message, Method, OfferFailure, SessionEvent, SessionId, SessionMut, Sessions, Time, Use, find, get, incoming,
    misuse, offers, proof, tell, within,
};
use crate::sip::stack::ServerTx;

impl Sessions {
    /// Ends a session whose owner has failed, whatever its state. Nothing more is told of it.
    pub fn abandon(&mut self, now: Time, id: SessionId) {
        let Some(session) = find(&mut self.slab, id) else { return };
        session.unowned = true;
        self.events.retain(|(other, _)| *other != id);
        match find(&mut self.slab, id).map(|session| &session.state) {
            Some(State::Incoming(_)) => {
                incoming::final_answer(self, now, id, 500, None);
                over(self, id);
            }
            Some(State::Outgoing(_)) => self.session(now, id).cancel(None),
            Some(State::Up(_)) => end_up(self, now, id, true),
            // The fault happened while the session was between two states.
            Some(State::Over) => over(self, id),
            Some(State::Ending(_)) | None => {}
        }
    }

    /// Ends every session that nobody owns, after a caught panic.
    pub fn abandon_unless(&mut self, now: Time, owned: impl Fn(SessionId) -> bool) {
        let unowned: Vec<SessionId> = self.slab.iter().map(|(_, session)| session.id).filter(|id| !owned(*id)).collect();
        unowned.into_iter().for_each(|id| self.abandon(now, id));
    }

    /// Answers 500 to every request that nobody is going to answer: after a caught panic, since the request at hand may be one.
    pub fn answer_unowned(&mut self, now: Time) {
        self.stack.answer_unowned(now);
    }
}

/// A BYE of theirs.
pub(super) fn hung_up(sessions: &mut Sessions, now: Time, id: SessionId, tx: ServerTx) {
    within::answer(sessions, now, tx, 200);
    let Some(session) = find(&mut sessions.slab, id) else { return };
    match &session.state {
        State::Incoming(_) => return incoming::given_up(sessions, now, id),
        State::Up(up) => {
            // Who hangs up has had our 2xx, though its ACK was lost: it need not come again.
            if let Some(accepted) = up.accepted.tx() {
                sessions.stack.acknowledged(now, accepted);
            }
            leave_up(sessions, now, id);
            tell(sessions, id, SessionEvent::Gone { why: GoneWhy::HungUp });
        }
        State::Ending(Ending { bye_after: Some((accepted, _)), .. }) => sessions.stack.acknowledged(now, *accepted),
        State::Ending(_) | State::Outgoing(_) | State::Over => {}
    }
    over(sessions, id);
}

/// Settles what is open in a session that is up, and takes it out of that state.
fn leave_up(sessions: &mut Sessions, now: Time, id: SessionId) -> Option<Up> {
    let session = find(&mut sessions.slab, id)?;
    let mut up = match std::mem::replace(&mut session.state, State::Over) {
        State::Up(up) => up,
        other => {
            session.state = other;
            return None;
        }
    };
    if let Some(glare) = up.glare.take() {
        sessions.deadlines.cancel(glare);
    }
    let open = std::mem::replace(&mut up.negotiation, Negotiation::Agreed);
    match open {
        Negotiation::WeOffered(ours) => {
            // Somebody may have answered 100 to it and nothing more: so that it is not waited for without end (RFC 3261 9.1).
            sessions.stack.cancel(now, ours.tx, None);
            offers::offer_failed(sessions, id, ours.what.purpose, OfferFailure::Ended);
        }
        // RFC 3261 15.1.2.
        Negotiation::TheyOffered(theirs) => offers::refuse_theirs(sessions, now, id, theirs.tx, 487),
        Negotiation::Idle | Negotiation::Agreed => {}
    }
    for waiting in std::mem::take(&mut up.waiting) {
        offers::offer_failed(sessions, id, waiting.purpose, OfferFailure::Ended);
    }
    if let Some(refer) = up.refer.take() {
        within::answer(sessions, now, refer, 487);
    }
    Some(up)
}

/// Hangs a session up: BYE, once the ACK to our 2xx allows it (RFC 3261 15), or at once where none will come.
pub(super) fn end_up(sessions: &mut Sessions, now: Time, id: SessionId, wait: bool) {
    let Some(Up { dialog, ack, accepted, .. }) = leave_up(sessions, now, id) else { return };
    let bye_after = match accepted {
        Accepted::First(tx, cseq) if wait => Some((tx, cseq)),
        _ => None,
    };
    if let Some(session) = find(&mut sessions.slab, id) {
        session.state = State::Ending(Ending { dialog, ack, bye_after, fork_of: None });
    }
    if bye_after.is_none() {
        send_bye(sessions, now, id, Proved::default());
    }
}

pub(super) fn send_bye(sessions: &mut Sessions, now: Time, id: SessionId, proved: Proved) {
    within::send_within(sessions, now, id, (Method::Bye, Use::Bye), None, &[], proved);
}

/// The final answer to our BYE. Whatever it is, the session is over (RFC 3261 15.1.1), unless proof is wanted first.
pub(super) fn bye_answered(sessions: &mut Sessions, now: Time, id: SessionId, message: &Message<'_>, proved: Proved) {
    match proof::challenged(sessions, id, message, proved) {
        Some(proved) => send_bye(sessions, now, id, proved),
        None => over(sessions, id),
    }
}

/// A final answer of ours to an INVITE was never acknowledged, or could not be sent.
pub(super) fn never_acknowledged(sessions: &mut Sessions, now: Time, id: SessionId) {
    let Some(session) = find(&mut sessions.slab, id) else { return };
    match &mut session.state {
        State::Incoming(_) => {
            tell(sessions, id, SessionEvent::Gone { why: GoneWhy::Unreachable });
            incoming::final_answer(sessions, now, id, 480, None);
            over(sessions, id);
        }
        State::Up(up) if up.accepted != Accepted::Acknowledged => {
            tell(sessions, id, SessionEvent::Gone { why: GoneWhy::Unacknowledged });
            end_up(sessions, now, id, false);
        }
        // The connection broke that their offer came by. Nobody could be answered any more.
        State::Up(Up { negotiation: Negotiation::TheyOffered(theirs), .. }) => {
            let tx = theirs.tx;
            if !sessions.stack.unanswered(tx) {
                offers::offer_withdrawn(sessions, now, id, tx);
            }
        }
        State::Ending(ending) => {
            if ending.bye_after.take().is_some() {
                send_bye(sessions, now, id, Proved::default());
            }
        }
        State::Up(_) | State::Outgoing(_) | State::Over => {}
    }
}

/// The session is over.
pub(super) fn over(sessions: &mut Sessions, id: SessionId) {
    if get(sessions, id).is_none() {
        return;
    }
    let session = sessions.slab.remove(id.slot as usize);
    if let Side::Theirs(key) = session.side {
        sessions.by_call.remove(&key);
    }
    if !session.unowned {
        sessions.events.push_back((id, SessionEvent::Over));
    }
}

impl SessionMut<'_> {
    /// Hangs up: BYE, as soon as the ACK to our 2xx allows it (RFC 3261 15). [`SessionEvent::Over`] follows.
    pub fn hang_up(&mut self) {
        match get(self.sessions, self.id) {
            Some(Session { state: State::Up(_), .. }) => end_up(self.sessions, self.now, self.id, true),
            Some(Session { state: State::Incoming(_) | State::Outgoing(_), .. }) => misuse(self.sessions, "hang_up"),
            Some(Session { state: State::Ending(_) | State::Over, .. }) | None => {}
        }
    }
}
