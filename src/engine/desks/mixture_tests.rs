//! Agents who may have chats as well as a call. Nothing brings chats yet: here contacts come to the matcher by hand.

use super::*;
use crate::acd::ContactSlot;
use crate::acd::agent_slots::{Capacity, Verdict};
use crate::acd::claim::ContactView;
use crate::acd::queue::tests::plain;
use crate::base::words::Channel;
use crate::engine::between::{Between, ContactKey, News};
use crate::engine::devices::Binding;
use crate::engine::io::Output;
use crate::engine::tests::house::settings;
use crate::engine::tests::lent::{Lent, SHARD, T0};
use crate::report::Fact;

const ANNA: AgentId = AgentId(0);
const CALLS: QueueId = QueueId(0);
const CHATS: QueueId = QueueId(1);
const SPAN: Duration = Duration::from_secs(600);

type Mixtures<'m> = &'m [&'m [(Channel, u8)]];
const A_CALL_OR_TWO_CHATS: Mixtures<'_> = &[&[(Channel::Voice, 1)], &[(Channel::Chat, 2)]];
const A_CALL_OR_A_CHAT: Mixtures<'_> = &[&[(Channel::Voice, 1)], &[(Channel::Chat, 1)]];
const A_CALL_AND_A_CHAT: Mixtures<'_> = &[&[(Channel::Voice, 1), (Channel::Chat, 1)]];

/// The desk of one agent, a queue of calls and one of chats.
struct Office {
    desks: Desks,
    lent: Lent,
    said: Vec<Between>,
    /// Whether nobody knows the contacts' names yet.
    nameless: bool,
    now: Time,
    contacts: u32,
}

fn may_have(mixtures: Mixtures<'_>) -> Settings {
    let mut settings = settings(1);
    settings.directory.queues.push(Some(crate::acd::queue::QueueRules { channel: Channel::Chat, ..plain("chats", &[], &[0]) }));
    let profile = settings.directory.agents[0].as_mut().unwrap();
    profile.capacity = Capacity::of(mixtures.iter().map(|mixture| Capacity::load(mixture)));
    settings
}

fn reference(slot: ContactSlot) -> ContactRef {
    let serial = u64::from(slot.0) + 1;
    ContactRef { key: ContactKey { shard: SHARD, slot: slot.0, serial }, id: ContactId(u128::from(serial)) }
}

impl Office {
    fn new(mixtures: Mixtures<'_>) -> Self {
        let mut lent = Lent::new(may_have(mixtures));
        let desks = Desks::new(&lent.settings, Keyed::from_seed(&mut lent.seed), T0);
        let mut office = Office { desks, lent, said: Vec::new(), nameless: false, now: T0, contacts: 0 };
        office.with(Desks::start);
        office.states();
        office
    }

    fn with<T>(&mut self, f: impl FnOnce(&mut Desks, &mut Context<'_>) -> T) -> T {
        let told = f(&mut self.desks, &mut self.lent.context(self.now));
        let named = !self.nameless;
        self.said.extend(self.lent.settle(self.now, &mut self.desks, |_, slot| named.then(|| reference(slot).id)));
        told
    }

    fn tell(&mut self, message: ToDesk) {
        self.with(|desks, cx| desks.handle(cx, ANNA, (SHARD, message)));
        self.follow();
    }

    /// A contact comes to a queue, and nobody has looked yet.
    fn comes(&mut self, queue: QueueId) -> ContactSlot {
        self.now = self.now + Duration::from_secs(1);
        let slot = ContactSlot(self.contacts);
        self.contacts += 1;
        let Lent { matcher, .. } = &self.lent;
        let demand = matcher.routing_table().demand(queue, None, 0).unwrap();
        let key = matcher.key(self.now, Duration::ZERO, false);
        matcher.arrive(slot, queue, 100, demand, key, self.now).unwrap();
        slot
    }

    fn arrives(&mut self, queue: QueueId) -> ContactSlot {
        let slot = self.comes(queue);
        self.follow();
        slot
    }

    /// The matcher's wake-ups for agents, with the names of the contacts.
    fn follow(&mut self) {
        let mut woken = Vec::new();
        self.lent.matcher.woken_agents(SHARD.0, |agent_slot| woken.push(agent_slot));
        for agent_slot in woken {
            let agent = self.lent.settings.agent_slots.agent(agent_slot);
            self.with(|desks, cx| desks.woken(cx, agent));
        }
    }

    fn verdict(&self, slot: ContactSlot) -> Option<Verdict> {
        self.lent.matcher.verdict(slot)
    }

    /// The contact is answered.
    fn talks(&mut self, slot: ContactSlot) {
        assert_eq!(self.verdict(slot), Some(Verdict::Agreed));
        assert!(self.lent.matcher.accept(slot).is_some());
        self.tell(ToDesk::Talks(reference(slot), SPAN));
    }

    fn ends(&mut self, slot: ContactSlot) {
        self.tell(ToDesk::TalkOver(reference(slot).id, None));
    }

    /// Lets the timers come that are due within `span`; which they were.
    fn pass(&mut self, span: Duration) -> Vec<DeskTimer> {
        let (end, mut came) = (self.now + span, Vec::new());
        while let Some((at, reason)) = self.lent.timers.pop_due(end) {
            let Reason::Desk(agent, timer) = reason else { panic!("{reason:?}") };
            self.now = at;
            self.with(|desks, cx| desks.due(cx, agent, timer));
            self.follow();
            came.push(timer);
        }
        self.now = end;
        came
    }

    /// The agent may have something else from now on.
    fn reloads(&mut self, mixtures: Mixtures<'_>) {
        let (old, settings) = (self.lent.settings.clone(), may_have(mixtures));
        let (settings, directory) = settings.with_agent_slots(&old.agent_slots);
        let version = old.version + 1;
        self.lent.matcher.publish(&directory, version).unwrap();
        self.lent.settings = std::sync::Arc::new(Settings { version, ..settings });
        self.with(|desks, cx| desks.take_up(cx, Some(&old)));
        for message in std::mem::take(&mut self.said) {
            if let Between::ToDesk(_, _, change) = message {
                self.tell(change);
            }
        }
    }

    /// The agent's phone registers, or does so again.
    fn registers(&mut self) {
        let flow = Flow::udp(crate::sip::flow::ListenerId(0), "192.0.2.9:5060".parse().unwrap());
        let expires = self.now + Duration::from_secs(3600);
        let binding = Binding { uri: "sip:anna@192.0.2.9".into(), flow, path: None, expires, call_id: "r".into(), cseq: 1 };
        self.desks.devices.set(ANNA, vec![binding]);
        self.with(|desks, cx| desks.registered(cx, ANNA));
        self.follow();
    }

    /// The states that were reported.
    fn states(&mut self) -> Vec<AgentState> {
        std::iter::from_fn(|| self.lent.out.next_output())
            .filter_map(|output| match output {
                Output::Fact(Fact { kind: FactKind::Agent { to: (word, _), .. }, .. }) => Some(word),
                _ => None,
            })
            .collect()
    }

    fn said(&mut self) -> Vec<Between> {
        std::mem::take(&mut self.said)
    }
}

#[test]
fn an_agent_has_a_call_or_two_chats() {
    let mut office = Office::new(A_CALL_OR_TWO_CHATS);
    let chats = [office.arrives(CHATS), office.arrives(CHATS)];
    chats.iter().for_each(|chat| office.talks(*chat));
    let call = office.arrives(CALLS);
    assert_eq!(office.lent.matcher.contact(call), ContactView::Waiting, "not beside chats");
    office.ends(chats[0]);
    assert_eq!(office.lent.matcher.contact(call), ContactView::Waiting, "one is still there");
    let later = office.arrives(CHATS);
    assert_eq!(office.lent.matcher.contact(later), ContactView::Waiting, "the agent drains for the call, which came first");
    office.ends(chats[1]);
    office.talks(call);
    assert_eq!(office.lent.matcher.contact(later), ContactView::Waiting);
    office.ends(call);
    office.talks(later);
}

#[test]
fn an_agent_has_a_call_beside_a_chat_and_is_reported_once() {
    let mut office = Office::new(A_CALL_AND_A_CHAT);
    let chat = office.arrives(CHATS);
    office.talks(chat);
    assert_eq!(office.states(), [AgentState::Reserved, AgentState::Talking]);
    let call = office.arrives(CALLS);
    office.tell(ToDesk::LegsBegan(1));
    office.tell(ToDesk::Rings(reference(call), SPAN));
    office.talks(call);
    office.ends(chat);
    office.ends(call);
    assert_eq!(office.states(), [AgentState::Ready], "all the time the agent talked to somebody");
    // The phone has not hung up yet: that keeps the agent from calls, and not from chats.
    let (next, chat) = (office.arrives(CALLS), office.arrives(CHATS));
    assert_eq!(office.lent.matcher.contact(next), ContactView::Waiting);
    office.talks(chat);
    office.tell(ToDesk::LegGone);
    assert_eq!(office.verdict(next), Some(Verdict::Agreed));
}

#[test]
fn of_two_that_do_not_go_together_the_later_is_declined() {
    let mut office = Office::new(A_CALL_OR_A_CHAT);
    let (chat, call) = (office.comes(CHATS), office.comes(CALLS));
    office.follow();
    assert_eq!([chat, call].map(|slot| office.verdict(slot)), [Some(Verdict::Agreed), Some(Verdict::Declined)]);
}

#[test]
fn what_has_no_name_yet_is_neither_taken_nor_declined_and_counts() {
    let mut office = Office::new(A_CALL_OR_A_CHAT);
    let chat = office.comes(CHATS);
    office.nameless = true;
    office.with(|desks, cx| desks.woken(cx, ANNA));
    office.nameless = false;
    assert_eq!(office.verdict(chat), None);
    let call = office.comes(CALLS);
    assert_eq!(office.lent.matcher.contact(call), ContactView::Waiting, "there is no room for a call beside the chat");
    office.follow();
    office.talks(chat);
}

#[test]
fn who_misses_a_ring_is_there_for_nobody() {
    let mut office = Office::new(A_CALL_AND_A_CHAT);
    let call = office.arrives(CALLS);
    office.tell(ToDesk::Rings(reference(call), SPAN));
    office.lent.matcher.leave(call);
    office.tell(ToDesk::RingOver(reference(call).id, OfferOutcome::TimedOut, Duration::ZERO));
    assert_eq!(office.states().last(), Some(&AgentState::Break));
    let chat = office.arrives(CHATS);
    assert_eq!(office.lent.matcher.contact(chat), ContactView::Waiting);
    office.tell(ToDesk::Command(AgentCommand::Ready));
    office.talks(chat);
}

#[test]
fn a_colleague_does_not_call_into_chats_that_leave_no_room_for_a_call() {
    for (mixtures, taken) in [(A_CALL_OR_A_CHAT, false), (A_CALL_AND_A_CHAT, true)] {
        let mut office = Office::new(mixtures);
        let chat = office.arrives(CHATS);
        office.talks(chat);
        office.said();
        let caller = reference(ContactSlot(7));
        office.tell(ToDesk::Take(caller, Want::Colleague));
        let is_taken = matches!(office.said().as_slice(), [Between::ToContact(_, ToContact::Taken(..))]);
        assert_eq!(is_taken, taken, "{mixtures:?}");
        // It is the phone that is busy by it, and not the chat.
        office.ends(chat);
        if taken {
            office.tell(ToDesk::TalkOver(caller.id, None));
        }
        assert_eq!(office.states().last(), Some(&AgentState::Ready));
    }
}

#[test]
fn an_agent_drains_only_while_somebody_waits_for_that() {
    let mut office = Office::new(A_CALL_OR_TWO_CHATS);
    let chats = [office.arrives(CHATS), office.arrives(CHATS)];
    chats.iter().for_each(|chat| office.talks(*chat));
    let call = office.arrives(CALLS);
    office.ends(chats[0]);
    let next = office.arrives(CHATS);
    assert_eq!(office.lent.matcher.contact(next), ContactView::Waiting);
    // The caller hangs up. The desk comes to know of that when it looks again.
    office.lent.matcher.leave(call);
    let came = office.pass(DRAIN_LOOK);
    assert!(came.contains(&DeskTimer::Drain), "{came:?}");
    office.talks(next);
}

#[test]
fn each_slot_has_its_own_deadline() {
    let mut office = Office::new(A_CALL_AND_A_CHAT);
    let chat = office.arrives(CHATS);
    office.talks(chat);
    let call = office.arrives(CALLS);
    office.talks(call);
    office.tell(ToDesk::Talks(reference(call), Duration::from_secs(60)));
    office.states();
    let talks = |office: &Office| matches!(office.desks.views().next().unwrap().state, State::Talking { .. });
    office.pass(Duration::from_secs(99));
    assert!(talks(&office));
    office.pass(Duration::from_secs(1));
    assert!(!talks(&office));
    assert_eq!(office.states(), [], "the chat goes on");
    let view = office.desks.views().next().unwrap();
    assert!(view.state == State::Ready && view.has_deadline, "the talk that nobody ended is over");
}

#[test]
fn a_changed_mixture_is_taken_up_when_it_may_be() {
    let mut office = Office::new(&[&[(Channel::Voice, 1)]]);
    let chat = office.arrives(CHATS);
    assert_eq!(office.lent.matcher.contact(chat), ContactView::Waiting);
    office.reloads(A_CALL_AND_A_CHAT);
    office.talks(chat);
    let call = office.arrives(CALLS);
    office.talks(call);
    office.states();
    // Less is allowed from now on. What is there goes on to its end.
    office.reloads(&[&[(Channel::Voice, 1)]]);
    assert_eq!(office.states(), []);
    let next = office.arrives(CHATS);
    office.ends(chat);
    office.ends(call);
    assert_eq!(office.states(), [AgentState::Ready]);
    assert_eq!(office.lent.matcher.contact(next), ContactView::Waiting);
    let call = office.arrives(CALLS);
    office.talks(call);
    office.ends(call);
    // The same number is used again.
    let ids = |office: &Office| office.lent.settings.agent_slots.of(ANNA).collect::<Vec<_>>();
    let before = ids(&office);
    office.reloads(A_CALL_AND_A_CHAT);
    assert_eq!(ids(&office), before);
    office.talks(next);
}

#[test]
fn who_signs_out_with_a_chat_left_has_left_for_callers() {
    let mut office = Office::new(A_CALL_AND_A_CHAT);
    let chat = office.arrives(CHATS);
    office.talks(chat);
    office.states();
    office.said();
    office.tell(ToDesk::Command(AgentCommand::SignOut));
    assert_eq!(office.said(), [Between::ToContacts(News::AgentLeft)], "whoever waits for this agent's phone waits for nobody");
    assert_eq!(office.states(), []);
    office.ends(chat);
    assert_eq!((office.said(), office.states()), (vec![Between::ToContacts(News::AgentLeft)], vec![AgentState::Offline]));
}

#[test]
fn a_slot_that_is_allowed_again_is_as_the_agent_is() {
    let mut office = Office::new(A_CALL_AND_A_CHAT);
    office.registers();
    office.reloads(&[&[(Channel::Voice, 1)]]);
    office.registers();
    office.reloads(A_CALL_AND_A_CHAT);
    let chat = office.arrives(CHATS);
    assert_eq!(office.verdict(chat), Some(Verdict::Agreed));
}

#[test]
fn who_may_not_have_chats_any_more_is_reported_as_if_never() {
    let mut office = Office::new(A_CALL_AND_A_CHAT);
    office.reloads(&[&[(Channel::Voice, 1)]]);
    office.tell(ToDesk::Command(AgentCommand::Ready));
    refuses_a_call(&mut office);
}

#[test]
fn a_wrap_up_is_that_of_the_contact_before() {
    let mut office = Office::new(A_CALL_AND_A_CHAT);
    let chat = office.arrives(CHATS);
    office.talks(chat);
    let call = office.arrives(CALLS);
    office.talks(call);
    office.ends(chat);
    office.states();
    let mut settings = (*office.lent.settings).clone();
    settings.accounts[0].as_mut().unwrap().wrap_up = Some(Duration::from_secs(10));
    office.lent.settings = std::sync::Arc::new(settings);
    office.ends(call);
    let mut told = std::iter::from_fn(|| office.lent.out.next_output());
    let of = told.find_map(|output| match output {
        Output::Fact(Fact { contact, kind: FactKind::Agent { to: (AgentState::WrapUp, _), .. }, .. }) => Some(contact),
        _ => None,
    });
    assert_eq!(of, Some(Some(reference(call).id)));
}

fn refuses_a_call(office: &mut Office) {
    office.states();
    let call = office.arrives(CALLS);
    office.tell(ToDesk::Rings(reference(call), SPAN));
    office.lent.matcher.leave(call);
    office.tell(ToDesk::RingOver(reference(call).id, OfferOutcome::Refused, Duration::from_secs(10)));
    assert_eq!(office.states(), [AgentState::Reserved, AgentState::Ringing, AgentState::Break]);
}

#[test]
fn who_refuses_a_call_is_on_a_break_from_calls_and_not_from_chats() {
    let mut office = Office::new(A_CALL_AND_A_CHAT);
    refuses_a_call(&mut office);
    let chat = office.arrives(CHATS);
    office.talks(chat);
}
