//! What a session is called: by us, and by its peer (RFC 3261 12, 19.3).
//!
//! Owns the form of our tags and of our Call-IDs. It never looks at what a session does.

use std::fmt;

use arrayvec::ArrayString;

use crate::base::seed::Seed;
use crate::sip::text;

/// A session of one shard. One that is over refers to nothing, for ever.
///
/// Its text is our tag of the session's dialog, so that a request within the dialog names its session without a table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId {
    shard: u16,
    pub(super) slot: u32,
    /// Random, so that a peer cannot guess another's tag.
    token: u32,
}

/// Our tag of a dialog: the shard in two hexadecimal digits, the slot, a hyphen, the token in eight digits.
pub type Tag = ArrayString<24>;

impl SessionId {
    pub(crate) const fn new(shard: u16, slot: u32, token: u32) -> Self {
        SessionId { shard, slot, token }
    }

    /// Our tag of the session's dialog (RFC 3261 19.3).
    #[must_use]
    pub fn tag(self) -> Tag {
        let mut tag = Tag::new();
        text::push_hex(&mut tag, self.shard, 2);
        text::push_hex(&mut tag, self.slot, 1);
        tag.push('-');
        text::push_hex(&mut tag, self.token, 8);
        tag
    }

    /// Its place among the sessions of its shard: small, and used again once it is over.
    #[must_use]
    pub const fn index(self) -> usize {
        self.slot as usize
    }

    /// The shard that a tag of ours names; `None` if the tag is not of our form.
    #[must_use]
    pub fn shard_of_tag(tag: &str) -> Option<u16> {
        let (place, token) = tag.split_once('-')?;
        u16::from_str_radix(place.get(..2)?, 16).ok().filter(|_| token.len() == 8)
    }

    /// The session that a tag of this shard names; `None` if the tag is not of our form.
    #[must_use]
    pub fn from_tag(shard: u16, tag: &str) -> Option<Self> {
        let (place, token) = tag.split_once('-')?;
        if SessionId::shard_of_tag(tag)? != shard {
            return None;
        }
        let slot = u32::from_str_radix(place.get(2..)?, 16).ok()?;
        Some(SessionId { shard, slot, token: u32::from_str_radix(token, 16).ok()? })
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tag())
    }
}

/// The name of a request outside of any session. The caller chooses it, and gets it back with the request's outcome.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LoneId(pub u32);

/// A Call-ID of ours: the shard, then 128 random bits.
pub(super) fn new_call_id(shard: u16, seed: &mut Seed) -> Box<str> {
    let mut call_id = ArrayString::<40>::new();
    text::push_hex(&mut call_id, shard, 2);
    text::push_hex(&mut call_id, seed.next_u64(), 16);
    text::push_hex(&mut call_id, seed.next_u64(), 16);
    call_id.as_str().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ShardId;

    #[test]
    fn a_tag_names_its_session_and_no_other_shard_takes_it() {
        let id = SessionId::new(0x1f, 0xabc, 0x1234);
        assert_eq!(&*id.tag(), "1fabc-00001234");
        assert_eq!(SessionId::from_tag(0x1f, &id.tag()), Some(id));
        assert_eq!(SessionId::from_tag(0x1e, &id.tag()), None);
        for foreign in ["", "1", "-", "1fabc", "1fabc-1234", "1f-00001234", "1fxyz-00001234", "é1-00001234"] {
            assert_eq!(SessionId::from_tag(0x1f, foreign), None, "{foreign}");
        }
        let last = SessionId::new(ShardId::COUNT_MAX - 1, 5, 7);
        assert_eq!(SessionId::from_tag(ShardId::COUNT_MAX - 1, &last.tag()), Some(last));
        assert_eq!(&*SessionId::new(1, 0, 0).tag(), "010-00000000");
        assert_eq!(&*SessionId::new(ShardId::COUNT_MAX - 1, u32::MAX, u32::MAX).tag(), "ffffffffff-ffffffff");
    }
}
