//! The play: callers and agents of a [`Scene`] meet in the matcher, under a virtual clock.
//!
//! It owns each caller's way from arrival to the end of the talk, by the queue rules that the engine follows too, and
//! what agents do between talks. Signalling takes no time here; only people do.

mod agents;
mod pair;
mod queue;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use slab::Slab;

use self::pair::Pair;
use super::scene::{Duty, Scene};
use crate::acd::agent_slots::{AgentSlotIds, AgentSlots, Verdict};
use crate::acd::answers::Answers;
use crate::acd::command::{Command, Event, NotJoined};
use crate::acd::contact_slots::ContactSlots;
use crate::acd::hints::Hints;
use crate::acd::matcher::{Size, Standing};
use crate::acd::queue::QueueRules;
use crate::acd::stay::{Joined, Joining, Matching, Stay};
use crate::acd::{ContactSlot, Key, Matcher, RoutingTable};
use crate::base::deadline::{DeadlineId, Deadlines};
use crate::base::seed::Seed;
use crate::base::span::Share;
use crate::base::words::{EstimateOutcome, OfferOutcome};
use crate::base::{AgencyId, AgentId, Estimate, QueueId, Time};

/// When a play starts: late enough that priority boosts and credits do not reach back beyond time zero.
pub const START: Time = Time::from_secs(10_000_000);

/// When no caller has come, nobody has talked and no agent has worked for so long, the play stops looking for agents.
const LOOKS_IN_VAIN: Duration = Duration::from_secs(24 * 3600);
/// A returning caller was served by one of the last so many agents of the queue, each as likely.
const LAST_AGENTS: usize = 64;

/// What became of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// This agent answered.
    Answered(AgentId),
    /// The caller hung up in a queue.
    Abandoned,
    /// The queue was full, and the overflow led nowhere.
    Blocked,
    /// The longest wait was over, and the overflow led outside.
    Overflowed,
    /// No agent who could have served was signed in.
    Closed,
}

/// A call that has left the queues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// The stream of the scene that it belongs to.
    pub stream: usize,
    /// The queue it left last.
    pub queue: QueueId,
    /// When it came.
    pub arrived: Time,
    /// How long it waited in all.
    pub waited: Duration,
    /// What became of it.
    pub outcome: Outcome,
}

/// Receives what happens, in the order of time.
pub trait Observer {
    /// A call left the queues.
    fn ended(&mut self, call: &Ended);
    /// An agent's standing from now on; `None`: not signed in.
    fn standing(&mut self, _now: Time, _agent: AgentId, _standing: Option<Standing>) {}
    /// An agent talked.
    fn talked(&mut self, agent: AgentId, from: Time, until: Time);
    /// The length of `queue` from now on.
    fn in_queue(&mut self, _now: Time, _queue: QueueId, _waiting: u32) {}
    /// How a wait in `queue` turned out, beside its estimate.
    fn estimated(&mut self, _queue: QueueId, _estimate: &Estimate, _waited: Duration, _outcome: EstimateOutcome) {}
    /// A caller of this stream found its entry closed, and joined no queue.
    fn found_closed(&mut self, _stream: usize) {}
    /// How many agents of an agency are on loan from now on.
    fn on_loan(&mut self, _now: Time, _agency: AgencyId, _agents: u32) {}
    /// A caller who joined `queue` at `joined` has left it.
    fn left_queue(&mut self, _now: Time, _queue: QueueId, _joined: Time) {}
}

/// More callers wait than the play has room for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("more than {0} callers wait at once: the load is more than the agents can take, and nobody hangs up")]
pub struct Crowded(pub u32);

/// What happens when a deadline comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Due {
    Arrive(usize),
    Duty(AgentId, Duty),
    OutOfPatience(usize),
    WaitMax(usize),
    Relax(usize),
    PreferNobody(usize),
    Answer(usize, ContactSlot),
    RungInVain(usize, ContactSlot),
    TalkOver(usize),
    /// A caller who also wants an interpreter looks again.
    StepPair(usize),
    /// The wrap-up or pause of one of an agent's slots is over.
    StateOver(AgentId),
    /// An agent who drains checks whether there is still a reason.
    LookAgain(AgentId),
    Back(AgentId),
}

/// An agent slot that rings for a caller, in one of the caller's slots.
#[derive(Clone, Copy, Debug)]
struct Ring {
    slot: ContactSlot,
    agent_slot: AgentId,
    /// When it is answered or given up; `None`: it has been answered.
    over: Option<DeadlineId>,
}

/// The deadlines of a caller.
#[derive(Clone, Copy, Default, Debug)]
struct Clocks {
    patience: Option<DeadlineId>,
    wait_max: Option<DeadlineId>,
    relax: Option<DeadlineId>,
    prefer: Option<DeadlineId>,
}

#[derive(Debug)]
struct Caller {
    stream: usize,
    queue: QueueId,
    arrived: Time,
    joined: Time,
    talk: Duration,
    /// The wrap-up time of the agent who talked to it; `None`: as long as allowed.
    finishes: Option<Duration>,
    /// Whether it goes before all others, wherever it goes on to: who calls an emergency queue does.
    emergency: bool,
    /// Which of the last agents of its queue has served it before; `None`: none.
    returns: Option<u64>,
    /// Its place in a queue, while it has one for itself alone.
    stay: Option<Stay>,
    rings: Vec<Ring>,
    /// The joint request of a caller who wants an agent and an interpreter.
    pair: Option<Box<Pair>>,
    talks: Option<(AgentId, Time)>,
    interpreter: Option<AgentId>,
    clocks: Clocks,
}

#[derive(Debug)]
struct Worker {
    agent_slots: AgentSlots,
    /// By agent slot: when its wrap-up or pause is over.
    state_over: Vec<Option<DeadlineId>>,
    look_again: Option<DeadlineId>,
    signed_in: bool,
}

struct Source {
    seed: Seed,
    count: usize,
    last: Duration,
}

/// A play in progress.
pub struct World<'s, O> {
    scene: &'s Scene,
    matcher: Matcher,
    table: Arc<RoutingTable>,
    callers: Slab<Caller>,
    /// With the callers in them.
    slots: ContactSlots<usize>,
    queue_max: u32,
    /// Callers who wait for two agents, by their keys.
    pairs: BTreeMap<Key, usize>,
    /// By queue: the agents who served it last, the latest first.
    last_agents: Vec<VecDeque<AgentId>>,
    /// By agent.
    workers: Vec<Worker>,
    ids: AgentSlotIds,
    due: Deadlines<Due>,
    sources: Vec<Source>,
    seed: Seed,
    last_arrival: Time,
    crowded: bool,
    observer: O,
}

impl<'s, O: Observer> World<'s, O> {
    /// The scene before anything happens. Calls come until `span` is over, and are then played to their end.
    /// `queue_max` callers may wait at once.
    pub fn new(scene: &'s Scene, span: Duration, queue_max: u32, mut seed: Seed, observer: O) -> Self {
        let (directory, ids) = scene.directory.with_first_agent_slots();
        let (agents, queues) = (directory.agents.len() as u32, directory.queues.len() as u32);
        let worker = |agent| Worker {
            agent_slots: AgentSlots::new(&scene.directory.capacity(agent), ids.of(agent), START),
            state_over: vec![None; ids.of(agent).count()],
            look_again: None,
            signed_in: false,
        };
        let agencies = scene.directory.lending.len() as u32;
        let several = scene.directory.queues.iter().flatten().any(|rules| rules.ring_several > 1);
        let pairs = scene.streams.iter().any(|stream| stream.interpreters.is_some());
        let slots = if several { Size::slots_for(queue_max) } else { queue_max } + if pairs { queue_max } else { 0 };
        let size = Size { shards: 1, contacts_per_shard: slots, agents, queues, agencies };
        let mut due = Deadlines::default();
        for (at, agent, duty) in &scene.duties {
            due.set(START + *at, Due::Duty(*agent, *duty));
        }
        let mut chance = seed.fork();
        let mut sources = Vec::with_capacity(scene.streams.len());
        for (index, stream) in scene.streams.iter().enumerate() {
            if index > 0 && !stream.same_callers {
                chance = seed.fork();
            }
            sources.push(Source { seed: chance.clone(), count: 0, last: Duration::ZERO });
        }
        let matcher = Matcher::new(size, RoutingTable::new(&directory, 1), |_| 0);
        let mut world = World {
            scene,
            table: matcher.routing_table(),
            matcher,
            callers: Slab::new(),
            slots: ContactSlots::new(&(0..slots), if pairs { 2 * queue_max } else { queue_max }),
            queue_max,
            pairs: BTreeMap::new(),
            last_agents: vec![VecDeque::new(); queues as usize],
            workers: (0..scene.directory.agents.len() as u32).map(AgentId).map(worker).collect(),
            ids,
            due,
            sources,
            seed,
            last_arrival: START + span,
            crowded: false,
            observer,
        };
        for stream in 0..scene.streams.len() {
            world.expect_arrival(stream);
        }
        world
    }

    /// Plays to the end, and returns the observer. `progress` is called with the time now and then.
    ///
    /// # Errors
    /// When more callers wait than there is room for.
    pub fn run(mut self, mut progress: impl FnMut(Time)) -> Result<O, Crowded> {
        const EVERY: u32 = 1 << 16;
        let mut steps = 0_u32;
        let mut last = START;
        let mut last_by_people = START;
        while let Some((now, _)) = self.due.next() {
            last = now;
            if let Some((_, due)) = self.due.pop_due(now) {
                // A joint request looks again and again, even when all others have gone home.
                if !matches!(due, Due::StepPair(_) | Due::LookAgain(_)) {
                    last_by_people = now;
                } else if now > self.last_arrival && now.since(last_by_people) > LOOKS_IN_VAIN {
                    break;
                }
                self.happen(now, due);
                self.follow_wake_ups(now);
            }
            if self.crowded {
                return Err(Crowded(self.queue_max));
            }
            steps = steps.wrapping_add(1);
            if steps.is_multiple_of(EVERY) {
                progress(now);
            }
        }
        // No agent comes any more who could serve these callers, so they would wait for ever.
        let stranded: Vec<usize> = self.callers.iter().map(|(id, _)| id).collect();
        for id in stranded {
            self.leave(last, id, Outcome::Closed);
        }
        Ok(self.observer)
    }

    fn happen(&mut self, now: Time, due: Due) {
        match due {
            Due::Arrive(stream) => self.arrive(now, stream),
            Due::Duty(agent, duty) => self.duty(now, agent, duty),
            Due::OutOfPatience(caller) => self.leave(now, caller, Outcome::Abandoned),
            Due::WaitMax(caller) => self.waited_too_long(now, caller),
            Due::Relax(caller) => self.relax(now, caller),
            Due::PreferNobody(caller) => self.prefer_nobody(now, caller),
            Due::Answer(caller, slot) => self.answer(now, caller, slot),
            Due::RungInVain(caller, slot) => self.rung_in_vain(now, caller, slot),
            Due::TalkOver(caller) => self.talk_over(now, caller),
            Due::StepPair(caller) => self.step_pair(now, caller),
            Due::StateOver(agent_slot) => {
                let agent = self.tell(agent_slot, |agent| {
                    agent.due(now);
                });
                self.agent_changed(now, agent);
            }
            Due::LookAgain(agent) => self.agent_changed(now, agent),
            Due::Back(agent) => {
                self.workers[agent.index()].agent_slots.each(|agent_slot| agent_slot.is_back(now));
                self.agent_changed(now, agent);
            }
        }
    }

    fn rules(&self, queue: QueueId) -> Option<&'s QueueRules> {
        rules(self.scene, queue)
    }

    // ---- callers ----

    fn expect_arrival(&mut self, stream: usize) {
        let source = &mut self.sources[stream];
        let Some(at) = self.scene.streams[stream].arrivals.next(source.last, source.count, &mut source.seed) else { return };
        (source.last, source.count) = (at, source.count + 1);
        if START + at < self.last_arrival {
            self.due.set(START + at, Due::Arrive(stream));
        }
    }

    /// All random draws of a call are made here, from the call's own seed: two plays with one seed meet the same
    /// callers.
    fn arrive(&mut self, now: Time, stream: usize) {
        let kind = &self.scene.streams[stream];
        let seed = &mut self.sources[stream].seed;
        let (patience, talk) = (kind.patience.draw(seed), kind.talk.draw(seed).unwrap_or(Duration::MAX));
        let returns = (kind.returning != Share::NONE && kind.returning.draw(seed)).then(|| seed.next_u64());
        let finishes = kind.wrap_up.as_ref().and_then(|wrap_up| wrap_up.draw(seed));
        self.expect_arrival(stream);
        if let Some(windows) = kind.windows.as_ref().filter(|windows| !windows.are_open(now.since(START))) {
            if windows.turns_away {
                self.observer.found_closed(stream);
            }
            return;
        }
        let caller = Caller {
            stream,
            queue: kind.queue,
            arrived: now,
            joined: now,
            talk,
            finishes,
            emergency: self.rules(kind.queue).is_some_and(|rules| rules.emergency),
            returns,
            stay: None,
            rings: Vec::new(),
            pair: None,
            talks: None,
            interpreter: None,
            clocks: Clocks::default(),
        };
        let id = self.callers.insert(caller);
        self.callers[id].clocks.patience = patience.map(|patience| self.due.set(now + patience, Due::OutOfPatience(id)));
        self.join(now, id, kind.queue);
    }

    fn join(&mut self, now: Time, id: usize, queue: QueueId) {
        let caller = &mut self.callers[id];
        (caller.queue, caller.joined) = (queue, now);
        let Caller { arrived, stream, emergency, .. } = *caller;
        let language = self.scene.streams[stream].language;
        let Some(rules) = self.rules(queue) else { return self.end(now, id, Outcome::Closed) };
        if let Some(interpreters) = self.scene.streams[stream].interpreters {
            return self.join_with_interpreter(now, id, rules, interpreters);
        }
        let last_agent = self.served_before(id, queue);
        let joining = Joining { queue, rules, language, emergency, credit: now.since(arrived), last_agent };
        let (stay, events) = self.matching(now, |matching| Stay::join(matching, id, &joining));
        let came = stay.and_then(|stay| match events.as_slice() {
            [Event::Joined { place, prefers, offered, .. }] => {
                Ok((stay, Joined { place: *place, prefers: *prefers, offered: *offered }))
            }
            events => {
                stay.give_back(&mut self.slots);
                Err(if let [Event::NotJoined(_, why)] = events { *why } else { NotJoined::Closed })
            }
        });
        match came {
            Ok((stay, joined)) => self.joined(now, id, (stay, joined), &joining),
            Err(NotJoined::Closed) => self.end(now, id, Outcome::Closed),
            Err(NotJoined::Nobody) => self.nobody_here(now, id, &rules.join_empty, &rules.overflow),
            Err(NotJoined::Full) => self.turned_away(now, id, &rules.overflow, Outcome::Blocked),
            Err(NotJoined::NoSlot) => {
                self.crowded = true;
                self.end(now, id, Outcome::Blocked);
            }
        }
    }

    fn joined(&mut self, now: Time, id: usize, (mut stay, joined): (Stay, Joined), joining: &Joining<'_>) {
        let rules = joining.rules;
        let (prefers_for, _) = self.matching(now, |matching| stay.joined(matching, joining, joined));
        let clocks = &mut self.callers[id].clocks;
        clocks.wait_max = rules.wait_max.map(|span| self.due.set(now + span, Due::WaitMax(id)));
        clocks.relax = stay.relaxes_at(rules).map(|at| self.due.set(at, Due::Relax(id)));
        clocks.prefer = prefers_for.map(|span| self.due.set(now + span, Due::PreferNobody(id)));
        self.matching(now, |matching| stay.ask_further(matching, id, rules));
        self.callers[id].stay = Some(stay);
        self.follow_wake_ups(now);
        self.tell_queue(now, joining.queue);
    }

    /// Lends a stay what it works with, and executes what it says at once. What came of that.
    fn matching<T>(&mut self, now: Time, stay: impl FnOnce(&mut Matching<'_, usize>) -> T) -> (T, Vec<Event>) {
        let mut events = Vec::new();
        let mut live = Answers::Live;
        let hints = Hints::of(&self.matcher, &self.table, &mut live);
        let command = &mut |command| events.extend(self.matcher.execute(command));
        let told = stay(&mut Matching { now, hints, slots: &mut self.slots, command });
        (told, events)
    }

    /// The same for the stay of a caller, where there is one.
    fn with_stay(&mut self, now: Time, id: usize, act: impl FnOnce(&mut Stay, &mut Matching<'_, usize>)) -> Vec<Event> {
        let Some(mut stay) = self.callers[id].stay.take() else { return Vec::new() };
        let ((), events) = self.matching(now, |matching| act(&mut stay, matching));
        for event in &events {
            if let Event::Ended(slot) = event {
                stay.further_ended(&mut self.slots, *slot);
            }
        }
        self.callers[id].stay = Some(stay);
        events
    }

    // ---- what the matcher decides ----

    fn follow_wake_ups(&mut self, now: Time) {
        while self.matcher.has_wake_ups(0) {
            let (mut agents, mut slots) = (Vec::new(), Vec::new());
            self.matcher.woken_agents(0, |agent| agents.push(agent));
            self.matcher.woken_contacts(0, |slot| slots.push(slot));
            for agent_slot in agents {
                self.matcher.consider_loan(agent_slot);
                self.agent_changed(now, self.ids.agent(agent_slot));
            }
            if self.matcher.take_joint_wake_up(0) {
                self.step_pairs(now);
            }
            for slot in slots {
                let (Some(offer), Some(id)) = (self.matcher.offer(slot), self.slots.contact(slot)) else { continue };
                let agent_slot = offer.agent_slot;
                if self.callers[id].pair.is_some() {
                    self.step_pair(now, id);
                    continue;
                }
                match offer.verdict {
                    Some(Verdict::Agreed) if self.callers[id].rings.iter().all(|ring| ring.slot != slot) => {
                        self.ring(now, id, slot, agent_slot);
                    }
                    Some(Verdict::Declined) => {
                        self.put_back(now, id, slot);
                        self.agent_changed(now, self.ids.agent(agent_slot));
                    }
                    Some(Verdict::Agreed) | None => {}
                }
            }
        }
    }

    fn ring(&mut self, now: Time, id: usize, slot: ContactSlot, agent_slot: AgentId) {
        let Some(rules) = self.rules(self.callers[id].queue) else { return };
        self.tell(agent_slot, |agent| agent.ring(now, slot, rules.ring_timeout));
        let manners = &self.scene.manners;
        let missed = manners.miss.draw(&mut self.seed);
        let answers = manners.answer_after.draw(&mut self.seed).filter(|span| !missed && *span < rules.ring_timeout);
        let over = match answers {
            Some(Duration::ZERO) => None,
            Some(span) => Some(self.due.set(now + span, Due::Answer(id, slot))),
            None => Some(self.due.set(now + rules.ring_timeout, Due::RungInVain(id, slot))),
        };
        self.callers[id].rings.push(Ring { slot, agent_slot, over });
        if over.is_none() {
            self.answer(now, id, slot);
        }
    }

    fn answer(&mut self, now: Time, id: usize, slot: ContactSlot) {
        let caller = &mut self.callers[id];
        caller.rings.iter_mut().filter(|ring| ring.slot == slot).for_each(|ring| ring.over = None);
        if caller.pair.is_some() {
            return self.answer_pair(now, id);
        }
        let (queue, talk) = (caller.queue, caller.talk);
        let Some(Event::Accepted(_, agent_slot)) = self.matcher.execute(Command::Accept(slot)) else { return };
        let others = let_go_of(&self.with_stay(now, id, |stay, matching| stay.others_leave(matching.command, slot)));
        let talk_max = self.rules(queue).map_or(talk, |rules| rules.talk_max);
        let agent = self.tell(agent_slot, |agent| agent.talk(now, slot, talk_max));
        self.give_back_place(now, id, true);
        self.callers[id].talks = Some((agent_slot, now));
        self.note_last(queue, agent_slot);
        self.due.set(now + talk.min(talk_max), Due::TalkOver(id));
        self.end(now, id, Outcome::Answered(agent));
        self.tell_queue(now, queue);
        for other in others {
            self.let_go(now, other, OfferOutcome::Withdrawn);
        }
    }

    fn rung_in_vain(&mut self, now: Time, id: usize, slot: ContactSlot) {
        let rings = &mut self.callers[id].rings;
        let Some(at) = rings.iter().position(|ring| ring.slot == slot) else { return };
        let agent_slot = rings.swap_remove(at).agent_slot;
        if self.callers[id].pair.is_some() {
            return self.pair_rung_in_vain(now, id, agent_slot);
        }
        self.put_back(now, id, slot);
        self.missed(now, agent_slot);
    }

    /// An agent did not answer.
    fn missed(&mut self, now: Time, agent_slot: AgentId) {
        let agent = self.let_go(now, agent_slot, OfferOutcome::TimedOut);
        self.due.set(now + self.scene.manners.back_after, Due::Back(agent));
    }

    /// The caller waits again at its place, and for any agent: the one whom it waited for is not available.
    fn put_back(&mut self, now: Time, id: usize, slot: ContactSlot) {
        let caller = &mut self.callers[id];
        if let Some(clock) = caller.clocks.prefer.take() {
            self.due.cancel(clock);
        }
        if let Some(rules) = rules(self.scene, caller.queue) {
            self.with_stay(now, id, |stay, matching| {
                stay.put_back(matching, slot);
                stay.ask_further(matching, id, rules);
            });
        }
    }

    fn talk_over(&mut self, now: Time, id: usize) {
        let caller = self.callers.remove(id);
        let Some((agent_slot, since)) = caller.talks else { return };
        for agent_slot in [Some(agent_slot), caller.interpreter].into_iter().flatten() {
            self.talked(now, agent_slot, since, (caller.queue, caller.finishes));
        }
    }

    fn talked(&mut self, now: Time, agent_slot: AgentId, since: Time, (queue, finishes): (QueueId, Option<Duration>)) {
        let own = self.scene.wrap_up.get(self.ids.agent(agent_slot).index()).copied().flatten();
        let most = own.or(self.rules(queue).map(|rules| rules.wrap_up)).unwrap_or_default();
        let wrap_up = finishes.map_or(most, |finishes| finishes.min(most));
        let agent = self.tell(agent_slot, |agent| agent.talk_over(now, wrap_up));
        self.observer.talked(agent, since, now);
        self.agent_changed(now, agent);
    }
}

/// The agents to whom a caller who has left was offered.
fn let_go_of(events: &[Event]) -> Vec<AgentId> {
    events.iter().filter_map(Event::agent_slot).collect()
}

/// The rules of a queue.
fn rules(scene: &Scene, queue: QueueId) -> Option<&QueueRules> {
    scene.directory.queues.get(queue.index())?.as_ref()
}
