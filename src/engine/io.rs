//! What goes into an engine, and what comes out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Settings;
use super::media_port::{MediaCommand, MediaEvent, MediaThread};
use crate::base::AgentId;
use crate::base::words::{BreakReason, Transport};
use crate::report::Fact;
use crate::sip::flow::{ConnectionId, Flow};
use crate::sip::stack::Transmit;

/// What an agent, or somebody for the agent, wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AgentCommand {
    /// Ready for contacts.
    Ready,
    /// On break.
    Break(BreakReason),
    /// Wrap-up is over.
    EndWrapUp,
    /// Signed out.
    SignOut,
}

/// One input.
#[derive(Debug)]
pub enum Input<'a> {
    /// Nothing but that time has passed.
    Time,
    /// A message, whole: a datagram, or what the framer cut from a stream.
    Message {
        /// Where it came from.
        flow: Flow,
        /// Its bytes.
        bytes: &'a [u8],
        /// How long it has waited to be taken up.
        age: Duration,
    },
    /// A connection is gone, or none could be had.
    Broken {
        /// Which, if there was one.
        connection: Option<ConnectionId>,
        /// Over which transport.
        transport: Transport,
        /// To whom.
        remote: SocketAddr,
    },
    /// Something happened to media.
    Media(MediaEvent),
    /// A command for an agent.
    Agent {
        /// Who.
        agent: AgentId,
        /// What.
        command: AgentCommand,
    },
    /// The configuration has changed; its routing table is published.
    Reload(Arc<Settings>),
    /// No new calls from here on.
    Drain,
    /// Every contact ends now.
    EndAll,
}

/// One output.
#[derive(Debug)]
pub enum Output {
    /// Send a message.
    Transmit(Transmit),
    /// Tell a media thread.
    Media(MediaThread, MediaCommand),
    /// Note a fact.
    Fact(Fact),
}
