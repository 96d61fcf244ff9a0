//! A media thread: its clock, its sleep and its sweep.

use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::time::{ClockId, Timespec, clock_gettime};
use slab::Slab;

use super::endpoint::Endpoint;
use super::handle::{EventSink, Mailbox};
use super::hearing::{Elsewhere, Passed, Wanted};
use super::library::Library;
use super::mix::Voice;
use super::ports::{Ports, event_data};
use super::slots::{SLOTS, Slots};
use super::tap::Tap;
use super::{MediaError, MediaSettings};
use crate::base::hash::{Keyed, KeyedMap};
use crate::base::mail::Rest;
use crate::base::seed::Seed;
use crate::base::sync::Ordering;
use crate::base::{EndpointId, ShardId, Time};
use crate::engine::media_port::{MediaCommand, MediaEvent, MediaThread, Notice};

const TICK_NANOS: u64 = 1_000_000;
/// Ticks between two sweeps while there is only music, which nobody's words wait for: the longest that makes no larger burst than this.
const MUSIC_TICKS: [u64; 4] = [20, 10, 5, 2];
const MUSIC_BURST: u64 = 256;
/// Up to so many relayed parties a sweep each other tick is enough: a packet waits a millisecond on average, and the bursts stay small.
const FEW_RELAYS: usize = 600;
/// Sockets looked at in one sweep; the others keep their turn.
const READY_MAX: usize = 2_048;
/// Commands taken in one sweep.
const COMMANDS_A_SWEEP: usize = 2_048;
/// The thread ticks on for so long after the last packet, then it sleeps until the next.
const LINGER: Duration = Duration::from_millis(200);
/// How long a sleep may be while there is something to look after.
const NAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// Each endpoint is looked after once in so many ticks.
pub(super) const ROUND_TICKS: u64 = 500;
/// Keys and silences of one party that its shard may have unread; keys beyond are dropped and counted, and a silence is told again.
const UNREAD_MAX: usize = 32;
const WAKE: u64 = u64::MAX;
/// Larger than any datagram that could be RTP over an Ethernet; longer ones are cut and dropped.
pub(super) const DATAGRAM_MAX: usize = 2_048;

/// What a thread is sent.
#[derive(Debug)]
pub(super) enum Word {
    Command(MediaCommand),
    /// A tap on this endpoint.
    Tap(EndpointId, Tap),
    /// From another thread.
    Passed(Passed),
}

/// All that one thread has.
pub(super) struct Thread {
    pub(super) name: MediaThread,
    /// The mailboxes of all threads, by name.
    pub(super) others: Arc<[Arc<Mailbox>]>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) library: Arc<ArcSwap<Library>>,
    pub(super) sink: EventSink,
    pub(super) seed: Seed,
    pub(super) silence: Duration,
    stock: usize,
    epoll: OwnedFd,
    pub(super) ports: Ports,
    pub(super) endpoints: Slab<Endpoint>,
    pub(super) by_id: KeyedMap<EndpointId, u32>,
    pub(super) voices: Slab<Voice>,
    /// Sources that are heard here and are not here.
    pub(super) elsewhere: KeyedMap<EndpointId, Elsewhere>,
    /// Sources that other threads want to hear, whether they are here or not.
    pub(super) wanted: KeyedMap<EndpointId, Wanted>,
    pub(super) slots: Slots,
    pub(super) buffer: Box<[u8; DATAGRAM_MAX]>,
    /// For what is made of the packet in the buffer.
    pub(super) other_buffer: Box<[u8; DATAGRAM_MAX]>,
    pub(super) report: Vec<u8>,
    /// The monotonic clock at the start in nanoseconds, and the time that it was.
    started_nanos: u64,
    started: Time,
    pub(super) now: Time,
    pub(super) tick: u64,
    /// Endpoints that hear others.
    pub(super) relays: usize,
    pub(super) packet_at: Time,
    /// The endpoint that is being worked for: what a panic ends.
    pub(super) current: Option<u32>,
}

/// How many pairs each shard has ahead of need. Of a small range several shards together keep no more than a quarter from each other.
fn stock(settings: &MediaSettings, pairs: usize) -> usize {
    let share = if settings.shards > 1 { (pairs / 4 / usize::from(settings.shards)).max(8) } else { usize::MAX };
    settings.stock.min(share).max(1)
}

fn monotonic_nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

impl Thread {
    /// A thread that is ready to run, with its first pairs bound.
    #[allow(clippy::disallowed_methods, reason = "a shell takes the wall clock once, at its start")]
    pub(super) fn new(
        settings: &MediaSettings,
        name: MediaThread,
        mailboxes: &Arc<[Arc<Mailbox>]>,
        library: Arc<ArcSwap<Library>>,
        mut seed: Seed,
        sink: EventSink,
    ) -> Result<Self, MediaError> {
        let mailbox = Arc::clone(&mailboxes[usize::from(name.0)]);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        epoll::add(&epoll, &mailbox.commands.bell().0, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)
            .map_err(io::Error::from)?;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started = Time::ZERO + since_epoch;
        let keyed = Keyed::from_seed(&mut seed);
        let mut ports = Ports::new(settings, name, keyed);
        let first = ports.lease(started, &epoll, ShardId(0))?.ok_or(MediaError::Settings("all ports of the range are taken"))?;
        ports.give_back(&first, Time::ZERO);
        Ok(Thread {
            name,
            others: Arc::clone(mailboxes),
            mailbox,
            library,
            sink,
            seed,
            silence: settings.silence,
            stock: stock(settings, ports.max()),
            epoll,
            ports,
            endpoints: Slab::new(),
            by_id: keyed.map(),
            voices: Slab::new(),
            elsewhere: keyed.map(),
            wanted: keyed.map(),
            slots: Slots::default(),
            buffer: Box::new([0; DATAGRAM_MAX]),
            other_buffer: Box::new([0; DATAGRAM_MAX]),
            report: Vec::with_capacity(128),
            started_nanos: monotonic_nanos(),
            started,
            now: started,
            tick: 0,
            relays: 0,
            packet_at: Time::ZERO,
            current: None,
        })
    }

    /// Microseconds since the start: the clock that arrivals are measured by.
    pub(super) fn elapsed_micros(&self) -> u64 {
        self.now.micros() - self.started.micros()
    }

    /// Sweeps until it is stopped.
    pub(super) fn run(mut self) {
        let mut ready = Vec::with_capacity(READY_MAX);
        self.refill();
        while !self.mailbox.stop.load(Ordering::Acquire) {
            ready.clear();
            let ticking = self.slots.len() > 0 || self.now.since(self.packet_at) < LINGER;
            if ticking {
                self.wait_for_tick();
                let _ = epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
            } else {
                self.sleep(&mut ready);
            }
            let swept = catch_unwind(AssertUnwindSafe(|| self.sweep(&ready, ticking)));
            if swept.is_err() {
                self.mailbox.counters.panics.add(1);
                // What is broken may break again while it is cleared away; the others' calls go on.
                let _ = catch_unwind(AssertUnwindSafe(|| self.abandon()));
            }
        }
    }

    /// Waits for the next tick of the absolute schedule; not at all when it is late.
    fn wait_for_tick(&self) {
        let at = self.started_nanos + (self.tick + 1).next_multiple_of(self.period_ticks()) * TICK_NANOS;
        if monotonic_nanos() < at {
            let at = Timespec { tv_sec: (at / 1_000_000_000) as i64, tv_nsec: (at % 1_000_000_000) as i64 };
            // An interruption makes a short tick, which does no harm.
            let _ = rustix::thread::clock_nanosleep_absolute(ClockId::Monotonic, &at);
        }
    }

    /// Ticks between two sweeps. While somebody is relayed to somebody they are few, of which a packet waits for half.
    fn period_ticks(&self) -> u64 {
        if self.relays > 0 {
            return if self.relays <= FEW_RELAYS { 2 } else { 1 };
        }
        let senders = self.slots.len() as u64;
        MUSIC_TICKS.into_iter().find(|ticks| senders * ticks / SLOTS as u64 <= MUSIC_BURST).unwrap_or(1)
    }

    /// Sleeps until a packet or a command comes, or something must be looked after.
    fn sleep(&self, ready: &mut Vec<epoll::Event>) {
        let watchful = !self.endpoints.is_empty() || self.ports.resting();
        let rest = if watchful { Rest::Napping } else { Rest::Asleep };
        if self.mailbox.commands.may_sleep(rest, || !self.mailbox.stop.load(Ordering::Acquire)) {
            let _ = epoll::wait(&self.epoll, spare_capacity(ready), watchful.then_some(&NAP));
            self.mailbox.commands.awake();
        }
    }

    fn sweep(&mut self, ready: &[epoll::Event], ticking: bool) {
        let nanos = monotonic_nanos() - self.started_nanos;
        self.now = self.started + Duration::from_nanos(nanos);
        let last = self.tick;
        self.tick = nanos / TICK_NANOS;
        self.mailbox.counters.sweeps.add(1);
        self.take_commands();
        for event in ready {
            match event.data.u64() {
                WAKE => {
                    let _ = rustix::io::read(&self.mailbox.commands.bell().0, &mut [0; 8]);
                }
                data => {
                    self.packet_at = self.now;
                    self.readable((data >> 1) as u32, data & 1 == 1);
                }
            }
        }
        if ticking {
            // Late by more than a packet: that packet is caught up with, what is before it is not.
            let first = (last + 1).max((self.tick + 1).saturating_sub(2 * SLOTS as u64));
            self.mailbox.counters.ticks_skipped.add(first - (last + 1));
            for tick in first..=self.tick {
                self.send_slot(tick);
            }
        }
        for tick in (last + 1).max((self.tick + 1).saturating_sub(ROUND_TICKS))..=self.tick {
            let mut slot = (tick % ROUND_TICKS) as usize;
            while slot < self.endpoints.capacity() {
                if self.endpoints.contains(slot) {
                    self.look_after(slot as u32);
                }
                slot += ROUND_TICKS as usize;
            }
            if tick % 64 == 0 {
                self.refill();
            }
            if tick % ROUND_TICKS == 0 {
                self.look_elsewhere();
            }
        }
        self.current = None;
    }

    fn take_commands(&mut self) {
        let leased: usize = self.ports.leased().iter().sum();
        for _ in 0..COMMANDS_A_SWEEP {
            match self.mailbox.commands.take() {
                Some(Word::Command(command)) => self.command(command),
                Some(Word::Tap(endpoint, tap)) => self.tap(endpoint, tap),
                Some(Word::Passed(passed)) => {
                    self.current = None;
                    self.take_passed(passed);
                }
                None => break,
            }
        }
        if self.ports.leased().iter().sum::<usize>() != leased {
            self.refill();
        }
    }

    /// Leases pairs to each shard whose stock has gone down by a quarter, so that not every call makes an event.
    fn refill(&mut self) {
        let counters = &self.mailbox.counters;
        counters.pairs_used.set(self.ports.used(self.now) as u64);
        counters.pairs_max.set(self.ports.max() as u64);
        counters.endpoints.set(self.endpoints.len() as u64);
        for shard in (0..self.ports.leased().len() as u16).map(ShardId) {
            let leased = self.ports.leased()[usize::from(shard.0)];
            if leased <= self.stock - self.stock.div_ceil(4) {
                self.lease(shard, self.stock - leased);
            }
        }
    }

    /// Leases so many pairs to a shard.
    fn lease(&mut self, shard: ShardId, wanted: usize) {
        let mut leases = Vec::with_capacity(wanted);
        while leases.len() < wanted {
            match self.ports.lease(self.now, &self.epoll, shard) {
                Ok(Some(lease)) => leases.push(lease),
                // None now, or no descriptors: the next round tries again.
                Ok(None) | Err(_) => {
                    self.mailbox.counters.pairs_hits.add(1);
                    break;
                }
            }
        }
        if !leases.is_empty() {
            self.tell(shard, MediaEvent::Leased(leases), None);
        }
    }

    /// Tells the shard of an endpoint what has become of it.
    pub(super) fn tell_owner(&self, endpoint: EndpointId, event: MediaEvent) {
        self.tell(endpoint.shard(), event, None);
    }

    /// Tells the shard of the endpoint in this slot what its party does. False if it was not told, for too much of that is unread.
    pub(super) fn tell_of_party(&mut self, slot: u32, event: MediaEvent) -> bool {
        let endpoint = &mut self.endpoints[slot as usize];
        let unread = endpoint.unread.get_or_insert_default();
        if Arc::strong_count(unread) > UNREAD_MAX {
            return false;
        }
        let (shard, unread) = (endpoint.id.shard(), Some(unread.clone()));
        self.tell(shard, event, unread);
        true
    }

    fn tell(&self, shard: ShardId, event: MediaEvent, unread: Option<Arc<()>>) {
        (self.sink)(Notice::new(shard, event, unread));
    }

    /// Connects the RTP socket to the party, so that sending is cheaper and the kernel drops strangers. Not where the party sends from
    /// another address than it wants to be sent to.
    pub(super) fn connect(&mut self, slot: u32) {
        let endpoint = &mut self.endpoints[slot as usize];
        if let Some((_, source)) = &endpoint.party
            && !endpoint.connected
            && (source.symmetric() || !source.closed())
        {
            endpoint.connected = self.ports.pairs[endpoint.pair as usize].rtp.connect(source.target()).is_ok();
        }
    }

    /// Lets the RTP socket take packets from anywhere again.
    pub(super) fn disconnect(&mut self, slot: u32) {
        let endpoint = &mut self.endpoints[slot as usize];
        if endpoint.connected {
            endpoint.connected = false;
            // It keeps its port: that was bound by name.
            let _ = rustix::net::connect_unspec(&self.ports.pairs[endpoint.pair as usize].rtp);
        }
    }
}

const _: () = assert!(event_data(u32::MAX, true) != WAKE);
