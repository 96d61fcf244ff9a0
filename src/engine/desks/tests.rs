//! Desks by themselves: no engine, no contact, nobody's phone.

use super::*;
use crate::acd::claim::AgentView;
use crate::engine::between::ContactKey;
use crate::engine::between::{Between, DeskId, News};
use crate::engine::io::Output;
use crate::engine::tests::house::settings;
use crate::engine::tests::lent::{Lent, SHARD, T0};

const ANNA: AgentId = AgentId(0);

/// Desks, and what they are lent.
struct Office {
    desks: Desks,
    lent: Lent,
    said: Vec<Between>,
}

impl Office {
    fn new() -> Self {
        let mut lent = Lent::new(settings(2));
        let mut office =
            Office { desks: Desks::new(&lent.settings, Keyed::from_seed(&mut lent.seed), T0), lent, said: Vec::new() };
        office.with(T0, Desks::start);
        office
    }

    fn with<T>(&mut self, now: Time, f: impl FnOnce(&mut Desks, &mut Context<'_>) -> T) -> T {
        let told = f(&mut self.desks, &mut self.lent.context(now));
        self.said.extend(self.lent.settle(now, &mut self.desks, |_, _| None));
        told
    }

    fn tell(&mut self, message: ToDesk) {
        self.with(T0, |desks, cx| desks.handle(cx, ANNA, (SHARD, message)));
    }

    fn state(&self) -> AgentState {
        self.desks.views().next().unwrap().state.word()
    }

    /// What the desk has said, and the states that it has reported.
    fn said(&mut self) -> (Vec<Between>, Vec<AgentState>) {
        let states = std::iter::from_fn(|| self.lent.out.next_output()).filter_map(|output| match output {
            Output::Fact(crate::report::Fact { kind: FactKind::Agent { to: (word, _), .. }, .. }) => Some(word),
            _ => None,
        });
        let states = states.collect();
        (std::mem::take(&mut self.said), states)
    }
}

fn contact(serial: u64) -> ContactRef {
    ContactRef { key: ContactKey { shard: SHARD, slot: 0, serial }, id: ContactId(u128::from(serial)) }
}

const RING: Duration = Duration::from_secs(20);

fn answer(serial: u64, message: ToContact) -> Between {
    Between::ToContact(contact(serial).key, message)
}

#[test]
fn who_is_ready_is_taken_once_and_given_back_as_before() {
    let mut office = Office::new();
    let desk = DeskId { shard: SHARD, agent: ANNA };
    office.said();
    let want = Want::Caller(RING);
    office.tell(ToDesk::Take(contact(1), want));
    assert_eq!(office.said(), (vec![answer(1, ToContact::Taken(desk, want, contact(1).id))], vec![AgentState::Ringing]));
    office.tell(ToDesk::Take(contact(2), want));
    assert_eq!(office.said().0, [answer(2, ToContact::NotTaken(desk))]);
    assert_eq!(office.lent.matcher.agent(ANNA), AgentView::Busy, "the matcher offers nobody to who is taken");
    office.tell(ToDesk::withdrawn(contact(1).id));
    assert_eq!(office.said(), (vec![], vec![AgentState::Ready]));
    assert_eq!(office.lent.matcher.agent(ANNA), AgentView::Ready);
}

#[test]
fn a_colleague_disturbs_a_break_and_a_caller_does_not() {
    let mut office = Office::new();
    let desk = DeskId { shard: SHARD, agent: ANNA };
    office.tell(ToDesk::Command(AgentCommand::Break(BreakReason::Asked)));
    office.said();
    office.tell(ToDesk::Take(contact(1), Want::Caller(RING)));
    office.tell(ToDesk::Take(contact(2), Want::Colleague));
    let (said, states) = office.said();
    assert_eq!(said, [answer(1, ToContact::NotTaken(desk)), answer(2, ToContact::Taken(desk, Want::Colleague, contact(2).id))]);
    assert_eq!(states, [AgentState::Busy]);
    office.tell(ToDesk::OwnCallOver);
    assert_eq!(office.state(), AgentState::Break, "as before");
}

#[test]
fn an_agent_is_free_when_the_last_phone_is_silent() {
    let mut office = Office::new();
    office.tell(ToDesk::LegsBegan(2));
    office.tell(ToDesk::Rings(contact(1), RING));
    office.tell(ToDesk::RingOver(contact(1).id, OfferOutcome::TimedOut, Duration::ZERO));
    assert_eq!(office.state(), AgentState::Ringing, "a phone may still ring");
    office.tell(ToDesk::LegGone);
    assert_eq!(office.state(), AgentState::Ringing);
    office.tell(ToDesk::LegGone);
    assert_eq!(office.state(), AgentState::Break, "it rang, and nobody answered");
    office.tell(ToDesk::Take(contact(2), Want::Caller(RING)));
    assert!(matches!(office.said().0.as_slice(), [Between::ToContact(_, ToContact::NotTaken(_))]));
}

#[test]
fn who_signs_out_says_so_once() {
    let mut office = Office::new();
    office.said();
    office.tell(ToDesk::Command(AgentCommand::SignOut));
    office.tell(ToDesk::Command(AgentCommand::SignOut));
    assert_eq!(office.said(), (vec![Between::ToContacts(News::AgentLeft)], vec![AgentState::Offline]));
}

#[test]
fn a_talk_that_nobody_ends_is_repaired_after_its_limit() {
    let mut office = Office::new();
    office.tell(ToDesk::Rings(contact(1), RING));
    office.tell(ToDesk::Talks(contact(1), Duration::from_secs(60)));
    office.said();
    let (at, reason) = office.lent.timers.next().map(|(at, reason)| (at, *reason)).unwrap();
    assert_eq!((at, reason), (T0 + Duration::from_secs(100), Reason::Desk(ANNA, DeskTimer::State)));
    office.lent.timers.pop_due(at);
    office.with(at, |desks, cx| desks.due(cx, ANNA, DeskTimer::State));
    assert_eq!(office.state(), AgentState::Ready);
}

#[test]
fn a_desk_that_is_not_known_answers_too() {
    let mut office = Office::new();
    office.said();
    office.with(T0, |desks, cx| desks.handle(cx, AgentId(99), (SHARD, ToDesk::Take(contact(1), Want::Colleague))));
    let stranger = DeskId { shard: SHARD, agent: AgentId(99) };
    assert_eq!(office.said().0, [answer(1, ToContact::NotTaken(stranger))]);
}

/// A contact of another shard may ring before it hears that the desk has declined.
#[test]
fn a_ring_that_was_declined_changes_nothing_for_the_agent() {
    for busy in [ToDesk::OwnCall, ToDesk::Command(AgentCommand::Break(BreakReason::Asked))] {
        let mut office = Office::new();
        office.tell(busy);
        let before = office.state();
        office.said();
        let elsewhere = ShardId(1);
        for message in [
            ToDesk::LegsBegan(1),
            ToDesk::Rings(contact(1), RING),
            ToDesk::RingOver(contact(1).id, OfferOutcome::Unreachable, RING),
            ToDesk::LegGone,
        ] {
            office.with(T0, |desks, cx| desks.handle(cx, ANNA, (elsewhere, message)));
        }
        assert_eq!((office.state(), office.said().1), (before, vec![]), "{before:?}");
    }
}

/// The matcher's slot of a contact that the agent has answered may be another's by now, who is claimed by another of the agent's slots.
#[test]
fn a_name_is_of_one_slot_of_the_agents() {
    let mut office = Office::new();
    let (elsewhere, slot, second) = (ShardId(1), ContactSlot(7), AgentId(64));
    let [mut far, mut later] = [contact(1), contact(2)];
    (far.key.shard, later.key.shard) = (elsewhere, elsewhere);
    office.with(T0, |desks, cx| desks.handle(cx, ANNA, (elsewhere, ToDesk::Offered(slot, ANNA, far))));
    assert_eq!(office.desks.name_of(ANNA, second, slot), None);
    office.with(T0, |desks, cx| desks.handle(cx, ANNA, (elsewhere, ToDesk::Offered(slot, second, later))));
    assert_eq!([ANNA, second].map(|agent_slot| office.desks.name_of(ANNA, agent_slot, slot)), [Some(far.id), Some(later.id)]);
}

/// After a fault at the desk each shard says what it has, and whom the agent is claimed for.
#[test]
fn names_from_before_a_fault_are_forgotten() {
    let mut office = Office::new();
    let elsewhere = ShardId(1);
    let mut far = contact(1);
    far.key.shard = elsewhere;
    let slot = ContactSlot(7);
    for (message, named) in [
        (ToDesk::Offered(slot, ANNA, far), Some(far.id)),
        (ToDesk::Has(0, 0), None),
        (ToDesk::Offered(slot, ANNA, far), Some(far.id)),
        (ToDesk::RingOver(far.id, OfferOutcome::Withdrawn, Duration::ZERO), None),
    ] {
        office.with(T0, |desks, cx| desks.handle(cx, ANNA, (elsewhere, message)));
        assert_eq!(office.desks.name_of(ANNA, ANNA, slot), named, "{message:?}");
    }
}
