//! Admission of HTTP connections: a bounded number at once, and none that is idle for ever.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use crate::base::limits::LimitBoard;
use crate::base::words::Limit;

/// The most connections at once; further ones are closed as they come.
pub(super) const CONNECTIONS_MAX: usize = 512;
/// A connection that is idle for so long is closed. It is longer than the usual pause between two scrapes.
const IDLE_MAX: Duration = Duration::from_secs(120);
/// How long no connection is accepted after a failure; most likely no descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener that accepts as many connections as there is room for.
pub(super) struct Gate {
    listener: TcpListener,
    max: usize,
    room: Arc<Semaphore>,
    limits: Arc<LimitBoard>,
}

impl Gate {
    /// Admits `max` connections at once.
    pub(super) fn new(listener: TcpListener, max: usize, limits: Arc<LimitBoard>) -> Self {
        limits.set_max(Limit::HttpConnections, max as u64);
        Gate { listener, max, room: Arc::new(Semaphore::new(max)), limits }
    }
}

impl Listener for Gate {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        loop {
            let Ok((stream, remote)) = self.listener.accept().await else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Ok(slot) = self.room.clone().try_acquire_owned() else {
                self.limits.hit(Limit::HttpConnections);
                continue;
            };
            let slot = ConnectionSlot { _permit: slot, max: self.max, room: self.room.clone(), limits: self.limits.clone() };
            slot.note();
            return (Guest { stream, idle: Box::pin(sleep(IDLE_MAX)), _slot: slot }, remote);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The slot of a connection; given back, and noted, when it is dropped.
struct ConnectionSlot {
    _permit: OwnedSemaphorePermit,
    max: usize,
    room: Arc<Semaphore>,
    limits: Arc<LimitBoard>,
}

impl ConnectionSlot {
    fn note(&self) {
        self.limits.set_used(Limit::HttpConnections, (self.max - self.room.available_permits()) as u64);
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        // The permit is released after this, so it still counts as taken.
        let left = self.room.available_permits() + 1;
        self.limits.set_used(Limit::HttpConnections, (self.max - left) as u64);
    }
}

/// A connection that was admitted.
pub(super) struct Guest {
    stream: TcpStream,
    idle: Pin<Box<Sleep>>,
    _slot: ConnectionSlot,
}

impl Guest {
    /// Passes on the outcome of an attempt to read or write; a connection that has been idle for too long fails.
    fn watched<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.idle.set(sleep(IDLE_MAX));
            return outcome;
        }
        match self.idle.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Guest {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.watched(cx, outcome)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watched(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watched(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use std::io::{Read, Write};
    use std::net::TcpStream as Guest;

    use super::*;

    fn ask(stream: &mut Guest) -> io::Result<String> {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Few enough for the descriptors that any user may open.
    const MAX: usize = 40;

    #[test]
    fn a_full_house_refuses_counts_and_lets_in_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (address, limits) = (listener.local_addr().unwrap(), Arc::new(LimitBoard::default()));
        let board = limits.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime
                .block_on(async {
                    let door = Gate::new(TcpListener::from_std(listener).unwrap(), MAX, board);
                    axum::serve(door, Router::new().route("/", get(|| async { "here" }))).await
                })
                .unwrap();
        });
        // Each is in before the next comes: an answer shows it, and it stays.
        let mut guests: Vec<Guest> = (0..MAX).map(|_| Guest::connect(address).unwrap()).collect();
        for guest in &mut guests {
            guest.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            assert!(guest.read(&mut [0; 512]).unwrap() > 0);
        }
        assert_eq!(limits.used(Limit::HttpConnections), Some((MAX as u64, MAX as u64)));
        let refused = ask(&mut Guest::connect(address).unwrap());
        assert!(refused.as_ref().map_or(true, String::is_empty), "{refused:?}");
        assert_eq!(limits.hits(Limit::HttpConnections), 1);
        drop(guests);
        for _ in 0..6_000 {
            if limits.used(Limit::HttpConnections).unwrap().0 == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(limits.used(Limit::HttpConnections).unwrap().0, 0, "places are given back");
        assert!(ask(&mut Guest::connect(address).unwrap()).unwrap().ends_with("here"));
    }
}
