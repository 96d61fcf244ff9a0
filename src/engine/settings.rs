//! What the engine is told by the configuration: checked, immutable, shared by all shards, replaced as a whole.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::acd::agent_slots::AgentSlotIds;
use crate::acd::queue::QueueRules;
use crate::acd::routing_table::Directory;
use crate::base::words::{Channel, Transport};
use crate::base::{AgencyId, AgentId, EntryId, QueueId, SkillId, TrunkId};
use crate::call::menu::EntryRules;
use crate::call::numbers::is_number;
use crate::call::trunk::{Login, NumberTarget, TrunkRules};
use crate::sip::session;
use crate::sip::uri::{Scheme, Uri, UriError};

/// A desk phone that never registers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FixedContact {
    /// Its URI, as the Request-URI of calls to it.
    pub uri: Arc<str>,
    /// Its address.
    pub address: SocketAddr,
    /// The transport to it.
    pub transport: Transport,
}

/// What is wrong with the URI of a fixed contact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ContactError {
    /// It is no URI.
    #[error("{0}")]
    Uri(#[from] UriError),
    /// It is one, and not `sip:`.
    #[error("only sip: is called")]
    Scheme,
    /// Its host is a name.
    #[error("host names are not looked up")]
    Host,
    /// Its transport is not spoken.
    #[error("transport is udp or tcp")]
    Transport,
}

impl FixedContact {
    /// The phone at this SIP URI. Port 5060 and UDP hold unless it says otherwise.
    ///
    /// # Errors
    /// See [`ContactError`]: above all, its host must be an address.
    pub fn at(text: &str) -> Result<Self, ContactError> {
        let uri = Uri::parse(text)?;
        if uri.scheme != Scheme::Sip {
            return Err(ContactError::Scheme);
        }
        let ip: IpAddr = uri.host.parse().map_err(|_| ContactError::Host)?;
        let named = uri.params.get("transport").map(|name| name.unwrap_or("").to_ascii_lowercase());
        let transport = match named.as_deref() {
            None | Some("udp") => Transport::Udp,
            Some("tcp") => Transport::Tcp,
            Some(_) => return Err(ContactError::Transport),
        };
        Ok(FixedContact { uri: text.into(), address: SocketAddr::new(ip, uri.port.unwrap_or(5060)), transport })
    }
}

/// What an agent's phone needs, beside what eligibility depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentAccount {
    /// The phone's credentials; `None` for a fixed contact that makes no calls.
    pub login: Option<Login>,
    /// The phone that never registers.
    pub fixed: Option<FixedContact>,
    /// Whether registering makes the agent ready.
    pub ready_on_register: bool,
    /// Whether an agent with a fixed contact is ready from the start.
    pub ready_at_start: bool,
    /// Wrap-up of this agent, instead of the queue's.
    pub wrap_up: Option<Duration>,
}

/// An agency.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agency {
    /// Its name.
    pub name: Arc<str>,
    /// The number that its outgoing calls show, in E.164.
    pub number: Arc<str>,
    /// Prefixes of numbers that its agents may dial outside; empty: none.
    pub dial: Vec<String>,
}

/// A named group of an agency's agents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pool {
    /// Its name.
    pub name: Arc<str>,
    /// Its agency.
    pub agency: AgencyId,
}

/// A language or another skill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skill {
    /// Its name.
    pub name: Arc<str>,
    /// For a language: the folder of its prompts, such as `ko`.
    pub prompts: Option<Arc<str>>,
}

/// Bounds on what comes from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Contacts at once, for each shard.
    pub contacts: u32,
    /// Of those, kept for emergency entries and queues.
    pub emergency_contacts: u32,
    /// Server transactions at once, for each shard.
    pub transactions: u32,
    /// Contact addresses that one agent may register.
    pub bindings_per_agent: u8,
    /// Nonces remembered for replay protection.
    pub nonces: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { contacts: 20_000, emergency_contacts: 200, transactions: 400_000, bindings_per_agent: 5, nonces: 20_000 }
    }
}

/// Which digests phones are challenged with, the preferred first (RFC 8760 2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Challenges {
    /// MD5 alone: some phones (those on libre 1.0 among them) register nowhere where they also see a challenge that they do not know.
    #[default]
    Md5,
    /// Both, MD5 first: for phones that take the first.
    Md5First,
    /// Both, SHA-256 first: where all phones know it, or go on to the second.
    Sha256First,
    /// SHA-256 alone.
    Sha256,
}

impl Challenges {
    /// The words of the configuration.
    pub const WORDS: [(&'static str, Challenges); 4] = [
        ("md5", Challenges::Md5),
        ("md5_first", Challenges::Md5First),
        ("sha256_first", Challenges::Sha256First),
        ("sha256", Challenges::Sha256),
    ];
}

/// Registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Registration {
    /// The shortest that is granted; less is answered 423.
    pub expires_min: Duration,
    /// The longest that is granted, and what is granted to one who does not ask.
    pub expires_max: Duration,
    /// How long a nonce lives.
    pub nonce_life: Duration,
    /// What phones are challenged with.
    pub challenges: Challenges,
}

impl Default for Registration {
    fn default() -> Self {
        Registration {
            expires_min: Duration::from_secs(30),
            expires_max: Duration::from_secs(3600),
            nonce_life: Duration::from_secs(300),
            challenges: Challenges::default(),
        }
    }
}

/// Headers for an agent's phone.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PhoneHeaders {
    /// `Alert-Info`, if any.
    pub alert_info: Option<Arc<str>>,
    /// `Call-Info` such as `<sip:hotline>;answer-after=0`, if any.
    pub call_info: Option<Arc<str>>,
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Grows with each reload.
    pub version: u64,
    /// The domains whose users register here; the first is the realm.
    pub domains: Vec<Arc<str>>,
    /// Queues, and what eligibility depends on.
    pub directory: Directory,
    /// The numbers that the matcher knows agents' slots by. They outlive reloads.
    pub agent_slots: AgentSlotIds,
    /// By [`AgencyId`].
    pub agencies: Vec<Agency>,
    /// By [`PoolId`](crate::base::PoolId).
    pub pools: Vec<Pool>,
    /// By [`SkillId`].
    pub skills: Vec<Skill>,
    /// By [`AgentId`], beside `directory.agents`.
    pub accounts: Vec<Option<AgentAccount>>,
    /// By [`EntryId`].
    pub entries: Vec<Option<EntryRules>>,
    /// By [`TrunkId`].
    pub trunks: Vec<Option<TrunkRules>>,
    /// Bounds.
    pub limits: Limits,
    /// Registration.
    pub registration: Registration,
    /// Headers for agents' phones.
    pub phone: PhoneHeaders,
    /// How often a waiting caller is asked by OPTIONS whether it is still there; `None`: never.
    pub probe_waiting: Option<Duration>,
    /// The prompts' folder for callers without a language.
    pub default_prompts: Arc<str>,
}

impl Settings {
    /// These settings as they follow `running` ones: a queue or entry that is gone keeps its rules for those who are in it, and takes
    /// nobody new.
    #[must_use]
    pub fn following(mut self, running: &Settings) -> Self {
        for (index, old) in running.directory.queues.iter().enumerate() {
            let Some(old) = old else { continue };
            match self.directory.queues.get_mut(index) {
                Some(slot @ None) => *slot = Some(QueueRules { retired: true, ..old.clone() }),
                Some(Some(_)) => {}
                None => self.directory.queues.push(Some(QueueRules { retired: true, ..old.clone() })),
            }
        }
        for (index, old) in running.entries.iter().enumerate() {
            match self.entries.get_mut(index) {
                Some(slot @ None) => slot.clone_from(old),
                Some(Some(_)) => {}
                None => self.entries.push(old.clone()),
            }
        }
        self
    }

    /// These settings as they [follow](Self::following) `running` ones, and the directory for the matcher: all of a reload but whether there is
    /// room for it.
    #[must_use]
    pub fn succeeding(self, running: &Settings) -> (Settings, Directory) {
        self.following(running).with_agent_slots(&running.agent_slots)
    }

    /// These settings with numbers for agents' slots that follow those `before`, and the directory with the slots, for the matcher.
    #[must_use]
    pub fn with_agent_slots(self, before: &AgentSlotIds) -> (Settings, Directory) {
        let (directory, agent_slots) = self.directory.with_agent_slots(before);
        (Settings { agent_slots, ..self }, directory)
    }

    /// The rules of a queue that exists.
    #[must_use]
    pub fn queue(&self, id: QueueId) -> Option<&QueueRules> {
        self.directory.queues.get(id.index())?.as_ref()
    }

    /// The rules of an entry that exists.
    #[must_use]
    pub fn entry(&self, id: EntryId) -> Option<&EntryRules> {
        self.entries.get(id.index())?.as_ref()
    }

    /// The rules of a trunk that exists.
    #[must_use]
    pub fn trunk(&self, id: TrunkId) -> Option<&TrunkRules> {
        self.trunks.get(id.index())?.as_ref()
    }

    /// The account of an agent who exists.
    #[must_use]
    pub fn account(&self, id: AgentId) -> Option<&AgentAccount> {
        self.accounts.get(id.index())?.as_ref()
    }

    /// An agent by name.
    #[must_use]
    pub fn agent_named(&self, name: &str) -> Option<AgentId> {
        let found = self.directory.agents.iter().position(|agent| agent.as_ref().is_some_and(|agent| &*agent.name == name))?;
        Some(AgentId(found as u32))
    }

    /// An agent's name.
    #[must_use]
    pub fn agent_name(&self, agent: AgentId) -> Option<&str> {
        self.directory.agents.get(agent.index())?.as_ref().map(|agent| &*agent.name)
    }

    /// A queue by name.
    #[must_use]
    pub fn queue_named(&self, name: &str) -> Option<QueueId> {
        let found = self.directory.queues.iter().position(|queue| queue.as_ref().is_some_and(|queue| &*queue.name == name))?;
        Some(QueueId(found as u32))
    }

    /// The queue of that name, if calls may come to it.
    #[must_use]
    pub fn queue_to_call(&self, name: &str) -> Option<QueueId> {
        self.queue_named(name).filter(|queue| self.queue(*queue).is_some_and(|rules| rules.channel == Channel::Voice))
    }

    /// The queue of that name, if one can write to it.
    #[must_use]
    pub fn queue_to_write_to(&self, name: &str) -> Option<QueueId> {
        self.queue_named(name).filter(|queue| self.queue(*queue).is_some_and(|rules| rules.channel == Channel::Chat))
    }

    /// An agent's home agency.
    #[must_use]
    pub fn agency_of(&self, agent: AgentId) -> Option<AgencyId> {
        self.directory.agents.get(agent.index())?.as_ref().map(|agent| agent.agency)
    }

    /// The folder of the prompts for a language.
    #[must_use]
    pub fn prompts_for(&self, language: Option<SkillId>) -> &str {
        language
            .and_then(|language| self.skills.get(language.index()))
            .and_then(|skill| skill.prompts.as_deref())
            .unwrap_or(&self.default_prompts)
    }

    /// Whether `host` is one of our domains.
    #[must_use]
    pub fn is_ours(&self, host: &str) -> bool {
        self.domains.iter().any(|domain| domain.eq_ignore_ascii_case(host))
    }

    /// A number as hotline keeps it, if the agency of the agent who wrote it may dial it.
    pub(super) fn dialable(&self, from: AgentId, written: &str) -> Option<Arc<str>> {
        if !is_number(written) {
            return None;
        }
        let plan = self.trunks.iter().flatten().find(|trunk| trunk.outbound.is_some()).map(|trunk| &trunk.plan)?;
        let number = plan.normalise(written);
        let agency = self.agencies.get(self.agency_of(from)?.index())?;
        agency.dial.iter().any(|prefix| number.starts_with(prefix)).then(|| number.into())
    }

    /// Where a number of our own leads: one that a trunk's callers reach us by, or a queue's name.
    pub(super) fn number_here(&self, user: &str) -> Option<NumberTarget> {
        let by_trunk = |trunk: &TrunkRules| {
            let number = trunk.plan.normalise(user);
            trunk.numbers.iter().find(|(known, _)| **known == *number).map(|(_, target)| *target)
        };
        let number = self.trunks.iter().flatten().find_map(by_trunk);
        number.or_else(|| self.queue_to_call(user).map(NumberTarget::Queue))
    }

    /// Whether a call to it is shed last.
    pub(super) fn is_emergency(&self, target: NumberTarget) -> bool {
        match target {
            NumberTarget::Entry(entry) => self.entry(entry).is_some_and(|entry| entry.emergency),
            NumberTarget::Queue(queue) => self.queue(queue).is_some_and(|queue| queue.emergency),
        }
    }

    /// The trunk whose requests come from this address.
    pub(super) fn trunk_at(&self, address: IpAddr) -> Option<TrunkId> {
        let known = |trunk: &TrunkRules| trunk.from.iter().any(|prefix| prefix.contains(address));
        let found = self.trunks.iter().position(|trunk| trunk.as_ref().is_some_and(known))?;
        Some(TrunkId(found as u32))
    }

    /// The realm of our challenges.
    #[must_use]
    pub fn realm(&self) -> &str {
        self.domains.first().map_or("hotline", |domain| domain)
    }
}

/// What answers a trunk's challenges.
pub(super) fn credentials(trunk: &TrunkRules) -> Option<Arc<session::Login>> {
    let Login { user, password } = trunk.login.as_ref()?;
    Some(Arc::new(session::Login { user: user.clone(), password: password.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_desk_phone_has_an_address() {
        let contact = FixedContact::at("sip:desk@192.0.2.7;transport=TCP").unwrap();
        assert_eq!((contact.address, contact.transport), (([192, 0, 2, 7], 5060).into(), Transport::Tcp));
        assert_eq!(FixedContact::at("sip:a@[::1]:7000").unwrap().address, "[::1]:7000".parse().unwrap());
        assert_eq!(FixedContact::at("sip:desk@phone.example"), Err(ContactError::Host));
        assert_eq!(FixedContact::at("sips:a@192.0.2.7"), Err(ContactError::Scheme));
        assert_eq!(FixedContact::at("sip:a@192.0.2.7;transport=ws"), Err(ContactError::Transport));
        for text in ["", "desk", "sip:a@192.0.2.7:0"] {
            assert!(matches!(FixedContact::at(text), Err(ContactError::Uri(_))), "{text}");
        }
    }
}
