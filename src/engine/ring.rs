//! Ringing an agent: one INVITE to each of the agent's phones, the first answer wins, the others are cancelled.

use std::time::Duration;

use smallvec::SmallVec;

use super::between::ToDesk;
use super::contact::{ContactKey, ContactTimer, Phase, QueueRing};
use super::devices::Phone;
use super::legs::{Leg, LegKey, NewCall};
use super::ringing::{Failure, Ringing};
use super::sabotage::Rule;
use super::{Engine, lend};
use crate::base::words::{OfferOutcome, QueueOutcome, Segment};
use crate::base::{AgentId, Codec, Time};
use crate::call::leg::Role;
use crate::report::FactKind;
use crate::sip::flow::Flow;
use crate::sip::name::Name;
use crate::sip::session::NewInvite;

/// What a phone hears that rang beside the one that answered, so that it does not count a call as missed (RFC 3326).
pub(super) const ELSEWHERE: Option<&str> = Some("SIP;cause=200;text=\"Call completed elsewhere\"");

/// How soon it is tried again to ring somebody for whom no ports were left, and for how long; less than a reservation lasts.
const PORTS_RETRY: Duration = Duration::from_millis(50);
const PORTS_PATIENCE: Duration = Duration::from_secs(4);

impl Engine {
    pub(super) fn phones_of(&self, agent: AgentId) -> Vec<Phone> {
        let fixed = self.settings.account(agent).and_then(|account| account.fixed.as_ref());
        if let Some(fixed) = fixed {
            let Some(listener) = self.sessions.listeners().listener_for(fixed.transport, fixed.address) else {
                return Vec::new();
            };
            let flow = Flow { transport: fixed.transport, listener, remote: fixed.address, connection: None };
            return vec![Phone::fixed(fixed, flow)];
        }
        self.desks.devices().phones(agent)
    }

    /// Rings the agent for the contact.
    pub(super) fn ring(&mut self, now: Time, key: ContactKey, agent: AgentId) {
        let settings = self.settings.clone();
        let Some(contact) = self.contact(key) else { return };
        let Some(rules) = contact.ticket.and_then(|ticket| settings.queue(ticket.queue)) else { return };
        let ring_timeout = rules.ring_timeout;
        let phones = self.phones_of(agent);
        if phones.is_empty() {
            return self.ring_failed(now, key, agent, OfferOutcome::Unreachable);
        }
        let mut rung = false;
        for phone in phones {
            rung |= self.ring_phone(now, key, agent, &phone);
        }
        // For want of ports, which are not the agent's: there will be some in a moment.
        let until = now + if rung { ring_timeout } else { PORTS_RETRY };
        let bounded = self.holds(if rung { Rule::RingDeadline } else { Rule::RingForPorts });
        let Some(ring) = self.rings_mut(key).iter_mut().find(|ring| ring.agent == agent) else { return };
        ring.ringing.until = bounded.then_some(until);
        if let (true, Some(contact)) = (rung, self.contact_ref(key)) {
            self.tell_desk(agent, ToDesk::Rings(contact, ring_timeout));
        }
        self.expect_ring(key);
    }

    pub(super) fn ring_phone(&mut self, now: Time, key: ContactKey, agent: AgentId, phone: &Phone) -> bool {
        let Some(max_forwards) = self.contact(key).map(|contact| contact.max_forwards) else { return false };
        let from = self.caller_as_shown(key);
        let settings = self.settings.clone();
        let to = format!("<sip:{}@{}>", settings.agent_name(agent).unwrap_or_default(), settings.realm());
        let alert = settings.phone.alert_info.as_deref().map(|value| (Name::AlertInfo, value));
        let info = settings.phone.call_info.as_deref().map(|value| (Name::CallInfo, value));
        let headers: SmallVec<[(Name, &str); 2]> = alert.into_iter().chain(info).collect();
        let invite = NewInvite {
            flow: phone.flow,
            behind_nat: phone.behind_nat,
            uri: &phone.uri,
            route: phone.path.as_deref(),
            from: &from,
            to: &to,
            max_forwards,
            headers: &headers,
            body: ("", &[]),
            credentials: None,
        };
        self.call(now, key, Role::Agent(agent), invite)
    }

    /// Calls somebody for the contact, who is waited for with those that ring. False when no ports are left.
    pub(super) fn call(&mut self, now: Time, key: ContactKey, role: Role, invite: NewInvite<'_>) -> bool {
        let Some(contact) = self.contact(key) else { return false };
        let (caller, thread, number) = (contact.caller, contact.thread, contact.legs_ever + 1);
        let Some(reference) = self.contact_ref(key) else { return false };
        let new = NewCall { contact: reference, number, role, caller, thread, invite };
        let Some(leg) = self.legs.call(&mut lend!(self, now), new) else { return false };
        self.keep_thread(key, leg);
        match role {
            Role::Agent(agent) => self.tell_desk(agent, ToDesk::LegBegan),
            Role::External(trunk) => self.trunk_call_out(now, trunk, 1),
            Role::Caller => {}
        }
        let Some(contact) = self.contact_mut(key) else { return false };
        contact.legs_ever = number;
        contact.legs.push(leg);
        match &mut contact.phase {
            Phase::Ringing(rings) => {
                let ours = rings.iter_mut().filter(|ring| role == Role::Agent(ring.agent));
                ours.for_each(|ring| ring.ringing.add(leg));
            }
            Phase::Dialling(dial) => dial.ringing.add(leg),
            _ => {}
        }
        true
    }

    /// From, as the agent's phone shows it: the queue and the language as the name, the caller's number as the user.
    fn caller_as_shown(&self, key: ContactKey) -> String {
        let Some(contact) = self.contact(key) else { return String::new() };
        let queue = contact.ticket.and_then(|ticket| self.settings.queue(ticket.queue)).map_or("", |rules| &rules.name);
        let language = contact.language.and_then(|l| self.settings.skills.get(l.index())).map_or("", |skill| &skill.name);
        let name = if language.is_empty() { queue.to_owned() } else { format!("{queue} {language}") };
        let number: String = contact.number.chars().filter(|c| c.is_ascii_alphanumeric() || "+*#-_.".contains(*c)).collect();
        let number = if number.is_empty() { "anonymous" } else { &number };
        let quoted = name.replace(['"', '\\'], "");
        format!("\"{quoted}\" <sip:{}@{}>", number.replace('#', "%23"), self.settings.realm())
    }

    /// A call of ours was answered. Where its description cannot be used it is hung up, as one that failed.
    pub(super) fn answered(&mut self, now: Time, leg: LegKey, body: &[u8]) {
        let codec = self.legs.answered(&mut lend!(self, now), leg, body);
        let Some(key) = self.legs.get(leg).map(Leg::contact) else { return };
        let waited_for = match self.contact(key).map(|contact| &contact.phase) {
            Some(Phase::Dialling(dial)) => dial.ringing.legs().contains(&leg),
            Some(Phase::Ringing(rings)) => rings.iter().any(|ring| ring.ringing.legs().contains(&leg)),
            _ => false,
        };
        let Some(codec) = codec.filter(|_| waited_for) else {
            self.legs.hang_up(&mut lend!(self, now), leg);
            return self.phone_failed(now, key, leg, Failure::UNUSABLE);
        };
        match self.contact(key).map(|contact| &contact.phase) {
            Some(Phase::Dialling(_)) => self.dial_answered(now, key, leg, codec),
            _ => self.ring_answered(now, key, leg, codec),
        }
    }

    /// A call of ours has failed for good.
    pub(super) fn leg_failed(&mut self, now: Time, leg: LegKey, failure: Failure) {
        let Some(key) = self.legs.get(leg).map(Leg::contact) else { return };
        self.legs.failed(leg, failure.status);
        self.leg_gone(now, leg);
        self.phone_failed(now, key, leg, failure);
    }

    /// An agent's phone has answered.
    fn ring_answered(&mut self, now: Time, key: ContactKey, leg: LegKey, codec: Codec) {
        let Some(ring) = self.rings(key).iter().find(|ring| ring.ringing.legs().contains(&leg)).cloned() else { return };
        if self.matcher.accept(ring.slot) != Some(ring.agent) {
            return self.legs.hang_up(&mut lend!(self, now), leg);
        }
        self.others_are_silent(now, &ring.ringing, leg);
        self.others_lose(now, key, ring.slot);
        self.begin_talk(now, key, &ring, leg);
        if self.answer_caller(now, key, Some(codec)) {
            self.connect(now, key);
        }
    }

    /// One of several phones has answered: the others are silent.
    pub(super) fn others_are_silent(&mut self, now: Time, ringing: &Ringing, winner: LegKey) {
        for other in ringing.legs().iter().filter(|other| **other != winner) {
            self.cancel_ring(now, *other, ELSEWHERE);
        }
    }

    fn begin_talk(&mut self, now: Time, key: ContactKey, ring: &QueueRing, leg: LegKey) {
        let settings = self.settings.clone();
        let talk_max = settings.queue(ring.queue).map_or(Duration::from_secs(7200), |rules| rules.talk_max);
        let Some(contact) = self.contact_mut(key) else { return };
        let (id, number) = (contact.id, contact.number.clone());
        contact.phase = Phase::Talking { agent: Some(ring.agent), leg };
        if settings.queue(ring.queue).is_some_and(|rules| rules.prefer_last.is_some()) {
            self.last_agents.note(&number, ring.queue, ring.agent);
        }
        let rang = now.since(ring.since);
        let ended = FactKind::OfferEnded { queue: ring.queue, agent: ring.agent, outcome: OfferOutcome::Accepted, rang };
        self.fact(now, Some(id), ended);
        self.tell_left(now, key, QueueOutcome::Answered);
        if self.holds(Rule::TalkSegment) {
            self.turn(now, key, Segment::Talk, Some(ring.queue), Some(ring.agent));
        }
        self.stop_all_timers(key);
        if self.holds(Rule::TalkMax) {
            let limit = self.talk_ends(now, key, talk_max);
            self.set_timer(key, ContactTimer::TalkMax, limit);
        }
        if let Some(contact) = self.contact_ref(key) {
            self.tell_desk(ring.agent, ToDesk::Talks(contact, talk_max));
        }
        self.forget_slot(key);
    }

    /// Whoever rings for the contact has rung long enough.
    pub(super) fn rung_long_enough(&mut self, now: Time, key: ContactKey) {
        match self.contact(key).map(|contact| &contact.phase) {
            Some(Phase::Ringing(_)) => self.ring_timed_out(now, key),
            Some(Phase::Dialling(_)) => self.dial_timed_out(now, key),
            _ => {}
        }
    }

    fn ring_timed_out(&mut self, now: Time, key: ContactKey) {
        for ring in self.rings(key).to_vec() {
            if ring.ringing.until.is_none_or(|until| until > now) {
                continue;
            }
            if !ring.ringing.legs().is_empty() {
                for leg in ring.ringing.legs() {
                    self.cancel_ring(now, *leg, None);
                }
                self.ring_failed(now, key, ring.agent, OfferOutcome::TimedOut);
            } else if now.since(ring.since) < PORTS_PATIENCE {
                // Not rung yet.
                self.ring(now, key, ring.agent);
            } else {
                self.ring_failed(now, key, ring.agent, OfferOutcome::Withdrawn);
            }
        }
        self.expect_ring(key);
    }

    /// Stops a phone's ringing, which may tell the phone why.
    pub(super) fn cancel_ring(&mut self, now: Time, leg: LegKey, reason: Option<&'static str>) {
        self.legs.cancel(&mut lend!(self, now), leg, reason);
    }
}
