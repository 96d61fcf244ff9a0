//! Loans: agents of one agency serve callers of another agency's queues, within what their agency keeps for its own
//! callers.
//!
//! An agency that lends has two skill groups for each profile of its agents. Its ready agents are in the one that
//! serves only their own agency's demands. An agent is lent when a caller of another agency waits whom no other agent
//! can serve, and no caller of its own agency waits for it. Then the agent's owner takes a *permit*, of which the
//! agency has a limited number, and moves the agent to the skill group that serves all demands.
//!
//! If no contact comes of it, the agent goes back, and so does the permit. Otherwise the agent has the permit until the
//! talk and its wrap-up are over. So only agents' owners have permits, the state words know nothing of them, and never
//! are more agents on loan than may be. Emergencies need no loan.
//!
//! Wake-ups, after a fence each, say which owner has to look. A contact that waits wakes the owner of an agent that
//! might be lent. An owner that gives a permit back, or signs an agent in, looks for an agent that is wanted.

use super::claim::{AgentView, ContactSlot};
use super::matcher::Matcher;
use super::routing_table::{RoutingTable, SkillGroupId};
use super::step::{Step, does};
use crate::base::padded::Padded;
use crate::base::sync::{AtomicU32, Ordering, fence};
use crate::base::{AgencyId, AgentId};

/// What an agency keeps for its own callers, of its agents who are signed in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lending {
    /// At most so many agents are on loan.
    pub at_most: u32,
    /// This percentage of the agents is never lent, rounded up.
    pub own_percent: u8,
}

impl Lending {
    /// Whether anybody is ever lent.
    #[must_use]
    pub const fn ever(self) -> bool {
        self.at_most > 0 && self.own_percent < 100
    }

    /// How many agents may be on loan while `signed_in` are signed in.
    #[must_use]
    pub const fn limit(self, signed_in: u32) -> u32 {
        let kept = (signed_in as u64 * self.own_percent as u64).div_ceil(100) as u32;
        let rest = signed_in.saturating_sub(kept);
        if rest < self.at_most { rest } else { self.at_most }
    }
}

/// The counts of one agency.
struct Account {
    on_loan: AtomicU32,
    signed_in: AtomicU32,
}

/// The counts of all agencies, and the permits of agents.
pub(super) struct Loans {
    /// 1 once any agency lends within limits; without one there is nothing to look at.
    any: AtomicU32,
    accounts: Box<[Padded<Account>]>,
    /// By agent: the agency whose permit it has, plus one. Only the agent's owner writes it.
    permits: Box<[AtomicU32]>,
}

impl Loans {
    pub(super) fn new(agencies: u32, agents: u32) -> Self {
        let account = || Padded(Account { on_loan: AtomicU32::new(0), signed_in: AtomicU32::new(0) });
        let any = AtomicU32::new(0);
        Loans {
            any,
            accounts: (0..agencies).map(|_| account()).collect(),
            permits: (0..agents).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// A directory with these agencies comes into force next.
    pub(super) fn expect(&self, lending: &[Option<Lending>]) {
        if lending.iter().any(Option::is_some) {
            self.any.store(1, Ordering::Release);
        }
    }

    fn account(&self, agency: AgencyId) -> Option<&Account> {
        self.accounts.get(agency.index()).map(|account| &account.0)
    }

    /// Whether the agent is on loan, or about to be.
    pub(super) fn has_permit(&self, agent: AgentId) -> bool {
        self.permits[agent.index()].load(Ordering::Acquire) != 0
    }

    /// How many of the agency's agents are on loan, and how many may be.
    fn standing(&self, table: &RoutingTable, agency: AgencyId) -> (u32, u32) {
        let (Some(account), Some(lending)) = (self.account(agency), table.lending(agency)) else { return (0, 0) };
        (account.on_loan.load(Ordering::Acquire), lending.limit(account.signed_in.load(Ordering::Acquire)))
    }

    /// Whether the agency would lend one more.
    pub(super) fn would_lend(&self, table: &RoutingTable, agency: AgencyId) -> bool {
        let (on_loan, limit) = self.standing(table, agency);
        on_loan < limit
    }

    fn take(&self, table: &RoutingTable, agency: AgencyId, agent: AgentId) -> bool {
        let Some(account) = self.account(agency) else { return false };
        loop {
            let (on_loan, limit) = self.standing(table, agency);
            if on_loan >= limit {
                return false;
            }
            if account.on_loan.compare_exchange(on_loan, on_loan + 1, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                self.permits[agent.index()].store(agency.0 + 1, Ordering::Release);
                return true;
            }
        }
    }

    /// The agency whose permit the agent had, and has no more.
    fn give_back(&self, agent: AgentId) -> Option<AgencyId> {
        let agency = AgencyId(self.permits[agent.index()].swap(0, Ordering::AcqRel).checked_sub(1)?);
        self.account(agency)?.on_loan.fetch_sub(1, Ordering::AcqRel);
        Some(agency)
    }

    /// One more, or one less, of the agency's agents is signed in.
    pub(super) fn sign(&self, agency: AgencyId, signs_in: bool) {
        let Some(account) = self.account(agency) else { return };
        if signs_in {
            account.signed_in.fetch_add(1, Ordering::AcqRel);
        } else {
            account.signed_in.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Matcher {
    /// *Owner.* The agent was woken, for any reason, or has become ready. If it is free, its agency lends, and a
    /// contact waits for it elsewhere, it is lent. If it is free no more, another agent may be wanted in its place.
    pub fn consider_loan(&self, agent: AgentId) {
        if self.loans.any.load(Ordering::Acquire) == 0 {
            return;
        }
        let table = self.protocol.routing_table();
        let Some((agency, own, lent)) = table.group(agent).and_then(|own| Some((table.kept_for(own)?, own, table.lent_as(own)?)))
        else {
            return;
        };
        if self.protocol.view_agent(agent.0) != AgentView::Ready {
            if does(Step::AnotherIsAsked) {
                self.look_for_loans(&table, agency);
            }
            return;
        }
        if !self.protocol.is_wanted(&table, agent.0, lent) || !self.loans.take(&table, agency, agent) {
            return;
        }
        self.protocol.regroup(agent.0, lent);
        if does(Step::BackToOwnGroup) {
            self.protocol.regroup(agent.0, own);
        }
        if self.is_on_loan(&table, own, agent) {
            // Where one more may be lent, one more may be wanted.
            return self.look_for_loans(&table, agency);
        }
        self.loan_over(agent);
    }

    /// Whether the agent of skill group `own` is held for a contact that it could not serve from there.
    fn is_on_loan(&self, table: &RoutingTable, own: SkillGroupId, agent: AgentId) -> bool {
        let AgentView::Held { contact, offered: true } = self.protocol.view_agent(agent.0) else { return false };
        self.protocol.demand_of_contact(contact.0).is_some_and(|demand| table.to_borrow(own, demand).is_some())
    }

    /// *Owner.* The agent's permit, if it has one, is free for another agent.
    pub(super) fn loan_over(&self, agent: AgentId) {
        if let Some(agency) = self.loans.give_back(agent) {
            let table = self.protocol.routing_table();
            fence(Ordering::SeqCst);
            if does(Step::LookAfterLoan) {
                self.look_for_loans(&table, agency);
            }
        }
    }

    /// If the agency would lend one more, wakes the owner of an agent that might be lent to a waiting contact.
    pub(super) fn look_for_loans(&self, table: &RoutingTable, agency: AgencyId) {
        if self.loans.would_lend(table, agency)
            && let Some(agent) = self.protocol.wanted_of(table, table.kept_groups(agency))
        {
            self.protocol.wake_agent(agent);
        }
    }

    /// *Owner.* For a contact that still waits, and to which agents might be lent: one agent of each agency that would
    /// lend is asked, in the order of preference.
    pub(super) fn ask_lenders(&self, slot: ContactSlot) {
        if self.loans.any.load(Ordering::Acquire) == 0 {
            return;
        }
        let table = self.protocol.routing_table();
        let Some(demand) = self.protocol.demand_of_contact(slot.0) else { return };
        let shard = self.protocol.owner_of_contact(slot.0);
        for agency in table.lenders_to(demand) {
            let of_agency = |group: SkillGroupId| table.kept_for(group) == Some(*agency);
            let agent =
                if self.loans.would_lend(&table, *agency) { self.protocol.to_borrow(&table, slot.0, of_agency) } else { None };
            match agent {
                Some(agent) if self.protocol.owner_of_agent(agent) == shard => self.consider_loan(AgentId(agent)),
                Some(agent) => self.protocol.wake_agent(agent),
                None => {}
            }
        }
    }

    /// An agent has signed in to the skill group `on`, and was in `was_on` before.
    pub(super) fn signed(&self, on: Option<SkillGroupId>, was_on: Option<SkillGroupId>) {
        let table = self.protocol.routing_table();
        let keeper = |group: Option<SkillGroupId>| group.and_then(|group| table.kept_for(group));
        let (on, was_on) = (keeper(on), keeper(was_on));
        if on == was_on {
            return;
        }
        if let Some(was_on) = was_on {
            self.loans.sign(was_on, false);
        }
        if let Some(on) = on {
            self.loans.sign(on, true);
            fence(Ordering::SeqCst);
            self.look_for_loans(&table, on);
        }
    }

    /// Whether the agent has a permit.
    #[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
    pub(crate) fn has_permit(&self, agent: AgentId) -> bool {
        self.loans.has_permit(agent)
    }

    /// The demand of a contact, waiting or offered.
    #[cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
    pub(crate) fn demand_of_contact(&self, slot: ContactSlot) -> Option<super::DemandId> {
        self.protocol.demand_of_contact(slot.0)
    }

    /// How many of the agency's agents are on loan, and how many may be now; `None` for an agency that lends without
    /// limits.
    #[must_use]
    pub fn on_loan(&self, agency: AgencyId) -> Option<(u32, u32)> {
        let table = self.protocol.routing_table();
        table.lending(agency).map(|_| self.loans.standing(&table, agency))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_rounded_up() {
        let limit = |at_most, own_percent, signed_in| Lending { at_most, own_percent }.limit(signed_in);
        assert_eq!([limit(5, 60, 0), limit(5, 60, 1), limit(5, 60, 2), limit(5, 60, 10), limit(5, 60, 100)], [0, 0, 0, 4, 5]);
        assert_eq!([limit(u32::MAX, 0, 7), limit(u32::MAX, 100, 7), limit(0, 0, 7)], [7, 0, 0]);
    }
}
