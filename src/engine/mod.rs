//! The engine of a shard: joins SIP, calls, the queues and media, as one pure state machine.
//!
//! `handle(now, Input)`, then `poll()` until it is `None`; call `handle(now, Input::Time)` at [`Engine::next_deadline`]. It owns the contacts
//! whose first Call-ID hashes to its shard, and the agents whose id does; nobody else changes them. It does no I/O, knows no
//! clock, and draws randomness from its seed alone, so that one shard under a virtual clock is deterministic.
//!
//! What a caller's words and ours mean is in `call`, who gets whom in `acd`; here is only what follows from one for the other. Outputs keep
//! their order: a contact's facts come before the messages that show its end outside.

use std::sync::Arc;

use crate::acd::answers::Answers;
use crate::acd::command::Command;
use crate::base::deadline::Deadlines;
use crate::base::hash::Keyed;
use crate::base::limits::LimitBoard;
use crate::base::seed::Seed;
use crate::base::{AgentId, ContactId, ShardId, Time, TrunkId};
use crate::sip::session::{self, SessionEvent, SessionId, Sessions};
use crate::sip::stack::counts::SipCounts;

mod admission;
mod agent_command;
pub mod audit;
mod between;
mod contacts;
mod context;
mod delivery;
mod desks;
mod devices;
mod dispatch;
mod far;
mod inbound;
pub mod io;
mod legs;
mod limits;
mod matcher_port;
pub mod media_port;
mod proof;
mod refused;
pub mod route;
pub(crate) mod sabotage;
pub mod settings;
pub mod talks;
#[cfg(test)]
mod tests;
pub mod text_port;
mod texts;
mod unread;

pub use agent_command::AgentCommand;
pub use contacts::WAIT_PROMPTS;
pub use io::{Input, LegName, Letter, Output, PartOf, Parts, Reload, Transmit};
pub use settings::Settings;

use admission::Overload;
use between::{Between, ContactKey, Moving, News, Reason, ToContact, ToDesk, ToLeg, Want};
use contacts::{AgentsPart, Contacts};
use context::{Outbox, lend};
use delivery::{Addressee, Delivery};
use desks::Desks;
use legs::{LegView, Legs, guests_of};
use limits::{Room, Used};
use matcher_port::MatcherPort;
use proof::Proof;
use refused::Refused;
use sabotage::Rule;
use texts::Texts;

/// How many rounds of messages one wake-up follows at the most. What is then left waits for the next, which comes at once: whatever owners have
/// to say to each other, the wire is heard between.
const ROUNDS_MAX: u32 = 64;

/// The engine of one shard.
pub struct Engine {
    shard: ShardId,
    /// How many shards there are.
    shards: u16,
    settings: Arc<Settings>,
    sessions: Sessions,
    counts: Arc<SipCounts>,
    legs: Legs,
    texts: Texts,
    contacts: Contacts,
    desks: Desks,
    proof: Proof,
    matcher: MatcherPort,
    deadlines: Deadlines<Reason>,
    /// INVITEs that were just refused, for when they come again.
    refused: Refused,
    out: Outbox,
    seed: Seed,
    draining: bool,
    /// The version of the settings that all parties have taken up.
    taken_up: u64,
    /// Whether new calls are shed, for input is too old.
    overload: Overload,
    /// Whom a panic would cost.
    at_work: Addressee,
    /// How many more rounds this wake-up follows.
    rounds: u32,
    rounds_max: u32,
    /// When the last wake-up left something to be followed, if it did.
    behind: Option<Time>,
    limits: Arc<LimitBoard>,
    room: Room,
    taken_out: sabotage::TakenOut,
    /// The session that the message at hand is part of.
    heard: Option<SessionId>,
    #[cfg(test)]
    hooks: sabotage::Hooks,
}

impl Engine {
    /// An engine without calls. Agents with fixed contacts that are ready from the start enter the ready index.
    #[must_use]
    pub fn new(parts: Parts, now: Time) -> Self {
        let Parts { shard, settings, matcher, listeners, mut seed, counts, limits, caps, answers, rounds_max } = parts;
        let sessions = Sessions::new(shard, listeners, seed.fork(), counts.clone());
        let (keyed, shard) = (Keyed::from_seed(&mut seed), ShardId(shard));
        let matcher = MatcherPort::new(matcher, answers, shard, settings.version);
        let shards = matcher.shards();
        let proof = Proof::new(&mut seed, keyed, &settings, shards);
        let rounds_max = rounds_max.map_or(ROUNDS_MAX, |rounds| rounds.clamp(1, ROUNDS_MAX));
        let mut engine = Engine {
            shard,
            shards,
            sessions,
            counts,
            legs: Legs::new(keyed),
            texts: Texts::default(),
            contacts: Contacts::new(&matcher.slots(), &settings, keyed, caps.clone()),
            desks: Desks::new(&settings, keyed, now),
            proof,
            matcher,
            deadlines: Deadlines::default(),
            refused: Refused::new(keyed),
            out: Outbox::new(shard, shards, limits.clone()),
            seed,
            draining: false,
            taken_up: settings.version,
            overload: Overload::default(),
            at_work: Addressee::Nobody,
            rounds: rounds_max,
            rounds_max,
            behind: None,
            limits,
            room: Room::of(caps),
            taken_out: sabotage::TakenOut::default(),
            heard: None,
            #[cfg(test)]
            hooks: sabotage::Hooks::default(),
            settings,
        };
        limits::note_max(&engine.limits, &engine.settings, engine.contacts.slots().1 * usize::from(engine.shards));
        engine.desks.start(&mut lend!(engine, now));
        engine.follow_messages(now);
        engine.contacts.trunks_mut().start_probes(&mut lend!(engine, now));
        note_used(&engine);
        engine
    }

    /// Takes one input. Drain [`Engine::poll`] afterwards. Returns the call that the input is part of, if it is a message.
    pub fn handle(&mut self, now: Time, input: Input<'_>) -> PartOf {
        self.at_work = Addressee::Nobody;
        self.heard = None;
        self.rounds = self.rounds_max;
        match input {
            Input::Time => {}
            Input::Message { flow, bytes, age } => {
                self.overload.note(now, &flow, age, self.taken_out.holds(Rule::AgesApart));
                self.receive(now, &flow, bytes);
            }
            Input::Broken { connection, transport, remote } => {
                self.sessions.broken(now, connection, transport, remote);
                if let Some(connection) = connection {
                    self.desks.connection_broken(&mut lend!(self, now), connection);
                }
            }
            Input::Media(event) => self.deliver(now, Delivery::Media(event)),
            Input::Agent { agent, command } => lend!(self, now).tell_desk(agent, ToDesk::Command(command)),
            Input::Text(input) => self.text(now, input),
            Input::Letter(letter) => self.out.0.take_in(letter),
            Input::Reload(reload) => self.take_up(now, reload),
            Input::Drain => self.draining = true,
            Input::EndAll => {
                self.draining = true;
                self.out.0.tell_contacts(News::EndAll);
            }
        }
        // What has come is followed before what is due.
        self.follow_messages(now);
        self.sessions.handle_timeout(now);
        self.follow_sessions(now);
        while self.rounds > 0
            && let Some((_, reason)) = self.deadlines.pop_due(now)
        {
            self.deliver(now, Delivery::Timer(reason));
            // What follows from one deadline comes before the next, though both are due.
            self.follow_messages(now);
        }
        self.settle(now);
        if self.sessions.take_misused() > 0 {
            lend!(self, now).missing("the state that a command to a session is for");
        }
        self.room.put_right(&mut self.contacts);
        note_used(self);
        part_of(&self.legs, self.heard)
    }

    /// The next thing to do outside.
    pub fn poll(&mut self) -> Option<Output> {
        if let Some(output) = self.out.next_output() {
            return Some(output);
        }
        let session::Transmit { flow, bytes, session } = self.sessions.poll_transmit()?;
        Some(Output::Transmit(Transmit { flow, bytes, part_of: part_of(&self.legs, session) }))
    }

    /// When to call `handle` with [`Input::Time`] at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let own = self.deadlines.next().map(|(at, _)| at);
        let sessions = self.sessions.next_deadline().map(|(at, _)| at);
        let left = self.behind.filter(|_| self.taken_out.holds(Rule::GoesOn));
        own.into_iter().chain(sessions).chain(left).min()
    }

    /// Whether another shard's match concerns a party of ours.
    #[must_use]
    pub fn has_wake_ups(&self) -> bool {
        self.matcher.would_wake()
    }

    /// What the matcher has said, where that is kept; or what is left to be replayed.
    pub const fn answers(&mut self) -> &mut Answers {
        &mut self.matcher.answers
    }

    /// Contacts up.
    #[must_use]
    pub fn contacts_up(&self) -> u32 {
        self.contacts.up().all
    }

    /// Whether nobody is up: no contact and no leg. Transactions may still absorb what is repeated.
    #[must_use]
    pub fn nobody_is_up(&self) -> bool {
        self.contacts.is_empty() && self.legs.is_empty() && self.texts.is_empty()
    }

    /// Whether nothing at all is held: no contact, no leg, no transaction, no timer but those of states that last.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.behind.is_none()
            && self.contacts.is_empty()
            && self.legs.is_idle()
            && self.texts.is_empty()
            && self.sessions.held().is_nothing()
    }

    /// What is to be done after a panic in [`Engine::handle`] was caught: it costs whoever was at work. A contact ends; an agent's desk is put
    /// in order, and whatever the agent was in ends. Which contact that was, if any.
    pub fn fault(&mut self, now: Time) -> Option<ContactId> {
        let at_work = std::mem::take(&mut self.at_work);
        self.rounds = self.rounds_max;
        let (mut keys, taken) = match at_work {
            // One of its legs here, which it ends with all others.
            Addressee::Contact(key) if key.shard != self.shard => {
                self.out.0.tell_contact(key, ToContact::Lost);
                (Vec::new(), None)
            }
            Addressee::Contact(key) => (vec![key], None),
            // It may not have come to know the leg.
            Addressee::Host(key, leg) => {
                self.out.0.tell_leg(leg, ToLeg::Moving(Moving::Orphaned(key)));
                (vec![key], None)
            }
            Addressee::Commander(contact, slot) => {
                if let Some(event) = self.matcher.execute(Command::Leave(slot)) {
                    self.out.0.matched(contact, event);
                }
                (vec![contact.key], None)
            }
            Addressee::Told(contact, agent_slot) => {
                let agent = self.settings.agent_slots.agent(agent_slot);
                lend!(self, now).tell_desk(agent, ToDesk::withdrawn(contact.id));
                (vec![contact.key], None)
            }
            // It has not come to know that the agent is its own, and so would not let the agent go.
            Addressee::Taker(key, agent, want) => (vec![key], Some((agent, want))),
            Addressee::Desk(agent) => (self.contacts.part_of(agent).contacts, None),
            Addressee::Nobody => (Vec::new(), None),
        };
        let legs: Vec<LegView> = self.legs.views().chain(self.texts.views()).collect();
        let legless = self.contacts.without_leg(&legs).into_iter().filter(|key| !keys.contains(key)).collect::<Vec<_>>();
        keys.extend(legless);
        let id = end_faulty(self, now, &keys, taken);
        // The request at hand may not have been answered, and nobody would answer it any more.
        self.sessions.answer_unowned(now);
        // A session whose leg the fault has prevented would be nobody's.
        let legs = &self.legs;
        self.sessions.abandon_unless(now, |session| legs.with_session(session).is_some());
        // What sessions have told is heard first.
        self.follow_sessions(now);
        self.legs.end_without_session(&mut lend!(self, now));
        if let Addressee::Desk(agent) = at_work {
            // What the desk has not heard, it is told by what there is.
            self.out.take_back(agent);
            let AgentsPart { legs, own_calls, .. } = self.contacts.part_of(agent);
            self.desks.mend(&mut lend!(self, now), agent, legs, own_calls + guests_of(&self.legs, agent));
            // So do other shards end what they have of the agent, and say what is left.
            lend!(self, now).tell_others(&Between::DeskLost(agent));
            // The matcher may have reserved the agent, and its wake-up is lost.
            self.desks.woken(&mut lend!(self, now), agent);
        }
        self.settle(now);
        if self.taken_up != self.settings.version {
            // Some may not have heard of a reload.
            announce(self, now, None);
            self.settle(now);
        }
        self.room.put_right(&mut self.contacts);
        id
    }

    /// Takes up a changed configuration: only what differs is touched, and no call ends.
    ///
    /// The routing table is published before this runs, with every old demand and skill group in it. Here the owner takes it up: its agents
    /// take the skill groups, its contacts the demands that the new table gives them.
    fn take_up(&mut self, now: Time, Reload { settings, routing_table }: Reload) {
        self.matcher.routing_table = routing_table;
        let old = std::mem::replace(&mut self.settings, settings.clone());
        limits::note_max(&self.limits, &settings, self.contacts.slots().1 * usize::from(self.shards));
        self.proof.take_up(&settings);
        self.contacts.trunks_mut().take_up(&mut lend!(self, now));
        announce(self, now, Some(&old));
    }

    /// Follows up what owners have said and the matcher has decided meanwhile, until there is nothing more.
    fn settle(&mut self, now: Time) {
        loop {
            self.follow_messages(now);
            self.follow_sessions(now);
            if self.rounds == 0 {
                break;
            }
            self.matcher.acknowledge(self.taken_up);
            if !self.matcher.has_wake_ups() {
                break;
            }
            self.rounds -= 1;
            wake_agents(self, now);
            self.matcher.take_woken_contacts();
            while let Some(offer) = self.matcher.next_offer() {
                self.deliver(now, Delivery::Offered(offer));
            }
        }
    }

    /// Hands every message to its addressee, until there is none. The matcher does at once what contacts say. What desks want it does when
    /// nobody has anything more to say, for all of them before anyone hears what came of it; whoever it has woken by then is among them.
    fn follow_messages(&mut self, now: Time) {
        loop {
            follow_commands(self, now);
            if self.out.messages() == 0 {
                if !self.out.has_to_settle() {
                    break;
                }
                wake_agents(self, now);
                while let Some(desk) = self.out.next_to_settle() {
                    self.deliver(now, Delivery::Settle(desk));
                }
            }
            if self.rounds == 0 {
                break;
            }
            self.rounds -= 1;
            for _ in 0..self.out.messages() {
                let Some(message) = self.out.next_message() else { break };
                self.deliver(now, Delivery::Message(message));
                follow_commands(self, now);
            }
        }
        self.behind = (self.rounds == 0).then_some(now);
    }

    /// Hands everything that sessions have told to whom it is about. What follows from one thing comes before the next.
    fn follow_sessions(&mut self, now: Time) {
        while self.rounds > 0
            && let Some((session, event)) = self.sessions.poll_event()
        {
            if event == SessionEvent::Over && self.legs.with_session(session).is_none() {
                // Its leg was gone before, and nobody else has anything of it.
                continue;
            }
            self.deliver(now, Delivery::Session(session, event));
            self.follow_messages(now);
        }
        while let Some((id, event)) = self.sessions.outside().poll() {
            self.deliver(now, Delivery::Lone(id, event));
        }
    }

    /// Hands one thing on. It has been removed from where it waited; whom a panic costs is said here, and nowhere else.
    fn deliver(&mut self, now: Time, what: Delivery) {
        self.at_work = what.addressee((&self.legs, &self.texts), &self.contacts);
        #[cfg(test)]
        let name = what.name();
        #[cfg(test)]
        self.delivers(&name);
        let cx = &mut lend!(self, now);
        match what {
            Delivery::Message(Between::ToDesk(desk, from, message)) => self.desks.handle(cx, desk.agent, (from, message)),
            Delivery::Message(Between::ToContact(key, message)) => self.contacts.handle(cx, key, message),
            Delivery::Message(Between::ToLeg(key, message)) if key.is_text() => self.texts.handle(cx, key, &message),
            Delivery::Message(Between::ToLeg(key, message)) => self.legs.handle(cx, key, &message),
            Delivery::Message(Between::Call(call)) if call.caller.is_text() => self.texts.call(cx, &call),
            Delivery::Message(Between::Call(call)) => self.legs.call(cx, self.desks.devices(), &call),
            Delivery::Message(Between::FromMatcher(contact, event)) => self.contacts.matched(cx, contact, event),
            Delivery::Message(Between::Settled(desk, settled)) => self.desks.settled(cx, desk.agent, &settled),
            Delivery::Message(Between::ToContacts(news)) => self.contacts.spread(cx, news),
            Delivery::Message(Between::Devices(agent, bindings)) => self.desks.copy_devices(agent, bindings),
            Delivery::Message(Between::Served(caller, queue, agent)) => self.contacts.note_served(&caller, queue, agent),
            Delivery::Message(Between::TrunkUp(trunk, up)) => self.contacts.trunks_mut().found(trunk, up),
            Delivery::Message(Between::DeskLost(agent)) => desk_lost(self, now, agent),
            Delivery::Message(Between::TakenUp) => {
                self.taken_up = self.settings.version;
            }
            Delivery::Session(session, event) => self.legs.session_event(cx, session, event),
            Delivery::Lone(id, event) => self.contacts.trunks_mut().probed(cx, TrunkId(id.0), event),
            Delivery::Media(event) => self.legs.media_event(cx, event),
            Delivery::Text(key, input) => self.texts.input(cx, key, input),
            Delivery::Timer(Reason::Contact(key, timer)) => self.contacts.due(cx, key, timer),
            Delivery::Timer(Reason::Desk(agent, timer)) => self.desks.due(cx, agent, timer),
            Delivery::Timer(Reason::Lease(leg)) => self.legs.lease_over(cx, leg),
            Delivery::Timer(Reason::Probe(trunk)) => self.contacts.trunks_mut().probe(cx, trunk),
            Delivery::Offered(offer) => self.contacts.offered(cx, offer),
            // What came of it is told by a message.
            Delivery::Command(contact, command) => {
                if let Some(event) = self.matcher.execute(command) {
                    self.out.0.matched(contact, event);
                }
            }
            Delivery::Settle(desk) => {
                if let Some(wanted) = self.desks.wants(cx, desk.agent) {
                    let of_another_shard = |agent_slot, slot| self.desks.name_of(desk.agent, agent_slot, slot);
                    let own = |slot| self.contacts.in_slot(slot).map(|contact| contact.id);
                    let name = |agent_slot, slot| own(slot).or_else(|| of_another_shard(agent_slot, slot));
                    let settled = self.matcher.settle(now, wanted, name);
                    self.out.0.settled(desk, settled);
                }
            }
        }
        #[cfg(test)]
        self.panics_at(&name, sabotage::Moment::After);
        // Between deliveries a panic is nobody's.
        self.at_work = Addressee::Nobody;
    }
}

/// Tells of a changed configuration: desks, then contacts, and when all have followed, the matcher ([`Between::TakenUp`]). `old` is what
/// held before; `None` if it is not known who has heard what.
fn announce(engine: &mut Engine, now: Time, old: Option<&Settings>) {
    engine.desks.take_up(&mut lend!(engine, now), old);
    engine.out.0.tell_contacts(News::Rerouted);
}

/// The desks of agents whom the matcher has touched want to be settled.
fn wake_agents(engine: &mut Engine, now: Time) {
    for agent_slot in engine.matcher.woken_agents() {
        let agent = engine.settings.agent_slots.agent(agent_slot);
        engine.desks.woken(&mut lend!(engine, now), agent);
    }
}

/// Has the matcher do what contacts have said.
fn follow_commands(engine: &mut Engine, now: Time) {
    while let Some((contact, command)) = engine.out.next_command() {
        engine.deliver(now, Delivery::Command(contact, command));
    }
}

/// Ends contacts in whose code there was a fault, or in the code of whose agent. An agent who may have been taken for one of them without its
/// knowledge is let go. The name of the first.
fn end_faulty(engine: &mut Engine, now: Time, keys: &[ContactKey], taken: Option<(AgentId, Want)>) -> Option<ContactId> {
    let legs: Vec<LegView> = engine.legs.views().chain(engine.texts.views()).collect();
    let mut id = None;
    for key in keys {
        let its: Vec<LegView> = legs.iter().filter(|leg| leg.contact == *key).copied().collect();
        engine.out.take_back_calls(*key, &its.iter().map(|leg| leg.key).collect::<Vec<_>>());
        let ended = engine.contacts.fault(&mut lend!(engine, now), *key, taken, &its);
        id = id.or(ended);
    }
    id
}

/// The desk of an agent of another shard had a fault: whatever the agent is in here ends, and the desk is told what there is until then.
fn desk_lost(engine: &mut Engine, now: Time, agent: AgentId) {
    let keys = engine.contacts.part_of(agent).contacts;
    end_faulty(engine, now, &keys, None);
    let AgentsPart { legs, own_calls, .. } = engine.contacts.part_of(agent);
    lend!(engine, now).tell_desk(agent, ToDesk::Has(legs, own_calls + guests_of(&engine.legs, agent)));
    // The desk may not have heard whom it is claimed for.
    engine.contacts.name_again(&mut lend!(engine, now), agent);
}

/// The call that a message of this session is part of.
fn part_of(legs: &Legs, session: Option<SessionId>) -> PartOf {
    PartOf { session, leg: session.and_then(|session| legs.name(session)) }
}

/// Notes how much is used of what is bounded. Each shard has a copy of all devices.
fn note_used(engine: &Engine) {
    let bindings = if engine.shard == ShardId(0) { engine.desks.devices().count() } else { 0 };
    let (transactions, nonces) = (engine.sessions.held().servers, engine.proof.remembered());
    Used::of(&engine.contacts, transactions, bindings, nonces).note(&engine.limits, engine.shard);
}
