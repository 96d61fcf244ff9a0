//! Which shard a message from the wire is for, and which one the matcher has something for.

use super::Engine;
use crate::base::hash::Keyed;
use crate::base::{AgentId, ShardId};
use crate::sip::message::Message;
use crate::sip::method::Method;
use crate::sip::session::SessionId;
use crate::sip::stack;

/// Finds the shard that a message is for, wherever it comes in. All who do that for one process have the same key.
///
/// A response goes to the shard that has sent the request, which our branch names. A request within a dialog goes to the dialog's shard,
/// which our tag names. A REGISTER goes to the shard that owns the agent. Everything else goes by its Call-ID, so that what belongs
/// together comes together: a request, its CANCEL, its repetition after a challenge.
#[derive(Clone, Copy, Debug)]
pub struct Router {
    shards: u16,
    keyed: Keyed,
}

impl Router {
    /// For so many shards.
    #[must_use]
    pub const fn new(shards: u16, keyed: Keyed) -> Self {
        Router { shards, keyed }
    }

    /// The shard that this message is for. `agent` is the agent of a name. What cannot be read is the first shard's.
    #[must_use]
    pub fn shard_of(&self, bytes: &[u8], agent: impl Fn(&str) -> Option<AgentId>) -> ShardId {
        if self.shards < 2 {
            return ShardId(0);
        }
        Message::read(bytes).ok().and_then(|message| self.of(&message, agent)).unwrap_or_default()
    }

    fn of(&self, message: &Message<'_>, agent: impl Fn(&str) -> Option<AgentId>) -> Option<ShardId> {
        let ours = |shard: u16| (shard < self.shards).then_some(ShardId(shard));
        if !message.is_request() {
            return ours(stack::shard_of_branch(message.top_via().ok()?.branch()?)?);
        }
        let to = message.to().ok()?;
        if let Some(shard) = to.tag().and_then(SessionId::shard_of_tag).and_then(ours) {
            return Some(shard);
        }
        if message.method() == Some(Method::Register)
            && let Some(agent) = to.uri().ok().and_then(|uri| agent(&uri.user_unescaped()))
        {
            return Some(ShardId::of_agent(agent, self.shards));
        }
        let digest = self.keyed.digest(&[message.call_id().ok()?]);
        Some(ShardId((digest % u128::from(self.shards)) as u16))
    }
}

/// Whether the matcher has woken somebody of another shard, who is to be told.
#[must_use]
pub fn has_woken(engine: &Engine, shard: ShardId) -> bool {
    engine.matcher.audited().has_wake_ups(shard.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seed::Seed;

    fn shard(shards: u16, text: &str) -> u16 {
        let router = Router::new(shards, Keyed::from_seed(&mut Seed::from_number(1)));
        router
            .shard_of(text.replace('\n', "\r\n").as_bytes(), |name| {
                name.strip_prefix("agent").and_then(|n| n.parse().ok()).map(AgentId)
            })
            .0
    }

    fn request(method: &str, to: &str, call_id: &str) -> String {
        format!(
            "{method} sip:120@city.example SIP/2.0\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\nFrom: <sip:x@y>;tag=1\nTo: {to}\nCall-ID: {call_id}\nCSeq: 1 {method}\n\n"
        )
    }

    #[test]
    fn what_belongs_together_comes_together() {
        let of_call = |call_id: &str| shard(4, &request("INVITE", "<sip:120@city.example>", call_id));
        assert_eq!(
            (0..64).map(|n| of_call(&n.to_string())).collect::<std::collections::BTreeSet<_>>().len(),
            4,
            "all have something to do"
        );
        for method in ["CANCEL", "OPTIONS", "ACK"] {
            assert_eq!(shard(4, &request(method, "<sip:120@city.example>", "7")), of_call("7"));
        }
    }

    #[test]
    fn what_is_ours_says_whose_it_is() {
        for whose in 0..4 {
            let tag = SessionId::new(whose, 0xabc, 7).tag();
            assert_eq!(shard(4, &request("BYE", &format!("<sip:x@y>;tag={tag}"), "7")), whose);
            let text = format!(
                "SIP/2.0 200 OK\nVia: SIP/2.0/UDP a;branch=z9hG4bK{whose:02x}1f.0123456789abcdef\nFrom: <sip:x@y>;tag=1\nTo: <sip:x@y>;tag=2\nCall-ID: 7\nCSeq: 1 BYE\n\n"
            );
            assert_eq!(shard(4, &text), whose);
        }
        // A tag of a process that had more shards, or nobody's: by the Call-ID.
        let by_call_id = shard(2, &request("BYE", "<sip:x@y>", "7"));
        for tag in [SessionId::new(3, 1, 7).tag().to_string(), "zz".to_owned(), "0".to_owned()] {
            assert_eq!(shard(2, &request("BYE", &format!("<sip:x@y>;tag={tag}"), "7")), by_call_id, "{tag}");
        }
    }

    #[test]
    fn a_registration_goes_to_the_agents_owner() {
        for agent in 0..8 {
            for call_id in ["1", "2"] {
                assert_eq!(shard(3, &request("REGISTER", &format!("<sip:agent{agent}@city.example>"), call_id)), agent % 3);
            }
        }
        assert!(shard(3, &request("REGISTER", "<sip:nobody@city.example>", "1")) < 3);
    }

    #[test]
    fn what_cannot_be_read_is_the_firsts() {
        assert_eq!((shard(3, "nonsense"), shard(3, "INVITE sip:a SIP/2.0\n\n"), shard(1, "")), (0, 0, 0));
    }
}
