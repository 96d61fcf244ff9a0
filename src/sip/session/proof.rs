//! Proof of who we are, for every request of a session (RFC 3261 22, RFC 7616, RFC 8760).
//!
//! Owns what a session's peers have asked and how often each request has been answered for. It computes no digest
//! ([`crate::sip::digest`] does) and sends nothing.
//!
//! A request that is challenged goes again with the next CSeq, once. It goes once more only if the answer was refused as stale: RFC 3261 22.2
//! forbids to try rejected credentials again. A proxy (407) and the far end (401) are answered apart, so that both may ask.
//!
//! Later requests of the session answer the last challenge before it is put again if it offered `qop=auth`. That saves a BYE, which
//! has nobody left to wait for it, the round trip. There the rising count shows that no answer is used twice. Without `qop` a repeated answer
//! would look like a replay, so we wait to be asked.

use std::fmt;
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::event::{Body, Content};
use super::{Sessions, Use, find, within};
use crate::base::Time;
use crate::base::seed::Seed;
use crate::sip::digest::{Account, Challenge};
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::name::Name;
use crate::sip::stack::ClientTx;
use crate::sip::write::Writer;

use super::SessionId;

/// A user name and its password.
pub struct Login {
    /// The user name.
    pub user: Arc<str>,
    /// The password.
    pub password: Arc<str>,
}

impl fmt::Debug for Login {
    /// Without the password: debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How one request stands with the far end's challenges (401) and with the proxies' (407).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Proved([Given; 2]);

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Given {
    /// The request has no credentials.
    #[default]
    None,
    /// It answers a challenge to an earlier request.
    Ahead,
    /// It was challenged, and answers that.
    Once,
    /// That answer was stale, and it answers the new challenge.
    Twice,
}

/// The credentials of one request, as header lines. Mostly none, which takes no heap.
#[derive(Clone, Default, Debug)]
pub(super) struct Written(Vec<(Name, String)>);

impl Written {
    pub(super) fn write(&self, writer: &mut Writer) {
        for (name, value) in &self.0 {
            writer.field(*name, value);
        }
    }
}

/// By whom a challenge is made: the header that asks, and the one that answers.
const ASKERS: [(u16, Name, Name); 2] =
    [(401, Name::WwwAuthenticate, Name::Authorization), (407, Name::ProxyAuthenticate, Name::ProxyAuthorization)];

/// A challenge that we have answered, or are about to.
#[derive(Debug)]
struct Known {
    /// The header's value.
    challenge: Box<[u8]>,
    /// How often its nonce was used.
    uses: u32,
    /// Whether further requests answer it unasked: `qop=auth`.
    ahead: bool,
}

/// Requests whose content would be lost with the transaction, kept until they are answered; at most so many.
const KEPT_MAX: usize = 4;

#[derive(Debug)]
struct Kept {
    tx: ClientTx,
    method: Method<'static>,
    body: Body,
    headers: Vec<(Name, Box<str>)>,
}

/// What a session proves itself with.
#[derive(Debug)]
pub(super) struct Prover {
    login: Arc<Login>,
    known: [Option<Known>; 2],
    kept: ArrayVec<Kept, KEPT_MAX>,
}

impl Prover {
    pub(super) fn new(login: Arc<Login>) -> Box<Self> {
        Box::new(Prover { login, known: [None, None], kept: ArrayVec::new() })
    }

    /// One for another dialog, with the same password and nothing to answer yet.
    pub(super) fn afresh(&self) -> Box<Self> {
        Prover::new(self.login.clone())
    }

    /// Takes the challenge of a 401 or 407. The new count if the request is to go again.
    pub(super) fn take(&mut self, message: &Message<'_>, mut proved: Proved) -> Option<Proved> {
        let status = message.status()?;
        let asker = ASKERS.iter().position(|(asks, ..)| *asks == status)?;
        let usable = |value: &&[u8]| Challenge::parse(value).is_ok();
        let value = message.all(ASKERS[asker].1).find(usable)?;
        let challenge = Challenge::parse(value).ok()?;
        let known = self.known[asker].as_ref();
        let again = known.is_some_and(|known| Challenge::parse(&known.challenge).is_ok_and(|old| old.nonce == challenge.nonce));
        let next = match proved.0[asker] {
            Given::None => Given::Once,
            Given::Ahead if !again || challenge.stale => Given::Once,
            Given::Once if challenge.stale => Given::Twice,
            // The password is wrong.
            Given::Ahead | Given::Once | Given::Twice => return None,
        };
        // A nonce that comes again is counted on.
        let uses = if again { known.map_or(0, |known| known.uses) } else { 0 };
        self.known[asker] = Some(Known { challenge: value.into(), uses, ahead: challenge.qop_auth });
        proved.0[asker] = next;
        Some(proved)
    }

    /// The credentials of a request: answers to what it was asked, and unasked ones.
    pub(super) fn credentials(&mut self, method: Method<'_>, uri: &str, proved: &mut Proved, seed: &mut Seed) -> Written {
        let mut written = Written::default();
        for (asker, known) in self.known.iter_mut().enumerate() {
            let Some(known) = known.as_mut().filter(|known| known.ahead || proved.0[asker] != Given::None) else { continue };
            let Ok(challenge) = Challenge::parse(&known.challenge) else { continue };
            if proved.0[asker] == Given::None {
                proved.0[asker] = Given::Ahead;
            }
            known.uses += 1;
            let cnonce = format!("{:016x}", seed.next_u64());
            let account = Account { user: &self.login.user, password: &self.login.password };
            let value = challenge.answer(account, method.as_str(), uri, known.uses, &cnonce);
            written.0.push((ASKERS[asker].2, value));
        }
        written
    }

    /// Keeps a request until it is answered. Too many at once: the oldest will not be sent again.
    pub(super) fn keep(&mut self, tx: ClientTx, method: Method<'static>, body: Option<Content<'_>>, extra: &[(Name, &str)]) {
        let Some((kind, bytes)) = body else { return };
        if self.kept.is_full() {
            self.kept.remove(0);
        }
        let headers = extra.iter().map(|(name, value)| (*name, (*value).into())).collect();
        self.kept.push(Kept { tx, method, body: Body::new(kind.to_owned(), bytes), headers });
    }

    fn let_go(&mut self, tx: ClientTx) -> Option<Kept> {
        let place = self.kept.iter().position(|kept| kept.tx == tx)?;
        Some(self.kept.remove(place))
    }
}

/// Whether a request of the session is to be sent again, because it was challenged and we have an answer.
pub(super) fn challenged(sessions: &mut Sessions, id: SessionId, message: &Message<'_>, proved: Proved) -> Option<Proved> {
    if !matches!(message.status(), Some(401 | 407)) {
        return None;
    }
    find(&mut sessions.slab, id)?.prover.as_mut()?.take(message, proved)
}

/// The final answer to a NOTIFY or INFO of ours: it is sent again if that was a challenge, else it means nothing.
pub(super) fn report_answered(
    sessions: &mut Sessions,
    now: Time,
    (id, tx): (SessionId, ClientTx),
    message: &Message<'_>,
    proved: Proved,
) {
    let again = challenged(sessions, id, message, proved);
    let Some(prover) = find(&mut sessions.slab, id).and_then(|session| session.prover.as_mut()) else { return };
    let (Some(kept), Some(proved)) = (prover.let_go(tx), again) else { return };
    let extra: Vec<(Name, &str)> = kept.headers.iter().map(|(name, value)| (*name, &**value)).collect();
    within::send_within(sessions, now, id, (kept.method, Use::Report), Some(kept.body.content()), &extra, proved);
}
