//! Stream connections: a task each to read and to write, one framing rule, bounded both ways.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::clock::Clock;
use super::connections::{Begun, Bytes};
use super::switch::{FromStream, Switch};
use crate::base::words::Transport;
use crate::sip::flow::{ConnectionId, Flow, ListenerId};
use crate::sip::{Frame, Framer};

/// The largest message on a stream.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Messages that may wait to be written; a peer that reads no faster is cut off.
pub(super) const WRITES_MAX: usize = 256;
/// A connection on which nothing is heard for so long is closed; phones keep theirs alive (RFC 5626).
const IDLE_MAX: Duration = Duration::from_secs(3600);
/// One that was accepted has so long for its first message.
const FIRST_MESSAGE_MAX: Duration = Duration::from_secs(30);
/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(8);

/// The identity of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamInfo {
    /// The name by which flows refer to it. A connection that is made again in its place has the same.
    pub(super) id: ConnectionId,
    /// Its own number, which no other connection has.
    pub(super) serial: u64,
    pub(super) listener: ListenerId,
    pub(super) remote: SocketAddr,
}

impl StreamInfo {
    /// The flow of what comes over it.
    pub(super) const fn flow(&self) -> Flow {
        let StreamInfo { id, listener, remote, .. } = *self;
        Flow { transport: Transport::Tcp, listener, remote, connection: Some(id) }
    }
}

/// Serves an accepted connection until either side closes it.
pub(super) async fn serve(stream: TcpStream, begun: Begun, switch: Arc<Switch>, clock: Clock) {
    let info = begun.info;
    talk(stream, begun, &switch, (clock, FIRST_MESSAGE_MAX)).await;
    tell_of_end(&switch, info).await;
}

/// Makes a connection and serves it.
pub(super) async fn open(begun: Begun, switch: Arc<Switch>, clock: Clock) {
    let info = begun.info;
    if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT_MAX, TcpStream::connect(info.remote)).await {
        talk(stream, begun, &switch, (clock, IDLE_MAX)).await;
    }
    tell_of_end(&switch, info).await;
}

/// Tells every shard: each may have something over the connection. One that does not read keeps no other from hearing of it.
async fn tell_of_end(switch: &Arc<Switch>, info: StreamInfo) {
    switch.connections.ended(&info);
    for shard in switch.shards() {
        if switch.streams(shard).try_send(FromStream::Closed(info)).is_err() {
            let switch = switch.clone();
            tokio::task::spawn_local(async move { switch.streams(shard).send(FromStream::Closed(info)).await });
        }
    }
}

async fn talk(stream: TcpStream, begun: Begun, switch: &Switch, (clock, patience): (Clock, Duration)) {
    // Signalling is small and urgent.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let Begun { info, answers, writes } = begun;
    tokio::select! {
        () = read(reader, info, switch, &answers, (clock, patience)) => {}
        () = write(writer, writes) => {}
    }
}

/// Reads messages until the peer closes or has nothing to say; its first must come within `patience`.
async fn read(
    mut reader: OwnedReadHalf,
    info: StreamInfo,
    switch: &Switch,
    answers: &mpsc::WeakSender<Bytes>,
    (clock, patience): (Clock, Duration),
) {
    let mut framer = Framer::new(MESSAGE_BYTES_MAX);
    let mut chunk = vec![0; 16 * 1024];
    let mut first = std::pin::pin!(tokio::time::sleep(patience));
    let mut heard = false;
    loop {
        let taken = tokio::select! {
            taken = reader.read(&mut chunk) => taken,
            () = &mut first, if !heard => return,
            () = tokio::time::sleep(IDLE_MAX), if heard => return,
        };
        let Ok(count) = taken else { return };
        if count == 0 {
            return;
        }
        // From here on they wait for the engine, however long.
        let read_at = clock.now();
        framer.push(&chunk[..count]);
        loop {
            match framer.next() {
                Ok(Some(Frame::Message(bytes))) => {
                    heard = true;
                    // A shard for which too much waits holds this peer back, and nobody else.
                    let shard = switch.shard_of(&bytes);
                    if switch.streams(shard).send(FromStream::Message(info, bytes, read_at)).await.is_err() {
                        return;
                    }
                }
                Ok(Some(Frame::Ping)) => {
                    if let Some(writes) = answers.upgrade() {
                        let _ = writes.try_send(Arc::from(&b"\r\n"[..]));
                    }
                }
                Ok(None) => break,
                // The end of a message cannot be found any more, so nothing after it can be trusted.
                Err(_) => return,
            }
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut writes: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = writes.recv().await {
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
