//! SIP (RFC 3261): what is written on the wire and what it obliges the two sides to.
//!
//! The wire: [`message`] reads a received buffer without copying it, [`mod@write`] writes one, [`framer`] cuts a stream into messages by the
//! reader's own rule. [`digest`] proves who somebody is. All of it is pure: no socket, clock or ambient randomness.

pub mod blank;
mod check;
pub mod dialog;
pub mod digest;
pub mod flow;
pub mod framer;
mod head;
pub mod header;
pub mod message;
pub mod method;
pub mod name;
pub mod name_addr;
pub mod nonce;
pub mod params;
pub mod session;
pub mod stack;
pub mod text;
pub mod transaction;
pub mod uri;
pub mod via;
pub mod write;

pub use check::Defect;
pub use framer::{Frame, Framer, FramingError};
pub use head::Fault;
pub use header::{CSeq, HeaderError, MediaType, Valued};
pub use message::{Field, Message, ReadError, Start};
pub use method::Method;
pub use name::Name;
pub use name_addr::{ContactHeader, NameAddr};
pub use nonce::{Freshness, Nonces};
pub use params::Params;
pub use uri::{Scheme, Uri, UriError};
pub use via::Via;
pub use write::{Writer, reason_phrase};
