//! A talk: its parties, what each of them hears, and what it means that one comes or leaves.
//!
//! A talk begins between the caller and one other. Guests come to it from other contacts: an agent brings a third party whom it has
//! consulted, or the one whom the caller was consulted about. A guest's leg stays at its shard, and is told what to do by messages. An agent is
//! busy by it as by a call of the agent's own, which the leg tells the desk.

use std::time::Duration;

use smallvec::SmallVec;

use super::caller;
use super::contact::{CallerHears, Contact, Party, Phase, Standing};
use super::work::{Next, Work};
use crate::base::AgentId;
use crate::base::words::{EndedBy, Segment};
use crate::call::conversation::{self, HeardBy, Hears, PARTIES_MAX, Place, hears};
use crate::call::leg::Role;
use crate::engine::between::{ContactRef, ContactTimer, Guest, Heard, LegKey, Moving, ToLeg};
use crate::engine::sabotage::Rule;
use crate::report::FactKind;

/// How often a leg of another shard is told that its contact is there. Without that it ends by itself, after three times as long.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// The caller talks to this party from now on, which is this agent.
pub(super) fn begin(contact: &mut Contact, agent: Option<AgentId>, leg: LegKey) {
    contact.phase = Phase::Talking { agent, leg };
    if let Some(party) = contact.other(leg) {
        party.standing = Standing::Talks(Place::default());
    }
}

/// The parties of a talk, the caller first.
fn parties(contact: &Contact) -> SmallVec<[(LegKey, conversation::Party); 2]> {
    let caller = conversation::Party { role: Role::Caller, holds: contact.caller.holds, place: Place::default() };
    let others = contact.others.iter().filter_map(|party| {
        let (role, holds, place) = (party.role, party.holds, party.standing.place()?);
        Some((party.leg, conversation::Party { role, holds, place }))
    });
    std::iter::once((contact.caller.leg, caller)).chain(others).collect()
}

/// Makes all parties of a talk hear what they are to hear. A caller who was not answered is answered in the codec of whom it talks to.
pub(super) fn connect(contact: &mut Contact, work: &mut Work<'_, '_>) {
    let Phase::Talking { leg: other, .. } = contact.phase else { return };
    let parties = parties(contact);
    let facing: SmallVec<[conversation::Party; 2]> = parties.iter().map(|(_, party)| *party).collect();
    contact.caller.hears = CallerHears::Agent;
    for (number, (leg, _)) in parties.iter().enumerate() {
        let what = match hears(&facing, number) {
            Hears::Parties(heard) => Heard::Legs(heard.into_iter().map(|number| parties[number].0).collect()),
            Hears::Music => {
                let rules = contact.last_queue.and_then(|queue| work.cx.settings.queue(queue));
                Heard::Music(rules.map_or_else(|| "music/default".into(), |rules| rules.music.clone()))
            }
            Hears::Nothing => Heard::Nothing,
        };
        if *leg == contact.caller.leg {
            caller::answer(contact, work, Some(other), Some(what), true);
        } else {
            work.cx.out.tell_leg(*leg, ToLeg::Hear { what: Some(what), talks: true });
        }
    }
}

/// A key that came by signalling goes on as telephone-event to those who hear who has pressed it.
pub(super) fn pass_key(contact: &Contact, work: &mut Work<'_, '_>, from: LegKey, digit: char) {
    let Phase::Talking { .. } = contact.phase else { return };
    let parties = parties(contact);
    let facing: SmallVec<[conversation::Party; 2]> = parties.iter().map(|(_, party)| *party).collect();
    for (number, (leg, _)) in parties.iter().enumerate() {
        let heard = match hears(&facing, number) {
            Hears::Parties(heard) => heard.iter().any(|number| parties[*number].0 == from),
            // One of two who holds is pressed keys for, too: it may be a menu's.
            Hears::Music | Hears::Nothing => parties.len() == 2 && *leg != from,
        };
        if heard {
            work.cx.out.tell_leg(*leg, ToLeg::SendKey(digit));
        }
    }
}

/// A party of the talk has left, and is being hung up. What becomes of the contact.
pub(super) fn left(contact: &mut Contact, work: &mut Work<'_, '_>, leg: LegKey, by: EndedBy) -> Next {
    let Phase::Talking { agent, leg: other } = contact.phase else { return Next::Rest };
    let Some(party) = contact.other(leg) else { return Next::Rest };
    let was = std::mem::replace(&mut party.standing, Standing::Apart);
    if leg == other {
        return succeed(contact, work, agent, by);
    }
    if was != Standing::Apart {
        connect(contact, work);
    }
    Next::Rest
}

/// Whom the caller has talked to is gone. Whoever else can talk to the caller goes on, else the contact ends.
fn succeed(contact: &mut Contact, work: &mut Work<'_, '_>, agent: Option<AgentId>, by: EndedBy) -> Next {
    let speaks = |party: &&Party| party.standing.place().is_some_and(|place| place.heard_by == HeardBy::All);
    let Some(next) = contact.others.iter().find(speaks).copied() else { return Next::End(by, Some(487)) };
    contact.phase = Phase::Talking { agent: None, leg: next.leg };
    let (before, began) = (contact.timeline.current().agent, contact.timeline.current().began);
    let after = if let Role::Agent(agent) = next.role { Some(agent) } else { None };
    if before != after {
        let lasted = work.cx.now.since(began);
        contact.fact(work.cx, FactKind::TalkEnded { queue: contact.last_queue, agent: before, lasted });
        contact.turn(work.cx, Segment::Talk, contact.last_queue, after);
    }
    if let Some(agent) = agent {
        contact.let_agent_go(work.cx, agent);
    }
    connect(contact, work);
    Next::Rest
}

// ---- guests ----

/// The parties of a talk that can go on in another. A caller who came over a trunk is counted there, and stays; a call of an agent's own is
/// the agent's to give.
pub(super) fn can_be_given(contact: &Contact) -> impl Iterator<Item = LegKey> {
    let talks = matches!(contact.phase, Phase::Talking { .. }) && contact.transfer.is_none();
    let own = contact.own.is_some() && contact.busies_owner && contact.caller.is_answered() && !contact.caller.given;
    let others = contact.others.iter().filter(|party| party.standing.place().is_some()).map(|party| party.leg);
    let talks = talks && !contact.caller.leg.is_text();
    own.then_some(contact.caller.leg).into_iter().chain(others).filter(move |_| talks)
}

/// A party of this talk is to go on as a guest in another contact. It is asked to; until it has gone it is this contact's.
pub(super) fn give(contact: &mut Contact, work: &mut Work<'_, '_>, leg: LegKey, to: ContactRef, place: Place) {
    if to.key == contact.key || !can_be_given(contact).any(|given| given == leg) {
        return;
    }
    let role = match (contact.own, contact.other(leg)) {
        (_, Some(party)) => {
            party.standing = Standing::Given;
            party.role
        }
        (Some(agent), None) => {
            contact.caller.given = true;
            Role::Agent(agent)
        }
        (None, None) => return,
    };
    work.cx.out.tell_leg(leg, ToLeg::Moving(Moving::GoOver { to, role, place }));
}

/// A party that was given has gone over, and is the contact's no more.
pub(super) fn gave(contact: &mut Contact, work: &mut Work<'_, '_>, leg: LegKey) -> Next {
    if leg == contact.caller.leg {
        // The agent's own call has served.
        return Next::End(EndedBy::Agent, None);
    }
    match contact.phase {
        Phase::Talking { agent, leg: other } if leg == other => succeed(contact, work, agent, EndedBy::Agent),
        _ => {
            connect(contact, work);
            Next::Rest
        }
    }
}

/// A leg that was another contact's is this one's now.
pub(super) fn join(contact: &mut Contact, work: &mut Work<'_, '_>, leg: LegKey, guest: Guest) {
    if contact.other(leg).is_some() {
        // After a fault it was found before it said so, and is ending.
        return;
    }
    let Guest { role, place, holds } = guest;
    let talks = matches!(contact.phase, Phase::Talking { .. }) && !contact.caller.leg.is_text();
    let room = talks && parties(contact).len() < PARTIES_MAX;
    let standing = if room { Standing::Talks(place) } else { Standing::Apart };
    contact.others.push(Party { leg, role, holds, standing, guest: true });
    match role {
        Role::External(trunk) => work.shared.trunks.calls_out(work.cx, trunk, 1),
        Role::Agent(_) => {}
        Role::Caller => work.cx.missing("the role of a guest"),
    }
    if room {
        work.cx.out.tell_leg(contact.caller.leg, ToLeg::Moving(Moving::Numbers(leg)));
        connect(contact, work);
        renew(contact, work);
    } else {
        work.cx.out.tell_leg(leg, ToLeg::End(480));
    }
}

/// Legs of other shards are told that their contact is there.
pub(super) fn renew(contact: &mut Contact, work: &mut Work<'_, '_>) {
    let far = contact.others.iter().map(|party| party.leg).filter(|leg| leg.shard != work.cx.shard);
    let far: SmallVec<[LegKey; 2]> = far.collect();
    if far.is_empty() || !work.cx.holds(Rule::Renews) {
        return;
    }
    far.into_iter().for_each(|leg| work.cx.out.tell_leg(leg, ToLeg::Moving(Moving::Renew)));
    contact.set_timer(work.cx, ContactTimer::Renew, work.cx.now + RENEW_EVERY);
}
