//! The rules of a slot as plain arithmetic: what the scripts do, for the in-process store; and what both stores tell of
//! a slot that was read.
//!
//! `tests/challenges` holds both to the same answers.

use uuid::Uuid;

use super::{
    code::CodeDigest,
    millis::{Millis, from_millis, millis},
    policy::Found,
    pools::{Most, Pool, Pools},
    purpose::Purpose,
    slot::Whose,
    status::{StatusSnapshot, Waits, age, is_failure, is_progress},
    store::{Hold, Issue, OtpRules, Place, Proof},
};
use crate::{
    channel::Channel,
    delivery::{CodeSeed, OutboxEntry},
    language::Language,
    limits::Shadowed,
    partition::SlotAddress,
    phone::Country,
    provider::DeliveryStatus,
    sealed::SealedAddress,
};

/// One slot.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SlotState {
    pub challenge: Option<Challenge>,
    /// The wrong codes that are kept here.
    pub pools: Pools,
    /// When the cooldown ends that is kept here.
    pub cooldown_ends: Millis,
}

/// A challenge as the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Challenge {
    pub id: Uuid,
    pub purpose: Purpose,
    /// How its message travels.
    pub channel: Channel,
    pub digest: CodeDigest,
    pub subject: Option<Uuid>,
    pub issued: Millis,
    /// How long its code lives.
    pub ttl: Millis,
    pub attempts: u8,
    pub used: bool,
    /// Whether it was asked for with a token.
    pub is_users: bool,
    /// How far its message has come.
    pub status: DeliveryStatus,
    /// The message that goes out for it, if one does.
    pub message: Option<PendingMessage>,
    /// The provider that its message is to avoid; once that failed, the one that the next message is to avoid.
    pub avoid: Option<String>,
    /// Where the cooldown of the address is kept, unless it is in the same slot.
    pub cooldown_at: Option<SlotAddress>,
    /// The shadow rules that would have refused it.
    pub shadowed: Shadowed,
}

/// What is to be known of a message to send it.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingMessage {
    pub user_id: Option<Uuid>,
    pub seed: CodeSeed,
    pub country: Country,
    pub language: Language,
    pub sealed: Option<SealedAddress>,
    /// Whether a proof of work let it go out.
    pub has_worked: bool,
}

/// The bounds that a slot is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub max_attempts: u8,
    pub most: Most,
    pub cooldown: Millis,
}

impl Bounds {
    pub fn of(rules: &OtpRules) -> Self {
        Self {
            max_attempts: rules.max_attempts,
            most: Most {
                failures: rules.max_failures,
                window: millis(rules.failure_window),
                in_day: rules.max_failures_in_day,
            },
            cooldown: millis(rules.resend_cooldown),
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
    pub fn new(issue: &Issue<'_>, place: &Place, shadowed: Shadowed, now: Millis, ttl: Millis) -> Self {
        let cooldown_slot = place.slot.cooldown_slot();
        Self {
            id: place.challenge_id,
            purpose: place.slot.purpose,
            channel: place.slot.destination.channel(),
            digest: place.digest,
            subject: issue.subject,
            issued: now,
            ttl,
            attempts: 0,
            used: false,
            is_users: matches!(place.slot.whose, Whose::User(_)),
            status: DeliveryStatus::Queued,
            message: issue.message.map(|message| PendingMessage {
                user_id: message.user_id,
                seed: message.seed,
                country: message.country,
                language: message.language.clone(),
                sealed: message.sealed.cloned(),
                has_worked: message.has_worked,
            }),
            avoid: None,
            cooldown_at: (place.slot != cooldown_slot).then(|| cooldown_slot.address()),
            shadowed,
        }
    }

    /// What its right code proves, in the slot at `address`.
    pub fn proof(&self, address: SlotAddress) -> Proof {
        Proof {
            address,
            challenge_id: self.id,
            subject: self.subject,
            issued_at_ms: self.issued,
            has_message: self.message.is_some(),
            has_worked: self.message.as_ref().is_some_and(|message| message.has_worked),
            shadowed: self.shadowed.clone(),
        }
    }

    /// From then on its code is good no more.
    pub fn expires(&self) -> Millis {
        self.issued + self.ttl
    }

    /// Its outbox entry, if a message goes out: none once it is used or has expired.
    pub fn entry(&self, address: SlotAddress, now: Millis) -> Option<OutboxEntry> {
        let message = self
            .message
            .clone()
            .filter(|_| !self.used && self.expires() > now)?;
        Some(OutboxEntry {
            challenge_id: self.id,
            user_id: message.user_id,
            address,
            channel: self.channel,
            topic: self.purpose.byte(),
            seed: message.seed,
            country: message.country,
            language: message.language,
            sealed: message.sealed,
            avoid: self.avoid.clone(),
            expires_at_ms: self.expires(),
        })
    }

    /// Whether the cooldown that ends then is over for its user: its message failed, and the cooldown began with it.
    fn ends_cooldown(&self, ends: Millis, cooldown: Millis) -> bool {
        self.is_users && is_failure(self.status) && self.issued + cooldown == ends
    }
}

impl SlotState {
    /// How long the longest of some pools that are kept here locks; 0 if none does.
    pub fn lock_wait(&self, pools: &[Pool], now: Millis, bounds: &Bounds) -> Millis {
        let wait = |&pool: &Pool| self.pools.lock_wait(pool, now, &bounds.most);
        pools.iter().map(wait).max().unwrap_or_default()
    }

    /// How long the slot's owner waits for the cooldown of the address that ends then; 0 if not at all.
    pub fn cooldown_wait(&self, ends: Millis, now: Millis, bounds: &Bounds) -> Millis {
        let is_over = self
            .challenge
            .as_ref()
            .is_some_and(|challenge| challenge.ends_cooldown(ends, bounds.cooldown));
        if is_over { 0 } else { (ends - now).max(0) }
    }

    /// Which of several slots goes first for a new challenge, the lowest: one whose challenge nobody can use any more; else
    /// the one that was issued first.
    pub fn rank(&self, now: Millis, bounds: &Bounds) -> Millis {
        let usable = self
            .live(None, now)
            .filter(|challenge| challenge.attempts < bounds.max_attempts && !is_failure(challenge.status));
        usable.map_or(0, |challenge| challenge.issued)
    }

    /// Replaces the challenge, and keeps the failures. A message that goes out avoids whoever failed with the last.
    pub fn issue(&mut self, mut challenge: Challenge) {
        let last = self.challenge.take();
        challenge.avoid = last
            .filter(|last| challenge.message.is_some() && is_failure(last.status))
            .and_then(|last| last.avoid);
        self.challenge = Some(challenge);
    }

    /// Notes how far a message has come; whether that was news.
    pub fn note_status(&mut self, id: Uuid, status: DeliveryStatus, provider: &str, now: Millis) -> bool {
        let known = self.challenge.as_mut();
        let Some(challenge) = known.filter(|challenge| {
            challenge.id == id
                && challenge.expires() > now
                && challenge.message.is_some()
                && is_progress(challenge.status, status)
        }) else {
            return false;
        };
        challenge.status = status;
        if is_failure(status) {
            challenge.avoid = Some(provider.to_owned());
        }
        true
    }

    /// The challenge of this id, used or not, for as long as its code lives.
    pub fn known(&self, id: Uuid, now: Millis) -> Option<&Challenge> {
        let known = self.challenge.as_ref();
        known.filter(|challenge| challenge.id == id && challenge.expires() > now)
    }

    /// What is to be told of the challenge of this id, with the wrong codes that count for it and the end of its cooldown.
    pub fn snapshot(
        &self,
        id: Uuid,
        counted: &Pools,
        ends: Millis,
        now: Millis,
        bounds: &Bounds,
    ) -> Option<StatusSnapshot> {
        let challenge = self.known(id, now)?;
        // Of those that a user's slot may have, the second is empty.
        let pools: &[Pool] = match challenge.purpose.policy().found {
            Found::ById => &[Pool::WithId],
            Found::ByAddress | Found::ByUser => &[Pool::Own, Pool::WithId],
        };
        let owner_waits = self.waits(counted, pools, ends, now, bounds);
        // The truth would tell whether another account has proven an e-mail address that somebody wants to have: then no message goes out.
        let is_told = challenge.is_users && challenge.purpose != Purpose::ChangeEmail;
        let message = challenge.message.as_ref().filter(|_| is_told);
        Some(StatusSnapshot {
            channel: challenge.channel,
            age: age(challenge.issued, now),
            owner: message.and_then(|message| message.user_id),
            status: challenge.status,
            waits: Waits {
                cooldown: from_millis(ends - now),
                ..owner_waits
            },
            owner_waits,
        })
    }

    /// What keeps the slot's owner from the next code: by the wrong codes of some pools, of which the one that has most is told,
    /// and by a cooldown.
    pub fn waits(
        &self,
        counted: &Pools,
        pools: &[Pool],
        ends: Millis,
        now: Millis,
        bounds: &Bounds,
    ) -> Waits {
        let told = |&pool: &Pool| {
            let tally = counted.of(pool);
            let forgotten_in = tally.forgotten_in(now, &bounds.most);
            let failures = if forgotten_in > 0 { tally.failures } else { 0 };
            (counted.lock_wait(pool, now, &bounds.most), failures, forgotten_in)
        };
        let (locked, failures, forgotten_in) = pools.iter().map(told).max().unwrap_or_default();
        Waits {
            cooldown: from_millis(self.cooldown_wait(ends, now, bounds)),
            locked: from_millis(locked),
            failures,
            forgotten_in: from_millis(forgotten_in),
        }
    }

    /// The challenge in force and the attempts it has spent, if it has a message.
    pub fn charged(&self) -> Option<(Uuid, u8)> {
        let known = self.challenge.as_ref();
        let challenge = known.filter(|challenge| challenge.message.is_some())?;
        Some((challenge.id, challenge.attempts))
    }

    /// The challenge in force, if it is `id`'s or any will do.
    pub fn live(&self, id: Option<Uuid>, now: Millis) -> Option<&Challenge> {
        self.challenge.as_ref().filter(|challenge| {
            !challenge.used && challenge.expires() > now && id.is_none_or(|id| id == challenge.id)
        })
    }

    /// Whether the challenge in force may judge a code. The caller has seen to it that nothing locks it.
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

    /// Counts an attempt; tells how many are left.
    pub fn charge_attempt(&mut self, bounds: &Bounds) -> u8 {
        self.challenge.as_mut().map_or(0, |challenge| {
            challenge.attempts += 1;
            bounds.max_attempts.saturating_sub(challenge.attempts)
        })
    }

    /// Forgets what keeps it from its next code.
    pub fn release(&mut self, hold: Hold) {
        match hold {
            Hold::Cooldown => self.cooldown_ends = 0,
            Hold::Failures => self.pools = Pools::default(),
        }
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
        over && self.pools.are_idle(now, &bounds.most) && self.cooldown_ends <= now
    }
}
