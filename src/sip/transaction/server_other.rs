//! The server transaction of every request but INVITE and ACK (RFC 3261 17.2.2).

use super::{Action::*, Actions, Class, T1_64, Timer, actions};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Nothing was answered yet: repetitions are absorbed.
    Trying,
    Proceeding,
    /// Answered finally: repetitions are answered again.
    Completed,
    Terminated,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    Timer(Timer),
    /// The request came again.
    Again,
    /// The user answers.
    Respond(Class),
    Broken,
}

#[derive(Clone, Debug)]
pub(crate) struct ServerOther {
    pub(crate) state: State,
    unreliable: bool,
}

impl ServerOther {
    /// Whoever uses it answers every request before the input that brought it is done with, so nothing is waited for in `Trying`.
    pub(crate) fn start(unreliable: bool) -> (Self, Actions) {
        (ServerOther { state: State::Trying, unreliable }, Actions::new())
    }

    pub(crate) fn on(&mut self, input: Input) -> Actions {
        let (state, list) = match (self.state, input) {
            (State::Trying | State::Proceeding, Input::Respond(Class::Provisional)) => {
                (State::Proceeding, actions([SendResponse]))
            }
            (State::Trying | State::Proceeding, Input::Respond(_)) if self.unreliable => {
                (State::Completed, actions([SendResponse, Set(Timer::J, T1_64)]))
            }
            (State::Trying | State::Proceeding, Input::Respond(_)) => (State::Terminated, actions([SendResponse, End])),
            (State::Proceeding | State::Completed, Input::Again) => (self.state, actions([SendResponse])),
            (State::Completed, Input::Timer(Timer::J)) => (State::Terminated, actions([End])),
            (_, Input::Broken) => (State::Terminated, actions([End])),
            (state, _) => (state, Actions::new()),
        };
        self.state = state;
        list
    }
}
