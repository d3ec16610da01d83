//! Changing the e-mail address of an account: who may have a code at the new one, and what a right one does.

use std::sync::Arc;

use super::{
    asked::{Addressee, Asked, Caller, Effect, Entitled, Entitlement},
    codes::{Codes, Sent, Typed},
    error::FlowError,
    pending::{Changer, pending},
    supported::Supported,
};
use crate::{
    accounts::{ChangeStore, Changed, EmailChange, OwnPassword, Password, ProofStore, User},
    challenges::{Proof, Purpose},
    delivery::Destination,
    email::EmailAddress,
    events::{EventKind, NoticeKind, Source},
    language::Language,
    unavailable::Unavailable,
};

/// The flow.
pub struct ChangeEmail {
    pub codes: Arc<Codes>,
    pub proofs: Arc<dyn ProofStore>,
    pub changes: Arc<dyn ChangeStore>,
    pub own_password: OwnPassword,
    pub supported: Supported,
}

impl ChangeEmail {
    /// Issues a code for the new address and hands its message to delivery; waits for no provider. Until the code is entered,
    /// the old address stays in force. One that another account has proven gets a decoy.
    ///
    /// # Errors
    /// `SameEmail`, `MailNotConfigured`: before anything is asked. `Account`, `Cooldown`, `Limited`, `Unavailable`.
    pub async fn send(
        &self,
        changer: Changer,
        email: EmailAddress,
        password: Password,
    ) -> Result<Sent, FlowError> {
        if changer.signed_in.user.email.as_ref() == Some(&email) {
            return Err(FlowError::SameEmail);
        }
        let asked = self.asked(&changer, &email);
        self.supported.demand(&asked.to, asked.country)?;
        let turn = self
            .own_password
            .reserve(&changer.signed_in, changer.client)
            .await?;
        let of = &changer.signed_in;
        self.own_password
            .confirm(turn, of, changer.client, password)
            .await?;
        let code = NewEmail {
            proofs: Arc::clone(&self.proofs),
            user: changer.signed_in.user,
            email,
        };
        self.codes.send(asked, code).await
    }

    /// Judges a code, and gives the account the address.
    ///
    /// # Errors
    /// Every way in which a code is not taken; only `Unavailable` leaves a right one good.
    pub async fn verify(
        &self,
        changer: Changer,
        email: EmailAddress,
        typed: Typed,
    ) -> Result<User, FlowError> {
        let asked = self.asked(&changer, &email);
        self.supported.demand(&asked.to, asked.country)?;
        let takes = TakesEmail {
            codes: Arc::clone(&self.codes),
            changes: Arc::clone(&self.changes),
            source: Source::user(changer.signed_in.user.id, changer.client),
            user: changer.signed_in.user,
            language: changer.language,
            email,
        };
        self.codes.verify(asked, typed, false, takes).await
    }

    fn asked(&self, changer: &Changer, email: &EmailAddress) -> Asked {
        let user = &changer.signed_in.user;
        let caller = Caller {
            client: changer.client,
            user: Some(user.clone()),
            language: changer.language.clone(),
            work: changer.work.clone(),
        };
        let has = user.email.as_ref().map_or("", EmailAddress::key);
        Asked {
            owner: Some(pending(user, has)),
            ..self
                .codes
                .asked(Purpose::ChangeEmail, caller, Destination::Email(email.clone()))
        }
    }
}

/// An e-mail address that a user wants to have.
struct NewEmail {
    proofs: Arc<dyn ProofStore>,
    user: User,
    email: EmailAddress,
}

impl Entitlement for NewEmail {
    async fn entitled(self, _: &mut Asked) -> Result<Entitled, Unavailable> {
        let holder = self.proofs.email_holder(&self.email).await?;
        Ok(Entitled {
            to: match holder.is_some_and(|holder| holder.is_verified) {
                true => Addressee::Nobody("an account has verified this e-mail address already"),
                false => Addressee::User(self.user.id),
            },
            subject: Some(self.user.id),
            known_code: None,
        })
    }
}

/// Gives an account an e-mail address.
struct TakesEmail {
    codes: Arc<Codes>,
    changes: Arc<dyn ChangeStore>,
    /// The account as it was when the code was typed.
    user: User,
    email: EmailAddress,
    source: Source,
    /// What its owner is told in.
    language: Language,
}

impl Effect for TakesEmail {
    type Output = User;

    async fn take(self, _: &Proof) -> Result<User, FlowError> {
        let told = || self.codes.notice(NoticeKind::EmailChanged, Some(&self.language));
        let change = EmailChange {
            user: self.user.id,
            old: self.user.email,
            new: self.email,
            event: self.codes.event(EventKind::EmailChanged, self.source.clone()),
            // By whom is nobody's affair who lost it.
            taken: self.codes.event(EventKind::EmailTaken, Source::system()),
            taken_notice: self.codes.notice(NoticeKind::EmailTaken, None),
            notices: [told(), told()],
        };
        match self.changes.change_email(&change).await? {
            Changed::Changed(user) => Ok(user),
            // Another account proved it meanwhile: a code for such an address is nobody's.
            Changed::Void | Changed::Taken => Err(FlowError::Expired),
        }
    }
}
