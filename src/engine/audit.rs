//! The rules of the house, checked on a standing engine: by the simulation after every step.

use std::collections::BTreeMap;

use super::Engine;
use super::contact::{Contact, Phase};
use super::desks::DeskView;
use super::dial::{Dial, DialTo, Purpose};
use crate::acd::agent::State;
use crate::acd::claim::{AgentView, ContactView};
use crate::base::{AgentId, Time, TrunkId};
use crate::call::leg::{LegState, Role};
use crate::sip::flow::ConnectionId;

impl Engine {
    /// Whether everything is as it must be between inputs.
    ///
    /// `lives` says which connections are there.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn audit(&self, now: Time, lives: impl Fn(ConnectionId) -> bool) -> Result<(), String> {
        self.audit_legs()?;
        self.audit_agents()?;
        self.audit_own_calls()?;
        self.audit_seats()?;
        self.audit_phones(now, lives)?;
        self.audit_trunks()?;
        self.audit_contacts()
    }

    /// An agent is busy by as many calls of their own as there are.
    fn audit_own_calls(&self) -> Result<(), String> {
        let views: Vec<DeskView> = self.desks.views().collect();
        let mut calls: BTreeMap<AgentId, u8> = BTreeMap::new();
        for (_, contact) in self.contacts.iter().filter(|(_, contact)| !matches!(contact.phase, Phase::Over)) {
            let owner = contact.own.filter(|_| contact.busies_owner);
            let colleague = match &contact.phase {
                Phase::Dialling(Dial { to: DialTo::Agent(agent), purpose: Purpose::Own, .. }) => Some(*agent),
                Phase::Talking { agent: Some(agent), .. } if contact.timeline.current().queue.is_none() => Some(*agent),
                _ => None,
            };
            // Who is passed on to a colleague outside of any queue is no call of the colleague's own.
            let held = |agent: &AgentId| views[agent.index()].state.contact().is_some();
            let colleague = colleague.filter(|agent| !held(agent));
            // Nor is who passes its caller on free before it is known how that goes.
            let passing = contact.transfer.filter(|transfer| transfer.leg.is_some()).map(|transfer| transfer.from);
            let passing = passing.filter(|agent| !held(agent));
            for agent in owner.into_iter().chain(colleague).chain(passing) {
                *calls.entry(agent).or_default() += 1;
            }
        }
        for (index, desk) in views.iter().enumerate() {
            let (counted, is) = (desk.own_calls, calls.get(&AgentId(index as u32)).copied().unwrap_or(0));
            if counted != is {
                return Err(format!("agent {index} counts {counted} calls of their own, and has {is}"));
            }
        }
        Ok(())
    }

    /// Whoever is ready and has no phone in use sits on the bench, and nobody else does.
    fn audit_seats(&self) -> Result<(), String> {
        for (index, desk) in self.desks.views().enumerate() {
            let view = self.matcher.agent(AgentId(index as u32));
            if view == AgentView::Busy && desk.wants_contacts && desk.legs == 0 {
                return Err(format!("agent {index} is ready, and not on the bench"));
            }
            if view == AgentView::Ready && desk.legs > 0 {
                return Err(format!("agent {index} is on the bench while {} phones may ring or talk", desk.legs));
            }
        }
        Ok(())
    }

    /// What an agent's phone is reached by is there, as far as can be known.
    fn audit_phones(&self, now: Time, lives: impl Fn(ConnectionId) -> bool) -> Result<(), String> {
        for index in 0..self.settings.directory.agents.len() {
            for binding in self.desks.devices().of(AgentId(index as u32)) {
                if binding.expires <= now {
                    return Err(format!("agent {index} is still registered at {}, which has lapsed", binding.uri));
                }
                if binding.flow.connection.is_some_and(|id| !lives(id)) {
                    return Err(format!("agent {index} is registered at {} over a connection that is gone", binding.uri));
                }
            }
        }
        Ok(())
    }

    /// A trunk counts the calls that are up.
    fn audit_trunks(&self) -> Result<(), String> {
        for (index, record) in self.trunks.iter().enumerate() {
            let trunk = TrunkId(index as u32);
            let out = self.legs.iter().filter(|leg| leg.role() == Role::External(trunk)).count() as u32;
            let up = |contact: &Contact| contact.trunk == Some(trunk) && !matches!(contact.phase, Phase::Over);
            let within = self.contacts.iter().filter(|(_, contact)| up(contact)).count() as u32;
            if (record.load.calls_in, record.load.calls_out) != (within, out) {
                let (counted_in, counted_out) = (record.load.calls_in, record.load.calls_out);
                return Err(format!("trunk {index} counts {counted_in} in, {counted_out} out, and has {within} and {out}"));
            }
        }
        Ok(())
    }

    fn audit_legs(&self) -> Result<(), String> {
        for leg in self.legs.iter() {
            let Some(contact) = self.contact(leg.contact()) else {
                return Err(format!("leg {:?} has outlived its contact", leg.key()));
            };
            if !contact.legs.contains(&leg.key()) {
                return Err(format!("leg {:?} is unknown to its contact", leg.key()));
            }
            let over = matches!(contact.phase, Phase::Over);
            if over && !matches!(leg.state(), LegState::Ending) {
                return Err(format!("leg {:?} is {:?} though its contact is over", leg.key(), leg.state()));
            }
        }
        Ok(())
    }

    fn audit_agents(&self) -> Result<(), String> {
        let mut held: BTreeMap<AgentId, u32> = BTreeMap::new();
        for (_, contact) in &self.contacts {
            let agent = match &contact.phase {
                Phase::Ringing(rings) => {
                    rings.iter().for_each(|ringing| *held.entry(ringing.agent).or_default() += 1);
                    None
                }
                Phase::Talking { agent, .. } => *agent,
                Phase::Dialling(dial) => match dial.to {
                    DialTo::Agent(agent) => Some(agent),
                    DialTo::Number(..) => None,
                },
                _ => None,
            };
            if let Some(agent) = agent {
                *held.entry(agent).or_default() += 1;
            }
        }
        if let Some((agent, count)) = held.iter().find(|(_, count)| **count > 1) {
            return Err(format!("agent {} is held by {count} contacts", agent.0));
        }
        for (index, desk) in self.desks.views().enumerate() {
            let state = &desk.state;
            let lasting = matches!(state, State::Offline | State::Ready | State::Break { until: None, .. });
            if !lasting && !desk.has_deadline {
                return Err(format!("agent {index} is {state:?} without a deadline"));
            }
            let legs = self.legs.iter().filter(|leg| leg.role() == Role::Agent(AgentId(index as u32))).count();
            if legs as u32 != desk.legs {
                return Err(format!("agent {index} counts {} legs and has {legs}", desk.legs));
            }
            let talks = matches!(state, State::Talking { .. });
            if talks && !held.contains_key(&AgentId(index as u32)) && !self.passing_on(AgentId(index as u32)) {
                return Err(format!("agent {index} talks to nobody"));
            }
        }
        Ok(())
    }

    fn passing_on(&self, agent: AgentId) -> bool {
        self.contacts.iter().any(|(_, contact)| contact.transfer.is_some_and(|transfer| transfer.from == agent))
    }

    fn audit_contacts(&self) -> Result<(), String> {
        for (_, contact) in &self.contacts {
            if matches!(contact.phase, Phase::Over) && contact.legs.is_empty() {
                return Err(format!("contact {} is over and has not gone", contact.id));
            }
            if let Phase::Ringing(rings) = &contact.phase
                && rings.iter().any(|ring| contact.own == Some(ring.agent))
            {
                return Err(format!("contact {} rings the agent whose call it is", contact.id));
            }
            if matches!(&contact.phase, Phase::Dialling(dial) if dial.ringing.legs().is_empty()) {
                return Err(format!("contact {} waits for somebody who is not rung", contact.id));
            }
            let rings = match &contact.phase {
                Phase::Waiting => &[][..],
                Phase::Ringing(rings) => rings,
                _ if contact.further.is_empty() => continue,
                _ => return Err(format!("contact {} is not in line, and has further rings", contact.id)),
            };
            let Some(slot) = contact.slot else { return Err(format!("contact {} is in line without a slot", contact.id)) };
            for slot in contact.further.iter().copied().chain([slot]) {
                let offered = rings.iter().find(|ringing| ringing.slot == slot);
                let known = offered.map_or(ContactView::Waiting, |ringing| ContactView::Offered(ringing.agent));
                let word = self.matcher.contact(slot);
                if word != known {
                    return Err(format!("contact {} is {:?}, and in the line it is {word:?}", contact.id, contact.phase));
                }
            }
        }
        Ok(())
    }
}
