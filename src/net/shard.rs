//! The loop of a shard: takes input, hands it to the engine, does what the engine asks, and sleeps until more comes.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::clock::Clock;
use super::connections::Written;
use super::lag::{CANARY_BYTES, Lag};
use super::recent::{Found, Seen, Watches};
use super::stream;
use super::switch::{FromStream, HandedOver, ShardEnd, Switch, ToShard};
use super::{Listener, Listening};
use crate::base::mail::Rest;
use crate::base::words::{Direction, Transport};
use crate::base::{ContactId, ShardId, Time};
use crate::engine::media_port::{MediaCommand, MediaThread};
use crate::engine::route;
use crate::engine::{Engine, Input, Output, PartOf, Settings, Transmit};
use crate::report::{Fact, FactKind};
use crate::sip::flow::{Flow, ListenerId};

/// The largest datagram.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;
/// How many datagrams are taken from a socket before the engine's outputs are looked at.
const BATCH: usize = 32;
/// A shard whose loop has not gone round for so long may stand still: another looks after its listeners. If it only sleeps, there is nothing.
const STANDS_STILL: Duration = Duration::from_millis(50);
/// How many datagrams are taken from a socket of another shard at once.
const STAND_IN_BATCH: usize = 512;
/// How long no connection is accepted after one could not be.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The longest sleep where there are several shards: should a bell ever not be heard, it is made up for.
const NAP: Duration = Duration::from_millis(20);

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
    /// Whether a media thread has not been told everything yet.
    fn is_behind(&self) -> bool;
    /// Tells media threads what there is room for by now.
    fn catch_up(&mut self);
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

/// A datagram listener, for sending.
struct Sender {
    listener: ListenerId,
    socket: Arc<std::net::UdpSocket>,
}

/// A listener that another shard reads.
struct Others {
    listener: ListenerId,
    reader: ShardId,
    socket: OthersSocket,
    /// When this shard last found nothing there.
    empty_at: Time,
}

enum OthersSocket {
    Udp(Arc<std::net::UdpSocket>),
    Tcp(std::net::TcpListener),
}

/// A datagram listener that this shard reads.
struct Reader {
    listener: ListenerId,
    socket: UdpSocket,
    address: SocketAddr,
    lag: Lag,
}

/// A shard: an engine, its sockets, its clock.
pub struct Shard<O> {
    engine: Engine,
    sink: O,
    clock: Clock,
    senders: Vec<Sender>,
    readers: Vec<Reader>,
    others: Vec<Others>,
    /// When it was last looked whether others read their listeners.
    others_at: Time,
    id: ShardId,
    switch: Arc<Switch>,
    end: ShardEnd,
    draining: bool,
    faulted: bool,
}

impl<O: Sink> Shard<O> {
    /// A shard on the calling thread's runtime. It sends over all listeners, and reads its share of them. `canary_token` is random, so that
    /// nobody else can send what measures the age of input.
    ///
    /// # Errors
    /// When a socket cannot be registered with the runtime.
    pub fn new(
        engine: Engine,
        sink: O,
        clock: Clock,
        listeners: &[Listener],
        end: ShardEnd,
        canary_token: u128,
    ) -> std::io::Result<Self> {
        let (mut senders, mut readers, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let (id, switch) = (end.shard, end.switch.clone());
        for (index, Listener { address, socket, .. }) in listeners.iter().enumerate() {
            let (listener, address) = (ListenerId(index as u16), *address);
            let reader = ShardId((index % switch.shards().count()) as u16);
            match socket {
                Listening::Udp(socket) => {
                    let sends = Arc::new(socket.try_clone()?);
                    senders.push(Sender { listener, socket: sends.clone() });
                    if reader == id {
                        let socket = UdpSocket::from_std(socket.try_clone()?)?;
                        readers.push(Reader { listener, socket, address, lag: Lag::new(canary_token) });
                    } else {
                        others.push(Others { listener, reader, socket: OthersSocket::Udp(sends), empty_at: Time::ZERO });
                    }
                }
                Listening::Tcp(socket) if reader == id => {
                    let socket = TcpListener::from_std(socket.try_clone()?)?;
                    tokio::task::spawn_local(accept(listener, socket, switch.clone(), clock));
                }
                Listening::Tcp(socket) => {
                    let socket = OthersSocket::Tcp(socket.try_clone()?);
                    others.push(Others { listener, reader, socket, empty_at: Time::ZERO });
                }
            }
        }
        let (others_at, draining, faulted) = (Time::ZERO, false, false);
        Ok(Shard { engine, sink, clock, senders, readers, others, others_at, id, switch, end, draining, faulted })
    }

    /// Runs until drained or ended.
    pub async fn run(mut self) -> Ended {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let mut more = false;
            for index in 0..self.readers.len() {
                more |= self.take_datagrams(index, &mut datagram);
            }
            self.stand_in(&mut datagram);
            self.take_messages();
            if self.engine.next_deadline().is_some_and(|at| at <= self.clock.now()) || self.engine.has_wake_ups() {
                self.handle(Input::Time);
            }
            self.act();
            if self.sink.is_behind() {
                self.sink.catch_up();
            }
            if self.sink.deadline().is_some_and(|at| at <= self.clock.now()) {
                self.sink.tick(self.clock.now());
            }
            if self.draining && self.switch.rests(self.id, self.engine.nobody_is_up()) {
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
                self.switch.shards().filter(|other| *other != self.id).for_each(|other| {
                    self.switch.post(other, ToShard::EndAll(true));
                });
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

    /// Takes waiting datagrams, and hands on what is for other shards; whether there may be more.
    fn take_datagrams(&mut self, index: usize, buffer: &mut [u8]) -> bool {
        for _ in 0..BATCH {
            let now = self.clock.now();
            let reader = &mut self.readers[index];
            // An error is the echo of an earlier datagram to somebody who is not there: its transaction times out.
            let (length, remote) = match reader.socket.try_recv_from(buffer) {
                Ok(taken) => taken,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    reader.lag.empty();
                    return false;
                }
                Err(_) => continue,
            };
            // Keep-alives (RFC 5626 3.5.1) are not messages, nor is what we send ourselves to learn how long all this waits.
            if length <= 4 || (length == CANARY_BYTES && reader.lag.take(now, &buffer[..length])) {
                continue;
            }
            let (flow, age) = (Flow::udp(reader.listener, remote), reader.lag.age(now));
            self.take_datagram(now, flow, &buffer[..length], age);
        }
        let now = self.clock.now();
        let reader = &mut self.readers[index];
        if let Some(canary) = reader.lag.canary(now) {
            let _ = reader.socket.try_send_to(&canary, reader.address);
        }
        true
    }

    /// Takes a datagram, or hands it on if it is for another shard.
    fn take_datagram(&mut self, now: Time, flow: Flow, bytes: &[u8], age: Duration) {
        match self.switch.shard_of(bytes) {
            shard if shard == self.id => self.receive(flow, bytes, age),
            shard => self.switch.hand_over(shard, HandedOver { flow, bytes: bytes.into(), at: now, age }),
        }
    }

    /// Reads the listeners of shards that stand still.
    fn stand_in(&mut self, buffer: &mut [u8]) {
        let now = self.clock.now();
        self.switch.beat(self.id, now);
        if self.others.is_empty() || now.since(self.others_at) < NAP {
            return;
        }
        self.others_at = now;
        for index in 0..self.others.len() {
            let Others { listener, reader, socket, empty_at } = &self.others[index];
            let beat = self.switch.last_beat(*reader);
            if now.since(beat) < STANDS_STILL {
                continue;
            }
            match socket {
                OthersSocket::Udp(socket) => {
                    // What waits there has waited for so long at the most.
                    let (listener, socket, age) = (*listener, socket.clone(), now.since(beat.max(*empty_at)));
                    for _ in 0..STAND_IN_BATCH {
                        let Ok((length, remote)) = socket.recv_from(buffer) else {
                            self.others[index].empty_at = now;
                            break;
                        };
                        if length > CANARY_BYTES {
                            self.take_datagram(now, Flow::udp(listener, remote), &buffer[..length], age);
                        }
                    }
                }
                OthersSocket::Tcp(socket) => {
                    while let Ok((stream, remote)) = socket.accept() {
                        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                        if let (Ok(stream), Some(begun)) = (stream, self.switch.connections.accepted(*listener, remote)) {
                            tokio::task::spawn_local(stream::serve(stream, begun, self.switch.clone(), self.clock));
                        }
                    }
                }
            }
        }
    }

    /// Takes what others have for this shard, as far as it is there by now: of each kind so much, for none may hold up another.
    fn take_messages(&mut self) {
        for _ in 0..self.switch.mail(self.id).len().min(BATCH) {
            let Some(message) = self.switch.mail(self.id).take() else { break };
            self.take(message);
        }
        for _ in 0..BATCH {
            let Some(HandedOver { flow, bytes, at, age }) = self.switch.datagrams(self.id).pop() else { break };
            let age = age + self.clock.now().since(at);
            self.receive(flow, &bytes, age);
        }
        for _ in 0..BATCH {
            let Ok(message) = self.end.streams.try_recv() else { break };
            self.take_from_stream(message);
        }
    }

    fn take(&mut self, message: ToShard) {
        match message {
            ToShard::Media(notice) => self.handle(Input::Media(notice.event)),
            ToShard::Letter(letter) => self.handle(Input::Letter(letter)),
            ToShard::Agent(agent, command) => self.handle(Input::Agent { agent, command }),
            ToShard::Reload(reload) => {
                self.sink.reloaded(&reload.settings);
                self.handle(Input::Reload(reload));
            }
            ToShard::Drain => {
                self.draining = true;
                self.handle(Input::Drain);
            }
            ToShard::EndAll(faulted) => {
                self.draining = true;
                self.faulted |= faulted;
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
            FromStream::Message(info, bytes, read_at) => {
                let age = self.clock.now().since(read_at);
                self.receive(info.flow(), &bytes, age);
            }
            FromStream::Closed(info) => {
                // It may have been given up, and another made in its place meanwhile.
                if !self.switch.connections.is_in_place_of(&info) {
                    let Flow { transport, remote, connection, .. } = info.flow();
                    self.handle(Input::Broken { connection, transport, remote });
                }
            }
            FromStream::NotMade(connection, Flow { transport, remote, .. }) => {
                // Another may have been made under that name, or to there, meanwhile.
                if !self.switch.connections.has(connection, (transport, remote)) {
                    self.handle(Input::Broken { connection, transport, remote });
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
                // Nobody carries text yet, and so nobody has written.
                Output::Text(_) => {}
                Output::Letter(to, letter) => self.switch.post(to, ToShard::Letter(letter)),
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
        // Whom the matcher has woken at other shards, most likely by what was just done here.
        for other in self.switch.shards().filter(|other| *other != self.id) {
            if route::has_woken(&self.engine, other) {
                self.switch.mail(other).wake(Rest::Napping);
            }
        }
    }

    fn transmit(&mut self, Transmit { flow, bytes, part_of }: Transmit) {
        self.sink.message(&Seen { at: self.clock.now(), direction: Direction::Out, flow: &flow, part_of, bytes: &bytes });
        if flow.transport == Transport::Udp {
            if let Some(sender) = self.senders.iter().find(|sender| sender.listener == flow.listener) {
                // What the kernel does not take now is lost like a datagram on the way: transactions send again.
                let _ = sender.socket.send_to(&bytes, flow.remote);
            }
            return;
        }
        match self.switch.connections.write(&flow, bytes) {
            Written::Done => {}
            Written::Making(begun) => {
                tokio::task::spawn_local(stream::open(begun, self.switch.clone(), self.clock));
            }
            // It has failed, as one that nobody accepts. Should too much wait, the transactions over it time out by themselves.
            Written::Full => _ = self.switch.streams(self.id).try_send(FromStream::NotMade(flow.connection, flow)),
        }
    }

    /// Sleeps until a socket, a message or the next deadline.
    async fn wait(&mut self) {
        let now = self.clock.now();
        let watchful = self.sink.is_behind() || self.switch.shards().count() > 1;
        let deadlines = [self.engine.next_deadline(), self.sink.deadline(), watchful.then(|| now + NAP)];
        let deadline = deadlines.into_iter().flatten().min().map(|at| self.clock.until(at));
        let nothing_else = || !self.engine.has_wake_ups() && self.switch.datagrams(self.id).is_empty();
        let mail = self.switch.mail(self.id);
        if !mail.may_sleep(Rest::Asleep, nothing_else) {
            return tokio::task::yield_now().await;
        }
        let all = &self.readers;
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
        let from_stream = tokio::select! {
            biased;
            () = readable => None,
            () = mail.bell().0.notified() => None,
            Some(message) = self.end.streams.recv() => Some(message),
            () = sleep => None,
        };
        mail.awake();
        if let Some(message) = from_stream {
            self.take_from_stream(message);
        }
    }
}

/// Accepts connections for as long as the shard lives.
async fn accept(listener: ListenerId, socket: TcpListener, switch: Arc<Switch>, clock: Clock) {
    loop {
        match socket.accept().await {
            Ok((stream, remote)) => {
                // Closed as it is dropped, if there are too many.
                if let Some(begun) = switch.connections.accepted(listener, remote) {
                    tokio::task::spawn_local(stream::serve(stream, begun, switch.clone(), clock));
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
