//! The stream connections of all shards: under which name one is known, and how it is written to.
//!
//! Each connection has its tasks on the thread of the shard that accepted or made it. Any shard may write to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::stream::{StreamInfo, WRITES_MAX};
use crate::base::limits::LimitBoard;
use crate::base::words::{Limit, Transport};
use crate::sip::flow::{ConnectionId, Flow, ListenerId};

/// A message, shared by its retransmissions.
pub(super) type Bytes = Arc<[u8]>;

/// Whom a connection leads to.
type Peer = (Transport, SocketAddr);

/// A connection's queue of writes.
struct Writer {
    serial: u64,
    queue: mpsc::Sender<Bytes>,
    /// The address that the connection is used for, if we have made it.
    peer: Option<Peer>,
}

/// A connection that has a name from now on, and whose tasks are to be started.
pub(super) struct Begun {
    pub(super) info: StreamInfo,
    /// For what the connection itself answers (RFC 5626 4.4.1). It does not keep the connection open.
    pub(super) answers: mpsc::WeakSender<Bytes>,
    pub(super) writes: mpsc::Receiver<Bytes>,
}

/// What has become of a message for a connection.
pub(super) enum Written {
    /// It waits to be written, or is lost with a peer that does not read.
    Done,
    /// It waits for a connection that is to be made.
    Making(Begun),
    /// There are too many connections to make another.
    Full,
}

/// The table.
pub(super) struct Connections {
    writers: DashMap<ConnectionId, Writer>,
    /// The connection to use for a peer's address.
    by_peer: DashMap<Peer, ConnectionId>,
    /// How many there are.
    count: AtomicUsize,
    max: usize,
    /// How many there ever were.
    ever: AtomicU64,
    limits: Arc<LimitBoard>,
}

impl Connections {
    /// At most so many at once.
    pub(super) fn new(max: usize, limits: Arc<LimitBoard>) -> Self {
        limits.set_max(Limit::Connections, max as u64);
        let (count, ever) = (AtomicUsize::new(0), AtomicU64::new(0));
        Connections { writers: DashMap::new(), by_peer: DashMap::new(), count, max, ever, limits }
    }

    /// How many there are, and how many there may be.
    pub(super) fn used(&self) -> (usize, usize) {
        (self.count.load(Ordering::Relaxed), self.max)
    }

    /// A peer's connection is accepted, unless there are too many. Those that are up say who they are within seconds, or make room.
    pub(super) fn accepted(&self, listener: ListenerId, remote: SocketAddr) -> Option<Begun> {
        self.begin(listener, remote, None, None)
    }

    /// Whether there is a connection of this name, or to there.
    pub(super) fn has(&self, connection: Option<ConnectionId>, peer: Peer) -> bool {
        match connection {
            Some(id) => self.writers.contains_key(&id),
            None => self.by_peer.contains_key(&peer),
        }
    }

    /// Writes a message over the flow's connection, else over one to its peer, else over one that is to be made. A connection that has died
    /// is made again under its name, so that whatever depended on it hears of a failure, too.
    pub(super) fn write(&self, flow: &Flow, bytes: Bytes) -> Written {
        let peer = (flow.transport, flow.remote);
        let known = flow.connection.filter(|id| self.writers.contains_key(id));
        let known = known.or_else(|| self.by_peer.get(&peer).map(|id| *id));
        if let Some(id) = known
            && let Some((serial, sent)) =
                self.writers.get(&id).map(|writer| (writer.serial, writer.queue.try_send(bytes.clone())))
        {
            if let Err(TrySendError::Full(_)) = sent {
                // A peer that does not read is cut off: with its last writer gone, its task ends and reports it.
                self.limits.hit(Limit::ConnectionWrites);
                self.forget(id, serial);
            }
            return Written::Done;
        }
        // Another shard may make one to the same peer at this moment: one is enough.
        let entry = self.by_peer.entry(peer);
        let others = if let Entry::Occupied(used) = &entry { Some(*used.get()) } else { None };
        let made = flow.connection.into_iter().chain(others).find_map(|id| self.writers.get(&id));
        if let Some(writer) = made {
            let _ = writer.queue.try_send(bytes);
            return Written::Done;
        }
        let Some(begun) = self.begin(flow.listener, flow.remote, Some(peer), flow.connection) else { return Written::Full };
        entry.insert(begun.info.id);
        if let Some(queue) = begun.answers.upgrade() {
            let _ = queue.try_send(bytes);
        }
        Written::Making(begun)
    }

    /// Gives a connection its name (that of a dead one, if it is made again for it) and its queue of writes.
    fn begin(&self, listener: ListenerId, remote: SocketAddr, ours: Option<Peer>, again: Option<ConnectionId>) -> Option<Begun> {
        if self.count.fetch_add(1, Ordering::Relaxed) >= self.max {
            self.count.fetch_sub(1, Ordering::Relaxed);
            self.limits.hit(Limit::Connections);
            return None;
        }
        let serial = self.ever.fetch_add(1, Ordering::Relaxed) + 1;
        let id = again.unwrap_or(ConnectionId(serial));
        let (queue, writes) = mpsc::channel(WRITES_MAX);
        let answers = queue.downgrade();
        if self.writers.insert(id, Writer { serial, queue, peer: ours }).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        Some(Begun { info: StreamInfo { id, serial, listener, remote }, answers, writes })
    }

    /// The tasks of a connection have ended.
    pub(super) fn ended(&self, info: &StreamInfo) {
        self.forget(info.id, info.serial);
    }

    /// Whether another connection is there in place of this one.
    pub(super) fn is_in_place_of(&self, info: &StreamInfo) -> bool {
        self.writers.get(&info.id).is_some_and(|writer| writer.serial != info.serial)
    }

    fn forget(&self, id: ConnectionId, serial: u64) {
        let Some((_, writer)) = self.writers.remove_if(&id, |_, writer| writer.serial == serial) else { return };
        self.count.fetch_sub(1, Ordering::Relaxed);
        if let Some(peer) = writer.peer {
            self.by_peer.remove_if(&peer, |_, used| *used == id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTENER: ListenerId = ListenerId(0);

    fn flow(port: u16, connection: Option<ConnectionId>) -> Flow {
        Flow { transport: Transport::Tcp, listener: LISTENER, remote: ([192, 0, 2, 1], port).into(), connection }
    }

    fn message() -> Bytes {
        Arc::from(&b"BYE"[..])
    }

    fn made(written: Written) -> Begun {
        let Written::Making(begun) = written else { panic!("there is one already") };
        begun
    }

    #[test]
    fn one_connection_for_all_who_write_to_a_peer() {
        let table = Connections::new(2, Arc::default());
        let mut first = made(table.write(&flow(5060, None), message()));
        assert!(matches!(table.write(&flow(5060, None), message()), Written::Done));
        assert!(matches!(table.write(&flow(5060, Some(first.info.id)), message()), Written::Done));
        assert_eq!((first.writes.len(), table.used()), (3, (1, 2)));
        let _second = made(table.write(&flow(5061, None), message()));
        assert!(
            matches!(table.write(&flow(5062, None), message()), Written::Full)
                && table.accepted(LISTENER, flow(7, None).remote).is_none()
        );
        assert_eq!(table.limits.hits(Limit::Connections), 2);
        first.writes.close();
        table.ended(&first.info);
        assert!(!table.is_in_place_of(&first.info) && !table.has(None, (Transport::Tcp, flow(5060, None).remote)));
        assert_eq!(table.used(), (1, 2));
    }

    #[test]
    fn a_connection_that_was_made_again_outlives_the_end_of_the_one_before() {
        let table = Connections::new(9, Arc::default());
        let first = made(table.write(&flow(5060, None), message()));
        let named = flow(5060, Some(first.info.id));
        // The peer does not read.
        for _ in 0..WRITES_MAX {
            assert!(matches!(table.write(&named, message()), Written::Done));
        }
        assert_eq!((table.used().0, table.limits.hits(Limit::ConnectionWrites)), (0, 1));
        let again = made(table.write(&named, message()));
        assert_eq!((again.info.id, again.info.serial), (first.info.id, first.info.serial + 1));
        table.ended(&first.info);
        assert!(table.is_in_place_of(&first.info) && table.has(Some(first.info.id), (Transport::Tcp, named.remote)));
        table.ended(&again.info);
        assert!(!table.is_in_place_of(&again.info) && table.used().0 == 0);
    }

    #[test]
    fn threads_that_write_to_one_peer_make_one_connection() {
        for _ in 0..100 {
            let table = Connections::new(64, Arc::default());
            let making = std::thread::scope(|scope| {
                let write = || table.write(&flow(5060, None), message());
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(write)).collect();
                let written: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
                written
                    .into_iter()
                    .filter_map(|written| if let Written::Making(begun) = written { Some(begun) } else { None })
                    .collect::<Vec<_>>()
            });
            assert_eq!((making.len(), making[0].writes.len(), table.used().0), (1, 4, 1));
        }
    }
}
