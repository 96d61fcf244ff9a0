//! Scans that move no party: who is wanted, who might be lent, which two agents are ready, how many contacts go before.

use super::super::priority_list::Seen;
use super::super::ready_index::{Mask, Order};
use super::super::routing_table::{DemandId, RoutingTable, Served, SkillGroupId};
use super::super::state_word::{AgentStateWord, ContactGeneration, ContactStateWord};
use super::super::step::{Step, does};
use super::{ClaimProtocol, ContactSlot, Key, Waiting};
use crate::base::AgentId;
use crate::base::sync::Ordering;

impl ClaimProtocol {
    /// A ready agent of one of `groups` for whom a contact waits that it could serve in the skill group of its loan.
    pub(crate) fn wanted_of(&self, table: &RoutingTable, groups: &[Mask]) -> Option<u32> {
        Mask::buckets(groups).map(SkillGroupId).find_map(|group| {
            self.look_in(table.demands_of(table.lent_as(group)?), None)?;
            let has_left = |slot| does(Step::PassMoved) && table.group(AgentId(slot)) != Some(group);
            let mut ready = None;
            self.groups.scan(
                &[Mask::one(group.0)],
                Order::ByKey,
                &mut ready,
                |_| u64::MAX,
                |ready, _, _, entry| loop {
                    match self.look_at_agent(group, entry) {
                        // Its owner has yet to move it to another group, and then considers it anyway.
                        Ok((AgentStateWord::Ready(_), _)) if has_left(entry.slot()) => return Seen::Pass,
                        Ok((AgentStateWord::Ready(_), _)) => {
                            *ready = Some(entry.slot());
                            return Seen::Stop;
                        }
                        // The claim may fail, and nobody would look for a loan then.
                        Ok((claim, _)) if does(Step::SettleInLook) => self.settle(entry.slot(), claim),
                        Ok(_) => return Seen::Pass,
                        Err(seen) => return seen,
                    }
                },
            );
            ready
        })
    }

    /// The best agent that would have to be lent to a waiting contact, of the skill groups that `may_lend`.
    pub(crate) fn to_borrow(&self, table: &RoutingTable, slot: u32, may_lend: impl Fn(SkillGroupId) -> bool) -> Option<u32> {
        let waiting = self.waiting(slot)?;
        let groups = table.groups_to_borrow(waiting.demand);
        if groups.is_empty() {
            return None;
        }
        let served = |group| table.to_borrow(group, waiting.demand).filter(|_| may_lend(group));
        self.ready_for(table, &waiting, groups, served, None)
    }

    /// The best ready agent for `waiting` in `groups`, as far as they are `served`, except the agent `but`.
    fn ready_for(
        &self,
        table: &RoutingTable,
        waiting: &Waiting,
        groups: &[Mask],
        served: impl Fn(SkillGroupId) -> Option<Served>,
        but: Option<u32>,
    ) -> Option<u32> {
        loop {
            let free = self.choose(table, waiting, groups, &served, but)?;
            match free.word {
                AgentStateWord::Ready(_) => return Some(free.slot),
                word => self.settle(free.slot, word),
            }
        }
    }

    /// Two ready agents, one for each demand, for a contact with this key. Two slots of the same agent count as two
    /// agents here. So the demands must be such that no agent has two slots for them.
    pub(crate) fn free_pair(&self, table: &RoutingTable, demands: [DemandId; 2], key: Key) -> Option<[u32; 2]> {
        let ready = |demand: DemandId, but: Option<u32>| {
            // For a contact without an entry the choice needs only its demand and its key.
            let waiting = Waiting { slot: u32::MAX, cg: ContactGeneration::from_counter(0), demand, key };
            self.ready_for(table, &waiting, table.groups_of(demand), |group| table.served(group, demand), but)
        };
        let first = ready(demands[0], None)?;
        if let Some(second) = ready(demands[1], Some(first)) {
            return Some([first, second]);
        }
        // The only agent for the second demand is the best for the first.
        let second = ready(demands[1], None)?;
        Some([ready(demands[0], Some(second))?, second])
    }

    /// The entry of a contact, waiting or offered: its demand and its key.
    fn entered(&self, slot: u32) -> Option<(DemandId, Key)> {
        loop {
            let word = self.contact(slot);
            let (ContactStateWord::Waiting(cg) | ContactStateWord::Offered { cg, .. }) = word else { return None };
            let cell = &self.contacts[slot as usize].cells[cg.cell()];
            let entered = (DemandId(cell.bucket.load(Ordering::Acquire)), Key(cell.key.load(Ordering::Acquire)));
            if self.contact(slot).generation() == cg {
                return Some(entered);
            }
        }
    }

    /// The demand of a contact, waiting or offered.
    pub(crate) fn demand_of_contact(&self, slot: u32) -> Option<DemandId> {
        self.entered(slot).map(|(demand, _)| demand)
    }

    /// The key of a contact, waiting or offered.
    pub(crate) fn key_of(&self, slot: u32) -> Option<Key> {
        self.entered(slot).map(|(_, key)| key)
    }

    /// The agent that a contact is offered to, and the state word by which that agent is held for it.
    pub(crate) fn offer(&self, slot: u32) -> Option<(u32, AgentStateWord)> {
        let ContactStateWord::Offered { agent, ag, cg } = self.contact(slot) else { return None };
        Some((agent, AgentStateWord::Held { contact: slot, cg, ag }))
    }

    /// The contact that an agent is held for, and the state word that says so.
    pub(crate) fn held(&self, slot: u32) -> Option<(u32, AgentStateWord)> {
        let word = self.agent(slot);
        let AgentStateWord::Held { contact, .. } = word else { return None };
        Some((contact, word))
    }

    /// Whether the agent is held for a contact with `one_of` these demands. The demand of a contact that is not offered
    /// to it any more is not known: the answer is yes then.
    pub(crate) fn is_held_for(&self, slot: u32, one_of: impl FnOnce(DemandId) -> bool) -> bool {
        let AgentStateWord::Held { contact, cg, ag } = self.agent(slot) else { return false };
        let demand = self.contacts[contact as usize].cells[cg.cell()].bucket.load(Ordering::Acquire);
        match self.contact(contact) == (ContactStateWord::Offered { agent: slot, ag, cg }) {
            true => one_of(DemandId(demand)),
            false => does(Step::KeepPermit),
        }
    }

    /// The key of the contact that would come first to the agent, if it were ready in `group`; `None`: no contact waits
    /// for it.
    pub(crate) fn first_for(&self, table: &RoutingTable, slot: u32, group: SkillGroupId) -> Option<Key> {
        self.look(table, (slot, group), None).map(|first| first.key)
    }

    /// Whether more than `bound` contacts wait in `demands`.
    pub(crate) fn more_wait_than(&self, demands: &[Mask], bound: u32) -> bool {
        let mut count = 0;
        self.demands.scan(
            demands,
            Order::ByKey,
            &mut count,
            |count| if *count > bound { 0 } else { u64::MAX },
            |count, _, _, entry| {
                let (slot, entered) = (entry.slot(), ContactGeneration::from_counter(entry.generation()));
                *count += u32::from(self.contact(slot) == ContactStateWord::Waiting(entered));
                if *count > bound { Seen::Stop } else { Seen::Pass }
            },
        );
        count > bound
    }

    pub(crate) fn owner_of_agent(&self, slot: u32) -> u16 {
        self.agent_owner[slot as usize]
    }

    /// The shard that owns a contact slot.
    pub(crate) fn owner_of_contact(&self, slot: u32) -> u16 {
        (slot / self.contacts_per_shard) as u16
    }

    /// The demand of a waiting contact.
    #[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
    pub(crate) fn demand_of_waiting(&self, slot: u32) -> Option<DemandId> {
        self.waiting(slot).map(|waiting| waiting.demand)
    }

    /// Whether a claim of the agent is unfinished. Unlike [`Self::view_agent`] this does not finish it.
    #[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
    pub(crate) fn is_claimed(&self, slot: u32) -> bool {
        matches!(self.agent(slot), AgentStateWord::Claim { .. })
    }

    /// The skill group of a ready agent.
    #[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
    pub(crate) fn group_of_ready(&self, slot: u32) -> Option<SkillGroupId> {
        let AgentStateWord::Ready(ag) = self.agent(slot) else { return None };
        Some(SkillGroupId(self.agents[slot as usize].cells[ag.cell()].bucket.load(Ordering::Acquire)))
    }

    /// The demand of a contact that is offered, and the skill group that its agent was taken from.
    #[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
    pub(crate) fn offered_from(&self, slot: u32) -> Option<(DemandId, SkillGroupId)> {
        let ContactStateWord::Offered { agent, ag, cg } = self.contact(slot) else { return None };
        let demand = self.contacts[slot as usize].cells[cg.cell()].bucket.load(Ordering::Acquire);
        let group = self.agents[agent as usize].cells[ag.cell()].bucket.load(Ordering::Acquire);
        Some((DemandId(demand), SkillGroupId(group)))
    }

    /// How many contacts for which `counts` holds wait in `demands` before `key`. Contacts that are being offered are
    /// not among them.
    pub(crate) fn count_before(&self, demands: &[Mask], key: Key, mut counts: impl FnMut(ContactSlot) -> bool) -> u32 {
        let mut count = 0;
        self.demands.scan(
            demands,
            Order::ByKey,
            &mut count,
            |_| key.0,
            |count, _, at, entry| {
                if Key(at) >= key {
                    return Seen::Stop;
                }
                let (slot, entered) = (entry.slot(), ContactGeneration::from_counter(entry.generation()));
                *count += u32::from(self.contact(slot) == ContactStateWord::Waiting(entered) && counts(ContactSlot(slot)));
                Seen::Pass
            },
        );
        count
    }
}
