//! Desks: the owner of agents. Each agent's state, what the agent has at once, and the agent's devices.
//!
//! A desk hears of contacts by messages ([`ToDesk`]) and answers by them. It sends no SIP but the answers to REGISTER, and knows nothing of
//! queues but their wrap-up. What its agent's slots want, the matcher does: it enters them into the ready index and takes them out again.
//! Of what came of that the desk hears by a message, too.
//!
//! An agent has a slot for each contact that the agent may have at once. The first slot is the one for calls: phones ring for it alone, and
//! calls of the agent's own occupy it.

use std::time::Duration;

use smallvec::SmallVec;

use super::agent_command::AgentCommand;
use super::between::{Between, ContactRef, DeskTimer, News, Reason, ToContact, ToDesk, Want};
use super::context::Context;
use super::devices::{Binding, Devices};
use super::sabotage::Rule;
use super::settings::Settings;
use crate::acd::ContactSlot;
use crate::acd::agent::{Due, State};
use crate::acd::agent_slots::{AgentSlots, DRAIN_LOOK, Request, Settled, Wish};
use crate::base::deadline::DeadlineId;
use crate::base::hash::Keyed;
use crate::base::words::{AgentState, BreakReason, OfferOutcome, Repair};
use crate::base::{AgentId, ContactId, QueueId, ShardId, Time};
use crate::report::FactKind;
use crate::sip::flow::{ConnectionId, Flow};
use crate::sip::message::Message;

mod register;

/// An agent's state as it was last reported.
#[derive(Clone, Copy)]
struct Reported {
    word: AgentState,
    reason: Option<BreakReason>,
    since: Time,
    /// The contact that holds the agent, or whose wrap-up it is.
    contact: Option<ContactId>,
}

/// How a ringing ended: for whom, with what outcome, and how long who refused is offered nothing.
type RingEnded = (ContactId, OfferOutcome, Duration);

/// What one shard has of an agent.
#[derive(Clone, Copy)]
struct Part {
    shard: ShardId,
    /// Legs to the agent's phones that have not ended: while there is one, a phone may still ring.
    legs: u32,
    /// Calls of the agent's own.
    own_calls: u8,
}

/// One agent.
struct Desk {
    agent_slots: AgentSlots<ContactId>,
    /// What each shard has of the agent.
    parts: SmallVec<[Part; 1]>,
    /// The names of contacts of other shards that the agent's slots may be claimed for.
    named: SmallVec<[Named; 1]>,
    /// How the ringing ended, once it has and until the last phone is silent.
    ring_ended: Option<RingEnded>,
    reported: Reported,
    /// How many slots were signed in when they were last looked at.
    signed_in: usize,
    /// When the first of the states that should not last is over, or earlier.
    state_deadline: Option<(Time, DeadlineId)>,
    /// When the slots are looked at again, while the agent drains.
    drain_look: Option<DeadlineId>,
    registration_deadline: Option<DeadlineId>,
    /// What the desk wants of the matcher, until that is done.
    request: Option<Request>,
    /// What the matcher knows of the agent's slot, if the agent has just one.
    known: Option<Wish<ContactId>>,
    /// The contact that wants this agent and nobody else, until it is known whether a contact of a queue has the agent.
    taking: Option<(ContactRef, Want)>,
    /// Whether the agent has been made ready, where the agent's desk phone is ready from the start.
    started: bool,
}

impl Desk {
    fn new(settings: &Settings, agent: AgentId, now: Time) -> Self {
        Desk {
            agent_slots: AgentSlots::new(&settings.directory.capacity(agent), settings.agent_slots.of(agent), now),
            parts: SmallVec::new(),
            named: SmallVec::new(),
            ring_ended: None,
            reported: Reported { word: AgentState::Offline, reason: None, since: now, contact: None },
            signed_in: 0,
            state_deadline: None,
            drain_look: None,
            registration_deadline: None,
            request: None,
            known: None,
            taking: None,
            started: false,
        }
    }
}

/// A desk as the audit sees it.
#[derive(Clone)]
pub(super) struct DeskView {
    /// The state of the slot for calls.
    pub(super) state: State<ContactId>,
    pub(super) own_calls: u8,
    /// How many contacts the agent may have at once.
    pub(super) slots: usize,
    /// The slots that could take a contact and wait for one; none while the agent drains.
    pub(super) waits_in: SmallVec<[AgentId; 1]>,
    pub(super) legs: u32,
    /// The contacts of other shards whose names it keeps.
    pub(super) named: SmallVec<[ContactId; 1]>,
    /// Whether each state that should not last has a deadline.
    pub(super) has_deadline: bool,
}

/// A contact of another shard, the matcher's slot that it is in, and the agent's slot that is claimed for it.
#[derive(Clone, Copy)]
struct Named {
    slot: ContactSlot,
    agent_slot: AgentId,
    contact: ContactRef,
}

/// All desks of one shard.
pub(super) struct Desks {
    desks: Vec<Desk>,
    devices: Devices,
}

impl Desks {
    /// Desks of agents who are not signed in.
    pub(super) fn new(settings: &Settings, keyed: Keyed, now: Time) -> Self {
        let desks = (0..settings.directory.agents.len()).map(|agent| Desk::new(settings, AgentId(agent as u32), now));
        Desks { desks: desks.collect(), devices: Devices::new(keyed) }
    }

    /// The registered devices.
    pub(super) const fn devices(&self) -> &Devices {
        &self.devices
    }

    /// An agent of another shard has these devices now.
    pub(super) fn copy_devices(&mut self, agent: AgentId, bindings: Vec<Binding>) {
        self.devices.set(agent, bindings);
    }

    /// The name of the contact of another shard in this slot of the matcher that has claimed this slot of the agent's, as far as the desk was
    /// told. Another may have had the slot before, which is in another slot of the agent's by now.
    pub(super) fn name_of(&self, agent: AgentId, agent_slot: AgentId, slot: ContactSlot) -> Option<ContactId> {
        let mut named = self.desks.get(agent.index())?.named.iter().rev();
        named.find(|named| (named.agent_slot, named.slot) == (agent_slot, slot)).map(|named| named.contact.id)
    }

    /// Every desk, by [`AgentId`], for the audit; those of other shards' agents are empty.
    pub(super) fn views(&self) -> impl Iterator<Item = DeskView> {
        self.desks.iter().map(|desk| {
            let Desk { agent_slots, state_deadline, .. } = desk;
            let earliest = agent_slots.states().filter_map(|(_, state)| state.deadline()).min();
            DeskView {
                state: *agent_slots.first().state(),
                own_calls: agent_slots.first().own_calls(),
                slots: agent_slots.ids().count(),
                waits_in: agent_slots.that_want_contacts().filter(|_| !agent_slots.drains()).collect(),
                legs: desk.legs(),
                named: desk.named.iter().map(|named| named.contact.id).collect(),
                has_deadline: earliest.is_none_or(|at| state_deadline.is_some_and(|(set, _)| set <= at)),
            }
        })
    }

    /// Agents with desk phones that are ready from the start become so.
    pub(super) fn start(&mut self, cx: &mut Context<'_>) {
        for agent in (0..cx.settings.accounts.len() as u32).map(AgentId) {
            if cx.owns(agent) {
                self.start_one(cx, agent);
            }
        }
    }

    /// An agent whose desk phone is ready from the start becomes so; once, until the agent is gone and comes again.
    fn start_one(&mut self, cx: &mut Context<'_>, agent: AgentId) {
        let ready = cx.settings.account(agent).is_some_and(|account| account.fixed.is_some() && account.ready_at_start);
        let Some(desk) = self.desks.get_mut(agent.index()) else { return cx.missing("the desk that begins") };
        if !std::mem::replace(&mut desk.started, true) && ready {
            desk.agent_slots.each(|agent_slot| agent_slot.ask_ready(cx.now));
            self.settle_soon(cx, agent);
        }
    }

    /// Takes up a changed configuration. There is a desk for each new agent at once; what follows for an agent whom it changes is told the
    /// agent's desk by a message. `old` is what held before; `None` if it is not known who has heard what.
    pub(super) fn take_up(&mut self, cx: &mut Context<'_>, old: Option<&Settings>) {
        let settings = cx.settings.clone();
        while self.desks.len() < settings.directory.agents.len() {
            self.desks.push(Desk::new(&settings, AgentId(self.desks.len() as u32), cx.now));
        }
        for agent in (0..self.desks.len() as u32).map(AgentId) {
            let profile = |settings: &Settings| settings.directory.agents.get(agent.index()).cloned().flatten();
            let same = |old: &Settings| {
                let (before, now) = (profile(old), profile(&settings));
                before == now && (now.is_none() || old.directory.lending == settings.directory.lending)
            };
            if cx.owns(agent) && !old.is_some_and(same) {
                cx.tell_desk(agent, ToDesk::Changed);
            }
        }
    }

    /// The agent is what the settings say, from now on. One who is gone finishes, and goes offline.
    fn take_up_agent(&mut self, cx: &mut Context<'_>, agent: AgentId) {
        let (now, settings) = (cx.now, cx.settings.clone());
        let desk = &mut self.desks[agent.index()];
        if settings.agent_name(agent).is_none() {
            self.devices.set(agent, Vec::new());
            tell_devices(&self.devices, cx, agent);
            let desk = &mut self.desks[agent.index()];
            if let Some(id) = desk.registration_deadline.take() {
                cx.timers.cancel(id);
            }
            desk.started = false;
            desk.agent_slots.each(|agent_slot| agent_slot.sign_out(now));
            // Who is gone counts in no skill group any more, even if busy.
            self.settle_soon(cx, agent).regroup = true;
            return;
        }
        desk.agent_slots.take_up(&settings.directory.capacity(agent), settings.agent_slots.of(agent), now);
        self.start_one(cx, agent);
        self.settle_soon(cx, agent).regroup = true;
    }

    /// Takes a message.
    pub(super) fn handle(&mut self, cx: &mut Context<'_>, agent: AgentId, (from, message): (ShardId, ToDesk)) {
        let now = cx.now;
        let Some(desk) = self.desks.get_mut(agent.index()) else {
            // Nobody waits for an answer in vain.
            if let ToDesk::Take(contact, _) = message {
                let desk = cx.desk(agent);
                cx.out.tell_contact(contact.key, ToContact::NotTaken(desk));
            }
            return;
        };
        let agent_slots = &mut desk.agent_slots;
        match message {
            // It was given before the reload that the agent is gone by.
            ToDesk::Command(_) if cx.settings.agent_name(agent).is_none() => return,
            ToDesk::Command(command) => agent_slots.each(|agent_slot| match command {
                AgentCommand::Ready => agent_slot.ask_ready(now),
                AgentCommand::Break(reason) => agent_slot.ask_break(now, reason),
                AgentCommand::EndWrapUp => drop(agent_slot.end_wrap_up(now)),
                AgentCommand::SignOut => agent_slot.sign_out(now),
            }),
            ToDesk::Rings(contact, at_most) => {
                let (_, agent_slot) = agent_slots.with_or_first(contact.id);
                // A contact of another shard that the desk has declined may have rung before it heard so.
                if agent_slot.state().contact() == Some(contact.id) || *agent_slot.state() == State::Ready {
                    agent_slot.ring(now, contact.id, at_most);
                }
            }
            ToDesk::Talks(contact, at_most) => {
                desk.ring_ended = None;
                let (id, agent_slot) = agent_slots.with_or_first(contact.id);
                agent_slot.talk(now, contact.id, at_most);
                self.settle_soon(cx, agent).release.push(id);
                return;
            }
            ToDesk::RingOver(contact, outcome, pause) => {
                desk.named.retain(|named| named.contact.id != contact);
                return self.ring_over(cx, agent, (contact, outcome, pause));
            }
            ToDesk::TalkOver(contact, queue) => {
                desk.named.retain(|named| named.contact.id != contact);
                match desk.agent_slots.with_contact(contact) {
                    Some((_, agent_slot)) => agent_slot.talk_over(now, wrap_up_of(cx.settings, agent, queue)),
                    // The call of a colleague is followed by what was before.
                    None => desk.own_call_over(cx, from),
                }
            }
            ToDesk::LegsBegan(legs) => desk.part_of(from).legs += legs,
            ToDesk::LegGone => return leg_gone(self, cx, agent, from),
            ToDesk::OwnCall => desk.own_call(now, from),
            ToDesk::OwnCallOver => desk.own_call_over(cx, from),
            ToDesk::Offered(slot, agent_slot, contact) => {
                desk.named.push(Named { slot, agent_slot, contact });
                self.settle_soon(cx, agent).woken = true;
                return;
            }
            ToDesk::Has(legs, own_calls) => desk.has(cx, from, (legs, own_calls)),
            ToDesk::Take(contact, want) => return take(self, cx, agent, contact, want),
            ToDesk::Changed => return self.take_up_agent(cx, agent),
            ToDesk::Registered => return self.registered(cx, agent),
        }
        self.settle_soon(cx, agent);
    }

    /// The matcher has touched slots of an agent's, and may have reserved them. What the agent does not agree to is declined.
    pub(super) fn woken(&mut self, cx: &mut Context<'_>, agent: AgentId) {
        // The matcher may know agents of a reload that is not taken up yet.
        if agent.index() < self.desks.len() {
            self.settle_soon(cx, agent).woken = true;
        }
    }

    /// What the desk wants of the matcher by now: a request, and what the agent's slots want. The slot for calls is not entered while a phone
    /// may still ring, or has not yet hung up. Where the matcher knows all that, what follows from the slots follows at once.
    pub(super) fn wants(&mut self, cx: &mut Context<'_>, agent: AgentId) -> Option<(Request, AgentSlots<ContactId>)> {
        let desk = self.desks.get_mut(agent.index())?;
        let request = desk.request.take()?;
        desk.agent_slots.bar_first(desk.legs() > 0 && cx.holds(Rule::SilentPhones));
        desk.agent_slots.yield_first(desk.taking.is_some());
        let wish = desk.agent_slots.only_wish();
        let known = std::mem::replace(&mut desk.known, wish);
        if request == Request::default() && desk.taking.is_none() && known.is_some() && known == wish {
            desk.have_changed(cx, agent);
            return None;
        }
        // What it is between one contact and the next is told, too.
        desk.report(cx, agent);
        Some((request, desk.agent_slots.clone()))
    }

    /// What came of what the desk wanted of the matcher: the agent may be reserved for a contact. A report, deadlines.
    pub(super) fn settled(&mut self, cx: &mut Context<'_>, agent: AgentId, settled: &Settled<ContactId>) {
        let Some(desk) = self.desks.get_mut(agent.index()) else { return cx.missing("the desk that is settled") };
        desk.agent_slots.settled(cx.now, settled);
        desk.known = settled.known(desk.known);
        let taking = desk.taking.take();
        if let Some((contact, want)) = taking {
            let taken = desk.taken(cx, contact, want);
            let id = cx.desk(agent);
            cx.out
                .tell_contact(contact.key, if taken { ToContact::Taken(id, want, contact.id) } else { ToContact::NotTaken(id) });
        }
        desk.have_changed(cx, agent);
        if taking.is_some() {
            self.settle_soon(cx, agent);
        }
    }

    /// A timer of a desk has come.
    pub(super) fn due(&mut self, cx: &mut Context<'_>, agent: AgentId, timer: DeskTimer) {
        let Some(desk) = self.desks.get_mut(agent.index()) else { return cx.missing("the desk of a timer") };
        match timer {
            DeskTimer::State => {
                desk.state_deadline = None;
                let mut stuck = SmallVec::<[AgentId; 1]>::new();
                for (id, agent_slot) in desk.agent_slots.all_mut() {
                    let Due::Stuck(_) = agent_slot.due(cx.now) else { continue };
                    if id == agent {
                        desk.ring_ended = None;
                    }
                    stuck.push(id);
                    cx.fact(None, FactKind::Repaired { kind: Repair::AgentStuck });
                }
                self.settle_soon(cx, agent).release.extend(stuck);
            }
            DeskTimer::Drain => {
                desk.drain_look = None;
                self.settle_soon(cx, agent);
            }
            DeskTimer::Registration => {
                self.devices.lapse(cx.now, agent);
                tell_devices(&self.devices, cx, agent);
                self.registered(cx, agent);
            }
        }
    }

    /// Puts a desk in order after a fault, when no contact has the agent any more: so many legs to its phones are left, and so many calls of
    /// the agent's own.
    pub(super) fn mend(&mut self, cx: &mut Context<'_>, agent: AgentId, legs: u32, own_calls: u8) {
        let Some(desk) = self.desks.get_mut(agent.index()) else { return cx.missing("the desk to mend") };
        let own = cx.shard;
        (desk.part_of(own).legs, desk.part_of(own).own_calls) = (legs, own_calls);
        desk.ring_ended = None;
        let own_calls = desk.own_calls();
        // That it is to be settled may be lost, too, and what came of it.
        (desk.request, desk.known) = (None, None);
        if let Some((contact, _)) = desk.taking.take() {
            let desk = cx.desk(agent);
            cx.out.tell_contact(contact.key, ToContact::NotTaken(desk));
        }
        for (id, agent_slot) in desk.agent_slots.all_mut() {
            // Calls of the agent's own are the first slot's.
            agent_slot.mend(cx.now, if id == agent { own_calls } else { 0 });
        }
        // A timer that had come may have been lost: all are set anew.
        let timers = [desk.state_deadline.take().map(|(_, id)| id), desk.drain_look.take(), desk.registration_deadline.take()];
        for id in timers.into_iter().flatten() {
            cx.timers.cancel(id);
        }
        let reason = Reason::Desk(agent, DeskTimer::Registration);
        desk.registration_deadline = self.devices.next_lapse(agent).map(|at| cx.timers.set(at, reason));
        self.devices.lapse(cx.now, agent);
        tell_devices(&self.devices, cx, agent);
        let desk = &mut self.desks[agent.index()];
        let rings_elsewhere = cx.settings.account(agent).is_some_and(|account| account.fixed.is_some());
        if !rings_elsewhere && self.devices.of(agent).is_empty() {
            desk.agent_slots.each(|agent_slot| agent_slot.sign_out(cx.now));
        }
        // A reload may not have been heard of.
        self.take_up_agent(cx, agent);
    }

    /// A REGISTER that an agent has proved to be the agent's own (RFC 3261 10.3).
    pub(super) fn register(&mut self, cx: &mut Context<'_>, agent: AgentId, flow: &Flow, message: &Message<'_>) {
        if register::answer(&mut self.devices, cx, agent, flow, message) {
            tell_devices(&self.devices, cx, agent);
            cx.tell_desk(agent, ToDesk::Registered);
        }
    }

    /// A connection broke: phones that registered over it cannot be reached until they register again. Their desks are told.
    pub(super) fn connection_broken(&mut self, cx: &mut Context<'_>, connection: ConnectionId) {
        if !cx.holds(Rule::BrokenConnections) {
            return;
        }
        for agent in self.devices.over(connection) {
            if !cx.owns(agent) {
                // Its own shard hears of it, too.
                continue;
            }
            self.devices.forget(agent, connection);
            tell_devices(&self.devices, cx, agent);
            cx.tell_desk(agent, ToDesk::Registered);
        }
    }

    /// What a change of an agent's devices means for the agent.
    fn registered(&mut self, cx: &mut Context<'_>, agent: AgentId) {
        let ready = cx.settings.account(agent).is_some_and(|account| account.ready_on_register);
        let Some(desk) = self.desks.get_mut(agent.index()) else { return cx.missing("the desk of a registration") };
        if let Some(id) = desk.registration_deadline.take() {
            cx.timers.cancel(id);
        }
        let (now, offline) = (cx.now, desk.agent_slots.standing().is_none());
        match self.devices.next_lapse(agent) {
            Some(next) => {
                let next = if cx.holds(Rule::Lapse) { next } else { next + Duration::from_secs(5) };
                desk.registration_deadline = Some(cx.timers.set(next, Reason::Desk(agent, DeskTimer::Registration)));
                if offline && ready {
                    desk.agent_slots.each(|agent_slot| agent_slot.ask_ready(now));
                } else {
                    desk.agent_slots.each(|agent_slot| agent_slot.sign_in(now));
                }
            }
            None => desk.agent_slots.each(|agent_slot| agent_slot.sign_out(now)),
        }
        self.settle_soon(cx, agent);
    }

    /// The ringing of the agent is over. While one of the agent's phones may still ring, that is only noted.
    fn ring_over(&mut self, cx: &mut Context<'_>, agent: AgentId, ended: RingEnded) {
        if !cx.holds(Rule::LetGo) {
            return;
        }
        let desk = &mut self.desks[agent.index()];
        let legs = desk.legs();
        let (contact, outcome, pause) = ended;
        match desk.agent_slots.with_contact(contact) {
            Some((id, agent_slot)) if id == agent && legs > 0 => {
                // How it ended is said once: that the contact has left changes nothing any more.
                desk.ring_ended = desk.ring_ended.filter(|(known, ..)| *known == contact).or(Some(ended));
                if let State::Reserved { .. } = agent_slot.state() {
                    // It rings, though the contact has not come to say so.
                    agent_slot.ring(cx.now, contact, Duration::ZERO);
                }
            }
            Some((id, agent_slot)) => {
                if id == agent {
                    desk.ring_ended = None;
                }
                agent_slot.ring_over(cx.now, outcome, pause);
                if let State::Break { reason: BreakReason::Rona, .. } = agent_slot.state() {
                    // Who has missed a ring is not there for anything else.
                    desk.agent_slots.each(|agent_slot| agent_slot.missed_elsewhere(cx.now));
                }
            }
            // The desk has not heard of it, or has declined it.
            None => {}
        }
        self.settle_soon(cx, agent);
    }

    /// What the desk wants of the matcher, which does it soon.
    fn settle_soon(&mut self, cx: &mut Context<'_>, agent: AgentId) -> &mut Request {
        let request = &mut self.desks[agent.index()].request;
        if request.is_none() {
            let desk = cx.desk(agent);
            cx.out.settle(desk);
        }
        request.get_or_insert_default()
    }
}

impl Desk {
    /// What a shard has of the agent.
    fn part_of(&mut self, shard: ShardId) -> &mut Part {
        let known = self.parts.iter().position(|part| part.shard == shard).unwrap_or_else(|| {
            self.parts.push(Part { shard, legs: 0, own_calls: 0 });
            self.parts.len() - 1
        });
        &mut self.parts[known]
    }

    /// Legs to the agent's phones that have not ended.
    fn legs(&self) -> u32 {
        self.parts.iter().map(|part| part.legs).sum()
    }

    fn own_calls(&self) -> u8 {
        self.parts.iter().fold(0, |calls, part| calls.saturating_add(part.own_calls))
    }

    /// A call of the agent's own begins, at this shard.
    fn own_call(&mut self, now: Time, shard: ShardId) {
        let part = self.part_of(shard);
        part.own_calls = part.own_calls.saturating_add(1);
        self.agent_slots.first_mut().own_call(now);
    }

    /// A call of the agent's own is over, at this shard; unless the desk has lost it before.
    fn own_call_over(&mut self, cx: &Context<'_>, shard: ShardId) {
        let part = self.part_of(shard);
        assert!(!cfg!(test) || part.own_calls > 0 || shard != cx.shard, "nobody is let go twice");
        if let Some(left) = part.own_calls.checked_sub(1) {
            part.own_calls = left;
            self.agent_slots.first_mut().own_call_over(cx.now);
        }
    }

    /// What another shard has of the agent, whatever was heard of that before.
    fn has(&mut self, cx: &Context<'_>, shard: ShardId, (legs, own_calls): (u32, u8)) {
        while self.part_of(shard).own_calls > own_calls {
            self.own_call_over(cx, shard);
        }
        while self.part_of(shard).own_calls < own_calls {
            self.own_call(cx.now, shard);
        }
        self.part_of(shard).legs = legs;
        // Whom the agent is claimed for it says again.
        self.named.retain(|named| named.contact.key.shard != shard);
    }

    /// What follows from whatever the agent's slots have become, once the matcher knows of it: a report, deadlines.
    fn have_changed(&mut self, cx: &mut Context<'_>, agent: AgentId) {
        self.report(cx, agent);
        self.set_timers(cx, agent);
        let signed_in = self.agent_slots.states().filter(|(_, state)| state.standing().is_some()).count();
        if std::mem::replace(&mut self.signed_in, signed_in) > signed_in {
            cx.out.tell_contacts(News::AgentLeft);
            cx.tell_others(&Between::ToContacts(News::AgentLeft));
        }
    }

    /// Reports the agent's state, if it is another: what the agent is most occupied by.
    fn report(&mut self, cx: &mut Context<'_>, agent: AgentId) {
        let Some(state) = self.agent_slots.states().map(|(_, state)| *state).min_by_key(occupation) else { return };
        let (word, reason) = (state.word(), reason_of(&state));
        let old = self.reported;
        if (word, reason) == (old.word, old.reason) {
            self.reported.contact = state.contact().or(old.contact);
            return;
        }
        if let Some((_, id)) = self.state_deadline.take() {
            cx.timers.cancel(id);
        }
        let contact = if word == AgentState::WrapUp { old.contact } else { state.contact() };
        self.reported = Reported { word, reason, since: cx.now, contact };
        let (from, to) = ((old.word, old.reason), (word, reason));
        cx.fact(contact.or(old.contact), FactKind::Agent { agent, from, to, lasted: cx.now.since(old.since) });
    }

    fn set_timers(&mut self, cx: &mut Context<'_>, agent: AgentId) {
        let first_over = self.agent_slots.states().filter_map(|(_, state)| state.deadline()).min();
        if let Some(at) = first_over.filter(|_| cx.holds(Rule::StateDeadline))
            && self.state_deadline.is_none_or(|(set, _)| set > at)
        {
            if let Some((_, id)) = self.state_deadline.take() {
                cx.timers.cancel(id);
            }
            self.state_deadline = Some((at, cx.timers.set(at, Reason::Desk(agent, DeskTimer::State))));
        }
        match (self.agent_slots.drains(), self.drain_look) {
            (true, None) => self.drain_look = Some(cx.timers.set(cx.now + DRAIN_LOOK, Reason::Desk(agent, DeskTimer::Drain))),
            (false, Some(id)) => {
                cx.timers.cancel(id);
                self.drain_look = None;
            }
            _ => {}
        }
    }

    /// Whether the agent may be taken for one contact, as far as the desk knows.
    fn may_be_taken(&self, want: Want) -> bool {
        let state = self.agent_slots.first().state();
        let wanted = match want {
            Want::Colleague => matches!(state, State::Ready | State::WrapUp { .. } | State::Break { .. }),
            Want::Caller(_) => matches!(state, State::Ready),
        };
        wanted && self.legs() == 0 && self.agent_slots.has_room_in_first()
    }

    /// Takes the agent for one contact, if no contact of a queue has the agent. Nothing has changed where one has.
    fn taken(&mut self, cx: &Context<'_>, contact: ContactRef, want: Want) -> bool {
        let taken = self.may_be_taken(want) && !self.agent_slots.first_is_unnamed();
        if taken {
            match want {
                Want::Colleague => self.own_call(cx.now, contact.key.shard),
                Want::Caller(ring) => self.agent_slots.first_mut().ring(cx.now, contact.id, ring),
            }
        }
        taken
    }
}

/// Other shards are to know an agent's devices as they are now.
fn tell_devices(devices: &Devices, cx: &mut Context<'_>, agent: AgentId) {
    if cx.shards > 1 && cx.holds(Rule::DevicesCopied) {
        cx.tell_others(&Between::Devices(agent, devices.of(agent).to_vec()));
    }
}

/// A contact wants this agent and nobody else. Whether a contact of a queue has the agent already, the matcher knows.
fn take(desks: &mut Desks, cx: &mut Context<'_>, agent: AgentId, contact: ContactRef, want: Want) {
    let known = cx.settings.directory.agents.get(agent.index()).is_some_and(Option::is_some);
    let desk = desks.desks.get_mut(agent.index()).filter(|desk| known && desk.taking.is_none() && desk.may_be_taken(want));
    if let Some(desk) = desk {
        desk.taking = Some((contact, want));
        desks.settle_soon(cx, agent);
        return;
    }
    let desk = cx.desk(agent);
    cx.out.tell_contact(contact.key, ToContact::NotTaken(desk));
}

/// A leg to one of the agent's phones is gone, at this shard.
fn leg_gone(desks: &mut Desks, cx: &mut Context<'_>, agent: AgentId, from: ShardId) {
    let desk = &mut desks.desks[agent.index()];
    let part = desk.part_of(from);
    assert!(!cfg!(test) || part.legs > 0 || from != cx.shard, "a leg is gone once");
    part.legs = part.legs.saturating_sub(1);
    let legs = desk.legs();
    if let Some(ended) = desk.ring_ended.take_if(|_| legs == 0) {
        return desks.ring_over(cx, agent, ended);
    }
    desks.settle_soon(cx, agent);
}

/// What an agent is most occupied by comes first. Where nothing occupies the agent, it is the first slot that counts.
fn occupation(state: &State<ContactId>) -> u8 {
    match state {
        State::Talking { .. } => 0,
        State::Ringing { .. } => 1,
        State::Reserved { .. } => 2,
        State::Busy { .. } => 3,
        State::WrapUp { .. } => 4,
        State::Ready | State::Break { .. } | State::Offline => 5,
    }
}

fn reason_of(state: &State<ContactId>) -> Option<BreakReason> {
    match state {
        State::Break { reason, .. } => Some(*reason),
        _ => None,
    }
}

/// The wrap-up that follows a talk for this queue.
fn wrap_up_of(settings: &Settings, agent: AgentId, queue: Option<QueueId>) -> Duration {
    let own = settings.account(agent).and_then(|account| account.wrap_up);
    let queues = queue.and_then(|queue| settings.queue(queue)).map(|rules| rules.wrap_up);
    own.or(queues).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod mixture_tests;
