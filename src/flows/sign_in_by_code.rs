//! Signing in by code: who may have one, and the session that a right one opens.

use super::{
    asked::{Caller, Effect},
    by_id::TypedById,
    codes::Sent,
    error::FlowError,
    open_account::{AccountOpener, address},
};
use crate::{
    accounts::{AccountError, ClientInfo, Login, Opening, Sessions, Tokens, User},
    challenges::{Proof, Purpose},
    channel::Channel,
    tokens::Amr,
};

/// The flow.
pub struct SignInByCode {
    pub opener: AccountOpener,
    pub sessions: Sessions,
}

impl SignInByCode {
    /// Issues a code for an address and hands its message to delivery; waits for no provider. Every address that no account may
    /// sign in by gets a decoy.
    ///
    /// # Errors
    /// `PhoneNotSupported`, `MailNotConfigured`: the same for every such address. `Cooldown`, `Limited`, `Unavailable`.
    pub async fn send(&self, caller: Caller, address: Login) -> Result<Sent, FlowError> {
        self.opener
            .send(Purpose::SignIn, caller, address, Opening::may_sign_in)
            .await
    }

    /// Judges a code, and opens a session of the account that it was issued for.
    ///
    /// # Errors
    /// Every way in which a code is not taken; only `Unavailable` leaves a right one good.
    pub async fn verify(&self, who: ClientInfo, typed: TypedById) -> Result<(User, Tokens), FlowError> {
        let client = who.network;
        let signs_in = SignsIn {
            opener: self.opener.clone(),
            sessions: self.sessions.clone(),
            who,
        };
        let codes = &self.opener.codes;
        codes.answer(client, Purpose::SignIn, typed, signs_in).await
    }
}

/// Opens a session.
struct SignsIn {
    opener: AccountOpener,
    sessions: Sessions,
    who: ClientInfo,
}

impl Effect for SignsIn {
    type Output = (User, Tokens);

    async fn take(self, proof: &Proof) -> Result<Self::Output, FlowError> {
        let opened = self
            .opener
            .opened(Purpose::SignIn, proof, Opening::may_sign_in)
            .await?;
        let (opening, by) = opened.ok_or(FlowError::Expired)?;
        let amr = match by {
            Channel::Sms => Amr::SmsCode,
            Channel::Email => Amr::EmailCode,
        };
        let (user, epoch) = (opening.user.id, opening.session_epoch);
        let tokens = self.sessions.open_for(user, epoch, amr, &self.who).await;
        let tokens = tokens.map_err(|error| match error {
            AccountError::Unavailable(unavailable) => FlowError::Unavailable(unavailable),
            // It was locked or its sessions were ended meanwhile: the code was for what was before.
            _ => FlowError::Expired,
        })?;
        self.renew(&opening, by).await;
        Ok((opening.user, tokens))
    }
}

impl SignsIn {
    /// The code was a new proof of the address. Signing in doesn't fail over it.
    async fn renew(&self, opening: &Opening, by: Channel) {
        let now = self.opener.codes.clock.now();
        if opening.is_fresh(by, now) {
            return;
        }
        let Some(address) = address(opening, by) else {
            return;
        };
        let noted = self
            .opener
            .openings
            .note_owned(opening.user.id, &address, now, None);
        if let Err(error) = noted.await {
            tracing::warn!(%error, "a proof keeps its age until the next sign-in");
        }
    }
}
