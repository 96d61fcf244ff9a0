//! Where a message came from and where one goes: a listener and a peer, and for streams which connection.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::base::words::Transport;

/// A configured listener, by its index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ListenerId(pub u16);

/// A stream connection; unique for the life of the process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

/// A path to a peer (RFC 5626 uses the word the same way).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Flow {
    /// The transport.
    pub transport: Transport,
    /// The listener that it came in by, or goes out by.
    pub listener: ListenerId,
    /// The peer's address.
    pub remote: SocketAddr,
    /// For streams, the connection to use while it lives; without one, or when it is gone, the shell opens one to `remote`.
    pub connection: Option<ConnectionId>,
}

impl Flow {
    /// A datagram flow.
    #[must_use]
    pub const fn udp(listener: ListenerId, remote: SocketAddr) -> Self {
        Flow { transport: Transport::Udp, listener, remote, connection: None }
    }
}
