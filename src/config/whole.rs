//! Checks that need the whole file: cycles, overlaps, queues that no agent serves.

use std::collections::{BTreeMap, BTreeSet};

use super::names::Names;
use super::problem::{Kind, Spot};
use super::{Context, Later};
use crate::acd::queue::{Overflow, QueueRules};
use crate::acd::routing_table::RoutingTable;
use crate::base::words::Channel;
use crate::base::{QueueId, SkillId};
use crate::call::trunk::Prefix;
use crate::engine::Settings;

/// Contacts that all agents together may have at once: what the matcher can number, with some left for agents to come.
const AGENT_SLOTS_MAX: usize = 1_000_000;

/// Checks `settings` as a whole.
pub(super) fn check(cx: &Context<'_>, settings: &Settings, later: &Later) {
    circles(cx, settings, later);
    numbers(cx, settings, later);
    channels(cx, settings, later);
    overlaps(cx, later);
    users(cx, later);
    // Where the file is refused anyway, doubts would only distract.
    if !cx.report.has_errors() {
        unserved(cx, settings, later);
        unused(cx, later);
    }
}

/// Overflow that cycles: callers would never come to rest.
fn circles(cx: &Context<'_>, settings: &Settings, later: &Later) {
    let next = |queue: QueueId| match settings.queue(queue)?.overflow {
        Overflow::Queue(next) => Some(next),
        _ => None,
    };
    let mut seen: BTreeSet<QueueId> = BTreeSet::new();
    let mut in_order: Vec<(QueueId, &Spot)> = later.overflows.iter().map(|(queue, spot)| (*queue, spot)).collect();
    in_order.sort_by_key(|(_, spot)| spot.span.start);
    for (start, spot) in in_order {
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(queue) = at.filter(|queue| !path.contains(queue) && !seen.contains(queue)) {
            path.push(queue);
            at = next(queue);
        }
        if at == Some(start) && path.first() == Some(&start) {
            let names: Vec<&str> = path.iter().chain([&start]).filter_map(|q| Some(&*settings.queue(*q)?.name)).collect();
            let message = format!("overflow cycles: {}", names.join(" -> "));
            cx.report.error(Kind::Conflict, spot, message, "let one of them overflow elsewhere, or say \"goodbye\"");
            seen.extend(path);
        }
    }
}

/// Numbers that overflow leads to need a trunk that takes them.
fn numbers(cx: &Context<'_>, settings: &Settings, later: &Later) {
    for (number, spot) in &later.numbers {
        if !settings.trunks.iter().flatten().any(|trunk| trunk.takes(number)) {
            let remedy = "give a trunk to = { address = \"...\", caller = \"...\" } whose prefixes begin this number";
            cx.report.error(Kind::Conflict, spot, format!("no trunk takes calls to {number}"), remedy);
        }
    }
}

/// Calls go to queues for calls, and nothing changes its channel on the way.
fn channels(cx: &Context<'_>, settings: &Settings, later: &Later) {
    let of = |queue: QueueId| settings.queue(queue).map(|rules| (rules.channel, &*rules.name));
    let to_call = later.destinations.iter().map(|(destination, spot)| (destination.queue, spot));
    for (queue, spot) in to_call.chain(later.called.iter().map(|(queue, spot)| (*queue, spot))) {
        if let Some((channel, name)) = of(queue).filter(|(channel, _)| *channel != Channel::Voice) {
            let message = format!("queue {name:?} is of channel {channel}: calls cannot come to it");
            cx.report.error(Kind::Conflict, spot, message, "lead calls to a queue of channel voice");
        }
    }
    for (from, spot) in &later.overflows {
        let Some(Overflow::Queue(to)) = settings.queue(*from).map(|rules| &rules.overflow) else { continue };
        if let (Some((channel, name)), Some((other, to))) = (of(*from), of(*to))
            && channel != other
        {
            let message = format!("queue {name:?} is of channel {channel}, and {to:?} of channel {other}");
            cx.report.error(Kind::Conflict, spot, message, "let it overflow to a queue of its own channel, or say \"goodbye\"");
        }
    }
    for (queue, spot) in &later.chat_queues {
        let message = format!("nothing brings chats to queue {:?} yet", of(*queue).map_or("", |(_, name)| name));
        cx.report.warn(Kind::Conflict, spot, message, "see with hotline simulate what it would take; serve leaves it empty");
    }
}

/// A call must come over one trunk. Sorted by address, a prefix can only overlap with one before it that has not ended.
fn overlaps(cx: &Context<'_>, later: &Later) {
    let first = |prefix: &Prefix| (prefix.address.is_ipv6(), prefix.address, prefix.bits);
    let mut sorted: Vec<&(u32, Prefix, Spot)> = later.prefixes.iter().collect();
    sorted.sort_by_key(|(_, prefix, _)| first(prefix));
    let mut around: Vec<&(u32, Prefix, Spot)> = Vec::new();
    for entry @ (trunk, prefix, spot) in sorted {
        around.retain(|(_, wide, _)| wide.contains(prefix.address));
        if let Some((other, wide, other_spot)) = around.last() {
            let line = cx.report.line(other_spot);
            let (narrow, wide) = (written(prefix), written(wide));
            if trunk == other {
                let message = format!("{narrow} lies in {wide}, at line {line}, already");
                cx.report.warn(Kind::Duplicate, spot, message, "leave it out");
            } else {
                let name = name_of(&cx.ids.trunks, *other);
                let message = format!("{narrow} overlaps with {wide} of trunk {name:?}, at line {line}");
                let remedy = "leave it out of one of the two: the source tells whose call it is";
                cx.report.error(Kind::Conflict, spot, message, remedy);
            }
        }
        around.push(entry);
    }
}

fn written(prefix: &Prefix) -> String {
    format!("{}/{}", prefix.address, prefix.bits)
}

fn name_of(names: &Names, index: u32) -> &str {
    names.iter().find(|(_, id, _)| *id == index).map_or("", |(name, _, _)| name)
}

/// A user name identifies the caller: no two trunks share one, and none is an agent's.
fn users(cx: &Context<'_>, later: &Later) {
    let mut known: BTreeMap<&str, &Spot> = BTreeMap::new();
    for (user, spot) in &later.users {
        if let Some(first) = known.insert(user, spot) {
            let message = format!("user {user:?} is another trunk's, at line {}", cx.report.line(first));
            cx.report.error(Kind::Duplicate, spot, message, "give each trunk a user of its own");
        }
        if cx.ids.agents.has(user) {
            let message = format!("user {user:?} is an agent's name");
            cx.report.error(Kind::Duplicate, spot, message, "give the trunk a user of its own");
        }
    }
}

/// Queues, and languages in queues, that no agent could serve even if all were signed in.
fn unserved(cx: &Context<'_>, settings: &Settings, later: &Later) {
    let (directory, _) = settings.directory.with_first_agent_slots();
    let table = RoutingTable::new(&directory, 0);
    let served = |queue: QueueId, language: Option<SkillId>| {
        // The last step asks least, and holds from then on.
        let demand = table.demand(queue, language, usize::MAX);
        demand.is_some_and(|demand| table.anyone_serves(demand))
    };
    let agent_slots = directory.agents.len();
    if let (true, Some((.., spot))) = (agent_slots > AGENT_SLOTS_MAX, cx.ids.agents.iter().next()) {
        let message =
            format!("all agents together may have {agent_slots} contacts at once, and there is room for {AGENT_SLOTS_MAX}");
        cx.report.error(Kind::Conflict, spot, message, "allow fewer with at_once");
    }
    if let (Err(too_many), Some((.., spot))) = (table.fits(directory.agents.len() as u32), cx.ids.queues.iter().next()) {
        let message = format!(
            "queues, their steps and languages come to {} demands of the matcher, and there is room for {}",
            too_many.wanted, too_many.max
        );
        cx.report.error(
            Kind::Conflict,
            spot,
            message,
            "use fewer steps to widen or languages, or share requirements between queues",
        );
    }
    let mut hopeless = BTreeSet::new();
    for (name, id, spot) in cx.ids.queues.iter() {
        if !served(QueueId(id), None) {
            hopeless.insert(QueueId(id));
            let remedy = match settings.queue(QueueId(id)).map(|rules| rules.channel) {
                Some(Channel::Chat) => {
                    "give an agent of its pools at_once = [{ voice = 1 }, { chat = 3 }], and the skills it asks for"
                }
                _ => "put an agent with its skills into one of its pools, or add a step to widen",
            };
            cx.report.warn(Kind::Conflict, spot, format!("no agent can ever serve queue {name:?}"), remedy);
        }
    }
    for (agent, spot) in &later.preferred {
        let serves = |(index, rules): (usize, &Option<QueueRules>)| {
            let prefers =
                rules.as_ref().is_some_and(|rules| rules.prefer_agent.is_some_and(|(preferred, _)| preferred == *agent));
            let demand = table.demand(QueueId(index as u32), None, 0).filter(|_| prefers);
            table.group(*agent).zip(demand).is_some_and(|(group, demand)| table.serves(group, demand))
        };
        if !settings.directory.queues.iter().enumerate().any(serves) {
            let name = name_of(&cx.ids.agents, agent.0);
            let remedy = "put them into one of its pools with the skills that it asks for, or name another";
            cx.report.warn(
                Kind::Conflict,
                spot,
                format!("agent {name:?} may not serve the queue: nobody ever waits for them"),
                remedy,
            );
        }
    }
    let mut told = BTreeSet::new();
    for (destination, spot) in &later.destinations {
        let (queue, Some(language)) = (destination.queue, destination.language) else { continue };
        if hopeless.contains(&queue) || served(queue, Some(language)) || !told.insert((queue, language)) {
            continue;
        }
        let rules = settings.queue(queue);
        let level = rules.map_or(1, |rules| rules.language_level);
        let (name, language) = (rules.map_or("", |rules| &*rules.name), &settings.skills[language.index()].name);
        let message = format!("no agent of queue {name:?} speaks {language} at level {level}: such callers wait for nobody");
        let remedy =
            format!("give an agent of its pools skills = {{ {language} = {level} }}, or lead {language} to another queue");
        cx.report.warn(Kind::Conflict, spot, message, remedy);
    }
}

/// Entries that no number leads to, and a configuration that nobody can call.
fn unused(cx: &Context<'_>, later: &Later) {
    for (name, id, spot) in cx.ids.entries.iter() {
        if !later.entries_used.contains(&id) {
            let remedy = format!("add a number to a trunk: numbers = {{ 120 = \"entry:{name}\" }}, or leave the entry out");
            cx.report.warn(Kind::Conflict, spot, format!("no number leads to entry {name:?}"), remedy);
        }
    }
}
