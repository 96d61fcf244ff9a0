//! How often control comes back to the hub for one message from outside: each time it hands something on, by name.

use super::house::{CALLER, House, Request, Sent, answer, desk_phone, sdp, settings};
use crate::acd::queue::AnswerWhen;

/// Who hangs up at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Caller,
    Agent,
}

/// The BYE of a phone that was called by this INVITE.
fn bye(invite: &Sent, phone: &str) -> String {
    let header = |name| invite.header(name);
    let (from, to) = (header(crate::sip::Name::To), header(crate::sip::Name::From));
    let call_id = header(crate::sip::Name::CallId);
    format!(
        "BYE sip:hotline@{} SIP/2.0\r\nVia: SIP/2.0/UDP {phone};branch=z9hG4bKbye\r\nMax-Forwards: 70\r\nFrom: {from};tag=phone\r\n\
         To: {to}\r\nCall-ID: {call_id}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
        super::house::SERVER
    )
}

/// What is counted of a delivery: counts of packets come as an input of their own, later; what the matcher is told goes through the hub to no
/// owner, and what comes back is counted.
fn counted(house: &mut House) -> Vec<String> {
    let mut all = house.engine.take_deliveries();
    all.retain(|name| name != "media: Leased" && name != "media: Closed" && !name.starts_with("to matcher: "));
    all
}

#[test]
fn few_deliveries_follow_from_one_message() {
    for queue in [AnswerWhen::Late, AnswerWhen::AtOnce] {
        for by in [By::Caller, By::Agent] {
            a_call(queue, by);
        }
    }
}

fn a_call(queue: AnswerWhen, by: By) {
    let mut settings = settings(1);
    settings.directory.queues[0].as_mut().unwrap().answer = queue;
    let mut house = House::alone(settings);
    house.engine.take_deliveries();
    house.from(CALLER, &Request::invite("a").text());
    let phone = desk_phone(0);
    let invite = house.next_to(&phone);
    let rung = counted(&mut house);
    assert!(rung.len() <= 10, "an INVITE that ends in a ringing phone: {rung:?}");
    house.from(&phone, &answer(&invite, 200, &sdp("203.0.113.1", 40000, "sendrecv")));
    assert_eq!(house.next_to(&phone).method().as_deref(), Some("ACK"));
    let answered = counted(&mut house);
    assert!(answered.len() <= 7, "a phone's 200: {answered:?}");
    let ok = house.next_to(CALLER);
    let tag = super::house::tag_of(&ok);
    house.from(CALLER, &Request { to_tag: Some(&tag), branch: "ack", ..Request::new("ACK", "a", 1) }.text());
    house.engine.take_deliveries();
    match by {
        By::Caller => house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text()),
        By::Agent => house.from(&phone, &bye(&invite, &phone)),
    }
    let ended = counted(&mut house);
    assert!(ended.iter().any(|name| name == "to desk: TalkOver"), "{ended:?}");
    assert!(ended.len() <= 6, "a BYE: {ended:?}");
}
