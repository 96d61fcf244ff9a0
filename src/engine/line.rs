//! A contact in line: joining, widening, overflow; and what the matcher decides.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::announce::EARLY_MEDIA_AFTER;
use super::contact::{ContactKey, ContactTimer, Offer, Phase};
use super::dial::{DialTo, Purpose};
use super::sabotage::Rule;
use crate::acd::claim::{AgentView, ContactView, Left};
use crate::acd::queue::{Answer, Overflow, QueueRules, WhenEmpty};
use crate::acd::{ContactSlot, Key, LineId};
use crate::base::words::{EndedBy, Limit, OfferOutcome, QueueOutcome, Segment};
use crate::base::{AgentId, Estimate, QueueId, Time, Weighed};
use crate::call::contact::Ticket;
use crate::report::FactKind;

impl Engine {
    /// The contact joins a line. With a `ticket` it comes from another, and what it waited there counts.
    pub(super) fn join(&mut self, now: Time, key: ContactKey, queue: QueueId, credit: Option<Duration>) {
        let settings = self.settings.clone();
        let Some(rules) = settings.queue(queue).filter(|rules| !rules.retired) else {
            return self.end_contact(now, key, EndedBy::Closed, Some(404));
        };
        let Some(contact) = self.contact(key) else { return };
        let language = contact.language;
        let emergency = contact.emergency || rules.emergency;
        let map = self.matcher.map();
        let Some(line) = map.line(queue, language, 0) else {
            return self.end_contact(now, key, EndedBy::System, Some(404));
        };
        // An emergency waits for nobody in particular.
        let prefers = if emergency { None } else { self.preferred(key, queue, rules, line) };
        if rules.join_empty != WhenEmpty::Wait && !self.matcher.anyone_for(line) {
            let wanted = rules.join_empty.clone();
            return self.nobody_here(now, key, queue, &wanted);
        }
        let credit = credit.unwrap_or(Duration::ZERO);
        let mut ticket = Ticket { queue, joined: now, arrival: now - credit, step: 0, prefers, estimate: Estimate::Needless };
        let line = prefers.map_or(line, LineId::of_agent);
        let place = self.matcher.key(ticket.arrival, rules.head_start, emergency);
        let Some(slot) = self.free_slots.pop_front() else {
            self.limit_hit(now, None, Limit::LineSlots);
            return self.end_contact(now, key, EndedBy::System, Some(503));
        };
        self.in_slot[(slot.0 - self.first_slot) as usize] = Some(key);
        let Some(contact) = self.contact_mut(key) else { return };
        (contact.slot, contact.ticket, contact.place) = (Some(slot), Some(ticket), Some(place));
        (contact.phase, contact.last_queue) = (Phase::Waiting, Some(queue));
        let id = contact.id;
        if self.matcher.arrive(slot, queue, rules.length_max, line, place, now).is_err() {
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
        let (as_of, weighed) = (ticket.arrival - rules.head_start, self.matcher.weigh(line));
        self.fact(
            now,
            Some(id),
            FactKind::Entered { queue, language, waiting, credit, as_of, emergency, weighed, estimate, prefers },
        );
        self.start_waiting(now, key, rules);
        self.follow_nudges(now);
    }

    fn start_waiting(&mut self, now: Time, key: ContactKey, rules: &QueueRules) {
        let Some(contact) = self.contact(key) else { return };
        let answered = self.leg(contact.caller).is_some_and(|leg| leg.state.answered());
        let prefers = contact.ticket.and_then(|ticket| ticket.prefers);
        if let Some(wait_max) = rules.wait_max {
            self.set_timer(key, ContactTimer::WaitMax, now + wait_max);
        }
        if let (Some(span), Some(_)) = (rules.prefer_last, prefers) {
            self.set_timer(key, ContactTimer::Prefer, now + span);
        }
        if let Some(step) = rules.widening.first() {
            self.set_timer(key, ContactTimer::Widen, now + step.after);
        }
        if let Some(every) = rules.announce_every {
            self.set_timer(key, ContactTimer::Announce, now + every);
        }
        if answered {
            self.music(key);
        } else if rules.answer == Answer::AtOnce {
            if self.answer_caller(now, key, None) {
                self.music(key);
            }
        } else {
            self.set_timer(key, ContactTimer::EarlyMedia, now + EARLY_MEDIA_AFTER);
        }
    }

    fn line_at(&self, key: ContactKey) -> Option<(ContactSlot, LineId, Key)> {
        let contact = self.contact(key)?;
        let ticket = contact.ticket?;
        let line = match ticket.prefers {
            Some(agent) => LineId::of_agent(agent),
            None => self.matcher.map().line(ticket.queue, contact.language, ticket.step)?,
        };
        Some((contact.slot?, line, contact.place?))
    }

    /// The agent whom a caller who joins `queue` shall wait for: who served it last, if that one is signed in and may serve it.
    fn preferred(&self, key: ContactKey, queue: QueueId, rules: &QueueRules, line: LineId) -> Option<AgentId> {
        rules.prefer_last?;
        let agent = self.last_agents.of(&self.contact(key)?.number, queue)?;
        let bench = self.matcher.map().bench(agent)?;
        let may = self.matcher.map().serves(bench, line) && self.matcher.anyone_for(LineId::of_agent(agent));
        may.then_some(agent)
    }

    /// The contact has waited long enough for one agent in particular, or that one is not to be had.
    pub(super) fn prefer_nobody(&mut self, now: Time, key: ContactKey) {
        self.stop_timer(key, ContactTimer::Prefer);
        let Some(contact) = self.contact_mut(key) else { return };
        let id = contact.id;
        let Some(ticket) = contact.ticket.as_mut().filter(|ticket| ticket.prefers.is_some()) else { return };
        ticket.prefers = None;
        let (queue, step) = (ticket.queue, ticket.step as u32);
        if let Some((slot, line, place)) = self.line_at(key)
            && self.matcher.widen(slot, line, place)
        {
            let weighed = self.matcher.weigh(line);
            self.fact(now, Some(id), FactKind::Widened { queue, step, weighed });
        }
    }

    /// The requirement relaxes by one step.
    pub(super) fn widen(&mut self, now: Time, key: ContactKey) {
        let settings = self.settings.clone();
        let Some(contact) = self.contact_mut(key) else { return };
        let Some(ticket) = &mut contact.ticket else { return };
        let Some(rules) = settings.queue(ticket.queue) else { return };
        ticket.step = rules.step_at(ticket.waited(now));
        let (queue, joined, step, prefers) = (ticket.queue, ticket.joined, ticket.step, ticket.prefers);
        let id = contact.id;
        if let Some(next) = rules.widening.get(step) {
            self.set_timer(key, ContactTimer::Widen, joined + next.after);
        }
        // Who waits for one agent joins the wider line later.
        if prefers.is_some() {
            return;
        }
        if let Some((slot, line, place)) = self.line_at(key)
            && self.matcher.widen(slot, line, place)
        {
            let weighed = self.matcher.weigh(line);
            self.fact(now, Some(id), FactKind::Widened { queue, step: step as u32, weighed });
        }
    }

    /// Files a waiting contact in the line that the map in force gives it.
    pub(super) fn refile(&mut self, key: ContactKey) {
        if let Some((slot, line, place)) = self.line_at(key) {
            self.matcher.widen(slot, line, place);
        }
    }

    /// The contact has waited as long as it may.
    pub(super) fn overflow(&mut self, now: Time, key: ContactKey) {
        let settings = self.settings.clone();
        let Some(ticket) = self.contact(key).and_then(|contact| contact.ticket) else { return };
        let Some(rules) = settings.queue(ticket.queue) else { return };
        self.leave_line(now, key, QueueOutcome::Overflowed);
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
    pub(super) fn leave_empty_lines(&mut self, now: Time) {
        let settings = self.settings.clone();
        let waiting: Vec<ContactKey> =
            self.contacts.iter().filter(|(_, c)| matches!(c.phase, Phase::Waiting)).map(|(_, c)| c.key).collect();
        for key in &waiting {
            if self.contact(*key).and_then(|c| c.ticket).is_some_and(|ticket| ticket.prefers.is_some())
                && self.line_at(*key).is_some_and(|(_, line, _)| !self.matcher.anyone_for(line))
            {
                self.prefer_nobody(now, *key);
            }
        }
        for key in waiting {
            let Some(queue) = self.contact(key).and_then(|c| c.ticket).map(|ticket| ticket.queue) else { continue };
            let Some(rules) = settings.queue(queue).filter(|rules| rules.leave_when_empty != WhenEmpty::Wait) else { continue };
            if self.line_at(key).is_some_and(|(_, line, _)| !self.matcher.anyone_for(line)) {
                let outcome = match rules.leave_when_empty {
                    WhenEmpty::Overflow => QueueOutcome::Overflowed,
                    _ => QueueOutcome::Closed,
                };
                self.leave_line(now, key, outcome);
                self.nobody_here(now, key, queue, &rules.leave_when_empty);
            }
        }
    }

    /// The way out of a line that cannot take the contact.
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
        self.dial(now, key, DialTo::Number(trunk, number.clone()), Purpose::Overflow)
    }

    /// How long the contact has waited, in this line and those before it.
    pub(super) fn waited_so_far(&self, now: Time, key: ContactKey) -> Duration {
        self.contact(key).map_or(Duration::ZERO, |contact| now.since(contact.ticket.map_or(contact.arrived, |t| t.arrival)))
    }

    /// The contact leaves its line, and whoever is rung for it is not rung any more.
    pub(super) fn leave_line(&mut self, now: Time, key: ContactKey, outcome: QueueOutcome) {
        let Some(contact) = self.contact(key) else { return };
        let Some(slot) = contact.slot else { return };
        if let Phase::Offered(offer) = contact.phase.clone() {
            self.withdraw(now, key, &offer);
        }
        let left = if self.holds(Rule::Leave) { self.matcher.leave(slot) } else { Left::NotHere };
        if let Left::WasOffered(agent) = left {
            self.offer_withdrawn(now, agent);
        }
        if left != Left::NotHere {
            self.tell_left(now, key, outcome);
        }
        self.forget_slot(key);
        if let Some(contact) = self.contact_mut(key) {
            contact.phase = Phase::Waiting;
        }
        for timer in [
            ContactTimer::WaitMax,
            ContactTimer::Widen,
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

    /// Notes that the contact has left its line.
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
        if let Some(slot) = contact.slot.take() {
            self.in_slot[(slot.0 - self.first_slot) as usize] = None;
            self.free_slots.push_back(slot);
        }
    }

    // ---- what the matcher decides ----

    /// Looks again at every party that the matcher has touched.
    pub(super) fn follow_nudges(&mut self, now: Time) {
        let matcher = self.matcher.clone();
        let mut agents: smallvec::SmallVec<[AgentId; 4]> = smallvec::SmallVec::new();
        matcher.nudged_agents(self.shard, |agent| agents.push(agent));
        for agent in agents {
            self.agent_nudged(now, agent);
        }
        let mut slots: smallvec::SmallVec<[ContactSlot; 4]> = smallvec::SmallVec::new();
        matcher.nudged_contacts(self.shard, |slot| slots.push(slot));
        for slot in slots {
            self.contact_nudged(now, slot);
        }
    }

    fn agent_nudged(&mut self, now: Time, agent: AgentId) {
        let AgentView::Held { contact, offered: true } = self.matcher.agent(agent) else { return };
        let record = &mut self.agents[agent.index()];
        if record.agent.state().contact() == Some(contact) {
            return;
        }
        if record.agent.reserve(now, contact) {
            self.agent_changed(now, agent);
        }
    }

    fn contact_nudged(&mut self, now: Time, slot: ContactSlot) {
        let Some(key) = self.in_slot[(slot.0 - self.first_slot) as usize] else { return };
        let ContactView::Offered(agent) = self.matcher.contact(slot) else { return };
        let Some(contact) = self.contact(key) else { return };
        let (Phase::Waiting, Some(ticket)) = (&contact.phase, contact.ticket) else { return };
        let id = contact.id;
        self.current = Some(key);
        // The agent's owner reads the same words: an agent who turned away meanwhile is not reserved, and the place is kept.
        if self.agents[agent.index()].agent.state().contact() != Some(slot) {
            self.put_back(key);
            self.agent_let_go(now, agent, OfferOutcome::Withdrawn, Duration::ZERO);
            return;
        }
        let offer = Offer { agent, queue: ticket.queue, since: now, legs: smallvec::SmallVec::new(), worst: None };
        if let Some(contact) = self.contact_mut(key) {
            contact.phase = Phase::Offered(offer);
        }
        let line = self.line_at(key).map(|(_, line, _)| line);
        let weighed = line.map_or_else(Weighed::default, |line| self.matcher.weigh(line));
        self.fact(now, Some(id), FactKind::Offered { queue: ticket.queue, agent, weighed });
        self.ring(now, key, agent);
    }

    /// The contact waits again where it was; for anyone, for the one whom it waited for is not to be had.
    pub(super) fn put_back(&mut self, key: ContactKey) {
        self.stop_timer(key, ContactTimer::Prefer);
        if let Some(ticket) = self.contact_mut(key).and_then(|contact| contact.ticket.as_mut()) {
            ticket.prefers = None;
        }
        let Some((slot, line, place)) = self.line_at(key) else { return };
        self.stop_timer(key, ContactTimer::Ring);
        if let Some(contact) = self.contact_mut(key) {
            contact.phase = Phase::Waiting;
        }
        if self.holds(Rule::PutBack) {
            self.matcher.put_back(slot, line, place);
        }
    }
}
