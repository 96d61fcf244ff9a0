use super::super::queue::{RelaxationStep, tests::plain};
use super::super::routing_table::{Directory, tests::agent};
use super::*;
use crate::base::{PoolId, SkillId};

const T0: Time = Time::from_secs(1000);

struct House {
    matcher: Matcher,
    directory: Directory,
}

fn house(agents: usize) -> House {
    let mut tax = plain("tax", &[(1, 5)], &[0]);
    tax.relaxation = vec![RelaxationStep { after: Duration::from_secs(30), lower_levels_by: 4, more_pools: vec![PoolId(1)] }];
    let mut directory = Directory {
        queues: vec![Some(tax), Some(plain("any", &[], &[0]))],
        agents: Vec::new(),
        languages: vec![SkillId(9)],
        lending: Vec::new(),
        agent_slots_from: None,
    };
    for n in 0..agents {
        directory.agents.push(agent(&format!("a{n}"), &[(1, 7), (9, 3)], &[0]));
    }
    let size = Size { shards: 1, contacts_per_shard: 200, agents: 64, queues: 2, agencies: 4 };
    House { matcher: Matcher::new(size, RoutingTable::new(&directory, 1), |_| 0), directory }
}

impl House {
    fn arrive(&self, slot: u32, queue: u32, secs: u64) -> Key {
        let key = self.matcher.key(Time::from_secs(1000 + secs), Duration::ZERO, false);
        let demand = self.matcher.routing_table().demand(QueueId(queue), None, 0).unwrap();
        self.matcher.arrive(ContactSlot(slot), QueueId(queue), 100, demand, key, Time::from_secs(1000 + secs)).unwrap();
        key
    }

    fn ready(&self, agent: u32) {
        assert!(self.matcher.ready(AgentId(agent), T0, Duration::ZERO));
    }

    fn offered(&self, slot: u32) -> Option<u32> {
        match self.matcher.contact(ContactSlot(slot)) {
            ContactView::Offered(agent) => Some(agent.0),
            _ => None,
        }
    }
}

#[test]
fn who_comes_first_goes_first_whichever_side_waits() {
    let house = house(2);
    house.arrive(5, 0, 2);
    house.arrive(3, 0, 1);
    assert_eq!(house.matcher.waiting(QueueId(0)), 2);
    house.ready(0);
    assert_eq!((house.offered(3), house.offered(5)), (Some(0), None));
    house.ready(1);
    assert_eq!(house.offered(5), Some(1));

    let house = self::house(2);
    house.matcher.ready(AgentId(1), T0, Duration::ZERO);
    house.matcher.ready(AgentId(0), T0 + Duration::from_secs(1), Duration::ZERO);
    house.arrive(0, 0, 3);
    assert_eq!(house.offered(0), Some(1), "the longest idle");
}

#[test]
fn both_owners_are_woken_once() {
    let house = house(1);
    house.arrive(0, 0, 0);
    assert!(!house.matcher.has_wake_ups(0), "waiting alone is no news");
    house.ready(0);
    let (mut contacts, mut agents) = (Vec::new(), Vec::new());
    house.matcher.woken_contacts(0, |c| contacts.push(c.0));
    house.matcher.woken_agents(0, |a| agents.push(a.0));
    assert_eq!((contacts, agents), (vec![0], vec![0]));
    assert!(!house.matcher.has_wake_ups(0));
    assert_eq!(house.matcher.agent(AgentId(0)), AgentView::Held { contact: ContactSlot(0), offered: true });
}

#[test]
fn leaving_gives_the_agent_back_and_the_next_is_served() {
    let house = house(1);
    house.arrive(0, 0, 0);
    house.arrive(1, 1, 1);
    house.ready(0);
    assert_eq!(house.matcher.leave(ContactSlot(0)), Left::WasOffered(AgentId(0)));
    assert_eq!(house.matcher.leave(ContactSlot(0)), Left::NotHere);
    assert_eq!(house.matcher.waiting(QueueId(0)), 0);
    assert_eq!(house.matcher.agent(AgentId(0)), AgentView::Held { contact: ContactSlot(0), offered: false });
    assert!(house.matcher.release(AgentId(0)));
    house.ready(0);
    assert_eq!(house.offered(1), Some(0));
    assert_eq!(house.matcher.accept(ContactSlot(1)), Some(AgentId(0)));
    assert_eq!(house.matcher.accept(ContactSlot(1)), None);
    assert_eq!(house.matcher.waiting(QueueId(1)), 0);
}

#[test]
fn one_put_back_keeps_its_place() {
    let house = house(2);
    let key = house.arrive(0, 0, 0);
    house.arrive(1, 0, 1);
    house.ready(0);
    let demand = house.matcher.routing_table().demand(QueueId(0), None, 0).unwrap();
    assert_eq!(house.matcher.put_back(ContactSlot(0), demand, key), Some(AgentId(0)));
    assert_eq!(house.matcher.waiting(QueueId(0)), 2);
    house.ready(1);
    assert_eq!(house.offered(0), Some(1), "before the one who came after");
    // The one who is being offered is no longer ahead of anybody.
    assert_eq!(house.matcher.ahead_of(QueueId(0), house.matcher.key(T0 + Duration::from_secs(9), Duration::ZERO, false)), 1);
}

#[test]
fn a_relaxed_demand_reaches_more_agents_and_an_emergency_goes_before_all() {
    let mut house = house(0);
    house.directory.agents.push(agent("low", &[(1, 2)], &[1]));
    house.matcher.publish(&house.directory, 2).unwrap();
    house.ready(0);
    let key = house.arrive(0, 0, 0);
    assert_eq!(house.offered(0), None);
    let wider = house.matcher.routing_table().demand(QueueId(0), None, 1).unwrap();
    assert!(house.matcher.relax(ContactSlot(0), wider, key));
    assert_eq!(house.offered(0), Some(0));

    let house = self::house(1);
    house.arrive(0, 0, 0);
    let demand = house.matcher.routing_table().demand(QueueId(0), None, 0).unwrap();
    let key = house.matcher.key(T0 + Duration::from_secs(500), Duration::ZERO, true);
    house.matcher.arrive(ContactSlot(1), QueueId(0), 100, demand, key, T0).unwrap();
    house.ready(0);
    assert_eq!(house.offered(1), Some(0));
}

#[test]
fn pausing_takes_the_entry_away_and_a_full_queue_is_reported() {
    let house = house(1);
    house.ready(0);
    assert_eq!(house.matcher.pause(AgentId(0)), AgentView::Busy);
    house.arrive(0, 0, 0);
    assert_eq!(house.offered(0), None);
    let key = house.matcher.key(T0, Duration::ZERO, false);
    let demand = house.matcher.routing_table().demand(QueueId(0), None, 0).unwrap();
    assert_eq!(house.matcher.arrive(ContactSlot(1), QueueId(0), 1, demand, key, T0), Err(QueueFull));
    assert_eq!(house.matcher.waiting(QueueId(0)), 1);
    assert_eq!(house.matcher.longest(), [(QueueId(0), T0)]);
}

#[test]
fn presence_answers_whether_anyone_could_serve() {
    let house = house(1);
    let demand = house.matcher.routing_table().demand(QueueId(0), None, 0).unwrap();
    assert!(!house.matcher.anyone_for(demand));
    house.matcher.set_standing(AgentId(0), Some(Standing::Break));
    assert!(house.matcher.anyone_for(demand));
}

/// Two threads bring contacts and agents at once: everyone is served exactly once, and at rest nobody waits beside a free agent.
#[test]
fn two_threads_lose_nobody_and_serve_nobody_twice() {
    for round in 0..200 {
        let house = house(64);
        let matcher = &house.matcher;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..60).for_each(|slot| {
                    house.arrive(slot, slot % 2, u64::from(slot));
                });
            });
            scope.spawn(|| {
                for agent in 0..64 {
                    matcher.ready(AgentId(agent), T0, Duration::ZERO);
                    if agent % 8 == 7 {
                        // One who turns away again: either got nobody, or is held and keeps the contact.
                        matcher.pause(AgentId(agent));
                    }
                }
            });
        });
        let mut held = std::collections::BTreeMap::new();
        for slot in 0..60 {
            if let Some(agent) = house.offered(slot) {
                assert_eq!(held.insert(agent, slot), None, "round {round}: an agent is held twice");
                assert_eq!(matcher.agent(AgentId(agent)), AgentView::Held { contact: ContactSlot(slot), offered: true });
            } else {
                assert!(
                    (0..64).all(|a| matcher.agent(AgentId(a)) != AgentView::Ready),
                    "round {round}: one waits beside a free agent"
                );
            }
        }
    }
}

#[test]
fn nobody_is_turned_away_from_a_full_queue_who_need_not_wait() {
    let house = house(2);
    let join = |slot: u32, length_max| {
        let (demand, at) =
            (house.matcher.routing_table().demand(QueueId(0), None, 0).unwrap(), T0 + Duration::from_secs(u64::from(slot)));
        let key = house.matcher.key(at, Duration::ZERO, false);
        house.matcher.arrive(ContactSlot(slot), QueueId(0), length_max, demand, key, at)
    };
    assert_eq!(join(0, 0), Err(QueueFull), "nobody is there");
    assert_eq!((house.matcher.waiting(QueueId(0)), house.matcher.contact(ContactSlot(0))), (0, ContactView::Gone));
    house.ready(0);
    house.ready(1);
    assert_eq!(join(1, 0), Ok(()));
    assert_eq!(join(2, 1), Ok(()), "one is in the queue, but rung for");
    assert_eq!((house.offered(1), house.offered(2)), (Some(0), Some(1)));
    assert_eq!(join(3, 2), Err(QueueFull));
    assert_eq!(house.matcher.waiting(QueueId(0)), 2);
    house.matcher.accept(ContactSlot(1));
    house.matcher.release(AgentId(0));
    house.ready(0);
    assert_eq!(house.matcher.agent(AgentId(0)), AgentView::Ready, "who was turned away is offered to nobody");
}

#[test]
fn slots_are_for_as_many_contacts_as_they_were_made_for() {
    assert!((0..10_000).all(|contacts| Size::contacts_in(Size::slots_for(contacts)) == contacts));
}
