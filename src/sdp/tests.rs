//! What the descriptions of RFC 3264 and RFC 4317 mean, what carriers and phones really send, and that nothing from outside panics.

use proptest::prelude::*;

use super::*;

fn lines(text: &str) -> Vec<u8> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect()
}

fn described(text: &str) -> Description {
    read(&lines(text)).expect("a good description")
}

/// A description by a phone with this media part.
fn phone(media: &str) -> Description {
    described(&format!("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n{media}"))
}

fn local(direction: Direction) -> Local {
    Local { address: "198.51.100.7".parse().unwrap(), port: 20_000, session_id: 42, version: 3, direction }
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

/// RFC 3264 10.1: Alice offers audio and two video streams.
#[test]
fn rfc3264_10_1() {
    let offer = described(
        "v=0
        o=alice 2890844526 2890844526 IN IP4 host.anywhere.com
        s=
        c=IN IP4 192.0.2.33
        t=0 0
        m=audio 49170 RTP/AVP 0
        a=rtpmap:0 PCMU/8000
        m=video 51372 RTP/AVP 31
        a=rtpmap:31 H261/90000
        m=video 53000 RTP/AVP 32
        a=rtpmap:32 MPV/90000",
    );
    assert_eq!(choose(&offer, &Codec::ALL), Some(Codec::Pcmu));
    let (bytes, agreement) = answer(&local(Direction::SendRecv), &offer, Codec::Pcmu).unwrap();
    assert_eq!(
        text(&bytes).lines().collect::<Vec<_>>(),
        [
            "v=0",
            "o=hotline 42 3 IN IP4 198.51.100.7",
            "s=-",
            "c=IN IP4 198.51.100.7",
            "t=0 0",
            "m=audio 20000 RTP/AVP 0",
            "a=rtpmap:0 PCMU/8000",
            "a=ptime:20",
            "a=sendrecv",
            "m=video 0 RTP/AVP 31",
            "m=video 0 RTP/AVP 32",
        ]
    );
    assert_eq!(
        agreement,
        Agreement {
            codec: Codec::Pcmu,
            send_payload_type: 0,
            receive_payload_type: 0,
            telephone_event: None,
            rtp: "192.0.2.33:49170".parse().unwrap(),
            rtcp: Some("192.0.2.33:49171".parse().unwrap()),
            may_send: true,
            expects: true,
        }
    );
}

/// RFC 3264 10.1 continued: Bob's later offer, with a stream for key presses of its own.
#[test]
fn rfc3264_10_1_second_offer_adds_telephone_events() {
    let offer = described(
        "v=0
        o=bob 2890844730 2890844731 IN IP4 host.example.com
        s=
        c=IN IP4 192.0.2.34
        t=0 0
        m=audio 65422 RTP/AVP 0
        a=rtpmap:0 PCMU/8000
        m=video 0 RTP/AVP 31
        m=video 53000 RTP/AVP 32
        a=rtpmap:32 MPV/90000
        m=audio 51434 RTP/AVP 110
        a=rtpmap:110 telephone-events/8000
        a=recvonly",
    );
    let audio = offer.audio.as_ref().unwrap();
    assert_eq!((audio.port, offer.audio_index, offer.others.len()), (65_422, 0, 3));
    let (bytes, _) = answer(&local(Direction::SendRecv), &offer, Codec::Pcmu).unwrap();
    let media: Vec<_> = text(&bytes).lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(media, ["m=audio 20000 RTP/AVP 0", "m=video 0 RTP/AVP 31", "m=video 0 RTP/AVP 32", "m=audio 0 RTP/AVP 110"]);
}

/// RFC 3264 10.2: one of N codecs; the answer names one, and it is used under the answerer's payload types.
#[test]
fn rfc3264_10_2_one_of_n() {
    let offered = formats(&[Codec::Pcmu, Codec::G722, Codec::Pcma]);
    let answer =
        phone("m=audio 62986 RTP/AVP 0 4 18\na=rtpmap:0 PCMU/8000\na=rtpmap:4 G723/8000\na=rtpmap:18 G729/8000\na=inactive");
    let agreement = agreed(&offered, &answer).unwrap();
    assert_eq!((agreement.codec, agreement.may_send, agreement.expects), (Codec::Pcmu, false, false));
}

/// RFC 4317 2.1: audio and video, of which the first codec is taken.
#[test]
fn rfc4317_2_1() {
    let offer = described(
        "v=0
        o=alice 2890844526 2890844526 IN IP4 host.atlanta.example.com
        s=
        c=IN IP4 192.0.2.10
        t=0 0
        m=audio 49170 RTP/AVP 0 8 97
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=rtpmap:97 iLBC/8000
        m=video 51372 RTP/AVP 31 32
        a=rtpmap:31 H261/90000
        a=rtpmap:32 MPV/90000",
    );
    let audio = offer.audio.as_ref().unwrap();
    assert_eq!(audio.codecs().collect::<Vec<_>>(), [Codec::Pcmu, Codec::Pcma]);
    assert_eq!(audio.formats[2].encoding, Encoding::Unknown);
    let (bytes, _) = answer(&local(Direction::SendRecv), &offer, Codec::Pcmu).unwrap();
    assert!(text(&bytes).contains("m=video 0 RTP/AVP 31 32\r\n"));
}

/// RFC 4317 2.4: audio under a dynamic payload type beside telephone-event, which is taken along.
#[test]
fn rfc4317_2_4_telephone_event() {
    let offer = described(
        "v=0
        o=alice 2890844526 2890844526 IN IP4 host.atlanta.example.com
        s=
        c=IN IP4 192.0.2.10
        t=0 0
        m=audio 49170 RTP/AVP 0 97
        a=rtpmap:0 PCMU/8000
        a=rtpmap:97 iLBC/8000
        m=audio 49172 RTP/AVP 98
        a=rtpmap:98 telephone-event/8000
        a=sendonly",
    );
    // A stream of its own for key presses is one stream too many: rejected, and no key presses agreed.
    let (bytes, agreement) = answer(&local(Direction::SendRecv), &offer, Codec::Pcmu).unwrap();
    assert!(text(&bytes).ends_with("m=audio 0 RTP/AVP 98\r\n"));
    assert_eq!(agreement.telephone_event, None);
}

/// RFC 4317 3.1: hold and unhold by the second offer.
#[test]
fn rfc4317_3_1_hold() {
    let held = phone("m=audio 49170 RTP/AVP 0 97\na=rtpmap:97 iLBC/8000\na=sendonly");
    assert!(held.audio.as_ref().unwrap().holds());
    let (bytes, agreement) = answer(&local(Direction::SendRecv), &held, Codec::Pcmu).unwrap();
    assert!(text(&bytes).contains("a=recvonly\r\n"));
    assert_eq!((agreement.may_send, agreement.expects), (false, true));
}

#[test]
fn directions_are_answered_by_the_table_of_rfc3264_6_1() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    for (offered, wish, answered) in [
        (SendRecv, SendRecv, SendRecv),
        (SendRecv, SendOnly, SendOnly),
        (SendRecv, RecvOnly, RecvOnly),
        (SendRecv, Inactive, Inactive),
        (SendOnly, SendRecv, RecvOnly),
        (SendOnly, RecvOnly, RecvOnly),
        (SendOnly, SendOnly, Inactive),
        (RecvOnly, SendRecv, SendOnly),
        (RecvOnly, SendOnly, SendOnly),
        (RecvOnly, RecvOnly, Inactive),
        (Inactive, SendRecv, Inactive),
    ] {
        assert_eq!(offered.answered(wish), answered, "{offered:?} {wish:?}");
    }
}

#[test]
fn what_carriers_send() {
    // LF alone, a byte of Latin-1, an origin beyond 64 bits, odd case, no rtpmap for static types, ptime with a fraction.
    let bytes = b"v=0\no=M\xfcller -1 99999999999999999999999 IN IP4 10.0.0.1\ns=B\xfcro\nb=AS:64\nc=IN IP4 203.0.113.9\nt=0 0\na=SendRecv\n\
        m=audio 30000 RTP/AVP 18 8 0 101\na=rtpmap:18 G729/8000\na=fmtp:18 annexb=no\na=rtpmap:101 TELEPHONE-EVENT/8000\na=fmtp:101 0-16\n\
        a=ptime:20.0\na=RTCP:30005\na=crypto:1 \xff\xfe\n\n";
    let description = read(bytes).unwrap();
    assert_eq!(&*description.origin, "Müller -1 99999999999999999999999 IN IP4 10.0.0.1");
    let audio = description.audio.unwrap();
    assert_eq!(audio.codecs().collect::<Vec<_>>(), [Codec::Pcma, Codec::Pcmu]);
    assert_eq!(audio.formats[3].encoding, Encoding::TelephoneEvent(8_000));
    assert_eq!((audio.ptime_ms, audio.rtcp), (Some(20), Some("203.0.113.9:30005".parse().unwrap())));
}

#[test]
fn the_streams_own_words_go_before_the_sessions() {
    let description = described(
        "v=0\no=- 1 1 IN IP6 2001:db8::1\ns=-\nc=IN IP4 192.0.2.1\nt=3 4\na=inactive
        m=image 0 udptl t38
        m=audio 6000/2 rtp/avpf 96
        c=IN IP6 2001:db8::7
        a=rtpmap:96 OPUS/48000/2
        a=fmtp:96 useinbandfec=1; stereo=0
        a=sendonly
        a=rtcp:7000 IN IP6 2001:db8::8
        a=rtcp-mux
        m=video 9 RTP/SAVPF 97
        a=sendrecv
        c=IN IP4 1.1.1.1",
    );
    let audio = description.audio.as_ref().unwrap();
    assert_eq!((audio.address, audio.port), ("2001:db8::7".parse().unwrap(), 6_000));
    assert_eq!((audio.direction, audio.rtcp_mux, audio.feedback), (Direction::SendOnly, true, true));
    assert_eq!(audio.rtcp, Some("[2001:db8::8]:7000".parse().unwrap()));
    assert_eq!(audio.formats[0].fmtp.as_deref(), Some("useinbandfec=1; stereo=0"));
    let (bytes, agreement) = answer(&local(Direction::SendRecv), &description, Codec::Opus).unwrap();
    let after_head: Vec<_> = text(&bytes).lines().skip(4).collect();
    assert_eq!(
        after_head,
        [
            "t=3 4",
            "m=image 0 udptl t38",
            "m=audio 20000 RTP/AVPF 96",
            "a=rtpmap:96 opus/48000/2",
            "a=ptime:20",
            "a=recvonly",
            "a=rtcp-mux",
            "m=video 0 RTP/SAVPF 97"
        ]
    );
    assert_eq!(agreement.rtcp, None);
}

#[test]
fn the_old_way_of_holding() {
    let held = described("v=0\no=- 1 2 IN IP4 192.0.2.1\ns=-\nc=IN IP4 0.0.0.0\nt=0 0\nm=audio 4000 RTP/AVP 0");
    assert_eq!(held.audio.as_ref().unwrap().direction, Direction::SendOnly);
    let agreement = agreed(&formats(&[Codec::Pcmu]), &held).unwrap();
    assert!(!agreement.may_send && agreement.expects);
}

#[test]
fn what_cannot_be_used() {
    for (bytes, error) in [
        (&b""[..], SdpError::Version),
        (b"o=- 1 1 IN IP4 1.2.3.4\r\n", SdpError::Version),
        (b"v=1\r\n", SdpError::Version),
        (b"v=0\r\nm=audio\r\n", SdpError::Media(2)),
        (b"v=0\r\nm=audio 70000 RTP/AVP 0\r\n", SdpError::Media(2)),
        (b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n", SdpError::Address),
        (b"v=0\r\nc=IN IP4 phone.example.com\r\nm=audio 4000 RTP/AVP 0\r\n", SdpError::Address),
        (b"v=0\r\nc=IN IP4 239.1.1.1/127\r\nm=audio 4000 RTP/AVP 0\r\n", SdpError::Address),
    ] {
        assert_eq!(read(bytes), Err(error), "{}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(read(&vec![b' '; BYTES_MAX + 1]), Err(SdpError::TooLong));
    let many = format!("v=0\n{}", "m=video 1 RTP/AVP 31\n".repeat(MEDIA_MAX + 1));
    assert_eq!(read(many.as_bytes()), Err(SdpError::TooManyMedia));
    // No usable audio: encrypted only, or refused.
    for media in ["m=audio 4000 RTP/SAVP 0", "m=audio 0 RTP/AVP 0", "m=video 4000 RTP/AVP 31"] {
        let description = phone(media);
        assert_eq!(answer(&local(Direction::SendRecv), &description, Codec::Pcmu), Err(SdpError::NoAudio));
        assert_eq!(agreed(&formats(&[Codec::Pcmu]), &description), Err(SdpError::NoAudio));
        assert_eq!(choose(&description, &Codec::ALL), None);
    }
    let g729 = phone("m=audio 4000 RTP/AVP 18 101\na=rtpmap:101 telephone-event/8000");
    assert_eq!(agreed(&formats(&[Codec::Pcmu]), &g729), Err(SdpError::NoCommonCodec));
    assert_eq!(choose(&g729, &Codec::ALL), None);
}

#[test]
fn a_map_is_believed_before_a_number() {
    let description = phone(
        "m=audio 4000 RTP/AVP 0 96 97 98\na=rtpmap:0 G726-32/8000\na=rtpmap:96 PCMU/8000/1\na=rtpmap:97 opus/48000\na=rtpmap:98 PCMA/16000",
    );
    let encodings: Vec<_> = description.audio.unwrap().formats.iter().map(|format| format.encoding).collect();
    assert_eq!(encodings, [Encoding::Unknown, Encoding::Audio(Codec::Pcmu), Encoding::Unknown, Encoding::Unknown]);
}

#[test]
fn key_presses_need_the_codecs_clock() {
    let offer = phone(
        "m=audio 4000 RTP/AVP 96 0 97 98\na=rtpmap:96 opus/48000/2\na=rtpmap:97 telephone-event/48000\na=rtpmap:98 telephone-event/8000",
    );
    for (codec, expected) in [(Codec::Opus, 97), (Codec::Pcmu, 98)] {
        let (bytes, agreement) = answer(&local(Direction::SendRecv), &offer, codec).unwrap();
        assert_eq!(agreement.telephone_event, Some((expected, expected)));
        assert!(text(&bytes).contains(&format!("a=fmtp:{expected} 0-15\r\n")));
    }
}

#[test]
fn an_agents_offer_follows_the_callers() {
    let caller = phone(
        "m=audio 4000 RTP/AVP 101 8 111\na=rtpmap:101 opus/48000/2\na=fmtp:101 useinbandfec=1\na=rtpmap:111 telephone-event/8000",
    );
    let codecs = ordered_for(&caller, &Codec::ALL);
    assert_eq!(&codecs[..], [Codec::Opus, Codec::Pcma, Codec::Pcmu, Codec::G722]);
    let formats = formats_like(&codecs, &caller);
    let types: Vec<_> = formats.iter().map(|format| format.payload_type).collect();
    assert_eq!(types, [101, 8, 0, 9, 111, 110]);
    assert_eq!(formats[0].fmtp.as_deref(), Some("useinbandfec=1"));
    // Without Opus at the caller's, there is none to relay.
    assert_eq!(&ordered_for(&phone("m=audio 4000 RTP/AVP 9"), &Codec::ALL)[..], [Codec::G722, Codec::Pcmu, Codec::Pcma]);
    assert_eq!(&common(&Codec::ALL, &[Codec::G722, Codec::Pcmu])[..], [Codec::Pcmu, Codec::G722]);
}

#[test]
fn payload_types_of_an_answer_that_differ_are_used_each_their_way() {
    let offered = formats(&[Codec::Opus, Codec::Pcmu]);
    let answer = phone("m=audio 4000 RTP/AVP 120 121\na=rtpmap:120 opus/48000/2\na=rtpmap:121 telephone-event/48000");
    let agreement = agreed(&offered, &answer).unwrap();
    assert_eq!((agreement.send_payload_type, agreement.receive_payload_type), (120, 96));
    assert_eq!(agreement.telephone_event, Some((121, 110)));
}

fn any_codecs() -> impl Strategy<Value = Vec<Codec>> {
    Just(Codec::ALL.to_vec()).prop_shuffle().prop_flat_map(|all| (1..=all.len()).prop_map(move |n| all[..n].to_vec()))
}

proptest! {
    /// Whatever comes, there is an answer or an error; and what we answer can be read again.
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
    }

    #[test]
    fn never_panics_on_things_like_sdp(picked in prop::collection::vec(prop::sample::select(vec![
        "o=- 1 1 IN IP4 1.2.3.4", "c=IN IP4 1.2.3.4", "c=IN IP4", "c=IN IP6 ::", "m=audio 5 RTP/AVP 0 8 101", "m=audio 65535 RTP/AVPF 96", "m= ",
        "m=audio 0 RTP/AVP", "m=video 7 RTP/AVP 31", "a=rtpmap:101 telephone-event/8000", "a=rtpmap:", "a=rtpmap:96 opus/48000/2", "a=fmtp:96",
        "a=fmtp:96 x", "a=rtcp:", "a=rtcp:0", "a=rtcp:9 IN", "a=sendonly", "a=inactive:7", "a=rtcp-mux", "a=", "=", "t=", "t=1 1", "\r", "a=ptime:",
    ]), 0..24), separator in prop::sample::select(vec!["\n", "\r\n"])) {
        let bytes = format!("v=0{separator}{}", picked.join(separator)).into_bytes();
        if let Ok(description) = read(&bytes) {
            for codec in Codec::ALL {
                if let Ok((bytes, _)) = answer(&local(Direction::SendRecv), &description, codec) {
                    let ours = read(&bytes).unwrap();
                    prop_assert_eq!(ours.others.len(), description.others.len());
                    prop_assert_eq!(ours.audio_index, description.audio_index);
                    prop_assert_eq!(ours.audio.unwrap().codecs().collect::<Vec<_>>(), [codec]);
                }
            }
        }
    }

    /// What we offer is read as it was meant, and both ends of an offer and its answer agree.
    #[test]
    fn round_trip(codecs in any_codecs(), v6: bool, port in 1u16..65_535, offered in 0usize..4, wish in 0usize..4) {
        use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
        let directions = [SendRecv, SendOnly, RecvOnly, Inactive];
        let address = if v6 { "2001:db8::5".parse().unwrap() } else { "192.0.2.5".parse().unwrap() };
        let ours = Local { address, port, session_id: u64::MAX, version: 0, direction: directions[offered] };
        let formats = formats(&codecs);
        let offer = read(&offer(&ours, &formats)).unwrap();
        let audio = offer.audio.as_ref().unwrap();
        prop_assert_eq!(&audio.formats, &formats);
        prop_assert_eq!((audio.address, audio.port, audio.direction, audio.rtcp_mux), (address, port, directions[offered], true));
        let codec = choose(&offer, &codecs).unwrap();
        prop_assert_eq!(codec, codecs[0]);
        let (bytes, theirs) = answer(&local(directions[wish]), &offer, codec).unwrap();
        let agreement = agreed(&formats, &read(&bytes).unwrap()).unwrap();
        prop_assert_eq!((agreement.codec, agreement.telephone_event), (theirs.codec, theirs.telephone_event));
        prop_assert!(agreement.telephone_event.is_some());
        prop_assert_eq!((agreement.may_send, agreement.expects), (theirs.expects, theirs.may_send));
        prop_assert_eq!(theirs.rtp, SocketAddr::new(address, port));
    }
}
