//! RFC 4475: all 49 torture messages, each with what that RFC asks of whoever receives it.
//!
//! A row says what the reader and [`Message::check`] make of a message, and why. Where the answer is above the wire (415, 420, …) the row
//! reads the message and looks at what that answer is decided by. Where the RFC leaves a choice between refusing and being liberal,
//! the reason says which was taken.

use hotline::sip::digest::{Credentials, DigestError};
use hotline::sip::{ContactHeader, Message, Method, Name, Scheme, Start, Uri, text};

enum Outcome {
    /// Read, and nothing is wrong with it.
    Good,
    /// A request that is answered with this status.
    Refused(u16),
    /// A response that nobody acts on.
    Dropped,
}
use Outcome::{Dropped, Good, Refused};

struct Row {
    section: &'static str,
    file: &'static str,
    outcome: Outcome,
    why: &'static str,
    /// What must be seen in it.
    look: fn(&Message<'_>),
}

fn row(section: &'static str, file: &'static str, outcome: Outcome, why: &'static str, look: fn(&Message<'_>)) -> Row {
    Row { section, file, outcome, why, look }
}

fn nothing(_: &Message<'_>) {}

fn bytes(file: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/rfc4475/{file}.dat", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn request_uri<'a>(message: &Message<'a>) -> Uri<'a> {
    let Start::Request { uri, .. } = message.start else { panic!("a response") };
    Uri::parse(uri).unwrap()
}

fn contacts<'a>(message: &Message<'a>) -> Vec<hotline::sip::NameAddr<'a>> {
    message.contacts().map(|contact| contact.unwrap().addr().unwrap()).collect()
}

fn reason<'a>(message: &Message<'a>) -> (u16, &'a [u8]) {
    let Start::Status { code, reason } = message.start else { panic!("a request") };
    (code, reason)
}

fn valid() -> Vec<Row> {
    vec![
        row("3.1.1.1", "wsinv", Good, "folding, compact forms, any case and white space everywhere are legal", wsinv),
        row("3.1.1.2", "intmeth", Good, "every character that the grammar lets in", intmeth),
        row("3.1.1.3", "esc01", Good, "escapes in URIs, where they mean what they stand for", |m| {
            assert_eq!(request_uri(m).user_unescaped(), "sips:user@example.com");
            assert_eq!(request_uri(m).host, "example.net");
            assert_eq!(m.to().unwrap().uri().unwrap().user_unescaped(), "user");
            assert_eq!(m.from().unwrap().uri().unwrap().user_unescaped(), "I have spaces");
            let contact = contacts(m)[0].uri().unwrap();
            assert_eq!(contact.user_unescaped(), "caller");
            assert_eq!((contact.param("lr"), contact.param("name")), (Some(None), Some(Some("value%41".into()))));
        }),
        row("3.1.1.4", "escnull", Good, "escaped NULs are characters like others, and two are not one", |m| {
            let contacts = contacts(m);
            assert_eq!(contacts[0].uri().unwrap().user_unescaped(), "\0");
            assert_eq!(contacts[1].uri().unwrap().user_unescaped(), "\0\0");
            assert!(!contacts[0].uri().unwrap().same_as(&contacts[1].uri().unwrap()));
            assert_eq!(m.to().unwrap().uri().unwrap().user_unescaped(), "null-\0-null");
        }),
        row(
            "3.1.1.5",
            "esc02",
            Good,
            "a % outside of URIs escapes nothing: the method is unknown (501 above), C%6Fntact no Contact",
            |m| {
                assert_eq!(m.method(), Some(Method::Other("RE%47IST%45R")));
                assert_eq!(m.from().unwrap().display, b"%Z%45");
                assert_eq!(m.top_via().unwrap().branch(), Some("z9hG4bK209%fzsnel234"));
                assert_eq!(contacts(m).len(), 2);
                assert!(m.other("C%6Fntact").is_some());
            },
        ),
        row("3.1.1.6", "lwsdisp", Good, "no white space is needed between display name and bracket", |m| {
            assert_eq!((m.from().unwrap().display, m.from().unwrap().tag()), (&b"caller"[..], Some("323")));
        }),
        row("3.1.1.7", "longreq", Good, "long values and many Vias are no reason to refuse", |m| {
            assert_eq!(m.vias().filter(Result::is_ok).count(), 34);
            assert!(m.vias().last().unwrap().unwrap().branch().unwrap().starts_with("verylong"));
            assert_eq!(m.to().unwrap().uri().unwrap().port, Some(6000));
            assert!(m.call_id().unwrap().ends_with(b"longcallid"));
            assert_eq!(m.body.len(), 150);
        }),
        row("3.1.1.8", "dblreq", Good, "what follows the body in a datagram is ignored", |m| {
            assert_eq!((m.method(), m.body), (Some(Method::Register), &b""[..]));
            assert!(m.raw().len() < bytes("dblreq").len());
        }),
        row("3.1.1.9", "semiuri", Good, "a semicolon before the @ belongs to the user part", |m| {
            assert_eq!(request_uri(m).user_unescaped(), "user;par=u@example.net");
            assert!(request_uri(m).params.is_empty());
            assert_eq!(m.list(Name::Accept).count(), 6);
        }),
        row("3.1.1.10", "transports", Good, "transports that nobody knows may stand in Via", |m| {
            let transports: Vec<_> = m.vias().map(|via| via.unwrap().transport).collect();
            assert_eq!(transports, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
        }),
        row("3.1.1.11", "mpart01", Good, "a multipart body with binary parts stays as it is", |m| {
            let media = m.content_type().unwrap();
            assert!(media.is("multipart", "mixed"));
            assert_eq!(media.params.value("boundary"), Some("7a9cbec02ceef655"));
            assert_eq!(m.body.len(), 553);
            assert!(m.body.ends_with(b"\r\n--7a9cbec02ceef655--\r\n") || m.body.ends_with(b"--7a9cbec02ceef655--"));
            assert!(str::from_utf8(m.body).is_err());
        }),
        row("3.1.1.12", "unreason", Good, "a reason phrase may hold any UTF-8", |m| {
            assert_eq!(reason(m).0, 200);
            assert!(str::from_utf8(reason(m).1).unwrap().starts_with("= 2**3 * 5**2 но"));
        }),
        row("3.1.1.13", "noreason", Good, "a reason phrase may be empty", |m| assert_eq!(reason(m), (100, &b""[..]))),
    ]
}

fn wsinv(m: &Message<'_>) {
    assert_eq!(request_uri(m).params.get("unknownparam"), Some(None));
    assert_eq!(m.to().unwrap().tag(), Some("1918181833n"));
    assert_eq!(m.from().unwrap().display_text(), r#"J Rosenberg \""#);
    assert_eq!(m.from().unwrap().tag(), Some("98asjd8"));
    assert_eq!(m.max_forwards(), Ok(Some(68)));
    assert_eq!(m.cseq().unwrap().number, 9);
    let vias: Vec<_> = m.vias().map(Result::unwrap).collect();
    let hops: Vec<_> = vias.iter().map(|via| (via.transport, via.host, via.branch().unwrap())).collect();
    assert_eq!(
        hops,
        [
            ("UDP", "192.0.2.2", "390skdjuw"),
            ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
            ("UDP", "192.168.255.111", "z9hG4bK30239")
        ]
    );
    assert_eq!(m.get(Name::Subject), Some(&b""[..]));
    assert_eq!(&*text::unfold(m.other("NewFangledHeader").unwrap()), b"newfangled value continued newfangled value");
    assert_eq!(m.other("UnknownHeaderWithUnusualValue"), Some(&b";;,,;;,;"[..]));
    let route = m.routes().next().unwrap().unwrap();
    assert_eq!(route.uri().unwrap().param("unknown-no-value"), Some(None));
    let contact = contacts(m)[0];
    assert_eq!(contact.display_text(), r#"Quoted string """#);
    assert_eq!((contact.param("newparam"), contact.param("secondparam")), (Some(Some("newvalue")), Some(None)));
    assert_eq!(contact.param("q"), Some(Some("0.33")));
    assert_eq!(m.body.len(), 150);
}

fn intmeth(m: &Message<'_>) {
    assert_eq!(m.method(), Some(Method::Other("!interesting-Method0123456789_*+`.%indeed'~")));
    assert_eq!(request_uri(m).user, Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(request_uri(m).password, Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(m.to().unwrap().display_text(), "BEL:\u{7} NUL:\0 DEL:\u{7f}");
    assert_eq!(m.from().unwrap().display, b"token1~` token2'+_ token3*%!.-");
    assert_eq!(m.from().unwrap().param("fromParam''~+*_!.-%"), Some(Some("работающий")));
    assert_eq!(m.from().unwrap().tag(), Some("_token~1'+`*%!-."));
    assert_eq!(m.call_id().unwrap(), br#"intmeth.word%ZK-!.*_+'@word`~)(><:\/"][?}{"#);
    assert_eq!(m.max_forwards(), Ok(Some(255)));
    assert_eq!(m.top_via().unwrap().branch(), Some("z9hG4bK-.!%66*_+`'~"));
    assert!(m.other("extensionHeader-!.%*+_`'~").is_some());
}

fn invalid() -> Vec<Row> {
    vec![
        row("3.1.2.1", "badinv01", Refused(400), "empty parameters in Via and Contact", nothing),
        row("3.1.2.2", "clerr", Refused(400), "Content-Length beyond the datagram's end", |m| assert!(m.call_id().is_ok())),
        row("3.1.2.3", "ncl", Refused(400), "a negative Content-Length", nothing),
        row("3.1.2.4", "scalar02", Refused(400), "CSeq beyond 2^31; the expiry alone would have meant the default", |m| {
            assert!(m.cseq().is_err() && m.max_forwards().is_err());
            assert_eq!(m.expires(), None);
        }),
        row("3.1.2.5", "scalarlg", Dropped, "a response's CSeq beyond 2^31", |m| {
            assert_eq!(m.valued(Name::RetryAfter).unwrap().seconds(), None);
        }),
        row("3.1.2.6", "quotbal", Refused(400), "a quote in To that never closes", |m| assert!(m.to().is_err())),
        row("3.1.2.7", "ltgtruri", Refused(400), "brackets around the Request-URI: refused, not guessed at", nothing),
        row("3.1.2.8", "lwsruri", Refused(400), "white space within the Request-URI: refused, not guessed at", nothing),
        row(
            "3.1.2.9",
            "lwsstart",
            Refused(400),
            "more than one space between the request line's parts: refused, but answerable",
            |m| {
                assert_eq!(request_uri(m).raw(), "sip:user@example.com");
            },
        ),
        row("3.1.2.10", "trws", Refused(400), "spaces at the request line's end: refused, but answerable", nothing),
        row("3.1.2.11", "escruri", Refused(400), "headers in the Request-URI could smuggle a Route: refused", |m| {
            assert_eq!(request_uri(m).header("Route").as_deref(), Some("<sip:example.com>"));
        }),
        row("3.1.2.12", "baddate", Good, "a Date that is not in GMT: liberal, for nothing depends on it", |m| {
            assert_eq!(m.text(Name::Date), Some("Fri, 01 Jan 2010 16:00:00 EST"));
        }),
        row("3.1.2.13", "regbadct", Refused(400), "a bare URI with a question mark: whose is it?", |m| {
            assert!(m.contacts().next().unwrap().is_err());
        }),
        row("3.1.2.14", "badaspec", Refused(400), "spaces within the brackets", |m| assert!(m.to().unwrap().uri().is_err())),
        row(
            "3.1.2.15",
            "baddn",
            Refused(400),
            "the archive's copy lacks the head's end; see display_names_are_read_liberally",
            |m| {
                assert_eq!(m.from().unwrap().display, b"Bell, Alexander");
            },
        ),
        row("3.1.2.16", "badvers", Refused(505), "SIP/7.0", nothing),
        row("3.1.2.17", "mismatch01", Refused(400), "CSeq's method is not the request's", nothing),
        row("3.1.2.18", "mismatch02", Refused(501), "likewise, but for an unknown method 501 says more", nothing),
        row("3.1.2.19", "bigcode", Dropped, "a status code beyond 699", nothing),
        row("3.2.1", "badbranch", Refused(400), "a branch of nothing but the cookie identifies no transaction", |m| {
            assert_eq!(m.top_via().unwrap().branch(), Some("z9hG4bK"));
        }),
    ]
}

fn application() -> Vec<Row> {
    vec![
        row("3.3.1", "insuf", Refused(400), "no Call-ID, From, To", nothing),
        row("3.3.2", "unkscm", Refused(416), "a scheme that nobody knows", nothing),
        row("3.3.3", "novelsc", Refused(416), "a scheme that is known, but not to us", |m| {
            assert_eq!(request_uri(m).scheme, Scheme::Other("soap.beep"));
        }),
        row("3.3.4", "unksm2", Good, "any scheme may stand in From, To, Contact; the registrar refuses it (400 above)", |m| {
            assert_eq!(m.to().unwrap().uri().unwrap().scheme, Scheme::Other("isbn"));
            assert_eq!(m.from().unwrap().uri().unwrap().scheme, Scheme::Other("http"));
            assert_eq!(m.from().unwrap().tag(), Some("3234233"));
            assert_eq!(contacts(m)[0].uri().unwrap().scheme, Scheme::Other("name"));
        }),
        row("3.3.5", "bext01", Good, "unknown extensions required: 420 above, with this list", |m| {
            let required: Vec<_> = m.list(Name::Require).collect();
            assert_eq!(required, [&b"nothingSupportsThis"[..], b"nothingSupportsThisEither"]);
            assert_eq!(m.list(Name::ProxyRequire).count(), 2);
        }),
        row("3.3.6", "invut", Good, "an unknown media type: 415 above", |m| {
            assert!(m.content_type().unwrap().is("application", "unknownformat"));
        }),
        row("3.3.7", "regaut01", Good, "an unknown authorization scheme: as if there were none (401 above)", |m| {
            assert_eq!(Credentials::parse(m.get(Name::Authorization).unwrap()), Err(DigestError::Scheme));
        }),
        row("3.3.8", "multi01", Refused(400), "two of what may be one only: which counts?", nothing),
        row("3.3.9", "mcl01", Refused(400), "two Content-Lengths that differ: which counts?", nothing),
        row(
            "3.3.10",
            "bcast",
            Good,
            "a broadcast address in the second Via: a user agent takes no response with two (RFC 3261 8.1.3.3)",
            |m| {
                let hosts: Vec<_> = m.vias().map(|via| via.unwrap().host).collect();
                assert_eq!(hosts, ["192.0.2.198", "255.255.255.255"]);
            },
        ),
        row("3.3.11", "zeromf", Good, "no hops left: whom it was sent to answers it, a proxy 483", |m| {
            assert_eq!(m.max_forwards(), Ok(Some(0)));
        }),
        row("3.3.12", "cparam01", Good, "without brackets the parameter is Contact's", |m| {
            assert_eq!(contacts(m)[0].param("unknownparam"), Some(None));
            assert!(contacts(m)[0].uri().unwrap().params.is_empty());
        }),
        row("3.3.13", "cparam02", Good, "within brackets the parameter is the URI's", |m| {
            assert_eq!(contacts(m)[0].param("unknownparam"), None);
            assert_eq!(contacts(m)[0].uri().unwrap().param("unknownparam"), Some(None));
        }),
        row("3.3.14", "regescrt", Good, "a registered URI may have headers", |m| {
            assert_eq!(contacts(m)[0].uri().unwrap().header("Route").as_deref(), Some("<sip:sip.example.com>"));
        }),
        row("3.3.15", "sdp01", Good, "no media type that we could answer in: 406 above", |m| {
            assert_eq!(m.list(Name::Accept).collect::<Vec<_>>(), [b"text/nobodyKnowsThis"]);
        }),
        row("3.4.1", "inv2543", Good, "RFC 2543: no branch, no From tag, no Max-Forwards, no Content-Length", |m| {
            assert_eq!((m.top_via().unwrap().branch(), m.from().unwrap().tag()), (None, None));
            assert_eq!(m.max_forwards(), Ok(None));
            assert!(m.body.starts_with(b"v=0"));
            assert_eq!(m.record_routes().count(), 1);
        }),
    ]
}

fn rows() -> Vec<Row> {
    [valid(), invalid(), application()].into_iter().flatten().collect()
}

#[test]
fn every_message_has_the_outcome_that_the_rfc_asks_for() {
    for Row { section, file, outcome, why, look } in rows() {
        let datagram = bytes(file);
        let read = Message::read(&datagram);
        let verdict = match &read {
            Ok(message) => message.check(),
            Err(error) => Err(error.defect()),
        };
        let message = match &read {
            Ok(message) => Some(message),
            Err(error) => error.request(),
        };
        let context = format!("{section} {file}: {why}; got {verdict:?}");
        match outcome {
            Good => assert!(verdict.is_ok() && read.is_ok(), "{context}"),
            Refused(status) => {
                assert_eq!(verdict.err().map(|defect| defect.status), Some(status), "{context}");
                // Only a Via that cannot be read keeps a request from being answered.
                assert!(file == "badinv01" || message.is_some_and(|m| m.is_request() && m.top_via().is_ok()), "{context}");
            }
            Dropped => assert!(verdict.is_err() && message.is_none_or(|m| !m.is_request()), "{context}"),
        }
        if let Some(message) = message {
            look(message);
        }
    }
}

/// In every message that is good, everything typed can be read.
#[test]
fn every_typed_value_of_a_good_message_is_readable() {
    for row in rows().into_iter().filter(|row| matches!(row.outcome, Good)) {
        let datagram = bytes(row.file);
        let message = Message::read(&datagram).unwrap();
        assert!(message.from().is_ok_and(|from| from.uri().is_ok()), "{}", row.file);
        assert!(message.to().is_ok_and(|to| to.uri().is_ok()), "{}", row.file);
        assert!(message.call_id().is_ok() && message.cseq().is_ok() && message.max_forwards().is_ok(), "{}", row.file);
        assert!(message.vias().all(|via| via.is_ok()), "{}", row.file);
        assert!(
            message.routes().chain(message.record_routes()).all(|route| route.is_ok_and(|r| r.uri().is_ok())),
            "{}",
            row.file
        );
        for contact in message.contacts() {
            let ContactHeader::Addr(addr) = contact.unwrap() else { continue };
            addr.uri().unwrap();
        }
        assert_eq!(message.get(Name::ContentType).is_some(), message.content_type().is_some(), "{}", row.file);
    }
}

#[test]
fn no_message_is_skipped() {
    let mut files: Vec<_> = std::fs::read_dir(format!("{}/tests/data/rfc4475", env!("CARGO_MANIFEST_DIR")))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let mut listed: Vec<_> = rows().iter().map(|row| row.file.to_owned()).collect();
    files.sort();
    listed.sort();
    assert_eq!((files.len(), &files), (49, &listed));
}

/// 3.1.2.15 as the RFC prints it, with the empty line that the archive's file lost: a comma outside of quotes misleads nobody in From and
/// To, which are no lists, and carriers write such names; so the choice is to be liberal.
#[test]
fn display_names_are_read_liberally() {
    let mut datagram = bytes("baddn");
    datagram.extend_from_slice(b"\r\n");
    let message = Message::read(&datagram).unwrap();
    assert_eq!(message.check(), Ok(()));
    assert_eq!(message.from().unwrap().display_text(), "Bell, Alexander");
    assert_eq!((message.from().unwrap().tag(), message.to().unwrap().display), (Some("43"), &b"Watson, Thomas"[..]));
}
