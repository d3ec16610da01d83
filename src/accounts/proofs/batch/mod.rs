//! Verifications that travel together: right codes that come at once are marked by one statement.

pub(super) mod postgres;

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};

use super::Claimant;
use crate::phone::PhoneNumber;

/// One caller's right code. No two are equal: of two that ask for the same, one alone verifies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Ask {
    number: u64,
    pub phone: PhoneNumber,
    pub claimant: Claimant,
    pub now: DateTime<Utc>,
}

impl Ask {
    pub fn new(phone: PhoneNumber, claimant: Claimant, now: DateTime<Utc>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            phone,
            claimant,
            now,
        }
    }
}
