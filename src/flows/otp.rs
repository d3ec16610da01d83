//! The way of a code, from the request to the SMS and from the typed digits to the verified phone.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use metrics::{Counter, counter};
use uuid::Uuid;

use super::{error::OtpError, test_numbers::TestNumbers};
use crate::{
    accounts::{Claimant, Claims, ProofStore, User, Verification},
    carry_on::carry_on,
    challenges::{
        Attempt, ChallengeStore, CodeDigest, Course, Courses, Delivery, Issue, IssueOutcome, OtpCode,
        OtpRules, Proof, Slot, Statuses, Verdict, challenge_id,
    },
    channel::{Channel, MessageCode},
    clock::Clock,
    delivery::{Countries, DeliveryQueue, Destination, NewDelivery, QueueSlot, Recipient},
    entropy::Entropy,
    language::Language,
    ledger::{Ledger, What},
    limits::{Admission, ClientNetwork, Limiter, Operation, Refusal, Scope, Subject},
    phone::{Country, PhoneDigest, PhoneNumber},
    secrets::{Keyring, SecretKeys},
    unavailable::{Part, Unavailable},
};

// Codes that were issued, by their kind.
static DECOYS: LazyLock<Counter> = LazyLock::new(|| counter!("ringback_otp_issued_total", "kind" => "decoy"));
static TEST_CODES: LazyLock<Counter> =
    LazyLock::new(|| counter!("ringback_otp_issued_total", "kind" => "test"));
static SMS_CODES: LazyLock<Counter> =
    LazyLock::new(|| counter!("ringback_otp_issued_total", "kind" => "sms"));

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    pub client: ClientNetwork,
    /// The user whose token came along, if one did.
    pub user: Option<User>,
    /// What an SMS to the caller is written in.
    pub language: Language,
}

/// A code that is asked for.
struct Asked {
    caller: Caller,
    phone: PhoneNumber,
    digest: PhoneDigest,
    country: Country,
}

/// A code that is on its way, or seems to be: a phone that gets none is answered alike.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub challenge_id: Uuid,
    pub expires_in: Duration,
    pub resend_after: Duration,
}

/// What the service needs of the other rooms.
#[derive(Clone)]
pub struct Otp {
    pub rules: OtpRules,
    /// Where SMS go.
    pub countries: Arc<Countries>,
    pub test_numbers: Arc<TestNumbers>,
    pub challenges: Arc<dyn ChallengeStore>,
    pub statuses: Arc<dyn Statuses>,
    pub courses: Arc<Courses>,
    pub ledger: Ledger,
    pub proofs: Arc<dyn ProofStore>,
    pub keyring: Arc<Keyring>,
    pub limiter: Limiter,
    pub queue: DeliveryQueue,
    /// How long this process has to deliver what it accepted, before another may.
    pub lease: Duration,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl Otp {
    /// Issues a code for a phone and hands its SMS to the dispatcher; waits for no provider.
    ///
    /// A phone that no account claims, that is verified already, or that is not the signed-in user's gets a decoy: a
    /// challenge like any other whose code nobody has. A test number's challenge has the code that is known, and no SMS.
    ///
    /// # Errors
    /// `PhoneNotSupported`: for the number's country, before anything is asked or counted, so that it is the same with
    /// and without an account. `Cooldown` and `Limited`: nothing is sent. `Unavailable`: nothing is sent, unless Redis did
    /// its part and was too late to say so.
    pub async fn send(self: &Arc<Self>, caller: Caller, phone: PhoneNumber) -> Result<Sent, OtpError> {
        let keys = self.keyring.current();
        let digest = PhoneDigest::of(&phone, &keys.phone);
        let subject = subject(&caller, &phone, digest, keys);
        let country = subject.country().unwrap_or(Country::UNKNOWN);
        if !self.countries.fits(country) {
            counter!("ringback_otp_not_supported_total", "country" => country.to_string()).increment(1);
            return Err(OtpError::PhoneNotSupported);
        }
        let place = self.queue.reserve(Channel::Sms, country)?;
        let admission = self.limiter.admit(Operation::OtpSend, &subject).await?;
        let claims = self.proofs.claims(&phone).await?;
        let asked = Asked {
            caller,
            phone,
            digest,
            country,
        };
        let this = Arc::clone(self);
        // From here on a challenge may stand: a client that hangs up must not leave it without its SMS.
        carry_on(async move { this.issue(&asked, &claims, place, admission).await }).await
    }

    async fn issue(
        &self,
        asked: &Asked,
        claims: &Claims,
        place: QueueSlot,
        admission: Admission,
    ) -> Result<Sent, OtpError> {
        let Asked { caller, phone, .. } = asked;
        let (digest, country, keys) = (asked.digest, asked.country, self.keyring.current());
        let recipient = recipient(caller, phone, claims);
        // A phone whose code is known beforehand gets no SMS.
        let test_code = self.test_numbers.code(phone, self.clock.now());
        let addressee = recipient.filter(|_| test_code.is_none());

        let user = caller.user.as_ref();
        let slot = user.map_or(Slot::Public, |user| Slot::User(user.id));
        let challenge_id = challenge_id(keys, slot.address(digest), self.entropy.as_ref());
        // A decoy's code is nobody's.
        let code = recipient.map(|_| {
            let derive = || OtpCode::derive(&keys.code, challenge_id, self.rules.length);
            test_code.cloned().unwrap_or_else(derive)
        });
        let issued = self
            .challenges
            .issue(&Issue {
                phone: digest,
                slot,
                challenge_id,
                digest: match &code {
                    Some(code) => CodeDigest::of(keys, phone, code),
                    None => CodeDigest::unmatchable(self.entropy.bytes()),
                },
                subject: claims.sole_claimant,
                deliver: addressee.map(|user_id| Delivery {
                    user_id,
                    country,
                    language: &caller.language,
                    lease: self.lease,
                }),
                course: match (test_code, addressee) {
                    (Some(_), _) => Course::DELIVERED,
                    (None, Some(_)) => Course::default(),
                    (None, None) => {
                        let now = self.clock.now_ms();
                        self.courses.pretend(place.carrier(), now, self.entropy.as_ref())
                    }
                },
                riders: &admission.attached,
                shadowed: &admission.shadowed,
            })
            .await?;
        let shadowed = admission.shadowed.and(&admission.attached, &issued.riders);
        let entry = match issued.outcome {
            IssueOutcome::Written { entry } => entry,
            // No SMS: what the other rules had counted for one is given back.
            IssueOutcome::Cooldown { wait } => {
                self.limiter.give_back_cluster(admission).await;
                return Err(OtpError::Cooldown(self.cooldown(wait)));
            }
            IssueOutcome::Locked { wait } => {
                self.limiter.give_back_cluster(admission).await;
                return Err(OtpError::Limited(self.locked(wait)));
            }
            IssueOutcome::Limited => {
                return Err(refused_by(self.limiter.settle(admission, &issued.riders).await));
            }
        };
        self.limiter.settle(admission, &issued.riders).await;
        self.limiter.shadowed_issued(&shadowed);
        let kind = match (recipient, test_code) {
            (None, _) => &DECOYS,
            (Some(_), Some(_)) => &TEST_CODES,
            (Some(_), None) => &SMS_CODES,
        };
        kind.increment(1);
        if let Some(user_id) = recipient {
            self.tell(challenge_id, What::Issued { user_id, country });
        }
        match entry.zip(code) {
            Some((entry, code)) => {
                self.courses.owed(self.clock.now_ms());
                let recipient = Recipient {
                    to: Destination::Phone(phone.clone()),
                    code: MessageCode::new(code.expose()),
                };
                self.queue.submit(place, NewDelivery { entry, recipient });
            }
            None => self.queue.pass(place),
        }
        Ok(Sent {
            challenge_id,
            expires_in: self.rules.ttl,
            resend_after: self.rules.resend_cooldown,
        })
    }

    /// Judges a code, and marks the phone verified on the account it belongs to.
    ///
    /// # Errors
    /// Every way in which a code is not taken; only `Unavailable` and `AmbiguousClaim` leave a right one good.
    pub async fn verify(
        self: &Arc<Self>,
        caller: Caller,
        phone: PhoneNumber,
        code: OtpCode,
        challenge_id: Option<Uuid>,
    ) -> Result<(), OtpError> {
        if self.rules.require_challenge_id && caller.user.is_none() && challenge_id.is_none() {
            return Err(OtpError::ChallengeIdRequired);
        }
        let this = Arc::clone(self);
        // A client that hangs up must not leave a used code without its effect.
        let judged = async move { this.judge_and_mark(&caller, &phone, &code, challenge_id).await };
        let outcome = carry_on(judged).await;
        counter!("ringback_otp_verdicts_total", "verdict" => outcome.as_ref().map_or_else(OtpError::label, |()| "right")).increment(1);
        outcome
    }

    async fn judge_and_mark(
        &self,
        caller: &Caller,
        phone: &PhoneNumber,
        code: &OtpCode,
        challenge_id: Option<Uuid>,
    ) -> Result<(), OtpError> {
        let keys = self.keyring.current();
        let digest = PhoneDigest::of(phone, &keys.phone);
        let subject = subject(caller, phone, digest, keys);
        let admission = self.limiter.admit(Operation::OtpVerify, &subject).await?;
        let judged = self.judge(caller, phone, digest, code, challenge_id, admission);
        let proof = match judged.await? {
            Verdict::Right(proof) => proof,
            Verdict::Wrong { attempts_remaining } => return Err(OtpError::Wrong { attempts_remaining }),
            Verdict::Exceeded => return Err(OtpError::AttemptsExceeded),
            Verdict::Expired => return Err(OtpError::Expired),
            Verdict::Locked { wait } => return Err(OtpError::Limited(self.locked(wait))),
            Verdict::Limited => return Err(refused_by(None)),
        };
        let claimant = caller
            .user
            .as_ref()
            .map_or(Claimant::Anyone, |user| Claimant::User(user.id));
        self.mark(phone, &claimant, &proof).await?;
        self.tell(proof.challenge_id, What::Verified);
        self.limiter.shadowed_verified(&proof.shadowed);
        Ok(())
    }

    /// Asks the store for its verdict, under each secret in force: a code issued before a rotation is still good.
    async fn judge(
        &self,
        caller: &Caller,
        phone: &PhoneNumber,
        current: PhoneDigest,
        code: &OtpCode,
        challenge_id: Option<Uuid>,
        admission: Admission,
    ) -> Result<Verdict, OtpError> {
        let id_is_missing = self.rules.require_challenge_id && challenge_id.is_none();
        let slots: &[Slot] = match &caller.user {
            None => &[Slot::Public],
            // Someone else's phone: a stranger's attempts must not be spent, nor his code used.
            Some(user) if user.phone != *phone || id_is_missing => &[Slot::User(user.id)],
            Some(user) => &[Slot::User(user.id), Slot::Public],
        };
        let mut admission = Some(admission);
        for (at, keys) in self.keyring.all().iter().enumerate() {
            let attempt = Attempt {
                phone: match at {
                    0 => current,
                    _ => PhoneDigest::of(phone, &keys.phone),
                },
                slots,
                challenge_id,
                digest: CodeDigest::of(keys, phone, code),
                // Counted once, under the current secret.
                riders: admission.as_ref().map_or(&[], |admission| &admission.attached),
            };
            let judged = self.challenges.judge(&attempt).await?;
            for &(challenge_id, attempts) in &judged.charged {
                self.tell(challenge_id, What::Wrong { attempts });
            }
            if let Some(admission) = admission.take()
                && let Some(refusal) = self.limiter.settle(admission, &judged.riders).await
            {
                return Err(OtpError::Limited(refusal));
            }
            if judged.verdict != Verdict::Expired {
                return Ok(judged.verdict);
            }
        }
        Ok(Verdict::Expired)
    }

    /// Lets a right code take effect, or leaves it good where it couldn't.
    async fn mark(&self, phone: &PhoneNumber, claimant: &Claimant, proof: &Proof) -> Result<(), OtpError> {
        let now = self.clock.now();
        match self.proofs.verify_phone(phone, claimant, now).await {
            Ok(Verification::Verified(_)) => Ok(()),
            // The UPDATE of an earlier try that was answered 503 did take effect.
            Ok(Verification::AlreadyVerified(id))
                if *claimant == Claimant::User(id) || proof.subject == Some(id) =>
            {
                Ok(())
            }
            Ok(Verification::AlreadyVerified(_) | Verification::Taken) => Err(OtpError::PhoneTaken),
            Ok(Verification::NoClaim) => Err(OtpError::Expired),
            Ok(Verification::Ambiguous) => {
                self.challenges.reinstate(proof).await?;
                Err(OtpError::AmbiguousClaim)
            }
            Err(unavailable) => {
                if let Err(error) = self.challenges.reinstate(proof).await {
                    tracing::error!(%error, "a right code is lost: neither the database nor the store of codes answered");
                }
                Err(unavailable.into())
            }
        }
    }

    pub(super) fn cooldown(&self, wait: Duration) -> Refusal {
        own_rule("otp-resend-cooldown", wait, 1, self.rules.resend_cooldown)
    }

    pub(super) fn locked(&self, wait: Duration) -> Refusal {
        own_rule(
            "otp-max-failures",
            wait,
            self.rules.max_failures,
            self.rules.failure_window,
        )
    }
}

/// What the OTP rules themselves refuse, told like a rule of the limits file.
fn own_rule(rule: &str, retry_after: Duration, quota: u32, per: Duration) -> Refusal {
    Refusal {
        rule: rule.into(),
        scope: Scope::Cluster,
        retry_after,
        quota,
        per,
        burst: quota,
    }
}

/// To whose account the code goes, if to any.
fn recipient(caller: &Caller, phone: &PhoneNumber, claims: &Claims) -> Option<Uuid> {
    if claims.verified_by.is_some() {
        return None;
    }
    match &caller.user {
        None => claims.any_claimant,
        Some(user) => (user.phone == *phone && !user.phone_verified).then_some(user.id),
    }
}

fn subject(caller: &Caller, phone: &PhoneNumber, digest: PhoneDigest, keys: &SecretKeys) -> Subject {
    Subject::new(caller.client)
        .with_digested(phone.clone(), digest, &keys.phone)
        .with_channel(Channel::Sms)
        .with_user(caller.user.as_ref().map(|user| user.id))
}

/// The store refused for a rider; which one, the limiter told.
fn refused_by(refusal: Option<Refusal>) -> OtpError {
    match refusal {
        Some(refusal) => OtpError::Limited(refusal),
        None => OtpError::Unavailable(Unavailable::new(Part::RateLimiter, "refused by no rule in force")),
    }
}
