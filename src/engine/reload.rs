//! Taking up a changed configuration: only what differs is touched, and no call ends.
//!
//! The routing table is published before this runs, with every old demand and skill group in it. Here the owner takes it up: its agents
//! take the skill groups, its contacts the demands that the new table gives them.

use std::sync::Arc;

use super::contact::{Contact, ContactKey, Phase};
use super::{Engine, Settings, TrunkRecord, lend};
use crate::base::Time;
use crate::call::trunk::TrunkLoad;

impl Engine {
    pub(super) fn take_up(&mut self, now: Time, settings: &Arc<Settings>) {
        let old = std::mem::replace(&mut self.settings, settings.clone());
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
        self.desks.take_up(&mut lend!(self, now), &old);
        self.follow_messages(now);
        let in_queue = |contact: &Contact| matches!(contact.phase, Phase::Waiting | Phase::Ringing(_));
        let waiting: Vec<ContactKey> = self.contacts.iter().filter(|(_, c)| in_queue(c)).map(|(_, c)| c.key).collect();
        for key in waiting {
            self.reenter(now, key);
        }
        self.matcher.acknowledge(self.shard.0, settings.version);
    }
}
