//! The way to a peer (RFC 3261 12.2.1.1, 8.1.2; RFC 3581 for peers behind a NAT), and the way to us that we name.
//!
//! Owns the choice of a flow for a URI and the form of our Contact. It looks up no name and opens no connection.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::TxUser;
use crate::base::words::Transport;
use crate::sip::flow::{Flow, ListenerId};
use crate::sip::stack::Stack;
use crate::sip::uri::Uri;

/// The way to a session's peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// Where it was last heard of.
    pub(super) flow: Flow,
    /// Whether it sits behind a NAT, so that it is reached where it came from, whatever it claims.
    pub(super) behind_nat: bool,
}

impl Way {
    /// The flow for a request to `uri`. Behind a NAT, and where a name would have to be looked up, it is the one the peer came by.
    pub(super) fn to(&self, uri: &str, stack: &Stack<TxUser>) -> Flow {
        let last = self.flow;
        if self.behind_nat {
            return last;
        }
        let Ok(uri) = Uri::parse(uri) else { return last };
        let Ok(host) = uri.host.parse::<IpAddr>() else { return last };
        let transport = match uri.params.value("transport") {
            Some(name) if name.eq_ignore_ascii_case("tcp") => Transport::Tcp,
            Some(name) if name.eq_ignore_ascii_case("udp") => Transport::Udp,
            _ => last.transport,
        };
        let remote = SocketAddr::new(host, uri.port.unwrap_or(5060));
        if transport == last.transport && remote.is_ipv6() == last.remote.is_ipv6() {
            return Flow { remote, ..last };
        }
        match stack.listener_for(transport, remote) {
            Some(listener) => Flow { transport, listener, remote, connection: None },
            None => last,
        }
    }
}

/// The URI of our Contact on a flow (RFC 3261 8.1.1.8); written by its `Display`.
#[derive(Clone, Debug)]
pub struct ContactUri {
    sent_by: Arc<str>,
    transport: Transport,
}

impl ContactUri {
    pub(super) fn on(stack: &Stack<TxUser>, flow: &Flow) -> Self {
        ContactUri { sent_by: stack.listener(flow.listener).sent_by.clone(), transport: flow.transport }
    }

    /// What it is written from, one after the other.
    pub(super) fn parts(&self) -> [&str; 4] {
        let (parameter, transport) =
            if self.transport == Transport::Udp { ("", "") } else { (";transport=", self.transport.label()) };
        ["sip:hotline@", &self.sent_by, parameter, transport]
    }
}

impl fmt::Display for ContactUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().into_iter().try_for_each(|part| f.write_str(part))
    }
}

/// Our listeners, as peers know them: a view for whoever decides whom to call and whose a request is.
#[derive(Clone, Copy)]
pub struct Listeners<'a>(pub(super) &'a Stack<TxUser>);

impl Listeners<'_> {
    /// The first listener with this transport and address family.
    #[must_use]
    pub fn listener_for(&self, transport: Transport, remote: SocketAddr) -> Option<ListenerId> {
        self.0.listener_for(transport, remote)
    }

    /// `host:port` of a listener, as peers reach it.
    #[must_use]
    pub fn sent_by(&self, listener: ListenerId) -> &Arc<str> {
        &self.0.listener(listener).sent_by
    }

    /// Whether this is the host of one of our listeners, as they call themselves. An IPv6 address may be without its brackets.
    #[must_use]
    pub fn listens_at(&self, host: &str) -> bool {
        self.0.listens_at(host)
    }

    /// Whether `host` and `port` are what one of our listeners calls itself in Via: a request with that in its Vias has looped.
    #[must_use]
    pub fn is_ours(&self, host: &str, port: u16) -> bool {
        self.0.is_ours(host, port)
    }
}
