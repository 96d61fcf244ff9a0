//! An INVITE that begins a call, or a first text: refused, or given a session, a contact and a leg.

use std::sync::Arc;

use super::admission::{Dialled, Refusal, Who, caller_number, dialled_number, read_sdp_offer, trunk_limit, user_of};
use super::between::{Begin, ContactKey, DialTo, ToContact, ToDesk};
use super::contacts::Arrival;
use super::legs::NewCaller;
use super::proof::Unproven;
use super::sabotage::Rule;
use super::settings::credentials;
use super::text_port::{TextInput, TextOutput, TurnedAway};
use super::{Delivery, Engine, lend};
use crate::base::words::{Channel, Limit};
use crate::base::{AgentId, Time, TrunkId};
use crate::call::trunk::{NumberTarget, TrunkRules};
use crate::sdp::Description;
use crate::sip::flow::Flow;
use crate::sip::message::{Message, Start};
use crate::sip::session::{Admission, NotAdmitted};
use crate::sip::stack::counts::Rejected;

/// Whose a call is and where it leads: all of its arrival but its session and its leg.
struct Admitted<'a> {
    trunk: Option<(TrunkId, &'a TrunkRules)>,
    own: Option<AgentId>,
    begin: &'a Begin,
    emergency: bool,
    number: Arc<str>,
    dialled: Arc<str>,
}

impl Engine {
    /// An INVITE that begins a call.
    pub(super) fn invite(&mut self, now: Time, flow: &Flow, message: &Message<'_>, who: Who) {
        let request = self.refused.request(flow, message);
        let before =
            request.and_then(|request| self.refused.of(now, request)).filter(|_| self.taken_out.holds(Rule::RefusedAgain));
        match (before, who) {
            (Some(Refusal { status: 407, .. }), Who::Unproven(why)) => return self.challenge(now, flow, message, 407, why),
            (Some(Refusal { status: 407, .. }), _) => return self.challenge(now, flow, message, 407, Unproven::Wrong),
            (Some(refusal), _) => return self.turn_away(flow, message, refusal),
            (None, _) => {}
        }
        let taken = match who {
            Who::Trunk(trunk) => self.trunk_call(now, flow, message, trunk),
            Who::Agent(agent) => self.agent_call(now, flow, message, agent),
            Who::Unproven(_) => Err(Refusal::UNPROVEN),
            Who::Nobody => return,
        };
        let Err(refusal) = taken else { return };
        if let (Some(request), true) = (request, flow.transport.unreliable()) {
            self.refused.note(now, request, refusal);
        }
        match who {
            Who::Unproven(why) => self.challenge(now, flow, message, 407, why),
            _ => self.turn_away(flow, message, refusal),
        }
    }

    fn turn_away(&mut self, flow: &Flow, message: &Message<'_>, refusal: Refusal) {
        self.counts.reject(refusal.why);
        self.reply(flow, message, refusal.status, |writer| refusal.write(writer, message));
    }

    /// A call from a trunk. Refusals that cost least come first.
    fn trunk_call(&mut self, now: Time, flow: &Flow, message: &Message<'_>, trunk: TrunkId) -> Result<(), Refusal> {
        let settings = self.settings.clone();
        let rules = settings.trunk(trunk).ok_or_else(|| Refusal::new(503, Rejected::Limit))?;
        if self.draining {
            return Err(Refusal::DRAINING);
        }
        let dialled = dialled_number(message, rules);
        let target = rules.target(&dialled).ok_or(Refusal::UNKNOWN)?;
        let emergency = settings.is_emergency(target);
        if self.overload.sheds(now, flow.transport.unreliable()) && !emergency {
            return Err(Refusal::SHED);
        }
        if self.sessions.merged(message) {
            return Err(Refusal::MERGED);
        }
        self.room_for(now, flow, emergency)?;
        if let Err(refusal) = self.contacts.trunks_mut().admit(&mut lend!(self, now), (trunk, rules), emergency) {
            return Err(self.limit_hit(now, trunk_limit(refusal)));
        }
        // One whose offer is of no use takes its turn of the trunk's calls a second, too: reading it has a price.
        let sdp_offer = read_sdp_offer(message)?;
        let number = caller_number(message, rules).into();
        let (trunk, begin, dialled) = (Some((trunk, rules)), Begin::Lead(target), dialled.into());
        let admitted = Admitted { trunk, own: None, begin: &begin, emergency, number, dialled };
        let contact = self.take(now, (flow, message), admitted, sdp_offer)?;
        self.out.0.tell_contact(contact, ToContact::Begin(begin));
        Ok(())
    }

    /// A call from an agent's phone: a feature code, a colleague, a number.
    fn agent_call(&mut self, now: Time, flow: &Flow, message: &Message<'_>, agent: AgentId) -> Result<(), Refusal> {
        if self.draining {
            return Err(Refusal::new(503, Rejected::Shed));
        }
        if self.sessions.merged(message) {
            return Err(Refusal::MERGED);
        }
        let settings = self.settings.clone();
        let Start::Request { uri, .. } = message.start else { return Ok(()) };
        let (user, _) = user_of(uri).ok_or(Refusal::UNKNOWN)?;
        let (begin, command) = match Dialled::by(&settings, agent, &user).ok_or(Refusal::UNKNOWN)? {
            Dialled::Code(command, confirmed) => (Begin::Confirm(confirmed.into()), ToDesk::Command(command)),
            Dialled::Here(target) => (Begin::Lead(target), ToDesk::OwnCall),
            Dialled::Colleague(colleague) => (Begin::Dial(DialTo::Agent(colleague)), ToDesk::OwnCall),
            Dialled::Outside(number) => {
                let trunk = self.contacts.trunks_mut().to(&mut lend!(self, now), &number).ok_or(Refusal::UNKNOWN)?;
                (Begin::Dial(DialTo::Number(trunk, number)), ToDesk::OwnCall)
            }
        };
        let emergency = matches!(begin, Begin::Lead(target) if settings.is_emergency(target));
        self.room_for(now, flow, emergency)?;
        let sdp_offer = read_sdp_offer(message)?;
        let name = settings.directory.agents[agent.index()].as_ref().map(|profile| profile.name.clone());
        let (number, dialled) = (name.unwrap_or_default(), user.into());
        let admitted = Admitted { trunk: None, own: Some(agent), begin: &begin, emergency, number, dialled };
        let contact = self.take(now, (flow, message), admitted, sdp_offer)?;
        // The desk hears of the call before it begins: nobody is to be matched to a call of their own.
        if command != ToDesk::OwnCall || self.taken_out.holds(Rule::BusyFirst) {
            lend!(self, now).tell_desk(agent, command);
        }
        self.out.0.tell_contact(contact, ToContact::Begin(begin));
        Ok(())
    }

    /// Something of a party that writes. One that is gone has said so: the two may cross.
    pub(super) fn text(&mut self, now: Time, input: TextInput) {
        match (input.session().and_then(|session| self.texts.with_id(session)), input) {
            (_, TextInput::Arrives { origin, from, to }) => {
                if let Err(why) = self.text_arrives(now, &origin, (from, &to)) {
                    self.out.0.text(TextOutput::Refused { origin, why });
                }
            }
            (Some(key), input) => self.deliver(now, Delivery::Text(key, input)),
            (None, _) => {}
        }
    }

    /// Somebody writes to a queue.
    fn text_arrives(&mut self, now: Time, origin: &Arc<str>, (from, to): (Arc<str>, &str)) -> Result<(), TurnedAway> {
        let settings = self.settings.clone();
        let queue = settings.queue_to_write_to(to).ok_or(TurnedAway::Unknown)?;
        if self.draining {
            return Err(TurnedAway::Full);
        }
        if !self.room.take(&mut self.matcher.answers, settings.limits, false, self.taken_out) {
            self.out.0.limit_hit(now, None, Limit::Contacts);
            return Err(TurnedAway::Full);
        }
        let key = self.texts.next_key(&mut lend!(self, now));
        let contact = self.contacts.arrive(&mut lend!(self, now), Arrival::of_text(key, queue, (from, to), origin.clone()));
        self.texts.arrive(&mut lend!(self, now), key, contact, origin.clone());
        self.out.0.tell_contact(contact.key, ToContact::Begin(Begin::Lead(NumberTarget::Queue(queue))));
        Ok(())
    }

    /// Takes room for one more contact.
    fn room_for(&mut self, now: Time, flow: &Flow, emergency: bool) -> Result<(), Refusal> {
        let limits = self.settings.limits;
        if self.sessions.held().servers >= (limits.transactions as usize).div_ceil(usize::from(self.shards)) {
            return Err(self.limit_hit(now, Limit::Transactions));
        }
        if !self.room.take(&mut self.matcher.answers, limits, emergency, self.taken_out) {
            return Err(self.limit_hit(now, if emergency { Limit::EmergencyContacts } else { Limit::Contacts }));
        }
        // Better refused now than answered or rung for without a port: that would be put down to the agent.
        let callers = if emergency { 0 } else { self.contacts.up().all.saturating_sub(self.texts.callers()) };
        if !self.legs.bear(flow.remote.is_ipv6(), callers) {
            return Err(self.limit_hit(now, Limit::MediaPorts));
        }
        Ok(())
    }

    fn limit_hit(&mut self, now: Time, limit: Limit) -> Refusal {
        self.out.0.limit_hit(now, None, limit);
        Refusal::at(limit)
    }

    /// A call is taken: it gets a session, a contact and the caller's leg.
    fn take(
        &mut self,
        now: Time,
        (flow, message): (&Flow, &Message<'_>),
        admitted: Admitted<'_>,
        sdp_offer: Description,
    ) -> Result<ContactKey, Refusal> {
        let behind_nat = admitted.own.is_some();
        let admission = Admission { behind_nat, credentials: admitted.trunk.and_then(|(_, rules)| credentials(rules)) };
        let session = self.sessions.incoming(now, flow, message, &admission).map_err(|why| {
            let counted = if why == NotAdmitted::Merged { Rejected::Loop } else { Rejected::Malformed };
            Refusal::new(why.status(), counted)
        })?;
        self.heard = Some(session);
        let call_id = self.sessions.call_id(session).unwrap_or_default().into();
        let target = if let Begin::Lead(target) = admitted.begin { Some(*target) } else { None };
        let key = self.legs.next_key(&mut lend!(self, now));
        let arrival = Arrival {
            channel: Channel::Voice,
            caller: key,
            trunk: admitted.trunk.map(|(trunk, _)| trunk),
            own: admitted.own,
            busies_owner: admitted.own.is_some() && !matches!(admitted.begin, Begin::Confirm(_)),
            target,
            emergency: admitted.emergency,
            number: admitted.number,
            dialled: admitted.dialled,
            origin: call_id,
            max_forwards: message.max_forwards().ok().flatten().unwrap_or(70).saturating_sub(1),
        };
        let contact = self.contacts.arrive(&mut lend!(self, now), arrival);
        #[cfg(test)]
        self.delivers("arrival");
        self.legs.arrive(&mut lend!(self, now), NewCaller { key, contact, session, behind_nat, sdp_offer });
        Ok(contact.key)
    }
}
