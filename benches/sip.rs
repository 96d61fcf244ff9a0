//! Reading and writing an ordinary INVITE, beside rsip as the baseline.

#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hotline::sip::{Frame, Framer, Message, Name, Uri, Writer};
use rsip::headers::ToTypedHeader;
use rsip::prelude::{HeadersExt, UntypedHeader};

const SDP: &str = "v=0\r\no=- 3901234567 3901234567 IN IP4 198.51.100.20\r\ns=call\r\nc=IN IP4 198.51.100.20\r\nt=0 0\r\n\
    m=audio 30470 RTP/AVP 8 0 9 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:9 G722/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

/// As a carrier's border would send it.
fn invite() -> Vec<u8> {
    let mut writer = Writer::request("INVITE", "sip:+4930120@203.0.113.5:5060;user=phone");
    writer
        .field(Name::Via, "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK4b43c2ff8.1;rport")
        .field(Name::Via, "SIP/2.0/UDP 198.51.100.20:5080;branch=z9hG4bKnashds8;received=198.51.100.20")
        .field(Name::MaxForwards, "68")
        .field(Name::RecordRoute, "<sip:198.51.100.7;lr;ftag=9fxced76sl>")
        .field(Name::From, "\"Anna Adler\" <sip:+493055512345@carrier.example;user=phone>;tag=9fxced76sl")
        .field(Name::To, "<sip:+4930120@city.example;user=phone>")
        .field(Name::CallId, "3848276298220188511@carrier.example")
        .field(Name::CSeq, "102 INVITE")
        .field(Name::Contact, "<sip:+493055512345@198.51.100.20:5080>")
        .field(Name::UserAgent, "Border/7.2")
        .field(Name::Allow, "INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE")
        .field(Name::Supported, "timer, 100rel");
    writer.finish(Some(("application/sdp", SDP.as_bytes())))
}

/// What every message is asked for on its way through the stack.
fn core_headers(message: &Message<'_>) -> usize {
    let via = message.top_via().unwrap();
    let (from, to) = (message.from().unwrap(), message.to().unwrap());
    let (from_uri, to_uri): (Uri<'_>, Uri<'_>) = (from.uri().unwrap(), to.uri().unwrap());
    let contact = message.contacts().next().unwrap().unwrap().addr().unwrap().uri().unwrap();
    let tags = from.tag().map_or(0, str::len) + to.tag().map_or(0, str::len);
    via.branch().unwrap().len()
        + tags
        + from_uri.host.len()
        + to_uri.host.len()
        + contact.host.len()
        + message.call_id().unwrap().len()
        + message.cseq().unwrap().number as usize
}

fn rsip_core_headers(message: &rsip::SipMessage) -> usize {
    let via = message.via_header().unwrap().typed().unwrap();
    let (from, to) = (message.from_header().unwrap().typed().unwrap(), message.to_header().unwrap().typed().unwrap());
    let contact = message.contact_header().unwrap().typed().unwrap();
    let host = |uri: &rsip::Uri| uri.host_with_port.host.to_string().len();
    via.branch().unwrap().value().len()
        + from.tag().map_or(0, |tag| tag.value().len())
        + to.tag().map_or(0, |tag| tag.value().len())
        + host(&from.uri)
        + host(&to.uri)
        + host(&contact.uri)
        + message.call_id_header().unwrap().value().len()
        + message.cseq_header().unwrap().typed().unwrap().seq as usize
}

fn read(c: &mut Criterion) {
    let bytes = invite();
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("hotline", |b| b.iter(|| Message::read(black_box(&bytes)).unwrap().body.len()));
    group.bench_function("rsip", |b| b.iter(|| rsip::SipMessage::try_from(black_box(&bytes[..])).unwrap()));
    group.finish();
}

fn typed(c: &mut Criterion) {
    let bytes = invite();
    let ours = Message::read(&bytes).unwrap();
    let theirs = rsip::SipMessage::try_from(&bytes[..]).unwrap();
    assert_eq!(core_headers(&ours), rsip_core_headers(&theirs));
    let mut group = c.benchmark_group("typed core headers");
    group.bench_function("hotline", |b| b.iter(|| core_headers(black_box(&ours))));
    group.bench_function("rsip", |b| b.iter(|| rsip_core_headers(black_box(&theirs))));
    group.bench_function("hotline check", |b| b.iter(|| black_box(&ours).check()));
    group.finish();
}

fn write(c: &mut Criterion) {
    let bytes = invite();
    let theirs = rsip::SipMessage::try_from(&bytes[..]).unwrap();
    let mut group = c.benchmark_group("write");
    group.bench_function("hotline", |b| b.iter(invite));
    group.bench_function("rsip", |b| b.iter(|| Vec::<u8>::from(black_box(&theirs).clone())));
    group.finish();
}

fn frame(c: &mut Criterion) {
    let bytes = invite();
    c.bench_function("frame", |b| {
        let mut framer = Framer::new(65_536);
        b.iter(|| {
            framer.push(black_box(&bytes));
            let Ok(Some(Frame::Message(message))) = framer.next() else { panic!("one message") };
            message.len()
        });
    });
}

criterion_group!(benches, read, typed, write, frame);
criterion_main!(benches);
