//! All randomness of the core: a CSPRNG (ChaCha12) from a seed that the app draws from the system, and a test writes down.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

/// A source of random numbers that two runs with the same seed share.
#[derive(Clone, Debug)]
pub struct Seed(ChaCha12Rng);

impl Seed {
    /// From 32 bytes; the app takes them from the system's generator.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Seed(ChaCha12Rng::from_seed(bytes))
    }

    /// From a small number, for tests and simulations.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        Seed(ChaCha12Rng::seed_from_u64(number))
    }

    /// A generator of its own, drawn from this one.
    pub fn fork(&mut self) -> Seed {
        Seed::from_bytes(self.fork_bytes())
    }

    /// What a generator of its own is [made of](Self::from_bytes), drawn from this one.
    pub fn fork_bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Uniform over all 64-bit numbers.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform over all 32-bit numbers.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Uniform below `bound` (0 if the bound is 0); the bias is below 2^-32 for bounds below 2^32.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}
