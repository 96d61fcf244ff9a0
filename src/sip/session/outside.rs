//! Requests outside of any session (RFC 3261 8.2.7, 10, 11): what others ask us, and the OPTIONS that asks whether a server is there.
//!
//! Owns nothing but the view; the transactions are those of [`Sessions`]. It never decides what a request is answered with.

use super::id::new_call_id;
use super::{Flow, LoneEvent, LoneId, Message, Method, Sessions, Time, TxUser};
use crate::sip::name::Name;
use crate::sip::stack::ServerTx;
use crate::sip::write::Writer;

/// Requests that belong to no session.
pub struct Outside<'a>(pub(super) &'a mut Sessions);

impl Outside<'_> {
    /// Answers a request without keeping anything of it (RFC 3261 8.2.7). `fill` adds headers.
    pub fn reply_stateless(&mut self, flow: &Flow, message: &Message<'_>, status: u16, fill: impl FnOnce(&mut Writer)) {
        self.0.stack.reply_stateless(flow, message, status, fill);
    }

    /// Gives a request its transaction, so that its repetitions are answered alike. `None` if it cannot be answered at all.
    pub fn begin(&mut self, now: Time, flow: &Flow, message: &Message<'_>) -> Option<ServerTx> {
        self.0.stack.begin(now, flow, message, None)
    }

    /// Answers a request that has a transaction. `to_tag` goes into To; `fill` adds headers.
    pub fn respond(&mut self, now: Time, tx: ServerTx, status: u16, to_tag: &str, fill: impl FnOnce(&mut Writer)) {
        self.0.stack.respond(now, tx, status, Some(to_tag), None, fill);
    }

    /// Asks by OPTIONS whether a server is there (RFC 3261 11). What comes of it is told under `id`.
    pub fn probe(&mut self, now: Time, flow: &Flow, uri: &str, id: LoneId) {
        let Sessions { stack, seed, shard, .. } = &mut *self.0;
        let (call_id, tag) = (new_call_id(*shard, seed), seed.next_u64());
        let sent_by = stack.listener(flow.listener).sent_by.clone();
        stack.request(now, *flow, (Method::Options, uri), TxUser::Lone(id), None, |writer| {
            writer.field(Name::MaxForwards, "70");
            writer.fmt(Name::From, format_args!("<sip:hotline@{sent_by}>;tag={tag:016x}"));
            writer.fmt(Name::To, format_args!("<{uri}>"));
            writer.field(Name::CallId, &*call_id);
            writer.field(Name::CSeq, "1 OPTIONS");
            writer.field(Name::Accept, "application/sdp");
        });
    }

    /// What came of a probe. Each answer is told, provisional ones too: any shows that the server is there.
    pub fn poll(&mut self) -> Option<(LoneId, LoneEvent)> {
        self.0.lone_events.pop_front()
    }
}
