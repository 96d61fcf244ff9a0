//! What went into an engine, kept so that it can be run again: the same inputs in the same order give the same outputs.
//!
//! An engine decides by its inputs, by its seed, by the configuration and by what the matcher says, and by nothing else.
//! [`Recorder`] writes these down as they come, and [`Player`] feeds them to a fresh engine. Other shards and the matcher are
//! not needed for that, since their part is in [what the matcher said](crate::acd::answers).
//!
//! A journal is a head and entries. The head is the magic bytes and the version of the format. Each entry is its length in
//! four bytes, little-endian, and then an [`Entry`] as postcard writes it. A journal holds messages and configurations as
//! they are, passwords among them.

mod player;
mod recorder;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::acd::answers::Answer;
use crate::acd::matcher::Size;
use crate::base::words::Transport;
use crate::base::{AgentId, ShardId, Time};
use crate::config::ConfigText;
use crate::engine::media_port::MediaEvent;
use crate::engine::text_port::TextInput;
use crate::engine::{AgentCommand, Input, Letter};
use crate::sip::flow::{ConnectionId, Flow};
use crate::sip::stack::ListenerName;

pub use player::{Player, ReplayError};
pub use recorder::Recorder;

/// What a journal begins with.
const MAGIC: &[u8; 8] = b"hotline\0";
/// The version of the format. Whatever changes an entry's bytes changes it.
const VERSION: u16 = 3;
/// A longer entry is none: it is a journal that is damaged.
const ENTRY_BYTES_MAX: usize = 16 << 20;
/// A matcher of a journal has no more contacts, agents, queues or agencies.
const PARTIES_MAX: u32 = 1 << 22;

/// What an engine is built from.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Built {
    /// When.
    pub at: Time,
    /// Which shard.
    pub shard: u16,
    /// The matcher's size: shards, contacts of each shard, agents, queues, agencies.
    pub size: (u16, u32, u32, u32, u32),
    /// The number of the first of agents' further slots.
    pub further_slots_from: u32,
    /// The listeners: transport, and `host:port` for Via.
    pub listeners: Vec<(Transport, String)>,
    /// The seed of all its randomness.
    pub seed: [u8; 32],
    /// How many rounds a wake-up follows at the most, unless as many as ever.
    pub rounds_max: Option<u32>,
    /// The configuration.
    pub config: ConfigText,
}

impl fmt::Debug for Built {
    /// Without the seed, from which all nonces and tags follow.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Built { at, shard, size, config, .. } = self;
        write!(f, "Built({at:?}, shard {shard}, {size:?}, {config:?})")
    }
}

impl Built {
    /// Whether a matcher of this size can be made, and has this shard.
    fn is_sound(&self) -> bool {
        let Size { shards, contacts_per_shard, agents, queues, agencies } = self.size();
        let contacts = contacts_per_shard.checked_mul(u32::from(shards));
        let fits = [contacts, Some(agents), Some(queues), Some(agencies)].iter().all(|n| n.is_some_and(|n| n <= PARTIES_MAX));
        fits && self.shard < shards && shards <= ShardId::COUNT_MAX && self.further_slots_from <= agents
    }

    /// The matcher's size.
    #[must_use]
    pub const fn size(&self) -> Size {
        let (shards, contacts_per_shard, agents, queues, agencies) = self.size;
        Size { shards, contacts_per_shard, agents, queues, agencies }
    }

    /// The listeners, as an engine wants them.
    #[must_use]
    pub fn listeners(&self) -> Vec<ListenerName> {
        self.listeners
            .iter()
            .map(|(transport, sent_by)| ListenerName { transport: *transport, sent_by: sent_by.as_str().into() })
            .collect()
    }
}

/// The bytes of a message, which may hold secrets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Bytes(Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// An input as plain data.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Given {
    /// [`Input::Time`].
    Time,
    /// [`Input::Message`].
    Message(Flow, Bytes, Duration),
    /// [`Input::Broken`].
    Broken(Option<ConnectionId>, Transport, SocketAddr),
    /// [`Input::Media`].
    Media(MediaEvent),
    /// [`Input::Agent`].
    Agent(AgentId, AgentCommand),
    /// [`Input::Reload`]: the configuration that was taken up, and what the routing table had been
    /// [acknowledged](crate::acd::RoutingTable::acknowledged) of.
    Reload(ConfigText, u64),
    /// [`Input::Text`].
    Text(TextInput),
    /// [`Input::Letter`].
    Letter(Letter),
    /// [`Input::Drain`].
    Drain,
    /// [`Input::EndAll`].
    EndAll,
}

impl Given {
    /// An input as plain data. A reload needs the configuration that its settings were read from.
    fn of(input: &Input<'_>, config: Option<&ConfigText>) -> Option<Given> {
        Some(match input {
            Input::Time => Given::Time,
            Input::Message { flow, bytes, age } => Given::Message(*flow, Bytes(bytes.to_vec()), *age),
            Input::Broken { connection, transport, remote } => Given::Broken(*connection, *transport, *remote),
            Input::Media(event) => Given::Media(event.clone()),
            Input::Agent { agent, command } => Given::Agent(*agent, *command),
            Input::Reload(reload) => Given::Reload(config?.clone(), reload.routing_table.acknowledged()),
            Input::Text(input) => Given::Text(input.clone()),
            Input::Letter(letter) => Given::Letter(letter.clone()),
            Input::Drain => Given::Drain,
            Input::EndAll => Given::EndAll,
        })
    }
}

/// One thing that happened to an engine.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Entry {
    /// It was built. The first entry, and only that, says so.
    Built(Box<Built>),
    /// It was given an input.
    Input(Time, Given),
    /// What the matcher said while it did what the entry before says.
    Answers(Vec<Answer>),
    /// So many outputs were taken from it.
    Polled(u64),
    /// A panic in it was contained.
    Fault(Time),
}
