//! Contacts by themselves: no engine, no leg, no desk. What they tell others is seen, and answered by hand.

use super::*;
use crate::acd::agent_slots::{AgentSlots, Capacity};
use crate::acd::queue::AnswerWhen;
use crate::base::words::{Channel, OfferOutcome, QueueOutcome};
use crate::base::{QueueId, Time};
use crate::engine::between::{Between, CallFailed, DeskId, DialTo, Heard, News, NotRung, ToDesk, ToLeg, Whom};
use crate::engine::io::Output;
use crate::engine::tests::house::settings;
use crate::engine::tests::lent::{Lent, SHARD, T0};
use crate::report::Fact;

const CALLER: LegKey = LegKey { shard: SHARD, slot: 0, token: 1 };
const PHONE: LegKey = LegKey { shard: SHARD, slot: 1, token: 2 };
const AGENT: AgentId = AgentId(0);
const DESK: DeskId = DeskId { shard: SHARD, agent: AGENT };

/// Contacts, what they are lent, and the one agent as a desk has it.
struct Scene {
    contacts: Contacts,
    lent: Lent,
    agent: AgentSlots,
    /// What they have said that nobody has heard.
    said: Vec<Between>,
    now: Time,
}

impl Scene {
    /// A queue that answers at once, and an agent who is ready or not.
    fn new(ready: bool) -> Self {
        let mut settings = settings(1);
        settings.directory.queues[0].as_mut().unwrap().answer = AnswerWhen::AtOnce;
        let mut lent = Lent::new(settings);
        let keyed = Keyed::from_seed(&mut lent.seed);
        let contacts = Contacts::new(&lent.matcher.slots_of(SHARD.0), &lent.settings, keyed, Arc::default());
        let mut agent = AgentSlots::new(&Capacity::default(), lent.settings.agent_slots.of(AGENT), T0);
        if ready {
            agent.each(|agent| agent.ask_ready(T0));
            lent.matcher.settle_agent_slots(&mut agent, T0, |_, slot| Some(slot));
        }
        Scene { contacts, lent, agent, said: Vec::new(), now: T0 }
    }

    fn with<T>(&mut self, f: impl FnOnce(&mut Contacts, &mut Context<'_>) -> T) -> T {
        let told = f(&mut self.contacts, &mut self.lent.context(self.now));
        self.follow_commands();
        told
    }

    /// Something happens to a contact, before it hears what came of its last command.
    fn unheard(&mut self, contact: ContactRef, happens: impl FnOnce(&mut Contact, &mut Work<'_, '_>) -> Next) {
        let Scene { contacts: Contacts { contacts, shared }, lent, now, .. } = self;
        let contact = find(contacts, contact.key).unwrap();
        let work = &mut Work { cx: &mut lent.context(*now), shared };
        let next = happens(contact, work);
        go_on(contact, work, next);
    }

    /// The matcher does what it is told, and contacts hear what came of it.
    fn follow_commands(&mut self) {
        loop {
            while let Some((contact, command)) = self.lent.out.next_command() {
                let event = self.lent.matcher.execute(command);
                event.into_iter().for_each(|event| self.lent.out.0.matched(contact, event));
            }
            match self.lent.out.next_message() {
                Some(Between::FromMatcher(contact, event)) => {
                    self.contacts.matched(&mut self.lent.context(self.now), contact, event);
                }
                Some(other) => self.said.push(other),
                None => return,
            }
        }
    }

    /// A caller arrives, and begins so.
    fn arrives(&mut self, begin: Begin) -> ContactKey {
        let arrival = Arrival {
            caller: CALLER,
            trunk: None,
            own: None,
            busies_owner: false,
            target: None,
            emergency: false,
            number: "0212345678".into(),
            dialled: "120".into(),
            origin: "a".into(),
            channel: Channel::Voice,
            max_forwards: 69,
        };
        let contact = self.with(|contacts, cx| contacts.arrive(cx, arrival));
        self.tell(contact.key, ToContact::Begin(begin));
        contact.key
    }

    fn waits(&mut self) -> ContactKey {
        self.arrives(Begin::Lead(NumberTarget::Queue(QueueId(0))))
    }

    fn tell(&mut self, contact: ContactKey, message: ToContact) {
        self.with(|contacts, cx| contacts.handle(cx, contact, message));
    }

    fn leg(&mut self, contact: ContactKey, leg: LegKey, event: LegEvent) {
        self.tell(contact, ToContact::Leg(leg, event));
    }

    /// The matcher's wake-ups: the agent agrees to what it can.
    fn woken(&mut self) {
        self.lent.matcher.settle_agent_slots(&mut self.agent, self.now, |_, slot| Some(slot));
        self.contacts_woken();
    }

    /// The matcher's wake-ups, for contacts alone.
    fn contacts_woken(&mut self) {
        let mut slots = Vec::new();
        self.lent.matcher.woken_contacts(SHARD.0, |slot| slots.push(slot));
        let offers: Vec<_> = slots.into_iter().filter_map(|slot| self.lent.matcher.offer(slot)).collect();
        offers.into_iter().for_each(|offer| self.with(|contacts, cx| contacts.offered(cx, offer)));
    }

    /// Lets the timers come that are due within `span`.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, reason)) = self.lent.timers.pop_due(end) {
            self.now = at;
            let crate::engine::between::Reason::Contact(key, timer) = reason else { panic!("{reason:?}") };
            self.with(|contacts, cx| contacts.due(cx, key, timer));
        }
        self.now = end;
    }

    fn said(&mut self) -> Vec<Between> {
        std::mem::take(&mut self.said)
    }

    /// Every contact that it may concern is told, and nothing else that was said is.
    fn news(&mut self, news: News) {
        self.said();
        self.with(|contacts, cx| contacts.spread(cx, news));
        for message in self.said() {
            let Between::ToContact(contact, news) = message else { panic!("{message:?}") };
            self.tell(contact, news);
        }
    }

    fn facts(&mut self) -> Vec<FactKind> {
        let outputs = std::iter::from_fn(|| self.lent.out.next_output());
        outputs.filter_map(|output| if let Output::Fact(Fact { kind, .. }) = output { Some(kind) } else { None }).collect()
    }

    fn desk_hears(&mut self) -> Vec<ToDesk> {
        let said = self.said().into_iter();
        said.filter_map(|message| if let Between::ToDesk(DESK, SHARD, message) = message { Some(message) } else { None })
            .collect()
    }

    /// An agent's phone rings for a caller who waits.
    fn rings(&mut self) -> ContactKey {
        let contact = self.waits();
        self.woken();
        assert!(matches!(self.said().last(), Some(Between::Call(call)) if matches!(call.whom, Whom::Agent { agent: AGENT, .. })));
        self.tell(contact, ToContact::Rung(Role::Agent(AGENT), Ok(SmallVec::from_iter([PHONE]))));
        contact
    }
}

#[test]
fn who_joins_a_queue_is_answered_and_hears_its_music() {
    let mut scene = Scene::new(false);
    scene.waits();
    let said = scene.said();
    let accept =
        |m: &Between| matches!(m, Between::ToLeg(CALLER, ToLeg::Accept { hears: Some(Heard::Music(_)), talks: false, .. }));
    assert!(matches!(said.as_slice(), [message] if accept(message)), "{said:?}");
}

#[test]
fn an_offer_is_rung_told_to_the_desk_and_answered() {
    let mut scene = Scene::new(true);
    let contact = scene.rings();
    let id = scene.contacts.get(contact).unwrap().id;
    let told = scene.desk_hears();
    assert!(matches!(told.as_slice(), [ToDesk::LegsBegan(1), ToDesk::Rings(rung, _)] if rung.key == contact), "{told:?}");
    scene.leg(contact, PHONE, LegEvent::Answered);
    let said = scene.said();
    assert!(
        said.contains(&Between::ToLeg(
            CALLER,
            ToLeg::Hear { what: Some(Heard::Legs(SmallVec::from_iter([PHONE]))), talks: true }
        )),
        "{said:?}"
    );
    assert!(
        said.contains(&Between::ToLeg(
            PHONE,
            ToLeg::Hear { what: Some(Heard::Legs(SmallVec::from_iter([CALLER]))), talks: true }
        )),
        "{said:?}"
    );
    assert!(said.iter().any(|m| matches!(m, Between::ToDesk(DESK, SHARD, ToDesk::Talks(..)))), "{said:?}");
    scene.leg(contact, CALLER, LegEvent::Left);
    let said = scene.said();
    assert!(said.contains(&Between::ToLeg(PHONE, ToLeg::End(487))), "{said:?}");
    assert!(said.contains(&Between::ToDesk(DESK, SHARD, ToDesk::TalkOver(id, Some(QueueId(0))))), "{said:?}");
    assert!(!scene.contacts.is_empty(), "its legs are still there");
    scene.leg(contact, PHONE, LegEvent::Over);
    scene.leg(contact, CALLER, LegEvent::Over);
    assert_eq!(scene.desk_hears(), [ToDesk::LegGone]);
    assert!(scene.contacts.is_empty() && scene.contacts.slots().0 == 0);
}

#[test]
fn who_hangs_up_before_having_joined_was_never_in_the_queue() {
    let mut scene = Scene::new(true);
    let contact = scene.arrives(Begin::Dial(DialTo::Agent(AGENT)));
    let contact = scene.contacts.get(contact).unwrap().reference();
    scene.facts();
    // On its way into a queue, it hears that the caller has left before it hears from the matcher.
    scene.unheard(contact, |contact, work| queue::join(contact, work, QueueId(0), Duration::ZERO));
    scene.unheard(contact, |_, _| Next::End(EndedBy::Caller, Some(487)));
    scene.follow_commands();
    let facts = scene.facts();
    assert!(!facts.iter().any(|fact| matches!(fact, FactKind::Entered { .. } | FactKind::Left { .. })), "{facts:?}");
    assert_eq!((scene.lent.matcher.waiting(QueueId(0)), scene.contacts.slots().0), (0, 0));
    let told = scene.desk_hears();
    assert!(told.contains(&ToDesk::withdrawn(contact.id)), "the agent who was free for it is let go: {told:?}");
}

#[test]
fn who_leaves_while_a_phone_answers_leaves_the_agent_free() {
    let mut scene = Scene::new(true);
    let contact = scene.rings();
    let contact = scene.contacts.get(contact).unwrap().reference();
    scene.said();
    scene.facts();
    scene.unheard(contact, |contact, work| ring::answered(contact, work, PHONE));
    scene.unheard(contact, |contact, work| end::party_left(contact, work, CALLER));
    scene.follow_commands();
    let facts = scene.facts();
    let left =
        |fact: &FactKind| matches!(fact, FactKind::Left { outcome: QueueOutcome::ShortAbandoned | QueueOutcome::Abandoned, .. });
    assert_eq!(facts.iter().filter(|fact| left(fact)).count(), 1, "{facts:?}");
    assert!(!facts.iter().any(|fact| matches!(fact, FactKind::TalkEnded { .. })), "{facts:?}");
    assert_eq!(scene.desk_hears(), [ToDesk::withdrawn(contact.id)]);
}

#[test]
fn a_phone_that_hangs_up_as_it_answers_ends_the_talk() {
    let mut scene = Scene::new(true);
    let contact = scene.rings();
    let contact = scene.contacts.get(contact).unwrap().reference();
    scene.said();
    scene.unheard(contact, |contact, work| ring::answered(contact, work, PHONE));
    scene.unheard(contact, |contact, work| leg_event(contact, work, PHONE, LegEvent::Gone));
    scene.follow_commands();
    let told = scene.desk_hears();
    assert!(matches!(told.as_slice(), [ToDesk::LegGone, ToDesk::Talks(..), ToDesk::TalkOver(..)]), "{told:?}");
    assert!(matches!(scene.contacts.get(contact.key).unwrap().phase, Phase::Over));
    assert!(scene.facts().iter().any(|fact| matches!(fact, FactKind::Ended { by: EndedBy::Agent, .. })));
}

#[test]
fn of_two_phones_that_answer_at_once_the_first_has_the_caller() {
    const OTHER: LegKey = LegKey { shard: SHARD, slot: 2, token: 3 };
    let mut scene = Scene::new(true);
    let contact = scene.waits();
    scene.woken();
    scene.tell(contact, ToContact::Rung(Role::Agent(AGENT), Ok(SmallVec::from_iter([PHONE, OTHER]))));
    let contact = scene.contacts.get(contact).unwrap().reference();
    scene.said();
    scene.unheard(contact, |contact, work| ring::answered(contact, work, OTHER));
    scene.unheard(contact, |contact, work| ring::answered(contact, work, PHONE));
    scene.follow_commands();
    assert!(matches!(scene.contacts.get(contact.key).unwrap().phase, Phase::Talking { leg: OTHER, .. }));
    assert!(scene.said().contains(&Between::ToLeg(PHONE, ToLeg::HangUp)));
}

#[test]
fn nobody_is_rung_before_the_desk_has_agreed() {
    let mut scene = Scene::new(true);
    scene.waits();
    scene.said();
    scene.contacts_woken();
    assert_eq!(scene.said(), []);
    scene.woken();
    assert!(matches!(scene.said().as_slice(), [Between::Call(_)]));
    scene.lent.matcher.settle_agent_slots(&mut scene.agent, T0, |_, slot| Some(slot));
    scene.contacts_woken();
    assert_eq!(scene.said(), [], "it is rung once");
}

#[test]
fn who_is_declined_waits_at_its_place() {
    let mut scene = Scene::new(true);
    let contact = scene.waits();
    scene.said();
    let place = |scene: &Scene| scene.contacts.get(contact).unwrap().stay.as_ref().unwrap().place();
    let before = place(&scene);
    // The agent has asked for a break before the desk looks.
    scene.agent.each(|agent| agent.ask_break(T0, crate::base::words::BreakReason::Asked));
    scene.woken();
    let id = scene.contacts.get(contact).unwrap().id;
    assert_eq!(scene.said(), [Between::ToDesk(DESK, SHARD, ToDesk::withdrawn(id))], "nobody is rung");
    assert!(matches!(scene.contacts.get(contact).unwrap().phase, Phase::Waiting));
    assert_eq!(place(&scene), before);
    scene.woken();
    assert_eq!(scene.lent.matcher.agent(AGENT), crate::acd::claim::AgentView::Busy, "it is let go");
}

#[test]
fn without_ports_it_is_tried_again_soon_and_the_desk_hears_nothing() {
    let mut scene = Scene::new(true);
    let contact = scene.waits();
    scene.woken();
    scene.said();
    scene.tell(contact, ToContact::Rung(Role::Agent(AGENT), Err(NotRung::OutOfPorts)));
    assert_eq!(scene.said(), []);
    scene.pass(Duration::from_millis(50));
    assert!(matches!(scene.said().as_slice(), [Between::Call(_)]));
}

#[test]
fn legs_that_do_not_answer_are_asked_again() {
    let mut scene = Scene::new(true);
    scene.waits();
    scene.woken();
    scene.said();
    // The call is lost.
    scene.pass(Duration::from_secs(2));
    assert!(matches!(scene.said().as_slice(), [Between::Call(_)]));
}

#[test]
fn who_leaves_while_a_call_is_asked_for_leaves_nobody_ringing() {
    let mut scene = Scene::new(true);
    let contact = scene.waits();
    scene.woken();
    scene.leg(contact, CALLER, LegEvent::Left);
    scene.leg(contact, CALLER, LegEvent::Over);
    scene.said();
    assert!(!scene.contacts.is_empty(), "it waits to hear what came of the call");
    scene.tell(contact, ToContact::Rung(Role::Agent(AGENT), Ok(SmallVec::from_iter([PHONE]))));
    let said = scene.said();
    assert!(said.contains(&Between::ToLeg(PHONE, ToLeg::Cancel { elsewhere: false })), "{said:?}");
    scene.leg(contact, PHONE, LegEvent::Failed(CallFailed::Refused(487)));
    assert_eq!(scene.desk_hears(), [ToDesk::LegGone]);
    assert!(scene.contacts.is_empty());
}

#[test]
fn a_phone_that_fails_puts_the_caller_back() {
    let mut scene = Scene::new(true);
    let contact = scene.rings();
    scene.said();
    scene.leg(contact, PHONE, LegEvent::Failed(CallFailed::Refused(486)));
    let told = scene.desk_hears();
    assert!(matches!(told.as_slice(), [ToDesk::LegGone, ToDesk::RingOver(_, OfferOutcome::Busy, _)]), "{told:?}");
    assert!(matches!(scene.contacts.get(contact).unwrap().phase, Phase::Waiting));
}

#[test]
fn a_caller_who_cannot_be_answered_is_refused() {
    let mut scene = Scene::new(false);
    let contact = scene.waits();
    scene.said();
    scene.facts();
    scene.leg(contact, CALLER, LegEvent::Unanswerable(503));
    assert!(scene.said().contains(&Between::ToLeg(CALLER, ToLeg::End(503))));
    let facts = scene.facts();
    assert!(facts.iter().any(|fact| matches!(fact, FactKind::Ended { by: EndedBy::System, status: Some(503), .. })), "{facts:?}");
}

#[test]
fn a_caller_who_leaves_while_a_desk_is_asked_takes_nobody_along() {
    let mut scene = Scene::new(false);
    let contact = scene.arrives(Begin::Dial(DialTo::Agent(AGENT)));
    let want = Want::Colleague;
    assert!(matches!(scene.desk_hears().as_slice(), [ToDesk::Take(of, w)] if of.key == contact && *w == want));
    // The question is asked, and not yet answered, when the caller hangs up.
    scene.leg(contact, CALLER, LegEvent::Left);
    scene.said();
    let taken = ToContact::Taken(DESK, want, scene.contacts.get(contact).unwrap().id);
    scene.tell(contact, taken.clone());
    assert_eq!(scene.said(), [Between::ToDesk(DESK, SHARD, ToDesk::OwnCallOver)], "nobody is rung, and the agent is let go");
    scene.leg(contact, CALLER, LegEvent::Over);
    scene.tell(contact, taken);
    assert_eq!(scene.said(), [Between::ToDesk(DESK, SHARD, ToDesk::OwnCallOver)], "nor when nothing is left of the contact");
}

#[test]
fn a_desk_that_does_not_answer_is_not_waited_for() {
    let mut scene = Scene::new(false);
    scene.arrives(Begin::Dial(DialTo::Agent(AGENT)));
    scene.said();
    scene.facts();
    scene.pass(Duration::from_secs(3));
    let ended = scene.facts().iter().any(|fact| matches!(fact, FactKind::Ended { by: EndedBy::System, status: Some(486), .. }));
    assert!(ended, "the call has failed as if the agent was not to be had");
}

#[test]
fn a_fault_ends_a_contact_with_legs_that_it_did_not_know_of() {
    let mut scene = Scene::new(true);
    let contact = scene.waits();
    scene.woken();
    scene.said();
    let view = |key, role| LegView { key, contact, role, ending: false, guest: false };
    let told = scene
        .with(|contacts, cx| contacts.fault(cx, contact, None, &[view(CALLER, Role::Caller), view(PHONE, Role::Agent(AGENT))]));
    assert!(told.is_some());
    let said = scene.said();
    assert!(said.contains(&Between::ToLeg(PHONE, ToLeg::End(500))), "{said:?}");
    assert!(said.contains(&Between::ToDesk(DESK, SHARD, ToDesk::LegsBegan(1))), "the desk hears of it");
    scene.leg(contact, PHONE, LegEvent::Over);
    scene.leg(contact, CALLER, LegEvent::Over);
    assert!(scene.contacts.is_empty());
}

fn where_one_leaves_for_want_of_anybody() -> Scene {
    let mut scene = Scene::new(true);
    let mut settings = (*scene.lent.settings).clone();
    settings.directory.queues[0].as_mut().unwrap().leave_when_empty = crate::acd::queue::WhenEmpty::Goodbye;
    scene.lent.settings = Arc::new(settings);
    scene
}

#[test]
fn an_agent_who_signs_out_ends_a_wait_for_nobody() {
    let mut scene = where_one_leaves_for_want_of_anybody();
    scene.lent.matcher.pause(AGENT);
    let contact = scene.waits();
    scene.lent.matcher.set_standing(AGENT, crate::acd::agent::State::<u8>::Offline.standing());
    scene.news(News::AgentLeft);
    assert!(matches!(scene.contacts.get(contact).unwrap().phase, Phase::Goodbye(EndedBy::Closed)));
}

#[test]
fn who_is_declined_by_the_last_agent_to_go_leaves() {
    let mut scene = where_one_leaves_for_want_of_anybody();
    let contact = scene.waits();
    // The agent, whom the matcher has reserved, goes before the desk has looked.
    scene.agent.each(|agent| agent.sign_out(T0));
    scene.lent.matcher.settle_agent_slots(&mut scene.agent, T0, |_, slot| Some(slot));
    scene.news(News::AgentLeft);
    assert!(matches!(scene.contacts.get(contact).unwrap().phase, Phase::Waiting), "it is offered, as far as the matcher knows");
    scene.contacts_woken();
    assert!(matches!(scene.contacts.get(contact).unwrap().phase, Phase::Goodbye(EndedBy::Closed)));
}

#[test]
fn an_overflow_to_a_number_takes_no_more_calls_than_its_trunk_has() {
    use crate::acd::queue::{Overflow, WhenEmpty};
    use crate::call::trunk::Outbound;
    let mut scene = Scene::new(false);
    let mut settings = (*scene.lent.settings).clone();
    let rules = settings.directory.queues[0].as_mut().unwrap();
    (rules.leave_when_empty, rules.overflow) = (WhenEmpty::Overflow, Overflow::Number("+82212345".into()));
    let trunk = settings.trunks[0].as_mut().unwrap();
    trunk.calls_max = 1;
    trunk.outbound = Some(Outbound {
        address: "192.0.2.1:5060".parse().unwrap(),
        transport: crate::base::words::Transport::Udp,
        host: "carrier.example".into(),
        prefixes: Vec::new(),
        caller: "+8221200".into(),
    });
    scene.lent.settings = Arc::new(settings);
    scene.lent.matcher.set_standing(AGENT, crate::acd::agent::State::<u8>::Ready.standing());
    let contacts = [scene.waits(), scene.waits()];
    scene.said();
    scene.lent.matcher.set_standing(AGENT, crate::acd::agent::State::<u8>::Offline.standing());
    // Both leave in one go, before legs have said anything.
    scene.news(News::AgentLeft);
    let calls = scene.said().iter().filter(|message| matches!(message, Between::Call(_))).count();
    assert_eq!(calls, 1, "the other hears the goodbye");
    let phases = contacts.map(|contact| std::mem::discriminant(&scene.contacts.get(contact).unwrap().phase));
    assert_ne!(phases[0], phases[1]);
    assert_eq!(scene.with(|contacts, _| contacts.trunks().calls().next()), Some((0, 1)));
    // What could not be called counts no more.
    scene.tell(contacts[0], ToContact::Rung(Role::External(TrunkId(0)), Err(NotRung::OutOfPorts)));
    assert_eq!(scene.with(|contacts, _| contacts.trunks().calls().next()), Some((0, 0)));
}

#[test]
fn a_contact_that_is_over_does_not_wait_for_ever_to_hear_of_a_call() {
    let mut scene = Scene::new(true);
    let contact = scene.waits();
    scene.woken();
    scene.leg(contact, CALLER, LegEvent::Left);
    scene.leg(contact, CALLER, LegEvent::Over);
    // What came of the call is lost.
    scene.pass(Duration::from_secs(3));
    assert!(scene.contacts.is_empty());
}

#[test]
fn what_a_fault_has_lost_of_calls_is_not_heard_later() {
    let mut scene = Scene::new(true);
    let contact = scene.waits();
    scene.woken();
    let rung = ToContact::Rung(Role::Agent(AGENT), Ok(SmallVec::from_iter([PHONE])));
    scene.said.drain(..).for_each(|message| {
        if let Between::Call(call) = message {
            scene.lent.out.0.call(*call);
        }
    });
    scene.lent.out.0.tell_leg(CALLER, ToLeg::Ring);
    scene.lent.out.0.tell_contact(contact, rung);
    scene.lent.out.take_back_calls(contact, &[]);
    scene.follow_commands();
    let said = scene.said();
    let calls = |m: &&Between| matches!(m, Between::Call(_) | Between::ToContact(_, ToContact::Rung(..)));
    assert_eq!(said.iter().filter(calls).count(), 0, "{said:?}");
    assert!(!said.is_empty(), "all else stays");
}
