//! Rules that a test can take out, to show that the simulation notices. In production none can be.

#[cfg(test)]
use super::Engine;

/// A rule of the house.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(not(test), allow(dead_code, reason = "only tests take rules out"))]
pub(crate) enum Rule {
    /// When the caller is gone, the agent gets a BYE.
    ByeToAgent,
    /// A ring has a deadline.
    RingDeadline,
    /// An agent whose ringing failed is let go.
    LetGo,
    /// A caller whose agent did not answer is put back into the queue.
    PutBack,
    /// A caller who leaves is taken out of the queue.
    Leave,
    /// A talk begins a segment of its own.
    TalkSegment,
    /// A state that should not last has a deadline.
    StateDeadline,
    /// An INFO is taken without a panic.
    SoundInfo,
    /// Where several agents ring for a caller and one answers, the others are let go.
    OthersLose,
    /// The other phones of an agent, and those of a caller who left, are cancelled.
    CancelRing,
    /// A call over a trunk outward is counted until its leg is gone.
    CallsOut,
    /// An agent whom no port was free for is rung as soon as there is one.
    RingForPorts,
    /// Who registered over a connection is not rung over it once it is gone.
    BrokenConnections,
    /// A registration lapses at its time.
    Lapse,
    /// An agent is offered nothing while one of the agent's phones may ring.
    SilentPhones,
    /// An agent's own call makes the agent busy until it is over, and no longer.
    OwnCallOver,
    /// A caller who could not be passed on is with the agent again.
    TransferReturns,
    /// The longest talk is as long as its queue says.
    TalkMax,
    /// All endpoints of a contact are of one media thread.
    OneThread,
    /// A talk's limit goes on while its caller is being passed on.
    LimitWhilePassedOn,
    /// What was asked while the caller waited ends no talk.
    ProbesOfTheWait,
    /// How old datagrams are is not told by what comes over connections.
    AgesApart,
    /// A call that was refused is refused when its INVITE comes again.
    RefusedAgain,
    /// Whoever was called in particular is let go once.
    LetGoOnce,
    /// Who was passed on to a line that does not take them is with nobody any more.
    WithNobody,
    /// An agent's desk hears of a call of the agent's own.
    BusyFirst,
    /// Whoever is outside ends a talk in its own name.
    EndedOutside,
}

/// The rule that a test has taken out, if any. In production it is an empty type.
#[derive(Clone, Copy, Default)]
pub(super) struct TakenOut(#[cfg(test)] Option<Rule>);

impl TakenOut {
    /// Whether the rule holds; in production every one does.
    #[cfg(not(test))]
    #[allow(clippy::unused_self, reason = "in tests it looks")]
    pub(super) const fn holds(self, _rule: Rule) -> bool {
        true
    }

    #[cfg(test)]
    pub(super) const fn holds(self, rule: Rule) -> bool {
        !matches!(self.0, Some(out) if out as u8 == rule as u8)
    }
}

#[cfg(test)]
impl Engine {
    /// Takes a rule out.
    pub(crate) fn take_out(&mut self, rule: Rule) {
        self.taken_out = TakenOut(Some(rule));
    }

    /// Has the next delivery of this name panic.
    pub(crate) fn panic_at(&mut self, name: &'static str) {
        self.panic_at = Some(name);
    }

    /// Whether the panic that a test wants is still to come.
    pub(crate) fn waits_for_panic(&self) -> bool {
        self.panic_at.is_some()
    }

    /// What was handed on since this was last asked.
    pub(crate) fn take_deliveries(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.deliveries)
    }

    pub(super) fn panics_at(&mut self, what: &super::Delivery) {
        let name = what.name();
        self.deliveries.push(name);
        if self.panic_at == Some(name) {
            self.panic_at = None;
            panic!("a test has broken an invariant: {name}");
        }
    }
}

/// The kinds of delivery that a day has.
#[cfg(test)]
pub(crate) const DELIVERIES: &[&str] = &[
    "to desk: command",
    "to desk: rings",
    "to desk: talks",
    "to desk: ring over",
    "to desk: talk over",
    "to desk: legs began",
    "to desk: leg gone",
    "to desk: own call",
    "to desk: own call over",
    "to desk: take",
    "to contact: begin",
    "to contact: taken",
    "to contact: not taken",
    "to contact: rung",
    "to contact: a leg's end",
    "to contact: a leg has failed",
    "to contact: a leg has answered",
    "to contact: a leg tells",
    "to leg: answer",
    "to leg: end",
    "to leg: cancel",
    "to leg: other",
    "call",
    "agent left",
    "session: its end",
    "session: answered",
    "session: other",
    "media",
    "contact timer",
    "desk timer",
    "agent woken",
    "contact woken",
];

#[cfg(test)]
impl super::Delivery {
    fn name(&self) -> &'static str {
        use super::Delivery;
        use super::between::{Between, LegEvent, Reason, ToContact, ToDesk, ToLeg};
        use super::media_port::MediaEvent;
        use crate::sip::session::SessionEvent;
        match self {
            Delivery::Message(Between::ToDesk(_, message)) => match message {
                ToDesk::Command(_) => "to desk: command",
                ToDesk::Rings(..) => "to desk: rings",
                ToDesk::Talks(..) => "to desk: talks",
                ToDesk::RingOver(..) => "to desk: ring over",
                ToDesk::TalkOver(..) => "to desk: talk over",
                ToDesk::LegsBegan(_) => "to desk: legs began",
                ToDesk::LegGone => "to desk: leg gone",
                ToDesk::OwnCall => "to desk: own call",
                ToDesk::OwnCallOver => "to desk: own call over",
                ToDesk::Take(..) => "to desk: take",
            },
            Delivery::Message(Between::ToContact(_, message)) => match message {
                ToContact::Begin(_) => "to contact: begin",
                ToContact::Taken(..) => "to contact: taken",
                ToContact::NotTaken(_) => "to contact: not taken",
                ToContact::Rung(..) => "to contact: rung",
                ToContact::Leg(_, LegEvent::Over | LegEvent::Left | LegEvent::Gone) => "to contact: a leg's end",
                ToContact::Leg(_, LegEvent::Failed(_)) => "to contact: a leg has failed",
                ToContact::Leg(_, LegEvent::Answered) => "to contact: a leg has answered",
                ToContact::Leg(..) => "to contact: a leg tells",
            },
            Delivery::Message(Between::ToLeg(_, message)) => match message {
                ToLeg::Accept { .. } | ToLeg::Progress { .. } => "to leg: answer",
                ToLeg::End(_) | ToLeg::HangUp => "to leg: end",
                ToLeg::Cancel(_) => "to leg: cancel",
                _ => "to leg: other",
            },
            Delivery::Message(Between::Call(_)) => "call",
            Delivery::Message(Between::AgentLeft) => "agent left",
            Delivery::Session(_, SessionEvent::Over) => "session: its end",
            Delivery::Session(_, SessionEvent::Answered { .. }) => "session: answered",
            Delivery::Session(..) => "session: other",
            Delivery::Lone(..) => "answer to a probe",
            // Bookkeeping alone: there is nobody whom a panic in it could cost.
            Delivery::Media(MediaEvent::Leased(_) | MediaEvent::Closed { .. }) => "ports and counts",
            Delivery::Media(_) => "media",
            Delivery::Timer(Reason::Contact(..)) => "contact timer",
            Delivery::Timer(Reason::Desk(..)) => "desk timer",
            Delivery::Timer(Reason::Probe(_)) => "probe timer",
            Delivery::AgentWoken(_) => "agent woken",
            Delivery::ContactWoken(_) => "contact woken",
        }
    }
}
