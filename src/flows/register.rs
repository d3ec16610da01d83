//! Making an account: with a code that proves its e-mail address at once, or without.

use std::sync::Arc;

use super::{
    asked::{Addressee, Asked, Caller, Effect, Entitled, Entitlement},
    by_id::TypedById,
    codes::{Codes, Sent},
    error::FlowError,
    supported::Supported,
};
use crate::{
    accounts::{AccountError, ClientInfo, ProofStore, Registration, SignIn, Tokens, Turn, User},
    challenges::{Proof, Purpose},
    delivery::Destination,
    email::EmailAddress,
    unavailable::Unavailable,
};

/// The flow.
pub struct Register {
    pub codes: Arc<Codes>,
    pub proofs: Arc<dyn ProofStore>,
    pub sign_in: SignIn,
    pub supported: Supported,
    /// Whether an account is made with a code alone.
    pub needs_code: bool,
}

impl Register {
    /// Issues a code for an address that is to have an account, and hands its message to delivery; waits for no provider.
    /// One that an account has proven gets a decoy.
    ///
    /// # Errors
    /// `MailNotConfigured`, whatever the address. `Cooldown`, `Limited`, `Unavailable`.
    pub async fn send(&self, caller: Caller, email: EmailAddress) -> Result<Sent, FlowError> {
        let to = Destination::Email(email.clone());
        let asked = self.codes.asked(Purpose::Register, caller, to);
        self.supported.demand(&asked.to, asked.country)?;
        let newcomer = Newcomer {
            proofs: Arc::clone(&self.proofs),
            email,
        };
        self.codes.send(asked, newcomer).await
    }

    /// Makes an account and opens its first session. A code proves the address, and takes it from an account that never
    /// did.
    ///
    /// # Errors
    /// Without a code, those of [`SignIn::register`]. With one, every way in which a code is not taken; only `Unavailable`
    /// and `LostRace` leave a right one good.
    pub async fn register(
        &self,
        who: ClientInfo,
        registration: Registration,
        typed: Option<TypedById>,
    ) -> Result<(User, Tokens), FlowError> {
        let Some(typed) = typed else {
            return Ok(self.sign_in.register(&who, registration).await?);
        };
        let turn = self.sign_in.admit(&who, &registration).await?;
        let to = Destination::Email(registration.email.clone());
        // A challenge of another address is not touched.
        if !self
            .codes
            .challenges
            .leads_to(typed.challenge_id, Purpose::Register, &to)
        {
            return Err(FlowError::Expired);
        }
        let client = who.network;
        let makes = MakesAccount {
            codes: Arc::clone(&self.codes),
            sign_in: self.sign_in.clone(),
            turn,
            who,
            registration,
        };
        self.codes.answer(client, Purpose::Register, typed, makes).await
    }
}

/// Whoever wants an account with the address.
struct Newcomer {
    proofs: Arc<dyn ProofStore>,
    email: EmailAddress,
}

impl Entitlement for Newcomer {
    async fn entitled(self, _: &mut Asked) -> Result<Entitled, Unavailable> {
        let holder = self.proofs.email_holder(&self.email).await?;
        Ok(Entitled {
            to: match holder.is_some_and(|holder| holder.is_verified) {
                true => Addressee::Nobody("an account has verified this e-mail address already"),
                false => Addressee::Stranger,
            },
            subject: None,
            known_code: None,
        })
    }
}

/// Makes the account whose address is proven.
struct MakesAccount {
    codes: Arc<Codes>,
    sign_in: SignIn,
    turn: Turn,
    who: ClientInfo,
    registration: Registration,
}

impl Effect for MakesAccount {
    type Output = (User, Tokens);

    async fn take(self, proof: &Proof) -> Result<Self::Output, FlowError> {
        let to = Destination::Email(self.registration.email.clone());
        let made = self.sign_in.make(self.turn, &self.who, self.registration, true);
        let made = made.await.map_err(|error| match error {
            // That the address has an account is not said.
            AccountError::EmailTaken => FlowError::LostRace,
            error => error.into(),
        })?;
        if proof.has_message {
            // Its message is no more among those that nobody answered.
            self.codes.refund(&to, proof.has_worked).await;
        }
        Ok(made)
    }
}
