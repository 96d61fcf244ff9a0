//! The INVITE client transaction (RFC 3261 17.1.1; RFC 6026 8.4).

use std::time::Duration;

use super::{Action::*, Actions, Class, T1, T1_64, Timer, actions};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Sent, nothing heard.
    Calling,
    /// A provisional answer came. Only a final answer, or giving up after CANCEL, ends this.
    Proceeding,
    /// Rejected and acknowledged; repeated rejections are acknowledged again.
    Completed,
    /// Accepted; repeated and forked 2xx go to the user.
    Accepted,
    Terminated,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    Timer(Timer),
    Response(Class),
    /// The user has sent CANCEL: the final answer is waited for, but not for ever.
    Cancelled,
    Broken,
}

#[derive(Clone, Debug)]
pub(crate) struct ClientInvite {
    pub(crate) state: State,
    unreliable: bool,
    interval: Duration,
}

impl ClientInvite {
    pub(crate) fn start(unreliable: bool) -> (Self, Actions) {
        let mut first = actions([SendRequest, Set(Timer::B, T1_64)]);
        if unreliable {
            first.push(Set(Timer::A, T1));
        }
        (ClientInvite { state: State::Calling, unreliable, interval: T1 }, first)
    }

    pub(crate) fn on(&mut self, input: Input) -> Actions {
        let (state, list) = match (self.state, input) {
            (State::Calling, Input::Timer(Timer::A)) => {
                self.interval *= 2;
                (State::Calling, actions([SendRequest, Set(Timer::A, self.interval)]))
            }
            (State::Calling, Input::Timer(Timer::B)) | (State::Proceeding, Input::Timer(Timer::CancelWait)) => {
                (State::Terminated, actions([TellTimeout, End]))
            }
            (State::Calling, Input::Response(Class::Provisional)) => {
                (State::Proceeding, actions([Stop(Timer::A), Stop(Timer::B), TellResponse]))
            }
            (State::Proceeding, Input::Response(Class::Provisional)) => (State::Proceeding, actions([TellResponse])),
            (State::Calling | State::Proceeding, Input::Response(Class::Success)) => {
                (State::Accepted, actions([Stop(Timer::A), Stop(Timer::B), Set(Timer::M, T1_64), Forget, TellResponse]))
            }
            (State::Calling | State::Proceeding, Input::Response(Class::Rejection)) if self.unreliable => {
                (State::Completed, actions([Stop(Timer::A), Stop(Timer::B), SendAck, Set(Timer::D, T1_64), TellResponse]))
            }
            (State::Calling | State::Proceeding, Input::Response(Class::Rejection)) => {
                (State::Terminated, actions([SendAck, TellResponse, End]))
            }
            (State::Calling | State::Proceeding, Input::Cancelled) => {
                (State::Proceeding, actions([Stop(Timer::A), Stop(Timer::B), Set(Timer::CancelWait, T1_64)]))
            }
            (State::Completed, Input::Response(Class::Rejection)) => (State::Completed, actions([SendAck])),
            (State::Completed, Input::Timer(Timer::D)) | (State::Accepted, Input::Timer(Timer::M)) => {
                (State::Terminated, actions([End]))
            }
            (State::Accepted, Input::Response(Class::Success)) => (State::Accepted, actions([TellResponse])),
            (State::Calling | State::Proceeding | State::Completed, Input::Broken) => {
                (State::Terminated, actions([TellBroken, End]))
            }
            (state, _) => (state, Actions::new()),
        };
        self.state = state;
        list
    }
}
