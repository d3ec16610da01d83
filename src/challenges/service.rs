//! Issues, judges and reinstates challenges, and finds them by their ids. It knows no account: a right code gives a proof,
//! and what that does is for a flow.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::{
    candidate_slots, challenge_id,
    challenge_id::secret_of,
    code::{CodeDigest, OtpCode},
    destination::DestinationDigest,
    purpose::Purpose,
    slot::{Slot, Whose},
    status::StatusSnapshot,
    store::{
        Attempt, ChallengeStore, Issue, IssueOutcome, IssuedMessage, Judged, OtpRules, Proof, Verdict, Waits,
    },
};
use crate::{
    delivery::{CodeSeed, Destination, OutboxEntry},
    entropy::Entropy,
    language::Language,
    limits::{self, Counter, Shadowed},
    phone::Country,
    provider::DeliveryStatus,
    secrets::Keyring,
    unavailable::Unavailable,
};

/// The way to the challenges.
#[derive(Clone)]
pub struct Challenges {
    pub store: Arc<dyn ChallengeStore>,
    pub keyring: Arc<Keyring>,
    pub rules: OtpRules,
    /// How long this process has to deliver what it accepted, before another may.
    pub lease: Duration,
    pub entropy: Arc<dyn Entropy>,
}

/// A challenge that is asked for.
#[derive(Debug)]
pub struct NewChallenge<'a> {
    /// Its destination is a digest under the current secret.
    pub slot: Slot,
    pub code: NewCode<'a>,
    /// As in [`Issue`].
    pub subject: Option<Uuid>,
    /// As in [`Issue`].
    pub attached: &'a [Counter],
    /// As in [`Issue`].
    pub shadowed: &'a Shadowed,
}

/// What the code of a challenge is, and who gets it.
#[derive(Debug, Clone, Copy)]
pub enum NewCode<'a> {
    /// A fresh one, in a message.
    Sent {
        /// To whose account the message goes.
        user_id: Uuid,
        /// Where a phone belongs.
        country: Country,
        language: &'a Language,
    },
    /// One that is known beforehand; there is no message.
    Known(&'a OtpCode),
    /// Nobody's: of a decoy.
    Nobodys,
}

/// What became of a [`NewChallenge`].
#[derive(Debug)]
pub struct Issuance {
    pub challenge_id: Uuid,
    pub outcome: IssueOutcome,
    /// What each attached counter said; empty if none was asked.
    pub attached: Vec<limits::Verdict>,
    /// The code, where a message tells it.
    pub code: Option<OtpCode>,
}

/// A code that somebody typed.
#[derive(Debug)]
pub struct Guess<'a> {
    pub purpose: Purpose,
    pub destination: &'a Destination,
    /// Its digest under the current secret.
    pub current: DestinationDigest,
    /// Whose challenges judge it.
    pub whose: &'a [Whose],
    pub code: &'a OtpCode,
    /// If given, only this challenge may judge it.
    pub challenge_id: Option<Uuid>,
    /// As in [`Attempt`].
    pub attached: &'a [Counter],
}

impl Challenges {
    /// The digest of an address under the current secret.
    pub fn digest(&self, destination: &Destination) -> DestinationDigest {
        DestinationDigest::of(destination, self.keyring.current())
    }

    /// Issues a challenge under the current secret.
    ///
    /// # Errors
    /// As [`ChallengeStore::issue`].
    pub async fn issue(&self, new: &NewChallenge<'_>) -> Result<Issuance, Unavailable> {
        let (keys, slot) = (self.keyring.current(), new.slot);
        let challenge_id = challenge_id(keys, slot.address(), self.entropy.as_ref());
        let digest_of = |code: &OtpCode| CodeDigest::of(keys, slot.purpose, &slot.destination, code);
        let (digest, message, code) = match new.code {
            NewCode::Sent {
                user_id,
                country,
                language,
            } => {
                let seed = CodeSeed::from_bytes(self.entropy.bytes());
                let code = OtpCode::derive(&keys.code, slot.purpose, challenge_id, seed, self.rules.length);
                let message = IssuedMessage {
                    user_id,
                    seed,
                    country,
                    language,
                    lease: self.lease,
                };
                (digest_of(&code), Some(message), Some(code))
            }
            NewCode::Known(code) => (digest_of(code), None, None),
            NewCode::Nobodys => (CodeDigest::unmatchable(self.entropy.bytes()), None, None),
        };
        let issued = self
            .store
            .issue(&Issue {
                slot,
                challenge_id,
                digest,
                subject: new.subject,
                message,
                attached: new.attached,
                shadowed: new.shadowed,
            })
            .await?;
        Ok(Issuance {
            challenge_id,
            outcome: issued.outcome,
            attached: issued.attached,
            code,
        })
    }

    /// Judges a code under each secret in force: one that was issued before a rotation is still good. The attached
    /// counters are counted once.
    ///
    /// # Errors
    /// As [`ChallengeStore::judge`].
    pub async fn judge(&self, guess: &Guess<'_>) -> Result<Judged, Unavailable> {
        let mut all: Option<Judged> = None;
        for (at, keys) in self.keyring.all().iter().enumerate() {
            let purpose = guess.purpose;
            let destination = match at {
                0 => guess.current,
                _ => DestinationDigest::of(guess.destination, keys),
            };
            let slot = |&whose: &Whose| Slot {
                purpose,
                destination,
                whose,
            };
            let slots: Vec<_> = guess.whose.iter().map(slot).collect();
            let attempt = Attempt {
                slots: &slots,
                challenge_id: guess.challenge_id,
                digest: CodeDigest::of(keys, purpose, &destination, guess.code),
                attached: all.as_ref().map_or(guess.attached, |_| &[]),
            };
            let judged = self.store.judge(&attempt).await?;
            let is_decided = judged.verdict != Verdict::Expired;
            match &mut all {
                None => all = Some(judged),
                Some(all) => {
                    all.verdict = judged.verdict;
                    all.charged.extend(judged.charged);
                }
            }
            if is_decided {
                break;
            }
        }
        // The keyring is never empty.
        Ok(all.unwrap_or(Judged {
            verdict: Verdict::Expired,
            attached: Vec::new(),
            charged: Vec::new(),
        }))
    }

    /// Makes a consumed challenge good again.
    ///
    /// # Errors
    /// As [`ChallengeStore::reinstate`].
    pub async fn reinstate(&self, proof: &Proof) -> Result<(), Unavailable> {
        self.store.reinstate(proof).await
    }

    /// What keeps a slot from its next code.
    ///
    /// # Errors
    /// As [`ChallengeStore::waits`].
    pub async fn waits(&self, slot: &Slot) -> Result<Waits, Unavailable> {
        self.store.waits(slot).await
    }

    /// The challenge of this id, if it is known.
    ///
    /// # Errors
    /// As [`ChallengeStore::snapshot`].
    pub async fn snapshot(&self, challenge_id: Uuid) -> Result<Option<StatusSnapshot>, Unavailable> {
        for address in candidate_slots(&self.keyring, challenge_id) {
            if let Some(found) = self.store.snapshot(address, challenge_id).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Notes how far the message of the challenge of this id has come, if it is known.
    ///
    /// # Errors
    /// As [`ChallengeStore::note_status`].
    pub async fn note_status(
        &self,
        challenge_id: Uuid,
        status: DeliveryStatus,
        provider: &str,
    ) -> Result<(), Unavailable> {
        for address in candidate_slots(&self.keyring, challenge_id) {
            if self
                .store
                .note_status(address, challenge_id, status, provider)
                .await?
            {
                break;
            }
        }
        Ok(())
    }

    /// Whether the secret that named the challenge of an outbox entry is in force here. In a rotation, an instance that
    /// knows the secret takes the entry over.
    pub fn knows_secret_of(&self, entry: &OutboxEntry) -> bool {
        secret_of(&self.keyring, entry.address, entry.challenge_id).is_some()
    }

    /// The code of an outbox entry derived again, if the entry's challenge is for this purpose at this address.
    pub fn code_again(
        &self,
        entry: &OutboxEntry,
        purpose: Purpose,
        destination: &Destination,
    ) -> Option<OtpCode> {
        let keys = secret_of(&self.keyring, entry.address, entry.challenge_id)?;
        let destination = DestinationDigest::of(destination, keys);
        let slots = [Whose::Public, Whose::User(entry.user_id)].map(|whose| Slot {
            purpose,
            destination,
            whose,
        });
        let is_for_it = slots.iter().any(|slot| slot.address() == entry.address);
        is_for_it.then(|| {
            OtpCode::derive(
                &keys.code,
                purpose,
                entry.challenge_id,
                entry.seed,
                self.rules.length,
            )
        })
    }
}
