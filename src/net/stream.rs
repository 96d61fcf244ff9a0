//! Stream connections: a task each to read and to write, one framing rule, bounded both ways.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::clock::Clock;
use super::shard::FromStream;
use crate::sip::flow::{ConnectionId, ListenerId};
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

/// Serves an accepted connection until either side closes it; reports its end last.
pub(super) async fn serve(
    stream: TcpStream,
    info: StreamInfo,
    inbox: mpsc::Sender<FromStream>,
    writes: mpsc::Receiver<Arc<[u8]>>,
    pongs: mpsc::WeakSender<Arc<[u8]>>,
    clock: Clock,
) {
    talk(stream, info, inbox, writes, pongs, (clock, FIRST_MESSAGE_MAX)).await;
}

async fn talk(
    stream: TcpStream,
    info: StreamInfo,
    inbox: mpsc::Sender<FromStream>,
    writes: mpsc::Receiver<Arc<[u8]>>,
    pongs: mpsc::WeakSender<Arc<[u8]>>,
    (clock, patience): (Clock, Duration),
) {
    // Signalling is small and urgent.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    tokio::select! {
        () = read(reader, info, &inbox, &pongs, (clock, patience)) => {}
        () = write(writer, writes) => {}
    }
    let _ = inbox.send(FromStream::Closed(info)).await;
}

/// Makes a connection and serves it.
pub(super) async fn open(
    info: StreamInfo,
    inbox: mpsc::Sender<FromStream>,
    writes: mpsc::Receiver<Arc<[u8]>>,
    pongs: mpsc::WeakSender<Arc<[u8]>>,
    clock: Clock,
) {
    match tokio::time::timeout(CONNECT_MAX, TcpStream::connect(info.remote)).await {
        Ok(Ok(stream)) => talk(stream, info, inbox, writes, pongs, (clock, IDLE_MAX)).await,
        _ => {
            let _ = inbox.send(FromStream::Closed(info)).await;
        }
    }
}

/// Reads messages until the peer closes or has nothing to say; its first must come within `patience`.
async fn read(
    mut reader: OwnedReadHalf,
    info: StreamInfo,
    inbox: &mpsc::Sender<FromStream>,
    pongs: &mpsc::WeakSender<Arc<[u8]>>,
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
                    // A full inbox holds this peer back, and nobody else.
                    if inbox.send(FromStream::Message(info, bytes, read_at)).await.is_err() {
                        return;
                    }
                }
                Ok(Some(Frame::Ping)) => {
                    if let Some(writes) = pongs.upgrade() {
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

async fn write(mut writer: OwnedWriteHalf, mut writes: mpsc::Receiver<Arc<[u8]>>) {
    while let Some(bytes) = writes.recv().await {
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
