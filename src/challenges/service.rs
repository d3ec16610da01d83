//! Issues, judges and reinstates challenges, and finds them by their ids. It knows no account: a right code gives a proof,
//! and what that does is for a flow.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    candidate_slots, challenge_id,
    code::{CodeDigest, OtpCode},
    destination::DestinationDigest,
    policy::Found,
    purpose::Purpose,
    slot::{CANDIDATES, Slot, Whose},
    status::{StatusSnapshot, Waits},
    store::{
        Attempt, AttemptById, ChallengeStore, Issue, IssueOutcome, IssuedMessage, Judged, OtpRules, Place,
        Proof, Verdict,
    },
};
use crate::{
    clock::Clock,
    delivery::{CodeSeed, Destination},
    entropy::Entropy,
    language::Language,
    limits::{self, Counter, Refund, Shadowed},
    partition::SlotAddress,
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
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// A challenge that is asked for.
#[derive(Debug)]
pub struct NewChallenge<'a> {
    pub purpose: Purpose,
    /// The digest of the address under the current secret.
    pub destination: DestinationDigest,
    /// The user whose token came along, to whom it belongs then; no matter where challenges are found by their ids.
    pub user: Option<Uuid>,
    /// Whether whoever asks comes from a network from which the account was signed in to lately, where challenges are found by
    /// their ids.
    pub is_from_known_network: bool,
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
        /// To whose account the message goes. None where there is no account yet.
        user_id: Option<Uuid>,
        /// Where a phone belongs.
        country: Country,
        language: &'a Language,
        /// The address, if no account has it yet.
        unkept: Option<&'a Destination>,
        /// Whether a proof of work lets it go out.
        has_worked: bool,
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

/// A code that somebody typed with the id of its challenge, for a purpose whose challenges are found so.
#[derive(Debug)]
pub struct GuessById<'a> {
    pub purpose: Purpose,
    pub challenge_id: Uuid,
    pub code: &'a OtpCode,
    /// As in [`AttemptById`].
    pub attached: &'a [Counter],
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
    /// Whether the first of them is of a user who has not proven the address.
    pub is_claimants: bool,
    pub code: &'a OtpCode,
    /// If given, only this challenge may judge it.
    pub challenge_id: Option<Uuid>,
    /// As in [`Attempt`].
    pub attached: &'a [Counter],
    /// As in [`Attempt`].
    pub refund: Option<&'a Refund>,
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
        // Of no use where no message tells the code.
        let seed = CodeSeed::from_bytes(match new.code {
            NewCode::Sent { .. } => self.entropy.bytes(),
            NewCode::Known(_) | NewCode::Nobodys => [0; 8],
        });
        let is_by_id = new.purpose.policy().found == Found::ById;
        let candidate = match new.is_from_known_network {
            true => Whose::Known,
            false => Whose::Candidate,
        };
        let (first, others) = match is_by_id {
            true => (candidate(0), 1..CANDIDATES),
            false => (Whose::of(new.user), 0..0),
        };
        let now = self.clock.now();
        let (place, code) = self.place(new, first, seed, now);
        let others = others.map(|n| self.place(new, candidate(n), seed, now));
        let (others, other_codes): (Vec<_>, Vec<_>) = others.unzip();
        let sealed;
        let message = match new.code {
            NewCode::Sent {
                user_id,
                country,
                language,
                unkept,
                has_worked,
            } => {
                let seal = |address| self.seal(address, place.slot.address(), seed);
                sealed = unkept.map(seal).transpose()?;
                Some(IssuedMessage {
                    user_id,
                    seed,
                    country,
                    language,
                    sealed: sealed.as_ref(),
                    has_worked,
                    lease: self.lease,
                })
            }
            NewCode::Known(_) | NewCode::Nobodys => None,
        };
        let issued = self
            .store
            .issue(&Issue {
                place,
                others: &others,
                subject: new.subject,
                message,
                attached: new.attached,
                shadowed: new.shadowed,
            })
            .await?;
        let (mut challenge_id, mut told) = (place.challenge_id, code);
        if let IssueOutcome::Written { challenge_id: id, .. } = issued.outcome {
            let mut written = others.iter().zip(other_codes);
            if let Some((other, code)) = written.find(|(other, _)| other.challenge_id == id) {
                (challenge_id, told) = (other.challenge_id, code);
            }
        }
        Ok(Issuance {
            challenge_id,
            outcome: issued.outcome,
            attached: issued.attached,
            code: told,
        })
    }

    /// What a challenge is in one of the slots that it may be written to, and its code, where a message tells it.
    fn place(
        &self,
        new: &NewChallenge<'_>,
        whose: Whose,
        seed: CodeSeed,
        now: DateTime<Utc>,
    ) -> (Place, Option<OtpCode>) {
        let (keys, purpose) = (self.keyring.current(), new.purpose);
        let slot = Slot {
            purpose,
            destination: new.destination,
            whose,
        };
        let address = slot.address();
        let challenge_id = challenge_id(keys, address, now, self.entropy.as_ref());
        let digest_of = |code: &OtpCode| match purpose.policy().found {
            Found::ById => CodeDigest::at(keys, purpose, address, code),
            Found::ByAddress | Found::ByUser => CodeDigest::of(keys, purpose, &new.destination, code),
        };
        let (digest, code) = match new.code {
            NewCode::Sent { .. } => {
                let code = OtpCode::derive(&keys.code, purpose, challenge_id, seed, self.rules.length);
                (digest_of(&code), Some(code))
            }
            NewCode::Known(code) => (digest_of(code), None),
            NewCode::Nobodys => {
                if purpose.policy().found == Found::ById {
                    // For three places this takes long enough to be seen: a decoy takes as long.
                    let code = OtpCode::derive(&keys.code, purpose, challenge_id, seed, self.rules.length);
                    std::hint::black_box(digest_of(&code));
                }
                (CodeDigest::unmatchable(self.entropy.bytes()), None)
            }
        };
        let place = Place {
            slot,
            challenge_id,
            digest,
        };
        (place, code)
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
            let home = slot(&Whose::Public).cooldown_slot();
            let attempt = Attempt {
                slots: &slots,
                claimants_at: guess.is_claimants.then_some(home),
                challenge_id: guess.challenge_id,
                digest: CodeDigest::of(keys, purpose, &destination, guess.code),
                attached: all.as_ref().map_or(guess.attached, |_| &[]),
                refund: guess.refund,
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
        Ok(all.unwrap_or_else(nothing_judged))
    }

    /// Judges a code by the challenge of an id: whichever secret in force named it. The attached counters are counted once.
    ///
    /// # Errors
    /// As [`ChallengeStore::judge_by_id`].
    pub async fn judge_by_id(&self, guess: &GuessById<'_>) -> Result<Judged, Unavailable> {
        let GuessById {
            purpose,
            challenge_id,
            code,
            attached,
        } = *guess;
        // An id that nobody made leads to some place as well, so that it is counted like any other.
        let places = candidate_slots(&self.keyring, challenge_id).map(Some);
        let nowhere = std::iter::repeat(None);
        let mut all: Option<Judged> = None;
        for (keys, place) in self.keyring.all().iter().zip(places.chain(nowhere)) {
            let address = place.unwrap_or(SlotAddress::from_bits(0));
            let attempt = AttemptById {
                address,
                challenge_id,
                purpose,
                digest: CodeDigest::at(keys, purpose, address, code),
                attached: all.as_ref().map_or(attached, |_| &[]),
            };
            let judged = self.store.judge_by_id(&attempt).await?;
            let is_decided = judged.verdict != Verdict::Expired;
            match &mut all {
                None => all = Some(judged),
                Some(all) => (all.verdict, all.charged) = (judged.verdict, judged.charged),
            }
            if is_decided {
                break;
            }
        }
        // The keyring is never empty.
        Ok(all.unwrap_or_else(nothing_judged))
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
}

fn nothing_judged() -> Judged {
    Judged {
        verdict: Verdict::Expired,
        attached: Vec::new(),
        charged: Vec::new(),
    }
}
