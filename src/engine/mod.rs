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
use std::time::Duration;

use slab::Slab;

use crate::acd::agent::Agent;
use crate::acd::{ContactSlot, Matcher};
use crate::base::deadline::{DeadlineId, Deadlines};
use crate::base::hash::{Keyed, KeyedMap};
use crate::base::limits::LimitBoard;
use crate::base::seed::Seed;
use crate::base::words::{AgentState, BreakReason, EndedBy, Limit, OfferOutcome};
use crate::base::{AgentId, ContactId, Time, TrunkId};
use crate::call::trunk::TrunkLoad;
use crate::report::{Fact, FactKind};
use crate::sip::flow::Flow;
use crate::sip::nonce::Nonces;
use crate::sip::session::Sessions;
use crate::sip::stack::ListenerName;
use crate::sip::stack::counts::SipCounts;

mod agent_calls;
mod agents;
mod announce;
mod audit;
mod contact;
mod dial;
mod dispatch;
mod end;
mod inbound;
pub mod io;
mod last_agent;
mod leg;
mod limits;
mod liveness;
mod media;
pub mod media_port;
mod menu;
mod offer;
mod queue;
mod refused;
mod register;
mod reload;
mod ring;
pub(crate) mod sabotage;
mod session_events;
pub mod settings;
mod talk;
#[cfg(test)]
mod tests;
mod transfer;
mod trunks;

pub use announce::WAIT_PROMPTS;
pub use io::{AgentCommand, Input, Output};
pub use settings::Settings;

use contact::{Contact, ContactKey, ContactTimer};
use inbound::Overload;
use last_agent::LastAgents;
use leg::{Leg, LegKey};
use media::{EndpointOwner, PortStock};
use refused::Refused;
use register::Binding;

/// How often it is told that something is refused at a limit.
const LIMIT_TOLD_EVERY: Duration = Duration::from_secs(1);

/// Why the engine wakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// A contact's timer.
    Contact(ContactKey, ContactTimer),
    /// An agent's state has lasted long enough.
    AgentState(AgentId),
    /// A registration may have lapsed.
    Registration(AgentId),
    /// A trunk is to be probed.
    Probe(TrunkId),
}

/// An agent's state as it was last told as a fact.
#[derive(Clone, Copy)]
struct ReportedState {
    word: AgentState,
    reason: Option<BreakReason>,
    since: Time,
    /// The contact that holds the agent, or whose wrap-up it is.
    contact: Option<ContactId>,
}

/// An agent and the agent's phones; kept by the agent's owner.
struct AgentRecord {
    agent: Agent,
    bindings: Vec<Binding>,
    /// The flows of the bindings, as they stand in the table of flows.
    flows: Vec<Flow>,
    /// How many bindings are counted in the engine's total.
    bindings_noted: usize,
    /// Legs to the agent's phones that have not ended: while there is one, the phone may still ring.
    legs: u32,
    /// How the ringing ended, once it has and until the last phone is silent.
    ring_ended: Option<(OfferOutcome, Duration)>,
    reported: ReportedState,
    state_deadline: Option<DeadlineId>,
    registration_deadline: Option<DeadlineId>,
}

/// A trunk's state.
struct TrunkRecord {
    load: TrunkLoad,
    up: bool,
    probe: Option<DeadlineId>,
}

/// The engine of one shard.
pub struct Engine {
    shard: u16,
    settings: Arc<Settings>,
    sessions: Sessions,
    /// By the index of the session.
    leg_of_session: Vec<Option<LegKey>>,
    counts: Arc<SipCounts>,
    legs: Slab<Leg>,
    contacts: Slab<Contact>,
    agents: Vec<AgentRecord>,
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
    ports: PortStock,
    nonces: Nonces,
    /// Endpoints of legs, for media events.
    endpoints: KeyedMap<u64, EndpointOwner>,
    /// Whose phone registered on a flow.
    flows: KeyedMap<Flow, AgentId>,
    last_agents: LastAgents,
    /// INVITEs that were just refused, for when they come again.
    refused: Refused,
    outputs: VecDeque<Output>,
    seed: Seed,
    serial: u64,
    draining: bool,
    /// Whether new calls are shed, for input is too old.
    overload: Overload,
    /// Whom the input at hand is about, for when it must be given up after a panic.
    current: Option<ContactKey>,
    contacts_up: u32,
    emergencies_up: u32,
    /// Of the contacts that are up, or whose caller is just being hung up: how many callers have ports.
    callers_with_media: u32,
    /// Contact addresses of all agents' phones.
    bindings_up: usize,
    limits: Arc<LimitBoard>,
    /// When it was last told as a fact that something was refused at a limit.
    limits_told: [Option<Time>; Limit::ALL.len()],
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
        let registration = settings.registration;
        let nonces = Nonces::new(&mut seed, settings.realm(), registration.nonce_life, settings.limits.nonces as usize);
        let keyed = Keyed::from_seed(&mut seed);
        let mut engine = Engine {
            shard,
            sessions,
            leg_of_session: Vec::new(),
            counts,
            legs: Slab::new(),
            contacts: Slab::new(),
            agents: settings.directory.agents.iter().map(|_| AgentRecord::new(now)).collect(),
            trunks: settings.trunks.iter().map(|_| TrunkRecord { load: TrunkLoad::new(now), up: true, probe: None }).collect(),
            further_rings: 0,
            further_max: (slots.len() as u32).saturating_sub(settings.limits.contacts),
            free_slots: slots.clone().map(ContactSlot).collect(),
            in_slot: vec![None; slots.len()],
            first_slot: slots.start,
            matcher,
            deadlines: Deadlines::default(),
            ports: PortStock::default(),
            nonces,
            endpoints: keyed.map(),
            flows: keyed.map(),
            last_agents: LastAgents::new(keyed),
            refused: Refused::new(keyed),
            outputs: VecDeque::new(),
            seed,
            serial: 0,
            draining: false,
            overload: Overload::default(),
            current: None,
            contacts_up: 0,
            emergencies_up: 0,
            callers_with_media: 0,
            bindings_up: 0,
            limits,
            limits_told: [None; Limit::ALL.len()],
            #[cfg(test)]
            taken_out: None,
            settings,
        };
        engine.note_limits();
        engine.start_agents(now);
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
            Input::Agent { agent, command } => self.agent_command(now, agent, command),
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
        if let Some(output) = self.outputs.pop_front() {
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
        self.matcher.has_wake_ups(self.shard)
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
        self.contacts.is_empty() && self.legs.is_empty() && self.sessions.held().is_nothing() && self.endpoints.is_empty()
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
        self.settle(now);
        id
    }

    fn run_deadlines(&mut self, now: Time) {
        self.sessions.handle_timeout(now);
        self.follow_sessions(now);
        while let Some((_, reason)) = self.deadlines.pop_due(now) {
            match reason {
                Reason::Contact(key, timer) => self.contact_timer(now, key, timer),
                Reason::AgentState(agent) => self.agent_state_due(now, agent),
                Reason::Registration(agent) => self.registration_due(now, agent),
                Reason::Probe(trunk) => self.probe_trunk(now, trunk),
            }
        }
    }

    /// Follows up what the matcher has decided meanwhile, until it decides nothing more.
    fn settle(&mut self, now: Time) {
        loop {
            self.follow_sessions(now);
            if !self.matcher.has_wake_ups(self.shard) {
                break;
            }
            self.follow_wake_ups(now);
        }
    }

    /// Something is refused because there is no room for it.
    fn limit_hit(&mut self, now: Time, contact: Option<ContactId>, limit: Limit) {
        self.limits.hit(limit);
        // Every refusal is counted; it is told once a second, for a flood must not fill the log.
        let told = &mut self.limits_told[limit.index()];
        if told.is_none_or(|at| now.since(at) >= LIMIT_TOLD_EVERY) {
            *told = Some(now);
            self.fact(now, contact, FactKind::LimitHit { limit });
        }
    }

    fn fact(&mut self, at: Time, contact: Option<ContactId>, kind: FactKind) {
        self.outputs.push_back(Output::Fact(Fact { at, contact, kind }));
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}
