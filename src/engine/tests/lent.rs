//! What an owner is lent, and nothing else: for tests of one owner by itself.

use std::sync::Arc;

use super::super::Settings;
use super::super::between::{Between, Reason};
use super::super::context::{Context, Outbox};
use super::super::desks::Desks;
use super::super::sabotage::TakenOut;
use crate::acd::agent_slots::AgentSlotIds;
use crate::acd::answers::Answers;
use crate::acd::hints::Hints;
use crate::acd::matcher::Size;
use crate::acd::routing_table::RoutingTable;
use crate::acd::{ContactSlot, Matcher};
use crate::base::deadline::Deadlines;
use crate::base::seed::Seed;
use crate::base::words::Transport;
use crate::base::{AgentId, ContactId, ShardId, Time};
use crate::sip::session::Sessions;
use crate::sip::stack::ListenerName;

pub(in crate::engine) const T0: Time = Time::from_secs(1_800_000_000);
pub(in crate::engine) const SHARD: ShardId = ShardId(0);

/// All that a [`Context`] borrows from.
pub(in crate::engine) struct Lent {
    pub(in crate::engine) sessions: Sessions,
    pub(in crate::engine) timers: Deadlines<Reason>,
    pub(in crate::engine) seed: Seed,
    pub(in crate::engine) settings: Arc<Settings>,
    pub(in crate::engine) matcher: Matcher,
    /// What is in force, whenever something is lent.
    table: Arc<RoutingTable>,
    answers: Answers,
    pub(in crate::engine) out: Outbox,
}

impl Lent {
    pub(in crate::engine) fn new(settings: Settings) -> Self {
        let agents = settings.directory.agents.len() as u32;
        let (settings, directory) = settings.with_agent_slots(&AgentSlotIds::beyond(agents, 1));
        let settings = Arc::new(settings);
        let size = Size { shards: 1, contacts_per_shard: 8, agents: 16, queues: 2, agencies: 2 };
        let mut seed = Seed::from_number(1);
        let listeners = vec![ListenerName { transport: Transport::Udp, sent_by: "198.51.100.1:5060".into() }];
        let matcher = Matcher::new(size, RoutingTable::new(&directory, 1), |_| 0);
        Lent {
            sessions: Sessions::new(0, listeners, seed.fork(), Arc::default()),
            timers: Deadlines::default(),
            seed,
            table: matcher.routing_table(),
            answers: Answers::Live,
            matcher,
            settings,
            out: Outbox::new(SHARD, 1, Arc::default()),
        }
    }

    /// Has the matcher do what desks want, and them hear of it, until there is nothing more. `name` is the name of the contact in a slot.
    /// What else was said, in its order.
    pub(in crate::engine) fn settle(
        &mut self,
        now: Time,
        desks: &mut Desks,
        name: impl Fn(AgentId, ContactSlot) -> Option<ContactId>,
    ) -> Vec<Between> {
        let mut said = Vec::new();
        loop {
            match self.out.next_message() {
                Some(Between::Settled(desk, settled)) => desks.settled(&mut self.context(now), desk.agent, &settled),
                Some(other) => said.push(other),
                None => {
                    let Some(desk) = self.out.next_to_settle() else { return said };
                    if let Some((request, agent_slots)) = desks.wants(&mut self.context(now), desk.agent) {
                        let settled = self.matcher.settle(now, &request, agent_slots, &name);
                        self.out.0.settled(desk, settled);
                    }
                }
            }
        }
    }

    pub(in crate::engine) fn context(&mut self, now: Time) -> Context<'_> {
        let Lent { sessions, timers, seed, settings, matcher, table, answers, out } = self;
        *table = matcher.routing_table();
        let (hints, out, taken_out) = (Hints::of(matcher, table, answers), &mut out.0, TakenOut::default());
        Context { now, shard: SHARD, shards: 1, sessions, timers, seed, settings, hints, out, taken_out }
    }
}
