//! Starting the threads, and talking to them.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam_queue::ArrayQueue;
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::OwnedFd;

use super::counters::Counters;
use super::library::Library;
use super::thread::Thread;
use super::{COMMANDS_MAX, MediaSettings};
use crate::base::seed::Seed;
use crate::base::sync::{AtomicBool, AtomicU8, Ordering, fence};
use crate::engine::media_port::{Feed, MediaCommand, MediaEvent, MediaThread};

/// Receives events. The media threads call it and must not be kept waiting: it hands the event over, and returns.
pub type EventSink = Arc<dyn Fn(MediaEvent) + Send + Sync>;

/// How long a sender waits for room in a full queue before it gives up.
const ROOM_PATIENCE: Duration = Duration::from_secs(1);
const ROOM_STEP: Duration = Duration::from_micros(100);
/// Commands that nobody hears the difference of wait for a napping thread to wake by itself, up to so many.
const UNHURRIED_MAX: usize = 64;

/// The thread looks at its commands by itself within a tick.
pub(super) const AWAKE: u8 = 0;
/// It sleeps until something comes, and not for long.
pub(super) const NAPPING: u8 = 1;
/// It has nothing to look after, and sleeps until it is woken.
pub(super) const ASLEEP: u8 = 2;

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
    pub(super) commands: ArrayQueue<MediaCommand>,
    /// Readable when a sleeping thread shall look at its commands.
    pub(super) wake: OwnedFd,
    /// [`AWAKE`], [`NAPPING`] or [`ASLEEP`].
    pub(super) rest: AtomicU8,
    pub(super) stop: AtomicBool,
    pub(super) counters: Counters,
}

impl Mailbox {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Mailbox {
            commands: ArrayQueue::new(COMMANDS_MAX),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            rest: AtomicU8::new(AWAKE),
            stop: AtomicBool::new(false),
            counters: Counters::default(),
        })
    }

    /// Wakes the thread if it rests as deep as `from`, or deeper.
    fn wake(&self, from: u8) {
        // With the fence in `Thread::sleep`: either the thread sees what was pushed, or we see that it sleeps.
        fence(Ordering::SeqCst);
        if self.rest.load(Ordering::Relaxed) >= from && self.rest.swap(AWAKE, Ordering::Relaxed) != AWAKE {
            // Full means that it is readable already.
            let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        }
    }
}

struct Shared {
    mailboxes: Vec<Arc<Mailbox>>,
    library: Arc<ArcSwap<Library>>,
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
        let mut ready = Vec::new();
        for number in 0..settings.threads {
            let mailbox = Arc::new(Mailbox::new()?);
            let name = MediaThread(number);
            ready.push((
                Thread::new(settings, name, Arc::clone(&mailbox), Arc::clone(&library), seed.fork(), Arc::clone(sink))?,
                mailbox,
            ));
        }
        let mut media = Media { handle: MediaHandle(Arc::new(Shared { mailboxes: Vec::new(), library })), threads: Vec::new() };
        let mut mailboxes = Vec::new();
        for (number, (thread, mailbox)) in ready.into_iter().enumerate() {
            mailboxes.push(mailbox);
            media.threads.push(thread::Builder::new().name(format!("media-{number}")).spawn(move || thread.run())?);
        }
        media.handle = MediaHandle(Arc::new(Shared { mailboxes, library: Arc::clone(&media.handle.0.library) }));
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
        for mailbox in &self.handle.0.mailboxes {
            mailbox.stop.store(true, Ordering::Release);
            mailbox.wake(NAPPING);
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
        MediaCommand::Feed { feed: Feed::Peer(_) | Feed::Nothing, .. }
        | MediaCommand::Open { .. }
        | MediaCommand::Remote { .. }
        | MediaCommand::Close { .. }
        | MediaCommand::Return { .. } => false,
    }
}

impl MediaHandle {
    /// Sends a command to a thread. Commands of one sender to one thread keep their order.
    ///
    /// At the queue's bound ([`COMMANDS_MAX`]) the sender waits for room and counts it: a thread takes them all each millisecond and
    /// waits for nobody, so this is back-pressure for a moment, and a `Close` is not lost. After a second (the thread is gone) the
    /// command is lost and counted; `false` then, and for a thread that there is not.
    pub fn send(&self, thread: MediaThread, command: MediaCommand) -> bool {
        let Some(mailbox) = self.0.mailboxes.get(usize::from(thread.0)) else { return false };
        let hurried = is_hurried(&command);
        let mut command = command;
        let mut waited = Duration::ZERO;
        while let Err(refused) = mailbox.commands.push(command) {
            command = refused;
            if waited.is_zero() {
                mailbox.counters.queue_full.add_shared(1);
            }
            if waited >= ROOM_PATIENCE || mailbox.stop.load(Ordering::Acquire) {
                mailbox.counters.commands_lost.add_shared(1);
                return false;
            }
            mailbox.wake(NAPPING);
            thread::sleep(ROOM_STEP);
            waited += ROOM_STEP;
        }
        mailbox.wake(if hurried || mailbox.commands.len() >= UNHURRIED_MAX { NAPPING } else { ASLEEP });
        true
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
