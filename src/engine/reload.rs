//! Taking up a changed configuration: only what differs is touched, and no call ends.
//!
//! The routing table is published before this runs, with every old demand and skill group in it. Here the owner takes it up: its agents
//! take the skill groups, its contacts the demands that the new table gives them.

use std::sync::Arc;

use super::contact::{Contact, ContactKey, Phase};
use super::{AgentRecord, Engine, Settings, TrunkRecord};
use crate::base::{AgentId, Time};
use crate::call::trunk::TrunkLoad;

impl Engine {
    pub(super) fn take_up(&mut self, now: Time, settings: &Arc<Settings>) {
        let old = std::mem::replace(&mut self.settings, settings.clone());
        while self.agents.len() < settings.directory.agents.len() {
            self.agents.push(AgentRecord::new(now));
        }
        while self.trunks.len() < settings.trunks.len() {
            self.trunks.push(TrunkRecord { load: TrunkLoad::new(now), up: true, probe: None });
        }
        for record in &mut self.trunks {
            if let Some(probe) = record.probe.take() {
                self.deadlines.cancel(probe);
            }
        }
        self.start_probes(now);
        self.note_limits();
        for index in 0..self.agents.len() {
            let agent = AgentId(index as u32);
            let known = |settings: &Settings| settings.directory.agents.get(index).is_some_and(Option::is_some);
            if !known(settings) {
                // One who is gone finishes, and goes offline.
                self.agents[index].bindings.clear();
                self.note_flows(agent);
                self.agents[index].agent.sign_out(now);
                self.agent_changed(now, agent);
            } else if !known(&old) {
                self.start_agent(now, agent);
            } else if old.directory.agents[index] != settings.directory.agents[index]
                || old.directory.lending != settings.directory.lending
            {
                self.matcher.regroup(agent);
            }
        }
        let in_queue = |contact: &Contact| matches!(contact.phase, Phase::Waiting | Phase::Ringing(_));
        let waiting: Vec<ContactKey> = self.contacts.iter().filter(|(_, c)| in_queue(c)).map(|(_, c)| c.key).collect();
        for key in waiting {
            self.reenter(now, key);
        }
        self.matcher.acknowledge(self.shard, settings.version);
    }
}
