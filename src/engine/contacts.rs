//! Contacts: the owner of everybody's request, from its arrival to its end. Where in the house each is, its place in a queue, its timeline.
//!
//! A contact takes messages ([`ToContact`]), the matcher's events and offers, and its own timers. It tells legs and desks what to do, by messages.
//! There is a file for each part: `menu` is the entry, `queue` the wait, `offers` what the matcher decides. `ring`, `dial` and `calling` are
//! how somebody is called, `talk` the talk, `transfer` passing on, `end` the end, `caller` what a caller hears who talks to nobody. Where one part hands over to another it says
//! so ([`Next`]), and this file goes on there.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use slab::Slab;
use smallvec::SmallVec;

use self::contact::{Answered, Caller, CallerHears, Contact, Named, Phase};
use self::last_agent::LastAgents;
use self::ringing::Purpose;
use self::work::{Next, Shared, Work};
use super::between::{
    Begin, ContactKey, ContactRef, ContactTimer, LegEvent, LegKey, Moving, News, Talker, ToContact, ToDesk, ToLeg, Want,
};
use super::context::Context;
use super::legs::LegView;
use super::sabotage::Rule;
use super::settings::Settings;
use crate::acd::ContactSlot;
use crate::acd::agent_slots::Verdict;
use crate::acd::command::{Event as MatcherEvent, Offer};
use crate::acd::contact_slots::ContactSlots;
use crate::acd::matcher::Size;
use crate::acd::stay::Joined;
use crate::base::hash::Keyed;
use crate::base::words::{Channel, EndedBy};
use crate::base::{AgentId, ContactId, QueueId, TrunkId};
use crate::call::caps::{Caps, ContactsUp};
use crate::call::contact::Timeline;
use crate::call::leg::Role;
use crate::call::menu::Event;
use crate::call::trunk::NumberTarget;
use crate::report::FactKind;

mod audit;
mod caller;
mod calling;
mod contact;
mod dial;
mod end;
mod last_agent;
mod menu;
mod offers;
mod queue;
mod ring;
mod ringing;
mod talk;
#[cfg(test)]
mod tests;
mod transfer;
mod trunks;
mod work;

pub use queue::WAIT_PROMPTS;
pub(super) use trunks::Trunks;

/// A contact to be.
pub(super) struct Arrival {
    /// How it came.
    pub(super) channel: Channel,
    /// The caller's leg.
    pub(super) caller: LegKey,
    pub(super) trunk: Option<TrunkId>,
    /// The agent whose own call it is.
    pub(super) own: Option<AgentId>,
    /// Whether that makes the agent busy; a feature code does not.
    pub(super) busies_owner: bool,
    /// Where it leads, if to a number of ours.
    pub(super) target: Option<NumberTarget>,
    pub(super) emergency: bool,
    /// Who calls, and what was dialled.
    pub(super) number: Arc<str>,
    pub(super) dialled: Arc<str>,
    /// What whoever brings it calls it: a SIP Call-ID, or a name of who carries text.
    pub(super) origin: Arc<str>,
    pub(super) max_forwards: u8,
}

impl Arrival {
    /// Somebody writes to a queue.
    pub(super) fn of_text(caller: LegKey, queue: QueueId, (from, to): (Arc<str>, &str), origin: Arc<str>) -> Self {
        Arrival {
            channel: Channel::Chat,
            caller,
            trunk: None,
            own: None,
            busies_owner: false,
            target: Some(NumberTarget::Queue(queue)),
            emergency: false,
            number: from,
            dialled: to.into(),
            origin,
            max_forwards: 0,
        }
    }
}

/// What an agent has in the contacts of a shard.
pub(super) struct AgentsPart {
    /// The contacts that the agent is in.
    pub(super) contacts: Vec<ContactKey>,
    /// Legs to the agent's phones.
    pub(super) legs: u32,
    /// Calls of the agent's own.
    pub(super) own_calls: u8,
}

/// All contacts of one shard.
pub(super) struct Contacts {
    contacts: Slab<Contact>,
    shared: Shared,
}

/// A contact, if it is there.
fn find(contacts: &mut Slab<Contact>, key: ContactKey) -> Option<&mut Contact> {
    contacts.get_mut(key.slot as usize).filter(|contact| contact.key == key)
}

/// Forgets a contact that is over and has no leg any more.
fn forget_if_gone(contacts: &mut Slab<Contact>, cx: &mut Context<'_>, key: ContactKey) {
    if find(contacts, key).is_some_and(|contact| contact.is_gone()) {
        contacts.remove(key.slot as usize).stop_all_timers(cx);
    }
}

impl Contacts {
    /// No contact, and trunks without calls. These slots of the matcher are the contacts'.
    pub(super) fn new(slots: &Range<u32>, settings: &Settings, keyed: Keyed, caps: Arc<Caps>) -> Self {
        // A shard has its share of them: the rest is for further rings.
        let contacts = Size::contacts_in(slots.len() as u32).min(settings.limits.contacts);
        let slots = ContactSlots::new(slots, contacts);
        let shared = Shared::new(slots, Trunks::new(settings, caps), LastAgents::new(keyed));
        Contacts { contacts: Slab::new(), shared }
    }

    /// Tells every contact that it may concern, each by a message of its own.
    pub(super) fn spread(&self, cx: &mut Context<'_>, news: News) {
        for (_, contact) in &self.contacts {
            let concerned = match news {
                News::AgentLeft => queue::minds_who_leaves(contact, cx.settings),
                News::Rerouted => contact.is_in_queue(),
                News::EndAll => true,
            };
            if concerned {
                cx.out.tell_contact(contact.key, ToContact::News(news));
            }
        }
        if news == News::Rerouted {
            cx.out.taken_up();
        }
    }

    /// The trunks.
    pub(super) const fn trunks(&self) -> &Trunks {
        &self.shared.trunks
    }

    /// The trunks, which the hub admits calls by and probes.
    pub(super) const fn trunks_mut(&mut self) -> &mut Trunks {
        &mut self.shared.trunks
    }

    /// How many contacts are up.
    pub(super) const fn up(&self) -> ContactsUp {
        self.shared.up
    }

    /// Whether there is none, nor any that is over and whose legs are still there.
    pub(super) fn is_empty(&self) -> bool {
        self.contacts.is_empty()
    }

    /// How many slots of the matcher are used, and how many there are.
    pub(super) fn slots(&self) -> (usize, usize) {
        self.shared.slots.used()
    }

    /// A contact arrives. It waits to be told what it begins with.
    pub(super) fn arrive(&mut self, cx: &mut Context<'_>, arrival: Arrival) -> ContactRef {
        let Arrival { channel, caller, trunk, own, busies_owner, target, emergency, number, dialled, origin, max_forwards } =
            arrival;
        let key = ContactKey { shard: cx.shard, slot: self.contacts.vacant_key() as u32, serial: self.shared.next_serial() };
        let contact = Contact {
            key,
            id: ContactId::new(cx.now, cx.seed),
            arrived: cx.now,
            emergency,
            trunk,
            number: number.clone(),
            language: None,
            caller: Caller {
                leg: caller,
                up: true,
                answer: Answered::No,
                holds: false,
                hears: CallerHears::Nothing,
                given: false,
            },
            others: SmallVec::new(),
            calls_asked: 0,
            trunk_asked: None,
            named: Named::default(),
            phase: Phase::Arrived,
            timeline: Timeline::begin(cx.now),
            stay: None,
            last_queue: None,
            max_forwards,
            own,
            busies_owner,
            transfer: None,
            transfers: 0,
            timers: SmallVec::new(),
        };
        self.shared.up.all += 1;
        self.shared.up.emergencies += u32::from(emergency);
        let entry = target.and_then(NumberTarget::entry);
        contact.fact(cx, FactKind::Arrived { channel, trunk, entry, from: number, dialled, call_id: origin });
        if let Some(trunk) = trunk {
            self.shared.trunks.call_in(cx, trunk, 1);
        }
        let reference = contact.reference();
        self.contacts.insert(contact);
        reference
    }

    /// Takes a message.
    pub(super) fn handle(&mut self, cx: &mut Context<'_>, key: ContactKey, message: ToContact) {
        let Some(contact) = find(&mut self.contacts, key) else { return nobody_there(cx, key, &message) };
        let work = &mut Work { cx, shared: &mut self.shared };
        let next = match message {
            ToContact::Begin(begin) => begin_with(contact, work, begin),
            ToContact::Leg(leg, event) | ToContact::Guest(leg, event) => leg_event(contact, work, leg, event),
            ToContact::Joins(leg, guest) => {
                talk::join(contact, work, leg, guest);
                Next::Rest
            }
            ToContact::Give { leg, to, place } => {
                talk::give(contact, work, leg, to, place);
                Next::Rest
            }
            ToContact::Lost if matches!(contact.phase, Phase::Over) => {
                // What told its leg so is lost.
                end::end_legs(contact, work, 500);
                Next::Rest
            }
            ToContact::Lost => Next::End(EndedBy::Fault, Some(500)),
            ToContact::Rung(role, rung) => ring::rung(contact, work, role, rung),
            ToContact::Taken(desk, want, _) => {
                dial::taken(contact, work, desk.agent, want);
                Next::Rest
            }
            ToContact::NotTaken(desk) => dial::not_taken(contact, work, desk.agent),
            ToContact::News(News::AgentLeft) => {
                queue::agent_left(contact, work);
                Next::Rest
            }
            ToContact::News(News::Rerouted) => {
                queue::reenter(contact, work);
                Next::Rest
            }
            ToContact::News(News::EndAll) => Next::End(EndedBy::System, Some(503)),
        };
        go_on(contact, work, next);
        forget_if_gone(&mut self.contacts, cx, key);
    }

    /// One of a contact's timers has come.
    pub(super) fn due(&mut self, cx: &mut Context<'_>, key: ContactKey, timer: ContactTimer) {
        let Some(contact) = find(&mut self.contacts, key) else { return cx.missing("the contact of a timer") };
        contact.timers.retain(|(running, _)| *running != timer);
        let work = &mut Work { cx, shared: &mut self.shared };
        let next = timer_came(contact, work, timer);
        go_on(contact, work, next);
        forget_if_gone(&mut self.contacts, cx, key);
    }

    /// One of a contact's slots is offered to an agent.
    pub(super) fn offered(&mut self, cx: &mut Context<'_>, offer: Offer) {
        let Some(contact) = self.shared.slots.contact(offer.slot).and_then(|key| find(&mut self.contacts, key)) else { return };
        let work = &mut Work { cx, shared: &mut self.shared };
        match offers::offered(contact, work, offer) {
            Some(agent) => ring::ring(contact, work, agent),
            // Who has declined may have been the last to serve it, and have left before it was put back.
            None if offer.verdict == Some(Verdict::Declined) => queue::agent_left(contact, work),
            None => {}
        }
    }

    /// What came of a contact's command to the matcher.
    pub(super) fn matched(&mut self, cx: &mut Context<'_>, of: ContactRef, event: MatcherEvent) {
        if let MatcherEvent::Left(_, agent_slot) = event {
            // Whether the contact is still there or not.
            if cx.holds(Rule::LetGoOnLeaving) {
                ring::let_go(cx, of, agent_slot);
            }
            return;
        }
        let Some(contact) = find(&mut self.contacts, of.key) else {
            if let MatcherEvent::Accepted(_, agent_slot) = event {
                ring::let_go(cx, of, agent_slot);
            }
            return;
        };
        let work = &mut Work { cx, shared: &mut self.shared };
        let next = from_matcher(contact, work, event);
        go_on(contact, work, next);
        forget_if_gone(&mut self.contacts, cx, of.key);
    }

    /// Tells the desk of an agent of another shard once more which contacts the agent's slots are claimed for.
    pub(super) fn name_again(&self, cx: &mut Context<'_>, agent: AgentId) {
        for (_, contact) in &self.contacts {
            for (slot, agent_slot) in contact.named.iter() {
                if cx.settings.agent_slots.agent(agent_slot) == agent {
                    cx.tell_desk(agent, ToDesk::Offered(slot, agent_slot, contact.reference()));
                }
            }
        }
    }

    /// An agent has served a caller of a queue, at another shard.
    pub(super) fn note_served(&mut self, caller: &str, queue: QueueId, agent: AgentId) {
        self.shared.last_agents.note(caller, queue, agent);
    }

    /// The contact in a slot of the matcher.
    pub(super) fn in_slot(&self, slot: ContactSlot) -> Option<ContactRef> {
        self.shared.slots.contact(slot).and_then(|key| self.get(key)).map(Contact::reference)
    }

    /// Ends a contact in whose code there was a fault, with the legs that it has by now: what it and they had still to tell each other may
    /// be lost. An agent who may have been taken for it without its knowledge is let go. The contact's name for ever.
    pub(super) fn fault(
        &mut self,
        cx: &mut Context<'_>,
        key: ContactKey,
        taken: Option<(AgentId, Want)>,
        legs: &[LegView],
    ) -> Option<ContactId> {
        let contact = find(&mut self.contacts, key)?;
        let work = &mut Work { cx, shared: &mut self.shared };
        if let Some((agent, want)) = taken.filter(|(agent, _)| contact.asks_for(*agent).is_some()) {
            work.cx.tell_desk(agent, want.given_back(contact.id));
        }
        // Whatever legs of it there are are its own by now, and no others.
        for LegView { key, role, guest, .. } in legs {
            if *key != contact.caller.leg && contact.other(*key).is_none() {
                end::adopt(contact, work, *role, &[*key], *guest);
            }
        }
        end::forget_calls(contact, work);
        let known: SmallVec<[LegKey; 4]> = contact.others.iter().map(|party| party.leg).chain([contact.caller.leg]).collect();
        // Those of other shards will tell by themselves.
        let shard = work.cx.shard;
        let here = known.into_iter().filter(|known| known.shard == shard);
        for leg in here.filter(|known| legs.iter().all(|leg| leg.key != *known)) {
            end::leg_over(contact, work, leg);
        }
        let id = contact.id;
        if matches!(contact.phase, Phase::Over) {
            // What told its legs so may be lost.
            end::end_legs(contact, work, 500);
        } else {
            end::end(contact, work, EndedBy::Fault, Some(500));
        }
        forget_if_gone(&mut self.contacts, cx, key);
        Some(id)
    }

    /// What an agent has in contacts; what guests' legs tell themselves left out.
    pub(super) fn part_of(&self, agent: AgentId) -> AgentsPart {
        let legs = |contact: &Contact| {
            contact.others.iter().filter(|party| party.role == Role::Agent(agent) && party.rings_a_phone()).count() as u32
        };
        let all = || self.contacts.iter().map(|(_, contact)| contact);
        AgentsPart {
            contacts: all().filter(|contact| contact.has(agent)).map(|contact| contact.key).collect(),
            legs: all().map(legs).sum(),
            own_calls: all().filter(|contact| contact.is_own_call_of(agent)).count() as u8,
        }
    }

    /// The contacts that have arrived without a leg of theirs among these: a fault has prevented it, so that they would never begin.
    pub(super) fn without_leg(&self, legs: &[LegView]) -> Vec<ContactKey> {
        let legless = |contact: &Contact| legs.iter().all(|leg| leg.key != contact.caller.leg);
        let arrived = self.contacts.iter().filter(|(_, contact)| matches!(contact.phase, Phase::Arrived));
        arrived.filter(|(_, contact)| legless(contact)).map(|(_, contact)| contact.key).collect()
    }

    /// The names of those of these contacts that are not over.
    #[cfg(test)]
    pub(super) fn names_of_those_up(&self, keys: &[ContactKey]) -> Vec<ContactId> {
        let up = |key: &ContactKey| self.get(*key).filter(|contact| !matches!(contact.phase, Phase::Over));
        keys.iter().filter_map(up).map(|contact| contact.id).collect()
    }

    fn get(&self, key: ContactKey) -> Option<&Contact> {
        self.contacts.get(key.slot as usize).filter(|contact| contact.key == key)
    }
}

/// The parties of talks that can be given to another contact.
pub(super) fn talkers(contacts: &Contacts) -> impl Iterator<Item = Talker> {
    let talks = contacts.contacts.iter().map(|(_, contact)| contact);
    talks.flat_map(|contact| talk::can_be_given(contact).map(|leg| Talker { contact: contact.reference(), leg }))
}

/// A message to a contact that is gone. An agent who was taken for it is let go.
fn nobody_there(cx: &mut Context<'_>, contact: ContactKey, message: &ToContact) {
    match message {
        ToContact::Taken(desk, want, id) => cx.out.tell_desk(*desk, want.given_back(*id)),
        ToContact::Begin(_) | ToContact::NotTaken(_) | ToContact::News(_) | ToContact::Give { .. } | ToContact::Lost => {}
        // It may have gone before its guest came.
        ToContact::Guest(leg, _) | ToContact::Joins(leg, _) => cx.out.tell_leg(*leg, ToLeg::Moving(Moving::Orphaned(contact))),
        ToContact::Rung(_, rung) => {
            cx.missing("the contact of a call");
            rung.iter().flatten().for_each(|leg| cx.out.tell_leg(*leg, ToLeg::End(480)));
        }
        ToContact::Leg(..) => cx.missing("the contact of a leg"),
    }
}

/// A contact goes on as one part of its code says, until it waits for what comes.
fn go_on(contact: &mut Contact, work: &mut Work<'_, '_>, mut next: Next) {
    loop {
        next = match next {
            Next::Rest => return,
            Next::Enter(entry) => menu::enter(contact, work, entry),
            Next::Menu(event) => menu::event(contact, work, event),
            Next::Join(queue, credit) => queue::join(contact, work, queue, credit),
            Next::Dial(to, purpose) => dial::dial(contact, work, to, purpose),
            Next::NotPassedOn(status) => transfer::failed(contact, work, status),
            Next::Goodbye(by, name) => menu::goodbye(contact, work, by, name),
            Next::End(by, status) => return end::end(contact, work, by, status),
        }
    }
}

/// A new contact begins.
fn begin_with(contact: &mut Contact, work: &mut Work<'_, '_>, begin: Begin) -> Next {
    if !matches!(contact.phase, Phase::Arrived) {
        return Next::Rest;
    }
    match begin {
        Begin::Lead(NumberTarget::Entry(entry)) => Next::Enter(entry),
        Begin::Lead(NumberTarget::Queue(queue)) => Next::Join(queue, Duration::ZERO),
        Begin::Dial(to) => Next::Dial(to, Purpose::Own),
        Begin::Confirm(name) => {
            menu::confirm(contact, work, &name);
            Next::Rest
        }
    }
}

/// What the matcher tells means for the contact that has sent the command.
fn from_matcher(contact: &mut Contact, work: &mut Work<'_, '_>, event: MatcherEvent) -> Next {
    match event {
        MatcherEvent::Joined { slot, place, prefers, offered } => {
            return queue::joined(contact, work, slot, Joined { place, prefers, offered });
        }
        MatcherEvent::NotJoined(slot, why) => return queue::not_joined(contact, work, slot, why),
        MatcherEvent::ForNobody(slot) => return queue::for_nobody(contact, work, slot),
        MatcherEvent::Accepted(slot, agent_slot) => return ring::accepted(contact, work, slot, agent_slot),
        MatcherEvent::NotAccepted(slot) => ring::not_accepted(contact, work, slot),
        MatcherEvent::Refiled(slot, why) => queue::refiled(contact, work, slot, why),
        MatcherEvent::Ended(slot) => queue::further_ended(contact, work, slot),
        MatcherEvent::Left(_, agent_slot) => ring::let_go(work.cx, contact.reference(), agent_slot),
    }
    Next::Rest
}

/// What a leg tells means for its contact.
fn leg_event(contact: &mut Contact, work: &mut Work<'_, '_>, leg: LegKey, event: LegEvent) -> Next {
    let caller = leg == contact.caller.leg;
    match event {
        LegEvent::Rings { heard } => ring::rings(contact, work, leg, heard),
        LegEvent::Answered => return ring::answered(contact, work, leg),
        LegEvent::Unusable => return ring::phone_failed(contact, work, leg, ringing::Failure::UNUSABLE),
        LegEvent::Failed(why) => {
            end::leg_over(contact, work, leg);
            return ring::call_failed(contact, work, leg, why);
        }
        LegEvent::Unanswerable(status) => {
            contact.caller.answer = Answered::No;
            return Next::End(EndedBy::System, Some(status));
        }
        LegEvent::Agreed { holds } => {
            match contact.other(leg) {
                Some(party) => party.holds = holds,
                None if caller => contact.caller.holds = holds,
                None => work.cx.missing("the party that a leg tells of"),
            }
            talk::connect(contact, work);
        }
        LegEvent::Key { digit, by_signalling } => {
            if by_signalling {
                talk::pass_key(contact, work, leg, digit);
            }
            if caller {
                return Next::Menu(Event::Key(digit));
            }
        }
        LegEvent::Referred { refer_to, has_replaces } => return transfer::refer(contact, work, leg, &refer_to, has_replaces),
        LegEvent::Played(token) if caller => return menu::played(contact, work, token),
        LegEvent::Played(_) => {}
        // What was asked while the caller waited ends no talk: in a talk packets show who is there, and silence is asked into anew.
        LegEvent::NotThere if !contact.is_in_queue() && work.cx.holds(Rule::ProbesOfTheWait) => {}
        LegEvent::NotThere | LegEvent::Left => return end::party_left(contact, work, leg),
        LegEvent::Gone => {
            let next = end::party_left(contact, work, leg);
            let role = end::forget_leg(contact, leg);
            // What follows for the contact comes first; but its legs that end are the others.
            go_on(contact, work, next);
            end::leg_gone(work, role);
        }
        LegEvent::Moved => {
            end::leg_over(contact, work, leg);
            return talk::gave(contact, work, leg);
        }
        LegEvent::Over => end::leg_over(contact, work, leg),
    }
    Next::Rest
}

/// A timer has come.
fn timer_came(contact: &mut Contact, work: &mut Work<'_, '_>, timer: ContactTimer) -> Next {
    match timer {
        ContactTimer::Key => return Next::Menu(Event::TimedOut),
        ContactTimer::Relax => queue::relax(contact, work),
        ContactTimer::Prefer => queue::prefer_nobody(contact, work),
        ContactTimer::WaitMax => return queue::overflow(contact, work),
        ContactTimer::Announce => queue::announce(contact, work),
        ContactTimer::Ring => return ring::long_enough(contact, work),
        ContactTimer::EarlyMedia => caller::early_media(contact, work),
        ContactTimer::EarlyRepeat => caller::repeat_early(contact, work),
        ContactTimer::EarlyMax => caller::early_media_over(contact, work),
        ContactTimer::TalkMax => return transfer::talk_max(contact, work),
        ContactTimer::Alive => caller::ask(contact, work),
        ContactTimer::GoodbyeMax => return menu::goodbye_over(contact),
        ContactTimer::Renew => talk::renew(contact, work),
    }
    Next::Rest
}
