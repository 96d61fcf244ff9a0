//! Sockets for SIP: datagrams and streams become the engine's inputs, its outputs become datagrams and writes.
//!
//! Translates and never decides: what a message means is the engine's business. One [`shard::Shard`] runs one engine on one thread, with one
//! sleep. Each listener is read by one of them, and streams have a task each on the thread that accepted or made them. What is for another
//! shard goes there by the [`switch::Switch`]; every shard sends over every listener and every stream.

use std::net::SocketAddr;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use crate::base::words::Transport;
use crate::sip::stack::ListenerName;

pub mod clock;
mod connections;
mod lag;
pub mod recent;
pub mod shard;
mod stream;
pub mod switch;

/// A listener for SIP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenerSettings {
    /// `Udp` or `Tcp`.
    pub transport: Transport,
    /// The address to bind.
    pub bind: SocketAddr,
    /// The address in Via and Contact, when it is not the address bound (behind a 1:1 NAT).
    pub advertised: Option<SocketAddr>,
}

/// CS3, as telephony marks its signalling (RFC 4594), in the upper six bits of the old type-of-service byte.
const TOS_SIGNALLING: u32 = 0x60;
/// Bursts wait in the kernel while a thread is busy elsewhere.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A bound socket that listens.
#[derive(Debug)]
pub enum Listening {
    /// For datagrams.
    Udp(std::net::UdpSocket),
    /// For connections.
    Tcp(std::net::TcpListener),
}

/// A listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for SIP on {transport}:{address}: {source}")]
pub struct ListenError {
    transport: Transport,
    address: SocketAddr,
    source: std::io::Error,
}

/// A listener with its socket.
#[derive(Debug)]
pub struct Listener {
    /// Its name in messages.
    pub name: ListenerName,
    /// The address bound.
    pub address: SocketAddr,
    /// The socket.
    pub socket: Listening,
}

/// Binds a listener. Port 0 takes any free one.
///
/// # Errors
/// When the system refuses, with the address in the message.
pub fn listen(settings: &ListenerSettings) -> Result<Listener, ListenError> {
    let bound = bind(settings).map_err(|source| ListenError { transport: settings.transport, address: settings.bind, source })?;
    let (socket, address) = bound;
    let sent_by: Arc<str> = settings.advertised.unwrap_or(address).to_string().into();
    Ok(Listener { name: ListenerName { transport: settings.transport, sent_by }, address, socket })
}

fn bind(settings: &ListenerSettings) -> std::io::Result<(Listening, SocketAddr)> {
    let domain = Domain::for_address(settings.bind);
    let stream = settings.transport != Transport::Udp;
    let (kind, protocol) = if stream { (Type::STREAM, Protocol::TCP) } else { (Type::DGRAM, Protocol::UDP) };
    let socket = Socket::new(domain, kind, Some(protocol))?;
    if settings.bind.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // A restart must not wait for old connections to time out.
    socket.set_reuse_address(stream)?;
    // Marks and buffer sizes are wishes: a system that refuses them still carries calls.
    let _ = if settings.bind.is_ipv6() { socket.set_tclass_v6(TOS_SIGNALLING) } else { socket.set_tos_v4(TOS_SIGNALLING) };
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.bind(&settings.bind.into())?;
    if stream {
        socket.listen(BACKLOG)?;
    }
    let address = socket.local_addr()?.as_socket().unwrap_or(settings.bind);
    let listening = if stream { Listening::Tcp(socket.into()) } else { Listening::Udp(socket.into()) };
    Ok((listening, address))
}
