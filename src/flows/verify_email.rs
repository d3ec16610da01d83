//! Proving an e-mail address: who may have a code for it, and what a right one does.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    asked::{Addressee, Asked, Caller, Effect, Entitled, Entitlement},
    codes::{Codes, Sent, Typed},
    error::FlowError,
    supported::Supported,
};
use crate::{
    accounts::{
        Claimant, EmailHolder, EmailVerification, Login, Opening, OpeningRules, OpeningStore, ProofStore,
    },
    challenges::{Proof, Purpose},
    channel::Channel,
    delivery::Destination,
    email::EmailAddress,
    events::{EventKind, Source},
    unavailable::Unavailable,
};

/// The flow.
pub struct VerifyEmail {
    pub codes: Arc<Codes>,
    pub proofs: Arc<dyn ProofStore>,
    pub openings: Arc<dyn OpeningStore>,
    pub rules: OpeningRules,
    pub supported: Supported,
}

impl VerifyEmail {
    /// Issues a code for an e-mail address and hands its message to delivery; waits for no provider.
    ///
    /// An address that no account has, that is verified already, or that is not the signed-in user's gets a decoy: a
    /// challenge like any other whose code nobody has.
    ///
    /// # Errors
    /// `MailNotConfigured`, whatever the address. `Cooldown` and `Limited`: nothing is sent. `Unavailable`: nothing is sent, unless
    /// Redis did its part and was too late to say so.
    pub async fn send(&self, caller: Caller, email: EmailAddress) -> Result<Sent, FlowError> {
        self.demand_mail()?;
        let asked = self.asked(caller, &email);
        let holder = Holder {
            proofs: Arc::clone(&self.proofs),
            openings: Arc::clone(&self.openings),
            rules: self.rules,
            now: self.codes.clock.now(),
            email,
        };
        self.codes.send(asked, holder).await
    }

    /// Judges a code, and marks the address verified on the account that has it.
    ///
    /// # Errors
    /// Every way in which a code is not taken; only `Unavailable` leaves a right one good.
    pub async fn verify(&self, caller: Caller, email: EmailAddress, typed: Typed) -> Result<(), FlowError> {
        self.demand_mail()?;
        let is_own = caller
            .user
            .as_ref()
            .is_some_and(|user| user.email.as_ref() == Some(&email));
        let asked = self.asked(caller, &email);
        let mark = MarkVerified {
            codes: Arc::clone(&self.codes),
            proofs: Arc::clone(&self.proofs),
            openings: Arc::clone(&self.openings),
            claimant: asked.caller.user_id().map_or(Claimant::Anyone, Claimant::User),
            source: asked.caller.source(),
            email,
        };
        self.codes.verify(asked, typed, is_own, mark).await
    }

    fn demand_mail(&self) -> Result<(), FlowError> {
        match self.supported.email {
            true => Ok(()),
            false => Err(FlowError::MailNotConfigured),
        }
    }

    fn asked(&self, caller: Caller, email: &EmailAddress) -> Asked {
        let to = Destination::Email(email.clone());
        self.codes.asked(Purpose::VerifyEmail, caller, to)
    }
}

/// Whoever has the address.
struct Holder {
    proofs: Arc<dyn ProofStore>,
    openings: Arc<dyn OpeningStore>,
    rules: OpeningRules,
    now: DateTime<Utc>,
    email: EmailAddress,
}

impl Entitlement for Holder {
    async fn entitled(self, asked: &mut Asked) -> Result<Entitled, Unavailable> {
        let holder = self.proofs.email_holder(&self.email).await?;
        if let Some(holder) = &holder {
            asked.respell(&holder.email);
        }
        let unproven = holder.as_ref().filter(|holder| !holder.is_verified);
        let mut user_id = entitled_user(&asked.caller, unproven);
        // It is theirs already, but doesn't open the account yet: they may prove it once more.
        if let Some(proven) = holder.as_ref().filter(|holder| holder.is_verified)
            && asked.caller.user_id() == Some(proven.user)
        {
            let opening = self.openings.opening_of(proven.user).await?;
            let wants = |opening: &Opening| opening.wants_proof(Channel::Email, &self.rules, self.now);
            user_id = opening.filter(wants).map(|_| proven.user);
        }
        Ok(Entitled {
            to: Addressee::of(user_id, why_nobody(&asked.caller, holder.as_ref())),
            subject: unproven.map(|holder| holder.user),
            known_code: None,
        })
    }
}

/// Why a code goes to nobody, if it does.
fn why_nobody(caller: &Caller, holder: Option<&EmailHolder>) -> &'static str {
    match (holder, caller.user_id()) {
        (None, None) => "no account has this e-mail address",
        (Some(holder), None) if holder.is_verified => "this e-mail address is verified already",
        (Some(holder), Some(user)) if holder.user == user => "this e-mail address is verified already",
        _ => "it is not the e-mail address of the account whose token came along",
    }
}

/// To whose account the code goes, if to any: to the one that has the address and hasn't proven it.
fn entitled_user(caller: &Caller, unproven: Option<&EmailHolder>) -> Option<Uuid> {
    let holder = unproven?.user;
    caller
        .user_id()
        .is_none_or(|user| user == holder)
        .then_some(holder)
}

/// Marks the address verified.
struct MarkVerified {
    codes: Arc<Codes>,
    proofs: Arc<dyn ProofStore>,
    openings: Arc<dyn OpeningStore>,
    email: EmailAddress,
    claimant: Claimant,
    source: Source,
}

impl Effect for MarkVerified {
    type Output = ();

    async fn take(self, proof: &Proof) -> Result<(), FlowError> {
        let event = self.codes.event(EventKind::EmailVerified, self.source);
        let marked = self
            .proofs
            .verify_email(&self.email, &self.claimant, event.clone())
            .await?;
        match marked {
            EmailVerification::Verified(_) => Ok(()),
            // Proven once more, by whoever the account is.
            EmailVerification::AlreadyVerified(id) if self.claimant == Claimant::User(id) => {
                let (email, now) = (Login::Email(self.email), event.at);
                self.openings.note_owned(id, &email, now, Some(&event)).await?;
                Ok(())
            }
            // The UPDATE of an earlier try that was answered 503 did take effect.
            EmailVerification::AlreadyVerified(id) if proof.subject == Some(id) => Ok(()),
            EmailVerification::AlreadyVerified(_) | EmailVerification::NoClaim => Err(FlowError::Expired),
        }
    }
}
