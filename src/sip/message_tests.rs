//! Message: structure, typed values, and what an error keeps. RFC 4475's messages are in tests/rfc4475.rs.

use super::*;

const INVITE: &str = "INVITE sip:bob@b.example SIP/2.0\r\n\
    v: SIP/2.0/UDP a.example;branch=z9hG4bK1, SIP/2.0/TCP c.example;branch=z9hG4bK2\r\n\
    Via: SIP/2.0/UDP d.example;branch=z9hG4bK3\r\n\
    f: Alice <sip:alice@a.example>;tag=1\r\n\
    t: <sip:bob@b.example>\r\n\
    i: 1@a.example\r\n\
    CSeq: 7 INVITE\r\n\
    Max-Forwards: 70\r\n\
    X-Odd: first\r\n  second\r\n\
    Require: 100rel, Timer\r\n\
    m: <sip:alice@a.example>, <sip:alice@d.example>;q=0.1\r\n\
    c: application/sdp\r\n\
    l: 4\r\n\r\nv=0\n";

fn read(text: &str) -> Message<'_> {
    Message::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn an_ordinary_request() {
    let message = read(INVITE);
    assert_eq!(message.start, Start::Request { method: Method::Invite, uri: "sip:bob@b.example" });
    assert_eq!(message.check(), Ok(()));
    assert_eq!(message.raw(), INVITE.as_bytes());
    assert_eq!(message.body, b"v=0\n");
    let branches: Vec<_> = message.vias().map(|via| via.unwrap().branch().unwrap()).collect();
    assert_eq!(branches, ["z9hG4bK1", "z9hG4bK2", "z9hG4bK3"]);
    assert_eq!(message.top_via().unwrap().host, "a.example");
    assert_eq!(message.from().unwrap().tag(), Some("1"));
    assert_eq!(message.to().unwrap().tag(), None);
    assert_eq!(message.call_id(), Ok(&b"1@a.example"[..]));
    assert_eq!(message.cseq(), Ok(CSeq { number: 7, method: Method::Invite }));
    assert_eq!(message.max_forwards(), Ok(Some(70)));
    assert_eq!(message.contacts().count(), 2);
    assert!(message.content_type().unwrap().is("application", "sdp"));
    assert!(message.list(Name::Require).eq([&b"100rel"[..], b"Timer"]));
    assert_eq!(&*text::unfold(message.other("x-odd").unwrap()), b"first second");
    assert_eq!(message.fields().count(), 12);
    assert_eq!(message.fields().nth(7).unwrap().raw_name, b"X-Odd");
    assert_eq!(message.expires(), None);
}

/// All else is slices, so this is the only place where reading could take heap.
#[test]
fn an_ordinary_message_takes_no_heap() {
    assert!(!read(INVITE).spans.spilled());
    assert!(size_of::<Message<'_>>() <= 960, "it lives on the stack: {}", size_of::<Message<'_>>());
    assert!(size_of::<ReadError<'_>>() <= 16);
}

#[test]
fn a_message_of_many_lines_is_read_too() {
    let mut text = INVITE.replace("l: 4\r\n\r\nv=0\n", "");
    for number in 0..100 {
        text += &format!("X-{number}: {number}\r\n");
    }
    text += "\r\n";
    let message = read(&text);
    assert_eq!(message.fields().count(), 111);
    assert_eq!(message.other("X-99"), Some(&b"99"[..]));
}

#[test]
fn status_lines() {
    let head = "\r\nCall-ID: 1\r\n\r\n";
    let start =
        |line: &str| Message::read(format!("{line}{head}").leak().as_bytes()).map(|message| message.start).map_err(|e| e.fault);
    assert_eq!(start("SIP/2.0 200 OK"), Ok(Start::Status { code: 200, reason: b"OK" }));
    assert_eq!(start("SIP/2.0 100 "), Ok(Start::Status { code: 100, reason: b"" }));
    assert_eq!(start("SIP/2.0 100"), Ok(Start::Status { code: 100, reason: b"" }));
    assert_eq!(start("sip/2.0 699 a  b"), Ok(Start::Status { code: 699, reason: b"a  b" }));
    for bad in ["SIP/2.0 099 x", "SIP/2.0 700 x", "SIP/2.0 65636 x", "SIP/2.0 4294967301 x"] {
        assert_eq!(start(bad), Err(Fault::StatusCode), "{bad}");
    }
    for bad in
        ["SIP/2.0", "SIP/2.0  200 OK", "SIP/2.0 2x0 OK", "SIP/ 200 OK", "SIP/2 200 OK", "SIP/2.x 200 OK", "HTTP/1.1 200 OK"]
    {
        assert_eq!(start(bad), Err(Fault::StartLine), "{bad}");
    }
}

/// What the structure leaves in doubt is an error; what can be made out is kept, so that it can be answered.
#[test]
fn faults_and_what_is_salvaged() {
    let fault = |text: &str| {
        let error = Message::read(text.as_bytes()).expect_err(text);
        (error.fault, error.request().map(|request| request.call_id().map(<[u8]>::to_vec)))
    };
    let kept = Some(Ok(b"1@a.example".to_vec()));
    for (from, to, expected) in [
        ("l: 4", "l: 5", Fault::LengthBeyond),
        ("l: 4", "l: -4", Fault::LengthMalformed),
        ("l: 4", "l: 4, 4", Fault::LengthMalformed),
        ("l: 4", "l:", Fault::LengthMalformed),
        ("l: 4", "l: 4\r\nContent-Length : 3", Fault::LengthConflict),
        ("X-Odd", "X Odd", Fault::HeaderLine),
        ("X-Odd: first", "first", Fault::HeaderLine),
        ("X-Odd: first", ": first", Fault::HeaderLine),
        ("INVITE sip", "INVITE  sip", Fault::StartLine),
        ("SIP/2.0\r\nv:", "SIP/2.0 \r\nv:", Fault::StartLine),
        ("second\r\n", "sec\nond\r\n", Fault::LineEnd),
        ("second\r\n", "sec\rond\r\n", Fault::LineEnd),
        ("l: 4\r\n\r\nv=0\n", "l: 0\r\n", Fault::NoHeadEnd),
    ] {
        assert_eq!(fault(&INVITE.replacen(from, to, 1)), (expected, kept.clone()), "{from} -> {to}");
    }
    for (text, expected) in [
        ("", Fault::KeepAlive),
        ("\r\n\r\n", Fault::KeepAlive),
        ("\0\0\0\0", Fault::NoHeadEnd),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", Fault::StartLine),
        ("INVITE\r\n\r\n", Fault::StartLine),
        ("INVITE SIP/2.0\r\n\r\n", Fault::StartLine),
        ("\r\r\n\r\n", Fault::LineEnd),
    ] {
        assert_eq!(fault(text), (expected, None), "{text:?}");
    }
    assert_eq!(fault(&INVITE.replace("INVITE sip", "ACK  sip")), (Fault::StartLine, None), "an ACK is never answered");
    assert_eq!(fault("INVITE  sip:a@b SIP/2.0\r\nTo: x\r\n\r\n"), (Fault::StartLine, None), "without Via there is no way back");
}

#[test]
fn length_cuts_and_line_ends_before_are_skipped() {
    let longer = format!("\r\n\r\n{INVITE}and more");
    let message = read(&longer);
    assert_eq!(message.raw(), INVITE.as_bytes());
    let without = INVITE.replace("l: 4\r\n", "");
    assert_eq!(read(&without).body, b"v=0\n");
    let twice_the_same = INVITE.replace("l: 4\r\n", "l: 4\r\nContent-Length: 04\r\n");
    assert_eq!(read(&twice_the_same).body, b"v=0\n");
    assert_eq!(read(&twice_the_same).check().unwrap_err().reason, "Repeated Header");
}

#[test]
fn defects() {
    let check = |from: &str, to: &str| {
        let text = INVITE.replacen(from, to, 1);
        assert_ne!(text, INVITE, "{from}");
        Message::read(text.as_bytes()).unwrap().check().map_err(|defect| (defect.status, defect.reason))
    };
    for (from, to, status, reason) in [
        ("SIP/2.0\r\n", "SIP/3.0\r\n", 505, "Version Not Supported"),
        ("i: 1@a.example\r\n", "", 400, "Missing Call-ID"),
        ("i: 1@a.example", "i:", 400, "Malformed Call-ID"),
        ("i: 1@a.example", "i: 1 2", 400, "Malformed Call-ID"),
        ("CSeq: 7 INVITE\r\n", "", 400, "Missing CSeq"),
        ("CSeq: 7 INVITE", "CSeq: 2147483648 INVITE", 400, "Malformed CSeq"),
        ("CSeq: 7 INVITE", "CSeq: 7 BYE", 400, "CSeq Method Mismatch"),
        ("CSeq: 7", "CSeq: 8 INVITE\r\nCSeq: 7", 400, "Repeated Header"),
        ("Max-Forwards: 70", "Max-Forwards: 256", 400, "Malformed Max-Forwards"),
        ("INVITE sip:bob", "BREW sip:bob", 501, "Not Implemented"),
        ("sip:bob@b.example SIP", "urn:service:sos SIP", 416, "Unsupported URI Scheme"),
        ("sip:bob@b.example SIP", "sip:bob@b.example?Subject=x SIP", 400, "Headers In Request-URI"),
        ("sip:bob@b.example SIP", "bob@b.example SIP", 400, "Malformed Request-URI"),
        ("branch=z9hG4bK1", "branch=z9hG4bK", 400, "Empty Branch"),
        ("v: SIP/2.0/UDP a.example", "v: SIP/2.0/UDP", 400, "Malformed Via"),
        ("<sip:alice@a.example>;tag", "<sip:>;tag", 400, "Malformed From"),
        ("t: <sip:bob@b.example>", "t: <sip:b ob@b.example>", 400, "Malformed To"),
        ("t: <sip:bob@b.example>\r\n", "", 400, "Missing To"),
        (";q=0.1", ";;", 400, "Malformed Contact"),
        ("X-Odd: first", "Route: <sip:a", 400, "Malformed Route"),
    ] {
        assert_eq!(check(from, to), Err((status, reason)), "{from} -> {to}");
    }
    assert_eq!(check("Max-Forwards: 70\r\n", ""), Ok(()));
    assert_eq!(check(">;tag=1", ">"), Ok(()));
    assert_eq!(check("m: <sip:alice@a.example>, <sip:alice@d.example>;q=0.1", "m: *"), Ok(()));
    assert_eq!(check("sip:bob@b.example SIP", "tel:+49301234 SIP"), Ok(()));
}
