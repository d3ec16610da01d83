//! What every flow does: admit, issue, hand over to delivery; judge, and let a right code take effect.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::{
    asked::{Addressee, Asked, Caller, Effect, Entitled, Entitlement},
    error::FlowError,
    guesses::Guessed,
    late_receipts::LateReceipts,
    metrics::{self, Kind},
    refusals::refused_by,
};
use crate::{
    challenges::{
        Challenges, DestinationDigest, Found, Guess, Issuance, IssueOutcome, Judged, NewChallenge, NewCode,
        OtpCode, Proof, Purpose, Verdict, Whose,
    },
    channel::{Channel, MessageCode},
    clock::Clock,
    delivery::{DeliveryQueue, Destination, OutboxEntry, QueueSlot, Recipient},
    email::EmailDigest,
    entropy::Entropy,
    events::{EventKind, NewEvent, Source},
    ledger::{Event, Ledger, What},
    limits::{Admission, Asker, Limiter, Operation, Subject},
    phone::{Country, PhoneDigest},
    run_to_completion::run_to_completion,
};

/// A code that is on its way, or seems to be: an address that gets none is answered alike.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub challenge_id: Uuid,
    pub expires_in: Duration,
    pub resend_after: Duration,
}

/// A code that somebody typed.
#[derive(Debug)]
pub struct Typed {
    pub code: OtpCode,
    /// If given, no other challenge is touched.
    pub challenge_id: Option<Uuid>,
}

/// What all flows share.
pub struct Codes {
    /// Takes the receipts that the store could not.
    pub late_receipts: LateReceipts,
    pub challenges: Challenges,
    pub limiter: Limiter,
    pub queue: DeliveryQueue,
    pub ledger: Ledger,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Whether the log says why no message goes out: in development alone, as it tells which addresses have accounts.
    pub tells_decoys: bool,
}

impl Codes {
    /// Issues a code and hands its message to delivery; waits for no provider. `entitlement` says who may have it, and
    /// is asked once the limits let the request in.
    ///
    /// # Errors
    /// `Cooldown` and `Limited`: nothing is sent. `Unavailable`: nothing is sent, unless Redis did its part and was too
    /// late to say so.
    // Not `async`: what is handed in would be moved with whoever waits.
    pub(super) fn send<E: Entitlement>(
        self: &Arc<Self>,
        mut asked: Asked,
        entitlement: E,
    ) -> impl Future<Output = Result<Sent, FlowError>> + Send + use<E> {
        let place = self.queue.reserve(asked.to.channel(), asked.country);
        let this = Arc::clone(self);
        // Once a challenge may stand, a client that hangs up must not leave it without its message. The steps before run
        // in the same task, so that the handler, which has the whole connection to look after, is woken once.
        run_to_completion(async move {
            let place = place?;
            if let Some(solved) = asked.caller.work.take()
                && this.accepts_work(&solved, asked.digest).await?
            {
                asked.subject = asked.subject.after_work();
            }
            let address = asked.digest;
            let sent = this.admit_and_issue(asked, entitlement, place).await;
            sent.map_err(|error| this.asking_for_work(error, address))
        })
    }

    async fn admit_and_issue(
        &self,
        mut asked: Asked,
        mut entitlement: impl Entitlement,
        place: QueueSlot,
    ) -> Result<Sent, FlowError> {
        let admission = entitlement.admit(&self.limiter, &mut asked).await?;
        let entitled = entitlement.entitled(&mut asked).await?;
        let admission = self
            .limiter
            .spend_message(admission, entitled.has_message())
            .await?;
        self.issue(asked, &entitled, place, admission).await
    }

    async fn issue(
        &self,
        asked: Asked,
        entitled: &Entitled,
        place: QueueSlot,
        admission: Admission,
    ) -> Result<Sent, FlowError> {
        let code = match (entitled.to, &entitled.known_code) {
            (Addressee::Nobody(_), _) => NewCode::Nobodys,
            (to, None) => NewCode::Sent {
                user_id: to.user_id(),
                country: asked.country,
                language: &asked.caller.language,
                unkept: asked.purpose.policy().unkept.then_some(&asked.to),
                has_worked: asked.subject.has_worked(),
            },
            (_, Some(code)) => NewCode::Known(code),
        };
        let new = NewChallenge {
            purpose: asked.purpose,
            destination: asked.digest,
            user: asked.owner,
            is_from_known_network: asked.subject.is_from_known_network(),
            code,
            subject: entitled.subject,
            attached: &admission.attached,
            shadowed: &admission.shadowed,
        };
        let issuance = self.challenges.issue(&new).await?;
        let entry = self.settle(admission, &issuance).await?;
        self.note_issued(&asked, entitled, issuance.challenge_id);
        match entry.zip(issuance.code) {
            Some((entry, code)) => {
                let (to, code) = (asked.to, MessageCode::new(code.expose()));
                let recipient = Recipient { to, code };
                self.queue.submit(place, entry, recipient);
            }
            None => self.queue.skip(place),
        }
        let rules = &self.challenges.rules;
        Ok(Sent {
            challenge_id: issuance.challenge_id,
            expires_in: rules.ttl,
            resend_after: match entitled.known_code {
                None => rules.resend_cooldown,
                Some(_) => Duration::ZERO,
            },
        })
    }

    /// Settles with the limits what became of a challenge; gives its outbox entry, or why it wasn't issued.
    async fn settle(
        &self,
        admission: Admission,
        issuance: &Issuance,
    ) -> Result<Option<OutboxEntry>, FlowError> {
        let shadowed = admission.shadowed.and(&admission.attached, &issuance.attached);
        match &issuance.outcome {
            IssueOutcome::Written { entry, .. } => {
                self.limiter.settle(admission, &issuance.attached).await;
                self.limiter.shadowed_issued(&shadowed);
                Ok(entry.clone())
            }
            // No message: what the other rules had counted for one is given back.
            IssueOutcome::Cooldown { wait } => {
                self.limiter.give_back_cluster(admission).await;
                Err(FlowError::Cooldown(self.cooldown(*wait)))
            }
            IssueOutcome::Locked { wait } => {
                self.limiter.give_back_cluster(admission).await;
                Err(FlowError::Limited(self.locked(*wait)))
            }
            IssueOutcome::Limited => Err(refused_by(
                self.limiter.settle(admission, &issuance.attached).await,
            )),
        }
    }

    fn note_issued(&self, asked: &Asked, entitled: &Entitled, challenge_id: Uuid) {
        let channel = asked.to.channel();
        let kind = match (entitled.to, &entitled.known_code, channel) {
            (Addressee::Nobody(_), ..) => Kind::Decoy,
            (_, Some(_), _) => Kind::Test,
            (_, None, Channel::Sms) => Kind::Sms,
            (_, None, Channel::Email) => Kind::Email,
        };
        metrics::issued(asked.purpose, kind);
        if entitled.has_message() {
            self.limiter.note_issued(&asked.subject);
        }
        if let Addressee::Nobody(why) = entitled.to {
            if self.tells_decoys {
                let (purpose, channel) = (asked.purpose.name(), channel.name());
                tracing::info!(
                    otp.purpose = purpose,
                    channel,
                    "no message goes out (decoy): {why}"
                );
            }
        } else {
            let issued = What::Issued {
                user_id: entitled.to.user_id(),
                purpose: asked.purpose.name(),
                channel,
                country: (channel == Channel::Sms).then_some(asked.country),
            };
            self.note(challenge_id, issued);
        }
    }

    /// Judges a code, and lets a right one take effect. `is_own` says whether the address is the caller's own.
    ///
    /// # Errors
    /// Every way in which a code is not taken; only those that [keep the code](FlowError::keeps_code) leave a right one
    /// good.
    // Not `async`, as above.
    pub(super) fn verify<E: Effect>(
        self: &Arc<Self>,
        asked: Asked,
        typed: Typed,
        is_own: bool,
        effect: E,
    ) -> impl Future<Output = Result<E::Output, FlowError>> + Send + use<E> {
        let needs_id = self.challenges.rules.require_challenge_id && typed.challenge_id.is_none();
        let is_public = asked.purpose.policy().found == Found::ByAddress;
        let user = asked.owner.map(Whose::User);
        // Someone else's address: a stranger's attempts must not be spent, nor that stranger's code used.
        let public = (is_public && !needs_id && (is_own || user.is_none())).then_some(Whose::Public);
        let whose: Vec<_> = user.into_iter().chain(public).collect();
        let (this, purpose, is_anyones) = (Arc::clone(self), asked.purpose, !whose.is_empty());
        // A client that hangs up must not leave a used code without its effect.
        let judged = run_to_completion(async move {
            let proof = this.judge(&asked, &typed, &whose).await?;
            let taken = effect.take(&proof).await;
            this.close(proof, taken).await
        });
        async move {
            if !is_anyones {
                return Err(FlowError::ChallengeIdRequired);
            }
            let outcome = judged.await;
            metrics::judged(purpose, &outcome);
            outcome
        }
    }

    async fn judge(&self, asked: &Asked, typed: &Typed, whose: &[Whose]) -> Result<Proof, FlowError> {
        let admission = self.limiter.admit(Operation::OtpVerify, &asked.subject).await?;
        // An account that goes from number to number is one all the same.
        let refund = self
            .limiter
            .refund_for(&asked.subject, asked.purpose.policy().found != Found::ByUser);
        let (attached_refund, refund) = match self.limiter.attaches_refunds() {
            true => (refund, None),
            false => (None, refund),
        };
        let guess = Guess {
            purpose: asked.purpose,
            destination: &asked.to,
            current: asked.digest,
            whose,
            is_claimants: asked.subject.is_claimants(),
            code: &typed.code,
            challenge_id: typed.challenge_id,
            attached: &admission.attached,
            refund: attached_refund.as_ref(),
        };
        let judged = self.challenges.judge(&guess).await?;
        let guess = Guessed {
            client: asked.caller.client,
            user: asked.caller.user_id(),
            purpose: asked.purpose,
            address: Some(asked.digest),
            challenge_id: typed.challenge_id,
        };
        let proof = self.conclude(admission, judged, &guess).await?;
        if proof.has_message {
            self.limiter.note_verified(&asked.subject);
        }
        if let Some(refund) = refund.filter(|_| proof.has_message) {
            self.limiter.refund(&refund, proof.has_worked).await;
        }
        Ok(proof)
    }

    /// Settles with the limits what became of a code, and notes whom a wrong one was charged to.
    pub(super) async fn conclude(
        &self,
        admission: Admission,
        judged: Judged,
        guess: &Guessed,
    ) -> Result<Proof, FlowError> {
        for (challenge_id, attempts) in judged.charged {
            self.note(challenge_id, What::Wrong { attempts });
        }
        if let Some(refusal) = self.limiter.settle(admission, &judged.attached).await {
            return Err(FlowError::Limited(refusal));
        }
        guess.tell(&judged.verdict);
        match judged.verdict {
            Verdict::Right(proof) => Ok(proof),
            Verdict::Wrong { attempts_remaining } => Err(FlowError::Wrong { attempts_remaining }),
            Verdict::Exceeded => Err(FlowError::AttemptsExceeded),
            Verdict::Expired => Err(FlowError::Expired),
            Verdict::Locked { wait } => Err(FlowError::Limited(self.locked(wait))),
            Verdict::Limited => Err(refused_by(None)),
        }
    }

    /// Notes a code that took effect, and makes one good again that couldn't.
    pub(super) async fn close<T>(&self, proof: Proof, taken: Result<T, FlowError>) -> Result<T, FlowError> {
        match taken {
            Ok(came_of_it) => {
                self.note(proof.challenge_id, What::Verified);
                self.limiter.shadowed_verified(&proof.shadowed);
                Ok(came_of_it)
            }
            Err(error) if error.keeps_code() => {
                if let Err(lost) = self.challenges.reinstate(&proof).await {
                    tracing::error!(error = %lost, "a right code is lost: it could neither take effect nor be made good again");
                    return Err(lost.into());
                }
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// What is asked for at an address.
    pub(super) fn asked(&self, purpose: Purpose, caller: Caller, to: Destination) -> Asked {
        let keys = self.challenges.keyring.current();
        let asker = match purpose.policy().found {
            // Whoever is about to have the address.
            Found::ByUser => caller.user_id().map_or(Asker::Stranger, Asker::Claimant),
            Found::ByAddress => caller.asker(&to),
            Found::ById => Asker::Stranger,
        };
        let subject = Subject::new(caller.client)
            .with_asker(asker)
            .with_channel(to.channel())
            .with_user(caller.user_id());
        let (digest, subject): (DestinationDigest, _) = match &to {
            Destination::Phone(phone) => {
                let digest = PhoneDigest::of(phone, &keys.phone);
                let subject = subject.with_digested(phone.clone(), digest, &keys.phone);
                (digest.into(), subject)
            }
            Destination::Email(email) => {
                let digest = EmailDigest::of(email, &keys.email);
                (digest.into(), subject.with_email(digest))
            }
        };
        Asked {
            owner: caller.user_id(),
            caller,
            purpose,
            digest,
            country: subject.country().unwrap_or(Country::UNKNOWN),
            to,
            subject,
        }
    }

    /// An event of now.
    pub(super) fn event(&self, kind: EventKind, source: Source) -> NewEvent {
        NewEvent::new(kind, source, self.clock.now(), self.entropy.as_ref())
    }

    /// Notes in the ledger.
    pub(super) fn note(&self, challenge_id: Uuid, what: What) {
        let at = self.clock.now();
        self.ledger.note(Event {
            challenge_id,
            at,
            what,
        });
    }
}
