//! A contact in a queue: joining, whom it waits for, skill relaxation, overflow, leaving.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::announce::EARLY_MEDIA_AFTER;
use super::contact::{ContactKey, ContactTimer, Phase};
use super::dial::{DialTo, Purpose};
use crate::acd::claim::{ContactView, Left};
use crate::acd::queue::{Answer, Overflow, QueueRules, WhenEmpty};
use crate::acd::{ContactSlot, DemandId, Key};
use crate::base::words::{EndedBy, Limit, QueueOutcome, Segment};
use crate::base::{AgentId, Estimate, QueueId, Time};
use crate::call::contact::Ticket;
use crate::report::FactKind;

impl Engine {
    /// The contact joins a queue. With a `credit` it comes from another queue, and what it waited there counts.
    pub(super) fn join(&mut self, now: Time, key: ContactKey, queue: QueueId, credit: Option<Duration>) {
        let settings = self.settings.clone();
        let Some(rules) = settings.queue(queue).filter(|rules| !rules.retired) else {
            return self.end_contact(now, key, EndedBy::Closed, Some(404));
        };
        let Some(contact) = self.contact(key) else { return };
        let language = contact.language;
        let emergency = contact.emergency || rules.emergency;
        let table = self.matcher.routing_table();
        let Some(demand) = table.demand(queue, language, 0) else {
            return self.end_contact(now, key, EndedBy::System, Some(404));
        };
        // An emergency waits for nobody in particular.
        let preferred = if emergency { None } else { self.preferred(key, queue, rules, demand) };
        let prefers = preferred.map(|(agent, _)| agent);
        if rules.join_empty != WhenEmpty::Wait && !self.matcher.anyone_for(demand) {
            let wanted = rules.join_empty.clone();
            return self.nobody_here(now, key, queue, &wanted);
        }
        let credit = credit.unwrap_or(Duration::ZERO);
        let mut ticket = Ticket { queue, joined: now, arrival: now - credit, step: 0, prefers, estimate: Estimate::Needless };
        let demand = prefers.map_or(demand, DemandId::of_agent);
        let place = self.matcher.key(ticket.arrival, rules.priority_boost, emergency);
        let Some(slot) = self.free_slots.pop_front() else {
            self.limit_hit(now, None, Limit::LineSlots);
            return self.end_contact(now, key, EndedBy::System, Some(503));
        };
        self.in_slot[(slot.0 - self.first_slot) as usize] = Some(key);
        let Some(contact) = self.contact_mut(key) else { return };
        (contact.slot, contact.ticket, contact.place) = (Some(slot), Some(ticket), Some(place));
        (contact.phase, contact.last_queue) = (Phase::Waiting, Some(queue));
        let id = contact.id;
        if self.matcher.arrive(slot, queue, rules.length_max, demand, place, now).is_err() {
            self.forget_slot(key);
            self.limit_hit(now, Some(id), Limit::QueueLength);
            return self.turned_away(now, key, &rules.overflow, QueueOutcome::Overflowed);
        }
        let waiting = self.matcher.waiting(queue);
        // Of the wait for one agent in particular nothing is known.
        if prefers.is_none() && self.matcher.contact(slot) == ContactView::Waiting {
            let overtakes = emergency || !credit.is_zero();
            ticket.estimate = self.matcher.expects(now, queue, language, overtakes.then_some(place));
            if let Some(contact) = self.contact_mut(key) {
                contact.ticket = Some(ticket);
            }
        }
        let estimate = ticket.estimate;
        self.turn(now, key, Segment::Queue, Some(queue), None);
        let (as_of, weighed) = (ticket.arrival - rules.priority_boost, self.matcher.weigh(demand));
        self.fact(
            now,
            Some(id),
            FactKind::Entered { queue, language, waiting, credit, as_of, emergency, weighed, estimate, prefers },
        );
        self.start_waiting(now, key, rules);
        if let Some((_, span)) = preferred {
            self.set_timer(key, ContactTimer::Prefer, now + span);
        }
        self.ask_further(now, key);
    }

    fn start_waiting(&mut self, now: Time, key: ContactKey, rules: &QueueRules) {
        let Some(contact) = self.contact(key) else { return };
        let answered = self.legs.get(contact.caller).is_some_and(|leg| leg.state().answered());
        if let Some(wait_max) = rules.wait_max {
            self.set_timer(key, ContactTimer::WaitMax, now + wait_max);
        }
        if let Some(step) = rules.relaxation.first() {
            self.set_timer(key, ContactTimer::Relax, now + step.after);
        }
        if let Some(every) = rules.announce_every {
            self.set_timer(key, ContactTimer::Announce, now + every);
        }
        if answered {
            self.music(now, key);
        } else if rules.answer == Answer::AtOnce {
            if self.answer_caller(now, key, None) {
                self.music(now, key);
            }
        } else {
            self.set_timer(key, ContactTimer::EarlyMedia, now + EARLY_MEDIA_AFTER);
        }
    }

    pub(super) fn demand_at(&self, key: ContactKey) -> Option<(ContactSlot, DemandId, Key)> {
        let contact = self.contact(key)?;
        let ticket = contact.ticket?;
        let demand = match ticket.prefers {
            Some(agent) => DemandId::of_agent(agent),
            None => self.matcher.routing_table().demand(ticket.queue, contact.language, ticket.step)?,
        };
        Some((contact.slot?, demand, contact.place?))
    }

    /// The agent whom a caller who joins `queue` shall wait for, and for how long: who served it last, else whom the queue names, if that
    /// one is signed in and may serve it.
    fn preferred(&self, key: ContactKey, queue: QueueId, rules: &QueueRules, demand: DemandId) -> Option<(AgentId, Duration)> {
        let last = || Some((self.last_agents.of(&self.contact(key)?.number, queue)?, rules.prefer_last?));
        let may = |(agent, _): &(AgentId, Duration)| self.matcher.may_wait_for(*agent, demand);
        last().filter(may).or(rules.prefer_agent.filter(may))
    }

    /// The contact has waited long enough for one agent in particular, or that one is not to be had.
    pub(super) fn prefer_nobody(&mut self, now: Time, key: ContactKey) {
        self.stop_timer(key, ContactTimer::Prefer);
        let Some(contact) = self.contact_mut(key) else { return };
        let id = contact.id;
        let Some(ticket) = contact.ticket.as_mut().filter(|ticket| ticket.prefers.is_some()) else { return };
        ticket.prefers = None;
        let (queue, step) = (ticket.queue, ticket.step as u32);
        if let Some((slot, demand, place)) = self.demand_at(key)
            && self.matcher.relax(slot, demand, place)
        {
            let weighed = self.matcher.weigh(demand);
            self.fact(now, Some(id), FactKind::Widened { queue, step, weighed });
        }
        self.ask_further(now, key);
    }

    /// The requirement relaxes by one step.
    pub(super) fn relax(&mut self, now: Time, key: ContactKey) {
        let settings = self.settings.clone();
        let Some(contact) = self.contact_mut(key) else { return };
        let Some(ticket) = &mut contact.ticket else { return };
        let Some(rules) = settings.queue(ticket.queue) else { return };
        ticket.step = rules.step_at(ticket.waited(now));
        let (queue, joined, step, prefers) = (ticket.queue, ticket.joined, ticket.step, ticket.prefers);
        let id = contact.id;
        if let Some(next) = rules.relaxation.get(step) {
            self.set_timer(key, ContactTimer::Relax, joined + next.after);
        }
        // Who waits for one agent joins the relaxed demand later.
        if prefers.is_some() {
            return;
        }
        if let Some((slot, demand, place)) = self.demand_at(key)
            && self.matcher.relax(slot, demand, place)
        {
            let weighed = self.matcher.weigh(demand);
            self.fact(now, Some(id), FactKind::Widened { queue, step: step as u32, weighed });
        }
        self.reenter_further(key);
    }

    /// Moves a contact that waits to the demand that the routing table in force gives it, and its further rings to theirs.
    pub(super) fn reenter(&mut self, now: Time, key: ContactKey) {
        if let Some((slot, demand, place)) = self.demand_at(key) {
            self.matcher.relax(slot, demand, place);
        }
        self.reenter_further(key);
        self.ask_further(now, key);
    }

    /// The contact has waited as long as it may.
    pub(super) fn overflow(&mut self, now: Time, key: ContactKey) {
        let settings = self.settings.clone();
        let Some(ticket) = self.contact(key).and_then(|contact| contact.ticket) else { return };
        let Some(rules) = settings.queue(ticket.queue) else { return };
        self.leave_queue(now, key, QueueOutcome::Overflowed);
        self.turned_away(now, key, &rules.overflow, QueueOutcome::Overflowed);
    }

    /// Nobody who could serve the contact is signed in.
    fn nobody_here(&mut self, now: Time, key: ContactKey, queue: QueueId, wanted: &WhenEmpty) {
        let settings = self.settings.clone();
        match wanted {
            WhenEmpty::Wait => {}
            WhenEmpty::Overflow => {
                let Some(rules) = settings.queue(queue) else { return };
                self.turned_away(now, key, &rules.overflow, QueueOutcome::Overflowed);
            }
            WhenEmpty::Goodbye => {
                let prompt = self.prompt(key, "nobody");
                self.goodbye(now, key, EndedBy::Closed, vec![prompt]);
            }
        }
    }

    /// Waiting contacts that nobody signed in can serve any more leave, where their queue says so.
    pub(super) fn leave_empty_queues(&mut self, now: Time) {
        let settings = self.settings.clone();
        let waiting: Vec<ContactKey> =
            self.contacts.iter().filter(|(_, c)| matches!(c.phase, Phase::Waiting)).map(|(_, c)| c.key).collect();
        for key in &waiting {
            if self.contact(*key).and_then(|c| c.ticket).is_some_and(|ticket| ticket.prefers.is_some())
                && self.demand_at(*key).is_some_and(|(_, demand, _)| !self.matcher.anyone_for(demand))
            {
                self.prefer_nobody(now, *key);
            }
        }
        for key in waiting {
            let Some(queue) = self.contact(key).and_then(|c| c.ticket).map(|ticket| ticket.queue) else { continue };
            let Some(rules) = settings.queue(queue).filter(|rules| rules.leave_when_empty != WhenEmpty::Wait) else { continue };
            if self.demand_at(key).is_some_and(|(_, demand, _)| !self.matcher.anyone_for(demand)) {
                let outcome = match rules.leave_when_empty {
                    WhenEmpty::Overflow => QueueOutcome::Overflowed,
                    _ => QueueOutcome::Closed,
                };
                self.leave_queue(now, key, outcome);
                self.nobody_here(now, key, queue, &rules.leave_when_empty);
            }
        }
    }

    /// The overflow of a queue that cannot take the contact.
    fn turned_away(&mut self, now: Time, key: ContactKey, overflow: &Overflow, outcome: QueueOutcome) {
        match overflow {
            Overflow::Queue(queue) if self.contact(key).is_some_and(|c| c.last_queue != Some(*queue)) => {
                let credit = self.waited_so_far(now, key);
                self.join(now, key, *queue, Some(credit));
            }
            Overflow::Number(number) if self.overflow_to_number(now, key, number) => {}
            Overflow::Queue(_) | Overflow::Goodbye | Overflow::Number(_) => {
                let by = if outcome == QueueOutcome::Closed { EndedBy::Closed } else { EndedBy::Overflow };
                let prompt = self.prompt(key, "nobody");
                self.goodbye(now, key, by, vec![prompt]);
            }
        }
    }

    fn overflow_to_number(&mut self, now: Time, key: ContactKey, number: &Arc<str>) -> bool {
        let Some(trunk) = self.trunk_for(number) else { return false };
        self.dial(now, key, DialTo::Number(trunk, number.clone()), Purpose::Overflow);
        true
    }

    /// How long the contact has waited, in this queue and those before it.
    pub(super) fn waited_so_far(&self, now: Time, key: ContactKey) -> Duration {
        self.contact(key).map_or(Duration::ZERO, |contact| now.since(contact.ticket.map_or(contact.arrived, |t| t.arrival)))
    }

    /// The contact leaves its queue, and whoever is rung for it is not rung any more.
    pub(super) fn leave_queue(&mut self, now: Time, key: ContactKey, outcome: QueueOutcome) {
        let Some(contact) = self.contact(key) else { return };
        let Some(slot) = contact.slot else { return };
        self.withdraw_all(now, key);
        let left = self.leave_with(slot);
        for slot in self.contact(key).map(|contact| contact.further.clone()).unwrap_or_default() {
            self.leave_with(slot);
        }
        if left != Left::NotHere {
            self.tell_left(now, key, outcome);
        }
        self.forget_slot(key);
        for timer in [
            ContactTimer::WaitMax,
            ContactTimer::Relax,
            ContactTimer::Prefer,
            ContactTimer::Announce,
            ContactTimer::Ring,
            ContactTimer::EarlyMedia,
            ContactTimer::EarlyRepeat,
            ContactTimer::EarlyMax,
        ] {
            self.stop_timer(key, timer);
        }
    }

    /// Notes that the contact has left its queue.
    pub(super) fn tell_left(&mut self, now: Time, key: ContactKey, outcome: QueueOutcome) {
        let settings = self.settings.clone();
        let Some(contact) = self.contact(key) else { return };
        let Some(ticket) = contact.ticket else { return };
        let (id, language, waited) = (contact.id, contact.language, ticket.waited(now));
        let rules = settings.queue(ticket.queue);
        let answered = outcome == QueueOutcome::Answered;
        let estimated = self.matcher.waited(now, (ticket.queue, language), &ticket.estimate, waited, answered);
        let short = rules.is_some_and(|rules| waited < rules.short_abandon);
        let outcome = if outcome == QueueOutcome::Abandoned && short { QueueOutcome::ShortAbandoned } else { outcome };
        let in_target = rules.is_some_and(|rules| waited <= rules.service_target);
        self.fact(now, Some(id), FactKind::Left { queue: ticket.queue, language, outcome, waited, in_target, estimated });
    }

    /// Gives the contact's slot back.
    pub(super) fn forget_slot(&mut self, key: ContactKey) {
        let Some(contact) = self.contact_mut(key) else { return };
        contact.ticket = None;
        contact.place = None;
        let (slot, further) = (contact.slot.take(), std::mem::take(&mut contact.further));
        self.further_rings -= further.len() as u32;
        for slot in further.into_iter().chain(slot) {
            self.in_slot[(slot.0 - self.first_slot) as usize] = None;
            self.free_slots.push_back(slot);
        }
    }
}
