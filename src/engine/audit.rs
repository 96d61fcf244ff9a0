//! The rules of the house, checked on a standing engine: by the simulation after every step. Nothing is changed.

use super::Engine;
use super::contacts::Contacts;
use super::delivery::Addressee;
use super::desks::{DeskView, Desks};
use super::legs::Legs;
use super::settings::Settings;
use super::texts::Texts;
use crate::acd::Matcher;
use crate::acd::agent::State;
use crate::acd::claim::AgentView;
use crate::base::{AgentId, ShardId, Time};
use crate::sip::flow::ConnectionId;

/// Whether everything is as it must be between inputs, at all shards together; while they have something to say to each other it is not.
/// `lives` says which connections are there.
///
/// # Errors
/// The first rule that is broken.
pub fn audit(shards: &[&Engine], now: Time, lives: impl Fn(ConnectionId) -> bool) -> Result<(), String> {
    let Some(Engine { settings, matcher, .. }) = shards.first() else { return Ok(()) };
    if shards.iter().any(|engine| engine.behind.is_some()) {
        // Not everybody has heard what concerns them.
        return Ok(());
    }
    if let Some(engine) = shards.iter().find(|engine| engine.at_work != Addressee::Nobody) {
        return Err(format!("a panic would cost {:?}, and nothing is handed on", engine.at_work));
    }
    let parts: Vec<_> = shards.iter().map(|engine| ((&engine.legs, &engine.texts), &engine.contacts, &engine.desks)).collect();
    check(now, settings, &parts, matcher.audited(), lives)
}

fn check(
    now: Time,
    settings: &Settings,
    shards: &[((&Legs, &Texts), &Contacts, &Desks)],
    matcher: &Matcher,
    lives: impl Fn(ConnectionId) -> bool,
) -> Result<(), String> {
    // Each agent's desk at the shard that owns the agent.
    let all: Vec<Vec<DeskView>> = shards.iter().map(|(_, _, desks)| desks.views().collect()).collect();
    let owner = |agent: usize| usize::from(ShardId::of_agent(AgentId(agent as u32), shards.len() as u16).0);
    let views: Vec<DeskView> = (0..all.first().map_or(0, Vec::len)).map(|agent| all[owner(agent)][agent].clone()).collect();
    audit_index(&views, matcher)?;
    audit_deadlines(&views)?;
    shards.iter().try_for_each(|(_, _, desks)| audit_phones(now, settings, desks, &lives))?;
    let devices = |shard: usize, agent: usize| shards[shard].2.devices().of(AgentId(agent as u32));
    let is_unlike = |agent: &usize| (0..shards.len()).any(|shard| devices(shard, *agent) != devices(owner(*agent), *agent));
    if let Some(agent) = (0..views.len()).find(is_unlike) {
        return Err(format!("a shard does not know the devices of agent {agent}"));
    }
    let legs: Vec<_> = shards.iter().flat_map(|((legs, texts), ..)| legs.views().chain(texts.views())).collect();
    let contacts: Vec<&Contacts> = shards.iter().map(|(_, contacts, _)| *contacts).collect();
    Contacts::audit(&contacts, &legs, &views, matcher)
}

/// Whoever could take a contact is in the ready index with one slot at least, and nobody is with whose phone something is still up.
fn audit_index(desks: &[DeskView], matcher: &Matcher) -> Result<(), String> {
    for (index, desk) in desks.iter().enumerate() {
        let view = |agent_slot| matcher.agent(agent_slot);
        let left_out = desk.waits_in.iter().all(|agent_slot| view(*agent_slot) == AgentView::Busy);
        if left_out && !desk.waits_in.is_empty() {
            return Err(format!("agent {index} is ready, and not in the ready index"));
        }
        if view(AgentId(index as u32)) == AgentView::Ready && desk.legs > 0 {
            return Err(format!("agent {index} is in the ready index while {} phones may ring or talk", desk.legs));
        }
    }
    Ok(())
}

/// Each state that should not last has a deadline.
fn audit_deadlines(desks: &[DeskView]) -> Result<(), String> {
    for (index, desk) in desks.iter().enumerate() {
        let state = &desk.state;
        let lasting = matches!(state, State::Offline | State::Ready | State::Break { until: None, .. });
        if !lasting && !desk.has_deadline {
            return Err(format!("agent {index} is {state:?} without a deadline"));
        }
    }
    Ok(())
}

/// What an agent's phone is reached by is there, as far as can be known.
fn audit_phones(now: Time, settings: &Settings, desks: &Desks, lives: &impl Fn(ConnectionId) -> bool) -> Result<(), String> {
    for index in 0..settings.directory.agents.len() {
        for binding in desks.devices().of(AgentId(index as u32)) {
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
