//! A small city for the log: calls that arrive, wait, are offered, talk, are transferred and end, many at once, as the facts of the engine.

use std::sync::Arc;
use std::time::Duration;

use hotline::base::seed::Seed;
use hotline::base::words::{
    AgentState, Channel, Direction, EndedBy, LegRole, OfferOutcome, QueueOutcome, Segment, TransferKind, TransferOutcome,
};
use hotline::base::{AgencyId, AgentId, ContactId, EntryId, Estimate, QueueId, Range, SkillId, Time, TrunkId, Weighed};
use hotline::report::{Fact, FactKind, Names, Next};

/// When the first call comes.
pub(crate) const BEGAN: Time = Time::from_secs(1_800_000_000);

/// What every decision in the city weighs.
const WEIGHED: Weighed = Weighed { map_version: 1, free: 0, busy: 30, on_break: 6, offline: 4, lent: 3, kept: 2 };

/// The estimate that every contact there gets.
const ESTIMATE: Estimate =
    Estimate::Known(Range { low: Duration::from_secs(5), likely: Duration::from_secs(25), high: Duration::from_secs(80) });

/// The names of everything in the city.
pub(crate) fn names() -> Names {
    let table = |word: &str, count: u32| (0..count).map(|n| Some(Arc::from(format!("{word}-{n}")))).collect();
    Names {
        queues: table("queue", 12),
        agents: table("agent", 40),
        agencies: table("agency", 6),
        trunks: table("carrier", 2),
        entries: table("main", 1),
        skills: table("language", 3),
    }
}

/// Where a call is.
#[derive(Clone, Copy)]
enum Stage {
    Greeted,
    Waiting {
        since: Time,
    },
    Rung {
        since: Time,
        offered: Time,
        agent: AgentId,
    },
    Talking {
        since: Time,
        agent: AgentId,
    },
    /// Over; its legs have yet to end.
    Over,
}

struct Call {
    id: ContactId,
    arrived: Time,
    queue: QueueId,
    legs: u32,
    /// When the segment that it is in began.
    turned: Time,
    stage: Stage,
}

/// Calls, and what happens to them.
pub(crate) struct City {
    seed: Seed,
    now: Time,
    calls: Vec<Call>,
    up_at_once: usize,
    /// How many calls have ended.
    pub(crate) ended: u64,
}

impl City {
    pub(crate) fn new(number: u64, now: Time, up_at_once: usize) -> Self {
        City { seed: Seed::from_number(number), now, calls: Vec::new(), up_at_once, ended: 0 }
    }

    pub(crate) fn now(&self) -> Time {
        self.now
    }

    /// Time goes on.
    pub(crate) fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    /// The process has died: nobody goes on with the calls that were up.
    pub(crate) fn die(&mut self) {
        self.calls.clear();
    }

    fn draw(&mut self, below: u32) -> u32 {
        self.seed.next_u32() % below
    }

    /// The next thing that happens, as the facts that the engine tells of it at once; and whose end is among them.
    pub(crate) fn step(&mut self, facts: &mut Vec<Fact>) -> Option<ContactId> {
        let more = self.calls.len() < self.up_at_once && self.draw(3) == 0;
        if self.calls.is_empty() || more {
            self.arrive(facts);
            return None;
        }
        let place = self.draw(self.calls.len() as u32) as usize;
        self.go_on(place, facts)
    }

    /// Only arrivals that go straight into a queue and stay there.
    pub(crate) fn queue_up(&mut self, facts: &mut Vec<Fact>) {
        self.arrive(facts);
        let place = self.calls.len() - 1;
        self.join(place, facts);
    }

    /// A whole call without anything else between, as a benchmark and the test of size need it: 15 facts or some more.
    pub(crate) fn whole_call(&mut self, facts: &mut Vec<Fact>) {
        self.arrive(facts);
        let place = self.calls.len() - 1;
        self.join(place, facts);
        self.offer(place, facts);
        self.pass(Duration::from_secs(3));
        self.answer(place, facts);
        self.pass(Duration::from_secs(60));
        self.end(place, EndedBy::Caller, facts);
        self.legs_end(place, facts);
    }

    fn tell(&self, id: ContactId, kind: FactKind) -> Fact {
        Fact { at: self.now, contact: Some(id), kind }
    }

    fn other(&self, kind: FactKind) -> Fact {
        Fact { at: self.now, contact: None, kind }
    }

    fn arrive(&mut self, facts: &mut Vec<Fact>) {
        let id = ContactId::new(self.now, &mut self.seed);
        let queue = QueueId(self.draw(12));
        let (from, dialled) = (format!("02{:08}", self.draw(100_000_000)).into(), "120".into());
        let call_id: Arc<str> = format!("{:032x}@carrier.example", id.0).into();
        let (trunk, entry) = (Some(TrunkId(0)), Some(EntryId(0)));
        let kind = FactKind::Arrived { channel: Channel::Voice, trunk, entry, from, dialled, call_id: call_id.clone() };
        facts.push(self.tell(id, kind));
        facts.push(self.other(FactKind::TrunkCalls { trunk: TrunkId(0), direction: Direction::In, up: 1 }));
        facts.push(self.tell(id, FactKind::LegBegan { leg: 1, role: LegRole::Caller, agent: None, call_id }));
        self.calls.push(Call { id, arrived: self.now, queue, legs: 1, turned: self.now, stage: Stage::Greeted });
    }

    fn turn(&mut self, place: usize, (segment, agent): (Segment, Option<AgentId>), next: Option<Next>, facts: &mut Vec<Fact>) {
        let call = &self.calls[place];
        let queue = (segment != Segment::Entry).then_some(call.queue);
        facts.push(self.tell(call.id, FactKind::SegmentEnded { segment, queue, agent, began: call.turned, next }));
        self.calls[place].turned = self.now;
    }

    fn join(&mut self, place: usize, facts: &mut Vec<Fact>) {
        let (id, queue) = (self.calls[place].id, self.calls[place].queue);
        self.turn(place, (Segment::Entry, None), Some(Next { segment: Segment::Queue, queue: Some(queue), agent: None }), facts);
        facts.push(self.tell(id, self.entered(queue, Duration::ZERO)));
        self.calls[place].stage = Stage::Waiting { since: self.now };
    }

    fn offer(&mut self, place: usize, facts: &mut Vec<Fact>) {
        let Stage::Waiting { since } = self.calls[place].stage else { return };
        let agent = AgentId(self.draw(40));
        let (now, call) = (self.now, &mut self.calls[place]);
        call.stage = Stage::Rung { since, offered: now, agent };
        call.legs += 1;
        let (id, queue, leg) = (call.id, call.queue, call.legs);
        facts.push(self.agent(agent, AgentState::Ready, AgentState::Reserved));
        facts.push(self.tell(id, FactKind::Offered { queue, agent, weighed: WEIGHED }));
        let call_id = format!("00{:032x}", id.0).into();
        facts.push(self.tell(id, FactKind::LegBegan { leg, role: LegRole::Agent, agent: Some(agent), call_id }));
        facts.push(self.agent(agent, AgentState::Reserved, AgentState::Ringing));
    }

    fn entered(&self, queue: QueueId, credit: Duration) -> FactKind {
        let (language, as_of) = (Some(SkillId(1)), self.now - credit);
        FactKind::Entered {
            queue,
            language,
            waiting: 1,
            credit,
            as_of,
            emergency: false,
            weighed: WEIGHED,
            estimate: ESTIMATE,
            prefers: None,
        }
    }

    fn agent(&self, agent: AgentId, from: AgentState, to: AgentState) -> Fact {
        self.other(FactKind::Agent { agent, from: (from, None), to: (to, None), lasted: Duration::from_millis(7) })
    }

    fn offer_ended(&self, place: usize, offered: Time, agent: AgentId, outcome: OfferOutcome) -> Fact {
        let (id, queue) = (self.calls[place].id, self.calls[place].queue);
        self.tell(id, FactKind::OfferEnded { queue, agent, outcome, rang: self.now.since(offered) })
    }

    fn left(&self, place: usize, since: Time, outcome: QueueOutcome) -> Fact {
        let (id, queue) = (self.calls[place].id, self.calls[place].queue);
        let waited = self.now.since(since);
        self.tell(id, FactKind::Left { queue, language: Some(SkillId(1)), outcome, waited, in_target: true, estimated: None })
    }

    fn answer(&mut self, place: usize, facts: &mut Vec<Fact>) {
        let Stage::Rung { since, offered, agent } = self.calls[place].stage else { return };
        facts.push(self.offer_ended(place, offered, agent, OfferOutcome::Accepted));
        facts.push(self.left(place, since, QueueOutcome::Answered));
        let next = Next { segment: Segment::Talk, queue: Some(self.calls[place].queue), agent: Some(agent) };
        self.turn(place, (Segment::Queue, None), Some(next), facts);
        facts.push(self.agent(agent, AgentState::Ringing, AgentState::Talking));
        self.calls[place].stage = Stage::Talking { since: self.now, agent };
    }

    fn go_on(&mut self, place: usize, facts: &mut Vec<Fact>) -> Option<ContactId> {
        let luck = self.draw(10);
        match self.calls[place].stage {
            Stage::Greeted if luck == 0 => return self.end(place, EndedBy::Caller, facts),
            Stage::Greeted => self.join(place, facts),
            Stage::Waiting { .. } if luck == 0 => return self.end(place, EndedBy::Caller, facts),
            Stage::Waiting { .. } => self.offer(place, facts),
            Stage::Rung { .. } if luck == 0 => return self.end(place, EndedBy::Caller, facts),
            Stage::Rung { since, offered, agent } if luck < 4 => {
                facts.push(self.offer_ended(place, offered, agent, OfferOutcome::Refused));
                self.calls[place].stage = Stage::Waiting { since };
            }
            Stage::Rung { .. } => self.answer(place, facts),
            Stage::Talking { agent, .. } if luck < 2 => self.pass_on(place, agent, facts),
            Stage::Talking { .. } => return self.end(place, EndedBy::Agent, facts),
            Stage::Over => self.legs_end(place, facts),
        }
        None
    }

    fn pass_on(&mut self, place: usize, agent: AgentId, facts: &mut Vec<Fact>) {
        let to = QueueId(self.draw(12));
        let id = self.calls[place].id;
        let (from_agency, to_agency) = (Some(AgencyId(0)), Some(AgencyId(1)));
        let (kind, outcome) = (TransferKind::Queue, TransferOutcome::Completed);
        facts.push(self.tell(id, FactKind::Transferred { kind, from: from_agency, to: to_agency, outcome }));
        let next = Next { segment: Segment::Queue, queue: Some(to), agent: None };
        self.turn(place, (Segment::Talk, Some(agent)), Some(next), facts);
        self.calls[place].queue = to;
        facts.push(self.tell(id, self.entered(to, Duration::from_secs(5))));
        self.calls[place].stage = Stage::Waiting { since: self.now };
    }

    fn end(&mut self, place: usize, by: EndedBy, facts: &mut Vec<Fact>) -> Option<ContactId> {
        let (id, arrived, of) = (self.calls[place].id, self.calls[place].arrived, self.calls[place].queue);
        let (segment, agent, queue) = match self.calls[place].stage {
            Stage::Greeted => (Segment::Entry, None, None),
            Stage::Waiting { since } => {
                facts.push(self.left(place, since, QueueOutcome::Abandoned));
                (Segment::Queue, None, Some(of))
            }
            Stage::Rung { since, offered, agent } => {
                facts.push(self.offer_ended(place, offered, agent, OfferOutcome::Withdrawn));
                facts.push(self.left(place, since, QueueOutcome::Abandoned));
                (Segment::Queue, None, Some(of))
            }
            Stage::Talking { agent, .. } => (Segment::Talk, Some(agent), Some(of)),
            Stage::Over => return None,
        };
        self.turn(place, (segment, agent), None, facts);
        if let Stage::Talking { since, agent } = self.calls[place].stage {
            let lasted = self.now.since(since);
            facts.push(self.tell(id, FactKind::TalkEnded { queue, agent: Some(agent), lasted }));
        }
        facts.push(self.tell(id, FactKind::Ended { by, segment, queue, arrived, status: None }));
        facts.push(self.other(FactKind::TrunkCalls { trunk: TrunkId(0), direction: Direction::In, up: 0 }));
        if let Some(agent) = agent {
            facts.push(self.agent(agent, AgentState::Talking, AgentState::WrapUp));
        }
        self.calls[place].stage = Stage::Over;
        self.ended += 1;
        Some(id)
    }

    fn legs_end(&mut self, place: usize, facts: &mut Vec<Fact>) {
        let call = self.calls.swap_remove(place);
        for leg in 1..=call.legs {
            let (role, packets) = (if leg == 1 { LegRole::Caller } else { LegRole::Agent }, (3000, 3001, 2));
            let jitter = Duration::from_micros(180);
            facts.push(self.tell(call.id, FactKind::LegEnded { leg, role, status: Some(200), packets, jitter }));
        }
    }
}
