//! Randomness, through one door: identifiers, salts and nonces come from an [`Entropy`] that is passed in.

use std::sync::atomic::{AtomicU64, Ordering};

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

    /// An identifier that sorts by time (UUID version 7): kind to a database's index, so fit for rows. Those that a process makes
    /// one after another within a millisecond sort in this order: a counter that begins anywhere (RFC 9562, 6.2, method 1).
    pub fn row_id(&self, now: DateTime<Utc>) -> Uuid {
        /// The millisecond of the last one, and its counter in the lowest 12 bits.
        static LAST: AtomicU64 = AtomicU64::new(0);
        const COUNTS: u64 = 0xFFF;
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        let mut rest: [u8; 10] = self.bytes();
        let begin = u64::from(u16::from_be_bytes([rest[0], rest[1]]) >> 5);
        let next = |last: u64| match last >> 12 == millis {
            true => (last & !COUNTS) | ((last + 1) & COUNTS),
            false => (millis << 12) | begin,
        };
        let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        let counter = next(last.unwrap_or_else(|last| last)) & COUNTS;
        rest[..2].copy_from_slice(&u16::try_from(counter).unwrap_or_default().to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_moment_sort_in_their_order() {
        let entropy: &dyn Entropy = &SystemEntropy;
        // Of a time that no other test makes ids of; still, another's make this counter begin anew.
        let now = DateTime::from_timestamp_millis(1_234_567_890_123).unwrap();
        let ids: Vec<_> = (0..1000).map(|_| entropy.row_id(now)).collect();
        let falls = ids.windows(2).filter(|pair| pair[0] >= pair[1]).count();
        assert!(falls <= 20, "{falls}");
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }
}
