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
//! might be lent. An owner that gives a permit back, or signs an agent in, looks for an agent that is wanted. It wakes
//! one agent, on behalf of all that wait. So an agent that is not lent after all (claimed or paused meanwhile, wanted
//! no more, moved to another agency) has its owner look for another one.

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
    /// *Owner.* The agent was woken, for any reason. If it is free, its agency lends, and a contact waits for it
    /// elsewhere, it is lent. Otherwise another agent may be wanted in its place.
    pub fn consider_loan(&self, agent: AgentId) {
        self.consider(agent, true);
    }

    /// The same where the agent was not `asked`, but is free since now: then nobody relies on it to ask another.
    pub(super) fn consider(&self, agent: AgentId, asked: bool) {
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
        if self.protocol.first_for(&table, agent.0, lent).is_none() {
            // The contact that it was asked for may have left, while another waits for another agent.
            if asked && does(Step::AskOn) {
                self.look_for_loans(&table, agency);
            }
            return;
        }
        if !self.loans.take(&table, agency, agent) {
            return;
        }
        self.protocol.regroup(agent.0, lent);
        if does(Step::BackToOwnGroup) {
            self.protocol.regroup(agent.0, own);
        }
        // The contact's demand may be of a newer routing table, in which the group is still what it was.
        let newer = self.protocol.routing_table();
        let now = if does(Step::TableAfterLoan) { &newer } else { &table };
        if self.protocol.is_held_for(agent.0, |demand| now.to_borrow(own, demand).is_some()) {
            // Where one more may be lent, one more may be wanted.
            return self.look_for_loans(now, agency);
        }
        self.loan_over(agent);
    }

    /// *Owner.* The agent's permit, if it has one, is free for another agent.
    pub(super) fn loan_over(&self, agent: AgentId) {
        if let Some(agency) = self.loans.give_back(agent) {
            fence(Ordering::SeqCst);
            if does(Step::LookAfterLoan) {
                self.look_for_loans(&self.protocol.routing_table(), agency);
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

    /// An agent has signed in to the skill group `on`, and was in `was_on` before. Only an agent's own number is counted.
    pub(super) fn signed(&self, is_own: bool, on: Option<SkillGroupId>, was_on: Option<SkillGroupId>) {
        let table = self.protocol.routing_table();
        let keeper = |group: Option<SkillGroupId>| group.and_then(|group| table.kept_for(group));
        let (on, was_on) = (keeper(on), keeper(was_on));
        if on == was_on {
            return;
        }
        if is_own {
            was_on.into_iter().for_each(|agency| self.loans.sign(agency, false));
            on.into_iter().for_each(|agency| self.loans.sign(agency, true));
        }
        fence(Ordering::SeqCst);
        let table = self.protocol.routing_table();
        // The agent may have been asked for a loan by the agency that it has left.
        let left = was_on.filter(|_| does(Step::LookAfterLeaving));
        left.into_iter().chain(on.filter(|_| is_own)).for_each(|agency| self.look_for_loans(&table, agency));
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
    use std::time::Duration;

    use super::super::claim::{ContactView, Left};
    use super::super::matcher::{Size, Standing};
    use super::super::queue::tests::plain;
    use super::super::routing_table::{Directory, tests::agent};
    use super::*;
    use crate::base::{QueueId, Time};

    #[test]
    fn a_loan_that_is_wanted_of_one_agent_no_more_is_made_by_another() {
        // Each queue of the second agency wants one agent of the first, which lends one at a time.
        let mut queues: Vec<_> = (0..3).map(|number| plain(&format!("q{number}"), &[], &[number])).collect();
        queues.iter_mut().for_each(|queue| queue.agency = AgencyId(1));
        let directory = Directory {
            queues: queues.into_iter().map(Some).collect(),
            agents: (0..3).map(|number| agent(&format!("a{number}"), &[], &[number])).collect(),
            languages: Vec::new(),
            lending: vec![Some(Lending { at_most: 1, own_percent: 0 }), None],
            agent_slots_from: None,
        };
        let size = Size { shards: 1, contacts_per_shard: 3, agents: 3, queues: 3, agencies: 2 };
        let matcher = Matcher::new(size, RoutingTable::new(&directory, 1), |_| 0);
        for number in 0..3 {
            matcher.set_standing(AgentId(number), Some(Standing::Free));
            matcher.ready(AgentId(number), Time::from_secs(1), Duration::ZERO);
        }
        let listen = || {
            while matcher.has_wake_ups(0) {
                matcher.woken_contacts(0, |_| {});
                matcher.woken_agents(0, |agent| matcher.consider_loan(agent));
            }
        };
        for number in [2, 0, 1] {
            let (since, queue) = (Time::from_secs(2), QueueId(number));
            let demand = matcher.routing_table().demand(queue, None, 0).unwrap();
            let key = matcher.key(since, Duration::ZERO, false);
            matcher.arrive(ContactSlot(number), queue, 9, demand, key, since).unwrap();
            listen();
        }
        let views = || [0, 1, 2].map(|slot| matcher.contact(ContactSlot(slot)));
        assert_eq!(views(), [ContactView::Waiting, ContactView::Waiting, ContactView::Offered(AgentId(2))]);

        matcher.accept(ContactSlot(2));
        listen();
        matcher.release(AgentId(2));
        // The first agent is asked, and before it is considered nobody waits for it.
        matcher.set_standing(AgentId(2), Some(Standing::Break));
        assert_eq!(matcher.leave(ContactSlot(0)), Left::Waited);
        listen();
        assert_eq!(views(), [ContactView::Gone, ContactView::Offered(AgentId(1)), ContactView::Served]);
    }

    #[test]
    fn what_is_kept_is_rounded_up() {
        let limit = |at_most, own_percent, signed_in| Lending { at_most, own_percent }.limit(signed_in);
        assert_eq!([limit(5, 60, 0), limit(5, 60, 1), limit(5, 60, 2), limit(5, 60, 10), limit(5, 60, 100)], [0, 0, 0, 4, 5]);
        assert_eq!([limit(u32::MAX, 0, 7), limit(u32::MAX, 100, 7), limit(0, 0, 7)], [7, 0, 0]);
    }
}
