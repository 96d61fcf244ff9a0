//! Calls of an agent's own: feature codes, colleagues, the city's own numbers and queues, numbers outside.

use std::sync::Arc;

use super::Engine;
use super::between::{Begin, ToContact, ToDesk};
use super::contact::ContactKey;
use super::dial::DialTo;
use super::dispatch::user_of;
use super::inbound::{Origin, Refusal, read_sdp_offer, refuse};
use super::io::AgentCommand;
use super::sabotage::Rule;
use crate::base::words::BreakReason;
use crate::base::{AgentId, Time};
use crate::call::trunk::{NumberTarget, TrunkRules};
use crate::sip::flow::Flow;
use crate::sip::message::{Message, Start};
use crate::sip::stack::counts::Rejected;

/// What an agent dials.
enum Dialled {
    Code(AgentCommand, &'static str),
    Somebody(DialTo),
    /// A number that callers dial, or a queue by its name: the agent waits in the queue like anybody.
    Here(NumberTarget),
}

impl Engine {
    /// An INVITE from an agent's phone.
    pub(super) fn agent_call(&mut self, now: Time, flow: &Flow, message: &Message<'_>, agent: AgentId) -> Result<(), Refusal> {
        if self.draining {
            return Err(refuse(503, Rejected::Shed));
        }
        if self.sessions.merged(message) {
            return Err(refuse(482, Rejected::Loop));
        }
        let Start::Request { uri, .. } = message.start else { return Ok(()) };
        let (user, _) = user_of(uri).ok_or_else(|| refuse(404, Rejected::NoDialog))?;
        let dialled = self.what_agent_dials(agent, &user).ok_or_else(|| refuse(404, Rejected::NoDialog))?;
        let (entry, emergency) = match dialled {
            Dialled::Here(target) => (target.entry(), self.is_emergency(target)),
            Dialled::Code(..) | Dialled::Somebody(_) => (None, false),
        };
        self.room_for(now, flow, emergency)?;
        let sdp_offer = read_sdp_offer(message)?;
        let name: Arc<str> = self.settings.directory.agents[agent.index()].as_ref().map(|a| a.name.clone()).unwrap_or_default();
        let origin = Origin { trunk: None, own: Some(agent), entry, emergency, number: name, dialled: user.into() };
        let key = self.new_contact(now, (flow, message), origin, sdp_offer)?;
        // The desk hears of the call before it begins: nobody is to be matched to a call of their own.
        let begin = match dialled {
            Dialled::Code(command, prompt) => {
                self.tell_desk(agent, ToDesk::Command(command));
                Begin::Confirm(prompt)
            }
            Dialled::Here(target) => {
                self.busy_by(agent, key);
                Begin::Lead(target)
            }
            Dialled::Somebody(to) => {
                self.busy_by(agent, key);
                Begin::Dial(to)
            }
        };
        self.out.tell_contact(key, ToContact::Begin(begin));
        Ok(())
    }

    fn busy_by(&mut self, agent: AgentId, key: ContactKey) {
        if self.holds(Rule::BusyFirst) {
            self.tell_desk(agent, ToDesk::OwnCall);
        }
        if let Some(contact) = self.contact_mut(key) {
            contact.busies_owner = true;
        }
    }

    fn what_agent_dials(&self, agent: AgentId, user: &str) -> Option<Dialled> {
        match user {
            "*1" => return Some(Dialled::Code(AgentCommand::Ready, "ready")),
            "*2" => return Some(Dialled::Code(AgentCommand::Break(BreakReason::Asked), "break")),
            "*3" => return Some(Dialled::Code(AgentCommand::EndWrapUp, "wrap-up")),
            _ => {}
        }
        if let Some(colleague) = self.settings.agent_named(user).filter(|colleague| *colleague != agent) {
            return Some(Dialled::Somebody(DialTo::Agent(colleague)));
        }
        if let Some(target) = self.number_here(user) {
            return Some(Dialled::Here(target));
        }
        let number = self.dialable(agent, user)?;
        let trunk = self.trunk_for(&number)?;
        Some(Dialled::Somebody(DialTo::Number(trunk, number)))
    }

    /// Where a number of our own leads: one that a trunk's callers reach us by, or a queue's name.
    fn number_here(&self, user: &str) -> Option<NumberTarget> {
        let by_trunk = |trunk: &TrunkRules| {
            let number = trunk.plan.normalise(user);
            trunk.numbers.iter().find(|(known, _)| **known == *number).map(|(_, target)| *target)
        };
        let number = self.settings.trunks.iter().flatten().find_map(by_trunk);
        number.or_else(|| self.settings.queue_to_call(user).map(NumberTarget::Queue))
    }
}
