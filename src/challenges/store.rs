//! Where challenges live: the contract that Redis and the in-process store both keep.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    code::CodeDigest,
    millis::Millis,
    pools::Pool,
    purpose::Purpose,
    slot::{Slot, Whose},
    status::{StatusSnapshot, Waits},
};
use crate::{
    delivery::{CodeSeed, OutboxEntry},
    language::Language,
    limits::{self, Counter, Refund, Shadowed},
    partition::SlotAddress,
    phone::Country,
    provider::DeliveryStatus,
    sealed::SealedAddress,
    unavailable::Unavailable,
};

/// What a code costs and how long it lives (`[otp]` in the configuration), whatever it is for.
#[derive(Debug, Clone)]
pub struct OtpRules {
    /// How long a code is good, by the store's clock.
    pub ttl: Duration,
    /// Wrong codes that a challenge survives, less one: the last of them ends it.
    pub max_attempts: u8,
    /// Digits of a code.
    pub length: u8,
    /// The least time between two codes to one address: for each user who asks with a token, and for all others together.
    pub resend_cooldown: Duration,
    /// Wrong codes across challenges after which a slot is locked (NIST SP 800-63B section 3.2.2: throttling).
    pub max_failures: u32,
    /// Wrong codes in a day after which a slot is locked until the day is over.
    pub max_failures_in_day: u32,
    /// How long a slot stays locked, and how long after the last wrong code they are all forgotten.
    pub failure_window: Duration,
    /// Whether a public challenge is judged with its id alone.
    pub require_challenge_id: bool,
}

/// A challenge to be written.
#[derive(Debug, Clone)]
pub struct Issue<'a> {
    pub place: Place,
    /// The other candidates, in their order, where `place` is the first of them: it is written into one of all. Else
    /// there is none.
    pub others: &'a [Place],
    /// The user that a public challenge was meant for, if exactly one claims the address; whose account it is for, of a
    /// challenge that is found by its id.
    pub subject: Option<Uuid>,
    /// The message that goes out for it; `None` for a decoy, which has none.
    pub message: Option<IssuedMessage<'a>>,
    /// Counters of cluster rules on the address, counted in the same step; those that count messages are spent if there is
    /// one.
    pub attached: &'a [Counter],
    /// The shadow rules that would have refused this; those of the attached counters are added, and all kept with the
    /// challenge.
    pub shadowed: &'a Shadowed,
}

/// Where a challenge may be written, and what it is there.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub slot: Slot,
    /// From [`challenge_id`](super::challenge_id()) for the slot's address, so that the challenge is found by it.
    pub challenge_id: Uuid,
    pub digest: CodeDigest,
}

impl Issue<'_> {
    /// All places, of which one is written to.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        [&self.place].into_iter().chain(self.others)
    }

    /// The outbox entry that is pending once this is written to `place`.
    pub(super) fn entry(
        &self,
        place: &Place,
        avoid: Option<String>,
        expires_at_ms: Millis,
    ) -> Option<OutboxEntry> {
        self.message.map(|message| OutboxEntry {
            challenge_id: place.challenge_id,
            user_id: message.user_id,
            address: place.slot.address(),
            channel: place.slot.destination.channel(),
            topic: place.slot.purpose.byte(),
            seed: message.seed,
            country: message.country,
            language: message.language.clone(),
            sealed: message.sealed.cloned(),
            avoid,
            expires_at_ms,
        })
    }
}

/// What the outbox needs to know beside the challenge.
#[derive(Debug, Clone, Copy)]
pub struct IssuedMessage<'a> {
    /// To whose account it goes; of a user's slot, that user. None where there is no account yet.
    pub user_id: Option<Uuid>,
    /// The random part of the code.
    pub seed: CodeSeed,
    /// Where a phone belongs.
    pub country: Country,
    /// What the message is to be written in.
    pub language: &'a Language,
    /// Where it goes, if no account has the address yet.
    pub sealed: Option<&'a SealedAddress>,
    /// Whether a proof of work let it go out.
    pub has_worked: bool,
    /// How long this process has before another may take the delivery over.
    pub lease: Duration,
}

/// What became of an [`Issue`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    pub outcome: IssueOutcome,
    /// What each attached counter said; empty if none was asked.
    pub attached: Vec<limits::Verdict>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssueOutcome {
    /// Written, under this id; any earlier challenge of the slot is replaced. The entry is `None` for a decoy.
    Written {
        challenge_id: Uuid,
        entry: Option<OutboxEntry>,
    },
    /// A code went to this address less than the cooldown ago.
    Cooldown { wait: Duration },
    /// Too many wrong codes: nothing is sent until they are forgotten.
    Locked { wait: Duration },
    /// An enforced counter refused.
    Limited,
}

/// A code to be judged.
#[derive(Debug, Clone)]
pub struct Attempt<'a> {
    /// The slots whose open challenges judge the code, each of them. All are of one purpose and one destination.
    pub slots: &'a [Slot],
    /// Where the first slot is one of a user who has not proven the address: the public slot that keeps the cooldown of others.
    /// A wrong code counts there as well, with those of all such users.
    pub claimants_at: Option<Slot>,
    /// If given, only this challenge may judge it.
    pub challenge_id: Option<Uuid>,
    pub digest: CodeDigest,
    /// Counters of cluster rules on the address, counted in the same step.
    pub attached: &'a [Counter],
    /// What a right code gives back in the same step, if a message told it.
    pub refund: Option<&'a Refund>,
}

impl Attempt<'_> {
    /// In which pool a wrong code counts that the slot at `index` judged.
    pub(super) fn pool(&self, index: usize) -> Pool {
        match (self.users(), self.challenge_id) {
            (1.., _) if index == 0 => Pool::Own,
            (_, None) => Pool::WithoutId,
            (_, Some(_)) => Pool::WithId,
        }
    }

    /// 1 if the first slot is a user's, 2 if that user has not proven the address.
    pub(super) fn users(&self) -> u8 {
        let is_users = matches!(self.slots.first().map(|slot| slot.whose), Some(Whose::User(_)));
        match is_users {
            true => 1 + u8::from(self.claimants_at.is_some()),
            false => 0,
        }
    }

    /// The slot that keeps the claimants' wrong codes, unless it is the last of those that judge.
    pub(super) fn claimants_slot(&self) -> Option<&Slot> {
        self.claimants_at
            .as_ref()
            .filter(|slot| self.users() == 2 && self.slots.last() != Some(slot))
    }
}

/// A code to be judged by the challenge of an id.
#[derive(Debug, Clone, Copy)]
pub struct AttemptById<'a> {
    /// Where the id says that the challenge may be.
    pub address: SlotAddress,
    pub challenge_id: Uuid,
    /// What the challenge must be for.
    pub purpose: Purpose,
    pub digest: CodeDigest,
    /// Counters of cluster rules on whoever asks, counted in the same step.
    pub attached: &'a [Counter],
}

/// What became of an [`Attempt`] or an [`AttemptById`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub verdict: Verdict,
    /// As in [`Issued`].
    pub attached: Vec<limits::Verdict>,
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
    /// An enforced counter refused: nothing was judged.
    Limited,
}

/// A consumed challenge: what a right code proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Of the slot that has the challenge.
    pub address: SlotAddress,
    pub challenge_id: Uuid,
    /// As in [`Issue`].
    pub subject: Option<Uuid>,
    /// When it was issued, in milliseconds since the Unix epoch by the store's clock.
    pub issued_at_ms: i64,
    /// Whether a message told the code.
    pub has_message: bool,
    /// Whether a proof of work let that message go out.
    pub has_worked: bool,
    /// The shadow rules that would have refused the challenge.
    pub shadowed: Shadowed,
}

/// What an operator may have forgotten, so that an address can have a code again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// That a code was sent moments ago.
    Cooldown,
    /// The wrong codes that are remembered.
    Failures,
}

impl Hold {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Cooldown, Self::Failures];

    /// The rule that a refusal for it names.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Cooldown => "otp-resend-cooldown",
            Self::Failures => "otp-max-failures",
        }
    }
}

/// Keeps challenges. Every method is one atomic step where the state lives; time is the store's own.
///
/// Where a method takes an address and an id, the address is where the id says that its challenge may be
/// ([`candidate_slots`](super::candidate_slots)).
#[async_trait]
pub trait ChallengeStore: Send + Sync {
    /// MUST, in one step: answer `Locked` while the slot is, `Cooldown` while that of a user's slot, or else of the address, runs, `Limited` if an
    /// enforced counter refuses (spending nothing of any counter in these three cases); else spend the counters, start the
    /// cooldown, replace the slot's challenge by one with all attempts whose message is queued, keep the slot's failures,
    /// and, with a message, put a leased entry into the outbox that avoids the provider by whom the message of the
    /// replaced one failed.
    ///
    /// With several candidates, they MUST be one in all but the challenges: `Locked` by the failures of all of the address, whatever
    /// they are for; a slot is
    /// chosen in the same step whose challenge nobody can use any more (there is none, or it is used, expired or exhausted, or
    /// its message failed), else the one that was issued first.
    ///
    /// The cooldown MUST NOT hold for a user's slot whose last message failed, if it began with that very challenge.
    ///
    /// Called again with the same id, MUST change nothing and answer `Written` as before, but for the counters' verdicts:
    /// a call whose connection broke may be sent twice.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is down or full; whether it was written is unknown then.
    async fn issue(&self, issue: &Issue<'_>) -> Result<Issued, Unavailable>;

    /// MUST, in one step: answer `Limited` if an enforced counter refuses (spending nothing); else have the code judged
    /// by each slot that isn't locked and has an unexpired, unused challenge (of the given id, if one is given) with
    /// an attempt left. A right code uses up the challenge it belongs to, costs the others nothing, and gives back what its
    /// message spent ([`limits::ClusterCounters::refund`]); a wrong one
    /// counts as an attempt and as a failure of each. Whatever the concurrency, a challenge judges at most
    /// `max_attempts` codes.
    ///
    /// Failures of a public slot MUST count apart for codes with an id and without. Those with an id lock both, those without
    /// lock their own kind alone; either locks the issuing. Those of a user's slot count by themselves, and where `claimants_at` says so with those of all such users, who
    /// are all locked together, by the day alone. A lock lasts `failure_window` from the last of `max_failures` wrong codes, and until the day is over after
    /// `max_failures_in_day`.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is down; an attempt may have been spent. A right code MUST stay good, unless the store judged it and
    /// is not heard of for a minute.
    async fn judge(&self, attempt: &Attempt<'_>) -> Result<Judged, Unavailable>;

    /// MUST, in one step: answer `Limited` if an enforced counter refuses (spending nothing); else have the code judged by the challenge of this id and purpose, if it is unexpired and unused,
    /// unless failures lock all candidates together. A right code uses it up; a wrong one counts as an
    /// attempt, and as a failure of them all. Another id or purpose MUST change nothing and get `Expired`.
    ///
    /// # Errors
    /// As for [`ChallengeStore::judge`].
    async fn judge_by_id(&self, attempt: &AttemptById<'_>) -> Result<Judged, Unavailable>;

    /// MUST make a consumed challenge good again, if it has neither expired nor been replaced: for when a right code
    /// could not take effect.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is down; the user needs a new code then.
    async fn reinstate(&self, proof: &Proof) -> Result<(), Unavailable>;

    /// What keeps a slot from its next code. MUST change nothing.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is down.
    async fn waits(&self, slot: &Slot) -> Result<Waits, Unavailable>;

    /// MUST, in one step, forget what keeps these slots from their next code: with [`Hold::Cooldown`] the cooldown that
    /// is kept in one of them, with [`Hold::Failures`] the wrong codes of each. Challenges and their attempts stay as
    /// they are. All slots are of one destination.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is down.
    async fn release(&self, slots: &[Slot], hold: Hold) -> Result<(), Unavailable>;

    /// A challenge and its message as they are by the store's clock. MUST answer `None` for an id that was never issued,
    /// that a newer challenge of its slot has replaced, or whose code's life is over.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is down.
    async fn snapshot(
        &self,
        address: SlotAddress,
        challenge_id: Uuid,
    ) -> Result<Option<StatusSnapshot>, Unavailable>;

    /// MUST, in one step, note how far the challenge's message has come, unless it has come further already, it has none,
    /// or `snapshot` would answer `None`. A status that is final stays. A message that failed MUST have the slot's next one
    /// avoid the provider. Answers whether it was noted.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is down; whether it was noted is unknown then, and may be told again.
    async fn note_status(
        &self,
        address: SlotAddress,
        challenge_id: Uuid,
        status: DeliveryStatus,
        provider: &str,
    ) -> Result<bool, Unavailable>;

    /// Whether it answers, and what it says of itself.
    ///
    /// # Errors
    /// [`Unavailable`] when it doesn't.
    async fn ping(&self) -> Result<WhenFull, Unavailable>;
}

/// What becomes of what a store has, once its memory is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// It stays, and what is new is refused; or the store doesn't say.
    Refuses,
    /// It may be dropped: codes that people are about to type, and the counters of wrong ones.
    Drops,
}
