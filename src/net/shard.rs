//! The loop of a shard: takes input, hands it to the engine, does what the engine asks, and sleeps until more comes.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;

use super::clock::Clock;
use super::lag::{CANARY_BYTES, Lag};
use super::recent::{Found, Seen, Watches};
use super::stream::{self, StreamInfo, WRITES_MAX};
use super::{Listener, Listening};
use crate::base::limits::LimitBoard;
use crate::base::words::{Direction, Limit, Transport};
use crate::base::{AgentId, ContactId, Time};
use crate::engine::media_port::{MediaCommand, MediaEvent, MediaThread};
use crate::engine::{AgentCommand, Engine, Input, Output, PartOf, Reload, Settings, Transmit};
use crate::report::{Fact, FactKind};
use crate::sip::flow::{ConnectionId, Flow, ListenerId};

/// The largest datagram.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;
/// How many datagrams are taken from a socket before the engine's outputs are looked at.
const BATCH: usize = 32;
/// How long no connection is accepted after one could not be.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many messages may wait for the engine.
pub const INBOX_MAX: usize = 64 * 1024;
/// How many messages of all streams may wait for the engine.
const STREAM_INBOX_MAX: usize = 4096;

/// A message to a shard from elsewhere in the process.
#[derive(Debug)]
pub enum ToShard {
    /// From a media thread.
    Media(MediaEvent),
    /// A command for an agent.
    Agent(AgentId, AgentCommand),
    /// The configuration has changed; its routing table is published.
    Reload(Reload),
    /// No new calls from here on; the loop ends when the last contact has.
    Drain,
    /// Every contact ends now, and then the loop.
    EndAll,
    /// The recent messages of a contact's calls are wanted. An answer that nobody takes is dropped.
    Trace(ContactId, SyncSender<Found>),
    /// Whose messages are to be logged, in place of what was said before.
    Watch(Watches),
}

/// The bounds of a shard's sockets.
pub struct Bounds {
    /// Where their use is noted.
    pub limits: Arc<LimitBoard>,
    /// Stream connections at once.
    pub connections_max: usize,
}

/// From a stream to its shard.
#[derive(Debug)]
pub(super) enum FromStream {
    Accepted(ListenerId, SocketAddr, TcpStream),
    /// A message, and when it was read.
    Message(StreamInfo, Vec<u8>, Time),
    Closed(StreamInfo),
    /// A connection that the engine asked for was not made. By which name it was asked for, if by any; and to where.
    NotMade(Option<ConnectionId>, SocketAddr),
}

/// Receives the engine's outputs.
pub trait Sink {
    /// A message was received, or is sent.
    fn message(&mut self, seen: &Seen<'_>);
    /// The recent messages of a contact's calls.
    fn recent(&self, contact: ContactId) -> Found;
    /// Whose messages are to be logged from now on, in place of what was said before.
    fn watch(&mut self, watches: Watches);
    /// Notes a fact. Called before the messages that show it outside are sent.
    fn fact(&mut self, fact: &Fact);
    /// Sends a command to a media thread.
    fn media(&mut self, thread: MediaThread, command: MediaCommand);
    /// The facts so far are about to show outside.
    fn flush(&mut self);
    /// When [`Sink::tick`] wants to be called; `None`: not before the next fact.
    fn deadline(&self) -> Option<Time>;
    /// Time has passed.
    fn tick(&mut self, now: Time);
    /// The loop ends: nothing more happens.
    fn end(&mut self, now: Time);
    /// The time from taking the input that made a match possible to handing over its offer.
    fn matched(&mut self, span: Duration);
    /// The configuration has changed.
    fn reloaded(&mut self, settings: &Arc<Settings>);
    /// A panic was contained, at the cost of this contact. Returns whether it was one too many, so that the process
    /// should end.
    fn fault(&mut self, now: Time, contact: Option<ContactId>) -> bool;
}

/// Why a shard's loop ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It was asked to drain, and no contact is left.
    Drained,
    /// Too many faults.
    Faults,
}

/// A message, shared by its retransmissions.
type Bytes = Arc<[u8]>;

/// A datagram listener.
struct Datagrams {
    listener: ListenerId,
    socket: UdpSocket,
    address: SocketAddr,
    lag: Lag,
}

/// A connection's writing task.
struct Writer {
    serial: u64,
    queue: mpsc::Sender<Bytes>,
    /// The address that the connection is used for, if we have made it.
    peer: Option<Peer>,
}

/// Whom a connection leads to.
type Peer = (Transport, SocketAddr);

struct Streams {
    inbox: mpsc::Sender<FromStream>,
    writers: BTreeMap<ConnectionId, Writer>,
    /// The connection to use for a peer's address.
    by_peer: BTreeMap<Peer, ConnectionId>,
    next: u64,
    limits: Arc<LimitBoard>,
    connections_max: usize,
}

/// A shard: an engine, its sockets, its clock.
pub struct Shard<O> {
    engine: Engine,
    sink: O,
    clock: Clock,
    datagrams: Vec<Datagrams>,
    streams: Streams,
    from_streams: mpsc::Receiver<FromStream>,
    inbox: mpsc::Receiver<ToShard>,
    draining: bool,
    faulted: bool,
}

impl<O: Sink> Shard<O> {
    /// A shard on the calling thread's runtime. `canary_token` is random, so that nobody else can send what measures the age of input.
    ///
    /// # Errors
    /// When a socket cannot be registered with the runtime.
    pub fn new(
        engine: Engine,
        sink: O,
        clock: Clock,
        listeners: Vec<Listener>,
        inbox: mpsc::Receiver<ToShard>,
        canary_token: u128,
        bounds: Bounds,
    ) -> std::io::Result<Self> {
        let (sender, from_streams) = mpsc::channel(STREAM_INBOX_MAX);
        let mut datagrams = Vec::new();
        let Bounds { limits, connections_max } = bounds;
        limits.set_max(Limit::Connections, connections_max as u64);
        let (writers, by_peer) = (BTreeMap::new(), BTreeMap::new());
        let streams = Streams { inbox: sender, writers, by_peer, next: 1, limits, connections_max };
        let mut shard =
            Shard { engine, sink, clock, datagrams: Vec::new(), streams, from_streams, inbox, draining: false, faulted: false };
        for (index, listener) in listeners.into_iter().enumerate() {
            let id = ListenerId(index as u16);
            match listener.socket {
                Listening::Udp(socket) => datagrams.push(Datagrams {
                    listener: id,
                    socket: UdpSocket::from_std(socket)?,
                    address: listener.address,
                    lag: Lag::new(canary_token),
                }),
                Listening::Tcp(socket) => {
                    let inbox = shard.streams.inbox.clone();
                    tokio::task::spawn_local(accept(id, TcpListener::from_std(socket)?, inbox));
                }
            }
        }
        shard.datagrams = datagrams;
        Ok(shard)
    }

    /// Runs until drained or ended.
    pub async fn run(mut self) -> Ended {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let mut more = false;
            for index in 0..self.datagrams.len() {
                more |= self.take_datagrams(index, &mut datagram);
            }
            self.take_messages();
            if self.engine.next_deadline().is_some_and(|at| at <= self.clock.now()) || self.engine.has_wake_ups() {
                self.handle(Input::Time);
            }
            self.act();
            if self.sink.deadline().is_some_and(|at| at <= self.clock.now()) {
                self.sink.tick(self.clock.now());
            }
            if self.draining && self.engine.nobody_is_up() {
                self.sink.end(self.clock.now());
                return if self.faulted { Ended::Faults } else { Ended::Drained };
            }
            if more {
                tokio::task::yield_now().await;
            } else {
                self.wait().await;
            }
        }
    }

    /// Gives the engine an input that is no message.
    fn handle(&mut self, input: Input<'_>) {
        self.contained(input);
    }

    /// Gives the engine an input; a panic costs only the contact that it was about. Which call it was part of, if it was a message.
    fn contained(&mut self, input: Input<'_>) -> PartOf {
        let now = self.clock.now();
        let engine = &mut self.engine;
        let handled = catch_unwind(AssertUnwindSafe(|| engine.handle(now, input)));
        if handled.is_err() {
            let contained = catch_unwind(AssertUnwindSafe(|| engine.fault(now)));
            if self.sink.fault(now, contained.as_ref().ok().copied().flatten()) || contained.is_err() {
                (self.draining, self.faulted) = (true, true);
                let _ = catch_unwind(AssertUnwindSafe(|| engine.handle(now, Input::EndAll)));
            }
        }
        handled.unwrap_or_default()
    }

    /// Gives the engine a message that has waited for so long.
    fn receive(&mut self, flow: Flow, bytes: &[u8], age: Duration) {
        let at = self.clock.now();
        let part_of = self.contained(Input::Message { flow, bytes, age });
        self.sink.message(&Seen { at, direction: Direction::In, flow: &flow, part_of, bytes });
    }

    /// Takes waiting datagrams; whether there may be more.
    fn take_datagrams(&mut self, index: usize, buffer: &mut [u8]) -> bool {
        for _ in 0..BATCH {
            let now = self.clock.now();
            let datagrams = &mut self.datagrams[index];
            // An error is the echo of an earlier datagram to somebody who is not there: its transaction times out.
            let (length, remote) = match datagrams.socket.try_recv_from(buffer) {
                Ok(taken) => taken,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    datagrams.lag.empty();
                    return false;
                }
                Err(_) => continue,
            };
            // Keep-alives (RFC 5626 3.5.1) are not messages, nor is what we send ourselves to learn how long all this waits.
            if length <= 4 || (length == CANARY_BYTES && datagrams.lag.take(now, &buffer[..length])) {
                continue;
            }
            let (flow, age) = (Flow::udp(datagrams.listener, remote), datagrams.lag.age(now));
            self.receive(flow, &buffer[..length], age);
        }
        let now = self.clock.now();
        let datagrams = &mut self.datagrams[index];
        if let Some(canary) = datagrams.lag.canary(now) {
            let _ = datagrams.socket.try_send_to(&canary, datagrams.address);
        }
        true
    }

    fn take_messages(&mut self) {
        for _ in 0..BATCH {
            let Ok(message) = self.inbox.try_recv() else { break };
            self.take(message);
        }
        for _ in 0..BATCH {
            let Ok(message) = self.from_streams.try_recv() else { break };
            self.take_from_stream(message);
        }
    }

    fn take(&mut self, message: ToShard) {
        match message {
            ToShard::Media(event) => self.handle(Input::Media(event)),
            ToShard::Agent(agent, command) => self.handle(Input::Agent { agent, command }),
            ToShard::Reload(reload) => {
                self.sink.reloaded(&reload.settings);
                self.handle(Input::Reload(reload));
            }
            ToShard::Drain => {
                self.draining = true;
                self.handle(Input::Drain);
            }
            ToShard::EndAll => {
                self.draining = true;
                self.handle(Input::EndAll);
            }
            ToShard::Trace(contact, asker) => {
                let _ = asker.try_send(self.sink.recent(contact));
            }
            ToShard::Watch(watches) => self.sink.watch(watches),
        }
    }

    fn take_from_stream(&mut self, message: FromStream) {
        match message {
            FromStream::Accepted(listener, remote, stream) => {
                if self.streams.writers.len() >= self.streams.connections_max {
                    // Closed as it is dropped. Those that are up say who they are within seconds, or make room.
                    return self.streams.limits.hit(Limit::Connections);
                }
                let (info, sender, writes) = self.streams.register(listener, remote, None, None);
                tokio::task::spawn_local(stream::serve(stream, info, self.streams.inbox.clone(), writes, sender, self.clock));
            }
            FromStream::Message(info, bytes, read_at) => {
                let (listener, remote, connection) = (info.listener, info.remote, Some(info.id));
                let flow = Flow { transport: Transport::Tcp, listener, remote, connection };
                let age = self.clock.now().since(read_at);
                self.receive(flow, &bytes, age);
            }
            FromStream::Closed(info) => {
                match self.streams.writers.get(&info.id) {
                    // It was given up, and another was made in its place meanwhile.
                    Some(writer) if writer.serial != info.serial => return,
                    Some(_) => self.streams.forget(info.id),
                    None => {}
                }
                let (connection, remote) = (Some(info.id), info.remote);
                self.handle(Input::Broken { connection, transport: Transport::Tcp, remote });
            }
            FromStream::NotMade(connection, remote) => {
                // Another may have been made under that name, or to there, meanwhile.
                let made = match connection {
                    Some(id) => self.streams.writers.contains_key(&id),
                    None => self.streams.by_peer.contains_key(&(Transport::Tcp, remote)),
                };
                if !made {
                    self.handle(Input::Broken { connection, transport: Transport::Tcp, remote });
                }
            }
        }
    }

    /// Does what the engine asks, in its order.
    fn act(&mut self) {
        let mut unflushed = false;
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Fact(fact) => {
                    if let FactKind::Offered { .. } = fact.kind {
                        self.sink.matched(self.clock.now().since(fact.at));
                    }
                    self.sink.fact(&fact);
                    unflushed = true;
                }
                Output::Media(thread, command) => self.sink.media(thread, command),
                Output::Letter(to, _) => debug_assert!(false, "there is no shard {to:?}"),
                Output::Transmit(transmit) => {
                    if std::mem::take(&mut unflushed) {
                        self.sink.flush();
                    }
                    self.transmit(transmit);
                }
            }
        }
        if unflushed {
            self.sink.flush();
        }
    }

    fn transmit(&mut self, Transmit { flow, bytes, part_of }: Transmit) {
        self.sink.message(&Seen { at: self.clock.now(), direction: Direction::Out, flow: &flow, part_of, bytes: &bytes });
        if flow.transport == Transport::Udp {
            if let Some(datagrams) = self.datagrams.iter().find(|datagrams| datagrams.listener == flow.listener) {
                // What the kernel does not take now is lost like a datagram on the way: transactions send again.
                let _ = datagrams.socket.try_send_to(&bytes, flow.remote);
            }
            return;
        }
        let known = flow.connection.filter(|id| self.streams.writers.contains_key(id));
        let known = known.or_else(|| self.streams.by_peer.get(&(flow.transport, flow.remote)).copied());
        let Some(id) = known.or_else(|| self.connect(&flow)) else { return };
        let Some(writer) = self.streams.writers.get(&id) else { return };
        if writer.queue.try_send(bytes).is_err() {
            self.streams.limits.hit(Limit::ConnectionWrites);
            // A peer that does not read is cut off: with its last writer gone, its task ends and reports it.
            self.streams.forget(id);
        }
    }

    /// Makes a connection. `None` if there are too many already: then it has failed, as one that nobody accepts.
    fn connect(&mut self, flow: &Flow) -> Option<ConnectionId> {
        if self.streams.writers.len() >= self.streams.connections_max {
            self.streams.limits.hit(Limit::Connections);
            // Should the inbox be full, the transactions over it time out by themselves.
            let _ = self.streams.inbox.try_send(FromStream::NotMade(flow.connection, flow.remote));
            return None;
        }
        // A connection that has died is made again under its name, so that whatever depended on it hears of a failure,
        // too.
        let (info, sender, writes) = self.streams.register(flow.listener, flow.remote, Some(flow.transport), flow.connection);
        tokio::task::spawn_local(stream::open(info, self.streams.inbox.clone(), writes, sender, self.clock));
        Some(info.id)
    }

    /// Sleeps until a socket, a message or the next deadline.
    async fn wait(&mut self) {
        let deadlines = [self.engine.next_deadline(), self.sink.deadline()];
        let deadline = deadlines.into_iter().flatten().min().map(|at| self.clock.until(at));
        let all = &self.datagrams;
        let readable = poll_fn(|cx| {
            // Each socket is asked, so that each wakes us.
            let ready = all.iter().filter(|one| one.socket.poll_recv_ready(cx).is_ready()).count();
            if ready > 0 { Poll::Ready(()) } else { Poll::Pending }
        });
        let sleep = async {
            match deadline {
                Some(span) => tokio::time::sleep(span).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = readable => {}
            Some(message) = self.inbox.recv() => self.take(message),
            Some(message) = self.from_streams.recv() => self.take_from_stream(message),
            () = sleep => {}
        }
    }
}

impl Streams {
    /// Gives a connection its name (that of a dead one, if it is made again for it) and its queue of writes. A
    /// connection that we make is used for its peer's address from then on.
    fn register(
        &mut self,
        listener: ListenerId,
        remote: SocketAddr,
        ours: Option<Transport>,
        again: Option<ConnectionId>,
    ) -> (StreamInfo, mpsc::WeakSender<Bytes>, mpsc::Receiver<Bytes>) {
        let serial = self.next;
        self.next += 1;
        let id = again.unwrap_or(ConnectionId(serial));
        let (sender, receiver) = mpsc::channel(WRITES_MAX);
        let weak = sender.downgrade();
        let peer = ours.map(|transport| (transport, remote));
        self.writers.insert(id, Writer { serial, queue: sender, peer });
        self.limits.set_used(Limit::Connections, self.writers.len() as u64);
        if let Some(peer) = peer {
            self.by_peer.insert(peer, id);
        }
        (StreamInfo { id, serial, listener, remote }, weak, receiver)
    }

    fn forget(&mut self, id: ConnectionId) {
        let peer = self.writers.remove(&id).and_then(|writer| writer.peer);
        self.limits.set_used(Limit::Connections, self.writers.len() as u64);
        if let Some(peer) = peer.filter(|peer| self.by_peer.get(peer) == Some(&id)) {
            self.by_peer.remove(&peer);
        }
    }
}

/// Accepts connections for as long as the shard lives.
async fn accept(listener: ListenerId, socket: TcpListener, inbox: mpsc::Sender<FromStream>) {
    loop {
        match socket.accept().await {
            Ok((stream, remote)) => {
                if inbox.send(FromStream::Accepted(listener, remote, stream)).await.is_err() {
                    return;
                }
            }
            // Out of descriptors, most likely: others may close theirs meanwhile.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

#[cfg(test)]
#[path = "shard_tests.rs"]
mod tests;
