//! What the owners of one engine say to each other: legs, contacts and desks never touch each other's state, and no message returns a value.
//!
//! The matcher is spoken to in the same way: what came of a command is a message to the contact that has sent it.
//!
//! A message is queued, and the hub hands it to its addressee when whoever sent it is done. Every address carries its shard. An answer is
//! a message, too; waiting for one is a phase of its own with a deadline. Here are also the names by which owners know each other, and the
//! reasons for which they wake.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::agent_command::AgentCommand;
use super::devices::Binding;
use super::media_port::PromptName;
use crate::acd::ContactSlot;
use crate::acd::agent_slots::Settled;
use crate::acd::command::Event;
use crate::base::words::OfferOutcome;
use crate::base::{AgentId, ContactId, EndpointId, QueueId, ShardId, TrunkId};
use crate::call::conversation::Place;
use crate::call::leg::Role;
use crate::call::trunk::NumberTarget;

/// A leg of one shard; one that is gone refers to nothing, for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub(super) struct LegKey {
    pub(super) shard: ShardId,
    pub(super) slot: u32,
    pub(super) token: u32,
}

impl LegKey {
    /// The leg's endpoint, which it has once at the most: whoever knows the leg knows it.
    pub(super) const fn endpoint(self) -> EndpointId {
        EndpointId::new(self.shard, (self.slot as u64 & 0xff_ffff) << 32 | self.token as u64)
    }
}

/// A contact of one shard; one that is gone refers to nothing, for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub(super) struct ContactKey {
    pub(super) shard: ShardId,
    pub(super) slot: u32,
    pub(super) serial: u64,
}

/// A contact as others know it: where messages to it go, and its name for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct ContactRef {
    pub(super) key: ContactKey,
    pub(super) id: ContactId,
}

/// A desk, that is, an agent of the shard that owns the agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct DeskId {
    pub(super) shard: ShardId,
    pub(super) agent: AgentId,
}

/// Why the engine wakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reason {
    /// A contact's timer.
    Contact(ContactKey, ContactTimer),
    /// A desk's timer.
    Desk(AgentId, DeskTimer),
    /// A trunk is to be probed.
    Probe(TrunkId),
    /// A leg has not heard from its contact, which is another shard's.
    Lease(LegKey),
}

/// Why a contact wakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ContactTimer {
    /// No key came in the entry.
    Key,
    /// The queue's requirement relaxes.
    Relax,
    /// The wait for one agent in particular is over.
    Prefer,
    /// The longest wait is over.
    WaitMax,
    /// The place in the queue is said.
    Announce,
    /// A ring has lasted long enough.
    Ring,
    /// A late-answered caller starts to hear music.
    EarlyMedia,
    /// The 183 is repeated.
    EarlyRepeat,
    /// Early media has lasted long enough.
    EarlyMax,
    /// The longest talk is over.
    TalkMax,
    /// A waiting caller is probed.
    Alive,
    /// A goodbye that never ends ends.
    GoodbyeMax,
    /// Legs of other shards are told that their contact is there.
    Renew,
}

/// Why a desk wakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DeskTimer {
    /// The agent's state has lasted long enough.
    State,
    /// It may be that nobody waits any more for whom the agent drains.
    Drain,
    /// A registration may have lapsed.
    Registration,
}

/// What an agent is wanted for past every queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Want {
    /// A colleague calls: one on a break may be disturbed. It is a call of the agent's own.
    Colleague,
    /// A caller is passed on, whom only one who is ready takes. The ring lasts so long at the most.
    Caller(Duration),
}

impl Want {
    /// An agent who was taken for nothing is what the agent was before.
    pub(super) const fn given_back(self, contact: ContactId) -> ToDesk {
        match self {
            Want::Colleague => ToDesk::OwnCallOver,
            Want::Caller(_) => ToDesk::withdrawn(contact),
        }
    }
}

/// To a desk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum ToDesk {
    /// A command of the agent's.
    Command(AgentCommand),
    /// The agent's phones ring for a contact, for so long at the most.
    Rings(ContactRef, Duration),
    /// The agent has answered a contact, and talks for so long at the most.
    Talks(ContactRef, Duration),
    /// The ringing for a contact came to nothing. Who refused is not offered anything for the pause.
    RingOver(ContactId, OfferOutcome, Duration),
    /// The agent's part in a contact of this queue is over.
    TalkOver(ContactId, Option<QueueId>),
    /// So many legs to the agent's phones begin.
    LegsBegan(u32),
    /// A leg to one of the agent's phones is gone.
    LegGone,
    /// A call of the agent's own begins.
    OwnCall,
    /// A call of the agent's own is over.
    OwnCallOver,
    /// A contact wants this agent and nobody else: answered by [`ToContact::Taken`] or [`ToContact::NotTaken`].
    Take(ContactRef, Want),
    /// A reload has changed the agent: there is none any more, there is one from now on, or the agent serves other skills, may have something
    /// else at once, or is lent otherwise.
    Changed,
    /// The agent's registered phones are others now.
    Registered,
    /// This slot of the agent's is claimed for a contact of another shard, which has this slot of the matcher.
    Offered(ContactSlot, AgentId, ContactRef),
    /// What a shard has of the agent: so many legs to the agent's phones, and so many calls of the agent's own. It is told when the desk may
    /// have lost something.
    Has(u32, u8),
}

impl ToDesk {
    /// A contact does not want the agent any more, for no reason of the agent's.
    pub(super) const fn withdrawn(contact: ContactId) -> Self {
        ToDesk::RingOver(contact, OfferOutcome::Withdrawn, Duration::ZERO)
    }
}

/// Somebody to call past every queue.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum DialTo {
    /// An agent.
    Agent(AgentId),
    /// A number, over a trunk.
    Number(TrunkId, Arc<str>),
}

/// What a contact begins with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Begin {
    /// It is led to an entry or a queue.
    Lead(NumberTarget),
    /// An agent hears that a feature code was taken: the name of the recording.
    Confirm(PromptName),
    /// An agent calls somebody.
    Dial(DialTo),
}

/// To a contact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum ToContact {
    /// It has arrived, and begins.
    Begin(Begin),
    /// The agent is the contact's: rung now, or never.
    Taken(DeskId, Want, ContactId),
    /// The agent is not to be had.
    NotTaken(DeskId),
    /// What came of a [`Call`].
    Rung(Role, Rung),
    /// One of the contact's legs tells.
    Leg(LegKey, LegEvent),
    /// A leg tells that has come from another contact.
    Guest(LegKey, LegEvent),
    /// A leg that was another contact's is this one's now.
    Joins(LegKey, Guest),
    /// This party of the contact's talk is to go on as a guest in another contact, at this place.
    Give { leg: LegKey, to: ContactRef, place: Place },
    /// There was a fault in the code of one of the contact's legs, at another shard.
    Lost,
    /// Something that concerns more than this contact.
    News(News),
}

/// What is known of a leg that comes from another contact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Guest {
    pub(super) role: Role,
    pub(super) place: Place,
    pub(super) holds: bool,
}

/// A party of a talk that may go on in another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Talker {
    pub(super) contact: ContactRef,
    pub(super) leg: LegKey,
}

impl Talker {
    /// The shard of its contact, which is to be told.
    #[must_use]
    pub const fn shard(&self) -> ShardId {
        self.contact.key.shard
    }

    /// Its endpoint.
    #[must_use]
    pub const fn endpoint(&self) -> EndpointId {
        self.leg.endpoint()
    }
}

/// What concerns many contacts at once. Each is told by a message of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) enum News {
    /// An agent has signed out: whoever waits for nobody any more may leave.
    AgentLeft,
    /// The routing table has changed: whoever waits takes the demand that it gives.
    Rerouted,
    /// All calls end.
    EndAll,
}

/// What came of a [`Call`]: the legs that were made, or why there is none.
pub(super) type Rung = Result<SmallVec<[LegKey; 2]>, NotRung>;

/// Why nobody was called.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum NotRung {
    /// The agent has no phone that could be rung.
    Phoneless,
    /// The trunk has no address to call, or we have no listener that reaches it.
    Unroutable,
    /// We have no ports left, which is nobody else's fault.
    OutOfPorts,
}

/// What a leg tells its contact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum LegEvent {
    /// The caller cannot be answered, and is to be refused with this status. Nothing was sent.
    Unanswerable(u16),
    /// The party called rings. Whether it lets itself be heard already.
    Rings { heard: bool },
    /// The party called has answered, in a codec that can be used.
    Answered,
    /// The party called has answered what cannot be used, and is being hung up.
    Unusable,
    /// The call has failed, and the leg is gone.
    Failed(CallFailed),
    /// What the party and we have agreed on has changed. Whether it holds.
    Agreed { holds: bool },
    /// The party has pressed a key.
    Key {
        digit: char,
        /// Whether it came by signalling, and was not heard by whom the party hears.
        by_signalling: bool,
    },
    /// The party asks us to call somebody in its place (REFER).
    Referred { refer_to: Box<str>, has_replaces: bool },
    /// Prompts that were played to the party have ended.
    Played(u64),
    /// A party that the contact has asked whether it is there ([`ToLeg::Ask`]) is not.
    NotThere,
    /// The party has left.
    Left,
    /// The party has left, and the leg is gone.
    Gone,
    /// The leg is another contact's now.
    Moved,
    /// The leg is gone.
    Over,
}

/// Why a call has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum CallFailed {
    /// Somebody said so: 300 to 699.
    Refused(u16),
    /// Nobody answered in time, or there is no way to the party.
    Unanswered,
}

impl CallFailed {
    /// The final status, ours where nobody gave any (RFC 3261 8.1.3.1).
    pub(super) const fn status(self) -> u16 {
        match self {
            CallFailed::Refused(status) => status,
            CallFailed::Unanswered => 408,
        }
    }
}

/// What a party hears.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Heard {
    Nothing,
    /// These, and then [`LegEvent::Played`] with the token.
    Prompts {
        names: Vec<PromptName>,
        token: u64,
    },
    Music(PromptName),
    /// The parties of other legs.
    Legs(SmallVec<[LegKey; 2]>),
}

/// To a leg.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum ToLeg {
    /// The caller hears a ringing tone of its own (180).
    Ring,
    /// The caller hears something before it is answered (183), in the codec of another leg if it offered that.
    Progress { like: Option<LegKey>, hears: Heard },
    /// The 183 is repeated (RFC 3261 13.3.1.1).
    RepeatProgress,
    /// The caller is answered (200), in the codec of another leg if it offered that. What it hears from now on, if that is something else
    /// than before. Whether a talk begins.
    Accept { like: Option<LegKey>, hears: Option<Heard>, talks: bool },
    /// What the party hears from now on, if that is something else than before; and whether it is in a talk: only then its silence means
    /// anything.
    Hear { what: Option<Heard>, talks: bool },
    /// The party is sent a key as telephone-event.
    SendKey(char),
    /// A phone's ringing stops. Whether the phone is told that another has answered.
    Cancel { elsewhere: bool },
    /// The party is hung up.
    HangUp,
    /// The leg ends by what its state allows: a caller who was never answered is refused with this status.
    End(u16),
    /// How a REFER is answered.
    AnswerRefer(u16),
    /// How it goes with what a REFER asked for (RFC 3515 2.4.4): the status of the call.
    Notify(u16),
    /// To a leg that goes from contact to contact.
    Moving(Moving),
    /// Is the party still there? Only a failure is told, by [`LegEvent::NotThere`].
    Ask,
}

/// What is said to a leg that goes from contact to contact, and of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Moving {
    /// It goes over to this contact as a guest, with this role and place. Answered by [`LegEvent::Moved`], unless it ends before.
    GoOver { to: ContactRef, role: Role, place: Place },
    /// As [`ToLeg::End`], if the leg is this contact's. If it is another's, or gone, that is told once more.
    EndIfYours(ContactKey, u16),
    /// It has gone over to this contact, which is gone.
    Orphaned(ContactKey),
    /// The contact of a leg of another shard is there.
    Renew,
    /// To a caller's leg: it numbers a leg that has come from another contact.
    Numbers(LegKey),
    /// The leg's number in this contact that it has come to.
    IsNumber(ContactKey, u32),
}

/// To the legs of a shard: somebody is to be called who shall talk to a contact's caller. Answered by [`ToContact::Rung`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Call {
    /// Whom the new legs report to.
    pub(super) contact: ContactRef,
    /// Whom the called shall talk to.
    pub(super) caller: LegKey,
    pub(super) max_forwards: u8,
    pub(super) whom: Whom,
}

/// Whom to call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Whom {
    /// Each phone of an agent, with this From.
    Agent { agent: AgentId, from: String },
    /// A number over a trunk, showing this number or the trunk's own. Whether the caller may hear the other side before it answers.
    Number { trunk: TrunkId, number: Arc<str>, shown: Option<Arc<str>>, heard_early: bool },
}

/// A message between owners.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Between {
    /// From an owner of this shard.
    ToDesk(DeskId, ShardId, ToDesk),
    ToContact(ContactKey, ToContact),
    ToLeg(LegKey, ToLeg),
    Call(Box<Call>),
    /// What came of a contact's command.
    FromMatcher(ContactRef, Event),
    /// What came of what a desk wanted of the matcher.
    Settled(DeskId, Settled<ContactId>),
    /// To every contact of the shard that it may concern.
    ToContacts(News),
    /// An agent of another shard has these devices now.
    Devices(AgentId, Vec<Binding>),
    /// An agent has served a caller of a queue, at another shard.
    Served(Arc<str>, QueueId, AgentId),
    /// A trunk answers, or does not any more: of its probes, which are another shard's.
    TrunkUp(TrunkId, bool),
    /// There was a fault at the desk of an agent of another shard: whatever the agent was in ends.
    DeskLost(AgentId),
    /// A changed configuration is taken up by all whom it concerns.
    TakenUp,
}
