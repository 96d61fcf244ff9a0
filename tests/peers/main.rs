//! hotline among real peers: SIPp as the carrier and as the agents' phones, over real sockets on loopback addresses of each test's own.

#![allow(clippy::disallowed_methods, reason = "deadlines of tests are on the real clock")]

mod calls;
mod codecs;
mod demo;
mod house;
mod kamailio;
mod killed;
mod linphone;
mod menu;
mod phones;
mod prometheus;
mod softphones;
mod trace;
mod trunks;
