//! Trunks: how many calls each has, and whether it answers.

use std::sync::Arc;

use crate::base::TrunkId;
use crate::base::deadline::DeadlineId;
use crate::base::words::Direction;
use crate::call::caps::Caps;
use crate::call::trunk::{Refusal, TrunkRules};
use crate::engine::between::{Between, Reason};
use crate::engine::context::Context;
use crate::engine::sabotage::Rule;
use crate::engine::settings::Settings;
use crate::report::FactKind;
use crate::sip::flow::Flow;
use crate::sip::session::{LoneEvent, LoneId};

/// A trunk's state.
struct Record {
    /// Calls from it and to it, of this shard.
    calls_in: u32,
    calls_out: u32,
    /// For how many calls this shard has taken room.
    taken: u32,
    up: bool,
    probe: Option<DeadlineId>,
}

/// All trunks, by [`TrunkId`].
pub(in crate::engine) struct Trunks {
    records: Vec<Record>,
    caps: Arc<Caps>,
    /// Those of which room was taken or given back since that was last put right.
    touched: Vec<TrunkId>,
}

impl Trunks {
    /// All of them without calls, and believed to answer.
    pub(in crate::engine) fn new(settings: &Settings, caps: Arc<Caps>) -> Self {
        let mut trunks = Trunks { records: Vec::new(), caps, touched: Vec::new() };
        trunks.begin(settings);
        trunks
    }

    /// Begins those that are not known yet.
    fn begin(&mut self, settings: &Settings) {
        for _ in self.records.len()..settings.trunks.len() {
            self.records.push(Record { calls_in: 0, calls_out: 0, taken: 0, up: true, probe: None });
        }
    }

    /// Takes up a changed configuration.
    pub(in crate::engine) fn take_up(&mut self, cx: &mut Context<'_>) {
        self.begin(cx.settings);
        for record in &mut self.records {
            if let Some(probe) = record.probe.take() {
                cx.timers.cancel(probe);
            }
        }
        self.start_probes(cx);
    }

    /// Reports every trunk that is this shard's to probe, and begins to probe those that are to be probed.
    pub(in crate::engine) fn start_probes(&mut self, cx: &mut Context<'_>) {
        let settings = cx.settings;
        for (index, (record, trunk)) in self.records.iter_mut().zip(&settings.trunks).enumerate() {
            let Some(rules) = trunk else { continue };
            let trunk = TrunkId(index as u32);
            if trunk.0 % u32::from(cx.shards) != u32::from(cx.shard.0) {
                continue;
            }
            cx.fact(None, FactKind::TrunkUp { trunk, up: record.up });
            if rules.probe_every.is_some() && rules.outbound.is_some() {
                record.probe = Some(cx.timers.set(cx.now, Reason::Probe(trunk)));
            }
        }
    }

    /// A trunk is to be asked whether it is there (OPTIONS).
    pub(in crate::engine) fn probe(&mut self, cx: &mut Context<'_>, trunk: TrunkId) {
        let settings = cx.settings;
        let Some(rules) = settings.trunk(trunk) else { return };
        let (Some(every), Some(out)) = (rules.probe_every, &rules.outbound) else { return };
        self.records[trunk.index()].probe = Some(cx.timers.set(cx.now + every, Reason::Probe(trunk)));
        let Some(listener) = cx.sessions.listeners().listener_for(out.transport, out.address) else { return };
        let flow = Flow { transport: out.transport, listener, remote: out.address, connection: None };
        cx.sessions.outside().probe(cx.now, &flow, &format!("sip:{}", out.host), LoneId(trunk.0));
    }

    /// What came of that. Any answer at all shows that the trunk is there.
    pub(in crate::engine) fn probed(&mut self, cx: &mut Context<'_>, trunk: TrunkId, event: LoneEvent) {
        let up = matches!(event, LoneEvent::Answered(_));
        let record = &mut self.records[trunk.index()];
        if record.up != up {
            record.up = up;
            cx.fact(None, FactKind::TrunkUp { trunk, up });
            if cx.holds(Rule::TrunksToldOf) {
                cx.tell_others(&Between::TrunkUp(trunk, up));
            }
        }
    }

    /// Another shard has found that a trunk is there, or is not.
    pub(in crate::engine) fn found(&mut self, trunk: TrunkId, up: bool) {
        if let Some(record) = self.records.get_mut(trunk.index()) {
            record.up = up;
        }
    }

    /// Whether this trunk is believed to answer.
    #[cfg(test)]
    pub(in crate::engine) fn is_up(&self, trunk: TrunkId) -> bool {
        self.records[trunk.index()].up
    }

    /// Takes room for a call that comes over a trunk.
    ///
    /// # Errors
    /// Which of the trunk's limits it is beyond.
    pub(in crate::engine) fn admit(
        &mut self,
        cx: &mut Context<'_>,
        (trunk, rules): (TrunkId, &TrunkRules),
        emergency: bool,
    ) -> Result<(), Refusal> {
        let max = rules.calls_max + if emergency { rules.emergency_reserve } else { 0 };
        if !self.take(cx, trunk, max) {
            return Err(Refusal::Full);
        }
        let (now, cap, rate) = (cx.now, self.caps.trunk(trunk), rules.calls_per_second_max);
        if rate > 0 && !cx.hints.kept(|| cap.take_turn(now, rate, emergency)) {
            return Err(Refusal::TooFast);
        }
        Ok(())
    }

    /// Takes room for one more call to a number, on the first trunk that takes calls to it, answers and has room.
    pub(in crate::engine) fn to(&mut self, cx: &mut Context<'_>, number: &str) -> Option<TrunkId> {
        let settings = cx.settings.clone();
        let takes = |(trunk, rules): &(TrunkId, &TrunkRules)| rules.takes(number) && self.records[trunk.index()].up;
        let all = (0..).map(TrunkId).zip(&settings.trunks).filter_map(|(trunk, rules)| Some((trunk, rules.as_ref()?)));
        let fits: Vec<(TrunkId, &TrunkRules)> = all.filter(takes).collect();
        fits.into_iter().find(|(trunk, rules)| self.take(cx, *trunk, rules.calls_max)).map(|(trunk, _)| trunk)
    }

    fn take(&mut self, cx: &mut Context<'_>, trunk: TrunkId, max: u32) -> bool {
        let taken = cx.hints.kept(|| self.caps.trunk(trunk).take_call(max));
        if taken {
            self.records[trunk.index()].taken += 1;
            self.touched.push(trunk);
        }
        taken
    }

    /// Puts right how much room was taken: for the calls that there are.
    pub(in crate::engine) fn put_right(&mut self) {
        for trunk in self.touched.drain(..) {
            let record = &mut self.records[trunk.index()];
            let calls = record.calls_in + record.calls_out;
            self.caps.trunk(trunk).put_right(record.taken, calls);
            record.taken = calls;
        }
    }

    /// A call over a trunk, into the house, began or is over.
    pub(super) fn call_in(&mut self, cx: &mut Context<'_>, trunk: TrunkId, change: i32) {
        let calls = &mut self.records[trunk.index()].calls_in;
        match calls.checked_add_signed(change) {
            Some(up) => *calls = up,
            None => cx.missing("the call that is over on a trunk"),
        }
        cx.fact(None, FactKind::TrunkCalls { trunk, direction: Direction::In, up: *calls });
        self.touched.push(trunk);
    }

    /// Calls over a trunk, outwards, began, or one is over.
    pub(super) fn calls_out(&mut self, cx: &mut Context<'_>, trunk: TrunkId, change: i32) {
        if change < 0 && !cx.holds(Rule::CallsOut) {
            return;
        }
        let calls = &mut self.records[trunk.index()].calls_out;
        match calls.checked_add_signed(change) {
            Some(up) => *calls = up,
            None => cx.missing("the call that is over on a trunk"),
        }
        cx.fact(None, FactKind::TrunkCalls { trunk, direction: Direction::Out, up: *calls });
        self.touched.push(trunk);
    }

    /// Whether all shards agree on each trunk, and have together taken room for the calls that there are, and for the contacts.
    ///
    /// # Errors
    /// The first that is not so.
    pub(super) fn audit(shards: &[&Trunks], contacts: u32) -> Result<(), String> {
        if let Some(taken) = shards.first().map(|first| first.caps.contacts()).filter(|taken| taken.all != contacts) {
            return Err(format!("room is taken for {taken:?}, and {contacts} contacts are up"));
        }
        for (index, first) in shards.first().into_iter().flat_map(|trunks| trunks.records.iter().enumerate()) {
            let all = || shards.iter().filter_map(|trunks| trunks.records.get(index));
            if all().any(|record| record.up != first.up) {
                return Err(format!("a shard does not know whether trunk {index} answers"));
            }
            let calls: u32 = all().map(|record| record.calls_in + record.calls_out).sum();
            let taken = shards[0].caps.trunk(TrunkId(index as u32)).calls();
            if taken != calls {
                return Err(format!("room is taken for {taken} calls of trunk {index}, and there are {calls}"));
            }
        }
        Ok(())
    }

    /// Calls in and out over each trunk.
    pub(in crate::engine) fn calls(&self) -> impl Iterator<Item = (u32, u32)> {
        self.records.iter().map(|record| (record.calls_in, record.calls_out))
    }
}
