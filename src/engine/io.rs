//! What an engine is built from, what goes into it, and what comes out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Settings;
use super::agent_command::AgentCommand;
use super::between::{Between, LegKey};
use super::media_port::{MediaCommand, MediaEvent, MediaThread};
use super::text_port::{TextInput, TextOutput};
use crate::acd::answers::Answers;
use crate::acd::{Matcher, RoutingTable};
use crate::base::limits::LimitBoard;
use crate::base::seed::Seed;
use crate::base::words::Transport;
use crate::base::{AgentId, ContactId, ShardId};
use crate::call::caps::Caps;
use crate::call::leg::Role;
use crate::report::Fact;
use crate::sip::flow::{ConnectionId, Flow};
use crate::sip::session::SessionId;
use crate::sip::stack::ListenerName;
use crate::sip::stack::counts::SipCounts;

/// What an engine is built from.
pub struct Parts {
    /// Which shard.
    pub shard: u16,
    /// The checked configuration.
    pub settings: Arc<Settings>,
    /// The matcher, shared by all shards.
    pub matcher: Arc<Matcher>,
    /// The listeners, by `ListenerId`.
    pub listeners: Vec<ListenerName>,
    /// The shard's own randomness.
    pub seed: Seed,
    /// Where SIP is counted.
    pub counts: Arc<SipCounts>,
    /// Where it is noted how full everything is.
    pub limits: Arc<LimitBoard>,
    /// What is counted for all shards together.
    pub caps: Arc<Caps>,
    /// Where what the matcher says comes from: from the matcher, unless it is kept or replayed.
    pub answers: Answers,
    /// How many rounds of messages one wake-up follows at the most, for a simulation in which other input comes between.
    pub rounds_max: Option<u32>,
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
    /// Something of a party that writes.
    Text(TextInput),
    /// Something that another shard has to say.
    Letter(Letter),
    /// The configuration has changed.
    Reload(Reload),
    /// No new calls from here on.
    Drain,
    /// Every contact ends now.
    EndAll,
}

/// What one shard has to say to another after a wake-up, in its order.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Letter(pub(super) Vec<Said>);

/// One thing that a letter says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) enum Said {
    /// From an owner of one shard to one of the other.
    Message(Between),
    /// From this shard: something that all shards are told. Whoever takes it in says that it has.
    Copy(ShardId, Between),
    /// This shard has taken in something that all are told.
    CopyRead(ShardId),
    /// From this shard: something between a leg and its contact. Whoever takes it in says that it has.
    Far(ShardId, Between),
    /// This shard has taken in something of this leg.
    FarRead(ShardId, LegKey),
}

/// A changed configuration. Its routing table is published, and holds for an engine from this input on.
#[derive(Clone, Debug)]
pub struct Reload {
    /// What is in force.
    pub settings: Arc<Settings>,
    /// What the matcher was given for it.
    pub routing_table: Arc<RoutingTable>,
}

/// A leg, by what its contact's records call it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LegName {
    /// The contact.
    pub contact: ContactId,
    /// Which of the contact's legs, from 1.
    pub number: u32,
    /// Who is at its other end.
    pub role: Role,
}

/// Which call a message is part of, as far as the engine knows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PartOf {
    /// The session: the same for each of its messages.
    pub session: Option<SessionId>,
    /// The session's leg, be it gone or not, unless the session has none.
    pub leg: Option<LegName>,
}

/// A message to send. Retransmissions share its bytes.
#[derive(Clone, Debug)]
pub struct Transmit {
    /// The flow that it is sent over.
    pub flow: Flow,
    /// The message.
    pub bytes: Arc<[u8]>,
    /// The call that it is part of.
    pub part_of: PartOf,
}

/// One output.
#[derive(Debug)]
pub enum Output {
    /// Send a message.
    Transmit(Transmit),
    /// Tell a media thread.
    Media(MediaThread, MediaCommand),
    /// Tell whoever carries text.
    Text(TextOutput),
    /// Bring another shard what this one has to say. What goes to one shard has to keep its order.
    Letter(ShardId, Letter),
    /// Note a fact.
    Fact(Fact),
}
