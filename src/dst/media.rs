//! What the media threads do, as far as signalling can tell: they lease pairs of ports, play prompts, notice silence, and count.
//!
//! Nothing of sound is here. That commands make sense is watched: a pair is used once at a time, and whoever is fed another endpoint is
//! fed one of its own thread, unless one of the two has come from another contact.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::deadline::Deadlines;
use crate::base::{EndpointId, Time};
use crate::engine::media_port::{Feed, MediaCommand, MediaEvent, MediaStats, MediaThread, PortLease};

/// How long a prompt lasts.
const PROMPT: Duration = Duration::from_secs(2);
/// How long a party that is expected to send may say nothing.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a pair rests before it is leased again.
const REST: Duration = Duration::from_secs(1);

enum Due {
    Played(EndpointId, u64),
    Silence(EndpointId),
    /// A pair that a shard had.
    Rested(u16, PortLease),
}

struct Endpoint {
    lease: PortLease,
    /// Who is at the other end, where something is expected of them.
    expects: Option<IpAddr>,
}

/// The media threads.
pub(super) struct Media {
    due: Deadlines<Due>,
    open: BTreeMap<u64, Endpoint>,
    /// Endpoints whose legs go from contact to contact.
    moved: BTreeSet<EndpointId>,
    /// What each shard is told.
    events: Vec<(u16, MediaEvent)>,
}

impl Media {
    /// Threads with so many pairs of ports in all, which they lease at once to the shards.
    pub(super) fn new(server: IpAddr, pairs: u16, threads: u16, shards: u16) -> Self {
        let lease = |n: u16| {
            let rtp = SocketAddr::new(server, 20_000 + 2 * n);
            PortLease { thread: MediaThread(n % threads), rtp, advertised: rtp.ip() }
        };
        let of = |shard: u16| (0..pairs).filter(move |n| n / threads % shards == shard).map(lease).collect();
        let events = (0..shards).map(|shard| (shard, MediaEvent::Leased(of(shard)))).collect();
        Media { due: Deadlines::default(), open: BTreeMap::new(), moved: BTreeSet::new(), events }
    }

    /// When something happens by itself.
    pub(super) fn next(&self) -> Option<Time> {
        self.due.next().map(|(at, _)| at)
    }

    /// Whether no endpoint is open and all pairs have rested.
    pub(super) fn at_rest(&self) -> bool {
        self.open.is_empty() && self.due.is_empty() && self.events.is_empty()
    }

    /// This endpoint's leg goes from contact to contact: it may be heard across threads.
    pub(super) fn moves(&mut self, endpoint: EndpointId) {
        self.moved.insert(endpoint);
    }

    /// An endpoint that is open.
    pub(super) fn still_open(&self) -> Option<u64> {
        self.open.keys().next().copied()
    }

    /// Takes a command; what is wrong with it, if anything is.
    pub(super) fn take(&mut self, now: Time, thread: MediaThread, command: MediaCommand) -> Result<(), String> {
        match command {
            MediaCommand::Open { endpoint, lease, .. } => {
                if self.open.values().any(|open| open.lease.rtp == lease.rtp) {
                    return Err(format!("{:?} is used twice at once", lease.rtp));
                }
                if lease.thread != thread {
                    return Err(format!("{endpoint:?} is opened on {thread:?}, and its pair is of {:?}", lease.thread));
                }
                self.open.insert(endpoint.0, Endpoint { lease, expects: None });
                self.due.set(now + SILENCE, Due::Silence(endpoint));
            }
            MediaCommand::Remote { endpoint, remote } => {
                let open = self.open.get_mut(&endpoint.0).ok_or_else(|| format!("{endpoint:?} is not open"))?;
                open.expects = remote.expects.then(|| remote.rtp.ip());
            }
            MediaCommand::Feed { endpoint, feed } => {
                let own = self.open.get(&endpoint.0).ok_or_else(|| format!("{endpoint:?} is fed and not open"))?;
                match feed {
                    Feed::Prompts { token, .. } => drop(self.due.set(now + PROMPT, Due::Played(endpoint, token))),
                    Feed::Peers(peers) => {
                        for peer in peers {
                            if peer.shard() != endpoint.shard() {
                                // It may not be open yet, or any more.
                                continue;
                            }
                            let other = self.open.get(&peer.0).ok_or_else(|| format!("{peer:?} is a peer and not open"))?;
                            let moved = [endpoint, peer].iter().any(|either| self.moved.contains(either));
                            if other.lease.thread != own.lease.thread && !moved {
                                return Err(format!("{endpoint:?} cannot hear {peer:?}, which is of another thread"));
                            }
                        }
                    }
                    Feed::Music(_) | Feed::Nothing => {}
                }
            }
            MediaCommand::SendDigit { .. } | MediaCommand::Tap { .. } | MediaCommand::Untap { .. } => {}
            MediaCommand::Close { endpoint } => {
                let closed = self.open.remove(&endpoint.0).ok_or_else(|| format!("{endpoint:?} is closed twice"))?;
                self.due.set(now + REST, Due::Rested(shard_of(endpoint), closed.lease));
                self.events.push((shard_of(endpoint), MediaEvent::Closed { endpoint, stats: MediaStats::default() }));
            }
            MediaCommand::Return { lease } => self.events.push((0, MediaEvent::Leased(vec![lease]))),
        }
        Ok(())
    }

    /// The next event, and the shard that it is for. `is_silent` says whether nothing comes from an address.
    pub(super) fn poll(&mut self, now: Time, is_silent: impl Fn(IpAddr) -> bool) -> Option<(u16, MediaEvent)> {
        if !self.events.is_empty() {
            return Some(self.events.remove(0));
        }
        while let Some((_, due)) = self.due.pop_due(now) {
            match due {
                Due::Played(endpoint, token) => return Some((shard_of(endpoint), MediaEvent::Played { endpoint, token })),
                Due::Rested(shard, lease) => return Some((shard, MediaEvent::Leased(vec![lease]))),
                Due::Silence(endpoint) => {
                    let Some(open) = self.open.get(&endpoint.0) else { continue };
                    let silent = open.expects.is_some_and(&is_silent);
                    self.due.set(now + SILENCE, Due::Silence(endpoint));
                    if silent {
                        return Some((shard_of(endpoint), MediaEvent::Silent { endpoint, silent_for: SILENCE }));
                    }
                }
            }
        }
        None
    }
}

/// The shard that has opened an endpoint.
const fn shard_of(endpoint: EndpointId) -> u16 {
    endpoint.shard().0
}
