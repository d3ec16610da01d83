//! Verifications that travel together: right codes that come at once are marked by one statement.

pub(super) mod postgres;

use std::{
    hash::{Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, Utc};

use super::Claimant;
use crate::{events::NewEvent, phone::PhoneNumber};

/// One caller's right code. No two are equal: of two that ask for the same, one alone verifies.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    number: u64,
    pub phone: PhoneNumber,
    pub claimant: Claimant,
    /// What is noted with the change.
    pub event: NewEvent,
    /// Claims from before have lapsed.
    pub live_since: DateTime<Utc>,
}

impl Ask {
    pub fn new(phone: PhoneNumber, claimant: Claimant, event: NewEvent, live_since: DateTime<Utc>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            phone,
            claimant,
            event,
            live_since,
        }
    }
}

impl PartialEq for Ask {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Ask {}

impl Hash for Ask {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}
