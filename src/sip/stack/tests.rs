use std::time::Duration;

use super::*;
use crate::sip::method::Method;
use crate::sip::name::Name;
use crate::sip::write::Writer;

const T0: Time = Time::from_secs(1000);

fn stack() -> Stack<u32> {
    let listeners = vec![ListenerName { transport: Transport::Udp, sent_by: "203.0.113.1:5060".into() }];
    Stack::new(0, listeners, Seed::from_number(1), Arc::default())
}

fn flow(remote: &str) -> Flow {
    Flow::udp(ListenerId(0), remote.parse().unwrap())
}

fn sent(stack: &mut Stack<u32>) -> Vec<(SocketAddr, String)> {
    let all = std::iter::from_fn(|| stack.poll_transmit());
    all.map(|t| (t.flow.remote, String::from_utf8_lossy(&t.bytes).into_owned())).collect()
}

fn headers(writer: &mut Writer) {
    writer.field(Name::MaxForwards, "70");
    writer.field(Name::From, "<sip:120@203.0.113.1>;tag=ours");
    writer.field(Name::To, "<sip:anna@192.0.2.1>");
    writer.field(Name::CallId, "c");
    writer.field(Name::CSeq, "1 INVITE");
}

fn invite(stack: &mut Stack<u32>) -> (ClientTx, String) {
    let tx = stack.request(T0, flow("192.0.2.1:5060"), (Method::Invite, "sip:anna@192.0.2.1"), 7, None, headers);
    let first = sent(stack).remove(0).1;
    (tx, first)
}

/// An answer to a request, which keeps its Via.
fn answer(request: &str, status: u16, method: &str) -> String {
    let via = request.lines().find(|line| line.starts_with("Via:")).unwrap();
    format!(
        "SIP/2.0 {status} X\r\n{via}\r\nFrom: <sip:120@203.0.113.1>;tag=ours\r\nTo: <sip:anna@192.0.2.1>;tag=a\r\nCall-ID: c\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn route(stack: &mut Stack<u32>, from: &str, text: &str) -> Routed<u32> {
    let flow = flow(from);
    stack.route(T0, &flow, &Message::read(text.as_bytes()).unwrap())
}

#[test]
fn answers_find_their_request_by_its_branch_and_nobody_elses() {
    let mut stack = stack();
    let (tx, first) = invite(&mut stack);
    assert_eq!(route(&mut stack, "192.0.2.1:5060", &answer(&first, 180, "INVITE")), Routed::Response { tx, user: 7 });
    let branch = first.split("branch=").nth(1).unwrap().split([';', '\r']).next().unwrap();
    let (place, token) = branch.split_once('.').unwrap();
    let guessed = format!("{place}.{:016x}", u64::from_str_radix(token, 16).unwrap() ^ 1);
    let forged = answer(&first, 200, "INVITE").replace(branch, &guessed);
    assert_eq!(route(&mut stack, "192.0.2.1:5060", &forged), Routed::Stray, "a guessed branch");
    assert_eq!(route(&mut stack, "192.0.2.1:5060", &answer(&first, 200, "BYE")), Routed::Stray, "another method");
}

#[test]
fn a_rejection_is_acknowledged_on_the_same_branch_with_its_to_tag() {
    let mut stack = stack();
    let (_, first) = invite(&mut stack);
    route(&mut stack, "192.0.2.1:5060", &answer(&first, 486, "INVITE"));
    let ack = sent(&mut stack).remove(0).1;
    assert!(ack.starts_with("ACK sip:anna@192.0.2.1 SIP/2.0\r\n"));
    assert!(ack.contains("tag=a") && ack.contains("CSeq: 1 ACK"), "{ack}");
    let via = |text: &str| text.lines().find(|line| line.starts_with("Via:")).unwrap().to_owned();
    assert_eq!(via(&ack), via(&first));
}

#[test]
fn a_cancel_waits_until_something_was_heard() {
    let mut stack = stack();
    let (tx, first) = invite(&mut stack);
    stack.cancel(T0, tx, None);
    assert!(sent(&mut stack).is_empty(), "RFC 3261 9.1");
    route(&mut stack, "192.0.2.1:5060", &answer(&first, 100, "INVITE"));
    let cancel = sent(&mut stack).remove(0).1;
    assert!(cancel.starts_with("CANCEL sip:anna@192.0.2.1 SIP/2.0\r\n") && cancel.contains("CSeq: 1 CANCEL"));
    assert_eq!(
        route(&mut stack, "192.0.2.1:5060", &answer(&cancel, 200, "CANCEL")),
        Routed::Absorbed(Some(7)),
        "its own transaction"
    );
    assert_eq!(route(&mut stack, "192.0.2.1:5060", &answer(&first, 487, "INVITE")), Routed::Response { tx, user: 7 });
}

fn request(via: &str, method: &str) -> String {
    format!(
        "{method} sip:120@203.0.113.1 SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: <sip:kim@192.0.2.1>;tag=k\r\nTo: <sip:120@203.0.113.1>\r\n\
         Call-ID: d\r\nCSeq: 3 {method}\r\nContact: <sip:kim@192.0.2.1>\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn a_repeated_request_is_answered_again_and_answers_go_where_via_says() {
    let mut stack = stack();
    let text = request("SIP/2.0/UDP 10.0.0.5:5070;branch=z9hG4bKx", "OPTIONS");
    let from = flow("198.51.100.9:61000");
    let message = Message::read(text.as_bytes()).unwrap();
    assert_eq!(stack.route(T0, &from, &message), Routed::New);
    let tx = stack.begin(T0, &from, &message, None).unwrap();
    stack.respond(T0, tx, 200, Some("t"), None, |_| {});
    assert_eq!(stack.route(T0, &from, &message), Routed::Absorbed(None));
    let answers = sent(&mut stack);
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0].0.to_string(), "198.51.100.9:5070", "the source's address, Via's port");
    assert!(answers[0].1.contains("received=198.51.100.9") && answers[0].1.contains(";tag=t"));

    let text = request("SIP/2.0/UDP 10.0.0.5:5070;branch=z9hG4bKy;rport", "OPTIONS");
    let message = Message::read(text.as_bytes()).unwrap();
    stack.reply_stateless(&from, &message, 200, |_| {});
    let (to, answer) = sent(&mut stack).remove(0);
    assert_eq!(to.to_string(), "198.51.100.9:61000", "rport: back to where it came from");
    assert!(answer.contains("rport=61000"));
}

#[test]
fn requests_of_the_old_standard_are_told_apart_without_the_cookie() {
    let mut stack = stack();
    let from = flow("192.0.2.1:5060");
    let text = request("SIP/2.0/UDP 192.0.2.1:5060", "INVITE");
    let message = Message::read(text.as_bytes()).unwrap();
    assert_eq!(stack.route(T0, &from, &message), Routed::New);
    let tx = stack.begin(T0, &from, &message, Some(1)).unwrap();
    assert_eq!(stack.route(T0, &from, &message), Routed::Absorbed(Some(1)));
    let other = text.replace("CSeq: 3", "CSeq: 4");
    assert_eq!(stack.route(T0, &from, &Message::read(other.as_bytes()).unwrap()), Routed::New);
    stack.respond(T0, tx, 486, Some("t"), None, |_| {});
    let ack = text.replace("INVITE", "ACK").replace("To: <sip:120@203.0.113.1>", "To: <sip:120@203.0.113.1>;tag=t");
    assert_eq!(
        stack.route(T0, &from, &Message::read(ack.as_bytes()).unwrap()),
        Routed::Absorbed(Some(1)),
        "the ACK to the rejection"
    );
}

#[test]
fn what_is_never_acknowledged_is_told_and_everything_ends() {
    let mut stack = stack();
    let from = flow("192.0.2.1:5060");
    let text = request("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKz", "INVITE");
    let message = Message::read(text.as_bytes()).unwrap();
    let tx = stack.begin(T0, &from, &message, Some(5)).unwrap();
    stack.respond(T0, tx, 200, Some("t"), None, |_| {});
    let (_, first) = invite(&mut stack);
    assert!(first.starts_with("SIP/2.0 200") || first.starts_with("INVITE"));
    let end = T0 + Duration::from_secs(40);
    while stack.next_deadline().is_some_and(|(at, _)| at <= end) {
        let at = stack.next_deadline().unwrap().0;
        while stack.due(at) {}
    }
    let events: Vec<TxEvent<u32>> = std::iter::from_fn(|| stack.poll_event()).collect();
    assert!(
        events.contains(&TxEvent::Unacknowledged { user: 5 }) && events.contains(&TxEvent::Timeout { user: 7 }),
        "{events:?}"
    );
    assert!(stack.is_empty());
}

#[test]
fn a_broken_connection_ends_what_was_sent_over_it_and_nothing_else() {
    let mut stack = stack();
    let over = |remote: &str, connection: Option<u64>| Flow {
        transport: Transport::Tcp,
        connection: connection.map(ConnectionId),
        ..flow(remote)
    };
    let flows = [
        flow("192.0.2.1:5060"),
        over("192.0.2.1:5060", Some(1)),
        over("192.0.2.2:5060", Some(2)),
        over("192.0.2.2:5060", Some(3)),
        over("192.0.2.2:5060", None),
        // The connection that the peer has made, and the address that it wants its requests at.
        over("192.0.2.3:5060", Some(5)),
    ];
    for (user, flow) in (0..).zip(flows) {
        stack.request(T0, flow, (Method::Options, "sip:anna@192.0.2.1"), user, None, headers);
    }
    let mut broken = |connection: Option<u64>, remote: &str| {
        stack.broken(T0, connection.map(ConnectionId), Transport::Tcp, remote.parse().unwrap());
        std::iter::from_fn(|| stack.poll_event()).collect::<Vec<_>>()
    };
    let told = |users: &[u32]| users.iter().map(|user| TxEvent::Broken { user: *user }).collect::<Vec<_>>();
    assert_eq!(broken(Some(1), "192.0.2.1:5060"), told(&[1]), "datagrams go on");
    assert_eq!(broken(Some(1), "192.0.2.1:5060"), [], "once");
    assert_eq!(broken(Some(9), "192.0.2.7:5060"), []);
    assert_eq!(broken(Some(3), "192.0.2.2:5060"), told(&[3, 4]), "and what waited for a connection to there");
    assert_eq!(broken(None, "192.0.2.2:5060"), told(&[2]), "none can be made");
    assert_eq!(broken(Some(5), "192.0.2.3:50123"), told(&[5]));
    assert!(stack.over_connections.is_empty(), "nothing is kept of what is over");
    assert_eq!(stack.len(), (1, 0));
}
