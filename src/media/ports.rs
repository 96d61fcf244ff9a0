//! Pairs of UDP ports: bound once, leased, used, rested, and leased again.
//!
//! Binding and closing a pair costs some 30 µs, more than all else that a call costs the media side, so a pair stays bound and
//! registered for as long as the process lives. A pair that was used rests before it is leased again, so that late packets of its
//! last call reach nobody.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll;
use socket2::{Domain, Protocol, Socket, Type};

use super::MediaSettings;
use crate::base::hash::{Keyed, KeyedMap};
use crate::base::{ShardId, Time};
use crate::engine::media_port::{MediaThread, PortLease};

/// What a pair is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PairState {
    /// In the queue of those that rest or have rested.
    Resting,
    /// The engine of this shard has it.
    Leased(ShardId),
    /// An endpoint (its slot) uses it.
    Open(u32),
}

/// Two bound sockets.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    pub(super) lease: PortLease,
    pub(super) state: PairState,
}

/// A thread's pairs.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) pairs: Vec<Pair>,
    by_address: KeyedMap<SocketAddr, u32>,
    resting: VecDeque<(Time, u32)>,
    /// What can still be bound, the next one last.
    unbound: Vec<(IpAddr, IpAddr, u16)>,
    thread: MediaThread,
    rest: Duration,
    dscp: u8,
    /// By shard.
    leased: Box<[usize]>,
}

/// What an epoll event is about: the pair's index and which of its sockets.
pub(super) const fn event_data(pair: u32, rtcp: bool) -> u64 {
    (pair as u64) << 1 | rtcp as u64
}

impl Ports {
    /// The ports of one of `settings.threads` threads; nothing is bound yet.
    pub(super) fn new(settings: &MediaSettings, thread: MediaThread, keyed: Keyed) -> Self {
        let (first, last) = (u32::from(*settings.ports.start()).next_multiple_of(2).max(2), u32::from(*settings.ports.end()));
        // By port, then by address, so that each address gets its share of each thread.
        let all = (first..last)
            .step_by(2)
            .flat_map(|port| settings.addresses.iter().map(move |(bind, told)| (*bind, *told, port as u16)));
        let own = all.skip(usize::from(thread.0)).step_by(usize::from(settings.threads));
        let mut unbound: Vec<_> = own.take(settings.pairs_max / usize::from(settings.threads)).collect();
        unbound.reverse();
        Ports {
            pairs: Vec::new(),
            by_address: keyed.map(),
            resting: VecDeque::new(),
            unbound,
            thread,
            rest: settings.rest,
            dscp: settings.dscp,
            leased: vec![0; usize::from(settings.shards.max(1))].into(),
        }
    }

    /// How many pairs there can be.
    pub(super) fn max(&self) -> usize {
        self.pairs.len() + self.unbound.len()
    }

    /// How many cannot be leased now: leased, open or resting.
    pub(super) fn used(&self, now: Time) -> usize {
        let rested = self.resting.partition_point(|(since, _)| now.since(*since) >= self.rest);
        self.pairs.len() - rested
    }

    /// How many the engine of each shard has and has not opened.
    pub(super) const fn leased(&self) -> &[usize] {
        &self.leased
    }

    /// Whether some pair rests.
    pub(super) fn resting(&self) -> bool {
        !self.resting.is_empty()
    }

    /// Leases a pair to a shard: one that has rested, else a new one. `Ok(None)` when there is none.
    ///
    /// # Errors
    /// When no socket can be had; ports that someone else has are passed over for good.
    pub(super) fn lease(&mut self, now: Time, epoll: &OwnedFd, shard: ShardId) -> io::Result<Option<PortLease>> {
        let rested = self.resting.front().filter(|(since, _)| now.since(*since) >= self.rest).map(|(_, pair)| *pair);
        let index = if let Some(index) = rested {
            self.resting.pop_front();
            index
        } else {
            match self.bind(epoll)? {
                Some(index) => index,
                None => return Ok(None),
            }
        };
        let pair = &mut self.pairs[index as usize];
        pair.state = PairState::Leased(shard);
        self.leased[usize::from(shard.0)] += 1;
        Ok(Some(pair.lease))
    }

    fn bind(&mut self, epoll: &OwnedFd) -> io::Result<Option<u32>> {
        while let Some((address, advertised, port)) = self.unbound.pop() {
            let bound = socket(address, port, self.dscp).and_then(|rtp| Ok((rtp, socket(address, port + 1, self.dscp)?)));
            let (rtp, rtcp) = match bound {
                Ok(sockets) => sockets,
                // Somebody else's; it is not ours to wait for.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => continue,
                Err(error) => {
                    self.unbound.push((address, advertised, port));
                    return Err(error);
                }
            };
            let index = self.pairs.len() as u32;
            for (socket, is_rtcp) in [(rtp.as_fd(), false), (rtcp.as_fd(), true)] {
                epoll::add(epoll, socket, epoll::EventData::new_u64(event_data(index, is_rtcp)), epoll::EventFlags::IN)?;
            }
            let lease = PortLease { thread: self.thread, rtp: SocketAddr::new(address, port), advertised };
            self.by_address.insert(lease.rtp, index);
            self.pairs.push(Pair { rtp, rtcp, lease, state: PairState::Resting });
            return Ok(Some(index));
        }
        Ok(None)
    }

    /// An endpoint takes a leased pair; its index.
    pub(super) fn open(&mut self, lease: &PortLease, slot: u32) -> Option<u32> {
        let index = self.end_lease(lease)?;
        self.pairs[index as usize].state = PairState::Open(slot);
        Some(index)
    }

    /// A leased pair comes back unused. It rests too: a description may have named it.
    pub(super) fn give_back(&mut self, lease: &PortLease, now: Time) -> bool {
        let Some(index) = self.end_lease(lease) else { return false };
        self.rest(index, now);
        true
    }

    /// Takes a pair from the shard that it is leased to.
    fn end_lease(&mut self, lease: &PortLease) -> Option<u32> {
        let index = *self.by_address.get(&lease.rtp)?;
        let PairState::Leased(shard) = self.pairs[index as usize].state else { return None };
        self.leased[usize::from(shard.0)] -= 1;
        Some(index)
    }

    /// A pair is free and begins to rest.
    pub(super) fn rest(&mut self, index: u32, now: Time) {
        self.pairs[index as usize].state = PairState::Resting;
        self.resting.push_back((now, index));
    }
}

fn socket(address: IpAddr, port: u16, dscp: u8) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(SocketAddr::new(address, port)), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // A mark that the system refuses costs quality of service, not the call.
    let _ = match address {
        IpAddr::V4(_) => socket.set_tos_v4(u32::from(dscp) << 2),
        IpAddr::V6(_) => socket.set_tclass_v6(u32::from(dscp) << 2),
    };
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&SocketAddr::new(address, port).into())?;
    Ok(socket.into())
}
