//! Legs by themselves: no engine, no contact, no desk.

use super::*;
use crate::base::words::Limit;
use crate::base::{AgentId, ContactId};
use crate::engine::io::Output;
use crate::engine::media_port::{Feed, MediaCommand, MediaStats, PortLease};
use crate::engine::tests::house::{CALLER, Request, settings};
use crate::engine::tests::lent::{Lent, T0};
use crate::report::Fact;
use crate::sdp;
use crate::sip::flow::{Flow, ListenerId};
use crate::sip::message::Message;
use crate::sip::session::{Admission, NewInvite, Routed};

const CONTACT: ContactRef = ContactRef { key: ContactKey { shard: ShardId(0), slot: 0, serial: 1 }, id: ContactId(7) };

/// Legs, and what they are lent.
struct Wire {
    legs: Legs,
    lent: Lent,
}

impl Wire {
    fn new(pairs: u16) -> Self {
        let mut lent = Lent::new(settings(1));
        let mut legs = Legs::new(Keyed::from_seed(&mut lent.seed));
        let lease = |n: u16| {
            let rtp = std::net::SocketAddr::new("198.51.100.1".parse().unwrap(), 20_000 + 2 * n);
            PortLease { thread: MediaThread(n % 2), rtp, advertised: rtp.ip() }
        };
        legs.leased((0..pairs).map(lease).collect());
        Wire { legs, lent }
    }

    fn with<T>(&mut self, f: impl FnOnce(&mut Legs, &mut Context<'_>) -> T) -> T {
        f(&mut self.legs, &mut self.lent.context(T0))
    }

    /// A caller's leg, of an INVITE.
    fn caller(&mut self) -> LegKey {
        let text = Request::invite("a").text();
        let message = Message::read(text.as_bytes()).unwrap();
        let flow = Flow::udp(ListenerId(0), CALLER.parse().unwrap());
        self.with(|legs, cx| {
            assert_eq!(cx.sessions.handle_message(T0, &flow, &message), Routed::New);
            let session = cx.sessions.incoming(T0, &flow, &message, &Admission::default()).unwrap();
            let sdp_offer = sdp::read(message.body).unwrap();
            legs.arrive(cx, NewCaller { contact: CONTACT, session, behind_nat: false, sdp_offer })
        })
    }

    fn calls(&mut self, caller: LegKey, thread: Option<MediaThread>) -> Option<LegKey> {
        let invite = NewInvite {
            flow: Flow::udp(ListenerId(0), ([203, 0, 113, 1], 5060).into()),
            behind_nat: false,
            uri: "sip:anna@203.0.113.1",
            route: None,
            from: "<sip:1@city.example>",
            to: "<sip:anna@city.example>",
            max_forwards: 69,
            headers: &[],
            body: ("", &[]),
            credentials: None,
        };
        let new = NewCall { contact: CONTACT, number: 2, role: Role::Agent(AgentId(0)), caller, thread, invite };
        self.with(|legs, cx| legs.call(cx, new))
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
                Output::Transmit(_) => {}
            }
        }
        (media, facts)
    }
}

#[test]
fn a_description_is_made_once_and_the_same_in_183_and_200() {
    let mut wire = Wire::new(4);
    let caller = wire.caller();
    assert_eq!(wire.with(|legs, cx| legs.progress(cx, caller, None, None)), Ok(()));
    assert_eq!(wire.with(|legs, cx| legs.accept(cx, caller, None, None)), Ok(()));
    let sent = wire.sent();
    let body = |text: &str| text.split_once("\r\n\r\n").unwrap().1.to_owned();
    assert!(sent[0].starts_with("SIP/2.0 183 ") && sent[1].starts_with("SIP/2.0 200 "), "{sent:?}");
    assert_eq!(body(&sent[0]), body(&sent[1]));
    let (media, _) = wire.outputs();
    assert_eq!(media.iter().filter(|command| matches!(command, MediaCommand::Open { .. })).count(), 1);
}

#[test]
fn without_a_port_nobody_is_called_and_nothing_is_left() {
    let mut wire = Wire::new(1);
    let caller = wire.caller();
    assert_eq!(wire.with(|legs, cx| legs.accept(cx, caller, None, None)), Ok(()));
    wire.outputs();
    assert_eq!(wire.calls(caller, None), None);
    assert!(!wire.sent().iter().any(|text| text.starts_with("INVITE")));
    assert_eq!(wire.outputs().1, [FactKind::LimitHit { limit: Limit::MediaPorts }]);
    assert_eq!(wire.legs.iter().count(), 1);
}

#[test]
fn whoever_is_called_is_offered_what_the_caller_speaks_first() {
    let mut wire = Wire::new(4);
    let caller = wire.caller();
    wire.with(|legs, cx| legs.accept(cx, caller, None, None)).unwrap();
    wire.sent();
    let thread = wire.legs.get(caller).and_then(Leg::thread);
    let called = wire.calls(caller, thread).unwrap();
    assert_eq!(wire.legs.get(called).and_then(Leg::thread), thread, "both can hear each other");
    let sent = wire.sent();
    assert!(sent[0].starts_with("INVITE ") && sent[0].contains("m=audio") && sent[0].contains(" RTP/AVP 0 "), "{sent:?}");
}

#[test]
fn a_leg_that_is_gone_is_recorded_once_and_commands_to_it_are_quiet() {
    let mut wire = Wire::new(4);
    let caller = wire.caller();
    wire.with(|legs, cx| legs.accept(cx, caller, None, None)).unwrap();
    let endpoint = wire.legs.get(caller).and_then(Leg::endpoint).unwrap();
    wire.outputs();
    assert!(wire.with(|legs, cx| legs.remove(cx, caller)).is_some());
    assert!(wire.with(|legs, cx| legs.remove(cx, caller)).is_none());
    assert_eq!(wire.outputs(), (vec![MediaCommand::Close { endpoint }], vec![]), "its packets are not counted yet");
    let stats = MediaStats { received: 3, ..MediaStats::default() };
    wire.with(|legs, cx| legs.counted(cx, endpoint, &stats));
    wire.with(|legs, cx| legs.counted(cx, endpoint, &stats));
    assert!(matches!(wire.outputs().1.as_slice(), [FactKind::LegEnded { leg: 1, status: Some(200), packets: (3, 0, 0), .. }]));
    wire.with(|legs, cx| {
        legs.feed(cx, caller, Feed::Nothing);
        legs.hang_up(cx, caller);
        legs.end(cx, caller, 480);
        legs.silent(cx, caller);
    });
    assert_eq!(wire.outputs(), (vec![], vec![]));
    assert!(wire.legs.is_empty() && wire.legs.media_is_over());
}
