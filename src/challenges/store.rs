//! Where challenges live: the contract that Redis and the in-process store both keep.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::{code::CodeDigest, slot::Slot, status::Course};
use crate::{
    channel::Channel,
    delivery::{CodeSeed, OutboxEntry},
    language::Language,
    limits::{self, Counter, Shadowed},
    phone::{Country, PhoneDigest},
    unavailable::Unavailable,
};

/// Milliseconds: since the Unix epoch by the store's clock, or between two times.
pub(super) type Millis = i64;

/// What a code costs and how long it lives (`[otp]` in the configuration).
#[derive(Debug, Clone)]
pub struct OtpRules {
    /// How long a code is good, by the store's clock.
    pub ttl: Duration,
    /// Wrong codes that a challenge survives, less one: the last of them ends it.
    pub max_attempts: u8,
    /// Digits of a code.
    pub length: u8,
    /// The least time between two codes to one phone, whoever asks.
    pub resend_cooldown: Duration,
    /// Wrong codes across challenges after which a slot is locked (NIST SP 800-63B section 3.2.2: throttling).
    pub max_failures: u32,
    /// How long a slot stays locked, and how long after the last wrong code they are all forgotten.
    pub failure_window: Duration,
    /// Whether a public challenge is judged with its id alone.
    pub require_challenge_id: bool,
}

/// A challenge to be written.
#[derive(Debug, Clone)]
pub struct Issue<'a> {
    pub phone: PhoneDigest,
    pub slot: Slot,
    /// From [`challenge_id`](super::challenge_id()) for the slot's address, so that the challenge is found by it.
    pub challenge_id: Uuid,
    pub digest: CodeDigest,
    /// The user that a public challenge was meant for, if exactly one claimed the phone.
    pub subject: Option<Uuid>,
    /// To whose account the SMS goes; `None` for a decoy, which gets no SMS.
    pub deliver: Option<Delivery<'a>>,
    /// How the SMS of a decoy shall seem to fare; none of it has happened yet to one that goes out.
    pub course: Course,
    /// Cluster rules on the phone, counted in the same step.
    pub riders: &'a [Counter],
    /// The shadow rules that would have refused this; those of the riders are added, and all kept with the challenge.
    pub shadowed: &'a Shadowed,
}

impl Issue<'_> {
    /// What the outbox owes once this is written.
    pub(super) fn entry(&self, avoid: Option<String>, expires_at_ms: Millis) -> Option<OutboxEntry> {
        self.deliver.map(|delivery| OutboxEntry {
            challenge_id: self.challenge_id,
            user_id: delivery.user_id,
            address: self.slot.address(self.phone),
            channel: Channel::Sms,
            topic: 0,
            seed: CodeSeed::default(),
            country: delivery.country,
            language: delivery.language.clone(),
            avoid,
            expires_at_ms,
        })
    }
}

/// What the outbox needs to know beside the challenge.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The phone's owner, as far as anybody says; of a user's slot, that user.
    pub user_id: Uuid,
    /// Where the phone belongs.
    pub country: Country,
    /// What the SMS is to be written in.
    pub language: &'a Language,
    /// How long this process has before another may take the delivery over.
    pub lease: Duration,
}

/// What became of an [`Issue`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    pub outcome: IssueOutcome,
    /// What each rider said; empty if none was asked.
    pub riders: Vec<limits::Verdict>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssueOutcome {
    /// Written; any earlier challenge of the slot is replaced. The entry is `None` for a decoy.
    Written { entry: Option<OutboxEntry> },
    /// A code went to this phone less than the cooldown ago.
    Cooldown { wait: Duration },
    /// Too many wrong codes: nothing is sent until they are forgotten.
    Locked { wait: Duration },
    /// An enforced rider refused.
    Limited,
}

/// A code to be judged.
#[derive(Debug, Clone)]
pub struct Attempt<'a> {
    pub phone: PhoneDigest,
    /// The slots whose open challenges judge the code, each of them.
    pub slots: &'a [Slot],
    /// If given, only this challenge may judge it.
    pub challenge_id: Option<Uuid>,
    pub digest: CodeDigest,
    /// Cluster rules on the phone, counted in the same step.
    pub riders: &'a [Counter],
}

/// What became of an [`Attempt`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub verdict: Verdict,
    /// As in [`Issued`].
    pub riders: Vec<limits::Verdict>,
    /// The challenges that a wrong code was charged to, and the attempts that each has spent; decoys are left out.
    pub charged: Vec<(Uuid, u8)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The code is right, and used up by this very answer.
    Right(Proof),
    /// Wrong, and counted; so many tries are left (never zero).
    Wrong { attempts_remaining: u8 },
    /// The last try was spent, now or earlier.
    Exceeded,
    /// No live challenge: expired, used, replaced, never issued, or another id.
    Expired,
    /// Too many wrong codes across challenges: nothing was judged.
    Locked { wait: Duration },
    /// An enforced rider refused: nothing was judged.
    Limited,
}

/// A consumed challenge: what a right code proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub phone: PhoneDigest,
    pub slot: Slot,
    pub challenge_id: Uuid,
    /// As in [`Issue`].
    pub subject: Option<Uuid>,
    /// The shadow rules that would have refused the challenge.
    pub shadowed: Shadowed,
}

/// What keeps a slot of a phone from its next code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// Until a code may be sent to the phone; zero if one may now.
    pub cooldown: Duration,
    /// Wrong codes that are remembered.
    pub failures: u32,
    /// Until they are forgotten.
    pub forgotten_in: Duration,
}

/// Keeps challenges. Every method is one atomic step where the state lives; time is the store's own.
#[async_trait]
pub trait ChallengeStore: Send + Sync {
    /// MUST, in one step: answer `Locked` while the slot is, `Cooldown` while the phone's runs, `Limited` if an
    /// enforced rider refuses (spending nothing of any rider in these three cases); else spend the riders, start the
    /// cooldown (which ends early for a decoy that seems to fail), replace the slot's challenge by one with all
    /// attempts, its status among it, keep the slot's failures, and, with a delivery, put a leased entry into the outbox
    /// that avoids the provider with whom the SMS of the replaced one failed. Called again with the same id, MUST change
    /// nothing and answer `Written` as before, but for the riders' verdicts: a call whose connection broke may be sent twice.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is away or full; whether it was written is unknown then.
    async fn issue(&self, issue: &Issue<'_>) -> Result<Issued, Unavailable>;

    /// MUST, in one step: answer `Limited` if an enforced rider refuses (spending nothing); else have the code judged
    /// by each slot that isn't locked and has an unexpired, unused challenge (of the given id, if one is given) with
    /// an attempt left. A right code uses up the challenge it belongs to, and costs the others nothing; a wrong one
    /// counts as an attempt and as a failure of each. Whatever the concurrency, a challenge judges at most
    /// `max_attempts` codes.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is away; an attempt may have been spent.
    async fn judge(&self, attempt: &Attempt<'_>) -> Result<Judged, Unavailable>;

    /// MUST make a consumed challenge good again, if it has neither expired nor been replaced: for when a right code
    /// could not take effect.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is away; the user needs a new code then.
    async fn reinstate(&self, proof: &Proof) -> Result<(), Unavailable>;

    /// What the OTP rules say of a slot of a phone. MUST change nothing.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is away.
    async fn waits(&self, phone: PhoneDigest, slot: Slot) -> Result<Waits, Unavailable>;

    /// Whether it answers.
    ///
    /// # Errors
    /// [`Unavailable`] when it doesn't.
    async fn ping(&self) -> Result<(), Unavailable>;
}
