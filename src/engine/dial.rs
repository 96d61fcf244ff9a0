//! Calling somebody in particular, past the queue: an agent's own call, an overflow to a number, a transfer to an agent or a number.

use std::sync::Arc;
use std::time::Duration;

use super::between::{ToDesk, Want};
use super::contact::{ContactKey, ContactTimer, Phase};
use super::legs::{Leg, LegKey};
use super::media_port::Feed;
use super::ringing::{Failure, Ringing};
use super::sabotage::Rule;
use super::{Engine, lend};
use crate::acd::agent::OWN_CALL_MAX;
use crate::base::words::{EndedBy, OfferOutcome, Segment};
use crate::base::{AgentId, Codec, Time, TrunkId};
use crate::call::leg::{LegState, Role};
use crate::sip::flow::Flow;
use crate::sip::name::Name;
use crate::sip::session::NewInvite;

/// Who is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum DialTo {
    /// An agent.
    Agent(AgentId),
    /// A number, over a trunk.
    Number(TrunkId, Arc<str>),
}

/// What for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// An agent calls.
    Own,
    /// The overflow of a queue.
    Overflow,
    /// An agent passes the caller on.
    Transfer,
}

/// Somebody in particular is being called.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    pub(super) to: DialTo,
    pub(super) purpose: Purpose,
    pub(super) ringing: Ringing,
    desk: DeskSays,
}

/// What the desk of an agent who is called in particular has said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum DeskSays {
    /// Nobody's desk is asked: a number is called.
    NotAsked,
    /// Nothing yet.
    Nothing,
    /// The agent is the contact's.
    Taken,
    /// The agent has been let go, or was never had.
    LetGo,
}

/// A desk answers at once. Without an answer for so long the agent is not to be had.
const DESK_ANSWERS: Duration = Duration::from_secs(2);
/// How long an agent's phone rings when somebody in particular wants it.
const RING_AGENT: Duration = Duration::from_secs(25);
/// How long a number outside may take to answer.
const RING_OUTSIDE: Duration = Duration::from_secs(60);
/// The longest talk that no queue limits.
pub(super) const TALK_MAX: Duration = Duration::from_secs(4 * 3600);

impl Engine {
    /// The trunk that takes calls to a number, and has room for one more.
    pub(super) fn trunk_for(&self, number: &str) -> Option<TrunkId> {
        let fits = |(index, trunk): &(usize, &Option<crate::call::trunk::TrunkRules>)| {
            let record = &self.trunks[*index];
            trunk.as_ref().is_some_and(|rules| {
                rules.takes(number) && record.up && record.load.calls_in + record.load.calls_out < rules.calls_max
            })
        };
        self.settings.trunks.iter().enumerate().find(fits).map(|(index, _)| TrunkId(index as u32))
    }

    /// Calls somebody for the contact. An agent is asked for first, at the agent's desk.
    pub(super) fn dial(&mut self, now: Time, key: ContactKey, to: DialTo, purpose: Purpose) {
        let Some(contact) = self.contact_ref(key) else { return };
        let desk = match to {
            DialTo::Agent(_) => DeskSays::Nothing,
            DialTo::Number(..) => DeskSays::NotAsked,
        };
        let dial = Dial { to: to.clone(), purpose, ringing: Ringing::default(), desk };
        if let Some(contact) = self.contact_mut(key) {
            contact.phase = Phase::Dialling(dial);
        }
        match to {
            DialTo::Agent(agent) => {
                let want = if purpose == Purpose::Own { Want::Colleague } else { Want::Caller(RING_AGENT) };
                self.tell_desk(agent, ToDesk::Take(contact, want));
                self.set_timer(key, ContactTimer::Ring, now + DESK_ANSWERS);
            }
            DialTo::Number(trunk, number) => {
                self.call_number(now, key, trunk, &number);
                self.expect_answer(now, key, RING_OUTSIDE, Failure::NO_PORTS);
            }
        }
    }

    /// The contact's phase, while it waits for this agent's desk.
    pub(super) fn asks_for(&mut self, key: ContactKey, agent: AgentId) -> Option<&mut Dial> {
        match self.contact_mut(key).map(|contact| &mut contact.phase) {
            Some(Phase::Dialling(dial)) if dial.to == DialTo::Agent(agent) && dial.desk == DeskSays::Nothing => Some(dial),
            _ => None,
        }
    }

    /// The agent whom the contact asked for is the contact's. One whom nobody wants any more is let go.
    pub(super) fn taken(&mut self, now: Time, key: ContactKey, agent: AgentId, want: Want) {
        let Some(dial) = self.asks_for(key, agent) else {
            return self.tell_desk(agent, given_back(want));
        };
        dial.desk = DeskSays::Taken;
        let phones = self.phones_of(agent);
        let failure = if phones.is_empty() { Failure::NO_PHONE } else { Failure::NO_PORTS };
        for phone in phones {
            self.ring_phone(now, key, agent, &phone);
        }
        self.expect_answer(now, key, RING_AGENT, failure);
    }

    /// The agent whom the contact asked for is not to be had.
    pub(super) fn not_taken(&mut self, now: Time, key: ContactKey, agent: AgentId) {
        let Some(dial) = self.asks_for(key, agent) else { return };
        dial.desk = DeskSays::LetGo;
        let status = if dial.purpose == Purpose::Own { 486 } else { 480 };
        self.dial_failed(now, key, Failure { outcome: OfferOutcome::Busy, status });
    }

    /// Waits for an answer of those who ring. Where nobody does, the call has failed.
    fn expect_answer(&mut self, now: Time, key: ContactKey, ring: Duration, failure: Failure) {
        match self.contact(key).map(|contact| &contact.phase) {
            Some(Phase::Dialling(dial)) if dial.ringing.legs().is_empty() => self.dial_failed(now, key, failure),
            Some(Phase::Dialling(_)) => self.set_timer(key, ContactTimer::Ring, now + ring),
            _ => {}
        }
    }

    fn call_number(&mut self, now: Time, key: ContactKey, trunk: TrunkId, number: &str) {
        let settings = self.settings.clone();
        let Some(rules) = settings.trunk(trunk) else { return };
        let Some(out) = &rules.outbound else { return };
        let Some(listener) = self.sessions.listeners().listener_for(out.transport, out.address) else { return };
        let Some(max_forwards) = self.contact(key).map(|contact| contact.max_forwards) else { return };
        let flow = Flow { transport: out.transport, listener, remote: out.address, connection: None };
        let shown = self.number_shown(key).unwrap_or_else(|| out.caller.to_string());
        let shown = rules.plan.write(&shown);
        let host = self.sessions.listeners().sent_by(listener).clone();
        let uri = format!("sip:{}@{}", rules.plan.write(number), out.host);
        let from = format!("<sip:{shown}@{host}>");
        let identity = [(Name::PAssertedIdentity, &*from)];
        let invite = NewInvite {
            flow,
            behind_nat: false,
            uri: &uri,
            route: None,
            from: &from,
            to: &format!("<{uri}>"),
            max_forwards,
            headers: if rules.trusted { &identity } else { &[] },
            body: ("", &[]),
            credentials: self.credentials(trunk),
        };
        self.call(now, key, Role::External(trunk), invite);
    }

    /// The number that an outgoing call shows: that of the agency it is made for.
    fn number_shown(&self, key: ContactKey) -> Option<String> {
        let contact = self.contact(key)?;
        let agency = match (contact.own, contact.last_queue) {
            (Some(agent), _) => self.settings.agency_of(agent),
            (None, Some(queue)) => self.settings.queue(queue).map(|rules| rules.agency),
            (None, None) => None,
        }?;
        self.settings.agencies.get(agency.index()).map(|agency| agency.number.to_string()).filter(|number| !number.is_empty())
    }

    /// A phone that was called in particular rings, or lets its caller hear something.
    pub(super) fn dial_rings(&mut self, now: Time, key: ContactKey, leg: LegKey, body: &[u8]) {
        let Some(contact) = self.contact(key) else { return };
        let (Phase::Dialling(dial), caller) = (&contact.phase, contact.caller) else { return };
        let fresh = matches!(self.legs.get(caller).map(Leg::state), Some(LegState::Arriving { early: false }));
        if dial.purpose != Purpose::Own || !fresh || self.pass_early_media(now, key, leg, body) {
            return;
        }
        if let Some(mut session) = self.legs.session(&mut lend!(self, now), caller) {
            session.ring();
        }
    }

    /// An outside party that describes itself before it answers (an announcement, a ringing tone of its own) is heard by the agent who calls
    /// it. The first fork that does so is. False when there is nothing to hear.
    fn pass_early_media(&mut self, now: Time, key: ContactKey, leg: LegKey, body: &[u8]) -> bool {
        if body.is_empty() || !matches!(self.legs.get(leg).map(Leg::role), Some(Role::External(_))) {
            return false;
        }
        let Some(codec) = self.legs.described_early(&mut lend!(self, now), leg, body) else { return false };
        let Some(caller) = self.contact(key).map(|contact| contact.caller) else { return false };
        if !self.answer_early(now, key, Some(codec)) {
            return false;
        }
        let end = |key| self.legs.get(key).and_then(Leg::endpoint);
        if let (Some(caller_end), Some(outside_end)) = (end(caller), end(leg)) {
            let cx = &mut lend!(self, now);
            self.legs.feed(cx, caller, Feed::Peer(outside_end));
            self.legs.feed(cx, leg, Feed::Peer(caller_end));
        }
        true
    }

    /// Somebody who was called in particular has answered.
    pub(super) fn dial_answered(&mut self, now: Time, key: ContactKey, leg: LegKey, codec: Codec) {
        let Some(Phase::Dialling(dial)) = self.contact(key).map(|contact| contact.phase.clone()) else { return };
        self.others_are_silent(now, &dial.ringing, leg);
        self.stop_all_timers(key);
        let limit = self.talk_ends(now, key, TALK_MAX);
        self.set_timer(key, ContactTimer::TalkMax, limit);
        let agent = match dial.to {
            DialTo::Agent(agent) => Some(agent),
            DialTo::Number(..) => None,
        };
        let Some(contact) = self.contact_mut(key) else { return };
        let queue = contact.last_queue;
        contact.phase = Phase::Talking { agent, leg };
        self.turn(now, key, Segment::Talk, queue, agent);
        if let (Some(agent), Some(contact), true) = (agent, self.contact_ref(key), dial.purpose != Purpose::Own) {
            self.tell_desk(agent, ToDesk::Talks(contact, TALK_MAX));
        }
        if dial.purpose == Purpose::Transfer {
            self.transfer_done(now, key);
        }
        if self.answer_caller(now, key, Some(codec)) {
            self.connect(now, key);
        }
    }

    /// When a talk that begins now and may last so long ends at the latest. A call of an agent's own is no longer in all than one may be,
    /// however often it is passed on: the agent is busy by it.
    pub(super) fn talk_ends(&self, now: Time, key: ContactKey, talk_max: Duration) -> Time {
        let own = self.contact(key).filter(|contact| contact.busies_owner).map(|contact| contact.arrived + OWN_CALL_MAX);
        own.into_iter().chain([now + talk_max]).min().unwrap_or(now)
    }

    pub(super) fn dial_timed_out(&mut self, now: Time, key: ContactKey) {
        let Some(Phase::Dialling(dial)) = self.contact(key).map(|contact| contact.phase.clone()) else { return };
        if let (DeskSays::Nothing, DialTo::Agent(agent)) = (dial.desk, &dial.to) {
            return self.not_taken(now, key, *agent);
        }
        for leg in dial.ringing.legs() {
            self.cancel_ring(now, *leg, None);
        }
        self.dial_failed(now, key, Failure::TIMED_OUT);
    }

    pub(super) fn dial_failed(&mut self, now: Time, key: ContactKey, Failure { outcome, status }: Failure) {
        let once = self.holds(Rule::LetGoOnce);
        let Some(Phase::Dialling(dial)) = self.contact_mut(key).map(|contact| &mut contact.phase) else { return };
        let before = dial.clone();
        if once {
            // What follows may end the contact, which must not let the same one go once more.
            dial.desk = DeskSays::LetGo;
        }
        self.stop_timer(key, ContactTimer::Ring);
        self.let_dialled_go(&before, outcome);
        let dial = before;
        match dial.purpose {
            Purpose::Own => self.end_contact(now, key, EndedBy::System, Some(status)),
            Purpose::Overflow => {
                let prompt = self.prompt(key, "nobody");
                self.goodbye(now, key, EndedBy::Overflow, vec![prompt]);
            }
            Purpose::Transfer => self.transfer_failed(now, key, status),
        }
    }

    /// The contact leaves while somebody in particular is called for it.
    pub(super) fn stop_dialling(&mut self, now: Time, dial: &Dial) {
        for leg in dial.ringing.legs() {
            self.cancel_ring(now, *leg, None);
        }
        self.let_dialled_go(dial, OfferOutcome::Withdrawn);
    }

    fn let_dialled_go(&mut self, dial: &Dial, outcome: OfferOutcome) {
        let (DialTo::Agent(agent), DeskSays::Taken) = (&dial.to, dial.desk) else { return };
        let over = ToDesk::RingOver(outcome, Duration::from_secs(10));
        self.tell_desk(*agent, if dial.purpose == Purpose::Own { ToDesk::OwnCallOver } else { over });
    }
}

/// An agent who was taken for nothing is what the agent was before.
pub(super) const fn given_back(want: Want) -> ToDesk {
    match want {
        Want::Colleague => ToDesk::OwnCallOver,
        Want::Caller(_) => ToDesk::RingOver(OfferOutcome::Withdrawn, Duration::ZERO),
    }
}
