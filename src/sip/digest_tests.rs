//! Digest: the RFCs' own vectors, what phones write, and what is refused.

use super::*;

/// RFC 2617 3.5.
#[test]
fn rfc_2617_vector() {
    let value = br#"Digest username="Mufasa",
                 realm="testrealm@host.com",
                 nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
                 uri="/dir/index.html",
                 qop=auth,
                 nc=00000001,
                 cnonce="0a4f113b",
                 response="6629fae49393a05397450978507c4ef1",
                 opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
    let credentials = Credentials::parse(value).unwrap();
    assert_eq!((credentials.username, credentials.nc()), ("Mufasa", Some(1)));
    assert_eq!(credentials.opaque, Some("5ccc069c403ebaf9f0171e9517f40e41"));
    let ha1 = ha1(Algorithm::Md5, "Mufasa", "testrealm@host.com", "Circle Of Life");
    assert!(credentials.proves(&ha1, "GET"));
    assert!(!credentials.proves(&ha1, "POST"));
    assert!(!credentials.proves(&ha1.replace('9', "8"), "GET"));
}

/// RFC 7616 3.9.1, both algorithms.
#[test]
fn rfc_7616_vectors() {
    let auth = Some(Auth { nc: "00000001", cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ" });
    for (algorithm, expected) in [
        (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
        (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let ha1 = ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        assert_eq!(response(algorithm, &ha1, "GET", "/dir/index.html", nonce, auth), expected);
    }
}

#[test]
fn an_answer_proves_itself_in_every_form() {
    for algorithm in ["MD5", "SHA-256"] {
        for qop in ["", ", qop=\"auth-int,auth\""] {
            let challenge =
                format!("Digest realm=\"a, \\\"b\\\"\", nonce=\"n\", algorithm={algorithm}{qop}, opaque=\"o\", stale=TRUE");
            let challenge = Challenge::parse(challenge.as_bytes()).unwrap();
            assert!(challenge.stale);
            let account = Account { user: "agent", password: "p:w" };
            let value = challenge.answer(account, "INVITE", "sip:city.example", 2, "c");
            let credentials = Credentials::parse(value.as_bytes()).unwrap();
            assert_eq!(credentials.nc(), if qop.is_empty() { None } else { Some(2) });
            assert_eq!(credentials.opaque, Some("o"));
            let ha1 = ha1(credentials.algorithm, "agent", credentials.realm, "p:w");
            assert!(credentials.proves(&ha1, "INVITE") && !credentials.proves(&ha1, "BYE"));
        }
    }
}

#[test]
fn the_topmost_challenge_that_can_be_answered_is_chosen() {
    let values: [&[u8]; 4] = [
        b"Bearer realm=\"x\"",
        b"Digest realm=\"x\", nonce=\"1\", algorithm=SHA-512-256, qop=\"auth\"",
        b"Digest realm=\"x\", nonce=\"2\", algorithm=SHA-256, qop=\"auth\"",
        b"Digest realm=\"x\", nonce=\"3\", algorithm=MD5, qop=\"auth\"",
    ];
    assert_eq!(Challenge::choose(values.into_iter()).unwrap().nonce, "2");
}

#[test]
fn what_is_refused() {
    let good = r#"Digest username="a", realm="r", nonce="n", uri="sip:x", response="0", qop=auth, nc=00000001, cnonce="c""#;
    assert!(Credentials::parse(good.as_bytes()).is_ok());
    for (from, to, error) in [
        ("Digest", "NoOneKnowsThisScheme", DigestError::Scheme),
        ("username=\"a\", ", "", DigestError::Missing("username")),
        ("username=\"a\"", "username", DigestError::Malformed),
        ("username=\"a\"", "username=\"a\", username=\"b\"", DigestError::Malformed),
        ("username=\"a\"", "username=\"a", DigestError::Malformed),
        ("qop=auth", "qop=auth-int", DigestError::Qop),
        ("nc=00000001", "nc=1", DigestError::Malformed),
        ("nc=00000001", "nc=+0000001", DigestError::Malformed),
        ("nc=00000001, ", "", DigestError::Missing("nc")),
        ("cnonce=\"c\"", "algorithm=MD5-sess, cnonce=\"c\"", DigestError::Algorithm),
    ] {
        assert_eq!(Credentials::parse(good.replacen(from, to, 1).as_bytes()), Err(error), "{from} -> {to}");
    }
    assert_eq!(Credentials::parse(b"Digest"), Err(DigestError::Scheme));
    assert_eq!(Challenge::parse(b"Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\""), Err(DigestError::Qop));
}

#[test]
fn comparison_ignores_case_and_nothing_else() {
    assert!(same_in_constant_time(b"0aF", b"0Af"));
    assert!(!same_in_constant_time(b"0af", b"0a"));
    assert!(!same_in_constant_time(b"", b"0"));
    assert!(same_in_constant_time(b"", b""));
}

#[test]
fn a_password_is_not_printed() {
    assert!(!format!("{:?}", Account { user: "u", password: "secret" }).contains("secret"));
}
