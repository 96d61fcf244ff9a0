//! The four kinds of transaction as pure tables: state x input -> state, actions (RFC 3261 17, with the corrections of RFC 6026).
//!
//! One file a kind. A table holds no message, no socket and no clock: it says what to send, which timer to set or stop, and what to
//! tell the user of the transaction; [`super::stack`] does it. Every state that waits for something has a timer running.

use std::time::Duration;

use arrayvec::ArrayVec;

pub(crate) mod client_invite;
pub(crate) mod client_other;
pub(crate) mod server_invite;
pub(crate) mod server_other;

/// An estimate of the round trip, from which most timers follow (RFC 3261 table 4).
pub const T1: Duration = Duration::from_millis(500);
/// The longest interval between retransmissions of anything but an INVITE.
pub const T2: Duration = Duration::from_secs(4);
/// How long a message may stay in the network.
pub const T4: Duration = Duration::from_secs(5);
/// How long the other side is waited for.
pub const T1_64: Duration = Duration::from_secs(32);
/// After so long without an answer of its user, an INVITE is answered 100 (RFC 3261 17.2.1).
pub const TRYING_AFTER: Duration = Duration::from_millis(200);

/// The timers of RFC 3261 table 4 and RFC 6026, by their letters, and three that have none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// Retransmits an INVITE.
    A,
    /// Gives an INVITE up.
    B,
    /// Keeps a rejected INVITE's client side for retransmitted answers.
    D,
    /// Retransmits another request.
    E,
    /// Gives another request up.
    F,
    /// Retransmits a rejection of an INVITE.
    G,
    /// Gives up waiting for the ACK to a rejection.
    H,
    /// Absorbs retransmitted ACKs.
    I,
    /// Absorbs retransmitted requests.
    J,
    /// Absorbs retransmitted answers.
    K,
    /// Ends an accepted INVITE's server side (RFC 6026 8.5).
    L,
    /// Ends an accepted INVITE's client side (RFC 6026 8.4).
    M,
    /// Sends 100 when the user has said nothing yet (RFC 3261 17.2.1).
    Trying,
    /// Retransmits a 2xx until its ACK comes (RFC 3261 13.3.1.4).
    Accepted2xx,
    /// Gives up a cancelled INVITE whose final answer never came (RFC 3261 9.1).
    CancelWait,
}

impl Timer {
    /// Whether nobody waits for it: it only ends the absorbing of what is repeated, and may be a little late.
    #[must_use]
    pub const fn absorbs(self) -> bool {
        matches!(self, Timer::D | Timer::I | Timer::J | Timer::K | Timer::L | Timer::M)
    }
}

/// An action that a table asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Send the request, again or for the first time.
    SendRequest,
    /// Acknowledge a rejection (the transaction's own ACK).
    SendAck,
    /// Send the last response, again or for the first time.
    SendResponse,
    /// Send 100 Trying.
    SendTrying,
    /// Start a timer.
    Set(Timer, Duration),
    /// Stop a timer.
    Stop(Timer),
    /// Hand the response that came to the user.
    TellResponse,
    /// Hand the ACK that came to the user.
    TellAck,
    /// Tell the user that nothing came in time.
    TellTimeout,
    /// Tell the user that the transport failed.
    TellBroken,
    /// Forget the stored messages: they will not be sent again.
    Forget,
    /// The transaction is over.
    End,
}

/// The actions that a table asks for, in order.
pub(crate) type Actions = ArrayVec<Action, 5>;

/// Actions from a list.
pub(crate) fn actions<const N: usize>(list: [Action; N]) -> Actions {
    list.into_iter().collect()
}

/// A response's class, which is all that the tables look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    Provisional,
    Success,
    Rejection,
}

impl Class {
    pub(crate) fn of(status: u16) -> Self {
        match status {
            ..200 => Class::Provisional,
            200..300 => Class::Success,
            300.. => Class::Rejection,
        }
    }
}

#[cfg(test)]
mod tests;
