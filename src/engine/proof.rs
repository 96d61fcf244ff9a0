//! Proof by digest (RFC 3261 22, RFC 8760): who a request is from, if it says so; and the question for those who have not.

use std::sync::Arc;

use super::Settings;
use super::settings::Challenges;
use crate::base::hash::{Keyed, KeyedMap};
use crate::base::seed::Seed;
use crate::base::{AgentId, Time, TrunkId};
use crate::sip::digest::{Algorithm, Credentials, ha1};
use crate::sip::message::Message;
use crate::sip::name::Name;
use crate::sip::nonce::{Freshness, Nonces};

/// Why a request proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unproven {
    /// Nothing in it is right for anybody whom we know.
    Wrong,
    /// The password was right, and the nonce too old.
    Stale,
}

/// Checks proofs and asks for them. It keeps nonces, and nothing of those who are asked.
pub(super) struct Proof {
    nonces: Nonces,
    /// Agents by the user of their phones' credentials: whoever guesses passwords must not cost a look at every account.
    agents: KeyedMap<Arc<str>, AgentId>,
}

impl Proof {
    /// For one of so many shards, which has its share of the nonces.
    pub(super) fn new(seed: &mut Seed, keyed: Keyed, settings: &Settings, shards: u16) -> Self {
        let share = (settings.limits.nonces as usize).div_ceil(usize::from(shards));
        let nonces = Nonces::new(seed, settings.realm(), settings.registration.nonce_life, share);
        let mut proof = Proof { nonces, agents: keyed.map() };
        proof.take_up(settings);
        proof
    }

    /// Takes up a changed configuration.
    pub(super) fn take_up(&mut self, settings: &Settings) {
        let logins = settings.accounts.iter().map(|account| account.as_ref().and_then(|account| account.login.as_ref()));
        let agents = logins.enumerate().filter_map(|(index, login)| Some((login?.user.clone(), AgentId(index as u32))));
        self.agents.clear();
        self.agents.extend(agents);
    }

    /// How many nonces are remembered against being used twice.
    pub(super) fn remembered(&self) -> usize {
        self.nonces.remembered()
    }

    /// The agent whose phone the request proves to come from.
    pub(super) fn of_agent(
        &mut self,
        now: Time,
        settings: &Settings,
        message: &Message<'_>,
        header: Name,
    ) -> Result<AgentId, Unproven> {
        let agents = &self.agents;
        let login = |user: &str| {
            let agent = *agents.get(user)?;
            Some((agent, settings.account(agent)?.login.as_ref()?.password.clone()))
        };
        check(&mut self.nonces, now, settings.realm(), message, header, login)
    }

    /// The trunk that the request proves to come from.
    pub(super) fn of_trunk(&mut self, now: Time, settings: &Settings, message: &Message<'_>) -> Result<TrunkId, Unproven> {
        let login = |user: &str| {
            let found = settings.trunks.iter().position(|trunk| {
                trunk.as_ref().and_then(|trunk| trunk.login.as_ref()).is_some_and(|login| &*login.user == user)
            })?;
            let login = settings.trunks[found].as_ref()?.login.as_ref()?;
            Some((TrunkId(found as u32), login.password.clone()))
        };
        check(&mut self.nonces, now, settings.realm(), message, Name::ProxyAuthorization, login)
    }

    /// The values of the header that asks for proof, the preferred first.
    pub(super) fn challenges(&mut self, now: Time, settings: &Settings, why: Unproven) -> Vec<String> {
        let order: &[Algorithm] = match settings.registration.challenges {
            Challenges::Md5 => &[Algorithm::Md5],
            Challenges::Md5First => &[Algorithm::Md5, Algorithm::Sha256],
            Challenges::Sha256First => &[Algorithm::Sha256, Algorithm::Md5],
            Challenges::Sha256 => &[Algorithm::Sha256],
        };
        order.iter().map(|algorithm| self.nonces.challenge(now, *algorithm, why == Unproven::Stale)).collect()
    }
}

/// Checks the digest of a request against whom `login` knows: who it is and the password, by user name.
fn check<T>(
    nonces: &mut Nonces,
    now: Time,
    realm: &str,
    message: &Message<'_>,
    header: Name,
    login: impl Fn(&str) -> Option<(T, Arc<str>)>,
) -> Result<T, Unproven> {
    let method = message.method().map_or("", |method| method.as_str());
    for value in message.all(header) {
        let Ok(credentials) = Credentials::parse(value) else { continue };
        if credentials.realm != realm {
            continue;
        }
        let user = credentials.username.split('@').next().unwrap_or("");
        let Some((whose, password)) = login(user) else { continue };
        if !credentials.proves(&ha1(credentials.algorithm, credentials.username, realm, &password), method) {
            continue;
        }
        return match nonces.check(now, credentials.nonce, credentials.nc()) {
            Freshness::Fresh => Ok(whose),
            _ => Err(Unproven::Stale),
        };
    }
    Err(Unproven::Wrong)
}
