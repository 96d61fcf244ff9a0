//! What a session remembers in each of its states (RFC 3261 12, 13, 14, 15).
//!
//! Owns the types and what follows from them alone. It sends nothing; the files beside it move a session from one state to the next.
//!
//! ```text
//! Incoming ──accept──▶ Up ──hang_up──▶ Ending ──answer to BYE──▶ Over
//! Outgoing ──2xx─────▶ Up ──their BYE──────────────────────────▶ Over
//!    └──2xx after CANCEL──────────────▶ Ending
//! ```

use std::sync::Arc;

use super::event::{Body, OfferBy, Purpose};
use super::id::SessionId;
use super::proof::{Prover, Written};
use super::way::Way;
use crate::base::deadline::DeadlineId;
use crate::sip::dialog::Dialog;
use crate::sip::flow::Flow;
use crate::sip::stack::{ClientTx, ServerTx};

/// How many offers of ours may wait for their turn: one of each [`Purpose`].
pub const OFFERS_WAITING_MAX: usize = 2;

/// A session: an INVITE usage from its first request to its last answer.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) side: Side,
    pub(super) way: Way,
    /// What challenges are answered with, if anything.
    pub(super) prover: Option<Box<Prover>>,
    /// It is being ended, and nobody is told: its owner has failed, or it is a fork that nobody wants.
    pub(super) unowned: bool,
    pub(super) state: State,
}

impl Session {
    /// The session whose call this one has answered as a fork that nobody wants.
    pub(super) const fn fork_of(&self) -> Option<SessionId> {
        if let State::Ending(ending) = &self.state { ending.fork_of } else { None }
    }
}

/// Who began the session, and so made its Call-ID (RFC 3261 14.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Ours,
    /// With the session's key in the table of calls that came in.
    Theirs(u128),
}

#[derive(Debug)]
pub(super) enum State {
    /// Their INVITE has no final answer of ours.
    Incoming(Incoming),
    /// Our INVITE has no final answer of theirs.
    Outgoing(Outgoing),
    /// The dialog is confirmed.
    Up(Up),
    /// We are hanging up.
    Ending(Ending),
    /// Nothing is left to do. A session is seen like this only while it moves from one state to the next.
    Over,
}

#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) tx: ServerTx,
    /// The INVITE's sequence number, which its ACK repeats.
    pub(super) cseq: u32,
    pub(super) dialog: Dialog,
    pub(super) negotiation: Negotiation,
}

#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) tx: ClientTx,
    pub(super) call_id: Box<str>,
    pub(super) cseq: u32,
    pub(super) cancelled: bool,
    /// What the INVITE at hand proves itself with; its ACK repeats that.
    pub(super) credentials: Written,
    /// What the INVITE is written from once more when it is challenged; only where there is an answer to challenges.
    pub(super) again: Option<Box<Again>>,
}

/// An INVITE to be sent again with proof.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) uri: Box<str>,
    /// Its header lines, but for CSeq and credentials.
    pub(super) lines: Vec<u8>,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) struct Up {
    pub(super) dialog: Dialog,
    pub(super) accepted: Accepted,
    /// Our ACK to the last 2xx that we got.
    pub(super) ack: Option<Ack>,
    pub(super) negotiation: Negotiation,
    /// Offers of ours that wait, first come first; at most [`OFFERS_WAITING_MAX`].
    pub(super) waiting: Vec<Waiting>,
    /// Running while an offer that met theirs waits to be made again (RFC 3261 14.1).
    pub(super) glare: Option<DeadlineId>,
    /// Their REFER that the owner has not decided on.
    pub(super) refer: Option<ServerTx>,
}

/// Whether a 2xx of ours to an INVITE still waits for its ACK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Accepted {
    /// None does.
    Acknowledged,
    /// That to the INVITE which began the session: until its ACK comes, no BYE may go (RFC 3261 15), and nothing may be offered.
    First(ServerTx, u32),
    /// That to an INVITE within the dialog: until its ACK comes, we may send none of ours (RFC 3261 14.1).
    Later(ServerTx, u32),
}

impl Accepted {
    /// The transaction of the 2xx that an ACK with this number acknowledges.
    pub(super) fn by(self, number: u32) -> Option<ServerTx> {
        match self {
            Accepted::First(tx, cseq) | Accepted::Later(tx, cseq) if cseq == number => Some(tx),
            _ => None,
        }
    }

    pub(super) fn tx(self) -> Option<ServerTx> {
        match self {
            Accepted::First(tx, _) | Accepted::Later(tx, _) => Some(tx),
            Accepted::Acknowledged => None,
        }
    }
}

/// Our ACK to a 2xx, to be sent again when that comes again (RFC 3261 13.2.2.4).
#[derive(Debug)]
pub(super) struct Ack {
    pub(super) cseq: u32,
    pub(super) flow: Flow,
    pub(super) bytes: Arc<[u8]>,
    /// What it proves itself with, for the ACKs to other forks of the same INVITE.
    pub(super) credentials: Written,
}

/// Whose offer is open (RFC 3264 4, RFC 6337).
#[derive(Debug)]
pub(super) enum Negotiation {
    /// Nothing is agreed: the offer of their first INVITE has not been answered, not even by a 183.
    Idle,
    /// Ours, by a request within the dialog.
    WeOffered(Box<OurOffer>),
    /// Theirs, by a request within the dialog.
    TheyOffered(TheirOffer),
    /// Nobody's; what was agreed last stands.
    Agreed,
}

#[derive(Debug)]
pub(super) struct OurOffer {
    pub(super) tx: ClientTx,
    pub(super) cseq: u32,
    pub(super) credentials: Written,
    pub(super) what: Waiting,
}

/// An offer of ours to be made.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) purpose: Purpose,
    pub(super) by: OfferBy,
    pub(super) body: Body,
    /// How often it has met an offer of theirs.
    pub(super) glares: u8,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct TheirOffer {
    pub(super) tx: ServerTx,
    pub(super) by: OfferBy,
    pub(super) cseq: u32,
}

#[derive(Debug)]
pub(super) struct Ending {
    pub(super) dialog: Dialog,
    /// As in [`Up`]: their 2xx may come again while we hang up.
    pub(super) ack: Option<Ack>,
    /// The 2xx of ours whose ACK our BYE waits for, and that ACK's number (RFC 3261 15). `None` once the BYE is sent.
    pub(super) bye_after: Option<(ServerTx, u32)>,
    /// Of a fork that nobody wants: the session whose call it has answered.
    pub(super) fork_of: Option<SessionId>,
}

impl State {
    pub(super) fn dialog(&self) -> Option<&Dialog> {
        match self {
            State::Incoming(Incoming { dialog, .. }) | State::Up(Up { dialog, .. }) | State::Ending(Ending { dialog, .. }) => {
                Some(dialog)
            }
            State::Outgoing(_) | State::Over => None,
        }
    }

    pub(super) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match self {
            State::Incoming(Incoming { dialog, .. }) | State::Up(Up { dialog, .. }) | State::Ending(Ending { dialog, .. }) => {
                Some(dialog)
            }
            State::Outgoing(_) | State::Over => None,
        }
    }

    pub(super) fn ack(&self) -> Option<&Ack> {
        match self {
            State::Up(up) => up.ack.as_ref(),
            State::Ending(ending) => ending.ack.as_ref(),
            State::Incoming(_) | State::Outgoing(_) | State::Over => None,
        }
    }
}

impl Up {
    pub(super) fn new(dialog: Dialog, accepted: Accepted) -> Self {
        Up { dialog, accepted, ack: None, negotiation: Negotiation::Agreed, waiting: Vec::new(), glare: None, refer: None }
    }
}
