//! SIP as pure state: messages, transactions, dialogs, digest. Knows no socket, no clock and no call.

pub mod flow;
pub mod transaction;
