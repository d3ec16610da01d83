//! Randomness, through one door: identifiers, salts and nonces come from an [`Entropy`] that is passed in.

use chrono::{DateTime, Utc};
use rand::TryRng;
use uuid::Uuid;

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `buffer` from a cryptographically secure generator.
    fn fill(&self, buffer: &mut [u8]);
}

impl dyn Entropy {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A random identifier of 122 bits (UUID version 4): unguessable.
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// An identifier that sorts by time (UUID version 7): kind to a database's index, so fit for rows.
    pub fn row_id(&self, now: DateTime<Utc>) -> Uuid {
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }

    /// A number in `0..=ceiling`, near enough uniform for pacing and jitter.
    pub fn up_to(&self, ceiling: u64) -> u64 {
        match ceiling.checked_add(1) {
            Some(span) => u64::from_le_bytes(self.bytes()) % span,
            None => u64::from_le_bytes(self.bytes()),
        }
    }
}

/// The operating system's generator, through `rand`'s thread-local CSPRNG (ChaCha12, reseeded by the system).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the one door for randomness")]
    fn fill(&self, buffer: &mut [u8]) {
        match rand::rng().try_fill_bytes(buffer) {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }
}
