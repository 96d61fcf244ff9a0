//! Rules that a test can take out, to show that the simulation notices. In production none can be.

#[cfg(test)]
use super::between::ContactRef;
#[cfg(test)]
use super::{Addressee, Engine};
#[cfg(test)]
use crate::base::ContactId;

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
    /// An agent whom a contact was offered to hears that it has left.
    LetGoOnLeaving,
    /// What one wake-up leaves to be followed, the next follows at once.
    GoesOn,
    /// An agent's desk hears of a call of the agent's own.
    BusyFirst,
    /// Whoever is outside ends a talk in its own name.
    EndedOutside,
    /// The desk of an agent of another shard hears whom the agent is claimed for.
    OfferNamed,
    /// Who was rung before a desk of another shard has declined is rung no more.
    DeclinedCancels,
    /// Other shards know an agent's devices.
    DevicesCopied,
    /// Other shards hear whether a trunk answers.
    TrunksToldOf,
    /// A leg that was given to another contact is not ended with the one that gave it.
    GivenIsAnothers,
    /// A leg of another shard hears that its contact is there.
    Renews,
    /// Contacts of all shards count against what there may be of them.
    ContactsOfAll,
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

/// What tests have an engine do, and learn of it.
#[cfg(test)]
#[derive(Default)]
pub(super) struct Hooks {
    /// The next delivery of this name panics.
    panic_at: Option<(String, Moment)>,
    payers: Payers,
    /// What was handed on, by name: each time control came back to the hub.
    deliveries: Vec<String>,
}

#[cfg(test)]
impl Engine {
    /// Takes a rule out.
    pub(crate) fn take_out(&mut self, rule: Rule) {
        self.taken_out = TakenOut(Some(rule));
    }

    /// Has the next delivery of this name panic, before its addressee does anything or when it has done everything.
    pub(crate) fn panic_at(&mut self, name: &str, moment: Moment) {
        self.hooks.panic_at = Some((name.to_owned(), moment));
    }

    /// Whether the panic that a test wants is still to come.
    pub(crate) fn waits_for_panic(&self) -> bool {
        self.hooks.panic_at.is_some()
    }

    /// Whom that panic was put down to.
    pub(crate) fn payers(&self) -> Payers {
        self.hooks.payers.clone()
    }

    /// The names of what was handed on since this was last asked.
    pub(crate) fn take_deliveries(&mut self) -> Vec<String> {
        std::mem::take(&mut self.hooks.deliveries)
    }

    /// Something of this name is handed on.
    pub(super) fn delivers(&mut self, name: &str) {
        self.hooks.deliveries.push(name.to_owned());
        self.panics_at(name, Moment::Before);
    }

    /// The place of the panic that a test wants.
    pub(super) fn panics_at(&mut self, name: &str, moment: Moment) {
        if self.hooks.panic_at.take_if(|(wanted, when)| wanted == name && *when == moment).is_some() {
            self.hooks.payers = match self.at_work {
                Addressee::Nobody => Payers::Nobody,
                Addressee::Contact(key) if key.shard != self.shard => Payers::Elsewhere,
                Addressee::Contact(key)
                | Addressee::Taker(key, ..)
                | Addressee::Host(key, _)
                | Addressee::Commander(ContactRef { key, .. }, _)
                | Addressee::Told(ContactRef { key, .. }, _) => Payers::Contact(self.contacts.names_of_those_up(&[key])),
                Addressee::Desk(agent) => {
                    let with_agent = self.contacts.part_of(agent).contacts;
                    Payers::Agent(self.contacts.names_of_those_up(&with_agent))
                }
            };
            panic!("a test has broken an invariant: {name}");
        }
    }
}

/// Whom the panic that a test wanted was put down to, and the contacts that were up of those.
#[cfg(test)]
#[derive(Clone, Default, Debug)]
pub(crate) enum Payers {
    #[default]
    Nobody,
    Contact(Vec<ContactId>),
    /// A contact of another shard.
    Elsewhere,
    Agent(Vec<ContactId>),
}

/// When a test has a delivery panic.
#[cfg(test)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    Before,
    After,
}

#[cfg(test)]
impl super::Delivery {
    /// What it is called in tests: whom it is for, and the name of what is said.
    pub(super) fn name(&self) -> String {
        use super::Delivery;
        use super::between::{Between, Reason, ToContact, ToLeg};
        let (to, what): (&str, &dyn std::fmt::Debug) = match self {
            Delivery::Message(Between::ToDesk(_, _, message)) => ("to desk", message),
            Delivery::Message(Between::ToContact(_, ToContact::Leg(_, event))) => ("leg to contact", event),
            Delivery::Message(Between::ToContact(_, ToContact::Guest(_, event))) => ("guest to contact", event),
            Delivery::Message(Between::ToContact(_, ToContact::News(news))) => ("news to contact", news),
            Delivery::Message(Between::ToContact(_, message)) => ("to contact", message),
            Delivery::Message(Between::ToLeg(_, ToLeg::Moving(moving))) => ("to leg", moving),
            Delivery::Message(Between::ToLeg(_, message)) => ("to leg", message),
            Delivery::Message(Between::FromMatcher(_, event)) => ("from matcher", event),
            Delivery::Message(Between::ToContacts(news)) => ("to contacts", news),
            Delivery::Message(Between::Settled(_, settled)) => ("to desk", settled),
            Delivery::Message(
                message @ (Between::Call(_)
                | Between::TakenUp
                | Between::Devices(..)
                | Between::Served(..)
                | Between::TrunkUp(..)
                | Between::DeskLost(_)),
            ) => ("hub", message),
            Delivery::Session(_, event) => ("session", event),
            Delivery::Lone(_, event) => ("probe", event),
            Delivery::Media(event) => ("media", event),
            Delivery::Text(_, input) => ("text", input),
            Delivery::Timer(Reason::Contact(_, timer)) => ("contact timer", timer),
            Delivery::Timer(Reason::Desk(_, timer)) => ("desk timer", timer),
            Delivery::Timer(reason @ (Reason::Probe(_) | Reason::Lease(_))) => ("timer", reason),
            Delivery::Offered(_) => ("from matcher", &"Offered"),
            Delivery::Command(_, command) => ("to matcher", command),
            Delivery::Settle(_) => ("to matcher", &"Settle"),
        };
        format!("{to}: {}", FirstName::of(what))
    }
}

/// The first name in what is written; the rest is not even formatted.
#[cfg(test)]
#[derive(Default)]
struct FirstName(String);

#[cfg(test)]
impl FirstName {
    fn of(what: &dyn std::fmt::Debug) -> String {
        let mut name = FirstName::default();
        // It breaks off as soon as it knows.
        let _ = std::fmt::write(&mut name, format_args!("{what:?}"));
        name.0
    }
}

#[cfg(test)]
impl std::fmt::Write for FirstName {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let text = text.trim_start_matches('"');
        let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
        self.0.push_str(&text[..end]);
        if end < text.len() { Err(std::fmt::Error) } else { Ok(()) }
    }
}
