//! Starts everything, and ends it in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::records::{self, Recorder, Records};
use super::sink::{Observer, ShardSink};
use super::tracer::Tracer;
use super::web_backend::WebBackend;
use crate::acd::agent_slots::AgentSlotIds;
use crate::acd::answers::Answers;
use crate::acd::matcher::{Matcher, Size};
use crate::acd::routing_table::{Directory, RoutingTable, TooMany};
use crate::base::ShardId;
use crate::base::hash::Keyed;
use crate::base::limits::LimitBoard;
use crate::base::seed::Seed;
use crate::base::words::Limit;
use crate::call::caps::Caps;
use crate::engine::media_port::{MediaEvent, Notice};
use crate::engine::{Engine, Parts, Reload, Settings};
use crate::media::{EventSink, Library, Media, MediaError};
use crate::metrics::{self, Collected};
use crate::net::clock::Clock;
use crate::net::shard::{Ended, Shard};
use crate::net::switch::{ShardEnd, Switch, ToShard};
use crate::net::{self, ListenError, Listener, ListenerSettings};
use crate::sip::stack::counts::SipCounts;
use crate::store::LogHealth;
use crate::web;
use arc_swap::ArcSwap;

/// How many agents more the matcher has room for, so that later reloads can add some; and how many more slots for their further contacts.
const AGENTS_SPARE: u32 = 1024;
const AGENT_SLOTS_SPARE: u32 = 1024;
const QUEUES_SPARE: u32 = 256;
const AGENCIES_SPARE: u32 = 64;
/// How often it is looked for a shard that has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What to listen on, and with which settings.
pub struct Listen {
    /// How many shards, each with a signalling thread.
    pub shards: u16,
    /// The listeners for SIP.
    pub sip: Vec<ListenerSettings>,
    /// The settings of media.
    pub media: crate::media::MediaSettings,
    /// The settings of HTTP.
    pub web: web::WebSettings,
    /// What is recorded, and where.
    pub recorder: Recorder,
    /// Bytes of recent SIP messages that are kept, by all shards together.
    pub recent_sip_bytes: usize,
}

/// Why the process could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A SIP listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The media threads.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The HTTP listener.
    #[error("cannot listen for HTTP on {address}: {source}")]
    Http {
        /// The address.
        address: SocketAddr,
        /// The reason.
        source: std::io::Error,
    },
    /// The event log.
    #[error("the event log in {directory} cannot be written: {source}")]
    Log {
        /// The directory of the log.
        directory: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A thread, or the system's randomness.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// A reload names more than a running process has room for.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// Too many agents, queues or agencies.
    #[error(
        "a running process has room for {agents} agents, {queues} queues and {agencies} agencies that it has ever heard of: restart it to take up more"
    )]
    Names {
        /// Room for agents.
        agents: u32,
        /// Room for queues.
        queues: u32,
        /// Room for agencies.
        agencies: u32,
    },
    /// Agents may have more contacts at once than there is room for.
    #[error(
        "a running process has room for {room} contacts beside agents' first ones, with all that at_once has ever allowed, and {wanted} are wanted: restart it to take up more"
    )]
    AgentSlots {
        /// How many there would be.
        wanted: u32,
        /// How many there is room for.
        room: u32,
    },
    /// Too many demands or skill groups.
    #[error(transparent)]
    Places(#[from] TooMany),
}

/// A running process.
pub struct Running {
    /// The addresses on which SIP is received, as bound.
    pub sip: Vec<SocketAddr>,
    /// The address of HTTP, as bound.
    pub http: SocketAddr,
    settings: Arc<ArcSwap<Settings>>,
    matcher: Arc<Matcher>,
    switch: Arc<Switch>,
    draining: Arc<AtomicBool>,
    shards: Vec<JoinHandle<Ended>>,
    /// Held until the shards have ended: its threads stop when it is dropped.
    media: Media,
    records: Records,
}

/// Randomness from the system, for everything random in the process.
fn system_seed() -> std::io::Result<Seed> {
    use std::io::Read;
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(Seed::from_bytes(bytes))
}

/// What the process's descriptors are for.
struct Descriptors {
    /// Pairs of media sockets.
    pairs_max: usize,
    /// SIP connections over streams.
    connections_max: usize,
}

/// Takes as many descriptors as the system allows, and shares them out: each leg has two sockets, but media must never take those that
/// the event log, HTTP and signalling need.
fn share_descriptors() -> Descriptors {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    let all = getrlimit(Resource::Nofile).current.map_or(1 << 20, |all| all as usize);
    let kept = (all / 4).min(8_192);
    Descriptors { pairs_max: (all - kept) / 2, connections_max: kept / 4 * 3 }
}

/// Starts the process. It binds everything first, so that a mistake is reported before anything runs.
///
/// `observer` is called with every fact, on the signalling threads.
///
/// # Errors
/// When something cannot be bound or started.
pub fn start(settings: Settings, listen: &Listen, library: Library, observer: Option<&Observer>) -> Result<Running, StartError> {
    let descriptors = share_descriptors();
    let clock = Clock::start();
    let mut seed = system_seed()?;
    let listeners = listen.sip.iter().map(net::listen).collect::<Result<Vec<Listener>, _>>()?;
    let http = std::net::TcpListener::bind(listen.web.bind)
        .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
        .map_err(|source| StartError::Http { address: listen.web.bind, source })?;
    let http_address = http.local_addr()?;
    let sip = listeners.iter().map(|listener| listener.address).collect();

    let agents_max = settings.directory.agents.len() as u32 + AGENTS_SPARE;
    let (settings, directory) = settings.with_agent_slots(&AgentSlotIds::beyond(agents_max, listen.shards));
    let settings = Arc::new(settings);
    let (log, records) = records::start(&listen.recorder, &settings, clock.now())?;
    let size = Size {
        shards: listen.shards,
        contacts_per_shard: Size::slots_for(contacts_of_a_shard(settings.limits.contacts, listen.shards)),
        agents: directory.agents.len() as u32 + AGENT_SLOTS_SPARE,
        queues: settings.directory.queues.len() as u32 + QUEUES_SPARE,
        agencies: settings.agencies.len() as u32 + AGENCIES_SPARE,
    };
    let matcher = Arc::new(Matcher::new(size, RoutingTable::new(&directory, settings.version), |agent| {
        ShardId::of_agent(agent, listen.shards).0
    }));
    let limits = Arc::new(LimitBoard::new(listen.shards));
    let current = Arc::new(ArcSwap::new(settings.clone()));
    let keyed = Keyed::from_seed(&mut seed);
    let (switch, ends) = Switch::new(listen.shards, keyed, current.clone(), descriptors.connections_max, limits.clone());
    let leases = Arc::new(AtomicUsize::new(0));
    let sink: EventSink = Arc::new({
        let (switch, leases) = (switch.clone(), leases.clone());
        move |notice: Notice| {
            let is_lease = matches!(notice.event, MediaEvent::Leased(_));
            switch.post(notice.shard, ToShard::Media(notice));
            if is_lease {
                leases.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let mut ports = listen.media.clone();
    ports.shards = listen.shards;
    ports.pairs_max = ports.pairs_max.min(descriptors.pairs_max);
    let pairs = ports.ports.clone().count() / 2 * ports.addresses.len();
    if pairs > ports.pairs_max {
        let usable = ports.pairs_max;
        tracing::warn!(
            pairs,
            usable,
            "the limit on open files is too low for all ports of the range: raise it (LimitNOFILE in systemd)"
        );
    }
    let media = Media::start(&ports, library, &mut seed, &sink)?;

    let counts: Vec<Arc<SipCounts>> = ends.iter().map(|_| Arc::default()).collect();
    let draining = Arc::new(AtomicBool::new(false));
    let handle = media.handle();
    let collected = Collected {
        matcher: matcher.clone(),
        sip: counts.clone(),
        media: Box::new(move || media_totals(&handle)),
        limits: limits.clone(),
        look_up: look_up(&limits, switch.clone(), media.handle(), records.log()),
        log_lost: records.lost(),
        store_lag: records.lag(),
        now: Box::new(move || clock.now()),
    };
    let (meters, exporter) = metrics::build(&current, listen.shards, agents_max, collected);
    let backend = WebBackend {
        exporter,
        settings: current.clone(),
        matcher: matcher.clone(),
        clock,
        switch: switch.clone(),
        draining: draining.clone(),
        log: records.log(),
        events: listen.recorder.log.as_ref().map(|log| log.directory.clone()),
        keeps_sip: listen.recent_sip_bytes > 0,
        watches: ArcSwap::default(),
        limits: limits.clone(),
    };
    let router = web::router(backend, listen.web.token.clone());
    std::thread::Builder::new().name("http".to_owned()).spawn({
        let limits = limits.clone();
        move || serve_http(http, router, limits)
    })?;

    let names: Vec<_> = listeners.iter().map(|listener| listener.name.clone()).collect();
    let listeners = Arc::new(listeners);
    let canary_token = u128::from(seed.next_u64()) << 64 | u128::from(seed.next_u64());
    let (caps, last_fault) = (Arc::<Caps>::default(), Arc::default());
    let mut shards = Vec::new();
    for ((end, meters), counts) in ends.into_iter().zip(meters).zip(counts) {
        let parts = Parts {
            shard: shards.len() as u16,
            settings: settings.clone(),
            matcher: matcher.clone(),
            listeners: names.clone(),
            seed: seed.fork(),
            counts,
            limits: limits.clone(),
            caps: caps.clone(),
            answers: Answers::Live,
            rounds_max: None,
        };
        let outside = ShardSink {
            observer: observer.cloned(),
            settings: settings.clone(),
            media: media.handle().sender(),
            meters,
            log: log.clone(),
            tracer: Tracer::new(listen.recent_sip_bytes / usize::from(listen.shards), ShardId(parts.shard), limits.clone()),
            last_fault: Arc::clone(&last_fault),
        };
        let (clock, listeners) = (clock, listeners.clone());
        let thread = std::thread::Builder::new().name(format!("signalling-{}", parts.shard));
        shards.push(thread.spawn(move || run_shard(parts, outside, clock, &listeners, end, canary_token))?);
    }
    drop(log);
    wait_for_ports(&leases, usize::from(listen.media.threads) * usize::from(listen.shards), &switch);
    Ok(Running { sip, http: http_address, settings: current, matcher, switch, draining, shards, media, records })
}

/// How many contacts one of several shards has room for: contacts come to it by chance, so some more than its share.
fn contacts_of_a_shard(contacts: u32, shards: u16) -> u32 {
    let share = contacts.div_ceil(u32::from(shards.max(1)));
    contacts.min(share + share / 4 + 64)
}

/// Waits until each media thread has leased its first ports to each shard and signalling has taken them: the first call must find some. Not for ever:
/// without them calls are refused, and `hotline_limit_hits_total` says why.
fn wait_for_ports(leases: &AtomicUsize, wanted: usize, switch: &Switch) {
    for _ in 0..5_000 {
        if leases.load(Ordering::Relaxed) >= wanted && switch.waiting().0 == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn run_shard(parts: Parts, outside: ShardSink, clock: Clock, listeners: &[Listener], end: ShardEnd, canary_token: u128) -> Ended {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let Ok(runtime) = runtime else { return Ended::Faults };
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let engine = Engine::new(parts, clock.now());
        match Shard::new(engine, outside, clock, listeners, end, canary_token) {
            Ok(shard) => shard.run().await,
            Err(error) => {
                tracing::error!(%error, "a socket cannot be watched");
                Ended::Faults
            }
        }
    })
}

fn serve_http(listener: std::net::TcpListener, router: axum::Router, limits: Arc<LimitBoard>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    if let Ok(runtime) = runtime
        && let Err(error) = runtime.block_on(web::serve(listener, router, limits))
    {
        tracing::error!(%error, "HTTP has ended");
    }
}

fn media_totals(handle: &crate::media::MediaHandle) -> Vec<(&'static str, u64)> {
    let mut totals: Vec<(&'static str, u64)> = Vec::new();
    for counters in handle.counters() {
        for (name, count) in counters.iter() {
            match totals.iter_mut().find(|(known, _)| *known == name) {
                Some((_, total)) => *total += count,
                None => totals.push((name, count)),
            }
        }
    }
    totals
}

/// Updates limits that are not noted where they change: how much waits between the threads.
fn look_up(
    limits: &Arc<LimitBoard>,
    switch: Arc<Switch>,
    media: crate::media::MediaHandle,
    log: Option<Arc<LogHealth>>,
) -> Box<dyn Fn() + Send + Sync> {
    let limits = limits.clone();
    let note = move |limit, (used, max): (usize, usize)| {
        limits.set_used(limit, used as u64);
        limits.set_max(limit, max as u64);
    };
    Box::new(move || {
        note(Limit::Inbox, switch.waiting());
        note(Limit::HandedOver, switch.handed_over());
        note(Limit::Connections, switch.connections());
        note(Limit::MediaCommands, media.commands());
        note(Limit::MediaPorts, media.pairs());
        if let Some(log) = &log {
            note(Limit::LogBuffer, log.buffered());
        }
    })
}

/// The settings as they follow `running` ones in a matcher of this size, and their directory with agents' slots.
fn following(settings: Settings, running: &Settings, size: Size) -> Result<(Settings, Directory), ReloadError> {
    let settings = settings.following(running);
    let agents_max = running.agent_slots.from();
    let known = [settings.directory.agents.len(), settings.directory.queues.len(), settings.agencies.len()];
    if known.into_iter().zip([agents_max, size.queues, size.agencies]).any(|(known, room)| known > room as usize) {
        return Err(ReloadError::Names { agents: agents_max, queues: size.queues, agencies: size.agencies });
    }
    let (settings, directory) = settings.with_agent_slots(&running.agent_slots);
    let wanted = directory.agents.len() as u32;
    if wanted > size.agents {
        return Err(ReloadError::AgentSlots { wanted: wanted - agents_max, room: size.agents - agents_max });
    }
    Ok((settings, directory))
}

impl Running {
    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Puts other settings in force, without touching calls in progress. `library`: the prompts, read again.
    ///
    /// # Errors
    /// When there are more agents, queues or kinds of them than there is room for; nothing has changed then.
    pub fn reload(&self, settings: Settings, library: Library) -> Result<(), ReloadError> {
        let (settings, directory) = following(settings, &self.settings.load_full(), self.matcher.size())?;
        let settings = Arc::new(settings);
        let routing_table = self.matcher.publish(&directory, settings.version)?;
        self.media.handle().set_library(library);
        self.settings.store(settings.clone());
        self.tell_all(|| ToShard::Reload(Reload { settings: settings.clone(), routing_table: routing_table.clone() }));
        Ok(())
    }

    /// No new calls from here on; [`Running::wait`] returns when the last contact has ended.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.tell_all(|| ToShard::Drain);
    }

    /// Every contact ends now.
    pub fn end_all(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.tell_all(|| ToShard::EndAll(false));
    }

    /// Says something to every shard.
    fn tell_all(&self, message: impl Fn() -> ToShard) {
        self.switch.shards().for_each(|shard| self.switch.post(shard, message()));
    }

    /// Whether the process has ended by itself, or one of its shards has.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.shards.iter().any(JoinHandle::is_finished)
    }

    /// Waits for the end. Should a shard have ended without the others, they end, too.
    pub fn wait(self) -> Ended {
        while !self.ended() {
            std::thread::sleep(LOOK_EVERY);
        }
        self.tell_all(|| ToShard::EndAll(false));
        let mut ended = Ended::Drained;
        for shard in self.shards {
            if shard.join().unwrap_or(Ended::Faults) == Ended::Faults {
                ended = Ended::Faults;
            }
        }
        drop(self.media);
        self.records.close();
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acd::agent_slots::Capacity;
    use crate::acd::routing_table::AgentProfile;
    use crate::base::AgentId;
    use crate::base::words::Channel;

    fn settings(agents: usize, chats: u8) -> Settings {
        let capacity = Capacity::of([Capacity::load(&[(Channel::Voice, 1), (Channel::Chat, chats)])]);
        let agents = vec![Some(AgentProfile { capacity, ..AgentProfile::default() }); agents];
        Settings { directory: Directory { agents, ..Directory::default() }, ..Settings::default() }
    }

    #[test]
    fn a_reload_that_needs_more_room_is_refused() {
        let size = Size { shards: 1, contacts_per_shard: 1, agents: 10, queues: 1, agencies: 1 };
        let before = Settings { agent_slots: AgentSlotIds::beyond(4, 1), ..settings(1, 0) };
        let (running, directory) = following(settings(3, 2), &before, size).unwrap();
        assert_eq!(directory.agents.len(), 10);
        let told = |settings| following(settings, &running, size).map(|_| ()).unwrap_err().to_string();
        assert!(told(settings(5, 0)).contains("room for 4 agents"));
        assert!(told(settings(4, 2)).contains("room for 6 contacts") && told(settings(4, 2)).contains("8 are wanted"));
        // Who may have fewer keeps the numbers for when it is more again.
        let (running, _) = following(settings(4, 0), &running, size).unwrap();
        assert_eq!(running.agent_slots.of(AgentId(2)).count(), 3);
    }
}
