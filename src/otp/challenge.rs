//! The rules of a slot as plain arithmetic: what `issue.lua` and `judge.lua` do, for the in-process store.
//!
//! `tests/otp` holds both to the same answers.

use uuid::Uuid;

use super::code::CodeDigest;
use crate::limits::Shadowed;

/// Milliseconds since the Unix epoch, by the store's clock.
type Millis = i64;

/// One slot of one phone.
#[derive(Debug, Clone, Default)]
pub struct SlotState {
    challenge: Option<Challenge>,
    failures: u32,
    last_failure: Millis,
}

/// A challenge as the store keeps it.
#[derive(Debug, Clone)]
pub struct Challenge {
    pub id: Uuid,
    pub digest: CodeDigest,
    pub subject: Option<Uuid>,
    pub expires: Millis,
    pub attempts: u8,
    pub used: bool,
    pub shadowed: Shadowed,
}

/// The bounds that a slot is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub max_attempts: u8,
    pub max_failures: u32,
    /// Milliseconds.
    pub failure_window: Millis,
}

/// What one slot says of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotVerdict {
    Right {
        challenge_id: Uuid,
        subject: Option<Uuid>,
        shadowed: Shadowed,
    },
    Wrong {
        attempts_remaining: u8,
    },
    Exceeded,
    /// Nothing here to judge by.
    Silent,
}

impl SlotState {
    /// How long the slot stays locked for its failures; 0 if it is not.
    pub fn lock_wait(&self, now: Millis, bounds: &Bounds) -> Millis {
        if self.failures < bounds.max_failures {
            return 0;
        }
        (self.last_failure + bounds.failure_window - now).max(0)
    }

    /// The failures that are remembered, and for how long.
    pub fn failures(&self, now: Millis, bounds: &Bounds) -> (u32, Millis) {
        let forgotten_in = (self.last_failure + bounds.failure_window - now).max(0);
        match self.failures {
            failures if failures > 0 && forgotten_in > 0 => (failures, forgotten_in),
            _ => (0, 0),
        }
    }

    /// Replaces the challenge, and keeps the failures.
    pub fn issue(
        &mut self,
        id: Uuid,
        digest: CodeDigest,
        subject: Option<Uuid>,
        expires: Millis,
        shadowed: Shadowed,
    ) {
        self.challenge = Some(Challenge {
            id,
            digest,
            subject,
            expires,
            attempts: 0,
            used: false,
            shadowed,
        });
    }

    /// The challenge in force, if it is `id`'s or any will do.
    pub fn live(&self, id: Option<Uuid>, now: Millis) -> Option<&Challenge> {
        self.challenge.as_ref().filter(|challenge| {
            !challenge.used && challenge.expires > now && id.is_none_or(|id| id == challenge.id)
        })
    }

    /// Judges a code by the challenge in force. The caller has seen to it that the slot isn't locked.
    pub fn judge(
        &mut self,
        digest: &CodeDigest,
        id: Option<Uuid>,
        now: Millis,
        bounds: &Bounds,
    ) -> SlotVerdict {
        if self.live(id, now).is_none() {
            return SlotVerdict::Silent;
        }
        let Some(challenge) = &mut self.challenge else {
            return SlotVerdict::Silent;
        };
        if challenge.attempts >= bounds.max_attempts {
            return SlotVerdict::Exceeded;
        }
        if challenge.digest == *digest {
            challenge.used = true;
            return SlotVerdict::Right {
                challenge_id: challenge.id,
                subject: challenge.subject,
                shadowed: challenge.shadowed.clone(),
            };
        }
        challenge.attempts += 1;
        let attempts_remaining = bounds.max_attempts - challenge.attempts;
        if self.last_failure + bounds.failure_window <= now {
            self.failures = 0;
        }
        self.failures += 1;
        self.last_failure = now;
        if attempts_remaining == 0 {
            SlotVerdict::Exceeded
        } else {
            SlotVerdict::Wrong { attempts_remaining }
        }
    }

    /// Makes a used challenge good again.
    pub fn reinstate(&mut self, id: Uuid, now: Millis) {
        if let Some(challenge) = &mut self.challenge
            && challenge.id == id
            && challenge.expires > now
        {
            challenge.used = false;
        }
    }

    /// Whether nothing in it matters any more.
    pub fn is_idle(&self, now: Millis, bounds: &Bounds) -> bool {
        let over = self
            .challenge
            .as_ref()
            .is_none_or(|challenge| challenge.expires <= now);
        over && (self.failures == 0 || self.last_failure + bounds.failure_window <= now)
    }
}
