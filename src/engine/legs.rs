//! Legs: the owner of every party of a call. What a leg means, its session, its description and its media endpoint.
//!
//! A leg takes messages ([`ToLeg`]), and tells the contact that it reports to what its party does ([`LegEvent`]). It does SDP and commands
//! its session and its media thread; what its party's doings mean for a call is never decided here. One file a concern: `leg` is one party, `guest` how one goes from
//! contact to contact, `media` has ports and endpoints, `events` takes what sessions and media threads tell.

use std::collections::VecDeque;
use std::sync::Arc;

use slab::Slab;
use smallvec::SmallVec;

use self::leg::{Beside, NewLeg, SDP};
use self::media::Endpoints;
use super::between::{Call, ContactKey, ContactRef, Heard, LegEvent, LegKey, Moving, NotRung, Rung, ToContact, ToLeg, Whom};
use super::context::Context;
use super::devices::{Devices, Phone};
use super::io::LegName;
use super::media_port::{Feed, Peers};
use super::sabotage::Rule;
use super::settings::credentials;
use crate::base::hash::{Keyed, KeyedMap};
use crate::base::words::Limit;
use crate::base::{AgentId, EndpointId, ShardId, TrunkId};
use crate::call::leg::{LegState, Role};
use crate::report::FactKind;
use crate::sdp::Description;
use crate::sip::flow::Flow;
use crate::sip::name::Name;
use crate::sip::session::{NewInvite, SessionId};

mod events;
mod guest;
mod leg;
mod media;
#[cfg(test)]
mod tests;

pub(super) use leg::Leg;

/// A caller's leg to be.
pub(super) struct NewCaller {
    /// From [`Legs::next_key`].
    pub(super) key: LegKey,
    /// Whom it reports to.
    pub(super) contact: ContactRef,
    pub(super) session: SessionId,
    pub(super) behind_nat: bool,
    /// What the caller offers.
    pub(super) sdp_offer: Description,
}

/// A leg as others see it for the audit.
#[derive(Clone, Copy)]
pub(super) struct LegView {
    pub(super) key: LegKey,
    /// Whom it reports to.
    pub(super) contact: ContactKey,
    pub(super) role: Role,
    pub(super) ending: bool,
    /// Whether it has come to its contact from another.
    pub(super) guest: bool,
}

/// How many legs that are gone are still known by name.
const GONE_MAX: usize = 1024;

/// What legs were called that are gone, by their sessions: their last messages are told of them, too.
struct Gone {
    names: KeyedMap<SessionId, LegName>,
    /// The oldest first.
    order: VecDeque<SessionId>,
}

impl Gone {
    fn add(&mut self, session: SessionId, name: LegName) {
        self.names.insert(session, name);
        self.order.push_back(session);
        if self.order.len() > GONE_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.names.remove(&oldest);
        }
    }
}

/// All legs of one shard.
pub(super) struct Legs {
    legs: Slab<Leg>,
    /// By the index of the session. While what was told of a session is still to be heard, another may have its index.
    of_session: Vec<SmallVec<[LegKey; 1]>>,
    gone: Gone,
    endpoints: Endpoints,
}

/// Looks up what a message to a leg says of another.
fn beside(legs: &Slab<Leg>, shard: ShardId, message: &ToLeg) -> Beside {
    let (like, heard) = match message {
        ToLeg::Hear { what, .. } => (None, what.as_ref()),
        ToLeg::Accept { like, hears, .. } => (*like, hears.as_ref()),
        ToLeg::Progress { like, hears } => (*like, Some(hears)),
        _ => return Beside::default(),
    };
    let like = like.and_then(|leg| get(legs, leg)?.codec());
    // Whoever cannot be heard is not.
    let feed = heard.and_then(|heard| match heard {
        Heard::Nothing => Some(Feed::Nothing),
        Heard::Prompts { names, token } => Some(Feed::Prompts { names: names.clone(), token: *token }),
        Heard::Music(name) => Some(Feed::Music(name.clone())),
        Heard::Legs(others) => {
            let heard = others.iter().filter(|other| can_be_heard(legs, shard, **other)).map(|other| other.endpoint());
            Some(Feed::Peers(heard.collect())).filter(|feed| *feed != Feed::Peers(Peers::new()))
        }
    });
    Beside { like, feed }
}

/// Whether a leg has an endpoint, as far as is known here: of another shard's that is not known.
fn can_be_heard(legs: &Slab<Leg>, shard: ShardId, leg: LegKey) -> bool {
    leg.shard != shard || get(legs, leg).is_some_and(|leg| leg.media.is_some())
}

/// A leg, if it is there.
fn get(legs: &Slab<Leg>, key: LegKey) -> Option<&Leg> {
    legs.get(key.slot as usize).filter(|leg| leg.key == key)
}

/// A leg to be changed, if it is there.
fn find(legs: &mut Slab<Leg>, key: LegKey) -> Option<&mut Leg> {
    legs.get_mut(key.slot as usize).filter(|leg| leg.key == key)
}

impl Legs {
    /// No leg, and no port to make one with.
    pub(super) fn new(keyed: Keyed) -> Self {
        let gone = Gone { names: keyed.map(), order: VecDeque::new() };
        Legs { legs: Slab::new(), of_session: Vec::new(), gone, endpoints: Endpoints::new(keyed) }
    }

    /// Whether there is no leg.
    pub(super) fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }

    /// Whether there is no leg, and no endpoint is open or has its packets still to be counted.
    pub(super) fn is_idle(&self) -> bool {
        self.legs.is_empty() && self.endpoints.is_empty()
    }

    /// Whether one more call of this address family will find the two pairs of ports that it needs, beside those that callers without any
    /// will need: `callers` are up.
    pub(super) fn bear(&self, ipv6: bool, callers: u32) -> bool {
        self.endpoints.bear(ipv6, callers)
    }

    /// The contact that a leg reports to.
    pub(super) fn reports_to(&self, key: LegKey) -> Option<ContactKey> {
        get(&self.legs, key).map(|leg| leg.contact.key)
    }

    /// The leg whose session it is.
    pub(super) fn with_session(&self, session: SessionId) -> Option<LegKey> {
        let mut keys = self.of_session.get(session.index())?.iter();
        keys.find_map(|key| get(&self.legs, *key).filter(|leg| leg.session == session)).map(|leg| leg.key)
    }

    /// What the leg is called whose session it is, or was not long ago.
    pub(super) fn name(&self, session: SessionId) -> Option<LegName> {
        let there = self.with_session(session).and_then(|key| get(&self.legs, key)).map(Leg::name);
        there.or_else(|| self.gone.names.get(&session).copied())
    }

    /// The leg whose endpoint it is.
    pub(super) fn with_endpoint(&self, endpoint: EndpointId) -> Option<LegKey> {
        self.endpoints.owner(endpoint)
    }

    /// Every leg, for the audit and after a fault.
    pub(super) fn views(&self) -> impl Iterator<Item = LegView> {
        self.legs.iter().map(|(_, leg)| LegView {
            key: leg.key,
            contact: leg.contact.key,
            role: leg.role,
            ending: leg.state == LegState::Ending,
            guest: leg.guest,
        })
    }

    /// What the next leg will be called.
    pub(super) fn next_key(&self, cx: &mut Context<'_>) -> LegKey {
        LegKey { shard: cx.shard, slot: self.legs.vacant_key() as u32, token: cx.seed.next_u32() }
    }

    /// A caller has arrived.
    pub(super) fn arrive(&mut self, cx: &mut Context<'_>, new: NewCaller) {
        let NewCaller { key, contact, session, behind_nat, sdp_offer } = new;
        let (number, role, sdp_offer, media) = (1, Role::Caller, Some(Box::new(sdp_offer)), None);
        self.add(cx, NewLeg { key, contact, number, role, session, behind_nat, heard_early: false, sdp_offer, media });
    }

    /// Calls somebody for a contact: each phone of an agent, or a number.
    pub(super) fn call(&mut self, cx: &mut Context<'_>, devices: &Devices, call: &Call) {
        let (role, rung) = match &call.whom {
            Whom::Agent { agent, from } => (Role::Agent(*agent), call_agent(self, cx, devices, call, (*agent, from))),
            Whom::Number { trunk, number, shown, heard_early } => {
                (Role::External(*trunk), call_number(self, cx, call, (*trunk, *heard_early), (number, shown.as_deref())))
            }
        };
        cx.out.tell_contact(call.contact.key, ToContact::Rung(role, rung));
    }

    /// Takes a message. One to a leg that is gone is quiet: the two may cross.
    pub(super) fn handle(&mut self, cx: &mut Context<'_>, key: LegKey, message: &ToLeg) {
        let beside = beside(&self.legs, cx.shard, message);
        match (find(&mut self.legs, key), message) {
            (Some(leg), _) => leg.handle(cx, &mut self.endpoints, message, beside),
            (None, ToLeg::Moving(Moving::EndIfYours(of, _))) => cx.out.tell_contact(*of, ToContact::Guest(key, LegEvent::Over)),
            (None, _) => {}
        }
    }

    /// Ends every leg whose session is over: after a fault, that may not have been heard.
    pub(super) fn end_without_session(&mut self, cx: &mut Context<'_>) {
        let lost = self.legs.iter().filter(|(_, leg)| cx.sessions.flow(leg.session).is_none());
        let lost: Vec<LegKey> = lost.map(|(_, leg)| leg.key).collect();
        lost.into_iter().for_each(|leg| self.gone(cx, leg, LegEvent::Over));
    }

    /// Calls one phone or number; `invite` lacks its description.
    fn invite(
        &mut self,
        cx: &mut Context<'_>,
        call: &Call,
        (role, heard_early): (Role, bool),
        invite: &NewInvite<'_>,
    ) -> Option<LegKey> {
        let ipv6 = invite.flow.remote.is_ipv6();
        let key = self.next_key(cx);
        // Whoever has left is called nobody for.
        let caller = find(&mut self.legs, call.caller).filter(|caller| caller.state != LegState::Ending)?;
        if !self.endpoints.has_ports(caller.thread, ipv6) {
            cx.limit_hit(Some(call.contact.id), Limit::MediaPorts);
            return None;
        }
        let thread = caller.thread.filter(|_| cx.holds(Rule::OneThread));
        let mut media = self.endpoints.open(cx, (key, role, call.contact.id), thread, ipv6)?;
        let body = caller.offer_beside(&mut media);
        caller.thread.get_or_insert(media.thread());
        caller.legs_ever += 1;
        let number = caller.legs_ever;
        let session = cx.sessions.invite(cx.now, &NewInvite { body: (SDP, &body), ..invite.clone() });
        let (contact, behind_nat) = (call.contact, invite.behind_nat);
        self.add(
            cx,
            NewLeg { key, contact, number, role, session, behind_nat, heard_early, sdp_offer: None, media: Some(media) },
        );
        Some(key)
    }

    fn add(&mut self, cx: &mut Context<'_>, new: NewLeg) {
        let NewLeg { key, contact, number: leg, role, session, .. } = new;
        let agent = if let Role::Agent(agent) = role { Some(agent) } else { None };
        let call_id: Arc<str> = cx.sessions.call_id(session).unwrap_or_default().into();
        cx.fact(Some(contact.id), FactKind::LegBegan { leg, role: role.word(), agent, call_id });
        let slot = self.legs.insert(Leg::new(new));
        assert!(!cfg!(test) || slot == key.slot as usize, "a leg takes the place that its name says");
        if self.of_session.len() <= session.index() {
            self.of_session.resize(session.index() + 1, SmallVec::new());
        }
        let keys = &mut self.of_session[session.index()];
        keys.retain(|key| get(&self.legs, *key).is_some());
        keys.push(key);
    }

    /// A leg is gone, which its contact is told: nothing more is sent for it.
    fn gone(&mut self, cx: &mut Context<'_>, key: LegKey, told: LegEvent) {
        let Some(leg) = find(&mut self.legs, key) else { return cx.missing("the leg that is gone") };
        leg.close_media(cx, &mut self.endpoints);
        leg.tell(cx, told);
        leg.guest_over(cx);
        self.gone.add(leg.session, leg.name());
        self.legs.remove(key.slot as usize);
    }
}

// ---- INVITEs of ours ----

/// One INVITE to each of the agent's phones. An agent counts as rung if one of them is.
fn call_agent(legs: &mut Legs, cx: &mut Context<'_>, devices: &Devices, call: &Call, (agent, from): (AgentId, &str)) -> Rung {
    let settings = cx.settings;
    let phones = phones(cx, devices, agent);
    if phones.is_empty() {
        return Err(NotRung::Phoneless);
    }
    let to = format!("<sip:{}@{}>", settings.agent_name(agent).unwrap_or_default(), settings.realm());
    let alert = settings.phone.alert_info.as_deref().map(|value| (Name::AlertInfo, value));
    let info = settings.phone.call_info.as_deref().map(|value| (Name::CallInfo, value));
    let headers: SmallVec<[(Name, &str); 2]> = alert.into_iter().chain(info).collect();
    let mut rung: SmallVec<[_; 2]> = SmallVec::new();
    for phone in phones {
        let invite = NewInvite {
            flow: phone.flow,
            behind_nat: phone.behind_nat,
            uri: &phone.uri,
            route: phone.path.as_deref(),
            from,
            to: &to,
            max_forwards: call.max_forwards,
            headers: &headers,
            body: ("", &[]),
            credentials: None,
        };
        rung.extend(legs.invite(cx, call, (Role::Agent(agent), false), &invite));
    }
    if rung.is_empty() { Err(NotRung::OutOfPorts) } else { Ok(rung) }
}

/// An INVITE to a number outside.
fn call_number(
    legs: &mut Legs,
    cx: &mut Context<'_>,
    call: &Call,
    (trunk, heard_early): (TrunkId, bool),
    (number, shown): (&str, Option<&str>),
) -> Rung {
    let settings = cx.settings;
    let rules = settings.trunk(trunk).ok_or(NotRung::Unroutable)?;
    let out = rules.outbound.as_ref().ok_or(NotRung::Unroutable)?;
    let listener = cx.sessions.listeners().listener_for(out.transport, out.address).ok_or(NotRung::Unroutable)?;
    let flow = Flow { transport: out.transport, listener, remote: out.address, connection: None };
    let shown = rules.plan.write(shown.unwrap_or(&out.caller));
    let host = cx.sessions.listeners().sent_by(listener).clone();
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
        max_forwards: call.max_forwards,
        headers: if rules.trusted { &identity } else { &[] },
        body: ("", &[]),
        credentials: credentials(rules),
    };
    let leg = legs.invite(cx, call, (Role::External(trunk), heard_early), &invite).ok_or(NotRung::OutOfPorts)?;
    Ok(SmallVec::from_iter([leg]))
}

/// An agent's phones, with the way to each: the desk phone that never registers, else those that have registered.
fn phones(cx: &Context<'_>, devices: &Devices, agent: AgentId) -> Vec<Phone> {
    let Some(fixed) = cx.settings.account(agent).and_then(|account| account.fixed.as_ref()) else {
        return devices.phones(agent);
    };
    let Some(listener) = cx.sessions.listeners().listener_for(fixed.transport, fixed.address) else { return Vec::new() };
    let flow = Flow { transport: fixed.transport, listener, remote: fixed.address, connection: None };
    vec![Phone::fixed(fixed, flow)]
}

/// How many of an agent's legs have come to their contacts from others: each is a call of the agent's own.
pub(super) fn guests_of(legs: &Legs, agent: AgentId) -> u8 {
    legs.views().filter(|leg| leg.guest && leg.role == Role::Agent(agent)).count() as u8
}

/// The session of a leg.
#[cfg(test)]
pub(super) fn session_of(legs: &Legs, key: LegKey) -> Option<SessionId> {
    get(&legs.legs, key).map(|leg| leg.session)
}
