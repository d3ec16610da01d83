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
    /// The provider whose SMS did not arrive.
    avoid: Option<String>,
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
    /// Whether an SMS goes out for it.
    pub owed: bool,
    /// The shadow rules that would have refused it.
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

/// How a slot stands towards a code, before the code is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has a challenge that may judge.
    Open,
    /// Its challenge has no attempt left.
    Exhausted,
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

    /// Replaces the challenge, and keeps the failures. Tells, once, which provider to avoid.
    pub fn issue(&mut self, challenge: Challenge) -> Option<String> {
        self.challenge = Some(challenge);
        self.avoid.take()
    }

    /// The SMS of a challenge failed: the next one avoids its provider.
    pub fn avoid(&mut self, id: Uuid, provider: &str) {
        if self
            .challenge
            .as_ref()
            .is_some_and(|challenge| challenge.id == id)
        {
            self.avoid = Some(provider.to_owned());
        }
    }

    /// The challenge in force and the attempts it has spent, if it has an SMS.
    pub fn owed(&self) -> Option<(Uuid, u8)> {
        let challenge = self.challenge.as_ref().filter(|challenge| challenge.owed)?;
        Some((challenge.id, challenge.attempts))
    }

    /// The failures that are remembered, and for how long.
    pub fn failures(&self, now: Millis, bounds: &Bounds) -> (u32, Millis) {
        let forgotten_in = (self.last_failure + bounds.failure_window - now).max(0);
        match self.failures {
            failures if failures > 0 && forgotten_in > 0 => (failures, forgotten_in),
            _ => (0, 0),
        }
    }

    /// The challenge in force, if it is `id`'s or any will do.
    pub fn live(&self, id: Option<Uuid>, now: Millis) -> Option<&Challenge> {
        self.challenge.as_ref().filter(|challenge| {
            !challenge.used && challenge.expires > now && id.is_none_or(|id| id == challenge.id)
        })
    }

    /// Whether the challenge in force may judge a code. The caller has seen to it that the slot isn't locked.
    pub fn standing(&self, id: Option<Uuid>, now: Millis, bounds: &Bounds) -> Standing {
        match self.live(id, now) {
            None => Standing::Silent,
            Some(challenge) if challenge.attempts >= bounds.max_attempts => Standing::Exhausted,
            Some(_) => Standing::Open,
        }
    }

    /// Uses the challenge up if the code is its own.
    pub fn take(&mut self, digest: &CodeDigest) -> Option<&Challenge> {
        let challenge = self
            .challenge
            .as_mut()
            .filter(|challenge| challenge.digest == *digest)?;
        challenge.used = true;
        Some(challenge)
    }

    /// Counts a wrong code, as an attempt and as a failure; tells how many attempts are left.
    pub fn charge(&mut self, now: Millis, bounds: &Bounds) -> u8 {
        if self.last_failure + bounds.failure_window <= now {
            self.failures = 0;
        }
        self.failures += 1;
        self.last_failure = now;
        self.challenge.as_mut().map_or(0, |challenge| {
            challenge.attempts += 1;
            bounds.max_attempts.saturating_sub(challenge.attempts)
        })
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
