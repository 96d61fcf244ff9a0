//! What the hub lends an owner while it works, and the queue that everything an owner wants done outside of itself goes to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::between::{Between, Call, ContactKey, ContactRef, DeskId, LegKey, News, Reason, ToContact, ToDesk, ToLeg};
use super::far::{self, Far, Told};
use super::io::{Letter, Output, Said};
use super::media_port::{MediaCommand, MediaThread};
use super::sabotage::{Rule, TakenOut};
use super::settings::Settings;
use super::text_port::TextOutput;
use super::unread::Unread;
use crate::acd::agent_slots::Settled;
use crate::acd::command::{Command, Event};
use crate::acd::hints::Hints;
use crate::base::deadline::Deadlines;
use crate::base::limits::LimitBoard;
use crate::base::seed::Seed;
use crate::base::words::{Limit, Repair};
use crate::base::{AgentId, ContactId, ShardId, Time};
use crate::report::{Fact, FactKind};
use crate::sip::session::Sessions;

/// How often it is reported that something is refused at a limit.
const LIMIT_TOLD_EVERY: Duration = Duration::from_secs(1);

/// What an owner works with beside its own state.
pub(super) struct Context<'a> {
    pub(super) now: Time,
    pub(super) shard: ShardId,
    /// How many shards there are.
    pub(super) shards: u16,
    pub(super) sessions: &'a mut Sessions,
    pub(super) timers: &'a mut Deadlines<Reason>,
    pub(super) seed: &'a mut Seed,
    pub(super) settings: &'a Arc<Settings>,
    /// What may be read of the matcher; what changes it goes through the queue.
    pub(super) hints: Hints<'a>,
    pub(super) out: &'a mut Outgoing,
    pub(super) taken_out: TakenOut,
}

/// What an owner is lent while it works: fields of the engine that are no owner's.
macro_rules! lend {
    ($engine:expr, $now:expr) => {
        $crate::engine::context::Context {
            now: $now,
            shard: $engine.shard,
            shards: $engine.shards,
            sessions: &mut $engine.sessions,
            timers: &mut $engine.deadlines,
            seed: &mut $engine.seed,
            settings: &$engine.settings,
            hints: $engine.matcher.hints(),
            out: &mut $engine.out.0,
            taken_out: $engine.taken_out,
        }
    };
}
pub(super) use lend;

impl Context<'_> {
    /// Whether the rule holds; in production every one does.
    pub(super) const fn holds(&self, rule: Rule) -> bool {
        self.taken_out.holds(rule)
    }

    /// Reports a fact.
    pub(super) fn fact(&mut self, contact: Option<ContactId>, kind: FactKind) {
        self.out.fact(self.now, contact, kind);
    }

    /// Something that must be there is not. A test fails then; in production it is counted, and whoever looked for it goes on without.
    pub(super) fn missing(&mut self, what: &'static str) {
        assert!(!cfg!(test) || what.is_empty(), "missing: {what}");
        self.fact(None, FactKind::Repaired { kind: Repair::Missing });
    }

    /// The desk of an agent, at the shard that owns the agent.
    pub(super) const fn desk(&self, agent: AgentId) -> DeskId {
        DeskId { shard: ShardId::of_agent(agent, self.shards), agent }
    }

    /// Whether the agent is this shard's.
    pub(super) fn owns(&self, agent: AgentId) -> bool {
        self.desk(agent).shard == self.shard
    }

    /// Says something to all other shards.
    pub(super) fn tell_others(&mut self, message: &Between) {
        self.out.copy_to_others(message);
    }

    /// Says something to an agent's desk.
    pub(super) fn tell_desk(&mut self, agent: AgentId, message: ToDesk) {
        let desk = self.desk(agent);
        self.out.tell_desk(desk, message);
    }

    /// Something is refused for want of room.
    pub(super) fn limit_hit(&mut self, contact: Option<ContactId>, limit: Limit) {
        self.out.limit_hit(self.now, contact, limit);
    }
}

/// Outputs in their order, and messages between owners in theirs. What is for an owner of another shard is an output. Owners only add to it.
pub(super) struct Outgoing {
    shard: ShardId,
    /// By shard.
    unread: Box<[Unread]>,
    /// What legs and their contacts of other shards have not read, by the shard that is to read it.
    far: BTreeMap<(ShardId, LegKey), Far>,
    /// What other shards are to be told, by shard.
    letters: Vec<(ShardId, Letter)>,
    outputs: VecDeque<Output>,
    messages: VecDeque<Between>,
    /// What contacts say to the matcher.
    commands: VecDeque<(ContactRef, Command)>,
    /// Desks that want something of the matcher.
    to_settle: VecDeque<DeskId>,
    limits: Arc<LimitBoard>,
    /// When it was last reported that something was refused at a limit.
    limits_told: [Option<Time>; Limit::ALL.len()],
}

impl Outgoing {
    /// Reports a fact.
    pub(super) fn fact(&mut self, at: Time, contact: Option<ContactId>, kind: FactKind) {
        self.outputs.push_back(Output::Fact(Fact { at, contact, kind }));
    }

    /// Commands a media thread.
    pub(super) fn media(&mut self, thread: MediaThread, command: MediaCommand) {
        self.outputs.push_back(Output::Media(thread, command));
    }

    /// Tells whoever carries text.
    pub(super) fn text(&mut self, output: TextOutput) {
        self.outputs.push_back(Output::Text(output));
    }

    /// Says something to a desk.
    pub(super) fn tell_desk(&mut self, desk: DeskId, message: ToDesk) {
        self.send(desk.shard, Between::ToDesk(desk, self.shard, message));
    }

    /// Says something to a contact.
    pub(super) fn tell_contact(&mut self, contact: ContactKey, message: ToContact) {
        self.send(contact.shard, Between::ToContact(contact, message));
    }

    /// Says something to a leg.
    pub(super) fn tell_leg(&mut self, leg: LegKey, message: ToLeg) {
        self.send(leg.shard, Between::ToLeg(leg, message));
    }

    /// Takes what another shard has to say.
    pub(super) fn take_in(&mut self, letter: Letter) {
        letter.0.into_iter().for_each(|said| self.hear(said));
    }

    fn hear(&mut self, said: Said) {
        match said {
            Said::Copy(from, message) => {
                self.messages.push_back(message);
                self.post(from, Said::CopyRead(self.shard));
            }
            Said::CopyRead(by) => {
                let next = self.unread.get_mut(usize::from(by.0)).and_then(Unread::has_read);
                if let Some(message) = next {
                    self.post(by, Said::Copy(self.shard, message));
                }
            }
            Said::Far(from, message) => {
                if let Some(leg) = far::leg_of(&message) {
                    self.post(from, Said::FarRead(self.shard, leg));
                }
                self.messages.push_back(message);
            }
            Said::FarRead(by, leg) => {
                let Some(far) = self.far.get_mut(&(by, leg)) else { return };
                let next = far.has_read();
                if far.is_idle() {
                    self.far.remove(&(by, leg));
                }
                if let Some(message) = next {
                    self.post(by, Said::Far(self.shard, message));
                }
            }
            Said::Message(message) => {
                if let Between::ToContact(_, ToContact::Taken(desk, ..) | ToContact::NotTaken(desk)) = &message
                    && let Some(unread) = self.unread.get_mut(usize::from(desk.shard.0))
                {
                    unread.has_answered();
                }
                self.messages.push_back(message);
            }
        }
    }

    fn send(&mut self, to: ShardId, message: Between) {
        if to == self.shard {
            return self.messages.push_back(message);
        }
        if let Between::ToDesk(desk, _, ToDesk::Take(contact, _)) = &message
            && let Some(unread) = self.unread.get_mut(usize::from(to.0))
            && !unread.may_be_asked()
        {
            let (key, desk) = (contact.key, *desk);
            return self.messages.push_back(Between::ToContact(key, ToContact::NotTaken(desk)));
        }
        let Some(leg) = far::leg_of(&message) else { return self.post(to, Said::Message(message)) };
        match self.far.entry((to, leg)).or_default().tell(&message) {
            Told::Now => self.post(to, Said::Far(self.shard, message)),
            Told::Later => {}
            Told::Never => self.limits.hit(Limit::Keys),
        }
    }

    /// Adds to the letter to a shard.
    fn post(&mut self, to: ShardId, said: Said) {
        match self.letters.iter_mut().find(|(shard, _)| *shard == to) {
            Some((_, letter)) => letter.0.push(said),
            None => self.letters.push((to, Letter(vec![said]))),
        }
    }

    /// Says something to all other shards.
    fn copy_to_others(&mut self, message: &Between) {
        let own = usize::from(self.shard.0);
        for shard in (0..self.unread.len()).filter(|shard| *shard != own) {
            if self.unread[shard].may_be_told(message) {
                self.post(ShardId(shard as u16), Said::Copy(self.shard, message.clone()));
            }
        }
    }

    /// Has somebody called.
    pub(super) fn call(&mut self, call: Call) {
        self.messages.push_back(Between::Call(Box::new(call)));
    }

    /// Commands the matcher for a contact.
    pub(super) fn command(&mut self, contact: ContactRef, command: Command) {
        self.commands.push_back((contact, command));
    }

    /// Tells a contact what came of its command to the matcher.
    pub(super) fn matched(&mut self, contact: ContactRef, event: Event) {
        self.messages.push_back(Between::FromMatcher(contact, event));
    }

    /// Says something to all contacts of the shard that it may concern. While nobody has heard it, saying it again adds nothing.
    pub(super) fn tell_contacts(&mut self, news: News) {
        if self.messages.back() != Some(&Between::ToContacts(news)) {
            self.messages.push_back(Between::ToContacts(news));
        }
    }

    /// Has the matcher do what a desk wants of it.
    pub(super) fn settle(&mut self, desk: DeskId) {
        self.to_settle.push_back(desk);
    }

    /// Tells a desk what came of what it wants of the matcher.
    pub(super) fn settled(&mut self, desk: DeskId, settled: Settled<ContactId>) {
        self.messages.push_back(Between::Settled(desk, settled));
    }

    /// Says that a changed configuration is taken up by everybody whom it concerns.
    pub(super) fn taken_up(&mut self) {
        self.messages.push_back(Between::TakenUp);
    }

    /// Something is refused because there is no room for it. Every refusal is counted; it is reported once a second, for a flood must not
    /// fill the log.
    pub(super) fn limit_hit(&mut self, now: Time, contact: Option<ContactId>, limit: Limit) {
        self.limits.hit(limit);
        let told = &mut self.limits_told[limit.index()];
        if told.is_none_or(|at| now.since(at) >= LIMIT_TOLD_EVERY) {
            *told = Some(now);
            self.fact(now, contact, FactKind::LimitHit { limit });
        }
    }
}

/// The hub's: what owners have [added](Outgoing), which it hands on.
pub(super) struct Outbox(pub(super) Outgoing);

impl Outbox {
    pub(super) fn new(shard: ShardId, shards: u16, limits: Arc<LimitBoard>) -> Self {
        let limits_told = [None; Limit::ALL.len()];
        let (outputs, messages, commands, to_settle) = Default::default();
        let unread = (0..shards).map(|_| Unread::default()).collect();
        Outbox(Outgoing {
            shard,
            unread,
            far: BTreeMap::new(),
            letters: Vec::new(),
            outputs,
            messages,
            commands,
            to_settle,
            limits,
            limits_told,
        })
    }

    /// Takes back what a desk has not heard yet, but for what it cannot learn otherwise; and that it has let itself be taken.
    /// To mend the desk. What came of settling it stays: it only adds reservations, which the matcher knows of.
    pub(super) fn take_back(&mut self, agent: AgentId) {
        let learned =
            |message: &ToDesk| matches!(message, ToDesk::Take(..) | ToDesk::Command(_) | ToDesk::Offered(..) | ToDesk::Has(..));
        let stays = |message: &Between| match message {
            Between::ToDesk(desk, _, message) => desk.agent != agent || learned(message),
            _ => true,
        };
        self.0.messages.retain(stays);
        for message in &mut self.0.messages {
            if let Between::ToContact(_, said @ ToContact::Taken(..)) = message
                && let ToContact::Taken(desk, ..) = *said
                && desk.agent == agent
            {
                *said = ToContact::NotTaken(desk);
            }
        }
    }

    /// Takes back what a contact has asked of legs, what came of it, and what legs that are gone have told it: after a fault, the legs that
    /// there are tell that better.
    pub(super) fn take_back_calls(&mut self, contact: ContactKey, legs: &[LegKey]) {
        self.0.messages.retain(|message| match message {
            Between::Call(call) => call.contact.key != contact,
            Between::ToContact(key, ToContact::Rung(..)) => *key != contact,
            Between::ToContact(key, ToContact::Leg(leg, _)) => *key != contact || legs.contains(leg),
            _ => true,
        });
    }

    /// The next output. What other shards are told comes last, each all at once.
    pub(super) fn next_output(&mut self) -> Option<Output> {
        self.0.outputs.pop_front().or_else(|| self.0.letters.pop().map(|(to, letter)| Output::Letter(to, letter)))
    }

    /// The next command to the matcher.
    pub(super) fn next_command(&mut self) -> Option<(ContactRef, Command)> {
        self.0.commands.pop_front()
    }

    /// Whether a desk wants something of the matcher.
    pub(super) fn has_to_settle(&self) -> bool {
        !self.0.to_settle.is_empty()
    }

    /// The next desk that wants something of the matcher.
    pub(super) fn next_to_settle(&mut self) -> Option<DeskId> {
        self.0.to_settle.pop_front()
    }

    /// How many messages wait.
    pub(super) fn messages(&self) -> usize {
        self.0.messages.len()
    }

    /// The next message.
    pub(super) fn next_message(&mut self) -> Option<Between> {
        self.0.messages.pop_front()
    }
}
