//! The state of an agent: a state machine without a clock. Every state that should not last has a deadline.
//!
//! It knows nothing of phones or of the matcher. The engine reports what happened, and afterwards has the matcher enter the agent into
//! the ready index or takes it out, as [`Agent::wants_contacts`] says.

use std::time::Duration;

use super::claim::ContactSlot;
use super::matcher::Standing;
use crate::base::Time;
use crate::base::words::{AgentState, BreakReason, OfferOutcome};

/// An agent's state, with what is meaningful in it and nothing else. `C` is how a contact is named: by its slot in the matcher, or for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State<C = ContactSlot> {
    /// Not signed in.
    Offline,
    /// Free.
    Ready,
    /// Claimed; the ring has not begun.
    Reserved {
        /// The contact.
        contact: C,
        /// When the reservation counts as stuck.
        until: Time,
    },
    /// The phone rings.
    Ringing {
        /// The contact.
        contact: C,
        /// When the ringing counts as stuck: well after the ring time-out, which is the contact's.
        until: Time,
    },
    /// In a talk.
    Talking {
        /// The contact.
        contact: C,
        /// When the talk counts as stuck: after the longest talk, which is the contact's to end.
        until: Time,
    },
    /// In wrap-up.
    WrapUp {
        /// When the agent becomes ready.
        until: Time,
    },
    /// Not available.
    Break {
        /// The reason.
        reason: BreakReason,
        /// When the agent becomes ready again; `None`: when the agent says so.
        until: Option<Time>,
    },
    /// In calls of their own.
    Busy {
        /// When the calls count as stuck.
        until: Time,
    },
}

impl<C: Copy> State<C> {
    /// The state without its details, as metrics and events name it.
    #[must_use]
    pub const fn word(&self) -> AgentState {
        match self {
            State::Offline => AgentState::Offline,
            State::Ready => AgentState::Ready,
            State::Reserved { .. } => AgentState::Reserved,
            State::Ringing { .. } => AgentState::Ringing,
            State::Talking { .. } => AgentState::Talking,
            State::WrapUp { .. } => AgentState::WrapUp,
            State::Break { .. } => AgentState::Break,
            State::Busy { .. } => AgentState::Busy,
        }
    }

    /// The agent's standing for others; `None`: not signed in.
    #[must_use]
    pub const fn standing(&self) -> Option<Standing> {
        match self {
            State::Offline => None,
            State::Ready => Some(Standing::Free),
            State::Break { .. } => Some(Standing::Break),
            State::Reserved { .. }
            | State::Ringing { .. }
            | State::Talking { .. }
            | State::WrapUp { .. }
            | State::Busy { .. } => Some(Standing::Busy),
        }
    }

    /// The state's deadline, if it has one.
    #[must_use]
    pub const fn deadline(&self) -> Option<Time> {
        match self {
            State::Offline | State::Ready => None,
            State::Reserved { until, .. }
            | State::Ringing { until, .. }
            | State::Talking { until, .. }
            | State::WrapUp { until }
            | State::Busy { until, .. } => Some(*until),
            State::Break { until, .. } => *until,
        }
    }

    /// The contact that holds the agent.
    #[must_use]
    pub const fn contact(&self) -> Option<C> {
        match self {
            State::Reserved { contact, .. } | State::Ringing { contact, .. } | State::Talking { contact, .. } => Some(*contact),
            _ => None,
        }
    }
}

/// The agent's state after the present one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Afterwards {
    Ready,
    Break(BreakReason),
    Offline,
}

/// The longest reservation without a ring.
pub const RESERVED_MAX: Duration = Duration::from_secs(5);
/// How much longer than the contact's own limit an agent's state lasts before it counts as stuck.
pub const STUCK_MARGIN: Duration = Duration::from_secs(40);
/// A phone that says nothing is asked for so long, and may answer at the last moment: only then can it be told to stop.
const SILENT_PHONE: Duration = Duration::from_secs(32);
/// The longest call of an agent's own.
pub const OWN_CALL_MAX: Duration = Duration::from_secs(4 * 3600);

/// An agent's state, with what it has put off.
#[derive(Clone, Debug)]
pub struct Agent<C = ContactSlot> {
    state: State<C>,
    since: Time,
    afterwards: Afterwards,
    /// Calls of the agent's own that are up.
    own_calls: u8,
    occupied: Duration,
}

/// What the deadline of an agent's state meant when it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// Nothing was due (the state changed meanwhile).
    Nothing,
    /// Wrap-up or a break with an end is over.
    Over,
    /// The state was stuck, and the agent was freed of it. It must never happen, and is counted as a repair.
    Stuck(AgentState),
}

impl<C: Copy + PartialEq> Agent<C> {
    /// An agent who is not signed in.
    #[must_use]
    pub fn new(now: Time) -> Self {
        Agent { state: State::Offline, since: now, afterwards: Afterwards::Ready, own_calls: 0, occupied: Duration::ZERO }
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> &State<C> {
        &self.state
    }

    /// When the state began.
    #[must_use]
    pub const fn since(&self) -> Time {
        self.since
    }

    /// How long the agent has talked since signing in.
    #[must_use]
    pub const fn occupied(&self) -> Duration {
        self.occupied
    }

    /// How many calls of the agent's own are up.
    #[must_use]
    pub const fn own_calls(&self) -> u8 {
        self.own_calls
    }

    /// Whether the agent is to be in the ready index.
    #[must_use]
    pub const fn wants_contacts(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    fn become_(&mut self, now: Time, state: State<C>) {
        self.state = state;
        self.since = now;
    }

    /// The agent is not held and in no call: what was put off can happen.
    fn settle(&mut self, now: Time) {
        let next = match self.afterwards {
            _ if self.own_calls > 0 => State::Busy { until: now + OWN_CALL_MAX + STUCK_MARGIN },
            Afterwards::Ready => State::Ready,
            Afterwards::Break(reason) => State::Break { reason, until: None },
            Afterwards::Offline => State::Offline,
        };
        if next == State::Offline {
            self.occupied = Duration::ZERO;
        }
        self.become_(now, next);
    }

    fn free_to_change(&self) -> bool {
        matches!(self.state, State::Offline | State::Ready | State::WrapUp { .. } | State::Break { .. })
    }

    /// The agent asks to be ready: at once, or after the present contact or call. Ends wrap-up.
    pub fn ask_ready(&mut self, now: Time) {
        self.afterwards = Afterwards::Ready;
        if self.free_to_change() && self.state != State::Ready {
            self.settle(now);
        }
    }

    /// The agent asks for a break: at once, or after the present contact or call.
    pub fn ask_break(&mut self, now: Time, reason: BreakReason) {
        self.afterwards = Afterwards::Break(reason);
        if self.free_to_change() {
            self.settle(now);
        }
    }

    /// A further slot of the agent whose first slot this is joins it. It does what the first does when that is free: at
    /// once, or after its own contact.
    pub fn join(&mut self, first: &Self, now: Time) {
        match first.state {
            State::Offline => return self.sign_out(now),
            State::Break { reason: BreakReason::Rona, .. } => self.afterwards = Afterwards::Break(BreakReason::Rona),
            _ => self.afterwards = first.afterwards,
        }
        if self.free_to_change() {
            self.settle(now);
        }
    }

    /// The agent has missed a ring with another of its slots. This slot takes a break, too, as soon as it is free.
    pub fn missed_elsewhere(&mut self, now: Time) {
        let at_work = !matches!(self.state, State::Offline | State::Break { .. });
        if at_work && self.afterwards == Afterwards::Ready {
            self.ask_break(now, BreakReason::Rona);
        }
    }

    /// The agent who missed a ring is back.
    pub fn is_back(&mut self, now: Time) {
        let missed = Afterwards::Break(BreakReason::Rona);
        if matches!(self.state, State::Break { reason: BreakReason::Rona, .. }) || self.afterwards == missed {
            self.ask_ready(now);
        }
    }

    /// Signs in, on break until the agent asks to be ready, unless already signed in.
    pub fn sign_in(&mut self, now: Time) {
        if self.afterwards == Afterwards::Offline || self.state == State::Offline {
            self.ask_break(now, BreakReason::Asked);
        }
    }

    /// Signs out: at once, or after the present contact or call.
    pub fn sign_out(&mut self, now: Time) {
        self.afterwards = Afterwards::Offline;
        if self.free_to_change() && self.state != State::Offline {
            self.settle(now);
        }
    }

    /// Ends wrap-up early. False when there was none.
    pub fn end_wrap_up(&mut self, now: Time) -> bool {
        let wrapping = matches!(self.state, State::WrapUp { .. });
        if wrapping {
            self.settle(now);
        }
        wrapping
    }

    /// The matcher has claimed the agent. False when the agent's state allows no offer: the claim must be undone.
    pub fn reserve(&mut self, now: Time, contact: C) -> bool {
        let free = self.state == State::Ready;
        if free {
            self.become_(now, State::Reserved { contact, until: now + RESERVED_MAX });
        }
        free
    }

    /// The phone is being rung for `contact`, for at most `ring`.
    pub fn ring(&mut self, now: Time, contact: C, ring: Duration) {
        self.become_(now, State::Ringing { contact, until: now + ring.max(SILENT_PHONE) + STUCK_MARGIN });
    }

    /// The agent answered; the talk lasts at most `talk_max`.
    pub fn talk(&mut self, now: Time, contact: C, talk_max: Duration) {
        self.become_(now, State::Talking { contact, until: now + talk_max + STUCK_MARGIN });
    }

    /// The ringing is over without a talk; `outcome` decides whether the agent is ready, on a pause or on a break.
    pub fn ring_over(&mut self, now: Time, outcome: OfferOutcome, refused_pause: Duration) {
        if !matches!(self.state, State::Reserved { .. } | State::Ringing { .. }) {
            return;
        }
        match outcome {
            OfferOutcome::Refused | OfferOutcome::Busy if self.afterwards == Afterwards::Ready => {
                self.become_(now, State::Break { reason: BreakReason::Refused, until: Some(now + refused_pause) });
            }
            OfferOutcome::TimedOut | OfferOutcome::Unreachable if self.afterwards != Afterwards::Offline => {
                self.afterwards = Afterwards::Ready;
                self.become_(now, State::Break { reason: BreakReason::Rona, until: None });
            }
            _ => self.settle(now),
        }
    }

    /// The talk is over.
    pub fn talk_over(&mut self, now: Time, wrap_up: Duration) {
        if let State::Talking { .. } = self.state {
            self.occupied += now.since(self.since);
            // Who is in a call of their own has no time to wrap up.
            if wrap_up > Duration::ZERO && self.afterwards != Afterwards::Offline && self.own_calls == 0 {
                self.become_(now, State::WrapUp { until: now + wrap_up });
            } else {
                self.settle(now);
            }
        }
    }

    /// A call of the agent's own begins. An agent who is held by a contact is busy with it only afterwards.
    pub fn own_call(&mut self, now: Time) {
        self.own_calls = self.own_calls.saturating_add(1);
        let until = now + OWN_CALL_MAX + STUCK_MARGIN;
        match self.state {
            State::Busy { .. } => self.state = State::Busy { until },
            State::Break { reason: BreakReason::Refused, .. } | State::Ready | State::WrapUp { .. } => {
                self.become_(now, State::Busy { until });
            }
            State::Break { reason, .. } => {
                self.afterwards = Afterwards::Break(reason);
                self.become_(now, State::Busy { until });
            }
            State::Offline => {
                self.afterwards = Afterwards::Offline;
                self.become_(now, State::Busy { until });
            }
            State::Reserved { .. } | State::Ringing { .. } | State::Talking { .. } => {}
        }
    }

    /// A call of the agent's own is over.
    pub fn own_call_over(&mut self, now: Time) {
        assert!(!cfg!(test) || self.own_calls > 0, "nobody is let go twice");
        self.own_calls = self.own_calls.saturating_sub(1);
        if matches!(self.state, State::Busy { .. }) && self.own_calls == 0 {
            self.settle(now);
        }
    }

    /// After a fault: no contact has the agent, and so many calls of the agent's own are up.
    pub fn mend(&mut self, now: Time, own_calls: u8) {
        self.own_calls = own_calls;
        let busy = matches!(self.state, State::Busy { .. });
        if self.state.contact().is_some() || busy != (own_calls > 0) {
            self.settle(now);
        }
    }

    /// The state's deadline may have come. Returns what it meant.
    pub fn due(&mut self, now: Time) -> Due {
        if self.state.deadline().is_none_or(|until| until > now) {
            return Due::Nothing;
        }
        match self.state {
            State::WrapUp { .. } | State::Break { .. } => {
                self.settle(now);
                Due::Over
            }
            stuck => {
                if matches!(stuck, State::Busy { .. }) {
                    self.own_calls = 0;
                }
                self.settle(now);
                Due::Stuck(stuck.word())
            }
        }
    }
}

#[cfg(test)]
#[path = "agent_tests.rs"]
mod tests;
