//! Proving a phone: who may have a code for it, and what a right one does.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use metrics::counter;

use super::{
    codes::{Asked, Caller, Codes, Effect, Entitled, Entitlement, Sent, Typed},
    error::{FlowError, Unsupported},
    test_numbers::TestNumbers,
};
use crate::{
    accounts::{Claimant, Claims, ProofStore, Verification},
    challenges::{Challenges, Hold, OtpCode, Proof, Purpose},
    channel::Channel,
    delivery::{Countries, Destination},
    events::{EventKind, Source},
    limits::Subject,
    phone::{Country, PhoneDigest, PhoneKinds, PhoneNumber},
    unavailable::Unavailable,
};

/// The flow.
pub struct VerifyPhone {
    pub codes: Arc<Codes>,
    pub proofs: Arc<dyn ProofStore>,
    /// The countries whose phones may be verified.
    pub countries: Arc<Countries>,
    /// What the phones are for that may be verified.
    pub phone_kinds: PhoneKinds,
    pub test_numbers: Arc<TestNumbers>,
}

impl VerifyPhone {
    /// Issues a code for a phone and hands its message to delivery; waits for no provider.
    ///
    /// A phone that no account claims, that is verified already, or that is not the signed-in user's gets a decoy: a
    /// challenge like any other whose code nobody has. A test number's challenge has the code that is known, and no
    /// message; it has no cooldown and none of the phone's own rules, and nobody has it for good.
    ///
    /// # Errors
    /// `PhoneNotSupported`: for the number's country or kind, before anything is asked or counted, so that it is the same
    /// with and without an account. `Cooldown` and `Limited`: nothing is sent. `Unavailable`: nothing is sent, unless Redis did
    /// its part and was too late to say so.
    pub async fn send(&self, caller: Caller, phone: PhoneNumber) -> Result<Sent, FlowError> {
        let now = self.codes.clock.now();
        let known_code = self.test_numbers.code(&phone, now).cloned();
        let asked = self.asked(caller, &phone, known_code.is_some());
        self.refuse_unsupported(&phone, asked.country)?;
        let claimants = Claimants {
            proofs: Arc::clone(&self.proofs),
            challenges: self.codes.challenges.clone(),
            known_code,
            now,
            phone,
        };
        self.codes.send(asked, claimants).await
    }

    /// Judges a code, and marks the phone verified on the account it belongs to.
    ///
    /// # Errors
    /// Every way in which a code is not taken; only `Unavailable` and `AmbiguousClaim` leave a right one good.
    pub async fn verify(&self, caller: Caller, phone: PhoneNumber, typed: Typed) -> Result<(), FlowError> {
        let is_own = caller.user.as_ref().is_some_and(|user| user.phone == phone);
        let is_test_number = self.test_numbers.code(&phone, self.codes.clock.now()).is_some();
        let mark = MarkVerified {
            codes: Arc::clone(&self.codes),
            proofs: Arc::clone(&self.proofs),
            is_test_number,
            claimant: caller.user_id().map_or(Claimant::Anyone, Claimant::User),
            source: caller.source(),
            phone: phone.clone(),
        };
        let asked = self.asked(caller, &phone, is_test_number);
        self.codes.verify(asked, typed, is_own, mark).await
    }

    /// Whether codes go to the number's country, and to numbers of its kind.
    fn refuse_unsupported(&self, phone: &PhoneNumber, country: Country) -> Result<(), FlowError> {
        // To find the kind takes some microseconds, unless parsing the number did.
        let is_kind = || {
            self.phone_kinds == PhoneKinds::ALL || phone.kind().is_some_and(|kind| self.phone_kinds.fit(kind))
        };
        let why = match self.countries.fits(country) {
            true if is_kind() => return Ok(()),
            true => Unsupported::Kind,
            false => Unsupported::Country,
        };
        counter!("ringback_otp_not_supported_total", "country" => country.to_string(), "by" => why.label())
            .increment(1);
        Err(FlowError::PhoneNotSupported(why))
    }

    fn asked(&self, caller: Caller, phone: &PhoneNumber, is_test_number: bool) -> Asked {
        let keys = self.codes.challenges.keyring.current();
        let digest = PhoneDigest::of(phone, &keys.phone);
        let subject = Subject::new(caller.client)
            .with_channel(Channel::Sms)
            .with_user(caller.user_id());
        // No message goes to a test number: rules by phone, prefix and country count none of its requests.
        let subject = match is_test_number {
            true => subject,
            false => subject.with_digested(phone.clone(), digest, &keys.phone),
        };
        Asked {
            caller,
            purpose: Purpose::VerifyPhone,
            to: Destination::Phone(phone.clone()),
            digest: digest.into(),
            country: subject.country().unwrap_or_else(|| phone.country()),
            subject,
        }
    }
}

/// Whoever claims the phone.
struct Claimants {
    proofs: Arc<dyn ProofStore>,
    challenges: Challenges,
    phone: PhoneNumber,
    now: DateTime<Utc>,
    /// Of a test number.
    known_code: Option<OtpCode>,
}

impl Entitlement for Claimants {
    async fn entitled(self, asked: &Asked) -> Result<Entitled, Unavailable> {
        let claims = self.proofs.claims(&self.phone, self.now).await?;
        if self.known_code.is_none() {
            return Ok(Entitled {
                user_id: entitled_user(&asked.caller, &self.phone, &claims),
                subject: claims.sole_claimant,
                known_code: None,
            });
        }
        let own: Vec<_> = asked.caller.user_id().into_iter().collect();
        for hold in Hold::ALL {
            self.challenges.release(hold, &asked.to, &own).await?;
        }
        let claimant = match &asked.caller.user {
            None => claims.any_claimant.or(claims.verified_by),
            Some(user) => (user.phone == self.phone).then_some(user.id),
        };
        Ok(Entitled {
            user_id: claimant,
            subject: None,
            known_code: self.known_code,
        })
    }
}

/// To whose account the code goes, if to any.
fn entitled_user(caller: &Caller, phone: &PhoneNumber, claims: &Claims) -> Option<uuid::Uuid> {
    if claims.verified_by.is_some() {
        return None;
    }
    match &caller.user {
        None => claims.any_claimant,
        Some(user) => (user.phone == *phone && !user.phone_verified).then_some(user.id),
    }
}

/// Marks the phone verified.
struct MarkVerified {
    codes: Arc<Codes>,
    proofs: Arc<dyn ProofStore>,
    phone: PhoneNumber,
    claimant: Claimant,
    source: Source,
    /// The last account that proves one has it.
    is_test_number: bool,
}

impl Effect for MarkVerified {
    async fn take(&self, proof: &Proof) -> Result<(), FlowError> {
        let event = self.codes.event(EventKind::PhoneVerified, self.source.clone());
        let (phone, claimant) = (&self.phone, &self.claimant);
        let marked = match self.is_test_number {
            true => self.proofs.take_test_number(phone, claimant, event).await?,
            false => self.proofs.verify_phone(phone, claimant, event).await?,
        };
        match marked {
            Verification::Verified(_) => Ok(()),
            Verification::AlreadyVerified(_) if self.is_test_number => Ok(()),
            // The UPDATE of an earlier try that was answered 503 did take effect.
            Verification::AlreadyVerified(id)
                if self.claimant == Claimant::User(id) || proof.subject == Some(id) =>
            {
                Ok(())
            }
            Verification::AlreadyVerified(_) | Verification::Taken => Err(FlowError::PhoneTaken),
            Verification::NoClaim => Err(FlowError::Expired),
            Verification::Ambiguous => Err(FlowError::AmbiguousClaim),
        }
    }
}
