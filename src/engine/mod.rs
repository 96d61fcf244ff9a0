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

use crate::acd::{ContactSlot, Matcher};
use crate::base::deadline::{DeadlineId, Deadlines};
use crate::base::hash::Keyed;
use crate::base::limits::LimitBoard;
use crate::base::seed::Seed;
use crate::base::words::{EndedBy, Limit};
use crate::base::{AgentId, ContactId, ShardId, Time, TrunkId};
use crate::call::trunk::TrunkLoad;
use crate::report::FactKind;
use crate::sip::session::Sessions;
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
pub use settings::Settings;

use between::{Between, ContactRef, DeskId, ToContact, ToDesk};
use contact::{Contact, ContactKey, ContactTimer};
use context::Outbox;
use desks::{DeskTimer, Desks};
use inbound::Overload;
use last_agent::LastAgents;
use legs::Legs;
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
            #[cfg(test)]
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
    /// Whom the input at hand is about, for when it must be given up after a panic.
    current: Option<ContactKey>,
    contacts_up: u32,
    emergencies_up: u32,
    limits: Arc<LimitBoard>,
    #[cfg(test)]
    taken_out: Option<sabotage::Rule>,
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
            current: None,
            contacts_up: 0,
            emergencies_up: 0,
            limits,
            #[cfg(test)]
            taken_out: None,
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
        self.current = None;
        match input {
            Input::Time => {}
            Input::Message { flow, bytes, age } => {
                self.note_age(now, &flow, age);
                self.receive(now, &flow, bytes);
            }
            Input::Broken { connection, transport, remote } => self.broken(now, connection, transport, remote),
            Input::Media(event) => self.media_event(now, event),
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

    /// What a contact's end by a broken invariant of ours leaves to do: it ends, its agent comes back. To be called after a
    /// panic in [`Engine::handle`] was caught. Which contact it is, if the input was about one.
    pub fn fault(&mut self, now: Time) -> Option<ContactId> {
        let key = self.current.take();
        let id = key.and_then(|key| self.contact(key)).map(|contact| contact.id);
        if let Some(key) = key {
            self.end_contact(now, key, EndedBy::Fault, Some(500));
        }
        // The request at hand may not have been answered, and nobody would answer it any more.
        self.sessions.answer_unowned(now);
        // A session whose leg the fault has prevented would be nobody's.
        let legs = &self.legs;
        self.sessions.abandon_unless(now, |session| legs.with_session(session).is_some());
        self.settle(now);
        id
    }

    fn run_deadlines(&mut self, now: Time) {
        self.sessions.handle_timeout(now);
        self.follow_sessions(now);
        while let Some((_, reason)) = self.deadlines.pop_due(now) {
            match reason {
                Reason::Contact(key, timer) => self.contact_timer(now, key, timer),
                Reason::Desk(agent, timer) => self.desks.due(&mut lend!(self, now), agent, timer),
                Reason::Probe(trunk) => self.probe_trunk(now, trunk),
            }
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
            match message {
                Between::ToDesk(desk, message) => self.desks.handle(&mut lend!(self, now), desk.agent, message),
                Between::ToContact(key, message) => self.contact_message(now, key, message),
                Between::AgentLeft => self.leave_empty_queues(now),
            }
        }
    }

    fn contact_message(&mut self, now: Time, key: ContactKey, message: ToContact) {
        self.current = Some(key);
        match message {
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
