//! Devices: where agents can be rung. A phone that registered, by its contact address; a desk phone that never does, by its configuration.
//!
//! A table that desks write and everybody else reads. It knows no agent's state, sends nothing, and lets nothing lapse by itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::settings::FixedContact;
use crate::base::hash::{Keyed, KeyedMap};
use crate::base::{AgentId, Time};
use crate::sip::flow::{ConnectionId, Flow};

/// A registered phone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Binding {
    /// Its Contact.
    pub(super) uri: Arc<str>,
    /// Where its REGISTER came from: where it is reached, whatever its Contact claims.
    pub(super) flow: Flow,
    /// The proxies between us and it, as a Route value (RFC 3327); they stand at the end of `flow`.
    pub(super) path: Option<Arc<str>>,
    /// When it lapses.
    pub(super) expires: Time,
    /// The Call-ID and the number of the REGISTER that it came by (RFC 3261 10.3).
    pub(super) call_id: Arc<str>,
    pub(super) cseq: u32,
}

/// A device, and the way to it.
pub(super) struct Phone {
    pub(super) uri: Arc<str>,
    pub(super) flow: Flow,
    /// The proxies on the way, as a Route value.
    pub(super) path: Option<Arc<str>>,
    pub(super) behind_nat: bool,
}

impl Phone {
    /// The phone that never registers, on a flow to it.
    pub(super) fn fixed(contact: &FixedContact, flow: Flow) -> Self {
        Phone { uri: contact.uri.clone(), flow, path: None, behind_nat: false }
    }
}

/// What is registered for one agent.
#[derive(Default)]
struct Entry {
    bindings: Vec<Binding>,
    /// The flows of the bindings, as they stand in the table of flows.
    flows: Vec<Flow>,
}

/// All registered devices. Of an agent of another shard they are a copy, which the agent's desk keeps up to date.
pub(super) struct Devices {
    entries: Vec<Entry>,
    /// Whose phone registered on a flow.
    by_flow: KeyedMap<Flow, AgentId>,
    /// Whose phones registered over a connection.
    by_connection: KeyedMap<ConnectionId, SmallVec<[AgentId; 1]>>,
    /// How many bindings there are in all.
    count: usize,
}

impl Devices {
    pub(super) fn new(keyed: Keyed) -> Self {
        Devices { entries: Vec::new(), by_flow: keyed.map(), by_connection: keyed.map(), count: 0 }
    }

    /// The agent who registered on this flow.
    pub(super) fn agent_on(&self, flow: &Flow) -> Option<AgentId> {
        self.by_flow.get(flow).copied()
    }

    /// An agent's registered phones.
    pub(super) fn of(&self, agent: AgentId) -> &[Binding] {
        self.entries.get(agent.index()).map_or(&[], |entry| &entry.bindings)
    }

    /// An agent's registered phones, as they are rung.
    pub(super) fn phones(&self, agent: AgentId) -> Vec<Phone> {
        let phone = |b: &Binding| Phone { uri: b.uri.clone(), flow: b.flow, path: b.path.clone(), behind_nat: true };
        self.of(agent).iter().map(phone).collect()
    }

    /// When the first of an agent's phones lapses.
    pub(super) fn next_lapse(&self, agent: AgentId) -> Option<Time> {
        self.of(agent).iter().map(|binding| binding.expires).min()
    }

    /// How many phones are registered in all.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Agents with a phone that registered over this connection.
    pub(super) fn over(&self, connection: ConnectionId) -> Vec<AgentId> {
        self.by_connection.get(&connection).map_or_else(Vec::new, |agents| agents.to_vec())
    }

    /// Forgets the registrations of an agent's that came over this connection.
    pub(super) fn forget(&mut self, agent: AgentId, connection: ConnectionId) {
        self.retain(agent, |binding| binding.flow.connection != Some(connection));
    }

    /// Forgets the registrations of an agent's that have lapsed.
    pub(super) fn lapse(&mut self, now: Time, agent: AgentId) {
        self.retain(agent, |binding| binding.expires > now);
    }

    fn retain(&mut self, agent: AgentId, stays: impl Fn(&Binding) -> bool) {
        let mut bindings = self.of(agent).to_vec();
        bindings.retain(stays);
        self.set(agent, bindings);
    }

    /// An agent's phones are these from now on. A flow that two agents registered on is the later one's; one that a proxy shares among all
    /// who register through it is nobody's, so that their requests are proven one by one.
    pub(super) fn set(&mut self, agent: AgentId, bindings: Vec<Binding>) {
        if self.entries.len() <= agent.index() {
            self.entries.resize_with(agent.index() + 1, Entry::default);
        }
        let entry = &mut self.entries[agent.index()];
        self.count = self.count + bindings.len() - entry.bindings.len();
        let direct = bindings.iter().filter(|binding| binding.path.is_none());
        let flows: Vec<Flow> = direct.map(|binding| binding.flow).collect();
        for gone in std::mem::replace(&mut entry.flows, flows.clone()) {
            if self.by_flow.get(&gone) == Some(&agent) {
                self.by_flow.remove(&gone);
            }
        }
        for flow in flows {
            self.by_flow.insert(flow, agent);
        }
        let before = std::mem::replace(&mut entry.bindings, bindings);
        for gone in before.iter().filter_map(|binding| binding.flow.connection) {
            if let Some(agents) = self.by_connection.get_mut(&gone) {
                agents.retain(|other| *other != agent);
                if agents.is_empty() {
                    self.by_connection.remove(&gone);
                }
            }
        }
        for connection in entry.bindings.iter().filter_map(|binding| binding.flow.connection) {
            let agents = self.by_connection.entry(connection).or_default();
            if !agents.contains(&agent) {
                agents.push(agent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seed::Seed;
    use crate::base::words::Transport;
    use crate::sip::flow::ListenerId;

    fn binding(host: u8, connection: Option<u64>, path: Option<&str>) -> Binding {
        let flow = Flow {
            transport: Transport::Tcp,
            listener: ListenerId(0),
            remote: ([192, 0, 2, host], 5060).into(),
            connection: connection.map(ConnectionId),
        };
        let (uri, path, expires) =
            (format!("sip:phone@192.0.2.{host}").into(), path.map(Arc::from), Time::from_secs(u64::from(host)));
        Binding { uri, flow, path, expires, call_id: "r".into(), cseq: 1 }
    }

    #[test]
    fn a_flow_is_the_later_ones_and_behind_a_proxy_nobodys() {
        let mut devices = Devices::new(Keyed::from_seed(&mut Seed::from_number(1)));
        let (shared, proxied) = (binding(1, None, None), binding(2, None, Some("<sip:edge;lr>")));
        devices.set(AgentId(0), vec![shared.clone()]);
        devices.set(AgentId(1), vec![shared.clone(), proxied.clone()]);
        assert_eq!((devices.agent_on(&shared.flow), devices.agent_on(&proxied.flow)), (Some(AgentId(1)), None));
        assert_eq!((devices.count(), devices.next_lapse(AgentId(1))), (3, Some(Time::from_secs(1))));
        devices.set(AgentId(0), Vec::new());
        assert_eq!(devices.agent_on(&shared.flow), Some(AgentId(1)), "what is another's by now stays");
        devices.set(AgentId(1), Vec::new());
        assert_eq!((devices.agent_on(&shared.flow), devices.count()), (None, 0));
    }

    #[test]
    fn who_registered_over_a_connection_is_found() {
        let mut devices = Devices::new(Keyed::from_seed(&mut Seed::from_number(1)));
        devices.set(AgentId(2), vec![binding(1, Some(7), None), binding(2, Some(8), None)]);
        assert_eq!((devices.over(ConnectionId(8)), devices.over(ConnectionId(9))), (vec![AgentId(2)], vec![]));
        devices.set(AgentId(1), vec![binding(3, Some(8), None)]);
        assert_eq!(devices.over(ConnectionId(8)), [AgentId(2), AgentId(1)], "a proxy's");
        devices.set(AgentId(2), vec![binding(1, Some(7), None)]);
        devices.set(AgentId(1), Vec::new());
        assert_eq!((devices.over(ConnectionId(7)), devices.over(ConnectionId(8))), (vec![AgentId(2)], vec![]));
        assert!(devices.of(AgentId(5)).is_empty() && devices.phones(AgentId(2)).len() == 1);
    }
}
