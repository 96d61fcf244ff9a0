//! What contacts must be between inputs, and what legs and desks must be for them.

use std::collections::BTreeMap;

use super::Contacts;
use super::contact::{Contact, Dial, Phase, Standing};
use super::ringing::Purpose;
use crate::acd::Matcher;
use crate::acd::agent::State;
use crate::acd::claim::ContactView;
use crate::base::{AgentId, TrunkId};
use crate::call::leg::Role;
use crate::engine::between::DialTo;
use crate::engine::contacts::trunks::Trunks;
use crate::engine::desks::DeskView;
use crate::engine::legs::LegView;

impl Contacts {
    /// Whether everything is as it must be.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub(in crate::engine) fn audit(
        shards: &[&Contacts],
        legs: &[LegView],
        desks: &[DeskView],
        matcher: &Matcher,
    ) -> Result<(), String> {
        let all = || shards.iter().flat_map(|shard| shard.contacts.iter()).map(|(_, contact)| contact);
        // A leg of another shard whose contact had a fault before it came to know it ends by itself.
        let is_known =
            |leg: &LegView| shards.iter().find_map(|shard| shard.get(leg.contact)).is_some_and(|contact| knows(contact, *leg));
        let orphaned = |leg: &LegView| leg.ending && leg.key.shard != leg.contact.shard && !is_known(leg);
        let known: &Vec<LegView> = &legs.iter().filter(|leg| !orphaned(leg)).copied().collect();
        for leg in known {
            let Some(contact) = shards.iter().find_map(|shard| shard.get(leg.contact)) else {
                return Err(format!("leg {:?} has outlived its contact", leg.key));
            };
            audit_leg(contact, *leg)?;
        }
        for contact in all() {
            audit_contact(contact, legs)?;
            audit_rings(contact, matcher)?;
        }
        for shard in shards {
            shard.audit_trunks(known)?;
        }
        let trunks: Vec<&Trunks> = shards.iter().map(|shard| &shard.shared.trunks).collect();
        Trunks::audit(&trunks, shards.iter().map(|shard| shard.up().all).sum())?;
        for (index, desk) in desks.iter().enumerate() {
            if let Some(name) = desk.named.iter().find(|name| all().all(|contact| contact.id != **name)) {
                return Err(format!("agent {index} keeps the name of contact {name}, which is gone"));
            }
        }
        audit_held(all, legs, desks)?;
        audit_own_calls(all, legs, desks)
    }

    fn audit_trunks(&self, legs: &[LegView]) -> Result<(), String> {
        let all = || self.contacts.iter().map(|(_, contact)| contact);
        for (index, counted) in self.shared.trunks.calls().enumerate() {
            let trunk = TrunkId(index as u32);
            let is_own = |leg: &&LegView| leg.role == Role::External(trunk) && self.get(leg.contact).is_some();
            let out = legs.iter().filter(is_own).count() as u32;
            let within = all().filter(|c| c.trunk == Some(trunk) && !matches!(c.phase, Phase::Over)).count() as u32;
            if counted != (within, out) {
                let (counted_in, counted_out) = counted;
                return Err(format!("trunk {index} counts {counted_in} in, {counted_out} out, and has {within} and {out}"));
            }
        }
        Ok(())
    }
}

fn knows(contact: &Contact, LegView { key, role, .. }: LegView) -> bool {
    match role {
        Role::Caller => contact.caller.up && contact.caller.leg == key,
        Role::Agent(_) | Role::External(_) => contact.others.iter().any(|party| party.leg == key && party.role == role),
    }
}

fn audit_leg(contact: &Contact, leg: LegView) -> Result<(), String> {
    let LegView { key, role, ending, .. } = leg;
    if !knows(contact, leg) {
        return Err(format!("leg {key:?} is unknown to its contact"));
    }
    let is_wanted = match &contact.phase {
        Phase::Ringing(rings) => rings.iter().any(|ring| ring.ringing.legs().contains(&key)),
        Phase::Dialling(dial) => dial.ringing.legs().contains(&key),
        Phase::Talking { leg, .. } => {
            *leg == key || contact.others.iter().any(|party| party.leg == key && party.standing != Standing::Apart)
        }
        _ => false,
    };
    let passes_on = contact.transfer.as_ref().is_some_and(|transfer| transfer.leg == Some(key));
    if role != Role::Caller && !ending && !is_wanted && !passes_on {
        return Err(format!("leg {key:?} rings or talks for nobody"));
    }
    if matches!(contact.phase, Phase::Over) && !ending {
        return Err(format!("leg {key:?} is not ending though its contact is over"));
    }
    Ok(())
}

fn audit_contact(contact: &Contact, legs: &[LegView]) -> Result<(), String> {
    let id = contact.id;
    if contact.is_gone() {
        return Err(format!("contact {id} is over and has not gone"));
    }
    if contact.calls_asked > 0 {
        return Err(format!("contact {id} has not heard what came of a call"));
    }
    let caller = contact.caller.up.then_some(contact.caller.leg);
    let mut known = contact.others.iter().map(|party| party.leg).chain(caller);
    if let Some(gone) = known.find(|known| legs.iter().all(|leg| leg.key != *known)) {
        return Err(format!("contact {id} knows leg {gone:?}, which is gone"));
    }
    if contact.rings().iter().any(|ring| contact.own == Some(ring.agent)) {
        return Err(format!("contact {id} rings the agent whose call it is"));
    }
    if matches!(&contact.phase, Phase::Dialling(dial) if dial.ringing.legs().is_empty()) {
        return Err(format!("contact {id} waits for somebody who is not rung"));
    }
    Ok(())
}

/// What a contact knows of its slots is what the matcher says.
fn audit_rings(contact: &Contact, matcher: &Matcher) -> Result<(), String> {
    let id = contact.id;
    if !contact.is_in_queue() {
        return if contact.stay.is_none() { Ok(()) } else { Err(format!("contact {id} is in no queue, and has a place in one")) };
    }
    let Some(stay) = &contact.stay else { return Err(format!("contact {id} is in a queue without a place")) };
    for slot in stay.slots() {
        let offered = contact.rings().iter().find(|ringing| ringing.slot == slot);
        let known = offered.map_or(ContactView::Waiting, |ringing| ContactView::Offered(ringing.agent_slot));
        let word = matcher.contact(slot);
        if word != known {
            return Err(format!("contact {id} is {:?}, and in the matcher it is {word:?}", contact.phase));
        }
    }
    Ok(())
}

/// Nobody is held by more contacts than an agent may have, or talks to nobody; desks count the legs that there are.
fn audit_held<'c, I: Iterator<Item = &'c Contact>>(
    contacts: impl Fn() -> I,
    legs: &[LegView],
    desks: &[DeskView],
) -> Result<(), String> {
    let mut held: BTreeMap<AgentId, usize> = BTreeMap::new();
    for contact in contacts() {
        let agent = match &contact.phase {
            Phase::Talking { agent, .. } => *agent,
            Phase::Dialling(Dial { to: DialTo::Agent(agent), .. }) => Some(*agent),
            _ => None,
        };
        for agent in contact.rings().iter().map(|ring| ring.agent).chain(agent) {
            *held.entry(agent).or_default() += 1;
        }
    }
    if let Some((agent, count)) = held.iter().find(|(agent, count)| **count > desks[agent.index()].slots.max(1)) {
        return Err(format!("agent {} is held by {count} contacts", agent.0));
    }
    for (index, desk) in desks.iter().enumerate() {
        let agent = AgentId(index as u32);
        let has = legs.iter().filter(|leg| leg.role == Role::Agent(agent) && !leg.guest && !leg.key.is_text()).count() as u32;
        if has != desk.legs {
            return Err(format!("agent {index} counts {} legs and has {has}", desk.legs));
        }
        let talks = matches!(desk.state, State::Talking { .. });
        let passes_on = || contacts().any(|contact| contact.transfer.as_ref().is_some_and(|transfer| transfer.from == agent));
        if talks && !held.contains_key(&agent) && !passes_on() {
            return Err(format!("agent {index} talks to nobody"));
        }
    }
    Ok(())
}

/// An agent is busy by as many calls of their own as there are.
fn audit_own_calls<'c, I: Iterator<Item = &'c Contact>>(
    contacts: impl Fn() -> I,
    legs: &[LegView],
    desks: &[DeskView],
) -> Result<(), String> {
    let mut calls: BTreeMap<AgentId, u8> = BTreeMap::new();
    for leg in legs.iter().filter(|leg| leg.guest) {
        if let Role::Agent(agent) = leg.role {
            *calls.entry(agent).or_default() += 1;
        }
    }
    for contact in contacts().filter(|contact| !matches!(contact.phase, Phase::Over)) {
        let owner = contact.own.filter(|_| contact.busies_owner);
        let colleague = match &contact.phase {
            Phase::Dialling(Dial { to: DialTo::Agent(agent), purpose: Purpose::Own, .. }) => Some(*agent),
            Phase::Talking { agent: Some(agent), .. } if contact.timeline.current().queue.is_none() => Some(*agent),
            _ => None,
        };
        // Who is passed on to a colleague outside of any queue is no call of the colleague's own.
        let held = |agent: &AgentId| desks[agent.index()].state.contact().is_some();
        let colleague = colleague.filter(|agent| !held(agent));
        // Nor is who passes its caller on free before it is known how that goes.
        let passing = contact.transfer.as_ref().filter(|transfer| transfer.leg.is_some()).map(|transfer| transfer.from);
        let passing = passing.filter(|agent| !held(agent));
        for agent in owner.into_iter().chain(colleague).chain(passing) {
            *calls.entry(agent).or_default() += 1;
        }
    }
    for (index, desk) in desks.iter().enumerate() {
        let (counted, is) = (desk.own_calls, calls.get(&AgentId(index as u32)).copied().unwrap_or(0));
        if counted != is {
            return Err(format!("agent {index} counts {counted} calls of their own, and has {is}"));
        }
    }
    Ok(())
}
