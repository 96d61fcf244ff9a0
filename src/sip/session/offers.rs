//! Offers within a dialog: re-INVITE and UPDATE, theirs and ours (RFC 3261 14, RFC 3311 5, RFC 3264, RFC 6337).
//!
//! Owns whose offer is open. One is at a time: ours wait for their turn, theirs meanwhile are told to come again. It never looks into a
//! description. An INVITE without one, which would have us offer, is refused.

use std::time::Duration;

use super::event::{Body, Content};
use super::proof::Proved;
use super::state::{Accepted, Negotiation, OFFERS_WAITING_MAX, OurOffer, Session, Side, State, TheirOffer, Up, Waiting};
use super::way::ContactUri;
use super::within::SentWithin;
use super::{
    Message, Method, OfferBy, OfferFailure, Purpose, Reason, SessionEvent, SessionId, SessionMut, Sessions, Time, TxUser, Use,
    find, headers, misuse, outgoing, proof, tell, within,
};
use crate::base::seed::Seed;
use crate::sip::name::Name;
use crate::sip::stack::{ClientTx, ServerTx};

/// How often an offer that met theirs is made again before it counts as refused.
const GLARES_MAX: u8 = 10;

/// The steps of the time that passes before an offer that met theirs is made again (RFC 3261 14.1).
const GLARE_STEP: Duration = Duration::from_millis(10);

/// How long an offer that met theirs waits: 2.1 to 4 s if we made the Call-ID, else up to 2 s.
fn glare_wait(side: Side, seed: &mut Seed) -> Duration {
    let steps = match side {
        Side::Ours => 210 + seed.below(191),
        Side::Theirs(_) => seed.below(201),
    };
    GLARE_STEP * steps as u32
}

/// What becomes of an offer of theirs.
enum Reception {
    /// Ours is under way: they are to come again.
    Pending,
    /// An earlier one of theirs is under way: they are to wait (RFC 3261 14.2, RFC 3311 5.2).
    Later,
    /// It cannot be taken.
    NotAcceptable,
    /// Nothing is offered: the peer only says where it is.
    Refresh,
    /// The owner is asked.
    Take,
}

fn judge(state: &State, by: OfferBy, empty: bool) -> Reception {
    match state {
        // Before our final answer (RFC 3311 5.2): their INVITE is unanswered, so no second one may come.
        State::Incoming(incoming) => match (by, &incoming.negotiation) {
            (OfferBy::Invite, _) | (_, Negotiation::TheyOffered(_)) => Reception::Later,
            (OfferBy::Update, _) if empty => Reception::Refresh,
            (OfferBy::Update, Negotiation::Agreed) => Reception::Take,
            // What they offered first has no answer yet.
            (OfferBy::Update, _) => Reception::NotAcceptable,
        },
        State::Up(up) => match (by, &up.negotiation, up.accepted) {
            (_, Negotiation::TheyOffered(theirs), _) if by == OfferBy::Invite || theirs.by == OfferBy::Update => Reception::Later,
            (OfferBy::Update, ..) if empty => Reception::Refresh,
            (_, Negotiation::TheyOffered(_), _) => Reception::Later,
            (_, Negotiation::WeOffered(_), _) | (.., Accepted::First(..)) => Reception::Pending,
            _ if empty => Reception::NotAcceptable,
            _ => Reception::Take,
        },
        State::Outgoing(_) | State::Ending(_) | State::Over => Reception::NotAcceptable,
    }
}

/// A re-INVITE or an UPDATE of theirs.
pub(super) fn offered(sessions: &mut Sessions, now: Time, id: SessionId, tx: ServerTx, message: &Message<'_>) {
    let by = if message.method() == Some(Method::Invite) { OfferBy::Invite } else { OfferBy::Update };
    let Some(session) = find(&mut sessions.slab, id) else { return };
    let verdict = judge(&session.state, by, message.body.is_empty());
    match verdict {
        Reception::Pending => return within::answer(sessions, now, tx, 491),
        Reception::Later => {
            let seconds = sessions.seed.below(11);
            return sessions.stack.respond(now, tx, 500, None, None, |writer| {
                writer.number(Name::RetryAfter, seconds);
            });
        }
        Reception::Refresh | Reception::NotAcceptable | Reception::Take => {}
    }
    if let Some(dialog) = session.state.dialog_mut() {
        dialog.refresh(message);
    }
    match (verdict, Body::of(message)) {
        (Reception::Refresh, _) => within::answer_reached(sessions, now, id, tx, 200),
        (Reception::Take, Some(body)) => {
            let Ok(cseq) = message.cseq() else { return };
            if by == OfferBy::Invite {
                sessions.stack.set_user(tx, TxUser::Session(id, Use::Offer, Proved::default()));
            }
            let theirs = Negotiation::TheyOffered(TheirOffer { tx, by, cseq: cseq.number });
            match &mut session.state {
                State::Incoming(incoming) => incoming.negotiation = theirs,
                State::Up(up) => {
                    up.negotiation = theirs;
                    // Who offers anew has had our last 2xx, though its ACK was lost: it need not come again.
                    if let Some(tx) = up.accepted.tx() {
                        up.accepted = Accepted::Acknowledged;
                        sessions.stack.acknowledged(now, tx);
                    }
                }
                State::Outgoing(_) | State::Ending(_) | State::Over => {}
            }
            tell(sessions, id, SessionEvent::Offered { body, by });
        }
        _ => within::answer_reached(sessions, now, id, tx, 488),
    }
}

/// Their re-INVITE was cancelled before it was answered, or can be answered no more.
pub(super) fn offer_withdrawn(sessions: &mut Sessions, now: Time, id: SessionId, invite: ServerTx) {
    let asked = |up: &&mut Up| matches!(up.negotiation, Negotiation::TheyOffered(theirs) if theirs.tx == invite);
    let Some(up) = established(sessions, id).filter(asked) else { return };
    up.negotiation = Negotiation::Agreed;
    refuse_theirs(sessions, now, id, invite, 487);
    tell(sessions, id, SessionEvent::OfferWithdrawn);
    offer_next(sessions, now, id);
}

/// Refuses an offer of theirs. Whether its ACK comes means nothing to the session.
pub(super) fn refuse_theirs(sessions: &mut Sessions, now: Time, id: SessionId, tx: ServerTx, status: u16) {
    sessions.stack.set_user(tx, TxUser::Session(id, Use::Report, Proved::default()));
    within::answer(sessions, now, tx, status);
}

/// Takes the open offer of theirs, if there is one.
fn take_theirs(sessions: &mut Sessions, id: SessionId) -> Option<TheirOffer> {
    let negotiation = match &mut find(&mut sessions.slab, id)?.state {
        State::Incoming(incoming) => &mut incoming.negotiation,
        State::Up(up) => &mut up.negotiation,
        State::Outgoing(_) | State::Ending(_) | State::Over => return None,
    };
    let Negotiation::TheyOffered(theirs) = *negotiation else { return None };
    *negotiation = Negotiation::Agreed;
    Some(theirs)
}

/// Makes the next offer of ours that waits, if it may be made now.
pub(super) fn offer_next(sessions: &mut Sessions, now: Time, id: SessionId) {
    let Some(Session { state: State::Up(up), .. }) = find(&mut sessions.slab, id) else { return };
    let free = matches!(up.negotiation, Negotiation::Agreed) && up.accepted == Accepted::Acknowledged && up.glare.is_none();
    if free && !up.waiting.is_empty() {
        let what = up.waiting.remove(0);
        make_offer(sessions, now, id, what, Proved::default());
    }
}

fn make_offer(sessions: &mut Sessions, now: Time, id: SessionId, what: Waiting, proved: Proved) {
    let method = match what.by {
        OfferBy::Invite => Method::Invite,
        OfferBy::Update => Method::Update,
    };
    let sent = within::send_within(sessions, now, id, (method, Use::Offer), Some(what.body.content()), &[], proved);
    let (Some(SentWithin { tx, cseq, credentials }), Some(up)) = (sent, established(sessions, id)) else { return };
    up.negotiation = Negotiation::WeOffered(Box::new(OurOffer { tx, cseq, credentials, what }));
}

fn established(sessions: &mut Sessions, id: SessionId) -> Option<&mut Up> {
    match &mut find(&mut sessions.slab, id)?.state {
        State::Up(up) => Some(up),
        _ => None,
    }
}

/// The final answer to a re-INVITE or UPDATE of ours.
pub(super) fn offer_responded(
    sessions: &mut Sessions,
    now: Time,
    (id, tx): (SessionId, ClientTx),
    message: &Message<'_>,
    proved: Proved,
) {
    let status = message.status().unwrap_or(0);
    let under_way = |up: &&mut Up| matches!(&up.negotiation, Negotiation::WeOffered(ours) if ours.tx == tx);
    let Some(up) = established(sessions, id).filter(under_way) else {
        // A 2xx to an INVITE that has come again, or while we hang up.
        let invite = message.cseq().ok().filter(|cseq| cseq.method == Method::Invite && status < 300);
        return invite.into_iter().for_each(|cseq| outgoing::acknowledge_again(sessions, id, cseq.number));
    };
    let Negotiation::WeOffered(ours) = std::mem::replace(&mut up.negotiation, Negotiation::Agreed) else { return };
    if status < 300 {
        up.dialog.refresh(message);
    }
    let OurOffer { cseq, credentials, what, .. } = *ours;
    match status {
        ..300 => {
            if what.by == OfferBy::Invite {
                outgoing::acknowledge(sessions, id, cseq, credentials);
            }
            tell(sessions, id, SessionEvent::OfferAnswered { purpose: what.purpose, body: Body::of(message) });
        }
        491 if what.glares < GLARES_MAX => return offer_met_theirs(sessions, now, id, what),
        _ => match proof::challenged(sessions, id, message, proved) {
            Some(proved) => return make_offer(sessions, now, id, what, proved),
            None => offer_failed(sessions, id, what.purpose, OfferFailure::Refused(status)),
        },
    }
    offer_next(sessions, now, id);
}

/// Our offer and theirs have met: it is made again in a while, unless the owner has thought better of it meanwhile.
fn offer_met_theirs(sessions: &mut Sessions, now: Time, id: SessionId, mut what: Waiting) {
    let Some(session) = find(&mut sessions.slab, id) else { return };
    let State::Up(up) = &mut session.state else { return };
    let wait = glare_wait(session.side, &mut sessions.seed);
    debug_assert!(up.glare.is_none(), "nothing is offered while an offer waits to be made again");
    up.glare = Some(sessions.deadlines.set(now + wait, (id, Reason::OfferAgain)));
    what.glares += 1;
    if up.waiting.iter().any(|newer| newer.purpose == what.purpose) {
        offer_failed(sessions, id, what.purpose, OfferFailure::Replaced);
    } else {
        up.waiting.insert(0, what);
    }
}

/// The time has passed that an offer which met theirs had to wait.
pub(super) fn offer_again(sessions: &mut Sessions, now: Time, id: SessionId) {
    if let Some(up) = established(sessions, id) {
        up.glare = None;
        offer_next(sessions, now, id);
    }
}

/// No answer to a re-INVITE or UPDATE of ours.
pub(super) fn offer_unanswered(sessions: &mut Sessions, now: Time, id: SessionId) {
    let Some(up) = established(sessions, id) else { return };
    if let Negotiation::WeOffered(_) = &up.negotiation
        && let Negotiation::WeOffered(ours) = std::mem::replace(&mut up.negotiation, Negotiation::Agreed)
    {
        offer_failed(sessions, id, ours.what.purpose, OfferFailure::Unanswered);
        offer_next(sessions, now, id);
    }
}

pub(super) fn offer_failed(sessions: &mut Sessions, id: SessionId, purpose: Purpose, why: OfferFailure) {
    tell(sessions, id, SessionEvent::OfferFailed { purpose, why });
}

impl SessionMut<'_> {
    /// Offers again within the dialog: [`SessionEvent::OfferAnswered`] or [`SessionEvent::OfferFailed`] follows, once for each call.
    ///
    /// While another offer is open, or our first 2xx has no ACK, it waits; a newer one of the same purpose replaces it. Whoever answers an
    /// offer of theirs meanwhile should hand in a fresh description: no offer may be older than our last answer (RFC 3264 8).
    pub fn offer(&mut self, purpose: Purpose, by: OfferBy, body: Body) {
        let (now, id, sessions) = (self.now, self.id, &mut *self.sessions);
        let Some(session) = find(&mut sessions.slab, id) else { return };
        match &mut session.state {
            State::Up(up) => {
                let what = Waiting { purpose, by, body, glares: 0 };
                match up.waiting.iter_mut().find(|older| older.purpose == purpose) {
                    Some(older) => {
                        *older = what;
                        offer_failed(sessions, id, purpose, OfferFailure::Replaced);
                    }
                    None => up.waiting.push(what),
                }
                debug_assert!(
                    established(sessions, id).is_none_or(|up| up.waiting.len() <= OFFERS_WAITING_MAX),
                    "one of each purpose waits"
                );
                offer_next(sessions, now, id);
            }
            State::Ending(_) | State::Over => offer_failed(sessions, id, purpose, OfferFailure::Ended),
            State::Incoming(_) | State::Outgoing(_) => misuse(sessions, "offer"),
        }
    }

    /// Takes an offer of ours back that waits for its turn. Nothing is told of it. One that is under way goes on.
    pub fn withdraw(&mut self, purpose: Purpose) {
        let (now, id, sessions) = (self.now, self.id, &mut *self.sessions);
        let Some(session) = find(&mut sessions.slab, id) else { return };
        let State::Up(up) = &mut session.state else { return };
        up.waiting.retain(|waiting| waiting.purpose != purpose);
        if up.waiting.is_empty()
            && let Some(glare) = up.glare.take()
        {
            sessions.deadlines.cancel(glare);
        }
        offer_next(sessions, now, id);
    }

    /// Accepts the peer's offer (200). Quiet if it was withdrawn meanwhile.
    pub fn answer_offer(&mut self, body: Content<'_>) {
        let (now, id, sessions) = (self.now, self.id, &mut *self.sessions);
        let Some(theirs) = take_theirs(sessions, id) else { return };
        let Some(session) = find(&mut sessions.slab, id) else { return };
        let contact = ContactUri::on(&sessions.stack, &session.way.flow);
        if let (State::Up(up), OfferBy::Invite) = (&mut session.state, theirs.by) {
            up.accepted = Accepted::Later(theirs.tx, theirs.cseq);
        }
        sessions.stack.respond(now, theirs.tx, 200, None, Some(body), |writer| headers::describes(writer, &contact));
        offer_next(sessions, now, id);
    }

    /// Refuses the peer's offer with a final status, mostly 488; what was agreed before stands. Quiet if it was withdrawn meanwhile.
    pub fn refuse_offer(&mut self, status: u16) {
        if let Some(theirs) = take_theirs(self.sessions, self.id) {
            refuse_theirs(self.sessions, self.now, self.id, theirs.tx, status);
            offer_next(self.sessions, self.now, self.id);
        }
    }
}
