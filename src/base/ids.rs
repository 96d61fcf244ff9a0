//! Identifiers. Those of the directory are small indexes, stable for as long as the name is known; a contact's is unique across all nodes.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::seed::Seed;
use super::time::Time;

macro_rules! index_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            /// The index as a `usize`, for tables.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index_id!(
    /// An agency of the directory.
    AgencyId
);
index_id!(
    /// A pool (a named group of an agency's agents) of the directory.
    PoolId
);
index_id!(
    /// A skill (a language or a topic) of the directory.
    SkillId
);
index_id!(
    /// An agent of the directory.
    AgentId
);
index_id!(
    /// A queue of the directory.
    QueueId
);
index_id!(
    /// An entry of the directory.
    EntryId
);
index_id!(
    /// A trunk of the directory.
    TrunkId
);

/// A shard: one signalling thread and what it owns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
pub struct ShardId(pub u16);

impl ShardId {
    /// How many shards there can be: branches, tags and Call-IDs of ours have two hexadecimal digits for one.
    pub const COUNT_MAX: u16 = 256;

    /// The shard that owns an agent, where there are so many shards; 0 stands for 1.
    #[must_use]
    pub const fn of_agent(agent: AgentId, shards: u16) -> Self {
        ShardId(if shards < 2 { 0 } else { (agent.0 % shards as u32) as u16 })
    }
}

/// A media endpoint: one leg's RTP session on a media thread.
///
/// Unique for the life of the process, so that a command or an event about an endpoint that is gone hits nobody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct EndpointId(pub u64);

impl EndpointId {
    const SHARD_SHIFT: u32 = 56;

    /// A shard's endpoint of this number, which is below 2^56. There are 256 shards at the most.
    #[must_use]
    pub const fn new(shard: ShardId, number: u64) -> Self {
        EndpointId((shard.0 as u64) << Self::SHARD_SHIFT | number)
    }

    /// The shard whose leg it belongs to.
    #[must_use]
    pub const fn shard(self) -> ShardId {
        ShardId((self.0 >> Self::SHARD_SHIFT) as u16)
    }
}

/// A contact's identifier: 48 bits of milliseconds since the Unix epoch, then 80 random bits; written as 26 characters of Crockford's
/// base 32 (the ULID layout), so that identifiers sort by arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContactId(pub u128);

const BASE32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const NO_DIGIT: u8 = 0xff;
/// What each byte means as a digit: readers of the log look up millions.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < BASE32.len() {
        values[BASE32[digit] as usize] = digit as u8;
        values[BASE32[digit].to_ascii_lowercase() as usize] = digit as u8;
        digit += 1;
    }
    values
};

impl ContactId {
    /// A fresh identifier for a contact that arrived at `now`.
    pub fn new(now: Time, seed: &mut Seed) -> Self {
        let random = u128::from(seed.next_u64()) << 16 | u128::from(seed.next_u32() & 0xffff);
        ContactId(u128::from(now.millis() & 0xffff_ffff_ffff) << 80 | random)
    }

    /// When the contact arrived, to the millisecond.
    #[must_use]
    pub const fn arrived(self) -> Time {
        Time::from_micros((self.0 >> 80) as u64 * 1000)
    }

    /// The identifier as text: ASCII.
    #[must_use]
    pub fn text(self) -> [u8; 26] {
        let mut text = [0u8; 26];
        // In words of 60 bits: a u128 is slow to shift, and this is written in each line of the log.
        let mut fill = |places: Range<usize>, mut bits: u64| {
            for place in places.rev() {
                text[place] = BASE32[(bits & 31) as usize];
                bits >>= 5;
            }
        };
        fill(0..2, (self.0 >> 120) as u64);
        fill(2..14, (self.0 >> 60) as u64);
        fill(14..26, self.0 as u64);
        text
    }
}

impl fmt::Display for ContactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.text()).expect("base 32 is ASCII"))
    }
}

impl fmt::Debug for ContactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is wrong with the text of an identifier.
#[derive(Debug, thiserror::Error)]
#[error("a contact id is 26 characters of Crockford's base 32")]
pub struct BadContactId;

impl FromStr for ContactId {
    type Err = BadContactId;

    fn from_str(text: &str) -> Result<Self, BadContactId> {
        if text.len() != 26 {
            return Err(BadContactId);
        }
        let mut value: u128 = 0;
        for byte in text.bytes() {
            let digit = VALUES[usize::from(byte)];
            if digit == NO_DIGIT {
                return Err(BadContactId);
            }
            value = value << 5 | u128::from(digit);
        }
        Ok(ContactId(value))
    }
}
