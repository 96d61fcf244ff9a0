//! hotline among real peers: SIPp as the carrier and as the agents' phones, over real sockets on loopback addresses of each test's own.

mod calls;
mod house;
