//! Sessions: INVITE usages from their first request to their last answer (RFC 3261 12 to 15). Offers: RFC 3264, 3311, 6337. What ends a
//! usage: RFC 5057.
//!
//! Owns the transaction layer, every session with its dialog, the table of calls that came in, the sessions' timers and credentials. What a
//! message means for a call is never decided here. The owner of a session (a leg) is told [`SessionEvent`]s, and commands by [`SessionMut`].
//! Bodies are opaque, so that it knows no media. It looks up no names, opens no connection and reads no clock.
//!
//! Use: hand every received message to [`Sessions::handle_message`]. What it gives back as [`Routed::New`] belongs to no session, and the
//! caller decides: [`Sessions::incoming`] makes a session of an INVITE, [`Sessions::outside`] answers the rest.
//! [`Sessions::invite`] places a call. After each call into it, drain [`Sessions::poll_event`], [`Outside::poll`] and
//! [`Sessions::poll_transmit`]; call [`Sessions::handle_timeout`] at [`Sessions::next_deadline`]. `examples/sessions.rs` shows all of it.
//!
//! No command returns what the peer thinks of it: that comes as an event. A command on a session that is over does nothing, for the two
//! may cross. One that a session's state can never make sense of does nothing either, and is counted.
//!
//! One file a concern. `incoming` and `outgoing` begin sessions, `within` takes and sends the requests of a dialog, `offers` renegotiates,
//! `ending` ends. `proof` answers challenges, `headers` writes, `way` chooses flows.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use slab::Slab;

use self::proof::Proved;
use self::state::{Session, State};
use super::flow::{ConnectionId, Flow};
use super::message::Message;
use super::method::Method;
use super::stack::counts::{Rejected, SipCounts};
use super::stack::{self, ClientTx, ListenerName, Stack, TimerReason, TxEvent};
use crate::base::Time;
use crate::base::deadline::Deadlines;
use crate::base::hash::{Keyed, KeyedMap};
use crate::base::seed::Seed;
use crate::base::words::Transport;

mod ending;
mod event;
mod headers;
mod id;
mod incoming;
mod offers;
mod outgoing;
mod outside;
mod proof;
mod state;
#[cfg(test)]
mod tests;
mod way;
mod within;

pub use event::{Body, Content, FailedBy, GoneWhy, LoneEvent, OfferBy, OfferFailure, Purpose, SessionEvent};
pub use headers::{ALLOW, NewInvite, SUPPORTED, allow};
pub use id::{LoneId, SessionId, Tag};
pub use incoming::{Admission, NotAdmitted};
pub use outside::Outside;
pub use proof::Login;
pub use state::OFFERS_WAITING_MAX;
pub use way::{ContactUri, Listeners};

/// What became of a received message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Routed {
    /// It was dealt with. The session that it was part of, if of any.
    Done(Option<SessionId>),
    /// A request that belongs to no session: to be admitted, answered or dropped. A CANCEL among them is for an INVITE that is unknown.
    New,
}

/// A message to send.
#[derive(Clone, Debug)]
pub struct Transmit {
    /// The flow that it is sent over.
    pub flow: Flow,
    /// The message. Retransmissions share its bytes.
    pub bytes: Arc<[u8]>,
    /// The session that it is part of, or was.
    pub session: Option<SessionId>,
}

/// How much a machine holds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Held {
    /// Sessions that are not over.
    pub sessions: usize,
    /// Client transactions, those of no session too. Some only absorb what is repeated.
    pub clients: usize,
    /// Server transactions, likewise.
    pub servers: usize,
}

impl Held {
    /// Whether that is nothing at all.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Held::default()
    }
}

/// Why a session wakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// An offer that met one of theirs is made again (RFC 3261 14.1).
    OfferAgain,
}

/// Why the machine wakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// A session's own timer.
    Session(SessionId, Reason),
    /// A transaction's timer.
    Transaction(TimerReason),
}

/// Whose a transaction is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum TxUser {
    /// A session's; with what it is for, and which challenges it answers.
    Session(SessionId, Use, Proved),
    /// A request's outside of any session.
    Lone(LoneId),
    /// Nobody's that would be told of it: it is only known which session it is part of.
    Concerned(SessionId),
}

impl TxUser {
    /// The session that a message of this transaction is part of. A fork that is hung up is part of the one whose call it answered.
    fn session(self, sessions: &Sessions) -> Option<SessionId> {
        match self {
            TxUser::Session(id, ..) | TxUser::Concerned(id) => Some(get(sessions, id).and_then(Session::fork_of).unwrap_or(id)),
            TxUser::Lone(_) => None,
        }
    }
}

/// What a session's transaction is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    /// The INVITE that begins the session, whichever side sent it.
    Invite,
    /// A re-INVITE or UPDATE, whichever side sent it.
    Offer,
    /// Our BYE.
    Bye,
    /// Our OPTIONS, to see whether the peer is still there.
    Probe,
    /// Our NOTIFY or INFO, or a refusal of ours: what comes of it means nothing, but for a challenge.
    Report,
}

/// All sessions of one shard.
pub struct Sessions {
    shard: u16,
    stack: Stack<TxUser>,
    slab: Slab<Session>,
    /// Calls that came in, by Call-ID and From tag: the same one coming by another way is refused.
    by_call: KeyedMap<u128, SessionId>,
    keyed: Keyed,
    deadlines: Deadlines<(SessionId, Reason)>,
    events: VecDeque<(SessionId, SessionEvent)>,
    lone_events: VecDeque<(LoneId, LoneEvent)>,
    seed: Seed,
    counts: Arc<SipCounts>,
    misused: u64,
    /// The session that the message at hand is part of.
    heard: Option<SessionId>,
}

/// One session, to be commanded. Every command is quiet where the session is over already.
///
/// ```text
/// sessions.session(now, id).hang_up();
/// ```
pub struct SessionMut<'a> {
    sessions: &'a mut Sessions,
    now: Time,
    id: SessionId,
}

/// The session of this id, if it is not over.
fn find(slab: &mut Slab<Session>, id: SessionId) -> Option<&mut Session> {
    slab.get_mut(id.slot as usize).filter(|session| session.id == id)
}

impl Sessions {
    /// A machine without sessions. `listeners` stand in the order of their `ListenerId`; `counts` is shared with whoever shows it.
    #[must_use]
    pub fn new(shard: u16, listeners: Vec<ListenerName>, mut seed: Seed, counts: Arc<SipCounts>) -> Self {
        let stack = Stack::new(shard, listeners, seed.fork(), counts.clone());
        let keyed = Keyed::from_seed(&mut seed);
        Sessions {
            shard,
            stack,
            slab: Slab::new(),
            by_call: keyed.map(),
            keyed,
            deadlines: Deadlines::default(),
            events: VecDeque::new(),
            lone_events: VecDeque::new(),
            seed,
            counts,
            misused: 0,
            heard: None,
        }
    }

    /// Takes a well-formed message that came by `flow`.
    pub fn handle_message(&mut self, now: Time, flow: &Flow, message: &Message<'_>) -> Routed {
        hears(self, None);
        let mut is_new = false;
        match self.stack.route(now, flow, message) {
            stack::Routed::Absorbed(user) => self.heard = user.and_then(|user| user.session(self)),
            stack::Routed::Stray => self.counts.reject(Rejected::StrayResponse),
            stack::Routed::Ack => incoming::acknowledged(self, now, message),
            stack::Routed::Response { tx, user } => {
                self.heard = user.session(self);
                response(self, now, flow, (tx, user), message);
            }
            stack::Routed::New => is_new = request(self, now, flow, message),
        }
        self.stack.concern(None);
        if is_new { Routed::New } else { Routed::Done(self.heard) }
    }

    /// Fires whatever is due.
    pub fn handle_timeout(&mut self, now: Time) {
        while self.stack.due(now) {
            told(self, now);
        }
        while let Some((_, (id, reason))) = self.deadlines.pop_due(now) {
            match reason {
                Reason::OfferAgain => offers::offer_again(self, now, id),
            }
        }
    }

    /// When to call [`Sessions::handle_timeout`], and why; `None` if nothing is waited for.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Time, Wake)> {
        let own = self.deadlines.next().map(|(at, (id, reason))| (at, Wake::Session(*id, *reason)));
        let stack = self.stack.next_deadline().map(|(at, reason)| (at, Wake::Transaction(reason)));
        own.into_iter().chain(stack).min_by_key(|(at, _)| *at)
    }

    /// The next thing that happened to a session.
    pub fn poll_event(&mut self) -> Option<(SessionId, SessionEvent)> {
        self.events.pop_front()
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let stack::Transmit { flow, bytes, user } = self.stack.poll_transmit()?;
        Some(Transmit { flow, bytes, session: user.and_then(|user| user.session(self)) })
    }

    /// A connection is gone, or none could be had to `remote`: whatever depended on it fails.
    pub fn broken(&mut self, now: Time, connection: Option<ConnectionId>, transport: Transport, remote: SocketAddr) {
        self.stack.broken(now, connection, transport, remote);
        told(self, now);
    }

    /// A session, to be commanded.
    pub fn session(&mut self, now: Time, id: SessionId) -> SessionMut<'_> {
        SessionMut { sessions: self, now, id }
    }

    /// Requests outside of any session.
    pub fn outside(&mut self) -> Outside<'_> {
        Outside(self)
    }

    /// Our listeners, as peers know them.
    #[must_use]
    pub fn listeners(&self) -> Listeners<'_> {
        Listeners(&self.stack)
    }

    /// Where a session's peer was last heard of; `None` if the session is over.
    #[must_use]
    pub fn flow(&self, id: SessionId) -> Option<&Flow> {
        get(self, id).map(|session| &session.way.flow)
    }

    /// A session's Call-ID (RFC 3261 20.8); `None` if the session is over.
    #[must_use]
    pub fn call_id(&self, id: SessionId) -> Option<&str> {
        match &get(self, id)?.state {
            State::Outgoing(out) => Some(&out.call_id),
            state => state.dialog().map(super::dialog::Dialog::call_id),
        }
    }

    /// How much is held.
    #[must_use]
    pub fn held(&self) -> Held {
        let (clients, servers) = self.stack.len();
        Held { sessions: self.slab.len(), clients, servers }
    }

    /// How often a session was given a command that its state can never make sense of, since this was last asked.
    pub fn take_misused(&mut self) -> u64 {
        std::mem::take(&mut self.misused)
    }
}

/// Notes which session the message at hand is part of. The answers to it are, too.
fn hears(sessions: &mut Sessions, id: Option<SessionId>) {
    sessions.heard = id;
    sessions.stack.concern(id.map(TxUser::Concerned));
}

/// A request that no transaction knows. Whether it belongs to no session.
fn request(sessions: &mut Sessions, now: Time, flow: &Flow, message: &Message<'_>) -> bool {
    let Some(method) = message.method() else { return false };
    if method == Method::Cancel {
        return incoming::cancelled(sessions, now, flow, message);
    }
    if message.to().ok().and_then(|to| to.tag()).is_none() {
        return true;
    }
    within::request_within(sessions, now, flow, message, method);
    false
}

fn get(sessions: &Sessions, id: SessionId) -> Option<&Session> {
    sessions.slab.get(id.slot as usize).filter(|session| session.id == id)
}

/// The id of the session that is inserted next.
fn vacant(sessions: &mut Sessions) -> SessionId {
    SessionId::new(sessions.shard, sessions.slab.vacant_key() as u32, sessions.seed.next_u32())
}

fn tell(sessions: &mut Sessions, id: SessionId, event: SessionEvent) {
    if get(sessions, id).is_some_and(|session| !session.unowned) {
        sessions.events.push_back((id, event));
    }
}

fn misuse(sessions: &mut Sessions, command: &str) {
    sessions.misused += 1;
    if cfg!(test) {
        panic!("{command} makes no sense in this state");
    }
}

/// An answer to a request of ours.
fn response(sessions: &mut Sessions, now: Time, flow: &Flow, (tx, user): (ClientTx, TxUser), message: &Message<'_>) {
    let status = message.status().unwrap_or(0);
    let (id, what, proved) = match user {
        TxUser::Lone(id) => return sessions.lone_events.push_back((id, LoneEvent::Answered(status))),
        TxUser::Concerned(_) => return,
        TxUser::Session(id, what, proved) => (id, what, proved),
    };
    if get(sessions, id).is_none() {
        return outgoing::answered_too_late(sessions, now, id, flow, what, message);
    }
    match what {
        Use::Invite => outgoing::invite_answered(sessions, now, id, message, proved),
        _ if status < 200 => {}
        Use::Offer => offers::offer_responded(sessions, now, (id, tx), message, proved),
        Use::Bye => ending::bye_answered(sessions, now, id, message, proved),
        Use::Probe => within::probe_answered(sessions, now, id, message, proved),
        Use::Report => proof::report_answered(sessions, now, (id, tx), message, proved),
    }
}

/// What the transaction layer tells by itself.
fn told(sessions: &mut Sessions, now: Time) {
    while let Some(told) = sessions.stack.poll_event() {
        let (user, by) = match told {
            TxEvent::Timeout { user } => (user, Some(FailedBy::Timeout)),
            TxEvent::Broken { user } => (user, Some(FailedBy::Transport)),
            TxEvent::Unacknowledged { user } => (user, None),
        };
        match (user, by) {
            (TxUser::Session(_, Use::Report, _) | TxUser::Concerned(_), _) => {}
            (TxUser::Lone(id), _) => sessions.lone_events.push_back((id, LoneEvent::Unanswered)),
            (TxUser::Session(id, ..), None) => ending::never_acknowledged(sessions, now, id),
            (TxUser::Session(id, Use::Invite, _), Some(by)) => outgoing::invite_unanswered(sessions, id, by),
            (TxUser::Session(id, Use::Offer, _), Some(_)) => offers::offer_unanswered(sessions, now, id),
            (TxUser::Session(id, Use::Bye, _), Some(_)) => ending::over(sessions, id),
            (TxUser::Session(id, Use::Probe, _), Some(_)) => tell(sessions, id, SessionEvent::ProbeUnanswered),
        }
    }
}
