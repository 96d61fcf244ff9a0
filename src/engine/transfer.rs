//! Passing a caller on: REFER from the agent's phone (RFC 3515), to a queue, another agent or a number outside. It stays the same contact; a
//! failure brings the caller back to the agent, or into the queue, and never ends the call.

use std::sync::Arc;

use super::between::ToDesk;
use super::contact::{ContactKey, ContactTimer, Phase};
use super::dial::{DialTo, Purpose};
use super::dispatch::user_of;
use super::legs::LegKey;
use super::media_port::Feed;
use super::sabotage::Rule;
use super::{Engine, lend};
use crate::base::words::{EndedBy, Segment, TransferKind, TransferOutcome};
use crate::base::{AgencyId, AgentId, Time};
use crate::call::leg::Role;
use crate::call::numbers::is_number;
use crate::call::transfer::{self, Destination, Refused};
use crate::report::FactKind;
use crate::sip::write::reason_phrase;

/// A transfer under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    /// Who passes the caller on.
    pub(super) from: AgentId,
    /// Their leg, while it is there: it hears how it goes, and gets the caller back.
    pub(super) leg: Option<LegKey>,
    kind: TransferKind,
    to_agency: Option<AgencyId>,
}

impl Engine {
    /// An agent's phone asks us to call somebody in its place (REFER).
    pub(super) fn refer(&mut self, now: Time, leg: LegKey, refer_to: &str, has_replaces: bool) {
        let answer = self.begin_transfer(leg, refer_to, has_replaces);
        let status = match &answer {
            Ok(_) => 202,
            Err(status) => *status,
        };
        if let Some(mut session) = self.legs.session(&mut lend!(self, now), leg) {
            session.respond_refer(status);
        }
        if let Ok((key, destination)) = answer {
            self.notify(now, leg, 100);
            self.pass_on(now, key, destination);
        }
    }

    /// Checks a REFER and notes the transfer. Nothing has happened to the caller yet.
    fn begin_transfer(&mut self, leg: LegKey, refer_to: &str, has_replaces: bool) -> Result<(ContactKey, Destination), u16> {
        let entry = self.legs.get(leg).ok_or(481u16)?;
        let key = entry.contact();
        let Role::Agent(from) = entry.role() else { return Err(403) };
        let contact = self.contact(key).ok_or(481u16)?;
        match contact.phase {
            Phase::Talking { agent: Some(agent), leg: current } if agent == from && current == leg => {}
            Phase::Talking { .. } | Phase::Dialling(_) => return Err(Refused::Pending.status()),
            _ => return Err(481),
        }
        if has_replaces {
            // Attended transfers come with consulting.
            return Err(501);
        }
        let (user, _) = user_of(refer_to).ok_or(400u16)?;
        let destination = self.destination(from, &user).ok_or(Refused::Unknown.status())?;
        let pending = contact.transfer.is_some();
        transfer::allowed(contact.transfers, pending, Some(from), &destination).map_err(Refused::status)?;
        let to_agency = match &destination {
            Destination::Queue(queue) => self.settings.queue(*queue).map(|rules| rules.agency),
            Destination::Agent(agent) => self.settings.agency_of(*agent),
            Destination::Number(_) => None,
        };
        let contact = self.contact_mut(key).ok_or(481u16)?;
        contact.transfers += 1;
        contact.transfer = Some(Transfer { from, leg: Some(leg), kind: destination.kind(), to_agency });
        Ok((key, destination))
    }

    /// Whom a name or number that an agent gives means: a queue, an agent, or a number that the agency may dial.
    fn destination(&self, from: AgentId, user: &str) -> Option<Destination> {
        if let Some(queue) = self.settings.queue_to_call(user) {
            return Some(Destination::Queue(queue));
        }
        if let Some(agent) = self.settings.agent_named(user) {
            return Some(Destination::Agent(agent));
        }
        let number = self.dialable(from, user)?;
        Some(Destination::Number(number))
    }

    /// A number as hotline keeps it, if the agent's agency may dial it.
    pub(super) fn dialable(&self, from: AgentId, written: &str) -> Option<Arc<str>> {
        if !is_number(written) {
            return None;
        }
        let plan = self.settings.trunks.iter().flatten().find(|trunk| trunk.outbound.is_some()).map(|trunk| &trunk.plan)?;
        let number = plan.normalise(written);
        let agency = self.settings.agencies.get(self.settings.agency_of(from)?.index())?;
        agency.dial.iter().any(|prefix| number.starts_with(prefix)).then(|| number.into())
    }

    fn pass_on(&mut self, now: Time, key: ContactKey, destination: Destination) {
        let Some(Phase::Talking { leg, .. }) = self.contact(key).map(|contact| contact.phase.clone()) else { return };
        self.legs.feed(&mut lend!(self, now), leg, Feed::Nothing);
        // Who comes back goes on with the same talk, and with what is left of its time.
        if !self.holds(Rule::LimitWhilePassedOn) {
            self.stop_timer(key, ContactTimer::TalkMax);
        }
        let Some(contact) = self.contact_mut(key) else { return };
        contact.hears = super::contact::CallerHears::Nothing;
        self.music(now, key);
        match destination {
            Destination::Queue(queue) => {
                let credit = self.waited_so_far(now, key);
                self.forget_slot(key);
                self.transfer_done(now, key);
                self.stop_timer(key, ContactTimer::TalkMax);
                self.is_with_nobody(key);
                self.join(now, key, queue, Some(credit));
            }
            Destination::Agent(agent) => self.dial(now, key, DialTo::Agent(agent), Purpose::Transfer),
            Destination::Number(number) => match self.trunk_for(&number) {
                Some(trunk) => self.dial(now, key, DialTo::Number(trunk, number), Purpose::Transfer),
                None => self.transfer_failed(now, key, 480),
            },
        }
    }

    /// Whoever the caller was with has been let go. Should the line not take the caller, nobody is let go once more.
    fn is_with_nobody(&mut self, key: ContactKey) {
        if !self.holds(Rule::WithNobody) {
            return;
        }
        if let Some(contact) = self.contact_mut(key) {
            contact.phase = Phase::Waiting;
        }
    }

    /// The caller is where they were sent: the agent who sent them hears so, and is free.
    pub(super) fn transfer_done(&mut self, now: Time, key: ContactKey) {
        let Some(transfer) = self.contact_mut(key).and_then(|contact| contact.transfer.take()) else { return };
        self.tell_transfer(now, key, &transfer, TransferOutcome::Completed);
        if let Some(leg) = transfer.leg {
            self.notify(now, leg, 200);
            self.hang_up(now, leg);
            self.release_agent(now, key, transfer.from);
        }
    }

    /// The caller could not be passed on: back to the agent if still there, else into the queue with credit.
    pub(super) fn transfer_failed(&mut self, now: Time, key: ContactKey, status: u16) {
        let Some(transfer) = self.contact_mut(key).and_then(|contact| contact.transfer.take()) else { return };
        if let Some(leg) = transfer.leg {
            self.tell_transfer(now, key, &transfer, TransferOutcome::Returned);
            self.notify(now, leg, status);
            if !self.holds(Rule::TransferReturns) {
                return;
            }
            if let Some(contact) = self.contact_mut(key) {
                contact.phase = Phase::Talking { agent: Some(transfer.from), leg };
            }
            if !self.holds(Rule::LimitWhilePassedOn) {
                self.set_timer(key, ContactTimer::TalkMax, now + super::dial::TALK_MAX);
            }
            return self.connect(now, key);
        }
        self.tell_transfer(now, key, &transfer, TransferOutcome::Failed);
        let credit = self.waited_so_far(now, key);
        self.forget_slot(key);
        self.is_with_nobody(key);
        match self.contact(key).and_then(|contact| contact.last_queue) {
            Some(queue) => self.join(now, key, queue, Some(credit)),
            None => self.end_contact(now, key, EndedBy::System, Some(480)),
        }
    }

    /// The agent who passed the caller on has hung up before it was known how it went: that changes nothing for the caller.
    pub(super) fn transferor_gone(&mut self, now: Time, key: ContactKey, leg: LegKey) -> bool {
        let Some(transfer) = self.contact_mut(key).and_then(|contact| contact.transfer.as_mut()) else { return false };
        if transfer.leg != Some(leg) {
            return false;
        }
        transfer.leg = None;
        let from = transfer.from;
        self.stop_timer(key, ContactTimer::TalkMax);
        self.release_agent(now, key, from);
        true
    }

    /// The longest talk is over. Whoever is being passed on has done with this agent, and waits for the other.
    pub(super) fn talk_max(&mut self, now: Time, key: ContactKey) {
        match self.contact(key).and_then(|contact| contact.transfer?.leg) {
            Some(leg) => {
                self.hang_up(now, leg);
                self.transferor_gone(now, key, leg);
            }
            None => self.end_contact(now, key, EndedBy::System, None),
        }
    }

    /// The caller left while being passed on.
    pub(super) fn transfer_abandoned(&mut self, now: Time, key: ContactKey) {
        let Some(transfer) = self.contact_mut(key).and_then(|contact| contact.transfer.take()) else { return };
        self.tell_transfer(now, key, &transfer, TransferOutcome::Abandoned);
        if let Some(leg) = transfer.leg {
            self.notify(now, leg, 487);
            self.release_agent(now, key, transfer.from);
        }
    }

    fn release_agent(&mut self, now: Time, key: ContactKey, agent: AgentId) {
        let queue = self.contact(key).and_then(|contact| contact.last_queue);
        if self.contact(key).is_some_and(|contact| contact.timeline.current().segment == Segment::Talk) {
            let id = self.contact(key).map(|contact| contact.id);
            let began = self.contact(key).map_or(now, |contact| contact.timeline.current().began);
            self.fact(now, id, FactKind::TalkEnded { queue, agent: Some(agent), lasted: now.since(began) });
        }
        self.tell_desk(agent, ToDesk::TalkOver(queue));
    }

    fn tell_transfer(&mut self, now: Time, key: ContactKey, transfer: &Transfer, outcome: TransferOutcome) {
        let id = self.contact(key).map(|contact| contact.id);
        let from = self.settings.agency_of(transfer.from);
        self.fact(now, id, FactKind::Transferred { kind: transfer.kind, from, to: transfer.to_agency, outcome });
    }

    /// Tells the phone that sent a REFER how it goes (RFC 3515 2.4.4).
    fn notify(&mut self, now: Time, leg: LegKey, status: u16) {
        let body = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status));
        let state = if status < 200 { "active;expires=60" } else { "terminated;reason=noresource" };
        if let Some(mut session) = self.legs.session(&mut lend!(self, now), leg) {
            session.notify("refer", state, ("message/sipfrag;version=2.0", body.as_bytes()));
        }
    }
}
