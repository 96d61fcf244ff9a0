//! The engine of a shard: joins SIP, calls, the queues and media, as one pure state machine.
//!
//! `handle(now, Input)`, then `poll()` until it is `None`; call `handle(now, Input::Time)` at [`Engine::next_deadline`]. It owns the contacts
//! whose first Call-ID hashes to its shard, and the agents whose id does; nobody else changes them. It does no I/O, knows no
//! clock, and draws randomness from its seed alone, so that one shard under a virtual clock is deterministic.
//!
//! What a caller's words and ours mean is in `call`, who gets whom in `acd`; here is only what follows from one for the other. Outputs keep
//! their order: a contact's facts come before the messages that show its end outside.

use std::collections::VecDeque;
use std::sync::Arc;

use slab::Slab;
use smallvec::SmallVec;

use crate::acd::{ContactSlot, Matcher};
use crate::base::deadline::{DeadlineId, Deadlines};
use crate::base::hash::Keyed;
use crate::base::limits::LimitBoard;
use crate::base::seed::Seed;
use crate::base::words::{EndedBy, Limit};
use crate::base::{AgentId, ContactId, ShardId, Time, TrunkId};
use crate::call::leg::Role;
use crate::call::trunk::TrunkLoad;
use crate::report::FactKind;
use crate::sip::session::{LoneEvent, LoneId, SessionEvent, SessionId, Sessions};
use crate::sip::stack::ListenerName;
use crate::sip::stack::counts::SipCounts;

mod agent_calls;
mod announce;
mod audit;
mod between;
mod contact;
mod context;
mod desks;
mod devices;
mod dial;
mod dispatch;
mod end;
mod inbound;
pub mod io;
mod last_agent;
mod leg_events;
mod legs;
mod limits;
mod liveness;
pub mod media_port;
mod menu;
mod offer;
mod proof;
mod queue;
mod refused;
mod reload;
mod ring;
mod ringing;
pub(crate) mod sabotage;
pub mod settings;
mod talk;
#[cfg(test)]
mod tests;
mod transfer;
mod trunks;

pub use announce::WAIT_PROMPTS;
pub use io::{AgentCommand, Input, Output};
#[cfg(test)]
pub(crate) use sabotage::DELIVERIES;
pub use settings::Settings;

use between::{Between, ContactRef, DeskId, ToContact, ToDesk, Want};
use contact::{Contact, ContactKey, ContactTimer};
use context::Outbox;
use desks::{DeskTimer, Desks};
use inbound::Overload;
use last_agent::LastAgents;
use legs::{Leg, LegKey, Legs};
use media_port::MediaEvent;
use proof::Proof;
use refused::Refused;

/// What an owner is lent while it works: fields of the engine that are no owner's.
macro_rules! lend {
    ($engine:expr, $now:expr) => {
        $crate::engine::context::Context {
            now: $now,
            shard: $engine.shard,
            sessions: &mut $engine.sessions,
            timers: &mut $engine.deadlines,
            seed: &mut $engine.seed,
            settings: &$engine.settings,
            matcher: &$engine.matcher,
            out: &mut $engine.out,
            taken_out: $engine.taken_out,
        }
    };
}
use lend;

/// Why the engine wakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// A contact's timer.
    Contact(ContactKey, ContactTimer),
    /// A desk's timer.
    Desk(AgentId, DeskTimer),
    /// A trunk is to be probed.
    Probe(TrunkId),
}

/// What the hub hands on, one at a time.
enum Delivery {
    /// From one owner to another.
    Message(Between),
    /// Something happened to a session.
    Session(SessionId, SessionEvent),
    /// What came of an OPTIONS to a trunk.
    Lone(LoneId, LoneEvent),
    /// Something happened to media.
    Media(MediaEvent),
    /// A timer has come.
    Timer(Reason),
    /// The matcher has touched an agent.
    AgentWoken(AgentId),
    /// The matcher has touched one of a contact's slots.
    ContactWoken(ContactSlot),
}

/// Whom a delivery is for, and so whom a panic in it costs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Addressee {
    /// Nobody in particular.
    #[default]
    Nobody,
    Contact(ContactKey),
    /// A contact that is told that an agent is its own.
    Taker(ContactKey, AgentId, Want),
    Desk(AgentId),
}

/// A trunk's state.
struct TrunkRecord {
    load: TrunkLoad,
    up: bool,
    probe: Option<DeadlineId>,
}

/// The engine of one shard.
pub struct Engine {
    shard: ShardId,
    settings: Arc<Settings>,
    sessions: Sessions,
    counts: Arc<SipCounts>,
    legs: Legs,
    contacts: Slab<Contact>,
    desks: Desks,
    proof: Proof,
    trunks: Vec<TrunkRecord>,
    /// Slots of the matcher that are free: given out first in, first out, so that a slot's generation comes round late.
    free_slots: VecDeque<ContactSlot>,
    /// Slots that further rings have, and the most they may have.
    further_rings: u32,
    further_max: u32,
    /// The contact in each slot of ours, counted from the shard's first.
    in_slot: Vec<Option<ContactKey>>,
    first_slot: u32,
    matcher: Arc<Matcher>,
    deadlines: Deadlines<Reason>,
    last_agents: LastAgents,
    /// INVITEs that were just refused, for when they come again.
    refused: Refused,
    out: Outbox,
    seed: Seed,
    serial: u64,
    draining: bool,
    /// Whether new calls are shed, for input is too old.
    overload: Overload,
    /// Whom a panic would cost.
    at_work: Addressee,
    contacts_up: u32,
    emergencies_up: u32,
    limits: Arc<LimitBoard>,
    taken_out: sabotage::TakenOut,
    /// A test has the next delivery of this name panic.
    #[cfg(test)]
    panic_at: Option<&'static str>,
    /// What was handed on, by name: each time control came back to the hub.
    #[cfg(test)]
    deliveries: Vec<&'static str>,
}

/// What an engine is built from.
pub struct Parts {
    /// Which shard.
    pub shard: u16,
    /// The checked configuration.
    pub settings: Arc<Settings>,
    /// The matcher, shared by all shards.
    pub matcher: Arc<Matcher>,
    /// The listeners, by `ListenerId`.
    pub listeners: Vec<ListenerName>,
    /// The shard's own randomness.
    pub seed: Seed,
    /// Where SIP is counted.
    pub counts: Arc<SipCounts>,
    /// Where it is noted how full everything is.
    pub limits: Arc<LimitBoard>,
}

impl Engine {
    /// An engine without calls. Agents with fixed contacts that are ready from the start enter the ready index.
    #[must_use]
    pub fn new(parts: Parts, now: Time) -> Self {
        let Parts { shard, settings, matcher, listeners, mut seed, counts, limits } = parts;
        let slots = matcher.slots_of(shard);
        let sessions = Sessions::new(shard, listeners, seed.fork(), counts.clone());
        let proof = Proof::new(&mut seed, &settings);
        let keyed = Keyed::from_seed(&mut seed);
        let mut engine = Engine {
            shard: ShardId(shard),
            sessions,
            counts,
            legs: Legs::new(keyed),
            contacts: Slab::new(),
            desks: Desks::new(settings.directory.agents.len(), keyed, now),
            proof,
            trunks: settings.trunks.iter().map(|_| TrunkRecord { load: TrunkLoad::new(now), up: true, probe: None }).collect(),
            further_rings: 0,
            further_max: (slots.len() as u32).saturating_sub(settings.limits.contacts),
            free_slots: slots.clone().map(ContactSlot).collect(),
            in_slot: vec![None; slots.len()],
            first_slot: slots.start,
            matcher,
            deadlines: Deadlines::default(),
            last_agents: LastAgents::new(keyed),
            refused: Refused::new(keyed),
            out: Outbox::new(limits.clone()),
            seed,
            serial: 0,
            draining: false,
            overload: Overload::default(),
            at_work: Addressee::Nobody,
            contacts_up: 0,
            emergencies_up: 0,
            limits,
            taken_out: sabotage::TakenOut::default(),
            #[cfg(test)]
            panic_at: None,
            #[cfg(test)]
            deliveries: Vec::new(),
            settings,
        };
        engine.note_limits();
        engine.desks.start(&mut lend!(engine, now));
        engine.follow_messages(now);
        engine.start_probes(now);
        engine
    }

    /// Takes one input. Drain [`Engine::poll`] afterwards.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        self.at_work = Addressee::Nobody;
        match input {
            Input::Time => {}
            Input::Message { flow, bytes, age } => {
                self.note_age(now, &flow, age);
                self.receive(now, &flow, bytes);
            }
            Input::Broken { connection, transport, remote } => self.broken(now, connection, transport, remote),
            Input::Media(event) => self.deliver(now, Delivery::Media(event)),
            Input::Agent { agent, command } => self.tell_desk(agent, ToDesk::Command(command)),
            Input::Reload(settings) => self.take_up(now, &settings),
            Input::Drain => self.draining = true,
            Input::EndAll => self.end_all(now),
        }
        self.run_deadlines(now);
        self.settle(now);
        self.note_use();
    }

    /// The next thing to do outside.
    pub fn poll(&mut self) -> Option<Output> {
        if let Some(output) = self.out.next_output() {
            return Some(output);
        }
        self.sessions.poll_transmit().map(Output::Transmit)
    }

    /// When to call `handle` with [`Input::Time`] at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let own = self.deadlines.next().map(|(at, _)| at);
        let sessions = self.sessions.next_deadline().map(|(at, _)| at);
        own.into_iter().chain(sessions).min()
    }

    /// Whether another shard's match concerns a party of ours.
    #[must_use]
    pub fn has_wake_ups(&self) -> bool {
        self.matcher.has_wake_ups(self.shard.0)
    }

    /// Contacts up.
    #[must_use]
    pub fn contacts_up(&self) -> u32 {
        self.contacts_up
    }

    /// Whether nobody is up: no contact and no leg. Transactions may still absorb what is repeated.
    #[must_use]
    pub fn nobody_is_up(&self) -> bool {
        self.contacts.is_empty() && self.legs.is_empty()
    }

    /// Whether nothing at all is held: no contact, no leg, no transaction, no timer but those of states that last.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.contacts.is_empty() && self.legs.is_empty() && self.sessions.held().is_nothing() && self.legs.media_is_over()
    }

    /// What is to be done after a panic in [`Engine::handle`] was caught: it costs whoever was at work. A contact ends; an agent's desk is put
    /// in order, and whatever the agent was in ends. Which contact that was, if any.
    pub fn fault(&mut self, now: Time) -> Option<ContactId> {
        let at_work = std::mem::take(&mut self.at_work);
        let keys: SmallVec<[ContactKey; 2]> = match at_work {
            Addressee::Contact(key) => SmallVec::from_iter([key]),
            Addressee::Taker(key, agent, want) => {
                if self.asks_for(key, agent).is_some() {
                    // It has not come to know that the agent is its own, and so would not let the agent go.
                    self.tell_desk(agent, dial::given_back(want));
                }
                SmallVec::from_iter([key])
            }
            Addressee::Desk(agent) => {
                self.contacts.iter().filter(|(_, contact)| contact.has(agent)).map(|(_, contact)| contact.key).collect()
            }
            Addressee::Nobody => SmallVec::new(),
        };
        let id = keys.first().and_then(|key| self.contact(*key)).map(|contact| contact.id);
        for key in keys {
            self.end_contact(now, key, EndedBy::Fault, Some(500));
        }
        // The request at hand may not have been answered, and nobody would answer it any more.
        self.sessions.answer_unowned(now);
        // A session whose leg the fault has prevented would be nobody's.
        let legs = &self.legs;
        self.sessions.abandon_unless(now, |session| legs.with_session(session).is_some());
        for leg in self.legs.without_session(&lend!(self, now)) {
            self.leg_gone(now, leg);
        }
        if let Addressee::Desk(agent) = at_work {
            // What the desk has not heard, it is told by what there is.
            self.out.take_back(agent);
            let legs = self.legs.iter().filter(|leg| leg.role() == Role::Agent(agent)).count() as u32;
            let own_calls = self.contacts.iter().filter(|(_, contact)| contact.is_own_call_of(agent)).count() as u8;
            self.desks.mend(&mut lend!(self, now), agent, legs, own_calls);
            // The matcher may have reserved the agent, and its wake-up is lost.
            self.desk_woken(now, agent);
        }
        self.settle(now);
        id
    }

    fn run_deadlines(&mut self, now: Time) {
        self.sessions.handle_timeout(now);
        self.follow_sessions(now);
        while let Some((_, reason)) = self.deadlines.pop_due(now) {
            self.deliver(now, Delivery::Timer(reason));
            // What follows from one deadline comes before the next, though both are due.
            self.follow_messages(now);
        }
    }

    /// Follows up what the matcher has decided meanwhile, until it decides nothing more.
    fn settle(&mut self, now: Time) {
        loop {
            self.follow_messages(now);
            self.follow_sessions(now);
            if !self.matcher.has_wake_ups(self.shard.0) {
                break;
            }
            self.follow_wake_ups(now);
        }
    }

    /// Hands every message to its addressee, until there is none.
    fn follow_messages(&mut self, now: Time) {
        while let Some(message) = self.out.next_message() {
            self.deliver(now, Delivery::Message(message));
        }
    }

    /// Hands everything that sessions have told to whom it is about.
    fn follow_sessions(&mut self, now: Time) {
        while let Some((session, event)) = self.sessions.poll_event() {
            self.deliver(now, Delivery::Session(session, event));
        }
        while let Some((id, event)) = self.sessions.outside().poll() {
            self.deliver(now, Delivery::Lone(id, event));
        }
    }

    /// Looks again at every party that the matcher has touched.
    fn follow_wake_ups(&mut self, now: Time) {
        let matcher = self.matcher.clone();
        let mut agents: SmallVec<[AgentId; 4]> = SmallVec::new();
        matcher.woken_agents(self.shard.0, |agent| agents.push(agent));
        for agent in agents {
            self.deliver(now, Delivery::AgentWoken(agent));
        }
        // Whoever has turned away says so before anybody is rung.
        self.follow_messages(now);
        let mut slots: SmallVec<[ContactSlot; 4]> = SmallVec::new();
        matcher.woken_contacts(self.shard.0, |slot| slots.push(slot));
        for slot in slots {
            self.deliver(now, Delivery::ContactWoken(slot));
        }
    }

    /// Hands one thing on. It has been removed from where it waited; whom a panic costs is said here, and nowhere else.
    fn deliver(&mut self, now: Time, what: Delivery) {
        self.at_work = self.addressee(&what);
        #[cfg(test)]
        self.panics_at(&what);
        match what {
            Delivery::Message(Between::ToDesk(desk, message)) => self.desks.handle(&mut lend!(self, now), desk.agent, message),
            Delivery::Message(Between::ToContact(key, message)) => self.contact_message(now, key, message),
            Delivery::Message(Between::AgentLeft) => self.leave_empty_queues(now),
            Delivery::Session(session, event) => self.session_event(now, session, event),
            Delivery::Lone(id, event) => self.probe_event(now, TrunkId(id.0), event),
            Delivery::Media(event) => self.media_event(now, event),
            Delivery::Timer(Reason::Contact(key, timer)) => self.contact_timer(now, key, timer),
            Delivery::Timer(Reason::Desk(agent, timer)) => self.desks.due(&mut lend!(self, now), agent, timer),
            Delivery::Timer(Reason::Probe(trunk)) => self.probe_trunk(now, trunk),
            Delivery::AgentWoken(agent) => self.desk_woken(now, agent),
            Delivery::ContactWoken(slot) => self.contact_woken(now, slot),
        }
    }

    /// Whom something is for.
    fn addressee(&self, what: &Delivery) -> Addressee {
        let of_leg = |leg: Option<LegKey>| leg.and_then(|leg| self.legs.get(leg)).map(Leg::contact);
        let contact = match what {
            Delivery::Message(Between::ToDesk(DeskId { agent, .. }, _))
            | Delivery::Timer(Reason::Desk(agent, _))
            | Delivery::AgentWoken(agent) => return Addressee::Desk(*agent),
            Delivery::Message(Between::ToContact(key, ToContact::Taken(desk, want))) => {
                return Addressee::Taker(*key, desk.agent, *want);
            }
            Delivery::Message(Between::ToContact(key, _)) | Delivery::Timer(Reason::Contact(key, _)) => Some(*key),
            Delivery::Session(session, _) => of_leg(self.legs.with_session(*session)),
            Delivery::Media(event) => of_leg(event.endpoint().and_then(|endpoint| self.legs.with_endpoint(endpoint))),
            Delivery::ContactWoken(slot) => self.contact_in(*slot),
            Delivery::Message(Between::AgentLeft) | Delivery::Lone(..) | Delivery::Timer(Reason::Probe(_)) => None,
        };
        contact.map_or(Addressee::Nobody, Addressee::Contact)
    }

    fn contact_message(&mut self, now: Time, key: ContactKey, message: ToContact) {
        match message {
            ToContact::Begin(begin) => self.begin(now, key, begin),
            ToContact::Declined(slot, desk) => self.declined(now, key, slot, desk.agent),
            ToContact::Taken(desk, want) => self.taken(now, key, desk.agent, want),
            ToContact::NotTaken(desk) => self.not_taken(now, key, desk.agent),
        }
    }

    /// The matcher has touched an agent.
    fn desk_woken(&mut self, now: Time, agent: AgentId) {
        let (in_slot, contacts, first) = (&self.in_slot, &self.contacts, self.first_slot);
        let holder = |slot: ContactSlot| {
            let key = (*in_slot.get(slot.0.checked_sub(first)? as usize)?)?;
            let contact = contacts.get(key.slot as usize).filter(|contact| contact.key == key)?;
            Some(ContactRef { key, id: contact.id })
        };
        self.desks.woken(&mut lend!(self, now), agent, holder);
    }

    /// Says something to an agent's desk.
    fn tell_desk(&mut self, agent: AgentId, message: ToDesk) {
        self.out.tell_desk(DeskId { shard: self.shard, agent }, message);
    }

    /// A contact as desks know it.
    fn contact_ref(&self, key: ContactKey) -> Option<ContactRef> {
        self.contact(key).map(|contact| ContactRef { key, id: contact.id })
    }

    /// The contact in a slot of ours.
    fn contact_in(&self, slot: ContactSlot) -> Option<ContactKey> {
        *self.in_slot.get(slot.0.checked_sub(self.first_slot)? as usize)?
    }

    fn limit_hit(&mut self, now: Time, contact: Option<ContactId>, limit: Limit) {
        self.out.limit_hit(now, contact, limit);
    }

    fn fact(&mut self, at: Time, contact: Option<ContactId>, kind: FactKind) {
        self.out.fact(at, contact, kind);
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}
