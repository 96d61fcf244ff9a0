use super::super::claim::AgentView;
use super::super::matcher::{Size, Standing};
use super::super::queue::tests::plain;
use super::super::routing_table::tests::agent;
use super::super::routing_table::{Directory, RoutingTable};
use super::*;

const T0: Time = Time::from_secs(1_000_000);
const PATIENCE: Patience = Patience { looks: Duration::from_secs(60), holds: Duration::from_secs(3) };
const SLOTS: [ContactSlot; 2] = [ContactSlot(0), ContactSlot(1)];

/// Queue 0 for those who talk (pool 0), queue 1 for interpreters (pool 1); agents by their pools.
fn house(agents: &[&[u32]]) -> Matcher {
    let directory = Directory {
        queues: vec![Some(plain("talk", &[], &[0])), Some(plain("interpret", &[], &[1]))],
        agents: agents.iter().map(|pools| agent("a", &[], pools)).collect(),
        ..Directory::default()
    };
    let size = Size { shards: 1, contacts_per_shard: 50, agents: 8, queues: 2, agencies: 0 };
    Matcher::new(size, RoutingTable::new(&directory, 1), |_| 0)
}

fn demand(matcher: &Matcher, queue: u32) -> DemandId {
    matcher.routing_table().demand(QueueId(queue), None, 0).unwrap()
}

fn ready(matcher: &Matcher, agent: u32, now: Time) {
    matcher.set_standing(AgentId(agent), Some(Standing::Free));
    matcher.ready(AgentId(agent), now, Duration::ZERO);
}

fn wants_two(matcher: &Matcher, now: Time) -> Joint {
    let key = matcher.key(now, Duration::ZERO, false);
    let demands = [demand(matcher, 0), demand(matcher, 1)];
    matcher.arrive_jointly(QueueId(0), SLOTS, demands, key, PATIENCE, now, &mut |agent| panic!("{agent:?} was held"))
}

#[test]
fn both_or_nobody() {
    let matcher = house(&[&[0], &[1], &[1]]);
    ready(&matcher, 0, T0);
    let mut joint = wants_two(&matcher, T0);
    assert!(!joint.is_together());
    assert_eq!((matcher.agent(AgentId(0)), matcher.waiting(QueueId(0))), (AgentView::Ready, 1), "nobody is held for it");
    let at = |seconds| T0 + Duration::from_secs(seconds);
    assert_eq!([joint.due(at(50)), joint.due(at(60))], [Some(at(60)), Some(at(120))], "its patience, or a lease that never ends");
    ready(&matcher, 1, T0);
    assert!(matcher.take_joint_wake_up(0) && !matcher.take_joint_wake_up(0));
    matcher.step(&mut joint, T0, &mut |_| {});
    assert_eq!((joint.is_together(), joint.due(T0)), (true, None));

    // One refuses: the other is let go, too, and is had again with the next.
    ready(&matcher, 2, T0);
    let mut let_go = Vec::new();
    matcher.put_back_jointly(&mut joint, T0, &mut |agent| let_go.push(agent));
    assert_eq!((let_go, joint.is_together()), (vec![AgentId(0), AgentId(1)], false));
    assert!(matcher.release(AgentId(0)));
    ready(&matcher, 0, T0);
    assert!(matcher.take_joint_wake_up(0));
    matcher.step(&mut joint, T0, &mut |_| {});
    assert_eq!(matcher.accept_jointly(&joint), Some([AgentId(0), AgentId(2)]));
    assert_eq!(matcher.waiting(QueueId(0)), 0);
}

#[test]
fn one_who_can_do_either_cannot_do_both() {
    let matcher = house(&[&[0, 1], &[0], &[0, 1]]);
    ready(&matcher, 0, T0);
    let mut joint = wants_two(&matcher, T0);
    assert!(!joint.is_together());
    // Idle longest and best for the first demand, but the only one for the second.
    ready(&matcher, 1, T0 + Duration::from_secs(1));
    matcher.step(&mut joint, T0, &mut |_| {});
    assert_eq!(matcher.accept_jointly(&joint), Some([AgentId(1), AgentId(0)]));
}

#[test]
fn who_leaves_leaves_nobody_held() {
    let matcher = house(&[&[0], &[1]]);
    ready(&matcher, 0, T0);
    matcher.leave_jointly(wants_two(&matcher, T0), &mut |agent| panic!("{agent:?} was held"));
    ready(&matcher, 1, T0);
    assert!(!matcher.take_joint_wake_up(0), "nobody looks any more");
    let joint = wants_two(&matcher, T0);
    assert!(joint.is_together());
    let mut let_go = Vec::new();
    matcher.leave_jointly(joint, &mut |agent| let_go.push(agent.0));
    assert_eq!((let_go, matcher.waiting(QueueId(0))), (vec![0, 1], 0));
}

/// What each agent is doing: in a talk until then.
type Talks = [Option<Time>; 2];

/// One agent of each kind, and always three contacts that want one of them; each second the clock goes on by one.
struct Busy {
    matcher: Matcher,
    talks: Talks,
    now: Time,
    /// How long an agent was held for the request alone, in seconds.
    held: [u32; 2],
    /// When the request is to be stepped, if nothing happens before.
    due: Option<Time>,
}

impl Busy {
    const TALK: [u64; 2] = [37, 101];

    fn fill(&self) {
        for slot in 2..8 {
            if matches!(self.matcher.contact(ContactSlot(slot)), ContactView::Gone | ContactView::Served) {
                let (queue, key) = (slot % 2, self.matcher.key(self.now, Duration::ZERO, false));
                let demand = demand(&self.matcher, queue);
                self.matcher.arrive(ContactSlot(slot), QueueId(queue), 100, demand, key, self.now).unwrap();
            }
        }
    }

    fn go_on(&mut self, joint: &mut Joint) {
        self.now = self.now + Duration::from_secs(1);
        for agent in 0..2_usize {
            let id = AgentId(agent as u32);
            match (self.matcher.agent(id), self.talks[agent]) {
                (AgentView::Held { contact, offered: true }, _) if SLOTS.contains(&contact) => self.held[agent] += 1,
                (AgentView::Held { contact, offered: true }, _) => {
                    self.matcher.accept(contact);
                    self.matcher.release(id);
                    self.talks[agent] = Some(self.now + Duration::from_secs(Self::TALK[agent]));
                }
                (AgentView::Busy, Some(until)) if until <= self.now => {
                    self.talks[agent] = None;
                    ready(&self.matcher, agent as u32, self.now);
                }
                _ => {}
            }
        }
        self.fill();
        let mut news = self.matcher.take_joint_wake_up(0);
        self.matcher.woken_contacts(0, |slot| news |= SLOTS.contains(&slot));
        let mut let_go = Vec::new();
        if news || self.due.is_some_and(|due| due <= self.now) {
            self.matcher.step(joint, self.now, &mut |agent| let_go.push(agent));
            self.due = joint.due(self.now);
        }
        for agent in let_go {
            self.matcher.release(agent);
            ready(&self.matcher, agent.0, self.now);
        }
    }
}

/// Where contacts always wait no agent is ever free. So the request gets the lease, holds one agent for a time that
/// grows, and has both before long. Until it has the lease it holds nobody.
#[test]
fn nobody_who_wants_two_waits_for_ever() {
    let matcher = house(&[&[0], &[1]]);
    let mut busy = Busy { matcher, talks: [None; 2], now: T0, held: [0; 2], due: None };
    busy.fill();
    ready(&busy.matcher, 0, T0);
    ready(&busy.matcher, 1, T0);
    let mut joint = wants_two(&busy.matcher, T0);
    busy.due = joint.due(T0);
    let mut waited = 0;
    while !joint.is_together() {
        busy.go_on(&mut joint);
        waited += 1;
        assert!(waited > 60 || busy.held == [0, 0], "before its lease");
        assert!(waited < 1200, "it waits for ever, and held {:?} s", busy.held);
    }
    let [first, second] = busy.held;
    assert!(first + second > 3 && first + second < 300, "{waited} s, held {:?}", busy.held);
    assert!(busy.matcher.accept_jointly(&joint).is_some());
}

/// A request with the lease keeps the agent that it holds when the other is declined. A request without it lets both
/// go.
#[test]
fn one_who_declines_costs_no_lease() {
    let matcher = house(&[&[0], &[1], &[1]]);
    let mut joint = wants_two(&matcher, T0);
    let patient_until = T0 + PATIENCE.looks;
    matcher.step(&mut joint, patient_until, &mut |agent| panic!("{agent:?} was held"));
    ready(&matcher, 0, patient_until);
    matcher.step(&mut joint, patient_until, &mut |agent| panic!("{agent:?} was held"));
    ready(&matcher, 1, patient_until);
    let mut let_go = Vec::new();
    matcher.declined_jointly(&mut joint, SLOTS[1], patient_until, &mut |agent| let_go.push(agent));
    assert_eq!((let_go, joint.is_together()), (vec![AgentId(1)], false));
    assert_eq!(matcher.agent(AgentId(0)), AgentView::Held { contact: SLOTS[0], offered: true }, "it is still held");
    ready(&matcher, 2, patient_until);
    matcher.step(&mut joint, patient_until, &mut |agent| panic!("{agent:?} was held"));
    assert!(joint.is_together());
    let mut let_go = Vec::new();
    matcher.declined_jointly(&mut joint, SLOTS[0], patient_until, &mut |agent| let_go.push(agent));
    assert_eq!((let_go, joint.is_together()), (vec![AgentId(0), AgentId(2)], false));
}

#[test]
fn a_lease_that_is_not_given_back_ends() {
    let joints = Joints::new(1);
    let at = |seconds| T0 + Duration::from_secs(seconds);
    assert!(joints.take_lease(SLOTS[0], at(0), at(10)));
    assert!(!joints.take_lease(SLOTS[1], at(9), at(99)));
    assert!(joints.keep_lease(SLOTS[0], at(20)) && !joints.keep_lease(SLOTS[1], at(20)));
    assert!(!joints.take_lease(SLOTS[1], at(19), at(99)) && joints.take_lease(SLOTS[1], at(21), at(99)));
    joints.end_lease(SLOTS[0]);
    assert!(!joints.keep_lease(SLOTS[0], at(30)) && joints.keep_lease(SLOTS[1], at(30)), "it is another's by now");
}
