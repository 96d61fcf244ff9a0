//! The player: callers and agents who speak SIP and RTP with any server, over real sockets, as many at once as needed.
//!
//! Callers call at a rate, press keys, wait with patience, talk and hang up. Agents register, answer, talk, hold,
//! transfer, hang up, refuse, or let it ring. All random draws come from a seed. [`run`] plays a [`Plan`] to its end
//! and sums it up. `hotline load`, `hotline demo` and the soak test use it.
//!
//! It knows nothing of hotline's engine: it can play with any SIP server. It must not keep anything that grows with the
//! number of calls that were ever made.

mod account;
mod agents;
mod call;
mod callers;
mod dialogs;
mod event;
mod histogram;
mod plan;
mod player;
mod receive;
mod registrar;
mod socket;
mod sound;
mod summary;
mod talk;
mod tally;
#[cfg(test)]
mod tests;
mod voice;

pub use crate::base::span::{BadSpan, Share, Span, duration};
pub use account::{Account, AccountError, expand};
pub use event::{Event, Outcome, Progress, Stage};
pub use histogram::Percentiles;
pub use plan::{Agents, Callers, Keys, Plan};
pub use player::{LoadError, run};
pub use summary::{AgentSummary, Heard, Rtp, Summary};
