//! What a session tells its owner, and the bodies that travel with it.
//!
//! Owns the vocabulary between sessions and legs. No event needs SIP to be understood, but for status numbers (RFC 3261 21). Bodies are
//! opaque here: what is described in them is the leg's business.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::sip::message::Message;

/// A body to be sent: its media type and its bytes.
pub type Content<'a> = (&'a str, &'a [u8]);

/// A body that is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// The media type, for instance `application/sdp`. Parameters stand only with types that are not well known. Empty if the sender
    /// named none.
    pub kind: Cow<'static, str>,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

impl fmt::Debug for Body {
    /// As text: what a log or a failed test is read for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({}, {:?})", self.kind, String::from_utf8_lossy(&self.bytes))
    }
}

/// The types that come often, so that naming them costs nothing.
const WELL_KNOWN: [(&str, &str, &str); 3] = [
    ("application/sdp", "application", "sdp"),
    ("application/dtmf-relay", "application", "dtmf-relay"),
    ("application/dtmf", "application", "dtmf"),
];

impl Body {
    /// A body of this type.
    pub fn new(kind: impl Into<Cow<'static, str>>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Body { kind: kind.into(), bytes: bytes.into() }
    }

    /// A session description (RFC 8866).
    pub fn sdp(bytes: impl Into<Arc<[u8]>>) -> Self {
        Body::new(WELL_KNOWN[0].0, bytes)
    }

    /// Whether it is of this type, in any case.
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    /// As it is sent.
    #[must_use]
    pub fn content(&self) -> Content<'_> {
        (&self.kind, &self.bytes)
    }

    /// The body of a message; `None` if that is empty.
    pub(super) fn of(message: &Message<'_>) -> Option<Self> {
        if message.body.is_empty() {
            return None;
        }
        let kind = match message.content_type() {
            None => Cow::Borrowed(""),
            Some(media) => match WELL_KNOWN.iter().find(|(_, type_, subtype)| media.is(type_, subtype)) {
                Some((known, ..)) => Cow::Borrowed(*known),
                None => Cow::Owned(message.text(crate::sip::Name::ContentType).unwrap_or_default().to_owned()),
            },
        };
        Some(Body { kind, bytes: message.body.into() })
    }
}

/// By which request a session's description is offered again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OfferBy {
    /// A re-INVITE (RFC 3261 14).
    Invite,
    /// An UPDATE (RFC 3311).
    Update,
}

/// What an offer of ours within a session is for. Of each purpose one may wait; a newer one takes the place of one that waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Media shall change: hold, resume, another codec or address.
    Media,
    /// Nothing shall change: whether the peer answers shows that it is there.
    Alive,
}

/// Why an offer of ours within a session came to nothing. What was agreed before stands (RFC 3261 14.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OfferFailure {
    /// The peer refused with this status: 300 to 699.
    Refused(u16),
    /// No answer came in time, or there is no way to the peer.
    Unanswered,
    /// It had not been sent yet, and a newer one of the same purpose took its place.
    Replaced,
    /// The session ended first.
    Ended,
}

/// Who says that a call of ours has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailedBy {
    /// The peer, or a proxy on the way.
    Peer,
    /// Nobody: no answer came in time. The status is 408 (RFC 3261 8.1.3.1).
    Timeout,
    /// Our transport: there is no way to the peer. The status is 503 (RFC 3261 8.1.3.1).
    Transport,
}

/// Why the peer is in the session no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GoneWhy {
    /// It hung up.
    HungUp,
    /// It gave its call up before our final answer, which was 487 therefore.
    Cancelled,
    /// It never acknowledged our 2xx; we are hanging up (RFC 3261 13.3.1.4).
    Unacknowledged,
    /// Its connection broke before our final answer.
    Unreachable,
}

/// What happened to a session. Whatever owns the session gets these in order; [`SessionEvent::Over`] is the last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SessionEvent {
    /// The party called rings, or lets itself be heard before it answers.
    Ringing {
        /// 101 to 199.
        status: u16,
        /// Its description of what can be heard, if it sent one.
        body: Option<Body>,
    },
    /// The party called has answered, and we have acknowledged that.
    Answered {
        /// Its answer to our offer, if it sent one.
        body: Option<Body>,
    },
    /// The party called has answered although we had cancelled. It is being hung up.
    AnsweredLate,
    /// The call of ours has no chance any more, whether we had cancelled it or not.
    Failed {
        /// The final status: 300 to 699.
        status: u16,
        /// Whose word that is.
        by: FailedBy,
    },
    /// The caller has acknowledged our answer. Only now may we offer again or hang up without delay.
    Acknowledged,
    /// The peer offers again: to be answered by [`answer_offer`](super::SessionMut::answer_offer) or
    /// [`refuse_offer`](super::SessionMut::refuse_offer).
    Offered {
        /// The offer.
        body: Body,
        /// By which request.
        by: OfferBy,
    },
    /// The peer takes its offer back before it was answered: an answer would go nowhere.
    OfferWithdrawn,
    /// An offer of ours was accepted.
    OfferAnswered {
        /// What the offer was for.
        purpose: Purpose,
        /// The answer, if there is one.
        body: Option<Body>,
    },
    /// An offer of ours came to nothing.
    OfferFailed {
        /// What the offer was for.
        purpose: Purpose,
        /// Why.
        why: OfferFailure,
    },
    /// The peer answered our question whether it is still there. 408 and 481 say that it is not (RFC 5057 5.1).
    ProbeAnswered {
        /// 200 to 699.
        status: u16,
    },
    /// The peer did not answer that question, or cannot be reached.
    ProbeUnanswered,
    /// Keys that the peer pressed, by signalling: `application/dtmf-relay` or `application/dtmf`. We have answered.
    Info {
        /// What was sent.
        body: Body,
    },
    /// The peer asks us to call somebody: to be answered by [`respond_refer`](super::SessionMut::respond_refer).
    Referred {
        /// The URI of whom to call, as written.
        refer_to: Box<str>,
        /// Whether that call shall take another's place (RFC 3891).
        has_replaces: bool,
    },
    /// The peer is not in the session any more.
    Gone {
        /// Why.
        why: GoneWhy,
    },
    /// The session is over: nothing more is sent in it or told of it, and its id refers to nothing.
    Over,
}

/// What came of a request outside of any session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoneEvent {
    /// Some answer: 100 to 699.
    Answered(u16),
    /// None in time, or there is no way to the peer.
    Unanswered,
}
