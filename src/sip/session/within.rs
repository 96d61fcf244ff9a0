//! Requests within a dialog, theirs and ours (RFC 3261 12.2, 11; RFC 6086 INFO, RFC 3515 REFER, RFC 6665 NOTIFY).
//!
//! Owns the order of a dialog's requests and the answers that need no owner. Offers and BYE have files of their own.

use super::event::{Body, Content};
use super::proof::Proved;
use super::proof::Written;
use super::state::{Session, State};
use super::way::ContactUri;
use super::{
    Flow, Message, Method, Rejected, SessionEvent, SessionId, SessionMut, Sessions, Time, TxUser, Use, ending, find, get,
    headers, hears, misuse, offers, proof, tell,
};
use crate::sip::dialog::Order;
use crate::sip::name::Name;
use crate::sip::name_addr::NameAddr;
use crate::sip::stack::{ClientTx, ServerTx};

/// A request of ours that was sent within a dialog.
pub(super) struct SentWithin {
    pub(super) tx: ClientTx,
    pub(super) cseq: u32,
    pub(super) credentials: Written,
}

/// The session that a request of its dialog names by our tag.
pub(super) fn session_of(sessions: &Sessions, message: &Message<'_>) -> Option<SessionId> {
    let to = message.to().ok()?;
    let id = SessionId::from_tag(sessions.shard, to.tag()?)?;
    get(sessions, id)?.state.dialog().is_some_and(|dialog| dialog.owns(message)).then_some(id)
}

/// A request with a tag of ours in To.
pub(super) fn request_within(sessions: &mut Sessions, now: Time, flow: &Flow, message: &Message<'_>, method: Method<'_>) {
    let Some(id) = session_of(sessions, message) else {
        sessions.counts.reject(Rejected::NoDialog);
        return sessions.stack.reply_stateless(flow, message, 481, |_| {});
    };
    hears(sessions, Some(id));
    let Ok(cseq) = message.cseq() else { return };
    let Some(tx) = sessions.stack.begin(now, flow, message, None) else { return };
    let Some(session) = find(&mut sessions.slab, id) else { return };
    if session.way.behind_nat {
        // A phone that moved is reached where it now is.
        session.way.flow = *flow;
    }
    if session.state.dialog_mut().is_none_or(|dialog| dialog.take_cseq(cseq.number) == Order::Old) {
        return sessions.stack.respond(now, tx, 500, None, None, |writer| {
            writer.field(Name::RetryAfter, "1");
        });
    }
    let ending = matches!(session.state, State::Ending(_));
    match method {
        Method::Bye => ending::hung_up(sessions, now, id, tx),
        Method::Invite | Method::Update | Method::Refer if ending => answer(sessions, now, tx, 481),
        Method::Invite | Method::Update => offers::offered(sessions, now, id, tx, message),
        Method::Info => info(sessions, now, id, tx, message),
        Method::Refer => referred(sessions, now, id, tx, message),
        Method::Options => sessions.stack.respond(now, tx, 200, None, None, headers::allow),
        Method::Notify => answer(sessions, now, tx, 200),
        Method::Other(_) => sessions.stack.respond(now, tx, 501, None, None, headers::allow),
        _ => sessions.stack.respond(now, tx, 405, None, None, headers::allow),
    }
}

/// Answers with nothing but a status.
pub(super) fn answer(sessions: &mut Sessions, now: Time, tx: ServerTx, status: u16) {
    sessions.stack.respond(now, tx, status, None, None, |_| {});
}

/// Answers with our Contact, as a request that may move the peer's idea of where we are wants it.
pub(super) fn answer_reached(sessions: &mut Sessions, now: Time, id: SessionId, tx: ServerTx, status: u16) {
    let Some(contact) = get(sessions, id).map(|session| ContactUri::on(&sessions.stack, &session.way.flow)) else {
        return;
    };
    sessions.stack.respond(now, tx, status, None, None, |writer| headers::reached_at(writer, &contact));
}

/// INFO: keys pressed are told, an empty one is a keep-alive, the rest is not taken (RFC 6086 4.2.2).
fn info(sessions: &mut Sessions, now: Time, id: SessionId, tx: ServerTx, message: &Message<'_>) {
    let keys = message.content_type().is_some_and(|kind| kind.is("application", "dtmf-relay") || kind.is("application", "dtmf"));
    if !keys && !message.body.is_empty() {
        return sessions.stack.respond(now, tx, 415, None, None, |writer| {
            writer.field(Name::Accept, headers::INFO_KINDS);
        });
    }
    answer(sessions, now, tx, 200);
    let ending = get(sessions, id).is_none_or(|session| matches!(session.state, State::Ending(_)));
    if let (Some(body), false) = (Body::of(message), ending) {
        tell(sessions, id, SessionEvent::Info { body });
    }
}

/// REFER: the owner decides. Before the call is answered there is nobody to pass on.
fn referred(sessions: &mut Sessions, now: Time, id: SessionId, tx: ServerTx, message: &Message<'_>) {
    let refer_to = message.get(Name::ReferTo).and_then(NameAddr::parse);
    let uri = refer_to.as_ref().and_then(|refer_to| refer_to.uri().ok());
    let Some(Session { state, .. }) = find(&mut sessions.slab, id) else { return };
    let status = match (state, &refer_to, &uri) {
        (State::Up(up), Some(refer_to), Some(uri)) if up.refer.is_none() => {
            up.refer = Some(tx);
            let (refer_to, has_replaces) = (refer_to.raw_uri().into(), uri.header("Replaces").is_some());
            return tell(sessions, id, SessionEvent::Referred { refer_to, has_replaces });
        }
        (State::Up(_), Some(_), Some(_)) => 491,
        (State::Up(_), ..) => 400,
        _ => 403,
    };
    answer_reached(sessions, now, id, tx, status);
}

/// Sends a request in the session's dialog. `None` if there is no dialog.
pub(super) fn send_within(
    sessions: &mut Sessions,
    now: Time,
    id: SessionId,
    (method, what): (Method<'static>, Use),
    body: Option<Content<'_>>,
    extra: &[(Name, &str)],
    mut proved: Proved,
) -> Option<SentWithin> {
    let session = find(&mut sessions.slab, id)?;
    let dialog = session.state.dialog_mut()?;
    let cseq = dialog.next_cseq();
    let flow = session.way.to(dialog.next_hop(), &sessions.stack);
    let contact = ContactUri::on(&sessions.stack, &flow);
    let credentials = match &mut session.prover {
        Some(prover) => prover.credentials(method, dialog.request_uri(), &mut proved, &mut sessions.seed),
        None => Written::default(),
    };
    let user = TxUser::Session(id, what, proved);
    let tx = sessions.stack.request(now, flow, (method, dialog.request_uri()), user, body, |writer| {
        headers::within(writer, (dialog, method, cseq), &contact, extra, &credentials);
    });
    if let (Use::Report, Some(prover)) = (what, &mut session.prover) {
        prover.keep(tx, method, body, extra);
    }
    Some(SentWithin { tx, cseq, credentials })
}

/// An answer to our OPTIONS.
pub(super) fn probe_answered(sessions: &mut Sessions, now: Time, id: SessionId, message: &Message<'_>, proved: Proved) {
    match proof::challenged(sessions, id, message, proved) {
        Some(proved) => {
            send_within(sessions, now, id, (Method::Options, Use::Probe), None, &[], proved);
        }
        None => tell(sessions, id, SessionEvent::ProbeAnswered { status: message.status().unwrap_or(0) }),
    }
}

impl SessionMut<'_> {
    /// Whether a request may be sent in the session's dialog. On one that is over, or ending, it goes nowhere.
    fn may_send(&mut self, command: &str) -> bool {
        match get(self.sessions, self.id).map(|session| &session.state) {
            Some(State::Up(_)) => true,
            Some(State::Incoming(_) | State::Outgoing(_)) => {
                misuse(self.sessions, command);
                false
            }
            Some(State::Ending(_) | State::Over) | None => false,
        }
    }

    fn send(&mut self, method: Method<'static>, what: Use, body: Option<Content<'_>>, extra: &[(Name, &str)]) {
        if self.may_send(method.as_str()) {
            send_within(self.sessions, self.now, self.id, (method, what), body, extra, Proved::default());
        }
    }

    /// Asks by OPTIONS whether the peer is still there (RFC 3261 11): [`SessionEvent::ProbeAnswered`] or
    /// [`SessionEvent::ProbeUnanswered`].
    pub fn probe(&mut self) {
        self.send(Method::Options, Use::Probe, None, &[]);
    }

    /// Reports an event to the peer (RFC 6665): the values of Event and Subscription-State, and the report.
    pub fn notify(&mut self, event: &str, subscription_state: &str, body: Content<'_>) {
        let extra = [(Name::Event, event), (Name::SubscriptionState, subscription_state)];
        self.send(Method::Notify, Use::Report, Some(body), &extra);
    }

    /// Sends the peer something by INFO (RFC 6086), for instance a key.
    pub fn info(&mut self, body: Content<'_>) {
        self.send(Method::Info, Use::Report, Some(body), &[]);
    }

    /// Answers the REFER that was told (RFC 3515 2.4.2): 202, or 300 to 699.
    pub fn respond_refer(&mut self, status: u16) {
        let Some(Session { state: State::Up(up), .. }) = find(&mut self.sessions.slab, self.id) else { return };
        match up.refer.take() {
            Some(tx) => answer_reached(self.sessions, self.now, self.id, tx, status),
            None => misuse(self.sessions, "respond_refer"),
        }
    }
}
