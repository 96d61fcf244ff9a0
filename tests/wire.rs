//! The wire as a whole: what is written is read, nothing that is received panics, reader and framer follow one framing rule, and rsip, an
//! independent implementation, agrees wherever it can read a message.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::select;

use hotline::sip::digest::{Challenge, Credentials};
use hotline::sip::{ContactHeader, Fault, Frame, Framer, FramingError, Message, Name, NameAddr, Start, Uri, Writer, text};

/// Every message of RFC 4475, sorted by name.
static CORPUS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let folder = format!("{}/tests/data/rfc4475", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
});

/// At least so many cases, more if PROPTEST_CASES asks for them.
fn cases(least: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(least), ..config }
}

/// Looks at everything that can be looked at.
fn look_at_everything(message: &Message<'_>) {
    let _ = message.check();
    let addr = |addr: NameAddr<'_>| {
        let _ = (addr.display_text(), addr.tag(), addr.params.iter().count());
        if let Ok(uri) = addr.uri() {
            look_at_uri(&uri);
        }
    };
    message.from().into_iter().chain(message.to()).for_each(addr);
    message.vias().flatten().for_each(|via| {
        let _ = (via.branch(), via.received(), via.rport(), via.maddr(), via.ttl());
    });
    for contact in message.contacts().flatten() {
        if let ContactHeader::Addr(contact) = contact {
            addr(contact);
        }
    }
    for field in message.fields() {
        let _ = (text::unfold(field.value), message.valued(field.name), message.list(field.name).count());
        message.addresses(field.name).flatten().for_each(addr);
        let _ = (Credentials::parse(field.value), Challenge::parse(field.value));
        if let Ok(value) = str::from_utf8(field.value)
            && let Ok(uri) = Uri::parse(value)
        {
            look_at_uri(&uri);
        }
    }
    let _ = (message.content_type(), message.expires(), message.max_forwards(), message.cseq(), message.call_id());
    if let Start::Request { uri, .. } = message.start
        && let Ok(uri) = Uri::parse(uri)
    {
        look_at_uri(&uri);
    }
}

fn look_at_uri(uri: &Uri<'_>) {
    let _ = (uri.user_unescaped(), uri.headers_iter().count(), uri.param("lr"));
    assert!(uri.same_as(uri), "{uri}");
}

/// All that a framer makes of these chunks.
fn frames<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<FramingError>) {
    let mut framer = Framer::new(1 << 20);
    let mut frames = Vec::new();
    for chunk in chunks {
        framer.push(chunk);
        loop {
            match framer.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// Cuts bytes at random places.
fn chunks<'a>(bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let size = (*sizes.next()?).min(rest.len());
        let (chunk, after) = rest.split_at(size);
        rest = after;
        (size > 0).then_some(chunk)
    })
}

/// The one framing rule: what the reader makes of bytes and what the framer makes of them cannot differ about where a message ends.
fn assert_framed_as_read(bytes: &[u8]) {
    let (frames, error) = frames([bytes]);
    let first = frames.iter().find_map(|frame| match frame {
        Frame::Message(message) => Some(message.as_slice()),
        Frame::Ping => None,
    });
    match Message::read(bytes) {
        Ok(message) if message.get(Name::ContentLength).is_none() => {
            assert_eq!((first, error), (None, Some(FramingError::NoLength)));
        }
        Ok(message) => assert_eq!(first, Some(message.raw())),
        Err(read) => match read.fault {
            Fault::KeepAlive | Fault::NoHeadEnd | Fault::LengthBeyond => {
                assert!(first.is_none() && matches!(error, None | Some(FramingError::MessageTooLong { .. })));
            }
            Fault::LengthConflict | Fault::LengthMalformed | Fault::LineEnd => {
                assert!(first.is_none() && matches!(error, Some(FramingError::Head(_))));
            }
            // The framer leaves these to the reader, who says the same of the message alone.
            Fault::StartLine | Fault::StatusCode | Fault::HeaderLine | Fault::TooLong => {
                assert!(first.is_none_or(|first| Message::read(first).is_err_and(|error| error.fault == read.fault)));
            }
        },
    }
}

/// Damage of the kind that bugs and attackers do.
#[derive(Clone, Debug)]
enum Damage {
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Repeat(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let telling = select(vec![
        &b"\r\n"[..],
        b"\r",
        b"\n",
        b"\r\n\r\n",
        b"\r\n ",
        b" ",
        b"\t",
        b"\0",
        b"\"",
        b"\\",
        b"<",
        b">",
        b";",
        b",",
        b":",
        b"=",
        b"?",
        b"@",
        b"%",
        b"%4",
        b"[",
        b"]",
        b"::1",
        b"/",
        b"\xff",
        b"\r\nl: 0",
        b"\r\nContent-Length : 7",
        b"\r\nVia:",
        b"4294967296",
        b"-1",
    ]);
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (any::<usize>(), telling).prop_map(|(at, bytes)| Damage::Insert(at, bytes.to_vec())),
        (any::<usize>(), 1usize..40).prop_map(|(at, len)| Damage::Remove(at, len)),
        (any::<usize>(), 1usize..200).prop_map(|(at, len)| Damage::Repeat(at, len)),
    ]
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let place = |at: usize| at % (bytes.len() + 1);
        match damage {
            Damage::Set(at, byte) => {
                if let Some(place) = at.checked_rem(bytes.len()) {
                    bytes[place] = *byte;
                }
            }
            Damage::Insert(at, new) => {
                let at = place(*at);
                bytes.splice(at..at, new.iter().copied());
            }
            Damage::Remove(at, len) => {
                let at = place(*at);
                bytes.drain(at..(at + len).min(bytes.len()));
            }
            Damage::Repeat(at, len) => {
                let at = place(*at);
                let again = bytes[at..(at + len).min(bytes.len())].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

#[test]
fn the_corpus_is_framed_as_it_is_read() {
    for (_, bytes) in CORPUS.iter() {
        assert_framed_as_read(bytes);
    }
}

proptest! {
    #![proptest_config(cases(20_000))]

    /// Damaged torture messages: no panic, one framing rule, however the stream is cut.
    #[test]
    fn damage_is_survived(
        file in 0usize..49,
        damages in prop::collection::vec(damage(), 1..6),
        sizes in prop::collection::vec(1usize..80, 1..8),
    ) {
        let bytes = damaged(CORPUS[file].1.clone(), &damages);
        match Message::read(&bytes) {
            Ok(message) => look_at_everything(&message),
            Err(error) => {
                let _ = error.defect();
                if let Some(request) = error.request() {
                    look_at_everything(request);
                }
            }
        }
        assert_framed_as_read(&bytes);
        prop_assert_eq!(frames(chunks(&bytes, &sizes)), frames([&bytes[..]]));
    }

    /// Bytes without any sense.
    #[test]
    fn noise_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = Message::read(&bytes) {
            look_at_everything(&message);
        }
        if let Ok(uri) = str::from_utf8(&bytes).map_err(drop).and_then(|text| Uri::parse(text).map_err(drop)) {
            look_at_uri(&uri);
        }
        let _ = (Credentials::parse(&bytes), Challenge::parse(&bytes));
        assert_framed_as_read(&bytes);
    }
}

/// An ordinary message, as its parts.
#[derive(Clone, Debug)]
struct Parts {
    request: Option<(&'static str, String)>,
    code: u16,
    branches: Vec<String>,
    display: String,
    from: String,
    from_tag: String,
    to: String,
    to_tag: Option<String>,
    call_id: String,
    cseq: u32,
    others: Vec<(String, String)>,
    body: Vec<u8>,
}

fn uri() -> impl Strategy<Value = String> {
    ("[a-z][a-z0-9.]{0,11}", "[a-z]{1,8}[.]example", prop::option::of(1024u16..), select(vec!["", ";lr", ";transport=tcp"]))
        .prop_map(|(user, host, port, params)| {
            format!("sip:{user}@{host}{}{params}", port.map(|port| format!(":{port}")).unwrap_or_default())
        })
}

fn parts() -> impl Strategy<Value = Parts> {
    let method =
        select(vec!["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "REFER", "NOTIFY", "INFO", "UPDATE", "PRACK"]);
    let token = "[A-Za-z0-9.-]{1,20}";
    let start = (prop::option::of((method, uri())), 100u16..700);
    let way = (prop::collection::vec(token.prop_map(|t| format!("z9hG4bK{t}")), 1..4), "[A-Za-z ]{0,12}");
    let ends = (uri(), token, uri(), prop::option::of(token));
    let call = ("[A-Za-z0-9.-]{1,30}(@[a-z0-9.]{1,20})?", 0u32..1 << 31);
    let rest = (
        prop::collection::vec(("X-[A-Za-z]{1,12}", "[!-~]([ -~]{0,40}[!-~])?"), 0..4),
        prop::collection::vec(any::<u8>(), 0..200),
    );
    (start, way, ends, call, rest).prop_map(
        |((request, code), (branches, display), (from, from_tag, to, to_tag), (call_id, cseq), (others, body))| Parts {
            request,
            code,
            branches,
            display,
            from,
            from_tag,
            to,
            to_tag,
            call_id,
            cseq,
            others,
            body,
        },
    )
}

fn write(parts: &Parts) -> Vec<u8> {
    let mut writer = match &parts.request {
        Some((method, uri)) => Writer::request(method, uri),
        None => Writer::response(parts.code, "As It May Be"),
    };
    for branch in &parts.branches {
        writer.fmt(Name::Via, format_args!("SIP/2.0/UDP host.example:5060;branch={branch};rport"));
    }
    writer.fmt(Name::From, format_args!("\"{}\" <{}>;tag={}", parts.display, parts.from, parts.from_tag));
    match &parts.to_tag {
        Some(tag) => writer.fmt(Name::To, format_args!("<{}>;tag={tag}", parts.to)),
        None => writer.fmt(Name::To, format_args!("<{}>", parts.to)),
    };
    writer.field(Name::CallId, &parts.call_id);
    writer.fmt(Name::CSeq, format_args!("{} {}", parts.cseq, parts.request.as_ref().map_or("INVITE", |(method, _)| method)));
    writer.field(Name::MaxForwards, "70");
    for (name, value) in &parts.others {
        writer.other(name, value);
    }
    writer.finish((!parts.body.is_empty()).then_some(("application/octet-stream", parts.body.as_slice())))
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// What is written is read, part by part, and framed as one message.
    #[test]
    fn what_is_written_is_read(parts in parts()) {
        let bytes = write(&parts);
        let message = Message::read(&bytes).unwrap();
        prop_assert_eq!(message.check(), Ok(()));
        prop_assert_eq!(message.raw(), &bytes[..]);
        match message.start {
            Start::Request { method, uri } => {
                let (written_method, written_uri) = parts.request.clone().unwrap();
                prop_assert_eq!((method.as_str(), uri), (written_method, &written_uri[..]));
            }
            Start::Status { code, reason } => prop_assert_eq!((code, reason), (parts.code, &b"As It May Be"[..])),
        }
        let branches: Vec<_> = message.vias().map(|via| via.unwrap().branch().unwrap().to_owned()).collect();
        prop_assert_eq!(&branches, &parts.branches);
        prop_assert_eq!(message.from().unwrap().display, parts.display.as_bytes());
        prop_assert_eq!(message.from().unwrap().raw_uri(), &parts.from);
        prop_assert_eq!(message.from().unwrap().tag(), Some(parts.from_tag.as_str()));
        prop_assert_eq!(message.to().unwrap().tag(), parts.to_tag.as_deref());
        prop_assert_eq!(message.call_id().unwrap(), parts.call_id.as_bytes());
        prop_assert_eq!(message.cseq().unwrap().number, parts.cseq);
        let others: Vec<_> = message.fields().filter(|field| field.name == Name::Other)
            .map(|field| (String::from_utf8_lossy(field.raw_name).into_owned(), String::from_utf8_lossy(field.value).into_owned()))
            .collect();
        prop_assert_eq!(&others, &parts.others);
        prop_assert_eq!(message.body, &parts.body[..]);
        prop_assert_eq!(frames([&bytes[..]]), (vec![Frame::Message(bytes.clone())], None));
        prop_assert!(agrees_with_rsip(&bytes), "rsip can read what we write");
    }

    /// A message copied header by header is the same message.
    #[test]
    fn a_copy_reads_the_same(file in 0usize..49) {
        let Ok(message) = Message::read(&CORPUS[file].1) else { return Ok(()) };
        let mut writer = Writer::response(200, "OK");
        for name in Name::ALL.iter().chain([&Name::Other]).filter(|name| **name != Name::ContentLength) {
            writer.copy(&message, *name);
        }
        let copied = writer.finish(None);
        let copied = Message::read(&copied).unwrap();
        for name in Name::ALL.iter().chain([&Name::Other]).filter(|name| **name != Name::ContentLength) {
            prop_assert!(copied.all(*name).eq(message.all(*name)), "{}", name);
        }
    }
}

/// Holds our reading of a message against rsip's, value by value, as far as both can read it; whether both read the message. What we
/// refuse and rsip lets pass is refused by RFC 4475's word, see tests/rfc4475.rs.
fn agrees_with_rsip(bytes: &[u8]) -> bool {
    use rsip::headers::ToTypedHeader;
    use rsip::prelude::{HeadersExt, UntypedHeader};

    let (Ok(ours), Ok(theirs)) = (Message::read(bytes), rsip::SipMessage::try_from(bytes)) else { return false };
    match (&theirs, ours.start) {
        (rsip::SipMessage::Request(request), Start::Request { method, uri }) => {
            assert_eq!(request.method.to_string(), method.as_str());
            // rsip writes URIs anew, so only their meaning can be compared.
            let theirs = request.uri.to_string();
            if let Ok(uri) = Uri::parse(uri) {
                assert!(uri.same_as(&Uri::parse(&theirs).unwrap()), "{uri} is {theirs}");
            }
        }
        (rsip::SipMessage::Response(response), Start::Status { code, .. }) => assert_eq!(response.status_code.code(), code),
        _ => panic!("rsip sees the other kind of message"),
    }
    if let (Ok(theirs), Ok(ours)) = (theirs.call_id_header(), ours.call_id()) {
        assert_eq!(theirs.value().as_bytes(), ours);
    }
    if let (Some(theirs), Ok(ours)) = (theirs.cseq_header().ok().and_then(|cseq| cseq.typed().ok()), ours.cseq()) {
        assert_eq!((theirs.seq, theirs.method.to_string()), (ours.number, ours.method.to_string()));
    }
    if let (Some(theirs), Ok(ours)) = (theirs.from_header().ok().and_then(|from| from.typed().ok()), ours.from()) {
        assert_eq!(theirs.tag().map(rsip::param::Tag::value), ours.tag());
    }
    if let (Some(theirs), Ok(ours)) = (theirs.to_header().ok().and_then(|to| to.typed().ok()), ours.to()) {
        assert_eq!(theirs.tag().map(rsip::param::Tag::value), ours.tag());
    }
    if let (Some(theirs), Ok(ours)) = (theirs.via_header().ok().and_then(|via| via.typed().ok()), ours.top_via()) {
        assert_eq!(theirs.branch().map(rsip::param::Branch::value), ours.branch());
    }
    true
}

/// rsip reads 30 of the torture messages; the number tells when comparisons are lost or won.
#[test]
fn rsip_agrees_on_what_it_can_read_of_the_corpus() {
    let read: Vec<_> = CORPUS.iter().filter(|(_, bytes)| agrees_with_rsip(bytes)).map(|(name, _)| name).collect();
    assert_eq!(read.len(), 30, "{read:?}");
}
