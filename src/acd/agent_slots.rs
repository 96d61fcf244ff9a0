//! Agents who may have several contacts at once, by one channel or several.
//!
//! Such an agent has an *agent slot* for each contact: a number, a skill group and a state word of its own. So the
//! claim protocol needs nothing new. The agent's owner decides which contacts may run side by side. It enters no slot
//! into the index that could not take a contact beside what the other slots have. Of several free slots it first enters
//! the one whose first waiting contact goes before the others'.
//!
//! Two slots may be claimed, between two looks of the owner, for contacts that do not go together. Then the contact
//! that goes first stays, and the other is *declined*: its owner puts it back at its place. So the owner of a contact
//! that is offered to a slot rings nobody before the agent's owner has [agreed](Matcher::verdict).
//!
//! An agent in overlapping chats would never be free for a call. So an agent may *drain*: it takes no more contacts of
//! the kind that it has. It drains while a contact waits that only its load keeps it from, and that goes before all
//! contacts that the agent could still take. Draining begins when the owner next looks, so one more contact may have
//! come meanwhile. Of the agents of a skill group no more drain than contacts wait for it.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::agent::{Agent, State};
use super::claim::{AgentView, ContactSlot, Key};
use super::matcher::{Matcher, Standing};
use super::ready_index::Mask;
use super::routing_table::{AgentProfile, DemandId, Directory, RoutingTable, SkillGroupId};
use super::state_word::AgentStateWord;
use super::step::{Step, does};
use crate::base::sync::Ordering;
use crate::base::words::Channel;
use crate::base::{AgentId, ShardId, Time};

/// How many contacts, by [`Channel::index`].
pub type Load = [u8; Channel::ALL.len()];

/// How often the owner of a draining agent [checks](Matcher::settle_agent_slots) whether there is still a reason.
pub const DRAIN_LOOK: Duration = Duration::from_secs(2);

/// What an agent may have at once: one of these mixtures, or a part of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capacity(SmallVec<[Load; 2]>);

/// One call at a time.
impl Default for Capacity {
    fn default() -> Self {
        Capacity::of([Capacity::load(&[(Channel::Voice, 1)])])
    }
}

impl Capacity {
    /// Any of these mixtures.
    pub fn of(mixtures: impl IntoIterator<Item = Load>) -> Self {
        Capacity(mixtures.into_iter().collect())
    }

    /// A mixture of contacts: how many of each channel.
    #[must_use]
    pub fn load(parts: &[(Channel, u8)]) -> Load {
        let mut load = Load::default();
        for (channel, count) in parts {
            load[channel.index()] += count;
        }
        load
    }

    /// Whether all of this may be had at once.
    #[must_use]
    pub fn holds(&self, load: &Load) -> bool {
        self.0.iter().any(|mixture| load.iter().zip(mixture).all(|(has, most)| has <= most))
    }

    /// How many contacts of a channel there may be when there is nothing else.
    #[must_use]
    pub fn most(&self, channel: Channel) -> u8 {
        self.0.iter().map(|mixture| mixture[channel.index()]).max().unwrap_or(0)
    }

    /// The channel of each agent slot that this capacity takes. Calls come first.
    pub fn channels(&self) -> impl Iterator<Item = Channel> + '_ {
        Channel::ALL.iter().flat_map(|channel| (0..self.most(*channel)).map(|_| *channel))
    }
}

/// The numbers of all agents' slots. The first slot of each agent has the agent's own number.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AgentSlotIds {
    /// The first number that no agent can ever have as its own.
    from: u32,
    /// By agent: the numbers of its further slots.
    further: Vec<Vec<AgentId>>,
    /// By number, counted from `from`: whose slot it is, if anybody's.
    agents: Vec<Option<AgentId>>,
    /// By shard: the number, counted from `from`, of the next slot of an agent whom it owns.
    next: Vec<usize>,
}

impl AgentSlotIds {
    /// No further slots yet. Agents have numbers below `from`, whatever a reload brings. Their owners are among so many
    /// shards ([`ShardId::of_agent`]), and a further slot's number has the owner that the agent has.
    #[must_use]
    pub fn beyond(from: u32, shards: u16) -> Self {
        let owner = |index: &usize| ShardId::of_agent(AgentId(from + *index as u32), shards);
        let mut next: Vec<usize> = (0..usize::from(shards.max(1))).collect();
        next.sort_by_key(owner);
        AgentSlotIds { from, further: Vec::new(), agents: Vec::new(), next }
    }

    /// The first number that no agent can ever have as its own.
    #[must_use]
    pub const fn from(&self) -> u32 {
        self.from
    }

    /// The numbers of an agent's slots, the agent's own first.
    pub fn of(&self, agent: AgentId) -> impl Iterator<Item = AgentId> + '_ {
        std::iter::once(agent).chain(self.further.get(agent.index()).into_iter().flatten().copied())
    }

    /// The agent with this slot.
    #[must_use]
    pub fn agent(&self, agent_slot: AgentId) -> AgentId {
        let further = agent_slot.0.checked_sub(self.from).and_then(|index| *self.agents.get(index as usize)?);
        further.unwrap_or(agent_slot)
    }

    /// A number for one more slot of this agent.
    fn one_more(&mut self, agent: AgentId) -> AgentId {
        if self.next.is_empty() {
            self.next.push(0);
        }
        let shards = self.next.len();
        let owner = ShardId::of_agent(agent, shards as u16);
        let next = &mut self.next[usize::from(owner.0)];
        let index = std::mem::replace(next, *next + shards);
        let number = AgentId(self.from + index as u32);
        if self.agents.len() <= index {
            self.agents.resize(index + 1, None);
        }
        self.agents[index] = Some(agent);
        if self.further.len() <= agent.index() {
            self.further.resize(agent.index() + 1, Vec::new());
        }
        self.further[agent.index()].push(number);
        number
    }
}

impl Directory {
    /// What an agent may have at once; the default for one that the directory does not know.
    #[must_use]
    pub fn capacity(&self, agent: AgentId) -> Capacity {
        let profile = self.agents.get(agent.index()).and_then(Option::as_ref);
        profile.map(|profile| profile.capacity.clone()).unwrap_or_default()
    }

    /// The [directory with agent slots](Self::with_agent_slots) of a configuration that is never reloaded: the slots'
    /// numbers follow the agents' own.
    #[must_use]
    pub fn with_first_agent_slots(&self) -> (Directory, AgentSlotIds) {
        self.with_agent_slots(&AgentSlotIds::beyond(self.agents.len() as u32, 1))
    }

    /// The directory with a profile for each slot of each agent, and the slots' numbers. An agent that had a number
    /// `before` keeps it, used or not, because the state word under that number belongs to its owner.
    #[must_use]
    pub fn with_agent_slots(&self, before: &AgentSlotIds) -> (Directory, AgentSlotIds) {
        let mut ids = before.clone();
        let mut directory = Directory { agent_slots_from: Some(ids.from), ..self.clone() };
        directory.agents.resize(ids.from as usize + ids.agents.len(), None);
        for (agent, profile) in (0..).map(AgentId).zip(&self.agents) {
            let Some(profile) = profile else { continue };
            let mut known: VecDeque<AgentId> = ids.of(agent).collect();
            for channel in profile.capacity.channels() {
                let id = known.pop_front().unwrap_or_else(|| ids.one_more(agent));
                let slots = directory.agents.len().max(id.index() + 1);
                directory.agents.resize(slots, None);
                directory.agents[id.index()] = Some(AgentProfile { channel, ..profile.clone() });
            }
        }
        (directory, ids)
    }
}

/// What the owner of an agent answers to a contact that is offered to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Verdict {
    /// The agent is reserved and may be rung.
    Agreed,
    /// The contact does not go with what the agent has, and is to be put back.
    Declined,
}

#[derive(Clone, Debug)]
struct AgentSlot<C> {
    id: AgentId,
    channel: Channel,
    agent: Agent<C>,
    /// Whether it takes no contact for now, whatever its state.
    barred: bool,
    /// Whether it enters the index no more, while a contact that has claimed it may still have it.
    yields: bool,
    /// Whether it is claimed for a contact whose name the owner has not learned yet.
    unnamed: bool,
}

impl<C: Copy + PartialEq> AgentSlot<C> {
    /// Whether it is to be in the index, where its load allows that.
    fn wants_contacts(&self) -> bool {
        self.agent.wants_contacts() && !self.barred && !self.yields
    }

    fn is_busy(&self) -> bool {
        self.unnamed || self.agent.state().standing() == Some(Standing::Busy)
    }
}

/// All slots of an agent, kept by its owner, who knows contacts by `C`. The owner
/// [settles](Matcher::settle_agent_slots) them whenever one was woken or has changed, and every [`DRAIN_LOOK`] while the
/// agent drains. It [gives them up](Matcher::give_up_agent_slots) with the agent.
#[derive(Clone, Debug)]
pub struct AgentSlots<C = ContactSlot> {
    /// At least one: the first has the agent's own number.
    slots: SmallVec<[AgentSlot<C>; 1]>,
    /// So many of them the capacity takes. The others finish what they have.
    wanted: usize,
    capacity: Capacity,
    drains_for: Option<SkillGroupId>,
}

impl<C: Copy + PartialEq> AgentSlots<C> {
    /// The slots of an agent who is not signed in, by their [numbers](AgentSlotIds::of).
    #[must_use]
    pub fn new(capacity: &Capacity, ids: impl Iterator<Item = AgentId>, now: Time) -> Self {
        let mut agent_slots = AgentSlots { slots: SmallVec::new(), wanted: 0, capacity: Capacity::default(), drains_for: None };
        agent_slots.take_up(capacity, ids, now);
        agent_slots
    }

    /// The agent may have something else at once from now on, with these numbers. A slot that is new, or wanted again,
    /// joins the first; one that is wanted no more finishes what it has. To be settled afterwards.
    pub fn take_up(&mut self, capacity: &Capacity, ids: impl Iterator<Item = AgentId>, now: Time) {
        for id in ids.skip(self.slots.len()) {
            let (agent, channel) = (Agent::new(now), Channel::default());
            self.slots.push(AgentSlot { id, channel, agent, barred: false, yields: false, unnamed: false });
        }
        let before = self.wanted;
        // The first is the agent's own, whatever the agent may have.
        self.wanted = capacity.channels().count().clamp(1, self.slots.len());
        for (agent_slot, channel) in self.slots.iter_mut().zip(capacity.channels()) {
            agent_slot.channel = channel;
        }
        self.capacity.clone_from(capacity);
        let (first, further) = self.slots.split_at_mut(1);
        for (place, agent_slot) in (1..).zip(further) {
            match (place < before, place < self.wanted) {
                (false, true) => agent_slot.agent.join(&first[0].agent, now),
                (true, false) => agent_slot.agent.sign_out(now),
                _ => {}
            }
        }
    }

    /// Their numbers.
    pub fn ids(&self) -> impl Iterator<Item = AgentId> + '_ {
        self.slots.iter().map(|agent_slot| agent_slot.id)
    }

    /// The slots' states, by number.
    pub fn states(&self) -> impl Iterator<Item = (AgentId, &State<C>)> {
        self.slots.iter().map(|agent_slot| (agent_slot.id, agent_slot.agent.state()))
    }

    /// The state of one slot.
    #[must_use]
    pub fn state(&self, id: AgentId) -> Option<&State<C>> {
        self.states().find(|(known, _)| *known == id).map(|(_, state)| state)
    }

    /// The first slot, which has the agent's own number. It is for calls where the agent may have any.
    #[must_use]
    pub fn first(&self) -> &Agent<C> {
        &self.slots[0].agent
    }

    /// The first slot, to be informed of what happened; to be settled afterwards.
    pub fn first_mut(&mut self) -> &mut Agent<C> {
        &mut self.slots[0].agent
    }

    /// All slots with their numbers, to be informed of what happened; to be settled afterwards.
    pub fn all_mut(&mut self) -> impl Iterator<Item = (AgentId, &mut Agent<C>)> {
        self.slots.iter_mut().map(|agent_slot| (agent_slot.id, &mut agent_slot.agent))
    }

    /// One slot, to be informed of what happened; to be settled afterwards.
    pub fn agent_slot(&mut self, id: AgentId) -> Option<&mut Agent<C>> {
        self.all_mut().find(|(known, _)| *known == id).map(|(_, agent)| agent)
    }

    /// The slot with this contact, to be informed of what happened; to be settled afterwards.
    pub fn with_contact(&mut self, contact: C) -> Option<(AgentId, &mut Agent<C>)> {
        self.all_mut().find(|(_, agent)| agent.state().contact() == Some(contact))
    }

    /// The slot with this contact, otherwise the first; to be informed of what happened, and to be settled afterwards.
    pub fn with_or_first(&mut self, contact: C) -> (AgentId, &mut Agent<C>) {
        let place = self.slots.iter().position(|agent_slot| agent_slot.agent.state().contact() == Some(contact));
        let agent_slot = &mut self.slots[place.unwrap_or(0)];
        (agent_slot.id, &mut agent_slot.agent)
    }

    /// Applies `tell` to all slots that the capacity takes, for what the agent as a whole asks; to be settled afterwards.
    pub fn each(&mut self, mut tell: impl FnMut(&mut Agent<C>)) {
        let wanted = self.wanted;
        self.all_mut().take(wanted).for_each(|(_, agent)| tell(agent));
    }

    /// Whether the first slot takes no contact for now, whatever its state: a phone may still ring. To be settled
    /// afterwards.
    pub fn bar_first(&mut self, barred: bool) {
        self.slots[0].barred = barred;
    }

    /// Whether the first slot enters the index no more, while a contact that has claimed it may still have it. To be
    /// settled afterwards.
    pub fn yield_first(&mut self, yields: bool) {
        self.slots[0].yields = yields;
    }

    /// Whether the first slot is claimed for a contact whose name is not known yet.
    #[must_use]
    pub fn first_is_unnamed(&self) -> bool {
        self.slots[0].unnamed
    }

    /// What the matcher has to know of an agent's only slot; `None` for an agent with several, for whom it also matters who
    /// waits.
    #[must_use]
    pub fn only_wish(&self) -> Option<Wish<C>> {
        let [agent_slot] = self.slots.as_slice() else { return None };
        let state = agent_slot.agent.state();
        Some(Wish { wants_contacts: agent_slot.wants_contacts(), standing: state.standing(), contact: state.contact() })
    }

    /// What came of settling, for slots as they were when it was [asked](Matcher::settle) for. A slot whose state allows
    /// no contact any more does not take the one that it was reserved for, which is declined when they are settled again.
    pub fn settled(&mut self, now: Time, settled: &Settled<C>) {
        self.drains_for = settled.drains_for;
        for agent_slot in &mut self.slots {
            agent_slot.unnamed = settled.unnamed.contains(&agent_slot.id);
            if let Some((_, contact)) = settled.reserved.iter().find(|(id, _)| *id == agent_slot.id) {
                agent_slot.agent.reserve(now, *contact);
            }
        }
    }

    /// The standing of the agent as a whole; `None`: it is not signed in.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        let any = |standing| self.slots.iter().any(|agent_slot| agent_slot.agent.state().standing() == Some(standing));
        [Standing::Busy, Standing::Free, Standing::Break].into_iter().find(|standing| any(*standing))
    }

    /// Whether the agent drains: takes no more of what it has, to become free for something else.
    #[must_use]
    pub const fn drains(&self) -> bool {
        self.drains_for.is_some()
    }

    /// What the agent has: how many contacts, by channel.
    #[must_use]
    pub fn load(&self) -> Load {
        let mut load = Load::default();
        for agent_slot in self.slots.iter().filter(|agent_slot| agent_slot.is_busy()) {
            load[agent_slot.channel.index()] += 1;
        }
        load
    }

    /// The slots that could take one more contact.
    pub fn that_want_contacts(&self) -> impl Iterator<Item = AgentId> + '_ {
        let wants = |agent_slot: &&AgentSlot<C>| agent_slot.wants_contacts() && self.has_room_for(agent_slot.channel);
        self.slots.iter().filter(wants).map(|agent_slot| agent_slot.id)
    }

    /// Whether the first slot may have a contact beside what the others have.
    #[must_use]
    pub fn has_room_in_first(&self) -> bool {
        let mut load = self.load();
        let first = &self.slots[0];
        load[first.channel.index()] += u8::from(!first.is_busy());
        self.capacity.holds(&load)
    }

    /// Whether one more contact of this channel goes with what the agent has.
    #[must_use]
    pub fn has_room_for(&self, channel: Channel) -> bool {
        let mut load = self.load();
        load[channel.index()] += 1;
        self.capacity.holds(&load) || !does(Step::KeepCapacity)
    }

    /// The standing of a slot, as others should count it.
    fn standing_of(&self, agent_slot: &AgentSlot<C>) -> Option<Standing> {
        match agent_slot.agent.state().standing() {
            Some(Standing::Free) if self.drains() || !self.has_room_for(agent_slot.channel) => Some(Standing::Busy),
            standing => standing,
        }
    }
}

/// What the owner of an agent wants of the matcher, beside what the agent's slots want.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Request {
    /// The matcher has woken one of the slots, which may be wanted by another agency.
    pub woken: bool,
    /// The slots move to the skill groups that the routing table in force gives them.
    pub regroup: bool,
    /// Slots whose ringing or talk is over, whatever becomes of the contact that holds them.
    pub release: SmallVec<[AgentId; 1]>,
}

/// What the matcher has to know of a slot: as long as it stays the same, and nobody wakes the agent, there is nothing to
/// settle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish<C> {
    wants_contacts: bool,
    standing: Option<Standing>,
    contact: Option<C>,
}

/// What came of settling an agent's slots: what their owner has to know of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settled<C> {
    /// The slots that are reserved from now on, and for which contacts.
    reserved: SmallVec<[(AgentId, C); 1]>,
    /// The slots that are claimed for contacts whose names the owner has not learned.
    unnamed: SmallVec<[AgentId; 1]>,
    drains_for: Option<SkillGroupId>,
}

impl<C: Copy> Settled<C> {
    /// What the matcher knows of the agent's only slot once this was settled, where `said` was what it wanted.
    #[must_use]
    pub fn known(&self, said: Option<Wish<C>>) -> Option<Wish<C>> {
        let reserved =
            |(_, contact): &(AgentId, C)| Wish { wants_contacts: false, standing: Some(Standing::Busy), contact: Some(*contact) };
        said.map(|said| self.reserved.first().map_or(said, reserved))
    }
}

/// A slot that is free, and not in the index.
#[derive(Clone, Copy)]
struct FreeSlot {
    index: usize,
    group: SkillGroupId,
    /// The key of the first contact that waits and that the slot could serve; `None`: no contact waits.
    first: Option<Key>,
}

impl FreeSlot {
    /// Whether a contact waits for this slot, and goes before all that wait for the other.
    fn goes_before(&self, other: Option<&FreeSlot>) -> bool {
        self.first.is_some_and(|key| other.and_then(|other| other.first).is_none_or(|first| key < first))
    }
}

/// What is to be done next for an agent with a free slot.
enum NextMove {
    Enter(usize),
    Drain(SkillGroupId),
    Nothing,
}

impl Matcher {
    /// *Owner.* Takes or declines the contacts that slots were claimed for, and releases slots whose contacts are no
    /// longer offered to them. Enters the slots that may take a contact into the index, and no others.
    ///
    /// `name` is the owner's name for the contact in a slot of the matcher that holds one of the agent's. `None`: the owner
    /// will learn it and settle again, and until then the contact is neither taken nor declined.
    pub fn settle_agent_slots<C: Copy + PartialEq>(
        &self,
        agent_slots: &mut AgentSlots<C>,
        now: Time,
        name: impl Fn(AgentId, ContactSlot) -> Option<C>,
    ) {
        let drained_for = self.drained_for(agent_slots);
        let mut drains_for = None;
        loop {
            self.take_claims(agent_slots, now, &name);
            if self.withdraw(agent_slots, |agent_slot, agent_slots| {
                !agent_slot.wants_contacts() || !agent_slots.has_room_for(agent_slot.channel)
            }) {
                continue;
            }
            for agent_slot in &agent_slots.slots {
                let over = agent_slot.agent.state().contact().is_none();
                if over && matches!(self.agent(agent_slot.id), AgentView::Held { offered: false, .. }) {
                    self.release(agent_slot.id);
                }
            }
            match self.next_to_enter(agent_slots, drained_for) {
                NextMove::Nothing => break,
                NextMove::Enter(agent_slot) => {
                    let AgentSlot { id, agent, .. } = &agent_slots.slots[agent_slot];
                    self.set_standing(*id, Some(Standing::Free));
                    if !self.ready(*id, now, agent.occupied()) {
                        break;
                    }
                }
                NextMove::Drain(group) => {
                    if !self.withdraw(agent_slots, |_, _| true) {
                        drains_for = Some(group);
                        break;
                    }
                    // A slot was claimed meanwhile, so the agent's load has changed.
                    if drained_for != Some(group) {
                        self.draining[group.0 as usize].fetch_sub(1, Ordering::AcqRel);
                    }
                }
            }
        }
        agent_slots.drains_for = drains_for;
        self.note_drains_for(agent_slots, drains_for);
        if let Some(group) = drained_for.filter(|group| drains_for != Some(*group)) {
            self.draining[group.0 as usize].fetch_sub(1, Ordering::AcqRel);
        }
        for agent_slot in &agent_slots.slots {
            // A loan ends with the contact that it was made for, whatever else the agent has.
            let busy = agent_slot.agent.state().standing() == Some(Standing::Busy);
            if !busy && !matches!(self.agent(agent_slot.id), AgentView::Held { offered: true, .. }) {
                self.loan_over(agent_slot.id);
            }
            self.set_standing(agent_slot.id, agent_slots.standing_of(agent_slot));
        }
    }

    /// *Owner.* The same as a command, for the agent's slots as they are when it is given: what came of it is brought to
    /// [`AgentSlots::settled`]. Nothing may be settled for the agent between.
    #[must_use]
    pub fn settle<C: Copy + PartialEq>(
        &self,
        now: Time,
        request: &Request,
        mut agent_slots: AgentSlots<C>,
        name: impl Fn(AgentId, ContactSlot) -> Option<C>,
    ) -> Settled<C> {
        if request.regroup {
            agent_slots.ids().for_each(|agent_slot| self.regroup(agent_slot));
        }
        if request.woken {
            agent_slots.ids().for_each(|agent_slot| self.consider_loan(agent_slot));
        }
        for agent_slot in &request.release {
            self.release(*agent_slot);
        }
        let has = |agent_slot: &AgentSlot<C>| agent_slot.agent.state().contact();
        let had: SmallVec<[Option<C>; 1]> = agent_slots.slots.iter().map(has).collect();
        self.settle_agent_slots(&mut agent_slots, now, name);
        let reserved = agent_slots.slots.iter().zip(had).filter(|(agent_slot, had)| has(agent_slot) != *had);
        Settled {
            reserved: reserved.filter_map(|(agent_slot, _)| Some((agent_slot.id, has(agent_slot)?))).collect(),
            unnamed: agent_slots.slots.iter().filter(|agent_slot| agent_slot.unnamed).map(|agent_slot| agent_slot.id).collect(),
            drains_for: agent_slots.drains_for,
        }
    }

    /// The skill group that the agent drains for. The matcher has it from the last time that the agent was settled, should
    /// the owner have lost what came of it.
    fn drained_for<C: Copy + PartialEq>(&self, agent_slots: &AgentSlots<C>) -> Option<SkillGroupId> {
        let group = self.drains[agent_slots.slots[0].id.index()].load(Ordering::Relaxed);
        group.checked_sub(1).map(SkillGroupId)
    }

    fn note_drains_for<C: Copy + PartialEq>(&self, agent_slots: &AgentSlots<C>, group: Option<SkillGroupId>) {
        let word = group.map_or(0, |group| group.0 + 1);
        self.drains[agent_slots.slots[0].id.index()].store(word, Ordering::Relaxed);
    }

    /// *Owner.* The agent has no contact any more and is gone from the directory: its slots are counted no longer.
    pub fn give_up_agent_slots<C: Copy + PartialEq>(&self, mut agent_slots: AgentSlots<C>, now: Time) {
        agent_slots.each(|agent_slot| agent_slot.sign_out(now));
        self.settle_agent_slots(&mut agent_slots, now, |_, _| None);
    }

    /// The verdict of the agent's owner on a contact that is offered to the agent; `None`: none yet, or there is no
    /// offer.
    #[must_use]
    pub fn verdict(&self, slot: ContactSlot) -> Option<Verdict> {
        let (agent, held) = self.protocol.offer(slot.0)?;
        match AgentStateWord::unpack(self.verdicts[agent as usize].load(Ordering::Acquire)) {
            word if word == held => Some(Verdict::Agreed),
            word if word == held.as_claim() => Some(Verdict::Declined),
            _ => None,
        }
    }

    /// Reserves slots for the contacts that they are held for, in the order of the contacts' keys. Declines contacts
    /// that do not go with the load.
    fn take_claims<C: Copy + PartialEq>(
        &self,
        agent_slots: &mut AgentSlots<C>,
        now: Time,
        name: &impl Fn(AgentId, ContactSlot) -> Option<C>,
    ) {
        let mut claims: SmallVec<[(Key, usize, ContactSlot); 2]> = SmallVec::new();
        for (index, agent_slot) in agent_slots.slots.iter_mut().enumerate() {
            agent_slot.unnamed = false;
            let AgentView::Held { contact, offered: true } = self.agent(agent_slot.id) else { continue };
            let has = agent_slot.agent.state().contact();
            match name(agent_slot.id, contact) {
                None => agent_slot.unnamed = has.is_none(),
                named if named == has => {}
                Some(_) => claims.extend(self.protocol.key_of(contact.0).map(|key| (key, index, contact))),
            }
        }
        claims.sort_unstable();
        let mut taken = false;
        for (_, index, contact) in claims {
            let room = agent_slots.has_room_for(agent_slots.slots[index].channel);
            let agent_slot = &mut agent_slots.slots[index];
            let agrees = room
                && !agent_slot.barred
                && name(agent_slot.id, contact).is_some_and(|contact| agent_slot.agent.reserve(now, contact));
            if agrees || does(Step::SayDeclined) {
                self.say(agent_slot.id, if agrees { Verdict::Agreed } else { Verdict::Declined });
            }
            taken |= agrees;
        }
        if taken {
            // All slots count as idle from now on: an agent that has just got a contact goes behind the others.
            self.withdraw(agent_slots, |_, _| true);
        }
    }

    /// Takes some of the slots out of the index. Whether one of them turned out to be claimed.
    fn withdraw<C: Copy + PartialEq>(
        &self,
        agent_slots: &AgentSlots<C>,
        which: impl Fn(&AgentSlot<C>, &AgentSlots<C>) -> bool,
    ) -> bool {
        let entered =
            |agent_slot: &&AgentSlot<C>| self.agent(agent_slot.id) == AgentView::Ready && which(agent_slot, agent_slots);
        agent_slots
            .slots
            .iter()
            .filter(entered)
            .fold(false, |claimed, agent_slot| claimed | (self.pause(agent_slot.id) != AgentView::Busy))
    }

    fn say(&self, agent_slot: AgentId, verdict: Verdict) {
        let Some((contact, held)) = self.protocol.held(agent_slot.0) else { return };
        let word = if verdict == Verdict::Agreed { held } else { held.as_claim() };
        if self.verdicts[agent_slot.index()].swap(word.pack(), Ordering::AcqRel) != word.pack() {
            self.protocol.wake_contact(contact);
        }
    }

    fn next_to_enter<C: Copy + PartialEq>(&self, agent_slots: &AgentSlots<C>, drained_for: Option<SkillGroupId>) -> NextMove {
        let table = self.protocol.routing_table();
        let has_one_slot = agent_slots.slots.len() == 1;
        let mut takes_more = false;
        let mut with_room: Option<FreeSlot> = None;
        let mut without_room: Option<FreeSlot> = None;
        for (index, agent_slot) in agent_slots.slots.iter().enumerate() {
            let Some(group) = table.group(agent_slot.id).filter(|_| agent_slot.wants_contacts()) else { continue };
            let room = agent_slots.has_room_for(agent_slot.channel);
            takes_more |= room;
            if self.agent(agent_slot.id) != AgentView::Busy {
                continue;
            }
            let first = if has_one_slot { None } else { self.protocol.first_for(&table, agent_slot.id.0, group) };
            let free = FreeSlot { index, group, first };
            let best = if room { &mut with_room } else { &mut without_room };
            if best.is_none() || free.goes_before(best.as_ref()) {
                *best = Some(free);
            }
        }
        if let Some(FreeSlot { index, group, .. }) =
            without_room.filter(|free| takes_more && free.goes_before(with_room.as_ref()))
            && self.may_drain(&table, (agent_slots.slots[index].id, group), drained_for)
        {
            return NextMove::Drain(group);
        }
        with_room.map_or(NextMove::Nothing, |free| NextMove::Enter(free.index))
    }

    /// Whether one more agent may drain for the contacts that wait for the skill group of this slot. The agent may
    /// count already, as `drained_for` says; if it does not, it is counted.
    fn may_drain(
        &self,
        table: &RoutingTable,
        (agent_slot, group): (AgentId, SkillGroupId),
        drained_for: Option<SkillGroupId>,
    ) -> bool {
        let draining = &self.draining[group.0 as usize];
        let counted = drained_for == Some(group);
        let all = draining.load(Ordering::Acquire);
        let own_demand = [Mask::one(DemandId::of_agent(agent_slot).0)];
        let others = all - u32::from(counted);
        (self.protocol.more_wait_than(table.demands_of(group), others) || self.protocol.more_wait_than(&own_demand, 0))
            && (counted || draining.compare_exchange(all, all + 1, Ordering::AcqRel, Ordering::Acquire).is_ok())
    }

    /// How many agents drain.
    #[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
    pub(crate) fn draining(&self) -> u32 {
        self.draining.iter().map(|group| group.load(Ordering::Acquire)).sum()
    }
}

#[cfg(test)]
#[path = "agent_slots_tests.rs"]
mod tests;
