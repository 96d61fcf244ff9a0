//! Starting the threads, and talking to them.

use std::io;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use arc_swap::ArcSwap;
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::OwnedFd;

use super::counters::Counters;
use super::held::Held;
use super::library::Library;
use super::tap::{self, Tap, TapSink};
use super::thread::{Thread, Word};
use super::{COMMANDS_MAX, MediaSettings};
use crate::base::mail::{Bell, Mail, Rest};
use crate::base::seed::Seed;
use crate::base::sync::{AtomicBool, Ordering};
use crate::engine::media_port::{Feed, MediaCommand, MediaThread, Notice};

/// Takes notices. The media threads call it and must not be kept waiting: it hands the notice over, and returns.
pub type EventSink = Arc<dyn Fn(Notice) + Send + Sync>;

/// Commands that nobody hears the difference of wait for a napping thread to wake by itself, up to so many.
const UNHURRIED_MAX: usize = 64;

/// The bell of a media thread: readable when the thread shall look at its commands.
#[derive(Debug)]
pub(super) struct WakeFd(pub(super) OwnedFd);

impl Bell for WakeFd {
    fn ring(&self) {
        // Full means that it is readable already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

/// Why the media threads cannot start.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The settings make no sense.
    #[error("media: {0}")]
    Settings(&'static str),
    /// No socket could be bound on a configured address, or no thread started.
    #[error("media: {0}")]
    Io(#[from] io::Error),
}

/// What a thread shares with those who send it commands.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) commands: Mail<Word, WakeFd>,
    pub(super) stop: AtomicBool,
    pub(super) counters: Counters,
}

impl Mailbox {
    pub(super) fn new() -> io::Result<Self> {
        let bell = WakeFd(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        Ok(Mailbox { commands: Mail::new(bell), stop: AtomicBool::new(false), counters: Counters::default() })
    }

    fn send(&self, command: MediaCommand, taps: Option<&TapSink>) {
        let hurried = is_hurried(&command) || self.commands.len() >= UNHURRIED_MAX;
        let word = match command {
            MediaCommand::Tap { endpoint, tap, side } => {
                let Some(sink) = taps else { return self.counters.taps_refused.add_shared(1) };
                let (writer, reader) = tap::ring();
                sink(tap, reader);
                Word::Tap(endpoint, Tap { id: tap, side, ring: writer })
            }
            command => Word::Command(command),
        };
        if hurried {
            self.commands.post(word);
        } else {
            self.commands.post_unhurried(word);
        }
    }
}

struct Shared {
    mailboxes: Arc<[Arc<Mailbox>]>,
    library: Arc<ArcSwap<Library>>,
    taps: OnceLock<TapSink>,
}

/// The running media threads. Dropping it stops them; no packet is sent after that.
pub struct Media {
    handle: MediaHandle,
    threads: Vec<JoinHandle<()>>,
}

/// For sending commands and reading counters, from anywhere.
#[derive(Clone)]
pub struct MediaHandle(Arc<Shared>);

impl Media {
    /// Starts the threads. The first lease of each comes as an event at once.
    ///
    /// Each pair of ports takes two descriptors: raise the limit on open files before.
    ///
    /// # Errors
    /// When the settings make no sense, or not one pair could be bound for some thread.
    pub fn start(settings: &MediaSettings, library: Library, seed: &mut Seed, sink: &EventSink) -> Result<Media, MediaError> {
        if settings.addresses.is_empty() || settings.threads == 0 {
            return Err(MediaError::Settings("an address and a thread are needed"));
        }
        if settings.ports.clone().count() / 2 < usize::from(settings.threads) {
            return Err(MediaError::Settings("fewer pairs of ports than threads"));
        }
        if settings.dscp > 63 {
            return Err(MediaError::Settings("a DSCP is below 64"));
        }
        let library = Arc::new(ArcSwap::from_pointee(library));
        let mailboxes = (0..settings.threads).map(|_| Mailbox::new().map(Arc::new)).collect::<io::Result<Arc<[_]>>>()?;
        let threads = (0..settings.threads).map(MediaThread);
        let ready = threads.map(|name| Thread::new(settings, name, &mailboxes, library.clone(), seed.fork(), sink.clone()));
        let ready = ready.collect::<Result<Vec<_>, _>>()?;
        let handle = MediaHandle(Arc::new(Shared { mailboxes, library, taps: OnceLock::new() }));
        let mut media = Media { handle, threads: Vec::new() };
        for thread in ready {
            let name = format!("media-{}", thread.name.0);
            media.threads.push(thread::Builder::new().name(name).spawn(move || thread.run())?);
        }
        Ok(media)
    }

    /// A handle to talk to them.
    #[must_use]
    pub fn handle(&self) -> MediaHandle {
        self.handle.clone()
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        for mailbox in &*self.handle.0.mailboxes {
            mailbox.stop.store(true, Ordering::Release);
            mailbox.commands.wake(Rest::Napping);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Whether a command makes a sound by itself. The others are heard with the next packet, which wakes the thread, and before each packet
/// the thread takes its commands: a wake-up for each would cost more than they do.
const fn is_hurried(command: &MediaCommand) -> bool {
    match command {
        MediaCommand::Feed { feed: Feed::Music(_) | Feed::Prompts { .. }, .. } | MediaCommand::SendDigit { .. } => true,
        MediaCommand::Feed { feed: Feed::Peers(_) | Feed::Nothing, .. }
        | MediaCommand::Open { .. }
        | MediaCommand::Remote { .. }
        | MediaCommand::Tap { .. }
        | MediaCommand::Untap { .. }
        | MediaCommand::Close { .. }
        | MediaCommand::Return { .. } => false,
    }
}

impl MediaHandle {
    /// A sender of commands, for one shard.
    #[must_use]
    pub fn sender(&self) -> MediaSender {
        let held = self.0.mailboxes.iter().map(|_| Held::default()).collect();
        MediaSender { handle: self.clone(), held }
    }

    /// Who takes the readers of taps. Without anybody, taps are refused and counted. False if somebody does so already.
    pub fn set_tap_sink(&self, sink: TapSink) -> bool {
        self.0.taps.set(sink).is_ok()
    }

    /// The counters of each thread.
    pub fn counters(&self) -> impl Iterator<Item = &Counters> {
        self.0.mailboxes.iter().map(|mailbox| &mailbox.counters)
    }

    /// How many commands wait for the threads, and how many may.
    #[must_use]
    pub fn commands(&self) -> (usize, usize) {
        let mailboxes = &self.0.mailboxes;
        (mailboxes.iter().map(|mailbox| mailbox.commands.len()).sum(), mailboxes.len() * COMMANDS_MAX)
    }

    /// How many pairs of ports are open or resting, and how many there are.
    #[must_use]
    pub fn pairs(&self) -> (usize, usize) {
        let sum = |count: fn(&Counters) -> u64| self.counters().map(count).sum::<u64>() as usize;
        (sum(|counters| counters.pairs_used.get()), sum(|counters| counters.pairs_max.get()))
    }

    /// Replaces the recordings. What is playing goes on to its end as it was.
    pub fn set_library(&self, library: Library) {
        self.0.library.store(Arc::new(library));
    }

    /// The recordings in use.
    #[must_use]
    pub fn library(&self) -> Arc<Library> {
        self.0.library.load_full()
    }
}

/// Sends the commands of one shard. It never waits, and loses none: what a thread that is far behind ([`COMMANDS_MAX`]) has not been told yet
/// is held back, of each endpoint the newest of each kind.
pub struct MediaSender {
    handle: MediaHandle,
    /// By thread.
    held: Box<[Held]>,
}

impl MediaSender {
    /// Sends a command to a thread; of those to one thread each endpoint's keep their order. `false` if there is no such thread, or it has ended.
    pub fn send(&mut self, thread: MediaThread, command: MediaCommand) -> bool {
        let Some(mailbox) = self.handle.0.mailboxes.get(usize::from(thread.0)) else { return false };
        if mailbox.stop.load(Ordering::Acquire) {
            mailbox.counters.commands_lost.add_shared(1);
            return false;
        }
        let held = &mut self.held[usize::from(thread.0)];
        if held.is_empty() && mailbox.commands.len() < COMMANDS_MAX {
            mailbox.send(command, self.handle.0.taps.get());
            return true;
        }
        if held.is_empty() {
            mailbox.counters.queue_full.add_shared(1);
        }
        if !held.keep(command) {
            mailbox.counters.keys_dropped.add_shared(1);
        }
        true
    }

    /// Whether something is held back: [`MediaSender::catch_up`] is to be called again soon.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.held.iter().any(|held| !held.is_empty())
    }

    /// Sends what was held back, as far as there is room for it.
    pub fn catch_up(&mut self) {
        for (mailbox, held) in self.handle.0.mailboxes.iter().zip(&mut self.held) {
            if held.is_empty() {
                continue;
            }
            let room = COMMANDS_MAX.saturating_sub(mailbox.commands.len());
            held.take(room).into_iter().for_each(|command| mailbox.send(command, self.handle.0.taps.get()));
        }
    }
}
