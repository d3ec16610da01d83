//! Proving a phone: who may have a code for it, and what a right one does.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    asked::{Addressee, Asked, Caller, Effect, Entitled, Entitlement},
    change_phone::TakesPhone,
    codes::{Codes, Sent, Typed},
    error::FlowError,
    supported::Supported,
    test_numbers::TestNumbers,
};
use crate::{
    accounts::{
        ChangeStore, Claimant, Claims, Login, Opening, OpeningRules, OpeningStore, ProofStore, User,
        Verification,
    },
    challenges::{Challenges, OtpCode, Proof, Purpose},
    channel::Channel,
    delivery::Destination,
    events::{EventKind, Source},
    language::Language,
    phone::PhoneNumber,
    unavailable::Unavailable,
};

/// The flow.
pub struct VerifyPhone {
    pub codes: Arc<Codes>,
    pub proofs: Arc<dyn ProofStore>,
    pub changes: Arc<dyn ChangeStore>,
    pub openings: Arc<dyn OpeningStore>,
    pub rules: OpeningRules,
    pub supported: Supported,
    pub test_numbers: Arc<TestNumbers>,
}

impl VerifyPhone {
    /// Issues a code for a phone and hands its message to delivery; waits for no provider.
    ///
    /// A phone that no account claims, that is verified already, or that is not the signed-in user's gets a decoy: a
    /// challenge like any other whose code nobody has. But a signed-in user who claims a phone that another account has
    /// verified gets a code, since numbers are given to others. A test number's challenge has the code that is known, and no
    /// message; it has no cooldown and none of the phone's own rules, and nobody has it for good.
    ///
    /// # Errors
    /// `PhoneNotSupported`: for the number's country or kind, before anything is asked or counted, so that it is the same
    /// with and without an account. `Cooldown` and `Limited`: nothing is sent. `Unavailable`: nothing is sent, unless Redis did
    /// its part and was too late to say so.
    pub fn send(
        &self,
        caller: Caller,
        phone: PhoneNumber,
    ) -> impl Future<Output = Result<Sent, FlowError>> + Send + use<> {
        let now = self.codes.clock.now();
        let known_code = self.test_numbers.code(&phone, now).cloned();
        let asked = self.asked(caller, &phone, known_code.is_some());
        let supported = self.supported.demand(&asked.to, asked.country);
        let claimants = Claimants {
            proofs: Arc::clone(&self.proofs),
            openings: Arc::clone(&self.openings),
            rules: self.rules,
            now,
            challenges: self.codes.challenges.clone(),
            known_code,
            phone,
        };
        let sent = supported.map(|()| self.codes.send(asked, claimants));
        async { sent?.await }
    }

    /// Judges a code, and marks the phone verified on the account it belongs to.
    ///
    /// # Errors
    /// Every way in which a code is not taken; only `Unavailable` and `AmbiguousClaim` leave a right one good.
    pub fn verify(
        &self,
        caller: Caller,
        phone: PhoneNumber,
        typed: Typed,
    ) -> impl Future<Output = Result<(), FlowError>> + Send + use<> {
        let is_own = caller.user.as_ref().is_some_and(|user| user.phone == phone);
        let is_test_number = self.test_numbers.code(&phone, self.codes.clock.now()).is_some();
        let mark = MarkVerified {
            codes: Arc::clone(&self.codes),
            proofs: Arc::clone(&self.proofs),
            changes: Arc::clone(&self.changes),
            user: caller.user.clone(),
            language: caller.language.clone(),
            is_test_number,
            openings: Arc::clone(&self.openings),
            claimant: caller.user_id().map_or(Claimant::Anyone, Claimant::User),
            source: caller.source(),
            phone: phone.clone(),
        };
        let asked = self.asked(caller, &phone, is_test_number);
        self.codes.verify(asked, typed, is_own, mark)
    }

    fn asked(&self, caller: Caller, phone: &PhoneNumber, is_test_number: bool) -> Asked {
        let to = Destination::Phone(phone.clone());
        let mut asked = self.codes.asked(Purpose::VerifyPhone, caller, to);
        if is_test_number {
            asked.subject = TestNumbers::subject(&asked.caller);
        }
        asked
    }
}

/// Whoever claims the phone.
struct Claimants {
    proofs: Arc<dyn ProofStore>,
    openings: Arc<dyn OpeningStore>,
    rules: OpeningRules,
    now: DateTime<Utc>,
    challenges: Challenges,
    phone: PhoneNumber,
    /// Of a test number.
    known_code: Option<OtpCode>,
}

impl Entitlement for Claimants {
    async fn entitled(self, asked: &mut Asked) -> Result<Entitled, Unavailable> {
        let claims = self.proofs.claims(&self.phone, self.now).await?;
        if self.known_code.is_none() {
            return self.entitled_by_message(asked, &claims).await;
        }
        TestNumbers::release(&self.challenges, &asked.to, asked.caller.user_id()).await?;
        let claimant = match &asked.caller.user {
            None => claims.any_claimant.or(claims.verified_by),
            Some(user) => (user.phone == self.phone).then_some(user.id),
        };
        Ok(Entitled {
            to: Addressee::of(
                claimant,
                why_nobody(&asked.caller, &self.phone, claims.verified_by),
            ),
            subject: None,
            known_code: self.known_code,
        })
    }
}

impl Claimants {
    /// Who may have a code in a message.
    async fn entitled_by_message(self, asked: &Asked, claims: &Claims) -> Result<Entitled, Unavailable> {
        let mut user_id = entitled_user(&asked.caller, &self.phone, claims);
        // It is theirs already, but doesn't open the account yet, or not for long: they may prove it once more.
        if let Some(user) = asked.caller.user_id().filter(|_| user_id.is_none())
            && claims.verified_by == Some(user)
        {
            let opening = self.openings.opening_of(user).await?;
            let wants = |opening: &Opening| opening.wants_proof(Channel::Sms, &self.rules, self.now);
            user_id = opening.filter(wants).map(|_| user);
        }
        Ok(Entitled {
            to: Addressee::of(
                user_id,
                why_nobody(&asked.caller, &self.phone, claims.verified_by),
            ),
            // By a token, a number moves from whoever has it proven now, and from nobody else.
            subject: match &asked.caller.user {
                Some(_) if claims.verified_by.is_some() => claims.verified_by,
                _ => claims.sole_claimant,
            },
            known_code: None,
        })
    }
}

/// Why a code goes to nobody, if it does.
fn why_nobody(caller: &Caller, phone: &PhoneNumber, verified_by: Option<uuid::Uuid>) -> &'static str {
    match &caller.user {
        Some(user) if user.phone != *phone => "it is not the phone of the account whose token came along",
        None if verified_by.is_none() => "no account has this phone",
        _ => "this phone is verified already",
    }
}

/// To whose account the code goes, if to any.
fn entitled_user(caller: &Caller, phone: &PhoneNumber, claims: &Claims) -> Option<uuid::Uuid> {
    match &caller.user {
        None => claims.any_claimant.filter(|_| claims.verified_by.is_none()),
        Some(user) => (user.phone == *phone && !user.phone_verified).then_some(user.id),
    }
}

/// Marks the phone verified.
struct MarkVerified {
    codes: Arc<Codes>,
    proofs: Arc<dyn ProofStore>,
    openings: Arc<dyn OpeningStore>,
    changes: Arc<dyn ChangeStore>,
    user: Option<User>,
    language: Language,
    phone: PhoneNumber,
    claimant: Claimant,
    source: Source,
    /// The last account that proves one has it.
    is_test_number: bool,
}

impl Effect for MarkVerified {
    type Output = ();

    async fn take(self, proof: &Proof) -> Result<(), FlowError> {
        if let Some(user) = self
            .user
            .clone()
            .filter(|user| !self.is_test_number && self.moves(user, proof))
        {
            return self.take_from_another(user, proof).await;
        }
        let event = self.codes.event(EventKind::PhoneVerified, self.source);
        let (phone, claimant) = (&self.phone, &self.claimant);
        let marked = match self.is_test_number {
            true => {
                self.proofs
                    .take_test_number(phone, claimant, event.clone())
                    .await?
            }
            false => self.proofs.verify_phone(phone, claimant, event.clone()).await?,
        };
        match marked {
            Verification::Verified(_) => Ok(()),
            Verification::AlreadyVerified(_) if self.is_test_number => Ok(()),
            // Proven once more, by whoever the account is.
            Verification::AlreadyVerified(id) if self.claimant == Claimant::User(id) => {
                let (phone, now) = (Login::Phone(self.phone), event.at);
                self.openings.note_owned(id, &phone, now, Some(&event)).await?;
                Ok(())
            }
            // The UPDATE of an earlier try that was answered 503 did take effect.
            Verification::AlreadyVerified(id) if proof.subject == Some(id) => Ok(()),
            Verification::AlreadyVerified(_) | Verification::Taken => Err(FlowError::PhoneTaken),
            Verification::NoClaim => Err(FlowError::Expired),
            Verification::Ambiguous => Err(FlowError::AmbiguousClaim),
        }
    }
}

impl MarkVerified {
    /// Whether the code was sent to this user while another account had the phone verified.
    fn moves(&self, user: &User, proof: &Proof) -> bool {
        let to = Destination::Phone(self.phone.clone());
        let challenges = &self.codes.challenges;
        proof.subject.is_some_and(|former| former != user.id)
            && challenges.is_users(proof, Purpose::VerifyPhone, &to, user.id)
    }

    async fn take_from_another(self, user: User, proof: &Proof) -> Result<(), FlowError> {
        let takes = TakesPhone {
            codes: self.codes,
            changes: self.changes,
            user,
            phone: self.phone,
            source: self.source,
            language: self.language,
            opens: true,
        };
        takes.take(proof).await.map(drop)
    }
}
