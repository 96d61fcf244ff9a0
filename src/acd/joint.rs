//! Joint requests: two agents for one contact, one to talk and one to interpret, reserved together or not at all.
//!
//! A request has two slots, one for each demand. While it *looks*, neither slot has an entry, and no agent is held for
//! it. When an agent is free for each demand at once, the request's owner enters each slot into such an agent's own
//! demand. Unless both slots are offered, it takes both out again. Agents that stay free wake the owners of the
//! requests.
//!
//! Where contacts always wait, no agent stays free. So a request that has waited long enough may take the *reservation
//! lease*, of which there is one in the matcher. It enters both slots at their place in their demands, as any contact
//! does. It holds the agent that comes first, for a limited time, while it waits for the other. Then it lets that agent
//! go, waits until it has the other, and may hold that one twice as long.
//!
//! With one lease no two requests hold what the other wants. The request comes to the front of both demands, since
//! contacts go by arrival. Since the hold grows, at some time it is long enough. The lease expires, so that no request
//! waits for an owner that does not come back.

use std::time::Duration;

use super::claim::{ContactSlot, ContactView, Key, Left};
use super::matcher::Matcher;
use super::routing_table::DemandId;
use super::step::{Step, does};
use crate::base::padded::Padded;
use crate::base::sync::{AtomicU32, AtomicU64, Ordering, fence};
use crate::base::{AgentId, QueueId, Time};

/// How much longer than the longest hold a lease lasts before another request may have it.
const LEASE_MARGIN: Duration = Duration::from_secs(60);

/// Which shards have requests that look, and which request has the reservation lease.
pub(super) struct Joints {
    /// By shard: how many of its requests look.
    looking: Box<[Padded<AtomicU32>]>,
    /// By shard: whether its requests should look again.
    woken: Box<[Padded<AtomicU32>]>,
    /// The first slot of the request that has the lease plus one, and the lease's end in milliseconds; zero: no request
    /// has it.
    lease: Padded<AtomicU64>,
}

const LEASE_SHIFT: u32 = 42;

impl Joints {
    pub(super) fn new(shards: u16) -> Self {
        let zeroes = || (0..shards).map(|_| Padded(AtomicU32::new(0))).collect();
        Joints { looking: zeroes(), woken: zeroes(), lease: Padded(AtomicU64::new(0)) }
    }

    pub(super) fn has_wake_up(&self, shard: u16) -> bool {
        self.woken[usize::from(shard)].0.load(Ordering::Acquire) != 0
    }

    fn any_looks(&self) -> bool {
        self.looking.iter().any(|looking| looking.0.load(Ordering::Acquire) != 0)
    }

    /// Wakes all requests that look.
    fn wake(&self) {
        for (looking, woken) in self.looking.iter().zip(&self.woken) {
            if looking.0.load(Ordering::Acquire) != 0 {
                woken.0.store(1, Ordering::Release);
            }
        }
    }

    fn take_lease(&self, slot: ContactSlot, now: Time, until: Time) -> bool {
        let lease = self.lease.0.load(Ordering::Acquire);
        let over = lease & ((1 << LEASE_SHIFT) - 1) < now.millis() || !does(Step::OneLease);
        let mine = Self::lease_of(slot, until);
        (lease == 0 || over) && self.lease.0.compare_exchange(lease, mine, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Extends the slot's lease, if it still has it, until then.
    fn keep_lease(&self, slot: ContactSlot, until: Time) -> bool {
        let lease = self.lease.0.load(Ordering::Acquire);
        lease >> LEASE_SHIFT == u64::from(slot.0 + 1)
            && self.lease.0.compare_exchange(lease, Self::lease_of(slot, until), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn lease_of(slot: ContactSlot, until: Time) -> u64 {
        u64::from(slot.0 + 1) << LEASE_SHIFT | until.millis() & ((1 << LEASE_SHIFT) - 1)
    }

    /// Ends the slot's lease, if it has it.
    fn end_lease(&self, slot: ContactSlot) {
        let lease = self.lease.0.load(Ordering::Acquire);
        if lease >> LEASE_SHIFT == u64::from(slot.0 + 1)
            && self.lease.0.compare_exchange(lease, 0, Ordering::AcqRel, Ordering::Acquire).is_ok()
        {
            fence(Ordering::SeqCst);
            self.wake();
        }
    }
}

/// How patient a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// After this time it may take the reservation lease.
    pub looks: Duration,
    /// How long it holds one agent while it waits for the other, at first.
    pub holds: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// It has not joined yet, or has left.
    Away,
    /// Neither slot has an entry.
    Looking,
    /// It has the reservation lease: which of the slots have an entry, and since when one is held alone.
    Leased { entered: [bool; 2], held_since: Option<Time>, holds: Duration },
    /// Both are offered.
    Together,
}

/// A request for two agents, kept by its owner. The owner [steps](Matcher::step) it when one of its slots is woken,
/// when [requests are](Matcher::take_joint_wake_up), and when it is [due](Joint::due); older requests first.
#[derive(Clone, Debug)]
pub struct Joint {
    slots: [ContactSlot; 2],
    demands: [DemandId; 2],
    key: Key,
    since: Time,
    patience: Patience,
    stage: Stage,
}

impl Joint {
    /// Whether both agents are offered. They are reserved when their owners [agree](Matcher::verdict), where these may decline.
    #[must_use]
    pub fn is_together(&self) -> bool {
        self.stage == Stage::Together
    }

    /// When it is to be stepped at the latest; `None`: only when something happens.
    #[must_use]
    pub fn due(&self, now: Time) -> Option<Time> {
        let patient_until = self.since + self.patience.looks;
        match self.stage {
            Stage::Looking if patient_until > now => Some(patient_until),
            // The end of another request's lease wakes it, unless that request's owner does not come back.
            Stage::Looking => Some(now + LEASE_MARGIN),
            Stage::Leased { held_since: Some(since), holds, .. } => Some((since + holds).min(now + LEASE_MARGIN / 2)),
            Stage::Leased { held_since: None, .. } => Some(now + LEASE_MARGIN / 2),
            Stage::Together | Stage::Away => None,
        }
    }
}

impl Matcher {
    /// *Owner.* A contact joins `queue` with a request for an agent of each of these demands. `let_go` is called, here
    /// and below, with each agent that was held for it and is not any more; the agent's owner has to be notified.
    #[expect(clippy::too_many_arguments, reason = "each says something else of the request")]
    pub fn arrive_jointly(
        &self,
        queue: QueueId,
        slots: [ContactSlot; 2],
        demands: [DemandId; 2],
        key: Key,
        patience: Patience,
        now: Time,
        let_go: &mut impl FnMut(AgentId),
    ) -> Joint {
        self.count_contact(slots[0], queue, now);
        let mut joint = Joint { slots, demands, key, since: now, patience, stage: Stage::Away };
        self.becomes(&mut joint, Stage::Looking);
        self.step(&mut joint, now, let_go);
        joint
    }

    /// *Owner.* Looks at the request again.
    pub fn step(&self, joint: &mut Joint, now: Time, let_go: &mut impl FnMut(AgentId)) {
        if joint.stage == Stage::Looking {
            self.look_jointly(joint, now, let_go);
        }
        if let Stage::Leased { .. } = joint.stage {
            self.wait_with_lease(joint, now, let_go);
        }
    }

    /// *Owner.* Both have answered; who they are.
    pub fn accept_jointly(&self, joint: &Joint) -> Option<[AgentId; 2]> {
        if !joint.is_together() {
            return None;
        }
        let [first, second] = joint.slots.map(|slot| self.protocol.accept(slot.0));
        self.uncount_contact(joint.slots[0]);
        Some([first?, second?])
    }

    /// *Owner.* One of the agents does not answer: both are let go, and the request looks again.
    pub fn put_back_jointly(&self, joint: &mut Joint, now: Time, let_go: &mut impl FnMut(AgentId)) {
        self.take_out(joint, let_go);
        self.becomes(joint, Stage::Looking);
        self.step(joint, now, let_go);
    }

    /// *Owner.* The owner of one of the agents has declined the contact. If the request has the lease, the other agent
    /// is kept.
    pub fn declined_jointly(&self, joint: &mut Joint, slot: ContactSlot, now: Time, let_go: &mut impl FnMut(AgentId)) {
        let demand = joint.slots.iter().position(|other| *other == slot).map(|at| joint.demands[at]);
        match (joint.stage, demand) {
            (Stage::Leased { .. }, Some(demand)) => {
                if let Some(agent) = self.protocol.put_back(slot.0, demand, joint.key) {
                    let_go(agent);
                }
                self.wait_with_lease(joint, now, let_go);
            }
            _ => self.put_back_jointly(joint, now, let_go),
        }
    }

    /// *Owner.* The contact leaves, whatever its request has.
    pub fn leave_jointly(&self, mut joint: Joint, let_go: &mut impl FnMut(AgentId)) {
        self.take_out(&joint, let_go);
        self.becomes(&mut joint, Stage::Away);
        self.uncount_contact(joint.slots[0]);
    }

    /// Whether the requests of `shard` are to be stepped; true once for each wake-up.
    #[must_use]
    pub fn take_joint_wake_up(&self, shard: u16) -> bool {
        self.joints.woken[usize::from(shard)].0.swap(0, Ordering::AcqRel) != 0
    }

    /// An agent has become ready or has moved to another skill group. If it stays free, the joint requests look again.
    pub(super) fn wake_joints(&self, agent: AgentId) {
        if does(Step::WakeJoints)
            && self.joints.any_looks()
            && self.protocol.view_agent(agent.0) == super::claim::AgentView::Ready
        {
            self.joints.wake();
        }
    }

    fn becomes(&self, joint: &mut Joint, stage: Stage) {
        let shard = usize::from(self.protocol.owner_of_contact(joint.slots[0].0));
        let looking = &self.joints.looking[shard].0;
        match (joint.stage == Stage::Looking, stage == Stage::Looking) {
            (false, true) => drop(looking.fetch_add(1, Ordering::AcqRel)),
            (true, false) => drop(looking.fetch_sub(1, Ordering::AcqRel)),
            _ => {}
        }
        joint.stage = stage;
        if !matches!(stage, Stage::Leased { .. }) {
            self.joints.end_lease(joint.slots[0]);
        }
        // Agents that become ready from now on see it.
        fence(Ordering::SeqCst);
    }

    fn offered(&self, joint: &Joint) -> [bool; 2] {
        joint.slots.map(|slot| matches!(self.protocol.view_contact(slot.0), ContactView::Offered(_)))
    }

    fn take_out(&self, joint: &Joint, let_go: &mut impl FnMut(AgentId)) {
        for slot in joint.slots {
            if let Left::WasOffered(agent) = self.protocol.leave(slot.0) {
                let_go(agent);
            }
        }
    }

    fn look_jointly(&self, joint: &mut Joint, now: Time, let_go: &mut impl FnMut(AgentId)) {
        loop {
            let pair = self.protocol.free_pair(&self.protocol.routing_table(), joint.demands, joint.key);
            let Some(pair) = pair else { break };
            for (slot, agent) in joint.slots.iter().zip(pair) {
                self.protocol.arrive(slot.0, DemandId::of_agent(AgentId(agent)), joint.key);
            }
            if self.offered(joint) == [true, true] {
                return self.becomes(joint, Stage::Together);
            }
            // One of the agents was claimed for another contact first.
            if !does(Step::TakeBothOut) {
                break;
            }
            self.take_out(joint, let_go);
        }
        let holds = joint.patience.holds;
        if now >= joint.since + joint.patience.looks && self.joints.take_lease(joint.slots[0], now, now + holds + LEASE_MARGIN) {
            self.becomes(joint, Stage::Leased { entered: [true, true], held_since: None, holds });
            for (slot, demand) in joint.slots.iter().zip(joint.demands) {
                self.protocol.arrive(slot.0, demand, joint.key);
            }
        }
    }

    fn wait_with_lease(&self, joint: &mut Joint, now: Time, let_go: &mut impl FnMut(AgentId)) {
        let Stage::Leased { mut entered, mut held_since, mut holds } = joint.stage else { return };
        if !self.joints.keep_lease(joint.slots[0], now + holds + LEASE_MARGIN) {
            // It came too late, and another request has the lease.
            return self.put_back_jointly(joint, now, let_go);
        }
        // While one agent is held, the other slot is entered before the agent can be let go. What is seen here holds
        // below, whoever is offered meanwhile.
        let offered = loop {
            let offered = self.offered(joint);
            let Some(other) = [1, 0].into_iter().find(|other| offered[1 - *other] && !entered[*other]) else { break offered };
            entered[other] = true;
            self.protocol.arrive(joint.slots[other].0, joint.demands[other], joint.key);
        };
        match offered {
            [true, true] => return self.becomes(joint, Stage::Together),
            [false, false] => held_since = None,
            [first, _] => {
                let since = *held_since.get_or_insert(now);
                if now >= since + holds {
                    let held = usize::from(!first);
                    if let Left::WasOffered(agent) = self.protocol.leave(joint.slots[held].0) {
                        let_go(agent);
                    }
                    (entered[held], held_since, holds) = (false, None, holds * 2);
                }
            }
        }
        joint.stage = Stage::Leased { entered, held_since, holds };
    }
}

#[cfg(test)]
#[path = "joint_tests.rs"]
mod tests;
