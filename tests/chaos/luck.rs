//! Chance from a seed, so that a run can be had again.

use std::time::Duration;

use ringback::entropy::{Entropy, SystemEntropy};

/// SplitMix64.
pub struct Luck(u64);

impl Luck {
    /// From `RINGBACK_CHAOS_SEED`, or a new one; it is printed.
    pub fn new() -> Self {
        let seed = crate::setting(
            "RINGBACK_CHAOS_SEED",
            (&SystemEntropy as &dyn Entropy).up_to(999_999),
        );
        println!("RINGBACK_CHAOS_SEED={seed}");
        Self(seed)
    }

    /// From this seed.
    pub fn from(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}
