//! The matcher as one engine has it: commands in, events out, and whom it has woken.
//!
//! Everything that an engine learns of the matcher, but for [hints](crate::acd::hints), it learns here and by the hub alone. All of it can be
//! kept and [replayed](crate::acd::answers).

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::acd::agent_slots::{AgentSlots, Request, Settled};
use crate::acd::answers::Answers;
use crate::acd::command::{Command, Event, Offer};
use crate::acd::hints::Hints;
use crate::acd::{ContactSlot, Matcher, RoutingTable};
use crate::base::{AgentId, ContactId, ShardId, Time};

/// The matcher, shared by all shards, as this shard speaks to it.
pub(super) struct MatcherPort {
    matcher: Arc<Matcher>,
    shard: ShardId,
    /// The routing table that this shard has taken up: the hub puts another here at a reload.
    pub(super) routing_table: Arc<RoutingTable>,
    /// The contacts' slots that the matcher has woken, and whose contacts have not looked yet. They are taken from the matcher all at once, and
    /// from here one by one, so that a panic in one loses no other.
    woken: VecDeque<ContactSlot>,
    /// The version of the settings that the matcher knows to be taken up here.
    acknowledged: u64,
    /// Where what it says comes from.
    pub(super) answers: Answers,
    /// A test has this agent woken whenever anybody looks.
    #[cfg(test)]
    pub(super) woken_always: Option<AgentId>,
}

impl MatcherPort {
    /// Nobody has been woken. This version of the settings is the one in force, and so is the matcher's routing table.
    pub(super) fn new(matcher: Arc<Matcher>, answers: Answers, shard: ShardId, version: u64) -> Self {
        let routing_table = matcher.routing_table();
        MatcherPort {
            matcher,
            shard,
            routing_table,
            woken: VecDeque::new(),
            acknowledged: version,
            answers,
            #[cfg(test)]
            woken_always: None,
        }
    }

    /// How many shards there are.
    pub(super) fn shards(&self) -> u16 {
        self.matcher.size().shards
    }

    /// The slots for this shard's contacts.
    pub(super) fn slots(&self) -> Range<u32> {
        self.matcher.slots_of(self.shard.0)
    }

    /// What may be read of it.
    pub(super) fn hints(&mut self) -> Hints<'_> {
        Hints::of(&self.matcher, &self.routing_table, &mut self.answers)
    }

    /// The matcher itself, for the audit.
    pub(super) fn audited(&self) -> &Matcher {
        &self.matcher
    }

    /// Does what a contact says. What came of that.
    pub(super) fn execute(&mut self, command: Command) -> Option<Event> {
        self.answers.next(|| self.matcher.execute(command))
    }

    /// Does what a desk wants. What came of that.
    pub(super) fn settle(
        &mut self,
        now: Time,
        (request, agent_slots): (Request, AgentSlots<ContactId>),
        name: impl Fn(AgentId, ContactSlot) -> Option<ContactId>,
    ) -> Settled<ContactId> {
        self.answers.next(|| self.matcher.settle(now, &request, agent_slots, name))
    }

    /// Whether it has woken anybody of this shard. To be asked from outside: it is neither kept nor replayed.
    pub(super) fn would_wake(&self) -> bool {
        #[cfg(test)]
        if self.woken_always.is_some() {
            return true;
        }
        !self.woken.is_empty() || self.matcher.has_wake_ups(self.shard.0)
    }

    /// Whether it has woken anybody of this shard.
    pub(super) fn has_wake_ups(&mut self) -> bool {
        if !self.woken.is_empty() {
            return true;
        }
        #[cfg(test)]
        if self.woken_always.is_some() {
            return true;
        }
        self.answers.next(|| self.matcher.has_wake_ups(self.shard.0))
    }

    /// The agents' slots that it has woken.
    pub(super) fn woken_agents(&mut self) -> Vec<AgentId> {
        let mut woken = Vec::new();
        if self.answers.next(|| self.matcher.has_wake_ups(self.shard.0)) {
            woken = self.answers.next(|| {
                let mut woken = Vec::new();
                self.matcher.woken_agents(self.shard.0, &mut |agent_slot| woken.push(agent_slot));
                woken
            });
        }
        #[cfg(test)]
        woken.extend(self.woken_always);
        woken
    }

    /// Takes the contacts' slots that it has woken.
    pub(super) fn take_woken_contacts(&mut self) {
        let woken = || {
            let mut woken = Vec::new();
            self.matcher.woken_contacts(self.shard.0, |slot| woken.push(slot));
            woken
        };
        self.woken.extend(self.answers.next(woken));
    }

    /// The next offer to one of those. Of an agent of this shard it is known by then whether the offer holds.
    pub(super) fn next_offer(&mut self) -> Option<Offer> {
        while let Some(slot) = self.woken.pop_front() {
            let offer = self.answers.next(|| self.matcher.offer(slot));
            let is_own = |offer: &Offer| ShardId::of_agent(offer.agent_slot, self.shards()) == self.shard;
            if let Some(offer) = offer.filter(|offer| offer.verdict.is_some() || !is_own(offer)) {
                return Some(offer);
            }
        }
        None
    }

    /// All parties of this shard are where this version of the settings has them.
    pub(super) fn acknowledge(&mut self, version: u64) {
        if std::mem::replace(&mut self.acknowledged, version) != version {
            self.matcher.acknowledge(self.shard.0, version);
        }
    }

    /// The version of which the matcher has heard so.
    #[cfg(test)]
    pub(super) const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }
}
