//! The rules of the house, checked on a standing engine: by the simulation after every step.

use std::collections::BTreeMap;

use super::Engine;
use super::contact::Phase;
use super::dial::DialTo;
use crate::acd::agent::State;
use crate::acd::claim::ContactView;
use crate::base::AgentId;
use crate::call::leg::{LegState, Role};

impl Engine {
    /// Whether everything is as it must be between inputs.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn audit(&self) -> Result<(), String> {
        self.audit_legs()?;
        self.audit_agents()?;
        self.audit_contacts()
    }

    fn audit_legs(&self) -> Result<(), String> {
        for (_, leg) in &self.legs {
            let Some(contact) = self.contact(leg.contact) else {
                return Err(format!("leg {:?} has outlived its contact", leg.key));
            };
            if !contact.legs.contains(&leg.key) {
                return Err(format!("leg {:?} is unknown to its contact", leg.key));
            }
            let over = matches!(contact.phase, Phase::Over);
            if over && !matches!(leg.state, LegState::Ending) {
                return Err(format!("leg {:?} is {:?} though its contact is over", leg.key, leg.state));
            }
        }
        Ok(())
    }

    fn audit_agents(&self) -> Result<(), String> {
        let mut held: BTreeMap<AgentId, u32> = BTreeMap::new();
        for (_, contact) in &self.contacts {
            let agent = match &contact.phase {
                Phase::Offered(offers) => {
                    offers.iter().for_each(|offer| *held.entry(offer.agent).or_default() += 1);
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
        for (index, record) in self.agents.iter().enumerate() {
            let state = record.agent.state();
            let lasting = matches!(state, State::Offline | State::Ready | State::Break { until: None, .. });
            if !lasting && record.state_deadline.is_none() {
                return Err(format!("agent {index} is {state:?} without a deadline"));
            }
            let legs = self.legs.iter().filter(|(_, leg)| leg.role == Role::Agent(AgentId(index as u32))).count();
            if legs as u32 != record.legs {
                return Err(format!("agent {index} counts {} legs and has {legs}", record.legs));
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
            let offers = match &contact.phase {
                Phase::Waiting => &[][..],
                Phase::Offered(offers) => offers,
                _ if contact.further.is_empty() => continue,
                _ => return Err(format!("contact {} is not in line, and has further rings", contact.id)),
            };
            let Some(slot) = contact.slot else { return Err(format!("contact {} is in line without a slot", contact.id)) };
            for slot in contact.further.iter().copied().chain([slot]) {
                let offered = offers.iter().find(|offer| offer.slot == slot);
                let known = offered.map_or(ContactView::Waiting, |offer| ContactView::Offered(offer.agent));
                let word = self.matcher.contact(slot);
                if word != known {
                    return Err(format!("contact {} is {:?}, and in the line it is {word:?}", contact.id, contact.phase));
                }
            }
        }
        Ok(())
    }
}
