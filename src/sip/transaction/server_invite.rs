//! The INVITE server transaction (RFC 3261 17.2.1; RFC 6026 8.5), and the retransmission of a 2xx until its ACK, which RFC 3261
//! 13.3.1.4 gives to the user of the transaction but which needs the same bytes and ends with the same Timer L.

use std::time::Duration;

use super::{Action::*, Actions, Class, T1, T1_64, T2, T4, TRYING_AFTER, Timer, actions};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// No final answer yet; `answered` tells whether any provisional one was sent.
    Proceeding {
        answered: bool,
    },
    /// Rejected; the rejection is repeated until its ACK comes.
    Completed,
    /// The ACK to the rejection came.
    Confirmed,
    /// Accepted; `acked` tells whether the 2xx still has to be repeated.
    Accepted {
        acked: bool,
    },
    Terminated,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    Timer(Timer),
    /// The INVITE came again.
    Again,
    /// An ACK that belongs to this transaction (to a rejection, by its branch).
    Ack,
    /// The user answers.
    Respond(Class),
    /// The ACK to the 2xx came, by its dialog.
    Acknowledged,
    Broken,
}

#[derive(Clone, Debug)]
pub(crate) struct ServerInvite {
    pub(crate) state: State,
    unreliable: bool,
    interval: Duration,
}

impl ServerInvite {
    pub(crate) fn start(unreliable: bool) -> (Self, Actions) {
        let machine = ServerInvite { state: State::Proceeding { answered: false }, unreliable, interval: T1 };
        (machine, actions([Set(Timer::Trying, TRYING_AFTER)]))
    }

    pub(crate) fn on(&mut self, input: Input) -> Actions {
        let (state, list) = match (self.state, input) {
            (State::Proceeding { answered: false }, Input::Timer(Timer::Trying)) => {
                (State::Proceeding { answered: false }, actions([SendTrying]))
            }
            (State::Proceeding { answered: false }, Input::Again) => {
                (State::Proceeding { answered: false }, actions([Stop(Timer::Trying), SendTrying]))
            }
            (State::Proceeding { answered: true }, Input::Again) => {
                (State::Proceeding { answered: true }, actions([SendResponse]))
            }
            (State::Proceeding { .. }, Input::Respond(Class::Provisional)) => {
                (State::Proceeding { answered: true }, actions([Stop(Timer::Trying), SendResponse]))
            }
            (State::Proceeding { .. }, Input::Respond(Class::Success)) => (
                State::Accepted { acked: false },
                actions([Stop(Timer::Trying), SendResponse, Set(Timer::L, T1_64), Set(Timer::Accepted2xx, T1)]),
            ),
            (State::Proceeding { .. }, Input::Respond(Class::Rejection)) => {
                let mut list = actions([Stop(Timer::Trying), SendResponse, Set(Timer::H, T1_64)]);
                if self.unreliable {
                    list.push(Set(Timer::G, T1));
                }
                (State::Completed, list)
            }
            (State::Completed, Input::Again) => (State::Completed, actions([SendResponse])),
            (State::Completed, Input::Timer(Timer::G)) => {
                self.interval = (self.interval * 2).min(T2);
                (State::Completed, actions([SendResponse, Set(Timer::G, self.interval)]))
            }
            (State::Completed, Input::Timer(Timer::H)) => (State::Terminated, actions([TellTimeout, End])),
            (State::Completed, Input::Ack) if self.unreliable => {
                (State::Confirmed, actions([Stop(Timer::G), Stop(Timer::H), Set(Timer::I, T4), Forget]))
            }
            (State::Completed, Input::Ack) => (State::Terminated, actions([End])),
            (State::Confirmed, Input::Timer(Timer::I)) => (State::Terminated, actions([End])),
            (State::Accepted { acked: false }, Input::Timer(Timer::Accepted2xx)) => {
                self.interval = (self.interval * 2).min(T2);
                (State::Accepted { acked: false }, actions([SendResponse, Set(Timer::Accepted2xx, self.interval)]))
            }
            (State::Accepted { .. }, Input::Acknowledged) => {
                (State::Accepted { acked: true }, actions([Stop(Timer::Accepted2xx), Forget]))
            }
            (State::Accepted { acked }, Input::Ack) => (State::Accepted { acked }, actions([TellAck])),
            (State::Accepted { acked: false }, Input::Timer(Timer::L)) => (State::Terminated, actions([TellTimeout, End])),
            (State::Accepted { acked: true }, Input::Timer(Timer::L)) => (State::Terminated, actions([End])),
            (State::Proceeding { .. } | State::Completed | State::Accepted { acked: false }, Input::Broken) => {
                (State::Terminated, actions([TellBroken, End]))
            }
            (state, _) => (state, Actions::new()),
        };
        self.state = state;
        list
    }
}
