//! How sessions end: by our BYE, by theirs, for want of an ACK, after a fault of ours (RFC 3261 15, 13.3.1.4; RFC 5057 5).
//!
//! Owns the way from [`State::Up`] to the end, and what is left open then. Every request of theirs gets its final answer, every offer of ours its
//! outcome. Why a session is ended is never asked here.

use super::proof::Proved;
use super::state::{Accepted, Ending, Negotiation, Session, Side, State, Up};
use super::{GoneWhy, Message, Method, OfferFailure, SessionEvent, SessionId, SessionMut, Sessions, Time, Use, find};
use crate::sip::stack::ServerTx;

impl Sessions {
    /// A BYE of theirs.
    pub(super) fn hung_up(&mut self, now: Time, id: SessionId, tx: ServerTx) {
        self.answer(now, tx, 200);
        let Some(session) = find(&mut self.slab, id) else { return };
        match &session.state {
            State::Incoming(_) => return self.given_up(now, id),
            State::Up(up) => {
                // Who hangs up has had our 2xx, though its ACK was lost: it need not come again.
                if let Some(accepted) = up.accepted.tx() {
                    self.stack.acknowledged(now, accepted);
                }
                self.leave_up(now, id);
                self.tell(id, SessionEvent::Gone { why: GoneWhy::HungUp });
            }
            State::Ending(Ending { bye_after: Some((accepted, _)), .. }) => self.stack.acknowledged(now, *accepted),
            State::Ending(_) | State::Outgoing(_) | State::Over => {}
        }
        self.over(id);
    }

    /// Settles what is open in a session that is up, and takes it out of that state.
    fn leave_up(&mut self, now: Time, id: SessionId) -> Option<Up> {
        let session = find(&mut self.slab, id)?;
        let mut up = match std::mem::replace(&mut session.state, State::Over) {
            State::Up(up) => up,
            other => {
                session.state = other;
                return None;
            }
        };
        if let Some(glare) = up.glare.take() {
            self.deadlines.cancel(glare);
        }
        let open = std::mem::replace(&mut up.negotiation, Negotiation::Agreed);
        match open {
            Negotiation::WeOffered(ours) => {
                // Somebody may have answered 100 to it and nothing more: so that it is not waited for without end (RFC 3261 9.1).
                self.stack.cancel(now, ours.tx, None);
                self.offer_failed(id, ours.what.purpose, OfferFailure::Ended);
            }
            // RFC 3261 15.1.2.
            Negotiation::TheyOffered(theirs) => self.refuse_theirs(now, id, theirs.tx, 487),
            Negotiation::Idle | Negotiation::Agreed => {}
        }
        for waiting in std::mem::take(&mut up.waiting) {
            self.offer_failed(id, waiting.purpose, OfferFailure::Ended);
        }
        if let Some(refer) = up.refer.take() {
            self.answer(now, refer, 487);
        }
        Some(up)
    }

    /// Hangs a session up: BYE, once the ACK to our 2xx allows it (RFC 3261 15), or at once where none will come.
    pub(super) fn end_up(&mut self, now: Time, id: SessionId, wait: bool) {
        let Some(Up { dialog, ack, accepted, .. }) = self.leave_up(now, id) else { return };
        let bye_after = match accepted {
            Accepted::First(tx, cseq) if wait => Some((tx, cseq)),
            _ => None,
        };
        if let Some(session) = find(&mut self.slab, id) {
            session.state = State::Ending(Ending { dialog, ack, bye_after });
        }
        if bye_after.is_none() {
            self.send_bye(now, id, Proved::default());
        }
    }

    pub(super) fn send_bye(&mut self, now: Time, id: SessionId, proved: Proved) {
        self.send_within(now, id, (Method::Bye, Use::Bye), None, &[], proved);
    }

    /// The final answer to our BYE. Whatever it is, the session is over (RFC 3261 15.1.1), unless proof is wanted first.
    pub(super) fn bye_answered(&mut self, now: Time, id: SessionId, message: &Message<'_>, proved: Proved) {
        match self.challenged(id, message, proved) {
            Some(proved) => self.send_bye(now, id, proved),
            None => self.over(id),
        }
    }

    /// A final answer of ours to an INVITE was never acknowledged, or could not be sent.
    pub(super) fn never_acknowledged(&mut self, now: Time, id: SessionId) {
        let Some(session) = find(&mut self.slab, id) else { return };
        match &mut session.state {
            State::Incoming(_) => {
                self.tell(id, SessionEvent::Gone { why: GoneWhy::Unreachable });
                self.final_answer(now, id, 480, None);
                self.over(id);
            }
            State::Up(up) if up.accepted != Accepted::Acknowledged => {
                self.tell(id, SessionEvent::Gone { why: GoneWhy::Unacknowledged });
                self.end_up(now, id, false);
            }
            // The connection broke that their offer came by. Nobody could be answered any more.
            State::Up(Up { negotiation: Negotiation::TheyOffered(theirs), .. }) => {
                let tx = theirs.tx;
                if !self.stack.unanswered(tx) {
                    self.offer_withdrawn(now, id, tx);
                }
            }
            State::Ending(ending) => {
                if ending.bye_after.take().is_some() {
                    self.send_bye(now, id, Proved::default());
                }
            }
            State::Up(_) | State::Outgoing(_) | State::Over => {}
        }
    }

    /// The session is over.
    pub(super) fn over(&mut self, id: SessionId) {
        if self.get(id).is_none() {
            return;
        }
        let session = self.slab.remove(id.slot as usize);
        if let Side::Theirs(key) = session.side {
            self.by_call.remove(&key);
        }
        if !session.abandoned {
            self.events.push_back((id, SessionEvent::Over));
        }
    }

    /// Ends a session whose owner has failed, whatever its state. Nothing more is told of it.
    pub fn abandon(&mut self, now: Time, id: SessionId) {
        let Some(session) = find(&mut self.slab, id) else { return };
        session.abandoned = true;
        self.events.retain(|(other, _)| *other != id);
        match find(&mut self.slab, id).map(|session| &session.state) {
            Some(State::Incoming(_)) => {
                self.final_answer(now, id, 500, None);
                self.over(id);
            }
            Some(State::Outgoing(_)) => self.session(now, id).cancel(None),
            Some(State::Up(_)) => self.end_up(now, id, true),
            // The fault happened while the session was between two states.
            Some(State::Over) => self.over(id),
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

impl SessionMut<'_> {
    /// Hangs up: BYE, as soon as the ACK to our 2xx allows it (RFC 3261 15). [`SessionEvent::Over`] follows.
    pub fn hang_up(&mut self) {
        match self.sessions.get(self.id) {
            Some(Session { state: State::Up(_), .. }) => self.sessions.end_up(self.now, self.id, true),
            Some(Session { state: State::Incoming(_) | State::Outgoing(_), .. }) => self.sessions.misuse("hang_up"),
            Some(Session { state: State::Ending(_) | State::Over, .. }) | None => {}
        }
    }
}
