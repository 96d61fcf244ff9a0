//! What a packet costs apart from the system calls: checked, counted and rewritten; and transcoded.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hotline::base::{Codec, Time};
use hotline::rtp::key::KeyReader;
use hotline::rtp::packet::{Header, Outgoing};
use hotline::rtp::{Continuity, Reception, Transcoder};

/// A packet of 20 ms as it comes from a party, the next one each time.
struct Party {
    packet: [u8; 172],
    sequence: u16,
    timestamp: u32,
}

impl Party {
    fn next(&mut self) -> &mut [u8] {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        let header = Outgoing { marker: false, payload_type: 0, sequence: self.sequence, timestamp: self.timestamp, ssrc: 7 };
        self.packet[..12].copy_from_slice(&header.bytes());
        &mut self.packet
    }
}

fn relayed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("media");
    group.throughput(Throughput::Elements(1));
    group.bench_function("relayed", |bencher| {
        let mut party = Party { packet: [0x55; 172], sequence: 0, timestamp: 0 };
        let (mut reception, mut stream) = (Reception::default(), Continuity::new(9, 1, 1));
        let mut now = Time::from_secs(1);
        bencher.iter(|| {
            now = now + Duration::from_millis(20);
            let packet = party.next();
            let header = Header::read(black_box(packet)).expect("a packet");
            black_box(reception.packet(header.ssrc, header.sequence, header.timestamp, (now.micros() / 125) as u32));
            let place = stream.relayed(header.ssrc, header.sequence, header.timestamp, now).expect("in order");
            let ssrc = stream.ssrc();
            Outgoing { marker: place.first, payload_type: 8, sequence: place.sequence, timestamp: place.timestamp, ssrc }
                .rewrite(packet);
            black_box(packet);
        });
    });
    group.bench_function("key", |bencher| {
        let mut reader = KeyReader::default();
        let mut timestamp = 0u32;
        bencher.iter(|| {
            timestamp = timestamp.wrapping_add(800);
            black_box(reader.packet(black_box(timestamp), true, &[5, 10, 0, 160]))
        });
    });
    group.finish();
}

fn transcoded(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("transcode");
    group.throughput(Throughput::Elements(1));
    let payload: Vec<u8> = (0..160u32).map(|n| (n * 89 % 251) as u8).collect();
    for (from, to) in [(Codec::Pcmu, Codec::Pcma), (Codec::Pcmu, Codec::G722), (Codec::G722, Codec::Pcma)] {
        group.bench_function(format!("{from}_{to}"), |bencher| {
            let mut transcoder = Transcoder::new(from, to).expect("transcodable");
            let mut out = [0; 160];
            bencher.iter(|| transcoder.run(black_box(&payload), black_box(&mut out)));
        });
    }
    group.finish();
}

criterion_group!(benches, relayed, transcoded);
criterion_main!(benches);
