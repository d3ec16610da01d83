//! The rules of a slot as plain arithmetic: what the scripts do, for the in-process store; and what both stores tell of
//! a slot that was read.
//!
//! `tests/challenges` holds both to the same answers.

use std::time::Duration;

use uuid::Uuid;

use super::{
    code::CodeDigest,
    slot::Slot,
    status::{Course, Pending, Stage},
    store::{Issue, Millis, OtpRules, Waits},
};
use crate::{
    channel::Channel,
    delivery::{CodeSeed, OutboxEntry},
    language::Language,
    limits::Shadowed,
    partition::SlotAddress,
    phone::Country,
};

/// One slot of one phone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SlotState {
    pub challenge: Option<Challenge>,
    pub failures: u32,
    pub last_failure: Millis,
    /// The phone's; only its public slot keeps it.
    pub cooldown: Cooldown,
}

/// A challenge as the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Challenge {
    pub id: Uuid,
    pub digest: CodeDigest,
    pub subject: Option<Uuid>,
    pub issued: Millis,
    /// How long its code lives.
    pub ttl: Millis,
    pub attempts: u8,
    pub used: bool,
    /// How its SMS fares, or seems to.
    pub course: Course,
    /// The SMS that goes out for it, if one does.
    pub sms: Option<Sms>,
    /// The provider that its SMS is not to go by; once its SMS failed, the one by which the next is not to.
    pub avoid: Option<String>,
    /// In a user's slot, where the phone's public one is.
    pub public: Option<SlotAddress>,
    /// The shadow rules that would have refused it.
    pub shadowed: Shadowed,
}

/// What is to be known of an SMS to send it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sms {
    pub user_id: Uuid,
    pub country: Country,
    pub language: Language,
}

/// When a phone may get its next code; earlier, when the SMS of a decoy seems to fail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cooldown {
    pub ends: Millis,
    pub fails_at: Option<Millis>,
}

impl Cooldown {
    pub fn wait(&self, now: Millis) -> Millis {
        match self.fails_at {
            Some(fails_at) if fails_at <= now => 0,
            _ => (self.ends - now).max(0),
        }
    }
}

/// The bounds that a slot is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub max_attempts: u8,
    pub max_failures: u32,
    pub failure_window: Millis,
}

impl Bounds {
    pub fn of(rules: &OtpRules) -> Self {
        Self {
            max_attempts: rules.max_attempts,
            max_failures: rules.max_failures,
            failure_window: millis(rules.failure_window),
        }
    }
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

impl Challenge {
    /// A new one.
    pub fn new(issue: &Issue<'_>, shadowed: Shadowed, now: Millis, ttl: Millis) -> Self {
        let public = Slot::Public.address(issue.phone);
        Self {
            id: issue.challenge_id,
            digest: issue.digest,
            subject: issue.subject,
            issued: now,
            ttl,
            attempts: 0,
            used: false,
            course: issue.course,
            sms: issue.deliver.map(|delivery| Sms {
                user_id: delivery.user_id,
                country: delivery.country,
                language: delivery.language.clone(),
            }),
            avoid: None,
            public: (issue.slot != Slot::Public).then_some(public),
            shadowed,
        }
    }

    /// From then on its code is good no more.
    pub fn expires(&self) -> Millis {
        self.issued + self.ttl
    }

    /// What a decoy's status is made from that waits with the real SMS; nothing for any other challenge.
    pub fn pending(&self, now: Millis) -> Option<Pending> {
        let has_receipts = [false, true]
            .into_iter()
            .find(|&has| self.course == Course::pending(has))?;
        self.sms.is_none().then_some(Pending {
            elapsed: now - self.issued,
            has_receipts,
        })
    }

    /// What the outbox owes for it, if an SMS goes out: nothing once it is used or has expired.
    pub fn owed(&self, address: SlotAddress, now: Millis) -> Option<OutboxEntry> {
        let sms = self.sms.clone().filter(|_| !self.used && self.expires() > now)?;
        Some(OutboxEntry {
            challenge_id: self.id,
            user_id: sms.user_id,
            address,
            channel: Channel::Sms,
            topic: 0,
            seed: CodeSeed::default(),
            country: sms.country,
            language: sms.language,
            avoid: self.avoid.clone(),
            expires_at_ms: self.expires(),
        })
    }
}

impl SlotState {
    /// How long the slot stays locked for its failures; 0 if it is not.
    pub fn lock_wait(&self, now: Millis, bounds: &Bounds) -> Millis {
        if self.failures < bounds.max_failures {
            return 0;
        }
        (self.last_failure + bounds.failure_window - now).max(0)
    }

    /// Replaces the challenge, and keeps the failures. An SMS that goes out avoids whoever failed with the last.
    pub fn issue(&mut self, mut challenge: Challenge) {
        let last = self.challenge.take();
        challenge.avoid = last
            .filter(|last| challenge.sms.is_some() && last.course.fails_after().is_some())
            .and_then(|last| last.avoid);
        self.challenge = Some(challenge);
    }

    /// Notes news of an SMS; the challenge, if it was news.
    pub fn advance(&mut self, id: Uuid, stage: Stage, provider: &str, now: Millis) -> Option<&Challenge> {
        let known = self.challenge.as_mut();
        let challenge = known.filter(|challenge| challenge.id == id && challenge.expires() > now)?;
        if !challenge.course.advance(stage, now - challenge.issued) {
            return None;
        }
        if challenge.course.fails_after().is_some() {
            challenge.avoid = Some(provider.to_owned());
        }
        Some(challenge)
    }

    /// The challenge of this id, used or not, for as long as its code lives.
    pub fn known(&self, id: Uuid, now: Millis) -> Option<&Challenge> {
        let known = self.challenge.as_ref();
        known.filter(|challenge| challenge.id == id && challenge.expires() > now)
    }

    /// What keeps the slot from its next code, by its failures and the phone's cooldown.
    pub fn waits(&self, cooldown: Cooldown, now: Millis, bounds: &Bounds) -> Waits {
        let forgotten_in = match self.failures {
            0 => 0,
            _ => (self.last_failure + bounds.failure_window - now).max(0),
        };
        Waits {
            cooldown: from_millis(cooldown.wait(now)),
            failures: if forgotten_in > 0 { self.failures } else { 0 },
            forgotten_in: from_millis(forgotten_in),
        }
    }

    /// The challenge in force and the attempts it has spent, if it has an SMS.
    pub fn charged(&self) -> Option<(Uuid, u8)> {
        let known = self.challenge.as_ref();
        let challenge = known.filter(|challenge| challenge.sms.is_some())?;
        Some((challenge.id, challenge.attempts))
    }

    /// The challenge in force, if it is `id`'s or any will do.
    pub fn live(&self, id: Option<Uuid>, now: Millis) -> Option<&Challenge> {
        self.challenge.as_ref().filter(|challenge| {
            !challenge.used && challenge.expires() > now && id.is_none_or(|id| id == challenge.id)
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
            && challenge.expires() > now
        {
            challenge.used = false;
        }
    }

    /// Whether nothing in it matters any more.
    pub fn is_idle(&self, now: Millis, bounds: &Bounds) -> bool {
        let over = self
            .challenge
            .as_ref()
            .is_none_or(|challenge| challenge.expires() <= now);
        let forgotten = self.failures == 0 || self.last_failure + bounds.failure_window <= now;
        over && forgotten && self.cooldown.wait(now) == 0
    }
}

pub fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

pub fn from_millis(millis: Millis) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}
