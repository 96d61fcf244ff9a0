//! Trunks: how many calls each has, and whether it answers.

use crate::base::deadline::DeadlineId;
use crate::base::words::Direction;
use crate::base::{Time, TrunkId};
use crate::call::trunk::{Refusal, TrunkLoad, TrunkRules};
use crate::engine::between::Reason;
use crate::engine::context::Context;
use crate::engine::sabotage::Rule;
use crate::engine::settings::Settings;
use crate::report::FactKind;
use crate::sip::flow::Flow;
use crate::sip::session::{LoneEvent, LoneId};

/// A trunk's state.
struct Record {
    load: TrunkLoad,
    up: bool,
    probe: Option<DeadlineId>,
}

impl Record {
    fn new(now: Time) -> Self {
        Record { load: TrunkLoad::new(now), up: true, probe: None }
    }
}

/// All trunks, by [`TrunkId`].
pub(in crate::engine) struct Trunks(Vec<Record>);

impl Trunks {
    /// All of them without calls, and believed to answer.
    pub(in crate::engine) fn new(settings: &Settings, now: Time) -> Self {
        Trunks(settings.trunks.iter().map(|_| Record::new(now)).collect())
    }

    /// Takes up a changed configuration.
    pub(in crate::engine) fn take_up(&mut self, cx: &mut Context<'_>) {
        let known = self.0.len().max(cx.settings.trunks.len());
        self.0.resize_with(known, || Record::new(cx.now));
        for record in &mut self.0 {
            if let Some(probe) = record.probe.take() {
                cx.timers.cancel(probe);
            }
        }
        self.start_probes(cx);
    }

    /// Reports every trunk, and begins to probe those that are to be probed.
    pub(in crate::engine) fn start_probes(&mut self, cx: &mut Context<'_>) {
        let settings = cx.settings;
        for (index, (record, trunk)) in self.0.iter_mut().zip(&settings.trunks).enumerate() {
            let Some(rules) = trunk else { continue };
            let trunk = TrunkId(index as u32);
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
        self.0[trunk.index()].probe = Some(cx.timers.set(cx.now + every, Reason::Probe(trunk)));
        let Some(listener) = cx.sessions.listeners().listener_for(out.transport, out.address) else { return };
        let flow = Flow { transport: out.transport, listener, remote: out.address, connection: None };
        cx.sessions.outside().probe(cx.now, &flow, &format!("sip:{}", out.host), LoneId(trunk.0));
    }

    /// What came of that. Any answer at all shows that the trunk is there.
    pub(in crate::engine) fn probed(&mut self, cx: &mut Context<'_>, trunk: TrunkId, event: LoneEvent) {
        let up = matches!(event, LoneEvent::Answered(_));
        let record = &mut self.0[trunk.index()];
        if record.up != up {
            record.up = up;
            cx.fact(None, FactKind::TrunkUp { trunk, up });
        }
    }

    /// Whether a call that comes over a trunk is taken.
    ///
    /// # Errors
    /// Which of the trunk's limits it is beyond.
    pub(in crate::engine) fn admit(
        &mut self,
        now: Time,
        (trunk, rules): (TrunkId, &TrunkRules),
        emergency: bool,
    ) -> Result<(), Refusal> {
        self.0[trunk.index()].load.admit(rules, now, emergency)
    }

    /// The trunk that takes calls to a number, and has room for one more.
    pub(in crate::engine) fn to(&self, settings: &Settings, number: &str) -> Option<TrunkId> {
        let fits = |(record, trunk): (&Record, &Option<TrunkRules>)| {
            let calls = record.load.calls_in + record.load.calls_out;
            trunk.as_ref().is_some_and(|rules| rules.takes(number) && record.up && calls < rules.calls_max)
        };
        self.0.iter().zip(&settings.trunks).position(fits).map(|index| TrunkId(index as u32))
    }

    /// A call over a trunk, into the house, began or is over.
    pub(super) fn call_in(&mut self, cx: &mut Context<'_>, trunk: TrunkId, change: i32) {
        let load = &mut self.0[trunk.index()].load;
        match load.calls_in.checked_add_signed(change) {
            Some(up) => load.calls_in = up,
            None => cx.missing("the call that is over on a trunk"),
        }
        cx.fact(None, FactKind::TrunkCalls { trunk, direction: Direction::In, up: load.calls_in });
    }

    /// Calls over a trunk, outwards, began, or one is over.
    pub(super) fn calls_out(&mut self, cx: &mut Context<'_>, trunk: TrunkId, change: i32) {
        if change < 0 && !cx.holds(Rule::CallsOut) {
            return;
        }
        let load = &mut self.0[trunk.index()].load;
        match load.calls_out.checked_add_signed(change) {
            Some(up) => load.calls_out = up,
            None => cx.missing("the call that is over on a trunk"),
        }
        cx.fact(None, FactKind::TrunkCalls { trunk, direction: Direction::Out, up: load.calls_out });
    }

    /// Calls in and out over each trunk.
    pub(in crate::engine) fn calls(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().map(|record| (record.load.calls_in, record.load.calls_out))
    }
}
