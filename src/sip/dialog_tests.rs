use super::*;
use crate::sip::message::Start;

const INVITE: &str = "INVITE sip:120@203.0.113.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n\
    Record-Route: <sip:192.0.2.9;lr>, <sip:192.0.2.8;lr>\r\nFrom: \"Kim\"\r\n <sip:kim@192.0.2.1>;tag=k\r\nTo: <sip:120@203.0.113.1>\r\n\
    Call-ID: c\r\nCSeq: 7 INVITE\r\nContact: <sip:kim@192.0.2.1:5070>\r\nContent-Length: 0\r\n\r\n";

fn message(text: &str) -> Message<'_> {
    Message::read(text.as_bytes()).unwrap()
}

fn written(dialog: &Dialog, method: Method<'_>, cseq: u32) -> String {
    let mut writer = Writer::request(method.as_str(), dialog.request_uri());
    dialog.write(&mut writer, method, cseq);
    String::from_utf8(writer.finish(None)).unwrap()
}

#[test]
fn a_callee_sends_by_the_recorded_routes_to_the_contact() {
    let mut dialog = Dialog::from_request(&message(INVITE), "ours").unwrap();
    assert_eq!(dialog.next_hop(), "sip:192.0.2.9;lr");
    let cseq = dialog.next_cseq();
    let text = written(&dialog, Method::Bye, cseq);
    let bye = message(&text);
    assert!(matches!(bye.start, Start::Request { uri: "sip:kim@192.0.2.1:5070", .. }));
    let routes: Vec<&str> = bye.routes().map(|route| route.unwrap().raw_uri()).collect();
    assert_eq!(routes, ["sip:192.0.2.9;lr", "sip:192.0.2.8;lr"]);
    assert_eq!((bye.from().unwrap().tag(), bye.to().unwrap().tag()), (Some("ours"), Some("k")));
    assert_eq!(bye.cseq().unwrap().number, 1);
    assert!(text.contains("To: \"Kim\" <sip:kim@192.0.2.1>;tag=k\r\n"), "folding is undone: {text}");
}

#[test]
fn a_caller_takes_the_routes_in_reverse_and_a_strict_router_gets_its_own_uri() {
    let ok = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 203.0.113.1;branch=z9hG4bKa\r\nRecord-Route: <sip:192.0.2.9;lr>, <sip:192.0.2.8>\r\n\
        From: <sip:120@203.0.113.1>;tag=ours\r\nTo: <sip:anna@192.0.2.1>;tag=a\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:anna@192.0.2.1:5070>\r\n\
        Content-Length: 0\r\n\r\n";
    let dialog = Dialog::from_response(&message(ok), 1).unwrap();
    assert_eq!(dialog.next_hop(), "sip:192.0.2.8");
    let text = written(&dialog, Method::Bye, 2);
    let bye = message(&text);
    assert!(matches!(bye.start, Start::Request { uri: "sip:192.0.2.8", .. }), "RFC 3261 12.2.1.1, without lr: {text}");
    let routes: Vec<&str> = bye.routes().map(|route| route.unwrap().raw_uri()).collect();
    assert_eq!(routes, ["sip:192.0.2.9;lr", "sip:anna@192.0.2.1:5070"]);
    assert!(dialog.same_fork(&message(ok)));
    assert!(!dialog.same_fork(&message(&ok.replace("tag=a", "tag=b"))));
}

#[test]
fn requests_come_in_order_and_belong_by_their_tags() {
    let mut dialog = Dialog::from_request(&message(INVITE), "ours").unwrap();
    assert_eq!(dialog.take_cseq(7), Order::Old, "the INVITE's own");
    assert_eq!(dialog.take_cseq(9), Order::Next);
    assert_eq!(dialog.take_cseq(8), Order::Old);
    let bye = INVITE.replace("INVITE", "BYE").replace("To: <sip:120@203.0.113.1>", "To: <sip:120@203.0.113.1>;tag=ours");
    assert!(dialog.owns(&message(&bye)));
    assert!(!dialog.owns(&message(&bye.replace("tag=k", "tag=x"))));
    assert!(!dialog.owns(&message(&bye.replace("Call-ID: c", "Call-ID: d"))));
}

#[test]
fn without_one_contact_there_is_no_dialog() {
    let none = INVITE.replace("Contact: <sip:kim@192.0.2.1:5070>\r\n", "");
    assert_eq!(Dialog::from_request(&message(&none), "t").unwrap_err(), NotADialog::Contact);
    let two = INVITE.replace("Contact: ", "Contact: <sip:a@192.0.2.1>, ");
    assert_eq!(Dialog::from_request(&message(&two), "t").unwrap_err(), NotADialog::Contact);
}
