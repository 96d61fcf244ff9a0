//! Maps keyed by bytes from outside: SipHash-1-3 under a key from the seed, so that no peer can choose collisions and two runs
//! with the same seed behave alike.

use std::hash::BuildHasher;

use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher128};

use super::seed::Seed;

/// A `HashMap` whose hash is keyed by the seed.
#[allow(clippy::disallowed_types, reason = "this is the keyed wrapper that the lint points to")]
pub type KeyedMap<K, V> = std::collections::HashMap<K, V, Keyed>;
/// A `HashSet` whose hash is keyed by the seed.
#[allow(clippy::disallowed_types, reason = "this is the keyed wrapper that the lint points to")]
pub type KeyedSet<K> = std::collections::HashSet<K, Keyed>;

/// The key of a keyed hash; builds hashers.
#[derive(Clone, Copy, Debug)]
pub struct Keyed {
    k0: u64,
    k1: u64,
}

impl Keyed {
    /// Draws a fresh key from `seed`.
    pub fn from_seed(seed: &mut Seed) -> Self {
        Keyed { k0: seed.next_u64(), k1: seed.next_u64() }
    }

    /// An empty map under this key.
    #[must_use]
    pub fn map<K, V>(self) -> KeyedMap<K, V> {
        KeyedMap::with_hasher(self)
    }

    /// A 128-bit digest of the parts, each preceded by its length: wide enough to stand for them as a map's key.
    #[must_use]
    pub fn digest(self, parts: &[&[u8]]) -> u128 {
        use std::hash::Hasher;
        let mut hasher = SipHasher128::new_with_keys(self.k0, self.k1);
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.k0, self.k1)
    }
}
