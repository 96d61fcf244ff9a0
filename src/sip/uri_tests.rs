//! Uri: RFC 3261 19.1.3 and 19.1.4's own examples, and what phones and carriers write.

use super::*;

fn uri(text: &str) -> Uri<'_> {
    Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn parts() {
    let all = uri("sips:alice:secret%3A@[2001:db8::1]:5061;transport=tls;lr?Subject=a%20b&Priority=urgent");
    assert_eq!(all.scheme, Scheme::Sips);
    assert_eq!((all.user, all.password), (Some("alice"), Some("secret%3A")));
    assert_eq!((all.host, all.port), ("2001:db8::1", Some(5061)));
    assert_eq!(all.param("TRANSPORT"), Some(Some("tls".into())));
    assert_eq!(all.param("lr"), Some(None));
    assert_eq!(all.header("subject").as_deref(), Some("a b"));
    assert_eq!(all.header("Priority").as_deref(), Some("urgent"));

    let plain = uri("SIP:atlanta.com");
    assert_eq!((plain.scheme, plain.user, plain.host, plain.port), (Scheme::Sip, None, "atlanta.com", None));
    assert_eq!(uri("sip:+49301234567;phone-context=x@gw.example;user=phone").user, Some("+49301234567;phone-context=x"));
    assert_eq!(uri("sip:*21#@pbx.example").user_unescaped(), "*21#");
}

#[test]
fn replaces_in_a_refer_to() {
    let refer = uri("sip:bob@b.example?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994");
    assert_eq!(refer.header("Replaces").as_deref(), Some("12345@192.168.118.3;to-tag=12345;from-tag=5FFE-3994"));
    let careless = uri("sip:bob@b.example?Replaces=1@h;to-tag=a;from-tag=b");
    assert_eq!(careless.header("Replaces").as_deref(), Some("1@h;to-tag=a;from-tag=b"));
}

#[test]
fn tel_and_other_schemes() {
    let tel = uri("tel:+1-201-555-0123;phone-context=example.com");
    assert_eq!((tel.scheme, tel.user, tel.host), (Scheme::Tel, Some("+1-201-555-0123"), ""));
    assert_eq!(uri("urn:service:sos").scheme, Scheme::Other("urn"));
    assert_eq!(uri("soap.beep://192.0.2.103:3002").scheme, Scheme::Other("soap.beep"));
}

#[test]
fn what_is_refused() {
    for (text, error) in [
        ("", UriError::Scheme),
        ("alice", UriError::Scheme),
        (":alice", UriError::Scheme),
        ("<sip:a@b>", UriError::Scheme),
        ("1sip:a@b", UriError::Scheme),
        ("sip:", UriError::Host),
        ("sip:a@", UriError::Host),
        ("sip:@b", UriError::User),
        ("sip:a b@c", UriError::Character),
        ("sip:a@b\r\nVia: x", UriError::Character),
        ("sip:a%4@b", UriError::Escape),
        ("sip:a%@b", UriError::Escape),
        ("sip:a@b@c", UriError::Host),
        ("sip:a@b:0", UriError::Port),
        ("sip:a@b:65536", UriError::Port),
        ("sip:a@b:", UriError::Port),
        ("sip:a@[::1", UriError::Host),
        ("sip:a@[1.2.3.4]", UriError::Host),
        ("sip:a@[::1]5060", UriError::Host),
        ("sip:a@b;;lr", UriError::Params),
        ("tel:", UriError::User),
        ("tel:alice", UriError::Character),
    ] {
        assert_eq!(Uri::parse(text).err(), Some(error), "{text}");
    }
}

/// RFC 3261 19.1.4 lists these as equivalent and as not equivalent.
#[test]
fn equivalence() {
    for (one, other) in [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a@b;%6C%72;x=%2541", "sip:a@b;lr;x=%25%34%31"),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]"),
        ("tel:+1-201-555-0123", "TEL:+1(201)555.0123"),
    ] {
        assert!(uri(one).same_as(&uri(other)) && uri(other).same_as(&uri(one)), "{one} is {other}");
    }
    for (one, other) in [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@b", "sips:a@b"),
        ("sip:a@b;x=%2541", "sip:a@b;x=A"),
        ("sip:null-%00-null@b", "sip:null-%00%00-null@b"),
        ("tel:+1201", "tel:1201"),
        ("tel:201;phone-context=+1", "tel:201"),
    ] {
        assert!(!uri(one).same_as(&uri(other)) && !uri(other).same_as(&uri(one)), "{one} is not {other}");
    }
}
