//! Proving a phone: who may have a code for it, and what a right one does.

use std::sync::Arc;

use metrics::counter;

use super::{
    codes::{Asked, Caller, Codes, Effect, Entitled, Entitlement, Sent, Typed},
    error::{FlowError, Unsupported},
    test_numbers::TestNumbers,
};
use crate::{
    accounts::{Claimant, Claims, ProofStore, Verification},
    challenges::{OtpCode, Proof, Purpose},
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
    /// message.
    ///
    /// # Errors
    /// `PhoneNotSupported`: for the number's country or kind, before anything is asked or counted, so that it is the same
    /// with and without an account. `Cooldown` and `Limited`: nothing is sent. `Unavailable`: nothing is sent, unless Redis did
    /// its part and was too late to say so.
    pub async fn send(&self, caller: Caller, phone: PhoneNumber) -> Result<Sent, FlowError> {
        let asked = self.asked(caller, &phone);
        self.refuse_unsupported(&phone, asked.country)?;
        let claimants = Claimants {
            proofs: Arc::clone(&self.proofs),
            known_code: self.test_numbers.code(&phone, self.codes.clock.now()).cloned(),
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
        let mark = MarkVerified {
            codes: Arc::clone(&self.codes),
            proofs: Arc::clone(&self.proofs),
            claimant: caller.user_id().map_or(Claimant::Anyone, Claimant::User),
            source: caller.source(),
            phone: phone.clone(),
        };
        let asked = self.asked(caller, &phone);
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

    fn asked(&self, caller: Caller, phone: &PhoneNumber) -> Asked {
        let keys = self.codes.challenges.keyring.current();
        let digest = PhoneDigest::of(phone, &keys.phone);
        let subject = Subject::new(caller.client)
            .with_digested(phone.clone(), digest, &keys.phone)
            .with_channel(Channel::Sms)
            .with_user(caller.user_id());
        Asked {
            caller,
            purpose: Purpose::VerifyPhone,
            to: Destination::Phone(phone.clone()),
            digest: digest.into(),
            country: subject.country().unwrap_or(Country::UNKNOWN),
            subject,
        }
    }
}

/// Whoever claims the phone.
struct Claimants {
    proofs: Arc<dyn ProofStore>,
    phone: PhoneNumber,
    /// Of a test number.
    known_code: Option<OtpCode>,
}

impl Entitlement for Claimants {
    async fn entitled(self, asked: &Asked) -> Result<Entitled, Unavailable> {
        let claims = self.proofs.claims(&self.phone).await?;
        Ok(Entitled {
            user_id: entitled_user(&asked.caller, &self.phone, &claims),
            subject: claims.sole_claimant,
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
}

impl Effect for MarkVerified {
    async fn take(&self, proof: &Proof) -> Result<(), FlowError> {
        let event = self.codes.event(EventKind::PhoneVerified, self.source.clone());
        let marked = self
            .proofs
            .verify_phone(&self.phone, &self.claimant, event)
            .await?;
        match marked {
            Verification::Verified(_) => Ok(()),
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
