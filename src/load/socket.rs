//! The two sockets of signalling: one that callers share, one that agents share.
//!
//! Servers tell an agent's phone by where it calls from, so that callers must not call from where agents have registered.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::time::Timespec;
use socket2::{Domain, Socket, Type};

use crate::sip::flow::ListenerId;

/// The callers' socket.
pub(super) const CALLERS: ListenerId = ListenerId(0);
/// The agents' socket.
pub(super) const AGENTS: ListenerId = ListenerId(1);

/// Bursts wait in the kernel.
const BUFFER_BYTES: usize = 4 << 20;

pub(super) struct Sockets {
    epoll: OwnedFd,
    both: [UdpSocket; 2],
}

/// A datagram socket that does not block.
fn bind(address: SocketAddr, buffer_bytes: Option<usize>) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    if let Some(bytes) = buffer_bytes {
        // Wishes: a system that refuses them still carries calls.
        let _ = socket.set_recv_buffer_size(bytes);
        let _ = socket.set_send_buffer_size(bytes);
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// A socket for a voice, on any free port.
pub(super) fn for_voice(local: IpAddr) -> std::io::Result<UdpSocket> {
    bind(SocketAddr::new(local, 0), None)
}

/// The address by which `server` reaches us, when ours is left open.
pub(super) fn local_towards(server: SocketAddr, local: IpAddr) -> std::io::Result<IpAddr> {
    if !local.is_unspecified() {
        return Ok(local);
    }
    let probe = UdpSocket::bind(SocketAddr::new(local, 0))?;
    probe.connect(server)?;
    Ok(probe.local_addr()?.ip())
}

impl Sockets {
    pub(super) fn open(local: IpAddr, agents_at: Option<SocketAddr>) -> std::io::Result<Sockets> {
        let any = SocketAddr::new(local, 0);
        let both = [bind(any, Some(BUFFER_BYTES))?, bind(agents_at.unwrap_or(any), Some(BUFFER_BYTES))?];
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (index, socket) in both.iter().enumerate() {
            epoll::add(&epoll, socket, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
        }
        Ok(Sockets { epoll, both })
    }

    pub(super) fn address(&self, which: ListenerId) -> std::io::Result<SocketAddr> {
        self.both[usize::from(which.0)].local_addr()
    }

    /// Sends; what the kernel does not take is lost like a datagram on the way: transactions send again.
    pub(super) fn send(&self, from: ListenerId, to: SocketAddr, bytes: &[u8]) {
        let _ = self.both[usize::from(from.0)].send_to(bytes, to);
    }

    /// A datagram that has come, if one has.
    pub(super) fn receive(&self, which: ListenerId, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        loop {
            match self.both[usize::from(which.0)].recv_from(buffer) {
                Ok(taken) => return Some(taken),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return None,
                // The echo of an earlier datagram to somebody who is not there.
                Err(_) => {}
            }
        }
    }

    /// Sleeps until something has come, at most so long.
    pub(super) fn wait(&self, at_most: Duration) {
        let mut events = Vec::with_capacity(2);
        let span = Timespec { tv_sec: at_most.as_secs() as i64, tv_nsec: i64::from(at_most.subsec_nanos()) };
        let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&span));
    }
}
