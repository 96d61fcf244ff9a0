//! Trunks: which one an address belongs to, their calls, whether they answer.

use std::net::IpAddr;

use super::sabotage::Rule;
use super::{Engine, Reason};
use crate::base::words::Direction;
use crate::base::{Time, TrunkId};
use crate::call::trunk::TrunkRules;
use crate::report::FactKind;
use crate::sip::flow::Flow;
use crate::sip::message::{Message, Start};
use crate::sip::session::LoneId;
use crate::sip::uri::Uri;

impl Engine {
    /// The trunk whose requests come from this address.
    pub(super) fn trunk_at(&self, address: IpAddr) -> Option<TrunkId> {
        let known = |trunk: &TrunkRules| trunk.from.iter().any(|prefix| prefix.contains(address));
        let found = self.settings.trunks.iter().position(|trunk| trunk.as_ref().is_some_and(known))?;
        Some(TrunkId(found as u32))
    }

    /// Whether a request from an address that we do not know may be a trunk's that proves itself by digest alone: there is one, and the
    /// request is for us. It is asked for proof then, whoever it says to be.
    pub(super) fn may_be_a_trunk(&self, message: &Message<'_>) -> bool {
        let roams = |trunk: &TrunkRules| trunk.login.is_some() && trunk.from.is_empty();
        let Start::Request { uri, .. } = message.start else { return false };
        let for_us =
            || Uri::parse(uri).is_ok_and(|uri| self.settings.is_ours(uri.host) || self.sessions.listeners().listens_at(uri.host));
        self.settings.trunks.iter().flatten().any(roams) && for_us()
    }

    pub(super) fn trunk_call_began(&mut self, now: Time, trunk: TrunkId) {
        let load = &mut self.trunks[trunk.index()].load;
        load.calls_in += 1;
        let up = load.calls_in;
        self.fact(now, None, FactKind::TrunkCalls { trunk, direction: Direction::In, up });
    }

    pub(super) fn trunk_call_over(&mut self, now: Time, trunk: TrunkId) {
        let load = &mut self.trunks[trunk.index()].load;
        load.calls_in -= 1;
        let up = load.calls_in;
        self.fact(now, None, FactKind::TrunkCalls { trunk, direction: Direction::In, up });
    }

    /// A call over the trunk, outwards, began or is over.
    pub(super) fn trunk_call_out(&mut self, now: Time, trunk: TrunkId, change: i32) {
        if change < 0 && !self.holds(Rule::CallsOut) {
            return;
        }
        let load = &mut self.trunks[trunk.index()].load;
        load.calls_out = load.calls_out.saturating_add_signed(change);
        let up = load.calls_out;
        self.fact(now, None, FactKind::TrunkCalls { trunk, direction: Direction::Out, up });
    }

    /// Begins to probe the trunks that are to be probed.
    pub(super) fn start_probes(&mut self, now: Time) {
        let settings = self.settings.clone();
        for (index, trunk) in settings.trunks.iter().enumerate() {
            let trunk_id = TrunkId(index as u32);
            let Some(trunk) = trunk else { continue };
            let up = self.trunks[index].up;
            self.fact(now, None, FactKind::TrunkUp { trunk: trunk_id, up });
            if trunk.probe_every.is_some() && trunk.outbound.is_some() {
                self.trunks[index].probe = Some(self.deadlines.set(now, Reason::Probe(trunk_id)));
            }
        }
    }

    pub(super) fn probe_trunk(&mut self, now: Time, trunk: TrunkId) {
        let settings = self.settings.clone();
        let Some(rules) = settings.trunk(trunk) else { return };
        let (Some(every), Some(out)) = (rules.probe_every, &rules.outbound) else { return };
        self.trunks[trunk.index()].probe = Some(self.deadlines.set(now + every, Reason::Probe(trunk)));
        let Some(listener) = self.sessions.listeners().listener_for(out.transport, out.address) else { return };
        let flow = Flow { transport: out.transport, listener, remote: out.address, connection: None };
        self.sessions.outside().probe(now, &flow, &format!("sip:{}", out.host), LoneId(trunk.0));
    }

    /// Any answer at all shows that the trunk is there.
    pub(super) fn probe_answered(&mut self, now: Time, trunk: TrunkId) {
        self.set_trunk_up(now, trunk, true);
    }

    pub(super) fn probe_failed(&mut self, now: Time, trunk: TrunkId) {
        self.set_trunk_up(now, trunk, false);
    }

    fn set_trunk_up(&mut self, now: Time, trunk: TrunkId, up: bool) {
        let record = &mut self.trunks[trunk.index()];
        if record.up != up {
            record.up = up;
            self.fact(now, None, FactKind::TrunkUp { trunk, up });
        }
    }
}
