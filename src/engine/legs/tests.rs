//! Legs by themselves: no engine, no contact, no desk.

use super::*;
use crate::base::words::Limit;
use crate::base::{AgentId, ContactId, ShardId};
use crate::engine::between::{Between, CallFailed, NotRung, Rung};
use crate::engine::io::Output;
use crate::engine::media_port::{MediaCommand, MediaEvent, MediaStats, MediaThread, PortLease};
use crate::engine::tests::house::{CALLER, Request, settings};
use crate::engine::tests::lent::{Lent, T0};
use crate::report::Fact;
use crate::sdp;
use crate::sip::flow::{Flow, ListenerId};
use crate::sip::message::Message;
use crate::sip::session::{Admission, FailedBy, Routed, SessionEvent};

const CONTACT: ContactRef = ContactRef { key: ContactKey { shard: ShardId(0), slot: 0, serial: 1 }, id: ContactId(7) };

/// Legs, and what they are lent.
struct Wire {
    legs: Legs,
    devices: Devices,
    lent: Lent,
}

impl Wire {
    fn new(pairs: u16) -> Self {
        let mut lent = Lent::new(settings(1));
        let keyed = Keyed::from_seed(&mut lent.seed);
        let lease = |n: u16| {
            let rtp = std::net::SocketAddr::new("198.51.100.1".parse().unwrap(), 20_000 + 2 * n);
            PortLease { thread: MediaThread(n % 2), rtp, advertised: rtp.ip() }
        };
        let mut wire = Wire { legs: Legs::new(keyed), devices: Devices::new(keyed), lent };
        let leases = MediaEvent::Leased((0..pairs).map(lease).collect());
        wire.with(|legs, cx| legs.media_event(cx, leases));
        wire
    }

    fn with<T>(&mut self, f: impl FnOnce(&mut Legs, &mut Context<'_>) -> T) -> T {
        f(&mut self.legs, &mut self.lent.context(T0))
    }

    fn tell(&mut self, leg: LegKey, message: &ToLeg) {
        self.with(|legs, cx| legs.handle(cx, leg, message));
    }

    /// A caller's leg, of an INVITE.
    fn caller(&mut self) -> LegKey {
        let text = Request::invite("a").text();
        let message = Message::read(text.as_bytes()).unwrap();
        let flow = Flow::udp(ListenerId(0), CALLER.parse().unwrap());
        self.with(|legs, cx| {
            assert_eq!(cx.sessions.handle_message(T0, &flow, &message), Routed::New);
            let session = cx.sessions.incoming(T0, &flow, &message, &Admission::default()).unwrap();
            let (key, sdp_offer) = (legs.next_key(cx), sdp::read(message.body).unwrap());
            legs.arrive(cx, NewCaller { key, contact: CONTACT, session, behind_nat: false, sdp_offer });
            key
        })
    }

    /// A caller who is answered.
    fn answered(&mut self) -> LegKey {
        let caller = self.caller();
        self.tell(caller, &ToLeg::Accept { like: None, hears: None, talks: false });
        caller
    }

    /// What comes of calling the agent's phone for a caller.
    fn calls(&mut self, caller: LegKey) -> Rung {
        let whom = Whom::Agent { agent: AgentId(0), from: "<sip:1@city.example>".to_owned() };
        let call = Call { contact: CONTACT, caller, max_forwards: 69, whom };
        let Wire { legs, devices, lent } = self;
        legs.call(&mut lent.context(T0), devices, &call);
        match self.told().pop() {
            Some(ToContact::Rung(Role::Agent(AgentId(0)), rung)) => rung,
            other => panic!("{other:?}"),
        }
    }

    /// What the contact was told.
    fn told(&mut self) -> Vec<ToContact> {
        let messages = std::iter::from_fn(|| self.lent.out.next_message());
        messages
            .map(|message| match message {
                Between::ToContact(key, message) if key == CONTACT.key => message,
                other => panic!("a leg knows its contact alone: {other:?}"),
            })
            .collect()
    }

    fn thread(&self, leg: LegKey) -> Option<MediaThread> {
        get(&self.legs.legs, leg)?.media.as_ref().map(media::LegMedia::thread)
    }

    /// What was sent, as first lines and bodies.
    fn sent(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.lent.sessions.poll_transmit())
            .map(|t| String::from_utf8_lossy(&t.bytes).into_owned())
            .collect()
    }

    fn outputs(&mut self) -> (Vec<MediaCommand>, Vec<FactKind>) {
        let (mut media, mut facts) = (Vec::new(), Vec::new());
        while let Some(output) = self.lent.out.next_output() {
            match output {
                Output::Media(_, command) => media.push(command),
                Output::Fact(Fact { kind, .. }) => facts.push(kind),
                Output::Transmit(_) | Output::Text(_) | Output::Letter(..) => {}
            }
        }
        (media, facts)
    }
}

#[test]
fn a_description_is_made_once_and_the_same_in_183_and_200() {
    let mut wire = Wire::new(4);
    let caller = wire.caller();
    wire.tell(caller, &ToLeg::Progress { like: None, hears: Heard::Nothing });
    wire.tell(caller, &ToLeg::Accept { like: None, hears: None, talks: false });
    let sent = wire.sent();
    let body = |text: &str| text.split_once("\r\n\r\n").unwrap().1.to_owned();
    assert!(sent[0].starts_with("SIP/2.0 183 ") && sent[1].starts_with("SIP/2.0 200 "), "{sent:?}");
    assert_eq!(body(&sent[0]), body(&sent[1]));
    let (media, _) = wire.outputs();
    assert_eq!(media.iter().filter(|command| matches!(command, MediaCommand::Open { .. })).count(), 1);
    assert_eq!(wire.told(), [], "there is nothing to say of it");
}

#[test]
fn a_caller_who_cannot_be_answered_is_told_of() {
    let mut wire = Wire::new(0);
    let caller = wire.answered();
    assert_eq!(wire.told(), [ToContact::Leg(caller, LegEvent::Unanswerable(503))]);
    assert_eq!(wire.sent(), Vec::<String>::new());
}

#[test]
fn without_a_port_nobody_is_called_and_nothing_is_left() {
    let mut wire = Wire::new(1);
    let caller = wire.answered();
    wire.outputs();
    assert_eq!(wire.calls(caller), Err(NotRung::OutOfPorts));
    assert!(!wire.sent().iter().any(|text| text.starts_with("INVITE")));
    assert_eq!(wire.outputs().1, [FactKind::LimitHit { limit: Limit::MediaPorts }]);
    assert_eq!(wire.legs.views().count(), 1);
}

#[test]
fn whoever_is_called_is_offered_what_the_caller_speaks_first() {
    let mut wire = Wire::new(4);
    let caller = wire.answered();
    wire.sent();
    let called = wire.calls(caller).unwrap()[0];
    assert_eq!(wire.thread(called), wire.thread(caller), "both can hear each other");
    let sent = wire.sent();
    assert!(sent[0].starts_with("INVITE ") && sent[0].contains("m=audio") && sent[0].contains(" RTP/AVP 0 "), "{sent:?}");
}

#[test]
fn a_late_answered_caller_is_of_the_thread_of_those_who_ring_for_it() {
    let mut wire = Wire::new(8);
    let caller = wire.caller();
    let first = wire.calls(caller).unwrap()[0];
    let second = wire.calls(caller).unwrap()[0];
    wire.tell(
        caller,
        &ToLeg::Accept { like: Some(second), hears: Some(Heard::Legs(SmallVec::from_iter([second]))), talks: true },
    );
    let threads: Vec<_> = [caller, first, second].iter().map(|leg| wire.thread(*leg)).collect();
    assert!(threads[0].is_some() && threads.iter().all(|thread| *thread == threads[0]), "{threads:?}");
}

#[test]
fn a_call_that_fails_is_told_of_once_and_its_leg_is_gone() {
    let mut wire = Wire::new(4);
    let caller = wire.answered();
    let called = wire.calls(caller).unwrap()[0];
    let session = get(&wire.legs.legs, called).unwrap().session;
    let failed = || SessionEvent::Failed { status: 486, by: FailedBy::Peer };
    wire.with(|legs, cx| legs.session_event(cx, session, failed()));
    wire.with(|legs, cx| legs.session_event(cx, session, SessionEvent::Over));
    assert_eq!(wire.told(), [ToContact::Leg(called, LegEvent::Failed(CallFailed::Refused(486)))]);
    assert_eq!((wire.legs.reports_to(called), wire.legs.reports_to(caller)), (None, Some(CONTACT.key)));
}

#[test]
fn silence_means_something_in_a_talk_alone() {
    let mut wire = Wire::new(4);
    let caller = wire.answered();
    let endpoint = caller.endpoint();
    let silent = || MediaEvent::Silent { endpoint, silent_for: std::time::Duration::from_secs(8) };
    wire.sent();
    wire.with(|legs, cx| legs.media_event(cx, silent()));
    assert_eq!(wire.sent(), Vec::<String>::new());
    wire.tell(caller, &ToLeg::Hear { what: Some(Heard::Nothing), talks: true });
    wire.with(|legs, cx| legs.media_event(cx, silent()));
    // Its 200 has had no ACK yet, so that the question waits (RFC 3261 13.2.2.4 and 14).
    assert_eq!(wire.told(), []);
}

#[test]
fn a_leg_that_is_gone_is_recorded_once_and_messages_to_it_are_quiet() {
    let mut wire = Wire::new(4);
    let caller = wire.answered();
    let (session, endpoint) = {
        let leg = get(&wire.legs.legs, caller).unwrap();
        (leg.session, leg.key.endpoint())
    };
    wire.outputs();
    for _ in 0..2 {
        wire.with(|legs, cx| legs.session_event(cx, session, SessionEvent::Over));
    }
    assert_eq!(wire.told(), [ToContact::Leg(caller, LegEvent::Over)]);
    assert_eq!(wire.outputs(), (vec![MediaCommand::Close { endpoint }], vec![]), "its packets are not counted yet");
    let stats = MediaStats { received: 3, ..MediaStats::default() };
    for _ in 0..2 {
        wire.with(|legs, cx| legs.media_event(cx, MediaEvent::Closed { endpoint, stats }));
    }
    assert!(matches!(wire.outputs().1.as_slice(), [FactKind::LegEnded { leg: 1, status: Some(200), packets: (3, 0, 0), .. }]));
    for message in [ToLeg::Hear { what: Some(Heard::Nothing), talks: true }, ToLeg::HangUp, ToLeg::End(480), ToLeg::Ask] {
        wire.tell(caller, &message);
    }
    assert_eq!((wire.outputs(), wire.told()), ((vec![], vec![]), vec![]));
    assert!(wire.legs.is_idle());
}

#[test]
fn each_leg_of_a_contact_has_a_number_of_its_own() {
    let mut wire = Wire::new(8);
    let caller = wire.caller();
    wire.outputs();
    // Two are called before the contact has heard of the first.
    let legs = [wire.calls(caller).unwrap()[0], wire.calls(caller).unwrap()[0]];
    let numbers = legs.map(|leg| get(&wire.legs.legs, leg).unwrap().number);
    assert_eq!(numbers, [2, 3]);
}

#[test]
fn nobody_is_called_for_a_caller_who_has_left() {
    let mut wire = Wire::new(4);
    let caller = wire.answered();
    wire.tell(caller, &ToLeg::End(480));
    assert!(wire.calls(caller).is_err());
    assert!(!wire.sent().iter().any(|text| text.starts_with("INVITE")));
}
