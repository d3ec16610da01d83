//! Setting a password anew by code: who may have one, and what a right one does.

use super::{
    asked::{Caller, Effect},
    by_id::TypedById,
    codes::Sent,
    error::FlowError,
    open_account::AccountOpener,
};
use crate::{
    accounts::{ClientInfo, Login, Opening, Password, PasswordHasher, PasswordReset, Turn},
    challenges::{Proof, Purpose},
    channel::Channel,
    events::{EventKind, NewNotice, NoticeKind, Source},
    language::Language,
    limits::{Operation, Subject},
    security,
    unavailable::{Part, Unavailable},
};

/// How often a reset is tried that found the account changed between its reading and the change.
const ATTEMPTS: usize = 3;

/// The flow.
pub struct ResetPassword {
    pub opener: AccountOpener,
    pub hasher: PasswordHasher,
}

impl ResetPassword {
    /// Issues a code for an address and hands its message to delivery; waits for no provider. Every address that resets no
    /// account's password gets a decoy.
    ///
    /// # Errors
    /// `PhoneNotSupported`, `MailNotConfigured`: the same for every such address. `Cooldown`, `Limited`, `Unavailable`.
    pub async fn send(&self, caller: Caller, address: Login) -> Result<Sent, FlowError> {
        self.opener
            .send(Purpose::ResetPassword, caller, address, Opening::may_reset)
            .await
    }

    /// Judges a code, sets the password of the account that it was issued for, and ends all its sessions.
    ///
    /// # Errors
    /// Every way in which a code is not taken; only `Unavailable` and `Password` leave a right one good. At once, and with no
    /// code judged, when too many passwords wait to be hashed.
    pub async fn reset(
        &self,
        who: ClientInfo,
        language: Language,
        typed: TypedById,
        password: Password,
    ) -> Result<(), FlowError> {
        let (client, codes) = (who.network, &self.opener.codes);
        // A flood from one network must not fill the queue for the hashing threads. The code is counted by itself.
        let subject = Subject::new(client);
        drop(codes.limiter.shed(Operation::PasswordChange, &subject).await?);
        let turn = self.hasher.reserve_hash(client)?;
        let resets = Resets {
            opener: self.opener.clone(),
            turn,
            password,
            who,
            language,
        };
        codes.answer(client, Purpose::ResetPassword, typed, resets).await
    }
}

/// Sets the password.
struct Resets {
    opener: AccountOpener,
    /// A place among the hashes that wait, taken before the code was judged.
    turn: Turn,
    password: Password,
    who: ClientInfo,
    language: Language,
}

impl Effect for Resets {
    type Output = ();

    async fn take(self, proof: &Proof) -> Result<(), FlowError> {
        let Self {
            opener,
            turn,
            password,
            who,
            language,
        } = self;
        let (mut opening, mut by) = opened(&opener, proof, &password).await?;
        let hash = turn.hash(password.clone()).await?;
        for _ in 0..ATTEMPTS {
            let user = opening.user.id;
            let event = opener
                .codes
                .event(EventKind::PasswordReset, Source::user(user, who.network));
            let notice = || {
                let (now, entropy) = (event.at, opener.codes.entropy.as_ref());
                NewNotice::new(NoticeKind::PasswordReset, Some(language.clone()), now, entropy)
            };
            let reset = PasswordReset {
                notices: [notice(), notice()],
                opening,
                by,
                password: hash.clone(),
                event,
            };
            if opener.openings.reset(&reset).await? {
                tracing::info!(
                    target: security::TARGET,
                    { user.id = %user, client.network = %who.network },
                    "auth.password.reset"
                );
                return Ok(());
            }
            // What decided about it changed meanwhile: it is decided anew.
            (opening, by) = opened(&opener, proof, &password).await?;
        }
        Err(Unavailable::new(Part::Database, "the account changes without end").into())
    }
}

/// The account that the code resets, if it still does, and this password suits its owner.
async fn opened(
    opener: &AccountOpener,
    proof: &Proof,
    password: &Password,
) -> Result<(Opening, Channel), FlowError> {
    let opened = opener
        .opened(Purpose::ResetPassword, proof, Opening::may_reset)
        .await?;
    let (opening, by) = opened.ok_or(FlowError::Expired)?;
    let suits = password.refuse_personal(&opening.user.words());
    suits.map_err(FlowError::Password)?;
    Ok((opening, by))
}
