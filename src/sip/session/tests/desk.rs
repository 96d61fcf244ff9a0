//! A machine on a desk: what is put into it is written by hand, what comes out lies there to be looked at.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use crate::sip::flow::ListenerId;
use crate::sip::name::Name;

pub(super) const OURS: &str = "198.51.100.1:5060";
pub(super) const PEER: &str = "192.0.2.1:5060";
pub(super) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n";

/// A message that the machine sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) to: SocketAddr,
    bytes: Arc<[u8]>,
}

impl Sent {
    pub(super) fn message(&self) -> Message<'_> {
        let message = Message::read(&self.bytes).expect("what we send can be read");
        message.check().expect("and is complete");
        message
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// `INVITE`, or `200 INVITE`.
    pub(super) fn what(&self) -> String {
        let message = self.message();
        match (message.method(), message.status()) {
            (Some(method), _) => method.to_string(),
            (None, Some(status)) => format!("{status} {}", message.cseq().unwrap().method),
            _ => unreachable!(),
        }
    }

    pub(super) fn header(&self, name: Name) -> String {
        self.message().text(name).unwrap_or_default().to_owned()
    }

    pub(super) fn cseq(&self) -> u32 {
        self.message().cseq().unwrap().number
    }

    pub(super) fn body(&self) -> String {
        String::from_utf8_lossy(self.message().body).into_owned()
    }
}

pub(super) struct Desk {
    pub(super) sessions: Sessions,
    pub(super) now: Time,
    pub(super) sent: VecDeque<Sent>,
    pub(super) events: VecDeque<(SessionId, SessionEvent)>,
}

pub(super) fn flow(remote: &str) -> Flow {
    Flow::udp(ListenerId(0), remote.parse().unwrap())
}

impl Desk {
    pub(super) fn new() -> Self {
        let udp = ListenerName { transport: Transport::Udp, sent_by: OURS.into() };
        let tcp = ListenerName { transport: Transport::Tcp, sent_by: OURS.into() };
        Desk {
            sessions: Sessions::new(0, vec![udp, tcp], Seed::from_number(11), Arc::default()),
            now: Time::from_secs(1_800_000_000),
            sent: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    pub(super) fn drain(&mut self) {
        self.events.extend(std::iter::from_fn(|| self.sessions.poll_event()));
        let sent = std::iter::from_fn(|| self.sessions.poll_transmit());
        self.sent.extend(sent.map(|transmit| Sent { to: transmit.flow.remote, bytes: transmit.bytes }));
    }

    pub(super) fn receive_by(&mut self, flow: &Flow, text: &str) -> Routed {
        let message = Message::read(text.as_bytes()).expect("the test writes SIP");
        message.check().expect("and completely");
        let routed = self.sessions.handle_message(self.now, flow, &message);
        self.drain();
        routed
    }

    /// A message from the peer that is about a session.
    pub(super) fn receive(&mut self, text: &str) {
        assert!(matches!(self.receive_by(&flow(PEER), text), Routed::Done(_)));
    }

    /// An INVITE of the peer's that is admitted.
    pub(super) fn admit(&mut self, text: &str, admission: &Admission) -> SessionId {
        assert_eq!(self.receive_by(&flow(PEER), text), Routed::New);
        let message = Message::read(text.as_bytes()).unwrap();
        self.sessions.incoming(self.now, &flow(PEER), &message, admission).expect("it is admitted")
    }

    /// A call of ours to the peer.
    pub(super) fn call(&mut self, credentials: Option<Login>) -> (SessionId, Sent) {
        let new = NewInvite {
            flow: flow(PEER),
            behind_nat: false,
            uri: "sip:peer@192.0.2.1",
            route: None,
            from: "\"Us\" <sip:120@city.example>",
            to: "<sip:peer@city.example>",
            max_forwards: 69,
            headers: &[(Name::AlertInfo, "<urn:alert:source:internal>")],
            body: ("application/sdp", SDP.as_bytes()),
            credentials: credentials.map(Arc::new),
        };
        let id = self.sessions.invite(self.now, &new);
        self.drain();
        (id, self.next("INVITE"))
    }

    /// A call of ours that the peer has answered.
    pub(super) fn up(&mut self, credentials: Option<Login>) -> (SessionId, Peer) {
        let (id, invite) = self.call(credentials);
        self.receive(&answer(&invite, 200, "peer", CONTACT, SDP));
        self.next("ACK");
        assert!(matches!(self.event(), SessionEvent::Answered { body: Some(_) }));
        (id, Peer::called(&invite))
    }

    /// A call of the peer's that we have answered and the peer has acknowledged.
    pub(super) fn up_in(&mut self, admission: &Admission) -> (SessionId, Peer) {
        let (id, peer) = self.answered_in(admission);
        self.receive(&peer.ack(1));
        assert_eq!(self.event(), SessionEvent::Acknowledged);
        (id, peer)
    }

    /// The same without the ACK.
    pub(super) fn answered_in(&mut self, admission: &Admission) -> (SessionId, Peer) {
        let invite = new_invite("in", "z9hG4bKin");
        let id = self.admit(&invite, admission);
        self.at(id, |session| session.accept(("application/sdp", b"v=0 ours")));
        let ok = self.next("200 INVITE");
        (id, Peer::calling(&ok))
    }

    /// Gives a command.
    pub(super) fn at(&mut self, id: SessionId, command: impl FnOnce(&mut SessionMut<'_>)) {
        command(&mut self.sessions.session(self.now, id));
        self.drain();
    }

    /// The next message sent, which must be this.
    pub(super) fn next(&mut self, what: &str) -> Sent {
        let sent = self.sent.pop_front().unwrap_or_else(|| panic!("{what} was not sent"));
        assert_eq!(sent.what(), what, "{}", sent.text());
        sent
    }

    pub(super) fn event(&mut self) -> SessionEvent {
        self.events.pop_front().expect("something is told").1
    }

    pub(super) fn quiet(&self) {
        assert!(self.sent.is_empty(), "{:?}", self.sent.front().map(Sent::text));
        assert!(self.events.is_empty(), "{:?}", self.events);
    }

    /// Time passes, timers fire as they are due.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, _)) = self.sessions.next_deadline().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.sessions.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Everything is over, and after a while nothing at all is kept.
    pub(super) fn assert_over(&mut self) {
        assert_eq!(self.events.pop_back().map(|(_, event)| event), Some(SessionEvent::Over));
        assert_eq!(self.sessions.held().sessions, 0);
        self.pass(Duration::from_secs(70));
        assert!(self.sessions.held().is_nothing());
        assert_eq!(self.sessions.next_deadline(), None);
    }
}

pub(super) const CONTACT: &str = "Contact: <sip:peer@192.0.2.1:5060>\r\n";

/// An answer to a request of ours.
pub(super) fn answer(request: &Sent, status: u16, tag: &str, extra: &str, body: &str) -> String {
    let message = request.message();
    let get = |name| message.text(name).unwrap().to_owned();
    let to = get(Name::To);
    let to = if to.contains(";tag=") { to } else { format!("{to};tag={tag}") };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {status} X\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n{extra}{kind}Content-Length: {}\r\n\r\n{body}",
        get(Name::Via),
        get(Name::From),
        get(Name::CallId),
        get(Name::CSeq),
        body.len()
    )
}

pub(super) fn new_invite(call_id: &str, branch: &str) -> String {
    format!(
        "INVITE sip:120@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch={branch}\r\nMax-Forwards: 70\r\n\
         From: <sip:peer@city.example>;tag=peer\r\nTo: <sip:120@city.example>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n{CONTACT}\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    )
}

/// The peer's side of a dialog.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    from: String,
    pub(super) to: String,
    call_id: String,
}

impl Peer {
    /// As our INVITE called it.
    pub(super) fn called(invite: &Sent) -> Self {
        let from = format!("{};tag=peer", invite.header(Name::To));
        Peer { from, to: invite.header(Name::From), call_id: invite.header(Name::CallId) }
    }

    /// As our answer to its INVITE names it.
    pub(super) fn calling(answer: &Sent) -> Self {
        Peer { from: answer.header(Name::From), to: answer.header(Name::To), call_id: answer.header(Name::CallId) }
    }

    pub(super) fn request(&self, method: &str, cseq: u32, extra: &str, body: &str) -> String {
        let Peer { from, to, call_id } = self;
        format!(
            "{method} sip:hotline@{OURS} SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bK{method}{cseq}\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// A request with a description.
    pub(super) fn offer(&self, method: &str, cseq: u32) -> String {
        self.request(method, cseq, &format!("{CONTACT}Content-Type: application/sdp\r\n"), SDP)
    }

    pub(super) fn ack(&self, cseq: u32) -> String {
        self.request("ACK", cseq, "", "")
    }
}

pub(super) fn sdp() -> Body {
    Body::sdp(SDP.as_bytes())
}

pub(super) fn login() -> Login {
    Login { user: "us".into(), password: "secret".into() }
}
