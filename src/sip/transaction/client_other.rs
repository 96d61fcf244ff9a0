//! The client transaction of every request but INVITE and ACK (RFC 3261 17.1.2).

use std::time::Duration;

use super::{Action::*, Actions, Class, T1, T1_64, T2, T4, Timer, actions};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Trying,
    Proceeding,
    /// Answered; repeated answers are absorbed.
    Completed,
    Terminated,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    Timer(Timer),
    Response(Class),
    Broken,
}

#[derive(Clone, Debug)]
pub(crate) struct ClientOther {
    pub(crate) state: State,
    unreliable: bool,
    interval: Duration,
}

impl ClientOther {
    pub(crate) fn start(unreliable: bool) -> (Self, Actions) {
        let mut first = actions([SendRequest, Set(Timer::F, T1_64)]);
        if unreliable {
            first.push(Set(Timer::E, T1));
        }
        (ClientOther { state: State::Trying, unreliable, interval: T1 }, first)
    }

    pub(crate) fn on(&mut self, input: Input) -> Actions {
        let (state, list) = match (self.state, input) {
            (State::Trying, Input::Timer(Timer::E)) => {
                self.interval = (self.interval * 2).min(T2);
                (State::Trying, actions([SendRequest, Set(Timer::E, self.interval)]))
            }
            (State::Proceeding, Input::Timer(Timer::E)) => (State::Proceeding, actions([SendRequest, Set(Timer::E, T2)])),
            (State::Trying | State::Proceeding, Input::Timer(Timer::F)) => (State::Terminated, actions([TellTimeout, End])),
            (State::Trying | State::Proceeding, Input::Response(Class::Provisional)) => {
                (State::Proceeding, actions([TellResponse]))
            }
            (State::Trying | State::Proceeding, Input::Response(_)) if self.unreliable => {
                (State::Completed, actions([Stop(Timer::E), Stop(Timer::F), Set(Timer::K, T4), Forget, TellResponse]))
            }
            (State::Trying | State::Proceeding, Input::Response(_)) => (State::Terminated, actions([TellResponse, End])),
            (State::Completed, Input::Timer(Timer::K)) => (State::Terminated, actions([End])),
            (State::Trying | State::Proceeding, Input::Broken) => (State::Terminated, actions([TellBroken, End])),
            (state, _) => (state, Actions::new()),
        };
        self.state = state;
        list
    }
}
