//! Calls of ours: placed, proved, cancelled, answered by one fork or by several (RFC 3261 9.1, 13.2, 22).
//!
//! Owns a session until its first INVITE has a final answer, and every ACK to a 2xx. Early dialogs are not kept: requests within them are
//! unknown to us until a 2xx makes one of them the session's.

use std::sync::Arc;

use super::event::Body;
use super::headers::{self, NewInvite};
use super::id::new_call_id;
use super::proof::{Proved, Prover, Written};
use super::state::{Accepted, Ack, Again, Ending, Outgoing, Session, Side, State, Up};
use super::way::{ContactUri, Way};
use super::{
    FailedBy, Flow, Message, Method, SessionEvent, SessionId, SessionMut, Sessions, Time, TxUser, Use, ending, find, get, misuse,
    proof, tell, vacant,
};
use crate::sip::dialog::Dialog;
use crate::sip::stack::Stack;
use crate::sip::write::Writer;

impl Sessions {
    /// Places a call (RFC 3261 13.2.1). What comes of it is told under the id.
    pub fn invite(&mut self, now: Time, new: &NewInvite<'_>) -> SessionId {
        let id = vacant(self);
        let call_id = new_call_id(self.shard, &mut self.seed);
        let contact = ContactUri::on(&self.stack, &new.flow);
        // Only who can answer a challenge may have to write it again.
        let again = new.credentials.as_ref().map(|_| {
            let mut writer = Writer::with_buffer(Vec::with_capacity(512));
            headers::invite(&mut writer, new, id, &call_id, &contact);
            let body = Body::new(new.body.0.to_owned(), new.body.1);
            Box::new(Again { uri: new.uri.into(), lines: writer.into_lines(), body })
        });
        let credentials = Written::default();
        let user = TxUser::Session(id, Use::Invite, Proved::default());
        let tx = self.stack.request(now, new.flow, (Method::Invite, new.uri), user, Some(new.body), |writer| {
            match &again {
                Some(again) => {
                    writer.lines(&again.lines);
                }
                None => headers::invite(writer, new, id, &call_id, &contact),
            }
            headers::numbered(writer, 1, &credentials);
        });
        self.slab.insert(Session {
            id,
            side: Side::Ours,
            way: Way { flow: new.flow, behind_nat: new.behind_nat },
            prover: new.credentials.clone().map(Prover::new),
            unowned: false,
            state: State::Outgoing(Outgoing { tx, call_id, cseq: 1, cancelled: false, credentials, again }),
        });
        id
    }
}

/// Sends the INVITE again, with an answer to its challenge and the next number (RFC 3261 22.2).
fn invite_again(sessions: &mut Sessions, now: Time, id: SessionId, mut proved: Proved) {
    let Some(session) = find(&mut sessions.slab, id) else { return };
    let (State::Outgoing(out), Some(prover)) = (&mut session.state, &mut session.prover) else { return };
    let Some(again) = &out.again else { return };
    out.cseq += 1;
    out.credentials = prover.credentials(Method::Invite, &again.uri, &mut proved, &mut sessions.seed);
    let user = TxUser::Session(id, Use::Invite, proved);
    let request = (Method::Invite, &*again.uri);
    out.tx = sessions.stack.request(now, session.way.flow, request, user, Some(again.body.content()), |writer| {
        writer.lines(&again.lines);
        headers::numbered(writer, out.cseq, &out.credentials);
    });
}

/// An answer to the INVITE that began a session of ours.
pub(super) fn invite_answered(sessions: &mut Sessions, now: Time, id: SessionId, message: &Message<'_>, proved: Proved) {
    let status = message.status().unwrap_or(0);
    let Some(session) = find(&mut sessions.slab, id) else { return };
    match (&session.state, status) {
        (_, ..101) => {}
        (State::Outgoing(out), 101..200) if !out.cancelled => {
            tell(sessions, id, SessionEvent::Ringing { status, body: Body::of(message) });
        }
        (_, 101..200) => {}
        (State::Outgoing(_), 200..300) => accepted_by_them(sessions, now, id, message),
        (State::Outgoing(out), _) => {
            let again = if out.cancelled { None } else { proof::challenged(sessions, id, message, proved) };
            match again {
                Some(proved) => invite_again(sessions, now, id, proved),
                None => call_failed(sessions, id, status, FailedBy::Peer),
            }
        }
        (_, 200..300) => accepted_once_more(sessions, now, id, message),
        _ => {}
    }
}

/// The first 2xx: it makes the session's dialog.
fn accepted_by_them(sessions: &mut Sessions, now: Time, id: SessionId, message: &Message<'_>) {
    let Some(session) = find(&mut sessions.slab, id) else { return };
    let State::Outgoing(out) = &mut session.state else { return };
    let Ok(dialog) = Dialog::from_response(message, out.cseq) else {
        // Without a usable Contact there is nobody whom a BYE could go to.
        return call_failed(sessions, id, 502, FailedBy::Peer);
    };
    let (cseq, cancelled, credentials) = (out.cseq, out.cancelled, std::mem::take(&mut out.credentials));
    if cancelled {
        session.state = State::Ending(Ending { dialog, ack: None, bye_after: None, fork_of: None });
    } else {
        session.state = State::Up(Up::new(dialog, Accepted::Acknowledged));
    }
    acknowledge(sessions, id, cseq, credentials);
    if cancelled {
        tell(sessions, id, SessionEvent::AnsweredLate);
        ending::send_bye(sessions, now, id, Proved::default());
    } else {
        tell(sessions, id, SessionEvent::Answered { body: Body::of(message) });
    }
}

/// A 2xx after the first: the same again, for our ACK was lost, or that of another fork, which is hung up (RFC 3261 13.2.2.4).
fn accepted_once_more(sessions: &mut Sessions, now: Time, id: SessionId, message: &Message<'_>) {
    let Some(session) = find(&mut sessions.slab, id) else { return };
    let (Some(dialog), Ok(cseq)) = (session.state.dialog(), message.cseq()) else { return };
    if dialog.same_fork(message) {
        return acknowledge_again(sessions, id, cseq.number);
    }
    let credentials = session.state.ack().map(|ack| ack.credentials.clone()).unwrap_or_default();
    let (way, prover) = (session.way, session.prover.as_ref().map(|prover| prover.afresh()));
    end_fork(sessions, now, id, (way, prover), message, credentials);
}

/// A 2xx to an INVITE of a session that is over. One that began a session would make a call that nobody knows of: it is hung up. The
/// dialog of the others was hung up already.
pub(super) fn answered_too_late(
    sessions: &mut Sessions,
    now: Time,
    id: SessionId,
    flow: &Flow,
    what: Use,
    message: &Message<'_>,
) {
    let success = message.status().is_some_and(|status| (200..300).contains(&status));
    let invite = message.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
    if !success || !invite {
        return;
    }
    // It is answered where it came from: what was known of the way is gone.
    let way = Way { flow: *flow, behind_nat: true };
    if what == Use::Invite {
        end_fork(sessions, now, id, (way, None), message, Written::default());
    } else if let (Ok(cseq), Ok(dialog)) = (message.cseq(), Dialog::from_response(message, 0)) {
        let bytes = write_ack(&mut sessions.stack, flow, &dialog, cseq.number, &Written::default());
        sessions.stack.send(*flow, bytes, Some(TxUser::Concerned(id)));
    }
}

/// Acknowledges a 2xx within the session's dialog, and keeps the ACK for when the 2xx comes again.
pub(super) fn acknowledge(sessions: &mut Sessions, id: SessionId, cseq: u32, credentials: Written) {
    let Some(session) = find(&mut sessions.slab, id) else { return };
    let Some(dialog) = session.state.dialog() else { return };
    let flow = session.way.to(dialog.next_hop(), &sessions.stack);
    let bytes = write_ack(&mut sessions.stack, &flow, dialog, cseq, &credentials);
    sessions.stack.send(flow, bytes.clone(), Some(TxUser::Concerned(id)));
    let ack = Some(Ack { cseq, flow, bytes, credentials });
    match &mut session.state {
        State::Up(up) => up.ack = ack,
        State::Ending(ending) => ending.ack = ack,
        State::Incoming(_) | State::Outgoing(_) | State::Over => {}
    }
}

/// Acknowledges a 2xx that has come again.
pub(super) fn acknowledge_again(sessions: &mut Sessions, id: SessionId, cseq: u32) {
    let Some(session) = find(&mut sessions.slab, id) else { return };
    if let Some(ack) = session.state.ack().filter(|ack| ack.cseq == cseq) {
        return sessions.stack.send(ack.flow, ack.bytes.clone(), Some(TxUser::Concerned(id)));
    }
    // An old one, overtaken by the 2xx to a later INVITE, whose credentials are the newest that there are.
    let Some(dialog) = session.state.dialog() else { return };
    let flow = session.way.to(dialog.next_hop(), &sessions.stack);
    let credentials = session.state.ack().map(|ack| ack.credentials.clone()).unwrap_or_default();
    let bytes = write_ack(&mut sessions.stack, &flow, dialog, cseq, &credentials);
    sessions.stack.send(flow, bytes, Some(TxUser::Concerned(id)));
}

/// No final answer to the INVITE came, and none will.
pub(super) fn invite_unanswered(sessions: &mut Sessions, id: SessionId, by: FailedBy) {
    if get(sessions, id).is_some_and(|session| matches!(session.state, State::Outgoing(_))) {
        call_failed(sessions, id, if by == FailedBy::Transport { 503 } else { 408 }, by);
    }
}

fn call_failed(sessions: &mut Sessions, id: SessionId, status: u16, by: FailedBy) {
    tell(sessions, id, SessionEvent::Failed { status, by });
    ending::over(sessions, id);
}

/// Acknowledges the 2xx of a fork that nobody wants, and hangs it up. Until that is answered it is a session of its own, which nobody is told
/// of: its BYE may have to be proved, too.
fn end_fork(
    sessions: &mut Sessions,
    now: Time,
    fork_of: SessionId,
    (way, prover): (Way, Option<Box<Prover>>),
    message: &Message<'_>,
    credentials: Written,
) {
    let Ok(cseq) = message.cseq() else { return };
    let Ok(dialog) = Dialog::from_response(message, cseq.number) else { return };
    let id = vacant(sessions);
    let state = State::Ending(Ending { dialog, ack: None, bye_after: None, fork_of: Some(fork_of) });
    sessions.slab.insert(Session { id, side: Side::Ours, way, prover, unowned: true, state });
    acknowledge(sessions, id, cseq.number, credentials);
    ending::send_bye(sessions, now, id, Proved::default());
}

/// The ACK to a 2xx (RFC 3261 13.2.2.4).
fn write_ack(stack: &mut Stack<TxUser>, flow: &Flow, dialog: &Dialog, cseq: u32, credentials: &Written) -> Arc<[u8]> {
    let mut writer = stack.outside(flow, (Method::Ack, dialog.request_uri()));
    headers::ack(&mut writer, dialog, cseq, credentials);
    writer.finish(None).into()
}

impl SessionMut<'_> {
    /// Gives a call of ours up: CANCEL, once anything was heard of it (RFC 3261 9.1). `reason` is the value of its Reason header (RFC 3326).
    /// What follows is [`SessionEvent::Failed`] or [`SessionEvent::AnsweredLate`]; or an [`SessionEvent::Answered`] that has crossed this, and
    /// which is being hung up.
    pub fn cancel(&mut self, reason: Option<&'static str>) {
        let sessions = &mut *self.sessions;
        let Some(session) = find(&mut sessions.slab, self.id) else { return };
        match &mut session.state {
            State::Outgoing(out) if !out.cancelled => {
                out.cancelled = true;
                sessions.stack.cancel(self.now, out.tx, reason);
            }
            // Their answer has come, and its event has crossed this.
            State::Up(_) if session.side == Side::Ours => ending::end_up(sessions, self.now, self.id, true),
            State::Outgoing(_) | State::Ending(_) | State::Over => {}
            State::Incoming(_) | State::Up(_) => misuse(sessions, "cancel"),
        }
    }
}
