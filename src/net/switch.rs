//! Between shards: who gets which message from the wire, and what shards and the rest of the process have to say to a shard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam_queue::ArrayQueue;
use tokio::sync::{Notify, mpsc};

use super::connections::Connections;
use super::recent::{Found, Watches};
use super::stream::StreamInfo;
use crate::base::hash::Keyed;
use crate::base::limits::LimitBoard;
use crate::base::mail::{Bell, Mail, Rest};
use crate::base::words::Limit;
use crate::base::{AgentId, ContactId, ShardId, Time};
use crate::engine::media_port::Notice;
use crate::engine::route::Router;
use crate::engine::{AgentCommand, Letter, Reload, Settings};
use crate::sip::flow::{ConnectionId, Flow};

/// How many commands from outside may wait for a shard: then whoever asks is told that it is busy.
const COMMANDS_MAX: usize = 64 * 1024;
/// How many datagrams that other shards have received may wait for a shard. What comes beyond is dropped, like on the wire.
const HANDED_OVER_MAX: usize = 4096;
/// How many messages of all streams may wait for a shard; then those streams are not read.
const STREAM_INBOX_MAX: usize = 4096;

/// A message to a shard from elsewhere in the process.
#[derive(Debug)]
pub enum ToShard {
    /// From a media thread.
    Media(Notice),
    /// From another shard.
    Letter(Letter),
    /// A command for an agent.
    Agent(AgentId, AgentCommand),
    /// The configuration has changed; its routing table is published.
    Reload(Reload),
    /// No new calls from here on; the loop ends when the last contact of all shards has.
    Drain,
    /// Every contact ends now, and then the loop. Whether that is for too many faults.
    EndAll(bool),
    /// The recent messages of a contact's calls are wanted. An answer that nobody takes is dropped.
    Trace(ContactId, SyncSender<Found>),
    /// Whose messages are to be logged, in place of what was said before.
    Watch(Watches),
}

/// From a stream to the shard that it concerns.
#[derive(Debug)]
pub(super) enum FromStream {
    /// A message, and when it was read.
    Message(StreamInfo, Vec<u8>, Time),
    Closed(StreamInfo),
    /// A connection that the engine asked for was not made. By which name it was asked for, if by any; and over which flow.
    NotMade(Option<ConnectionId>, Flow),
}

/// A datagram that another shard has received.
pub(super) struct HandedOver {
    pub(super) flow: Flow,
    pub(super) bytes: Box<[u8]>,
    /// When it was handed over.
    pub(super) at: Time,
    /// How long it had waited by then.
    pub(super) age: Duration,
}

/// Wakes a shard's thread.
#[derive(Debug, Default)]
pub(super) struct Ringer(pub(super) Notify);

impl Bell for Ringer {
    fn ring(&self) {
        self.0.notify_one();
    }
}

/// Where a shard is reached.
struct Place {
    mail: Mail<ToShard, Ringer>,
    datagrams: ArrayQueue<HandedOver>,
    streams: mpsc::Sender<FromStream>,
    /// Whether it is drained, and nobody is up.
    at_rest: AtomicBool,
    /// When its loop last went round, in microseconds.
    beat: AtomicU64,
}

/// All shards of the process, as everybody reaches them.
pub struct Switch {
    places: Box<[Place]>,
    router: Router,
    settings: Arc<ArcSwap<Settings>>,
    pub(super) connections: Connections,
    limits: Arc<LimitBoard>,
}

/// A shard's own end of it.
pub struct ShardEnd {
    pub(super) shard: ShardId,
    pub(super) switch: Arc<Switch>,
    pub(super) streams: mpsc::Receiver<FromStream>,
}

impl Drop for ShardEnd {
    /// A shard that has ended, however it did, keeps the others from ending no longer.
    fn drop(&mut self) {
        self.switch.rests(self.shard, true);
    }
}

impl Switch {
    /// For so many shards, with an end for each. Messages from the wire are routed by this key; agents are known by the settings in force.
    #[must_use]
    pub fn new(
        shards: u16,
        keyed: Keyed,
        settings: Arc<ArcSwap<Settings>>,
        connections_max: usize,
        limits: Arc<LimitBoard>,
    ) -> (Arc<Switch>, Vec<ShardEnd>) {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..shards).map(|_| mpsc::channel(STREAM_INBOX_MAX)).unzip();
        let place = |streams| Place {
            mail: Mail::new(Ringer::default()),
            datagrams: ArrayQueue::new(HANDED_OVER_MAX),
            streams,
            at_rest: AtomicBool::new(false),
            beat: AtomicU64::new(0),
        };
        let connections = Connections::new(connections_max, limits.clone());
        let places = senders.into_iter().map(place).collect();
        let switch = Arc::new(Switch { places, router: Router::new(shards, keyed), settings, connections, limits });
        let end = |(shard, streams)| ShardEnd { shard: ShardId(shard), switch: switch.clone(), streams };
        let ends = (0..).zip(receivers).map(end).collect();
        (switch, ends)
    }

    /// The shards.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.places.len() as u16).map(ShardId)
    }

    fn place(&self, shard: ShardId) -> &Place {
        &self.places[usize::from(shard.0)]
    }

    pub(super) fn mail(&self, shard: ShardId) -> &Mail<ToShard, Ringer> {
        &self.place(shard).mail
    }

    /// Says something to a shard. It is never lost, and nobody waits.
    pub fn post(&self, shard: ShardId, message: ToShard) {
        self.mail(shard).post(message);
    }

    /// Says something to a shard, unless too much waits for it already. False then.
    pub fn command(&self, shard: ShardId, message: ToShard) -> bool {
        let takes = self.mail(shard).len() < COMMANDS_MAX;
        if takes {
            self.post(shard, message);
        }
        takes
    }

    /// The shard that owns an agent.
    #[must_use]
    pub fn owner_of(&self, agent: AgentId) -> ShardId {
        ShardId::of_agent(agent, self.places.len() as u16)
    }

    /// How much waits for all shards, and how much may before commands are refused.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        (self.places.iter().map(|place| place.mail.len()).sum(), self.places.len() * COMMANDS_MAX)
    }

    /// How many datagrams wait that were handed over, and how many may.
    #[must_use]
    pub fn handed_over(&self) -> (usize, usize) {
        (self.places.iter().map(|place| place.datagrams.len()).sum(), self.places.len() * HANDED_OVER_MAX)
    }

    /// How many stream connections there are, and how many there may be.
    #[must_use]
    pub fn connections(&self) -> (usize, usize) {
        self.connections.used()
    }

    /// The shard that a message from the wire is for.
    pub(super) fn shard_of(&self, bytes: &[u8]) -> ShardId {
        self.router.shard_of(bytes, |name| self.settings.load().agent_named(name))
    }

    /// Hands a datagram over to the shard that it is for, or drops it if too many wait for that.
    pub(super) fn hand_over(&self, shard: ShardId, datagram: HandedOver) {
        let place = self.place(shard);
        if place.datagrams.push(datagram).is_err() {
            self.limits.hit(Limit::HandedOver);
        }
        place.mail.wake(Rest::Napping);
    }

    pub(super) fn datagrams(&self, shard: ShardId) -> &ArrayQueue<HandedOver> {
        &self.place(shard).datagrams
    }

    /// Where streams reach a shard.
    pub(super) fn streams(&self, shard: ShardId) -> &mpsc::Sender<FromStream> {
        &self.place(shard).streams
    }

    /// The loop of a shard goes round.
    pub(super) fn beat(&self, shard: ShardId, now: Time) {
        self.place(shard).beat.store(now.micros(), Ordering::Relaxed);
    }

    /// When the loop of a shard last went round.
    pub(super) fn last_beat(&self, shard: ShardId) -> Time {
        Time::from_micros(self.place(shard).beat.load(Ordering::Relaxed))
    }

    /// A shard is drained and nobody is up there, or it is not so any more. Whether that is so of all.
    pub(super) fn rests(&self, shard: ShardId, at_rest: bool) -> bool {
        let before = self.place(shard).at_rest.swap(at_rest, Ordering::AcqRel);
        let all = self.places.iter().all(|place| place.at_rest.load(Ordering::Acquire));
        if all && !before {
            self.places.iter().for_each(|place| place.mail.wake(Rest::Napping));
        }
        all
    }
}
