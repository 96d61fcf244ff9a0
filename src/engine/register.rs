//! Agents' phones: registration (RFC 3261 10.3), digest (RFC 8760), and whose a flow is.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use super::sabotage::Rule;
use super::settings::Challenges;
use super::{Engine, Reason};
use crate::base::words::Limit;
use crate::base::{AgentId, Time};
use crate::sip::digest::{Algorithm, Credentials, ha1};
use crate::sip::flow::{ConnectionId, Flow};
use crate::sip::message::Message;
use crate::sip::name::Name;
use crate::sip::name_addr::{ContactHeader, NameAddr};
use crate::sip::nonce::Freshness;
use crate::sip::stack::counts::Rejected;
use crate::sip::uri::Uri;

/// A registered phone.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    /// Its Contact.
    pub(super) uri: Arc<str>,
    /// Where its REGISTER came from: where it is reached, whatever its Contact claims.
    pub(super) flow: Flow,
    /// The proxies between us and it, as a Route value (RFC 3327); they stand at the end of `flow`.
    pub(super) path: Option<Arc<str>>,
    pub(super) expires: Time,
    call_id: Arc<str>,
    cseq: u32,
}

/// The longest way through proxies that is kept for a phone.
const PATH_HOPS_MAX: usize = 4;
const PATH_BYTES_MAX: usize = 1_000;

/// Proof is missing or wrong; `true` when only the nonce was stale.
pub(super) type Unproven = bool;

impl Engine {
    /// The agent who registered on this flow.
    pub(super) fn agent_on(&self, flow: &Flow) -> Option<AgentId> {
        self.flows.get(flow).copied()
    }

    /// Checks the digest of a request against whom `login` knows: index and password by user name.
    pub(super) fn prove(
        &mut self,
        now: Time,
        message: &Message<'_>,
        header: Name,
        login: impl Fn(&str) -> Option<(u32, Arc<str>)>,
    ) -> Result<u32, Unproven> {
        let method = message.method().map_or("", |method| method.as_str());
        let realm = self.settings.realm().to_owned();
        for value in message.all(header) {
            let Ok(credentials) = Credentials::parse(value) else { continue };
            if credentials.realm != realm {
                continue;
            }
            let user = credentials.username.split('@').next().unwrap_or("");
            let Some((index, password)) = login(user) else { continue };
            if !credentials.proves(&ha1(credentials.algorithm, credentials.username, &realm, &password), method) {
                continue;
            }
            return match self.nonces.check(now, credentials.nonce, credentials.nc()) {
                Freshness::Fresh => Ok(index),
                _ => Err(true),
            };
        }
        Err(false)
    }

    pub(super) fn prove_agent(&mut self, now: Time, message: &Message<'_>, header: Name) -> Result<AgentId, Unproven> {
        let settings = self.settings.clone();
        let login = |user: &str| {
            let found = settings.accounts.iter().position(|account| {
                account.as_ref().and_then(|account| account.login.as_ref()).is_some_and(|login| &*login.user == user)
            })?;
            let login = settings.accounts[found].as_ref()?.login.as_ref()?;
            Some((found as u32, login.password.clone()))
        };
        self.prove(now, message, header, login).map(AgentId)
    }

    /// Asks for proof, without keeping anything: the same answer whether the user exists or not.
    pub(super) fn challenge(&mut self, now: Time, flow: &Flow, message: &Message<'_>, status: u16, stale: bool) {
        self.counts.reject(Rejected::Unauthorized);
        let name = if status == 407 { Name::ProxyAuthenticate } else { Name::WwwAuthenticate };
        let order: &[Algorithm] = match self.settings.registration.challenges {
            Challenges::Md5 => &[Algorithm::Md5],
            Challenges::Md5First => &[Algorithm::Md5, Algorithm::Sha256],
            Challenges::Sha256First => &[Algorithm::Sha256, Algorithm::Md5],
            Challenges::Sha256 => &[Algorithm::Sha256],
        };
        let challenges: Vec<String> = order.iter().map(|a| self.nonces.challenge(now, *a, stale)).collect();
        self.reply(flow, message, status, |writer| {
            for challenge in challenges {
                writer.field(name, challenge);
            }
        });
    }

    /// A REGISTER.
    pub(super) fn register(&mut self, now: Time, flow: &Flow, message: &Message<'_>) {
        let Some(aor) = message.to().ok().and_then(|to| to.uri().ok()) else { return };
        if !self.settings.is_ours(aor.host) {
            return self.counts.reject(Rejected::Stranger);
        }
        let agent = match self.prove_agent(now, message, Name::Authorization) {
            Ok(agent) => agent,
            Err(stale) => return self.challenge(now, flow, message, 401, stale),
        };
        let Some(tx) = self.sessions.outside().begin(now, flow, message) else { return };
        let tag = format!("{:016x}", self.seed.next_u64());
        let named = self.settings.directory.agents[agent.index()].as_ref().is_some_and(|a| *a.name == *aor.user_unescaped());
        if !named {
            return self.sessions.outside().respond(now, tx, 403, &tag, |_| {});
        }
        if let Err(status) = self.bind(now, agent, flow, message) {
            let min = self.settings.registration.expires_min.as_secs();
            return self.sessions.outside().respond(now, tx, status, &tag, |writer| {
                if status == 423 {
                    writer.fmt(Name::MinExpires, format_args!("{min}"));
                }
            });
        }
        let bindings = self.agents[agent.index()].bindings.clone();
        self.sessions.outside().respond(now, tx, 200, &tag, |writer| {
            for binding in &bindings {
                let left = binding.expires.since(now).as_secs();
                writer.fmt(Name::Contact, format_args!("<{}>;expires={left}", binding.uri));
            }
            // RFC 3327 5.3: what was kept is shown to whoever registered.
            for path in message.all(Name::Path) {
                writer.field(Name::Path, path);
            }
        });
        self.registered(now, agent);
    }

    /// Applies the Contacts of a REGISTER: all of them or, with an error status, none.
    fn bind(&mut self, now: Time, agent: AgentId, flow: &Flow, message: &Message<'_>) -> Result<(), u16> {
        let rules = self.settings.registration;
        let max = usize::from(self.settings.limits.bindings_per_agent);
        let call_id: Arc<str> = String::from_utf8_lossy(message.call_id().map_err(|_| 400u16)?).into();
        let cseq = message.cseq().map_err(|_| 400u16)?.number;
        let path = path_of(message)?;
        let mut bindings = self.agents[agent.index()].bindings.clone();
        let in_order = |b: &Binding| b.call_id != call_id || cseq > b.cseq;
        for contact in message.contacts() {
            let address = match contact.map_err(|_| 400u16)? {
                ContactHeader::Star if message.expires() == Some(0) => {
                    if !bindings.iter().all(in_order) {
                        return Err(500);
                    }
                    bindings.clear();
                    continue;
                }
                ContactHeader::Star => return Err(400),
                ContactHeader::Addr(address) => address,
            };
            let uri = address.uri().map_err(|_| 400u16)?;
            let asked = address.param("expires").flatten().and_then(|text| text.parse().ok()).or_else(|| message.expires());
            let expires = asked.map_or(rules.expires_max, |secs| Duration::from_secs(u64::from(secs)));
            let known = bindings.iter().position(|b| Uri::parse(&b.uri).is_ok_and(|old| old.same_as(&uri)));
            if let Some(known) = known {
                if !in_order(&bindings[known]) {
                    return Err(500);
                }
                bindings.remove(known);
            }
            if expires.is_zero() {
                continue;
            }
            if expires < rules.expires_min {
                return Err(423);
            }
            let expires = now + expires.min(rules.expires_max);
            let (uri, call_id) = (uri.raw().into(), call_id.clone());
            bindings.push(Binding { uri, flow: *flow, path: path.clone(), expires, call_id, cseq });
        }
        if bindings.len() > max {
            // The oldest makes room: a phone that changed its address without saying so must not be locked out.
            bindings.drain(..bindings.len() - max);
            self.limit_hit(now, None, Limit::Bindings);
        }
        self.agents[agent.index()].bindings = bindings;
        Ok(())
    }

    /// What a change of an agent's bindings means for the agent.
    fn registered(&mut self, now: Time, agent: AgentId) {
        self.note_flows(agent);
        let ready = self.settings.account(agent).is_some_and(|account| account.ready_on_register);
        let record = &mut self.agents[agent.index()];
        if let Some(id) = record.registration_deadline.take() {
            self.deadlines.cancel(id);
        }
        let record = &mut self.agents[agent.index()];
        let offline = *record.agent.state() == crate::acd::agent::State::Offline;
        match record.bindings.iter().map(|b| b.expires).min() {
            Some(next) => {
                let next = if self.holds(Rule::Lapse) { next } else { next + Duration::from_secs(5) };
                let record = &mut self.agents[agent.index()];
                record.registration_deadline = Some(self.deadlines.set(next, Reason::Registration(agent)));
                let record = &mut self.agents[agent.index()];
                if offline && ready {
                    record.agent.ask_ready(now);
                } else {
                    record.agent.sign_in(now);
                }
            }
            None => record.agent.sign_out(now),
        }
        self.agent_changed(now, agent);
    }

    /// Keeps the table of flows true to the agent's bindings. A flow that two agents registered on is the later one's; one that a proxy
    /// shares among all who register through it is nobody's, so that their requests are proven one by one.
    pub(super) fn note_flows(&mut self, agent: AgentId) {
        let record = &mut self.agents[agent.index()];
        let direct = record.bindings.iter().filter(|binding| binding.path.is_none());
        let now: Vec<Flow> = direct.map(|binding| binding.flow).collect();
        let before = std::mem::replace(&mut record.bindings_noted, record.bindings.len());
        self.bindings_up = self.bindings_up + record.bindings.len() - before;
        for gone in std::mem::replace(&mut record.flows, now.clone()) {
            if self.flows.get(&gone) == Some(&agent) {
                self.flows.remove(&gone);
            }
        }
        for flow in now {
            self.flows.insert(flow, agent);
        }
    }

    pub(super) fn registration_due(&mut self, now: Time, agent: AgentId) {
        self.agents[agent.index()].registration_deadline = None;
        self.agents[agent.index()].bindings.retain(|binding| binding.expires > now);
        self.registered(now, agent);
    }

    /// A connection broke: phones that registered over it cannot be reached until they register again.
    pub(super) fn flow_broken(&mut self, now: Time, connection: ConnectionId) {
        if !self.holds(Rule::BrokenConnections) {
            return;
        }
        for index in 0..self.agents.len() {
            let bindings = &mut self.agents[index].bindings;
            let before = bindings.len();
            bindings.retain(|binding| binding.flow.connection != Some(connection));
            if bindings.len() != before {
                self.registered(now, AgentId(index as u32));
            }
        }
    }
}

/// The Path of a REGISTER as a Route value; 400 where there is too much of it to keep, or a strict router in it.
fn path_of(message: &Message<'_>) -> Result<Option<Arc<str>>, u16> {
    let mut route = String::new();
    for (index, value) in message.list(Name::Path).enumerate() {
        let address = NameAddr::parse(value).ok_or(400u16)?;
        let loose = address.uri().is_ok_and(|uri| uri.params.get("lr").is_some());
        if !loose || index >= PATH_HOPS_MAX {
            return Err(400);
        }
        let separator = if index == 0 { "" } else { ", " };
        let _ = write!(route, "{separator}<{}>", address.raw_uri());
        if route.len() > PATH_BYTES_MAX {
            return Err(400);
        }
    }
    Ok((!route.is_empty()).then(|| route.into()))
}
