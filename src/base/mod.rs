//! What every room knows: time, deadlines, identifiers, seeds and the shared words. Knows no other room.

pub mod codec;
pub mod deadline;
pub mod estimate;
pub mod hash;
pub mod ids;
pub mod limits;
pub mod mail;
pub mod padded;
pub mod plain;
pub mod seed;
pub mod span;
pub mod sync;
pub mod time;
pub mod weighed;
pub mod words;

pub use codec::Codec;
pub use estimate::{Estimate, Range};
pub use ids::{AgencyId, AgentId, ContactId, EndpointId, EntryId, PoolId, QueueId, ShardId, SkillId, TrunkId};
pub use time::Time;
pub use weighed::Weighed;
