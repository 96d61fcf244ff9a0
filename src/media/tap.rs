//! Taps: what one endpoint says or hears, for whoever records or transcribes it, beside the relay and never on its time.
//!
//! A media thread puts each packet into a ring that takes so many; when nobody takes them out, further ones are dropped and counted.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;
use smallvec::SmallVec;

use super::endpoint::Endpoint;
use crate::base::sync::{AtomicBool, AtomicU64, Ordering};
use crate::base::{Codec, Time};
use crate::engine::media_port::{TapId, TapSide};

/// Packets that a tap holds: some ten seconds.
pub const TAP_PACKETS: usize = 512;
/// The most taps of one endpoint.
pub(super) const TAPS_MAX: usize = 4;

/// One packet of audio, as it came or went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TapPacket {
    /// When.
    pub at: Time,
    /// What it is coded in.
    pub codec: Codec,
    /// Its sequence number.
    pub sequence: u16,
    /// Its timestamp, in units of the codec's RTP clock.
    pub timestamp: u32,
    /// The audio.
    pub payload: SmallVec<[u8; 160]>,
}

#[derive(Debug)]
struct Ring {
    packets: ArrayQueue<TapPacket>,
    dropped: AtomicU64,
    ended: AtomicBool,
}

/// Where a tap's packets are taken out.
#[derive(Debug)]
pub struct TapReader(Arc<Ring>);

/// Where a media thread puts them in. Dropping it ends the tap.
#[derive(Debug)]
pub(super) struct TapWriter(Arc<Ring>);

/// Takes the reader of each tap that begins. It is called by whoever sends commands, and returns at once.
pub type TapSink = Arc<dyn Fn(TapId, TapReader) + Send + Sync>;

/// A tap on an endpoint.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) id: TapId,
    pub(super) side: TapSide,
    pub(super) ring: TapWriter,
}

/// A ring, and its two ends.
pub(super) fn ring() -> (TapWriter, TapReader) {
    let packets = ArrayQueue::new(TAP_PACKETS);
    let ring = Arc::new(Ring { packets, dropped: AtomicU64::new(0), ended: AtomicBool::new(false) });
    (TapWriter(Arc::clone(&ring)), TapReader(ring))
}

impl TapReader {
    /// The next packet, if there is one.
    pub fn take(&self) -> Option<TapPacket> {
        self.0.packets.pop()
    }

    /// How many packets there was no room for.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Whether no packet comes any more but those that are here.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.0.ended.load(Ordering::Acquire)
    }
}

impl Drop for TapWriter {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
    }
}

impl TapWriter {
    fn put(&self, packet: TapPacket) -> bool {
        let put = self.0.packets.push(packet).is_ok();
        if !put {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
        put
    }
}

/// Gives a packet of audio to those who tap this side of the endpoint. How many of them had no room for it.
pub(super) fn tap(endpoint: &Endpoint, side: TapSide, packet: impl Fn() -> TapPacket) -> u64 {
    endpoint.taps.iter().filter(|tap| tap.side == side && !tap.ring.put(packet())).count() as u64
}
